"""App Home: what customers and agents find there, what they can do in it, and what it shows afterwards."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest

from bot.sandbox import Interaction, Person
from bot.tickets import listing
from storage.listing import Place
from tests.conftest import Office, World, open_office
from tests.listeners.test_commands import opened

pytestmark = pytest.mark.transports("http", "socket")

SECRET = "SECRET: they never pay"
#: What stands in an agent's Home and in no customer's.
AGENTS_ONLY = ("claim", "reply", "note", "close", "reopen", "edit", "home_list", "home_status", "home_priority")


async def many(office: Office, person: Person, numbers: int) -> None:
    """Tickets up to this number, of which Slack shows only the first."""
    await opened(office, person, "The export fails")
    async with office.sql.transaction():
        await office.sql.execute(
            "insert into threadesk.desk_tickets (ticket_id, requester, requester_team, requester_slack)"
            " select gen_random_uuid(), d.requester, d.requester_team, d.requester_slack"
            " from threadesk.desk_tickets d, generate_series(2, $1)",
            numbers,
        )
        await office.sql.execute(
            "insert into tickets (id, title, description, status, priority)"
            " select ticket_id, 'Another question', '', 'new', 'low' from threadesk.desk_tickets where number > 1"
        )
    await office.sql.execute("update threadesk.desk_tickets set triage_channel = $1", office.world.triage.id)


async def open_home(office: Office, person: Person) -> None:
    await person.open_home()
    await office.sandbox.settled()
    assert person.home, "nothing was published"


def said(person: Person) -> str:
    """Everything that a person's Home shows and says."""
    assert person.home
    return json.dumps(person.home["blocks"], ensure_ascii=False)


def numbers(person: Person, block: str = "row:") -> list[int]:
    """The tickets that a person's Home lists, in order: an agent's rows, or (`asked:`) their own requests."""
    assert person.home
    rows = [one["text"]["text"] for one in person.home["blocks"] if one["block_id"].startswith(block)]
    return [int(row.partition("*#")[2].split()[0]) for row in rows]


def offered(person: Person, number: int) -> list[str]:
    """The buttons that belong to a ticket."""
    assert person.home
    elements = [one for block in person.home["blocks"] for one in block.get("elements", []) if "action_id" in one]
    return [one["action_id"] for one in elements if one.get("value") == str(number)]


async def press(person: Person, action_id: str, value: str | None = None) -> Interaction:
    assert person.home
    taken = await person.click(person.home, action_id, value)
    assert taken.ok, taken
    return taken


async def choose(person: Person, action_id: str, value: Any) -> None:
    assert person.home
    taken = await person.choose(person.home, action_id, value)
    assert taken.ok, taken


async def until(true: Callable[[], bool]) -> None:
    """What is published after the answer comes soon."""
    async with asyncio.timeout(5):
        while True:
            if true():
                return
            await asyncio.sleep(0.01)


async def forged(office: Office, person: Person, action_id: str, value: str) -> None:
    """A press in a person's Home that Slack's client would not send."""
    home = person.home or {"type": "home", "id": "V0FORGED", "hash": "1", "blocks": [], "state": {"values": {}}}
    payload = {
        "type": "block_actions",
        "user": {"id": person.id, "name": person.handle, "team_id": person.team.id},
        "team": {"id": person.team.id},
        "trigger_id": office.sandbox.slack.triggers.issue(person),
        "container": {"type": "view", "view_id": home["id"]},
        "view": home,
        "actions": [{"type": "button", "action_id": action_id, "block_id": "actions:1", "value": value}],
    }
    assert (await office.sandbox.deliver("interaction", payload)).status == 200
    await office.at_rest()


def told(person: Person) -> str:
    """The sentence that stands over a person's Home."""
    assert person.view, "no sentence was shown"
    return str(person.view["blocks"][0]["text"]["text"])


