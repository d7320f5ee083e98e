"""Slack on a bad day, on order: how the next calls of a method go wrong."""

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
    seconds: int


class Faults:
    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def order(self, fault: Fault) -> None:
        self._waiting.append(fault)

    @property
    def ordered(self) -> bool:
        """Whether some have not been met yet."""
        return bool(self._waiting)

    def take(self, method: str) -> Fault | None:
        """The fault that this call of ``method`` meets, if one was ordered. ``*`` meets every method."""
        for fault in self._waiting:
            if fault.method in (method, "*"):
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                return fault
        return None
