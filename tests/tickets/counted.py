"""The figures once more, slowly and obviously: every line of every ticket's ledger is looked at."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from bot.tickets.digest import Compared, Digest, Period, Team, Week
from bot.tickets.hours import WorkingHours
from storage.figures import LowRating, Own, Place, Scope, Waiting

Hours = Mapping[str, WorkingHours]


@dataclass
class Story:
    """A ticket with its lines of the ledger and its messages, as rows."""

    row: dict[str, Any]
    lines: list[dict[str, Any]]
    messages: list[dict[str, Any]]

    def of(self, *what: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["what"] in what]

    @property
    def opened(self) -> dict[str, Any]:
        (line,) = self.of("opened")
        return line

    def values(self, what: str) -> list[tuple[dt.datetime, Any]]:
        """What `what` ("status" or "priority") became, and when."""
        return [(self.opened["at"], self.opened["after"][what])] + [
            (line["at"], line["after"]) for line in self.of(what)
        ]

    def at(self, what: str, moment: dt.datetime) -> Any:
        before = [value for at, value in self.values(what) if at < moment]
        return before[-1] if before else None

    def worked(self, until: dt.datetime, hours: Hours) -> float | None:
        """Seconds of working time for which it had been new or open; None where it never had been."""
        reached = [(at, status) for at, status in self.values("status") if at <= until]
        stays = [
            (came, left)
            for (came, status), (left, _) in itertools.pairwise([*reached, (until, None)])
            if status in ("new", "open")
        ]
        of_channel = hours.get(self.row["channel"])
        seconds = (of_channel.seconds(*one) if of_channel else (one[1] - one[0]).total_seconds() for one in stays)
        return sum(seconds) if stays else None


async def disagreeing(sql: asyncpg.Connection) -> list[dict[str, Any]]:
    """What `threadesk.counted` holds and must not, and what it must and does not."""
    rows = await sql.fetch(
        "select 'too much' as what, a.* from (table threadesk.counted except all table threadesk.counted_by_ledger) a"
        " union all"
        " select 'missing', b.* from (table threadesk.counted_by_ledger except all table threadesk.counted) b"
    )
    return [dict(row) for row in rows]


async def stories(sql: asyncpg.Connection, scope: Scope) -> list[Story]:
    rows = await sql.fetch(
        "select t.*, d.number, d.channel, d.root_ts, d.triage_channel, d.requester_team, d.not_a_ticket, p.name"
        " from tickets t join threadesk.desk_tickets d on d.ticket_id = t.id"
        " left join threadesk.people p on p.user_id = d.requester order by d.number"
    )
    return [
        Story(
            dict(row),
            [
                dict(one)
                for one in await sql.fetch("select * from threadesk.ledger where ticket_id = $1 order by id", row["id"])
            ],
            [dict(one) for one in await sql.fetch("select * from threadesk.messages where ticket_id = $1", row["id"])],
        )
        for row in rows
        if _is_in(scope, row)
    ]


def _is_in(scope: Scope, row: Any) -> bool:
    return (
        not row["not_a_ticket"]
        and row["triage_channel"] in scope.triage
        and scope.channel in (None, row["channel"])
        and (scope.companies is None or row["requester_team"] in scope.companies)
    )


def spread(seconds: Iterable[float | None]) -> Any:
    ordered = sorted(one for one in seconds if one is not None)
    return pytest.approx((_percentile(ordered, 0.5), _percentile(ordered, 0.9), len(ordered)), abs=0.001)


def _percentile(ordered: Sequence[float], part: float) -> float | None:
    if not ordered:
        return None
    place = (len(ordered) - 1) * part
    low, high = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    return low + (high - low) * (place - int(place))


def first_response(story: Story, period: Period, hours: Hours) -> float | None:
    answers = [line["at"] for line in story.of("message") if line["role"] == "agent"]
    later = [at for at in answers if at > story.opened["at"]]
    return story.worked(min(later), hours) if later and period.start <= min(later) < period.end else None


def resolution(story: Story, period: Period, hours: Hours) -> float | None:
    closings = [at for at, status in story.values("status")[1:] if status == "closed"]
    inside = [at for at in closings if period.start <= at < period.end]
    return story.worked(max(inside), hours) if inside else None


def waiting_since(story: Story) -> Any:
    said = [
        (one["created_at"], one["author_role"], one["deleted"]) for one in story.messages if one["kind"] == "message"
    ]
    answered = [at for at, role, _ in said if role == "agent"]
    asked = [at for at, role, gone in said if role == "customer" and not gone]
    unanswered = [at for at in asked if not answered or at > max(answered)]
    if unanswered:
        return min(unanswered)
    return None if answered else story.row["created_at"]


def place(story: Story) -> Place:
    return Place(story.row["channel"], story.row["root_ts"], story.row["triage_channel"], None)


def waiting(all_of_them: Sequence[Story]) -> list[Waiting]:
    found = [
        Waiting(
            story.row["number"],
            story.row["title"],
            story.row["name"] or story.row["customer_email"],
            since,
            bool(story.row["assigned_to"]),
            place(story),
        )
        for story in all_of_them
        if story.row["status"] in ("new", "open") and (since := waiting_since(story))
    ]
    return sorted(found, key=lambda one: (one.since, one.number))[:5]


def agents(all_of_them: Sequence[Story], period: Period) -> dict[UUID, tuple[int, int, int]]:
    found: dict[UUID, list[int]] = {}
    for story in all_of_them:
        for who in story.row["assigned_to"] or () if story.row["status"] in ("open", "pending") else ():
            found.setdefault(who, [0, 0, 0])[story.row["status"] == "pending"] += 1
        for line in _closings(story):
            if period.start <= line["at"] < period.end:
                found.setdefault(line["actor"], [0, 0, 0])[2] += 1
    return {who: (counts[0], counts[1], counts[2]) for who, counts in found.items()}


def _closings(story: Story) -> list[dict[str, Any]]:
    """By an agent."""
    by_agents = [line for line in story.of("status") if line["role"] == "agent" and line["actor"]]
    return [line for line in by_agents if line["after"] == "closed"]


def rated(all_of_them: Sequence[Story], period: Period) -> list[tuple[Story, dict[str, Any]]]:
    """The tickets whose last rating in the period was given, not taken away."""
    last = [
        (story, [line for line in story.of("rating") if period.start <= line["at"] < period.end][-1:])
        for story in all_of_them
    ]
    return [(story, lines[0]) for story, lines in last if lines and lines[0]["after"] is not None]


def mean(ratings: Sequence[int]) -> Any:
    return pytest.approx(sum(ratings) / len(ratings)) if ratings else None


def team(all_of_them: Sequence[Story], period: Period, hours: Hours) -> dict[str, Any]:
    """The same as `figures_of` a team."""

    def moved(start: dt.datetime, end: dt.datetime) -> tuple[int, int, int]:
        opened = closed = reopened = 0
        for story in all_of_them:
            before = None
            for at, status in story.values("status"):
                if start <= at < end:
                    opened += before is None
                    closed += status == "closed"
                    reopened += before == "closed"
                before = status
        return opened, closed, reopened

    def stood(what: str, moment: dt.datetime) -> list[str]:
        return sorted(one.at(what, moment) for one in all_of_them if one.at("status", moment) not in (None, "closed"))

    ratings = [line["after"] for _, line in rated(all_of_them, period)]
    ends = [*period.days[1:], period.end]
    return {
        "moved": moved(period.start, period.end),
        "moved before": moved(period.before, period.start),
        "statuses": stood("status", period.end),
        "statuses before": stood("status", period.start),
        "priorities": stood("priority", period.end),
        "priorities before": stood("priority", period.start),
        "first response": spread(first_response(one, period, hours) for one in all_of_them),
        "resolution": spread(resolution(one, period, hours) for one in all_of_them),
        "ratings": (len(ratings), mean(ratings)),
        "days": [moved(start, end)[:2] for start, end in zip(period.days, ends, strict=True)],
    }


def digest(all_of_them: Sequence[Story], period: Period, hours: Hours) -> dict[str, Any]:
    """The same as `figures_of` a digest."""
    given = rated(all_of_them, period)
    tags = [
        tag
        for story in all_of_them
        if period.start <= story.opened["at"] < period.end
        for tag in set(story.row["tags"] or ()) - {None}
    ]
    low = sorted((one for one in given if one[1]["after"] <= 2), key=lambda one: -int(one[1]["id"]))
    return team(all_of_them, period, hours) | {
        "low": [
            LowRating(story.row["number"], line["after"], (story.row["feedback"] or {}).get("comment"), place(story))
            for story, line in low
        ],
        "waiting": waiting(all_of_them),
        "agents": agents(all_of_them, period),
        "tags": sorted(((tags.count(tag), tag) for tag in set(tags)), key=lambda one: (-one[0], one[1]))[:10],
    }


def own(all_of_them: Sequence[Story], who: UUID, period: Period) -> tuple[Own, Compared, tuple[int, Any]]:
    """An agent's own figures, how often they closed a ticket, and how many ratings their tickets got, with the mean."""
    theirs = [story for story in all_of_them if who in (story.row["assigned_to"] or ())]
    closings = [line["at"] for story in all_of_them for line in _closings(story) if line["actor"] == who]
    answers = [
        line["at"]
        for story in all_of_them
        for line in story.of("message")
        if line["role"] == "agent" and line["actor"] == who
    ]
    statuses = [story.row["status"] for story in theirs]
    ratings = [line["after"] for _, line in rated(theirs, period)]
    counts = Own(
        open=statuses.count("open"),
        pending=statuses.count("pending"),
        answers=sum(period.start <= at < period.end for at in answers),
    )
    closed = Compared(
        sum(period.start <= at < period.end for at in closings),
        sum(period.before <= at < period.start for at in closings),
    )
    return counts, closed, (len(ratings), mean(ratings))


