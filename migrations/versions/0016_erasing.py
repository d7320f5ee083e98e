"""What people have said and who they are can be erased: which tickets were, which of the desk's messages are to go from
Slack with it, and rows that other programs share."""

from migrations.script import run_script

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ERASED = """
alter table threadesk.desk_tickets add erased_at timestamptz;
comment on column threadesk.desk_tickets.erased_at is 'when its words were erased last; what came later has words';
create index desk_tickets_retained_idx on threadesk.desk_tickets (closed_at)
  where status = 'closed' and (erased_at is null or erased_at < last_activity_at);
alter table threadesk.posted add removing boolean not null default false;
comment on column threadesk.posted.removing is 'it is to be taken away from Slack, whatever it shows';
"""

# Rows of which other programs' rows speak stay, with nothing in them. What an account consists of beside its row
# (identities, sessions: tables in `auth` whose rows go with it) goes. The rights are those of who calls it.
FORGET_ROW = r"""
create function threadesk.forget_row(of text, forgotten uuid) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  target regclass := to_regclass(of);
  reference record;
  referred boolean := false;
  one boolean;
  emptied text;
begin
  execute format('select exists (select from %s where id = $1)', target) into one using forgotten;
  if not one then
    return 'gone';
  end if;
  for reference in
    select c.conrelid, c.conrelid::regclass as place, a.attname as refers, b.attname as to_column,
      c.connamespace = 'auth'::regnamespace and c.confdeltype = 'c' as is_part,
      n.nspname = 'threadesk' or c.conrelid in ('public.tickets'::regclass, 'public.customers'::regclass) as is_ours
    from pg_constraint c
    join pg_class r on r.oid = c.conrelid
    join pg_namespace n on n.oid = r.relnamespace
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    join pg_attribute b on b.attrelid = c.confrelid and b.attnum = c.confkey[1]
    where c.contype = 'f' and c.confrelid = target
  loop
    if reference.is_part then
      execute format('delete from %s where %I = (select %I from %s where id = $1)',
        reference.place, reference.refers, reference.to_column, target) using forgotten;
      continue;
    end if;
    begin
      execute format('select exists (select from %s where %I = (select %I from %s where id = $1))',
        reference.place, reference.refers, reference.to_column, target) into one using forgotten;
      -- What row-level security hides from this role may be there.
      referred := referred or one or not reference.is_ours and row_security_active(reference.conrelid);
    exception when insufficient_privilege then
      referred := true;
    end;
  end loop;

  if not referred then
    begin
      execute format('delete from %s where id = $1', target) using forgotten;
      return 'deleted';
    exception when integrity_constraint_violation or insufficient_privilege or raise_exception then
      null; -- it is emptied instead
    end;
  end if;
  -- What Supabase's log-in cannot read where it is null: https://github.com/supabase/auth/issues/1940, …/410, …/1543
  select string_agg(format('%I = %s', a.attname, case
      when a.attname ~ 'token|_change|password' and y.typcategory = 'S' then ''''''
      when a.attname ~ 'meta_data' and y.typname in ('json', 'jsonb') then '''{}'''
      when not a.attnotnull then 'null'
      when y.typcategory = 'S'
        then format('%L', 'erased-' || forgotten || case when a.attname ~ 'email' then '@invalid' else '' end)
      else '''{}''' end), ', ')
  into emptied
  from pg_attribute a join pg_type y on y.oid = a.atttypid
  where a.attrelid = target and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
    and a.attname not in ('id', 'aud', 'role') and (y.typcategory = 'S' or y.typname in ('json', 'jsonb', 'inet'));
  if emptied is not null then
    execute format('update %s set %s where id = $1', target, emptied) using forgotten;
  end if;
  return 'emptied';
exception when integrity_constraint_violation or insufficient_privilege or raise_exception then
  return 'left';
end $$;
comment on function threadesk.forget_row is
  'deletes a person''s row of `of`, or empties it where others refer to it: gone, deleted, emptied, left (not allowed)';
"""


def upgrade() -> None:
    for statements in (ERASED, FORGET_ROW):
        run_script(statements)


def downgrade() -> None:
    run_script("""
    drop function threadesk.forget_row(text, uuid);
    alter table threadesk.posted drop removing;
    drop index threadesk.desk_tickets_retained_idx;
    alter table threadesk.desk_tickets drop erased_at;
    """)
