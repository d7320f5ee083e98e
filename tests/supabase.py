"""A database that a web app on Supabase has used for a while, as its own roles made it.

The columns of `auth.users` are those that Supabase's log-in has made by 2025
(https://github.com/supabase/auth/tree/master/migrations); what happens on sign-up is as Supabase's guide has it
(https://supabase.com/docs/guides/auth/managing-user-data).
"""

from __future__ import annotations

import asyncpg

#: Supabase's `postgres`: no superuser, and beyond row-level security. It makes the tables of the web app.
OWNER = "web_owner"

ROLES = """
do $$
declare
  made text;
begin
  foreach made in array '{anon,authenticated,service_role,supabase_auth_admin,web_owner}'::text[] loop
    if not exists (select from pg_roles where rolname = made) then
      execute format('create role %I', made);
    end if;
  end loop;
end $$;
alter role web_owner login createrole bypassrls;
grant anon, authenticated, service_role to web_owner;
"""

AUTH = """
create schema auth authorization supabase_auth_admin;
grant usage on schema auth to anon, authenticated, service_role, web_owner;
create table auth.users (
  instance_id uuid,
  id uuid not null constraint users_pkey primary key,
  aud varchar(255),
  role varchar(255),
  email varchar(255),
  encrypted_password varchar(255),
  email_confirmed_at timestamptz,
  invited_at timestamptz,
  confirmation_token varchar(255),
  confirmation_sent_at timestamptz,
  recovery_token varchar(255),
  recovery_sent_at timestamptz,
  email_change_token_new varchar(255),
  email_change varchar(255),
  email_change_sent_at timestamptz,
  last_sign_in_at timestamptz,
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  is_super_admin boolean,
  created_at timestamptz,
  updated_at timestamptz,
  phone text default null constraint users_phone_key unique,
  phone_confirmed_at timestamptz,
  phone_change text default '',
  phone_change_token varchar(255) default '',
  phone_change_sent_at timestamptz,
  confirmed_at timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
  email_change_token_current varchar(255) default '',
  email_change_confirm_status smallint default 0 check (email_change_confirm_status between 0 and 2),
  banned_until timestamptz,
  reauthentication_token varchar(255) default '',
  reauthentication_sent_at timestamptz,
  is_sso_user boolean not null default false,
  deleted_at timestamptz,
  is_anonymous boolean not null default false
);
alter table auth.users owner to supabase_auth_admin;
create unique index users_email_partial_key on auth.users (email) where is_sso_user = false;
create unique index confirmation_token_idx on auth.users (confirmation_token) where confirmation_token !~ '^[0-9 ]*$';
create unique index recovery_token_idx on auth.users (recovery_token) where recovery_token !~ '^[0-9 ]*$';
create index users_instance_id_email_idx on auth.users (instance_id, lower(email));
alter table auth.users enable row level security;
grant all on auth.users to web_owner;
create function auth.uid() returns uuid language sql stable as
  $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
create function auth.email() returns text language sql stable as
  $$ select current_setting('request.jwt.claim.email', true) $$;
grant create, usage on schema public to web_owner;
"""

PUBLIC = """
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;

create table public.profiles (
  id uuid primary key references auth.users (id) on delete cascade,
  full_name text,
  role text not null default 'customer'
);
alter table public.profiles enable row level security;
create policy "Own profile" on public.profiles for select to authenticated using (id = auth.uid());

create table public.customers (
  id uuid primary key references auth.users (id),
  first_name text not null,
  last_name text not null,
  communication_channels text[],
  preferred_language text,
  email text not null unique,
  feedback_history jsonb
);
alter table public.customers enable row level security;
create policy "Own row" on public.customers to authenticated using (id = auth.uid());

create table public.tickets (
  id uuid primary key default gen_random_uuid(),
  title text not null,
  description varchar not null,
  status text not null default 'new',
  priority text not null default 'medium',
  tags text[],
  custom_fields jsonb,
  conversation_history jsonb,
  internal_notes jsonb,
  feedback jsonb,
  source_channel text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  created_by uuid references auth.users (id),
  customer_email text references public.customers (email),
  assigned_to uuid[],
  widget_version text
);
alter table public.tickets enable row level security;
create policy "Own tickets" on public.tickets for select to authenticated using (customer_email = auth.email());
create policy "New tickets" on public.tickets for insert to authenticated with check (customer_email = auth.email());

create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.profiles (id, full_name) values (new.id, new.raw_user_meta_data ->> 'full_name');
  return new;
end $$;
create function public.touch() returns trigger language plpgsql as $$
begin
  new.updated_at := now();
  return new;
end $$;
create trigger touched before update on public.tickets for each row execute function public.touch();
"""

#: As the owner of the log-in's tables lets Supabase's `postgres` do.
ON_SIGN_UP = """
create trigger on_auth_user_created after insert on auth.users
  for each row execute function public.handle_new_user();
"""

#: Everybody who signs up is a customer, and takes it that everybody has an address. Names its table without a schema.
SIGN_UP_MAKES_CUSTOMERS = """
create function public.handle_new_customer() returns trigger language plpgsql security definer as $$
begin
  insert into customers (id, first_name, last_name, email) values (
    new.id, new.raw_user_meta_data ->> 'first_name', new.raw_user_meta_data ->> 'last_name', new.email);
  return new;
end $$;
create trigger on_auth_user_is_customer after insert on auth.users
  for each row execute function public.handle_new_customer();
"""

BOB, GRACE = "00000000-0000-4000-8000-00000000000b", "00000000-0000-4000-8000-00000000000c"

ROWS = f"""
insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, confirmation_token,
    recovery_token, email_change_token_new, email_change, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
  select '00000000-0000-0000-0000-000000000000', id::uuid, 'authenticated', 'authenticated', email, '$2a$10$x', now(),
    '', '', '', '', '{{"provider": "email", "providers": ["email"]}}', jsonb_build_object('full_name', name),
    now(), now()
  from (values ('{BOB}', 'bob@globex.example', 'Bob Noyce'), ('{GRACE}', 'Grace@acme.example', 'Grace Hopper')) as p
    (id, email, name);
insert into public.customers (id, first_name, last_name, email, communication_channels, feedback_history) values
  ('{BOB}', 'Robert', 'Noyce', 'Bob@Globex.example', '{{email,widget}}', '{{"feedback": [{{"rating": 4, "comment": null,
    "submitted_at": "2025-06-01T00:00:00Z", "ticket_id": "00000000-0000-4000-8000-000000000001"}}]}}');
insert into public.tickets (id, title, description, status, priority, source_channel, customer_email, created_by,
    conversation_history) values
  ('00000000-0000-4000-8000-000000000001', 'The widget is blue', 'It was green', 'closed', 'low', 'widget',
    'Bob@Globex.example', '{BOB}', '{{"messages": []}}');
"""


async def make(sql: asyncpg.Connection, *more: str) -> None:
    """Makes all of it; `sql` is a superuser's. `more`: SQL of the web app's."""
    await sql.execute(ROLES)
    await sql.execute(f"grant create on database {await sql.fetchval('select current_database()')} to {OWNER}")
    await sql.execute(AUTH)
    await sql.execute(f"set role {OWNER}")
    await sql.execute(PUBLIC)
    await sql.execute(ON_SIGN_UP)
    await sql.execute(ROWS)
    for one in more:
        await sql.execute(one)
    await sql.execute("reset role")


def as_role(database_url: str, role: str) -> str:
    return database_url.replace("postgres@", f"{role}@")
