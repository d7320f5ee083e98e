"""The modals of card, rating question and `/ticket new`: sent once, refused at the field, nothing typed is lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from bot.sandbox import CannotDo, Interaction, Person
from tests.conftest import Office
from tests.listeners.test_buttons import closed, forged, history, in_thread, opened, press

pytestmark = pytest.mark.transports("http", "socket")


async def open_form(office: Office, person: Person, action_id: str) -> None:
    """Opens a form from the card of ticket #1."""
    await press(office, person, office.card(), action_id)
    assert person.view is not None


async def send(office: Office, person: Person, **typed: Any) -> Interaction:
    sent = await person.submit(typed)
    await office.at_rest()
    return sent


def submission(person: Person, **changes: Any) -> dict[str, Any]:
    """The view_submission of the form that a person sees, with some of its fields changed by a forger."""
    assert person.view is not None
    return {
        "type": "view_submission",
        "user": {"id": person.id, "team_id": person.team.id},
        "team": {"id": person.team.id},
        "view": person.view | changes,
    }


async def test_reply_reaches_the_customer_exactly_as_typed(office: Office) -> None:
    root = await opened(office, office.world.ada)
    await open_form(office, office.world.grace, "reply")
    assert (await send(office, office.world.grace, words="Use a < b & *c*")).ok
    ticket = await office.ticket()
    assert (ticket["status"], len(ticket["assigned_to"])) == ("pending", 1)
    assert (await office.said())[-1] == "Use a < b & *c*"
    shown = office.sandbox.messages(office.world.help, thread_ts=root.ts)[-1]
    assert (shown.text, shown.username) == ("Use a &lt; b &amp; *c*", "Grace Hopper")
    assert office.world.grace.view is None


async def test_note_stays_inside(office: Office) -> None:
    root = await opened(office, office.world.ada)
    await open_form(office, office.world.linus, "note")
    assert (await send(office, office.world.linus, words="They always say that")).ok
    assert (await office.notes(), await office.said()) == (["They always say that"], ["The export fails"])
    assert any("They always say that" in text for text in office.thread(office.card()))
    assert len(office.thread(root, office.world.ada)) == 1


@pytest.mark.parametrize("comment", [None, "Fixed in 4.2"])
async def test_close_with_and_without_a_comment(office: Office, comment: str | None) -> None:
    root = await opened(office, office.world.ada)
    await open_form(office, office.world.grace, "close")
    assert (await send(office, office.world.grace, comment=comment)).ok
    assert (await office.ticket())["status"] == "closed"
    assert await office.notes() == ([comment] if comment else [])
    assert "How did we do" in office.thread(root)[-1]
    assert not any("4.2" in text for text in office.thread(root, office.world.ada))


async def test_edit_changes_title_priority_tags_and_assignees_at_once(office: Office) -> None:
    world = office.world
    root = await opened(office, world.ada, "Help!!!")
    await open_form(office, world.grace, "edit")
    typed = {"title": "The export fails", "priority": "high", "tags": "Billing, #export", "assignees": [world.linus]}
    assert (await send(office, world.grace, **typed)).ok
    ticket = await office.ticket()
    assert (ticket["title"], ticket["priority"], ticket["tags"], ticket["status"]) == (
        *("The export fails", "high", ["billing", "export"]),
        "open",
    )
    card = office.card().text
    for words in ("The export fails", "High priority", "#billing #export", world.linus.mention):
        assert words in card
    assert "Linus Pauling is on it" in office.thread(root)[0]
    assert any(f"{world.linus.mention} #1 was assigned to you" in text for text in office.thread(office.card()))


async def test_edit_shows_what_is_there_and_sent_unchanged_changes_nothing(office: Office) -> None:
    await opened(office, office.world.ada)
    await press(office, office.world.linus, office.card(), "claim")
    before = await office.ticket()
    entries = await office.sql.fetchval("select count(*) from threadesk.ledger")
    await open_form(office, office.world.grace, "edit")
    assert (await send(office, office.world.grace)).ok
    after = await office.ticket()
    assert after | {"updated_at": None} == before | {"updated_at": None}
    assert await office.sql.fetchval("select count(*) from threadesk.ledger") == entries
    assert office.world.linus.mention in office.card().text


