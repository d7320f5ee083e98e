"""Reads back what was said while Slack's events did not reach the desk.

Events are told for about six minutes and then no more, and not at all where Slack drops them; reactions and presses of
buttons cannot be read back: https://docs.slack.dev/apis/events-api

What is read takes the path of an event, so that it may arrive as one before, meanwhile or later. Old messages are read
as far back as the oldest live thread, because only so a reply in one is found; a thread only when it has moved.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import structlog

from bot.blocks import answers
from bot.delivery import reading
from bot.delivery.reader import LEASE_SECONDS, Lost, Reader
from bot.delivery.reading import Event, Read
from bot.delivery.slack import SlackRefused, Unclear
from bot.services import Services
from bot.tickets import history, text
from bot.tickets.views import Recovered
from storage import catch_up, notices
from storage.catch_up import Conversation, Lease
from storage.engine import DatabaseAway, Transaction

log = structlog.get_logger(__name__)

TakeIn = Callable[[Mapping[str, Any]], Awaitable[None]]

EVERY = dt.timedelta(hours=1)
#: What was read so shortly before the start needs no second reading: Slack itself tells again what came after, and the
#: desks that start together read once.
BEFORE_START = dt.timedelta(minutes=1)
#: What is younger may be on its way as an event.
SETTLE_SECONDS = 10.0
LOOK_SECONDS = 60.0
#: How long a conversation is left alone that Slack does not show, did not show this time, or that the desk fails at.
REFUSED_SECONDS = 3600.0
UNCLEAR_SECONDS = 60.0
FAILED_SECONDS = 600.0


class _Stopped(Exception):  # noqa: N818 - the desk is closing
    pass


@dataclass
class Report:
    """What a run did. `recovered`: what was missed, by conversation."""

    channels: int = 0
    calls: int = 0
    recovered: dict[str, Recovered] = field(default_factory=dict)

    @property
    def messages(self) -> int:
        return sum(one.messages for one in self.recovered.values())

    @property
    def edits(self) -> int:
        return sum(one.edits for one in self.recovered.values())

    @property
    def deletions(self) -> int:
        return sum(one.deletions for one in self.recovered.values())


class CatchUp:
    """Reads at start, after a gap and hourly; each conversation by one desk at a time."""

    def __init__(self, services: Services, take_in: TakeIn) -> None:
        self._services = services
        self._take_in = take_in
        self._reader = uuid4()
        self._settle = SETTLE_SECONDS * min(1.0, services.pace)
        self._missed = services.now() - BEFORE_START
        self._stopping = asyncio.Event()
        #: What has been recovered and not been said yet, with the channel in which to say it.
        self._unsaid: dict[str, tuple[str | None, Recovered]] = {}

    def stop(self) -> None:
        """`run` returns; what is half read is read by the next one."""
        self._stopping.set()
        self._services.gap.set()

    def gap(self) -> None:
        """Events may have been lost up to now."""
        self._services.gap.set()

    async def run(self) -> None:
        wait = 0.0
        with contextlib.suppress(_Stopped):
            while True:
                if await self._gap_within(wait):
                    self._services.gap.clear()
                    self._missed = self._services.now()
                    await self._rest(self._settle)
                try:
                    wait = await self._round()
                except DatabaseAway as error:
                    log.warning("the database cannot be reached", error=str(error))
                    self.gap()

    async def _gap_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._services.gap.wait(), seconds)
        if self._stopping.is_set():
            raise _Stopped
        return self._services.gap.is_set()

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        if self._stopping.is_set():
            raise _Stopped

    async def _round(self) -> float:
        """Reads what is due; returns the seconds until more may be."""
        wait = await self._until_due()
        if wait <= 0:
            await self.run_once()
            wait = await self._until_due()
        return min(LOOK_SECONDS, max(1.0, wait))

    async def _until_due(self) -> float:
        async with self._services.transaction() as tx:
            await catch_up.begin(tx)
            wait = await catch_up.seconds_to_next(tx, before=self._missed, every=EVERY)
        return LOOK_SECONDS if wait is None else wait

    async def run_once(self) -> Report:
        """Reads every conversation that was not read since the last gap, or for an hour, and says what was missed."""
        services, report = self._services, Report()
        before = max(self._missed, services.now() - EVERY)
        async with services.transaction() as tx:
            await catch_up.begin(tx)
            conversations = await catch_up.conversations(tx, services.desk.reopening)
        try:
            for conversation in conversations:
                lease = Lease(conversation.channel, self._reader)
                async with services.transaction() as tx:
                    claimed = await catch_up.claim(tx, lease, before=before, seconds=LEASE_SECONDS)
                if claimed:
                    report.channels += 1
                    await self._serve(lease, conversation, report)
        except _Stopped:
            await self._complete(report)
            raise
        await self._complete(report)
        return report

    async def _serve(self, lease: Lease, conversation: Conversation, report: Report) -> None:
        rest = 0.0
        try:
            await self._read(lease, conversation, report)
        except DatabaseAway:
            raise
        except _Stopped:
            await self._release(lease, 0)
            raise
        except Lost:
            log.warning("another desk reads this conversation now", channel=lease.channel)
        except SlackRefused as refused:
            log.warning("Slack does not show a conversation", channel=lease.channel, error=refused.error)
            rest = REFUSED_SECONDS
        except Unclear as unclear:
            log.warning("Slack gave no clear answer", channel=lease.channel, error=str(unclear))
            rest = UNCLEAR_SECONDS
        except Exception:
            # Whatever is wrong with one conversation must not keep the others from being read.
            log.exception("a conversation could not be read back", channel=lease.channel)
            rest = FAILED_SECONDS
        else:
            return
        await self._release(lease, rest)

    async def _release(self, lease: Lease, rest: float) -> None:
        async with self._services.transaction() as tx:
            await catch_up.release(tx, lease, rest=rest)

    async def _read(self, lease: Lease, conversation: Conversation, report: Report) -> None:
        read_to = self._services.now() - dt.timedelta(seconds=self._settle)
        reader = self._reader_of(lease)
        try:
            read = await self._look(reader, conversation, f"{read_to.timestamp():.6f}")
        finally:
            report.calls += reader.calls
        events = await self._missed_events(read)
        failed = await self._take_all(lease, events)
        async with self._services.transaction() as tx:
            await self._count(tx, read, [event for event in events if event not in failed], report)
            if failed:
                just_before = history.moment(failed[0].ts) - dt.timedelta(microseconds=1)
                await catch_up.release(tx, lease, read_to=just_before, rest=FAILED_SECONDS)
            else:
                settled = reading.settled(read)
                await catch_up.remember_threads(tx, read.channel, settled, reading.replies(read, settled))
                await catch_up.release(tx, lease, read_to=read_to)

    def _reader_of(self, lease: Lease) -> Reader:
        async def renew(tx: Transaction, seconds: float) -> bool:
            return await catch_up.renew(tx, lease, seconds=seconds)

        return Reader(self._services, lease.channel, self._rest, renew)

    async def _look(self, reader: Reader, conversation: Conversation, read_to: str) -> Read:
        """Asks Slack for the conversation and for those threads in it that have moved."""
        channel, oldest = conversation.channel, conversation.oldest
        async with self._services.transaction() as tx:
            # Before Slack is asked: what is known by now, Slack must show.
            known = await catch_up.known(tx, channel, oldest)
            in_threads = await catch_up.threads(tx, channel, oldest)
        listed, whole = await reader.all_pages("conversations.history", oldest=oldest, inclusive=True)
        read = Read(conversation, self._services.desk, read_to, known, listed, whole)
        async with self._services.transaction() as tx:
            before = await catch_up.read_threads(tx, channel, read.threads)
            of_tickets = await catch_up.ticket_threads(tx, channel, list(read.threads))
        after_gap = conversation.read_to is None or conversation.read_to < self._missed
        for root in reading.moved(read, in_threads, before, of_tickets, after_gap=after_gap):
            await self._read_thread(reader, read, root)
        for root in reading.vanished(read):
            await self._read_thread(reader, read, root)
        return read

    async def _read_thread(self, reader: Reader, read: Read, root: str) -> None:
        try:
            replies, whole = await reader.all_pages("conversations.replies", ts=root)
        except SlackRefused as refused:
            if refused.error != "thread_not_found":
                raise
            replies, whole = [], True
        read.add_thread(root, replies, whole=whole)

    async def _missed_events(self, read: Read) -> list[Event]:
        """What the desk still does not know of what was read, oldest first."""
        new, changed = reading.unknown(read), reading.edited(read)
        async with self._services.transaction() as tx:
            done = await self._done(tx, read, new)
            words = await catch_up.texts(tx, read.channel, changed)
        at = f"{self._services.now().timestamp():.6f}"
        return sorted(
            [
                *(event for ts, event in new.items() if ts not in done),
                *(event for ts, event in changed.items() if ts in words and not reading.says(read, event, words[ts])),
                *reading.deleted(read, at),
            ],
            key=lambda event: event.ts,
        )

    async def _done(self, tx: Transaction, read: Read, stamps: Iterable[str]) -> set[str]:
        """Which messages are in tickets, or were commands that have been carried out."""
        keys = {text.mention_key(read.channel, ts): ts for ts in stamps}
        acted = await catch_up.acted(tx, keys)
        return await catch_up.recorded(tx, read.channel, keys.values()) | {keys[key] for key in acted}

    async def _take_all(self, lease: Lease, events: Iterable[Event]) -> list[Event]:
        """Takes events in, one after the other; those at which the desk failed."""
        failed = []
        for event in events:
            async with self._services.transaction() as tx:
                if not await catch_up.renew(tx, lease, seconds=LEASE_SECONDS):
                    raise Lost
            if self._stopping.is_set():
                raise _Stopped
            if not await self._taken(event, lease.channel):
                failed.append(event)
        return failed

    async def _taken(self, event: Event, channel: str) -> bool:
        """Whether the desk could take the event in; one that fails is tried again at once, as Slack does."""
        for _ in range(2):
            try:
                await self._take_in(event.payload)
            except DatabaseAway:
                raise
            except Exception:
                # Whatever is wrong with one message must not hold back the others.
                log.exception("a message could not be read back", reference=secrets.token_hex(4), channel=channel)
            else:
                return True
        return False

    async def _count(self, tx: Transaction, read: Read, taken: Iterable[Event], report: Report) -> None:
        """What has come into tickets: an agent's message that opens nothing, for one, was not missed."""
        in_tickets = await self._done(tx, read, [event.ts for event in taken])
        events = [event for event in taken if event.ts in in_tickets]
        words = await catch_up.texts(tx, read.channel, [event.ts for event in events if event.kind == "edit"])
        recovered = Recovered(
            channel=None if read.conversation.kind == "direct" else read.channel,
            messages=sum(event.kind == "message" for event in events),
            edits=sum(event.kind == "edit" and reading.says(read, event, words.get(event.ts)) for event in events),
            deletions=sum(event.kind == "deletion" for event in events),
        )
        if recovered.any():
            report.recovered[read.channel] = recovered
            said = self._unsaid.get(read.channel)
            together = said[1] + recovered if said else recovered
            self._unsaid[read.channel] = (read.conversation.triage_channel, together)

    async def _complete(self, report: Report) -> None:
        """A run is over: says in triage what was recovered."""
        if report.channels:
            log.info(
                "read back what was said",
                channels=report.channels,
                calls=report.calls,
                messages=report.messages,
                edits=report.edits,
                deletions=report.deletions,
            )
            self._services.metrics.caught_up(
                channels=report.channels,
                calls=report.calls,
                messages=report.messages,
                edits=report.edits,
                deletions=report.deletions,
            )
        places = {triage for triage, _ in self._unsaid.values() if triage}
        if places:
            async with self._services.transaction() as tx:
                for triage in sorted(places):
                    missed = [one for where, one in self._unsaid.values() if where == triage]
                    key = f"catch-up:{triage}:{tx.now.isoformat()}"
                    await notices.add(tx, key, "channel", answers.read_back(missed).arguments(), channel=triage)
        self._unsaid.clear()
