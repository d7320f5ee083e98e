"""The life of a ticket and who may do what to it: both tables of the product, through the operations, in PostgreSQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pytest

from bot.tickets import conversation, digest, emails, imports, listing, work
from bot.tickets.arrivals import MessageArrived, Picked
from bot.tickets.desk import Desk
from bot.tickets.errors import Refused
from bot.tickets.permissions import Operation
from storage import channels, people, replies, tickets
from storage import emails as storage_emails
from storage.engine import Database, Transaction
from storage.people import Kind, Person, Profile
from storage.tickets import Ticket

ACME, GLOBEX = "T-ACME", "T-GLOBEX"
HELP, TRIAGE, ELSEWHERE = "C-HELP", "C-TRIAGE", "C-ELSEWHERE"
REOPEN_DAYS = 30
DESK = Desk(
    team_id=ACME,
    team_url="https://acme.slack.com/",
    bot_user="U-DESK",
    digest_channel=None,
    undo=dt.timedelta(0),
    grouping=dt.timedelta(0),
    reopening=dt.timedelta(days=REOPEN_DAYS),
)

#: Slack id: (team, kind, triage channel). Gus is a guest whom somebody has invited to triage.
PEOPLE: dict[str, tuple[str, Kind, str | None]] = {
    "Grace": (ACME, "member", TRIAGE),
    "Linus": (ACME, "member", TRIAGE),
    "Marie": (ACME, "member", ELSEWHERE),
    "Gus": (ACME, "guest", TRIAGE),
    "Ben": (ACME, "member", None),
    "Ada": (GLOBEX, "external", None),
    "Bob": (GLOBEX, "external", None),
}


@dataclass
class Room:
    """A support channel, two triage channels and the people above. A second passes with each act.

    `number`: the ticket that acts are about. `root`: its thread.
    """

    database: Database
    sql: asyncpg.Connection
    now: dt.datetime = dt.datetime(2026, 5, 4, 9, tzinfo=dt.UTC)
    desk: Desk = DESK
    number: int = 0
    root: str = ""

    async def furnish(self) -> None:
        async with self.database.transaction(self.now) as tx:
            for channel in (TRIAGE, ELSEWHERE):
                await channels.choose_triage(tx, channel, channel.lower(), suspended=None)
                members = [(team, name) for name, (team, _, where) in PEOPLE.items() if where == channel]
                await channels.set_members(tx, channel, members)
            await channels.choose_support(tx, HELP, "help", TRIAGE)
            for name, (team, kind, _) in PEOPLE.items():
                await people.meet(tx, team, name)
                await people.learn(tx, Profile(team, name, kind, name, None, None, None, is_admin=False))

    async def does(self, who: str, act: Callable[[Transaction, Person], Awaitable[Any]]) -> Any:
        self.now += dt.timedelta(seconds=1)
        async with self.database.transaction(self.now) as tx:
            return await act(tx, await people.meet(tx, PEOPLE[who][0], who))

    async def writes(self, who: str, words: str, *, at: dt.datetime | None = None, days: float = 0) -> None:
        """In the ticket's thread, of which the first message is the root. `at`: written then, arrived only now."""
        self.now += dt.timedelta(days=days, seconds=1)
        ts = f"{(at or self.now).timestamp():.6f}"
        team = PEOPLE[who][0]
        async with self.database.transaction(self.now) as tx:
            message = MessageArrived(
                channel=HELP, ts=ts, thread_ts=self.root or None, team=team, author=who, text=words
            )
            await conversation.take_in(tx, self.desk, message)
        self.root = self.root or ts

    async def brought_to(self, state: str) -> None:
        """Another ticket of Ada's, in one of the STATES."""
        self.number, self.root = self.number + 1, ""
        await self.writes("Ada", "The export fails")
        for act in STATES[state]:
            await act(self)
        assert await self.state() == state

    async def ticket(self) -> Ticket:
        async with self.database.transaction(self.now) as tx:
            found = await tickets.by_number(tx, self.number)
        assert found is not None
        return found

    async def state(self) -> str:
        """ "open GL": the status, and the first letters of who has it."""
        ticket = await self.ticket()
        async with self.database.transaction(self.now) as tx:
            known = await people.with_user_ids(tx, ticket.assigned_to)
        letters = "".join(known[one].slack_id[0] for one in ticket.assigned_to)
        return f"{ticket.status} {letters}".strip()

    async def words(self) -> list[str]:
        ticket = await self.ticket()
        async with self.database.transaction(self.now) as tx:
            written = await tickets.conversation(tx, ticket.id, notes=False)
        return [one.word["content"] for one in written]

    async def everything(self) -> list[Any]:
        """What a refused operation must leave as it was."""
        tables = ("public.tickets", "threadesk.desk_tickets", "threadesk.replies", "threadesk.ledger")
        return [await self.sql.fetch(f"select t::text from {table} t order by 1") for table in tables]


