"""`@desk VERB …`: one command, answered to its author alone, never also a message or a note."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from bot.sandbox import Channel, Message, Person
from tests.conftest import Office, World, open_office
from tests.listeners.slack_side import concerns, private_answers, seen_by

pytestmark = pytest.mark.transports("http", "socket")


async def opened_by_ada(office: Office) -> Message:
    root = await office.world.ada.post(office.world.help, "The export fails")
    await office.at_rest()
    return root


async def mentions(office: Office, who: Person, root: Message, words: str) -> Message:
    """In the thread of `root`."""
    said = await who.post(root.channel, f"{office.sandbox.bot.mention} {words}", thread_ts=root.ts)
    await office.at_rest()
    return said


async def mentions_at_top(office: Office, who: Person, channel: Channel, words: str) -> Message:
    said = await who.post(channel, f"{office.sandbox.bot.mention} {words}".strip())
    await office.at_rest()
    return said


async def ticket_count(office: Office) -> int:
    return int(await office.sql.fetchval("select count(*) from tickets"))


#: What an agent says in either thread of a ticket of Ada's, with the columns that change, and the private answer.
COMMANDS: dict[str, tuple[dict[str, Any], str]] = {
    "claim": ({"status": "open"}, "#1 is yours."),
    "assign @linus": ({"status": "open"}, "#1 is assigned to @linus."),
    "priority high": ({"priority": "high"}, "#1 has high priority now."),
    "tag +billing +export": ({"tags": ["billing", "export"]}, "The tags of #1 are changed."),
    "title Export to CSV fails": ({"title": "Export to CSV fails"}, "#1 has its new title."),
    "close": ({"status": "closed"}, "#1 is closed."),
    "Close #1": ({"status": "closed"}, "#1 is closed."),
    "spam": ({"status": "closed", "not_a_ticket": True}, "#1 is closed as not a ticket"),
}


@pytest.mark.parametrize("side", ["customer's thread", "triage thread"])
@pytest.mark.parametrize("words", COMMANDS)
async def test_an_agents_command_is_carried_out_on_the_threads_ticket(office: Office, words: str, side: str) -> None:
    world = office.world
    root = await opened_by_ada(office)
    changes, answer = COMMANDS[words]
    thread = root if side == "customer's thread" else office.card()

    await mentions(office, world.grace, thread, words.replace("@linus", world.linus.mention))

    ticket = await office.ticket()
    assert {name: ticket[name] for name in changes} == changes
    assert (await office.said(), await office.notes()) == (["The export fails"], [])
    [told] = private_answers(thread.channel, world.grace)
    assert told.startswith(answer.replace("@linus", world.linus.mention))
    for other in (world.ada, world.linus):
        assert told not in seen_by(office, other)
    assert ticket["title"] in office.card().text


async def test_the_card_and_the_status_message_follow_a_command(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await mentions(office, world.grace, root, "claim")
    assert (await office.ticket())["status"] == "open"
    assert office.thread(root)[0] == "Ticket #1 · *🟢 Open* · Grace Hopper is on it"
    assert f"assigned to {world.grace.mention}" in office.card().text


async def test_a_note_typed_as_a_command_in_triage_is_one_note(office: Office) -> None:
    world = office.world
    await opened_by_ada(office)
    await mentions(office, world.linus, office.card(), "note They forget the paywall")
    assert (await office.notes(), await office.said()) == (["They forget the paywall"], ["The export fails"])
    assert "They forget the paywall" in office.thread(office.card())[-1]
    assert "paywall" not in seen_by(office, world.ada)


async def test_a_reply_typed_as_a_command_in_triage_reaches_the_customer(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await mentions(office, world.linus, office.card(), "reply Which *browser*?")
    assert ((await office.ticket())["status"], await office.notes()) == ("pending", [])
    assert await office.said() == ["The export fails", "Which *browser*?"]
    sent = office.sandbox.find(world.help, "Which *browser*?")
    assert (sent.text, sent.username, sent.thread_ts) == ("Which *browser*?", "Linus Pauling", root.ts)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("note They forget the paywall", "The customer can read what you write in this thread"),
        ("reply Which browser?", "Write your answer in this thread without mentioning me"),
    ],
)
async def test_note_and_reply_are_refused_where_the_customer_reads_along(office: Office, words: str, why: str) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await mentions(office, world.grace, root, words)
    assert (await office.said(), await office.notes()) == (["The export fails"], [])
    assert (await office.ticket())["status"] == "new"
    [told] = private_answers(world.help, world.grace)
    assert told.startswith(why)
    assert told not in seen_by(office, world.ada)


async def test_a_command_delivered_twice_is_carried_out_and_answered_once(office: Office) -> None:
    world = office.world
    await opened_by_ada(office)
    said = await mentions(office, world.linus, office.card(), "note They forget the paywall")
    both = [one for one in office.sandbox.deliveries if concerns(one, said)]
    assert sorted(one.type for one in both) == ["app_mention", "message"]
    for delivery in both:
        office.sandbox.resend(delivery)
    await office.at_rest()
    assert (await office.notes(), len(private_answers(world.triage, world.linus))) == (["They forget the paywall"], 1)
    assert len([text for text in office.thread(office.card()) if "paywall" in text]) == 2, "the command and the note"


async def test_a_command_that_was_refused_is_not_carried_out_when_it_comes_again(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await mentions(office, world.grace, root, "close")
    refused = await mentions(office, world.grace, root, "claim")
    await mentions(office, world.grace, root, "reopen")
    for delivery in [one for one in office.sandbox.deliveries if concerns(one, refused)]:
        office.sandbox.resend(delivery)
    await office.at_rest()
    assert ((await office.ticket())["status"], (await office.ticket())["assigned_to"]) == ("new", [])
    assert private_answers(world.help, world.grace) == [
        "#1 is closed.",
        "Ticket #1 is closed. Reopen it first: `/ticket reopen 1`",
        "#1 is open again.",
    ]


async def test_an_agents_wrong_verb_gets_the_nearest_one_and_is_no_message(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await mentions(office, world.grace, root, "clame")
    assert private_answers(world.help, world.grace) == ['There is no verb "clame". Did you mean: `@desk claim`?']
    assert (await office.said(), (await office.ticket())["status"]) == (["The export fails"], "new")


async def test_an_agent_is_shown_notes_that_the_customer_of_the_thread_does_not_see(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await world.linus.post(world.triage, "They forget the paywall", thread_ts=office.card().ts)
    await office.at_rest()
    await mentions(office, world.grace, root, "show")
    await mentions(office, world.ada, root, "show")
    assert "paywall" in private_answers(world.help, world.grace)[0]
    assert "The export fails" in private_answers(world.help, world.ada)[0]
    assert "paywall" not in seen_by(office, world.ada)
    assert await office.said() == ["The export fails"]


@pytest.mark.parametrize("words", ["", "help"])
async def test_a_mention_alone_is_answered_with_the_verbs_that_the_person_may_use(office: Office, words: str) -> None:
    world = office.world
    await mentions_at_top(office, world.grace, world.triage, words)
    await mentions_at_top(office, world.ada, world.help, words)
    assert "claim N" in private_answers(world.triage, world.grace)[0]
    [told] = private_answers(world.help, world.ada)
    assert ("close N" in told, "claim N" in told) == (True, False)
    assert not any(words in told for words in ("/ticket", "[comment]", "unassigned"))
    assert await ticket_count(office) == 0


async def test_a_list_asked_for_at_top_level_is_seen_by_the_asker_alone(office: Office) -> None:
    world = office.world
    await opened_by_ada(office)
    await mentions_at_top(office, world.grace, world.triage, "list new")
    assert "#1 The export fails" in private_answers(world.triage, world.grace)[0]
    assert private_answers(world.triage, world.linus) == []
    assert (await ticket_count(office), await office.notes()) == (1, [])


# Customers


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("The import fails too", "The import fails too"),
        (", the import fails", "the import fails"),
        ("new The import fails", "The import fails"),
        ("help me with the import", "help me with the import"),
    ],
)
async def test_a_customers_mention_at_top_level_opens_a_ticket_with_the_rest_of_its_words(
    office: Office, said: str, kept: str
) -> None:
    world = office.world
    root = await mentions_at_top(office, world.ada, world.help, said)
    assert ((await office.ticket())["title"], await office.said(), await ticket_count(office)) == (kept, [kept], 1)
    assert office.thread(root) == ["Ticket #1 · *🔵 New* · nobody is on it yet"]
    assert office.thread(office.card()) == [kept]
    assert private_answers(world.help, world.ada) == []


async def test_a_customers_mention_without_a_verb_in_the_thread_is_a_message(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await world.grace.post(world.help, "Which browser?", thread_ts=root.ts)
    await office.at_rest()
    said = await mentions(office, world.bob, root, "it is Firefox")
    for delivery in [one for one in office.sandbox.deliveries if concerns(one, said)]:
        office.sandbox.resend(delivery)
    await office.at_rest()
    assert await office.said() == ["The export fails", "Which browser?", "it is Firefox"]
    assert (await office.ticket())["status"] == "open"
    assert len([text for text in office.thread(office.card()) if "it is Firefox" in text]) == 1


@pytest.mark.parametrize(
    "words",
    [
        "new invoices fail since Monday",
        "note that the export of May works",
        "claim 3 of them please",
        "priority is high",
        "digest is wrong",
        "show me the log",
        "help us",
        "shwo 1",
    ],
)
async def test_no_words_of_a_customer_are_lost_because_they_begin_like_a_command(office: Office, words: str) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await mentions(office, world.ada, root, words)
    assert await office.said() == ["The export fails", words]
    await mentions_at_top(office, world.bob, world.help, words)
    assert await office.said(2) == [words.removeprefix("new ")]
    assert private_answers(world.help, world.ada) == private_answers(world.help, world.bob) == []


async def test_a_customer_is_told_of_a_command_that_only_agents_have_and_it_is_no_message(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    before, told = await office.ticket(), []
    for words in ("Claim #1", "priority high", "tag +a", "digest week", "note"):
        said = await mentions(office, world.ada, root, words)
        told.append(f"Only agents can use `{words.split()[0].lower()}`. For all that you can use: `@desk help`")
        assert private_answers(world.help, world.ada) == told
    for delivery in [one for one in office.sandbox.deliveries if concerns(one, said)]:
        office.sandbox.resend(delivery)
    await office.at_rest()
    assert await office.ticket() == before
    assert private_answers(world.help, world.ada) == told
    assert "Only agents" not in seen_by(office, world.grace)


async def test_a_verb_alone_at_top_level_opens_no_ticket(office: Office) -> None:
    world = office.world
    for words in ("claim", "close"):
        await mentions_at_top(office, world.bob, world.help, words)
    assert private_answers(world.help, world.bob) == [
        "Only agents can use `claim`. For all that you can use: `@desk help`",
        "Which ticket? Its number is missing. Try: `@desk close 42`",
    ]
    assert await ticket_count(office) == 0


@pytest.mark.parametrize(("mode", "tickets"), [("on_request", 3), ("every_message", 1)])
async def test_where_tickets_are_asked_for_each_request_is_a_ticket_of_its_own(
    world: World, database_url: str, sql: asyncpg.Connection, mode: str, tickets: int
) -> None:
    async with open_office(world, database_url, sql, group_seconds=120) as office:
        await sql.execute("update threadesk.channels set mode = $1 where id = $2", mode, world.help.id)
        for words in ("The import fails", "new The export fails", "So does the report"):
            root = await mentions_at_top(office, world.ada, world.help, words)
        await world.ada.post(world.help, "Since noon", thread_ts=root.ts)
        await office.at_rest()
        assert await ticket_count(office) == tickets
        assert (await office.said(tickets))[-2:] == ["So does the report", "Since noon"]
        assert len([one for one in office.sandbox.messages(world.triage) if one.text.startswith("#")]) == tickets


async def test_an_edit_of_a_customers_mention_leaves_the_mention_out_too(office: Office) -> None:
    world = office.world
    said = await mentions_at_top(office, world.ada, world.help, "the import fails")
    await world.ada.edit(said, f"{office.sandbox.bot.mention} the export fails")
    await office.at_rest()
    assert ((await office.ticket())["title"], await office.said()) == ("the export fails", ["the export fails"])
    assert office.thread(office.card()) == ["the export fails\n_edited_"]


async def test_a_mention_in_mid_sentence_is_an_ordinary_message(office: Office) -> None:
    world = office.world
    await world.ada.post(world.help, f"The export fails, can {office.sandbox.bot.mention} help?")
    await office.at_rest()
    assert (await office.said(), await ticket_count(office)) == (["The export fails, can @desk help?"], 1)
    assert office.thread(office.card()) == ["The export fails, can @desk help?"]
    assert private_answers(world.help, world.ada) == []


async def test_the_requester_closes_and_reopens_by_command(office: Office) -> None:
    world = office.world
    root = await opened_by_ada(office)
    await mentions(office, world.ada, root, "close")
    assert ((await office.ticket())["status"], office.thread(root)[0].split(" · ")[1]) == ("closed", "*⚪ Closed*")
    await mentions(office, world.ada, root, "reopen")
    assert ((await office.ticket())["status"], office.thread(root)[0].split(" · ")[1]) == ("new", "*🔵 New*")
    assert private_answers(world.help, world.ada) == ["#1 is closed.", "#1 is open again."]
    assert await office.said() == ["The export fails"]


@pytest.mark.parametrize(
    ("name", "words", "answer"),
    [
        ("ada", "close it works now", "Only agents can close with a comment"),
        ("bob", "close", "You have no ticket #1."),
    ],
)
async def test_what_customers_may_not_do_is_said_to_them_alone(
    office: Office, name: str, words: str, answer: str
) -> None:
    world = office.world
    root = await opened_by_ada(office)
    who: Person = getattr(world, name)
    await mentions(office, who, root, words.replace("@ben", world.ben.mention))
    [told] = private_answers(world.help, who)
    assert told.startswith(answer)
    assert told not in seen_by(office, world.grace)
    assert ((await office.ticket())["status"], await office.said()) == ("new", ["The export fails"])


async def test_in_a_direct_message_a_command_is_one_too(office: Office) -> None:
    world = office.world
    first = await world.bob.dm("My invoice is wrong")
    await office.at_rest()
    await mentions(office, world.bob, first, "close")
    assert ((await office.ticket())["status"], await office.said()) == ("closed", ["My invoice is wrong"])
    assert private_answers(first.channel, world.bob) == ["#1 is closed."]
    assert office.thread(first)[0].startswith("Ticket #1 · *⚪ Closed*")


async def test_a_channel_without_a_role_stays_silent(office: Office) -> None:
    world = office.world
    lunch = await office.sandbox.add_channel("lunch", members=[world.ben, office.sandbox.bot])
    await mentions_at_top(office, world.ben, lunch, "the soup is cold")
    assert (await ticket_count(office), private_answers(lunch, world.ben)) == (0, [])
    assert not office.sandbox.messages(world.triage)
