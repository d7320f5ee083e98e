"""App Home: that it was opened, and what is chosen in it. What it shows is published after the request is served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import modals
from bot.blocks.home import ANY
from bot.blocks.ids import Action
from bot.delivery.slack import call
from bot.listeners.buttons import presser
from bot.services import Services
from bot.tickets import home
from storage import homes, people
from storage.engine import Transaction
from storage.people import Person

MENUS: Mapping[Action, str] = {
    Action.HOME_LIST: "list",
    Action.HOME_STATUS: "status",
    Action.HOME_PRIORITY: "priority",
    Action.HOME_CHANNEL: "triage_channel",
}
Chosen = Callable[[Transaction, Person, str], Awaitable[None]]


def register(app: AsyncApp, services: Services) -> None:
    @app.event("app_home_opened")
    async def opened(event: Mapping[str, Any]) -> None:
        if event.get("tab") != "home":
            return
        async with services.transaction() as tx:
            # The event does not say of which company they are; that of somebody unknown is asked of Slack afterwards.
            met = await people.with_slack_ids(tx, [event["user"]])
            person = met.get(event["user"]) or await people.meet(tx, services.desk.team_id, event["user"])
            await homes.open_(tx, person)

    @app.action(Action.NEW_TICKET)
    async def new_ticket(ack: AsyncAck, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        async with services.answering() as tx:
            person = await presser(services, tx, body)
        view = modals.new_ticket(channel=None, for_customer=bool(person.agent_of))
        await call(client, "views.open", trigger_id=body["trigger_id"], view=view)
        await ack()

    for action_id, what in MENUS.items():
        _choosing(app, services, action_id, what)
    _pressing(app, services)


def _choosing(app: AsyncApp, services: Services, action_id: Action, what: str) -> None:
    async def chosen(tx: Transaction, person: Person, value: str) -> None:
        await home.choose(tx, person, what, None if value == ANY else value)

    _on(app, services, action_id, chosen)


def _pressing(app: AsyncApp, services: Services) -> None:
    async def tagged(tx: Transaction, person: Person, value: str) -> None:
        await home.choose(tx, person, "tag", value)

    async def cleared(tx: Transaction, person: Person, _: str) -> None:
        await homes.clear(tx, person)

    async def turned_back(tx: Transaction, person: Person, _: str) -> None:
        await homes.turn_back(tx, person)

    async def looked_again(tx: Transaction, person: Person, _: str) -> None:
        await homes.open_(tx, person)

    _on(app, services, Action.HOME_TAG, tagged)
    _on(app, services, Action.HOME_CLEAR, cleared)
    _on(app, services, Action.HOME_NEXT, home.turn)
    _on(app, services, Action.HOME_BACK, turned_back)
    _on(app, services, Action.HOME_REFRESH, looked_again)


def _on(app: AsyncApp, services: Services, action_id: Action, operation: Chosen) -> None:
    @app.action(action_id)
    async def acted(ack: AsyncAck, body: Mapping[str, Any], action: Mapping[str, Any]) -> None:
        value = (action.get("selected_option") or action).get("value")
        async with services.answering() as tx:
            await operation(tx, await presser(services, tx, body), str(value or ""))
        await ack()
