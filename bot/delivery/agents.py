"""Tells the agents what they must know of a channel, in the triage channels that it concerns."""

from __future__ import annotations

from bot.blocks.surface import Message
from storage import channels, notices
from storage.engine import Transaction


async def tell(tx: Transaction, channel: str, what: str, said: Message) -> bool:
    """Says it of `channel`, once for this `what` and moment. False where there is no triage channel to say it in."""
    told = await channels.told_of(tx, channel)
    for triage in told:
        key = f"{what}:{channel}:{tx.now.isoformat()}:{triage}"
        await notices.add(tx, key, "channel", said.arguments(), channel=triage)
    return bool(told)
