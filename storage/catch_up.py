"""How far each conversation has been read, and what the desk knows of it, to find what it has missed.

`now` (the Clock's) decides how far was read; leases are physical time, as in `storage.showing`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, LiteralString
from uuid import UUID

from storage.engine import Transaction

#: How far the desk's clock may be from Slack's; by HTTP, Slack's signatures bear no more:
#: https://docs.slack.dev/authentication/verifying-requests-from-slack
CLOCKS = dt.timedelta(minutes=5)

#: Tickets to which what is said in their thread still belongs.
LIVE: LiteralString = """
  live as (
    select d.* from threadesk.desk_tickets d join public.tickets t on t.id = d.ticket_id
    where t.status <> 'closed' or d.closed_at > cast(:now as timestamptz) - cast(:reopening as interval)
  )
"""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation that is read back. `triage_channel`: where what was missed in it is said; None: nowhere.

    `oldest`: the Slack ts from which on a message may matter; `since`: from which on one at top level may be new.
    `read_to`: up to when it was read last, if ever.
    """

    channel: str
    kind: Literal["support", "triage", "direct"]
    triage_channel: str | None
    oldest: str
    since: str
    read_to: dt.datetime | None


async def begin(tx: Transaction) -> None:
    """What is said in a channel from the moment when it was chosen is the desk's to know."""
    await tx.run(
        "insert into threadesk.readings (channel, read_to) select id, chosen_at from threadesk.channels"
        " where suspended is null and role <> 'none' on conflict do nothing"
    )


async def conversations(tx: Transaction, reopening: dt.timedelta) -> list[Conversation]:
    """Whatever is read: channels that are served, and direct messages with a live ticket.

    A channel that is left alone by now is read while tickets in it are live. Triage comes last, so that what customers
    wrote is known when commands are carried out. Reaches back to the oldest
    live root, and to what was read last where that is longer ago; never to before a support channel was chosen.
    """
    found = await tx.run(
        f"""
        with {LIVE}, direct as (
          select channel, min(cast(root_ts as numeric)) as root from live
          where channel like 'D%' and root_ts is not null group by channel
        ), begun as (
          insert into threadesk.readings (channel, read_to)
          select channel, to_timestamp(cast(root as float)) from direct on conflict do nothing
        ), conversations as (
          select c.id as channel, 'support' as kind, s.id as triage_channel, extract(epoch from c.chosen_at) as bound,
            (select min(cast(root_ts as numeric)) from live l where l.channel = c.id) as root
          from threadesk.channels c left join threadesk.channels s on s.id = c.triage_channel and s.suspended is null
          where c.role = 'support' or c.role = 'none' and exists (select from live l where l.channel = c.id)
          union all
          select c.id, c.role, c.id, 0, (
            select min(cast(p.ts as numeric)) from live l join threadesk.posted p on p.ticket_id = l.ticket_id
            where p.side = 'triage' and p.slot = 'card' and p.channel = c.id)
          from threadesk.channels c where c.role = 'triage' and c.suspended is null
          union all
          select channel, 'direct', (
            select id from threadesk.channels where role = 'triage' and suspended is null
            order by chosen_at desc, id desc limit 1), 0, root
          from direct
        ), ended as (
          delete from threadesk.readings where channel not in (select channel from conversations)
        )
        select c.channel, c.kind, c.triage_channel,
          cast(greatest(c.bound, least(c.root, extract(epoch from r.read_to))) as text) as oldest,
          coalesce(cast(extract(epoch from r.read_to - cast(:clocks as interval)) as text), '') as since,
          r.read_to
        from conversations c left join threadesk.readings r using (channel)
        where c.root is not null or r.read_to is not null
        order by c.kind = 'triage', c.kind = 'direct', c.channel
        """,
        now=tx.now,
        reopening=reopening,
        clocks=CLOCKS,
    )
    return [Conversation(**row) for row in found]


async def seconds_to_next(tx: Transaction, *, before: dt.datetime, every: dt.timedelta) -> float | None:
    """How long until some conversation can be read that was not read up to `before`, or not for `every` long."""
    found = await tx.run(
        """
        select min(greatest(
          case when read_to < :before then 0
               else extract(epoch from read_to + cast(:every as interval) - cast(:now as timestamptz)) end,
          extract(epoch from greatest(leased_until, clock_timestamp()) - clock_timestamp())))::float
        from threadesk.readings
        """,
        before=before,
        every=every,
        now=tx.now,
    )
    return found.scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class Lease:
    channel: str
    reader: UUID


