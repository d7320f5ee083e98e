"""Which events the app gets, and what is in them."""

from pathlib import Path

import pytest

from bot.sandbox import CannotDo, Sandbox
from tests.sandbox.conftest import App, World


async def test_a_message_comes_with_everything_slack_sends(world: World) -> None:
    message = await world.grace.post(world.triage, f"<b> & {world.linus.mention} :tada: https://x.example/a.")
    event = await world.last_event()
    assert event["text"] == f"&lt;b&gt; &amp; {world.linus.mention} :tada: <https://x.example/a>."
    assert event["ts"] == event["event_ts"] == message.ts
    assert (event["channel"], event["channel_type"]) == (world.triage.id, "group")
    assert (event["user"], event["team"]) == (world.grace.id, world.sandbox.team.id)
    assert event["client_msg_id"] == message.client_msg_id
    elements = event["blocks"][0]["elements"][0]["elements"]
    assert elements == [
        {"type": "text", "text": "<b> & "},
        {"type": "user", "user_id": world.linus.id},
        {"type": "text", "text": " "},
        {"type": "emoji", "name": "tada"},
        {"type": "text", "text": " "},
        {"type": "link", "url": "https://x.example/a"},
        {"type": "text", "text": "."},
    ]


@pytest.mark.parametrize(
    ("typed", "delivered"),
    [
        ("<@U0NOBODY> <!channel>", "&lt;@U0NOBODY&gt; &lt;!channel&gt;"),
        ("<https://x.example|safe>", "&lt;<https://x.example>|safe&gt;"),
        ("(https://x.example/?a=1&b=2).", "(<https://x.example/?a=1&amp;b=2>)."),
        ("a@b.example", "<mailto:a@b.example|a@b.example>"),
    ],
)
async def test_what_looks_like_markup_is_escaped_and_addresses_are_linked(
    world: World, typed: str, delivered: str
) -> None:
    await world.grace.post(world.triage, typed)
    assert (await world.last_event())["text"] == delivered


async def test_an_envelope_names_the_installation(world: World) -> None:
    await world.grace.post(world.triage, "x")
    await world.sandbox.settled()
    envelope = world.app.requests[-1].json
    assert envelope["type"] == "event_callback"
    assert envelope["team_id"] == envelope["context_team_id"] == world.sandbox.team.id
    assert envelope["is_ext_shared_channel"] is False
    assert envelope["authorizations"][0]["user_id"] == world.sandbox.bot.id
    assert envelope["event_id"].startswith("Ev")


async def test_a_message_from_another_company_names_that_company(world: World) -> None:
    await world.ada.post(world.help, "x")
    event = await world.last_event()
    envelope = world.app.requests[-1].json
    assert event["team"] == envelope["team_id"] == world.globex.id
    assert envelope["context_team_id"] == world.sandbox.team.id
    assert envelope["is_ext_shared_channel"] is True


async def test_a_mention_arrives_twice_under_two_event_ids(world: World) -> None:
    message = await world.ada.post(world.help, f"{world.sandbox.bot.mention} list")
    mention = await world.last_event("app_mention")
    assert mention["ts"] == (await world.last_event())["ts"] == message.ts
    assert (mention["team"], mention["user_team"]) == (world.sandbox.team.id, world.globex.id)
    assert len({delivery.event_id for delivery in world.sandbox.deliveries}) == 2


async def test_the_app_gets_its_own_messages_back(world: World) -> None:
    await world.call("chat.postMessage", channel=world.help.id, text="x")
    own = await world.last_event()
    assert own["bot_id"] == world.sandbox.bot.bot_id
    assert own["user"] == world.sandbox.bot.id
    await world.call("chat.postMessage", channel=world.help.id, text="y", username="Grace")
    named = next(event for event in await world.events() if event["text"] == "y")
    assert (named["subtype"], named["username"]) == ("bot_message", "Grace")
    assert "user" not in named


async def test_an_edit_arrives_as_message_changed_with_both_versions(world: World) -> None:
    message = await world.ada.post(world.help, "before")
    await world.sandbox.settled()
    await world.ada.edit(message, "after")
    event = await world.last_event()
    assert (event["subtype"], event["hidden"]) == ("message_changed", True)
    assert (event["previous_message"]["text"], event["message"]["text"]) == ("before", "after")
    assert event["message"]["edited"]["user"] == world.ada.id
    assert event["ts"] != event["message"]["ts"] == message.ts


