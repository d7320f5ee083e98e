"""What the desk keeps beside the user's tables, in a schema of its own.

Every writer of `public.tickets` is served by one trigger: it writes the ledger and marks what Slack must show.
"""

from migrations.script import run_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PEOPLE_AND_CHANNELS = """
create table threadesk.people (
  team_id text not null,
  slack_id text not null,
  user_id uuid not null references auth.users (id),
  linked boolean not null default false,
  kind text not null default 'unknown'
    check (kind in ('unknown', 'member', 'guest', 'external', 'bot', 'deactivated')),
  name text,
  email text,
  locale text,
  picture text,
  is_admin boolean not null default false,
  known_at timestamptz,
  primary key (team_id, slack_id)
);
comment on column threadesk.people.linked is 'user_id was there before, found by e-mail; else the desk made it';
comment on column threadesk.people.known_at is 'when Slack last said who this is; null: it was never asked';
create index on threadesk.people (user_id);

create table threadesk.companies (
  team_id text primary key,
  name text not null
);
comment on table threadesk.companies is 'the Slack workspaces that people come from';

create table threadesk.channels (
  id text primary key,
  name text not null,
  role text not null check (role in ('support', 'triage')),
  mode text not null default 'every_message' check (mode in ('every_message', 'on_request')),
  triage_channel text references threadesk.channels (id),
  suspended text,
  chosen_at timestamptz not null default now(),
  check ((role = 'support') = (triage_channel is not null))
);
comment on column threadesk.channels.suspended is 'why a triage channel is not served; null: it is';

create table threadesk.triage_members (
  channel text not null references threadesk.channels (id) on delete cascade,
  team_id text not null,
  slack_id text not null,
  primary key (channel, team_id, slack_id)
);
create index on threadesk.triage_members (team_id, slack_id);
"""

# References to tickets are checked at commit: an operation says what the desk knows of a ticket first, so that
# the trigger finds it when the ticket's row arrives.
TICKETS = """
create sequence threadesk.ticket_number;

create table threadesk.desk_tickets (
  ticket_id uuid primary key references public.tickets (id) on delete cascade deferrable initially deferred,
  number bigint not null unique default nextval('threadesk.ticket_number'),
  requester uuid references auth.users (id),
  requester_team text,
  requester_slack text,
  channel text,
  root_ts text,
  triage_channel text,
  follows uuid references public.tickets (id) on delete set null,
  not_a_ticket boolean not null default false,
  closings integer not null default 0,
  closed_at timestamptz,
  last_activity_at timestamptz not null default now()
);
comment on column threadesk.desk_tickets.channel is 'where the customer''s thread is; a user id until the DM is known';
create index on threadesk.desk_tickets (requester);
create index on threadesk.desk_tickets (requester_team, requester_slack);
create index on threadesk.desk_tickets (last_activity_at);

create table threadesk.threads (
  channel text not null,
  thread_ts text not null,
  ticket_id uuid not null references public.tickets (id) on delete cascade deferrable initially deferred,
  side text not null check (side in ('customer', 'triage')),
  primary key (channel, thread_ts)
);
create index on threadesk.threads (ticket_id);

create table threadesk.messages (
  message_id uuid primary key,
  ticket_id uuid not null references public.tickets (id) on delete cascade deferrable initially deferred,
  kind text not null check (kind in ('message', 'note')),
  created_at timestamptz not null,
  created_by uuid,
  author_role text not null check (author_role in ('customer', 'agent', 'other')),
  channel text,
  ts text,
  side text check (side in ('customer', 'triage')),
  source jsonb,
  version integer not null default 1,
  deleted boolean not null default false,
  unique (channel, ts),
  check ((channel is null) = (ts is null))
);
comment on table threadesk.messages is 'where each message and note came from; its words are in the ticket';
comment on column threadesk.messages.source is 'what Slack sent: text as encoded, files, people mentioned';
create index on threadesk.messages (ticket_id, created_at);

create table threadesk.early (
  channel text not null,
  ts text not null,
  awaits text not null,
  version text not null default '',
  event jsonb not null,
  arrived_at timestamptz not null default now(),
  primary key (channel, ts, version)
);
comment on table threadesk.early is 'what arrived before the message or root (channel, awaits) it belongs to';
create index on threadesk.early (channel, awaits);

create table threadesk.replies (
  id uuid primary key default gen_random_uuid(),
  ticket_id uuid not null references public.tickets (id) on delete cascade,
  author uuid not null references auth.users (id),
  author_team text not null,
  author_slack text not null,
  words text not null,
  held_at timestamptz not null,
  due_at timestamptz not null,
  state text not null default 'held' check (state in ('held', 'sent', 'undone', 'noted')),
  attempts integer not null default 0,
  channel text,
  ts text
);
comment on column threadesk.replies.ts is 'the message in triage in which it was typed, where it was typed there';
create index on threadesk.replies (due_at) where state = 'held';
create index on threadesk.replies (ticket_id);

create table threadesk.ledger (
  id bigint generated always as identity primary key,
  ticket_id uuid not null references public.tickets (id) on delete cascade deferrable initially deferred,
  at timestamptz not null,
  actor uuid,
  role text not null check (role in ('customer', 'agent', 'desk', 'other')),
  what text not null,
  before jsonb,
  after jsonb
);
comment on table threadesk.ledger is 'who changed what, from what, to what, when: values, never words; append-only';
create index on threadesk.ledger (ticket_id, id);
create index on threadesk.ledger (at);

-- Its rows go only with their ticket, and the only value that follows is the actor whose row in auth.users is gone.
create function threadesk.ledger_is_append_only() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    if not exists (select from public.tickets where id = old.ticket_id) then
      return old;
    end if;
  elsif to_jsonb(new) - 'actor' = to_jsonb(old) - 'actor'
    and not exists (select from auth.users where id = old.actor) then
    return new;
  end if;
  raise insufficient_privilege using message = 'the ledger is append-only';
end $$;
create trigger append_only before update or delete on threadesk.ledger
  for each row execute function threadesk.ledger_is_append_only();

create table threadesk.acted (
  key text primary key,
  at timestamptz not null default now()
);
comment on table threadesk.acted is 'submissions and commands that have been carried out: none acts twice';
create index on threadesk.acted (at);
"""

