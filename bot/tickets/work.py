"""What agents and requesters do to tickets. Every operation checks for itself who may."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID, uuid4

from bot.tickets import conversation, history, lifecycle, text
from bot.tickets.arrivals import File
from bot.tickets.desk import Desk
from bot.tickets.errors import Overtaken, Refused
from bot.tickets.opening import Opening, open_ticket
from bot.tickets.permissions import Operation, demand, demand_in, may
from bot.tickets.words import operations as say
from storage import channels, people, replies, showing, tickets
from storage.engine import Transaction
from storage.people import Person
from storage.replies import Reply
from storage.tickets import Origin, Priority, Ticket

Item = TypeVar("Item", str, UUID)

#: More would not fit the one message in which the customer gets it.
REPLY_LENGTH = 7_000
#: Of a ticket's custom fields: how many an agent can have there, and how long a value is.
MOST_FIELDS, VALUE_LENGTH = 50, 500
NO_FORM: Mapping[str, str] = MappingProxyType({})
#: A message or note that was born in the desk: no Slack message of a person's stands behind it.
FROM_THE_DESK = Origin(None, None, None, None)


async def find(tx: Transaction, person: Person, number: int, operation: Operation, *, lock: bool = True) -> Ticket:
    """The ticket, locked, when there is one and the person may do this to it."""
    ticket = await tickets.by_number(tx, number, lock=lock)
    if ticket is None or not (may(person, ticket, operation) or may(person, ticket, Operation.READ)):
        if not person.agent_of:
            # Whoever may not see a ticket is not told whether it exists.
            raise Refused(say.not_yours(number=number))
        if ticket is not None:
            raise Refused(say.elsewhere(number=number))
        raise Refused(say.no_such_ticket(number=number, newest=await tickets.newest_number(tx)))
    demand(person, ticket, operation)
    await tx.act_as(person.user_id, "agent" if may(person, ticket, Operation.CLAIM) else "customer")
    return ticket


async def at(tx: Transaction, channel: str, ts: str, thread_ts: str | None = None) -> Ticket | None:
    """The ticket to whose thread, or conversation, Slack's message (channel, ts) belongs."""
    thread = await tickets.by_thread(tx, channel, thread_ts or ts)
    ticket_id = thread[0] if thread else await tickets.holding(tx, channel, ts)
    return await tickets.by_id(tx, ticket_id) if ticket_id else None


async def claim(tx: Transaction, person: Person, number: int) -> Ticket:
    ticket = await find(tx, person, number, Operation.CLAIM)
    if person.user_id in ticket.assigned_to:
        raise Refused(say.yours_already(number=number))
    await _assign(tx, ticket, (*ticket.assigned_to, person.user_id))
    return ticket


async def assign(tx: Transaction, desk: Desk, person: Person, number: int, slack_ids: Sequence[str]) -> Ticket:
    ticket = await find(tx, person, number, Operation.ASSIGN)
    chosen = [await _agent(tx, desk, ticket, slack_id) for slack_id in slack_ids]
    new = [one.user_id for one in chosen if one.user_id not in ticket.assigned_to]
    if not new:
        raise Refused(say.assigned_already(number=number))
    await _assign(tx, ticket, tuple(dict.fromkeys((*ticket.assigned_to, *new))))
    return ticket


async def _agent(tx: Transaction, desk: Desk, ticket: Ticket, slack_id: str) -> Person:
    person = await people.find(tx, desk.team_id, slack_id)
    if person is None or ticket.triage_channel not in person.agent_of:
        raise Refused(say.no_agent(name=person.name if person else None), field="assignees")
    return person


async def _assign(tx: Transaction, ticket: Ticket, assigned_to: tuple[UUID, ...]) -> None:
    await tickets.change(tx, ticket.id, assigned_to=assigned_to, status=lifecycle.assigned(ticket))


async def unassign(tx: Transaction, desk: Desk, person: Person, number: int, slack_ids: Sequence[str]) -> Ticket:
    ticket = await find(tx, person, number, Operation.ASSIGN)
    known = [await people.find(tx, desk.team_id, slack_id) for slack_id in slack_ids]
    leaving = {one.user_id for one in known if one is not None}
    remaining = tuple(one for one in ticket.assigned_to if one not in leaving)
    if remaining == ticket.assigned_to:
        raise Refused(say.not_assigned(number=number))
    await _remain(tx, ticket, remaining)
    return ticket


async def _remain(tx: Transaction, ticket: Ticket, remaining: tuple[UUID, ...]) -> None:
    await tickets.change(tx, ticket.id, assigned_to=remaining, status=lifecycle.unassigned(ticket, remaining))


