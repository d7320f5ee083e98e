"""Tickets and their conversations under writers that come at once, twice and out of order."""

import asyncio
import datetime as dt
import random
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from storage import people, replies, tickets
from storage.engine import Database, Transaction
from storage.people import Customer, Person
from storage.tickets import Appended, NewTicket, Origin, Recorded

NOW = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)
NOWHERE = Origin(None, None, None, None)


async def met(tx: Transaction, slack_id: str = "U-ADA") -> Person:
    return await people.meet(tx, "T-GLOBEX", slack_id)


async def opened(tx: Transaction, **changes: Any) -> UUID:
    """A ticket that Ada asked for in a channel."""
    ada = await met(tx)
    values: dict[str, Any] = {
        "id": uuid4(),
        "title": "It burns",
        "description": "Badly",
        "status": "new",
        "priority": "high",
        "tags": [],
        "assigned_to": [],
        "created_by": ada.user_id,
        "customer_email": None,
        "requester": ada.user_id,
        "requester_team": ada.team_id,
        "requester_slack": ada.slack_id,
        "channel": "C-HELP",
        "root_ts": "1.000001",
        "triage_channel": "C-TRIAGE",
    }
    new = NewTicket(**values | changes)
    await tickets.insert(tx, new)
    return new.id


def said(content: str, author: Person, *, seconds: float = 0, **more: Any) -> dict[str, Any]:
    at = (NOW + dt.timedelta(seconds=seconds)).isoformat(timespec="microseconds")
    fresh = {"id": str(uuid4()), "content": content, "created_at": at, "created_by": str(author.user_id)}
    return fresh | {"attachments": []} | more


async def blocked(database: Database, how_many: int) -> None:
    """Returns when so many wait for a lock."""
    async with asyncio.timeout(5):
        while True:
            async with database.transaction(NOW) as tx:
                found = await tx.run(
                    "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
                    " and datname = current_database()"
                )
            if found.scalar_one() == how_many:
                return
            await asyncio.sleep(0.01)


async def contents(sql: asyncpg.Connection, column: str = "conversation_history", key: str = "messages") -> list[str]:
    history = await sql.fetchval(f"select {column} from tickets")
    return [word["content"] for word in history[key]]


