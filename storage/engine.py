"""The connection to PostgreSQL and the transaction in which one operation happens."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, LiteralString
from uuid import UUID

import asyncpg
from sqlalchemy import CursorResult, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

CONNECT_SECONDS = 2.0
CHANNEL = "threadesk"

#: What `Database` raises when PostgreSQL cannot be reached or went away in the middle of a transaction.
DatabaseAway = (OSError, TimeoutError, InterfaceError, OperationalError, asyncpg.PostgresConnectionError)


class Transaction:
    """One transaction. Whoever opened it commits; nothing below does."""

    def __init__(self, connection: AsyncConnection, now: dt.datetime) -> None:
        self._connection = connection
        self.now = now

    async def run(self, sql: LiteralString, **values: Any) -> CursorResult[Any]:
        return await self._connection.execute(text(sql), values)

    async def act_as(self, actor: UUID | None, role: str) -> None:
        """Tells the trigger who makes the changes that follow, and when."""
        await self.run(
            "select set_config('threadesk.actor', :actor, true), set_config('threadesk.role', :role, true),"
            " set_config('threadesk.now', :now, true)",
            actor=str(actor) if actor else "",
            role=role,
            now=self.now.isoformat(),
        )


class Database:
    """A pool of connections to the database at a libpq-style URL.

    The URL is read by asyncpg itself, so that `?host=/socket/folder`, `sslmode`, several hosts and a password file
    mean what they mean to psql: https://magicstack.github.io/asyncpg/current/api/index.html#connection
    """

    def __init__(self, url: str, *, connections: int = 10) -> None:
        self._url = url
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self.connect,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=CONNECT_SECONDS,
        )

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """A connection outside the pool, for listening and for locks that outlast a transaction."""
        return await asyncpg.connect(self._url, timeout=CONNECT_SECONDS)

    @asynccontextmanager
    async def transaction(self, now: dt.datetime) -> AsyncIterator[Transaction]:
        async with self._engine.begin() as connection:
            yield Transaction(connection, now)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.connect() as connection:
            yield connection

    async def close(self) -> None:
        await self._engine.dispose()
