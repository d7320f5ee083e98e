"""Blocks and views as Slack keeps them: every id filled in, and the state of a form's elements."""

import copy
import time
from collections.abc import Iterator
from typing import Any

from bot.sandbox.workspace import new_token

Json = dict[str, Any]

VALUE_FIELDS = {
    "plain_text_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "number_input": "value",
    "static_select": "selected_option",
    "external_select": "selected_option",
    "radio_buttons": "selected_option",
    "multi_static_select": "selected_options",
    "multi_external_select": "selected_options",
    "checkboxes": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "rich_text_input": "rich_text_value",
}
"""Where each kind of element keeps its value in a view's state:
https://docs.slack.dev/reference/views#submission"""

_INITIAL_FIELDS = {"value": "initial_value", "rich_text_value": "initial_value"}


def completed(blocks: list[Json]) -> list[Json]:
    """A copy with the ids and defaults Slack adds: ``block_id``, ``action_id``, ``emoji``, ``verbatim``."""
    kept: list[Json] = copy.deepcopy(blocks)
    for block in kept:
        block.setdefault("block_id", new_token(5))
        for element in elements_of(block):
            element.setdefault("action_id", new_token(5))
    _default_texts(kept)
    return kept


def _default_texts(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _default_texts(item)
    elif isinstance(value, dict):
        if isinstance(value.get("text"), str) and value.get("type") == "plain_text":
            value.setdefault("emoji", True)
        elif isinstance(value.get("text"), str) and value.get("type") == "mrkdwn":
            value.setdefault("verbatim", False)
        for item in value.values():
            _default_texts(item)


def elements_of(block: Json) -> Iterator[Json]:
    """The interactive elements of a block."""
    candidates = [block.get("element"), block.get("accessory")]
    if block.get("type") in ("actions", "context_actions"):
        candidates += block.get("elements", [])
    return (e for e in candidates if e and e.get("type") != "image")


def all_elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Every interactive element with its block."""
    return ((block, element) for block in blocks for element in elements_of(block))


def state_values(blocks: list[Json], before: Json | None = None) -> Json:
    """``state.values``: block_id → action_id → value, from what was filled in or the initial values."""
    values: Json = {}
    for block, element in all_elements(blocks):
        if element["type"] not in VALUE_FIELDS:
            continue
        block_id, action_id = block["block_id"], element["action_id"]
        kept = (before or {}).get(block_id, {}).get(action_id)
        if not kept or kept["type"] != element["type"]:
            kept = _initial(element)
        values.setdefault(block_id, {})[action_id] = kept
    return values


def _initial(element: Json) -> Json:
    name = VALUE_FIELDS[element["type"]]
    initial = _INITIAL_FIELDS.get(name, name.replace("selected", "initial"))
    nothing: Any = [] if name.startswith("selected_") and name.endswith("s") else None
    return {"type": element["type"], name: element.get(initial, nothing)}


def new_hash() -> str:
    return f"{int(time.time())}.{new_token(8)}"


def fields_given(definition: Json) -> Json:
    """What the app may set of a view, with Slack's defaults."""
    return {
        "type": definition["type"],
        "title": definition.get("title"),
        "close": definition.get("close"),
        "submit": definition.get("submit"),
        "blocks": completed(definition.get("blocks", [])),
        "private_metadata": definition.get("private_metadata", ""),
        "callback_id": definition.get("callback_id", ""),
        "external_id": definition.get("external_id", ""),
        "clear_on_close": definition.get("clear_on_close", False),
        "notify_on_close": definition.get("notify_on_close", False),
        "submit_disabled": definition.get("submit_disabled", False),
    }
