"""What other programs write into tables that refuse nothing: every row has a number, and bad JSON breaks no write."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections import Counter
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from bot.blocks import answers
from bot.tickets import files, identity, listing
from storage import channels, people, showing, tickets
from storage.engine import Database
from storage.showing import Mark
from storage.tickets import Origin
from tests.storage.test_listing import DISAGREEING
from tests.storage.test_migrations import until
from tests.storage.test_people import profile
from tests.storage.test_trigger import ticket, user, word

NOW = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)
TAKEN_UP: str = import_module("migrations.versions.0015_other_programs").TAKEN_UP
#: As in a database that was there before the desk.
UNCHECKED = """
alter table tickets drop constraint tickets_conversation_history_shape,
  drop constraint tickets_internal_notes_shape, drop constraint tickets_feedback_shape,
  drop constraint tickets_custom_fields_shape, drop constraint tickets_status_known,
  drop constraint tickets_priority_known;
"""


async def chosen(sql: asyncpg.Connection, name: str, *, suspended: str | None = None) -> None:
    await sql.execute(
        "insert into threadesk.channels (id, name, role, suspended) values ($1, $1, 'triage', $2)", name, suspended
    )


async def shown_in(sql: asyncpg.Connection, ticket_id: UUID) -> str | None:
    found: str | None = await sql.fetchval(
        "select triage_channel from threadesk.desk_tickets where ticket_id = $1", ticket_id
    )
    return found


async def waiting(sql: asyncpg.Connection) -> list[UUID]:
    return [row[0] for row in await sql.fetch("select ticket_id from threadesk.to_show order by due_at, ticket_id")]


async def test_tickets_go_to_the_triage_channel_that_was_chosen_last_or_will_be_first(sql: asyncpg.Connection) -> None:
    early, closed = await ticket(sql), await ticket(sql, status="closed")
    assert [await shown_in(sql, one) for one in (early, closed)] == [None, None]
    await chosen(sql, "C-NEW", suspended=channels.UNREAD)
    assert await shown_in(sql, early) is None, "nobody knows yet who its agents are"
    await sql.execute("update threadesk.channels set suspended = null")
    assert [await shown_in(sql, one) for one in (early, closed)] == ["C-NEW", "C-NEW"]
    assert await waiting(sql) == [early], "what is closed has a number, and a card when it changes"

    await sql.execute("update tickets set status = 'open' where id = $1", closed)
    assert set(await waiting(sql)) == {early, closed}
    await chosen(sql, "C-NEWER")
    await chosen(sql, "C-NEWEST", suspended="it is public")
    assert await shown_in(sql, await ticket(sql)) == "C-NEWER"
    assert await shown_in(sql, early) == "C-NEW"


async def test_rows_from_before_the_desk_are_taken_up(sql: asyncpg.Connection, database: Database) -> None:
    await chosen(sql, "C-TRIAGE")
    grace, mary = await user(sql), await user(sql)
    await sql.execute(
        "insert into customers (id, first_name, last_name, email) values ($1, 'Mary', 'Somerville', 'mary@a.example')",
        mary,
    )
    long_ago = dt.datetime(2020, 5, 1, tzinfo=dt.UTC)
    await sql.execute("alter table tickets disable trigger user")
    old = await ticket(sql, status="closed", created_at=long_ago, updated_at=long_ago + dt.timedelta(days=2))
    odd = await ticket(sql, created_at=long_ago + dt.timedelta(days=1), customer_email="mary@a.example", tags=["vpn"],
        created_by=grace, assigned_to=[grace], conversation_history={"messages": [word(mary), word(created_at="soon")]},
        internal_notes={"notes": [word(grace)]})  # fmt: skip
    before = await sql.fetch("select * from tickets order by id")
    await sql.execute("alter table tickets enable trigger user")

    for _ in range(2):
        await sql.execute(TAKEN_UP)
        assert [tuple(row) for row in await sql.fetch(
            "select ticket_id, number, requester, triage_channel, closings, closed_at, flaws"
            " from threadesk.desk_tickets order by number")] == [
            (old, 1, None, "C-TRIAGE", 1, long_ago + dt.timedelta(days=2), None),
            (odd, 2, mary, "C-TRIAGE", 0, None, {"messages_incomplete": 1}),
        ]  # fmt: skip
        assert await waiting(sql) == [odd]
        assert await sql.fetchval("select count(*) from threadesk.assignments") == 1
        told = await sql.fetch("select what, role, at from threadesk.ledger where ticket_id = $1 order by id", odd)
        opened, *rest = [tuple(row) for row in told]
        assert opened == ("opened", "other", long_ago + dt.timedelta(days=1))
        assert sorted((what, role) for what, role, _ in rest) == [
            ("message", "customer"),
            ("message", "other"),
            ("note", "agent"),
        ]
    assert await sql.fetch("select * from tickets order by id") == before, "no row of theirs is touched"
    assert await sql.fetch(DISAGREEING) == []


#: (what is written, what is counted of it)
WRONG: list[tuple[dict[str, Any], dict[str, int]]] = [
    ({"conversation_history": None}, {}),
    ({"conversation_history": {}}, {}),
    ({"conversation_history": {"messages": None}}, {}),
    ({"conversation_history": []}, {"messages_shape": 1}),
    ({"conversation_history": "hello"}, {"messages_shape": 1}),
    ({"conversation_history": 5}, {"messages_shape": 1}),
    ({"conversation_history": {"messages": {"id": "5"}}}, {"messages_shape": 1}),
    ({"conversation_history": {"messages": "none"}}, {"messages_shape": 1}),
    ({"conversation_history": {"messages": [1, None, "a", [], {}, {"id": 5}]}}, {"messages_unidentified": 6}),
    ({"conversation_history": {"messages": [word(id="{" + str(uuid4()) + "}")]}}, {"messages_unidentified": 1}),
    ({"conversation_history": {"messages": [same := word(), {**same, "content": "else"}]}}, {"messages_repeated": 1}),
    ({"conversation_history": {"messages": [{"id": str(uuid4())}]}}, {"messages_incomplete": 1}),
    ({"conversation_history": {"messages": [word(content=5, attachments={})]}}, {"messages_incomplete": 1}),
    (
        {"conversation_history": {"messages": [word(created_at=5, edited_at=7, earlier="x")]}},
        {"messages_incomplete": 1},
    ),
    ({"internal_notes": {"notes": [{}]}}, {"notes_unidentified": 1}),
    ({"internal_notes": {"notes": [word(attachments=["https://a.example/b.png", {"id": 5}])]}}, {}),
    ({"internal_notes": {"notes": [word(attachments="none")]}}, {}),
    ({"internal_notes": [[]]}, {"notes_shape": 1}),
    ({"feedback": {"rating": "5"}}, {"feedback": 1}),
    ({"feedback": 5}, {"feedback": 1}),
    ({"feedback": {"rating": 4.5}}, {"feedback": 1}),
    ({"feedback": [{"rating": 5}]}, {"feedback": 1}),
    ({"feedback": {"rating": [5]}}, {"feedback": 1}),
    ({"conversation_history": [{"messages": [word()]}]}, {"messages_shape": 1}),
    ({"conversation_history": {"messages": [word(deleted_at=None, edited_at=None)]}}, {}),
    ({"conversation_history": {"messages": [word(attachments=[{"id": {}}, {"id": [1]}, 5], earlier="x")]}}, {}),
    ({"custom_fields": 5}, {"custom_fields": 1}),
    ({"status": "resolved", "priority": "urgent"}, {"status": 1, "priority": 1}),
    ({"tags": [["a", "b"], ["c", None]]}, {"tags": 1}),
    ({"tags": ["a", None]}, {"tags": 1}),
]


async def test_what_is_wrong_is_counted_kept_and_breaks_no_write(database: Database, sql: asyncpg.Connection) -> None:
    await sql.execute(UNCHECKED)
    await chosen(sql, "C-TRIAGE")
    grace = await user(sql)
    for columns, counted in WRONG:
        places = ", ".join(f"{name} = ${at}" for at, name in enumerate(columns, 2))
        made = await ticket(sql, **columns)
        changed = await ticket(sql, conversation_history={"messages": [word(grace)]})
        await sql.execute(f"update tickets set {places} where id = $1", changed, *columns.values())
        for one in (made, changed):
            held = await sql.fetchval("select flaws from threadesk.desk_tickets where ticket_id = $1", one)
            # What is on another ticket already is not shown here either.
            assert (held or {}) == counted or {"messages_repeated", "notes_repeated"} & held.keys(), columns
            await _desk_goes_on(database, sql, one, grace)
        await sql.execute("delete from tickets")
    assert await sql.fetch(DISAGREEING) == []


async def _desk_goes_on(database: Database, sql: asyncpg.Connection, one: UUID, grace: UUID) -> None:
    """Appends, reads and changes, and all that was there is there still."""
    before = await sql.fetchrow("select * from tickets where id = $1", one)
    assert before is not None
    async with database.transaction(NOW) as tx:
        said, noted = word(grace, content="Hello"), word(grace, content="Seen")
        del noted["attachments"]
        assert await tickets.append(tx, one, said, Origin("C1", str(uuid4()), "customer", {"text": "Hello"}), "agent")
        assert await tickets.append_note(tx, one, noted, Origin(None, None, None, None))
        await tickets.set_fields(tx, one, {"plan": "gold"}, [])
        read = await tickets.by_id(tx, one)
        assert read is not None
        assert read.status in {"new", "open"}
        assert await tickets.newest_word(tx, one)
        written = await tickets.conversation(tx, one, notes=True)
        assert {"Hello", "Seen"} <= {each.word["content"] for each in written}
        assert not any(files.to_be_copied(None, each.word.get("attachments", [])) for each in written)
        messages = tuple(each for each in written if isinstance(each, tickets.Said))
        notes = tuple(each for each in written if isinstance(each, tickets.Noted))
        assert answers.shown(listing.ShownToAgent(read, messages, {}, notes), link=None)
        assert await showing.next_unshown(tx, one, "triage")
    after = await sql.fetchrow("select * from tickets where id = $1", one)
    assert after is not None
    for column, key in (("conversation_history", "messages"), ("internal_notes", "notes")):
        there = before[column].get(key) if isinstance(before[column], dict) else before[column]
        if isinstance(before[column], dict) and isinstance(there, list):
            assert Counter(map(str, there)) <= Counter(map(str, after[column][key]))
        elif there is not None:
            assert after[column]["unreadable"] == [there]


async def test_what_can_wait_comes_after_the_rest_newest_first(database: Database, sql: asyncpg.Connection) -> None:
    await chosen(sql, "C-TRIAGE")
    imported = [await ticket(sql) for _ in range(14)]
    long = await ticket(sql, conversation_history={"messages": [word() for _ in range(4)]})
    later = {row[0] for row in await sql.fetch("select ticket_id from threadesk.to_show where later")}
    assert later == {*imported[10:], long}
    # What people do with one of them in Slack takes it out; what its program does to it makes it the newest.
    async with database.transaction(NOW) as tx:
        await tx.act_as(await user(sql), "agent")
        await tickets.change(tx, imported[12], priority="high")
    await sql.execute("update tickets set tags = '{a}' where id = any($1)", imported[:12])
    order = []
    async with database.transaction(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)) as tx:
        while isinstance(head := await showing.head(tx, "C-TRIAGE"), Mark):
            order.append(head.ticket_id)
            await showing.shown(tx, head)
    assert set(order[:11]) == {*imported[:10], imported[12]}
    assert order[11:] == [*sorted(imported[10:12], reverse=True), long, imported[13]]


async def test_meeting_whose_tickets_were_there_before_holds_up_nobody(
    database: Database, sql: asyncpg.Connection
) -> None:
    """Grace is in auth.users, with tickets of hers, before the desk meets her in triage."""
    await chosen(sql, "C-TRIAGE")
    await sql.execute("alter table auth.users add email text")
    grace = await user(sql)
    await sql.execute("update auth.users set email = 'grace@acme.example' where id = $1", grace)
    hers = [await ticket(sql, status="open", assigned_to=[grace]) for _ in range(14)]
    async with database.transaction(NOW) as tx:
        met = await people.meet(tx, "T1", "U1")
        await identity.learn(tx, profile(met.slack_id, team_id="T1", email="Grace@acme.example"))
    assert [row[0] for row in await sql.fetch("select user_id from threadesk.people")] == [grace]
    later = {row[0] for row in await sql.fetch("select ticket_id from threadesk.to_show where later")}
    assert later == set(hers[10:])


@pytest.mark.parametrize("email", [None, "mary@a.example"])
async def test_the_customer_is_whose_address_the_ticket_has_else_who_created_it(
    sql: asyncpg.Connection, email: str | None
) -> None:
    staff, mary, colleague, other = [await user(sql) for _ in range(4)]
    for who, address in ((mary, "mary@a.example"), (colleague, "jane@a.example")):
        await sql.execute(
            "insert into customers (id, first_name, last_name, email) values ($1, 'M', 'S', $2)", who, address
        )
    one = await ticket(sql, created_by=staff, customer_email=email,
        conversation_history={"messages": [word(author) for author in (staff, mary, colleague, other)]})  # fmt: skip
    assert await sql.fetchval("select requester from threadesk.desk_tickets") == (mary if email else staff)
    roles = dict(await sql.fetch("select created_by, author_role from threadesk.messages where ticket_id = $1", one))
    assert roles == {
        staff: "agent" if email else "customer",
        mary: "customer",
        colleague: "customer",
        other: "agent",
    }


async def test_a_ticket_and_the_first_triage_channel_at_the_same_time(
    sql: asyncpg.Connection, database_url: str
) -> None:
    """Neither sees the other until it has committed."""
    another = await asyncpg.connect(database_url)
    async with sql.transaction():
        one = await ticket(sql)
        choosing = asyncio.create_task(
            another.execute("insert into threadesk.channels (id, name, role) values ('C-TRIAGE', 'triage', 'triage')")
        )
        await until(sql, "select exists (select from pg_locks where locktype = 'advisory' and not granted)")
    await choosing
    assert await shown_in(sql, one) == "C-TRIAGE"
    assert await waiting(sql) == [one]
    await another.close()


async def test_json_that_only_postgresql_reads_stops_nothing(database: Database, sql: asyncpg.Connection) -> None:
    """A number of five thousand digits, and lists in lists in lists: a widget may pass on what somebody has made up."""
    one = await ticket(sql)
    deep = f"{'[' * 2_000}{']' * 2_000}"
    await sql.execute(
        f"""
        update tickets set custom_fields = '{{"n": 1e5000, "deep": {deep}, "plan": "gold"}}',
          conversation_history = '{{"messages": [{{"id": "{uuid4()}", "content": "Hello [{{", "created_by": null,
            "created_at": "2026-11-02T09:00:00+00:00", "attachments": [{{"size": 1e5000, "more": {deep}}}]}}]}}'
        """
    )
    async with database.transaction(NOW) as tx:
        read = await tickets.by_id(tx, one)
        assert read is not None
        assert list(read.custom_fields) == ["n", "deep", "plan"]
        assert len(json.dumps(read.custom_fields["deep"])) < 500
        assert str(read.custom_fields["n"]).startswith("1000")
        (said,) = await tickets.conversation(tx, one, notes=True)
        assert said.word["content"] == "Hello [{"
        assert await showing.next_unshown(tx, one, "triage")


async def test_columns_that_the_schema_requires_may_be_empty_in_another_programs_table(
    database: Database, sql: asyncpg.Connection
) -> None:
    await sql.execute(UNCHECKED)
    for column in ("title", "description", "status", "priority", "created_at", "updated_at"):
        await sql.execute(f"alter table tickets alter {column} drop not null")
    await chosen(sql, "C-TRIAGE")
    empty: dict[str, Any] = dict.fromkeys(("title", "description", "status", "priority", "created_at", "updated_at"))
    one, early = await ticket(sql, **empty), await ticket(sql)
    await sql.execute(
        "alter table tickets disable trigger user;"
        f" update tickets set created_at = '0001-12-31 22:00+00 BC', updated_at = 'infinity' where id = '{early}';"
        " alter table tickets enable trigger user"
    )
    async with database.transaction(NOW) as tx:
        for ticket_id, title in ((one, ""), (early, "hush-hush")):
            read = await tickets.by_id(tx, ticket_id, lock=True)
            assert read is not None
            assert (read.title, read.description) == (title, title)
            assert read.created_at.tzinfo
    await sql.execute("update tickets set status = 'closed' where id = $1", one)
    kept = "select closings, closed_at is not null from threadesk.desk_tickets where ticket_id = $1"
    assert tuple(await sql.fetchrow(kept, one) or ()) == (1, True)
    await sql.execute("update tickets set status = null where id = $1", one)
    assert tuple(await sql.fetchrow(kept, one) or ()) == (1, False)


async def test_a_time_without_a_zone_is_utc_in_every_session(database: Database, sql: asyncpg.Connection) -> None:
    await sql.execute("set timezone = 'Asia/Tokyo'")
    one = await ticket(sql, conversation_history={"messages": [word(created_at="2026-11-02 09:30:00")]})
    told = "select created_at from threadesk.messages order by created_at"
    assert await sql.fetchval(told) == NOW + dt.timedelta(minutes=30)
    grace = await user(sql)
    async with database.transaction(NOW) as tx:
        await tx.run("set local timezone = 'America/Lima'")
        said = word(grace, content="Later", created_at="2026-11-02T09:45:00+00:00")
        await tickets.append(tx, one, said, Origin("C1", "1.0", "customer", {"text": "Later"}), "agent")
        assert [each.word["content"] for each in await tickets.conversation(tx, one, notes=False)][-1] == "Later"
    history = await sql.fetchval("select conversation_history from tickets")
    assert [each["content"] for each in history["messages"]][-1] == "Later"


async def test_a_tag_may_be_longer_than_an_index_takes(database: Database, sql: asyncpg.Connection) -> None:
    await chosen(sql, "C-TRIAGE")
    long = "".join(str(uuid4()) for _ in range(300))
    one = await ticket(sql, tags=["vpn", long])
    await sql.execute("update tickets set tags = array['a', 'vpn'] || tags")
    assert await sql.fetchval("select tags from threadesk.desk_tickets") == ["a", "vpn", "vpn"]
    async with database.transaction(NOW) as tx:
        read = await tickets.by_id(tx, one)
        assert read is not None
        assert read.tags == ("a", "vpn", "vpn", long)


async def test_feedback_in_another_shape_is_refused_nowhere(sql: asyncpg.Connection) -> None:
    """A customer's history that is as the schema has it is kept so, and says of such a ticket what it said before."""
    await sql.execute(UNCHECKED)
    await sql.execute(
        "insert into customers (id, first_name, last_name, email) values ($1, 'M', 'S', 'mary@a.example')",
        await user(sql),
    )
    good = {"rating": 4, "comment": None, "submitted_at": NOW.isoformat()}
    one = await ticket(sql, customer_email="mary@a.example", feedback={"rating": 5})
    entries = "select coalesce(feedback_history -> 'feedback', '[]') from customers"
    for feedback, known in (
        ({"rating": 5}, []),
        (good, [good | {"ticket_id": str(one)}]),
        ({"rating": 2, "comment": 5, "submitted_at": None}, [good | {"ticket_id": str(one)}]),
        (5, [good | {"ticket_id": str(one)}]),
        (None, []),
        ([good], []),
    ):
        await sql.execute("update tickets set feedback = $1", feedback)
        assert await sql.fetchval(entries) == known
        await sql.execute("update customers set first_name = first_name || 'a'")


