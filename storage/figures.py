"""The figures of a digest: statements only, most of them over the ledger.

All count the tickets of some triage channels, leaving out what was found to be no ticket. A period runs from `start`
to just before `end`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from storage.engine import Transaction
from storage.tickets import Priority, Status

COUNTED: LiteralString = "not d.not_a_ticket and d.triage_channel = any(:triage)"
LEDGER: LiteralString = "threadesk.ledger l join threadesk.desk_tickets d using (ticket_id)"
IN_PERIOD: LiteralString = "l.at >= :start and l.at < :end"
CLOSING: LiteralString = "l.what = 'status' and l.after = '\"closed\"'"
PLACE: LiteralString = "d.channel, d.root_ts, d.triage_channel, card.ts as card_ts"
CARD: LiteralString = """
  left join threadesk.posted card
    on card.ticket_id = d.ticket_id and card.side = 'triage' and card.slot = 'card' and not card.gone
"""


@dataclass(frozen=True, slots=True)
class Moves:
    """How often tickets were opened, closed and reopened."""

    opened: int
    closed: int
    reopened: int


async def moves(tx: Transaction, triage: Sequence[str], starts: Sequence[dt.datetime], end: dt.datetime) -> list[Moves]:
    """One for each of `starts` (ascending): what happened from it to the next one, from the last to `end`.

    A ticket that another program wrote as closed was opened and closed.
    """
    found = await tx.run(
        f"""
        select width_bucket(l.at, cast(:starts as timestamptz[])) as place,
          count(*) filter (where l.what = 'opened') as opened,
          count(*) filter (where {CLOSING} or l.after ->> 'status' = 'closed') as closed,
          count(*) filter (where l.what = 'status' and l.before = '"closed"') as reopened
        from {LEDGER}
        where {COUNTED} and l.what in ('opened', 'status') and {IN_PERIOD}
        group by place
        """,
        triage=list(triage),
        starts=list(starts),
        start=starts[0],
        end=end,
    )
    by_place = {row.place: Moves(row.opened, row.closed, row.reopened) for row in found}
    return [by_place.get(place, Moves(0, 0, 0)) for place in range(1, len(starts) + 1)]


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many tickets had this status and priority."""

    status: Status
    priority: Priority
    tickets: int


async def backlog(tx: Transaction, triage: Sequence[str], at: dt.datetime) -> list[Backlog]:
    """The tickets that were not closed just before `at`: what is now, with what the ledger says of later undone."""
    found = await tx.run(
        f"""
        with changed as (
          select l.ticket_id, bool_or(l.what = 'opened') as opened_later,
            (array_agg(l.before #>> '{{}}' order by l.id) filter (where l.what = 'status'))[1] as status,
            (array_agg(l.before #>> '{{}}' order by l.id) filter (where l.what = 'priority'))[1] as priority
          from threadesk.ledger l where l.what in ('opened', 'status', 'priority') and l.at >= :at
          group by l.ticket_id
        ), stood as (
          select t.status, t.priority
          from public.tickets t join threadesk.desk_tickets d on d.ticket_id = t.id
          where {COUNTED} and t.status <> 'closed' and t.id not in (select ticket_id from changed)
          union all
          select coalesce(c.status, t.status), coalesce(c.priority, t.priority)
          from changed c join threadesk.desk_tickets d using (ticket_id) join public.tickets t on t.id = c.ticket_id
          where {COUNTED} and not c.opened_later
        )
        select status, priority, count(*) as tickets from stood where status <> 'closed' group by status, priority
        """,
        triage=list(triage),
        at=at,
    )
    return [Backlog(**row) for row in found]


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 90th percentile of so many times, in seconds; None of no times.

    Between two times they are interpolated: https://www.postgresql.org/docs/current/functions-aggregate.html
    """

    median: float | None
    p90: float | None
    count: int


SPREAD: LiteralString = """
  select percentile_cont(0.5) within group (order by seconds) as median,
    percentile_cont(0.9) within group (order by seconds) as p90, count(*) as count