@pytest.fixture
async def room(database: Database, sql: asyncpg.Connection) -> Room:
    room = Room(database, sql)
    await room.furnish()
    return room


Act = Callable[[Room], Awaitable[Any]]


def by(who: str, operation: Callable[..., Awaitable[Any]], *arguments: Any, desk: bool = False) -> Act:
    """An operation of `bot.tickets.work` on the ticket."""
    before = (DESK,) if desk else ()
    return lambda room: room.does(who, lambda tx, person: operation(tx, *before, person, room.number, *arguments))


def says(who: str, words: str, *, days: float = 0) -> Act:
    return lambda room: room.writes(who, words, days=days)


async def linus_replies_from_triage(room: Room) -> None:
    await by("Linus", work.reply, "Try again", desk=True)(room)
    ticket = await room.ticket()
    await room.does("Linus", lambda tx, _: work.send_due_replies(tx, ticket.id))


async def unassign_grace(room: Room) -> None:
    await by("Linus", work.unassign, ["Grace"], desk=True)(room)


#: How a new ticket of Ada's gets into each state.
STATES: dict[str, list[Act]] = {
    "new": [],
    "open G": [by("Grace", work.claim)],
    "pending G": [says("Grace", "Which browser?")],
    "pending": [says("Grace", "Which browser?"), unassign_grace],
    "closed": [by("Linus", work.close)],
    "closed G": [by("Grace", work.claim), by("Linus", work.close)],
}

HAPPENINGS: dict[str, Act] = {
    "claimed": by("Linus", work.claim),
    "assigned": by("Grace", work.assign, ["Linus"], desk=True),
    "unassigned": unassign_grace,
    "agent replies in the thread": says("Linus", "Try again"),
    "agent replies from triage": linus_replies_from_triage,
    "requester writes": says("Ada", "Still there"),
    "her colleague writes": says("Bob", "Here too"),
    "ours without triage writes": says("Ben", "Here too"),
    "requester writes bare thanks": says("Ada", "thanks! :pray:"),
    "requester writes late": says("Ada", "It is back", days=REOPEN_DAYS + 1),
    "requester thanks late": says("Ada", "thanks!", days=REOPEN_DAYS + 1),
    "closed by an agent": by("Linus", work.close),
    "closed by the requester": by("Ada", work.close),
    "not a ticket": by("Linus", work.not_a_ticket),
    "reopened by an agent": by("Linus", work.reopen),
    "reopened by the requester": by("Ada", work.reopen),
}

