"""Messages: how each is recorded once, in its ticket, whatever the order in which Slack tells of them."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never, cast
from uuid import UUID, uuid4

from bot.tickets import history, lifecycle, reactions, text
from bot.tickets.arrivals import (
    ARRIVED,
    Arrived,
    File,
    MessageArrived,
    MessageDeleted,
    MessageEdited,
    ReactionAdded,
)
from bot.tickets.desk import Desk
from bot.tickets.errors import Refused
from bot.tickets.opening import Opening, open_ticket
from bot.tickets.permissions import Relation, relation
from storage import arrival, channels, copies, early, people, picked, showing, tickets
from storage.engine import Transaction
from storage.people import Person
from storage.tickets import Appended, AuthorRole, Origin, Side, Ticket

#: In what is kept of where a message came from: nobody is to be alerted of it.
IMPORTED = "imported"

#: How often a card or status message that somebody deletes is posted anew: whoever goes on deleting means it, and may
#: be a program.
RENEWALS = 3


async def take_in(tx: Transaction, desk: Desk, arrived: Arrived) -> None:
    """Records what Slack says about a message. Again, late or too early changes nothing in the end."""
    match arrived:
        case MessageArrived():
            await _message(tx, desk, arrived)
        case MessageEdited():
            await _edit(tx, desk, arrived)
        case MessageDeleted():
            await _delete(tx, desk, arrived)
        case ReactionAdded():
            # It came before the message, and is long acknowledged: there is nobody to tell why it cannot be.
            with contextlib.suppress(Refused):
                await reactions.react(tx, desk, arrived)
        case _:
            assert_never(arrived)


async def _message(tx: Transaction, desk: Desk, message: MessageArrived) -> None:
    root = message.thread_ts or message.ts
    met = await arrival.meet(tx, (message.team, message.author), message.channel, root, message.ts)
    author = met.author or await people.meet(tx, message.team, message.author)
    thread = met.thread
    if thread is None:
        await in_turn(tx, message.channel, root)
        thread = await tickets.by_thread(tx, message.channel, root)
        await in_turn(tx, message.channel, message.ts)
    if thread is not None:
        ticket_id, side = thread
        if not await _in_thread(tx, desk, message, author, ticket_id, side):
            return
    elif message.direct:
        await _direct(tx, desk, message, author)
    else:
        await _in_channel(tx, desk, message, author)
    await obey_what_waited(tx, desk, message.channel, message.ts)


async def in_turn(tx: Transaction, channel: str, ts: str) -> None:
    """One at a time for what concerns (channel, ts): who finds it unknown and leaves something for it to find, and who
    makes it known and looks for what was left, must see each other. Of a thread, the root's turn comes first.
    """
    await tickets.serialise(tx, channel, ts)


async def begin_thread(tx: Transaction, desk: Desk, ticket_id: UUID, side: Side, channel: str, ts: str) -> None:
    """The desk has posted a thread's root: what is written below it belongs to the ticket, also what already was."""
    await in_turn(tx, channel, ts)
    await tickets.point_thread(tx, channel, ts, ticket_id, side)
    for event in await early.take(tx, channel, ts):
        await take_in(tx, desk, ARRIVED.validate_python(event))


async def obey_what_waited(tx: Transaction, desk: Desk, channel: str, ts: str) -> None:
    """Obeys what arrived before (channel, ts) was known, now that it is."""
    for event in await early.take(tx, channel, ts, if_recorded=True):
        await take_in(tx, desk, ARRIVED.validate_python(event))


async def _in_thread(
    tx: Transaction, desk: Desk, message: MessageArrived, author: Person, ticket_id: UUID, side: Side
) -> bool:
    """Whether something may have arrived before the message that is about it."""
    held = await arrival.hold(tx, ticket_id, author)
    if held is None:
        return False
    ticket, author = held
    if side == "triage" and not _is_colleague(desk, author, ticket):
        return False
    if side == "triage":
        new = await _note(tx, desk, message, author, ticket)
    elif ticket.imported_to and history.moment(message.ts) <= ticket.imported_to:
        new = await import_one(tx, desk, message, ticket)
    elif relation(author, ticket) is Relation.AGENT:
        new = await _agent_wrote(tx, desk, message, author, ticket)
    else:
        new = await _customer_wrote(tx, desk, message, author, ticket)
    if new is None and message.edited is None:
        await _begin_with_first_words(tx, message)
    return new is None or new.awaited


