"""The sandbox's clock, and Slack's rate limits.

https://docs.slack.dev/apis/web-api/rate-limits gives calls a minute for each tier, and for
``chat.postMessage`` one message a second in a channel, "short bursts > 1 allowed", beside a limit for the
workspace of "several hundred messages per minute". It gives no number for bursts. The sandbox's: a tier's
whole minute may be used at once; five messages in a channel; 300 a minute in the workspace; 600 a minute for
methods whose tier is "special" without a figure.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

SPECIAL = 600
TIER_2 = 20
TIER_3 = 50
TIER_4 = 100

POSTS_A_SECOND = 1.0
POSTS_AT_ONCE = 5
POSTS_A_MINUTE = 300


class Clock:
    """Seconds that only go forward. ``skip`` moves it ahead, so that nobody has to wait for an expiry."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def now(self) -> float:
        return time.monotonic() + self._skipped

    def skip(self, seconds: float) -> None:
        self._skipped += seconds


@dataclass
class Bucket:
    """Tokens that refill at ``rate`` a second, up to ``size``."""

    rate: float
    size: float
    tokens: float
    seen: float

    def refill(self, now: float) -> None:
        self.tokens = min(self.size, self.tokens + (now - self.seen) * self.rate)
        self.seen = now

    def wait(self) -> float:
        """Seconds until a token is there; 0.0 when one is."""
        return max(0.0, (1 - self.tokens) / self.rate)


@dataclass
class Limits:
    """Rate limits per method of the one app in the one workspace, faster by ``speed``."""

    clock: Clock
    speed: float
    _buckets: dict[tuple[str, ...], Bucket] = field(default_factory=dict)

    def call(self, method: str, per_minute: int) -> int | None:
        """Count a call; None, or the whole seconds to wait (at least 1)."""
        return self._take([self._bucket((method,), per_minute / 60, per_minute)])

    def post(self, channel: str) -> int | None:
        """Count a ``chat.postMessage`` to ``channel``; None, or the whole seconds to wait."""
        return self._take(
            [
                self._bucket(("post", channel), POSTS_A_SECOND, POSTS_AT_ONCE),
                self._bucket(("post",), POSTS_A_MINUTE / 60, POSTS_A_MINUTE),
            ]
        )

    def _bucket(self, key: tuple[str, ...], rate: float, size: float) -> Bucket:
        now = self.clock.now()
        bucket = self._buckets.setdefault(key, Bucket(rate * self.speed, size, size, now))
        bucket.refill(now)
        return bucket

    @staticmethod
    def _take(buckets: Sequence[Bucket]) -> int | None:
        wait = max(bucket.wait() for bucket in buckets)
        if wait > 0:
            return max(1, ceil(wait))
        for bucket in buckets:
            bucket.tokens -= 1
        return None
