"""The courier makes Slack show what the tables say: once, in place, in order, whatever Slack and PostgreSQL do."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest

from bot import app
from bot.blocks import card
from bot.blocks.surface import Message as Surface
from bot.sandbox import Channel, Message
from bot.tickets import views
from storage.embedded import EmbeddedPostgres
from storage.engine import Database, DatabaseAway, telling_away
from tests.conftest import Office, World, open_office


async def until(happened: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Waits for something that the courier does while it cannot come to rest."""
    async with asyncio.timeout(20):
        while not (found := await happened()):  # noqa: ASYNC110 - nobody says when Slack shows something
            await asyncio.sleep(0.02)
        return found


async def opened(office: Office, text: str = "The export fails") -> Message:
    root = await office.world.ada.post(office.world.help, text)
    await office.at_rest()
    return root


async def command(office: Office, text: str) -> None:
    """Linus, who is an agent and not in the support channel, uses `/ticket` in triage."""
    taken = await office.world.linus.command("/ticket", text, channel=office.world.triage)
    assert taken.ok, taken


def by_desk(office: Office, channel: Channel) -> list[Message]:
    """What the desk has posted in a channel and its threads, in order."""
    posts = sorted(channel.posts.values(), key=lambda one: one.ts)
    return [one for one in posts if one.author is office.sandbox.bot]


def posted_once(office: Office) -> bool:
    """No message of the desk stands twice anywhere, going by the identity that each carries."""
    channels = [office.world.help, office.world.triage]
    identities = [
        str(one.metadata["event_payload"]["id"])
        for channel in channels
        for one in by_desk(office, channel)
        if one.metadata is not None
    ]
    return len(identities) == len(set(identities))


def visible_to_customers(office: Office) -> str:
    """Everything that somebody who is no agent can see: channels, threads, private answers, DMs, forms."""
    world = office.world
    seen: list[Any] = []
    for person in (world.ada, world.bob, world.ben):
        private = [one for one in world.help.ephemerals if one.only_for == person.id]
        messages = [*world.help.posts.values(), *private, *office.sandbox.dm_messages(person)]
        seen += [(one.text, one.blocks, one.metadata, one.username) for one in messages] + [person.view]
    return json.dumps(seen, ensure_ascii=False)


async def test_everything_is_updated_in_place_and_never_repeated(office: Office) -> None:
    world = office.world
    root = await opened(office)
    card, status = office.card(), by_desk(office, world.help)[0]
    for text in ("claim 1", "priority 1 high", "reply 1 Try again", "close 1", "reopen 1", "close 1"):
        await command(office, text)
        await office.at_rest()
    (question,) = [one for one in by_desk(office, world.help) if "How did we do" in one.text]
    assert (await world.ada.click(question, action_id="rate:5")).ok
    await office.at_rest()

    assert (await office.ticket())["closings"] == 2
    assert by_desk(office, world.help) == [status, by_desk(office, world.help)[1], question]
    asked = "select count(*) from threadesk.posted where slot like 'rating:%'"
    assert await office.sql.fetchval(asked) == 2, "each closing asks once, and then takes the question before it back"
    assert office.card() is card
    assert "rated ★★★★★" in card.text
    assert "Closed" in status.text
    assert office.thread(root).count("Try again") == 1
    assert [one for one in office.sandbox.messages(world.triage) if "#1" in one.text] == [card]
    assert posted_once(office)


async def test_a_mirror_follows_its_message_through_edit_and_deletion(office: Office) -> None:
    root = await opened(office)
    detail = await office.world.ada.post(office.world.help, "With 10 rows", thread_ts=root.ts)
    await office.at_rest()
    mirrored = office.sandbox.find(office.world.triage, "With 10 rows")
    await office.world.ada.edit(detail, "With 10,000 rows")
    await office.at_rest()
    assert "With 10,000 rows" in mirrored.text
    assert "edited" in mirrored.text
    assert (await office.said())[-1] == "With 10,000 rows"

    await office.world.ada.delete(detail)
    await office.at_rest()
    assert (await office.said())[-1] == ""
    shown = json.dumps([(one.text, one.blocks) for one in office.world.triage.posts.values()])
    assert "10,000 rows" not in shown


async def test_what_another_program_writes_is_shown(office: Office) -> None:
    """A web app answers, closes and urges a ticket with plain SQL."""
    root = await opened(office)
    author = await office.sql.fetchval("insert into auth.users (id) values (gen_random_uuid()) returning id")
    word = {
        "id": str(uuid4()),
        "content": "Fixed <b>now</b>",
        "created_at": "2030-01-01T00:00:00+00:00",
        "created_by": str(author),
        "attachments": [],
    }
    await office.sql.execute(
        """
        update tickets set status = 'closed', priority = 'high', conversation_history = jsonb_build_object(
          'messages', conversation_history -> 'messages' || $1::jsonb)
        """,
        [word],
    )
    await office.at_rest()
    assert "High priority" in office.card().text
    status, answer, question = office.thread(root)
    assert "Closed" in status
    assert answer == "Fixed &lt;b&gt;now&lt;/b&gt;"
    assert "How did we do" in question
    assert "Fixed &lt;b&gt;now&lt;/b&gt;" in office.thread(office.card())


