"""The pieces of which messages and modals are put together, and how a ticket's facts are worded everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import slackblocks as slack

from bot.blocks.ids import Action
from bot.blocks.surface import clip, escape, one_line, verbatim
from bot.blocks.words import common as say

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


def confirm(title: str, text: str, yes: str, no: str = say.CANCEL) -> slack.ConfirmationDialogue:
    # The library would make mrkdwn of the text, which Slack does not take here.
    return slack.ConfirmationDialogue(title, plain(text), yes, no)


def plain(text: str) -> slack.Text:
    return slack.Text(text, slack.TextType.PLAINTEXT, emoji=True)


def title_of(title: str) -> str:
    """A ticket's title as plain text, short enough for any place."""
    return clip(one_line(title) or say.NO_TITLE, TITLE)


def name_of(name: str) -> str:
    """A person's or company's name as mrkdwn."""
    return clip(escape(one_line(name) or say.SOMEBODY), NAME)


def mention(slack_id: str) -> str:
    return f"<@{slack_id}>"


def some(of: Sequence[str], *, most: int = LIST, between: str = ", ") -> str:
    """The first ones, and how many more there are."""
    more = [say.more(len(of) - most)] if len(of) > most else []
    return between.join([*of[:most], *more])


def on_it(names: Sequence[str], *, most: int = LIST) -> str:
    """ "Ada, Grace are on it", or nothing. Names are plain text."""
    return say.on_it(some([name_of(name) for name in names], most=most), count=len(names)) if names else ""


def by_way(source_channel: str | None) -> str:
    """ "by e-mail", of a customer who is not in Slack. Another program may have written any channel."""
    if not source_channel or source_channel == "slack":
        return say.THROUGH_ANOTHER_PROGRAM
    return say.WAYS.get(source_channel) or say.by(name_of(source_channel))


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
    return say.stars(int(rating))