async def agent_left(tx: Transaction, person: Person, triage_channel: str) -> list[Ticket]:
    """Returns the tickets of an agent who has left triage to unassigned; which ones they were."""
    await tx.act_as(None, "desk")
    left = await tickets.open_ones_of(tx, person.user_id, triage_channel)
    for ticket in left:
        await _remain(tx, ticket, tuple(one for one in ticket.assigned_to if one != person.user_id))
    return left


async def set_priority(tx: Transaction, person: Person, number: int, level: Priority) -> Ticket:
    ticket = await find(tx, person, number, Operation.EDIT)
    await tickets.change(tx, ticket.id, priority=level)
    return ticket


async def tag(tx: Transaction, person: Person, number: int, add: Sequence[str], remove: Sequence[str]) -> Ticket:
    ticket = await find(tx, person, number, Operation.EDIT)
    kept = [one for one in ticket.tags if one not in remove]
    await tickets.change(tx, ticket.id, tags=tuple(dict.fromkeys((*kept, *add))))
    return ticket


async def retitle(tx: Transaction, person: Person, number: int, title: str) -> Ticket:
    ticket = await find(tx, person, number, Operation.EDIT)
    await tickets.change(tx, ticket.id, title=await _readable(tx, title))
    return ticket


async def set_fields(tx: Transaction, person: Person, number: int, fields: Sequence[tuple[str, str]]) -> Ticket:
    """Sets custom fields to texts (Slack-encoded); an empty one takes its field away. Others stay as they are.

    A field that is there under a name in other letter case is that field.
    """
    ticket = await find(tx, person, number, Operation.EDIT)
    await _set_fields(tx, ticket, fields)
    return ticket


async def _set_fields(
    tx: Transaction, ticket: Ticket, fields: Sequence[tuple[str, str]], inputs: Mapping[str, str] = NO_FORM
) -> None:
    """`inputs`: where each was given in a form."""
    there = {name.casefold(): name for name in ticket.custom_fields}
    spelt = [
        (name if name in ticket.custom_fields else there.get(name.casefold(), name), value) for name, value in fields
    ]
    at = dict(zip((name for name, _ in spelt), (inputs.get(name) for name, _ in fields), strict=True))
    given = {name: await _value(tx, name, value, at[name]) for name, value in spelt if value}
    added = [name for name in given if name not in ticket.custom_fields]
    if added and len(ticket.custom_fields) + len(added) > MOST_FIELDS:
        raise Refused(say.too_many_fields(number=ticket.number, most=MOST_FIELDS), field=at[added[0]])
    taken = [name for name, value in spelt if not value]
    if missing := next((name for name in taken if name not in ticket.custom_fields), None):
        raise Refused(say.no_such_field(number=ticket.number, name=missing), field=at[missing])
    await tickets.set_fields(tx, ticket.id, given, taken)


async def _value(tx: Transaction, name: str, encoded: str, field: str | None) -> str:
    value = await _readable(tx, encoded)
    if len(value) > VALUE_LENGTH:
        raise Refused(say.value_too_long(name=name, most=VALUE_LENGTH, length=len(value)), field=field)
    return value


@dataclass(frozen=True, slots=True)
class Fields:
    """What *Edit* shows and sends; None is no part of the form. `assignees` are Slack ids.

    `custom`: the custom fields that it has an input for, as plain text by name. `more`: others, as for `set_fields`.
    """

    title: str | None
    priority: Priority
    tags: tuple[str, ...] | None
    assignees: tuple[str, ...]
    custom: Mapping[str, str] = field(default_factory=dict)
    more: Sequence[tuple[str, str]] = ()


async def edit(tx: Transaction, desk: Desk, person: Person, number: int, shown: Fields, sent: Fields) -> Ticket:
    """Changes what differs between the form as it was shown and as it was sent.

    What others have changed meanwhile, and what the form could not show, stay.
    """
    ticket = await find(tx, person, number, Operation.EDIT)
    changes: dict[str, Any] = {}
    if sent.title is not None and sent.title != shown.title:
        changes["title"] = sent.title
    if sent.priority != shown.priority:
        changes["priority"] = sent.priority
    if sent.tags is not None and sent.tags != shown.tags:
        changes["tags"] = _merged(ticket.tags, shown.tags or (), sent.tags)
    if set(sent.assignees) != set(shown.assignees):
        changes |= await _reassigned(tx, desk, ticket, shown.assignees, sent.assignees)
    if changes:
        await tickets.change(tx, ticket.id, **changes)
    changed = _changed(ticket, shown.custom, sent.custom)
    if changed or sent.more:
        _must_be_said_once(changed, sent.more)
        inputs = {name: f"fields:{name}" for name, _ in changed} | {name: "more_fields" for name, _ in sent.more}
        await _set_fields(tx, ticket, [*changed, *sent.more], inputs)
    return ticket


