"""The channels that the desk serves."""

from __future__ import annotations

import datetime as dt

from storage import channels, notices
from storage.engine import Database

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
