"""What figures rest on: the order of the ledger's times, and the hours kept of support channels."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import asyncpg
import pytest

from storage import channels, expected, tickets
from storage.engine import Database

NOW = dt.datetime(2025, 11, 17, 10, tzinfo=dt.UTC)
HOURS = {"days": ["mon"], "opens": "09:00", "closes": "17:00", "zone": "Europe/Berlin"}


async def test_a_tickets_changes_never_go_back_in_time(database: Database, sql: asyncpg.Connection) -> None:
    """The second replica's clock is three seconds behind."""
    async with database.transaction(NOW) as tx:
        await tx.act_as(None, "other")
        made = await tx.run(
            "insert into public.tickets (title, description, status, priority) values ('It fails', '', 'new', 'low')"
            " returning id"
        )
    ticket = UUID(str(made.scalar_one()))
    for behind, status in ((0, "open"), (3, "pending"), (2, "closed"), (-5, "open")):
        async with database.transaction(NOW - dt.timedelta(seconds=behind)) as tx:
            await tx.act_as(None, "desk")
            await tickets.change(tx, ticket, status=status)
    kept = await sql.fetch("select at, status, was from threadesk.ledger where ticket_id = $1 order by id", ticket)
    later = NOW + dt.timedelta(seconds=5)
    assert [tuple(row) for row in kept] == [
        (NOW, "new", None),
        (NOW, "open", "new"),
        (NOW, "pending", "open"),
        (NOW, "closed", "pending"),
        (later, "open", "closed"),
    ]


async def test_working_hours_are_kept_of_a_support_channel(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        await channels.choose_triage(tx, "G1", "triage", suspended=None)
        await channels.choose_support(tx, "C1", "help", "G1")
        assert await channels.working_hours(tx) == {}
        await expected.set_working_hours(tx, "C1", HOURS)
        assert await channels.working_hours(tx) == {"C1": HOURS}
        await expected.set_working_hours(tx, "C1", None)
        assert await channels.working_hours(tx) == {}


async def test_a_triage_channel_has_no_working_hours(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        await channels.choose_triage(tx, "G1", "triage", suspended=None)
        await channels.choose_support(tx, "C1", "help", "G1")
        await expected.set_working_hours(tx, "C1", HOURS)
        await channels.save(tx, channels.Channel("C1", "help", "triage", "every_message", None, None))
        assert await channels.working_hours(tx) == {}
    with pytest.raises(asyncpg.CheckViolationError):
        async with database.transaction(NOW) as tx:
            await expected.set_working_hours(tx, "G1", HOURS)
