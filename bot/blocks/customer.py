"""What the desk itself says in the customer's thread."""

from __future__ import annotations

import slackblocks as slack

from bot.blocks.ids import Action
from bot.blocks.parts import (
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
from bot.blocks.words import common
from bot.blocks.words import customer as say
from bot.tickets.views import Question, Root, Status

RATE = (Action.RATE_1, Action.RATE_2, Action.RATE_3, Action.RATE_4, Action.RATE_5)


def status(view: Status) -> Message:
    """One small line, updated in place; with *Solved* until the ticket is closed."""
    who = None if view.status == "closed" else on_it(view.assignees) or common.NOBODY_YET
    back = say.back(date(view.back_at, say.BACK_AT)) if view.back_at else None
    talk = [] if view.not_a_ticket else [who, say.NEXT.get(view.status), back]
    said = facts([say.ticket(number=view.number), common.status(view.status, not_a_ticket=False), *talk])
    blocks: list[slack.Block] = [context("status", said)]
    if view.status != "closed":
        blocks.append(actions("actions", _solved(view.number)))
    return message(said, blocks)


def _solved(number: int) -> slack.Button:
    sure = confirm(say.IS_IT_SOLVED, say.solving(number=number), say.SOLVED, say.NOT_YET)
    return button(say.SOLVED, Action.SOLVED, str(number), confirm=sure, spoken=say.is_solved(number=number))


def root(view: Root) -> Message:
    """Begins the thread of a ticket that was asked for in a form. Title, description and names are plain text."""
    title = title_of(view.title)
    opener = name_of(view.opened_by) if view.opened_by else None
    by = say.opened(number=view.number, requester=name_of(view.requester), opened_by=opener)
    description = escape(view.description)
    text = "\n".join(part for part in (f"{by}: {escape(title)}", description) if part.strip())
    return message(text, [header("title", title), context("opened", by), *words(description)])


def email_offer(number: int) -> Message:
    """Said once to a requester alone."""
    said = say.EMAIL_OFFER
    leave = button(say.LEAVE_EMAIL, Action.LEAVE_EMAIL, str(number))
    return message(said, [section("offer", said), actions("actions", leave)])


def question(view: Question) -> Message:
    """ "How did we do?" Five buttons; after an answer it says which, and the buttons change it."""
    answer = common.RATINGS.get(view.rating or 0)
    said = say.question(number=view.number, answer=answer, commented=view.commented)
    return message(said, [section("question", said), actions("ratings", *_ratings(view))])


def _ratings(view: Question) -> list[slack.Button]:
    return [
        button(
            label,
            RATE[rating - 1],
            str(view.number),
            style="primary" if rating == view.rating else None,
            spoken=say.chosen(label) if rating == view.rating else label,
        )
        for rating, label in common.RATINGS.items()
    ]
