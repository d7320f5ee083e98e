"""What digests and `stats` cost in the database of a desk with a million tickets and a ledger of six million lines.

    python -m tests.bench.figures [TICKETS | DATABASE_URL]

With a URL the tickets are those of `tests.bench.crowd` that are there already. Exits with 1 when one of them takes
longer than it may.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, LiteralString

import asyncpg

from bot.tickets import digest
from bot.tickets.hours import WorkingHours
from storage import channels, expected, migrate, people
from storage.embedded import EmbeddedPostgres
from storage.engine import Database, Rows, Transaction
from storage.people import Person
from tests.bench import crowd

TICKETS = 1_000_000
RUNS = 9
#: Nobody waits for this disk, and a million rows are not written in small pieces.
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "shared_buffers": "512MB", "max_wal_size": "8GB"}
WITHIN_MS: Mapping[str, float] = {"digest week": 300, "digest month": 1_000, "stats week": 100}
HOURS = WorkingHours.model_validate(
    {"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "09:00", "closes": "17:00", "zone": "Europe/Berlin"}
)

#: A rating an hour after every tenth closing, each number from 1 to 5 as often as another.
RATED = """
update public.tickets t set feedback = jsonb_build_object(
  'rating', 1 + d.number / 10 % 5, 'comment', null, 'submitted_at', d.closed_at + interval '1 hour')
from threadesk.desk_tickets d where d.ticket_id = t.id and d.closed_at is not null and d.number % 10 = 0;
insert into threadesk.ledger (ticket_id, at, actor, role, what, after)
select d.ticket_id, d.closed_at + interval '1 hour', d.requester, 'customer', 'rating', to_jsonb(1 + d.number / 10 % 5)
from threadesk.desk_tickets d where d.closed_at is not null and d.number % 10 = 0;
"""
ANALYZED = ("public.tickets", "threadesk.desk_tickets", "threadesk.ledger", "threadesk.assignments")

Act = Callable[[Transaction, Person], Awaitable[Any]]
#: Medians in ms by what is asked for: without and with working hours.
Found = dict[str, tuple[float, float]]


class Timed(Transaction):
    """Adds up how long its statements take."""

    def __init__(self, tx: Transaction) -> None:
        super().__init__(tx._connection, tx.now)
        self.ms = 0.0

    async def run(self, sql: LiteralString, **values: Any) -> Rows:
        began = time.perf_counter()
        rows = await super().run(sql, **values)
        self.ms += (time.perf_counter() - began) * 1000
        return rows


def acts() -> dict[str, Act]:
    def summed(period: digest.PeriodName) -> Act:
        async def act(tx: Transaction, who: Person) -> digest.Digest:
            return await digest.digest(tx, await digest.about(tx, who), period)

        return act

    return {
        "digest week": summed("week"),
        "digest month": summed("month"),
        "stats week": lambda tx, who: digest.stats(tx, who, "week"),
    }


async def fill(url: str, tickets: int) -> None:
    sql = await asyncpg.connect(url)
    await crowd.fill(sql, crowd.Crowd(tickets))
    await sql.execute("set session_replication_role = replica")
    await sql.execute(RATED)
    for table in ANALYZED:
        await sql.execute(f"vacuum analyze {table}")
    await sql.close()


async def measure(database: Database) -> Found:
    """For an agent who is in every triage channel."""
    async with database.transaction(crowd.NOW) as tx:
        who = await people.meet(tx, crowd.TEAM, crowd.agent(5))
        support = await channels.served(tx, "support")
    found: dict[str, list[float]] = {what: [] for what in acts()}
    for hours in (None, HOURS.stored()):
        async with database.transaction(crowd.NOW) as tx:
            for channel in support[::2]:
                await expected.set_working_hours(tx, channel.id, hours)
        for what, act in acts().items():
            found[what].append(statistics.median([await _timed(database, act, who) for _ in range(RUNS)]))
    return {what: (without, with_hours) for what, (without, with_hours) in found.items()}


async def _timed(database: Database, act: Act, who: Person) -> float:
    async with database.transaction(crowd.NOW) as tx:
        timed = Timed(tx)
        await act(timed, who)
    return timed.ms


async def measured(tickets: int) -> Found:
    folder = Path(tempfile.mkdtemp(prefix="threadesk-bench-"))
    postgres = EmbeddedPostgres(folder, settings=SETTINGS)
    try:
        url = await asyncio.to_thread(postgres.start)
        database = Database(url)
        await migrate.upgrade(database)
        await fill(url, tickets)
        found = await measure(database)
        await database.close()
    finally:
        await asyncio.to_thread(postgres.remove)
        await asyncio.to_thread(shutil.rmtree, folder)
    return found


async def measured_at(url: str) -> Found:
    database = Database(url)
    found = await measure(database)
    await database.close()
    return found


def broken(found: Found) -> list[str]:
    """What takes too long, as sentences."""
    return [
        f"{what}: {max(ms):.0f} ms, which is more than {WITHIN_MS[what]:g} ms"
        for what, ms in found.items()
        if max(ms) > WITHIN_MS[what]
    ]


def table(found: Found) -> list[str]:
    head = f"{'in the database, ms':<24} {'may take':>9} {'median':>9} {'with working hours':>19}"
    return [head, *(f"{what:<24} {WITHIN_MS[what]:>9g} {ms[0]:>9.0f} {ms[1]:>19.0f}" for what, ms in found.items())]


def main() -> int:
    given = sys.argv[1] if len(sys.argv) > 1 else str(TICKETS)
    found = asyncio.run(measured(int(given)) if given.isdecimal() else measured_at(given))
    sys.stdout.write("\n".join([*table(found), "", *broken(found)]) + "\n")
    return 1 if broken(found) else 0


if __name__ == "__main__":
    sys.exit(main())
