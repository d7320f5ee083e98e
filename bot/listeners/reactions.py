"""Reactions by agents: each is one operation, done once, however often and late Slack tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.blocks import answers
from bot.blocks.surface import Message, escape
from bot.listeners import payloads
from bot.services import Services
from bot.tickets import listing, reactions
from bot.tickets.arrivals import ReactionAdded
from bot.tickets.errors import Refused
from storage import notices, tickets
from storage.engine import Transaction


def register(app: AsyncApp, services: Services) -> None:
    @app.event("reaction_added")
    async def added(event: Mapping[str, Any]) -> None:
        reaction = payloads.reaction(event, services.desk)
        if reaction is None:
            return
        try:
            async with services.transaction() as tx:
                there = await reactions.react(tx, services.desk, reaction)
                if there is not None:
                    await _tell(tx, reaction, answers.opened_already(there.number, listing.link(services.desk, there)))
        except Refused as refused:
            async with services.transaction() as tx:
                # Refused once is refused for good: when it comes again, it may be possible and no longer wanted.
                if await tickets.act_once(tx, reaction.key):
                    await _tell(tx, reaction, answers.sentence(escape(refused.sentence)))
        services.asked.set()


async def _tell(tx: Transaction, reaction: ReactionAdded, said: Message) -> None:
    message = {"text": said.text, "blocks": said.blocks}
    await notices.add(tx, reaction.key, "ephemeral", message, slack_id=reaction.user, channel=reaction.channel)
