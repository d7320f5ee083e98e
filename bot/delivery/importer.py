"""Makes tickets of the threads for which somebody has asked: Slack is asked for each thread, and it is imported.

What was asked for is a row, so that it outlives the process. Where one dies half-way, the next reads the thread again:
each message is recorded once.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

import structlog

from bot.blocks import answers
from bot.blocks.surface import Message, escape
from bot.delivery import words as say
from bot.delivery.homes import Homes
from bot.delivery.reader import LEASE_SECONDS, Lost, Reader
from bot.delivery.slack import DESK_CLOSED, SlackRefused, Unclear
from bot.services import Services
from bot.tickets import imports
from bot.tickets.arrivals import Arrived, MessageArrived
from bot.tickets.errors import Refused
from bot.tickets.imports import Thread
from storage import channels, notices, openings, tickets
from storage.engine import DatabaseAway, Transaction
from storage.openings import Opening
from storage.tickets import Ticket

log = structlog.get_logger(__name__)

Reading = Callable[[Mapping[str, Any]], Arrived | None]

IDLE_SECONDS = 5.0
#: How many messages are imported in one transaction.
BATCH = 100
LONGEST_SECONDS = 300.0
#: How long Slack must have refused the desk's token before it is asked again.
CLOSED_SECONDS = 60.0
#: Failures of the desk's own, in a row, after which the asker is told.
FAILURES = 8
GONE = frozenset({"thread_not_found", "message_not_found"})


class _Stopped(Exception):  # noqa: N818 - the desk is closing
    pass


class Importer:
    """`reading`: what a `message` event says, which is made of each message that Slack shows. `homes`: where whoever
    has asked for a ticket sees it."""

    def __init__(self, services: Services, reading: Reading, homes: Homes) -> None:
        self._services = services
        self._reading = reading
        self._homes = homes
        self._worker = uuid4()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """`run` returns; what is half imported goes on with the next one."""
        self._stopping.set()
        self._services.asked.set()

    async def run(self) -> None:
        with contextlib.suppress(_Stopped):
            while not self._stopping.is_set():
                self._services.asked.clear()
                wait = IDLE_SECONDS
                try:
                    wait = await self._round()
                except DatabaseAway as error:
                    log.warning("the database cannot be reached", error=str(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._services.asked.wait(), wait)
        await self._homes.finish()

    async def _round(self) -> float:
        """Imports what is asked for; returns the seconds until there may be more."""
        while not self._stopping.is_set():
            async with self._services.transaction() as tx:
                opening = await openings.claim(tx, self._worker, seconds=LEASE_SECONDS)
                wait = await openings.seconds_to_next(tx)
            if opening is None:
                return IDLE_SECONDS if wait is None else min(IDLE_SECONDS, max(0.1, wait))
            await self._serve(opening)
        raise _Stopped

    async def _serve(self, opening: Opening) -> None:
        try:
            await self._try(opening)
        except Lost:
            log.warning("another desk imports this thread now", channel=opening.channel)

    async def _try(self, opening: Opening) -> None:
        try:
            await self._import(opening)
        except (DatabaseAway, _Stopped, Lost):
            raise
        except Refused as refused:
            await self._give_up(opening, refused.sentence)
        except SlackRefused as refused:
            await self._refused(opening, refused.error)
        except Unclear as unclear:
            log.warning("Slack gave no clear answer", channel=opening.channel, error=str(unclear))
            await self._put_off(opening)
        except Exception:
            # Whatever is wrong with one thread must not hold up the others.
            reference = secrets.token_hex(4)
            log.exception("a thread could not be imported", channel=opening.channel, reference=reference)
            await self._put_off(opening)
            if opening.attempts == FAILURES:
                await self._say_stuck(opening, reference)

    async def _refused(self, opening: Opening, error: str) -> None:
        log.warning("Slack does not show a thread", channel=opening.channel, error=error)
        if error in DESK_CLOSED or error == "missing_scope":
            await self._put_off(opening, at_least=CLOSED_SECONDS)
        elif await self._has_moved(opening):
            await self._put_off(opening)
        elif opening.ticket_id is not None:
            await self._leave_it(opening, opening.ticket_id)
        elif error in GONE:
            await self._give_up(opening, say.GONE)
        else:
            await self._give_up(opening, say.NOT_SHOWN)

    async def _has_moved(self, opening: Opening) -> bool:
        """Whether Slack has given the channel another id meanwhile, under which the thread is to be asked for."""
        async with self._services.transaction() as tx:
            return await channels.present_id(tx, opening.channel) != opening.channel

    async def _put_off(self, opening: Opening, *, at_least: float = 0) -> None:
        seconds = max(at_least, min(LONGEST_SECONDS, 2.0 ** min(opening.attempts, 16) * self._services.pace))
        async with self._services.transaction() as tx:
            await openings.renew(tx, opening, self._worker, seconds=seconds)

    async def _give_up(self, opening: Opening, sentence: str) -> None:
        async with self._services.transaction() as tx:
            await self._must_hold(tx, opening)
            await self._tell(tx, opening, answers.sentence(escape(sentence)))
            await openings.done(tx, opening)

    async def _leave_it(self, opening: Opening, ticket_id: UUID) -> None:
        """The ticket is there, and the rest of its thread is not to be had."""
        async with self._services.transaction() as tx:
            await self._must_hold(tx, opening)
            ticket = await tickets.by_id(tx, ticket_id)
            assert ticket is not None
            assert ticket.channel is not None
            assert ticket.root_ts is not None
            await imports.finish(tx, self._services.desk, opening, ticket.channel, ticket.root_ts)
            said = say.rest_is_gone(number=ticket.number)
            await self._tell(tx, opening, answers.sentence(escape(said)))

    async def _say_stuck(self, opening: Opening, reference: str) -> None:
        """It is tried again and again all the same: what was asked for is not to be lost."""
        said = answers.sentence(escape(say.import_fails(reference=reference)))
        async with self._services.transaction() as tx:
            await self._tell(tx, opening, said, key=f"stuck:{opening.id}")

    async def _import(self, opening: Opening) -> None:
        services = self._services
        shown = await self._thread(opening)
        async with services.transaction() as tx:
            thread = await imports.without_commands(tx, services.desk, shown, opening)
        ticket, new = await self._begin(opening, thread)
        for at in range(BATCH, len(thread.messages) if new else 0, BATCH):
            async with services.transaction() as tx:
                await self._must_hold(tx, opening)
                await imports.bring_in(tx, services.desk, ticket.id, thread.messages[at : at + BATCH])
        async with services.transaction() as tx:
            await self._must_hold(tx, opening)
            await imports.finish(tx, services.desk, opening, thread.channel, thread.root)
            said = answers.opened if new else lambda number, _, link: answers.opened_already(number, link)
            await self._tell(tx, opening, said(ticket.number, ticket.title, self._link(ticket)))
        self._homes.refresh(opening.slack_id)

    async def _begin(self, opening: Opening, thread: Thread) -> tuple[Ticket, bool]:
        """The ticket, with the beginning of the thread in it from the first; whether it was opened for this."""
        async with self._services.transaction() as tx:
            await self._must_hold(tx, opening)
            ticket, new = await imports.begin(tx, self._services.desk, opening, thread)
            if new:
                await imports.bring_in(tx, self._services.desk, ticket.id, thread.messages[:BATCH])
        return ticket, new

    async def _must_hold(self, tx: Transaction, opening: Opening) -> None:
        if self._stopping.is_set():
            raise _Stopped
        if not await openings.renew(tx, opening, self._worker, seconds=LEASE_SECONDS):
            raise Lost

    async def _thread(self, opening: Opening) -> Thread:
        """As Slack shows it now. Asked for a reply, it shows that alone, which names its root:
        https://github.com/slackapi/bolt-python/issues/783
        """

        async def renew(tx: Transaction, seconds: float) -> bool:
            return await openings.renew(tx, opening, self._worker, seconds=seconds)

        reader = Reader(self._services, opening.channel, self._rest, renew)
        # Where the ticket was opened already, the message that was pointed at may be gone since.
        ts = await self._root(opening) or opening.ts
        found, _ = await reader.all_pages("conversations.replies", ts=ts)
        pointed = next((one for one in found if one["ts"] == ts), None)
        if pointed is None:
            raise SlackRefused("message_not_found")
        root = str(pointed.get("thread_ts") or ts)
        if root != ts:
            found, _ = await reader.all_pages("conversations.replies", ts=root)
        shown = {str(one["ts"]): one for one in found}
        read = [self._reading({**shown[ts], "channel": opening.channel}) for ts in sorted(shown)]
        return Thread(opening.channel, root, [one for one in read if isinstance(one, MessageArrived)])

    async def _root(self, opening: Opening) -> str | None:
        if opening.ticket_id is None:
            return None
        async with self._services.transaction() as tx:
            ticket = await tickets.by_id(tx, opening.ticket_id)
        return ticket.root_ts if ticket else None

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        if self._stopping.is_set():
            raise _Stopped

    def _link(self, ticket: Ticket) -> str | None:
        return self._services.desk.link(ticket.channel, ticket.root_ts) if ticket.channel and ticket.root_ts else None

    async def _tell(self, tx: Transaction, opening: Opening, said: Message, *, key: str | None = None) -> None:
        await notices.add(
            tx,
            key or f"opening:{opening.id}",
            "ephemeral",
            {"text": said.text, "blocks": said.blocks},
            slack_id=opening.slack_id,
            channel=opening.channel,
        )
