"""The lead's digest: what happened in the tickets of some triage channels, and what waits now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from storage import figures
from storage.engine import Transaction
from storage.figures import AgentFigures, Backlog, LowRating, Moves, Spread, TagCount, Waiting
from storage.tickets import Priority, Status

PeriodName = Literal["today", "week", "month"]
UTC = ZoneInfo("UTC")
DAYS: Mapping[PeriodName, int] = {"today": 1, "week": 7, "month": 30}
WAITING = 5
TAGS = 10


@dataclass(frozen=True, slots=True)
class Period:
    """Local days in `zone`, from the first one's midnight to just before `end`. All times are in UTC."""

    name: PeriodName
    zone: ZoneInfo
    dates: tuple[dt.date, ...]
    end: dt.datetime

    @property
    def days(self) -> tuple[dt.datetime, ...]:
        """When each day begins."""
        return tuple(dt.datetime.combine(date, dt.time(), self.zone).astimezone(dt.UTC) for date in self.dates)

    @property
    def start(self) -> dt.datetime:
        return self.days[0]

    @property
    def before(self) -> dt.datetime:
        """When the period before begins: it lasts as long, and ends where this one starts."""
        return self.start - (self.end - self.start)

    @property
    def label(self) -> str:
        """Such as "Today, 5 Nov 2025" or "Last 7 days, 30 Oct – 5 Nov 2025"."""
        first, last = self.dates[0], self.dates[-1]
        if self.name == "today":
            return f"Today, {_date(last)} {last.year}"
        year = f" {first.year}" if first.year != last.year else ""
        return f"Last {len(self.days)} days, {_date(first)}{year} – {_date(last)} {last.year}"


def _date(date: dt.date) -> str:
    return f"{date.day} {date:%b}"


def period_of(name: PeriodName, now: dt.datetime, zone: ZoneInfo) -> Period:
    """Today since local midnight, the last 7 or the last 30 local days with today; `now` itself still belongs to it."""
    today = now.astimezone(zone).date()
    dates = tuple(today - dt.timedelta(days=ago) for ago in reversed(range(DAYS[name])))
    return Period(name, zone, dates, now.astimezone(dt.UTC) + dt.datetime.resolution)


@dataclass(frozen=True, slots=True)
class Compared:
    """A number of this period with that of the period before; of a backlog, now with when this period began."""

    now: int
    before: int


@dataclass(frozen=True, slots=True)
class Ratings:
    """How many tickets were rated in the period, the mean of their last ratings in it, and each of 1 or 2."""

    count: int
    mean: float | None
    low: tuple[LowRating, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """A local day, or what of it lies in the period."""

    date: dt.date
    opened: int
    closed: int


@dataclass(frozen=True, slots=True)
class Digest:
    """The figures of one period, without what was found to be no ticket. Times are in seconds.

    opened, closed, reopened: how often that happened; a ticket closed twice counts twice.
    backlog_by_status, backlog_by_priority: tickets that are not closed.
    first_response: from opening to the first message by an agent after it, of tickets first answered in the period;
      imported messages are older than the ticket and do not count.
    resolution: how long tickets had been new or open (neither pending nor closed) at their last closing in the period.
    waiting: the new and open tickets waiting longest for an answer, now.
    agents: everybody who has tickets now (open, pending) or closed some in the period.
    tags: of the tickets opened in the period, as they are now.
    """

    period: Period
    triage_channels: tuple[str, ...]
    opened: Compared
    closed: Compared
    reopened: Compared
    backlog_by_status: Mapping[Status, Compared]
    backlog_by_priority: Mapping[Priority, Compared]
    first_response: Spread
    resolution: Spread
    ratings: Ratings
    waiting: tuple[Waiting, ...]
    agents: tuple[AgentFigures, ...]
    tags: tuple[TagCount, ...]
    days: tuple[Day, ...]

    @property
    def backlog(self) -> Compared:
        of_each = self.backlog_by_status.values()
        return Compared(sum(one.now for one in of_each), sum(one.before for one in of_each))

    @property
    def is_quiet(self) -> bool:
        """Nothing was opened, closed, reopened, answered for the first time or rated in the period."""
        moved = self.opened.now + self.closed.now + self.reopened.now
        return not (moved + self.first_response.count + self.ratings.count)


async def digest(
    tx: Transaction, triage_channels: Sequence[str], period: PeriodName, *, zone: ZoneInfo = UTC
) -> Digest:
    """The digest as of `tx.now`."""
    of = period_of(period, tx.now, zone)
    scope = (tx, triage_channels, of.start, of.end)
    before, *days = await figures.moves(tx, triage_channels, [of.before, *of.days], of.end)
    backlog = await figures.backlog(tx, triage_channels, of.end)
    backlog_before = await figures.backlog(tx, triage_channels, of.start)
    return Digest(
        period=of,
        triage_channels=tuple(triage_channels),
        opened=Compared(sum(day.opened for day in days), before.opened),
        closed=Compared(sum(day.closed for day in days), before.closed),
        reopened=Compared(sum(day.reopened for day in days), before.reopened),
        backlog_by_status=_by_status(backlog, backlog_before),
        backlog_by_priority=_by_priority(backlog, backlog_before),
        first_response=await figures.first_responses(*scope),
        resolution=await figures.resolutions(*scope),
        ratings=_ratings(await figures.ratings(*scope), await figures.low_ratings(*scope)),
        waiting=tuple(await figures.longest_waiting(tx, triage_channels, limit=WAITING)),
        agents=tuple(await figures.agents(*scope)),
        tags=tuple(await figures.top_tags(*scope, limit=TAGS)),
        days=_days(of, days),
    )


def _by_status(now: Sequence[Backlog], before: Sequence[Backlog]) -> dict[Status, Compared]:
    return {
        status: Compared(
            sum(one.tickets for one in now if one.status == status),
            sum(one.tickets for one in before if one.status == status),
        )
        for status in get_args(Status)
        if status != "closed"
    }


def _by_priority(now: Sequence[Backlog], before: Sequence[Backlog]) -> dict[Priority, Compared]:
    return {
        priority: Compared(
            sum(one.tickets for one in now if one.priority == priority),
            sum(one.tickets for one in before if one.priority == priority),
        )
        for priority in reversed(get_args(Priority))
    }


def _ratings(tickets: Mapping[int, int], low: Sequence[LowRating]) -> Ratings:
    count = sum(tickets.values())
    mean = sum(rating * many for rating, many in tickets.items()) / count if count else None
    return Ratings(count, mean, tuple(low))


def _days(period: Period, moves: Sequence[Moves]) -> tuple[Day, ...]:
    return tuple(Day(date, day.opened, day.closed) for date, day in zip(period.dates, moves, strict=True))
