"""What is answered at once to whoever has pressed, typed or sent something. Here to be changed or translated.

The answers to verbs are mrkdwn, all others are plain text. People and channels are given as the mentions that Slack
shows as names.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.tickets import Priority

# Forms and buttons that lead nowhere
NO_FORM = "Slack did not open the form. Please try again."
FORM_OF_NO_TICKET = "This form belongs to no ticket. Open it again."
BUTTON_TOO_OLD = "This button is from an older version of the desk and does nothing any more."
BUTTON_OF_NO_TICKET = "This button belongs to no ticket."
BUTTON_OF_NOTHING = "This button belongs to nothing any more."

# Faults
DATABASE_AWAY = "The desk cannot reach its database just now. Nothing was changed; please try again in a minute."
COMMIT_UNCLEAR = "The desk lost its database just now. It may not have been done: look before you try again."

# What cannot be done there
NO_NOTE_HERE = "The customer can read what you write in this thread, so a note cannot be made here. Write it in triage."
NO_REPLY_HERE = "Write your answer in this thread without mentioning me: the customer reads it here."
ONLY_AGENTS_ADD = "Only agents can add messages to tickets. In your ticket's thread, just write."
NEW_BY_COMMAND = "Write `/ticket new` in any channel to open a ticket with a form."

# Setting up a channel
UNSEEN_CHANNEL = "Slack shows the desk no such channel. Type /invite @desk there first."
UNANSWERED = "Slack did not say just now what this channel is like. Please try again."
SET_UP_IN_CHANNEL = "Type `/ticket setup` in the channel that you want to set up."

YOURS_BY_URGENCY = "Your tickets, most urgent first"
_LEVELS: dict[Priority, str] = {"low": "low", "medium": "medium", "high": "high"}


def went_wrong(*, reference: str) -> str:
    return f"Something went wrong in the desk. Tell whoever runs it this reference: {reference}"


def only_agents(*, verb: str) -> str:
    return f"Only agents can use `{verb}`. For all that you can use: `@desk help`"


def claimed(*, number: int) -> str:
    return f"#{number} is yours."


def assigned(*, number: int, people: Sequence[str]) -> str:
    return f"#{number} is assigned to {', '.join(people)}."


def unassigned(*, number: int, people: Sequence[str]) -> str:
    return f"#{number} is no longer assigned to {', '.join(people)}."


def noted(*, number: int) -> str:
    return f"Noted on #{number}. The customer does not see it."


def prioritised(*, number: int, priority: Priority) -> str:
    return f"#{number} has {_LEVELS[priority]} priority now."


def tagged(*, number: int) -> str:
    return f"The tags of #{number} are changed."


def retitled(*, number: int) -> str:
    return f"#{number} has its new title."


def fields_set(*, number: int) -> str:
    return f"The fields of #{number} are changed."


def reopened(*, number: int) -> str:
    return f"#{number} is open again."


def not_a_ticket(*, number: int) -> str:
    return f"#{number} is closed as not a ticket, without a word to the customer."


def digest_coming(*, channels: Sequence[str]) -> str:
    return f"The digest is on its way to {' and '.join(channels)}."
