"""The model against the tables and the channels: what is lost, doubled, out of order, out of date or in sight."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from bot.sandbox import Channel, Message
from bot.tickets.history import message_id
from tests.chaos.people import NUMBER, WORD, Said, Town

#: What the desk hears between reading what is to be shown and beginning to show it is shown afterwards.
OVERTAKING = dt.timedelta(seconds=1)

Row = dict[str, Any]


@dataclass
class Findings:
    """One sentence for each thing that is not as it should be."""

    lost: list[str] = field(default_factory=list)
    doubled_in_tables: list[str] = field(default_factory=list)
    doubled_in_slack: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    in_sight: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    #: Edits and deletions in threads where nothing else was missed: these are not read, and no promise is broken.
    unread: int = 0

    @property
    def kinds(self) -> dict[str, list[str]]:
        return {kind: found for kind, found in vars(self).items() if isinstance(found, list)}

    @property
    def all(self) -> list[str]:
        return [sentence for kind in self.kinds.values() for sentence in kind]


async def check(town: Town, sql: asyncpg.Connection) -> Findings:
    """Once everything is at rest."""
    findings = Findings()
    tables = await _Tables.read(sql)
    slack = _Slack(town)
    heard = _heard(town)
    findings.unread = _leave_unread(town, tables, heard)
    _tickets(town, tables, heard, findings)
    _posts(town, tables, slack, findings)
    _mirrors(town, tables, slack, findings)
    _secrets(town, tables, slack, findings)
    _order(tables, slack, findings)
    return findings


def _count(found: int, wanted: int, what: str, doubled: list[str], lost: list[str]) -> None:
    if found > wanted:
        doubled.append(f"{what} is there {found} times, not {wanted}")
    elif found < wanted:
        lost.append(f"{what} is there {found} times, not {wanted}")


class _Tables:
    """What PostgreSQL holds. `entries`: every message and note, by ticket's number."""

    def __init__(self, tickets: list[Row], posted: list[Row], notices: list[Row], rest: list[str]) -> None:
        self.tickets = tickets
        self.posted = posted
        self.notices = {str(row["id"]): row for row in notices}
        self.everything = [json.dumps(row, default=str) for row in [*tickets, *notices]] + rest
        self.by_root = {(row["channel"], row["root_ts"]): row for row in tickets}
        self.by_number = {row["number"]: row for row in tickets}
        self.by_id: dict[str, list[tuple[int, str, Row]]] = defaultdict(list)
        self.by_words: dict[str, list[tuple[int, str, Row]]] = defaultdict(list)
        for row in tickets:
            for kind, entries in (
                ("message", row["conversation_history"]["messages"]),
                ("note", row["internal_notes"]["notes"]),
            ):
                for one in entries:
                    self.by_id[one["id"]].append((row["number"], kind, one))
                    self.by_words[one["content"]].append((row["number"], kind, one))

    @classmethod
    async def read(cls, sql: asyncpg.Connection) -> _Tables:
        tickets = await sql.fetch(
            "select d.number, d.channel, d.root_ts, d.closings, t.* from tickets t"
            " join threadesk.desk_tickets d on d.ticket_id = t.id order by d.number"
        )
        posted = await sql.fetch(
            """
            select p.id, p.side, p.slot, p.channel, p.thread_ts, p.ts, p.gone, p.refused, p.attempted_at, d.number,
              m.created_at, pg_xact_commit_timestamp(l.xmin) as heard_at
            from threadesk.posted p join threadesk.desk_tickets d using (ticket_id)
            left join threadesk.messages m on p.slot = 'message:' || m.message_id
            left join threadesk.ledger l on l.ticket_id = p.ticket_id and l.what in ('message', 'note')
              and l.after ->> 'id' = m.message_id::text
            """
        )
        notices = await sql.fetch("select * from threadesk.notices")
        rest = await sql.fetch(
            "select source::text as words from threadesk.messages where source is not null"
            " union all select event::text from threadesk.early union all select words from threadesk.replies"
        )
        return cls(_rows(tickets), _rows(posted), _rows(notices), [row["words"] for row in rest])

    def of(self, said: Said) -> Row | None:
        """The ticket that something was said in."""
        root = said.request.message
        return self.by_root.get((root.channel.id, root.ts)) if root else None


