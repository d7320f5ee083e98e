"""A desk that has been busy for years, made in SQL: rows as the desk makes them, without the years.

What is left out is what Slack shows of the tickets (`posted`, `threads`). Everything follows from a ticket's number, so
that two runs make the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from storage import migrate
from storage.embedded import EmbeddedPostgres
from storage.engine import Database

SIZES = (10_000, 1_000_000)
#: Nobody waits for this disk, and a million rows are not written in small pieces.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}
TEAM, COMPANIES = "T0ACME", 40
TRIAGE = ("C0TRIAGE0", "C0TRIAGE1", "C0TRIAGE2")
NOW = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)
TABLES = "auth.users, public.customers, public.tickets, threadesk.people, threadesk.channels, threadesk.ledger"


@dataclass(frozen=True, slots=True)
class Crowd:
    """`open_in`: one ticket in so many is not closed. `messages`, `changes`: of each ticket; a message has an entry in
    the ledger too, and a change (opened, assigned, closed …) has one."""

    tickets: int
    agents: int = 50
    customers: int = 20_000
    open_in: int = 25
    messages: int = 3
    changes: int = 3


def agent(number: int) -> str:
    return f"U0AGENT{number}"


#: An id that follows from what it is of.
MADE_UP = """
create function pg_temp.made_up(of text) returns uuid language sql immutable as $$ select md5(of)::uuid $$;
create function pg_temp.chance(n bigint, salt text, sides int) returns int language sql immutable as
$$ select (hashtextextended(salt, n) & 2147483647)::int % sides $$;
"""

#: $1 agents, $2 customers. Every agent is in the first triage channel, every fifth in all of them.
PEOPLE = """
with agents as (
  insert into auth.users (id) select pg_temp.made_up('agent' || n) from generate_series(0, $1 - 1) n
), customers as (
  insert into auth.users (id) select pg_temp.made_up('customer' || n) from generate_series(0, $2 - 1) n
), known as (
  insert into public.customers (id, first_name, last_name, email, communication_channels, feedback_history)
  select pg_temp.made_up('customer' || n), 'Customer', n::text, 'customer' || n || '@globex.example', '{slack}',
    '{"feedback": []}' from generate_series(0, $2 - 1) n
)
insert into threadesk.people (team_id, slack_id, user_id, kind, name, email, known_at)
select 'T0ACME', 'U0AGENT' || n, pg_temp.made_up('agent' || n), 'member', 'Agent ' || n,
  'agent' || n || '@acme.example', timestamptz '2026-01-01' from generate_series(0, $1 - 1) n
union all
select 'T0CO' || n % 40, 'U0CUSTOMER' || n, pg_temp.made_up('customer' || n), 'external', 'Customer ' || n,
  'customer' || n || '@globex.example', '2026-01-01' from generate_series(0, $2 - 1) n
"""
CHANNELS = """
insert into threadesk.channels (id, name, role)
  select 'C0TRIAGE' || n, 'triage-' || n, 'triage' from generate_series(0, 2) n;
insert into threadesk.channels (id, name, role, triage_channel)
  select 'C0HELP' || n, 'help-' || n, 'support', 'C0TRIAGE' || n % 3 from generate_series(0, 39) n;
