"""The user's tables: tickets, customers and auth.users, exactly as the ticket schema describes them.

An `auth.users` that is there already is another program's: it is used and left as it is.
"""

from migrations.script import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

USERS = """
do $$
begin
  if to_regclass('auth.users') is null then
    if to_regnamespace('auth') is null then
      create schema auth;
      comment on schema auth is 'made by threadesk';
    end if;
    create table auth.users (id uuid primary key default gen_random_uuid());
    comment on table auth.users is 'made by threadesk';
  end if;
end $$;
"""


def every(column: str, key: str, *conditions: str) -> str:
    """A CHECK that `column` is null or {key: [objects that meet every condition]}.

    Those that do are counted: in strict mode a missing key or one of another type makes a condition unknown, which
    is not met either.
    """
    return f"""({column} is null or coalesce(jsonb_typeof({column} -> '{key}'), 'none') = 'array'
    and jsonb_array_length({column} -> '{key}') = jsonb_array_length(jsonb_path_query_array({column},
      'strict $.{key}[*] ? ({" && ".join(conditions)}).type()', silent => true)))"""


def uuid(name: str) -> str:
    return f'@.{name} like_regex "^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$" flag "i"'


def text(name: str) -> str:
    return f'@.{name}.type() == "string"'


def text_or_null(name: str) -> str:
    return f'(@.{name}.type() == "string" || @.{name}.type() == "null")'


RATING = (
    '@.rating.type() == "number" && @.rating >= 1 && @.rating <= 5 && @.rating.floor() == @.rating',
    text_or_null("comment"),
    text("submitted_at"),
)
WORDS = (uuid("id"), text("content"), text("created_at"), text_or_null("created_by"))

CUSTOMERS = f"""
create table public.customers (
  id uuid constraint customers_pkey primary key constraint customers_id_fkey references auth.users (id),
  first_name text not null,
  last_name text not null,
  communication_channels text[],
  preferred_language text,
  email text not null constraint customers_email_key unique,
  feedback_history jsonb,
  constraint customers_feedback_history_shape check
    {every("feedback_history", "feedback", *RATING, uuid("ticket_id"))}
);
"""

# Only `title`, `description`, `status` and `priority` are required by the schema; the JSON columns may be null.
TICKETS = f"""
create table public.tickets (
  id uuid default gen_random_uuid() constraint tickets_pkey primary key,
  title text not null,
  description text not null,
  status text not null constraint tickets_status_known check (status in ('new', 'open', 'pending', 'closed')),
  priority text not null constraint tickets_priority_known check (priority in ('low', 'medium', 'high')),
  tags text[],
  custom_fields jsonb,
  conversation_history jsonb,
  internal_notes jsonb,
  feedback jsonb,
  source_channel text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  created_by uuid constraint tickets_created_by_fkey references auth.users (id),
  customer_email text constraint tickets_customer_email_fkey references public.customers (email)
    on update cascade,
  assigned_to uuid[],
  constraint tickets_custom_fields_shape check (jsonb_typeof(custom_fields) = 'object'),
  constraint tickets_conversation_history_shape check
    {every("conversation_history", "messages", *WORDS, '@.attachments.type() == "array"')},
  constraint tickets_internal_notes_shape check
    {every("internal_notes", "notes", *WORDS)},
  constraint tickets_feedback_shape check (
    feedback is null or jsonb_path_exists(feedback, 'strict $ ? ({" && ".join(RATING)})', silent => true)
  )
);
create index tickets_created_by_idx on public.tickets (created_by);
create index tickets_customer_email_idx on public.tickets (customer_email);
create index tickets_assigned_to_idx on public.tickets using gin (assigned_to);
"""

TRIGGERS = """
create function public.tickets_keep_times() returns trigger language plpgsql as $$
begin
  new.created_at := old.created_at;
  new.updated_at := now();
  return new;
end $$;
create trigger tickets_keep_times before update on public.tickets
  for each row execute function public.tickets_keep_times();

create function public.tickets_check_assignees() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  stranger text;
begin
  select coalesce(a.id::text, 'null') into stranger
  from unnest(new.assigned_to) as a(id)
  -- One who was assigned before and has since been deleted must not stop a change: only who is added is checked.
  where not coalesce(a.id = any(old.assigned_to), false)
    and not exists (select from auth.users u where u.id = a.id) limit 1;
  if stranger is not null then
    raise foreign_key_violation using
      message = format('assigned_to names %s, who is not in auth.users', stranger),
      constraint = 'tickets_assigned_to_known', table = 'tickets', schema = 'public';
  end if;
  if (select count(*) <> count(distinct id) from unnest(new.assigned_to) as a(id)) then
    raise check_violation using
      message = 'assigned_to names somebody twice',
      constraint = 'tickets_assigned_to_once', table = 'tickets', schema = 'public';
  end if;
  return new;
end $$;
create trigger tickets_check_assignees before insert on public.tickets
  for each row when (new.assigned_to is not null) execute function public.tickets_check_assignees();
create trigger tickets_check_new_assignees before update on public.tickets
  for each row when (new.assigned_to is distinct from old.assigned_to)
  execute function public.tickets_check_assignees();
"""

ROW_SECURITY = """
alter table public.tickets enable row level security;
create policy threadesk on public.tickets to current_user using (true) with check (true);
alter table public.customers enable row level security;
create policy threadesk on public.customers to current_user using (true) with check (true);
"""


def upgrade() -> None:
    for statements in (USERS, CUSTOMERS, TICKETS, TRIGGERS, ROW_SECURITY):
        run_script(statements)


def downgrade() -> None:
    run_script("""
    drop table public.tickets;
    drop table public.customers;
    drop function public.tickets_keep_times();
    drop function public.tickets_check_assignees();
    do $$
    begin
      if obj_description('auth.users'::regclass, 'pg_class') = 'made by threadesk' then
        drop table auth.users;
      end if;
      if obj_description('auth'::regnamespace, 'pg_namespace') = 'made by threadesk' then
        begin
          drop schema auth;
        exception when dependent_objects_still_exist then
          null; -- others have put something of theirs into it: it stays
        end;
      end if;
    end $$;
    """)
