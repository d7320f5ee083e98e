"""What people have said, and who they are, taken out of the tables. What has happened, and when, stays.

Lanes are locked before tickets, as the courier does, and tickets before people.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, LiteralString
from uuid import UUID

from storage import showing, subjects
from storage.engine import Row, Transaction
from storage.subjects import Subject

#: What became of a row: it was not there, is deleted, is emptied because others' rows refer to it, or is as it was
#: because this role has no right to change it, or another program's rules forbid it.
Outcome = Literal["gone", "deleted", "emptied", "left"]

#: These stay in Slack, and show that the words are gone.
STAYING: LiteralString = "('card', 'status', 'root')"


async def hold(tx: Transaction, tickets: Sequence[UUID]) -> list[UUID]:
    """Locks tickets, after the lanes in which they are shown; those that are still there."""
    lanes = await tx.run(
        """
        select distinct lane from threadesk.desk_tickets d cross join lateral (values (channel), (triage_channel))
          as l (lane) where d.ticket_id = any(:ids) and lane is not null
        """,
        ids=list(tickets),
    )
    await showing.hold_back(tx, lanes.scalars())
    held = await tx.run(
        """
        select t.id from public.tickets t left join threadesk.desk_tickets d on d.ticket_id = t.id
        where t.id = any(:ids) order by d.number for no key update of t
        """,
        ids=list(tickets),
    )
    await tx.run(
        "select 1 from threadesk.desk_tickets where ticket_id = any(:ids) order by number for no key update",
        ids=list(tickets),
    )
    return held.scalars()


async def hold_person(tx: Transaction, subject: Subject) -> None:
    """Nobody else learns of them, or does anything as them, until the transaction ends."""
    await tx.run("select 1 from threadesk.people where user_id = any(:ids) for update", ids=list(subject.user_ids))


async def overdue(tx: Transaction, before: dt.datetime, *, most: int, besides: Sequence[UUID]) -> list[UUID]:
    """Tickets that were closed before then and still have words, the oldest first."""
    found = await tx.run(
        f"""
        select ticket_id from threadesk.desk_tickets
        where {OVERDUE} and ticket_id <> all (cast(:besides as uuid[])) order by closed_at limit :most
        """,
        before=before,
        most=most,
        besides=list(besides),
    )
    return found.scalars()


async def being_taken_away(tx: Transaction) -> int:
    """How many old tickets were erased of which Slack still shows something. Channels that are closed to the desk, and
    may stay so, are left out."""
    found = await tx.run(
        """
        select count(distinct s.ticket_id) from threadesk.to_show s join threadesk.desk_tickets d using (ticket_id)
        left join threadesk.lanes l using (lane) left join threadesk.channels c on c.id = s.lane
        where d.erased_at is not null and d.status = 'closed' and s.parked is null and l.closed_since is null
          and c.suspended is null
        """
    )
    return int(found.scalar_one())


OVERDUE: LiteralString = """
  status = 'closed' and closed_at < :before
  and (erased_at is null or erased_at < last_activity_at and last_activity_at < :before)
