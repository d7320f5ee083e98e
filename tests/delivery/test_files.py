"""Files are uploaded again for those who are not where they were shared: once, and only for whom they are meant."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.delivery.porter import is_slacks
from bot.sandbox import Channel, Message
from bot.tickets import files
from tests.conftest import Office, World, open_office
from tests.delivery.test_courier import alerts, by_desk, command, opened, posted_once, until, visible_to_customers
from tests.listeners.slack_side import deliver, events_about, held_back

LOG = ("crash.log", "text/plain", b"line 1\nline 2\n" * 20_000)
SHOT = ("error.png", "image/png", b"\x89PNG" * 100)


def shared(office: Office, channel: Channel) -> list[Message]:
    """The desk's messages that show files, in order."""
    return [one for one in by_desk(office, channel) if one.files]


async def in_copies(office: Office, column: str) -> list[Any]:
    return [row[0] for row in await office.sql.fetch(f"select {column} from threadesk.copies order by place")]


async def test_a_customers_files_stand_in_triage_under_their_name(office: Office) -> None:
    world = office.world
    await world.ada.post(world.help, "It crashed", files=[LOG, SHOT])
    await office.at_rest()

    mirrored, copied = office.sandbox.messages(world.triage, thread_ts=office.card().ts)[1:]
    assert mirrored.text.startswith("It crashed\n📎 <https://globex.slack.com/files/")
    assert (copied.username, copied.thread_ts) == ("Ada Lovelace", office.card().ts)
    assert [(one.name, one.content) for one in copied.files] == [("crash.log", LOG[2]), ("error.png", SHOT[2])]
    assert all(one.owner is office.sandbox.bot for one in copied.files), "not the customer's own, which agents lack"
    attachments = (await office.ticket())["conversation_history"]["messages"][0]["attachments"]
    assert [file["name"] for file in attachments] == ["crash.log", "error.png"]
    assert shared(office, world.help) == []


async def test_the_desks_own_files_are_nobodys_words(office: Office) -> None:
    world = office.world
    root = await world.ada.post(world.help, "", files=[SHOT])
    await office.at_rest()
    await world.grace.post(world.help, "See this", thread_ts=root.ts, files=[LOG])
    await office.at_rest()
    assert (await office.said(), await office.notes()) == (["", "See this"], [])
    assert [one.files[0].name for one in shared(office, world.triage)] == ["error.png", "crash.log"]
    assert [one.username for one in shared(office, world.triage)] == ["Ada Lovelace", "Grace Hopper"]
    assert await office.sql.fetchval("select count(*) from threadesk.early") == 0


async def test_a_notes_file_is_never_copied_anywhere(office: Office) -> None:
    world = office.world
    await opened(office)
    secret = ("SECRET.txt", "text/plain", b"SECRET")
    await world.linus.post(world.triage, "Look at this", thread_ts=office.card().ts, files=[secret])
    await office.at_rest()
    assert len(await office.notes()) == 1
    assert await in_copies(office, "name") == []
    assert shared(office, world.help) == shared(office, world.triage) == []
    assert "SECRET" not in visible_to_customers(office)
    note = await office.sql.fetchval("select message_id from threadesk.messages where kind = 'note'")
    with pytest.raises(asyncpg.CheckViolationError, match="a note's file is not copied"):
        await office.sql.execute(
            "insert into threadesk.copies (ticket_id, side, message_id, original, name, place, due_at)"
            " select ticket_id, 'customer', $1, 'F1', 'x', 1, now() from threadesk.messages where message_id = $1",
            note,
        )