def _changed(ticket: Ticket, shown: Mapping[str, str], sent: Mapping[str, str]) -> list[tuple[str, str]]:
    """The custom fields to set; one that is to go, and that somebody else has taken away, is gone."""
    return [
        (name, text.encoded(value))
        for name, value in sent.items()
        if value.strip() != shown.get(name, "").strip() and (value or name in ticket.custom_fields)
    ]


def _must_be_said_once(changed: Sequence[tuple[str, str]], more: Sequence[tuple[str, str]]) -> None:
    said = {name.casefold() for name, _ in changed}
    if twice := next((name for name, _ in more if name.casefold() in said), None):
        raise Refused(say.field_twice(name=twice), field="more_fields")


def _merged(now: Sequence[Item], shown: Sequence[Item], sent: Sequence[Item]) -> tuple[Item, ...]:
    """What is there now, with the changes that lead from what was shown to what was sent."""
    kept = [one for one in now if one in sent or one not in shown]
    return tuple(dict.fromkeys(kept + [one for one in sent if one not in shown]))


async def _reassigned(
    tx: Transaction, desk: Desk, ticket: Ticket, shown: Sequence[str], sent: Sequence[str]
) -> dict[str, Any]:
    known = {slack_id: await people.find(tx, desk.team_id, slack_id) for slack_id in {*shown, *sent}}
    before = [person.user_id for slack_id in shown if (person := known[slack_id])]
    after: list[UUID] = []
    for slack_id in sent:
        person = known[slack_id]
        # Who is assigned already stays assignable: they may have left triage since.
        if person is None or person.user_id not in (*before, *ticket.assigned_to):
            person = await _agent(tx, desk, ticket, slack_id)
        after.append(person.user_id)
    assigned_to = _merged(ticket.assigned_to, before, after)
    gained = set(assigned_to) - set(ticket.assigned_to)
    status = lifecycle.assigned(ticket) if gained else lifecycle.unassigned(ticket, assigned_to)
    return {"assigned_to": assigned_to, "status": status}


async def note(tx: Transaction, person: Person, number: int, words: str) -> Ticket:
    ticket = await find(tx, person, number, Operation.NOTE)
    await _add_note(tx, ticket, person.user_id, uuid4(), words)
    return ticket


async def _add_note(
    tx: Transaction, ticket: Ticket, author: UUID, note_id: UUID, words: str, files: Sequence[File] = ()
) -> None:
    written = history.Note(
        id=str(note_id),
        content=history.with_files(await _readable(tx, words), [(file.name, file.url) for file in files]),
        created_at=history.timestamp(tx.now),
        created_by=str(author),
    )
    await tickets.append_note(tx, ticket.id, written, Origin(None, None, None, {"text": words}))


async def reply(
    tx: Transaction,
    desk: Desk,
    person: Person,
    number: int,
    words: str,
    *,
    seen: UUID | None = None,
    typed_at: tuple[str, str] | None = None,
    files: Sequence[File] = (),
) -> Ticket:
    """Holds a reply to the customer until it can no longer be undone.

    Where the customer is not in Slack it then stands in the ticket, from where the program sends it through which they
    write.

    `words` are Slack-encoded. `seen`: the newest message or held reply when the author began; Overtaken where there is
    a newer one by somebody else. `typed_at`: the (channel, ts) of the message in which it was typed, with
    these `files`.
    """
    ticket = await find(tx, person, number, Operation.REPLY)
    if len(words) > REPLY_LENGTH:
        raise Refused(say.reply_too_long(most=REPLY_LENGTH))
    if seen is not None and await replies.overtaken(tx, ticket.id, seen, person.user_id):
        raise Overtaken(say.overtaken(by=await on_its_way(tx, person, ticket)))
    held = Reply(
        id=uuid4(),
        ticket_id=ticket.id,
        author=person.user_id,
        author_team=person.team_id,
        author_slack=person.slack_id,
        words=words,
        held_at=tx.now,
        due_at=tx.now + desk.undo,
        state="held",
        channel=typed_at[0] if typed_at else None,
        ts=typed_at[1] if typed_at else None,
        files=[file.model_dump() for file in files],
    )
    await replies.hold(tx, held)
    await showing.mark(tx, ticket.id)
    return ticket


