"""The sandbox's people over HTTP, for trying the desk by hand with curl. Thin over the Python interface."""

import contextlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from bot.sandbox.errors import CannotDo
from bot.sandbox.interactions import Interaction
from bot.sandbox.people import Person
from bot.sandbox.sandbox import Sandbox
from bot.sandbox.shapes import message_object
from bot.sandbox.workspace import Account, Channel, Message, View

Json = dict[str, Any]
Act = Callable[[Json], Awaitable[Json]]
Handler = Callable[[web.Request], Awaitable[web.Response]]

INDEX = """\
A Slack workspace of your own. People are named by first name, channels by name; in texts, @name and #channel
become mentions (@desk is the bot). Everything is JSON over POST, answers included.

{people}
  curl {url}/sandbox/channels                      what channels there are
  curl {url}/sandbox/channels/help-globex          what is in one (?viewer=ada, ?thread_ts=…)
  curl {url}/sandbox/people/grace                  her open modal, App Home and conversation with the bot
  curl {url}/sandbox/calls                         what the bot called last, and what it got
  curl {url}/sandbox/deliveries                    what was delivered to the bot last, and how it answered

  curl {url}/sandbox/post     -d '{{"person": "ada", "channel": "help-globex", "text": "The export fails"}}'
                               with "thread_ts" it is a reply
  curl {url}/sandbox/dm       -d '{{"person": "bob", "text": "Hello"}}'
  curl {url}/sandbox/edit     -d '{{"person": "ada", "channel": "help-globex", "ts": "…", "text": "…"}}'
  curl {url}/sandbox/delete   -d '{{"person": "ada", "channel": "help-globex", "ts": "…"}}'
  curl {url}/sandbox/react    -d '{{"person": "grace", "channel": "triage", "ts": "…", "name": "eyes"}}'
  curl {url}/sandbox/unreact  -d '{{"person": "grace", "channel": "triage", "ts": "…", "name": "eyes"}}'
  curl {url}/sandbox/command  -d '{{"person": "grace", "channel": "triage", "command": "/ticket", "text": "list"}}'
  curl {url}/sandbox/click    -d '{{"person": "grace", "channel": "triage", "ts": "…", "action_id": "…"}}'
                               without "channel": in the open modal, or with "home": true in the App Home
  curl {url}/sandbox/choose   -d '{{… as click …, "value": "…"}}'
  curl {url}/sandbox/submit   -d '{{"person": "grace", "values": {{"Reply": "It works again"}}}}'
                               each value by its field's label, or by its block_id
  curl {url}/sandbox/dismiss  -d '{{"person": "grace"}}'
  curl {url}/sandbox/home     -d '{{"person": "grace"}}'
  curl {url}/sandbox/shortcut -d '{{"person": "grace", "callback_id": "…", "channel": "…", "ts": "…"}}'
  curl {url}/sandbox/invite   -d '{{"person": "desk", "channel": "…"}}'
  curl {url}/sandbox/kick     -d '{{"person": "desk", "channel": "…"}}'

What Slack would not let a person do is answered with 409 and the page that says so.
"""

_NAMED = re.compile(r"([@#])([\w.-]*\w)")
_LAST = 50
_HEARD_SECONDS = 3.0


