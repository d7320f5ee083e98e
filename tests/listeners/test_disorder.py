"""Slack delivers late, twice and in any order: whichever it was, the same rows and the same Slack are the end of it.

What is promised, and compared here, for stories of messages, edits and deletions:

- each ticket has the same title, description, status, assignees and requester, the same conversation and notes word
  for word, with edits and deletions and their times, in the order in which they were written;
- the ledger names the same messages, by the same people, and the same deletions. How often the status went to and fro
  on the way differs, and what was deleted before it was heard was never seen edited;
- Slack shows the same messages with the same words. A mirror is posted when its message is heard: each stands after
  those that were written and heard earlier.

What may differ: a ticket's number; of several messages that are one ticket, below which the desk's own stands; whether
messages in a row between which an agent answered are one ticket or two; and whose the ticket is that two customers
open in a thread that an agent began: theirs who was heard first. A ticket that has been opened is neither taken apart
nor given to somebody else.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest

from bot import app
from bot.sandbox import Message
from bot.services import Services
from bot.tickets import conversation
from storage.engine import Database
from tests.conftest import Office, World, open_office, open_world, other_program, own_database
from tests.listeners.slack_side import deliver, heard_by_nobody, held_back
from tests.listeners.stories import Act, Place, act_out, deletes, edits, events_since, moved, stories, writes

T = TypeVar("T")


@dataclass
class Ear:
    """A desk that listens, without its courier: each order of events has channels to itself, and takes no time."""

    world: World
    services: Services
    bolt: AsyncApp
    sql: asyncpg.Connection
    place: Place

    async def events(self, story: Sequence[Act]) -> list[bytes]:
        start = len(self.world.sandbox.deliveries)
        await act_out(self.world, self.place, story, [])
        await self.world.sandbox.settled()
        return [one.parcel.body for one in events_since(self.world, start)]

    async def hear(self, events: Iterable[bytes], card: int) -> dict[str, Any]:
        """Delivers the events to channels of their own, and returns what the desk then knows of them.

        `card`: how many events come before the desk has posted its first ticket's card.
        """
        places = {self.place.help.id: f"C{secrets.token_hex(5).upper()}"}
        places[self.place.triage.id] = f"G{secrets.token_hex(5).upper()}"
        help_channel, triage = places.values()
        await self._open(help_channel, triage)
        pending = True
        for heard, body in enumerate(events):
            if pending and heard >= card:
                pending = not await self._post_card(help_channel, triage)
            await self._deliver(moved(body, places))
        if pending:
            await self._post_card(help_channel, triage)
        return await known(self.sql, help_channel, triage)

    async def _open(self, help_channel: str, triage: str) -> None:
        await self.sql.execute(
            "insert into threadesk.channels (id, name, role) values ($1, 'triage', 'triage')", triage
        )
        await self.sql.execute(
            "insert into threadesk.channels (id, name, role, triage_channel) values ($1, 'help', 'support', $2)",
            help_channel,
            triage,
        )
        await self.sql.execute(
            "insert into threadesk.triage_members select $1, team_id, slack_id from threadesk.triage_members"
            " where channel = $2",
            triage,
            self.place.triage.id,
        )

    async def _deliver(self, body: bytes) -> None:
        headers: dict[str, str | Sequence[str]] = {"Content-Type": "application/json", **self.world.sandbox.sign(body)}
        answer = await self.bolt.async_dispatch(AsyncBoltRequest(body=body.decode(), headers=headers))
        assert answer.status == 200, answer.body

    async def _post_card(self, help_channel: str, triage: str) -> bool:
        """What the courier does when it has posted a card: its thread is the ticket's from then on."""
        ticket = await self.sql.fetchval(
            "select ticket_id from threadesk.desk_tickets where channel = $1 order by number", help_channel
        )
        if ticket is None or self.place.card is None:
            return False
        async with self.services.transaction() as tx:
            at = (triage, self.place.card.ts)
            await conversation.begin_thread(tx, self.services.desk, UUID(str(ticket)), "triage", *at)
        return True


