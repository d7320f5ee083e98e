"""Slack people and the rows of auth.users and customers that they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, LiteralString
from uuid import UUID

from storage.engine import DatabaseAway, Transaction

Kind = Literal["unknown", "member", "guest", "external", "bot", "deactivated"]


@dataclass(frozen=True, slots=True)
class Person:
    """A Slack person. `known` is false until Slack was asked who they are; `agent_of` are triage channels."""

    team_id: str
    slack_id: str
    user_id: UUID
    kind: Kind
    name: str | None
    email: str | None
    locale: str | None
    picture: str | None
    is_admin: bool
    known: bool
    agent_of: frozenset[str]


@dataclass(frozen=True, slots=True)
class Profile:
    """What Slack says of a person (`users.info`)."""

    team_id: str
    slack_id: str
    kind: Kind
    name: str | None
    email: str | None
    locale: str | None
    picture: str | None
    is_admin: bool


# A suspended triage channel makes nobody an agent, and only full members of the workspace can be agents.
PERSON: LiteralString = """
  p.team_id, p.slack_id, p.user_id, p.kind, p.name, p.email, p.locale, p.picture, p.is_admin,
  p.known_at is not null as known,
  array(select m.channel from threadesk.triage_members m
        join threadesk.channels c on c.id = m.channel and c.role = 'triage' and c.suspended is null
        where p.kind = 'member' and m.team_id = p.team_id and m.slack_id = p.slack_id) as agent_of
