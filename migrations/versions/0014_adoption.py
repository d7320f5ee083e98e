"""Tables that others share. What the desk does to `auth.users`, it does by functions, so that its role needs no right
there; and a rating that is given through the desk leaves the other entries of a customer's history as they are."""

from migrations.script import run_script

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# Supabase's log-in reads these columns into values that cannot be null, and fails for everybody it reads with them:
# https://github.com/supabase/auth/blob/master/internal/models/user.go, https://github.com/supabase/auth/issues/1940.
# Triggers of `auth.users` may name the tables of `public` without their schema.
USERS = """
create function threadesk.put_user(given jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  columns text;
begin
  select string_agg(format('%I', a.attname), ', ') into columns
  from pg_catalog.pg_attribute a
  where a.attrelid = 'auth.users'::regclass and a.attnum > 0 and not a.attisdropped
    and a.attgenerated = '' and a.attidentity = '' and given ? a.attname::text;
  columns := format(
    'insert into auth.users (%s) select %s from pg_catalog.jsonb_populate_record(null::auth.users, $1)',
    columns, columns);
  perform set_config('search_path', 'pg_catalog, public, pg_temp', true);
  execute columns using given;
end $$;

create function threadesk.new_user(who uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  given jsonb := jsonb_build_object(
    'id', who,
    'instance_id', '00000000-0000-0000-0000-000000000000',
    'aud', 'authenticated',
    'role', 'authenticated',
    'is_super_admin', false,
    'is_sso_user', false,
    'is_anonymous', false,
    'encrypted_password', '',
    'confirmation_token', '',
    'recovery_token', '',
    'email_change', '',
    'email_change_token', '',
    'email_change_token_new', '',
    'email_change_token_current', '',
    'email_change_confirm_status', 0,
    'phone_change', '',
    'phone_change_token', '',
    'reauthentication_token', '',
    'raw_app_meta_data', jsonb_build_object('made_by', 'threadesk'),
    'raw_user_meta_data', '{}'::jsonb,
    'created_at', now(),
    'updated_at', now());
  nameless jsonb := '{"name": "", "full_name": "", "first_name": "", "last_name": ""}';
begin
  if exists (select from auth.users where id = who) then
    return;
  end if;
  perform threadesk.put_user(given);
exception when integrity_constraint_violation or raise_exception then
  -- What happens on sign-up here takes everybody to have an address. This one is nobody's:
  -- https://www.rfc-editor.org/rfc/rfc2606#section-2
  perform threadesk.put_user(given || jsonb_build_object(
    'email', who || '@slack.invalid', 'raw_user_meta_data', nameless));
end $$;
comment on function threadesk.new_user is 'a row of auth.users for whom the desk has met; nobody can log in as them';

create function threadesk.replace_user(old uuid, new uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  made boolean := (select not bool_or(linked) from threadesk.people where user_id = old);
begin
  update threadesk.people set user_id = new, linked = true where user_id = old;
  if made is not true then
    return false;
  end if;
  delete from public.customers c where c.id = old and not threadesk.is_address(c.email, c.id);
  -- What the desk's role may write in its own tables must not be enough to delete an account of another program's.
  delete from auth.users u
  where u.id = old and not exists (select from public.customers c where c.id = old)
    and (not to_jsonb(u) ? 'raw_app_meta_data' or to_jsonb(u) -> 'raw_app_meta_data' ->> 'made_by' = 'threadesk');
  return found;
exception when foreign_key_violation then
  update threadesk.people set user_id = new, linked = true where user_id = old;
  return false; -- what other programs keep refers to it
end $$;
comment on function threadesk.replace_user is
  'people become somebody else; true: a row of auth.users that the desk had made for them is gone';

create function threadesk.user_with(address text) returns uuid
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_id uuid;
begin
  if exists (select from pg_catalog.pg_attribute
    where attrelid = 'auth.users'::regclass and attname = 'email' and not attisdropped) then
    execute 'select id from auth.users where lower(email) = lower($1) order by id limit 1' into found_id using address;
  end if;
  return found_id;
end $$;
comment on function threadesk.user_with is 'who in auth.users has this e-mail, letter case ignored';

create function threadesk.is_address(email text, id uuid) returns boolean
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select email not in ('', id || '@slack.invalid')
$$;
comment on function threadesk.is_address is
  'whether a row of customers has an e-mail, and not what a trigger of auth.users puts there without one';

revoke execute on function threadesk.put_user(jsonb), threadesk.new_user(uuid), threadesk.replace_user(uuid, uuid),
  threadesk.user_with(text) from public;
"""

