"""Finding what is due takes a few index probes, whatever is over."""

from __future__ import annotations

import inspect
import re

import asyncpg

from storage import due
from storage.engine import Database
from tests.tickets.test_schedules import NOON


async def test_what_is_over_costs_nothing(database: Database, sql: asyncpg.Connection) -> None:
    await sql.execute(
        """
        insert into threadesk.digests_due (triage_channel, channel, zone, period, due_at, try_at, outcome)
        select 'G1', 'C1', 'UTC', 'today', $1::timestamptz - n * interval '1 hour', $1, 'posted'
        from generate_series(1, 20000) as n
        """,
        NOON,
    )
    await sql.execute("insert into threadesk.channels (id, name, role) values ('G1', 'triage', 'triage')")
    await sql.execute(
        """
        insert into threadesk.digest_schedules (triage_channel, channel, cron, zone, period, taken_to, next_at)
        select 'G1', 'C1', n % 60 || ' ' || n / 60 || ' * * *', 'UTC', 'today', $1,
          $1::timestamptz + make_interval(mins => n)
        from generate_series(1, 1200) as n
        """,
        NOON,
    )
    await sql.execute("analyze threadesk.digests_due, threadesk.digest_schedules")
    async with database.transaction(NOON) as tx:
        found = await due.earliest(tx)
    first = await sql.fetchval("select min(next_at) from threadesk.digest_schedules")
    assert (found.replies, found.digests, found.back, found.of_all) == (None, first, None, first)
    statement = re.search(r'"""\n(.*?)"""', inspect.getsource(due.earliest), re.DOTALL)
    assert statement is not None
    plan = await sql.fetch(f"explain {statement[1]}")
    scanned = " ".join(row[0] for row in plan)
    assert "Seq Scan on digests_due" not in scanned
    assert "Seq Scan on digest_schedules" not in scanned
    assert scanned.count("Index Only Scan") >= 2