async def known(sql: asyncpg.Connection, help_channel: str, triage: str) -> dict[str, Any]:
    """All that the desk keeps of two channels, without what names them."""
    tickets = await sql.fetch(
        "select t.*, d.requester, d.root_ts, d.follows is not null as follows from tickets t"
        " join threadesk.desk_tickets d on d.ticket_id = t.id where d.channel = $1",
        help_channel,
    )
    facts = await sql.fetch(
        "select distinct l.what, l.actor, l.role, m.ts from threadesk.ledger l"
        " join threadesk.desk_tickets d using (ticket_id)"
        " left join threadesk.messages m on m.message_id = (l.after ->> 'id')::uuid"
        " where d.channel = $1 and l.what in ('opened', 'message', 'note', 'message_deleted', 'note_deleted')",
        help_channel,
    )
    opened = await sql.fetchval(
        "select count(*) from threadesk.ledger join threadesk.desk_tickets d using (ticket_id)"
        " where d.channel = $1 and what in ('opened', 'message', 'note')",
        help_channel,
    )
    threads = await sql.fetch(
        "select w.thread_ts, w.side, d.root_ts from threadesk.threads w join threadesk.desk_tickets d using (ticket_id)"
        " where d.channel = $1",
        help_channel,
    )
    kept = await sql.fetch(
        "select ts, version, awaits, event - 'channel' as event from threadesk.early where channel = any($1)",
        [help_channel, triage],
    )
    return {
        "tickets": sorted((_ticket(row) for row in tickets), key=str),
        "facts": ({tuple(row) for row in facts}, opened),
        "threads": {(row["thread_ts"], row["side"]) for row in threads},
        "kept": {(row["ts"], row["version"], row["awaits"], json.dumps(row["event"])) for row in kept},
    }


def _ticket(row: asyncpg.Record) -> dict[str, Any]:
    said = {name: row[name] for name in ("title", "description", "status", "requester", "customer_email", "follows")}
    return said | {
        "assigned_to": sorted(str(one) for one in row["assigned_to"] or ()),
        "messages": [_nameless(one) for one in row["conversation_history"]["messages"]],
        "notes": [_nameless(one) for one in row["internal_notes"]["notes"]],
    }


def _nameless(word: dict[str, Any]) -> dict[str, Any]:
    """Its id is made of where it stands, which differs from one telling to the next."""
    return {key: value for key, value in word.items() if key != "id"}


@pytest.fixture
async def ear(postgres: str, template: str) -> AsyncIterator[Ear]:
    async with open_ear(postgres, template) as opened:
        yield opened


@asynccontextmanager
async def open_ear(postgres: str, template: str) -> AsyncIterator[Ear]:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(open_world())
        url = await stack.enter_async_context(own_database(postgres, template))
        sql = await stack.enter_async_context(other_program(url))
        database = Database(url)
        stack.push_async_callback(database.close)
        chosen = world.settings(url, group_seconds=120)
        services = await app.introduce(chosen, database, world.clock)
        await stack.enter_async_context(heard_by_nobody(world.sandbox))
        await world.sandbox.invite(world.help, world.linus)
        card = await services.slack.chat_postMessage(channel=world.triage.id, text="A card")
        await world.sandbox.settled()
        place = Place(world.help, world.triage, world.triage.posts[card["ts"]])
        yield Ear(world, services, app.bolt_app(chosen, services), sql, place)


