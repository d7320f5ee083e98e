"""What a failed transaction says, and what it does not."""

from __future__ import annotations

import asyncio
import datetime as dt
import traceback

import asyncpg
import pytest

from storage.engine import CommitUnclear, Database, DatabaseAway

NOW = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)


async def test_an_error_does_not_quote_the_row_that_failed(database: Database) -> None:
    """https://www.postgresql.org/docs/current/error-message-reporting.html: DETAIL is "Failing row contains …"."""
    with pytest.raises(asyncpg.CheckViolationError, match="violates") as failed:
        async with database.transaction(NOW) as tx:
            await tx.run(
                "insert into tickets (title, description, status, priority) values (:words, :words, 'odd', 'low')",
                words="SECRET\nWORDS",
            )
    logged = "".join(traceback.format_exception(failed.value))
    assert "violates check constraint" in logged
    assert "Failing row" not in logged
    assert "WORDS" not in logged


async def test_a_connection_lost_before_the_commit_has_done_nothing(
    database: Database, sql: asyncpg.Connection
) -> None:
    with pytest.raises(DatabaseAway) as lost:
        async with database.transaction(NOW) as tx:
            await tx.run("select pg_terminate_backend(pg_backend_pid())")
    assert not isinstance(lost.value, CommitUnclear)


async def test_a_connection_lost_during_the_commit_leaves_open_what_was_done(
    database: Database, sql: asyncpg.Connection
) -> None:
    await sql.execute(
        """
        create table doomed ();
        create function die() returns trigger language plpgsql as
          $$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(10); return null; end $$;
        create constraint trigger dies after insert on doomed deferrable initially deferred
          for each row execute function die();
        """
    )
    with pytest.raises(CommitUnclear):
        async with database.transaction(NOW) as tx:
            await tx.run("insert into doomed default values")


async def test_what_postgresql_rolls_back_for_another_transaction_may_be_tried_again(database: Database) -> None:
    with pytest.raises(DatabaseAway, match="deadlock detected"):
        async with database.transaction(NOW) as tx:
            await tx.run("do $$ begin raise exception using errcode = '40P01', message = 'deadlock detected'; end $$")


async def test_whoever_comes_first_gets_a_connection_first(database_url: str) -> None:
    database, crowd, order = Database(database_url, connections=1), range(200), list[int]()

    async def use(place: int) -> None:
        async with database.transaction(NOW) as tx:
            order.append(place)
            await tx.run("select 1")

    async with asyncio.TaskGroup() as group:
        for place in crowd:
            # Some come while a connection is being given back, before the one who waited for it has woken.
            group.create_task(use(place))
            await asyncio.sleep(0)
    assert order == list(crowd)
    await database.close()


async def test_a_connection_is_given_back_without_a_transaction(database_url: str) -> None:
    """Who is cancelled again while what they began is rolled back leaves nothing behind that holds locks."""
    database = Database(database_url, connections=1)

    async def wait() -> None:
        async with database.transaction(NOW) as tx:
            await tx.run("select pg_sleep(10)")

    for _ in range(3):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        async with database.transaction(NOW) as tx:
            assert (await tx.run("select 1")).scalar_one() == 1
    await database.close()


async def test_a_filled_pool_uses_its_connections_in_turn(database_url: str) -> None:
    """So each has had something to do before a crowd needs all of them."""
    database = Database(database_url, connections=3)
    try:
        await database.fill()
        used = []
        for _ in range(6):
            async with database.transaction(NOW) as tx:
                used.append((await tx.run("select pg_backend_pid()")).scalar_one())
        assert len(set(used)) == 3
        assert used[:3] == used[3:]
    finally:
        await database.close()


async def test_a_pool_is_not_filled_where_there_is_no_database() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(DatabaseAway):
        await database.fill()
    await database.close()
