"""`@desk VERB …`, in a ticket's thread or at the top of a channel: one command, never also a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.blocks import answers
from bot.blocks.surface import Message, escape
from bot.listeners import payloads, verbs
from bot.listeners import words as say
from bot.services import Services
from bot.tickets import conversation, grammar, text
from bot.tickets.errors import Refused
from bot.tickets.permissions import Relation, relation
from storage import channels, notices, people, tickets
from storage.engine import Transaction
from storage.tickets import Side, Ticket


def register(app: AsyncApp, services: Services) -> None:
    @app.event("app_mention")
    async def mentioned(event: Mapping[str, Any]) -> None:
        said = text.first_mention(str(event.get("text") or ""), services.desk.bot_user)
        if said is None or not payloads.is_a_persons(event, services.desk):
            return  # In mid-sentence it is an ordinary message, which arrives as one.
        await obey(services, event, said)


async def obey(services: Services, event: Mapping[str, Any], said: str) -> None:
    """Carries out once what a message says after the mention of the desk, and answers its author alone."""
    async with services.transaction() as tx:
        event = dict(event) | {"channel": await channels.present_id(tx, event["channel"])}
    try:
        async with services.transaction() as tx:
            answer = await _carry_out(services, tx, event, said)
            if answer is not None:
                await _tell(tx, event, answer)
    except (Refused, grammar.Misunderstood) as refused:
        async with services.transaction() as tx:
            # Refused once is refused for good: when it comes again, it may be possible and no longer wanted.
            if await tickets.act_once(tx, _key(event)):
                await _tell(tx, event, answers.sentence(escape(str(refused))))


def _key(event: Mapping[str, Any]) -> str:
    return text.mention_key(event["channel"], event["ts"])


async def _tell(tx: Transaction, event: Mapping[str, Any], answer: Message) -> None:
    await notices.add(
        tx,
        _key(event),
        "ephemeral",
        {"text": answer.text, "blocks": answer.blocks},
        slack_id=event["user"],
        channel=event["channel"],
        thread_ts=event.get("thread_ts"),
    )


async def _carry_out(services: Services, tx: Transaction, event: Mapping[str, Any], said: str) -> Message | None:
    """None when it was carried out before, or the words were a customer's request and are recorded as one."""
    person = await people.meet(tx, payloads.team_of(event, services.desk), event["user"])
    ticket, side = await _ticket_of(tx, event)
    is_agent = relation(person, ticket) is Relation.AGENT if ticket else bool(person.agent_of)
    command = _understood(said, ticket, is_agent=is_agent)
    if command is None or (not is_agent and grammar.is_a_request(command)):
        # A customer who says "note that May works" or "help me with the export" does not speak to a machine.
        # When it comes again they may be an agent: it is not to become a command then, nor a command a request.
        if await tickets.act_once(tx, _key(event)):
            asked = command.title if isinstance(command, grammar.New) and ticket is None else ""
            await _take_in(services, tx, event, asked or said)
        return None
    _suits_thread(command, side, is_agent=is_agent)
    if not await tickets.act_once(tx, _key(event)):
        return None
    typed_at = (event["channel"], event["ts"])
    files = payloads.files_of(event)
    return await verbs.carry_out(services, tx, person, command, key=_key(event), typed_at=typed_at, files=files)


def _understood(said: str, ticket: Ticket | None, *, is_agent: bool) -> grammar.Command | None:
    """None: a customer's words are no command. One that only agents have is refused to them."""
    try:
        command = grammar.parse(said or "help", implied=ticket.number if ticket else None, called="@desk")
    except grammar.Misunderstood:
        if is_agent or grammar.is_bare(said):
            raise
        command = None
    if not is_agent and grammar.is_for_agents(said, command):
        raise Refused(say.only_agents(verb=said.split(maxsplit=1)[0].lower()))
    return command


async def _ticket_of(tx: Transaction, event: Mapping[str, Any]) -> tuple[Ticket | None, Side | None]:
    thread = await tickets.by_thread(tx, event["channel"], event.get("thread_ts") or event["ts"])
    return (await tickets.by_id(tx, thread[0]), thread[1]) if thread else (None, None)


def _suits_thread(command: grammar.Command, side: Side | None, *, is_agent: bool) -> None:
    if side == "customer" and is_agent and isinstance(command, grammar.Note | grammar.Reply):
        raise Refused(say.NO_NOTE_HERE if isinstance(command, grammar.Note) else say.NO_REPLY_HERE)


async def _take_in(services: Services, tx: Transaction, event: Mapping[str, Any], words: str) -> None:
    message = payloads.message(event, services.desk, words=words, on_request=not event.get("thread_ts"))
    await conversation.take_in(tx, services.desk, message)
