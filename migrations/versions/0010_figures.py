"""What figures are read from: a ledger that never goes back in time, indexes by which a period's lines are found,
support channels' working hours, and ratings that stand in both their places alike."""

from migrations.guards import HISTORY_AGREES, is_adopted
from migrations.script import run_script

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

HOURS = """
alter table threadesk.channels
  add working_hours jsonb,
  add constraint channels_working_hours_check check (working_hours is null or role = 'support'
    and jsonb_typeof(working_hours -> 'days') = 'array' and working_hours ?& '{opens,closes,zone}');
comment on column threadesk.channels.working_hours is
  'days, opens, closes, zone: other time is left out of response times; null: all time counts';
"""

# The clocks of replicas differ a little, and a ticket's state cannot have changed back before it changed.
LEDGER = """
create function threadesk.ledger_goes_on() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  new.at := greatest(new.at, (
    select at from threadesk.ledger
    where ticket_id = new.ticket_id
      and what in ('opened', 'status', 'assigned_to', 'priority', 'tags', 'rating')
    order by id desc limit 1));
  return new;
end $$;
create trigger goes_on before insert on threadesk.ledger
  for each row when (new.what in ('status', 'assigned_to', 'priority', 'tags', 'rating'))
  execute function threadesk.ledger_goes_on();

-- Narrow enough for an index to hold all that figures need of a change.
alter table threadesk.ledger
  add status text generated always as
    (case what when 'opened' then after ->> 'status' when 'status' then after #>> '{}' end) stored,
  add was text generated always as (case what when 'status' then before #>> '{}' end) stored;
comment on column threadesk.ledger.status is 'what the status became; null: the line is about something else';
comment on column threadesk.ledger.was is 'what the status was; null where the ticket was opened';
create index ledger_moves_idx on threadesk.ledger (at) include (ticket_id, status, was, role, actor)
  where status is not null;
create index ledger_stays_idx on threadesk.ledger (ticket_id, id) include (at, status, was) where status is not null;
create index ledger_priorities_idx on threadesk.ledger (at) where what = 'priority';
create index ledger_ratings_idx on threadesk.ledger (at) where what = 'rating';
create index ledger_answers_idx on threadesk.ledger (at) include (ticket_id, actor)
  where what = 'message' and role = 'agent';
create index desk_tickets_scope_idx on threadesk.desk_tickets (ticket_id)
  include (triage_channel, channel, requester_team, not_a_ticket, status, urgency);
create index desk_tickets_standing_idx on threadesk.desk_tickets (triage_channel, status, urgency)
  include (ticket_id, channel, requester_team, not_a_ticket) where status <> 'closed';
"""

# Before a change nothing is generated yet, so what is (LEFT_OUT) is no part of what is compared.
APPEND_ONLY = """
create or replace function threadesk.ledger_is_append_only() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    if not exists (select from public.tickets where id = old.ticket_id) then
      return old;
    end if;
  elsif to_jsonb(new) - LEFT_OUT = to_jsonb(old) - LEFT_OUT
    and not exists (select from auth.users where id = old.actor) then
    return new;
  end if;
  raise insufficient_privilege using message = 'the ledger is append-only';
end $$;
"""

