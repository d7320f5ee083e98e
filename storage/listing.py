"""Lists of tickets, page by page. Each is read from an index that has its order, from where the page before ended: the
last page of a long list costs what the first one does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, LiteralString
from uuid import UUID

from storage.engine import Transaction
from storage.tickets import TICKET, Priority, Status, Ticket, ticket_of

#: Newest activity first; most urgent first, and then by activity; the longest waiting for an answer first.
Order = Literal["activity", "urgency", "waiting"]

PAGE = 10
#: A page, and one more that tells whether there is another. A number, so that PostgreSQL plans for so few.
LIMIT: LiteralString = "11"
URGENCY: dict[str, int] = {"low": 1, "medium": 2, "high": 3}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: what its last ticket is ordered by. `urgency` counts in lists by urgency only."""

    at: dt.datetime
    number: int
    urgency: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tickets a list shows.

    `requested_by`: the (team, Slack id) whose own tickets are among them; `triage_channels`: what an agent may see. One
    of the two is there.
    `status` None: whatever is not closed. `after`: where the page before ended.
    """

    requested_by: tuple[str, str] | None
    triage_channels: Sequence[str]
    status: Status | Literal["all"] | None = None
    assignee: UUID | None = None
    unassigned: bool = False
    tag: str | None = None
    priority: Priority | None = None
    order: Order = "activity"
    after: Place | None = None


KEYS: LiteralString = "d.ticket_id, d.urgency, d.last_activity_at, d.waiting_since, d.number"
ORDERS: dict[Order, LiteralString] = {
    "activity": "{0}last_activity_at desc, {0}number desc",
    "urgency": "{0}urgency desc, {0}last_activity_at desc, {0}number desc",
    "waiting": "{0}waiting_since, {0}number",
}
AFTER: dict[Order, LiteralString] = {
    "activity": "({0}last_activity_at, {0}number) < (:at, :number)",
    "urgency": "({0}urgency, {0}last_activity_at, {0}number) < (:urgency, :at, :number)",
    "waiting": "({0}waiting_since, {0}number) > (:at, :number)",
}


#: A tag on no more tickets than this is looked for by itself; of others there are enough in any stretch of a list.
FEW: LiteralString = "1000"
TABLE: LiteralString = "threadesk.desk_tickets"
TAGGED: LiteralString = f"select * from {TABLE} where tags @> array[cast(:tag as text)]"


async def listed(tx: Transaction, wanted: Wanted) -> list[Ticket]:
    """The tickets of a page, in their order, and one more where there is another page."""
    few = wanted.tag is not None and await _is_on_few(tx, wanted.tag)
    sql = f"with tagged as materialized ({TAGGED}) {statement(wanted, 'tagged')}" if few else statement(wanted)
    return [ticket_of(row) for row in await tx.run(sql, **values(wanted))]


async def _is_on_few(tx: Transaction, tag: str) -> bool:
    """PostgreSQL's own guess is far off for a tag that it has never met in a sample of the table."""
    await tx.run("select set_config('enable_seqscan', 'off', true)")
    found = await tx.run(f"select count(*) < {FEW} from ({TAGGED} limit {FEW}) as tagged", tag=tag)
    return bool(found.scalar_one())


def place_of(ticket: Ticket, order: Order) -> Place:
    at = ticket.waiting_since if order == "waiting" else ticket.last_activity_at
    return Place(at or ticket.created_at, ticket.number, URGENCY[ticket.priority])


def statement(wanted: Wanted, source: LiteralString = TABLE) -> LiteralString:
    """Only with the conditions that there are: with others in it, an index could not be chosen by them.

    `source`: where the tickets are looked for.
    """
    if wanted.assignee is not None:
        pages = _of_assignee(wanted, source)
    else:
        of_channels = [_of_channels(wanted, source)] if wanted.triage_channels else []
        of_requester = [_of_requester(wanted, source)] if wanted.requested_by else []
        pages = " union ".join(of_channels + of_requester)
    order = ORDERS[wanted.order]
    return f"""
      select {TICKET}
      from (select * from ({pages}) as pages order by {order.format("")} limit {LIMIT}) as page
      join threadesk.desk_tickets d on d.ticket_id = page.ticket_id
      join public.tickets t on t.id = page.ticket_id
      order by {order.format("page.")}
    """


def values(wanted: Wanted) -> dict[str, Any]:
    """The parameters of its statement."""
    given: dict[str, Any] = dict(zip(("team", "slack"), wanted.requested_by or (), strict=False))
    if wanted.triage_channels:
        given["channels"] = list(wanted.triage_channels)
    if wanted.after:
        given |= {"at": wanted.after.at, "number": wanted.after.number}
        given |= {"urgency": wanted.after.urgency} if wanted.order == "urgency" else {}
    optional: dict[str, Any] = {
        "assignee": wanted.assignee,
        "tag": wanted.tag,
        "priority": URGENCY[wanted.priority] if wanted.priority else None,
        "status": wanted.status if wanted.status in {"new", "open", "pending"} else None,
    }
    return given | {name: value for name, value in optional.items() if value is not None}


def _conditions(wanted: Wanted, keys: LiteralString) -> LiteralString:
    """`keys`: the alias of the table whose index the list is read from."""
    match wanted.status:
        case None:
            found: list[LiteralString] = [f"{keys}status <> 'closed'"]
        case "all":
            found = []
        case "closed":
            found = [f"{keys}status = 'closed'"]
        case _:
            found = [f"{keys}status <> 'closed'", f"{keys}status = :status"]
    found += ["not d.not_a_ticket"]
    found += ["d.unassigned"] if wanted.unassigned else []
    found += ["d.tags @> array[cast(:tag as text)]"] if wanted.tag else []
    found += [f"{keys}urgency = :priority"] if wanted.priority else []
    found += ["d.status in ('new', 'open')", "d.waiting_since is not null"] if wanted.order == "waiting" else []
    return " and ".join(found)


def _in_order(wanted: Wanted, keys: LiteralString) -> LiteralString:
    """Those after the page before, in order."""
    after = f" and {AFTER[wanted.order].format(keys)}" if wanted.after else ""
    return f"{after} order by {ORDERS[wanted.order].format(keys)} limit {LIMIT}"


def _of_channels(wanted: Wanted, source: LiteralString) -> LiteralString:
    """Channel by channel, since the index has the order within each of them."""
    return f"""
      select one.* from unnest(cast(:channels as text[])) as c (channel)
      cross join lateral (
        select {KEYS} from {source} d
        where d.triage_channel = c.channel and {_conditions(wanted, "d.")} {_in_order(wanted, "d.")}
      ) as one
    """


def _of_requester(wanted: Wanted, source: LiteralString) -> LiteralString:
    return f"""
      (select {KEYS} from {source} d
       where d.requester_team = :team and d.requester_slack = :slack
         and {_conditions(wanted, "d.")} {_in_order(wanted, "d.")})
    """


def _of_assignee(wanted: Wanted, source: LiteralString) -> LiteralString:
    of_channels: list[LiteralString] = ["d.triage_channel = any(cast(:channels as text[]))"]
    of_requester: list[LiteralString] = ["d.requester_team = :team and d.requester_slack = :slack"]
    may_see = of_channels * bool(wanted.triage_channels) + of_requester * bool(wanted.requested_by)
    return f"""
      select {KEYS} from threadesk.assignments a join {source} d using (ticket_id)
      where a.assignee = :assignee and ({" or ".join(may_see)})
        and {_conditions(wanted, "a.")} {_in_order(wanted, "a.")}
    """
