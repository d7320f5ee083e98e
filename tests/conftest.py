"""Real PostgreSQL, a real desk over real HTTP or sockets, and a sandbox workspace at its other end."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import asyncpg
import pytest
import structlog

from bot import app
from bot.app import Running
from bot.sandbox import Channel, Message, Person, Sandbox
from bot.settings import Settings
from storage import channels, migrate
from storage.embedded import EmbeddedPostgres
from storage.engine import Database
from tests import exercised
from tests.exercised import (
    pytest_addoption,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)

__all__ = ["pytest_addoption", "pytest_sessionfinish", "pytest_terminal_summary", "pytest_testnodedown"]

MANIFEST = Path(__file__).parent.parent / "manifest.yml"
#: How much faster than Slack's the sandbox's waits and rates are; the desk's pace is set to match.
SPEED = 50.0

# structlog's own way to show an error, with every local variable, takes longer than Slack waits for an answer.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
    ],
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
)

Transport = Literal["http", "socket"]

SERVER = {"fsync": "off", "synchronous_commit": "off", "max_connections": "200", "max_wal_size": "256MB"}


def _in_memory() -> Path | None:
    """A folder for a PostgreSQL server in memory, where there is one with room for it.

    On a disk, each test's database is three hundred files, and ext4 gives no file the place of one that was deleted
    within the last minute: after some hundred tests, it looks through all these places for each new file.
    https://github.com/torvalds/linux/blob/master/fs/ext4/ialloc.c (recently_deleted)
    """
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30 else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server for this session: nothing in it needs to survive a crash of the machine."""
    folder = Path(tempfile.mkdtemp(prefix="threadesk-tests-", dir=_in_memory()))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder, settings=SERVER)
    yield server.start()
    server.remove()
    shutil.rmtree(folder)


def _database(url: str, name: str) -> str:
    return url.replace("/threadesk?", f"/{name}?")


@pytest.fixture(scope="session")
async def template(postgres: str) -> str:
    """The name of a migrated, empty database, from which each test's own is copied."""
    administrator = await asyncpg.connect(postgres)
    await administrator.execute("create database template_of_tests")
    await administrator.close()
    database = Database(_database(postgres, "template_of_tests"))
    await migrate.upgrade(database)
    await database.close()
    return "template_of_tests"


@pytest.fixture
async def empty_url(postgres: str) -> AsyncIterator[str]:
    """The URL of a database with nothing in it."""
    async with own_database(postgres, "template0") as url:
        yield url


@pytest.fixture
async def database_url(postgres: str, template: str) -> AsyncIterator[str]:
    """The URL of a migrated, empty database."""
    async with own_database(postgres, template) as url:
        yield url


