"""Who may do what, from every surface: commands, mentions in both threads, buttons in messages and in App Home, forms,
lists, shortcuts and reactions, forged or not.

The tables are written out by hand. What stands in WAYS is all that a surface has; a new one is a line there. A test
says when a verb, a button, a form, a shortcut, a reaction or an operation is missing. The desk under test has no
courier: what it would show does not matter here, only what it does and whom it tells.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar, get_args
from uuid import uuid4

import asyncpg
import pytest

from bot import app
from bot.blocks import modals
from bot.blocks.ids import Action, Callback, Shortcut
from bot.sandbox import Channel, Person, Sandbox, interactions
from bot.services import Services
from bot.tickets import conversation, emails, listing, work
from bot.tickets.grammar import VERBS, List
from bot.tickets.permissions import Operation
from storage import channels, homes, people, picked, tickets
from storage.engine import Database
from storage.listing import Place
from storage.people import Kind, Profile
from storage.reactions import USUAL, Meaning
from tests.conftest import open_world, other_program, own_database

#: Everybody but the first two tries it on a ticket that somebody else has asked for.
MAY = """
                | requester | own ticket | agent | elsewhere | colleague | other firm | guest | gone | bot | nobody
READ            | yes       | yes        | yes   | no        | no        | no         | no    | no   | no  | no
READ_NOTES      | no        | no         | yes   | no        | no        | no         | no    | no   | no  | no
CLAIM           | no        | no         | yes   | no        | no        | no         | no    | no   | no  | no
ASSIGN          | no        | no         | yes   | no        | no        | no         | no    | no   | no  | no
REPLY           | no        | no         | yes   | no        | no        | no         | no    | no   | no  | no
NOTE            | no        | no         | yes   | no        | no        | no         | no    | no   | no  | no
EDIT            | no        | no         | yes   | no        | no        | no         | no    | no   | no  | no
ADD             | no        | no         | yes   | no        | no        | no         | no    | no   | no  | no
CLOSE           | yes       | yes        | yes   | no        | no        | no         | no    | no   | no  | no
REOPEN          | yes       | yes        | yes   | no        | no        | no         | no    | no   | no  | no
SPAM            | no        | no         | yes   | no        | no        | no         | no    | no   | no  | no
RATE            | yes       | yes        | no    | no        | no        | no         | no    | no   | no  | no
LEAVE_EMAIL     | yes       | yes        | no    | no        | no        | no         | no    | no   | no  | no
DECIDE_EMAIL    | no        | no         | yes   | no        | no        | no         | no    | no   | no  | no
OPEN_FOR_OTHERS | no        | yes        | yes   | no        | no        | no         | no    | no   | no  | no
FIGURES         | no        | yes        | yes   | yes       | no        | no         | no    | no   | no  | no
"""
#: What concerns no ticket that there is. "own ticket" is an agent of #triage, "elsewhere" one of another channel.
MAY_BESIDE = """
                | requester | own ticket | agent | elsewhere | colleague | other firm | guest | gone | bot | nobody
