"""Other programs' tickets: numbers and a triage channel for all of them, what of them can wait, and bad JSON.

What another program has written wrong breaks no write of its own or ours, is counted for the agents to see, and stays
where it is. The functions of earlier migrations are changed in place: of each only what is said here differs.
"""

from collections.abc import Iterable

from migrations.guards import RATING
from migrations.script import run_script

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

#: The form in which an id can be found again.
ID = "'^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"

LATER = """
alter table threadesk.desk_tickets add flaws jsonb;
comment on column threadesk.desk_tickets.flaws is
  'how much of each kind another program has written wrong, as it left the row; null: nothing';
alter table threadesk.to_show add later boolean not null default false;
comment on column threadesk.to_show.later is
  'another program''s, and much waits: shown when nothing else is due in the lane, the newest first';
drop index threadesk.to_show_lane_due_at_ticket_id_idx;
create index to_show_lane_due_at_ticket_id_idx on threadesk.to_show (lane, due_at, ticket_id)
  where parked is null and not later;
create index to_show_later_idx on threadesk.to_show (lane, due_at, ticket_id) where parked is null and later;

-- An import of thousands must not hold up the tickets on which people wait: what is beyond ten waits beside them.
create function threadesk.is_crowded(channel text) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select count(*) = 10 from (
    select from threadesk.to_show where lane = channel and parked is null and not later limit 10
  ) as w
$$;

drop function threadesk.mark(uuid, timestamptz);
create function threadesk.mark(marked uuid, at timestamptz, by_another boolean default false) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into threadesk.to_show as shown (ticket_id, side, lane, due_at, marked_at, later)
  select t.ticket_id, s.side, s.lane, at, at, case when by_another then threadesk.is_crowded(s.lane) else false end
  from threadesk.desk_tickets t
  cross join lateral (values ('customer', t.channel), ('triage', t.triage_channel)) as s (side, lane)
  where t.ticket_id = marked and s.lane is not null
  order by s.side
  on conflict (ticket_id, side) do update
    set version = shown.version + 1, lane = excluded.lane,
      -- Of what can wait the newest is shown first: also what is written to it by now.
      due_at = case when shown.later and by_another then greatest(shown.due_at, excluded.due_at)
        else least(shown.due_at, excluded.due_at) end,
      failures = case when shown.parked is null then shown.failures else 0 end, parked = null,
      later = shown.later and by_another;
  perform pg_notify('threadesk', '');
end $$;
"""

MARK_BEFORE = """
drop index threadesk.to_show_later_idx, threadesk.to_show_lane_due_at_ticket_id_idx;
alter table threadesk.to_show drop later;
alter table threadesk.desk_tickets drop flaws;
create index to_show_lane_due_at_ticket_id_idx on threadesk.to_show (lane, due_at, ticket_id) where parked is null;
drop function threadesk.mark(uuid, timestamptz, boolean), threadesk.is_crowded(text);
create function threadesk.mark(marked uuid, at timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into threadesk.to_show as shown (ticket_id, side, lane, due_at, marked_at)
  select t.ticket_id, s.side, s.lane, at, at
  from threadesk.desk_tickets t
  cross join lateral (values ('customer', t.channel), ('triage', t.triage_channel)) as s (side, lane)
  where t.ticket_id = marked and s.lane is not null
  order by s.side
  on conflict (ticket_id, side) do update
    set version = shown.version + 1, lane = excluded.lane, due_at = least(shown.due_at, excluded.due_at),
      failures = case when shown.parked is null then shown.failures else 0 end, parked = null;
  perform pg_notify('threadesk', '');
end $$;
"""