"""


def person_of(row: Mapping[str, Any]) -> Person:
    values = dict(row)
    return Person(**values | {"agent_of": frozenset(values["agent_of"])})


async def find(tx: Transaction, team_id: str, slack_id: str) -> Person | None:
    found = await tx.run(
        f"select {PERSON} from threadesk.people p where p.team_id = :team and p.slack_id = :slack",
        team=team_id,
        slack=slack_id,
    )
    row = found.one_or_none()
    return person_of(row) if row else None


async def meet(tx: Transaction, team_id: str, slack_id: str) -> Person:
    """The person, made known to the desk under a new row of auth.users if they were not yet."""
    if person := await find(tx, team_id, slack_id):
        return person
    await tx.run(
        """
        with met as (
          insert into threadesk.people (team_id, slack_id, user_id) values (:team, :slack, gen_random_uuid())
          on conflict (team_id, slack_id) do nothing returning user_id
        ) select threadesk.new_user(user_id) from met
        """,
        team=team_id,
        slack=slack_id,
    )
    person = await find(tx, team_id, slack_id)
    assert person is not None
    return person


async def hold(tx: Transaction, person: Person) -> Person:
    """The person as they are now, who becomes nobody else until the transaction ends.

    Tickets are locked before people, here and in `become`. What is learnt of a person meanwhile need not wait: who
    learns it has their tickets still to lock. DatabaseAway where they are gone: they are to be met once more.
    """
    found = await tx.run(
        f"select {PERSON} from threadesk.people p where p.team_id = :team and p.slack_id = :slack for key share of p",
        team=person.team_id,
        slack=person.slack_id,
    )
    row = found.one_or_none()
    if row is None:
        raise DatabaseAway("a person was erased or filed under another company just now")
    return person_of(row)


async def with_user_ids(tx: Transaction, user_ids: Iterable[UUID]) -> dict[UUID, Person]:
    """One Slack person for each row of auth.users that has one."""
    found = await tx.run(
        f"""
        select distinct on (p.user_id) {PERSON} from threadesk.people p
        where p.user_id = any(:ids) order by p.user_id, p.known_at nulls last
        """,
        ids=list(user_ids),
    )
    return {row.user_id: person_of(row) for row in found}


async def names(tx: Transaction, user_ids: Iterable[UUID]) -> dict[UUID, str]:
    """By row of auth.users, the name in Slack, else the one in the row of customers; who has neither is left out."""
    ids = set(user_ids)
    known = {user_id: one.name for user_id, one in (await with_user_ids(tx, ids)).items() if one.name}
    return known | (await _customers(tx, others) if (others := ids - known.keys()) else {})


async def _customers(tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, str]:
    found = await tx.run(
        "select id, trim(concat(first_name, ' ', last_name)) as name from public.customers where id = any(:ids)",
        ids=list(ids),
    )
    return {row.id: row.name for row in found if row.name}


async def with_slack_ids(tx: Transaction, slack_ids: Iterable[str]) -> dict[str, Person]:
    """People by their Slack id, whichever company they are of; who was never met is left out."""
    found = await tx.run(
        f"select distinct on (p.slack_id) {PERSON} from threadesk.people p where p.slack_id = any(:ids)"
        " order by p.slack_id, p.known_at nulls last",
        ids=list(slack_ids),
    )
    return {row.slack_id: person_of(row) for row in found}


async def learn(tx: Transaction, profile: Profile) -> None:
    await tx.run(
        """
        update threadesk.people set kind = :kind, name = :name, email = :email, locale = :locale,
          picture = :picture, is_admin = :is_admin, known_at = :now
        where team_id = :team and slack_id = :slack
        """,
        team=profile.team_id,
        slack=profile.slack_id,
        kind=profile.kind,
        name=profile.name,
        email=profile.email,
        locale=profile.locale,
        picture=profile.picture,
        is_admin=profile.is_admin,
        now=tx.now,
    )


async def owner_of_email(tx: Transaction, email: str) -> UUID | None:
    """The customer or auth user who has this e-mail, letter case ignored."""
    found = await tx.run(
        """
        select coalesce(
          (select id from public.customers where lower(email) = lower(:email) order by id limit 1),
          threadesk.user_with(:email))
        """,
        email=email,
    )
    owner = found.scalar_one()
    return UUID(str(owner)) if owner else None


async def users_have_email(tx: Transaction) -> bool:
    """Whether auth.users, which may be another program's, says what each one's e-mail is."""
    found = await tx.run(
        "select 1 from information_schema.columns"
        " where table_schema = 'auth' and table_name = 'users' and column_name = 'email'"
    )
    return found.one_or_none() is not None


async def become(tx: Transaction, person: Person, user_id: UUID) -> None:
    """Makes the person the one that `user_id` already is, and gives that one what they did under a row of their own."""
    old, new = person.user_id, user_id
    await tx.run("select threadesk.new_user(:new)", new=new)
    await tx.run(
        """
        select 1 from public.tickets t join threadesk.desk_tickets d on d.ticket_id = t.id
        where t.created_by = :old or t.assigned_to @> array[:old]::uuid[] or d.requester = :old
           or t.id in (select ticket_id from threadesk.messages where created_by = :old)
        order by d.number for no key update of t, d
        """,
        old=old,
    )
    await tx.run("select 1 from threadesk.people where user_id = :old for update", old=old)
    await tx.run(
        """
        update public.tickets set
          created_by = case when created_by = :old then :new else created_by end,
          assigned_to = case when assigned_to @> array[:new]::uuid[] then array_remove(assigned_to, :old)
                             else array_replace(assigned_to, :old, :new) end,
          conversation_history = regexp_replace(conversation_history::text, :old_text, :new_text, 'gi')::jsonb,
          internal_notes = regexp_replace(internal_notes::text, :old_text, :new_text, 'gi')::jsonb
        where created_by = :old or assigned_to @> array[:old]::uuid[]
           or id in (select ticket_id from threadesk.messages where created_by = :old)
        """,
        old=old,
        new=new,
        old_text=str(old),
        new_text=str(new),
    )
    await tx.run("update threadesk.desk_tickets set requester = :new where requester = :old", old=old, new=new)
    await tx.run("update threadesk.messages set created_by = :new where created_by = :old", old=old, new=new)
    await tx.run("update threadesk.replies set author = :new where author = :old", old=old, new=new)
    # A row that another program made, or that a customer's row extends, stays; so does what the ledger says of it.
    gone = await tx.run("select threadesk.replace_user(:old, :new)", old=old, new=new)
    if gone.scalar_one():
        await tx.run("update threadesk.ledger set actor = :new where actor = :old", old=old, new=new)
        await tx.run("update threadesk.settings_ledger set actor = :new where actor = :old", old=old, new=new)


async def refile(tx: Transaction, person: Person, team_id: str) -> None:
    """Files a person under the company that Slack says is theirs, when they were met under another one."""
    keys = {"old": person.team_id, "slack": person.slack_id}
    known = await find(tx, team_id, person.slack_id)
    if known is None:
        await tx.run(
            "update threadesk.people set team_id = :new where team_id = :old and slack_id = :slack", new=team_id, **keys
        )
    else:
        if known.user_id != person.user_id:
            await become(tx, person, known.user_id)
        await tx.run("delete from threadesk.people where team_id = :old and slack_id = :slack", **keys)
    await tx.run(
        "update threadesk.desk_tickets set requester_team = :new"
        " where requester_team = :old and requester_slack = :slack",
        new=team_id,
        **keys,
    )


async def company(tx: Transaction, team_id: str) -> str | None:
    """The name of a Slack workspace, where it is known."""
    found = await tx.run("select name from threadesk.companies where team_id = :id", id=team_id)
    return found.scalar_one_or_none()


async def companies_of(tx: Transaction, triage_channels: Sequence[str]) -> dict[str, str]:
    """The names of the companies whose people asked for tickets of these triage channels, by Slack team."""
    found = await tx.run(
        """
        select c.team_id, c.name from threadesk.companies c where exists (
          select from threadesk.desk_tickets d
          where d.requester_team = c.team_id and d.triage_channel = any(:triage) and not d.not_a_ticket)
        order by c.name, c.team_id
        """,
        triage=list(triage_channels),
    )
    return {row.team_id: row.name for row in found}


async def name_company(tx: Transaction, team_id: str, name: str) -> None:
    await tx.run(
        "insert into threadesk.companies (team_id, name) values (:id, :name)"
        " on conflict (team_id) do update set name = excluded.name",
        id=team_id,
        name=name,
    )


@dataclass(frozen=True, slots=True)
class Customer:
    first_name: str
    last_name: str
    email: str
    preferred_language: str | None


async def save_customer(tx: Transaction, user_id: UUID, customer: Customer) -> str:
    """Makes the customer's row, or adds Slack to the channels of the one that is there; returns its e-mail."""
    saved = await tx.run(
        """
        insert into public.customers as known
          (id, first_name, last_name, email, preferred_language, communication_channels, feedback_history)
        values (:id, :first_name, :last_name, :email, :preferred_language, '{slack}', '{"feedback": []}')
        on conflict (id) do update set
          email = case when threadesk.is_address(known.email, known.id) then known.email else excluded.email end,
          first_name = case when concat(known.first_name, known.last_name) = '' then excluded.first_name
                            else known.first_name end,
          last_name = case when concat(known.first_name, known.last_name) = '' then excluded.last_name
                           else known.last_name end,
          preferred_language = coalesce(known.preferred_language, excluded.preferred_language),
          communication_channels = case
            when known.communication_channels @> '{slack}' then known.communication_channels
            else coalesce(known.communication_channels, '{}') || '{slack}'::text[] end
        returning email
        """,
        id=user_id,
        first_name=customer.first_name,
        last_name=customer.last_name,
        email=customer.email,
        preferred_language=customer.preferred_language,
    )
    return str(saved.scalar_one())


