"""What stands at the field of a form that is not filled in as it can be taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MISSING = "This is missing."
NO_PRIORITY = "Choose low, medium or high."
NO_EMAIL = "This is no e-mail address. One looks like ada@example.com."
NO_NUMBER = "Type the number of a ticket, such as 42."
NO_EMOJI = "Type one emoji by its name, such as :eyes:"
NO_ZONE = "This is no time zone: write one as Europe/Berlin or America/New_York."
WHICH_ZONE = "Say of which time zone these times are, such as Europe/Berlin or America/New_York."
SAY_THE_TIME = "Say the time too, or choose no days."
NO_DAY = "Choose at least one day."
NO_CLOCK_TIME = "A time is hours and minutes, such as 09:00."

# What a field holds: these begin sentences
TITLE = "The title"
MESSAGE = "The message"
COMMENT = "The comment"
DESCRIPTION = "The description"
_FIELDS: Mapping[str, str] = {
    "role": "role",
    "mode": "mode",
    "customer": "customer",
    "assignees": "assignees",
    "triage_channel": "triage channel",
    "digest_channel": "digest channel",
    "work_days": "work days",
    "work_opens": "work opens",
    "work_closes": "work closes",
}


def invalid(field: str) -> str:
    """Of what no person can choose or type in the form. `field`: its name."""
    return f"This cannot be the {_FIELDS.get(field, field.replace('_', ' '))}."


def too_long(what: str, *, most: int, length: int) -> str:
    return f"{what} is too long: at most {most:,} characters, it has {length:,}."


def empty(what: str) -> str:
    return f"{what} has no words."


def tag_too_long(*, tag: str, most: int) -> str:
    """`tag`: its beginning."""
    return f"The tag “{tag}…” is too long: at most {most} characters."


def no_tag(*, tag: str) -> str:
    return f"“{tag}” cannot be a tag: tags are of letters, digits, - and _."


def too_many_people(*, most: int) -> str:
    return f"These are too many: at most {most} people."


def emoji_taken(*, name: str) -> str:
    return f":{name}: does something else here already."


# When digests are posted: a line for each

#: Of a line, in the words that `timetable` reads.
LINE = "weekdays 9:00 today"


def too_many_lines(*, most: int) -> str:
    return f"These are too many: at most {most} lines."


def line(place: int, problem: str) -> str:
    """`problem`: a sentence of those below, or of those about cron lines."""
    return f"Line {place}: {problem}"


def no_period(*, line: str) -> str:
    return f"“{line}” does not say of what: end it with today, week or month, as in {LINE}."


def no_line() -> str:
    return f"say a day, a time and a period, as in {LINE}; or a cron line and a period."


def no_such_day(*, word: str, near: str | None, days: Sequence[str]) -> str:
    """`near`: the day that may be meant, else the `days` there are."""
    meant = f"did you mean {near}?" if near else f"it is one of {', '.join(days)}."
    return f"“{word}” is no day: {meant}"


def no_such_time(*, word: str, hour: int) -> str:
    return f"“{word}” is no time: write it as {hour}:00."


def cron_fields(*, line: str) -> str:
    return f"“{line}” is no cron line: it has five fields, such as 0 9 * * 1-5."


def cron_too_often(*, line: str) -> str:
    return f"“{line}” is due more than once an hour: begin with one minute, such as 0 9 * * 1-5."


def cron_wrong(*, line: str, field: str | None) -> str:
    """`field`: the one that is wrong, where that is known."""
    why = f"its {field} is wrong" if field else "it has five fields"
    return f"“{line}” is no cron line: {why}. Such as 0 9 * * 1-5."


def cron_never(*, line: str) -> str:
    return f"“{line}” is never due."
