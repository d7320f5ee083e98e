"""Tickets and their conversations: the user's rows together with what the desk keeps beside them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, LiteralString, cast, get_args
from uuid import UUID

from storage.engine import ACTING, Transaction

Status = Literal["new", "open", "pending", "closed"]
Priority = Literal["low", "medium", "high"]
Side = Literal["customer", "triage"]
AuthorRole = Literal["customer", "agent", "other"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket's row without its conversation and notes, which are read where they are needed.

    `channel`, `root_ts`: the customer's thread; `channel` is the requester's Slack id, and `root_ts` is None, until
    the desk has posted the root in their DM. `feedback` as in the ticket schema. `imported_to`: what was written in the
    thread until then stood there before the ticket, or in the ticket before the desk. `waiting_since`: the customer's
    first message that no agent has answered; None where there is none. `flaws`: how much of each kind another program
    has written wrong, as `threadesk.flaws` counts it; what of it has no meaning here is left out, and stays in the row.
    """

    id: UUID
    number: int
    title: str
    description: str
    status: Status
    priority: Priority
    tags: tuple[str, ...]
    custom_fields: Mapping[str, Any]
    assigned_to: tuple[UUID, ...]
    feedback: Mapping[str, Any] | None
    source_channel: str | None
    created_at: dt.datetime
    updated_at: dt.datetime
    created_by: UUID | None
    customer_email: str | None
    requester: UUID | None
    requester_team: str | None
    requester_slack: str | None
    channel: str | None
    root_ts: str | None
    triage_channel: str | None
    follows: UUID | None
    not_a_ticket: bool
    closings: int
    closed_at: dt.datetime | None
    last_activity_at: dt.datetime
    imported_to: dt.datetime | None = None
    waiting_since: dt.datetime | None = None
    flaws: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewTicket:
    id: UUID
    title: str
    description: str
    status: Status
    priority: Priority
    tags: Sequence[str]
    assigned_to: Sequence[UUID]
    created_by: UUID
    customer_email: str | None
    requester: UUID
    requester_team: str
    requester_slack: str
    channel: str
    root_ts: str | None
    triage_channel: str | None
    follows: UUID | None = None
    imported_to: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message was written: Slack's (channel, ts), on which side of the ticket, and what Slack sent.

    `thread_ts`: the root of its thread, its own ts for one at top level.
    """

    channel: str | None
    ts: str | None
    side: Side | None
    source: Mapping[str, Any] | None
    thread_ts: str | None = None


def word_of(raw: Mapping[str, Any], kind: Literal["message", "note"], created_at: dt.datetime) -> dict[str, Any]:
    """A message or note of a ticket's JSON, which another program may have written, in the shape that ours have.

    `created_at`: when it was written, as the desk knows it. A `created_by` that is no uuid is None. An attachment is an
    object with a "name"; one that is a string is its URL. Content that is no text is its JSON. A `deleted_at` or
    `edited_at` of null is none.
    """
    word = dict(raw)
    content = word.get("content")
    word["content"] = content if isinstance(content, str) else "" if content is None else json.dumps(content)
    word["created_by"] = _uuid_or_none(word.get("created_by"))
    if not isinstance(word.get("created_at"), str):
        word["created_at"] = created_at.isoformat()
    if kind == "message" or "attachments" in word:
        files = word.get("attachments")
        attached = map(_attachment, files if isinstance(files, list) else [])
        word["attachments"] = [file for file in attached if file is not None]
    if not _are_versions(word.get("edited_at"), word.get("earlier")):
        word.pop("edited_at", None)
        word.pop("earlier", None)
    if "deleted_at" in word and word["deleted_at"] is None:
        del word["deleted_at"]
    return word


def _are_versions(edited_at: Any, earlier: Any) -> bool:
    return isinstance(edited_at, str) and (
        earlier is None
        or (
            isinstance(earlier, list)
            and all(
                isinstance(one, dict) and all(isinstance(one.get(key), str) for key in ("content", "replaced_at"))
                for one in earlier
            )
        )
    )


def _uuid_or_none(value: Any) -> str | None:
    try:
        return str(UUID(value))
    except (TypeError, ValueError, AttributeError):
        return None


def _attachment(value: Any) -> dict[str, Any] | None:
    if isinstance(value, str):
        return {"name": value.rstrip("/").rpartition("/")[2] or "file", "url": value}
    if not isinstance(value, dict):
        return None
    known = {"id": str(value["id"])} if "id" in value else {}
    return {**value, **known, "name": str(value.get("name") or "file")}


#: A table of another program's may lack what the schema requires; Python knows no time before the year 1.
TICKET: LiteralString = """
  t.id, d.number, coalesce(t.title, '') as title, coalesce(t.description, '') as description, t.status, t.priority,
  t.tags, t.custom_fields, t.assigned_to, t.feedback, t.source_channel,
  greatest(coalesce(t.created_at, d.last_activity_at), '0001-01-02 00:00+00') as created_at,
  greatest(coalesce(t.updated_at, d.last_activity_at), '0001-01-02 00:00+00') as updated_at,
  t.created_by, t.customer_email, d.requester, d.requester_team,
  d.requester_slack, d.channel, d.root_ts, d.triage_channel, d.follows, d.not_a_ticket, d.closings, d.closed_at,
  d.last_activity_at, d.imported_to, d.waiting_since, d.flaws
