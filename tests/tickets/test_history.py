from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeAlias
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.tickets.history import (
    Attachment,
    Message,
    deleted,
    edited,
    fresh,
    message_id,
    moment,
    timestamp,
)

START = datetime(2024, 11, 22, 18, 26, 40, 100, UTC)
AUTHOR = UUID(int=7)
LOG: Attachment = {
    "id": "F1",
    "name": "crash.log",
    "mimetype": "text/plain",
    "size": 3,
    "url": "https://x.test/F1",
}


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def message(number: int = 1, at: datetime = START) -> Message:
    return fresh(UUID(int=number), "It fails", at, AUTHOR, [LOG])


def test_a_slack_message_has_one_id_wherever_and_whenever_it_is_derived() -> None:
    assert message_id("T1", "C1", "1732300000.000100") == UUID("455f8567-27c5-548e-93b4-55a8dde1a064")
    others = {("T2", "C1", "1.2"), ("T1", "C2", "1.2"), ("T1", "C1", "1.20"), ("T1", "C1", "1.2")}
    assert len({message_id(*other) for other in others}) == len(others)


@pytest.mark.parametrize(
    ("ts", "at"),
    [
        ("1732300000.000100", START),
        ("1732300000", START.replace(microsecond=0)),
        ("1732300000.5", START.replace(microsecond=500_000)),
        ("0.000001", datetime(1970, 1, 1, 0, 0, 0, 1, UTC)),
    ],
)
def test_moment(ts: str, at: datetime) -> None:
    assert moment(ts) == at
    assert moment(ts).tzinfo is UTC


@pytest.mark.parametrize(
    "ts", ["", "p1732300000000100", "1732300000.", ".5", "-1.0", "1e9", "9" * 12, "1.0000001", "１.0"]
)
def test_what_is_no_slack_timestamp_is_refused(ts: str) -> None:
    with pytest.raises(ValueError, match="not a Slack timestamp"):
        moment(ts)


@given(st.integers(0, 99_999_999_999), st.integers(0, 999_999))
def test_moment_is_exact(seconds: int, microseconds: int) -> None:
    at = moment(f"{seconds}.{microseconds:06}")
    assert at - datetime(1970, 1, 1, tzinfo=UTC) == timedelta(seconds=seconds, microseconds=microseconds)


def test_timestamp_is_utc_whatever_the_zone() -> None:
    east = START.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert timestamp(START) == timestamp(east) == "2024-11-22T18:26:40.000100+00:00"
    with pytest.raises(ValueError, match="without a time zone"):
        timestamp(datetime(2024, 1, 1))  # noqa: DTZ001 - the mistake under test


TIMES = st.builds(
    lambda microseconds, zone: (START + timedelta(microseconds=microseconds)).astimezone(zone),
    st.integers(-(10**15), 10**17),
    st.timezones(),
)


@given(TIMES, TIMES)
def test_string_order_is_time_order(one: datetime, other: datetime) -> None:
    assert (timestamp(one) < timestamp(other)) == (one.astimezone(UTC) < other.astimezone(UTC))
    assert datetime.fromisoformat(timestamp(one)) == one.astimezone(UTC)


def test_a_fresh_message_has_exactly_five_keys() -> None:
    assert message() == {
        "id": "00000000-0000-0000-0000-000000000001",
        "content": "It fails",
        "created_at": "2024-11-22T18:26:40.000100+00:00",
        "created_by": "00000000-0000-0000-0000-000000000007",
        "attachments": [LOG],
    }


def test_edits_keep_what_was_said_before() -> None:
    twice = edited(edited(message(), "It fails often", after(10)), "It fails always", after(20))
    assert twice == {
        **message(),
        "content": "It fails always",
        "edited_at": timestamp(after(20)),
        "earlier": [
            {"content": "It fails", "replaced_at": timestamp(after(10))},
            {"content": "It fails often", "replaced_at": timestamp(after(20))},
        ],
    }
    assert edited(edited(message(), "It fails always", after(20)), "It fails often", after(10)) == twice


