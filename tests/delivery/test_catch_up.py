"""What was said while events did not reach the desk is read back: once, in order, and no more than that."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from bot.delivery import reader as reader_module
from bot.delivery import triage
from bot.delivery.catch_up import CatchUp, Report
from bot.listeners import messages
from bot.sandbox import Channel, Message
from tests.conftest import Office, World, open_office
from tests.listeners.slack_side import deliver, events_about, held_back, private_answers, send

HISTORY, REPLIES = "conversations.history", "conversations.replies"


@asynccontextmanager
async def lost(office: Office) -> AsyncIterator[None]:
    """Slack's events of what happens meanwhile reach nobody, and it is a while ago when it is over."""
    async with held_back(office):
        yield
    office.world.clock.advance(minutes=1)


def reader(office: Office, **changes: Any) -> CatchUp:
    """A catch-up for which there has been a gap just now."""
    services = replace(office.running.services, **changes)
    office.world.clock.advance(minutes=2)
    return CatchUp(services, functools.partial(messages.heard, services))


async def read_hourly(office: Office) -> Report:
    """Nobody knows of a gap."""
    usual = CatchUp(office.running.services, functools.partial(messages.heard, office.running.services))
    office.world.clock.advance(hours=1, seconds=30)
    report = await usual.run_once()
    await office.at_rest()
    return report


async def read(office: Office, **changes: Any) -> Report:
    report = await reader(office, **changes).run_once()
    await office.at_rest()
    return report


async def opened(office: Office, text: str = "The export fails") -> Message:
    root = await office.world.ada.post(office.world.help, text)
    await office.at_rest()
    return root


async def not_read_for_a_day(office: Office) -> None:
    async with asyncio.timeout(20):
        # The desk itself notes, when it begins, that it has nothing to read yet.
        while not await office.sql.fetchval("select count(*) from threadesk.readings"):  # noqa: ASYNC110 - nobody says
            await asyncio.sleep(0.02)
    await office.sql.execute("update threadesk.readings set read_to = read_to - interval '1 day'")


def calls(office: Office, since: int = 0) -> list[tuple[str, str]]:
    """(method, channel) of each time that a conversation was read."""
    return [
        (one.method, one.args["channel"]) for one in office.sandbox.calls[since:] if one.method in (HISTORY, REPLIES)
    ]


def told(office: Office) -> list[str]:
    """What triage was told of what was read back."""
    return [one.text for one in office.sandbox.messages(office.world.triage) if "read back" in one.text]


async def numbers(office: Office) -> list[int]:
    return [
        row["number"] for row in await office.sql.fetch("select number from threadesk.desk_tickets order by number")
    ]


async def test_a_desk_that_was_closed_reads_back_what_it_missed(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql) as office:
        root = await opened(office)
        detail = await world.ada.post(world.help, "With 10 rows", thread_ts=root.ts)
        wrong = await world.ada.post(world.help, "My password is hunter2", thread_ts=root.ts)
        private = await world.bob.dm("Can I ask you something?")
        await office.at_rest()
        card = office.card(1)
    async with lost(office):
        await world.bob.post(world.help, "The import fails too")
        await world.ada.post(world.help, "It is urgent", thread_ts=root.ts)
        await world.linus.post(world.triage, "The nightly job again", thread_ts=card.ts)
        await world.ada.edit(detail, "With 10,000 rows")
        await world.ada.delete(wrong)
        await world.ada.post(world.help, "See the log", thread_ts=root.ts, files=[("crash.log", "text/plain", b"x")])
        await world.ada.post(world.help, "Anybody else?", thread_ts=root.ts, broadcast=True)
        await world.bob.dm("It is about the invoice")
    world.clock.advance(minutes=1)

    async with open_office(world, database_url, sql) as office:
        async with asyncio.timeout(20):
            while not told(office):  # noqa: ASYNC110 - nobody says when Slack shows something
                await asyncio.sleep(0.02)
        await office.at_rest()
        assert await numbers(office) == [1, 2, 3]
        assert await office.said(1) == [
            "The export fails",
            "With 10,000 rows",
            "",
            "It is urgent",
            "See the log",
            "Anybody else?",
        ]
        assert [one["name"] for one in (await office.ticket(1))["conversation_history"]["messages"][4]["attachments"]]
        assert await office.notes(1) == ["The nightly job again"]
        assert await office.said(2) == ["Can I ask you something?", "It is about the invoice"]
        assert await office.said(3) == ["The import fails too"]
        mirrored = "\n".join(office.thread(office.card(1)))
        for words in ("10,000 rows", "It is urgent", "See the log", "Anybody else?"):
            assert mirrored.count(words) == 1, words
        assert "hunter2" not in mirrored
        assert "The import fails too" in office.card(3).text
        (said,) = told(office)
        assert f"{world.help.mention.partition('|')[0]}>: 4 messages, 1 edit, 1 deletion" in said
        assert f"<#{world.triage.id}>: 1 message" in said
        assert "a direct message conversation: 1 message" in said
        assert private.channel.id not in said
        assert "Reactions" in said


