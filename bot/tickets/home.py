"""App Home: what a person finds there, and what they choose in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from bot.tickets import forms, listing, views
from bot.tickets.desk import Desk
from bot.tickets.errors import Refused
from bot.tickets.listing import Page
from bot.tickets.permissions import Relation, relation
from bot.tickets.words import lists as say
from storage import channels, homes
from storage.engine import Transaction
from storage.homes import Home
from storage.listing import Order, Wanted
from storage.people import Person
from storage.tickets import Priority, Status

#: So many of an agent's own requests stand below what they work on.
ASKED = 3
#: What can be chosen from a menu. Of triage channels: those that the agent is in.
MENUS: Mapping[str, tuple[str, ...]] = {
    "list": get_args(homes.List),
    "status": get_args(Status),
    "priority": get_args(Priority),
}
ORDERS: Mapping[homes.List, Order] = {"mine": "urgency", "waiting": "waiting"}


async def view(tx: Transaction, desk: Desk, person: Person) -> views.AgentHome | views.CustomerHome:
    """An agent's desk for who is an agent now, whatever they were when they chose what is listed."""
    chosen = await homes.find(tx, person) or Home()
    if not person.agent_of:
        found = await _page(tx, Wanted(_key(person), (), status="all"), chosen)
        return views.CustomerHome(own_tickets(desk, found), len(chosen.trail) + 1, _next(found))
    found = await _page(tx, _wanted(person, chosen), chosen)
    asked = await listing.page(tx, Wanted(_key(person), ()))
    own = own_tickets(desk, asked)
    return views.AgentHome(
        chosen=chosen,
        channels=[(one.id, one.name) for one in await channels.served(tx, "triage") if one.id in person.agent_of],
        rows=[
            views.DeskRow(
                row,
                mine=person.user_id in row.ticket.assigned_to,
                own=relation(person, row.ticket) is Relation.REQUESTER,
            )
            for row in listing.rows(desk, found)
        ],
        page=len(chosen.trail) + 1,
        next=_next(found),
        asked=[] if chosen.list == "asked" else own[:ASKED],
        more_asked=len(own) > ASKED,
    )


def own_tickets(desk: Desk, found: Page) -> list[views.OwnTicket]:
    return [
        views.OwnTicket(
            number=row.ticket.number,
            title=row.ticket.title,
            status=row.ticket.status,
            assignees=row.assignees,
            last_activity_at=row.ticket.last_activity_at,
            link=row.link,
        )
        for row in listing.rows(desk, found)
    ]


def _key(person: Person) -> tuple[str, str]:
    return person.team_id, person.slack_id


async def _page(tx: Transaction, wanted: Wanted, chosen: Home) -> Page:
    """The page that the person has turned to."""
    after = listing.read_place(chosen.trail[-1]) if chosen.trail else None
    return await listing.page(tx, replace(wanted, after=after))


def _next(found: Page) -> str | None:
    return listing.written_place(found.next) if found.next else None


def _wanted(person: Person, chosen: Home) -> Wanted:
    """A channel that the agent has left since they chose it is no choice any more."""
    all_of_them = sorted(person.agent_of)
    in_one = chosen.triage_channel in person.agent_of
    asked = chosen.list == "asked"
    # Nobody takes up or waits on what is closed.
    status = None if chosen.status == "closed" and chosen.list in {"unassigned", "waiting"} else chosen.status
    return Wanted(
        requested_by=_key(person) if asked else None,
        triage_channels=() if asked else [chosen.triage_channel] if in_one and chosen.triage_channel else all_of_them,
        status=status,
        assignee=person.user_id if chosen.list == "mine" else None,
        unassigned=chosen.list == "unassigned",
        tag=chosen.tag,
        priority=chosen.priority,
        order="activity" if status == "closed" else ORDERS.get(chosen.list, "activity"),
    )


async def choose(tx: Transaction, person: Person, what: str, value: str | None) -> None:
    """Keeps what an agent lists by; None for everything, which no list is."""
    if not person.agent_of:
        raise Refused(say.ONLY_AGENTS_CHOOSE)
    known = sorted(person.agent_of) if what == "triage_channel" else MENUS.get(what)
    if what == "tag":
        value = _tag(value or "")
    elif (value is not None or what == "list") and value not in (known or ()):
        raise Refused(say.CHOICE_GONE)
    await homes.choose(tx, person, what, value)


def _tag(typed: str) -> str | None:
    try:
        tags = forms.parsed_tags(typed)
    except ValueError as error:
        raise Refused(str(error)) from error
    if len(tags) > 1:
        raise Refused(say.ONE_TAG)
    return tags[0] if tags else None


async def turn(tx: Transaction, person: Person, place: str) -> None:
    try:
        listing.read_place(place)
    except ValueError:
        raise Refused(say.PAGE_GONE) from None
    await homes.turn(tx, person, place)
