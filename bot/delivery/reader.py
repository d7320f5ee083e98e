"""Reads a conversation from Slack page by page, within what Slack allows, while a lease on it lasts."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bot.delivery.slack import RateLimited, Unclear, ask
from bot.services import Services
from storage import showing
from storage.engine import Transaction

LEASE_SECONDS = 30.0
#: The most that Slack gives at once: https://docs.slack.dev/reference/methods/conversations.history
PAGE = 999
#: Both methods may be called 50 times a minute: https://docs.slack.dev/apis/web-api/rate-limits
CALL_EVERY = 1.2
CALL_BURST = 20
TRIES = 4


class Lost(Exception):  # noqa: N818 - another desk has taken over
    pass


@dataclass
class Reader:
    """`rest` waits for so many seconds, and raises where the desk closes meanwhile. `renew` prolongs the lease; False
    when it had been lost. `calls`: how often Slack was asked so far.
    """

    services: Services
    channel: str
    rest: Callable[[float], Awaitable[None]]
    renew: Callable[[Transaction, float], Awaitable[bool]]
    calls: int = 0

    async def all_pages(self, method: str, **arguments: Any) -> tuple[list[dict[str, Any]], bool]:
        """All messages that Slack shows, and whether that is all there is. SlackRefused; Unclear after some tries."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            answer = await self._within_budget(method, limit=PAGE, cursor=cursor, **arguments)
            found += answer["messages"]
            cursor = (answer.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                return found, not answer.get("has_more")

    async def _within_budget(self, method: str, **arguments: Any) -> dict[str, Any]:
        services, tried = self.services, 0
        every = CALL_EVERY * services.pace
        while True:
            async with services.transaction() as tx:
                wait = await showing.place_in_budget(tx, method, every=every, burst=CALL_BURST)
                if not await self.renew(tx, wait + LEASE_SECONDS):
                    raise Lost
            await self.rest(wait)
            self.calls += 1
            try:
                return await ask(services.slack, method, channel=self.channel, **arguments)
            except RateLimited as limited:
                async with services.transaction() as tx:
                    # The burst is spent: the next places in the budget begin at the end of the pause.
                    await showing.pause(tx, method, limited.seconds + CALL_BURST * every)
            except Unclear:
                tried += 1
                if tried == TRIES:
                    raise
                await self.rest(2.0**tried * services.pace * random.uniform(0.7, 1.3))  # noqa: S311 - spreads load
