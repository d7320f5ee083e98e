"""What becomes of channels, who is in them and who is an agent.

Events come late, twice and out of order: Slack is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.delivery import directory, following, invitation, triage
from bot.services import Services
from storage import channels, showing


def register(app: AsyncApp, services: Services) -> None:
    # Many may join at once. One after the other, so that they take one of the pool's connections, not all of them.
    turn = asyncio.Lock()

    @app.event("user_change")
    async def looks_different(event: Mapping[str, Any]) -> None:
        async with turn:
            await directory.look_again(services, event["user"])

    @app.event("member_joined_channel")
    @app.event("member_left_channel")
    async def came_or_went(event: Mapping[str, Any]) -> None:
        async with turn:
            if event["user"] == services.desk.bot_user and event["type"] == "member_joined_channel":
                await _invited(services, event)
            else:
                await triage.check(services, event["channel"])

    @app.event("channel_archive")
    @app.event("channel_left")
    @app.event("channel_rename")
    @app.event("channel_shared")
    @app.event("channel_unarchive")
    @app.event("channel_unshared")
    @app.event("group_archive")
    @app.event("group_left")
    @app.event("group_rename")
    @app.event("group_unarchive")
    async def changed(event: Mapping[str, Any]) -> None:
        async with turn:
            await following.follow(services, _channel_of(event))

    @app.event("channel_id_changed")
    async def moved(event: Mapping[str, Any]) -> None:
        async with turn:
            await following.move(services, event["old_channel_id"], event["new_channel_id"])


async def _invited(services: Services, event: Mapping[str, Any]) -> None:
    async with services.transaction() as tx:
        await showing.wake(tx, event["channel"])
        known = await channels.find(tx, event["channel"])
    await following.follow(services, event["channel"])
    if known is not None and known.role == "support":
        # Slack may never have told that the desk was removed: what was said since is read back all the same.
        services.gap.set()
    await invitation.received(services, event["channel"], event.get("inviter"), str(event["event_ts"]))


def _channel_of(event: Mapping[str, Any]) -> str:
    """Its id; a renamed one comes whole: https://docs.slack.dev/reference/events/channel_rename"""
    channel = event["channel"]
    return str(channel["id"] if isinstance(channel, dict) else channel)
