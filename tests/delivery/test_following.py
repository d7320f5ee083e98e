"""What becomes of channels in Slack is followed, and said in triage once, however often and late Slack tells of it."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from bot.delivery import following
from bot.sandbox import Channel, Message
from tests.conftest import Office, World, open_office
from tests.delivery.test_courier import by_desk, opened, until
from tests.listeners.slack_side import deliver, held_back, send_event
from tests.listeners.test_setup import new_channel, row, set_up, titles


def said(office: Office, words: str) -> list[str]:
    """What the desk says at the top of the triage channel with these words in it."""
    return [one.text for one in by_desk(office, office.world.triage) if words in one.text and not one.thread_ts]


async def told_again(office: Office, kind: str) -> None:
    """Slack delivers once more, and late, every event of a kind so far."""
    for delivery in [one for one in office.sandbox.deliveries if one.type == kind and not one.retry]:
        await deliver(office, delivery)
    await office.at_rest()


async def test_a_renamed_channel_is_known_under_its_new_name(office: Office) -> None:
    await opened(office)
    office.sandbox.rename(office.world.help, "help-globex-inc")
    await office.at_rest()
    await told_again(office, "channel_rename")
    assert (await row(office, office.world.help) or {})["name"] == "help-globex-inc"
    assert said(office, "is called") == [
        f"#help-globex is called <#{office.world.help.id}> now. Nothing else has changed."
    ]


async def test_an_archived_support_channel_is_told_once_waits_and_is_taken_up_again_at_once(office: Office) -> None:
    world = office.world
    root = await opened(office)
    office.sandbox.archive(world.help)
    await office.sandbox.settled()
    await told_again(office, "channel_archive")
    await world.linus.command("/ticket", "reply 1 Fixed", channel=world.triage)
    await until(lambda: office.sql.fetchval("select exists (select from threadesk.replies where state = 'sent')"))
    assert len(said(office, "cannot write in")) == 1
    assert "Fixed" not in str(office.thread(root))

    office.sandbox.unarchive(world.help)
    await office.at_rest()
    await told_again(office, "channel_unarchive")
    assert "Fixed" in str(office.thread(root))
    assert len(said(office, "can write in")) == 1
    await world.bob.post(world.help, "Are you there?")
    assert await titles(office) == ["The export fails", "Are you there?"]


async def test_while_slack_is_asked_about_a_channel_its_tickets_do_not_wait(office: Office) -> None:
    """Whose turn it is stands in the channel's row."""
    world = office.world
    assert (await set_up(office, world.grace, world.help, role="support", assignees=[world.linus])).ok
    office.sandbox.disrupt("conversations.info", "slow", seconds=1.5)
    looking = asyncio.create_task(following.follow(office.running.services, world.help.id))

    async def is_asked() -> bool:
        return office.sandbox.struck["slow"] > 0

    await until(is_asked)
    await office.sql.execute("select 1 from threadesk.channels where id = $1 for no key update nowait", world.help.id)
    await looking


async def test_an_archiving_that_is_told_after_the_channel_is_open_again_closes_nothing(office: Office) -> None:
    world = office.world
    await opened(office)
    async with held_back(office):
        office.sandbox.archive(world.help)
        office.sandbox.unarchive(world.help)
    late = [one for one in office.sandbox.deliveries if one.type == "channel_archive"]
    await deliver(office, *late)
    await office.at_rest()
    assert said(office, "cannot write in") == []


async def test_where_the_desk_was_removed_and_invited_again_it_reads_back_what_was_said(office: Office) -> None:
    world = office.world
    root = await opened(office)
    await office.sandbox.kick(world.help, office.sandbox.bot)
    await office.sandbox.settled()
    await told_again(office, "channel_left")
    assert len(said(office, "the desk is not in it")) == 1
    await world.ada.post(world.help, "It is urgent", thread_ts=root.ts)
    await world.bob.post(world.help, "Hello?")
    world.clock.advance(minutes=1)
    await office.sandbox.invite(world.help, office.sandbox.bot, by=world.grace)
    await until(lambda: office.sql.fetchval("select count(*) = 2 from tickets"))
    await office.at_rest()
    assert await office.said() == ["The export fails", "It is urgent"]
    assert not [one for one in world.help.ephemerals if "You have invited" in one.text]


