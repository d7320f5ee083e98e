"""What changes a conversation, whoever does it: post, edit, delete, react, join. Each tells the app."""

from typing import TYPE_CHECKING, Any

from bot.sandbox import events
from bot.sandbox.shapes import message_object
from bot.sandbox.workspace import Account, Channel, File, Message

if TYPE_CHECKING:
    from bot.sandbox.slack import Slack

TOMBSTONE = "This message was deleted."


def publish(slack: "Slack", message: Message) -> Message:
    """Put a message where it belongs. An ephemeral one is shown to its one reader and to nobody else."""
    if message.only_for:
        message.channel.ephemerals.append(message)
    else:
        message.channel.add(message)
        events.emit_message(slack, message)
    return message


def thread_of(channel: Channel, thread_ts: str | None) -> str | None:
    """The root that a reply to ``thread_ts`` really goes to; None puts it in the channel itself.

    A reply to a message that is gone lands in the channel:
    https://github.com/slackapi/python-slack-events-api/issues/87
    """
    if thread_ts is None or (root := channel.posts.get(thread_ts)) is None:
        return None
    return root.thread_ts if root.is_reply else root.ts


def change(slack: "Slack", message: Message, **values: Any) -> None:
    """Set fields of a message and send ``message_changed``."""
    before = message_object(slack, message)
    for name, value in values.items():
        setattr(message, name, value)
    events.emit_change(slack, before, message)


def remove(slack: "Slack", message: Message) -> None:
    """Delete a message. A thread's root leaves a tombstone while it has replies, and its last reply takes the
    tombstone along: https://github.com/slack-edge/slack-edge/pull/10"""
    channel = message.channel
    if channel.replies(message.ts) and not message.is_tombstone:
        _bury(slack, message)
        return
    before = message_object(slack, message)
    channel.drop(message)
    events.emit_deletion(slack, before, message)
    root = channel.posts.get(message.thread_ts) if message.is_reply and message.thread_ts else None
    if root and root.is_tombstone and not channel.replies(root.ts):
        remove(slack, root)


def delete_file(slack: "Slack", file: File) -> None:
    """Delete a file; what showed it shows that it was deleted: https://docs.slack.dev/reference/methods/files.delete"""
    showing = [m for c in slack.workspace.channels.values() for m in c.posts.values() if file in m.files]
    before = [message_object(slack, message) for message in showing]
    file.deleted, file.content = True, b""
    for message, earlier in zip(showing, before, strict=True):
        events.emit_change(slack, earlier, message)


def _bury(slack: "Slack", message: Message) -> None:
    change(
        slack,
        message,
        subtype="tombstone",
        text=TOMBSTONE,
        blocks=[],
        attachments=[],
        files=[],
        reactions={},
        metadata=None,
        edited=None,
        username=None,
        icons={},
        client_msg_id=None,
        extra={},
    )


def react(slack: "Slack", message: Message, person: Account, name: str) -> None:
    message.reactions.setdefault(name, []).append(person.id)
    _tell_reaction(slack, "reaction_added", message, person, name)


def unreact(slack: "Slack", message: Message, person: Account, name: str) -> None:
    message.reactions[name].remove(person.id)
    if not message.reactions[name]:
        del message.reactions[name]
    _tell_reaction(slack, "reaction_removed", message, person, name)


def _tell_reaction(slack: "Slack", event: str, message: Message, person: Account, name: str) -> None:
    """https://docs.slack.dev/reference/events/reaction_added"""
    payload = {
        "type": event,
        "user": person.id,
        "reaction": name,
        "item": {"type": "message", "channel": message.channel.id, "ts": message.ts},
        "event_ts": slack.workspace.next_ts(),
    }
    # A message that is not by a user, such as one under another name, has no item_user.
    if author := message_object(slack, message).get("user"):
        payload["item_user"] = author
    events.emit(slack, event, payload, message.channel)


def join(slack: "Slack", channel: Channel, person: Account, inviter: Account | None) -> None:
    """https://docs.slack.dev/reference/events/member_joined_channel, and the ``channel_join`` message."""
    channel.members.append(person.id)
    extra = {"inviter": inviter.id} if inviter else {}
    _tell_member(slack, "member_joined_channel", channel, person, extra)
    _notice(slack, channel, person, "joined", extra)


def leave(slack: "Slack", channel: Channel, person: Account) -> None:
    """https://docs.slack.dev/reference/events/member_left_channel. The app itself, once out, hears only
    ``channel_left`` or ``group_left``."""
    if person is slack.bot:
        event = "group_left" if channel.private else "channel_left"
        payload = {"type": event, "channel": channel.id, "event_ts": slack.workspace.next_ts()}
        events.emit(slack, event, payload, channel)
        channel.members.remove(person.id)
        return
    channel.members.remove(person.id)
    _tell_member(slack, "member_left_channel", channel, person, {})
    _notice(slack, channel, person, "left", {})


def _tell_member(slack: "Slack", event: str, channel: Channel, person: Account, extra: dict[str, Any]) -> None:
    payload = {
        "type": event,
        "user": person.id,
        "channel": channel.id,
        "channel_type": channel.id[0],
        "team": person.team.id,
        "event_ts": slack.workspace.next_ts(),
    }
    events.emit(slack, event, payload | extra, channel)


def _notice(slack: "Slack", channel: Channel, person: Account, verb: str, extra: dict[str, Any]) -> None:
    """The line in the channel that says so."""
    text = f"{person.mention} has {verb} the channel"
    subtype = {"joined": "channel_join", "left": "channel_leave"}[verb]
    publish(slack, Message(slack.workspace.next_ts(), channel, text, person, subtype=subtype, extra=extra))
