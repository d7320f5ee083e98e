"""Reactions by agents: what each does, once, and what all the others do: nothing."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from bot.sandbox import Message, Person
from bot.sandbox.delivery import Delivery
from tests.conftest import Office
from tests.listeners.slack_side import deliver, events_about, held_back, private_answers, seen_by, send_event
from tests.listeners.test_messages import assigned_to, opened_by_ada, ticket_count
from tests.listeners.test_setup import set_up
from tests.listeners.test_shortcuts import on_request

pytestmark = pytest.mark.transports("http", "socket")


async def reacts(office: Office, who: Person, message: Message, *names: str) -> None:
    for name in names:
        await who.react(message, name)
        await office.at_rest()


async def reactions_to(office: Office, message: Message, count: int = 1) -> list[Delivery]:
    """The events of reactions to a message."""
    await office.sandbox.settled()
    found = [
        one
        for one in office.sandbox.deliveries
        if one.type == "reaction_added" and not one.retry and one.payload["event"]["item"]["ts"] == message.ts
    ]
    assert len(found) >= count
    return found


def told(office: Office, who: Person) -> list[str]:
    return private_answers(office.world.help, who) + private_answers(office.world.triage, who)


@pytest.mark.parametrize("place", ["root", "card"])
async def test_on_a_tickets_root_or_card_eyes_claim_and_a_check_mark_closes(office: Office, place: str) -> None:
    world = office.world
    root = await opened_by_ada(office)
    message = root if place == "root" else office.card()
    await reacts(office, world.grace, message, "eyes")
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("open", ["Grace Hopper"])
    assert office.thread(root)[0] == "Ticket #1 · *🟢 Open* · Grace Hopper is on it"
    await reacts(office, world.grace, message, "white_check_mark")
    assert (await office.ticket())["status"] == "closed"
    assert "How did we do" in office.thread(root)[-1]
    assert told(office, world.grace) == []


async def test_taking_a_reaction_away_undoes_nothing(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await reacts(office, world.grace, root, "eyes", "white_check_mark")
    await world.grace.unreact(root, "white_check_mark")
    await world.grace.unreact(root, "eyes")
    await office.at_rest()
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("closed", ["Grace Hopper"])


@pytest.mark.parametrize("name", ["ada", "ben", "bob"])
async def test_reactions_by_customers_do_nothing(office: Office, name: str) -> None:
    world = office.world
    await on_request(office)
    plain = await world.ada.post(world.help, "Good morning")
    root = await world.ada.post(world.help, f"{office.sandbox.bot.mention} the export fails")
    await office.at_rest()
    before = await office.ticket()
    await reacts(office, getattr(world, name), root, "eyes", "white_check_mark", "ticket")
    await reacts(office, getattr(world, name), plain, "ticket")
    assert (await office.ticket(), await ticket_count(office)) == (before, 1)
    assert told(office, getattr(world, name)) == []


async def test_an_agent_is_a_customer_of_their_own_ticket_by_reaction_too(office: Office) -> None:
    world = office.world
    await world.grace.dm("My laptop is broken")
    await office.at_rest()
    await reacts(office, world.grace, office.card(), "eyes", "white_check_mark")
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("new", [])


@pytest.mark.parametrize(
    "change",
    [
        {"user": None},
        {"user": "U0NOBODY"},
        {"item": {"type": "file", "file": "F1"}},
        {"item": {"type": "message", "channel": "C0ELSEWHERE", "ts": "1.000100"}},
        {"item": {}},
    ],
)
async def test_reactions_to_and_by_whatever_else_do_nothing(office: Office, change: dict[str, Any]) -> None:
    root = await opened_by_ada(office)
    item = {"type": "message", "channel": root.channel.id, "ts": root.ts}
    event = {"type": "reaction_added", "user": office.sandbox.bot.id, "reaction": "white_check_mark", "item": item}
    assert await send_event(office, event | {"event_ts": "1999999999.000100"} | change) == 200
    assert await send_event(office, event | {"event_ts": "1999999999.000200"}) == 200, "the desk's own"
    await office.at_rest()
    assert (await office.ticket())["status"] == "new"


async def test_a_reaction_opens_a_ticket_with_the_thread_so_far(office: Office) -> None:
    world = office.world
    await on_request(office)
    root = await world.ada.post(world.help, "The export fails")
    reply = await world.bob.post(world.help, "For me too", thread_ts=root.ts)
    await office.at_rest()
    assert await ticket_count(office) == 0
    await world.grace.react(root, "ticket")
    await world.grace.react(root, "eyes")
    await office.at_rest()
    assert (await office.said(), await assigned_to(office)) == (["The export fails", "For me too"], ["Grace Hopper"])
    assert "From *Ada Lovelace* (Globex)" in office.card().text
    assert office.thread(office.card()) == await office.said(), "it is no news"

    await reacts(office, world.grace, reply, "ticket")
    assert await ticket_count(office) == 1
    assert told(office, world.grace)[-1].startswith("This belongs to ticket <https://acme.slack.com/")
    assert not any("This belongs" in text for text in seen_by(office, world.ada).splitlines())


async def test_a_reaction_to_a_reply_opens_the_ticket_of_its_root(office: Office) -> None:
    world = office.world
    await on_request(office)
    root = await world.ada.post(world.help, "The export fails")
    reply = await world.bob.post(world.help, "For me too", thread_ts=root.ts)
    await office.at_rest()
    await reacts(office, world.grace, reply, "ticket")
    ticket = await office.ticket()
    assert (ticket["root_ts"], await office.said()) == (root.ts, ["The export fails", "For me too"])
    assert "From *Bob Noyce* (Globex)" in office.card().text


async def test_in_a_tickets_thread_a_reaction_to_a_reply_neither_claims_nor_closes(office: Office) -> None:
    """There people react to what is said, not to the ticket."""
    world = office.world
    root = await opened_by_ada(office)
    reply = await world.ada.post(world.help, "With Firefox", thread_ts=root.ts)
    await office.at_rest()
    await reacts(office, world.grace, reply, "eyes", "white_check_mark")
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("new", [])


async def test_what_is_so_already_is_silently_nothing(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    assert (await world.grace.click(office.card(), action_id="claim")).ok
    await reacts(office, world.grace, root, "eyes")
    await reacts(office, world.grace, root, "white_check_mark")
    await reacts(office, world.linus, office.card(), "white_check_mark")
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("closed", ["Grace Hopper"])
    assert told(office, world.grace) + told(office, world.linus) == []


async def test_a_reaction_that_is_refused_tells_the_agent_alone(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await reacts(office, world.grace, root, "white_check_mark", "eyes")
    assert told(office, world.grace) == ["Ticket #1 is closed. Reopen it first: `/ticket reopen 1`"]
    assert "Reopen it first" not in seen_by(office, world.ada) + seen_by(office, world.linus)
    for delivery in await reactions_to(office, root, 2):
        office.sandbox.resend(delivery)
    await office.at_rest()
    assert len(told(office, world.grace)) == 1


async def test_a_reaction_that_slack_tells_again_is_not_obeyed_again(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await reacts(office, world.grace, root, "eyes", "white_check_mark")
    await world.grace.command("/ticket", "reopen 1", channel=world.triage)
    await world.grace.command("/ticket", f"unassign 1 {world.grace.mention}", channel=world.triage)
    for delivery in await reactions_to(office, root, 2):
        office.sandbox.resend(delivery)
    await office.at_rest()
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("new", [])

    await world.grace.unreact(root, "white_check_mark")
    await reacts(office, world.grace, root, "white_check_mark")
    assert (await office.ticket())["status"] == "closed", "added again, it is another one"


async def test_a_check_mark_heard_late_does_not_close_over_the_customers_later_words(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    async with held_back(office):
        await world.grace.react(root, "white_check_mark")
    await world.ada.post(world.help, "It fails again", thread_ts=root.ts)
    await office.at_rest()
    await deliver(office, *await reactions_to(office, root))
    await office.at_rest()
    assert (await office.ticket())["status"] == "new"
    [why] = told(office, world.grace)
    assert why == "The customer has written on #1 since. Close it again once you have read that."


async def test_a_reaction_that_is_heard_before_its_message_is_obeyed_with_it(office: Office) -> None:
    world = office.world
    async with held_back(office):
        root = await world.ada.post(world.help, "The export fails")
        await world.grace.react(root, "eyes")
        posted = await events_about(office, root)
    await deliver(office, *await reactions_to(office, root), *posted)
    await office.at_rest()
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("open", ["Grace Hopper"])


async def test_reactions_that_are_heard_in_another_order_end_the_same(office: Office) -> None:
    world = office.world
    await on_request(office)
    root = await world.ada.post(world.help, "The export fails")
    await office.at_rest()
    async with held_back(office):
        for name in ("ticket", "eyes", "white_check_mark"):
            await world.grace.react(root, name)
    await deliver(office, *reversed(await reactions_to(office, root, 3)))
    await office.at_rest()
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("closed", ["Grace Hopper"])


async def test_a_claim_that_is_heard_after_the_close_that_followed_it_is_nothing_to_speak_of(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    async with held_back(office):
        for name in ("eyes", "white_check_mark"):
            await world.grace.react(root, name)
    await deliver(office, *reversed(await reactions_to(office, root, 2)))
    await office.at_rest()
    assert ((await office.ticket())["status"], told(office, world.grace)) == ("closed", [])


async def test_what_was_meant_of_a_message_before_it_was_a_ticket_does_nothing_to_the_ticket(office: Office) -> None:
    world = office.world
    await on_request(office)
    root = await world.ada.post(world.help, "Good morning")
    await office.at_rest()
    await reacts(office, world.grace, root, "white_check_mark")
    await reacts(office, world.grace, root, "ticket")
    assert ((await office.ticket())["status"], told(office, world.grace)[-1][:14]) == ("new", "This is ticket")


async def test_where_every_message_opens_a_ticket_the_reaction_names_it(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await reacts(office, world.grace, root, "ticket")
    assert await ticket_count(office) == 1
    assert told(office, world.grace)[0].startswith("This belongs to ticket ")


async def test_a_message_that_nobody_could_ask_about_tells_its_agent(office: Office) -> None:
    world = office.world
    notice = await world.grace.post(world.help, "Maintenance tonight")
    await office.at_rest()
    await reacts(office, world.grace, notice, "ticket")
    assert told(office, world.grace)[0].startswith("No customer has written this message")


# Settings


async def test_each_support_channel_has_reactions_of_its_own(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    news = await world.grace.post(world.help, "Release 4.3 is out")
    typed = {"reaction_open": "", "reaction_claim": ":wave:", "reaction_close": "+1"}
    assert (await set_up(office, world.grace, world.help, **typed)).ok
    await reacts(office, world.grace, news, "ticket")
    assert (await ticket_count(office), told(office, world.grace)) == (1, [])
    await reacts(office, world.grace, root, "eyes", "white_check_mark")
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("new", [])
    await reacts(office, world.grace, office.card(), "wave::skin-tone-3")
    assert await assigned_to(office) == ["Grace Hopper"]
    await reacts(office, world.grace, root, "thumbsup")
    assert (await office.ticket())["status"] == "closed"


async def test_what_is_set_up_otherwise_leaves_the_reactions_and_the_form_shows_them(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    assert (await set_up(office, world.grace, world.help, reaction_claim="wave", reaction_close="")).ok
    assert (await set_up(office, world.grace, world.help, priority="high")).ok
    await world.grace.command("/ticket", "setup", channel=world.help)
    assert world.grace.view is not None
    typed = world.grace.view["state"]["values"]
    fields = ("reaction_open", "reaction_claim", "reaction_close")
    assert [typed[one][one].get("value") for one in fields] == [":ticket:", ":wave:", None]
    await reacts(office, world.grace, root, "white_check_mark", "wave")
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("open", ["Grace Hopper"])


@pytest.mark.parametrize(
    "reactions",
    [
        '{"open": "ticket", "claim": "eyes"}',
        '{"open": "ticket", "claim": "eyes", "close": "eyes"}',
        '{"open": "", "claim": null, "close": null}',
        '{"open": ":ticket:", "claim": null, "close": null}',
        '{"open": "a", "claim": "b", "close": "c", "spam": "d"}',
        "[]",
    ],
)
async def test_the_database_keeps_no_reactions_that_cannot_be(office: Office, reactions: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await office.sql.execute(f"update threadesk.channels set reactions = '{reactions}'")
    await office.sql.execute(
        """update threadesk.channels set reactions = '{"open": null, "claim": null, "close": null}'"""
    )
