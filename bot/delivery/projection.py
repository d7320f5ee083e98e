"""What Slack should show of a ticket, compared with what it shows: the next step, one side at a time.

A step is one call. The order within a side: its head (the root, the status message or the card) first, then what is
missing, oldest first, and last what is out of date.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from uuid import UUID

from bot.blocks import card, customer, mirror
from bot.blocks.surface import Message
from bot.blocks.words import common
from bot.delivery import words as say
from bot.tickets import attendance, conversation, files, text, views
from bot.tickets.desk import Desk
from storage import channels, copies, emails, people, replies, showing, tickets
from storage.engine import Transaction
from storage.people import Person
from storage.showing import Happening, Posted, Unshown
from storage.tickets import AuthorRole, Side, Ticket

#: By Slack's subtype: https://docs.slack.dev/reference/events/message
MANNERS: Mapping[str, Literal["broadcast", "me"]] = {"thread_broadcast": "broadcast", "me_message": "me"}

#: A rating that the agents are told of at once, and those below it.
LOW = 2


class Suspended(Exception):  # noqa: N818 - a state of the channel, not a mistake
    """The triage channel is suspended: others would read there what is for agents only."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call that brings a side nearer to what it should show.

    `post`: into `channel`, in the thread `thread_ts` or as a root; `update`, `delete`: the message `posted`.
    `version`: of the conversation's message that it shows, 0 for others; `author`: who wrote that, as far as was known.
    `to_copy`: its files, each (id, name), which are uploaded again once it is posted. `shares`: uploaded files, each
    (id, name), that a post consists of.
    """

    act: Literal["post", "update", "delete"]
    slot: str
    channel: str
    thread_ts: str | None
    message: Message
    posted: Posted | None = None
    version: int = 0
    message_id: UUID | None = None
    author: Person | None = None
    to_copy: Sequence[tuple[str, str]] = ()
    shares: Sequence[tuple[str, str]] = ()

    @property
    def shows(self) -> str:
        return fingerprint(self.message)


def fingerprint(message: Message) -> str:
    """Tells whether a message in Slack is the one that should be there."""
    return hashlib.sha256(json.dumps(message.arguments(), sort_keys=True).encode()).hexdigest()[:32]


async def next_step(tx: Transaction, desk: Desk, ticket_id: UUID, side: Side) -> Step | None:
    """None: the side shows what it should. Suspended: nothing may be shown there for the time being."""
    # What happened is read before the ticket: a change that comes in between is then in the ticket and not yet among
    # what happened, so that nothing is passed over on the strength of an older state.
    happenings = await showing.to_be_noticed(tx, ticket_id) if side == "triage" else []
    ticket = await tickets.by_id(tx, ticket_id)
    if ticket is None:
        return None
    if side == "triage" and not await _is_served(tx, ticket.triage_channel):
        return None
    view = await _View.of(tx, desk, ticket, side, happenings)
    return await (_customer_side(view) if side == "customer" else _triage_side(view))


async def _is_served(tx: Transaction, triage_channel: str | None) -> bool:
    channel = await channels.find(tx, triage_channel) if triage_channel else None
    if channel is None or channel.role != "triage":
        return False
    if channel.suspended is not None:
        raise Suspended
    return True


@dataclass(frozen=True, slots=True)
class _View:
    """One side of a ticket, with what is needed to render it."""

    tx: Transaction
    desk: Desk
    ticket: Ticket
    side: Side
    channel: str
    thread_ts: str | None
    posted: dict[tuple[Side, str], Posted]
    assignees: Sequence[Person]
    happenings: Sequence[Happening]

    @classmethod
    async def of(
        cls, tx: Transaction, desk: Desk, ticket: Ticket, side: Side, happenings: Sequence[Happening]
    ) -> _View:
        posted = await showing.posted(tx, ticket.id)
        card_posted = posted.get(("triage", "card"))
        known = await people.with_user_ids(tx, ticket.assigned_to)
        return cls(
            tx,
            desk,
            ticket,
            side,
            (ticket.channel if side == "customer" else ticket.triage_channel) or "",
            ticket.root_ts if side == "customer" else card_posted.ts if card_posted else None,
            posted,
            [known[one] for one in ticket.assigned_to if one in known],
            happenings,
        )

    @property
    def assigned_elsewhere(self) -> int:
        """How many have the ticket who are not in Slack."""
        return len(self.ticket.assigned_to) - len(self.assignees)

    def missing(self, slot: str) -> bool:
        there = self.posted.get((self.side, slot))
        return there is None or (there.ts is None and there.refused is None)

    def outdated(self, slot: str, message: Message) -> Posted | None:
        there = self.posted.get((self.side, slot))
        is_there = there is not None and there.ts is not None and not there.gone and there.refused is None
        return there if there and is_there and there.shows != fingerprint(message) else None

    def post(self, slot: str, message: Message) -> Step:
        return Step("post", slot, self.channel, self.thread_ts, message)

    def update_first(self, wanted: Iterable[tuple[str, Message]]) -> Step | None:
        for slot, message in wanted:
            if there := self.outdated(slot, message):
                return Step("update", slot, there.channel, there.thread_ts, message, there)
        return None


async def _customer_side(view: _View) -> Step | None:
    ticket = view.ticket
    root = customer.root(await _root(view)) if ("customer", "root") in view.posted or ticket.root_ts is None else None
    if root and ticket.root_ts is None:
        return view.post("root", root) if view.missing("root") else None
    status = customer.status(await _status(view))
    if view.missing("status") and not ticket.not_a_ticket:
        return view.post("status", status)
    if unshown := await showing.next_unshown(view.tx, ticket.id, "customer"):
        return await _mirrored(view, unshown)
    question = f"rating:{ticket.closings}"
    asked = customer.question(_question(ticket))
    if ticket.status == "closed" and view.missing(question) and await _is_asked(view):
        return view.post(question, asked)
    wanted = [*([("root", root)] if root else []), (question, asked), ("status", status)]
    return await _outlived(view) or view.update_first(wanted) or await _shared(view)


async def _is_asked(view: _View) -> bool:
    """Whether the requester, where there is one in Slack, is asked for a rating: not shortly after they gave one."""
    ticket, cooldown = view.ticket, view.desk.cooldown
    if ticket.not_a_ticket or ticket.requester_slack is None:
        return False
    if not cooldown or ticket.requester is None or ticket.closed_at is None:
        return True
    return not await showing.rated_since(view.tx, ticket.requester, ticket.closed_at - cooldown)


async def _triage_side(view: _View) -> Step | None:
    ticket = view.ticket
    shown_card = card.card(await _card(view))
    if view.missing("card"):
        return Step("post", "card", view.channel, None, shown_card)
    if view.thread_ts is None:
        return None
    held = [(f"reply:{one.id}", one, await _held(view, one)) for one in await replies.of_ticket(view.tx, ticket.id)]
    missing: list[tuple[dt.datetime, Step]] = [
        (one.held_at, view.post(slot, message)) for slot, one, message in held if view.missing(slot)
    ]
    asked = [
        (f"email:{one.id}", one, await _email_claim(view, one)) for one in await emails.asked_about(view.tx, ticket.id)
    ]
    missing += [(one.claimed_at, view.post(slot, said)) for slot, one, said in asked if view.missing(slot)]
    missing += await _alerts(view)
    rated = await _rated(view)
    missing += [(view.tx.now, view.post(slot, message)) for slot, message in rated if view.missing(slot)]
    if unshown := await showing.next_unshown(view.tx, ticket.id, "triage"):
        missing.append((unshown.created_at, await _mirrored(view, unshown)))
    if missing:
        return min(missing, key=lambda one: one[0])[1]
    wanted = [*((slot, message) for slot, _, message in (*held, *asked)), *rated, ("card", shown_card)]
    return await _outlived(view) or view.update_first(wanted) or await _shared(view)


async def _outlived(view: _View) -> Step | None:
    """Takes away what shows the files of a message that was deleted, questions that were asked again since, and what
    was erased. Of that, what may have been sent is found first."""
    tx, ticket = view.tx, view.ticket
    there = (
        await copies.outlived(tx, ticket.id, view.side)
        or _asked_before(view)
        or await showing.unwanted(tx, ticket.id, view.side)
    )
    if there is None:
        return None
    if there.ts is None:
        return Step("post", there.slot, there.channel, there.thread_ts, mirror.erased(), there)
    return Step("delete", there.slot, there.channel, there.thread_ts, mirror.files(views.Files("", None, [])), there)


def _asked_before(view: _View) -> Posted | None:
    newest = view.posted.get(("customer", f"rating:{view.ticket.closings}"))
    if view.side != "customer" or newest is None or newest.ts is None:
        return None
    return next((one for one in view.posted.values() if one.slot.startswith("rating:") and _stands(one, newest)), None)


def _stands(one: Posted, newest: Posted) -> bool:
    return one.id != newest.id and one.ts is not None and not one.gone and one.refused is None


async def _shared(view: _View) -> Step | None:
    """The files of a message, below it. Last of all: Slack may take its time to show them."""
    bundle = await copies.next_bundle(view.tx, view.ticket.id, view.side)
    if bundle is None:
        return None
    author = await _author(view.tx, bundle.created_by, bundle.author_role)
    names = [name for _, name in bundle.files]
    message = mirror.files(views.Files(author=author.name, picture=author.picture, names=names))
    slot = f"files:{bundle.message_id}"
    return Step("post", slot, view.channel, view.thread_ts, message, bundle.posted, shares=bundle.files)


class _Author(NamedTuple):
    """Under what name and picture somebody's words are shown, and who that is in Slack."""

    name: str
    picture: str | None
    person: Person | None


