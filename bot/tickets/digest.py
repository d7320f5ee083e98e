"""What leads and agents see of the figures: digests, and an agent's own figures beside the team's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from bot.tickets import grammar
from bot.tickets.errors import Refused
from bot.tickets.hours import WorkingHours
from bot.tickets.permissions import Operation, demand_in
from bot.tickets.words import lists as say
from storage import channels, figures, people
from storage.engine import Transaction
from storage.figures import (
    AgentFigures,
    Backlog,
    Calendars,
    LowRating,
    Moves,
    Own,
    Rated,
    Repriced,
    Scope,
    Spread,
    TagCount,
    Times,
    Waiting,
)
from storage.people import Person
from storage.tickets import Priority, Status

PeriodName = Literal["today", "week", "month"]
UTC = ZoneInfo("UTC")
DAYS: Mapping[PeriodName, int] = {"today": 1, "week": 7, "month": 30}
WAITING = 5
TAGS = 10
LOW_RATINGS = 30


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
        return say.period(self.dates[0], self.dates[-1], days=len(self.dates))


def period_of(name: PeriodName, now: dt.datetime, zone: ZoneInfo) -> Period:
    """Today since local midnight, the last 7 or the last 30 local days with today; `now` itself still belongs to it."""
    today = now.astimezone(zone).date()
    dates = tuple(today - dt.timedelta(days=ago) for ago in reversed(range(DAYS[name])))
    return Period(name, zone, dates, now.astimezone(dt.UTC) + dt.datetime.resolution)


@dataclass(frozen=True, slots=True)
class About:
    """Whose tickets figures are of. `company`: its name, where they are of one company's only."""

    scope: Scope
    company: str | None = None

    def in_triage(self, channel: str) -> About:
        """What of it the agents of one triage channel may see."""
        return replace(self, scope=replace(self.scope, triage=(channel,)))


async def about(tx: Transaction, person: Person, of: grammar.Channel | str | None = None) -> About:
    """What an agent asked figures about: of the tickets of their triage channels only."""
    everything = Scope(tuple(sorted(person.agent_of)))
    demand_in(person, next(iter(everything.triage), None), Operation.FIGURES)
    match of:
        case grammar.Channel():
            return About(await _of_channel(tx, person, of))
        case str():
            known = await people.companies_of(tx, everything.triage)
            teams = tuple(team for team, name in known.items() if name.casefold() == of.casefold())
            if not teams:
                raise Refused(_no_company(of, list(known.values())))
            return About(replace(everything, companies=teams), known[teams[0]])
        case None:
            return About(everything)


async def _of_channel(tx: Transaction, person: Person, of: grammar.Channel) -> Scope:
    name = of.name.casefold()
    support = [one for one in await channels.served(tx, "support") if one.triage_channel in person.agent_of]
    triage = [one for one in await channels.served(tx, "triage") if one.id in person.agent_of]
    for one in (*support, *triage):
        if one.id == of.id or (of.id is None and one.name.casefold() == name):
            return Scope((one.triage_channel,), one.id) if one.triage_channel else Scope((one.id,))
    near = get_close_matches(name, [one.name for one in support], n=1)
    raise Refused(say.no_such_channel(name=of.name, near=next(iter(near), None)))


def _no_company(typed: str, known: Sequence[str]) -> str:
    words = {name.casefold(): name for name in (*known, *DAYS)}
    near = [words[word] for word in get_close_matches(typed.casefold(), words, n=1)]
    return say.no_such_company(name=typed[:80], near=next(iter(near), None))


@dataclass(frozen=True, slots=True)
class Compared:
    """A number of this period with that of the period before; of a backlog, now with when this period began."""

    now: int
    before: int


@dataclass(frozen=True, slots=True)
class Ratings:
    """How many tickets were rated in the period, and the mean of their last ratings in it."""

    count: int
    mean: float | None