async def test_what_comes_deleted_is_not_shown_and_null_is_no_deletion(
    database: Database, sql: asyncpg.Connection
) -> None:
    gone, there = word(content="Gone", deleted_at="2026-11-02T09:00:00Z"), word(content="There", deleted_at=None)
    one = await ticket(sql, conversation_history={"messages": [gone, there]})
    async with database.transaction(NOW) as tx:
        shown = await showing.next_unshown(tx, one, "triage")
        assert shown is not None
        assert (str(shown.message_id), "deleted_at" in shown.word) == (there["id"], False)
    edited = there | {"content": "Edited", "edited_at": NOW.isoformat()}
    await sql.execute("update tickets set conversation_history = $1", {"messages": [gone, edited]})
    deleted = "select message_id::text, deleted from threadesk.messages"
    assert dict(await sql.fetch(deleted)) == {gone["id"]: True, there["id"]: False}
    await sql.execute(
        "update tickets set conversation_history = $1", {"messages": [gone, edited | {"deleted_at": NOW.isoformat()}]}
    )
    assert dict(await sql.fetch(deleted)) == {gone["id"]: True, there["id"]: True}
    told = await sql.fetch("select what from threadesk.ledger where what like 'message%' order by id")
    assert [row["what"] for row in told] == ["message", "message", "message_edited", "message_deleted"]


