"""Messages for which somebody has a form open that asks for their ticket: the form itself cannot carry them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from storage.engine import Transaction
from storage.people import Person


async def keep(tx: Transaction, person: Person, message: Mapping[str, Any]) -> UUID:
    """`message` has at least a "channel" and a "ts"."""
    kept = await tx.run(
        "insert into threadesk.picked (team_id, slack_id, message, picked_at)"
        " values (:team, :slack, cast(:message as jsonb), :now) returning id",
        team=person.team_id,
        slack=person.slack_id,
        message=json.dumps(message),
        now=tx.now,
    )
    return UUID(str(kept.scalar_one()))


async def find(tx: Transaction, person: Person, picked_id: UUID) -> dict[str, Any] | None:
    """What the same person has picked."""
    found = await tx.run(
        "select message from threadesk.picked where id = :id and team_id = :team and slack_id = :slack",
        id=picked_id,
        team=person.team_id,
        slack=person.slack_id,
    )
    return found.scalar_one_or_none()


async def take(tx: Transaction, picked_id: UUID) -> bool:
    """Keeps it no longer; False where it was forgotten meanwhile."""
    return bool(await tx.run("delete from threadesk.picked where id = :id returning 1", id=picked_id))


async def forget(tx: Transaction, channel: str, ts: str) -> None:
    """The message was deleted in Slack: its words are kept nowhere."""
    await tx.run(
        "delete from threadesk.picked where message ->> 'channel' = :channel and message ->> 'ts' = :ts",
        channel=channel,
        ts=ts,
    )
