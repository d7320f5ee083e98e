"""Whether a database is fit for the desk. Only looks: nothing is changed, and any kind of pooler may stand between."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from storage import migrate, rights
from storage.engine import Database, DatabaseAway, Session, telling_away

OLDEST = 140_000

Missing = Literal["server", "login", "database", "certificate"]
Role = Literal["support", "triage"]


@dataclass(frozen=True, slots=True)
class SetUp:
    """A channel that the desk serves, or in which digests of a triage channel are posted at set times.

    `name`: the id of one that the desk does not know otherwise.
    """

    id: str
    name: str
    role: Role | Literal["digest"]


@dataclass(frozen=True, slots=True)
class Examined:
    """`version` as PostgreSQL says it. `tables`: at which migration they are, None: there are none, or the role may
    not look (`hidden`); `ahead`: at one that this version of the desk does not know. `forbidden`: what the role may
    not do; `unseen`: tables of which it does not see every row. `clock`: the seconds by which the server's clock is
    ahead of ours. `channels`: those that are served, triage channels first.
    """

    version: str
    old: bool
    pooled_by_transaction: bool
    tables: str | None
    hidden: bool
    latest: str
    ahead: bool
    forbidden: tuple[str, ...]
    unseen: tuple[str, ...]
    clock: float
    channels: tuple[SetUp, ...] = ()


def what_is_missing(error: DatabaseAway) -> Missing:
    """Why there was no connection: https://www.postgresql.org/docs/current/errcodes-appendix.html"""
    if isinstance(error.__cause__, ssl.SSLError):
        return "certificate"
    state = str(getattr(error.__cause__, "sqlstate", None) or "")
    if state.startswith("28"):
        return "login"
    return "database" if state == "3D000" else "server"


async def examine(database: Database) -> Examined:
    """DatabaseAway where it cannot be reached."""
    async with _two(database) as (one, other):
        return await _examine(one, other)


async def is_pooled_by_transaction(database: Database) -> bool:
    """DatabaseAway where it cannot be reached."""
    async with _two(database) as (one, other):
        return await _pooled_by_transaction(one, other)


@asynccontextmanager
async def _two(database: Database) -> AsyncIterator[tuple[Session, Session]]:
    # Without named statements: behind a transaction pooler the next transaction may not know them.
    one = await database.connect(named_statements=False)
    try:
        other = await database.connect(named_statements=False)
        try:
            with telling_away():
                yield one, other
        finally:
            other.terminate()
    finally:
        one.terminate()


async def _examine(one: Session, other: Session) -> Examined:
    pooled = await _pooled_by_transaction(one, other)
    async with one.transaction(readonly=True):
        number = int(await one.fetchval("select current_setting('server_version_num')"))
        version = str(await one.fetchval("select current_setting('server_version')")).split()[0]
        before = time.time()
        theirs = float(await one.fetchval("select extract(epoch from clock_timestamp())::float8"))
        clock = theirs - (before + time.time()) / 2
        known, tables, forbidden = migrate.known(), None, await rights.forbidden(one)
        hidden = "select from threadesk.alembic_version" in forbidden
        if not hidden and await _has_tables(one):
            tables = await one.fetchval("select version_num from threadesk.alembic_version")
        if not hidden and tables != known[-1]:
            forbidden += await rights.cannot_make(one)
        unseen = await rights.hidden(one)
        channels = await _channels(one) if tables == known[-1] else ()
    return Examined(
        version=version,
        old=number < OLDEST,
        pooled_by_transaction=pooled,
        tables=tables,
        hidden=hidden,
        latest=known[-1],
        ahead=tables is not None and tables not in known,
        forbidden=tuple(forbidden),
        unseen=tuple(each.table for each in unseen),
        clock=clock,
        channels=channels,
    )


async def _channels(one: Session) -> tuple[SetUp, ...]:
    found = await one.fetch(
        """
        select id, name, role, chosen_at from threadesk.channels where role <> 'none'
        union select s.channel, coalesce(c.name, s.channel), 'digest', null::timestamptz
        from threadesk.digest_schedules s left join threadesk.channels c on c.id = s.channel
        where s.channel <> s.triage_channel
        order by role desc, chosen_at, id
        """
    )
    return tuple(SetUp(row["id"], row["name"], row["role"]) for row in found)


async def _pooled_by_transaction(one: Session, other: Session) -> bool:
    """Whether two transactions of one client are served by different sessions, or two clients by the same one."""
    async with one.transaction(readonly=True):
        first = await one.fetchval("select pg_backend_pid()")
    async with other.transaction(readonly=True):
        theirs = await other.fetchval("select pg_backend_pid()")
        # The session that served before may be taken now.
        async with one.transaction(readonly=True):
            second = await one.fetchval("select pg_backend_pid()")
    return bool(first == theirs or first != second)


async def _has_tables(one: Session) -> bool:
    found = "select from pg_class where relname = 'alembic_version' and relnamespace = to_regnamespace('threadesk')"
    return bool(await one.fetchval(f"select exists ({found})"))
