"""Digests and figures: their headings, their numbers in words, and times as people write them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from storage.tickets import Priority, Status

DIGEST = "Digest"
FIGURES = "Figures"
COMPARED = "compared with the same length of time before"
QUIET = "Nothing was opened, closed, answered for the first time or rated."
NONE = "none"
WAITING_LONGEST = "*Waiting longest*"
RATED_LOW = "*Rated 1 or 2*"
NO_COMMENT = "no comment"
UNKNOWN_REQUESTER = "unknown requester"
ASSIGNED = "assigned"
UNASSIGNED = "unassigned"

# The table of agents: plain text
AGENTS = "*Agents*"
COLUMNS = ("Agent", "Open", "Pending", "Closed")
UNKNOWN_AGENT = "somebody unknown"

# Charts: plain text
OPENED = "Opened"
CLOSED = "Closed"
BACKLOG_BY_STATUS = "Backlog by status"
NOW = "Now"
BEFORE = "Before"
TICKETS = "Tickets"
STATUS: Mapping[Status, str] = {"new": "New", "open": "Open", "pending": "Pending", "closed": "Closed"}

_STATUSES: Mapping[Status, str] = {"new": "new", "open": "open", "pending": "pending", "closed": "closed"}
_PRIORITIES: Mapping[Priority, str] = {"low": "low", "medium": "medium", "high": "high"}


def heading(what: str, *, period: str) -> str:
    """`what`: DIGEST or FIGURES."""
    return f"{what}: {period}"


def zone(name: str) -> str:
    return f"{name} time"


def customers_of(company: str) -> str:
    return f"customers of {company}"


# Numbers


def compared(now: int, before: int) -> str:
    """A number beside that of the time before."""
    if now == before:
        return f"{now} (as before)"
    return f"{now} (▲ {now - before} more)" if now > before else f"{now} (▼ {before - now} fewer)"


def tickets(count: int) -> str:
    return "1 ticket" if count == 1 else f"{count} tickets"


def spread(*, median: float, p90: float, count: int) -> str:
    """`median`, `p90`: in seconds, over so many tickets."""
    return f"median {duration(median)}, 9 in 10 within {duration(p90)} ({tickets(count)})"


def median(seconds: float, *, count: int) -> str:
    return f"median {duration(seconds)}, of {tickets(count)}"


def mean_rating(mean: float, *, count: int) -> str:
    return f"{mean:.1f} of 5 on average, from {tickets(count)}"


def duration(seconds: float) -> str:
    """Such as "2 h 10 min", in the two largest units that say something."""
    minutes = round(seconds / 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if not minutes:
        return "less than 1 min"
    parts = [(days, "d"), (hours, "h"), (rest, "min")]
    return " ".join([f"{many} {unit}" for many, unit in parts if many][:2])


# What happened. Each parameter is a number in words


def happened(
    *, opened: str, closed: str, reopened: str, first_response: str, resolution: str, ratings: str, by_hours: bool
) -> str:
    """`by_hours`: time outside working hours does not count."""
    hours = " and outside working hours" if by_hours else ""
    return (
        f"*Opened* {opened} · *Closed* {closed} · *Reopened* {reopened}\n"
        f"*First response* {first_response}\n"
        f"*Resolution*, without the time spent waiting for the customer{hours}: {resolution}\n"
        f"*Ratings* {ratings}"
    )


def week(*, opened: str, closed: str, waiting: str, first_response: tuple[str, str], ratings: tuple[str, str]) -> str:
    """`first_response`, `ratings`: now, and the week before."""
    return (
        "*Your team's last 7 days*, beside the 7 before\n"
        f"*Opened* {opened} · *Closed* {closed} · *Waiting now* {waiting}\n"
        f"*First response* {first_response[0]} (before: {first_response[1]})\n"
        f"*Ratings* {ratings[0]} (before: {ratings[1]})"
    )


def misread(channels: str) -> str:
    """That hours were not left out, and how that is mended."""
    return (
        f"⚠️ All time counts in {channels}: the working hours there were written wrong by another program."
        " Set them again with `/ticket setup` in the channel."
    )


def backlog(total: str, *, by_status: Mapping[Status, str], by_priority: Mapping[Priority, str]) -> str:
    statuses = ", ".join(f"{_STATUSES[one]} {count}" for one, count in by_status.items())
    priorities = ", ".join(f"{_PRIORITIES[one]} {count}" for one, count in by_priority.items())
    return f"*Backlog now* {total}\nStatus: {statuses}\nPriority: {priorities}"


def yours(*, open_: int, pending: int, closed: str, answers: int, ratings: str) -> str:
    """An agent's own figures."""
    return (
        "*You*\n"
        f"On your hands now: {open_} open, {pending} pending\n"
        f"*Closed* {closed} · *Answers to customers* {answers}\n"
        f"*Ratings* of your tickets: {ratings}"
    )


def your_team(figures: str) -> str:
    return f"*Your team*\n{figures}"


# Lists


def rated(rating: int, *, ticket: str, comment: str) -> str:
    """`comment`: `quoted` or NO_COMMENT."""
    return f"• {rating} of 5 for {ticket}: {comment}"


def quoted(words: str) -> str:
    return f"“{words}”"


def waiting(*, requester: str, assigned: str, since: str) -> str:
    """`assigned`: ASSIGNED or UNASSIGNED."""
    return f"{requester} · {assigned} · since {since}"


def claim(*, number: int) -> str:
    """What a screen reader says of the button."""
    return f"Claim #{number}"


def top_tags(tags: str) -> str:
    return f"*Top tags* {tags}"


# The table and the charts for whoever does not see them


def agent(name: str, *, open_: str, pending: str, closed: str) -> str:
    return f"• {name}: open {open_}, pending {pending}, closed {closed}"


def day(label: str, *, opened: int, closed: int) -> str:
    return f"{label}: {opened} opened, {closed} closed"


def per_days(days: int) -> str:
    """The title of a chart."""
    return "Opened and closed per day" if days == 1 else f"Opened and closed per {days} days"


def span(first: dt.date, last: dt.date) -> str:
    """Such as "5 Nov", "3–9 Nov" or "30 Oct–5 Nov"."""
    if first == last:
        return f"{first.day} {first:%b}"
    month = "" if first.month == last.month else f" {first:%b}"
    return f"{first.day}{month}–{last.day} {last:%b}"


# Digests at set times. `due` and `posted` are on one clock


def late(due: dt.datetime, posted: dt.datetime, *, left_out: int) -> str:
    """`left_out`: how many before it were missed as well and are not posted."""
    if due.date() == posted.date():
        said = f"⏰ For {due:%H:%M}, posted late at {posted:%H:%M}."
    else:
        said = f"⏰ For {_moment(due)}, posted late on {_moment(posted)}."
    if left_out:
        said += f" {left_out} more before it were missed too and are left out."
    return f"{said} Who waits, and what agents have on their hands, is as of now."


def _moment(at: dt.datetime) -> str:
    return f"{at:%a} {at.day} {at:%b %H:%M}"


def suspended(channel: str, *, why: str) -> str:
    return (
        f"⚠️ Digests at set times are not posted in {channel}: {why}. When that is over they go on by"
        " themselves; those that fall due until then are left out."
    )


def resumed(channel: str) -> str:
    return f"Digests at set times are posted in {channel} again."
