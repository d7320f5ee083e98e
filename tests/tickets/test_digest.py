"""The figures, against a slow and obvious count over the same ledger."""

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.tickets import history
from bot.tickets.digest import UTC, Compared, Day, Digest, Period, PeriodName, Ratings, digest, period_of
from storage import people, tickets
from storage.engine import Database
from storage.figures import AgentFigures, LowRating, Place, Spread, TagCount, Waiting
from storage.people import Person, Profile
from storage.tickets import AuthorRole, NewTicket, Origin

BERLIN = ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2025, 11, 17, 10, 0, tzinfo=dt.UTC)
TRIAGE = "G1"
NOTHING = Compared(0, 0)
channels = (f"G{number}" for number in itertools.count(100))


def ago(**span: float) -> dt.datetime:
    return NOW - dt.timedelta(**span)


class Desk:
    """Lets things happen to tickets at the times that a test says."""

    def __init__(self, database: Database, triage: str = TRIAGE) -> None:
        self.database, self.triage = database, triage

    async def person(self, name: str) -> Person:
        async with self.database.transaction(NOW) as tx:
            person = await people.meet(tx, "T1", name)
            await people.learn(tx, Profile("T1", name, "member", name, None, None, None, is_admin=False))
            return person

    async def open(self, at: dt.datetime, **columns: Any) -> UUID:
        requester = await self.person("Ada")
        new: dict[str, Any] = {
            "id": uuid4(),
            "title": "It fails",
            "description": "",
            "status": "new",
            "priority": "medium",
            "tags": (),
            "assigned_to": (),
            "created_by": requester.user_id,
            "customer_email": None,
            "requester": requester.user_id,
            "requester_team": "T1",
            "requester_slack": requester.slack_id,
            "channel": "C1",
            "root_ts": f"{at.timestamp():.6f}",
            "triage_channel": self.triage,
        }
        ticket = NewTicket(**new | columns)
        async with self.database.transaction(at) as tx:
            await tx.act_as(requester.user_id, "customer")
            await tickets.insert(tx, ticket)
        return ticket.id

    async def says(
        self, ticket: UUID, at: dt.datetime, author: Person, role: AuthorRole, *, written: dt.datetime | None = None
    ) -> UUID:
        """`written`: when, where the desk takes it in later."""
        word = history.fresh(uuid4(), "words", written or at, author.user_id)
        async with self.database.transaction(at) as tx:
            await tx.act_as(author.user_id, role)
            await tickets.append(tx, ticket, word, Origin(None, None, None, None), role)
        return UUID(word["id"])

    async def set(
        self, ticket: UUID, at: dt.datetime, by: Person | None = None, role: str = "agent", **columns: Any
    ) -> None:
        async with self.database.transaction(at) as tx:
            await tx.act_as(by.user_id if by else None, role if by else "desk")
            await tickets.change(tx, ticket, **columns)

    async def rate(self, ticket: UUID, at: dt.datetime, rating: int, comment: str | None = None) -> None:
        feedback = {"rating": rating, "comment": comment, "submitted_at": history.timestamp(at)}
        await self.set(ticket, at, feedback=feedback)

    async def take_rating_away(self, ticket: UUID, at: dt.datetime) -> None:
        """As another program may do."""
        async with self.database.transaction(at) as tx:
            await tx.act_as(None, "other")
            await tx.run("update public.tickets set feedback = null where id = :id", id=ticket)

    async def not_a_ticket(self, ticket: UUID) -> None:
        async with self.database.transaction(NOW) as tx:
            await tickets.mark_not_a_ticket(tx, ticket, value=True)

    async def digest(self, period: PeriodName = "week", zone: ZoneInfo = UTC, now: dt.datetime = NOW) -> Digest:
        async with self.database.transaction(now) as tx:
            return await digest(tx, [self.triage], period, zone=zone)


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.mark.parametrize("name", ["today", "week", "month"])
def test_a_period_begins_at_a_local_midnight_and_the_one_before_lasts_as_long(name: PeriodName) -> None:
    period = period_of(name, dt.datetime(2025, 10, 28, 9, tzinfo=dt.UTC), BERLIN)

    assert len(period.days) == {"today": 1, "week": 7, "month": 30}[name]
    assert all(day.astimezone(BERLIN).time() == dt.time() for day in period.days)
    assert period.start - period.before == period.end - period.start


