"""The main looks, to be read as a whole in __snapshots__, and what of them must hold."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from bot.blocks import answers, card, customer, home, mirror, modals
from bot.blocks.ids import Action
from bot.blocks.surface import Message
from bot.sandbox.blockkit import view_refusals
from bot.tickets import views
from bot.tickets.listing import ShownToAgent
from tests.blocks.samples import (
    NAMES,
    THREAD,
    a_card,
    a_customers_home,
    a_held_reply,
    a_message,
    a_mirror,
    a_note,
    a_row,
    a_ticket,
    an_agents_home,
    an_email_claim,
)

LOOKS: dict[str, Message] = {
    "card of a new ticket": card.card(
        a_card(status="new", priority="medium", assignees=(), tags=(), company=None, follows=None)
    ),
    "card of an open ticket": card.card(a_card()),
    "card of a closed ticket": card.card(a_card(status="closed", rating=4)),
    "card of a ticket by e-mail": card.card(a_card(source_channel="email", customer_thread=None)),
    "card of what another program has written wrong": card.card(
        a_card(assigned_elsewhere=1, flaws={"messages_unidentified": 2, "tags": 1})
    ),
    "status, new": customer.status(views.Status(42, "new", (), not_a_ticket=False)),
    "status, new, out of hours": customer.status(
        views.Status(42, "new", (), not_a_ticket=False, back_at=dt.datetime(2026, 11, 30, 8, tzinfo=dt.UTC))
    ),
    "status, open": customer.status(views.Status(42, "open", ("Grace Hopper",), not_a_ticket=False)),
    "status, closed": customer.status(views.Status(42, "closed", ("Grace Hopper",), not_a_ticket=False)),
    "status, not a ticket": customer.status(views.Status(42, "closed", (), not_a_ticket=True)),
    "root": customer.root(views.Root(42, "The export fails", "Since noon.", "Ada Lovelace", "Grace Hopper")),
    "question": customer.question(views.Question(42, None, commented=False)),
    "question, answered": customer.question(views.Question(42, 4, commented=True)),
    "mirror": mirror.mirror(a_mirror(alert=("U1",), edited=True)),
    "mirror, deleted": mirror.mirror(a_mirror(deleted=True)),
    "note": mirror.note(views.NoteMirror("Grace Hopper", None, "Seen before.")),
    "held reply": mirror.held_reply(a_held_reply()),
    "held reply, sent": mirror.held_reply(a_held_reply("sent")),
    "held reply, handed over": mirror.held_reply(a_held_reply("handed_over", source_channel="email")),
    "alert": mirror.alert(views.Alert("assigned", 42, "U1", ("U2",))),
    "email asked": mirror.email_claim(an_email_claim()),
    "email confirmed": mirror.email_claim(an_email_claim(state="confirmed", alert=())),
    "email offer": customer.email_offer(42),
    "rated low": mirror.rated(views.Rated(42, "Ada Lovelace", 2, "Slow & rude", ["U1"])),
    "parked": mirror.parked(views.Parked("The status message", "is_archived")),
    "page": answers.page([a_row(), a_row(number=43, priority="high")], heading="Open tickets", more="list|1"),
    "page, empty": answers.page([], heading="Open tickets", more=None),
    "ticket in full": answers.shown(
        ShownToAgent(
            a_ticket(custom_fields={"version": "4.2 beta"}),
            (a_message("It fails."), a_message("Fixed.", by=next(reversed(NAMES)))),
            NAMES,
            (a_note("Bug."),),
        ),
        link=THREAD,
    ),
    "help": answers.help(agent=False),
}
MODALS: dict[str, dict[str, Any]] = {
    "new ticket, for an agent": modals.new_ticket("Export", channel="C1", for_customer=True),
    "reply": modals.reply(42, "The export fails", "m-1"),
    "note": modals.note(42, "The export fails"),
    "close": modals.close(42, "The export fails"),
    "edit": modals.edit(a_ticket(), ("U1",)),
    "rating": modals.rating_comment(42, 4),
    "email": modals.email(42),
    "result": modals.result("Ticket #42 is closed."),
}


HOMES: dict[str, dict[str, Any]] = {
    "a customer's": home.customer(a_customers_home()),
    "a customer's, empty": home.customer(a_customers_home(tickets=(), next=None)),
    "an agent's": home.agent(an_agents_home()),
    "an agent's, empty": home.agent(an_agents_home(rows=(), asked=(), more_asked=False, next=None)),
}


@pytest.mark.parametrize("look", HOMES)
def test_home(look: str, snapshot: SnapshotAssertion) -> None:
    assert HOMES[look] == snapshot


@pytest.mark.parametrize("look", LOOKS)
def test_message(look: str, snapshot: SnapshotAssertion) -> None:
    assert LOOKS[look].arguments() == snapshot


@pytest.mark.parametrize("look", MODALS)
def test_modal(look: str, snapshot: SnapshotAssertion) -> None:
    assert MODALS[look] == snapshot


def buttons(message: Message) -> dict[str, dict[str, Any]]:
    return {
        each["action_id"]: each for block in message.blocks if block["type"] == "actions" for each in block["elements"]
    }


@pytest.mark.parametrize(
    ("changes", "offered"),
    [
        ({}, ["claim", "reply", "note", "close", "edit", "not_a_ticket"]),
        ({"status": "closed"}, ["reopen", "reply", "note", "edit"]),
        (
            {"source_channel": "email", "customer_thread": None},
            ["claim", "reply", "note", "close", "edit", "not_a_ticket"],
        ),
    ],
)
def test_the_card_offers_what_can_be_done(changes: dict[str, Any], offered: list[str]) -> None:
    offers = buttons(card.card(a_card(**changes)))
    assert list(offers) == offered
    assert {each["value"] for each in offers.values()} == {"42"}


def test_the_card_says_everything_in_words_too() -> None:
    view = a_card(status="closed", rating=4)
    text = card.card(view).text
    facts = ["#42", "The CSV export fails", "Closed", "High priority", "Ada Lovelace", "Acme", "<@U1>", "<@U2>"]
    facts += ["#billing", "#export", "4 of 5", THREAD, "follows #12", "It still fails for R&amp;D."]
    assert [fact for fact in facts if fact not in text] == []


def test_only_one_solves_and_only_while_there_is_something_to_solve() -> None:
    assert list(buttons(LOOKS["status, open"])) == [Action.SOLVED]
    assert "confirm" in buttons(LOOKS["status, open"])[Action.SOLVED]
    assert buttons(LOOKS["status, closed"]) == {}


def test_the_chosen_rating_can_be_told_without_colour() -> None:
    answered = LOOKS["question, answered"]
    assert [each.get("style") for each in buttons(answered).values()] == [None, None, None, "primary", None]
    assert "4 – good" in answered.text
    assert buttons(answered)["rate:4"]["accessibility_label"] == "4 – good, chosen"


def test_a_held_reply_can_be_undone_until_it_is_settled() -> None:
    held = buttons(LOOKS["held reply"])
    assert {each["value"] for each in held.values()} == {"r-1"}
    assert list(held) == [Action.UNDO_REPLY, Action.MAKE_NOTE]
    assert not any(buttons(mirror.held_reply(a_held_reply(state=state))) for state in ("sent", "undone", "noted"))


def test_nothing_of_a_deleted_message_is_left() -> None:
    said = json.dumps(LOOKS["mirror, deleted"].arguments())
    assert "fails" not in said
    assert "log.txt" not in said


def elements(shown: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for block in shown["blocks"] for one in (*block.get("elements", []), block.get("element") or {})]


@pytest.mark.parametrize("name", MODALS)
def test_every_input_has_a_label_and_every_form_says_what_its_button_does(name: str) -> None:
    inputs = [block for block in MODALS[name]["blocks"] if block["type"] == "input"]
    for block in inputs:
        assert block["label"]["text"].strip()
        assert block["block_id"] == block["element"]["action_id"]
    assert bool(inputs) is ("submit" in MODALS[name])


def test_what_cannot_be_undone_is_asked_for_first() -> None:
    """A closed ticket is reopened, and a reply that was taken back is typed again: those ask nothing. *Solved* does,
    since a customer presses it once in a while, beside a thread."""
    asks: dict[str, set[bool]] = {}
    for look in LOOKS.values():
        for one in elements({"blocks": look.blocks}):
            if one.get("type") == "button":
                asks.setdefault(one["action_id"], set()).add("confirm" in one)
    assert {action for action, asked in asks.items() if True in asked} == {"not_a_ticket", "solved", "confirm_email"}
    assert all(len(asked) == 1 for asked in asks.values())


def test_one_line_places_cannot_be_turned_round() -> None:
    said = json.dumps(card.card(a_card(title="a\u202eb\nc", requester="d\u2066e")).blocks, ensure_ascii=False)
    assert "ab c" in said
    assert "*de*" in said


def test_notes_are_shown_only_where_there_are_any() -> None:
    without = answers.shown(ShownToAgent(a_ticket(), (a_message("It fails."),), NAMES, ()), link=None)
    assert "note" not in json.dumps(without.arguments()).lower()


def test_an_edit_form_leaves_out_what_it_could_not_give_back() -> None:
    view = modals.edit(a_ticket(title="x" * 40_000, tags=("Needs Info",)), ())
    assert [(block["type"], block["block_id"]) for block in view["blocks"]] == [
        ("context", "title:instead"),
        ("input", "priority"),
        ("context", "tags:instead"),
        ("input", "assignees"),
        ("input", "more_fields"),
    ]


def test_an_edit_form_has_an_input_for_each_custom_field_that_it_can_give_back() -> None:
    theirs = {"seats": 3, "my field": "x", "long": "x" * 501, "tab": "a\tb", "<!channel>": ["<!here>"]}
    view = modals.edit(a_ticket(custom_fields={"version": "4.2", "note": "a\nb", "empty": ""} | theirs), ())
    inputs = {block["block_id"]: block for block in view["blocks"] if block["block_id"].startswith("fields:")}
    assert list(inputs) == ["fields:version", "fields:note", "fields:empty"]
    assert [one["element"].get("initial_value") for one in inputs.values()] == ["4.2", "a\nb", None]
    assert [one["element"].get("multiline", False) for one in inputs.values()] == [False, True, False]
    assert all(one["optional"] and one["label"]["text"] == name[7:] for name, one in inputs.items())
    (instead,) = [block for block in view["blocks"] if block["block_id"] == "fields_instead"]
    said = instead["elements"][0]["text"]
    assert said.startswith("seats: 3\nmy field: x\nlong: xxx")
    assert said.endswith("These cannot be edited here. `/ticket set 42 field=value` sets one.")
    assert "<!" not in said


@pytest.mark.parametrize("value", ["😀" * 500, "x" * 500, 'a\n"\\' * 100, {"a": ["<&>"] * 900}])
def test_any_number_of_custom_fields_of_any_size_fits_an_edit_form(value: Any) -> None:
    view = modals.edit(a_ticket(custom_fields={f"{'f' * 46}{at}": value for at in range(500)}), ())
    assert view_refusals(view, "modal") == []
    assert len(json.dumps(view)) <= 250_000
    assert len(view["private_metadata"]) <= 3_000
    assert "more" in next(one for one in view["blocks"] if one["block_id"] == "fields_instead")["elements"][0]["text"]


def test_arguments_name_an_author_only_where_there_is_one() -> None:
    assert LOOKS["alert"].arguments().keys() == {"text", "blocks", "unfurl_links", "unfurl_media"}
    assert LOOKS["mirror"].arguments()["username"] == "Ada Lovelace"
    assert LOOKS["mirror"].arguments()["icon_url"] == "https://avatars.example.com/ada.png"


def test_what_an_edit_form_showed_fits_its_metadata() -> None:
    tags = tuple(f"{at:03}{'é' * 47}" for at in range(22))
    for some_tags in (tags, tags * 9):
        view = modals.edit(a_ticket(title='"' * 150, tags=some_tags), [f"U{at:010}" for at in range(500)])
        assert len(view["private_metadata"]) <= 3_000
