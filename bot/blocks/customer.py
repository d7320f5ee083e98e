"""What the desk itself says in the customer's thread."""

from __future__ import annotations

from collections.abc import Mapping

import slackblocks as slack

from bot.blocks.ids import Action
from bot.blocks.parts import (
    RATINGS,
    STATUS,
    actions,
    button,
    confirm,
    context,
    facts,
    header,
    name_of,
    on_it,
    section,
    title_of,
)
from bot.blocks.surface import Message, date, escape, message, words
from bot.tickets.views import Question, Root, Status
from storage.tickets import Status as TicketStatus

NEXT: Mapping[TicketStatus, str] = {"pending": "waiting for your answer", "closed": "write here to open it again"}
RATE = (Action.RATE_1, Action.RATE_2, Action.RATE_3, Action.RATE_4, Action.RATE_5)


def status(view: Status) -> Message:
    """One small line, updated in place; with *Solved* until the ticket is closed."""
    who = None if view.status == "closed" else on_it(view.assignees) or "nobody is on it yet"
    back = f"we are back {date(view.back_at, '{date_long_pretty} at {time}')}" if view.back_at else None
    talk = [] if view.not_a_ticket else [who, NEXT.get(view.status), back]
    said = facts([f"Ticket #{view.number}", f"*{STATUS[view.status]}*", *talk])
    blocks: list[slack.Block] = [context("status", said)]
    if view.status != "closed":
        blocks.append(actions("actions", _solved(view.number)))
    return message(said, blocks)


def _solved(number: int) -> slack.Button:
    sure = confirm("Is it solved?", f"This closes ticket #{number}. Writing here opens it again.", "Solved", "Not yet")
    return button("Solved", Action.SOLVED, str(number), confirm=sure, spoken=f"Ticket #{number} is solved")


def root(view: Root) -> Message:
    """Begins the thread of a ticket that was asked for in a form. Title, description and names are plain text."""
    title = title_of(view.title)
    asked = f"{name_of(view.opened_by)} for {name_of(view.requester)}" if view.opened_by else name_of(view.requester)
    by = f"Ticket #{view.number} · opened by {asked}"
    description = escape(view.description)
    text = "\n".join(part for part in (f"{by}: {escape(title)}", description) if part.strip())
    return message(text, [header("title", title), context("opened", by), *words(description)])


def email_offer(number: int) -> Message:
    """Said once to a requester alone."""
    said = "I have no e-mail address of yours. If you leave one, it is kept with your tickets. Only you see this."
    leave = button("Leave an e-mail address", Action.LEAVE_EMAIL, str(number))
    return message(said, [section("offer", said), actions("actions", leave)])


def question(view: Question) -> Message:
    """ "How did we do?" Five buttons; after an answer it says which, and the buttons change it."""
    said = f"*How did we do with ticket #{view.number}?*"
    if answer := RATINGS.get(view.rating or 0):
        comment = ", with a comment" if view.commented else ""
        said = f"{said}\nYou answered *{answer}*{comment}. Thank you! Another button changes it."
    return message(said, [section("question", said), actions("ratings", *_ratings(view))])


def _ratings(view: Question) -> list[slack.Button]:
    return [
        button(
            label,
            RATE[rating - 1],
            str(view.number),
            style="primary" if rating == view.rating else None,
            spoken=f"{label}, chosen" if rating == view.rating else label,
        )
        for rating, label in RATINGS.items()
    ]
