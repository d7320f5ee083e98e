"""Working hours, against a count of minute by minute."""

import datetime as dt
import itertools
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.tickets.hours import DAYS, WorkingHours

MINUTE = dt.timedelta(minutes=1)
OFFICE: dict[str, Any] = {
    "days": ("mon", "tue", "wed", "thu", "fri"),
    "opens": "09:00",
    "closes": "17:00",
    "zone": "Europe/Berlin",
}
#: Clocks turned at night, at midnight, by half an hour, and a day that was left out.
ZONES = ["Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]
TURNS = [
    dt.datetime(2025, 3, 30, 1, tzinfo=dt.UTC),
    dt.datetime(2025, 10, 26, 1, tzinfo=dt.UTC),
    dt.datetime(2025, 3, 9, 5, tzinfo=dt.UTC),
    dt.datetime(2025, 11, 2, 5, tzinfo=dt.UTC),
    dt.datetime(2025, 4, 5, 15, tzinfo=dt.UTC),
    dt.datetime(2025, 10, 4, 15, 30, tzinfo=dt.UTC),
    dt.datetime(2011, 12, 30, 10, tzinfo=dt.UTC),
]


def hours(**changes: Any) -> WorkingHours:
    return WorkingHours.model_validate(OFFICE | changes)


def at(written: str, zone: str = "Europe/Berlin") -> dt.datetime:
    return dt.datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone))


class Clock:
    """A clock on a wall, looked at every minute for four days around `near`."""

    def __init__(self, zone: str, near: dt.datetime) -> None:
        first = near - 4 * 24 * 60 * MINUTE
        self.minutes = [first + place * MINUTE for place in range(8 * 24 * 60)]
        self.shown = [each.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for each in self.minutes]

    def first(self, wall: dt.datetime) -> int:
        """The first minute at which it shows `wall`, or a later time."""
        return next((place for place, shown in enumerate(self.shown) if shown >= wall), len(self.shown))

    def worked(self, of: WorkingHours) -> set[dt.datetime]:
        """The minutes of work."""
        found: set[dt.datetime] = set()
        for date in (self.shown[0].date() + dt.timedelta(days=day) for day in range(1, 9)):
            if DAYS[date.weekday()] in of.days:
                closing = date + dt.timedelta(days=of.closes <= of.opens)
                first = self.first(dt.datetime.combine(date, of.opens))
                found.update(self.minutes[first : self.first(dt.datetime.combine(closing, of.closes))])
        return found


any_hours = st.builds(
    hours,
    days=st.lists(st.sampled_from(DAYS), min_size=1, max_size=7),
    opens=st.builds(dt.time, st.integers(0, 23), st.integers(0, 59)),
    closes=st.builds(dt.time, st.integers(0, 23), st.integers(0, 59)),
    zone=st.sampled_from(ZONES),
)
moments = st.builds(lambda turn, minutes: turn + minutes * MINUTE, st.sampled_from(TURNS), st.integers(-2000, 2000))


@settings(max_examples=200, deadline=None)
@given(any_hours, moments, st.integers(0, 2000))
def test_working_time_is_what_is_counted_minute_by_minute(of: WorkingHours, start: dt.datetime, length: int) -> None:
    end = start + length * MINUTE

    counted = [each for each in Clock(of.zone, start).worked(of) if start <= each < end]

    assert of.seconds(start, end) == 60 * len(counted)


@settings(max_examples=200, deadline=None)
@given(any_hours, moments)
def test_the_next_opening_is_the_first_minute_of_work(of: WorkingHours, start: dt.datetime) -> None:
    found = of.next_opening(start)

    worked = sorted(each for each in Clock(of.zone, start).worked(of) if each >= start)
    if worked:
        assert found == worked[0]
    else:
        assert found >= start + dt.timedelta(days=3)
    assert of.seconds(start, found) == 0


@given(any_hours, moments, st.lists(st.integers(0, 5000), min_size=2, max_size=5))
def test_working_time_adds_up(of: WorkingHours, start: dt.datetime, lengths: list[int]) -> None:
    parts = sorted(start + length * MINUTE for length in lengths)

    pieces = sum(of.seconds(before, after) for before, after in itertools.pairwise(parts))

    assert pieces == of.seconds(parts[0], parts[-1])


def test_a_night_and_a_weekend_are_left_out() -> None:
    assert hours().seconds(at("2025-11-14 16:00"), at("2025-11-17 10:30")) == 2.5 * 3600


@pytest.mark.parametrize(("day", "lasts"), [("2025-03-29", 7), ("2025-10-25", 9), ("2025-11-08", 8)])
def test_a_night_in_which_clocks_are_turned_has_an_hour_more_or_less(day: str, lasts: int) -> None:
    night = hours(days=["sat"], opens="22:00", closes="06:00")
    evening = at(f"{day} 12:00")

    assert night.seconds(evening, evening + dt.timedelta(days=2)) == lasts * 3600


def test_two_equal_times_are_a_whole_day() -> None:
    monday = hours(days=["mon"], opens="00:00", closes="00:00")

    assert monday.seconds(at("2025-11-16 00:00"), at("2025-11-20 00:00")) == 24 * 3600


def test_nothing_lies_between_a_moment_and_an_earlier_one() -> None:
    assert hours().seconds(at("2025-11-14 12:00"), at("2025-11-14 11:00")) == 0


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2025-11-14 12:00", "2025-11-14 12:00"),
        ("2025-11-14 08:59", "2025-11-14 09:00"),
        ("2025-11-14 17:00", "2025-11-17 09:00"),
    ],
)
def test_the_next_opening(now: str, opens: str) -> None:
    assert hours().next_opening(at(now)) == at(opens)


def test_hours_survive_storage() -> None:
    stored = hours(days=["fri", "mon", "fri"]).stored()

    assert stored == {"days": ["mon", "fri"], "opens": "09:00", "closes": "17:00", "zone": "Europe/Berlin"}
    assert WorkingHours.model_validate(json.loads(json.dumps(stored))) == hours(days=["mon", "fri"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"days": []}, "Choose at least one day."),
        ({"opens": "09:00:30"}, "A time is hours and minutes, such as 09:00."),
        ({"closes": "17:00+01:00"}, "A time is hours and minutes, such as 09:00."),
        ({"zone": "Berlin"}, "This is no time zone: write one as Europe/Berlin or America/New_York."),
        ({"zone": "../../etc/passwd"}, "This is no time zone: write one as Europe/Berlin or America/New_York."),
        ({"zone": "Europe"}, "This is no time zone: write one as Europe/Berlin or America/New_York."),
        ({"zone": ""}, "This is no time zone: write one as Europe/Berlin or America/New_York."),
    ],
)
def test_wrong_hours_are_refused_with_a_sentence(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        hours(**changes)

    assert [problem["msg"] for problem in refused.value.errors()] == [told]
