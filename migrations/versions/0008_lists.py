"""What lists and App Home are read from: of each ticket what they are filtered and ordered by, in indexes of their own
order, so that the last page of a million tickets costs what the first one does; and what each person chose there."""

from migrations.script import run_script

revision = "0008"
down_revision = "0005"
branch_labels = None
depends_on = None

HOMES = """
create table threadesk.homes (
  team_id text not null,
  slack_id text not null,
  list text not null default 'mine' check (list in ('mine', 'unassigned', 'waiting', 'all', 'asked')),
  status text check (status in ('new', 'open', 'pending', 'closed')),
  priority text check (priority in ('low', 'medium', 'high')),
  tag text check (length(tag) between 1 and 50),
  triage_channel text,
  trail text[] not null default '{}' check (cardinality(trail) <= 1000),
  hash text,
  primary key (team_id, slack_id),
  foreign key (team_id, slack_id) references threadesk.people on update cascade on delete cascade
);
create index on threadesk.homes (slack_id);
comment on table threadesk.homes is 'who has opened App Home, what they chose there and what it shows';
comment on column threadesk.homes.trail is 'where each page up to the present one began, the first left out';
comment on column threadesk.homes.hash is 'Slack''s own of what was published last: what is older does not replace it';
"""

#: Slack's lists ask for them beside last activity, which `public.tickets` does not have.
COLUMNS = """
alter table threadesk.desk_tickets
  add status text not null default 'new',
  add urgency smallint not null default 2,
  add tags text[] not null default '{}',
  add unassigned boolean not null default true,
  add waiting_since timestamptz;
comment on column threadesk.desk_tickets.status is 'as in public.tickets, like tags; kept by the trigger, for lists';
comment on column threadesk.desk_tickets.urgency is 'the priority: 1 low, 2 medium, 3 high; kept by the trigger';
comment on column threadesk.desk_tickets.waiting_since is 'the first customer''s message that no agent has answered';

create table threadesk.assignments (
  ticket_id uuid not null references public.tickets (id) on delete cascade,
  assignee uuid not null,
  number bigint not null,
  closed boolean not null,
  urgency smallint not null,
  last_activity_at timestamptz not null,
  primary key (ticket_id, assignee)
);
comment on table threadesk.assignments is 'who has which ticket, as in public.tickets.assigned_to; kept by the trigger';

-- As the digest has it: from a customer's first message that no agent has answered; without any message, from opening.
create function threadesk.waiting_since(ticket uuid, opened timestamptz) returns timestamptz
language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce(
    (select min(created_at) from threadesk.messages
      where ticket_id = ticket and kind = 'message' and author_role = 'customer' and not deleted
        and created_at > coalesce(answered.at, '-infinity')),
    case when answered.at is null then opened end)
  from (select max(created_at) as at from threadesk.messages
    where ticket_id = ticket and kind = 'message' and author_role = 'agent') as answered
$$;
"""

#: Of the tickets that there are already.
FILLED = """
update threadesk.desk_tickets d set
  status = t.status,
  urgency = array_position('{low,medium,high}', t.priority),
  tags = coalesce(t.tags, '{}'),
  unassigned = coalesce(cardinality(t.assigned_to), 0) = 0,
  waiting_since = threadesk.waiting_since(t.id, t.created_at)
from public.tickets t where t.id = d.ticket_id;
insert into threadesk.assignments (ticket_id, assignee, number, closed, urgency, last_activity_at)
select distinct d.ticket_id, a.id, d.number, d.status = 'closed', d.urgency, d.last_activity_at
from threadesk.desk_tickets d join public.tickets t on t.id = d.ticket_id
cross join unnest(t.assigned_to) as a (id) where a.id is not null;
"""

