"""What is found out of an arriving message in one question, and whose turn it then is."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from storage import arrival, people, tickets
from storage.engine import Database, DatabaseAway
from tests.storage.test_tickets import NOW, blocked, met, opened

ADA = ("T-GLOBEX", "U-ADA")


async def test_nobody_and_no_thread_are_known_at_first(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        found = await arrival.meet(tx, ADA, "C-HELP", "1.000001", "2.000001")
    assert (found.author, found.thread) == (None, None)


async def test_who_writes_and_whose_thread_it_is_are_found_together(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id = await opened(tx)
        await tickets.point_thread(tx, "C-HELP", "1.000001", ticket_id, "customer")
        found = await arrival.meet(tx, ADA, "C-HELP", "1.000001", "2.000001")
        assert found.author == await people.find(tx, *ADA)
        assert found.thread == (ticket_id, "customer")
        held = await arrival.hold(tx, ticket_id, await met(tx))
        assert held == (await tickets.by_id(tx, ticket_id), await met(tx))
        assert await arrival.hold(tx, uuid4(), await met(tx)) is None


async def test_a_message_in_a_tickets_thread_waits_for_its_turn_and_another_thread_waits_for_none(
    database: Database,
) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id = await opened(tx)
        await tickets.point_thread(tx, "C-HELP", "1.000001", ticket_id, "customer")

    async def meet(thread_ts: str) -> None:
        async with database.transaction(NOW) as tx:
            await arrival.meet(tx, ADA, "C-HELP", thread_ts, "2.000001")

    async with database.transaction(NOW) as tx:
        await tickets.serialise(tx, "C-HELP", "2.000001")
        waiting = asyncio.create_task(meet("1.000001"))
        await meet("7.000001")
        await blocked(database, 1)
        assert not waiting.done()
    await waiting


async def test_the_ticket_is_locked_before_its_author_who_may_be_filed_anew_meanwhile(
    database: Database, sql: asyncpg.Connection
) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id, ada = await opened(tx), await met(tx)

    async def hold() -> None:
        async with database.transaction(NOW) as tx:
            await arrival.hold(tx, ticket_id, ada)

    async with database.transaction(NOW) as tx:
        await tickets.by_id(tx, ticket_id, lock=True)
        waiting = asyncio.create_task(hold())
        await blocked(database, 1)
        # Had the author been locked first, this would wait for ever.
        await sql.execute("update threadesk.people set team_id = 'T-OTHER' where slack_id = 'U-ADA'")
    with pytest.raises(DatabaseAway):
        await waiting
