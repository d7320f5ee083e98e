"""What is to be copied: taken by one at a time, given up when its message goes, shared when all of it is there."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import asyncpg
import pytest

from storage import copies, tickets
from storage.engine import Database, Transaction
from storage.tickets import Origin
from tests.storage.test_tickets import NOW, met, opened, said

FILES = [("F1", "a.log"), ("F2", "b.png")]
SHARED = {"text": "See here", "files": [{"id": original} for original, _ in FILES]}


async def with_files(tx: Transaction) -> tuple[UUID, UUID]:
    """A ticket, and its message of which both files are to be copied to triage."""
    ticket_id, ada = await opened(tx), await met(tx)
    word = said("See here", ada)
    await tickets.append(tx, ticket_id, word, Origin("C", "5.0", "customer", SHARED), "customer")
    message_id = UUID(word["id"])
    assert await copies.begin(tx, ticket_id, "triage", message_id, FILES)
    assert not await copies.begin(tx, ticket_id, "triage", message_id, FILES), "once"
    return ticket_id, message_id


async def take(tx: Transaction, *, most: int = 9) -> list[copies.Task]:
    return await copies.take(tx, most=most, seconds=60, settle=10)


async def deleted(tx: Transaction, ticket_id: UUID) -> None:
    (one,) = [await tickets.recorded(tx, "C", "5.0")]
    assert one is not None
    gone = {"content": "", "attachments": [], "deleted_at": one.word["created_at"]}
    await tickets.rewrite(tx, one, one.word | gone, None)
    assert one.ticket_id == ticket_id


async def test_each_is_taken_by_one(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        await with_files(tx)
    async with database.transaction(NOW) as tx, database.transaction(NOW) as other:
        assert [one.original for one in await take(tx, most=1)] == ["F1"]
        assert [one.original for one in await take(other)] == ["F2"]
    async with database.transaction(NOW) as tx:
        assert await take(tx) == []


async def test_all_files_of_a_message_are_shown_together(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id, message_id = await with_files(tx)
        first, second = await take(tx)
        assert await copies.uploaded(tx, first, "F11")
        assert await copies.next_bundle(tx, ticket_id, "triage") is None
        await copies.put_off(tx, second, 60, failed=True)
        assert await take(tx) == []
    async with database.transaction(NOW + dt.timedelta(minutes=2)) as tx:
        (again,) = await take(tx)
        assert (again.original, again.failures) == ("F2", 1)
        assert await copies.refuse(tx, again, "empty")
        assert not await copies.uploaded(tx, again, "F12"), "the lease is over"
        bundle = await copies.next_bundle(tx, ticket_id, "triage")
        assert bundle is not None
        assert (bundle.message_id, bundle.files, bundle.posted) == (message_id, [("F11", "a.log")], None)
        assert await copies.next_bundle(tx, ticket_id, "customer") is None
        assert await take(tx) == []


async def test_what_is_deleted_is_removed_and_not_copied(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id, message_id = await with_files(tx)
        first, _ = await take(tx)
        assert await copies.uploaded(tx, first, "F11")
    async with database.transaction(NOW + dt.timedelta(minutes=1)) as tx:
        await deleted(tx, ticket_id)
        assert await copies.next_bundle(tx, ticket_id, "triage") is None
        assert not await copies.begin(tx, ticket_id, "customer", message_id, FILES)
    async with database.transaction(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)) as tx:
        (task,) = await take(tx)
        assert (task.copy, task.removing) == ("F11", True)
        assert await copies.removed(tx, task)
        assert await take(tx) == [], "who copies the other one has not ended"
        await tx.run("update threadesk.copies set leased_until = '-infinity' where original = 'F2'")
        (rest,) = await take(tx)
        assert (rest.copy, rest.removing) == (None, True)


async def test_a_copy_that_is_just_being_shown_is_removed_afterwards(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id, message_id = await with_files(tx)
        for task in await take(tx):
            assert await copies.uploaded(tx, task, f"F1{task.original}")
        await tx.run(
            "insert into threadesk.posted (ticket_id, side, slot, channel, tried_at)"
            " values (:id, 'triage', :slot, 'C', clock_timestamp())",
            id=ticket_id,
            slot=f"files:{message_id}",
        )
        await deleted(tx, ticket_id)
    async with database.transaction(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)) as tx:
        assert await take(tx) == []
        await tx.run("update threadesk.posted set tried_at = clock_timestamp() - interval '11 s'")
        assert len(await take(tx)) == 2


async def test_one_file_that_is_taken_away_is_removed_and_the_others_are_shown(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id, message_id = await with_files(tx)
        first, second = await take(tx)
        await copies.remove(tx, message_id, ["F1"])
        assert await copies.uploaded(tx, first, "F11"), "it was on its way"
        assert await copies.uploaded(tx, second, "F12")
        bundle = await copies.next_bundle(tx, ticket_id, "triage")
        assert bundle is not None
        assert bundle.files == [("F12", "b.png")]
        (task,) = await take(tx)
        assert (task.copy, task.removing) == ("F11", True)
        assert await copies.outlived(tx, ticket_id, "triage") is None
        (one,) = [await tickets.recorded(tx, "C", "5.0")]
        assert one is not None
        await tickets.rewrite(tx, one, one.word, SHARED | {"files": [{"id": "F2"}]})
        assert not await copies.begin(tx, ticket_id, "customer", message_id, FILES[:1]), "it is no file of the message"
        assert await copies.begin(tx, ticket_id, "customer", message_id, FILES)


async def test_a_notes_file_is_refused(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id, grace = await opened(tx), await met(tx, "U-GRACE")
        note = said("They shout", grace)
        await tickets.append_note(tx, ticket_id, note, Origin("C", "6.0", "triage", SHARED))
    with pytest.raises(asyncpg.CheckViolationError, match="a note's file is not copied"):
        async with database.transaction(NOW) as tx:
            await copies.begin(tx, ticket_id, "customer", UUID(note["id"]), FILES)
