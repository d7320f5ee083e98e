"""Two desks on one database, behind one request URL: together they do what one does, and a restart goes unnoticed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot import app
from bot.app import Running
from bot.sandbox import Channel, Message
from tests.conftest import Office, World
from tests.delivery.test_courier import by_desk, command, opened, posted_once


class Balancer:
    """A load balancer: each request goes to the next desk; one that refuses the connection is passed over."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.desks: list[Running] = []
        self._http = http
        self._turn = 0

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self._turn += 1
        for place in range(len(self.desks)):
            desk = self.desks[(self._turn + place) % len(self.desks)]
            url = f"http://127.0.0.1:{desk.port}/slack/events"
            try:
                async with self._http.post(url, data=body, headers=request.headers) as answer:
                    kept = {"Content-Type": answer.headers.get("Content-Type", "text/plain")}
                    return web.Response(status=answer.status, body=await answer.read(), headers=kept)
            except aiohttp.ClientConnectorError:
                continue
            except aiohttp.ClientError:
                break
        return web.Response(status=502)


class Replicas:
    """Desks that can be started and stopped one by one."""

    def __init__(self, world: World, database_url: str, balancer: Balancer) -> None:
        self._world, self._url, self._balancer = world, database_url, balancer
        self._stacks: dict[int, AsyncExitStack] = {}

    @property
    def running(self) -> list[Running]:
        return [desk for desk in self._balancer.desks if desk.port in self._stacks]

    async def start(self, **changes: Any) -> Running:
        stack = AsyncExitStack()
        settings = self._world.settings(self._url, **changes)
        desk = await stack.enter_async_context(app.running(settings, migrating=False, clock=self._world.clock))
        self._stacks[desk.port] = stack
        self._balancer.desks.append(desk)
        return desk

    async def stop(self, desk: Running) -> None:
        """As on SIGTERM; the balancer finds out by itself that nobody is there any more."""
        await self._stacks.pop(desk.port).aclose()

    async def stop_all(self) -> None:
        for port in list(self._stacks):
            await self._stacks.pop(port).aclose()


@pytest.fixture
async def replicas(world: World, database_url: str) -> AsyncIterator[Replicas]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
        balancer = Balancer(http)
        gate = web.Application()
        gate.router.add_post("/slack/events", balancer.handle)
        async with TestServer(gate) as server:
            desks = Replicas(world, database_url, balancer)
            world.sandbox.deliver_to(str(server.make_url("/slack/events")))
            yield desks
            world.sandbox.deliver_to(None)
            await desks.stop_all()


@asynccontextmanager
async def two(world: World, desks: Replicas, sql: asyncpg.Connection, **changes: Any) -> AsyncIterator[Office]:
    """An office of two desks; what it asks of the running one it asks of the first."""
    first = await desks.start(**changes)
    await desks.start(**changes)
    yield Office(world, first, sql)


async def test_what_arrives_at_either_is_recorded_and_shown_once_and_in_order(
    world: World, sql: asyncpg.Connection, replicas: Replicas
) -> None:
    async with two(world, replicas, sql) as office:
        roots = [await world.ada.post(world.help, f"Question {n}") for n in range(4)]
        await office.at_rest()
        numbers = await numbers_of(office, roots)
        for n in range(3):
            for root in roots:
                await world.bob.post(world.help, f"Detail {n}", thread_ts=root.ts)
            await office.at_rest()
        for place, number in enumerate(numbers):
            details = [f"Detail {n}" for n in range(3)]
            assert await office.said(number) == [f"Question {place}", *details]
            assert office.thread(office.card(number)) == [f"Question {place}", *details]
        assert [one.text[:3] for one in by_desk(office, world.triage)].count("#1 ") == 1
        assert len(office.sandbox.messages(world.triage)) == 4
        assert [len(by_desk_in(office, root)) for root in roots] == [1] * 4
        assert posted_once(office)


