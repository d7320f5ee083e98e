"""What figures count, beside the ledger: each change of status and each first answer, with all that is asked of it, so
that a period's are read in one go and no ticket is looked up."""

from migrations.script import run_script

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# A row is taken apart from its first column on. What every figure asks for comes first, and of that what is always as
# long: so a week is read in a third of the time.
TABLE = """
create table threadesk.counted (
  ticket_id uuid not null,
  line bigint not null,
  at timestamptz not null,
  urgency smallint not null,
  not_a_ticket boolean not null,
  triage_channel text,
  status text,
  was text,
  role text not null,
  actor uuid,
  again_at timestamptz,
  spent timestamptz[] check (cardinality(spent) % 2 = 0),
  channel text,
  requester_team text,
  tags text[],
  check ((spent is not null) = (status is null or status = 'closed' and was is not null)),
  check (again_at is null or status = 'closed' and was is not null),
  check ((tags is not null) = (status is not null and was is null))
);
comment on table threadesk.counted is
  'the lines of the ledger that figures count: changes of status, and each ticket''s first answer; kept by triggers';
comment on column threadesk.counted.line is 'its id in the ledger';
comment on column threadesk.counted.status is 'what the status became; null: the first answer';
comment on column threadesk.counted.again_at is 'of a closing: when the ticket was closed next';
comment on column threadesk.counted.spent is
  'of a closing and of the first answer: from when to when the ticket had been new or open by then, pair by pair';
comment on column threadesk.counted.triage_channel is
  'as desk_tickets has it now, like channel, requester_team, urgency, not_a_ticket and, of an opening, tags';
"""

SPENT = """
create function threadesk.spent(ticket uuid, until timestamptz) returns timestamptz[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  turns timestamptz[];
begin
  select coalesce(array_agg(at order by id), '{}') into turns from threadesk.ledger
  where ticket_id = ticket and status is not null and at <= until
    and (status in ('new', 'open')) <> coalesce(was in ('new', 'open'), false);
  return case when cardinality(turns) % 2 = 1 then turns || until else turns end;
end $$;
comment on function threadesk.spent is 'from when to when a ticket had been new or open until a moment, pair by pair';

create view threadesk.counted_by_ledger as
with lines as (
  select ticket_id, id as line, at, status, was, role, actor from threadesk.ledger where status is not null
  union all (
    select distinct on (m.ticket_id) m.ticket_id, m.id, m.at, null, null, m.role, m.actor
    from threadesk.ledger m join threadesk.ledger o using (ticket_id)
    where m.what = 'message' and m.role = 'agent' and o.status is not null and o.was is null and o.at < m.at
    order by m.ticket_id, m.at, m.id)
), turned as (
  select l.*, coalesce(array_agg(at) filter (
    where status is not null and (status in ('new', 'open')) <> coalesce(was in ('new', 'open'), false))
    over (partition by ticket_id order by at), '{}') as turns,
    status = 'closed' and was is not null as closing
  from lines l
)
select l.ticket_id, l.line, l.at, d.urgency, d.not_a_ticket, d.triage_channel, l.status, l.was, l.role, l.actor,
  case when l.closing then lead(l.at) over (partition by l.ticket_id, l.closing order by l.line) end as again_at,
  case when l.status is null or l.closing
    then l.turns || case when cardinality(l.turns) % 2 = 1 then array[l.at] else '{}' end end as spent,
  d.channel, d.requester_team, case when l.status is not null and l.was is null then d.tags end as tags
from turned l join threadesk.desk_tickets d using (ticket_id);
comment on view threadesk.counted_by_ledger is 'what threadesk.counted must hold, found out from the ledger, slowly';

insert into threadesk.counted table threadesk.counted_by_ledger order by at, line;
alter table threadesk.counted
  add primary key (ticket_id, line),
  add foreign key (ticket_id) references public.tickets (id) on delete cascade deferrable initially deferred;
create index counted_moves_idx on threadesk.counted (at) where status is not null;
create index counted_spent_idx on threadesk.counted (at) where spent is not null;
create unique index counted_first_answer_idx on threadesk.counted (ticket_id) where status is null;
"""

