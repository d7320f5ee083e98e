"""Tickets that other programs write are worked from Slack, and what they write to any ticket is shown there."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal
from uuid import UUID, uuid4

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.sandbox import Message
from tests.conftest import Office, World, open_office, open_world, other_program, own_database
from tests.delivery.test_courier import by_desk, command, opened, until, visible_to_customers
from tests.listeners.test_disorder import alone
from tests.storage.test_other_programs import TAKEN_UP
from tests.web_app import WebApp, web_app

MARY = "mary@initech.example"


def in_thread(office: Office, number: int, words: str) -> Message:
    root = office.card(number)
    (found,) = [one for one in office.sandbox.messages(root.channel, thread_ts=root.ts)[1:] if words in one.text]
    return found


async def test_of_a_ticket_from_before_the_desk_only_what_is_new_alerts_who_has_it(
    office: Office, database_url: str
) -> None:
    await opened(office)
    await command(office, "claim 1")
    await office.at_rest()
    linus = (await office.ticket())["assigned_to"]
    async with web_app(database_url, office.sql) as web:
        mary = await web.customer("Mary Somerville", MARY)
        await office.sql.execute("alter table tickets disable trigger threadesk_changed")
        ticket = await web.open(mary, MARY, "The invoice is wrong", "email")
        await web.set(ticket, assigned_to=linus, status="open")
        await office.sql.execute("alter table tickets enable trigger threadesk_changed")
        await office.sql.execute(TAKEN_UP)
        await office.at_rest()
        await web.append(ticket, mary, "Any news?")
        await office.at_rest()
    assert "🔔" not in in_thread(office, 2, "The invoice is wrong").text
    assert f"🔔 {office.world.linus.mention}" in in_thread(office, 2, "Any news?").text


async def test_a_ticket_by_e_mail_is_worked_from_slack(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with (
        open_office(world, database_url, sql, reply_undo_seconds=60) as office,
        web_app(database_url, sql) as web,
    ):
        mary = await web.customer("Mary Somerville", MARY)
        ticket = await web.open(mary, MARY, "The invoice is wrong", "email")
        await office.at_rest()
        assert "Customer writes by e-mail" in office.card().text
        assert "From *Mary Somerville* (mary@initech.example) · unassigned" in office.card().text
        mirrored = in_thread(office, 1, "The invoice is wrong")
        assert mirrored.username == "Mary Somerville"

        for text in (
            "claim 1",
            f"assign 1 {world.grace.mention}",
            "priority 1 high",
            "tag 1 +billing",
            "title 1 Invoice",
        ):
            await command(office, text)
        await command(office, "note 1 SECRET seen before")
        await command(office, "reply 1 Never mind")
        await office.at_rest()
        taken_back = in_thread(office, 1, "Never mind")
        assert (await world.linus.click(taken_back, action_id="undo_reply")).ok
        answer = await world.linus.command("/ticket", "reply 1 Sent again", channel=world.triage)
        assert "is handed over, for the customer who writes by e-mail in 60 s" in json.dumps(answer.body)
        await office.at_rest()
        assert await office.said() == ["The invoice is wrong"], "a held reply is not in the row"

        world.clock.advance(seconds=61)
        await office.at_rest()
        assert await office.said() == ["The invoice is wrong", "Sent again"]
        row = await office.ticket()
        assert (row["status"], row["priority"], row["tags"], row["title"]) == (
            "pending",
            "high",
            ["billing"],
            "Invoice",
        )
        assert len(row["assigned_to"]) == 2
        assert await office.notes() == ["SECRET seen before"]
        assert "is in the ticket, for the customer who writes by e-mail" in in_thread(office, 1, "Sent again").text
        assert "undone" in taken_back.text

        await web.append(ticket, mary, "Thank you", "open")
        await office.at_rest()
        assert world.linus.mention in in_thread(office, 1, "Thank you").text
        await command(office, "close 1")
        await office.at_rest()
        await web.rate(ticket, 2)
        await office.at_rest()
        assert "★★☆☆☆" in office.card().text
        assert "Mary Somerville rated #1: ★★☆☆☆ 2 of 5" in in_thread(office, 1, "rated").text
        await command(office, "reopen 1")
        await command(office, "spam 1")
        await office.at_rest()
        assert "not a ticket" in office.card().text

        posts = [one.args["channel"] for one in office.sandbox.calls if one.method == "chat.postMessage"]
        assert set(posts) == {world.triage.id}, "nothing of it is anywhere else"
        assert by_desk(office, world.help) == []


async def test_what_a_web_app_writes_to_a_ticket_from_slack_is_there_within_five_seconds(
    office: Office, database_url: str
) -> None:
    root = await opened(office)
    (ticket,) = [row["id"] for row in await office.sql.fetch("select id from tickets")]
    requester = await office.sql.fetchval("select requester from threadesk.desk_tickets")
    async with web_app(database_url, office.sql) as web:
        await web.append(ticket, web.staff, "Which browser?", "pending")
        await web.append(ticket, requester, "Firefox", "open")
        await web.set(
            ticket, tags=["export"], assigned_to=[web.staff], internal_notes={"notes": [word(web.staff, "SECRET")]}
        )
        began = time.monotonic()

        async def shown() -> bool:
            return office.thread(root)[1:] == ["Which browser?", "Firefox"] and "1 not in Slack" in office.card().text

        await until(shown)
        assert time.monotonic() - began < 5
        await office.at_rest()
        assert "a colleague is on it" in office.thread(root)[0]
        assert "#export" in office.card().text
        assert [text for text in office.thread(office.card()) if "SECRET" not in text] == [
            "The export fails",
            "Which browser?",
            "Firefox",
        ]
        assert len(office.thread(office.card())) == 4
        assert "SECRET" not in visible_to_customers(office)

        # It may also take out what is to be read by nobody, and take a message of its own back.
        history = (await office.ticket())["conversation_history"]
        first, question, *rest = history["messages"]
        first |= {"content": "The [number] fails", "edited_at": "2026-11-22T10:00:00+00:00"}
        question |= {"deleted_at": "2026-11-22T10:00:00+00:00"}
        await web.set(ticket, conversation_history={"messages": [first, question, *rest]})
        await office.at_rest()
        assert office.thread(root)[1:] == ["Firefox"]
        talk = [text for text in office.thread(office.card()) if "SECRET" not in text]
        assert [text.splitlines()[0] for text in talk] == ["The [number] fails", "Firefox"]

        # What it says of the status is its own: the desk makes nothing of a message that is no event of Slack's.
        await web.set(ticket, status="closed")
        await web.append(ticket, requester, "One more thing")
        await office.at_rest()
        assert (await office.ticket())["status"] == "closed"
        await web.append(ticket, requester, "And another", "open")
        await office.at_rest()
        assert "🟢 Open" in office.card().text


def word(author: object = None, content: object = "Words", **changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "content": content,
        "created_at": "2026-11-22T10:00:00+00:00",
        "created_by": None if author is None else str(author),
        "attachments": [],
    } | changes


async def test_what_another_program_writes_wrong_is_said_and_holds_nobody_up(office: Office, database_url: str) -> None:
    """Tables that were there before the desk may take any JSON."""
    await office.sql.execute(
        """
        alter table tickets drop constraint tickets_conversation_history_shape, drop constraint tickets_status_known,
          drop constraint tickets_custom_fields_shape, drop constraint tickets_feedback_shape,
          disable trigger tickets_check_new_assignees;
        """
    )
    root = await opened(office)
    (ticket,) = [row["id"] for row in await office.sql.fetch("select id from tickets")]
    async with web_app(database_url, office.sql) as web:
        (first,) = (await office.ticket())["conversation_history"]["messages"]
        odd = word(content={"html": "<b>Odd</b>"}, created_at="soon", attachments="none")
        bad = [first, odd, odd, word(id="17"), 5, None]
        await web.set(ticket, conversation_history={"messages": bad}, status="resolved", feedback=[5])
        await web.set(ticket, custom_fields=["a", "b"], tags=["a", None, "b"], assigned_to=[None, web.staff])
        await office.at_rest()
        said = office.card().text
        for flaw in (
            "messages whose `id` is no uuid, which I cannot show (3)",
            "messages whose `id` another one has, which I show once (1)",
            "messages in which a field is missing or wrong (1)",
            "a `status` that is none of new, open, pending, closed",
            "`tags` that are no plain list",
            "`custom_fields` that are no object",
            "a `feedback` without a rating",
        ):
            assert flaw in said
        assert "🟢 Open" in said
        assert "assigned to 1 not in Slack" in said
        assert "#a #b" in said
        assert 'html": "&lt;b&gt;Odd' in office.thread(office.card())[-1]

        # Slack's side goes on, and destroys nothing.
        await office.world.ada.post(office.world.help, "Still there?", thread_ts=root.ts)
        await office.at_rest()
        for text in ("show 1", "list all", "set 1 plan=gold", "reply 1 Yes", "close 1"):
            await command(office, text)
            await office.at_rest()
        row = await office.ticket()
        kept = [one for one in row["conversation_history"]["messages"] if one in bad]
        assert Counter(map(str, kept)) == Counter(map(str, bad))
        told = [one["content"] for one in row["conversation_history"]["messages"] if isinstance(one, dict)]
        assert [words for words in told if isinstance(words, str) and words != "Words"] == [
            "The export fails",
            "Still there?",
            "Yes",
        ]
        assert row["custom_fields"] == {"unreadable": ["a", "b"], "plan": "gold"}
        assert office.thread(root).count("Yes") == 1

        await web.set(ticket, conversation_history=["nothing", "like it"], status="open", feedback=None, tags=["a"])
        await office.world.ada.post(office.world.help, "Hello?", thread_ts=root.ts)
        await office.at_rest()
        history = (await office.ticket())["conversation_history"]
        assert history["unreadable"] == [["nothing", "like it"]]
        assert [one["content"] for one in history["messages"]] == ["Hello?"]
        assert "a `conversation_history` that is not" in office.card().text
        assert "⚠️" not in office.thread(root)[0], "customers are not told"

        await web.set(ticket, conversation_history={"messages": history["messages"]})
        await office.at_rest()
        assert "⚠️" not in office.card().text


async def test_an_import_of_thousands_holds_up_nobody(office: Office, database_url: str) -> None:
    async with web_app(database_url, office.sql) as web:
        mary = await web.customer("Mary Somerville", MARY)
        await web.sql.execute(
            """
            insert into tickets (title, description, status, priority, source_channel, created_by, created_at)
            select 'Old ' || n, 'Old', case when n % 2 = 0 then 'closed' else 'new' end, 'low', 'email', $1,
              now() - interval '1 year'
            from generate_series(1, 2000) as n
            """,
            mary,
        )
        root = await office.world.ada.post(office.world.help, "The export fails")
        await web.open(mary, MARY, "The invoice is wrong", "email")

        def cards() -> list[str]:
            return [one.text for one in office.sandbox.messages(office.world.triage)]

        async def both_shown() -> bool:
            return all(any(words in one for one in cards()) for words in ("The export fails", "The invoice is wrong"))

        await until(both_shown)
        assert len(cards()) < 500, "long before what was imported"
        assert len(office.thread(root)) == 1
        waiting = await office.sql.fetchval("select count(*) from threadesk.to_show where later")
        assert 500 < waiting < 1_000, "the rest is shown when nothing else is to be, and what came closed not at all"
        assert await office.sql.fetchval("select count(*) from threadesk.desk_tickets") == 2_002


Who = Literal["mary", "staff", "ada", "grace", "linus"]


@dataclass(frozen=True)
class Act:
    """Who writes what to which of the two tickets: the one from Slack, or the one from the web."""

    who: Who
    ticket: Literal["slack", "web"]
    how: Literal["message", "note", "rating", "tags"] = "message"


#: Ada and Grace write in the thread of the ticket from Slack; only there are they at home.
WRITTEN = (
    *(Act(who, "slack") for who in ("staff", "ada", "grace", "linus")),
    *(Act(who, "web") for who in ("mary", "staff", "linus")),
    *(Act("linus", where, "note") for where in ("slack", "web")),
    *(Act("mary", "web", how) for how in ("rating", "tags")),
)


@dataclass
class Shop:
    """A desk and a web app at work on the same tables."""

    office: Office
    web: WebApp
    other: asyncpg.Connection
    words = count()

    async def play(self, acts: Sequence[Act]) -> None:
        """Both sides act at the same time, each in its order; then the rows and Slack hold what both have said."""
        office, name = self.office, f"round{next(self.words)}"
        mary = await self.web.customer("Mary Somerville", email := f"{name}@initech.example")
        tickets = {"web": await self.web.open(mary, email, f"{name} from the web")}
        root = await office.world.ada.post(office.world.help, f"{name} from Slack")
        await office.at_rest()
        found = await office.sql.fetch("select t.id, number, title from tickets t join threadesk.desk_tickets d"
            " on d.ticket_id = t.id where title like $1 || ' %'", name)  # fmt: skip
        numbers = {("slack" if row["title"].endswith("Slack") else "web"): row["number"] for row in found}
        tickets["slack"] = next(row["id"] for row in found if row["title"].endswith("Slack"))
        said = [(act, f"{act.how}-{act.who}-{name}-{place}-") for place, act in enumerate(acts)]

        async def side(*who: Who) -> None:
            for act, words in said:
                if act.who in who:
                    await self._act(act, words, mary, tickets[act.ticket], numbers[act.ticket], root)

        await asyncio.gather(side("mary", "staff"), side("ada", "grace"), side("linus"))
        await office.at_rest()
        for where, number in numbers.items():
            self._is_as_said([(act, words) for act, words in said if act.ticket == where], await office.ticket(number))
            self._is_shown([(act, words) for act, words in said if act.ticket == where], office.card(number))
        messages = [(act, words) for act, words in said if act.ticket == "slack" and act.how == "message"]
        in_thread = [one.text for one in office.sandbox.messages(root.channel, thread_ts=root.ts)]
        _each_once_and_in_order(messages, in_thread)
        assert "note-" not in json.dumps(in_thread)

    async def _act(self, act: Act, words: str, mary: UUID, ticket: UUID, number: int, root: Message) -> None:
        world = self.office.world
        match act.who, act.how:
            case "mary", "rating":
                await self.web.rate(ticket, 4)
            case "mary", "tags":
                await self.web.set(ticket, tags=[words])
            case (("mary" | "staff"), _):
                await self.web.append(ticket, mary if act.who == "mary" else self.web.staff, words)
            case (("ada" | "grace"), _):
                await getattr(world, act.who).post(world.help, words, thread_ts=root.ts)
            case _, how:
                verb = "note" if how == "note" else "reply"
                assert (await world.linus.command("/ticket", f"{verb} {number} {words}", channel=world.triage)).ok

    def _is_as_said(self, said: Sequence[tuple[Act, str]], row: dict[str, Any]) -> None:
        for how, column, key in (("message", "conversation_history", "messages"), ("note", "internal_notes", "notes")):
            held = (row[column] or {key: []})[key]
            times = [one["created_at"] for one in held]
            assert times == sorted(times), "in the order in which it was written"
            assert len({one["id"] for one in held}) == len(held)
            own = [(act, words) for act, words in said if act.how == how]
            assert len(held) == len(own) + (how == "message"), "all of it, and what the ticket was opened with"
            _each_once_and_in_order(own, [one["content"] for one in held])
        tags = [words for act, words in said if act.how == "tags"]
        assert (row["tags"] or []) == tags[-1:]
        assert bool(row["feedback"]) == any(act.how == "rating" for act, _ in said)

    def _is_shown(self, said: Sequence[tuple[Act, str]], card: Message) -> None:
        thread = self.office.thread(card)
        own = [(act, words) for act, words in said if act.how in {"message", "note"}]
        _each_once_and_in_order(own, thread)
        assert len(thread) == len(own) + 1
        assert ("★★★★☆" in card.text) == any(act.how == "rating" for act, _ in said)


def _each_once_and_in_order(said: Sequence[tuple[Act, str]], texts: Sequence[str]) -> None:
    """Everybody's words stand there once, and what one and the same has said in its order."""
    places = {words: [at for at, text in enumerate(texts) if words in text] for _, words in said}
    assert all(len(found) == 1 for found in places.values()), places
    for who in {(act.who, act.how) for act, _ in said}:
        own = [places[words] for act, words in said if (act.who, act.how) == who]
        assert own == sorted(own)


@asynccontextmanager
async def open_shop(postgres: str, template: str) -> AsyncIterator[Shop]:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(open_world())
        url = await stack.enter_async_context(own_database(postgres, template))
        sql = await stack.enter_async_context(other_program(url))
        office = await stack.enter_async_context(open_office(world, url, sql))
        web = await stack.enter_async_context(web_app(url, sql))
        yield Shop(office, web, sql)


def test_what_a_web_app_and_the_desk_write_at_the_same_time_all_arrives(postgres: str, template: str) -> None:
    @settings(max_examples=4, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
    @given(acts=st.lists(st.sampled_from(WRITTEN), min_size=4, max_size=12))
    def all_arrives(acts: Sequence[Act]) -> None:
        runner.run(shop.play(acts))

    with alone(open_shop(postgres, template)) as (runner, shop):
        all_arrives()
