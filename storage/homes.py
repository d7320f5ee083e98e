"""Who has opened App Home, what they chose there, and which view Slack has of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, LiteralString

from storage.engine import Transaction
from storage.people import Person
from storage.tickets import Priority, Status

#: "asked": what the agent has asked for themselves.
List = Literal["mine", "unassigned", "waiting", "all", "asked"]
#: Who turns so many pages begins again.
LONGEST_TRAIL = 1_000


@dataclass(frozen=True, slots=True)
class Home:
    """`trail`: where each page up to the present one began, as the button for it said, the first page left out.

    `hash`: Slack's own of the view that was published last.
    """

    list: List = "mine"
    status: Status | None = None
    priority: Priority | None = None
    tag: str | None = None
    triage_channel: str | None = None
    trail: Sequence[str] = ()
    hash: str | None = None


COLUMNS: LiteralString = "list, status, priority, tag, triage_channel, trail, hash"

#: What a person chooses, with the assignment that does it.
CHOICES: dict[str, LiteralString] = {
    "list": "list = :value",
    "status": "status = :value",
    "priority": "priority = :value",
    "tag": "tag = :value",
    "triage_channel": "triage_channel = :value",
}


async def find(tx: Transaction, person: Person) -> Home | None:
    """None for somebody who has never opened App Home."""
    found = await tx.run(
        f"select {COLUMNS} from threadesk.homes where team_id = :team and slack_id = :slack", **_key(person)
    )
    row = found.one_or_none()
    return Home(**row) if row else None


async def open_(tx: Transaction, person: Person) -> None:
    """At the first page of what was chosen before."""
    await tx.run(
        """
        insert into threadesk.homes (team_id, slack_id) values (:team, :slack)
        on conflict (team_id, slack_id) do update set trail = '{}'
        """,
        **_key(person),
    )


async def choose(tx: Transaction, person: Person, what: str, value: str | None) -> None:
    """Keeps a choice (`what`: a key of CHOICES), and goes to the first page of what is listed by it."""
    await open_(tx, person)
    await tx.run(
        f"update threadesk.homes set {CHOICES[what]} where team_id = :team and slack_id = :slack",
        value=value,
        **_key(person),
    )


async def clear(tx: Transaction, person: Person) -> None:
    """Lists everything in the chosen list again."""
    await tx.run(
        """
        update threadesk.homes set status = null, priority = null, tag = null, triage_channel = null, trail = '{}'
        where team_id = :team and slack_id = :slack
        """,
        **_key(person),
    )


async def turn(tx: Transaction, person: Person, place: str) -> None:
    """To the page that begins at `place`; a second press of the same button changes nothing."""
    await tx.run(
        """
        update threadesk.homes
        set trail = case when cardinality(trail) < :most then trail else '{}' end || cast(:place as text)
        where team_id = :team and slack_id = :slack
          and trail[cardinality(trail)] is distinct from cast(:place as text)
        """,
        place=place,
        most=LONGEST_TRAIL,
        **_key(person),
    )


async def turn_back(tx: Transaction, person: Person) -> None:
    await tx.run(
        "update threadesk.homes set trail = trim_array(trail, 1)"
        " where team_id = :team and slack_id = :slack and cardinality(trail) > 0",
        **_key(person),
    )


async def published(tx: Transaction, person: Person, slack_hash: str) -> None:
    """Slack has another view now, under this hash."""
    await tx.run(
        "update threadesk.homes set hash = :hash where team_id = :team and slack_id = :slack",
        hash=slack_hash,
        **_key(person),
    )


def _key(person: Person) -> dict[str, Any]:
    return {"team": person.team_id, "slack": person.slack_id}
