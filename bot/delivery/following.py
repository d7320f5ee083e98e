"""Follows what becomes of the channels that are set up: renamed, shared, archived, left, given another id.

Events come late, twice and out of order: Slack is asked again, and what the row says already is not said again.
"""

from __future__ import annotations

from bot.blocks import mirror, setups
from bot.delivery import agents, directory, triage
from bot.delivery.courier import CLOSED_SECONDS, CLOSED_SECONDS_AT_MOST
from bot.delivery.slack import DESK_CLOSED, SlackRefused
from bot.services import Services
from bot.tickets import views
from bot.tickets.places import Found
from storage import catch_up, channels, moving, showing, tickets
from storage.channels import Channel
from storage.engine import Transaction


async def follow(services: Services, channel_id: str) -> None:
    """Brings what is known of a channel up to date, and tells the agents what has changed.

    Does nothing for a channel that was never set up. Slack is asked by one at a time, so that of two answers the later
    one is the one that stays. The row is locked only afterwards: in it stands whose turn a new ticket is.
    """
    is_back = False
    async with services.transaction() as tx:
        await tickets.serialise(tx, "follow", channel_id)
        known = await channels.find(tx, channel_id)
        if known is None:
            return
        await tx.act_as(None, "desk")
        found, why = await _look(services, known.id)
        channel = await channels.find(tx, known.id, lock=True)
        if channel is None or channel.id != known.id:
            # It was given another id meanwhile, under which it is followed.
            return
        if found and channel.role != "triage":
            await see(tx, channel, found)
        if channel.role == "support":
            is_back = await _reach(tx, channel.id, why)
    if is_back:
        services.gap.set()
    if channel.role == "triage":
        await triage.check(services, channel.id)


async def _look(services: Services, channel_id: str) -> tuple[Found | None, str | None]:
    """What Slack shows of the channel, and what it would answer to a post there; None: it would take it."""
    try:
        found = await directory.look(services.slack, channel_id)
    except SlackRefused as refused:
        if refused.error in DESK_CLOSED or refused.error == "missing_scope":
            raise
        return None, refused.error
    if found.archived:
        return found, "is_archived"
    return found, None if found.member else "not_in_channel"


async def see(tx: Transaction, channel: Channel, found: Found) -> None:
    """Keeps what Slack says of the channel, which is no triage channel, and tells the agents what is new of that."""
    await channels.see(tx, channel.id, name=found.name, private=found.private, shared=found.shared)
    if channel.role == "none":
        return
    if found.name != channel.name:
        await agents.tell(tx, channel.id, "renamed", setups.renamed(channel.id, channel.name))
    if channel.shared is not None and found.shared != channel.shared:
        await agents.tell(tx, channel.id, "shared", setups.shared(channel.id, shared=found.shared))
    if channel.private is not None and found.private != channel.private:
        await agents.tell(tx, channel.id, "public", setups.public(channel.id, public=not found.private))


async def _reach(tx: Transaction, channel_id: str, why: str | None) -> bool:
    """Closes a support channel that takes nothing, because of `why`, as where Slack refuses a post; or opens it again.

    Whether it was closed and is open now: what was said there meanwhile is to be read back.
    """
    if why is not None:
        rest = {"first": CLOSED_SECONDS, "longest": CLOSED_SECONDS_AT_MOST}
        if await showing.close(tx, channel_id, why, **rest, probing=True):
            await agents.tell(tx, channel_id, "closed", mirror.closed(views.Closed(channel_id, None, why)))
        return False
    await showing.wake(tx, channel_id)
    waiting = await showing.open_again(tx, channel_id)
    if waiting is None:
        return False
    await agents.tell(tx, channel_id, "reopened", mirror.reopened(views.Reopened(channel_id, None, waiting)))
    await catch_up.rest_no_longer(tx, channel_id)
    return True


async def move(services: Services, old: str, new: str) -> None:
    """Slack has given a channel another id. What was said under that before is read back."""
    found, _ = await _look(services, new)
    async with services.transaction() as tx:
        await tx.act_as(None, "desk")
        # Of two changes the later one may be told first: Slack does not show the id in between any more.
        present = new if found else await channels.present_id(tx, new)
        known = await channels.find(tx, old)
        if present == old or not await moving.move(tx, old, present):
            return
        if known is not None and known.role != "none":
            await agents.tell(tx, present, "moved", setups.moved(present))
    services.gap.set()
    await follow(services, present)
