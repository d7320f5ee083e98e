"""Shortcuts: what stands in Slack already becomes a ticket, or part of one, once and in order, and no note gets out."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from bot.delivery import importer, reader
from bot.sandbox import Channel, Message, Person
from tests.conftest import Office
from tests.listeners.slack_side import deliver, events_about, held_back, private_answers, seen_by
from tests.listeners.test_messages import assigned_to, everything_kept, opened_by_ada, ticket_count

pytestmark = pytest.mark.transports("http", "socket")


async def on_request(office: Office) -> None:
    await office.sql.execute("update threadesk.channels set mode = 'on_request' where role = 'support'")


async def opens(office: Office, who: Person, message: Message) -> None:
    assert (await who.message_shortcut("open_ticket", message)).ok
    await office.at_rest()


async def adds(office: Office, who: Person, message: Message, number: object) -> dict[str, str]:
    """What the form complains about."""
    assert (await who.message_shortcut("add_to_ticket", message)).ok
    sent = await who.submit({"number": str(number)})
    assert sent.error is None
    await office.at_rest()
    return sent.errors


async def unheard(office: Office, channel: Channel, *said: tuple[Person, str]) -> list[Message]:
    """A thread of which the desk was never told."""
    written: list[Message] = []
    async with held_back(office):
        for who, words in said:
            written.append(await who.post(channel, words, thread_ts=written[0].ts if written else None))
    return written


async def breaks_off_at(office: Office, message: Message) -> None:
    """Nothing that is imported gets beyond this message, until the trigger `fails` is dropped."""
    await office.sql.execute(
        "create function threadesk.fails() returns trigger language plpgsql as $$ begin raise 'no' ; end $$;"
        " create trigger fails before insert on threadesk.messages for each row"
        f" when (new.ts = '{message.ts}') execute function threadesk.fails()"
    )


async def becomes_true(office: Office, question: str) -> None:
    async with asyncio.timeout(10):
        while not await office.sql.fetchval(question):  # noqa: ASYNC110 - nobody says
            await asyncio.sleep(0.02)


HALF_IMPORTED = "select bool_or(ticket_id is not null) from threadesk.openings"


# Open a ticket


async def test_a_thread_becomes_a_ticket_with_all_that_was_said_in_order_and_by_whom(office: Office) -> None:
    world = office.world
    await on_request(office)
    thread = await unheard(
        office,
        world.help,
        (world.ada, "The export fails"),
        (world.grace, "Which browser?"),
        (world.bob, "It fails for me too"),
        (world.ada, "Firefox"),
    )
    async with held_back(office):
        await world.bob.edit(thread[2], "It fails for all of us")
        oops = await world.ada.post(world.help, "My password is hunter2", thread_ts=thread[0].ts)
        await world.ada.delete(oops)
    await opens(office, world.grace, thread[0])

    ticket = await office.ticket()
    whole = ["The export fails", "Which browser?", "It fails for all of us", "Firefox"]
    assert (await office.said(), ticket["title"], ticket["root_ts"]) == (whole, whole[0], thread[0].ts)
    assert (ticket["status"], await assigned_to(office)) == ("new", []), "an import changes no status"
    roles = await office.sql.fetch(
        "select p.name, m.author_role from threadesk.messages m join threadesk.people p on p.user_id = m.created_by"
        " order by m.created_at"
    )
    assert [tuple(one) for one in roles] == [
        ("Ada Lovelace", "customer"),
        ("Grace Hopper", "agent"),
        ("Bob Noyce", "customer"),
        ("Ada Lovelace", "customer"),
    ]
    assert office.thread(office.card()) == whole
    assert "From *Ada Lovelace* (Globex)" in office.card().text
    assert office.thread(thread[0])[-1] == "Ticket #1 · *🔵 New* · nobody is on it yet"
    [told] = private_answers(world.help, world.grace)
    assert told.startswith("This is ticket <https://acme.slack.com/archives/")
    assert told not in seen_by(office, world.ada)


async def test_files_are_imported_with_their_messages(office: Office) -> None:
    world = office.world
    await on_request(office)
    async with held_back(office):
        root = await world.ben.post(world.help, "See here", files=[("error.png", "image/png", b"12345")])
    await opens(office, world.grace, root)
    [message] = (await office.ticket())["conversation_history"]["messages"]
    assert [file["name"] for file in message["attachments"]] == ["error.png"]
    mirrored, copied = office.sandbox.messages(world.triage, thread_ts=office.card().ts)[1:]
    assert "error.png" in mirrored.text
    assert [(one.name, one.content) for one in copied.files] == [("error.png", b"12345")]


async def test_files_of_what_is_added_alert_nobody_and_a_quoted_one_stays_a_link(office: Office) -> None:
    world = office.world
    await opened_by_ada(office)
    await on_request(office)
    assert (await world.grace.click(office.card(), action_id="claim")).ok
    more = await world.bob.post(world.help, "See here", files=[("error.png", "image/png", b"12345")])
    said = await world.linus.post(world.triage, "", files=[("SECRET.txt", "text/plain", b"SECRET")])
    await office.at_rest()
    before = len(office.thread(office.card()))
    assert await adds(office, world.grace, more, 1) == {}
    assert await adds(office, world.grace, said, 1) == {}
    mirrored, copied, note = office.sandbox.messages(world.triage, thread_ts=office.card().ts)[1 + before :]
    assert "See here" in mirrored.text
    assert [one.content for one in copied.files] == [b"12345"]
    assert ("SECRET.txt" in note.text, note.files) == (True, [])
    assert not any(world.grace.mention in one.text for one in (mirrored, copied, note))
    assert "SECRET" not in seen_by(office, world.ada)


async def test_a_message_in_the_middle_of_a_thread_opens_the_ticket_for_its_root(office: Office) -> None:
    world = office.world
    await on_request(office)
    root, _, middle, _ = await unheard(
        office,
        world.help,
        (world.grace, "Maintenance tonight"),
        (world.ada, "All right"),
        (world.bob, "Will the export work?"),
        (world.grace, "I will see"),
    )
    await opens(office, world.grace, middle)
    ticket = await office.ticket()
    assert (ticket["title"], ticket["root_ts"], ticket["status"]) == ("Will the export work?", root.ts, "new")
    assert "From *Bob Noyce* (Globex)" in office.card().text
    assert await office.said() == ["Maintenance tonight", "All right", "Will the export work?", "I will see"]

    await world.ada.post(world.help, "Thank you all", thread_ts=root.ts)
    await office.at_rest()
    assert ((await office.said())[-1], await ticket_count(office)) == ("Thank you all", 1)


async def test_an_agents_message_opens_a_ticket_for_the_first_customer_who_answered(office: Office) -> None:
    world = office.world
    await on_request(office)
    notice = await world.grace.post(world.help, "Maintenance tonight")
    await world.bob.post(world.help, "Will the export work?", thread_ts=notice.ts)
    await office.at_rest()
    assert await ticket_count(office) == 0
    await opens(office, world.grace, notice)
    assert (await office.ticket())["title"] == "Will the export work?"
    assert await office.said() == ["Maintenance tonight", "Will the export work?"]


async def test_what_no_customer_has_written_opens_nothing(office: Office) -> None:
    world = office.world
    notice = await world.grace.post(world.help, "Maintenance tonight")
    await office.at_rest()
    await opens(office, world.grace, notice)
    assert await ticket_count(office) == 0
    assert private_answers(world.help, world.grace)[0].startswith("No customer has written this message")


async def test_bots_are_no_customers_and_what_they_say_is_not_imported(office: Office) -> None:
    world = office.world
    await on_request(office)
    posted = await office.running.services.slack.chat_postMessage(
        channel=world.help.id, text="Build failed", username="CI"
    )
    alarm = world.help.posts[str(posted["ts"])]
    await opens(office, world.grace, alarm)
    assert await ticket_count(office) == 0
    assert private_answers(world.help, world.grace)[0].startswith("No customer has written this message")

    await world.bob.post(world.help, "Is this why the export fails?", thread_ts=alarm.ts)
    await office.at_rest()
    await opens(office, world.grace, alarm)
    assert await office.said() == ["Is this why the export fails?"]
    assert "From *Bob Noyce* (Globex)" in office.card().text


async def test_a_thread_that_is_a_ticket_already_is_answered_with_its_link(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    more = await world.ada.post(world.help, "With Firefox", thread_ts=root.ts)
    await office.at_rest()
    for message in (root, more, office.card(), office.sandbox.find(world.help, "nobody is on it")):
        await opens(office, world.grace, message)
    link = f"<https://acme.slack.com/archives/{world.help.id}/p{root.ts.replace('.', '')}|#1>"
    answers = private_answers(world.help, world.grace) + private_answers(world.triage, world.grace)
    assert answers == [f"This belongs to ticket {link} already."] * 4
    assert await ticket_count(office) == 1


async def test_two_agents_who_ask_at_once_get_one_ticket_and_an_answer_each(office: Office) -> None:
    world = office.world
    await office.sandbox.invite(world.help, world.linus)
    await on_request(office)
    [root] = await unheard(office, world.help, (world.ada, "The export fails"))
    for who in (world.grace, world.linus, world.grace):
        assert (await who.message_shortcut("open_ticket", root)).ok
    await office.at_rest()
    assert (await ticket_count(office), await office.said()) == (1, ["The export fails"])
    assert len(private_answers(world.help, world.linus)) == 1


async def test_whoever_is_no_agent_opens_tickets_from_their_own_messages_only(office: Office) -> None:
    world = office.world
    await on_request(office)
    hers = await world.ada.post(world.help, "The export fails")
    his = await world.ben.post(world.help, "The import fails")
    await office.at_rest()
    await opens(office, world.ben, hers)
    assert await ticket_count(office) == 0
    assert private_answers(world.help, world.ben)[0].startswith("Agents can open a ticket from any message here")
    await opens(office, world.ben, his)
    assert (await office.said(), await ticket_count(office)) == (["The import fails"], 1)


async def test_elsewhere_the_shortcut_says_where_tickets_are_opened(office: Office) -> None:
    """Also where the desk is not: Slack takes the answer all the same."""
    world = office.world
    lunch = await office.sandbox.add_channel("lunch", members=[world.grace, world.ben])
    message = await world.ben.post(lunch, "The coffee machine fails")
    await opens(office, world.grace, message)
    assert private_answers(lunch, world.grace)[0].startswith("Messages become tickets in support channels only")
    assert await ticket_count(office) == 0


async def test_a_direct_message_that_was_never_heard_can_be_made_a_ticket_by_its_author(office: Office) -> None:
    world = office.world
    async with held_back(office):
        message = await world.ben.dm("My laptop is broken")
    await opens(office, world.ben, message)
    ticket = await office.ticket()
    assert (await office.said(), ticket["channel"]) == (["My laptop is broken"], message.channel.id)
    await world.ben.dm("It smells of smoke")
    await office.at_rest()
    assert (await office.said(), await ticket_count(office)) == (["My laptop is broken", "It smells of smoke"], 1)


async def test_what_is_written_after_the_asking_is_no_import_and_has_its_effect(office: Office) -> None:
    """Whether its event comes before the import, meanwhile or after; nothing is lost or doubled."""
    world = office.world
    await on_request(office)
    root, answer = await unheard(office, world.help, (world.ada, "The export fails"), (world.grace, "Which browser?"))
    office.sandbox.disrupt("conversations.replies", "ratelimited", times=1, seconds=1)
    assert (await world.grace.message_shortcut("open_ticket", root)).ok
    await world.grace.post(world.help, "A fix is on its way", thread_ts=root.ts)
    await office.at_rest()
    await deliver(office, *await events_about(office, answer), *await events_about(office, root))
    await office.at_rest()

    whole = ["The export fails", "Which browser?", "A fix is on its way"]
    assert (await office.said(), await ticket_count(office)) == (whole, 1)
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("pending", ["Grace Hopper"])
    assert office.thread(office.card()) == whole


async def test_events_of_what_was_imported_that_come_late_change_no_status(office: Office) -> None:
    world = office.world
    await on_request(office)
    root, answer = await unheard(office, world.help, (world.ada, "The export fails"), (world.grace, "Which browser?"))
    await opens(office, world.grace, root)
    await world.grace.click(office.card(), action_id="close")
    await world.grace.submit()
    await office.at_rest()
    await deliver(office, *await events_about(office, root), *await events_about(office, answer))
    await office.at_rest()
    assert ((await office.ticket())["status"], await assigned_to(office)) == ("closed", [])
    assert await office.said() == ["The export fails", "Which browser?"]


async def test_what_was_heard_before_the_ticket_has_its_earlier_words(office: Office) -> None:
    world = office.world
    await on_request(office)
    root = await world.ada.post(world.help, "The export fails")
    more = await world.ada.post(world.help, "With Firefox", thread_ts=root.ts)
    await office.at_rest()
    await world.ada.edit(more, "With Safari")
    await office.at_rest()
    await opens(office, world.grace, root)
    assert await office.said() == ["The export fails", "With Safari"]
    edited = (await office.ticket())["conversation_history"]["messages"][1]
    assert [one["content"] for one in edited["earlier"]] == ["With Firefox"]


async def test_a_long_thread_is_imported_page_by_page_and_part_by_part(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "PAGE", 3)
    monkeypatch.setattr(importer, "BATCH", 4)
    world = office.world
    await on_request(office)
    words = [str(number) for number in range(10)]
    thread = await unheard(office, world.help, *((world.ada, one) for one in words))
    await opens(office, world.grace, thread[5])
    assert (await office.said(), office.thread(office.card())) == (words, words)


async def test_an_import_that_breaks_off_goes_on_where_it_stopped(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "BATCH", 4)
    world = office.world
    await on_request(office)
    words = [str(number) for number in range(10)]
    thread = await unheard(office, world.help, *((world.ada, one) for one in words))
    await breaks_off_at(office, thread[6])
    assert (await world.grace.message_shortcut("open_ticket", thread[0])).ok
    await becomes_true(office, "select attempts > 1 from threadesk.openings")
    assert await office.said() == words[:4]
    await office.sql.execute("drop trigger fails on threadesk.messages")
    await office.at_rest()
    assert (await office.said(), office.thread(office.card())) == (words, words)
    assert len(private_answers(world.help, world.grace)) == 1


async def test_an_import_whose_lease_was_lost_meanwhile_stops_nothing(office: Office) -> None:
    """Another desk has taken over while Slack was slow to say that there is nothing to import."""
    world = office.world
    await on_request(office)
    [root] = await unheard(office, world.help, (world.ada, "The export fails"))
    office.sandbox.disrupt("conversations.replies", "slow", seconds=1)
    assert (await world.grace.message_shortcut("open_ticket", root)).ok
    async with held_back(office), asyncio.timeout(5):
        while not office.sandbox.struck["slow"]:  # noqa: ASYNC110 - nobody says
            await asyncio.sleep(0.01)
        await world.ada.delete(root)
    await office.sql.execute("update threadesk.openings set lease = gen_random_uuid(), leased_until = now() + '2 s'")
    await office.at_rest()
    assert not office.running.stop.is_set(), "the desk goes on"
    assert private_answers(world.help, world.grace) == ["No ticket was opened: this message is gone."]


async def test_what_slack_does_not_show_any_more_loses_nothing_that_was_heard(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import breaks off, and before it goes on the desk is thrown out of the channel."""
    monkeypatch.setattr(importer, "BATCH", 1)
    world = office.world
    await on_request(office)
    posted = await office.running.services.slack.chat_postMessage(
        channel=world.help.id, text="Build failed", username="CI"
    )
    alarm = world.help.posts[str(posted["ts"])]
    async with held_back(office):
        await world.ada.post(world.help, "The export fails", thread_ts=alarm.ts)
        second = await world.ada.post(world.help, "With Firefox", thread_ts=alarm.ts)
    await breaks_off_at(office, second)
    office.sandbox.disrupt("conversations.replies", "slow", seconds=1)
    assert (await world.grace.message_shortcut("open_ticket", alarm)).ok
    await world.ada.post(world.help, "Hello?", thread_ts=alarm.ts)
    await becomes_true(office, HALF_IMPORTED)
    world.help.members.remove(office.sandbox.bot.id)
    await becomes_true(office, "select not exists (select from threadesk.openings)")
    said = await office.sql.fetchval("select message ->> 'text' from threadesk.notices where key like 'opening:%'")
    assert said.startswith("This is ticket #1, but Slack does not show the desk the rest of its thread")
    assert await office.said() == ["The export fails", "Hello?"]