"""
FROM: LiteralString = "from public.tickets t join threadesk.desk_tickets d on d.ticket_id = t.id"


def ticket_of(row: Mapping[str, Any]) -> Ticket:
    """The ticket, also where another program has written what the schema does not know: see `Ticket.flaws`."""
    values = dict(row)
    assigned_to = tuple(UUID(str(one)) for one in _flat(values["assigned_to"]))
    fields = values["custom_fields"]
    return Ticket(
        **values
        | {
            "status": known_status(values["status"], assigned_to),
            "priority": values["priority"] if values["priority"] in get_args(Priority) else "medium",
            "tags": tuple(_flat(values["tags"])),
            "assigned_to": assigned_to,
            "custom_fields": fields if isinstance(fields, dict) else {},
            "feedback": _feedback(values["feedback"]),
            "flaws": values["flaws"] or {},
        }
    )


def known_status(status: str | None, assigned_to: Sequence[UUID]) -> Status:
    """One of the schema's, as `threadesk.known_status` has it for lists."""
    if status in get_args(Status):
        return cast("Status", status)
    return "open" if assigned_to else "new"


def _flat(values: Any) -> list[Any]:
    """The elements of an array of PostgreSQL's, which may have several dimensions and nulls."""
    if isinstance(values, list):
        return [each for one in values for each in _flat(one)]
    return [] if values is None else [values]


def _feedback(value: Any) -> dict[str, Any] | None:
    rating = value.get("rating") if isinstance(value, dict) else None
    if isinstance(rating, bool) or not isinstance(rating, int | float) or rating not in range(1, 6):
        return None
    comment = value.get("comment")
    return {**value, "comment": comment if isinstance(comment, str) else None}


async def _one(tx: Transaction, where: LiteralString, *, lock: bool, **values: Any) -> Ticket | None:
    locking: LiteralString = "for no key update of t, d" if lock else ""
    row = (await tx.run(f"select {TICKET} {FROM} where {where} {locking}", **values)).one_or_none()
    return ticket_of(row) if row else None


async def by_id(tx: Transaction, ticket_id: UUID, *, lock: bool = False) -> Ticket | None:
    return await _one(tx, "t.id = :id", lock=lock, id=ticket_id)


async def by_number(tx: Transaction, number: int, *, lock: bool = False) -> Ticket | None:
    return await _one(tx, "d.number = :number", lock=lock, number=number)


async def by_thread(tx: Transaction, channel: str, thread_ts: str) -> tuple[UUID, Side] | None:
    """The ticket that a thread points to, and whose side of it the thread is."""
    found = await tx.run(
        "select ticket_id, side from threadesk.threads where channel = :channel and thread_ts = :ts",
        channel=channel,
        ts=thread_ts,
    )
    row = found.one_or_none()
    return (row.ticket_id, row.side) if row else None


async def newest_number(tx: Transaction) -> int:
    return int((await tx.run("select coalesce(max(number), 0) from threadesk.desk_tickets")).scalar_one())


