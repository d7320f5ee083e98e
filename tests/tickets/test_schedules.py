"""When digests fall due: over turned clocks, missed, edited, removed; each time once."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.tickets import schedules
from bot.tickets.errors import Refused
from bot.tickets.places import Found
from bot.tickets.schedules import MISSED, When
from storage import people
from storage import schedules as rows
from storage.engine import Database
from storage.people import Person, Profile

BERLIN = "Europe/Berlin"
LEADS = Found("C9", "leads", private=True, shared=False, archived=False, member=True)
NOON = dt.datetime(2025, 11, 17, 12, tzinfo=dt.UTC)


def at(written: str, zone: str = BERLIN, fold: int = 0) -> dt.datetime:
    return dt.datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(dt.UTC)


def when(cron: str, period: str = "today") -> When:
    return When.model_validate({"cron": cron, "period": period})


def first(cron: str, after: dt.datetime, many: int, zone: str = BERLIN) -> list[dt.datetime]:
    return list(itertools.islice(when(cron).after(zone, after), many))


def test_what_is_due_in_an_hour_that_clocks_skip_is_due_right_after_it() -> None:
    assert first("30 2 * * *", at("2025-03-29 00:00"), 3) == [
        at("2025-03-29 02:30"),
        at("2025-03-30 03:00"),
        at("2025-03-31 02:30"),
    ]


def test_what_is_due_in_an_hour_that_clocks_repeat_is_due_once() -> None:
    due = [at("2025-10-25 02:30"), at("2025-10-26 02:30"), at("2025-10-27 02:30")]
    assert first("30 2 * * *", at("2025-10-25 00:00"), 3) == due
    for later in (at("2025-10-26 02:30"), at("2025-10-26 02:10", fold=1), at("2025-10-26 02:50", fold=1)):
        assert first("30 2 * * *", later, 1) == [due[2]]


def test_what_is_due_every_hour_is_due_in_each() -> None:
    spring = first("0 * * * *", at("2025-03-30 00:30"), 3)
    autumn = first("0 * * * *", at("2025-10-26 00:30"), 4)
    assert [later - earlier for earlier, later in itertools.pairwise(spring + autumn)].count(dt.timedelta(hours=1)) == 5


@given(
    st.sampled_from(["30 2 * * *", "0 0 * * *", "15 1 * * 0", "0 9 * * 1-5", "0 */3 * * *", "5 * * * *"]),
    st.sampled_from([BERLIN, "America/New_York", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]),
    st.integers(0, 365 * 24 * 60),
)
def test_times_go_on_whenever_one_begins_to_count(cron: str, zone: str, minute: int) -> None:
    begin = dt.datetime(2025, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)
    due = first(cron, begin, 40, zone)
    assert all(begin < one for one in due)
    assert all(earlier < later for earlier, later in itertools.pairwise(due))
    for place in (0, 7, 38):
        assert first(cron, due[place], 1, zone) == [due[place + 1]]
        assert first(cron, due[place] - dt.timedelta(microseconds=1), 1, zone) == [due[place]]


@pytest.mark.parametrize("cron", ["", "0 9 * *", "0 9 * * * *", "* 9 * * *", "1,2 9 * * *", "0 9 * * 8", "x 9 * * *"])
def test_what_is_no_cron_line_or_too_often_is_refused(cron: str) -> None:
    with pytest.raises(ValidationError):
        when(cron)


class Triage:
    """A triage channel whose digests are posted in #leads."""

    def __init__(self, database: Database, sql: asyncpg.Connection) -> None:
        self.database, self.sql = database, sql

    async def begin(self) -> None:
        await self.sql.execute("insert into threadesk.channels (id, name, role) values ('G1', 'triage', 'triage')")
        await self.sql.execute(
            "insert into threadesk.channels (id, name, role, triage_channel) values ('C1', 'help', 'support', 'G1')"
        )
        async with self.database.transaction(NOON) as tx:
            await people.meet(tx, "T1", "U1")
            await people.learn(tx, Profile("T1", "U1", "member", "Grace", None, None, None, is_admin=False))
        await self.sql.execute("insert into threadesk.triage_members values ('G1', 'T1', 'U1')")

    async def agent(self) -> Person:
        async with self.database.transaction(NOON) as tx:
            return await people.meet(tx, "T1", "U1")

    async def set(self, now: dt.datetime, times: Sequence[When], place: Found = LEADS, zone: str = BERLIN) -> None:
        async with self.database.transaction(now) as tx:
            await schedules.change(tx, await people.meet(tx, "T1", "U1"), "G1", place, zone, times)

    async def take(self, now: dt.datetime) -> None:
        async with self.database.transaction(now) as tx:
            await schedules.take_due(tx)

    async def taken(self) -> list[tuple[dt.datetime, str]]:
        rows = await self.sql.fetch("select due_at, period from threadesk.digests_due order by due_at, period")
        return [(row["due_at"], row["period"]) for row in rows]


