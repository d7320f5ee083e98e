"""The channels that the desk serves."""

from __future__ import annotations

import datetime as dt
from uuid import uuid4

from storage import channels, notices
from storage.engine import Database, Transaction

NOW = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)


async def test_members_who_are_not_named_any_more_have_gone(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        await channels.choose_triage(tx, "C1", "triage", suspended=None)
        assert await channels.set_members(tx, "C1", [("T1", "U1"), ("T1", "U2")]) == []
        assert await channels.set_members(tx, "C1", [("T1", "U2"), ("T1", "U3")]) == [("T1", "U1")]
        assert await channels.all_members(tx) == [("T1", "U2"), ("T1", "U3")]
        assert await channels.set_members(tx, "C1", []) == [("T1", "U2"), ("T1", "U3")]


async def test_what_waits_to_be_said_in_a_suspended_channel_is_not_said(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        await channels.choose_triage(tx, "C1", "triage", suspended=None)
        await notices.add(tx, "digest:1", "channel", {"text": "3 tickets"}, channel="C1")
        await notices.add(tx, "digest:2", "channel", {"text": "3 tickets"}, channel="C2")
        await channels.suspend(tx, "C1", "it is public")
        refused = await tx.run("select key from threadesk.notices where refused is not null")
        assert refused.scalars() == ["digest:1"]
        assert await channels.default_triage(tx) is None
        await channels.resume(tx, "C1")
        assert (await channels.default_triage(tx)) is not None


async def test_only_triage_channels_are_locked_for_a_check(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        await channels.choose_triage(tx, "C1", "triage", suspended=None)
        await channels.choose_support(tx, "C2", "help", "C1")
        assert (await channels.lock_triage(tx, "C1")) == await channels.find(tx, "C1")
        assert await channels.lock_triage(tx, "C2") is None
        assert await channels.lock_triage(tx, "C9") is None


async def support(tx: Transaction) -> list[str]:
    return [one.id for one in await channels.served(tx, "support")]


async def test_a_channel_that_no_replica_names_any_more_is_not_served(database: Database) -> None:
    """One replica is killed; its names run out. A channel that was never named by one is none of theirs."""
    killed, living = uuid4(), uuid4()
    async with database.transaction(NOW) as tx:
        await channels.choose_triage(tx, "C1", "triage", suspended=None)
        for channel in ("C2", "C3", "C4"):
            await channels.choose_support(tx, channel, channel, "C1")
        await channels.name_support(tx, killed, ["C2", "C3"], seconds=60)
        await channels.name_support(tx, living, ["C2"], seconds=60)
        assert await support(tx) == ["C2", "C3", "C4"]
        await tx.run("update threadesk.named set until = clock_timestamp() where replica = :killed", killed=killed)
        await channels.name_support(tx, living, ["C2"], seconds=60)
        assert await support(tx) == ["C2", "C4"]


async def test_the_last_replica_that_stops_takes_nothing_away(database: Database) -> None:
    first, second = uuid4(), uuid4()
    async with database.transaction(NOW) as tx:
        await channels.choose_triage(tx, "C1", "triage", suspended=None)
        await channels.choose_support(tx, "C2", "help", "C1")
        await channels.name_support(tx, first, ["C2"], seconds=60)
        await channels.withdraw(tx, first)
        assert await support(tx) == ["C2"]
        await channels.name_support(tx, second, ["C3"], seconds=60)
        assert await support(tx) == []