SLACK_OUT = """
create table threadesk.to_show (
  ticket_id uuid not null references public.tickets (id) on delete cascade deferrable initially deferred,
  side text not null check (side in ('customer', 'triage')),
  lane text not null,
  due_at timestamptz not null,
  version bigint not null default 1,
  attempts integer not null default 0,
  update_at timestamptz,
  primary key (ticket_id, side)
);
comment on column threadesk.to_show.update_at is 'the place kept for this ticket in the budget of updates';
comment on table threadesk.to_show is 'tickets whose Slack messages may differ from their row, one row a side';
create index on threadesk.to_show (lane, due_at, ticket_id);

create table threadesk.posted (
  id uuid primary key default gen_random_uuid(),
  ticket_id uuid not null references public.tickets (id) on delete cascade,
  side text not null check (side in ('customer', 'triage')),
  slot text not null,
  channel text not null,
  thread_ts text,
  ts text,
  shows text,
  version integer not null default 0,
  attempted_at timestamptz,
  tried_at timestamptz,
  gone boolean not null default false,
  refused text,
  unique (ticket_id, side, slot),
  unique (channel, ts)
);
comment on table threadesk.posted is 'what Slack shows of a ticket: one row a message of the desk';
comment on column threadesk.posted.id is 'carried in the message''s metadata, to find it again after a crash';
comment on column threadesk.posted.attempted_at is 'set before sending: with ts null, it may have been sent';
comment on column threadesk.posted.tried_at is 'when the latest attempt began, where attempted_at is the earliest';

create table threadesk.notices (
  id uuid primary key default gen_random_uuid(),
  key text not null unique,
  kind text not null check (kind in ('ephemeral', 'direct', 'channel')),
  lane text not null,
  slack_id text,
  channel text,
  thread_ts text,
  message jsonb not null,
  due_at timestamptz not null,
  attempts integer not null default 0,
  attempted_at timestamptz,
  tried_at timestamptz,
  sent_at timestamptz,
  ts text,
  refused text,
  check ((kind = 'channel') = (slack_id is null)),
  check (kind = 'direct' or channel is not null)
);
create index on threadesk.notices (lane, due_at, id) where sent_at is null and refused is null;

create table threadesk.lanes (
  lane text primary key,
  free_at timestamptz not null default '-infinity',
  leased_until timestamptz not null default '-infinity',
  lease uuid
);
comment on table threadesk.lanes is 'pace, pause and lease: a channel''s posts, or a method in the workspace';
"""

