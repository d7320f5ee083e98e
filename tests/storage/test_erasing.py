"""Rows that other programs share are erased as far as those programs' rows allow, and broken JSON is no obstacle."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from bot.tickets import erasing as operations
from storage import erasing, notices, people, subjects
from storage.engine import Database
from tests.storage.test_people import NOW, ticket_of

EMAIL = "ada@globex.example"


@pytest.fixture
async def ada(sql: asyncpg.Connection) -> AsyncIterator[UUID]:
    """A person in tables like Supabase's, who can log in to another program, and has an order there."""
    await sql.execute(
        """
        alter table auth.users add email text unique, add encrypted_password text, add confirmation_token text,
          add aud text, add phone text not null default '', add raw_user_meta_data jsonb,
          add shouted text generated always as (upper(email)) stored;
        create table auth.identities (
          id uuid primary key default gen_random_uuid(),
          user_id uuid not null references auth.users (id) on delete cascade,
          identity_data jsonb
        );
        alter table public.customers add phone text;
        create table public.orders (id int primary key, user_id uuid references auth.users (id) on delete cascade);
        """
    )
    user_id = uuid4()
    await sql.execute(
        "insert into auth.users (id, email, encrypted_password, aud, phone, raw_user_meta_data, confirmation_token)"
        " values ($1, $2, 'hash', 'authenticated', '555', '{\"name\": \"Ada\"}', '')",
        user_id,
        EMAIL,
    )
    await sql.execute('insert into auth.identities (user_id, identity_data) values ($1, \'{"email": "ada"}\')', user_id)
    await sql.execute(
        "insert into customers (id, first_name, last_name, email, phone) values ($1, 'Ada', 'King', $2, '555')",
        user_id,
        EMAIL.title(),
    )
    yield user_id
    await sql.execute("reset role")


async def erase(database: Database) -> operations.Erased:
    async with database.transaction(NOW) as tx:
        ada = await subjects.with_email(tx, EMAIL)
        assert ada is not None
        return await operations.erase(tx, ada)


async def rows(sql: asyncpg.Connection, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await sql.fetch(f"select * from {table}")]


async def test_an_account_of_which_no_row_speaks_is_deleted(
    database: Database, sql: asyncpg.Connection, ada: UUID
) -> None:
    erased = await erase(database)
    assert erased.accounts == {"public.customers": ["deleted"], "auth.users": ["deleted"]}
    assert await rows(sql, "auth.users") == await rows(sql, "customers") == await rows(sql, "auth.identities") == []


async def test_an_account_of_which_other_programs_rows_speak_is_emptied(
    database: Database, sql: asyncpg.Connection, ada: UUID
) -> None:
    await sql.execute("insert into public.orders values (1, $1)", ada)
    await sql.execute("create table public.memos (of_whom text references public.customers (email) on update cascade)")
    await sql.execute("insert into public.memos values ($1)", EMAIL.title())
    erased = await erase(database)
    assert erased.accounts == {"public.customers": ["emptied"], "auth.users": ["emptied"]}
    (user,), (customer,) = await rows(sql, "auth.users"), await rows(sql, "customers")
    assert (user["id"], user["email"], user["shouted"], user["aud"]) == (ada, None, None, "authenticated")
    # What Supabase's log-in reads must not be null.
    assert (user["encrypted_password"], user["confirmation_token"], user["raw_user_meta_data"]) == ("", "", {})
    assert user["phone"] == customer["first_name"] == f"erased-{ada}"
    assert await rows(sql, "public.memos") == [{"of_whom": customer["email"]}] == [{"of_whom": f"erased-{ada}@invalid"}]
    assert (customer["phone"], customer["feedback_history"]) == (None, None)
    assert await rows(sql, "auth.identities") == []
    assert await rows(sql, "public.orders") == [{"id": 1, "user_id": ada}]
    async with database.transaction(NOW) as tx:
        assert await subjects.with_email(tx, EMAIL) is None


async def test_an_account_that_another_programs_rules_hold_is_left_and_all_else_erased(
    database: Database, sql: asyncpg.Connection, ada: UUID
) -> None:
    await sql.execute("insert into public.orders values (1, $1)", ada)
    await sql.execute(
        """
        create function public.held() returns trigger language plpgsql as $$ begin raise 'not yet'; end $$;
        create trigger held before update or delete on auth.users for each row execute function public.held();
        """
    )
    assert (await erase(database)).accounts == {"public.customers": ["deleted"], "auth.users": ["left"]}


async def test_what_row_level_security_may_hide_counts_as_there_and_a_right_that_lacks_is_said(
    database: Database, sql: asyncpg.Connection, ada: UUID
) -> None:
    role = f"desk_{uuid4().hex[:8]}"
    await sql.execute(
        f"""
        alter table public.orders enable row level security;
        create role {role}; grant usage on schema threadesk, auth to {role};
        grant select on public.orders, public.customers, public.tickets to {role};
        grant select, delete on auth.identities to {role};
        grant select on all tables in schema threadesk to {role}; grant select on auth.users to {role};
        """
    )
    try:
        await sql.execute(f"set role {role}")
        assert await sql.fetchval("select threadesk.forget_row('auth.users', $1)", ada) == "left"
        await sql.execute(f"reset role; grant delete, update on auth.users to {role}; delete from customers")
        await sql.execute(f"set role {role}")
        assert await sql.fetchval("select threadesk.forget_row('auth.users', $1)", ada) == "emptied"
        assert await sql.fetchval("select threadesk.forget_row('auth.users', $1)", uuid4()) == "gone"
    finally:
        await sql.execute(f"reset role; drop owned by {role}; drop role {role}")


