"""A message that arrives, met by the tables in as few round trips as can be: nearly all are in a ticket's thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from storage.engine import DatabaseAway, Transaction
from storage.people import PERSON, Person, person_of
from storage.tickets import FROM, TICKET, TURN, Side, Ticket, ticket_of, turn


@dataclass(frozen=True, slots=True)
class Met:
    """`author` is None for somebody the desk has never met, `thread` for one that is no ticket's."""

    author: Person | None
    thread: tuple[UUID, Side] | None


async def meet(tx: Transaction, author: tuple[str, str], channel: str, thread_ts: str, ts: str) -> Met:
    """Who has written the message (channel, ts) and whose thread it is in, which is the message's turn from then on.

    `author`: (team, Slack id). Where the thread is no ticket's, it is nobody's turn.
    """
    found = await tx.run(
        f"""
        select p.*, h.ticket_id as ticket_id, h.side as side,
          case when h.ticket_id is not null then {TURN} is not null end as in_turn
        from (values (1)) as one (row)
        left join (
          select {PERSON} from threadesk.people p where p.team_id = :team and p.slack_id = :slack
        ) as p on true
        left join threadesk.threads h on h.channel = :channel and h.thread_ts = :thread_ts
        """,
        team=author[0],
        slack=author[1],
        channel=channel,
        thread_ts=thread_ts,
        turn=turn(channel, ts),
    )
    row = found.one()
    person = None if row.slack_id is None else person_of(_part(row, Person))
    return Met(person, None if row.ticket_id is None else (row.ticket_id, row.side))


async def hold(tx: Transaction, ticket_id: UUID, author: Person) -> tuple[Ticket, Person] | None:
    """The ticket, locked, and then its author as `people.hold` has them; None where there is no such ticket.

    DatabaseAway where the author was erased or filed under another company meanwhile: the message is to be heard again.
    """
    found = await tx.run(
        f"""
        with locked as materialized (
          select {TICKET} {FROM} where t.id = :id for no key update of t, d
        ), held as materialized (
          select {PERSON} from threadesk.people p
          where p.team_id = :team and p.slack_id = :slack and exists (select from locked) for key share of p
        )
        select * from locked left join held on true
        """,
        id=ticket_id,
        team=author.team_id,
        slack=author.slack_id,
    )
    row = found.one_or_none()
    if row is None:
        return None
    if row.slack_id is None:
        raise DatabaseAway("the author of a message was erased or filed under another company just now")
    return ticket_of(_part(row, Ticket)), person_of(_part(row, Person))


def _part(row: Any, of: type) -> dict[str, Any]:
    return {name: row[name] for name in of.__slots__}  # type: ignore[attr-defined]
