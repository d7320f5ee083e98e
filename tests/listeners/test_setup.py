"""Channels are set up in Slack: by whom, how, and what new tickets are given there."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import asyncpg
import pytest

from bot.delivery import directory
from bot.sandbox import Channel, Interaction, Message, Person
from bot.tickets import setup
from storage import people
from tests.conftest import Office, World, open_office
from tests.delivery import test_courier
from tests.delivery.test_courier import until
from tests.listeners.slack_side import held_back, private_answers, seen_by, send_event
from tests.listeners.test_buttons import forged, pressed
from tests.listeners.test_forms import submission


async def set_up(office: Office, who: Person, channel: Channel, **values: Any) -> Interaction:
    """Types `/ticket setup` in the channel, fills in the form and sends it."""
    opened = await who.command("/ticket", "setup", channel=channel)
    assert opened.ok, opened
    assert who.view is not None, private_answers(channel, who)
    sent = await who.submit(values)
    await office.at_rest()
    return sent


async def refused(office: Office, who: Person, channel: Channel) -> str:
    """What `/ticket setup` answers to somebody who may not."""
    before = who.view
    assert (await who.command("/ticket", "setup", channel=channel)).ok
    assert who.view is before
    return private_answers(channel, who)[-1]


async def row(office: Office, channel: Channel) -> dict[str, Any] | None:
    found = await office.sql.fetchrow("select * from threadesk.channels where id = $1", channel.id)
    return dict(found) if found else None


def by_desk(office: Office, channel: Channel) -> list[Message]:
    """What the desk has said in a channel: that it has joined, Slack says."""
    return [one for one in test_courier.by_desk(office, channel) if one.subtype != "channel_join"]


async def titles(office: Office) -> list[str]:
    await office.at_rest()
    return [one["title"] for one in await office.sql.fetch("select title from tickets order by created_at")]


async def names(office: Office, number: int) -> list[str]:
    """Who has a ticket."""
    found = await office.sql.fetch(
        "select p.name from threadesk.people p join tickets t on t.assigned_to @> array[p.user_id]"
        " join threadesk.desk_tickets d on d.ticket_id = t.id where d.number = $1 order by p.name",
        number,
    )
    return [one["name"] for one in found]


async def new_channel(office: Office, name: str, *members: Person, **kind: Any) -> Channel:
    """A channel of which the desk knows nothing, to which somebody has invited it."""
    world = office.world
    channel = await office.sandbox.add_channel(name, members=members or [world.grace, world.ben], **kind)
    await office.sandbox.invite(channel, office.sandbox.bot, by=(members or [world.grace])[0])
    await office.at_rest()
    return channel


async def test_a_desk_without_channels_is_set_up_in_slack_from_nothing(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, triage_channel=None, support_channels="") as office:
        await world.ada.post(world.help, "Too early")
        assert await titles(office) == []
        assert "only admins of this workspace" in await refused(office, world.grace, world.triage)

        world.grace.admin = True  # asked of Slack each time, so that it counts at once
        nowhere = await set_up(office, world.grace, world.help, role="support")
        assert "There is no triage channel yet" in nowhere.errors["role"]
        await world.grace.dismiss()
        assert (await set_up(office, world.grace, world.triage, role="triage")).ok
        assert "This is a triage channel now" in by_desk(office, world.triage)[-1].text

        world.grace.admin = False  # as an agent she goes on
        assert (await set_up(office, world.grace, world.help, role="support")).ok
        await world.ada.post(world.help, "The export fails")
        assert await titles(office) == ["The export fails"]
        assert office.card().text.startswith("#1 ")
    async with open_office(world, database_url, sql, triage_channel=None, support_channels="") as office:
        await world.ada.post(world.help, "It still fails")
        assert await titles(office) == ["The export fails", "It still fails"]


async def test_what_is_set_up_in_slack_stays_whatever_the_settings_say(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql) as office:
        assert (await set_up(office, world.grace, world.help, role="none")).ok
    other = await world.sandbox.add_channel("help-initech", members=[world.ben, world.sandbox.bot])
    async with open_office(
        world, database_url, sql, triage_channel="old", support_channels="gone,help-globex,help-initech"
    ) as office:
        assert [(await row(office, one) or {}).get("role") for one in (world.help, other)] == ["none", "support"]
        await world.ada.post(world.help, "Nobody reads this")
        await world.ben.post(other, "My laptop is slow")
        assert await titles(office) == ["My laptop is slow"]


async def test_who_invites_the_desk_is_asked_for_their_eyes_only_and_presses_a_button(office: Office) -> None:
    world = office.world
    channel = await new_channel(office, "help-initech", world.grace, world.ben)
    await world.ben.post(channel, "Too early")
    assert await titles(office) == []
    asked = office.sandbox.find(channel, "You have invited the desk", world.grace)
    assert asked.only_for == world.grace.id
    assert by_desk(office, channel) == []

    assert (await world.grace.click(asked, action_id="set_up:support")).ok
    await office.at_rest()
    assert "is a support channel" in asked.text
    assert by_desk(office, channel) == []
    await world.ben.post(channel, "My laptop is slow")
    assert await titles(office) == ["My laptop is slow"]
    assert (
        f"<@{world.grace.id}> has set up <#{channel.id}> as a support channel" in by_desk(office, world.triage)[0].text
    )


async def test_an_invitation_that_is_told_twice_asks_once_and_none_asks_about_a_channel_that_has_its_role(
    office: Office,
) -> None:
    world = office.world
    channel = await new_channel(office, "help-initech", world.grace, world.ben)
    joined = next(one for one in office.sandbox.deliveries if one.type == "member_joined_channel")
    office.sandbox.resend(joined)
    await office.at_rest()
    assert len(private_answers(channel, world.grace)) == 1
    await world.grace.click(office.sandbox.find(channel, "invited", world.grace), action_id="set_up:support")
    await office.sandbox.kick(channel, office.sandbox.bot)
    await office.sandbox.invite(channel, office.sandbox.bot, by=world.grace)
    await office.at_rest()
    assert len(private_answers(channel, world.grace)) == 1


async def test_leave_it_alone_is_kept_and_asked_again_with_the_next_invitation(office: Office) -> None:
    world = office.world
    channel = await new_channel(office, "lunch", world.grace, world.ben)
    asked = office.sandbox.find(channel, "invited", world.grace)
    assert (await world.grace.click(asked, action_id="set_up:none")).ok
    assert (await row(office, channel) or {})["role"] == "none"
    await world.ben.post(channel, "Pizza?")
    await world.ben.post(channel, f"{office.sandbox.bot.mention} Pizza?")
    assert await titles(office) == []
    await office.sandbox.kick(channel, office.sandbox.bot)
    await office.sandbox.invite(channel, office.sandbox.bot, by=world.grace)
    await office.at_rest()
    assert sum("You have invited" in text for text in private_answers(channel, world.grace)) == 1
    assert by_desk(office, channel) == []


async def test_who_is_no_agent_is_told_so_and_cannot_choose(office: Office) -> None:
    world = office.world
    channel = await new_channel(office, "help-initech", world.ben, world.grace)
    asked = office.sandbox.find(channel, "You have invited the desk", world.ben)
    assert "Only agents can set up channels." in asked.text
    assert not [block for block in asked.blocks if block["type"] == "actions"]
    for action_id in ("set_up", "set_up:support", "set_up:triage", "set_up:none"):
        assert (await forged(office, pressed(office, world.ben, action_id, channel.id, asked)))[0] == 200
    await office.at_rest()
    assert await row(office, channel) is None
    assert private_answers(channel, world.ben).count("Only agents can set up channels.") == 4
    assert await refused(office, world.ben, channel) == "Only agents can set up channels."
    assert world.ben.view is None


async def test_an_agent_does_not_come_to_read_a_private_channel_that_they_are_not_in(office: Office) -> None:
    """Its words would become tickets in their triage channel: neither by a forged button nor by a forged form."""
    world = office.world
    secret = await new_channel(office, "board", world.ben, private=True)
    asked = office.sandbox.find(secret, "You have invited the desk", world.ben)
    for action_id in ("set_up:support", "set_up:triage", "set_up:none"):
        assert (await forged(office, pressed(office, world.linus, action_id, secret.id, asked)))[0] == 200
        assert await row(office, secret) is None
    await world.linus.command("/ticket", "setup", channel=world.triage)
    stolen = submission(world.linus, private_metadata=json.dumps({"channel": secret.id}))
    stolen["view"]["state"]["values"]["role"]["role"]["selected_option"] = {"value": "support"}
    _, body = await forged(office, stolen)
    assert json.loads(body)["errors"] == {
        "role": "Slack shows the desk no such channel. Type /invite @desk there first."
    }
    await office.at_rest()
    assert await row(office, secret) is None
    await office.sandbox.invite(secret, world.linus, by=world.ben)
    assert (await set_up(office, world.linus, secret, role="support")).ok
    assert (await row(office, secret) or {})["role"] == "support"


async def test_a_customer_of_another_company_cannot_choose(office: Office) -> None:
    world = office.world
    asked = await world.ada.post(world.help, "The export fails")
    before = await row(office, world.help)
    for action_id in ("set_up:none", "set_up"):
        assert (await forged(office, pressed(office, world.ada, action_id, world.help.id, asked)))[0] == 200
    await world.grace.command("/ticket", "setup", channel=world.help)
    stolen = submission(world.grace) | {"user": {"id": world.ada.id, "team_id": world.ada.team.id}}
    status, body = await forged(office, stolen)
    assert (status, json.loads(body)["errors"]) == (200, {"role": "Only agents can set up channels."})
    await office.at_rest()
    assert await row(office, world.help) == before
    await world.ada.post(world.help, f"{office.sandbox.bot.mention} setup")
    await office.at_rest()
    assert await row(office, world.help) == before


async def test_without_an_inviter_the_agents_are_asked(office: Office) -> None:
    world = office.world
    channel = await office.sandbox.add_channel("help-initech", members=[world.ben])
    await office.sandbox.invite(channel, office.sandbox.bot)
    await office.at_rest()
    assert f"The desk was invited to <#{channel.id}>." in by_desk(office, world.triage)[-1].text
    assert by_desk(office, channel) == []


async def test_who_cannot_be_reached_in_the_channel_is_asked_in_a_direct_message(office: Office) -> None:
    """Linus has left the channel by the time at which Slack tells of his invitation."""
    world = office.world
    channel = await office.sandbox.add_channel("help-initech", members=[world.ben, office.sandbox.bot])
    joined = {"type": "member_joined_channel", "user": office.sandbox.bot.id, "channel": channel.id}
    assert await send_event(office, joined | {"inviter": world.linus.id, "event_ts": "1790000000.000100"}) == 200
    await office.at_rest()
    (asked,) = office.sandbox.dm_messages(world.linus)
    assert "You have invited the desk" in asked.text
    assert (await world.linus.click(asked, action_id="set_up:support")).ok
    await office.at_rest()
    assert (await row(office, channel) or {})["role"] == "support"
    assert "is a support channel" in asked.text


async def test_until_there_are_agents_an_invitation_asks_admins_only(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql, triage_channel=None, support_channels="") as office:
        agents = await new_channel(office, "agents", world.grace, private=True)
        told = office.sandbox.find(agents, "You have invited the desk", world.grace)
        assert "only admins of this workspace can set up channels." in told.text
        alan = office.sandbox.add_person("Alan Turing", admin=True)
        private = await new_channel(office, "agents-2", alan, private=True)
        asked = office.sandbox.find(private, "You have invited the desk", alan)
        assert (await alan.click(asked, action_id="set_up:triage")).ok
        await office.at_rest()
        assert (await row(office, private) or {})["role"] == "triage"
        assert "This is a triage channel now" in by_desk(office, private)[-1].text


async def test_a_mention_answers_with_a_button_that_opens_the_form(office: Office) -> None:
    world = office.world
    await world.grace.post(world.help, f"{office.sandbox.bot.mention} setup")
    await office.at_rest()
    answer = office.sandbox.find(world.help, "to be set up?", world.grace)
    assert (await world.grace.click(answer, action_id="set_up")).ok
    assert world.grace.view is not None
    assert json.loads(world.grace.view["private_metadata"]) == {"channel": world.help.id}


async def test_in_a_direct_message_setup_says_where_it_belongs(office: Office) -> None:
    taken = await office.world.grace.command("/ticket", "setup")
    assert "in the channel that you want to set up" in str(taken.body)


UNFIT = {
    "public": "is public and notes would be read by others",
    "shared": "is shared with another company and notes would be read by others",
    "archived": "is archived and notes would be read by others",
    "not there": "Slack shows the desk no such channel",
}


@pytest.mark.parametrize("how", UNFIT)
async def test_a_channel_that_others_read_does_not_become_a_triage_channel(office: Office, how: str) -> None:
    """Slack is asked at that moment: whatever the channel was when the form was opened."""
    world = office.world
    channel = await new_channel(office, "agents", world.grace, private=True)
    await world.grace.command("/ticket", "setup", channel=channel)
    match how:
        case "public":
            channel.kind = "channel"
        case "shared":
            channel.shared_with.append(world.ada.team)
        case "archived":
            channel.archived = True
        case _:
            channel.members.remove(office.sandbox.bot.id)
    sent = await world.grace.submit({"role": "triage"})
    assert UNFIT[how] in sent.errors["role"]
    assert await row(office, channel) is None


async def test_notes_and_customers_never_come_into_one_channel(office: Office) -> None:
    """Neither by the form nor past it."""
    world = office.world
    await world.ada.post(world.help, "The export fails")
    await office.at_rest()
    await world.linus.command("/ticket", "setup", channel=world.triage)
    for role in ("support", "none"):
        sent = await world.linus.submit({"role": role})
        assert "The tickets of #help-globex come to #triage." in sent.errors["role"]
    await set_up(office, world.grace, world.help, role="none")
    await world.linus.command("/ticket", "setup", channel=world.triage)
    sent = await world.linus.submit({"role": "support"})
    assert "it stays a triage channel" in sent.errors["role"]
    with pytest.raises(asyncpg.CheckViolationError, match="tickets are shown to agents there"):
        await office.sql.execute("update threadesk.channels set role = 'none' where id = $1", world.triage.id)

    world.help.shared_with.clear()
    world.help.kind = "group"
    await world.grace.command("/ticket", "setup", channel=world.help)
    sent = await world.grace.submit({"role": "triage"})
    assert "Customers have tickets in #help-globex" in sent.errors["role"]
    with pytest.raises(asyncpg.CheckViolationError, match="customers have tickets there"):
        await office.sql.execute("update threadesk.channels set role = 'triage' where id = $1", world.help.id)


async def test_where_digests_are_posted_no_customers_write(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    """Digests quote other customers."""
    leads = await world.sandbox.add_channel("leads", members=[world.grace, world.ben, world.sandbox.bot])
    async with open_office(world, database_url, sql, digest_channel="leads") as office:
        await world.grace.command("/ticket", "setup", channel=leads)
        sent = await world.grace.submit({"role": "support"})
        assert sent.errors == {"role": "Digests are posted in #leads, and customers would read there what others say."}
        assert await row(office, leads) is None


@pytest.mark.parametrize("how", ["shared", "support"])
async def test_a_digest_is_not_posted_where_customers_have_come_to_read(
    world: World, database_url: str, sql: asyncpg.Connection, how: str
) -> None:
    """Since the desk has started, or before it knew of roles."""
    leads = await world.sandbox.add_channel("leads", members=[world.grace, world.ben, world.sandbox.bot])
    if how == "support":
        await sql.execute(
            "insert into threadesk.channels (id, name, role) values ($1, 'triage', 'triage')", world.triage.id
        )
        await sql.execute(
            "insert into threadesk.channels (id, name, role, triage_channel) values ($1, 'leads', 'support', $2)",
            leads.id,
            world.triage.id,
        )
    async with open_office(world, database_url, sql, digest_channel="leads") as office:
        if how == "shared":
            world.sandbox.share(leads, world.ada.team)
        await world.linus.command("/ticket", "digest today", channel=world.triage)
        await until(lambda: sql.fetchval("select refused from threadesk.notices where key like 'digest:%'"))
        await office.at_rest()
        assert by_desk(office, leads) == []
        why = {"shared": "it is shared with another company", "support": "customers write there"}[how]
        assert by_desk(office, world.triage)[-1].text == (
            f"⚠️ The digest is not posted in <#{leads.id}>, because {why}, and others would read what customers say."
            " Let whoever runs the desk set DIGEST_CHANNEL to another channel."
        )


async def test_what_is_wrong_in_the_form_is_said_at_its_field_and_what_was_typed_stays(office: Office) -> None:
    world = office.world
    await world.grace.command("/ticket", "setup", channel=world.help)
    sent = await world.grace.submit({"role": "support", "tags": "billing, no/good", "assignees": [world.grace]})
    assert sent.errors == {"tags": "“no/good” cannot be a tag: tags are of letters, digits, - and _."}
    sent = await world.grace.submit({"tags": "billing", "assignees": [world.grace, world.ben]})
    assert list(sent.errors) == ["assignees"]
    assert "is not an agent of #triage" in sent.errors["assignees"]
    assert world.grace.view is not None
    assert world.grace.view["state"]["values"]["tags"]["tags"]["value"] == "billing"
    assert (await row(office, world.help) or {})["tags"] == []


async def test_reactions_that_cannot_be_are_refused_at_their_field_and_nothing_is_saved(office: Office) -> None:
    world = office.world
    before = await row(office, world.help)
    await world.grace.command("/ticket", "setup", channel=world.help)
    sent = await world.grace.submit({"reaction_open": "two words", "priority": "high"})
    assert sent.errors == {"reaction_open": "Type one emoji by its name, such as :eyes:"}
    sent = await world.grace.submit({"reaction_open": ":eyes:"})
    assert sent.errors == {"reaction_claim": ":eyes: does something else here already."}
    assert await row(office, world.help) == before
    assert (await world.grace.submit({"reaction_open": "question", "reaction_claim": ""})).ok
    await office.at_rest()
    saved = await row(office, world.help) or {}
    assert saved["reactions"] == {"open": "question", "claim": None, "close": "white_check_mark"}
    assert ":question: opens · :white_check_mark: closes" in by_desk(office, world.triage)[-1].text


async def test_an_agent_of_another_triage_channel_cannot_set_it_up_by_a_forged_form(office: Office) -> None:
    """Linus is an agent of #ops only; the form that he was shown there names other channels."""
    world = office.world
    ops = await new_channel(office, "ops", world.grace, private=True)
    await set_up(office, world.grace, ops, role="triage")
    await office.sandbox.invite(ops, world.linus, by=world.grace)
    await office.sandbox.kick(world.triage, world.linus)
    inbox = await new_channel(office, "help-initech", world.linus, world.ben)
    before = await row(office, world.help)

    await world.linus.command("/ticket", "setup", channel=inbox)
    for about in ({"channel": world.help.id}, {"channel": world.triage.id}):
        stolen = submission(world.linus, private_metadata=json.dumps(about))
        status, body = await forged(office, stolen)
        assert (status, json.loads(body)["errors"]) == (
            200,
            {"role": "Only agents of this channel's triage channel can set it up."},
        )
    nowhere: list[dict[str, Any]] = [{}, {"channel": "C0NOSUCH"}, {"channel": "D0"}, {"channel": None}, {"channel": 1}]
    for about in nowhere:
        status, body = await forged(office, submission(world.linus, private_metadata=json.dumps(about)))
        assert status == 200
        assert json.loads(body)["response_action"] == "errors"
    stolen = submission(world.linus)
    values = stolen["view"]["state"]["values"]
    values["triage_channel"]["triage_channel"]["selected_option"] = {"value": world.triage.id}
    _, body = await forged(office, stolen)
    assert json.loads(body)["errors"] == {"triage_channel": "Choose a triage channel that you are in."}
    assert await row(office, world.help) == before
    assert await row(office, inbox) is None
    assert "#triage" not in str(world.linus.view), "nor is he told the names of private channels that he is not in"


