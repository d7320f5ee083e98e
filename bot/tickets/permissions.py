"""Who may do what to a ticket: one table, asked by every operation, whatever button the request came from."""

from __future__ import annotations

from enum import Enum, StrEnum, auto

from bot.tickets.errors import Refused
from bot.tickets.words import operations as say
from storage.people import Person
from storage.tickets import Ticket


class Relation(Enum):
    AGENT = auto()
    REQUESTER = auto()
    NOBODY = auto()


class Operation(StrEnum):
    """What it does is said in `words.operations.CAN`."""

    READ = auto()
    READ_NOTES = auto()
    CLAIM = auto()
    ASSIGN = auto()
    REPLY = auto()
    NOTE = auto()
    EDIT = auto()
    ADD = auto()
    CLOSE = auto()
    REOPEN = auto()
    SPAM = auto()
    RATE = auto()
    LEAVE_EMAIL = auto()
    DECIDE_EMAIL = auto()
    OPEN_FOR_OTHERS = auto()
    FIGURES = auto()


_REQUESTERS_ALONE = frozenset({Operation.RATE, Operation.LEAVE_EMAIL})
ALLOWED: dict[Relation, frozenset[Operation]] = {
    Relation.AGENT: frozenset(Operation) - _REQUESTERS_ALONE,
    Relation.REQUESTER: frozenset({Operation.READ, Operation.CLOSE, Operation.REOPEN}) | _REQUESTERS_ALONE,
    Relation.NOBODY: frozenset(),
}


def relation(person: Person, ticket: Ticket) -> Relation:
    """An agent acts as a customer on a ticket that they requested themselves.

    The requester is known by who they are in Slack, never by an e-mail that their profile may share with another.
    """
    if (ticket.requester_team, ticket.requester_slack) == (person.team_id, person.slack_id):
        return Relation.REQUESTER
    return _in_triage(person, ticket.triage_channel)


def _in_triage(person: Person, triage_channel: str | None) -> Relation:
    return Relation.AGENT if triage_channel in person.agent_of else Relation.NOBODY


def may(person: Person, ticket: Ticket, operation: Operation) -> bool:
    return operation in ALLOWED[relation(person, ticket)]


def demand(person: Person, ticket: Ticket, operation: Operation) -> None:
    """Refuses, with a sentence that gives nothing away to somebody who may not even see the ticket."""
    if not may(person, ticket, operation):
        raise Refused(_sentence(operation))


def demand_in(person: Person, triage_channel: str | None, operation: Operation, *, field: str | None = None) -> None:
    """Of what concerns no ticket that there is: in a triage channel, None: in none."""
    if operation not in ALLOWED[_in_triage(person, triage_channel)]:
        raise Refused(_sentence(operation), field=field)


def _sentence(operation: Operation) -> str:
    if operation is Operation.RATE:
        return say.ONLY_REQUESTER_RATES
    agents, requester = (operation in ALLOWED[who] for who in (Relation.AGENT, Relation.REQUESTER))
    return say.not_allowed(operation, agents=agents, requester=requester)


def may_open_from(person: Person, author: tuple[str, str] | None, triage_channel: str | None) -> bool:
    """Whether a person may have a ticket opened that begins with what `author` (team, Slack id) has written.

    Agents may, whoever has written it; everybody else for themselves alone: nobody is made to ask for help by a
    colleague. `author`: None for a bot. `triage_channel`: where the ticket would go.
    """
    return triage_channel in person.agent_of or author == (person.team_id, person.slack_id)
