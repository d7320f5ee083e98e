"""Tables that were there before the desk are used as they are: what migrate does to them, says of them and refuses."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from bot import app
from storage import adoption, migrate, people, rights
from storage.engine import Database
from storage.people import Customer
from tests import supabase
from tests.storage.test_migrations import at_version, dump
from tests.test_readme import README

NOW = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)

#: What other programs have written, of which none is as the ticket schema has it.
AMISS = """
insert into tickets (id, title, description, status, priority) select
  ('00000000-0000-4000-8000-0000000001' || to_char(n, 'fm00'))::uuid, 'Old', 'Old', 'resolved', 'urgent'
  from generate_series(1, 12) n;
insert into tickets (id, title, description, conversation_history, internal_notes, feedback, custom_fields, assigned_to)
values ('00000000-0000-4000-8000-000000000200', 'Odd', 'Odd', '[]', '{"notes": "none"}', '{"rating": 9}', '"red"',
  '{00000000-0000-4000-8000-00000000dead}');
update customers set feedback_history = '{"feedback": {}}';
"""
ROWS = ("auth.users", "public.customers", "public.tickets", "public.profiles", "pg_policies")


@pytest.fixture
async def sql(empty_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection to a database with nothing in it."""
    connection = await asyncpg.connect(empty_url)
    yield connection
    await connection.close()


@pytest.fixture
async def owned(empty_url: str) -> AsyncIterator[Database]:
    """The same database, for the role that made the web app's tables."""
    database = Database(supabase.as_role(empty_url, supabase.OWNER))
    yield database
    await database.close()


async def rows(sql: asyncpg.Connection) -> list[Any]:
    return [await sql.fetch(f"select * from {one} order by 1, 2, 3") for one in ROWS]


def definitions(dumped: str) -> list[str]:
    return [line for line in dumped.splitlines() if not line.startswith("INSERT")]


async def guards(sql: asyncpg.Connection) -> set[str]:
    found = await sql.fetch(
        "select conname as name from pg_constraint where conrelid in ('tickets'::regclass, 'customers'::regclass)"
        " union select tgname from pg_trigger where not tgisinternal union select indexname from pg_indexes"
    )
    return {row["name"] for row in found}


async def test_what_is_there_is_taken_on_and_no_row_and_no_policy_is_changed(
    empty_url: str, sql: asyncpg.Connection, owned: Database
) -> None:
    await supabase.make(sql, supabase.SIGN_UP_MAKES_CUSTOMERS.replace("after insert", "after update"))
    # An index that does not serve the desk, by the name that PostgreSQL gives it.
    await sql.execute("create index on tickets (customer_email) where status <> 'closed'")
    before, untouched = await rows(sql), await dump(empty_url)
    version = await migrate.upgrade(owned)
    assert await rows(sql) == before
    # Bob's rating is in his history alone; to make the two agree would be to change a row.
    (told,) = await adoption.failing(owned)
    assert str(told) == (
        "public.customers: in 1 row feedback_history differs from the feedback of the tickets that it names"
        f" (id {supabase.BOB})"
    )
    up = await guards(sql)
    assert {"tickets_status_known", "tickets_conversation_history_shape", "tickets_check_assignees"} <= up
    assert {"threadesk_tickets_customer_email_idx", "customers_feedback_history_shape"} <= up
    assert "threadesk_history_agrees" not in up
    assert await rights.hidden_from_anybody(owned) == []
    with pytest.raises(asyncpg.CheckViolationError, match="tickets_status_known"):
        await sql.execute("insert into tickets (title, description, status) values ('', '', 'lost')")
    assert await migrate.upgrade(owned) == version
    await migrate.downgrade(owned)
    assert await dump(empty_url) == untouched


