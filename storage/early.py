"""Events that arrived before the message or the root they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, LiteralString

from storage.engine import Transaction


async def remember(
    tx: Transaction, channel: str, ts: str, event: Mapping[str, Any], *, awaits: str, version: str = ""
) -> None:
    """Keeps an event about (channel, ts) until (channel, awaits) is known.

    `version` tells the edits and deletions of one message apart.
    """
    await tx.run(
        """
        insert into threadesk.early (channel, ts, awaits, version, event, arrived_at)
        values (:channel, :ts, :awaits, :version, cast(:event as jsonb), :now) on conflict do nothing
        """,
        channel=channel,
        ts=ts,
        awaits=awaits,
        version=version,
        event=json.dumps(event),
        now=tx.now,
    )


async def forget_words(tx: Transaction, channel: str, ts: str) -> None:
    """Where a message's deletion is known, nothing that is kept of it has words any more."""
    await tx.run(
        """
        update threadesk.early set event = (event - 'previous') || '{"text": "", "files": []}'
        where channel = :channel and ts = :ts and event ->> 'kind' <> 'deleted' and exists (
          select from threadesk.early d where d.channel = :channel and d.ts = :ts and d.event ->> 'kind' = 'deleted')
        """,
        channel=channel,
        ts=ts,
    )


async def find(tx: Transaction, channel: str, ts: str) -> dict[str, Any] | None:
    """The message (channel, ts) as it arrived, where it is kept here."""
    found = await tx.run(
        "select event from threadesk.early where channel = :channel and ts = :ts and version = ''",
        channel=channel,
        ts=ts,
    )
    return found.scalar_one_or_none()


async def answers(tx: Transaction, channel: str, root: str) -> list[dict[str, Any]]:
    """The kept messages in the thread of (channel, root), oldest first."""
    found = await tx.run(
        "select event from threadesk.early where channel = :channel and awaits = :root and ts <> :root and version = ''"
        " order by ts",
        channel=channel,
        root=root,
    )
    return list(found.scalars())


async def take(tx: Transaction, channel: str, awaited: str, *, if_recorded: bool = False) -> list[dict[str, Any]]:
    """What waited for (channel, awaited), oldest message first, each message before its edits; kept no longer.

    `if_recorded`: nothing is taken when (channel, awaited) is no message of a ticket.
    """
    recorded: LiteralString = (
        "and exists (select from threadesk.messages where channel = :channel and ts = :awaited)" if if_recorded else ""
    )
    found = await tx.run(
        f"""
        with taken as (
          delete from threadesk.early where channel = :channel and awaits = :awaited {recorded} returning *
        )
        select event from taken order by ts, version
        """,
        channel=channel,
        awaited=awaited,
    )
    return list(found.scalars())