FLAWS = f"""
-- A time without a zone is the same one to every session: what programs write without one is UTC.
alter function threadesk.moment(text) set timezone = 'UTC';

create function threadesk.rating(feedback jsonb) returns jsonb language sql immutable as $$
  select jsonb_path_query_first(feedback, 'strict $.rating ? (@ >= 1 && @ <= 5 && @.floor() == @)', silent => true)
$$;
comment on function threadesk.rating is 'a number from 1 to 5, or null';

create function threadesk.word_flaws(changed uuid, held jsonb, key text, told_kind text) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce(jsonb_object_agg(key || '_' || what, number), '{{}}') from (
    select 'shape' as what, 1 as number
    where jsonb_typeof(held) not in ('object', 'null')
      or jsonb_typeof(held) = 'object' and (held ? 'unreadable' or jsonb_typeof(held -> key) not in ('array', 'null'))
    union all
    select what, count(*) from (
      select case
        when coalesce(word ->> 'id', '') !~* {ID} then 'unidentified'
        when row_number() over (partition by lower(word ->> 'id') order by place) > 1
          or not exists (select from threadesk.messages m
            where m.ticket_id = changed and m.kind = told_kind and m.message_id::text = lower(word ->> 'id'))
          then 'repeated'
        when jsonb_typeof(word -> 'content') is distinct from 'string'
          or threadesk.moment(word ->> 'created_at') is null
          or coalesce(jsonb_typeof(word -> 'created_by'), 'none') not in ('string', 'null')
          or told_kind = 'message' and jsonb_typeof(word -> 'attachments') is distinct from 'array'
          then 'incomplete' end as what
      from jsonb_array_elements(case when jsonb_typeof(held -> key) = 'array' then held -> key else '[]' end)
        with ordinality as w (word, place)
    ) as looked_at where what is not null group by what
  ) as flaws
$$;

create function threadesk.flaws(
  changed uuid, status text, priority text, tags text[], custom_fields jsonb, conversation_history jsonb,
  internal_notes jsonb, feedback jsonb
) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp as $$
  select nullif(
    threadesk.word_flaws(changed, conversation_history, 'messages', 'message')
      || threadesk.word_flaws(changed, internal_notes, 'notes', 'note')
      || coalesce((
        select jsonb_object_agg(what, 1) from (values
          ('status', coalesce(status not in ('new', 'open', 'pending', 'closed'), true)),
          ('priority', coalesce(priority not in ('low', 'medium', 'high'), true)),
          ('tags', case when array_ndims(tags) > 1 then true else array_position(tags, null) is not null end),
          ('custom_fields', jsonb_typeof(custom_fields) not in ('object', 'null')),
          ('feedback', jsonb_typeof(feedback) <> 'null' and threadesk.rating(feedback) is null)
        ) as f (what, wrong) where wrong), '{{}}'),
    '{{}}')
$$;
comment on function threadesk.flaws is 'what of a row is not as the ticket schema says, counted by kind';

-- An index holds no value of more than 2,700 bytes, and must not stop who writes one.
create function threadesk.listed_tags(tags text[]) returns text[] language sql immutable as $$
  select case when octet_length(array_to_string(tags, '')) <= 1000 then tags
    else array(select tag from unnest(tags) as t (tag) where octet_length(tag) <= 1000) end
$$;
comment on function threadesk.listed_tags is 'tags without those by which nobody looks for a ticket';

create function threadesk.known_status(status text, assigned_to uuid[]) returns text language sql immutable as $$
  select case when status in ('new', 'open', 'pending', 'closed') then status
    when cardinality(assigned_to) > 0 then 'open' else 'new' end
$$;
comment on function threadesk.known_status is 'one of the schema''s, also where another program has written another';

create function threadesk.appended(history jsonb, key text, word jsonb) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  words jsonb := history -> key;
begin
  if jsonb_typeof(words) = 'array' then
    return jsonb_set(history, array[key], threadesk.placed(words, word));
  elsif jsonb_typeof(history) = 'object' and coalesce(jsonb_typeof(words), 'null') = 'null' then
    return history || jsonb_build_object(key, jsonb_build_array(word));
  elsif jsonb_typeof(history) = 'object' then
    return history || jsonb_build_object(key, jsonb_build_array(word),
      'unreadable', coalesce(history -> 'unreadable', '[]') || jsonb_build_array(words));
  elsif coalesce(jsonb_typeof(history), 'null') = 'null' then
    return jsonb_build_object(key, jsonb_build_array(word));
  end if;
  return jsonb_build_object(key, jsonb_build_array(word), 'unreadable', jsonb_build_array(history));
end $$;
comment on function threadesk.appended is
  'a conversation or notes with one word more; what is there in another shape is kept under "unreadable"';
"""

#: Held by those who write tickets for which there is no triage channel, until they commit.
HOMELESS = "hashtextextended('threadesk homeless', 0)"

