"""Slack says that it did not send everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest

from bot.services import Services


def register(app: AsyncApp, services: Services) -> None:
    @app.middleware
    async def dropped(
        req: AsyncBoltRequest,
        next: Callable[[], Awaitable[None]],  # noqa: A002 - Bolt's name
    ) -> BoltResponse | None:
        # It holds no event, so no listener of Bolt's gets it: https://docs.slack.dev/reference/events/app_rate_limited
        if req.body.get("type") == "app_rate_limited":
            services.gap.set()
            return BoltResponse(status=200, body="")
        await next()
        return None
