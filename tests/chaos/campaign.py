"""A day on which everything fails, in minutes: people talk while replicas and PostgreSQL are killed in bad weather."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import asyncpg
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.sandbox import Sandbox, Weather
from bot.sandbox.delivery import RETRY_AFTER
from tests.chaos.check import Findings, check
from tests.chaos.evidence import keep
from tests.chaos.people import Town
from tests.chaos.processes import Postgres, Replica

MANIFEST = Path(__file__).parent.parent.parent / "manifest.yml"

Transport = Literal["http", "socket"]

#: Slack's retries after one and five minutes come after 1.2 and 6 s.
SPEED = 50.0
CALL_SECONDS = 1.0
WEATHER = Weather(
    http_500=0.008,
    ratelimited=0.004,
    cut_before=0.008,
    cut_after=0.015,
    slow=0.015,
    # Longer than the desk waits, and not as long as it takes for a call on its way to be over.
    slow_seconds=1.4 * CALL_SECONDS,
    delayed=0.03,
    repeated=0.02,
    answer_lost=0.01,
    delay_seconds=1.0,
)
#: Of Slack, and what it is of ours.
SILENCE_SECONDS = 60.0
STORM_SECONDS = 2.0
#: How long Slack takes before it has posted a message, and again until it has said so, in seconds.
POSTING = (0.0, 0.02)
#: Between two blows, and between two acts of one of the talkers, in seconds.
LULL = (0.0, 1.2)
PAUSE = (0.0, 0.5)
TALKERS = 4
#: The share of kills that wait for a moment between sending and recording, where most can go wrong.
AIMED = 0.5
#: What people wait for before they go on: that the desk has heard nearly all of what was said.
UNHEARD = 50
#: What the desk may take for its next call to Slack while there is something left to show.
REST_SECONDS = 60.0
#: Without a call for so long, the desk has nothing left to show nor to ask.
QUIET_SECONDS = 2.0
#: A start reads back what was not read for so long: until then Slack itself tells again.
UNREAD_SECONDS = 60.0


@dataclass(frozen=True)
class Plan:
    """`minutes` bounds the talking and killing."""

    seed: int
    messages: int
    kills: int
    database_kills: int
    minutes: float
    transport: Transport = "http"


@dataclass
class Report:
    """`in_doubt`: kills that cut off a post, between its sending and its recording; `in_slack` of them had arrived."""

    seed: int
    transport: Transport = "http"
    messages: int = 0
    acts: int = 0
    kills: int = 0
    database_kills: int = 0
    in_doubt: int = 0
    in_slack: int = 0
    failed_starts: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    deliveries: int = 0
    given_up: int = 0
    errors_logged: list[str] = field(default_factory=list)
    seconds: float = 0.0
    complete: bool = False
    findings: Findings = field(default_factory=Findings)

    @property
    def good(self) -> bool:
        return self.complete and not self.findings.all

    def as_json(self) -> dict[str, Any]:
        kinds = {kind: len(sentences) for kind, sentences in self.findings.kinds.items()}
        return asdict(self) | kinds | {"findings": asdict(self.findings)}


@dataclass(eq=False)
class Post:
    """A chat.postMessage on its way. `sender`: the host by which a replica calls Slack."""

    sender: str
    arrived: bool = False


class Posts:
    """Those that have no answer yet: a kill may come before a message is posted, or before its sender knows it."""

    def __init__(self) -> None:
        self.under_way: set[Post] = set()

    @web.middleware
    async def slowly(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.endswith("/chat.postMessage"):
            return await handler(request)
        await request.read()
        with self._watched(Post(request.host.partition(":")[0])) as post:
            await asyncio.sleep(random.uniform(*POSTING))
            answer = await handler(request)
            if request.transport is not None and request.transport.is_closing():
                return answer  # Cut off by the weather or by its sender, which need not wait for it.
            post.arrived = answer.status == 200
            await asyncio.sleep(random.uniform(*POSTING))
            return answer

    @contextmanager
    def _watched(self, post: Post) -> Iterator[Post]:
        self.under_way.add(post)
        try:
            yield post
        finally:
            self.under_way.discard(post)


async def fight(plan: Plan) -> Report:
    """Plays the plan and checks what is there at the end."""
    folder = Path(tempfile.mkdtemp(prefix="threadesk-chaos-"))
    postgres = Postgres(folder / "postgres")
    began = time.monotonic()
    try:
        await postgres.set_up()
        posts = Posts()
        sandbox = Sandbox(MANIFEST, speed=SPEED)
        sandbox.server.app.middlewares.append(posts.slowly)
        async with sandbox:
            town = await Town.build(sandbox, plan.seed)
            replicas = _replicas(town, postgres, folder, plan.transport)
            if plan.transport == "http":
                sandbox.deliver_to(*(f"{replica.url}/slack/events" for replica in replicas.values()))
            else:
                sandbox.deliver_over_sockets()
            try:
                await asyncio.gather(*(replica.start() for replica in replicas.values()))
                report = await Campaign(plan, town, posts, postgres, replicas).run()
            finally:
                await asyncio.gather(*(replica.stop() for replica in replicas.values()))
        report.errors_logged = _errors(folder)
        report.seconds = time.monotonic() - began
    finally:
        await postgres.remove()
        shutil.rmtree(folder)
    return report


def _replicas(town: Town, postgres: Postgres, folder: Path, transport: Transport) -> dict[str, Replica]:
    """Two, by the host under which each calls Slack."""
    sandbox = town.sandbox
    credentials = {
        "http": {"SLACK_SIGNING_SECRET": sandbox.signing_secret},
        "socket": {"SLACK_APP_TOKEN": sandbox.app_token},
    }
    environment = credentials[transport] | {
        "SLACK_BOT_TOKEN": sandbox.bot_token,
        "HOST": "127.0.0.1",
        "TRIAGE_CHANNEL": town.triage.name,
        "SUPPORT_CHANNELS": ",".join(channel.name for channel in town.helps.values()),
        "DATABASE_URL": postgres.url,
        "REPLY_UNDO_SECONDS": "0.3",
        "GROUP_SECONDS": "0",
        "POST_INTERVAL_SECONDS": str(1 / SPEED),
        "SLACK_CALL_SECONDS": str(CALL_SECONDS),
        "LOG_LEVEL": "ERROR",
    }
    addresses = {host: sandbox.api_url.replace("127.0.0.1", host) for host in ("127.0.0.1", "localhost")}
    return {
        host: Replica(environment | {"SLACK_API_URL": address}, folder / f"{host}.log")
        for host, address in addresses.items()
    }


def _errors(folder: Path) -> list[str]:
    """What the desk has logged that nobody expected, tracebacks included."""
    lines = [line for file in folder.glob("*.log") for line in file.read_text().splitlines()]
    return [line for line in lines if '"level": "error"' in line]


class Campaign:
    def __init__(self, plan: Plan, town: Town, posts: Posts, postgres: Postgres, replicas: dict[str, Replica]) -> None:
        self._plan = plan
        self._town = town
        self._posts = posts
        self._postgres = postgres
        self._replicas = replicas
        self._chance = random.Random(plan.seed + 1)
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._report = Report(plan.seed, plan.transport)
        self._share = 0

    async def run(self) -> Report:
        report, sandbox = self._report, self._town.sandbox
        sandbox.weather(WEATHER, self._plan.seed)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._plan.minutes * 60), asyncio.TaskGroup() as group:
                group.create_task(self._blows())
                for _ in range(TALKERS):
                    group.create_task(self._talk())
            report.complete = True
        sandbox.weather(Weather())
        await self._postgres.start()
        await self._all_up()
        sql = await self._connected()
        await self._start_again(sql)
        await self._at_rest(sql)
        report.messages = len(self._town.said)
        report.failed_starts = sum(replica.failed_starts for replica in self._replicas.values())
        report.faults = dict(sandbox.struck)
        report.deliveries = len(sandbox.deliveries)
        report.given_up = sum(one.retry == len(RETRY_AFTER) and not one.acknowledged for one in sandbox.deliveries)
        found = await check(self._town, sql)
        for kind, sentences in found.kinds.items():
            getattr(report.findings, kind).extend(sentences)
        report.findings.unread = found.unread
        if found.all:
            await keep(sandbox, sql, Path("chaos-evidence.json"))
        await sql.close()
        return report

    async def _talk(self) -> None:
        """Until everything is said, a share of it before each blow."""
        while (said := len(self._town.said)) < self._plan.messages:
            await asyncio.sleep(self._chance.uniform(*PAUSE))
            if said < self._share and self._town.sandbox.slack.outbox.under_way < UNHEARD:
                await self._town.act()
                self._report.acts += 1

    async def _blows(self) -> None:
        plan = self._plan
        both = plan.kills // 10
        blows: list[Callable[[], Awaitable[None]]] = [
            *[self._kill_one] * (plan.kills - 2 * both),
            *[self._kill_both] * both,
            *[self._kill_database] * plan.database_kills,
            *[self._storm] * plan.database_kills,
            *[self._silence] * plan.database_kills,
            *[self._cut, self._refresh] * (plan.database_kills if plan.transport == "socket" else 0),
        ]
        self._chance.shuffle(blows)
        for fallen, blow in enumerate(blows, start=1):
            self._share = plan.messages * fallen // len(blows)
            await asyncio.sleep(self._chance.uniform(*LULL))
            await blow()
        self._share = plan.messages

    async def _kill_one(self) -> None:
        """The other one goes on."""
        victim = self._chance.choice(list(self._replicas))
        await self._all_up()
        await self._kill(victim)

    async def _kill_both(self) -> None:
        await self._all_up()
        for host in self._replicas:
            await self._kill(host)

    async def _kill(self, host: str) -> None:
        if self._chance.random() < AIMED:
            await self._posting(host)
        cut_off = self._cut_off(host)
        await self._replicas[host].kill()
        self._report.kills += 1
        self._report.in_doubt += bool(cut_off)
        self._report.in_slack += any(post.arrived for post in cut_off)
        self._starting[host] = asyncio.create_task(self._replicas[host].start())

    def _cut_off(self, host: str) -> list[Post]:
        """What a replica's end cuts off now."""
        return [post for post in self._posts.under_way if post.sender == host]

    async def _posting(self, host: str) -> None:
        """Waits a little until the replica has a post on its way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                while not self._cut_off(host):  # noqa: ASYNC110 - for a moment, not an event
                    await asyncio.sleep(0.002)

    async def _all_up(self) -> None:
        await asyncio.gather(*self._starting.values())

    async def _start_again(self, sql: asyncpg.Connection) -> None:
        """At its start the desk reads back what Slack has given up or dropped."""
        read = await sql.fetchval("select extract(epoch from now() - max(read_to))::float from threadesk.readings")
        await asyncio.sleep(max(0.0, UNREAD_SECONDS + 1 - read))
        began = await sql.fetchval("select now()")
        for replica in self._replicas.values():
            await replica.stop()
            await replica.start()
        with suppress(TimeoutError):
            # What somebody was reading who was killed is read again when their lease is over.
            async with asyncio.timeout(REST_SECONDS):
                unread = "select exists (select from threadesk.readings where read_to < $1)"
                while await sql.fetchval(unread, began):  # noqa: ASYNC110 - nobody says
                    await asyncio.sleep(0.1)

    async def _kill_database(self) -> None:
        await self._postgres.kill()
        self._report.database_kills += 1
        await asyncio.sleep(self._chance.uniform(0, 1))
        await self._postgres.start()

    async def _storm(self) -> None:
        self._town.sandbox.storm(STORM_SECONDS)

    async def _silence(self) -> None:
        self._town.sandbox.silence(SILENCE_SECONDS, dropped=True)

    async def _cut(self) -> None:
        self._town.sandbox.cut_sockets()

    async def _refresh(self) -> None:
        await self._town.sandbox.refresh_sockets()

    async def _connected(self) -> asyncpg.Connection:
        sql = await asyncpg.connect(self._postgres.url)
        await sql.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        return sql

    async def _at_rest(self, sql: asyncpg.Connection) -> None:
        """Waits until Slack shows everything that the tables say, and the desk asks nothing more."""
        done, since = 0, time.monotonic()
        while (waiting := await _waiting(sql)) or time.monotonic() < since + QUIET_SECONDS:
            await self._town.sandbox.settled(REST_SECONDS)
            if done != len(self._town.sandbox.calls):
                done, since = len(self._town.sandbox.calls), time.monotonic()
            elif time.monotonic() > since + REST_SECONDS:
                self._report.findings.lost += [f"still waiting: {what}" for what in waiting]
                return
            await asyncio.sleep(0.1)


async def _waiting(sql: asyncpg.Connection) -> list[str]:
    rows = await sql.fetch(
        """
        select 'to show: ' || to_show::text as what from threadesk.to_show
        union all select 'reply: ' || id from threadesk.replies where state = 'held'
        union all select 'notice: ' || key from threadesk.notices where sent_at is null and refused is null
        """
    )
    return [row["what"] for row in rows]
