"""Who is asked for a rating and when, and what the agents hear of a low one."""

from __future__ import annotations

import asyncpg

from bot.sandbox import Message, Person
from tests.conftest import Office, World, open_office


async def closed(office: Office, requester: Person, number: int = 1) -> Message:
    """Another ticket of somebody's, opened and closed; the root of its thread."""
    root = await requester.post(office.world.help, f"Question {number}")
    await office.at_rest()
    await run(office, f"close {number}")
    return root


async def run(office: Office, command: str) -> None:
    assert (await office.world.grace.command("/ticket", command, channel=office.world.triage)).ok
    await office.at_rest()


def questions(office: Office, root: Message) -> list[Message]:
    thread = office.sandbox.messages(root.channel, thread_ts=root.ts)
    return [one for one in thread if "How did we do" in one.text]


async def rate(office: Office, who: Person, root: Message, rating: int, comment: str | None = None) -> None:
    await who.click(questions(office, root)[-1], f"rate:{rating}")
    if comment is not None:
        await who.submit({"comment": comment})
    await office.at_rest()


def told(office: Office, number: int = 1) -> list[str]:
    """What the triage thread says of ratings."""
    return [text for text in office.thread(office.card(number)) if text.startswith("⭐")]


async def test_a_low_rating_is_told_at_once_and_its_comment_follows(office: Office) -> None:
    world = office.world
    root = await world.ada.post(world.help, "Question 1")
    await office.at_rest()
    await run(office, f"assign 1 {world.linus.mention}")
    await run(office, "close 1")

    await rate(office, world.ada, root, 2)
    assert told(office) == [f"⭐ {world.linus.mention} Ada Lovelace rated #1: ★★☆☆☆ 2 of 5"]

    await rate(office, world.ada, root, 1, "Slow <!channel>")
    assert told(office) == [f"⭐ {world.linus.mention} Ada Lovelace rated #1: ★☆☆☆☆ 1 of 5\nSlow &lt;!channel&gt;"]

    await rate(office, world.ada, root, 5)
    assert "★★★★★ 5 of 5" in told(office)[0]
    assert len(told(office)) == 1
    assert not any("⭐" in text for text in office.thread(root))


async def test_a_good_rating_is_no_news(office: Office) -> None:
    root = await closed(office, office.world.ada)
    await rate(office, office.world.ada, root, 3)
    assert told(office) == []


async def test_each_closing_has_an_answer_of_its_own(office: Office) -> None:
    root = await closed(office, office.world.ada)
    await rate(office, office.world.ada, root, 1)
    await run(office, "reopen 1")
    await run(office, "close 1")
    # What was asked before is taken away when it is asked anew.
    assert (len(questions(office, root)), len(told(office))) == (1, 1)

    await rate(office, office.world.ada, root, 2)
    assert len(told(office)) == 2


async def test_a_low_rating_from_another_program_is_told_too(office: Office) -> None:
    await closed(office, office.world.ada)
    await office.sql.execute(
        "update tickets set feedback = $1",
        {"rating": 1, "comment": "Rude", "submitted_at": "2026-11-22T10:00:00+00:00"},
    )
    await office.at_rest()
    assert told(office) == ["⭐ Ada Lovelace rated #1: ★☆☆☆☆ 1 of 5\nRude"]


async def test_who_has_rated_is_not_asked_again_for_some_days(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, rating_cooldown_days=7) as office:
        first = await closed(office, world.ada, 1)
        await rate(office, world.ada, first, 4)
        second = await closed(office, world.ada, 2)
        assert questions(office, second) == []
        others = await closed(office, world.bob, 3)
        assert len(questions(office, others)) == 1

        world.clock.advance(days=8)
        third = await closed(office, world.ada, 4)
        assert len(questions(office, third)) == 1
        # Nor is the question of the ticket of back then asked late.
        await run(office, "tag 2 +seen")
        assert questions(office, second) == []


async def test_without_a_pause_everybody_is_asked_once_for_each_closing(office: Office) -> None:
    root = await closed(office, office.world.ada, 1)
    await rate(office, office.world.ada, root, 4)
    again = await closed(office, office.world.ada, 2)
    await run(office, "tag 2 +seen")
    assert len(questions(office, again)) == 1
