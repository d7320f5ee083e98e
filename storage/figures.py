"""The figures of digests and `stats`: statements only, most of them over the ledger. The README's table defines them.

All count the tickets of a scope, leaving out what was found to be no ticket. A period runs from `start` to just before
`end`. Of a ticket the lines of the ledger are in the order of their times; a trigger sees to that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from storage.engine import Transaction
from storage.tickets import Priority, Status


@dataclass(frozen=True, slots=True)
class Scope:
    """Which tickets count: those of these triage channels; of these, where given, only what came from one support
    channel, or was asked for by the people of some companies (ids of Slack teams)."""

    triage: tuple[str, ...]
    channel: str | None = None
    companies: tuple[str, ...] | None = None

    def values(self) -> dict[str, Any]:
        companies = None if self.companies is None else list(self.companies)
        return {"triage": list(self.triage), "channel": self.channel, "companies": companies}


COUNTED: LiteralString = """
  not d.not_a_ticket and d.triage_channel = any(:triage)
  and (cast(:channel as text) is null or d.channel = :channel)
  and (cast(:companies as text[]) is null or d.requester_team = any(:companies))
"""
LEDGER: LiteralString = "threadesk.ledger l join threadesk.desk_tickets d using (ticket_id)"
PRIORITY: LiteralString = "('{low,medium,high}'::text[])[d.urgency] as priority"
IN_PERIOD: LiteralString = "l.at >= :start and l.at < :end"
CLOSING: LiteralString = "l.status = 'closed' and l.was is not null"
PLACE: LiteralString = "d.channel, d.root_ts, d.triage_channel, card.ts as card_ts"
CARD: LiteralString = """
  left join threadesk.posted card
    on card.ticket_id = d.ticket_id and card.side = 'triage' and card.slot = 'card' and not card.gone
"""


def _named(who: LiteralString) -> LiteralString:
    """Joins the name that the person is known by in Slack, as `p.name`."""
    return f"""
      left join lateral (
        select name from threadesk.people where user_id = {who} and name is not null
        order by known_at nulls last limit 1
      ) as p on true
    """


@dataclass(frozen=True, slots=True)
class Moves:
    """How many changes of status there were between two moments, the first of which is `starts[place]`: from `was`
    (None: opened) to `status`, of tickets that have this priority now."""

    place: int
    was: Status | None
    status: Status
    priority: Priority
    tickets: int


async def moves(tx: Transaction, scope: Scope, starts: Sequence[dt.datetime]) -> list[Moves]:
    """Every change of status since the first of `starts` (ascending)."""
    found = await tx.run(
        f"""
        select width_bucket(l.at, cast(:starts as timestamptz[])) - 1 as place, l.was, l.status, {PRIORITY},
          count(*) as tickets
        from {LEDGER} where {COUNTED} and l.status is not null and l.at >= :start
        group by place, l.was, l.status, d.urgency
        """,
        starts=list(starts),
        start=starts[0],
        **scope.values(),
    )
    return [Moves(**row) for row in found]


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many tickets have this status, which is not closed, and this priority."""

    status: Status
    priority: Priority
    tickets: int


async def backlog(tx: Transaction, scope: Scope) -> list[Backlog]:
    """The tickets that are not closed, now."""
    found = await tx.run(
        f"""
        select d.status, {PRIORITY}, count(*) as tickets
        from threadesk.desk_tickets d where {COUNTED} and d.status <> 'closed' group by d.status, d.urgency
        """,
        **scope.values(),
    )
    return [Backlog(**row) for row in found]


@dataclass(frozen=True, slots=True)
class Repriced:
    """How many tickets that were not closed at a moment had the priority `was` then, and have another now."""

    was: Priority
    priority: Priority
    tickets: int