async def test_no_note_is_ever_visible_to_a_customer(office: Office) -> None:
    """Notes by every way in, on a ticket that goes through every state: none is where a customer can look."""
    world = office.world
    root = await opened(office)
    await world.linus.post(world.triage, "SECRET typed in triage", thread_ts=office.card().ts)
    await command(office, "note 1 SECRET by command")
    assert (await world.grace.click(office.card(), action_id="note")).ok
    assert (await world.grace.submit({"words": "SECRET in a form"})).ok
    await office.at_rest()
    await command(office, "claim 1")
    await command(office, "reply 1 Look again")
    await office.at_rest()
    await world.ada.post(world.help, "No", thread_ts=root.ts)
    await world.ben.command("/ticket", "show 1", channel=world.help)
    await world.ben.command("/ticket", "list all", channel=world.help)
    await command(office, "close 1 SECRET comment")
    await office.at_rest()
    question = office.sandbox.find(world.help, "How did we do")
    for person in (world.ada, world.bob):
        assert (await person.click(question, action_id="rate:1")).ok
    await world.ada.post(world.help, "Again!", thread_ts=root.ts)
    await office.at_rest()

    assert len(await office.notes()) == 4
    assert sum("SECRET" in text for text in office.thread(office.card())) == 4
    assert "Again!" in visible_to_customers(office)
    assert "SECRET" not in visible_to_customers(office)
    assert not any("SECRET" in text for text in await office.said())


async def test_a_reply_is_sent_when_it_is_due(world: World, database_url: str, sql: asyncpg.Connection) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        root = await opened(office)
        await command(office, "reply 1 It works again")
        await office.at_rest()
        assert (await office.said(), len(office.thread(root))) == (["The export fails"], 1)
        assert (await office.ticket())["status"] == "new"

        world.clock.advance(seconds=61)
        await office.at_rest()
        assert await office.said() == ["The export fails", "It works again"]
        assert (await office.ticket())["status"] == "pending"
        assert office.thread(root)[1:] == ["It works again"]
        assert "sent to the customer" in office.thread(office.card())[1]


