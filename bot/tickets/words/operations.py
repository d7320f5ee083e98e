"""What is said to whoever wants to do something to a ticket that is not to be done."""

from __future__ import annotations

from collections.abc import Mapping

from storage.emails import State
from storage.tickets import Status

STATUSES: Mapping[Status, str] = {"new": "new", "open": "open", "pending": "pending", "closed": "closed"}

# Who may do what
ONLY_REQUESTER_RATES = "The person who asked for help is the one who rates it."
#: What an operation (a member of permissions.Operation, by its value) does: it finishes "Only agents can …".
CAN: Mapping[str, str] = {
    "read": "see this ticket",
    "read_notes": "see notes",
    "claim": "claim tickets",
    "assign": "assign tickets",
    "reply": "reply for the desk",
    "note": "write notes",
    "edit": "change a ticket's fields",
    "add": "add messages to tickets",
    "close": "close this ticket",
    "reopen": "reopen this ticket",
    "spam": "say that something is not a ticket",
    "rate": "rate",
    "leave_email": "leave their e-mail address",
    "decide_email": "say whose an e-mail address is",
    "open_for_others": "open a ticket for somebody else",
    "figures": "ask for figures",
}


def not_allowed(operation: str, *, agents: bool, requester: bool) -> str:
    """`agents`, `requester`: which of them may; at least one of the two."""
    if agents and requester:
        return f"Only agents and the person who asked can {CAN[operation]}."
    return f"Only agents can {CAN[operation]}." if agents else f"Only the person who asked can {CAN[operation]}."


# Finding a ticket


def not_yours(*, number: int) -> str:
    return f"You have no ticket #{number}. `/ticket list` shows yours."


def elsewhere(*, number: int) -> str:
    return f"Ticket #{number} belongs to a triage channel that you are not in."


def no_such_ticket(*, number: int, newest: int) -> str:
    """`newest`: 0 where there are no tickets."""
    if newest:
        return f"No ticket #{number}. The newest is #{newest}."
    return f"No ticket #{number}. There are none yet."


# Assigning


def yours_already(*, number: int) -> str:
    return f"Ticket #{number} is yours already."


def assigned_already(*, number: int) -> str:
    return f"Ticket #{number} is assigned so already."


def not_assigned(*, number: int) -> str:
    return f"Ticket #{number} is not assigned to them."


def no_agent(*, name: str | None) -> str:
    return (
        f"{name or 'This person'} is not an agent for this ticket: only full members of this workspace who are in its"
        " triage channel are. Invite them there first."
    )


# Its status


def closed_to_assign(*, number: int) -> str:
    return f"Ticket #{number} is closed. Reopen it first: `/ticket reopen {number}`"


def closed_already(*, number: int) -> str:
    return f"Ticket #{number} is closed already."


def not_closed(*, number: int, status: Status) -> str:
    return f"Ticket #{number} is not closed: its status is {STATUSES[status]}."


def written_since(*, number: int) -> str:
    return f"The customer has written on #{number} since. Close it again once you have read that."


def only_agents_comment(*, number: int) -> str:
    return f"Only agents can close with a comment, which is an internal note. Without it: `/ticket close {number}`"


# Fields


def too_many_fields(*, number: int, most: int) -> str:
    return f"A ticket has at most {most} fields. Take one away first: `/ticket set {number} field=`"


def no_such_field(*, number: int, name: str) -> str:
    return f"Ticket #{number} has no field {name}."


def field_twice(*, name: str) -> str:
    return f'"{name}" is there twice.'


def value_too_long(*, name: str, most: int, length: int) -> str:
    return f"The value of {name} is too long: at most {most} characters, it has {length:,}."


# Replies

REPLY_UNKNOWN = "This reply does not exist."
REPLY_SENT = "Too late: the customer has this reply already."
REPLY_TAKEN_BACK = "This reply was taken back already."


def reply_too_long(*, most: int) -> str:
    return f"A reply has at most {most:,} characters. Send it in parts, or as a file in the thread."


def reply_on_its_way(*, author: str | None) -> str:
    return f"{author or 'A colleague'} has just answered: it goes to the customer in a moment."


def overtaken(*, by: str | None) -> str:
    """`by`: what `reply_on_its_way` says, where it was that."""
    return (
        f"{by or 'Somebody has written since you opened this.'}"
        " Look at the thread; press Send again to send it all the same."
    )


# Ratings

QUESTION_OF_NOTHING = "The ticket of this question does not exist any more."
NOT_RATED = "This ticket is not rated."
NO_RATING = "A rating is a number from 1 to 5."


def rated_once_closed(*, number: int) -> str:
    return f"Ticket #{number} can be rated once it is closed."


# Opening one for somebody

NO_PERSON = "Choose a person who can answer: this account is a bot or was deactivated."


def is_an_agent(*, name: str | None) -> str:
    return f"{name or 'This person'} is an agent for such tickets. Agents open their own themselves."


# Opening one from a message, and adding messages

OWN_MESSAGES_ONLY = (
    "Agents can open a ticket from any message here; you can from your own. `/ticket new` opens one, too."
)
NO_SUPPORT_CHANNEL = (
    "Messages become tickets in support channels only, and this is none."
    " `/ticket new` opens one from anywhere; “Add to ticket” adds this message to one."
)
NOBODYS = (
    "No customer has written this message or in its thread, so the ticket would be nobody's."
    " `/ticket new` opens one for somebody."
)
FORM_TOO_OLD = "This form is too old. Choose “Add to ticket” in the message's menu again."
A_BOT = "A bot"
NO_WORDS = "(no words)"


def added_already(*, number: int) -> str:
    return f"This message is in ticket #{number} already."


def too_many_answers(*, most: int) -> str:
    return (
        f"More than {most} answers stand below this message: too many to add at once."
        " “Open a ticket” in its menu makes a ticket of them all."
    )


def quoted_already(*, number: int) -> str:
    return f"This message is in the notes of ticket #{number} already."


def quoted(*, author: str, link: str) -> str:
    """Above a message that is quoted in a note. Both are mrkdwn."""
    return f"{author} wrote {link}:"


def more_files(*, count: int) -> str:
    """Goes on after the name of the first file, in a title."""
    return f" and {count} more" if count else ""


# E-mail addresses

EMAIL_KNOWN = "The desk has an e-mail address for you already."
CLAIM_OF_NOBODY = "This question is about nobody."
CLAIM_SUPERSEDED = "This person goes by another address now."
_STATES: Mapping[State, str] = {
    "kept": "kept",
    "asked": "asked",
    "confirmed": "confirmed",
    "rejected": "rejected",
    "superseded": "superseded",
}


def decided_already(*, state: State) -> str:
    return f"Somebody was faster: it is {_STATES[state]} already."