@dataclass(frozen=True, slots=True)
class LowRatings:
    """How many tickets were rated 1 or 2 last, and the newest of these."""

    count: int
    newest: tuple[LowRating, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """A local day, or what of it lies in the period."""

    date: dt.date
    opened: int
    closed: int


@dataclass(frozen=True, slots=True)
class Team:
    """What happened in the period, without what was found to be no ticket. Times are in seconds of working time.

    opened, closed, reopened: how often that happened; a ticket closed twice counts twice.
    first_response, resolution: how long tickets had been new or open (neither pending nor closed) at their first
      answer, and at their last closing.
    """

    opened: Compared
    closed: Compared
    reopened: Compared
    backlog_by_status: Mapping[Status, Compared]
    backlog_by_priority: Mapping[Priority, Compared]
    first_response: Spread
    resolution: Spread
    ratings: Ratings
    days: tuple[Day, ...]

    @property
    def backlog(self) -> Compared:
        """Tickets that are not closed."""
        of_each = self.backlog_by_status.values()
        return Compared(sum(one.now for one in of_each), sum(one.before for one in of_each))

    @property
    def is_quiet(self) -> bool:
        """Nothing was opened, closed, reopened, answered for the first time or rated in the period."""
        moved = self.opened.now + self.closed.now + self.reopened.now
        return not (moved + self.first_response.count + self.ratings.count)


@dataclass(frozen=True, slots=True)
class Digest:
    """The figures of one period.

    by_hours: whether working hours are set in some support channel, so that other time there is left out.
    misread: the support channels whose hours another program has written wrong, so that all time counts there.
    waiting: the new and open tickets waiting longest for an answer, now.
    agents: everybody who has tickets now (open, pending) or closed some in the period.
    tags: of the tickets opened in the period, as they are now.
    """

    period: Period
    about: About
    team: Team
    by_hours: bool
    misread: tuple[str, ...]
    low: LowRatings
    waiting: tuple[Waiting, ...]
    agents: tuple[AgentFigures, ...]
    tags: tuple[TagCount, ...]


@dataclass(frozen=True, slots=True)
class Stats:
    """An agent's own figures and the team's. The rest is as in a digest.

    closed: how often the agent closed a ticket. `ratings`: of the tickets that are theirs.
    """

    period: Period
    about: About
    own: Own
    closed: Compared
    ratings: Ratings
    team: Team
    by_hours: bool
    misread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Week:
    """The team's last seven days, beside the seven before.

    waiting: new and open tickets, now and when the week began.
    first_response, ratings: of this week; `…_before`: of the week before.
    """

    opened: Compared
    closed: Compared
    waiting: Compared
    first_response: Spread
    first_response_before: Spread
    ratings: Ratings
    ratings_before: Ratings


async def digest(tx: Transaction, of: About, period: PeriodName, *, zone: ZoneInfo = UTC) -> Digest:
    """The digest as of `tx.now`."""
    await figures.plan_anew(tx)
    during = period_of(period, tx.now, zone)
    scope = (tx, of.scope, during.start, during.end)
    hours = await _hours(tx, of.scope)
    rated = await figures.ratings(*scope)
    low = sum(one.tickets for one in rated if one.rating <= 2)
    return Digest(
        period=during,
        about=of,
        team=await _team(tx, of.scope, during, hours, await _moves(tx, of.scope, during), rated),
        by_hours=bool(hours.by_channel),
        misread=hours.misread,
        low=LowRatings(low, tuple(await figures.low_ratings(*scope, limit=LOW_RATINGS))),
        waiting=tuple(await figures.longest_waiting(tx, of.scope, limit=WAITING)),
        agents=tuple(await figures.agents(*scope)),
        tags=tuple(await figures.top_tags(*scope, limit=TAGS)),
    )


async def stats(tx: Transaction, person: Person, period: PeriodName, *, zone: ZoneInfo = UTC) -> Stats:
    """An agent's figures as of `tx.now`, of the tickets of their triage channels."""
    await figures.plan_anew(tx)
    of, who = await about(tx, person), person.user_id
    during = period_of(period, tx.now, zone)
    hours = await _hours(tx, of.scope)
    moves = await _moves(tx, of.scope, during, who)
    rated = await figures.ratings(tx, of.scope, during.start, during.end, who)
    end = len(during.days) + 1
    closed = [one for one in moves if one.status == "closed" and one.was is not None]
    return Stats(
        period=during,
        about=of,
        own=await figures.own(tx, of.scope, who, during.start, during.end),
        closed=Compared(
            sum(one.own for one in closed if 1 <= one.place < end), sum(one.own for one in closed if one.place == 0)
        ),
        ratings=_ratings((one.rating, one.own) for one in rated),
        team=await _team(tx, of.scope, during, hours, moves, rated),
        by_hours=bool(hours.by_channel),
        misread=hours.misread,
    )


async def week(tx: Transaction, triage: Sequence[str], *, zone: ZoneInfo = UTC) -> Week:
    """As of `tx.now`, the same figures as `stats` has of the team of these triage channels."""
    await figures.plan_anew(tx)
    scope = Scope(tuple(triage))
    during = period_of("week", tx.now, zone)
    hours = await _hours(tx, scope)
    rated = await figures.ratings(tx, scope, during.start, during.end)
    before = await figures.ratings(tx, scope, during.before, during.start)
    team = await _team(tx, scope, during, hours, await _moves(tx, scope, during), rated)
    new, open_ = team.backlog_by_status["new"], team.backlog_by_status["open"]
    return Week(
        opened=team.opened,
        closed=team.closed,
        waiting=Compared(new.now + open_.now, new.before + open_.before),
        first_response=team.first_response,
        first_response_before=(await _times(tx, scope, hours, during.before, during.start)).first_response,
        ratings=team.ratings,
        ratings_before=_ratings((one.rating, one.tickets) for one in before),
    )


async def _moves(tx: Transaction, scope: Scope, period: Period, who: UUID | None = None) -> list[Moves]:
    """At place 0 those of the period before, then those of each day. Those at the last place came later than the period
    ends, by the clock of another replica."""
    return await figures.moves(tx, scope, [period.before, *period.days, period.end], who)


async def _team(
    tx: Transaction, scope: Scope, period: Period, hours: Hours, moves: Sequence[Moves], rated: Sequence[Rated]
) -> Team:
    standing = await figures.backlog(tx, scope)
    times = await _times(tx, scope, hours, period.start, period.end)
    end = len(period.days) + 1
    ended = _Standing(
        standing, [one for one in moves if one.place >= end], await figures.repriced(tx, scope, period.end)
    )
    began = _Standing(
        standing, [one for one in moves if one.place >= 1], await figures.repriced(tx, scope, period.start)
    )
    before, *days = (_happened(one for one in moves if one.place == place) for place in range(end))
    return Team(
        opened=Compared(sum(day.opened for day in days), before.opened),
        closed=Compared(sum(day.closed for day in days), before.closed),
        reopened=Compared(sum(day.reopened for day in days), before.reopened),
        backlog_by_status={
            status: Compared(ended.with_status(status), began.with_status(status))
            for status in get_args(Status)
            if status != "closed"
        },
        backlog_by_priority={
            priority: Compared(ended.with_priority(priority), began.with_priority(priority))
            for priority in reversed(get_args(Priority))
        },
        first_response=times.first_response,
        resolution=times.resolution,
        ratings=_ratings((one.rating, one.tickets) for one in rated),
        days=tuple(Day(date, day.opened, day.closed) for date, day in zip(period.dates, days, strict=True)),
    )


@dataclass(frozen=True, slots=True)
class _Happened:
    opened: int
    closed: int
    reopened: int


def _happened(moves: Iterable[Moves]) -> _Happened:
    """A ticket that another program wrote as closed was opened and closed."""
    moved = list(moves)
    return _Happened(
        sum(one.tickets for one in moved if one.was is None),
        sum(one.tickets for one in moved if one.status == "closed"),
        sum(one.tickets for one in moved if one.was == "closed"),
    )


@dataclass(frozen=True, slots=True)
class _Standing:
    """The tickets that were not closed at a moment: those that are not now, with what has happened since undone."""

    now: Sequence[Backlog]
    since: Sequence[Moves]
    repriced: Sequence[Repriced]

    def with_status(self, status: Status) -> int:
        came = sum(one.tickets for one in self.since if one.status == status)
        left = sum(one.tickets for one in self.since if one.was == status)
        return sum(one.tickets for one in self.now if one.status == status) - came + left

    def with_priority(self, priority: Priority) -> int:
        moved = [one for one in self.since if one.priority == priority]
        came = sum(one.tickets for one in moved if one.status != "closed")
        left = sum(one.tickets for one in moved if one.was not in (None, "closed"))
        gained = sum(one.tickets for one in self.repriced if one.was == priority)
        lost = sum(one.tickets for one in self.repriced if one.priority == priority)
        return sum(one.tickets for one in self.now if one.priority == priority) - came + left + gained - lost


async def _times(tx: Transaction, scope: Scope, hours: Hours, start: dt.datetime, end: dt.datetime) -> Times:
    since = await figures.began(tx) or start
    return await figures.times(tx, scope, start, end, calendars(hours.by_channel, since, end))


@dataclass(frozen=True, slots=True)
class Hours:
    """The working hours that count, by support channel. `misread`: as in a digest."""

    by_channel: Mapping[str, WorkingHours]
    misread: tuple[str, ...]


async def _hours(tx: Transaction, scope: Scope) -> Hours:
    by_channel, wrong = dict[str, WorkingHours](), set[str]()
    for channel, stored in (await channels.working_hours(tx)).items():
        if scope.channel in (None, channel):
            try:
                by_channel[channel] = WorkingHours.model_validate(stored)
            except ValidationError:
                wrong.add(channel)
    # Those who can mend it are the agents of the channel's triage channel.
    support = await channels.served(tx, "support") if wrong else []
    theirs = [one.id for one in support if one.id in wrong and one.triage_channel in scope.triage]
    return Hours(by_channel, tuple(theirs))


def calendars(hours: Mapping[str, WorkingHours], since: dt.datetime, end: dt.datetime) -> Calendars:
    """The working time of support channels between two moments; channels with the same hours share a calendar."""
    span = (end - since).total_seconds() + 1
    starts: list[float] = []
    ends: list[float] = []
    offsets: list[float] = []
    bases: dict[WorkingHours, float] = {}
    for one in dict.fromkeys(hours.values()):
        base = bases[one] = span * len(bases)
        worked = 0.0
        # Where the calendar begins nothing had been worked, whatever stands before it.
        shifts = [(since, since), *one.shifts(since, end)]
        for opens, closes in shifts:
            start = base + (opens - since).total_seconds()
            starts.append(start)
            ends.append(base + (closes - since).total_seconds())
            offsets.append(worked - start)
            worked += (closes - opens).total_seconds()
    return Calendars(since, {channel: bases[one] for channel, one in hours.items()}, starts, ends, offsets)


def _ratings(given: Iterable[tuple[int, int]]) -> Ratings:
    """Of ratings and how many tickets were given each."""
    tickets = dict(given)
    count = sum(tickets.values())
    return Ratings(count, sum(rating * many for rating, many in tickets.items()) / count if count else None)
