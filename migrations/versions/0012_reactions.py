"""The reactions of a channel are settings like the others: who has chosen them is in the ledger of the settings.

What is still asked of a channel's former id belongs to its present one, for tickets that are to be opened too.
"""

from migrations.script import run_script

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SETTINGS = (
    "id",
    "name",
    "role",
    "mode",
    "triage_channel",
    "priority",
    "tags",
    "assignees",
    "suspended",
    "private",
    "shared",
)


def _watch(settings: tuple[str, ...]) -> None:
    """What changes of these columns is written into the ledger, in their order."""
    names = ", ".join(f"'{one}'" for one in settings)
    run_script(f"""
    create or replace function threadesk.channel_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    declare
      acting uuid := nullif(current_setting('threadesk.actor', true), '')::uuid;
      acting_role text := coalesce(nullif(current_setting('threadesk.role', true), ''), 'other');
      told_at timestamptz := coalesce(nullif(current_setting('threadesk.now', true), '')::timestamptz, now());
      was jsonb := to_jsonb(old);
      became jsonb := to_jsonb(new);
    begin
      insert into threadesk.settings_ledger (channel, at, actor, role, what, before, after)
      select coalesce(became ->> 'id', was ->> 'id'), told_at, acting, acting_role, w.what,
        was -> w.what, became -> w.what
      from unnest(array[{names}]) with ordinality as w (what, place)
      where coalesce(was -> w.what, 'null') is distinct from coalesce(became -> w.what, 'null')
      order by w.place;
      return null;
    end $$;
    drop trigger threadesk_changed on threadesk.channels;
    create trigger threadesk_changed after insert or delete or update of {", ".join(settings)}
      on threadesk.channels for each row execute function threadesk.channel_changed();
    """)


def upgrade() -> None:
    _watch((*SETTINGS, "reactions"))
    run_script("""
    create trigger follow_channel before insert on threadesk.openings
      for each row execute function threadesk.follow_channel();
    """)


def downgrade() -> None:
    run_script("drop trigger follow_channel on threadesk.openings")
    _watch(SETTINGS)