async def claim_root(tx: Transaction, channel: str, thread_ts: str, ticket_id: UUID) -> bool:
    """Points a thread that belongs to no ticket to this one; False when it belongs to one by now."""
    claimed = await tx.run(
        """
        insert into threadesk.threads (channel, thread_ts, ticket_id, side) values (:channel, :ts, :id, 'customer')
        on conflict do nothing returning 1
        """,
        channel=channel,
        ts=thread_ts,
        id=ticket_id,
    )
    return bool(claimed)


async def point_thread(tx: Transaction, channel: str, thread_ts: str, ticket_id: UUID, side: Side) -> None:
    await tx.run(
        """
        insert into threadesk.threads (channel, thread_ts, ticket_id, side) values (:channel, :ts, :id, :side)
        on conflict (channel, thread_ts) do update set ticket_id = excluded.ticket_id, side = excluded.side
        """,
        channel=channel,
        ts=thread_ts,
        id=ticket_id,
        side=side,
    )


async def insert(tx: Transaction, new: NewTicket) -> int:
    """Makes the ticket without a conversation; returns its number."""
    number = await tx.run(
        """
        insert into threadesk.desk_tickets (ticket_id, requester, requester_team, requester_slack, channel, root_ts,
          triage_channel, follows, imported_to, last_activity_at)
        values (:id, :requester, :requester_team, :requester_slack, :channel, :root_ts, :triage_channel, :follows,
          :imported_to, :now)
        returning number
        """,
        id=new.id,
        requester=new.requester,
        requester_team=new.requester_team,
        requester_slack=new.requester_slack,
        channel=new.channel,
        root_ts=new.root_ts,
        triage_channel=new.triage_channel,
        follows=new.follows,
        imported_to=new.imported_to,
        now=tx.now,
    )
    await tx.run(
        """
        insert into public.tickets (id, title, description, status, priority, tags, custom_fields,
          conversation_history, internal_notes, source_channel, created_by, customer_email, assigned_to, created_at,
          updated_at)
        values (:id, :title, :description, :status, :priority, :tags, '{}', '{"messages": []}', '{"notes": []}',
          'slack', :created_by, :customer_email, :assigned_to, now(), now())
        """,
        id=new.id,
        title=new.title,
        description=new.description,
        status=new.status,
        priority=new.priority,
        tags=list(new.tags),
        created_by=new.created_by,
        customer_email=new.customer_email,
        assigned_to=list(new.assigned_to),
    )
    return int(number.scalar_one())


@dataclass(frozen=True, slots=True)
class Appended:
    """`earliest`: its author has written nothing older on the ticket. `awaited`: something arrived before it that is
    about it (`storage.early`)."""

    earliest: bool
    awaited: bool


async def append(
    tx: Transaction,
    ticket_id: UUID,
    message: Mapping[str, Any],
    origin: Origin,
    role: AuthorRole,
    *,
    status: Status | None = None,
    assigned_to: Sequence[UUID] | None = None,
) -> Appended | None:
    """Adds a message to the conversation, with the status that it brings about; None when it is there already.

    Its author is the one who acts, as `role`, in this and what follows.
    """
    assigning: LiteralString = "" if assigned_to is None else ", assigned_to = cast(:assigned_to as uuid[])"
    values = {} if assigned_to is None else {"assigned_to": list(assigned_to)}
    return await _append(
        tx,
        "message",
        f"""
        update public.tickets set
          conversation_history = threadesk.appended(conversation_history, 'messages', cast(:word as jsonb)),
          status = coalesce(:status, status) {assigning}
        """,
        ticket_id,
        message,
        origin,
        role,
        status=status,
        **values,
    )


async def append_note(
    tx: Transaction, ticket_id: UUID, note: Mapping[str, Any], origin: Origin, role: AuthorRole = "agent"
) -> Appended | None:
    """Adds an internal note, whose author is the one who acts; None when it is there already."""
    return await _append(
        tx,
        "note",
        """
        update public.tickets set internal_notes = threadesk.appended(internal_notes, 'notes', cast(:word as jsonb))
        """,
        ticket_id,
        note,
        origin,
        role,
    )


