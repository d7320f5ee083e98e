"""What listeners and delivery share: the database, the desk, the clock and the client."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from slack_sdk.web.async_client import AsyncWebClient

from bot.metrics import Metrics
from bot.tickets.desk import Desk
from storage.engine import Database, Transaction

#: Slack waits 3 s for the answer to a command, a button or a modal; it must be on its way before.
ANSWER_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Services:
    """`slack` never repeats a call by itself. `now` is the one Clock. `pace`: seconds between posts in a channel.

    `call_seconds`: how long a call of the courier's may take. `gap`: set by whoever notices that events of Slack's may
    have been lost; what was said is then read back. `asked`: set when a thread has been asked for to become a ticket.
    `copying`: set when there are files to be copied.
    """

    database: Database
    desk: Desk
    slack: AsyncWebClient
    now: Callable[[], dt.datetime]
    pace: float
    call_seconds: float
    metrics: Metrics
    gap: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    copying: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self.database.transaction(self.now()) as tx:
            yield tx

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[Transaction]:
        """A transaction for somebody who waits for its answer: DatabaseAway when it takes too long."""
        async with self.database.transaction(self.now(), within=ANSWER_SECONDS) as tx:
            yield tx
