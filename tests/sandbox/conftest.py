"""A sandbox with everything switched on, and an app at its other end that answers as a test wants."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web

from bot.sandbox import Channel, Person, Sandbox, Team

MANIFEST = """
display_information: {name: Threadesk}
features:
  bot_user: {display_name: desk}
  app_home: {home_tab_enabled: true}
  slash_commands:
    - {command: /ticket, should_escape: true}
    - {command: /plain}
  shortcuts:
    - {callback_id: new_ticket, type: global, name: New ticket}
    - {callback_id: open_ticket, type: message, name: Open a ticket}
oauth_config:
  scopes:
    bot: [app_mentions:read, channels:history, channels:read, chat:write, chat:write.customize, commands,
          files:read, groups:history, groups:read, im:history, im:read, im:write, reactions:read,
          reactions:write, team:read, users:read, users:read.email]
settings:
  event_subscriptions:
    bot_events: [app_home_opened, app_mention, channel_id_changed, channel_rename, channel_shared, channel_unshared,
                 group_left, group_rename, group_unarchive,
                 member_joined_channel, member_left_channel,
                 message.channels, message.groups, message.im, reaction_added]
  interactivity: {is_enabled: true}
"""


@dataclass
class Request:
    """One delivery as it arrived."""

    headers: dict[str, str]
    body: bytes
    query: dict[str, str]

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    @property
    def form(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}


@dataclass
class App:
    """The app: it records what comes and gives the queued ``answers``, or 200 without words, unless held."""

    requests: list[Request] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    arrival: asyncio.Condition = field(default_factory=asyncio.Condition)
    url: str = ""

    async def handle(self, http: web.Request) -> web.Response:
        async with self.arrival:
            self.requests.append(Request(dict(http.headers), await http.read(), dict(http.query)))
            self.arrival.notify_all()
        answer = self.answers.pop(0) if self.answers else web.Response()
        await self.hold.wait()
        return answer

    async def received(self, count: int) -> None:
        async with self.arrival:
            await self.arrival.wait_for(lambda: len(self.requests) >= count)

    @property
    def last_form(self) -> dict[str, str]:
        """The latest command or interaction; events may still be arriving."""
        forms = [r for r in self.requests if r.headers["Content-Type"] == "application/x-www-form-urlencoded"]
        return forms[-1].form

    @property
    def last_payload(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.last_form["payload"])
        return parsed

    def answer_json(self, answer: dict[str, Any]) -> None:
        self.answers.append(web.json_response(answer))

    def events(self, type_: str = "message") -> list[dict[str, Any]]:
        envelopes = [r.json for r in self.requests if r.body.startswith(b"{")]
        return [envelope["event"] for envelope in envelopes if envelope["event"]["type"] == type_]


@dataclass
class World:
    """Acme with agents Grace and Linus; Globex with Ada (no e-mail); one private, one shared channel."""

    sandbox: Sandbox
    app: App
    http: aiohttp.ClientSession
    globex: Team
    grace: Person
    linus: Person
    ada: Person
    triage: Channel
    help: Channel

    async def call(self, method: str, token: str | None = None, **args: Any) -> dict[str, Any]:
        """Call a Web API method with JSON, as the app."""
        headers = {"Authorization": f"Bearer {self.sandbox.bot_token if token is None else token}"}
        async with self.http.post(self.sandbox.api_url + method, json=args, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    async def events(self, type_: str = "message") -> list[dict[str, Any]]:
        await self.sandbox.settled()
        return self.app.events(type_)

    async def last_event(self, type_: str = "message") -> dict[str, Any]:
        return (await self.events(type_))[-1]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.yml"
    path.write_text(MANIFEST)
    return path


@pytest.fixture
async def app() -> AsyncIterator[App]:
    app = App()
    app.hold.set()
    site = web.Application()
    site.router.add_post("/slack/events", app.handle)
    runner = web.AppRunner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    app.url = f"http://{host}:{port}/slack/events"
    yield app
    app.hold.set()
    await runner.cleanup()


@pytest.fixture
async def world(manifest: Path, app: App) -> AsyncIterator[World]:
    async with Sandbox(manifest, speed=600) as sandbox, aiohttp.ClientSession() as http:
        globex = sandbox.add_team("Globex")
        grace = sandbox.add_person("Grace Hopper", email="grace@acme.example")
        linus = sandbox.add_person("Linus Pauling", email="linus@acme.example")
        ada = sandbox.add_person("Ada Lovelace", team=globex)
        triage = await sandbox.add_channel("triage", private=True, members=[grace, linus, sandbox.bot])
        shared = await sandbox.add_channel("help-globex", shared_with=[globex], members=[grace, ada, sandbox.bot])
        sandbox.deliver_to(app.url)
        yield World(sandbox, app, http, globex, grace, linus, ada, triage, shared)
