"""Slack people, the rows of auth.users that they are, and what happens when two of those are one person."""

import asyncio
import datetime as dt
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from storage import people, replies, tickets
from storage.engine import Database, Transaction
from storage.people import Customer, Person, Profile
from storage.replies import Reply
from storage.tickets import NewTicket, Origin

NOW = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)
TEAM = "T-GLOBEX"


def profile(slack_id: str, **changes: Any) -> Profile:
    known: dict[str, Any] = {
        "team_id": TEAM,
        "slack_id": slack_id,
        "kind": "external",
        "name": "Ada Lovelace",
        "email": "ada@globex.example",
        "locale": "en-GB",
        "picture": None,
        "is_admin": False,
    }
    return Profile(**known | changes)


async def ticket_of(tx: Transaction, person: Person, **changes: Any) -> UUID:
    values: dict[str, Any] = {
        "id": uuid4(),
        "title": "It burns",
        "description": "Badly",
        "status": "open",
        "priority": "high",
        "tags": [],
        "assigned_to": [],
        "created_by": person.user_id,
        "customer_email": None,
        "requester": person.user_id,
        "requester_team": person.team_id,
        "requester_slack": person.slack_id,
        "channel": "C-HELP",
        "root_ts": None,
        "triage_channel": "C-TRIAGE",
    }
    new = NewTicket(**values | changes)
    await tickets.insert(tx, new)
    return new.id


def said(person: Person, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "content": "Hello",
        "created_at": NOW.isoformat(),
        "created_by": str(person.user_id),
        "attachments": [],
    } | changes


async def holding(sql: asyncpg.Connection, who: UUID) -> list[str]:
    """Every table of the database in which this uuid still stands, in whatever column."""
    tables = await sql.fetch("""
        select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('public', 'auth', 'threadesk') and c.relkind = 'r'
    """)
    return [
        row["name"]
        for row in tables
        if await sql.fetchval(f"select exists (select from {row['name']} t where t::text ilike $1)", f"%{who}%")
    ]


async def test_a_person_is_met_once(database: Database, sql: asyncpg.Connection) -> None:
    async def meet() -> Person:
        async with database.transaction(NOW) as tx:
            return await people.meet(tx, TEAM, "U-ADA")

    first, *others = await asyncio.gather(*(meet() for _ in range(10)))
    assert others == [first] * 9
    assert await sql.fetchval("select array_agg(id) from auth.users") == [first.user_id]
    assert (first.kind, first.known, first.agent_of) == ("unknown", False, frozenset())
    async with database.transaction(NOW) as tx:
        assert await people.find(tx, TEAM, "U-ADA") == first
        assert await people.find(tx, "T-ACME", "U-ADA") is None
        assert await people.with_user_ids(tx, [first.user_id, uuid4()]) == {first.user_id: first}


