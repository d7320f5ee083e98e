"""The operation behind a message, without Bolt and HTTP: how long it takes, and how often it asks PostgreSQL."""

from __future__ import annotations

import datetime as dt
import statistics
import time
from dataclasses import dataclass

import asyncpg

from bot.tickets import conversation
from bot.tickets.arrivals import MessageArrived
from bot.tickets.desk import Desk
from storage.engine import Database

SIZES = (10, 100, 1_000)
APPENDS = 30


@dataclass(frozen=True, slots=True)
class Place:
    """A support channel of a desk, and a customer in it."""

    team: str
    channel: str
    author: str

    def message(self, thread_ts: str | None = None) -> MessageArrived:
        now = time.time_ns() // 1000
        return MessageArrived(
            channel=self.channel,
            ts=f"{now // 1_000_000}.{now % 1_000_000:06d}",
            thread_ts=thread_ts,
            team=self.team,
            author=self.author,
            text="The export stops half-way, can you have a look?",
        )


async def appends(url: str, place: Place) -> dict[int, float]:
    """The median milliseconds of an append to a ticket with so many messages, committed."""
    database = Database(url)
    found = {}
    for size in SIZES:
        root = place.message()
        await _take_in(database, root)
        for _ in range(size - 1):
            await _take_in(database, place.message(root.ts))
        found[size] = statistics.median([await _take_in(database, place.message(root.ts)) for _ in range(APPENDS)])
    await database.close()
    return found


async def round_trips(url: str, place: Place) -> dict[str, float]:
    """The statements of a customer's message in a thread, BEGIN and COMMIT among them, and how many of each."""
    database = Database(url)
    root = place.message()
    await _take_in(database, root)
    counter = await Statements.counting(url)
    for _ in range(APPENDS):
        await _take_in(database, place.message(root.ts))
    found = await counter.read()
    await database.close()
    return {query: calls / APPENDS for query, calls in found.items() if calls >= APPENDS}


async def _take_in(database: Database, message: MessageArrived) -> float:
    began = time.perf_counter()
    async with database.transaction(dt.datetime.now(dt.UTC)) as tx:
        await conversation.take_in(tx, desk_of(message.team), message)
    return (time.perf_counter() - began) * 1000


def desk_of(team: str) -> Desk:
    return Desk(
        team_id=team,
        team_url="https://acme.slack.com/",
        bot_user="U0BOT",
        digest_channel=None,
        undo=dt.timedelta(seconds=10),
        grouping=dt.timedelta(0),
        reopening=dt.timedelta(days=30),
    )


class Statements:
    """Statements by number of calls: https://www.postgresql.org/docs/18/pgstatstatements.html"""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection

    @classmethod
    async def counting(cls, url: str) -> Statements:
        connection = await asyncpg.connect(url)
        await connection.execute("create extension if not exists pg_stat_statements")
        await connection.execute("select pg_stat_statements_reset()")
        return cls(connection)

    async def read(self) -> dict[str, int]:
        rows = await self._connection.fetch(
            "select query, sum(calls)::int as calls from pg_stat_statements"
            # What a foreign key asks at commit is no round trip.
            " where query not like '%pg_stat_statements%' and query not like 'SELECT 1 FROM ONLY%'"
            " group by query order by calls desc"
        )
        await self._connection.close()
        return {" ".join(row["query"].split()): row["calls"] for row in rows}