# The ticket is where a rating is given; the customer's history follows, whoever writes.
RATINGS = """
create function threadesk.history_of(address text, present jsonb) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with given as (
    select entry, lower(entry ->> 'ticket_id') as ticket, place
    from jsonb_array_elements(present -> 'feedback') with ordinality as f (entry, place)
  ), kept as (
    select g.entry, g.place, null as submitted_at from given g
    where not exists (select from public.tickets t where t.id = g.ticket::uuid)
    union all
    select coalesce(g.entry, '{}') || t.feedback
      || jsonb_build_object('ticket_id', coalesce(g.entry -> 'ticket_id', to_jsonb(t.id))), g.place,
      t.feedback ->> 'submitted_at'
    from public.tickets t
    left join (select distinct on (ticket) * from given order by ticket, place) as g on g.ticket = t.id::text
    where t.customer_email = address and t.feedback is not null
  )
  select coalesce(present, '{}') || jsonb_build_object('feedback', coalesce(
    jsonb_agg(entry order by place nulls last, submitted_at collate "C"), '[]'))
  from kept
$$;
comment on function threadesk.history_of is 'a customer''s feedback_history as it must be, in the order that it has';

create function threadesk.history_agrees(address text, present jsonb) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select threadesk.history_of(address, present) = coalesce(present, '{"feedback": []}')
$$;

create function threadesk.history_follows() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- Locked first: what others rate at the same time must be seen by the statement that reads it.
  perform from public.customers c
  where c.email in (new.customer_email, case when tg_op = 'UPDATE' then old.customer_email end)
  order by c.id for no key update;
  update public.customers c set feedback_history = threadesk.history_of(c.email, c.feedback_history)
  where c.email in (new.customer_email, case when tg_op = 'UPDATE' then old.customer_email end)
    and not threadesk.history_agrees(c.email, c.feedback_history);
  return null;
end $$;
create trigger threadesk_rated after insert on public.tickets
  for each row when (new.feedback is not null) execute function threadesk.history_follows();
create trigger threadesk_rating_changed after update on public.tickets
  for each row when (new.feedback is distinct from old.feedback
    or new.customer_email is distinct from old.customer_email)
  execute function threadesk.history_follows();

create function threadesk.history_must_agree() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from public.customers c
    where c.id = new.id and not threadesk.history_agrees(c.email, c.feedback_history)) then
    raise check_violation using
      message = 'feedback_history differs from the feedback of the tickets that it names',
      hint = 'Write tickets.feedback: feedback_history follows by itself.',
      constraint = 'customers_feedback_history_agrees', table = 'customers', schema = 'public';
  end if;
  return null;
end $$;
"""

# Entries of a ticket that has no feedback of its own give it theirs; then every history is as it must be.
AGREED = """
update public.tickets t set feedback = f.entry - 'ticket_id'
from public.customers c cross join jsonb_array_elements(c.feedback_history -> 'feedback') as f (entry)
where t.id = (f.entry ->> 'ticket_id')::uuid and t.customer_email = c.email and t.feedback is null;
update public.customers set feedback_history = threadesk.history_of(email, feedback_history)
where not threadesk.history_agrees(email, feedback_history);
-- Tables with checks that are still to come cannot be altered by the migrations that follow.
set constraints all immediate;
set constraints all deferred;
"""

# Low ratings of before are no news to the agents.
TOLD = """
insert into threadesk.posted (ticket_id, side, slot, channel, refused)
select t.id, 'triage', 'rated:' || (
    select count(*) from threadesk.ledger l where l.ticket_id = t.id and l.status = 'closed'
      and l.id < (select max(id) from threadesk.ledger r where r.ticket_id = t.id and r.what = 'rating')),
  d.triage_channel, 'nobody to tell'
from public.tickets t join threadesk.desk_tickets d on d.ticket_id = t.id
where (t.feedback -> 'rating')::integer <= 2 and d.triage_channel is not null
on conflict do nothing;
"""


def upgrade() -> None:
    follows = APPEND_ONLY.replace("LEFT_OUT", "'{actor,status,was}'::text[]")
    for statements in (HOURS, LEDGER, follows, RATINGS):
        run_script(statements)
    # Rows that were there before the desk stay as they are.
    if not is_adopted("customers"):
        run_script(HISTORY_AGREES)
        if not is_adopted("tickets"):
            run_script(AGREED)
    run_script(TOLD)


def downgrade() -> None:
    run_script("""
    delete from threadesk.posted where side = 'triage' and slot like 'rated:%';
    drop trigger if exists threadesk_history_agrees on public.customers;
    drop trigger threadesk_rating_changed on public.tickets;
    drop trigger threadesk_rated on public.tickets;
    drop function threadesk.history_must_agree(), threadesk.history_follows(),
      threadesk.history_agrees(text, jsonb), threadesk.history_of(text, jsonb);
    drop index threadesk.desk_tickets_standing_idx, threadesk.desk_tickets_scope_idx, threadesk.ledger_answers_idx,
      threadesk.ledger_ratings_idx, threadesk.ledger_priorities_idx, threadesk.ledger_stays_idx,
      threadesk.ledger_moves_idx;
    alter table threadesk.ledger drop was, drop status;
    drop trigger goes_on on threadesk.ledger;
    drop function threadesk.ledger_goes_on();
    alter table threadesk.channels drop working_hours;
    """)
    run_script(APPEND_ONLY.replace("LEFT_OUT", "'actor'"))