async def _author(tx: Transaction, user_id: UUID | None, role: AuthorRole) -> _Author:
    person = (await people.with_user_ids(tx, [user_id])).get(user_id) if user_id else None
    if person is not None and person.name:
        return _Author(person.name, person.picture, person)
    known = await people.names(tx, [user_id]) if user_id else {}
    name = (known.get(user_id) if user_id else None) or common.UNNAMED[role]
    return _Author(name, person.picture if person else None, person)


async def _rated(view: _View) -> list[tuple[str, Message]]:
    """The requester's latest answer, where it was 1 or 2 at first: once for each closing, with what became of it."""
    ticket, feedback = view.ticket, view.ticket.feedback
    if not feedback or ticket.not_a_ticket:
        return []
    slot = f"rated:{await showing.answered_closing(view.tx, ticket.id)}"
    if feedback["rating"] > LOW and ("triage", slot) not in view.posted:
        return []
    requester = (await people.with_user_ids(view.tx, [ticket.requester] if ticket.requester else [])).get(
        ticket.requester or UUID(int=0)
    )
    told = views.Rated(
        number=ticket.number,
        requester=_name(requester) if requester else (await _customer(view))[0],
        rating=int(feedback["rating"]),
        comment=feedback.get("comment"),
        assignees=[person.slack_id for person in view.assignees],
    )
    return [(slot, mirror.rated(told))]


