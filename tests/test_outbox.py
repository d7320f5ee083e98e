"""`python -m bot outbox`: what waits is listed without its words, tried again, or given up for good."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bot.__main__ import app
from bot.sandbox import Message
from tests.conftest import Office, World, open_office
from tests.delivery.test_courier import an_hour_passes, by_desk, command, opened, until
from tests.test_app import finished

Run = Callable[..., Coroutine[Any, Any, tuple[int | None, str, str]]]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`python -m bot outbox …`, with nothing set but the database: status, output, errors.

    `drop` runs as a process of its own, because it sets up the log; the others here, which is quicker.
    """
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)

    async def run_it(*arguments: str) -> tuple[int | None, str, str]:
        if arguments[0] == "drop":
            return await finished(tmp_path, "outbox", *arguments, DATABASE_URL=database_url)
        capsys.readouterr()
        status: int | None = 0
        try:
            await app.run_async(["outbox", *arguments])
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) or ended.code is None else 1
        return status, *capsys.readouterr()

    return run_it


async def closed(office: Office) -> None:
    question = "select exists (select from threadesk.lanes where closed_since is not null)"
    await until(lambda: office.sql.fetchval(question))


async def archived(office: Office) -> Message:
    """Ada's channel is archived after her request; what Linus answers then waits."""
    root = await opened(office, "SECRET words")
    office.sandbox.archive(office.world.help)
    await command(office, "reply 1 SECRET answer")
    await closed(office)
    return root


async def test_what_waits_in_an_archived_channel_is_listed_and_why(office: Office, run: Run) -> None:
    await archived(office)
    status, listed, _ = await run("list")
    assert status == 0
    line = next(line for line in listed.splitlines() if "help-globex" in line)
    assert line.startswith(f"#help-globex ({office.world.help.id}): 1 ticket, since ")
    assert "closed: is_archived" in line
    assert "tried again in " in line
    status, printed, _ = await run("list", "--json")
    (lane,) = [one for one in json.loads(printed)["lanes"] if one["name"] == "help-globex"]
    assert (lane["tickets"], lane["closed_why"]) == (1, "is_archived")
    assert 0 < lane["next_try"] <= 60
    assert "SECRET" not in listed + printed
    assert "ada" not in (listed + printed).lower()


async def test_with_nothing_waiting_it_says_so(office: Office, run: Run) -> None:
    assert await run("list") == (0, "Nothing waits.\n", "")
    assert await run("retry") == (0, "All that waits is due now.\n", "")


async def test_a_retry_is_at_once(office: Office, run: Run) -> None:
    root = await archived(office)
    office.world.help.archived = False
    assert (await run("retry", "#help-globex"))[0] == 0
    await office.at_rest()
    assert office.thread(root)[1] == "SECRET answer"


async def test_what_is_dropped_is_never_sent_and_the_ticket_goes_on(office: Office, run: Run) -> None:
    root = await archived(office)
    status, _, asked = await run("drop", "help-globex")
    assert (status, asked.startswith("This gives up what waits: 1 ticket.")) == (2, True)
    assert asked.endswith("python -m bot outbox drop help-globex --yes\n")
    status, done, logged = await run("drop", "help-globex", "--yes")
    assert (status, done) == (0, "Given up: 1 ticket.\n")
    assert json.loads(logged)["channels"] == [office.world.help.id]
    assert await office.said() == ["SECRET words", "SECRET answer"]

    office.world.help.archived = False
    await an_hour_passes(office)
    await office.at_rest()
    assert len(office.thread(root)) == 1
    assert "New" in office.thread(root)[0]
    await command(office, "reply 1 Another answer")
    await office.at_rest()
    status_message, *replies = office.thread(root)
    assert "Pending" in status_message
    assert replies == ["Another answer"]


async def refused(office: Office, monkeypatch: pytest.MonkeyPatch) -> str:
    """A card that Slack refuses for good; its id."""
    with monkeypatch.context() as patch:
        patch.setattr("bot.sandbox.blockkit.BLOCKS_TEXT", 160)
        await office.world.ada.post(office.world.help, "SECRET words")
        await office.at_rest()
    return str(await office.sql.fetchval("select id from threadesk.posted where slot = 'card'"))


async def test_what_slack_refused_for_good_is_listed_and_can_be_tried_again(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = await refused(office, monkeypatch)
    _, listed, _ = await run("list")
    assert f"{card}  the card of #1 in {office.world.triage.id}, error: msg_blocks_too_long" in listed
    assert "SECRET" not in listed
    assert await run("retry", card) == (0, "Tried again now: 1 message.\n", "")
    await office.at_rest()
    assert "SECRET words" in office.card().text
    assert await run("list") == (0, "Nothing waits.\n", "")


async def test_what_slack_refused_for_good_is_found_by_its_channels_name(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else waits in the channel."""
    await refused(office, monkeypatch)
    assert await run("retry", "#triage") == (0, "Tried again now: 1 message.\n", "")
    await office.at_rest()
    assert "SECRET words" in office.card().text


async def test_what_slack_refused_for_good_can_be_dropped(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = await refused(office, monkeypatch)
    assert (await run("drop", card, "--yes"))[:2] == (0, "Given up: 1 message.\n")
    assert await run("list") == (0, "Nothing waits.\n", "")
    assert await run("retry") == (0, "All that waits is due now.\n", "")
    await office.at_rest()
    assert len(by_desk(office, office.world.triage)) == 1


@pytest.mark.parametrize("verb", ["retry", "drop"])
async def test_a_wrong_name_is_answered_with_what_there_is(office: Office, run: Run, verb: str) -> None:
    await archived(office)
    status, printed, said = await run(verb, "help-glob")
    assert (status, printed) == (2, "")
    assert said.startswith("Nothing waits under help-glob. What waits: help-globex")


async def test_without_tables_it_says_what_to_do(empty_url: str, tmp_path: Path) -> None:
    status, _, said = await finished(tmp_path, "outbox", "list", DATABASE_URL=empty_url)
    assert (status, said) == (2, "The database's tables are not up to date. Run this first: python -m bot migrate\n")


async def test_a_notice_that_waits_is_counted_and_dropped(
    world: World, database_url: str, sql: asyncpg.Connection, run: Run
) -> None:
    digests = await world.sandbox.add_channel("digests", members=[world.grace, world.sandbox.bot])
    async with open_office(world, database_url, sql, digest_channel="digests") as office:
        await opened(office)
        world.sandbox.archive(digests)
        await command(office, "digest today")
        await closed(office)
        assert f"{digests.id}: 1 notice, since " in (await run("list"))[1]
        assert (await run("drop", digests.id, "--yes"))[1] == "Given up: 1 notice.\n"
        digests.archived = False
        await an_hour_passes(office)
        await office.at_rest()
        assert by_desk(office, digests) == []
