"""The connection to PostgreSQL and the transaction in which one operation happens."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, LiteralString, TypeAlias, cast
from uuid import UUID

import asyncpg
from sqlalchemy import Dialect, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage import lenient

CONNECT_SECONDS = 2.0
TRANSACTION_SECONDS = 60.0
#: Longer than Slack waits for an answer: what a crowd of events has to wait for is then done when Slack sends it again.
#: Who has less time says so when the transaction is opened.
POOL_SECONDS = 10.0
CHANNEL = "threadesk"

#: Prepared statements that a connection keeps: more than the desk has. asyncpg keeps 100 unless told otherwise.
STATEMENTS = 1_000
DIALECT: Dialect = dialect()  # type: ignore[no-untyped-call]

#: SQLSTATE classes of a server that cannot serve now: no connection, rolled back for another transaction's sake (a
#: deadlock), out of resources, an operator's or a system's doing; and the one of a server that is a standby by now.
#: Tried again it may well go through. https://www.postgresql.org/docs/current/errcodes-appendix.html
AWAY = ("08", "40", "53", "57", "58", "25006")


#: Tells the trigger who makes the changes that follow in the same transaction, and when.
ACTING: LiteralString = """
  select set_config('threadesk.actor', :acting, true), set_config('threadesk.role', :acting_role, true),
    set_config('threadesk.now', :acting_now, true)
"""


class DatabaseAway(Exception):  # noqa: N818 - a state of the world, not a mistake
    """PostgreSQL cannot be reached, or went away before the transaction was known to be committed."""


class CommitUnclear(DatabaseAway):
    """PostgreSQL went away while it committed: the transaction may or may not have been done."""


@contextmanager
def telling_away() -> Iterator[None]:
    """DatabaseAway for whatever says so, be it in the words of SQLAlchemy or, on a session of `connect`, of asyncpg."""
    try:
        yield
    except TimeoutError as error:
        raise DatabaseAway("no connection in time") from error
    except (DBAPIError, PoolTimeout) as error:
        _drop_detail(error)
        original = getattr(error, "orig", None)
        state = str(getattr(original, "sqlstate", None) or "")
        lost = isinstance(error, DBAPIError) and error.connection_invalidated
        if lost or isinstance(error, PoolTimeout | InterfaceError) or state.startswith(AWAY):
            raise DatabaseAway(str(original or error)) from error
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _drop_detail(error)
        if _is_away(error):
            raise DatabaseAway(str(error)) from error
        raise
    except asyncpg.InternalClientError as error:
        # PostgreSQL has ended the session and has not hung up yet: nothing can be asked on it any more.
        raise DatabaseAway(str(error)) from error


def _is_away(error: asyncpg.PostgresError | asyncpg.InterfaceError) -> bool:
    match error:
        case asyncpg.DataError():  # a value that PostgreSQL cannot take: a mistake of ours
            return False
        case asyncpg.InterfaceError():
            return True
        case asyncpg.InvalidCachedStatementError():  # the tables were changed under a desk at work; prepared anew
            return True
        case _:
            return str(error.sqlstate or "").startswith(AWAY)


def _drop_detail(error: BaseException | None) -> None:
    """PostgreSQL's DETAIL quotes the row that failed. These are customers' words, and errors are logged."""
    while error is not None:
        error.args = tuple(one.partition("\nDETAIL:")[0] if isinstance(one, str) else one for one in error.args)
        if isinstance(error, asyncpg.PostgresError):
            error.detail = None
        error = error.__cause__ or error.__context__


@contextmanager
def _telling_unclear(committing: Callable[[], bool]) -> Iterator[None]:
    try:
        yield
    except DatabaseAway as error:
        if committing():
            raise CommitUnclear(str(error)) from error
        raise


#: A session of PostgreSQL's, as asyncpg knows it.
Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def session_of(connection: AsyncConnection) -> Session:
    """The same connection, as asyncpg knows it; SQLAlchemy does not hear how it fares meanwhile. A transaction that
    SQLAlchemy has begun begins in PostgreSQL with the first statement that SQLAlchemy runs."""
    raw = (await connection.get_raw_connection()).driver_connection
    return cast("Session", raw)


class Row(asyncpg.Record):  # type: ignore[misc]
    """A row, whose columns are its attributes; `dict(row)` and `**row` are its columns by name."""

    def __getattr__(self, column: str) -> Any:
        try:
            return self[column]
        except KeyError:
            raise AttributeError(column) from None


class Rows(Sequence[Row]):
    """What a statement returned."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def __getitem__(self, place: Any) -> Any:
        return self._rows[place]

    def __len__(self) -> int:
        return len(self._rows)

    def one(self) -> Row:
        (row,) = self._rows
        return row

    def one_or_none(self) -> Row | None:
        return self.one() if self._rows else None

    def scalar_one(self) -> Any:
        return self.one()[0]

    def scalar_one_or_none(self) -> Any | None:
        return self.scalar_one() if self._rows else None

    def scalars(self) -> list[Any]:
        """The first column of each row."""
        return [row[0] for row in self._rows]


