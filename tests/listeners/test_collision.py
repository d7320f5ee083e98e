"""Two who act at the same moment: what *Reply* warns of, and what *Undo* can and cannot take back."""

from __future__ import annotations

import asyncio
import json

import asyncpg
import pytest

from bot.sandbox import Message, Person
from tests.conftest import Office, World, open_office
from tests.listeners.test_buttons import forged, held_reply, in_thread, opened, press, pressed, told
from tests.listeners.test_forms import open_form, send


def warned(person: Person, of: str) -> bool:
    assert person.view is not None, "the form stays open"
    return of in json.dumps(person.view["blocks"], ensure_ascii=False)


def typed(person: Person) -> str:
    assert person.view is not None
    return str(person.view["state"]["values"]["words"]["words"]["value"])


async def test_a_file_alone_is_something_that_was_written(office: Office) -> None:
    world = office.world
    root = await opened(office, world.ada)
    await open_form(office, world.grace, "reply")
    await world.ada.post(world.help, "", thread_ts=root.ts, files=[("error.png", "image/png", b"x")])
    await office.at_rest()
    assert (await send(office, world.grace, words="We look into it")).ok
    assert warned(world.grace, "Somebody has written since you opened this")
    assert typed(world.grace) == "We look into it"
    assert len(await office.said()) == 2
    assert (await send(office, world.grace)).ok
    assert (await office.said())[-1] == "We look into it"


async def test_ones_own_message_in_another_window_is_no_collision(office: Office) -> None:
    world = office.world
    root = await opened(office, world.ada)
    await open_form(office, world.grace, "reply")
    await world.grace.post(world.help, "A moment please", thread_ts=root.ts)
    await office.at_rest()
    assert (await send(office, world.grace, words="Fixed")).ok
    assert world.grace.view is None
    assert (await office.said())[1:] == ["A moment please", "Fixed"]


