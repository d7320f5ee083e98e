"""What is to be shown in Slack, what Slack shows already, and whose turn it is.

A lane is a channel's: its posts keep their order and their pace. It is closed while Slack refuses all that is sent
there; what is marked in a suspended triage channel waits as well.

`now` (the Clock's) decides what is due; leases, pace and pauses are physical time, so they use the database's clock,
which all replicas share.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, LiteralString
from uuid import UUID, uuid4

from storage.engine import Transaction
from storage.notices import Attempts, Notice
from storage.tickets import WORD, AuthorRole, Side, word_of

#: The lane of the whole workspace: closed while Slack refuses the desk's token.
DESK = "slack"
UPDATES = "chat.update"

#: The lanes in which something waits, each with the time at which its head is due. One index probe a lane, however
#: many tickets wait in it: https://wiki.postgresql.org/wiki/Loose_indexscan
HEADS: LiteralString = """
  with recursive marked as (
    (select lane, due_at from threadesk.to_show where parked is null and not later order by lane, due_at limit 1)
    union all
    select n.lane, n.due_at from marked m cross join lateral (
      select lane, due_at from threadesk.to_show where parked is null and not later and lane > m.lane
      order by lane, due_at limit 1) as n
  ), patient as (
    (select lane, due_at from threadesk.to_show where parked is null and later order by lane, due_at limit 1)
    union all
    select n.lane, n.due_at from patient p cross join lateral (
      select lane, due_at from threadesk.to_show where parked is null and later and lane > p.lane
      order by lane, due_at limit 1) as n
  ), noticed as (
    (select lane, due_at from threadesk.notices where sent_at is null and refused is null
     order by lane, due_at limit 1)
    union all
    select n.lane, n.due_at from noticed m cross join lateral (
      select lane, due_at from threadesk.notices where sent_at is null and refused is null and lane > m.lane
      order by lane, due_at limit 1) as n
  ), desk as (
    select coalesce(max(free_at), '-infinity') as free_at, count(closed_since) > 0 as closed
    from threadesk.lanes where lane = 'slack'
  ), heads as (
    select w.lane, min(w.due_at) as due_at, greatest(max(l.free_at), (select free_at from desk)) as free_at,
      coalesce(max(l.leased_until), '-infinity') as leased_until
    from (
      select * from (table marked union all table patient) as m
      where not exists (select from threadesk.channels c where c.id = m.lane and c.suspended is not null)
      union all table noticed
    ) as w left join threadesk.lanes l using (lane) group by w.lane
  )
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """`closed`, `desk_closed`: Slack refused what was sent last in the lane, or by the desk at all."""

    lane: str
    id: UUID
    closed: bool = False
    desk_closed: bool = False


async def take_lanes(tx: Transaction, *, most: int, seconds: float) -> list[Lease]:
    """Leases lanes in which something is due, the ones that waited longest first.

    One at a time while Slack does not take the desk's token: it finds out whether Slack does so again.
    """
    lease = uuid4()
    taken = await tx.run(
        f"""
        {HEADS}, ready as (
          select lane from heads
          where due_at <= :now and free_at <= clock_timestamp() and leased_until <= clock_timestamp()
          order by free_at, due_at limit (select case when closed then least(:most, 1) else :most end from desk)
        ), probing as (
          update threadesk.lanes set free_at = clock_timestamp() + make_interval(secs => :seconds)
          where lane = 'slack' and closed_since is not null and exists (select from ready)
        )
        insert into threadesk.lanes as l (lane, lease, leased_until)
        select lane, :lease, clock_timestamp() + make_interval(secs => :seconds) from ready order by lane
        on conflict (lane) do update set lease = excluded.lease, leased_until = excluded.leased_until
          where l.leased_until <= clock_timestamp() and l.free_at <= clock_timestamp()
        returning lane, closed_since is not null as closed, (select closed from desk) as desk_closed
        """,
        now=tx.now,
        most=most,
        seconds=seconds,
        lease=lease,
    )
    return [Lease(row.lane, lease, row.closed, row.desk_closed) for row in taken]


