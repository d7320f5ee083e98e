"""What the desk itself says in the customer's thread."""

from __future__ import annotations

from collections.abc import Mapping

from storage.tickets import Status

#: What the customer may do, beside the ticket's status.
NEXT: Mapping[Status, str] = {"pending": "waiting for your answer", "closed": "write here to open it again"}
#: How Slack shows a day and hour on the reader's own clock.
BACK_AT = "{date_long_pretty} at {time}"

IS_IT_SOLVED = "Is it solved?"
SOLVED = "Solved"
NOT_YET = "Not yet"

EMAIL_OFFER = "I have no e-mail address of yours. If you leave one, it is kept with your tickets. Only you see this."
LEAVE_EMAIL = "Leave an e-mail address"


def ticket(*, number: int) -> str:
    return f"Ticket #{number}"


def back(at: str) -> str:
    return f"we are back {at}"


def solving(*, number: int) -> str:
    """What *Solved* does, before it is done."""
    return f"This closes ticket #{number}. Writing here opens it again."


def is_solved(*, number: int) -> str:
    """What a screen reader says of the button."""
    return f"Ticket #{number} is solved"


def opened(*, number: int, requester: str, opened_by: str | None) -> str:
    by = f"{opened_by} for {requester}" if opened_by else requester
    return f"Ticket #{number} · opened by {by}"


def question(*, number: int, answer: str | None, commented: bool) -> str:
    """`answer`: what was answered so far, one of common.RATINGS."""
    asked = f"*How did we do with ticket #{number}?*"
    if answer is None:
        return asked
    comment = ", with a comment" if commented else ""
    return f"{asked}\nYou answered *{answer}*{comment}. Thank you! Another button changes it."


def chosen(rating: str) -> str:
    """What a screen reader says of the button that was pressed."""
    return f"{rating}, chosen"
