"""Messages, edits and deletions, in channels and in DMs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.listeners import mentions, payloads
from bot.services import Services
from bot.tickets import conversation, text
from bot.tickets.arrivals import MessageArrived


def register(app: AsyncApp, services: Services) -> None:
    @app.event("message")
    async def take_in(event: Mapping[str, Any]) -> None:
        arrived = payloads.arrived(event, services.desk)
        if arrived is None:
            return
        said = text.first_mention(arrived.text, services.desk.bot_user) if isinstance(arrived, MessageArrived) else None
        if said is None:
            async with services.transaction() as tx:
                await conversation.take_in(tx, services.desk, arrived)
        elif arrived.direct:
            # Elsewhere a message that begins with the mention of the desk arrives as `app_mention` too:
            # https://docs.slack.dev/reference/events/app_mention
            await mentions.obey(services, event, said)