async def test_a_colleagues_held_reply_is_warned_of_when_the_form_opens(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        await held_reply(office)
        await open_form(office, world.grace, "reply")
        assert warned(world.grace, "Linus Pauling has just answered")
        assert (await send(office, world.grace, words="Me too")).ok
        assert world.grace.view is None, "she was warned before she wrote"
        await open_form(office, world.linus, "reply")
        assert warned(world.linus, "Grace Hopper has just answered")


async def test_a_reply_that_a_colleague_began_to_hold_meanwhile_is_warned_of(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        await opened(office, world.ada)
        await open_form(office, world.grace, "reply")
        assert not warned(world.grace, "has just answered")
        assert (await world.linus.command("/ticket", "reply 1 It works again", channel=world.triage)).ok
        assert (await send(office, world.grace, words="We look into it")).ok
        assert warned(world.grace, "Linus Pauling has just answered: it goes to the customer in a moment.")
        assert typed(world.grace) == "We look into it"

        world.clock.advance(seconds=61)
        await office.at_rest()
        assert (await send(office, world.grace)).ok
        assert world.grace.view is None, "what she was warned of has only been sent since"
        world.clock.advance(seconds=61)
        await office.at_rest()
        assert (await office.said())[1:] == ["It works again", "We look into it"]


async def test_a_reply_that_was_undone_is_no_collision(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        _, held = await held_reply(office)
        await open_form(office, world.grace, "reply")
        await press(office, world.linus, held, "undo_reply")
        assert (await send(office, world.grace, words="We look into it")).ok
        assert world.grace.view is None
        assert await sql.fetchval("select count(*) from threadesk.replies where state = 'held'") == 1


async def test_ones_own_held_reply_is_not_warned_of(world: World, database_url: str, sql: asyncpg.Connection) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        await held_reply(office)
        await open_form(office, world.linus, "reply")
        assert not warned(world.linus, "has just answered")
        assert (await send(office, world.linus, words="And more")).ok
        assert world.linus.view is None


@pytest.mark.parametrize("action_id", ["undo_reply", "make_note"])
async def test_pressed_at_the_moment_it_is_due_a_reply_is_sent_or_taken_back_never_both(
    world: World, database_url: str, sql: asyncpg.Connection, action_id: str
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        for n in range(1, 7):
            root = await opened(office, world.ada, f"Question {n}")
            assert (await world.linus.command("/ticket", f"reply {n} Answer {n}", channel=world.triage)).ok
            await office.at_rest()
            held = in_thread(office, office.card(n), f"Answer {n}")
            click = asyncio.create_task(world.linus.click(held, action_id=action_id))
            await asyncio.sleep(0.004 * n)
            world.clock.advance(seconds=61)
            await office.sql.execute("notify threadesk")
            assert (await click).ok
            await office.at_rest()
            state = await sql.fetchval("select state from threadesk.replies where words = $1", f"Answer {n}")
            sent = office.thread(root)[1:] == [f"Answer {n}"]
            assert state == ("sent" if sent else {"undo_reply": "undone", "make_note": "noted"}[action_id])
            assert (await office.said(n))[1:] == ([f"Answer {n}"] if sent else [])
            assert (await office.notes(n)) == ([f"Answer {n}"] if state == "noted" else [])
            late = [one for one in told(office, world.linus) if one.startswith("Too late")]
            assert bool(late) == sent or n > 1
            assert ("sent to the customer" in held.text) == sent


@pytest.mark.parametrize("action_id", ["undo_reply", "make_note"])
async def test_after_the_ticket_was_closed_it_is_too_late(
    world: World, database_url: str, sql: asyncpg.Connection, action_id: str
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        root, held = await held_reply(office)
        reply_id = held.blocks[-1]["elements"][0]["value"]
        assert (await world.grace.command("/ticket", "close 1", channel=world.triage)).ok
        await office.at_rest()
        assert (await forged(office, pressed(office, world.linus, action_id, reply_id, held)))[0] == 200
        await office.at_rest()
        assert told(office, world.linus)[-1] == "Too late: the customer has this reply already."
        assert (await office.said(), await office.notes()) == (["The export fails", "It works again"], [])
        assert office.thread(root)[1] == "It works again"


@pytest.mark.parametrize("action_id", ["undo_reply", "make_note"])
async def test_what_is_no_ticket_has_taken_its_reply_back_already(
    world: World, database_url: str, sql: asyncpg.Connection, action_id: str
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        root, held = await held_reply(office)
        reply_id = held.blocks[-1]["elements"][0]["value"]
        await press(office, world.grace, office.card(), "not_a_ticket")
        assert (await forged(office, pressed(office, world.linus, action_id, reply_id, held)))[0] == 200
        world.clock.advance(seconds=61)
        await office.at_rest()
        assert told(office, world.linus)[-1] == "This reply was taken back already."
        assert (await office.said(), await office.notes()) == (["The export fails"], [])
        assert "undone" in held.text
        assert len(office.thread(root)) == 1


# Closing with a reply on its way


async def test_the_close_form_says_that_a_held_reply_was_sent(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        root, _ = await held_reply(office)
        await open_form(office, world.grace, "close")
        assert (await send(office, world.grace)).ok
        assert warned(world.grace, "#1 is closed. The reply that was held is sent.")
        assert (await office.said())[-1] == "It works again"
        assert office.thread(root)[1] == "It works again"


async def test_the_close_form_just_closes_where_nothing_was_held(office: Office) -> None:
    await opened(office, office.world.ada)
    await open_form(office, office.world.grace, "close")
    assert (await send(office, office.world.grace)).ok
    assert office.world.grace.view is None


async def test_solved_tells_its_presser_alone_that_answers_were_on_their_way(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        root, _ = await held_reply(office)
        assert (await world.linus.command("/ticket", "reply 1 Really", channel=world.triage)).ok
        await press(office, world.ada, in_thread(office, root, "Ticket #1"), "solved")
        assert told(office, world.ada) == [
            "Ticket #1 is closed. 2 answers to you had just been written: you find them in the thread."
        ]
        assert office.thread(root)[1:3] == ["It works again", "Really"]
        assert "had just been written" not in " ".join(office.thread(root))


# Asked again


async def test_a_question_that_is_asked_again_takes_itself_back(office: Office) -> None:
    world = office.world
    root = await opened(office, world.ada)

    async def close() -> Message:
        assert (await world.grace.command("/ticket", "close 1", channel=world.triage)).ok
        await office.at_rest()
        (question,) = [one for one in office.sandbox.messages(world.help, thread_ts=root.ts) if "How did" in one.text]
        return question

    first = await close()
    await press(office, world.ada, first, "rate:4")
    await world.ada.post(world.help, "Again!", thread_ts=root.ts)
    await office.at_rest()
    assert "You answered *4 – good*" in first.text, "it stands while the ticket is open"
    second = await close()
    assert second is not first
    assert "You answered *4 – good*" in second.text
    await press(office, world.ada, second, "rate:2")
    assert (await office.ticket())["feedback"]["rating"] == 2
    ratings = "select count(*) from threadesk.posted where slot like 'rating:%' and not gone"
    assert await office.sql.fetchval(ratings) == 1


async def test_silence_about_what_is_no_ticket_leaves_the_question_that_was_asked(office: Office) -> None:
    world = office.world
    root = await opened(office, world.ada)
    for command in ("close 1", "reopen 1", "spam 1"):
        assert (await world.grace.command("/ticket", command, channel=world.triage)).ok
        await office.at_rest()
    assert sum("How did we do" in text for text in office.thread(root)) == 1
