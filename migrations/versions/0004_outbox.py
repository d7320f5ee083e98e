"""Channels that are closed to the desk, tickets that cannot be shown, which channels the replicas name, and the
indexes by which what is long over is purged."""

from migrations.script import run_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LANES = """
alter table threadesk.lanes
  add closed_since timestamptz,
  add closed_why text,
  add refusals integer not null default 0,
  add shifted double precision not null default 0,
  add constraint lanes_closed_check check ((closed_since is null) = (closed_why is null));
comment on column threadesk.lanes.closed_why is 'what Slack answers there; lane slack: what it answers everywhere';
comment on column threadesk.lanes.shifted is 'seconds by which pauses have moved the places given out in this budget';
"""

# What cannot be shown waits beside the lane, not in it.
MARKS = """
alter table threadesk.to_show
  add failures integer not null default 0,
  add parked text,
  add marked_at timestamptz not null default now();
comment on column threadesk.to_show.failures is 'failures of the desk''s own, in a row';
comment on column threadesk.to_show.parked is 'the reference in the log of why it cannot be shown; null: it waits';
comment on column threadesk.to_show.update_at is 'its place in the budget of updates, less what that is shifted by';
drop index threadesk.to_show_lane_due_at_ticket_id_idx;
create index to_show_lane_due_at_ticket_id_idx on threadesk.to_show (lane, due_at, ticket_id) where parked is null;
create index to_show_parked_idx on threadesk.to_show (lane) where parked is not null;

alter table threadesk.notices
  add failures integer not null default 0,
  add made_at timestamptz not null default now();
create index notices_parked_idx on threadesk.notices (lane)
  where sent_at is null and refused is not null and refused not in ('suspended', 'dropped');
create index notices_over_idx on threadesk.notices (coalesce(sent_at, made_at))
  where sent_at is not null or refused is not null;
create index posted_parked_idx on threadesk.posted (channel)
  where refused is not null and refused not in ('nobody to tell', 'dropped');
create index early_arrived_at_idx on threadesk.early (arrived_at);

create or replace function threadesk.mark(marked uuid, at timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into threadesk.to_show as shown (ticket_id, side, lane, due_at, marked_at)
  select t.ticket_id, s.side, s.lane, at, at
  from threadesk.desk_tickets t
  cross join lateral (values ('customer', t.channel), ('triage', t.triage_channel)) as s (side, lane)
  where t.ticket_id = marked and s.lane is not null
  order by s.side
  on conflict (ticket_id, side) do update
    set version = shown.version + 1, lane = excluded.lane, due_at = least(shown.due_at, excluded.due_at),
      failures = case when shown.parked is null then shown.failures else 0 end, parked = null;
  perform pg_notify('threadesk', '');
end $$;
"""

# Until now what was marked in a suspended channel was forgotten, and all of its tickets were marked when it resumed.
SUSPENDED = """
select threadesk.mark(t.ticket_id, now()) from threadesk.desk_tickets t
join threadesk.channels c on c.id = t.triage_channel where c.suspended is not null;
"""

MARK_BEFORE = """
create or replace function threadesk.mark(marked uuid, at timestamptz) returns void
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
comment on column threadesk.to_show.update_at is 'the place kept for this ticket in the budget of updates';
"""

NAMED = """
create table threadesk.named (
  replica uuid not null,
  channel text not null,
  until timestamptz not null,
  primary key (replica, channel)
);
comment on table threadesk.named is 'the support channels in the settings of the desks that run, renewed while they do';
-- Until now they were those in the settings of the desk that started last.
insert into threadesk.named select gen_random_uuid(), id, now() from threadesk.channels where role = 'support';
"""


def upgrade() -> None:
    for statements in (LANES, MARKS, SUSPENDED, NAMED):
        run_script(statements)


def downgrade() -> None:
    run_script(MARK_BEFORE)
    run_script("""
    drop table threadesk.named;
    drop index threadesk.early_arrived_at_idx, threadesk.posted_parked_idx, threadesk.notices_over_idx,
      threadesk.notices_parked_idx, threadesk.to_show_parked_idx, threadesk.to_show_lane_due_at_ticket_id_idx;
    alter table threadesk.notices drop failures, drop made_at;
    alter table threadesk.to_show drop failures, drop parked, drop marked_at;
    create index to_show_lane_due_at_ticket_id_idx on threadesk.to_show (lane, due_at, ticket_id);
    alter table threadesk.lanes drop closed_since, drop closed_why, drop refusals, drop shifted;
    """)