async def seconds_to_next(tx: Transaction) -> float | None:
    """How long until some lane can go on; None when nothing waits."""
    found = await tx.run(
        f"""
        {HEADS} select min(greatest(extract(epoch from due_at - :now), extract(epoch from
          greatest(free_at, leased_until, clock_timestamp()) - clock_timestamp())))::float from heads
        """,
        now=tx.now,
    )
    return found.scalar_one_or_none()


async def release(tx: Transaction, lease: Lease, *, rest: float) -> bool:
    """Gives the lane back, free again after `rest` seconds. False when the lease had been lost to somebody else."""
    done = await tx.run(
        """
        update threadesk.lanes set lease = null, leased_until = '-infinity',
          free_at = greatest(free_at, clock_timestamp() + make_interval(secs => :rest))
        where lane = :lane and lease = :lease returning 1
        """,
        lane=lease.lane,
        lease=lease.id,
        rest=rest,
    )
    return bool(done)


async def renew(tx: Transaction, lease: Lease, *, seconds: float) -> bool:
    """Begins the lease anew, before something that must not be done twice. False when it had been lost."""
    done = await tx.run(
        """
        update threadesk.lanes set leased_until = clock_timestamp() + make_interval(secs => :seconds)
        where lane = :lane and lease = :lease returning 1
        """,
        lane=lease.lane,
        lease=lease.id,
        seconds=seconds,
    )
    return bool(done)


async def holds(tx: Transaction, lease: Lease) -> bool:
    """Whether the lease is still ours; it then stays so until this transaction ends."""
    found = await tx.run(
        "select 1 from threadesk.lanes where lane = :lane and lease = :lease for update",
        lane=lease.lane,
        lease=lease.id,
    )
    return found.one_or_none() is not None


async def hold_back(tx: Transaction, lanes: Collection[str]) -> None:
    """Lets no courier record anything in the lanes until this transaction ends: before what waits there is changed."""
    await tx.run(
        "select 1 from threadesk.lanes where lane = any(:lanes) order by lane = 'slack', lane for update",
        lanes=list(lanes),
    )


async def place_in_budget(tx: Transaction, name: str, *, every: float, burst: int) -> float:
    """Takes the next place in a budget of one call `every` seconds, `burst` at once; returns the seconds until then."""
    taken = await tx.run(
        """
        insert into threadesk.lanes as l (lane, free_at)
        values (:name, clock_timestamp() + make_interval(secs => :every))
        on conflict (lane) do update
          set free_at = greatest(l.free_at, clock_timestamp()) + make_interval(secs => :every)
        returning extract(epoch from free_at - clock_timestamp())::float
        """,
        name=name,
        every=every,
    )
    return max(0.0, float(taken.scalar_one()) - every * burst)


async def pause(tx: Transaction, name: str, seconds: float) -> None:
    await tx.run(
        """
        insert into threadesk.lanes as l (lane, free_at)
        values (:name, clock_timestamp() + make_interval(secs => :seconds))
        on conflict (lane) do update set free_at = greatest(l.free_at, excluded.free_at)
        """,
        name=name,
        seconds=seconds,
    )


async def delay_updates(tx: Transaction, seconds: float) -> None:
    """Moves the places that were given out in the budget of updates, however many they are.

    Of several updates that were under way together, each one is limited: they are one pause, not one after the other.
    """
    # A budget is leased by nobody: until then its pause lasts.
    await tx.run(
        """
        with moment as (select clock_timestamp() as now)
        update threadesk.lanes set leased_until = greatest(leased_until, now + make_interval(secs => :seconds)),
          shifted = shifted + greatest(0, :seconds - extract(epoch from greatest(leased_until, now) - now)::float)
        from moment where lane = :lane
        """,
        seconds=seconds,
        lane=UPDATES,
    )


SHIFTED: LiteralString = """
  make_interval(secs => coalesce((select shifted from threadesk.lanes where lane = 'chat.update'), 0))
"""


