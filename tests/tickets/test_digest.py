"""The figures, against a slow and obvious count over the same ledger."""

import contextlib
import datetime as dt
import itertools
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import storage.channels
import storage.expected
from bot.tickets import conversation, history, work
from bot.tickets.arrivals import MessageArrived, MessageDeleted
from bot.tickets.digest import (
    UTC,
    About,
    Compared,
    Day,
    Digest,
    LowRatings,
    PeriodName,
    Ratings,
    digest,
    period_of,
    stats,
    week,
)
from bot.tickets.errors import Refused
from bot.tickets.hours import WorkingHours
from storage import people, tickets
from storage.engine import Database, Transaction
from storage.figures import AgentFigures, Place, Scope, Spread, TagCount
from storage.people import Person, Profile
from storage.tickets import AuthorRole, NewTicket, Origin
from tests.tickets import counted
from tests.tickets.test_lifecycle import DESK

BERLIN = ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2025, 11, 17, 10, 0, tzinfo=dt.UTC)
TRIAGE = "G1"
NOTHING = Compared(0, 0)
triages = (f"G{number}" for number in itertools.count(100))


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
            await created(tx, ticket.id)
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

    async def withdraw(self, message: UUID) -> None:
        async with self.database.transaction(NOW) as tx:
            one = await tickets.by_message_id(tx, message)
            assert one is not None
            await tickets.rewrite(tx, one, one.word | {"content": "", "deleted_at": history.timestamp(NOW)}, None)

    async def not_a_ticket(self, ticket: UUID) -> None:
        async with self.database.transaction(NOW) as tx:
            await tickets.mark_not_a_ticket(tx, ticket, value=True)

    async def digest(self, period: PeriodName = "week", zone: ZoneInfo = UTC, now: dt.datetime = NOW) -> Digest:
        async with self.database.transaction(now) as tx:
            return await digest(tx, About(Scope((self.triage,))), period, zone=zone)


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.mark.parametrize(
    "wrong",
    [{"opens": "25:00"}, {"days": ["holiday"]}, {"days": []}, {"zone": "Nowhere"}, {"closes": 9}, {"lunch": "12:00"}],
    ids=str,
)
async def test_hours_that_another_program_wrote_wrong_are_left_out_and_told(
    desk: Desk, sql: asyncpg.Connection, wrong: dict[str, Any]
) -> None:
    hours = {"days": ["mon"], "opens": "09:00", "closes": "17:00", "zone": "UTC"}
    async with desk.database.transaction(NOW) as tx:
        for triage, support in (("G1", "C1"), ("G2", "C2")):
            await storage.channels.choose_triage(tx, triage, "triage", suspended=None)
            await storage.channels.choose_support(tx, support, "help", triage)
        for support, kept in (("C1", hours | wrong), ("C2", hours | wrong)):
            await storage.expected.set_working_hours(tx, support, kept)
    await desk.set(await desk.open(ago(hours=3)), NOW, status="closed")

    found = await desk.digest()

    assert (found.by_hours, found.misread) == (False, ("C1",))
    assert found.team.resolution.median == 3 * 3600


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

    assert (found.team.opened, found.team.closed, found.team.reopened, found.team.backlog) == (NOTHING,) * 4
    assert found.team.first_response == found.team.resolution == Spread(None, None, 0)
    assert (found.team.ratings, found.low) == (Ratings(0, None), LowRatings(0, ()))
    assert found.team.is_quiet
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

    assert found.team.first_response == Spread(3600, 3600, 1)
    assert found.team.resolution == Spread(3 * 3600, 3 * 3600, 1)
    assert found.agents == (AgentFigures(grace.user_id, "Grace", 0, 0, 1),)
    assert found.team.days == (Day(dt.date(2025, 11, 17), 1, 1),)
    assert found.team.backlog == NOTHING


