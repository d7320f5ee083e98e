"""What Slack shows of a conversation beside what the desk knows of it: the difference, as the events that told it.

https://docs.slack.dev/reference/methods/conversations.history
https://docs.slack.dev/reference/methods/conversations.replies
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.tickets import rich_text, text
from bot.tickets.desk import Desk
from storage.catch_up import Conversation, Known, Thread

#: In an event that was made of what was read: its time is as exact as what Slack keeps.
READ_BACK = "read_back"
TOMBSTONE = "tombstone"


@dataclass(frozen=True, slots=True)
class Event:
    """`ts`: the message's, not the event's. `payload`: as Slack sends a `message` event."""

    kind: Literal["message", "edit", "deletion"]
    ts: str
    payload: Mapping[str, Any]


@dataclass
class Read:
    """A conversation as Slack shows it up to `read_to` (a Slack ts), and what was known of it before Slack was asked.

    `whole`: Slack has shown all that there is. `messages`: by ts; of threads, those of the roots in `complete`.
    `threads`: what Slack says of each thread.
    """

    conversation: Conversation
    desk: Desk
    read_to: str
    known: Mapping[str, Known]
    listed: Iterable[Mapping[str, Any]]
    whole: bool
    messages: dict[str, Mapping[str, Any]] = field(init=False)
    threads: dict[str, Thread] = field(init=False)
    complete: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.messages = {message["ts"]: message for message in self.listed}
        self.threads = {
            ts: Thread(message["latest_reply"], message["reply_count"])
            for ts, message in sorted(self.messages.items())
            if message.get("reply_count") and message.get("latest_reply")
        }

    @property
    def channel(self) -> str:
        return self.conversation.channel

    def add_thread(self, root: str, messages: Iterable[Mapping[str, Any]], *, whole: bool) -> None:
        if whole:
            self.complete.add(root)
        self.messages |= {message["ts"]: message for message in messages if message["ts"] not in self.messages}


def moved(
    read: Read,
    known: Mapping[str, Thread],
    before: Mapping[str, Thread],
    of_tickets: Collection[str],
    *,
    after_gap: bool,
) -> list[str]:
    """The roots of threads in which something may have happened that the desk does not know of, oldest first.

    `known`: what the desk knows to be there; `before`: what Slack said when they were last read. More replies than are
    known may be those of bots, which the desk does not keep, but also one that was missed before the newest. In a
    triage channel only the threads of cards matter.

    `after_gap`: events may have been lost, and what is known can look right all the same, with one reply missed and the
    deletion of another.
    """
    return [
        root
        for root, thread in read.threads.items()
        if thread != before.get(root)
        and (read.conversation.kind != "triage" or root in of_tickets)
        # The newest may be known, and one before it not.
        and (after_gap or thread != known.get(root))
    ]


def vanished(read: Read) -> list[str]:
    """Roots that are gone with their threads: one that has replies left stays as a tombstone."""
    answered = {one.thread_ts for one in read.known.values() if one.thread_ts != one.ts and not one.deleted}
    return [one.ts for one in _absent(read) if one.thread_ts == one.ts and one.ts in answered]


def settled(read: Read) -> dict[str, Thread]:
    """The threads that need not be read again until Slack says something else of them."""
    return {
        root: thread
        for root, thread in read.threads.items()
        if root in read.complete and thread.latest_reply <= read.read_to
    }


def replies(read: Read, roots: Collection[str]) -> list[tuple[str, str]]:
    """What Slack has shown in threads: (root, ts)."""
    return [
        (root, ts)
        for ts, message in read.messages.items()
        if (root := message.get("thread_ts", ts)) != ts and root in roots
    ]


def unknown(read: Read) -> dict[str, Event]:
    """Messages that the desk does not know, by ts. At the top of a triage channel only commands matter.

    What stood at the top of a channel when it was read last was not missed since: its ticket was deleted, or it was
    not for the desk as things were then.
    """
    return {
        ts: Event("message", ts, {**message, "channel": read.channel, "channel_type": _channel_type(read)})
        for ts, message in read.messages.items()
        if ts not in read.known and ts <= read.read_to and not _is_a_bots(read, message) and _matters(read, message)
    }


def _is_a_bots(read: Read, message: Mapping[str, Any]) -> bool:
    """Of the desk's own, the files that it has shared need not say which bot shared them."""
    return bool(message.get("bot_id")) or message.get("user") == read.desk.bot_user


