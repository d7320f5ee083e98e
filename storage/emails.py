"""E-mail addresses that people say are theirs: who was asked for one, and what became of each."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, LiteralString
from uuid import UUID

from storage.engine import Transaction
from storage.people import Person

State = Literal["kept", "asked", "confirmed", "rejected", "superseded"]
Decision = Literal["confirmed", "rejected"]


@dataclass(frozen=True, slots=True)
class Claim:
    """Nobody has verified that `email` is this Slack person's.

    `kept`: it was nobody's, and their row in customers has it. `asked`: it is somebody's, and the agents of the ticket
    say whether they are the same person. `decided_by`: a row of auth.users.
    """

    id: UUID
    team_id: str
    slack_id: str
    ticket_id: UUID
    email: str
    claimed_at: dt.datetime
    state: State
    decided_by: UUID | None


CLAIM: LiteralString = (
    "select id, team_id, slack_id, ticket_id, email, claimed_at, state, decided_by from threadesk.email_claims"
)


async def offer(tx: Transaction, ticket_id: UUID) -> bool:
    """Notes that a ticket's requester is asked for their e-mail; False where there is no need, or it was done before.

    Only of whom Slack has said that it shows no e-mail.
    """
    offered = await tx.run(
        """
        insert into threadesk.email_offers (team_id, slack_id, offered_at)
        select p.team_id, p.slack_id, :now
        from threadesk.desk_tickets d join public.tickets t on t.id = d.ticket_id
        join threadesk.people p on p.team_id = d.requester_team and p.slack_id = d.requester_slack
        where d.ticket_id = :id and t.source_channel = 'slack' and t.customer_email is null and t.status <> 'closed'
          and p.known_at is not null and p.email is null and p.kind in ('member', 'guest', 'external')
          and not exists (select from public.customers c
            where c.id = p.user_id and threadesk.is_address(c.email, c.id))
        on conflict do nothing returning 1
        """,
        id=ticket_id,
        now=tx.now,
    )
    return bool(offered)


async def find(tx: Transaction, claim_id: UUID) -> Claim | None:
    row = (await tx.run(f"{CLAIM} where id = :id", id=claim_id)).one_or_none()
    return Claim(**row) if row else None


async def asked_about(tx: Transaction, ticket_id: UUID) -> list[Claim]:
    """What the agents of a ticket were or are asked, oldest first."""
    found = await tx.run(
        f"{CLAIM} where ticket_id = :id and state <> 'kept' and (state <> 'superseded' or exists ("
        "   select from threadesk.posted where ticket_id = :id and slot = 'email:' || email_claims.id))"
        " order by claimed_at, id",
        id=ticket_id,
    )
    return [Claim(**row) for row in found]


async def kept(tx: Transaction, person: Person) -> str | None:
    """The address in a person's row of customers, where the only one who says that it is theirs is they."""
    found = await tx.run(
        """
        select k.email from threadesk.email_claims k join public.customers c on c.id = :user and c.email = k.email
        where k.team_id = :team and k.slack_id = :slack and k.state = 'kept'
        """,
        user=person.user_id,
        team=person.team_id,
        slack=person.slack_id,
    )
    return found.scalar_one_or_none()


async def is_unverified(tx: Transaction, owner: UUID, email: str) -> bool:
    """Whether an address is in somebody's row of customers only because they have typed it."""
    found = await tx.run(
        """
        select 1 from threadesk.email_claims k join threadesk.people p using (team_id, slack_id)
        where p.user_id = :owner and k.state = 'kept' and lower(k.email) = lower(:email)
          and lower(coalesce(p.email, '')) <> lower(:email) limit 1
        """,
        owner=owner,
        email=email,
    )
    return found.one_or_none() is not None


async def is_decided(tx: Transaction, person: Person, email: str) -> bool:
    """Whether the agents are asked about a person and this address, or have said no."""
    found = await tx.run(
        """
        select 1 from threadesk.email_claims where team_id = :team and slack_id = :slack
          and lower(email) = lower(:email) and state in ('asked', 'rejected') limit 1
        """,
        team=person.team_id,
        slack=person.slack_id,
        email=email,
    )
    return found.one_or_none() is not None


async def supersede(tx: Transaction, person: Person, *states: State) -> list[UUID]:
    """Another address takes the place of those in these states; the tickets on which that shows."""
    found = await tx.run(
        """
        update threadesk.email_claims set state = 'superseded'
        where team_id = :team and slack_id = :slack and state = any(:states) returning ticket_id
        """,
        team=person.team_id,
        slack=person.slack_id,
        states=list(states),
    )
    return [UUID(str(one)) for one in found.scalars()]


async def claim(tx: Transaction, person: Person, ticket_id: UUID, email: str, state: Literal["kept", "asked"]) -> None:
    await tx.run(
        """
        insert into threadesk.email_claims (team_id, slack_id, ticket_id, email, claimed_at, state)
        values (:team, :slack, :ticket, :email, :now, :state)
        """,
        team=person.team_id,
        slack=person.slack_id,
        ticket=ticket_id,
        email=email,
        now=tx.now,
        state=state,
    )


async def decide(tx: Transaction, claim_id: UUID, state: Decision, by: UUID) -> None:
    await tx.run(
        "update threadesk.email_claims set state = :state, decided_by = :by, decided_at = :now where id = :id",
        id=claim_id,
        state=state,
        by=by,
        now=tx.now,
    )