@pytest.fixture
async def triage(database: Database, sql: asyncpg.Connection) -> Triage:
    made = Triage(database, sql)
    await made.begin()
    return made


async def test_each_time_is_taken_once_by_however_many(triage: Triage) -> None:
    await triage.set(at("2025-11-17 08:00"), [when("0 9 * * *"), when("0 9 * * 1", "week")])
    await triage.take(at("2025-11-17 08:59"))
    assert await triage.taken() == []
    for now in (at("2025-11-17 09:00"), at("2025-11-17 09:00"), at("2025-11-18 09:00")):
        await asyncio.gather(*(triage.take(now) for _ in range(4)))
    monday = at("2025-11-17 09:00")
    assert await triage.taken() == [(monday, "today"), (monday, "week"), (at("2025-11-18 09:00"), "today")]


async def test_two_schedules_that_are_due_at_once_are_one_digest(triage: Triage) -> None:
    await triage.set(at("2025-11-17 08:00"), [when("0 9 * * *"), when("0 9 * * 1-5")])
    await triage.take(at("2025-11-17 09:00"))
    assert await triage.taken() == [(at("2025-11-17 09:00"), "today")]


async def test_of_those_that_were_missed_the_latest_are_taken(triage: Triage) -> None:
    await triage.set(at("2025-11-01 08:00"), [when("0 9 * * *")])
    await triage.take(at("2025-11-12 11:00"))
    assert await triage.taken() == [(at(f"2025-11-{day:02} 09:00"), "today") for day in range(13 - MISSED, 13)]
    left_out = await triage.sql.fetch("select left_out from threadesk.digests_due order by due_at")
    assert [row[0] for row in left_out] == [5, *[0] * (MISSED - 1)]
    await triage.take(at("2025-11-13 11:00"))
    assert len(await triage.taken()) == MISSED + 1


async def test_what_was_due_when_the_times_were_changed_is_taken_as_it_was_set(triage: Triage) -> None:
    await triage.set(at("2025-11-17 08:00"), [when("0 9 * * *"), when("0 10 * * *")])
    # At 9:30 nobody has looked yet. 9:15 was over when it was set: it is not missed.
    await triage.set(at("2025-11-17 09:30"), [when("15 9 * * *"), when("0 10 * * *")])
    await triage.take(at("2025-11-17 12:00"))
    await triage.take(at("2025-11-18 09:20"))
    assert [due for due, _ in await triage.taken()] == [
        at("2025-11-17 09:00"),
        at("2025-11-17 10:00"),
        at("2025-11-18 09:15"),
    ]


async def test_a_time_that_is_taken_back_and_set_again_is_not_taken_twice(triage: Triage) -> None:
    await triage.set(at("2025-11-17 08:00"), [when("0 9 * * *")])
    await triage.take(at("2025-11-17 09:00"))
    await triage.set(at("2025-11-17 09:00"), [])
    await triage.take(at("2025-11-18 09:00"))
    await triage.set(at("2025-11-18 09:01"), [when("0 9 * * *")])
    await triage.take(at("2025-11-19 09:00"))
    assert [due for due, _ in await triage.taken()] == [at("2025-11-17 09:00"), at("2025-11-19 09:00")]


async def test_another_zone_counts_from_when_it_is_set(triage: Triage) -> None:
    await triage.set(at("2025-11-17 08:00"), [when("0 9 * * *")])
    await triage.take(at("2025-11-17 09:00"))
    await triage.set(at("2025-11-17 12:00"), [when("0 9 * * *")], zone="America/New_York")
    await triage.take(at("2025-11-18 23:00"))
    assert [due for due, _ in await triage.taken()] == [
        at("2025-11-17 09:00"),
        at("2025-11-17 09:00", "America/New_York"),
        at("2025-11-18 09:00", "America/New_York"),
    ]


