"""When there is something to do next, whatever it is: a few index probes, however many tickets there are."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from storage.engine import Transaction


@dataclass(frozen=True, slots=True)
class Earliest:
    """When the first of each kind is due; None: none is.

    `replies`: held ones. `digests`: at set times. `back`: customers were told that somebody is back then.
    """

    replies: dt.datetime | None
    digests: dt.datetime | None
    back: dt.datetime | None

    @property
    def of_all(self) -> dt.datetime | None:
        return min((one for one in (self.replies, self.digests, self.back) if one), default=None)


async def earliest(tx: Transaction) -> Earliest:
    found = await tx.run(
        """
        select (select min(due_at) from threadesk.replies where state = 'held') as replies,
          least((select min(next_at) from threadesk.digest_schedules),
            (select min(try_at) from threadesk.digests_due where outcome is null)) as digests,
          (select min(back_at) from threadesk.told_back) as back
        """
    )
    return Earliest(**found.one())
