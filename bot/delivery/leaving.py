"""Agents who are agents no more: their open tickets become unassigned, and triage is told which."""

from __future__ import annotations

from bot.blocks import answers
from bot.delivery import words as say
from bot.tickets import work
from storage import channels, notices
from storage.engine import Transaction
from storage.people import Kind, Person


async def leave(tx: Transaction, person: Person, channel: str, why: str = say.LEFT) -> None:
    if returned := await work.agent_left(tx, person, channel):
        said = answers.agent_left(person.slack_id, returned, why)
        key = f"left:{channel}:{person.slack_id}:{tx.now.isoformat()}"
        await notices.add(tx, key, "channel", said.arguments(), channel=channel)


async def leave_all(tx: Transaction, person: Person, kind: Kind) -> None:
    """The person is no full member of the workspace, whatever channels they are in."""
    for channel in await channels.with_member(tx, person.team_id, person.slack_id):
        await leave(tx, person, channel, say.NO_AGENT.get(kind, say.NO_MEMBER))