async def numbers_of(office: Office, roots: Sequence[Message]) -> list[int]:
    question = "select number from threadesk.desk_tickets where root_ts = $1"
    return [await office.sql.fetchval(question, root.ts) for root in roots]


def by_desk_in(office: Office, root: Message) -> list[Message]:
    return [one for one in by_desk(office, office.world.help) if one.thread_ts == root.ts]


async def test_who_is_an_agent_holds_at_once_for_both(
    world: World, sql: asyncpg.Connection, replicas: Replicas
) -> None:
    """However the balancer deals them out, whoever hears of it first tells all through the tables."""
    async with two(world, replicas, sql) as office:
        await opened(office)
        await office.sandbox.invite(world.triage, world.ben, by=world.grace)
        await office.sandbox.settled()
        for n in range(4):
            assert (await world.ben.command("/ticket", f"note 1 note {n}", channel=world.triage)).ok
        assert await office.notes() == [f"note {n}" for n in range(4)]
        await office.sandbox.kick(world.triage, world.ben)
        await office.sandbox.settled()
        for _ in range(4):
            answered = await world.ben.command("/ticket", "note 1 again", channel=world.help)
            assert "You have no ticket #1." in str(vars(answered))
        assert len(await office.notes()) == 4
        await office.at_rest()


async def test_a_held_reply_is_sent_by_one_of_them(world: World, sql: asyncpg.Connection, replicas: Replicas) -> None:
    async with two(world, replicas, sql, reply_undo_seconds=60) as office:
        roots = [await opened(office, f"Question {n}") for n in range(5)]
        for n in range(5):
            await command(office, f"reply {n + 1} Answer {n}")
        await office.at_rest()
        world.clock.advance(seconds=61)
        await office.at_rest()
        for n, root in enumerate(roots):
            assert await office.said(n + 1) == [f"Question {n}", f"Answer {n}"]
            assert office.thread(root)[1:] == [f"Answer {n}"]
        assert posted_once(office)


async def test_together_they_keep_the_pace_of_one(world: World, sql: asyncpg.Connection, replicas: Replicas) -> None:
    pace = 0.1
    async with two(world, replicas, sql, post_interval_seconds=pace) as office:
        for n in range(5):
            await world.ada.post(world.help, f"Question {n}")
        await office.at_rest()
        assert (len(by_desk(office, world.help)), len(by_desk(office, world.triage))) == (5, 10)
        for channel in (world.help, world.triage):
            posted_at = posts(office, channel)
            assert min(later - earlier for earlier, later in pairwise(posted_at)) >= pace
        assert not [one for one in office.sandbox.calls if one.response.get("error") == "ratelimited"]
        assert await sql.fetchval("select count(*) from threadesk.posted where ts is not null") == 15


def posts(office: Office, channel: Channel) -> list[float]:
    """When the desks posted into the channel, in order."""
    calls = (one for one in office.sandbox.calls if one.method == "chat.postMessage")
    return [one.at for one in calls if one.args["channel"] == channel.id]


async def test_a_pause_that_slack_asks_of_one_holds_for_the_other(
    world: World, sql: asyncpg.Connection, replicas: Replicas
) -> None:
    async with two(world, replicas, sql) as office:
        await opened(office)
        office.sandbox.disrupt("chat.postMessage", "ratelimited", seconds=2)
        await command(office, "reply 1 First")
        question = "select free_at from threadesk.lanes where free_at > clock_timestamp() + interval '1.5 s'"
        async with asyncio.timeout(10):
            while not (paused_until := await sql.fetchval(question)):  # noqa: ASYNC110 - the database says so to nobody
                await asyncio.sleep(0.01)
        lane = await sql.fetchval("select lane from threadesk.lanes where free_at = $1", paused_until)
        channel = world.help if lane == world.help.id else world.triage
        before = len(posts(office, channel))
        await command(office, "close 1")
        await office.at_rest()
        assert len(posts(office, channel)) > before
        assert min(posts(office, channel)[before:]) >= paused_until.timestamp() - 0.05


