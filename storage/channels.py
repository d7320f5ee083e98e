"""The channels that the desk serves, how each is set up, and who is in the triage channels.

Every change of a row is written into the ledger of the settings by a trigger: `Transaction.act_as` says who makes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, LiteralString

from storage.engine import Transaction
from storage.reactions import USUAL, Reactions
from storage.tickets import Priority, Side

#: `none`: an agent has said to leave the channel alone.
Role = Literal["support", "triage", "none"]
Mode = Literal["every_message", "on_request"]

#: Why a triage channel is not served that was chosen just now: nobody knows yet who its agents are.
UNREAD = "the desk is still reading who is in it"


@dataclass(frozen=True, slots=True)
class Channel:
    """`suspended`: why a triage channel is not served. `private`, `shared`: as Slack said last, None: not asked.

    What new tickets of a support channel are given: `priority`, `tags` and one of `assignees`, who are Slack ids of
    the desk's own workspace, in turn. `reactions`: what agents do by an emoji there.
    """

    id: str
    name: str
    role: Role
    mode: Mode
    triage_channel: str | None
    suspended: str | None
    private: bool | None = None
    shared: bool | None = None
    priority: Priority = "medium"
    tags: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    reactions: Reactions = USUAL


CHANNEL: LiteralString = """
  c.id, c.name, c.role, c.mode, c.triage_channel, c.suspended, c.private, c.shared, c.priority, c.tags, c.assignees,
  c.reactions
"""


def _channel(row: Any) -> Channel:
    values = dict(row)
    read = {"tags": tuple(row.tags), "assignees": tuple(row.assignees), "reactions": Reactions(**row.reactions)}
    return Channel(**values | read)


async def find(tx: Transaction, channel: str, *, lock: bool = False) -> Channel | None:
    """The channel, under its present id also where it is asked for by a former one.

    `lock`: nobody else changes its row until this transaction ends; tickets may still refer to it.
    """
    locking: LiteralString = "for no key update of c" if lock else ""
    found = await tx.run(
        f"""
        select {CHANNEL} from threadesk.channels c
        where c.id = coalesce((select new_id from threadesk.moved where old_id = :id), :id) {locking}
        """,
        id=channel,
    )
    row = found.one_or_none()
    return _channel(row) if row else None


async def served(tx: Transaction, role: Role) -> list[Channel]:
    found = await tx.run(
        f"select {CHANNEL} from threadesk.channels c where c.role = :role order by c.chosen_at, c.id",
        role=role,
    )
    return [_channel(row) for row in found]


async def served_triage(tx: Transaction) -> list[Channel]:
    """The triage channels that are not suspended, the one that was chosen last at the end."""
    return [channel for channel in await served(tx, "triage") if channel.suspended is None]


async def working_hours(tx: Transaction) -> dict[str, Mapping[str, Any]]:
    """By support channel, the hours that were set there, as `bot.tickets.hours` writes them."""
    found = await tx.run("select id, working_hours from threadesk.channels where working_hours is not null order by id")
    return {row.id: row.working_hours for row in found}


async def default_triage(tx: Transaction) -> Channel | None:
    """The triage channel that was chosen last, for tickets of no support channel."""
    return next(reversed(await served_triage(tx)), None)


async def present_id(tx: Transaction, channel: str) -> str:
    """The channel's id now, where Slack has given it another one."""
    found = await tx.run("select new_id from threadesk.moved where old_id = :id", id=channel)
    return found.scalar_one_or_none() or channel


async def choose_triage(tx: Transaction, channel: str, name: str, suspended: str | None) -> bool:
    """Makes it a triage channel where it has no row yet; whether it had none."""
    return await _choose(tx, channel, name, "triage", None, suspended)


async def choose_support(tx: Transaction, channel: str, name: str, triage_channel: str) -> bool:
    """Makes it a support channel whose tickets go to that triage channel, where it has no row yet; whether it had
    none."""
    return await _choose(tx, channel, name, "support", triage_channel, None)


async def _choose(
    tx: Transaction, channel: str, name: str, role: Role, triage_channel: str | None, suspended: str | None
) -> bool:
    chosen = await tx.run(
        """
        insert into threadesk.channels (id, name, role, triage_channel, suspended, chosen_at)
        values (:id, :name, :role, :triage, :suspended, :now) on conflict (id) do nothing returning 1
        """,
        id=channel,
        name=name,
        role=role,
        triage=triage_channel,
        suspended=suspended,
        now=tx.now,
    )
    return bool(chosen)