async def test_a_customer_of_another_company_finds_their_own_tickets_with_status_and_link(office: Office) -> None:
    world = office.world
    root, _ = await opened(office, world.ada, "The export fails", "Add a seat")
    await opened(office, world.bob, "Bob's own matter")
    await world.grace.command("/ticket", "close 2", channel=world.triage)
    await office.at_rest()

    await open_home(office, world.ada)

    assert numbers(world.ada, "asked:") == [2, 1]
    assert "Closed" in said(world.ada)
    assert "nobody is on it yet" in said(world.ada)
    assert f"/archives/{world.help.id}/p{root.ts.replace('.', '')}" in said(world.ada)
    assert "Bob" not in said(world.ada)
    assert not [one for one in AGENTS_ONLY if f'"{one}"' in said(world.ada)]


async def test_who_was_never_met_finds_out_how_to_ask_and_is_asked_of_slack_afterwards(office: Office) -> None:
    world = office.world
    await open_home(office, world.bob)
    assert "You have no tickets yet" in said(world.bob)
    known = "select team_id, name from threadesk.people where slack_id = $1"
    assert [tuple(row) for row in await office.sql.fetch(known, world.bob.id)] == [(world.bob.team.id, "Bob Noyce")]


async def test_an_agent_whom_nobody_knew_to_be_one_finds_the_desk(world: World, database_url: str, sql: Any) -> None:
    async with open_office(world, database_url, sql) as office:
        await office.sql.execute("update threadesk.people set known_at = null, kind = 'unknown'")
        await open_home(office, world.grace)
        await until(lambda: "home_list" in said(world.grace))


async def test_a_new_ticket_is_opened_from_home(office: Office) -> None:
    world = office.world
    for person, has_customer in ((world.bob, False), (world.grace, True)):
        await open_home(office, person)
        await press(person, "new_ticket")
        assert person.view
        assert ("customer" in [block["block_id"] for block in person.view["blocks"]]) is has_customer
    assert (await world.bob.submit({"title": "The export fails"})).ok
    await office.at_rest()
    assert (await office.ticket())["title"] == "The export fails"
    await until(lambda: numbers(world.bob, "asked:") == [1])


async def test_an_agent_claims_replies_notes_edits_closes_and_reopens_from_home(office: Office) -> None:
    world = office.world
    (root,) = await opened(office, world.ada, "The export fails")
    await open_home(office, world.grace)
    assert "You have no open tickets" in said(world.grace)
    await choose(world.grace, "home_list", "unassigned")
    assert numbers(world.grace) == [1]
    assert offered(world.grace, 1) == ["claim", "reply", "note", "close", "edit", "open_ticket"]

    await press(world.grace, "claim", "1")
    assert "Every open ticket has somebody on it." in said(world.grace)
    await choose(world.grace, "home_list", "mine")
    assert numbers(world.grace) == [1]
    assert "claim" not in offered(world.grace, 1)

    await press(world.grace, "reply", "1")
    assert (await world.grace.submit({"words": "Look under Settings"})).ok
    await press(world.grace, "note", "1")
    assert (await world.grace.submit({"words": SECRET})).ok
    await press(world.grace, "edit", "1")
    assert (await world.grace.submit({"title": "Exports fail", "priority": "high", "tags": "billing"})).ok
    await until(lambda: "Exports fail" in said(world.grace) and "High priority" in said(world.grace))
    await office.at_rest()
    assert "Look under Settings" in office.thread(root)
    assert await office.notes() == [SECRET]

    await press(world.grace, "close", "1")
    assert (await world.grace.submit({"comment": "done"})).ok
    await until(lambda: numbers(world.grace) == [])
    await choose(world.grace, "home_status", "closed")
    assert offered(world.grace, 1) == ["reopen", "reply", "note", "edit", "open_ticket"]
    await press(world.grace, "reopen", "1")
    assert (await office.ticket())["status"] == "open"
    assert "No ticket matches what is chosen above" in said(world.grace)
    await office.at_rest()


