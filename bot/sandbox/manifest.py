"""What the app's manifest grants it: scopes, events, commands, shortcuts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Manifest:
    """The parts of a manifest that decide how Slack treats the app.

    Source: https://docs.slack.dev/reference/app-manifest
    """

    app_name: str
    bot_name: str
    scopes: tuple[str, ...]
    events: frozenset[str]
    commands: dict[str, bool]
    """Slash command → its ``should_escape``."""
    shortcuts: dict[str, str]
    """callback_id → ``global`` or ``message``."""
    interactive: bool
    home_tab: bool

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        return cls.parse(yaml.safe_load(path.read_text(encoding="utf-8")))

    @classmethod
    def parse(cls, document: dict[str, Any]) -> "Manifest":
        features = document.get("features", {})
        settings = document.get("settings", {})
        name = document["display_information"]["name"]
        return cls(
            app_name=name,
            bot_name=features.get("bot_user", {}).get("display_name", name),
            scopes=tuple(document.get("oauth_config", {}).get("scopes", {}).get("bot", ())),
            events=frozenset(settings.get("event_subscriptions", {}).get("bot_events", ())),
            commands={c["command"]: c.get("should_escape", False) for c in features.get("slash_commands", ())},
            shortcuts={s["callback_id"]: s["type"] for s in features.get("shortcuts", ())},
            interactive=settings.get("interactivity", {}).get("is_enabled", False),
            home_tab=features.get("app_home", {}).get("home_tab_enabled", False),
        )