async def close(tx: Transaction, lane: str, why: str, *, first: float, longest: float, probing: bool = False) -> bool:
    """Slack refuses what is sent in the lane, because of `why`; True when it did not so far.

    The lane rests for `first` seconds, then for twice as long each time, `longest` at most. Of several calls that were
    under way the first one counts; one that was made to find out (`probing`) always does.
    """
    closed = await tx.run(
        """
        insert into threadesk.lanes as l (lane, free_at, closed_since, closed_why, refusals)
        values (:lane, clock_timestamp() + make_interval(secs => :first), :now, :why, 1)
        on conflict (lane) do update set closed_since = coalesce(l.closed_since, excluded.closed_since),
          closed_why = excluded.closed_why, refusals = l.refusals + 1,
          free_at = clock_timestamp() + make_interval(secs => least(:longest, :first * power(2, least(l.refusals, 20))))
        where l.free_at <= clock_timestamp() or :probing
        returning closed_since = :now and refusals = 1
        """,
        lane=lane,
        why=why,
        now=tx.now,
        first=first,
        longest=longest,
        probing=probing,
    )
    return bool(closed.scalar_one_or_none())


async def open_again(tx: Transaction, lane: str) -> int | None:
    """Slack takes what is sent in the lane; how many tickets and notices wait there. None: it was not closed."""
    opened = await tx.run(
        """
        update threadesk.lanes set closed_since = null, closed_why = null, refusals = 0,
          free_at = case lane when 'slack' then clock_timestamp() else free_at end
        where lane = :lane and closed_since is not null
        returning (select count(*) from threadesk.to_show where lane = :lane and parked is null)
          + (select count(*) from threadesk.notices where lane = :lane and sent_at is null and refused is null)
        """,
        lane=lane,
    )
    return opened.scalar_one_or_none()


async def is_closed(tx: Transaction, lane: str) -> bool:
    """Whether Slack refuses what is sent in the lane, as far as is known."""
    found = await tx.run("select 1 from threadesk.lanes where lane = :lane and closed_since is not null", lane=lane)
    return found.one_or_none() is not None


async def wake(tx: Transaction, lane: str | None = None) -> None:
    """What was closed may be open again: the lane, or every one, is tried at once."""
    # In the order in which couriers take lanes, so that neither waits for the other.
    await tx.run(
        """
        with closed as (
          select lane from threadesk.lanes where closed_since is not null and lane = coalesce(:lane, lane)
          order by lane = 'slack', lane for update
        )
        update threadesk.lanes l set free_at = least(free_at, clock_timestamp()), refusals = 0
        from closed where l.lane = closed.lane
        """,
        lane=lane,
    )
    await tx.run("select pg_notify('threadesk', '')")


@dataclass(frozen=True, slots=True)
class Mark:
    """`failures`: of the desk's own, in a row; `attempts`: those without an answer of Slack's among them."""

    ticket_id: UUID
    side: Side
    version: int
    attempts: int
    update_at: dt.datetime | None
    failures: int


MARKED: LiteralString = f"""
  select ticket_id, side, version, attempts, update_at + {SHIFTED} as update_at, failures, due_at
  from threadesk.to_show
  where lane = :lane and due_at <= :now and parked is null
    and not exists (select from threadesk.channels c where c.id = :lane and c.suspended is not null)
"""


async def head(tx: Transaction, lane: str) -> Mark | Notice | None:
    """What has waited longest in the lane and is due; without any, the newest of what can wait (`to_show.later`)."""
    marked = await tx.run(
        f"{MARKED} and not later order by due_at, ticket_id limit 1",
        lane=lane,
        now=tx.now,
    )
    noticed = await tx.run(
        "select id, key, kind, slack_id, channel, thread_ts, message, attempts, failures, due_at"
        " from threadesk.notices where lane = :lane and sent_at is null and refused is null and due_at <= :now"
        " order by due_at, id limit 1",
        lane=lane,
        now=tx.now,
    )
    mark, notice = marked.one_or_none(), noticed.one_or_none()
    if notice is not None and (mark is None or notice.due_at <= mark.due_at):
        values = dict(notice)
        del values["due_at"]
        return Notice(**values)
    if mark is None:
        later = await tx.run(f"{MARKED} and later order by due_at desc, ticket_id desc limit 1", lane=lane, now=tx.now)
        mark = later.one_or_none()
    if mark is None:
        return None
    return Mark(mark.ticket_id, mark.side, mark.version, mark.attempts, mark.update_at, mark.failures)