INDEXES = """
create index desk_tickets_of_requester_idx on threadesk.desk_tickets
  (requester_team, requester_slack, last_activity_at, number);
create index desk_tickets_all_idx on threadesk.desk_tickets (triage_channel, last_activity_at, number);
create index desk_tickets_not_closed_idx on threadesk.desk_tickets (triage_channel, last_activity_at, number)
  where status <> 'closed';
create index desk_tickets_unassigned_idx on threadesk.desk_tickets (triage_channel, last_activity_at, number)
  where status <> 'closed' and unassigned;
create index desk_tickets_waiting_idx on threadesk.desk_tickets (triage_channel, waiting_since, number)
  where status in ('new', 'open') and waiting_since is not null;
create index desk_tickets_tags_idx on threadesk.desk_tickets using gin (tags);
create index assignments_all_idx on threadesk.assignments (assignee, last_activity_at, number);
create index assignments_not_closed_idx on threadesk.assignments (assignee, last_activity_at, number) where not closed;
create index assignments_urgent_idx on threadesk.assignments (assignee, urgency, last_activity_at, number)
  where not closed;
create index people_slack_id_idx on threadesk.people (slack_id);
drop index threadesk.desk_tickets_requester_team_requester_slack_idx, threadesk.desk_tickets_last_activity_at_idx;
"""

#: The trigger's function of 0002, of which only what it keeps beside the ticket differs.
TRIGGER_BEGINS = """
create or replace function threadesk.ticket_changed() returns trigger
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
"""
KEPT_BEFORE = """
  update threadesk.desk_tickets set last_activity_at = greatest(last_activity_at, told_at)
  where ticket_id = new.id and (tg_op = 'INSERT' or last_activity_at < told_at);
"""
KEPT = """
  update threadesk.desk_tickets d set
    last_activity_at = greatest(d.last_activity_at, told_at),
    status = new.status,
    urgency = array_position('{low,medium,high}', new.priority),
    tags = coalesce(new.tags, '{}'),
    unassigned = coalesce(cardinality(new.assigned_to), 0) = 0,
    waiting_since = case
      when tg_op = 'INSERT' or old.conversation_history is distinct from new.conversation_history
      then threadesk.waiting_since(new.id, new.created_at) else d.waiting_since end
  where d.ticket_id = new.id;
  if tg_op = 'UPDATE' and old.assigned_to is distinct from new.assigned_to then
    delete from threadesk.assignments
    where ticket_id = new.id and assignee <> all (coalesce(new.assigned_to, '{}'));
  end if;
  if cardinality(new.assigned_to) > 0 then
    insert into threadesk.assignments as known (ticket_id, assignee, number, closed, urgency, last_activity_at)
    select distinct d.ticket_id, a.id, d.number, d.status = 'closed', d.urgency, d.last_activity_at
    from threadesk.desk_tickets d cross join unnest(new.assigned_to) as a (id)
    where d.ticket_id = new.id and a.id is not null
    on conflict (ticket_id, assignee) do update
      set closed = excluded.closed, urgency = excluded.urgency, last_activity_at = excluded.last_activity_at;
  end if;
"""
TRIGGER_ENDS = """
  perform threadesk.mark(new.id, told_at);
  return null;
end $$;
"""


def upgrade() -> None:
    for statements in (HOMES, COLUMNS, FILLED, INDEXES, TRIGGER_BEGINS + KEPT + TRIGGER_ENDS):
        run_script(statements)


def downgrade() -> None:
    run_script(TRIGGER_BEGINS + KEPT_BEFORE + TRIGGER_ENDS)
    run_script("""
    drop table threadesk.homes, threadesk.assignments;
    drop function threadesk.waiting_since(uuid, timestamptz);
    drop index threadesk.desk_tickets_of_requester_idx, threadesk.people_slack_id_idx;
    alter table threadesk.desk_tickets drop status, drop urgency, drop tags, drop unassigned, drop waiting_since;
    drop index threadesk.desk_tickets_all_idx;
    create index desk_tickets_requester_team_requester_slack_idx on threadesk.desk_tickets
      (requester_team, requester_slack);
    create index desk_tickets_last_activity_at_idx on threadesk.desk_tickets (last_activity_at);
    """)
