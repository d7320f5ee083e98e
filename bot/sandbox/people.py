"""What people do in Slack. Whatever Slack's client would not let them do raises CannotDo."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.sandbox import block_actions, events, filling, interactions, posting
from bot.sandbox.errors import CannotDo
from bot.sandbox.interactions import Interaction
from bot.sandbox.references import (
    APP_HOME,
    BLOCK_ACTIONS,
    HELP_CHANNELS,
    HELP_EDITING,
    HELP_FILES,
    MANIFEST,
    MODALS,
    SHORTCUTS,
    SLACK_CONNECT,
    SLASH_COMMANDS,
    TRUNCATION,
)
from bot.sandbox.shapes import unix_now
from bot.sandbox.text import encode, plain_mentions, rich_text, with_names
from bot.sandbox.workspace import Account, Channel, File, Message, View, new_id, new_token

if TYPE_CHECKING:
    from bot.sandbox.slack import Slack

LONGEST_TEXT = 40_000

NewFile = tuple[str, str, bytes]
"""Name, media type, content."""


@dataclass(eq=False, kw_only=True)
class Person(Account):
    """Somebody with hands. Every act takes place at once; the app hears of it in the background."""

    slack: "Slack" = field(repr=False)

    async def post(
        self,
        channel: Channel,
        text: str,
        *,
        thread_ts: str | None = None,
        files: Sequence[NewFile] = (),
        broadcast: bool = False,
        raw: bool = False,
    ) -> Message:
        """Write a message. ``raw``: the text is already encoded as Slack delivers it."""
        self._must_be_in(channel)
        if channel.archived:
            raise CannotDo(f"#{channel.name} is archived.", HELP_CHANNELS)
        if not text and not files:
            raise CannotDo("A message needs words or a file.", HELP_CHANNELS)
        if len(text) > LONGEST_TEXT:
            raise CannotDo(f"A message has at most {LONGEST_TEXT} characters.", TRUNCATION)
        root = posting.thread_of(channel, thread_ts)
        if thread_ts and not root:
            raise CannotDo("That thread is gone.", HELP_EDITING)
        message = Message(self.slack.workspace.next_ts(), channel, "", self, thread_ts=root)
        self._word(message, text, raw=raw)
        message.client_msg_id = str(uuid.uuid4())
        message.files = [self._upload(*file) for file in files]
        message.broadcast = broadcast and root is not None
        message.subtype = "thread_broadcast" if message.broadcast else "file_share" if files else None
        return posting.publish(self.slack, message)

    async def dm(self, text: str, *, thread_ts: str | None = None, files: Sequence[NewFile] = ()) -> Message:
        """Write to the bot, in the conversation with it."""
        return await self.post(self.slack.direct(self), text, thread_ts=thread_ts, files=files)

    async def edit(self, message: Message, text: str, *, raw: bool = False) -> None:
        self._must_see(message)
        if message.author is not self or message.is_tombstone:
            raise CannotDo("People can only edit their own messages.", HELP_EDITING)
        worded = Message(message.ts, message.channel, "", self)
        self._word(worded, text, raw=raw)
        edited = {"user": self.id, "ts": f"{unix_now()}.000000"}
        posting.change(self.slack, message, text=worded.text, blocks=worded.blocks, edited=edited)

    async def delete(self, message: Message) -> None:
        """Delete a message of one's own; an admin may delete any."""
        self._must_see(message)
        if message.is_tombstone or (message.author is not self and not self.admin):
            raise CannotDo("People can only delete their own messages.", HELP_EDITING)
        posting.remove(self.slack, message)

    async def delete_file(self, file: File) -> None:
        """Delete a file of one's own; the message that showed it stays."""
        if file.owner is not self or file.deleted:
            raise CannotDo("People can only delete their own files.", HELP_FILES)
        posting.delete_file(self.slack, file)

    async def react(self, message: Message, name: str) -> None:
        self._must_see(message)
        if message.only_for or message.is_tombstone:
            raise CannotDo("That message takes no reactions.", HELP_EDITING)
        if self.id in message.reactions.get(name, []):
            raise CannotDo(f"{self.name} reacted with :{name}: already.", HELP_EDITING)
        posting.react(self.slack, message, self, name)

    async def unreact(self, message: Message, name: str) -> None:
        self._must_see(message)
        if self.id not in message.reactions.get(name, []):
            raise CannotDo(f"{self.name} has not reacted with :{name}:.", HELP_EDITING)
        posting.unreact(self.slack, message, self, name)

    async def command(
        self, command: str, text: str = "", *, channel: Channel | None = None, thread_ts: str | None = None
    ) -> Interaction:
        """Use a slash command; without a channel, in the conversation with the bot."""
        place = channel or self.slack.direct(self)
        if thread_ts:
            raise CannotDo("Slash commands cannot be used in threads.", SLASH_COMMANDS)
        if command not in self.slack.manifest.commands:
            raise CannotDo(f"{command} is not a valid command.", MANIFEST)
        self._must_have_the_app(f"use {command}", SLASH_COMMANDS)
        self._must_be_in(place)
        handles = {account.id: account.handle for account in self.slack.workspace.people.values()}
        escape = self.slack.manifest.commands[command]
        sent = with_names(self._encoded(text), handles) if escape else plain_mentions(text, handles)
        return await interactions.run_command(self.slack, self, command, sent, place)

    async def shortcut(self, callback_id: str) -> Interaction:
        """Use a global shortcut: https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload"""
        self._must_have_shortcut(callback_id, "global")
        user = {"id": self.id, "username": self.handle, "team_id": self.team.id}
        return await self._interact({"type": "shortcut", "callback_id": callback_id, "user": user} | self._action())

    async def message_shortcut(self, callback_id: str, message: Message) -> Interaction:
        """Use a message shortcut, from a message's menu, whether the bot is in the channel or not.

        Unlike others, its payload need not say of which team the person is:
        https://github.com/slackapi/bolt-js/blob/main/src/types/shortcuts/message-shortcut.ts
        """
        self._must_have_shortcut(callback_id, "message")
        self._must_see(message)
        if message.only_for or message.is_tombstone:
            raise CannotDo("That message has no menu.", SHORTCUTS)
        kind: dict[str, Any] = {
            "type": "message_action",
            "callback_id": callback_id,
            "message_ts": message.ts,
            "user": {"id": self.id, "name": self.handle},
        }
        return await self._interact(kind | self._action() | block_actions.about(self.slack, self, message))

    async def click(
        self, where: Message | View, action_id: str, value: str | None = None, block_id: str | None = None
    ) -> Interaction:
        """Click a button of a message, of the open modal (``person.view``) or of the App Home."""
        block, button = self._find(where, action_id, value, block_id)
        if button["type"] not in ("button", "workflow_button"):
            raise CannotDo(f"{action_id!r} is not a button.", BLOCK_ACTIONS)
        return await self._act(where, block, button, {"text": button["text"], "value": button.get("value")})

    async def choose(
        self, where: Message | View, action_id: str, value: Any, block_id: str | None = None
    ) -> Interaction:
        """Choose in a menu, by an option's value or, in others, a person, a channel, a date."""
        block, element = self._find(where, action_id, None, block_id)
        if block["type"] == "input" and not block.get("dispatch_action"):
            raise CannotDo(f"{action_id!r} sends nothing by itself: fill and submit.", BLOCK_ACTIONS)
        if element["type"] == "overflow":
            chosen = {"selected_option": filling.option(element, value)}
        else:
            chosen = filling.entered(element, value)
            if not isinstance(where, Message):
                where["state"]["values"][block["block_id"]][action_id] = chosen
        return await self._act(where, block, element, chosen)

    async def fill(self, values: dict[str, Any] | None = None, **blocks: Any) -> None:
        """Fill in the modal on top, by block_id."""
        filling.fill(self._top(), (values or {}) | blocks)

    async def submit(self, values: dict[str, Any] | None = None) -> Interaction:
        """Fill in and submit the modal on top, by ``{block_id: value}`` as in ``filling.fill``."""
        view = self._top()
        if view["submit"] is None:
            raise CannotDo("This modal has no submit button.", MODALS)
        filling.fill(view, values or {})
        filling.check_complete(view)
        return await interactions.submit_view(self.slack, self, view)

    async def dismiss(self) -> None:
        """Close the modal on top; ``clear_on_close`` closes the whole stack:
        https://docs.slack.dev/surfaces/modals#close_views"""
        view = self._top()
        cleared = bool(view["clear_on_close"])
        closing = list(reversed(self.views)) if cleared else [view]
        for each in closing:
            self.views.remove(each)
        for each in closing:
            if each["notify_on_close"]:
                await self._interact({"type": "view_closed", "view": each, "is_cleared": cleared})

    async def open_home(self) -> None:
        """Open the app's Home tab, which may publish to it: https://docs.slack.dev/surfaces/app-home"""
        if not self.slack.manifest.home_tab:
            raise CannotDo("The app has no Home tab.", APP_HOME)
        channel = self.slack.direct(self)
        event: dict[str, Any] = {
            "type": "app_home_opened",
            "user": self.id,
            "channel": channel.id,
            "tab": "home",
            "event_ts": self.slack.workspace.next_ts(),
        }
        if self.home:
            event["view"] = self.home
        events.emit(self.slack, "app_home_opened", event, channel)

    def _word(self, message: Message, text: str, *, raw: bool) -> None:
        message.text = text if raw else self._encoded(text)
        message.blocks = rich_text(message.text, new_token(5))

    def _encoded(self, text: str) -> str:
        return encode(text, self.slack.workspace.exists)

    def _upload(self, name: str, mimetype: str, content: bytes) -> File:
        file_id = new_id("F")
        url = f"{self.slack.url}/files/{file_id}/{quote(name)}"
        file = File(file_id, name, mimetype, content, self, unix_now(), url)
        self.slack.workspace.files[file_id] = file
        return file

    def _must_be_in(self, channel: Channel) -> None:
        if self.deleted:
            raise CannotDo(f"{self.name} is deactivated.", HELP_CHANNELS)
        if self.id not in channel.members:
            raise CannotDo(f"{self.name} is not in #{channel.name}.", HELP_CHANNELS)

    def _must_see(self, message: Message) -> None:
        self._must_be_in(message.channel)
        if message.only_for:
            shown = message.only_for == self.id and message in message.channel.ephemerals
        else:
            shown = message.channel.posts.get(message.ts) is message
        if not shown:
            raise CannotDo(f"{self.name} does not see that message.", HELP_EDITING)

    def _must_have_the_app(self, act: str, url: str) -> None:
        """Commands and shortcuts are only for members of the installing team."""
        if self.team.id != self.slack.team.id:
            theirs = self.team.name
            raise CannotDo(f"{self.name} cannot {act}: {theirs} has not installed the app ({url}).", SLACK_CONNECT)

    def _must_have_shortcut(self, callback_id: str, kind: str) -> None:
        if self.slack.manifest.shortcuts.get(callback_id) != kind:
            raise CannotDo(f"The app has no {kind} shortcut {callback_id!r}.", MANIFEST)
        self._must_have_the_app(f"use the shortcut {callback_id}", SHORTCUTS)

    def _top(self) -> View:
        if self.view is None:
            raise CannotDo(f"{self.name} has no modal open.", MODALS)
        return self.view

    def _find(
        self, where: Message | View, action_id: str, value: str | None, block_id: str | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The element as it is shown now, with its block."""
        if isinstance(where, Message):
            self._must_see(where)
            return block_actions.find(where.blocks, action_id, value, block_id)
        if where is not self.view and where is not self.home:
            raise CannotDo(f"{self.name} does not see that view.", MODALS)
        return block_actions.find(where["blocks"], action_id, value, block_id)

    async def _act(
        self, where: Message | View, block: dict[str, Any], element: dict[str, Any], content: dict[str, Any]
    ) -> Interaction:
        done = block_actions.action(self.slack, block, element, content)
        return await self._interact(block_actions.payload(self.slack, self, where, done))

    def _action(self) -> dict[str, str]:
        return {"action_ts": self.slack.workspace.next_ts(), "trigger_id": self.slack.triggers.issue(self)}

    async def _interact(self, payload: dict[str, Any]) -> Interaction:
        if not self.slack.manifest.interactive:
            raise CannotDo("The app's manifest does not enable interactivity.", MANIFEST)
        return await interactions.interact(self.slack, interactions.who(self.slack, self) | payload)