async def shown(tx: Transaction, mark: Mark) -> None:
    """Slack shows the ticket as it was at `mark.version`; a change that came meanwhile stays marked."""
    await tx.run(
        "delete from threadesk.to_show where ticket_id = :id and side = :side and version = :version",
        id=mark.ticket_id,
        side=mark.side,
        version=mark.version,
    )


async def go_on(tx: Transaction, mark: Mark, *, updated: bool) -> None:
    """A step was taken: failures before it are over, and so is the place in the budget of updates if it was one."""
    await tx.run(
        """
        update threadesk.to_show
        set attempts = 0, failures = 0, update_at = case when not :updated then update_at end
        where ticket_id = :id and side = :side
        """,
        id=mark.ticket_id,
        side=mark.side,
        updated=updated,
    )


async def put_off(
    tx: Transaction,
    mark: Mark,
    seconds: float,
    *,
    failed: bool = False,
    reserved: bool = False,
    changed_too: bool = False,
) -> None:
    """Looks at the ticket again in `seconds`: after a failure, or at the place `reserved` in the budget of updates.

    A change that came meanwhile is looked at when it is due, unless `changed_too`: it may be another message, which
    need not wait.
    """
    await tx.run(
        f"""
        update threadesk.to_show set
          due_at = case when version = :version or :changed_too
                        then cast(:now as timestamptz) + make_interval(secs => :seconds) else due_at end,
          attempts = attempts + cast(:failed as integer),
          update_at = case when :reserved
            then cast(:now as timestamptz) + make_interval(secs => :seconds) - {SHIFTED} end
        where ticket_id = :id and side = :side
        """,
        id=mark.ticket_id,
        side=mark.side,
        version=mark.version,
        seconds=seconds,
        failed=int(failed),
        reserved=reserved,
        changed_too=changed_too,
        now=tx.now,
    )


async def failed(tx: Transaction, mark: Mark, seconds: float, *, park_as: str | None) -> None:
    """The desk could not show the ticket: again in `seconds`, or when it changes where it is parked."""
    await put_off(tx, mark, seconds, failed=True)
    await tx.run(
        """
        update threadesk.to_show set failures = failures + 1, parked = case when version = :version then :reference end
        where ticket_id = :id and side = :side
        """,
        id=mark.ticket_id,
        side=mark.side,
        version=mark.version,
        reference=park_as,
    )


async def told_where(tx: Transaction, ticket_id: UUID) -> tuple[int, str | None]:
    """A ticket's number and triage channel, however its row may be."""
    found = await tx.run(
        "select number, triage_channel from threadesk.desk_tickets where ticket_id = :id", id=ticket_id
    )
    row = found.one()
    return row.number, row.triage_channel


async def mark(tx: Transaction, ticket_id: UUID, *, pressing: bool = True) -> None:
    """Marks a ticket whose row did not change, but what is to be shown of it did (a held reply, a name learnt).

    What is not `pressing` comes after what people wait for, where much waits already.
    """
    await tx.run(
        "select threadesk.mark(:id, :now, cast(:can_wait as boolean))", id=ticket_id, now=tx.now, can_wait=not pressing
    )


@dataclass(frozen=True, slots=True)
class Posted:
    """A message of the desk. `ts` None: it may or may not have been sent. `shows`: fingerprint of what it shows."""

    id: UUID
    side: Side
    slot: str
    channel: str
    thread_ts: str | None
    ts: str | None
    shows: str | None
    version: int
    attempted_at: dt.datetime | None
    gone: bool
    refused: str | None


def posted_of(row: Any) -> Posted | None:
    """Of a row of an outer join with `posted`, by the names of its columns; None where there is none."""
    return None if row.id is None else Posted(**{name: getattr(row, name) for name in Posted.__slots__})


POSTED: LiteralString = "id, side, slot, channel, thread_ts, ts, shows, version, attempted_at, gone, refused"


