"""What changes who is an agent, and who reads along in a triage channel.

Events come late, twice and out of order: Slack is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.delivery import directory, triage
from bot.services import Services
from storage import showing

#: https://docs.slack.dev/reference/events/message/channel_convert_to_public and its counterpart
CONVERTED = ("channel_convert_to_public", "channel_convert_to_private")


def register(app: AsyncApp, services: Services) -> None:
    # Many may join at once. One after the other, so that they take one of the pool's connections, not all of them.
    turn = asyncio.Lock()

    @app.event("user_change")
    async def looks_different(event: Mapping[str, Any]) -> None:
        async with turn:
            await directory.look_again(services, event["user"])

    @app.event("member_joined_channel")
    @app.event("member_left_channel")
    @app.event("channel_shared")
    @app.event("channel_unshared")
    @app.event({"type": "message", "subtype": CONVERTED})
    async def changed(event: Mapping[str, Any]) -> None:
        async with turn:
            await triage.check(services, event["channel"])
        if event["type"] == "member_joined_channel" and event["user"] == services.desk.bot_user:
            async with services.transaction() as tx:
                await showing.wake(tx, event["channel"])
