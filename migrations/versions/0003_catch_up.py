"""What the desk must know to read back what it missed: how far it has read, and of each message its thread."""

from migrations.script import run_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("""
    create table threadesk.readings (
      channel text primary key,
      read_to timestamptz not null,
      lease uuid,
      leased_until timestamptz not null default '-infinity'
    );
    comment on table threadesk.readings is 'up to when the desk knows for certain what was said in a conversation';

    create table threadesk.read_threads (
      channel text not null,
      thread_ts text not null,
      latest_reply text not null,
      reply_count integer not null,
      ignored integer not null,
      primary key (channel, thread_ts)
    );
    comment on table threadesk.read_threads is 'what Slack said of a thread when it was last read: until then, no need';
    comment on column threadesk.read_threads.ignored is 'replies that the desk does not keep: those of bots, commands';

    alter table threadesk.messages add column thread_ts text;
    comment on column threadesk.messages.thread_ts is 'the root''s ts, a root''s own; null: not known, or not Slack';
    update threadesk.messages m set thread_ts = m.ts
    where exists (select from threadesk.threads t where t.channel = m.channel and t.thread_ts = m.ts);
    """)


def downgrade() -> None:
    run_script("""
    alter table threadesk.messages drop column thread_ts;
    drop table threadesk.read_threads, threadesk.readings;
    """)