async def test_rows_that_are_amiss_are_listed_and_refused_nothing_until_they_are_put_right(
    empty_url: str, sql: asyncpg.Connection, owned: Database
) -> None:
    await supabase.make(sql)
    await sql.execute(AMISS)
    before, untouched = await rows(sql), await dump(empty_url)
    await migrate.upgrade(owned)
    assert await rows(sql) == before
    told = await adoption.failing(owned)
    assert [(one.guard, one.count) for one in told] == [
        ("customers_feedback_history_shape", 1),
        ("tickets_status_known", 12),
        ("tickets_priority_known", 12),
        ("tickets_custom_fields_shape", 1),
        ("tickets_conversation_history_shape", 1),
        ("tickets_internal_notes_shape", 1),
        ("tickets_feedback_shape", 1),
        ("tickets_assigned_to_known", 1),
        ("customers_feedback_history_agrees", 1),
    ]
    first = ", ".join(f"00000000-0000-4000-8000-0000000001{n:02}" for n in range(1, 6))
    assert str(told[1]) == (f"public.tickets: in 12 rows status is none of new, open, pending, closed (id {first}, …)")
    assert not {one.guard for one in told} & await guards(sql)

    await sql.execute("update tickets set status = 'closed', priority = 'high' where title = 'Old'")
    await migrate.upgrade(owned)
    assert {"tickets_status_known", "tickets_priority_known"} <= await guards(sql)
    assert len(await adoption.failing(owned)) == 7
    await migrate.downgrade(owned)
    assert definitions(await dump(empty_url)) == definitions(untouched)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            "create type phase as enum ('new', 'open'); alter table tickets alter status drop default,"
            " alter status type phase using status::phase",
            "public.tickets.status is of type phase, and the desk needs text.",
        ),
        (
            "alter table tickets alter created_at type timestamp",
            "public.tickets.created_at is of type timestamp without time zone, and the desk needs timestamp with",
        ),
        (
            "alter table tickets alter assigned_to type text[]",
            "public.tickets.assigned_to is of type text[], and the desk needs uuid[].",
        ),
        (
            "alter table customers drop feedback_history",
            "public.customers has no column feedback_history, which should be of type jsonb.",
        ),
        (
            "alter table customers alter first_name type varchar(20)",
            "public.customers.first_name is of type character varying(20), and the desk needs text.",
        ),
        (
            "alter table customers rename to clients; create view customers as select * from clients",
            "public.customers is no table.",
        ),
        (
            "alter table tickets drop constraint tickets_pkey",
            "public.tickets.id is not unique, and other tables are to refer to it.",
        ),
        (
            "alter table tickets add shop int not null",
            "public.tickets.shop must be given by whoever adds a row, and the desk does not know it: give it a default",
        ),
        (
            "alter table tickets alter customer_email set not null",
            "public.tickets.customer_email may not be null, and the desk does not know it of everybody",
        ),
        (
            "alter table tickets owner to supabase_auth_admin",
            "public.tickets belongs to another role, and only its owner can",
        ),
    ],
    ids=[
        "enum",
        "timestamp",
        "array",
        "column missing",
        "too short",
        "view",
        "no key",
        "asked for",
        "never null",
        "owner",
    ],
)
async def test_what_the_desk_cannot_work_on_is_said_before_anything_is_changed(
    empty_url: str, sql: asyncpg.Connection, owned: Database, change: str, sentence: str
) -> None:
    await supabase.make(sql)
    await sql.execute("delete from tickets; delete from customers")
    await sql.execute(change)
    untouched = await dump(empty_url)
    with pytest.raises(migrate.MigrationError, match="Nothing was changed") as refused:
        await migrate.upgrade(owned)
    assert [line for line in str(refused.value).splitlines()[1:] if line.startswith(sentence)], refused.value
    assert await dump(empty_url) == untouched


async def test_row_level_security_that_hides_rows_from_the_desk_is_said(
    empty_url: str, sql: asyncpg.Connection, owned: Database
) -> None:
    await supabase.make(sql)
    await migrate.upgrade(owned)
    role = "desk_of_rights"
    await sql.execute(f"create role {role} login")
    await sql.execute(f"grant usage on schema threadesk to {role}")

    async def hidden() -> list[str]:
        return [str(one) for one in await rights.hidden_from_anybody(owned)]

    unseen = [f"Row-level security hides rows of public.{one} from the role {role}" for one in ("customers", "tickets")]
    assert await hidden() == unseen
    await sql.execute(f"create policy seeing on tickets for select to {role} using (true)")
    await sql.execute(f"create policy all_of_them on customers to {role} using (true)")
    assert await hidden() == unseen[1:]
    await sql.execute(f"create policy changing on tickets for update to {role} using (true)")
    await sql.execute(f"create policy making on tickets for insert to {role} with check (true)")
    assert await hidden() == []
    await sql.execute("create policy only_open on tickets as restrictive using (status = 'open')")
    assert await hidden() == unseen[1:]
    await sql.execute(f"alter role {role} bypassrls")
    assert await hidden() == []
    await sql.execute(f"alter role {role} nobypassrls; alter role {supabase.OWNER} nobypassrls")
    await sql.execute("alter table tickets force row level security")
    assert f"Row-level security hides rows of auth.users from the role {supabase.OWNER}" in await hidden()
    assert f"Row-level security hides rows of public.tickets from the role {supabase.OWNER}" in await hidden()
    await sql.execute(f"alter role {supabase.OWNER} bypassrls; drop owned by {role}; drop role {role}")