@pytest.mark.parametrize(
    ("name", "now", "label"),
    [
        ("today", NOW, "Today, 17 Nov 2025"),
        ("week", NOW, "Last 7 days, 11 Nov – 17 Nov 2025"),
        ("month", dt.datetime(2026, 1, 5, tzinfo=dt.UTC), "Last 30 days, 7 Dec 2025 – 5 Jan 2026"),
        ("today", dt.datetime(2025, 11, 17, 22, 59, 59, 999_999, dt.UTC), "Today, 17 Nov 2025"),
        ("today", dt.datetime(2025, 11, 17, 23, tzinfo=dt.UTC), "Today, 18 Nov 2025"),
    ],
)
def test_a_label_names_the_local_days(name: PeriodName, now: dt.datetime, label: str) -> None:
    assert period_of(name, now, BERLIN).label == label


def test_a_day_that_a_zone_left_out_is_empty() -> None:
    # Samoa went from 29 to 31 December 2011.
    days = period_of("week", dt.datetime(2012, 1, 2, tzinfo=dt.UTC), ZoneInfo("Pacific/Apia")).days

    assert sorted(days) == list(days)
    assert len(set(days)) == len(days) - 1


async def test_a_desk_without_tickets(desk: Desk) -> None:
    found = await desk.digest()

    assert (found.opened, found.closed, found.reopened, found.backlog) == (NOTHING,) * 4
    assert found.first_response == found.resolution == Spread(None, None, 0)
    assert found.ratings == Ratings(0, None, ())
    assert found.is_quiet
    assert [*found.waiting, *found.agents, *found.tags] == []


async def test_one_ticket_from_opening_to_closing(desk: Desk) -> None:
    grace, ada = await desk.person("Grace"), await desk.person("Ada")
    ticket = await desk.open(ago(hours=9))
    await desk.says(ticket, ago(hours=8.5), ada, "customer")
    await desk.says(ticket, ago(hours=8), grace, "agent")
    await desk.set(ticket, ago(hours=8), grace, status="pending", assigned_to=[grace.user_id])
    await desk.says(ticket, ago(hours=5), ada, "customer")
    await desk.set(ticket, ago(hours=5), status="open")
    await desk.says(ticket, ago(hours=4), grace, "agent")
    await desk.set(ticket, ago(hours=3), grace, status="closed")

    found = await desk.digest("today")

    assert found.first_response == Spread(3600, 3600, 1)
    assert found.resolution == Spread(3 * 3600, 3 * 3600, 1)
    assert found.agents == (AgentFigures(grace.user_id, "Grace", 0, 0, 1),)
    assert found.days == (Day(dt.date(2025, 11, 17), 1, 1),)
    assert found.backlog == NOTHING


async def test_imported_messages_are_no_first_response(desk: Desk) -> None:
    grace = await desk.person("Grace")
    ticket = await desk.open(ago(hours=2))
    await desk.says(ticket, ago(hours=2), grace, "agent", written=ago(days=3))
    assert (await desk.digest()).first_response.count == 0

    await desk.says(ticket, ago(hours=1), grace, "agent")
    assert (await desk.digest()).first_response == Spread(3600, 3600, 1)


async def test_only_the_first_response_counts_and_in_its_own_period(desk: Desk) -> None:
    grace = await desk.person("Grace")
    ticket = await desk.open(ago(days=10))
    await desk.says(ticket, ago(days=9), grace, "agent")
    await desk.says(ticket, ago(hours=1), grace, "agent")

    assert (await desk.digest("week")).first_response.count == 0
    assert (await desk.digest("month")).first_response == Spread(86400, 86400, 1)


async def test_a_reopened_ticket_is_resolved_at_its_last_closing(desk: Desk) -> None:
    ticket = await desk.open(ago(hours=9))
    await desk.set(ticket, ago(hours=8), status="closed")
    await desk.set(ticket, ago(hours=4), status="new")
    await desk.set(ticket, ago(hours=2), status="closed")
    await desk.set(ticket, ago(hours=1), status="new")
    await desk.set(ticket, ago(minutes=30), status="pending")

    found = await desk.digest()

    assert (found.opened.now, found.closed.now, found.reopened.now) == (1, 2, 2)
    assert found.resolution == Spread(3 * 3600, 3 * 3600, 1)


async def test_median_and_p90_are_interpolated(desk: Desk) -> None:
    for hours in (1, 2, 4):
        await desk.set(await desk.open(ago(hours=hours)), NOW, status="closed")

    found = await desk.digest()

    assert found.resolution.median == 2 * 3600
    assert found.resolution.p90 == pytest.approx(3.6 * 3600)