async def _mirrored(view: _View, one: Unshown) -> Step:
    """The message of the other side as this side shows it: posted, brought up to date or taken away."""
    author = await _author(view.tx, one.created_by, one.author_role)
    message = await _mirror(view, one, author)
    slot = f"message:{one.message_id}"
    if one.posted is None or one.posted.ts is None:
        to_copy = files.to_be_copied(one.source, one.word["attachments"]) if one.kind == "message" else []
        return Step(
            "post",
            slot,
            view.channel,
            view.thread_ts,
            message,
            version=one.version,
            message_id=one.message_id,
            author=author.person,
            to_copy=to_copy,
        )
    act: Literal["update", "delete"] = "delete" if "deleted_at" in one.word else "update"
    return Step(act, slot, one.posted.channel, one.posted.thread_ts, message, one.posted, one.version, one.message_id)


async def _mirror(view: _View, one: Unshown, author: _Author) -> Message:
    words = await _words(view.tx, one)
    if one.kind == "note":
        return mirror.note(views.NoteMirror(author=author.name, picture=author.picture, words=words))
    fresh = one.posted is None or one.posted.ts is None
    # What a customer writes on a closed ticket without opening it again is a bare "thanks"; an import is no news.
    told = conversation.IMPORTED in (one.source or {}) or view.ticket.status == "closed"
    told = told or (view.ticket.imported_to is not None and one.created_at <= view.ticket.imported_to)
    alerting = view.side == "triage" and one.author_role == "customer" and fresh and not told
    # Whose turn it is is about to be told so: not twice of one message.
    alerting = alerting and not any(_is_turn(happening) for happening in view.happenings)
    return mirror.mirror(
        views.Mirror(
            author=author.name,
            picture=author.picture,
            words=words,
            files=[_attached(view, one, file) for file in one.word["attachments"]],
            edited="edited_at" in one.word,
            deleted="deleted_at" in one.word,
            # Nobody is to be told of what they wrote themselves.
            alert=[each.slack_id for each in view.assignees if each.user_id != one.created_by] if alerting else (),
            original=view.desk.link(one.channel, one.ts, one.thread_ts) if one.channel and one.ts else None,
            manner=MANNERS.get((one.source or {}).get("subtype", "")),
        )
    )


