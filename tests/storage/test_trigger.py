"""The one trigger that serves every writer: numbers, ledger and marks, for the desk and for plain SQL of others."""

import asyncio
import datetime as dt
import json
import secrets
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from storage import tickets
from storage.engine import CHANNEL, Database

NOW = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)
#: Stands in everything that a person may have typed; the ledger must not hold it.
WORDS = "hush-hush"


@pytest.fixture(autouse=True)
async def triage(sql: asyncpg.Connection) -> None:
    await sql.execute("insert into threadesk.channels (id, name, role) values ('C-TRIAGE', 'triage', 'triage')")


async def user(sql: asyncpg.Connection) -> UUID:
    made = await sql.fetchval("insert into auth.users default values returning id")
    assert isinstance(made, UUID)
    return made


async def ticket(sql: asyncpg.Connection, **columns: Any) -> UUID:
    values = {"title": WORDS, "description": WORDS, "status": "new", "priority": "low"} | columns
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    made = await sql.fetchval(
        f"insert into tickets ({', '.join(values)}) values ({places}) returning id", *values.values()
    )
    assert isinstance(made, UUID)
    return made


def word(author: object = None, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "content": WORDS,
        "created_at": NOW.isoformat(),
        "created_by": None if author is None else str(author),
        "attachments": [],
    } | changes


async def write(sql: asyncpg.Connection, *words: dict[str, Any]) -> None:
    await sql.execute("update tickets set conversation_history = $1", {"messages": list(words)})


async def ledger(sql: asyncpg.Connection) -> list[tuple[Any, ...]]:
    """(what, role, actor, before, after), oldest first; without the opening."""
    rows = await sql.fetch(
        "select what, role, actor, before, after from threadesk.ledger where what <> 'opened' order by id"
    )
    return [tuple(row) for row in rows]


async def marks(sql: asyncpg.Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await sql.fetch("select side, lane, version from threadesk.to_show order by side")]


async def test_another_programs_ticket_gets_all_that_the_desks_have(sql: asyncpg.Connection) -> None:
    ada, grace = await user(sql), await user(sql)
    messages = [word(ada), word(grace), word()]
    ticket_id = await ticket(
        sql,
        created_by=ada,
        assigned_to=[grace],
        tags=["vpn"],
        conversation_history={"messages": messages},
        internal_notes={"notes": [note := word(grace)]},
    )
    async with sql.transaction():
        now = await sql.fetchval("select now()")
        second = await ticket(sql, status="closed")
        desk = await sql.fetch(
            "select number, ticket_id, requester, triage_channel, channel, closings, closed_at"
            " from threadesk.desk_tickets order by number"
        )
    assert [tuple(row) for row in desk] == [
        (1, ticket_id, ada, "C-TRIAGE", None, 0, None),
        (2, second, None, "C-TRIAGE", None, 1, now),
    ]
    opening = await sql.fetchrow("select * from threadesk.ledger where what = 'opened' and ticket_id = $1", ticket_id)
    assert opening is not None
    assert (opening["role"], opening["actor"], opening["before"]) == ("other", None, None)
    assert opening["after"] == {"status": "new", "priority": "low", "assigned_to": [str(grace)], "tags": ["vpn"]}
    written = await sql.fetch(
        "select message_id, kind, author_role, created_by, created_at, ts from threadesk.messages"
    )
    assert {tuple(row) for row in written} == {
        (UUID(messages[0]["id"]), "message", "customer", ada, NOW, None),
        (UUID(messages[1]["id"]), "message", "agent", grace, NOW, None),
        (UUID(messages[2]["id"]), "message", "other", None, NOW, None),
        (UUID(note["id"]), "note", "agent", grace, NOW, None),
    }
    assert await marks(sql) == [("triage", "C-TRIAGE", 1)], "one that comes closed has a number, and no card as yet"


async def test_every_change_is_in_the_ledger_with_values_and_without_words(sql: asyncpg.Connection) -> None:
    ada, grace = await user(sql), await user(sql)
    await sql.execute(
        "insert into customers (id, first_name, last_name, email) values ($1, $2, $2, $2)",
        ada,
        f"{WORDS}@globex.example",
    )
    await ticket(sql, created_by=ada)
    submitted = {"comment": WORDS, "submitted_at": NOW.isoformat()}
    for column, value in {
        "status": "open",
        "priority": "high",
        "tags": ["vpn"],
        "assigned_to": [grace],
        "feedback": submitted | {"rating": 4},
        "title": f"{WORDS}!",
        "description": f"{WORDS}!",
        "custom_fields": {"note": WORDS},
        "customer_email": f"{WORDS}@globex.example",
    }.items():
        await sql.execute(f"update tickets set {column} = $1", value)
    assert await ledger(sql) == [
        ("status", "other", None, "new", "open"),
        ("priority", "other", None, "low", "high"),
        ("tags", "other", None, None, ["vpn"]),
        ("assigned_to", "other", None, None, [str(grace)]),
        ("rating", "other", None, None, 4),
        ("title", "other", None, None, None),
        ("description", "other", None, None, None),
        ("custom_fields", "other", None, None, None),
        ("customer_email", "other", None, None, None),
    ]
    message = word(ada)
    await write(sql, message)
    await write(sql, message | {"content": f"{WORDS}!", "edited_at": NOW.isoformat()})
    await write(sql, message | {"content": "", "deleted_at": NOW.isoformat()})
    await sql.execute("update tickets set internal_notes = $1", {"notes": [word(grace)]})
    assert WORDS not in str(await sql.fetch("select * from threadesk.ledger"))
    assert WORDS not in str(await sql.fetch("select * from threadesk.messages"))


