"""`python -m bot demo`: a support case from first message to digest, played as Slack would deliver it.

The desk is the real one, over real HTTP, on a PostgreSQL of its own; only Slack is the sandbox. Every step waits for
what must be seen, and the demo fails when that does not happen.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
import textwrap
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot import app
from bot.sandbox import Channel, Interaction, Message, Person, Sandbox
from bot.services import Services
from bot.settings import Settings
from bot.tickets import text
from storage import showing
from storage.embedded import EmbeddedPostgres
from storage.engine import Database

MANIFEST = Path(__file__).parent.parent / "manifest.yml"
SPEED = 10.0
PATIENCE_SECONDS = 10.0
UNDO_SECONDS = 1.5
WIDTH = 100
NOTE = "Same as last month: the nightly job still holds the lock on exports."
FIX = "fixed by release 4.2.1"

_DATE = re.compile(r"<!date\^(\d+)\^[^<>]*>")
_LINK = re.compile(r"<https?://[^<>|]*\|([^<>]*)>")
_CHANNEL = re.compile(r"<#(\w+)>")
_MARK = re.compile(r"(?<!\w)([*_])(\S.*?)\1(?!\w)")
_NUMBER = re.compile(r"#\d+")


class StepError(Exception):
    """A step of the story did not happen."""


async def play() -> int:
    """Plays the case on standard output; the process's exit status."""
    folder = Path(tempfile.mkdtemp(prefix="threadesk-demo-"))
    postgres = EmbeddedPostgres(folder)
    _say("Starting PostgreSQL, a Slack workspace on this machine, and the desk …")
    try:
        url = await asyncio.to_thread(postgres.start)
        async with AsyncExitStack() as stack:
            sandbox = await stack.enter_async_context(Sandbox(MANIFEST, speed=SPEED))
            cast = await _furnish(sandbox)
            running = await stack.enter_async_context(app.running(_settings(sandbox, url)))
            sandbox.deliver_to(f"http://127.0.0.1:{running.port}/slack/events")
            await _story(Stage(sandbox, running.services, cast, Transcript(cast)))
            await _print_rows(running.services.database)
    except StepError as error:
        _say(f"\nTHE DEMO FAILED: {error}")
        return 1
    else:
        _say("\nThat was the whole case. README.md says how to install Threadesk in your own workspace.")
        return 0
    finally:
        await asyncio.to_thread(postgres.remove)
        shutil.rmtree(folder, ignore_errors=True)


def _settings(sandbox: Sandbox, database_url: str) -> Settings:
    values: dict[str, Any] = {
        "slack_bot_token": sandbox.bot_token,
        "slack_signing_secret": sandbox.signing_secret,
        "slack_api_url": sandbox.api_url,
        "port": 0,
        "triage_channel": "triage",
        "support_channels": "help-globex",
        "database_url": database_url,
        "reply_undo_seconds": UNDO_SECONDS,
        "group_seconds": 0,
        "post_interval_seconds": 1 / SPEED,
        "log_level": "WARNING",
    }
    return Settings(_env_file=None, **values)


@dataclass(frozen=True)
class Cast:
    """Acme's agents Grace and Linus, their customers Ada and Bob of Globex, and where they meet."""

    grace: Person
    linus: Person
    ada: Person
    bob: Person
    desk: str
    triage: Channel
    help: Channel

    @property
    def names(self) -> Mapping[str, str]:
        return {self.desk: "desk"} | {one.id: one.name for one in (self.grace, self.linus, self.ada, self.bob)}


async def _furnish(sandbox: Sandbox) -> Cast:
    globex = sandbox.add_team("Globex")
    grace = sandbox.add_person("Grace Hopper", email="grace@acme.example")
    linus = sandbox.add_person("Linus Pauling", email="linus@acme.example")
    ada = sandbox.add_person("Ada Lovelace", team=globex)
    bob = sandbox.add_person("Bob Noyce", team=globex, email="bob@globex.example")
    triage = await sandbox.add_channel("triage", private=True, members=[grace, linus, sandbox.bot])
    everybody = [grace, linus, ada, bob, sandbox.bot]
    shared = await sandbox.add_channel("help-globex", shared_with=[globex], members=everybody)
    return Cast(grace, linus, ada, bob, sandbox.bot.id, triage, shared)


