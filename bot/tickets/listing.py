"""Lists and single tickets, as the one who asks may see them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import Field, TypeAdapter

from bot.tickets import grammar, views, work
from bot.tickets.desk import Desk
from bot.tickets.errors import Refused
from bot.tickets.permissions import Operation, may
from bot.tickets.words import lists as say
from storage import listing, people, tickets
from storage.engine import Transaction
from storage.listing import PAGE, Order, Place, Wanted
from storage.people import Person
from storage.tickets import Noted, Priority, Said, Ticket


@dataclass(frozen=True, slots=True)
class Page:
    """A page of tickets. `names`: of their requesters and assignees, by id in auth.users. `next`: where more begin."""

    tickets: tuple[Ticket, ...]
    names: dict[UUID, str]
    next: Place | None


async def listed(
    tx: Transaction,
    desk: Desk,
    person: Person,
    wanted: grammar.List,
    *,
    order: Order = "activity",
    after: Place | None = None,
) -> Page:
    """An agent sees the tickets of their triage channels and their own; a customer sees their own."""
    return await page(
        tx,
        Wanted(
            requested_by=(person.team_id, person.slack_id),
            triage_channels=sorted(person.agent_of),
            status=wanted.status,
            assignee=await _assignee(tx, desk, person, wanted),
            unassigned=wanted.whose == "unassigned",
            tag=wanted.tag,
            priority=wanted.priority,
            order=order,
            after=after,
        ),
    )


async def page(tx: Transaction, wanted: Wanted) -> Page:
    found = await listing.listed(tx, wanted)
    shown = tuple(found[:PAGE])
    more = listing.place_of(shown[-1], wanted.order) if len(found) > PAGE else None
    return Page(shown, await names_on(tx, shown), more)


def rows(desk: Desk, found: Page) -> list[views.Row]:
    return [
        views.Row(
            ticket=ticket,
            requester=found.names.get(ticket.requester or UUID(int=0)) or ticket.customer_email or say.SOMEBODY,
            assignees=[found.names.get(one, say.SOMEBODY) for one in ticket.assigned_to],
            link=link(desk, ticket),
        )
        for ticket in found.tickets
    ]


def link(desk: Desk, ticket: Ticket) -> str | None:
    """Where the customer's thread is."""
    return desk.link(ticket.channel, ticket.root_ts) if ticket.channel and ticket.root_ts else None


async def _assignee(tx: Transaction, desk: Desk, person: Person, wanted: grammar.List) -> UUID | None:
    match wanted.whose:
        case grammar.Person(slack_id):
            known = await people.find(tx, desk.team_id, slack_id)
            if known is None:
                raise Refused(say.NOBODYS_TICKETS)
            return known.user_id
        case "mine" if person.agent_of:
            return person.user_id
        case _:
            return None


async def names_on(tx: Transaction, found: Sequence[Ticket]) -> dict[UUID, str]:
    """The names of the requesters and assignees of tickets."""
    ids = {one for ticket in found for one in (*ticket.assigned_to, ticket.requester) if one is not None}
    return await people.names(tx, ids)


@dataclass(frozen=True, slots=True)
class Shown:
    """A ticket in full, as its requester sees it."""

    ticket: Ticket
    messages: tuple[Said, ...]
    names: dict[UUID, str]


@dataclass(frozen=True, slots=True)
class ShownToAgent(Shown):
    """With what customers do not see."""

    notes: tuple[Noted, ...]


async def shown(tx: Transaction, person: Person, number: int) -> Shown:
    ticket = await work.find(tx, person, number, Operation.READ)
    is_agent = may(person, ticket, Operation.READ_NOTES)
    written = await tickets.conversation(tx, ticket.id, notes=is_agent)
    authors = {UUID(one.word["created_by"]) for one in written if one.word.get("created_by")}
    names = await people.names(tx, authors) | await names_on(tx, [ticket])
    messages = tuple(one for one in written if isinstance(one, Said))
    if not is_agent:
        return Shown(ticket, messages, names)
    return ShownToAgent(ticket, messages, names, tuple(one for one in written if isinstance(one, Noted)))


def heading(wanted: grammar.List) -> str:
    """What a list shows, in words."""
    whose = "one" if isinstance(wanted.whose, grammar.Person) else wanted.whose
    return say.heading(wanted.status, whose=whose, tag=wanted.tag, priority=wanted.priority)


EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def written_place(place: Place) -> str:
    """A place in a list as the value of a button: microseconds since 1970, number, urgency."""
    return f"{(place.at - EPOCH) // dt.timedelta(microseconds=1)}.{place.number}.{place.urgency}"


def read_place(written: str) -> Place:
    """ValueError where it is none."""
    at, number, urgency = (int(part) if part.isascii() and part.isdecimal() else -1 for part in written.split("."))
    if not (0 <= at < 253_402_300_800_000_000 and 0 < number <= grammar.LARGEST_NUMBER and 0 <= urgency <= 3):
        raise ValueError("no place in a list")
    return Place(EPOCH + dt.timedelta(microseconds=at), number, urgency)


def encode_more(wanted: grammar.List, order: Order, place: Place) -> str:
    """A list and where its next page begins, as the value of the *More* button."""
    whose = wanted.whose.slack_id if isinstance(wanted.whose, grammar.Person) else wanted.whose
    return json.dumps([wanted.status, whose, wanted.tag, wanted.priority, order, written_place(place)])


def decode_more(value: str) -> tuple[grammar.List, Order, Place]:
    """Reads `encode_more` back; whatever else the value holds is refused."""
    try:
        status, whose, tag, priority, order, place = MORE.validate_json(value)
        after = read_place(place)
    except ValueError:
        raise Refused(say.LIST_ENDS) from None
    match whose:
        case None | "mine" | "unassigned":
            return grammar.List(status, whose, tag, priority), order, after
        case slack_id:
            return grammar.List(status, grammar.Person(slack_id), tag, priority), order, after


Tag = Annotated[str, Field(min_length=1, max_length=grammar.TAG_LENGTH)]
SlackId = Annotated[str, Field(pattern="^[UW][A-Z0-9]{1,30}$")]
More: TypeAlias = tuple[
    grammar.Status | None,
    Literal["mine", "unassigned"] | SlackId | None,
    Tag | None,
    Priority | None,
    Literal["activity", "urgency"],
    str,
]
MORE: TypeAdapter[More] = TypeAdapter(More)
