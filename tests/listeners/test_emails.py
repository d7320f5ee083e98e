"""A requester whose e-mail Slack does not show is asked for one, once; what they type is nobody's word but theirs."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from bot.sandbox import Message, Person
from bot.tickets import emails
from storage import people
from tests.conftest import Office, World, open_office
from tests.delivery.test_courier import until
from tests.listeners.slack_side import private_answers, seen_by
from tests.listeners.test_buttons import forged, in_thread, opened, press, pressed, told
from tests.listeners.test_forms import send, submission

OFFER = "I have no e-mail address of yours. If you leave one, it is kept with your tickets. Only you see this."
ADA = "ada@globex.example"


async def cyd_joins(office: Office) -> Person:
    """A customer of whom Slack shows no e-mail, and whom nobody has asked for one."""
    cyd = office.sandbox.add_person("Cyd Charisse", team=office.world.ada.team)
    await office.sandbox.invite(office.world.help, cyd, by=office.world.ada)
    return cyd


async def leave(office: Office, person: Person, email: str, number: int = 1) -> None:
    """As if the person had pressed the button in the offer."""
    await forged(office, pressed(office, person, "leave_email", str(number), office.card(number)))
    assert (await send(office, person, email=email)).ok
    assert person.view is None


async def a_customer_of_another_program(office: Office, email: str = ADA) -> Any:
    """The id of a row that was there before: Ada wrote by e-mail last year."""
    known = uuid4()
    await office.sql.execute("insert into auth.users (id) values ($1)", known)
    await office.sql.execute(
        "insert into customers (id, first_name, last_name, email, communication_channels)"
        " values ($1, 'Augusta', 'King', $2, '{email}')",
        known,
        email,
    )
    return known


def question(office: Office, number: int = 1) -> Message:
    return in_thread(office, office.card(number), "goes by")


async def claimed(office: Office) -> tuple[Message, str]:
    """Ada has typed the address of somebody known: the question to the agents, and its id."""
    await a_customer_of_another_program(office)
    await opened(office, office.world.ada)
    await leave(office, office.world.ada, ADA)
    asked = question(office)
    return asked, asked.blocks[-1]["elements"][0]["value"]


async def test_a_requester_without_an_e_mail_is_asked_once_and_alone(office: Office) -> None:
    cyd = await cyd_joins(office)
    root = await opened(office, cyd)
    (offer,) = [one for one in office.world.help.ephemerals if one.only_for == cyd.id]
    assert (offer.text, offer.thread_ts) == (OFFER, root.ts)
    assert len(office.thread(root)) == 1
    await opened(office, cyd, "Another thing")
    assert private_answers(office.world.help, cyd) == [OFFER]


async def test_who_is_no_requester_or_shows_an_e_mail_is_not_asked(office: Office) -> None:
    cyd = await cyd_joins(office)
    root = await opened(office, office.world.bob)
    await cyd.post(office.world.help, "For me, too", thread_ts=root.ts)
    await office.at_rest()
    assert not told(office, office.world.bob)
    assert not told(office, cyd)


async def test_the_offer_is_made_in_a_dm_where_the_channel_does_not_show_it(office: Office) -> None:
    eva = office.sandbox.add_person("Eva Lu")
    await office.sandbox.invite(office.world.help, eva, by=office.world.ben)
    root = await eva.post(office.world.help, "The export fails")
    await office.sandbox.kick(office.world.help, eva)
    await office.at_rest()
    assert [one.text for one in office.sandbox.dm_messages(eva)] == [OFFER]
    assert len(office.thread(root)) == 1


async def test_who_wrote_in_a_dm_is_asked_there(office: Office) -> None:
    cyd = await cyd_joins(office)
    await cyd.dm("It fails")
    await office.at_rest()
    assert [one.text for one in office.sandbox.dm_messages(cyd)].count(OFFER) == 1


async def test_an_address_that_is_nobodys_makes_the_customers_row(office: Office) -> None:
    cyd = await cyd_joins(office)
    await opened(office, cyd)
    await opened(office, cyd, "Another thing")
    offer = office.sandbox.find(office.world.help, OFFER, cyd)
    await press(office, cyd, offer, "leave_email")
    assert (await send(office, cyd, email=" Cyd@Globex.example ")).ok
    row = await office.sql.fetchrow("select * from customers where email = 'Cyd@Globex.example'")
    assert (row["first_name"], row["last_name"], row["communication_channels"]) == ("Cyd", "Charisse", ["slack"])
    for number in (1, 2):
        assert (await office.ticket(number))["customer_email"] == "Cyd@Globex.example"
    await opened(office, cyd, "A third")
    assert (await office.ticket(3))["customer_email"] == "Cyd@Globex.example"
    assert not any("goes by" in text for text in office.thread(office.card(1)))


@pytest.mark.parametrize("typed", ["ada", "ada@", "@globex.example", "ada@globex", "a b@c.example", "a@b..example"])
async def test_what_is_no_address_is_refused_at_the_field_and_stays(office: Office, typed: str) -> None:
    ada = office.world.ada
    await opened(office, ada)
    await forged(office, pressed(office, ada, "leave_email", "1", office.card()))
    sent = await send(office, ada, email=typed)
    assert sent.errors == {"email": "This is no e-mail address. One looks like ada@example.com."}
    assert ada.view is not None
    assert ada.view["state"]["values"]["email"]["email"]["value"] == typed
    assert await office.sql.fetchval("select count(*) from threadesk.email_claims") == 0


async def test_the_answer_does_not_tell_whether_an_address_is_known(office: Office) -> None:
    await a_customer_of_another_program(office)
    seen = []
    for email in (ADA, "nobody@globex.example"):
        cyd = await cyd_joins(office)
        await opened(office, cyd)
        number = await office.sql.fetchval("select max(number) from threadesk.desk_tickets")
        offered = seen_by(office, cyd)
        await forged(office, pressed(office, cyd, "leave_email", str(number), office.card(number)))
        await cyd.fill(email=email)
        status, body = await forged(office, submission(cyd))
        await office.at_rest()
        seen.append((status, body, seen_by(office, cyd) == offered))
    assert seen[0] == seen[1] == (200, "", True)


async def test_an_address_of_somebody_known_is_linked_when_an_agent_confirms(office: Office) -> None:
    world = office.world
    known = await a_customer_of_another_program(office)
    await opened(office, world.ada)
    await press(office, world.linus, office.card(), "claim")
    await leave(office, world.ada, "ADA@globex.example")
    before = await office.ticket()
    assert (before["customer_email"], before["requester"] == known) == (None, False)
    asked = question(office)
    assert "*Ada Lovelace* goes by ADA@globex.example, which is the address of *Augusta King*" in asked.text
    assert world.linus.mention in asked.text
    assert "Augusta" not in seen_by(office, world.ada)

    await press(office, world.grace, asked, "confirm_email")
    ticket = await office.ticket()
    assert (ticket["customer_email"], ticket["requester"], ticket["created_by"]) == (ADA, known, known)
    assert "Grace Hopper has confirmed that they are one person." in asked.text
    assert not [block for block in asked.blocks if block["type"] == "actions"]
    row = await office.sql.fetchrow("select * from customers where id = $1", known)
    assert (row["first_name"], row["communication_channels"]) == ("Augusta", ["email", "slack"])
    state = await office.sql.fetchrow("select state, decided_by from threadesk.email_claims")
    grace = await office.sql.fetchval("select user_id from threadesk.people where slack_id = $1", world.grace.id)
    assert tuple(state) == ("confirmed", grace)


async def test_what_a_person_may_see_stays_theirs_after_the_link(office: Office) -> None:
    """Bob types Ben's address, and an agent is fooled: Bob sees no ticket of Ben's all the same, nor Ben one of his."""
    world = office.world
    await opened(office, world.ben, "Ben's laptop")
    await opened(office, world.ada, "Ada's export")
    await leave(office, world.ada, "ben@acme.example", number=2)
    await press(office, world.grace, question(office, 2), "confirm_email")
    asked = await world.ben.command("/ticket", "show 2", channel=world.help)
    assert asked.body["text"].startswith("You have no ticket #2.")
    await world.ada.post(world.help, f"{office.sandbox.bot.mention} show 1")
    await office.at_rest()
    assert told(office, world.ada)[-1].startswith("You have no ticket #1.")


async def test_a_rejected_address_links_nothing_and_another_can_be_typed(office: Office) -> None:
    world = office.world
    asked, _ = await claimed(office)
    await press(office, world.grace, asked, "reject_email")
    assert "Grace Hopper says that they are two people." in asked.text
    assert (await office.ticket())["customer_email"] is None
    await leave(office, world.ada, "lovelace@globex.example")
    assert (await office.ticket())["customer_email"] == "lovelace@globex.example"


async def test_a_question_is_superseded_when_the_person_types_another_address(office: Office) -> None:
    world = office.world
    asked, claim = await claimed(office)
    await leave(office, world.ada, "lovelace@globex.example")
    assert "They go by another address now." in asked.text
    await forged(office, pressed(office, world.grace, "confirm_email", claim, asked))
    await office.at_rest()
    assert told(office, world.grace)[-1] == "This person goes by another address now."
    assert (await office.ticket())["customer_email"] == "lovelace@globex.example"


async def test_an_address_that_was_mistyped_is_put_right_and_may_even_be_somebodys(office: Office) -> None:
    world = office.world
    await a_customer_of_another_program(office)
    await opened(office, world.ada)
    await leave(office, world.ada, "adda@globex.example")
    await leave(office, world.ada, "lovelace@globex.example")
    assert await office.sql.fetch("select email from customers where first_name = 'Ada'") == [
        ("lovelace@globex.example",)
    ]
    await leave(office, world.ada, ADA)
    assert (await office.ticket())["customer_email"] == "lovelace@globex.example"
    await press(office, world.grace, question(office), "confirm_email")
    assert (await office.ticket())["customer_email"] == ADA
    states = await office.sql.fetch("select state from threadesk.email_claims order by claimed_at")
    assert [state for (state,) in states] == ["superseded", "superseded", "confirmed"]


async def test_whose_address_the_desk_knows_for_certain_leaves_no_other(office: Office) -> None:
    await opened(office, office.world.bob)
    await forged(office, pressed(office, office.world.bob, "leave_email", "1", office.card()))
    sent = await send(office, office.world.bob, email="robert@globex.example")
    assert sent.errors == {"email": "The desk has an e-mail address for you already."}
    assert (await office.ticket())["customer_email"] == "bob@globex.example"


async def test_two_agents_press_at_once_and_one_of_them_is_heard(office: Office) -> None:
    world = office.world
    asked, claim = await claimed(office)
    presses = [
        forged(office, pressed(office, person, action, claim, asked))
        for person in (world.grace, world.linus)
        for action in ("confirm_email", "reject_email")
    ]
    await asyncio.gather(*presses)
    await office.at_rest()
    state = await office.sql.fetchval("select state from threadesk.email_claims")
    assert state in {"confirmed", "rejected"}
    late = [one for person in (world.grace, world.linus) for one in told(office, person)]
    assert late == [f"Somebody was faster: it is {state} already."] * 3
    assert ((await office.ticket())["customer_email"] == ADA) is (state == "confirmed")


async def test_only_the_tickets_agents_say_whose_an_address_is(office: Office) -> None:
    world = office.world
    asked, claim = await claimed(office)
    for person in (world.ada, world.bob, world.ben):
        await forged(office, pressed(office, person, "confirm_email", claim, asked))
        await office.at_rest()
        assert told(office, person)[-1] == "Only agents can say whose an e-mail address is."
    for value in ("", "1", "nonsense", str(uuid4())):
        await forged(office, pressed(office, world.grace, "confirm_email", value, asked))
    await office.at_rest()
    assert sorted(told(office, world.grace)) == [
        *["This button belongs to nothing any more."] * 3,
        "This question is about nobody.",
    ]
    assert await office.sql.fetchval("select state from threadesk.email_claims") == "asked"


async def test_tickets_are_locked_before_people_where_an_address_is_left(office: Office) -> None:
    """As where somebody turns out to be known already: in the other order each would wait for the other."""
    cyd = await cyd_joins(office)
    await opened(office, cyd)
    services = office.running.services
    async with services.transaction() as tx:
        person = await people.meet(tx, cyd.team.id, cyd.id)

    async def leaves() -> None:
        async with services.transaction() as tx:
            await emails.leave(tx, person, 1, "cyd@globex.example")

    async with office.sql.transaction():
        await office.sql.execute("select 1 from tickets for no key update")
        leaving = asyncio.create_task(leaves())
        waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        await until(lambda: office.sql.fetchval(waits))
        await office.sql.execute("select 1 from threadesk.people where slack_id = $1 for update nowait", cyd.id)
    await leaving
    assert (await office.ticket())["customer_email"] == "cyd@globex.example"


async def test_only_the_requester_leaves_an_address(office: Office) -> None:
    world = office.world
    await opened(office, world.ada)
    for person in (world.bob, world.grace):
        await forged(office, pressed(office, person, "leave_email", "1", office.card()))
        await office.at_rest()
        assert person.view is None
    assert told(office, world.grace) == ["Only the person who asked can leave their e-mail address."]
    await forged(office, pressed(office, world.ada, "leave_email", "1", office.card()))
    await world.ada.fill(email="bob@evil.example")
    stolen = submission(world.ada) | {"user": {"id": world.bob.id, "team_id": world.bob.team.id}}
    assert json.loads((await forged(office, stolen))[1])["response_action"] == "errors"
    assert (await office.ticket())["customer_email"] is None


async def test_an_address_typed_by_somebody_else_does_not_make_them_its_owner(office: Office) -> None:
    """Ada has typed Dan's address. Dan comes, whose e-mail Slack shows: they are not one before an agent says so."""
    world = office.world
    await opened(office, world.ada)
    await leave(office, world.ada, "dan@globex.example")
    dan = office.sandbox.add_person("Dan Bricklin", team=world.ada.team, email="dan@globex.example")
    await office.sandbox.invite(world.help, dan, by=world.ada)
    await opened(office, dan, "I am Dan")
    two = await office.ticket(2)
    assert (two["customer_email"], two["requester"] == (await office.ticket(1))["requester"]) == (None, False)
    asked = question(office, 2)
    assert "*Dan Bricklin* goes by dan@globex.example, which is the address of *Ada Lovelace*" in asked.text
    await press(office, world.grace, asked, "reject_email")
    calls = len([one for one in office.sandbox.calls if one.method == "users.info"])
    await opened(office, dan, "Dan again")
    assert len([one for one in office.sandbox.calls if one.method == "users.info"]) == calls
    assert (await office.ticket(3))["customer_email"] is None