async def posted(tx: Transaction, ticket_id: UUID) -> dict[tuple[Side, str], Posted]:
    """What the desk has posted of a ticket beside its messages, by side and slot."""
    found = await tx.run(
        f"select {POSTED} from threadesk.posted where ticket_id = :id and slot not like 'message:%'",
        id=ticket_id,
    )
    return {(row.side, row.slot): Posted(**row) for row in found}


async def unwanted(tx: Transaction, ticket_id: UUID, side: Side) -> Posted | None:
    """A message that is to be taken away because it was erased what it shows; it stands in Slack, or may do so."""
    found = await tx.run(
        f"""
        select {POSTED} from threadesk.posted
        where ticket_id = :id and side = :side and removing and not gone
          and (refused is null and ts is not null
            or ts is null and attempted_at is not null and coalesce(refused, '') in ('', 'nobody to tell')) limit 1
        """,
        id=ticket_id,
        side=side,
    )
    row = found.one_or_none()
    return Posted(**row) if row else None


@dataclass(frozen=True, slots=True)
class Unshown:
    """A message or note that one side of the ticket does not show as it is now."""

    message_id: UUID
    kind: Literal["message", "note"]
    created_at: dt.datetime
    created_by: UUID | None
    author_role: AuthorRole
    side: Side | None
    source: Mapping[str, Any] | None
    version: int
    word: Mapping[str, Any]
    posted: Posted | None
    channel: str | None = None
    ts: str | None = None
    thread_ts: str | None = None


async def next_unshown(tx: Transaction, ticket_id: UUID, side: Side) -> Unshown | None:
    """The oldest message that did not originate on this side and is not shown there, or not in its present version.

    The customer's side never gets a note. A reply from triage is shown there by the message that offers to undo it.
    """
    kinds = ["message"] if side == "customer" else ["message", "note"]
    found = await tx.run(
        f"""
        select m.message_id, m.kind, m.created_at, m.created_by, m.author_role, m.side as from_side, m.source,
          m.version as message_version, m.channel as from_channel, m.ts as from_ts, m.thread_ts as from_thread, w.word,
          p.id, p.side, p.slot, p.channel, p.thread_ts, p.ts, p.shows, p.version, p.attempted_at, p.gone, p.refused
        from threadesk.messages m
        join public.tickets t on t.id = m.ticket_id
        left join threadesk.posted p
          on p.ticket_id = m.ticket_id and p.side = :side and p.slot = 'message:' || m.message_id
        {WORD}
        where m.ticket_id = :id and m.side is distinct from :side and m.kind = any(:kinds)
          and (case when p.id is null then not m.deleted
                    else p.refused is null and not p.gone and (p.ts is null or p.version < m.version) end)
          and not (:side = 'triage' and exists (select from threadesk.replies r where r.id = m.message_id))
        order by m.created_at, m.message_id limit 1
        """,
        id=ticket_id,
        side=side,
        kinds=kinds,
    )
    row = found.one_or_none()
    if row is None:
        return None
    return Unshown(
        row.message_id,
        row.kind,
        row.created_at,
        row.created_by,
        row.author_role,
        row.from_side,
        row.source,
        row.message_version,
        word_of(row.word, row.kind, row.created_at),
        posted_of(row),
        row.from_channel,
        row.from_ts,
        row.from_thread,
    )


async def fate(tx: Transaction, ticket_id: UUID, message_id: UUID) -> Literal["sent", "waiting", "unsent"]:
    """What became of a message for the customer that is in the conversation; what is just on its way counts as sent."""
    found = await tx.run(
        """
        select case when p.ts is not null then 'sent' when p.refused is not null then 'unsent'
          when l.closed_since is not null then 'waiting' else 'sent' end
        from threadesk.desk_tickets d
        left join threadesk.posted p on p.ticket_id = d.ticket_id and p.side = 'customer' and p.slot = :slot
        left join threadesk.lanes l on l.lane = d.channel
        where d.ticket_id = :id
        """,
        id=ticket_id,
        slot=f"message:{message_id}",
    )
    became: Literal["sent", "waiting", "unsent"] = found.scalar_one()
    return became


