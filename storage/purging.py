"""What is long over and can be forgotten."""

from __future__ import annotations

from typing import LiteralString

from storage.engine import Transaction

BATCH = 500

#: A command by mention stands in its channel for good, where it may be read again at any time: it is remembered for
#: good as well. A form is sent once. Of a digest there is one for its period, however late somebody asks for it again.
OVER: dict[str, LiteralString] = {
    "acted": """
      delete from threadesk.acted where key in (
        select key from threadesk.acted where at < cast(:now as timestamptz) - interval '7 days'
          and key not like 'mention:%' order by at limit :batch for update skip locked)
      returning 1
    """,
    "notices": """
      delete from threadesk.notices where id in (
        select id from threadesk.notices
        where (sent_at is not null or refused is not null) and key not like 'digest:%'
          and coalesce(sent_at, made_at) < cast(:now as timestamptz) - interval '7 days'
          and (sent_at is not null or refused in ('suspended', 'dropped')
            or made_at < cast(:now as timestamptz) - interval '90 days')
        order by coalesce(sent_at, made_at) limit :batch for update skip locked)
      returning 1
    """,
    # Only that there is one must be known; its words quote customers.
    "digests": """
      update threadesk.notices set message = '{}' where id in (
        select id from threadesk.notices
        where sent_at < cast(:now as timestamptz) - interval '7 days' and key like 'digest:%' and message <> '{}'
        order by sent_at limit :batch for update skip locked)
      returning 1
    """,
    "digests_due": """
      delete from threadesk.digests_due where id in (
        select id from threadesk.digests_due
        where outcome is not null and due_at < cast(:now as timestamptz) - interval '90 days'
        order by due_at limit :batch for update skip locked)
      returning 1
    """,
    "early": """
      delete from threadesk.early where (channel, ts, version) in (
        select channel, ts, version from threadesk.early
        where arrived_at < cast(:now as timestamptz) - interval '90 days'
        order by arrived_at limit :batch for update skip locked)
      returning 1
    """,
    # Nobody leaves a form open for so long.
    "picked": """
      delete from threadesk.picked where id in (
        select id from threadesk.picked where picked_at < cast(:now as timestamptz) - interval '1 day'
        order by picked_at limit :batch for update skip locked)
      returning 1
    """,
}


async def purge(tx: Transaction, *, batch: int = BATCH) -> dict[str, int]:
    """Forgets so many rows of each kind at most; how many they were, by table."""
    return {table: len(await tx.run(statement, now=tx.now, batch=batch)) for table, statement in OVER.items()}