async def test_an_import_goes_on_when_the_message_that_was_pointed_at_is_gone(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "BATCH", 1)
    world = office.world
    await on_request(office)
    words = ["The export fails", "With Firefox", "And with Safari"]
    thread = await unheard(office, world.help, *((world.ada, one) for one in words))
    await breaks_off_at(office, thread[1])
    assert (await world.grace.message_shortcut("open_ticket", thread[1])).ok
    await becomes_true(office, HALF_IMPORTED)
    await world.ada.delete(thread[1])
    await office.sql.execute("drop trigger fails on threadesk.messages")
    await office.at_rest()
    assert [one for one in await office.said() if one] == ["The export fails", "And with Safari"]


async def test_nobody_is_alerted_of_what_is_imported(office: Office) -> None:
    world = office.world
    await on_request(office)
    [root, *_] = await unheard(office, world.help, (world.ada, "The export fails"), (world.ada, "Hello?"))
    await world.grace.message_shortcut("open_ticket", root)
    await world.grace.react(root, "eyes")
    await office.at_rest()
    assert await assigned_to(office) == ["Grace Hopper"]
    assert office.thread(office.card()) == ["The export fails", "Hello?"]


async def test_what_was_asked_for_outlives_the_desk(office: Office) -> None:
    """The row is what a killed desk leaves behind."""
    world = office.world
    await on_request(office)
    [root] = await unheard(office, world.help, (world.ada, "The export fails"))
    await office.sql.execute(
        "insert into threadesk.openings (channel, ts, asked_ts, team_id, slack_id, asked_at)"
        " values ($1, $2, '9999999999.0', $3, $4, now())",
        world.help.id,
        root.ts,
        office.sandbox.team.id,
        world.grace.id,
    )
    office.running.services.asked.set()
    await office.at_rest()
    assert await office.said() == ["The export fails"]


