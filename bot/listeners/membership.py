"""Who comes into and leaves the triage channels: that is who is an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.blocks import answers
from bot.delivery import directory
from bot.listeners import payloads
from bot.services import Services
from bot.tickets import work
from storage import channels, notices, people


def register(app: AsyncApp, services: Services) -> None:
    @app.event("member_joined_channel")
    async def joined(event: Mapping[str, Any]) -> None:
        team = payloads.team_of(event, services.desk)
        async with services.transaction() as tx:
            await channels.member_joined(tx, event["channel"], team, event["user"])
        await directory.learn_agents(services)

    @app.event("member_left_channel")
    async def left(event: Mapping[str, Any]) -> None:
        team, channel = payloads.team_of(event, services.desk), event["channel"]
        async with services.transaction() as tx:
            if not await channels.member_left(tx, channel, team, event["user"]):
                return
            person = await people.meet(tx, team, event["user"])
            returned = await work.agent_left(tx, person, channel)
            if returned:
                said = answers.agent_left(event["user"], returned)
                key = f"left:{channel}:{event['user']}:{event['event_ts']}"
                await notices.add(tx, key, "channel", said.arguments(), channel=channel)
