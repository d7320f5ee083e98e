"""Replies that are held for a moment, so that their author can take them back."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, LiteralString
from uuid import UUID

from storage.engine import Transaction

State = Literal["held", "sent", "undone", "noted"]


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply typed for the customer. `words` are Slack-encoded; (`channel`, `ts`): the message it was typed in."""

    id: UUID
    ticket_id: UUID
    author: UUID
    author_team: str
    author_slack: str
    words: str
    held_at: dt.datetime
    due_at: dt.datetime
    state: State
    channel: str | None
    ts: str | None


REPLY: LiteralString = (
    "select id, ticket_id, author, author_team, author_slack, words, held_at, due_at, state, channel, ts"
    " from threadesk.replies"
)


async def hold(tx: Transaction, reply: Reply) -> None:
    await tx.run(
        """
        insert into threadesk.replies
          (id, ticket_id, author, author_team, author_slack, words, held_at, due_at, state, channel, ts)
        values (:id, :ticket_id, :author, :author_team, :author_slack, :words, :held_at, :due_at, :state, :channel, :ts)
        """,
        **{name: getattr(reply, name) for name in Reply.__slots__},
    )


async def find(tx: Transaction, reply_id: UUID, *, lock: bool = False) -> Reply | None:
    locking: LiteralString = "for update" if lock else ""
    row = (await tx.run(f"{REPLY} where id = :id {locking}", id=reply_id)).one_or_none()
    return Reply(**row) if row else None


async def held_for(tx: Transaction, ticket_id: UUID) -> list[Reply]:
    found = await tx.run(
        f"{REPLY} where ticket_id = :id and state = 'held' order by held_at, id for update", id=ticket_id
    )
    return [Reply(**row) for row in found]


async def of_ticket(tx: Transaction, ticket_id: UUID) -> list[Reply]:
    found = await tx.run(f"{REPLY} where ticket_id = :id order by held_at, id", id=ticket_id)
    return [Reply(**row) for row in found]


async def due(tx: Transaction) -> list[UUID]:
    """Tickets with held replies whose time has come, the longest due first."""
    found = await tx.run(
        """
        select ticket_id from threadesk.replies where state = 'held' and due_at <= :now
        group by ticket_id order by min(due_at) limit 100
        """,
        now=tx.now,
    )
    return [UUID(str(one)) for one in found.scalars()]


async def put_off(tx: Transaction, ticket_id: UUID) -> None:
    """The ticket's due replies could not be sent: again after a time that doubles, five minutes at most."""
    await tx.run(
        """
        update threadesk.replies set attempts = attempts + 1,
          due_at = cast(:now as timestamptz) + make_interval(secs => least(300, power(2, least(attempts, 9))))
        where ticket_id = :id and state = 'held' and due_at <= :now
        """,
        id=ticket_id,
        now=tx.now,
    )


async def settle(tx: Transaction, reply_id: UUID, state: State) -> None:
    await tx.run("update threadesk.replies set state = :state where id = :id", id=reply_id, state=state)
