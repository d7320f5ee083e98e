"""Set-up in Slack: what a channel's new tickets are given, a ledger of the settings, and ids of channels that change.

Channels are rows from now on, whatever the settings of the desks that run say: nobody names them any more.
"""

from migrations.script import run_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CHANNELS = """
drop table threadesk.named;

alter table threadesk.channels
  drop constraint channels_role_check,
  add constraint channels_role_check check (role in ('support', 'triage', 'none')),
  add private boolean,
  add shared boolean,
  add priority text not null default 'medium' check (priority in ('low', 'medium', 'high')),
  add tags text[] not null default '{}',
  add assignees text[] not null default '{}',
  add turn text,
  drop constraint channels_triage_channel_fkey,
  add constraint channels_triage_channel_fkey foreign key (triage_channel) references threadesk.channels (id)
    on update cascade,
  add constraint channels_assignees_check check (array_position(assignees, null) is null),
  add constraint channels_tags_check check (array_position(tags, null) is null);
comment on column threadesk.channels.role is 'none: an agent has said to leave it alone';
comment on column threadesk.channels.private is 'as Slack said last; null: it was not asked';
comment on column threadesk.channels.assignees is 'Slack ids of the agents who get new tickets in turn';
comment on column threadesk.channels.turn is 'the one of them who got the latest';
alter table threadesk.triage_members
  drop constraint triage_members_channel_fkey,
  add constraint triage_members_channel_fkey foreign key (channel) references threadesk.channels (id)
    on delete cascade on update cascade;
"""

LEDGER = """
create table threadesk.settings_ledger (
  id bigint generated always as identity primary key,
  channel text not null,
  at timestamptz not null,
  actor uuid,
  role text not null check (role in ('agent', 'desk', 'other')),
  what text not null,
  before jsonb,
  after jsonb
);
comment on table threadesk.settings_ledger is 'who set what of a channel, from what, to what, when; append-only';
create index on threadesk.settings_ledger (channel, id);

-- As in the ledger of tickets, the only value that follows is the actor whose row in auth.users is gone.
create function threadesk.settings_are_append_only() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'UPDATE' and to_jsonb(new) - 'actor' = to_jsonb(old) - 'actor'
    and not exists (select from auth.users where id = old.actor) then
    return new;
  end if;
  raise insufficient_privilege using message = 'the ledger of the settings is append-only';
end $$;
create trigger append_only before update or delete on threadesk.settings_ledger
  for each row execute function threadesk.settings_are_append_only();

create function threadesk.channel_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  acting uuid := nullif(current_setting('threadesk.actor', true), '')::uuid;
  acting_role text := coalesce(nullif(current_setting('threadesk.role', true), ''), 'other');
  told_at timestamptz := coalesce(nullif(current_setting('threadesk.now', true), '')::timestamptz, now());
  was jsonb := to_jsonb(old);
  became jsonb := to_jsonb(new);
begin
  insert into threadesk.settings_ledger (channel, at, actor, role, what, before, after)
  select coalesce(became ->> 'id', was ->> 'id'), told_at, acting, acting_role, w.what, was -> w.what, became -> w.what
  from unnest(array['id', 'name', 'role', 'mode', 'triage_channel', 'priority', 'tags', 'assignees', 'suspended',
    'private', 'shared']) with ordinality as w (what, place)
  where coalesce(was -> w.what, 'null') is distinct from coalesce(became -> w.what, 'null')
  order by w.place;
  return null;
end $$;
create trigger threadesk_changed after insert or delete
  or update of id, name, role, mode, triage_channel, priority, tags, assignees, suspended, private, shared
  on threadesk.channels for each row execute function threadesk.channel_changed();
"""

SOUND = """
create function threadesk.channel_is_sound() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'UPDATE' and new.role = old.role and new.triage_channel is not distinct from old.triage_channel then
    return new;
  end if;
  if new.triage_channel is not null
    and not exists (select from threadesk.channels where id = new.triage_channel and role = 'triage') then
    raise check_violation using message = 'tickets go to triage channels only', constraint = 'channels_to_triage';
  end if;
  if new.role <> 'triage' and (exists (select from threadesk.channels where triage_channel = new.id)
    or exists (select from threadesk.threads where channel = new.id and side = 'triage')) then
    raise check_violation using message = 'tickets are shown to agents there', constraint = 'channels_stays_triage';
  end if;
  if new.role = 'triage' and exists (select from threadesk.threads where channel = new.id and side = 'customer') then
    raise check_violation using message = 'customers have tickets there', constraint = 'channels_of_customers';
  end if;
  return new;
end $$;
comment on function threadesk.channel_is_sound is 'notes stand where customers never read, and tickets where agents do';
create trigger threadesk_sound before insert or update of role, triage_channel on threadesk.channels
  for each row execute function threadesk.channel_is_sound();
"""

# Slack may tell of a channel under its former id long after it has a new one.
MOVED = """
create table threadesk.moved (
  old_id text primary key,
  new_id text not null check (new_id <> old_id)
);
comment on table threadesk.moved is 'channels whose id has changed, and the one that each has now';
create index on threadesk.moved (new_id);

create function threadesk.follow_channel() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  new.channel := coalesce((select m.new_id from threadesk.moved m where m.old_id = new.channel), new.channel);
  if tg_table_name = 'notices' then
    new.lane := coalesce((select m.new_id from threadesk.moved m where m.old_id = new.lane), new.lane);
  elsif tg_table_name = 'desk_tickets' then
    new.triage_channel := coalesce((select m.new_id from threadesk.moved m where m.old_id = new.triage_channel),
      new.triage_channel);
  end if;
  return new;
end $$;
comment on function threadesk.follow_channel is 'what is still said of a former id belongs to the present one';
"""


#: Tables into which something may be written of a former id.
FOLLOWING = ("desk_tickets", "threads", "messages", "early", "replies", "notices")


def upgrade() -> None:
    for statements in (CHANNELS, LEDGER, SOUND, MOVED):
        run_script(statements)
    for table in FOLLOWING:
        run_script(f"""
        create trigger follow_channel before insert on threadesk.{table}
          for each row execute function threadesk.follow_channel();
        """)


def downgrade() -> None:
    for table in FOLLOWING:
        run_script(f"drop trigger follow_channel on threadesk.{table}")
    run_script("""
    drop trigger threadesk_changed on threadesk.channels;
    drop trigger threadesk_sound on threadesk.channels;
    drop table threadesk.moved, threadesk.settings_ledger;
    drop function threadesk.follow_channel(), threadesk.channel_changed(),
      threadesk.channel_is_sound(), threadesk.settings_are_append_only();
    delete from threadesk.channels where role = 'none';
    comment on column threadesk.channels.role is null;
    alter table threadesk.triage_members
      drop constraint triage_members_channel_fkey,
      add constraint triage_members_channel_fkey foreign key (channel) references threadesk.channels (id)
        on delete cascade;
    alter table threadesk.channels
      drop private, drop shared, drop priority, drop tags, drop assignees, drop turn,
      drop constraint channels_role_check,
      add constraint channels_role_check check (role in ('support', 'triage')),
      drop constraint channels_triage_channel_fkey,
      add constraint channels_triage_channel_fkey foreign key (triage_channel) references threadesk.channels (id);
    create table threadesk.named (
      replica uuid not null,
      channel text not null,
      until timestamptz not null,
      primary key (replica, channel)
    );
    comment on table threadesk.named is
      'the support channels in the settings of the desks that run, renewed while they do';
    insert into threadesk.named select gen_random_uuid(), id, now() from threadesk.channels where role = 'support';
    """)
