"""A Slack workspace on your own machine: what tests, demo and benchmarks hold in their hands."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bot.sandbox import events, posting
from bot.sandbox.delivery import Delivery, Kind, Parcel
from bot.sandbox.errors import CannotDo
from bot.sandbox.faults import Fault, How, Weather
from bot.sandbox.manifest import Manifest
from bot.sandbox.people import Person
from bot.sandbox.references import HELP_CHANNELS, SLACK_CONNECT
from bot.sandbox.server import Server
from bot.sandbox.slack import Call, Slack
from bot.sandbox.sockets import Socket
from bot.sandbox.workspace import Account, Channel, ChannelKind, Message, Team, new_id


class Sandbox:
    """A stateful Slack for one installed app, over real HTTP on 127.0.0.1.

    ``speed`` divides the waits before an event's second and third retry, a WebSocket's life and warning, and the
    rate-limit windows. The time to answer (3 s), a trigger's life (3 s) and a response_url's (30 min) are real,
    as the app's own time is; ``skip`` lets the latter two pass at once. Message ts follow real time and strictly
    increase.
    """

    def __init__(
        self, manifest: Path = Path("manifest.yml"), speed: float = 1.0, port: int = 0, team: str = "Acme"
    ) -> None:
        self.slack = Slack(Manifest.read(manifest), speed, team)
        self.server = Server(self.slack)
        self._port = port

    async def start(self) -> None:
        await self.slack.request_url.start()
        await self.server.start(self._port)

    async def stop(self) -> None:
        await self.slack.outbox.stop()
        self.slack.sockets.cut()
        await self.slack.request_url.stop()
        await self.server.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return self.slack.url

    @property
    def api_url(self) -> str:
        """What the app takes for ``https://slack.com/api/``."""
        return f"{self.slack.url}/api/"

    @property
    def bot_token(self) -> str:
        return self.slack.bot_token

    @property
    def signing_secret(self) -> str:
        return self.slack.signing_secret

    @property
    def app_token(self) -> str:
        """The app-level token, with the scope connections:write."""
        return self.slack.app_token

    @property
    def bot(self) -> Account:
        return self.slack.bot

    @property
    def team(self) -> Team:
        """The team that installed the app."""
        return self.slack.team

    @property
    def calls(self) -> list[Call]:
        """Every Web API call made, in order."""
        return self.slack.calls

    @property
    def deliveries(self) -> list[Delivery]:
        """Every attempt to deliver something to the app, in order."""
        return self.slack.outbox.attempts

    def deliver_to(self, url: str | None, *more: str) -> None:
        """Set the app's request URL, and end Socket Mode. None: nobody is there, so deliveries fail and events are
        retried.

        With ``more``: the app's replicas, in turn, as behind a load balancer; one that refuses the connection is
        passed over.
        """
        self.slack.request_url.urls = (url, *more) if url else ()
        self.slack.outbox.carrier = self.slack.request_url
        self.slack.sockets.switch_off()

    def deliver_over_sockets(self) -> None:
        """Switch the app to Socket Mode: from now on it opens connections and gets everything over them."""
        self.slack.sockets.on = True
        self.slack.outbox.carrier = self.slack.sockets

    @property
    def in_socket_mode(self) -> bool:
        return self.slack.sockets.on

    @property
    def sockets(self) -> Sequence[Socket]:
        """The connections that the app holds open, oldest first."""
        return tuple(self.slack.sockets.open)

    async def connected(self, count: int, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - as in ``settled``
        """Wait until the app holds so many connections open; TimeoutError after ``timeout`` seconds."""
        async with asyncio.timeout(timeout):
            await self.slack.sockets.connected(count)

    async def refresh_sockets(self, *sockets: Socket) -> None:
        """Replace these connections, or all of them, as Slack does every few hours: a warning, ten seconds
        (by ``speed``) later the end."""
        await self.slack.sockets.refresh(*sockets)

    def cut_sockets(self) -> None:
        """Break every open connection, without a word."""
        self.slack.sockets.cut()

    async def settled(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - the caller's patience, in seconds
        """Wait until every event is acknowledged or given up; TimeoutError after ``timeout`` seconds."""
        await self.slack.outbox.settled(timeout)

    def resend(self, delivery: Delivery) -> None:
        """Deliver the same event once more, under the same event_id, as Slack sometimes does."""
        self.slack.outbox.resend(delivery)

    async def deliver(self, kind: Kind, payload: dict[str, Any]) -> Delivery:
        """Deliver, once, what nobody in the sandbox can cause, and return how it was answered."""
        return await self.slack.outbox.send_once(Parcel(kind, payload["type"], json.dumps(payload)))

    def sign(self, body: bytes, timestamp: int | None = None) -> dict[str, str]:
        """The headers that make a request pass for Slack's. ``timestamp`` is Unix time in seconds."""
        return self.slack.request_url.sign(body, timestamp)

    def disrupt(self, method: str, how: How, times: int = 1, seconds: float = 1) -> None:
        """Let the next ``times`` calls of a method ("*": any) go wrong; see ``faults.Fault``."""
        self.slack.faults.order(Fault(method, how, times, seconds))

    def weather(self, weather: Weather, seed: int = 0) -> None:
        """Let things go wrong by chance from now on, in a sequence that ``seed`` gives; ``Weather()`` ends it."""
        self.slack.faults.turn(weather, seed)

    def storm(self, seconds: float) -> None:
        """Let every call be rate limited for so long."""
        self.slack.faults.storm(seconds)

    def silence(self, seconds: float, *, dropped: bool = False) -> None:
        """Let no event be delivered for so long, by ``speed``: those of that time come after it, or with ``dropped``
        never."""
        self.slack.faults.silence(seconds / self.slack.outbox.speed, dropped=dropped)

    @property
    def struck(self) -> Counter[str]:
        """How often each kind of fault has struck so far."""
        return self.slack.faults.struck

    def skip(self, seconds: float) -> None:
        """Let time pass at once for triggers, response URLs and rate limits."""
        self.slack.clock.skip(seconds)

    def revoke_token(self) -> None:
        """The app is removed from the workspace: https://docs.slack.dev/reference/methods/auth.revoke"""
        self.slack.revoked = True

    def withdraw_scope(self, scope: str) -> None:
        """The app is as it was installed before its manifest asked for that scope."""
        manifest = self.slack.manifest
        self.slack.manifest = replace(manifest, scopes=tuple(one for one in manifest.scopes if one != scope))

    def set_clock_ahead(self, seconds: float) -> None:
        """What the ``Date`` of each answer says, from this machine's point of view."""
        self.slack.ahead = seconds

    def add_team(self, name: str) -> Team:
        """Another company, which has not installed the app."""
        return self.slack.workspace.add_team(name)

    def add_person(
        self,
        name: str,
        *,
        email: str | None = None,
        team: Team | None = None,
        admin: bool = False,
        guest: bool = False,
        locale: str = "en-US",
        tz: str = "Europe/Berlin",
        display_name: str | None = None,
        title: str = "",
    ) -> Person:
        person = Person(
            id=new_id("U"),
            team=team or self.team,
            name=name,
            email=email,
            admin=admin,
            guest=guest,
            locale=locale,
            tz=tz,
            display_name=display_name,
            title=title,
            slack=self.slack,
        )
        self.slack.workspace.people[person.id] = person
        return person

    def deactivate(self, person: Account) -> None:
        """The account is closed: it leaves every channel without an event."""
        person.deleted = True
        for channel in self.slack.workspace.channels.values():
            if channel.kind != "im" and person.id in channel.members:
                channel.members.remove(person.id)

    async def add_channel(
        self,
        name: str,
        *,
        private: bool = False,
        shared_with: Sequence[Team] = (),
        members: Iterable[Account] = (),
    ) -> Channel:
        """A channel of the installing team, with those members from the start. The bot has to be invited."""
        kind: ChannelKind = "group" if private else "channel"
        channel = Channel(new_id("C"), name, kind, self.team, list(shared_with))
        for member in members:
            self._must_belong(channel, member)
            channel.members.append(member.id)
        channel.creator = channel.members[0] if channel.members else ""
        self.slack.workspace.channels[channel.id] = channel
        return channel

    async def invite(self, channel: Channel, person: Account, by: Account | None = None) -> None:
        self._must_belong(channel, person)
        if by and by.id not in channel.members:
            raise CannotDo(f"{by.name} is not in #{channel.name}.", HELP_CHANNELS)
        if person.id in channel.members:
            raise CannotDo(f"{person.name} is in #{channel.name} already.", HELP_CHANNELS)
        posting.join(self.slack, channel, person, by)

    async def kick(self, channel: Channel, person: Account) -> None:
        """Take somebody out of a channel, as when they leave."""
        if person.id not in channel.members:
            raise CannotDo(f"{person.name} is not in #{channel.name}.", HELP_CHANNELS)
        posting.leave(self.slack, channel, person)

    def archive(self, channel: Channel) -> None:
        """Close a channel: https://docs.slack.dev/reference/events/channel_archive"""
        channel.archived = True
        event = "group_archive" if channel.private else "channel_archive"
        self._tell(channel, event, channel=channel.id, user=channel.creator)

    def unarchive(self, channel: Channel) -> None:
        """Open an archived channel again, with the members that it had:
        https://docs.slack.dev/reference/events/channel_unarchive"""
        if not channel.archived:
            raise CannotDo(f"#{channel.name} is not archived.", HELP_CHANNELS)
        channel.archived = False
        event = "group_unarchive" if channel.private else "channel_unarchive"
        self._tell(channel, event, channel=channel.id, user=channel.creator)

    def rename(self, channel: Channel, name: str) -> None:
        """Give a channel another name; the event holds the channel, not its id:
        https://docs.slack.dev/reference/events/channel_rename"""
        if self.slack.workspace.channel_named(name):
            raise CannotDo(f"There is a #{name} already.", HELP_CHANNELS)
        channel.name = name
        renamed = {"id": channel.id, "name": name, "name_normalized": name, "created": channel.created}
        self._tell(channel, "group_rename" if channel.private else "channel_rename", channel=renamed)

    async def convert(self, channel: Channel, by: Account, *, private: bool) -> None:
        """Make a channel public or private, which a message in it tells:
        https://docs.slack.dev/reference/events/message/channel_convert_to_public
        https://docs.slack.dev/reference/events/message/channel_convert_to_private"""
        if channel.private == private:
            raise CannotDo(f"#{channel.name} is that already.", HELP_CHANNELS)
        if private is False and channel.shared:
            raise CannotDo(f"#{channel.name} is shared, and stays private.", SLACK_CONNECT)
        channel.kind = "group" if private else "channel"
        now = "private" if private else "public"
        text = f"made this channel *{now}*"
        message = Message(self.slack.workspace.next_ts(), channel, text, by, subtype=f"channel_convert_to_{now}")
        posting.publish(self.slack, message)

    def unshare(self, channel: Channel, team: Team) -> None:
        """Share a channel no more with a company, whose people leave it:
        https://docs.slack.dev/reference/events/channel_unshared"""
        if team not in channel.shared_with:
            raise CannotDo(f"#{channel.name} is not shared with {team.name}.", SLACK_CONNECT)
        channel.shared_with.remove(team)
        channel.members[:] = [one for one in channel.members if self.slack.person(one).team is not team]
        self._tell(
            channel,
            "channel_unshared",
            channel=channel.id,
            previously_connected_team_id=team.id,
            is_ext_shared=channel.shared,
        )

    def share(self, channel: Channel, team: Team, *, new_id: bool = False) -> None:
        """Share a channel with another company; with ``new_id`` its id changes, as it does for some.

        https://docs.slack.dev/reference/events/channel_shared
        https://docs.slack.dev/reference/events/channel_id_changed
        """
        channel.shared_with.append(team)
        self._tell(channel, "channel_shared", channel=channel.id, connected_team_id=team.id)
        if new_id:
            old = channel.id
            self.slack.workspace.renumber(channel)
            self._tell(channel, "channel_id_changed", old_channel_id=old, new_channel_id=channel.id)

    def messages(self, channel: Channel, viewer: Account | None = None, thread_ts: str | None = None) -> list[Message]:
        """What is visible now, in ts order: the channel itself, or a whole thread with its root.

        With a ``viewer``, the messages that only they see are among them.
        """
        if thread_ts is None:
            found = list(channel.top_level())
        else:
            root = channel.posts.get(thread_ts)
            found = [*([root] if root else []), *channel.replies(thread_ts)]
        if viewer:
            private = (m for m in channel.ephemerals if m.only_for == viewer.id)
            found += [m for m in private if (m.thread_ts if m.is_reply else None) == thread_ts]
        return sorted(found, key=lambda m: m.ts)

    def dm_messages(self, person: Account) -> list[Message]:
        """The whole conversation between a person and the bot, threads and ephemerals included."""
        channel = self.slack.direct(person)
        return sorted([*channel.posts.values(), *channel.ephemerals], key=lambda m: m.ts)

    def find(self, channel: Channel, contains: str, viewer: Account | None = None) -> Message:
        """The newest message with those words in its text or blocks, threads included; else LookupError."""
        private = (m for m in channel.ephemerals if viewer and m.only_for == viewer.id)
        found = sorted([*channel.posts.values(), *private], key=lambda m: m.ts)
        for message in reversed(found):
            if contains in message.text or contains in json.dumps(message.blocks, ensure_ascii=False):
                return message
        shown = "\n".join(f"  {m.text}" for m in found) or "  (nothing)"
        raise LookupError(f"No message in #{channel.name} contains {contains!r}. There are:\n{shown}")

    def _tell(self, channel: Channel, event: str, /, **payload: Any) -> None:
        whole = {"type": event, **payload, "event_ts": self.slack.workspace.next_ts()}
        events.emit(self.slack, event, whole, channel)

    def _must_belong(self, channel: Channel, person: Account) -> None:
        if person.deleted:
            raise CannotDo(f"{person.name} is deactivated.", HELP_CHANNELS)
        if person.team.id not in {channel.host.id, *(team.id for team in channel.shared_with)}:
            theirs = person.team.name
            raise CannotDo(f"#{channel.name} is not shared with {theirs}.", SLACK_CONNECT)