def _rows(found: Iterable[Mapping[str, Any]]) -> list[Row]:
    return [dict(row) for row in found]


class _Slack:
    """What the channels show of the desk."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.bot = town.sandbox.bot
        self.helps = list(town.helps.values())
        self.posts = [one for channel in (town.triage, *self.helps) for one in self.by_bot(channel)]
        self.by_id: dict[str, list[Message]] = defaultdict(list)
        for one in self.posts:
            self.by_id[(one.metadata or {}).get("event_payload", {}).get("id", "")].append(one)

    def by_bot(self, channel: Channel) -> list[Message]:
        return [one for one in channel.posts.values() if one.author is self.bot]

    def below(self, channel: Channel, root_ts: str) -> dict[str, list[Message]]:
        """The desk's messages in a thread, by the words in them."""
        found: dict[str, list[Message]] = defaultdict(list)
        for one in channel.replies(root_ts):
            if one.author is self.bot:
                for word in set(WORD.findall(one.text)):
                    found[word].append(one)
        return found


Heard = Mapping[tuple[str, str], set[str]]
DELETED = ""


def _leave_unread(town: Town, tables: _Tables, heard: Heard) -> int:
    """Takes back in the model what was changed in a thread, never told, and not read back; how often that was."""
    taken_back = 0
    for said in town.said:
        if said.message is None or not said.is_slacks or said.how == "request":
            continue
        told = heard.get((said.message.channel.id, said.message.ts), set())
        key = str(message_id(town.sandbox.team.id, said.message.channel.id, said.message.ts))
        for _, _, entry in tables.by_id[key]:
            if said.deleted and DELETED not in told and "deleted_at" not in entry:
                said.deleted = False
                taken_back += 1
            while entry["content"] in said.versions[:-1] and said.versions[-1] not in told and not said.deleted:
                said.versions.pop()
                taken_back += 1
    return taken_back


def _tickets(town: Town, tables: _Tables, heard: Heard, findings: Findings) -> None:
    known = sum(tables.of(said) is not None for said in town.requests)
    _count(len(tables.tickets), known, "a ticket", findings.doubled_in_tables, findings.lost)
    for said in town.said:
        ticket, root = tables.of(said), said.request.message
        if ticket is None:
            # What has opened it may have been deleted before anybody heard of it.
            told_of = heard.get((root.channel.id, root.ts), set()) if root else set()
            if not said.request.deleted or said.request.versions[0] in told_of:
                findings.lost.append(f"{said.word}: its ticket")
        else:
            told = heard.get((said.message.channel.id, said.message.ts), set()) if said.message else set()
            _entry(town, tables, said, told, ticket, findings)
    for row in tables.tickets:
        times = [one["created_at"] for one in row["conversation_history"]["messages"]]
        if times != sorted(times):
            findings.out_of_order.append(f"#{row['number']}: its conversation")


def _entry(town: Town, tables: _Tables, said: Said, heard: set[str], ticket: Row, findings: Findings) -> None:
    """In the conversation or the notes of its ticket once, in its last version and with its earlier ones.

    `heard`: the versions that the desk was told of.
    """
    if said.is_slacks:
        assert said.message is not None
        key = str(message_id(town.sandbox.team.id, said.message.channel.id, said.message.ts))
        entries = tables.by_id[key]
    else:
        entries = tables.by_words[said.versions[-1]]
    # What is deleted before anybody hears of it cannot be read back.
    certain = said.sure and (not said.deleted or said.versions[0] in heard)
    wanted = 1 if certain else min(1, len(entries))
    what = f"{said.word} ({said.how})"
    _count(len(entries), wanted, what, findings.doubled_in_tables, findings.lost)
    kind = "note" if said.how == "note" else "message"
    for number, found, entry in entries:
        if (number, found) != (ticket["number"], kind):
            findings.wrong.append(f"{what} is a {found} of #{number}, not a {kind} of #{ticket['number']}")
        contents = [*(one["content"] for one in entry.get("earlier", [])), entry["content"]]
        if not (contents == [""] if said.deleted else _tells(contents, said, heard)):
            findings.wrong.append(f"{what} reads {contents}, not {said.versions}{', deleted' * said.deleted}")
        if said.deleted != ("deleted_at" in entry):
            findings.wrong.append(f"{what}: deleted is not {said.deleted}")