# The lines of one ticket are written one after the other: whoever writes them has locked the ticket. Its row in
# desk_tickets is locked too, so that nobody changes there what was copied just before.
KEPT = """
create function threadesk.line_counted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  closing boolean := coalesce(new.status = 'closed' and new.was is not null, false);
begin
  if new.status is null then
    if exists (select from threadesk.counted
        where ticket_id = new.ticket_id and status is null and at <= new.at)
      or not exists (select from threadesk.counted
        where ticket_id = new.ticket_id and status is not null and was is null and at < new.at) then
      return null;
    end if;
    delete from threadesk.counted where ticket_id = new.ticket_id and status is null;
  end if;
  insert into threadesk.counted (ticket_id, line, at, urgency, not_a_ticket, triage_channel, status, was, role, actor,
    spent, channel, requester_team, tags)
  select new.ticket_id, new.id, new.at, d.urgency, d.not_a_ticket, d.triage_channel, new.status, new.was, new.role,
    new.actor, case when new.status is null or closing then threadesk.spent(new.ticket_id, new.at) end,
    d.channel, d.requester_team, case when new.status is not null and new.was is null then d.tags end
  from threadesk.desk_tickets d where d.ticket_id = new.ticket_id for no key update;
  if new.was is not null then
    -- By Slack's clock an answer may be later than what came after it by ours.
    update threadesk.counted set
      spent = case when at >= new.at then threadesk.spent(ticket_id, at) else spent end,
      again_at = case when closing and status = 'closed' then coalesce(again_at, new.at) else again_at end
    where ticket_id = new.ticket_id and spent is not null and line <> new.id
      and (at >= new.at or closing and status = 'closed' and again_at is null);
  end if;
  return null;
end $$;
create trigger counted after insert on threadesk.ledger
  for each row when (new.status is not null or new.what = 'message' and new.role = 'agent')
  execute function threadesk.line_counted();

create function threadesk.actor_counted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update threadesk.counted set actor = new.actor where ticket_id = new.ticket_id and line = new.id;
  return null;
end $$;
create trigger counted_actor after update of actor on threadesk.ledger
  for each row when (new.actor is distinct from old.actor) execute function threadesk.actor_counted();

create function threadesk.scope_counted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update threadesk.counted set triage_channel = new.triage_channel, channel = new.channel,
    requester_team = new.requester_team, urgency = new.urgency, not_a_ticket = new.not_a_ticket,
    tags = case when status is not null and was is null then new.tags end
  where ticket_id = new.ticket_id;
  return null;
end $$;
create trigger counted_scope
  after update of triage_channel, channel, requester_team, urgency, not_a_ticket, tags on threadesk.desk_tickets
  for each row when (
    (new.triage_channel, new.channel, new.requester_team, new.urgency, new.not_a_ticket, new.tags) is distinct from
    (old.triage_channel, old.channel, old.requester_team, old.urgency, old.not_a_ticket, old.tags))
  execute function threadesk.scope_counted();
"""

# What is written with every line, or every change of a ticket, and is not read any more, or holds more than is read.
INDEXES = """
drop index threadesk.ledger_moves_idx, threadesk.desk_tickets_scope_idx, threadesk.desk_tickets_standing_idx;
create index desk_tickets_standing_idx on threadesk.desk_tickets (triage_channel, status, urgency)
  include (number, channel, requester_team) where status <> 'closed' and not not_a_ticket;
"""


def upgrade() -> None:
    for statements in (TABLE, SPENT, KEPT, INDEXES):
        run_script(statements)


def downgrade() -> None:
    run_script("""
    drop index threadesk.desk_tickets_standing_idx;
    create index desk_tickets_standing_idx on threadesk.desk_tickets (triage_channel, status, urgency)
      include (ticket_id, channel, requester_team, not_a_ticket) where status <> 'closed';
    create index ledger_moves_idx on threadesk.ledger (at) include (ticket_id, status, was, role, actor)
      where status is not null;
    create index desk_tickets_scope_idx on threadesk.desk_tickets (ticket_id)
      include (triage_channel, channel, requester_team, not_a_ticket, status, urgency);
    drop trigger counted_scope on threadesk.desk_tickets;
    drop trigger counted_actor on threadesk.ledger;
    drop trigger counted on threadesk.ledger;
    drop function threadesk.scope_counted(), threadesk.actor_counted(), threadesk.line_counted();
    drop view threadesk.counted_by_ledger;
    drop function threadesk.spent(uuid, timestamptz);
    drop table threadesk.counted;
    """)