async def test_a_message_that_is_gone_opens_nothing_and_its_asker_is_told(office: Office) -> None:
    world = office.world
    await on_request(office)
    [root] = await unheard(office, world.help, (world.ada, "The export fails"))
    office.sandbox.disrupt("conversations.replies", "ratelimited", times=1, seconds=1)
    assert (await world.grace.message_shortcut("open_ticket", root)).ok
    async with held_back(office):
        await world.ada.delete(root)
    await office.at_rest()
    assert await ticket_count(office) == 0
    assert private_answers(world.help, world.grace) == ["No ticket was opened: this message is gone."]


async def test_a_command_in_the_thread_is_not_imported_and_a_request_is(office: Office) -> None:
    world = office.world
    await on_request(office)
    thread = await unheard(
        office,
        world.help,
        (world.ada, "The export fails"),
        (world.grace, f"{office.sandbox.bot.mention} list"),
        (world.ada, f"{office.sandbox.bot.mention} please look at it"),
    )
    await opens(office, world.grace, thread[0])
    assert await office.said() == ["The export fails", "please look at it"]


# Add to ticket


async def test_a_message_of_the_tickets_own_channel_joins_its_conversation_once(office: Office) -> None:
    world = office.world
    await opened_by_ada(office)
    await on_request(office)
    more = await world.bob.post(world.help, "It is the *quarterly* one")
    await world.bob.post(world.help, "And it hurries", thread_ts=more.ts)
    await office.at_rest()
    assert (await world.grace.click(office.card(), action_id="claim")).ok
    assert (await world.grace.click(office.card(), action_id="close")).ok
    assert (await world.grace.submit()).ok
    await office.at_rest()

    assert await adds(office, world.grace, more, "#1") == {}
    ticket = await office.ticket()
    assert (await office.said(), await office.notes()) == (
        ["The export fails", "It is the *quarterly* one", "And it hurries"],
        [],
    )
    assert ticket["status"] == "closed", "what is added changes no status"
    assert office.thread(office.card())[-2:] == ["It is the *quarterly* one", "And it hurries"], "and alerts nobody"
    complaint = {"number": "This message is in ticket #1 already."}
    assert await adds(office, world.grace, more, 1) == complaint

    await world.bob.post(world.help, "It really hurries", thread_ts=more.ts)
    await office.at_rest()
    assert ((await office.said())[-1], (await office.ticket())["status"]) == ("It really hurries", "open")


