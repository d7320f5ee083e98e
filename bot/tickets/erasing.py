"""What people have said, and who they are, is erased: of one person when they ask, of old closed tickets by themselves.

A message or note that is erased becomes what a deletion leaves of it. A ticket that is erased keeps its number, status,
priority, tags, assignees, times and rating, and all of the ledger: no figure changes.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from bot.tickets import history, identity, text
from bot.tickets.words import erasing as say
from storage import erasing, subjects, tickets
from storage.engine import Transaction
from storage.erasing import Line, Outcome, Words
from storage.subjects import Subject

#: Far longer than it takes to lock tickets.
JUST_NOW = dt.timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Erased:
    """`tickets`: those they had asked for. `elsewhere`: others on which they had written, been quoted or mentioned.

    `accounts`: what became of their rows in customers and auth.users, by table.
    """

    tickets: int
    elsewhere: int
    accounts: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)


async def plan(tx: Transaction, subject: Subject) -> Erased:
    """What `erase` would do."""
    theirs = await subjects.tickets_of(tx, subject)
    return Erased(len(theirs), len(set(await erasing.elsewhere(tx, subject)) - set(theirs)))


async def erase(tx: Transaction, subject: Subject) -> Erased:
    """Everything that somebody has said, and who they are. What they say later is said by somebody unknown."""
    for email in subject.emails:
        await identity.one_at_a_time(tx, email)
    theirs, others = await _held(tx, subject)
    await tx.act_as(None, "desk")
    numbers = [one.number for one in await subjects.concerned(tx, subject) if one.asked and one.number]
    for ticket_id in theirs:
        await _empty(tx, ticket_id)
    before = await erasing.places(tx, others)
    for ticket_id in others:
        await _take_out(tx, ticket_id, subject)
    await erasing.unauthored(tx, subject)
    await erasing.keep_places(tx, before)
    await erasing.drop_notices(tx, subject, numbers)
    await erasing.forget_person(tx, subject)
    return Erased(len(theirs), len(others), await erasing.forget_accounts(tx, subject))


async def _held(tx: Transaction, subject: Subject) -> tuple[list[UUID], list[UUID]]:
    """Their tickets and the others on which there is something of theirs, locked, and then themselves.

    What they have written while their tickets were being locked has locked them before: it is seen the second time.
    """
    others = set(await erasing.elsewhere(tx, subject))
    await erasing.hold(tx, list({*await subjects.tickets_of(tx, subject), *others}))
    await erasing.hold_person(tx, subject)
    theirs = set(await subjects.tickets_of(tx, subject))
    others |= set(await erasing.elsewhere(tx, subject, since=tx.now - JUST_NOW))
    held = await erasing.hold(tx, list(theirs | others))
    return [one for one in held if one in theirs], [one for one in held if one in others - theirs]


async def forget_if_overdue(tx: Transaction, ticket_id: UUID, retention: dt.timedelta) -> bool:
    """Erases a ticket that was closed longer than `retention` ago; False where it need not, or another desk does."""
    before = tx.now - retention
    if not await erasing.is_overdue(tx, ticket_id, before):
        return False
    await erasing.hold(tx, [ticket_id])
    if not await erasing.is_overdue(tx, ticket_id, before):
        return False
    await tx.act_as(None, "desk")
    await _empty(tx, ticket_id)
    return True


async def _empty(tx: Transaction, ticket_id: UUID) -> None:
    """A ticket's row without words, whoever wrote them: what agents said to and about a customer is about them too."""
    words = await erasing.words(tx, ticket_id)

    def emptied(one: Any) -> Any:
        line = words.lines.get(_id(one))
        return _deleted(one, tx.now, of_agent=line is not None and line.author_role == "agent")

    kept = Words(_each(words.messages, emptied), _each(words.notes, emptied), words.lines)
    await erasing.empty(tx, ticket_id, kept, title=say.TITLE)


async def _take_out(tx: Transaction, ticket_id: UUID, subject: Subject) -> None:
    """What somebody has said on a ticket of others, notes that quote them, and their name where they are mentioned."""
    words, sources = await erasing.words(tx, ticket_id), dict[str, Mapping[str, Any] | None]()
    mention = re.compile(erasing.mention_of(subject) or r"\b\B")
    users = {str(one) for one in subject.user_ids}

    def without(one: Any) -> Any:
        line = words.lines.get(_id(one))
        if line is None:
            return one
        if str(line.created_by) in users or _quotes(line, mention):
            sources[_id(one)] = None
            return _deleted(one, tx.now, of_agent=str(line.created_by) not in users)
        if line.source is None or not mention.search(line.source.get("text", "")):
            return one
        sources[_id(one)] = _unmentioned(line.source, mention, subject)
        return _renamed(one, {*subject.names, *subject.slack_ids})

    kept = Words(_each(words.messages, without), _each(words.notes, without), words.lines)
    if kept != words:
        await erasing.rewrite(tx, ticket_id, kept, sources)
        await _reword(tx, ticket_id, words, kept)


async def _reword(tx: Transaction, ticket_id: UUID, before: Words, after: Words) -> None:
    """Lets title and description follow where they are the words of a message that is another by now."""
    ticket = await tickets.by_id(tx, ticket_id)
    for was, became in zip(before.messages or (), after.messages or (), strict=True):
        if ticket is None or was == became or not was.get("content") or was["content"] != ticket.description:
            continue
        changed = {"description": became["content"]}
        if ticket.title == text.title_from(was["content"]):
            changed["title"] = text.title_from(became["content"]) if became["content"] else say.TITLE
        await tickets.change(tx, ticket_id, **changed)
        return


def _quotes(line: Line, mention: re.Pattern[str]) -> bool:
    """Whether a note quotes them: it begins with who has written the message."""
    source = line.source or {}
    return "copy_of" in source and mention.match(source.get("text", "")) is not None


def _unmentioned(source: Mapping[str, Any], mention: re.Pattern[str], subject: Subject) -> Mapping[str, Any]:
    """What Slack sent, without their id; nor is Slack asked for their name any more."""
    unknown = [one for one in source.get("unknown", []) if one not in subject.slack_ids]
    kept = {name: value for name, value in source.items() if name not in {"unresolved", "unknown"}}
    asking = {"unresolved": True, "unknown": unknown} if unknown else {}
    return kept | asking | {"text": mention.sub(say.SOMEBODY, source["text"])}


def _id(word: Any) -> str:
    return str(word.get("id")).lower() if isinstance(word, dict) else ""


def _each(words: Sequence[Any] | None, change: Any) -> Sequence[Any] | None:
    return None if words is None else [after for one in words if (after := change(one)) is not None]


def _deleted(word: Any, at: dt.datetime, *, of_agent: bool) -> dict[str, Any] | None:
    """As a deletion leaves it, and nobody's where its author is no agent; None for what is no message at all."""
    if not isinstance(word, dict) or "id" not in word:
        return None
    deleted = dict(history.deleted(cast("history.Message", {"created_at": None, "created_by": None, **word}), at))
    return deleted if of_agent else deleted | {"created_by": None}


def _renamed(word: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    # Not the beginning of somebody else's name.
    mention = re.compile(r"@(" + "|".join(re.escape(one) for one in sorted(names, key=len, reverse=True)) + r")(?!\w)")

    def without(words: object) -> str:
        return mention.sub(say.SOMEBODY, str(words))

    renamed = word | {"content": without(word.get("content", ""))}
    if "earlier" in word:
        renamed["earlier"] = [one | {"content": without(one["content"])} for one in word["earlier"]]
    return renamed
