"""The life of a ticket and who may do what to it: both tables of the product, through the operations, in PostgreSQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from bot.tickets import conversation, listing, work
from bot.tickets.arrivals import MessageArrived
from bot.tickets.desk import Desk
from bot.tickets.errors import Refused
from bot.tickets.permissions import Operation
from storage import channels, people, replies, tickets
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
    """A support channel, its triage channel, the people above, and time that passes a second with each act."""

    database: Database
    sql: asyncpg.Connection
    now: dt.datetime = dt.datetime(2026, 5, 4, 9, tzinfo=dt.UTC)
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

    async def does(self, who: str, act: Callable[[Transaction, Person], Awaitable[Any]], **later: float) -> Any:
        self.now += dt.timedelta(seconds=1, **later)
        async with self.database.transaction(self.now) as tx:
            return await act(tx, await people.meet(tx, PEOPLE[who][0], who))

    async def writes(self, who: str, words: str, *, at: dt.datetime | None = None, **later: float) -> None:
        """In the ticket's thread; the first message is its root. `at`: written then, and arrived only now."""
        self.now += dt.timedelta(seconds=1, **later)
        ts = f"{(at or self.now).timestamp():.6f}"
        team = PEOPLE[who][0]
        async with self.database.transaction(self.now) as tx:
            message = MessageArrived(
                channel=HELP, ts=ts, thread_ts=self.root or None, team=team, author=who, text=words
            )
            await conversation.take_in(tx, DESK, message)
        self.root = self.root or ts

    async def ticket(self, number: int = 1) -> Ticket:
        async with self.database.transaction(self.now) as tx:
            found = await tickets.by_number(tx, number)
        assert found is not None
        return found

    async def state(self, number: int = 1) -> str:
        """ "open GL": the status, and the first letters of who has it."""
        ticket = await self.ticket(number)
        async with self.database.transaction(self.now) as tx:
            known = await people.with_user_ids(tx, ticket.assigned_to)
        letters = "".join(known[one].slack_id[0] for one in ticket.assigned_to)
        return f"{ticket.status} {letters}".strip()

    async def words(self, number: int = 1) -> list[str]:
        async with self.database.transaction(self.now) as tx:
            written = await tickets.conversation(tx, (await self.ticket(number)).id, notes=False)
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
    """An operation of `bot.tickets.work` on ticket #1."""
    before = (DESK,) if desk else ()
    return lambda room: room.does(who, lambda tx, person: operation(tx, *before, person, 1, *arguments))


def says(who: str, words: str, **later: float) -> Act:
    return lambda room: room.writes(who, words, **later)


async def linus_replies_from_triage(room: Room) -> None:
    await by("Linus", work.reply, "Try again", desk=True)(room)
    number_one = await room.ticket()
    await room.does("Linus", lambda tx, _: work.send_due_replies(tx, number_one.id))


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


def cells(table: str) -> list[tuple[str, str, str]]:
    """(row, column, what stands there) of a table written as text."""
    head, *rows = ([part.strip() for part in line.split("|")] for line in table.strip("\n").splitlines())
    return [(row[0], column, cell) for row in rows for column, cell in zip(head[1:], row[1:], strict=True)]


async def brought_to(room: Room, state: str) -> None:
    await room.writes("Ada", "The export fails")
    for act in STATES[state]:
        await act(room)
    assert await room.state() == state


@pytest.mark.parametrize(("happening", "state", "expected"), cells(LIFE))
async def test_what_happens_leads_to_the_status_of_the_table(
    room: Room, happening: str, state: str, expected: str
) -> None:
    await brought_to(room, state)
    before = await room.everything()

    if expected == "–":
        with pytest.raises(Refused, match=r"#1 is "):
            await HAPPENINGS[happening](room)
        assert await room.everything() == before
    else:
        await HAPPENINGS[happening](room)
        assert await room.state() == expected
        await _ledger_tells(room, state, expected)


async def _ledger_tells(room: Room, before: str, after: str) -> None:
    """The newest change of status in the ledger is this one, and none was written where nothing changed."""
    told = await room.sql.fetch(
        "select before #>> '{}' as was, after #>> '{}' as is from threadesk.ledger where what = 'status'"
        " and at = $1",
        room.now,
    )
    was, now = before.split()[0], after.split()[0]
    assert [(one["was"], one["is"]) for one in told] == ([] if was == now else [(was, now)])