"""


async def first_responses(tx: Transaction, triage: Sequence[str], start: dt.datetime, end: dt.datetime) -> Spread:
    """From a ticket's opening to the first message by an agent after it, of tickets where that was in the period."""
    found = await tx.run(
        f"""
        {SPREAD} from (
          select extract(epoch from min(m.at) - min(o.at))::float as seconds
          from threadesk.ledger o join threadesk.desk_tickets d using (ticket_id)
          join threadesk.ledger m on m.ticket_id = o.ticket_id and m.what = 'message' and m.role = 'agent'
            and m.at > o.at
          where o.what = 'opened' and {COUNTED} and o.ticket_id in (
            select l.ticket_id from threadesk.ledger l
            where l.what = 'message' and l.role = 'agent' and {IN_PERIOD})
          group by o.ticket_id having min(m.at) >= :start and min(m.at) < :end
        ) as first
        """,
        triage=list(triage),
        start=start,
        end=end,
    )
    return Spread(**found.one())


async def resolutions(tx: Transaction, triage: Sequence[str], start: dt.datetime, end: dt.datetime) -> Spread:
    """How long tickets had been new or open, pending and closed time left out, when last closed in the period.

    A ticket that another program wrote as closed had nothing to resolve. Replicas' clocks may differ a little: no
    time is less than 0.
    """
    found = await tx.run(
        f"""
        with closing as (
          select l.ticket_id, max(l.id) as id from {LEDGER} where {COUNTED} and {CLOSING} and {IN_PERIOD}
          group by l.ticket_id
        ), stays as (
          select l.ticket_id, coalesce(l.after ->> 'status', l.after #>> '{{}}') as status,
            lead(l.at) over (partition by l.ticket_id order by l.id) - l.at as lasted
          from threadesk.ledger l join closing c on c.ticket_id = l.ticket_id and l.id <= c.id
          where l.what in ('opened', 'status')
        )
        {SPREAD} from (
          select greatest(extract(epoch from
            coalesce(sum(lasted) filter (where status in ('new', 'open')), '0')), 0)::float as seconds
          from stays group by ticket_id
        ) as resolved
        """,
        triage=list(triage),
        start=start,
        end=end,
    )
    return Spread(**found.one())


@dataclass(frozen=True, slots=True)
class Place:
    """What links to a ticket are made of: (channel, root_ts) the customer's thread, (triage_channel, card_ts) the card.

    A `ts` is None where the message is not in Slack; `channel` is then no channel's id.
    """

    channel: str | None
    root_ts: str | None
    triage_channel: str
    card_ts: str | None


def _place(row: Any) -> Place:
    return Place(row.channel, row.root_ts, row.triage_channel, row.card_ts)


# Of several ratings of a ticket in the period the last one counts; null: it was taken away.
RATED: LiteralString = f"""
  with rated as (
    select distinct on (l.ticket_id) l.ticket_id, l.id, l.after::integer as rating
    from {LEDGER} where {COUNTED} and l.what = 'rating' and {IN_PERIOD}
    order by l.ticket_id, l.id desc
  )
"""


async def ratings(tx: Transaction, triage: Sequence[str], start: dt.datetime, end: dt.datetime) -> dict[int, int]:
    """How many tickets were given each rating (1 to 5) in the period; a rating that nobody gave is left out."""
    found = await tx.run(
        f"{RATED} select rating, count(*) as tickets from rated where rating is not null group by rating",
        triage=list(triage),
        start=start,
        end=end,
    )
    return {row.rating: row.tickets for row in found}


@dataclass(frozen=True, slots=True)
class LowRating:
    """A rating of 1 or 2. `comment`: as the customer typed it, None where they left none."""

    number: int
    rating: int
    comment: str | None
    place: Place