async def test_what_another_program_wrote_as_closed_needed_no_resolution(desk: Desk) -> None:
    await desk.open(ago(hours=1), status="closed")

    found = await desk.digest()

    assert (found.opened.now, found.closed.now, found.resolution.count) == (1, 1, 0)


async def test_what_is_no_ticket_is_left_out_of_every_figure(desk: Desk) -> None:
    grace = await desk.person("Grace")
    ticket = await desk.open(ago(hours=4), tags=["spam"])
    await desk.says(ticket, ago(hours=3), grace, "agent")
    await desk.rate(ticket, ago(hours=2), 1)
    await desk.set(ticket, ago(hours=1), grace, status="closed")
    waiting = await desk.open(ago(hours=4), status="open", assigned_to=[grace.user_id])
    empty = await Desk(desk.database, "G2").digest()
    await desk.not_a_ticket(ticket)
    await desk.not_a_ticket(waiting)

    found = await desk.digest()

    assert figures_of(found) == figures_of(empty)


async def test_the_tickets_of_other_triage_channels_are_left_out(desk: Desk) -> None:
    await desk.open(ago(hours=1))
    await Desk(desk.database, "G2").open(ago(hours=1))

    found = await desk.digest()

    assert (found.opened.now, found.backlog.now, len(found.waiting)) == (1, 1, 1)


async def test_a_period_reaches_from_its_first_moment_to_now(desk: Desk) -> None:
    midnight = dt.datetime(2025, 11, 16, 23, tzinfo=dt.UTC)
    moment = dt.datetime.resolution
    for at in (midnight - moment, midnight, NOW, NOW + moment):
        await desk.open(at)

    assert (await desk.digest("today", BERLIN)).opened == Compared(2, 1)


async def test_days_are_local(desk: Desk) -> None:
    await desk.open(dt.datetime(2025, 11, 15, 23, 30, tzinfo=dt.UTC))

    opened = {
        zone: next(day.date.day for day in (await desk.digest("week", zone)).days if day.opened)
        for zone in (UTC, BERLIN)
    }

    assert opened == {UTC: 15, BERLIN: 16}


async def test_the_backlog_as_it_was_when_the_period_began(desk: Desk) -> None:
    await desk.open(ago(days=20), priority="high")
    changed = await desk.open(ago(days=20), priority="low")
    await desk.set(changed, ago(days=2), status="pending", priority="medium")
    await desk.set(changed, ago(days=1), priority="high")
    closed = await desk.open(ago(days=20))
    await desk.set(closed, ago(days=1), status="closed")
    reopened = await desk.open(ago(days=20))
    await desk.set(reopened, ago(days=19), status="closed")
    await desk.set(reopened, ago(days=1), status="new")
    await desk.open(ago(hours=1))
    midnight = dt.datetime(2025, 11, 11, tzinfo=dt.UTC)
    await desk.open(midnight)
    await desk.set(await desk.open(ago(days=20)), midnight, status="open")

    found = await desk.digest()

    assert found.backlog_by_status == {"new": Compared(4, 4), "open": Compared(1, 0), "pending": Compared(1, 0)}
    assert found.backlog_by_priority == {"high": Compared(2, 1), "medium": Compared(4, 2), "low": Compared(0, 1)}


async def test_the_last_rating_of_a_ticket_counts(desk: Desk) -> None:
    first, second, taken_away = [await desk.open(ago(days=8)) for _ in range(3)]
    await desk.rate(first, ago(hours=5), 5)
    await desk.rate(first, ago(hours=4), 2, "Slow")
    await desk.rate(second, ago(hours=3), 5)
    await desk.rate(second, ago(hours=2), 4)
    await desk.rate(taken_away, ago(hours=3), 1)
    await desk.take_rating_away(taken_away, ago(hours=1))

    found = (await desk.digest()).ratings

    assert (found.count, found.mean) == (2, 3)
    assert [(one.number, one.rating, one.comment) for one in found.low] == [(1, 2, "Slow")]


