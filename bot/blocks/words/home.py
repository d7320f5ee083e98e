"""App Home."""

from __future__ import annotations

from collections.abc import Mapping

from storage.homes import List

LISTS: Mapping[List, str] = {
    "mine": "My tickets",
    "unassigned": "Unassigned",
    "waiting": "Waiting longest",
    "all": "All tickets",
    "asked": "What I asked for",
}
EMPTY: Mapping[List, str] = {
    "mine": "You have no open tickets. Choose *Unassigned* above to find one that needs somebody.",
    "unassigned": "Every open ticket has somebody on it.",
    "waiting": "No customer is waiting for an answer.",
    "all": "There are no open tickets in your triage channels.",
    "asked": "You have asked for nothing that is still open.",
}
NOTHING_CHOSEN = "No ticket matches what is chosen above. *Clear* lists all of them again."
NO_TICKETS = "You have no tickets yet. Write in a support channel, or press *New ticket*."
LEFT_BEHIND = "There are no tickets on this page any more. Go *Back*."
OWN = "You asked for this one yourself: other agents work on it."
YOUR_TICKETS = "Your tickets"

# Menus
WHICH_TICKETS = "Which tickets"
STATUS = "Status"
NOT_CLOSED = "Not closed"
PRIORITY = "Priority"
ANY_PRIORITY = "Any priority"
TRIAGE_CHANNEL = "Triage channel"
ALL_CHANNELS = "All triage channels"
TAG = "Tag (press Enter)"

# Buttons, each with what a screen reader says of it
CLEAR = "Clear"
CLEAR_SPOKEN = "List all again"
REFRESH = "Refresh"
THREAD = "Thread"
BACK = "Back"
BACK_SPOKEN = "Previous page"
NEXT = "Next"
NEXT_SPOKEN = "Next page"


def open_thread(*, number: int) -> str:
    """What a screen reader says of *Thread*."""
    return f"Open the thread of ticket #{number}"


def page(number: int) -> str:
    return f"Page {number:,}"


def choose_to_see_all() -> str:
    """Below the newest of one's own requests."""
    return f"Choose *{LISTS['asked']}* above to see all of them."
