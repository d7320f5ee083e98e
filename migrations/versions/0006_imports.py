"""Threads that become tickets because somebody wants it, messages picked for one, and which reactions do what."""

from migrations.script import run_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OPENINGS = """
create table threadesk.openings (
  id uuid primary key default gen_random_uuid(),
  channel text not null,
  ts text not null,
  asked_ts text not null,
  team_id text not null,
  slack_id text not null,
  asked_at timestamptz not null,
  ticket_id uuid references public.tickets (id) on delete cascade,
  attempts integer not null default 0,
  lease uuid,
  leased_until timestamptz not null default '-infinity',
  unique (channel, ts, team_id, slack_id)
);
comment on table threadesk.openings is 'messages whose threads are to be read from Slack and become tickets';
comment on column threadesk.openings.asked_ts is 'Slack''s time: what was written until then is imported';
comment on column threadesk.openings.ticket_id is 'the ticket that was opened; not all of the thread is in it yet';

alter table threadesk.desk_tickets add column imported_to timestamptz;
comment on column threadesk.desk_tickets.imported_to is
  'what was written in its thread until then stood there before the ticket and changes no status';

create table threadesk.picked (
  id uuid primary key default gen_random_uuid(),
  team_id text not null,
  slack_id text not null,
  message jsonb not null,
  picked_at timestamptz not null
);
comment on table threadesk.picked is 'messages for which somebody has a form open that asks for their ticket';
create index on threadesk.picked (picked_at);
create index messages_copy_of_idx on threadesk.messages ((source ->> 'copy_of')) where source ? 'copy_of';
"""

REACTIONS = """
alter table threadesk.channels
  add column reactions jsonb not null
    default '{"open": "ticket", "claim": "eyes", "close": "white_check_mark"}',
  add constraint channels_reactions_check check (
    jsonb_typeof(reactions) = 'object'
    and reactions ?& '{open,claim,close}' and reactions - '{open,claim,close}'::text[] = '{}'
    and coalesce(reactions ->> 'open', 'x') ~ '^[^[:space:]:]{1,100}$'
    and coalesce(reactions ->> 'claim', 'x') ~ '^[^[:space:]:]{1,100}$'
    and coalesce(reactions ->> 'close', 'x') ~ '^[^[:space:]:]{1,100}$'
    and coalesce(reactions ->> 'open' <> reactions ->> 'claim', true)
    and coalesce(reactions ->> 'open' <> reactions ->> 'close', true)
    and coalesce(reactions ->> 'claim' <> reactions ->> 'close', true)
  );
comment on column threadesk.channels.reactions is 'the emoji by which agents open, claim and close; null: by none';
"""


def upgrade() -> None:
    run_script(OPENINGS)
    run_script(REACTIONS)


def downgrade() -> None:
    run_script("""
    alter table threadesk.channels drop column reactions;
    drop index threadesk.messages_copy_of_idx;
    drop table threadesk.picked, threadesk.openings;
    alter table threadesk.desk_tickets drop column imported_to;
    """)