async def test_times_are_found_anew_when_a_zones_rules_have_changed(triage: Triage) -> None:
    await triage.set(at("2025-11-17 08:00"), [when("0 9 * * *")])
    await triage.sql.execute("update threadesk.digest_schedules set next_at = next_at + interval '1 hour'")
    async with triage.database.transaction(at("2025-11-17 08:30")) as tx:
        await schedules.derive(tx)
    await triage.take(at("2025-11-17 09:00"))
    assert [due for due, _ in await triage.taken()] == [at("2025-11-17 09:00")]


async def test_two_who_set_the_times_at_once_both_are_done(triage: Triage) -> None:
    now = at("2025-11-17 08:00")
    await asyncio.gather(*(triage.set(now, [when("0 9 * * *"), when(f"{n} 10 * * *")]) for n in range(5)))
    assert await triage.sql.fetchval("select count(*) from threadesk.digest_schedules") == 2


async def test_only_agents_of_the_triage_channel_set_its_times(triage: Triage) -> None:
    await triage.sql.execute("delete from threadesk.triage_members")
    with pytest.raises(Refused, match="Only agents of this triage channel"):
        await triage.set(NOON, [when("0 9 * * *")])
    await triage.sql.execute("insert into threadesk.channels (id, name, role) values ('G2', 'other', 'triage')")
    await triage.sql.execute("insert into threadesk.triage_members values ('G2', 'T1', 'U1')")
    with pytest.raises(Refused, match="Only agents of this triage channel"):
        await triage.set(NOON, [when("0 9 * * *")])
    assert await triage.sql.fetchval("select count(*) from threadesk.digest_schedules") == 0


async def test_no_digest_is_set_where_customers_write(triage: Triage) -> None:
    with pytest.raises(Refused, match=r"^Customers write there") as refused:
        await triage.set(NOON, [when("0 9 * * *")], replace(LEADS, id="C1"))
    assert refused.value.field == "digest_channel"


@pytest.mark.parametrize(
    ("unfit", "why"),
    [
        (replace(LEADS, shared=True), "it is shared with another company"),
        (replace(LEADS, archived=True), "it is archived"),
        (replace(LEADS, member=False), "the desk is not in it"),
    ],
)
async def test_no_digest_is_set_where_none_can_be_posted(triage: Triage, unfit: Found, why: str) -> None:
    with pytest.raises(Refused, match=rf"^No digest can be posted there: {why}") as refused:
        await triage.set(NOON, [when("0 9 * * *")], unfit)
    assert refused.value.field == "digest_channel"


async def test_in_a_channel_digests_keep_their_order_until_one_has_failed_for_long(triage: Triage) -> None:
    now = at("2025-11-18 09:00")
    await triage.set(at("2025-11-17 08:00"), [when("0 9 * * *")])
    await triage.take(now)

    async def claimed() -> dt.datetime | None:
        async with triage.database.transaction(now) as tx:
            one = await rows.claim(tx, seconds=60)
            return one.due_at if one else None

    assert [await claimed(), await claimed()] == [at("2025-11-17 09:00"), None]
    for _ in range(rows.PATIENCE - 1):
        now += dt.timedelta(seconds=61)
        assert await claimed() == at("2025-11-17 09:00")
    assert await claimed() == at("2025-11-18 09:00")


@pytest.mark.parametrize(
    "wrong",
    [
        "set cron = '* 9 * * *'",
        "set cron = '0 9 * *'",
        "set cron = '0 9 * * *; drop'",
        "set period = 'year'",
        "set zone = ''",
        "set channel = 'leads'",
        "set triage_channel = 'G7'",
        "set next_at = taken_to",
    ],
)
async def test_the_database_refuses_what_is_no_schedule(triage: Triage, wrong: str) -> None:
    await triage.set(NOON, [when("0 9 * * *")])
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await triage.sql.execute(f"update threadesk.digest_schedules {wrong}")


async def test_the_database_refuses_a_second_digest_for_one_time(triage: Triage) -> None:
    await triage.set(at("2025-11-17 08:00"), [when("0 9 * * *")])
    await triage.take(at("2025-11-17 09:00"))
    with pytest.raises(asyncpg.UniqueViolationError):
        await triage.sql.execute(
            "insert into threadesk.digests_due (triage_channel, channel, zone, period, due_at, try_at)"
            " select triage_channel, channel, zone, period, due_at, now() from threadesk.digests_due"
        )