async def test_imported_messages_are_no_first_response(desk: Desk) -> None:
    grace = await desk.person("Grace")
    ticket = await desk.open(ago(hours=2))
    await desk.says(ticket, ago(hours=2), grace, "agent", written=ago(days=3))
    assert (await desk.digest()).team.first_response.count == 0

    await desk.says(ticket, ago(hours=1), grace, "agent")
    assert (await desk.digest()).team.first_response == Spread(3600, 3600, 1)


async def test_only_the_first_response_counts_and_in_its_own_period(desk: Desk) -> None:
    grace = await desk.person("Grace")
    ticket = await desk.open(ago(days=10))
    await desk.says(ticket, ago(days=9), grace, "agent")
    await desk.says(ticket, ago(hours=1), grace, "agent")

    assert (await desk.digest("week")).team.first_response.count == 0
    assert (await desk.digest("month")).team.first_response == Spread(86400, 86400, 1)


async def test_a_reopened_ticket_is_resolved_at_its_last_closing(desk: Desk) -> None:
    ticket = await desk.open(ago(hours=9))
    await desk.set(ticket, ago(hours=8), status="closed")
    await desk.set(ticket, ago(hours=4), status="new")
    await desk.set(ticket, ago(hours=2), status="closed")
    await desk.set(ticket, ago(hours=1), status="new")
    await desk.set(ticket, ago(minutes=30), status="pending")

    found = await desk.digest()

    assert (found.team.opened.now, found.team.closed.now, found.team.reopened.now) == (1, 2, 2)
    assert found.team.resolution == Spread(3 * 3600, 3 * 3600, 1)


async def test_median_and_p90_are_interpolated(desk: Desk) -> None:
    for hours in (1, 2, 4):
        await desk.set(await desk.open(ago(hours=hours)), NOW, status="closed")

    found = await desk.digest()

    assert found.team.resolution.median == 2 * 3600
    assert found.team.resolution.p90 == pytest.approx(3.6 * 3600)


async def test_what_another_program_wrote_as_closed_needed_no_resolution(desk: Desk) -> None:
    await desk.open(ago(hours=1), status="closed")

    found = await desk.digest()

    assert (found.team.opened.now, found.team.closed.now, found.team.resolution.count) == (1, 1, 0)


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

    assert counted.figures_of(found) == counted.figures_of(empty)


async def test_the_tickets_of_other_triage_channels_are_left_out(desk: Desk) -> None:
    await desk.open(ago(hours=1))
    await Desk(desk.database, "G2").open(ago(hours=1))

    found = await desk.digest()

    assert (found.team.opened.now, found.team.backlog.now, len(found.waiting)) == (1, 1, 1)


async def test_a_period_reaches_from_its_first_moment_to_now(desk: Desk) -> None:
    midnight = dt.datetime(2025, 11, 16, 23, tzinfo=dt.UTC)
    moment = dt.datetime.resolution
    for at in (midnight - moment, midnight, NOW, NOW + moment):
        await desk.open(at)

    assert (await desk.digest("today", BERLIN)).team.opened == Compared(2, 1)


