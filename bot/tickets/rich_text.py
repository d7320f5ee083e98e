"""Slack's rich text as the mrkdwn that Slack itself sends beside it.

https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bot.tickets.text import encoded

MARKS = {"code": "`", "strike": "~", "italic": "_", "bold": "*"}
#: By an element's type, the field that matters and what it is in mrkdwn.
FORMS = {
    "link": ("url", "<{}>"),
    "user": ("user_id", "<@{}>"),
    "channel": ("channel_id", "<#{}>"),
    "usergroup": ("usergroup_id", "<!subteam^{}>"),
    "broadcast": ("range", "<!{}>"),
    "emoji": ("name", ":{}:"),
    "date": ("fallback", "{}"),
    "color": ("value", "{}"),
}
BULLETS = ("•", "◦", "▪︎")


def words_of(message: Mapping[str, Any]) -> str:
    """The Slack-encoded words of a message, also of one that has them in its blocks only."""
    return str(message.get("text") or "") or in_blocks(message.get("blocks") or [])


def in_blocks(blocks: Iterable[Mapping[str, Any]]) -> str:
    """The words of the rich_text blocks among these, Slack-encoded."""
    parts = [part for block in blocks if block.get("type") == "rich_text" for part in block.get("elements") or []]
    return "\n".join(_part(part) for part in parts).strip("\n")


def _part(part: Mapping[str, Any]) -> str:
    elements = part.get("elements") or []
    match part.get("type"):
        case "rich_text_list":
            return "\n".join(_item(part, place, item) for place, item in enumerate(elements))
        case "rich_text_quote":
            return "\n".join(f"&gt; {line}" for line in _inline(elements).split("\n"))
        case "rich_text_preformatted":
            return f"```{_inline(elements)}```"
        case _:
            return _inline(elements).removesuffix("\n")


def _item(part: Mapping[str, Any], place: int, item: Mapping[str, Any]) -> str:
    indent = int(part.get("indent") or 0)
    number = int(part.get("offset") or 0) + place + 1
    bullet = f"{number}." if part.get("style") == "ordered" else BULLETS[indent % len(BULLETS)]
    return f"{'    ' * indent}{bullet} {_inline(item.get('elements') or [])}"


def _inline(elements: Iterable[Mapping[str, Any]]) -> str:
    return "".join(_marked(element) for element in elements)


def _marked(element: Mapping[str, Any]) -> str:
    words, style = _words(element), element.get("style") or {}
    bare = words.strip()
    if not bare or not isinstance(style, dict):
        return words
    marked = bare
    for name, mark in MARKS.items():
        marked = f"{mark}{marked}{mark}" if style.get(name) else marked
    return words.replace(bare, marked, 1)


def _words(element: Mapping[str, Any]) -> str:
    kind = str(element.get("type"))
    field, form = FORMS.get(kind, ("text", "{}"))
    words = form.format(encoded(str(element.get(field) or "")))
    label = encoded(str(element.get("text") or "")).replace("|", "¦")
    return f"{words[:-1]}|{label}>" if kind == "link" and label else words