async def test_edit_leaves_what_others_changed_and_whom_it_could_not_show(office: Office) -> None:
    world = office.world
    await opened(office, world.ada)
    web_agent = uuid4()
    await office.sql.execute("insert into auth.users (id) values ($1)", web_agent)
    await office.sql.execute(
        "update tickets set assigned_to = array[$1::uuid], status = 'open', tags = '{a}'", web_agent
    )
    await open_form(office, world.grace, "edit")
    await office.sql.execute("update tickets set title = 'Theirs', tags = '{a,b}', priority = 'high'")
    assert (await send(office, world.grace, tags="a, c", assignees=[world.linus])).ok
    ticket = await office.ticket()
    assert (ticket["title"], ticket["tags"], ticket["priority"]) == ("Theirs", ["a", "b", "c"], "high")
    assert (ticket["assigned_to"][0], len(ticket["assigned_to"]), ticket["status"]) == (web_agent, 2, "open")


async def test_edit_takes_the_last_assignee_away(office: Office) -> None:
    root = await opened(office, office.world.ada)
    await press(office, office.world.grace, office.card(), "claim")
    await open_form(office, office.world.grace, "edit")
    assert (await send(office, office.world.grace, assignees=[])).ok
    ticket = await office.ticket()
    assert (ticket["status"], ticket["assigned_to"]) == ("new", [])
    assert "nobody is on it" in office.thread(root)[0]


async def test_edit_changes_adds_and_takes_away_custom_fields(office: Office) -> None:
    grace = office.world.grace
    await opened(office, office.world.ada)
    fields = {"version": "4.2", "Plan": "pro <x>", "old": "1", "theirs": "1", "gone": "1", "order": {"id": 7}}
    await office.sql.execute("update tickets set custom_fields = $1", fields)
    await open_form(office, grace, "edit")
    assert grace.view is not None
    shown = grace.view["state"]["values"]
    assert (shown["fields:version"]["fields"]["value"], shown["fields:old"]["fields"]["value"]) == ("4.2", "1")
    assert 'order: {"id": 7}' in json.dumps(grace.view["blocks"]).replace('\\\\"', '"').replace('\\"', '"')
    others = 'custom_fields - \'gone\' || \'{"theirs": "2", "new": "x"}\''
    await office.sql.execute(f"update tickets set custom_fields = {others}")
    typed = {"fields:version": "<@U1> & 4.3", "fields:old": None, "fields:gone": None}
    assert (await send(office, grace, **typed, more_fields='seats="3 or 4"\nplan=free')).ok
    assert (await office.ticket())["custom_fields"] == {
        "version": "<@U1> & 4.3",
        "Plan": "free",
        "theirs": "2",
        "order": {"id": 7},
        "new": "x",
        "seats": "3 or 4",
    }
    assert "version: &lt;@U1&gt; &amp; 4.3" in office.card().text
    (entry,) = await office.sql.fetch(
        "select l.* from threadesk.ledger l join threadesk.people p on p.user_id = l.actor"
        " where what = 'custom_fields' and p.slack_id = $1",
        grace.id,
    )
    assert entry["role"] == "agent"