def _attached(view: _View, one: Unshown, file: Mapping[str, Any]) -> views.Attached:
    # What an agent attached to a reply stands in triage, where the customer cannot open it: they get the copy.
    from_triage = view.side == "customer" and one.side is None and one.source is not None
    link = "" if from_triage else str(file.get("url", ""))
    return views.Attached(str(file.get("name", common.FILE)), link, too_large=files.is_too_large(file))


async def _words(tx: Transaction, one: Unshown) -> str:
    """Slack's own text where there is one, so that its formatting stays; the words of other programs escaped."""
    if one.source is None or "text" not in one.source or "deleted_at" in one.word:
        return text.encoded(str(one.word["content"]))
    encoded = str(one.source["text"])
    known = await people.with_slack_ids(tx, text.mentioned(encoded))
    return text.unpinged(encoded, {slack_id: person.name for slack_id, person in known.items() if person.name})


async def _root(view: _View) -> views.Root:
    ticket = view.ticket
    known = await people.with_user_ids(view.tx, [one for one in (ticket.requester, ticket.created_by) if one])
    opener = known.get(ticket.created_by) if ticket.created_by and ticket.created_by != ticket.requester else None
    return views.Root(
        number=ticket.number,
        title=ticket.title,
        description=ticket.description,
        requester=_name(known.get(ticket.requester) if ticket.requester else None),
        opened_by=_name(opener) if opener else None,
    )


def _name(person: Person | None) -> str:
    return (person.name if person else None) or say.SOMEBODY


async def _status(view: _View) -> views.Status:
    return views.Status(
        number=view.ticket.number,
        status=view.ticket.status,
        assignees=[_name(person) for person in view.assignees] + [say.COLLEAGUE] * view.assigned_elsewhere,
        not_a_ticket=view.ticket.not_a_ticket,
        back_at=await attendance.back_at(view.tx, view.ticket),
    )


def _question(ticket: Ticket) -> views.Question:
    feedback = ticket.feedback or {}
    return views.Question(
        number=ticket.number, rating=feedback.get("rating"), commented=feedback.get("comment") is not None
    )


async def _card(view: _View) -> views.Card:
    ticket = view.ticket
    requester = (await people.with_user_ids(view.tx, [ticket.requester] if ticket.requester else [])).get(
        ticket.requester or UUID(int=0)
    )
    name, company = (_name(requester), await _company(view, requester)) if requester else await _customer(view)
    first = await tickets.by_id(view.tx, ticket.follows) if ticket.follows else None
    thread = view.desk.link(ticket.channel, ticket.root_ts) if ticket.channel and ticket.root_ts else None
    latest = await _latest(view)
    waiting_since = await tickets.waiting_since(view.tx, ticket.id) if latest else ticket.created_at
    return views.Card(
        number=ticket.number,
        title=ticket.title,
        status=ticket.status,
        priority=ticket.priority,
        requester=name,
        company=company,
        source_channel=ticket.source_channel,
        assignees=[person.slack_id for person in view.assignees],
        tags=ticket.tags,
        waiting_since=waiting_since if ticket.status != "closed" else None,
        opened_at=ticket.created_at,
        customer_thread=thread,
        latest=latest,
        not_a_ticket=ticket.not_a_ticket,
        rating=(ticket.feedback or {}).get("rating"),
        follows=first.number if first else None,
        fields=ticket.custom_fields,
        edited=await tickets.edited_since_answered(view.tx, ticket.id),
        earlier_thread=await _earlier_thread(view),
        assigned_elsewhere=view.assigned_elsewhere,
        flaws=ticket.flaws,
    )


async def _customer(view: _View) -> tuple[str, str | None]:
    """The name of a requester who is not in Slack, and their e-mail where that is not the name."""
    ticket = view.ticket
    name = (await people.names(view.tx, [ticket.requester])).get(ticket.requester) if ticket.requester else None
    if name is None and ticket.customer_email:
        name = await people.customer_name(view.tx, ticket.customer_email)
    return (name, ticket.customer_email) if name else (ticket.customer_email or say.SOMEBODY, None)