class Control:
    """Adds the routes under ``/sandbox/`` to a sandbox that has not started yet."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        router = sandbox.server.app.router
        router.add_get("/sandbox/", self._index)
        router.add_get("/sandbox/channels", self._channels)
        router.add_get("/sandbox/channels/{name}", _speaking(self._channel_messages))
        router.add_get("/sandbox/people/{name}", _speaking(self._person_view))
        router.add_get("/sandbox/calls", self._calls)
        router.add_get("/sandbox/deliveries", self._deliveries)
        router.add_post("/sandbox/{act}", _speaking(self._do))
        self._acts: dict[str, Act] = {
            "post": self._post,
            "dm": self._dm,
            "edit": self._edit,
            "delete": self._delete,
            "react": self._react,
            "unreact": self._unreact,
            "command": self._command,
            "click": self._click,
            "choose": self._choose,
            "submit": self._submit,
            "dismiss": self._dismiss,
            "home": self._home,
            "shortcut": self._shortcut,
            "invite": self._invite,
            "kick": self._kick,
        }

    async def _do(self, http: web.Request) -> web.Response:
        act = self._acts.get(http.match_info["act"])
        if act is None:
            raise web.HTTPNotFound(text=self._explained())
        return _json(await act(await http.json()))

    async def _index(self, _http: web.Request) -> web.Response:
        return web.Response(text=self._explained())

    def _explained(self) -> str:
        people = [one for one in self._sandbox.slack.workspace.people.values() if isinstance(one, Person)]
        listed = "".join(f"  {one.handle.partition('.')[0]:<8} {one.name} of {one.team.name}\n" for one in people)
        return INDEX.format(url=self._sandbox.url, people=listed)

    async def _channels(self, _http: web.Request) -> web.Response:
        people = self._sandbox.slack.workspace.people
        channels = self._sandbox.slack.workspace.channels.values()
        listed = {c.name: [people[member].name for member in c.members] for c in channels if c.kind != "im"}
        return _json(listed)

    async def _channel_messages(self, http: web.Request) -> web.Response:
        channel, viewer = self._channel(http.match_info["name"]), http.query.get("viewer")
        reader = self._account(viewer) if viewer else None
        found = self._sandbox.messages(channel, reader, http.query.get("thread_ts"))
        return _json([self._shown(message) for message in found])

    async def _person_view(self, http: web.Request) -> web.Response:
        person = self._account(http.match_info["name"])
        conversation = [self._shown(message) for message in self._sandbox.dm_messages(person)]
        return _json({"view": person.view, "home": person.home, "messages": conversation})

    async def _calls(self, _http: web.Request) -> web.Response:
        return _json([vars(call) for call in self._sandbox.calls[-_LAST:]])

    async def _deliveries(self, _http: web.Request) -> web.Response:
        attempts = self._sandbox.deliveries[-_LAST:]
        return _json(
            [{"type": d.type, "retry": d.retry, "status": d.status, "failure": d.failure, "ms": d.ms} for d in attempts]
        )

    async def _post(self, given: Json) -> Json:
        channel, text = self._channel(given["channel"]), self._typed(given["text"])
        person = self._person(given)
        return self._shown(await person.post(channel, text, thread_ts=given.get("thread_ts")))

    async def _dm(self, given: Json) -> Json:
        text = self._typed(given["text"])
        return self._shown(await self._person(given).dm(text, thread_ts=given.get("thread_ts")))

    async def _edit(self, given: Json) -> Json:
        message = self._message(given)
        await self._person(given).edit(message, self._typed(given["text"]))
        return self._shown(message)

    async def _delete(self, given: Json) -> Json:
        await self._person(given).delete(self._message(given))
        return {}

    async def _react(self, given: Json) -> Json:
        message = self._message(given)
        await self._person(given).react(message, given["name"])
        return self._shown(message)

    async def _unreact(self, given: Json) -> Json:
        message = self._message(given)
        await self._person(given).unreact(message, given["name"])
        return self._shown(message)

    async def _command(self, given: Json) -> Json:
        person, channel = self._person(given), self._channel(given["channel"])
        text = self._typed(given.get("text", ""))
        return _result(await person.command(given["command"], text, channel=channel), person)

    async def _click(self, given: Json) -> Json:
        person, place = self._person(given), self._place(given)
        block_id, value = given.get("block_id"), given.get("value")
        return _result(await person.click(place, given["action_id"], value, block_id), person)

    async def _choose(self, given: Json) -> Json:
        person, place = self._person(given), self._place(given)
        action_id, block_id = given["action_id"], given.get("block_id")
        return _result(await person.choose(place, action_id, given["value"], block_id), person)

    async def _submit(self, given: Json) -> Json:
        person = self._person(given)
        return _result(await person.submit(given.get("values")), person)

    async def _dismiss(self, given: Json) -> Json:
        await self._person(given).dismiss()
        return {}

    async def _home(self, given: Json) -> Json:
        person = self._person(given)
        await person.open_home()
        # The app publishes it when it hears of that; one that does not run never hears.
        with contextlib.suppress(TimeoutError):
            await self._sandbox.settled(_HEARD_SECONDS)
        return {"home": person.home}

    async def _shortcut(self, given: Json) -> Json:
        person, callback_id = self._person(given), given["callback_id"]
        if "ts" in given:
            return _result(await person.message_shortcut(callback_id, self._message(given)), person)
        return _result(await person.shortcut(callback_id), person)

    async def _invite(self, given: Json) -> Json:
        by = self._account(given["by"]) if "by" in given else None
        await self._sandbox.invite(self._channel(given["channel"]), self._account(given["person"]), by)
        return {}

    async def _kick(self, given: Json) -> Json:
        await self._sandbox.kick(self._channel(given["channel"]), self._account(given["person"]))
        return {}

    def _account(self, name: str) -> Account:
        wanted = name.lower()
        for account in self._sandbox.slack.workspace.people.values():
            if wanted in (account.id.lower(), account.handle, account.handle.partition(".")[0]):
                return account
        raise ValueError(f"nobody is called {name!r}")

    def _person(self, given: Json) -> Person:
        account = self._account(given["person"])
        if not isinstance(account, Person):
            raise ValueError(f"{account.name} is a bot")  # noqa: TRY004 - a mistake in the request
        return account

    def _channel(self, name: str) -> Channel:
        workspace = self._sandbox.slack.workspace
        channel = workspace.channels.get(name) or workspace.channel_named(name)
        if channel is None:
            raise ValueError(f"there is no channel {name!r}")
        return channel

    def _message(self, given: Json) -> Message:
        channel = self._channel(given["channel"])
        shown = {m.ts: m for m in [*channel.posts.values(), *channel.ephemerals]}
        if given["ts"] not in shown:
            raise ValueError(f"#{channel.name} has no message {given['ts']!r}")
        return shown[given["ts"]]

    def _place(self, given: Json) -> Message | View:
        if "channel" in given:
            return self._message(given)
        person = self._account(given["person"])
        view = person.home if given.get("home") else person.view
        if view is None and given.get("home"):
            raise ValueError(f"{person.name} has not opened the App Home yet: POST /sandbox/home")
        if view is None:
            raise ValueError(f"{person.name} has nothing open")
        return view

    def _typed(self, text: str) -> str:
        """What Slack's composer makes of ``@grace`` and ``#triage`` as they are typed."""

        def mention(named: re.Match[str]) -> str:
            try:
                found = self._account(named[2]) if named[1] == "@" else self._channel(named[2])
            except ValueError:
                return named[0]
            return found.mention

        return _NAMED.sub(mention, text)

    def _shown(self, message: Message) -> Json:
        author = message.username or (message.author.name if message.author else None)
        private = {"only_for": self._sandbox.slack.person(message.only_for).name} if message.only_for else {}
        return {"author": author, **private, **message_object(self._sandbox.slack, message)}


def _json(shown: Any, status: int = 200) -> web.Response:
    """For eyes on a terminal."""
    text = json.dumps(shown, indent=2, ensure_ascii=False) + "\n"
    return web.Response(text=text, status=status, content_type="application/json")


def _speaking(handler: Handler) -> Handler:
    """Answer a mistake with a sentence."""

    async def answer(http: web.Request) -> web.Response:
        try:
            return await handler(http)
        except CannotDo as refusal:
            return _json({"cannot": refusal.sentence, "see": refusal.url}, status=409)
        except KeyError as missing:
            return _json({"missing": str(missing.args[0])}, status=400)
        except ValueError as mistake:
            return _json({"mistake": str(mistake)}, status=400)

    return answer


def _result(interaction: Interaction, person: Account) -> Json:
    """How the app answered, and the modal that the person has before them now."""
    return vars(interaction) | {"view": person.view}