async def test_a_message_with_the_id_of_anothers_changes_nothing_of_that_one(sql: asyncpg.Connection) -> None:
    mine, other = await ticket(sql, conversation_history={"messages": [said := word()]}), await ticket(sql)
    for same in (said, said | {"edited_at": NOW.isoformat()}, said | {"deleted_at": NOW.isoformat()}):
        await sql.execute("update tickets set conversation_history = $2 where id = $1", other, {"messages": [same]})
        await sql.execute("update tickets set internal_notes = $2 where id = $1", mine, {"notes": [same]})
    assert [tuple(row) for row in await sql.fetch("select ticket_id, version, deleted from threadesk.messages")] == [
        (mine, 1, False)
    ]
    told = await sql.fetch("select ticket_id, what from threadesk.ledger where what in ('message', 'note')")
    assert [tuple(row) for row in told] == [(mine, "message")]


@pytest.mark.parametrize("wrapped", ["a list of it", "a message alone"])
async def test_an_edit_destroys_nothing_that_stands_in_another_shape(
    database: Database, sql: asyncpg.Connection, wrapped: str
) -> None:
    await sql.execute(UNCHECKED)
    ada, one = await user(sql), await ticket(sql)
    said = word(ada)
    async with database.transaction(NOW) as tx:
        await tickets.append(tx, one, said, Origin("C1", "1.0", "customer", {"text": "Hello"}), "customer")
        known = await tickets.recorded(tx, "C1", "1.0")
        assert known is not None
    written = [{"messages": [said]}] if wrapped == "a list of it" else {"messages": said}
    await sql.execute("update tickets set conversation_history = $1", written)
    async with database.transaction(NOW) as tx:
        assert await tickets.recorded(tx, "C1", "1.0") is None
        await tickets.rewrite(tx, known, known.word | {"content": "Edited"}, None)
    assert await sql.fetchval("select conversation_history from tickets") == written