@pytest.mark.parametrize("happening", sorted(SPOKEN))
@pytest.mark.parametrize("state", STATES)
async def test_whatever_is_said_is_recorded_once_in_one_ticket(room: Room, state: str, happening: str) -> None:
    await brought_to(room, state)
    earlier = await room.words()

    await HAPPENINGS[happening](room)

    count = await room.sql.fetchval("select count(*) from tickets")
    late = happening == "requester writes late" and state.startswith("closed")
    assert count == (2 if late else 1)
    assert len(await room.words()) + (len(await room.words(2)) if late else 0) == len(earlier) + 1


async def test_a_message_long_after_closing_opens_a_ticket_that_follows_the_first(room: Room) -> None:
    await brought_to(room, "closed G")

    await room.writes("Ada", "It is back", days=REOPEN_DAYS + 1)

    second = await room.ticket(2)
    assert (second.follows, second.requester) == ((await room.ticket()).id, (await room.ticket()).requester)
    assert (await room.state(2), await room.words(2)) == ("new", ["It is back"])
    await room.writes("Ada", "Hello?")
    assert await room.words(2) == ["It is back", "Hello?"]


async def test_a_ticket_closed_not_so_long_ago_is_reopened(room: Room) -> None:
    await brought_to(room, "closed G")
    await room.writes("Ada", "It is back", days=REOPEN_DAYS - 1)
    assert await room.state() == "open G"


async def test_one_of_two_assignees_can_leave_without_a_change_of_status(room: Room) -> None:
    await brought_to(room, "open G")
    await by("Linus", work.claim)(room)
    await unassign_grace(room)
    assert await room.state() == "open L"


async def test_closing_is_counted_and_reopening_forgets_when(room: Room) -> None:
    await brought_to(room, "closed")
    closed = await room.ticket()
    assert (closed.closings, closed.closed_at) == (1, room.now)

    await by("Linus", work.reopen)(room)
    assert ((await room.ticket()).closings, (await room.ticket()).closed_at) == (1, None)


async def test_what_is_no_ticket_becomes_one_when_it_is_reopened_or_the_customer_insists(room: Room) -> None:
    await brought_to(room, "new")
    for again in (by("Linus", work.reopen), says("Ada", "But it does fail")):
        await by("Linus", work.not_a_ticket)(room)
        assert (await room.ticket()).not_a_ticket
        await again(room)
        assert (await room.state(), (await room.ticket()).not_a_ticket) == ("new", False)


async def test_a_closed_ticket_can_still_be_called_no_ticket(room: Room) -> None:
    await brought_to(room, "closed")
    await by("Linus", work.not_a_ticket)(room)
    assert ((await room.ticket()).not_a_ticket, (await room.ticket()).closings) == (True, 1)


async def test_a_reply_that_arrives_after_the_customers_later_message_leaves_the_ticket_waiting(room: Room) -> None:
    await brought_to(room, "open G")
    earlier = room.now
    await room.writes("Ada", "And the import too", minutes=1)
    await room.writes("Grace", "Which browser?", at=earlier)
    assert await room.state() == "open G"
    assert await room.words() == ["The export fails", "Which browser?", "And the import too"]


async def test_a_customers_message_that_arrives_after_a_later_reply_leaves_the_ticket_pending(room: Room) -> None:
    await brought_to(room, "open G")
    earlier = room.now
    await room.writes("Grace", "Solved, try again", minutes=1)
    await room.writes("Ada", "And the import too", at=earlier)
    assert await room.state() == "pending G"
    assert await room.words() == ["The export fails", "And the import too", "Solved, try again"]


async def test_a_late_message_from_before_the_closing_does_not_reopen(room: Room) -> None:
    await brought_to(room, "open G")
    earlier = room.now
    await by("Grace", work.close)(room)
    await room.writes("Ada", "And the import too", at=earlier, minutes=1)
    assert await room.state() == "closed G"
    assert await room.words() == ["The export fails", "And the import too"]


# --- who may do what


async def _notes(room: Room, who: str) -> None:
    """Refused like any operation where somebody sees the ticket and none of its notes."""
    shown = await by_listing(room, who)
    if not shown.notes:
        raise Refused("Only agents can see notes.")


