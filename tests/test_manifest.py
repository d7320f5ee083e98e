"""The manifest and the code agree, both ways: nothing is missing, and nothing is asked for that is not used.

Which scopes a method needs stands on its page, https://docs.slack.dev/reference/methods/METHOD. For `conversations.*`
they depend on the kind of channel: the desk serves public and private ones and, where it looks for its own messages,
direct ones.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot import listeners
from bot.blocks.surface import Message
from storage.people import Profile
from tests.conftest import Office
from tests.test_manifest_schema import EVENT_SCOPES, MANIFEST

FEATURES: dict[str, Any] = MANIFEST["features"]
SETTINGS: dict[str, Any] = MANIFEST["settings"]
EVENTS: list[str] = SETTINGS["event_subscriptions"]["bot_events"]
SCOPES: list[str] = MANIFEST["oauth_config"]["scopes"]["bot"]

CHANNELS = {"channels:read", "groups:read"}
HISTORIES = {"channels:history", "groups:history", "im:history"}
METHOD_SCOPES: dict[str, set[str]] = {
    "apps.connections.open": set(),  # the app-level token has a scope of its own, connections:write
    "auth.test": set(),
    "chat.delete": {"chat:write"},
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.history": HISTORIES,
    "conversations.info": CHANNELS,
    "conversations.list": CHANNELS,
    "conversations.members": CHANNELS,
    "conversations.open": {"im:write"},
    "conversations.replies": HISTORIES,
    "files.completeUploadExternal": {"files:write"},
    "files.delete": {"files:write"},
    "files.getUploadURLExternal": {"files:write"},
    "files.info": {"files:read"},
    "team.info": {"team:read"},
    "users.info": {"users:read"},
    "views.open": set(),
    "views.publish": set(),
}

#: The functions of bot/delivery that call a method, and at which place they are told which.
CALLERS = {"call": 1, "ask": 1, "pages": 1, "all_pages": 0, "_within_budget": 0}
METHOD = re.compile(r"[a-z]+(\.[a-zA-Z]+)+")


def feature_scopes() -> set[str]:
    """Scopes that no method or event needs by itself, for what the desk does with them."""
    posted = {field.name for field in dataclasses.fields(Message)}
    known = {field.name for field in dataclasses.fields(Profile)}
    asked = {
        # https://docs.slack.dev/interactivity/implementing-slash-commands
        "commands": bool(FEATURES.get("slash_commands") or FEATURES.get("shortcuts")),
        # https://docs.slack.dev/reference/scopes/chat.write.customize
        "chat:write.customize": bool(posted & {"username", "icon_url"}),
        # https://docs.slack.dev/reference/scopes/users.read.email
        "users:read.email": "email" in known,
    }
    return {scope for scope, needed in asked.items() if needed}


class Registry(AsyncApp):
    """Bolt, which also notes what is registered with it."""

    def __init__(self) -> None:
        super().__init__(token="xoxb-registry", signing_secret="registry")
        self.registered: dict[str, set[str]] = {kind: set() for kind in ("event", "command", "shortcut", "interactive")}

    def event(self, event: Any, *args: Any, **kwargs: Any) -> Any:
        self.registered["event"].add(event if isinstance(event, str) else event["type"])
        return super().event(event, *args, **kwargs)

    def command(self, command: Any, *args: Any, **kwargs: Any) -> Any:
        self.registered["command"].add(command)
        return super().command(command, *args, **kwargs)

    def shortcut(self, constraints: Any, *args: Any, **kwargs: Any) -> Any:
        self.registered["shortcut"].add(str(constraints))
        return super().shortcut(constraints, *args, **kwargs)

    def action(self, constraints: Any, *args: Any, **kwargs: Any) -> Any:
        self.registered["interactive"].add(str(constraints))
        return super().action(constraints, *args, **kwargs)

    def view(self, constraints: Any, *args: Any, **kwargs: Any) -> Any:
        self.registered["interactive"].add(str(constraints))
        return super().view(constraints, *args, **kwargs)


@pytest.fixture
def registered(office: Office) -> dict[str, set[str]]:
    registry = Registry()
    listeners.register(registry, office.running.services)
    return registry.registered


async def test_every_event_has_a_listener_and_every_listener_its_events(registered: dict[str, set[str]]) -> None:
    # `message.channels` and its like are all delivered as `message`.
    assert {event.partition(".")[0] for event in EVENTS} == registered["event"]


async def test_commands_shortcuts_and_interactivity_are_declared_as_registered(registered: dict[str, set[str]]) -> None:
    assert {one["command"] for one in FEATURES["slash_commands"]} == registered["command"]
    assert {one["callback_id"] for one in FEATURES.get("shortcuts", [])} == registered["shortcut"]
    assert SETTINGS["interactivity"]["is_enabled"] == bool(registered["shortcut"] | registered["interactive"])


def test_messages_come_from_the_kinds_of_channel_that_the_desk_serves() -> None:
    # Support channels are public or private, triage is private; group DMs are not served.
    spoken_in = {event for event in EVENTS if event.startswith("message.")}
    assert spoken_in == {"message.channels", "message.groups", "message.im"}
    home = FEATURES["app_home"]
    assert home["messages_tab_enabled"], "nobody could write to the desk"
    assert not home["messages_tab_read_only_enabled"], "nobody could write to the desk"


async def test_slack_can_verify_the_request_url(office: Office) -> None:
    """https://docs.slack.dev/reference/events/url_verification"""
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1aBm2rZgRN", "token": "unused"}).encode()
    url = office.url + urlsplit(SETTINGS["event_subscriptions"]["request_url"]).path
    typed = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=typed) as session:
        async with session.post(url, data=body, headers=office.sandbox.sign(body)) as answer:
            assert (answer.status, await answer.json()) == (200, {"challenge": "3eZbrw1aBm2rZgRN"})
        async with session.post(url, data=body) as unsigned:
            assert unsigned.status == 401


