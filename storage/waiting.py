"""How much waits to reach Slack, and for how long: figures for whoever watches over the desk."""

from __future__ import annotations

from dataclasses import dataclass

from storage.engine import Transaction


@dataclass(frozen=True, slots=True)
class Waiting:
    """`tickets`: marked, on one side or both counted once a side. `notices`: digests and private answers. `replies`:
    held ones whose time has come. `parked`: what Slack refused for good, or the desk failed at too often.

    `…_age`: for how many seconds the oldest has waited; 0 where none does.
    """

    tickets: int
    tickets_age: float
    notices: int
    notices_age: float
    replies: int
    parked: int


async def figures(tx: Transaction) -> Waiting:
    """A scan of what waits, and of nothing else that the desk has ever sent."""
    found = await tx.run(
        """
        select m.number as tickets, m.age as tickets_age, n.number as notices, n.age as notices_age,
          (select count(*) from threadesk.replies where state = 'held' and due_at <= :now) as replies,
          (select count(*) from threadesk.posted
             where refused is not null and refused not in ('nobody to tell', 'dropped'))
            + (select count(*) from threadesk.notices
                 where sent_at is null and refused is not null and refused not in ('suspended', 'dropped'))
            + (select count(*) from threadesk.to_show where parked is not null) as parked
        from (
          select count(*) as number, greatest(0, extract(epoch from :now - min(marked_at)))::float as age
          from threadesk.to_show where parked is null
        ) as m cross join (
          select count(*) as number, greatest(0, extract(epoch from :now - min(made_at)))::float as age
          from threadesk.notices where sent_at is null and refused is null
        ) as n
        """,
        now=tx.now,
    )
    return Waiting(**found.one())
