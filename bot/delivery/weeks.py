"""The week of each team, for App Home of its agents: found out once a minute at most, whoever opens it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterable

from bot.services import Services
from bot.tickets import digest, schedules
from bot.tickets.digest import Week

KEPT = dt.timedelta(minutes=1)


class Weeks:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._found: dict[tuple[str, ...], tuple[dt.datetime, Week]] = {}
        # Whoever comes while one is found out waits for it, without a connection to the database.
        self._finding = asyncio.Lock()

    async def of(self, triage: Iterable[str]) -> Week:
        """Of the tickets of these triage channels; a minute old at most."""
        team = tuple(sorted(triage))
        async with self._finding:
            now = self._services.now()
            self._found = {one: kept for one, kept in self._found.items() if abs(now - kept[0]) < KEPT}
            if team not in self._found:
                async with self._services.transaction() as tx:
                    zone = await schedules.zone_of(tx, team)
                    self._found[team] = now, await digest.week(tx, team, zone=zone)
            return self._found[team][1]