#: What is replaced in functions of before: (function, ((before, after), …)).
CHANGES: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "words_changed",
        (
            (
                "before jsonb := coalesce(old_words, '[]');",
                "before jsonb := case when jsonb_typeof(old_words) = 'array' then old_words else '[]' end;",
            ),
            (
                "after jsonb := coalesce(new_words, '[]');",
                "after jsonb := case when jsonb_typeof(new_words) = 'array' then new_words else '[]' end;",
            ),
            (
                "touched := jsonb_build_array(after -> -1);",
                f"touched := case when after -> -1 ->> 'id' ~* {ID} then jsonb_build_array(after -> -1) else '[]' end;",
            ),
            (
                "select coalesce(jsonb_agg(w.word), '[]') into touched from (\n",
                "select coalesce(jsonb_agg(w.word), '[]') into touched from (\n"
                "      select distinct on (lower(e.word ->> 'id')) e.word from (\n",
            ),
            (
                "    ) as w;\n",
                f"      ) as e where e.word ->> 'id' ~* {ID}\n    ) as w;\n",
            ),
            ("created_at, created_by, author_role)", "created_at, created_by, author_role, deleted)"),
            ("else 'agent' end\n", "else 'agent' end, word ->> 'deleted_at' is not null\n"),
            # An id may be another ticket's message's too, which is none of this one's.
            (
                "join threadesk.messages m on m.message_id = (word ->> 'id')::uuid\n",
                "join threadesk.messages m on m.message_id = (word ->> 'id')::uuid\n"
                "    and m.ticket_id = changed and m.kind = told_kind\n",
            ),
            (
                "from known where m.message_id = (known.word ->> 'id')::uuid;",
                "from known where m.message_id = (known.word ->> 'id')::uuid"
                " and m.ticket_id = changed and m.kind = told_kind;",
            ),
            # A program that writes all its keys always may write null.
            ("case when word ? 'deleted_at' then", "case when word ->> 'deleted_at' is not null then"),
            (
                "or word ? 'deleted_at' and not earlier ? 'deleted_at'",
                "or word ->> 'deleted_at' is not null and earlier ->> 'deleted_at' is null",
            ),
            # What Slack sent is not what is to be read once another program has put other words there.
            (
                "deleted = known.word ? 'deleted_at'",
                """deleted = known.word ->> 'deleted_at' is not null,
    source = case when acting_role = 'other' and known.word -> 'content' is distinct from known.earlier -> 'content'
      then m.source - 'text' else m.source end""",
            ),
            (
                "when told_kind = 'message' and author = requested_by then 'customer'",
                """when told_kind = 'message' and (author = requested_by
           or exists (select from public.customers c where c.id = author) and not exists (
             select from threadesk.people p join threadesk.triage_members m using (team_id, slack_id)
             where p.user_id = author)) then 'customer'""",
            ),
        ),
    ),
    (
        "ticket_changed",
        (
            (
                "select new.id, new.created_by,\n",
                """select new.id, (select u.id from auth.users u where u.id = coalesce(
        (select c.id from public.customers c where c.email = new.customer_email), new.created_by)),\n""",
            ),
            (
                "where not exists (select from threadesk.desk_tickets where ticket_id = new.id);\n",
                f"""where not exists (select from threadesk.desk_tickets where ticket_id = new.id);
    if acting_role = 'other'
      and exists (select from threadesk.desk_tickets where ticket_id = new.id and triage_channel is null) then
      -- Whoever chooses a triage channel at this moment waits, and finds the ticket; or has done so, and is found.
      perform pg_advisory_xact_lock_shared({HOMELESS});
      update threadesk.desk_tickets set triage_channel = (
        select id from threadesk.channels where role = 'triage' and suspended is null
        order by chosen_at desc, id desc limit 1)
      where ticket_id = new.id;
    end if;\n""",
            ),
            (
                "case when new.status = 'closed' then told_at end, (new.status = 'closed')::integer\n",
                "case when new.status = 'closed' then told_at end, coalesce(new.status = 'closed', false)::integer\n",
            ),
            ("tags = coalesce(new.tags, '{}'),\n", "tags = threadesk.listed_tags(new.tags),\n"),
            (
                "if old.status <> new.status then\n",
                "if old.status is distinct from new.status then\n",
            ),
            (
                "closings = closings + (new.status = 'closed')::integer,\n",
                """closings = closings + coalesce(new.status = 'closed', false)::integer,
        -- Its customer may have written since, of which only the other program knows.
        not_a_ticket = not_a_ticket and not (acting_role = 'other'
          and coalesce(new.status in ('new', 'open', 'pending'), false)),\n""",
            ),
            (
                "  select requester into requested_by from threadesk.desk_tickets where ticket_id = new.id;\n",
                """  if tg_op = 'UPDATE' and acting_role = 'other'
    and new.customer_email is distinct from old.customer_email then
    update threadesk.desk_tickets d set requester = u.id
    from public.customers c join auth.users u using (id)
    where d.ticket_id = new.id and d.requester_slack is null and c.email = new.customer_email
      and d.requester is distinct from u.id;
  end if;
  select requester into requested_by from threadesk.desk_tickets where ticket_id = new.id;\n""",
            ),
            (
                "(5, 'rating', old.feedback -> 'rating', new.feedback -> 'rating')",
                "(5, 'rating', threadesk.rating(old.feedback), threadesk.rating(new.feedback))",
            ),
            (
                "status = new.status,\n    urgency = array_position('{low,medium,high}', new.priority),",
                """status = threadesk.known_status(new.status, new.assigned_to),
    flaws = case when acting_role = 'other' then threadesk.flaws(new.id, new.status, new.priority, new.tags,
      new.custom_fields, new.conversation_history, new.internal_notes, new.feedback) else d.flaws end,
    urgency = coalesce(array_position('{low,medium,high}', new.priority), 2),""",
            ),
            (
                "perform threadesk.mark(new.id, told_at);",
                """-- A ticket that comes closed has its number, and its card when it changes.
  if tg_op = 'UPDATE' or acting_role <> 'other' or new.status is distinct from 'closed' then
    perform threadesk.mark(new.id, told_at, acting_role = 'other');
  end if;
  if tg_op = 'INSERT' and acting_role = 'other'
    and jsonb_path_exists(new.conversation_history, 'lax $.messages[3]') then
    -- What was said before the desk knew of the ticket does not hold up what is being said.
    update threadesk.to_show set later = true where ticket_id = new.id;
  end if;""",
            ),
        ),
    ),
)