@dataclass
class Transcript:
    """Prints what the two channels show, once, and later what has changed in it."""

    cast: Cast
    shown: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def catch_up(self) -> None:
        """Prints what became visible since the last time: what is new, then what changed."""
        new: list[Message] = []
        changed: list[Message] = []
        for channel in (self.cast.help, self.cast.triage):
            for message in (*channel.posts.values(), *channel.ephemerals):
                before = self.shown.get((channel.id, message.ts))
                if message.subtype in {None, "file_share", "bot_message"} and before != self._lines(message):
                    (new if before is None else changed).append(message)
        for message in sorted(new, key=lambda one: one.ts):
            self._print(message, f"{datetime.fromtimestamp(float(message.ts), UTC):%H:%M:%S}", [])
        for message in sorted(changed, key=lambda one: one.ts):
            self._print(message, f"{datetime.now(UTC):%H:%M:%S}", self.shown[message.channel.id, message.ts])

    def _print(self, message: Message, at: str, before: list[str]) -> None:
        """A new message whole; of one that changed its first line, to know it by, and what is new in it."""
        lines = self._lines(message)
        author = message.username or self.cast.names[message.author.id if message.author else self.cast.desk]
        remark = ", changed in place" if before else ""
        if message.only_for:
            remark = f", to {self.cast.names[message.only_for]} alone"
        _say(f"{at}  {self._place(message)} · {author}{remark}")
        for place, line in enumerate(lines):
            if place == 0 or line not in before:
                _say(_wrapped(line, " " * 10, " " * 12))
        self.shown[message.channel.id, message.ts] = lines

    def _place(self, message: Message) -> str:
        channel = message.channel
        if not message.is_reply or message.thread_ts is None:
            return f"#{channel.name}"
        thread = [channel.posts[message.thread_ts], *channel.replies(message.thread_ts)]
        of_desk = (one.text for one in thread if one.author is not None and one.author.id == self.cast.desk)
        number = next((found[0] for said in of_desk if (found := _NUMBER.search(said))), None)
        return f"#{channel.name}, thread" + (f" of {number}" if number else "")

    def _lines(self, message: Message) -> list[str]:
        """A message as it looks in Slack. People's is its text; the desk's are its blocks."""
        by_person = message.author is not None and message.author.id != self.cast.desk
        said = [message.text] if by_person else [words for block in message.blocks for words in _said(block)]
        return [line for words in said or [message.text] for line in self._plain(words).splitlines()]

    def _plain(self, mrkdwn: str) -> str:
        channels = {one.id: one.name for one in (self.cast.triage, self.cast.help)}
        words = _DATE.sub(lambda found: f"{datetime.fromtimestamp(int(found[1]), UTC):%H:%M:%S}", mrkdwn)
        words = _CHANNEL.sub(lambda found: f"#{channels.get(found[1], found[1])}", _LINK.sub(r"\1 ↗", words))
        return text.readable(_MARK.sub(r"\2", words), self.cast.names)


def _said(block: Mapping[str, Any]) -> Iterator[str]:
    """What one block of the desk says; https://docs.slack.dev/reference/block-kit/blocks"""
    match block["type"]:
        case "header" | "section":
            yield block["text"]["text"]
            yield from _buttons([block["accessory"]] if "accessory" in block else [])
        case "context":
            yield " ".join(element["text"] for element in block["elements"])
        case "actions":
            yield from _buttons(block["elements"])
        case "data_visualization":
            values = (f"{one['name']} {[point['value'] for point in one['data']]}" for one in block["chart"]["series"])
            yield f"📊 {block['title']}: {', '.join(values)}"
        case "table":
            yield from (
                f"{row[0]['text']:<24}" + "".join(f"{cell['text']:>9}" for cell in row[1:]) for row in block["rows"]
            )
        case other:
            raise StepError(f"the demo cannot print a {other} block")


