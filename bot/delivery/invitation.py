"""The desk was invited to a channel: whoever did it is asked, for their eyes only, what it is to do there."""

from __future__ import annotations

import structlog

from bot.blocks import setups
from bot.delivery import directory
from bot.delivery.slack import SlackRefused
from bot.services import Services
from bot.tickets import setup
from bot.tickets.errors import Refused
from storage import channels, notices, people
from storage.engine import Transaction
from storage.people import Person

log = structlog.get_logger(__name__)


async def received(services: Services, channel_id: str, inviter: str | None, event_ts: str) -> None:
    """Asks once for each event, and only about a channel of which nobody has said what it is for."""
    try:
        found = await directory.look(services.slack, channel_id)
    except SlackRefused as refused:
        log.info("Slack does not show the channel of an invitation", channel=channel_id, error=refused.error)
        return
    if inviter is not None:
        await introduce(services, services.desk.team_id, inviter)
    async with services.transaction() as tx:
        known = await channels.find(tx, channel_id)
        if not found.member or (known is not None and known.role != "none"):
            return
        key = f"invited:{channel_id}:{event_ts}"
        if inviter is None:
            await _ask_the_agents(tx, channel_id, key)
            return
        said = setups.asked(channel_id, await _why_not(tx, await _person(tx, services.desk.team_id, inviter), known))
        message = {"text": said.text, "blocks": said.blocks}
        await notices.add(tx, key, "ephemeral", message, slack_id=inviter, channel=channel_id)


async def introduce(services: Services, team_id: str, slack_id: str) -> None:
    """Asks Slack who somebody is: where nobody has asked yet, and each time while the workspace's admins decide."""
    async with services.transaction() as tx:
        person = await _person(tx, team_id, slack_id)
        admins_decide = await channels.default_triage(tx) is None
    if admins_decide or not person.known:
        await directory.learn(services, [person])


async def _person(tx: Transaction, team_id: str, slack_id: str) -> Person:
    """Slack does not say of which company an inviter is: who was met already is filed under it."""
    met = await people.with_slack_ids(tx, [slack_id])
    return met.get(slack_id) or await people.meet(tx, team_id, slack_id)


async def _why_not(tx: Transaction, person: Person, known: channels.Channel | None) -> str | None:
    try:
        await setup.must_be_let(tx, person, known)
    except Refused as refused:
        return refused.sentence
    return None


async def _ask_the_agents(tx: Transaction, channel_id: str, key: str) -> None:
    """Slack does not always say who it was."""
    triage = await channels.default_triage(tx)
    if triage is not None:
        said = setups.somebody_invited(channel_id)
        await notices.add(tx, key, "channel", said.arguments(), channel=triage.id)
