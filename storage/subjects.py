"""Somebody who asks what is kept of them, or wants it gone: who they are, and everything that is theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from storage import people
from storage.engine import Transaction


@dataclass(frozen=True, slots=True)
class Subject:
    """`user_ids`: of auth.users; `slack`: each (team, Slack id); `emails` of rows that are theirs, in lower case.

    `several`: they are more than one person in Slack, whom agents have told apart or have still to tell apart.
    `triage`: the ids of the triage channels of which they are members.
    """

    user_ids: Sequence[UUID]
    slack: Sequence[tuple[str, str]]
    emails: Sequence[str]
    names: Sequence[str]
    triage: Sequence[str]
    several: bool

    @property
    def slack_ids(self) -> list[str]:
        return [slack_id for _, slack_id in self.slack]

    @property
    def teams(self) -> list[str]:
        return [team for team, _ in self.slack]


async def may_be_read(tx: Transaction) -> bool:
    """Whether this role may read the accounts of people. The desk's own may not: see `storage.rights`."""
    # By its id: to look for its name would need a right on the schema.
    found = await tx.run(
        """
        select has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
        from pg_class c join pg_namespace n on n.oid = c.relnamespace where (nspname, relname) = ('auth', 'users')
        """
    )
    return bool(found.scalar_one())


async def with_email(tx: Transaction, email: str) -> Subject | None:
    """Who has this e-mail, letter case ignored: customer, auth user or Slack profile. None: it stands nowhere."""
    users: LiteralString = (
        "union select id from auth.users where lower(email) = lower(:email)"
        if await people.users_have_email(tx)
        else ""
    )
    found = await tx.run(
        f"""
        select id from public.customers where lower(email) = lower(:email)
        union select user_id from threadesk.people where lower(email) = lower(:email) {users}
        """,
        email=email,
    )
    on_tickets = await tx.run(
        """
        select 1 from public.tickets where lower(customer_email) = lower(:email)
        union all select 1 from threadesk.email_claims where lower(email) = lower(:email) limit 1
        """,
        email=email,
    )
    return await _with_ids(tx, found.scalars(), [email]) if found or on_tickets else None


async def with_slack_id(tx: Transaction, team: str | None, slack_id: str) -> Subject | None:
    """Who has this Slack id, in this company where one is named. None: nobody whom the desk knows."""
    found = await tx.run(
        "select user_id from threadesk.people where slack_id = :slack and team_id = coalesce(:team, team_id)",
        slack=slack_id,
        team=team,
    )
    return await _with_ids(tx, found.scalars(), []) if found else None


async def _with_ids(tx: Transaction, user_ids: Sequence[UUID], emails: Sequence[str]) -> Subject:
    ids = list(user_ids)
    in_slack = await tx.run(
        "select team_id, slack_id, name, user_id from threadesk.people where user_id = any(:ids) order by 1, 2", ids=ids
    )
    customers = await tx.run(
        "select email, trim(first_name || ' ' || last_name) as name from public.customers where id = any(:ids)", ids=ids
    )
    users = (
        await tx.run("select email from auth.users where id = any(:ids)", ids=ids)
        if await people.users_have_email(tx)
        else ()
    )
    triage = await tx.run(
        """
        select distinct channel from threadesk.triage_members
        where (team_id, slack_id) in (select * from unnest(cast(:teams as text[]), cast(:slack_ids as text[])))
        order by 1
        """,
        teams=[row.team_id for row in in_slack],
        slack_ids=[row.slack_id for row in in_slack],
    )
    # What a profile says is not enough: somebody else's tickets may have the same address.
    known = [*emails, *(row.email for rows in (customers, users) for row in rows)]
    return Subject(
        user_ids=ids,
        slack=[(row.team_id, row.slack_id) for row in in_slack],
        emails=sorted({one.lower() for one in known if one}),
        names=sorted({row.name for rows in (in_slack, customers) for row in rows if row.name}),
        triage=triage.scalars(),
        several=len({row.user_id for row in in_slack}) > 1,
    )


#: The tickets that a person has asked for, here or in another program; `d` is missing for those the desk has not seen.
THEIRS: LiteralString = """
  coalesce(d.requester, t.created_by) = any(:user_ids)
  or (d.requester_team, d.requester_slack) in (select * from unnest(cast(:teams as text[]), cast(:slack_ids as text[])))
  or lower(t.customer_email) = any(:emails)
"""