"""


async def is_overdue(tx: Transaction, ticket_id: UUID, before: dt.datetime) -> bool:
    """Whether that is still so. One desk at a time: not while another is at it."""
    found = await tx.run(
        f"""
        select pg_try_advisory_xact_lock(hashtextextended('retention', 0))
          and exists (select from threadesk.desk_tickets where ticket_id = :id and {OVERDUE})
        """,
        id=ticket_id,
        before=before,
    )
    return bool(found.scalar_one())


@dataclass(frozen=True, slots=True)
class Line:
    """What the desk knows of a message or note beside its words. `source`: what Slack sent, if anything."""

    author_role: str
    created_by: UUID | None
    source: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Words:
    """What was said on a ticket, as it stands in its row; None where nothing does. `lines`: by the id of each."""

    messages: Sequence[Any] | None
    notes: Sequence[Any] | None
    lines: Mapping[str, Line]


async def words(tx: Transaction, ticket_id: UUID) -> Words:
    found = await tx.run("select conversation_history, internal_notes from public.tickets where id = :id", id=ticket_id)
    lines = await tx.run(
        "select message_id, author_role, created_by, source from threadesk.messages where ticket_id = :id",
        id=ticket_id,
    )
    row = found.one()
    return Words(
        _list(row.conversation_history, "messages"),
        _list(row.internal_notes, "notes"),
        {str(one.message_id): Line(one.author_role, one.created_by, one.source) for one in lines},
    )


def _list(history: Any, key: str) -> Sequence[Any] | None:
    """Another program may have written anything."""
    if history is None:
        return None
    found = history.get(key) if isinstance(history, dict) else None
    return found if isinstance(found, list) else []


async def rewrite(
    tx: Transaction, ticket_id: UUID, changed: Words, sources: Mapping[str, Mapping[str, Any] | None]
) -> None:
    """Writes what was said anew; `sources`: what is kept by now of what Slack sent, by the id of each."""
    await tx.run(
        """
        update public.tickets set
          conversation_history = case when jsonb_typeof(conversation_history -> 'messages') = 'array'
            then jsonb_set(conversation_history, '{messages}', cast(:messages as jsonb))
            else conversation_history end,
          internal_notes = case when jsonb_typeof(internal_notes -> 'notes') = 'array'
            then jsonb_set(internal_notes, '{notes}', cast(:notes as jsonb)) else internal_notes end
        where id = :id
        """,
        id=ticket_id,
        messages=json.dumps(changed.messages or []),
        notes=json.dumps(changed.notes or []),
    )
    await tx.run(
        """
        update threadesk.messages m set source = k.source
        from unnest(cast(:ids as uuid[]), cast(:sources as jsonb[])) as k (id, source) where m.message_id = k.id
        """,
        ids=[UUID(one) for one in sources],
        sources=[None if one is None else json.dumps(one) for one in sources.values()],
    )
    await _take_away(tx, ticket_id)


async def empty(tx: Transaction, ticket_id: UUID, emptied: Words, *, title: str) -> None:
    """Takes all words out of a ticket, and whose it is; its locked row keeps what figures are made of."""
    before = await places(tx, [ticket_id])
    await tx.run(
        """
        update public.tickets t set title = :title, description = '',
          custom_fields = case when custom_fields is not null then cast('{}' as jsonb) end,
          conversation_history = case when conversation_history is not null
            then jsonb_build_object('messages', cast(:messages as jsonb)) end,
          internal_notes = case when internal_notes is not null
            then jsonb_build_object('notes', cast(:notes as jsonb)) end,
          feedback = case when jsonb_typeof(feedback) = 'object' then feedback || '{"comment": null}' end,
          customer_email = null,
          created_by = case when created_by is distinct from
            (select coalesce(requester, created_by) from threadesk.desk_tickets where ticket_id = t.id)
            then created_by end
        where id = :id
        """,
        id=ticket_id,
        title=title,
        messages=json.dumps(emptied.messages or []),
        notes=json.dumps(emptied.notes or []),
    )
    for statement in EMPTYING:
        await tx.run(statement, id=ticket_id, now=tx.now)
    await keep_places(tx, before)
    await _take_away(tx, ticket_id)


EMPTYING: tuple[LiteralString, ...] = (
    """
    update threadesk.messages set source = null,
      created_by = case author_role when 'agent' then created_by end where ticket_id = :id
    """,
    "delete from threadesk.replies where ticket_id = :id",
    "delete from threadesk.openings where ticket_id = :id",
    # A direct message that was never begun has its requester's id in place of a channel's.
    "delete from threadesk.to_show where ticket_id = :id and lane ~ '^[UW]'",
    # What another program has written wrong may be gone with the rest.
    """
    update threadesk.desk_tickets d set requester = null, requester_slack = null, erased_at = :now,
      channel = case when d.channel !~ '^[UW]' then d.channel end,
      flaws = threadesk.flaws(t.id, t.status, t.priority, t.tags, t.custom_fields, t.conversation_history,
        t.internal_notes, t.feedback)
    from public.tickets t where d.ticket_id = :id and t.id = d.ticket_id
    """,
    "insert into threadesk.ledger (ticket_id, at, role, what) values (:id, :now, 'desk', 'erased')",
    # Of what was never begun nothing can be in Slack.
    f"""
    update threadesk.posted set removing = true,
      refused = case when ts is null and attempted_at is null then coalesce(refused, 'dropped') else refused end
    where ticket_id = :id and slot not in {STAYING} and not gone
    """,
)


async def _take_away(tx: Transaction, ticket_id: UUID) -> None:
    """Names of files go from what is kept of their copies, which are deleted from Slack with their message. A closed
    ticket of which nothing was ever in Slack, as one from before the desk, gets no card by being erased."""
    await tx.run("update threadesk.copies set name = '' where ticket_id = :id and removing", id=ticket_id)
    await tx.run(
        """
        delete from threadesk.to_show s using threadesk.desk_tickets d
        where s.ticket_id = :id and d.ticket_id = :id and d.status = 'closed'
          and not exists (select from threadesk.posted p where p.ticket_id = :id and p.side = s.side)
        """,
        id=ticket_id,
    )


async def places(tx: Transaction, tickets: Sequence[UUID]) -> list[Row]:
    """Where each ticket stands in lists."""
    found = await tx.run(
        "select ticket_id, last_activity_at, waiting_since from threadesk.desk_tickets where ticket_id = any(:ids)",
        ids=list(tickets),
    )
    return list(found)


async def keep_places(tx: Transaction, before: Sequence[Row]) -> None:
    """What is said no more is not news, and answers nobody: in lists the tickets stay where they were."""
    values = {
        "ids": [row.ticket_id for row in before],
        "at": [row.last_activity_at for row in before],
        "waiting": [row.waiting_since for row in before],
    }
    await tx.run(
        """
        update threadesk.desk_tickets d set last_activity_at = k.at, waiting_since = k.waiting
        from unnest(cast(:ids as uuid[]), cast(:at as timestamptz[]), cast(:waiting as timestamptz[]))
          as k (id, at, waiting) where d.ticket_id = k.id
        """,
        **values,
    )
    await tx.run(
        """
        update threadesk.assignments a set last_activity_at = k.at
        from unnest(cast(:ids as uuid[]), cast(:at as timestamptz[])) as k (id, at) where a.ticket_id = k.id
        """,
        **values,
    )


async def elsewhere(tx: Transaction, subject: Subject, *, since: dt.datetime | None = None) -> list[UUID]:
    """The tickets on which they have written, are quoted or are mentioned; `since`: only those on which that was said
    since then, where it was said by others. To look through what everybody has said takes its time."""
    found = await tx.run(
        """
        select distinct ticket_id from threadesk.messages
        where created_by = any(:ids)
          or created_at > cast(:since as timestamptz) and source ->> 'text' ~ cast(:mentioned as text)
        """,
        ids=list(subject.user_ids),
        mentioned=mention_of(subject),
        since=since or dt.datetime.min.replace(tzinfo=dt.UTC),
    )
    return found.scalars()


def mention_of(subject: Subject) -> str | None:
    """An expression, for PostgreSQL and Python, for Slack's mentions of them; None for who has no Slack id."""
    return f"<@({'|'.join(subject.slack_ids)})([|][^>]*)?>" if subject.slack else None


