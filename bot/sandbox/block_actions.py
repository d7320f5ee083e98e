"""Clicking and choosing: finding the element, and the payload that it sends.

https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from typing import TYPE_CHECKING, Any

from bot.sandbox.errors import CannotDo
from bot.sandbox.forms import VALUE_FIELDS, all_elements
from bot.sandbox.interactions import channel_name, response_url
from bot.sandbox.references import BLOCK_ACTIONS
from bot.sandbox.shapes import message_object
from bot.sandbox.workspace import Account, Message, View

if TYPE_CHECKING:
    from bot.sandbox.slack import Slack

Json = dict[str, Any]


def find(blocks: list[Json], action_id: str, value: str | None, block_id: str | None) -> tuple[Json, Json]:
    """The block and the element that are meant: by action_id and, where several have it, value or block_id."""
    found = [
        (block, element)
        for block, element in all_elements(blocks)
        if element["action_id"] == action_id
        and block_id in (None, block["block_id"])
        and value in (None, element.get("value"))
    ]
    if not found:
        there = ", ".join(element["action_id"] for _, element in all_elements(blocks)) or "nothing"
        raise CannotDo(f"There is no {action_id!r} there now, only {there}.", BLOCK_ACTIONS)
    return found[0]


def action(slack: "Slack", block: Json, element: Json, content: Json) -> Json:
    """One entry of ``actions``: what was clicked or chosen."""
    return {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "action_ts": slack.workspace.next_ts(),
        **{key: value for key, value in content.items() if value is not None},
    }


def payload(slack: "Slack", person: Account, where: Message | View, done: Json) -> Json:
    """A block_actions payload for ``done``, but for the fields that every interaction has."""
    common: Json = {
        "type": "block_actions",
        "actions": [done],
        "trigger_id": slack.triggers.issue(person),
    }
    if not isinstance(where, Message):
        return common | {"container": {"type": "view", "view_id": where["id"]}, "view": where}
    common |= {"container": _container(where), "state": {"values": _state(done)}}
    common |= about(slack, person, where)
    if where.only_for:
        del common["message"]
    return common


def about(slack: "Slack", person: Account, message: Message) -> Json:
    """The fields that tell of the message somebody acted on."""
    channel = message.channel
    return {
        "channel": {"id": channel.id, "name": channel_name(channel)},
        "message": message_object(slack, message),
        "response_url": response_url(slack, person, channel, message),
    }


def _container(message: Message) -> Json:
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": message.channel.id,
        "is_ephemeral": message.only_for is not None,
    }
    return container | {"thread_ts": message.thread_ts} if message.is_reply else container


def _state(done: Json) -> Json:
    """The message's state after the act: what was just chosen."""
    if done["type"] not in VALUE_FIELDS:
        return {}
    name = VALUE_FIELDS[done["type"]]
    return {done["block_id"]: {done["action_id"]: {"type": done["type"], name: done.get(name)}}}
