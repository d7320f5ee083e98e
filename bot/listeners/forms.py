"""Modals that people send: validate, operate once, close. What they typed stays when it cannot be taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import answers, modals
from bot.blocks.ids import Callback
from bot.blocks.ids import Field as Input
from bot.delivery import reaching
from bot.listeners import words as say
from bot.listeners.buttons import presser
from bot.services import Services
from bot.tickets import emails, forms, imports, text, work
from bot.tickets.errors import Overtaken, Refused
from bot.tickets.grammar import LARGEST_NUMBER
from storage import replies, tickets
from storage.engine import Transaction
from storage.people import Person
from storage.tickets import Priority


class Shown(BaseModel):
    """What *Edit* showed. `custom`, each custom field's text by name, stands in its blocks."""

    model_config = ConfigDict(frozen=True, strict=True)

    title: str | None
    priority: Priority
    tags: tuple[str, ...] | None
    assignees: tuple[str, ...]
    custom: Mapping[str, str] = Field(default_factory=dict)


class About(BaseModel):
    """What a form was opened for, as it carries it in its private_metadata."""

    model_config = ConfigDict(frozen=True, strict=True)

    number: int | None = Field(default=None, ge=1, le=LARGEST_NUMBER)
    seen: UUID | None = None
    channel: str | None = Field(default=None, pattern="^[A-Z0-9]+$")
    rating: int = Field(default=0, ge=0, le=5)
    picked: UUID | None = None
    shown: Shown | None = None

    @property
    def ticket(self) -> int:
        if self.number is None:
            raise Refused(say.FORM_OF_NO_TICKET)
        return self.number


Form = TypeVar("Form", bound=BaseModel)
#: What is to be said of it, if anything: mrkdwn.
Sent = Callable[[Transaction, Person, About, Form], Awaitable[str | None]]


def register(app: AsyncApp, services: Services) -> None:
    def takes(callback: Callback, form: type[Form], operation: Sent[Form]) -> None:
        @app.view(callback)
        async def sent(ack: AsyncAck, body: Mapping[str, Any], view: Mapping[str, Any]) -> None:
            filled, said = form.model_validate(values(view)), None
            async with services.answering() as tx:
                person = await presser(services, tx, body)
                if await tickets.act_once(tx, f"view:{view['id']}"):
                    said = await operation(tx, person, metadata(view), filled)
            if said is None:
                await ack()
            else:
                await ack(response_action="update", view=modals.result(said))

    async def note(tx: Transaction, person: Person, about: About, form: forms.WordsForm) -> None:
        await work.note(tx, person, about.ticket, text.encoded(form.words))

    async def close(tx: Transaction, person: Person, about: About, form: forms.CloseForm) -> str | None:
        sent = await work.close(tx, person, about.ticket, text.encoded(form.comment) if form.comment else None)
        return answers.closed(about.ticket, sent) if sent else None

    async def edit(tx: Transaction, person: Person, about: About, form: forms.EditForm) -> None:
        if about.shown is None:
            raise Refused(say.FORM_OF_NO_TICKET)
        shown = work.Fields(**dict(about.shown))
        sent = work.Fields(form.title, form.priority, form.tags, form.assignees, form.fields, form.more_fields)
        await work.edit(tx, services.desk, person, about.ticket, shown, sent)

    async def comment(tx: Transaction, person: Person, about: About, form: forms.RatingForm) -> None:
        await work.rate(tx, person, about.ticket, about.rating, form.comment)

    async def email(tx: Transaction, person: Person, about: About, form: forms.EmailForm) -> None:
        await emails.leave(tx, person, about.ticket, form.email)

    async def add(tx: Transaction, person: Person, about: About, form: forms.AddForm) -> None:
        await imports.add_picked(tx, services.desk, person, form.number, about.picked)

    takes(Callback.NOTE, forms.WordsForm, note)
    takes(Callback.CLOSE, forms.CloseForm, close)
    takes(Callback.EDIT, forms.EditForm, edit)
    takes(Callback.RATING_COMMENT, forms.RatingForm, comment)
    takes(Callback.EMAIL, forms.EmailForm, email)
    takes(Callback.ADD_TO_TICKET, forms.AddForm, add)
    _new_ticket(app, services)
    _reply(app, services)


def _new_ticket(app: AsyncApp, services: Services) -> None:
    @app.view(Callback.NEW_TICKET)
    async def sent(ack: AsyncAck, body: Mapping[str, Any], view: Mapping[str, Any], client: AsyncWebClient) -> None:
        about, form = metadata(view), forms.NewTicketForm.model_validate(values(view))
        if form.customer not in {None, body["user"]["id"]}:
            async with services.answering() as tx:
                agent = await presser(services, tx, body)
            await reaching.must_reach(services, client, agent, about.channel, str(form.customer))
        request = work.Request(form.title, form.description, form.priority, form.customer)
        async with services.answering() as tx:
            person = await presser(services, tx, body)
            if await tickets.act_once(tx, f"view:{view['id']}"):
                await work.open_new(tx, services.desk, person, about.channel, request)
        await ack()


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
                newest = await replies.newest(tx, ticket.id) if ticket else None
            warned = modals.reply(
                about.ticket, "", str(newest) if newest else None, words=filled.words, warning=overtaken.sentence
            )
            await ack(response_action="update", view=warned)
        else:
            await ack()


def values(view: Mapping[str, Any]) -> dict[str, Any]:
    """What each input holds, by its block id: text, the chosen option or options, time, channel, person or people.

    Of those that are parts of one, "fields:version", each by the name of its part.
    """
    typed: dict[str, Any] = {}
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
            value = next((one for one in candidates if one is not None), None)
            whole, _, part = block_id.partition(":")
            if part:
                typed.setdefault(whole, {})[part] = value
            else:
                typed[block_id] = value
    return typed


def metadata(view: Mapping[str, Any]) -> About:
    try:
        about = About.model_validate_json(view.get("private_metadata") or "{}")
    except ValidationError:
        raise Refused(say.FORM_OF_NO_TICKET) from None
    if about.shown is None:
        return about
    return about.model_copy(update={"shown": about.shown.model_copy(update={"custom": _custom_fields(view)})})


def _custom_fields(view: Mapping[str, Any]) -> dict[str, str]:
    """The texts that the inputs of custom fields had at first: private_metadata has no room for them."""
    prefix = f"{Input.FIELDS}:"
    return {
        block["block_id"].removeprefix(prefix): block["element"].get("initial_value", "")
        for block in view["blocks"]
        if block["block_id"].startswith(prefix)
    }
