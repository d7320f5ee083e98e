"""What an app answers to a command or an interaction, at once or over its response_url.

https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
"""

import json
from typing import TYPE_CHECKING, Any

from bot.sandbox import posting
from bot.sandbox.blockkit import message_refusals
from bot.sandbox.forms import completed
from bot.sandbox.interactivity import ResponseUrl
from bot.sandbox.references import INTERACTION
from bot.sandbox.workspace import Message

if TYPE_CHECKING:
    from bot.sandbox.slack import Slack

Json = dict[str, Any]


def answer_response_url(slack: "Slack", key: str, body: bytes) -> tuple[int, str]:
    """Handle a POST to a response_url; the HTTP status and the text that Slack answers with."""
    place = slack.response_urls.use(key)
    if isinstance(place, str):
        return 404, f"{place} ({INTERACTION})"
    try:
        answer = json.loads(body)
    except ValueError:
        return 400, f"invalid_payload ({INTERACTION})"
    if not isinstance(answer, dict):
        return 400, f"invalid_payload ({INTERACTION})"
    problem = show(slack, place, answer)
    return (400, problem) if problem else (200, "ok")


def show(slack: "Slack", place: ResponseUrl, answer: Json) -> str | None:
    """Put an answer where its person sees it. Returns why Slack would not, or None."""
    if answer.get("delete_original"):
        _delete(slack, place)
        return None
    text, blocks = answer.get("text"), answer.get("blocks")
    if refusals := message_refusals(text, blocks):
        return f"{refusals[0].code}: {refusals[0].sentence} ({refusals[0].reference})"
    contents: Json = {"text": text or "", "blocks": completed(blocks or [])}
    if answer.get("replace_original") and place.original:
        _replace(slack, place.original, contents)
        return None
    _post(slack, place, answer, contents)
    return None


def _post(slack: "Slack", place: ResponseUrl, answer: Json, contents: Json) -> None:
    channel = place.channel
    message = Message(slack.workspace.next_ts(), channel, author=slack.bot, **contents)
    message.thread_ts = posting.thread_of(channel, answer.get("thread_ts") or place.thread_ts)
    if answer.get("response_type") != "in_channel":
        message.only_for = place.person.id
    posting.publish(slack, message)
    place.original = place.original or message


def _replace(slack: "Slack", original: Message, contents: Json) -> None:
    if original.only_for:
        original.text, original.blocks = contents["text"], contents["blocks"]
    else:
        posting.change(slack, original, **contents)


def _delete(slack: "Slack", place: ResponseUrl) -> None:
    original, place.original = place.original, None
    if original is None:
        return
    if original.only_for:
        original.channel.ephemerals.remove(original)
    elif original.ts in original.channel.posts:
        posting.remove(slack, original)