async def test_nothing_new_costs_one_call_a_channel_and_is_not_said(office: Office) -> None:
    world = office.world
    root = await opened(office)
    await world.grace.post(world.help, "Looking into it", thread_ts=root.ts)
    await world.linus.post(world.triage, "A note", thread_ts=office.card().ts)
    await world.linus.command("/ticket", "reply 1 Try again", channel=world.triage)
    taken_back = await world.ada.post(world.help, "Oops", thread_ts=root.ts)
    await office.at_rest()
    await world.ada.delete(taken_back)
    await world.grace.post(world.help, "Release tonight")
    await world.ben.post(world.help, "Who is on call?")
    await office.at_rest()
    since = len(office.sandbox.calls)
    report = await read_hourly(office)
    assert sorted(calls(office, since)) == sorted([(HISTORY, world.help.id), (HISTORY, world.triage.id)])
    assert (report.channels, report.calls, report.recovered) == (2, 2, {})
    assert told(office) == []


async def test_what_was_missed_in_a_thread_whose_newest_reply_was_heard_is_read_back(office: Office) -> None:
    world = office.world
    root = await opened(office)
    async with lost(office):
        await world.ada.post(world.help, "Missed", thread_ts=root.ts)
    await world.ada.post(world.help, "Heard", thread_ts=root.ts)
    await office.at_rest()
    assert (await read(office)).messages == 1
    assert await office.said() == ["The export fails", "Missed", "Heard"]
    since = len(office.sandbox.calls)
    gone = await world.ada.post(world.help, "Heard too", thread_ts=root.ts)
    await office.at_rest()
    assert (await read_hourly(office)).messages == 0
    assert REPLIES not in dict(calls(office, since)), "as many replies are known as Slack has"
    async with lost(office):
        await world.ada.post(world.help, "Missed too", thread_ts=root.ts)
        await world.ada.delete(gone)
    await world.ada.post(world.help, "Heard last", thread_ts=root.ts)
    await office.at_rest()
    assert (await read(office)).messages == 1
    assert (await office.said())[2:] == ["Heard", "", "Missed too", "Heard last"]


async def test_a_channel_that_was_read_is_not_read_again_within_the_hour(office: Office) -> None:
    first = reader(office)
    assert (await first.run_once()).channels == 2
    assert (await first.run_once()).channels == 0
    office.world.clock.advance(minutes=61)
    assert (await first.run_once()).channels == 2


async def test_two_desks_read_once(office: Office) -> None:
    one, other = reader(office), reader(office)
    async with lost(office):
        await office.world.ada.post(office.world.help, "The export fails")
    since = len(office.sandbox.calls)
    reports = await asyncio.gather(one.run_once(), other.run_once())
    await office.at_rest()
    assert sum(report.channels for report in reports) == len(calls(office, since)) == 2
    assert sum(report.messages for report in reports) == 1
    assert len(told(office)) == 1