async def customer_email(tx: Transaction, user_id: UUID) -> str | None:
    found = await tx.run(
        "select email from public.customers where id = :id and threadesk.is_address(email, id)", id=user_id
    )
    return found.scalar_one_or_none()


async def customer_name(tx: Transaction, email: str) -> str | None:
    """The name in the row of customers with this e-mail, letter case ignored."""
    found = await tx.run(
        "select trim(first_name || ' ' || last_name) from public.customers where lower(email) = lower(:email) limit 1",
        email=email,
    )
    return found.scalar_one_or_none() or None


async def change_customer_email(tx: Transaction, user_id: UUID, email: str) -> None:
    """In the customer's row, and with it on their tickets."""
    # In one statement: where an adopted table's reference does not cascade, it is looked at when both are done.
    await tx.run(
        """
        with known as (select id, email from public.customers where id = :id),
        changed as (update public.customers set email = :email from known where customers.id = known.id)
        update public.tickets set customer_email = :email from known where customer_email = known.email
        """,
        id=user_id,
        email=email,
    )


async def unknown_on(tx: Transaction, ticket_id: UUID) -> list[Person]:
    """Who asked for, wrote on or is assigned to a ticket, and of whom Slack has not said who they are.

    Also its requester whose e-mail was learnt just when the ticket was made, and is not on it, unless agents are asked
    whether it is theirs.
    """
    found = await tx.run(
        f"""
        select {PERSON} from threadesk.people p
        where p.known_at is null and p.user_id in (
          select requester from threadesk.desk_tickets where ticket_id = :id
          union select created_by from threadesk.messages where ticket_id = :id
          union select unnest(assigned_to) from public.tickets where id = :id)
        or p.email is not null and p.user_id = (
          select d.requester from threadesk.desk_tickets d join public.tickets t on t.id = d.ticket_id
          where t.id = :id and t.customer_email is null and t.source_channel = 'slack')
          and not exists (select from threadesk.email_claims k where k.team_id = p.team_id
            and k.slack_id = p.slack_id and k.state in ('asked', 'rejected') and lower(k.email) = lower(p.email))
        """,
        id=ticket_id,
    )
    return [person_of(row) for row in found]


async def unknown_among_agents(tx: Transaction) -> list[tuple[str, str]]:
    """(team, Slack id) of the members of triage channels of whom Slack has not said who they are."""
    found = await tx.run(
        """
        select m.team_id, m.slack_id from threadesk.triage_members m
        left join threadesk.people p using (team_id, slack_id)
        where p.known_at is null
        """
    )
    return [(row.team_id, row.slack_id) for row in found]
