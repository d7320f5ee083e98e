"""Over Socket Mode: envelopes on WebSockets that the app has opened.

https://docs.slack.dev/apis/events-api/using-socket-mode. Where that page is silent the sandbox is strict: an
acknowledgement counts only on the connection that carried the envelope, and a connection that breaks fails
what it carried. Two words are known from what apps have logged: the eleventh connection gets
``too_many_websockets`` for its ``hello`` (https://github.com/slackapi/bolt-js/issues/2225), and the reason of
a retry is ``timeout`` (https://github.com/slackapi/bolt-js/issues/2487).
"""

import asyncio
import json
import secrets
import uuid
from typing import Any

from aiohttp import WSMsgType, web

from bot.sandbox.delivery import ACK_SECONDS, Delivery, NotDelivered
from bot.sandbox.references import SOCKET_MODE

Json = dict[str, Any]

MOST = 10
LIFETIME_SECONDS = 18_000.0
"""How long a connection lives before it is refreshed: the page says "every few hours"."""
WARNED_SECONDS = 10.0
TICKET_SECONDS = 30.0
"""A ticket is for one connection and temporary; the page gives no figure."""
PING_SECONDS = 10.0
CLOSING_SECONDS = 1.0

_TYPES = {"event": "events_api", "command": "slash_commands", "interaction": "interactive"}


class Socket:
    """One connection of the app's, and what waits on it for an acknowledgement."""

    def __init__(self, request: web.Request) -> None:
        self._wire = web.WebSocketResponse(timeout=CLOSING_SECONDS, heartbeat=PING_SECONDS)
        self._request = request
        self._unacknowledged: dict[str, asyncio.Future[Json]] = {}

    async def shake_hands(self) -> web.WebSocketResponse:
        await self._wire.prepare(self._request)
        return self._wire

    async def send(self, text: str) -> None:
        """Raises ConnectionError where the connection is broken."""
        await self._wire.send_str(text)

    async def tell(self, message: Json) -> None:
        await self.send(json.dumps(message))

    async def disconnect(self, reason: str) -> None:
        await self.tell({"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}})

    async def close(self) -> None:
        await self._wire.close()

    def cut(self) -> None:
        """Break the connection, without a word."""
        if self._request.transport:
            self._request.transport.abort()

    async def acknowledgement(self, envelope: Json, sent: asyncio.Event) -> Json:
        """Send an envelope and wait for the app's answer to it; ConnectionError where the connection breaks."""
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._unacknowledged[envelope["envelope_id"]] = answer
        try:
            await self.tell(envelope)
            sent.set()
            return await answer
        finally:
            del self._unacknowledged[envelope["envelope_id"]]

    async def listen(self) -> None:
        """Take acknowledgements until the connection ends."""
        try:
            async for message in self._wire:
                if message.type is WSMsgType.TEXT:
                    self._take(message.data)
        finally:
            for waiting in self._unacknowledged.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionResetError("the connection ended"))

    def _take(self, text: str) -> None:
        try:
            answer = json.loads(text)
        except ValueError:
            return
        if not isinstance(answer, dict):
            return
        waiting = self._unacknowledged.get(str(answer.get("envelope_id")))
        if waiting and not waiting.done():
            waiting.set_result(answer)


class Sockets:
    """The app's open connections. Off until Socket Mode is switched on, and then any of them gets the next parcel."""

    def __init__(self, app_id: str, speed: float) -> None:
        self.on = False
        self.open: list[Socket] = []
        self._app_id = app_id
        self._speed = speed
        self._tickets: dict[str, float] = {}
        self._change = asyncio.Condition()
        self._endings: set[asyncio.Task[None]] = set()

    def ticket(self) -> str:
        """What opens one connection, once."""
        ticket = str(uuid.uuid4())
        self._tickets[ticket] = asyncio.get_running_loop().time() + TICKET_SECONDS
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """A connection, from its handshake to its end."""
        valid_until = self._tickets.pop(request.query.get("ticket", ""), 0.0)
        if not self.on or asyncio.get_running_loop().time() > valid_until:
            raise web.HTTPUnauthorized(text=f"no ticket for a connection, see {SOCKET_MODE}")
        socket = Socket(request)
        wire = await socket.shake_hands()
        if await self._welcome(socket):
            ageing = asyncio.create_task(self._refresh_in_time(socket))
            try:
                await socket.listen()
            finally:
                ageing.cancel()
                await self._drop(socket)
        return wire

    async def carry(self, delivery: Delivery, sent: asyncio.Event) -> None:
        if not self.open:
            raise NotDelivered("connection_failed")
        socket = secrets.choice(self.open)
        try:
            async with asyncio.timeout(ACK_SECONDS):
                answer = await socket.acknowledgement(_envelope(delivery), sent)
        except TimeoutError:
            raise NotDelivered("timeout") from None
        except ConnectionError:
            raise NotDelivered("connection_failed") from None
        delivery.status = 200
        if delivery.kind != "event" and "payload" in answer:
            delivery.answer = json.dumps(answer["payload"]).encode()

    async def refresh(self, *sockets: Socket) -> None:
        """Warn, and end the connections ten seconds (by ``speed``) later; without any, all that are open."""
        await asyncio.gather(*(self._refresh(each) for each in sockets or tuple(self.open)))

    def switch_off(self) -> None:
        """As in the app's settings: every connection is told and ended."""
        self.on = False
        for each in tuple(self.open):
            ending = asyncio.create_task(self._end(each, "link_disabled"))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    def cut(self) -> None:
        for each in tuple(self.open):
            each.cut()

    async def connected(self, count: int) -> None:
        """Wait until so many connections are open."""
        async with self._change:
            await self._change.wait_for(lambda: len(self.open) == count)

    async def _refresh_in_time(self, socket: Socket) -> None:
        await asyncio.sleep(self._lifetime)
        await self._refresh(socket)

    async def _refresh(self, socket: Socket) -> None:
        try:
            await socket.disconnect("warning")
        except ConnectionError:
            return
        await asyncio.sleep(WARNED_SECONDS / self._speed)
        await self._end(socket, "refresh_requested")

    async def _end(self, socket: Socket, reason: str) -> None:
        await self._drop(socket)
        try:
            await socket.disconnect(reason)
            await socket.close()
        except ConnectionError:
            socket.cut()

    @property
    def _lifetime(self) -> float:
        return LIFETIME_SECONDS / self._speed

    async def _welcome(self, socket: Socket) -> bool:
        """Say hello to a new connection, or that it is one too many."""
        async with self._change:
            try:
                if len(self.open) >= MOST:
                    await socket.disconnect("too_many_websockets")
                    await socket.close()
                    return False
                await socket.tell(self._hello())
            except ConnectionError:
                return False
            self.open.append(socket)
            self._change.notify_all()
            return True

    def _hello(self) -> Json:
        age = {"host": "sandbox", "build_number": 1, "approximate_connection_time": int(self._lifetime)}
        return {
            "type": "hello",
            "num_connections": len(self.open) + 1,
            "connection_info": {"app_id": self._app_id},
            "debug_info": age,
        }

    async def _drop(self, socket: Socket) -> None:
        async with self._change:
            if socket in self.open:
                self.open.remove(socket)
            self._change.notify_all()


def _envelope(delivery: Delivery) -> Json:
    envelope = {
        "envelope_id": str(uuid.uuid4()),
        "type": _TYPES[delivery.kind],
        "payload": delivery.payload,
        "accepts_response_payload": delivery.kind != "event",
    }
    if delivery.kind == "event":
        envelope |= {"retry_attempt": delivery.retry, "retry_reason": delivery.retry_reason or ""}
    return envelope
