"""The desk as `python -m bot run` runs it, looked at every millisecond of processor time: where does it go?

A sampler, because cProfile would make every small Python function look slower than the C code beside it; by a signal,
because a thread would mostly see the moments in which the interpreter's lock is free. SQLAlchemy runs statements in
greenlets, whose callers a sample does not show: cumulative times above the database are too small.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

EVERY_SECONDS = 0.001
TOP = 12
ROOT = Path(__file__).parents[2]
STANDARD = sysconfig.get_path("stdlib")
ROOMS = {
    "slack_bolt": "Bolt",
    "slack_sdk": "Bolt",
    "aiohttp": "aiohttp",
    "sqlalchemy": "SQLAlchemy",
    "asyncpg": "asyncpg",
}


class Sampler:
    """Counts what the main thread is doing."""

    def __init__(self) -> None:
        self._rooms: Counter[str] = Counter()
        self._own: Counter[str] = Counter()
        self._cumulative: Counter[str] = Counter()

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._count)
        signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)

    def _count(self, _signal: int, frame: FrameType | None) -> None:
        stack = [each for each in _stack(frame) if each.f_code.co_filename != __file__]
        if not stack:
            return
        # The standard library works for whoever called it.
        own = next((frame for frame in stack if not _is_standard(frame)), stack[0])
        self._rooms[_room(own)] += 1
        self._own[_line(own)] += 1
        self._cumulative.update({_line(frame) for frame in stack if not _is_standard(frame)})

    def stop(self) -> dict[str, list[tuple[str, float]]]:
        """Shares of the time, from 0 to 1: by room, and the lines with most own and most cumulative time."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        whole = max(1, self._rooms.total())
        counters = {"rooms": self._rooms, "own": self._own, "cumulative": self._cumulative}
        return {name: [(key, n / whole) for key, n in each.most_common(TOP)] for name, each in counters.items()}


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_standard(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return (file.startswith(STANDARD) and "site-packages" not in file) or file.startswith("<frozen")


def _room(frame: FrameType) -> str:
    file = frame.f_code.co_filename
    package = file.rpartition("site-packages/")[2].partition("/")[0]
    if Path(file).is_relative_to(ROOT) and "site-packages" not in file:
        return "the desk"
    return ROOMS.get(package, "Python" if _is_standard(frame) else "others")


def _line(frame: FrameType) -> str:
    file = frame.f_code.co_filename
    place = file.rpartition("site-packages/")[2].removeprefix(f"{ROOT}/")
    return f"{_room(frame)}: {place}:{frame.f_code.co_firstlineno} {frame.f_code.co_name}"


def main() -> None:
    from bot import app, settings

    sampler = Sampler()
    sampler.start()
    asyncio.run(app.run(settings.load()))
    Path(os.environ["BENCH_PROFILE"]).write_text(json.dumps(sampler.stop()))


if __name__ == "__main__":
    main()