async def repriced(tx: Transaction, scope: Scope, at: dt.datetime) -> list[Repriced]:
    found = await tx.run(
        f"""
        with changed as (
          select distinct on (ticket_id) ticket_id, before #>> '{{}}' as was
          from threadesk.ledger where what = 'priority' and at >= :at order by ticket_id, id
        )
        select c.was, {PRIORITY}, count(*) as tickets
        from changed c join threadesk.desk_tickets d using (ticket_id)
        left join lateral (
          select coalesce(l.was, 'closed') as was from threadesk.ledger l
          where l.ticket_id = c.ticket_id and l.status is not null and l.at >= :at order by l.id limit 1
        ) as later on true
        where {COUNTED} and coalesce(later.was, d.status) <> 'closed'
        group by c.was, d.urgency
        """,
        at=at,
        **scope.values(),
    )
    return [Repriced(**row) for row in found]


@dataclass(frozen=True, slots=True)
class Calendars:
    """Working time, for the statement that measures times: stretches that begin at `starts` and end at `ends`, by which
    `sums` had been worked. All in seconds, of the same calendar since `since`.

    The calendars stand one after the other: that of a support channel begins at `bases[channel]`. At 0 begins the one
    in which all time counts, up to `span`, for the tickets of any other channel.
    """

    since: dt.datetime
    span: float
    bases: Mapping[str, float]
    starts: Sequence[float]
    ends: Sequence[float]
    sums: Sequence[float]

    def values(self) -> dict[str, Any]:
        return {
            "since": self.since,
            "hours_of": list(self.bases),
            "bases": list(self.bases.values()),
            "starts": list(self.starts),
            "ends": list(self.ends),
            "sums": list(self.sums),
        }