async def test_a_suspended_triage_channel_that_is_chosen_again_is_looked_at_again(office: Office) -> None:
    """Slack has never told the desk that it is private once more."""
    world = office.world
    world.triage.kind = "channel"
    await office.sandbox.invite(world.triage, world.ben, by=world.grace)
    await office.at_rest()
    assert (await row(office, world.triage) or {})["suspended"] == "it is public"
    await world.ada.post(world.help, "The export fails")
    world.triage.kind = "group"
    world.grace.admin = True
    assert (await set_up(office, world.grace, world.triage, role="triage")).ok
    assert (await row(office, world.triage) or {})["suspended"] is None
    assert office.card().text.startswith("#1 ")


async def test_what_is_set_up_while_slack_changes_the_channels_id_holds_under_the_new_one(office: Office) -> None:
    """Slack was asked about the channel just before."""
    world = office.world
    inbox = await new_channel(office, "help-initech", world.grace, world.ben, private=True)
    assert (await set_up(office, world.grace, inbox, role="support")).ok
    services = office.running.services
    before = await directory.look(services.slack, inbox.id)
    office.sandbox.share(inbox, world.ada.team, new_id=True)
    await office.at_rest()
    async with services.transaction() as tx:
        grace = await people.meet(tx, world.grace.team.id, world.grace.id)
        await setup.change(tx, services.desk, grace, before, setup.Wanted("support", mode="on_request"))
    assert (await row(office, inbox) or {})["mode"] == "on_request"
    assert await office.sql.fetchval("select count(*) from threadesk.channels where id = $1", before.id) == 0