async def on_its_way(tx: Transaction, person: Person, ticket: Ticket) -> str | None:
    """Whose reply, of a colleague's, is held just now, as a sentence."""
    held = [one for one in await replies.held_for(tx, ticket.id) if one.author != person.user_id]
    if not held:
        return None
    author = (await people.with_user_ids(tx, [held[-1].author])).get(held[-1].author)
    return say.reply_on_its_way(author=author.name if author else None)


async def undo_reply(tx: Transaction, person: Person, reply_id: UUID) -> None:
    held = await _held(tx, person, reply_id)
    await replies.settle(tx, held.id, "undone")
    await showing.mark(tx, held.ticket_id)


async def make_note(tx: Transaction, person: Person, reply_id: UUID) -> None:
    """The reply was meant for colleagues: it becomes a note and never reaches the customer."""
    held = await _held(tx, person, reply_id)
    ticket = await tickets.by_id(tx, held.ticket_id, lock=True)
    assert ticket is not None
    await replies.settle(tx, held.id, "noted")
    files = [File.model_validate(file) for file in held.files]
    await _add_note(tx, ticket, held.author, held.id, held.words, files)


async def _held(tx: Transaction, person: Person, reply_id: UUID) -> Reply:
    # The ticket is locked before its reply, here and where replies are sent: two locks, always in one order.
    held = await replies.find(tx, reply_id)
    ticket = await tickets.by_id(tx, held.ticket_id) if held else None
    if ticket is None:
        raise Refused(say.REPLY_UNKNOWN)
    await find(tx, person, ticket.number, Operation.REPLY)
    held = await replies.find(tx, reply_id, lock=True)
    assert held is not None
    if held.state == "sent":
        raise Refused(say.REPLY_SENT)
    if held.state != "held":
        raise Refused(say.REPLY_TAKEN_BACK)
    return held


async def send_due_replies(tx: Transaction, ticket_id: UUID, *, all_of_them: bool = False) -> int:
    """Appends the held replies whose time has come to the conversation, from where they are shown to the customer.

    Returns how many there were.
    """
    sent = 0
    ticket = await tickets.by_id(tx, ticket_id, lock=True)
    for held in await replies.held_for(tx, ticket_id) if ticket else []:
        if held.due_at <= tx.now or all_of_them:
            assert ticket is not None
            # Replies that go out together keep the order in which they were written.
            await _send(tx, ticket, held, tx.now + dt.timedelta(microseconds=sent))
            ticket = await tickets.by_id(tx, ticket_id)
            sent += 1
    return sent


async def _send(tx: Transaction, ticket: Ticket, held: Reply, at: dt.datetime) -> None:
    attached = [conversation.attachment(File.model_validate(file)) for file in held.files]
    word = history.fresh(held.id, await _readable(tx, held.words), at, held.author, attached)
    await tickets.append(
        tx,
        ticket.id,
        word,
        Origin(None, None, None, {"text": held.words, "files": list(held.files)}),
        "agent",
        status=lifecycle.agent_replied(ticket),
        assigned_to=lifecycle.taken_by(ticket, held.author),
    )
    await replies.settle(tx, held.id, "sent")


async def close(
    tx: Transaction, person: Person, number: int, comment: str | None = None, *, typed_at: tuple[str, str] | None = None
) -> int:
    """Closes; a comment becomes an internal note. Replies that are still held are sent first: how many there were.

    `typed_at`: the (channel, ts) of the message in which it was asked for.
    """
    ticket = await find(tx, person, number, Operation.CLOSE)
    await _must_be_up_to_date(tx, ticket, typed_at)
    if comment and not may(person, ticket, Operation.NOTE):
        raise Refused(say.only_agents_comment(number=number))
    if comment:
        await _add_note(tx, ticket, person.user_id, uuid4(), comment)
    status = lifecycle.closed(ticket)
    role = "agent" if may(person, ticket, Operation.CLAIM) else "customer"
    sent = await send_due_replies(tx, ticket.id, all_of_them=True)
    await tx.act_as(person.user_id, role)
    await tickets.change(tx, ticket.id, status=status)
    return sent


async def _must_be_up_to_date(tx: Transaction, ticket: Ticket, typed_at: tuple[str, str] | None) -> None:
    """What was typed while the desk was away is heard late, and what the customer has said since must not go unread."""
    if typed_at and await tickets.answered_later(tx, ticket.id, history.moment(typed_at[1]), "customer"):
        raise Refused(say.written_since(number=ticket.number))