async def test_a_rolling_restart_loses_and_doubles_nothing(
    world: World, sql: asyncpg.Connection, replicas: Replicas
) -> None:
    first, second = await replicas.start(), await replicas.start()
    office = Office(world, first, sql)
    root = await opened(office, "Where is it?")
    said = ["Where is it?"]
    going_on = True

    async def write() -> None:
        while going_on:
            n = len(said)
            await world.ada.post(world.help, f"Detail {n}", thread_ts=root.ts)
            await world.bob.post(world.help, f"Question {n}")
            said.append(f"Detail {n}")
            await asyncio.sleep(0.4)

    async def more_is_written() -> None:
        known = len(said)
        while len(said) == known:  # noqa: ASYNC110 - people write when they like
            await asyncio.sleep(0.01)

    writing = asyncio.create_task(write())
    for old in (first, second):
        await more_is_written()
        await replicas.stop(old)
        await more_is_written()
        office.running = await replicas.start()
    await more_is_written()
    going_on = False
    await writing
    await office.at_rest()

    assert await office.said() == said
    titles = [row["title"] for row in await sql.fetch("select title from tickets order by created_at")]
    assert sorted(titles) == sorted(["Where is it?", *(f"Question {n}" for n in range(1, len(said)))])
    mirrored = [text for text in office.thread(office.card()) if "Detail" in text]
    assert sorted(mirrored) == sorted(said[1:])
    assert len(office.sandbox.messages(world.triage)) == len(titles)
    assert posted_once(office)


async def test_what_is_set_up_at_one_holds_for_the_other_at_once(
    world: World, sql: asyncpg.Connection, replicas: Replicas
) -> None:
    async with two(world, replicas, sql) as office:
        for mode, expected in (("on_request", 0), ("every_message", 4)):
            assert (await world.grace.command("/ticket", "setup", channel=world.help)).ok
            assert (await world.grace.submit({"mode": mode})).ok
            for n in range(4):
                await world.ada.post(world.help, f"Question {n}")
            await office.at_rest()
            assert await sql.fetchval("select count(*) from tickets") == expected


async def test_files_are_copied_by_one_of_them_and_nothing_is_echoed(
    world: World, sql: asyncpg.Connection, replicas: Replicas
) -> None:
    async with two(world, replicas, sql) as office:
        root = await opened(office)
        for n in range(3):
            log = (f"{n}.log", "text/plain", str(n).encode())
            await world.ada.post(world.help, f"Log {n}", thread_ts=root.ts, files=[log])
            await world.grace.post(world.help, f"Got {n}", thread_ts=root.ts, files=[log])
        await office.at_rest()
        copied = [file.name for one in by_desk(office, world.triage) for file in one.files]
        assert sorted(copied) == ["0.log", "0.log", "1.log", "1.log", "2.log", "2.log"]
        assert len(await office.said()) == 7
        assert await office.notes() == []
        uploads = [one for one in office.sandbox.calls if one.method == "files.getUploadURLExternal"]
        assert len(uploads) == 6
        assert posted_once(office)


async def test_the_turn_goes_round_over_both(world: World, sql: asyncpg.Connection, replicas: Replicas) -> None:
    async with two(world, replicas, sql) as office:
        assert (await world.grace.command("/ticket", "setup", channel=world.help)).ok
        assert (await world.grace.submit({"assignees": [world.grace, world.linus]})).ok
        await asyncio.gather(*(one.post(world.help, "Help!") for one in (world.ada, world.bob, world.ben)))
        await world.ada.dm("Not from there")
        await asyncio.gather(*(one.post(world.help, "Help again!") for one in (world.ada, world.bob, world.ben)))
        await office.at_rest()
        shared = await sql.fetch("select count(*) from tickets where source_channel = 'slack' group by assigned_to")
        assert sorted(one["count"] for one in shared) == [1, 3, 3]