async def unauthored(tx: Transaction, subject: Subject) -> None:
    """What they wrote and opened for others is nobody's."""
    ids = list(subject.user_ids)
    await tx.run("update public.tickets set created_by = null where created_by = any(:ids)", ids=ids)
    await tx.run("update threadesk.messages set created_by = null where created_by = any(:ids)", ids=ids)


#: What the desk keeps of a Slack person beside tickets, all of which goes. `homes` goes with `people`.
FORGOTTEN: tuple[LiteralString, ...] = (
    f"delete from threadesk.email_offers where {subjects.OF_SLACK}",
    f"delete from threadesk.openings where {subjects.OF_SLACK}",
    f"delete from threadesk.picked where {subjects.OF_SLACK} or (message ->> 'team', message ->> 'author') in"
    " (select * from unnest(cast(:teams as text[]), cast(:slack_ids as text[])))",
    """
    delete from threadesk.early where (channel, ts) in (
      select channel, ts from threadesk.early
      where (event ->> 'team', event ->> 'author') in
          (select * from unnest(cast(:teams as text[]), cast(:slack_ids as text[])))
        or event ->> 'user' = any(:slack_ids)
    ) and event ->> 'kind' <> 'deleted'
    """,
    "delete from threadesk.notices where slack_id = any(:slack_ids)",
    "delete from threadesk.lanes where lane = any(:slack_ids)"
    " or lane in (select 'private:' || one from unnest(cast(:slack_ids as text[])) as one)",
    f"delete from threadesk.triage_members where {subjects.OF_SLACK}",
    """
    update threadesk.channels set turn = null,
      assignees = array(select one from unnest(assignees) as one where one <> all (cast(:slack_ids as text[])))
    where assignees && cast(:slack_ids as text[])
    """,
    f"delete from threadesk.people where {subjects.OF_SLACK}",
)