async def began(tx: Transaction) -> dt.datetime | None:
    """The time of the ledger's earliest line."""
    return (await tx.run("select min(at) from threadesk.ledger")).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 90th percentile of so many times, in seconds; None of no times.

    Between two times they are interpolated: https://www.postgresql.org/docs/current/functions-aggregate.html
    """

    median: float | None
    p90: float | None
    count: int


NO_TIMES = Spread(None, None, 0)


@dataclass(frozen=True, slots=True)
class Times:
    first_response: Spread
    resolution: Spread


async def times(tx: Transaction, scope: Scope, start: dt.datetime, end: dt.datetime, calendars: Calendars) -> Times:
    """How long tickets had been new or open, in working time, at their first answer and at their last closing in the
    period.

    The first answer is an agent's first message after the opening; it counts where it was in the period. Pending and
    closed time is left out, and so is a ticket that had never been new or open.
    """
    found = await tx.run(
        f"""
        with answered as (
          select m.ticket_id, min(m.at) as answered_at
          from threadesk.ledger m join threadesk.ledger o using (ticket_id)
          where m.what = 'message' and m.role = 'agent' and m.at >= :start and m.at < :end
            and o.status is not null and o.was is null and o.at < m.at
          group by m.ticket_id, o.at
          having o.at >= :start or not exists (
            select from threadesk.ledger e where e.ticket_id = m.ticket_id and e.what = 'message' and e.role = 'agent'
              and e.at > o.at and e.at < :start)
        ), closed as (
          select l.ticket_id, max(l.at) as closed_at from threadesk.ledger l
          where {CLOSING} and {IN_PERIOD} group by l.ticket_id
        ), stays as (
          select l.ticket_id, a.answered_at, c.closed_at, coalesce(h.base, 0) as base, l.status, l.at,
            lead(l.at, 1, 'infinity') over (partition by l.ticket_id order by l.id) as until
          from answered a full join closed c using (ticket_id)
          join threadesk.desk_tickets d using (ticket_id)
          join threadesk.ledger l using (ticket_id)
          left join unnest(cast(:hours_of as text[]), cast(:bases as float8[])) as h (channel, base) using (channel)
          where {COUNTED} and l.status is not null
        ), placed as (
          select 'first' as what, ticket_id, base + date_part('epoch', at - :since) as since,
            base + date_part('epoch', least(until, answered_at) - :since) as until
          from stays where status in ('new', 'open') and at <= answered_at
          union all
          select 'last', ticket_id, base + date_part('epoch', at - :since),
            base + date_part('epoch', least(until, closed_at) - :since)
          from stays where status in ('new', 'open') and at <= closed_at
        ), worked as (
          select what, ticket_id, sum({_worked("until")} - ({_worked("since")})) as seconds
          from placed group by what, ticket_id
        )
        select what, percentile_cont(0.5) within group (order by seconds) as median,
          percentile_cont(0.9) within group (order by seconds) as p90, count(*) as count
        from worked group by what
        """,
        start=start,
        end=end,
        **scope.values(),
        **calendars.values(),
    )
    by_what = {row.what: Spread(row.median, row.p90, row.count) for row in found}
    return Times(by_what.get("first", NO_TIMES), by_what.get("last", NO_TIMES))


def _worked(at: LiteralString) -> LiteralString:
    """What had been worked by then, since the calendar began."""
    place: LiteralString = f"width_bucket({at}, cast(:starts as float8[]))"
    return f"""
      (cast(:sums as float8[]))[{place}]
      + least({at}, (cast(:ends as float8[]))[{place}]) - (cast(:starts as float8[]))[{place}]
    """


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


async def ratings(
    tx: Transaction, scope: Scope, start: dt.datetime, end: dt.datetime, *, assignee: UUID | None = None
) -> dict[int, int]:
    """How many tickets were given each rating (1 to 5) in the period; a rating that nobody gave is left out.

    `assignee`: only of the tickets that are theirs.
    """
    found = await tx.run(
        f"""
        {RATED} select rating, count(*) as tickets from rated r
        where rating is not null and (cast(:assignee as uuid) is null or exists (
          select from threadesk.assignments a where a.ticket_id = r.ticket_id and a.assignee = :assignee))
        group by rating
        """,
        start=start,
        end=end,
        assignee=assignee,
        **scope.values(),
    )
    return {row.rating: row.tickets for row in found}


@dataclass(frozen=True, slots=True)
class LowRating:
    """A rating of 1 or 2. `comment`: as the customer typed it, None where they left none."""

    number: int
    rating: int
    comment: str | None
    place: Place


async def low_ratings(
    tx: Transaction, scope: Scope, start: dt.datetime, end: dt.datetime, *, limit: int
) -> list[LowRating]:
    """The ratings of 1 or 2 of the period, newest first."""
    found = await tx.run(
        f"""
        {RATED}
        select d.number, r.rating, t.feedback ->> 'comment' as comment, {PLACE}
        from rated r join threadesk.desk_tickets d using (ticket_id) join public.tickets t on t.id = r.ticket_id
        {CARD}
        where r.rating <= 2 order by r.id desc limit :limit
        """,
        start=start,
        end=end,
        limit=limit,
        **scope.values(),
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


async def longest_waiting(tx: Transaction, scope: Scope, *, limit: int) -> list[Waiting]:
    """The new and open tickets that have waited longest, longest first.

    A ticket waits since the customer's first message that no agent has answered; one without any message, since it
    was opened.
    """
    found = await tx.run(
        f"""
        select d.number, t.title, d.waiting_since, d.unassigned, {PLACE},
          coalesce(p.name, nullif(btrim(concat_ws(' ', c.first_name, c.last_name)), ''), t.customer_email) as requester
        from unnest(cast(:triage as text[])) as g (channel) cross join lateral (
          select * from threadesk.desk_tickets d
          where {COUNTED} and d.triage_channel = g.channel and d.status in ('new', 'open')
            and d.waiting_since is not null
          order by d.waiting_since, d.number limit :limit
        ) as d join public.tickets t on t.id = d.ticket_id
        {CARD}
        left join public.customers c on c.email = t.customer_email
        {_named("d.requester")}
        order by d.waiting_since, d.number limit :limit
        """,
        limit=limit,
        **scope.values(),
    )
    return [
        Waiting(row.number, row.title, row.requester, row.waiting_since, not row.unassigned, _place(row))
        for row in found
    ]


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """What an agent has on their hands now, and how often they closed a ticket in the period."""

    user_id: UUID
    name: str | None
    open: int
    pending: int
    closed: int


async def agents(tx: Transaction, scope: Scope, start: dt.datetime, end: dt.datetime) -> list[AgentFigures]:
    """Everybody who has a ticket or closed one in the period, those with the most tickets first."""
    found = await tx.run(
        f"""
        with done as (
          select a.assignee as user_id, count(*) filter (where d.status = 'open') as open,
            count(*) filter (where d.status = 'pending') as pending, 0 as closed
          from threadesk.assignments a join threadesk.desk_tickets d using (ticket_id)
          where {COUNTED} and a.status <> 'closed' and d.status in ('open', 'pending') group by a.assignee
          union all
          select l.actor, 0, 0, count(*) from {LEDGER}
          where {COUNTED} and {CLOSING} and l.role = 'agent' and l.actor is not null and {IN_PERIOD} group by l.actor
        ), added as (
          select user_id, sum(open)::bigint as open, sum(pending)::bigint as pending, sum(closed)::bigint as closed
          from done group by user_id
        )
        select a.user_id, p.name, a.open, a.pending, a.closed from added a
        {_named("a.user_id")}
        order by a.open + a.pending desc, a.closed desc, p.name, a.user_id
        """,
        start=start,
        end=end,
        **scope.values(),
    )
    return [AgentFigures(**row) for row in found]


@dataclass(frozen=True, slots=True)
class TagCount:
    tag: str
    tickets: int


async def top_tags(
    tx: Transaction, scope: Scope, start: dt.datetime, end: dt.datetime, *, limit: int
) -> list[TagCount]:
    """The tags that tickets opened in the period have by now, the commonest first."""
    found = await tx.run(
        f"""
        select tag, count(distinct d.ticket_id) as tickets
        from threadesk.ledger l cross join lateral (
          -- The offset has the tickets looked up one by one: otherwise all that there are would be read.
          select d.ticket_id, d.tags from threadesk.desk_tickets d
          where d.ticket_id = l.ticket_id and {COUNTED} offset 0
        ) as d cross join unnest(d.tags) as tag
        where l.status is not null and l.was is null and {IN_PERIOD} and tag is not null
        group by tag order by tickets desc, tag collate "C" limit :limit
        """,
        start=start,
        end=end,
        limit=limit,
        **scope.values(),
    )
    return [TagCount(row.tag, row.tickets) for row in found]


@dataclass(frozen=True, slots=True)
class Own:
    """What an agent has on their hands now; how often they closed a ticket and answered a customer in the period, and
    how often they closed one in the period before."""

    open: int
    pending: int
    closed: int
    closed_before: int
    answers: int


async def own(
    tx: Transaction, scope: Scope, who: UUID, before: dt.datetime, start: dt.datetime, end: dt.datetime
) -> Own:
    """`before`: when the period before begins; it ends at `start`."""
    found = await tx.run(
        f"""
        select loaded.*, closings.*, answers.* from (
          select count(*) filter (where d.status = 'open') as open,
            count(*) filter (where d.status = 'pending') as pending
          from threadesk.assignments a join threadesk.desk_tickets d using (ticket_id)
          where {COUNTED} and a.assignee = :who and a.status <> 'closed'
        ) as loaded, (
          select count(*) filter (where l.at >= :start) as closed,
            count(*) filter (where l.at < :start) as closed_before
          from {LEDGER}
          where {COUNTED} and {CLOSING} and l.role = 'agent' and l.actor = :who
            and l.at >= :before and l.at < :end
        ) as closings, (
          select count(*) as answers from {LEDGER}
          where {COUNTED} and l.what = 'message' and l.role = 'agent' and l.actor = :who and {IN_PERIOD}
        ) as answers
        """,
        who=who,
        before=before,
        start=start,
        end=end,
        **scope.values(),
    )
    return Own(**found.one())
