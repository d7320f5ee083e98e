"""The pieces of which messages and modals are put together, and how a ticket's facts are worded everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import slackblocks as slack

from bot.blocks.ids import Action
from bot.blocks.surface import clip, escape, one_line, verbatim
from storage.tickets import Priority, Status

#: Never the mark alone: the word says it to whoever cannot tell the colours apart.
STATUS: Mapping[Status, str] = {"new": "🔵 New", "open": "🟢 Open", "pending": "🟡 Pending", "closed": "⚪ Closed"}
PRIORITY: Mapping[Priority, str] = {
    "low": "Low priority",
    "medium": "Medium priority",
    "high": "🔺 High priority",
}
RATINGS: Mapping[int, str] = {1: "1 – poor", 2: "2 – fair", 3: "3 – okay", 4: "4 – good", 5: "5 – great"}

NO_WORDS = "_no words_"
NAME = 60
TITLE = 140
LIST = 8

Style = Literal["primary", "danger"]


def header(block_id: str, plain: str) -> slack.HeaderBlock:
    return slack.HeaderBlock(clip(plain, 150), block_id=block_id)


def section(block_id: str, mrkdwn: str, accessory: slack.Button | None = None) -> slack.SectionBlock:
    return slack.SectionBlock(verbatim(mrkdwn), block_id=block_id, accessory=accessory)


def context(block_id: str, mrkdwn: str) -> slack.ContextBlock:
    return slack.ContextBlock([verbatim(mrkdwn)], block_id=block_id)


def actions(block_id: str, *buttons: slack.Button) -> slack.ActionsBlock:
    return slack.ActionsBlock(list(buttons), block_id=block_id)


def button(
    label: str,
    action: Action,
    value: str,
    *,
    style: Style | None = None,
    confirm: slack.ConfirmationDialogue | None = None,
    url: str | None = None,
    spoken: str | None = None,
) -> slack.Button:
    """`spoken` is what a screen reader says where the label alone is not enough."""
    return slack.Button(
        plain(label), action.value, value=value, style=style, confirm=confirm, url=url, accessibility_label=spoken
    )


def confirm(title: str, text: str, yes: str, no: str = "Cancel") -> slack.ConfirmationDialogue:
    # The library would make mrkdwn of the text, which Slack does not take here.
    return slack.ConfirmationDialogue(title, plain(text), yes, no)


def plain(text: str) -> slack.Text:
    return slack.Text(text, slack.TextType.PLAINTEXT, emoji=True)


def title_of(title: str) -> str:
    """A ticket's title as plain text, short enough for any place."""
    return clip(one_line(title) or "(no title)", TITLE)


def name_of(name: str) -> str:
    """A person's or company's name as mrkdwn."""
    return clip(escape(one_line(name) or "Somebody"), NAME)


def mention(slack_id: str) -> str:
    return f"<@{slack_id}>"


def some(of: Sequence[str], *, most: int = LIST, between: str = ", ") -> str:
    """The first ones, and how many more there are."""
    more = [f"{len(of) - most:,} more"] if len(of) > most else []
    return between.join([*of[:most], *more])


def on_it(names: Sequence[str], *, most: int = LIST) -> str:
    """ "Ada, Grace are on it", or nothing. Names are plain text."""
    verb = "is" if len(names) == 1 else "are"
    return f"{some([name_of(name) for name in names], most=most)} {verb} on it" if names else ""


#: How a customer writes, by the ticket's `source_channel`.
WAYS: Mapping[str, str] = {"email": "by e-mail", "web": "on the web", "chat": "by chat", "widget": "in a widget"}


def by_way(source_channel: str | None) -> str:
    """ "by e-mail", of a customer who is not in Slack. Another program may have written any channel."""
    if not source_channel or source_channel == "slack":
        return "through another program"
    return WAYS.get(source_channel) or f"by {name_of(source_channel)}"


def tags_of(tags: Sequence[str]) -> str:
    return some([f"#{clip(escape(one_line(tag)), NAME)}" for tag in tags], between=" ")


def field_of(name: str, value: Any, longest: int) -> str:
    """A custom field: "version: 4.2 beta". What another program has written may be any JSON."""
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clip(escape(one_line(f"{name}: {said}")), longest)


def facts(of: Iterable[str | None]) -> str:
    """The facts that there are, on one line."""
    return " · ".join(fact for fact in of if fact)


def stars(rating: float) -> str:
    """ "★★★★☆ 4 of 5", for 1 to 5. Other programs may have written 4 as 4.0."""
    full = int(rating)
    return f"{'★' * full}{'☆' * (5 - full)} {full} of 5"
