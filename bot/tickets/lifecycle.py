"""The life-cycle table of a ticket's status, as pure functions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from bot.tickets.errors import Refused
from bot.tickets.words import operations as say
from storage.tickets import Status, Ticket


def first(assigned_to: Sequence[UUID]) -> Status:
    """Of a ticket that is created or reopened."""
    return "open" if assigned_to else "new"


def assigned(ticket: Ticket) -> Status:
    if ticket.status == "closed":
        raise Refused(say.closed_to_assign(number=ticket.number), field="assignees")
    return "open" if ticket.status == "new" else ticket.status


def unassigned(ticket: Ticket, remaining: Sequence[UUID]) -> Status:
    return "new" if ticket.status == "open" and not remaining else ticket.status


def agent_replied(ticket: Ticket, *, overtaken: bool = False) -> Status:
    """`overtaken`: the customer wrote later than this reply, which has only now arrived."""
    if ticket.status == "closed":
        return "closed"
    # Where it waits for the customer already, an agent has answered that later message.
    return "open" if overtaken and ticket.status != "pending" else "pending"


def taken_by(ticket: Ticket, agent: UUID) -> Sequence[UUID] | None:
    """Who has the ticket after an agent's reply; None: as before."""
    return [agent] if not ticket.assigned_to and ticket.status != "closed" else None


def customer_wrote(ticket: Ticket, *, bare_thanks: bool, overtaken: bool = False) -> Status:
    """`overtaken`: an agent wrote later than this message, which has only now arrived."""
    match ticket.status:
        case "closed":
            return "closed" if bare_thanks else first(ticket.assigned_to)
        case "pending":
            return "pending" if overtaken else first(ticket.assigned_to)
        case _:
            return ticket.status


def needs_follow_up(ticket: Ticket, wrote_at: dt.datetime, reopening: dt.timedelta, *, bare_thanks: bool) -> bool:
    """Whether a customer's message comes too long after closing to reopen the ticket."""
    return ticket.closed_at is not None and not bare_thanks and wrote_at - ticket.closed_at > reopening


def closed(ticket: Ticket) -> Status:
    if ticket.status == "closed":
        raise Refused(say.closed_already(number=ticket.number))
    return "closed"


def reopened(ticket: Ticket) -> Status:
    if ticket.status != "closed":
        raise Refused(say.not_closed(number=ticket.number, status=ticket.status))
    return first(ticket.assigned_to)