SHAPED = "jsonb_path_exists({}, 'strict $ ? (" + " && ".join(RATING) + ")', silent => true)"

# A customer's history that is checked takes only what is as the ticket schema has it. Of a ticket whose feedback is
# not, it says what it said before: who wrote that is not to be refused because of a table that they did not write.
HISTORY: tuple[tuple[str, str], ...] = (
    (
        "where not exists (select from public.tickets t where t.id = g.ticket::uuid)",
        f"""where not exists (select from public.tickets t where t.id = g.ticket::uuid
      and (t.feedback is null or {SHAPED.format("t.feedback")}))""",
    ),
    (
        "where t.customer_email = address and t.feedback is not null",
        f"where t.customer_email = address and {SHAPED.format('t.feedback')}",
    ),
)
RATED = """
drop trigger threadesk_rated on public.tickets;
drop trigger threadesk_rating_changed on public.tickets;
create trigger threadesk_rated after insert on public.tickets
  for each row when (NEW_IS_GIVEN) execute function threadesk.history_follows();
create trigger threadesk_rating_changed after update on public.tickets
  for each row when ((new.feedback is distinct from old.feedback
    or new.customer_email is distinct from old.customer_email) and IS_READ)
  execute function threadesk.history_follows();
"""


def _rated(given: str, read: str) -> str:
    return RATED.replace("NEW_IS_GIVEN", given).replace("IS_READ", read)


# Until now a ticket that came before there was a triage channel was shown nowhere.
TRIAGE = f"""
create function threadesk.triage_serves() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  told_at timestamptz := coalesce(nullif(current_setting('threadesk.now', true), '')::timestamptz, now());
  homeless record;
begin
  perform pg_advisory_xact_lock({HOMELESS});
  for homeless in
    update threadesk.desk_tickets set triage_channel = new.id where triage_channel is null
    returning ticket_id, status
  loop
    if homeless.status <> 'closed' then
      perform threadesk.mark(homeless.ticket_id, told_at, true);
    end if;
  end loop;
  return null;
end $$;
comment on function threadesk.triage_serves is 'tickets that wait for a triage channel go to the first that is served';
create trigger threadesk_serves after insert or update of role, suspended on threadesk.channels
  for each row when (new.role = 'triage' and new.suspended is null)
  execute function threadesk.triage_serves();
"""

