"""What Prometheus is told: https://prometheus.io/docs/instrumenting/exposition_formats/"""

from __future__ import annotations

from aiohttp import web

from bot.metrics import CONTENT_TYPE
from bot.services import Services
from storage import waiting
from storage.engine import DatabaseAway


async def scrape(services: Services) -> web.Response:
    try:
        async with services.answering() as tx:
            figures = await waiting.figures(tx)
    except DatabaseAway:
        figures = None
    return web.Response(body=services.metrics.exposed(figures), headers={"Content-Type": CONTENT_TYPE})
