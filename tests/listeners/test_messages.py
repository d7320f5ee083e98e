"""Messages, edits, deletions and files, as people write them in support channels, threads, triage and DMs."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from bot.sandbox import Message
from tests.conftest import Office, World, open_office
from tests.listeners.slack_side import deliver, events_about, held_back, seen_by, send_event

pytestmark = pytest.mark.transports("http", "socket")


async def ticket_count(office: Office) -> int:
    return int(await office.sql.fetchval("select count(*) from tickets"))


async def assigned_to(office: Office, number: int = 1) -> list[str]:
    """The names of those who have the ticket."""
    rows = await office.sql.fetch(
        "select p.name from tickets t join threadesk.desk_tickets d on d.ticket_id = t.id"
        " cross join unnest(t.assigned_to) with ordinality as a (user_id, place)"
        " join threadesk.people p using (user_id) where d.number = $1 order by place",
        number,
    )
    return [row["name"] for row in rows]


async def opened_by_ada(office: Office, words: str = "The export fails") -> Message:
    root = await office.world.ada.post(office.world.help, words)
    await office.at_rest()
    return root


# In a support channel


async def test_each_top_level_message_opens_a_ticket_with_a_card_and_one_message_in_its_thread(office: Office) -> None:
    world = office.world
    first = await opened_by_ada(office)
    second = await world.ben.post(world.help, "Who can reset my password?")
    await office.at_rest()

    assert [(await office.ticket(number))["title"] for number in (1, 2)] == [first.text, second.text]
    assert [(await office.ticket(number))["root_ts"] for number in (1, 2)] == [first.ts, second.ts]
    for number, root, name in ((1, first, "Ada Lovelace* (Globex)"), (2, second, "Ben Franklin* · unassigned")):
        assert f"From *{name}" in office.card(number).text
        assert office.thread(root) == [f"Ticket #{number} · *🔵 New* · nobody is on it yet"]


async def test_a_message_in_the_thread_joins_the_conversation_and_is_mirrored_to_triage(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await world.ada.post(world.help, "With *Firefox*", thread_ts=root.ts)
    await office.at_rest()

    assert await office.said() == ["The export fails", "With *Firefox*"]
    messages = (await office.ticket())["conversation_history"]["messages"]
    assert [set(one) for one in messages] == [{"id", "content", "created_at", "created_by", "attachments"}] * 2
    assert office.thread(office.card()) == ["The export fails", "With *Firefox*"]
    assert len(office.thread(root)) == 2, "status message and her own: nothing comes back as an echo"


async def test_an_agents_words_in_the_customers_thread_answer_and_take_the_ticket(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await world.grace.post(world.help, "Which browser?", thread_ts=root.ts)
    await office.at_rest()

    assert ((await office.ticket())["status"], await assigned_to(office)) == ("pending", ["Grace Hopper"])
    assert office.thread(root)[0] == "Ticket #1 · *🟡 Pending* · Grace Hopper is on it · waiting for your answer"
    assert office.thread(office.card()) == ["The export fails", "Which browser?"]
    assert "waiting for the customer" in office.card().text


@pytest.mark.parametrize("name", ["ada", "bob", "ben"])
async def test_a_customers_answer_brings_the_ticket_back_to_its_agent_colleagues_included(
    office: Office, name: str
) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await world.grace.post(world.help, "Which browser?", thread_ts=root.ts)
    await office.at_rest()
    await getattr(world, name).post(world.help, "Firefox", thread_ts=root.ts)
    await office.at_rest()

    assert ((await office.ticket())["status"], await ticket_count(office)) == ("open", 1)
    assert "Grace Hopper is on it" in office.thread(root)[0]
    mirrored = office.sandbox.find(world.triage, "Firefox")
    assert (mirrored.text, mirrored.username) == (f"🔔 {world.grace.mention}\nFirefox", getattr(world, name).name)


async def test_a_message_also_sent_to_the_channel_is_one_message_of_its_ticket(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await world.ada.post(world.help, "Firefox", thread_ts=root.ts, broadcast=True)
    await office.at_rest()
    assert (await office.said(), await ticket_count(office)) == (["The export fails", "Firefox"], 1)
    assert office.thread(office.card()) == ["The export fails", "Firefox\n_also sent to the channel_"]


async def test_what_is_written_in_other_channels_and_by_members_who_join_opens_nothing(office: Office) -> None:
    world = office.world
    lunch = await office.sandbox.add_channel("lunch", members=[world.ben, office.sandbox.bot])
    await world.ben.post(lunch, "Who comes along?")
    await office.sandbox.invite(world.help, world.linus)
    await office.at_rest()

    assert await ticket_count(office) == 0
    assert [message.author for message in office.sandbox.messages(lunch)] == [world.ben]
    assert not office.sandbox.messages(world.triage)


@pytest.mark.parametrize(
    "nobody",
    [
        {"subtype": "bot_message", "bot_id": "B0OTHER", "text": "Build failed"},
        {"bot_id": "B0OTHER", "user": "U0OTHERBOT", "text": "Build failed"},
        {"subtype": "channel_topic", "user": "U0SOMEBODY", "topic": "Help", "text": "set the topic"},
        {"subtype": "reminder_add", "user": "U0SOMEBODY", "text": "set up a reminder"},
    ],
)
async def test_bots_and_notices_of_slack_open_nothing(office: Office, nobody: dict[str, str]) -> None:
    help_channel = office.world.help.id
    event = {"type": "message", "channel": help_channel, "channel_type": "channel", "ts": "1777885201.000100"}
    assert await send_event(office, event | nobody) == 200
    await office.at_rest()
    assert await ticket_count(office) == 0
    assert not office.sandbox.messages(office.world.triage)


async def test_in_a_channel_on_request_only_a_mention_opens_a_ticket(office: Office) -> None:
    world = office.world
    await office.sql.execute("update threadesk.channels set mode = 'on_request' where role = 'support'")
    await world.ada.post(world.help, "Good morning")
    await world.ada.post(world.help, f"{office.sandbox.bot.mention} the export fails")
    await office.at_rest()
    assert (await office.said(), await ticket_count(office)) == (["the export fails"], 1)
    assert [one.text for one in office.sandbox.messages(world.triage)] == [office.card().text]


# Several messages that are one ticket


async def test_messages_in_a_row_by_one_person_are_one_ticket_until_an_agent_answers(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, group_seconds=120) as office:
        hello = await opened_by_ada(office, "Hello")
        await world.ada.post(world.help, "The export fails")
        await office.at_rest()
        other = await world.bob.post(world.help, "My invoice is wrong")
        await office.at_rest()
        assert (await office.said(), await office.said(2)) == (["Hello", "The export fails"], ["My invoice is wrong"])
        assert office.thread(office.card()) == ["Hello", "The export fails"]

        await world.grace.post(world.help, "Which export?", thread_ts=hello.ts)
        await office.at_rest()
        await world.ada.post(world.help, "And another thing")
        await office.at_rest()
        assert (await office.said(3), await ticket_count(office)) == (["And another thing"], 3)
        assert "Pending" in office.thread(hello)[0]
        assert "#2" in office.thread(other)[0]


async def test_what_follows_a_message_that_is_no_ticket_is_not_counted_to_it(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, group_seconds=120) as office:
        await opened_by_ada(office, "Good morning")
        assert (await world.grace.click(office.card(), action_id="not_a_ticket")).ok
        await office.at_rest()
        await opened_by_ada(office, "The export fails")
        assert (await office.said(), await office.said(2)) == (["Good morning"], ["The export fails"])


async def test_an_answer_below_any_message_of_the_row_belongs_to_the_one_ticket(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, group_seconds=120) as office:
        hello = await opened_by_ada(office, "Hello")
        second = await world.ada.post(world.help, "The export fails")
        await office.at_rest()
        await world.grace.post(world.help, "Which export?", thread_ts=second.ts)
        await office.at_rest()
        assert await office.said() == ["Hello", "The export fails", "Which export?"]
        assert "Pending" in office.thread(hello)[0]
        assert office.thread(office.card())[-1] == "Which export?"


# Direct messages


async def test_a_direct_message_opens_a_ticket_and_the_next_ones_join_it_until_it_is_closed(office: Office) -> None:
    world = office.world
    first = await world.bob.dm("My invoice is wrong")
    await office.at_rest()
    await world.bob.dm("It says 400 instead of 40")
    await office.at_rest()
    assert (await office.said(), await ticket_count(office)) == (
        ["My invoice is wrong", "It says 400 instead of 40"],
        1,
    )
    assert office.thread(first) == ["Ticket #1 · *🔵 New* · nobody is on it yet"]
    assert office.thread(office.card()) == ["My invoice is wrong", "It says 400 instead of 40"]

    assert (await world.bob.click(office.sandbox.find(first.channel, "Solved"), action_id="solved")).ok
    await office.at_rest()
    again = await world.bob.dm("Now my address is wrong")
    await office.at_rest()
    assert ((await office.ticket())["status"], await office.said(2)) == ("closed", ["Now my address is wrong"])
    assert office.thread(again) == ["Ticket #2 · *🔵 New* · nobody is on it yet"]


async def test_an_answer_to_a_direct_message_reaches_the_customer_there_and_nobody_else(office: Office) -> None:
    world = office.world
    first = await world.bob.dm("My invoice is wrong")
    await office.at_rest()
    assert (await world.grace.click(office.card(), action_id="reply")).ok
    assert (await world.grace.submit({"words": "It is put right"})).ok
    await office.at_rest()
    assert (await office.ticket())["status"] == "pending"
    assert office.thread(first)[-1] == "It is put right"
    assert "put right" not in seen_by(office, world.ada)


async def test_a_direct_message_joins_the_latest_ticket_that_is_not_closed(office: Office) -> None:
    world = office.world
    first = await world.ben.dm("My invoice is wrong")
    await office.at_rest()
    assert (await world.ben.command("/ticket", "new")).ok
    assert (await world.ben.submit({"title": "Reset my password"})).ok
    await office.at_rest()
    assert (await world.ben.command("/ticket", "close 2")).ok
    await world.ben.dm("It says 400 instead of 40")
    await office.at_rest()
    assert (await office.said(), await ticket_count(office)) == (
        ["My invoice is wrong", "It says 400 instead of 40"],
        2,
    )
    assert office.thread(office.card()) == await office.said()
    assert office.thread(first) == ["Ticket #1 · *🔵 New* · nobody is on it yet"]


async def test_an_agent_who_asks_for_help_is_a_customer_of_that_ticket(office: Office) -> None:
    world = office.world
    mine = await world.grace.dm("My laptop is broken")
    await office.at_rest()
    assert (await world.linus.click(office.card(), action_id="claim")).ok
    await world.grace.dm("It smells of smoke")
    await office.at_rest()
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("open", ["Linus Pauling"])
    assert office.thread(mine)[0] == "Ticket #1 · *🟢 Open* · Linus Pauling is on it"
    assert office.thread(office.card())[-1] == f"🔔 {world.linus.mention}\nIt smells of smoke"


# Edits and deletions


async def test_an_edit_is_followed_everywhere_and_the_earlier_words_are_kept(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await world.ada.edit(root, "The import fails")
    await office.at_rest()

    ticket = await office.ticket()
    [message] = ticket["conversation_history"]["messages"]
    assert [ticket["title"], ticket["description"], message["content"]] == ["The import fails"] * 3
    assert [one["content"] for one in message["earlier"]] == ["The export fails"]
    assert message["edited_at"] == message["earlier"][0]["replaced_at"] > message["created_at"]
    assert "#1 The import fails" in office.card().text
    assert office.thread(office.card()) == ["The import fails\n_edited_"]


async def test_a_change_that_changes_no_words_changes_nothing(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    before = await office.ticket()
    await world.ada.edit(root, root.text)
    await office.at_rest()
    assert await office.ticket() == before
    assert office.thread(office.card()) == ["The export fails"]


async def test_deleted_words_are_gone_everywhere_and_the_fact_stays(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    answer = await world.ada.post(world.help, "My password is hunter2", thread_ts=root.ts)
    await office.at_rest()
    await world.ada.edit(answer, "My password was hunter2")
    await office.at_rest()
    await world.ada.delete(answer)
    await office.at_rest()

    ticket = await office.ticket()
    gone = ticket["conversation_history"]["messages"][1]
    assert set(gone) == {"id", "content", "created_at", "created_by", "attachments", "deleted_at"}
    assert (gone["content"], ticket["status"]) == ("", "new")
    assert office.thread(office.card()) == ["The export fails"]
    assert "hunter2" not in await everything_kept(office) + seen_by(office, world.grace)


async def everything_kept(office: Office) -> str:
    """Every row that might hold somebody's words."""
    tables = ("tickets", "threadesk.messages", "threadesk.early", "threadesk.notices", "threadesk.ledger")
    rows = [await office.sql.fetch(f"select t::text as row from {table} t") for table in tables]
    return "\n".join(row["row"] for found in rows for row in found)