@functools.lru_cache(maxsize=STATEMENTS)
def _prepared(sql: LiteralString) -> tuple[str, tuple[str, ...]]:
    """The statement with `$1` in place of `:name`, and the names in that order."""
    compiled = text(sql).compile(dialect=DIALECT)
    return str(compiled), tuple(compiled.positiontup or ())


class Transaction:
    """One transaction. Whoever opened it commits; nothing below does.

    SQLAlchemy keeps the connections and reads the statements, asyncpg itself runs them: that takes a third of the time
    (`make bench`), and the desk asks about little else than statements of its own.
    """

    def __init__(self, connection: asyncpg.Connection[Row], now: dt.datetime) -> None:
        self._connection = connection
        self.now = now

    def as_of(self, at: dt.datetime) -> Transaction:
        """The same transaction, for what is to be found out as if it were another time."""
        return Transaction(self._connection, at)

    async def run(self, sql: LiteralString, **values: Any) -> Rows:
        statement, names = _prepared(sql)
        return Rows(await self._connection.fetch(statement, *(values[name] for name in names), record_class=Row))

    async def act_as(self, actor: UUID | None, role: str) -> None:
        """Tells the trigger who makes the changes that follow, and when."""
        await self.run(ACTING, acting=str(actor) if actor else "", acting_role=role, acting_now=self.now.isoformat())


class Database:
    """A pool of connections to the database at a libpq-style URL.

    The URL is read by asyncpg itself, so that `?host=/socket/folder`, `sslmode`, several hosts and a password file
    mean what they mean to psql: https://magicstack.github.io/asyncpg/current/api/index.html#connection
    """

    def __init__(self, url: str, *, connections: int = 10) -> None:
        self._url = url
        self._connections = connections
        # Whoever comes first is served first: in the pool's own queue a newcomer can take a connection from under the
        # one that was woken for it, who then waits behind all others once more.
        self._turn = asyncio.Semaphore(connections)
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self.connect,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
            json_deserializer=lenient.loads,
            hide_parameters=True,  # they are customers' words, and errors are logged
        )

    async def fill(self) -> None:
        """Opens every connection of the pool, which are then used in turn, so that no crowd has to wait for one.

        What a session does for the first time takes it ten times as long as later: it must have had something to do.
        """
        with telling_away():
            async with AsyncExitStack() as stack:
                for _ in range(self._connections):
                    await stack.enter_async_context(self._turn)
                    await stack.enter_async_context(self._engine.connect())

    async def connect(self, *, named_statements: bool = True) -> Session:
        """A connection outside the pool, for listening and for locks that outlast a transaction."""
        try:
            return await asyncpg.connect(
                self._url, timeout=CONNECT_SECONDS, statement_cache_size=STATEMENTS if named_statements else 0
            )
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DatabaseAway(str(error) or f"no answer within {CONNECT_SECONDS:g} s") from error

    @asynccontextmanager
    async def transaction(self, now: dt.datetime, *, within: float = TRANSACTION_SECONDS) -> AsyncIterator[Transaction]:
        """DatabaseAway after `within` seconds, also where PostgreSQL does not answer at all."""
        committing = False
        async with AsyncExitStack() as stack:
            stack.enter_context(_telling_unclear(lambda: committing))
            stack.enter_context(telling_away())
            async with asyncio.timeout(within) as limit:
                await stack.enter_async_context(self._turn)
                raw = await stack.enter_async_context(self._raw_connection())
            # To cancel a statement would mean to wait for a server that may not answer; a cut connection fails at once.
            cut = asyncio.get_running_loop().call_at(limit.when() or 0, raw.terminate)
            stack.callback(cut.cancel)
            await stack.enter_async_context(raw.transaction())
            yield Transaction(raw, now)
            committing = True

    @asynccontextmanager
    async def _raw_connection(self) -> AsyncIterator[asyncpg.Connection[Row]]:
        """One of the pool's that is open."""
        async with self._engine.connect() as connection:
            raw = cast("asyncpg.Connection[Row]", await session_of(connection))
            while raw.is_closed():
                await connection.invalidate()
                raw = cast("asyncpg.Connection[Row]", await session_of(connection))
            try:
                yield raw
            except asyncpg.ReadOnlySQLTransactionError:
                # Another server has taken over, which a new connection finds; this one stays with the former.
                raw.terminate()
                raise
            finally:
                if not raw.is_closed() and raw.is_in_transaction():
                    # Whoever had it was cancelled while they ended theirs. PostgreSQL ends it where nobody is left.
                    raw.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        with telling_away():
            async with self._engine.connect() as connection:
                yield connection

    async def close(self) -> None:
        await self._engine.dispose()
