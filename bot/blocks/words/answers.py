"""What is answered to one person, privately, and told to the agents of what has happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

# Lists
TICKETS = "Tickets"
NOTHING_HERE = "Nothing here. All quiet."
MORE = "More"
MORE_SPOKEN = "More tickets"

# A ticket in full
OPEN_THREAD = "Open the thread"
NOTES = "🔒 *Internal notes* · customers do not see them"

# Help
INTRO = (
    "Type `/ticket` and one of these. In a ticket's thread mention me instead, as in `@desk close`:"
    " there the number can be left out."
)
INTRO_WITHOUT_COMMAND = (
    "In your ticket's thread mention me with one of these, as in `@desk close`: the number can be left out."
)

A_DIRECT_MESSAGE = "a direct message conversation"


def empty(heading: str) -> str:
    return f"{heading}: {NOTHING_HERE}"


def verb(usage: str, does: str, *, example: str | None) -> str:
    """A line of help."""
    return f"• `{usage}` {does} Try `/ticket {example}`" if example else f"• `{usage}` {does}"


def earlier(kind: Literal["message", "note"], *, count: int) -> str:
    """Of a long conversation, what is not shown."""
    if kind == "message":
        return f"and {count:,} earlier message" if count == 1 else f"and {count:,} earlier messages"
    return f"and {count:,} earlier note" if count == 1 else f"and {count:,} earlier notes"


def opened(*, ticket: str, title: str) -> str:
    """`ticket`: its number, as a link."""
    return f"This is ticket {ticket} now: {title}"


def opened_already(*, ticket: str) -> str:
    return f"This belongs to ticket {ticket} already."


def held(*, number: int, way: str | None, seconds: float) -> str:
    """`way`: "by e-mail", where another program sends the reply to the customer; None: the desk does."""
    goes = f"is handed over, for the customer who writes {way}" if way else "goes out"
    return (
        f"Your reply to #{number} {goes} in {seconds:g} s, or when the ticket is closed."
        " Until then, undo it in its thread."
    )


def closed(*, number: int, sent: int) -> str:
    """`sent`: how many held replies have gone out first."""
    if not sent:
        return f"#{number} is closed."
    if sent == 1:
        return f"#{number} is closed. The reply that was held is sent."
    return f"#{number} is closed. The {sent} replies that were held are sent."


def solved(*, number: int, sent: int) -> str:
    if sent == 1:
        said = "An answer to you had just been written: you find it in the thread."
    else:
        said = f"{sent} answers to you had just been written: you find them in the thread."
    return f"Ticket #{number} is closed. {said}"


def agent_left(*, agent: str, why: str, tickets: str) -> str:
    """`why` goes on after the agent's name."""
    return f"{agent} {why} and is no longer on these tickets: {tickets}"


def read_back(conversations: Sequence[str], *, more: int) -> str:
    """`conversations`: lines of `recovered`. `more`: how many others there are."""
    listed = "\n".join([*conversations, *([f"• and {more:,} more conversations"] if more else [])])
    return (
        f"Slack did not tell the desk everything for a while. It has read back what it missed:\n{listed}\n"
        "Reactions and presses of buttons cannot be read back. Where one of them did nothing, please repeat it."
    )


def recovered(conversation: str, *, messages: int, edits: int, deletions: int) -> str:
    counts = [
        "1 message" if messages == 1 else f"{messages:,} messages" if messages else "",
        "1 edit" if edits == 1 else f"{edits:,} edits" if edits else "",
        "1 deletion" if deletions == 1 else f"{deletions:,} deletions" if deletions else "",
    ]
    return f"• {conversation}: {', '.join(filter(None, counts))}"