async def _append(
    tx: Transaction,
    kind: LiteralString,
    update: LiteralString,
    ticket_id: UUID,
    word: Mapping[str, Any],
    origin: Origin,
    role: AuthorRole,
    **values: Any,
) -> Appended | None:
    # The identity comes first: a message that is recorded already changes nothing, status included.
    done = await tx.run(
        f"""
        with acting as materialized ({ACTING}), identity as (
          insert into threadesk.messages
            (message_id, ticket_id, kind, created_at, created_by, author_role, channel, ts, thread_ts, side, source,
             deleted)
          select cast(:message_id as uuid), :id, '{kind}', cast(:at as timestamptz), cast(:author as uuid), :role,
            :channel, :ts, :thread_ts, :side, cast(:source as jsonb), cast(:deleted as boolean)
          from acting on conflict do nothing returning 1
        )
        {update} where id = :id and exists (select from identity)
        returning
          not exists (select from threadesk.messages m where m.ticket_id = :id and m.kind = '{kind}'
            and m.created_by = :author and (m.created_at, m.message_id) < (:at, :message_id)) as earliest,
          exists (select from threadesk.early where channel = :channel and awaits = :ts) as awaited
        """,
        id=ticket_id,
        message_id=UUID(word["id"]),
        at=dt.datetime.fromisoformat(word["created_at"]),
        author=UUID(word["created_by"]),
        role=role,
        channel=origin.channel,
        ts=origin.ts,
        thread_ts=origin.thread_ts,
        side=origin.side,
        source=None if origin.source is None else json.dumps(origin.source),
        deleted="deleted_at" in word,
        word=json.dumps(word),
        acting=word["created_by"],
        acting_role=role,
        acting_now=tx.now.isoformat(),
        **values,
    )
    row = done.one_or_none()
    return Appended(**row) if row else None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message or note that the desk knows: which ticket's, and its element of the row's JSON."""

    message_id: UUID
    ticket_id: UUID
    kind: Literal["message", "note"]
    created_at: dt.datetime
    author_role: AuthorRole
    side: Side | None
    source: Mapping[str, Any] | None
    word: dict[str, Any]


#: The elements of a ticket's JSON in any shape that another program may have given it: none where there is no list.
MESSAGES: LiteralString = "jsonb_path_query(t.conversation_history, 'strict $.messages[*]', silent => true)"
NOTES: LiteralString = "jsonb_path_query(t.internal_notes, 'strict $.notes[*]', silent => true)"
#: A message's or note's own element, as `w.word`; the first, where another program has written two of one id.
WORD: LiteralString = f"""
  cross join lateral (
    select word from (
      select word from {MESSAGES} as one (word) where m.kind = 'message'
      union all select word from {NOTES} as one (word) where m.kind = 'note'
    ) as words where lower(word ->> 'id') = m.message_id::text limit 1
  ) as w
"""
RECORDED: LiteralString = f"""
  select m.message_id, m.ticket_id, m.kind, m.created_at, m.author_role, m.side, m.source, w.word
  from threadesk.messages m join public.tickets t on t.id = m.ticket_id {WORD} where true
"""


def _recorded(row: Any) -> Recorded:
    return Recorded(**dict(row) | {"word": word_of(row.word, row.kind, row.created_at)})


async def recorded(tx: Transaction, channel: str, ts: str) -> Recorded | None:
    """What was recorded of Slack's message (channel, ts); its ticket stays locked until the transaction ends."""
    found = await tx.run(
        "select t.id from public.tickets t join threadesk.messages m on m.ticket_id = t.id"
        " where m.channel = :channel and m.ts = :ts for no key update of t",
        channel=channel,
        ts=ts,
    )
    if found.one_or_none() is None:
        return None
    row = (await tx.run(f"{RECORDED} and m.channel = :channel and m.ts = :ts", channel=channel, ts=ts)).one_or_none()
    return _recorded(row) if row else None


