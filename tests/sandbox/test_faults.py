"""Slack on a bad day: weather, storms, silence, and replicas that do not answer."""

import asyncio
import socket
import time

import aiohttp
import pytest
from aiohttp import web

from bot.sandbox import Weather
from bot.sandbox.workspace import Message
from tests.sandbox.conftest import World


async def post(world: World, times: int = 1) -> list[Message]:
    return [await world.grace.post(world.triage, str(number)) for number in range(times)]


def texts(world: World) -> list[str]:
    return [event["text"] for event in world.app.events()]


async def fates(world: World, calls: int = 40) -> list[str]:
    """What became of so many calls: an HTTP status, or the connection's end."""
    found = []
    for _ in range(calls):
        try:
            headers = {"Authorization": f"Bearer {world.sandbox.bot_token}"}
            async with world.http.post(f"{world.sandbox.api_url}auth.test", headers=headers) as answer:
                found.append(str(answer.status))
        except aiohttp.ClientError:
            found.append("cut")
    return found


async def test_weather_strikes_any_call_and_its_seed_decides_which(world: World) -> None:
    weather = Weather(http_500=0.2, ratelimited=0.2, cut_before=0.1, cut_after=0.1)
    world.sandbox.weather(weather, seed=7)
    first = await fates(world)
    assert set(first) == {"200", "500", "429", "cut"}
    assert sum(world.sandbox.struck.values()) == len(first) - first.count("200")
    world.sandbox.weather(weather, seed=7)
    assert await fates(world) == first
    world.sandbox.weather(weather, seed=8)
    assert await fates(world) != first
    world.sandbox.weather(Weather())
    assert set(await fates(world)) == {"200"}


async def test_what_is_cut_off_by_weather_was_done_or_not_done(world: World) -> None:
    world.sandbox.weather(Weather(cut_after=1.0))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await world.call("chat.postMessage", channel=world.triage.id, text="done")
    world.sandbox.weather(Weather(cut_before=1.0))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await world.call("chat.postMessage", channel=world.triage.id, text="not done")
    assert [one.text for one in world.sandbox.messages(world.triage)] == ["done"]


async def test_a_slow_call_is_done_also_when_its_sender_has_gone(world: World) -> None:
    world.sandbox.disrupt("chat.postMessage", "slow", seconds=0.2)
    headers = {"Authorization": f"Bearer {world.sandbox.bot_token}"}
    arguments = {"channel": world.triage.id, "text": "late"}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await world.http.post(f"{world.sandbox.api_url}chat.postMessage", json=arguments, headers=headers)
    async with asyncio.timeout(5):
        while not world.sandbox.messages(world.triage):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_a_storm_limits_every_call_until_it_is_over(world: World) -> None:
    world.sandbox.storm(1.5)
    headers = {"Authorization": f"Bearer {world.sandbox.bot_token}"}
    async with world.http.post(f"{world.sandbox.api_url}auth.test", headers=headers) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "2")
    await asyncio.sleep(int(answer.headers["Retry-After"]))
    assert await fates(world, 1) == ["200"]


async def test_replicas_get_the_events_in_turn(world: World) -> None:
    world.sandbox.deliver_to(f"{world.app.url}?replica=1", f"{world.app.url}?replica=2")
    await post(world, 4)
    await world.sandbox.settled()
    assert sorted(texts(world)) == ["0", "1", "2", "3"]
    assert sorted(one.query["replica"] for one in world.app.requests) == ["1", "1", "2", "2"]


async def test_a_replica_that_refuses_the_connection_is_passed_over(world: World) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        world.sandbox.deliver_to(f"http://127.0.0.1:{nobody.getsockname()[1]}/slack/events", world.app.url)
        await post(world, 4)
        await world.sandbox.settled()
    assert sorted(texts(world)) == ["0", "1", "2", "3"]
    assert all(one.acknowledged and one.retry == 0 for one in world.sandbox.deliveries)


async def test_a_replica_that_fails_is_not_passed_over(world: World) -> None:
    world.sandbox.deliver_to(world.app.url, world.app.url)
    world.app.answers.append(web.Response(status=500))
    await post(world)
    await world.sandbox.settled()
    assert [one.status for one in world.sandbox.deliveries] == [500, 200]


async def test_an_event_comes_again_when_its_answer_is_lost(world: World) -> None:
    world.sandbox.weather(Weather(answer_lost=1.0))
    await post(world)
    await world.sandbox.settled()
    assert texts(world) == ["0"] * 4
    assert [one.failure for one in world.sandbox.deliveries] == ["connection_failed"] * 4


async def test_a_person_sees_an_error_when_the_answer_is_lost(world: World) -> None:
    world.sandbox.weather(Weather(answer_lost=1.0))
    interaction = await world.grace.command("/ticket", "list", channel=world.triage)
    assert interaction.error == "dispatch_failed"
    assert len(world.app.requests) == 1


async def test_an_event_can_come_once_more_after_it_was_acknowledged(world: World) -> None:
    world.sandbox.weather(Weather(repeated=1.0, delay_seconds=0.05))
    await post(world)
    await world.sandbox.settled()
    first, second = world.app.requests
    assert first.body == second.body
    assert "x-slack-retry-num" not in second.headers


async def test_delayed_events_come_out_of_order_and_none_is_missing(world: World) -> None:
    world.sandbox.weather(Weather(delayed=0.5, delay_seconds=0.2), seed=3)
    written = [one.text for one in await post(world, 20)]
    await world.sandbox.settled()
    assert texts(world) != written
    assert sorted(texts(world)) == sorted(written)


async def test_after_a_silence_comes_what_happened_in_it(world: World) -> None:
    world.sandbox.silence(300)  # half a second, by the sandbox's speed
    began = time.monotonic()
    await post(world, 3)
    await world.sandbox.settled()
    assert time.monotonic() - began >= 0.5
    assert sorted(texts(world)) == ["0", "1", "2"]


async def test_a_backlog_can_be_dropped_whole(world: World) -> None:
    world.sandbox.silence(300, dropped=True)
    await post(world, 3)
    await world.sandbox.settled()
    world.sandbox.silence(0)
    await post(world)
    await world.sandbox.settled()
    assert texts(world) == ["0"]
    assert world.sandbox.struck["dropped"] == 3
    assert len(world.sandbox.messages(world.triage)) == 4


async def test_retries_wait_for_the_end_of_a_silence(world: World) -> None:
    world.app.answers.append(web.Response(status=500))
    world.app.hold.clear()
    await post(world)
    await world.app.received(1)
    world.sandbox.silence(300)
    world.app.hold.set()
    began = time.monotonic()
    await world.sandbox.settled()
    assert time.monotonic() - began >= 0.45
    assert [one.status for one in world.sandbox.deliveries] == [500, 200]
