"""Agents who are agents no more: their open tickets become unassigned, and triage is told which."""

from __future__ import annotations

from collections.abc import Mapping

from bot.blocks import answers
from bot.tickets import work
from storage import channels, notices
from storage.engine import Transaction
from storage.people import Kind, Person

LEFT = "has left this channel"
WHY: Mapping[Kind, str] = {"deactivated": "is deactivated", "guest": "is a guest now"}


async def leave(tx: Transaction, person: Person, channel: str, why: str = LEFT) -> None:
    if returned := await work.agent_left(tx, person, channel):
        said = answers.agent_left(person.slack_id, returned, why)
        key = f"left:{channel}:{person.slack_id}:{tx.now.isoformat()}"
        await notices.add(tx, key, "channel", said.arguments(), channel=channel)


async def leave_all(tx: Transaction, person: Person, kind: Kind) -> None:
    """The person is no full member of the workspace, whatever channels they are in."""
    for channel in await channels.with_member(tx, person.team_id, person.slack_id):
        await leave(tx, person, channel, WHY.get(kind, "is no member of this workspace"))
