"""One message of `tickets.conversation_history.messages[]`, as pure transformations.

Slack delivers edits and deletions twice, late and in any order; whatever the order, the message ends
in the same value. Nothing here changes its arguments. Words are kept as given: `text.clean` comes first.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NotRequired, TypedDict
from uuid import UUID, uuid5

# Part of every message id already kept: never change it.
_MESSAGES = UUID("5f0c1c1e-9a55-4c1b-8b1e-6d3a2c7f4e10")
_END_OF_SECOND = 999_999
_SLACK_TS = re.compile(r"([0-9]{1,11})(?:\.([0-9]{1,6}))?")


class Attachment(TypedDict):
    """A file: `size` in bytes, `url` is Slack's permalink."""

    id: str
    name: str
    mimetype: str
    size: int
    url: str


class Earlier(TypedDict):
    """Words that were replaced, and when (as `timestamp` writes it)."""

    content: str
    replaced_at: str


class Message(TypedDict):
    """One message; a fresh one has exactly the first five keys.

    `id` and `created_by` are uuids, `created_by` of `auth.users`; times are as `timestamp` writes them.
    `edited_at` (when the present words began) and `earlier` (oldest first) come together.
    """

    id: str
    content: str
    created_at: str
    created_by: str
    attachments: list[Attachment]
    edited_at: NotRequired[str]
    earlier: NotRequired[list[Earlier]]
    deleted_at: NotRequired[str]


class Note(TypedDict):
    """One entry of `tickets.internal_notes.notes[]`."""

    id: str
    content: str
    created_at: str
    created_by: str


def message_id(team: str, channel: str, ts: str) -> UUID:
    """The id of the message that Slack knows by (team, channel, ts): the same however often it comes."""
    return uuid5(_MESSAGES, f"{team}/{channel}/{ts}")


def copy_id(ticket: UUID, channel: str, ts: str) -> UUID:
    """The id of the note on that ticket that quotes the message that Slack knows by (channel, ts)."""
    return uuid5(_MESSAGES, f"{ticket}/{channel}/{ts}")


def moment(ts: str) -> datetime:
    """Slack's "1732300000.000100" as an aware UTC datetime, exact to the microsecond.

    ValueError for anything else. https://github.com/slackhq/slack-api-docs/issues/7
    """
    found = _SLACK_TS.fullmatch(ts)
    if found is None:
        raise ValueError(f"not a Slack timestamp: {ts!r}")
    microseconds = int((found[2] or "").ljust(6, "0"))
    return datetime.fromtimestamp(int(found[1]), UTC).replace(microsecond=microseconds)


def timestamp(at: datetime) -> str:
    """ "2024-11-22T18:26:40.000100+00:00", always of this width, so string order is time order.

    ValueError for a datetime without a time zone.
    """
    if at.tzinfo is None:
        raise ValueError("a time without a time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def fresh(
    id: UUID,  # noqa: A002 - the schema's own word
    content: str,
    created_at: datetime,
    created_by: UUID,
    attachments: Sequence[Attachment] = (),
) -> Message:
    """A message that nobody has edited or deleted."""
    return Message(
        id=str(id),
        content=content,
        created_at=timestamp(created_at),
        created_by=str(created_by),
        attachments=list(attachments),
    )


def with_files(content: str, files: Sequence[tuple[str, str]]) -> str:
    """The words of a note, which has no attachments, with its files, each (name, url), in lines below."""
    return "\n".join([content, *(f"{name} {url}".strip() for name, url in files)]).strip()


def edited(message: Message, content: str, at: datetime, *, to_the_second: bool = False) -> Message:
    """The message after an edit that began at `at`; a deleted message stays as it is.

    An older edit that arrives late takes its place in `earlier`. Two edits of one moment cannot be told
    apart by time, so the one whose words sort last counts, in whichever order they came. `at` counts as
    no earlier than the message: Slack's `edited.ts` is in whole seconds.

    `to_the_second`: only the second of the edit is known, as what Slack keeps of a message tells it. It is dated
    at the second's end, and is nothing beside the same edit with its exact time, whichever comes first.
    """
    if "deleted_at" in message:
        return message
    original, edits = _versions(message)
    same = [datetime.fromisoformat(began) for began, words in edits.items() if words == content]
    if to_the_second:
        at = at.replace(microsecond=_END_OF_SECOND)
        if any(_told_of(began, at) for began in same):
            return message
    for began in same:
        if began.microsecond == _END_OF_SECOND and _told_of(at, began):
            del edits[timestamp(began)]
    began_at = max(timestamp(at), message["created_at"])
    edits[began_at] = max(content, edits.get(began_at, content))
    return _composed(message, original, edits)


def is_in(message: Message, content: str, at: datetime, second: datetime) -> bool:
    """Whether an edit told at `at` is in a message that was read back with the words of an edit in that `second`."""
    end = second.replace(microsecond=_END_OF_SECOND)
    return at <= end or (content == _as_of(message, end) and _told_of(at, end))


def preceded(message: Message, content: str, at: datetime, second: datetime) -> Message:
    """A message that was read back with the words of an edit in `second`, when words from before that are found out.

    `content` stood there until `at`. What is the earliest of them stands for the original.
    """
    if "deleted_at" in message:
        return message
    end = second.replace(microsecond=_END_OF_SECOND)
    original, edits = _versions(message)
    if edits and timestamp(at) > min(edits):
        return message
    if not any(datetime.fromisoformat(began) <= end for began in edits):
        edits[timestamp(end)] = original
    return _composed(message, content, edits)


def _as_of(message: Message, end: datetime) -> str:
    """The words at a moment."""
    original, edits = _versions(message)
    began = [at for at in sorted(edits) if datetime.fromisoformat(at) <= end]
    return edits[began[-1]] if began else original


def _told_of(at: datetime, end: datetime) -> bool:
    """Whether what Slack told at `at` may be of the second with this end: Slack tells of it then or in the next."""
    return end - timedelta(seconds=1) < at < end + timedelta(seconds=1)


def deleted(message: Message, at: datetime) -> Message:
    """The message with its words and files gone everywhere; of several deletions the earliest counts."""
    when = timestamp(at)
    return Message(
        id=message["id"],
        content="",
        created_at=message["created_at"],
        created_by=message["created_by"],
        attachments=[],
        deleted_at=min(when, message.get("deleted_at", when)),
    )


def _versions(message: Message) -> tuple[str, dict[str, str]]:
    """The original words, and the words of each edit by when it began."""
    earlier = message.get("earlier", [])
    original, *later = [*(version["content"] for version in earlier), message["content"]]
    return original, dict(zip((version["replaced_at"] for version in earlier), later, strict=True))


def _composed(message: Message, original: str, edits: dict[str, str]) -> Message:
    began = sorted(edits)
    contents = [original, *(edits[at] for at in began)]
    return {
        **message,
        "content": contents[-1],
        "edited_at": began[-1],
        "earlier": [Earlier(content=c, replaced_at=at) for c, at in zip(contents, began, strict=False)],
    }