async def begin_post(
    tx: Transaction, ticket_id: UUID, side: Side, slot: str, channel: str, thread_ts: str | None, *, settle: float
) -> tuple[UUID, Attempts | None]:
    """Notes that a message is about to be sent, or looked for before an attempt is `settle` seconds old.

    Returns its id and the earlier attempts.
    """
    begun = await tx.run(
        """
        with earlier as (
          select attempted_at, greatest(0, extract(epoch from
            tried_at + make_interval(secs => :settle) - clock_timestamp()))::float as unsettled
          from threadesk.posted where ticket_id = :id and side = :side and slot = :slot
        )
        insert into threadesk.posted as p (ticket_id, side, slot, channel, thread_ts, attempted_at, tried_at)
        values (:id, :side, :slot, :channel, :thread_ts, clock_timestamp(), clock_timestamp())
        on conflict (ticket_id, side, slot) do update set channel = excluded.channel,
          thread_ts = excluded.thread_ts, attempted_at = coalesce(p.attempted_at, excluded.attempted_at),
          tried_at = case when p.tried_at > clock_timestamp() - make_interval(secs => :settle) then p.tried_at
                          else excluded.tried_at end
        returning p.id, (select attempted_at from earlier) as since, (select unsettled from earlier) as unsettled
        """,
        id=ticket_id,
        side=side,
        slot=slot,
        channel=channel,
        thread_ts=thread_ts,
        settle=settle,
    )
    row = begun.one()
    return row.id, Attempts(row.since, row.unsettled) if row.since else None


async def begin_change(tx: Transaction, posted_id: UUID, *, settle: float) -> float:
    """Notes that a message is about to be changed, unless an attempt younger than `settle` seconds has no known end.

    Returns the seconds until that attempt has ended for certain: what it says may arrive until then.
    """
    begun = await tx.run(
        """
        with earlier as (
          select coalesce(greatest(0, extract(epoch from
            tried_at + make_interval(secs => :settle) - clock_timestamp())), 0)::float as unsettled
          from threadesk.posted where id = :id
        )
        update threadesk.posted set tried_at = case when unsettled > 0 then tried_at else clock_timestamp() end
        from earlier where id = :id returning unsettled
        """,
        id=posted_id,
        settle=settle,
    )
    return float(begun.scalar_one())


async def record(tx: Transaction, posted_id: UUID, channel: str, ts: str, shows: str, version: int) -> None:
    """The message is in Slack, as (channel, ts), and shows this."""
    await tx.run(
        "update threadesk.posted set channel = :channel, ts = :ts, shows = :shows, version = :version, refused = null,"
        " tried_at = null where id = :id",
        id=posted_id,
        channel=channel,
        ts=ts,
        shows=shows,
        version=version,
    )


async def accepted(tx: Transaction, posted_id: UUID, shows: str) -> None:
    """Slack has taken what it will post when it has looked through it: that is not sent again, but looked for."""
    await tx.run("update threadesk.posted set shows = :shows where id = :id", id=posted_id, shows=shows)


async def known_unsent(tx: Transaction, posted_id: UUID) -> None:
    """Slack has said that it did not take the message, or its change: it need not be looked for, nor waited for."""
    await tx.run(
        "update threadesk.posted set attempted_at = case when ts is not null then attempted_at end, tried_at = null"
        " where id = :id",
        id=posted_id,
    )


async def gone(tx: Transaction, posted_id: UUID) -> None:
    await tx.run("update threadesk.posted set gone = true where id = :id", id=posted_id)


async def lost(tx: Transaction, posted_id: UUID, *, renewals: int) -> None:
    """Somebody has deleted the message in Slack. A card or status message is posted anew, so many times at most: at
    once, or when the ticket changes where it is closed. Others are gone.
    """
    found = await tx.run(
        """
        update threadesk.posted p set
          gone = not again, renewals = renewals + again::integer,
          ts = case when not again then ts end, shows = case when not again then shows end,
          attempted_at = case when not again then attempted_at end, tried_at = null
        from (
          select id, slot in ('card', 'status') and renewals < :renewals as again from threadesk.posted
          where id = :id and not gone
        ) as l
        where p.id = l.id
        returning p.ticket_id, again and exists (
          select from public.tickets t where t.id = p.ticket_id and t.status <> 'closed') as at_once
        """,
        id=posted_id,
        renewals=renewals,
    )
    row = found.one_or_none()
    if row is not None and row.at_once:
        await mark(tx, row.ticket_id)