async def test_who_waits_longest(desk: Desk, sql: asyncpg.Connection) -> None:
    grace, ada = await desk.person("Grace"), await desk.person("Ada")
    opened = {hours: await desk.open(ago(hours=hours), title=f"{hours} hours") for hours in range(1, 9)}
    # 8 was answered; 7 was, and then asked again; 6 withdrew the later question; 5 is pending; 4 has written twice.
    for hours in (8, 7, 6):
        await desk.says(opened[hours], ago(hours=5), grace, "agent")
    await desk.says(opened[7], ago(minutes=30), ada, "customer")
    withdrawn = await desk.says(opened[6], ago(minutes=30), ada, "customer")
    await sql.execute("update threadesk.messages set deleted = true where message_id = $1", withdrawn)
    await desk.set(opened[5], ago(minutes=20), status="pending")
    for minutes in (200, 100):
        await desk.says(opened[4], ago(minutes=minutes), ada, "customer")
    await desk.set(opened[3], ago(minutes=20), grace, status="open", assigned_to=[grace.user_id])
    await sql.execute(
        "insert into threadesk.posted (ticket_id, side, slot, channel, ts)"
        " values ($1, 'triage', 'card', $2, '7.7'), ($1, 'triage', 'event:1', $2, '8.8')",
        opened[4],
        TRIAGE,
    )

    found = (await desk.digest()).waiting

    assert [(one.title, one.since, one.assigned) for one in found] == [
        ("4 hours", ago(minutes=200), False),
        ("3 hours", ago(hours=3), True),
        ("2 hours", ago(hours=2), False),
        ("1 hours", ago(hours=1), False),
        ("7 hours", ago(minutes=30), False),
    ]
    assert found[0].requester == "Ada"
    assert found[0].place == Place("C1", f"{ago(hours=4).timestamp():.6f}", TRIAGE, "7.7")
    assert found[1].place.card_ts is None


async def test_the_requester_of_a_ticket_of_another_program(desk: Desk, sql: asyncpg.Connection) -> None:
    someone = uuid4()
    await sql.execute("insert into auth.users (id) values ($1)", someone)
    await sql.execute(
        "insert into customers (id, first_name, last_name, email) values ($1, 'Bob', 'Noyce', 'bob@globex.example')",
        someone,
    )
    await desk.open(ago(hours=1), requester=someone, customer_email="bob@globex.example")
    await sql.execute("update customers set first_name = '', last_name = ''")
    nameless = (await desk.digest()).waiting[0].requester
    await sql.execute("update customers set first_name = 'Bob', last_name = 'Noyce'")

    assert nameless == "bob@globex.example"
    assert (await desk.digest()).waiting[0].requester == "Bob Noyce"


async def test_load_and_closes_by_agent(desk: Desk) -> None:
    grace, linus, ada = await desk.person("Grace"), await desk.person("Linus"), await desk.person("Ada")
    both = [grace.user_id, linus.user_id]
    await desk.open(ago(days=40), status="open", assigned_to=both)
    await desk.open(ago(days=1), status="pending", assigned_to=[grace.user_id])
    for by in (linus, linus, None):
        await desk.set(await desk.open(ago(days=1), assigned_to=both), ago(hours=1), by, status="closed")
    await desk.set(await desk.open(ago(days=1)), ago(hours=1), ada, "customer", status="closed")
    await desk.open(ago(days=1), assigned_to=[ada.user_id])

    assert (await desk.digest()).agents == (
        AgentFigures(grace.user_id, "Grace", 1, 1, 0),
        AgentFigures(linus.user_id, "Linus", 1, 0, 2),
    )


async def test_tags_of_tickets_opened_in_the_period_as_they_are_now(desk: Desk) -> None:
    await desk.open(ago(days=9), tags=["old"])
    await desk.open(ago(days=1), tags=["vpn", "billing", "billing"])
    await desk.set(await desk.open(ago(days=1), tags=["wrong"]), NOW, tags=["vpn"])

    assert (await desk.digest()).tags == (TagCount("vpn", 2), TagCount("billing", 1))


# The slow count. Every line of a ticket's ledger is looked at, and every ticket.


@dataclass
class Story:
    """A ticket with its lines of the ledger and its messages, as rows."""

    row: dict[str, Any]
    lines: list[dict[str, Any]]
    messages: list[dict[str, Any]]

    def of(self, *what: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["what"] in what]

    def values(self, what: str) -> list[tuple[dt.datetime, Any]]:
        """What `what` ("status" or "priority") became, and when."""
        (opened,) = self.of("opened")
        return [(opened["at"], opened["after"][what])] + [(line["at"], line["after"]) for line in self.of(what)]

    def at(self, what: str, moment: dt.datetime) -> Any:
        before = [value for at, value in self.values(what) if at < moment]
        return before[-1] if before else None


