"""What is written on one side of a ticket is read on the other as it was meant, and alerts nobody there."""

from __future__ import annotations

import json

import asyncpg
import pytest

from bot.sandbox import Message
from bot.sandbox.shapes import message_object
from tests.conftest import Office, World, open_office
from tests.delivery.test_courier import alerts, by_desk, command, opened, until
from tests.listeners.slack_side import send_event


async def written(office: Office, root: Message, text: str, *, broadcast: bool = False) -> str:
    """What triage shows of something that Ada writes, in Slack's own encoding, in her thread."""
    await office.world.ada.post(office.world.help, text, thread_ts=root.ts, raw=True, broadcast=broadcast)
    await office.at_rest()
    return office.thread(office.card())[-1]


@pytest.mark.parametrize(
    "text",
    [
        "*bold* _italic_ ~gone~ `code`",
        "```\nif a &lt; b:\n  pass\n```",
        "&gt; quoted\n• one\n• two\n    ◦ deeper\n1. first",
        "see <https://a.example/?a=1&amp;b=2|the log> and <mailto:a@b.example|a@b.example>",
        ":fire: :+1::skin-tone-3:",
        "in <#C0123456789|general>",
    ],
)
async def test_formatting_stays_as_slack_sent_it(office: Office, text: str) -> None:
    assert await written(office, await opened(office), text) == text


async def test_who_is_named_is_not_alerted(office: Office) -> None:
    world = office.world
    root = await opened(office)
    said = f"{world.ben.mention} <!here> <!subteam^S123|@leads> <!subteam^S123> <!date^1^{{date}}|today>"
    assert await written(office, root, said) == "@Ben Franklin @here @leads @S123 today"


async def test_words_that_stand_only_in_blocks_are_kept_and_shown(office: Office) -> None:
    world = office.world
    root = await opened(office)
    elements = [{"type": "text", "text": "still", "style": {"bold": True}}, {"type": "text", "text": " fails"}]
    blocks = [{"type": "rich_text", "block_id": "b", "elements": [{"type": "rich_text_section", "elements": elements}]}]
    event = {
        "type": "message",
        "channel": world.help.id,
        "channel_type": "channel",
        "user": world.ada.id,
        "user_team": world.ada.team.id,
        "text": "",
        "ts": office.sandbox.slack.workspace.next_ts(),
        "thread_ts": root.ts,
        "blocks": blocks,
    }
    assert await send_event(office, event) == 200
    await office.at_rest()
    assert await office.said() == ["The export fails", "*still* fails"]
    assert office.thread(office.card())[-1] == "*still* fails"


async def test_what_is_also_sent_to_the_channel_is_mirrored_once_and_says_so(office: Office) -> None:
    root = await opened(office)
    assert await written(office, root, "Solved for all", broadcast=True) == "Solved for all\n_also sent to the channel_"
    assert await office.said() == ["The export fails", "Solved for all"]
    assert await office.sql.fetchval("select count(*) from tickets") == 1
    sent = office.sandbox.find(office.world.help, "Solved for all")
    await office.world.ada.edit(sent, "Solved for most")
    await office.at_rest()
    assert office.thread(office.card())[-1] == "Solved for most\n_edited · also sent to the channel_"


async def test_what_somebody_does_is_told_as_slack_tells_it(office: Office) -> None:
    """`/me waves`: https://docs.slack.dev/reference/events/message/me_message"""
    world = office.world
    root = await opened(office)
    message = Message(office.sandbox.slack.workspace.next_ts(), world.help, "waves", world.ada, root.ts, "me_message")
    event = message_object(office.sandbox.slack, message) | {"channel": world.help.id, "channel_type": "channel"}
    assert await send_event(office, event) == 200
    await office.at_rest()
    assert await office.said() == ["The export fails", "waves"]
    assert office.thread(office.card())[-1] == "_waves_"


async def test_what_is_too_long_for_one_message_ends_with_a_link_to_the_whole(office: Office) -> None:
    root = await opened(office)
    long = await office.world.ada.post(office.world.help, "long " * 8_000, thread_ts=root.ts)
    await office.at_rest()
    mirrored = json.dumps(office.sandbox.messages(office.world.triage, thread_ts=office.card().ts)[-1].blocks)
    link = office.running.services.desk.link(office.world.help.id, long.ts, root.ts).replace("&", "&amp;")
    assert f"_shortened: <{link}|the original> is longer than one message here_" in mirrored


async def test_an_author_keeps_name_and_picture_wherever_they_are_from(office: Office) -> None:
    world = office.world
    root = await opened(office)
    for person in (world.bob, world.ben, world.grace):
        await person.post(world.help, f"By {person.name}", thread_ts=root.ts)
        await office.at_rest()
    shown = office.sandbox.messages(world.triage, thread_ts=office.card().ts)[2:]
    assert [(one.username, one.text) for one in shown] == [
        (name, f"By {name}") for name in ("Bob Noyce", "Ben Franklin", "Grace Hopper")
    ]
    assert [
        one.icons["image_48"].endswith(f"{who.id}-72.png")
        for one, who in zip(shown, (world.bob, world.ben, world.grace), strict=True)
    ]


async def test_an_edit_after_the_answer_is_said_on_the_card_until_there_is_another_answer(office: Office) -> None:
    world = office.world
    root = await opened(office)
    await world.ada.edit(root, "The CSV export fails")
    await office.at_rest()
    assert "edited after" not in office.card().text, "nobody has answered yet"
    await command(office, "reply 1 Which one?")
    await office.at_rest()
    assert "edited after" not in office.card().text

    await world.ada.edit(root, "The PDF export fails")
    await office.at_rest()
    assert "✏️ edited after your reply" in office.card().text
    word = (await office.ticket())["conversation_history"]["messages"][0]
    assert [one["content"] for one in word["earlier"]] == ["The export fails", "The CSV export fails"]
    assert alerts(office) == []

    await world.grace.post(world.help, "I see", thread_ts=root.ts)
    await office.at_rest()
    assert "edited after" not in office.card().text