# Rows that were there before the trigger was: what it would have kept of them, as far as they still say.
TAKEN_UP = """
do $$
declare
  one public.tickets;
  opened timestamptz;
begin
  lock table public.tickets in share row exclusive mode;
  for one in
    select t.* from public.tickets t
    where not exists (select from threadesk.desk_tickets d where d.ticket_id = t.id) order by t.created_at, t.id
  loop
    opened := coalesce(one.created_at, now());
    insert into threadesk.desk_tickets (ticket_id, requester, triage_channel, closed_at, closings, last_activity_at,
      status, urgency, tags, unassigned, imported_to)
    select one.id, (select u.id from auth.users u where u.id = coalesce(
        (select c.id from public.customers c where c.email = one.customer_email), one.created_by)),
      (select id from threadesk.channels where role = 'triage' and suspended is null
        order by chosen_at desc, id desc limit 1),
      case when one.status = 'closed' then coalesce(one.updated_at, opened) end,
      coalesce(one.status = 'closed', false)::integer, greatest(opened, one.updated_at),
      threadesk.known_status(one.status, one.assigned_to),
      coalesce(array_position('{low,medium,high}', one.priority), 2), threadesk.listed_tags(one.tags),
      coalesce(cardinality(one.assigned_to), 0) = 0, now();
    insert into threadesk.ledger (ticket_id, at, role, what, after)
    values (one.id, opened, 'other', 'opened', jsonb_build_object('status', one.status, 'priority', one.priority,
      'assigned_to', to_jsonb(one.assigned_to), 'tags', to_jsonb(one.tags)));
    perform threadesk.words_changed(one.id, k.kind, d.requester, null, k.words, null, 'other', opened)
    from threadesk.desk_tickets d cross join (values
      ('message', one.conversation_history -> 'messages'), ('note', one.internal_notes -> 'notes')) as k (kind, words)
    where d.ticket_id = one.id;
    update threadesk.desk_tickets set
      waiting_since = threadesk.waiting_since(one.id, opened),
      flaws = threadesk.flaws(one.id, one.status, one.priority, one.tags, one.custom_fields, one.conversation_history,
        one.internal_notes, one.feedback)
    where ticket_id = one.id;
    insert into threadesk.assignments (ticket_id, assignee, number, status, urgency, last_activity_at)
    select distinct d.ticket_id, a.id, d.number, d.status, d.urgency, d.last_activity_at
    from threadesk.desk_tickets d cross join unnest(one.assigned_to) as a (id)
    where d.ticket_id = one.id and a.id is not null;
    if one.status is distinct from 'closed' then
      perform threadesk.mark(one.id, now(), true);
    end if;
  end loop;
end $$;
-- Tables with checks that are still to come cannot be altered by the migrations that follow.
set constraints all immediate;
set constraints all deferred;
"""


def _change(function: str, changes: Iterable[tuple[str, str]]) -> None:
    listed = ", ".join(f"array[$text${before}$text$, $text${after}$text$]" for before, after in changes)
    run_script(f"""
    do $do$
    declare
      source text := pg_get_functiondef('threadesk.{function}'::regproc);
      change text[];
    begin
      foreach change slice 1 in array array[{listed}] loop
        if position(change[1] in source) = 0 then
          raise exception 'threadesk.{function} is not what this migration changes: %', change[1];
        end if;
        source := replace(source, change[1], change[2]);
      end loop;
      execute source;
    end $do$;
    """)


def upgrade() -> None:
    for statements in (LATER, FLAWS):
        run_script(statements)
    for function, changes in CHANGES:
        _change(function, changes)
    _change("history_of", HISTORY)
    shaped = SHAPED.format("new.feedback")
    for statements in (_rated(shaped, f"(new.feedback is null or {shaped})"), TRIAGE, TAKEN_UP):
        run_script(statements)


def downgrade() -> None:
    run_script("""
    drop trigger threadesk_serves on threadesk.channels;
    drop function threadesk.triage_serves();
    """)
    run_script(_rated("new.feedback is not null", "true"))
    _change("history_of", [(after, before) for before, after in HISTORY])
    for function, changes in CHANGES:
        _change(function, [(after, before) for before, after in reversed(changes)])
    run_script("""
    alter function threadesk.moment(text) reset timezone;
    drop function threadesk.appended(jsonb, text, jsonb),
      threadesk.flaws(uuid, text, text, text[], jsonb, jsonb, jsonb, jsonb),
      threadesk.word_flaws(uuid, jsonb, text, text), threadesk.known_status(text, uuid[]), threadesk.rating(jsonb),
      threadesk.listed_tags(text[]);
    """)
    run_script(MARK_BEFORE)