async def test_a_missed_answer_is_read_back_though_a_later_one_was_heard(office: Office) -> None:
    root = await opened(office)
    async with lost(office):
        await office.world.ada.post(office.world.help, "It is urgent", thread_ts=root.ts)
        await office.world.linus.post(office.world.triage, "The nightly job again", thread_ts=office.card().ts)
    await office.world.ada.post(office.world.help, "Anybody there?", thread_ts=root.ts)
    await office.at_rest()
    assert (await read(office)).messages == 2
    assert await office.said() == ["The export fails", "It is urgent", "Anybody there?"]
    assert await office.notes() == ["The nightly job again"]


async def test_events_before_meanwhile_and_after_double_nothing(office: Office) -> None:
    world = office.world
    root = await opened(office)
    async with held_back(office):
        early = await world.ada.post(world.help, "Before", thread_ts=root.ts)
        during = await world.ada.post(world.help, "Meanwhile", thread_ts=root.ts)
        after = await world.ada.post(world.help, "After", thread_ts=root.ts)
        await world.ada.edit(during, "Meanwhile, edited")
        other = await world.bob.post(world.help, "The import fails")
        seen = [await events_about(office, one, 2 if one is during else 1) for one in (early, during, after, other)]
    await deliver(office, *seen[0])
    told_of = [send(office, each.parcel.body) for each in (*seen[1], *seen[3])]
    *statuses, _ = await asyncio.gather(*told_of, read(office))
    assert set(statuses) == {200}
    for each in seen:
        await deliver(office, *each)
    await office.at_rest()
    assert await office.said(1) == ["The export fails", "Before", "Meanwhile, edited", "After"]
    assert await office.said(2) == ["The import fails"]
    assert await numbers(office) == [1, 2]
    assert office.thread(office.card(1)).count("After") == 1


async def test_an_edit_that_was_read_back_and_is_told_later_is_one_edit(office: Office) -> None:
    world = office.world
    root = await opened(office)
    async with lost(office):
        await world.ada.edit(root, "The import fails")
        edits = (await events_about(office, root, 2))[1:]
    assert (await read(office)).edits == 1
    read_back = (await office.ticket())["conversation_history"]["messages"][0]
    assert read_back["content"] == "The import fails"
    await deliver(office, *edits)
    exact = (await office.ticket())["conversation_history"]["messages"][0]
    assert [one["content"] for one in exact["earlier"]] == ["The export fails"]
    assert exact["edited_at"] != read_back["edited_at"]
    assert (await read(office)).edits == 0
    assert (await office.ticket())["title"] == "The import fails"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_what_was_edited_before_it_was_read_back_gets_its_earlier_words_when_they_are_told(
    office: Office, order: tuple[int, ...]
) -> None:
    """Slack tells a minute, and five minutes, later what it could not tell at once."""
    world = office.world
    root = await opened(office)
    async with lost(office):
        reply = await world.ada.post(world.help, "First", thread_ts=root.ts)
        await world.ada.edit(reply, "Second")
        await world.ada.edit(reply, "Third")
        events = await events_about(office, reply, 3)
    assert (await read(office)).messages == 1
    read_back = (await office.ticket())["conversation_history"]["messages"][1]
    assert (read_back["content"], "earlier" in read_back) == ("Third", False)
    for at in order:
        await deliver(office, events[at], events[at])
    assert (await read(office)).messages == 0
    exact = (await office.ticket())["conversation_history"]["messages"][1]
    assert [*(one["content"] for one in exact["earlier"]), exact["content"]] == ["First", "Second", "Third"]
    await world.ada.edit(reply, "Fourth")
    await office.at_rest()
    exact = (await office.ticket())["conversation_history"]["messages"][1]
    assert [one["content"] for one in exact["earlier"]] == ["First", "Second", "Third"]
    assert sum("Fourth" in one for one in office.thread(office.card())) == 1


