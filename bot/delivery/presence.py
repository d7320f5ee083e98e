"""Tells the other replicas which support channels this one has in its settings.

During a roll-out they may differ: a channel is served while one of those that run names it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from uuid import uuid4

import structlog

from bot.services import Services
from storage import channels
from storage.engine import DatabaseAway, Transaction

log = structlog.get_logger(__name__)
EVERY_SECONDS = 20.0
#: What a replica that was killed has named is served so much longer.
LASTING_SECONDS = 3 * EVERY_SECONDS


class Presence:
    def __init__(self, services: Services, named: Sequence[str]) -> None:
        self._services = services
        self._named = named
        self._replica = uuid4()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def name(self, tx: Transaction) -> None:
        await channels.name_support(tx, self._replica, self._named, seconds=LASTING_SECONDS)

    async def run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), EVERY_SECONDS)
            try:
                async with self._services.transaction() as tx:
                    if self._stopping.is_set():
                        await channels.withdraw(tx, self._replica)
                    else:
                        await self.name(tx)
            except DatabaseAway as error:
                log.warning("the database cannot be reached", error=str(error))