async def test_days_are_local(desk: Desk) -> None:
    await desk.open(dt.datetime(2025, 11, 15, 23, 30, tzinfo=dt.UTC))

    opened = {
        zone: next(day.date.day for day in (await desk.digest("week", zone)).team.days if day.opened)
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

    assert found.team.backlog_by_status == {"new": Compared(4, 4), "open": Compared(1, 0), "pending": Compared(1, 0)}
    assert found.team.backlog_by_priority == {"high": Compared(2, 1), "medium": Compared(4, 2), "low": Compared(0, 1)}


async def test_the_last_rating_of_a_ticket_counts(desk: Desk) -> None:
    first, second, taken_away = [await desk.open(ago(days=8)) for _ in range(3)]
    await desk.rate(first, ago(hours=5), 5)
    await desk.rate(first, ago(hours=4), 2, "Slow")
    await desk.rate(second, ago(hours=3), 5)
    await desk.rate(second, ago(hours=2), 4)
    await desk.rate(taken_away, ago(hours=3), 1)
    await desk.take_rating_away(taken_away, ago(hours=1))

    found = await desk.digest()

    assert found.team.ratings == Ratings(2, 3)
    assert found.low.count == 1
    assert [(one.number, one.rating, one.comment) for one in found.low.newest] == [(1, 2, "Slow")]


async def test_who_waits_longest(desk: Desk, sql: asyncpg.Connection) -> None:
    grace, ada = await desk.person("Grace"), await desk.person("Ada")
    opened = {hours: await desk.open(ago(hours=hours), title=f"{hours} hours") for hours in range(1, 9)}
    # 8 was answered; 7 was, and then asked again; 6 withdrew the later question; 5 is pending; 4 has written twice.
    for hours in (8, 7, 6):
        await desk.says(opened[hours], ago(hours=5), grace, "agent")
    await desk.says(opened[7], ago(minutes=30), ada, "customer")
    withdrawn = await desk.says(opened[6], ago(minutes=30), ada, "customer")
    await desk.withdraw(withdrawn)
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


# Histories by chance, against the slow count.


@dataclass
class Chance:
    """A desk to whose tickets anything happens: by the operations, and as other programs write. Acme's Grace and Linus
    are its agents, Ada of Globex and Bob of Initech its customers. Of its two support channels one keeps hours.

    Clocks of replicas may differ: `at` may go back a little.
    """

    database: Database
    triage: str
    at: dt.datetime = NOW
    opened: list[UUID] = field(default_factory=list)

    @property
    def support(self) -> tuple[str, str]:
        return f"{self.triage}-HELP", f"{self.triage}-SLOW"

    async def furnish(self, hours: WorkingHours) -> None:
        async with self.database.transaction(NOW) as tx:
            # The newest one gets the tickets of other programs.
            await tx.run("delete from threadesk.triage_members")
            await storage.channels.choose_triage(tx, self.triage, "triage", suspended=None)
            for channel in self.support:
                await storage.channels.choose_support(tx, channel, "help", self.triage)
            await storage.expected.set_working_hours(tx, self.support[0], hours.stored())
            await storage.channels.set_members(tx, self.triage, [("T1", "Grace"), ("T1", "Linus")])
            await tx.run(
                "update threadesk.channels set chosen_at = case when id = :id then now() else '2000-01-01' end",
                id=self.triage,
            )
            for team, name in (("T1", "Grace"), ("T1", "Linus"), ("T2", "Ada"), ("T3", "Bob")):
                await people.meet(tx, team, name)
                kind: Any = "member" if team == "T1" else "external"
                await people.learn(tx, Profile(team, name, kind, name, None, None, None, is_admin=False))

    async def happens(self, what: str, which: int, choice: int) -> None:
        agent, customer = ("Grace", "Linus")[choice % 2], (("T2", "Ada"), ("T3", "Bob"))[which % 2]
        async with self.database.transaction(self.at) as tx:
            if what == "open" or not self.opened:
                await self._open(tx, customer, self.support[choice % 2])
                return
            if what == "another program opens":
                await self._written(tx, choice)
                return
            ticket = await tickets.by_id(tx, self.opened[which % len(self.opened)])
            assert ticket is not None
            who = await people.meet(tx, "T1", agent)
            requester = await people.meet(tx, ticket.requester_team or "T2", ticket.requester_slack or "Ada")
            with contextlib.suppress(Refused):
                await self._act(tx, what, ticket, who, requester, choice)

    async def _open(self, tx: Transaction, customer: tuple[str, str], channel: str) -> None:
        ts = f"{self.at.timestamp():.6f}"
        message = MessageArrived(channel=channel, ts=ts, team=customer[0], author=customer[1], text="It fails")
        await conversation.take_in(tx, DESK, message)
        found = await tickets.by_thread(tx, channel, ts)
        if found and found[0] not in self.opened:
            self.opened.append(found[0])
            await created(tx, found[0])

    async def _written(self, tx: Transaction, choice: int) -> None:
        await tx.act_as(None, "other")
        made = await tx.run(
            "insert into public.tickets (title, description, status, priority, tags) values"
            " ('Mail', '', :status, 'low', '{vpn,null}') returning id",
            status=("new", "closed", "pending", "closed")[choice],
        )
        self.opened.append(UUID(str(made.scalar_one())))
        await created(tx, self.opened[-1])

    async def _act(  # noqa: PLR0912 - a table
        self, tx: Transaction, what: str, ticket: tickets.Ticket, agent: Person, customer: Person, choice: int
    ) -> None:
        number, slack_id = ticket.number, agent.slack_id
        match what:
            case "customer writes" | "agent writes" if ticket.channel and ticket.root_ts:
                author = customer if what == "customer writes" else agent
                await conversation.take_in(tx, DESK, self._message(ticket, author))
            case "import" if ticket.channel:
                word = history.fresh(uuid4(), "before", self.at - dt.timedelta(days=choice * 5), agent.user_id)
                await tickets.append(tx, ticket.id, word, Origin(None, None, None, None), "agent")
            case "delete" if ticket.channel:
                await self._delete(tx, ticket)
            case "claim":
                await work.claim(tx, agent, number)
            case "assign":
                await work.assign(tx, DESK, agent, number, ["Grace", "Linus"][choice % 2 :])
            case "unassign":
                await work.unassign(tx, DESK, agent, number, [slack_id])
            case "reply":
                await work.reply(tx, DESK, agent, number, "On it")
                await work.send_due_replies(tx, ticket.id)
            case "close":
                await work.close(tx, [agent, customer][choice // 2], number)
            case "reopen":
                await work.reopen(tx, [agent, customer][choice // 2], number)
            case "spam":
                await work.not_a_ticket(tx, agent, number)
            case "rate":
                await work.rate(tx, customer, number, choice + 1, f"{choice}")
            case "priority":
                await work.set_priority(tx, agent, number, ("low", "medium", "high", "high")[choice])
            case "tag":
                await work.tag(tx, agent, number, [["vpn", "ärger", "Zoom", "billing"][choice]], ["vpn"])
            case "another program writes":
                await self._rewritten(tx, ticket.id, agent, choice)

    def _message(self, ticket: tickets.Ticket, author: Person) -> MessageArrived:
        return MessageArrived(
            channel=ticket.channel or "",
            ts=f"{self.at.timestamp():.6f}",
            thread_ts=ticket.root_ts,
            team=author.team_id,
            author=author.slack_id,
            text="It still does",
        )

    async def _delete(self, tx: Transaction, ticket: tickets.Ticket) -> None:
        """The newest message that Slack has."""
        newest = await tx.run(
            "select ts from threadesk.messages where ticket_id = :id and ts is not null order by ts desc limit 1",
            id=ticket.id,
        )
        at = f"{self.at.timestamp():.6f}"
        if ts := newest.scalar_one_or_none():
            await conversation.take_in(tx, DESK, MessageDeleted(channel=ticket.channel or "", ts=ts, at=at))

    async def _rewritten(self, tx: Transaction, ticket: UUID, agent: Person, choice: int) -> None:
        await tx.act_as(None, "other")
        columns: list[dict[str, Any]] = [
            {"status": "closed", "priority": "high"},
            {"status": "open", "assigned_to": [agent.user_id]},
            {"feedback": {"rating": 1, "comment": None, "submitted_at": history.timestamp(self.at)}},
            {"status": "pending", "tags": []},
        ]
        await tickets.change(tx, ticket, **columns[choice])
        if choice == 3:
            await tx.run("update public.tickets set feedback = null where id = :id", id=ticket)


async def created(tx: Transaction, ticket: UUID) -> None:
    """Makes it as old as the test says: the table itself knows only when the test ran."""
    await tx.run("set local session_replication_role = replica")
    await tx.run("update public.tickets set created_at = :now where id = :id", now=tx.now, id=ticket)
    await tx.run(
        "update threadesk.desk_tickets d set waiting_since = threadesk.waiting_since(t.id, t.created_at)"
        " from public.tickets t where t.id = d.ticket_id and t.id = :id",
        id=ticket,
    )
    await tx.run("set local session_replication_role = origin")


HAPPENINGS = [
    *("open", "open", "another program opens", "customer writes", "customer writes", "agent writes", "reply"),
    *("import", "delete", "claim", "assign", "unassign", "close", "close", "reopen", "spam", "rate", "rate"),
    *("priority", "tag", "another program writes"),
]
#: What happens, to which ticket, with which of its choices, so many minutes after the last, on a clock that is so many
#: seconds behind.
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(HAPPENINGS),
        st.integers(0, 4),
        st.integers(0, 3),
        st.integers(0, 4 * 24 * 60) | st.just(0),
        st.sampled_from([0, 0, 0, 1, 40]),
    ),
    min_size=5,
    max_size=30,
)
WEEKDAYS: Any = st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1)
TIMES = st.builds(dt.time, st.integers(0, 23), st.sampled_from([0, 30]))
ZONES = ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/St_Johns"]
HOURS = st.builds(WorkingHours, days=WEEKDAYS.map(tuple), opens=TIMES, closes=TIMES, zone=st.sampled_from(ZONES))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=EVENTS,
    hours=HOURS,
    name=st.sampled_from(["today", "week", "month"]),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    narrowed=st.sampled_from(["", "channel", "company"]),
)
async def test_any_history(
    database: Database,
    sql: asyncpg.Connection,
    events: list[tuple[str, int, int, int, int]],
    hours: WorkingHours,
    name: PeriodName,
    zone: ZoneInfo,
    narrowed: str,
) -> None:
    desk = Chance(database, next(triages))
    await desk.furnish(hours)
    at = ago(minutes=sum(minutes for *_, minutes, _ in events))
    for place, (what, which, choice, minutes, behind) in enumerate(events):
        at += dt.timedelta(minutes=minutes, microseconds=1)
        desk.at = at - dt.timedelta(seconds=behind, microseconds=place)
        await desk.happens(what, which, choice)
    scope = Scope(
        (desk.triage,),
        channel=desk.support[0] if narrowed == "channel" else None,
        companies=("T2",) if narrowed == "company" else None,
    )
    now = NOW + dt.timedelta(minutes=1)

    async with database.transaction(now) as tx:
        found = await digest(tx, About(scope), name, zone=zone)
        grace = await people.meet(tx, "T1", "Grace")
        mine = await stats(tx, grace, name, zone=zone)
        seven_days = await week(tx, [desk.triage], zone=zone)

    assert await counted.disagreeing(sql) == []
    kept = {desk.support[0]: hours}
    in_scope = await counted.stories(sql, scope)
    assert counted.figures_of(found) == counted.digest(in_scope, found.period, kept)
    grown = found.team.opened.now - found.team.closed.now + found.team.reopened.now
    assert found.team.backlog.now == found.team.backlog.before + grown
    everything = await counted.stories(sql, Scope((desk.triage,)))
    assert counted.figures_of_team(mine.team) == counted.team(everything, mine.period, kept)
    of_week = counted.week(everything, period_of("week", now, zone), kept)
    assert counted.figures_of_week(seven_days) == of_week
    assert (mine.own, mine.closed, (mine.ratings.count, mine.ratings.mean)) == counted.own(
        everything, grace.user_id, mine.period
    )


async def test_figures_are_planned_for_the_time_that_they_are_of(database: Database) -> None:
    """PostgreSQL's own plan for all times, which it may keep after five, takes seconds where there are many tickets."""
    async with database.transaction(dt.datetime(2025, 11, 17, 10, tzinfo=dt.UTC)) as tx:
        for _ in range(8):
            await week(tx, ["G1"])
        planned = await tx.run(
            "select sum(custom_plans) as anew, sum(generic_plans) as kept from pg_prepared_statements"
            " where statement like '%threadesk.counted%' and cardinality(parameter_types) > 0"
        )
        assert planned.one().anew > 8
        assert planned.one().kept == 0
