"""When somebody is at work again: what a customer who waits out of working hours is told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

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
    stored = await expected.working_hours(tx, ticket.channel)
    if stored is None:
        return None
    opens = _next_opening(stored, tx.now)
    if opens is None or opens <= tx.now:
        return None
    await expected.tell(tx, ticket.id, opens)
    return opens


def _next_opening(stored: Mapping[str, Any], at: dt.datetime) -> dt.datetime | None:
    """None for hours that another program has written wrong: no promise can be made of them."""
    try:
        return WorkingHours.model_validate(stored).next_opening(at)
    except ValidationError:
        return None


async def set_hours(tx: Transaction, channel: str, hours: WorkingHours | None) -> None:
    """Sets a support channel's working hours, for whoever may set it up; None: all time counts."""
    if await expected.set_working_hours(tx, channel, hours.stored() if hours else None):
        await expected.mark_all_of(tx, channel)