def _is_colleague(desk: Desk, author: Person, ticket: Ticket) -> bool:
    """Whether what they write in the triage thread is a note.

    Slack may tell late that somebody has joined, but only those in the private channel can write there.
    """
    newcomer = author.team_id == desk.team_id and author.kind in {"unknown", "member"}
    who = relation(author, ticket)
    return who is Relation.AGENT or (newcomer and who is Relation.NOBODY)


async def _begin_with_first_words(tx: Transaction, message: MessageArrived) -> None:
    """Slack tells of a message that is recorded: where it was read back when it had been edited, what it began with."""
    one = await tickets.recorded(tx, message.channel, message.ts)
    if one is None or (second := (one.source or {}).get("edited")) is None:
        return
    before = cast("history.Message", one.word)
    content, _ = await readable(tx, message.text, message.files)
    at = history.moment(message.ts)
    after = before if content == before["content"] else history.preceded(before, content, at, history.moment(second))
    source = {key: value for key, value in (one.source or {}).items() if key != "edited"}
    await _replace(tx, one, before, after, source)


async def _note(
    tx: Transaction, desk: Desk, message: MessageArrived, author: Person, ticket: Ticket
) -> Appended | None:
    """None when it is there already."""
    content, source = await readable(tx, message.text, message.files)
    if message.edited:
        source["edited"] = message.edited
    note = history.Note(
        id=str(history.message_id(desk.team_id, message.channel, message.ts)),
        content=history.with_files(content, [(file.name, file.url) for file in message.files]),
        created_at=history.timestamp(history.moment(message.ts)),
        created_by=str(author.user_id),
    )
    origin = Origin(message.channel, message.ts, "triage", source, message.thread_ts)
    return await tickets.append_note(tx, ticket.id, note, origin)


async def _agent_wrote(
    tx: Transaction, desk: Desk, message: MessageArrived, author: Person, ticket: Ticket
) -> Appended | None:
    """None when it is there already."""
    word, origin = await word_of(tx, desk, message, author)
    opening = await tickets.opening(tx, ticket.id)
    if opening is not None and history.moment(message.ts) < opening.created_at:
        # It stood there before the ticket, like what is imported with the message that opens one.
        return await tickets.append(tx, ticket.id, word, origin, "agent")
    since = opening.created_at if opening else ticket.created_at
    overtaken = await tickets.answered_later(tx, ticket.id, history.moment(message.ts), "customer")
    return await tickets.append(
        tx,
        ticket.id,
        word,
        origin,
        "agent",
        status=lifecycle.agent_replied(ticket, overtaken=overtaken),
        assigned_to=await _taken_by(tx, ticket, author.user_id, history.moment(message.ts), since),
    )


async def _taken_by(
    tx: Transaction, ticket: Ticket, agent: UUID, at: dt.datetime, since: dt.datetime
) -> Sequence[UUID] | None:
    """Who has the ticket after a reply: the agent who wrote first takes it, also where the second was heard first.

    `since`: what was written before that is no reply.
    """
    another = len(ticket.assigned_to) == 1 and agent not in ticket.assigned_to
    if another and await tickets.taken_later(tx, ticket.id, at, since):
        ticket = replace(ticket, assigned_to=())
    return lifecycle.taken_by(ticket, agent)


async def _customer_wrote(
    tx: Transaction, desk: Desk, message: MessageArrived, author: Person, ticket: Ticket
) -> Appended | None:
    """None when it is there already."""
    word, origin = await word_of(tx, desk, message, author)
    thanks = text.is_bare_thanks(word["content"]) and not message.files
    if lifecycle.needs_follow_up(ticket, history.moment(message.ts), desk.reopening, bare_thanks=thanks):
        return await _follow_up(tx, desk, message, author, ticket)
    # Who wrote last matters to a pending ticket only.
    overtaken = ticket.status == "pending" and await tickets.answered_later(
        tx, ticket.id, history.moment(message.ts), "agent"
    )
    status = lifecycle.customer_wrote(ticket, bare_thanks=thanks, overtaken=overtaken)
    new = await tickets.append(tx, ticket.id, word, origin, "customer", status=status)
    if new and ticket.not_a_ticket and status != "closed":
        await tickets.mark_not_a_ticket(tx, ticket.id, value=False)
    if new and new.earliest and relation(author, ticket) is Relation.REQUESTER:
        later = await tickets.opening(tx, ticket.id, beside=UUID(word["id"]))
        if later is not None and history.moment(message.ts) < later.created_at:
            await _begin_with(tx, ticket, later, word, history.moment(message.ts))
    return new


