"""When digests are posted, as people write it: a line for each, such as "weekdays 9:00 today"."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import get_args

from pydantic import ValidationError

from bot.tickets.digest import PeriodName
from bot.tickets.errors import wrong
from bot.tickets.schedules import MOST, When
from bot.tickets.words import forms as say

PERIODS: tuple[PeriodName, ...] = get_args(PeriodName)
#: What a line may begin with, and the day of the month and the day of the week that it means in cron.
DAYS: Mapping[str, tuple[str, str]] = {
    "daily": ("*", "*"),
    "weekdays": ("*", "1-5"),
    "mondays": ("*", "1"),
    "tuesdays": ("*", "2"),
    "wednesdays": ("*", "3"),
    "thursdays": ("*", "4"),
    "fridays": ("*", "5"),
    "saturdays": ("*", "6"),
    "sundays": ("*", "0"),
    "monthly": ("1", "*"),
}
SAME: Mapping[str, str] = {"day": "daily", "days": "daily", "month": "monthly"}
#: Words that people write and that say nothing more: "every Monday at 9:00".
FILLING = frozenset({"every", "each", "on", "at", "the", "for", "of", "this", "last"})
_TIME = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)")


def parsed(typed: str) -> tuple[When, ...]:
    """What the lines say, each once. ValueError (`wrong`) names the first line that is wrong and what would be
    right."""
    lines = [line.split() for line in typed.splitlines()]
    found = [_line(place, words) for place, words in enumerate(lines, 1) if words]
    if len(found) > MOST:
        raise wrong(say.too_many_lines(most=MOST))
    return tuple(dict.fromkeys(found))


def written(times: Sequence[When]) -> str:
    """The lines that mean these times, in words where there are words for them."""
    return "\n".join(f"{_named(one.cron)} {one.period}" for one in times)


def _line(place: int, words: Sequence[str]) -> When:
    *when, period = [word.lower().strip(",;") for word in words]
    if period not in PERIODS:
        raise wrong(say.line(place, say.no_period(line=_short(" ".join(words)))))
    try:
        return When(cron=_cron(place, when), period=period)
    except ValidationError as error:
        raise wrong(say.line(place, error.errors()[0]["msg"])) from error


def _cron(place: int, words: Sequence[str]) -> str:
    if len(words) == 5 and (words[0][0].isdigit() or words[0].startswith("*")):
        return " ".join(words)
    said = [word for word in words if word not in FILLING]
    if len(said) != 2:
        raise wrong(say.line(place, say.no_line()))
    days, time = _days(place, said[0]), _time(place, said[1])
    return f"{time[1]} {time[0]} {days[0]} * {days[1]}"


def _days(place: int, word: str) -> tuple[str, str]:
    known = SAME.get(word, word)
    if known in DAYS or f"{known}s" in DAYS:
        return DAYS[known if known in DAYS else f"{known}s"]
    short = [day for day in DAYS if len(word) >= 3 and day.startswith(word)]
    if len(short) == 1:
        return DAYS[short[0]]
    near = difflib.get_close_matches(word, DAYS, 1, 0.5)
    problem = say.no_such_day(word=_short(word), near=next(iter(near), None), days=[*DAYS])
    raise wrong(say.line(place, problem))


def _time(place: int, word: str) -> tuple[int, int]:
    found = _TIME.fullmatch(word)
    if found is None:
        digits = re.match(r"(\d{1,2})", word)
        hour = int(digits[1]) % 24 if digits else 9
        if digits and word.endswith("pm") and hour < 12:
            hour += 12
        raise wrong(say.line(place, say.no_such_time(word=_short(word), hour=hour)))
    return int(found[1]), int(found[2])


def _named(cron: str) -> str:
    minute, hour, day, month, weekday = cron.split()
    names = {means: name for name, means in DAYS.items()}
    if hour.isdigit() and month == "*" and (day, weekday) in names:
        return f"{names[day, weekday]} {int(hour)}:{int(minute):02}"
    return cron


def _short(word: str) -> str:
    return word if len(word) <= 40 else f"{word[:39]}…"
