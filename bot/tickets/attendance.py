"""When somebody is at work again: what a customer who waits out of working hours is told."""

from __future__ import annotations

import datetime as dt

from pydantic import ValidationError

from bot.tickets.hours import WorkingHours
from storage import expected
from storage.engine import Transaction
from storage.tickets import Ticket


async def back_at(tx: Transaction, ticket: Ticket) -> dt.datetime | None:
    """For a ticket that waits for the desk now, out of its support channel's working hours; else None.

    That the customer is told so is remembered: when the time has come, the ticket is shown anew.
    """
    if ticket.status not in {"new", "open"} or ticket.channel is None:
        return None
    known = await hours(tx, ticket.channel)
    opens = known.next_opening(tx.now) if known else tx.now
    if opens <= tx.now:
        return None
    await expected.tell(tx, ticket.id, opens)
    return opens


async def hours(tx: Transaction, channel: str) -> WorkingHours | None:
    """A support channel's working hours. None also of what another program has written wrong: it promises nothing."""
    stored = await expected.working_hours(tx, channel)
    try:
        return WorkingHours.model_validate(stored) if stored is not None else None
    except ValidationError:
        return None


async def set_hours(tx: Transaction, channel: str, hours: WorkingHours | None) -> None:
    """Sets a support channel's working hours, for whoever may set it up; None: all time counts."""
    if await expected.set_working_hours(tx, channel, hours.stored() if hours else None):
        await expected.mark_all_of(tx, channel)