def _buttons(elements: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    if labels := [f"[{one['text']['text']}]" for one in elements if one["type"] == "button"]:
        yield " ".join(labels)


@dataclass
class Stage:
    """Where the story is played: its steps wait until they are seen."""

    sandbox: Sandbox
    services: Services
    cast: Cast
    transcript: Transcript

    async def until(self, what: str, happened: Callable[[], Awaitable[Any]]) -> Any:
        """Waits for something, printing what is said meanwhile; returns it."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (found := await happened()):
                    self.transcript.catch_up()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise StepError(f"{what}: it did not happen within {PATIENCE_SECONDS:g} s") from None
        self.transcript.catch_up()
        return found

    async def seen(self, channel: Channel, words: str, *, thread: Message | None = None) -> Message:
        """Waits until a channel, or one thread in it, shows these words."""

        async def shown() -> Message | None:
            posts = self.sandbox.messages(channel, thread_ts=thread.ts) if thread else channel.posts.values()
            return next((one for one in posts if words in one.text), None)

        found = await self.until(f"“{words}” in #{channel.name}", shown)
        assert isinstance(found, Message)
        return found

    async def scene(self, words: str) -> None:
        """Begins the next scene, when all of the last one has been seen."""
        await self.at_rest()
        _say(f"\n── {words}\n")

    async def act(self, step: str, acting: Awaitable[Interaction]) -> None:
        """Somebody presses, types or sends something; the desk must answer in time and without an error."""
        _say(f"▸ {step}")
        done = await acting
        if not done.ok:
            raise StepError(f"{step}: the desk answered {done.status} {done.error or done.errors}")

    async def at_rest(self) -> None:
        """Waits until Slack shows everything that the tables say."""

        async def nothing_waits() -> bool:
            await self.sandbox.settled()
            async with self.services.transaction() as tx:
                return await showing.seconds_to_next(tx) is None

        await self.until("Slack shows everything", nothing_waits)


async def _story(stage: Stage) -> None:
    await stage.scene("Ada and Bob of Globex ask for help in the channel that Globex shares with Acme.")
    problem = await stage.cast.ada.post(stage.cast.help, "The CSV export fails with error 500 since this morning")
    await stage.seen(stage.cast.triage, "The CSV export fails")
    question = await stage.cast.bob.post(stage.cast.help, "How do I add a seat to our plan?")
    await stage.seen(stage.cast.triage, "How do I add a seat")

    await _work_on_the_problem(stage, problem)
    await _answer_the_question(stage, question)

    await stage.scene("Grace asks for the digest that leads get.")
    digest = stage.cast.grace.command("/ticket", "digest today", channel=stage.cast.triage)
    await stage.act("Grace types: /ticket digest today", digest)
    await stage.seen(stage.cast.triage, "Digest: ")
    await stage.at_rest()

    said = "\n".join(message.text for message in stage.cast.help.posts.values())
    if NOTE in said or FIX in said:
        raise StepError("a note is visible to customers")


async def _work_on_the_problem(stage: Stage, problem: Message) -> None:
    grace, linus, ada = stage.cast.grace, stage.cast.linus, stage.cast.ada
    triage, card = stage.cast.triage, await stage.seen(stage.cast.triage, "The CSV export fails")

    await stage.scene("Grace claims #1. Linus writes in its triage thread: a note, which customers never see.")
    await stage.act("Grace presses Claim", grace.click(card, action_id="claim"))
    await linus.post(triage, NOTE, thread_ts=card.ts)
    await stage.seen(stage.cast.help, "Grace Hopper is on it", thread=problem)

    await stage.scene("Ada adds a detail and corrects it. Triage follows.")
    detail = await ada.post(stage.cast.help, "It happens with 10 rows too", thread_ts=problem.ts)
    await stage.seen(triage, "It happens with 10 rows too", thread=card)
    await ada.edit(detail, "It happens with 10,000 rows, not with 10")
    await stage.seen(triage, "10,000 rows, not with 10", thread=card)

    await stage.scene(f"Grace replies from triage. For {UNDO_SECONDS:g} s she could take it back.")
    await stage.act("Grace presses Reply", grace.click(card, action_id="reply"))
    words = "Sorry, Ada! We have found it; a fix is going out now."
    await stage.act("Grace writes her answer and presses Send", grace.submit({"words": words}))
    await stage.seen(stage.cast.help, words, thread=problem)
    await ada.post(stage.cast.help, "Great, the export is back.", thread_ts=problem.ts)
    await stage.seen(triage, "the export is back", thread=card)

    await stage.scene("Grace closes #1 with a comment, which is a note too. Ada rates it.")
    await stage.act(f"Grace types: /ticket close 1 {FIX}", grace.command("/ticket", f"close 1 {FIX}", channel=triage))
    asked = await stage.seen(stage.cast.help, "How did we do", thread=problem)
    await stage.act("Ada presses 5 – great", ada.click(asked, action_id="rate:5"))
    await stage.act("Ada adds a comment: Quick and friendly.", ada.submit({"comment": "Quick and friendly."}))


async def _answer_the_question(stage: Stage, question: Message) -> None:
    linus, bob, desk = stage.cast.linus, stage.cast.bob, stage.sandbox.bot.mention
    triage, card = stage.cast.triage, await stage.seen(stage.cast.triage, "How do I add a seat")

    await stage.scene("Linus claims and answers #2 by mentioning @desk in its triage thread.")
    await linus.post(triage, f"{desk} claim", thread_ts=card.ts)
    await linus.post(triage, f"{desk} reply Under Settings, Billing, Seats: press Add.", thread_ts=card.ts)
    await stage.seen(stage.cast.help, "Under Settings, Billing, Seats", thread=question)

    await stage.scene("Bob says himself that it is solved, and that it was slow.")
    status = await stage.seen(stage.cast.help, "Ticket #2", thread=question)
    await stage.act("Bob presses Solved", bob.click(status, action_id="solved"))
    asked = await stage.seen(stage.cast.help, "How did we do", thread=question)
    await stage.act("Bob presses 2 – fair", bob.click(asked, action_id="rate:2"))
    slow = "It took a while until somebody answered."
    await stage.act(f"Bob adds a comment: {slow}", bob.submit({"comment": slow}))


async def _print_rows(database: Database) -> None:
    _say("\n── What PostgreSQL holds now, for every other program to read")
    for table, order in {"tickets": "created_at", "customers": "email"}.items():
        async with database.connection() as connection:
            rows = await connection.exec_driver_sql(
                f"select row_to_json(t)::text from public.{table} t order by {order}"
            )
            for (row,) in rows:
                _say(f"\npublic.{table}")
                for column, value in json.loads(row).items():
                    _print_column(column, value)


def _print_column(column: str, value: Any) -> None:
    """As JSON; the entries of a list inside an object on lines of their own."""
    lines = [json.dumps(value, ensure_ascii=False)]
    if isinstance(value, dict) and len(value) == 1:
        ((key, entries),) = value.items()
        if isinstance(entries, list) and entries:
            lines = [f'{{"{key}": [', *(f" {json.dumps(one, ensure_ascii=False)}," for one in entries)]
            lines[-1] = lines[-1].removesuffix(",") + "]}"
    for place, line in enumerate(lines):
        _say(_wrapped(line, f"  {'' if place else column:<23}", " " * 27))


def _wrapped(line: str, first: str, then: str) -> str:
    """Broken at spaces only, so that ids and times stay whole."""
    wrapper = textwrap.TextWrapper(WIDTH, first, then, break_long_words=False, break_on_hyphens=False)
    return wrapper.fill(line)


def _say(words: str) -> None:
    print(words, flush=True)
