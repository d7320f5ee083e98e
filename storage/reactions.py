"""Which reactions stand for which operation, in each support channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from storage.engine import Transaction

Meaning = Literal["open", "claim", "close"]


@dataclass(frozen=True, slots=True)
class Reactions:
    """Names of emoji without colons, as Slack's events have them, no two alike. None: there is no such reaction."""

    open: str | None = "ticket"
    claim: str | None = "eyes"
    close: str | None = "white_check_mark"

    def meaning(self, name: str) -> Meaning | None:
        match name:
            case self.open:
                return "open"
            case self.claim:
                return "claim"
            case self.close:
                return "close"
            case _:
                return None


#: Those of a channel for which nobody has chosen others.
USUAL = Reactions()


async def of_channel(tx: Transaction, channel: str | None) -> Reactions:
    """Those of a support channel; the usual ones elsewhere."""
    found = await tx.run("select reactions from threadesk.channels where id = :id and role = 'support'", id=channel)
    chosen = found.scalar_one_or_none()
    return Reactions(**chosen) if chosen else USUAL
