"""The whole of one sandbox, on which its surfaces work: the HTTP server, the people, the tests."""

import time
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.delivery import Outbox
from bot.sandbox.faults import Faults
from bot.sandbox.interactivity import ResponseUrls, Triggers
from bot.sandbox.limits import Clock, Limits
from bot.sandbox.manifest import Manifest
from bot.sandbox.request_url import RequestUrl
from bot.sandbox.sockets import Sockets
from bot.sandbox.workspace import Account, Channel, Team, Workspace, new_id, new_token


@dataclass(frozen=True)
class Call:
    """A Web API call that was made: ``at`` is Unix time in seconds, ``response`` the JSON that it got."""

    method: str
    args: dict[str, Any]
    response: dict[str, Any]
    at: float = field(default_factory=time.time)


class Slack:
    """State, clock, rules and wires of one sandbox. ``url`` is set once the server listens."""

    def __init__(self, manifest: Manifest, speed: float, team_name: str) -> None:
        self.manifest = manifest
        self.url = ""
        self.workspace = Workspace(team_name)
        self.clock = Clock()
        self.limits = Limits(self.clock, speed)
        self.signing_secret = new_token(32)
        self.verification_token = new_token()
        self.bot_token = f"xoxb-{new_token(12)}-{new_token()}"
        self.app_token = f"xapp-1-{self.workspace.app_id}-{new_token(12)}-{new_token(64)}"
        self.request_url = RequestUrl(self.signing_secret)
        self.sockets = Sockets(self.workspace.app_id, speed)
        self.faults = Faults()
        self.outbox = Outbox(self.request_url, self.faults, speed)
        self.triggers = Triggers(self.clock)
        self.response_urls = ResponseUrls(self.clock)
        self.calls: list[Call] = []
        self.fetched: list[str] = []
        """The ids of the files that the app has downloaded, or tried to."""
        self.revoked = False
        self.scanning = 0.0
        """Seconds from an upload's completion to the message that shows its files."""
        self.missing_blocks: frozenset[str] = frozenset()
        self.ahead = 0.0
        """Seconds by which Slack's clock is ahead of this machine's."""
        self.bot = Account(new_id("U"), self.team, manifest.bot_name, bot_id=new_id("B"))
        self.workspace.people[self.bot.id] = self.bot

    @property
    def team(self) -> Team:
        """The team that installed the app."""
        return self.workspace.team

    def person(self, user_id: str) -> Account:
        return self.workspace.people[user_id]

    def direct(self, person: Account) -> Channel:
        return self.workspace.direct(person, self.bot)

    def sees(self, channel: Channel) -> bool:
        """Whether the app knows that the channel exists: public ones of its team, and those it is in."""
        return not channel.private or self.bot.id in channel.members
