"""The card: a ticket at one glance in the triage channel, with what an agent can do about it."""

from __future__ import annotations

import slackblocks as slack

from bot.blocks.ids import Action
from bot.blocks.parts import (
    Style,
    actions,
    button,
    by_way,
    confirm,
    context,
    facts,
    field_of,
    header,
    mention,
    name_of,
    section,
    some,
    stars,
    tags_of,
    title_of,
)
from bot.blocks.surface import Message, clip, date, escape, link, message, one_line
from bot.blocks.words import card as say
from bot.blocks.words import common
from bot.tickets.views import Card

QUOTE = 240
FIELDS, FIELD = 6, 60


def card(view: Card) -> Message:
    """Title, names, tags and latest words are plain text; assignees are Slack ids, which are mentioned."""
    quote = f"\n> {_quote(view)}" if view.latest else ""
    flaws = _flaws(view)
    return message(
        _in_words(view),
        [
            header("title", f"#{view.number}  {title_of(view.title)}"),
            section("ticket", f"{_state(view)}\n{_people(view)}{quote}"),
            context("details", _details(view)),
            *([context("flaws", flaws)] if flaws else []),
            actions("actions", *_buttons(view)),
        ],
    )


def _state(view: Card) -> str:
    status = common.status(view.status, not_a_ticket=view.not_a_ticket)
    edited = say.EDITED if view.edited else None
    return facts([status, common.PRIORITY[view.priority], _waiting(view), edited, _rating(view)])


def _waiting(view: Card) -> str | None:
    if view.waiting_since and view.status != "closed":
        return common.waiting_since(date(view.waiting_since))
    return say.WAITING_FOR_CUSTOMER if view.status == "pending" else None


def _rating(view: Card) -> str | None:
    return common.rated(stars(view.rating)) if view.rating else None


def _people(view: Card) -> str:
    company = name_of(view.company) if view.company else None
    others = [say.not_in_slack(view.assigned_elsewhere)] if view.assigned_elsewhere else []
    assignees = ", ".join([*filter(None, [some([mention(one) for one in view.assignees])]), *others])
    return facts(
        [
            say.requester(name_of(view.requester), company=company),
            say.assigned_to(assignees) if assignees else common.UNASSIGNED,
        ]
    )


def _quote(view: Card) -> str:
    assert view.latest
    said = clip(escape(one_line(view.latest.words)), QUOTE)
    return f"{name_of(view.latest.author)}: {said or common.NO_WORDS}"


def _details(view: Card) -> str:
    return facts(
        [
            link(view.customer_thread, say.CUSTOMERS_THREAD) if view.customer_thread else None,
            _elsewhere(view),
            link(view.earlier_thread, say.EARLIER_THREAD) if view.earlier_thread else None,
            common.opened(date(view.opened_at)),
            say.follows(number=view.follows) if view.follows else None,
            tags_of(view.tags),
            some([field_of(name, value, FIELD) for name, value in view.fields.items()], most=FIELDS, between=" · "),
        ]
    )


def _elsewhere(view: Card) -> str | None:
    """Where the customer is when that is not Slack."""
    if view.source_channel == "slack" or view.customer_thread:
        return None
    return say.writes(by_way(view.source_channel))


def _flaws(view: Card) -> str | None:
    found = [say.flaw(what, count=view.flaws[what]) for what in say.FLAWS if what in view.flaws]
    return say.flaws(found) if found else None


def _in_words(view: Card) -> str:
    said = f"{_quote(view)} ({date(view.latest.at)})" if view.latest else None
    title = f"#{view.number} {escape(title_of(view.title))}"
    return facts([title, _state(view), _people(view), _details(view), _flaws(view), said])


def _buttons(view: Card) -> list[slack.Button]:
    """The first is what is most likely to be done next."""
    closed = view.status == "closed"
    offered: list[tuple[str, Action] | None] = [
        (common.REOPEN, Action.REOPEN) if closed else (common.CLAIM, Action.CLAIM),
        (common.REPLY, Action.REPLY),
        (common.NOTE, Action.NOTE),
        None if closed else (common.CLOSE, Action.CLOSE),
        (common.EDIT, Action.EDIT),
    ]
    buttons = [_button(view, *each) for each in offered if each]
    return buttons if closed else [*buttons, _not_a_ticket(view)]


def _button(view: Card, label: str, action: Action) -> slack.Button:
    style: Style | None = "primary" if action is Action.CLAIM else None
    return button(label, action, str(view.number), style=style, spoken=common.named(label, number=view.number))


def _not_a_ticket(view: Card) -> slack.Button:
    sure = confirm(say.is_no_ticket(number=view.number), say.NOT_A_TICKET_MEANS, say.NOT_A_TICKET)
    spoken = say.not_a_ticket(number=view.number)
    return button(say.NOT_A_TICKET, Action.NOT_A_TICKET, str(view.number), confirm=sure, spoken=spoken)
