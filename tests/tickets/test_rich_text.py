"""Words that stand only in a message's blocks become the mrkdwn that Slack would have sent beside them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.tickets.rich_text import words_of


def section(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": list(elements)}


def words(text: str, **style: bool) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"style": style} if style else {})}


def message(*parts: dict[str, Any], text: str = "") -> dict[str, Any]:
    return {"text": text, "blocks": [{"type": "rich_text", "block_id": "b", "elements": list(parts)}]}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (section(words("It "), words("still ", bold=True), words("fails")), "It *still* fails"),
        (section(words("a < b & c")), "a &lt; b &amp; c"),
        (section(words("<!channel>")), "&lt;!channel&gt;"),
        (section(words("all", bold=True, italic=True, strike=True)), "*_~all~_*"),
        (section(words("rm -rf", code=True)), "`rm -rf`"),
        (section(words("  ", bold=True)), "  "),
        (section({"type": "link", "url": "https://a.example/?a&b"}), "<https://a.example/?a&amp;b>"),
        (section({"type": "link", "url": "https://a.example", "text": "a|b>"}), "<https://a.example|a¦b&gt;>"),
        (section({"type": "user", "user_id": "U1"}), "<@U1>"),
        (section({"type": "channel", "channel_id": "C1"}), "<#C1>"),
        (section({"type": "usergroup", "usergroup_id": "S1"}), "<!subteam^S1>"),
        (section({"type": "broadcast", "range": "here"}), "<!here>"),
        (section({"type": "emoji", "name": "fire"}), ":fire:"),
        (section({"type": "date", "timestamp": 1, "format": "{date}", "fallback": "today"}), "today"),
        (section({"type": "color", "value": "#fff"}), "#fff"),
        (section({"type": "to come"}), ""),
        ({"type": "rich_text_preformatted", "elements": [words("a\nb")]}, "```a\nb```"),
        ({"type": "rich_text_quote", "elements": [words("a\nb")]}, "&gt; a\n&gt; b"),
        (
            {"type": "rich_text_list", "style": "bullet", "indent": 1, "elements": [section(words("a"))]},
            "    ◦ a",
        ),
        (
            {
                "type": "rich_text_list",
                "style": "ordered",
                "offset": 2,
                "elements": [section(words("a")), section(words("b", bold=True))],
            },
            "3. a\n4. *b*",
        ),
    ],
)
def test_each_part(part: dict[str, Any], expected: str) -> None:
    assert words_of(message(part)) == expected


def test_parts_stand_below_each_other() -> None:
    bullets = {"type": "rich_text_list", "style": "bullet", "elements": [section(words("a")), section(words("b"))]}
    assert words_of(message(section(words("Both fail:\n")), bullets)) == "Both fail:\n• a\n• b"


def test_slacks_own_text_comes_first_and_other_blocks_say_nothing() -> None:
    assert words_of(message(section(words("blocks")), text="text")) == "text"
    assert words_of({"text": "", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x"}}]}) == ""
    assert words_of({}) == ""
