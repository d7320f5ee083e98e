"""Whoever gives up or tries again what waits does so beside couriers at work: neither falls over the other."""

from __future__ import annotations

import asyncio
import datetime as dt
from uuid import UUID

import asyncpg

from storage import outbox, showing
from storage.engine import Database
from storage.outbox import Given

NOW = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)
WAITING = """
  select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')
"""


async def blocked(sql: asyncpg.Connection, task: asyncio.Task[object]) -> None:
    async with asyncio.timeout(10):
        while not await sql.fetchval(WAITING):
            assert not task.done(), "it did not wait for the courier"
            await asyncio.sleep(0.01)


async def test_what_a_courier_is_about_to_record_can_be_dropped(database: Database, sql: asyncpg.Connection) -> None:
    ticket: UUID = await sql.fetchval(
        "insert into tickets (title, description, status, priority) values ('a', 'b', 'closed', 'low') returning id"
    )
    await sql.execute("update threadesk.desk_tickets set channel = 'C-HELP', closings = 1")
    async with database.transaction(NOW) as tx:
        await showing.mark(tx, ticket)
        (lease,) = await showing.take_lanes(tx, most=1, seconds=60)
        mark = await showing.head(tx, lease.lane)
        assert isinstance(mark, showing.Mark)
        posted, _ = await showing.begin_post(tx, ticket, "customer", "rating:1", "C-HELP", "1.0", settle=60)

    async def drop() -> Given:
        async with database.transaction(NOW) as tx:
            return await outbox.drop(tx, ["C-HELP"], [])

    async with database.transaction(NOW) as tx:
        assert await showing.holds(tx, lease)
        await showing.record(tx, posted, "C-HELP", "2.0", "…", 0)
        dropping = asyncio.create_task(drop())
        await blocked(sql, dropping)
        await showing.go_on(tx, mark, updated=False)
    assert (await dropping).tickets == 1
    assert await sql.fetchval("select ts from threadesk.posted where refused is null") == "2.0"


async def test_what_a_courier_has_put_off_in_a_closed_lane_can_be_tried_again(
    database: Database, sql: asyncpg.Connection
) -> None:
    ticket: UUID = await sql.fetchval(
        "insert into tickets (title, description, status, priority) values ('a', 'b', 'closed', 'low') returning id"
    )
    await sql.execute("update threadesk.desk_tickets set channel = 'C-HELP'")
    async with database.transaction(NOW) as tx:
        await showing.mark(tx, ticket)
        (lease,) = await showing.take_lanes(tx, most=1, seconds=60)
        mark = await showing.head(tx, lease.lane)
        assert isinstance(mark, showing.Mark)
        await showing.put_off(tx, mark, 60)
        await showing.close(tx, "C-HELP", "is_archived", first=60, longest=60)

    async def retry() -> Given:
        async with database.transaction(NOW) as tx:
            return await outbox.retry(tx, ["C-HELP"], [])

    async with database.transaction(NOW) as tx:
        assert await showing.holds(tx, lease)
        retrying = asyncio.create_task(retry())
        await blocked(sql, retrying)
        await showing.go_on(tx, mark, updated=False)
    assert (await retrying).tickets == 1


async def test_closed_lanes_are_woken_while_a_courier_takes_them(database: Database, sql: asyncpg.Connection) -> None:
    """As at the start of a replica beside others; the rows do not lie in the order of their names."""
    async with database.transaction(NOW) as tx:
        for lane in ("C2", "C1", showing.DESK):
            await showing.close(tx, lane, "is_archived", first=60, longest=60)

    async def wake() -> None:
        async with database.transaction(NOW) as tx:
            await showing.wake(tx)

    async with database.transaction(NOW) as tx:
        await showing.hold_back(tx, ["C1"])
        waking = asyncio.create_task(wake())
        await blocked(sql, waking)
        await showing.hold_back(tx, ["C2", showing.DESK])
    await waking
    resting = "select count(*) from threadesk.lanes where free_at > clock_timestamp()"
    assert await sql.fetchval(resting) == 0
