"""`make bench`: what the desk costs beside a bare Bolt app. Prints a table and writes bench.json.

The desk is the real one, `python -m bot run`, on an embedded PostgreSQL that waits for the disk at every commit; the
requests come from another process. Numbers of two machines cannot be compared, the ratios can.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
from asyncio.subprocess import Process
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.sandbox import Channel, Person, Sandbox
from storage.embedded import EmbeddedPostgres
from tests.bench import claims, crowd, figures, lists, operations
from tests.bench.load import Load, Outcome
from tests.bench.processes import answered, asked, free_port, process, resident_mb

ROUNDS = 4
ROUND_SECONDS = 2.5
PROFILE_SECONDS = 6.0
STARTS = 3
THREADS = 100
STEADY_RATE = 50
STEADY_MINUTES = 3
STEADY_THREADS = 600
BURST = 1_000
#: Slack names no figure for how many events it has under way at a time: the sandbox's.
BURST_AT_ONCE = 100
CONCURRENCY = (1, 16)
SETTINGS = {"shared_preload_libraries": "pg_stat_statements"}

Results = dict[str, Any]


@dataclass
class Bench:
    sandbox: Sandbox
    customer: Person
    help: Channel
    database_url: str
    threads: list[str]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SLACK_BOT_TOKEN": self.sandbox.bot_token,
            "SLACK_SIGNING_SECRET": self.sandbox.signing_secret,
            "SLACK_API_URL": self.sandbox.api_url,
            "HOST": "127.0.0.1",
            "TRIAGE_CHANNEL": "triage",
            "SUPPORT_CHANNELS": "help",
            "GROUP_SECONDS": "0",
            "LOG_LEVEL": "ERROR",
        }

    async def send(
        self, port: int, at_once: int, *, seconds: float = 60, most: int = 1_000_000, per_second: float = 0
    ) -> Outcome:
        """Messages to whoever listens on the port; with no thread known yet, to the channel."""
        load = Load(
            url=f"http://127.0.0.1:{port}/slack/events",
            secret=self.sandbox.signing_secret,
            team=self.sandbox.team.id,
            channel=self.help.id,
            authors=[self.customer.id],
            threads=self.threads,
            at_once=at_once,
            per_second=per_second,
            seconds=seconds,
            most=most,
        )
        outcome: Outcome = await asked("tests.bench.load", load)
        return outcome


async def measured() -> Results:
    folder = Path(tempfile.mkdtemp(prefix="threadesk-bench-"))
    postgres = EmbeddedPostgres(folder, settings=SETTINGS)
    try:
        url = await asyncio.to_thread(postgres.start)
        async with Sandbox() as sandbox:
            customer, agent = sandbox.add_person("Ada Lovelace"), sandbox.add_person("Grace Hopper")
            await sandbox.add_channel("triage", private=True, members=[agent, sandbox.bot])
            support = await sandbox.add_channel("help", members=[customer, sandbox.bot])
            bench = Bench(sandbox, customer, support, url, [])
            results = await _under_load(bench)
            results |= await _profile(bench, folder / "profile.json")
            results |= await _steady(bench)
            place = operations.Place(sandbox.team.id, support.id, customer.id)
            results["append_ms"] = await operations.appends(url, place)
            results["statements"] = await operations.round_trips(url, place)
            # Last: it empties the tables.
            results["claims"] = await claims.claims(url)
            await asyncio.to_thread(postgres.stop)
            results["start_seconds"] = await _start(bench, folder)
    finally:
        await asyncio.to_thread(postgres.remove)
        await asyncio.to_thread(shutil.rmtree, folder)
    return results


async def _under_load(bench: Bench) -> Results:
    """The desk and the bare app in turn, so that what else the machine does befalls both."""
    async with AsyncExitStack() as stack:
        desk_port, bare_port = free_port(), free_port()
        await _run(stack, bench, "bot", "run", port=desk_port, DATABASE_URL=bench.database_url)
        await _run(stack, bench, "tests.bench.bare", port=bare_port)
        bench.threads = (await bench.send(desk_port, 4, most=THREADS))["roots"]
        loads: Results = {}
        for at_once in CONCURRENCY:
            rounds = []
            for _ in range(ROUNDS):
                bare = await bench.send(bare_port, at_once, seconds=ROUND_SECONDS)
                ours = await bench.send(desk_port, at_once, seconds=ROUND_SECONDS)
                rounds.append((ours, bare))
            loads[str(at_once)] = _compared(rounds)
        counter = await operations.Statements.counting(bench.database_url)
        counted = await bench.send(desk_port, 1, most=200)
        found = await counter.read()
        return {
            "load": loads,
            "statements_with_courier": sum(found.values()) / len(counted["ms"]),
        }


async def _run(
    stack: AsyncExitStack, bench: Bench, *arguments: str, port: int, **environment: str
) -> tuple[Process, float]:
    """A process that is ready, and how many seconds that took."""
    settings = bench.environment | {"PORT": str(port)} | environment
    child = await stack.enter_async_context(process(*arguments, **settings))
    return child, await answered(child, f"http://127.0.0.1:{port}/readyz")


def _compared(rounds: list[tuple[Outcome, Outcome]]) -> Results:
    ours, bare = [one for one, _ in rounds], [one for _, one in rounds]
    if failed := [one["failures"] for one in ours + bare if one["failures"]]:
        raise RuntimeError(f"requests failed: {failed}")
    ratios = [_rate(one) / _rate(other) for one, other in rounds]
    return {"desk": _measured(ours), "bare Bolt": _measured(bare), "ratio": statistics.median(ratios)}


def _rate(outcome: Outcome) -> float:
    return len(outcome["ms"]) / outcome["seconds"]


def _measured(outcomes: list[Outcome]) -> Results:
    ms = [one for outcome in outcomes for one in outcome["ms"]]
    cuts = statistics.quantiles(ms, n=100)
    rates = [_rate(one) for one in outcomes]
    return {"requests_per_second": statistics.median(rates), "p50_ms": cuts[49], "p99_ms": cuts[98]}


async def _steady(bench: Bench) -> Results:
    """Minutes of a busy workspace, and then everybody at once, while the courier posts at Slack's own pace.

    Slack itself caps a workspace at 30,000 events an hour, that is 8 a second.
    """
    async with AsyncExitStack() as stack:
        port = free_port()
        desk, _ = await _run(stack, bench, "bot", "run", port=port, DATABASE_URL=bench.database_url)
        bench.threads = []
        bench.threads = (await bench.send(port, 4, most=STEADY_THREADS))["roots"]
        memory = [await resident_mb(desk)]
        loads = []
        for _ in range(STEADY_MINUTES):
            loads.append(await bench.send(port, 0, seconds=60, per_second=STEADY_RATE))
            memory.append(await resident_mb(desk))
        burst = await bench.send(port, BURST_AT_ONCE, most=BURST)
        memory.append(await resident_mb(desk))
    return {"steady": _borne(loads), "burst": _borne([burst]), "memory_mb": memory}


def _borne(outcomes: list[Outcome]) -> Results:
    failures = sum((Counter(one["failures"]) for one in outcomes), Counter[str]())
    return _measured(outcomes) | {"messages": sum(len(one["ms"]) for one in outcomes), "failures": dict(failures)}


async def _profile(bench: Bench, file: Path) -> Results:
    async with AsyncExitStack() as stack:
        port = free_port()
        environment = {"DATABASE_URL": bench.database_url, "BENCH_PROFILE": str(file)}
        await _run(stack, bench, "tests.bench.profiled", port=port, **environment)
        await bench.send(port, 16, seconds=PROFILE_SECONDS)
    return {"profile": json.loads(await asyncio.to_thread(file.read_text))}


async def _start(bench: Bench, folder: Path) -> float:
    """Until /readyz says 200, the embedded PostgreSQL's own start included; the median."""
    took = []
    for _ in range(STARTS):
        async with AsyncExitStack() as stack:
            _, seconds = await _run(stack, bench, "bot", "run", port=free_port(), DATA_DIR=str(folder))
            took.append(seconds)
    return statistics.median(took)


