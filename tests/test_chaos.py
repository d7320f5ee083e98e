"""The fault campaign in short: `make chaos` plays it in full."""

from __future__ import annotations

import logging
import os
import secrets

import pytest

from tests.chaos.__main__ import table
from tests.chaos.campaign import Plan, fight

SEED = int(os.environ.get("CHAOS_SEED", secrets.randbelow(1_000_000)))

log = logging.getLogger(__name__)


@pytest.mark.parametrize("seed", [SEED])
async def test_kills_and_bad_weather_lose_double_and_disorder_nothing(seed: int) -> None:
    report = await fight(Plan(seed, messages=150, kills=8, database_kills=1, minutes=3))
    log.info("%s", table(report))
    assert report.complete
    assert report.findings.all == []