#: The status that each happening leads to, with the first letters of the assignees; – where it is refused.
LIFE = """
                            | new       | open G    | pending G  | pending   | closed   | closed G
claimed                     | open L    | open GL   | pending GL | pending L | –        | –
assigned                    | open L    | open GL   | pending GL | pending L | –        | –
unassigned                  | –         | new       | pending    | –         | –        | closed
agent replies in the thread | pending L | pending G | pending G  | pending L | closed   | closed G
agent replies from triage   | pending L | pending G | pending G  | pending L | closed   | closed G
requester writes            | new       | open G    | open G     | new       | new      | open G
her colleague writes        | new       | open G    | open G     | new       | new      | open G
ours without triage writes  | new       | open G    | open G     | new       | new      | open G
requester writes bare thanks| new       | open G    | open G     | new       | closed   | closed G
requester writes late       | new       | open G    | open G     | new       | closed   | closed G
requester thanks late       | new       | open G    | open G     | new       | closed   | closed G
closed by an agent          | closed    | closed G  | closed G   | closed    | –        | –
closed by the requester     | closed    | closed G  | closed G   | closed    | –        | –
not a ticket                | closed    | closed G  | closed G   | closed    | closed   | closed G
reopened by an agent        | –         | –         | –          | –         | new      | open G
reopened by the requester   | –         | –         | –          | –         | new      | open G
"""
SPOKEN = {name for name in HAPPENINGS if "write" in name or "repl" in name or "thanks" in name}


def rows(table: str) -> dict[str, dict[str, str]]:
    """A table written as text: {row: {column: what stands there}}."""
    head, *lines = ([part.strip() for part in line.split("|")] for line in table.strip("\n").splitlines())
    return {name: dict(zip(head[1:], cells, strict=True)) for name, *cells in lines}


@pytest.mark.parametrize(("happening", "expected"), rows(LIFE).items())
async def test_what_happens_leads_to_the_status_of_the_table(
    room: Room, happening: str, expected: dict[str, str]
) -> None:
    outcome = {}
    for state in STATES:
        await room.brought_to(state)
        outcome[state] = await outcome_of(room, HAPPENINGS[happening])
    assert outcome == expected


async def outcome_of(room: Room, act: Act) -> str:
    """The state that it leads to, which the ledger tells too; – where it is refused and nothing has changed."""
    ticket, before = await room.ticket(), await room.everything()
    try:
        await act(room)
    except Refused:
        assert await room.everything() == before
        return "–"
    told = await room.sql.fetch(
        "select before, after from threadesk.ledger where ticket_id = $1 and what = 'status' and at = $2",
        ticket.id,
        room.now,
    )
    status = (await room.ticket()).status
    assert [tuple(one) for one in told] == ([] if status == ticket.status else [(ticket.status, status)])
    return await room.state()


@pytest.mark.parametrize("happening", sorted(SPOKEN))
async def test_whatever_is_said_is_recorded_once(room: Room, happening: str) -> None:
    for state in STATES:
        await room.brought_to(state)
        count = "select sum(jsonb_array_length(conversation_history -> 'messages')) from tickets"
        earlier = await room.sql.fetchval(count)
        await HAPPENINGS[happening](room)
        assert await room.sql.fetchval(count) == earlier + 1
        room.number = await room.sql.fetchval("select max(number) from threadesk.desk_tickets")


async def test_a_message_long_after_closing_opens_a_ticket_that_follows_the_first(room: Room) -> None:
    await room.brought_to("closed G")
    first = await room.ticket()

    await room.writes("Ada", "It is back", days=REOPEN_DAYS + 1)
    room.number = 2
    second = await room.ticket()
    assert (second.follows, second.requester, await room.state()) == (first.id, first.requester, "new")

    await room.writes("Ada", "Hello?")
    assert await room.words() == ["It is back", "Hello?"]


async def test_a_ticket_closed_not_so_long_ago_is_reopened(room: Room) -> None:
    await room.brought_to("closed G")
    await room.writes("Ada", "It is back", days=REOPEN_DAYS - 1)
    assert await room.state() == "open G"


@pytest.mark.parametrize(("seconds", "count"), [(119, 1), (121, 2)])
async def test_messages_in_a_row_are_one_ticket_as_long_as_they_are_not_too_far_apart(
    room: Room, seconds: int, count: int
) -> None:
    room.desk = replace(DESK, grouping=dt.timedelta(seconds=120))
    await room.writes("Ada", "Hello")
    room.root = ""
    await room.writes("Ada", "The export fails", at=room.now + dt.timedelta(seconds=seconds))
    assert await room.sql.fetchval("select count(*) from tickets") == count


