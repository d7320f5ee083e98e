"""How a ticket begins, from whichever surface: with what its support channel gives to new tickets."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from bot.tickets import lifecycle
from bot.tickets.desk import Desk
from storage import channels, people, tickets
from storage.channels import Channel
from storage.engine import Transaction
from storage.people import Person
from storage.tickets import NewTicket, Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A ticket that is to be opened. `channel`, `root_ts`: as in `storage.tickets.Ticket`.

    `created_by`: who opens it, where that is not the requester. `priority`: None for the channel's default.
    """

    title: str
    description: str
    requester: Person
    channel: str
    root_ts: str | None
    triage_channel: str | None
    created_by: UUID | None = None
    priority: Priority | None = None
    follows: UUID | None = None
    id: UUID = field(default_factory=uuid4)


async def open_ticket(tx: Transaction, desk: Desk, opening: Opening) -> UUID:
    """Opens the ticket, without a conversation, and gives it to the default assignee whose turn it is."""
    requester, opener = opening.requester, opening.created_by or opening.requester.user_id
    place = await channels.find(tx, opening.channel)
    support = place if place is not None and place.role == "support" else None
    new = NewTicket(
        id=opening.id,
        title=opening.title,
        description=opening.description,
        status=lifecycle.first(()),
        priority=opening.priority or (support.priority if support else "medium"),
        tags=support.tags if support else (),
        assigned_to=(),
        created_by=opener,
        customer_email=await people.customer_email(tx, requester.user_id),
        requester=requester.user_id,
        requester_team=requester.team_id,
        requester_slack=requester.slack_id,
        channel=opening.channel,
        root_ts=opening.root_ts,
        triage_channel=opening.triage_channel,
        follows=opening.follows,
    )
    await tx.act_as(opener, "customer" if opener == requester.user_id else "agent")
    await tickets.insert(tx, new)
    if support is not None and support.assignees:
        await _assign_in_turn(tx, desk, new, support)
    return new.id


async def _assign_in_turn(tx: Transaction, desk: Desk, new: NewTicket, support: Channel) -> None:
    """As an assignment of its own, which the assignee is told of. An agent is a customer on their own ticket."""
    own = new.requester_slack if new.requester_team == desk.team_id else None
    turn = await channels.next_assignee(tx, support, desk.team_id, but=own)
    agent = await people.find(tx, desk.team_id, turn) if turn else None
    if agent is not None:
        await tx.act_as(None, "desk")
        assigned_to = (agent.user_id,)
        await tickets.change(tx, new.id, assigned_to=assigned_to, status=lifecycle.first(assigned_to))