async def opening(tx: Transaction, ticket_id: UUID, *, beside: UUID | None = None) -> Recorded | None:
    """The requester's first message, whose words the title and description are; None where a form gave them.

    `beside`: a message that is left out.
    """
    found = await tx.run(
        f"""
        {RECORDED} and m.message_id = (
          select f.message_id from threadesk.messages f join threadesk.desk_tickets d using (ticket_id)
          where d.ticket_id = :id and f.kind = 'message' and f.created_by = d.requester and d.root_ts is not null
            and f.message_id is distinct from cast(:beside as uuid)
            and not exists (select from threadesk.posted p where p.ticket_id = d.ticket_id and p.slot = 'root')
          order by f.created_at, f.message_id limit 1)
        """,
        id=ticket_id,
        beside=beside,
    )
    row = found.one_or_none()
    return _recorded(row) if row else None


async def by_message_id(tx: Transaction, message_id: UUID) -> Recorded | None:
    row = (await tx.run(f"{RECORDED} and m.message_id = :id", id=message_id)).one_or_none()
    return _recorded(row) if row else None


async def unread_names(tx: Transaction, ticket_id: UUID) -> list[Recorded]:
    """Messages whose words were recorded before the people or files in them were known (`source.unresolved`)."""
    found = await tx.run(
        f"{RECORDED} and m.ticket_id = :id and m.source @> '{{\"unresolved\": true}}' order by m.created_at",
        id=ticket_id,
    )
    return [_recorded(row) for row in found]


async def rewrite(tx: Transaction, one: Recorded, word: Mapping[str, Any], source: Mapping[str, Any] | None) -> None:
    """Replaces a message or note by a new version of itself, where it stands in a list."""
    column: LiteralString = "conversation_history" if one.kind == "message" else "internal_notes"
    key: LiteralString = "messages" if one.kind == "message" else "notes"
    await tx.run(
        "update threadesk.messages set source = cast(:source as jsonb) where message_id = :id",
        id=one.message_id,
        source=None if source is None else json.dumps(source),
    )
    await tx.run(
        f"""
        update public.tickets set {column} = jsonb_set({column}, '{{{key}}}',
          threadesk.replaced({column} -> '{key}', cast(:word as jsonb)))
        where id = :id and jsonb_typeof({column} -> '{key}') = 'array'
        """,
        id=one.ticket_id,
        word=json.dumps(word),
    )


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody wrote, and who."""

    author_role: AuthorRole
    word: Mapping[str, Any]


class Said(Written):
    """A message of the conversation."""


class Noted(Written):
    """An internal note. It has a type of its own, so that nothing made for a customer can hold one."""


SAID: LiteralString = f"""
  select 'message' as kind, s.word, s.place from public.tickets t
  cross join lateral {MESSAGES} with ordinality as s (word, place)
  where t.id = :id
"""
NOTED: LiteralString = f"""
  select 'note' as kind, n.word, n.place from public.tickets t
  cross join lateral {NOTES} with ordinality as n (word, place)
  where t.id = :id
"""


async def conversation(tx: Transaction, ticket_id: UUID, *, notes: bool) -> list[Said | Noted]:
    """The ticket's messages and, only when asked for, its notes; oldest first."""
    kinds: LiteralString = f"{SAID} union all {NOTED}" if notes else SAID
    found = await tx.run(
        f"""
        select w.kind, m.author_role, m.created_at, w.word from ({kinds}) as w
        join threadesk.messages m on m.ticket_id = :id and m.message_id::text = lower(w.word ->> 'id')
        where m.kind = w.kind
        order by threadesk.moment(w.word ->> 'created_at') nulls first, w.place
        """,
        id=ticket_id,
    )
    kind: dict[str, type[Said | Noted]] = {"message": Said, "note": Noted}
    return [kind[row.kind](row.author_role, word_of(row.word, row.kind, row.created_at)) for row in found]


#: Columns of `public.tickets` that operations set, with the cast that their value needs.
COLUMNS: Mapping[str, LiteralString] = {
    "title": ":title",
    "description": ":description",
    "status": ":status",
    "priority": ":priority",
    "tags": "cast(:tags as text[])",
    "custom_fields": "cast(:custom_fields as jsonb)",
    "feedback": "cast(:feedback as jsonb)",
    "assigned_to": "cast(:assigned_to as uuid[])",
    "customer_email": ":customer_email",
}