async def test_agents_see_their_teams_week_a_minute_old_at_most_and_customers_never(office: Office) -> None:
    world = office.world
    await opened(office, world.ada, "One", "Two")
    await world.grace.command("/ticket", "reply 1 Look under Settings", channel=world.triage)
    await office.at_rest()
    await world.grace.command("/ticket", "close 1", channel=world.triage)
    await office.at_rest()

    def week(person: Person) -> list[str]:
        assert person.home
        found = [one["text"]["text"] for one in person.home["blocks"] if one["block_id"] == "week"]
        return [line.replace("*", "") for text in found for line in text.splitlines()[1:]]

    figures = [
        "Opened 2 (▲ 2 more) · Closed 1 (▲ 1 more) · Waiting now 1 (▲ 1 more)",
        "First response median less than 1 min, of 1 ticket (before: none)",
        "Ratings none (before: none)",
    ]
    for person in (world.grace, world.ada):
        await open_home(office, person)
    assert week(world.grace) == figures
    assert week(world.ada) == []

    await opened(office, world.ada, "Three")
    await press(world.grace, "home_refresh")
    assert week(world.grace) == figures
    world.clock.ahead += dt.timedelta(minutes=1)
    await press(world.grace, "home_refresh")
    assert week(world.grace)[0] == "Opened 3 (▲ 3 more) · Closed 1 (▲ 1 more) · Waiting now 2 (▲ 2 more)"


async def test_a_note_is_in_nobodys_home(office: Office) -> None:
    world = office.world
    await opened(office, world.ben, "My laptop is slow")
    for command in (f"note 1 {SECRET}", f"close 1 {SECRET}"):
        await world.grace.command("/ticket", command, channel=world.triage)
    await office.at_rest()
    for person in (world.ben, world.grace, world.ada):
        await open_home(office, person)
        assert "SECRET" not in said(person)
    await choose(world.grace, "home_list", "all")
    await choose(world.grace, "home_status", "closed")
    assert numbers(world.grace) == [1]
    assert "SECRET" not in said(world.grace)


async def test_who_has_waited_longest_stands_first_until_they_are_answered(office: Office) -> None:
    world = office.world
    first, _, third = await opened(office, world.ada, "One", "Two", "Three")
    await world.ada.post(world.help, "And?", thread_ts=first.ts)
    await world.grace.post(world.help, "A moment", thread_ts=third.ts)
    await office.at_rest()
    await open_home(office, world.grace)
    await choose(world.grace, "home_list", "waiting")
    assert numbers(world.grace) == [1, 2]
    assert "waiting since" in said(world.grace)
    await world.ada.post(world.help, "Yes?", thread_ts=third.ts)
    await world.linus.command("/ticket", "reply 1 Here", channel=world.triage)
    await office.at_rest()
    await press(world.grace, "home_refresh")
    assert numbers(world.grace) == [2, 3]


async def test_what_is_chosen_is_kept_when_home_is_opened_again_and_cleared_by_a_button(office: Office) -> None:
    world = office.world
    await opened(office, world.ada, "One", "Two", "Three")
    for command in ("priority 1 high", "tag 1 +billing", "priority 2 high", "tag 3 +billing"):
        await world.grace.command("/ticket", command, channel=world.triage)
    await office.at_rest()
    await open_home(office, world.grace)
    await choose(world.grace, "home_list", "all")
    assert numbers(world.grace) == [3, 2, 1]
    await choose(world.grace, "home_priority", "high")
    assert numbers(world.grace) == [2, 1]
    await choose(world.grace, "home_tag", "#Billing")
    assert numbers(world.grace) == [1]
    await choose(world.grace, "home_status", "pending")
    assert "No ticket matches what is chosen above" in said(world.grace)

    await open_home(office, world.grace)
    chosen = await office.sql.fetchrow("select list, status, priority, tag from threadesk.homes")
    assert tuple(chosen or ()) == ("all", "pending", "high", "billing")
    await press(world.grace, "home_clear")
    assert numbers(world.grace) == [3, 2, 1]
    assert world.grace.home
    menus = next(block for block in world.grace.home["blocks"] if block["block_id"].startswith("menus"))
    assert [one["initial_option"]["value"] for one in menus["elements"]] == ["all", "any", "any"]