async def test_rows_are_not_blamed_for_what_is_hidden_from_the_role_that_migrates(
    empty_url: str, sql: asyncpg.Connection, owned: Database
) -> None:
    await supabase.make(sql)
    await sql.execute("update tickets set assigned_to = $1", [UUID(supabase.GRACE)])
    await sql.execute(f"alter role {supabase.OWNER} nobypassrls")
    try:
        await migrate.upgrade(owned)
        assert "tickets_assigned_to_known" not in {one.guard for one in await adoption.failing(owned)}
        said = "Row-level security hides rows of auth.users from the role"
        assert [one for one in await app.warnings(owned) if one.startswith(said)] == [
            f"{said} {supabase.OWNER}. Give it a policy with which it sees and changes every row, or BYPASSRLS."
        ]
    finally:
        await sql.execute(f"alter role {supabase.OWNER} bypassrls")


async def test_ratings_that_stand_in_tickets_alone_are_filled_in_as_the_readme_says(
    empty_url: str, sql: asyncpg.Connection, owned: Database
) -> None:
    await supabase.make(sql)
    await sql.execute("update customers set feedback_history = null")
    for rating in (2, 5):
        await sql.execute(
            "insert into tickets (title, description, customer_email, feedback) select 'A', 'B', email, $1"
            " from customers where id = $2",
            json.dumps({"rating": rating, "comment": None, "submitted_at": NOW.isoformat()}),
            supabase.BOB,
        )
    statement = README.partition("  update public.customers c set feedback_history")
    await sql.execute(statement[1] + statement[2].partition("```")[0])
    await migrate.upgrade(owned)
    assert "customers_feedback_history_agrees" not in {one.guard for one in await adoption.failing(owned)}
    history = json.loads(await sql.fetchval("select feedback_history from customers where id = $1", supabase.BOB))
    assert sorted(one["rating"] for one in history["feedback"]) == [2, 5]


ADVISED = README.partition("insert into public.customers")
#: As the README advises.
SIGN_UP_TAKES_OVER = f"""
create function public.handle_new_customer() returns trigger language plpgsql security definer as $$
begin
  {ADVISED[1]}{ADVISED[2].partition("```")[0]}
  return new;
end $$;
create trigger on_auth_user_is_customer after insert on auth.users
  for each row when (new.email is not null) execute function public.handle_new_customer();
"""


async def met(database: Database, email: str) -> UUID:
    """Ada is met in Slack, and has a row in customers."""
    async with database.transaction(NOW) as tx:
        ada = await people.meet(tx, "T-GLOBEX", "U-ADA")
        await people.save_customer(tx, ada.user_id, Customer("Ada", "Lovelace", email, None))
    return ada.user_id


async def becomes(database: Database, user_id: UUID) -> UUID:
    async with database.transaction(NOW) as tx:
        ada = await people.find(tx, "T-GLOBEX", "U-ADA")
        assert ada is not None
        await people.become(tx, ada, user_id)
        became = await people.find(tx, "T-GLOBEX", "U-ADA")
        assert became is not None
        return became.user_id


async def test_who_signs_up_after_they_were_met_in_slack_is_one_person(
    sql: asyncpg.Connection, owned: Database
) -> None:
    await supabase.make(sql, SIGN_UP_TAKES_OVER)
    await migrate.upgrade(owned)
    made, signed_up = await met(owned, "Ada@globex.example"), uuid4()
    await sql.execute("insert into auth.users (id, email) values ($1, 'Ada@globex.example')", signed_up)
    async with owned.transaction(NOW) as tx:
        assert await people.owner_of_email(tx, "ada@globex.example") == signed_up
    assert await becomes(owned, signed_up) == signed_up
    names = await sql.fetch("select id, first_name from customers where email ilike 'ada@%'")
    assert [tuple(row) for row in names] == [(signed_up, "Ada")]
    for table in ("auth.users", "profiles"):
        assert await sql.fetchval(f"select count(*) from {table} where id = $1", made) == 0


async def test_what_other_programs_keep_of_somebody_whom_the_desk_made_stays(
    sql: asyncpg.Connection, owned: Database
) -> None:
    await supabase.make(sql, "create table orders (by_user uuid references auth.users (id))")
    await migrate.upgrade(owned)
    async with owned.transaction(NOW) as tx:
        made = (await people.meet(tx, "T-GLOBEX", "U-ADA")).user_id
    await sql.execute("insert into orders values ($1)", made)
    assert str(await becomes(owned, UUID(supabase.BOB))) == supabase.BOB
    assert await sql.fetchval("select count(*) from auth.users where id = $1", made) == 1