async def _begin_with(
    tx: Transaction, ticket: Ticket, later: tickets.Recorded, word: history.Message, at: dt.datetime
) -> None:
    """The ticket begins with `word`, written `at`, not with the `later` message that was heard first.

    What an agent wrote in between answers it.
    """
    await _reword(tx, ticket, cast("history.Message", later.word), word)
    answer = await tickets.first_answer(tx, ticket.id, at, later.created_at)
    if answer is None or ticket.status == "closed":
        return
    agent, answered_at = answer
    taken = await _taken_by(tx, ticket, agent, answered_at, at)
    status = lifecycle.agent_replied(ticket, overtaken=True) if ticket.status == "new" else ticket.status
    await tx.act_as(agent, "agent")
    await tickets.change(
        tx, ticket.id, status=status, assigned_to=ticket.assigned_to if taken is None else tuple(taken)
    )


async def _follow_up(
    tx: Transaction, desk: Desk, message: MessageArrived, author: Person, first: Ticket
) -> Appended | None:
    """None when it is there already."""
    if await tickets.is_known(tx, message.channel, message.ts):
        return None
    root = message.thread_ts or message.ts
    there = await tickets.by_thread(tx, message.channel, root)
    if there is not None and there[0] != first.id:
        # Another message has opened it while this one waited for the first to be free.
        latest = await tickets.by_id(tx, there[0], lock=True)
        assert latest is not None
        return await _customer_wrote(tx, desk, message, author, latest)
    place = await channels.find(tx, message.channel)
    ticket_id = uuid4()
    new = await _open(
        tx,
        desk,
        message,
        author,
        place.triage_channel if place and place.role == "support" else first.triage_channel,
        root=root,
        ticket_id=ticket_id,
        follows=first.id,
    )
    await tickets.point_thread(tx, message.channel, root, ticket_id, "customer")
    return new


async def _direct(tx: Transaction, desk: Desk, message: MessageArrived, author: Person) -> None:
    await tickets.serialise(tx, message.channel, message.author)
    at = history.moment(message.ts)
    latest = await tickets.latest_of_requester(tx, message.team, message.author, message.channel, at)
    if latest is not None and latest.ticket.status != "closed":
        await _join(tx, desk, message, author, latest.ticket)
        return
    triage = await channels.default_triage(tx)
    await _open_at_root(tx, desk, message, author, triage.id if triage else None)


async def _in_channel(tx: Transaction, desk: Desk, message: MessageArrived, author: Person) -> None:
    channel = await channels.find(tx, message.channel)
    if channel is not None and channel.id != message.channel:
        await _message(tx, desk, message.model_copy(update={"channel": channel.id}))
        return
    if channel is not None and channel.role == "triage" and message.thread_ts and message.below_desk:
        await _keep(tx, message, awaits=message.thread_ts)
    if channel is None or channel.role != "support":
        return
    if message.thread_ts is not None:
        await _in_unknown_thread(tx, desk, message, author, channel.triage_channel)
        return
    if channel.triage_channel in author.agent_of and not message.on_request:
        await _keep(tx, message, awaits=message.ts)
        await _open_if_answered(tx, desk, message, channel.triage_channel)
        return
    if channel.mode == "on_request" and not message.on_request:
        await _keep(tx, message, awaits=message.ts)
        return
    await tickets.serialise(tx, message.channel, message.author)
    at = history.moment(message.ts)
    latest = await tickets.latest_of_requester(tx, message.team, message.author, message.channel, at)
    # Where every ticket is asked for, the next request is another one.
    if channel.mode == "every_message" and latest is not None and _belongs_to(desk, latest):
        await _join(tx, desk, message, author, latest.ticket)
    else:
        await _open_at_root(tx, desk, message, author, channel.triage_channel)


