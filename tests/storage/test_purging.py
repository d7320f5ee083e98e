"""What is long over is forgotten, a little at a time, and nothing that is still needed."""

from __future__ import annotations

import datetime as dt

import asyncpg
import pytest

from storage import purging
from storage.engine import Database

#: How many of what `old` makes are over.
FORGOTTEN = {"acted": 1, "notices": 4, "digests": 1, "digests_due": 1, "early": 1, "picked": 1}
NOW = dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)


def days_ago(days: int) -> dt.datetime:
    return NOW - dt.timedelta(days=days)


async def purge(database: Database, **how: int) -> dict[str, int]:
    async with database.transaction(NOW) as tx:
        return await purging.purge(tx, **how)


@pytest.fixture
async def old(sql: asyncpg.Connection) -> None:
    await sql.executemany(
        "insert into threadesk.acted (key, at) values ($1, $2)",
        [("view:old", days_ago(8)), ("view:new", days_ago(6)), ("mention:C1:1.0", days_ago(800))],
    )
    await sql.executemany(
        """
        insert into threadesk.notices (key, kind, lane, channel, message, due_at, made_at, sent_at, refused)
        values ($1, 'channel', 'C1', 'C1', '{"text": "words"}', $2, $2, $3, $4)
        """,
        [
            ("left:sent long ago", days_ago(30), days_ago(8), None),
            ("left:sent lately", days_ago(30), days_ago(6), None),
            ("left:waits", days_ago(200), None, None),
            ("left:dropped", days_ago(8), None, "dropped"),
            ("left:suspended", days_ago(8), None, "suspended"),
            ("left:parked", days_ago(80), None, "invalid_blocks"),
            ("left:parked for long", days_ago(91), None, "invalid_blocks"),
            ("digest:2024", days_ago(800), days_ago(800), None),
        ],
    )
    await sql.executemany(
        """
        insert into threadesk.digests_due (triage_channel, channel, zone, period, due_at, try_at, outcome)
        values ('G1', $1, 'UTC', 'today', $2, $2, $3)
        """,
        [
            ("C1", days_ago(91), "posted"),
            ("C1", days_ago(89), "suspended"),
            ("C2", days_ago(91), None),
        ],
    )
    await sql.executemany(
        "insert into threadesk.early (channel, ts, awaits, event, arrived_at) values ('C1', $1, '1.0', '{}', $2)",
        [("1.0", days_ago(91)), ("2.0", days_ago(89))],
    )
    await sql.executemany(
        "insert into threadesk.picked (team_id, slack_id, message, picked_at) values ('T1', $1, '{}', $2)",
        [("U1", days_ago(2)), ("U2", NOW)],
    )


async def test_only_what_is_over_is_forgotten(database: Database, sql: asyncpg.Connection, old: None) -> None:
    assert await purge(database) == FORGOTTEN
    assert await purge(database) == dict.fromkeys(FORGOTTEN, 0)

    async def left(question: str) -> list[str]:
        return [row[0] for row in await sql.fetch(question)]

    assert await left("select key from threadesk.acted order by key") == ["mention:C1:1.0", "view:new"]
    assert await left("select key from threadesk.notices order by key") == [
        "digest:2024",
        "left:parked",
        "left:sent lately",
        "left:waits",
    ]
    assert await left("select key from threadesk.notices where message = '{}'") == ["digest:2024"]
    assert await left("select ts from threadesk.early") == ["2.0"]
    assert await left("select slack_id from threadesk.picked") == ["U2"]


async def test_a_little_is_forgotten_at_a_time(database: Database, old: None) -> None:
    assert await purge(database, batch=3) == FORGOTTEN | {"notices": 3}
    assert await purge(database, batch=3) == dict.fromkeys(FORGOTTEN, 0) | {"notices": 1}
