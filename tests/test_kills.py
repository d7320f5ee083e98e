"""kill -9 of the desk at random moments: nothing that people wrote is lost, and nothing is shown twice."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
import re
import secrets
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.sandbox import Channel, Message, Person, Sandbox
from tests.conftest import MANIFEST

KILLS = 20
MESSAGES = 200
#: The retries that Slack makes after one and five minutes come after 2 and 10 s: later than a killed desk is back.
SPEED = 30.0
#: How long the desk may be up before it is killed again, and between two messages that people write, in seconds.
UP = (0.0, 0.8)
PAUSE = (0.0, 0.35)
#: How long Slack takes before it has posted a message, and again until it has said so, in seconds.
POSTING = (0.0, 0.08)
SEED = int(os.environ.get("KILLS_SEED", secrets.randbelow(1_000_000)))
WORD = re.compile(r"w\d{3}")

log = logging.getLogger(__name__)


@dataclass
class Process:
    """`python -m bot run`, again and again on one port."""

    environment: dict[str, str]
    port: int
    child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it listens."""
        self.child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run", "--no-migrate"), env=os.environ | self.environment
        )
        while not await self._listens():
            assert self.child.returncode is None, "the desk ended by itself"
            await asyncio.sleep(0.02)

    async def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        assert await self.child.wait() == -9, "the desk was gone before it was killed"

    async def _listens(self) -> bool:
        with suppress(ConnectionError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            return True
        return False


@dataclass
class Said:
    """Something that a person wrote. `ticket`: the word of the message that opened the ticket."""

    word: str
    ticket: str
    how: str
    message: Message


@dataclass
class Town:
    """Three customers and two agents, and all that they wrote."""

    sandbox: Sandbox
    customers: list[Person]
    grace: Person
    linus: Person
    triage: Channel
    help: Channel
    chance: random.Random
    said: list[Said] = field(default_factory=list)

    async def speak(self) -> None:
        """Somebody writes somewhere: a request, an answer below one, a reply from triage or a note there."""
        word = f"w{len(self.said):03}"
        opened = [one for one in self.said if one.how == "request"]
        how = self.chance.choices(
            ["request", "customer answers", "agent answers", "agent replies", "agent notes"], [15, 45, 15, 15, 10]
        )[0]
        ticket = self.chance.choice(opened) if opened else None
        card = self._card(ticket.word) if ticket else None
        if ticket is None or how == "request" or (card is None and how in {"agent replies", "agent notes"}):
            message = await self.chance.choice(self.customers).post(self.help, f"{word} is broken")
            self.said.append(Said(word, word, "request", message))
            return
        thread = ticket.message.ts
        if how == "customer answers":
            message = await self.chance.choice(self.customers).post(self.help, f"{word} too", thread_ts=thread)
        elif how == "agent answers":
            message = await self.grace.post(self.help, f"{word} is known", thread_ts=thread)
        else:
            assert card is not None
            number = card.text.split()[0].removeprefix("#")
            command = f"{self.sandbox.bot.mention} reply {number} " if how == "agent replies" else ""
            below = None if command else card.ts
            message = await self.linus.post(self.triage, f"{command}{word} is mended", thread_ts=below)
        self.said.append(Said(word, ticket.word, how, message))

    def _card(self, ticket: str) -> Message | None:
        return next((one for one in self.cards() if _words(one)[0] == ticket), None)

    def cards(self) -> list[Message]:
        posts = [one for one in self.triage.top_level() if one.author is self.sandbox.bot]
        return [one for one in posts if "read back" not in one.text]

    def posts_of_the_desk(self) -> list[Message]:
        everything = itertools.chain(self.triage.posts.values(), self.help.posts.values())
        return [one for one in everything if one.author is self.sandbox.bot and "read back" not in one.text]

    def words_of_the_desk(self, root: Message) -> list[str]:
        """The words that the desk has posted below a root, in order."""
        below = root.channel.replies(root.ts)
        return [word for one in below if one.author is self.sandbox.bot for word in _words(one)]

    def words(self, *how: str, ticket: str | None = None) -> list[str]:
        return [one.word for one in self.said if one.how in how and ticket in {None, one.ticket}]


def _words(message: Message) -> list[str]:
    return WORD.findall(message.text)


@web.middleware
async def _slowly(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A kill may come before a message is posted, and between that and the desk's knowing it."""
    if not request.path.endswith("/chat.postMessage"):
        return await handler(request)
    await request.read()
    await asyncio.sleep(random.uniform(*POSTING))
    answer = await handler(request)
    await asyncio.sleep(random.uniform(*POSTING))
    return answer


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    slack = Sandbox(MANIFEST, speed=SPEED)
    slack.server.app.middlewares.append(_slowly)
    async with slack as sandbox:
        globex = sandbox.add_team("Globex")
        customers = [sandbox.add_person(name, team=globex) for name in ("Ada Lovelace", "Bob Noyce", "Cyd Charisse")]
        grace = sandbox.add_person("Grace Hopper", email="grace@acme.example")
        linus = sandbox.add_person("Linus Pauling", email="linus@acme.example")
        triage = await sandbox.add_channel("triage", private=True, members=[grace, linus, sandbox.bot])
        shared = await sandbox.add_channel(
            "help-globex", shared_with=[globex], members=[*customers, grace, linus, sandbox.bot]
        )
        yield Town(sandbox, customers, grace, linus, triage, shared, random.Random(SEED))


@pytest.fixture
async def process(town: Town, database_url: str) -> AsyncIterator[Process]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "SLACK_BOT_TOKEN": town.sandbox.bot_token,
        "SLACK_SIGNING_SECRET": town.sandbox.signing_secret,
        "SLACK_API_URL": town.sandbox.api_url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "TRIAGE_CHANNEL": "triage",
        "SUPPORT_CHANNELS": "help-globex",
        "DATABASE_URL": database_url,
        "REPLY_UNDO_SECONDS": "0",
        "GROUP_SECONDS": "0",
        "POST_INTERVAL_SECONDS": str(1 / SPEED),
        "SLACK_CALL_SECONDS": "1",
        "LOG_LEVEL": "WARNING",
    }
    process = Process(environment, port)
    town.sandbox.deliver_to(f"http://127.0.0.1:{port}/slack/events")
    yield process
    if process.child is not None and process.child.returncode is None:
        await process.kill()


@pytest.mark.parametrize("seed", [SEED])
async def test_twenty_kills_lose_and_double_nothing(
    town: Town, process: Process, sql: asyncpg.Connection, seed: int
) -> None:
    in_doubt = await _talk_under_fire(town, process, sql)
    assert len(town.said) == MESSAGES
    assert len(in_doubt) == KILLS
    await _at_rest(town, sql)
    log.info(
        "seed %s: %s of %s kills came between sending and recording, %s of these messages were in Slack already",
        *(seed, sum(bool(ids) for ids in in_doubt), KILLS, sum(arrived for ids in in_doubt for arrived in ids)),
    )

    histories = await _histories(sql)
    _each_message_is_in_its_ticket_once(town, histories)
    await _each_post_is_recorded_once(town, sql)
    _each_message_is_shown_once(town)
    await _order_is_kept(town, sql)


async def _talk_under_fire(town: Town, process: Process, sql: asyncpg.Connection) -> list[list[bool]]:
    """People talk, before, while and after the desk is killed, until all is said.

    An event meets one kill at most, because Slack itself gives up after three retries. The courier's work is not
    waited for. Returns for each kill of the messages then in doubt whether each is in Slack.
    """
    in_doubt = []
    await process.start()
    for _ in range(KILLS):
        talk = asyncio.create_task(_talk(town))
        await asyncio.sleep(town.chance.uniform(*UP))
        await process.kill()
        in_doubt.append(await _in_doubt(town, sql))
        await process.start()
        await talk
        await town.sandbox.settled()
    return in_doubt


async def _talk(town: Town) -> None:
    for _ in range(MESSAGES // KILLS):
        await asyncio.sleep(town.chance.uniform(*PAUSE))
        await town.speak()


async def _in_doubt(town: Town, sql: asyncpg.Connection) -> list[bool]:
    doubtful = await sql.fetch("select id from threadesk.posted where attempted_at is not null and ts is null")
    in_slack = _ids(town.posts_of_the_desk())
    return [str(row["id"]) in in_slack for row in doubtful]


async def _at_rest(town: Town, sql: asyncpg.Connection) -> None:
    """Waits until Slack shows everything that the tables say."""
    async with asyncio.timeout(60):
        while True:
            await town.sandbox.settled()
            if not await sql.fetchval(
                """
                select exists (select from threadesk.to_show) or exists (select from threadesk.replies
                  where state = 'held') or exists (select from threadesk.notices where sent_at is null)
                """
            ):
                return
            await asyncio.sleep(0.05)


def _ids(messages: Iterable[Message]) -> Counter[str]:
    return Counter((one.metadata or {})["event_payload"]["id"] for one in messages)


async def _histories(sql: asyncpg.Connection) -> dict[str, dict[str, Any]]:
    """Each ticket's row by the word that opened it."""
    rows = await sql.fetch("select title, conversation_history, internal_notes from tickets")
    histories = {row["title"].split()[0]: dict(row) for row in rows}
    assert len(histories) == len(rows)
    return histories


def _each_message_is_in_its_ticket_once(town: Town, histories: dict[str, dict[str, Any]]) -> None:
    assert sorted(histories) == town.words("request")
    for ticket, row in histories.items():
        messages, notes = row["conversation_history"]["messages"], row["internal_notes"]["notes"]
        # A reply from triage takes its place when it is sent; what Slack dated stands as Slack dated it.
        written = [one["content"].split()[0] for one in messages]
        assert sorted(written) == sorted(
            town.words("request", "customer answers", "agent answers", "agent replies", ticket=ticket)
        )
        assert [one["created_at"] for one in messages] == sorted(one["created_at"] for one in messages)
        dated = town.words("request", "customer answers", "agent answers", ticket=ticket)
        assert [word for word in written if word in dated] == dated
        assert [one["content"].split()[0] for one in notes] == town.words("agent notes", ticket=ticket)


async def _each_post_is_recorded_once(town: Town, sql: asyncpg.Connection) -> None:
    sent = _ids(town.posts_of_the_desk())
    assert set(sent.values()) == {1}
    # What needed no message, because there was nobody to tell, is settled there too.
    settled = "refused is distinct from 'nobody to tell'"
    recorded = await sql.fetch(f"select id, ts, refused from threadesk.posted where {settled}")
    assert not [dict(row) for row in recorded if row["ts"] is None or row["refused"]]
    assert {str(row["id"]) for row in recorded} == set(sent)


def _each_message_is_shown_once(town: Town) -> None:
    requests = [one for one in town.said if one.how == "request"]
    cards = {_words(one)[0]: one for one in town.cards()}
    assert sorted(_words(one)[0] for one in town.cards()) == [one.word for one in requests]
    assert all(one.author is not town.sandbox.bot for one in town.help.top_level())
    for one in requests:
        mirrored = town.words("request", "customer answers", "agent answers", "agent replies", ticket=one.word)
        assert sorted(town.words_of_the_desk(cards[one.word])) == mirrored
        assert sorted(town.words_of_the_desk(one.message)) == town.words("agent replies", ticket=one.word)
        below = [each for each in town.help.replies(one.message.ts) if each.author is town.sandbox.bot]
        assert sum("Ticket #" in each.text for each in below) == 1, "one status message in each thread"


async def _order_is_kept(town: Town, sql: asyncpg.Connection) -> None:
    """A message is shown after one that was written earlier, unless the desk heard of that one later."""
    told = await sql.fetch(
        """
        select w.word ->> 'content' as content, (w.word ->> 'created_at')::timestamptz as at, l.id
        from tickets t cross join jsonb_array_elements(t.conversation_history -> 'messages') as w (word)
        join threadesk.ledger l on l.what = 'message' and l.after ->> 'id' = w.word ->> 'id'
        """
    )
    places: dict[str, tuple[datetime, int]] = {row["content"].split()[0]: (row["at"], row["id"]) for row in told}
    assert len(told) == len(places), "each message is once in the ledger"
    # In triage a reply is shown while it is still held, that is before its time in the conversation.
    held = set(town.words("agent replies"))
    cards = {_words(one)[0]: one for one in town.cards()}
    late = 0
    for one in (one for one in town.said if one.how == "request"):
        mirrored = [word for word in town.words_of_the_desk(cards[one.word]) if word not in held]
        for shown in (mirrored, town.words_of_the_desk(one.message)):
            for first, second in itertools.combinations(shown, 2):
                (written, heard), (written_later, heard_later) = places[first], places[second]
                late += written > written_later
                assert written < written_later or heard < heard_later, f"{second} should stand before {first}"
    log.info("%s pairs of messages reached the desk in another order than they were written in", late)