def _heard(town: Town) -> Heard:
    """The words of each of Slack's messages (channel, ts) that an event told and the desk acknowledged.

    DELETED for its deletion.
    """
    heard: dict[tuple[str, str], set[str]] = defaultdict(set)
    for delivery in town.sandbox.deliveries:
        if delivery.kind == "event" and delivery.acknowledged and delivery.type == "message":
            event = delivery.payload["event"]
            message = event.get("message", event)
            gone = "deleted_ts" in event or message.get("subtype") == "tombstone"
            words = DELETED if gone else str(message.get("text"))
            heard[event["channel"], event.get("deleted_ts", message["ts"])].add(words)
    return heard


def _tells(contents: list[str], said: Said, heard: set[str]) -> bool:
    """Whether these are the versions. Only the last can be read back; the others are there where they were told."""
    rest = iter(said.versions)
    in_order = all(one in rest for one in contents)
    told = heard & set(said.versions) if said.is_slacks else set(said.versions)
    return in_order and contents[-1] == said.versions[-1] and told <= set(contents)


def _posts(town: Town, tables: _Tables, slack: _Slack, findings: Findings) -> None:
    """Each message of the desk stands in Slack once and in the tables as it does there."""
    posted = {str(row["id"]): row for row in tables.posted}
    for key, messages in slack.by_id.items():
        if key not in posted and key not in tables.notices:
            findings.wrong += [f"nothing accounts for {one.text!r}" for one in messages]
        elif len(messages) > 1:
            findings.doubled_in_slack.append(f"{len(messages)} times: {messages[0].text!r}")
    for key, row in posted.items():
        _post(tables, slack, row, slack.by_id.get(key, []), findings)
    for channel in slack.helps:
        findings.wrong += [
            f"in the open channel: {one.text!r}" for one in channel.top_level() if one.author is slack.bot
        ]
    cards = Counter(int(found[1]) for one in town.triage.top_level() if (found := NUMBER.match(one.text)))
    for row in tables.tickets:
        _count(cards[row["number"]], 1, f"the card of #{row['number']}", findings.doubled_in_slack, findings.lost)


def _post(tables: _Tables, slack: _Slack, row: Row, messages: list[Message], findings: Findings) -> None:
    what = f"#{row['number']} {row['side']} {row['slot']}"
    if row["refused"]:
        vanished = row["side"] == "customer" and not _thread_stands(slack, tables.by_number[row["number"]])
        if row["refused"] != "nobody to tell" and not vanished:
            findings.lost.append(f"{what} was refused: {row['refused']}")
    elif row["ts"] is None:
        if messages or not _overtaken(row["slot"], tables.by_number[row["number"]]):
            findings.lost.append(f"{what} was never sent")
    elif row["gone"] != (not messages):
        findings.wrong.append(f"{what}: gone is {row['gone']}, and Slack has it {len(messages)} times")
    elif messages and (messages[0].channel.id, messages[0].ts) != (row["channel"], row["ts"]):
        findings.wrong.append(f"{what} stands elsewhere than the tables say")


def _overtaken(slot: str, ticket: Row) -> bool:
    """Whether it was the question after a closing that is over: the ticket was opened again before it was asked."""
    kind, _, closing = slot.partition(":")
    return kind == "rating" and (ticket["status"] != "closed" or ticket["closings"] > int(closing))


def _thread_stands(slack: _Slack, ticket: Row) -> bool:
    """Whether the customer's thread still has its root, or a tombstone in its place."""
    return any(channel.id == ticket["channel"] and ticket["root_ts"] in channel.posts for channel in slack.helps)