SET_UP          | no        | yes        | yes   | no        | no        | no         | no    | no   | no  | no
SET_UP_NEW      | no        | yes        | yes   | yes       | no        | no         | no    | no   | no  | no
OPEN_FROM       | yes       | yes        | yes   | no        | no        | no         | no    | no   | no  | no
PICK            | no        | yes        | yes   | yes       | no        | no         | no    | no   | no  | no
CHOOSE          | no        | yes        | yes   | yes       | no        | no         | no    | no   | no  | no
"""


class Beside(StrEnum):
    SET_UP = "set up a channel whose tickets go to #triage"
    SET_UP_NEW = "set up a channel that has no role yet"
    OPEN_FROM = "open a ticket from the requester's message"
    PICK = "pick a message for a ticket"
    CHOOSE = "choose what App Home lists"


#: Whoever else could write in the private channel would have joined it just now, and what they write there is a note.
IN_TRIAGE = {"agent", "own ticket", "guest", "bot"}
CUSTOMER_THREAD, TRIAGE_THREAD = "@desk in the customer thread", "@desk in the triage thread"
#: Where the first page of every list begins.
BEFORE_ALL = Place(dt.datetime(2100, 1, 1, tzinfo=dt.UTC), 1)
TITLE, SECRET, MORE = "The export fails", "an internal matter", "Another title"


Row = TypeVar("Row", bound=StrEnum)


def read(written: str, rows: type[Row]) -> dict[Row, dict[str, bool]]:
    head, *lines = [line.split("|") for line in written.strip("\n").splitlines()]
    who = [name.strip() for name in head[1:]]
    return {rows[line[0].strip()]: dict(zip(who, ["yes" in cell for cell in line[1:]], strict=True)) for line in lines}


def table() -> dict[StrEnum, dict[str, bool]]:
    return {**read(MAY, Operation), **read(MAY_BESIDE, Beside)}


@dataclass
class About:
    """A ticket that Linus has, noted on, with a reply held and an address asked about; who asked for it."""

    number: int
    id: Any
    requester: Person
    root: str
    card: str
    held: Any
    claim: Any


@dataclass
class Desk:
    sandbox: Sandbox
    services: Services
    sql: asyncpg.Connection
    help: Any
    triage: Any
    linus: Person
    everybody: dict[str, Person]
    count: int = 0
    untouched: dict[bool, About] = field(default_factory=dict)

    async def known(self, person: Person, kind: Kind = "member", *, agent: bool = False) -> None:
        async with self.services.transaction() as tx:
            await people.meet(tx, person.team.id, person.id)
            await people.learn(
                tx, Profile(person.team.id, person.id, kind, person.name, None, None, None, is_admin=False)
            )
        if agent:
            members = "insert into threadesk.triage_members values ($1, $2, $3) on conflict do nothing"
            await self.sql.execute(members, self.triage.id, person.team.id, person.id)

    async def ticket(self, requester: Person, *, closed: bool) -> About:
        next_ts, services = self.sandbox.slack.workspace.next_ts, self.services
        root, card, taken = next_ts(), next_ts(), f"taken{self.count}@globex.example"
        user = uuid4()
        await self.sql.execute("insert into auth.users (id) values ($1)", user)
        await self.sql.execute(
            "insert into customers (id, first_name, last_name, email) values ($1, 'A', 'B', $2)", user, taken
        )
        async with services.transaction() as tx:
            person = await people.meet(tx, requester.team.id, requester.id)
            linus = await people.meet(tx, self.linus.team.id, self.linus.id)
            ticket = await work.open_new(tx, services.desk, person, self.help.id, work.Request(TITLE, ""))
            await tickets.root_posted(tx, ticket.id, self.help.id, root)
            await conversation.begin_thread(tx, services.desk, ticket.id, "triage", self.triage.id, card)
            await work.claim(tx, linus, ticket.number)
            await work.note(tx, linus, ticket.number, SECRET)
            await emails.leave(tx, person, ticket.number, taken)
        async with services.transaction() as tx:
            if closed:
                await work.close(tx, linus, ticket.number)
            await work.reply(tx, services.desk, linus, ticket.number, "Try again")
        held = await self.sql.fetchval("select id from threadesk.replies where ticket_id = $1", ticket.id)
        claim = await self.sql.fetchval("select id from threadesk.email_claims where ticket_id = $1", ticket.id)
        return About(ticket.number, ticket.id, requester, root, card, held, claim)

    async def somebody(self, who: str, *, closed: bool) -> tuple[Person, About]:
        """One of the table's people, and the ticket about which they try: the last one's who could do nothing to it."""
        if who in self.everybody and closed in self.untouched:
            return self.everybody[who], self.untouched.pop(closed)
        self.count += 1
        requester = self.sandbox.add_person(f"Rita {self.count}")
        await self.sandbox.invite(self.help, requester, by=self.everybody["colleague"])
        await self.known(requester, agent=who == "own ticket")
        about = await self.ticket(requester, closed=closed)
        return (requester if who in {"requester", "own ticket"} else self.everybody[who]), about

    async def seen(self, about: About) -> dict[str, Any]:
        """What operations change."""
        row = dict(await self.sql.fetchrow("select * from tickets where id = $1", about.id))
        states = "select array_agg(state order by id) from threadesk.{} where ticket_id = $1"
        return {
            **{name: row[name] for name in ("status", "assigned_to", "feedback", "customer_email")},
            "fields": [row[name] for name in ("title", "priority", "tags", "custom_fields")],
            "notes": len(row["internal_notes"]["notes"]),
            "not_a_ticket": await self.sql.fetchval(
                "select not_a_ticket from threadesk.desk_tickets where ticket_id = $1", about.id
            ),
            "replies": await self.sql.fetchval(states.format("replies"), about.id),
            "claims": await self.sql.fetchval(states.format("email_claims"), about.id),
            "tickets": await self.sql.fetchval("select count(*) from tickets"),
            "digests": await self.sql.fetchval("select count(*) from threadesk.notices where key like 'digest:%'"),
            "settings": await self.sql.fetchval("select count(*) from threadesk.settings_ledger where role = 'agent'"),
            "openings": await self.sql.fetchval("select count(*) from threadesk.openings"),
            "homes": await self.sql.fetch(
                "select list, status, priority, tag, triage_channel from threadesk.homes where list <> 'mine'"
                " or num_nonnulls(status, priority, tag, triage_channel) > 0 order by team_id, slack_id"
            ),
        }

    async def place(self, beside: Beside, who: Person) -> Channel:
        """A channel for `who` to set up: one of which the desk knows nothing, or one whose tickets go to #triage."""
        self.count += 1
        name = f"place-{self.count}"
        # Whoever is not in a private channel is not to come to know of it.
        there = [who] if who.team is self.sandbox.team and not who.deleted else []
        made = await self.sandbox.add_channel(name, private=True, members=[self.linus, *there, self.sandbox.bot])
        if beside is Beside.SET_UP:
            async with self.services.transaction() as tx:
                await channels.choose_support(tx, made.id, name, self.triage.id)
        return made