async def test_custom_fields_that_cannot_be_taken_are_told_where_they_were_typed(office: Office) -> None:
    grace = office.world.grace
    await opened(office, office.world.ada)
    await office.sql.execute('update tickets set custom_fields = \'{"version": "4.2"}\'')
    await open_form(office, grace, "edit")
    wrong = {
        "seats": '"seats" has no value: write = right after the name',
        "seats=" + "x" * 501: "The value of seats is too long: at most 500 characters, it has 501.",
        "other=": "Ticket #1 has no field other.",
        " ".join(f"f{at}=1" for at in range(50)): "A ticket has at most 50 fields.",
        "VERSION=5": '"VERSION" is there twice.',
    }
    for typed, sentence in wrong.items():
        sent = await send(office, grace, **{"fields:version": "4.3"}, priority="high", more_fields=typed)
        assert list(sent.errors) == ["more_fields"], typed
        assert sent.errors["more_fields"].startswith(sentence)
    assert grace.view is not None
    await grace.fill({"more_fields": None})
    forged_value = submission(grace)
    forged_value["view"]["state"]["values"]["fields:version"]["fields"]["value"] = "x" * 501
    _, body = await forged(office, forged_value)
    too_long = "The value of version is too long: at most 500 characters, it has 501."
    assert json.loads(body)["errors"] == {"fields:version": too_long}
    ticket = await office.ticket()
    assert (ticket["custom_fields"], ticket["priority"]) == ({"version": "4.2"}, "medium")
    assert (await send(office, grace, **{"fields:version": "4.3"}, more_fields="seats=3")).ok
    ticket = await office.ticket()
    assert (ticket["custom_fields"], ticket["priority"]) == ({"version": "4.3", "seats": "3"}, "high")


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        ({"title": "   "}, "title", "The title has no words."),
        ({"tags": "ok, not!ok"}, "tags", "“not!ok” cannot be a tag: tags are of letters, digits, - and _."),
        ({"tags": "x" * 51}, "tags", f"The tag “{'x' * 30}…” is too long: at most 50 characters."),
        ({"assignees": "ben"}, "assignees", "is not an agent for this ticket"),
    ],
)
async def test_a_field_that_cannot_be_taken_is_named_and_what_was_typed_stays(
    office: Office, typed: dict[str, Any], field: str, sentence: str
) -> None:
    grace = office.world.grace
    await opened(office, office.world.ada)
    before = await office.ticket()
    await open_form(office, grace, "edit")
    filled = {name: [getattr(office.world, value)] if name == "assignees" else value for name, value in typed.items()}
    sent = await send(office, grace, priority="high", **filled)
    assert list(sent.errors) == [field]
    assert sentence in sent.errors[field]
    assert grace.view is not None
    assert grace.view["state"]["values"]["priority"]["priority"]["selected_option"]["value"] == "high"
    assert await office.ticket() == before

    right: dict[str, Any] = {"title": "Export", "tags": "ok", "assignees": []}
    assert (await send(office, grace, **right)).ok
    assert (await office.ticket())["priority"] == "high"
    assert "High priority" in office.card().text


async def test_a_form_sent_twice_acts_once(office: Office) -> None:
    root = await opened(office, office.world.ada)
    for action_id, words in (("reply", "It works again"), ("note", "Seen before")):
        await open_form(office, office.world.grace, action_id)
        await office.world.grace.fill(words=words)
        again = submission(office.world.grace)
        assert (await send(office, office.world.grace)).ok
        assert await forged(office, again) == (200, "")
        await office.at_rest()
    assert await office.said() == ["The export fails", "It works again"]
    assert await office.notes() == ["Seen before"]
    assert office.thread(root)[1:] == ["It works again"]
    assert sum("Seen before" in text for text in office.thread(office.card())) == 1


async def test_reply_warns_when_somebody_has_written_since_and_keeps_what_was_typed(office: Office) -> None:
    world = office.world
    root = await opened(office, world.ada)
    await open_form(office, world.grace, "reply")
    await world.ada.post(world.help, "Never mind, it works", thread_ts=root.ts)
    await office.at_rest()

    first = await send(office, world.grace, words="We are looking into it")
    assert first.ok
    assert await office.said() == ["The export fails", "Never mind, it works"]
    assert world.grace.view is not None
    assert "Somebody has written since you opened this" in json.dumps(world.grace.view["blocks"])
    assert world.grace.view["state"]["values"]["words"]["words"]["value"] == "We are looking into it"

    assert (await send(office, world.grace)).ok
    assert (await office.said())[-1] == "We are looking into it"
    assert office.thread(root)[-1] == "We are looking into it"
    assert world.grace.view is None


async def test_an_operation_that_is_no_longer_allowed_is_refused_in_the_form(office: Office) -> None:
    world = office.world
    await opened(office, world.ada)
    await open_form(office, world.grace, "close")
    await press(office, world.linus, office.card(), "not_a_ticket")
    sent = await send(office, world.grace, comment="Fixed in 4.2")
    assert sent.errors == {"comment": "Ticket #1 is closed already."}
    assert await office.notes() == []


async def test_a_ticket_that_was_closed_meanwhile_keeps_what_was_typed_and_gets_no_assignee(office: Office) -> None:
    world = office.world
    await opened(office, world.ada)
    await open_form(office, world.grace, "edit")
    assert (await world.linus.command("/ticket", "close 1", channel=world.triage)).ok
    sent = await send(office, world.grace, title="Another title", assignees=[world.linus])
    assert sent.errors == {"assignees": "Ticket #1 is closed. Reopen it first: `/ticket reopen 1`"}
    assert (await office.ticket())["title"] == "The export fails"
    assert (await send(office, world.grace, assignees=[])).ok
    assert (await office.ticket())["title"] == "Another title"


