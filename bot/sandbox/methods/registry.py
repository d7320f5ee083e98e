"""What a Web API method is to the sandbox, and how it reads its arguments."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.sandbox.errors import Refused
from bot.sandbox.references import AUTHENTICATION, PAGINATION, method_page
from bot.sandbox.slack import Slack
from bot.sandbox.workspace import Account, Channel, Message

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One call: its method and its arguments, form values as strings, JSON values as they came."""

    slack: Slack
    method: str
    args: Json

    def refuse(self, error: str, *messages: str, **details: Any) -> Refused:
        return Refused(error, method_page(self.method), messages, **details)

    def need_scope(self, *any_of: str) -> None:
        scopes = self.slack.manifest.scopes
        if any_of and not set(any_of) & set(scopes):
            provided = ",".join(scopes)
            raise Refused("missing_scope", AUTHENTICATION, needed=",".join(any_of), provided=provided)

    def text(self, name: str) -> str | None:
        value = self.args.get(name)
        return None if value is None or value == "" else str(value)

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise self.refuse("invalid_arguments", f"[ERROR] missing required field: {name}")
        return value

    def flag(self, name: str) -> bool:
        return str(self.args.get(name, "")).lower() in ("1", "true")

    def parsed(self, name: str, error: str) -> Any:
        """A JSON argument, given as JSON or as a string of JSON; None where it was not given."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError as reason:
            raise self.refuse(error, f"[ERROR] {name} is not JSON: {reason}") from reason

    def limit(self, default: int, most: int) -> int:
        value = self.text("limit")
        if value is None:
            return default
        if not value.isdecimal() or not 1 <= int(value) <= most:
            raise Refused("invalid_limit", PAGINATION, [f"[ERROR] limit must be from 1 to {most}"])
        return int(value)

    def channel(self, name: str = "channel") -> Channel:
        """The conversation with that id, if the app can know of it."""
        channel = self.slack.workspace.channels.get(self.required(name))
        if channel is None or not self.slack.sees(channel):
            raise self.refuse("channel_not_found")
        return channel

    def person(self, name: str = "user") -> Account:
        person = self.slack.workspace.people.get(self.required(name))
        if person is None:
            raise self.refuse("user_not_found")
        return person

    def message(self, name: str, error: str = "message_not_found") -> Message:
        message = self.channel().posts.get(self.required(name))
        if message is None or message.is_tombstone:
            raise self.refuse(error)
        return message


Run = Callable[[Request], Json]


@dataclass(frozen=True)
class Method:
    """``scopes``: any one of them is enough; none means that no scope is needed.
    ``app_level``: it takes the app-level token, and no other."""

    name: str
    scopes: tuple[str, ...]
    per_minute: int
    run: Run
    app_level: bool


METHODS: dict[str, Method] = {}


def method(name: str, per_minute: int, *scopes: str, app_level: bool = False) -> Callable[[Run], Run]:
    """Register a Web API method under its tier's calls a minute and the scopes of which it needs one."""

    def register(run: Run) -> Run:
        METHODS[name] = Method(name, scopes, per_minute, run, app_level)
        return run

    return register
