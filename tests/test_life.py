"""The life of tickets: people do what comes to their mind, wherever they are, and the rules of the desk hold.

A small model says what becomes of each ticket; after every act its row, its ledger and what Slack shows are compared
with it, and nothing that agents wrote for agents is anywhere in what a customer has received.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bot.sandbox import Message, Person
from bot.sandbox.interactions import Interaction
from tests.conftest import Office, World, open_office, open_world, other_program, own_database

T = TypeVar("T")

OUTSIDERS = ("ada", "bob", "ben")
EVERYBODY = (*OUTSIDERS, "grace", "linus")
#: So few tickets that much happens to each.
FEW = 2
#: Slash commands are for members of the workspace alone.
MEMBERS = ("ben", "grace", "linus")

#: What is said more often stands here more often.
SAID = """
claim claim assign unassign priority tag title note reply reply close close close-with reopen spam show list help
""".split()  # noqa: SIM905 - words read better as words

people = st.sampled_from((*EVERYBODY, "grace", "linus"))
members = st.sampled_from(MEMBERS)
agents = st.sampled_from(("grace", "linus"))
some = st.integers(0, 99)


@dataclass
class Said:
    author: str
    words: str
    message: Message | None = None
    gone: bool = False


@dataclass
class Held:
    author: str
    words: str


@dataclass
class Ticket:
    """What the rules say of a ticket. `thread`: the ts of the root of its customer's thread."""

    number: int
    requester: str
    place: str
    thread: str
    title: str
    description: str
    status: str = "new"
    priority: str = "medium"
    assigned: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    notes: list[Said] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    rating: int | None = None
    comment: str | None = None
    closings: int = 0
    asked: set[int] = field(default_factory=set)
    not_a_ticket: bool = False

    def reopen(self) -> None:
        self.status = "open" if self.assigned else "new"
        self.not_a_ticket = False

    def close(self) -> None:
        self.status = "closed"
        self.closings += 1

    def answer(self, said: Said) -> None:
        """An agent's words reach the customer."""
        self.said.append(said)
        if self.status != "closed":
            self.assigned = self.assigned or [said.author]
            self.status = "pending"

    def ask(self, said: Said) -> None:
        """A customer's words reach the desk."""
        self.said.append(said)
        if self.status == "pending" or (self.status == "closed" and said.words != "thanks!"):
            self.reopen()

    def give(self, name: str) -> None:
        self.assigned.append(name)
        self.status = "open" if self.status == "new" else self.status

    def take(self, name: str) -> None:
        self.assigned.remove(name)
        if self.status == "open" and not self.assigned:
            self.status = "new"

    def send_held(self) -> None:
        for one in self.held:
            self.answer(Said(one.author, one.words))
        self.held.clear()


