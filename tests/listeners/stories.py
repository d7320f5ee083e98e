"""Stories that people act out in the sandbox, and the events that Slack sends of them, to be delivered in any order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import strategies as st

from bot.sandbox import Channel, Message, Person
from bot.sandbox.delivery import Delivery
from tests.conftest import World

Does = Literal["writes", "edits", "deletes"]


@dataclass(frozen=True)
class Act:
    """`who`: an attribute of World. `message`: what is edited or deleted, or below what it is written, by its place
    among the messages of the story. `how`: "triage": below the card; "mention", "broadcast", "file"; or nothing."""

    who: str
    does: Does
    words: str = ""
    message: int | None = None
    how: str = ""


def writes(who: str, words: str, below: int | None = None, how: str = "") -> Act:
    return Act(who, "writes", words, below, how)


def edits(who: str, message: int, words: str) -> Act:
    return Act(who, "edits", words, message)


def deletes(who: str, message: int) -> Act:
    return Act(who, "deletes", message=message)


@dataclass
class Place:
    """Where a story takes place: the customers' channel, and the card in triage, where there is one."""

    help: Channel
    triage: Channel
    card: Message | None = None


async def act_out(world: World, place: Place, story: Sequence[Act], written: list[Message]) -> None:
    """`written`: the messages of the story, whatever became of them."""
    for act in story:
        person: Person = getattr(world, act.who)
        match act.does:
            case "writes":
                written.append(await _write(world, place, person, act, written))
            case "edits":
                await person.edit(written[act.message or 0], act.words)
            case "deletes":
                await person.delete(written[act.message or 0])


async def _write(world: World, place: Place, person: Person, act: Act, written: Sequence[Message]) -> Message:
    if act.how == "triage":
        assert place.card
        return await person.post(place.triage, act.words, thread_ts=place.card.ts)
    words = f"{world.sandbox.bot.mention} {act.words}" if act.how == "mention" else act.words
    files = [("error.log", "text/plain", b"oops")] if act.how == "file" else []
    below = None if act.message is None else written[act.message].ts
    return await person.post(place.help, words, thread_ts=below, files=files, broadcast=act.how == "broadcast")


def events_since(world: World, start: int) -> list[Delivery]:
    """What Slack has sent of people's messages since there were `start` deliveries, in the order in which it arose."""
    found = [one for one in world.sandbox.deliveries[start:] if one.kind == "event" and not one.retry]
    people = [one for one in found if one.type in {"message", "app_mention"} and not _is_the_bots(one.payload["event"])]
    return sorted(people, key=lambda one: (str(one.payload["event"]["event_ts"]), one.type))


def _is_the_bots(event: dict[str, Any]) -> bool:
    return any(one.get("bot_id") for one in (event, event.get("message", {}), event.get("previous_message", {})))


def moved(body: bytes, places: dict[str, str]) -> bytes:
    """The same event in other channels."""
    text = body.decode()
    for there, here in places.items():
        text = text.replace(json.dumps(there), json.dumps(here))
    return text.encode()


@st.composite
def stories(draw: st.DrawFn, *, roots: int, most: int) -> list[Act]:
    """Stories of one ticket, begun by a customer with up to `roots` messages in a row or by an agent, with `most` acts
    by everybody after that.

    Of an agent's thread only one customer takes notice: whose ticket it is depends on who is heard first.
    """
    by_agent = draw(st.booleans())
    people = ["ada", "grace", "linus"] if by_agent else ["ada", "bob", "ben", "grace", "linus"]
    story: list[Act] = []
    for _ in range(1 if by_agent else draw(st.integers(1, roots))):
        how = "" if by_agent else draw(st.sampled_from(["", "", "file", "mention"]))
        story.append(writes("grace" if by_agent else "ada", draw(WORDS), how=how))
    tops, whole = range(len(story)), list(story)
    gone: set[int] = set()
    for _ in range(draw(st.integers(1, most))):
        there = [at for at in range(len(whole)) if at not in gone]
        match draw(st.sampled_from(["writes", "writes", "notes", "edits", "deletes"])):
            case "notes":
                whole.append(writes(draw(st.sampled_from(["grace", "linus"])), draw(WORDS), how="triage"))
                story.append(whole[-1])
            case "edits" if there:
                at = draw(st.sampled_from(there))
                story.append(edits(whole[at].who, at, draw(WORDS)))
            case "deletes" if there:
                at = draw(st.sampled_from(there))
                # A root without replies takes its thread along: nobody can write there any more.
                if at not in tops or any(one.message == at for one in whole):
                    gone.add(at)
                    story.append(deletes(whole[at].who, at))
            case _:
                below = draw(st.sampled_from(tops))
                if below not in gone:
                    how = draw(st.sampled_from(["", "", "", "file", "broadcast"]))
                    whole.append(writes(draw(st.sampled_from(people)), draw(WORDS), below, how))
                    story.append(whole[-1])
    return story


#: Few, so that the same words are said twice.
WORDS = st.sampled_from(["The export fails", "Hello", "thanks!", "I see"])