async def test_pages_are_turned_on_and_back(office: Office) -> None:
    world = office.world
    await many(office, world.ada, 23)
    for person, block in ((world.ada, "asked:"), (world.grace, "row:")):
        await open_home(office, person)
        if person is world.grace:
            await choose(person, "home_list", "unassigned")
        assert numbers(person, block) == list(range(23, 13, -1))
        await press(person, "home_next")
        assert numbers(person, block) == list(range(13, 3, -1))
        await press(person, "home_next")
        assert numbers(person, block) == [3, 2, 1]
        assert "home_next" not in said(person)
        await press(person, "home_back")
        assert numbers(person, block) == list(range(13, 3, -1))
        await press(person, "home_back")
        assert numbers(person, block) == list(range(23, 13, -1))
        assert "home_back" not in said(person)


async def test_a_page_on_which_nothing_is_left_says_so(office: Office) -> None:
    world = office.world
    await many(office, world.ada, 11)
    await open_home(office, world.grace)
    await choose(world.grace, "home_list", "unassigned")
    await press(world.grace, "home_next")
    assert numbers(world.grace) == [1]
    await press(world.grace, "claim", "1")
    assert "There are no tickets on this page any more" in said(world.grace)


async def test_an_agent_who_asked_for_something_sees_both_and_cannot_work_on_it(office: Office) -> None:
    world = office.world
    await opened(office, world.ada, "The export fails")
    await world.grace.command("/ticket", "new", channel=world.help)
    assert (await world.grace.submit({"title": "My own laptop"})).ok
    await office.at_rest()
    await open_home(office, world.grace)
    await choose(world.grace, "home_list", "all")
    assert numbers(world.grace) == [2, 1]
    assert numbers(world.grace, "asked:") == [2]
    assert offered(world.grace, 2) == []
    assert "You asked for this one yourself" in said(world.grace)
    await choose(world.grace, "home_list", "asked")
    assert (numbers(world.grace), numbers(world.grace, "asked:")) == ([2], [])


async def test_what_a_person_does_elsewhere_is_in_their_home_without_opening_it(office: Office) -> None:
    world = office.world
    (root,) = await opened(office, world.ada, "The export fails")
    await open_home(office, world.grace)
    assert (await world.grace.command("/ticket", "claim 1", channel=world.triage)).ok
    await until(lambda: numbers(world.grace) == [1])
    assert (await world.grace.click(office.card(), action_id="close")).ok
    assert (await world.grace.submit()).ok
    await until(lambda: numbers(world.grace) == [])
    await open_home(office, world.ada)
    await world.ada.post(world.help, "It fails again", thread_ts=root.ts)
    await until(lambda: "Open" in said(world.ada))
    await office.at_rest()


async def test_a_reaction_a_set_up_and_a_ticket_that_was_asked_for_are_in_ones_home(office: Office) -> None:
    world = office.world
    (root,) = await opened(office, world.ada, "The export fails")
    await open_home(office, world.grace)
    await world.grace.react(root, "eyes")
    await until(lambda: numbers(world.grace) == [1])
    await choose(world.grace, "home_list", "all")
    await world.grace.command("/ticket", "setup", channel=world.help)
    assert (await world.grace.submit({"mode": "on_request"})).ok
    message = await world.bob.post(world.help, "Add a seat")
    await office.at_rest()
    assert (await world.grace.message_shortcut("open_ticket", message)).ok
    await until(lambda: numbers(world.grace) == [2, 1])
    await office.at_rest()


async def test_what_cannot_be_done_is_said_over_home_which_shows_how_things_are(office: Office) -> None:
    world = office.world
    await opened(office, world.ada, "The export fails")
    await open_home(office, world.grace)
    await choose(world.grace, "home_list", "all")
    await world.linus.command("/ticket", "close 1", channel=world.triage)
    await press(world.grace, "claim", "1")
    assert told(world.grace).startswith("Ticket #1 is closed. Reopen it first")
    assert numbers(world.grace) == []
    await office.at_rest()


async def test_a_sentence_that_slack_does_not_show_over_home_comes_as_a_direct_message(office: Office) -> None:
    world = office.world
    await opened(office, world.ada, "The export fails")
    await open_home(office, world.grace)
    await choose(world.grace, "home_list", "all")
    office.sandbox.disrupt("views.open", "http_500")
    await press(world.grace, "reply", "1")
    await press(world.grace, "claim", "1")
    office.sandbox.disrupt("views.open", "http_500")
    await forged(office, world.grace, "claim", "1")
    assert [one.text for one in office.sandbox.dm_messages(world.grace)][-1] == "Ticket #1 is yours already."


