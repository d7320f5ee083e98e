"""Brings the database's tables up to date, or takes them away again: one process at a time, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from storage import adoption
from storage.engine import Database, session_of

#: Any number will do, as long as no other program takes the same advisory lock.
LOCK = 7_748_211_903
FOLDER = Path(__file__).resolve().parent.parent / "migrations"


class MigrationError(Exception):
    """Why the tables are not up to date, as a sentence; nothing was changed."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def _latest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def known() -> list[str]:
    """Every migration there is, the latest last."""
    return [one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]


def _applied(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table_schema": "threadesk"}).get_current_revision()


async def upgrade(database: Database, *, settling: bool = True) -> str:
    """Runs what is missing; says what the database is at now. MigrationError when PostgreSQL refuses, or where the
    tables that are there already cannot be worked on.

    A role that may change no tables can do this too, where nothing is missing. `settling`: every row of tables that
    were there before is looked at, also where nothing is missing.
    """
    try:
        async with database.connection() as connection, connection.begin():
            await connection.exec_driver_sql(f"select pg_advisory_xact_lock({LOCK})")
            driver = await session_of(connection)
            if await driver.fetchval("select to_regnamespace('threadesk') is null"):
                await connection.exec_driver_sql("create schema threadesk")
            before = await connection.run_sync(_applied)
            if before is None:
                _must_be_none(await adoption.obstacles(driver))
            await connection.run_sync(lambda c: command.upgrade(_config(c), "head"))
            after = await connection.run_sync(_applied) or ""
            if settling or after != before:
                await adoption.settle(driver)
            return after
    except (asyncpg.PostgresError, DBAPIError) as error:
        why = getattr(error, "orig", None) or error
        owner = " Run `python -m bot migrate` as the role that owns them." if _is_forbidden(why) else ""
        raise MigrationError(
            f"The database's tables could not be brought up to date: {why}.{owner} Nothing was changed."
        ) from error


def _must_be_none(obstacles: Sequence[str]) -> None:
    if obstacles:
        raise MigrationError(
            "\n".join(["The desk cannot work on the tables that are there. Nothing was changed.", *obstacles])
        )


def _is_forbidden(error: BaseException) -> bool:
    return bool(getattr(error, "sqlstate", None) == asyncpg.InsufficientPrivilegeError.sqlstate)


async def downgrade(database: Database) -> None:
    """Removes everything that `upgrade` made, the tickets included."""
    async with database.connection() as connection, connection.begin():
        await connection.exec_driver_sql(f"select pg_advisory_xact_lock({LOCK})")
        if await connection.run_sync(_applied):
            await connection.run_sync(lambda c: command.downgrade(_config(c), "base"))
        await connection.exec_driver_sql("drop table if exists threadesk.alembic_version")
        await connection.exec_driver_sql("drop schema if exists threadesk")


async def is_current(database: Database) -> bool:
    async with database.connection() as connection:
        return await connection.run_sync(_applied) == _latest()