async def test_words_for_a_ticket_that_was_closed_meanwhile_are_kept(office: Office) -> None:
    world = office.world
    root = await opened(office, world.ada)
    for action_id, person in (("note", world.grace), ("reply", world.linus)):
        await open_form(office, person, action_id)
    await press(office, world.ada, in_thread(office, root, "Ticket #1"), "solved")
    assert (await send(office, world.grace, words="Seen before")).ok
    assert (await send(office, world.linus, words="It was us")).ok
    assert (await office.ticket())["status"] == "closed"
    assert (await office.notes(), (await office.said())[-1]) == (["Seen before"], "It was us")
    assert office.thread(root)[-1] == "It was us"


async def new_form(office: Office, person: Person, channel: Any) -> None:
    assert (await person.command("/ticket", "new", channel=channel)).ok


async def test_a_new_ticket_for_oneself_begins_a_thread_in_the_support_channel(office: Office) -> None:
    world = office.world
    await new_form(office, world.ben, world.help)
    assert (await send(office, world.ben, title="No <b>mouse</b>", description="It & I\nare lost")).ok
    ticket = await office.ticket()
    assert (ticket["title"], ticket["description"]) == ("No <b>mouse</b>", "It & I\nare lost")
    assert (ticket["status"], ticket["source_channel"], ticket["customer_email"]) == (
        "new",
        "slack",
        "ben@acme.example",
    )
    (root,) = office.sandbox.messages(world.help)
    assert ticket["root_ts"] == root.ts
    assert root.text == ("Ticket #1 · opened by Ben Franklin: No &lt;b&gt;mouse&lt;/b&gt;\nIt &amp; I\nare lost")
    assert "Ticket #1" in office.thread(root)[0]
    assert "From *Ben Franklin*" in office.card().text

    await world.ben.post(world.help, "Found it", thread_ts=root.ts)
    await office.at_rest()
    assert (await office.said())[-1] == "Found it"


async def test_a_new_ticket_sent_twice_at_once_is_one_ticket(office: Office) -> None:
    await new_form(office, office.world.ben, office.world.help)
    await office.world.ben.fill(title="No mouse")
    sent = submission(office.world.ben)
    assert await asyncio.gather(*(forged(office, sent) for _ in range(3))) == [(200, "")] * 3
    await office.at_rest()
    assert await office.sql.fetchval("select count(*) from tickets") == 1
    assert len(office.sandbox.messages(office.world.help)) == len(office.sandbox.messages(office.world.triage)) == 1


async def test_a_new_ticket_from_elsewhere_begins_in_the_requesters_dm(office: Office) -> None:
    world = office.world
    await new_form(office, world.ben, None)
    assert (await send(office, world.ben, title="My salary")).ok
    root, status = office.sandbox.dm_messages(world.ben)
    ticket = await office.ticket()
    assert (ticket["channel"], ticket["root_ts"]) == (root.channel.id, root.ts)
    assert "My salary" in root.text
    assert status.thread_ts == root.ts
    assert not office.sandbox.messages(world.help)

    await world.ben.dm("It is too low", thread_ts=root.ts)
    await world.ben.dm("Far too low")
    await office.at_rest()
    assert (await office.said())[-2:] == ["It is too low", "Far too low"]
    assert await office.sql.fetchval("select count(*) from tickets") == 1


async def test_an_agent_opens_a_ticket_for_a_customer_who_never_wrote(office: Office) -> None:
    """Bob of Globex is its requester, whichever way he is met first: he may rate it."""
    world = office.world
    await new_form(office, world.grace, world.help)
    typed = {"title": "Bob called", "customer": world.bob, "priority": "high"}
    assert (await send(office, world.grace, **typed)).ok
    ticket = await office.ticket()
    assert (ticket["priority"], ticket["customer_email"]) == ("high", "bob@globex.example")
    assert ticket["created_by"] != ticket["requester"]
    (root,) = office.sandbox.messages(world.help)
    assert "opened by Grace Hopper for Bob Noyce" in root.text
    assert "From *Bob Noyce* (Globex)" in office.card().text

    await world.bob.post(world.help, "Yes, I did", thread_ts=root.ts)
    await office.at_rest()
    assert (await world.grace.command("/ticket", "close 1", channel=world.triage)).ok
    await office.at_rest()
    assert await office.sql.fetchval("select count(*) from threadesk.people where slack_id = $1", world.bob.id) == 1
    await press(office, world.bob, in_thread(office, root, "How did we do"), "rate:5")
    assert (await office.ticket())["feedback"]["rating"] == 5
    assert [entry["rating"] for entry in await history(office)] == [5]


