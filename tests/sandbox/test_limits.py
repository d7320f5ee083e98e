"""Rate limits, and Slack's bad days."""

import aiohttp
import pytest

from bot.sandbox.limits import POSTS_AT_ONCE, TIER_2, Clock, Limits
from tests.sandbox.conftest import World


def test_a_tiers_minute_may_be_used_at_once_and_comes_back_slowly() -> None:
    clock = Clock()
    limits = Limits(clock, speed=1)
    assert [limits.call("users.list", TIER_2) for _ in range(TIER_2)] == [None] * TIER_2
    assert limits.call("users.list", TIER_2) == 3
    assert limits.call("conversations.list", TIER_2) is None
    clock.skip(3)
    assert limits.call("users.list", TIER_2) is None


def test_a_channel_takes_one_post_a_second_after_a_short_burst() -> None:
    clock = Clock()
    limits = Limits(clock, speed=1)
    assert [limits.post("C1") for _ in range(POSTS_AT_ONCE)] == [None] * POSTS_AT_ONCE
    assert limits.post("C1") == 1
    assert limits.post("C2") is None
    clock.skip(1)
    assert limits.post("C1") is None


def test_speed_shortens_the_windows() -> None:
    clock = Clock()
    limits = Limits(clock, speed=10)
    for _ in range(POSTS_AT_ONCE):
        limits.post("C1")
    clock.skip(0.1)
    assert limits.post("C1") is None


async def test_too_many_calls_are_answered_429_with_the_seconds_to_wait(world: World) -> None:
    world.sandbox.slack.limits.speed = 0.1
    url, headers = world.sandbox.api_url + "users.list", {"Authorization": f"Bearer {world.sandbox.bot_token}"}
    for _ in range(TIER_2):
        assert (await world.call("users.list"))["ok"] is True
    async with world.http.post(url, headers=headers) as response:
        assert (response.status, (await response.json())["error"]) == (429, "ratelimited")
        assert int(response.headers["Retry-After"]) >= 1


async def test_faults_come_as_ordered_and_then_stop(world: World) -> None:
    url, headers = world.sandbox.api_url, {"Authorization": f"Bearer {world.sandbox.bot_token}"}
    world.sandbox.disrupt("auth.test", "http_500")
    world.sandbox.disrupt("users.list", "ratelimited", seconds=7)
    async with world.http.post(url + "auth.test", headers=headers) as response:
        assert response.status == 500
    async with world.http.post(url + "users.list", headers=headers) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "7")
    assert (await world.call("auth.test"))["ok"] is True


@pytest.mark.parametrize(("how", "posted"), [("cut_before", 0), ("cut_after", 1)])
async def test_a_cut_connection_leaves_open_whether_it_was_done(world: World, how: str, posted: int) -> None:
    world.sandbox.disrupt("chat.postMessage", how)  # type: ignore[arg-type]
    with pytest.raises(aiohttp.ClientError):
        await world.call("chat.postMessage", channel=world.help.id, text="x")
    assert len(world.sandbox.messages(world.help)) == posted