async def save(tx: Transaction, channel: Channel) -> None:
    """Writes the channel's settings. What is said there is the desk's to know from when it got its role."""
    await tx.run(
        """
        insert into threadesk.channels as c (id, name, role, mode, triage_channel, suspended, private, shared,
          priority, tags, assignees, reactions, chosen_at)
        values (:id, :name, :role, :mode, :triage_channel, :suspended, :private, :shared, :priority,
          cast(:tags as text[]), cast(:assignees as text[]), cast(:reactions as jsonb), :now)
        on conflict (id) do update set name = excluded.name, role = excluded.role, mode = excluded.mode,
          triage_channel = excluded.triage_channel, suspended = excluded.suspended, private = excluded.private,
          shared = excluded.shared, priority = excluded.priority, tags = excluded.tags,
          assignees = excluded.assignees, reactions = excluded.reactions,
          working_hours = case when excluded.role = 'support' then c.working_hours end,
          chosen_at = case when excluded.role in (c.role, 'none') then c.chosen_at else excluded.chosen_at end
        """,
        **{name: getattr(channel, name) for name in Channel.__slots__}
        | {
            "tags": list(channel.tags),
            "assignees": list(channel.assignees),
            "reactions": json.dumps(asdict(channel.reactions)),
        },
        now=tx.now,
    )


async def next_assignee(tx: Transaction, channel: Channel, team_id: str, *, but: str | None) -> str | None:
    """The Slack id of the agent whose turn it is in a support channel, and whose turn it then was.

    Its row is locked until the transaction ends, so that of tickets that are opened at once each waits for the turn of
    the one before. Whoever is no agent for the channel now is passed over, and so is `but`.
    """
    await tx.run("select 1 from threadesk.channels where id = :id for no key update", id=channel.id)
    found = await tx.run(
        """
        with line as (
          select a.slack_id, a.place, coalesce(array_position(c.assignees, c.turn), 0) as latest
          from threadesk.channels c cross join unnest(c.assignees) with ordinality as a (slack_id, place)
          join threadesk.channels t on t.id = c.triage_channel and t.role = 'triage' and t.suspended is null
          join threadesk.triage_members m on m.channel = t.id and m.team_id = :team and m.slack_id = a.slack_id
          join threadesk.people p on p.team_id = m.team_id and p.slack_id = m.slack_id and p.kind = 'member'
          where c.id = :id and a.slack_id is distinct from :but
        )
        update threadesk.channels set turn = (select slack_id from line order by place <= latest, place limit 1)
        where id = :id and exists (select from line)
        returning turn
        """,
        id=channel.id,
        team=team_id,
        but=but,
    )
    turn: str | None = found.scalar_one_or_none()
    return turn


async def has_tickets(tx: Transaction, channel: str, side: Side) -> bool:
    """Whether a ticket was ever its customer's there, or shown to agents there, or is about to be."""
    found = await tx.run(
        """
        select exists (select from threadesk.threads where channel = :id and side = :side)
          or exists (select from threadesk.to_show where lane = :id and side = :side)
        """,
        id=channel,
        side=side,
    )
    return bool(found.scalar_one())


async def routed_to(tx: Transaction, triage_channel: str) -> list[str]:
    """The support channels whose tickets go to a triage channel."""
    found = await tx.run(
        "select id from threadesk.channels where triage_channel = :id order by chosen_at, id", id=triage_channel
    )
    return list(found.scalars())


async def see(tx: Transaction, channel: str, *, name: str, private: bool, shared: bool) -> None:
    """What Slack says of the channel now."""
    await tx.run(
        "update threadesk.channels set name = :name, private = :private, shared = :shared where id = :id"
        " and (name, private, shared) is distinct from (:name, :private, :shared)",
        id=channel,
        name=name,
        private=private,
        shared=shared,
    )


async def unread(tx: Transaction) -> list[str]:
    """Triage channels that were chosen just now, of which nobody has asked yet who is in them."""
    found = await tx.run("select id from threadesk.channels where suspended = :unread order by id", unread=UNREAD)
    return list(found.scalars())


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


async def with_member(tx: Transaction, team_id: str, slack_id: str) -> Sequence[str]:
    """The triage channels in which a person is."""
    found = await tx.run(
        "select channel from threadesk.triage_members where team_id = :team and slack_id = :slack order by channel",
        team=team_id,
        slack=slack_id,
    )
    return list(found.scalars())


async def all_members(tx: Transaction) -> Sequence[tuple[str, str]]:
    """(team, Slack id) of whoever is in a triage channel."""
    found = await tx.run("select distinct team_id, slack_id from threadesk.triage_members order by slack_id")
    return [(row.team_id, row.slack_id) for row in found]
