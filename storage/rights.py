"""What a role may do with the tables of the desk and those it shares, and the SQL that gives a role of its own no more
than that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage.engine import Database, Session, telling_away

#: What the desk does to tables that may be another program's, beside those in its own schema, where it does everything.
ADOPTED = (("public", "tickets"), ("public", "customers"), ("auth", "users"))
DESK = "threadesk_desk"


# What is done to auth.users is done by functions of the schema threadesk, with the rights of their owner.
WHO = """
  select c.oid, n.oid as schema, nspname, relname, relkind, relowner, relrowsecurity, relforcerowsecurity,
    case when nspname = 'auth' then coalesce(
      (select nspowner from pg_namespace where nspname = 'threadesk'), u.role) else u.role end as role
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  cross join unnest($3::text[]::regrole[]::oid[]) as u (role)
  where nspname = 'threadesk' and relkind in ('r', 'p', 'S')
    or (nspname, relname) in (select * from unnest($1::text[], $2::text[]))
"""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Row-level security keeps rows of `table` from `role`, which are needed."""

    table: str
    role: str

    def __str__(self) -> str:
        return f"Row-level security hides rows of {self.table} from the role {self.role}"


async def forbidden(one: Session) -> list[str]:
    """What this role may not do with what is there, such as `select from public.tickets`."""
    found = await one.fetch(
        f"""
        with who as ({WHO})
        select privilege || case privilege when 'insert' then ' into ' when 'update' then ' ' when 'usage' then ' of '
          else ' from ' end || nspname || '.' || relname as forbidden
        from who
        cross join unnest(case
          when nspname = 'threadesk' and relname in ('alembic_version', 'adopted') then array['select']
          when relkind = 'S' then array['usage']
          when nspname = 'threadesk' then array['select', 'insert', 'update', 'delete']
          when nspname = 'auth' then array['select', 'insert', 'delete']
          else array['select', 'insert', 'update'] end) as p (privilege)
        where not (has_schema_privilege(role, schema, 'usage') and case relkind
          when 'S' then has_sequence_privilege(role, oid, privilege)
          else has_table_privilege(role, oid, privilege) end)
        order by nspname, relname, privilege
        """,
        *await _asked(one),
    )
    functions = await one.fetch(
        """
        select 'execute ' || oid::regprocedure as forbidden from pg_proc
        where pronamespace = to_regnamespace('threadesk') and prorettype <> 'trigger'::regtype
          and not (has_schema_privilege(pronamespace, 'usage') and has_function_privilege(oid, 'execute'))
        order by proname
        """
    )
    return [str(row["forbidden"]) for row in (*found, *functions)]


async def cannot_make(one: Session) -> list[str]:
    may = await one.fetchrow(
        "select has_database_privilege(current_database(), 'create') as schemas,"
        " has_schema_privilege('public', 'create') as tables"
    )
    assert may is not None
    lacking = (("schemas", "create schemas in this database"), ("tables", "create tables in the schema public"))
    return [what for name, what in lacking if not may[name]]


async def hidden(one: Session, roles: Sequence[str] = ()) -> list[Hidden]:
    """Where row-level security is on, and the roles (this one, where none are named) are neither beyond it nor have a
    policy to see and change every row."""
    found = await one.fetch(
        f"""
        with who as ({WHO}), policies as (
          select w.oid, w.role, polpermissive, polcmd,
            coalesce(pg_get_expr(polqual, polrelid), 'true') = 'true'
              and coalesce(pg_get_expr(polwithcheck, polrelid), 'true') = 'true' as open
          from who w join pg_policy on polrelid = w.oid
          where exists (select from unnest(polroles) as r (id) where id = 0 or pg_has_role(w.role, id, 'usage'))
        )
        select distinct nspname || '.' || relname as name, r.rolname as role
        from who w join pg_roles r on r.oid = w.role
        where relrowsecurity and not rolsuper and not rolbypassrls
          and (relforcerowsecurity or not pg_has_role(role, relowner, 'usage'))
          and (exists (
              select from policies p where p.oid = w.oid and p.role = w.role and not polpermissive and not open)
            or exists (select from unnest('{{r,a,w}}'::"char"[]) as c (cmd) where not exists (
              select from policies p where p.oid = w.oid and p.role = w.role and polpermissive and open
                and polcmd in ('*', cmd))))
        order by name, role
        """,
        *await _asked(one, roles),
    )
    return [Hidden(row["name"], row["role"]) for row in found]


async def hidden_from_anybody(database: Database) -> list[Hidden]:
    """For this role and every other that may log in and use the desk's tables. DatabaseAway where it is away."""
    one = await database.connect()
    try:
        with telling_away():
            roles = await one.fetch(
                "select quote_ident(rolname) as role from pg_roles where rolname = current_user"
                " or rolcanlogin and not rolsuper and has_schema_privilege(oid, 'threadesk', 'usage')"
            )
            return await hidden(one, [row["role"] for row in roles])
    finally:
        one.terminate()


async def _asked(one: Session, roles: Sequence[str] = ()) -> tuple[list[str], list[str], list[str]]:
    asked = list(roles) or [str(await one.fetchval("select quote_ident(current_user)"))]
    return [schema for schema, _ in ADOPTED], [table for _, table in ADOPTED], asked


def grants(role: str = DESK) -> str:
    """SQL that makes a role with which the desk runs, and gives it what it needs; run again, it changes nothing."""
    return GRANTS.replace("ROLE", role)


GRANTS = """\
-- A role for the desk that may do what the desk does, and nothing else: it cannot change or remove tables, see other
-- tables of yours, or read auth.users. Run this as the role that runs `python -m bot migrate`, and after that; again
-- after an upgrade does no harm:
--   python -m bot roles | psql --set ON_ERROR_STOP=1 "$DATABASE_URL"

-- What the role that runs `migrate` needs, and this one does not: create in this database and in the schema public,
-- to own public.tickets and public.customers, where they were there before, and select, insert, delete and references
-- on auth.users, of whose rows no row-level security may keep any from it.

begin;
do $$ begin
  if not exists (select from pg_roles where rolname = 'ROLE') then
    create role ROLE login;
  end if;
end $$;

grant usage on schema public, threadesk to ROLE;
grant select, insert, update on public.tickets, public.customers to ROLE;
grant select, insert, update, delete on all tables in schema threadesk to ROLE;
-- What is to be undone one day is done with the rights of the other role.
revoke insert, update, delete on threadesk.alembic_version, threadesk.adopted from ROLE;
grant usage on all sequences in schema threadesk to ROLE;
grant execute on all functions in schema threadesk to ROLE;

-- What an upgrade adds later.
alter default privileges in schema threadesk grant select, insert, update, delete on tables to ROLE;
alter default privileges in schema threadesk grant usage on sequences to ROLE;
alter default privileges in schema threadesk grant execute on functions to ROLE;

-- Where row-level security is on, the role needs policies of its own; those that are there stay as they are.
do $$
declare
  shared regclass;
begin
  foreach shared in array '{public.tickets,public.customers}'::regclass[] loop
    if (select relrowsecurity from pg_class where oid = shared)
      and not exists (select from pg_policy where polrelid = shared and polname = 'ROLE') then
      execute format('create policy ROLE on %s to ROLE using (true) with check (true)', shared);
    end if;
  end loop;
end $$;
commit;

-- Then give it a password, in psql: \\password ROLE
-- To take all of it away again:  grant ROLE to current_user; drop owned by ROLE; drop role ROLE;
"""