async def test_a_file_with_a_deliberate_reply_reaches_the_customer(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        root = await opened(office)
        said = f"{office.sandbox.bot.mention} reply Install this"
        patch = ("patch.zip", "application/zip", b"PK")
        await world.linus.post(world.triage, said, thread_ts=office.card().ts, files=[patch])
        await office.at_rest()
        assert "Install this\n📎 patch.zip" in office.thread(office.card())[2]
        assert shared(office, world.help) == [], "it can be undone"
        world.clock.advance(seconds=61)
        await office.at_rest()

        _, reply, file = office.sandbox.messages(world.help, thread_ts=root.ts)[1:]
        assert (reply.text, reply.username) == ("Install this\n📎 patch.zip", "Linus Pauling")
        assert ([one.content for one in file.files], file.username) == ([b"PK"], "Linus Pauling")
        (_, word) = (await office.ticket())["conversation_history"]["messages"]
        assert [one["name"] for one in word["attachments"]] == ["patch.zip"]
        assert shared(office, world.triage) == [], "agents have it in the thread already"


async def test_another_program_that_changes_a_reply_just_sent_goes_through(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    """The trigger locks the message and then what is to be shown; so does the courier."""
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        await opened(office)
        said = f"{office.sandbox.bot.mention} reply Install this"
        await world.linus.post(world.triage, said, thread_ts=office.card().ts, files=[("patch", "text/plain", b"PK")])
        await office.at_rest()
        office.sandbox.disrupt("chat.postMessage", "slow", seconds=1)
        world.clock.advance(seconds=61)

        async def on_its_way() -> bool:
            return office.sandbox.struck["slow"] == 1

        async def courier_waits() -> Any:
            return await sql.fetchval(
                "select count(*) > 0 from pg_stat_activity"
                " where wait_event_type = 'Lock' and datname = current_database()"
            )

        await until(on_its_way)
        async with sql.transaction():
            await sql.execute("select from threadesk.messages where author_role = 'agent' for no key update")
            await until(courier_waits)
            await sql.execute("select threadesk.mark(id, now()) from tickets")
        await office.at_rest()
        assert [one.files[0].content for one in shared(office, world.help)] == [b"PK"]


@pytest.mark.parametrize("button", ["undo_reply", "make_note"])
async def test_a_reply_that_is_taken_back_takes_its_file_along(
    world: World, database_url: str, sql: asyncpg.Connection, button: str
) -> None:
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        await opened(office)
        said = f"{office.sandbox.bot.mention} reply Install this"
        await world.linus.post(world.triage, said, thread_ts=office.card().ts, files=[("SECRET", "text/plain", b"x")])
        await office.at_rest()
        held = office.sandbox.find(world.triage, "goes to the customer")
        assert (await world.linus.click(held, action_id=button)).ok
        world.clock.advance(seconds=61)
        await office.at_rest()
        assert await in_copies(office, "name") == []
        assert "SECRET" not in visible_to_customers(office)
        assert [one.startswith("Install this\nSECRET https") for one in await office.notes()] == (
            [True] if button == "make_note" else []
        )


CALLS = [
    (method, how)
    for method in ("files.getUploadURLExternal", "upload", "download", "files.completeUploadExternal")
    for how in ("http_500", "cut_before", "cut_after", "ratelimited")
]


@pytest.mark.parametrize(("method", "how"), CALLS)
async def test_a_file_stands_there_once_whatever_goes_wrong_on_the_way(office: Office, method: str, how: Any) -> None:
    await opened(office)
    office.sandbox.disrupt(method, how)
    root = office.sandbox.messages(office.world.help)[0]
    await office.world.ada.post(office.world.help, "It crashed", thread_ts=root.ts, files=[LOG])
    await office.at_rest()
    (copied,) = shared(office, office.world.triage)
    assert copied.files[0].content == LOG[2]
    assert office.sandbox.struck[how] == 1


async def test_a_share_without_an_answer_is_looked_for_where_slack_takes_its_time(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    """The message comes after all is settled: completing again is refused, which tells that it was done."""
    async with open_office(world, database_url, sql, slack_call_seconds=0.5) as office:
        root = await opened(office)
        office.sandbox.slack.scanning = 3
        office.sandbox.disrupt("files.completeUploadExternal", "cut_after")
        await world.ada.post(world.help, "It crashed", thread_ts=root.ts, files=[SHOT])
        await office.at_rest()
        assert [one.text for one in shared(office, world.triage)] == [""]
        refused = await sql.fetch("select refused from threadesk.posted where refused is not null")
        assert refused == []


async def test_words_do_not_wait_for_files(office: Office) -> None:
    root = await opened(office)
    office.sandbox.disrupt("upload", "slow", seconds=2)
    office.sandbox.slack.scanning = 1
    await office.world.ada.post(office.world.help, "It crashed", thread_ts=root.ts, files=[LOG])
    await office.world.ada.post(office.world.help, "And again", thread_ts=root.ts)

    async def second_is_shown() -> bool:
        return any("And again" in text for text in office.thread(office.card()))

    await until(second_is_shown)
    await command(office, "priority 1 high")

    async def card_follows() -> bool:
        return "High priority" in office.card().text

    await until(card_follows)
    assert shared(office, office.world.triage) == []
    await office.at_rest()
    assert len(shared(office, office.world.triage)) == 1


async def test_a_file_that_is_too_large_stays_a_link_and_says_so(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGEST", 10)
    film, shot = ("film.mp4", "video/mp4", b"x" * 11), ("error.png", "image/png", b"1")
    await office.world.ben.post(office.world.help, "See here", files=[film, shot])
    await office.at_rest()
    mirrored = office.thread(office.card())[0]
    assert "|film.mp4> _(too large to be copied here)_" in mirrored
    assert [file.name for one in shared(office, office.world.triage) for file in one.files] == ["error.png"]
    assert len(office.sandbox.slack.fetched) == 1


@pytest.mark.parametrize("case", ["empty", "external", "deleted", "elsewhere", "lies", "no scope"])
async def test_what_cannot_be_copied_stays_a_link_and_holds_nothing_up(office: Office, case: str) -> None:
    world, sandbox = office.world, office.sandbox
    root = await opened(office)
    if case == "no scope":
        sandbox.withdraw_scope("files:write")
    sandbox.disrupt("files.info", "slow", seconds=0.5)
    posted = await world.ben.post(
        world.help, "See here", thread_ts=root.ts, files=[("a.log", "text/plain", b"" if case == "empty" else b"log")]
    )
    (file,) = posted.files
    match case:
        case "external":
            file.permalink = "https://drive.example/a.log"
        case "deleted":
            file.deleted = True
        case "elsewhere":
            file.url = "http://127.0.0.1:1/a.log"
        case "lies":
            file.url = f"{sandbox.url}/avatars/none.png"
        case _:
            pass
    await sandbox.settled()
    await world.ada.post(world.help, "And?", thread_ts=root.ts)
    await office.at_rest()
    (refused,) = await in_copies(office, "refused")
    expected = {
        "empty": "empty",
        "external": "kept elsewhere",
        "deleted": "file_deleted",
        "elsewhere": "kept elsewhere",
        "lies": "access_denied",
        "no scope": "missing_scope",
    }
    assert refused == expected[case]
    assert "📎 <https://acme.slack.com/files/" in office.thread(office.card())[1]
    assert "And?" in office.thread(office.card())[2]
    assert shared(office, world.triage) == []
    assert not any("does not reach Slack" in text for text in office.thread(office.card()))


async def test_a_file_that_is_taken_away_from_a_message_goes_everywhere_and_the_others_stay(office: Office) -> None:
    world = office.world
    said = await world.ada.post(world.help, "It crashed", files=[LOG, SHOT])
    await office.at_rest()
    log, shot = shared(office, world.triage)[0].files
    await world.ada.delete_file(said.files[0])
    await office.at_rest()
    (word,) = (await office.ticket())["conversation_history"]["messages"]
    assert ([one["name"] for one in word["attachments"]], word["content"]) == (["error.png"], "It crashed")
    assert "edited_at" not in word
    assert (log.deleted, shot.deleted) == (True, False)
    assert "crash.log" not in office.thread(office.card())[0]
    assert "error.png" in office.thread(office.card())[0]
    assert len(shared(office, world.triage)) == 1

    await world.ada.delete_file(said.files[1])
    await office.at_rest()
    assert (await office.ticket())["conversation_history"]["messages"][0]["attachments"] == []
    assert shot.deleted
    assert shared(office, world.triage) == []
    assert office.thread(office.card()) == ["It crashed"]


async def test_a_file_that_was_taken_away_before_the_message_was_heard_is_not_copied(office: Office) -> None:
    world = office.world
    await opened(office)
    async with held_back(office):
        said = await world.ada.post(world.help, "It crashed", files=[LOG, SHOT])
        await world.ada.delete_file(said.files[0])
        arrived, changed = await events_about(office, said, 2)
    await deliver(office, changed, arrived, changed)
    await office.at_rest()
    (word,) = (await office.ticket(2))["conversation_history"]["messages"]
    assert [one["name"] for one in word["attachments"]] == ["error.png"]
    assert [file.name for one in shared(office, world.triage) for file in one.files] == ["error.png"]


async def test_the_token_goes_to_slack_only(office: Office) -> None:
    """Whatever Slack says of a file, nobody else is asked for it."""
    asked = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text="log")

    elsewhere = web.Application()
    elsewhere.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(elsewhere) as server:
        root = await opened(office)
        office.sandbox.disrupt("files.info", "slow", seconds=0.5)
        posted = await office.world.ben.post(
            office.world.help, "See here", thread_ts=root.ts, files=[("a.log", "text/plain", b"log")]
        )
        posted.files[0].url = str(server.make_url("/a.log"))
        await office.at_rest()
    assert asked == []
    assert await in_copies(office, "refused") == ["kept elsewhere"]


@pytest.mark.parametrize(
    ("url", "is_there"),
    [
        ("https://files.slack.com/files-pri/T1-F1/a.png", True),
        ("https://slack.com/files-pri/T1-F1/a.png", True),
        ("http://files.slack.com/files-pri/T1-F1/a.png", False),
        ("https://files.slack.com.evil.example/a.png", False),
        ("https://files.slack.com:8443/a.png", False),
        ("https://files.slack.com@evil.example/a.png", False),
        ("https://me@files.slack.com/a.png", False),
        ("https://evil.example/files.slack.com", False),
        ("https://[oops", False),
        ("file:///etc/passwd", False),
        ("http://169.254.169.254/latest", False),
        ("", False),
    ],
)
def test_where_slack_keeps_files(url: str, is_there: bool) -> None:
    assert is_slacks(url, "https://slack.com/api/") == is_there


async def test_a_deleted_messages_copies_are_deleted(office: Office) -> None:
    world = office.world
    root = await opened(office)
    message = await world.ada.post(world.help, "It crashed", thread_ts=root.ts, files=[LOG, SHOT])
    await office.at_rest()
    copies = [file for one in shared(office, world.triage) for file in one.files]
    assert len(copies) == 2
    await world.ada.delete(message)
    await office.at_rest()
    assert all(file.deleted for file in copies)
    assert shared(office, world.triage) == []
    assert await in_copies(office, "removed") == [True, True]
    assert "crash.log" not in json.dumps([(one.text, one.blocks) for one in world.triage.posts.values()])


@pytest.mark.parametrize("method", ["download", "upload", "files.getUploadURLExternal", "files.completeUploadExternal"])
async def test_of_what_is_deleted_on_its_way_nothing_remains(office: Office, method: str) -> None:
    world, sandbox = office.world, office.sandbox
    root = await opened(office)
    sandbox.disrupt(method, "slow", seconds=1)
    message = await world.ada.post(world.help, "It crashed", thread_ts=root.ts, files=[SHOT])

    async def on_its_way() -> bool:
        return sandbox.struck["slow"] == 1

    await until(on_its_way)
    await world.ada.delete(message)
    await office.at_rest()
    assert [one for one in shared(office, world.triage) if any(not file.deleted for file in one.files)] == []
    left = [one for one in sandbox.slack.workspace.files.values() if one.owner is sandbox.bot and not one.deleted]
    assert left == []


async def test_a_copy_that_slack_does_not_let_go_is_tried_again(office: Office) -> None:
    world = office.world
    root = await opened(office)
    message = await world.ada.post(world.help, "It crashed", thread_ts=root.ts, files=[SHOT])
    await office.at_rest()
    (file,) = shared(office, world.triage)[0].files
    office.sandbox.disrupt("files.delete", "http_500")
    await world.ada.delete(message)
    await office.at_rest()
    assert file.deleted


async def test_a_copy_that_slack_keeps_for_days_is_still_tried_again(office: Office) -> None:
    world = office.world
    root = await opened(office)
    message = await world.ada.post(world.help, "It crashed", thread_ts=root.ts, files=[SHOT])
    await office.at_rest()
    (file,) = shared(office, world.triage)[0].files
    office.sandbox.disrupt("files.delete", "http_500", times=2)
    await world.ada.delete(message)

    async def failed(times: int) -> bool:
        return bool(await office.sql.fetchval("select failures >= $1 from threadesk.copies", times))

    await until(lambda: failed(1))
    await office.sql.execute("update threadesk.copies set failures = 1100")
    await until(lambda: failed(1101))
    world.clock.advance(seconds=600)
    await office.at_rest()
    assert file.deleted


async def test_an_edit_uploads_nothing_again_and_alerts_nobody(office: Office) -> None:
    world = office.world
    root = await opened(office)
    await command(office, "claim 1")
    message = await world.ada.post(world.help, "It crashed", thread_ts=root.ts, files=[SHOT])
    await office.at_rest()
    (mirrored,) = [
        one for one in office.sandbox.messages(world.triage, thread_ts=office.card().ts)[1:] if "It crash" in one.text
    ]
    assert world.linus.mention in mirrored.text
    await world.ada.edit(message, "It crashed twice")
    await office.at_rest()
    assert "It crashed twice" in mirrored.text
    assert world.linus.mention not in mirrored.text
    assert len(shared(office, world.triage)) == 1
    assert len(office.sandbox.slack.fetched) == 1
    assert alerts(office) == []


async def test_a_file_alone_alerts_the_assignees_once(office: Office) -> None:
    world = office.world
    root = await opened(office)
    await command(office, f"assign 1 {world.grace.mention} {world.linus.mention}")
    await world.ada.post(world.help, "", thread_ts=root.ts, files=[SHOT])
    await office.at_rest()
    alerted = [
        text for text in office.thread(office.card()) if f"🔔 {world.grace.mention} {world.linus.mention}" in text
    ]
    assert len(alerted) == 1
    assert "error.png" in alerted[0]


async def test_a_reply_file_whose_thread_has_vanished_does_not_stay_in_the_open_channel(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    """An admin deletes root, status message and reply while the file is on its way."""
    world.grace.admin = True
    async with open_office(world, database_url, sql) as office:
        root = await opened(office)
        office.sandbox.disrupt("upload", "slow", seconds=1)
        said = f"{office.sandbox.bot.mention} reply Install this"
        await world.linus.post(world.triage, said, thread_ts=office.card().ts, files=[("patch", "text/plain", b"PK")])

        async def on_its_way() -> bool:
            return office.sandbox.struck["slow"] == 1

        await until(on_its_way)
        await sql.execute("update threadesk.posted set renewals = 3 where slot = 'status'")
        for one in by_desk(office, world.help):
            await world.grace.delete(one)
        await world.grace.delete(root)
        await office.at_rest()
        assert by_desk(office, world.help) == []
        left = [one for one in office.sandbox.slack.workspace.files.values() if one.owner is office.sandbox.bot]
        assert all(one.deleted for one in left)
        assert any("What was attached to a message does not reach Slack" in t for t in office.thread(office.card()))


async def test_a_transfer_that_a_restart_has_cut_off_is_made_again(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql) as office:
        root = await opened(office)
        office.sandbox.disrupt("upload", "slow", seconds=2)
        await world.ada.post(world.help, "It crashed", thread_ts=root.ts, files=[LOG])

        async def on_its_way() -> bool:
            return office.sandbox.struck["slow"] == 1

        await until(on_its_way)
    assert await sql.fetchval("select copy from threadesk.copies") is None
    async with open_office(world, database_url, sql) as office:
        await office.at_rest()
        (copied,) = shared(office, world.triage)
        assert copied.files[0].content == LOG[2]
        assert posted_once(office)


async def test_who_dies_with_a_transfer_is_followed_by_another_when_the_lease_ends(office: Office) -> None:
    """As after kill -9: the row is leased by nobody who lives."""
    root = await opened(office)
    office.sandbox.disrupt("files.info", "http_500")
    await office.world.ben.post(office.world.help, "It crashed", thread_ts=root.ts, files=[LOG])

    async def begun() -> bool:
        return bool(await in_copies(office, "id"))

    await until(begun)
    await office.sql.execute(
        "update threadesk.copies set lease = gen_random_uuid(), leased_until = clock_timestamp() + interval '2 s'"
    )
    await asyncio.sleep(1)
    assert shared(office, office.world.triage) == []
    await office.at_rest()
    assert len(shared(office, office.world.triage)) == 1


async def test_files_in_a_dm_are_copied_too(office: Office) -> None:
    await office.world.bob.dm("It crashed", files=[SHOT])
    await office.at_rest()
    assert [one.files[0].content for one in shared(office, office.world.triage)] == [SHOT[2]]
