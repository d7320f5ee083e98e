"""E-mail addresses that people leave: who was asked for one, and what became of each that was typed."""

from migrations.script import run_script

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("""
    create table threadesk.email_offers (
      team_id text not null,
      slack_id text not null,
      offered_at timestamptz not null,
      primary key (team_id, slack_id)
    );
    comment on table threadesk.email_offers is 'who was asked to leave an e-mail: nobody is asked twice';

    create table threadesk.email_claims (
      id uuid primary key default gen_random_uuid(),
      team_id text not null,
      slack_id text not null,
      ticket_id uuid not null references public.tickets (id) on delete cascade,
      email text not null constraint email_claims_email_shape check (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
      claimed_at timestamptz not null,
      state text not null constraint email_claims_state_known
        check (state in ('kept', 'asked', 'confirmed', 'rejected', 'superseded')),
      decided_by uuid,
      decided_at timestamptz,
      constraint email_claims_decided check (
        (state in ('confirmed', 'rejected')) = (decided_by is not null)
        and (decided_by is null) = (decided_at is null))
    );
    comment on table threadesk.email_claims is 'addresses that people say are theirs, which nobody has verified';
    comment on column threadesk.email_claims.ticket_id is 'whose agents are asked, and where';
    comment on column threadesk.email_claims.state is
      'kept: it was nobody''s, the customer''s row has it; asked: it is somebody''s, agents say whether they are one';
    create index on threadesk.email_claims (ticket_id);
    create index on threadesk.email_claims (team_id, slack_id);
    create unique index email_claims_in_force_idx on threadesk.email_claims (team_id, slack_id, state)
      where state in ('kept', 'asked');
    """)


def downgrade() -> None:
    run_script("drop table threadesk.email_claims, threadesk.email_offers")
