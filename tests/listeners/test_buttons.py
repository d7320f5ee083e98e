"""The buttons of card, status message, held reply and rating question, pressed by who may and by who may not."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from bot.sandbox import Interaction, Message, Person
from tests.conftest import Office, World, open_office

pytestmark = pytest.mark.transports("http", "socket")

CARD_BUTTONS = ["claim", "reply", "note", "close", "edit", "not_a_ticket"]


async def forged(office: Office, payload: dict[str, Any]) -> tuple[int | None, str]:
    """The status and body with which the desk answers an interaction that Slack's client would not send."""
    delivery = await office.sandbox.deliver("interaction", payload)
    return delivery.status, delivery.answer.decode()


def pressed(office: Office, person: Person, action_id: str, value: str, message: Message) -> dict[str, Any]:
    """A block_actions payload: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload"""
    return {
        "type": "block_actions",
        "user": {"id": person.id, "name": person.handle, "team_id": person.team.id},
        "team": {"id": person.team.id},
        "trigger_id": office.sandbox.slack.triggers.issue(person),
        "container": {
            "type": "message",
            "channel_id": message.channel.id,
            "message_ts": message.ts,
            **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
        },
        "channel": {"id": message.channel.id},
        "actions": [{"type": "button", "action_id": action_id, "block_id": "actions", "value": value}],
    }


async def press(office: Office, person: Person, message: Message, action_id: str) -> Interaction:
    taken = await person.click(message, action_id=action_id)
    assert taken.ok, taken
    await office.at_rest()
    return taken


def told(office: Office, person: Person) -> list[str]:
    """What the desk says to a person alone, wherever."""
    channels = (office.world.help, office.world.triage)
    private = [one.text for channel in channels for one in channel.ephemerals if one.only_for == person.id]
    return private + [one.text for one in office.sandbox.dm_messages(person)]


async def opened(office: Office, person: Person, text: str = "The export fails") -> Message:
    root = await person.post(office.world.help, text)
    await office.at_rest()
    return root


def in_thread(office: Office, root: Message, words: str) -> Message:
    return next(one for one in office.sandbox.messages(root.channel, thread_ts=root.ts) if words in one.text)


async def test_the_card_offers_what_can_be_done_next(office: Office) -> None:
    await opened(office, office.world.ada)
    assert buttons(office.card()) == CARD_BUTTONS
    await press(office, office.world.grace, office.card(), "not_a_ticket")
    assert buttons(office.card()) == ["reopen", "reply", "note", "edit"]


def buttons(message: Message) -> list[str]:
    return [one["action_id"] for block in message.blocks for one in block.get("elements", []) if "action_id" in one]


async def test_claim_and_claim_by_a_second_agent(office: Office) -> None:
    root = await opened(office, office.world.ada)
    await press(office, office.world.grace, office.card(), "claim")
    await press(office, office.world.linus, office.card(), "claim")
    ticket = await office.ticket()
    assert (ticket["status"], len(ticket["assigned_to"])) == ("open", 2)
    assert f"{office.world.grace.mention}, {office.world.linus.mention}" in office.card().text
    assert "Grace Hopper, Linus Pauling are on it" in office.thread(root)[0]


async def test_two_who_claim_at_the_same_moment_both_have_it(office: Office) -> None:
    root = await opened(office, office.world.ada)
    card = office.card()
    await asyncio.gather(*(one.click(card, action_id="claim") for one in (office.world.grace, office.world.linus)))
    await office.at_rest()
    assert len((await office.ticket())["assigned_to"]) == 2
    for name in ("Grace Hopper", "Linus Pauling"):
        assert name in office.thread(root)[0]


async def test_a_form_that_slack_does_not_open_is_said_privately_and_changes_nothing(office: Office) -> None:
    await opened(office, office.world.ada)
    before = await office.ticket()
    office.sandbox.disrupt("views.open", "http_500")
    await press(office, office.world.grace, office.card(), "reply")
    assert told(office, office.world.grace) == ["Slack did not open the form. Please try again."]
    assert office.world.grace.view is None
    assert await office.ticket() == before


async def test_claiming_again_is_told_privately(office: Office) -> None:
    root = await opened(office, office.world.ada)
    await press(office, office.world.grace, office.card(), "claim")
    await press(office, office.world.grace, office.card(), "claim")
    assert told(office, office.world.grace) == ["Ticket #1 is yours already."]
    assert len((await office.ticket())["assigned_to"]) == 1
    assert len(office.thread(root, office.world.ada)) == 1


