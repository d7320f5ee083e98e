"""Which files are uploaded again for those who are not in the channel in which they were shared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

#: Screenshots, logs and short recordings. Slack takes files of 1 GB; each of those would keep the desk's line busy for
#: minutes, while a link to it does as well: https://slack.com/help/articles/201330736
LARGEST = 50 * 1024 * 1024

_SLACKS = re.compile("F[A-Z0-9]+")


def to_be_copied(source: Mapping[str, Any] | None, attachments: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Each (Slack's id, name). `source`: what Slack sent with the message; nothing of other programs' is copied."""
    shared = {str(file["id"]) for file in (source or {}).get("files", []) if _SLACKS.fullmatch(str(file.get("id")))}
    return [
        (str(file["id"]), str(file.get("name") or "file"))
        for file in attachments
        if file.get("id") in shared and not is_too_large(file)
    ]


def is_too_large(file: Mapping[str, Any]) -> bool:
    size = file.get("size")
    return isinstance(size, int) and size > LARGEST
