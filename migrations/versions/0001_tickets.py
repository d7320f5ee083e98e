"""The user's tables: tickets, customers and auth.users, exactly as the ticket schema describes them.

Those that are there already are another program's: they are used, and no row, policy or column of them is changed.
"""

from alembic import op

from migrations.guards import CHECK_ASSIGNEES, checks_of, is_adopted
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

ADOPTED = """
create table threadesk.adopted (
  name text primary key,
  undo text[] not null default '{}'
);
comment on table threadesk.adopted is 'tables of the schema public that were there before the desk';
comment on column threadesk.adopted.undo is 'takes away what was added to them since, and is no trigger of the desk''s';
"""

CUSTOMERS = f"""
create table public.customers (
  id uuid constraint customers_pkey primary key constraint customers_id_fkey references auth.users (id),
  first_name text not null,
  last_name text not null,
  communication_channels text[],
  preferred_language text,
  email text not null constraint customers_email_key unique,
  feedback_history jsonb,
  {checks_of("customers")}
);
alter table public.customers enable row level security;
create policy threadesk on public.customers to current_user using (true) with check (true);
"""

# Only `title`, `description`, `status` and `priority` are required by the schema; the JSON columns may be null.
TICKETS = f"""
create table public.tickets (
  id uuid default gen_random_uuid() constraint tickets_pkey primary key,
  title text not null,
  description text not null,
  status text not null,
  priority text not null,
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
  {checks_of("tickets")}
);
create index tickets_created_by_idx on public.tickets (created_by);
create index tickets_customer_email_idx on public.tickets (customer_email);
create index tickets_assigned_to_idx on public.tickets using gin (assigned_to);
alter table public.tickets enable row level security;
create policy threadesk on public.tickets to current_user using (true) with check (true);
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
"""


def upgrade() -> None:
    run_script(ADOPTED)
    run_script(USERS)
    for table, statements in (("customers", CUSTOMERS), ("tickets", TICKETS)):
        if op.get_bind().exec_driver_sql(f"select to_regclass('public.{table}')").scalar() is None:
            run_script(statements)
        else:
            run_script(f"insert into threadesk.adopted (name) values ('{table}')")
    run_script(TRIGGERS)
    if not is_adopted("tickets"):
        run_script(CHECK_ASSIGNEES)


def downgrade() -> None:
    bind = op.get_bind()
    # Whoever came from a version of the desk that adopted no tables has made them all.
    if bind.exec_driver_sql("select to_regclass('threadesk.adopted')").scalar() is not None:
        for (undo,) in bind.exec_driver_sql("select unnest(undo) from threadesk.adopted").all():
            run_script(undo)
    run_script("""
    drop trigger tickets_keep_times on public.tickets;
    """)
    for table in ("tickets", "customers"):
        if not is_adopted(table):
            run_script(f"drop table public.{table}")
    run_script("""
    drop function public.tickets_keep_times();
    drop function public.tickets_check_assignees();
    drop table if exists threadesk.adopted;
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
