"""Digests at set times: each posted once, late after a gap and saying so, and nowhere that customers read."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from bot.delivery import triage
from bot.delivery.clock import Clock
from bot.sandbox import Channel
from bot.sandbox.sandbox import Sandbox
from bot.services import Services
from bot.tickets import schedules, timetable
from bot.tickets.places import Found
from storage import channels, people, showing
from storage import schedules as rows
from storage.engine import Database
from tests.conftest import Office, World
from tests.delivery.test_courier import by_desk, until
from tests.test_replicas import Replicas, replicas, two
from tests.tickets.test_digest import Desk

__all__ = ["replicas"]

BERLIN, SYDNEY = "Europe/Berlin", "Australia/Sydney"
HOUR = dt.timedelta(hours=1)
#: Clocks go forward in Berlin on the first Sunday after it, and back in Sydney on the second.
MONDAY = dt.datetime(2027, 3, 22, tzinfo=ZoneInfo(BERLIN))


def at(written: str, zone: str = BERLIN) -> dt.datetime:
    return dt.datetime.fromisoformat(f"2027-{written}").replace(tzinfo=ZoneInfo(zone))


def set_clock(world: World, now: dt.datetime) -> None:
    world.clock.ahead = now - dt.datetime.now(dt.UTC)


@dataclass
class Leads:
    """A desk whose triage channel's digests are posted in #leads."""

    office: Office
    leads: Channel

    @property
    def world(self) -> World:
        return self.office.world

    async def set(self, lines: str, channel: Channel | None = None) -> None:
        services = self.office.running.services
        async with services.transaction() as tx:
            grace = await people.meet(tx, services.desk.team_id, self.world.grace.id)
            where = found(channel or self.leads)
            await schedules.change(tx, grace, self.world.triage.id, where, BERLIN, timetable.parsed(lines))

    async def go(self, now: dt.datetime, *, waiting: int = 0) -> None:
        """Until the desk has done what is due, but for so many digests."""
        set_clock(self.world, now)
        await strike(self.office.running.services)
        await settled(self.office, waiting)

    def posted(self) -> list[list[str]]:
        """The first two lines of each digest in #leads."""
        texts = (one.text.replace("*", "") for one in by_desk(self.office, self.leads))
        return [text.split("\n")[:2] for text in texts if text.startswith("Digest: ")]

    def told(self) -> list[str]:
        """What the agents were told of #leads."""
        said = (one.text for one in by_desk(self.office, self.world.triage))
        return [text.replace(f"<#{self.leads.id}>", "#leads") for text in said if self.leads.id in text]


def found(channel: Channel) -> Found:
    """The channel as Slack describes it when it is chosen."""
    return Found(channel.id, channel.name, private=True, shared=False, archived=False, member=True)


async def strike(*services: Services) -> None:
    """As the clocks of so many desks do, each a second late at most."""
    await asyncio.gather(*(Clock(each).strike() for each in services))


async def settled(office: Office, waiting: int = 0) -> None:
    """One of the desks may be about to post what another one has left to it."""
    question = "select count(*) = $1 from threadesk.digests_due where outcome is null"
    await until(lambda: office.sql.fetchval(question, waiting))
    await office.at_rest()


async def open_ticket(database: Database, world: World, now: dt.datetime) -> None:
    """One without a thread of its customer's, such as other programs open."""
    await Desk(database, world.triage.id).open(now, channel=None, root_ts=None)


async def add_leads(sandbox: Sandbox, world: World) -> Channel:
    return await sandbox.add_channel("leads", private=True, members=[world.grace, sandbox.bot])


@pytest.fixture
async def leads(office: Office) -> Leads:
    made = Leads(office, await add_leads(office.sandbox, office.world))
    await made.go(MONDAY + 8 * HOUR)
    return made


Step = Callable[[Leads], Awaitable[None]]
TODAY = "Digest: Today, 22 Mar 2027"
SUSPENDED = (
    "⚠️ Digests at set times are not posted in #leads: {}. When that is over they go on by themselves; those that fall"
    " due until then are left out."
)
RESUMED = "Digests at set times are posted in #leads again."


async def test_a_digest_is_posted_at_its_time(leads: Leads) -> None:
    await leads.set("weekdays 9:00 today")
    await leads.go(at("03-22 08:59:59"))
    assert leads.posted() == []
    await leads.go(at("03-22 09:00"))
    assert [heading for heading, _ in leads.posted()] == [TODAY]
    assert "late" not in str(leads.posted())
    await leads.go(at("03-22 23:00"))
    assert len(leads.posted()) == 1


