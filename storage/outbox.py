"""What waits to go out to Slack, for whoever runs the desk: never with the words of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, LiteralString
from uuid import UUID

from storage import showing
from storage.engine import Transaction


@dataclass(frozen=True, slots=True)
class Lane:
    """A channel in which something waits; `lane` is its id, or "private:" and that of a person.

    `closed_why`: what Slack answers there, since when, and in how many seconds it is tried again.
    """

    lane: str
    name: str | None
    tickets: int
    notices: int
    since: dt.datetime
    suspended: str | None
    closed_why: str | None
    closed_since: dt.datetime | None
    next_try: float | None


@dataclass(frozen=True, slots=True)
class Parked:
    """What is not tried again by itself: `what` is a slot or a notice's kind, `error` Slack's or ours."""

    id: UUID
    lane: str
    name: str | None
    ticket: int | None
    what: str
    error: str
    kind: Literal["message", "ticket", "notice"]


@dataclass(frozen=True, slots=True)
class Given:
    """How many were taken up again, or given up."""

    tickets: int
    messages: int
    notices: int


WAITING: LiteralString = "sent_at is null and refused is null"
NOTICES_PARKED: LiteralString = "sent_at is null and refused is not null and refused not in ('suspended', 'dropped')"
POSTED_PARKED: LiteralString = "refused is not null and refused not in ('nobody to tell', 'dropped')"


async def lanes(tx: Transaction) -> list[Lane]:
    """Where something waits or Slack refuses what is sent, by name."""
    found = await tx.run(
        f"""
        with marked as (
          select lane, count(*) as tickets, min(marked_at) as since
          from threadesk.to_show where parked is null group by lane
        ), noticed as (
          select lane, count(*) as notices, min(made_at) as since
          from threadesk.notices where {WAITING} group by lane
        )
        select lane, c.name, coalesce(tickets, 0) as tickets, coalesce(notices, 0) as notices,
          coalesce(least(m.since, n.since), l.closed_since) as since,
          c.suspended, l.closed_why, l.closed_since,
          case when l.closed_since is not null
            then greatest(0, extract(epoch from l.free_at - clock_timestamp()))::float end as next_try
        from marked m full join noticed n using (lane)
        full join (select * from threadesk.lanes where closed_since is not null) as closed using (lane)
        left join threadesk.lanes l using (lane)
        left join threadesk.channels c on c.id = lane
        order by c.name nulls last, lane
        """
    )
    return [Lane(**row) for row in found]


async def parked(tx: Transaction) -> list[Parked]:
    found = await tx.run(
        f"""
        select parked.*, c.name from (
          select p.id, p.channel as lane, d.number as ticket, split_part(p.slot, ':', 1) as what, p.refused as error,
            'message' as kind
          from threadesk.posted p join threadesk.desk_tickets d using (ticket_id) where {POSTED_PARKED}
          union all
          select s.ticket_id, s.lane, d.number, s.side, s.parked, 'ticket'
          from threadesk.to_show s join threadesk.desk_tickets d using (ticket_id) where s.parked is not null
          union all
          select id, lane, null, kind, refused, 'notice' from threadesk.notices where {NOTICES_PARKED}
        ) as parked left join threadesk.channels c on c.id = lane
        order by lane, ticket, what, parked.id
        """
    )
    return [Parked(**row) for row in found]


async def retry(tx: Transaction, lanes: Collection[str], ids: Collection[UUID]) -> Given:
    """Makes due at once what waits in the lanes, and what is parked there or has one of the ids."""
    await showing.hold_back(tx, lanes)
    chosen = {"lanes": list(lanes), "ids": list(ids), "now": tx.now}
    marks = await tx.run(
        """
        update threadesk.to_show set parked = null, failures = 0, attempts = 0, due_at = least(due_at, :now)
        where (lane = any(:lanes) or ticket_id = any(:ids)) and (parked is not null or due_at > :now)
        returning 1
        """,
        **chosen,
    )
    messages = await tx.run(
        f"""
        with taken_up as (
          update threadesk.posted set refused = null, attempted_at = null, tried_at = null
          where (channel = any(:lanes) or id = any(:ids)) and {POSTED_PARKED} returning id, ticket_id
        )
        select (select count(*) from taken_up),
          (select count(threadesk.mark(ticket_id, :now)) from (select distinct ticket_id from taken_up) as t)
        """,
        **chosen,
    )
    noticed = await tx.run(
        f"""
        update threadesk.notices set refused = null, failures = 0, attempts = 0, due_at = least(due_at, :now)
        where (lane = any(:lanes) or id = any(:ids)) and ({NOTICES_PARKED} or {WAITING} and due_at > :now)
        returning 1
        """,
        **chosen,
    )
    for lane in lanes:
        await showing.wake(tx, lane)
    return _given(marks, messages, noticed)


async def drop(tx: Transaction, lanes: Collection[str], ids: Collection[UUID]) -> Given:
    """Gives up what waits in the lanes, and what is parked there or has one of the ids.

    What a ticket has not shown yet is never sent; its card and its status come again with its next change.
    """
    await showing.hold_back(tx, lanes)
    chosen = {"lanes": list(lanes), "ids": list(ids)}
    marks = await tx.run(
        """
        with dropped as (
          delete from threadesk.to_show
          where lane = any(:lanes) or (ticket_id = any(:ids) and parked is not null) returning ticket_id, side, lane
        ), unshown (ticket_id, side, lane, slot) as (
          select d.*, 'message:' || m.message_id from dropped d join threadesk.messages m using (ticket_id)
          where m.side is distinct from d.side and (m.kind = 'message' or d.side = 'triage')
          union all
          select d.*, 'reply:' || r.id from dropped d join threadesk.replies r using (ticket_id) where d.side = 'triage'
          union all
          select d.*, 'event:' || l.id from dropped d join threadesk.ledger l using (ticket_id)
          where d.side = 'triage' and (l.what = 'assigned_to' or l.what = 'status' and l.before = '"closed"')
          union all
          select distinct d.*, 'files:' || c.message_id from dropped d join threadesk.copies c using (ticket_id, side)
          union all
          select d.*, 'rating:' || t.closings from dropped d join threadesk.desk_tickets t using (ticket_id)
          where d.side = 'customer' and t.closings > 0
        ), given_up as (
          insert into threadesk.posted as p (ticket_id, side, slot, channel, refused)
          select ticket_id, side, slot, lane, 'dropped' from unshown
          on conflict (ticket_id, side, slot) do update set refused = 'dropped'
            where p.ts is null and p.refused is distinct from 'nobody to tell'
        )
        select count(*) from dropped
        """,
        **chosen,
    )
    messages = await tx.run(
        f"update threadesk.posted set refused = 'dropped'"
        f" where (channel = any(:lanes) or id = any(:ids)) and {POSTED_PARKED} returning 1",
        **chosen,
    )
    noticed = await tx.run(
        f"update threadesk.notices set refused = 'dropped'"
        f" where (lane = any(:lanes) or id = any(:ids)) and ({NOTICES_PARKED} or {WAITING}) returning 1",
        **chosen,
    )
    return Given(marks.scalar_one(), len(messages), len(noticed))


def _given(marks: Any, messages: Any, noticed: Any) -> Given:
    return Given(len(marks), messages.scalar_one(), len(noticed))