async def test_one_of_two_assignees_can_leave_without_a_change_of_status(room: Room) -> None:
    await room.brought_to("open G")
    await by("Linus", work.claim)(room)
    await unassign_grace(room)
    assert await room.state() == "open L"


async def test_closing_is_counted_and_reopening_forgets_when(room: Room) -> None:
    await room.brought_to("closed")
    closed = await room.ticket()
    assert (closed.closings, closed.closed_at) == (1, room.now)

    await by("Linus", work.reopen)(room)
    assert ((await room.ticket()).closings, (await room.ticket()).closed_at) == (1, None)


async def test_what_is_no_ticket_becomes_one_when_it_is_reopened_or_the_customer_insists(room: Room) -> None:
    await room.brought_to("new")
    for again in (by("Linus", work.reopen), says("Ada", "But it does fail")):
        await by("Linus", work.not_a_ticket)(room)
        assert (await room.ticket()).not_a_ticket
        await again(room)
        assert (await room.state(), (await room.ticket()).not_a_ticket) == ("new", False)


async def test_a_closed_ticket_can_still_be_called_no_ticket(room: Room) -> None:
    await room.brought_to("closed")
    await by("Linus", work.not_a_ticket)(room)
    assert ((await room.ticket()).not_a_ticket, (await room.ticket()).closings) == (True, 1)


async def test_a_closing_sends_what_is_held_and_not_a_ticket_takes_it_back(room: Room) -> None:
    for operation, said, states in (
        (work.close, ["The export fails", "Try again"], ["sent"]),
        (work.not_a_ticket, ["The export fails"], ["undone"]),
    ):
        await room.brought_to("new")
        await by("Linus", work.reply, "Try again", desk=True)(room)
        await by("Grace", operation)(room)
        ticket = await room.ticket()
        async with room.database.transaction(room.now) as tx:
            held = [one.state for one in await replies.of_ticket(tx, ticket.id)]
        assert (await room.words(), held, ticket.status) == (said, states, "closed")


async def test_what_was_called_no_ticket_after_its_closing_is_not_rated(room: Room) -> None:
    await room.brought_to("closed")
    await by("Linus", work.not_a_ticket)(room)
    with pytest.raises(Refused, match="This ticket is not rated"):
        await by("Ada", work.rate, 5)(room)


async def test_a_reply_that_arrives_after_the_customers_later_message_leaves_the_ticket_waiting(room: Room) -> None:
    await room.brought_to("open G")
    earlier = room.now
    await room.writes("Ada", "And the import too")
    await room.writes("Grace", "Which browser?", at=earlier)
    assert await room.state() == "open G"
    assert await room.words() == ["The export fails", "Which browser?", "And the import too"]


async def test_a_customers_message_that_arrives_after_a_later_reply_leaves_the_ticket_pending(room: Room) -> None:
    await room.brought_to("open G")
    earlier = room.now
    await room.writes("Grace", "Solved, try again")
    await room.writes("Ada", "And the import too", at=earlier)
    assert await room.state() == "pending G"
    assert await room.words() == ["The export fails", "And the import too", "Solved, try again"]


async def test_a_message_that_nobody_had_seen_at_the_closing_reopens(room: Room) -> None:
    await room.brought_to("open G")
    earlier = room.now
    await by("Grace", work.close)(room)
    await room.writes("Ada", "And the import too", at=earlier)
    assert await room.state() == "open G"


async def seen_in_full(room: Room, who: str) -> None:
    await room.does(who, lambda tx, person: listing.shown(tx, person, room.number))


async def seen_with_notes(room: Room, who: str) -> None:
    """A ticket is shown to its requester without a word about notes; here that counts as a refusal."""
    shown: listing.Shown = await room.does(who, lambda tx, person: listing.shown(tx, person, room.number))
    if not isinstance(shown, listing.ShownToAgent):
        raise Refused(f"Only agents can {Operation.READ_NOTES}.")


async def settled(room: Room, who: str, operation: Callable[..., Awaitable[None]]) -> None:
    ticket = await room.ticket()
    async with room.database.transaction(room.now) as tx:
        [held] = await replies.held_for(tx, ticket.id)
    await room.does(who, lambda tx, person: operation(tx, person, held.id))


