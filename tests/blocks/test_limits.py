"""Whatever people and other programs write, Slack takes what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.blocks import answers, modals, surface
from bot.blocks.surface import Message
from bot.sandbox.blockkit import message_refusals, update_refusals, view_refusals
from bot.tickets.listing import Shown
from tests.blocks.samples import (
    NAMES,
    a_message,
    a_ticket,
    anything,
    numbers,
    presents,
    rendered,
    slack_ids,
    tickets,
)

BROAD = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

views_of_modals: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda title, agent: modals.new_ticket(title, channel="C1", for_customer=agent), anything, st.booleans()),
    st.builds(modals.reply, numbers, anything, st.none() | st.uuids().map(str), anything, st.none() | anything),
    st.builds(modals.note, numbers, anything),
    st.builds(modals.close, numbers, anything),
    st.builds(modals.edit, tickets, slack_ids),
    st.builds(modals.rating_comment, numbers, st.integers(1, 5)),
    st.builds(modals.set_up, presents),
    st.builds(lambda text: modals.result(f"No. {text}"), anything),
)


def marked_up(message: Message) -> list[str]:
    """Everything of a message that Slack reads as mrkdwn."""
    found = [message.text]

    def collect(value: object) -> None:
        if isinstance(value, dict):
            if value.get("type") == "mrkdwn":
                found.append(value["text"])
            for each in value.values():
                collect(each)
        elif isinstance(value, list):
            for each in value:
                collect(each)

    collect(message.blocks)
    return found


@BROAD
@given(rendered)
def test_slack_takes_every_message_new_or_as_an_update(message: Message) -> None:
    assert message_refusals(message.text, message.blocks) == []
    assert update_refusals(message.text, message.blocks) == []


@BROAD
@given(rendered)
def test_no_channel_is_ever_alerted(message: Message) -> None:
    said = "".join(marked_up(message))
    assert not any(f"<!{group}" in said for group in ("channel", "here", "everyone", "subteam"))


@BROAD
@given(views_of_modals)
def test_slack_takes_every_modal(view: dict[str, Any]) -> None:
    assert view_refusals(view, "modal") == []


@given(st.booleans())
def test_slack_takes_the_help(agent: bool) -> None:
    message = answers.help(agent)
    assert message_refusals(message.text, message.blocks) == []


def test_every_input_has_the_id_of_its_field() -> None:
    view = modals.new_ticket("Title", channel=None, for_customer=True)
    inputs = [block for block in view["blocks"] if block["type"] == "input"]
    assert [block["block_id"] for block in inputs] == ["title", "description", "customer", "priority"]
    assert all(block["element"]["action_id"] == block["block_id"] for block in inputs)
    assert json.loads(view["private_metadata"]) == {"channel": None}


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}],
        [{"type": "divider"}],
        [{"type": "divider", "block_id": "6f1f7a0e-35a4-4b6e-9a55-2b0c8a3c6a51"}],
        [{"type": "actions", "block_id": "a", "elements": [{"action_id": "claim"}, {"action_id": "claim"}]}],
        [{"type": "table", "block_id": "a"}, {"type": "table", "block_id": "b"}],
        [{"type": "divider", "block_id": str(at)} for at in range(surface.BLOCKS + 1)],
        [{"type": "section", "block_id": "a", "text": {"type": "mrkdwn", "text": "x" * (surface.ALL_TEXT + 1)}}],
    ],
)
def test_what_slack_would_refuse_is_never_built(blocks: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="Slack would refuse"):
        Message("said", blocks)


@pytest.mark.parametrize("text", ["", " \n", "x" * (surface.TEXT + 1)])
def test_every_message_says_in_words_what_it_shows(text: str) -> None:
    with pytest.raises(ValueError, match="Slack would refuse"):
        Message(text, [])


@given(anything, st.integers(2, 4_000))
def test_clipped_text_fits_and_holds_no_half_entity(text: str, limit: int) -> None:
    clipped = surface.clip(surface.escape(text), limit)
    assert len(clipped) <= limit
    rest = clipped.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    # An entity longer than all the room there is cannot be kept whole.
    assert "&" not in rest or limit <= len("&amp;")


@given(anything)
def test_words_in_sections_are_the_words(text: str) -> None:
    escaped = surface.escape(text)
    sections = surface.words(escaped, limit=1_000_000)
    said = "".join(section.text.text for section in sections if section.text)
    assert "".join(said.split()) == "".join(escaped.split())


def test_long_words_are_parted_at_a_line_end() -> None:
    lines = "\n".join(f"line {at} " + "x" * 90 for at in range(70))
    parts = [section.text.text for section in surface.words(lines) if section.text]
    assert len(parts) == 3
    assert all(part.startswith("line ") for part in parts)
    assert "\n".join(parts) == lines


def test_a_title_that_does_not_fit_is_kept_in_the_description() -> None:
    view = modals.new_ticket("x" * 200, channel="C1", for_customer=False)
    title, description = (block["element"]["initial_value"] for block in view["blocks"])
    assert len(title) == 150
    assert description == "x" * 200


def test_the_newest_of_a_long_conversation_is_shown() -> None:
    view = Shown(a_ticket(), tuple(a_message(f"message {at}") for at in range(50)), (), NAMES)
    said = "\n".join(marked_up(answers.shown(view, link=None)))
    assert "and 30 earlier messages" in said
    assert "message 49" in said
    assert "message 29" not in said
