"""A channel that Slack has given another id: https://docs.slack.dev/reference/events/channel_id_changed"""

from __future__ import annotations

from typing import LiteralString

from storage import showing
from storage.engine import Transaction

#: Where a transaction that is under way may still write the former id, in the order in which most of them write.
#: Whoever has begun is waited for; what comes later finds the new id, or is given it by the trigger `follow_channel`.
WRITTEN: LiteralString = """
  threadesk.threads, threadesk.messages, threadesk.desk_tickets, threadesk.to_show, threadesk.early, threadesk.notices,
  threadesk.openings
"""

#: What is under the new id already came from there: where both know of one message, it is the same.
RENAMED: tuple[LiteralString, ...] = (
    """
    update threadesk.early e set channel = :new, event = event || jsonb_build_object('channel', cast(:new as text))
    where channel = :old and not exists (
      select from threadesk.early n where n.channel = :new and n.ts = e.ts and n.version = e.version)
    """,
    """
    update threadesk.threads t set channel = :new where channel = :old and not exists (
      select from threadesk.threads n where n.channel = :new and n.thread_ts = t.thread_ts)
    """,
    """
    update threadesk.messages m set channel = :new where channel = :old and not exists (
      select from threadesk.messages n where n.channel = :new and n.ts = m.ts)
    """,
    """
    update threadesk.messages set
      source = source || jsonb_build_object('copy_of', :new || substr(source ->> 'copy_of', length(:old) + 1))
    where source ? 'copy_of' and starts_with(source ->> 'copy_of', :old || '/')
    """,
    """
    update threadesk.openings o set channel = :new where channel = :old and not exists (
      select from threadesk.openings n
      where n.channel = :new and (n.ts, n.team_id, n.slack_id) = (o.ts, o.team_id, o.slack_id))
    """,
    """
    update threadesk.picked set message = message || jsonb_build_object('channel', cast(:new as text))
    where message ->> 'channel' = :old
    """,
    "update threadesk.replies set channel = :new where channel = :old",
    "update threadesk.desk_tickets set channel = :new where channel = :old",
    "update threadesk.desk_tickets set triage_channel = :new where triage_channel = :old",
    "update threadesk.homes set triage_channel = :new where triage_channel = :old",
    "update threadesk.to_show set lane = :new where lane = :old",
    """
    update threadesk.digest_schedules s set channel = :new where channel = :old and not exists (
      select from threadesk.digest_schedules n where n.channel = :new and n.triage_channel = s.triage_channel
        and n.cron = s.cron and n.zone = s.zone and n.period = s.period)
    """,
    "delete from threadesk.digest_schedules where channel = :old",
    """
    update threadesk.digests_due d set channel = :new where channel = :old and outcome is null and not exists (
      select from threadesk.digests_due n where n.channel = :new and n.triage_channel = d.triage_channel
        and n.period = d.period and n.due_at = d.due_at)
    """,
    """
    update threadesk.digests_due d set triage_channel = :new where triage_channel = :old and outcome is null
      and not exists (select from threadesk.digests_due n where n.channel = d.channel and n.triage_channel = :new
        and n.period = d.period and n.due_at = d.due_at)
    """,
    """
    update threadesk.posted p set channel = :new where channel = :old and not exists (
      select from threadesk.posted n where n.channel = :new and n.ts = p.ts)
    """,
    "update threadesk.notices set channel = :new where channel = :old",
    "update threadesk.notices set lane = :new where lane = :old",
    """
    update threadesk.acted a set key = 'mention:' || :new || substr(key, length('mention:' || :old) + 1)
    where starts_with(key, 'mention:' || :old || ':') and not exists (
      select from threadesk.acted n where n.key = 'mention:' || :new || substr(a.key, length('mention:' || :old) + 1))
    """,
    "delete from threadesk.readings where channel = :new",
    "update threadesk.readings set channel = :new where channel = :old",
    "delete from threadesk.read_threads where channel = :new",
    "update threadesk.read_threads set channel = :new where channel = :old",
)

#: A lane's lease, pace and pause go along: what is on its way when its channel moves has arrived when the lease ends.
LANE: LiteralString = """
  with left_behind as (delete from threadesk.lanes where lane = :old returning *)
  insert into threadesk.lanes as l (lane, free_at, leased_until, closed_since, closed_why, refusals)
  select :new, free_at, leased_until, closed_since, closed_why, refusals from left_behind
  on conflict (lane) do update set free_at = greatest(l.free_at, excluded.free_at), lease = null,
    leased_until = greatest(l.leased_until, excluded.leased_until)
"""


async def move(tx: Transaction, old: str, new: str) -> bool:
    """Lets everything that is known of the channel `old` be known of `new`; False where that was done before.

    The ids of messages that are recorded stay: they were made of the former id. What is still told of that afterwards
    belongs to `new` too.
    """
    # As everywhere: couriers first, then tickets, then the rest.
    await showing.hold_back(tx, [old, new])
    await tx.run(
        """
        select 1 from public.tickets t join threadesk.desk_tickets d on d.ticket_id = t.id
        where :old in (d.channel, d.triage_channel) order by d.number for no key update of t, d
        """,
        old=old,
    )
    await tx.run(f"lock table {WRITTEN} in share row exclusive mode")
    moved = await tx.run(
        "insert into threadesk.moved (old_id, new_id) values (:old, :new) on conflict do nothing returning 1",
        old=old,
        new=new,
    )
    if not moved:
        return False
    await tx.run("delete from threadesk.moved where old_id = :new", new=new)
    await tx.run("update threadesk.moved set new_id = :new where new_id = :old", old=old, new=new)
    await _rename(tx, old, new)
    await tx.run(LANE, old=old, new=new)
    for statement in RENAMED:
        await tx.run(statement, old=old, new=new)
    await tx.run("select pg_notify('threadesk', '')")
    return True


async def _rename(tx: Transaction, old: str, new: str) -> None:
    """The channel keeps how it is set up, also where somebody was quicker to set it up under its new id."""
    there = await tx.run("select 1 from threadesk.channels where id = :old", old=old)
    if there.one_or_none() is None:
        return
    await tx.run("update threadesk.channels set triage_channel = :old where triage_channel = :new", old=old, new=new)
    await tx.run("delete from threadesk.channels where id = :new", new=new)
    await tx.run("update threadesk.channels set id = :new where id = :old", old=old, new=new)
