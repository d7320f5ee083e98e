"""Which customers were told, out of hours, when somebody is back."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from storage.engine import Transaction

BATCH = 200


async def tell(tx: Transaction, ticket_id: UUID, back_at: dt.datetime | None) -> None:
    """The ticket's status message says that somebody is back at `back_at`, or says nothing of it."""
    if back_at is None:
        await tx.run("delete from threadesk.told_back where ticket_id = :id", id=ticket_id)
        return
    await tx.run(
        """
        insert into threadesk.told_back as t (ticket_id, back_at) values (:id, :back_at)
        on conflict (ticket_id) do update set back_at = excluded.back_at where t.back_at <> excluded.back_at
        """,
        id=ticket_id,
        back_at=back_at,
    )


async def mark_those_who_are_back(tx: Transaction) -> None:
    """Marks the tickets, some at a time, whose status message says a moment that has come."""
    await tx.run(
        """
        with over as (
          delete from threadesk.told_back where ticket_id in (
            select ticket_id from threadesk.told_back where back_at <= :now order by back_at limit :batch
            for update skip locked)
          returning ticket_id
        ) select threadesk.mark(ticket_id, :now) from over order by ticket_id
        """,
        now=tx.now,
        batch=BATCH,
    )


async def mark_all_of(tx: Transaction, channel: str) -> None:
    """Marks every ticket of a support channel whose status message says when somebody is back: that has changed."""
    await tx.run(
        """
        select threadesk.mark(b.ticket_id, :now) from threadesk.told_back b
        join threadesk.desk_tickets d using (ticket_id) where d.channel = :channel order by b.ticket_id
        """,
        channel=channel,
        now=tx.now,
    )