async def posted_as(tx: Transaction, channel: str, ts: str) -> UUID | None:
    """The message of the desk's that Slack knows, or knew, by (channel, ts)."""
    found = await tx.run(
        "select id from threadesk.posted where channel = :channel and ts = :ts", channel=channel, ts=ts
    )
    return found.scalar_one_or_none()


async def refuse(tx: Transaction, posted_id: UUID, why: str) -> None:
    """Slack will never take this message: it is parked and holds nobody up."""
    await tx.run("update threadesk.posted set refused = :why where id = :id", id=posted_id, why=why)


async def is_ours(tx: Transaction, channel: str, ts: str) -> UUID | None:
    """The ticket whose message of the desk (channel, ts) is."""
    found = await tx.run(
        "select ticket_id from threadesk.posted where channel = :channel and ts = :ts", channel=channel, ts=ts
    )
    owner = found.scalar_one_or_none()
    return UUID(str(owner)) if owner else None


@dataclass(frozen=True, slots=True)
class Happening:
    """A change in the ledger that the assignees must notice. `by_message`: a customer's message brought it about.

    `by_desk`: the desk itself made it, as where somebody's turn has come.
    """

    id: int
    at: dt.datetime
    what: Literal["assigned_to", "status"]
    actor: UUID | None
    before: Any
    after: Any
    by_message: bool
    by_desk: bool


async def to_be_noticed(tx: Transaction, ticket_id: UUID) -> list[Happening]:
    """Assignments and reopenings that were neither said in the triage thread nor passed over, oldest first."""
    found = await tx.run(
        """
        select l.id, l.at, l.what, l.actor, l.before, l.after, l.role = 'desk' as by_desk,
          -- The message carries Slack's time, the change the desk's: what they share is the transaction.
          l.role = 'customer' and exists (select from threadesk.ledger m
            where m.ticket_id = l.ticket_id and m.what = 'message' and m.xmin = l.xmin) as by_message
        from threadesk.ledger l
        where l.ticket_id = :id
          and (l.what = 'assigned_to' or l.what = 'status' and l.before = '"closed"')
          and not exists (select from threadesk.posted p where p.ticket_id = l.ticket_id and p.side = 'triage'
            and p.slot = 'event:' || l.id and (p.ts is not null or p.refused is not null))
        order by l.id
        """,
        id=ticket_id,
    )
    return [Happening(**row) for row in found]


async def pass_over(tx: Transaction, ticket_id: UUID, happening: int, channel: str) -> None:
    """Nobody is to be told of the happening: not later either, when others are assigned."""
    await tx.run(
        """
        insert into threadesk.posted (ticket_id, side, slot, channel, refused)
        values (:id, 'triage', 'event:' || cast(:happening as bigint), :channel, 'nobody to tell')
        on conflict (ticket_id, side, slot) do update set refused = excluded.refused
        """,
        id=ticket_id,
        happening=happening,
        channel=channel,
    )


async def rated_since(tx: Transaction, requester: UUID, at: dt.datetime) -> bool:
    """Whether this person has rated a ticket since then."""
    found = await tx.run(
        """
        select exists (
          select from threadesk.desk_tickets d join threadesk.ledger l using (ticket_id)
          where d.requester = :who and l.what = 'rating' and l.at > :at and l.after <> 'null')
        """,
        who=requester,
        at=at,
    )
    return bool(found.scalar_one())


async def answered_closing(tx: Transaction, ticket_id: UUID) -> int:
    """Of which of the ticket's closings, counted from 1, its latest rating speaks; 0: it had not been closed."""
    found = await tx.run(
        """
        select count(*) from threadesk.ledger l
        where l.ticket_id = :id and l.status = 'closed' and l.id < (
          select max(id) from threadesk.ledger r where r.ticket_id = :id and r.what = 'rating')
        """,
        id=ticket_id,
    )
    return int(found.scalar_one())
