"""Views of an ordinary day, and strategies for views of the worst one."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from uuid import UUID

from hypothesis import strategies as st

from bot.blocks import answers, card, customer, mirror, setups
from bot.blocks.surface import Message
from bot.tickets import views
from bot.tickets.hours import DAYS, WorkingHours
from bot.tickets.listing import Shown
from bot.tickets.schedules import MOST, Times, When
from bot.tickets.setup import Present, Wanted
from storage.channels import Channel
from storage.tickets import Ticket, Written

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
        "files": (("log.txt", "https://acme.slack.com/files/U1/F1/log.txt"),),
        "edited": False,
        "deleted": False,
    }
    return views.Mirror(**values | changes)


def a_held_reply(state: Literal["held", "sent", "undone", "noted"] = "held") -> views.HeldReply:
    return views.HeldReply("r-1", "Grace Hopper", "Fixed, try again.", AT, state)


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


def a_message(content: str, by: UUID = ADA, **more: Any) -> Written:
    word = {"id": "m", "content": content, "created_at": AT.isoformat(), "created_by": str(by), "attachments": []}
    return Written("message", "customer" if by == ADA else "agent", word | more)


def a_note(content: str, by: UUID = GRACE) -> Written:
    return Written(
        "note", "agent", {"id": "n", "content": content, "created_at": AT.isoformat(), "created_by": str(by)}
    )


def a_row(**changes: Any) -> views.Row:
    return views.Row(a_ticket(**changes), "Ada Lovelace", ("Grace Hopper",), THREAD)


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
files = st.lists(st.tuples(anything, links.map(str)), max_size=10)

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
)
mirrors = st.builds(views.Mirror, anything, links, anything, files, st.booleans(), st.booleans(), slack_ids)
held_replies = st.builds(
    views.HeldReply,
    st.uuids().map(str),
    anything,
    anything,
    moments,
    st.sampled_from(["held", "sent", "undone", "noted"]),
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
    customer_email=st.none() | anything,
    created_at=moments,
    closed_at=st.none() | moments,
    last_activity_at=moments,
)
written = st.builds(
    Written,
    st.sampled_from(["message", "note"]),
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
entries = st.lists(written, max_size=5) | st.builds(lambda one, many: [one] * many, written, st.integers(0, 200))
whole_tickets = st.builds(
    Shown, tickets, entries.map(tuple), entries.map(tuple), st.fixed_dictionaries({ADA: anything, GRACE: anything})
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

rendered: st.SearchStrategy[Message] = st.one_of(
    cards.map(card.card),
    st.builds(views.Status, numbers, statuses, several, st.booleans(), st.none() | st.just(AT)).map(customer.status),
    st.builds(views.Root, numbers, anything, anything, anything, st.none() | anything).map(customer.root),
    st.builds(views.Question, numbers, ratings, st.booleans()).map(customer.question),
    mirrors.map(mirror.mirror),
    st.builds(views.NoteMirror, anything, links, anything).map(mirror.note),
    held_replies.map(mirror.held_reply),
    alerts.map(mirror.alert),
    st.builds(views.Parked, anything, anything).map(mirror.parked),
    st.builds(lambda text: answers.sentence(f"No. {text}"), anything),
    st.builds(setups.asked, channel_ids, st.none() | anything.map(lambda why: f"No. {why}")),
    set_ups.map(setups.done),
    st.builds(setups.told, set_ups, st.just("U024BE7LH")),
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
