"""The least that a Bolt app can be: what the desk is measured against."""

from __future__ import annotations

import os

from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient


def main() -> None:
    client = AsyncWebClient(token=os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"])
    app = AsyncApp(client=client, signing_secret=os.environ["SLACK_SIGNING_SECRET"], process_before_response=True)

    @app.event("message")
    async def nothing() -> None:
        pass

    async def alive(_: web.Request) -> web.Response:
        return web.Response()

    served = app.web_app(path="/slack/events")
    served.router.add_get("/readyz", alive)
    web.run_app(served, host="127.0.0.1", port=int(os.environ["PORT"]), print=None, access_log=None)


if __name__ == "__main__":
    main()
