"""What verbs do, and what is answered to words that are none of the grammar's.

The words that a person is to type (verbs, low, mine, today) are the grammar's own and stand there. Values that are
quoted here come in quotation marks, and whole commands in code marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

#: What each verb does: a row of `help` and of the README.
DOES: Mapping[str, str] = {
    "new": "Opens a ticket.",
    "list": "Lists tickets, newest activity first.",
    "mine": "Lists your tickets, most urgent first.",
    "show": "Shows one ticket in full.",
    "claim": "Makes the ticket yours.",
    "assign": "Puts people on the ticket, beside those who are.",
    "unassign": "Takes people off the ticket.",
    "reply": "Answers the customer.",
    "note": "Keeps a note that only agents see.",
    "priority": "Sets how urgent the ticket is.",
    "tag": "Adds tags and takes tags away.",
    "title": "Gives the ticket another title.",
    "set": "Sets a field of your own; with no value, takes it away.",
    "close": "Closes the ticket; the comment is an internal note.",
    "reopen": "Opens a closed ticket again.",
    "spam": "Closes silently what is not a ticket.",
    "digest": "Sums up a day, a week or a month, of everything or of one channel or company.",
    "stats": "Shows you your own figures and the team's.",
    "setup": "Sets up the channel in which it is typed.",
    "help": "Lists the verbs that you may use.",
}
#: The same for customers, where a verb does less for them.
DOES_FOR_CUSTOMERS: Mapping[str, str] = {
    "list": "Lists your tickets, newest activity first.",
    "close": "Closes the ticket.",
}

# Commands


def try_instead(mistake: str, *, command: str) -> str:
    """`mistake`: a sentence of those below."""
    return f"{mistake} Try: {command}"


def no_verb(*, word: str, meant: str | None, new: str, all_verbs: str) -> str:
    """`meant`: the command that may be meant; else the commands that open a ticket and list all verbs are named."""
    if meant:
        return f"There is no verb {word}. Did you mean: {meant}?"
    return f"There is no verb {word}. To open a ticket: {new}. For all verbs: {all_verbs}"


def too_much(*, words: str) -> str:
    return f"{words} is too much here."


# Ticket numbers

NUMBER_MISSING = "Which ticket? Its number is missing."
NUMBER_NEGATIVE = "Ticket numbers are not negative."
NUMBER_TOO_BIG = "No ticket has so big a number."
NUMBER_ZERO = "Ticket numbers begin at 1."


def no_number(*, word: str) -> str:
    return f"{word} is not a ticket's number."


def number_misplaced(*, verb: str) -> str:
    return f"The ticket's number comes right after {verb}."


# A person's own words

NO_REPLY = "The reply has no words."
NO_NOTE = "The note has no words."
NO_TITLE = "The title has no words."

# Lists

_ONE_ONLY: Mapping[Literal["status", "whose", "tag", "priority"], str] = {
    "status": "a list is of one status",
    "whose": "a list is of one person's tickets, or of those that are nobody's",
    "tag": "a list is by one tag",
    "priority": "a list is of one priority",
}


def one_too_many(*, word: str, filter_by: Literal["status", "whose", "tag", "priority"]) -> str:
    return f"{word} is one too many: {_ONE_ONLY[filter_by]}."


def no_filter(*, word: str, near: str | None) -> str:
    """`near`: the word that may be meant."""
    meant = f"Did you mean {near}?" if near else "A tag is written with #, a person is picked with @."
    return f"There is nothing to list by {word}. {meant}"


def one_period(*, word: str) -> str:
    return f"{word} is one too many: a digest is of one period."


# Priorities and periods

_KINDS: Mapping[Literal["priority", "period"], str] = {"priority": "priority", "period": "period"}


def which(kind: Literal["priority", "period"], *, choices: Sequence[str]) -> str:
    return f"Which {_KINDS[kind]}? It is {_either(choices)}."


def none_of(kind: Literal["priority", "period"], *, word: str, choices: Sequence[str]) -> str:
    return f"{word} is no {_KINDS[kind]}: it is {_either(choices)}."


def _either(choices: Sequence[str]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


# Tags

WHICH_TAGS = "Which tags? + adds one, - takes one away."


def both_ways(*, tag: str) -> str:
    return f"{tag} is to be added and taken away."


def tag_too_long(*, tag: str, most: int) -> str:
    return f"The tag {tag} is too long: at most {most} characters."


def no_tag(*, word: str) -> str:
    return f"{word} cannot be a tag: tags are of letters, digits, - and _."


# Fields

WHICH_FIELD = "Which field? Write its name, =, and its value."


def such_as(mistake: str, *, near: str) -> str:
    """`mistake`: a sentence of those below. `near`: how it is written."""
    return f"{mistake} Such as {near}"


def twice(*, name: str) -> str:
    return f"{name} is there twice."


def names_no_field(*, words: str) -> str:
    return f"{words} names no field: its name stands before =, without spaces."


def name_too_long(*, name: str, most: int) -> str:
    return f"The name {name} is too long: at most {most} characters."


def no_field_name(*, name: str) -> str:
    return f"{name} cannot be a field's name: those are of letters, digits, - _ and ."


def no_value(*, name: str) -> str:
    return f"{name} has no value: write = right after the name, and quotation marks around several words."


# People

WHO = "Who? Type @ and pick the person from Slack's list."


def a_group(*, word: str) -> str:
    return f"{word} is a group: name each person."


def unknown_person(*, word: str) -> str:
    return f"Slack did not say who {word} is: type @ and pick the person from Slack's list."


def no_person(*, word: str) -> str:
    return f"{word} is not a person: type @ and pick one from Slack's list."
