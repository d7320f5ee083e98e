"""Lists and single tickets, as the one who asks may see them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from bot.tickets import grammar, work
from bot.tickets.desk import Desk
from bot.tickets.errors import Refused
from bot.tickets.permissions import Operation, may
from storage import people, tickets
from storage.engine import Transaction
from storage.people import Person
from storage.tickets import Noted, Said, Ticket, Wanted

PAGE = 10
STATUSES: dict[str | None, tuple[str, ...]] = {
    None: ("new", "open", "pending"),
    "all": ("new", "open", "pending", "closed"),
    "open": ("open",),
    "new": ("new",),
    "pending": ("pending",),
    "closed": ("closed",),
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of tickets. `names`: of their requesters and assignees, by id in auth.users."""

    tickets: tuple[Ticket, ...]
    names: dict[UUID, str]
    more: bool


async def listed(
    tx: Transaction,
    desk: Desk,
    person: Person,
    wanted: grammar.List,
    *,
    urgent_first: bool = False,
    page: int = 0,
) -> Page:
    """An agent sees the tickets of their triage channels and their own; a customer sees their own."""
    assignee = await _assignee(tx, desk, person, wanted)
    found = await tickets.listed(
        tx,
        Wanted(
            requested_by=(person.team_id, person.slack_id),
            triage_channels=sorted(person.agent_of),
            statuses=STATUSES[wanted.status],
            assignee=assignee,
            unassigned=wanted.whose == "unassigned",
            tag=wanted.tag,
            priority=wanted.priority,
            urgent_first=urgent_first,
        ),
        limit=PAGE + 1,
        offset=page * PAGE,
    )
    return Page(tuple(found[:PAGE]), await names_on(tx, found), len(found) > PAGE)


async def _assignee(tx: Transaction, desk: Desk, person: Person, wanted: grammar.List) -> UUID | None:
    match wanted.whose:
        case grammar.Person(slack_id):
            known = await people.find(tx, desk.team_id, slack_id)
            if known is None:
                raise Refused("This person has no tickets.")
            return known.user_id
        case "mine" if person.agent_of:
            return person.user_id
        case _:
            return None


async def names_on(tx: Transaction, found: list[Ticket]) -> dict[UUID, str]:
    """The names of the requesters and assignees of tickets."""
    ids = {one for ticket in found for one in (*ticket.assigned_to, ticket.requester) if one is not None}
    known = await people.with_user_ids(tx, ids)
    return {user_id: person.name for user_id, person in known.items() if person.name}


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

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.ticket.custom_fields


async def shown(tx: Transaction, person: Person, number: int) -> Shown:
    ticket = await work.find(tx, person, number, Operation.READ)
    is_agent = may(person, ticket, Operation.READ_NOTES)
    written = await tickets.conversation(tx, ticket.id, notes=is_agent)
    authors = {UUID(one.word["created_by"]) for one in written if one.word.get("created_by")}
    known = await people.with_user_ids(tx, authors)
    names = {user_id: one.name for user_id, one in known.items() if one.name} | await names_on(tx, [ticket])
    messages = tuple(one for one in written if isinstance(one, Said))
    if not is_agent:
        return Shown(ticket, messages, names)
    return ShownToAgent(ticket, messages, names, tuple(one for one in written if isinstance(one, Noted)))


def heading(wanted: grammar.List) -> str:
    """What a list shows, in words: "Open tickets, mine, #billing"."""
    statuses = {None: "Tickets that are not closed", "all": "All tickets"}
    match wanted.whose:
        case grammar.Person():
            whose: str | None = "of one agent"
        case "mine":
            whose = "yours"
        case other:
            whose = other
    status = statuses.get(wanted.status) or f"{wanted.status} tickets"
    parts = [status.capitalize(), whose, f"#{wanted.tag}" if wanted.tag else None]
    parts.append(f"{wanted.priority} priority" if wanted.priority else None)
    return ", ".join(part for part in parts if part)


def encode_page(wanted: grammar.List, page: int) -> str:
    """A list and its page as the value of the *More* button."""
    whose = wanted.whose.slack_id if isinstance(wanted.whose, grammar.Person) else wanted.whose
    return json.dumps([wanted.status, whose, wanted.tag, wanted.priority, page])


def decode_page(value: str) -> tuple[grammar.List, int]:
    """Reads `encode_page` back; whatever else the value holds is refused."""
    try:
        status, whose, tag, priority, page = json.loads(value)
        chosen = _PAGE.validate_python({"status": status, "tag": tag, "priority": priority, "page": page})
    except (ValueError, TypeError):
        raise Refused("This list cannot go on. Ask for it again: `/ticket list`") from None
    person = None if whose in (None, "mine", "unassigned") else grammar.Person(str(whose))
    return grammar.List(chosen["status"], person or whose, chosen["tag"], chosen["priority"]), chosen["page"]


class _Chosen(TypedDict):
    status: Literal["open", "new", "pending", "closed", "all"] | None
    tag: str | None
    priority: Literal["low", "medium", "high"] | None
    page: Annotated[int, Field(ge=0, le=100_000)]


_PAGE = TypeAdapter(_Chosen)
