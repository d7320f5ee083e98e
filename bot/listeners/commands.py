"""`/ticket VERB …`"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import modals
from bot.delivery.slack import call
from bot.listeners import verbs
from bot.services import Services
from bot.tickets import grammar
from storage import people


def register(app: AsyncApp, services: Services) -> None:
    @app.command("/ticket")
    async def ticket(command: Mapping[str, Any], ack: AsyncAck, client: AsyncWebClient) -> None:
        parsed = grammar.parse(command.get("text") or "")
        async with services.answering() as tx:
            person = await people.meet(tx, services.desk.team_id, command["user_id"])
            if not isinstance(parsed, grammar.New):
                key = f"command:{command['trigger_id']}"
                answer = await verbs.carry_out(services, tx, person, parsed, key=key)
        if isinstance(parsed, grammar.New):
            view = modals.new_ticket(parsed.title, channel=command["channel_id"], for_customer=bool(person.agent_of))
            await call(client, "views.open", trigger_id=command["trigger_id"], view=view)
            await ack()
        else:
            await ack(text=answer.text, blocks=answer.blocks)
