"""Looks at triage channels again: who is in them is an agent, and notes are shown only where nobody else reads them."""

from __future__ import annotations

from bot.blocks import answers
from bot.delivery import directory, leaving
from bot.delivery.directory import Found
from bot.delivery.slack import DESK_CLOSED, SlackRefused, ask
from bot.services import Services
from storage import channels, notices, people
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
        channel = await channels.lock_triage(tx, channel_id)
        if channel is None:
            return
        try:
            found = await _look(services, channel_id)
            unfit = directory.unfit_for_triage(found)
            members = [] if unfit else await _members(services, channel_id)
        except SlackRefused as refused:
            if refused.error in DESK_CLOSED or refused.error == "missing_scope":
                raise
            await channels.suspend(tx, channel_id, f"Slack does not show it to the desk ({refused.error})")
            return
        if unfit:
            await channels.suspend(tx, channel_id, unfit)
            if channel.suspended is None and found.member and not found.archived:
                await _tell(tx, channel_id, unfit)
            return
        await channels.resume(tx, channel_id)
        for team_id, slack_id in await channels.set_members(tx, channel_id, members):
            await leaving.leave(tx, await people.meet(tx, team_id, slack_id), channel_id)
    await directory.learn_agents(services)


async def _look(services: Services, channel_id: str) -> Found:
    return directory.found_channel((await ask(services.slack, "conversations.info", channel=channel_id))["channel"])


async def _members(services: Services, channel_id: str) -> list[tuple[str, str]]:
    pages = directory.pages(services.slack, "conversations.members", "members", channel=channel_id)
    return [(services.desk.team_id, str(member)) async for member in pages]


async def _tell(tx: Transaction, channel_id: str, why: str) -> None:
    said = answers.sentence(f"The desk shows no more tickets here, because {why} and notes would be read by others.")
    key = f"suspended:{channel_id}:{tx.now.isoformat()}"
    await notices.add(tx, key, "channel", said.arguments(), channel=channel_id)
