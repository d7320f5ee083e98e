"""What is asked for is imported by one desk at a time, and by another where that one dies."""

from __future__ import annotations

import asyncio
import datetime as dt
from uuid import uuid4

import asyncpg

from storage import openings, people
from storage.engine import Database

NOW = dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)
DESK, OTHER = uuid4(), uuid4()


async def asked(database: Database, *stamps: str) -> None:
    for number, ts in enumerate(stamps):
        async with database.transaction(NOW + dt.timedelta(seconds=number)) as tx:
            await openings.add(tx, "C1", ts, "9.0", await people.meet(tx, "T1", "U1"))


async def test_a_thread_is_asked_for_once_by_each_person(database: Database, sql: asyncpg.Connection) -> None:
    await asked(database, "1.0", "1.0", "2.0")
    assert await sql.fetchval("select count(*) from threadesk.openings") == 2


async def test_what_one_desk_imports_no_other_takes_until_its_lease_is_over(
    database: Database, sql: asyncpg.Connection
) -> None:
    await asked(database, "1.0")
    async with database.transaction(NOW) as tx:
        opening = await openings.claim(tx, DESK, seconds=30)
        assert opening is not None
        assert (opening.ts, opening.attempts) == ("1.0", 1)
    async with database.transaction(NOW) as tx:
        assert await openings.claim(tx, OTHER, seconds=30) is None
        assert 0 < (await openings.seconds_to_next(tx) or 0) <= 30
        assert await openings.renew(tx, opening, DESK, seconds=30)
    await sql.execute("update threadesk.openings set leased_until = now()")
    async with database.transaction(NOW) as tx:
        again = await openings.claim(tx, OTHER, seconds=30)
        assert again is not None
        assert again.attempts == 2
        assert not await openings.renew(tx, opening, DESK, seconds=30), "the desk that was given up must not go on"
        await openings.done(tx, again)
        assert await openings.seconds_to_next(tx) is None


async def test_who_asked_first_is_served_first(database: Database) -> None:
    await asked(database, "2.0", "1.0")
    async with database.transaction(NOW) as tx:
        assert await openings.is_asked(tx, "C1", "1.0")
        assert not await openings.is_asked(tx, "C1", "3.0")
        first = await openings.claim(tx, DESK, seconds=30)
        assert first is not None
        assert first.ts == "2.0"


async def test_who_asks_again_while_it_is_imported_waits_for_nobody(
    database: Database, sql: asyncpg.Connection
) -> None:
    """An import has the thread's turn still to wait for, which the one who asks may have: neither waits for both."""
    await asked(database, "1.0")
    async with database.transaction(NOW) as tx, database.transaction(NOW) as other:
        assert await openings.claim(tx, DESK, seconds=30)
        async with asyncio.timeout(5):
            await openings.add(other, "C1", "1.0", "9.0", await people.meet(other, "T1", "U1"))
    assert await sql.fetchval("select count(*) from threadesk.openings") == 1
