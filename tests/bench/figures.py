"""What digests, `stats` and the pass that finds what is due cost in the database of a desk with a million tickets and a
ledger of six million lines.

    python -m tests.bench.figures [TICKETS … | DATABASE_URL]

With a URL the tickets are those of `tests.bench.crowd` that are there already. Exits with 1 when one of them takes
longer than it may, or the pass more than twice as long as with the least number of tickets.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

from bot.tickets import digest, schedules
from bot.tickets.hours import WorkingHours
from storage import channels, due, expected, people, replies
from storage import schedules as rows
from storage.engine import Database, Rows, Transaction
from storage.people import Person
from tests.bench import crowd

RUNS = 9
RUNS_OF_A_PASS = 40
WITHIN_MS: Mapping[str, float] = {"digest week": 300, "digest month": 1_000, "stats week": 100, "App Home's week": 100}
PASS_WITHIN_MS = 20.0
FACTOR = 2.0
HOURS = WorkingHours.model_validate(
    {"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "09:00", "closes": "17:00", "zone": "Europe/Berlin"}
)

#: Some of each kind: digests at set times, held replies, and customers who were told that somebody is back by now.
IS_DUE: tuple[LiteralString, ...] = (
    "truncate threadesk.digest_schedules, threadesk.told_back",
    "delete from threadesk.replies where state = 'held'",
    """
    insert into threadesk.digest_schedules (triage_channel, channel, cron, zone, period, taken_to, next_at)
    select 'C0TRIAGE' || n % 3, 'C0TRIAGE' || n % 3, n || ' 9 * * *', 'UTC', 'today',
      cast(:now as timestamptz) - interval '1 day', cast(:now as timestamptz) + make_interval(mins => n - 3)
    from generate_series(0, 29) n
    """,
    """
    with waiting as (select * from threadesk.desk_tickets where status = 'new' order by number limit 20), held as (
      insert into threadesk.replies (ticket_id, author, author_team, author_slack, words, held_at, due_at)
      select ticket_id, requester, 'T0ACME', 'U0AGENT1', 'On it', :now, :now from waiting
    )
    insert into threadesk.told_back (ticket_id, back_at) select ticket_id, :now from waiting
    """,
)

Act = Callable[[Transaction, Person], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians. `ms`: until the database had answered; `at_work`: how long its process ran, None where nobody knows:
    the rest it waited for what else the machine does."""

    what: str
    within: float
    ms: float
    at_work: float | None


class Timed(Transaction):
    """Adds up how long its statements take."""

    def __init__(self, tx: Transaction) -> None:
        super().__init__(tx._connection, tx.now)
        self.ms = 0.0
        self.at_work: float | None = None
        self._began = self._ran()

    def stop(self) -> None:
        ran = self._ran()
        self.at_work = None if ran is None or self._began is None else ran - self._began

    def _ran(self) -> float | None:
        """So many ms its server process has run: https://docs.kernel.org/scheduler/sched-stats.html"""
        try:
            kept = Path(f"/proc/{self._connection.get_server_pid()}/schedstat").read_text()
        except OSError:
            return None
        return int(kept.split()[0]) / 1e6

    async def run(self, sql: LiteralString, **values: Any) -> Rows:
        began = time.perf_counter()
        found = await super().run(sql, **values)
        self.ms += (time.perf_counter() - began) * 1000
        return found


def acts() -> dict[str, Act]:
    def summed(period: digest.PeriodName) -> Act:
        async def act(tx: Transaction, who: Person) -> digest.Digest:
            return await digest.digest(tx, await digest.about(tx, who), period)

        return act

    return {
        "digest week": summed("week"),
        "digest month": summed("month"),
        "stats week": lambda tx, who: digest.stats(tx, who, "week"),
        "App Home's week": lambda tx, who: digest.week(tx, sorted(who.agent_of)),
    }


async def one_pass(tx: Transaction, _: Person) -> None:
    """What the Clock asks when something of each kind is due, up to the work itself."""
    await due.earliest(tx)
    await replies.due(tx)
    await schedules.take_due(tx)
    await rows.claim(tx, seconds=60)
    await expected.mark_those_who_are_back(tx)
    await due.earliest(tx)


