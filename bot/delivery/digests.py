"""Posts the digests whose time has come, each once, where nobody reads them who should not."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import structlog

from bot.blocks import digest as blocks
from bot.blocks.surface import Message
from bot.delivery import directory
from bot.delivery import words as say
from bot.delivery.slack import DESK_CLOSED, RateLimited, SlackRefused, Unclear
from bot.services import Services
from bot.tickets import digest, schedules
from bot.tickets.places import no_place_for_digests
from storage import channels, notices
from storage import schedules as rows
from storage.engine import DatabaseAway, Transaction
from storage.figures import Scope
from storage.schedules import Due

log = structlog.get_logger(__name__)
#: A digest that is posted longer after its time says so.
LATE = dt.timedelta(minutes=1)
#: After that, a digest whose desk was killed over it is made by another.
CLAIM_SECONDS = 60.0
LONGEST_PUT_OFF = 300.0


async def post_due(services: Services) -> None:
    async with services.transaction() as tx:
        await schedules.take_due(tx)
    while (one := await _claimed(services)) is not None:
        try:
            await _post(services, one)
        except DatabaseAway:
            raise
        except Exception:
            # Whatever is wrong with one digest must not hold back the others.
            log.exception("a digest that is due could not be made", channel=one.channel)
            await _put_off(services, one)


async def _claimed(services: Services) -> Due | None:
    async with services.transaction() as tx:
        return await rows.claim(tx, seconds=CLAIM_SECONDS)


async def _post(services: Services, one: Due) -> None:
    try:
        reason = await why_not(services, one.channel)
    except (RateLimited, SlackRefused, Unclear) as problem:
        log.warning("Slack does not say what a digest's channel is like", channel=one.channel, why=str(problem))
        await _put_off(services, one, problem.seconds if isinstance(problem, RateLimited) else 0)
        return
    async with services.transaction() as tx:
        if not await rows.lock(tx, one.id):
            return
        await _tell_of_change(tx, one, reason)
        if reason is None:
            said = await _render(tx, services, one)
            await notices.add(tx, f"{notices.SCHEDULED}{one.id}", "channel", said.arguments(), channel=one.channel)
        await rows.settle(tx, one.id, "suspended" if reason else "posted")


async def _put_off(services: Services, one: Due, seconds: float = 0) -> None:
    async with services.transaction() as tx:
        await rows.put_off(tx, one.id, max(seconds, min(LONGEST_PUT_OFF, 2.0**one.attempts)))


async def why_not(services: Services, channel: str) -> str | None:
    """Why the channel is no place for a digest now, as Slack and the desk's settings say; None: it is one."""
    try:
        found = await directory.look(services.slack, channel)
    except SlackRefused as refused:
        if refused.error in DESK_CLOSED or refused.error == "missing_scope":
            raise
        return say.unseen(error=refused.error)
    async with services.transaction() as tx:
        known = await channels.find(tx, channel)
    if known is not None and known.suspended is not None:
        return say.STILL_READING if known.suspended == channels.UNREAD else known.suspended
    return no_place_for_digests(found, known.role if known else None)


async def _render(tx: Transaction, services: Services, one: Due) -> Message:
    zone = ZoneInfo(one.zone)
    of = digest.About(Scope((one.triage_channel,)))
    view = await digest.digest(tx.as_of(one.due_at), of, one.period, zone=zone)
    said = blocks.digest(view, services.desk.place)
    if tx.now - one.due_at <= LATE and not one.left_out:
        return said
    return blocks.late(said, one.due_at, tx.now, zone, one.left_out)


async def _tell_of_change(tx: Transaction, one: Due, reason: str | None) -> None:
    """Tells the agents when the channel is no place for digests any more, and when it is one again."""
    if not await rows.suspend(tx, one.triage_channel, one.channel, reason):
        return
    said = blocks.suspended(one.channel, reason) if reason else blocks.resumed(one.channel)
    triage = await channels.find(tx, one.triage_channel)
    is_read = triage is not None and triage.suspended is None and triage.id != one.channel
    told = [one.triage_channel] if is_read else await channels.told_of(tx, one.channel)
    for channel in told:
        await notices.add(tx, f"digests:{one.id}:{channel}", "channel", said.arguments(), channel=channel)
    if not told:
        log.warning("there is no channel to tell it in", channel=one.channel, why_not=reason)