async def test_a_form_that_is_sent_by_somebody_who_is_an_agent_no_more_changes_nothing(office: Office) -> None:
    world = office.world
    await world.grace.command("/ticket", "setup", channel=world.help)
    await office.sandbox.kick(world.triage, world.grace)
    await office.at_rest()
    sent = await world.grace.submit({"role": "none"})
    assert sent.errors == {"role": "Only agents can set up channels."}
    assert (await row(office, world.help) or {})["role"] == "support"


async def test_settings_are_in_a_ledger_that_nobody_can_change(office: Office) -> None:
    world = office.world
    await set_up(
        office, world.grace, world.help, mode="on_request", priority="high", tags="billing", reaction_claim=":wave:"
    )
    grace = await office.sql.fetchval("select user_id from threadesk.people where slack_id = $1", world.grace.id)
    told = await office.sql.fetch(
        "select actor, role, what, before, after from threadesk.settings_ledger where channel = $1 order by id",
        world.help.id,
    )
    assert ("desk", "role", None, "support") in [tuple(one)[1:] for one in told if one["actor"] is None]
    seen = {"private", "shared"}
    usual = {"open": "ticket", "claim": "eyes", "close": "white_check_mark"}
    assert [tuple(one)[2:] for one in told if one["actor"] == grace and one["what"] not in seen] == [
        ("mode", "every_message", "on_request"),
        ("priority", "medium", "high"),
        ("tags", [], ["billing"]),
        ("reactions", usual, usual | {"claim": "wave"}),
    ]
    for change in ("delete from threadesk.settings_ledger", "update threadesk.settings_ledger set after = null"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await office.sql.execute(change)


async def test_on_request_only_a_mention_or_a_command_opens_a_ticket(office: Office) -> None:
    world = office.world
    await set_up(office, world.grace, world.help, mode="on_request")
    chat = await world.ada.post(world.help, "Good morning!")
    await world.bob.post(world.help, "Good morning, Ada", thread_ts=chat.ts)
    await world.grace.post(world.help, "Good morning from us")
    assert await titles(office) == []
    root = await world.ada.post(world.help, f"{office.sandbox.bot.mention} the export fails")
    assert await titles(office) == ["the export fails"]
    await world.ben.command("/ticket", "new My laptop is slow", channel=world.help)
    await world.ben.submit({})
    assert await titles(office) == ["the export fails", "My laptop is slow"]
    await world.ada.post(world.help, "It is urgent", thread_ts=root.ts)
    await world.ada.post(world.help, "By the way, good night")
    assert await titles(office) == ["the export fails", "My laptop is slow"]
    assert await office.said() == ["the export fails", "It is urgent"]


async def test_tickets_in_a_channel_that_is_left_alone_by_now_go_on_and_are_read_back(office: Office) -> None:
    world = office.world
    root = await world.ada.post(world.help, "The export fails")
    await office.at_rest()
    lunch = await new_channel(office, "lunch", world.grace, world.ben)
    await set_up(office, world.grace, lunch, role="none")
    await set_up(office, world.grace, world.help, role="none")
    async with held_back(office):
        await world.ada.post(world.help, "It is urgent", thread_ts=root.ts)
        await world.ada.post(world.help, "Nobody reads this")
        await world.ben.post(lunch, "Pizza?")
    office.running.services.gap.set()
    await until(lambda: office.sql.fetchval("select count(*) = 2 from threadesk.messages"))
    assert await titles(office) == ["The export fails"]
    assert await office.said() == ["The export fails", "It is urgent"]
    assert not await office.sql.fetchval("select count(*) from threadesk.readings where channel = $1", lunch.id)


async def rotated(office: Office, **more: Any) -> None:
    """#help-globex gives its new tickets to Grace and Linus in turn."""
    world = office.world
    assert (await set_up(office, world.grace, world.help, assignees=[world.grace, world.linus], **more)).ok


async def test_new_tickets_get_priority_tags_and_in_turn_an_assignee_who_is_told(office: Office) -> None:
    world = office.world
    await rotated(office, priority="high", tags="globex, vip")
    root = await world.ada.post(world.help, "The export fails")
    await world.bob.post(world.help, "Where is my invoice?")
    await office.at_rest()
    first, second = await office.ticket(1), await office.ticket(2)
    for ticket in (first, second):
        assert (ticket["status"], ticket["priority"], ticket["tags"]) == ("open", "high", ["globex", "vip"])
    assert sorted([*await names(office, 1), *await names(office, 2)]) == ["Grace Hopper", "Linus Pauling"]
    whose = world.grace if await names(office, 1) == ["Grace Hopper"] else world.linus
    assert f"<@{whose.id}> #1 is yours: it was your turn." in str(office.thread(office.card(1)))
    pings = [text for text in office.thread(office.card(1)) if f"<@{whose.id}>" in text]
    assert len(pings) == 1, "once, and not by the message as well"
    assert "is on it" in office.thread(root)[0]
    assert [
        one["role"] for one in await office.sql.fetch("select role from threadesk.ledger where what = 'assigned_to'")
    ] == [
        "desk",
        "desk",
    ]


async def test_every_way_of_opening_a_ticket_takes_its_turn(office: Office) -> None:
    """A message, a mention, the form, an answer in an agent's thread, and a message long after closing."""
    world = office.world
    await rotated(office, tags="globex")
    root = await world.ada.post(world.help, "The export fails")
    await office.at_rest()
    await world.ada.post(world.help, f"{office.sandbox.bot.mention} add a seat")
    await office.at_rest()
    await world.ben.command("/ticket", "new My laptop is slow", channel=world.help)
    await world.ben.submit({})
    await office.at_rest()
    news = await world.grace.post(world.help, "Release 4.3 is out")
    await world.bob.post(world.help, "It breaks my report", thread_ts=news.ts)
    await office.at_rest()
    await world.linus.command("/ticket", "close 1", channel=world.triage)
    world.clock.advance(days=31)
    await office.sql.execute("update threadesk.desk_tickets set closed_at = closed_at - interval '31 days'")
    await world.ada.post(world.help, "It fails again", thread_ts=root.ts)
    await office.at_rest()

    assert [(await office.ticket(n))["tags"] for n in range(1, 6)] == [["globex"]] * 5
    assert [(await office.ticket(n))["status"] for n in range(2, 6)] == ["open"] * 4
    had = [(await names(office, n))[0].split()[0] for n in range(1, 6)]
    assert had == ["Grace", "Linus", "Grace", "Linus", "Grace"]


async def test_a_ticket_that_is_opened_by_a_shortcut_or_a_reaction_takes_its_turn_too(office: Office) -> None:
    world = office.world
    await rotated(office, mode="on_request", priority="high", tags="globex")
    first, second = [await who.post(world.help, "It fails") for who in (world.ada, world.bob)]
    await office.at_rest()
    assert (await world.grace.message_shortcut("open_ticket", first)).ok
    await office.at_rest()
    await world.grace.react(second, "ticket")
    await office.at_rest()
    for number, agent in ((1, world.grace), (2, world.linus)):
        ticket = await office.ticket(number)
        assert (ticket["status"], ticket["priority"], ticket["tags"]) == ("open", "high", ["globex"])
        assert await names(office, number) == [agent.name]
        assert f"<@{agent.id}> #{number} is yours: it was your turn." in str(office.thread(office.card(number)))


async def test_tickets_that_are_opened_at_once_share_the_turn_evenly(office: Office) -> None:
    world = office.world
    await rotated(office)
    people = [office.sandbox.add_person(f"Customer {n}", team=world.ada.team) for n in range(8)]
    world.help.members.extend(one.id for one in people)
    await asyncio.gather(*(one.post(world.help, f"Question {n}") for n, one in enumerate(people)))
    await office.at_rest()
    assert Counter([(await names(office, n))[0] for n in range(1, 9)]) == {"Grace Hopper": 4, "Linus Pauling": 4}


async def test_who_is_an_agent_no_more_is_passed_over_and_nobody_left_means_unassigned(office: Office) -> None:
    world = office.world
    await rotated(office)
    await office.sandbox.kick(world.triage, world.linus)
    for n in range(2):
        await world.ada.post(world.help, f"Question {n}")
    await office.at_rest()
    assert [await names(office, n) for n in (1, 2)] == [["Grace Hopper"], ["Grace Hopper"]]
    await office.sql.execute("update threadesk.people set kind = 'deactivated' where slack_id = $1", world.grace.id)
    await world.ada.post(world.help, "Question 3")
    await office.at_rest()
    ticket = await office.ticket(3)
    assert (ticket["status"], ticket["assigned_to"]) == ("new", [])


async def test_nobody_gets_the_ticket_that_they_ask_for_themselves(office: Office) -> None:
    world = office.world
    await rotated(office)
    for _ in range(2):
        await world.grace.command("/ticket", "new For myself", channel=world.help)
        await world.grace.submit({})
        await office.at_rest()
    assert [await names(office, n) for n in (1, 2)] == [["Linus Pauling"], ["Linus Pauling"]]


async def test_the_form_of_an_agent_begins_with_the_channels_priority(office: Office) -> None:
    world = office.world
    await set_up(office, world.grace, world.help, priority="high")
    await world.grace.command("/ticket", "new", channel=world.help)
    assert world.grace.view is not None
    chosen = world.grace.view["state"]["values"]["priority"]["priority"]["selected_option"]["value"]
    assert chosen == "high"
    await world.grace.submit({"title": "Not so urgent", "priority": "low"})
    await office.at_rest()
    assert (await office.ticket())["priority"] == "low"


async def test_each_triage_channel_has_its_own_tickets_and_agents(office: Office) -> None:
    world = office.world
    ops = await new_channel(office, "ops", world.grace, private=True)
    marie = office.sandbox.add_person("Marie Curie", email="marie@acme.example")
    await office.sandbox.invite(ops, marie, by=world.grace)
    assert (await set_up(office, world.grace, ops, role="triage")).ok
    inbox = await new_channel(office, "help-initech", world.grace, world.ben)
    assert (await set_up(office, world.grace, inbox, role="support", triage_channel=ops.id)).ok

    await world.ben.post(inbox, "My laptop is slow")
    await world.ada.post(world.help, "The export fails")
    await world.bob.dm("Hello?")
    await office.at_rest()
    numbers = {title: n for n in (1, 2, 3) if (title := (await office.ticket(n))["title"])}

    def carded(channel: Channel) -> set[str]:
        texts = [one.text for one in by_desk(office, channel) if one.thread_ts is None]
        return {title for title in numbers if any(text.startswith("#") and title in text for text in texts)}

    assert carded(world.triage) == {"The export fails"}
    assert carded(ops) == {"My laptop is slow", "Hello?"}, "direct messages go to the channel that was chosen last"
    taken = await marie.command("/ticket", f"claim {numbers['The export fails']}", channel=ops)
    assert "belongs to a triage channel that you are not in" in str(taken.body)
    assert (await marie.command("/ticket", f"claim {numbers['My laptop is slow']}", channel=ops)).ok
    await office.at_rest()
    assert await names(office, numbers["My laptop is slow"]) == ["Marie Curie"]
    assert "The export fails" not in seen_by(office, marie)


async def test_a_ticket_after_closing_goes_where_the_channels_tickets_go_now(office: Office) -> None:
    world = office.world
    root: Message = await world.ada.post(world.help, "The export fails")
    await office.at_rest()
    ops = await new_channel(office, "ops", world.grace, private=True)
    await set_up(office, world.grace, ops, role="triage")
    await set_up(office, world.grace, world.help, triage_channel=ops.id)
    await world.linus.command("/ticket", "close 1", channel=world.triage)
    await office.sql.execute("update threadesk.desk_tickets set closed_at = closed_at - interval '31 days'")
    await world.ada.post(world.help, "It fails again", thread_ts=root.ts)
    await office.at_rest()
    assert [one.text for one in by_desk(office, ops) if one.text.startswith("#2 ")]


async def test_while_slack_does_not_answer_nothing_is_set_up_and_what_was_typed_stays(office: Office) -> None:
    world = office.world
    await world.grace.command("/ticket", "setup", channel=world.help)
    office.sandbox.disrupt("conversations.info", "ratelimited")
    sent = await world.grace.submit({"role": "none", "tags": "billing"})
    assert sent.errors == {"role": "Slack did not say just now what this channel is like. Please try again."}
    assert (await row(office, world.help) or {})["role"] == "support"
    assert (await world.grace.submit({"role": "support"})).ok
    assert (await row(office, world.help) or {})["tags"] == ["billing"]
