"""What the Web API answers, and what it refuses, with Slack's codes and the page that says so."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.sandbox import Sandbox
from tests.sandbox.conftest import World

BUTTON = {"type": "button", "action_id": "claim", "text": {"type": "plain_text", "text": "Claim"}, "value": "1"}
BLOCKS = [{"type": "actions", "block_id": "acts", "elements": [BUTTON]}]


def refused(answer: dict[str, Any], error: str) -> None:
    assert answer["ok"] is False
    assert answer["error"] == error
    assert answer["sandbox_reference"].startswith("https://")


def without(manifest: Path, *scopes: str) -> None:
    text = manifest.read_text()
    for scope in scopes:
        text = text.replace(scope, "commands")
    manifest.write_text(text)


async def test_a_call_without_a_token_or_with_a_wrong_one_is_refused(world: World) -> None:
    refused(await world.call("auth.test", token=""), "not_authed")
    refused(await world.call("auth.test", token="xoxb-wrong"), "invalid_auth")


async def test_a_token_may_come_in_a_form_but_not_in_json(world: World) -> None:
    url, token = world.sandbox.api_url + "auth.test", world.sandbox.bot_token
    async with world.http.post(url, data={"token": token}) as response:
        assert (await response.json())["ok"] is True
    async with world.http.post(url, json={"token": token}) as response:
        refused(await response.json(), "not_authed")


async def test_an_unknown_method_is_refused(world: World) -> None:
    refused(await world.call("chat.shout"), "unknown_method")


async def test_a_body_that_is_not_json_is_refused(world: World) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {world.sandbox.bot_token}"}
    async with world.http.post(world.sandbox.api_url + "auth.test", data=b"{", headers=headers) as response:
        refused(await response.json(), "invalid_json")


async def test_a_missing_scope_is_named(manifest: Path) -> None:
    without(manifest, "users:read.email", "reactions:write")
    async with Sandbox(manifest) as sandbox, aiohttp.ClientSession() as http:
        grace = sandbox.add_person("Grace", email="grace@acme.example")
        headers = {"Authorization": f"Bearer {sandbox.bot_token}"}
        async with http.post(sandbox.api_url + "reactions.add", headers=headers) as response:
            answer = await response.json()
        refused(answer, "missing_scope")
        assert answer["needed"] == "reactions:write"
        assert "users:read" in answer["provided"].split(",")
        form = {"user": grace.id}
        async with http.post(sandbox.api_url + "users.info", data=form, headers=headers) as response:
            assert "email" not in (await response.json())["user"]["profile"]


async def test_names_and_pictures_need_their_scope(manifest: Path) -> None:
    without(manifest, "chat:write.customize")
    async with Sandbox(manifest) as sandbox, aiohttp.ClientSession() as http:
        channel = await sandbox.add_channel("a", members=[sandbox.bot])
        headers = {"Authorization": f"Bearer {sandbox.bot_token}"}
        post = {"channel": channel.id, "text": "x", "username": "Grace"}
        async with http.post(sandbox.api_url + "chat.postMessage", json=post, headers=headers) as response:
            answer = await response.json()
        refused(answer, "missing_scope")
        assert answer["needed"] == "chat:write.customize"


async def test_somebody_from_another_company_shows_less_of_themselves(world: World) -> None:
    theirs = (await world.call("users.info", user=world.ada.id, include_locale=True))["user"]
    ours = (await world.call("users.info", user=world.grace.id, include_locale=True))["user"]
    assert theirs["team_id"] == world.globex.id
    assert theirs["is_stranger"] is False
    assert "locale" not in theirs
    assert "email" not in theirs["profile"]
    assert ours["locale"] == "en-US"
    assert ours["profile"]["email"] == "grace@acme.example"
    listed = await world.call("users.list")
    assert world.ada.id not in [user["id"] for user in listed["members"]]


async def test_lists_are_paged_by_cursor(world: World) -> None:
    first = await world.call("conversations.members", channel=world.help.id, limit=2)
    cursor = first["response_metadata"]["next_cursor"]
    rest = await world.call("conversations.members", channel=world.help.id, limit=2, cursor=cursor)
    assert first["members"] + rest["members"] == world.help.members
    assert rest["response_metadata"]["next_cursor"] == ""
    refused(await world.call("conversations.members", channel=world.help.id, cursor="no"), "invalid_cursor")


async def test_a_channel_tells_with_whom_it_is_shared(world: World) -> None:
    channel = (await world.call("conversations.info", channel=world.help.id))["channel"]
    assert channel["is_ext_shared"] is True
    assert channel["connected_team_ids"] == [world.globex.id]
    assert channel["conversation_host_id"] == world.sandbox.team.id


async def test_channels_the_app_is_not_in_are_closed_or_unknown(world: World) -> None:
    public = await world.sandbox.add_channel("random", members=[world.grace])
    secret = await world.sandbox.add_channel("board", private=True, members=[world.grace])
    for method in ("chat.postMessage", "conversations.history"):
        refused(await world.call(method, channel=public.id, text="x"), "not_in_channel")
        refused(await world.call(method, channel=secret.id, text="x"), "channel_not_found")
    refused(await world.call("conversations.history", channel="C0NOWHERE"), "channel_not_found")


async def test_nothing_is_posted_to_an_archived_channel(world: World) -> None:
    posted = await world.call("chat.postMessage", channel=world.help.id, text="x")
    world.sandbox.archive(world.help)
    refused(await world.call("chat.postMessage", channel=world.help.id, text="x"), "is_archived")
    refused(await world.call("chat.update", channel=world.help.id, ts=posted["ts"], text="y"), "is_inactive")


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({}, "no_text"),
        ({"text": "  "}, "no_text"),
        ({"text": "x", "blocks": "[{"}, "invalid_blocks_format"),
        ({"text": "x", "blocks": [{"type": "nonsense"}]}, "invalid_blocks"),
        ({"text": "x", "metadata": {"event_type": "x"}}, "invalid_metadata_format"),
    ],
)
async def test_a_malformed_post_is_refused(world: World, args: dict[str, Any], error: str) -> None:
    refused(await world.call("chat.postMessage", channel=world.help.id, **args), error)


async def test_refused_blocks_say_where(world: World) -> None:
    blocks = [*BLOCKS, {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]
    answer = await world.call("chat.postMessage", channel=world.help.id, text="x", blocks=blocks)
    refused(answer, "invalid_blocks")
    assert "/blocks/1" in answer["response_metadata"]["messages"][0]


async def test_blocks_that_slack_has_not_brought_to_a_workspace_yet_are_refused(world: World) -> None:
    table = {"type": "table", "rows": [[{"type": "raw_text", "text": "Agent"}]]}
    world.sandbox.take_blocks_away("table")
    post = {"channel": world.help.id, "text": "x"}
    refused(await world.call("chat.postMessage", **post, blocks=[table]), "invalid_blocks")
    assert (await world.call("chat.postMessage", **post, blocks=BLOCKS))["ok"]


async def test_a_long_text_is_cut_when_posted_and_refused_when_updated(world: World) -> None:
    posted = await world.call("chat.postMessage", channel=world.help.id, text="x" * 40_001)
    assert len(posted["message"]["text"]) == 40_000
    long = {"channel": world.help.id, "ts": posted["ts"], "text": "x" * 4_001}
    refused(await world.call("chat.update", **long), "msg_too_long")


async def test_only_own_messages_can_be_changed(world: World) -> None:
    theirs = await world.ada.post(world.help, "mine")
    where = {"channel": world.help.id, "ts": theirs.ts}
    refused(await world.call("chat.update", **where, text="x"), "cant_update_message")
    refused(await world.call("chat.delete", **where), "cant_delete_message")
    refused(await world.call("chat.delete", channel=world.help.id, ts="1.1"), "message_not_found")


async def test_an_update_with_text_alone_takes_the_blocks_away(world: World) -> None:
    posted = await world.call("chat.postMessage", channel=world.help.id, text="x", blocks=BLOCKS)
    where = {"channel": world.help.id, "ts": posted["ts"]}
    with_blocks = await world.call("chat.update", **where, blocks=BLOCKS)
    assert with_blocks["message"]["text"] == "x"
    assert "edited" not in with_blocks["message"]
    without = await world.call("chat.update", **where, text="y")
    assert "blocks" not in without["message"]
    assert "edited" in without["message"]


async def test_metadata_is_kept_and_shown_on_request(world: World) -> None:
    metadata = {"event_type": "reply", "event_payload": {"id": "1"}}
    posted = await world.call("chat.postMessage", channel=world.help.id, text="x", metadata=metadata)
    await world.call("chat.update", channel=world.help.id, ts=posted["ts"], text="y")
    plain = await world.call("conversations.history", channel=world.help.id)
    full = await world.call("conversations.history", channel=world.help.id, include_all_metadata=True)
    assert "metadata" not in plain["messages"][0]
    assert full["messages"][0]["metadata"] == metadata


async def test_history_shows_roots_newest_first_and_replies_shows_the_thread(world: World) -> None:
    root = await world.ada.post(world.help, "root")
    reply = await world.grace.post(world.help, "reply", thread_ts=root.ts)
    other = await world.ada.post(world.help, "other")
    history = await world.call("conversations.history", channel=world.help.id)
    assert [m["ts"] for m in history["messages"]] == [other.ts, root.ts]
    assert history["messages"][1]["latest_reply"] == reply.ts
    assert history["messages"][1]["reply_count"] == 1
    thread = await world.call("conversations.replies", channel=world.help.id, ts=root.ts)
    assert [m["text"] for m in thread["messages"]] == ["root", "reply"]
    assert thread["messages"][1]["parent_user_id"] == world.ada.id
    refused(await world.call("conversations.replies", channel=world.help.id, ts="1.1"), "thread_not_found")
    alone = await world.call("conversations.replies", channel=world.help.id, ts=reply.ts)
    assert [(m["text"], m["thread_ts"]) for m in alone["messages"]] == [("reply", root.ts)], "which names its root"


async def test_history_shows_broadcast_replies_tombstones_and_the_second_of_an_edit(world: World) -> None:
    """https://docs.slack.dev/reference/events/message/thread_broadcast
    https://docs.slack.dev/reference/events/message/message_changed, with `edited.ts` in whole seconds as in the payload
    https://gist.github.com/dcastro/6e4d9fa3e606aeb0f74ec7cd1531558e
    """
    root = await world.ada.post(world.help, "root")
    shouted = await world.ada.post(world.help, "shouted", thread_ts=root.ts, broadcast=True)
    await world.ada.edit(shouted, "said")
    await world.ada.delete(root)
    above, below = (await world.call("conversations.history", channel=world.help.id))["messages"]
    assert (above["subtype"], above["thread_ts"], above["text"]) == ("thread_broadcast", root.ts, "said")
    assert above["edited"]["ts"].endswith(".000000")
    assert (below["subtype"], below["ts"], below["latest_reply"]) == ("tombstone", root.ts, shouted.ts)


async def test_history_can_be_read_by_time_and_in_pages(world: World) -> None:
    posts = [await world.ada.post(world.help, str(number)) for number in range(4)]
    span: dict[str, Any] = {"channel": world.help.id, "oldest": posts[1].ts, "limit": 1}
    first = await world.call("conversations.history", **span)
    assert [m["text"] for m in first["messages"]] == ["3"]
    cursor = first["response_metadata"]["next_cursor"]
    second = await world.call("conversations.history", **span, cursor=cursor)
    assert ([m["text"] for m in second["messages"]], second["has_more"]) == (["2"], False)
    inclusive = await world.call("conversations.history", **span | {"limit": 9}, inclusive=True)
    assert [m["text"] for m in inclusive["messages"]] == ["3", "2", "1"]


async def test_a_reply_to_a_vanished_root_lands_in_the_channel(world: World) -> None:
    root = await world.ada.post(world.help, "root")
    await world.ada.delete(root)
    posted = await world.call("chat.postMessage", channel=world.help.id, text="x", thread_ts=root.ts)
    assert "thread_ts" not in posted["message"]


async def test_an_ephemeral_message_is_seen_by_one_member_only(world: World) -> None:
    args = {"channel": world.help.id, "text": "psst"}
    refused(await world.call("chat.postEphemeral", **args, user=world.linus.id), "user_not_in_channel")
    assert (await world.call("chat.postEphemeral", **args, user=world.ada.id))["ok"] is True
    assert [m.text for m in world.sandbox.messages(world.help, viewer=world.ada)] == ["psst"]
    assert world.sandbox.messages(world.help, viewer=world.grace) == []


async def test_a_direct_message_reaches_only_people_who_can_be_seen(world: World) -> None:
    stranger = world.sandbox.add_person("Eve", team=world.globex)
    gone = world.sandbox.add_person("Gone")
    world.sandbox.deactivate(gone)
    for person, error in ((stranger, "user_not_visible"), (gone, "user_disabled")):
        refused(await world.call("conversations.open", users=person.id), error)
    opened = await world.call("conversations.open", users=world.ada.id)
    await world.call("chat.postMessage", channel=world.ada.id, text="hello")
    assert opened["channel"]["id"].startswith("D")
    assert [m.text for m in world.sandbox.dm_messages(world.ada)] == ["hello"]


async def test_a_foreign_file_is_a_stub_until_it_is_asked_for(world: World) -> None:
    log = ("a/crash #1.log", "text/plain; charset=utf-8", b"boom")
    foreign = await world.ada.post(world.help, "", files=[log])
    own = await world.grace.post(world.help, "", files=[log])
    history = await world.call("conversations.history", channel=world.help.id)
    assert history["messages"][0]["files"][0]["name"] == "a/crash #1.log"
    assert history["messages"][1]["files"][0]["file_access"] == "check_file_info"
    assert "name" not in history["messages"][1]["files"][0]
    info = (await world.call("files.info", file=foreign.files[0].id))["file"]
    assert (info["name"], info["size"], own.files[0].content) == ("a/crash #1.log", 4, b"boom")
    headers = {"Authorization": f"Bearer {world.sandbox.bot_token}"}
    async with world.http.get(info["url_private"], headers=headers) as response:
        assert await response.read() == b"boom"
    async with world.http.get(info["url_private"], allow_redirects=False) as response:
        assert response.status == 302, "to the login page"


async def test_a_reaction_is_given_once(world: World) -> None:
    message = await world.ada.post(world.help, "x")
    args = {"channel": world.help.id, "timestamp": message.ts, "name": "eyes"}
    assert (await world.call("reactions.add", **args))["ok"] is True
    refused(await world.call("reactions.add", **args), "already_reacted")
    shown = (await world.call("reactions.get", **args))["message"]["reactions"]
    assert shown == [{"name": "eyes", "users": [world.sandbox.bot.id], "count": 1}]


async def test_a_permalink_leads_into_the_thread(world: World) -> None:
    root = await world.ada.post(world.help, "x")
    reply = await world.ada.post(world.help, "y", thread_ts=root.ts)
    answer = await world.call("chat.getPermalink", channel=world.help.id, message_ts=reply.ts)
    assert answer["permalink"].endswith(f"?thread_ts={root.ts}&cid={world.help.id}")


async def test_every_call_is_recorded_with_its_answer(world: World) -> None:
    await world.call("users.info", user="U0NOBODY")
    call = world.sandbox.calls[-1]
    assert (call.method, call.args["user"]) == ("users.info", "U0NOBODY")
    assert call.response["error"] == "user_not_found"
