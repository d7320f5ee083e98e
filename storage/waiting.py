"""How much waits to reach Slack, and for how long: figures for whoever watches over the desk."""

from __future__ import annotations

from dataclasses import dataclass

from storage.engine import Transaction


@dataclass(frozen=True, slots=True)
class Waiting:
    """`tickets`: marked, on one side or both counted once a side. `notices`: digests and private answers. `replies`:
    held ones whose time has come. `parked`: messages and notices that Slack refused for good.

    `…_overdue`: for how many seconds the oldest has been due; 0 where none is.
    """

    tickets: int
    tickets_overdue: float
    notices: int
    notices_overdue: float
    replies: int
    parked: int


async def figures(tx: Transaction) -> Waiting:
    """A scan of what waits, and of nothing else that the desk has ever sent."""
    found = await tx.run(
        """
        select m.number as tickets, m.overdue as tickets_overdue, n.number as notices, n.overdue as notices_overdue,
          (select count(*) from threadesk.replies where state = 'held' and due_at <= :now) as replies,
          (select count(*) from threadesk.posted
             where refused is not null and refused not in ('nobody to tell', 'dropped'))
            + (select count(*) from threadesk.notices
                 where sent_at is null and refused is not null and refused not in ('suspended', 'dropped')) as parked
        from (
          select count(*) as number, greatest(0, extract(epoch from :now - min(due_at)))::float as overdue
          from threadesk.to_show
        ) as m cross join (
          select count(*) as number, greatest(0, extract(epoch from :now - min(due_at)))::float as overdue
          from threadesk.notices where sent_at is null and refused is null
        ) as n
        """,
        now=tx.now,
    )
    return Waiting(**found.one()._mapping)
