"""Slack in over HTTP, and what tells the outside whether the desk is well."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest

from bot.delivery.slack import RateLimited, SlackRefused, Unclear, ask
from bot.listeners.scrape import scrape
from bot.services import Services
from storage import migrate
from storage.engine import DatabaseAway

LARGEST_REQUEST = 4 * 1024 * 1024
SLACK_CHECK = dt.timedelta(minutes=1)


def web_app(
    services: Services, bolt: AsyncApp | None = None, connected: Callable[[], bool] | None = None
) -> web.Application:
    """Slack's requests go to `bolt`; without it they come over the sockets of which `connected` tells."""
    slack = SlackCheck(services)

    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def ready(_: web.Request) -> web.Response:
        checks = await readiness(services, slack)
        if connected is not None:
            checks["socket"] = connected()
        return web.json_response(checks, status=200 if all(checks.values()) else 503)

    async def measured(_: web.Request) -> web.Response:
        return await scrape(services)

    app = web.Application(client_max_size=LARGEST_REQUEST)
    if bolt is not None:
        app.router.add_post("/slack/events", _events(bolt))
    app.router.add_get("/healthz", alive)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", measured)
    return app


def _events(bolt: AsyncApp) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def slack_events(request: web.Request) -> web.Response:
        body = await request.read()
        if problem := malformed(body, request):
            return web.Response(status=400, text=problem)
        answer = await bolt.async_dispatch(
            AsyncBoltRequest(body=body.decode(), query=request.query_string, headers=dict(request.headers))
        )
        return await to_aiohttp_response(answer)

    return slack_events


def malformed(body: bytes, request: web.Request) -> str | None:
    """Why a request is none of Slack's. Bolt would answer 500 to these, which asks Slack to send them again."""
    if not request.headers.get("X-Slack-Request-Timestamp", "0").isdecimal():
        return "X-Slack-Request-Timestamp is no number"
    try:
        decoded = body.decode()
        if request.content_type == "application/json":
            parsed = json.loads(decoded)
        else:
            form = parse_qs(decoded, keep_blank_values=True)
            parsed = json.loads(form["payload"][0]) if "payload" in form else {}
    except (ValueError, RecursionError):
        return "the body is not what its content type says"
    return None if isinstance(parsed, dict) else "the body is no JSON object"


class SlackCheck:
    """Whether Slack takes the token. A yes holds for a minute, so that probes do not use up what Slack allows."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._good_until: dt.datetime | None = None

    async def passes(self) -> bool:
        now = self._services.now()
        if self._good_until and now < self._good_until:
            return True
        with contextlib.suppress(SlackRefused, RateLimited, Unclear, TimeoutError):
            async with asyncio.timeout(2):
                await ask(self._services.slack, "auth.test")
                self._good_until = now + SLACK_CHECK
                return True
        return False


async def readiness(services: Services, slack: SlackCheck) -> dict[str, bool]:
    """Ready when the database is reachable, its migrations are current and Slack takes the token."""
    checks = {"database": False, "migrations": False, "slack": False}
    with contextlib.suppress(DatabaseAway, TimeoutError):
        async with asyncio.timeout(2):
            checks["migrations"] = await migrate.is_current(services.database)
            checks["database"] = True
    checks["slack"] = await slack.passes()
    return checks
