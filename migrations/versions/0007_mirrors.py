"""Copies of files for those who are not in the channel in which they were shared, replies with files, and how often a
card that somebody deleted was posted anew."""

from migrations.script import run_script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COPIES = """
create table threadesk.copies (
  id uuid primary key default gen_random_uuid(),
  ticket_id uuid not null references public.tickets (id) on delete cascade,
  side text not null check (side in ('customer', 'triage')),
  message_id uuid not null references threadesk.messages (message_id) on delete cascade,
  original text not null,
  place integer not null,
  name text not null,
  copy text,
  refused text,
  removing boolean not null default false,
  removed boolean not null default false,
  due_at timestamptz not null,
  failures integer not null default 0,
  lease uuid,
  leased_until timestamptz not null default '-infinity',
  unique (message_id, side, original)
);
comment on table threadesk.copies is 'a message''s files that are to be uploaded again on the other side of its ticket';
comment on column threadesk.copies.original is 'Slack''s id of the file; copy: of the uploaded one, once it is there';
comment on column threadesk.copies.refused is 'why there is no copy and a link must do; null: there is, or will be';
comment on column threadesk.copies.removing is 'the message was deleted: no copy of its file may be left in Slack';
create index on threadesk.copies (ticket_id, side);
create index copies_waiting_idx on threadesk.copies (due_at)
  where removing and not removed or not removing and copy is null and refused is null;

create function threadesk.copies_of_messages_only() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from threadesk.messages where message_id = new.message_id and kind = 'note') then
    raise check_violation using message = 'a note''s file is not copied', constraint = 'copies_of_messages_only';
  end if;
  return new;
end $$;
create trigger copies_of_messages_only before insert or update of message_id on threadesk.copies
  for each row execute function threadesk.copies_of_messages_only();

create function threadesk.message_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update threadesk.copies set removing = true, due_at = now(), failures = 0 where message_id = new.message_id;
  return null;
end $$;
create trigger message_deleted after update of deleted on threadesk.messages
  for each row when (new.deleted and not old.deleted) execute function threadesk.message_deleted();
"""

REPLIES_AND_CARDS = """
alter table threadesk.replies add files jsonb not null default '[]' check (jsonb_typeof(files) = 'array');
comment on column threadesk.replies.files is 'what Slack said of the files that its author attached';
alter table threadesk.posted add renewals integer not null default 0;
comment on column threadesk.posted.renewals is 'how often it was posted anew because somebody had deleted it';
"""


def upgrade() -> None:
    for statements in (COPIES, REPLIES_AND_CARDS):
        run_script(statements)


def downgrade() -> None:
    run_script("""
    alter table threadesk.posted drop renewals;
    alter table threadesk.replies drop files;
    drop trigger message_deleted on threadesk.messages;
    drop table threadesk.copies;
    drop function threadesk.message_deleted(), threadesk.copies_of_messages_only();
    """)
