"""What the courier's claim costs: taking a lane and finding what is at its head, however much is marked."""

from __future__ import annotations

import datetime as dt
import statistics
import time
from typing import Any, LiteralString

import asyncpg

from storage import showing
from storage.engine import Database, Rows, Transaction

MARKED = (10, 1_000, 100_000)
LANES = (1, 1_000)
CLAIMS = 30
LEASE = 15.0
NOW = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)


class Measured(Transaction):
    """Notes how many blocks of PostgreSQL's buffers each of its statements touches."""

    def __init__(self, tx: Transaction) -> None:
        super().__init__(tx._connection, tx.now)
        self.blocks: list[int] = []

    async def run(self, sql: LiteralString, **values: Any) -> Rows:
        nothing_done = self._connection.transaction()
        await nothing_done.start()
        explained = await super().run(f"explain (analyze, buffers, format json) {sql}", **values)
        await nothing_done.rollback()
        plan = explained.scalar_one()[0]["Plan"]
        self.blocks.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
        return await super().run(sql, **values)


async def fill(sql: asyncpg.Connection[asyncpg.Record], *, tickets: int, lanes: int) -> None:
    """So many tickets with something to show, all due at once and spread over the lanes, and nothing else.

    The trigger is off meanwhile: what is marked counts here, not how it came to be.
    """
    await sql.execute("truncate public.tickets, threadesk.lanes cascade")
    await sql.execute("alter table public.tickets disable trigger user")
    await sql.execute(
        """
        with made as (
          insert into public.tickets (title, description, status, priority)
          select 'a', 'b', 'new', 'low' from generate_series(1, $1) returning id
        )
        insert into threadesk.to_show (ticket_id, side, lane, due_at)
        select id, 'triage', 'C-' || lpad((row_number() over () % $2)::text, 6, '0'), $3 from made
        """,
        tickets,
        lanes,
        NOW,
    )
    await sql.execute("alter table public.tickets enable trigger user")
    await sql.execute("vacuum analyze threadesk.to_show")


async def claims(url: str) -> dict[int, dict[str, Any]]:
    """By how many tickets are marked: {"1 lane": {"ms": median, "blocks": …}, "1000 lanes": …}.

    Ten tickets are in ten lanes at most: for 1,000 lanes compare with 1,000 tickets. Empties the database's tickets.
    """
    database, sql = Database(url), await asyncpg.connect(url)
    found: dict[int, dict[str, Any]] = {}
    for tickets in MARKED:
        found[tickets] = {}
        for lanes in LANES:
            await fill(sql, tickets=tickets, lanes=lanes)
            ms = statistics.median([await _claim(database) for _ in range(CLAIMS)])
            found[tickets][_named(lanes)] = {"ms": ms, "blocks": await _blocks(database)}
    await sql.execute("truncate public.tickets, threadesk.lanes cascade")
    await sql.close()
    await database.close()
    return found


async def _claim(database: Database) -> float:
    began = time.perf_counter()
    async with database.transaction(NOW) as tx:
        (lease,) = await showing.take_lanes(tx, most=1, seconds=LEASE)
        assert await showing.head(tx, lease.lane)
    took = (time.perf_counter() - began) * 1000
    async with database.transaction(NOW) as tx:
        await showing.release(tx, lease, rest=0)
    return took


async def _blocks(database: Database) -> int:
    async with database.transaction(NOW) as tx:
        measured = Measured(tx)
        (lease,) = await showing.take_lanes(measured, most=1, seconds=LEASE)
        await showing.head(measured, lease.lane)
    return sum(measured.blocks)


def table(found: dict[int, dict[str, Any]]) -> list[str]:
    lines = []
    for lanes, fewest in zip(LANES, (MARKED[0], max(LANES)), strict=True):
        name = _named(lanes)
        for tickets in (one for one in MARKED if one >= fewest):
            one = found[tickets][name]
            lines.append(f"{name:>10}  {tickets:>7}  {one['ms']:>7.2f} ms  {one['blocks']:>5} blocks")
        lines.append(f"{name:>10}    ratio  {found[MARKED[-1]][name]['ms'] / found[fewest][name]['ms']:>7.2f}")
    return lines


def _named(lanes: int) -> str:
    return f"{lanes} lane{'s' if lanes > 1 else ''}"
