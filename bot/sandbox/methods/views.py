"""views.*"""

from typing import Any, Literal

from bot.sandbox import modals
from bot.sandbox.limits import TIER_4
from bot.sandbox.methods.registry import Json, Request, method
from bot.sandbox.workspace import View


@method("views.open", TIER_4)
def open_(request: Request) -> Json:
    definition = _definition(request, "modal")
    person = request.slack.triggers.exchange(request.required("trigger_id"), request.method)
    return {"view": modals.open_modal(request.slack, person, definition)}


@method("views.push", TIER_4)
def push(request: Request) -> Json:
    definition = _definition(request, "modal")
    person = request.slack.triggers.exchange(request.required("trigger_id"), request.method)
    if not person.views:
        raise request.refuse("not_found")
    return {"view": modals.push(request.slack, person, definition, request.method)}


@method("views.update", TIER_4)
def update(request: Request) -> Json:
    view_id, external_id = request.text("view_id"), request.text("external_id")
    if not view_id and not external_id:
        raise request.refuse("invalid_arguments", "[ERROR] view_id or external_id is required")
    view = modals.find(request.slack, view_id, external_id)
    if view is None:
        raise request.refuse("not_found")
    definition = _definition(request, view["type"])
    _guard(request, view)
    modals.replace(request.slack, view, definition)
    return {"view": view}


@method("views.publish", TIER_4)
def publish(request: Request) -> Json:
    person = request.person("user_id")
    if not request.slack.manifest.home_tab:
        raise request.refuse("not_enabled")
    definition = _definition(request, "home")
    if person.home:
        _guard(request, person.home)
    return {"view": modals.publish(request.slack, person, definition)}


def _definition(request: Request, surface: Literal["modal", "home"]) -> Any:
    if request.args.get("view") in (None, ""):
        raise request.refuse("invalid_arguments", "[ERROR] missing required field: view")
    definition = request.parsed("view", "invalid_arguments")
    modals.check(definition, surface)
    return definition


def _guard(request: Request, view: View) -> None:
    """``hash`` protects a view that changed meanwhile."""
    given = request.text("hash")
    if given and given != view["hash"]:
        raise request.refuse("hash_conflict")