async def claim(tx: Transaction, lease: Lease, *, before: dt.datetime, seconds: float) -> bool:
    """Leases a conversation that has not been read up to `before`; False when it has, or another reader has it."""
    claimed = await tx.run(
        """
        update threadesk.readings set lease = :lease, leased_until = clock_timestamp() + make_interval(secs => :seconds)
        where channel = :channel and read_to < :before and (leased_until <= clock_timestamp() or lease = :lease)
        returning 1
        """,
        lease=lease.reader,
        channel=lease.channel,
        before=before,
        seconds=seconds,
    )
    return bool(claimed)


async def renew(tx: Transaction, lease: Lease, *, seconds: float) -> bool:
    """False when the lease had been lost to another reader."""
    done = await tx.run(
        "update threadesk.readings set leased_until = clock_timestamp() + make_interval(secs => :seconds)"
        " where channel = :channel and lease = :lease returning 1",
        channel=lease.channel,
        lease=lease.reader,
        seconds=seconds,
    )
    return bool(done)


async def release(tx: Transaction, lease: Lease, *, read_to: dt.datetime | None = None, rest: float = 0) -> None:
    """Gives the conversation back: read up to `read_to`, and left alone for `rest` seconds."""
    await tx.run(
        """
        update threadesk.readings set lease = null,
          leased_until = clock_timestamp() + make_interval(secs => :rest),
          read_to = greatest(read_to, cast(:read_to as timestamptz))
        where channel = :channel and lease = :lease
        """,
        channel=lease.channel,
        lease=lease.reader,
        read_to=read_to,
        rest=rest,
    )


async def rest_no_longer(tx: Transaction, channel: str) -> None:
    """Slack shows the conversation again: it need not be left alone any longer."""
    await tx.run(
        "update threadesk.readings set leased_until = '-infinity' where channel = :channel and lease is null",
        channel=channel,
    )


@dataclass(frozen=True, slots=True)
class Known:
    """A message that the desk knows. `thread_ts`: its root, its own ts for one at top level; None: not known.

    `kept`: no ticket's, but kept in case that it becomes one's. `team`: the author's, where it is known.
    """

    ts: str
    thread_ts: str | None
    deleted: bool
    kept: bool
    team: str | None


async def known(tx: Transaction, channel: str, oldest: str) -> dict[str, Known]:
    """What the desk knows of a conversation from `oldest` (a Slack ts) on, by ts."""
    found = await tx.run(
        """
        select m.ts, m.thread_ts, m.deleted, false as kept,
          (select min(team_id) from threadesk.people p where p.user_id = m.created_by) as team
        from threadesk.messages m where m.channel = :channel and m.ts >= :oldest
        union all
        select e.ts, e.awaits, exists (select from threadesk.early d
            where d.channel = e.channel and d.ts = e.ts and d.event ->> 'kind' = 'deleted'), true, e.event ->> 'team'
        from threadesk.early e where e.channel = :channel and e.ts >= :oldest and e.version = ''
        """,
        channel=channel,
        oldest=oldest,
    )
    return {row.ts: Known(**row) for row in found}


async def recorded(tx: Transaction, channel: str, stamps: Iterable[str]) -> set[str]:
    """Which of Slack's messages are in tickets."""
    found = await tx.run(
        "select ts from threadesk.messages where channel = :channel and ts = any(:stamps)",
        channel=channel,
        stamps=list(stamps),
    )
    return set(found.scalars())


async def texts(tx: Transaction, channel: str, stamps: Iterable[str]) -> dict[str, str]:
    """The Slack-encoded words that are known of messages, by ts; those that are deleted are left out."""
    found = await tx.run(
        """
        select ts, source ->> 'text' as text from threadesk.messages
        where channel = :channel and ts = any(:stamps) and not deleted and source ->> 'text' is not null
        union all
        select e.ts, coalesce((select d.event ->> 'text' from threadesk.early d
            where d.channel = e.channel and d.ts = e.ts and d.version like 'edited %'
            order by d.version desc limit 1), e.event ->> 'text')
        from threadesk.early e where e.channel = :channel and e.ts = any(:stamps) and e.version = ''
          and not exists (select from threadesk.early d
            where d.channel = e.channel and d.ts = e.ts and d.event ->> 'kind' = 'deleted')
        """,
        channel=channel,
        stamps=list(stamps),
    )
    return {row.ts: row.text for row in found}


