"""Digests at set times: when each is due next, and every time at which one was due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, LiteralString
from uuid import UUID

from storage.engine import Transaction

#: So many attempts at a digest let those wait that were due later in its channel.
PATIENCE = 5
Period = Literal["today", "week", "month"]
Outcome = Literal["posted", "suspended"]


@dataclass(frozen=True, slots=True)
class Row:
    """A schedule. `taken_to`: what was due until then was taken. `next_at`: the first time after; None: there is none.

    `suspended`: why its channel is no place for a digest, as found when one was last due there.
    """

    id: UUID
    triage_channel: str
    channel: str
    cron: str
    zone: str
    period: Period
    taken_to: dt.datetime
    next_at: dt.datetime | None
    suspended: str | None


ROW: LiteralString = "id, triage_channel, channel, cron, zone, period, taken_to, next_at, suspended"


async def of_triage(tx: Transaction, triage_channel: str) -> list[Row]:
    """The schedules of a triage channel, which nobody else changes until this transaction ends."""
    found = await tx.run(
        f"select {ROW} from threadesk.digest_schedules where triage_channel = :triage order by cron, period for update",
        triage=triage_channel,
    )
    return [Row(**row) for row in found]


async def zones(tx: Transaction, triage_channels: Sequence[str]) -> list[str]:
    found = await tx.run(
        "select distinct zone from threadesk.digest_schedules where triage_channel = any(:triage) order by zone",
        triage=list(triage_channels),
    )
    return list(found.scalars())


async def all_of_them(tx: Transaction) -> list[Row]:
    """As `of_triage`, of all triage channels."""
    found = await tx.run(f"select {ROW} from threadesk.digest_schedules order by id for update")
    return [Row(**row) for row in found]


async def due(tx: Transaction) -> list[Row]:
    """Those whose time has come, but for those that somebody else is about to take."""
    found = await tx.run(
        f"select {ROW} from threadesk.digest_schedules where next_at <= :now order by next_at limit 100"
        " for update skip locked",
        now=tx.now,
    )
    return [Row(**row) for row in found]


async def add(
    tx: Transaction,
    triage_channel: str,
    channel: str,
    zone: str,
    cron: str,
    period: Period,
    next_at: dt.datetime | None,
) -> None:
    """Due for the first time at `next_at`."""
    await tx.run(
        """
        insert into threadesk.digest_schedules (triage_channel, channel, cron, zone, period, taken_to, next_at)
        values (:triage, :channel, :cron, :zone, :period, :now, :next_at)
        """,
        triage=triage_channel,
        channel=channel,
        cron=cron,
        zone=zone,
        period=period,
        next_at=next_at,
        now=tx.now,
    )


async def remove(tx: Transaction, ids: Iterable[UUID]) -> None:
    await tx.run("delete from threadesk.digest_schedules where id = any(:ids)", ids=list(ids))


async def advance(tx: Transaction, schedule: UUID, *, taken_to: dt.datetime, next_at: dt.datetime | None) -> None:
    await tx.run(
        "update threadesk.digest_schedules set taken_to = :taken_to, next_at = :next_at where id = :id",
        id=schedule,
        taken_to=taken_to,
        next_at=next_at,
    )


async def take(tx: Transaction, schedule: Row, due_at: dt.datetime, *, left_out: int) -> None:
    """A digest is to be posted for this time. Of several schedules of a channel and period that are due at one time
    there is one."""
    await tx.run(
        """
        insert into threadesk.digests_due (triage_channel, channel, zone, period, due_at, left_out, try_at)
        values (:triage, :channel, :zone, :period, :due_at, :left_out, :now) on conflict do nothing
        """,
        triage=schedule.triage_channel,
        channel=schedule.channel,
        zone=schedule.zone,
        period=schedule.period,
        due_at=due_at,
        left_out=left_out,
        now=tx.now,
    )


@dataclass(frozen=True, slots=True)
class Due:
    """A digest that is to be posted. `left_out`: how many that were missed before it are not posted."""

    id: UUID
    triage_channel: str
    channel: str
    zone: str
    period: Period
    due_at: dt.datetime
    left_out: int
    attempts: int


DUE: LiteralString = "id, triage_channel, channel, zone, period, due_at, left_out, attempts"


async def claim(tx: Transaction, *, seconds: float) -> Due | None:
    """The one that was due first of those that are to be posted now; nobody else claims it for so many seconds.

    In a channel they keep their order: an earlier one that is under way, or failed a few times, is waited for.
    """
    claimed = await tx.run(
        f"""
        update threadesk.digests_due set attempts = attempts + 1,
          try_at = cast(:now as timestamptz) + make_interval(secs => :seconds)
        where id = (
          select id from threadesk.digests_due d where outcome is null and try_at <= :now
            and not exists (select from threadesk.digests_due e where e.channel = d.channel and e.outcome is null
              and (e.due_at, e.period, e.id) < (d.due_at, d.period, d.id) and e.attempts < :patience)
          order by due_at, period, id limit 1 for update skip locked)
        returning {DUE}
        """,
        now=tx.now,
        seconds=seconds,
        patience=PATIENCE,
    )
    row = claimed.one_or_none()
    return Due(**row) if row else None


async def lock(tx: Transaction, due_id: UUID) -> bool:
    """Whether it is still to be posted, which nobody else does until this transaction ends."""
    found = await tx.run("select 1 from threadesk.digests_due where id = :id and outcome is null for update", id=due_id)
    return bool(found)


async def settle(tx: Transaction, due_id: UUID, outcome: Outcome) -> None:
    await tx.run("update threadesk.digests_due set outcome = :outcome where id = :id", id=due_id, outcome=outcome)


async def put_off(tx: Transaction, due_id: UUID, seconds: float) -> None:
    await tx.run(
        """
        update threadesk.digests_due
        set try_at = cast(:now as timestamptz) + make_interval(secs => :seconds)
        where id = :id and outcome is null
        """,
        id=due_id,
        seconds=seconds,
        now=tx.now,
    )


async def suspend(tx: Transaction, triage_channel: str, channel: str, why: str | None) -> bool:
    """The channel is no place for the triage channel's digests now, because of `why`; None: it is one.

    Whether that is news.
    """
    changed = await tx.run(
        """
        with before as (
          select id, suspended from threadesk.digest_schedules where triage_channel = :triage and channel = :channel
          for update
        ), changed as (
          update threadesk.digest_schedules s set suspended = :why from before b
          where s.id = b.id and b.suspended is distinct from :why
          returning (b.suspended is null) <> (:why is null) as news
        ) select coalesce(bool_or(news), false) from changed
        """,
        triage=triage_channel,
        channel=channel,
        why=why,
    )
    return bool(changed.scalar_one())
