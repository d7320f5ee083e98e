"""Views of an ordinary day, and strategies for views of the worst one."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from uuid import UUID

from hypothesis import strategies as st

from bot.blocks import answers, card, customer, home, mirror, setups
from bot.blocks.surface import Message
from bot.blocks.words.card import FLAWS
from bot.tickets import views
from bot.tickets.hours import DAYS, WorkingHours
from bot.tickets.listing import Shown, ShownToAgent
from bot.tickets.schedules import MOST, Times, When
from bot.tickets.setup import Present, Wanted
from storage.channels import Channel
from storage.homes import Home
from storage.listing import PAGE
from storage.tickets import Noted, Said, Ticket

AT = dt.datetime(2026, 11, 22, 14, 5, tzinfo=dt.UTC)
ADA, GRACE = UUID(int=1), UUID(int=2)
NAMES = {ADA: "Ada Lovelace", GRACE: "Grace Hopper"}
THREAD = "https://acme.slack.com/archives/C1/p1795356300000100"


def a_card(**changes: Any) -> views.Card:
    values: dict[str, Any] = {
        "number": 42,
        "title": "The CSV export fails",
        "status": "open",
        "priority": "high",
        "requester": "Ada Lovelace",
        "company": "Acme",
        "source_channel": "slack",
        "assignees": ("U1", "U2"),
        "tags": ("billing", "export"),
        "waiting_since": AT,
        "opened_at": AT,
        "customer_thread": THREAD,
        "latest": views.Latest("Ada Lovelace", "It still fails\nfor R&D.", AT),
        "not_a_ticket": False,
        "rating": None,
        "follows": 12,
    }
    return views.Card(**values | changes)


def a_mirror(**changes: Any) -> views.Mirror:
    values: dict[str, Any] = {
        "author": "Ada Lovelace",
        "picture": "https://avatars.example.com/ada.png",
        "words": "It *still* fails, see <https://example.com|the log>",
        "files": (views.Attached("log.txt", "https://acme.slack.com/files/U1/F1/log.txt"),),
        "edited": False,
        "deleted": False,
    }
    return views.Mirror(**values | changes)


def a_held_reply(
    state: Literal["held", "sent", "undone", "noted", "handed_over"] = "held", **changes: Any
) -> views.HeldReply:
    return views.HeldReply("r-1", "Grace Hopper", "Fixed, try again.", AT, state, **changes)


def an_email_claim(**changes: Any) -> views.EmailClaim:
    values: dict[str, Any] = {
        "id": "e-1",
        "customer": "Ada Lovelace",
        "email": "ada@globex.example",
        "owner": "Augusta King",
        "state": "asked",
        "decided_by": "Grace Hopper",
        "alert": ("U1",),
    }
    return views.EmailClaim(**values | changes)


def a_ticket(**changes: Any) -> Ticket:
    values: dict[str, Any] = {
        "id": UUID(int=42),
        "number": 42,
        "title": "The CSV export fails",
        "description": "The CSV export fails since noon.",
        "status": "open",
        "priority": "medium",
        "tags": ("billing", "export"),
        "custom_fields": {},
        "assigned_to": (GRACE,),
        "feedback": None,
        "source_channel": "slack",
        "created_at": AT,
        "updated_at": AT,
        "created_by": ADA,
        "customer_email": None,
        "requester": ADA,
        "requester_team": "T1",
        "requester_slack": "U9",
        "channel": "C1",
        "root_ts": "1795356300.000100",
        "triage_channel": "C2",
        "follows": None,
        "not_a_ticket": False,
        "closings": 0,
        "closed_at": None,
        "last_activity_at": AT,
    }
    return Ticket(**values | changes)


def a_message(content: str, by: UUID = ADA, **more: Any) -> Said:
    word = {"id": "m", "content": content, "created_at": AT.isoformat(), "created_by": str(by), "attachments": []}
    return Said("customer" if by == ADA else "agent", word | more)


def a_note(content: str, by: UUID = GRACE) -> Noted:
    return Noted("agent", {"id": "n", "content": content, "created_at": AT.isoformat(), "created_by": str(by)})


def a_row(**changes: Any) -> views.Row:
    return views.Row(a_ticket(**changes), "Ada Lovelace", ("Grace Hopper",), THREAD)


def an_own_ticket(**changes: Any) -> views.OwnTicket:
    values: dict[str, Any] = {
        "number": 42,
        "title": "The CSV export fails",
        "status": "open",
        "assignees": ("Grace Hopper",),
        "last_activity_at": AT,
        "link": THREAD,
    }
    return views.OwnTicket(**values | changes)


def a_customers_home(**changes: Any) -> views.CustomerHome:
    values: dict[str, Any] = {"tickets": (an_own_ticket(), an_own_ticket(number=41, status="closed")), "page": 2}
    return views.CustomerHome(**values | {"next": "1795356300000000.41.2"} | changes)


def an_agents_home(**changes: Any) -> views.AgentHome:
    rows = (
        views.DeskRow(a_row(), mine=True, own=False),
        views.DeskRow(a_row(number=43, status="new", assigned_to=(), waiting_since=AT), mine=False, own=False),
        views.DeskRow(a_row(number=44), mine=False, own=True),
    )
    values: dict[str, Any] = {
        "chosen": Home(list="all", priority="high", tag="billing"),
        "channels": (("C2", "triage"), ("C3", "triage-eu")),
        "rows": rows,
        "page": 2,
        "next": "1795356300000000.44.2",
        "asked": (an_own_ticket(number=44),),
        "more_asked": True,
    }
    return views.AgentHome(**values | changes)


# What people and other programs may have written, with the parts that harm most often than chance would have them.
_HARM = [
    "<!channel>",
    "&",
    "<",
    ">",
    "|",
    "\u202e",
    "*",
    "```",
    "\n",
    "x" * 4_000,
    "&<" * 3_000,
    "<https://evil.test|ok>",
]
anything = st.lists(st.sampled_from(_HARM) | st.text(max_size=20), max_size=12).map("".join)
slack_ids = st.lists(st.from_regex(r"U[A-Z0-9]{8,10}", fullmatch=True), max_size=1) | st.integers(0, 200).map(
    lambda many: [f"U{at:010}" for at in range(many)]
)
several = st.lists(anything, max_size=4) | st.builds(lambda one, many: [one] * many, anything, st.integers(0, 500))
moments = st.datetimes(timezones=st.just(dt.UTC))
links = st.none() | anything | st.builds("https://a.test/{}".format, st.text("a&|<", max_size=3_500))
numbers = st.integers(1, 2**31 - 1)
statuses = st.sampled_from(["new", "open", "pending", "closed"])
priorities = st.sampled_from(["low", "medium", "high"])
ratings = st.none() | st.integers(1, 5)
files = st.lists(st.builds(views.Attached, anything, links.map(str), st.booleans()), max_size=10)

fields = st.dictionaries(anything, anything | st.integers() | st.lists(anything, max_size=3), max_size=60)
cards = st.builds(
    views.Card,
    number=numbers,
    title=anything,
    status=statuses,
    priority=priorities,
    requester=anything,
    company=st.none() | anything,
    source_channel=st.none() | st.just("slack") | anything,
    assignees=slack_ids,
    tags=several,
    waiting_since=st.none() | moments,
    opened_at=moments,
    customer_thread=links,
    latest=st.none() | st.builds(views.Latest, anything, anything, moments),
    not_a_ticket=st.booleans(),
    rating=ratings,
    follows=st.none() | numbers,
    fields=fields,
    edited=st.booleans(),
    earlier_thread=links,
    assigned_elsewhere=st.integers(0, 9),
    flaws=st.dictionaries(st.sampled_from(sorted(FLAWS)), st.integers(1, 10_000)),
)
manners = st.sampled_from([None, "broadcast", "me"])
mirrors = st.builds(
    views.Mirror, anything, links, anything, files, st.booleans(), st.booleans(), slack_ids, links, manners
)
held_replies = st.builds(
    views.HeldReply,
    st.uuids().map(str),
    anything,
    anything,
    moments,
    st.sampled_from(["held", "sent", "undone", "noted", "handed_over"]),
    st.lists(anything, max_size=10),
    st.sampled_from(["slack", "email"]) | anything,
)
alerts = st.builds(
    views.Alert, st.sampled_from(["assigned", "reopened", "turn"]), numbers, st.none() | st.just("U1"), slack_ids
)
tickets = st.builds(
    a_ticket,
    number=numbers,
    title=anything,
    description=anything,
    status=statuses,
    priority=priorities,
    tags=several.map(tuple),
    assigned_to=st.integers(0, 200).map(lambda many: tuple(UUID(int=at) for at in range(many))),
    feedback=st.none() | st.builds(lambda rating: {"rating": rating, "comment": None}, st.integers(1, 5)),
    custom_fields=fields,
    customer_email=st.none() | anything,
    created_at=moments,
    closed_at=st.none() | moments,
    last_activity_at=moments,
    waiting_since=st.none() | moments,
)
words = (
    st.sampled_from(["customer", "agent", "other"]),
    st.fixed_dictionaries(
        {"content": anything, "created_at": anything | moments.map(dt.datetime.isoformat), "created_by": anything},
        optional={
            "attachments": st.lists(st.fixed_dictionaries({"name": anything, "url": links.map(str)}), max_size=6),
            "edited_at": anything,
            "deleted_at": anything,
        },
    ),
)


def _entries(kind: type[Any]) -> st.SearchStrategy[Any]:
    one = st.builds(kind, *words)
    many = st.builds(lambda written, times: [written] * times, one, st.integers(0, 200))
    return (st.lists(one, max_size=5) | many).map(tuple)


named = st.fixed_dictionaries({ADA: anything, GRACE: anything})
whole_tickets = st.builds(Shown, tickets, _entries(Said), named) | st.builds(
    ShownToAgent, tickets, _entries(Said), named, _entries(Noted)
)
email_claims = st.builds(
    views.EmailClaim,
    st.just("e-1"),
    anything,
    anything,
    anything,
    st.sampled_from(["asked", "confirmed", "rejected", "superseded"]),
    anything,
    slack_ids,
)
pages = st.builds(
    lambda one, many: [one] * many, st.builds(views.Row, tickets, anything, several, links), st.integers(0, 30)
)

channel_ids = st.from_regex(r"C[A-Z0-9]{8,10}", fullmatch=True)
set_ups = st.builds(
    Channel,
    id=channel_ids,
    name=anything,
    role=st.sampled_from(["support", "triage", "none"]),
    mode=st.sampled_from(["every_message", "on_request"]),
    triage_channel=st.none() | channel_ids,
    suspended=st.none(),
    priority=priorities,
    tags=several.map(tuple),
    assignees=slack_ids.map(tuple),
)
wanted = st.builds(
    Wanted,
    st.sampled_from(["support", "triage", "none"]),
    st.sampled_from(["every_message", "on_request"]),
    st.none() | channel_ids,
    slack_ids.map(lambda ids: tuple(ids[:50])),
    priorities,
    st.lists(st.from_regex(r"[a-z][a-z0-9_-]{0,49}", fullmatch=True), max_size=20).map(tuple),
)
clocks = st.builds(dt.time, st.integers(0, 23), st.integers(0, 59))
zones = st.sampled_from(["Europe/Berlin", "America/Argentina/Buenos_Aires", "UTC"])
hours = st.builds(
    WorkingHours, days=st.lists(st.sampled_from(DAYS), min_size=1), opens=clocks, closes=clocks, zone=zones
)
crons = st.sampled_from(["0 9 * * 1-5", "30 18 * * *", "0 8 * * MON#1", "5 */2 1,15 JAN-MAR *", "59 23 L * *"])
digests = st.lists(st.builds(When, cron=crons, period=st.sampled_from(["today", "week", "month"])), max_size=MOST)


@st.composite
def _times(draw: st.DrawFn) -> Times:
    zone = draw(zones)
    work = draw(st.none() | hours)
    return Times(
        tuple(dict.fromkeys(draw(digests))),
        draw(st.none() | st.just("C024BE7LR")),
        WorkingHours.model_validate(work.stored() | {"zone": zone}) if work else None,
        zone,
    )


times = _times()
presents = st.builds(
    Present,
    channel_ids,
    wanted,
    st.lists(set_ups, max_size=3, unique_by=lambda one: one.id)
    | st.integers(99, 120).map(
        lambda many: [Channel(f"C{at:09}", "x" * 80, "triage", "every_message", None, None) for at in range(many)]
    ),
    times,
)

own_tickets = st.builds(
    lambda one, many: [one] * many,
    st.builds(views.OwnTicket, numbers, anything, statuses, several, moments, links),
    st.integers(0, PAGE),
)
places = st.none() | st.builds("{}.{}.{}".format, st.integers(0, 2**57), numbers, st.integers(0, 3))
customers_homes = st.builds(views.CustomerHome, own_tickets, st.integers(1, 1_001), places)
agents_homes = st.builds(
    views.AgentHome,
    chosen=st.builds(
        Home,
        list=st.sampled_from(["mine", "unassigned", "waiting", "all", "asked"]),
        status=st.none() | statuses,
        priority=st.none() | priorities,
        tag=st.none() | st.text(min_size=1, max_size=50),
        triage_channel=st.none() | st.just("C1") | st.just("C0GONE"),
    ),
    channels=st.integers(0, 150).map(lambda many: [(f"C{at}", "x" * 80) for at in range(many)]),
    rows=st.builds(
        lambda one, many: [one] * many,
        st.builds(views.DeskRow, st.builds(views.Row, tickets, anything, several, links), st.booleans(), st.booleans()),
        st.integers(0, PAGE),
    ),
    page=st.integers(1, 1_001),
    next=places,
    asked=own_tickets,
    more_asked=st.booleans(),
)
rendered_homes: st.SearchStrategy[dict[str, Any]] = st.one_of(
    customers_homes.map(home.customer), agents_homes.map(home.agent)
)
rendered: st.SearchStrategy[Message] = st.one_of(
    cards.map(card.card),
    st.builds(views.Status, numbers, statuses, several, st.booleans(), st.none() | st.just(AT)).map(customer.status),
    st.builds(views.Root, numbers, anything, anything, anything, st.none() | anything).map(customer.root),
    st.builds(views.Question, numbers, ratings, st.booleans()).map(customer.question),
    mirrors.map(mirror.mirror),
    st.builds(views.Files, anything, links, st.lists(anything, max_size=10)).map(mirror.files),
    st.builds(views.NoteMirror, anything, links, anything).map(mirror.note),
    held_replies.map(mirror.held_reply),
    alerts.map(mirror.alert),
    email_claims.map(mirror.email_claim),
    numbers.map(customer.email_offer),
    st.builds(views.Rated, numbers, anything, st.integers(1, 5), st.none() | anything, slack_ids).map(mirror.rated),
    st.builds(views.Parked, anything, anything).map(mirror.parked),
    st.builds(lambda text: answers.sentence(f"No. {text}"), anything),
    st.builds(setups.asked, channel_ids, st.none() | anything.map(lambda why: f"No. {why}")),
    set_ups.map(setups.done),
    st.builds(setups.told, set_ups, times, st.just("U024BE7LH")),
    st.builds(setups.renamed, channel_ids, anything),
    st.builds(setups.suspended_elsewhere, channel_ids, anything),
    st.builds(
        lambda rows, heading, more: answers.page(rows, heading=heading, more=more),
        pages,
        anything,
        st.none() | st.text(max_size=100),
    ),
    st.builds(lambda view, link: answers.shown(view, link=link), whole_tickets, st.none() | st.just(THREAD)),
)