async def test_a_support_channel_that_more_people_read_by_now_is_said(office: Office) -> None:
    world = office.world
    inbox = await new_channel(office, "help-initech", world.grace, world.ben, private=True)
    await set_up(office, world.grace, inbox, role="support")
    await office.sandbox.convert(inbox, world.grace, private=False)
    office.sandbox.share(inbox, world.ada.team)
    await office.at_rest()
    office.sandbox.unshare(inbox, world.ada.team)
    await office.at_rest()
    about = [text for text in said(office, f"<#{inbox.id}> is ") if "set up" not in text]
    assert sorted(about[:2]) + about[2:] == [
        f"<#{inbox.id}> is public now: everybody in this workspace can read what is written there.",
        f"<#{inbox.id}> is shared with another company now, whose people read what is written there.",
        f"<#{inbox.id}> is not shared with another company any more.",
    ]


async def test_a_triage_channel_that_was_archived_is_told_in_another_and_served_again_after(office: Office) -> None:
    world = office.world
    ops = await new_channel(office, "ops", world.grace, private=True)
    await set_up(office, world.grace, ops, role="triage")
    office.sandbox.archive(world.triage)
    await office.at_rest()
    await told_again(office, "group_archive")
    told = [one.text for one in by_desk(office, ops) if "shows no more tickets" in one.text]
    assert told == [f"⚠️ The desk shows no more tickets in the triage channel <#{world.triage.id}>: it is archived."]
    await world.ada.post(world.help, "The export fails")
    await office.at_rest()
    office.sandbox.unarchive(world.triage)
    await office.at_rest()
    assert office.card().text.startswith("#1 ")
    assert said(office, "shows tickets here again") == ["The desk shows tickets here again."]


async def test_what_becomes_of_other_channels_is_no_concern(office: Office) -> None:
    world = office.world
    channel = await office.sandbox.add_channel("lunch", members=[world.ben, office.sandbox.bot])
    office.sandbox.rename(channel, "dinner")
    office.sandbox.archive(channel)
    assert await send_event(office, {"type": "channel_rename", "channel": {"id": "C0NOSUCH", "name": "x"}}) == 200
    moved = {"type": "channel_id_changed", "old_channel_id": "C0NOSUCH", "new_channel_id": channel.id}
    assert await send_event(office, moved) == 200
    await office.at_rest()
    assert by_desk(office, world.triage) == []
    assert await row(office, channel) is None


async def private_help(office: Office) -> Channel:
    """A private support channel: one whose id changes when it is shared."""
    world = office.world
    inbox = await new_channel(office, "help-initech", world.grace, world.ben, private=True)
    assert (await set_up(office, world.grace, inbox, role="support", assignees=[world.linus])).ok
    return inbox


async def conversation(office: Office, inbox: Channel) -> Message:
    """A ticket of Ben's, with a word from each side."""
    root = await office.world.ben.post(inbox, "My laptop is slow")
    await office.at_rest()
    await office.world.grace.post(inbox, "Since when?", thread_ts=root.ts)
    await office.at_rest()
    return root


async def test_a_private_channel_is_followed_like_any_other(office: Office) -> None:
    """Slack tells of it by events of its own."""
    inbox = await private_help(office)
    office.sandbox.rename(inbox, "help-initech-inc")
    await office.at_rest()
    await told_again(office, "group_rename")
    assert (await row(office, inbox) or {})["name"] == "help-initech-inc"
    assert len(said(office, "is called")) == 1
    await office.sandbox.kick(inbox, office.sandbox.bot)
    await office.at_rest()
    await told_again(office, "group_left")
    assert len(said(office, "the desk is not in it")) == 1


