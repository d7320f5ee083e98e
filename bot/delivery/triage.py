"""Looks at triage channels again: who is in them is an agent, and notes are shown only where nobody else reads them."""

from __future__ import annotations

from bot.blocks import setups
from bot.blocks.surface import Message
from bot.delivery import agents, directory, leaving
from bot.delivery import words as say
from bot.delivery.slack import DESK_CLOSED, SlackRefused
from bot.services import Services
from bot.tickets.places import Found, unfit_for_triage
from storage import channels, notices, people, showing
from storage.channels import UNREAD, Channel
from storage.engine import Transaction


async def check_all(services: Services) -> None:
    """Every triage channel ever chosen, and who its members are now: one may have become a guest meanwhile."""
    async with services.transaction() as tx:
        triage = await channels.served(tx, "triage")
    for channel in triage:
        await check(services, channel.id)
    await directory.learn_members(services)


async def check(services: Services, channel_id: str) -> None:
    """Suspends the triage channel, takes it up again, and makes its members those that Slack names now.

    Does nothing for other channels. The row stays locked while Slack is asked, so that of two checks the later answer
    is the one that stays.
    """
    async with services.transaction() as tx:
        channel = await channels.find(tx, channel_id, lock=True)
        if channel is None or channel.role != "triage":
            return
        await tx.act_as(None, "desk")
        try:
            found = await directory.look(services.slack, channel.id)
            unfit = unfit_for_triage(found)
            members = [] if unfit else await _members(services, channel.id)
        except SlackRefused as refused:
            if refused.error in DESK_CLOSED or refused.error == "missing_scope":
                raise
            await _suspend(tx, channel, say.unseen(error=refused.error), None)
            return
        await channels.see(tx, channel.id, name=found.name, private=found.private, shared=found.shared)
        if unfit:
            await _suspend(tx, channel, unfit, found)
            return
        await _resume(tx, channel)
        for team_id, slack_id in await channels.set_members(tx, channel.id, members):
            await leaving.leave(tx, await people.meet(tx, team_id, slack_id), channel.id)
    await directory.learn_agents(services)


async def _members(services: Services, channel_id: str) -> list[tuple[str, str]]:
    pages = directory.pages(services.slack, "conversations.members", "members", channel=channel_id)
    return [(services.desk.team_id, str(member)) async for member in pages]


async def _suspend(tx: Transaction, channel: Channel, why: str, found: Found | None) -> None:
    await channels.suspend(tx, channel.id, why)
    if channel.suspended not in {None, UNREAD}:
        return
    if found and found.member and not found.archived:
        await _say(tx, channel.id, "suspended", setups.suspended(why))
    if not await showing.is_closed(tx, channel.id):
        # Else the courier has said it.
        await agents.tell(tx, channel.id, "elsewhere", setups.suspended_elsewhere(channel.id, why))


async def _resume(tx: Transaction, channel: Channel) -> None:
    await channels.resume(tx, channel.id)
    if channel.suspended:
        await showing.wake(tx, channel.id)
    if channel.suspended == UNREAD:
        await _say(tx, channel.id, "chosen", setups.is_triage())
    elif channel.suspended:
        await _say(tx, channel.id, "resumed", setups.resumed())


async def _say(tx: Transaction, channel_id: str, what: str, said: Message) -> None:
    await notices.add(tx, f"{what}:{channel_id}:{tx.now.isoformat()}", "channel", said.arguments(), channel=channel_id)