async def test_what_another_program_wrote_goes_however_it_looks(
    database: Database, sql: asyncpg.Connection, ada: UUID
) -> None:
    for shape in ("conversation_history", "internal_notes", "feedback", "custom_fields"):
        await sql.execute(f"alter table tickets drop constraint tickets_{shape}_shape")
    broken: list[tuple[Any, Any]] = [
        ({"messages": [{"id": str(uuid4()), "content": "SECRET", "created_at": "yesterday"}, "SECRET", 3]}, "SECRET"),
        ({"messages": "SECRET", "more": "SECRET"}, ["SECRET"]),
        (["SECRET"], {"notes": [{"content": "SECRET"}]}),
        (None, None),
    ]
    for history, notes in broken:
        await sql.execute(
            "insert into tickets (title, description, status, priority, source_channel, created_by, customer_email,"
            " custom_fields) values ('SECRET', 'SECRET', 'closed', 'low', 'web', $1, $2, '{\"a\": \"SECRET\"}')",
            ada,
            EMAIL.title(),
        )
        await sql.execute("alter table tickets disable trigger threadesk_changed")
        await sql.execute(
            "update tickets set conversation_history = $1, internal_notes = $2 where conversation_history is null",
            history,
            notes,
        )
        await sql.execute("alter table tickets enable trigger threadesk_changed")
    # As one that was there before the desk.
    await sql.execute(
        "delete from threadesk.desk_tickets where number = (select max(number) from threadesk.desk_tickets)"
    )
    assert (await erase(database)).tickets == 4
    for row in await rows(sql, "tickets"):
        assert "SECRET" not in str(row)
        assert (row["title"], row["description"], row["custom_fields"]) == ("(deleted)", "", {})
        assert row["customer_email"] is row["created_by"] is None


async def test_only_what_was_closed_too_long_ago_is_overdue_once(database: Database, sql: asyncpg.Connection) -> None:
    """Closed 80, 70 and 10 days ago; the second was erased, and then a colleague said thanks 65 days ago."""

    def ago(days: int) -> dt.datetime:
        return NOW - dt.timedelta(days=days)

    async with database.transaction(NOW) as tx:
        person = await people.meet(tx, "T1", "U1")
        old, thanked, new, unclosed = [await ticket_of(tx, person, status="closed") for _ in range(4)]
    for ticket, closed, last in ((old, 80, 80), (thanked, 70, 65), (new, 10, 10)):
        await sql.execute(
            "update threadesk.desk_tickets set closed_at = $2, last_activity_at = $3 where ticket_id = $1",
            ticket,
            ago(closed),
            ago(last),
        )
    await sql.execute("update threadesk.desk_tickets set erased_at = $2 where ticket_id = $1", thanked, ago(66))
    for ticket in (thanked, new, unclosed):
        await sql.execute(
            "insert into threadesk.posted (ticket_id, side, slot, channel, ts)"
            " values ($1, 'triage', 'card', 'C-TRIAGE', $2)",
            ticket,
            str(ticket),
        )
    await sql.execute("update tickets set status = 'open' where id = $1", unclosed)

    async def overdue(most: int = 9, besides: Sequence[UUID] = ()) -> list[UUID]:
        async with database.transaction(NOW) as tx:
            return await erasing.overdue(tx, ago(60), most=most, besides=besides)

    async def forget(ticket: UUID) -> bool:
        async with database.transaction(NOW) as tx:
            return await operations.forget_if_overdue(tx, ticket, dt.timedelta(days=60))

    assert await overdue() == [old, thanked]
    assert await overdue(most=1) == [old]
    assert await overdue(besides=[old]) == [thanked]
    assert [await forget(one) for one in (old, thanked, new, unclosed, old)] == [True, True, False, False, False]
    assert await overdue() == []
    async with database.transaction(NOW) as tx:
        # The card of one is still to be brought up to date in Slack. The other one never had any, and gets none.
        assert await erasing.being_taken_away(tx) == 1
    assert not await sql.fetch("select from threadesk.to_show where ticket_id = $1", old)


async def test_of_what_waits_to_be_said_only_what_speaks_of_them_is_dropped(
    database: Database, sql: asyncpg.Connection
) -> None:
    said = ["#1 is closed, and needed", "Dear\nEd", "ed@globex.example says", "as <@U1> says", "#12 waits", "#7 waits"]
    async with database.transaction(NOW) as tx:
        for place, one in enumerate(said):
            await notices.add(tx, str(place), "channel", {"text": one}, channel="C1")
        ed = subjects.Subject([], [("T1", "U1")], ["ed@globex.example"], ["Ed"], [], several=False)
        await erasing.drop_notices(tx, ed, [7])
    left = await sql.fetch(
        "select message ->> 'text' as said from threadesk.notices where refused is null order by key"
    )
    assert [row["said"] for row in left] == [said[0], said[4]]