async def test_not_a_ticket_closes_silently_and_the_next_message_makes_it_one_again(office: Office) -> None:
    root = await opened(office, office.world.ada, "Good morning")
    await press(office, office.world.grace, office.card(), "not_a_ticket")
    ticket = await office.ticket()
    assert (ticket["status"], ticket["not_a_ticket"]) == ("closed", True)
    assert not any("How did we do" in text for text in office.thread(root))

    await office.world.ada.post(office.world.help, "The export fails, too", thread_ts=root.ts)
    await office.at_rest()
    ticket = await office.ticket()
    assert (ticket["status"], ticket["not_a_ticket"]) == ("new", False)
    assert "not a ticket" not in office.card().text


async def test_reopen_puts_a_closed_ticket_back(office: Office) -> None:
    root = await opened(office, office.world.ada)
    await press(office, office.world.grace, office.card(), "not_a_ticket")
    await press(office, office.world.grace, office.card(), "reopen")
    ticket = await office.ticket()
    assert (ticket["status"], ticket["not_a_ticket"]) == ("new", False)
    assert "New" in office.card().text
    assert "New" in office.thread(root)[0]


async def test_the_requester_presses_solved(office: Office) -> None:
    root = await opened(office, office.world.ada)
    await press(office, office.world.ada, in_thread(office, root, "Ticket #1"), "solved")
    assert (await office.ticket())["status"] == "closed"
    assert "Closed" in office.card().text
    assert ["Closed" in office.thread(root)[0], "How did we do" in office.thread(root)[1]] == [True, True]
    who = await office.sql.fetchval("select role from threadesk.ledger where after = '\"closed\"'")
    assert who == "customer"


async def test_solved_is_not_for_a_colleague_who_is_told_so_alone(office: Office) -> None:
    root = await opened(office, office.world.ada)
    await press(office, office.world.bob, in_thread(office, root, "Ticket #1"), "solved")
    assert (await office.ticket())["status"] == "new"
    assert told(office, office.world.bob) == ["You have no ticket #1. `/ticket list` shows yours."]
    assert not told(office, office.world.ada)
    assert len(office.thread(root, office.world.ada)) == 1


@pytest.mark.parametrize("action_id", [*CARD_BUTTONS, "reopen"])
async def test_an_agents_button_forged_by_the_requester_does_nothing(office: Office, action_id: str) -> None:
    world = office.world
    root = await opened(office, world.ada)
    if action_id == "reopen":
        await press(office, world.grace, office.card(), "not_a_ticket")
    before, card = await office.ticket(), office.card().text
    status = in_thread(office, root, "Ticket #1")
    for person in (world.ada, world.bob) if action_id != "reopen" else (world.bob,):
        assert (await forged(office, pressed(office, person, action_id, "1", status)))[0] == 200
        await office.at_rest()
        assert len(told(office, person)) == 1
        assert person.view is None
    assert await office.ticket() == before
    assert office.card().text == card


async def test_a_button_of_a_ticket_that_is_not_there_says_which_is_the_newest(office: Office) -> None:
    await opened(office, office.world.ada)
    for value, sentence in (
        ("412", "No ticket #412. The newest is #1."),
        ("", "This button belongs to no ticket."),
        ("1; drop table tickets", "This button belongs to no ticket."),
        ("٤", "This button belongs to no ticket."),
        ("99999999999999999999", "This button belongs to no ticket."),
    ):
        status, _ = await forged(office, pressed(office, office.world.grace, "claim", value, office.card()))
        await office.at_rest()
        assert (status, told(office, office.world.grace)[-1]) == (200, sentence)
    assert (await office.ticket())["status"] == "new"


async def test_a_button_of_a_ticket_of_another_triage_channel_is_not_ones_own(office: Office, world: World) -> None:
    """Grace is no agent where ticket #1 is worked: for her it is as if it were not there."""
    await opened(office, world.ada)
    await office.sql.execute(
        "insert into threadesk.channels (id, name, role) values ('C0ELSEWHERE', 'elsewhere', 'triage')"
    )
    await office.sql.execute("update threadesk.desk_tickets set triage_channel = 'C0ELSEWHERE'")
    assert (await forged(office, pressed(office, world.grace, "claim", "1", office.card())))[0] == 200
    await office.at_rest()
    assert told(office, world.grace) == ["Ticket #1 belongs to a triage channel that you are not in."]
    assert (await office.ticket())["assigned_to"] in (None, [])


async def test_a_button_that_no_longer_exists_is_answered(office: Office) -> None:
    await opened(office, office.world.ada)
    assert (await forged(office, pressed(office, office.world.grace, "merge", "1", office.card())))[0] == 200
    await office.at_rest()
    assert told(office, office.world.grace) == [
        "This button is from an older version of the desk and does nothing any more."
    ]


