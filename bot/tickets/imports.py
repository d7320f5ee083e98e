"""Threads and messages that become part of a ticket because somebody wants it so, by a shortcut or a reaction.

A ticket that is opened so has its thread so far imported: in order, with its authors, edits and files. Imports change
no status and alert nobody. What was written after somebody asked for the ticket is no import, and has its effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from bot.tickets import conversation, history, text, work
from bot.tickets.arrivals import ARRIVED, MessageArrived, Picked
from bot.tickets.desk import Desk
from bot.tickets.errors import Refused
from bot.tickets.permissions import Operation, may_open_from
from bot.tickets.words import operations as say
from storage import catch_up, channels, early, openings, people, picked, tickets
from storage.engine import Transaction
from storage.openings import Opening
from storage.people import Person
from storage.tickets import Origin, Ticket

#: How many kept answers a message that is added to a ticket may bring along, within the time that Slack waits.
MOST_ANSWERS = 100


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread as Slack shows it. `messages`: what people have written in it, oldest first."""

    channel: str
    root: str
    messages: Sequence[MessageArrived]


async def ask_to_open(tx: Transaction, person: Person, message: Picked, asked_ts: str) -> Ticket | None:
    """Notes that the thread of a message is to become a ticket, once Slack has shown it; the ticket where it is one.

    `asked_ts`: Slack's time of the asking. Refused where no tickets are opened, and for who may not open one.
    """
    if ticket := await work.at(tx, message.channel, message.ts, message.thread_ts):
        return ticket
    triage = await _triage_of(tx, message.channel)
    if not may_open_from(person, message.by, triage):
        raise Refused(say.OWN_MESSAGES_ONLY)
    await openings.add(tx, message.channel, message.ts, asked_ts, person)
    return None


async def _triage_of(tx: Transaction, channel_id: str) -> str | None:
    """Where the tickets go that are opened there."""
    channel = await channels.find(tx, channel_id)
    if channel is not None and channel.role == "support":
        return channel.triage_channel
    if not _is_direct(channel_id):
        raise Refused(say.NO_SUPPORT_CHANNEL)
    triage = await channels.default_triage(tx)
    return triage.id if triage else None


def _is_direct(channel: str) -> bool:
    """https://docs.slack.dev/apis/web-api/using-the-conversations-api"""
    return channel.startswith("D")


async def begin(tx: Transaction, desk: Desk, opening: Opening, thread: Thread) -> tuple[Ticket, bool]:
    """Opens the ticket of a thread, with nothing in it yet; or the one that the thread belongs to already, and False.

    Its requester is who wrote the message at which somebody has pointed. Where that was an agent or a bot, it is the
    first customer in the thread; Refused where there is none.
    """
    await conversation.in_turn(tx, thread.channel, thread.root)
    there = await work.at(tx, thread.channel, opening.ts, thread.root)
    if there is not None:
        return there, there.id == opening.ticket_id
    triage = await _triage_of(tx, thread.channel)
    first = await _first_words(tx, opening, thread, None if _is_direct(thread.channel) else triage)
    requester = await people.hold(tx, await people.meet(tx, first.team, first.author))
    asker = await people.meet(tx, opening.team_id, opening.slack_id)
    word, _ = await conversation.word_of(tx, desk, first, requester)
    ticket_id = uuid4()
    await tickets.claim_root(tx, thread.channel, thread.root, ticket_id)
    await conversation.make_ticket(
        tx,
        desk,
        first,
        word,
        requester,
        triage,
        thread.root,
        ticket_id=ticket_id,
        opened_by=asker.user_id,
        imported_to=history.moment(opening.asked_ts),
    )
    await openings.begun(tx, opening, ticket_id)
    ticket = await tickets.by_id(tx, ticket_id)
    assert ticket is not None
    return ticket, True


async def _first_words(tx: Transaction, opening: Opening, thread: Thread, triage: str | None) -> MessageArrived:
    """The first message of the requester. `triage`: whose members are no customers here."""
    by_customers = []
    for message in thread.messages:
        author = await people.meet(tx, message.team, message.author)
        if triage is None or triage not in author.agent_of:
            by_customers.append(message)
    if not by_customers:
        raise Refused(say.NOBODYS)
    pointed = next((one for one in by_customers if one.ts == opening.ts), by_customers[0])
    return next(one for one in by_customers if (one.team, one.author) == (pointed.team, pointed.author))


async def without_commands(tx: Transaction, desk: Desk, thread: Thread, opening: Opening) -> Thread:
    """What is to be imported of a thread: what was written before somebody asked for it, and no command to the desk.

    What a customer has asked after the mention of the desk is a request, unless it was carried out.
    """
    before = [one for one in thread.messages if history.moment(one.ts) <= history.moment(opening.asked_ts)]
    said = {one.ts: text.first_mention(one.text, desk.bot_user) for one in before}
    keys = {text.mention_key(thread.channel, ts): ts for ts, words in said.items() if words is not None}
    carried_out = {keys[key] for key in await catch_up.acted(tx, keys)}
    kept = []
    for one in before:
        words = said[one.ts]
        if words is None:
            kept.append(one)
        elif words and one.ts not in carried_out and not (await people.meet(tx, one.team, one.author)).agent_of:
            kept.append(one.model_copy(update={"text": words}))
    return Thread(thread.channel, thread.root, kept)


