"""Slack's side of the wire: signed HTTP requests to the app, and the retries of events.

https://docs.slack.dev/apis/events-api says: answer within three seconds; an event that fails is sent again at
once, after one minute and after five, with ``x-slack-retry-num`` and ``x-slack-retry-reason``; the answer
header ``x-slack-no-retry: 1`` ends that. Commands and interactions are sent once. ``speed`` divides the two
waits and nothing else: the three seconds are real, because the app lives in real time.
"""

import asyncio
import hashlib
import hmac
import io
import json
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import aiohttp

ACK_WITHIN = aiohttp.ClientTimeout(total=3.0)
RETRY_AFTER = (0.0, 60.0, 300.0)
AT_ONCE = 100
"""Events under way at one moment. Slack names no figure; this one keeps within usual open-file limits."""

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Parcel:
    """What is delivered: an event, a command or an interaction. ``lane`` is its channel."""

    kind: str
    type: str
    content_type: str
    body: bytes
    event_id: str = ""
    lane: str = ""


@dataclass
class Delivery:
    """One attempt. ``status`` is the HTTP status, None without an answer; ``ms`` is how long it took."""

    parcel: Parcel
    retry: int
    retry_reason: str | None
    at: float
    status: int | None = None
    ms: float = 0.0
    failure: str | None = None
    """Slack's word for what went wrong: ``http_timeout``, ``http_error``, ``connection_failed`` …"""
    answer: bytes = b""
    no_retry: bool = False

    @property
    def kind(self) -> str:
        return self.parcel.kind

    @property
    def type(self) -> str:
        return self.parcel.type

    @property
    def event_id(self) -> str:
        return self.parcel.event_id

    @property
    def payload(self) -> Any:
        """What was sent, for events: the envelope."""
        return json.loads(self.parcel.body) if self.parcel.content_type == JSON_TYPE else self.parcel.body

    @property
    def acknowledged(self) -> bool:
        return self.failure is None


class Outbox:
    """Delivers to ``url`` (None: nobody is there, so connections fail) and records every attempt."""

    def __init__(self, signing_secret: str, speed: float) -> None:
        self.url: str | None = None
        self.attempts: list[Delivery] = []
        self._secret = signing_secret
        self._speed = speed
        self._tasks: set[asyncio.Task[Any]] = set()
        self._lanes: dict[str, asyncio.Lock] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        trace = aiohttp.TraceConfig()
        trace.on_request_chunk_sent.append(_note_sent)
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connector, trace_configs=[trace], timeout=ACK_WITHIN)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    def sign(self, body: bytes, timestamp: int | None = None) -> dict[str, str]:
        """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
        sent = str(int(time.time()) if timestamp is None else timestamp)
        base = b"v0:" + sent.encode() + b":" + body
        digest = hmac.new(self._secret.encode(), base, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": sent, "X-Slack-Signature": f"v0={digest}"}

    def send_event(self, lane: str, envelope: dict[str, Any]) -> None:
        """Deliver an event in the background, with retries."""
        body = json.dumps(envelope).encode()
        self._spawn(Parcel("event", envelope["event"]["type"], JSON_TYPE, body, envelope["event_id"], lane))

    def resend(self, delivery: Delivery) -> None:
        """Deliver the same event once more, under the same event_id."""
        self._spawn(delivery.parcel)

    async def send_form(self, kind: str, type_: str, form: dict[str, str]) -> Delivery:
        """Deliver a command or an interaction, once, and return how it was answered."""
        body = urlencode(form, errors="replace").encode()
        return await self._attempt(Parcel(kind, type_, FORM_TYPE, body), 0, None, asyncio.Event())

    async def settled(self, timeout: float) -> None:  # noqa: ASYNC109 - part of the sandbox's interface
        """Wait until every event is acknowledged or given up, those caused meanwhile included."""
        async with asyncio.timeout(timeout):
            while self._tasks:
                await asyncio.wait(self._tasks)

    def _spawn(self, parcel: Parcel) -> None:
        self._watch(asyncio.create_task(self._deliver(parcel)))

    def _watch(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, parcel: Parcel) -> None:
        delivery = await self._first(parcel)
        for retry, wait in enumerate(RETRY_AFTER, start=1):
            if delivery.acknowledged or delivery.no_retry:
                return
            await asyncio.sleep(wait / self._speed)
            async with self._places:
                delivery = await self._attempt(parcel, retry, delivery.failure, asyncio.Event())

    async def _first(self, parcel: Parcel) -> Delivery:
        """The first attempt: sent in the order in which a channel's events arose, answered in any order."""
        sent = asyncio.Event()
        lane = self._lanes.setdefault(parcel.lane, asyncio.Lock())
        async with self._places:
            async with lane:
                attempt = asyncio.create_task(self._attempt(parcel, 0, None, sent))
                self._watch(attempt)
                await sent.wait()
            return await attempt

    async def _attempt(self, parcel: Parcel, retry: int, reason: str | None, sent: asyncio.Event) -> Delivery:
        delivery = Delivery(parcel, retry, reason, time.time())
        self.attempts.append(delivery)
        started = time.perf_counter()
        try:
            await self._post(delivery, sent)
        except TimeoutError:
            delivery.failure = "http_timeout"
        except aiohttp.TooManyRedirects:
            delivery.failure = "too_many_redirects"
        except aiohttp.ClientError:
            delivery.failure = "connection_failed"
        finally:
            sent.set()
            delivery.ms = (time.perf_counter() - started) * 1000
        return delivery

    async def _post(self, delivery: Delivery, sent: asyncio.Event) -> None:
        if self.url is None or self._session is None:
            raise aiohttp.ClientConnectionError("no request URL")
        parcel = delivery.parcel
        headers = {
            "Content-Type": parcel.content_type,
            "User-Agent": "Slackbot 1.0",
            **self.sign(parcel.body),
        }
        if delivery.retry and delivery.retry_reason:
            headers["x-slack-retry-num"] = str(delivery.retry)
            headers["x-slack-retry-reason"] = delivery.retry_reason
        request = self._session.post(
            self.url, data=io.BytesIO(parcel.body), headers=headers, max_redirects=3, trace_request_ctx=sent
        )
        async with request as response:
            delivery.answer = await response.read()
            delivery.status = response.status
            delivery.no_retry = response.headers.get("x-slack-no-retry") == "1"
            if not 200 <= response.status < 300:
                delivery.failure = "http_error"


async def _note_sent(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceRequestChunkSentParams
) -> None:
    context.trace_request_ctx.set()
