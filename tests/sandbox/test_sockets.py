"""Socket Mode: who may connect, what travels, acknowledgements and retries, refreshes and breaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.sockets import MOST
from bot.sandbox.standalone import environment
from tests.sandbox.conftest import World

Json = dict[str, Any]
Answer = Callable[[Json], Json | None]


def acknowledge(envelope: Json) -> Json | None:
    return {"envelope_id": envelope["envelope_id"]}


def ignore(_: Json) -> Json | None:
    return None


class Connection:
    """A connection of the app's: what came over it, and how it answers."""

    def __init__(self, wire: aiohttp.ClientWebSocketResponse, answer: Answer) -> None:
        self.wire = wire
        self.answer = answer
        self.came: list[Json] = []
        self.arrival = asyncio.Condition()
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.wire:
            came = json.loads(message.data)
            async with self.arrival:
                self.came.append(came)
                self.arrival.notify_all()
            if "envelope_id" in came and (answer := self.answer(came)) is not None:
                await self.wire.send_json(answer)

    async def received(self, count: int) -> None:
        """Waits until so many messages have come, the `hello` among them."""
        async with asyncio.timeout(5), self.arrival:
            await self.arrival.wait_for(lambda: len(self.came) >= count)

    @property
    def envelopes(self) -> list[Json]:
        return [one for one in self.came if "envelope_id" in one]

    @property
    def reasons(self) -> list[str]:
        return [one["reason"] for one in self.came if one["type"] == "disconnect"]