SMALL: dict[str, tuple[Act, ...]] = {
    "edits of one second": (
        writes("ada", "The export fails"),
        edits("ada", 0, "The import fails"),
        edits("ada", 0, "Both fail"),
        edits("ada", 0, "The export fails"),
    ),
    "an answer and its answer": (
        writes("ada", "The export fails"),
        writes("grace", "Which browser?", below=0),
        writes("bob", "Firefox", below=0),
        writes("ada", "And Safari", below=0),
    ),
    "two agents": (
        writes("ada", "The export fails"),
        writes("grace", "Which browser?", below=0),
        writes("linus", "And which version?", below=0),
    ),
    "an agent has the last word": (
        writes("ada", "The export fails"),
        writes("ada", "With Firefox", below=0),
        writes("grace", "Try Safari", below=0),
        deletes("ada", 1),
    ),
    "a root that becomes a tombstone": (
        writes("ada", "My password is hunter2"),
        writes("bob", "Oh", below=0),
        deletes("ada", 0),
        edits("bob", 1, "Oh dear"),
    ),
    "a root that goes with its last reply": (
        writes("ada", "My password is hunter2"),
        writes("bob", "Oh", below=0),
        deletes("ada", 0),
        deletes("bob", 1),
    ),
    "a root that goes": (
        writes("ada", "My password is hunter1"),
        edits("ada", 0, "My password is hunter2"),
        deletes("ada", 0),
    ),
    "the same words twice": (
        writes("ada", "Hello"),
        writes("ada", "Hello", below=0),
        edits("ada", 1, "Goodbye"),
        deletes("ada", 1),
    ),
    "a row of messages that are one ticket": (
        writes("ada", "Hello"),
        writes("ada", "The export fails"),
        edits("ada", 0, "Hello!"),
        writes("bob", "For me too", below=1),
    ),
    "a row whose first is deleted": (
        writes("ada", "My password is hunter2"),
        writes("ada", "The export fails"),
        deletes("ada", 0),
        writes("grace", "Change it", below=1),
    ),
    "a row that ends before the agent answers": (
        writes("ada", "Hello"),
        writes("ada", "The export fails"),
        writes("grace", "Which one?", below=0),
    ),
    "people apart": (
        writes("ada", "The export fails"),
        writes("bob", "My invoice is wrong"),
        writes("bob", "For me it works", below=0),
        writes("ada", "For me too", below=1),
    ),
    "also sent to the channel": (
        writes("ada", "The export fails"),
        writes("ada", "With Firefox", below=0, how="broadcast"),
        edits("ada", 1, "With Safari"),
        writes("grace", "I see", below=0),
    ),
    "a file": (
        writes("ada", "See here", how="file"),
        edits("ada", 0, "See there"),
        writes("ada", "", below=0, how="file"),
        deletes("ada", 1),
    ),
    "a thread that an agent began": (
        writes("grace", "Maintenance tonight"),
        writes("ada", "Will the export work?", below=0),
        writes("ada", "And the import?", below=0),
        edits("grace", 0, "Maintenance tomorrow"),
    ),
    "an agent answers in the thread that they began": (
        writes("grace", "Maintenance tonight"),
        writes("grace", "At ten", below=0),
        writes("ada", "Will the export work?", below=0),
        writes("linus", "Yes", below=0),
    ),
    "an agent's thread that goes on": (
        writes("grace", "Maintenance tonight"),
        writes("ada", "Will the export work?", below=0),
        writes("linus", "Yes", below=0),
        edits("linus", 2, "No"),
    ),
    "an agent's thread that a customer goes on with": (
        writes("grace", "Maintenance tonight"),
        writes("ada", "Will the export work?", below=0),
        writes("linus", "Yes", below=0),
        writes("ada", "And the import?", below=0),
    ),
    "an agent's thread that two agents answer": (
        writes("grace", "Maintenance tonight"),
        writes("ada", "Will the export work?", below=0),
        writes("linus", "Yes", below=0),
        writes("grace", "From ten", below=0),
    ),
    "an agent's thread whose answer is taken back": (
        writes("grace", "Maintenance tonight"),
        writes("ada", "My password is hunter2", below=0),
        deletes("ada", 1),
        deletes("grace", 0),
    ),
    "notes": (
        writes("ada", "The export fails"),
        writes("grace", "They forget the paywall", how="triage"),
        edits("grace", 1, "They forgot the paywall"),
        writes("linus", "They always do", how="triage"),
    ),
    "a note that is taken back": (
        writes("ada", "The export fails"),
        writes("grace", "They forget the paywall", how="triage"),
        edits("grace", 1, "They forget hunter2"),
        deletes("grace", 1),
    ),
    "a request by mention": (
        writes("ada", "the export fails", how="mention"),
        edits("ada", 0, "Never mind"),
        writes("grace", "Which browser?", below=0),
    ),
    "thanks": (
        writes("ada", "The export fails"),
        writes("grace", "Try Safari", below=0),
        writes("ada", "thanks!", below=0),
    ),
}


@pytest.mark.parametrize("story", SMALL.values(), ids=SMALL)
async def test_each_order_of_a_short_story_with_one_event_told_twice_ends_in_the_same_rows(
    ear: Ear, story: Sequence[Act]
) -> None:
    events = await ear.events(story)
    expected = await ear.hear(events, card=1)
    # Of the longest story each fifth order is enough for a test that is run often.
    orders = itertools.permutations(range(len(events)))
    for turn, order in enumerate(itertools.islice(orders, None, None, 5 if len(events) > 4 else 1)):
        told = list(order)
        told.insert(turn % (len(order) + 1), order[turn % len(order)])
        found = await ear.hear((events[one] for one in told), card=told.index(0) + 1)
        assert found == expected, f"told in the order {told}"


def bounded(examples: int) -> settings:
    """`DISORDER_EXAMPLES` in the environment: that many times as many."""
    return settings(
        max_examples=examples * int(os.environ.get("DISORDER_EXAMPLES", "1")),
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )


def test_any_story_ends_in_the_same_rows(postgres: str, template: str) -> None:
    @bounded(15)
    @given(story=stories(roots=3, most=8), data=st.data())
    def ends_the_same(story: Sequence[Act], data: st.DataObject) -> None:
        events = runner.run(ear.events(story))
        expected = runner.run(ear.hear(events, card=1))
        told = data.draw(disorders(len(events)), label="told in the order")
        assert runner.run(ear.hear((events[one] for one in told), card=0)) == expected

    with alone(open_ear(postgres, template)) as (runner, ear):
        ends_the_same()