@pytest.fixture(scope="module")
async def desk(postgres: str, template: str) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(open_world())
        url = await stack.enter_async_context(own_database(postgres, template))
        sql = await stack.enter_async_context(other_program(url))
        sandbox = world.sandbox
        olga, gil, dora, robo = (sandbox.add_person(name) for name in ("Olga", "Gil", "Dora", "Robo"))
        gil.guest, robo.bot_id = True, "B1"
        for person in (gil, dora, robo):
            await sandbox.invite(world.triage, person, by=world.grace)
        ops = await sandbox.add_channel("ops", private=True, members=[olga, sandbox.bot])
        database = Database(url)
        stack.push_async_callback(database.close)
        async with database.transaction(world.clock()) as tx:
            await channels.choose_triage(tx, ops.id, "ops", suspended=None)
        settings = world.settings(url, reply_undo_seconds=600)
        services = await app.introduce(settings, database, world.clock)
        port = await stack.enter_async_context(app._listening(settings, services, asyncio.Event()))
        sandbox.deliver_to(f"http://127.0.0.1:{port}/slack/events")
        sandbox.deactivate(dora)
        await sandbox.settled()
        everybody = {
            "agent": world.grace,
            "elsewhere": olga,
            "colleague": world.ben,
            "other firm": world.bob,
            "guest": gil,
            "gone": dora,
            "bot": robo,
            "nobody": sandbox.add_person("Nell"),
        }
        opened = Desk(sandbox, services, sql, world.help, world.triage, world.linus, everybody)
        await opened.known(world.ben)
        await opened.known(world.bob, "external")
        yield opened


Do = Callable[[Desk, Person, About], Awaitable[str]]


@dataclass(frozen=True)
class Way:
    """One way to an operation. `uses`: the verb, button or form. `changes`: what of `seen` tells that it was done;
    "answer": what is told does, "view": a form that opens does.

    `to`: the only ones to whom the place offers it, since there an agent may be a customer; None: whoever may.
    """

    operation: Operation | Beside
    surface: str
    uses: str
    do: Do
    changes: str
    says: str = ""
    closed: bool = False
    to: frozenset[str] | None = None

    def __str__(self) -> str:
        return f"{self.operation.name} by {self.surface} {self.uses}"


def command(text: str) -> Do:
    async def do(desk: Desk, who: Person, about: About) -> str:
        fields = {
            "type": "/ticket",
            "command": "/ticket",
            "text": text.format(n=about.number, linus=desk.linus.mention, grace=desk.everybody["agent"].mention),
            "user_id": who.id,
            "team_id": who.team.id,
            "channel_id": desk.help.id,
            "trigger_id": desk.sandbox.slack.triggers.issue(who),
            "response_url": interactions.response_url(desk.sandbox.slack, who, desk.help),
        }
        answer = await desk.sandbox.deliver("command", fields)
        assert answer.status == 200
        return answer.answer.decode()

    return do