async def test_an_edit_told_of_a_message_that_is_read_back_with_it_is_not_its_own_earlier_version(
    office: Office,
) -> None:
    world = office.world
    root = await opened(office)
    async with lost(office):
        reply = await world.ada.post(world.help, "First", thread_ts=root.ts)
        await world.ada.edit(reply, "Second")
        _, edit = await events_about(office, reply, 2)
    await deliver(office, edit)
    await read(office)
    word = (await office.ticket())["conversation_history"]["messages"][1]
    assert [*(one["content"] for one in word["earlier"]), word["content"]] == ["First", "Second"]


async def test_a_command_is_carried_out_once_and_answered(office: Office) -> None:
    world = office.world
    root = await opened(office)
    async with lost(office):
        claim = await world.grace.post(world.help, f"{office.sandbox.bot.mention} claim", thread_ts=root.ts)
        await world.linus.post(world.triage, f"{office.sandbox.bot.mention} close 99")
        await world.bob.post(world.help, f"{office.sandbox.bot.mention} please help with the import")
        live = await events_about(office, claim, 2)
    report = await read(office)
    assert report.messages == 3
    assert len((await office.ticket(1))["assigned_to"]) == 1
    assert any("No ticket #99" in one for one in private_answers(world.triage, world.linus))
    assert await office.said(2) == ["please help with the import"]
    await deliver(office, *live)
    since = len(office.sandbox.calls)
    assert (await read_hourly(office)).messages == 0
    assert REPLIES not in dict(calls(office, since)), "its newest reply is no ticket's message, and was read before"
    assert len(private_answers(world.triage, world.linus)) == 1
    assert await office.said(1) == ["The export fails"]


async def test_a_ticket_is_not_closed_over_what_the_customer_wrote_later(office: Office) -> None:
    world, bot = office.world, office.sandbox.bot
    root = await opened(office)
    async with lost(office):
        await world.linus.post(world.triage, f"{bot.mention} close 1")
        await world.linus.post(world.triage, f"{bot.mention} spam 1")
        await world.ada.post(world.help, "It is back", thread_ts=root.ts)
    await read(office)
    assert (await office.ticket())["status"] == "new"
    assert await office.said() == ["The export fails", "It is back"]
    answers = private_answers(world.triage, world.linus)
    assert len([one for one in answers if "The customer has written on #1 since" in one]) == 2
    await world.linus.post(world.triage, f"{bot.mention} close 1")
    await office.at_rest()
    assert (await office.ticket())["status"] == "closed"


async def test_a_customers_answer_in_an_agents_thread_opens_a_ticket(office: Office) -> None:
    world = office.world
    async with lost(office):
        root = await world.grace.post(world.help, "Does the new export work for you?")
        await world.ada.post(world.help, "No", thread_ts=root.ts)
    report = await read(office)
    assert await office.said(1) == ["Does the new export work for you?", "No"]
    assert report.messages == 1 + 1


async def test_the_root_of_a_live_thread_that_became_a_tombstone_loses_its_words(office: Office) -> None:
    root = await opened(office, "My password is hunter2")
    async with lost(office):
        await office.world.ada.delete(root)
    assert (await read(office)).deletions == 1
    assert await office.said() == [""]
    assert (await office.ticket())["title"] == "(deleted)"
    assert (await read(office)).deletions == 0


