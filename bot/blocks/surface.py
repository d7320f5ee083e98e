"""What every message and modal has in common: safe text, Slack's limits, and a check that nothing leaves without.

Limits: https://docs.slack.dev/reference/block-kit
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import slackblocks as slack

from bot.blocks.words import common as say
from bot.tickets.text import encoded

# chat.update refuses a text over 4,000 characters: https://docs.slack.dev/reference/methods/chat.update
TEXT = 3_900
SECTION = 3_000
BLOCKS = 50
VIEW_BYTES = 250_000
# All text in one message's blocks. Slack publishes no number for msg_blocks_too_long; 9,597 were seen to pass
# and 11,341 to be refused: https://github.com/slackapi/bolt-js/issues/2867
ALL_TEXT = 9_500
#: What people's words may take of that.
WORDS = 7_500
LINK = 300
ADDRESS = 3_000

_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_WHOLE = re.compile(r"&(?:amp|lt|gt);|<[^<>]*>")
_BROADCAST = re.compile(r"<!(?!date\^)([^<>|^]*)[^<>]*>")
_INVENTED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Message:
    """A message that is within Slack's limits. `text` says in words what the blocks show."""

    text: str
    blocks: list[dict[str, Any]]
    username: str | None = None
    icon_url: str | None = None

    def __post_init__(self) -> None:
        problems = _problems(self.blocks)
        if not self.text.strip():
            problems.append("no text for those who do not see the blocks")
        if len(self.text) > TEXT:
            problems.append(f"a text of {len(self.text)} characters")
        if len(self.blocks) > BLOCKS:
            problems.append(f"{len(self.blocks)} blocks")
        if (characters := _characters(self.blocks)) > ALL_TEXT:
            problems.append(f"{characters} characters in blocks")
        if problems:
            raise ValueError(f"Slack would refuse this message: {', '.join(problems)}")

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments for https://docs.slack.dev/reference/methods/chat.postMessage"""
        given = {"username": self.username, "icon_url": self.icon_url}
        return {
            "text": self.text,
            "blocks": self.blocks,
            "unfurl_links": False,
            "unfurl_media": False,
        } | {name: value for name, value in given.items() if value}


def message(
    text: str, blocks: Sequence[slack.Block], *, username: str | None = None, icon_url: str | None = None
) -> Message:
    """`text` is mrkdwn, like the blocks', and is cut where it is too long; `username` is plain text."""
    rendered = slack.MessageResponse(blocks=list(blocks)).to_dict().get("blocks", [])
    name = clip(one_line(username or ""), 80) or None
    return Message(clip(quiet(text).strip(), TEXT), rendered, name, address(icon_url))


def modal(
    title: str,
    blocks: Sequence[slack.Block],
    *,
    close: str,
    submit: str | None = None,
    callback: str | None = None,
    metadata: str | None = None,
) -> dict[str, Any]:
    """A view for views.open, push and update: https://docs.slack.dev/reference/views/modal-views"""
    view = slack.ModalView(
        title, list(blocks), close=close, submit=submit, callback_id=callback, private_metadata=metadata
    ).to_dict()
    if problems := _problems(view["blocks"]):
        raise ValueError(f"Slack would refuse this modal: {', '.join(problems)}")
    return view


def home(blocks: Sequence[slack.Block]) -> dict[str, Any]:
    """A view for views.publish: https://docs.slack.dev/reference/views/home-tab-views"""
    view = slack.HomeTabView(list(blocks)).to_dict()
    problems = _problems(view["blocks"])
    if (size := len(json.dumps(view, ensure_ascii=False).encode())) > VIEW_BYTES:
        problems.append(f"{size:,} bytes")
    if problems:
        raise ValueError(f"Slack would refuse this home: {', '.join(problems)}")
    return view


