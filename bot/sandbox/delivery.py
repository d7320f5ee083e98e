"""What Slack delivers to the app, over HTTP or Socket Mode: the order of events, and their retries.

https://docs.slack.dev/apis/events-api says: answer within three seconds; an event that fails is sent again at
once, after one minute and after five. Commands and interactions are sent once. ``speed`` divides the two
waits and nothing else: the three seconds are real, because the app lives in real time.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import urlencode

from bot.sandbox.faults import Faults

ACK_SECONDS = 3.0
RETRY_AFTER = (0.0, 60.0, 300.0)
AT_ONCE = 100
"""Events under way at one moment. Slack names no figure; this one keeps within usual open-file limits."""

Json = dict[str, Any]
Kind = Literal["event", "command", "interaction"]

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Parcel:
    """What is delivered: an event, a command or an interaction, as JSON. ``lane`` is its channel."""

    kind: Kind
    type: str
    json: str
    event_id: str = ""
    lane: str = ""

    @property
    def payload(self) -> Json:
        parsed: Json = json.loads(self.json)
        return parsed

    @property
    def content_type(self) -> str:
        """Of the HTTP request: https://docs.slack.dev/interactivity/handling-user-interaction"""
        return JSON_TYPE if self.kind == "event" else FORM_TYPE

    @property
    def body(self) -> bytes:
        """Of the HTTP request."""
        if self.kind == "event":
            return self.json.encode()
        form = self.payload if self.kind == "command" else {"payload": self.json}
        return urlencode(form, errors="replace").encode()


@dataclass
class Delivery:
    """One attempt. ``status`` is the HTTP status, over a socket 200 for an acknowledgement, None without an answer;
    ``ms`` is how long it took."""

    parcel: Parcel
    retry: int
    retry_reason: str | None
    at: float
    status: int | None = None
    ms: float = 0.0
    failure: str | None = None
    """Slack's word for what went wrong: ``http_timeout``, ``http_error``, ``connection_failed``; ``timeout`` …"""
    answer: bytes = b""
    no_retry: bool = False

    @property
    def kind(self) -> Kind:
        return self.parcel.kind

    @property
    def type(self) -> str:
        return self.parcel.type

    @property
    def event_id(self) -> str:
        return self.parcel.event_id

    @property
    def payload(self) -> Json:
        """What was sent; for events the envelope with ``event`` in it."""
        return self.parcel.payload

    @property
    def acknowledged(self) -> bool:
        return self.failure is None


class NotDelivered(Exception):  # noqa: N818 - an ordinary outcome of an attempt
    """An attempt without the app's yes; ``failure`` is Slack's word for why."""

    def __init__(self, failure: str) -> None:
        super().__init__(failure)
        self.failure = failure


class Carrier(Protocol):
    """One way to the app."""

    async def carry(self, delivery: Delivery, sent: asyncio.Event) -> None:
        """One attempt: sets ``sent`` once the parcel is on its way, and fills in the app's answer.

        Raises NotDelivered.
        """
        ...


class Outbox:
    """Delivers by ``carrier`` and records every attempt.

    ``failed``: the events that are to be sent again, and how often each has failed.
    """

    def __init__(self, carrier: Carrier, faults: Faults, speed: float) -> None:
        self.carrier = carrier
        self.attempts: list[Delivery] = []
        self.failed: dict[str, int] = {}
        self.speed = speed
        self._faults = faults
        self._tasks: set[asyncio.Task[Any]] = set()
        self._lanes: dict[str, asyncio.Lock] = {}
        self._places = asyncio.Semaphore(AT_ONCE)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def send_event(self, lane: str, envelope: Json) -> None:
        """Deliver an event in the background, with retries."""
        self._spawn(Parcel("event", envelope["event"]["type"], json.dumps(envelope), envelope["event_id"], lane))

    def resend(self, delivery: Delivery) -> None:
        """Deliver the same event once more, under the same event_id."""
        self._spawn(delivery.parcel)

    async def send_once(self, parcel: Parcel) -> Delivery:
        """Deliver a command or an interaction, or an event without its retries, and return how it was answered."""
        return await self._attempt(parcel, 0, None, asyncio.Event())

    async def settled(self, timeout: float) -> None:  # noqa: ASYNC109 - part of the sandbox's interface
        """Wait until every event is acknowledged or given up, those caused meanwhile included."""
        async with asyncio.timeout(timeout):
            while self._tasks:
                await asyncio.wait(self._tasks)

    @property
    def under_way(self) -> int:
        """Events on their way for the first time."""
        return len(self._tasks) - len(self.failed)

    def _spawn(self, parcel: Parcel) -> None:
        self._watch(asyncio.create_task(self._deliver(parcel)))

    def _watch(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, parcel: Parcel) -> None:
        if self._faults.drops():
            return
        if delay := self._faults.delay("delayed"):
            await asyncio.sleep(delay)
        await self._silence_over()
        delivery = await self._first(parcel)
        for retry, wait in enumerate(RETRY_AFTER, start=1):
            if delivery.acknowledged or delivery.no_retry:
                break
            self.failed[parcel.event_id] = retry
            await asyncio.sleep(wait / self.speed)
            await self._silence_over()
            async with self._places:
                delivery = await self._attempt(parcel, retry, delivery.failure, asyncio.Event())
            self.failed.pop(parcel.event_id, None)
        if delay := self._faults.delay("repeated"):
            await asyncio.sleep(delay)
            await self._attempt(parcel, 0, None, asyncio.Event())

    async def _silence_over(self) -> None:
        while left := self._faults.silent_for():  # noqa: ASYNC110 - a time, not an event
            await asyncio.sleep(left)

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
            await self.carrier.carry(delivery, sent)
        except NotDelivered as reason_:
            delivery.failure = reason_.failure
        else:
            if self._faults.meets("answer_lost"):
                delivery.status, delivery.answer, delivery.failure = None, b"", "connection_failed"
        finally:
            sent.set()
            delivery.ms = (time.perf_counter() - started) * 1000
        return delivery