@contextmanager
def alone(opening: AbstractAsyncContextManager[T]) -> Iterator[tuple[asyncio.Runner, T]]:
    """What Hypothesis runs again and again is a plain function: it has an event loop of its own."""
    with asyncio.Runner() as runner:
        opened = runner.run(opening.__aenter__())
        try:
            yield runner, opened
        finally:
            runner.run(opening.__aexit__(None, None, None))


@st.composite
def disorders(draw: st.DrawFn, count: int) -> list[int]:
    """Any order in which Slack may tell of so many events, some of them again."""
    again = draw(st.lists(st.integers(0, count - 1), max_size=2))
    return draw(st.permutations([*range(count), *again]))


Shown = Counter[tuple[str, str]]


async def tell(office: Office, story: Sequence[Act], data: st.DataObject | None) -> tuple[Shown, Shown]:
    """Acts a story out in a channel of its own, tells the desk of it, and returns what customers and triage are shown.

    It is told in two parts: agents find a card to write below when the first has been told. `data`: where the orders
    are drawn from; None: as the events arose.
    """
    place = await _new_place(office)
    before = next((at for at, act in enumerate(story) if act.how == "triage"), len(story))
    written: list[Message] = []
    for part in (story[:before], story[before:]):
        start = len(office.sandbox.deliveries)
        async with held_back(office):
            await act_out(office.world, place, part, written)
        events = events_since(office.world, start)
        if data and events:
            events = [events[one] for one in data.draw(disorders(len(events)), label="told in the order")]
        await deliver(office, *events)
        await office.at_rest()
        place.card = await _card(office, place)
        if place.card is None:
            break
    await _mirrors_in_order(office, place)
    triage = [place.card, *place.triage.replies(place.card.ts)] if place.card else []
    return _shown(place.help.posts.values()), _shown(triage)


async def _new_place(office: Office) -> Place:
    world, name = office.world, f"help-{secrets.token_hex(4)}"
    members = [world.grace, world.linus, world.ben, world.ada, world.bob, office.sandbox.bot]
    channel = await office.sandbox.add_channel(name, shared_with=[world.ada.team], members=members)
    await office.sql.execute(
        "insert into threadesk.channels (id, name, role, triage_channel) values ($1, $2, 'support', $3)",
        channel.id,
        name,
        world.triage.id,
    )
    return Place(channel, world.triage)


async def _card(office: Office, place: Place) -> Message | None:
    ts = await office.sql.fetchval(
        "select p.ts from threadesk.posted p join threadesk.desk_tickets d using (ticket_id)"
        " where d.channel = $1 and p.slot = 'card'",
        place.help.id,
    )
    return place.triage.posts[ts] if ts else None


async def _mirrors_in_order(office: Office, place: Place) -> None:
    rows = await office.sql.fetch(
        "select m.created_at as written, p.ts from threadesk.posted p join threadesk.messages m"
        "  on p.slot = 'message:' || m.message_id"
        " join threadesk.ledger l on l.what in ('message', 'note') and l.after ->> 'id' = m.message_id::text"
        " join threadesk.desk_tickets d on d.ticket_id = p.ticket_id"
        " where d.channel = $1 and p.side = 'triage' and p.ts is not null order by l.id",
        place.help.id,
    )
    heard = [(row["written"], row["ts"]) for row in rows]
    for (written, mirrored), (later, below) in itertools.combinations(heard, 2):
        assert written > later or mirrored < below, "what was written and heard earlier stands above"


def _shown(messages: Iterable[Message]) -> Shown:
    """Who says what, without what differs from telling to telling: numbers, dates, links and who was alerted when."""
    return Counter(
        (message.username or (message.author.name if message.author else ""), _plain(message.text))
        for message in messages
    )


def _plain(shown: str) -> str:
    return re.sub(r"#\d+|<!date[^>]*>|<http[^>]*>|^🔔.*\n", "", shown)


@asynccontextmanager
async def open_patient_office(postgres: str, template: str) -> AsyncIterator[Office]:
    async with (
        open_world() as world,
        own_database(postgres, template) as url,
        other_program(url) as sql,
        open_office(world, url, sql, group_seconds=120) as office,
    ):
        yield office


def test_any_story_ends_in_the_same_slack(postgres: str, template: str) -> None:
    @bounded(4)
    @given(story=stories(roots=1, most=6), data=st.data())
    def ends_the_same(story: Sequence[Act], data: st.DataObject) -> None:
        expected = runner.run(tell(office, story, None))
        assert runner.run(tell(office, story, data)) == expected

    with alone(open_patient_office(postgres, template)) as (runner, office):
        ends_the_same()
