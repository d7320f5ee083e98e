"""Replies that are held for a moment, so that their author can take them back."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, LiteralString
from uuid import UUID

from storage.engine import Transaction

State = Literal["held", "sent", "undone", "noted"]


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply typed for the customer. `words` are Slack-encoded; (`channel`, `ts`): the message it was typed in.

    `files`: what Slack said of each file that was attached to that message.
    """

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
    files: Sequence[Mapping[str, Any]] = ()


REPLY: LiteralString = (
    "select id, ticket_id, author, author_team, author_slack, words, held_at, due_at, state, channel, ts, files"
    " from threadesk.replies"
)


async def hold(tx: Transaction, reply: Reply) -> None:
    await tx.run(
        """
        insert into threadesk.replies
          (id, ticket_id, author, author_team, author_slack, words, held_at, due_at, state, channel, ts,
           files)
        values (:id, :ticket_id, :author, :author_team, :author_slack, :words, :held_at, :due_at, :state, :channel, :ts,
          cast(:files as jsonb))
        """,
        **{name: getattr(reply, name) for name in Reply.__slots__} | {"files": json.dumps(list(reply.files))},
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


#: What an agent sees of a conversation: messages, and replies that are held. A reply keeps its id when it is sent.
SEEN: LiteralString = """
  select id, min(at) as at, min(author::text)::uuid as author from (
    select message_id as id, created_at as at, created_by as author from threadesk.messages
    where ticket_id = :id and kind = 'message'
    union all
    select id, held_at, author from threadesk.replies where ticket_id = :id and state in ('held', 'sent')
  ) as words group by id
"""


async def newest(tx: Transaction, ticket_id: UUID) -> UUID | None:
    """The id of the newest message or held reply: what an agent has seen when they open *Reply*."""
    found = await tx.run(f"select id from ({SEEN}) as seen order by at desc, id limit 1", id=ticket_id)
    one = found.scalar_one_or_none()
    return UUID(str(one)) if one else None


async def overtaken(tx: Transaction, ticket_id: UUID, seen: UUID, by: UUID) -> bool:
    """Whether somebody else than `by` has written, or holds a reply, since `seen` was the newest."""
    found = await tx.run(
        f"""
        with seen as ({SEEN}), since as (
          -- What was seen may have been undone.
          select coalesce(min(at), '-infinity') as at from (
            select at from seen where id = :seen union all select held_at from threadesk.replies where id = :seen
          ) as known
        )
        select exists (select from seen, since
          where seen.id <> :seen and seen.author is distinct from :by and seen.at > since.at)
        """,
        id=ticket_id,
        seen=seen,
        by=by,
    )
    return bool(found.scalar_one())


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