async def test_more_with_a_forged_page_is_refused(office: Office) -> None:
    await opened(office, office.world.ada)
    place = "1795356300000000.1.1"
    for value in (
        *("", "[]", "null", "{}", "[" * 100_000, '["open", null, null, null, 0]'),
        f'["gone", null, null, null, "activity", "{place}"]',
        f'["open", {{"a": 1}}, null, null, "activity", "{place}"]',
        f'["open", "x\' or true", null, null, "activity", "{place}"]',
        f'["open", null, 7, null, "activity", "{place}"]',
        f'["open", null, null, null, "title", "{place}"]',
        f'["open", null, null, null, "activity", "{place}.1"]',
        '["open", null, null, null, "activity", "-1.1.1"]',
        f'["open", null, null, null, "activity", "{"9" * 5_000}.1.1"]',
    ):
        status, _ = await forged(office, pressed(office, office.world.grace, "more", value, office.card()))
        await office.at_rest()
        assert (status, told(office, office.world.grace)[-1]) == (
            200,
            "This list cannot go on. Ask for it again: `/ticket list`",
        )


async def test_somebody_out_of_reach_in_the_channel_is_told_in_their_dm(office: Office) -> None:
    """Linus is not in the support channel, where an ephemeral message cannot reach him."""
    root = await opened(office, office.world.ada)
    status = in_thread(office, root, "Ticket #1")
    await forged(office, pressed(office, office.world.linus, "solved", "7", status))
    await office.at_rest()
    assert [one.text for one in office.sandbox.dm_messages(office.world.linus)] == ["No ticket #7. The newest is #1."]
    assert len(office.thread(root)) == 1


async def held_reply(office: Office, words: str = "It works again") -> tuple[Message, Message]:
    """Ada's message, and Linus's reply to it as triage shows it while it can be undone."""
    root = await opened(office, office.world.ada)
    assert (await office.world.linus.command("/ticket", f"reply 1 {words}", channel=office.world.triage)).ok
    await office.at_rest()
    return root, in_thread(office, office.card(), words)


async def test_undo_takes_a_held_reply_back(world: World, database_url: str, sql: asyncpg.Connection) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        root, held = await held_reply(office)
        assert (await office.said(), len(office.thread(root))) == (["The export fails"], 1)
        await press(office, world.linus, held, "undo_reply")
        world.clock.advance(seconds=61)
        await office.at_rest()
        assert await office.said() == ["The export fails"]
        assert (await office.ticket())["status"] == "new"
        assert len(office.thread(root)) == 1
        assert "undone, the customer did not get it" in held.text
        assert not buttons(held)


