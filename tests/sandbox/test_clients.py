"""Others can live in it: Slack's own client, and people with curl."""

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox import Sandbox
from bot.sandbox.control import Control
from bot.sandbox.standalone import environment, furnish
from tests.sandbox.conftest import World


async def test_slacks_own_client_works_against_it(world: World) -> None:
    client = AsyncWebClient(token=world.sandbox.bot_token, base_url=world.sandbox.api_url)
    assert (await client.auth_test())["bot_id"] == world.sandbox.bot.bot_id
    posted = await client.chat_postMessage(
        channel=world.help.id,
        text="x",
        blocks=[{"type": "divider"}],
        metadata={"event_type": "reply", "event_payload": {"id": "1"}},
    )
    await client.chat_update(channel=world.help.id, ts=str(posted["ts"]), text="y")
    thread = await client.conversations_replies(channel=world.help.id, ts=str(posted["ts"]), include_all_metadata=True)
    assert thread["messages"][0]["metadata"]["event_payload"] == {"id": "1"}
    await world.grace.shortcut("new_ticket")
    view = {"type": "modal", "title": {"type": "plain_text", "text": "T"}, "blocks": [{"type": "divider"}]}
    await client.views_open(trigger_id=world.app.last_payload["trigger_id"], view=view)
    assert world.grace.view is not None
    pages = [page async for page in await client.users_list(limit=1)]
    assert len(pages) == 3
    with pytest.raises(SlackApiError, match="user_not_found"):
        await client.users_info(user="U0NOBODY")


async def test_a_ready_workspace_can_be_lived_in_over_http(world: World) -> None:
    sandbox = Sandbox(team="Acme")
    Control(sandbox)
    async with sandbox, aiohttp.ClientSession(sandbox.url) as http:
        triage, support = await furnish(sandbox)
        shown = environment(sandbox, triage, support)
        assert f"SLACK_API_URL={sandbox.api_url}" in shown
        async with http.get("/sandbox/") as response:
            assert f"curl {sandbox.url}/sandbox/post" in await response.text()
        words = {"person": "ada", "channel": "help-globex", "text": "Hello @desk & @grace"}
        async with http.post("/sandbox/post", json=words) as response:
            posted = await response.json()
        grace = sandbox.find(support, "Hello").text.split()[-1]
        assert posted["text"] == f"Hello {sandbox.bot.mention} &amp; {grace}"
        async with http.get("/sandbox/channels/help-globex") as response:
            assert [m["author"] for m in await response.json()] == ["Ada Lovelace"]
        command = {"person": "ada", "channel": "help-globex", "command": "/ticket"}
        async with http.post("/sandbox/command", json=command) as response:
            assert (response.status, (await response.json())["see"][:8]) == (409, "https://")
        async with http.post("/sandbox/post", json={"person": "zoe"}) as response:
            assert (response.status, await response.json()) == (400, {"missing": "channel"})
        async with http.get("/sandbox/people/grace") as response:
            assert (await response.json())["view"] is None
        pressed = {"person": "grace", "action_id": "home_next", "home": True}
        async with http.post("/sandbox/click", json=pressed) as response:
            assert "has not opened the App Home yet" in (await response.json())["mistake"]


async def test_the_first_opening_of_app_home_answers_with_what_the_app_publishes() -> None:
    sandbox = Sandbox(team="Acme")
    Control(sandbox)
    view = {"type": "home", "blocks": [{"type": "divider", "block_id": "line"}]}

    async def publishes(http: web.Request) -> web.Response:
        event = (await http.json())["event"]
        if event["type"] == "app_home_opened":
            client = AsyncWebClient(sandbox.bot_token, base_url=sandbox.api_url)
            await client.views_publish(user_id=event["user"], view=view)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", publishes)
    async with sandbox, TestServer(app) as server, aiohttp.ClientSession(sandbox.url) as http:
        await furnish(sandbox)
        sandbox.deliver_to(str(server.make_url("/")))
        async with http.post("/sandbox/home", json={"person": "grace"}) as response:
            assert (await response.json())["home"]["blocks"] == [{"type": "divider", "block_id": "line"}]