@pytest.mark.parametrize("place", ["triage", "elsewhere", "a thread of triage"])
async def test_a_message_from_anywhere_else_becomes_a_note_that_no_customer_sees(office: Office, place: str) -> None:
    world = office.world
    await opened_by_ada(office)
    if place == "elsewhere":
        channel = await office.sandbox.add_channel("billing", private=True, members=[world.grace, world.ben])
        said = await world.ben.post(channel, "They owe us a fortune")
    elif place == "triage":
        said = await world.linus.post(world.triage, "They owe us a fortune")
    else:
        await world.ben.post(world.help, "The import fails")
        await office.at_rest()
        said = await world.linus.post(world.triage, "They owe us a fortune", thread_ts=office.card(2).ts)
    await office.at_rest()

    assert await adds(office, world.grace, said, 1) == {}
    author = "Ben Franklin" if place == "elsewhere" else "Linus Pauling"
    [note] = await office.notes()
    assert note.startswith(f"@{author} wrote https://acme.slack.com/archives/{said.channel.id}/p")
    assert note.endswith("They owe us a fortune")
    assert await office.said() == ["The export fails"]
    assert any("They owe us a fortune" in text for text in office.thread(office.card()))
    for customer in (world.ada, world.bob):
        assert "fortune" not in seen_by(office, customer)
    assert await adds(office, world.grace, said, 1) == {"number": "This message is in the notes of ticket #1 already."}
    assert len(await office.notes()) == 1


