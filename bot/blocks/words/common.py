"""What is said of tickets and people in more than one place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from storage.tickets import AuthorRole, Priority, Status

#: Never the mark alone: the word says it to whoever cannot tell the colours apart.
STATUS: Mapping[Status, str] = {"new": "🔵 New", "open": "🟢 Open", "pending": "🟡 Pending", "closed": "⚪ Closed"}
PRIORITY: Mapping[Priority, str] = {
    "low": "Low priority",
    "medium": "Medium priority",
    "high": "🔺 High priority",
}
RATINGS: Mapping[int, str] = {1: "1 – poor", 2: "2 – fair", 3: "3 – okay", 4: "4 – good", 5: "5 – great"}

# Buttons
CLAIM = "Claim"
REPLY = "Reply"
NOTE = "Note"
CLOSE = "Close"
REOPEN = "Reopen"
EDIT = "Edit"
NEW_TICKET = "New ticket"
CANCEL = "Cancel"

# In place of what is not there
NO_TITLE = "(no title)"
NO_WORDS = "_no words_"
DELETED = "_message deleted_"
SOMEBODY = "Somebody"
FILE = "file"
GROUP = "group"
UNNAMED: Mapping[AuthorRole, str] = {"customer": "Customer", "agent": "Support", "other": "Another program"}

# How a customer writes who is not in Slack
#: By the ticket's `source_channel`.
WAYS: Mapping[str, str] = {"email": "by e-mail", "web": "on the web", "chat": "by chat", "widget": "in a widget"}
THROUGH_ANOTHER_PROGRAM = "through another program"

# Facts of a ticket, which stand beside each other on a line
UNASSIGNED = "unassigned"
NOBODY_YET = "nobody is on it yet"
EDITED = "edited"

#: How Slack shows a moment on the reader's own clock:
#: https://docs.slack.dev/messaging/formatting-message-text#date-formatting
MOMENT = "{date_short_pretty} {time}"


def moment(at: dt.datetime) -> str:
    """A moment for whom Slack's own clock does not reach. `at`: in UTC."""
    return f"{at:%-d %b %Y %H:%M} UTC"


def by(channel: str) -> str:
    """One more of WAYS, for a channel that another program has named."""
    return f"by {channel}"


def named(label: str, *, number: int) -> str:
    """What a screen reader says of a ticket's button."""
    return f"{label}: ticket #{number}"


def status(status: Status, *, not_a_ticket: bool) -> str:
    return f"*{STATUS[status]}*, not a ticket" if not_a_ticket else f"*{STATUS[status]}*"


def requester(name: str) -> str:
    """On the first line of a ticket; `from_` stands between other facts."""
    return f"From *{name}*"


def from_(name: str) -> str:
    return f"from {name}"


def on_it(names: str, *, count: int) -> str:
    """ "Ada, Grace are on it". `count`: how many they are."""
    return f"{names} is on it" if count == 1 else f"{names} are on it"


def more(count: int) -> str:
    """Ends a list of which not all is shown."""
    return f"{count:,} more"


def and_more(count: int) -> str:
    """The same on a line of its own."""
    return f"and {count:,} more"


def opened(at: str) -> str:
    return f"opened {at}"


def closed(at: str) -> str:
    return f"closed {at}"


def last_activity(at: str) -> str:
    return f"last activity {at}"


def waiting_since(at: str) -> str:
    return f"waiting since {at}"


def stars(rating: int) -> str:
    """ "★★★★☆ 4 of 5"."""
    return f"{'★' * rating}{'☆' * (5 - rating)} {rating} of 5"


def rated(stars: str) -> str:
    return f"rated {stars}"
