"""The card: a ticket at one glance in the triage channel, with what an agent can do about it."""

from __future__ import annotations

from collections.abc import Mapping

import slackblocks as slack

from bot.blocks.ids import Action
from bot.blocks.parts import (
    NO_WORDS,
    PRIORITY,
    STATUS,
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
    status = f"*{STATUS[view.status]}*" + (", not a ticket" if view.not_a_ticket else "")
    edited = "✏️ edited after your reply" if view.edited else None
    return facts([status, PRIORITY[view.priority], _waiting(view), edited, _rating(view)])


def _waiting(view: Card) -> str | None:
    if view.waiting_since and view.status != "closed":
        return f"waiting since {date(view.waiting_since)}"
    return "waiting for the customer" if view.status == "pending" else None


def _rating(view: Card) -> str | None:
    return f"rated {stars(view.rating)}" if view.rating else None


def _people(view: Card) -> str:
    company = f" ({name_of(view.company)})" if view.company else ""
    others = [f"{view.assigned_elsewhere:,} not in Slack"] if view.assigned_elsewhere else []
    assignees = ", ".join([*filter(None, [some([mention(one) for one in view.assignees])]), *others])
    return facts(
        [f"From *{name_of(view.requester)}*{company}", f"assigned to {assignees}" if assignees else "unassigned"]
    )


def _quote(view: Card) -> str:
    assert view.latest
    said = clip(escape(one_line(view.latest.words)), QUOTE)
    return f"{name_of(view.latest.author)}: {said or NO_WORDS}"


def _details(view: Card) -> str:
    return facts(
        [
            link(view.customer_thread, "Customer's thread") if view.customer_thread else None,
            _elsewhere(view),
            link(view.earlier_thread, "Earlier thread") if view.earlier_thread else None,
            f"opened {date(view.opened_at)}",
            f"follows #{view.follows}" if view.follows else None,
            tags_of(view.tags),
            some([field_of(name, value, FIELD) for name, value in view.fields.items()], most=FIELDS, between=" · "),
        ]
    )


def _elsewhere(view: Card) -> str | None:
    """Where the customer is when that is not Slack."""
    if view.source_channel == "slack" or view.customer_thread:
        return None
    return f"Customer writes {by_way(view.source_channel)}"


#: By the names that `threadesk.flaws` has for them; {} is how many there are.
FLAWS: Mapping[str, str] = {
    "messages_shape": 'a `conversation_history` that is not `{{"messages": […]}}`',
    "messages_unidentified": "messages whose `id` is no uuid, which I cannot show ({})",
    "messages_repeated": "messages whose `id` another one has, which I show once ({})",
    "messages_incomplete": "messages in which a field is missing or wrong ({})",
    "notes_shape": '`internal_notes` that are not `{{"notes": […]}}`',
    "notes_unidentified": "notes whose `id` is no uuid, which I cannot show ({})",
    "notes_repeated": "notes whose `id` another one has, which I show once ({})",
    "notes_incomplete": "notes in which a field is missing or wrong ({})",
    "status": "a `status` that is none of new, open, pending, closed",
    "priority": "a `priority` that is none of low, medium, high",
    "tags": "`tags` that are no plain list",
    "custom_fields": "`custom_fields` that are no object",
    "feedback": "a `feedback` without a rating from 1 to 5",
}


def _flaws(view: Card) -> str | None:
    found = [said.format(f"{view.flaws[what]:,}") for what, said in FLAWS.items() if what in view.flaws]
    if not found:
        return None
    return f"⚠️ Another program has written {some(found, most=len(FLAWS), between='; ')}. Nothing of it is thrown away."


def _in_words(view: Card) -> str:
    said = f"{_quote(view)} ({date(view.latest.at)})" if view.latest else None
    title = f"#{view.number} {escape(title_of(view.title))}"
    return facts([title, _state(view), _people(view), _details(view), _flaws(view), said])


def _buttons(view: Card) -> list[slack.Button]:
    """The first is what is most likely to be done next."""
    closed = view.status == "closed"
    offered: list[tuple[str, Action] | None] = [
        ("Reopen", Action.REOPEN) if closed else ("Claim", Action.CLAIM),
        ("Reply", Action.REPLY),
        ("Note", Action.NOTE),
        None if closed else ("Close", Action.CLOSE),
        ("Edit", Action.EDIT),
    ]
    buttons = [_button(view, *each) for each in offered if each]
    return buttons if closed else [*buttons, _not_a_ticket(view)]


def _button(view: Card, label: str, action: Action) -> slack.Button:
    style: Style | None = "primary" if action is Action.CLAIM else None
    return button(label, action, str(view.number), style=style, spoken=f"{label}: ticket #{view.number}")


def _not_a_ticket(view: Card) -> slack.Button:
    sure = confirm(
        f"Is #{view.number} not a ticket?",
        "It is closed silently: the customer is asked nothing, and no figure counts it.",
        "Not a ticket",
    )
    spoken = f"#{view.number} is not a ticket"
    return button("Not a ticket", Action.NOT_A_TICKET, str(view.number), confirm=sure, spoken=spoken)