def mention(text: str, side: str) -> Do:
    """In the thread of the ticket, where the number is left out."""

    async def do(desk: Desk, who: Person, about: About) -> str:
        place, root = (desk.triage, about.card) if side == "triage" else (desk.help, about.root)
        words = text.format(n="", linus=desk.linus.mention, grace=desk.everybody["agent"].mention)
        ts = desk.sandbox.slack.workspace.next_ts()
        event = {
            "type": "app_mention",
            "channel": place.id,
            "user": who.id,
            "user_team": who.team.id,
            "text": f"{desk.sandbox.bot.mention} {words}",
            "ts": ts,
            "thread_ts": root,
        }
        envelope = {"type": "event_callback", "team_id": who.team.id, "event_id": f"Ev{ts}", "event": event}
        assert (await desk.sandbox.deliver("event", envelope)).status == 200
        return await notice(desk, f"mention:{place.id}:{ts}")

    return do


async def notice(desk: Desk, key: str) -> str:
    """What somebody is told alone."""
    told = await desk.sql.fetchrow("select kind, message from threadesk.notices where key = $1", key)
    assert told is None or told["kind"] in {"ephemeral", "direct"}
    return json.dumps(told["message"]) if told else ""


async def interacts(desk: Desk, who: Person, **payload: Any) -> str:
    """What they are told in the channel, in a direct message or over App Home."""
    who.views.clear()
    before = len(desk.help.ephemerals)
    trigger = desk.sandbox.slack.triggers.issue(who)
    by = {"user": {"id": who.id, "team_id": who.team.id}, "team": {"id": who.team.id}, "trigger_id": trigger}
    assert (await desk.sandbox.deliver("interaction", by | payload)).status == 200
    shown = [one.text for one in desk.help.ephemerals[before:] if one.only_for == who.id]
    return await notice(desk, f"button:{trigger}") + "".join(shown) + json.dumps(who.view)


def pressed(action: Action, value: str, about: About) -> dict[str, Any]:
    value = value.format(n=about.number, held=about.held, claim=about.claim)
    return {"action_id": action.value, "block_id": "actions", "value": value}


def in_a_message(desk: Desk, who: Person, about: About) -> dict[str, Any]:
    return {
        "type": "block_actions",
        "container": {"type": "message", "channel_id": desk.help.id, "message_ts": about.root},
        "response_url": interactions.response_url(desk.sandbox.slack, who, desk.help),
    }


def button(action: Action, value: str = "{n}") -> Do:
    async def do(desk: Desk, who: Person, about: About) -> str:
        return await interacts(desk, who, **in_a_message(desk, who, about), actions=[pressed(action, value, about)])

    return do


def home(action: Action, value: str = "{n}") -> Do:
    """In App Home, which shows nobody what is not theirs, whatever they press."""

    async def do(desk: Desk, who: Person, about: About) -> str:
        async with desk.services.transaction() as tx:
            await homes.open_(tx, await people.meet(tx, who.team.id, who.id))
        where = {
            "type": "block_actions",
            "container": {"type": "view", "view_id": "V0HOME"},
            "view": {"type": "home", "id": "V0HOME", "blocks": [], "state": {"values": {}}},
        }
        told = await interacts(desk, who, **where, actions=[pressed(action, value, about)])
        home = json.dumps(who.home)
        assert SECRET not in home
        assert who is about.requester or who is desk.everybody["agent"] or TITLE not in home
        return told

    return do


async def home_channel(desk: Desk, who: Person, about: About) -> str:
    """One's own triage channel."""
    async with desk.services.transaction() as tx:
        own = (await people.meet(tx, who.team.id, who.id)).agent_of or {desk.triage.id}
    return await home(Action.HOME_CHANNEL, min(own))(desk, who, about)


def set_up_by(action: Action, beside: Beside) -> Do:
    async def do(desk: Desk, who: Person, about: About) -> str:
        value = (await desk.place(beside, who)).id
        return await interacts(desk, who, **in_a_message(desk, who, about), actions=[pressed(action, value, about)])

    return do


