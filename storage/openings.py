"""Messages whose threads are to become tickets. Slack is asked for each thread first, by one desk at a time.

Leases are physical time, as in `storage.showing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from storage.engine import Transaction
from storage.people import Person


@dataclass(frozen=True, slots=True)
class Opening:
    """Who (`team_id`, `slack_id`) has pointed at Slack's message (`channel`, `ts`), and at which time of Slack's.

    `ticket_id`: the ticket that was opened, into which the thread is being imported.
    """

    id: UUID
    channel: str
    ts: str
    asked_ts: str
    team_id: str
    slack_id: str
    ticket_id: UUID | None
    attempts: int


async def add(tx: Transaction, channel: str, ts: str, asked_ts: str, person: Person) -> None:
    # Looked for first: "on conflict" alone waits for whoever imports the one that is there, who may wait for us.
    await tx.run(
        """
        insert into threadesk.openings (channel, ts, asked_ts, team_id, slack_id, asked_at)
        select :channel, :ts, :asked_ts, :team, :slack, :now
        where not exists (select from threadesk.openings
          where channel = :channel and ts = :ts and team_id = :team and slack_id = :slack)
        on conflict do nothing
        """,
        channel=channel,
        ts=ts,
        asked_ts=asked_ts,
        team=person.team_id,
        slack=person.slack_id,
        now=tx.now,
    )


async def is_asked(tx: Transaction, channel: str, ts: str) -> bool:
    """Whether Slack's message (channel, ts) is about to become a ticket's."""
    found = await tx.run(
        "select 1 from threadesk.openings where channel = :channel and ts = :ts limit 1", channel=channel, ts=ts
    )
    return found.one_or_none() is not None


async def claim(tx: Transaction, worker: UUID, *, seconds: float) -> Opening | None:
    """Leases the one that has waited longest, and counts the attempt."""
    claimed = await tx.run(
        """
        update threadesk.openings set lease = :worker, attempts = attempts + 1,
          leased_until = clock_timestamp() + make_interval(secs => :seconds)
        where id = (
          select id from threadesk.openings where leased_until <= clock_timestamp()
          order by asked_at, id limit 1 for update skip locked)
        returning id, channel, ts, asked_ts, team_id, slack_id, ticket_id, attempts
        """,
        worker=worker,
        seconds=seconds,
    )
    row = claimed.one_or_none()
    return Opening(**row) if row else None


async def renew(tx: Transaction, opening: Opening, worker: UUID, *, seconds: float) -> bool:
    """Leases it for so many seconds more; False when the lease had been lost to another desk."""
    renewed = await tx.run(
        "update threadesk.openings set leased_until = clock_timestamp() + make_interval(secs => :seconds)"
        " where id = :id and lease = :worker returning 1",
        id=opening.id,
        worker=worker,
        seconds=seconds,
    )
    return bool(renewed)


async def begun(tx: Transaction, opening: Opening, ticket_id: UUID) -> None:
    await tx.run("update threadesk.openings set ticket_id = :ticket where id = :id", id=opening.id, ticket=ticket_id)


async def done(tx: Transaction, opening: Opening) -> None:
    await tx.run("delete from threadesk.openings where id = :id", id=opening.id)


async def seconds_to_next(tx: Transaction) -> float | None:
    found = await tx.run(
        "select extract(epoch from greatest(min(leased_until), clock_timestamp()) - clock_timestamp())::float"
        " from threadesk.openings having count(*) > 0"
    )
    return found.scalar_one_or_none()
