"""A person's stack of open modals, and their App Home: https://docs.slack.dev/surfaces/modals"""

from typing import TYPE_CHECKING, Any, Literal

from bot.sandbox.blockkit import view_refusals
from bot.sandbox.errors import Refused, refuse
from bot.sandbox.forms import fields_given, new_hash, state_values
from bot.sandbox.references import method_page
from bot.sandbox.workspace import Account, View, new_id

if TYPE_CHECKING:
    from bot.sandbox.slack import Slack

STACK_LIMIT = 3


def check(definition: Any, surface: Literal["modal", "home"]) -> None:
    """Refuse a view that Slack refuses."""
    refuse(view_refusals(definition, surface))


def open_modal(slack: "Slack", person: Account, definition: View) -> View:
    """Show a modal; one that is already open is replaced."""
    view = _new(slack, person, definition)
    person.views[:] = [view]
    return view


def push(slack: "Slack", person: Account, definition: View, method: str) -> View:
    if len(person.views) >= STACK_LIMIT:
        raise Refused("push_limit_reached", method_page(method))
    below = person.views[-1]
    view = _new(slack, person, definition)
    view |= {"root_view_id": below["root_view_id"], "previous_view_id": below["id"]}
    person.views.append(view)
    return view


def publish(slack: "Slack", person: Account, definition: View) -> View:
    if person.home is None:
        person.home = _new(slack, person, definition)
    else:
        replace(slack, person.home, definition)
    return person.home


def replace(slack: "Slack", view: View, definition: View) -> None:
    """New contents under the same id; what was filled in stays where block_id and action_id are the same:
    https://docs.slack.dev/reference/views/modal-views"""
    _claim_external_id(slack, definition, view["id"])
    view |= fields_given(definition)
    view["state"] = {"values": state_values(view["blocks"], view["state"]["values"])}
    view["hash"] = new_hash()


def find(slack: "Slack", view_id: str | None, external_id: str | None) -> View | None:
    """An open modal or a published home, by either of its ids."""
    for person in slack.workspace.people.values():
        for view in [*person.views, *([person.home] if person.home else [])]:
            if view["id"] == view_id or (external_id and view["external_id"] == external_id):
                return view
    return None


def _claim_external_id(slack: "Slack", definition: View, view_id: str | None) -> None:
    external_id = definition.get("external_id")
    holder = find(slack, None, external_id) if external_id else None
    if holder and holder["id"] != view_id:
        raise Refused("duplicate_external_id", method_page("views.open"))


def _new(slack: "Slack", person: Account, definition: View) -> View:
    _claim_external_id(slack, definition, None)
    view_id = new_id("V")
    view = {"id": view_id, "team_id": person.team.id, **fields_given(definition)}
    return view | {
        "state": {"values": state_values(view["blocks"])},
        "hash": new_hash(),
        "root_view_id": view_id,
        "previous_view_id": None,
        "app_id": slack.workspace.app_id,
        "app_installed_team_id": slack.team.id,
        "bot_id": slack.bot.bot_id,
    }
