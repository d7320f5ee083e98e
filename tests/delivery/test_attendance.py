"""Out of working hours the status message says when somebody is back, and says so no more when they are."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.sandbox import Message
from bot.tickets import attendance
from bot.tickets.hours import WorkingHours
from tests.conftest import Office
from tests.delivery.test_courier import by_desk, command, opened
from tests.delivery.test_digests import set_clock, strike

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE: dict[str, Any] = {
    "days": ["mon", "tue", "wed", "thu", "fri"],
    "opens": "09:00",
    "closes": "17:00",
    "zone": "Europe/Berlin",
}


def at(written: str) -> dt.datetime:
    """In a week whose Friday is the 26th."""
    return dt.datetime.fromisoformat(f"2027-03-{written}").replace(tzinfo=BERLIN)


def back(when: dt.datetime) -> str:
    return f"we are back <!date^{int(when.timestamp())}^{{date_long_pretty}} at {{time}}|"


async def go(office: Office, now: dt.datetime) -> None:
    set_clock(office.world, now)
    await strike(office.running.services)
    await office.at_rest()


async def set_hours(office: Office, **changes: Any) -> None:
    async with office.running.services.transaction() as tx:
        hours = WorkingHours.model_validate(OFFICE | changes)
        await attendance.set_hours(tx, office.world.help.id, hours)
    await office.at_rest()


def status(office: Office, root: Message) -> str:
    (said,) = [one.text for one in by_desk(office, root.channel) if "Ticket #" in one.text]
    return said


async def test_out_of_hours_the_customer_is_told_when_somebody_is_back_until_they_are(office: Office) -> None:
    await go(office, at("26 18:00"))
    await set_hours(office)
    root = await opened(office)
    assert back(at("29 09:00")) in status(office, root)
    await go(office, at("29 08:59:59"))
    assert "we are back" in status(office, root)
    await go(office, at("29 09:00"))
    assert status(office, root) == "Ticket #1 · *🔵 New* · nobody is on it yet"
    assert await office.sql.fetchval("select count(*) from threadesk.told_back") == 0


async def test_what_is_answered_does_not_wait_for_anybody(office: Office) -> None:
    await go(office, at("26 18:00"))
    await set_hours(office)
    root = await opened(office)
    await command(office, "reply 1 Here you are")
    await go(office, at("26 18:01"))
    assert "we are back" not in status(office, root)
    await command(office, "close 1")
    await go(office, at("26 18:02"))
    assert "we are back" not in status(office, root)
    await command(office, "reopen 1")
    await go(office, at("26 18:03"))
    assert back(at("29 09:00")) in status(office, root)
    await go(office, at("29 09:00"))
    assert await office.sql.fetchval("select count(*) from threadesk.told_back") == 0


async def test_in_hours_and_where_none_are_set_nothing_is_said_of_them(office: Office) -> None:
    await go(office, at("26 18:00"))
    root = await opened(office)
    assert "we are back" not in status(office, root)
    await set_hours(office)
    await go(office, at("29 10:00"))
    await office.world.ada.post(root.channel, "Hello?", thread_ts=root.ts)
    await office.at_rest()
    assert "we are back" not in status(office, root)


async def test_other_hours_are_told_at_once_to_those_who_were_told(office: Office) -> None:
    await go(office, at("26 18:00"))
    await set_hours(office)
    root = await opened(office)
    await set_hours(office, days=["sat"], opens="10:00")
    assert back(at("27 10:00")) in status(office, root)
    async with office.running.services.transaction() as tx:
        await attendance.set_hours(tx, office.world.help.id, None)
    await office.at_rest()
    assert "we are back" not in status(office, root)


async def test_it_is_changed_in_place_also_when_no_desk_ran_when_hours_began(office: Office) -> None:
    await go(office, at("26 18:00"))
    await set_hours(office)
    root = await opened(office)
    posts = len(office.world.help.posts)
    set_clock(office.world, at("29 11:00"))
    await asyncio.gather(*(strike(office.running.services) for _ in range(3)))
    await office.at_rest()
    assert "we are back" not in status(office, root)
    assert len(office.world.help.posts) == posts


@pytest.mark.parametrize("wrong", ['"zone": "Nowhere"', '"days": ["someday"]', '"opens": "soon"'])
async def test_hours_that_another_program_has_written_wrong_promise_nothing(office: Office, wrong: str) -> None:
    await go(office, at("26 18:00"))
    await set_hours(office)
    await office.sql.execute(
        f"update threadesk.channels set working_hours = working_hours || '{{{wrong}}}' where role = 'support'"
    )
    root = await opened(office)
    assert status(office, root) == "Ticket #1 · *🔵 New* · nobody is on it yet"
