"""Files of messages that are uploaded again on the other side of their ticket.

Uploading happens beside the lanes, since it takes long; the message that shows the uploaded files is posted in its
lane. What is due is decided by the Clock's `now`, leases by the database's clock, as in `showing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from storage.engine import Transaction
from storage.showing import Posted, posted_of
from storage.tickets import AuthorRole, Side


@dataclass(frozen=True, slots=True)
class Task:
    """A file to be copied; with `removing`, a copy to be deleted, where there is one. `lease`: who is at it."""

    id: UUID
    ticket_id: UUID
    original: str
    name: str
    copy: str | None
    removing: bool
    failures: int
    lease: UUID


async def begin(
    tx: Transaction, ticket_id: UUID, side: Side, message_id: UUID, files: Sequence[tuple[str, str]]
) -> bool:
    """A message's files, each (Slack's id, name), are to be copied to `side`. False: none that was not begun before."""
    begun = await tx.run(
        """
        insert into threadesk.copies (ticket_id, side, message_id, original, name, place, due_at)
        select :ticket_id, :side, :message_id, original, name, place, :now
        from unnest(cast(:originals as text[]), cast(:names as text[])) with ordinality as f (original, name, place)
        -- It may have been deleted meanwhile, or one of its files.
        where exists (select from threadesk.messages m where message_id = :message_id and not deleted
          and m.source -> 'files' @> jsonb_build_array(jsonb_build_object('id', f.original)) for share)
        on conflict do nothing returning 1
        """,
        ticket_id=ticket_id,
        side=side,
        message_id=message_id,
        originals=[original for original, _ in files],
        names=[name for _, name in files],
        now=tx.now,
    )
    return bool(begun)


async def take(tx: Transaction, *, most: int, seconds: float, settle: float) -> list[Task]:
    """Leases what is due. A copy whose message is just being posted is deleted when that has ended for certain, after
    `settle` seconds."""
    lease = uuid4()
    taken = await tx.run(
        """
        with due as (
          select c.id from threadesk.copies c
          where (removing and not removed or not removing and copy is null and refused is null)
            and due_at <= :now and leased_until <= clock_timestamp()
            and not (removing and exists (select from threadesk.posted p
              where p.ticket_id = c.ticket_id and p.side = c.side and p.slot = 'files:' || c.message_id
                and p.ts is null and p.tried_at > clock_timestamp() - make_interval(secs => :settle)))
          order by due_at limit :most for update skip locked
        )
        update threadesk.copies c set lease = :lease,
          leased_until = clock_timestamp() + make_interval(secs => :seconds)
        from due where c.id = due.id
        returning c.id, c.ticket_id, c.original, c.name, c.copy, c.removing, c.failures, c.lease
        """,
        now=tx.now,
        most=most,
        seconds=seconds,
        settle=settle,
        lease=lease,
    )
    return [Task(**row) for row in taken]


async def uploaded(tx: Transaction, task: Task, copy: str) -> bool:
    """The file is uploaded, as `copy`, and not shared yet. False when the lease was lost."""
    return await _end(tx, task, copy=copy)


async def refuse(tx: Transaction, task: Task, why: str) -> bool:
    """There will be no copy; a link must do. False when the lease was lost."""
    return await _end(tx, task, refused=why)


async def remove(tx: Transaction, message_id: UUID, originals: Sequence[str]) -> None:
    """Some files of a message were taken away from it: no copy of theirs is to be left in Slack."""
    await tx.run(
        "update threadesk.copies set removing = true, due_at = :now, failures = 0"
        " where message_id = :message_id and original = any(:originals) and not removing",
        message_id=message_id,
        originals=list(originals),
        now=tx.now,
    )


async def removed(tx: Transaction, task: Task) -> bool:
    return await _end(tx, task, removed=True)


async def _end(
    tx: Transaction, task: Task, *, copy: str | None = None, refused: str | None = None, removed: bool = False
) -> bool:
    done = await tx.run(
        """
        update threadesk.copies set copy = coalesce(:copy, copy), refused = coalesce(:refused, refused),
          removed = :removed, failures = 0, lease = null, leased_until = '-infinity'
        where id = :id and lease = :lease returning 1
        """,
        id=task.id,
        lease=task.lease,
        copy=copy,
        refused=refused,
        removed=removed,
    )
    return bool(done)


async def put_off(tx: Transaction, task: Task, seconds: float, *, failed: bool) -> None:
    """It is tried again in `seconds`, or when its message is deleted."""
    await tx.run(
        """
        update threadesk.copies set failures = failures + cast(:failed as integer), lease = null,
          leased_until = '-infinity',
          due_at = case when removing = :removing
                        then cast(:now as timestamptz) + make_interval(secs => :seconds) else due_at end
        where id = :id and lease = :lease
        """,
        id=task.id,
        lease=task.lease,
        seconds=seconds,
        failed=int(failed),
        removing=task.removing,
        now=tx.now,
    )


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files of one message that are uploaded and not shown yet: each (id of the copy, name)."""

    message_id: UUID
    created_by: UUID | None
    author_role: AuthorRole
    files: Sequence[tuple[str, str]]
    posted: Posted | None


async def next_bundle(tx: Transaction, ticket_id: UUID, side: Side) -> Bundle | None:
    """Of the oldest message whose files are all uploaded, or refused, and not shown on `side`."""
    found = await tx.run(
        """
        select m.message_id, m.created_by, m.author_role, c.files,
          p.id, p.side, p.slot, p.channel, p.thread_ts, p.ts, p.shows, p.version, p.attempted_at, p.gone, p.refused
        from (
          select message_id, jsonb_agg(jsonb_build_array(copy, name) order by place) filter (where copy is not null)
            as files
          from threadesk.copies where ticket_id = :id and side = :side and not removing group by message_id
          having bool_and(copy is not null or refused is not null) and bool_or(copy is not null)
        ) as c join threadesk.messages m using (message_id)
        left join threadesk.posted p
          on p.ticket_id = :id and p.side = :side and p.slot = 'files:' || c.message_id
        where not m.deleted and (p.id is null or p.ts is null and p.refused is null and not p.gone)
        order by m.created_at, m.message_id limit 1
        """,
        id=ticket_id,
        side=side,
    )
    row = found.one_or_none()
    if row is None:
        return None
    return Bundle(
        row.message_id,
        row.created_by,
        row.author_role,
        [(str(copy), str(name)) for copy, name in row.files],
        posted_of(row),
    )


async def outlived(tx: Transaction, ticket_id: UUID, side: Side) -> Posted | None:
    """A message that shows files of one that was deleted, or of which all were taken away."""
    found = await tx.run(
        """
        select p.id, p.side, p.slot, p.channel, p.thread_ts, p.ts, p.shows, p.version, p.attempted_at, p.gone, p.refused
        from threadesk.posted p join threadesk.messages m on p.slot = 'files:' || m.message_id
        where p.ticket_id = :id and p.slot like 'files:%' and m.ticket_id = :id and p.side = :side
          and (m.deleted or (
            select bool_and(c.removing) from threadesk.copies c
            where c.message_id = m.message_id and c.side = p.side and c.refused is null))
          and p.ts is not null and not p.gone and p.refused is null limit 1
        """,
        id=ticket_id,
        side=side,
    )
    row = found.one_or_none()
    return posted_of(row) if row else None
