"""Slack's requests in number, from a process of their own: `python -m tests.bench.load`, asked as `Load` says."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import sys
import time
from collections.abc import Iterator
from typing import Any, TypedDict

import aiohttp


class Load(TypedDict):
    """Messages by `authors` into `threads` of a channel in turn, `at_once` under way at a time.

    They end after `seconds` or with the `most`th. `threads` empty: each message begins a thread. `per_second`: how many
    are begun, whether or not those before are answered; 0: the next begins when one is answered.
    """

    url: str
    secret: str
    team: str
    channel: str
    authors: list[str]
    threads: list[str]
    at_once: int
    per_second: float
    seconds: float
    most: int


class Outcome(TypedDict):
    """`seconds`: how long it took; `ms`: how long each answer took, from when its request was due; `roots`: the ts of
    threads that were begun; `failures`: what became of the requests that Slack would send again, each with its number.
    """

    seconds: float
    ms: list[float]
    roots: list[str]
    failures: dict[str, int]


#: https://docs.slack.dev/apis/events-api: later counts as a failure, and the event is sent again.
ANSWER_WITHIN = aiohttp.ClientTimeout(total=3.0)


async def run(load: Load) -> Outcome:
    outcome = Outcome(seconds=0, ms=[], roots=[], failures={})
    events = itertools.islice(_events(load), load["most"])
    began = time.perf_counter()
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=ANSWER_WITHIN) as session,
        asyncio.TaskGroup() as group,
    ):
        if load["per_second"]:
            await _begin_in_time(group, session, load, events, outcome)
        else:
            for _ in range(load["at_once"]):
                group.create_task(_send_in_turn(session, load, events, began + load["seconds"], outcome))
    outcome["seconds"] = time.perf_counter() - began
    return outcome


def _events(load: Load) -> Iterator[dict[str, Any]]:
    """As recorded in https://docs.slack.dev/reference/events/message, with what the desk and Bolt read of it."""
    threads = itertools.cycle(load["threads"] or [""])
    for number, author, thread in zip(itertools.count(), itertools.cycle(load["authors"]), threads, strict=False):
        now = time.time_ns() // 1000
        ts = f"{now // 1_000_000}.{now % 1_000_000:06d}"
        place = {"thread_ts": thread} if thread else {}
        words = {"text": f"The export of report {number} stops half-way, can you have a look?"}
        told = {"type": "message", "user": author, "team": load["team"], "ts": ts, "event_ts": ts}
        yield told | words | place | {"channel": load["channel"], "channel_type": "channel"}


async def _begin_in_time(
    group: asyncio.TaskGroup,
    session: aiohttp.ClientSession,
    load: Load,
    events: Iterator[dict[str, Any]],
    outcome: Outcome,
) -> None:
    """Whoever waits for slow answers before the next request would not see how many had to wait behind them."""
    began = time.perf_counter()
    for number in range(int(load["per_second"] * load["seconds"])):
        due = began + number / load["per_second"]
        await asyncio.sleep(due - time.perf_counter())
        if (event := next(events, None)) is None:
            return
        group.create_task(_send(session, load, event, due, outcome))


async def _send_in_turn(
    session: aiohttp.ClientSession, load: Load, events: Iterator[dict[str, Any]], until: float, outcome: Outcome
) -> None:
    while time.perf_counter() < until and (event := next(events, None)):
        await _send(session, load, event, time.perf_counter(), outcome)


async def _send(
    session: aiohttp.ClientSession, load: Load, event: dict[str, Any], due: float, outcome: Outcome
) -> None:
    body = json.dumps(_envelope(load["team"], event)).encode()
    headers = {"Content-Type": "application/json", **_signed(load["secret"], body)}
    try:
        async with session.post(load["url"], data=body, headers=headers) as response:
            await response.read()
            failure = None if response.status == 200 else f"HTTP {response.status}"
    except (aiohttp.ClientError, TimeoutError) as error:
        failure = type(error).__name__
    outcome["ms"].append((time.perf_counter() - due) * 1000)
    if failure:
        outcome["failures"][failure] = outcome["failures"].get(failure, 0) + 1
    elif "thread_ts" not in event:
        outcome["roots"].append(event["ts"])


def _envelope(team: str, event: dict[str, Any]) -> dict[str, Any]:
    authorization = {"team_id": team, "user_id": "U0BOT", "is_bot": True, "is_enterprise_install": False}
    return {
        "type": "event_callback",
        "team_id": team,
        "api_app_id": "A0BENCH",
        "event": event,
        "event_id": f"Ev{event['ts']}",
        "event_time": int(float(event["ts"])),
        "authorizations": [authorization | {"enterprise_id": None}],
    }


def _signed(secret: str, body: bytes) -> dict[str, str]:
    """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
    at = str(int(time.time()))
    digest = hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={digest}"}


if __name__ == "__main__":
    json.dump(asyncio.run(run(json.load(sys.stdin))), sys.stdout)
