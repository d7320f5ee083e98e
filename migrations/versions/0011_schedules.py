"""Digests at set times: when each is due, and each time that was taken as due; and for which tickets the customer was
told when somebody is back."""

from migrations.script import run_script

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SCHEDULES = """
create table threadesk.digest_schedules (
  id uuid primary key default gen_random_uuid(),
  triage_channel text not null references threadesk.channels (id) on delete cascade on update cascade,
  channel text not null check (channel ~ '^[CG][A-Z0-9]+$'),
  cron text not null check (cron ~ '^[0-9]{1,2}( [0-9A-Z*,/#-]+){4}$' and length(cron) <= 100),
  zone text not null check (zone <> '' and length(zone) <= 100),
  period text not null check (period in ('today', 'week', 'month')),
  taken_to timestamptz not null,
  next_at timestamptz,
  suspended text,
  unique (triage_channel, channel, cron, zone, period),
  check (next_at > taken_to)
);
comment on table threadesk.digest_schedules is 'when digests of a triage channel''s tickets are posted, and where';
comment on column threadesk.digest_schedules.taken_to is 'what was due until then was taken, or is not to be posted';
comment on column threadesk.digest_schedules.next_at is 'the first time after taken_to; null: it never comes again';
comment on column threadesk.digest_schedules.suspended is 'why its channel is no place for digests; null: it is one';
create index on threadesk.digest_schedules (next_at);

create table threadesk.digests_due (
  id uuid primary key default gen_random_uuid(),
  triage_channel text not null,
  channel text not null,
  zone text not null,
  period text not null check (period in ('today', 'week', 'month')),
  due_at timestamptz not null,
  left_out integer not null default 0 check (left_out >= 0),
  try_at timestamptz not null,
  attempts integer not null default 0,
  outcome text check (outcome in ('posted', 'suspended')),
  unique (triage_channel, channel, period, due_at)
);
comment on table threadesk.digests_due is 'every time at which a digest was due, once for each channel and period';
comment on column threadesk.digests_due.left_out is 'how many that were due before it and missed are never posted';
comment on column threadesk.digests_due.outcome is 'null: it is still to be posted';
create index digests_due_waiting_idx on threadesk.digests_due (try_at) where outcome is null;
create index digests_due_over_idx on threadesk.digests_due (due_at) where outcome is not null;
"""

LEDGER = """
create function threadesk.times_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  acting uuid := nullif(current_setting('threadesk.actor', true), '')::uuid;
  acting_role text := coalesce(nullif(current_setting('threadesk.role', true), ''), 'other');
  told_at timestamptz := coalesce(nullif(current_setting('threadesk.now', true), '')::timestamptz, now());
  kept text[] := array['channel', 'cron', 'zone', 'period'];
begin
  if tg_table_name = 'channels' then
    insert into threadesk.settings_ledger (channel, at, actor, role, what, before, after)
    values (new.id, told_at, acting, acting_role, 'working_hours', old.working_hours, new.working_hours);
  else
    insert into threadesk.settings_ledger (channel, at, actor, role, what, before, after)
    select coalesce(new.triage_channel, old.triage_channel), told_at, acting, acting_role, 'digest',
      (select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(old)) where key = any(kept)),
      (select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(new)) where key = any(kept));
  end if;
  return null;
end $$;
create trigger threadesk_changed after insert or delete on threadesk.digest_schedules
  for each row execute function threadesk.times_changed();
create trigger threadesk_hours_changed after update of working_hours on threadesk.channels
  for each row when (old.working_hours is distinct from new.working_hours)
  execute function threadesk.times_changed();
"""

BACK = """
create table threadesk.told_back (
  ticket_id uuid primary key references public.tickets (id) on delete cascade,
  back_at timestamptz not null
);
comment on table threadesk.told_back is 'tickets whose status message says, out of hours, when somebody is back';
create index on threadesk.told_back (back_at);
"""


def upgrade() -> None:
    for statements in (SCHEDULES, LEDGER, BACK):
        run_script(statements)


def downgrade() -> None:
    run_script("""
    drop trigger threadesk_hours_changed on threadesk.channels;
    drop table threadesk.told_back, threadesk.digests_due, threadesk.digest_schedules;
    drop function threadesk.times_changed();
    """)
