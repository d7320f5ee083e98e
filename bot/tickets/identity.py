"""Who people are: Slack's profiles joined with the rows of auth.users and customers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from bot.tickets import conversation, text
from bot.tickets.arrivals import File
from storage import emails, people, showing, tickets
from storage.engine import Transaction
from storage.people import Customer, Person, Profile

#: How a person whose name is not known yet stands in recorded words.
MENTION = re.compile("@([UW][A-Z0-9]+)")


async def learn(tx: Transaction, profile: Profile) -> None:
    """Remembers what Slack says of a person; one with a known e-mail is the customer or user who has it already."""
    await tx.act_as(None, "desk")
    if profile.email:
        await one_at_a_time(tx, profile.email)
    person = await people.find(tx, profile.team_id, profile.slack_id)
    if person is not None and profile.email:
        # First, since it locks tickets, which come before people.
        await _link(tx, person, profile.email)
    await people.learn(tx, profile)
    person = await people.find(tx, profile.team_id, profile.slack_id)
    if person is None:  # erased while Slack was asked
        return
    await _make_customer(tx, person)
    for ticket_id in await tickets.touched_by(tx, person.user_id):
        # Somebody may have thousands from before the desk, on which nobody waits to see a name.
        await showing.mark(tx, ticket_id, pressing=False)


async def one_at_a_time(tx: Transaction, email: str) -> None:
    """Until this transaction ends, nobody else finds out or changes whose address it is. Before any other lock."""
    await tickets.serialise(tx, "email", email.lower())


async def _link(tx: Transaction, person: Person, email: str) -> None:
    """Not to somebody who has only typed the address: they may not be the one to whom it belongs."""
    owner = await people.owner_of_email(tx, email)
    if owner is not None and owner != person.user_id and not await emails.is_unverified(tx, owner, email):
        await people.become(tx, person, owner)


async def _make_customer(tx: Transaction, person: Person) -> None:
    """Gives a requester their row in customers, and their tickets its e-mail.

    Where somebody else has typed their address, the agents are asked whether the two are one.
    """
    waiting = await tickets.without_email(tx, person.user_id)
    if not waiting or person.email is None:
        return
    owner = await people.owner_of_email(tx, person.email)
    if owner in {None, person.user_id}:
        await give_email(tx, person, person.user_id, person.email, waiting)
    elif not await emails.is_decided(tx, person, person.email):
        for marked in await emails.supersede(tx, person, "asked"):
            await showing.mark(tx, marked)
        await emails.claim(tx, person, waiting[-1], person.email, "asked")
        await showing.mark(tx, waiting[-1])


async def give_email(tx: Transaction, person: Person, owner: UUID, email: str, of: Sequence[UUID]) -> None:
    """Makes the customers' row of `owner`, who the person is, where there is none; `of`: tickets to get its e-mail."""
    # Tickets before customers, as where a rating is saved: two locks, always in one order.
    for ticket_id in of:
        await tickets.by_id(tx, ticket_id, lock=True)
    kept = await people.save_customer(tx, owner, _customer(person, email))
    for ticket_id in of:
        await tickets.change(tx, ticket_id, customer_email=kept)


def _customer(person: Person, email: str) -> Customer:
    first, _, last = (person.name or email.partition("@")[0]).partition(" ")
    return Customer(first_name=first, last_name=last.strip(), email=email, preferred_language=person.locale)


async def put_names(tx: Transaction, one: tickets.Recorded, names: Mapping[str, str], files: Sequence[File]) -> None:
    """Puts names that were not known when a message was recorded into its words: "@U1" becomes "@Grace"."""
    ticket = await tickets.by_id(tx, one.ticket_id, lock=True)
    fresh = await tickets.by_message_id(tx, one.message_id)
    if ticket is None or fresh is None or fresh.source is None:
        return
    word = _renamed(fresh.word, names)
    if files and "attachments" in word:
        known = {file.id: conversation.attachment(file) for file in files}
        word["attachments"] = [known.get(one.get("id"), one) for one in word["attachments"]]
    told = {*names, *(file.id for file in files)}
    # It may have been edited since it was asked of whom it speaks.
    unknown = [one for one in fresh.source.get("unknown", []) if one not in told]
    source = {key: value for key, value in fresh.source.items() if key not in {"unresolved", "unknown"}}
    if unknown:
        source |= {"unresolved": True, "unknown": unknown}
    await tx.act_as(None, "desk")
    await tickets.rewrite(tx, fresh, word, source)
    changed = {}
    if ticket.description == fresh.word["content"]:
        changed["description"] = word["content"]
    if ticket.title == _title(fresh.word):
        changed["title"] = _title(word)
    if changed:
        await tickets.change(tx, ticket.id, **changed)


def _title(word: Mapping[str, Any]) -> str:
    return text.title_from(word["content"], [file["name"] for file in word.get("attachments", [])])


def _renamed(word: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    def named(words: str) -> str:
        return MENTION.sub(lambda found: f"@{names.get(found[1], found[1])}", words)

    renamed = dict(word) | {"content": named(word["content"])}
    if "earlier" in word:
        renamed["earlier"] = [one | {"content": named(one["content"])} for one in word["earlier"]]
    return renamed