def _belongs_to(desk: Desk, latest: tickets.Latest) -> bool:
    """Several messages by one person in a row, while no agent has answered, are one ticket."""
    return latest.ticket.status != "closed" and not latest.answered and latest.apart <= desk.grouping


async def _join(tx: Transaction, desk: Desk, message: MessageArrived, author: Person, ticket: Ticket) -> None:
    if await tickets.claim_root(tx, message.channel, message.ts, ticket.id):
        await _customer_wrote(tx, desk, message, await people.hold(tx, author), ticket)


async def _open_at_root(
    tx: Transaction, desk: Desk, message: MessageArrived, author: Person, triage_channel: str | None
) -> None:
    ticket_id = uuid4()
    if await tickets.claim_root(tx, message.channel, message.ts, ticket_id):
        await _open(tx, desk, message, author, triage_channel, root=message.ts, ticket_id=ticket_id)


async def _open(
    tx: Transaction,
    desk: Desk,
    message: MessageArrived,
    author: Person,
    triage_channel: str | None,
    *,
    root: str,
    ticket_id: UUID,
    follows: UUID | None = None,
) -> Appended | None:
    author = await people.hold(tx, author)
    word, origin = await word_of(tx, desk, message, author)
    await make_ticket(tx, desk, message, word, author, triage_channel, root, ticket_id=ticket_id, follows=follows)
    return await tickets.append(tx, ticket_id, word, origin, "customer")


async def make_ticket(
    tx: Transaction,
    desk: Desk,
    message: MessageArrived,
    word: history.Message,
    author: Person,
    triage_channel: str | None,
    root: str,
    *,
    ticket_id: UUID,
    follows: UUID | None = None,
    opened_by: UUID | None = None,
    imported_to: dt.datetime | None = None,
) -> None:
    """Opens the ticket of who wrote `message`, of which `word` is what is kept; its conversation is empty as yet.

    `opened_by`: who has asked for it, where that is not its requester.
    """
    opening = Opening(
        id=ticket_id,
        title=text.title_from(word["content"], [file.name for file in message.files]),
        description=word["content"],
        requester=author,
        created_by=opened_by,
        channel=message.channel,
        root_ts=root,
        triage_channel=triage_channel,
        follows=follows,
        imported_to=imported_to,
    )
    await open_ticket(tx, desk, opening)


async def _in_unknown_thread(
    tx: Transaction, desk: Desk, message: MessageArrived, author: Person, triage_channel: str | None
) -> None:
    """A thread that is no ticket's: its root has not arrived yet, or an agent began it, or it is not for the desk."""
    await _keep(tx, message, awaits=message.thread_ts or message.ts)
    if triage_channel in author.agent_of:
        return
    kept = await early.find(tx, message.channel, message.thread_ts or message.ts)
    if kept is not None:
        await _open_if_answered(tx, desk, MessageArrived.model_validate(kept), triage_channel)


async def _open_if_answered(tx: Transaction, desk: Desk, root: MessageArrived, triage_channel: str | None) -> None:
    """A customer's answer to a message that an agent began opens a ticket with the thread so far."""
    channel = await channels.find(tx, root.channel)
    starter = await people.meet(tx, root.team, root.author)
    if channel is None or channel.mode != "every_message" or triage_channel not in starter.agent_of:
        return
    for answer in await early.answers(tx, root.channel, root.ts):
        message = MessageArrived.model_validate(answer)
        author = await people.meet(tx, message.team, message.author)
        if triage_channel not in author.agent_of:
            await _import(tx, desk, root, author, triage_channel)
            return