def test_an_edit_in_the_second_of_the_message_is_still_an_edit() -> None:
    changed = edited(message(), "Fixed", START.replace(microsecond=0))
    assert changed["content"] == "Fixed"
    assert changed["earlier"] == [{"content": "It fails", "replaced_at": message()["created_at"]}]


def test_a_deletion_leaves_the_fact_alone() -> None:
    gone = deleted(edited(message(), "Secret", after(10)), after(20))
    assert gone == {**message(), "content": "", "attachments": [], "deleted_at": timestamp(after(20))}
    assert edited(gone, "Back", after(30)) == gone
    assert deleted(gone, after(30)) == gone
    assert deleted(gone, after(15))["deleted_at"] == timestamp(after(15))


Change: TypeAlias = tuple[str | None, datetime]
EDIT: st.SearchStrategy[Change] = st.tuples(
    st.sampled_from(["a", "b", "c", ""]), st.sampled_from([-1, 0, 0.000001, 1, 2]).map(after)
)
DELETION: st.SearchStrategy[Change] = st.tuples(st.none(), st.sampled_from([1, 2]).map(after))


def apply(changes: list[Change]) -> Message:
    result = message()
    for content, at in changes:
        before = deepcopy(result)
        changed = deleted(result, at) if content is None else edited(result, content, at)
        assert result == before
        result = changed
    return result


@pytest.mark.parametrize("deletions", [0, 1, 2])
@given(st.data(), st.lists(EDIT, min_size=1, max_size=6))
def test_changes_end_in_the_same_message_in_any_order_and_however_often(
    deletions: int, data: st.DataObject, edits: list[Change]
) -> None:
    changes = edits + data.draw(st.lists(DELETION, min_size=deletions, max_size=deletions))
    again = data.draw(st.lists(st.sampled_from(changes), max_size=4))
    assert apply(data.draw(st.permutations(changes + again))) == apply(changes)


MESSAGES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), unique_by=lambda pair: pair[0])


def test_an_edit_read_back_gives_way_to_the_same_edit_with_its_exact_time_and_to_no_other() -> None:
    """START is 100 µs into its second: Slack keeps the second, and tells of an edit in it or in the next."""
    second = after(10).replace(microsecond=0)
    read_back = edited(message(), "Fixed", second, to_the_second=True)
    assert read_back["edited_at"] == timestamp(second.replace(microsecond=999_999))
    for told in (after(10), after(10.9), after(11.5)):
        exact = edited(message(), "Fixed", told)
        assert edited(read_back, "Fixed", told) == exact
        assert edited(exact, "Fixed", second, to_the_second=True) == exact
    for told in (after(9.9), after(12)):
        both = edited(read_back, "Fixed", told)
        assert len(both["earlier"]) == 2
        assert edited(edited(message(), "Fixed", told), "Fixed", second, to_the_second=True) == both
    later = edited(read_back, "Fixed again", after(12))
    assert later["content"] == "Fixed again"
    assert edited(edited(message(), "Fixed again", after(12)), "Fixed", second, to_the_second=True) == later


Telling: TypeAlias = tuple[str, datetime, bool]


@st.composite
def tellings(draw: st.DrawFn) -> list[Telling]:
    """Edits as events told them, and as readings found them: a second has one last edit."""
    tenths = st.lists(st.integers(0, 40), unique=True, max_size=5)
    words = st.sampled_from(["a", "b"])
    exact = [(draw(words), after(tenth / 10), False) for tenth in draw(tenths)]
    seconds = draw(st.lists(st.integers(0, 4), unique=True, max_size=4))
    return exact + [(draw(words), after(second).replace(microsecond=0), True) for second in seconds]


@given(st.data(), tellings())
def test_edits_told_and_read_back_end_in_the_same_message_in_any_order_and_however_often(
    data: st.DataObject, told: list[Telling]
) -> None:
    def ends_in(changes: list[Telling]) -> Message:
        result = message()
        for content, at, to_the_second in changes:
            result = edited(result, content, at, to_the_second=to_the_second)
        return result

    again = data.draw(st.lists(st.sampled_from(told), max_size=3)) if told else []
    assert ends_in(data.draw(st.permutations(told + again))) == ends_in(told)
