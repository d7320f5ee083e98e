"""When customers who wait out of working hours are to expect an answer."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from storage.engine import Transaction

BATCH = 200


async def working_hours(tx: Transaction, channel: str) -> Mapping[str, Any] | None:
    """The hours of a support channel, as `bot.tickets.hours` writes them; None: none are set."""
    found = await tx.run("select working_hours from threadesk.channels where id = :id", id=channel)
    hours: Mapping[str, Any] | None = found.scalar_one_or_none()
    return hours


async def set_working_hours(tx: Transaction, channel: str, hours: Mapping[str, Any] | None) -> bool:
    """Whether they were others before."""
    changed = await tx.run(
        """
        update threadesk.channels set working_hours = cast(:hours as jsonb)
        where id = :id and working_hours is distinct from cast(:hours as jsonb) returning 1
        """,
        id=channel,
        hours=None if hours is None else json.dumps(hours),
    )
    return bool(changed)


async def tell(tx: Transaction, ticket_id: UUID, back_at: dt.datetime) -> None:
    """The ticket's status message says that somebody is back then."""
    await tx.run(
        """
        insert into threadesk.told_back as t (ticket_id, back_at) values (:id, :back_at)
        on conflict (ticket_id) do update set back_at = excluded.back_at where t.back_at <> excluded.back_at
        """,
        id=ticket_id,
        back_at=back_at,
    )


async def mark_those_who_are_back(tx: Transaction) -> None:
    """Marks the tickets, some at a time, whose status message says a time that has come."""
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
    """Marks every ticket of a support channel that was told a time: the channel's hours have changed."""
    await tx.run(
        """
        select threadesk.mark(b.ticket_id, :now) from threadesk.told_back b
        join threadesk.desk_tickets d using (ticket_id) where d.channel = :channel order by b.ticket_id
        """,
        channel=channel,
        now=tx.now,
    )