async def test_a_bots_words_are_noted_and_never_a_customers(office: Office) -> None:
    world = office.world
    await opened_by_ada(office)
    posted = await office.running.services.slack.chat_postMessage(
        channel=world.help.id, text="Build failed", username="CI"
    )
    assert await adds(office, world.grace, world.help.posts[str(posted["ts"])], 1) == {}
    assert await office.said() == ["The export fails"]
    [note] = await office.notes()
    assert note.startswith("CI wrote https://")


async def test_a_quoted_message_that_is_deleted_is_gone_from_the_note_too(office: Office) -> None:
    world = office.world
    await opened_by_ada(office)
    said = await world.linus.post(world.triage, "The password is hunter2")
    await office.at_rest()
    assert await adds(office, world.grace, said, 1) == {}
    assert (await world.grace.message_shortcut("add_to_ticket", said)).ok
    await world.linus.delete(said)
    await office.at_rest()
    assert await office.notes() == [""]
    kept = await office.sql.fetchval("select string_agg(p::text, '') from threadesk.picked p") or ""
    assert "hunter2" not in await everything_kept(office) + kept
    sent = await world.grace.submit({"number": "1"})
    assert sent.errors["number"].startswith("This form is too old")


@pytest.mark.parametrize(
    ("number", "complaint"),
    [
        ("", "Type the number of a ticket"),
        ("export", "Type the number of a ticket"),
        ("-1", "Type the number of a ticket"),
        ("99999999999", "Type the number of a ticket"),
        ("7", "No ticket #7. The newest is #1."),
    ],
)
async def test_a_wrong_number_is_refused_at_the_field_and_can_be_put_right(
    office: Office, number: str, complaint: str
) -> None:
    world = office.world
    await opened_by_ada(office)
    said = await world.linus.post(world.triage, "They owe us a fortune")
    await office.at_rest()
    assert (await world.grace.message_shortcut("add_to_ticket", said)).ok
    if number:
        assert (await world.grace.submit({"number": number})).errors["number"].startswith(complaint)
    assert (await world.grace.submit({"number": "#1"})).ok
    await office.at_rest()
    assert len(await office.notes()) == 1