async def test_one_that_is_late_says_so_and_counts_until_its_own_time(leads: Leads) -> None:
    await leads.set("weekdays 9:00 today")
    database = leads.office.running.services.database
    for time in ("08:30", "10:30"):
        await open_ticket(database, leads.world, at(f"03-22 {time}"))
    await leads.go(at("03-22 11:42"))
    (posted,) = leads.posted()
    assert posted == [
        TODAY,
        "⏰ For 09:00, posted late at 11:42. Who waits, and what agents have on their hands, is as of now.",
    ]
    (digest,) = by_desk(leads.office, leads.leads)
    assert "*Opened* 1 " in digest.text


async def test_a_digest_that_was_missed_for_days_says_of_which_day_it_is(leads: Leads) -> None:
    await leads.set("mondays 9:00 week")
    await leads.go(at("03-25 11:42"))
    (posted,) = leads.posted()
    assert posted[1].startswith("⏰ For Mon 22 Mar 09:00, posted late on Thu 25 Mar 11:42. ")


async def test_of_many_that_were_missed_the_latest_are_posted_and_how_many_are_left_out_is_said(leads: Leads) -> None:
    await leads.set("daily 9:00 today")
    await leads.go(at("03-31 10:00"))
    headings, late = zip(*leads.posted(), strict=True)
    assert list(headings) == [f"Digest: Today, {day} Mar 2027" for day in range(25, 32)]
    assert "3 more before it were missed too and are left out." in late[0]
    assert "left out" not in "".join(late[1:])


async def archive(leads: Leads) -> None:
    leads.office.sandbox.archive(leads.leads)


async def unarchive(leads: Leads) -> None:
    leads.leads.archived = False


async def share(leads: Leads) -> None:
    leads.office.sandbox.share(leads.leads, leads.world.ada.team)


async def unshare(leads: Leads) -> None:
    leads.leads.shared_with.clear()


async def remove(leads: Leads) -> None:
    await leads.office.sandbox.kick(leads.leads, leads.office.sandbox.bot)


async def invite(leads: Leads) -> None:
    await leads.office.sandbox.invite(leads.leads, leads.office.sandbox.bot, by=leads.world.grace)


async def make_customers(leads: Leads) -> None:
    async with leads.office.running.services.transaction() as tx:
        await channels.choose_support(tx, leads.leads.id, "leads", leads.world.triage.id)


async def make_ours(leads: Leads) -> None:
    await leads.office.sql.execute("delete from threadesk.channels where id = $1", leads.leads.id)


@pytest.mark.parametrize(
    ("lost", "regained", "why"),
    [
        (archive, unarchive, "it is archived"),
        (share, unshare, "it is shared with another company"),
        (remove, invite, "Slack does not show it to the desk (channel_not_found)"),
        (make_customers, make_ours, "customers write there"),
    ],
    ids=["archived", "shared", "removed", "customers'"],
)
async def test_where_no_digest_belongs_none_is_posted_and_the_agents_hear_so_once(
    leads: Leads, lost: Step, regained: Step, why: str
) -> None:
    await leads.set("daily 9:00 today")
    await leads.go(at("03-22 09:00"))
    await lost(leads)
    for day in (23, 24, 25):
        await leads.go(at(f"03-{day} 09:00"))
    assert len(leads.posted()) == 1
    assert leads.told() == [SUSPENDED.format(why)]
    await regained(leads)
    await leads.go(at("03-25 12:00"))
    for day in (26, 27):
        await leads.go(at(f"03-{day} 09:00"))
    assert [heading for heading, _ in leads.posted()] == [f"Digest: Today, {day} Mar 2027" for day in (22, 26, 27)]
    assert leads.told() == [SUSPENDED.format(why), RESUMED]


async def test_a_triage_channel_that_others_read_gets_no_digest(leads: Leads) -> None:
    world = leads.world
    await leads.set("daily 9:00 today", channel=world.triage)
    leads.office.sandbox.share(world.triage, world.ada.team)
    await leads.office.at_rest()
    await leads.go(at("03-22 09:00"))
    assert "Digest: " not in str([one.text for one in world.triage.posts.values()])


async def test_a_channel_that_is_shared_while_a_digest_is_on_its_way_does_not_get_it(leads: Leads) -> None:
    sql, services = leads.office.sql, leads.office.running.services
    await leads.set("daily 9:00 today")
    await sql.execute(
        "insert into threadesk.lanes (lane, free_at) values ($1, now() + interval '1 hour')", leads.leads.id
    )
    set_clock(leads.world, at("03-22 09:00"))
    await strike(services)
    await until(lambda: sql.fetchval("select count(*) = 1 from threadesk.notices where key like 'scheduled:%'"))
    await share(leads)
    await sql.execute("update threadesk.lanes set free_at = now()")
    async with services.transaction() as tx:
        await showing.wake(tx)
    await leads.office.at_rest()
    assert leads.posted() == []
    assert await sql.fetchval("select refused from threadesk.notices where key like 'scheduled:%'") == "suspended"
    await leads.go(at("03-23 09:00"))
    assert leads.told() == [SUSPENDED.format("it is shared with another company")]


