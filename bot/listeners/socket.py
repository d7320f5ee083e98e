"""Slack in over Socket Mode: https://docs.slack.dev/apis/events-api/using-socket-mode

Ours rather than slack_sdk's SocketModeClient, which holds one connection, closes it before it opens the next with work
under way on it, and acknowledges on whichever is current.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import structlog
from aiohttp import ClientWebSocketResponse, ClientWSTimeout, WSMsgType
from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.delivery.slack import RateLimited, SlackRefused, Unclear, ask

log = structlog.get_logger(__name__)

HELLO_SECONDS = 10.0
HEARTBEAT_SECONDS = 10.0
CLOSING_SECONDS = 2.0
FINISHING_SECONDS = 10.0
#: A connection that lasted this long was a good one: the next is tried at once.
STEADY_SECONDS = 10.0
PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0


class TooManyConnections(Exception):  # noqa: N818 - Slack did nothing wrong, and nor did we
    """Slack allows an app ten connections, over all its processes."""

    def __init__(self) -> None:
        super().__init__("Slack allows ten connections, and they are taken")


class Connection:
    """One WebSocket that has said hello. `leaving` is set once Slack is about to end it, or it has ended."""

    def __init__(self, wire: ClientWebSocketResponse) -> None:
        self.wire = wire
        self.leaving = asyncio.Event()
        self.patience = asyncio.timeout(None)
        self.announced = False
        self._since = asyncio.get_running_loop().time()

    @property
    def was_good(self) -> bool:
        return self.announced or asyncio.get_running_loop().time() - self._since > STEADY_SECONDS


class SocketMode:
    """Holds a number of connections open; each envelope becomes a request to `bolt`.

    An envelope is acknowledged on the connection that brought it, and only when the listener has committed: what
    failed stays unacknowledged, and Slack sends an event again. `on_gap` is called when a connection is open again
    after there was none: what happened meanwhile Slack may not have delivered. `on_failure` is called when the
    connections are no longer kept.
    """

    def __init__(
        self,
        bolt: AsyncApp,
        slack: AsyncWebClient,
        connections: int,
        *,
        on_gap: Callable[[], None] = lambda: None,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._bolt = bolt
        self._slack = slack
        self._connections = connections
        self._on_gap = on_gap
        self._on_failure = on_failure
        self._gap = False
        self._open: set[Connection] = set()
        self._readers: dict[asyncio.Task[None], Connection] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._work: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        return bool(self._open)

    async def start(self) -> None:
        """Returns with one connection open, unless too many are. SlackRefused, RateLimited or Unclear."""
        self._session = aiohttp.ClientSession()
        first: Connection | None = None
        try:
            first = await self._connect()
        except TooManyConnections as problem:
            self._gap = True
            log.warning("no connection to Slack yet", why=str(problem))
        except BaseException:
            await self._session.close()
            raise
        for each in (first, *[None] * (self._connections - 1)):
            keeper = asyncio.create_task(self._keep(each))
            keeper.add_done_callback(self._kept)
            self._keepers.append(keeper)

    async def stop(self) -> None:
        """Takes no more envelopes, finishes and acknowledges what is under way, and closes."""
        await _cancelled(*self._keepers)
        open_wires = [connection.wire for connection in self._readers.values()]
        await _cancelled(*self._readers)
        if self._work:
            await asyncio.wait(self._work, timeout=FINISHING_SECONDS)
            await _cancelled(*self._work)
        await asyncio.gather(*map(_closed, open_wires))
        await self._session.close()

    async def _keep(self, connection: Connection | None) -> None:
        """One of the connections, for ever. Its successor is opened first, and the old one read until Slack ends it."""
        failures = 0
        while True:
            if connection is None:
                connection = await self._opened(failures)
            self._use(connection)
            await connection.leaving.wait()
            failures = 0 if connection.was_good else failures + 1
            connection = None

    async def _opened(self, failures: int) -> Connection:
        while True:
            if failures:
                await asyncio.sleep(_pause(failures))
            try:
                return await self._connect()
            except (TooManyConnections, SlackRefused, RateLimited, Unclear) as problem:
                failures += 1
                log.warning("no connection to Slack", why=str(problem), open=len(self._open))

    async def _connect(self) -> Connection:
        """SlackRefused, RateLimited, Unclear or TooManyConnections. What it raises never names the URL: it lets in."""
        url = str((await ask(self._slack, "apps.connections.open")).get("url"))
        closing = ClientWSTimeout(ws_close=CLOSING_SECONDS)
        try:
            async with asyncio.timeout(HELLO_SECONDS), AsyncExitStack() as otherwise:
                wire = await self._session.ws_connect(
                    url, heartbeat=HEARTBEAT_SECONDS, timeout=closing, proxy=self._slack.proxy
                )
                otherwise.push_async_callback(_closed, wire)
                first = _parsed((await wire.receive()).data) or {}
                if first.get("type") == "hello":
                    otherwise.pop_all()
                    return Connection(wire)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unclear(f"no WebSocket to Slack: {type(error).__name__}") from None
        if first.get("reason") == "too_many_websockets":
            raise TooManyConnections
        raise Unclear("Slack did not say hello")

    def _use(self, connection: Connection) -> None:
        self._open.add(connection)
        log.info("connected to Slack", open=len(self._open))
        reader = asyncio.create_task(self._read(connection))
        self._readers[reader] = connection
        reader.add_done_callback(self._readers.pop)
        if self._gap:
            self._gap = False
            self._on_gap()

    async def _read(self, connection: Connection) -> None:
        try:
            async with connection.patience:
                async for message in connection.wire:
                    if message.type is WSMsgType.TEXT:
                        self._take(connection, message.data)
        except TimeoutError:
            log.info("Slack left a connection open that it had ended")
        finally:
            self._lost(connection)
        await _closed(connection.wire)

    def _lost(self, connection: Connection) -> None:
        connection.leaving.set()
        self._open.discard(connection)
        self._gap = self._gap or not self._open

    def _take(self, connection: Connection, text: str) -> None:
        message = _parsed(text)
        if message is None:
            log.warning("Slack sent what is no JSON object")
        elif message.get("type") == "disconnect":
            self._bid_farewell(connection, str(message.get("reason")))
        elif "envelope_id" in message:
            work = asyncio.create_task(self._answer(connection, message))
            self._work.add(work)
            work.add_done_callback(self._done)

    def _bid_farewell(self, connection: Connection, reason: str) -> None:
        log.info("Slack ends a connection", reason=reason)
        connection.announced = reason in {"warning", "refresh_requested"}
        connection.leaving.set()
        if reason != "warning":
            self._lost(connection)
            # Slack closes it now; where it does not, it would still count among the ten.
            connection.patience.reschedule(asyncio.get_running_loop().time() + FINISHING_SECONDS)

    async def _answer(self, connection: Connection, envelope: Mapping[str, Any]) -> None:
        acknowledgement = {"envelope_id": envelope["envelope_id"]}
        payload = envelope.get("payload")
        if isinstance(payload, dict):
            answer = await self._bolt.async_dispatch(
                AsyncBoltRequest(mode="socket_mode", body=payload, headers=_headers(envelope))
            )
            if answer.status != 200:
                return
            if envelope.get("accepts_response_payload"):
                acknowledgement |= _payload(answer)
        else:
            log.warning("Slack sent a payload that is no object")
        try:
            await connection.wire.send_str(json.dumps(acknowledgement))
        except ConnectionError:
            log.info("the connection ended before an acknowledgement")

    def _kept(self, keeper: asyncio.Task[None]) -> None:
        if not keeper.cancelled():
            log.error("the connections to Slack are no longer kept", exc_info=keeper.exception())
            self._on_failure()

    def _done(self, work: asyncio.Task[None]) -> None:
        self._work.discard(work)
        if not work.cancelled() and (error := work.exception()):
            log.error("an envelope could not be handled", exc_info=error)


def _parsed(text: object) -> dict[str, Any] | None:
    try:
        parsed = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _headers(envelope: Mapping[str, Any]) -> dict[str, str | Sequence[str]]:
    """As Bolt's own adapter makes them, of an event's retry."""
    if not envelope.get("retry_attempt"):
        return {}
    return {
        "x-slack-retry-num": str(envelope["retry_attempt"]),
        "x-slack-retry-reason": str(envelope.get("retry_reason")),
    }


def _payload(answer: BoltResponse) -> dict[str, Any]:
    if not answer.body:
        return {}
    if answer.first_headers().get("content-type", "").startswith("application/json"):
        return {"payload": json.loads(answer.body)}
    return {"payload": {"text": answer.body}}


def _pause(failures: int) -> float:
    """Doubled with each failure, and never the same for two: all lost their connections at the same moment."""
    longest = min(LONGEST_PAUSE_SECONDS, PAUSE_SECONDS * 2 ** min(failures, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, keeps no secret


async def _closed(wire: ClientWebSocketResponse) -> None:
    await wire.close()
    wire._response.close()  # where a connection breaks, aiohttp leaves letting go of it to the garbage collector


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