def set_up_form(beside: Beside, role: str) -> Do:
    """The form of another channel, in which this one has been written."""

    async def do(desk: Desk, who: Person, about: About) -> str:
        metadata = json.dumps({"channel": (await desk.place(beside, who)).id})
        shown = FORMS[Callback.NOTE](about.number) | {"callback_id": "set_up", "private_metadata": metadata}
        return await sends(desk, who, shown, {"role": {"role": {"selected_option": {"value": role}}}})

    return do


def message_shortcut(shortcut: Shortcut) -> Do:
    """On a message of the requester's in the support channel, which is no ticket's."""

    async def do(desk: Desk, who: Person, about: About) -> str:
        ts = desk.sandbox.slack.workspace.next_ts()
        author = about.requester
        return await interacts(
            desk,
            who,
            type="message_action",
            callback_id=shortcut.value,
            action_ts=desk.sandbox.slack.workspace.next_ts(),
            channel={"id": desk.help.id, "name": "help-globex"},
            message={"type": "message", "user": author.id, "team": author.team.id, "ts": ts, "text": TITLE},
            message_ts=ts,
            response_url=interactions.response_url(desk.sandbox.slack, who, desk.help),
        )

    return do


async def add_form(desk: Desk, who: Person, about: About) -> str:
    """As if they had picked a message of the agents'."""
    message = {"channel": desk.triage.id, "ts": desk.sandbox.slack.workspace.next_ts(), "text": SECRET}
    async with desk.services.transaction() as tx:
        kept = await picked.keep(tx, await people.meet(tx, who.team.id, who.id), message)
    shown = modals.add_to_ticket("a message", str(kept))
    return await sends(desk, who, shown, {"number": {"number": {"value": str(about.number)}}})


def reaction(meaning: Meaning, on: str) -> Do:
    """On the ticket's first message, on its card, or on a message of the requester's that is no ticket's."""

    async def do(desk: Desk, who: Person, about: About) -> str:
        next_ts = desk.sandbox.slack.workspace.next_ts
        channel = desk.triage if on == "card" else desk.help
        ts = {"root": about.root, "card": about.card, "message": next_ts()}[on]
        event = {
            "type": "reaction_added",
            "user": who.id,
            "reaction": getattr(USUAL, meaning),
            "item": {"type": "message", "channel": channel.id, "ts": ts},
            "item_user": about.requester.id,
            "event_ts": next_ts(),
        }
        envelope = {"type": "event_callback", "team_id": who.team.id, "event_id": f"Ev{next_ts()}", "event": event}
        assert (await desk.sandbox.deliver("event", envelope)).status == 200
        told = "select message::text from threadesk.notices where key like $1 and kind in ('ephemeral', 'direct')"
        return str(await desk.sql.fetchval(told, f"reaction:{channel.id}:{ts}:{who.id}:%{event['event_ts']}") or "")

    return do


def form(callback: Callback, **typed: Any) -> Do:
    """As if the person had been shown the form, about this ticket."""

    async def do(desk: Desk, who: Person, about: About) -> str:
        shown = FORMS[callback](about.number)
        values = {
            block: {block: {"value": value} if isinstance(value, str) else value} for block, value in typed.items()
        }
        if callback is Callback.NEW_TICKET:
            values["customer"] = {
                "customer": {
                    "selected_user": about.requester.id
                    if who is not about.requester
                    else desk.everybody["colleague"].id
                }
            }
        return await sends(desk, who, shown, values)

    return do


async def sends(desk: Desk, who: Person, shown: dict[str, Any], values: dict[str, Any]) -> str:
    payload = {
        "type": "view_submission",
        "user": {"id": who.id, "team_id": who.team.id},
        "team": {"id": who.team.id},
        "view": shown | {"id": f"V{uuid4().hex}", "state": {"values": values}},
    }
    answer = await desk.sandbox.deliver("interaction", payload)
    assert answer.status == 200
    return answer.answer.decode()


def _edited(number: int) -> dict[str, Any]:
    shown = {"title": TITLE, "priority": "medium", "tags": [], "assignees": []}
    view = modals.note(number, TITLE)
    return view | {"callback_id": "edit", "private_metadata": json.dumps({"number": number, "shown": shown})}