def who(subject: Subject) -> dict[str, Any]:
    """The values of THEIRS."""
    return {
        "user_ids": list(subject.user_ids),
        "teams": subject.teams,
        "slack_ids": subject.slack_ids,
        "emails": list(subject.emails),
    }


async def tickets_of(tx: Transaction, subject: Subject) -> list[UUID]:
    found = await tx.run(
        f"""
        select t.id from public.tickets t left join threadesk.desk_tickets d on d.ticket_id = t.id
        where {THEIRS} order by d.number
        """,
        **who(subject),
    )
    return found.scalars()


@dataclass(frozen=True, slots=True)
class Kept:
    """What the desk has of a person beside tickets, each row by column."""

    people: Sequence[Mapping[str, Any]]
    users: Sequence[Mapping[str, Any]]
    customers: Sequence[Mapping[str, Any]]
    claims: Sequence[Mapping[str, Any]]
    not_in_tickets: Sequence[Mapping[str, Any]]


async def kept(tx: Transaction, subject: Subject) -> Kept:
    """`users` is without what logs them in: passwords, tokens and the like."""
    values = who(subject)

    async def rows(sql: LiteralString, **given: Any) -> list[Mapping[str, Any]]:
        return [row.kept for row in await tx.run(sql, **given)]

    return Kept(
        people=await rows(
            """
            select to_jsonb(p) || jsonb_build_object('company', c.name) as kept
            from threadesk.people p left join threadesk.companies c using (team_id)
            where p.user_id = any(:user_ids) order by p.team_id, p.slack_id
            """,
            user_ids=values["user_ids"],
        ),
        users=await rows(
            """
            select (select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(u))
              where key !~* '(password|token|secret|hash|nonce|code|salt|key)') as kept
            from auth.users u where u.id = any(:user_ids) order by u.id
            """,
            user_ids=values["user_ids"],
        ),
        customers=await rows(
            "select to_jsonb(c) as kept from public.customers c where c.id = any(:user_ids) order by c.id",
            user_ids=values["user_ids"],
        ),
        claims=await rows(
            f"""
            select jsonb_build_object('email', email, 'claimed_at', claimed_at, 'state', state) as kept
            from threadesk.email_claims where {OF_SLACK} order by claimed_at, id
            """,
            **_of_slack(subject),
        ),
        not_in_tickets=await rows(
            """
            select event as kept from threadesk.early
            where (event ->> 'team', event ->> 'author') in
              (select * from unnest(cast(:teams as text[]), cast(:slack_ids as text[])))
            order by ts, version
            """,
            **_of_slack(subject),
        ),
    )


OF_SLACK: LiteralString = """
  (team_id, slack_id) in (select * from unnest(cast(:teams as text[]), cast(:slack_ids as text[])))
"""


def _of_slack(subject: Subject) -> dict[str, Any]:
    return {"teams": subject.teams, "slack_ids": subject.slack_ids}


@dataclass(frozen=True, slots=True)
class TheirTicket:
    """`asked`: it is theirs; else they have only written on it. `row`: as in public.tickets, without what was said.

    `unreadable`: in how many places another program has written of what was said in a shape that the desk cannot read.
    """

    id: UUID
    number: int | None
    asked: bool
    row: Mapping[str, Any]
    unreadable: int


async def concerned(tx: Transaction, subject: Subject) -> list[TheirTicket]:
    """The tickets that they have asked for or written on, oldest first."""
    found = await tx.run(
        f"""
        select t.id, d.number, coalesce({THEIRS}, false) as asked,
          to_jsonb(t) - '{{id,conversation_history,internal_notes,created_by,assigned_to}}'::text[] as row,
          coalesce(cast(d.flaws ->> 'messages_shape' as integer), 0)
            + coalesce(cast(d.flaws ->> 'messages_unidentified' as integer), 0) as unreadable
        from public.tickets t left join threadesk.desk_tickets d on d.ticket_id = t.id
        where {THEIRS}
          or t.id in (select ticket_id from threadesk.messages where created_by = any(:user_ids) and kind = 'message')
        order by d.number
        """,
        **who(subject),
    )
    return [TheirTicket(**row) for row in found]