async def test_a_deletion_arrives_as_message_deleted(world: World) -> None:
    message = await world.ada.post(world.help, "x")
    await world.sandbox.settled()
    await world.ada.delete(message)
    event = await world.last_event()
    assert (event["subtype"], event["deleted_ts"]) == ("message_deleted", message.ts)
    assert event["previous_message"]["text"] == "x"


async def test_a_deleted_root_leaves_a_tombstone_until_its_last_reply_goes(world: World) -> None:
    root = await world.ada.post(world.help, "secret")
    reply = await world.grace.post(world.help, "reply", thread_ts=root.ts)
    await world.sandbox.settled()
    await world.ada.delete(root)
    event = await world.last_event()
    assert (event["subtype"], event["message"]["subtype"]) == ("message_changed", "tombstone")
    assert event["message"]["text"] == "This message was deleted."
    assert event["message"]["user"] == "USLACKBOT"
    posted = await world.call("chat.postMessage", channel=world.help.id, text="x", thread_ts=root.ts)
    assert posted["message"]["thread_ts"] == root.ts
    await world.call("chat.delete", channel=world.help.id, ts=posted["ts"])
    await world.grace.delete(reply)
    gone = [event["deleted_ts"] for event in await world.events() if "deleted_ts" in event]
    assert sorted(gone) == [root.ts, reply.ts, posted["ts"]]
    assert world.sandbox.messages(world.help) == []


async def test_files_make_a_file_share(world: World) -> None:
    await world.ada.post(world.help, "log", files=[("a.log", "text/plain", b"x")])
    event = await world.last_event()
    assert event["subtype"] == "file_share"
    assert event["files"][0]["file_access"] == "check_file_info"


async def test_a_broadcast_reply_shows_in_the_channel_too(world: World) -> None:
    root = await world.ada.post(world.help, "root")
    await world.grace.post(world.help, "for all", thread_ts=root.ts, broadcast=True)
    event = next(event for event in await world.events() if event.get("subtype") == "thread_broadcast")
    assert event["thread_ts"] == event["root"]["ts"] == root.ts
    assert [m.text for m in world.sandbox.messages(world.help)] == ["root", "for all"]


async def test_a_direct_message_comes_from_an_im(world: World) -> None:
    await world.ada.dm("hello")
    assert (await world.last_event())["channel_type"] == "im"


async def test_membership_is_told_only_where_the_app_is(world: World) -> None:
    await world.sandbox.invite(world.help, world.linus, by=world.grace)
    joined = await world.last_event("member_joined_channel")
    assert (joined["user"], joined["inviter"]) == (world.linus.id, world.grace.id)
    assert (await world.last_event())["subtype"] == "channel_join"
    await world.sandbox.kick(world.help, world.linus)
    assert (await world.last_event("member_left_channel"))["user"] == world.linus.id
    elsewhere = await world.sandbox.add_channel("random", members=[world.grace])
    before = len(world.sandbox.deliveries)
    await world.sandbox.invite(elsewhere, world.linus, by=world.grace)
    await world.grace.post(elsewhere, "x")
    await world.sandbox.settled()
    assert len(world.sandbox.deliveries) == before


async def test_the_app_hears_that_it_joined_and_that_it_is_out(world: World) -> None:
    board = await world.sandbox.add_channel("board", private=True, members=[world.grace])
    await world.sandbox.invite(board, world.sandbox.bot, by=world.grace)
    assert (await world.last_event("member_joined_channel"))["user"] == world.sandbox.bot.id
    await world.sandbox.kick(board, world.sandbox.bot)
    assert (await world.last_event("group_left"))["channel"] == board.id


async def test_a_channel_that_is_shared_may_get_another_id(world: World) -> None:
    old, partner = world.triage.id, world.sandbox.add_team("Initech")
    world.sandbox.share(world.triage, partner, new_id=True)
    assert (await world.last_event("channel_shared"))["connected_team_id"] == partner.id
    changed = await world.last_event("channel_id_changed")
    assert (changed["old_channel_id"], changed["new_channel_id"]) == (old, world.triage.id)
    assert (await world.call("conversations.info", channel=old))["error"] == "channel_not_found"
    assert (await world.call("conversations.info", channel=world.triage.id))["channel"]["is_ext_shared"]