async def test_a_digest_that_is_asked_for_has_the_days_of_the_zone_that_is_set(leads: Leads) -> None:
    await leads.set("daily 9:00 today")
    await leads.go(at("03-23 00:30"))
    await leads.world.grace.command("/ticket", "digest today", channel=leads.world.triage)
    await leads.office.at_rest()
    (asked,) = [one.text for one in by_desk(leads.office, leads.world.triage) if one.text.startswith("*Digest")]
    assert asked.startswith("*Digest: Today, 23 Mar 2027*\nEurope/Berlin time")


async def test_while_slack_does_not_answer_a_digest_waits_and_is_then_late(leads: Leads) -> None:
    await leads.set("daily 9:00 today")
    leads.office.sandbox.disrupt("conversations.info", "http_500")
    await leads.go(at("03-22 09:00"), waiting=1)
    assert leads.posted() == []
    await leads.go(at("03-22 09:05"))
    ((heading, late),) = leads.posted()
    assert (heading, late[:36]) == (TODAY, "⏰ For 09:00, posted late at 09:05. W")


async def test_a_digest_whose_desk_was_killed_over_it_is_posted_by_another(leads: Leads) -> None:
    await leads.set("daily 9:00 today")
    set_clock(leads.world, at("03-22 09:00"))
    async with leads.office.running.services.transaction() as tx:
        await schedules.take_due(tx)
        assert await rows.claim(tx, seconds=60) is not None
    await leads.go(at("03-22 09:00:30"), waiting=1)
    assert leads.posted() == []
    await leads.go(at("03-22 09:01:01"))
    assert len(leads.posted()) == 1


async def test_a_schedule_that_another_program_has_written_wrong_holds_nobody_up(leads: Leads) -> None:
    await leads.set("daily 9:00 today\ndaily 9:00 week\nmondays 9:00 month")
    await leads.office.sql.execute("update threadesk.digest_schedules set zone = 'Nowhere' where period = 'week'")
    await leads.office.sql.execute("update threadesk.digest_schedules set cron = '0 99 * * *' where period = 'month'")
    await leads.go(at("03-22 09:00"))
    await leads.go(at("03-23 09:00"))
    assert [heading for heading, _ in leads.posted()] == [TODAY, "Digest: Today, 23 Mar 2027"]


async def test_working_hours_that_another_program_has_written_wrong_hold_no_digest_up(leads: Leads) -> None:
    await leads.set("daily 9:00 today")
    help_channel, sql = leads.world.help.id, leads.office.sql
    await sql.execute(
        "update threadesk.channels set working_hours = $2 where id = $1",
        help_channel,
        {"days": ["someday"], "opens": "9", "closes": "5", "zone": "here"},
    )
    await leads.go(at("03-22 09:00"))
    assert [heading for heading, _ in leads.posted()] == [TODAY]
    (digest,) = by_desk(leads.office, leads.leads)
    assert f"⚠️ All time counts in <#{help_channel}>: the working hours there were written wrong" in digest.text


#: The fortnight: when each digest was posted, as the clocks of its channel's people have it; its period; how many
#: tickets were opened in that; and when it was due, where it was late.
OF_LEADS = [
    ("Mon 22 Mar 09:00", "Today, 22 Mar 2027", 1, None),
    ("Tue 23 Mar 09:00", "Today, 23 Mar 2027", 0, None),
    # From Tuesday 18:00 to Thursday 11:42 no desk runs.
    ("Thu 25 Mar 11:42", "Today, 24 Mar 2027", 1, "Wed 24 Mar 09:00, posted late on Thu 25 Mar 11:42"),
    ("Thu 25 Mar 11:42", "Today, 25 Mar 2027", 0, "09:00, posted late at 11:42"),
    ("Fri 26 Mar 09:00", "Today, 26 Mar 2027", 0, None),
    # Due at 02:30, which that night does not have.
    ("Sun 28 Mar 03:00", "Last 7 days, 22 Mar – 28 Mar 2027", 3, None),
    ("Mon 29 Mar 09:00", "Today, 29 Mar 2027", 0, None),
    # From Monday 12:00 to Thursday 12:00 the channel is archived.
    ("Fri 02 Apr 09:00", "Today, 2 Apr 2027", 1, None),
    ("Sun 04 Apr 02:30", "Last 7 days, 29 Mar – 4 Apr 2027", 1, None),
]
OF_APAC = [
    ("Thu 25 Mar 21:42", "Last 7 days, 19 Mar – 25 Mar 2027", 0, "09:00, posted late at 21:42"),
    ("Sun 28 Mar 02:30", "Last 7 days, 22 Mar – 28 Mar 2027", 0, None),
    ("Thu 01 Apr 07:00", "Last 30 days, 3 Mar – 1 Apr 2027", 0, None),
    ("Thu 01 Apr 09:00", "Last 7 days, 26 Mar – 1 Apr 2027", 0, None),
    # There are two 02:30 in that night.
    ("Sun 04 Apr 02:30", "Last 7 days, 29 Mar – 4 Apr 2027", 0, None),
]
DOWN, UP = at("03-23 18:00"), at("03-25 11:42")
OPENED = [at("03-22 08:00"), at("03-24 08:00"), at("03-24 10:00"), at("04-02 08:00")]


