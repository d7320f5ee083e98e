"""Slack's payloads, read into what the operations take.

https://docs.slack.dev/reference/events/message lists the subtypes; those of bots, joins, topics and the like are
nobody's words and give nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.delivery.directory import file_of
from bot.delivery.reading import READ_BACK
from bot.tickets import rich_text, text
from bot.tickets.arrivals import (
    Arrived,
    File,
    MessageArrived,
    MessageDeleted,
    MessageEdited,
    Picked,
    ReactionAdded,
)
from bot.tickets.desk import Desk

SHOWN_OTHERWISE = frozenset({"thread_broadcast", "me_message"})
WORDS = frozenset({None, "file_share"}) | SHOWN_OTHERWISE


def arrived(event: Mapping[str, Any], desk: Desk) -> Arrived | None:
    """A `message` event; None for one that says nothing about a person's words."""
    direct = event.get("channel_type") == "im"
    match event.get("subtype"):
        case "message_changed":
            return _changed(event, desk, direct=direct)
        case "message_deleted":
            return MessageDeleted(channel=event["channel"], ts=event["deleted_ts"], direct=direct, at=str(event["ts"]))
        case subtype if subtype in WORDS and is_a_persons(event, desk):
            return message(event, desk, words=rich_text.words_of(event))
        case _:
            return None


def is_a_persons(event: Mapping[str, Any], desk: Desk) -> bool:
    return bool(event.get("user")) and not event.get("bot_id") and event["user"] != desk.bot_user


def message(event: Mapping[str, Any], desk: Desk, *, words: str, on_request: bool = False) -> MessageArrived:
    thread_ts = event.get("thread_ts")
    return MessageArrived(
        channel=event["channel"],
        ts=event["ts"],
        thread_ts=thread_ts if thread_ts != event["ts"] else None,
        below_desk=event.get("parent_user_id") == desk.bot_user,
        direct=event.get("channel_type") == "im",
        team=team_of(event, desk),
        author=event["user"],
        text=words,
        files=files_of(event),
        on_request=on_request,
        edited=(event.get("edited") or {}).get("ts"),
        subtype=event["subtype"] if event.get("subtype") in SHOWN_OTHERWISE else None,
    )


def picked(body: Mapping[str, Any], desk: Desk) -> Picked:
    """The message of a message shortcut: https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload"""
    message, channel = body["message"], str(body["channel"]["id"])
    thread_ts = message.get("thread_ts")
    by_person = message.get("subtype") in WORDS and is_a_persons(message, desk)
    profile = message.get("bot_profile") or {}
    return Picked(
        channel=channel,
        ts=str(message["ts"]),
        thread_ts=thread_ts if thread_ts != message["ts"] else None,
        team=team_of(message, desk) if by_person else None,
        author=message["user"] if by_person else None,
        called=str(message.get("username") or profile.get("name") or ""),
        text=rich_text.words_of(message),
        files=files_of(message),
    )


def reaction(event: Mapping[str, Any], desk: Desk) -> ReactionAdded | None:
    """A `reaction_added` event; None for one of the desk itself, or to something else than a message:
    https://docs.slack.dev/reference/events/reaction_added
    """
    item = event.get("item") or {}
    if item.get("type") != "message" or event.get("user") in (None, desk.bot_user):
        return None
    return ReactionAdded(
        channel=item["channel"],
        ts=str(item["ts"]),
        user=event["user"],
        name=str(event["reaction"]),
        at=str(event["event_ts"]),
    )


def files_of(event: Mapping[str, Any]) -> tuple[File, ...]:
    """Of a file that was deleted, its id and `mode` are left: https://docs.slack.dev/reference/objects/file-object"""
    return tuple(file_of(file) for file in event.get("files") or () if file.get("mode") != "tombstone")


def team_of(event: Mapping[str, Any], desk: Desk) -> str:
    """The author's team: in a shared channel `user_team` says it, `team` alone may be the workspace's own."""
    return str(event.get("user_team") or event.get("source_team") or event.get("team") or desk.team_id)


def _changed(event: Mapping[str, Any], desk: Desk, *, direct: bool) -> Arrived | None:
    now, before = event["message"], event.get("previous_message") or {}
    if now.get("subtype") == "tombstone":
        return MessageDeleted(channel=event["channel"], ts=now["ts"], direct=direct, at=str(event["ts"]))
    kept = {file.id for file in files_of(now)}
    gone = tuple(file.id for file in files_of(before) if file.id not in kept)
    same = rich_text.words_of(now) == rich_text.words_of(before)
    if now.get("bot_id") or now.get("subtype") not in WORDS or (same and not gone):
        return None
    return MessageEdited(
        channel=event["channel"],
        ts=now["ts"],
        direct=direct,
        at=str(event["ts"]),
        text=None if same else _recorded(now, desk),
        to_the_second=READ_BACK in event,
        previous=_recorded(before, desk) if before else None,
        gone=gone,
    )


def _recorded(message: Mapping[str, Any], desk: Desk) -> str:
    """A message's words; a request that began with the desk's mention was recorded without it."""
    words = rich_text.words_of(message)
    return text.first_mention(words, desk.bot_user) or words