def week(all_of_them: Sequence[Story], period: Period, hours: Hours) -> dict[str, Any]:
    """The same as `figures_of_week`, of a week that is this period."""
    before: Any = SimpleNamespace(start=period.before, end=period.start)
    now = team(all_of_them, period, hours)
    given = [line["after"] for _, line in rated(all_of_them, before)]
    return {
        "moved": [(now["moved"][at], now["moved before"][at]) for at in (0, 1)],
        "waiting": tuple(sum(one in ("new", "open") for one in now[what]) for what in ("statuses", "statuses before")),
        "first response": now["first response"],
        "first response before": spread(first_response(one, before, hours) for one in all_of_them),
        "ratings": now["ratings"],
        "ratings before": (len(given), mean(given)),
    }


def figures_of_week(found: Week) -> dict[str, Any]:
    first, before = found.first_response, found.first_response_before
    return {
        "moved": [(one.now, one.before) for one in (found.opened, found.closed)],
        "waiting": (found.waiting.now, found.waiting.before),
        "first response": (first.median, first.p90, first.count),
        "first response before": (before.median, before.p90, before.count),
        "ratings": (found.ratings.count, found.ratings.mean),
        "ratings before": (found.ratings_before.count, found.ratings_before.mean),
    }


def figures_of_team(found: Team) -> dict[str, Any]:
    moved = (found.opened, found.closed, found.reopened)
    first, last = found.first_response, found.resolution
    return {
        "moved": tuple(one.now for one in moved),
        "moved before": tuple(one.before for one in moved),
        "statuses": sorted(status for status, many in found.backlog_by_status.items() for _ in range(many.now)),
        "statuses before": sorted(
            status for status, many in found.backlog_by_status.items() for _ in range(many.before)
        ),
        "priorities": sorted(level for level, many in found.backlog_by_priority.items() for _ in range(many.now)),
        "priorities before": sorted(
            level for level, many in found.backlog_by_priority.items() for _ in range(many.before)
        ),
        "first response": (first.median, first.p90, first.count),
        "resolution": (last.median, last.p90, last.count),
        "ratings": (found.ratings.count, found.ratings.mean),
        "days": [(day.opened, day.closed) for day in found.days],
    }


def figures_of(found: Digest) -> dict[str, Any]:
    return figures_of_team(found.team) | {
        "low": list(found.low.newest),
        "waiting": list(found.waiting),
        "agents": {one.user_id: (one.open, one.pending, one.closed) for one in found.agents},
        "tags": [(one.tickets, one.tag) for one in found.tags],
    }