async def _import(
    tx: Transaction, desk: Desk, root: MessageArrived, requester: Person, triage_channel: str | None
) -> None:
    ticket_id = uuid4()
    if not await tickets.claim_root(tx, root.channel, root.ts, ticket_id):
        return
    thread = [ARRIVED.validate_python(event) for event in await early.take(tx, root.channel, root.ts)]
    messages = [arrived for arrived in thread if isinstance(arrived, MessageArrived)]
    for message in messages:
        await in_turn(tx, message.channel, message.ts)
    first = next(one for one in messages if (one.team, one.author) == (requester.team_id, requester.slack_id))
    await _open(tx, desk, first, requester, triage_channel, root=root.ts, ticket_id=ticket_id)
    ticket = await tickets.by_id(tx, ticket_id)
    assert ticket is not None
    # What was written after the message that opens the ticket only waited for it to be heard.
    for message in messages:
        if history.moment(message.ts) <= history.moment(first.ts):
            await import_one(tx, desk, message, ticket)
        else:
            author = await people.meet(tx, message.team, message.author)
            await _in_thread(tx, desk, message, author, ticket_id, "customer")
    for arrived in thread:
        if not isinstance(arrived, MessageArrived):
            await take_in(tx, desk, arrived)
    for message in messages:
        await obey_what_waited(tx, desk, message.channel, message.ts)


async def import_one(tx: Transaction, desk: Desk, message: MessageArrived, ticket: Ticket) -> Appended | None:
    """Records a message that was there before the ticket, or apart from it: it changes no status and alerts nobody.

    None when it is there already.
    """
    author = await people.hold(tx, await people.meet(tx, message.team, message.author))
    role: AuthorRole = "agent" if relation(author, ticket) is Relation.AGENT else "customer"
    word, origin = await word_of(tx, desk, message, author)
    quiet = replace(origin, source={**(origin.source or {}), IMPORTED: True})
    return await tickets.append(tx, ticket.id, word, quiet, role)


async def _keep(tx: Transaction, message: MessageArrived, *, awaits: str) -> None:
    await early.remember(tx, message.channel, message.ts, message.model_dump(mode="json"), awaits=awaits)
    await early.forget_words(tx, message.channel, message.ts)


async def word_of(
    tx: Transaction, desk: Desk, message: MessageArrived, author: Person
) -> tuple[history.Message, Origin]:
    content, source = await readable(tx, message.text, message.files)
    if message.edited:
        source["edited"] = message.edited
    if message.subtype:
        source["subtype"] = message.subtype
    word = history.fresh(
        history.message_id(desk.team_id, message.channel, message.ts),
        content,
        history.moment(message.ts),
        author.user_id,
        [attachment(file) for file in message.files],
    )
    return word, Origin(message.channel, message.ts, "customer", source, message.thread_ts or message.ts)


def attachment(file: File) -> history.Attachment:
    return history.Attachment(id=file.id, name=file.name, mimetype=file.mimetype, size=file.size, url=file.url)


async def readable(tx: Transaction, encoded: str, files: Sequence[File] = ()) -> tuple[str, dict[str, Any]]:
    """The words as a reader of the database can read them, and what Slack sent with what is not known of it yet."""
    mentioned = text.mentioned(encoded)
    known = await people.with_slack_ids(tx, mentioned) if mentioned else {}
    names = {slack_id: person.name for slack_id, person in known.items() if person.name}
    unresolved = sorted(mentioned - names.keys()) + [file.id for file in files if not file.known]
    source: dict[str, Any] = {"text": encoded, "files": [file.model_dump() for file in files]}
    if unresolved:
        source |= {"unresolved": True, "unknown": unresolved}
    return text.readable(encoded, names), source


async def _leave(tx: Transaction, desk: Desk, change: MessageEdited | MessageDeleted, version: str) -> None:
    """Keeps a change of a message that is not known yet, for it to find; the desk keeps none of other channels."""
    channel = None if change.direct else await channels.find(tx, change.channel)
    if channel is not None and channel.id != change.channel:
        await take_in(tx, desk, change.model_copy(update={"channel": channel.id}))
    elif change.direct or (channel is not None and channel.role != "none"):
        kept = change.model_dump(mode="json")
        await early.remember(tx, change.channel, change.ts, kept, awaits=change.ts, version=version)
        await early.forget_words(tx, change.channel, change.ts)


