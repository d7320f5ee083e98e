"""What is due. It is derived from the tables each time: nothing depends on a timer in memory."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from uuid import UUID

import structlog

from bot.delivery import triage
from bot.delivery.slack import RateLimited, SlackRefused, Unclear
from bot.services import Services
from bot.tickets import work
from storage import channels, purging, replies
from storage.engine import DatabaseAway

log = structlog.get_logger(__name__)
LONGEST_SECONDS = 1.0
PURGE_EVERY = dt.timedelta(hours=1)
READ_AGAIN = dt.timedelta(seconds=30)


class Clock:
    """Does what is due when it is due; a second late at most."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stopping = asyncio.Event()
        self._purge_at = services.now()
        self._read_at = services.now()

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
        await self._read_new_triage()
        async with self._services.transaction() as tx:
            due = await replies.due(tx)
        for ticket_id in due:
            await self._send(ticket_id)
        async with self._services.transaction() as tx:
            next_due = await replies.next_due(tx)
        if next_due is None:
            return LONGEST_SECONDS
        return min(LONGEST_SECONDS, max(0.01, (next_due - self._services.now()).total_seconds()))

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
