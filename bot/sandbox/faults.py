"""Slack on a bad day: calls that go wrong on order, or by chance while there is weather."""

import math
import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import Literal

How = Literal["http_500", "ratelimited", "cut_before", "cut_after", "slow"]


@dataclass
class Fault:
    """``cut_before``: the connection breaks and nothing was done. ``cut_after``: it was done all the same, so
    the caller cannot know. ``seconds``: the Retry-After of ``ratelimited``, the delay of ``slow``."""

    method: str
    how: How
    times: int
    seconds: float

    @property
    def retry_after(self) -> str:
        """Whole seconds: https://docs.slack.dev/apis/web-api/rate-limits"""
        return str(math.ceil(self.seconds))


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How likely each call, and each delivery to the app, is to meet each fault, from 0 to 1.

    Of calls, as in ``Fault``; ``slow`` takes up to ``slow_seconds``. Of deliveries, ``delayed``: an event comes up
    to ``delay_seconds`` after its turn; ``repeated``: it comes once more after it was acknowledged, by as much
    later; ``answer_lost``: the app has done its work and Slack does not learn of it.
    """

    http_500: float = 0.0
    ratelimited: float = 0.0
    cut_before: float = 0.0
    cut_after: float = 0.0
    slow: float = 0.0
    slow_seconds: float = 1.0
    delayed: float = 0.0
    repeated: float = 0.0
    answer_lost: float = 0.0
    delay_seconds: float = 1.0


CALLS: tuple[How, ...] = ("http_500", "ratelimited", "cut_before", "cut_after", "slow")


class Faults:
    """``struck`` counts what has gone wrong, by kind."""

    def __init__(self) -> None:
        self.struck: Counter[str] = Counter()
        self._waiting: list[Fault] = []
        self._weather = Weather()
        self._chance = random.Random()  # noqa: S311 - plays bad luck, keeps no secret
        self._storm_until = 0.0
        self._silence_until = 0.0
        self._dropping = False

    def order(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def turn(self, weather: Weather, seed: int) -> None:
        """Let the weather be this from now on; the same ``seed`` brings the same sequence of faults."""
        self._weather = weather
        self._chance = random.Random(seed)  # noqa: S311

    def storm(self, seconds: float) -> None:
        """Let every call be answered 429 for so long."""
        self._storm_until = time.monotonic() + seconds

    def silence(self, seconds: float, *, dropped: bool) -> None:
        """Let no event be delivered for so long; ``dropped``: nor ever, of those that arise meanwhile."""
        self._silence_until = time.monotonic() + seconds
        self._dropping = dropped
        self.struck["silence"] += 1

    def silent_for(self) -> float:
        """Seconds until events are delivered again."""
        return max(0.0, self._silence_until - time.monotonic())

    def drops(self) -> bool:
        """Whether an event that arises now is never delivered: Slack may drop a backlog whole."""
        dropped = self._dropping and self.silent_for() > 0
        self.struck["dropped"] += dropped
        return dropped

    def meets(self, fault: Literal["delayed", "repeated", "answer_lost"]) -> bool:
        """Whether a delivery meets it."""
        met: bool = self._chance.random() < getattr(self._weather, fault)
        self.struck[fault] += met
        return met

    def delay(self, fault: Literal["delayed", "repeated"]) -> float:
        """Seconds by which a delivery that meets it comes late; 0.0 when it does not."""
        return self._chance.uniform(0, self._weather.delay_seconds) if self.meets(fault) else 0.0

    def take(self, method: str) -> Fault | None:
        """The fault that this call of ``method`` meets, if any. An order for ``*`` meets every method."""
        fault = self._ordered(method) or self._stormy(method) or self._by_chance(method)
        if fault:
            self.struck[fault.how] += 1
        return fault

    def _ordered(self, method: str) -> Fault | None:
        for fault in self._waiting:
            if fault.method in (method, "*"):
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                return fault
        return None

    def _stormy(self, method: str) -> Fault | None:
        left = self._storm_until - time.monotonic()
        return Fault(method, "ratelimited", 1, left) if left > 0 else None

    def _by_chance(self, method: str) -> Fault | None:
        drawn = self._chance.random()
        for how in CALLS:
            drawn -= getattr(self._weather, how)
            if drawn < 0:
                seconds = self._chance.uniform(0, self._weather.slow_seconds) if how == "slow" else 1
                return Fault(method, how, 1, seconds)
        return None