async def test_make_it_a_note_keeps_the_words_from_the_customer(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        root, held = await held_reply(office)
        await press(office, world.linus, held, "make_note")
        world.clock.advance(seconds=61)
        await office.at_rest()
        assert (await office.said(), await office.notes()) == (["The export fails"], ["It works again"])
        assert len(office.thread(root)) == 1
        assert "made an internal note" in held.text
        assert sum("It works again" in text for text in office.thread(office.card())) == 1


async def test_undo_comes_too_late_for_a_reply_that_was_sent(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        root, held = await held_reply(office)
        reply_id = held.blocks[-1]["elements"][0]["value"]
        world.clock.advance(seconds=61)
        await sent(office, 2)
        late = pressed(office, world.linus, "undo_reply", reply_id, held)
        assert (await forged(office, late))[0] == 200
        await office.at_rest()
        assert told(office, world.linus)[-1] == "Too late: the customer has this reply already."
        assert office.thread(root)[-1] == "It works again"
        assert "sent to the customer" in held.text


async def sent(office: Office, messages: int) -> None:
    """Waits until the conversation has so many messages, all of them shown."""
    await office.at_rest()
    assert len(await office.said()) == messages


async def test_a_held_reply_is_not_undone_by_a_customer_nor_twice(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        root, held = await held_reply(office)
        reply_id = held.blocks[-1]["elements"][0]["value"]
        status = in_thread(office, root, "Ticket #1")
        for person, value in ((world.ada, reply_id), (world.grace, str(uuid4())), (world.grace, "nonsense")):
            assert (await forged(office, pressed(office, person, "undo_reply", value, status)))[0] == 200
        await press(office, world.grace, held, "undo_reply")
        assert (await forged(office, pressed(office, world.grace, "make_note", reply_id, status)))[0] == 200
        await office.at_rest()
        assert told(office, world.ada) == ["Only agents can reply for the desk."]
        assert sorted(told(office, world.grace)) == [
            "This button belongs to nothing any more.",
            "This reply does not exist.",
            "This reply was taken back already.",
        ]
        assert (await office.said(), await office.notes()) == (["The export fails"], [])


async def closed(office: Office, requester: Person) -> tuple[Message, Message]:
    """A closed ticket of somebody's: their message and the rating question."""
    root = await opened(office, requester)
    assert (await office.world.grace.command("/ticket", "close 1", channel=office.world.triage)).ok
    await office.at_rest()
    return root, in_thread(office, root, "How did we do")


async def test_a_rating_is_saved_at_once_and_kept_in_the_customers_history(office: Office) -> None:
    _, question = await closed(office, office.world.bob)
    await press(office, office.world.bob, question, "rate:4")
    ticket = await office.ticket()
    feedback = ticket["feedback"]
    assert (feedback["rating"], feedback["comment"]) == (4, None)
    assert await history(office) == [feedback | {"ticket_id": str(ticket["id"])}]
    assert "You answered *4 – good*" in question.text
    assert "rated ★★★★☆ 4 of 5" in office.card().text
    assert office.world.bob.view is not None


async def history(office: Office) -> list[dict[str, Any]]:
    """The feedback history of Bob's row in customers."""
    kept = await office.sql.fetchval("select feedback_history from customers where email = 'bob@globex.example'")
    return list(kept["feedback"])


async def test_a_rating_is_saved_although_slack_does_not_open_the_comments_form(office: Office) -> None:
    _, question = await closed(office, office.world.bob)
    office.sandbox.disrupt("views.open", "cut_before", times=2)
    await press(office, office.world.bob, question, "rate:4")
    assert (await office.ticket())["feedback"]["rating"] == 4
    assert "You answered *4 – good*" in question.text
    assert [entry["rating"] for entry in await history(office)] == [4]


async def test_a_second_rating_replaces_the_first_everywhere(office: Office) -> None:
    _, question = await closed(office, office.world.bob)
    for rating in (2, 5):
        await press(office, office.world.bob, question, f"rate:{rating}")
    assert (await office.ticket())["feedback"]["rating"] == 5
    assert [entry["rating"] for entry in await history(office)] == [5]
    assert "You answered *5 – great*" in question.text
    assert "5 of 5" in office.card().text
    assert (
        sum("How did we do" in text for text in office.thread(office.world.help.posts[question.thread_ts or ""])) == 1
    )


@pytest.mark.parametrize("who", ["ada", "grace"])
async def test_somebody_else_who_rates_is_told_privately(office: Office, who: str) -> None:
    root, question = await closed(office, office.world.bob)
    person: Person = getattr(office.world, who)
    await press(office, person, question, "rate:1")
    assert (await office.ticket())["feedback"] is None
    assert "The person who asked for help is the one who rates it." in told(office, person)
    assert person.view is None
    assert len(office.thread(root, office.world.bob)) == 2


async def test_a_rating_without_an_e_mail_enters_the_history_when_the_customer_gets_a_row(office: Office) -> None:
    """Slack shows Ada's e-mail only later; her ticket and her rating then become those of her row in customers."""
    world = office.world
    _, question = await closed(office, world.ada)
    await press(office, world.ada, question, "rate:3")
    ticket = await office.ticket()
    assert (ticket["customer_email"], ticket["feedback"]["rating"]) == (None, 3)

    world.ada.email = "ada@globex.example"
    await office.sql.execute("update threadesk.people set known_at = null where slack_id = $1", world.ada.id)
    await world.ada.post(world.help, "Another thing")
    await office.at_rest()

    ticket = await office.ticket()
    assert ticket["customer_email"] == "ada@globex.example"
    kept = await office.sql.fetchval("select feedback_history from customers where email = 'ada@globex.example'")
    assert kept == {"feedback": [ticket["feedback"] | {"ticket_id": str(ticket["id"])}]}


async def test_nothing_can_be_rated_before_it_is_closed_or_outside_1_to_5(office: Office) -> None:
    root = await opened(office, office.world.bob)
    status = in_thread(office, root, "Ticket #1")
    for action_id in ("rate:5", "rate:0", "rate:6"):
        assert (await forged(office, pressed(office, office.world.bob, action_id, "1", status)))[0] == 200
    await office.at_rest()
    assert (await office.ticket())["feedback"] is None
    assert told(office, office.world.bob)[0] == "Ticket #1 can be rated once it is closed."
