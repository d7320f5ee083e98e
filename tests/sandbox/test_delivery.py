"""How things reach the app: signatures, the three seconds, retries, order, duplicates."""

import asyncio
import hashlib
import hmac

from aiohttp import web

from bot.sandbox import Delivery
from bot.sandbox.delivery import AT_ONCE
from tests.sandbox.conftest import World


async def test_every_request_is_signed(world: World) -> None:
    await world.grace.post(world.triage, "x")
    await world.grace.command("/ticket", "list", channel=world.triage)
    await world.sandbox.settled()
    for request in world.app.requests:
        sent = request.headers["X-Slack-Request-Timestamp"]
        base = f"v0:{sent}:".encode() + request.body
        secret = world.sandbox.signing_secret.encode()
        assert request.headers["X-Slack-Signature"] == "v0=" + hmac.digest(secret, base, "sha256").hex()


async def test_a_raw_request_can_be_signed_for_any_time(world: World) -> None:
    headers = world.sandbox.sign(b"{}", timestamp=1)
    expected = hmac.new(world.sandbox.signing_secret.encode(), b"v0:1:{}", hashlib.sha256).hexdigest()
    assert headers == {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": f"v0={expected}"}


async def test_a_failed_event_is_sent_three_times_more_and_then_given_up(world: World) -> None:
    world.app.answers += [web.Response(status=500) for _ in range(4)]
    await world.grace.post(world.triage, "x")
    await world.sandbox.settled()
    assert [d.retry for d in world.sandbox.deliveries] == [0, 1, 2, 3]
    assert len({d.event_id for d in world.sandbox.deliveries}) == 1
    assert not world.sandbox.deliveries[-1].acknowledged
    first, *retries = world.app.requests
    assert "x-slack-retry-num" not in first.headers
    assert [r.headers["x-slack-retry-num"] for r in retries] == ["1", "2", "3"]
    assert {r.headers["x-slack-retry-reason"] for r in retries} == {"http_error"}
    waits = [later.at - earlier.at for earlier, later in zip(*shifted(world), strict=True)]
    assert waits[0] < 0.1 <= waits[1] < waits[2]


def shifted(world: World) -> tuple[list[Delivery], list[Delivery]]:
    return world.sandbox.deliveries[:-1], world.sandbox.deliveries[1:]


async def test_retries_stop_once_acknowledged_or_told_to(world: World) -> None:
    world.app.answers += [web.Response(status=503), web.Response()]
    await world.grace.post(world.triage, "x")
    await world.sandbox.settled()
    assert [d.status for d in world.sandbox.deliveries] == [503, 200]
    world.app.answers.append(web.Response(status=500, headers={"x-slack-no-retry": "1"}))
    await world.grace.post(world.triage, "y")
    await world.sandbox.settled()
    assert [d.status for d in world.sandbox.deliveries] == [503, 200, 500]


async def test_where_nobody_is_connections_fail_until_the_event_is_given_up(world: World) -> None:
    world.sandbox.deliver_to(None)
    await world.grace.post(world.triage, "x")
    await world.sandbox.settled()
    assert [d.failure for d in world.sandbox.deliveries] == ["connection_failed"] * 4
    interaction = await world.grace.command("/ticket", channel=world.triage)
    assert (interaction.status, interaction.error) == (None, "dispatch_failed")


async def test_three_seconds_without_an_answer_are_a_timeout(world: World) -> None:
    world.app.hold.clear()
    await world.grace.post(world.triage, "x")
    command = asyncio.create_task(world.grace.command("/ticket", channel=world.triage))
    await world.app.received(3)
    world.app.hold.set()
    interaction = await command
    await world.sandbox.settled()
    assert (interaction.status, interaction.error) == (None, "operation_timeout")
    event = [d for d in world.sandbox.deliveries if d.kind == "event"]
    assert [d.failure for d in event] == ["http_timeout", None]
    assert event[0].ms >= 2_900


async def test_commands_and_interactions_are_sent_once(world: World) -> None:
    world.app.answers.append(web.Response(status=500))
    interaction = await world.grace.shortcut("new_ticket")
    await world.sandbox.settled()
    assert (interaction.status, interaction.error) == (500, "dispatch_failed")
    assert len(world.app.requests) == 1


async def test_a_channels_events_are_sent_in_order_and_not_one_by_one(world: World) -> None:
    world.app.hold.clear()
    for number in range(20):
        await world.grace.post(world.triage, str(number))
    await world.app.received(20)
    assert [event["text"] for event in world.app.events()] == [str(number) for number in range(20)]
    world.app.hold.set()
    await world.sandbox.settled()


async def test_an_event_can_come_twice_under_one_id(world: World) -> None:
    await world.grace.post(world.triage, "x")
    await world.sandbox.settled()
    world.sandbox.resend(world.sandbox.deliveries[0])
    await world.sandbox.settled()
    first, second = world.app.requests
    assert first.body == second.body


async def test_a_command_is_not_held_up_by_events_without_an_answer(world: World) -> None:
    world.app.hold.clear()
    for number in range(AT_ONCE + 10):
        await world.grace.post(world.triage, str(number))
    await world.app.received(AT_ONCE)
    command = asyncio.create_task(world.grace.command("/ticket", channel=world.triage))
    await world.app.received(AT_ONCE + 1)
    assert world.app.last_form["command"] == "/ticket"
    world.app.hold.set()
    assert (await command).ok
