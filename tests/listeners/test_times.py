"""Digest times and working hours in the form of set-up: who may set them, what is refused, and what then happens."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from bot.sandbox import Channel
from tests.conftest import Office
from tests.delivery.test_courier import by_desk
from tests.delivery.test_digests import add_leads, at, set_clock, strike
from tests.listeners.test_buttons import forged
from tests.listeners.test_forms import submission
from tests.listeners.test_setup import new_channel, row, set_up

WORK: dict[str, Any] = {
    "work_days": ["mon", "tue", "wed", "thu", "fri"],
    "work_opens": "09:00",
    "work_closes": "17:00",
    "zone": "Europe/Berlin",
}


async def times(office: Office) -> list[tuple[str, ...]]:
    rows = await office.sql.fetch(
        "select triage_channel, channel, cron, zone, period from threadesk.digest_schedules order by cron, period"
    )
    return [tuple(one) for one in rows]


async def go(office: Office, now: dt.datetime) -> None:
    set_clock(office.world, now)
    await strike(office.running.services)
    await office.at_rest()


def digests(office: Office, channel: Channel) -> list[str]:
    texts = (one.text.replace("*", "") for one in by_desk(office, channel))
    return [text.split("\n")[0] for text in texts if "Digest: " in text]


async def test_digest_times_that_an_agent_sets_are_kept_shown_and_done(office: Office) -> None:
    world = office.world
    leads = await add_leads(office.sandbox, world)
    await go(office, at("03-22 08:00"))
    typed = "Every weekday at 9:00 today\nmondays 10:00 week"
    sent = await set_up(
        office, world.grace, world.triage, digest_times=typed, digest_channel=leads, zone="Europe/Berlin"
    )
    assert sent.errors == {}
    place = (world.triage.id, leads.id)
    assert await times(office) == [
        (*place, "0 10 * * 1", "Europe/Berlin", "week"),
        (*place, "0 9 * * 1-5", "Europe/Berlin", "today"),
    ]
    await go(office, at("03-22 09:00"))
    await go(office, at("03-22 10:00"))
    assert digests(office, leads) == ["Digest: Today, 22 Mar 2027", "Digest: Last 7 days, 16 Mar – 22 Mar 2027"]

    await world.grace.command("/ticket", "setup", channel=world.triage)
    assert world.grace.view is not None
    shown = world.grace.view["state"]["values"]
    assert shown["digest_times"]["digest_times"]["value"] == "mondays 10:00 week\nweekdays 9:00 today"
    assert shown["digest_channel"]["digest_channel"]["selected_conversation"] == leads.id
    assert shown["zone"]["zone"]["value"] == "Europe/Berlin"
    await world.grace.submit({"digest_times": "", "digest_channel": None, "zone": ""})
    assert await times(office) == []
    await office.at_rest()
    assert [text for text in said(office, world.triage) if "has set up" in text] == [
        f"{world.grace.mention} has set up <#{world.triage.id}> as a triage channel: {digests}"
        for digests in (
            f"digests mondays 10:00 week, weekdays 9:00 today, in <#{leads.id}> (Europe/Berlin)",
            "no digests at set times",
        )
    ]
    told = await office.sql.fetch(
        "select before ->> 'cron', after ->> 'cron', role from threadesk.settings_ledger where what = 'digest'"
    )
    assert {tuple(one) for one in told} == {
        (None, "0 10 * * 1", "agent"),
        (None, "0 9 * * 1-5", "agent"),
        ("0 10 * * 1", None, "agent"),
        ("0 9 * * 1-5", None, "agent"),
    }


def said(office: Office, channel: Channel) -> list[str]:
    return [one.text for one in by_desk(office, channel)]


async def test_without_a_channel_digests_are_posted_in_the_triage_channel(office: Office) -> None:
    world = office.world
    await go(office, at("03-22 08:00"))
    await set_up(office, world.grace, world.triage, digest_times="daily 9:00 today", zone="UTC")
    await go(office, at("03-22 10:00"))
    assert digests(office, world.triage) == ["Digest: Today, 22 Mar 2027"]


@pytest.mark.parametrize("unfit", ["shared", "customers'", "not invited", "archived"])
async def test_a_channel_that_is_no_place_for_digests_is_refused_at_its_field(office: Office, unfit: str) -> None:
    world = office.world
    leads = await add_leads(office.sandbox, world)
    match unfit:
        case "shared":
            office.sandbox.share(leads, world.ada.team)
        case "customers'":
            leads = await new_channel(office, "help-inside", world.grace, world.ben)
            await set_up(office, world.grace, leads, role="support")
        case "not invited":
            await office.sandbox.kick(leads, office.sandbox.bot)
        case _:
            office.sandbox.archive(leads)
    await office.at_rest()
    changes = {"digest_times": "daily 9:00 today", "zone": "UTC", "digest_channel": leads}
    sent = await set_up(office, world.grace, world.triage, **changes)
    assert list(sent.errors) == ["digest_channel"]
    assert await times(office) == []


async def test_wrong_lines_are_told_at_their_field_and_stay(office: Office) -> None:
    world = office.world
    sent = await set_up(office, world.grace, world.triage, digest_times="weekday 9 today")
    assert sent.errors == {
        "digest_times": "Line 1: “9” is no time: write it as 9:00.",
    }
    sent = await world.grace.submit({"digest_times": "weekdays 9:00 today"})
    assert list(sent.errors) == ["zone"]
    sent = await world.grace.submit({"zone": "Berlin"})
    assert sent.errors == {"zone": "This is no time zone: write one as Europe/Berlin or America/New_York."}
    assert (await world.grace.submit({"zone": "Europe/Berlin"})).errors == {}
    assert len(await times(office)) == 1


async def test_only_agents_of_the_triage_channel_set_its_times(office: Office) -> None:
    """Linus was shown a form of his own channel; the one that he sends names #triage."""
    world = office.world
    ops = await new_channel(office, "ops", world.grace, private=True)
    await set_up(office, world.grace, ops, role="triage")
    await office.sandbox.invite(ops, world.linus, by=world.grace)
    await office.sandbox.kick(world.triage, world.linus)
    await office.at_rest()
    await world.linus.command("/ticket", "setup", channel=ops)
    stolen = submission(world.linus, private_metadata=json.dumps({"channel": world.triage.id}))
    stolen["view"]["state"]["values"]["digest_times"]["digest_times"]["value"] = "daily 9:00 today"
    stolen["view"]["state"]["values"]["zone"]["zone"]["value"] = "UTC"
    status, body = await forged(office, stolen)
    assert (status, list(json.loads(body)["errors"])) == (200, ["role"])
    assert await times(office) == []


