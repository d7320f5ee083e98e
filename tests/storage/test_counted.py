"""What figures count stands beside the ledger, and always as the ledger has it: whoever writes, and in any order."""

from __future__ import annotations

import asyncio
import datetime as dt
from uuid import UUID

import asyncpg
import pytest

from storage import people
from storage.engine import Database
from tests.conftest import other_program
from tests.delivery.test_courier import until
from tests.tickets import counted
from tests.tickets.test_digest import Desk

NOW = dt.datetime(2025, 11, 17, 10, tzinfo=dt.UTC)


def after(**span: float) -> dt.datetime:
    return NOW + dt.timedelta(**span)


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database, "G1")


async def spent(sql: asyncpg.Connection, ticket: UUID) -> list[tuple[str | None, list[dt.datetime]]]:
    """Of the first answer (None) and each closing, in the order of their times."""
    rows = await sql.fetch(
        "select status, spent from threadesk.counted where ticket_id = $1 and spent is not null order by at", ticket
    )
    return [(row["status"], row["spent"]) for row in rows]


async def test_a_closing_and_the_first_answer_keep_when_the_ticket_had_been_new_or_open(
    desk: Desk, sql: asyncpg.Connection
) -> None:
    grace = await desk.person("Grace")
    ticket = await desk.open(NOW)
    await desk.set(ticket, after(hours=1), grace, status="open")
    await desk.says(ticket, after(hours=2), grace, "agent")
    await desk.set(ticket, after(hours=2), grace, status="pending")
    await desk.set(ticket, after(hours=3), grace, status="open")
    await desk.says(ticket, after(hours=4), grace, "agent")
    await desk.set(ticket, after(hours=5), grace, status="closed")
    await desk.set(ticket, after(hours=6), grace, status="pending")
    await desk.set(ticket, after(hours=7), grace, status="closed")
    worked = [NOW, after(hours=2), after(hours=3), after(hours=5)]
    assert await spent(sql, ticket) == [(None, worked[:2]), ("closed", worked), ("closed", worked)]
    again = "select again_at from threadesk.counted where status = 'closed' order by at"
    assert [row["again_at"] for row in await sql.fetch(again)] == [after(hours=7), None]
    assert await counted.disagreeing(sql) == []


async def test_an_answer_that_comes_late_is_the_first_one_after_all(desk: Desk, sql: asyncpg.Connection) -> None:
    grace = await desk.person("Grace")
    ticket = await desk.open(NOW)
    await desk.says(ticket, after(hours=3), grace, "agent")
    await desk.says(ticket, after(hours=4), grace, "agent", written=after(hours=1))
    await desk.says(ticket, after(hours=4), grace, "agent", written=after(hours=-1))
    assert await spent(sql, ticket) == [(None, [NOW, after(hours=1)])]
    assert await counted.disagreeing(sql) == []


async def test_an_answer_may_be_later_by_slacks_clock_than_what_came_after_it_by_ours(
    desk: Desk, sql: asyncpg.Connection
) -> None:
    grace = await desk.person("Grace")
    ticket = await desk.open(NOW)
    await desk.says(ticket, after(minutes=1), grace, "agent", written=after(minutes=1, seconds=5))
    await desk.set(ticket, after(minutes=1), grace, status="pending")
    assert await spent(sql, ticket) == [(None, [NOW, after(minutes=1)])]
    assert await counted.disagreeing(sql) == []


async def test_what_changes_of_a_ticket_changes_in_what_is_counted_of_it(desk: Desk, sql: asyncpg.Connection) -> None:
    grace = await desk.person("Grace")
    ticket = await desk.open(NOW, priority="high", tags=["vpn"])
    await desk.open(NOW)
    await desk.says(ticket, after(hours=1), grace, "agent")
    await desk.set(ticket, after(hours=2), grace, status="closed")
    for change in (
        "update tickets set priority = 'low', tags = '{billing,null}' where id = $1",
        "update threadesk.desk_tickets set not_a_ticket = true where ticket_id = $1",
        "update threadesk.desk_tickets set channel = 'C2', triage_channel = 'G2' where ticket_id = $1",
        "update threadesk.desk_tickets set requester_team = null, triage_channel = null where ticket_id = $1",
    ):
        await sql.execute(change, ticket)
        assert await counted.disagreeing(sql) == []
    assert await sql.fetchval("select count(*) from threadesk.counted where ticket_id = $1", ticket) == 3
    await sql.execute("delete from tickets where id = $1", ticket)
    assert await sql.fetchval("select count(*) from threadesk.counted") == 1
    assert await counted.disagreeing(sql) == []


async def test_what_is_counted_follows_its_actor(database: Database, desk: Desk, sql: asyncpg.Connection) -> None:
    grace, known = await desk.person("Grace"), await desk.person("Grace2")
    ticket = await desk.open(NOW)
    await desk.set(ticket, after(hours=1), grace, status="closed")
    async with database.transaction(NOW) as tx:
        await people.become(tx, grace, known.user_id)
    assert await sql.fetchval("select actor from threadesk.counted where status = 'closed'") == known.user_id
    assert await counted.disagreeing(sql) == []


async def test_a_ticket_that_turns_out_to_be_none_while_it_is_changed_is_counted_nowhere(
    database: Database, database_url: str, desk: Desk, sql: asyncpg.Connection
) -> None:
    """Another program marks it in the desk's own table, without a lock on the ticket."""
    ticket = await desk.open(NOW)
    async with other_program(database_url) as other:
        async with sql.transaction():
            await sql.execute("update threadesk.desk_tickets set not_a_ticket = true where ticket_id = $1", ticket)
            closing = asyncio.create_task(other.execute("update tickets set status = 'closed' where id = $1", ticket))
            await until(lambda: sql.fetchval("select exists (select from pg_locks where not granted)"))
        await closing
    assert [row["not_a_ticket"] for row in await sql.fetch("select not_a_ticket from threadesk.counted")] == [True] * 2
    assert await counted.disagreeing(sql) == []


@pytest.mark.parametrize(
    "wrong",
    ["set spent = null", "set spent = spent[:1]", "set tags = '{}'", "set not_a_ticket = null", "set line = 1"],
)
async def test_the_database_refuses_what_cannot_be_counted(desk: Desk, sql: asyncpg.Connection, wrong: str) -> None:
    ticket = await desk.open(NOW)
    await desk.set(ticket, after(hours=1), status="closed")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await sql.execute(f"update threadesk.counted {wrong} where status = 'closed'")


async def test_a_second_first_answer_is_refused(desk: Desk, sql: asyncpg.Connection) -> None:
    grace = await desk.person("Grace")
    await desk.says(await desk.open(NOW), after(hours=1), grace, "agent")
    with pytest.raises(asyncpg.UniqueViolationError):
        await sql.execute(
            "insert into threadesk.counted (ticket_id, line, at, urgency, not_a_ticket, role, spent)"
            " select ticket_id, line + 100, at, 1, false, role, spent from threadesk.counted where status is null"
        )