def escape(text: str) -> str:
    """Plain text as mrkdwn that mentions nobody and forges no link.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return encoded(text)


def quiet(mrkdwn: str) -> str:
    """The same mrkdwn, in which no channel and no group is alerted."""
    return _BROADCAST.sub(lambda found: "@" + (found[1].removeprefix("subteam") or say.GROUP), mrkdwn)


def one_line(text: str) -> str:
    """Plain text for a title or a name: on one line, and unable to turn round what stands after it."""
    return " ".join(_BIDI.sub("", text).split())


def clip(text: str, limit: int) -> str:
    """At most `limit` characters, with "…" in place of the rest; no entity, mention or link is cut in two."""
    return text if len(text) <= limit else text[: _cut(text, limit - 1)].rstrip() + "…"


def date(at: dt.datetime, form: str = say.MOMENT) -> str:
    """A moment as each reader's own clock has it.

    https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    return f"<!date^{int(at.timestamp())}^{form}|{say.moment(at.astimezone(dt.UTC))}>"


def link(url: str | None, label: str, *, longest: int = LINK) -> str:
    """mrkdwn: `label`, which is mrkdwn too, as a link where there is an address fit to be one."""
    if not url or not _is_link(url, longest):
        return label
    return f"<{escape(url)}|{label.replace('|', '¦')}>"


def address(url: str | None) -> str | None:
    """What a button opens, or a picture is; None where it is no address of a page."""
    return url if url and _is_link(url, ADDRESS) else None


def words(mrkdwn: str, *, limit: int = WORDS, block_id: str = "words") -> list[slack.SectionBlock]:
    """Sections with at most `limit` characters of what somebody wrote, parted at line ends where there are any.

    Their ids are `block_id`, `block_id:2` and so on. No words, no sections.
    """
    sections: list[slack.SectionBlock] = []
    rest = clip(quiet(mrkdwn).strip(), limit)
    while rest:
        cut = _line_end(rest)
        each = f"{block_id}:{len(sections) + 1}" if sections else block_id
        sections.append(slack.SectionBlock(verbatim(rest[:cut].rstrip()), block_id=each))
        rest = rest[cut:].strip()
    return sections


def verbatim(mrkdwn: str) -> slack.Text:
    """A text object in which only what is marked up is a mention: a typed "@channel" alerts nobody.

    https://docs.slack.dev/reference/block-kit/composition-objects/text-object
    """
    return slack.Text(mrkdwn, verbatim=True)


def _cut(text: str, limit: int) -> int:
    """The largest place up to `limit` at which no token is cut; `limit` where the first token is longer."""
    for token in _WHOLE.finditer(text):
        if token.end() > limit:
            return min(token.start(), limit) or limit
    return min(len(text), limit)


def _line_end(text: str) -> int:
    if len(text) <= SECTION:
        return len(text)
    cut = _cut(text, SECTION)
    line_end = text.rfind("\n", 0, cut)
    return line_end if line_end > cut // 2 else cut


def _is_link(url: str, longest: int) -> bool:
    return len(escape(url)) <= longest and re.fullmatch(r"https?://[^\s<>|]+", url) is not None


def _problems(blocks: Sequence[dict[str, Any]]) -> list[str]:
    """What the library lets through."""
    ids = [block.get("block_id", "") for block in blocks]
    problems = [f"block {each or 'without an id'} twice" for each in _twice(ids)]
    # The library invents a random id for a block without one; views.update then loses what was typed into it.
    problems += [f"a {block['type']} without an id of ours" for block in blocks if _is_invented(block)]
    for block in blocks:
        actions = [element["action_id"] for element in block.get("elements", []) if "action_id" in element]
        problems += [f"action {each} twice in {block['block_id']}" for each in _twice(actions)]
    if sum(block["type"] == "table" for block in blocks) > 1:
        problems.append("two tables")
    return problems


def _is_invented(block: dict[str, Any]) -> bool:
    return "block_id" not in block or _INVENTED.fullmatch(block["block_id"]) is not None


def _twice(ids: list[str]) -> list[str]:
    return sorted({each for each in ids if ids.count(each) > 1})


def _characters(value: object) -> int:
    if isinstance(value, list):
        return sum(map(_characters, value))
    if isinstance(value, dict):
        own = value.get("text")
        return (len(own) if isinstance(own, str) else 0) + sum(map(_characters, value.values()))
    return 0
