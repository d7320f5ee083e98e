"""Socket Mode: acknowledged after the commit and where it came from, without a gap, and over in good order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg
import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot import app
from bot.app import StartError
from bot.delivery.slack import patient_client
from bot.listeners import socket
from bot.listeners.socket import SocketMode
from bot.metrics import Metrics
from bot.sandbox.delivery import Parcel
from bot.sandbox.sockets import MOST
from tests.conftest import Office, World

pytestmark = pytest.mark.transports("socket")


@dataclass
class Line:
    """What comes over the connections: a listener that writes it down, and can be made to wait."""

    heard: list[str] = field(default_factory=list)
    gaps: int = 0
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    change: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def hear(self, event: Mapping[str, Any]) -> None:
        async with self.change:
            self.heard.append(event["text"])
            self.change.notify_all()
        await self.hold.wait()

    async def has_heard(self, count: int) -> None:
        async with asyncio.timeout(5), self.change:
            await self.change.wait_for(lambda: len(self.heard) >= count)

    def note_gap(self) -> None:
        self.gaps += 1


@asynccontextmanager
async def line(
    world: World, connections: int, on_gap: Callable[[], None] | None = None
) -> AsyncIterator[tuple[Line, SocketMode]]:
    client = AsyncWebClient(token=world.sandbox.bot_token, base_url=world.sandbox.api_url)
    bolt = AsyncApp(client=client, signing_secret="", process_before_response=True)
    slack = patient_client(world.sandbox.app_token, world.sandbox.api_url, Metrics())
    desk = Line()
    desk.hold.set()
    bolt.event("message")(desk.hear)
    sockets = SocketMode(bolt, slack, connections, on_gap=on_gap or desk.note_gap, on_failure=desk.failed.set)
    await sockets.start()
    try:
        yield desk, sockets
    finally:
        await sockets.stop()


async def readyz(office: Office) -> dict[str, bool]:
    async with aiohttp.ClientSession() as http, http.get(f"{office.url}/readyz") as answer:
        checks: dict[str, bool] = await answer.json()
        return checks


async def desk_waits_for_a_lock(sql: asyncpg.Connection) -> None:
    waiting = "datname = current_database() and wait_event_type = 'Lock'"
    async with asyncio.timeout(5):
        while not await sql.fetchval(f"select exists (select from pg_stat_activity where {waiting})"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_event_is_acknowledged_after_the_commit_and_not_before(office: Office) -> None:
    async with office.sql.transaction():
        await office.sql.execute("lock table tickets")
        await office.world.ada.post(office.world.help, "The export fails")
        await desk_waits_for_a_lock(office.sql)
        [delivery] = office.sandbox.deliveries
        early = delivery.status
    await office.at_rest()
    assert (early, delivery.status, delivery.acknowledged) == (None, 200, True)


async def test_an_event_whose_transaction_fails_is_not_acknowledged_and_comes_again(office: Office) -> None:
    await office.sql.execute(
        """
        create sequence attempts;
        create function fail_once() returns trigger language plpgsql as
          $$ begin
            if nextval('attempts') = 1 then
              perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(10);
            end if;
            return new;
          end $$;
        create trigger fails_once before insert on tickets for each row execute function fail_once();
        """
    )
    root = await office.world.ada.post(office.world.help, "The export fails")
    await office.at_rest()
    about = [one for one in office.sandbox.deliveries if one.payload["event"]["ts"] == root.ts]
    assert [(one.retry, one.status) for one in about] == [(0, None), (1, 200)]
    assert [tuple(row) for row in await office.sql.fetch("select title from tickets")] == [("The export fails",)]


async def test_messages_flow_through_refreshes_and_breaks_without_loss_or_double(office: Office) -> None:
    world = office.world
    root = await world.ada.post(world.help, "0")
    await office.sandbox.settled()

    async def talk() -> None:
        for number in range(1, 31):
            await world.ada.post(world.help, str(number), thread_ts=root.ts)
            await asyncio.sleep(0.02)

    talking = asyncio.create_task(talk())
    await office.sandbox.refresh_sockets()
    await office.sandbox.connected(2)
    office.sandbox.cut_sockets()
    await office.sandbox.refresh_sockets()
    await talking
    await office.at_rest()
    assert await office.said() == [str(number) for number in range(31)]
    assert sorted(office.thread(office.card()), key=int) == [str(number) for number in range(31)]


async def test_readiness_tells_whether_a_connection_is_open_and_slack_has_no_other_way_in(office: Office) -> None:
    assert await readyz(office) == {"database": True, "migrations": True, "slack": True, "socket": True}
    async with aiohttp.ClientSession() as http, http.post(f"{office.url}/slack/events", data=b"{}") as answer:
        assert answer.status == 404
    office.sandbox.deliver_to(None)
    await office.sandbox.connected(0)
    async with asyncio.timeout(5):
        while (await readyz(office))["socket"]:  # noqa: ASYNC110 - from outside there is nothing else to wait for
            await asyncio.sleep(0.01)
    office.sandbox.deliver_over_sockets()
    await office.sandbox.connected(2)
    assert (await readyz(office))["socket"]


async def test_a_successor_is_open_before_the_connection_ends(world: World) -> None:
    async with line(world, 1) as (desk, _):
        [old] = world.sandbox.sockets
        await old.disconnect("warning")
        await world.sandbox.connected(2)
        await world.sandbox.refresh_sockets(old)
        await world.sandbox.connected(1)
        await world.ada.post(world.help, "after")
        await world.sandbox.settled()
        assert desk.heard == ["after"]
    assert not desk.gaps


async def test_what_a_connection_brought_is_acknowledged_on_it_when_it_is_the_old_one(world: World) -> None:
    async with line(world, 1) as (desk, _):
        desk.hold.clear()
        await world.ada.post(world.help, "under way")
        await desk.has_heard(1)
        [old] = world.sandbox.sockets
        await old.disconnect("warning")
        await world.sandbox.connected(2)
        desk.hold.set()
        await world.sandbox.settled()
    assert [(one.retry, one.status) for one in world.sandbox.deliveries] == [(0, 200)]


async def test_a_connection_that_slack_has_ended_and_does_not_close_is_closed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "FINISHING_SECONDS", 0.1)
    async with line(world, 1) as (desk, _):
        [old] = world.sandbox.sockets
        await old.disconnect("refresh_requested")
        await world.sandbox.connected(2)
        await world.sandbox.connected(1)
        assert old not in world.sandbox.sockets
        await world.ada.post(world.help, "x")
        await world.sandbox.settled()
        assert desk.heard == ["x"]


async def test_connections_that_are_no_longer_kept_are_told(world: World) -> None:
    def broken() -> None:
        raise LookupError

    async with line(world, 1, broken) as (desk, _):
        world.sandbox.cut_sockets()
        async with asyncio.timeout(5):
            await desk.failed.wait()


async def test_after_a_time_without_any_connection_the_gap_is_told(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    async with line(world, 2) as (desk, _):
        await world.sandbox.connected(2)
        world.sandbox.sockets[0].cut()
        await world.sandbox.connected(1)
        await world.sandbox.connected(2)
        before = desk.gaps
        world.sandbox.cut_sockets()
        await world.sandbox.connected(0)
        await world.ada.post(world.help, "meanwhile")
        await world.sandbox.connected(2)
        assert (before, desk.gaps) == (0, 1)
        await world.sandbox.settled()
        assert desk.heard == ["meanwhile"]
    logged = capsys.readouterr().out
    assert "connected to Slack" in logged
    for secret in (world.sandbox.app_token, "ticket=", "meanwhile"):
        assert secret not in logged


async def test_where_ten_connections_are_taken_the_desk_waits_for_one(world: World) -> None:
    async with line(world, MOST) as (_, first):
        await world.sandbox.connected(MOST)
        before = len(world.sandbox.calls)
        async with line(world, 1) as (second, waiting):
            assert not waiting.connected
            await asyncio.sleep(0.5)  # without a pause between them, enough for a hundred attempts
            await first.stop()
            await world.sandbox.connected(1)
            await world.ada.post(world.help, "x")
            await world.sandbox.settled()
            assert second.heard == ["x"]
        opened = [one for one in world.sandbox.calls[before:] if one.method == "apps.connections.open"]
        assert len(opened) <= 5


async def test_a_stop_takes_no_more_and_finishes_what_is_under_way(world: World) -> None:
    async with line(world, 1) as (desk, sockets):
        desk.hold.clear()
        await world.ada.post(world.help, "under way")
        await desk.has_heard(1)
        stopping = asyncio.create_task(sockets.stop())
        await asyncio.sleep(0)
        await world.ada.post(world.help, "too late")
        assert not (await asyncio.wait({stopping}, timeout=0.2))[0]
        desk.hold.set()
        await stopping
    first, *others = world.sandbox.deliveries
    assert (first.payload["event"]["text"], first.status) == ("under way", 200)
    assert not any(one.acknowledged for one in others)
    assert desk.heard == ["under way"]


@pytest.mark.parametrize("payload", [[1], "words", None])
async def test_a_payload_that_is_no_object_is_acknowledged_and_dropped(world: World, payload: object) -> None:
    async with line(world, 1) as (desk, _):
        delivery = await world.sandbox.slack.outbox.send_once(Parcel("event", "message", json.dumps(payload)))
        assert delivery.acknowledged
        assert not desk.heard


async def test_a_message_that_is_no_json_does_not_end_the_connection(world: World) -> None:
    async with line(world, 1) as (desk, _):
        for text in ("no json", "[]", "[" * 100_000, '{"type": "unheard_of"}'):
            await world.sandbox.sockets[0].send(text)
        await world.ada.post(world.help, "x")
        await world.sandbox.settled()
        assert (desk.heard, len(world.sandbox.sockets), desk.gaps) == (["x"], 1, 0)


async def test_an_app_level_token_that_slack_does_not_take_is_said_at_start(world: World, database_url: str) -> None:
    with pytest.raises(StartError, match="SLACK_APP_TOKEN") as said:
        async with app.running(world.settings(database_url, slack_app_token="xapp-1-wrong"), migrating=False):
            pass
    assert "xapp-1-wrong" not in str(said.value)


async def test_socket_mode_that_is_switched_off_is_said_at_start(world: World, database_url: str) -> None:
    world.sandbox.deliver_to(None)
    with pytest.raises(StartError, match="Socket Mode is off"):
        async with app.running(world.settings(database_url), migrating=False):
            pass


async def test_with_both_ways_set_socket_mode_counts(world: World, database_url: str) -> None:
    both = world.settings(database_url, slack_signing_secret=world.sandbox.signing_secret)
    async with app.running(both, migrating=False):
        assert world.sandbox.sockets