async def test_a_ticket_for_a_customer_begins_in_their_dm_where_it_is_asked_for_elsewhere(office: Office) -> None:
    world = office.world
    for number, customer in enumerate((world.ben, world.ada), 1):
        await new_form(office, world.grace, world.triage)
        assert (await send(office, world.grace, title="You called", customer=customer)).ok
        root, *_ = office.sandbox.dm_messages(customer)
        ticket = await office.ticket(number)
        assert (ticket["channel"], ticket["root_ts"]) == (root.channel.id, root.ts)
        assert f"opened by Grace Hopper for {customer.name}" in root.text
    await world.ada.dm("Yes, I did")
    await office.at_rest()
    assert (await office.said(2))[-1] == "Yes, I did"
    company = "select team_id from threadesk.people where slack_id = $1"
    assert await office.sql.fetchval(company, world.ada.id) == world.ada.team.id


UNREACHABLE = {
    "a bot": "Choose a person who can answer: this account is a bot or was deactivated.",
    "the desk": "Choose a person who can answer: this account is a bot or was deactivated.",
    "deactivated": "Choose a person who can answer: this account is a bot or was deactivated.",
    "an agent": "Linus Pauling is an agent for such tickets. Agents open their own themselves.",
    "not in the channel": "This person is not in this channel and would not see the ticket. Invite them first, or type"
    " /ticket new elsewhere: the ticket then begins in their direct messages.",
    "of a company without a channel": "The desk cannot write to this person: Slack answers user_not_visible.",
    "made up": "The desk cannot write to this person: Slack answers user_not_found.",
}


def chosen(office: Office, who: str) -> str:
    """The Slack id of somebody for whom no ticket can be opened."""
    sandbox = office.sandbox
    robot, gone = sandbox.add_person("Robo"), sandbox.add_person("Dora Gone")
    robot.bot_id = "B1"
    sandbox.deactivate(gone)
    people = {
        "a bot": robot,
        "the desk": sandbox.bot,
        "deactivated": gone,
        "an agent": office.world.linus,
        "not in the channel": sandbox.add_person("Nell Away"),
        "of a company without a channel": sandbox.add_person("Ines Itech", team=sandbox.add_team("Initech")),
    }
    return people[who].id if who in people else "U0NOBODY"


@pytest.mark.parametrize("who", UNREACHABLE)
async def test_whom_a_ticket_cannot_be_opened_for_is_said_at_the_field(office: Office, who: str) -> None:
    world = office.world
    await new_form(office, world.grace, world.help if who == "not in the channel" else world.triage)
    sent = await send(office, world.grace, title="You called", description="Twice", customer=chosen(office, who))
    assert sent.errors == {"customer": UNREACHABLE[who]}
    assert world.grace.view is not None
    assert world.grace.view["state"]["values"]["description"]["description"]["value"] == "Twice"
    assert await office.sql.fetchval("select count(*) from tickets") == 0
    assert (await send(office, world.grace, customer=world.bob)).ok
    assert (await office.ticket())["description"] == "Twice"


async def test_a_form_waits_when_slack_does_not_say_who_was_chosen(office: Office) -> None:
    world = office.world
    await new_form(office, world.grace, world.triage)
    office.sandbox.disrupt("conversations.open", "slow", seconds=2.5)
    sent = await send(office, world.grace, title="You called", customer=world.bob)
    assert sent.errors == {
        "customer": "Slack does not say just now whether this person can be reached. Please try again."
    }
    assert (await send(office, world.grace)).ok
    assert (await office.ticket())["title"] == "You called"


async def test_a_customer_cannot_open_a_ticket_for_another_by_a_forged_form(office: Office) -> None:
    world = office.world
    await new_form(office, world.ben, world.help)
    await world.ben.fill(title="For Bob")
    sent = submission(world.ben)
    sent["view"]["state"]["values"]["customer"] = {"customer": {"type": "users_select", "selected_user": world.bob.id}}
    status, body = await forged(office, sent)
    assert (status, json.loads(body)["errors"]) == (200, {"title": "Only agents can open a ticket for somebody else."})
    assert await office.sql.fetchval("select count(*) from tickets") == 0