async def said_whose_an_email_is(room: Room, who: str, decide: Callable[..., Awaitable[None]]) -> None:
    """The requester has typed an address which is another's, and nobody has decided yet."""
    async with room.database.transaction(room.now) as tx:
        ticket = await tickets.by_number(tx, room.number)
        assert ticket is not None
        requester = await people.find(tx, ticket.requester_team or "", ticket.requester_slack or "")
        assert requester is not None
        if not await storage_emails.is_decided(tx, requester, "ben@acme.example"):
            await storage_emails.claim(tx, requester, ticket.id, "ben@acme.example", "asked")
    claim = await room.sql.fetchval("select id from threadesk.email_claims where state = 'asked'")
    try:
        await room.does(who, lambda tx, person: decide(tx, person, claim))
    finally:
        await room.sql.execute("delete from threadesk.email_claims")


async def figures_asked_for(room: Room, who: str) -> None:
    await room.does(who, digest.about)


async def opened_for_another(room: Room, who: str) -> None:
    request = work.Request("The export fails", "", customer="Zoe")
    await room.does(who, lambda tx, person: work.open_new(tx, DESK, person, HELP, request))


SHOWN = work.Fields("The export fails", "medium", (), ("Linus",))
FIELDS = work.Fields("Another title", "high", ("billing",), ("Linus",))
Attempt = Callable[[Room, str], Awaitable[Any]]


def attempt(operation: Callable[..., Awaitable[Any]], *arguments: Any, desk: bool = False) -> Attempt:
    return lambda room, who: by(who, operation, *arguments, desk=desk)(room)


def added_from(channel: str) -> Attempt:
    """Another message each time."""

    def message(room: Room) -> Picked:
        return Picked(channel=channel, ts=f"{room.number}.000100", team=GLOBEX, author="Bob", text="The import fails")

    return lambda room, who: room.does(
        who, lambda tx, person: imports.add(tx, DESK, person, room.number, message(room))
    )


#: Every way to carry out each operation on a ticket that is open, Linus's, noted on and with a reply held; or closed.
WAYS: dict[Operation, list[Attempt]] = {
    Operation.READ: [seen_in_full],
    Operation.READ_NOTES: [seen_with_notes],
    Operation.CLAIM: [attempt(work.claim)],
    Operation.ASSIGN: [
        attempt(work.assign, ["Grace"], desk=True),
        attempt(work.unassign, ["Linus"], desk=True),
    ],
    Operation.REPLY: [
        attempt(work.reply, "Hello", desk=True),
        lambda room, who: settled(room, who, work.undo_reply),
        lambda room, who: settled(room, who, work.make_note),
    ],
    Operation.NOTE: [attempt(work.note, "Seen before"), attempt(work.close, "Seen before")],
    Operation.EDIT: [
        attempt(work.set_priority, "high"),
        attempt(work.tag, ["billing"], []),
        attempt(work.retitle, "Another title"),
        attempt(work.set_fields, [("version", "4")]),
        attempt(work.edit, SHOWN, FIELDS, desk=True),
    ],
    Operation.ADD: [added_from(HELP), added_from(TRIAGE), added_from("C-UNKNOWN")],
    Operation.CLOSE: [attempt(work.close)],
    Operation.REOPEN: [attempt(work.reopen)],
    Operation.SPAM: [attempt(work.not_a_ticket)],
    Operation.RATE: [attempt(work.rate, 5)],
    Operation.LEAVE_EMAIL: [attempt(emails.leave, "ada@globex.example")],
    Operation.DECIDE_EMAIL: [
        lambda room, who: said_whose_an_email_is(room, who, emails.confirm),
        lambda room, who: said_whose_an_email_is(room, who, emails.reject),
    ],
    Operation.OPEN_FOR_OTHERS: [opened_for_another],
    Operation.FIGURES: [figures_asked_for],
}
NEEDS_CLOSED = {Operation.REOPEN, Operation.RATE}

