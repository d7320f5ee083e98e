"""What is rendered, made from the rows by `bot.delivery` and the operations.

The types for customers (`Status`, `Root`, `Question`, `Mirror`, `Row`, `CustomerHome`) have no field that could hold
a note.
Names are plain text as people typed them: `bot.blocks` escapes. Mentions are Slack ids.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from bot.tickets.digest import Week
from storage.homes import Home
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
    """The ticket's message in the triage channel. `assignees`: Slack ids. `company`: None for one's own.

    `fields`: custom fields, whose values may be any JSON. `edited`: a customer has changed words that an agent has
    answered since. `earlier_thread`: where the conversation was mirrored before somebody deleted the card.
    `assigned_elsewhere`: how many more have it, who are not in Slack. `flaws`: as `Ticket.flaws`.
    """

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
    fields: Mapping[str, Any] = field(default_factory=dict)
    edited: bool = False
    earlier_thread: str | None = None
    assigned_elsewhere: int = 0
    flaws: Mapping[str, int] = field(default_factory=dict)


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


class Attached(NamedTuple):
    """A file of a message. `url`: where it is, "" where that is nowhere for this reader. It is uploaded again below
    the message unless it is `too_large`."""

    name: str
    url: str
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a message of the other thread, which were uploaded again."""

    author: str
    picture: str | None
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Mirror:
    """A message of the other thread. `words`: Slack mrkdwn in which nobody is pinged.

    `alert`: Slack ids of the assignees who are to notice it. `original`: a link to it, for what is too long here.
    `manner`: "broadcast": it stands in the channel too; "me": its author says what they do.
    """

    author: str
    picture: str | None
    words: str
    files: Sequence[Attached]
    edited: bool
    deleted: bool
    alert: Sequence[str] = ()
    original: str | None = None
    manner: Literal["broadcast", "me"] | None = None


@dataclass(frozen=True, slots=True)
class EmailClaim:
    """Somebody says that an e-mail is theirs which belongs to `owner`, for agents to say whether the two are one.

    `decided_by`: a name. `alert`: Slack ids of the assignees who are to notice it.
    """

    id: str
    customer: str
    email: str
    owner: str
    state: Literal["asked", "confirmed", "rejected", "superseded"]
    decided_by: str
    alert: Sequence[str]


@dataclass(frozen=True, slots=True)
class NoteMirror:
    """A note that was written elsewhere than in the triage thread. Never made for a customer."""

    author: str
    picture: str | None
    words: str


@dataclass(frozen=True, slots=True)
class HeldReply:
    """A reply from triage, from when it is held until long after it was sent.

    `waiting`: it is due, and Slack does not take it for now; `unsent`: it never reaches the customer; `handed_over`: it
    is in the ticket, from where another program sends it. `files`: the names of those that are sent with it.
    `source_channel`: the ticket's.
    """

    id: str
    author: str
    words: str
    due_at: dt.datetime
    state: Literal["held", "sent", "undone", "noted", "waiting", "unsent", "handed_over"]
    files: Sequence[str] = ()
    source_channel: str | None = "slack"


@dataclass(frozen=True, slots=True)
class Rated:
    """What the requester answered, where it was 1 or 2 at first. `rating`: 1 to 5; `comment`: as they typed it.

    `assignees`: Slack ids of those who are to notice it.
    """

    number: int
    requester: str
    rating: int
    comment: str | None
    assignees: Sequence[str]


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


@dataclass(frozen=True, slots=True)
class OwnTicket:
    """A ticket as the one who asked for it finds it in App Home. `assignees`: names. `link`: to its thread."""

    number: int
    title: str
    status: TicketStatus
    assignees: Sequence[str]
    last_activity_at: dt.datetime
    link: str | None


@dataclass(frozen=True, slots=True)
class CustomerHome:
    """App Home of whoever is no agent. `page`: from 1. `next`: the value of the button for the next page, if any."""

    tickets: Sequence[OwnTicket]
    page: int
    next: str | None


@dataclass(frozen=True, slots=True)
class DeskRow:
    """A line of an agent's App Home. `mine`: the agent has it; `own`: and this one they have asked for themselves."""

    row: Row
    mine: bool
    own: bool


@dataclass(frozen=True, slots=True)
class AgentHome:
    """App Home of an agent. `channels`: (id, name) of their triage channels; `asked`: the newest of their own requests,
    `more_asked`: and there are more. `page` and `next` as in CustomerHome. `week`: of their team."""

    chosen: Home
    channels: Sequence[tuple[str, str]]
    rows: Sequence[DeskRow]
    page: int
    next: str | None
    asked: Sequence[OwnTicket]
    more_asked: bool
    week: Week | None = None