async def change(tx: Transaction, ticket_id: UUID, **columns: Any) -> None:
    """Sets columns of the ticket's row; JSON columns take what json.dumps takes."""
    values = {
        name: json.dumps(value) if "jsonb" in COLUMNS[name] else list(value) if isinstance(value, tuple) else value
        for name, value in columns.items()
    }
    assignments: LiteralString = ", ".join(f"{name} = {COLUMNS[name]}" for name in values)
    await tx.run(f"update public.tickets set {assignments} where id = :id", id=ticket_id, **values)


async def set_fields(tx: Transaction, ticket_id: UUID, given: Mapping[str, str], taken: Sequence[str]) -> None:
    """Changes the custom fields that are named, in the database: the numbers of other programs' keep every digit."""
    await tx.run(
        """
        update public.tickets
        set custom_fields = (case coalesce(jsonb_typeof(custom_fields), 'null')
            when 'object' then custom_fields when 'null' then '{}'
            else jsonb_build_object('unreadable', custom_fields) end || cast(:given as jsonb)) - cast(:taken as text[])
        where id = :id
        """,
        id=ticket_id,
        given=json.dumps(given),
        taken=list(taken),
    )


async def mark_not_a_ticket(tx: Transaction, ticket_id: UUID, *, value: bool) -> None:
    await tx.run(
        "update threadesk.desk_tickets set not_a_ticket = :value where ticket_id = :id",
        id=ticket_id,
        value=value,
    )


async def root_posted(tx: Transaction, ticket_id: UUID, channel: str, ts: str) -> None:
    """The desk has posted the root of the customer's thread: from now on answers in it belong to the ticket."""
    await tx.run(
        "update threadesk.desk_tickets set channel = :channel, root_ts = :ts where ticket_id = :id",
        id=ticket_id,
        channel=channel,
        ts=ts,
    )
    await point_thread(tx, channel, ts, ticket_id, "customer")


@dataclass(frozen=True, slots=True)
class Latest:
    """A ticket, how far from a moment its requester wrote in it, and whether an agent had answered by then."""

    ticket: Ticket
    apart: dt.timedelta
    answered: bool


async def latest_of_requester(
    tx: Transaction, team: str, slack_id: str, channel: str, at: dt.datetime
) -> Latest | None:
    """The newest ticket of a requester in a channel that is not closed, as seen from the moment `at`."""
    found = await tx.run(
        """
        select d.ticket_id,
          min(greatest(m.created_at - :at, :at - m.created_at)) filter (where m.created_by = d.requester) as apart,
          coalesce(bool_or(m.author_role = 'agent' and m.created_at < :at), false) as answered
        from (
          select ticket_id, requester from threadesk.desk_tickets join public.tickets t on t.id = ticket_id
          where requester_team = :team and requester_slack = :slack and channel = :channel and t.status <> 'closed'
          order by number desc limit 1
        ) as d left join threadesk.messages m on m.ticket_id = d.ticket_id and m.kind = 'message'
        group by d.ticket_id
        """,
        team=team,
        slack=slack_id,
        channel=channel,
        at=at,
    )
    row = found.one_or_none()
    ticket = await by_id(tx, row.ticket_id, lock=True) if row else None
    if row is None or ticket is None:
        return None
    return Latest(ticket, abs(at - ticket.created_at) if row.apart is None else row.apart, row.answered)


async def is_known(tx: Transaction, channel: str, ts: str) -> bool:
    """Whether Slack's message (channel, ts) has been recorded."""
    found = await tx.run(
        "select 1 from threadesk.messages where channel = :channel and ts = :ts", channel=channel, ts=ts
    )
    return found.one_or_none() is not None


async def holding(tx: Transaction, channel: str, ts: str) -> UUID | None:
    """The ticket whose message, note or post of the desk Slack's message (channel, ts) is."""
    found = await tx.run(
        """
        select ticket_id from threadesk.messages where channel = :channel and ts = :ts
        union all select ticket_id from threadesk.posted where channel = :channel and ts = :ts limit 1
        """,
        channel=channel,
        ts=ts,
    )
    holder = found.scalar_one_or_none()
    return UUID(str(holder)) if holder else None