def _mirrors(town: Town, tables: _Tables, slack: _Slack, findings: Findings) -> None:
    """Each message once where those who did not see it written read it, and in its last version."""
    cards = {row["number"]: row for row in tables.posted if row["slot"] == "card"}
    by_request: dict[str, list[Said]] = defaultdict(list)
    for said in town.said:
        by_request[said.request.word].append(said)
    for request in town.requests:
        ticket = tables.of(request)
        if ticket is None or request.message is None or ticket["number"] not in cards:
            continue
        number, card = ticket["number"], cards[ticket["number"]]
        in_triage = slack.below(town.triage, card["ts"])
        in_thread = slack.below(request.message.channel, request.message.ts)
        stands = _thread_stands(slack, ticket)
        _statuses(request, ticket, tables, findings, stands=stands)
        for said in by_request[request.word]:
            recorded = bool(tables.by_words[said.versions[-1]])
            mirrored = said.how != "note" or not said.is_slacks
            _shown(said, in_triage, f"triage, #{number}", findings, wanted=mirrored and recorded)
            wanted = said.how == "reply" and recorded and stands
            _shown(said, in_thread, f"the customer's thread of #{number}", findings, wanted=wanted)
        known = {said.word for said in by_request[request.word]}
        if strangers := (in_triage.keys() | in_thread.keys()) - known:
            findings.wrong.append(f"#{number} shows words of other tickets: {sorted(strangers)}")


def _shown(said: Said, shown: dict[str, list[Message]], where: str, findings: Findings, *, wanted: bool) -> None:
    messages = shown.get(said.word, [])
    _count(len(messages), int(wanted), f"{said.word} ({said.how}) in {where}", findings.doubled_in_slack, findings.lost)
    findings.wrong += [
        f"{said.word} in {where} reads {one.text!r}, not {said.versions[-1]!r}"
        for one in messages
        if said.versions[-1] not in one.text
    ]


def _statuses(request: Said, ticket: Row, tables: _Tables, findings: Findings, *, stands: bool) -> None:
    """One status message in each thread, and the question how it went below what is closed."""
    assert request.message is not None
    number = ticket["number"]
    below = request.message.channel.replies(request.message.ts)
    statuses = [one for one in below if one.text.startswith(f"Ticket #{number} ")]
    if stands:
        _count(len(statuses), 1, f"the status of #{number}", findings.doubled_in_slack, findings.lost)
    asked = [one for one in below if f"ticket #{number}?" in one.text]
    if len(asked) > ticket["closings"]:
        findings.doubled_in_slack.append(f"#{number} asks {len(asked)} times after {ticket['closings']} closings")
    if stands and ticket["status"] == "closed" and not asked:
        findings.lost.append(f"#{number} is closed and does not ask how it went")


def _secrets(town: Town, tables: _Tables, slack: _Slack, findings: Findings) -> None:
    """Notes are nowhere where customers look, deleted words nowhere at all."""
    notes = {said.word for said in town.said if said.how == "note"}
    for channel in slack.helps:
        shown = _words_of([*channel.posts.values(), *channel.ephemerals])
        findings.in_sight += [f"the note {word} is in #{channel.name}" for word in sorted(notes & shown)]
    deleted = {said.word for said in town.said if said.deleted}
    kept = set(WORD.findall("\n".join(tables.everything))) & deleted
    findings.in_sight += [f"{word} was deleted and is in the tables" for word in sorted(kept)]
    shown = _words_of(slack.posts) & deleted
    findings.in_sight += [f"{word} was deleted and is in Slack" for word in sorted(shown)]


def _words_of(messages: Iterable[Message]) -> set[str]:
    return {word for one in messages for word in WORD.findall(f"{one.text} {json.dumps(one.blocks)}")}


def _order(tables: _Tables, slack: _Slack, findings: Findings) -> None:
    """A message stands after those written before it, unless the desk heard of them when it was on its way already."""
    threads: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in tables.posted:
        if row["ts"] and row["heard_at"]:
            threads[row["number"], row["side"]].append(row)
    for (number, side), rows in threads.items():
        rows.sort(key=lambda row: row["ts"])
        for first, second in itertools.combinations(rows, 2):
            heard_in_time = second["heard_at"] < first["attempted_at"] - OVERTAKING
            if first["created_at"] > second["created_at"] and heard_in_time:
                findings.out_of_order.append(f"#{number} {side}: {second['slot']} stands after {first['slot']}")