async def test_an_agents_own_edit_is_not_said_on_the_card(office: Office) -> None:
    world = office.world
    root = await opened(office)
    answer = await world.grace.post(world.help, "Which won?", thread_ts=root.ts)
    await office.at_rest()
    await world.grace.edit(answer, "Which one?")
    await office.at_rest()
    assert "edited after" not in office.card().text


# Who is alerted


async def test_nobody_is_told_of_what_they_wrote_themselves(office: Office) -> None:
    """Grace has asked for something herself, and is on it together with Linus."""
    world = office.world
    taken = await world.grace.command("/ticket", "new Need a seat", channel=world.help)
    assert taken.ok
    assert (await world.grace.submit({})).ok
    await office.at_rest()
    await command(office, f"assign 1 {world.grace.mention} {world.linus.mention}")
    await office.at_rest()
    (root,) = [one for one in world.help.posts.values() if "opened by" in one.text]
    await world.grace.post(world.help, "It is urgent", thread_ts=root.ts)
    await office.at_rest()
    assert office.thread(office.card())[-1] == f"🔔 {world.linus.mention}\nIt is urgent"


async def test_a_reopening_by_the_requester_alerts_every_assignee_once(office: Office) -> None:
    world = office.world
    await opened(office)
    await command(office, f"assign 1 {world.grace.mention} {world.linus.mention}")
    await command(office, "close 1")
    await office.at_rest()
    before = len(alerts(office))
    assert (await world.ben.command("/ticket", "reopen 1", channel=world.help)).ok
    assert len(alerts(office)) == before, "not their ticket"
    await world.grace.post(world.triage, f"{office.sandbox.bot.mention} reopen", thread_ts=office.card().ts)
    await office.at_rest()
    assert alerts(office)[before:] == [f"{world.linus.mention} #1 was reopened by {world.grace.mention}."]


async def test_a_new_card_alerts_by_itself_and_mentions_nobody(office: Office) -> None:
    await opened(office)
    assert len(office.sandbox.messages(office.world.triage)) == 1
    assert "<@" not in office.card().text
    assert office.thread(office.card()) == ["The export fails"]


# What an administrator deletes


async def cards(office: Office) -> list[Message]:
    return [one for one in office.sandbox.messages(office.world.triage) if one.text.startswith("#1 ")]


async def test_a_card_that_somebody_deletes_comes_again_with_a_link_to_its_thread(office: Office) -> None:
    world = office.world
    world.grace.admin = True
    root = await opened(office)
    card = office.card()
    await world.grace.delete(card)
    await office.at_rest()
    (again,) = await cards(office)
    assert again is not card
    link = office.running.services.desk.link(world.triage.id, card.ts)
    assert f"<{link}|Earlier thread>" in again.text

    await world.ada.post(world.help, "Any news?", thread_ts=root.ts)
    await world.linus.post(world.triage, "In the new thread", thread_ts=again.ts)
    await world.linus.post(world.triage, "In the old thread", thread_ts=card.ts)
    await office.at_rest()
    assert office.thread(again) == ["In the new thread", "Any news?"] or office.thread(again) == [
        "Any news?",
        "In the new thread",
    ]
    assert sorted(await office.notes()) == ["In the new thread", "In the old thread"]
    await command(office, "claim 1")
    await office.at_rest()
    assert world.linus.mention in again.text


async def test_a_status_message_that_somebody_deletes_comes_again(office: Office) -> None:
    world = office.world
    world.grace.admin = True
    root = await opened(office)
    (status,) = by_desk(office, world.help)
    await world.grace.delete(status)
    await office.at_rest()
    (again,) = by_desk(office, world.help)
    assert again is not status
    assert office.thread(root) == ["Ticket #1 · *🔵 New* · nobody is on it yet"]


async def test_a_deletion_that_nobody_told_of_is_noticed_with_the_next_change(office: Office) -> None:
    world = office.world
    await opened(office)
    world.triage.drop(office.card())
    await command(office, "claim 1")
    await office.at_rest()
    (again,) = await cards(office)
    assert world.linus.mention in again.text


async def test_who_goes_on_deleting_is_let_to(office: Office) -> None:
    """A program that clears the channel, for one, must not be fought for ever."""
    world = office.world
    world.grace.admin = True
    await opened(office)
    deleted = 0
    while found := await cards(office):
        await world.grace.delete(found[0])
        await office.at_rest()
        deleted += 1
    assert deleted == 4
    await command(office, "claim 1")
    await office.at_rest()
    assert await cards(office) == []
    assert (await office.ticket())["status"] == "open"


async def test_the_card_of_a_closed_ticket_comes_again_when_the_ticket_changes(office: Office) -> None:
    world = office.world
    world.grace.admin = True
    await opened(office)
    await command(office, "close 1")
    await office.at_rest()
    await world.grace.delete(office.card())
    await office.at_rest()
    assert await cards(office) == []
    await command(office, "reopen 1")
    await office.at_rest()
    assert len(await cards(office)) == 1


async def test_a_card_deleted_before_it_is_recorded_comes_again(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    """Slack tells of the deletion before it has answered to the post."""
    async with open_office(world, database_url, sql) as office:
        world.grace.admin = True
        office.sandbox.disrupt("chat.postMessage", "cut_after", times=2)
        await world.ada.post(world.help, "The export fails")

        async def posted() -> list[Message]:
            return await cards(office)

        (first,) = await until(posted)
        await world.grace.delete(first)
        await office.at_rest()
        assert len(await cards(office)) == 1