HISTORY = """
create function threadesk.history_with(present jsonb, ticket uuid, given jsonb) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp as $$
  with entries as (
    select entry, place, lower(entry ->> 'ticket_id') = ticket::text as same
    from jsonb_array_elements(case when jsonb_typeof(present -> 'feedback') = 'array' then present -> 'feedback'
      else '[]' end) with ordinality as f (entry, place)
  ), kept as (
    select entry, place from entries where same is not true
    union all
    select coalesce(e.entry, '{}') || given
      || jsonb_build_object('ticket_id', coalesce(e.entry -> 'ticket_id', to_jsonb(ticket))), e.place
    from (select) as one left join (select * from entries where same order by place limit 1) as e on true
    where jsonb_path_exists(given, 'strict $.rating ? (@ >= 1 && @ <= 5 && @.floor() == @)', silent => true)
  )
  select case when jsonb_typeof(present) = 'object' then present else '{}' end
    || jsonb_build_object('feedback', coalesce(jsonb_agg(entry order by place nulls last), '[]'))
  from kept
$$;
comment on function threadesk.history_with is 'a feedback_history in which one ticket''s entry is its feedback';
"""

FOLLOWS = """
create or replace function threadesk.history_follows() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- Locked first: what others rate at the same time must be seen by the statement that reads it.
  perform from public.customers c
  where c.email in (new.customer_email, case when tg_op = 'UPDATE' then old.customer_email end)
  order by c.id for no key update;
  UPDATED
  return null;
end $$;
"""
# Only this ticket's entry: in a table that was there before the desk, the others may be all there is of a rating. What
# is in another shape there stays as it is.
ONE_ENTRY = """
  update public.customers c set feedback_history = f.follows
  from (select id, threadesk.history_with(feedback_history, new.id,
      case when email = new.customer_email then new.feedback end) as follows
    from public.customers
    where email in (new.customer_email, case when tg_op = 'UPDATE' then old.customer_email end)
      and coalesce(jsonb_typeof(feedback_history), 'null') in ('object', 'null')
      and coalesce(jsonb_typeof(feedback_history -> 'feedback'), 'null') in ('array', 'null')) as f
  where c.id = f.id and f.follows <> coalesce(c.feedback_history, '{"feedback": []}');
"""
ALL_OF_THEM = """
  update public.customers c set feedback_history = threadesk.history_of(c.email, c.feedback_history)
  where c.email in (new.customer_email, case when tg_op = 'UPDATE' then old.customer_email end)
    and not threadesk.history_agrees(c.email, c.feedback_history);
"""


def upgrade() -> None:
    run_script("""
    create table if not exists threadesk.adopted (
      name text primary key,
      undo text[] not null default '{}'
    );
    comment on table threadesk.adopted is 'tables of the schema public that were there before the desk';
    comment on column threadesk.adopted.undo is
      'takes away what was added to them since, and is no trigger of the desk''s';
    """)
    run_script(USERS)
    run_script(HISTORY)
    run_script(FOLLOWS.replace("UPDATED", ONE_ENTRY.strip()))


def downgrade() -> None:
    run_script(FOLLOWS.replace("UPDATED", ALL_OF_THEM.strip()))
    run_script("""
    drop function threadesk.history_with(jsonb, uuid, jsonb), threadesk.new_user(uuid), threadesk.put_user(jsonb),
      threadesk.replace_user(uuid, uuid), threadesk.user_with(text), threadesk.is_address(text, uuid);
    """)
