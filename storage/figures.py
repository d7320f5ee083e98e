"""The figures of digests and `stats`: statements only. The README's table defines them.

All count the tickets of a scope, leaving out what was found to be no ticket. A period runs from `start` to just before
`end`. What has happened is read from the ledger, and the most frequent of it from `counted`: its changes of status and
first answers, each with the scope of its ticket. Of a ticket the lines are in the order of their times; triggers see
to both.
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


#: `d`: a row of `desk_tickets`, or of `counted`, which has the same columns.
COUNTED: LiteralString = """
  not d.not_a_ticket and d.triage_channel = any(:triage)
  and (cast(:channel as text) is null or d.channel = :channel)
  and (cast(:companies as text[]) is null or d.requester_team = any(:companies))
"""
LEDGER: LiteralString = "threadesk.ledger l join threadesk.desk_tickets d using (ticket_id)"
PRIORITY: LiteralString = "('{low,medium,high}'::text[])[d.urgency] as priority"
IN_PERIOD: LiteralString = "d.at >= :start and d.at < :end"
OPENING: LiteralString = "d.status is not null and d.was is null"
CLOSING: LiteralString = "d.status = 'closed' and d.was is not null"
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
    (None: opened) to `status`, of tickets that have this priority now. `own`: those among them that `who` made."""

    place: int
    was: Status | None
    status: Status
    priority: Priority
    tickets: int
    own: int


async def plan_anew(tx: Transaction) -> None:
    """Lets each statement of the transaction be planned for the scope and the time that it is about.

    After five times PostgreSQL may go on with one plan for all of them, which takes seconds where it does not fit:
    https://www.postgresql.org/docs/current/sql-prepare.html
    """
    await tx.run("set local plan_cache_mode = force_custom_plan")


async def moves(tx: Transaction, scope: Scope, starts: Sequence[dt.datetime], who: UUID | None = None) -> list[Moves]:
    """Every change of status since the first of `starts` (ascending). `who`: an agent."""
    found = await tx.run(
        f"""
        select p.place - 1 as place, m.* from (
          select place, start, lead(start, 1, 'infinity') over (order by place) as until
          from unnest(cast(:starts as timestamptz[])) with ordinality as s (start, place)
        ) as p cross join lateral (
          select d.was, d.status, {PRIORITY}, count(*) as tickets,
            count(*) filter (where d.actor = :who and d.role = 'agent') as own
          from threadesk.counted d
          where {COUNTED} and d.status is not null and d.at >= p.start and d.at < p.until
          group by d.was, d.status, d.urgency
        ) as m
        """,
        starts=list(starts),
        who=who,
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
    """Working time, for the statement that measures times: stretches that begin at `starts` and end at `ends`. To the
    time of day in a stretch `offsets` is added, which gives what has been worked by then. All in seconds, of the same
    calendar since `since`.

    The calendars stand one after the other: that of a support channel begins at `bases[channel]`. For the tickets of
    any other channel all time counts.
    """

    since: dt.datetime
    bases: Mapping[str, float]
    starts: Sequence[float]
    ends: Sequence[float]
    offsets: Sequence[float]

    def values(self) -> dict[str, Any]:
        return {
            "since": self.since,
            "hours_of": list(self.bases),
            "bases": list(self.bases.values()),
            "starts": list(self.starts),
            "ends": list(self.ends),
            "offsets": list(self.offsets),
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
        with last as (
          select d.status, d.channel, d.spent from threadesk.counted d
          where {COUNTED} and d.spent is not null and {IN_PERIOD} and (d.again_at is null or d.again_at >= :end)
        ), worked as (
          select status, case cardinality(spent) when 2 then {_worked("spent[2]")} - {_worked("spent[1]")} else (
            select sum({_worked("spent[n + 1]")} - {_worked("spent[n]")})
            from generate_series(1, cardinality(spent), 2) as n) end as seconds
          from last
          left join unnest(cast(:hours_of as text[]), cast(:bases as float8[])) as h (channel, base) using (channel)
          where spent <> '{{}}'
        )
        select status, percentile_cont('{{0.5,0.9}}'::float8[]) within group (order by seconds) as parts,
          count(*) as tickets
        from worked group by status
        """,
        start=start,
        end=end,
        **scope.values(),
        **calendars.values(),
    )
    by_status = {row.status: Spread(row.parts[0], row.parts[1], row.tickets) for row in found}
    return Times(by_status.get(None, NO_TIMES), by_status.get("closed", NO_TIMES))


def _worked(at: LiteralString) -> LiteralString:
    """What had been worked by then, since the channel's calendar began."""
    moment: LiteralString = f"date_part('epoch', {at} - :since)"
    place: LiteralString = f"width_bucket(h.base + {moment}, cast(:starts as float8[]))"
    return f"""
      case when h.base is null then {moment}
      else least(h.base + {moment}, (cast(:ends as float8[]))[{place}]) + (cast(:offsets as float8[]))[{place}] end
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
    from {LEDGER} where {COUNTED} and l.what = 'rating' and l.at >= :start and l.at < :end
    order by l.ticket_id, l.id desc
  )
"""


@dataclass(frozen=True, slots=True)
class Rated:
    """How many tickets were given this rating, 1 to 5. `own`: those among them that are `who`'s."""

    rating: int
    tickets: int
    own: int


async def ratings(
    tx: Transaction, scope: Scope, start: dt.datetime, end: dt.datetime, who: UUID | None = None
) -> list[Rated]:
    """The ratings that were given in the period. `who`: an agent."""
    found = await tx.run(
        f"""
        {RATED} select r.rating, count(*) as tickets, count(a.assignee) as own
        from rated r left join threadesk.assignments a on a.ticket_id = r.ticket_id and a.assignee = :who
        where r.rating is not null group by r.rating
        """,
        start=start,
        end=end,
        who=who,
        **scope.values(),
    )
    return [Rated(**row) for row in found]


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
        select d.number, coalesce(t.title, '') as title, d.waiting_since, d.unassigned, {PLACE},
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
          from threadesk.assignments a join threadesk.desk_tickets d using (number)
          where {COUNTED} and a.status <> 'closed' and d.status <> 'closed' and d.status in ('open', 'pending')
          group by a.assignee
          union all
          select d.actor, 0, 0, count(*) from threadesk.counted d
          where {COUNTED} and {CLOSING} and d.spent is not null and d.role = 'agent' and d.actor is not null
            and {IN_PERIOD} group by d.actor
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
        from threadesk.counted d cross join unnest(d.tags) as tag
        where {COUNTED} and {OPENING} and {IN_PERIOD} and tag is not null
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
    """What an agent has on their hands now, and how often they answered a customer in the period."""

    open: int
    pending: int
    answers: int


async def own(tx: Transaction, scope: Scope, who: UUID, start: dt.datetime, end: dt.datetime) -> Own:
    found = await tx.run(
        f"""
        select loaded.*, answers.* from (
          select count(*) filter (where d.status = 'open') as open,
            count(*) filter (where d.status = 'pending') as pending
          from threadesk.assignments a join threadesk.desk_tickets d using (ticket_id)
          where {COUNTED} and a.assignee = :who and a.status <> 'closed'
        ) as loaded, (
          select count(*) as answers from {LEDGER}
          where {COUNTED} and l.what = 'message' and l.role = 'agent' and l.actor = :who
            and l.at >= :start and l.at < :end
        ) as answers
        """,
        who=who,
        start=start,
        end=end,
        **scope.values(),
    )
    return Own(**found.one())