async def stories(sql: asyncpg.Connection, triage: str) -> list[Story]:
    rows = await sql.fetch(
        "select t.*, d.number, d.channel, d.root_ts, d.triage_channel from tickets t"
        " join threadesk.desk_tickets d on d.ticket_id = t.id where d.triage_channel = $1 and not d.not_a_ticket"
        " order by d.number",
        triage,
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
    ]


def spread(seconds: Iterable[float]) -> Any:
    ordered = sorted(seconds)
    return pytest.approx((_percentile(ordered, 0.5), _percentile(ordered, 0.9), len(ordered)))


def _percentile(ordered: Sequence[float], part: float) -> float | None:
    if not ordered:
        return None
    place = (len(ordered) - 1) * part
    low, high = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    return low + (high - low) * (place - int(place))


def first_response(story: Story) -> tuple[dt.datetime, float] | None:
    """When, and how many seconds after the opening."""
    (opened,) = story.of("opened")
    answers = [line["at"] for line in story.of("message") if line["role"] == "agent" and line["at"] > opened["at"]]
    return (min(answers), (min(answers) - opened["at"]).total_seconds()) if answers else None


def resolution(story: Story, start: dt.datetime, end: dt.datetime) -> float | None:
    statuses = story.values("status")
    closings = [
        place for place, (at, value) in enumerate(statuses) if place and value == "closed" and start <= at < end
    ]
    if not closings:
        return None
    stays = itertools.pairwise(statuses[: closings[-1] + 1])
    return sum((left - came).total_seconds() for (came, value), (left, _) in stays if value in ("new", "open"))


def waiting_since(story: Story) -> Any:
    said = [(one["created_at"], one["author_role"]) for one in story.messages if one["kind"] == "message"]
    answered = [at for at, role in said if role == "agent"]
    asked = [at for at, role in said if role == "customer" and (not answered or at > max(answered))]
    if asked:
        return min(asked)
    return None if answered else story.of("opened")[0]["at"]


def low_ratings(rated: Iterable[tuple[Story, dict[str, Any]]]) -> list[LowRating]:
    newest_first = sorted(rated, key=lambda one: one[1]["id"], reverse=True)
    return [
        LowRating(story.row["number"], line["after"], story.row["feedback"]["comment"], place(story))
        for story, line in newest_first
        if line["after"] <= 2
    ]


def place(story: Story) -> Place:
    return Place(story.row["channel"], story.row["root_ts"], story.row["triage_channel"], None)


def waiting(all_of_them: Sequence[Story]) -> list[Waiting]:
    found = [
        Waiting(story.row["number"], story.row["title"], "Ada", since, bool(story.row["assigned_to"]), place(story))
        for story in all_of_them
        if story.row["status"] in ("new", "open") and (since := waiting_since(story))
    ]
    return sorted(found, key=lambda one: (one.since, one.number))[:5]


def agents(all_of_them: Sequence[Story], period: Period) -> dict[UUID, tuple[int, int, int]]:
    found: dict[UUID, list[int]] = {}
    for story in all_of_them:
        for who in story.row["assigned_to"] if story.row["status"] in ("open", "pending") else ():
            found.setdefault(who, [0, 0, 0])[story.row["status"] == "pending"] += 1
        for line in story.of("status"):
            if line["after"] == "closed" and line["role"] == "agent" and period.start <= line["at"] < period.end:
                found.setdefault(line["actor"], [0, 0, 0])[2] += 1
    return {who: (counts[0], counts[1], counts[2]) for who, counts in found.items()}


def count(all_of_them: Sequence[Story], period: Period) -> dict[str, Any]:
    """The same as `figures_of` a digest."""

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

    def inside(at: dt.datetime) -> bool:
        return period.start <= at < period.end

    def stood(what: str, moment: dt.datetime) -> list[str]:
        return sorted(one.at(what, moment) for one in all_of_them if one.at("status", moment) not in (None, "closed"))

    responses = [first_response(story) for story in all_of_them]
    resolutions = [resolution(story, period.start, period.end) for story in all_of_them]
    last_rated = [(story, [line for line in story.of("rating") if inside(line["at"])][-1:]) for story in all_of_them]
    rated = [(story, lines[0]) for story, lines in last_rated if lines and lines[0]["after"] is not None]
    given_ratings = [line["after"] for _, line in rated]
    tags = [tag for story in all_of_them if inside(story.of("opened")[0]["at"]) for tag in set(story.row["tags"] or ())]
    ends = [*period.days[1:], period.end]
    return {
        "moved": moved(period.start, period.end),
        "moved before": moved(period.before, period.start),
        "statuses": stood("status", period.end),
        "statuses before": stood("status", period.start),
        "priorities": stood("priority", period.end),
        "priorities before": stood("priority", period.start),
        "first response": spread(one[1] for one in responses if one and inside(one[0])),
        "resolution": spread(one for one in resolutions if one is not None),
        "ratings": len(given_ratings),
        "mean": pytest.approx(sum(given_ratings) / len(given_ratings)) if given_ratings else None,
        "low": low_ratings(rated),
        "waiting": waiting(all_of_them),
        "agents": agents(all_of_them, period),
        "tags": sorted(((tags.count(tag), tag) for tag in set(tags)), key=lambda one: (-one[0], one[1]))[:10],
        "days": [moved(start, end)[:2] for start, end in zip(period.days, ends, strict=True)],
    }


