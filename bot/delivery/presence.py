"""Tells the other replicas which support channels this one has in its settings.

During a roll-out they may differ: a channel is served while one of those that run names it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from uuid import uuid4

import structlog

from bot.delivery.directory import Found
from bot.services import Services
from storage import channels
from storage.engine import DatabaseAway, Transaction

log = structlog.get_logger(__name__)
EVERY_SECONDS = 20.0
#: What a replica that was killed has named is served so much longer.
LASTING_SECONDS = 3 * EVERY_SECONDS


class Presence:
    """`named`: the support channels, whose tickets go to `triage`."""

    def __init__(self, services: Services, named: Iterable[Found], triage: str) -> None:
        self._services = services
        self._named = {channel.id: channel.name for channel in named}
        self._triage = triage
        self._since = services.now()
        self._replica = uuid4()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def name(self, tx: Transaction) -> None:
        await channels.name_support(tx, self._replica, self._named, seconds=LASTING_SECONDS)

    async def renew(self) -> None:
        """Where others have found meanwhile that nobody names a channel, it is served again and read back."""
        async with self._services.transaction() as tx:
            await self.name(tx)
            lost = [
                channel
                for channel, name in self._named.items()
                if await channels.serve_again(tx, channel, name, self._triage, since=self._since)
            ]
        if lost:
            log.warning("support channels were not served while this replica was cut off", channels=lost)
            self._services.gap.set()

    async def run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), EVERY_SECONDS)
            try:
                await (self._withdraw() if self._stopping.is_set() else self.renew())
            except DatabaseAway as error:
                log.warning("the database cannot be reached", error=str(error))

    async def _withdraw(self) -> None:
        async with self._services.transaction() as tx:
            await channels.withdraw(tx, self._replica)