FORGED_OF_AN_AGENT = [
    *((action, "1") for action in ("claim", "reply", "note", "close", "edit", "not_a_ticket")),
    *(("home_list", value) for value in ("all", "unassigned", "'; drop table tickets")),
    ("home_status", "closed"),
    ("home_tag", "billing"),
    ("home_channel", "C0ELSEWHERE"),
]


@pytest.mark.parametrize(("action_id", "value"), FORGED_OF_AN_AGENT)
async def test_what_only_agents_find_does_nothing_when_it_is_forged(office: Office, action_id: str, value: str) -> None:
    world = office.world
    await opened(office, world.ada, "The export fails")
    await opened(office, world.ben, "Ben's laptop")
    before, card = await office.ticket(), office.card().text
    for person in (world.ada, world.bob, world.ben):
        await open_home(office, person)
        await forged(office, person, action_id, value)
        assert told(person).startswith(("Only agents can ", "You have no ticket #1."))
        assert "drop" not in said(person)
        assert not [one for one in AGENTS_ONLY if f'"{one}"' in said(person)]
        assert numbers(person, "asked:") == {world.ada: [1], world.bob: [], world.ben: [2]}[person]
    assert await office.ticket() == before
    assert office.card().text == card


@pytest.mark.parametrize("value", ["", "1", "1.2", "1.2.3.4", "x.1.0", "-5.1.0", "1.0.0", "9" * 40 + ".1.0", "١.1.0"])
async def test_a_page_that_is_none_is_refused_with_a_sentence(office: Office, value: str) -> None:
    await opened(office, office.world.ada, "The export fails")
    await open_home(office, office.world.grace)
    await forged(office, office.world.grace, "home_next", value)
    assert told(office.world.grace) == "This page is there no more. Open App Home again."
    assert await office.sql.fetchval("select trail from threadesk.homes") == []


async def test_a_page_of_ones_own_making_shows_nobody_elses_tickets(office: Office) -> None:
    world = office.world
    await opened(office, world.ada, "The export fails")
    await open_home(office, world.bob)
    await forged(office, world.bob, "home_next", listing.written_place(Place(world.clock(), 2_000_000_000, 3)))
    assert numbers(world.bob, "asked:") == []


async def test_choosing_what_is_not_offered_is_refused(office: Office) -> None:
    world = office.world
    await open_home(office, world.grace)
    for action_id, value in (
        ("home_list", "everything"),
        ("home_list", "any"),
        ("home_status", "all"),
        ("home_priority", "urgent"),
        ("home_channel", "C0ELSEWHERE"),
    ):
        await forged(office, world.grace, action_id, value)
        assert told(world.grace) == "This cannot be chosen any more. Open App Home again."
    await forged(office, world.grace, "home_tag", "two tags")
    assert told(world.grace) == "The list is by one tag. Write one only."
    await forged(office, world.grace, "home_tag", "a!b")
    assert told(world.grace).startswith("“a!b” cannot be a tag")


async def test_who_is_no_agent_any_more_finds_what_a_customer_finds(office: Office) -> None:
    world = office.world
    await opened(office, world.ada, "The export fails")
    await open_home(office, world.grace)
    await choose(world.grace, "home_list", "all")
    assert numbers(world.grace) == [1]

    await office.sandbox.kick(world.triage, world.grace)
    await office.at_rest()
    await forged(office, world.grace, "claim", "1")
    assert told(world.grace) == "You have no ticket #1. `/ticket list` shows yours."
    assert "You have no tickets yet" in said(world.grace)
    assert "The export fails" not in said(world.grace)

    await open_home(office, world.linus)
    await choose(world.linus, "home_list", "all")
    for kind in ("guest", "deactivated", "bot"):
        await office.sql.execute("update threadesk.people set kind = $1 where slack_id = $2", kind, world.linus.id)
        await forged(office, world.linus, "claim", "1")
        assert "The export fails" not in said(world.linus)
    assert (await office.ticket())["assigned_to"] == []