class Life(RuleBasedStateMachine):
    postgres: ClassVar[str]
    template: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.tickets: list[Ticket] = []
        self.triage = {"grace", "linus"}
        self.secrets: set[str] = set()
        self.answered: list[tuple[str, Interaction]] = []
        self.ledger: dict[int, tuple[Any, ...]] = {}
        self.words = (f"word{number}" for number in itertools.count())
        self.do(self.open())

    def do(self, act: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(act)

    async def open(self) -> None:
        enter = self.stack.enter_async_context
        self.world: World = await enter(open_world())
        url = await enter(own_database(self.postgres, self.template))
        sql = await enter(other_program(url))
        # Held replies go when a rule says so.
        self.office: Office = await enter(open_office(self.world, url, sql, reply_undo_seconds=600))
        await self.world.sandbox.invite(self.world.help, self.world.linus)
        await self.office.at_rest()

    def teardown(self) -> None:
        self.do(self.stack.aclose())
        self.runner.close()

    def person(self, name: str) -> Person:
        found: Person = getattr(self.world, name)
        return found

    def is_agent(self, name: str, ticket: Ticket) -> bool:
        return name in self.triage and name != ticket.requester

    def secret(self) -> str:
        """Words that no customer may ever receive."""
        word = f"secret{next(self.words)}"
        self.secrets.add(word)
        return word

    def one(self, choice: int) -> Ticket:
        return self.tickets[choice % len(self.tickets)]

    # Customers open tickets

    @precondition(lambda self: len(self.tickets) < FEW)
    @rule(name=people)
    def asks(self, name: str) -> None:
        if name not in self.triage:
            self.do(self._ask(name, next(self.words)))

    async def _ask(self, name: str, words: str) -> None:
        root = await self.person(name).post(self.world.help, words)
        await self.opened(name, root, words)

    async def opened(self, name: str, root: Message, words: str) -> None:
        ticket = Ticket(len(self.tickets) + 1, name, root.channel.id, root.ts, words, words)
        ticket.said.append(Said(name, words, root))
        self.tickets.append(ticket)

    @precondition(lambda self: len(self.tickets) < FEW)
    @rule(name=people)
    def sends_a_direct_message(self, name: str) -> None:
        self.do(self._dm(name, next(self.words)))

    async def _dm(self, name: str, words: str) -> None:
        root = await self.person(name).dm(words)
        mine = [one for one in self.tickets if (one.requester, one.place) == (name, root.channel.id)]
        joined = next((one for one in reversed(mine) if one.status != "closed"), None)
        if joined:
            joined.ask(Said(name, words, root))
        else:
            await self.opened(name, root, words)

    @precondition(lambda self: len(self.tickets) < FEW)
    @rule(name=members)
    def fills_in_the_form(self, name: str) -> None:
        self.do(self._form(name, next(self.words)))

    async def _form(self, name: str, words: str) -> None:
        person = self.person(name)
        await self.used(name, person.command("/ticket", "new", channel=self.world.help))
        await self.used(name, person.submit({"title": words}))
        await self.office.at_rest()
        number = len(self.tickets) + 1
        root = (await self.office.ticket(number))["root_ts"]
        self.tickets.append(Ticket(number, name, self.world.help.id, root, words, words))

    # Everybody writes in customers' threads

    @precondition(lambda self: self.tickets)
    @rule(name=people, choice=some, thanks=st.sampled_from((False, False, False, True)))
    def writes(self, name: str, choice: int, thanks: bool) -> None:
        self.do(self._write(name, self.one(choice), "thanks!" if thanks else next(self.words)))

    async def _write(self, name: str, ticket: Ticket, words: str) -> None:
        channel = self.world.sandbox.slack.workspace.channels[ticket.place]
        person = self.person(name)
        if person.id in channel.members:
            said = Said(name, words, await person.post(channel, words, thread_ts=ticket.thread))
            (ticket.answer if self.is_agent(name, ticket) else ticket.ask)(said)

    @precondition(lambda self: self.tickets)
    @rule(choice=some, which=some, deletes=st.booleans())
    def thinks_better_of_it(self, choice: int, which: int, deletes: bool) -> None:
        ticket = self.one(choice)
        mine = [one for one in (*ticket.said, *ticket.notes) if one.message and not one.gone]
        if mine:
            self.do(self._change(ticket, mine[which % len(mine)], deletes))

    async def _change(self, ticket: Ticket, said: Said, deletes: bool) -> None:
        assert said.message
        author = self.person(said.author)
        if author.id not in said.message.channel.members:
            return
        before, note = said.words, said in ticket.notes
        said.words = "" if deletes else self.secret() if note else next(self.words)
        said.gone = deletes
        await (author.delete(said.message) if deletes else author.edit(said.message, said.words))
        first = next((one for one in ticket.said if one.author == ticket.requester), None)
        if said is first and ticket.description == before:
            ticket.description = said.words
            ticket.title = ticket.title if ticket.title != before else "(deleted)" if deletes else said.words

    # Agents talk among themselves

    @precondition(lambda self: self.tickets)
    @rule(name=agents, choice=some)
    def notes(self, name: str, choice: int) -> None:
        if name in self.triage:
            self.do(self._note(name, self.one(choice), self.secret()))

    async def _note(self, name: str, ticket: Ticket, words: str) -> None:
        card = self.office.card(ticket.number)
        message = await self.person(name).post(self.world.triage, words, thread_ts=card.ts)
        if self.is_agent(name, ticket):
            ticket.notes.append(Said(name, words, message))

    # Verbs, typed as a command or in a thread

    @precondition(lambda self: self.tickets)
    @rule(
        name=people,
        choice=some,
        verb=st.sampled_from(SAID),
        where=st.sampled_from(("command", "command", "triage", "thread")),
        whom=st.sampled_from(("grace", "linus", "ben")),
        option=st.integers(0, 2),
    )
    def says(self, name: str, choice: int, verb: str, where: str, whom: str, option: int) -> None:
        self.do(self._say(name, self.one(choice), verb, where, whom, option))

    async def _say(self, name: str, ticket: Ticket, verb: str, where: str, whom: str, option: int) -> None:
        person, rest = self.person(name), self.rest(verb, whom, option)
        number = str(ticket.number)
        if where == "command":
            if name not in MEMBERS:
                return
            typed = verb if verb in {"list", "help"} else f"{verb.removesuffix('-with')} #{number} {rest}"
            await self.used(name, person.command("/ticket", typed, channel=self.world.help))
        elif where == "triage":
            if name not in self.triage:
                return
            card = self.office.card(ticket.number)
            typed = f"{self.world.sandbox.bot.mention} {verb.removesuffix('-with')} {rest}"
            await person.post(self.world.triage, typed, thread_ts=card.ts)
            if name == ticket.requester and verb in AGENTS_ONLY:
                return  # Refused, or a customer's words for people, and in triage they are nobody's.
        else:
            channel = self.world.sandbox.slack.workspace.channels[ticket.place]
            if person.id not in channel.members or verb in {"note", "reply", "close-with"}:
                return  # What is typed here is read by the customer already.
            typed = f"{self.world.sandbox.bot.mention} {verb.removesuffix('-with')} {rest}".strip()
            message = await person.post(channel, typed, thread_ts=ticket.thread)
            if verb in AGENTS_ONLY and not self.is_agent(name, ticket):
                if verb == "title":
                    # In words of their own they speak to people; every other command is refused to them.
                    ticket.ask(Said(name, f"{verb} {rest}", message))
                return
        self.obey(name, ticket, verb, whom, option, rest)

    def rest(self, verb: str, whom: str, option: int) -> str:
        match verb:
            case "assign" | "unassign":
                return self.person(whom).mention
            case "priority":
                return LEVELS[option]
            case "tag":
                return TAGS[option]
            case "title":
                return next(self.words)
            case "note" | "close-with" | "reply":
                return self.secret()
            case _:
                return ""

    def obey(self, name: str, ticket: Ticket, verb: str, whom: str, option: int, rest: str) -> None:  # noqa: PLR0912
        agent = self.is_agent(name, ticket)
        mine = agent or name == ticket.requester
        match verb:
            case "claim" if agent and ticket.status != "closed" and name not in ticket.assigned:
                ticket.give(name)
            case "assign" if agent and ticket.status != "closed" and whom in self.triage - {*ticket.assigned}:
                ticket.give(whom)
            case "unassign" if agent and whom in ticket.assigned:
                ticket.take(whom)
            case "priority" if agent:
                ticket.priority = LEVELS[option]
            case "tag" if agent:
                ticket.tags = [one for one in ticket.tags if f"-{one}" not in TAGS[option].split()]
                ticket.tags += [one[1:] for one in TAGS[option].split() if one[0] == "+" and one[1:] not in ticket.tags]
            case "title" if agent:
                ticket.title = rest
            case "note" if agent:
                ticket.notes.append(Said(name, rest))
            case "reply" if agent:
                # Until it is sent it is no customer's to read.
                ticket.held.append(Held(name, rest))
            case "close" | "close-with" if ticket.status != "closed" and (agent or (mine and verb == "close")):
                if verb == "close-with":
                    ticket.notes.append(Said(name, rest))
                self.send(ticket)
                ticket.close()
            case "reopen" if mine and ticket.status == "closed":
                ticket.reopen()
            case "spam" if agent:
                ticket.not_a_ticket = True
                ticket.held.clear()
                if ticket.status != "closed":
                    ticket.close()

    def send(self, ticket: Ticket) -> None:
        self.secrets -= {one.words for one in ticket.held}
        ticket.send_held()

    @precondition(lambda self: self.secrets)
    @rule()
    def customers_look_at_everything(self) -> None:
        self.do(self._look())

    async def _look(self) -> None:
        for ticket in self.tickets:
            await self.used("ben", self.world.ben.command("/ticket", f"show {ticket.number}", channel=self.world.help))
            channel = self.world.sandbox.slack.workspace.channels[ticket.place]
            asker = self.person(ticket.requester)
            await asker.post(channel, f"{self.world.sandbox.bot.mention} show", thread_ts=ticket.thread)

    # Buttons and forms

    @precondition(lambda self: self.tickets)
    @rule(
        name=people,
        choice=some,
        button=st.sampled_from(("claim", "reopen", "not_a_ticket", "close", "reply", "note", "edit", "solved", "rate")),
        option=st.integers(1, 5),
    )
    def presses(self, name: str, choice: int, button: str, option: int) -> None:
        self.do(self._press(name, self.one(choice), button, option))

    async def _press(self, name: str, ticket: Ticket, button: str, option: int) -> None:
        if button == "solved":
            where = self.find(ticket, f"Ticket #{ticket.number} ")
        elif button == "rate":
            where = self.find(ticket, f"How did we do with ticket #{ticket.number}?")
            button = f"rate:{option}"
        else:
            where = self.office.card(ticket.number)
        if where is None or f'"action_id": "{button}"' not in json.dumps(where.blocks):
            return
        person = self.person(name)
        if person.id not in where.channel.members:
            return
        await self.used(name, person.click(where, button))
        match button:
            case "claim" | "reopen":
                self.obey(name, ticket, button, "", 0, "")
            case "not_a_ticket":
                self.obey(name, ticket, "spam", "", 0, "")
            case "solved":
                self.obey(name, ticket, "close", "", 0, "")
            case "close" | "reply" | "note" | "edit" if person.view:
                await self._fill(name, ticket, button, option)
            case _ if person.view:
                assert name == ticket.requester
                assert not ticket.not_a_ticket
                ticket.rating = option
                if option % 2:
                    ticket.comment = next(self.words)
                    await self.used(name, person.submit({"comment": ticket.comment}))
                else:
                    await person.dismiss()

    async def _fill(self, name: str, ticket: Ticket, form: str, option: int) -> None:
        person = self.person(name)
        assert self.is_agent(name, ticket)
        if form == "edit":
            priority, assignee = LEVELS[option % 3], "linus" if option % 2 else "grace"
            known = [self.person(one) for one in ticket.assigned]
            wanted = [*known, self.person(assignee)] if assignee not in ticket.assigned else known
            done = await self.used(name, person.submit({"priority": priority, "assignees": wanted}))
            if assignee in ticket.assigned or (assignee in self.triage and ticket.status != "closed"):
                assert done.ok
                ticket.priority = priority
                if assignee not in ticket.assigned:
                    ticket.give(assignee)
        else:
            words = self.secret()
            done = await self.used(name, person.submit({"comment" if form == "close" else "words": words}))
            self.obey(name, ticket, "close-with" if form == "close" else form, "", 0, words)
        person.views.clear()

    def find(self, ticket: Ticket, words: str) -> Message | None:
        posts = self.world.sandbox.slack.workspace.channels[ticket.place].posts.values()
        return next((one for one in reversed(list(posts)) if words in one.text and one.blocks), None)

    @precondition(lambda self: any(one.held for one in self.tickets))
    @rule(name=agents, choice=some, note=st.booleans())
    def takes_a_reply_back(self, name: str, choice: int, note: bool) -> None:
        ticket = [one for one in self.tickets if one.held][choice % len([one for one in self.tickets if one.held])]
        self.do(self._take_back(name, ticket, ticket.held[choice % len(ticket.held)], note))

    async def _take_back(self, name: str, ticket: Ticket, held: Held, note: bool) -> None:
        if name not in self.triage:
            return
        message = self.world.sandbox.find(self.world.triage, held.words)
        await self.used(name, self.person(name).click(message, "make_note" if note else "undo_reply"))
        if self.is_agent(name, ticket):
            ticket.held.remove(held)
            if note:
                ticket.notes.append(Said(held.author, held.words))

    @precondition(lambda self: any(one.held for one in self.tickets))
    @rule()
    def the_time_to_take_replies_back_is_over(self) -> None:
        self.do(self.office.sql.execute("update threadesk.replies set due_at = held_at where state = 'held'"))
        for ticket in self.tickets:
            self.send(ticket)

    # An agent leaves, and comes back

    @rule()
    def linus_leaves_triage_or_comes_back(self) -> None:
        self.do(self._change_of_agents())

    async def _change_of_agents(self) -> None:
        sandbox, triage, linus = self.world.sandbox, self.world.triage, self.world.linus
        if "linus" in self.triage:
            await sandbox.kick(triage, linus)
            self.triage.remove("linus")
            for ticket in self.tickets:
                if "linus" in ticket.assigned and ticket.status != "closed":
                    ticket.take("linus")
        else:
            await sandbox.invite(triage, linus, by=self.world.grace)
            self.triage.add("linus")

    async def used(self, name: str, act: Coroutine[Any, Any, Interaction]) -> Interaction:
        done = await act
        assert done.error is None, done
        self.answered.append((name, done))
        return done

    # What holds at rest

    @invariant()
    def holds(self) -> None:
        self.do(self._hold())

    async def _hold(self) -> None:
        await self.office.at_rest()
        await self._rows_are_the_models()
        await self._ledger_tells_of_them()
        self._slack_shows_each_once()
        self._no_secret_is_out()

    async def _rows_are_the_models(self) -> None:
        sql = self.office.sql
        names = {row["user_id"]: row["name"].split()[0].lower() for row in await sql.fetch(PEOPLE)}
        rows = await sql.fetch(ROWS)
        found = [
            {
                "number": row["number"],
                "requester": names[row["requester"]],
                "title": row["title"],
                "description": row["description"],
                "status": row["status"],
                "priority": row["priority"],
                "assigned": [names[one] for one in row["assigned_to"] or ()],
                "tags": row["tags"] or [],
                "said": [(names.get(one["created_by"]), one["content"]) for one in _words(row, "conversation_history")],
                "notes": [(names.get(one["created_by"]), one["content"]) for one in _words(row, "internal_notes")],
                "rating": (row["feedback"] or {}).get("rating"),
                "comment": (row["feedback"] or {}).get("comment"),
                "closings": row["closings"],
                "not_a_ticket": row["not_a_ticket"],
                "held": row["held"] or [],
            }
            for row in rows
        ]
        assert found == [
            {
                "number": one.number,
                "requester": one.requester,
                "title": one.title,
                "description": one.description,
                "status": one.status,
                "priority": one.priority,
                "assigned": one.assigned,
                "tags": one.tags,
                "said": [(said.author, said.words) for said in one.said],
                "notes": [(said.author, said.words) for said in one.notes],
                "rating": one.rating,
                "comment": one.comment,
                "closings": one.closings,
                "not_a_ticket": one.not_a_ticket,
                "held": [held.words for held in one.held],
            }
            for one in self.tickets
        ]
        for row in rows:
            told = [one["created_at"] for one in row["conversation_history"]["messages"]]
            assert told == sorted(told)
            history = [one for one in row["history"] or () if one["ticket_id"] == str(row["id"])]
            if row["customer_email"]:
                expected = [row["feedback"] | {"ticket_id": str(row["id"])}] if row["feedback"] else []
                assert history == expected

    async def _ledger_tells_of_them(self) -> None:
        facts = await self.office.sql.fetch(LEDGER)
        now = {row["id"]: tuple(row) for row in facts}
        assert {key: now.get(key) for key in self.ledger} == self.ledger, "what the ledger said has changed"
        self.ledger = now
        for ticket in self.tickets:
            mine = [row for row in facts if row["number"] == ticket.number]
            opened = next(row["after"] for row in mine if row["what"] == "opened")
            for what in ("status", "priority", "assigned_to", "tags"):
                value = opened[what]
                for row in mine:
                    if row["what"] == what:
                        assert (row["before"] or []) == (value or []), f"{what} of #{ticket.number} has a gap"
                        value = row["after"]
                ends = {"status": ticket.status, "priority": ticket.priority, "tags": ticket.tags}
                assert what == "assigned_to" or (value or []) == ends[what]
            closings = [row for row in mine if row["what"] == "status" and row["after"] == "closed"]
            assert len(closings) == ticket.closings
            told = [row["after"]["id"] for row in mine if row["what"] in {"message", "note"}]
            assert len(told) == len(set(told)) == len(ticket.said) + len(ticket.notes)

    def _slack_shows_each_once(self) -> None:
        cards = [one.text for one in self.world.sandbox.messages(self.world.triage)]
        for ticket in self.tickets:
            channel = self.world.sandbox.slack.workspace.channels[ticket.place]
            texts = [one.text for one in channel.posts.values() if one.author is self.world.sandbox.bot]
            if ticket.status == "closed" and not ticket.not_a_ticket:
                ticket.asked.add(ticket.closings)
            assert len([one for one in cards if one.startswith(f"#{ticket.number} ")]) == 1
            assert len([one for one in texts if one.startswith(f"Ticket #{ticket.number} · *")]) == 1
            asked = [one for one in texts if f"How did we do with ticket #{ticket.number}?" in one]
            assert len(asked) == bool(ticket.asked), "a question that was asked again takes itself back"
            status = next(one for one in texts if one.startswith(f"Ticket #{ticket.number} · *"))
            assert ticket.status.capitalize() in status

    def _no_secret_is_out(self) -> None:
        for name in OUTSIDERS:
            received = self._received(name)
            assert not [word for word in self.secrets if word in received], f"{name} has received a note"

    def _received(self, name: str) -> str:
        """Everything that somebody can see or was sent."""
        person = self.person(name)
        channels = [one for one in self.world.sandbox.slack.workspace.channels.values() if person.id in one.members]
        shown = [
            (one.text, one.blocks, one.attachments, one.metadata, one.username)
            for channel in channels
            for one in (*channel.posts.values(), *channel.ephemerals)
            if one.only_for in (None, person.id)
        ]
        answers = [(done.body, done.error, done.errors) for who, done in self.answered if who == name]
        return json.dumps([shown, person.views, person.home, answers], ensure_ascii=False)


LEVELS = ("low", "medium", "high")
TAGS = ("+billing", "+export -billing", "-export")
AGENTS_ONLY = {"claim", "assign", "unassign", "priority", "tag", "title", "note", "reply", "spam"}
PEOPLE = "select user_id, name from threadesk.people where name is not null"
ROWS = """
select t.*, d.number, d.requester, d.closings, d.not_a_ticket, c.feedback_history -> 'feedback' as history,
  (select array_agg(words order by held_at, id) from threadesk.replies r
   where r.ticket_id = t.id and state = 'held') as held
from tickets t join threadesk.desk_tickets d on d.ticket_id = t.id
left join customers c on c.email = t.customer_email order by d.number
"""
LEDGER = """
select l.id, d.number, l.what, l.role, l.before, l.after, l.at
from threadesk.ledger l join threadesk.desk_tickets d using (ticket_id) order by l.id
"""


def _words(row: Any, column: str) -> list[dict[str, Any]]:
    from uuid import UUID

    found = row[column]["messages" if column == "conversation_history" else "notes"]
    return [one | {"created_by": UUID(one["created_by"])} for one in found]


def test_whatever_people_do_the_life_of_a_ticket_follows_its_rules(postgres: str, template: str) -> None:
    """`LIFE_EXAMPLES` in the environment: that many lives. What fails prints the blob that makes it fail again."""
    Life.postgres, Life.template = postgres, template
    bounds = settings(
        max_examples=int(os.environ.get("LIFE_EXAMPLES", "6")),
        stateful_step_count=30,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Life, settings=bounds)
