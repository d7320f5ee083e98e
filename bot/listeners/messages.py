"""Messages, edits and deletions, in channels and in DMs, and what a channel says of itself in a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.delivery import following
from bot.listeners import mentions, payloads
from bot.services import Services
from bot.tickets import conversation, text
from bot.tickets.arrivals import MessageArrived

#: https://docs.slack.dev/reference/events/message/channel_convert_to_public and its counterpart
CONVERTED = ("channel_convert_to_public", "channel_convert_to_private")


def register(app: AsyncApp, services: Services) -> None:
    @app.event({"type": "message", "subtype": CONVERTED})
    async def changed(event: Mapping[str, Any]) -> None:
        await following.follow(services, event["channel"])

    @app.event("message")
    async def take_in(event: Mapping[str, Any]) -> None:
        # Outside DMs a message that begins with the mention of the desk arrives as `app_mention` too:
        # https://docs.slack.dev/reference/events/app_mention
        await heard(services, event, mentions_too=event.get("channel_type") == "im")


async def heard(services: Services, event: Mapping[str, Any], *, mentions_too: bool = True) -> None:
    """Takes in what a `message` event says, whether Slack has sent it or it was read back.

    `mentions_too`: also one that begins with the mention of the desk.
    """
    arrived = payloads.arrived(event, services.desk)
    if arrived is None:
        return
    said = text.first_mention(arrived.text, services.desk.bot_user) if isinstance(arrived, MessageArrived) else None
    if said is None:
        async with services.transaction() as tx:
            await conversation.take_in(tx, services.desk, arrived)
    elif mentions_too:
        await mentions.obey(services, event, said)
