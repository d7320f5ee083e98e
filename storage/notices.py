"""Messages that belong to no ticket's thread: private answers, digests. Each is sent once for its key."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from storage.engine import Transaction

Kind = Literal["ephemeral", "direct", "channel"]
#: How the keys of digests begin that somebody has asked for, and of those at set times.
DIGEST = "digest:"
SCHEDULED = "scheduled:"


@dataclass(frozen=True, slots=True)
class Notice:
    """`ephemeral`: in `channel` for `slack_id` alone, `direct`: in their DM, `channel`: for all.

    `message`: Slack's arguments.
    """

    id: UUID
    key: str
    kind: Kind
    slack_id: str | None
    channel: str | None
    thread_ts: str | None
    message: Mapping[str, Any]
    attempts: int
    failures: int


@dataclass(frozen=True, slots=True)
class Attempts:
    """Earlier attempts to send a message, of which none has a known end.

    `since`: when the first began. `unsettled`: seconds until the last has ended for certain; what is not found in Slack
    before then may still arrive there.
    """

    since: dt.datetime
    unsettled: float


async def add(
    tx: Transaction,
    key: str,
    kind: Kind,
    message: Mapping[str, Any],
    *,
    slack_id: str | None = None,
    channel: str | None = None,
    thread_ts: str | None = None,
) -> bool:
    """False when a notice with this key is there already."""
    added = await tx.run(
        """
        with added as (
          insert into threadesk.notices (key, kind, lane, slack_id, channel, thread_ts, message, due_at, made_at)
          values (:key, :kind, :lane, :slack_id, :channel, :thread_ts, cast(:message as jsonb), :now, :now)
          on conflict (key) do nothing returning 1
        ) select pg_notify('threadesk', '') from added
        """,
        key=key,
        kind=kind,
        # An ephemeral answer must not wait behind a channel's posts: Slack limits it by method, not by channel.
        lane=f"private:{slack_id}" if slack_id else channel,
        slack_id=slack_id,
        channel=channel,
        thread_ts=thread_ts,
        message=json.dumps(message),
        now=tx.now,
    )
    return bool(added)


async def is_to_be_sent(tx: Transaction, notice_id: UUID) -> bool:
    """Whether it is still, and where it is to be read: what is for agents is not said in a channel that is suspended
    or the customers' by now.
    """
    await tx.run(
        """
        update threadesk.notices n set refused = 'suspended' from threadesk.channels c
        where n.id = :id and n.kind = 'channel' and c.id = n.channel and n.sent_at is null and n.refused is null
          and (c.suspended is not null and n.key not like 'suspended:%'
            or c.role <> 'triage' and n.key not like 'digest:%' and n.key not like 'scheduled:%')
        """,
        id=notice_id,
    )
    found = await tx.run(
        "select 1 from threadesk.notices where id = :id and sent_at is null and refused is null for update",
        id=notice_id,
    )
    return found.one_or_none() is not None


async def attempt(tx: Transaction, notice_id: UUID, *, settle: float) -> Attempts | None:
    """Notes that it is about to be sent, or looked for before an attempt is `settle` seconds old; the earlier ones."""
    begun = await tx.run(
        """
        with earlier as (
          select attempted_at, greatest(0, extract(epoch from
            tried_at + make_interval(secs => :settle) - clock_timestamp()))::float as unsettled
          from threadesk.notices where id = :id
        )
        update threadesk.notices set attempts = attempts + 1,
          attempted_at = coalesce(attempted_at, clock_timestamp()),
          tried_at = case when tried_at > clock_timestamp() - make_interval(secs => :settle) then tried_at
                          else clock_timestamp() end
        where id = :id
        returning (select attempted_at from earlier) as since, (select unsettled from earlier) as unsettled
        """,
        id=notice_id,
        settle=settle,
    )
    row = begun.one()
    return Attempts(row.since, row.unsettled) if row.since else None


async def sent(tx: Transaction, notice_id: UUID, ts: str | None) -> None:
    await tx.run(
        "update threadesk.notices set sent_at = :now, ts = :ts where id = :id",
        id=notice_id,
        ts=ts,
        now=tx.now,
    )


async def fall_back(tx: Transaction, notice_id: UUID) -> None:
    """The person cannot be reached in the channel: their DM instead, never the thread."""
    await tx.run(
        "update threadesk.notices set kind = 'direct', thread_ts = null, attempted_at = null, tried_at = null"
        " where id = :id",
        id=notice_id,
    )


async def refuse(tx: Transaction, notice_id: UUID, why: str) -> None:
    await tx.run("update threadesk.notices set refused = :why where id = :id", id=notice_id, why=why)


async def known_unsent(tx: Transaction, notice_id: UUID) -> None:
    """Slack has said that it did not take the notice: it keeps its place, and need not be looked for."""
    await tx.run("update threadesk.notices set attempted_at = null, tried_at = null where id = :id", id=notice_id)


async def failed(tx: Transaction, notice_id: UUID, seconds: float, *, park_as: str | None) -> None:
    """The desk could not send it: again in `seconds`, or not at all."""
    await put_off(tx, notice_id, seconds, known_unsent=False)
    await tx.run(
        "update threadesk.notices set failures = failures + 1, refused = :why where id = :id",
        id=notice_id,
        why=park_as,
    )


async def put_off(tx: Transaction, notice_id: UUID, seconds: float, *, known_unsent: bool) -> None:
    await tx.run(
        """
        update threadesk.notices set due_at = cast(:now as timestamptz) + make_interval(secs => :seconds),
          attempted_at = case when :known_unsent then null else attempted_at end,
          tried_at = case when :known_unsent then null else tried_at end
        where id = :id
        """,
        id=notice_id,
        seconds=seconds,
        known_unsent=known_unsent,
        now=tx.now,
    )