WORDS = """
create function threadesk.moment(written text) returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  read timestamptz;
begin
  read := written;
  -- Neither 'infinity' nor a year that Python does not know.
  return case when read between '0001-01-02 00:00+00' and '9999-12-30 00:00+00' then read end;
exception when others then
  return null;
end $$;
comment on function threadesk.moment is 'a time that another program may have written, null where it is none';

create function threadesk.placed(words jsonb, word jsonb) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp as $$
  select case
    when words @> jsonb_build_array(jsonb_build_object('id', word -> 'id')) then words
    when jsonb_array_length(words) = 0
      or threadesk.moment(words -> -1 ->> 'created_at') <= threadesk.moment(word ->> 'created_at')
      then words || jsonb_build_array(word)
    else (
      select jsonb_agg(one order by threadesk.moment(one ->> 'created_at') nulls first, place)
      from jsonb_array_elements(words || jsonb_build_array(word)) with ordinality as w (one, place)
    ) end
$$;
comment on function threadesk.placed is 'words with one more, in created_at order, never twice';

create function threadesk.replaced(words jsonb, word jsonb) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select jsonb_agg(case when one -> 'id' = word -> 'id' then word else one end order by place)
  from jsonb_array_elements(words) with ordinality as w (one, place)
$$;
comment on function threadesk.replaced is 'words with the one of the same id in a new version';
"""