async def test_an_agent_opens_a_ticket_for_themselves_and_is_its_customer(office: Office) -> None:
    world = office.world
    await new_form(office, world.grace, world.help)
    assert (await send(office, world.grace, title="My own laptop")).ok
    refused = await world.grace.command("/ticket", "claim 1", channel=world.triage)
    assert refused.body["text"] == "Only agents can claim tickets."
    await press(office, world.linus, office.card(), "claim")
    assert (await office.ticket())["status"] == "open"


async def test_a_form_with_an_empty_title_is_not_even_sent_and_blanks_are_refused(office: Office) -> None:
    ben = office.world.ben
    await new_form(office, ben, office.world.help)
    with pytest.raises(CannotDo, match="required"):
        await ben.submit({"description": "words"})
    sent = await send(office, ben, title="  \u200b ".replace("\u200b", ""), description="words")
    assert sent.errors == {"title": "The title has no words."}
    assert ben.view is not None
    assert ben.view["state"]["values"]["description"]["description"]["value"] == "words"
    assert await office.sql.fetchval("select count(*) from tickets") == 0


async def test_a_rating_comment_is_kept_with_the_rating_and_survives_another_rating(office: Office) -> None:
    _, question = await closed(office, office.world.bob)
    await press(office, office.world.bob, question, "rate:2")
    assert (await send(office, office.world.bob, comment="Slow <sigh>")).ok
    assert (await office.ticket())["feedback"]["comment"] == "Slow <sigh>"
    assert "with a comment" in question.text

    await press(office, office.world.bob, question, "rate:4")
    feedback = (await office.ticket())["feedback"]
    assert (feedback["rating"], feedback["comment"]) == (4, "Slow <sigh>")
    assert [(entry["rating"], entry["comment"]) for entry in await history(office)] == [(4, "Slow <sigh>")]


FORGED = {
    "": "This form belongs to no ticket. Open it again.",
    "no JSON": "This form belongs to no ticket. Open it again.",
    "[]": "This form belongs to no ticket. Open it again.",
    '{"number": "1"}': "This form belongs to no ticket. Open it again.",
    '{"number": true}': "This form belongs to no ticket. Open it again.",
    '{"number": -1}': "This form belongs to no ticket. Open it again.",
    '{"number": 1e400}': "This form belongs to no ticket. Open it again.",
    '{"number": 99999999999999999999}': "This form belongs to no ticket. Open it again.",
    '{"number": 1, "seen": "yesterday"}': "This form belongs to no ticket. Open it again.",
    '{"number": 412}': "No ticket #412. The newest is #1.",
}


async def test_a_form_with_forged_metadata_does_nothing(office: Office) -> None:
    root = await opened(office, office.world.ada)
    before = await office.ticket()
    await open_form(office, office.world.grace, "reply")
    await office.world.grace.fill(words="Hello")
    for about, sentence in FORGED.items():
        status, body = await forged(office, submission(office.world.grace, private_metadata=about))
        assert (status, json.loads(body)["errors"]) == (200, {"words": sentence}), about
    await office.at_rest()
    assert await office.ticket() == before
    assert len(office.thread(root)) == 1


async def test_a_form_forged_by_a_customer_does_nothing(office: Office) -> None:
    """Ada sends an agent's form as if she had been shown it; Bob rates Ada's ticket through his own form."""
    world = office.world
    root, question = await closed(office, world.ada)
    before = await office.ticket()
    for action_id in ("reply", "note", "edit"):
        await open_form(office, world.grace, action_id)
        if action_id != "edit":
            await world.grace.fill(words="Ada was here")
        stolen = submission(world.grace)
        for person in (world.ada, world.bob):
            stolen |= {"user": {"id": person.id, "team_id": person.team.id}, "team": {"id": person.team.id}}
            status, body = await forged(office, stolen)
            assert status == 200
            assert json.loads(body)["response_action"] == "errors"
    await press(office, world.ada, question, "rate:3")
    rated = await office.ticket()
    assert rated["feedback"]["rating"] == 3
    await office.at_rest()
    stolen = submission(world.ada) | {"user": {"id": world.bob.id, "team_id": world.bob.team.id}}
    assert json.loads((await forged(office, stolen))[1])["errors"] == {
        "comment": "The person who asked for help is the one who rates it."
    }
    after = await office.ticket()
    assert (after["feedback"], after["internal_notes"], after["title"]) == (
        *(rated["feedback"], before["internal_notes"]),
        before["title"],
    )
    assert not any("Ada was here" in text for text in office.thread(root))
    assert not any("Ada was here" in text for text in office.thread(office.card()))
