"""When a support channel's agents are at work: which days, from when to when, in which time zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, field_serializer, field_validator

from bot.tickets.errors import wrong
from bot.tickets.words import forms as say

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
A_DAY = dt.timedelta(days=1)
#: Every week has an opening; one that a zone left out entirely (Samoa, 30 December 2011) is in the next.
LONGEST = dt.timedelta(days=15)


def known_zone(name: str) -> str:
    """The IANA time zone of that name, as a validator has it."""
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, LookupError):
        raise wrong(say.NO_ZONE) from None


class WorkingHours(BaseModel):
    """On each of `days` from `opens` to `closes`, as the clock on a wall in `zone` (an IANA name) shows them.

    `closes` at or before `opens` is on the next day, so two equal times are a whole day. Where clocks are turned, work
    begins and ends when the clock first shows the time, or skips it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: tuple[Day, ...]
    opens: dt.time
    closes: dt.time
    zone: str

    @field_validator("days")
    @classmethod
    def _some_days(cls, value: tuple[Day, ...]) -> tuple[Day, ...]:
        if not value:
            raise wrong(say.NO_DAY)
        return tuple(day for day in DAYS if day in value)

    @field_validator("opens", "closes")
    @classmethod
    def _of_a_clock(cls, value: dt.time) -> dt.time:
        if value.tzinfo or value.second or value.microsecond:
            raise wrong(say.NO_CLOCK_TIME)
        return value

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str) -> str:
        return known_zone(value)

    @field_serializer("opens", "closes")
    def _short(self, value: dt.time) -> str:
        return f"{value:%H:%M}"

    def stored(self) -> dict[str, Any]:
        """As `threadesk.channels.working_hours` has it, which `model_validate` reads."""
        return self.model_dump(mode="json")

    def shifts(self, start: dt.datetime, end: dt.datetime) -> Iterator[tuple[dt.datetime, dt.datetime]]:
        """The stretches of work between two moments, in order, as far as they lie between them. All in UTC."""
        zone = ZoneInfo(self.zone)
        # The first shift may have begun the day before, and no zone is more than a day from another.
        date, last = start.astimezone(zone).date() - A_DAY, end.astimezone(zone).date()
        while date <= last:
            if DAYS[date.weekday()] in self.days:
                begins, ends = self._shift(zone, date)
                if max(begins, start) < min(ends, end):
                    yield max(begins, start).astimezone(dt.UTC), min(ends, end).astimezone(dt.UTC)
            date += A_DAY

    def _shift(self, zone: ZoneInfo, date: dt.date) -> tuple[dt.datetime, dt.datetime]:
        closing = date if self.closes > self.opens else date + A_DAY
        return (
            _first_shown(zone, dt.datetime.combine(date, self.opens)),
            _first_shown(zone, dt.datetime.combine(closing, self.closes)),
        )

    def seconds(self, start: dt.datetime, end: dt.datetime) -> float:
        """How much working time lies between two moments; 0 where the second is not after the first."""
        return sum((ends - begins).total_seconds() for begins, ends in self.shifts(start, end))

    def next_opening(self, at: dt.datetime) -> dt.datetime:
        """The first moment of work from `at` on, in UTC: `at` itself during working hours."""
        return next(self.shifts(at, at + LONGEST))[0]


def _first_shown(zone: ZoneInfo, wall: dt.datetime) -> dt.datetime:
    """The first moment at which a clock shows `wall` (a time without a zone) or a later time, having skipped it."""
    at = wall.replace(tzinfo=zone).astimezone(dt.UTC)
    if _shown(zone, at) == wall:
        return at
    # In between lies the moment at which the clock skipped: https://peps.python.org/pep-0495/
    before, skipped = wall.replace(tzinfo=zone, fold=1).astimezone(dt.UTC), at
    while skipped - before > dt.timedelta(seconds=1):
        middle = (before + (skipped - before) / 2).replace(microsecond=0)
        if _shown(zone, middle) < wall:
            before = middle
        else:
            skipped = middle
    return skipped


def _shown(zone: ZoneInfo, at: dt.datetime) -> dt.datetime:
    return at.astimezone(zone).replace(tzinfo=None)