"""
MEMBERS = """
insert into threadesk.triage_members (channel, team_id, slack_id)
select 'C0TRIAGE' || c, 'T0ACME', 'U0AGENT' || n from generate_series(0, 2) c, generate_series(0, $1 - 1) n
where c = 0 or n % 5 = 0
"""

#: Some tags are on many tickets, and many on few.
#: $1 tickets, $2 agents, $3 customers, $4 one in so many not closed, $5 messages, $6 now. A ticket's messages are an
#: hour apart, the customer's and an agent's in turn; a new ticket has only its first.
PLANNED = """
create temporary table planned as
select n as number, pg_temp.made_up('ticket' || n) as id, c.customer, c.agent,
  'Ticket ' || n || ': the export of report ' || n % 977 || ' stops half-way' as title,
  s.status, case pg_temp.chance(n, 'priority', 5) when 0 then 'high' when 1 then 'low' else 'medium' end as priority,
  case when n % 100000 = 7 then '{rare}'::text[]
       when pg_temp.chance(n, 'tags', 3) = 0 then '{}'
       else array['tag' || (200 * (pg_temp.chance(n, 'tag', 100) / 100.0) ^ 3)::int] end as tags,
  $6::timestamptz - ($1 - n + 1) * (interval '700 days' / $1) - interval '10 hours' as created_at,
  case when s.status = 'new' then '{}'::uuid[]
       when pg_temp.chance(n, 'second', 10) = 0 and $2 > 1
       then array[pg_temp.made_up('agent' || c.agent), pg_temp.made_up('agent' || (c.agent + 1) % $2)]
       else array[pg_temp.made_up('agent' || c.agent)] end as assigned_to,
  case s.status when 'new' then 1 when 'open' then $5 - 1 + $5 % 2 when 'pending' then $5 - $5 % 2 else $5 end
    as messages,
  case when s.status = 'closed' and n % 10 = 0 then 1 + n / 10 % 5 end as rating,
  $6::timestamptz - ($1 - n + 1) * (interval '700 days' / $1) - interval '10 hours' + ($5 + 1) * interval '1 hour'
    as rated_at
from generate_series(1, $1) as g (n)
cross join lateral (select pg_temp.chance(n, 'customer', $3) as customer, pg_temp.chance(n, 'agent', $2) as agent) as c
cross join lateral (
  select case when pg_temp.chance(n, 'closed', $4) > 0 then 'closed'
              else (array['new', 'open', 'open', 'pending', 'pending'])[1 + pg_temp.chance(n, 'status', 5)] end
    as status
) as s
"""
MESSAGES = """
create temporary table said as
select p.number, p.id as ticket_id, m as place, pg_temp.made_up('message' || p.number || '.' || m) as message_id,
  p.created_at + (m - 1) * interval '1 hour' as created_at, m % 2 = 1 as by_customer,
  pg_temp.made_up(case when m % 2 = 1 then 'customer' || p.customer else 'agent' || p.agent end) as created_by,
  'C0HELP' || p.customer % 40 as channel,
  extract(epoch from p.created_at)::bigint || '.' || lpad((p.number % 1000 * 1000 + m)::text, 6, '0') as ts,
  case when m % 2 = 1 then 'The export of report ' || p.number || ' stops half-way again, can you have a look?'
       else 'Thank you for telling us. We have found it, and a fix is going out now.' end as content
from planned p cross join lateral generate_series(1, p.messages) m
"""
TICKETS = """
insert into public.tickets (id, title, description, status, priority, tags, custom_fields, conversation_history,
  internal_notes, source_channel, created_at, updated_at, created_by, customer_email, assigned_to, feedback)
select p.id, p.title, p.title, p.status, p.priority, p.tags, '{}', jsonb_build_object('messages', w.words),
  '{"notes": []}', 'slack', p.created_at, w.last_at, pg_temp.made_up('customer' || p.customer),
  'customer' || p.customer || '@globex.example', p.assigned_to,
  case when p.rating is not null
    then jsonb_build_object('rating', p.rating, 'comment', null, 'submitted_at', p.rated_at) end
from planned p join (
  select number, max(created_at) as last_at, jsonb_agg(jsonb_build_object('id', message_id, 'content', content,
    'created_at', to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US+00:00'),
    'created_by', created_by, 'attachments', '[]'::jsonb) order by place) as words
  from said group by number
) as w using (number)
"""
#: A ticket is closed an hour after its last message.
DESK = """
insert into threadesk.desk_tickets (ticket_id, number, requester, requester_team, requester_slack, channel, root_ts,
  triage_channel, closings, closed_at, last_activity_at, status, urgency, tags, unassigned, waiting_since)
