"""Who reads along in a triage channel: agents, and nobody else."""

from __future__ import annotations

import dataclasses
from typing import Any

import asyncpg
import pytest

from storage import notices
from tests.conftest import Office, World, open_office
from tests.listeners.slack_side import send_event

pytestmark = pytest.mark.transports("http", "socket")


async def opened(office: Office) -> None:
    await office.world.ada.post(office.world.help, "The export fails")
    await office.at_rest()


async def command(office: Office, who: Any, text: str) -> str:
    answered = await who.command("/ticket", text, channel=office.world.triage)
    await office.at_rest()
    return str(vars(answered))


def in_triage(office: Office) -> str:
    return str([(one.text, one.blocks) for one in office.world.triage.posts.values()])


async def suspended(office: Office) -> str | None:
    found: str | None = await office.sql.fetchval(
        "select suspended from threadesk.channels where id = $1", office.world.triage.id
    )
    return found


async def test_a_triage_channel_that_is_shared_shows_no_more_notes_until_it_is_unshared(office: Office) -> None:
    world = office.world
    await opened(office)
    office.sandbox.share(world.triage, world.ada.team)
    await office.at_rest()
    assert await suspended(office) == "it is shared with another company"
    await world.ada.post(world.help, "It is urgent", thread_ts=next(iter(world.help.posts)))
    await office.sql.execute("update tickets set title = 'SECRET'")
    await office.at_rest()
    assert "It is urgent" not in in_triage(office)
    assert "SECRET" not in in_triage(office)
    told = [one.text for one in office.sandbox.messages(world.triage) if "shows no more tickets" in one.text]
    assert told == [
        "The desk shows no more tickets here, because it is shared with another company and notes would be read"
        " by others."
    ]

    world.triage.shared_with.clear()
    await send_event(office, {"type": "channel_unshared", "channel": world.triage.id, "is_ext_shared": False})
    await office.at_rest()
    assert await suspended(office) is None
    assert "It is urgent" in in_triage(office)
    assert "SECRET" in office.card().text


async def test_a_triage_channel_that_is_made_public_is_suspended_at_once(office: Office) -> None:
    await opened(office)
    office.world.triage.kind = "channel"
    message = {"type": "message", "subtype": "channel_convert_to_public", "channel": office.world.triage.id}
    assert await send_event(office, message | {"user": office.world.grace.id, "ts": "1723680078.026719"}) == 200
    assert await suspended(office) == "it is public"
    await office.at_rest()


async def test_what_is_for_agents_is_not_said_where_others_read_by_now(office: Office) -> None:
    """What could not be shown of a ticket names it; that is said when the channel is public, or the customers', too."""
    world, services = office.world, office.running.services
    await opened(office)
    await office.sql.execute("update threadesk.channels set suspended = 'it is public' where role = 'triage'")
    for channel in (world.triage, world.help):
        before = len(channel.posts)
        async with services.transaction() as tx:
            await notices.add(tx, f"parked:{channel.id}", "channel", {"text": "#1 (SECRET)"}, channel=channel.id)
        await office.at_rest()
        assert len(channel.posts) == before
    assert await office.sql.fetch("select distinct refused from threadesk.notices") == [("suspended",)]


async def test_while_their_channel_is_suspended_reactions_and_shortcuts_make_nobody_an_agent(office: Office) -> None:
    world = office.world
    await opened(office)
    root = next(iter(world.help.posts.values()))
    office.sandbox.share(world.triage, world.ada.team)
    await office.at_rest()
    before = await office.ticket()
    await world.grace.react(root, "eyes")
    await world.grace.react(root, "white_check_mark")
    assert (await world.grace.message_shortcut("add_to_ticket", root)).ok
    await office.at_rest()
    assert world.grace.view is None
    assert await office.ticket() == before

    world.triage.shared_with.clear()
    await send_event(office, {"type": "channel_unshared", "channel": world.triage.id, "is_ext_shared": False})
    await office.at_rest()
    await world.grace.unreact(root, "eyes")
    await world.grace.react(root, "eyes")
    await office.at_rest()
    assert (await office.ticket())["status"] == "open"


async def test_a_join_that_is_told_again_after_the_person_has_left_makes_nobody_an_agent(office: Office) -> None:
    world = office.world
    await opened(office)
    await office.sandbox.invite(world.triage, world.ben, by=world.grace)
    await office.at_rest()
    await command(office, world.ben, "note 1 mine")
    assert await office.notes() == ["mine"]
    joined = next(one for one in office.sandbox.deliveries if one.type == "member_joined_channel")
    await office.sandbox.kick(world.triage, world.ben)
    await office.at_rest()
    office.sandbox.resend(joined)
    await office.at_rest()
    assert "You have no ticket #1." in str(vars(await world.ben.command("/ticket", "show 1", channel=world.help)))