async def bring_in(tx: Transaction, desk: Desk, ticket_id: UUID, messages: Sequence[MessageArrived]) -> None:
    """Imports some messages, oldest first, with the edits and deletions that were heard of them before."""
    for message in messages:
        await conversation.in_turn(tx, message.channel, message.ts)
    ticket = await tickets.by_id(tx, ticket_id, lock=True)
    for message in messages if ticket else ():
        assert ticket is not None
        await conversation.import_one(tx, desk, message, ticket)
        await conversation.obey_what_waited(tx, desk, message.channel, message.ts)


async def finish(tx: Transaction, desk: Desk, opening: Opening, channel: str, root: str) -> None:
    """Nothing more is imported of the thread (channel, root): what was heard in it meanwhile has its turn."""
    await conversation.in_turn(tx, channel, root)
    await _take_kept(tx, desk, channel, root)
    await openings.done(tx, opening)


async def _take_kept(tx: Transaction, desk: Desk, channel: str, root: str) -> None:
    kept = [ARRIVED.validate_python(event) for event in await early.take(tx, channel, root)]
    for arrived in kept:
        # All of them before the first one locks the ticket, as everywhere.
        await conversation.in_turn(tx, channel, arrived.ts)
    for arrived in kept:
        await conversation.take_in(tx, desk, arrived)


async def add_picked(tx: Transaction, desk: Desk, person: Person, number: int, picked_id: UUID | None) -> Ticket:
    """Adds, as `add` does, the message that the person has picked, which is kept no longer.

    Its turn and the ticket come first, as where the message is deleted, which forgets what was picked.
    """
    kept = await picked.find(tx, person, picked_id) if picked_id else None
    ticket = await add(tx, desk, person, number, Picked.model_validate(kept)) if kept else None
    if picked_id is None or ticket is None or not await picked.take(tx, picked_id):
        raise Refused(say.FORM_TOO_OLD)
    return ticket


async def add(tx: Transaction, desk: Desk, person: Person, number: int, message: Picked) -> Ticket:
    """Adds one message to a ticket, once; it changes no status and alerts nobody.

    What a person has written in the ticket's own support channel, or in its customer's direct messages, joins the
    conversation as its author's: the customer can read it there anyway. Below it, when it stands at top level, from
    now on the ticket goes on. Everything else, such as what was written in triage, in other channels or by a bot, may
    not be for the customer: it is quoted in an internal note, with a link to it.
    """
    for ts in dict.fromkeys((message.thread_ts or message.ts, message.ts)):
        await conversation.in_turn(tx, message.channel, ts)
    answers = [one["ts"] for one in await early.answers(tx, message.channel, message.ts)]
    for ts in answers[:MOST_ANSWERS]:
        await conversation.in_turn(tx, message.channel, ts)
    ticket = await work.find(tx, person, number, Operation.ADD)
    there = await work.at(tx, message.channel, message.ts, message.thread_ts)
    shared = message.by is not None and message.channel == ticket.channel
    if there is not None and (shared or there.id == ticket.id):
        raise Refused(say.added_already(number=there.number))
    if shared and len(answers) > MOST_ANSWERS:
        raise Refused(say.too_many_answers(most=MOST_ANSWERS))
    if shared:
        await _join(tx, desk, ticket, message)
    elif not await _quote(tx, desk, person, ticket, message):
        raise Refused(say.quoted_already(number=number))
    return ticket


async def _join(tx: Transaction, desk: Desk, ticket: Ticket, message: Picked) -> None:
    assert message.team is not None
    assert message.author is not None
    arrived = MessageArrived(
        channel=message.channel,
        ts=message.ts,
        thread_ts=message.thread_ts,
        team=message.team,
        author=message.author,
        text=text.first_mention(message.text, desk.bot_user) or message.text,
        files=message.files,
    )
    await conversation.import_one(tx, desk, arrived, ticket)
    if message.thread_ts is None:
        await tickets.claim_root(tx, message.channel, message.ts, ticket.id)
    for event in await early.take(tx, message.channel, message.ts):
        waited = ARRIVED.validate_python(event)
        if isinstance(waited, MessageArrived):
            await conversation.import_one(tx, desk, waited, ticket)
        else:
            await conversation.take_in(tx, desk, waited)


async def _quote(tx: Transaction, desk: Desk, person: Person, ticket: Ticket, message: Picked) -> bool:
    """A note by the one who adds the message. False when it is there already.

    It keeps the words that the message had, as a quotation does; where the message is deleted, they go.
    """
    author = f"<@{message.author}>" if message.author else text.encoded(message.called) or say.A_BOT
    link = desk.link(message.channel, message.ts, message.thread_ts)
    files = [f"{text.encoded(file.name)} {file.url}".strip() for file in message.files]
    quoted = "\n".join([say.quoted(author=author, link=f"<{link}>"), message.text, *files]).strip()
    content, source = await conversation.readable(tx, quoted)
    note = history.Note(
        id=str(history.copy_id(ticket.id, message.channel, message.ts)),
        content=content,
        created_at=history.timestamp(tx.now),
        created_by=str(person.user_id),
    )
    source["copy_of"] = tickets.copied_from(message.channel, message.ts)
    return bool(await tickets.append_note(tx, ticket.id, note, Origin(None, None, None, source)))
