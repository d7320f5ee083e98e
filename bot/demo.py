"""`python -m bot demo`: a support case from first message to digest, played as Slack would deliver it.

The desk is the real one, over real HTTP, on a PostgreSQL of its own; only Slack is the sandbox. Every step waits for
what must be seen, and the demo fails when that does not happen.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot import app
from bot.sandbox import Channel, Interaction, Message, Person, Sandbox
from bot.settings import Settings
from bot.tickets import text
from storage.embedded import EmbeddedPostgres
from storage.engine import Database

SPEED = 10.0
PATIENCE_SECONDS = 10.0
UNDO_SECONDS = 1.5
NOTE = "Same as last month: the nightly job still holds the lock on exports."


class StepError(Exception):
    """A step of the story did not happen."""


async def play() -> int:
    """Plays the case on standard output; the process's exit status."""
    folder = Path(tempfile.mkdtemp(prefix="threadesk-demo-"))
    postgres = EmbeddedPostgres(folder)
    try:
        url = await asyncio.to_thread(postgres.start)
        async with AsyncExitStack() as stack:
            sandbox = await stack.enter_async_context(Sandbox(Path("manifest.yml"), speed=SPEED))
            stage = await _set(sandbox)
            running = await stack.enter_async_context(app.running(_settings(sandbox, url)))
            sandbox.deliver_to(f"http://127.0.0.1:{running.port}/slack/events")
            await _story(stage)
            await _print_rows(running.services.database)
        _say("The case was played to its end. To install Threadesk in your own workspace, see README.md.")
    except StepError as error:
        _say(f"THE DEMO FAILED: {error}")
        return 1
    else:
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


