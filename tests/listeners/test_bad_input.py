"""What must not bring the desk down: strange words and people, forged requests, and a database that is away."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import asyncpg
import pytest

from bot.sandbox import Message, Person
from tests.conftest import Office, World, open_office
from tests.listeners.slack_side import deliver, events_about, held_back, private_answers, send
from tests.listeners.test_buttons import forged, in_thread, pressed
from tests.listeners.test_forms import submission

AWAY = "The desk cannot reach its database just now. Nothing was changed; please try again in a minute."
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def opened_by_ada(office: Office, words: str = "The export fails", *, raw: bool = False) -> Message:
    root = await office.world.ada.post(office.world.help, words, raw=raw)
    await office.at_rest()
    return root


async def ticket_count(office: Office) -> int:
    return int(await office.sql.fetchval("select count(*) from tickets"))


def marked_up(part: Any) -> list[str]:
    """What Slack reads as mrkdwn in an argument of chat.*: plain text objects are shown as they are."""
    match part:
        case str():
            return [part]
        case list():
            return [text for one in part for text in marked_up(one)]
        case dict() if part.get("type") != "plain_text":
            return [text for one in part.values() for text in marked_up(one)]
        case _:
            return []


def said_by_the_desk(office: Office) -> str:
    """Everything that the desk has sent to Slack and that Slack reads as mrkdwn."""
    sent = [call.args for call in office.sandbox.calls if call.method.startswith("chat.")]
    return "\n".join(marked_up([[args.get("text"), args.get("blocks")] for args in sent]))


# Words


@pytest.mark.parametrize("letter", ["x", "&", "ö", "😀", "<", "a "])
async def test_a_message_of_40000_characters_is_kept_whole_and_shown_as_far_as_slack_allows(
    office: Office, letter: str
) -> None:
    words = (letter * 40_000)[:40_000].strip()
    root = await opened_by_ada(office, words)
    assert await office.said() == [words]
    assert len((await office.ticket())["title"]) <= 120
    assert office.sandbox.find(office.world.triage, "|the original> is longer than one message here_")

    await office.world.ada.edit(root, words[:-1] + "!")
    await office.at_rest()
    assert await office.said() == [words[:-1] + "!"]
    assert office.sandbox.find(office.world.triage, "_edited · shortened")


async def test_a_message_without_words_is_a_ticket_that_says_so(office: Office) -> None:
    root = await opened_by_ada(office, " ")
    assert ((await office.ticket())["title"], await office.said()) == ("(no words)", [" "])
    assert office.thread(office.card()) == ["_no words_"]
    assert office.thread(root) == ["Ticket #1 · *🔵 New* · nobody is on it yet"]


async def test_what_postgresql_cannot_keep_becomes_a_replacement_character(office: Office) -> None:
    await opened_by_ada(office, "a\x00b \ud800c \u202eevil", raw=True)
    assert await office.said() == ["a\ufffdb \ufffdc \u202eevil"]
    assert (await office.ticket())["title"] == "a\ufffdb \ufffdc \u202eevil"
    assert office.thread(office.card()) == ["a\ufffdb \ufffdc \u202eevil"]


async def test_words_alert_nobody_where_they_are_mirrored(office: Office) -> None:
    grace = office.world.grace
    await opened_by_ada(office, f"<!channel> <!here> <!subteam^S01|@leads> {grace.mention} help", raw=True)
    assert await office.said() == ["@channel @here @leads @Grace Hopper help"]
    assert office.thread(office.card()) == ["@channel @here @leads @Grace Hopper help"]
    assert not re.search(r"<!|<@", said_by_the_desk(office).replace("<!date^", "")), "nor on the card or elsewhere"


async def test_typed_markup_stays_what_was_typed(office: Office) -> None:
    typed = "<!channel> <https://evil.example|https://bank.example> <@U123> &lt;b&gt; '; drop table tickets; --"
    await opened_by_ada(office, typed)
    assert (await office.said())[0].startswith("<!channel> <https://evil.example")
    assert "drop table tickets; --" in (await office.ticket())["title"]
    assert "<!channel>" not in said_by_the_desk(office)
    assert "<https://evil.example|" not in said_by_the_desk(office)


# People


async def test_who_is_unknown_to_slack_gets_a_ticket_all_the_same(office: Office) -> None:
    world = office.world
    async with held_back(office):
        root = await world.ada.post(world.help, "The export fails")
        events = await events_about(office, root)
    del office.sandbox.slack.workspace.people[world.ada.id]
    await deliver(office, *events)
    await office.at_rest()
    assert (await office.said(), await ticket_count(office)) == (["The export fails"], 1)
    assert "From *somebody* (Globex)" in office.card().text
    assert office.sandbox.find(world.triage, "The export fails").username in {None, "Customer"}
    assert office.thread(root) == ["Ticket #1 · *🔵 New* · nobody is on it yet"]


async def test_what_somebody_wrote_before_they_were_deactivated_is_a_ticket(office: Office) -> None:
    world = office.world
    async with held_back(office):
        root = await world.ada.post(world.help, "The export fails")
        events = await events_about(office, root)
    office.sandbox.deactivate(world.ada)
    await deliver(office, *events)
    await office.at_rest()
    kind = await office.sql.fetchval("select kind from threadesk.people where slack_id = $1", world.ada.id)
    assert (await office.said(), kind) == (["The export fails"], "deactivated")
    assert "From *Ada Lovelace*" in office.card().text


async def test_a_nameless_person_is_called_somebody(office: Office) -> None:
    office.world.ada.name = ""
    await opened_by_ada(office)
    assert "From *somebody* (Globex)" in office.card().text
    [mirrored] = office.sandbox.messages(office.world.triage, thread_ts=office.card().ts)[1:]
    assert (mirrored.text, mirrored.username) == ("The export fails", "Customer")


async def test_a_name_is_shown_and_never_obeyed(office: Office) -> None:
    world = office.world
    world.ada.name, world.grace.display_name = "<!channel> *Boss*\x00\ud800", "<!here> _Grace_"
    root = await opened_by_ada(office)
    await world.grace.post(world.help, "Which browser?", thread_ts=root.ts)
    await office.at_rest()
    assert (await office.ticket())["status"] == "pending"
    assert "&lt;!channel&gt; " in office.card().text
    assert not re.search("<!(channel|here)>", said_by_the_desk(office))


# Requests that are none of Slack's


async def genuine(office: Office, words: str = "Let me in") -> bytes:
    """The body of an event that would open a ticket."""
    async with held_back(office):
        root = await office.world.ada.post(office.world.help, words)
        [event] = await events_about(office, root)
    body = json.loads(event.parcel.body)
    body["event"] |= {"ts": "1777885201.000100", "text": "Forged"}
    return json.dumps(body).encode()


@pytest.mark.parametrize("forgery", ["no signature", "another body's", "another key's", "old", "of the future"])
async def test_a_request_that_slack_did_not_just_sign_is_refused_and_changes_nothing(
    office: Office, forgery: str
) -> None:
    body, sign, now = await genuine(office), office.sandbox.sign, int(time.time())
    headers = {
        "no signature": {},
        "another body's": sign(b"{}"),
        "another key's": sign(body) | {"X-Slack-Signature": "v0=" + "0" * 64},
        "old": sign(body, now - 600),
        "of the future": sign(body, now + 600),
    }[forgery]
    assert await send(office, body, headers) == 401
    await office.at_rest()
    assert await office.sql.fetchval("select count(*) from tickets where title = 'Forged'") == 0
    assert "Forged" not in said_by_the_desk(office)


async def test_the_same_request_signed_by_slack_is_taken(office: Office) -> None:
    assert await send(office, await genuine(office)) == 200
    await office.at_rest()
    assert await office.sql.fetchval("select count(*) from tickets where title = 'Forged'") == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"42", b"null", b'"text"', b"\xff\xfe{}", b"[" * 100_000, b"NaN"],
    ids=lambda body: body[:8].decode(errors="replace"),
)
async def test_json_that_is_none_is_refused_for_good(office: Office, body: bytes) -> None:
    assert await send(office, body) == 400
    assert await ticket_count(office) == 0


@pytest.mark.parametrize("payload", ["", "{", "[]", "42", "null"])
async def test_an_interaction_without_a_payload_is_refused_for_good(office: Office, payload: str) -> None:
    body = urlencode({"payload": payload}).encode()
    assert await send(office, body, office.sandbox.sign(body) | FORM) == 400


@pytest.mark.parametrize("when", ["yesterday", "-1", "1e9", "", "٣"])
async def test_a_timestamp_that_is_none_is_refused_for_good(office: Office, when: str) -> None:
    body = await genuine(office)
    headers = office.sandbox.sign(body) | {"X-Slack-Request-Timestamp": when}
    assert await send(office, body, headers) in {400, 401}


# The database away


class Gate:
    """Stands between the desk and PostgreSQL: open, shut (nobody is there) or silent (no answer ever comes)."""

    def __init__(self, url: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gate-"))
        [behind] = parse_qs(urlsplit(url).query)["host"]
        self._behind = Path(behind)
        self.url = url.replace(quote(behind, safe=""), quote(str(self._folder), safe=""))
        assert self.url != url
        self._flowing = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._let_in, self._folder / ".s.PGSQL.5432")
        self._flowing.set()

    def silence(self) -> None:
        self._flowing.clear()

    async def shut(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def remove(self) -> None:
        await self.shut()
        shutil.rmtree(self._folder)

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_unix_connection(self._behind / ".s.PGSQL.5432")
        for source, sink in ((reader, behind_writer), (behind_reader, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        self._writers.add(sink)
        try:
            while data := await source.read(65_536):
                await self._flowing.wait()
                sink.write(data)
        except ConnectionError:
            pass  # One side went away: the other is told below.
        finally:
            self._writers.discard(sink)
            sink.close()


@pytest.fixture
async def gate(database_url: str) -> AsyncIterator[Gate]:
    gate = Gate(database_url)
    await gate.open()
    yield gate
    await gate.remove()


@pytest.fixture
async def office_behind_the_gate(gate: Gate, world: World, sql: asyncpg.Connection) -> AsyncIterator[Office]:
    async with open_office(world, gate.url, sql) as office:
        yield office
        await gate.shut()
        await gate.open()


async def test_an_event_that_cannot_be_kept_is_not_acknowledged_and_taken_when_it_comes_again(
    office_behind_the_gate: Office, gate: Gate
) -> None:
    office, world = office_behind_the_gate, office_behind_the_gate.world
    await gate.shut()
    root = await world.ada.post(world.help, "The export fails")
    [event] = await events_about(office, root)
    async with asyncio.timeout(5):
        while event.status is None:  # noqa: ASYNC110 - the sandbox sets no asyncio.Event
            await asyncio.sleep(0.01)
    assert (event.status, await ticket_count(office)) == (500, 0)

    await gate.open()
    await office.at_rest()
    assert (await office.said(), await ticket_count(office)) == (["The export fails"], 1)
    assert office.thread(root) == ["Ticket #1 · *🔵 New* · nobody is on it yet"]
    assert office.thread(office.card()) == ["The export fails"]


@pytest.mark.parametrize("how", ["shut", "silent"])
async def test_a_command_is_answered_in_time_and_carried_out_when_it_is_typed_again(
    office_behind_the_gate: Office, gate: Gate, how: str
) -> None:
    office, world = office_behind_the_gate, office_behind_the_gate.world
    await opened_by_ada(office)
    await take_away(gate, how)
    answered = await world.grace.command("/ticket", "claim 1", channel=world.triage)
    assert (answered.ok, answered.ms < 2_900) == (True, True)
    assert private_answers(world.triage, world.grace) == [AWAY]
    assert (await office.ticket())["status"] == "new"

    await give_back(gate)
    assert (await world.grace.command("/ticket", "claim 1", channel=world.triage)).ok
    await office.at_rest()
    assert private_answers(world.triage, world.grace)[-1] == "#1 is yours."
    assert (await office.ticket())["status"] == "open"


async def take_away(gate: Gate, how: str) -> None:
    if how == "shut":
        await gate.shut()
    else:
        gate.silence()


async def give_back(gate: Gate) -> None:
    await gate.shut()
    await gate.open()


@pytest.mark.parametrize("how", ["shut", "silent"])
async def test_a_form_keeps_what_was_typed_and_acts_once_when_it_is_sent_again(
    office_behind_the_gate: Office, gate: Gate, how: str
) -> None:
    office, world = office_behind_the_gate, office_behind_the_gate.world
    await opened_by_ada(office)
    assert (await world.grace.click(office.card(), action_id="note")).ok
    await take_away(gate, how)
    refused = await world.grace.submit({"words": "They forget the paywall"})
    assert (refused.error, refused.errors, refused.ms < 2_900) == (None, {"words": AWAY}, True)
    assert (await office.notes(), world.grace.view is not None) == ([], True)

    await give_back(gate)
    assert (await world.grace.submit()).ok
    await office.at_rest()
    assert await office.notes() == ["They forget the paywall"]
    assert "They forget the paywall" in office.thread(office.card())[-1]


#: Of each form: who sends it, from which button, and what they type.
FORMS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "reply": ("grace", "reply", {"words": "It works again"}),
    "close": ("grace", "close", {"comment": "Fixed in 4.2"}),
    "edit": ("grace", "edit", {"title": "Another title", "tags": "billing"}),
    "new ticket": ("ben", "", {"title": "Another one", "description": "And more"}),
    "new ticket for a customer": ("grace", "", {"title": "Another one", "customer": "bob"}),
    "e-mail": ("ada", "leave_email", {"email": "ada@globex.example"}),
    "rating's comment": ("ada", "rate:2", {"comment": "Slow"}),
}


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_outlives_a_database_that_is_away_and_acts_once(
    office_behind_the_gate: Office, gate: Gate, form: str
) -> None:
    office, world = office_behind_the_gate, office_behind_the_gate.world
    root = await opened_by_ada(office)
    if form == "rating's comment":
        assert (await world.ada.click(in_thread(office, root, "Ticket #1"), action_id="solved")).ok
        await office.at_rest()
    name, action_id, typed = FORMS[form]
    person: Person = getattr(world, name)
    if not action_id:
        assert (await person.command("/ticket", "new", channel=world.help)).ok
    else:
        await forged(office, pressed(office, person, action_id, "1", office.card()))
        await office.at_rest()
    await person.fill({field: world.bob if value == "bob" else value for field, value in typed.items()})
    before, claims = await everything(office), "select count(*) from threadesk.email_claims"
    await gate.shut()
    refused = await person.submit()
    assert list(refused.errors.values()) == [AWAY]
    assert person.view is not None
    again = submission(person)
    await gate.open()
    assert await everything(office) == before

    answers = await asyncio.gather(*(forged(office, again) for _ in range(3)))
    assert {status for status, _ in answers} == {200}
    await office.at_rest()
    once = await everything(office)
    assert once != before
    assert await office.sql.fetchval(claims) <= 1
    await forged(office, again)
    await office.at_rest()
    assert await everything(office) == once


async def everything(office: Office) -> list[Any]:
    """What forms change, but for when."""
    return [
        await office.sql.fetch(
            "select title, priority, tags, status, feedback, customer_email, conversation_history, internal_notes"
            " from tickets order by created_at"
        ),
        await office.sql.fetch("select state from threadesk.email_claims"),
    ]


@pytest.mark.parametrize("how", ["shut", "silent"])
async def test_a_button_is_answered_privately_and_works_when_it_is_pressed_again(
    office_behind_the_gate: Office, gate: Gate, how: str
) -> None:
    office, world = office_behind_the_gate, office_behind_the_gate.world
    await opened_by_ada(office)
    await take_away(gate, how)
    pressed = await world.grace.click(office.card(), action_id="claim")
    assert (pressed.ok, pressed.ms < 2_900) == (True, True)
    assert private_answers(world.triage, world.grace) == [AWAY]
    assert private_answers(world.triage, world.linus) == []
    assert (await office.ticket())["status"] == "new"

    await give_back(gate)
    assert (await world.grace.click(office.card(), action_id="claim")).ok
    await office.at_rest()
    assert (await office.ticket())["status"] == "open"


async def test_a_mention_is_obeyed_once_when_the_database_is_back(office_behind_the_gate: Office, gate: Gate) -> None:
    office, world = office_behind_the_gate, office_behind_the_gate.world
    await opened_by_ada(office)
    await gate.shut()
    await world.linus.post(
        world.triage, f"{office.sandbox.bot.mention} note They forget the paywall", thread_ts=office.card().ts
    )
    await asyncio.sleep(0)
    await gate.open()
    await office.at_rest()
    assert await office.notes() == ["They forget the paywall"]
    assert private_answers(world.triage, world.linus) == ["Noted on #1. The customer does not see it."]