async def _edit(tx: Transaction, desk: Desk, edit: MessageEdited) -> None:
    await in_turn(tx, edit.channel, edit.ts)
    one = await tickets.recorded(tx, edit.channel, edit.ts)
    if one is None:
        await _leave(tx, desk, edit, f"edited {edit.at}")
        return
    if edit.gone and one.kind == "message":
        one = await _without_files(tx, one, edit.gone)
    if edit.text is None:
        return
    before, at = cast("history.Message", one.word), history.moment(edit.at)
    files = [File.model_validate(file) for file in (one.source or {}).get("files", [])]
    content, source = await readable(tx, edit.text, files)
    if subtype := (one.source or {}).get("subtype"):
        source["subtype"] = subtype
    began = before
    if IMPORTED in (one.source or {}):
        source[IMPORTED] = True
    if second := (one.source or {}).get("edited"):
        source["edited"] = second
        if not edit.to_the_second and history.is_in(before, content, at, history.moment(second)):
            if edit.previous is None:
                return
            previous, _ = await readable(tx, edit.previous, files)
            began = history.preceded(before, previous, at, history.moment(second))
    after = history.edited(began, content, at, to_the_second=edit.to_the_second)
    if after == before:
        return
    if after["content"] != content:
        source = dict(one.source or {})
    await _replace(tx, one, before, after, source)


async def _without_files(tx: Transaction, one: tickets.Recorded, gone: Sequence[str]) -> tickets.Recorded:
    """Files that somebody has taken away from a message go from its ticket, and their copies from Slack."""
    before, source = cast("history.Message", one.word), dict(one.source or {})
    await copies.remove(tx, one.message_id, gone)
    left = [file for file in before["attachments"] if file.get("id") not in gone]
    if left == before["attachments"]:
        return one
    source["files"] = [file for file in source.get("files", []) if file["id"] not in gone]
    after: history.Message = {**before, "attachments": left}
    await _replace(tx, one, before, after, source)
    return replace(one, word=dict(after), source=source)


async def _delete(tx: Transaction, desk: Desk, deletion: MessageDeleted) -> None:
    await in_turn(tx, deletion.channel, deletion.ts)
    await _delete_copies(tx, deletion)
    one = await tickets.recorded(tx, deletion.channel, deletion.ts)
    if one is None and (ours := await showing.posted_as(tx, deletion.channel, deletion.ts)) is not None:
        await showing.lost(tx, ours, renewals=RENEWALS)
        return
    if one is None:
        # A root that was buried while it had replies is deleted once more with the last of them.
        await _leave(tx, desk, deletion, f"deleted {deletion.at}")
        return
    before = cast("history.Message", one.word)
    after = history.deleted(before, history.moment(deletion.at))
    if after != before:
        await _replace(tx, one, before, after, None)


async def _delete_copies(tx: Transaction, deletion: MessageDeleted) -> None:
    """The words go also from where they were quoted."""
    for one in await tickets.copies(tx, deletion.channel, deletion.ts):
        before = cast("history.Message", one.word)
        await _replace(tx, one, before, history.deleted(before, history.moment(deletion.at)), None)
    await picked.forget(tx, deletion.channel, deletion.ts)


async def _replace(
    tx: Transaction,
    one: tickets.Recorded,
    before: history.Message,
    after: history.Message,
    source: Mapping[str, Any] | None,
) -> None:
    """Writes a new version of a message, which title and description follow where they are its words."""
    author = UUID(before["created_by"]) if before["created_by"] else None
    await tx.act_as(author, "agent" if one.author_role == "agent" else "customer")
    await tickets.rewrite(tx, one, after, source)
    if one.kind == "note":
        return
    opening = await tickets.opening(tx, one.ticket_id)
    if opening is not None and opening.message_id == one.message_id:
        ticket = await tickets.by_id(tx, one.ticket_id)
        assert ticket is not None
        await _reword(tx, ticket, before, after)


async def _reword(tx: Transaction, ticket: Ticket, before: history.Message, after: history.Message) -> None:
    """Lets title and description follow where they are the words of `before`, from now on those of `after`."""
    changed = {}
    if ticket.description == before["content"]:
        changed["description"] = after["content"]
        if ticket.title == _title(before):
            changed["title"] = _title(after)
    if changed:
        await tickets.change(tx, ticket.id, **changed)


def _title(message: history.Message) -> str:
    if "deleted_at" in message:
        return "(deleted)"
    return text.title_from(message["content"], [file["name"] for file in message["attachments"]])