select p.id, p.number, pg_temp.made_up('customer' || p.customer), 'T0CO' || p.customer % 40,
  'U0CUSTOMER' || p.customer, 'C0HELP' || p.customer % 40,
  extract(epoch from p.created_at)::bigint || '.' || lpad((p.number % 1000 * 1000 + 1)::text, 6, '0'),
  'C0TRIAGE' || p.customer % 40 % 3, (p.status = 'closed')::int,
  case when p.status = 'closed' then p.created_at + p.messages * interval '1 hour' end,
  p.created_at + (p.messages - (p.status <> 'closed')::int) * interval '1 hour',
  p.status, array_position('{low,medium,high}', p.priority), p.tags, p.assigned_to = '{}',
  case when p.messages % 2 = 1 then p.created_at + (p.messages - 1) * interval '1 hour' end
from planned p
"""
REST = """
insert into threadesk.assignments (ticket_id, assignee, number, status, urgency, last_activity_at)
select d.ticket_id, a.id, d.number, d.status, d.urgency, d.last_activity_at
from threadesk.desk_tickets d join planned p using (number) cross join unnest(p.assigned_to) as a (id);
insert into threadesk.messages (message_id, ticket_id, kind, created_at, created_by, author_role, channel, ts,
  thread_ts, side, source)
select message_id, ticket_id, 'message', created_at, created_by, case when by_customer then 'customer' else 'agent' end,
  channel, ts, null, 'customer', jsonb_build_object('text', content) from said;
insert into threadesk.ledger (ticket_id, at, actor, role, what, after)
select ticket_id, created_at, created_by, case when by_customer then 'customer' else 'agent' end, 'message',
  jsonb_build_object('id', message_id) from said;
"""
#: $1 changes of each ticket; a new one only was opened.
CHANGES = """
insert into threadesk.ledger (ticket_id, at, actor, role, what, before, after)
select p.id, p.created_at + (c - 1) * interval '1 hour', pg_temp.made_up('agent' || p.agent),
  case c when 1 then 'customer' else 'agent' end,
  case c when 1 then 'opened' when 2 then 'assigned_to' else 'status' end,
  case when c > 2 then to_jsonb('new'::text) end,
  case c when 1 then jsonb_build_object('status', 'new', 'priority', p.priority, 'assigned_to', '[]'::jsonb,
           'tags', to_jsonb(p.tags))
         when 2 then to_jsonb(p.assigned_to) else to_jsonb(p.status) end
from planned p cross join generate_series(1, $1) c where c = 1 or p.status <> 'new'
"""
#: An hour after every tenth closing, each number from 1 to 5 as often as another.
RATED = """
insert into threadesk.ledger (ticket_id, at, actor, role, what, after)
select id, rated_at, pg_temp.made_up('customer' || customer), 'customer', 'rating', to_jsonb(rating)
from planned where rating is not null
"""
#: What is long over: a reply from triage on every third ticket, and three digests on each of 700 days.
OVER = """
insert into threadesk.replies (ticket_id, author, author_team, author_slack, words, held_at, due_at, state)
select id, pg_temp.made_up('agent' || agent), 'T0ACME', 'U0AGENT' || agent, 'A fix is going out now.', created_at,
  created_at + interval '10 seconds', 'sent' from planned where messages > 1 and number % 3 = 0;