async def test_an_address_that_is_nobodys_gives_way_to_the_first_that_is_somebodys(
    sql: asyncpg.Connection, owned: Database
) -> None:
    await supabase.make(sql, supabase.SIGN_UP_MAKES_CUSTOMERS)
    await migrate.upgrade(owned)
    async with owned.transaction(NOW) as tx:
        ada = await people.meet(tx, "T-GLOBEX", "U-ADA")
        assert await people.customer_email(tx, ada.user_id) is None
    assert (
        await sql.fetchval("select email from customers where id = $1", ada.user_id) == f"{ada.user_id}@slack.invalid"
    )
    await met(owned, "ada@globex.example")
    await met(owned, "ada@elsewhere.example")
    row = await sql.fetchrow("select first_name, last_name, email from customers where id = $1", ada.user_id)
    assert tuple(row or ()) == ("Ada", "Lovelace", "ada@globex.example")


async def test_who_is_a_customer_and_no_user_of_the_log_in_is_linked_too(
    sql: asyncpg.Connection, owned: Database
) -> None:
    await supabase.make(sql, "alter table customers drop constraint customers_id_fkey")
    await migrate.upgrade(owned)
    imported = await sql.fetchval(
        "insert into customers (id, first_name, last_name, email) values"
        " (gen_random_uuid(), 'Ada', 'L.', 'ada@globex.example') returning id"
    )
    async with owned.transaction(NOW) as tx:
        await people.meet(tx, "T-GLOBEX", "U-ADA")
    assert await becomes(owned, imported) == imported


async def test_an_e_mail_is_changed_with_the_tickets_that_refer_to_it(sql: asyncpg.Connection, owned: Database) -> None:
    """In the web app's tables the reference does not cascade."""
    await supabase.make(sql)
    await migrate.upgrade(owned)
    async with owned.transaction(NOW) as tx:
        await people.change_customer_email(tx, UUID(supabase.BOB), "bob@new.example")
    assert await sql.fetchval("select customer_email from tickets") == "bob@new.example"


async def test_a_desk_with_tables_of_its_own_can_run_with_the_fewest_rights_too(
    empty_url: str, sql: asyncpg.Connection
) -> None:
    await sql.execute("create role plain_owner login; grant create on schema public to plain_owner")
    await sql.execute(f"grant create on database {await sql.fetchval('select current_database()')} to plain_owner")
    plain = Database(supabase.as_role(empty_url, "plain_owner"))
    await migrate.upgrade(plain)
    assert await adoption.failing(plain) == []
    await sql.execute("alter role plain_owner createrole")
    owner = await asyncpg.connect(supabase.as_role(empty_url, "plain_owner"))
    await owner.execute(rights.grants())
    await owner.close()
    desk = Database(supabase.as_role(empty_url, rights.DESK))
    one = await desk.connect()
    assert (await rights.forbidden(one), await rights.hidden(one)) == ([], [])
    await one.close()
    version = await migrate.upgrade(desk)
    *_, before, latest = migrate.known()
    assert version == latest
    await sql.execute("update threadesk.alembic_version set version_num = $1", before)
    with pytest.raises(migrate.MigrationError, match="as the role that owns them"):
        await migrate.upgrade(desk)
    await desk.close()
    await plain.close()
    await sql.execute(f"drop owned by {rights.DESK}; drop role {rights.DESK}")
    await sql.execute("drop owned by plain_owner cascade; drop role plain_owner")


async def test_tables_that_a_version_without_adoption_made_are_the_desks_own(
    empty_url: str, sql: asyncpg.Connection
) -> None:
    untouched, database = await dump(empty_url), Database(empty_url)
    await at_version(database, "0012")
    await sql.execute("drop table threadesk.adopted")
    await migrate.upgrade(database)
    assert await adoption.failing(database) == []
    await migrate.downgrade(database)
    assert await dump(empty_url) == untouched
    await database.close()


async def test_an_account_that_the_desk_has_not_made_is_never_deleted_for_a_merge(
    sql: asyncpg.Connection, owned: Database
) -> None:
    await supabase.make(sql)
    await migrate.upgrade(owned)
    theirs, ours = uuid4(), uuid4()
    await sql.execute("insert into auth.users (id, email) values ($1, 'admin@shop.example')", theirs)
    await sql.execute("select threadesk.new_user($1)", ours)
    await sql.execute("delete from customers where id = any($1)", [theirs, ours])
    assert not await sql.fetchval("select threadesk.replace_user($1, $2)", theirs, supabase.BOB)
    for who, gone in ((theirs, False), (ours, True)):
        await sql.execute(
            "insert into threadesk.people (team_id, slack_id, user_id, kind) values ('T1', $1::text, $2, 'member')",
            f"U{who.hex}",
            who,
        )
        assert await sql.fetchval("select threadesk.replace_user($1, $2)", who, supabase.BOB) is gone
    assert await sql.fetchval("select array_agg(id) from auth.users where id = any($1)", [theirs, ours]) == [theirs]
