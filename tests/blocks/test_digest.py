"""The digest is within Slack's limits at any size, and says in words what its chart shows."""

import datetime as dt
from dataclasses import fields, replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from bot.blocks.digest import digest, late, stats, week, without_data
from bot.blocks.ids import Action
from bot.blocks.surface import Message
from bot.blocks.words.digest import duration
from bot.sandbox.blockkit import message_refusals, update_refusals
from bot.tickets.digest import About, Compared, Day, Digest, LowRatings, Period, Ratings, Stats, Team, Week, period_of
from storage.figures import NO_TIMES, AgentFigures, LowRating, Own, Place, Scope, Spread, TagCount, Waiting
from tests.blocks.samples import ADA, AT, GRACE, anything, links, moments

PLACE = Place("C1", "1.1", "G1", "2.2")
MANY = 2**40


def open_card(place: Place) -> str:
    return f"https://acme.slack.com/archives/{place.triage_channel}/p22"


def a_period(name: Any = "week", now: dt.datetime = AT) -> Period:
    return period_of(name, now, ZoneInfo("Europe/Berlin"))


TEAM = [field.name for field in fields(Team)]
EVERYTHING = About(Scope(("G1",)))


def a_digest(**changes: Any) -> Digest:
    """`changes` of the digest or of its team."""
    period = changes.get("period", a_period())
    values: dict[str, Any] = {
        "opened": Compared(12, 9),
        "closed": Compared(7, 9),
        "reopened": Compared(1, 1),
        "backlog_by_status": {"new": Compared(3, 1), "open": Compared(2, 2), "pending": Compared(0, 1)},
        "backlog_by_priority": {"high": Compared(1, 0), "medium": Compared(4, 4), "low": Compared(0, 0)},
        "first_response": Spread(600, 7_800, 9),
        "resolution": Spread(7_800, 95_000, 7),
        "ratings": Ratings(2, 3.0),
        "days": tuple(Day(date, place, 6 - place) for place, date in enumerate(period.dates)),
        "period": period,
        "about": EVERYTHING,
        "by_hours": False,
        "misread": (),
        "low": LowRatings(1, (LowRating(42, 1, "Slow & <rude>\nvery", PLACE),)),
        "waiting": (Waiting(7, "Printer <!channel>", "Ada", AT, False, PLACE),),
        "agents": (AgentFigures(GRACE, "Grace Hopper", 3, 2, 5), AgentFigures(ADA, None, 0, 0, 2)),
        "tags": (TagCount("billing", 3), TagCount("export", 1)),
    } | changes
    team = Team(**{name: values.pop(name) for name in TEAM})
    return Digest(team=team, **values)


def a_quiet_digest(**changes: Any) -> Digest:
    none = Compared(0, 0)
    quiet: dict[str, Any] = {
        "opened": none,
        "closed": none,
        "reopened": none,
        "backlog_by_status": dict.fromkeys(["new", "open", "pending"], none),
        "backlog_by_priority": dict.fromkeys(["high", "medium", "low"], none),
        "first_response": Spread(None, None, 0),
        "resolution": Spread(None, None, 0),
        "ratings": Ratings(0, None),
        "low": LowRatings(0, ()),
        "waiting": (),
        "agents": (),
        "tags": (),
        "days": tuple(Day(date, 0, 0) for date in a_period().dates),
    }
    return a_digest(**quiet | changes)


def block(message: Message, block_id: str) -> dict[str, Any]:
    return next(one for one in message.blocks if one["block_id"] == block_id)


def test_an_ordinary_week(snapshot: SnapshotAssertion) -> None:
    assert digest(a_digest(), open_card) == snapshot


def test_a_quiet_week_is_one_line() -> None:
    message = digest(a_quiet_digest(), open_card)

    assert [one["block_id"] for one in message.blocks] == ["heading", "about", "happened"]
    assert block(message, "happened")["text"]["text"].startswith("Nothing was opened")


def test_a_quiet_week_still_says_what_waits() -> None:
    message = digest(a_quiet_digest(waiting=a_digest().waiting), open_card)

    assert block(message, "waiting:7")["accessory"]["action_id"] == Action.CLAIM
    assert block(message, "waiting:7")["accessory"]["value"] == "7"


@pytest.mark.parametrize(("name", "bars"), [("today", 1), ("week", 7), ("month", 15)])
def test_the_chart_has_a_bar_for_each_day_or_two(name: str, bars: int) -> None:
    period = a_period(name)
    days = tuple(Day(date, 1, 2) for date in period.dates)

    message = digest(a_digest(period=period, days=days), open_card)

    opened, closed = block(message, "days")["chart"]["series"]
    assert len(opened["data"]) == bars
    assert sum(point["value"] for point in opened["data"]) == len(days)
    assert sum(point["value"] for point in closed["data"]) == 2 * len(days)