async def test_an_agent_of_two_triage_channels_lists_one_of_them_and_none_that_they_left(office: Office) -> None:
    world = office.world
    await opened(office, world.ada, "One", "Two")
    await office.sql.execute(
        "insert into threadesk.channels (id, name, role, chosen_at) values ('C0OTHER', 'other', 'triage', 'yesterday')"
    )
    await office.sql.execute(
        "insert into threadesk.triage_members values ('C0OTHER', $1, $2)", world.grace.team.id, world.grace.id
    )
    await office.sql.execute("update threadesk.desk_tickets set triage_channel = 'C0OTHER' where number = 2")
    await open_home(office, world.grace)
    await choose(world.grace, "home_list", "all")
    assert numbers(world.grace) == [2, 1]
    await choose(world.grace, "home_channel", "C0OTHER")
    assert numbers(world.grace) == [2]
    await office.sql.execute("delete from threadesk.triage_members where channel = 'C0OTHER'")
    await open_home(office, world.grace)
    assert numbers(world.grace) == [1]


@pytest.mark.parametrize("how", ["http_500", "cut_before", "cut_after", "slow", "not_enabled"])
async def test_a_home_that_slack_does_not_take_fails_and_repeats_nothing(office: Office, how: Any) -> None:
    world = office.world
    await opened(office, world.ada, "The export fails")
    await open_home(office, world.grace)
    await choose(world.grace, "home_list", "unassigned")
    slack = office.sandbox.slack
    if how == "not_enabled":
        slack.manifest = dataclasses.replace(slack.manifest, home_tab=False)
    else:
        office.sandbox.disrupt("views.publish", how, seconds=5)
    taken = await press(world.grace, "claim", "1")
    await office.at_rest()
    assert (taken.status, world.grace.view) == (200, None)
    assert len((await office.ticket())["assigned_to"]) == 1
    assert await office.sql.fetchval("select count(*) from threadesk.ledger where what = 'assigned_to'") == 1


async def test_a_home_that_slack_limits_is_published_when_the_time_is_over(office: Office) -> None:
    world = office.world
    await opened(office, world.ada, "The export fails")
    await open_home(office, world.grace)
    office.sandbox.disrupt("views.publish", "ratelimited")
    await choose(world.grace, "home_list", "unassigned")
    assert numbers(world.grace) == [1]


async def test_an_opening_that_cannot_be_published_is_not_delivered_again(office: Office) -> None:
    office.sandbox.disrupt("views.publish", "http_500")
    await office.world.ada.open_home()
    await office.sandbox.settled()
    openings = [one for one in office.sandbox.deliveries if one.type == "app_home_opened"]
    assert [one.acknowledged for one in openings] == [True]


async def test_what_is_older_never_replaces_what_is_newer(office: Office) -> None:
    """Another replica has published since: Slack refuses the older view, and it is made again."""
    world = office.world
    await opened(office, world.ada, "The export fails")
    await open_home(office, world.grace)
    known = await office.sql.fetchval("select hash from threadesk.homes")
    assert world.grace.home
    assert known == world.grace.home["hash"]
    await office.sql.execute("update threadesk.homes set hash = '1.other'")
    before = len([one for one in office.sandbox.calls if one.method == "views.publish"])
    await choose(world.grace, "home_list", "unassigned")
    assert numbers(world.grace) == [1]
    tried = [one for one in office.sandbox.calls if one.method == "views.publish"][before:]
    assert [one.args.get("hash") for one in tried] == ["1.other", "1.other", None]
    assert await office.sql.fetchval("select hash from threadesk.homes") == world.grace.home["hash"]


async def test_the_messages_tab_publishes_nothing(office: Office) -> None:
    event = {"type": "app_home_opened", "user": office.world.ada.id, "tab": "messages", "event_ts": "1.000001"}
    payload = {"type": "event_callback", "team_id": office.sandbox.team.id, "event_id": "Ev1", "event": event}
    assert (await office.sandbox.deliver("event", payload)).acknowledged
    assert office.world.ada.home is None
