"""What a Slack workspace holds: teams, people, channels, messages, files. State only, no rules."""

import secrets
import string
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

_ALPHABET = string.ascii_uppercase + string.digits

ChannelKind = Literal["channel", "group", "im"]
View = dict[str, Any]


@dataclass(frozen=True)
class Team:
    id: str
    name: str
    domain: str


@dataclass(eq=False)
class Account:
    """A person or a bot as Slack keeps them. ``views`` is the stack of open modals, the top one last."""

    id: str
    team: Team
    name: str
    email: str | None = None
    admin: bool = False
    guest: bool = False
    locale: str = "en-US"
    tz: str = "Europe/Berlin"
    display_name: str | None = None
    title: str = ""
    bot_id: str | None = None
    deleted: bool = False
    views: list[View] = field(default_factory=list)
    home: View | None = None

    @property
    def handle(self) -> str:
        """Slack's legacy user name: ``grace.hopper``."""
        return ".".join(self.name.lower().split())

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    @property
    def view(self) -> View | None:
        """The modal on top, as Slack keeps it (with id, hash and state), or None."""
        return self.views[-1] if self.views else None


@dataclass(eq=False)
class File:
    id: str
    name: str
    mimetype: str
    content: bytes
    owner: Account
    created: int
    url: str
    deleted: bool = False
    permalink: str = ""
    """Of a file that is kept elsewhere, where it is."""


@dataclass(eq=False)
class Upload:
    """A file on its way: ``length`` bytes are announced, and ``content`` is what has come."""

    file: File
    length: int
    content: bytes | None = None


@dataclass(eq=False)
class Message:
    """A message as it is shown now; edits change it in place."""

    ts: str
    channel: "Channel"
    text: str
    author: Account | None
    thread_ts: str | None = None
    subtype: str | None = None
    blocks: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] | None = None
    files: list[File] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    edited: dict[str, str] | None = None
    username: str | None = None
    icons: dict[str, str] = field(default_factory=dict)
    client_msg_id: str | None = None
    only_for: str | None = None
    """The one user id that sees an ephemeral message."""
    broadcast: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    """Fields of this subtype alone, such as ``inviter``."""

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts

    @property
    def is_tombstone(self) -> bool:
        return self.subtype == "tombstone"


@dataclass(eq=False)
class Channel:
    id: str
    name: str
    kind: ChannelKind
    host: Team
    shared_with: list[Team] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    creator: str = ""
    created: int = field(default_factory=lambda: int(time.time()))
    archived: bool = False
    posts: dict[str, Message] = field(default_factory=dict)
    threads: dict[str, list[Message]] = field(default_factory=dict)
    ephemerals: list[Message] = field(default_factory=list)

    @property
    def mention(self) -> str:
        return f"<#{self.id}|{self.name}>"

    @property
    def private(self) -> bool:
        return self.kind != "channel"

    @property
    def shared(self) -> bool:
        return bool(self.shared_with)

    def add(self, message: Message) -> None:
        self.posts[message.ts] = message
        if message.is_reply and message.thread_ts is not None:
            self.threads.setdefault(message.thread_ts, []).append(message)

    def drop(self, message: Message) -> None:
        del self.posts[message.ts]
        if message.is_reply and message.thread_ts is not None:
            self.replies(message.thread_ts).remove(message)

    def replies(self, root_ts: str) -> list[Message]:
        """The replies of a thread, oldest first, without its root."""
        return self.threads.get(root_ts, [])

    def top_level(self) -> Iterator[Message]:
        return (m for m in self.posts.values() if not m.is_reply or m.broadcast)


class Workspace:
    """The installing team and all that it can see."""

    def __init__(self, team_name: str) -> None:
        self._last_ts = 0
        self.teams: dict[str, Team] = {}
        self.people: dict[str, Account] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, File] = {}
        self.uploads: dict[str, Upload] = {}
        self._direct: dict[str, Channel] = {}
        self.app_id = new_id("A")
        self.team = self.add_team(team_name)

    def add_team(self, name: str) -> Team:
        team = Team(new_id("T"), name, "-".join(name.lower().split()))
        self.teams[team.id] = team
        return team

    def next_ts(self) -> str:
        """A message's ts: the present in microseconds, strictly later than the one before."""
        self._last_ts = max(self._last_ts + 1, time.time_ns() // 1000)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def exists(self, id_: str) -> bool:
        """Whether a person or a channel has that id."""
        return id_ in self.people or id_ in self.channels

    def channel_named(self, name: str) -> Channel | None:
        plain = name.removeprefix("#")
        return next((c for c in self.channels.values() if c.kind != "im" and c.name == plain), None)

    def direct(self, person: Account, bot: Account) -> Channel:
        """The conversation between a person and the bot, made when it is first needed."""
        if person.id not in self._direct:
            members = [person.id, bot.id]
            channel = Channel(new_id("D"), "", "im", self.team, members=members, creator=person.id)
            self.channels[channel.id] = self._direct[person.id] = channel
        return self._direct[person.id]

    def renumber(self, channel: Channel) -> None:
        """Give a channel another id."""
        del self.channels[channel.id]
        channel.id = new_id("C")
        self.channels[channel.id] = channel

    def shares_a_channel(self, one: Account, other: Account) -> bool:
        return any(one.id in c.members and other.id in c.members for c in self.channels.values())


def new_id(prefix: str) -> str:
    """An id like Slack's. Channels have C also when private, as all have since March 2021:
    https://docs.slack.dev/reference/events/member_left_channel"""
    return prefix + "0" + "".join(secrets.choice(_ALPHABET) for _ in range(9))


def new_token(length: int = 24) -> str:
    return secrets.token_hex(length)[:length]
