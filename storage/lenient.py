"""JSON that PostgreSQL keeps and Python would not read: a program that shares the tables may have passed on what a
stranger has made up, and one such value must not take a list of tickets with it."""

from __future__ import annotations

import json
import re
from typing import Any

#: Nothing of the schema's is as deep, and Python gives up at about ten times that.
DEEPEST = 100
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{}]')


def loads(raw: str) -> Any:
    """As json.loads, of valid JSON. What is nested deeper than DEEPEST is "…".

    A whole number with more digits than Python reads is a text:
    https://docs.python.org/3/library/stdtypes.html#integer-string-conversion-length-limitation
    """
    if raw.count("[") + raw.count("{") > DEEPEST:
        raw = _cut(raw)
    try:
        return json.loads(raw)
    except ValueError:
        return json.loads(raw, parse_int=_int)


def _int(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return digits


def _cut(raw: str) -> str:
    kept, depth, at = [], 0, 0
    for token in _TOKEN.finditer(raw):
        match token[0]:
            case "[" | "{":
                depth += 1
                if depth == DEEPEST + 1:
                    kept.append(raw[at : token.start()])
            case "]" | "}":
                if depth == DEEPEST + 1:
                    kept.append('"…"')
                    at = token.end()
                depth -= 1
    return "".join([*kept, raw[at:]])