async def test_deleting_a_threads_root_deletes_its_words_and_leaves_the_ticket(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office, "My password is hunter2")
    await world.ada.delete(root)
    assert root.is_tombstone, "the desk's message stands below it"
    await office.at_rest()

    ticket = await office.ticket()
    assert (ticket["title"], ticket["description"], await office.said()) == ("(deleted)", "", [""])
    assert "hunter2" not in await everything_kept(office) + seen_by(office, world.grace)
    assert "(deleted)" in office.card().text

    await world.ada.post(world.help, "The export fails", thread_ts=root.ts)
    await office.at_rest()
    assert (await office.said(), await ticket_count(office)) == (["", "The export fails"], 1)


async def test_a_message_deleted_at_once_leaves_nothing_in_the_open_channel(office: Office) -> None:
    world = office.world
    root = await world.ada.post(world.help, "Sorry, wrong channel")
    await world.ada.delete(root)
    await office.at_rest()
    assert await office.said() == [""]
    assert not office.sandbox.messages(world.help), "no message of the desk was left where its thread had been"
    assert "(deleted)" in office.card().text


# Whatever order Slack delivers in


async def test_a_reply_that_arrives_before_its_root_waits_for_it(office: Office) -> None:
    world = office.world
    async with held_back(office):
        root = await world.ada.post(world.help, "The export fails")
        reply = await world.ada.post(world.help, "With Firefox", thread_ts=root.ts)
        late, early = await events_about(office, root), await events_about(office, reply)
    await deliver(office, *early)
    assert await ticket_count(office) == 0
    await deliver(office, *late)
    await office.at_rest()
    assert (await office.said(), await ticket_count(office)) == (["The export fails", "With Firefox"], 1)
    assert office.thread(office.card()) == ["The export fails", "With Firefox"]


