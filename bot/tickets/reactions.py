"""What agents do by a reaction. Taking one away undoes nothing."""

from __future__ import annotations

from bot.tickets import history, work
from bot.tickets.arrivals import ReactionAdded
from bot.tickets.desk import Desk
from bot.tickets.forms import canonical_emoji
from bot.tickets.permissions import Relation, relation
from storage import channels, early, openings, people, reactions, tickets
from storage.channels import Channel
from storage.engine import Transaction
from storage.people import Person
from storage.reactions import Meaning
from storage.tickets import Ticket


async def react(tx: Transaction, desk: Desk, reaction: ReactionAdded) -> Ticket | None:
    """Does once what a reaction stands for, or nothing: customers' and agents' other reactions mean nothing.

    Returns the ticket where one was to be opened and is there already. Refused as the operation itself is.
    """
    # Only members of the workspace can be agents.
    person = await people.find(tx, desk.team_id, reaction.user)
    if person is None or not person.agent_of:
        return None
    ticket = await work.at(tx, reaction.channel, reaction.ts)
    if ticket is None:
        # Until then, who makes the message a ticket's cannot miss what is left for it.
        await tickets.serialise(tx, reaction.channel, reaction.ts)
        ticket = await work.at(tx, reaction.channel, reaction.ts)
    chosen = await reactions.of_channel(tx, ticket.channel if ticket else reaction.channel)
    meaning = chosen.meaning(canonical_emoji(reaction.name))
    if meaning is None:
        return None
    if ticket is None:
        await _before_the_ticket(tx, person, reaction, meaning)
        return None
    if relation(person, ticket) is not Relation.AGENT or not await tickets.act_once(tx, reaction.key):
        return None
    if meaning == "open":
        return ticket
    if await tickets.by_thread(tx, reaction.channel, reaction.ts):
        await _operate(tx, person, ticket, reaction, meaning)
    return None


async def _operate(tx: Transaction, person: Person, ticket: Ticket, reaction: ReactionAdded, meaning: Meaning) -> None:
    """What is so already is nothing to speak of, nor is what was meant of the message before it was a ticket."""
    if ticket.imported_to and history.moment(reaction.at) <= ticket.imported_to:
        return
    closed_since = ticket.closed_at is not None and history.moment(reaction.at) <= ticket.closed_at
    if meaning == "claim" and person.user_id not in ticket.assigned_to and not closed_since:
        await work.claim(tx, person, ticket.number)
    if meaning == "close" and ticket.status != "closed":
        # It may be heard hours late: https://docs.slack.dev/apis/events-api
        await work.close(tx, person, ticket.number, typed_at=(reaction.channel, reaction.at))


async def _before_the_ticket(tx: Transaction, person: Person, reaction: ReactionAdded, meaning: Meaning) -> None:
    """On a message that is no ticket's, or not yet: Slack may tell of the message later, or it is being imported."""
    channel = await channels.find(tx, reaction.channel)
    if channel is None or channel.role != "support" or channel.triage_channel not in person.agent_of:
        return
    if meaning == "open":
        if await tickets.act_once(tx, reaction.key):
            await openings.add(tx, reaction.channel, reaction.ts, reaction.at, person)
    elif await _may_become_one(tx, channel, reaction):
        kept = reaction.model_dump(mode="json")
        await early.remember(
            tx,
            reaction.channel,
            reaction.ts,
            kept,
            awaits=reaction.ts,
            version=f"reaction {reaction.at} {reaction.user}",
        )


async def _may_become_one(tx: Transaction, channel: Channel, reaction: ReactionAdded) -> bool:
    """Where every message opens a ticket, one that was heard and has opened none waits for a customer's answer only."""
    if channel.mode == "on_request" or await early.find(tx, reaction.channel, reaction.ts) is None:
        return True
    return await openings.is_asked(tx, reaction.channel, reaction.ts)
