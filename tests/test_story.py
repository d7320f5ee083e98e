"""A customer's message lives its whole life as a ticket."""

from __future__ import annotations

import pytest

from tests.conftest import Office

pytestmark = pytest.mark.transports("http", "socket")


async def test_a_message_becomes_a_ticket_that_is_claimed_answered_closed_and_rated(office: Office) -> None:
    world = office.world
    problem = await world.ada.post(world.help, "The export fails")
    await office.at_rest()

    ticket = await office.ticket()
    assert (ticket["title"], ticket["status"], ticket["source_channel"]) == ("The export fails", "new", "slack")
    assert await office.said() == ["The export fails"]
    assert ticket["customer_email"] is None
    assert "#1" in office.thread(problem)[0]

    assert (await world.grace.click(office.card(), action_id="claim")).ok
    await office.at_rest()
    assert (await office.ticket())["status"] == "open"
    assert "Grace Hopper" in office.thread(problem)[0]