def test_charts_and_table_in_words() -> None:
    message = digest(a_digest(), open_card)
    worded = without_data(message)

    for block_id, said in (("days", "22 Nov: 6 opened, 0 closed"), ("agents", "• Grace Hopper: open 3, pending 2")):
        words = block(worded, block_id)["text"]["text"]
        assert said in words
        assert words in message.text
    # What the chart of the backlog shows stands in words above it.
    assert "Status: new 3 (▲ 2 more)" in block(worded, "backlog")["text"]["text"]
    gone = [one["block_id"] for one in message.blocks if one not in worded.blocks]
    assert gone == ["days", "statuses", "agents"]
    assert without_data(worded) == worded


def test_a_mean_never_stands_without_its_count() -> None:
    message = digest(a_digest(ratings=Ratings(17, 4.25)), open_card)

    assert "4.2 of 5 on average, from 17 tickets" in block(message, "happened")["text"]["text"]


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (About(Scope(("G1", "G2"))), "<#G1> <#G2>"),
        (About(Scope(("G1",), channel="C1")), "<#C1>"),
        (About(Scope(("G1",), companies=("T1",)), "Globex <&>"), "customers of Globex &lt;&amp;&gt;"),
    ],
)
def test_a_digest_says_what_it_is_of(about: About, said: str) -> None:
    message = digest(a_digest(about=about), open_card)

    assert block(message, "about")["elements"][0]["text"].endswith(f" · {said}")
    assert said in message.text


def test_times_say_what_is_left_out_of_them() -> None:
    message = digest(a_digest(by_hours=True), open_card)

    assert "and outside working hours" in block(message, "happened")["text"]["text"]


def test_hours_that_could_not_be_read_are_told_with_the_figures_that_they_do_not_touch() -> None:
    view = a_digest(misread=("C1", "C2"))
    own = Stats(view.period, view.about, Own(0, 0, 0), Compared(0, 0), Ratings(0, None), view.team, False, ("C1",))

    said = "⚠️ All time counts in <#C1> <#C2>: the working hours there were written wrong by another program."
    assert block(digest(view, open_card), "misread")["text"]["text"].startswith(said)
    assert said in digest(view, open_card).text
    assert said.replace(" <#C2>", "") in stats(own).text


def test_a_week_beside_the_one_before_never_has_a_mean_without_its_count() -> None:
    none, unrated = Compared(0, 0), Ratings(0, None)
    quiet = Week(none, none, none, NO_TIMES, NO_TIMES, unrated, unrated)
    busy = Week(
        Compared(12, 9),
        Compared(7, 9),
        Compared(5, 4),
        Spread(600, 7_800, 9),
        Spread(720, 7_800, 1),
        Ratings(2, 4.5),
        Ratings(1, 3.0),
    )

    assert week(quiet).splitlines()[1:] == [
        "*Opened* 0 (as before) · *Closed* 0 (as before) · *Waiting now* 0 (as before)",
        "*First response* none (before: none)",
        "*Ratings* none (before: none)",
    ]
    assert week(busy).splitlines()[1:] == [
        "*Opened* 12 (▲ 3 more) · *Closed* 7 (▼ 2 fewer) · *Waiting now* 5 (▲ 1 more)",
        "*First response* median 10 min, of 9 tickets (before: median 12 min, of 1 ticket)",
        "*Ratings* 4.5 of 5 on average, from 2 tickets (before: 3.0 of 5 on average, from 1 ticket)",
    ]


def test_an_agents_own_figures(snapshot: SnapshotAssertion) -> None:
    team = a_digest().team
    own = Own(3, 2, 21)
    view = Stats(a_period(), EVERYTHING, own, Compared(5, 7), Ratings(4, 4.5), team, by_hours=False, misread=())

    message = stats(view)

    assert block(message, "own")["text"]["text"] == snapshot
    assert "4.5 of 5 on average, from 4 tickets" in message.text
    assert block(message, "team")["text"]["text"] in message.text