#: Who may (yes), and how it is said that somebody may not. The ticket is Ada's, but in the last column Grace's own.
MAY = """
                | Grace | Ada    | Bob    | Ben    | Gus    | Marie     | Grace's own
READ            | yes   | yes    | hidden | hidden | hidden | elsewhere | yes
READ_NOTES      | yes   | agents | hidden | hidden | hidden | elsewhere | agents
CLAIM           | yes   | agents | hidden | hidden | hidden | elsewhere | agents
ASSIGN          | yes   | agents | hidden | hidden | hidden | elsewhere | agents
REPLY           | yes   | agents | hidden | hidden | hidden | elsewhere | agents
NOTE            | yes   | agents | hidden | hidden | hidden | elsewhere | agents
EDIT            | yes   | agents | hidden | hidden | hidden | elsewhere | agents
ADD             | yes   | agents | hidden | hidden | hidden | elsewhere | agents
CLOSE           | yes   | yes    | hidden | hidden | hidden | elsewhere | yes
REOPEN          | yes   | yes    | hidden | hidden | hidden | elsewhere | yes
SPAM            | yes   | agents | hidden | hidden | hidden | elsewhere | agents
RATE            | rates | yes    | rates  | rates  | rates  | rates     | yes
LEAVE_EMAIL     | asker | yes    | hidden | hidden | hidden | elsewhere | yes
DECIDE_EMAIL    | yes   | agents | agents | agents | agents | agents    | agents
OPEN_FOR_OTHERS | yes   | agents | agents | agents | agents | agents    | yes
FIGURES         | yes   | agents | agents | agents | agents | yes       | yes
"""
SAID = {
    "Only agents can": "agents",
    "Only the person who asked can": "asker",
    "You have no ticket": "hidden",
    "belongs to a triage channel that you are not in": "elsewhere",
    "The person who asked for help is the one who rates it": "rates",
}


def test_the_table_of_permissions_names_every_operation() -> None:
    assert {Operation[name] for name in rows(MAY)} == set(Operation) == set(WAYS)


@pytest.mark.parametrize(("operation", "expected"), [(Operation[name], row) for name, row in rows(MAY).items()])
async def test_only_who_may_can_do_it_whatever_way_they_take(
    room: Room, operation: Operation, expected: dict[str, str]
) -> None:
    for way in WAYS[operation]:
        assert {who: await answer_to(room, operation, who, way) for who in expected} == expected


async def answer_to(room: Room, operation: Operation, who: str, way: Attempt) -> str:
    """ "yes", or in a word how it was refused; what is refused has changed nothing."""
    who, requester = ("Grace", "Grace") if who == "Grace's own" else (who, "Ada")
    await worked_on(room, requester, closed=operation in NEEDS_CLOSED)
    before = await room.everything()
    try:
        await way(room, who)
    except Refused as refused:
        assert await room.everything() == before
        return next(word for words, word in SAID.items() if words in refused.sentence)
    return "yes"


async def worked_on(room: Room, requester: str, *, closed: bool) -> None:
    """A ticket that Linus has, with a note and a reply that is still held; or a closed one."""
    room.number += 1
    request = work.Request("The export fails", "")
    await room.does(requester, lambda tx, person: work.open_new(tx, DESK, person, HELP, request))
    for act in (
        by("Linus", work.claim),
        by("Linus", work.note, "Seen before"),
        by("Linus", work.reply, "Try again", desk=True),
        *([by("Linus", work.close)] if closed else []),
    ):
        await act(room)


async def test_who_may_not_see_a_ticket_cannot_tell_whether_there_is_one(room: Room) -> None:
    await worked_on(room, "Ada", closed=False)
    for room.number in (1, 2):
        with pytest.raises(Refused, match=f"^You have no ticket #{room.number}\\."):
            await by("Bob", work.close)(room)


async def test_an_agent_is_told_which_number_is_the_newest(room: Room) -> None:
    await worked_on(room, "Ada", closed=False)
    room.number = 412
    with pytest.raises(Refused, match=r"^No ticket #412\. The newest is #1\.$"):
        await by("Grace", work.claim)(room)