async def test_a_ticket_and_what_the_desk_knows_of_it(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        await tx.act_as(None, "desk")
        first, second = await opened(tx), await opened(tx, tags=["vpn"], root_ts="2.000001")
    async with database.transaction(NOW) as tx:
        ada = await met(tx)
        ticket = await tickets.by_number(tx, 2)
        assert ticket is not None
        assert (ticket.id, ticket.number, ticket.tags, ticket.custom_fields) == (second, 2, ("vpn",), {})
        assert (ticket.requester, ticket.channel, ticket.root_ts) == (ada.user_id, "C-HELP", "2.000001")
        assert ticket.last_activity_at == NOW
        assert await tickets.by_id(tx, first) == await tickets.by_number(tx, 1)
        assert await tickets.newest_number(tx) == 2
        assert await tickets.by_id(tx, uuid4()) is None


async def test_a_thread_is_claimed_once_and_points_to_its_latest_ticket(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        first, second = await opened(tx), await opened(tx)

    async def claim(ticket_id: UUID) -> bool:
        async with database.transaction(NOW) as tx:
            return await tickets.claim_root(tx, "C-HELP", "1.000001", ticket_id)

    assert sorted(await asyncio.gather(*(claim(one) for one in [first, second] * 3))) == [False] * 5 + [True]
    async with database.transaction(NOW) as tx:
        await tickets.point_thread(tx, "C-HELP", "1.000001", second, "customer")
        assert await tickets.by_thread(tx, "C-HELP", "1.000001") == (second, "customer")
        assert await tickets.by_thread(tx, "C-HELP", "2.000001") is None


async def test_fifty_messages_and_notes_at_once(database: Database, database_url: str, sql: asyncpg.Connection) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id, ada = await opened(tx), await met(tx)
    replicas = [database, Database(database_url), Database(database_url)]

    async def append(place: int) -> Appended | None:
        word = said(str(place), ada, seconds=place)
        async with replicas[place % 3].transaction(NOW) as tx:
            if place % 2:
                return await tickets.append(tx, ticket_id, word, Origin("C", f"{place}.0", "customer", {}), "customer")
            del word["attachments"]
            return await tickets.append_note(tx, ticket_id, word, NOWHERE)

    places = list(range(50))
    random.Random(3).shuffle(places)
    assert all(await asyncio.gather(*(append(place) for place in places)))
    assert await contents(sql) == [str(place) for place in range(1, 50, 2)]
    assert await contents(sql, "internal_notes", "notes") == [str(place) for place in range(0, 50, 2)]
    counted = await sql.fetch("select what, count(distinct after) from threadesk.ledger group by what order by what")
    assert [tuple(row) for row in counted] == [("message", 25), ("note", 25), ("opened", 1)]
    assert await sql.fetchval("select count(*) from threadesk.messages") == 50
    for replica in replicas[1:]:
        await replica.close()


async def test_the_same_message_ten_times_at_once(database: Database, sql: asyncpg.Connection) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id, grace = await opened(tx), await met(tx, "U-GRACE")
    word = said("Try again", grace)

    async def append() -> Appended | None:
        async with database.transaction(NOW) as tx:
            await tx.act_as(grace.user_id, "agent")
            return await tickets.append(
                tx,
                ticket_id,
                word,
                Origin("C", "1.0", "customer", None),
                "agent",
                status="pending",
                assigned_to=[grace.user_id],
            )

    appended = await asyncio.gather(*(append() for _ in range(10)))
    assert sum(map(bool, appended)) == 1
    assert await contents(sql) == ["Try again"]
    assert [row[0] for row in await sql.fetch("select what from threadesk.ledger order by id")] == [
        "opened",
        "status",
        "assigned_to",
        "message",
    ]
    # Once more after the ticket has moved on: the status is not brought about again.
    async with database.transaction(NOW) as tx:
        await tickets.change(tx, ticket_id, status="open", assigned_to=())
    assert not await append()
    assert tuple(await sql.fetchrow("select status, assigned_to from tickets") or ()) == ("open", [])


async def test_one_slack_message_under_two_ids_is_one(database: Database, sql: asyncpg.Connection) -> None:
    origin = Origin("C", "1.0", "customer", None)
    async with database.transaction(NOW) as tx:
        ticket_id, ada = await opened(tx), await met(tx)
        assert await tickets.append(tx, ticket_id, said("Once", ada), origin, "customer")
        assert not await tickets.append(tx, ticket_id, said("Twice", ada), origin, "customer")
    assert await contents(sql) == ["Once"]


async def test_messages_are_put_in_the_order_of_their_times(database: Database, sql: asyncpg.Connection) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id, ada = await opened(tx), await met(tx)
        for seconds, content in [(2, "c"), (0, "a"), (3, "d"), (2, "c, too"), (1, "b"), (2, "c, three")]:
            await tickets.append(tx, ticket_id, said(content, ada, seconds=seconds), NOWHERE, "customer")
        shown = await tickets.conversation(tx, ticket_id, notes=True)
    assert await contents(sql) == ["a", "b", "c", "c, too", "c, three", "d"]
    assert [one.word["content"] for one in shown] == await contents(sql)


async def test_beside_what_another_program_wrote(database: Database, sql: asyncpg.Connection) -> None:
    """No conversation at all, times that are none, ids in capitals, two messages in the same second."""
    async with database.transaction(NOW) as tx:
        ticket_id, ada = await opened(tx), await met(tx)
    await sql.execute("update tickets set conversation_history = null, internal_notes = null")
    async with database.transaction(NOW) as tx:
        await tickets.append(tx, ticket_id, said("ours", ada, seconds=5), NOWHERE, "customer")
        await tickets.append_note(tx, ticket_id, said("our note", ada, seconds=5), NOWHERE)
    theirs = [
        said("first", ada, created_at="last week, I think"),
        said("second", ada, created_at="infinity"),
        said("third", ada, created_at="12026-01-01"),
        said("fourth", ada, id=str(uuid4()).upper()),
        said("fifth", ada),
    ]
    await sql.execute(
        "update tickets set conversation_history ="
        " jsonb_set(conversation_history, '{messages}', $1 || (conversation_history -> 'messages'))",
        theirs,
    )
    async with database.transaction(NOW) as tx:
        await tickets.append(tx, ticket_id, said("between", ada, seconds=1), NOWHERE, "customer")
        shown = await tickets.conversation(tx, ticket_id, notes=False)
        ours = await tickets.conversation(tx, ticket_id, notes=True)
    assert await contents(sql) == ["first", "second", "third", "fourth", "fifth", "between", "ours"]
    assert [one.word["content"] for one in shown] == await contents(sql)
    assert {one.word["content"] for one in ours} == {*await contents(sql), "our note"}
    assert await contents(sql, "internal_notes", "notes") == ["our note"]


async def test_a_new_version_and_a_new_message_at_once(database: Database, sql: asyncpg.Connection) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id, ada = await opened(tx), await met(tx)
        word = said("Helo", ada)
        await tickets.append(tx, ticket_id, word, Origin("C", "1.0", "customer", {"text": "Helo"}), "customer")

    async def edit(place: int) -> None:
        async with database.transaction(NOW) as tx:
            known = await tickets.recorded(tx, "C", "1.0")
            assert known is not None
            await tickets.rewrite(tx, known, known.word | {"content": known.word["content"] + str(place)}, {})

    async def append(place: int) -> None:
        async with database.transaction(NOW) as tx:
            await tickets.append(tx, ticket_id, said(f"more {place}", ada, seconds=9), NOWHERE, "customer")

    await asyncio.gather(*(one(place) for place in range(8) for one in (edit, append)))
    edited, *more = await contents(sql)
    assert sorted(edited.removeprefix("Helo")) == list("01234567")
    assert sorted(more) == [f"more {place}" for place in range(8)]
    assert await sql.fetchval("select version from threadesk.messages where ts = '1.0'") == 9


async def test_what_was_recorded_of_a_slack_message(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id, ada = await opened(tx), await met(tx)
        word = said("Look: <@U1>", ada)
        source = {"text": "Look: <@U1>", "unresolved": True}
        await tickets.append(tx, ticket_id, word, Origin("C", "1.0", "customer", source), "customer")
        at = dt.datetime.fromisoformat(word["created_at"])
        known = await tickets.recorded(tx, "C", "1.0")
        assert known == Recorded(UUID(word["id"]), ticket_id, "message", at, "customer", "customer", source, word)
        assert await tickets.by_message_id(tx, UUID(word["id"])) == known
        assert await tickets.unread_names(tx, ticket_id) == [known]
        assert await tickets.is_known(tx, "C", "1.0")
        assert await tickets.recorded(tx, "C", "2.0") is None
        assert not await tickets.is_known(tx, "C", "2.0")


async def test_who_waits_for_whom(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id, ada, grace = await opened(tx), await met(tx), await met(tx, "U-GRACE")
        assert await tickets.waiting_since(tx, ticket_id) is None
        assert await replies.newest(tx, ticket_id) is None
        for seconds in (1, 2):
            await tickets.append(tx, ticket_id, said("Hello?", ada, seconds=seconds), NOWHERE, "customer")
        assert await tickets.waiting_since(tx, ticket_id) == NOW + dt.timedelta(seconds=1)
        answer = said("Hello!", grace, seconds=3)
        await tickets.append(tx, ticket_id, answer, NOWHERE, "agent")
        await tickets.append_note(tx, ticket_id, said("They shout", grace, seconds=4), NOWHERE)
        assert await tickets.waiting_since(tx, ticket_id) is None
        assert await replies.newest(tx, ticket_id) == UUID(answer["id"])
        newest = await tickets.newest_word(tx, ticket_id)
        assert newest is not None
        assert (newest.content, newest.created_by) == ("Hello!", grace.user_id)
        assert await tickets.answered_later(tx, ticket_id, NOW, "agent")
        assert not await tickets.answered_later(tx, ticket_id, NOW + dt.timedelta(seconds=3), "agent")
        at = NOW + dt.timedelta(seconds=5)
        latest = await tickets.latest_of_requester(tx, "T-GLOBEX", "U-ADA", "C-HELP", at)
        assert latest is not None
        assert (latest.ticket.id, latest.apart, latest.answered) == (ticket_id, dt.timedelta(seconds=3), True)
        latest = await tickets.latest_of_requester(tx, "T-GLOBEX", "U-ADA", "C-HELP", NOW + dt.timedelta(seconds=3))
        assert latest is not None
        assert (latest.apart, latest.answered) == (dt.timedelta(seconds=1), False)


async def test_a_submission_acts_once(database: Database) -> None:
    async def act() -> bool:
        async with database.transaction(NOW) as tx:
            return await tickets.act_once(tx, "view:1")

    assert sorted(await asyncio.gather(*(act() for _ in range(10)))) == [False] * 9 + [True]


async def test_an_operation_that_fails_leaves_nothing(database: Database, sql: asyncpg.Connection) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id = await opened(tx)
    tables = ("tickets", "threadesk.ledger", "threadesk.to_show", "threadesk.people", "auth.users")
    before = [await sql.fetch(f"select * from {table}") for table in tables]

    async def fail() -> None:
        async with database.transaction(NOW) as tx:
            await tickets.append(tx, ticket_id, said("Lost", await met(tx, "U-BOB")), NOWHERE, "customer")
            raise KeyError(ticket_id)

    with pytest.raises(KeyError):
        await fail()
    assert [await sql.fetch(f"select * from {table}") for table in tables] == before


def feedback(rating: int, comment: str | None = None) -> dict[str, Any]:
    return {"rating": rating, "comment": comment, "submitted_at": NOW.isoformat()}


async def rate(database: Database, ticket_id: UUID, rating: int) -> None:
    async with database.transaction(NOW) as tx:
        ticket = await tickets.by_id(tx, ticket_id, lock=True)
        assert ticket is not None
        await tickets.rate(tx, ticket, feedback(rating))


async def agreement(sql: asyncpg.Connection) -> tuple[dict[str, int], dict[str, int]]:
    """Ratings by ticket: as the tickets have them, and as the customer's history has them."""
    rated = await sql.fetch("select id, feedback from tickets where feedback is not null")
    history = await sql.fetchval("select feedback_history from customers")
    ratings = {entry["ticket_id"]: entry["rating"] for entry in history["feedback"]}
    assert len(ratings) == len(history["feedback"])
    return {str(row["id"]): row["feedback"]["rating"] for row in rated}, ratings


async def test_ratings_agree_with_the_customers_history(database: Database, sql: asyncpg.Connection) -> None:
    async with database.transaction(NOW) as tx:
        ada = await met(tx)
        email = await people.save_customer(tx, ada.user_id, Customer("Ada", "Lovelace", "ada@globex.example", "en"))
        rated = [await opened(tx, customer_email=email) for _ in range(8)]
        await opened(tx, customer_email=email)
    await asyncio.gather(*(rate(database, one, 1 + place % 5) for place, one in enumerate(rated)))
    on_tickets, in_history = await agreement(sql)
    assert on_tickets == in_history == {str(one): 1 + place % 5 for place, one in enumerate(rated)}
    await asyncio.gather(*(rate(database, rated[0], rating) for rating in (2, 3, 4)))
    on_tickets, in_history = await agreement(sql)
    assert on_tickets == in_history
    assert len(in_history) == 8


async def test_a_rating_reaches_the_history_when_there_is_a_customer(
    database: Database, sql: asyncpg.Connection
) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id, ada = await opened(tx), await met(tx)
    await rate(database, ticket_id, 4)
    async with database.transaction(NOW) as tx:
        assert await tickets.without_email(tx, ada.user_id) == [ticket_id]
        email = await people.save_customer(tx, ada.user_id, Customer("Ada", "Lovelace", "ada@globex.example", None))
        await tickets.change(tx, ticket_id, customer_email=email)
        await tickets.remember_rating(tx, ticket_id)
        assert await tickets.without_email(tx, ada.user_id) == []
    assert await agreement(sql) == ({str(ticket_id): 4}, {str(ticket_id): 4})
    # Another program writes the same ticket's entry its own way: it is replaced all the same.
    await sql.execute(
        "update customers set feedback_history = $1",
        {"feedback": [feedback(1) | {"ticket_id": str(ticket_id).upper()}]},
    )
    await rate(database, ticket_id, 5)
    assert await agreement(sql) == ({str(ticket_id): 5}, {str(ticket_id): 5})


async def test_a_quotation_is_taken_back_while_its_ticket_changes(database: Database) -> None:
    """Tickets are locked before what the desk keeps of their messages, here as well: neither waits for the other."""
    async with database.transaction(NOW) as tx:
        ticket_id, ada = await opened(tx), await met(tx)
        note = said("Ada wrote: it burns", ada)
        origin = Origin(None, None, None, {"text": "Ada wrote: it burns", "copy_of": tickets.copied_from("C", "5.0")})
        await tickets.append_note(tx, ticket_id, note, origin)

    async def take_back() -> None:
        async with database.transaction(NOW) as tx:
            (one,) = await tickets.copies(tx, "C", "5.0")
            await tickets.rewrite(tx, one, one.word | {"content": "", "deleted_at": one.word["created_at"]}, None)

    async with database.transaction(NOW) as tx:
        await tickets.by_id(tx, ticket_id, lock=True)
        taking_back = asyncio.create_task(take_back())
        await blocked(database, 1)
        fresh = await tickets.by_message_id(tx, UUID(note["id"]))
        assert fresh is not None
        await tickets.rewrite(tx, fresh, fresh.word | {"content": "Ada wrote: it BURNS"}, fresh.source)
    await taking_back
    async with database.transaction(NOW) as tx:
        last = await tickets.by_message_id(tx, UUID(note["id"]))
    assert last is not None
    assert last.word["content"] == ""