async def by_listing(room: Room, who: str) -> listing.Shown:
    shown: listing.Shown = await room.does(who, lambda tx, person: listing.shown(tx, person, 1))
    return shown


async def _settles(room: Room, who: str, operation: Callable[..., Awaitable[None]]) -> None:
    number_one = await room.ticket()
    async with room.database.transaction(room.now) as tx:
        [held] = await replies.held_for(tx, number_one.id)
    await room.does(who, lambda tx, person: operation(tx, person, held.id))


FIELDS = work.Fields("Another title", "high", ("billing",), ("Linus",))
Attempt = Callable[[Room, str], Awaitable[Any]]


def attempt(operation: Callable[..., Awaitable[Any]], *arguments: Any, desk: bool = False) -> Attempt:
    return lambda room, who: by(who, operation, *arguments, desk=desk)(room)


#: Every way to carry out each operation on a ticket that is open, Linus's, noted on and with a reply held; or closed.
WAYS: dict[Operation, list[Attempt]] = {
    Operation.READ: [by_listing],
    Operation.READ_NOTES: [_notes],
    Operation.CLAIM: [attempt(work.claim)],
    Operation.ASSIGN: [
        attempt(work.assign, ["Grace"], desk=True),
        attempt(work.unassign, ["Linus"], desk=True),
    ],
    Operation.REPLY: [
        attempt(work.reply, "Hello", desk=True),
        lambda room, who: _settles(room, who, work.undo_reply),
        lambda room, who: _settles(room, who, work.make_note),
    ],
    Operation.NOTE: [attempt(work.note, "Seen before"), attempt(work.close, "Seen before")],
    Operation.EDIT: [
        attempt(work.set_priority, "high"),
        attempt(work.tag, ["billing"], []),
        attempt(work.retitle, "Another title"),
        attempt(work.edit, FIELDS, desk=True),
    ],
    Operation.CLOSE: [attempt(work.close)],
    Operation.REOPEN: [attempt(work.reopen)],
    Operation.SPAM: [attempt(work.not_a_ticket)],
    Operation.RATE: [attempt(work.rate, 5)],
}
NEEDS_CLOSED = {Operation.REOPEN, Operation.RATE}

#: Who may (yes); who is told that they may not (no); who is not even told that there is such a ticket (–). The ticket
#: is Ada's, but in the last column, where it is Grace's own.
MAY = """
           | Grace | Marie | Gus | Ada | Bob | Ben | Grace's own
READ       | yes   | –     | –   | yes | –   | –   | yes
READ_NOTES | yes   | –     | –   | no  | –   | –   | no
CLAIM      | yes   | –     | –   | no  | –   | –   | no
ASSIGN     | yes   | –     | –   | no  | –   | –   | no
REPLY      | yes   | –     | –   | no  | –   | –   | no
NOTE       | yes   | –     | –   | no  | –   | –   | no
EDIT       | yes   | –     | –   | no  | –   | –   | no
CLOSE      | yes   | –     | –   | yes | –   | –   | yes
REOPEN     | yes   | –     | –   | yes | –   | –   | yes
SPAM       | yes   | –     | –   | no  | –   | –   | no
RATE       | no    | no    | no  | yes | no  | no  | yes
"""
ATTEMPTS = [
    (Operation[name], who, expected, at)
    for name, who, expected in cells(MAY)
    for at in range(len(WAYS[Operation[name]]))
]


def test_the_table_of_permissions_names_every_operation() -> None:
    assert {Operation[name] for name, _, _ in cells(MAY)} == set(Operation) == set(WAYS)


@pytest.mark.parametrize(("operation", "who", "expected", "way"), ATTEMPTS)
async def test_only_who_may_can_do_it_whatever_way_they_take(
    room: Room, operation: Operation, who: str, expected: str, way: int
) -> None:
    who, requester = ("Grace", "Grace") if who == "Grace's own" else (who, "Ada")
    await _worked_on(room, requester, closed=operation in NEEDS_CLOSED)
    before = await room.everything()
    act = WAYS[operation][way](room, who)

    if expected == "yes":
        await act
        return
    with pytest.raises(Refused) as refused:
        await act
    assert await room.everything() == before
    hidden = refused.value.sentence.startswith(("You have no ticket", "Only agents can"))
    assert ("Ada" in refused.value.sentence, hidden or operation is Operation.RATE) == (False, True)