FORMS: dict[Callback, Callable[[int], dict[str, Any]]] = {
    Callback.NEW_TICKET: lambda _: modals.new_ticket(channel=None, for_customer=True),
    Callback.REPLY: lambda number: modals.reply(number, TITLE, None),
    Callback.NOTE: lambda number: modals.note(number, TITLE),
    Callback.CLOSE: lambda number: modals.close(number, TITLE),
    Callback.EDIT: _edited,
    Callback.RATING_COMMENT: lambda number: modals.rating_comment(number, 3),
    Callback.EMAIL: modals.email,
}
HIGH = {"selected_option": {"value": "high"}}

#: verb: the operation, what is typed after it, what changes, of a closed ticket. Each as a command and as mentions.
TYPED: dict[str, tuple[Operation, str, str, bool]] = {
    "show": (Operation.READ, "show {n}", "answer", False),
    "claim": (Operation.CLAIM, "claim {n}", "assigned_to", False),
    "assign": (Operation.ASSIGN, "assign {n} {grace}", "assigned_to", False),
    "unassign": (Operation.ASSIGN, "unassign {n} {linus}", "assigned_to", False),
    "reply": (Operation.REPLY, "reply {n} Hello", "replies", False),
    "note": (Operation.NOTE, "note {n} Hello", "notes", False),
    "priority": (Operation.EDIT, "priority {n} high", "fields", False),
    "tag": (Operation.EDIT, "tag {n} +billing", "fields", False),
    "title": (Operation.EDIT, f"title {{n}} {MORE}", "fields", False),
    "set": (Operation.EDIT, "set {n} version=4", "fields", False),
    "close": (Operation.CLOSE, "close {n}", "status", False),
    "reopen": (Operation.REOPEN, "reopen {n}", "status", True),
    "spam": (Operation.SPAM, "spam {n}", "not_a_ticket", False),
    "digest": (Operation.FIGURES, "digest", "digests", False),
    "stats": (Operation.FIGURES, "stats", "answer", False),
}
#: What the answers of those say whose answer tells that it was done.
TOLD = {"show": TITLE, "stats": "Figures: Last 7 days"}
#: Verbs of which nothing is refused to anybody: lists show what one may see, and a form is checked when it is sent.
FOR_EVERYBODY = {"new", "list", "mine", "help"}
#: What each person has in their own App Home, and a link, whose press is only acknowledged.
PRESSED_BY_EVERYBODY = {
    Action.NEW_TICKET,
    Action.HOME_CLEAR,
    Action.HOME_REFRESH,
    Action.HOME_NEXT,
    Action.HOME_BACK,
    Action.OPEN_TICKET,
}
#: A form, which is checked when it is sent.
SHORTCUTS_OF_EVERYBODY = {Shortcut.NEW_TICKET}
#: What can be pressed about a ticket: the operation, the value, what changes, of a closed ticket. Each in a message
#: and, whether it is there or not, in App Home.
PRESSED: dict[Action, tuple[Operation, str, str, bool]] = {
    Action.CLAIM: (Operation.CLAIM, "{n}", "assigned_to", False),
    Action.REPLY: (Operation.REPLY, "{n}", "view", False),
    Action.NOTE: (Operation.NOTE, "{n}", "view", False),
    Action.CLOSE: (Operation.NOTE, "{n}", "view", False),
    Action.EDIT: (Operation.EDIT, "{n}", "view", False),
    Action.REOPEN: (Operation.REOPEN, "{n}", "status", True),
    Action.NOT_A_TICKET: (Operation.SPAM, "{n}", "not_a_ticket", False),
    Action.SOLVED: (Operation.CLOSE, "{n}", "status", False),
    Action.UNDO_REPLY: (Operation.REPLY, "{held}", "replies", False),
    Action.MAKE_NOTE: (Operation.REPLY, "{held}", "replies", False),
    Action.RATE_1: (Operation.RATE, "{n}", "feedback", True),
    Action.RATE_2: (Operation.RATE, "{n}", "feedback", True),
    Action.RATE_3: (Operation.RATE, "{n}", "feedback", True),
    Action.RATE_4: (Operation.RATE, "{n}", "feedback", True),
    Action.RATE_5: (Operation.RATE, "{n}", "feedback", True),
    Action.LEAVE_EMAIL: (Operation.LEAVE_EMAIL, "{n}", "view", False),
    Action.CONFIRM_EMAIL: (Operation.DECIDE_EMAIL, "{claim}", "claims", False),
    Action.REJECT_EMAIL: (Operation.DECIDE_EMAIL, "{claim}", "claims", False),
}
#: Where whoever is no agent for the ticket is a customer, even one who may do it elsewhere.
BY_AGENTS = frozenset({"agent"})