async def test_an_edit_that_arrives_before_its_message_is_obeyed(office: Office) -> None:
    world = office.world
    async with held_back(office):
        root = await world.ada.post(world.help, "The export fails")
        await world.ada.edit(root, "The import fails")
        await world.ada.edit(root, "Both fail")
        posted, first, second = await events_about(office, root, 3)
    await deliver(office, second, first, posted)
    await office.at_rest()
    [message] = (await office.ticket())["conversation_history"]["messages"]
    assert [one["content"] for one in message["earlier"]] == ["The export fails", "The import fails"]
    assert (await office.ticket())["title"] == message["content"] == "Both fail"
    assert office.thread(office.card()) == ["Both fail\n_edited_"]


async def test_a_deletion_that_arrives_before_its_message_is_obeyed(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    async with held_back(office):
        secret = await world.ada.post(world.help, "My password is hunter2", thread_ts=root.ts)
        await world.ada.delete(secret)
        posted, deleted = await events_about(office, secret, 2)
    await deliver(office, deleted, posted)
    await office.at_rest()
    assert await office.said() == ["The export fails", ""]
    assert "hunter2" not in await everything_kept(office) + seen_by(office, world.grace)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_an_edit_and_a_deletion_of_what_nobody_told_of_leave_no_words(
    office: Office, order: tuple[int, int]
) -> None:
    world = office.world
    root = await opened_by_ada(office)
    async with held_back(office):
        secret = await world.ada.post(world.help, "My password is hunter2", thread_ts=root.ts)
        await world.ada.edit(secret, "My password is hunter3")
        await world.ada.delete(secret)
        _, *changes = await events_about(office, secret, 3)
    await deliver(office, *(changes[at] for at in order))
    await office.at_rest()
    assert await office.said() == ["The export fails"]
    assert "hunter" not in await everything_kept(office) + seen_by(office, world.grace)


async def test_messages_that_arrive_in_disorder_stand_in_the_order_in_which_they_were_written(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office, "0")
    async with held_back(office):
        replies = [await world.ada.post(world.help, str(number), thread_ts=root.ts) for number in range(1, 5)]
        events = [(await events_about(office, reply))[0] for reply in replies]
    await deliver(office, *(events[at] for at in (3, 0, 2, 1)))
    await office.at_rest()
    assert await office.said() == ["0", "1", "2", "3", "4"]
    assert sorted(office.thread(office.card())) == ["0", "1", "2", "3", "4"]


async def test_what_slack_delivers_again_changes_nothing(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    reply = await world.ada.post(world.help, "With Firefox", thread_ts=root.ts)
    await world.ada.edit(reply, "With Safari")
    spare = await world.ada.post(world.help, "Never mind", thread_ts=root.ts)
    await world.grace.post(world.help, "Which version?", thread_ts=root.ts)
    await world.ada.delete(spare)
    await office.at_rest()
    ledger = "select count(*) from threadesk.ledger"
    before = (await office.ticket(), await office.sql.fetchval(ledger), office.thread(office.card()))

    for delivery in list(office.sandbox.deliveries):
        office.sandbox.resend(delivery)
    await office.at_rest()

    assert (await office.ticket(), await office.sql.fetchval(ledger), office.thread(office.card())) == before
    assert (await ticket_count(office), len(office.thread(root))) == (1, 3)


# Files


async def test_files_are_kept_with_the_message_linked_in_triage_and_copied_there(office: Office) -> None:
    world = office.world
    await world.ben.post(world.help, "See here", files=[("error.png", "image/png", b"12345")])
    await office.at_rest()

    [file] = (await office.ticket())["conversation_history"]["messages"][0]["attachments"]
    assert (file["name"], file["mimetype"], file["size"]) == ("error.png", "image/png", 5)
    assert file["url"].startswith("https://acme.slack.com/files/")
    mirrored, copied = office.thread(office.card())
    assert (mirrored, copied) == (f"See here\n📎 <{file['url']}|error.png>", "")


async def test_of_another_companys_file_slack_tells_more_when_it_is_asked(office: Office) -> None:
    world = office.world
    await world.ada.post(world.help, "", files=[("export.log", "text/plain", b"oops")])
    await office.at_rest()

    ticket = await office.ticket()
    [file] = ticket["conversation_history"]["messages"][0]["attachments"]
    assert (file["name"], file["mimetype"], file["size"]) == ("export.log", "text/plain", 4)
    assert (ticket["title"], await office.said()) == ("export.log", [""])
    assert office.thread(office.card()) == [f"📎 <{file['url']}|export.log>", ""]
    assert "#1 export.log" in office.card().text


async def test_a_file_whose_message_was_edited_before_slack_told_of_it_is_known_all_the_same(office: Office) -> None:
    world = office.world
    async with held_back(office):
        root = await world.ada.post(world.help, "See here", files=[("export.log", "text/plain", b"oops")])
        await world.ada.edit(root, "See there")
        posted, edited = await events_about(office, root, 2)
    await deliver(office, edited, posted)
    await office.at_rest()
    [message] = (await office.ticket())["conversation_history"]["messages"]
    assert (message["content"], message["attachments"][0]["name"]) == ("See there", "export.log")
    assert "export.log" in office.thread(office.card())[0]


# What agents begin


async def test_an_agents_top_level_message_opens_nothing(office: Office) -> None:
    world = office.world
    notice = await world.grace.post(world.help, "Maintenance tonight at ten")
    await world.grace.post(world.help, "It takes an hour", thread_ts=notice.ts)
    await office.at_rest()
    assert await ticket_count(office) == 0
    assert office.thread(notice) == ["It takes an hour"]
    assert not office.sandbox.messages(world.triage)


async def test_a_customers_answer_to_what_an_agent_began_opens_a_ticket_with_the_thread_so_far(office: Office) -> None:
    world = office.world
    notice = await world.grace.post(world.help, "Maintenance tonight at ten")
    more = await world.grace.post(world.help, "It takes an hour", thread_ts=notice.ts)
    await office.at_rest()
    await world.grace.edit(more, "It takes two hours")
    await office.at_rest()
    await world.ada.post(world.help, "Will the export work?", thread_ts=notice.ts)
    await office.at_rest()

    ticket = await office.ticket()
    whole = ["Maintenance tonight at ten", "It takes two hours", "Will the export work?"]
    assert await office.said() == whole
    assert (ticket["title"], ticket["status"], await assigned_to(office)) == (whole[2], "new", [])
    assert "From *Ada Lovelace* (Globex)" in office.card().text
    assert office.thread(office.card()) == [whole[0], f"{whole[1]}\n_edited_", whole[2]]

    await world.grace.post(world.help, "Yes, from noon", thread_ts=notice.ts)
    await office.at_rest()
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("pending", ["Grace Hopper"])
    assert office.sandbox.find(world.help, "Ticket #1").text.startswith("Ticket #1 · *🟡 Pending*")


async def test_an_answer_that_arrives_before_the_agents_message_opens_the_ticket_all_the_same(office: Office) -> None:
    world = office.world
    async with held_back(office):
        notice = await world.grace.post(world.help, "Maintenance tonight at ten")
        answer = await world.ada.post(world.help, "Will the export work?", thread_ts=notice.ts)
        late, early = await events_about(office, notice), await events_about(office, answer)
    await deliver(office, *early, *late)
    await office.at_rest()
    assert await office.said() == ["Maintenance tonight at ten", "Will the export work?"]
    assert ((await office.ticket())["title"], await ticket_count(office)) == ("Will the export work?", 1)
    assert office.thread(office.card()) == await office.said()


# In triage


async def test_what_an_agent_types_in_the_triage_thread_is_a_note_that_no_customer_sees(office: Office) -> None:
    world = office.world
    await opened_by_ada(office)
    note = await world.linus.post(world.triage, "They always forget the paywall", thread_ts=office.card().ts)
    await office.at_rest()

    assert await office.notes() == ["They always forget the paywall"]
    assert (await office.said(), (await office.ticket())["status"]) == (["The export fails"], "new")
    assert office.thread(office.card()) == ["The export fails", note.text], "it is not mirrored to where it stands"
    for customer in (world.ada, world.bob, world.ben):
        assert "paywall" not in seen_by(office, customer)


async def test_a_note_follows_its_authors_edit_and_deletion(office: Office) -> None:
    world = office.world
    await opened_by_ada(office)
    note = await world.linus.post(world.triage, "They always forget the paywall", thread_ts=office.card().ts)
    await office.at_rest()
    await world.linus.edit(note, "They forgot the paywall")
    await office.at_rest()
    assert await office.notes() == ["They forgot the paywall"]

    await world.linus.delete(note)
    await office.at_rest()
    assert await office.notes() == [""]
    assert "paywall" not in await everything_kept(office)
    assert office.thread(office.card()) == ["The export fails"]


async def test_a_guest_in_triage_is_no_agent(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    gus = office.sandbox.add_person("Gus Guest", guest=True)
    for channel in (world.triage, world.help):
        await office.sandbox.invite(channel, gus)
    await office.at_rest()
    await gus.post(world.triage, "I know them", thread_ts=office.card().ts)
    await gus.post(world.help, "Have you tried Firefox?", thread_ts=root.ts)
    await office.at_rest()
    assert (await office.notes(), (await office.ticket())["status"], await assigned_to(office)) == ([], "new", [])
    assert await office.said() == ["The export fails", "Have you tried Firefox?"]
    assert "I know them" not in seen_by(office, world.ada)


# After the closing


async def closed_by_grace(office: Office, root: Message) -> None:
    world = office.world
    assert (await world.grace.click(office.card(), action_id="claim")).ok
    await office.at_rest()
    assert (await world.ada.click(office.sandbox.find(world.help, "Solved"), action_id="solved")).ok
    await office.at_rest()
    assert office.thread(root)[0] == "Ticket #1 · *⚪ Closed* · write here to open it again"


async def test_a_customers_message_reopens_a_closed_ticket_and_its_agent_is_told(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await closed_by_grace(office, root)
    await world.ada.post(world.help, "It fails again", thread_ts=root.ts)
    await office.at_rest()
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("open", ["Grace Hopper"])
    assert "Open" in office.thread(root)[0]
    told = [text for text in office.thread(office.card()) if world.grace.mention in text]
    assert not any("was reopened" in text for text in told), "the message itself mentions her"
    assert any("It fails again" in text for text in told)


async def test_bare_thanks_leave_a_closed_ticket_closed(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await closed_by_grace(office, root)
    await world.ada.post(world.help, "thanks a lot! :pray:", thread_ts=root.ts)
    await office.at_rest()
    assert ((await office.ticket())["status"], await office.said()) == (
        "closed",
        ["The export fails", "thanks a lot! :pray:"],
    )
    assert "Closed" in office.thread(root)[0]
    assert "thanks a lot! :pray:" in office.thread(office.card())[-1]


async def test_thanks_long_after_the_closing_stay_with_the_ticket_and_open_none(office: Office) -> None:
    world = office.world
    world.clock.ahead = dt.timedelta(days=-31)
    root = await opened_by_ada(office)
    await closed_by_grace(office, root)
    world.clock.ahead = dt.timedelta(0)
    await world.ada.post(world.help, "thanks!", thread_ts=root.ts)
    await office.at_rest()
    assert ((await office.ticket())["status"], await office.said()) == ("closed", ["The export fails", "thanks!"])
    assert await ticket_count(office) == 1


async def test_an_agents_words_after_the_closing_are_recorded_and_change_nothing(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await closed_by_grace(office, root)
    await world.grace.post(world.help, "Glad to help", thread_ts=root.ts)
    await office.at_rest()
    assert ((await office.ticket())["status"], (await office.said())[-1]) == ("closed", "Glad to help")
    assert office.thread(office.card())[-1] == "Glad to help"


async def test_a_message_long_after_the_closing_opens_a_ticket_that_follows_the_first(office: Office) -> None:
    world = office.world
    office.world.clock.ahead = dt.timedelta(days=-31)
    root = await opened_by_ada(office)
    await closed_by_grace(office, root)
    office.world.clock.ahead = dt.timedelta(0)
    await world.ada.post(world.help, "It fails again", thread_ts=root.ts)
    await office.at_rest()

    first, second = await office.ticket(1), await office.ticket(2)
    assert (first["status"], second["status"], second["follows"]) == ("closed", "new", first["id"])
    assert (await office.said(1), await office.said(2)) == (["The export fails"], ["It fails again"])
    assert "follows #1" in office.card(2).text
    assert any(text.startswith("Ticket #2 · *🔵 New*") for text in office.thread(root))

    await world.grace.post(world.help, "Looking into it", thread_ts=root.ts)
    await office.at_rest()
    assert await office.said(2) == ["It fails again", "Looking into it"]


async def test_two_messages_at_once_long_after_the_closing_open_one_ticket(office: Office) -> None:
    world = office.world
    world.clock.ahead = dt.timedelta(days=-31)
    root = await opened_by_ada(office)
    await closed_by_grace(office, root)
    world.clock.ahead = dt.timedelta(0)
    async with held_back(office):
        again = await world.ada.post(world.help, "It fails again", thread_ts=root.ts)
        more = await world.ada.post(world.help, "With Firefox", thread_ts=root.ts)
    both = [*await events_about(office, again), *await events_about(office, more)]
    async with office.sql.transaction():
        await office.sql.execute("select from tickets for update")
        heard = [asyncio.create_task(deliver(office, one)) for one in both]
        async with asyncio.timeout(5):
            while (  # noqa: ASYNC110 - nobody says
                await office.sql.fetchval(
                    "select count(*) from pg_stat_activity"
                    " where wait_event_type = 'Lock' and datname = current_database()"
                )
                < 2
            ):
                await asyncio.sleep(0.01)
    await asyncio.gather(*heard)
    await office.at_rest()
    assert await ticket_count(office) == 2
    assert await office.said(2) == ["It fails again", "With Firefox"]


async def test_a_customer_who_insists_makes_a_ticket_again_of_what_was_called_none(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    assert (await world.grace.click(office.card(), action_id="not_a_ticket")).ok
    await office.at_rest()
    assert ((await office.ticket())["status"], (await office.ticket())["not_a_ticket"]) == ("closed", True)
    assert not [text for text in office.thread(root) if "How did we do" in text]

    await world.ada.post(world.help, "But it does fail!", thread_ts=root.ts)
    await office.at_rest()
    assert ((await office.ticket())["status"], (await office.ticket())["not_a_ticket"]) == ("new", False)
    assert office.thread(root)[0] == "Ticket #1 · *🔵 New* · nobody is on it yet"
    assert "not a ticket" not in office.card().text


@pytest.mark.parametrize(
    ("words", "tags"),
    [
        ({"attachments": ["https://files.example/1.png", 5]}, None),
        ({"created_by": "system"}, None),
        ({}, ["billing", None]),
    ],
)
async def test_what_another_program_wrote_its_own_way_stops_nothing(
    office: Office, words: dict[str, Any], tags: list[str | None] | None
) -> None:
    world = office.world
    root = await world.ada.post(world.help, "The export fails")
    await office.at_rest()
    word = {
        "id": str(uuid4()),
        "content": "From the web",
        "created_at": "2026-11-22T00:00:00Z",
        "created_by": None,
        "attachments": [],
    } | words
    await office.sql.execute(
        "update tickets set tags = $1, conversation_history = jsonb_set(conversation_history, '{messages}',"
        " conversation_history -> 'messages' || $2::jsonb)",
        tags,
        [word],
    )
    await world.ada.post(world.help, "Still", thread_ts=root.ts)
    await office.at_rest()
    told = office.thread(office.card())
    assert any("From the web" in one for one in told)
    assert any("Still" in one for one in told)
    shown = str(await world.grace.command("/ticket", "show 1", channel=world.help))
    assert "From the web" in shown
    assert ("1.png" in shown) == ("attachments" in words)


async def test_an_assignee_who_was_deleted_does_not_stop_the_conversation(office: Office) -> None:
    world = office.world
    root = await world.ada.post(world.help, "The export fails")
    await office.at_rest()
    gone = uuid4()
    await office.sql.execute("insert into auth.users (id) values ($1)", gone)
    await office.sql.execute("update tickets set assigned_to = array[$1::uuid]", gone)
    await office.sql.execute("delete from auth.users where id = $1", gone)
    await world.ada.post(world.help, "Still", thread_ts=root.ts)
    await office.at_rest()
    assert await office.said() == ["The export fails", "Still"]


async def test_a_colleague_who_has_just_joined_triage_is_heard(office: Office) -> None:
    """Slack tells of the joining after the message, or not at all."""
    world = office.world
    await opened_by_ada(office)
    world.triage.members.append(world.ben.id)
    await world.ben.post(world.triage, "They forget the paywall", thread_ts=office.card().ts)
    await office.at_rest()
    assert await office.notes() == ["They forget the paywall"]
    assert "paywall" not in str(await world.ben.command("/ticket", "show 1", channel=world.help))