async def test_a_channel_whose_id_changes_in_the_middle_of_a_conversation_goes_on_as_one(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    """A reply is held meanwhile, a message is told under the old id after the change, and all of it once more."""
    async with open_office(world, database_url, sql, reply_undo_seconds=60) as office:
        inbox = await private_help(office)
        root = await conversation(office, inbox)
        await world.linus.command("/ticket", "reply 1 I bring another one", channel=world.triage)
        await office.at_rest()
        old = inbox.id
        async with held_back(office):
            late = await world.ben.post(inbox, "Since Monday", thread_ts=root.ts)
            other = await world.ben.post(inbox, "And my mouse is gone")
            edited = await world.ben.post(inbox, "And my kye", thread_ts=root.ts)
            await world.ben.edit(edited, "And my key", raw=False)
        before = [one for one in office.sandbox.deliveries if one.kind == "event" and not one.retry]
        office.sandbox.share(inbox, world.ada.team, new_id=True)
        await office.at_rest()
        assert inbox.id != old
        await deliver(office, *[one for one in before if one.payload["event"].get("channel") == old])
        world.clock.advance(seconds=61)
        await office.at_rest()
        await world.ben.post(inbox, "Thank you for the new one!", thread_ts=root.ts)
        await office.at_rest()

        words = ["My laptop is slow", "Since when?", "Since Monday", "And my key", "Thank you for the new one!"]
        assert await office.said() == [*words, "I bring another one"], "the desk's clock is a minute ahead of Slack's"
        assert (await office.ticket())["channel"] == inbox.id
        assert [text for text in office.thread(root) if "another one" in text] == ["I bring another one"]
        assert len([text for text in office.thread(office.card(1)) if "Since Monday" in text]) == 1
        assert await sql.fetchval("select count(*) from tickets where title = 'And my mouse is gone'") == 1
        assert await sql.fetchval("select channel from threadesk.threads where thread_ts = $1", other.ts) == inbox.id
        assert await sql.fetchval("select count(*) from threadesk.messages where ts = $1", late.ts) == 1
        assert len(said(office, "another id")) == 1
        assert len(said(office, "is shared with another company now")) == 1
        for table, column in (
            ("channels", "id"), ("desk_tickets", "channel"), ("threads", "channel"), ("messages", "channel"),
            ("to_show", "lane"), ("posted", "channel"), ("notices", "lane"), ("lanes", "lane"), ("early", "channel"),
            ("readings", "channel"), ("read_threads", "channel"), ("replies", "channel"),
        ):  # fmt: skip
            assert not await sql.fetchval(f"select count(*) from threadesk.{table} where {column} = $1", old), table


async def test_what_was_recorded_under_the_former_id_keeps_its_own_and_is_not_recorded_again(office: Office) -> None:
    inbox = await private_help(office)
    await conversation(office, inbox)
    ids = await office.sql.fetch("select message_id from threadesk.messages order by created_at")
    old = inbox.id
    told = [one for one in office.sandbox.deliveries if one.type == "message" and not one.retry]
    office.sandbox.share(inbox, office.world.ada.team, new_id=True)
    await office.at_rest()
    for delivery in told:
        if delivery.payload["event"].get("channel") == old:
            again = delivery.payload | {"event": delivery.payload["event"] | {"channel": inbox.id}}
            assert (await office.sandbox.deliver("event", again)).acknowledged
            assert (await office.sandbox.deliver("event", delivery.payload)).acknowledged
    await told_again(office, "channel_id_changed")
    assert await office.sql.fetch("select message_id from threadesk.messages order by created_at") == ids
    assert await office.said() == ["My laptop is slow", "Since when?"]
    assert await titles(office) == ["My laptop is slow"]


async def test_what_is_told_only_under_the_former_id_belongs_to_the_channel_as_it_is_now(office: Office) -> None:
    """An answer, a new request, and an edit of each; Slack never tells of them under the new id."""
    world = office.world
    inbox = await private_help(office)
    root = await conversation(office, inbox)
    old = inbox.id
    office.running.catch_up.stop()  # it would find that the channel does not show what only the events tell of
    office.sandbox.share(inbox, world.ada.team, new_id=True)
    await office.at_rest()
    second = int(root.ts.partition(".")[0]) + 5
    for ts, more in ((f"{second}.000100", {"thread_ts": root.ts}), (f"{second}.000200", {})):
        written = {"type": "message", "channel": old, "user": world.ben.id, "team": world.ben.team.id, "ts": ts}
        assert await send_event(office, written | {"text": f"Late {ts[-3]}"} | more) == 200
        changed = {"type": "message", "subtype": "message_changed", "channel": old, "ts": f"{second + 1}{ts[-7:]}"}
        message = written | {"text": f"Later {ts[-3]}"} | more
        assert await send_event(office, changed | {"message": message}) == 200
    assert await office.said() == ["My laptop is slow", "Since when?", "Later 1"]
    assert await titles(office) == ["My laptop is slow", "Later 2"]
    assert await office.sql.fetch("select distinct channel from threadesk.messages") == [(inbox.id,)]


async def test_a_command_that_is_told_again_under_the_former_id_acts_once(office: Office) -> None:
    world = office.world
    inbox = await private_help(office)
    root = await conversation(office, inbox)
    await world.grace.post(inbox, f"{office.sandbox.bot.mention} claim", thread_ts=root.ts)
    await office.at_rest()
    office.sandbox.share(inbox, world.ada.team, new_id=True)
    await office.at_rest()
    await world.linus.command("/ticket", f"unassign 1 {world.grace.mention}", channel=world.triage)
    await told_again(office, "app_mention")
    assert world.grace.name not in str(await office.sql.fetch(
        "select p.name from threadesk.people p join tickets t on t.assigned_to @> array[p.user_id]"
    ))  # fmt: skip


async def test_what_was_asked_for_and_picked_under_the_former_id_goes_on_under_the_new_one(office: Office) -> None:
    """A ticket that was asked for while Slack did not show the thread, one that is asked for late, and a form."""
    world = office.world
    inbox = await private_help(office)
    root = await conversation(office, inbox)
    await office.sql.execute("update threadesk.channels set mode = 'on_request' where id = $1", inbox.id)
    asked, late, more = [await world.ben.post(inbox, words) for words in ("My mouse", "My screen", "Since Monday")]
    await office.at_rest()
    old = inbox.id
    office.sandbox.disrupt("conversations.replies", "ratelimited", times=1, seconds=1)
    assert (await world.grace.message_shortcut("open_ticket", asked)).ok
    await until(lambda: office.sql.fetchval("select exists (select from threadesk.openings where attempts > 0)"))
    assert (await world.grace.message_shortcut("add_to_ticket", more)).ok
    office.sandbox.share(inbox, world.ada.team, new_id=True)
    await office.sandbox.settled()
    item = {"type": "message", "channel": old, "ts": late.ts}
    reacted = {"type": "reaction_added", "user": world.grace.id, "reaction": "ticket", "item": item}
    assert await send_event(office, reacted | {"event_ts": f"{int(late.ts.partition('.')[0]) + 9}.000100"}) == 200
    assert (await world.grace.submit({"number": "1"})).ok
    await office.at_rest()
    assert sorted(await titles(office)) == ["My laptop is slow", "My mouse", "My screen"]
    assert await office.said() == ["My laptop is slow", "Since when?", "Since Monday"]
    assert await office.sql.fetch("select distinct channel from threadesk.desk_tickets") == [(inbox.id,)]
    assert root.ts == (await office.ticket())["root_ts"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_of_two_changes_of_the_id_the_channel_has_the_last_one_in_whichever_order_they_are_told(
    office: Office, order: tuple[int, int]
) -> None:
    world = office.world
    inbox = await private_help(office)
    await conversation(office, inbox)
    async with held_back(office):
        office.sandbox.share(inbox, world.ada.team, new_id=True)
        office.sandbox.share(inbox, office.sandbox.add_team("Initech"), new_id=True)
    changes = [one for one in office.sandbox.deliveries if one.type == "channel_id_changed"]
    for place in order:
        await deliver(office, changes[place])
    await office.at_rest()
    assert (await office.ticket())["channel"] == inbox.id
    assert (await row(office, inbox) or {})["role"] == "support"
    await world.ben.post(inbox, "One more thing")
    assert await titles(office) == ["My laptop is slow", "One more thing"]


async def test_a_shared_triage_channel_whose_id_changes_is_suspended_under_its_new_id(office: Office) -> None:
    world = office.world
    await opened(office)
    office.sandbox.share(world.triage, world.ada.team, new_id=True)
    await office.at_rest()
    assert (await row(office, world.triage) or {})["suspended"] == "it is shared with another company"
    assert await office.sql.fetchval("select triage_channel from threadesk.desk_tickets") == world.triage.id
    assert (await row(office, world.help) or {})["triage_channel"] == world.triage.id
    office.sandbox.unshare(world.triage, world.ada.team)
    await office.at_rest()
    await world.linus.command("/ticket", "note 1 Seen", channel=world.triage)
    await office.at_rest()
    assert await office.notes() == ["Seen"]


async def test_what_an_agent_lists_by_follows_a_triage_channel_to_its_new_id(office: Office) -> None:
    world = office.world
    await world.grace.open_home()
    await office.at_rest()
    await office.sql.execute("update threadesk.homes set triage_channel = $1", world.triage.id)
    office.sandbox.share(world.triage, world.ada.team, new_id=True)
    await office.at_rest()
    assert await office.sql.fetchval("select triage_channel from threadesk.homes") == world.triage.id


async def test_where_nobody_told_that_the_desk_was_removed_it_reads_back_what_was_said_all_the_same(
    office: Office,
) -> None:
    world = office.world
    await opened(office)
    async with held_back(office):
        await office.sandbox.kick(world.help, office.sandbox.bot)
    await world.bob.post(world.help, "Hello?")
    await office.sandbox.invite(world.help, office.sandbox.bot, by=world.grace)
    await until(lambda: office.sql.fetchval("select count(*) = 2 from tickets"))
    await office.at_rest()
