"""RETENTION_DAYS: what was said on old closed tickets goes by itself, also from Slack, and nothing else does."""

from __future__ import annotations

import asyncpg
import pytest

from bot.delivery import clock
from bot.settings import SettingsError, load
from tests.conftest import World, open_office
from tests.delivery.test_courier import command, opened, until
from tests.test_privacy import said_by_the_desk, tables_with


async def test_old_closed_tickets_lose_words_and_customer_and_others_keep_them(
    world: World, database_url: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "ERASED_AT_ONCE", 1)
    async with open_office(world, database_url, sql, retention_days=60) as office:
        root = await opened(office, "SECRET question")
        await world.linus.post(
            world.triage, f"{office.sandbox.bot.mention} reply SECRET answer", thread_ts=office.card().ts
        )
        await command(office, "note 1 SECRET note")
        await office.at_rest()
        await command(office, "close 1")
        await world.bob.post(world.help, "SECRET of a ticket with which something is wrong")
        await office.at_rest()
        await command(office, "close 2")
        await opened(office, "An open question")
        await office.at_rest()
        await sql.execute(
            """
            create function fails() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
            create trigger fails before update on tickets for each row
              when (new.title = '(deleted)' and old.title ~ 'wrong') execute function fails();
            """
        )
        world.clock.advance(days=59)
        await opened(office, "A newer question")
        await command(office, "close 4")
        await office.at_rest()
        assert (await office.ticket())["title"] == "SECRET question"

        world.clock.advance(days=2)
        erased = "select count(*) from threadesk.desk_tickets where erased_at is not null"
        await until(lambda: sql.fetchval(f"select ({erased}) = 1"))
        await office.at_rest()
        await sql.execute("drop trigger fails on tickets")
        assert await tables_with(sql, "SECRET question", "SECRET answer", "SECRET note") == []
        assert (await office.ticket())["customer_email"] is None
        assert [(await office.ticket(number))["title"] for number in (3, 4)] == ["An open question", "A newer question"]
        for words in ("SECRET question", "SECRET answer", "SECRET note"):
            assert words not in said_by_the_desk(office)
        assert office.card().text.startswith("#1 (deleted)")
        assert "From *somebody*" in str(office.card().blocks)

        # Whoever writes there again begins a ticket that follows the old one. Slack's time is the real one.
        await sql.execute("update threadesk.desk_tickets set closed_at = closed_at - interval '61 days'")
        await world.ada.post(world.help, "It fails again", thread_ts=root.ts)
        await office.at_rest()
        assert (await office.said(5), (await office.ticket(5))["follows"]) == (
            ["It fails again"],
            (await office.ticket(1))["id"],
        )
        assert "From *Ada Lovelace*" in str(office.card(5).blocks)
    async with open_office(world, database_url, sql, retention_days=60) as office:
        await until(lambda: sql.fetchval(f"select ({erased}) = 2"))
        await office.at_rest()
        assert await tables_with(sql, "SECRET") == []


def test_a_ticket_that_can_be_opened_again_keeps_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BOT_TOKEN", "xoxb-1"), ("SIGNING_SECRET", "s")):
        monkeypatch.setenv(f"SLACK_{name}", value)
    monkeypatch.setenv("RETENTION_DAYS", "30")
    with pytest.raises(SettingsError, match="RETENTION_DAYS must be more than REOPEN_DAYS, which is 30, or 0"):
        load()
    monkeypatch.setenv("REOPEN_DAYS", "7")
    assert load().retention_days == 30
    monkeypatch.setenv("RETENTION_DAYS", "0")
    assert load().retention is None
