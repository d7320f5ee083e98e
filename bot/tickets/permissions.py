"""Who may do what to a ticket: one table, asked by every operation, whatever button the request came from."""

from __future__ import annotations

from enum import Enum, StrEnum, auto

from bot.tickets.errors import Refused
from storage.people import Person
from storage.tickets import Ticket


class Relation(Enum):
    AGENT = auto()
    REQUESTER = auto()
    NOBODY = auto()


class Operation(StrEnum):
    """The values finish the sentence "Only agents can …"."""

    READ = "see this ticket"
    READ_NOTES = "see notes"
    CLAIM = "claim tickets"
    ASSIGN = "assign tickets"
    REPLY = "reply for the desk"
    NOTE = "write notes"
    EDIT = "change a ticket's fields"
    ADD = "add messages to tickets"
    CLOSE = "close this ticket"
    REOPEN = "reopen this ticket"
    SPAM = "say that something is not a ticket"
    RATE = "rate"


ALLOWED: dict[Relation, frozenset[Operation]] = {
    Relation.AGENT: frozenset(Operation) - {Operation.RATE},
    Relation.REQUESTER: frozenset({Operation.READ, Operation.CLOSE, Operation.REOPEN, Operation.RATE}),
    Relation.NOBODY: frozenset(),
}


def relation(person: Person, ticket: Ticket) -> Relation:
    """An agent acts as a customer on a ticket that they requested themselves.

    The requester is known by who they are in Slack, never by an e-mail that their profile may share with another.
    """
    if (ticket.requester_team, ticket.requester_slack) == (person.team_id, person.slack_id):
        return Relation.REQUESTER
    if ticket.triage_channel in person.agent_of:
        return Relation.AGENT
    return Relation.NOBODY


def may(person: Person, ticket: Ticket, operation: Operation) -> bool:
    return operation in ALLOWED[relation(person, ticket)]


def demand(person: Person, ticket: Ticket, operation: Operation) -> None:
    """Refuses, with a sentence that gives nothing away to somebody who may not even see the ticket."""
    if may(person, ticket, operation):
        return
    if operation is Operation.RATE:
        raise Refused("The person who asked for help is the one who rates it.")
    if may(person, ticket, Operation.READ):
        raise Refused(f"Only agents can {operation}.")
    raise Refused(
        f"Only agents and the person who asked can {operation}."
        if operation in ALLOWED[Relation.REQUESTER]
        else f"Only agents can {operation}."
    )


def may_open_from(person: Person, author: tuple[str, str] | None, triage_channel: str | None) -> bool:
    """Whether a person may have a ticket opened that begins with what `author` (team, Slack id) has written.

    Agents may, whoever has written it; everybody else for themselves alone: nobody is made to ask for help by a
    colleague. `author`: None for a bot. `triage_channel`: where the ticket would go.
    """
    return triage_channel in person.agent_of or author == (person.team_id, person.slack_id)