async def test_what_slack_says_of_a_person(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        await people.meet(tx, TEAM, "U-ADA")
        await people.learn(tx, profile("U-ADA", is_admin=True))
        ada = await people.find(tx, TEAM, "U-ADA")
    assert ada is not None
    assert (ada.kind, ada.name, ada.email, ada.locale) == ("external", "Ada Lovelace", "ada@globex.example", "en-GB")
    assert ada.is_admin
    assert ada.known


async def test_the_owner_of_an_email(database: Database, sql: asyncpg.Connection) -> None:
    async with database.transaction(NOW) as tx:
        ada = await people.meet(tx, TEAM, "U-ADA")
        assert await people.owner_of_email(tx, "ada@globex.example") is None
        await people.save_customer(tx, ada.user_id, Customer("Ada", "Lovelace", "Ada@Globex.example", None))
        assert await people.owner_of_email(tx, "aDa@globex.example") == ada.user_id
    await sql.execute("alter table auth.users add email text")
    bob = await sql.fetchval("insert into auth.users (email) values ('Bob@Globex.example') returning id")
    async with database.transaction(NOW) as tx:
        assert await people.owner_of_email(tx, "bob@globex.EXAMPLE") == bob
        assert await people.owner_of_email(tx, "b%@globex.example") is None


async def test_a_customers_row_is_made_once_and_gains_slack(database: Database, sql: asyncpg.Connection) -> None:
    web = await sql.fetchval("insert into auth.users default values returning id")
    await sql.execute(
        "insert into customers (id, first_name, last_name, email, communication_channels)"
        " values ($1, 'Bob', 'Noyce', 'bob@globex.example', '{email}')",
        web,
    )
    async with database.transaction(NOW) as tx:
        for _ in range(2):
            email = await people.save_customer(tx, web, Customer("Robert", "N.", "r@globex.example", "en-GB"))
            assert email == "bob@globex.example"
    row = await sql.fetchrow("select first_name, email, communication_channels, preferred_language from customers")
    assert tuple(row or ()) == ("Bob", "bob@globex.example", ["email", "slack"], "en-GB")


@pytest.fixture
async def web_user(sql: asyncpg.Connection) -> UUID:
    """Ada, as a web app that shares the database knows her."""
    made = await sql.fetchval("insert into auth.users default values returning id")
    assert isinstance(made, UUID)
    return made


async def test_becoming_somebody_moves_everything(database: Database, sql: asyncpg.Connection, web_user: UUID) -> None:
    async with database.transaction(NOW) as tx:
        ada = await people.meet(tx, TEAM, "U-ADA")
        grace = await people.meet(tx, "T-ACME", "U-GRACE")
        await tx.act_as(ada.user_id, "customer")
        asked = await ticket_of(tx, ada, assigned_to=[grace.user_id, ada.user_id])
        both = await ticket_of(tx, grace, assigned_to=[web_user, ada.user_id])
        wrote = await ticket_of(tx, grace)
        await tickets.append(tx, asked, said(ada), Origin(None, None, None, None), "customer")
        await tickets.append(tx, wrote, said(ada), Origin("C", "1.0", "customer", {}), "customer")
        await tickets.append(tx, wrote, said(grace), Origin(None, None, None, None), "agent")
        await tickets.append_note(tx, wrote, said(ada), Origin(None, None, None, None), "customer")
        held = Reply(uuid4(), asked, ada.user_id, TEAM, "U-ADA", "Wait", NOW, NOW, "held", None, None)
        await replies.hold(tx, held)
    # Other programs write uuids in capitals.
    await sql.execute(
        "update tickets set conversation_history = jsonb_insert(conversation_history, '{messages,0}', $1)"
        " where id = $2",
        said(ada, created_by=str(ada.user_id).upper()),
        wrote,
    )
    untouched = await sql.fetchval("select updated_at from tickets where id = $1", both)
    async with database.transaction(NOW) as tx:
        await tx.act_as(None, "desk")
        await people.become(tx, ada, web_user)
        became = await people.find(tx, TEAM, "U-ADA")
        assert became is not None
        assert became.user_id == web_user
        ticket = await tickets.by_id(tx, asked)
        assert ticket is not None
        assert (ticket.created_by, ticket.requester) == (web_user, web_user)
        assert ticket.assigned_to == (grace.user_id, web_user)
        shared = await tickets.by_id(tx, both)
        assert shared is not None
        assert shared.assigned_to == (web_user,)
        assert shared.updated_at > untouched
        authors = [one.word["created_by"] for one in await tickets.conversation(tx, wrote, notes=True)]
        assert sorted(authors) == sorted([str(web_user)] * 3 + [str(grace.user_id)])
    # What was assigned when is history: the ledger's values stay, and only its actors follow.
    assert await holding(sql, ada.user_id) == ["threadesk.ledger"]
    assert await sql.fetchval("select count(*) from threadesk.ledger where actor = $1", ada.user_id) == 0
    assert (
        await sql.fetchval("select count(*) from threadesk.ledger where actor = $1 and what = 'opened'", web_user) == 3
    )


async def test_becoming_somebody_leaves_the_tickets_of_others_alone(
    database: Database, sql: asyncpg.Connection, web_user: UUID
) -> None:
    async with database.transaction(NOW) as tx:
        ada, grace = await people.meet(tx, TEAM, "U-ADA"), await people.meet(tx, "T-ACME", "U-GRACE")
        await ticket_of(tx, grace)
    web_history = {"messages": [said(ada, created_by=str(web_user))]}
    await sql.execute(
        "insert into tickets (title, description, status, priority, created_by, conversation_history)"
        " values ('Mine', 'From the web', 'new', 'low', $1, $2)",
        web_user,
        web_history,
    )
    before = await sql.fetch("select * from tickets")
    async with database.transaction(NOW) as tx:
        await people.become(tx, ada, web_user)
    assert await sql.fetch("select * from tickets") == before


async def test_a_row_of_another_program_is_never_deleted(
    database: Database, sql: asyncpg.Connection, web_user: UUID
) -> None:
    second = await sql.fetchval("insert into auth.users default values returning id")
    async with database.transaction(NOW) as tx:
        ada = await people.meet(tx, TEAM, "U-ADA")
        await people.become(tx, ada, web_user)
        linked = await people.find(tx, TEAM, "U-ADA")
        assert linked is not None
        await people.become(tx, linked, second)
        again = await people.find(tx, TEAM, "U-ADA")
        assert again is not None
        assert again.user_id == second
    assert set(await sql.fetchval("select array_agg(id) from auth.users")) == {web_user, second}


async def test_a_customers_row_of_their_own_stays(database: Database, sql: asyncpg.Connection, web_user: UUID) -> None:
    async with database.transaction(NOW) as tx:
        ada = await people.meet(tx, TEAM, "U-ADA")
        email = await people.save_customer(tx, ada.user_id, Customer("Ada", "Lovelace", "ada@home.example", None))
        asked = await ticket_of(tx, ada, customer_email=email)
        await people.become(tx, ada, web_user)
        ticket = await tickets.by_id(tx, asked)
        assert ticket is not None
        assert (ticket.requester, ticket.customer_email) == (web_user, "ada@home.example")
    assert await sql.fetchval("select id from customers") == ada.user_id


async def test_whoever_is_held_becomes_nobody_else_meanwhile(
    database: Database, sql: asyncpg.Connection, web_user: UUID
) -> None:
    """A message that is being recorded is not left under a row that is gone."""
    async with database.transaction(NOW) as tx:
        ada = await people.meet(tx, TEAM, "U-ADA")
        ticket_id = await ticket_of(tx, await people.meet(tx, TEAM, "U-BOB"))

    async def becomes() -> None:
        async with database.transaction(NOW) as tx:
            await people.become(tx, ada, web_user)

    async with database.transaction(NOW) as tx:
        await tickets.by_id(tx, ticket_id, lock=True)
        held = await people.hold(tx, ada)
        becoming = asyncio.create_task(becomes())
        while not await sql.fetchval("select exists (select from pg_locks where not granted)"):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        await tickets.append(tx, ticket_id, said(held), Origin(None, None, None, None), "customer")
    await becoming
    async with database.transaction(NOW) as tx:
        assert (await people.hold(tx, ada)).user_id == web_user
    assert await sql.fetchval("select created_by from threadesk.messages") == web_user
    history = await sql.fetchval("select conversation_history from tickets")
    assert [one["created_by"] for one in history["messages"]] == [str(web_user)]
