"""A ticket's feedback and its customer's feedback_history agree, whoever writes either."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ADA, BOB = "ada@globex.example", "bob@globex.example"
names = itertools.count()


def feedback(rating: int, comment: str | None = None) -> dict[str, Any]:
    return {"rating": rating, "comment": comment, "submitted_at": "2025-11-17T10:00:00+00:00"}


async def customer(sql: asyncpg.Connection, email: str) -> None:
    who = uuid4()
    await sql.execute("insert into auth.users (id) values ($1)", who)
    await sql.execute(
        "insert into customers (id, first_name, last_name, email) values ($1, 'Ada', 'Lovelace', $2)", who, email
    )


async def ticket(sql: asyncpg.Connection, email: str | None, rated: dict[str, Any] | None = None) -> UUID:
    made = await sql.fetchval(
        "insert into tickets (title, description, status, priority, customer_email, feedback)"
        " values ('It fails', '', 'closed', 'low', $1, $2) returning id",
        email,
        rated,
    )
    return UUID(str(made))


async def history(sql: asyncpg.Connection, email: str = ADA) -> list[dict[str, Any]]:
    kept = await sql.fetchval("select feedback_history -> 'feedback' from customers where email = $1", email)
    return list(kept or [])


async def rate(sql: asyncpg.Connection, which: UUID, rated: dict[str, Any] | None) -> None:
    await sql.execute("update tickets set feedback = $2 where id = $1", which, rated)


async def write_history(sql: asyncpg.Connection, entries: Sequence[dict[str, Any]], email: str = ADA) -> None:
    await sql.execute("update customers set feedback_history = $2 where email = $1", email, {"feedback": list(entries)})


@pytest.fixture
async def ada(sql: asyncpg.Connection) -> str:
    await customer(sql, ADA)
    return ADA


async def test_the_history_follows_the_ticket(sql: asyncpg.Connection, ada: str) -> None:
    first, second = await ticket(sql, ada, feedback(2)), await ticket(sql, ada)
    await rate(sql, second, feedback(5, "Quick"))
    await rate(sql, first, feedback(3))

    assert await history(sql) == [
        feedback(3) | {"ticket_id": str(first)},
        feedback(5, "Quick") | {"ticket_id": str(second)},
    ]

    await rate(sql, first, None)
    assert [entry["rating"] for entry in await history(sql)] == [5]


async def test_a_rating_goes_with_its_ticket_to_another_customer(sql: asyncpg.Connection, ada: str) -> None:
    await customer(sql, BOB)
    rated = await ticket(sql, ada, feedback(4))

    await sql.execute("update tickets set customer_email = $2 where id = $1", rated, BOB)

    assert (await history(sql), await history(sql, BOB)) == ([], [feedback(4) | {"ticket_id": str(rated)}])


async def test_a_customer_whose_e_mail_changes_keeps_their_history(sql: asyncpg.Connection, ada: str) -> None:
    rated = await ticket(sql, ada, feedback(4))

    await sql.execute("update customers set email = $1", BOB)

    assert await history(sql, BOB) == [feedback(4) | {"ticket_id": str(rated)}]


async def test_another_programs_entry_must_be_what_the_ticket_says(sql: asyncpg.Connection, ada: str) -> None:
    await customer(sql, BOB)
    rated, unrated, bobs = await ticket(sql, ada, feedback(4)), await ticket(sql, ada), await ticket(sql, BOB)
    await rate(sql, bobs, feedback(5))
    kept = await history(sql)
    for entries in (
        [],
        [feedback(1) | {"ticket_id": str(rated)}],
        [*kept, feedback(4) | {"ticket_id": str(unrated)}],
        [*kept, feedback(5) | {"ticket_id": str(bobs)}],
        [*kept, *kept],
    ):
        with pytest.raises(asyncpg.CheckViolationError, match="feedback_history differs") as refused:
            await write_history(sql, entries)
        assert refused.value.constraint_name == "customers_feedback_history_agrees"
        assert await history(sql) == kept


async def test_another_program_may_write_both_in_either_order(sql: asyncpg.Connection, ada: str) -> None:
    rated = await ticket(sql, ada)
    # Its own way to write a uuid, a key of its own, and a rating of elsewhere.
    entry = feedback(2) | {"ticket_id": str(rated).upper(), "source": "widget"}
    elsewhere = feedback(1) | {"ticket_id": str(uuid4())}

    async with sql.transaction():
        await write_history(sql, [elsewhere, entry])
        await rate(sql, rated, feedback(2))
    async with sql.transaction():
        await rate(sql, rated, feedback(3))
        await write_history(sql, [elsewhere, entry | feedback(3)])

    assert await history(sql) == [elsewhere, entry | feedback(3)]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["rate", "clear", "move", "open", "write"]), st.integers(0, 3), st.integers(1, 5)),
        max_size=15,
    )
)
async def test_they_agree_after_anything(sql: asyncpg.Connection, happenings: list[tuple[str, int, int]]) -> None:
    emails = [f"{next(names)}@globex.example" for _ in range(2)]
    for email in emails:
        await customer(sql, email)
    tickets = [await ticket(sql, emails[0])]
    for what, which, rating in happenings:
        chosen, email = tickets[which % len(tickets)], emails[which % 2]
        match what:
            case "open":
                tickets.append(await ticket(sql, email, feedback(rating) if rating > 2 else None))
            case "rate":
                await rate(sql, chosen, feedback(rating))
            case "clear":
                await rate(sql, chosen, None)
            case "move":
                to = [*emails, None][rating % 3]
                await sql.execute("update tickets set customer_email = $2 where id = $1", chosen, to)
            case "write":
                try:
                    await write_history(sql, [feedback(rating) | {"ticket_id": str(chosen)}], email)
                except asyncpg.CheckViolationError:
                    continue

    for email in emails:
        rows = await sql.fetch("select id, feedback from tickets where customer_email = $1", email)
        given = {str(row["id"]): row["feedback"] for row in rows if row["feedback"]}
        kept = await history(sql, email)
        assert {entry["ticket_id"]: {key: entry[key] for key in feedback(1)} for entry in kept} == given
        assert len(kept) == len(given)


async def test_what_differed_before_is_made_to_agree_by_the_upgrade(sql: asyncpg.Connection, ada: str) -> None:
    rated, only_in_history = await ticket(sql, ada, feedback(4)), await ticket(sql, ada)
    await sql.execute("set session_replication_role = replica")
    await write_history(sql, [feedback(2) | {"ticket_id": str(only_in_history)}])
    await sql.execute("reset session_replication_role")

    await sql.execute(import_module("migrations.versions.0010_figures").AGREED)

    assert {entry["ticket_id"]: entry["rating"] for entry in await history(sql)} == {
        str(only_in_history): 2,
        str(rated): 4,
    }
    assert (await sql.fetchval("select feedback from tickets where id = $1", only_in_history)) == feedback(2)