def offered(verb: str, side: str) -> frozenset[str] | None:
    """What agents write in the customer's thread is said to the customer; whose ticket it is asks there for help."""
    if side == "customer" and verb in {"reply", "note"}:
        return frozenset()
    return frozenset({"agent"}) if verb in {"digest", "stats"} else None


WAYS = [
    *(
        Way(operation, "/ticket", verb, command(text), changes, TOLD.get(verb, ""), closed)
        for verb, (operation, text, changes, closed) in TYPED.items()
    ),
    *(
        Way(
            operation,
            TRIAGE_THREAD if side == "triage" else CUSTOMER_THREAD,
            verb,
            mention(text, side),
            changes,
            TOLD.get(verb, ""),
            closed,
            to=offered(verb, side),
        )
        for side in ("customer", "triage")
        for verb, (operation, text, changes, closed) in TYPED.items()
    ),
    Way(Operation.READ_NOTES, "/ticket", "show", command("show {n}"), "answer", SECRET),
    Way(Operation.READ_NOTES, TRIAGE_THREAD, "show", mention("show", "triage"), "answer", SECRET),
    Way(Operation.READ_NOTES, CUSTOMER_THREAD, "show", mention("show", "customer"), "answer", SECRET),
    Way(Operation.READ, "/ticket", "list", command("list"), "answer", "|#{n} "),
    Way(Operation.NOTE, "/ticket", "close", command("close {n} Hello"), "notes"),
    *(
        Way(operation, surface, action, press(action, value), changes, closed=closed)
        for surface, press in (("button", button), ("App Home", home))
        for action, (operation, value, changes, closed) in PRESSED.items()
    ),
    Way(
        Operation.READ,
        "button",
        Action.MORE,
        button(Action.MORE, listing.encode_more(List(), "activity", BEFORE_ALL).replace("{", "{{")),
        "answer",
        "|#{n} ",
    ),
    Way(Operation.OPEN_FOR_OTHERS, "form", Callback.NEW_TICKET, form(Callback.NEW_TICKET, title="It fails"), "tickets"),
    Way(Operation.REPLY, "form", Callback.REPLY, form(Callback.REPLY, words="Hello"), "replies"),
    Way(Operation.NOTE, "form", Callback.NOTE, form(Callback.NOTE, words="Hello"), "notes"),
    Way(Operation.NOTE, "form", Callback.CLOSE, form(Callback.CLOSE, comment="Hello"), "notes"),
    Way(Operation.CLOSE, "form", Callback.CLOSE, form(Callback.CLOSE), "status"),
    Way(Operation.EDIT, "form", Callback.EDIT, form(Callback.EDIT, title=MORE, priority=HIGH), "fields"),
    Way(
        Operation.RATE,
        "form",
        Callback.RATING_COMMENT,
        form(Callback.RATING_COMMENT, comment="Hello"),
        "feedback",
        closed=True,
    ),
    Way(Operation.LEAVE_EMAIL, "form", Callback.EMAIL, form(Callback.EMAIL, email="ada@globex.example"), "claims"),
    Way(Operation.ADD, "form", Callback.ADD_TO_TICKET, add_form, "notes"),
    Way(Operation.CLAIM, "reaction", "claim", reaction("claim", "root"), "assigned_to"),
    Way(Operation.CLAIM, "reaction", "claim", reaction("claim", "card"), "assigned_to"),
    Way(Operation.CLOSE, "reaction", "close", reaction("close", "root"), "status", to=BY_AGENTS),
    Way(Operation.CLOSE, "reaction", "close", reaction("close", "card"), "status", to=BY_AGENTS),
    Way(
        Beside.OPEN_FROM,
        "reaction",
        "open",
        reaction("open", "message"),
        "openings",
        to=frozenset({"own ticket", "agent"}),
    ),
    Way(Beside.OPEN_FROM, "shortcut", Shortcut.OPEN_TICKET, message_shortcut(Shortcut.OPEN_TICKET), "openings"),
    Way(Beside.PICK, "shortcut", Shortcut.ADD_TO_TICKET, message_shortcut(Shortcut.ADD_TO_TICKET), "view"),
    Way(Beside.CHOOSE, "App Home", Action.HOME_LIST, home(Action.HOME_LIST, "all"), "homes"),
    Way(Beside.CHOOSE, "App Home", Action.HOME_STATUS, home(Action.HOME_STATUS, "open"), "homes"),
    Way(Beside.CHOOSE, "App Home", Action.HOME_PRIORITY, home(Action.HOME_PRIORITY, "high"), "homes"),
    Way(Beside.CHOOSE, "App Home", Action.HOME_TAG, home(Action.HOME_TAG, "billing"), "homes"),
    Way(Beside.CHOOSE, "App Home", Action.HOME_CHANNEL, home_channel, "homes"),
    Way(Beside.SET_UP, "/ticket", "setup", command("setup"), "view"),
    Way(Beside.SET_UP, CUSTOMER_THREAD, "setup", mention("setup", "customer"), "answer", "set_up", to=BY_AGENTS),
    Way(Beside.SET_UP, TRIAGE_THREAD, "setup", mention("setup", "triage"), "answer", "set_up", to=BY_AGENTS),
    Way(Beside.SET_UP, "button", Action.SET_UP, set_up_by(Action.SET_UP, Beside.SET_UP), "view"),
    Way(Beside.SET_UP, "button", Action.LEAVE_ALONE, set_up_by(Action.LEAVE_ALONE, Beside.SET_UP), "settings"),
    Way(Beside.SET_UP, "form", Callback.SET_UP, set_up_form(Beside.SET_UP, "none"), "settings"),
    *(
        Way(Beside.SET_UP_NEW, "button", action, set_up_by(action, Beside.SET_UP_NEW), changes)
        for action, changes in (
            (Action.SET_UP, "view"),
            (Action.SET_UP_SUPPORT, "settings"),
            (Action.SET_UP_TRIAGE, "settings"),
            (Action.LEAVE_ALONE, "settings"),
        )
    ),
    Way(Beside.SET_UP_NEW, "form", Callback.SET_UP, set_up_form(Beside.SET_UP_NEW, "support"), "settings"),
]