async def test_a_channel_that_is_no_triage_channel_any_more_posts_no_digests(office: Office) -> None:
    world = office.world
    ops = await new_channel(office, "ops", world.grace, private=True)
    await set_up(office, world.grace, ops, role="triage", digest_times="daily 9:00 today", zone="UTC")
    assert len(await times(office)) == 1
    await set_up(office, world.grace, ops, role="none")
    assert await times(office) == []


async def test_working_hours_are_set_shown_and_taken_back(office: Office) -> None:
    world = office.world
    await go(office, at("03-26 18:00"))
    assert (await set_up(office, world.grace, world.help, **WORK)).errors == {}
    stored = {"days": WORK["work_days"], "opens": "09:00", "closes": "17:00", "zone": "Europe/Berlin"}
    assert (await row(office, world.help) or {})["working_hours"] == stored
    root = await world.ada.post(world.help, "It fails")
    await office.at_rest()
    assert "we are back" in office.thread(root)[0]

    await world.grace.command("/ticket", "setup", channel=world.help)
    assert world.grace.view is not None
    shown = world.grace.view["state"]["values"]
    assert shown["work_opens"]["work_opens"]["selected_time"] == "09:00"
    assert [one["value"] for one in shown["work_days"]["work_days"]["selected_options"]] == WORK["work_days"]
    assert shown["zone"]["zone"]["value"] == "Europe/Berlin"
    await world.grace.submit({"work_days": [], "work_opens": None, "work_closes": None, "zone": ""})
    await office.at_rest()
    assert (await row(office, world.help) or {})["working_hours"] is None
    assert "we are back" not in office.thread(root)[0]
    told = await office.sql.fetch(
        "select after from threadesk.settings_ledger where what = 'working_hours' order by id"
    )
    assert [one["after"] for one in told] == [stored, None]
    in_triage = [text for text in said(office, world.triage) if "has set up" in text]
    assert in_triage[0].endswith(" · at work Mon, Tue, Wed, Thu, Fri 09:00–17:00 (Europe/Berlin)")
    assert "at work" not in in_triage[1]


async def test_hours_without_a_time_are_refused_at_the_field(office: Office) -> None:
    sent = await set_up(office, office.world.grace, office.world.help, **WORK | {"work_closes": None})
    assert sent.errors == {"work_closes": "Say the time too, or choose no days."}


async def test_a_channel_that_is_left_alone_has_no_working_hours(office: Office) -> None:
    world = office.world
    await set_up(office, world.grace, world.help, **WORK)
    await set_up(office, world.grace, world.help, role="none")
    assert (await row(office, world.help) or {})["working_hours"] is None


async def test_times_follow_a_channel_that_is_given_another_id(office: Office) -> None:
    world = office.world
    leads = await add_leads(office.sandbox, world)
    changes = {"digest_times": "daily 9:00 today", "zone": "UTC", "digest_channel": leads}
    await set_up(office, world.grace, world.triage, **changes)
    office.sandbox.share(leads, world.ada.team, new_id=True)
    await office.at_rest()
    assert [one[1] for one in await times(office)] == [leads.id]
