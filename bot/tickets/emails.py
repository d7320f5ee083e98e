"""A requester whose e-mail Slack does not show may leave one. Nobody has verified what is typed.

An address that is nobody's makes their row in customers. One that is somebody's is linked when an agent says that the
two are the same person. Whoever typed it gets the same answer in both cases, and sees nothing of that row before.
"""

from __future__ import annotations

from uuid import UUID

from bot.tickets import identity, work
from bot.tickets.errors import Refused
from bot.tickets.permissions import Operation, demand
from bot.tickets.words import operations as say
from storage import emails, people, showing, tickets
from storage.emails import Claim
from storage.engine import Transaction
from storage.people import Person
from storage.tickets import Ticket


async def offer(tx: Transaction, ticket_id: UUID) -> Ticket | None:
    """The ticket, where its requester is to be asked for an e-mail now: each person once, ever."""
    return await tickets.by_id(tx, ticket_id) if await emails.offer(tx, ticket_id) else None


async def leave(tx: Transaction, person: Person, number: int, email: str) -> None:
    """Takes in the address that the requester of a ticket has typed. Another one takes its place."""
    await _one_at_a_time(tx, person.team_id, person.slack_id, email)
    ticket = await work.find(tx, person, number, Operation.LEAVE_EMAIL, lock=False)
    # What will have the address: tickets are locked before people and customers.
    await tickets.of_requester(tx, person.team_id, person.slack_id)
    person = await people.hold(tx, person)
    own, kept = await people.customer_email(tx, person.user_id), await emails.kept(tx, person)
    if person.email or own != kept:
        raise Refused(say.EMAIL_KNOWN, field="email")
    for marked in await emails.supersede(tx, person, "asked"):
        await showing.mark(tx, marked)
    if await people.owner_of_email(tx, email) not in {None, person.user_id}:
        await emails.claim(tx, person, ticket.id, email, "asked")
        await showing.mark(tx, ticket.id)
        return
    await emails.supersede(tx, person, "kept")
    await emails.claim(tx, person, ticket.id, email, "kept")
    if own is None:
        waiting = await tickets.without_email(tx, person.user_id)
        await identity.give_email(tx, person, person.user_id, email, waiting)
    else:
        await people.change_customer_email(tx, person.user_id, email)


async def confirm(tx: Transaction, agent: Person, claim_id: UUID) -> None:
    """The two are the same person: they become one, with all tickets."""
    claim = await _undecided(tx, agent, claim_id)
    await tx.act_as(agent.user_id, "agent")
    person = await people.find(tx, claim.team_id, claim.slack_id)
    assert person is not None
    owner = await people.owner_of_email(tx, claim.email) or person.user_id
    own = await tickets.of_requester(tx, claim.team_id, claim.slack_id)
    await identity.give_email(tx, person, owner, claim.email, own)
    if owner != person.user_id:
        await people.become(tx, person, owner)
    await emails.supersede(tx, person, "kept")
    await _decide(tx, agent, claim, "confirmed")


async def reject(tx: Transaction, agent: Person, claim_id: UUID) -> None:
    """They are two people: nothing is linked."""
    await _decide(tx, agent, await _undecided(tx, agent, claim_id), "rejected")


async def _decide(tx: Transaction, agent: Person, claim: Claim, state: emails.Decision) -> None:
    await emails.decide(tx, claim.id, state, agent.user_id)
    await showing.mark(tx, claim.ticket_id)


async def _undecided(tx: Transaction, agent: Person, claim_id: UUID) -> Claim:
    """The claim, which nobody else settles until this transaction ends."""
    claim = await emails.find(tx, claim_id)
    ticket = await tickets.by_id(tx, claim.ticket_id) if claim else None
    if claim is None or ticket is None:
        raise Refused(say.CLAIM_OF_NOBODY)
    demand(agent, ticket, Operation.DECIDE_EMAIL)
    await _one_at_a_time(tx, claim.team_id, claim.slack_id, claim.email)
    claim = await emails.find(tx, claim_id)
    assert claim is not None
    if claim.state == "superseded":
        raise Refused(say.CLAIM_SUPERSEDED)
    if claim.state != "asked":
        raise Refused(say.decided_already(state=claim.state))
    return claim


async def _one_at_a_time(tx: Transaction, team_id: str, slack_id: str, email: str) -> None:
    """Two locks, always in one order, and before those of tickets and people."""
    await tickets.serialise(tx, "email of", team_id, slack_id)
    await identity.one_at_a_time(tx, email)
