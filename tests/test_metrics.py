"""What Prometheus reads of a desk at work, at GET /metrics."""

from __future__ import annotations

import asyncio
import datetime as dt
import time

import aiohttp
import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.metrics import VERSION, Metrics
from storage.engine import Database
from storage.waiting import figures
from tests.conftest import Office, World
from tests.listeners.slack_side import send, send_event

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(exposed: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposed)
        for sample in family.samples
    }


async def scrape(office: Office) -> Samples:
    async with aiohttp.ClientSession() as http, http.get(f"{office.url}/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        return read(await answer.text())


def of(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"threadesk_{name}", frozenset(labels.items())))


@pytest.mark.transports("http", "socket")
async def test_requests_are_counted_by_what_they_were_about_and_what_became_of_them(office: Office) -> None:
    world = office.world
    await world.ada.post(world.help, "The export fails")
    await office.at_rest()
    await world.grace.command("/ticket", "claim 1", channel=world.triage)
    await world.grace.command("/ticket", "claim 99", channel=world.triage)
    await world.grace.command("/ticket", "clame 1", channel=world.triage)
    await office.at_rest()
    # The desk hears its own messages too, the last of them after it has sent it.
    await office.sandbox.settled()
    heard = sum(one.kind == "event" and one.payload["event"]["type"] == "message" for one in office.sandbox.deliveries)
    found = await scrape(office)
    assert of(found, "requests_total", kind="message", result="acknowledged") == heard
    assert of(found, "requests_total", kind="command", result="acknowledged") == 1
    assert of(found, "requests_total", kind="command", result="refused") == 2
    assert of(found, "request_seconds_count", kind="command") == 3
    assert of(found, "request_seconds_count", kind="message") == heard
    seconds = of(found, "request_seconds_sum", kind="message")
    assert seconds is not None
    assert 0 < seconds < 3
    assert of(found, "build_info", version=VERSION) == 1


async def test_a_bug_and_a_database_away_are_told_apart(office: Office) -> None:
    world = office.world
    await office.sql.execute(
        """
        create function fail() returns trigger language plpgsql as
          $$ begin raise exception using errcode = tg_argv[0], message = 'no'; end $$;
        create trigger fails before insert on tickets
          for each row when (new.title = 'bug') execute function fail('22000');
        create trigger ends before insert on tickets
          for each row when (new.title = 'away') execute function fail('57P01');
        """
    )
    for ts, said in enumerate(("bug", "away")):
        event = {"type": "message", "channel": world.help.id, "user": world.ada.id, "text": said, "ts": f"1.00000{ts}"}
        assert await send_event(office, event) == 500
    found = await scrape(office)
    assert of(found, "requests_total", kind="message", result="failed") == 1
    assert of(found, "requests_total", kind="message", result="unavailable") == 1


async def test_whoever_is_not_slack_cannot_make_series(office: Office) -> None:
    body = b'{"type": "event_callback", "event": {"type": "made_up"}}'
    assert (
        await send(office, body, {"X-Slack-Request-Timestamp": str(int(time.time())), "X-Slack-Signature": "v0=1"})
        == 401
    )
    found = await scrape(office)
    assert of(found, "requests_total", kind="unknown", result="rejected") == 1
    assert "made_up" not in str(found)


async def test_calls_to_slack_are_counted_by_method_and_what_slack_answered(office: Office) -> None:
    world = office.world
    office.sandbox.disrupt("chat.postMessage", "ratelimited")
    office.sandbox.disrupt("chat.postMessage", "http_500")
    await world.ada.post(world.help, "The export fails")
    await office.at_rest()
    await world.grace.command("/ticket", "new", channel=world.triage)
    found = await scrape(office)
    posted = [call for call in office.sandbox.calls if call.method == "chat.postMessage" and call.response["ok"]]
    assert of(found, "slack_calls_total", method="chat.postMessage", result="ok") == len(posted)
    assert of(found, "slack_calls_total", method="chat.postMessage", result="ratelimited") == 1
    assert of(found, "slack_calls_total", method="chat.postMessage", result="unclear") == 1
    assert of(found, "slack_call_seconds_count", method="chat.postMessage") == len(posted) + 2
    assert of(found, "slack_calls_total", method="views.open", result="ok") == 1


