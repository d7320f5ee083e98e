"""`make chaos`: the fault campaign in full. A table and chaos.json.

Where a promise is broken also chaos-evidence.json, and status 1.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from pathlib import Path

from cyclopts import App

from tests.chaos.campaign import Plan, Report, Transport, fight

SHOWN = 20

app = App(name="python -m tests.chaos", help="The fault campaign.", version_flags=[])


@app.default
async def chaos(
    *, seed: int | None = None, messages: int = 5_000, minutes: float = 12.0, transport: Transport = "http"
) -> None:
    """Kill replicas and PostgreSQL while people talk, and check that nothing is lost, doubled or out of order.

    Parameters
    ----------
    seed
        Of everything that is left to chance; none: another one each time.
    messages
        How many messages people write at least; one kill in fifty, one of PostgreSQL in five hundred.
    minutes
        After so many of them the talking ends, and the campaign is not complete.
    transport
        How Slack reaches the desk: at its request URL or over Socket Mode.
    """
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    report = await fight(Plan(chosen, messages, max(1, messages // 50), max(1, messages // 500), minutes, transport))
    await asyncio.to_thread(Path("chaos.json").write_text, json.dumps(report.as_json(), indent=2) + "\n")
    sys.stdout.write(table(report))
    sys.exit(0 if report.good else 1)


def table(report: Report) -> str:
    found = report.findings
    figures: dict[str, object] = {
        "seed": report.seed,
        "transport": report.transport,
        "messages that people wrote": report.messages,
        "edits, deletions, claims and closes": report.acts - report.messages,
        "kills of the desk": report.kills,
        "  between sending and recording": report.in_doubt,
        "  of these in Slack already": report.in_slack,
        "kills of PostgreSQL": report.database_kills,
        "starts of the desk that failed": report.failed_starts,
        **{f"fault: {kind}": times for kind, times in sorted(report.faults.items())},
        "deliveries to the desk": report.deliveries,
        "events that Slack gave up": report.given_up,
        "errors in the desk's log": len(report.errors_logged),
        "lost": len(found.lost),
        "doubled in the tables": len(found.doubled_in_tables),
        "doubled in Slack": len(found.doubled_in_slack),
        "out of order": len(found.out_of_order),
        "in sight of whom it should not be": len(found.in_sight),
        "wrong otherwise": len(found.wrong),
        "changes in quiet threads, not read": found.unread,
        "seconds": round(report.seconds),
    }
    lines = [f"{name:<36} {figure:>8}" for name, figure in figures.items()]
    lines += [f"  {sentence}" for sentence in found.all[:SHOWN]]
    lines += [] if report.complete else ["The time was up before everything was said and done."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    app()