def _matters(read: Read, message: Mapping[str, Any]) -> bool:
    if message.get("thread_ts", message["ts"]) != message["ts"]:
        return True
    return message["ts"] > read.conversation.since and (
        read.conversation.kind != "triage"
        or text.first_mention(str(message.get("text") or ""), read.desk.bot_user) is not None
    )


def edited(read: Read) -> dict[str, Event]:
    """Messages that the desk knows and that somebody has edited at some time, by ts."""
    return {
        ts: Event("edit", ts, _changed(read, message, message["edited"]["ts"]) | {READ_BACK: True})
        for ts, message in read.messages.items()
        if ts in read.known and message.get("edited") and _second_over(message["edited"]["ts"], read.read_to)
    }


def _second_over(edited_ts: str, read_to: str) -> bool:
    """`edited.ts` has whole seconds: https://docs.slack.dev/reference/events/message/message_changed"""
    return int(edited_ts.partition(".")[0]) < int(read_to.partition(".")[0])


def says(read: Read, event: Event, words: str | None) -> bool:
    """Whether these are the words after the edit; of a request that began with the desk's mention, without it."""
    shown = rich_text.words_of(event.payload["message"])
    return words is not None and words in (shown, text.first_mention(shown, read.desk.bot_user))


def deleted(read: Read, at: str) -> list[Event]:
    """Deletions, at the moment of reading: tombstones, and what Slack does not show any more."""
    return [
        *(
            Event("deletion", ts, _changed(read, message, at))
            for ts, message in read.messages.items()
            if message.get("subtype") == TOMBSTONE and ts in read.known and not read.known[ts].deleted
        ),
        *(Event("deletion", one.ts, _gone(read, one.ts, at)) for one in _absent(read)),
    ]


def _absent(read: Read) -> list[Known]:
    """Messages that are known and that Slack did not show, though it showed older ones of the same company.

    Older than these they may be hidden by retention, which each company in a shared channel sets for its own:
    https://slack.com/help/articles/115004152843
    """
    oldest: dict[str, str] = {}
    for ts, message in sorted(read.messages.items(), reverse=True):
        oldest[_team(read, message)] = ts
    return [
        one
        for ts, one in read.known.items()
        if not one.deleted
        and ts not in read.messages
        and ts <= read.read_to
        and ((read.whole and one.thread_ts == ts) or one.thread_ts in read.complete)
        and one.team in oldest
        and oldest[one.team] < ts
    ]


def _team(read: Read, message: Mapping[str, Any]) -> str:
    if message.get("subtype") == TOMBSTONE:
        return ""
    return str(message.get("user_team") or message.get("source_team") or message.get("team") or read.desk.team_id)


def _changed(read: Read, message: Mapping[str, Any], at: str) -> dict[str, Any]:
    return _about(read, "message_changed", at) | {"message": message}


def _gone(read: Read, ts: str, at: str) -> dict[str, Any]:
    return _about(read, "message_deleted", at) | {"deleted_ts": ts}


def _about(read: Read, subtype: str, at: str) -> dict[str, Any]:
    return {
        "type": "message",
        "subtype": subtype,
        "hidden": True,
        "channel": read.channel,
        "channel_type": _channel_type(read),
        "ts": at,
    }


def _channel_type(read: Read) -> str:
    return "im" if read.conversation.kind == "direct" else "channel"