async def test_an_update_that_changes_nothing_is_not_in_the_ledger(sql: asyncpg.Connection) -> None:
    await ticket(sql, conversation_history={"messages": [word()]})
    before = await ledger(sql)
    await sql.execute("update tickets set status = status, title = title, feedback = null, source_channel = 'web'")
    assert await ledger(sql) == before


async def test_many_tickets_in_one_statement(sql: asyncpg.Connection) -> None:
    await sql.execute(
        "insert into tickets (title, description, status, priority)"
        " select 'a', 'b', 'new', 'low' from generate_series(1, 99)"
    )
    await sql.execute("update tickets set status = 'closed'")
    assert await sql.fetchval("select array_agg(number order by number) from threadesk.desk_tickets") == list(
        range(1, 100)
    )
    assert await ledger(sql) == [("status", "other", None, "new", "closed")] * 99
    assert await marks(sql) == [("triage", "C-TRIAGE", 2)] * 99
    assert await sql.fetchval("select count(*) from threadesk.desk_tickets where closings = 1") == 99


async def test_closings_and_reopenings(sql: asyncpg.Connection) -> None:
    await ticket(sql)
    for status, closings in [("closed", 1), ("open", 1), ("pending", 1), ("closed", 2)]:
        await sql.execute("update tickets set status = $1", status)
        row = await sql.fetchrow("select closings, closed_at is not null from threadesk.desk_tickets")
        assert tuple(row or ()) == (closings, status == "closed")


async def test_an_operation_says_who_acts_and_when(database: Database, sql: asyncpg.Connection) -> None:
    grace, ticket_id = await user(sql), await ticket(sql)
    later = NOW + dt.timedelta(days=365)
    async with database.transaction(later) as tx:
        await tx.act_as(grace, "agent")
        await tickets.change(tx, ticket_id, status="closed")
    assert await ledger(sql) == [("status", "agent", grace, "new", "closed")]
    when = await sql.fetchrow(
        "select l.at, d.closed_at, d.last_activity_at from threadesk.ledger l join threadesk.desk_tickets d"
        " using (ticket_id) where l.what = 'status'"
    )
    assert tuple(when or ()) == (later, later, later)


async def test_what_an_operation_said_ends_with_its_transaction(database_url: str, sql: asyncpg.Connection) -> None:
    grace, ticket_id = await user(sql), await ticket(sql)
    alone = Database(database_url, connections=1)
    async with alone.transaction(NOW) as tx:
        await tx.act_as(grace, "agent")
    async with alone.transaction(NOW) as tx:
        await tickets.change(tx, ticket_id, status="open")
    await alone.close()
    assert await ledger(sql) == [("status", "other", None, "new", "open")]


async def test_times_that_are_none(sql: asyncpg.Connection) -> None:
    await ticket(sql)
    times = ["", "soon", "infinity", "-infinity", "0044-03-15 BC", "99999-01-01", "25:61", "2026-02-30", "0"]
    async with sql.transaction():
        now = await sql.fetchval("select now()")
        await write(sql, *(word(created_at=time) for time in times))
    written = await sql.fetch("select created_at from threadesk.messages")
    told = await sql.fetch("select at from threadesk.ledger where what = 'message'")
    assert [row[0] for row in [*written, *told]] == [now] * 2 * len(times)


async def test_authors_that_are_none(sql: asyncpg.Connection) -> None:
    await ticket(sql)
    authors = ["", "me", "U-ADA", "1", "{}", f"{uuid4()} ", f"{uuid4()}\n"]
    await write(sql, *(word(author) for author in authors))
    written = await sql.fetch("select created_by, author_role from threadesk.messages")
    assert [tuple(row) for row in written] == [(None, "other")] * len(authors)


async def test_authors_who_are_strangers(sql: asyncpg.Connection) -> None:
    await ticket(sql)
    await write(sql, word(stranger := uuid4()))
    assert await sql.fetchval("select created_by from threadesk.messages") == stranger


async def test_edits_and_deletions_by_others(sql: asyncpg.Connection) -> None:
    ada = await user(sql)
    await ticket(sql, created_by=ada)
    first, second = word(ada), word(ada, id=str(uuid4()).upper())
    await write(sql, first, second)
    await write(sql, first | {"content": "Better", "edited_at": NOW.isoformat()}, second)
    # The same edit again with other words is how the desk puts names in: shown anew, but nobody's edit.
    await write(sql, first | {"content": "Best", "edited_at": NOW.isoformat()}, second)
    await write(sql, first | {"content": "", "deleted_at": NOW.isoformat()}, second)
    told = [(what, after["id"]) for what, _, _, _, after in await ledger(sql)]
    assert {*told[:2]} == {("message", first["id"]), ("message", second["id"].lower())}
    assert told[2:] == [("message_edited", first["id"]), ("message_deleted", first["id"])]
    known = await sql.fetch("select message_id, version, deleted from threadesk.messages")
    assert {tuple(row) for row in known} == {(UUID(first["id"]), 4, True), (UUID(second["id"]), 1, False)}


