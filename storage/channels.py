"""The channels that the desk serves, and who is in the triage channels."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from storage.engine import Transaction

Role = Literal["support", "triage"]
Mode = Literal["every_message", "on_request"]


@dataclass(frozen=True, slots=True)
class Channel:
    id: str
    name: str
    role: Role
    mode: Mode
    triage_channel: str | None
    suspended: str | None


CHANNEL = "c.id, c.name, c.role, c.mode, c.triage_channel, c.suspended"


async def find(tx: Transaction, channel: str) -> Channel | None:
    row = (await tx.run(f"select {CHANNEL} from threadesk.channels c where c.id = :id", id=channel)).one_or_none()
    return Channel(**row) if row else None


async def served(tx: Transaction, role: Role) -> list[Channel]:
    found = await tx.run(
        f"select {CHANNEL} from threadesk.channels c where c.role = :role order by c.chosen_at, c.id",
        role=role,
    )
    return [Channel(**row) for row in found]


async def working_hours(tx: Transaction) -> dict[str, Mapping[str, Any]]:
    """By support channel, the hours that were set there, as `bot.tickets.hours` writes them."""
    found = await tx.run("select id, working_hours from threadesk.channels where working_hours is not null order by id")
    return {row.id: row.working_hours for row in found}


async def set_working_hours(tx: Transaction, channel: str, hours: Mapping[str, Any] | None) -> None:
    """None: all time counts."""
    await tx.run(
        "update threadesk.channels set working_hours = cast(:hours as jsonb) where id = :id",
        id=channel,
        hours=None if hours is None else json.dumps(hours),
    )


async def default_triage(tx: Transaction) -> Channel | None:
    """The triage channel that was chosen last, for tickets of no support channel."""
    return next((channel for channel in reversed(await served(tx, "triage")) if channel.suspended is None), None)


async def choose_triage(tx: Transaction, channel: str, name: str, suspended: str | None) -> None:
    await tx.run(
        """
        insert into threadesk.channels (id, name, role, suspended, chosen_at)
        values (:id, :name, 'triage', :suspended, :now)
        on conflict (id) do update
          set name = excluded.name, role = 'triage', triage_channel = null, working_hours = null,
            suspended = excluded.suspended, chosen_at = excluded.chosen_at
        """,
        id=channel,
        name=name,
        suspended=suspended,
        now=tx.now,
    )


async def choose_support(tx: Transaction, channel: str, name: str, triage_channel: str) -> None:
    """Makes it a support channel whose tickets go to that triage channel; the mode of one chosen before stays."""
    await tx.run(
        """
        insert into threadesk.channels (id, name, role, triage_channel, chosen_at)
        values (:id, :name, 'support', :triage, :now)
        on conflict (id) do update set name = excluded.name, role = 'support', suspended = null,
          triage_channel = excluded.triage_channel
        """,
        id=channel,
        name=name,
        triage=triage_channel,
        now=tx.now,
    )


async def serve_again(tx: Transaction, channel: str, name: str, triage_channel: str, *, since: dt.datetime) -> bool:
    """Makes it a support channel, chosen at `since`, where it has no role; whether it had none."""
    chosen = await tx.run(
        """
        insert into threadesk.channels (id, name, role, triage_channel, chosen_at)
        values (:id, :name, 'support', :triage, :since) on conflict (id) do nothing returning 1
        """,
        id=channel,
        name=name,
        triage=triage_channel,
        since=since,
    )
    return bool(chosen)


async def lock_triage(tx: Transaction, channel: str) -> Channel | None:
    """The triage channel, which nobody else checks until this transaction ends; tickets may still refer to it."""
    found = await tx.run(
        f"select {CHANNEL} from threadesk.channels c where c.id = :id and c.role = 'triage' for no key update",
        id=channel,
    )
    row = found.one_or_none()
    return Channel(**row) if row else None


async def suspend(tx: Transaction, channel: str, why: str) -> None:
    """Nothing more of tickets is shown in the triage channel, nor what waits to be said there of them."""
    await tx.run("update threadesk.channels set suspended = :why where id = :id", id=channel, why=why)
    await tx.run(
        "update threadesk.notices set refused = 'suspended'"
        " where channel = :id and kind = 'channel' and sent_at is null and refused is null"
        "   and key not like 'suspended:%'",
        id=channel,
    )


async def resume(tx: Transaction, channel: str) -> None:
    """Takes a suspended triage channel up again, with all that was marked there meanwhile."""
    await tx.run(
        """
        with resumed as (
          update threadesk.channels set suspended = null where id = :id and suspended is not null returning 1
        ) select pg_notify('threadesk', '') from resumed
        """,
        id=channel,
    )


async def name_support(tx: Transaction, replica: UUID, named: Iterable[str], *, seconds: float) -> None:
    """A replica of the desk serves these support channels, and says so again within `seconds`.

    A channel that was named and is no more by any replica is not served. Tickets that came from it, and their triage
    channels, stay.
    """
    await _one_at_a_time(tx)
    await tx.run(
        """
        insert into threadesk.named (replica, channel, until)
        select :replica, channel, clock_timestamp() + make_interval(secs => :seconds)
        from unnest(cast(:named as text[])) as n (channel)
        on conflict (replica, channel) do update set until = excluded.until
        """,
        replica=replica,
        named=list(named),
        seconds=seconds,
    )
    await _drop_unnamed(tx)


async def withdraw(tx: Transaction, replica: UUID) -> None:
    """The replica stops. What the last one of all has served stays chosen until the next one starts."""
    await _one_at_a_time(tx)
    await tx.run("update threadesk.named set until = clock_timestamp() where replica = :replica", replica=replica)
    await _drop_unnamed(tx)


async def _one_at_a_time(tx: Transaction) -> None:
    """So that nobody drops what another one is about to name."""
    await tx.run("lock table threadesk.named in share row exclusive mode")


async def _drop_unnamed(tx: Transaction) -> None:
    await tx.run(
        """
        with over as (
          delete from threadesk.named
          where until <= clock_timestamp() and exists (select from threadesk.named where until > clock_timestamp())
          returning channel
        )
        delete from threadesk.channels c where role = 'support' and id in (select channel from over)
          and not exists (select from threadesk.named n where n.channel = c.id and n.until > clock_timestamp())
        """
    )


async def told_of(tx: Transaction, channel: str) -> list[str]:
    """The served triage channels in which agents are told of a channel: those that its tickets go to, else another."""
    found = await tx.run(
        """
        select c.id from threadesk.channels c
        where c.role = 'triage' and c.suspended is null and c.id <> :id and (
          c.id = (select triage_channel from threadesk.channels where id = :id)
          or c.id in (select t.triage_channel from threadesk.to_show s join threadesk.desk_tickets t using (ticket_id)
            where s.lane = :id and s.side = 'customer'))
        order by c.id
        """,
        id=channel,
    )
    if of_its_tickets := list(found.scalars()):
        return of_its_tickets
    others = [one.id for one in await served(tx, "triage") if one.suspended is None and one.id != channel]
    return others[-1:]


async def set_members(tx: Transaction, channel: str, members: Iterable[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Makes `members` ((team, Slack id) each) the whole membership of a triage channel; who has gone."""
    teams, people = zip(*members, strict=True) if (members := list(members)) else ((), ())
    values = {"channel": channel, "teams": list(teams), "people": list(people)}
    gone = await tx.run(
        """
        delete from threadesk.triage_members m where channel = :channel
          and (team_id, slack_id) not in (select * from unnest(cast(:teams as text[]), cast(:people as text[])))
        returning team_id, slack_id
        """,
        **values,
    )
    await tx.run(
        """
        insert into threadesk.triage_members (channel, team_id, slack_id)
        select :channel, * from unnest(cast(:teams as text[]), cast(:people as text[])) on conflict do nothing
        """,
        **values,
    )
    return [(row.team_id, row.slack_id) for row in gone]


async def all_members(tx: Transaction) -> Sequence[tuple[str, str]]:
    """(team, Slack id) of whoever is in a triage channel."""
    found = await tx.run("select distinct team_id, slack_id from threadesk.triage_members order by slack_id")
    return [(row.team_id, row.slack_id) for row in found]