class App:
    """Opens connections as the app."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.connections: list[Connection] = []

    async def ask(self, **args: Any) -> Json:
        return await self._world.call("apps.connections.open", token=self._world.sandbox.app_token, **args)

    async def connect(self, answer: Answer = acknowledge) -> Connection:
        wire = await self._world.http.ws_connect((await self.ask())["url"])
        connection = Connection(wire, answer)
        self.connections.append(connection)
        return connection

    @property
    def envelopes(self) -> list[Json]:
        return [one for connection in self.connections for one in connection.envelopes]


@pytest.fixture
async def slack_app(world: World) -> AsyncIterator[App]:
    world.sandbox.deliver_over_sockets()
    opened = App(world)
    yield opened
    for connection in opened.connections:
        await connection.wire.close()
        await connection.reading
        connection.wire._response.close()  # aiohttp does not, where the connection broke


async def test_a_connection_needs_the_app_level_token_in_the_header(world: World, slack_app: App) -> None:
    token = world.sandbox.app_token
    assert token.startswith("xapp-1-")
    assert (await world.call("apps.connections.open"))["error"] == "not_allowed_token_type"
    assert (await world.call("auth.test", token=token))["error"] == "not_allowed_token_type"
    assert (await world.call("apps.connections.open", token="xapp-1-else"))["error"] == "invalid_auth"
    async with world.http.post(world.sandbox.api_url + "apps.connections.open", data={"token": token}) as answer:
        assert (await answer.json())["error"] == "not_authed"


async def test_no_connection_is_opened_while_socket_mode_is_off(world: World) -> None:
    refused = await world.call("apps.connections.open", token=world.sandbox.app_token)
    assert refused["error"] == "socket_mode_not_enabled"


async def test_a_ticket_opens_one_connection(world: World, slack_app: App) -> None:
    url = (await slack_app.ask())["url"]
    first = await world.http.ws_connect(url)
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        await world.http.ws_connect(url)
    await first.close()


async def test_hello_tells_how_many_connections_are_open(world: World, slack_app: App) -> None:
    await slack_app.connect()
    second = await slack_app.connect()
    await world.sandbox.connected(2)
    await second.received(1)
    [hello] = second.came
    assert (hello["type"], hello["num_connections"]) == ("hello", 2)
    assert hello["connection_info"] == {"app_id": world.sandbox.slack.workspace.app_id}
    assert hello["debug_info"]["approximate_connection_time"] > 0


async def test_the_eleventh_connection_is_one_too_many(world: World, slack_app: App) -> None:
    for _ in range(MOST):
        await slack_app.connect()
    refused = await slack_app.connect()
    await refused.reading
    assert [one["type"] for one in refused.came] == ["disconnect"]
    assert refused.reasons == ["too_many_websockets"]
    assert len(world.sandbox.sockets) == MOST


async def test_events_travel_in_envelopes_to_any_connection_until_acknowledged(world: World, slack_app: App) -> None:
    for _ in range(3):
        await slack_app.connect()
    await world.sandbox.connected(3)
    for number in range(40):
        await world.grace.post(world.triage, str(number))
    await world.sandbox.settled()

    assert sorted(int(one["payload"]["event"]["text"]) for one in slack_app.envelopes) == list(range(40))
    assert all(connection.envelopes for connection in slack_app.connections)
    envelope = slack_app.envelopes[0]
    assert (envelope["type"], envelope["payload"]["type"]) == ("events_api", "event_callback")
    assert envelope["accepts_response_payload"] is False
    assert (envelope["retry_attempt"], envelope["retry_reason"]) == (0, "")
    assert {(d.kind, d.status, d.acknowledged) for d in world.sandbox.deliveries} == {("event", 200, True)}


async def test_an_event_that_is_not_acknowledged_is_sent_again(world: World, slack_app: App) -> None:
    await slack_app.connect(lambda envelope: acknowledge(envelope) if envelope["retry_attempt"] else None)
    await world.sandbox.connected(1)
    await world.grace.post(world.triage, "x")
    await world.sandbox.settled()

    assert [(d.retry, d.status, d.failure) for d in world.sandbox.deliveries] == [(0, None, "timeout"), (1, 200, None)]
    first, second = slack_app.envelopes
    assert first["payload"] == second["payload"]
    assert first["envelope_id"] != second["envelope_id"]
    assert (second["retry_attempt"], second["retry_reason"]) == (1, "timeout")


async def test_an_acknowledgement_counts_on_its_own_connection_only(world: World, slack_app: App) -> None:
    mute = await slack_app.connect(ignore)
    await world.sandbox.connected(1)
    await world.grace.post(world.triage, "x")
    await mute.received(2)
    other = await slack_app.connect()
    await world.sandbox.connected(2)
    await other.wire.send_json(acknowledge(mute.envelopes[0]))
    await other.wire.send_str("no JSON")
    mute.answer = acknowledge
    await world.sandbox.settled()
    assert [d.failure for d in world.sandbox.deliveries] == ["timeout", None]


async def test_without_a_connection_events_are_retried_and_people_see_an_error(world: World, slack_app: App) -> None:
    await world.grace.post(world.triage, "x")
    await world.sandbox.settled()
    assert [d.failure for d in world.sandbox.deliveries] == ["connection_failed"] * 4
    interaction = await world.grace.command("/ticket", channel=world.triage)
    assert (interaction.status, interaction.error) == (None, "dispatch_failed")


async def test_a_command_is_answered_by_its_acknowledgement(world: World, slack_app: App) -> None:
    await slack_app.connect(lambda envelope: acknowledge(envelope) | {"payload": {"text": "Noted."}})  # type: ignore[operator]
    await world.sandbox.connected(1)
    interaction = await world.grace.command("/ticket", "list", channel=world.triage)
    assert (interaction.status, interaction.body, interaction.ok) == (200, {"text": "Noted."}, True)
    assert world.sandbox.find(world.triage, "Noted.", world.grace).only_for == world.grace.id
    [envelope] = slack_app.envelopes
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
    assert (envelope["payload"]["command"], envelope["payload"]["text"]) == ("/ticket", "list")


async def test_a_command_without_an_acknowledgement_shows_an_error_and_is_not_sent_again(
    world: World, slack_app: App
) -> None:
    await slack_app.connect(ignore)
    await world.sandbox.connected(1)
    interaction = await world.grace.command("/ticket", channel=world.triage)
    await world.sandbox.settled()
    assert (interaction.status, interaction.error) == (None, "operation_timeout")
    assert len(slack_app.envelopes) == 1


async def test_a_form_obeys_the_payload_of_its_acknowledgement(world: World, slack_app: App) -> None:
    errors = {"response_action": "errors", "errors": {"title": "Too short"}}

    def answer(envelope: Json) -> Json:
        submitted = envelope["payload"]["type"] == "view_submission"
        return {"envelope_id": envelope["envelope_id"]} | ({"payload": errors} if submitted else {})

    connection = await slack_app.connect(answer)
    await world.sandbox.connected(1)
    assert (await world.grace.shortcut("new_ticket")).ok
    title = {"type": "plain_text", "text": "T"}
    field = {"type": "plain_text_input", "action_id": "title"}
    view = {
        "type": "modal",
        "title": title,
        "submit": title,
        "blocks": [{"type": "input", "block_id": "title", "label": title, "element": field}],
    }
    trigger = connection.envelopes[0]["payload"]["trigger_id"]
    assert (await world.call("views.open", trigger_id=trigger, view=view))["ok"]
    submission = await world.grace.submit({"title": "x"})
    assert submission.errors == {"title": "Too short"}
    assert connection.envelopes[-1]["type"] == "interactive"


async def test_a_refresh_is_announced_and_the_old_connection_serves_until_it_ends(world: World, slack_app: App) -> None:
    old = await slack_app.connect()
    await world.sandbox.connected(1)
    refreshing = asyncio.create_task(world.sandbox.refresh_sockets())
    await old.received(2)
    assert old.reasons == ["warning"]
    assert len(world.sandbox.sockets) == 1
    await refreshing
    await old.reading
    assert old.reasons == ["warning", "refresh_requested"]
    assert not world.sandbox.sockets


async def test_one_connection_can_be_refreshed_alone(world: World, slack_app: App) -> None:
    first = await slack_app.connect()
    await world.sandbox.connected(1)
    second = await slack_app.connect()
    await world.sandbox.connected(2)
    await world.sandbox.refresh_sockets(world.sandbox.sockets[0])
    assert len(world.sandbox.sockets) == 1
    await first.reading
    assert (first.reasons, second.reasons) == (["warning", "refresh_requested"], [])


async def test_what_was_under_way_on_a_broken_connection_is_sent_again(world: World, slack_app: App) -> None:
    broken = await slack_app.connect(ignore)
    await world.sandbox.connected(1)
    await world.grace.post(world.triage, "x")
    await broken.received(2)
    world.sandbox.cut_sockets()
    await world.sandbox.connected(0)
    await slack_app.connect()
    await world.sandbox.settled()
    assert broken.reasons == []
    assert world.sandbox.deliveries[0].failure == "connection_failed"
    assert world.sandbox.deliveries[-1].acknowledged


async def test_switching_back_to_a_request_url_ends_the_connections(world: World, slack_app: App) -> None:
    connection = await slack_app.connect()
    await world.sandbox.connected(1)
    world.sandbox.deliver_to(world.app.url)
    await connection.reading
    assert connection.reasons == ["link_disabled"]
    await world.grace.post(world.triage, "x")
    await world.sandbox.settled()
    assert (len(connection.envelopes), len(world.app.requests)) == (0, 1)


async def test_slacks_own_client_lives_with_it(world: World) -> None:
    world.sandbox.deliver_over_sockets()
    seen: list[SocketModeRequest] = []

    async def answer(client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        seen.append(request)
        payload = {"text": "Noted."} if request.type == "slash_commands" else None
        await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))

    client = SocketModeClient(
        app_token=world.sandbox.app_token,
        web_client=AsyncWebClient(base_url=world.sandbox.api_url),
        ping_interval=1,
    )
    client.socket_mode_request_listeners.append(answer)
    await client.connect()  # type: ignore[no-untyped-call]
    await world.sandbox.connected(1)
    await world.grace.post(world.triage, "before")
    assert (await world.grace.command("/ticket", channel=world.triage)).body == {"text": "Noted."}
    await world.sandbox.settled()
    assert sorted(request.type for request in seen) == ["events_api", "slash_commands"]

    await world.sandbox.refresh_sockets()
    await world.sandbox.connected(1)
    await world.grace.post(world.triage, "after")
    await world.sandbox.settled()
    assert seen[-1].payload["event"]["text"] == "after"
    await client.close()  # type: ignore[no-untyped-call]


async def test_the_standalone_workspace_tells_the_desk_which_of_the_two_ways_it_takes(world: World) -> None:
    triage, support = world.triage, world.help
    assert "SLACK_SIGNING_SECRET=" in environment(world.sandbox, triage, support)
    world.sandbox.deliver_over_sockets()
    shown = environment(world.sandbox, triage, support)
    assert f"SLACK_APP_TOKEN={world.sandbox.app_token}\n" in shown
    assert "SLACK_SIGNING_SECRET" not in shown
