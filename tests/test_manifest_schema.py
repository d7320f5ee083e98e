"""`manifest.yml` has the shape that Slack's manifest schema asks for, and the scopes that its events need.

The shape: `schemas/manifest.schema.2.0.0.json` of https://github.com/slackapi/manifest-schema. It does not
know whether a scope or an event exists; https://docs.slack.dev/reference/events says which scopes an event needs.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

HERE = Path(__file__).parent
SCHEMA = json.loads((HERE / "data" / "manifest.schema.json").read_text(encoding="utf-8"))
MANIFEST = yaml.safe_load((HERE.parent / "manifest.yml").read_text(encoding="utf-8"))

# With all of these scopes an event arrives from public and private channels alike.
EVENT_SCOPES = {
    "app_home_opened": set[str](),
    "app_mention": {"app_mentions:read"},
    "channel_archive": {"channels:read"},
    "channel_id_changed": {"channels:read", "groups:read"},
    "channel_left": {"channels:read"},
    "channel_rename": {"channels:read"},
    "channel_shared": {"channels:read", "groups:read"},
    "channel_unarchive": {"channels:read"},
    "channel_unshared": {"channels:read", "groups:read"},
    "group_archive": {"groups:read"},
    "group_left": {"groups:read"},
    "group_rename": {"groups:read"},
    "group_unarchive": {"groups:read"},
    "member_joined_channel": {"channels:read", "groups:read"},
    "member_left_channel": {"channels:read", "groups:read"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "reaction_added": {"reactions:read"},
    "team_join": {"users:read"},
    "user_change": {"users:read"},
}


def problems(manifest: Any) -> list[str]:
    return [f"{each.json_path}: {each.message}" for each in Draft7Validator(SCHEMA).iter_errors(manifest)]


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)


def test_the_manifest_has_the_shape_that_slack_asks_for() -> None:
    assert problems(MANIFEST) == []


@pytest.mark.parametrize("event", MANIFEST["settings"]["event_subscriptions"]["bot_events"])
def test_every_event_has_its_scopes(event: str) -> None:
    assert EVENT_SCOPES[event] <= set(MANIFEST["oauth_config"]["scopes"]["bot"])


def test_every_address_is_the_same() -> None:
    settings = MANIFEST["settings"]
    addresses = {command["url"] for command in MANIFEST["features"]["slash_commands"]}
    addresses |= {settings["event_subscriptions"]["request_url"], settings["interactivity"]["request_url"]}
    assert len(addresses) == 1


# what is wrong, how, where the complaint points
MISTAKES: list[tuple[str, Callable[[Any], Any], str]] = [
    ("unknown section", lambda m: m.update(setings={}), "$"),
    ("name too long", lambda m: m["display_information"].update(name="x" * 36), "$.display_information.name"),
    ("no name", lambda m: m["display_information"].pop("name"), "$.display_information"),
    (
        "description too long",
        lambda m: m["display_information"].update(description="x" * 141),
        "$.display_information.description",
    ),
    (
        "colour by name",
        lambda m: m["display_information"].update(background_color="blue"),
        "$.display_information.background_color",
    ),
    (
        "command without slash",
        lambda m: m["features"]["slash_commands"][0].update(command="ticket"),
        "$.features.slash_commands[0].command",
    ),
    (
        "shortcut name too long",
        lambda m: m["features"].update(
            shortcuts=[{"name": "x" * 25, "type": "global", "callback_id": "c", "description": "d"}]
        ),
        "$.features.shortcuts[0].name",
    ),
    ("scopes of nobody", lambda m: m["oauth_config"]["scopes"].update(app=[]), "$.oauth_config.scopes"),
    ("no scopes", lambda m: m["oauth_config"]["scopes"].update(bot=[]), "$.oauth_config.scopes.bot"),
    (
        "an event twice",
        lambda m: m["settings"]["event_subscriptions"].update(bot_events=["message.im"] * 2),
        "$.settings.event_subscriptions.bot_events",
    ),
    (
        "plain http",
        lambda m: m["settings"]["interactivity"].update(request_url="http://desk.example.com"),
        "$.settings.interactivity.request_url",
    ),
    (
        "yes as a word",
        lambda m: m["settings"].update(socket_mode_enabled="yes"),
        "$.settings.socket_mode_enabled",
    ),
]


@pytest.mark.parametrize(("spoil", "path"), [pytest.param(*row, id=name) for name, *row in MISTAKES])
def test_a_mistake_is_found(spoil: Callable[[Any], Any], path: str) -> None:
    manifest = copy.deepcopy(MANIFEST)
    spoil(manifest)
    assert [each.split(": ")[0] for each in problems(manifest)] == [path]
