"""chat.*"""

from typing import Any

from bot.sandbox import posting
from bot.sandbox.blockkit import message_refusals, metadata_refusals, update_refusals
from bot.sandbox.errors import RateLimited, refuse
from bot.sandbox.forms import completed
from bot.sandbox.limits import SPECIAL, TIER_3, TIER_4
from bot.sandbox.methods.conversations import direct
from bot.sandbox.methods.registry import Json, Request, method
from bot.sandbox.shapes import message_object, permalink, unix_now
from bot.sandbox.workspace import Channel, Message

TEXT_KEPT = 40_000
"""Of a longer text: https://api.slack.com/changelog/2018-04-truncating-really-long-messages"""

_CUSTOMIZED = ("username", "icon_url", "icon_emoji")


@method("chat.postMessage", SPECIAL, "chat:write")
def post_message(request: Request) -> Json:
    slack = request.slack
    channel = _target(request)
    if wait := slack.limits.post(channel.id):
        raise RateLimited(wait)
    message = _composed(request, channel)
    message.metadata = _metadata(request) or None
    message.thread_ts = posting.thread_of(channel, request.text("thread_ts"))
    message.broadcast = message.is_reply and request.flag("reply_broadcast")
    if message.broadcast:
        message.subtype = "thread_broadcast"
    posting.publish(slack, message)
    shown = message_object(slack, message, metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": shown}


@method("chat.postEphemeral", TIER_4, "chat:write")
def post_ephemeral(request: Request) -> Json:
    """Shown to one member only, and kept nowhere but on their screen."""
    channel = _target(request)
    person = request.person("user")
    if person.id not in channel.members:
        raise request.refuse("user_not_in_channel")
    message = _composed(request, channel)
    message.only_for = person.id
    message.thread_ts = posting.thread_of(channel, request.text("thread_ts"))
    posting.publish(request.slack, message)
    return {"message_ts": message.ts}


@method("chat.update", TIER_3, "chat:write")
def update(request: Request) -> Json:
    """Text without blocks takes the blocks away; blocks without text leave the text:
    https://docs.slack.dev/reference/methods/chat.update"""
    message = _own(request, "cant_update_message")
    if message.channel.archived:
        raise request.refuse("is_inactive")
    text, blocks = request.text("text"), request.parsed("blocks", "invalid_blocks_format")
    attachments = request.parsed("attachments", "invalid_attachments")
    metadata = _metadata(request)
    values: Json = {}
    if text is not None or blocks is not None or not (attachments or metadata is not None):
        refuse(update_refusals(text, blocks))
        values["blocks"] = completed(blocks or [])
    if text is not None:
        values["text"] = text
    if attachments is not None:
        values["attachments"] = attachments
    if metadata is not None:
        values["metadata"] = metadata or None
    if text is not None and not blocks:
        values["edited"] = {"user": request.slack.bot.id, "ts": f"{unix_now()}.000000"}
    posting.change(request.slack, message, **values)
    shown = message_object(request.slack, message, metadata=True)
    return {"channel": message.channel.id, "ts": message.ts, "text": message.text, "message": shown}


@method("chat.delete", TIER_3, "chat:write")
def delete(request: Request) -> Json:
    message = _own(request, "cant_delete_message")
    posting.remove(request.slack, message)
    return {"channel": message.channel.id, "ts": message.ts}


@method("chat.getPermalink", SPECIAL)
def get_permalink(request: Request) -> Json:
    message = request.message("message_ts")
    return {"channel": message.channel.id, "permalink": permalink(request.slack, message)}


def _target(request: Request) -> Channel:
    """Where a post goes: a channel's id or name, or a person's id for the DM with them."""
    slack, name = request.slack, request.required("channel")
    if name in slack.workspace.people:
        return direct(request, name)
    channel = slack.workspace.channels.get(name) or slack.workspace.channel_named(name)
    if channel is None or not slack.sees(channel):
        raise request.refuse("channel_not_found")
    if channel.archived:
        raise request.refuse("is_archived")
    if slack.bot.id not in channel.members and "chat:write.public" not in slack.manifest.scopes:
        raise request.refuse("not_in_channel")
    return channel


def _composed(request: Request, channel: Channel) -> Message:
    slack = request.slack
    text, blocks = request.text("text"), request.parsed("blocks", "invalid_blocks_format")
    attachments = request.parsed("attachments", "invalid_attachments") or []
    if text and not text.strip():
        text = None
    if blocks or not attachments:
        refuse(message_refusals(text, blocks))
        if {block["type"] for block in blocks or []} & slack.missing_blocks:
            raise request.refuse("invalid_blocks")
    message = Message(slack.workspace.next_ts(), channel, (text or "")[:TEXT_KEPT], slack.bot)
    message.blocks, message.attachments = completed(blocks or []), attachments
    dress(request, message)
    return message


def dress(request: Request, message: Message) -> None:
    """Another name and picture. Without the scope Slack refuses the whole post:
    https://github.com/PostHog/posthog/pull/94943"""
    given = {name: value for name in _CUSTOMIZED if (value := request.text(name))}
    if not given:
        return
    request.need_scope("chat:write.customize")
    message.subtype = "bot_message"
    message.username = given.get("username", request.slack.bot.name)
    if emoji := given.get("icon_emoji"):
        message.icons = {"emoji": emoji}
    elif url := given.get("icon_url"):
        message.icons = {"image_48": url}


def _own(request: Request, error: str) -> Message:
    message = request.message("ts")
    if message.author is not request.slack.bot:
        raise request.refuse(error)
    return message


def _metadata(request: Request) -> Any:
    metadata = request.parsed("metadata", "invalid_metadata_format")
    if metadata is not None:
        refuse(metadata_refusals(metadata))
    return metadata
