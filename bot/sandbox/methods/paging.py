"""Cursor paging: https://docs.slack.dev/apis/web-api/pagination"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from bot.sandbox.errors import Refused
from bot.sandbox.methods.registry import Request
from bot.sandbox.references import PAGINATION

Item = TypeVar("Item")


def page(request: Request, items: Sequence[Item], limit: int, key: Callable[[Item], str]) -> tuple[list[Item], str]:
    """The page that the call's cursor names, and the next cursor ("" at the end).

    A cursor holds the key of the first item of its page, so that what comes or goes meanwhile shifts nothing.
    """
    start = 0
    if cursor := request.text("cursor"):
        wanted = _decoded(cursor)
        start = next((i for i, item in enumerate(items) if key(item) == wanted), len(items))
    chosen = list(items[start : start + limit])
    following = items[start + limit : start + limit + 1]
    return chosen, _encoded(key(following[0])) if following else ""


def _encoded(key: str) -> str:
    return base64.b64encode(f"next:{key}".encode()).decode()


def _decoded(cursor: str) -> str:
    try:
        text = base64.b64decode(cursor, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as reason:
        raise Refused("invalid_cursor", PAGINATION) from reason
    if not text.startswith("next:"):
        raise Refused("invalid_cursor", PAGINATION)
    return text.removeprefix("next:")