@dataclass(frozen=True, slots=True)
class Thread:
    """What Slack says of a thread, or the desk knows of it: the ts of its newest reply, and how many there are."""

    latest_reply: str
    reply_count: int


async def threads(tx: Transaction, channel: str, oldest: str) -> dict[str, Thread]:
    """What the desk knows to be in the threads of a conversation, its own posts included, by root.

    Of replies that it does not keep, such as those of bots, it knows how many there were when the thread was last read.
    """
    found = await tx.run(
        """
        select replies.thread_ts, max(ts) as latest_reply,
          (count(*) + coalesce(max(r.ignored), 0))::integer as reply_count
        from (
          select thread_ts, ts from threadesk.messages where channel = :channel and ts >= :oldest and not deleted
          union all
          select awaits, ts from threadesk.early e where channel = :channel and ts >= :oldest and version = ''
            and not exists (select from threadesk.early d
              where d.channel = e.channel and d.ts = e.ts and d.event ->> 'kind' = 'deleted')
          union all
          select thread_ts, ts from threadesk.posted where channel = :channel and ts >= :oldest and not gone
          union all
          select thread_ts, ts from threadesk.notices where channel = :channel and ts >= :oldest and kind = 'channel'
        ) as replies
        left join threadesk.read_threads r on r.channel = :channel and r.thread_ts = replies.thread_ts
        where replies.thread_ts <> ts group by replies.thread_ts
        """,
        channel=channel,
        oldest=oldest,
    )
    return {row.thread_ts: Thread(row.latest_reply, row.reply_count) for row in found}


async def read_threads(tx: Transaction, channel: str, roots: Iterable[str]) -> dict[str, Thread]:
    """What Slack said of threads when they were last read."""
    found = await tx.run(
        "select thread_ts, latest_reply, reply_count from threadesk.read_threads"
        " where channel = :channel and thread_ts = any(:roots)",
        channel=channel,
        roots=list(roots),
    )
    return {row.thread_ts: Thread(row.latest_reply, row.reply_count) for row in found}


async def remember_threads(
    tx: Transaction, channel: str, read: Mapping[str, Thread], replies: Iterable[tuple[str, str]]
) -> None:
    """Threads that were read, with all that Slack showed in them: (root, ts of a reply)."""
    shown = list(replies)
    await tx.run(
        """
        with shown as (
          select * from unnest(cast(:shown_in as text[]), cast(:shown as text[])) as s (thread_ts, ts)
        ), ignored as (
          select thread_ts, count(*)::integer as number from shown s
          where not exists (select from threadesk.messages where channel = :channel and ts = s.ts)
            and not exists (select from threadesk.early where channel = :channel and ts = s.ts)
            and not exists (select from threadesk.posted where channel = :channel and ts = s.ts)
            and not exists (select from threadesk.notices where channel = :channel and ts = s.ts)
          group by thread_ts
        )
        insert into threadesk.read_threads (channel, thread_ts, latest_reply, reply_count, ignored)
        select :channel, r.*, coalesce(i.number, 0)
        from unnest(cast(:roots as text[]), cast(:latest as text[]), cast(:counts as integer[]))
          as r (thread_ts, latest_reply, reply_count)
        left join ignored i using (thread_ts)
        on conflict (channel, thread_ts) do update set
          latest_reply = excluded.latest_reply, reply_count = excluded.reply_count, ignored = excluded.ignored
        """,
        channel=channel,
        roots=list(read),
        latest=[one.latest_reply for one in read.values()],
        counts=[one.reply_count for one in read.values()],
        shown_in=[root for root, _ in shown],
        shown=[ts for _, ts in shown],
    )


async def ticket_threads(tx: Transaction, channel: str, roots: Sequence[str]) -> set[str]:
    """Which threads are tickets'."""
    found = await tx.run(
        "select thread_ts from threadesk.threads where channel = :channel and thread_ts = any(:roots)",
        channel=channel,
        roots=list(roots),
    )
    return set(found.scalars())


async def acted(tx: Transaction, keys: Iterable[str]) -> set[str]:
    """Which commands have been carried out already."""
    found = await tx.run("select key from threadesk.acted where key = any(:keys)", keys=list(keys))
    return set(found.scalars())
