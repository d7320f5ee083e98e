"""What is due. It is derived from the tables each time: nothing depends on a timer in memory."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from uuid import UUID

import structlog

from bot.delivery import digests, triage
from bot.delivery.slack import RateLimited, SlackRefused, Unclear
from bot.services import Services
from bot.tickets import erasing, schedules, work
from storage import channels, due, expected, purging, replies
from storage import erasing as retained
from storage.engine import DatabaseAway

log = structlog.get_logger(__name__)
LONGEST_SECONDS = 1.0
#: What is overdue and cannot be done now, as somebody else does it, is not asked for all the time.
SHORTEST_SECONDS = 0.1
PURGE_EVERY = dt.timedelta(hours=1)
READ_AGAIN = dt.timedelta(seconds=30)
#: How many tickets of those whose words are kept no longer are erased at a time. What Slack shows of them is taken away
#: before the next ones, so that others' updates never wait for long.
ERASED_AT_ONCE = 3
ERASE_MORE = dt.timedelta(seconds=5)
LOOK_FOR_OVERDUE = dt.timedelta(hours=1)


class Clock:
    """Does what is due when it is due; a second late at most."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stopping = asyncio.Event()
        self._purge_at = services.now()
        self._derived = False
        self._read_at = services.now()
        self._erase_at = services.now()
        self._not_erased: list[UUID] = []

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        while not self._stopping.is_set():
            wait = LONGEST_SECONDS
            try:
                wait = await self.strike()
            except DatabaseAway as error:
                log.warning("the database cannot be reached", error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)

    async def _send(self, ticket_id: UUID) -> None:
        try:
            async with self._services.transaction() as tx:
                await work.send_due_replies(tx, ticket_id)
        except DatabaseAway:
            raise
        except Exception:
            # Whatever is wrong with one ticket must not hold back the replies of the others.
            log.exception("a reply that is due could not be sent", ticket=str(ticket_id))
            async with self._services.transaction() as tx:
                await replies.put_off(tx, ticket_id)

    async def strike(self) -> float:
        """Does everything that is due; returns the seconds until more may be."""
        await self._purge()
        await self._erase_overdue()
        await self._read_new_triage()
        await self._derive()
        now = self._services.now()
        async with self._services.transaction() as tx:
            earliest = await due.earliest(tx)
        if earliest.of_all is None or earliest.of_all > now:
            return self._seconds_to(earliest)
        if earliest.replies and earliest.replies <= now:
            await self._send_replies()
        if earliest.digests and earliest.digests <= now:
            await digests.post_due(self._services)
        if earliest.back and earliest.back <= now:
            async with self._services.transaction() as tx:
                await expected.mark_those_who_are_back(tx)
        async with self._services.transaction() as tx:
            return self._seconds_to(await due.earliest(tx))

    def _seconds_to(self, earliest: due.Earliest) -> float:
        if earliest.of_all is None:
            return LONGEST_SECONDS
        return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, (earliest.of_all - self._services.now()).total_seconds()))

    async def _send_replies(self) -> None:
        async with self._services.transaction() as tx:
            tickets = await replies.due(tx)
        for ticket_id in tickets:
            await self._send(ticket_id)

    async def _derive(self) -> None:
        """At start, since the rules of time zones may have come anew with this version."""
        if self._derived:
            return
        async with self._services.transaction() as tx:
            await schedules.derive(tx)
        self._derived = True

    async def _read_new_triage(self) -> None:
        """Finds out who is in the triage channels that were chosen just now, from when on they are served."""
        if self._services.now() < self._read_at:
            return
        async with self._services.transaction() as tx:
            unread = await channels.unread(tx)
        try:
            for channel in unread:
                await triage.check(self._services, channel)
        except (RateLimited, SlackRefused, Unclear) as problem:
            log.warning("Slack does not say who is in a new triage channel", why=str(problem))
            self._read_at = self._services.now() + READ_AGAIN

    async def _purge(self) -> None:
        """Once an hour, in small transactions: each replica does so, and none waits for another."""
        now = self._services.now()
        if now < self._purge_at:
            return
        async with self._services.transaction() as tx:
            purged = await purging.purge(tx)
        if max(purged.values()) < purging.BATCH:
            self._purge_at = now + PURGE_EVERY
        if any(purged.values()):
            log.info("forgot what is long over", **purged)

    async def _erase_overdue(self) -> None:
        """Takes the words out of tickets that were closed too long ago, in a transaction for each."""
        now, retention = self._services.now(), self._services.desk.retention
        if retention is None or now < self._erase_at:
            return
        async with self._services.transaction() as tx:
            found = await retained.overdue(tx, now - retention, most=ERASED_AT_ONCE, besides=self._not_erased)
            busy = bool(found) and await retained.being_taken_away(tx) >= ERASED_AT_ONCE
        self._erase_at = now + (ERASE_MORE if found else LOOK_FOR_OVERDUE)
        if busy:
            return
        erased = [await self._erase(ticket_id, retention) for ticket_id in found]
        if any(erased):
            log.info("erased what was said on old tickets", tickets=sum(erased))

    async def _erase(self, ticket_id: UUID, retention: dt.timedelta) -> bool:
        try:
            async with self._services.transaction() as tx:
                return await erasing.forget_if_overdue(tx, ticket_id, retention)
        except DatabaseAway:
            raise
        except Exception:
            # Whatever is wrong with one ticket must not keep the desk from what is due, nor the others from this.
            log.exception("an old ticket could not be erased", ticket=str(ticket_id))
            self._not_erased.append(ticket_id)
            return False
