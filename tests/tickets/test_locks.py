"""Whoever locks several things locks them in one order, so that nobody waits in a circle; and threads of any length."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from bot.tickets import conversation, imports
from bot.tickets.arrivals import MessageArrived, MessageDeleted, Picked
from bot.tickets.errors import Refused
from storage import picked, tickets
from storage.engine import Database, Rows, Transaction
from tests.storage.test_tickets import blocked
from tests.tickets.test_lifecycle import ACME, DESK, GLOBEX, HELP, TRIAGE, Room

SAID = Picked(channel="C-TALK", ts="1795000000.000100", team=ACME, author="Ben", text="They owe us a fortune")


@pytest.fixture
async def room(database: Database, sql: asyncpg.Connection) -> Room:
    room = Room(database, sql)
    await room.furnish()
    return room


async def picks(room: Room, message: Picked) -> Any:
    return await room.does("Grace", lambda tx, grace: picked.keep(tx, grace, message.model_dump(mode="json")))


async def adds(room: Room, number: int, picked_id: Any) -> None:
    await room.does("Grace", lambda tx, grace: imports.add_picked(tx, DESK, grace, number, picked_id))


async def deletes(room: Room, message: Picked) -> None:
    async with room.database.transaction(room.now) as tx:
        gone = MessageDeleted(channel=message.channel, ts=message.ts, at="1795000001.000100")
        await conversation.take_in(tx, DESK, gone)


async def test_a_message_is_added_while_it_is_being_deleted(room: Room) -> None:
    """The deletion has its turn and forgets what was picked; whoever adds it waits for that with empty hands."""
    await room.brought_to("new")
    picked_id = await picks(room, SAID)
    async with room.database.transaction(room.now) as tx:
        await conversation.in_turn(tx, SAID.channel, SAID.ts)
        adding = asyncio.create_task(adds(room, 1, picked_id))
        await blocked(room.database, 1)
        gone = MessageDeleted(channel=SAID.channel, ts=SAID.ts, at="1795000001.000100")
        await conversation.take_in(tx, DESK, gone)
    with pytest.raises(Refused, match="This form is too old"):
        await adding
    assert await room.sql.fetchval("select internal_notes from tickets") == {"notes": []}


async def test_adding_and_deleting_at_once_ends_with_nothing_quoted_however_often(room: Room) -> None:
    await room.brought_to("new")
    await room.sql.execute(
        "insert into threadesk.channels (id, name, role, chosen_at) values ($1, 'talk', 'none', now())", SAID.channel
    )
    for at in range(20):
        said = SAID.model_copy(update={"ts": f"1795000{at:03}.000100"})
        picked_id = await picks(room, said)
        done = await asyncio.gather(adds(room, 1, picked_id), deletes(room, said), return_exceptions=True)
        assert [one for one in done if one is not None and not isinstance(one, Refused)] == []
    notes = (await room.sql.fetchval("select internal_notes from tickets"))["notes"]
    assert not [note for note in notes if "fortune" in note["content"]]


async def test_two_messages_that_are_quoted_in_each_others_tickets_are_deleted_at_once(room: Room) -> None:
    said = [await noted_in_triage(room) for _ in range(2)]
    for number, message in ((2, said[0]), (1, said[1])):
        await adds(room, number, await picks(room, message))
    async with room.database.transaction(room.now) as tx:
        await tx.run("select 1 from public.tickets for no key update")
        both = [asyncio.create_task(deletes(room, message)) for message in said]
        await blocked(room.database, 2)
    await asyncio.gather(*both)
    for row in await room.sql.fetch("select internal_notes from tickets"):
        assert [one["content"] for one in row["internal_notes"]["notes"]] == ["", ""]


async def noted_in_triage(room: Room) -> Picked:
    """What Grace writes in the triage thread of a new ticket."""
    await room.brought_to("new")
    ticket, root, ts = await room.ticket(), f"179500000{room.number}.000100", f"179500001{room.number}.000100"
    async with room.database.transaction(room.now) as tx:
        await tickets.point_thread(tx, TRIAGE, root, ticket.id, "triage")
        message = MessageArrived(
            channel=TRIAGE, ts=ts, thread_ts=root, below_desk=True, team=ACME, author="Grace", text="Seen before"
        )
        await conversation.take_in(tx, DESK, message)
    return Picked(channel=TRIAGE, ts=ts, thread_ts=root, team=ACME, author="Grace", text="Seen before")


async def kept_thread(room: Room, answers: int, author: str) -> Picked:
    """A thread of which the desk keeps what was said, without a ticket."""
    await room.sql.execute("update threadesk.channels set mode = 'on_request' where id = $1", HELP)
    root = Picked(channel=HELP, ts="1777885200.000100", team=GLOBEX, author="Bob", text="The import fails")
    await hears(room, root.ts, "Bob")
    for at in range(answers):
        await hears(room, f"1777885300.{at:06}", author, thread_ts=root.ts)
    return root


async def hears(room: Room, ts: str, author: str, thread_ts: str | None = None) -> None:
    team = GLOBEX if author in {"Ada", "Bob"} else ACME
    async with room.database.transaction(room.now) as tx:
        message = MessageArrived(channel=HELP, ts=ts, thread_ts=thread_ts, team=team, author=author, text=f"It is {ts}")
        await conversation.take_in(tx, DESK, message)


async def test_a_long_thread_is_added_within_the_time_that_slack_waits_and_no_longer_one(room: Room) -> None:
    await room.brought_to("new")
    root = await kept_thread(room, imports.MOST_ANSWERS, "Bob")
    picked_id = await picks(room, root)
    await hears(room, "1777885301.000100", "Bob", thread_ts=root.ts)
    with pytest.raises(Refused, match="More than 100 answers stand below this message"):
        await adds(room, 1, picked_id)
    assert await room.sql.fetchval("select count(*) from threadesk.early") == 102
    await room.sql.execute("delete from threadesk.early where ts = '1777885301.000100'")
    async with asyncio.timeout(2.5):
        await adds(room, 1, picked_id)
    messages = (await room.sql.fetchval("select conversation_history from tickets"))["messages"]
    assert len(messages) == 1 + 1 + imports.MOST_ANSWERS
    assert await room.sql.fetchval("select count(*) from threadesk.early") == 0


async def test_while_agents_talk_among_themselves_an_answer_costs_the_same_however_long_the_thread_is(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, cost, run = "1777885200.000100", 0, Transaction.run

    async def counted(tx: Transaction, sql: Any, **values: Any) -> Rows:
        nonlocal cost
        rows = await run(tx, sql, **values)
        cost += 1 + len(rows)
        return rows

    await hears(room, root, "Grace")
    monkeypatch.setattr(Transaction, "run", counted)
    costs = []
    for at in range(12):
        cost = 0
        await hears(room, f"1777885300.{at:06}", ("Grace", "Linus")[at % 2], thread_ts=root)
        costs.append(cost)
    assert len(set(costs)) == 1, costs
    await hears(room, "1777885301.000100", "Ada", thread_ts=root)
    messages = (await room.sql.fetchval("select conversation_history from tickets"))["messages"]
    assert len(messages) == 14