async def test_a_call_that_slack_refuses_is_counted_as_refused(office: Office) -> None:
    world = office.world
    world.triage.archived = True  # and nobody tells the desk
    await world.ada.post(world.help, "The export fails")
    refused = {"method": "chat.postMessage", "result": "refused"}
    async with asyncio.timeout(20):
        while of(found := await scrape(office), "slack_calls_total", **refused) is None:
            pass
    assert of(found, "slack_calls_total", **refused) == 1


async def test_what_waits_is_told_with_how_long_it_has_been_due(office: Office) -> None:
    """Nothing is due for an hour, as far as the courier knows; then the clock is moved."""
    world = office.world
    await world.ada.post(world.help, "The export fails")
    await office.at_rest()
    assert of(await scrape(office), "waiting", what="tickets") == 0
    await office.sql.execute(
        """
        insert into threadesk.lanes (lane, free_at) values ('closed', 'infinity');
        insert into threadesk.to_show (ticket_id, side, lane, due_at, marked_at)
          select ticket_id, 'triage', 'closed', now(), now() - interval '10 minutes' from threadesk.desk_tickets;
        insert into threadesk.notices (key, kind, lane, channel, message, due_at, made_at) values
          ('one', 'channel', 'closed', 'C1', '{}', now(), now() - interval '2 minutes'),
          ('two', 'channel', 'closed', 'C1', '{}', now() + interval '1 hour', now());
        insert into threadesk.notices (key, kind, lane, channel, message, due_at, refused) values
          ('three', 'channel', 'closed', 'C1', '{}', now(), 'msg_too_long'),
          ('four', 'channel', 'closed', 'C1', '{}', now(), 'suspended');
        """
    )
    found = await scrape(office)
    assert of(found, "up", what="database") == 1
    assert {what: of(found, "waiting", what=what) for what in ("tickets", "notices", "replies", "parked")} == {
        "tickets": 1,
        "notices": 2,
        "replies": 0,
        "parked": 1,
    }
    tickets, notices = (of(found, "waiting_seconds", what=what) for what in ("tickets", "notices"))
    assert tickets is not None
    assert notices is not None
    assert 600 <= tickets < 620
    assert 120 <= notices < 140
    await office.sql.execute("delete from threadesk.to_show; delete from threadesk.notices")


async def test_without_its_database_the_desk_says_so_and_nothing_of_what_waits(office: Office, postgres: str) -> None:
    assert of(await scrape(office), "waiting", what="tickets") == 0
    name = await office.sql.fetchval("select current_database()")
    mine = await office.sql.fetchval("select pg_backend_pid()")
    administrator = await asyncpg.connect(postgres)
    try:
        await administrator.execute(f"alter database {name} allow_connections false")
        await administrator.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> $2", name, mine
        )
        found = await scrape(office)
        assert of(found, "up", what="database") == 0
        assert not [name for name, _ in found if name.startswith("threadesk_waiting")]
    finally:
        await administrator.execute(f"alter database {name} allow_connections true")
        await administrator.close()
    found = await scrape(office)
    assert of(found, "up", what="database") == 1
    assert of(found, "waiting", what="tickets") == 0


async def test_two_desks_in_one_process_count_for_themselves(world: World) -> None:
    one, other = Metrics(), Metrics()
    one.caught_up(channels=3, calls=4, messages=2, edits=1, deletions=0)
    one.caught_up(channels=3, calls=3, messages=0, edits=0, deletions=0)
    found = read(one.exposed(None).decode())
    assert of(found, "catch_up_runs_total") == 2
    assert of(found, "catch_up_channels_total") == 6
    assert of(found, "catch_up_calls_total") == 7
    assert of(found, "catch_up_recovered_total", what="messages") == 2
    assert of(found, "catch_up_recovered_total", what="deletions") == 0
    assert of(read(other.exposed(None).decode()), "catch_up_runs_total") == 0


async def test_what_waits_is_told_quickly_with_a_hundred_thousand_marks(
    database: Database, sql: asyncpg.Connection
) -> None:
    await sql.execute(
        """
        alter table threadesk.to_show drop constraint to_show_ticket_id_fkey;
        insert into threadesk.to_show (ticket_id, side, lane, due_at)
          select gen_random_uuid(), 'triage', 'C' || n % 50, now() - interval '1 minute'
          from generate_series(1, 100000) as s (n);
        """
    )
    async with database.transaction(dt.datetime.now(dt.UTC)) as tx:
        took = []
        for _ in range(5):
            began = time.perf_counter()
            waiting = await figures(tx)
            took.append(time.perf_counter() - began)
    assert waiting.tickets == 100_000
    assert min(took) < 0.25, took
