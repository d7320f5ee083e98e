"""`python -m bot customer`: a person gets all that is kept of them, and on request none of it is kept any more."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bot.__main__ import app
from bot.sandbox import Message
from bot.tickets import digest, erasing
from storage import people, subjects
from tests.conftest import Office
from tests.delivery.test_courier import command
from tests.listeners.test_emails import leave

Run = Callable[..., Coroutine[Any, Any, tuple[int, str, str]]]
BOB = "bob@globex.example"
LOG = ("SECRET.log", "text/plain", b"line")


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`python -m bot customer …`, with nothing set but the database: status, output, errors."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)

    async def run_it(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = 0
        try:
            await app.run_async(["customer", *arguments])
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
        return status, *capsys.readouterr()

    return run_it


async def bobs_story(office: Office) -> Message:
    """Bob asks for help (#1), writes on Ada's ticket (#2) and in a direct message (#3), reopens, rates, is quoted and
    mentioned; Ada says that his e-mail is hers.

    All that is his, or about him, has SECRET in it. Returns the root of Ada's thread.
    """
    world, desk = office.world, office.sandbox.bot.mention
    both = [world.bob, world.linus, office.sandbox.bot]
    lounge = await office.sandbox.add_channel("lounge", shared_with=[world.bob.team], members=both)
    root = await world.bob.post(world.help, "SECRET one", files=[LOG])
    await office.at_rest()
    await world.bob.edit(root, "SECRET two")
    await world.linus.post(world.triage, f"{desk} reply Dear Bob Noyce, SECRET", thread_ts=office.card(1).ts)
    await office.at_rest()
    await command(office, "note 1 SECRET: Bob is angry")
    await command(office, "set 1 serial=SECRET")
    await command(office, "tag 1 +export")
    await world.grace.post(world.help, "Which version?", thread_ts=root.ts)
    await world.bob.post(world.help, "SECRET three", thread_ts=root.ts)
    await office.at_rest()
    await command(office, "close 1")
    await office.at_rest()
    question = office.sandbox.find(world.help, "How did we do")
    await world.bob.click(question, "rate:1")
    await world.bob.submit({"comment": "SECRET comment"})
    await world.bob.post(world.help, f"{desk} reopen", thread_ts=root.ts)
    await office.at_rest()
    assert any(f"#1 was reopened by {world.bob.mention}" in text for text in office.thread(office.card(1)))
    await command(office, "close 1")

    adas = await world.ada.post(world.help, "The import fails")
    await office.at_rest()
    await world.bob.post(world.help, "SECRET four", thread_ts=adas.ts, files=[LOG])
    await world.ada.post(world.help, f"{world.bob.mention} said so too", thread_ts=adas.ts)
    elsewhere = await world.bob.post(lounge, "SECRET five")
    await world.linus.message_shortcut("add_to_ticket", elsewhere)
    assert not (await world.linus.submit({"number": "2"})).errors
    await leave(office, world.ada, BOB, 2)
    await world.bob.dm("SECRET six")
    await office.sql.execute("update threadesk.channels set mode = 'on_request' where id = $1", world.help.id)
    await world.bob.post(world.help, "SECRET, and no ticket's")
    await office.sandbox.settled()
    await office.sql.execute("update threadesk.channels set mode = 'every_message' where id = $1", world.help.id)
    await office.at_rest()
    assert any("Bob Noyce" in text for text in office.thread(office.card(2)) if "goes by" in text)
    return adas


async def tables_with(sql: asyncpg.Connection, *words: str) -> list[str]:
    """Where any of these stands, in any column of any table, letter case ignored."""
    columns = await sql.fetch(
        """
        select format('%I.%I', n.nspname, c.relname) as place, a.attname as name
        from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
          and n.nspname not in ('pg_catalog', 'information_schema')
        """
    )
    assert len(columns) > 100
    found = []
    for place, name in columns:
        question = f'select exists (select from {place} where "{name}"::text ilike any ($1))'
        if await sql.fetchval(question, [f"%{word}%" for word in words]):
            found.append(f"{place}.{name}")
    return found


def said_by_the_desk(office: Office) -> str:
    """All of the desk's messages that anybody can see in Slack, the files it has uploaded among them."""
    seen = []
    for channel in office.sandbox.slack.workspace.channels.values():
        for one in channel.posts.values():
            if one.author is office.sandbox.bot:
                seen.append([one.text, one.blocks, one.username, [file.name for file in one.files]])
    return json.dumps(seen, ensure_ascii=False)


async def figures(office: Office) -> Any:
    """What a digest counts."""
    services = office.running.services
    async with services.transaction() as tx:
        grace = await people.meet(tx, services.desk.team_id, office.world.grace.id)
        found = await digest.digest(tx, await digest.about(tx, grace), "month")
    waiting = [(one.number, one.since, one.assigned) for one in found.waiting]
    return found.team, found.low.count, found.agents, found.tags, waiting


async def test_an_export_is_all_that_is_theirs_and_notes_only_when_asked_for(
    office: Office, run: Run, tmp_path: Path
) -> None:
    await bobs_story(office)
    # Another program's, which its agents write.
    await office.sql.execute("alter table tickets add remark text default 'Bob is angry'")
    await office.sql.execute(
        "update tickets set conversation_history = jsonb_set(conversation_history, '{messages,1,agent}', '\"Linus\"')"
        " where id = $1",
        (await office.ticket(1))["id"],
    )
    await office.sql.execute(
        "alter table tickets drop constraint tickets_conversation_history_shape;"
        " update tickets set conversation_history = jsonb_insert(conversation_history, '{messages,0}', '\"SECRET\"')"
        " where id = (select ticket_id from threadesk.desk_tickets where number = 1)"
    )
    status, printed, _ = await run("export", BOB.upper())
    assert status == 0
    found = json.loads(printed)

    first, direct = found["tickets"]
    assert [(one["by"], one["content"]) for one in first["messages"]] == [
        ("them", "SECRET two"),
        ("support", "Dear Bob Noyce, SECRET"),
        ("support", "Which version?"),
        ("them", "SECRET three"),
    ]
    assert [one["content"] for one in first["messages"][0]["earlier"]] == ["SECRET one"]
    assert [one["name"] for one in first["messages"][0]["attachments"]] == ["SECRET.log"]
    assert (first["feedback"]["rating"], first["feedback"]["comment"]) == (1, "SECRET comment")
    assert [one["content"] for one in direct["messages"]] == ["SECRET six"]
    assert not {"tags", "custom_fields", "remark"} & first.keys()
    assert (first["messages_not_readable"], "messages_not_readable" in direct) == (1, False)
    (other,) = found["written_on_tickets_of_others"]
    assert (other["number"], [one["content"] for one in other["messages"]]) == (
        2,
        ["SECRET four"],
    )
    assert [one["text"] for one in found["written_elsewhere"]] == ["SECRET, and no ticket's"]
    assert [(one["slack_id"], one["name"]) for one in found["slack_people"]] == [(office.world.bob.id, "Bob Noyce")]
    assert [(one["first_name"], one["email"]) for one in found["customers"]] == [("Bob", BOB)]
    assert len(found["auth_users"]) == 1
    for others in ("angry", "serial", "Ada", "Grace", "Linus", office.world.linus.id):
        assert others not in printed

    assert await run("export", office.world.bob.id, "--notes", "--file", "bob.json") == (0, "", "")
    noted = json.loads((tmp_path / "bob.json").read_text())["tickets"][0]
    assert [one["content"] for one in noted["notes"]] == ["SECRET: Bob is angry"]
    assert (noted["tags"], noted["custom_fields"]) == (["export"], {"serial": "SECRET"})
    assert stat.S_IMODE((tmp_path / "bob.json").stat().st_mode) == 0o600


async def test_whoever_is_erased_is_nowhere_and_every_figure_stays(office: Office, run: Run) -> None:
    world, sql = office.world, office.sql
    adas = await bobs_story(office)
    before = await figures(office)
    kept = await sql.fetch("select id, ticket_id, at, actor, role, what, before, after from threadesk.ledger")
    order = await sql.fetch("select number, last_activity_at from threadesk.desk_tickets order by number")
    assert "SECRET" in said_by_the_desk(office)

    status, _, errors = await run("erase", BOB)
    assert status == 2
    assert "2 tickets they asked for and their words on 1 of others" in errors
    assert errors.endswith(f"To go on: python -m bot customer erase {BOB} --yes\n")
    assert "SECRET two" in (await office.said(1))[0], "nothing was done"

    # As after a crash between sending and recording: these are looked for.
    await sql.execute("update threadesk.posted set ts = null where slot ~ '^(reply|event|rated|email|message):'")
    status, told, _ = await run("erase", BOB, "--yes")
    assert (status, told.splitlines()[0]) == (0, "Erased: 2 tickets they asked for and their words on 1 of others.")
    await office.at_rest()

    his = ("SECRET", "Bob", "Noyce", BOB, world.bob.id)
    assert await tables_with(sql, *his) == []
    shown = said_by_the_desk(office)
    assert [word for word in his if word in shown] == []
    uploaded = [one for one in office.sandbox.slack.workspace.files.values() if one.owner is office.sandbox.bot]
    assert [one.deleted for one in uploaded] == [True, True]

    assert await figures(office) == before
    left = await sql.fetch("select id, ticket_id, at, actor, role, what, before, after from threadesk.ledger")
    assert [one for one in kept if one not in left] == []
    assert await sql.fetch("select number, last_activity_at from threadesk.desk_tickets order by number") == order
    assert (await office.ticket(1))["feedback"]["rating"] == 1
    assert (await office.ticket(1))["status"] == "closed"
    assert await office.said(2) == ["The import fails", "", "@somebody said so too"]
    assert (await office.ticket(2))["title"] == "The import fails"
    assert "The import fails" in office.thread(office.card(2))
    assert any("somebody said so too" in text for text in office.thread(office.card(2)))
    theirs = [one.text for one in office.sandbox.messages(world.help, thread_ts=adas.ts) if one.author is world.bob]
    assert theirs == ["SECRET four"], "what people wrote themselves is Slack's"

    assert await run("erase", BOB, "--yes") == (2, "", f"Nothing is kept of {BOB}.\n")
    assert await run("erase", world.bob.id) == (2, "", f"Nothing is kept of {world.bob.id}.\n")

    await world.bob.post(world.help, "I am back")
    await world.bob.post(world.help, "Me too", thread_ts=adas.ts)
    await office.at_rest()
    assert (await office.ticket(4))["customer_email"] == BOB
    assert (await office.said(2))[-1] == "Me too"


async def test_who_is_unknown_or_an_agent_is_named(office: Office, run: Run) -> None:
    await office.world.ada.post(office.world.help, "The export fails")
    await office.at_rest()
    for what in ("export", "erase"):
        assert await run(what, "nobody@globex.example") == (2, "", "Nothing is kept of nobody@globex.example.\n")
        assert await run(what, "T0NO:U0NOBODY") == (2, "", "Nothing is kept of T0NO:U0NOBODY.\n")
        status, _, errors = await run(what, "Bob")
        assert (status, errors.split(",")[0]) == (2, "Bob is neither an e-mail nor a Slack id")
    status, _, errors = await run("erase", office.world.linus.id, "--yes")
    assert (status, "where agents work: nothing was erased" in errors) == (2, True)
    ada = f"{office.world.ada.team.id}:{office.world.ada.id}"
    assert json.loads((await run("export", ada))[1])["tickets"][0]["title"] == "The export fails"


async def test_of_two_people_with_one_e_mail_only_the_one_who_is_named_is_erased(office: Office, run: Run) -> None:
    world = office.world
    await world.ada.post(world.help, "Ada's question")
    await office.at_rest()
    await world.bob.post(world.help, "Bob's question")
    await office.at_rest()
    await office.sql.execute("update threadesk.people set email = $1 where slack_id = $2", BOB, world.ada.id)
    for what in ("export", "erase"):
        status, _, errors = await run(what, BOB)
        assert (status, "the e-mail of several people in Slack" in errors, world.ada.id in errors) == (2, True, True)
    assert (await run("erase", world.ada.id, "--yes"))[0] == 0
    assert (await office.said(1), await office.said(2)) == ([""], ["Bob's question"])
    assert (await office.ticket(2))["customer_email"] == BOB


async def test_what_is_written_just_then_is_erased_or_kept_but_never_lost(office: Office) -> None:
    world, services = office.world, office.running.services
    root = await world.bob.post(world.help, "SECRET one")
    await office.at_rest()
    async with services.transaction() as tx:
        bob = await subjects.with_email(tx, BOB)
        assert bob is not None
        await erasing.erase(tx, bob)
        await world.bob.post(world.help, "Still there?", thread_ts=root.ts)
        await world.bob.post(world.help, "Something else")
        await asyncio.sleep(0.1)
        assert await office.said(1) == ["SECRET one"], "what is written waits"
    await office.at_rest()
    assert (await office.said(1), await office.said(2)) == (["", "Still there?"], ["Something else"])
    asker = (await office.ticket(2))["requester"]
    assert asker not in bob.user_ids

    async def erase() -> None:
        async with services.transaction() as tx:
            bob = await subjects.with_email(tx, BOB)
            if bob is not None:
                await erasing.erase(tx, bob)

    for round_ in range(3):
        written = [world.bob.post(world.help, f"Round {round_}: {one}", thread_ts=root.ts) for one in range(4)]
        await asyncio.gather(*written, erase())
    await office.at_rest()
    assert len(await office.said(1)) == 2 + 3 * 4
    await erase()
    await office.at_rest()
    assert set(await office.said(1)) == {""}
    assert await tables_with(office.sql, "Round ", "Bob", BOB) == []
    assert "Round " not in said_by_the_desk(office)


async def test_where_a_ticket_begins_with_a_mention_title_and_description_lose_it_and_nobody_else_is_renamed(
    office: Office, run: Run
) -> None:
    world = office.world
    await world.bob.post(world.help, "The export fails")
    await office.at_rest()
    await office.sql.execute("update threadesk.people set name = 'Al' where slack_id = $1", world.bob.id)
    await world.ada.post(world.help, "Hello")
    await office.at_rest()
    said = {
        "messages": [(await office.ticket(2))["conversation_history"]["messages"][0] | {"content": "@Al and @Alma"}]
    }
    await office.sql.execute(
        "update tickets set title = '@Al and @Alma', description = '@Al and @Alma', conversation_history = $2"
        " where id = $1",
        (await office.ticket(2))["id"],
        said,
    )
    await office.sql.execute(
        "update threadesk.messages set source = source || jsonb_build_object('text', $2::text) where ticket_id = $1",
        (await office.ticket(2))["id"],
        f"{world.bob.mention} and @Alma",
    )
    assert (await run("erase", BOB, "--yes"))[0] == 0
    ticket = await office.ticket(2)
    assert await office.said(2) == ["@somebody and @Alma"]
    assert (ticket["title"], ticket["description"]) == ("@somebody and @Alma", "@somebody and @Alma")