async def test_who_left_while_the_desk_was_down_has_left(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql) as office:
        await opened(office)
        await command(office, world.linus, "claim 1")
    world.triage.members.remove(world.linus.id)
    async with open_office(world, database_url, sql) as office:
        await office.at_rest()
        assert (await office.ticket())["assigned_to"] == []
        assert "has left this channel" in in_triage(office)


async def test_a_member_made_a_guest_while_the_desk_was_down_is_no_agent(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql) as office:
        await opened(office)
        world.linus.guest = True
    async with open_office(world, database_url, sql) as office:
        assert "You have no ticket #1." in await command(office, world.linus, "claim 1")


@pytest.mark.parametrize("how", ["deactivated", "guest"])
async def test_who_is_no_member_any_more_is_no_agent_and_their_tickets_are_nobodys(office: Office, how: str) -> None:
    """Slack tells that of nobody's leaving a channel; two agents had the second ticket."""
    world = office.world
    await opened(office)
    await opened(office)
    await command(office, world.linus, "claim 1")
    await command(office, world.grace, f"assign 2 {world.linus.mention} {world.grace.mention}")
    if how == "guest":
        office.sandbox.make_guest(world.linus)
    else:
        office.sandbox.deactivate(world.linus)
    await office.at_rest()
    first, second = await office.ticket(1), await office.ticket(2)
    assert (first["assigned_to"], first["status"]) == ([], "new")
    assert (len(second["assigned_to"]), second["status"]) == (1, "open")
    is_now = {"deactivated": "is deactivated", "guest": "is a guest now"}[how]
    said = [one.text for one in office.sandbox.messages(world.triage) if "no longer on these tickets" in one.text]
    assert said == [
        f"{world.linus.mention} {is_now} and is no longer on these tickets: #1 The export fails, #2 The export fails"
    ]
    if how == "guest":
        assert "You have no ticket #1." in await command(office, world.linus, "claim 1")
    [told] = [one for one in office.sandbox.deliveries if one.type == "user_change"]
    office.sandbox.resend(told)
    await office.at_rest()
    again = [one.text for one in office.sandbox.messages(world.triage) if "no longer on these tickets" in one.text]
    assert again == said


async def test_a_new_name_is_shown_wherever_the_person_still_is(office: Office) -> None:
    world = office.world
    await world.ben.post(world.help, "My laptop is slow")
    await office.at_rest()
    await command(office, world.linus, "claim 1")
    office.sandbox.rename_person(world.linus, "Linus P.")
    office.sandbox.rename_person(world.ben, "Benjamin")
    await office.at_rest()
    status = office.sandbox.find(world.help, "Ticket #1")
    assert "Linus P. is on it" in status.text
    assert "From *Benjamin*" in office.card().text


async def test_a_change_of_somebody_unknown_or_of_nothing_that_is_shown_asks_slack_nothing(office: Office) -> None:
    world = office.world
    await opened(office)
    calls = len(office.sandbox.calls)
    office.sandbox.rename_person(world.ben, "Benjamin")
    world.grace.title = "Rear Admiral"
    office.sandbox.rename_person(world.grace, "")
    await office.at_rest()
    assert [one.method for one in office.sandbox.calls[calls:]] == []


async def test_a_refusal_that_says_nothing_of_the_person_leaves_them_unknown(office: Office) -> None:
    world = office.world
    granted = office.sandbox.slack.manifest
    fewer = tuple(scope for scope in granted.scopes if scope != "users:read")
    office.sandbox.slack.manifest = dataclasses.replace(granted, scopes=fewer)
    await office.sandbox.invite(world.triage, world.ben, by=world.grace)
    await office.at_rest()
    known = "select known_at is not null from threadesk.people where slack_id = $1"
    assert await office.sql.fetchval(known, world.ben.id) is False
    office.sandbox.slack.manifest = granted
    await office.sandbox.kick(world.triage, world.linus)
    await office.at_rest()
    assert await office.sql.fetchval(known, world.ben.id) is True


@pytest.mark.parametrize("how", ["kicked", "archived", "shared", "public"])
async def test_an_earlier_triage_channel_that_cannot_serve_does_not_keep_the_desk_from_starting(
    world: World, database_url: str, sql: asyncpg.Connection, how: str
) -> None:
    async with open_office(world, database_url, sql):
        pass
    await world.sandbox.add_channel("ops", private=True, members=[world.grace, world.linus, world.sandbox.bot])
    match how:
        case "kicked":
            world.triage.members.remove(world.sandbox.bot.id)
        case "archived":
            world.triage.archived = True
        case "shared":
            world.triage.shared_with.append(world.ada.team)
        case _:
            world.triage.kind = "channel"
    async with open_office(world, database_url, sql, triage_channel="ops") as office:
        assert (
            await suspended(office)
            == {
                "kicked": "Slack does not show it to the desk (channel_not_found)",
                "archived": "it is archived",
                "shared": "it is shared with another company",
                "public": "it is public",
            }[how]
        )
        await office.at_rest()