async def test_what_was_said_before_the_channel_was_chosen_is_not_imported(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    old = await world.ada.post(world.help, "Long before the desk")
    async with open_office(world, database_url, sql) as office:
        async with lost(office):
            await world.ada.post(world.help, "Still the old matter", thread_ts=old.ts)
            await world.bob.post(world.help, "A new matter")
        # As of a channel that was served before, and then not.
        await not_read_for_a_day(office)
        await read(office)
        assert await numbers(office) == [1]
        assert await office.said() == ["A new matter"]


def hide(channel: Channel, *hidden: Message) -> None:
    """As retention does: without a word, with the threads below."""
    for message in hidden:
        for reply in [*channel.replies(message.ts)]:
            channel.drop(reply)
        channel.drop(message)


async def test_retention_is_no_deletion(office: Office) -> None:
    """Each company's settings hide its own oldest messages: https://slack.com/help/articles/115004152843"""
    world = office.world
    acmes = await world.ben.post(world.help, "By Acme, which keeps everything")
    await office.at_rest()
    oldest = [await opened(office, text) for text in ("By Globex", "By Globex too")]
    kept = await opened(office, "Younger")
    async with lost(office):
        hide(world.help, *oldest)
    assert (await read(office)).recovered == {}
    assert [await office.said(number) for number in (2, 3)] == [["By Globex"], ["By Globex too"]]
    async with lost(office):
        hide(world.help, acmes, kept)
    assert (await read(office)).recovered == {}, "nothing of Slack's is left"


async def test_what_is_gone_between_messages_that_are_shown_was_deleted(office: Office) -> None:
    world = office.world
    roots = [await opened(office, text) for text in ("One", "Two", "Three")]
    await world.ada.post(world.help, "More of it", thread_ts=roots[1].ts)
    await office.at_rest()
    async with lost(office):
        hide(world.help, roots[1])
    assert (await read(office)).deletions == 2
    assert [await office.said(number) for number in (1, 2, 3)] == [["One"], ["", ""], ["Three"]]
    assert (await read(office)).deletions == 0


async def test_reading_pauses_when_slack_says_so_and_completes(office: Office) -> None:
    world = office.world
    root = await opened(office)
    async with lost(office):
        await world.ada.post(world.help, "It is urgent", thread_ts=root.ts)
        await world.bob.post(world.help, "The import fails")
    office.sandbox.disrupt(HISTORY, "ratelimited", seconds=1)
    office.sandbox.disrupt(REPLIES, "ratelimited", seconds=1)
    started, since = asyncio.get_running_loop().time(), len(office.sandbox.calls)
    assert (await read(office)).messages == 2
    assert asyncio.get_running_loop().time() - started >= 2
    assert [how for how, where in calls(office, since) if where == world.help.id] == [HISTORY, REPLIES]
    assert await office.said(1) == ["The export fails", "It is urgent"]


@pytest.mark.parametrize("how", ["http_500", "cut_after"])
async def test_reading_is_tried_again_and_then_left_for_the_next_run(office: Office, how: Any) -> None:
    world = office.world
    async with lost(office):
        await world.ada.post(world.help, "The export fails")
    office.sandbox.disrupt(HISTORY, how, times=2)
    assert (await read(office)).messages == 1
    async with lost(office):
        await world.bob.post(world.help, "The import fails")
    office.sandbox.disrupt("*", how, times=100)
    again = reader(office)
    assert (await again.run_once()).messages == 0
    office.sandbox.slack.faults._waiting.clear()
    await office.sql.execute("update threadesk.readings set leased_until = '-infinity'")
    assert (await again.run_once()).messages == 1


async def test_a_channel_that_slack_does_not_show_keeps_no_other_from_being_read(office: Office) -> None:
    world = office.world
    await opened(office)
    async with lost(office):
        await world.linus.post(world.triage, "A note", thread_ts=office.card().ts)
        await office.sandbox.kick(world.help, office.sandbox.bot)
    assert (await read(office)).messages == 1
    assert await office.notes() == ["A note"]


async def test_a_long_history_is_read_page_by_page(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "PAGE", 2)
    world = office.world
    root = await opened(office)
    async with lost(office):
        for number in range(3):
            await world.ada.post(world.help, f"Answer {number}", thread_ts=root.ts)
        for number in range(3):
            await world.bob.post(world.help, f"Request {number}")
    since = len(office.sandbox.calls)
    assert (await read(office)).messages == 6
    assert await office.said(1) == ["The export fails", "Answer 0", "Answer 1", "Answer 2"]
    assert [await office.said(number) for number in (2, 3, 4)] == [[f"Request {number}"] for number in range(3)]
    assert calls(office, since).count((HISTORY, world.help.id)) == 2
    assert calls(office, since).count((REPLIES, world.help.id)) == 3


async def test_a_message_at_which_the_desk_fails_holds_back_no_other(office: Office) -> None:
    world = office.world
    async with lost(office):
        await world.ada.post(world.help, "One")
        await world.bob.post(world.help, "Two, which breaks the desk")
        await world.ben.post(world.help, "Three")
    services = office.running.services

    failures: list[str] = []

    async def take_in(event: Mapping[str, Any]) -> None:
        if "breaks" in event["text"] or ("One" in event["text"] and not failures):
            failures.append(event["text"])
            raise ZeroDivisionError
        await messages.heard(services, event)

    world.clock.advance(minutes=2)
    assert (await CatchUp(services, take_in).run_once()).messages == 2
    await office.sql.execute("update threadesk.readings set leased_until = '-infinity'")
    again = CatchUp(services, functools.partial(messages.heard, services))
    assert (await again.run_once()).messages == 1, "the channel was not read past it"
    assert [await office.said(number) for number in (1, 2, 3)] == [["One"], ["Three"], ["Two, which breaks the desk"]]


async def test_what_may_be_on_its_way_as_an_event_is_left_to_it(office: Office) -> None:
    async with held_back(office):
        await office.world.ada.post(office.world.help, "Just now")
    services = replace(office.running.services, now=lambda: dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5))
    young = CatchUp(services, functools.partial(messages.heard, services))
    await not_read_for_a_day(office)
    report = await young.run_once()
    assert (report.channels, report.messages) == (2, 0)
    assert (await read(office)).messages == 1


