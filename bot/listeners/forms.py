"""Modals that people send: validate, operate once, close. What they typed stays when it cannot be taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.blocks import modals
from bot.blocks.ids import Callback
from bot.listeners.buttons import presser
from bot.services import Services
from bot.tickets import forms, text, work
from bot.tickets.errors import Overtaken, Refused
from bot.tickets.grammar import LARGEST_NUMBER
from storage import tickets
from storage.engine import Transaction
from storage.people import Person
from storage.tickets import Priority

BELONGS_NOWHERE = "This form belongs to no ticket. Open it again."


class Shown(BaseModel):
    """What *Edit* showed."""

    model_config = ConfigDict(frozen=True, strict=True)

    title: str | None
    priority: Priority
    tags: tuple[str, ...] | None
    assignees: tuple[str, ...]


class About(BaseModel):
    """What a form was opened for, as it carries it in its private_metadata."""

    model_config = ConfigDict(frozen=True, strict=True)

    number: int | None = Field(default=None, ge=1, le=LARGEST_NUMBER)
    seen: UUID | None = None
    channel: str | None = Field(default=None, pattern="^[A-Z0-9]+$")
    rating: int = Field(default=0, ge=0, le=5)
    shown: Shown | None = None

    @property
    def ticket(self) -> int:
        if self.number is None:
            raise Refused(BELONGS_NOWHERE)
        return self.number


Form = TypeVar("Form", bound=BaseModel)
Sent = Callable[[Transaction, Person, About, Form], Awaitable[Any]]


def register(app: AsyncApp, services: Services) -> None:
    def takes(callback: Callback, form: type[Form], operation: Sent[Form]) -> None:
        @app.view(callback)
        async def sent(ack: AsyncAck, body: Mapping[str, Any], view: Mapping[str, Any]) -> None:
            filled = form.model_validate(values(view))
            async with services.answering() as tx:
                person = await presser(services, tx, body)
                if await tickets.act_once(tx, f"view:{view['id']}"):
                    await operation(tx, person, metadata(view), filled)
            await ack()

    async def new_ticket(tx: Transaction, person: Person, about: About, form: forms.NewTicketForm) -> None:
        request = work.Request(form.title, form.description, form.priority, form.customer)
        await work.open_new(tx, services.desk, person, about.channel, request)

    async def note(tx: Transaction, person: Person, about: About, form: forms.WordsForm) -> None:
        await work.note(tx, person, about.ticket, text.encoded(form.words))

    async def close(tx: Transaction, person: Person, about: About, form: forms.CloseForm) -> None:
        await work.close(tx, person, about.ticket, text.encoded(form.comment) if form.comment else None)

    async def edit(tx: Transaction, person: Person, about: About, form: forms.EditForm) -> None:
        if about.shown is None:
            raise Refused(BELONGS_NOWHERE)
        shown = work.Fields(**dict(about.shown))
        sent = work.Fields(form.title, form.priority, form.tags, form.assignees)
        await work.edit(tx, services.desk, person, about.ticket, shown, sent)

    async def comment(tx: Transaction, person: Person, about: About, form: forms.RatingForm) -> None:
        await work.rate(tx, person, about.ticket, about.rating, form.comment)

    takes(Callback.NEW_TICKET, forms.NewTicketForm, new_ticket)
    takes(Callback.NOTE, forms.WordsForm, note)
    takes(Callback.CLOSE, forms.CloseForm, close)
    takes(Callback.EDIT, forms.EditForm, edit)
    takes(Callback.RATING_COMMENT, forms.RatingForm, comment)
    _reply(app, services)


def _reply(app: AsyncApp, services: Services) -> None:
    @app.view(Callback.REPLY)
    async def sent(ack: AsyncAck, body: Mapping[str, Any], view: Mapping[str, Any]) -> None:
        about, filled = metadata(view), forms.WordsForm.model_validate(values(view))
        try:
            async with services.answering() as tx:
                person = await presser(services, tx, body)
                if await tickets.act_once(tx, f"view:{view['id']}"):
                    await work.reply(
                        tx, services.desk, person, about.ticket, text.encoded(filled.words), seen=about.seen
                    )
        except Overtaken as overtaken:
            async with services.answering() as tx:
                ticket = await tickets.by_number(tx, about.ticket)
                newest = await tickets.newest_message(tx, ticket.id) if ticket else None
            warned = modals.reply(
                about.ticket, "", str(newest) if newest else None, words=filled.words, warning=overtaken.sentence
            )
            await ack(response_action="update", view=warned)
        else:
            await ack()


def values(view: Mapping[str, Any]) -> dict[str, Any]:
    """What each input holds, by its block id: text, the chosen option or options, time, channel, person or people."""
    typed = {}
    for block_id, inputs in view["state"]["values"].items():
        for element in inputs.values():
            option = element.get("selected_option") or {}
            options = element.get("selected_options")
            candidates = (
                element.get("value"),
                option.get("value"),
                options if options is None else [one["value"] for one in options],
                element.get("selected_time"),
                element.get("selected_conversation"),
                element.get("selected_user"),
                element.get("selected_users"),
            )
            typed[block_id] = next((one for one in candidates if one is not None), None)
    return typed


def metadata(view: Mapping[str, Any]) -> About:
    try:
        return About.model_validate_json(view.get("private_metadata") or "{}")
    except ValidationError:
        raise Refused(BELONGS_NOWHERE) from None
