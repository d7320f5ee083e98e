"""The words of lists, App Home and figures that the rules make, and what is said where they cannot be had."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal

from storage.tickets import Priority

SOMEBODY = "somebody"

# Lists

NOBODYS_TICKETS = "This person has no tickets."
LIST_ENDS = "This list cannot go on. Ask for it again: `/ticket list`"
_LISTED: Mapping[str | None, str] = {
    None: "Tickets that are not closed",
    "all": "All tickets",
    "new": "New tickets",
    "open": "Open tickets",
    "pending": "Pending tickets",
    "closed": "Closed tickets",
}
_WHOSE: Mapping[Literal["mine", "unassigned", "one"] | None, str | None] = {
    "mine": "yours",
    "unassigned": "unassigned",
    "one": "of one agent",
    None: None,
}
_PRIORITIES: Mapping[Priority, str] = {"low": "low priority", "medium": "medium priority", "high": "high priority"}


def heading(
    status: str | None,
    *,
    whose: Literal["mine", "unassigned", "one"] | None,
    tag: str | None,
    priority: Priority | None,
) -> str:
    """Of a list: "Open tickets, yours, #billing". `status`: as it is typed, None: all but closed ones."""
    parts = [_LISTED[status], _WHOSE[whose], f"#{tag}" if tag else None, _PRIORITIES[priority] if priority else None]
    return ", ".join(part for part in parts if part)


# App Home

ONLY_AGENTS_CHOOSE = "Only agents can choose what is listed."
CHOICE_GONE = "This cannot be chosen any more. Open App Home again."
PAGE_GONE = "This page is there no more. Open App Home again."
ONE_TAG = "The list is by one tag. Write one only."

# Figures


def period(first: dt.date, last: dt.date, *, days: int) -> str:
    """Such as "Today, 5 Nov 2025" or "Last 7 days, 30 Oct – 5 Nov 2025"."""
    if days == 1:
        return f"Today, {_date(last)} {last.year}"
    year = f" {first.year}" if first.year != last.year else ""
    return f"Last {days} days, {_date(first)}{year} – {_date(last)} {last.year}"


def _date(date: dt.date) -> str:
    return f"{date.day} {date:%b}"


def no_such_channel(*, name: str, near: str | None) -> str:
    """`near`: the channel that may be meant."""
    meant = f" Did you mean: `/ticket digest #{near}`?" if near else ""
    return f"#{name} is no support channel of yours.{meant}"


def no_such_company(*, name: str, near: str | None) -> str:
    """`near`: the company or period that may be meant."""
    meant = f"Did you mean: `/ticket digest {near}`?" if near else "A channel is written with #."
    return f"No customers of a company “{name}” have asked for anything. {meant}"