def test_nothing_is_missing() -> None:
    used = {(way.surface, way.uses) for way in WAYS}
    assert {way.operation for way in WAYS} == {*Operation, *Beside} == set(table())
    for surface in ("/ticket", CUSTOMER_THREAD, TRIAGE_THREAD):
        assert {verb for where, verb in used if where == surface} | FOR_EVERYBODY == set(VERBS)
    assert {action for where, action in used if where in {"button", "App Home"}} | PRESSED_BY_EVERYBODY == set(Action)
    assert {callback for where, callback in used if where == "form"} == set(Callback)
    assert {shortcut for where, shortcut in used if where == "shortcut"} | SHORTCUTS_OF_EVERYBODY == set(Shortcut)
    assert {meaning for where, meaning in used if where == "reaction"} == set(get_args(Meaning))


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_only_who_may_can_do_it(desk: Desk, way: Way) -> None:
    there = IN_TRIAGE if way.surface == TRIAGE_THREAD else set(table()[way.operation])
    may = {who for who, may in table()[way.operation].items() if may and (way.to is None or who in way.to)}
    expected = {who: who in may for who in there}
    assert {who: await tries(desk, way, who) for who in expected} == expected


async def tries(desk: Desk, way: Way, who: str) -> bool:
    """Whether it is done; where not, the person is told something, and it is neither a title nor a note."""
    person, about = await desk.somebody(who, closed=way.closed)
    before = await desk.seen(about)
    answer = await way.do(desk, person, about)
    after = await desk.seen(about)
    match way.changes:
        case "answer":
            done = way.says.format(n=about.number) in answer
        case "view":
            done = bool((person.view or {}).get("callback_id"))
        case what:
            done = after[what] != before[what]
    if not done:
        assert SECRET not in answer
        assert way.operation is Operation.READ_NOTES or TITLE not in answer
        unchanged = after if way.surface != CUSTOMER_THREAD else after | {"status": before["status"]}
        assert unchanged == before
        if who in desk.everybody and after == before:
            desk.untouched[way.closed] = about
    return done