async def test_what_slack_shows_at_last_supersedes_what_was_typed(office: Office) -> None:
    """Cyd has typed Ada King's address; then Slack shows Cyd's own, which Ada has typed before."""
    world = office.world
    await opened(office, world.ada)
    await leave(office, world.ada, "cyd@globex.example")
    await a_customer_of_another_program(office)
    cyd = await cyd_joins(office)
    await opened(office, cyd)
    await leave(office, cyd, ADA, number=2)
    cyd.email = "cyd@globex.example"
    await office.sql.execute("update threadesk.people set known_at = null where slack_id = $1", cyd.id)
    await opened(office, cyd, "Another thing")
    assert "They go by another address now." in question(office, 2).text
    asked = question(office, 3)
    assert "goes by cyd@globex.example, which is the address of *Ada Lovelace*" in asked.text
    await press(office, world.grace, asked, "confirm_email")
    requesters = await office.sql.fetch("select distinct requester from threadesk.desk_tickets")
    assert len(requesters) == 1


async def test_a_rating_given_before_enters_the_history_of_the_row_that_is_confirmed(office: Office) -> None:
    world = office.world
    known = await a_customer_of_another_program(office)
    root = await opened(office, world.ada)
    await press(office, world.grace, office.card(), "close")
    assert (await send(office, world.grace)).ok
    await press(office, world.ada, in_thread(office, root, "How did we do"), "rate:4")
    await leave(office, world.ada, ADA)
    await press(office, world.linus, question(office), "confirm_email")
    ticket = await office.ticket()
    kept = await office.sql.fetchval("select feedback_history from customers where id = $1", known)
    assert kept == {"feedback": [ticket["feedback"] | {"ticket_id": str(ticket["id"])}]}


async def test_a_question_outlives_the_desk_that_asked_it(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with open_office(world, database_url, sql) as office:
        asked, _ = await claimed(office)
    async with open_office(world, database_url, sql) as office:
        await press(office, world.grace, asked, "confirm_email")
        assert (await office.ticket())["customer_email"] == ADA
        assert "has confirmed" in asked.text


async def test_a_claim_is_in_one_state_that_fits(sql: asyncpg.Connection) -> None:
    """Rules explain, constraints refuse."""
    await sql.execute("insert into tickets (title, description, status, priority) values ('t', 'd', 'new', 'low')")
    claim = (
        "insert into threadesk.email_claims (team_id, slack_id, ticket_id, email, claimed_at, state)"
        " select 'T1', 'U1', id, $1, now(), $2 from tickets"
    )
    await sql.execute(claim, "a@b.example", "asked")
    for email, state in (
        ("c@d.example", "asked"),
        ("a@b.example", "decided"),
        ("a@b.example", "confirmed"),
        ("a b", "kept"),
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await sql.execute(claim, email, state)
