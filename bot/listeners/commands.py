"""`/ticket VERB …`"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import modals
from bot.delivery.slack import call
from bot.listeners import verbs
from bot.listeners.setups import set_up
from bot.services import Services
from bot.tickets import grammar
from storage import channels, people
from storage.engine import Transaction
from storage.people import Person


def register(app: AsyncApp, services: Services) -> None:
    @app.command("/ticket")
    async def ticket(command: Mapping[str, Any], ack: AsyncAck, client: AsyncWebClient) -> None:
        parsed = grammar.parse(command.get("text") or "")
        if isinstance(parsed, grammar.Setup):
            who = (services.desk.team_id, command["user_id"])
            await set_up(services, client, who, command["channel_id"], command["trigger_id"])
            await ack()
            return
        async with services.answering() as tx:
            person = await people.meet(tx, services.desk.team_id, command["user_id"])
            if isinstance(parsed, grammar.New):
                view = await new_ticket(tx, person, parsed.title, command["channel_id"])
            else:
                key = f"command:{command['trigger_id']}"
                answer = await verbs.carry_out(services, tx, person, parsed, key=key)
        if isinstance(parsed, grammar.New):
            await call(client, "views.open", trigger_id=command["trigger_id"], view=view)
            await ack()
        else:
            await ack(text=answer.text, blocks=answer.blocks)


async def new_ticket(tx: Transaction, person: Person, title: str, channel_id: str) -> dict[str, Any]:
    """The form, with the priority that the channel gives to new tickets."""
    place = await channels.find(tx, channel_id)
    priority = place.priority if place is not None and place.role == "support" else "medium"
    return modals.new_ticket(title, channel=channel_id, for_customer=bool(person.agent_of), priority=priority)
