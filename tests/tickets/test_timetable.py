"""What leads type for their digests: days and times in words, or cron."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.tickets.schedules import MOST, When
from bot.tickets.timetable import DAYS, PERIODS, parsed, written


@pytest.mark.parametrize(
    ("line", "cron", "period"),
    [
        ("weekdays 9:00 today", "0 9 * * 1-5", "today"),
        ("Every weekday at 09:00, today", "0 9 * * 1-5", "today"),
        ("daily 18:30 today", "30 18 * * *", "today"),
        ("every day at 0:05 today", "5 0 * * *", "today"),
        ("mondays 8:00 week", "0 8 * * 1", "week"),
        ("on Monday at 8.00 for the last week", "0 8 * * 1", "week"),
        ("fri 17:00 week", "0 17 * * 5", "week"),
        ("sundays 23:59 week", "59 23 * * 0", "week"),
        ("monthly 9:00 month", "0 9 1 * *", "month"),
        ("every month at 9:00 month", "0 9 1 * *", "month"),
        ("0 9 * * 1-5 today", "0 9 * * 1-5", "today"),
        ("00 */2 * * mon-fri today", "0 */2 * * MON-FRI", "today"),
        ("0 9 L * * month", "0 9 L * *", "month"),
    ],
)
def test_a_line_says_when_and_of_what(line: str, cron: str, period: str) -> None:
    assert parsed(line) == (When(cron=cron, period=period),)


def test_each_line_is_one_digest_and_none_is_there_twice() -> None:
    assert [one.period for one in parsed("daily 9:00 today\n\n  mondays 9:00 week\nevery day 09:00 today\n")] == [
        "today",
        "week",
    ]
    assert parsed(" \n ") == ()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (
            "weekdays 9:00",
            "Line 1: “weekdays 9:00” does not say of what: end it with today, week or month,"
            " as in weekdays 9:00 today.",
        ),
        ("daily 9:00 today\nwekdays 9:00 today", "Line 2: “wekdays” is no day: did you mean weekdays?"),
        (
            "xyz 9:00 today",
            "Line 1: “xyz” is no day: it is one of daily, weekdays, mondays, tuesdays, wednesdays, thursdays, fridays,"
            " saturdays, sundays, monthly.",
        ),
        ("weekdays 9am today", "Line 1: “9am” is no time: write it as 9:00."),
        ("weekdays 6pm today", "Line 1: “6pm” is no time: write it as 18:00."),
        ("weekdays 25:00 today", "Line 1: “25:00” is no time: write it as 1:00."),
        ("weekdays noon today", "Line 1: “noon” is no time: write it as 9:00."),
        (
            "today",
            "Line 1: say a day, a time and a period, as in weekdays 9:00 today; or a cron line and a period.",
        ),
        (
            "weekdays and sundays 9:00 today",
            "Line 1: say a day, a time and a period, as in weekdays 9:00 today; or a cron line and a period.",
        ),
        (
            "0 25 * * * today",
            "Line 1: “0 25 * * *” is no cron line: its hour is wrong. Such as 0 9 * * 1-5.",
        ),
        (
            "*/5 * * * * today",
            "Line 1: “*/5 * * * *” is due more than once an hour: begin with one minute, such as 0 9 * * 1-5.",
        ),
        ("0 9 31 6 * month", "Line 1: “0 9 31 6 *” is no cron line: its day-of-month is wrong. Such as 0 9 * * 1-5."),
        ("\n".join(f"daily {n}:00 today" for n in range(MOST + 1)), f"These are too many: at most {MOST} lines."),
    ],
)
def test_what_is_wrong_is_named_with_the_nearest_right_form(typed: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"^(Line|These) ") as refused:
        parsed(typed)

    assert str(refused.value) == told


@given(st.text(max_size=60) | st.lists(st.sampled_from([*DAYS, "9:00", "*", "0", "week", "1-5", "\n"])).map(" ".join))
def test_whatever_is_typed_is_understood_or_refused_with_a_sentence(typed: str) -> None:
    try:
        times = parsed(typed)
    except ValueError as error:
        told = str(error)
    else:
        assert parsed(written(times)) == times
        return
    assert told.startswith(("Line ", "These "))


@given(
    st.lists(
        st.builds(
            lambda day, hour, minute, period: f"{day} {hour}:{minute:02} {period}",
            st.sampled_from(list(DAYS)),
            st.integers(0, 23),
            st.integers(0, 59),
            st.sampled_from(PERIODS),
        ),
        unique=True,
        max_size=MOST,
    )
)
def test_the_form_shows_the_words_that_were_typed(lines: list[str]) -> None:
    assert written(parsed("\n".join(lines))).splitlines() == lines
