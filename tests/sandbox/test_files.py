"""Files that the app uploads, as https://docs.slack.dev/messaging/working-with-files describes it."""

import asyncio
import json
from typing import Any

import pytest

from bot.sandbox import CannotDo, Message
from tests.sandbox.conftest import World


async def begun(world: World, content: bytes = b"hello", name: str = "a.txt") -> tuple[str, str]:
    """An upload of which Slack has the content: its address and the file's id."""
    place = await world.call("files.getUploadURLExternal", filename=name, length=len(content))
    async with world.http.post(place["upload_url"], data=content) as answer:
        assert (answer.status, await answer.text()) == (200, f"OK - {len(content)}")
    return place["upload_url"], place["file_id"]


async def complete(world: World, file_id: str, **more: Any) -> dict[str, Any]:
    files = json.dumps([{"id": file_id, "title": "A"}])
    return await world.call("files.completeUploadExternal", files=files, **more)


async def test_an_uploaded_file_is_posted_by_the_bot_in_the_thread(world: World) -> None:
    root = await world.ada.post(world.help, "Hello")
    _, file_id = await begun(world)
    assert world.sandbox.messages(world.help) == [root]
    done = await complete(world, file_id, channel_id=world.help.id, thread_ts=root.ts, initial_comment="Here")
    assert "ts" not in done, "Slack does not say which message shows it"
    shown = (await world.call("conversations.replies", channel=world.help.id, ts=root.ts))["messages"][1]
    assert (shown["subtype"], shown["text"], shown["user"]) == ("file_share", "Here", world.sandbox.bot.id)
    assert [one["id"] for one in shown["files"]] == [file_id]
    assert "bot_id" in shown
    headers = {"Authorization": f"Bearer {world.sandbox.bot_token}"}
    async with world.http.get(shown["files"][0]["url_private"], headers=headers) as response:
        assert await response.read() == b"hello"


async def test_it_may_stand_there_under_another_name(world: World) -> None:
    _, file_id = await begun(world)
    await complete(world, file_id, channel_id=world.help.id, username="Ada", icon_url="https://a.example/a.png")
    (shown,) = world.sandbox.messages(world.help)
    assert (shown.username, shown.icons) == ("Ada", {"image_48": "https://a.example/a.png"})


async def test_the_message_comes_when_the_files_have_been_looked_through(world: World) -> None:
    world.sandbox.slack.scanning = 0.2
    _, file_id = await begun(world)
    await complete(world, file_id, channel_id=world.help.id)
    assert world.sandbox.messages(world.help) == []
    await asyncio.sleep(0.4)
    assert [one.files[0].id for one in world.sandbox.messages(world.help)] == [file_id]


async def test_an_upload_is_completed_once_and_only_with_its_content(world: World) -> None:
    place = await world.call("files.getUploadURLExternal", filename="a.txt", length=5)
    assert (await complete(world, place["file_id"]))["error"] == "file_not_found"
    async with world.http.post(place["upload_url"], data=b"too long") as answer:
        assert answer.status == 400
    _, file_id = await begun(world)
    assert (await complete(world, file_id))["ok"]
    assert (await complete(world, file_id))["error"] == "file_not_found"
    assert world.sandbox.messages(world.help) == [], "without a channel it is private"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"filename": "a.txt"}, "invalid_arguments"),
        ({"filename": "a.txt", "length": "many"}, "invalid_arguments"),
        ({"filename": "a.txt", "length": 0}, "missing_argument"),
        ({"length": 5}, "invalid_arguments"),
    ],
)
async def test_a_malformed_upload_is_refused(world: World, args: dict[str, Any], error: str) -> None:
    assert (await world.call("files.getUploadURLExternal", **args))["error"] == error


async def test_files_are_shared_only_where_the_bot_may_write(world: World) -> None:
    _, file_id = await begun(world)
    assert (await complete(world, file_id, channel_id=world.ada.id))["error"] == "invalid_arguments"
    assert (await complete(world, file_id, channel_id="C0NOWHERE00"))["error"] == "channel_not_found"
    world.sandbox.archive(world.help)
    assert (await complete(world, file_id, channel_id=world.help.id))["error"] == "is_archived"


async def test_a_deleted_file_leaves_its_message(world: World) -> None:
    _, file_id = await begun(world)
    await complete(world, file_id, channel_id=world.help.id)
    assert (await world.call("files.delete", file=file_id))["ok"]
    (shown,) = (await world.call("conversations.history", channel=world.help.id))["messages"]
    assert shown["files"] == [{"id": file_id, "mode": "tombstone"}]
    assert (await world.call("files.delete", file=file_id))["error"] == "file_deleted"
    assert (await world.call("files.info", file=file_id))["error"] == "file_deleted"
    assert (await world.call("files.delete", file="F0"))["error"] == "file_not_found"
    theirs: Message = await world.ada.post(world.help, "", files=[("b.txt", "text/plain", b"x")])
    assert (await world.call("files.delete", file=theirs.files[0].id))["error"] == "cant_delete_file"
    with pytest.raises(CannotDo, match="only delete their own files"):
        await world.grace.delete_file(theirs.files[0])
    await world.ada.delete_file(theirs.files[0])
    shown = (await world.call("conversations.history", channel=world.help.id))["messages"][0]
    assert shown["files"] == [{"id": theirs.files[0].id, "mode": "tombstone"}]
