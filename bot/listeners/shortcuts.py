"""Shortcuts: *Open a ticket* and *Add to ticket* in a message's menu, *New ticket* anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import answers, modals
from bot.blocks.ids import Shortcut
from bot.delivery.slack import call
from bot.listeners import payloads
from bot.listeners import words as say
from bot.listeners.buttons import presser
from bot.services import Services
from bot.tickets import imports, listing, text
from bot.tickets.errors import Refused
from storage import picked


def register(app: AsyncApp, services: Services) -> None:
    @app.shortcut(Shortcut.OPEN_TICKET)
    async def open_ticket(ack: AsyncAck, body: Mapping[str, Any], respond: AsyncRespond) -> None:
        async with services.answering() as tx:
            person = await presser(services, tx, body)
            # Slack's documentation does not promise it.
            asked_ts = str(body.get("action_ts") or f"{services.now().timestamp():.6f}")
            there = await imports.ask_to_open(tx, person, payloads.picked(body, services.desk), asked_ts)
        services.asked.set()
        await ack()
        if there is not None:
            said = answers.opened_already(there.number, listing.link(services.desk, there))
            await respond(text=said.text, blocks=said.blocks, response_type="ephemeral", replace_original=False)

    @app.shortcut(Shortcut.ADD_TO_TICKET)
    async def add_to_ticket(ack: AsyncAck, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        message = payloads.picked(body, services.desk)
        async with services.answering() as tx:
            person = await presser(services, tx, body)
            if not person.agent_of:
                raise Refused(say.ONLY_AGENTS_ADD)
            kept = await picked.keep(tx, person, message.model_dump(mode="json"))
        view = modals.add_to_ticket(text.readable(message.text, {}), str(kept))
        await call(client, "views.open", trigger_id=body["trigger_id"], view=view)
        await ack()

    @app.shortcut(Shortcut.NEW_TICKET)
    async def new_ticket(ack: AsyncAck, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        async with services.answering() as tx:
            person = await presser(services, tx, body)
        view = modals.new_ticket(channel=None, for_customer=bool(person.agent_of))
        await call(client, "views.open", trigger_id=body["trigger_id"], view=view)
        await ack()
