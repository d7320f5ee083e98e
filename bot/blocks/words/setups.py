"""What is said of channels and of how they are set up. A `channel` is the mention that Slack shows as its name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal

from storage.channels import Mode

WHAT_FOR = (
    "• *Support channel*: customers write here, and what they write becomes tickets.\n"
    "• *Triage channel*: your agents' own private channel, where tickets and notes are shown."
    " Whoever is in it is an agent."
)

# Buttons, each with what a screen reader says of it
SUPPORT = "Support channel"
SUPPORT_SPOKEN = "Make it a support channel"
TRIAGE = "Triage channel"
TRIAGE_SPOKEN = "Make it a triage channel"
LEAVE_ALONE = "Leave it alone"
LEAVE_ALONE_SPOKEN = "Let the desk leave this channel alone"
SET_UP = "Set up…"
SET_UP_SPOKEN = "Set up the channel in a form"

IS_TRIAGE = (
    "This is a triage channel now. Tickets are shown here, and whoever is in it is an agent: full members of this"
    " workspace, no guests. What you write in a ticket's thread is a note, which customers never see."
)
DAYS: Mapping[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], str] = {
    "mon": "Mon",
    "tue": "Tue",
    "wed": "Wed",
    "thu": "Thu",
    "fri": "Fri",
    "sat": "Sat",
    "sun": "Sun",
}
NO_DIGESTS = "no digests at set times"
RESUMED = "The desk shows tickets here again."


def invited(channel: str) -> str:
    return f"You have invited the desk to {channel}. It does nothing there until somebody says what it is for."


def invited_by_other(channel: str, *, why_not: str) -> str:
    """`why_not`: a sentence that says why they are not to choose."""
    return f"{invited(channel)} {why_not} Let one of them type `/ticket setup` in that channel."


def somebody_invited(channel: str) -> str:
    return f"The desk was invited to {channel}. It does nothing there until one of you types `/ticket setup` in it."


def how(channel: str) -> str:
    return f"How is {channel} to be set up?"


# What has come of it: to the one who has set the channel up


def is_support(channel: str, *, mode: Mode) -> str:
    if mode == "every_message":
        return f"{channel} is a support channel: every message of a customer opens a ticket there."
    return f"{channel} is a support channel: a mention, a shortcut, a reaction or a command opens a ticket there."


def is_triage(channel: str) -> str:
    return f"{channel} is a triage channel: tickets are shown there, and whoever is in it is an agent."


def is_left_alone(channel: str) -> str:
    return f"The desk leaves {channel} alone. Tickets that are there go on."


# The same, to the agents


def told_left_alone(channel: str, *, by: str) -> str:
    return f"{by} has set up {channel}: the desk leaves it alone."


def told_support(channel: str, *, by: str, settings: str) -> str:
    """`settings`: facts, of which `opens`, `in_turn`, `reactions` and `at_work` are some."""
    return f"{by} has set up {channel} as a support channel: {settings}"


def told_triage(channel: str, *, by: str, digests: str) -> str:
    """`digests`: what `digests` says, or NO_DIGESTS."""
    return f"{by} has set up {channel} as a triage channel: {digests}"


def digests(lines: str, *, channel: str | None, zone: str) -> str:
    """When they are posted. `channel`: where, None: here."""
    return f"digests {lines}, in {channel} ({zone})" if channel else f"digests {lines}, here ({zone})"


def at_work(days: str, *, opens: dt.time, closes: dt.time, zone: str) -> str:
    return f"at work {days} {opens:%H:%M}–{closes:%H:%M} ({zone})"


def opens(mode: Mode) -> str:
    return "every message opens a ticket" if mode == "every_message" else "tickets on request"


def in_turn(people: str) -> str:
    return f"in turn to {people}"


def reactions(*, opens: str | None, claims: str | None, closes: str | None) -> list[str]:
    """What each emoji, given by its name, does here: plain text."""
    does = [f":{opens}: opens" if opens else "", f":{claims}: claims" if claims else ""]
    return [one for one in (*does, f":{closes}: closes" if closes else "") if one]


# What becomes of channels. `why` goes on after "because": "it is archived"


def suspended(*, why: str) -> str:
    return f"The desk shows no more tickets here, because {why} and notes would be read by others."


def suspended_elsewhere(channel: str, *, why: str) -> str:
    return f"⚠️ The desk shows no more tickets in the triage channel {channel}: {why}."


def unfit_for_digests(channel: str, *, why: str) -> str:
    return (
        f"⚠️ The digest is not posted in {channel}, because {why}, and others would read what customers say."
        " Let whoever runs the desk set DIGEST_CHANNEL to another channel."
    )


def renamed(channel: str, *, before: str) -> str:
    return f"#{before} is called {channel} now. Nothing else has changed."


def shared(channel: str, *, shared: bool) -> str:
    if shared:
        return f"{channel} is shared with another company now, whose people read what is written there."
    return f"{channel} is not shared with another company any more."


def public(channel: str, *, public: bool) -> str:
    if public:
        return f"{channel} is public now: everybody in this workspace can read what is written there."
    return f"{channel} is private now."


def moved(channel: str) -> str:
    return f"Slack has given {channel} another id. Its tickets and how it is set up have gone along."
