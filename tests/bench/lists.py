"""What lists, App Home and a ticket in full cost in a desk of 10,000 and of 1,000,000 tickets, and by which plans.

    python -m tests.bench.lists [TICKETS …]

Exits with 1 when one of them takes longer than 20 ms, more than twice what it takes at the least number of tickets, or
reads a whole table of tickets, messages or the ledger.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from bot.tickets import grammar, home, listing
from storage import homes, people
from storage.engine import Database, Rows, Transaction
from storage.listing import Order, Place
from storage.people import Person
from tests.bench import crowd
from tests.bench.operations import desk_of

RUNS = 60
WITHIN_MS = 20.0
FACTOR = 2.0
PAGES = 20
#: That a tag is on many tickets is found out among all that have it.
BY_SIZE = frozenset({"list by tag"})
BIG = frozenset({"tickets", "desk_tickets", "assignments", "messages", "ledger"})
DESK = desk_of(crowd.TEAM)

#: What is done for one person, as it is for the verb or for App Home; then the run's number and how many tickets there
#: are.
Act = Callable[[Transaction, Person, int, int], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians: `ms` in the database, planning and carrying out; `whole_ms` from BEGIN to COMMIT, what the desk itself
    does included. `plans`: of each statement."""

    ms: float
    whole_ms: float
    plans: list[Mapping[str, Any]]

    @property
    def whole(self) -> list[str]:
        """The big tables that are read from end to end."""
        return sorted({name for plan in self.plans for name in read_whole(plan["Plan"])})


#: By what is done and by how many tickets there are.
Found = dict[str, dict[int, Measured]]


class Explained(Transaction):
    """Notes the plan of each statement that asks for something."""

    def __init__(self, tx: Transaction) -> None:
        super().__init__(tx._connection, tx.now)
        self.plans: list[Mapping[str, Any]] = []

    async def run(self, sql: LiteralString, **values: Any) -> Rows:
        if sql.lstrip().startswith(("select", "with")):
            explained = await super().run(f"explain (analyze, buffers, timing off, format json) {sql}", **values)
            self.plans.append(explained.scalar_one()[0])
        return await super().run(sql, **values)


def acts(places: dict[tuple[int, str], Place]) -> dict[str, Act]:
    """`places`: where the last page of each agent begins, once it was found."""
    return {
        "mine": _listed(grammar.List(whose="mine"), "urgency"),
        "list, first page": _listed(grammar.List()),
        f"list, page {PAGES}": _last_page(grammar.List(), places),
        f"list all, page {PAGES}": _last_page(grammar.List("all"), places),
        "list unassigned": _listed(grammar.List(whose="unassigned")),
        "list of another agent": _listed(grammar.List(whose=grammar.Person(crowd.agent(7)))),
        "list by tag": _listed(grammar.List("all", tag="tag7")),
        "list by a rare tag": _listed(grammar.List("all", tag="rare")),
        "list high closed": _listed(grammar.List("closed", priority="high")),
        "App Home, mine": _home("mine"),
        "App Home, unassigned": _home("unassigned"),
        "App Home, waiting": _home("waiting"),
        "App Home, all": _home("all"),
        # Tickets here and there among those that there are.
        "show": lambda tx, who, at, tickets: listing.shown(tx, who, 1 + at * 7_919 % tickets),
    }


def _listed(wanted: grammar.List, order: Order = "activity") -> Act:
    return lambda tx, who, _at, _tickets: listing.listed(tx, DESK, who, wanted, order=order)


def _last_page(wanted: grammar.List, places: dict[tuple[int, str], Place]) -> Act:
    """Turned to page by page, once for each agent, before it is measured."""

    async def turn(tx: Transaction, who: Person, _at: int, tickets: int) -> Any:
        place = places.get((tickets, who.slack_id))
        for _page in range(0 if place else PAGES - 1):
            found = (await listing.listed(tx, DESK, who, wanted, after=place)).next
            assert found, "there are not so many pages"
            place = places[tickets, who.slack_id] = found
        return await listing.listed(tx, DESK, who, wanted, after=place)

    return turn


def _home(which: homes.List) -> Act:
    async def show(tx: Transaction, who: Person, _at: int, _tickets: int) -> Any:
        person = (await people.with_slack_ids(tx, [who.slack_id]))[who.slack_id]
        kept = await homes.find(tx, person)
        if kept is None or kept.list != which:
            await homes.choose(tx, who, "list", which)
        return await home.view(tx, DESK, person)

    return show


async def measured(sizes: Sequence[int] = crowd.SIZES) -> Found:
    """A database for each number of tickets, asked in turn: what else the machine does befalls all."""
    async with crowd.desks(sizes) as databases:
        return await measure(databases)


async def measure(databases: Mapping[int, Database], *, runs: int = RUNS) -> Found:
    found: Found = {}
    for what in acts({}):
        places: dict[tuple[int, str], Place] = {}
        desks = {tickets: Asked(one, tickets, acts(places)[what]) for tickets, one in databases.items()}
        for desk in desks.values():
            await desk.warm_up()
        for at in range(runs):
            for desk in desks.values():
                await desk.ask(at)
        found[what] = {tickets: await desk.measured() for tickets, desk in desks.items()}
    return found