async def _earlier_thread(view: _View) -> str | None:
    """The thread of a card that somebody has deleted: what was mirrored there stays there."""
    earlier = await tickets.other_thread(view.tx, view.ticket.id, view.channel, view.thread_ts)
    return view.desk.link(view.channel, earlier) if earlier else None


async def _company(view: _View, person: Person) -> str | None:
    if person.team_id == view.desk.team_id:
        return None
    return await people.company(view.tx, person.team_id) or say.ANOTHER_COMPANY


async def _latest(view: _View) -> views.Latest | None:
    newest = await tickets.newest_word(view.tx, view.ticket.id)
    if newest is None:
        return None
    author = await _author(view.tx, newest.created_by, newest.author_role)
    return views.Latest(author=author.name, words=newest.content, at=newest.created_at)


async def _held(view: _View, one: replies.Reply) -> Message:
    author = (await people.with_user_ids(view.tx, [one.author])).get(one.author)
    known = await people.with_slack_ids(view.tx, text.mentioned(one.words))
    names = {slack_id: person.name for slack_id, person in known.items() if person.name}
    return mirror.held_reply(
        views.HeldReply(
            id=str(one.id),
            author=_name(author),
            words=text.unpinged(one.words, names),
            due_at=one.due_at,
            state=await _fate(view, one),
            files=[str(file.get("name") or common.FILE) for file in one.files],
            source_channel=view.ticket.source_channel,
        )
    )


async def _fate(
    view: _View, one: replies.Reply
) -> Literal["held", "sent", "undone", "noted", "waiting", "unsent", "handed_over"]:
    if one.state != "sent":
        return one.state
    return await showing.fate(view.tx, view.ticket.id, one.id) if view.ticket.channel else "handed_over"


async def _email_claim(view: _View, one: emails.Claim) -> Message:
    customer_ = await people.find(view.tx, one.team_id, one.slack_id)
    decided_by = (await people.with_user_ids(view.tx, [one.decided_by])).get(one.decided_by) if one.decided_by else None
    assert one.state != "kept"
    return mirror.email_claim(
        views.EmailClaim(
            id=str(one.id),
            customer=_name(customer_),
            email=one.email,
            owner=await people.customer_name(view.tx, one.email) or say.SOMEBODY_ELSEWHERE,
            state=one.state,
            decided_by=_name(decided_by),
            alert=[person.slack_id for person in view.assignees] if one.state == "asked" else (),
        )
    )


async def _alerts(view: _View) -> list[tuple[dt.datetime, Step]]:
    overtaken = [one for one in view.happenings if one.what == "status"][:-1]
    alerts = []
    for one in view.happenings:
        if one not in overtaken and (alert := await _alert(view, one)):
            alerts.append((one.at, view.post(f"event:{one.id}", mirror.alert(alert))))
        else:
            await showing.pass_over(view.tx, view.ticket.id, one.id, view.channel)
    return alerts


def _ids(assigned_to: Any) -> set[UUID]:
    """Of a list in the ledger, where another program may have written null."""
    return {UUID(one) for one in assigned_to or () if isinstance(one, str)}


def _is_turn(happening: Happening) -> bool:
    """The desk has given the ticket to a default assignee of its channel."""
    return happening.what == "assigned_to" and happening.by_desk and not happening.before


async def _alert(view: _View, happening: Happening) -> views.Alert | None:
    """What the assignees must notice; nothing for what they did themselves or what has been undone since."""
    actor = (await people.with_user_ids(view.tx, [happening.actor] if happening.actor else [])).get(
        happening.actor or UUID(int=0)
    )
    if happening.what == "status":
        told = [person for person in view.assignees if person.user_id != happening.actor]
        # A customer's message mentions the assignees itself.
        if view.ticket.status == "closed" or happening.by_message or not told:
            return None
        what: Literal["assigned", "reopened", "turn"] = "reopened"
    else:
        gained = _ids(happening.after) - _ids(happening.before)
        told = [one for one in view.assignees if one.user_id in gained and one.user_id != happening.actor]
        if not told:
            return None
        what = "turn" if _is_turn(happening) else "assigned"
    return views.Alert(
        what=what,
        number=view.ticket.number,
        by=actor.slack_id if actor else None,
        assignees=[person.slack_id for person in told],
    )