async def low_ratings(tx: Transaction, triage: Sequence[str], start: dt.datetime, end: dt.datetime) -> list[LowRating]:
    """Every rating of 1 or 2 of the period, newest first."""
    found = await tx.run(
        f"""
        {RATED}
        select d.number, r.rating, t.feedback ->> 'comment' as comment, {PLACE}
        from rated r join threadesk.desk_tickets d using (ticket_id) join public.tickets t on t.id = r.ticket_id
        {CARD}
        where r.rating <= 2 order by r.id desc
        """,
        triage=list(triage),
        start=start,
        end=end,
    )
    return [LowRating(row.number, row.rating, row.comment, _place(row)) for row in found]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ticket that waits for an agent. `requester`: a name or e-mail as typed, None where neither is known."""

    number: int
    title: str
    requester: str | None
    since: dt.datetime
    assigned: bool
    place: Place


async def longest_waiting(tx: Transaction, triage: Sequence[str], *, limit: int) -> list[Waiting]:
    """The new and open tickets that have waited longest, longest first.

    A ticket waits since the customer's first message that no agent has answered; one without any message, since it
    was opened.
    """
    found = await tx.run(
        f"""
        select d.number, t.title, w.since, coalesce(cardinality(t.assigned_to), 0) > 0 as assigned, {PLACE},
          coalesce(p.name, nullif(btrim(concat_ws(' ', c.first_name, c.last_name)), ''), t.customer_email) as requester
        from public.tickets t join threadesk.desk_tickets d on d.ticket_id = t.id
        {CARD}
        left join public.customers c on c.email = t.customer_email
        left join lateral (
          select name from threadesk.people where user_id = d.requester and name is not null
          order by known_at nulls last limit 1
        ) as p on true
        cross join lateral (
          select max(m.created_at) as at from threadesk.messages m
          where m.ticket_id = t.id and m.kind = 'message' and m.author_role = 'agent'
        ) as answered
        cross join lateral (
          select coalesce(min(m.created_at), case when answered.at is null then (
            select l.at from threadesk.ledger l where l.ticket_id = t.id and l.what = 'opened') end) as since
          from threadesk.messages m
          where m.ticket_id = t.id and m.kind = 'message' and m.author_role = 'customer' and not m.deleted
            and m.created_at > coalesce(answered.at, '-infinity')
        ) as w
        where {COUNTED} and t.status in ('new', 'open') and w.since is not null
        order by w.since, d.number limit :limit
        """,
        triage=list(triage),
        limit=limit,
    )
    return [Waiting(row.number, row.title, row.requester, row.since, row.assigned, _place(row)) for row in found]


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """What an agent has on their hands now, and how often they closed a ticket in the period."""

    user_id: UUID
    name: str | None
    open: int
    pending: int
    closed: int


async def agents(tx: Transaction, triage: Sequence[str], start: dt.datetime, end: dt.datetime) -> list[AgentFigures]:
    """Everybody who has a ticket or closed one in the period, those with the most tickets first."""
    found = await tx.run(
        f"""
        with done as (
          select unnest(t.assigned_to) as user_id, (t.status = 'open')::integer as open,
            (t.status = 'pending')::integer as pending, 0 as closed
          from public.tickets t join threadesk.desk_tickets d on d.ticket_id = t.id
          where {COUNTED} and t.status in ('open', 'pending')
          union all
          select l.actor, 0, 0, 1 from {LEDGER}
          where {COUNTED} and {CLOSING} and l.role = 'agent' and l.actor is not null and {IN_PERIOD}
        ), added as (
          select user_id, sum(open) as open, sum(pending) as pending, sum(closed) as closed from done group by user_id
        )
        select a.user_id, p.name, a.open, a.pending, a.closed from added a
        left join lateral (
          select name from threadesk.people where user_id = a.user_id and name is not null
          order by known_at nulls last limit 1
        ) as p on true
        order by a.open + a.pending desc, a.closed desc, p.name, a.user_id
        """,
        triage=list(triage),
        start=start,
        end=end,
    )
    return [AgentFigures(**row) for row in found]


@dataclass(frozen=True, slots=True)
class TagCount:
    tag: str
    tickets: int


async def top_tags(
    tx: Transaction, triage: Sequence[str], start: dt.datetime, end: dt.datetime, *, limit: int
) -> list[TagCount]:
    """The tags that tickets opened in the period have by now, the commonest first."""
    found = await tx.run(
        f"""
        select tag, count(distinct t.id) as tickets
        from {LEDGER} join public.tickets t on t.id = l.ticket_id cross join unnest(t.tags) as tag
        where {COUNTED} and l.what = 'opened' and {IN_PERIOD} and tag is not null
        group by tag order by tickets desc, tag collate "C" limit :limit
        """,
        triage=list(triage),
        start=start,
        end=end,
        limit=limit,
    )
    return [TagCount(row.tag, row.tickets) for row in found]