async def test_events_that_failed_are_read_back_when_the_database_is_back(office: Office, postgres: str) -> None:
    async with held_back(office):
        root = await office.world.ada.post(office.world.help, "The export fails")
        (event,) = await events_about(office, root)
    name = await office.sql.fetchval("select current_database()")
    mine = await office.sql.fetchval("select pg_backend_pid()")
    administrator = await asyncpg.connect(postgres)
    try:
        await administrator.execute(f"alter database {name} allow_connections false")
        await administrator.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> $2", name, mine
        )
        assert await send(office, event.parcel.body) == 500
    finally:
        await administrator.execute(f"alter database {name} allow_connections true")
        await administrator.close()
    async with asyncio.timeout(20):
        while not await numbers(office):  # noqa: ASYNC110 - nobody says when
            await asyncio.sleep(0.02)
    assert await office.said() == ["The export fails"]


async def test_slack_may_say_that_it_dropped_events(office: Office) -> None:
    """https://docs.slack.dev/reference/events/app_rate_limited"""
    async with held_back(office):
        await office.world.ada.post(office.world.help, "The export fails")
    body = b'{"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1518467820, "api_app_id": "A1"}'
    assert await send(office, body) == 200
    async with asyncio.timeout(20):
        while not await numbers(office):  # noqa: ASYNC110 - nobody says when
            await asyncio.sleep(0.02)


async def test_a_ticket_that_another_program_deleted_does_not_come_back(office: Office) -> None:
    await opened(office)
    await office.world.bob.post(office.world.help, "Please forget all about me")
    await office.at_rest()
    office.world.clock.advance(hours=1)
    await read(office)
    await office.sql.execute("delete from public.tickets where title = 'Please forget all about me'")
    office.world.clock.advance(hours=1)
    assert (await read(office)).messages == 0
    assert await numbers(office) == [1]


async def test_what_an_agent_wrote_before_they_were_one_is_no_command(office: Office) -> None:
    world, bot = office.world, office.sandbox.bot
    await opened(office)
    async with lost(office):
        await office.sandbox.invite(world.triage, world.ben)
        early = await world.ben.post(world.triage, f"{bot.mention} claim 1")
        heard = await events_about(office, early, 2)
    await deliver(office, *heard)
    await triage.check(office.running.services, world.triage.id)
    await read(office)
    assert (await office.ticket())["assigned_to"] == []
    told = "Only agents can use `claim`. For all that you can use: `@desk help`"
    assert private_answers(world.triage, world.ben) == [told]