async def forget_person(tx: Transaction, subject: Subject) -> None:
    """Who they are in Slack, and what the desk kept of them beside tickets."""
    await tx.run(
        """
        with gone as (
          delete from threadesk.email_claims where lower(email) = any(:emails) or (team_id, slack_id) in
            (select * from unnest(cast(:teams as text[]), cast(:slack_ids as text[])))
          returning id, ticket_id
        ), asked as (
          update threadesk.posted p set removing = true from gone
          where p.ticket_id = gone.ticket_id and p.slot = 'email:' || gone.id and not p.gone returning p.ticket_id
        )
        select threadesk.mark(ticket_id, :now) from (select distinct ticket_id from asked) as a
        """,
        emails=list(subject.emails),
        teams=subject.teams,
        slack_ids=subject.slack_ids,
        now=tx.now,
    )
    for statement in FORGOTTEN:
        await tx.run(statement, teams=subject.teams, slack_ids=subject.slack_ids)


async def drop_notices(tx: Transaction, subject: Subject, numbers: Sequence[int]) -> None:
    """What was said apart from tickets is kept no longer; what waits to be said and speaks of them never is."""
    await tx.run("update threadesk.notices set message = '{}' where sent_at is not null and message <> '{}'")
    await tx.run(
        """
        update threadesk.notices set message = '{}', refused = 'dropped'
        where sent_at is null and (message::text ~ cast(:numbers as text)
          or exists (select from jsonb_path_query(message, 'strict $.** ? (@.type() == "string")') as said (words)
            where words #>> '{}' ~* cast(:known as text)))
        """,
        numbers=rf"#({'|'.join(map(str, numbers))})\M" if numbers else None,
        known="|".join(
            [
                *map(re.escape, subject.emails),
                # "Ed" is not spoken of where something is closed.
                *(rf"(?<!\w){re.escape(one)}(?!\w)" for one in subject.names),
                *(f"<@{one}>" for one in subject.slack_ids),
            ]
        )
        or None,
    )


async def forget_accounts(tx: Transaction, subject: Subject) -> dict[str, list[Outcome]]:
    """Their rows in customers and auth.users, of which no row of the desk's speaks any more; what became of each."""
    became: dict[str, list[Outcome]] = {}
    for table in ("public.customers", "auth.users"):
        became[table] = [
            (await tx.run("select threadesk.forget_row(:of, :id)", of=table, id=user_id)).scalar_one()
            for user_id in subject.user_ids
        ]
    return became