class Asked:
    """One act, done again and again for ten agents who are in all triage channels: they see the most."""

    def __init__(self, database: Database, tickets: int, act: Act) -> None:
        self._database, self._tickets, self._act = database, tickets, act
        self._agents: list[Person] = []
        self._ms: list[float] = []
        self._whole_ms: list[float] = []

    async def warm_up(self) -> None:
        async with self._database.transaction(crowd.NOW) as tx:
            met = [await people.meet(tx, crowd.TEAM, crowd.agent(5 * n)) for n in range(10)]
        self._agents = met
        for at in range(len(met)):
            await self.ask(at)
        self._ms.clear()
        self._whole_ms.clear()

    async def ask(self, at: int) -> None:
        who = self._agents[at % len(self._agents)]
        began = time.perf_counter()
        async with self._database.transaction(crowd.NOW) as tx:
            await self._act(tx, who, at, self._tickets)
        self._whole_ms.append((time.perf_counter() - began) * 1000)
        plans = await explained(self._database, self._act, who, self._tickets, at)
        self._ms.append(sum(plan["Planning Time"] + plan["Execution Time"] for plan in plans))

    async def measured(self) -> Measured:
        plans = await explained(self._database, self._act, self._agents[0], self._tickets, 1)
        return Measured(statistics.median(self._ms), statistics.median(self._whole_ms), plans)


async def explained(database: Database, act: Act, who: Person, tickets: int, at: int) -> list[Mapping[str, Any]]:
    """The plans of an act's statements, as they were carried out."""
    async with database.transaction(crowd.NOW) as tx:
        looking = Explained(tx)
        await act(looking, who, at, tickets)
    return looking.plans


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for each in plan.get("Plans", []):
        yield from nodes(each)


def read_whole(plan: Mapping[str, Any]) -> list[str]:
    """The big tables that a plan reads from end to end."""
    scans = [one["Relation Name"] for one in nodes(plan) if "Seq Scan" in one["Node Type"]]
    return [name for name in scans if name in BIG]


def rows_read(plan: Mapping[str, Any]) -> dict[str, int]:
    """How many rows a plan has looked at, by index or, without one, by table; those passed over too."""
    read: dict[str, int] = {}
    for one in nodes(plan):
        if name := one.get("Index Name") or one.get("Relation Name"):
            looked_at = one["Actual Rows"] + one.get("Rows Removed by Filter", 0)
            read[name] = read.get(name, 0) + round(looked_at * one["Actual Loops"])
    return read


def _line(plan: Mapping[str, Any]) -> str:
    blocks = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    read = ", ".join(f"{name} {rows:,}" for name, rows in rows_read(plan["Plan"]).items())
    return f"{plan['Execution Time']:.2f} ms, {blocks} blocks; rows: {read or 'none'}"


def broken(found: Found) -> list[str]:
    """What is not as it should be, as sentences."""
    said = []
    for what, by_size in found.items():
        least = min(by_size)
        for tickets, one in by_size.items():
            if one.ms > WITHIN_MS:
                said.append(f"{what}: {one.ms:.1f} ms at {tickets:,} tickets, which is more than {WITHIN_MS:g} ms")
            if one.ms > FACTOR * by_size[least].ms and what not in BY_SIZE:
                times = one.ms / by_size[least].ms
                said.append(f"{what}: {times:.1f} times as long at {tickets:,} tickets as at {least:,}")
            if one.whole and tickets > least:
                said.append(f"{what}: reads all of {', '.join(one.whole)} at {tickets:,} tickets")
    return said


def table(found: Found) -> list[str]:
    lines = [f"{'what':<24} {'tickets':>9} {'database ms':>13} {'whole ms':>10}"]
    for what, by_size in found.items():
        lines += [f"{what:<24} {size:>9,} {one.ms:>13.2f} {one.whole_ms:>10.2f}" for size, one in by_size.items()]
    most = max(max(by_size) for by_size in found.values())
    lines += ["", f"the plans at {most:,} tickets, statement by statement"]
    for what, by_size in found.items():
        lines += [what, *(f"    {_line(plan)}" for plan in by_size[most].plans)]
    well = "as it should be: within 20 ms, within twice the time of a small desk, and no big table is read whole"
    return [*lines, "", *(broken(found) or [well])]


def medians(found: Found) -> dict[str, dict[int, float]]:
    return {what: {tickets: one.ms for tickets, one in by_size.items()} for what, by_size in found.items()}


def main() -> int:
    found = asyncio.run(measured(tuple(int(one) for one in sys.argv[1:]) or crowd.SIZES))
    sys.stdout.write("\n".join(table(found)) + "\n")
    return 1 if broken(found) else 0


if __name__ == "__main__":
    sys.exit(main())
