"""What is rendered, made from the rows by `bot.delivery` and the operations.

The types for customers (`Status`, `Question`, `Mirror`) have no field that could hold a note.
Names are plain text as people typed them: `bot.blocks` escapes. Mentions are Slack ids.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from storage.tickets import Priority, Ticket
from storage.tickets import Status as TicketStatus


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest message of the conversation, as the card quotes it."""

    author: str
    words: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Card:
    """The ticket's message in the triage channel. `assignees`: Slack ids. `company`: None for one's own."""

    number: int
    title: str
    status: TicketStatus
    priority: Priority
    requester: str
    company: str | None
    source_channel: str | None
    assignees: Sequence[str]
    tags: Sequence[str]
    waiting_since: dt.datetime | None
    opened_at: dt.datetime
    customer_thread: str | None
    latest: Latest | None
    not_a_ticket: bool
    rating: int | None
    follows: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """The desk's one small message in the customer's thread. `assignees`: names.

    `back_at`: when somebody is at work again, for a ticket that waits out of working hours.
    """

    number: int
    status: TicketStatus
    assignees: Sequence[str]
    not_a_ticket: bool
    back_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Root:
    """The message that begins the thread of a ticket which was asked for in a form. `opened_by`: None for oneself."""

    number: int
    title: str
    description: str
    requester: str
    opened_by: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """ "How did we do?" `rating` is what was answered so far."""

    number: int
    rating: int | None
    commented: bool


@dataclass(frozen=True, slots=True)
class Mirror:
    """A message of the other thread. `words`: Slack mrkdwn in which nobody is pinged. `files`: (name, link) each.

    `alert`: Slack ids of the assignees who are to notice it.
    """

    author: str
    picture: str | None
    words: str
    files: Sequence[tuple[str, str]]
    edited: bool
    deleted: bool
    alert: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class NoteMirror:
    """A note that was written elsewhere than in the triage thread. Never made for a customer."""

    author: str
    picture: str | None
    words: str


@dataclass(frozen=True, slots=True)
class HeldReply:
    """A reply from triage, from when it is held until long after it was sent.

    `waiting`: it is due, and Slack does not take it for now; `unsent`: it never reaches the customer.
    """

    id: str
    author: str
    words: str
    due_at: dt.datetime
    state: Literal["held", "sent", "undone", "noted", "waiting", "unsent"]


@dataclass(frozen=True, slots=True)
class Alert:
    """Something in the triage thread that the assignees must notice.

    All ids are Slack's; `by` None: another program. `turn`: it was the assignee's turn.
    """

    what: Literal["assigned", "reopened", "turn"]
    number: int
    by: str | None
    assignees: Sequence[str]


@dataclass(frozen=True, slots=True)
class Parked:
    """Slack refuses a message for good: said to the agents."""

    what: str
    error: str


@dataclass(frozen=True, slots=True)
class Stuck:
    """A ticket that the desk fails to show, for a reason that its log tells under `reference`."""

    number: int
    reference: str


@dataclass(frozen=True, slots=True)
class Closed:
    """Slack refuses whatever is sent to a channel. `person`: whose direct messages it is, else None."""

    channel: str
    person: str | None
    error: str


@dataclass(frozen=True, slots=True)
class Reopened:
    """Slack takes again what is sent to the channel, where so many tickets and notices wait."""

    channel: str
    person: str | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list. `link`: where this reader can open it."""

    ticket: Ticket
    requester: str
    assignees: Sequence[str]
    link: str | None


@dataclass(frozen=True, slots=True)
class Recovered:
    """How much was missed in a conversation and read back. `channel`: None for direct messages."""

    channel: str | None
    messages: int
    edits: int
    deletions: int

    def any(self) -> bool:
        return bool(self.messages or self.edits or self.deletions)

    def __add__(self, other: Recovered) -> Recovered:
        return Recovered(
            self.channel, self.messages + other.messages, self.edits + other.edits, self.deletions + other.deletions
        )
