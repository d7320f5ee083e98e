"""Who says what in the campaign, and all they have said: the model that tables and channels are checked against."""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from bot.sandbox import CannotDo, Channel, Message, Person, Sandbox

How = Literal["request", "customer", "agent", "reply", "note"]

COMPANIES = ("Globex", "Initech", "Umbrella")
WORD = re.compile(r"\bw\d{5}\b")
NUMBER = re.compile(r"^#(\d+) ")
#: Tickets that people still talk about: a day's, as it were.
TALKED_ABOUT = 60


@dataclass
class Said:
    """Something that a person wrote, recognised by its word, with its versions, oldest first.

    `request`: what opened the ticket, itself for a request. `message` None: it was said by a slash command.
    `sure` False: the person got an error, so that it may have been done or not.
    """

    word: str
    how: How
    versions: list[str]
    message: Message | None
    opened_by: Said | None = None
    sure: bool = True
    deleted: bool = False

    @property
    def request(self) -> Said:
        return self.opened_by or self

    @property
    def is_slacks(self) -> bool:
        """Whether its identity is that of the message in Slack; a reply from triage has one of its own."""
        return self.message is not None and self.how != "reply"


@dataclass
class Town:
    """Two customers of each company, in a channel of theirs, two agents, and an admin who tidies up."""

    sandbox: Sandbox
    chance: random.Random
    customers: Mapping[str, list[Person]]
    helps: Mapping[str, Channel]
    agents: list[Person]
    admin: Person
    triage: Channel
    said: list[Said] = field(default_factory=list)
    _cards: dict[str, Message] = field(default_factory=dict)

    @classmethod
    async def build(cls, sandbox: Sandbox, seed: int) -> Town:
        agents = [sandbox.add_person(name) for name in ("Grace Hopper", "Linus Pauling")]
        admin = sandbox.add_person("Ben Franklin", admin=True)
        triage = await sandbox.add_channel("triage", private=True, members=[*agents, sandbox.bot])
        customers, helps = {}, {}
        for name in COMPANIES:
            team = sandbox.add_team(name)
            customers[name] = [sandbox.add_person(f"{who} of {name}", team=team) for who in ("Ada", "Bob")]
            members = [*customers[name], *agents, admin, sandbox.bot]
            helps[name] = await sandbox.add_channel(f"help-{name.lower()}", shared_with=[team], members=members)
        return cls(sandbox, random.Random(seed), customers, helps, agents, admin, triage)

    @property
    def requests(self) -> list[Said]:
        return [one for one in self.said if one.how == "request"]

    async def act(self) -> None:
        """Somebody does something somewhere."""
        acts: Mapping[Callable[[Said, Message | None], Awaitable[None]], float] = {
            self._request: 8,
            self._customer: 32,
            self._agent: 14,
            self._reply: 11,
            self._note: 25,
            self._edit: 7,
            self._delete: 4,
            self._delete_root: 0.6,
            self._claim: 1.4,
            self._close: 2,
        }
        act = self.chance.choices(list(acts), list(acts.values()))[0]
        there = [one for one in self.requests[-TALKED_ABOUT:] if one.message and self._stands(one.message)]
        if not there:
            await self._request(None, None)
            return
        about = self.chance.choice(there)
        await act(about, self._card(about))

    async def _request(self, _: Said | None, __: Message | None) -> None:
        company = self.chance.choice(COMPANIES)
        word = self._word()
        words = f"{word} is broken"
        # The model knows of it before the desk can.
        one = Said(word, "request", [words], None)
        self.said.append(one)
        one.message = await self.chance.choice(self.customers[company]).post(self.helps[company], words)

    async def _customer(self, about: Said, _: Message | None) -> None:
        await self._post(about, "customer", self.chance.choice(self._customers_of(about)), "is broken too")

    async def _agent(self, about: Said, _: Message | None) -> None:
        await self._post(about, "agent", self.chance.choice(self.agents), "is known")

    async def _post(self, about: Said, how: How, who: Person, rest: str) -> None:
        root = about.message
        assert root is not None
        word = self._word()
        message = await who.post(root.channel, f"{word} {rest}", thread_ts=root.ts)
        self.said.append(Said(word, how, [f"{word} {rest}"], message, about))

    async def _reply(self, about: Said, card: Message | None) -> None:
        if card is None:
            return
        word, who = self._word(), self.chance.choice(self.agents)
        words, command = f"{word} is mended", f"reply {_number(card)} {word} is mended"
        if self.chance.random() < 0.5:
            await self._command(about, "reply", who, command, words)
            return
        below = self.chance.choice([None, card.ts])
        message = await who.post(self.triage, f"{self.sandbox.bot.mention} {command}", thread_ts=below)
        self.said.append(Said(word, "reply", [words], message, about))

    async def _note(self, about: Said, card: Message | None) -> None:
        if card is None:
            return
        word, who = self._word(), self.chance.choice(self.agents)
        words = f"{word} is for us"
        if self.chance.random() < 0.2:
            await self._command(about, "note", who, f"note {_number(card)} {words}", words)
            return
        message = await who.post(self.triage, words, thread_ts=card.ts)
        self.said.append(Said(word, "note", [words], message, about))

    async def _command(self, about: Said, how: How, who: Person, command: str, words: str) -> None:
        said = Said(words.split(maxsplit=1)[0], how, [words], None, about, sure=False)
        self.said.append(said)
        done = await who.command("/ticket", command, channel=self.triage)
        answer = done.body.get("text", "") if isinstance(done.body, dict) else ""
        said.sure = done.ok and answer.startswith(("Your reply to", "Noted on"))

    async def _edit(self, _: Said, __: Message | None) -> None:
        if one := self._recent():
            assert one.message is not None
            assert isinstance(one.message.author, Person)
            words = f"{one.versions[0]} (version {len(one.versions) + 1})"
            one.versions.append(words)
            await one.message.author.edit(one.message, words)

    async def _delete(self, _: Said, __: Message | None) -> None:
        one = self._recent()
        if one and one.how != "request":
            assert one.message is not None
            assert isinstance(one.message.author, Person)
            one.deleted = True
            await one.message.author.delete(one.message)

    async def _delete_root(self, about: Said, _: Message | None) -> None:
        """It leaves a tombstone, or no thread at all where nobody has answered yet."""
        if about.message and not about.deleted:
            about.deleted = True
            await self.admin.delete(about.message)

    async def _claim(self, _: Said, card: Message | None) -> None:
        if card is not None:
            try:
                await self.chance.choice(self.agents).click(card, "claim")
            except CannotDo:
                return  # The card of a closed ticket has no such button.

    async def _close(self, _: Said, card: Message | None) -> None:
        if card is not None:
            await self.chance.choice(self.agents).command("/ticket", f"close {_number(card)}", channel=self.triage)

    def _recent(self) -> Said | None:
        """Something said lately that its author can still change."""
        recent = [one for one in self.said[-TALKED_ABOUT:] if one.is_slacks and not one.deleted]
        return self.chance.choice(recent) if recent else None

    def _customers_of(self, about: Said) -> list[Person]:
        assert about.message is not None
        return next(self.customers[name] for name, channel in self.helps.items() if channel is about.message.channel)

    def _card(self, about: Said) -> Message | None:
        if about.word not in self._cards:
            for one in self.triage.top_level():
                if one.author is self.sandbox.bot and NUMBER.match(one.text) and (words := WORD.findall(one.text)):
                    self._cards.setdefault(words[0], one)
        return self._cards.get(about.word)

    @staticmethod
    def _stands(message: Message) -> bool:
        """Whether one can write below it."""
        return message.channel.posts.get(message.ts) is message

    def _word(self) -> str:
        self._words += 1
        return f"w{self._words:05}"

    _words: int = 0


def _number(card: Message) -> str:
    found = NUMBER.match(card.text)
    assert found is not None
    return found[1]