async def copies(tx: Transaction, channel: str, ts: str) -> list[Recorded]:
    """The notes that quote Slack's message (channel, ts): their `source.copy_of` is `copied_from` of it.

    Their tickets, and the one that the message itself is in, stay locked until the transaction ends: all in the order
    of their numbers, so that who locks several never waits for another who does.
    """
    of = copied_from(channel, ts)
    locked = await tx.run(
        """
        select 1 from public.tickets t join threadesk.desk_tickets d on d.ticket_id = t.id
        where t.id in (
          select ticket_id from threadesk.messages where channel = :channel and ts = :ts
          union all
          select ticket_id from threadesk.messages m where m.source ? 'copy_of' and m.source ->> 'copy_of' = :of)
        order by d.number for no key update of t
        """,
        channel=channel,
        ts=ts,
        of=of,
    )
    if not locked:
        return []
    found = await tx.run(f"{RECORDED} and m.source ? 'copy_of' and m.source ->> 'copy_of' = :of", of=of)
    return [_recorded(row) for row in found]


def copied_from(channel: str, ts: str) -> str:
    return f"{channel}/{ts}"


async def answered_later(tx: Transaction, ticket_id: UUID, than: dt.datetime, role: AuthorRole) -> bool:
    """Whether somebody of `role` wrote after `than`: Slack does not deliver in order."""
    found = await tx.run(
        "select 1 from threadesk.messages where ticket_id = :id and kind = 'message' and author_role = :role"
        " and created_at > :than limit 1",
        id=ticket_id,
        role=role,
        than=than,
    )
    return found.one_or_none() is not None


async def taken_later(tx: Transaction, ticket_id: UUID, than: dt.datetime, since: dt.datetime) -> bool:
    """Whether who has the ticket took it by answering, first after `than`; what they wrote before `since` is no answer.

    Whoever takes it by a button does so in a transaction in which nothing is said.
    """
    found = await tx.run(
        """
        select min(m.created_at) > :than from (
          select actor, after, xmin from threadesk.ledger where ticket_id = :id and what = 'assigned_to'
          order by id desc limit 1
        ) as taken
        join threadesk.messages m on m.ticket_id = :id and m.kind = 'message' and m.created_by = taken.actor
        where taken.after = jsonb_build_array(taken.actor) and m.created_at > :since
          and exists (select from threadesk.ledger l
            where l.ticket_id = :id and l.what = 'message' and l.xmin = taken.xmin)
        """,
        id=ticket_id,
        than=than,
        since=since,
    )
    return bool(found.scalar_one_or_none())


async def first_answer(
    tx: Transaction, ticket_id: UUID, since: dt.datetime, until: dt.datetime
) -> tuple[UUID, dt.datetime] | None:
    """The agent who was the first to write between two moments, and when."""
    found = await tx.run(
        "select created_by, created_at from threadesk.messages where ticket_id = :id and kind = 'message'"
        " and author_role = 'agent' and created_at > :since and created_at < :until order by created_at limit 1",
        id=ticket_id,
        since=since,
        until=until,
    )
    row = found.one_or_none()
    return (row.created_by, row.created_at) if row else None


async def serialise(tx: Transaction, *key: str) -> None:
    """Until this transaction ends, no other one with the same key goes on."""
    await tx.run(f"select {TURN}", turn=turn(*key))


#: Waits for the turn of what has the key `turn`.
TURN: LiteralString = "pg_advisory_xact_lock(hashtextextended(:turn, 0))"


def turn(*key: str) -> str:
    return "\x1f".join(key)


async def act_once(tx: Transaction, key: str) -> bool:
    """True the first time that this submission or command is carried out."""
    done = await tx.run(
        "insert into threadesk.acted (key, at) values (:key, :now) on conflict do nothing returning 1",
        key=key,
        now=tx.now,
    )
    return bool(done)


@dataclass(frozen=True, slots=True)
class Newest:
    content: str
    created_at: dt.datetime
    created_by: UUID | None
    author_role: AuthorRole