@dataclass
class Stage:
    """Who and where: Acme's agents Grace and Linus, their customers Ada and Bob of Globex."""

    sandbox: Sandbox
    grace: Person
    linus: Person
    ada: Person
    bob: Person
    triage: Channel
    help: Channel
    shown: dict[tuple[str, str], str] = field(default_factory=dict)

    async def until(self, what: str, happened: Callable[[], Any]) -> Any:
        """Waits for something that must be seen, printing what is said meanwhile; returns it."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    self.show()
                    if found := happened():
                        return found
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise StepError(f"{what}: it did not happen within {PATIENCE_SECONDS:g} s") from None

    async def seen(self, channel: Channel, words: str, viewer: Person | None = None) -> Message:
        """Waits until a channel or one of its threads shows these words."""
        found = await self.until(f"“{words}” in #{channel.name}", lambda: self.find(channel, words, viewer))
        assert isinstance(found, Message)
        return found

    def find(self, channel: Channel, words: str, viewer: Person | None = None) -> Message | None:
        try:
            return self.sandbox.find(channel, words, viewer)
        except LookupError:
            return None

    def show(self) -> None:
        """Prints what became visible since the last time."""
        for channel in (self.help, self.triage):
            everything = [*channel.posts.values(), *channel.ephemerals]
            for message in sorted(everything, key=lambda one: one.ts):
                key = (channel.id, message.ts)
                if message.subtype not in {None, "file_share", "bot_message"} or self.shown.get(key) == message.text:
                    continue
                _print_message(channel, message, self.names, changed=key in self.shown)
                self.shown[key] = message.text

    @property
    def names(self) -> dict[str, str]:
        people = (self.grace, self.linus, self.ada, self.bob, self.sandbox.bot)
        return {person.id: person.name for person in people}


async def _set(sandbox: Sandbox) -> Stage:
    globex = sandbox.add_team("Globex")
    grace = sandbox.add_person("Grace Hopper", email="grace@acme.example")
    linus = sandbox.add_person("Linus Pauling", email="linus@acme.example")
    ada = sandbox.add_person("Ada Lovelace", team=globex)
    bob = sandbox.add_person("Bob Noyce", team=globex, email="bob@globex.example")
    triage = await sandbox.add_channel("triage", private=True, members=[grace, linus, sandbox.bot])
    shared = await sandbox.add_channel(
        "help-globex", shared_with=[globex], members=[grace, linus, ada, bob, sandbox.bot]
    )
    return Stage(sandbox, grace, linus, ada, bob, triage, shared)


async def _story(stage: Stage) -> None:
    grace, linus, ada, bob = stage.grace, stage.linus, stage.ada, stage.bob

    _scene("Ada and Bob of Globex ask for help in the channel they share with Acme. Slack does not show Ada's e-mail.")
    problem = await ada.post(stage.help, "The CSV export fails with error 500 since this morning :cry:")
    card = await stage.seen(stage.triage, "The CSV export fails")
    question = await bob.post(stage.help, "How do I add a seat to our plan?")
    second = await stage.seen(stage.triage, "How do I add a seat")

    _scene("Grace claims the first one; Linus leaves a note in its triage thread, which customers never see.")
    _took(await grace.click(card, action_id="claim"), "Grace presses Claim")
    await linus.post(stage.triage, NOTE, thread_ts=card.ts)
    await stage.until("the status message names Grace", lambda: _in_thread(stage, problem, "Grace Hopper"))

    _scene("Ada adds a detail and corrects it. Triage follows.")
    detail = await ada.post(stage.help, "It happens with 10 rows too", thread_ts=problem.ts)
    await stage.seen(stage.triage, "It happens with 10 rows too")
    await ada.edit(detail, "It happens with 10,000 rows, not with 10")
    await stage.seen(stage.triage, "10,000 rows, not with 10")

    _scene(f"Grace replies from triage. For {UNDO_SECONDS:g} s she could take it back.")
    _took(await grace.click(card, action_id="reply"), "Grace opens Reply")
    _took(await grace.submit({"words": "Sorry, Ada! We have found it; a fix is going out now."}), "Grace sends it")
    await stage.seen(stage.help, "a fix is going out now")
    await ada.post(stage.help, "Great, the export is back.", thread_ts=problem.ts)
    await stage.seen(stage.triage, "the export is back")

    _scene("Grace closes the ticket with a command, Ada rates it.")
    _took(await grace.command("/ticket", "close 1 fixed by release 4.2.1", channel=stage.triage), "Grace closes #1")
    asked = await stage.until("the rating question", lambda: _in_thread(stage, problem, "How did we do"))
    _took(await ada.click(asked, action_id="rate:5"), "Ada presses 5")
    _took(await ada.submit({"comment": "Quick and friendly."}), "Ada comments")

    _scene("Linus answers Bob with @desk in the triage thread; Bob finds it solved, but slow.")
    await linus.post(stage.triage, f"{stage.sandbox.bot.mention} claim", thread_ts=second.ts, raw=True)
    words = f"{stage.sandbox.bot.mention} reply Under Settings, Billing, Seats: press Add."
    await linus.post(stage.triage, words, thread_ts=second.ts, raw=True)
    await stage.seen(stage.help, "Under Settings, Billing, Seats")
    status = await stage.until("the status message", lambda: _in_thread(stage, question, "#2"))
    _took(await bob.click(status, action_id="solved"), "Bob presses Solved")
    asked = await stage.until("the rating question", lambda: _in_thread(stage, question, "How did we do"))
    _took(await bob.click(asked, action_id="rate:2"), "Bob presses 2")
    _took(await bob.submit({"comment": "It took a while until somebody answered."}), "Bob comments")

    _scene("Grace asks for the digest that leads get.")
    _took(await grace.command("/ticket", "digest today", channel=stage.triage), "Grace asks for the digest")
    await stage.seen(stage.triage, "Digest")

    if stage.find(stage.help, NOTE) or stage.find(stage.help, "release 4.2.1"):
        raise StepError("a note is visible to customers")


def _in_thread(stage: Stage, root: Message, words: str) -> Message | None:
    thread = stage.sandbox.messages(stage.help, thread_ts=root.ts)
    return next((one for one in thread if words in one.text), None)


def _took(interaction: Interaction, step: str) -> None:
    """The desk has answered in time and without an error."""
    if interaction.status != 200 or interaction.errors:
        raise StepError(f"{step}: the desk answered {interaction.status} {interaction.errors or interaction.body}")
    said = interaction.body.get("text") if isinstance(interaction.body, dict) else None
    _say(f"   {step}." + (f" The desk, to them alone: {said}" if said else ""))


async def _print_rows(database: Database) -> None:
    _scene("What is in PostgreSQL now")
    for table in ("tickets", "customers"):
        async with database.connection() as connection:
            rows = await connection.exec_driver_sql(
                f"select coalesce(jsonb_agg(to_jsonb(t)), '[]')::text from public.{table} t"
            )
            print(f"public.{table}:")
            print(json.dumps(json.loads(rows.scalar_one()), indent=2, ensure_ascii=False))


def _scene(words: str) -> None:
    print(f"\n── {words}\n", flush=True)


def _say(words: str) -> None:
    print(words, flush=True)


def _print_message(channel: Channel, message: Message, names: Mapping[str, str], *, changed: bool) -> None:
    at = datetime.now(UTC) if changed else datetime.fromtimestamp(float(message.ts), UTC)
    place = f"#{channel.name}" + (" ↳ thread" if message.is_reply else "")
    author = message.username or (message.author.name if message.author else "desk")
    remark = ", changed in place" if changed else ", seen by one person only" if message.only_for else ""
    _say(f"   {at:%H:%M:%S}  {place}  {author}{remark}")
    for line in text.readable(message.text, names).splitlines():
        _say(textwrap.fill(line, 110, initial_indent=" " * 13, subsequent_indent=" " * 15))
    if buttons := " ".join(f"[{label}]" for label in _buttons(message.blocks)):
        _say(f"{' ' * 13}{buttons}")


def _buttons(blocks: Sequence[dict[str, Any]]) -> list[str]:
    elements = [one for block in blocks for one in (*block.get("elements", ()), block.get("accessory") or {})]
    return [one["text"]["text"] for one in elements if one.get("type") == "button"]