@asynccontextmanager
async def own_database(postgres: str, template: str) -> AsyncIterator[str]:
    name = f"test_{secrets.token_hex(4)}"
    administrator = await asyncpg.connect(postgres)
    await administrator.execute(f"create database {name} template {template}")
    yield _database(postgres, name)
    await administrator.execute(f"drop database {name} with (force)")
    await administrator.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def sql(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with other_program(database_url) as connection:
        yield connection


@asynccontextmanager
async def other_program(database_url: str, user: str | None = None) -> AsyncIterator[asyncpg.Connection]:
    """Another program's connection to the same database, with JSON decoded; as the owner, unless as `user`."""
    connection = await asyncpg.connect(database_url, user=user)
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    yield connection
    await connection.close()


@dataclass
class Clock:
    """The desk's Clock, which a test can move."""

    ahead: dt.timedelta = dt.timedelta(0)

    def __call__(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.ahead

    def advance(self, **by: float) -> None:
        self.ahead += dt.timedelta(**by)


@dataclass
class World:
    """Acme runs the desk: Grace and Linus are its agents. Globex are its customers in a shared channel: Ada, whose
    e-mail Slack does not show, and Bob, whose it does. Ben is a colleague at Acme who is no agent."""

    sandbox: Sandbox
    grace: Person
    linus: Person
    ben: Person
    ada: Person
    bob: Person
    triage: Channel
    help: Channel
    transport: Transport
    clock: Clock = field(default_factory=Clock)

    def settings(self, database_url: str, **changes: Any) -> Settings:
        values: dict[str, Any] = {
            "slack_bot_token": self.sandbox.bot_token,
            **self._way_in,
            "slack_api_url": self.sandbox.api_url,
            "port": 0,
            "triage_channel": "triage",
            "support_channels": "help-globex",
            "database_url": database_url,
            "reply_undo_seconds": 0,
            "group_seconds": 0,
            "post_interval_seconds": 1 / SPEED,
            "slack_call_seconds": 2,
            "log_level": "WARNING",
        } | changes
        return Settings(_env_file=None, **values)

    @property
    def _way_in(self) -> dict[str, str]:
        match self.transport:
            case "http":
                return {"slack_signing_secret": self.sandbox.signing_secret}
            case "socket":
                return {"slack_app_token": self.sandbox.app_token}


def pytest_configure() -> None:
    exercised.watch()
    # In a test's name: every process that runs tests must have the same.
    os.environ.setdefault("CHAOS_SEED", str(secrets.randbelow(1_000_000)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`@pytest.mark.transports("http", "socket")`, on a test or a module: once over each."""
    chosen = metafunc.definition.get_closest_marker("transports")
    if chosen and "transport" in metafunc.fixturenames:
        metafunc.parametrize("transport", chosen.args)


@pytest.fixture
def transport() -> Transport:
    """How Slack reaches the desk."""
    return "http"


@pytest.fixture
async def world(transport: Transport) -> AsyncIterator[World]:
    async with open_world(transport) as opened:
        yield opened


@asynccontextmanager
async def open_world(transport: Transport = "http") -> AsyncIterator[World]:
    async with Sandbox(MANIFEST, speed=SPEED) as sandbox:
        if transport == "socket":
            sandbox.deliver_over_sockets()
        globex = sandbox.add_team("Globex")
        grace = sandbox.add_person("Grace Hopper", email="grace@acme.example")
        linus = sandbox.add_person("Linus Pauling", email="linus@acme.example")
        ben = sandbox.add_person("Ben Franklin", email="ben@acme.example")
        ada = sandbox.add_person("Ada Lovelace", team=globex)
        bob = sandbox.add_person("Bob Noyce", team=globex, email="bob@globex.example")
        triage = await sandbox.add_channel("triage", private=True, members=[grace, linus, sandbox.bot])
        shared = await sandbox.add_channel(
            "help-globex", shared_with=[globex], members=[grace, ben, ada, bob, sandbox.bot]
        )
        yield World(sandbox, grace, linus, ben, ada, bob, triage, shared, transport)


@dataclass
class Office:
    """A desk at work in the sandbox, and what a test asks of both."""

    world: World
    running: Running
    sql: asyncpg.Connection

    @property
    def sandbox(self) -> Sandbox:
        return self.world.sandbox

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.running.port}"

    async def at_rest(self) -> None:
        """Waits until every event is answered and Slack shows everything that the tables say."""
        async with asyncio.timeout(20):
            while True:
                await self.sandbox.settled()
                if not await self.sql.fetchval(
                    """
                    select exists (select from threadesk.to_show where parked is null
                        and lane not in (select id from threadesk.channels where suspended is not null))
                      or exists (select from threadesk.openings)
                      or exists (select from threadesk.notices where sent_at is null and refused is null)
                      or exists (select from threadesk.replies where state = 'held' and due_at <= $1)
                      or exists (select from threadesk.copies
                        where removing and not removed or not removing and copy is null and refused is null)
                      or exists (select from threadesk.digest_schedules where next_at <= $1)
                      or exists (select from threadesk.digests_due where outcome is null and try_at <= $1)
                      or exists (select from threadesk.told_back where back_at <= $1)
                      or exists (select from threadesk.channels where suspended = $2)
                    """,
                    self.world.clock(),
                    channels.UNREAD,
                ):
                    return
                await asyncio.sleep(0.01)

    async def ticket(self, number: int = 1) -> dict[str, Any]:
        """The row of public.tickets, and the desk's own columns beside it."""
        row = await self.sql.fetchrow(
            "select t.*, d.number, d.requester, d.channel, d.root_ts, d.closings, d.not_a_ticket, d.follows"
            " from tickets t join threadesk.desk_tickets d on d.ticket_id = t.id where d.number = $1",
            number,
        )
        assert row is not None, f"there is no ticket #{number}"
        return dict(row)

    async def said(self, number: int = 1) -> list[str]:
        """The words of a ticket's conversation, in order."""
        return [one["content"] for one in (await self.ticket(number))["conversation_history"]["messages"]]

    async def notes(self, number: int = 1) -> list[str]:
        return [one["content"] for one in (await self.ticket(number))["internal_notes"]["notes"]]

    def card(self, number: int = 1) -> Message:
        """The ticket's card, as the triage channel shows it: what is said in its thread may name the number too."""
        cards = [one for one in self.sandbox.messages(self.world.triage) if one.text.startswith(f"#{number} ")]
        assert cards, f"triage shows no card of #{number}"
        return cards[0]

    def thread(self, root: Message, viewer: Person | None = None) -> list[str]:
        """What a thread shows below its root: the text of each message."""
        return [one.text for one in self.sandbox.messages(root.channel, viewer, thread_ts=root.ts)[1:]]


@pytest.fixture
async def office(world: World, database_url: str, sql: asyncpg.Connection) -> AsyncIterator[Office]:
    async with open_office(world, database_url, sql) as opened:
        yield opened


class open_office:  # noqa: N801 - used like a function
    """A desk with other settings than the usual ones."""

    def __init__(
        self, world: World, database_url: str, sql: asyncpg.Connection, *, migrating: bool = False, **changes: Any
    ) -> None:
        self._world, self._sql = world, sql
        settings = world.settings(database_url, **changes)
        self._running = app.running(settings, migrating=migrating, clock=world.clock)

    async def __aenter__(self) -> Office:
        # Ada was asked for her e-mail long ago: what is for her eyes alone would be in every test's way.
        await self._sql.execute(
            "insert into threadesk.email_offers values ($1, $2, now()) on conflict do nothing",
            self._world.ada.team.id,
            self._world.ada.id,
        )
        running = await self._running.__aenter__()
        if self._world.transport == "http":
            self._world.sandbox.deliver_to(f"http://127.0.0.1:{running.port}/slack/events")
        return Office(self._world, running, self._sql)

    async def __aexit__(self, *exc: Any) -> None:
        if self._world.transport == "http":
            self._world.sandbox.deliver_to(None)
        await self._running.__aexit__(*exc)