async def measure(databases: Mapping[int, Database]) -> list[Measured]:
    """For an agent who is in every triage channel; figures where there are most tickets."""
    most = databases[max(databases)]
    async with most.transaction(crowd.NOW) as tx:
        who = await people.meet(tx, crowd.TEAM, crowd.agent(5))
        support = await channels.served(tx, "support")
    found = []
    for hours in (None, HOURS.stored()):
        async with most.transaction(crowd.NOW) as tx:
            for channel in support[::2]:
                await expected.set_working_hours(tx, channel.id, hours)
        for what, act in acts().items():
            name = f"{what}, working hours" if hours else what
            found.append(_median(name, WITHIN_MS[what], [await _timed(most, act, who) for _ in range(RUNS)]))
    return [*found, *await _passes(databases, who)]


async def _passes(databases: Mapping[int, Database], who: Person) -> list[Measured]:
    runs: dict[int, list[Timed]] = {tickets: [] for tickets in databases}
    for database in databases.values():
        async with database.transaction(crowd.NOW) as tx:
            for sql in IS_DUE:
                await tx.run(sql, **({"now": crowd.NOW} if ":now" in sql else {}))
    for _ in range(RUNS_OF_A_PASS):
        for tickets, database in databases.items():
            runs[tickets].append(await _timed(database, one_pass, who))
    return [_median(_pass_of(tickets), PASS_WITHIN_MS, timed) for tickets, timed in runs.items()]


def _pass_of(tickets: int) -> str:
    return f"what is due, of {tickets:,}"


def _median(what: str, within: float, runs: Sequence[Timed]) -> Measured:
    known = [one.at_work for one in runs if one.at_work is not None]
    return Measured(
        what, within, statistics.median(one.ms for one in runs), statistics.median(known) if known else None
    )


class _Undone(Exception):  # noqa: N818 - no mistake: it takes back what was done
    pass


async def _timed(database: Database, act: Act, who: Person) -> Timed:
    with contextlib.suppress(_Undone):
        async with database.transaction(crowd.NOW) as tx:
            timed = Timed(tx)
            await act(timed, who)
            timed.stop()
            raise _Undone
    return timed


async def measured(sizes: Sequence[int] = crowd.SIZES) -> list[Measured]:
    async with crowd.desks(sizes) as databases:
        return await measure(databases)


async def measured_at(url: str) -> list[Measured]:
    database = Database(url)
    async with database.transaction(crowd.NOW) as tx:
        tickets = (await tx.run("select count(*) from threadesk.desk_tickets")).scalar_one()
    found = await measure({tickets: database})
    await database.close()
    return found


def broken(found: Sequence[Measured]) -> list[str]:
    """What takes too long, as sentences."""
    said = [
        f"{one.what}: {one.ms:.1f} ms, which is more than {one.within:g} ms" for one in found if one.ms > one.within
    ]
    least, *more = [one for one in found if one.within == PASS_WITHIN_MS]
    return said + [
        f"{one.what}: {one.ms / least.ms:.1f} times as long as {least.what}"
        for one in more
        if one.ms > FACTOR * least.ms
    ]


def table(found: Sequence[Measured]) -> list[str]:
    head = f"{'in the database, ms':<32} {'may take':>9} {'median':>9} {'at work':>9}"
    lines = [
        f"{one.what:<32} {one.within:>9g} {one.ms:>9.1f} {'' if one.at_work is None else f'{one.at_work:.1f}':>9}"
        for one in found
    ]
    return [head, *lines, "", *(broken(found) or ["as it should be"])]


def medians(found: Sequence[Measured]) -> dict[str, float]:
    return {one.what: one.ms for one in found}


def main() -> int:
    given = sys.argv[1:]
    if given and not given[0].isdecimal():
        found = asyncio.run(measured_at(given[0]))
    else:
        found = asyncio.run(measured(tuple(int(one) for one in given) or crowd.SIZES))
    sys.stdout.write("\n".join(table(found)) + "\n")
    return 1 if broken(found) else 0


if __name__ == "__main__":
    sys.exit(main())
