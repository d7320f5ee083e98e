"""Slack's side of the wire where a test needs more than what people do: signed requests, order, what is seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from bot.sandbox import Channel, Message, Person, Sandbox
from bot.sandbox.delivery import Delivery
from tests.conftest import Office


async def send(office: Office, body: bytes, headers: Mapping[str, str] | None = None) -> int:
    """Posts a request to the desk, signed as Slack signs unless `headers` say otherwise; the HTTP status."""
    content = {"Content-Type": "application/json"}
    signed = content | (office.sandbox.sign(body) if headers is None else dict(headers))
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{office.url}/slack/events", data=body, headers=signed) as answer,
    ):
        return answer.status


async def send_event(office: Office, event: Mapping[str, Any], **envelope: Any) -> int | None:
    """Delivers an event that nobody in the sandbox can cause; its status, None where it was not acknowledged."""
    whole = {
        "type": "event_callback",
        "team_id": office.sandbox.team.id,
        "event_id": f"Ev{event.get('ts', '')}",
        "event": event,
    }
    return (await office.sandbox.deliver("event", whole | envelope)).status


def concerns(delivery: Delivery, message: Message) -> bool:
    """Whether this is an event about the message, at its first attempt."""
    if delivery.kind != "event" or delivery.retry:
        return False
    event = delivery.payload["event"]
    return message.ts in (event.get("ts"), event.get("deleted_ts"), event.get("message", {}).get("ts"))


@asynccontextmanager
async def held_back(office: Office) -> AsyncIterator[None]:
    """Slack's events of what happens meanwhile do not reach the desk: the test delivers them, in its own order."""
    async with heard_by_nobody(office.sandbox):
        yield


@asynccontextmanager
async def heard_by_nobody(sandbox: Sandbox) -> AsyncIterator[None]:
    """Events pass for acknowledged, so that no later attempt of Slack's mends what a test's own order has broken."""
    outbox = sandbox.slack.outbox
    usual, outbox.carrier = outbox.carrier, Elsewhere()
    yield
    await sandbox.settled()
    outbox.carrier = usual


class Elsewhere:
    """The way to an app that takes everything and does nothing."""

    async def carry(self, delivery: Delivery, sent: asyncio.Event) -> None:
        sent.set()
        delivery.status = 200


async def events_about(office: Office, message: Message, count: int = 1) -> list[Delivery]:
    """The events about a message, in the order in which they arose."""
    async with asyncio.timeout(5):
        while True:
            found = [one for one in office.sandbox.deliveries if concerns(one, message)]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)


async def deliver(office: Office, *deliveries: Delivery) -> None:
    """One after the other, each acknowledged before the next."""
    for delivery in deliveries:
        assert (await office.sandbox.deliver("event", delivery.payload)).acknowledged


def seen_by(office: Office, person: Person) -> str:
    """Everything that a person can see in Slack: texts and blocks of their channels and of their DM."""
    channels = {channel.id: channel for channel in office.sandbox.slack.workspace.channels.values()}
    return json.dumps(
        [
            (message.text, message.blocks)
            for channel in channels.values()
            if person.id in channel.members
            for message in (*channel.posts.values(), *channel.ephemerals)
            if message.only_for in (None, person.id)
        ],
        ensure_ascii=False,
    )


def private_answers(channel: Channel, person: Person) -> list[str]:
    """What only this person sees there."""
    return [one.text for one in channel.ephemerals if one.only_for == person.id]