def called(source: str) -> set[str]:
    """The Web API methods that a module calls."""
    tree = ast.parse(source)
    functions = (one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
    return {method for function in functions for method in _called_in(function)}


def _called_in(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    parameters = {argument.arg for argument in function.args.args}
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in CALLERS:
            match node.args[CALLERS[name]]:
                case ast.Constant(value=str(method)):
                    yield method
                case ast.Name(id=variable) if function.name in CALLERS and variable in parameters:
                    pass  # such a function itself asks what it is told to
                case other:
                    named = _named(function)
                    assert named, f"line {other.lineno}: which method is {ast.unparse(other)}?"
                    yield from named
        elif _is_of_client(name):
            yield name.replace("_", ".")


def _is_of_client(name: str) -> bool:
    """Whether it is a Web API method as the client spells it: `views_open` for views.open."""
    public = "_" in name and not name.startswith("_") and name != "api_call"
    return public and inspect.iscoroutinefunction(getattr(AsyncWebClient, name, None))


def _named(function: ast.AST) -> set[str]:
    """Everything in a function that is spelled like a method."""
    constants = (node.value for node in ast.walk(function) if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str) and METHOD.fullmatch(value)}


def all_called() -> set[str]:
    bot = Path(listeners.__file__).parent.parent
    modules = [path for path in bot.rglob("*.py") if "sandbox" not in path.parts]
    return {method for path in modules for method in called(path.read_text(encoding="utf-8"))}


def test_calls_are_found_in_every_way_that_they_are_written() -> None:
    source = """
async def pages(slack, method):
    await ask(slack, method)

async def look(slack, client):
    await call(slack, "chat.update", ts="1")
    await client.views_open(view={})
    for place, more in [("conversations.replies", {"ts": "1"}), ("conversations.history", {})]:
        async for one in directory.pages(slack, place, "messages", **more):
            print("It is there.")
"""
    assert called(source) == {"chat.update", "views.open", "conversations.history", "conversations.replies"}
    with pytest.raises(AssertionError, match="which method is thing"):
        called("async def look(slack, thing):\n    await ask(slack, thing)\n")


def test_the_scopes_of_every_called_method_are_known_and_declared() -> None:
    methods = all_called()
    assert methods == METHOD_SCOPES.keys()
    missing = {method: METHOD_SCOPES[method] - set(SCOPES) for method in methods}
    assert not any(missing.values()), missing


def needed_scopes() -> set[str]:
    by_events = (EVENT_SCOPES[event] for event in EVENTS)
    by_methods = (METHOD_SCOPES[method] for method in all_called())
    return feature_scopes().union(*by_events, *by_methods)


@pytest.mark.parametrize("scope", SCOPES)
def test_no_scope_is_asked_for_in_vain(scope: str) -> None:
    assert scope in needed_scopes()


def test_the_scopes_of_features_are_declared() -> None:
    assert feature_scopes() <= set(SCOPES)