async def _of_a_crowd() -> tuple[lists.Found, list[figures.Measured]]:
    async with crowd.desks() as databases:
        return await lists.measure(databases), await figures.measure(databases)


def _table(results: Results) -> str:
    lines = ["a message in a thread, acknowledged after it is committed", _HEAD]
    for at_once, load in results["load"].items():
        for who in ("desk", "bare Bolt"):
            one = load[who]
            lines.append(
                f"  {at_once:>10}  {who:<10} {one['requests_per_second']:>10.0f} {one['p50_ms']:>10.1f}"
                f" {one['p99_ms']:>10.1f}"
            )
        lines.append(f"  {at_once:>10}  ratio      {load['ratio']:>10.2f}")
    asked_for = results["statements"]
    lines += ["", f"round trips to PostgreSQL a message: {sum(asked_for.values()):.1f}"]
    lines += [f"  {calls:>5.1f}  {query[:100]}" for query, calls in asked_for.items()]
    lines.append(f"  with the courier's, under load: {results['statements_with_courier']:.1f}")
    lines += ["", "where the desk's time goes"]
    lines += [f"  {share:>6.1%}  {room}" for room, share in results["profile"]["rooms"]]
    for kind in ("own", "cumulative"):
        lines += ["", f"{kind} time"]
        lines += [f"  {share:>6.1%}  {line}" for line, share in results["profile"][kind]]
    lines += ["", "an append to a ticket of so many messages, in ms"]
    lines += [f"  {size:>6}  {ms:>6.1f}" for size, ms in results["append_ms"].items()]
    lines += ["", "a claim of the courier's: milliseconds and blocks by how many tickets are marked"]
    lines += [f"  {line}" for line in claims.table(results["claims"])]
    lines += ["", f"start until ready: {results['start_seconds']:.2f} s"]
    for what, title in (("steady", f"{STEADY_RATE} messages/s for {STEADY_MINUTES} minutes"), ("burst", "a burst")):
        one = results[what]
        lines += ["", f"{title}: {one['messages']} messages, failures: {one['failures'] or 'none'}"]
        lines.append(f"  acknowledged at {one['p50_ms']:.1f} ms (p50), {one['p99_ms']:.1f} ms (p99)")
    memory = ", ".join(f"{mb:.0f}" for mb in results["memory_mb"])
    lines.append(f"memory in MiB before, after each minute and after the burst: {memory}")
    return "\n".join(lines) + "\n"


_HEAD = "   at a time  who         requests/s     p50 ms     p99 ms"

if __name__ == "__main__":
    found = asyncio.run(measured())
    # At once: a million tickets take their time.
    print(_table(found), flush=True)  # noqa: T201
    in_lists, in_figures = asyncio.run(_of_a_crowd())
    with_a_crowd = {"lists_ms": lists.medians(in_lists), "figures_ms": figures.medians(in_figures)}
    Path("bench.json").write_text(json.dumps(found | with_a_crowd, indent=2) + "\n")
    print("\n".join([*lists.table(in_lists), "", *figures.table(in_figures)]))  # noqa: T201
    sys.exit(1 if lists.broken(in_lists) or figures.broken(in_figures) else 0)