async def test_messages_that_another_program_takes_away_break_nothing(
    database: Database, sql: asyncpg.Connection
) -> None:
    ticket_id = await ticket(sql)
    first, second, third = word(), word(), word()
    await write(sql, first, second)
    await write(sql, second)
    await write(sql, third, second, second)
    await sql.execute("update tickets set conversation_history = null")
    await write(sql, third)
    async with database.transaction(NOW) as tx:
        shown = await tickets.conversation(tx, ticket_id, notes=True)
    assert [one.word["id"] for one in shown] == [third["id"]]


async def test_the_same_message_on_two_tickets_breaks_nothing(sql: asyncpg.Connection) -> None:
    first = await ticket(sql, conversation_history={"messages": [copied := word()]})
    await ticket(sql, conversation_history={"messages": [copied]})
    assert await sql.fetchval("select ticket_id from threadesk.messages") == first


async def test_marks_are_one_a_side_and_count_the_changes(database: Database, sql: asyncpg.Connection) -> None:
    ticket_id = await ticket(sql)
    assert await marks(sql) == [("triage", "C-TRIAGE", 1)]
    async with database.transaction(NOW) as tx:
        await tx.act_as(None, "desk")
        await tickets.root_posted(tx, ticket_id, "C-HELP", "1.000001")
        await tickets.change(tx, ticket_id, status="open")
        await tickets.change(tx, ticket_id, priority="high", tags=("vpn",))
    assert await marks(sql) == [("customer", "C-HELP", 2), ("triage", "C-TRIAGE", 3)]
    # The earliest change decides when it is due, whatever comes after.
    assert await sql.fetchval("select array_agg(due_at) from threadesk.to_show") == [NOW, NOW]
    await sql.execute("update tickets set status = 'closed'")
    assert await sql.fetchval("select array_agg(due_at) from threadesk.to_show") == [NOW, NOW]


async def test_a_change_wakes_who_listens(database_url: str, sql: asyncpg.Connection) -> None:
    woken = asyncio.Event()
    listener = await asyncpg.connect(database_url)
    await listener.add_listener(CHANNEL, lambda *_: woken.set())
    await ticket(sql)
    async with asyncio.timeout(5):
        await woken.wait()
    await listener.close()


async def test_a_writer_without_rights_on_our_schema(database_url: str, sql: asyncpg.Connection) -> None:
    grace, role = await user(sql), f"web_{secrets.token_hex(4)}"
    await sql.execute(f"create role {role} login; grant select, insert, update on tickets to {role}")
    web = await asyncpg.connect(database_url, user=role)
    assert await web.fetch("select * from tickets") == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await ticket(web)
    await sql.execute(f"create policy web on tickets to {role} using (true) with check (true)")
    history = json.dumps({"messages": [word(grace)]})
    await ticket(web, assigned_to=[grace], conversation_history=history)
    await web.execute("update tickets set status = 'closed'")
    for forbidden in (
        "select * from threadesk.ledger",
        "select threadesk.mark(null, null)",
        "select * from auth.users",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await web.execute(forbidden)
    await web.close()
    assert [what for what, *_ in await ledger(sql)] == ["message", "status"]
    assert await marks(sql) == [("triage", "C-TRIAGE", 2)]
    await sql.execute(f"drop owned by {role}; drop role {role}")


async def test_the_ledger_is_append_only(sql: asyncpg.Connection) -> None:
    grace, ticket_id = await user(sql), await ticket(sql)
    await sql.execute("select set_config('threadesk.actor', $1, false)", str(grace))
    await sql.execute("update tickets set status = 'open'")
    written = await sql.fetch("select * from threadesk.ledger")
    for change in (
        "update threadesk.ledger set what = what",
        "update threadesk.ledger set at = now() where what = 'status'",
        "update threadesk.ledger set actor = null where what = 'status'",
        "delete from threadesk.ledger where what = 'status'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await sql.execute(change)
    assert await sql.fetch("select * from threadesk.ledger") == written
    await sql.execute("delete from tickets where id = $1", ticket_id)
    assert await ledger(sql) == []


async def test_a_ticket_that_is_deleted_takes_all_that_the_desk_knows_with_it(
    database: Database, sql: asyncpg.Connection
) -> None:
    ticket_id = await ticket(sql, conversation_history={"messages": [word()]})
    async with database.transaction(NOW) as tx:
        await tickets.root_posted(tx, ticket_id, "C-HELP", "1.000001")
    await sql.execute("update tickets set status = 'closed'")
    await sql.execute("delete from tickets")
    for table in ("desk_tickets", "messages", "ledger", "to_show", "threads"):
        assert await sql.fetchval(f"select count(*) from threadesk.{table}") == 0