def test_what_does_not_fit_is_counted() -> None:
    low = tuple(LowRating(number, 2, "x" * 500, PLACE) for number in range(30))
    agents = (AgentFigures(GRACE, "Grace Hopper", 3, 2, 5),) * 40
    message = digest(a_digest(low=LowRatings(100, low), agents=agents), open_card)

    lines = block(message, "low")["text"]["text"].splitlines()
    assert lines[-1] == f"and {100 - len(lines) + 2} more"
    assert len(lines) > 5
    rows = block(message, "agents")["rows"]
    assert rows[-1][0]["text"] == f"and {40 - len(rows) + 2} more"
    assert rows[-1][0]["text"] in message.text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "less than 1 min"),
        (29, "less than 1 min"),
        (31, "1 min"),
        (7_800, "2 h 10 min"),
        (3_600, "1 h"),
        (86_400, "1 d"),
        (86_400 + 60, "1 d 1 min"),
        (30 * 86_400 + 5 * 3_600 + 60, "30 d 5 h"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


counts = st.integers(0, MANY)
compared = st.builds(Compared, counts, counts)
seconds = st.none() | st.floats(0, 1e10)
spreads = st.builds(Spread, seconds, seconds, counts)
places = st.builds(Place, anything, anything, anything, anything)
low = st.builds(LowRating, counts, st.integers(1, 2), st.none() | anything, places)
waiting = st.builds(Waiting, counts, anything, st.none() | anything, moments, st.booleans(), places)
agents = st.builds(AgentFigures, st.uuids(), st.none() | anything, counts, counts, counts)
periods = st.builds(
    a_period,
    st.sampled_from(["today", "week", "month"]),
    st.integers(0, 2**32).map(lambda moment: dt.datetime.fromtimestamp(moment, dt.UTC)),
)


scopes = st.builds(
    Scope,
    st.lists(anything, min_size=1, max_size=5).map(tuple),
    st.none() | anything,
    st.none() | st.lists(anything, max_size=2).map(tuple),
)


@st.composite
def digests(draw: st.DrawFn) -> Digest:
    period = draw(periods)
    many_low = draw(st.lists(low, max_size=3)) * draw(st.integers(1, 10))
    many_agents = draw(st.lists(agents, max_size=3)) * draw(st.integers(1, 50))
    return a_digest(
        period=period,
        about=draw(st.builds(About, scopes, st.none() | anything)),
        by_hours=draw(st.booleans()),
        misread=tuple(draw(st.lists(anything, max_size=30))),
        opened=draw(compared),
        closed=draw(compared),
        reopened=draw(compared),
        backlog_by_status=draw(st.fixed_dictionaries(dict.fromkeys(["new", "open", "pending"], compared))),
        backlog_by_priority=draw(st.fixed_dictionaries(dict.fromkeys(["high", "medium", "low"], compared))),
        first_response=draw(spreads),
        resolution=draw(spreads),
        ratings=Ratings(draw(counts), draw(st.none() | st.floats(1, 5))),
        low=LowRatings(draw(counts), tuple(many_low)),
        waiting=tuple(draw(st.lists(waiting, max_size=5, unique_by=lambda one: one.number))),
        agents=tuple(many_agents),
        tags=tuple(draw(st.lists(st.builds(TagCount, anything, counts), max_size=10))),
        days=tuple(Day(date, draw(counts), draw(counts)) for date in period.dates),
    )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(digests(), links)
def test_slack_takes_any_digest_with_and_without_its_chart(view: Digest, link: str | None) -> None:
    message = digest(view, lambda _: link)
    for one in (message, without_data(message)):
        assert message_refusals(one.text, one.blocks) == []
        assert update_refusals(one.text, one.blocks) == []
    own = stats(
        Stats(
            view.period,
            view.about,
            Own(MANY, MANY, MANY),
            Compared(MANY, 0),
            view.team.ratings,
            view.team,
            view.by_hours,
            view.misread,
        )
    )
    assert message_refusals(own.text, own.blocks) == []


def test_the_largest_digest_there_can_be() -> None:
    number = 2**63 - 1
    compared_most = Compared(0, number)
    link = "https://acme.slack.com/" + "x" * 477
    dates = a_period("month").dates
    view = a_digest(
        period=a_period("month"),
        about=About(Scope(("G1234567890",) * 50)),
        misread=("C1234567890",) * 50,
        **dict.fromkeys(["opened", "closed", "reopened"], compared_most),
        backlog_by_status=dict.fromkeys(["new", "open", "pending"], compared_most),
        backlog_by_priority=dict.fromkeys(["high", "medium", "low"], compared_most),
        waiting=tuple(Waiting(number - place, "x" * 999, "x" * 999, AT, False, PLACE) for place in range(5)),
        ratings=Ratings(number, 1.0),
        low=LowRatings(number, (LowRating(number, 1, "x" * 999, PLACE),) * 30),
        agents=(AgentFigures(GRACE, "x" * 99, number, number, number),) * 99,
        tags=(TagCount("x" * 99, number),) * 10,
        days=tuple(Day(date, number // 9, number // 9) for date in dates),
    )

    message = digest(view, lambda _: link)

    assert message_refusals(message.text, without_data(message).blocks) == []
    assert "16 Nov" in message.text
    assert "and 87 more" in message.text
    posted_late = late(message, AT, AT + dt.timedelta(days=40), ZoneInfo("Europe/Berlin"), 999)
    assert message_refusals(posted_late.text, posted_late.blocks) == []


def test_nobody_is_alerted_and_no_link_is_forged() -> None:
    view = a_digest()
    forged = replace(view.waiting[0], title="<!here>", requester="<https://evil.test|Ada>")
    message = digest(replace(view, waiting=(forged,)), open_card)

    words = block(message, "waiting:7")["text"]["text"]
    assert "<!here" not in words + message.text
    assert "<https://evil" not in words + message.text
