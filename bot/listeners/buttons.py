"""Buttons of card, status message, rating question, held replies and lists."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import answers, modals
from bot.blocks.ids import Action
from bot.blocks.surface import Message
from bot.delivery.slack import call
from bot.listeners import verbs
from bot.listeners import words as say
from bot.services import Services
from bot.tickets import emails, listing, work
from bot.tickets.errors import Refused
from bot.tickets.permissions import Operation
from storage import notices, people, replies, tickets
from storage.engine import Transaction
from storage.people import Person

Operate = Callable[[Transaction, Person, int], Awaitable[Any]]

#: Buttons that are one operation on the ticket whose number is their value.
OPERATIONS: Mapping[Action, Operate] = {
    Action.CLAIM: work.claim,
    Action.REOPEN: work.reopen,
    Action.NOT_A_TICKET: work.not_a_ticket,
}


def register(app: AsyncApp, services: Services) -> None:
    for action_id, operation in OPERATIONS.items():
        _operation(app, services, action_id, operation)
    _solved(app, services)
    _modals(app, services)
    _settled(app, services)
    _others(app, services)


def _operation(app: AsyncApp, services: Services, action_id: Action, operation: Operate) -> None:
    @app.action(action_id)
    async def press(ack: AsyncAck, body: Mapping[str, Any], action: Mapping[str, Any]) -> None:
        async with services.answering() as tx:
            await operation(tx, await presser(services, tx, body), number_of(action))
        await ack()


def _solved(app: AsyncApp, services: Services) -> None:
    @app.action(Action.SOLVED)
    async def press(ack: AsyncAck, body: Mapping[str, Any], action: Mapping[str, Any]) -> None:
        number = number_of(action)
        async with services.answering() as tx:
            sent = await work.close(tx, await presser(services, tx, body), number)
            if sent:
                await tell(tx, body, answers.solved(number, sent))
        await ack()


async def tell(tx: Transaction, body: Mapping[str, Any], said: Message) -> None:
    """Says something to one person: privately where they pressed a button, in their DM where that fails or, as for a
    global shortcut, there is no such place."""
    container = body.get("container", {})
    channel = container.get("channel_id")
    await notices.add(
        tx,
        f"button:{body.get('trigger_id') or secrets.token_hex(8)}",
        "ephemeral" if channel else "direct",
        {"text": said.text, "blocks": said.blocks},
        slack_id=body["user"]["id"],
        channel=channel,
        thread_ts=container.get("thread_ts"),
    )


def _modals(app: AsyncApp, services: Services) -> None:
    """Buttons that open a form; the form's operation checks again."""

    def opens(action_id: Action, demanded: Operation, view: Callable[..., Awaitable[dict[str, Any]]]) -> None:
        @app.action(action_id)
        async def press(
            ack: AsyncAck, body: Mapping[str, Any], action: Mapping[str, Any], client: AsyncWebClient
        ) -> None:
            async with services.answering() as tx:
                person = await presser(services, tx, body)
                ticket = await work.find(tx, person, number_of(action), demanded)
                opened = await view(tx, person, ticket)
            await call(client, "views.open", trigger_id=body["trigger_id"], view=opened)
            await ack()

    opens(Action.REPLY, Operation.REPLY, _reply)
    opens(Action.NOTE, Operation.NOTE, _note)
    opens(Action.CLOSE, Operation.NOTE, _close)
    opens(Action.EDIT, Operation.EDIT, _edit)
    opens(Action.LEAVE_EMAIL, Operation.LEAVE_EMAIL, _email)


async def _reply(tx: Transaction, person: Person, ticket: tickets.Ticket) -> dict[str, Any]:
    seen = await replies.newest(tx, ticket.id)
    warning = await work.on_its_way(tx, person, ticket)
    return modals.reply(ticket.number, ticket.title, str(seen) if seen else None, warning=warning)


async def _note(_tx: Transaction, _person: Person, ticket: tickets.Ticket) -> dict[str, Any]:
    return modals.note(ticket.number, ticket.title)


async def _close(_tx: Transaction, _person: Person, ticket: tickets.Ticket) -> dict[str, Any]:
    return modals.close(ticket.number, ticket.title)


async def _email(_tx: Transaction, _person: Person, ticket: tickets.Ticket) -> dict[str, Any]:
    return modals.email(ticket.number)


async def _edit(tx: Transaction, _person: Person, ticket: tickets.Ticket) -> dict[str, Any]:
    known = await people.with_user_ids(tx, ticket.assigned_to)
    return modals.edit(ticket, [known[one].slack_id for one in ticket.assigned_to if one in known])


def _settled(app: AsyncApp, services: Services) -> None:
    """Buttons of a held reply or of a question about an e-mail, whose id is their value."""

    def settles(action_id: Action, operation: Callable[[Transaction, Person, UUID], Awaitable[None]]) -> None:
        @app.action(action_id)
        async def press(ack: AsyncAck, body: Mapping[str, Any], action: Mapping[str, Any]) -> None:
            async with services.answering() as tx:
                await operation(tx, await presser(services, tx, body), _uuid(action))
            await ack()

    settles(Action.UNDO_REPLY, work.undo_reply)
    settles(Action.MAKE_NOTE, work.make_note)
    settles(Action.CONFIRM_EMAIL, emails.confirm)
    settles(Action.REJECT_EMAIL, emails.reject)


def _others(app: AsyncApp, services: Services) -> None:
    @app.action(re.compile("^rate:[1-5]$"))
    async def rate(ack: AsyncAck, body: Mapping[str, Any], action: Mapping[str, Any], client: AsyncWebClient) -> None:
        rating = int(action["action_id"].removeprefix("rate:"))
        async with services.answering() as tx:
            ticket = await work.rate(tx, await presser(services, tx, body), number_of(action), rating)
        await call(
            client, "views.open", trigger_id=body["trigger_id"], view=modals.rating_comment(ticket.number, rating)
        )
        await ack()

    @app.action(Action.MORE)
    async def more(ack: AsyncAck, body: Mapping[str, Any], action: Mapping[str, Any], respond: AsyncRespond) -> None:
        wanted, order, after = listing.decode_more(str(action.get("value", "")))
        async with services.answering() as tx:
            answer = await verbs.listed(services, tx, await presser(services, tx, body), wanted, order, after)
        await respond(text=answer.text, blocks=answer.blocks, replace_original=True)
        await ack()

    @app.action(Action.OPEN_TICKET)
    async def opened(ack: AsyncAck) -> None:
        await ack()

    @app.action(re.compile(""))
    async def unknown() -> None:
        raise Refused(say.BUTTON_TOO_OLD)


async def presser(services: Services, tx: Transaction, body: Mapping[str, Any]) -> Person:
    """Who pressed the button or sent the form."""
    user = body["user"]
    return await people.meet(tx, str(user.get("team_id") or services.desk.team_id), str(user["id"]))


def number_of(action: Mapping[str, Any]) -> int:
    value = str(action.get("value", ""))
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise Refused(say.BUTTON_OF_NO_TICKET)
    return int(value)


def _uuid(action: Mapping[str, Any]) -> UUID:
    try:
        return UUID(str(action.get("value", "")))
    except ValueError:
        raise Refused(say.BUTTON_OF_NOTHING) from None