def figures_of(found: Digest) -> dict[str, Any]:
    moved = (found.opened, found.closed, found.reopened)
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
        "first response": (found.first_response.median, found.first_response.p90, found.first_response.count),
        "resolution": (found.resolution.median, found.resolution.p90, found.resolution.count),
        "ratings": found.ratings.count,
        "mean": found.ratings.mean,
        "low": list(found.ratings.low),
        "waiting": list(found.waiting),
        "agents": {one.user_id: (one.open, one.pending, one.closed) for one in found.agents},
        "tags": [(one.tickets, one.tag) for one in found.tags],
        "days": [(day.opened, day.closed) for day in found.days],
    }


HAPPENINGS = [
    "open",
    "open",
    "ask",
    "answer",
    "import",
    "status",
    "status",
    "assign",
    "priority",
    "tag",
    "rate",
    "spam",
]
#: What happens, to which ticket, with which of its choices, so many minutes after the last.
EVENTS = st.lists(
    st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 4), st.integers(0, 3), st.integers(1, 4 * 24 * 60)),
    min_size=5,
    max_size=30,
)


async def play(desk: Desk, events: Sequence[tuple[str, int, int, int]]) -> None:
    """Lets the events happen one after another, the last one just now."""
    grace, linus, ada = await desk.person("Grace"), await desk.person("Linus"), await desk.person("Ada")
    teams = [[], [grace.user_id], [linus.user_id], [grace.user_id, linus.user_id]]
    at = ago(minutes=sum(minutes for *_, minutes in events))
    opened: list[UUID] = []
    for happening, which, choice, minutes in events:
        at += dt.timedelta(minutes=minutes)
        if happening == "open" or not opened:
            tags = ["vpn", "billing"][: choice % 3]
            status = "closed" if choice == 3 else "new"
            opened.append(await desk.open(at, tags=tags, status=status, title=f"{choice}"))
            continue
        ticket = opened[which % len(opened)]
        agent = [grace, linus, None, grace][choice]
        match happening:
            case "ask":
                await desk.says(ticket, at, ada, "customer")
            case "answer":
                await desk.says(ticket, at, linus if choice % 2 else grace, "agent")
            case "import":
                await desk.says(ticket, at, grace, "agent", written=at - dt.timedelta(days=choice * 9))
            case "status":
                await desk.set(ticket, at, agent, status=["new", "open", "pending", "closed"][choice])
            case "assign":
                await desk.set(ticket, at, agent, assigned_to=teams[choice])
            case "priority":
                await desk.set(ticket, at, agent, priority=["low", "medium", "high", "high"][choice])
            case "tag":
                await desk.set(ticket, at, agent, tags=["vpn", "billing", "ärger", "Zoom"][:choice])
            case "rate" if choice == 3:
                await desk.take_rating_away(ticket, at)
            case "rate":
                await desk.rate(ticket, at, choice + 1, f"{choice}")
            case "spam" if choice == 0:
                await desk.not_a_ticket(ticket)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=EVENTS,
    name=st.sampled_from(["today", "week", "month"]),
    zone=st.sampled_from([UTC, BERLIN, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("America/St_Johns")]),
)
async def test_any_history(
    database: Database,
    sql: asyncpg.Connection,
    events: list[tuple[str, int, int, int]],
    name: PeriodName,
    zone: ZoneInfo,
) -> None:
    desk = Desk(database, next(channels))
    await play(desk, events)

    found = await desk.digest(name, zone)

    assert figures_of(found) == count(await stories(sql, desk.triage), found.period)
    grown = found.opened.now - found.closed.now + found.reopened.now
    assert found.backlog.now == found.backlog.before + grown