insert into threadesk.digests_due (triage_channel, channel, zone, period, due_at, try_at, outcome)
select 'C0TRIAGE' || c, 'C0TRIAGE' || c, 'Europe/Berlin', 'today', at, at, 'posted'
from generate_series(0, 2) c, generate_series(timestamptz '2024-12-01 08:00+00', '2026-11-01 08:00+00', '1 day') at;
"""
COUNTED = "insert into threadesk.counted table threadesk.counted_by_ledger order by at, line"
#: The sequence goes on where the numbers end; what PostgreSQL knows of the tables is what it would know by then.
SETTLED = """
select setval('threadesk.ticket_number', (select max(number) from threadesk.desk_tickets));
drop table planned, said;
drop function pg_temp.made_up(text), pg_temp.chance(bigint, text, int);
"""
BIG = (
    *("public.tickets", "threadesk.desk_tickets", "threadesk.assignments", "threadesk.messages"),
    *("threadesk.ledger", "threadesk.counted", "threadesk.replies"),
)
ANALYZED = (
    *("auth.users", "public.customers", "threadesk.people", "threadesk.triage_members", "threadesk.digests_due"),
    *BIG,
)
#: Those that hold no constraint up: built when the rows are there, they take a fraction of the time.
INDEXES = """
select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as made from pg_index i
where indrelid = any($1::text[]::regclass[]) and not exists (select from pg_constraint where conindid = i.indexrelid)
"""


async def fill(sql: asyncpg.Connection[asyncpg.Record], crowd: Crowd) -> None:
    """Empties the desk's tables and fills them. `sql` is a superuser's: no trigger fires meanwhile."""
    async with sql.transaction():
        await sql.execute(f"truncate {TABLES} cascade")
        await sql.execute(
            "set local session_replication_role = replica; set local work_mem = '256MB';"
            " set local maintenance_work_mem = '512MB'"
        )
        indexes = await sql.fetch(INDEXES, BIG)
        for index in indexes:
            await sql.execute(f"drop index {index['name']}")
        await _insert(sql, crowd)
        for index in indexes:
            await sql.execute(index["made"])
        await sql.execute("analyze threadesk.ledger; analyze threadesk.desk_tickets")
        await sql.execute(COUNTED)
    for table in ANALYZED:
        await sql.execute(f"vacuum analyze {table}")


async def _insert(sql: asyncpg.Connection[asyncpg.Record], crowd: Crowd) -> None:
    await sql.execute(MADE_UP)
    await sql.execute(PEOPLE, crowd.agents, crowd.customers)
    await sql.execute(CHANNELS)
    await sql.execute(MEMBERS, crowd.agents)
    plan = (crowd.tickets, crowd.agents, crowd.customers, crowd.open_in, crowd.messages, NOW)
    await sql.execute(PLANNED, *plan)
    await sql.execute("create index on planned (number)")
    await sql.execute(MESSAGES)
    await sql.execute(TICKETS)
    await sql.execute(DESK)
    await sql.execute(REST)
    await sql.execute(CHANGES, crowd.changes)
    await sql.execute(RATED)
    await sql.execute(OVER)
    await sql.execute(SETTLED)


@contextlib.asynccontextmanager
async def desks(sizes: Sequence[int] = SIZES) -> AsyncIterator[dict[int, Database]]:
    """A server of their own, and in it a database for each number of tickets."""
    folder = Path(tempfile.mkdtemp(prefix="threadesk-bench-"))
    postgres = EmbeddedPostgres(folder, settings=SETTINGS)
    try:
        url = await asyncio.to_thread(postgres.start)
        async with contextlib.AsyncExitStack() as stack:
            yield {tickets: await stack.enter_async_context(_desk_of(url, tickets)) for tickets in sizes}
    finally:
        await asyncio.to_thread(postgres.remove)
        await asyncio.to_thread(shutil.rmtree, folder)


@contextlib.asynccontextmanager
async def _desk_of(server: str, tickets: int) -> AsyncIterator[Database]:
    began = time.perf_counter()
    async with _connected(server) as sql:
        await sql.execute(f"create database desk_{tickets}")
    url = server.replace("/threadesk?", f"/desk_{tickets}?")
    database = Database(url)
    try:
        await migrate.upgrade(database)
        async with _connected(url) as sql:
            await fill(sql, Crowd(tickets))
        sys.stderr.write(f"{tickets:,} tickets made in {time.perf_counter() - began:.0f} s\n")
        yield database
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    sql = await asyncpg.connect(url)
    try:
        yield sql
    finally:
        await sql.close()
