"""What is answered to one person, privately."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import slackblocks as slack

from bot.blocks.ids import Action
from bot.blocks.parts import (
    NAME,
    actions,
    button,
    by_way,
    context,
    facts,
    field_of,
    header,
    mention,
    name_of,
    on_it,
    section,
    some,
    stars,
    tags_of,
    title_of,
)
from bot.blocks.surface import Message, address, clip, date, escape, message, one_line, words
from bot.blocks.surface import link as linked
from bot.blocks.words import answers as say
from bot.blocks.words import common
from bot.tickets.grammar import VERBS, Verb
from bot.tickets.listing import Shown, ShownToAgent
from bot.tickets.views import Recovered, Row
from storage.listing import PAGE
from storage.tickets import Ticket, Written

#: Of a ticket in full, the newest part: so many entries, so many characters of each, so many of all.
MESSAGES = (20, 1_200, 5_000)
NOTES = (8, 500, 1_200)
FIELDS, FIELD = 10, 120
DESCRIPTION = 800
#: Conversations that are named where something was read back.
LISTED = 30


def sentence(text: str) -> Message:
    """`text` is mrkdwn in which what people typed is escaped."""
    return message(text, words(text))


def opened(number: int, title: str, link: str | None) -> Message:
    """What somebody has asked for is a ticket now. `title` is plain text."""
    return sentence(say.opened(ticket=_named(number, link), title=escape(title_of(title))))


def opened_already(number: int, link: str | None) -> Message:
    return sentence(say.opened_already(ticket=_named(number, link)))


def _named(number: int, link: str | None) -> str:
    return linked(link, f"#{number}")


def held(ticket: Ticket, undo: dt.timedelta) -> Message:
    """A reply was taken, and what becomes of it. `undo`: how long it can be taken back."""
    way = None if ticket.channel else by_way(ticket.source_channel)
    return sentence(say.held(number=ticket.number, way=way, seconds=undo.total_seconds()))


def page(rows: Sequence[Row], *, heading: str, more: str | None) -> Message:
    """A page of a list. `heading` is plain text; `more` is the value of *More*, None on the last page."""
    title = header("heading", one_line(heading) or say.TICKETS)
    if not rows:
        return message(say.empty(escape(one_line(heading))), [title, section("empty", say.NOTHING_HERE)])
    shown = [_row(row) for row in rows[:PAGE]]
    blocks: list[slack.Block] = [title, *(section(f"row:{at}", said) for at, said in enumerate(shown, 1))]
    if len(rows) > PAGE:
        blocks.append(context("rest", common.and_more(len(rows) - PAGE)))
    if more is not None:
        blocks.append(actions("more", button(say.MORE, Action.MORE, more, spoken=say.MORE_SPOKEN)))
    return message("\n".join([escape(one_line(heading)), *shown]), blocks)


def _row(row: Row) -> str:
    ticket = row.ticket
    title = linked(row.link, f"#{ticket.number} {clip(escape(title_of(ticket.title)), 160)}")
    urgent = common.PRIORITY[ticket.priority] if ticket.priority == "high" else None
    who = (common.from_(name_of(row.requester)), on_it(row.assignees, most=3) or common.UNASSIGNED)
    return f"{title}\n{facts([common.STATUS[ticket.status], urgent, *who, date(ticket.last_activity_at)])}"


def shown(view: Shown, *, link: str | None) -> Message:
    """A whole ticket; of a long conversation the newest part. Notes stand apart, where there are any."""
    ticket = view.ticket
    about = _about(view)
    url = address(link)
    opens = button(say.OPEN_THREAD, Action.OPEN_TICKET, str(ticket.number), url=url) if url else None
    written = view.notes if isinstance(view, ShownToAgent) else ()
    talk, notes = _newest(view.messages, view.names, *MESSAGES), _newest(written, view.names, *NOTES)
    description = clip(_description(view), DESCRIPTION)
    blocks: list[slack.Block] = [
        header("title", f"#{ticket.number}  {title_of(ticket.title)}"),
        section("ticket", about, opens),
        *words(description, block_id="description"),
        *_entries("message", talk, len(view.messages) - len(talk)),
    ]
    said = [f"#{ticket.number} {escape(title_of(ticket.title))}", about, description, *talk]
    if notes:
        blocks += [slack.DividerBlock("notes"), context("internal", say.NOTES)]
        blocks += _entries("note", notes, len(written) - len(notes))
        said += [say.NOTES, *notes]
    return message("\n".join(filter(None, said)), blocks)


def _about(view: Shown) -> str:
    ticket, names = view.ticket, view.names
    inside = ticket if isinstance(view, ShownToAgent) else None
    rating = (ticket.feedback or {}).get("rating")
    status = common.status(ticket.status, not_a_ticket=inside is not None and inside.not_a_ticket)
    requester = names.get(ticket.requester) if ticket.requester else None
    priority = common.PRIORITY[inside.priority] if inside else None
    lines: list[list[str | None]] = [
        [status, priority, common.rated(stars(rating)) if rating else None],
        [
            common.requester(name_of(requester or ticket.customer_email or "")),
            on_it([names.get(one, "") for one in ticket.assigned_to]) or common.UNASSIGNED,
        ],
        [
            common.opened(date(ticket.created_at)),
            common.closed(date(ticket.closed_at)) if ticket.closed_at and ticket.status == "closed" else None,
            common.last_activity(date(ticket.last_activity_at)),
        ],
        [tags_of(inside.tags) if inside else None],
        [field_of(name, value, FIELD) for name, value in list(inside.custom_fields.items())[:FIELDS]] if inside else [],
    ]
    return "\n".join(line for line in map(facts, lines) if line)


def _description(view: Shown) -> str:
    """The description, where it is not said in the conversation anyway."""
    said = {str(one.word.get("content")) for one in view.messages}
    return "" if view.ticket.description in said else escape(view.ticket.description)


def _newest(written: Sequence[Written], names: Mapping[UUID, str], most: int, longest: int, room: int) -> list[str]:
    """The newest entries that there is room for, oldest first."""
    entries: list[str] = []
    for one in reversed(written[-most:]):
        entry = _entry(one, names, longest)
        room -= len(entry)
        if room < 0:
            break
        entries.append(entry)
    return entries[::-1]


def _entry(one: Written, names: Mapping[UUID, str], longest: int) -> str:
    word = one.word
    author = {str(known): name for known, name in names.items()}.get(str(word.get("created_by")))
    edited = common.EDITED if "edited_at" in word else None
    head = facts([f"*{name_of(author or common.UNNAMED[one.author_role])}*", _moment(word), edited])
    content = escape(str(word.get("content") or "")).strip()
    if "deleted_at" in word:
        content = common.DELETED
    files = some([_file(file) for file in word.get("attachments") or []], most=3)
    return clip(
        "\n".join(part for part in (head, content or (common.NO_WORDS if not files else ""), files) if part), longest
    )


def _file(file: Mapping[str, Any]) -> str:
    name = clip(escape(one_line(str(file.get("name") or common.FILE))), NAME)
    return f"📎 {linked(str(file.get('url') or ''), name)}"


def _moment(word: Mapping[str, Any]) -> str | None:
    """None for a time that another program wrote and that is none."""
    try:
        at = dt.datetime.fromisoformat(str(word.get("created_at")))
        return date(at if at.tzinfo else at.replace(tzinfo=dt.UTC))
    except (ValueError, OverflowError):
        return None


def _entries(kind: Literal["message", "note"], entries: Sequence[str], earlier: int) -> list[slack.Block]:
    left_out = [context(f"{kind}:earlier", say.earlier(kind, count=earlier))]
    said = [section(f"{kind}:{at}", entry) for at, entry in enumerate(entries, 1)]
    return [*(left_out if earlier else []), *said]


def help(agent: bool, *, has_command: bool = True) -> Message:  # noqa: A001 - the verb's own name
    """The verbs that an agent, or a customer, may use. `has_command`: members of another company have no `/ticket`."""
    verbs = [verb for verb in VERBS.values() if agent or not verb.agents_only]
    intro = say.INTRO if has_command else say.INTRO_WITHOUT_COMMAND
    listed = "\n".join(_verb(verb, agent=agent) for verb in verbs if has_command or verb is not VERBS["new"])
    return message(f"{intro}\n{listed}", [section("help", intro), *words(listed, block_id="verbs")])


def _verb(verb: Verb, *, agent: bool) -> str:
    if not agent and verb.usage_for_customers:
        return say.verb(escape(verb.usage_for_customers), escape(verb.does_for_customers), example=None)
    example = escape(verb.typed) if agent and verb.typed != verb.usage else None
    return say.verb(escape(verb.usage), escape(verb.does), example=example)


def closed(number: int, sent: int) -> str:
    """`sent`: how many replies were held when the ticket was closed, and went out first."""
    return say.closed(number=number, sent=sent)


def solved(number: int, sent: int) -> Message:
    """To the requester who closed their ticket while answers were on their way to them."""
    return sentence(say.solved(number=number, sent=sent))


def agent_left(slack_id: str, returned: Sequence[Ticket], why: str) -> Message:
    """Said in triage when an agent is one no more: which tickets are unassigned, or one fewer's, now.

    `why` goes on after the agent's name: "has left this channel".
    """
    listed = some([f"#{ticket.number} {clip(escape(title_of(ticket.title)), 80)}" for ticket in returned], most=20)
    return sentence(say.agent_left(agent=mention(slack_id), why=why, tickets=listed))


def read_back(missed: Sequence[Recovered]) -> Message:
    """Said in triage after events did not reach the desk: how much it has read back, and what cannot be."""
    listed = [_recovered(one) for one in missed[:LISTED]]
    return sentence(say.read_back(listed, more=max(0, len(missed) - LISTED)))


def _recovered(one: Recovered) -> str:
    where = f"<#{one.channel}>" if one.channel else say.A_DIRECT_MESSAGE
    return say.recovered(where, messages=one.messages, edits=one.edits, deletions=one.deletions)