async def newest_word(tx: Transaction, ticket_id: UUID) -> Newest | None:
    """The newest message that was not deleted."""
    found = await tx.run(
        f"""
        select w.word, m.created_at, m.created_by, m.author_role
        from threadesk.messages m join public.tickets t on t.id = m.ticket_id
        {WORD}
        where m.ticket_id = :id and m.kind = 'message' and not m.deleted
        order by m.created_at desc, m.message_id limit 1
        """,
        id=ticket_id,
    )
    row = found.one_or_none()
    if row is None:
        return None
    word = word_of(row.word, "message", row.created_at)
    return Newest(word["content"], row.created_at, row.created_by, row.author_role)


async def edited_since_answered(tx: Transaction, ticket_id: UUID) -> bool:
    """Whether a customer has changed a message that stood there already when an agent answered last."""
    found = await tx.run(
        f"""
        select exists (
          select from (
            select max(created_at) as at from threadesk.messages
            where ticket_id = :id and kind = 'message' and author_role = 'agent' and not deleted
          ) as answer
          join threadesk.messages m on m.ticket_id = :id and m.kind = 'message' and m.author_role = 'customer'
            and m.version > 1 and not m.deleted and m.created_at < answer.at
          join public.tickets t on t.id = m.ticket_id
          {WORD}
          where threadesk.moment(w.word ->> 'edited_at') > answer.at
        )
        """,
        id=ticket_id,
    )
    return bool(found.scalar_one())


async def other_thread(tx: Transaction, ticket_id: UUID, channel: str, thread_ts: str | None) -> str | None:
    """The newest of the ticket's threads in a triage channel, beside the one that its card has now."""
    found = await tx.run(
        """
        select max(thread_ts) from threadesk.threads
        where ticket_id = :id and side = 'triage' and channel = :channel
          and thread_ts is distinct from cast(:ts as text)
        """,
        id=ticket_id,
        channel=channel,
        ts=thread_ts,
    )
    return found.scalar_one_or_none()


async def waiting_since(tx: Transaction, ticket_id: UUID) -> dt.datetime | None:
    """When the customer wrote the first message that no agent has answered."""
    found = await tx.run(
        """
        select min(created_at) from threadesk.messages
        where ticket_id = :id and kind = 'message' and author_role = 'customer' and not deleted
          and created_at > coalesce((select max(created_at) from threadesk.messages
            where ticket_id = :id and kind = 'message' and author_role = 'agent'), '-infinity')
        """,
        id=ticket_id,
    )
    return found.scalar_one_or_none()


async def open_ones_of(tx: Transaction, assignee: UUID, triage_channel: str) -> list[Ticket]:
    """The tickets that are not closed and that this agent has, in one triage channel; locked."""
    found = await tx.run(
        f"""
        select {TICKET} {FROM} where t.assigned_to @> array[cast(:who as uuid)] and t.status <> 'closed'
          and d.triage_channel = :triage order by d.number for no key update of t, d
        """,
        who=assignee,
        triage=triage_channel,
    )
    return [ticket_of(row) for row in found]


async def without_email(tx: Transaction, requester: UUID) -> list[UUID]:
    found = await tx.run(
        "select t.id from public.tickets t join threadesk.desk_tickets d on d.ticket_id = t.id"
        " where d.requester = :who and t.customer_email is null and t.source_channel = 'slack' order by d.number",
        who=requester,
    )
    return [UUID(str(one)) for one in found.scalars()]


async def of_requester(tx: Transaction, team: str, slack_id: str) -> list[UUID]:
    """Every ticket that a Slack person has asked for in Slack; locked."""
    found = await tx.run(
        "select t.id from public.tickets t join threadesk.desk_tickets d on d.ticket_id = t.id"
        " where d.requester_team = :team and d.requester_slack = :slack and t.source_channel = 'slack'"
        " order by d.number for no key update of t, d",
        team=team,
        slack=slack_id,
    )
    return [UUID(str(one)) for one in found.scalars()]


async def touched_by(tx: Transaction, who: UUID) -> list[UUID]:
    """The tickets on which a person is shown by name and that are not closed, or closed but still marked."""
    found = await tx.run(
        """
        select t.id from public.tickets t join threadesk.desk_tickets d on d.ticket_id = t.id
        where t.status <> 'closed' and (d.requester = :who or t.assigned_to @> array[cast(:who as uuid)])
        order by d.number
        """,
        who=who,
    )
    return [UUID(str(one)) for one in found.scalars()]
