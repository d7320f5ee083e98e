"""What Slack makes of the words that a person types.

Source: https://docs.slack.dev/messaging/formatting-message-text
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

_REFERENCE = re.compile(r"&lt;([@#]([A-Z0-9]+)(?:\|[^&|<>]*)?)&gt;")
_URL = re.compile(r"(?<![<|])\bhttps?://(?:(?!&[lg]t;)[^\s<>|])+(?<![.,;:!?)\]}'\"])")
_EMAIL = re.compile(r"(?<![\w@./:|<])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_TOKEN = re.compile(r"<([^<>]+)>|:([a-z0-9_+'-]+):")
_USER = re.compile(r"<@([A-Z0-9]+)>")
_CHANNEL = re.compile(r"<#[A-Z0-9]+\|([^>]*)>")


def encode(typed: str, exists: Callable[[str], bool]) -> str:
    """Typed text as Slack delivers it: ``&<>`` escaped, URLs and e-mail addresses linked.

    ``<@U1>`` and ``<#C1|name>`` are kept where that person or channel ``exists``: they stand for a mention
    that was picked from the composer's list.
    """
    text = typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _REFERENCE.sub(lambda found: f"<{found[1]}>" if exists(found[2]) else found[0], text)
    text = _URL.sub(lambda url: f"<{url[0]}>", text)
    return _EMAIL.sub(lambda mail: f"<mailto:{mail[0]}|{mail[0]}>", text)


def decode(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def rich_text(text: str, block_id: str) -> list[dict[str, Any]]:
    """The ``blocks`` of a person's message: one ``rich_text`` block that says the same as ``text``."""
    if not text:
        return []
    section = {"type": "rich_text_section", "elements": list(_elements(text))}
    return [{"type": "rich_text", "block_id": block_id, "elements": [section]}]


def _elements(text: str) -> Iterator[dict[str, Any]]:
    end = 0
    for token in _TOKEN.finditer(text):
        if before := text[end : token.start()]:
            yield {"type": "text", "text": decode(before)}
        yield _emoji(token[2]) if token[2] else _reference(token[1])
        end = token.end()
    if rest := text[end:]:
        yield {"type": "text", "text": decode(rest)}


def _emoji(name: str) -> dict[str, Any]:
    return {"type": "emoji", "name": name}


def _reference(token: str) -> dict[str, Any]:
    target, _, label = token.partition("|")
    if target.startswith("@"):
        return {"type": "user", "user_id": target[1:]}
    if target.startswith("#"):
        return {"type": "channel", "channel_id": target[1:]}
    if target in ("!here", "!channel", "!everyone"):
        return {"type": "broadcast", "range": target[1:]}
    link = {"type": "link", "url": decode(target)}
    return link | {"text": decode(label)} if label else link


def with_names(text: str, handles: dict[str, str]) -> str:
    """A command's text with ``should_escape``: ``<@U1>`` becomes ``<@U1|grace>``; channels have names.

    Source: https://docs.slack.dev/interactivity/implementing-slash-commands
    """
    return _USER.sub(lambda user: f"<@{user[1]}|{handles[user[1]]}>" if user[1] in handles else user[0], text)


def plain_mentions(text: str, handles: dict[str, str]) -> str:
    """A command's text without ``should_escape``: names as they look, ``@grace`` and ``#general``."""
    named = _USER.sub(lambda user: f"@{handles.get(user[1], user[1])}", text)
    return _CHANNEL.sub(r"#\1", named)