async def test_only_agents_add_messages_and_only_what_they_have_picked_themselves(office: Office) -> None:
    world = office.world
    await opened_by_ada(office)
    said = await world.ben.post(world.help, "The import fails")
    await office.at_rest()
    assert (await world.ben.message_shortcut("add_to_ticket", said)).ok
    assert world.ben.view is None
    assert private_answers(world.help, world.ben)[0].startswith("Only agents can add messages to tickets")

    assert (await world.grace.message_shortcut("add_to_ticket", said)).ok
    view = world.grace.view
    assert view is not None
    for person, metadata in (
        (world.ben, view["private_metadata"]),
        (world.linus, view["private_metadata"]),
        (world.grace, json.dumps({"picked": str(uuid4())})),
        (world.grace, json.dumps({"picked": "1"})),
    ):
        values: dict[str, Any] = {"number": {"number": {"type": "plain_text_input", "value": "1"}}}
        forged = view | {"private_metadata": metadata, "id": f"V{uuid4()}", "state": {"values": values}}
        user = {"id": person.id, "team_id": person.team.id}
        payload = {"type": "view_submission", "user": user, "team": {"id": person.team.id}, "view": forged}
        answer = json.loads((await office.sandbox.deliver("interaction", payload)).answer)
        assert answer["response_action"] == "errors"
    await office.at_rest()
    assert (await office.said(), await office.notes()) == (["The export fails"], [])


# New ticket


async def test_new_ticket_from_anywhere_opens_one_in_ones_own_direct_messages(office: Office) -> None:
    world = office.world
    assert (await world.ben.shortcut("new_ticket")).ok
    assert (await world.ben.submit({"title": "Reset my password"})).ok
    await office.at_rest()
    ticket = await office.ticket()
    assert (ticket["title"], ticket["channel"]) == ("Reset my password", office.sandbox.slack.direct(world.ben).id)
    assert "From *Ben Franklin*" in office.card().text


async def test_who_cannot_be_shown_the_form_is_told_so(office: Office) -> None:
    world = office.world
    office.sandbox.disrupt("views.open", "http_500", times=1)
    await world.ben.shortcut("new_ticket")
    await office.at_rest()
    assert "Slack did not open the form" in office.sandbox.dm_messages(world.ben)[-1].text
