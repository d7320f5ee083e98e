"""The triage thread and what is mirrored, and what agents must notice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, assert_never

# Mirrored messages
ORIGINAL = "the original"
BROADCAST = "also sent to the channel"
TOO_LARGE = "_(too large to be copied here)_"
NOTE = "🔒 *Internal note* · the customer does not see it"

# A held reply
UNDO = "Undo"
UNDO_SPOKEN = "Undo: the customer does not get this reply"
MAKE_NOTE = "Make it a note"
MAKE_NOTE_SPOKEN = "Make this reply an internal note"
#: How Slack shows the second at which it goes out.
DUE_AT = "{time_secs}"

# Whose an e-mail address is
ARE_THEY_ONE = "Are the two one person?"
ONE_MEANS = "All tickets and ratings become those of one customer. This cannot be undone."
CONFIRM = "Confirm"
CONFIRM_SPOKEN = "Confirm: the two are one person"
REJECT = "Reject"
REJECT_SPOKEN = "Reject: they are two people"

ANOTHER_PROGRAM = "another program"

#: Why Slack refuses, and what to do: https://docs.slack.dev/reference/methods/chat.postMessage#errors
_ARCHIVED = ("it is archived", "Unarchive it")
_NOT_IN_IT = ("the desk is not in it", "Type /invite @desk there")
_FORBIDDEN = ("an administrator does not allow it", "Ask the administrators of your workspace")
_WHY: Mapping[str, tuple[str, str]] = {
    "is_archived": _ARCHIVED,
    "is_inactive": _ARCHIVED,
    "channel_not_found": _NOT_IN_IT,
    "not_in_channel": _NOT_IN_IT,
    "restricted_action": ("only some people may write there", "Let the desk write there, in the channel's settings"),
    "missing_scope": ("the app lacks a scope", "Compare its manifest with manifest.yml, then install it again"),
}


def shortened(*, original: str) -> str:
    return f"shortened: {original} is longer than one message here"


def held_reply(
    state: Literal["held", "sent", "handed_over", "waiting", "unsent", "undone", "noted"],
    *,
    author: str,
    due_at: str,
    way: str,
) -> str:
    """`way`: how the customer writes to whom another program sends it: "by e-mail"."""
    states = {
        "held": ("⏳", f"goes to the customer at {due_at}"),
        "sent": ("📤", "sent to the customer"),
        "handed_over": ("📤", f"is in the ticket, for the customer who writes {way}"),
        "waiting": ("⏸️", "waits: Slack does not let me write to the customer just now"),
        "unsent": ("⚠️", "did not reach the customer"),
        "undone": ("↩️", "undone, the customer did not get it"),
        "noted": ("🔒", "made an internal note, the customer did not get it"),
    }
    mark, became = states[state]
    return f"{mark} *Reply by {author}* · {became}"


def email_claim(*, customer: str, email: str, owner: str) -> str:
    return f"📧 *{customer}* goes by {email}, which is the address of *{owner}*."


def email_question(claim: str) -> str:
    """`claim`: `email_claim`."""
    return f"{claim} Nobody has checked that. {ARE_THEY_ONE}"


def email_decided(state: Literal["confirmed", "rejected", "superseded"], *, by: str) -> str:
    match state:
        case "confirmed":
            return f"✅ {by} has confirmed that they are one person."
        case "rejected":
            return f"🚫 {by} says that they are two people."
        case "superseded":
            return "↩️ They go by another address now."
        case _:
            assert_never(state)


def alert(what: Literal["assigned", "turn", "reopened"], *, assignees: str, number: int, by: str) -> str:
    match what:
        case "assigned":
            return f"{assignees} #{number} was assigned to you by {by}."
        case "turn":
            return f"{assignees} #{number} is yours: it was your turn."
        case "reopened":
            return f"{assignees} #{number} was reopened by {by}."
        case _:
            assert_never(what)


def rated(*, assignees: str, requester: str, number: int, stars: str) -> str:
    """`assignees`: "" where there are none."""
    pings = f"{assignees} " if assignees else ""
    return f"⭐ {pings}{requester} rated #{number}: {stars}"


def parked(*, what: str, error: str) -> str:
    """`what` begins a sentence: "The status message"."""
    return f"⚠️ {what} does not reach Slack, which answers: {error}"


def stuck(*, number: int, reference: str) -> str:
    return (
        f"⚠️ Slack does not show #{number} as it is now: something went wrong in the desk."
        f" Tell whoever runs it this reference: {reference}"
    )


def direct_messages(person: str) -> str:
    """In place of a channel, in the two sentences below."""
    return f"its direct messages with {person}"


def channel_closed(*, channel: str, error: str) -> str:
    """`error`: Slack's."""
    why, cure = _WHY.get(error, _FORBIDDEN)
    return (
        f"⚠️ The desk cannot write in {channel}, because {why} ({error})."
        f" {cure}. Nothing is lost: what is to be shown there waits until then."
    )


def channel_open_again(*, channel: str, waiting: int) -> str:
    waited = f" What waited there is shown now ({waiting:,})." if waiting else ""
    return f"✅ The desk can write in {channel} again.{waited}"