async def test_a_held_reply_goes_out_first_when_the_ticket_is_closed(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        root = await opened(office)
        await command(office, "reply 1 It works again")
        await command(office, "close 1")
        await office.at_rest()
        assert (await office.ticket())["status"] == "closed"
        assert await office.said() == ["The export fails", "It works again"]
        status, reply, question = office.thread(root)
        assert ("Closed" in status, reply, "How did we do" in question) == (True, "It works again", True)


async def test_posts_in_a_channel_keep_their_pace(world: World, database_url: str, sql: asyncpg.Connection) -> None:
    pace = 0.15
    async with open_office(world, database_url, sql, post_interval_seconds=pace) as office:
        for n in range(4):
            await world.ada.post(world.help, f"Question {n}")
        await office.at_rest()
        posts = [one for one in office.sandbox.calls if one.method == "chat.postMessage"]
        for channel, expected in ((world.help, 4), (world.triage, 8)):
            at = [one.at for one in posts if one.args["channel"] == channel.id]
            assert len(at) == expected
            assert min(later - earlier for earlier, later in pairwise(at)) >= pace
        assert len({one.args["channel"] for one in posts[:3]}) == 2, "the channels do not wait for each other"
        assert await sql.fetchval("select count(*) from threadesk.posted where ts is not null") == 12


async def test_retry_after_pauses_the_posts_of_one_channel_only(office: Office) -> None:
    office.sandbox.disrupt("chat.postMessage", "ratelimited", seconds=2)
    began = time.time()
    root = await opened(office)
    posts = [one for one in office.sandbox.calls if one.method == "chat.postMessage"]
    (status,) = [one.at - began for one in posts if one.args["channel"] == office.world.help.id]
    card, mirror = [one.at - began for one in posts if one.args["channel"] == office.world.triage.id]
    assert min(status, card) < 2 <= max(status, card) <= max(status, mirror)
    assert len(office.thread(root)) == len(office.thread(office.card())) == 1
    assert posted_once(office)


async def test_retry_after_pauses_updates_everywhere_and_no_post(office: Office) -> None:
    world = office.world
    roots = [await opened(office, f"Question {n}") for n in range(3)]
    office.sandbox.disrupt("chat.update", "ratelimited", seconds=2)
    office.sandbox.calls.clear()
    began = time.time()
    await asyncio.gather(*(command(office, f"priority {n} high") for n in (1, 2, 3)))
    await world.ada.post(world.help, "And another thing", thread_ts=roots[0].ts)
    await office.at_rest()

    updates = [one.at - began for one in office.sandbox.calls if one.method == "chat.update"]
    (mirrored,) = [one.at - began for one in office.sandbox.calls if one.method == "chat.postMessage"]
    assert mirrored < 2 <= min(updates)
    assert ["High priority" in office.card(n).text for n in (1, 2, 3)] == [True] * 3
    assert {one["priority"] for one in [await office.ticket(n) for n in (1, 2, 3)]} == {"high"}


@pytest.mark.parametrize("how", ["http_500", "cut_before", "cut_after"])
async def test_a_post_without_a_clear_answer_stands_in_slack_once(office: Office, how: Any) -> None:
    """After `cut_after` the message is there and only its metadata can tell."""
    office.sandbox.disrupt("chat.postMessage", how, times=2)
    root = await opened(office)
    assert [text.startswith("Ticket #1") for text in office.thread(root)] == [True]
    assert len(office.sandbox.messages(office.world.triage)) == 1
    assert posted_once(office)
    unknown = "select count(*) from threadesk.posted where ts is null"
    assert await office.sql.fetchval(unknown) == 0


@pytest.mark.parametrize("then", ["edited", "deleted"])
async def test_what_was_sent_before_a_change_is_brought_up_to_date_when_it_is_found(office: Office, then: str) -> None:
    """The words changed between an attempt whose answer was lost and the look whether it is there."""
    root = await opened(office)
    office.sandbox.disrupt("chat.postMessage", "cut_after")
    office.sandbox.disrupt("conversations.replies", "ratelimited", seconds=1)
    one = await office.world.ada.post(office.world.help, "With 10 rows", thread_ts=root.ts)

    async def sent() -> bool:
        return office.thread(office.card())[1:] == ["With 10 rows"]

    await until(sent)
    await (office.world.ada.edit(one, "With 9 rows") if then == "edited" else office.world.ada.delete(one))
    await office.at_rest()
    told = [text for text in office.thread(office.card()) if "rows" in text]
    assert [text.startswith("With 9 rows") for text in told] == ([True] if then == "edited" else [])
    assert posted_once(office)


@pytest.mark.parametrize("how", ["ratelimited", "http_500", "cut_before"])
async def test_a_look_up_that_fails_is_no_reason_to_post_again(office: Office, how: Any) -> None:
    root = await opened(office)
    office.sandbox.disrupt("chat.postMessage", "cut_after")
    office.sandbox.disrupt("conversations.replies", how)
    await office.world.ada.post(office.world.help, "With 10 rows", thread_ts=root.ts)
    await office.at_rest()
    assert [text for text in office.thread(office.card()) if "With 10 rows" in text] == ["With 10 rows"]
    assert posted_once(office)


async def test_what_is_still_on_its_way_is_not_sent_again(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    """Slack takes longer than the desk waits: the message is not there yet when it is looked for at first."""
    async with open_office(world, database_url, sql, slack_call_seconds=1.8) as office:
        root = await opened(office)
        office.sandbox.disrupt("chat.postMessage", "slow", seconds=3)
        await world.ada.post(world.help, "With 10 rows", thread_ts=root.ts)
        await office.at_rest()
        assert [text for text in office.thread(office.card()) if "With 10 rows" in text] == ["With 10 rows"]
        assert posted_once(office)


async def test_a_look_up_that_is_refused_proves_nothing(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    """The desk is removed from the channel after a post whose answer was lost, and invited again later."""
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        root = await opened(office)
        await command(office, "reply 1 Only once please")
        await office.at_rest()
        office.sandbox.disrupt("chat.postMessage", "cut_after")
        world.clock.advance(seconds=61)

        async def sent() -> bool:
            return office.thread(root)[1:] == ["Only once please"]

        await until(sent)
        await office.sandbox.kick(world.help, office.sandbox.bot)

        await until(lambda: told(office, "cannot write in"))
        await office.sandbox.invite(world.help, office.sandbox.bot, by=world.grace)
        await office.at_rest()
        assert office.thread(root)[1:] == ["Only once please"]
        assert posted_once(office)


async def test_a_message_that_slack_made_wait_alerts_all_the_same(office: Office) -> None:
    root = await opened(office)
    await command(office, "claim 1")
    await office.at_rest()
    office.sandbox.disrupt("chat.postMessage", "ratelimited")
    await office.world.ada.post(office.world.help, "URGENT", thread_ts=root.ts)
    await office.at_rest()
    (urgent,) = [text for text in office.thread(office.card()) if "URGENT" in text]
    assert office.world.linus.mention in urgent


async def test_a_private_answer_that_was_lost_is_not_given_twice(office: Office) -> None:
    """Nobody can look whether it is there."""
    world = office.world
    root = await opened(office)
    office.sandbox.disrupt("chat.postEphemeral", "cut_after")
    await world.grace.post(world.help, f"{office.sandbox.bot.mention} show", thread_ts=root.ts)
    await office.at_rest()
    assert sum(one.only_for == world.grace.id for one in world.help.ephemerals) == 1


async def test_an_answer_that_was_lost_is_not_given_twice(office: Office) -> None:
    """The digest is a notice: it is looked for by its metadata as well."""
    await opened(office)
    office.sandbox.disrupt("chat.postMessage", "cut_after")
    office.sandbox.disrupt("conversations.history", "ratelimited")
    await command(office, "digest today")
    await office.at_rest()
    assert sum("Digest" in one.text for one in office.sandbox.messages(office.world.triage)) == 1
    assert await office.sql.fetchval("select ts from threadesk.notices where key like 'digest:%'") is not None


async def test_no_digest_is_posted_where_another_company_reads_it(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    """The channel was Acme's own when the desk was started."""
    digests = await world.sandbox.add_channel("digests", members=[world.grace, world.sandbox.bot])
    async with open_office(world, database_url, sql, digest_channel="digests") as office:
        await opened(office)
        office.sandbox.disrupt("conversations.info", "ratelimited")
        await command(office, "digest today")
        await office.at_rest()
        assert sum("Digest" in one.text for one in office.sandbox.messages(digests)) == 1
        (globex,) = world.help.shared_with
        world.sandbox.share(digests, globex)
        await command(office, "digest week")
        await office.at_rest()
        assert sum("Digest" in one.text for one in office.sandbox.messages(digests)) == 1
        told = [one.text for one in office.sandbox.messages(world.triage) if "is not posted" in one.text]
        assert len(told) == 1
        assert f"<#{digests.id}>, because it is shared with another company" in told[0]


async def test_no_digest_is_posted_where_customers_write_by_now(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    digests = await world.sandbox.add_channel("digests", members=[world.grace, world.sandbox.bot])
    async with open_office(world, database_url, sql, digest_channel="digests") as office:
        await sql.execute(
            "insert into threadesk.channels (id, name, role, triage_channel) values ($1, 'digests', 'support', $2)",
            digests.id,
            world.triage.id,
        )
        await command(office, "digest today")
        await office.at_rest()
        assert [one for one in office.sandbox.messages(digests) if "Digest" in one.text] == []


async def test_where_slack_takes_no_charts_the_digest_says_it_in_words(office: Office) -> None:
    await opened(office)
    await command(office, "assign 1 " + office.world.grace.mention)
    office.sandbox.take_blocks_away("data_visualization", "table")
    await command(office, "digest today")
    await office.at_rest()
    (digest,) = [one for one in office.sandbox.messages(office.world.triage) if "Digest" in one.text]
    assert {block["type"] for block in digest.blocks} <= {"header", "context", "section"}
    said = "\n".join(block["text"]["text"] for block in digest.blocks if block["type"] == "section")
    assert "1 opened, 0 closed" in said
    assert "• Grace Hopper: open 1, pending 0, closed 0" in said


@pytest.mark.parametrize("trouble", [None, "http_500", "ratelimited"])
async def test_a_reply_whose_thread_has_vanished_does_not_stay_in_the_open_channel(
    world: World, database_url: str, sql: asyncpg.Connection, trouble: Any
) -> None:
    """An admin deletes status message and root while a reply is held; taking the stray away may fail at first."""
    world.grace.admin = True
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        root = await opened(office)
        await command(office, "reply 1 For your eyes only")
        await office.at_rest()
        await world.grace.delete(by_desk(office, world.help)[0])
        await world.grace.delete(root)
        await office.at_rest()
        if trouble is not None:
            office.sandbox.disrupt("chat.delete", trouble)
        world.clock.advance(seconds=61)
        await office.at_rest()

        assert await office.said() == ["", "For your eyes only"]
        assert by_desk(office, world.help) == []
        thread = office.thread(office.card())
        assert sum("A message does not reach Slack" in text for text in thread) == 1


@pytest.mark.parametrize("how", ["archived", "removed"])
async def test_a_closed_channel_holds_nobody_else_up_and_is_taken_up_again(office: Office, how: str) -> None:
    world, sandbox = office.world, office.sandbox
    other = await sandbox.add_channel("help-initech", members=[world.ben, world.grace, sandbox.bot])
    await office.sql.execute(
        "insert into threadesk.channels (id, name, role, triage_channel) values ($1, 'help-initech', 'support', $2)",
        *(other.id, world.triage.id),
    )
    root = await opened(office)
    if how == "archived":
        sandbox.archive(world.help)
    else:
        await sandbox.kick(world.help, sandbox.bot)
    await command(office, "reply 1 Are you still there?")
    await world.ben.post(other, "My laptop is slow")

    async def others_go_on() -> bool:
        return len(by_desk(office, other)) == 1 and "Pending" in office.card().text

    await until(others_go_on)
    (said,) = await until(lambda: told(office, "cannot write in"))
    why = "it is archived (is_" if how == "archived" else "the desk is not in it (not_in_channel)"
    assert f"<#{world.help.id}>, because {why}" in said
    assert (await office.ticket())["status"] == "pending"
    assert len(office.thread(root)) == 1

    async def reply_is_said_to(become: str) -> bool:
        return any("Reply by Linus Pauling" in one and become in one for one in office.thread(office.card()))

    await until(lambda: reply_is_said_to("waits: Slack does not let me write"))
    if how == "archived":
        world.help.archived = False
        await an_hour_passes(office)
    else:
        await sandbox.invite(world.help, sandbox.bot, by=world.grace)
    await office.at_rest()
    assert len(await told(office, "cannot write in")) == 1
    assert await told(office, "again.") == [
        f"✅ The desk can write in <#{world.help.id}> again. What waited there is shown now (1)."
    ]
    assert office.thread(root)[1] == "Are you still there?"
    assert "Pending" in office.thread(root)[0]
    assert await reply_is_said_to("sent to the customer")
    assert posted_once(office)


async def test_an_update_in_an_archived_channel_waits_until_it_is_open_again(office: Office) -> None:
    root = await opened(office)
    office.sandbox.archive(office.world.help)
    await command(office, "claim 1")

    await until(lambda: told(office, "cannot write in"))
    assert "nobody is on it" in office.thread(root)[0]
    office.world.help.archived = False
    await an_hour_passes(office)
    await office.at_rest()
    assert (await office.ticket())["status"] == "open"
    assert "Linus Pauling is on it" in office.thread(root)[0]


async def told(office: Office, words: str) -> list[str]:
    """What the desk has said in triage, outside tickets' threads."""
    return [one.text for one in office.sandbox.messages(office.world.triage) if words in one.text]


async def an_hour_passes(office: Office) -> None:
    """For the pauses of lanes, which are physical time."""
    # In the order in which couriers take lanes, so that neither waits for the other.
    await office.sql.execute(
        "with held as (select lane from threadesk.lanes order by lane = 'slack', lane for update)"
        " update threadesk.lanes l set free_at = free_at - interval '1 hour' from held where l.lane = held.lane"
    )
    await office.sql.execute("notify threadesk")


async def locked_out(office: Office) -> None:
    """Until Slack has refused the token, and no call is under way whose answer would close the desk once more."""
    question = """
        select exists (select from threadesk.lanes where lane = 'slack' and closed_why = 'invalid_auth')
          and not exists (select from threadesk.lanes where leased_until > clock_timestamp())
    """
    await until(lambda: office.sql.fetchval(question))


async def test_what_must_be_noticed_mentions_the_assignees_in_triage(office: Office) -> None:
    world = office.world
    root = await opened(office)
    await command(office, f"assign 1 {world.grace.mention} {world.linus.mention}")
    await office.at_rest()
    assert alerts(office) == [f"{world.grace.mention} #1 was assigned to you by {world.linus.mention}."]

    await world.ada.post(world.help, "Any news?", thread_ts=root.ts)
    await office.at_rest()
    (news,) = [text for text in office.thread(office.card()) if "Any news?" in text]
    assert f"🔔 {world.grace.mention} {world.linus.mention}" in news

    for text in ("close 1", "reopen 1"):
        await command(office, text)
    await office.at_rest()
    assert alerts(office)[1:] == [f"{world.grace.mention} #1 was reopened by {world.linus.mention}."]
    assert (await office.ticket())["status"] == "open"
    assert world.grace.mention not in visible_to_customers(office)


def alerts(office: Office) -> list[str]:
    return [text for text in office.thread(office.card()) if "#1 was " in text]


async def test_what_was_undone_at_once_alerts_nobody(office: Office) -> None:
    """Linus assigns Grace by mistake and takes her off before triage was told."""
    await opened(office)
    office.sandbox.disrupt("chat.postMessage", "ratelimited", seconds=1)
    await command(office, "note 1 Seen before")
    await command(office, f"assign 1 {office.world.grace.mention}")
    await command(office, f"unassign 1 {office.world.grace.mention}")
    await office.at_rest()
    assert (await office.ticket())["status"] == "new"
    assert alerts(office) == []


async def test_a_customers_message_that_reopens_alerts_once(office: Office) -> None:
    root = await opened(office)
    for text in ("claim 1", "close 1"):
        await command(office, text)
    await office.at_rest()
    for text in ("Thanks!", "It is broken again"):
        await office.world.ada.post(office.world.help, text, thread_ts=root.ts)
        await office.at_rest()
    thanks, broken = office.thread(office.card())[-2:]
    assert "Thanks!" in thanks
    assert "🔔" not in thanks
    assert f"🔔 {office.world.linus.mention}" in broken
    assert alerts(office) == []


async def test_a_reopening_that_there_was_nobody_to_tell_of_is_not_told_later(office: Office) -> None:
    await opened(office)
    for text in ("close 1", "reopen 1", "claim 1", f"assign 1 {office.world.grace.mention}"):
        await command(office, text)
        await office.at_rest()
    assert alerts(office) == [f"{office.world.grace.mention} #1 was assigned to you by {office.world.linus.mention}."]


async def test_an_update_that_slack_refuses_is_tried_again_when_there_is_another(office: Office) -> None:
    """The sandbox lets nobody change another's message: the desk's message is not the desk's for a while."""
    await opened(office)
    card = office.card()
    card.author = office.world.grace
    await command(office, "priority 1 high")
    await office.at_rest()
    assert "High priority" not in card.text
    (said,) = [text for text in office.thread(card) if "does not reach Slack" in text]
    assert "The card of #1 (The export fails)" in said
    card.author = office.sandbox.bot
    await command(office, "claim 1")
    await office.at_rest()
    assert "High priority" in card.text
    assert office.world.linus.mention in card.text


async def test_a_card_that_slack_refuses_does_not_hide_its_ticket(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack has come to take less in a message than a card has, and more than a sentence."""
    monkeypatch.setattr("bot.sandbox.blockkit.BLOCKS_TEXT", 160)
    await office.world.ada.post(office.world.help, "The export <fails>")
    await office.at_rest()
    (said,) = office.sandbox.messages(office.world.triage)
    assert said.text.startswith("⚠️ The card of #1 (The export &lt;fails&gt;) does not reach Slack")


async def test_a_scope_that_is_missing_for_a_while_loses_nothing(office: Office) -> None:
    slack = office.sandbox.slack
    granted = slack.manifest
    slack.manifest = replace(granted, scopes=tuple(one for one in granted.scopes if one != "chat:write"))
    root = await office.world.ada.post(office.world.help, "The export fails")

    async def paused() -> bool:
        return bool(await office.sql.fetchval("select count(*) = 2 from threadesk.lanes where free_at > now() + '50s'"))

    await until(paused)
    assert await office.sql.fetchval("select array_agg(distinct closed_why) from threadesk.lanes") == ["missing_scope"]
    slack.manifest = granted
    await an_hour_passes(office)
    await office.at_rest()
    assert (len(office.thread(root)), len(office.thread(office.card()))) == (1, 1)


async def test_a_dead_channel_is_told_once_however_many_tickets_wait_and_tried_ever_more_seldom(
    office: Office,
) -> None:
    for n in range(3):
        await opened(office, f"Question {n}")
    office.sandbox.archive(office.world.help)
    for n in (1, 2, 3):
        await command(office, f"claim {n}")
    await until(lambda: told(office, "cannot write in"))
    rests = []

    async def rest(refusals: int) -> float | None:
        """How long the channel rests after so many refusals, once there were so many."""
        question = "select extract(epoch from free_at - now())::float from threadesk.lanes where refusals = $1"
        found: float | None = await office.sql.fetchval(question, refusals)
        return found

    for refusals in (1, 2, 3, 9):
        rests.append(await until(partial(rest, refusals)))
        if refusals == 3:
            await office.sql.execute("update threadesk.lanes set refusals = 8 where closed_since is not null")
        await an_hour_passes(office)
    assert [round(rest, -1) for rest in rests] == [60, 120, 240, 600]
    assert len(await told(office, "cannot write in")) == 1

    office.world.help.archived = False
    await an_hour_passes(office)
    await office.at_rest()
    assert len(await told(office, "shown now (3)")) == 1
    assert await office.sql.fetchval("select max(refusals) from threadesk.lanes") == 0


async def test_a_dead_triage_channel_is_told_in_another_one(office: Office) -> None:
    """The later one of two triage channels: the ticket's card stands in the earlier one, which is archived.

    Slack does not tell of that: the courier finds it out.
    """
    world = office.world
    await opened(office)
    ops = await office.sandbox.add_channel("ops", private=True, members=[world.grace, office.sandbox.bot])
    await office.sql.execute(
        "insert into threadesk.channels (id, name, role) values ($1, 'ops', 'triage')",
        ops.id,
    )
    world.triage.archived = True
    await command(office, "claim 1")

    async def said_in_ops() -> list[Message]:
        return by_desk(office, ops)

    (said,) = await until(said_in_ops)
    assert said.text.startswith(f"⚠️ The desk cannot write in <#{world.triage.id}>, because it is archived")
    world.triage.archived = False
    await an_hour_passes(office)
    await office.at_rest()
    assert world.linus.mention in office.card().text


async def test_a_revoked_token_pauses_everything_and_one_call_finds_out_when_it_is_over(office: Office) -> None:
    world = office.world
    roots = [await opened(office, f"Question {n}") for n in range(2)]
    token, office.sandbox.slack.bot_token = office.sandbox.slack.bot_token, "xoxb-another"
    office.sandbox.calls.clear()
    for n in (1, 2):
        await command(office, f"reply {n} Here it is")
    await locked_out(office)
    await command(office, "priority 1 high")
    refused = len(office.sandbox.calls)
    await an_hour_passes(office)
    question = "select exists (select from threadesk.lanes where lane = 'slack' and refusals = 2)"
    await until(lambda: office.sql.fetchval(question))
    probes = [one.method for one in office.sandbox.calls[refused:] if one.method.startswith("chat.")]
    assert len(probes) == 1
    assert await told(office, "cannot write in") == []

    office.sandbox.slack.bot_token = token
    await an_hour_passes(office)
    await office.at_rest()
    assert [office.thread(root)[1:] for root in roots] == [["Here it is"]] * 2
    assert "High priority" in office.card().text
    assert await office.sql.fetchval("select count(*) from threadesk.lanes where closed_since is not null") == 0
    assert world.linus.mention in office.card().text
    assert posted_once(office)


async def test_names_and_files_are_asked_for_again_after_a_revoked_token(office: Office) -> None:
    """What Slack does not tell a desk that is locked out is not unknown for good."""
    world = office.world
    root = await opened(office)
    token, office.sandbox.slack.bot_token = office.sandbox.slack.bot_token, "xoxb-another"
    asks = f"Ask {world.ben.mention} about this"
    await world.ada.post(world.help, asks, thread_ts=root.ts, files=[("trace.log", "text/plain", b"x")])
    await locked_out(office)
    office.sandbox.slack.bot_token = token
    await an_hour_passes(office)
    await office.at_rest()
    message = (await office.ticket())["conversation_history"]["messages"][1]
    assert message["content"] == f"Ask @{world.ben.name} about this"
    assert [file["name"] for file in message["attachments"]] == ["trace.log"]
    assert posted_once(office)


async def test_a_private_answer_outlasts_a_revoked_token(office: Office) -> None:
    world = office.world
    root = await opened(office)
    token, office.sandbox.slack.bot_token = office.sandbox.slack.bot_token, "xoxb-another"
    await world.grace.post(world.help, f"{office.sandbox.bot.mention} show", thread_ts=root.ts)
    await locked_out(office)
    office.sandbox.slack.bot_token = token
    await an_hour_passes(office)
    await office.at_rest()
    assert sum(one.only_for == world.grace.id for one in world.help.ephemerals) == 1


async def test_a_desk_that_starts_tries_closed_channels_at_once(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql) as office:
        root = await opened(office)
        office.sandbox.archive(world.help)
        await command(office, "claim 1")
        await until(lambda: told(office, "cannot write in"))
    world.help.archived = False
    async with open_office(world, database_url, sql) as office:
        await office.at_rest()
        assert "Linus Pauling is on it" in office.thread(root)[0]


async def test_a_ticket_that_the_desk_cannot_show_holds_nobody_up_and_is_parked_and_told(
    office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One ticket's card cannot be rendered: that is the desk's own mistake, which a change of the ticket may mend."""
    rendered = card.card

    def broken(view: views.Card) -> Surface:
        if view.title == "The export fails":
            raise ZeroDivisionError
        return rendered(view)

    monkeypatch.setattr("bot.blocks.card.card", broken)
    await office.world.ada.post(office.world.help, "The export fails")
    await office.sandbox.settled()
    await opened_beside(office, "Add a seat")
    assert "Add a seat" in office.card(2).text

    async def parked() -> bool:
        office.world.clock.advance(minutes=3)
        await office.sql.execute("notify threadesk")
        return bool(await office.sql.fetchval("select count(*) from threadesk.to_show where parked is not null"))

    await until(parked)
    await office.at_rest()
    (said,) = await told(office, "went wrong in the desk")
    reference = await office.sql.fetchval("select parked from threadesk.to_show")
    assert said.startswith("⚠️ Slack does not show #1 as it is now")
    assert said.endswith(f"this reference: {reference}")
    logged = capsys.readouterr().out
    assert reference in logged
    assert logged.count("the courier could not serve a lane") == 8

    await command(office, "title 1 The import fails")
    await office.at_rest()
    assert "The import fails" in office.card().text
    assert await office.sql.fetchval("select count(*) from threadesk.to_show") == 0


async def opened_beside(office: Office, text: str) -> None:
    """A request that is shown while another one cannot be."""
    await office.world.bob.post(office.world.help, text)

    async def shown() -> bool:
        return any(text in one.text for one in office.sandbox.messages(office.world.triage))

    await until(shown)


async def test_a_held_reply_that_cannot_be_sent_is_tried_ever_more_seldom(office: Office) -> None:
    """Another program's rule refuses it for a while; meanwhile other tickets' replies go out."""
    first, second = await opened(office), await opened(office, "Add a seat")
    await office.sql.execute(
        """
        create function refuse() returns trigger language plpgsql as $$ begin
          if new.status = 'pending' and new.title = 'The export fails' then raise 'not now'; end if; return new;
        end $$;
        create trigger refuse before update on tickets for each row execute function refuse();
        """
    )
    await command(office, "reply 1 Try again")
    await command(office, "reply 2 Here it is")
    tried = "select attempts from threadesk.replies where state = 'held' and attempts > 1"
    await until(lambda: office.sql.fetchval(tried))
    assert office.thread(second)[1:] == ["Here it is"]
    waiting = await office.sql.fetchval("select due_at - now() from threadesk.replies where state = 'held'")
    assert waiting.total_seconds() > 1
    await office.sql.execute("drop trigger refuse on tickets")
    office.world.clock.advance(minutes=1)
    await office.at_rest()
    assert office.thread(first)[1:] == ["Try again"]


async def test_names_and_e_mails_are_found_out_after_the_message_is_kept(office: Office) -> None:
    """Slack's trouble with `users.info` delays the name; the message was kept before."""
    world = office.world
    office.sandbox.disrupt("users.info", "http_500")
    await world.bob.post(world.help, f"Ask {world.ben.mention} about it")
    await office.sandbox.settled()
    assert await office.said() == [f"Ask @{world.ben.id} about it"]
    await office.at_rest()
    ticket = await office.ticket()
    assert ticket["customer_email"] == "bob@globex.example"
    assert (ticket["title"], await office.said()) == ("Ask @Ben Franklin about it", ["Ask @Ben Franklin about it"])
    assert "From *Bob Noyce* (Globex)" in office.card().text
    customer = await office.sql.fetchrow("select * from customers")
    assert customer is not None
    assert (customer["first_name"], customer["last_name"], customer["communication_channels"]) == (
        *("Bob", "Noyce"),
        ["slack"],
    )


async def test_a_known_e_mail_makes_the_requester_the_customer_who_has_it(office: Office) -> None:
    """Letter case is ignored, and what the row holds stays."""
    known = await office.sql.fetchval("insert into auth.users (id) values (gen_random_uuid()) returning id")
    await office.sql.execute(
        """
        insert into customers (id, first_name, last_name, email, communication_channels, feedback_history)
        values ($1, 'Robert', 'N.', 'BOB@Globex.example', '{email}', '{"feedback": []}')
        """,
        known,
    )
    await office.world.bob.post(office.world.help, "Add a seat")
    await office.at_rest()
    ticket = await office.ticket()
    assert (ticket["requester"], ticket["created_by"], ticket["customer_email"]) == (
        *(known, known),
        "BOB@Globex.example",
    )
    written_by = ticket["conversation_history"]["messages"][0]["created_by"]
    assert UUID(written_by) == known
    customer = await office.sql.fetchrow("select * from customers")
    assert customer is not None
    assert (customer["first_name"], customer["communication_channels"]) == ("Robert", ["email", "slack"])
    assert "From *Bob Noyce*" in office.card().text


async def test_a_desk_that_starts_again_repeats_nothing(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    for _ in range(2):
        async with open_office(world, database_url, sql) as office:
            if not world.help.posts:
                await opened(office)
                await command(office, "close 1")
            await office.at_rest()
            changes = [one for one in office.sandbox.calls if one.method.startswith("chat.")]
            world.sandbox.calls.clear()
    assert changes == []
    assert await sql.fetchval("select count(*) from threadesk.posted") == 4


async def test_a_courier_whose_session_is_cut_off_listens_again(office: Office) -> None:
    await opened(office)
    ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity where query ilike 'listen %'"
    assert await office.sql.fetchval(ended) == 1
    await office.world.bob.post(office.world.help, "Are you there?")
    await office.at_rest()
    assert (await office.ticket(2))["title"] == "Are you there?"
    assert "Are you there?" in office.card(2).text


async def test_a_session_that_postgresql_ended_without_hanging_up_is_away(
    database_url: str, sql: asyncpg.Connection
) -> None:
    """In a shutdown a connection may say that it has ended some time before it is closed."""
    folder = Path(tempfile.mkdtemp(prefix="threadesk-proxy-"))
    (sockets,) = parse_qs(urlsplit(database_url).query)["host"]
    ended = asyncio.Event()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while some := await reader.read(65536):
            writer.write(some)
        ended.set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(f"{sockets}/.s.PGSQL.5432")
        await asyncio.gather(relay(server_reader, writer), relay(reader, server_writer))
        server_writer.close()
        writer.close()

    proxy = await asyncio.start_unix_server(serve, folder / ".s.PGSQL.5432")
    database = Database(database_url.replace(quote(str(sockets), safe=""), quote(str(folder), safe="")))
    session = await database.connect()
    await sql.execute("select pg_terminate_backend($1)", session.get_server_pid())
    await asyncio.wait_for(ended.wait(), 5)
    with pytest.raises(DatabaseAway), telling_away():
        await session.fetch("select 1")
    session.terminate()
    await database.close()
    proxy.close()
    shutil.rmtree(folder)


async def test_a_restart_of_postgresql_loses_and_repeats_nothing(world: World) -> None:
    """The server is shut down while posts are on their way, events arrive meanwhile, and it comes back."""
    folder = Path(tempfile.mkdtemp(prefix="threadesk-restart-"))
    server = EmbeddedPostgres(folder, settings={"fsync": "off"})
    url = await asyncio.to_thread(server.start)
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        stack.callback(server.remove)
        running = await stack.enter_async_context(app.running(world.settings(url), clock=world.clock))
        world.sandbox.deliver_to(f"http://127.0.0.1:{running.port}/slack/events")
        for n in range(5):
            await world.ada.post(world.help, f"Before {n}")
        shut_down(folder)
        for n in range(5):
            await world.ada.post(world.help, f"Meanwhile {n}")
        assert await asyncio.to_thread(server.start) == url
        sql = await asyncpg.connect(url)
        stack.push_async_callback(sql.close)
        office = Office(world, running, sql)
        await office.at_rest()

        titles = [row["title"] for row in await sql.fetch("select title from tickets")]
        expected = [f"{when} {n}" for when in ("Before", "Meanwhile") for n in range(5)]
        assert sorted(titles) == sorted(expected)
        # Besides, triage may be told that what Slack could not deliver was read back.
        of_tickets = [one for one in by_desk(office, world.triage) if "read back" not in one.text]
        assert (len(by_desk(office, world.help)), len(of_tickets)) == (10, 20)
        assert posted_once(office)
        world.sandbox.deliver_to(None)


def shut_down(folder: Path) -> None:
    """PostgreSQL's fast shutdown: https://www.postgresql.org/docs/current/server-shutdown.html"""
    location = folder / "postgres.location"
    home = Path(location.read_text().strip()) if location.exists() else folder / "postgres"
    pid_file = home / "data" / "postmaster.pid"
    os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)


async def test_who_writes_while_slack_is_asked_of_others_is_mirrored_under_their_own_name(office: Office) -> None:
    world = office.world
    root = await world.ada.post(world.help, "The export fails")
    await office.at_rest()
    carol = office.sandbox.add_person("Carol Shaw")
    office.sandbox.disrupt("users.info", "slow", times=2, seconds=1)
    await world.grace.post(world.triage, f"Ask {carol.mention}", thread_ts=office.card().ts)

    async def asked() -> bool:
        return not office.sandbox.slack.faults.ordered

    await until(asked)
    await world.ben.post(world.help, "For me too", thread_ts=root.ts)
    await office.at_rest()
    assert office.sandbox.find(world.triage, "For me too").username == "Ben Franklin"


async def test_a_change_that_arrives_late_does_not_undo_a_later_one(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, slack_call_seconds=0.5) as office:
        root = await opened(office)
        office.sandbox.disrupt("chat.update", "slow", seconds=0.9)
        await world.ada.edit(root, "Second words")

        async def on_its_way() -> bool:
            return office.sandbox.struck["slow"] == 1

        await until(on_its_way)
        await world.ada.edit(root, "Third words")
        await office.at_rest()

        async def late_one() -> bool:
            return any("Second words" in str(one.args) for one in office.sandbox.calls if one.method == "chat.update")

        await until(late_one)
        assert office.thread(office.card())[0].startswith("Third words")