TRIGGER = """
create function threadesk.mark(marked uuid, at timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into threadesk.to_show as shown (ticket_id, side, lane, due_at)
  select t.ticket_id, s.side, s.lane, at
  from threadesk.desk_tickets t
  cross join lateral (values ('customer', t.channel), ('triage', t.triage_channel)) as s (side, lane)
  where t.ticket_id = marked and s.lane is not null
  order by s.side
  on conflict (ticket_id, side) do update
    set version = shown.version + 1, lane = excluded.lane, due_at = least(shown.due_at, excluded.due_at);
  perform pg_notify('threadesk', '');
end $$;

create function threadesk.words_changed(
  changed uuid, told_kind text, requested_by uuid, old_words jsonb, new_words jsonb,
  acting uuid, acting_role text, told_at timestamptz
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  before jsonb := coalesce(old_words, '[]');
  after jsonb := coalesce(new_words, '[]');
  touched jsonb;
begin
  if before = after then
    return;
  end if;
  -- Nearly every change is one message more at the end: that needs no comparison of all with all.
  if after - -1 = before then
    touched := jsonb_build_array(after -> -1);
  else
    select coalesce(jsonb_agg(w.word), '[]') into touched from (
      select word from jsonb_array_elements(after) as a (word)
      except select word from jsonb_array_elements(before) as b (word)
    ) as w;
  end if;

  insert into threadesk.messages (message_id, ticket_id, kind, created_at, created_by, author_role)
  select (word ->> 'id')::uuid, changed, told_kind,
    coalesce(threadesk.moment(word ->> 'created_at'), told_at), author,
    case when author is null then 'other'
         when author = acting and acting_role in ('agent', 'customer') then acting_role
         when told_kind = 'message' and author = requested_by then 'customer'
         else 'agent' end
  from jsonb_array_elements(touched) as t (word)
  cross join lateral (select case when word ->> 'created_by' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                                  then (word ->> 'created_by')::uuid end) as a (author)
  on conflict (message_id) do nothing;

  insert into threadesk.ledger (ticket_id, at, actor, role, what, after)
  select changed, m.created_at, m.created_by, m.author_role, told_kind, jsonb_build_object('id', m.message_id)
  from jsonb_array_elements(touched) as t (word)
  join threadesk.messages m on m.message_id = (word ->> 'id')::uuid
  where not exists (select from jsonb_array_elements(before) as b (word) where b.word ->> 'id' = t.word ->> 'id')
  order by m.created_at;

  with known as (
    select t.word, b.word as earlier
    from jsonb_array_elements(touched) as t (word)
    join jsonb_array_elements(before) as b (word) on b.word ->> 'id' = t.word ->> 'id'
  ), told as (
    insert into threadesk.ledger (ticket_id, at, actor, role, what, after)
    select changed, told_at, acting, acting_role,
      told_kind || case when word ? 'deleted_at' then '_deleted' else '_edited' end,
      jsonb_build_object('id', word ->> 'id')
    from known
    where word ->> 'edited_at' is distinct from earlier ->> 'edited_at'
       or word ? 'deleted_at' and not earlier ? 'deleted_at'
  )
  update threadesk.messages m
  set version = m.version + 1, deleted = known.word ? 'deleted_at'
  from known where m.message_id = (known.word ->> 'id')::uuid;
end $$;

create function threadesk.ticket_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  acting uuid := nullif(current_setting('threadesk.actor', true), '')::uuid;
  acting_role text := coalesce(nullif(current_setting('threadesk.role', true), ''), 'other');
  told_at timestamptz := coalesce(nullif(current_setting('threadesk.now', true), '')::timestamptz, now());
  requested_by uuid;
begin
  if tg_op = 'INSERT' then
    -- Another program's ticket: the desk's own operations have said what they know before. A number that is taken
    -- for a row that is there already would be lost.
    insert into threadesk.desk_tickets (ticket_id, requester, triage_channel, closed_at, closings)
    select new.id, new.created_by,
      (select id from threadesk.channels where role = 'triage' and suspended is null
        order by chosen_at desc, id desc limit 1),
      case when new.status = 'closed' then told_at end, (new.status = 'closed')::integer
    where not exists (select from threadesk.desk_tickets where ticket_id = new.id);
    insert into threadesk.ledger (ticket_id, at, actor, role, what, after)
    values (new.id, told_at, acting, acting_role, 'opened', jsonb_build_object(
      'status', new.status, 'priority', new.priority, 'assigned_to', to_jsonb(new.assigned_to),
      'tags', to_jsonb(new.tags)));
  else
    insert into threadesk.ledger (ticket_id, at, actor, role, what, before, after)
    select new.id, told_at, acting, acting_role, c.what, c.before, c.after
    from (values
      (1, 'status', to_jsonb(old.status), to_jsonb(new.status)),
      (2, 'assigned_to', to_jsonb(old.assigned_to), to_jsonb(new.assigned_to)),
      (3, 'priority', to_jsonb(old.priority), to_jsonb(new.priority)),
      (4, 'tags', to_jsonb(old.tags), to_jsonb(new.tags)),
      (5, 'rating', old.feedback -> 'rating', new.feedback -> 'rating')
    ) as c (place, what, before, after)
    where c.before is distinct from c.after
    union all
    select new.id, told_at, acting, acting_role, w.what, null, null
    from (values
      ('title', old.title is distinct from new.title),
      ('description', old.description is distinct from new.description),
      ('custom_fields', old.custom_fields is distinct from new.custom_fields),
      ('customer_email', old.customer_email is distinct from new.customer_email)
    ) as w (what, changed)
    where w.changed;
    if old.status <> new.status then
      update threadesk.desk_tickets set
        closings = closings + (new.status = 'closed')::integer,
        closed_at = case when new.status = 'closed' then told_at end
      where ticket_id = new.id;
    end if;
  end if;

  select requester into requested_by from threadesk.desk_tickets where ticket_id = new.id;
  perform threadesk.words_changed(new.id, 'message', requested_by,
    case when tg_op = 'UPDATE' then old.conversation_history -> 'messages' end,
    new.conversation_history -> 'messages', acting, acting_role, told_at);
  perform threadesk.words_changed(new.id, 'note', requested_by,
    case when tg_op = 'UPDATE' then old.internal_notes -> 'notes' end,
    new.internal_notes -> 'notes', acting, acting_role, told_at);
  update threadesk.desk_tickets set last_activity_at = greatest(last_activity_at, told_at)
  where ticket_id = new.id and (tg_op = 'INSERT' or last_activity_at < told_at);
  perform threadesk.mark(new.id, told_at);
  return null;
end $$;
create trigger threadesk_changed after insert or update on public.tickets
  for each row execute function threadesk.ticket_changed();
"""


def upgrade() -> None:
    for statements in (PEOPLE_AND_CHANNELS, TICKETS, SLACK_OUT, WORDS, TRIGGER):
        run_script(statements)


def downgrade() -> None:
    run_script("""
    drop trigger threadesk_changed on public.tickets;
    drop function threadesk.ticket_changed(), threadesk.words_changed(uuid, text, uuid, jsonb, jsonb, uuid, text,
      timestamptz), threadesk.mark(uuid, timestamptz), threadesk.placed(jsonb, jsonb), threadesk.replaced(jsonb, jsonb),
      threadesk.moment(text);
    drop table threadesk.notices, threadesk.lanes, threadesk.posted, threadesk.to_show, threadesk.acted,
      threadesk.ledger, threadesk.replies, threadesk.early, threadesk.messages, threadesk.threads,
      threadesk.desk_tickets, threadesk.triage_members, threadesk.channels, threadesk.companies,
      threadesk.people;
    drop function threadesk.ledger_is_append_only();
    drop sequence threadesk.ticket_number;
    """)