async def test_a_reaction_names_the_message_and_its_author(world: World) -> None:
    message = await world.ada.post(world.help, "x")
    await world.grace.react(message, "eyes")
    event = await world.last_event("reaction_added")
    assert event["item"] == {"type": "message", "channel": world.help.id, "ts": message.ts}
    assert (event["reaction"], event["item_user"]) == ("eyes", world.ada.id)


async def test_opening_the_home_tab_is_told(world: World) -> None:
    await world.grace.open_home()
    assert (await world.last_event("app_home_opened"))["user"] == world.grace.id


async def test_events_without_subscription_or_scope_are_not_sent(manifest: Path, app: App) -> None:
    leave_out(manifest, "groups:history", "message.channels")
    async with Sandbox(manifest) as sandbox:
        grace = sandbox.add_person("Grace")
        members = [grace, sandbox.bot]
        public = await sandbox.add_channel("public", members=members)
        private = await sandbox.add_channel("private", private=True, members=members)
        sandbox.deliver_to(app.url)
        await grace.post(public, "no subscription")
        await grace.post(private, "no scope")
        await grace.dm("both")
        await sandbox.settled()
        assert [event["text"] for event in app.events()] == ["both"]


def leave_out(manifest: Path, scope: str, event: str) -> None:
    manifest.write_text(manifest.read_text().replace(scope, "commands").replace(event, "message.im"))


async def test_ts_strictly_increase(world: World) -> None:
    posts = [await world.grace.post(world.triage, "x") for _ in range(50)]
    assert [m.ts for m in posts] == sorted({m.ts for m in posts})


async def test_a_renamed_channel_comes_whole_and_is_shown_under_its_new_name(world: World) -> None:
    """https://docs.slack.dev/reference/events/channel_rename"""
    world.sandbox.rename(world.help, "help-initech")
    assert (await world.last_event("channel_rename"))["channel"] == {
        "id": world.help.id,
        "name": "help-initech",
        "name_normalized": "help-initech",
        "created": world.help.created,
    }
    assert (await world.call("conversations.info", channel=world.help.id))["channel"]["name"] == "help-initech"
    with pytest.raises(CannotDo, match="There is a #triage already"):
        world.sandbox.rename(world.help, "triage")


async def test_an_archived_channel_can_be_opened_again(world: World) -> None:
    """https://docs.slack.dev/reference/events/group_unarchive"""
    with pytest.raises(CannotDo, match="is not archived"):
        world.sandbox.unarchive(world.triage)
    world.sandbox.archive(world.triage)
    world.sandbox.unarchive(world.triage)
    assert (await world.last_event("group_unarchive"))["channel"] == world.triage.id
    assert (await world.call("chat.postMessage", channel=world.triage.id, text="x"))["ok"]


async def test_a_channel_that_is_made_public_says_so_in_a_message(world: World) -> None:
    """https://docs.slack.dev/reference/events/message/channel_convert_to_public"""
    await world.sandbox.convert(world.triage, world.grace, private=False)
    event = await world.last_event()
    assert (event["subtype"], event["user"]) == ("channel_convert_to_public", world.grace.id)
    assert (await world.call("conversations.info", channel=world.triage.id))["channel"]["is_private"] is False
    with pytest.raises(CannotDo, match="is that already"):
        await world.sandbox.convert(world.triage, world.grace, private=False)
    await world.sandbox.convert(world.triage, world.grace, private=True)
    assert (await world.last_event())["subtype"] == "channel_convert_to_private"


async def test_a_channel_that_is_not_shared_any_more_is_left_by_the_other_company(world: World) -> None:
    """https://docs.slack.dev/reference/events/channel_unshared"""
    world.sandbox.unshare(world.help, world.globex)
    event = await world.last_event("channel_unshared")
    assert (event["previously_connected_team_id"], event["is_ext_shared"]) == (world.globex.id, False)
    assert world.ada.id not in world.help.members
    with pytest.raises(CannotDo, match="is not shared with Globex"):
        world.sandbox.unshare(world.help, world.globex)