async def test_a_ticket_that_another_program_opens_again_is_one_once_more(sql: asyncpg.Connection) -> None:
    """Agents took it for spam, and its customer has written since."""
    one = await ticket(sql, status="closed")
    await sql.execute("update threadesk.desk_tickets set not_a_ticket = true")
    await sql.execute("update tickets set tags = '{spam}'")
    assert await sql.fetchval("select not_a_ticket from threadesk.desk_tickets")
    await sql.execute("update tickets set status = 'new' where id = $1", one)
    assert not await sql.fetchval("select not_a_ticket from threadesk.desk_tickets")


async def test_the_customer_may_be_named_later(sql: asyncpg.Connection) -> None:
    gateway, mary = await user(sql), await user(sql)
    await sql.execute(
        "insert into customers (id, first_name, last_name, email) values ($1, 'M', 'S', 'mary@a.example')", mary
    )
    one = await ticket(sql, created_by=gateway)
    requester = "select requester from threadesk.desk_tickets where ticket_id = $1"
    assert await sql.fetchval(requester, one) == gateway
    await sql.execute("update tickets set customer_email = 'mary@a.example'")
    assert await sql.fetchval(requester, one) == mary
    await sql.execute("update customers set email = 'mary@b.example'")
    assert await sql.fetchval(requester, one) == mary
    # Who has asked in Slack is the requester, whatever address stands there.
    await sql.execute("update threadesk.desk_tickets set requester = $1, requester_slack = 'U1'", gateway)
    await sql.execute("update tickets set customer_email = null")
    await sql.execute("update tickets set customer_email = 'mary@b.example'")
    assert await sql.fetchval(requester, one) == gateway