def moments() -> list[dt.datetime]:
    """A moment for each thing that happens, and every six hours."""
    grid = (MONDAY.astimezone(dt.UTC) + 6 * place * HOUR for place in range(4 * 14 + 2))
    due = [f"{day} {time}" for day, time in itertools.product(DATES, ("02:30", "03:00", "09:00"))]
    sydney = [at(f"{day} {time}", SYDNEY) for day, time in itertools.product(DATES, ("02:30", "07:00", "09:00"))]
    again = [one.replace(fold=1) for one in sydney]
    all_of_them = {*grid, *map(at, due), *sydney, *again, *OPENED, DOWN, UP, at("03-29 12:00"), at("04-01 12:00")}
    first = at("03-22 07:00")
    return sorted({one.astimezone(dt.UTC) for one in all_of_them if one >= first})


DATES = [f"03-{day}" for day in range(22, 32)] + [f"04-{day:02}" for day in range(1, 5)]


async def test_a_fortnight_of_digests(
    world: World, database_url: str, sql: asyncpg.Connection, replicas: Replicas
) -> None:
    """Two desks, one night without 02:30 and one with two, two days without any desk, three with #leads archived."""
    leads = await add_leads(world.sandbox, world)
    apac = await world.sandbox.add_channel("triage-apac", private=True, members=[world.grace, world.sandbox.bot])
    database = Database(database_url)
    set_clock(world, at("03-22 06:00"))
    async with two(world, replicas, sql) as office:
        await _set_up(office, leads, apac)
    seen: dict[str, list[tuple[str, str, int, str | None]]] = {"leads": [], "triage-apac": []}
    for now in moments():
        set_clock(world, now)
        if now == DOWN:
            await replicas.stop_all()
        elif now == UP:
            await asyncio.gather(replicas.start(), replicas.start())
        if now in OPENED:
            await open_ticket(database, world, now)
        leads.archived = at("03-29 12:00") <= now < at("04-01 12:00")
        if desks := replicas.running:
            await strike(*(desk.services for desk in desks for _ in range(2)))
            office = Office(world, desks[0], sql)
            await settled(office)
            for channel, zone in ((leads, BERLIN), (apac, SYDNEY)):
                new = by_desk(office, channel)[len(seen[channel.name]) :]
                seen[channel.name] += [_read(one.text, now.astimezone(ZoneInfo(zone))) for one in new]
    await database.close()
    assert seen == {"leads": OF_LEADS, "triage-apac": OF_APAC}
    said = [one.text for one in by_desk(office, world.triage)]
    about = [text.replace(f"<#{leads.id}>", "#leads") for text in said if "at set times" in text]
    assert about == [SUSPENDED.format("it is archived"), RESUMED]


async def _set_up(office: Office, leads: Channel, apac: Channel) -> None:
    services, world = office.running.services, office.world
    async with services.transaction() as tx:
        await channels.choose_triage(tx, apac.id, apac.name, suspended=None)
    await triage.check(services, apac.id)
    async with services.transaction() as tx:
        grace = await people.meet(tx, services.desk.team_id, world.grace.id)
        european = timetable.parsed("weekdays 9:00 today\nsundays 2:30 week")
        await schedules.change(tx, grace, world.triage.id, found(leads), BERLIN, european)
        pacific = timetable.parsed("sundays 2:30 week\nmonthly 7:00 month\nthursdays 9:00 week")
        await schedules.change(tx, grace, apac.id, found(apac), SYDNEY, pacific)


def _read(text: str, now: dt.datetime) -> tuple[str, str, int, str | None]:
    lines = text.replace("*", "").split("\n")
    opened = next((line for line in lines if line.startswith("Opened ")), "Opened 0").split()[1]
    late = next((line for line in lines if line.startswith("⏰")), None)
    was_due = late.removeprefix("⏰ For ").partition(". ")[0] if late else None
    return f"{now:%a %d %b %H:%M}", lines[0].removeprefix("Digest: "), int(opened), was_due