async def not_a_ticket(
    tx: Transaction, person: Person, number: int, *, typed_at: tuple[str, str] | None = None
) -> Ticket:
    """Closed, silently, unrated, left out of every figure; replies that are still held are taken back.

    `typed_at` as for `close`.
    """
    ticket = await find(tx, person, number, Operation.SPAM)
    await _must_be_up_to_date(tx, ticket, typed_at)
    await tickets.mark_not_a_ticket(tx, ticket.id, value=True)
    for held in await replies.held_for(tx, ticket.id):
        await replies.settle(tx, held.id, "undone")
    if ticket.status == "closed":
        await showing.mark(tx, ticket.id)
    else:
        await tickets.change(tx, ticket.id, status=lifecycle.closed(ticket))
    return ticket


async def reopen(tx: Transaction, person: Person, number: int) -> Ticket:
    ticket = await find(tx, person, number, Operation.REOPEN)
    await tickets.change(tx, ticket.id, status=lifecycle.reopened(ticket))
    await tickets.mark_not_a_ticket(tx, ticket.id, value=False)
    return ticket


async def rate(tx: Transaction, person: Person, number: int, rating: int, comment: str | None = None) -> Ticket:
    """Saves the requester's rating, 1 to 5.

    A second one replaces the first; the comment stays until a new one comes.
    """
    ticket = await tickets.by_number(tx, number, lock=True)
    if ticket is None:
        raise Refused(say.QUESTION_OF_NOTHING)
    demand(person, ticket, Operation.RATE)
    if ticket.not_a_ticket:
        raise Refused(say.NOT_RATED)
    if ticket.closings == 0:
        raise Refused(say.rated_once_closed(number=number))
    if rating not in range(1, 6):
        raise Refused(say.NO_RATING)
    earlier = (ticket.feedback or {}).get("comment")
    feedback = {
        "rating": rating,
        "comment": text.clean(comment) if comment else earlier,
        "submitted_at": history.timestamp(tx.now),
    }
    await tx.act_as(person.user_id, "customer")
    await tickets.change(tx, ticket.id, feedback=feedback)
    return ticket


@dataclass(frozen=True, slots=True)
class Request:
    """A ticket asked for in the new-ticket form. `customer`: the Slack id of whom an agent opens it for.

    `priority`: None where the form did not ask for it.
    """

    title: str
    description: str
    priority: Priority | None = None
    customer: str | None = None


async def open_new(tx: Transaction, desk: Desk, person: Person, channel: str | None, request: Request) -> Ticket:
    """Opens a ticket from the form; its root message is posted in the support channel it came from, else in a DM."""
    support, triage = await _place(tx, channel)
    requester = person
    if request.customer is not None and request.customer != person.slack_id:
        requester, _ = await customer(tx, desk, person, channel, request.customer)
    opened = await open_ticket(
        tx,
        desk,
        Opening(
            title=request.title,
            description=request.description or request.title,
            requester=requester,
            created_by=person.user_id,
            channel=support or requester.slack_id,
            root_ts=None,
            triage_channel=triage,
            priority=request.priority,
        ),
    )
    ticket = await tickets.by_id(tx, opened)
    assert ticket is not None
    return ticket


async def _place(tx: Transaction, channel: str | None) -> tuple[str | None, str | None]:
    """Of a ticket asked for in a channel: the support channel in which its thread begins, and its triage channel."""
    place = await channels.find(tx, channel) if channel else None
    if place is not None and place.role == "support":
        return place.id, place.triage_channel
    default = await channels.default_triage(tx)
    return None, default.id if default else None


async def customer(
    tx: Transaction, desk: Desk, agent: Person, channel: str | None, slack_id: str
) -> tuple[Person, str | None]:
    """Somebody for whom an agent opens a ticket, and the support channel in which its thread begins; None: their DM.

    Refused unless it is a person who can answer and is no agent for such tickets, as far as is known of them.
    """
    support, triage = await _place(tx, channel)
    demand_in(agent, triage, Operation.OPEN_FOR_OTHERS, field="customer")
    met = await people.with_slack_ids(tx, [slack_id])
    person = met.get(slack_id) or await people.meet(tx, desk.team_id, slack_id)
    if person.kind in {"bot", "deactivated"} or slack_id == desk.bot_user:
        raise Refused(say.NO_PERSON, field="customer")
    if triage in person.agent_of:
        raise Refused(say.is_an_agent(name=person.name), field="customer")
    return person, support


async def _readable(tx: Transaction, encoded: str) -> str:
    mentioned = text.mentioned(encoded)
    known = await people.with_slack_ids(tx, mentioned) if mentioned else {}
    return text.readable(encoded, {slack_id: one.name for slack_id, one in known.items() if one.name})
