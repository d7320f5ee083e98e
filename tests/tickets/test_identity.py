"""Names that are found out after the words in which they stand were recorded, and who people turn out to be."""

import asyncio
import datetime as dt
from uuid import uuid4

import asyncpg

from bot.tickets import identity
from storage import people, tickets
from storage.engine import Database
from storage.people import Person, Profile
from storage.tickets import NewTicket, Origin

NOW = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)


def of(ada: Person) -> NewTicket:
    return NewTicket(
        id=uuid4(),
        title="It burns",
        description="Badly",
        status="new",
        priority="high",
        tags=(),
        assigned_to=(),
        created_by=ada.user_id,
        customer_email=None,
        requester=ada.user_id,
        requester_team="T1",
        requester_slack="UADA",
        channel="C1",
        root_ts="1.0",
        triage_channel="C2",
    )


async def test_a_name_takes_the_place_of_its_own_id_only_and_others_stay_to_be_found(database: Database) -> None:
    message_id = uuid4()
    async with database.transaction(NOW) as tx:
        ada = await people.meet(tx, "T1", "UADA")
        new = of(ada)
        await tickets.insert(tx, new)
        word = {
            "id": str(message_id),
            "content": "Ask @U1 or @U12",
            "created_at": NOW.isoformat(),
            "created_by": str(ada.user_id),
            "attachments": [],
        }
        source = {"text": "Ask <@U1> or <@U12>", "unresolved": True, "unknown": ["U1", "U12"]}
        await tickets.append(tx, new.id, word, Origin("C1", "1.0", "customer", source), "customer")
        [unread] = await tickets.unread_names(tx, new.id)
        await identity.put_names(tx, unread, {"U1": "Grace"}, [])
        [unread] = await tickets.unread_names(tx, new.id)
        assert (unread.word["content"], (unread.source or {})["unknown"]) == ("Ask @Grace or @U12", ["U12"])
        await identity.put_names(tx, unread, {"U12": "Linus"}, [])
        assert await tickets.unread_names(tx, new.id) == []
        known = await tickets.by_message_id(tx, message_id)
        assert known is not None
        assert known.word["content"] == "Ask @Grace or @Linus"


async def test_who_somebody_is_and_what_they_write_do_not_wait_for_each_other(
    database: Database, sql: asyncpg.Connection
) -> None:
    """Their e-mail goes onto a ticket while they write on it: the ticket is locked before the person by both."""
    async with database.transaction(NOW) as tx:
        ada = await people.meet(tx, "T1", "UADA")
        new = of(ada)
        await tickets.insert(tx, new)

    async def learn() -> None:
        async with database.transaction(NOW) as tx:
            profile = Profile("T1", "UADA", "external", "Ada", "ada@globex.example", None, None, is_admin=False)
            await identity.learn(tx, profile)

    async with database.transaction(NOW) as tx:
        await tickets.by_id(tx, new.id, lock=True)
        learning = asyncio.create_task(learn())
        async with asyncio.timeout(10):
            while not await sql.fetchval("select exists (select from pg_locks where not granted)"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await people.hold(tx, ada)).name is None
    await learning
    assert await sql.fetchval("select customer_email from tickets") == "ada@globex.example"


async def test_an_email_learnt_while_a_ticket_is_made_reaches_it(database: Database, sql: asyncpg.Connection) -> None:
    async with database.transaction(NOW) as tx:
        ada = await people.meet(tx, "T1", "UADA")
    profile = Profile("T1", "UADA", "external", "Ada", "ada@globex.example", None, None, is_admin=False)
    async with database.transaction(NOW) as opening:
        new = of(await people.hold(opening, ada))
        async with database.transaction(NOW) as tx:
            await identity.learn(tx, profile)
        await tickets.insert(opening, new)
    async with database.transaction(NOW) as tx:
        assert [one.slack_id for one in await people.unknown_on(tx, new.id)] == ["UADA"]
        await identity.learn(tx, profile)
        assert await people.unknown_on(tx, new.id) == []
    assert await sql.fetchval("select customer_email from tickets") == "ada@globex.example"
