"""Which happenings become events for the app, and the envelope they travel in.

https://docs.slack.dev/apis/events-api. The team fields in channels shared with another company follow the
payloads recorded by Slack's own maintainers in
https://github.com/slackapi/bolt-python/blob/main/tests/slack_bolt/request/test_internals.py
"""

from typing import TYPE_CHECKING, Any

from bot.sandbox.shapes import message_object, unix_now
from bot.sandbox.workspace import Account, Channel, Message, new_id, new_token

if TYPE_CHECKING:
    from bot.sandbox.slack import Slack

Json = dict[str, Any]

_MESSAGE_EVENTS = {"channel": "message.channels", "group": "message.groups", "im": "message.im"}

_CHANNELS = ("channels:read", "groups:read")

_SCOPES: dict[str, tuple[str, ...]] = {
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
    "app_mention": ("app_mentions:read",),
    "member_joined_channel": _CHANNELS,
    "member_left_channel": _CHANNELS,
    "channel_archive": ("channels:read",),
    "group_archive": ("groups:read",),
    "channel_unarchive": ("channels:read",),
    "group_unarchive": ("groups:read",),
    "channel_rename": ("channels:read",),
    "group_rename": ("groups:read",),
    "channel_left": ("channels:read",),
    "group_left": ("groups:read",),
    "channel_shared": _CHANNELS,
    "channel_unshared": _CHANNELS,
    "channel_id_changed": _CHANNELS,
    "reaction_added": ("reactions:read",),
    "reaction_removed": ("reactions:read",),
    "app_home_opened": (),
}
"""Any one of these scopes lets an event through, as its reference page says."""


def emit_message(slack: "Slack", message: Message) -> None:
    """A new message: ``message``, and ``app_mention`` besides when a person names the bot."""
    if message.only_for:
        return
    event = message_object(slack, message) | {"event_ts": message.ts, "channel": message.channel.id}
    emit_in_channel(slack, message.channel, event, message.author)
    mentions = slack.bot.mention in message.text or f"<@{slack.bot.id}|" in message.text
    by_person = message.author is not None and message.author.bot_id is None
    if mentions and by_person and message.channel.kind != "im" and message.subtype in (None, "file_share"):
        event = {key: value for key, value in event.items() if key != "subtype"}
        emit(
            slack,
            "app_mention",
            event | _mentioner(slack, message) | {"type": "app_mention"},
            message.channel,
        )


def _mentioner(slack: "Slack", message: Message) -> Json:
    author = message.author
    if author is None or author.team.id == slack.team.id:
        return {}
    theirs = author.team.id
    profile = {"name": author.handle, "real_name": author.name, "team": theirs}
    return {"team": slack.team.id, "user_team": theirs, "source_team": theirs, "user_profile": profile}


def emit_change(slack: "Slack", before: Json, message: Message) -> None:
    """https://docs.slack.dev/reference/events/message/message_changed"""
    ts = slack.workspace.next_ts()
    after = message_object(slack, message)
    if team := after.get("team"):
        after |= {"source_team": team, "user_team": team}
    event = {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "channel": message.channel.id,
        "ts": ts,
        "event_ts": ts,
        "message": after,
        "previous_message": before,
    }
    emit_in_channel(slack, message.channel, event, message.author)


def emit_deletion(slack: "Slack", before: Json, message: Message) -> None:
    """https://docs.slack.dev/reference/events/message/message_deleted"""
    ts = slack.workspace.next_ts()
    event = {
        "type": "message",
        "subtype": "message_deleted",
        "hidden": True,
        "channel": message.channel.id,
        "ts": ts,
        "event_ts": ts,
        "deleted_ts": message.ts,
        "previous_message": before,
    }
    emit_in_channel(slack, message.channel, event, message.author)


def emit_in_channel(slack: "Slack", channel: Channel, event: Json, author: Account | None) -> None:
    """A ``message`` event of any subtype. In a shared channel the envelope's team is the author's."""
    event |= {"channel_type": channel.kind}
    emit(slack, _MESSAGE_EVENTS[channel.kind], event, channel, author)


def emit(
    slack: "Slack", subscription: str, event: Json, channel: Channel | None, author: Account | None = None
) -> None:
    """Send ``event`` if the manifest subscribes to it, a scope allows it and the bot is in the channel."""
    manifest = slack.manifest
    if subscription not in manifest.events or (channel and slack.bot.id not in channel.members):
        return
    scopes = _SCOPES[subscription]
    if scopes and not set(scopes) & set(manifest.scopes):
        return
    slack.outbox.send_event(channel.id if channel else "", _envelope(slack, event, channel, author))


def _envelope(slack: "Slack", event: Json, channel: Channel | None, author: Account | None) -> Json:
    shared = channel is not None and channel.shared
    team = author.team if shared and author else slack.team
    return {
        "token": slack.verification_token,
        "team_id": team.id,
        "context_team_id": slack.team.id,
        "context_enterprise_id": None,
        "api_app_id": slack.workspace.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": new_id("Ev"),
        "event_time": unix_now(),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": slack.team.id,
                "user_id": slack.bot.id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": shared,
        "event_context": f"4-{new_token(40)}",
    }
