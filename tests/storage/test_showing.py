"""Whose turn it is: lanes, leases, pace and pauses; and what a claim costs."""

import asyncio
import datetime as dt
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from storage import channels, notices, people, showing, tickets
from storage.engine import Database, Transaction
from storage.notices import Attempts, Notice
from storage.showing import Lease, Mark
from storage.tickets import Origin
from tests.bench import claims
from tests.bench.claims import Measured

NOW = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
LEASE = 15.0


async def marked(sql: asyncpg.Connection, lane: str, *, due_at: dt.datetime = NOW, tickets: int = 1) -> None:
    """So many tickets with something to show in the lane, all of them due at once."""
    await sql.execute(
        """
        with made as (
          insert into tickets (title, description, status, priority)
          select 'a', 'b', 'new', 'low' from generate_series(1, $1) returning id
        ) insert into threadesk.to_show (ticket_id, side, lane, due_at) select id, 'triage', $2, $3 from made
        """,
        tickets,
        lane,
        due_at,
    )


async def take(database: Database, *, most: int = 100, now: dt.datetime = NOW) -> list[Lease]:
    async with database.transaction(now) as tx:
        return await showing.take_lanes(tx, most=most, seconds=LEASE)


async def lanes(database: Database, **how: Any) -> list[str]:
    return sorted(lease.lane for lease in await take(database, **how))


async def expire(sql: asyncpg.Connection) -> None:
    """Ends the time of every lease."""
    await sql.execute("update threadesk.lanes set leased_until = clock_timestamp()")


async def release(database: Database, lease: Lease, *, rest: float = 0) -> bool:
    async with database.transaction(NOW) as tx:
        return await showing.release(tx, lease, rest=rest)


async def seconds_to_next(database: Database) -> float | None:
    async with database.transaction(NOW) as tx:
        return await showing.seconds_to_next(tx)


async def test_a_lane_has_one_lease_however_many_take(
    database: Database, database_url: str, sql: asyncpg.Connection
) -> None:
    names = [f"C-{number}" for number in range(6)]
    for name in names:
        await marked(sql, name, tickets=3)
    replicas = [database, Database(database_url)]
    for _ in range(5):
        taken = await asyncio.gather(*(take(replicas[place % 2], most=2) for place in range(12)))
        leases = [lease for some in taken for lease in some]
        counted = Counter(lease.lane for lease in leases)
        assert max(counted.values()) == 1
        while rest := await take(database, most=2):
            leases += rest
        assert sorted(lease.lane for lease in leases) == names
        assert all(await asyncio.gather(*(release(database, lease) for lease in leases)))
    await replicas[1].close()


async def test_only_lanes_with_something_due(database: Database, sql: asyncpg.Connection) -> None:
    assert await take(database) == []
    assert await seconds_to_next(database) is None
    await marked(sql, "C-LATER", due_at=NOW + MINUTE)
    assert await take(database) == []
    assert await seconds_to_next(database) == 60
    await marked(sql, "C-NOW")
    assert await seconds_to_next(database) == 0
    assert await lanes(database) == ["C-NOW"]
    assert await lanes(database, now=NOW + MINUTE) == ["C-LATER"]


async def test_the_lanes_that_waited_longest_come_first(database: Database, sql: asyncpg.Connection) -> None:
    for minutes, name in enumerate(["C-OLDEST", "C-OLD", "A-NEW", "B-NEWEST"]):
        await marked(sql, name, due_at=NOW + minutes * MINUTE)
    later = NOW + 9 * MINUTE
    assert await lanes(database, most=2, now=later) == ["C-OLD", "C-OLDEST"]
    assert await lanes(database, most=2, now=later) == ["A-NEW", "B-NEWEST"]


async def test_a_lost_lease_does_nothing(database: Database, sql: asyncpg.Connection) -> None:
    await marked(sql, "C-HELP")
    (lost,) = await take(database)
    await expire(sql)
    (held,) = await take(database)
    assert held.id != lost.id
    assert not await release(database, lost, rest=60)
    async with database.transaction(NOW) as tx:
        assert not await showing.holds(tx, lost)
        assert not await showing.renew(tx, lost, seconds=LEASE)
        assert await showing.holds(tx, held)
    assert await take(database) == []
    assert await release(database, held)
    assert not await release(database, held)
    assert await lanes(database) == ["C-HELP"]


async def test_a_lease_that_is_renewed_lasts(database: Database, sql: asyncpg.Connection) -> None:
    await marked(sql, "C-HELP")
    (lease,) = await take(database)
    await expire(sql)
    async with database.transaction(NOW) as tx:
        assert await showing.renew(tx, lease, seconds=LEASE)
    assert await take(database) == []


async def test_a_lane_whose_taker_has_died_is_free_when_the_lease_ends(
    database: Database, sql: asyncpg.Connection
) -> None:
    await marked(sql, "C-HELP")
    await take(database)
    assert LEASE - 2 < (await seconds_to_next(database) or 0) <= LEASE
    await expire(sql)
    assert await lanes(database) == ["C-HELP"]


async def test_who_holds_a_lease_keeps_it_to_the_end_of_the_transaction(
    database: Database, sql: asyncpg.Connection
) -> None:
    await marked(sql, "C-HELP")
    (lease,) = await take(database)
    await expire(sql)
    async with database.transaction(NOW) as tx:
        assert await showing.holds(tx, lease)
        taking = asyncio.create_task(take(database))
        async with asyncio.timeout(10):
            while True:
                if await sql.fetchval("select exists (select from pg_locks where not granted)"):
                    break
                await asyncio.sleep(0.01)
        assert not taking.done()
    assert [one.lane for one in await taking] == ["C-HELP"]


async def test_a_lane_rests_after_a_post_and_during_a_pause(database: Database, sql: asyncpg.Connection) -> None:
    await marked(sql, "C-HELP")
    await marked(sql, "C-SALES")
    (first, second) = sorted(await take(database), key=lambda lease: lease.lane)
    await release(database, first, rest=60)
    await release(database, second, rest=0)
    resting = await sql.fetchval("select free_at - now() from threadesk.lanes where lane = 'C-HELP'")
    assert MINUTE * 0.9 < resting <= MINUTE
    assert await lanes(database) == ["C-SALES"]
    async with database.transaction(NOW) as tx:
        await showing.pause(tx, "C-SALES", 90)
        # A shorter pause does not end a longer one, nor does the rest after a post.
        await showing.pause(tx, "C-SALES", 1)
    lease = await sql.fetchval("select lease from threadesk.lanes where lane = 'C-SALES'")
    assert await release(database, Lease("C-SALES", lease), rest=0)
    assert await take(database) == []
    waiting = await seconds_to_next(database)
    assert waiting is not None
    assert 50 < waiting <= 60
    await sql.execute("update threadesk.lanes set free_at = now() where lane = 'C-SALES'")
    assert await lanes(database) == ["C-SALES"]


async def test_a_lane_that_was_never_used_can_be_paused(database: Database, sql: asyncpg.Connection) -> None:
    await marked(sql, "C-HELP")
    async with database.transaction(NOW) as tx:
        await showing.pause(tx, "C-HELP", 60)
    assert await take(database) == []


async def test_a_budget_gives_a_burst_and_then_its_pace(database: Database) -> None:
    async def place() -> float:
        async with database.transaction(NOW) as tx:
            return await showing.place_in_budget(tx, "chat.update", every=60, burst=3)

    waits = sorted(await asyncio.gather(*(place() for _ in range(6))))
    assert waits[:3] == [0, 0, 0]
    assert [round(wait / 60) for wait in waits[3:]] == [1, 2, 3]


async def test_marks_and_notices_take_turns_in_a_lane(database: Database, sql: asyncpg.Connection) -> None:
    async with database.transaction(NOW + MINUTE) as tx:
        assert await notices.add(tx, "digest:1", "channel", {"text": "Monday"}, channel="C-HELP")
        assert not await notices.add(tx, "digest:1", "channel", {"text": "Monday"}, channel="C-HELP")
        assert await notices.add(tx, "hint:1", "ephemeral", {"text": "psst"}, slack_id="U-ADA", channel="C-HELP")
    await marked(sql, "C-HELP")
    await marked(sql, "C-HELP", due_at=NOW + 2 * MINUTE)
    seen: list[str] = []
    async with database.transaction(NOW + 3 * MINUTE) as tx:
        while one := await showing.head(tx, "C-HELP"):
            match one:
                case Notice():
                    seen.append(one.key)
                    assert one.message == {"text": "Monday"}
                    await notices.sent(tx, one.id, "1.0")
                case Mark():
                    seen.append("mark")
                    await showing.shown(tx, one)
        private = await showing.head(tx, "private:U-ADA")
        assert isinstance(private, Notice)
        await notices.refuse(tx, private.id, "user_not_found")
    assert seen == ["mark", "digest:1", "mark"]
    assert await take(database, now=NOW + 3 * MINUTE) == []


async def opened(tx: Transaction) -> UUID:
    """A ticket with a customer's thread and a triage channel."""
    ada = await people.meet(tx, "T-GLOBEX", "U-ADA")
    ticket_id = uuid4()
    new = tickets.NewTicket(
        ticket_id, "It burns", "Badly", "new", "high", [], [], ada.user_id, None,
        ada.user_id, ada.team_id, ada.slack_id, "C-HELP", "1.0", "C-TRIAGE",
    )  # fmt: skip
    await tickets.insert(tx, new)
    return ticket_id


async def say(tx: Transaction, ticket_id: UUID, content: str, origin: Origin, *, note: bool = False) -> dict[str, Any]:
    ada = await people.meet(tx, "T-GLOBEX", "U-ADA")
    word = {
        "id": str(uuid4()),
        "content": content,
        "created_at": tx.now.isoformat(),
        "created_by": str(ada.user_id),
        "attachments": [],
    }
    await (
        tickets.append_note(tx, ticket_id, word, origin)
        if note
        else tickets.append(tx, ticket_id, word, origin, "customer")
    )
    return word


async def test_a_change_that_comes_while_a_ticket_is_shown_stays_marked(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        await tx.act_as(None, "desk")
        ticket_id = await opened(tx)
        shown = await showing.head(tx, "C-TRIAGE")
        assert isinstance(shown, Mark)
        await tickets.change(tx, ticket_id, priority="low")
        await showing.shown(tx, shown)
        changed = await showing.head(tx, "C-TRIAGE")
        assert isinstance(changed, Mark)
        assert changed.version == shown.version + 1
        await showing.shown(tx, changed)
        assert await showing.head(tx, "C-TRIAGE") is None
        assert isinstance(await showing.head(tx, "C-HELP"), Mark)


async def test_a_ticket_that_failed_is_put_off_and_counted(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        await tx.act_as(None, "desk")
        ticket_id = await opened(tx)
        mark = await showing.head(tx, "C-TRIAGE")
        assert isinstance(mark, Mark)
        await showing.put_off(tx, mark, 60, failed=True)
        assert await showing.head(tx, "C-TRIAGE") is None
        # A new change does not wait for that.
        await tickets.change(tx, ticket_id, priority="low")
        again = await showing.head(tx, "C-TRIAGE")
        assert isinstance(again, Mark)
        assert (again.attempts, again.update_at) == (1, None)
        await showing.put_off(tx, again, 30, reserved=True)
    async with database.transaction(NOW + MINUTE) as tx:
        due = await showing.head(tx, "C-TRIAGE")
        assert isinstance(due, Mark)
        assert (due.attempts, due.update_at) == (1, NOW + dt.timedelta(seconds=30))


async def test_a_customer_is_never_shown_a_note(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id = await opened(tx)
        await say(tx, ticket_id, "They shout", Origin("C-TRIAGE", "1.0", "triage", None), note=True)
        await say(tx, ticket_id, "From nowhere", Origin(None, None, None, None), note=True)
        assert await showing.next_unshown(tx, ticket_id, "customer") is None
        note = await showing.next_unshown(tx, ticket_id, "triage")
        assert note is not None
        assert (note.kind, note.word["content"]) == ("note", "From nowhere")


async def test_what_a_side_does_not_show_yet(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id = await opened(tx)
        word = await say(tx, ticket_id, "Hello", Origin("C-HELP", "1.0", "customer", {"text": "Hello"}))
        assert await showing.next_unshown(tx, ticket_id, "customer") is None
        fresh = await showing.next_unshown(tx, ticket_id, "triage")
        assert fresh is not None
        assert (fresh.word, fresh.source, fresh.posted) == (word, {"text": "Hello"}, None)
        slot = f"message:{word['id']}"

        async def begin() -> tuple[UUID, Attempts | None]:
            return await showing.begin_post(tx, ticket_id, "triage", slot, "C-TRIAGE", "9.0", settle=60)

        posted, before = await begin()
        assert before is None
        # Cut off before Slack's answer: the same message, which may have been sent, comes up again.
        assert (await begin())[0] == posted
        doubtful = await showing.next_unshown(tx, ticket_id, "triage")
        assert doubtful is not None
        assert doubtful.posted is not None
        assert doubtful.posted.attempted_at is not None
        await showing.known_unsent(tx, posted)
        assert await begin() == (posted, None)
        await showing.record(tx, posted, "C-TRIAGE", "9.1", "fingerprint", fresh.version)
        assert await showing.next_unshown(tx, ticket_id, "triage") is None
        assert await showing.is_ours(tx, "C-TRIAGE", "9.1") == ticket_id
        known = await tickets.recorded(tx, "C-HELP", "1.0")
        assert known is not None
        await tickets.rewrite(tx, known, word | {"content": "Hello!", "edited_at": NOW.isoformat()}, None)
        edited = await showing.next_unshown(tx, ticket_id, "triage")
        assert edited is not None
        assert (edited.word["content"], edited.version) == ("Hello!", fresh.version + 1)
        await showing.refuse(tx, posted, "msg_too_long")
        assert await showing.next_unshown(tx, ticket_id, "triage") is None


async def test_what_was_deleted_before_it_was_shown_is_never_shown(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        ticket_id = await opened(tx)
        word = await say(tx, ticket_id, "Oops", Origin("C-HELP", "1.0", "customer", None))
        known = await tickets.recorded(tx, "C-HELP", "1.0")
        assert known is not None
        await tickets.rewrite(tx, known, word | {"content": "", "deleted_at": NOW.isoformat()}, None)
        assert await showing.next_unshown(tx, ticket_id, "triage") is None


async def test_assignments_and_reopenings_are_to_be_noticed_once(database: Database) -> None:
    async with database.transaction(NOW) as tx:
        grace = await people.meet(tx, "T-ACME", "U-GRACE")
        await tx.act_as(grace.user_id, "agent")
        ticket_id = await opened(tx)
        await tickets.change(tx, ticket_id, status="open", assigned_to=(grace.user_id,))
        await tickets.change(tx, ticket_id, status="closed")
        await tickets.change(tx, ticket_id, status="open", priority="low")
        assigned, reopened = await showing.to_be_noticed(tx, ticket_id)
        assert (assigned.what, assigned.actor, assigned.after) == ("assigned_to", grace.user_id, [str(grace.user_id)])
        assert (reopened.what, reopened.before, reopened.after) == ("status", "closed", "open")
        slot = f"event:{assigned.id}"
        posted, _ = await showing.begin_post(tx, ticket_id, "triage", slot, "C-TRIAGE", "1.0", settle=60)
        await showing.record(tx, posted, "C-TRIAGE", "2.0", "", 0)
        assert await showing.to_be_noticed(tx, ticket_id) == [reopened]
        await showing.pass_over(tx, ticket_id, reopened.id, "C-TRIAGE")
        assert await showing.to_be_noticed(tx, ticket_id) == []


async def cost_of_a_claim(database: Database) -> list[int]:
    """Blocks touched to take a lane, to find the mark and the notice at its head, and to know when to come again."""
    async with database.transaction(NOW + MINUTE) as tx:
        measured = Measured(tx)
        (lease,) = await showing.take_lanes(measured, most=1, seconds=LEASE)
        assert await showing.head(measured, lease.lane)
        await showing.seconds_to_next(measured)
        costs = list(measured.blocks)
        await showing.release(measured, lease, rest=0)
    return costs


@pytest.mark.parametrize(("waiting", "among"), [(10, 1), (100_000, 1), (1_000, 1_000), (100_000, 1_000)])
async def test_the_cost_of_a_claim_does_not_grow_with_the_backlog(
    database: Database, sql: asyncpg.Connection, waiting: int, among: int
) -> None:
    await claims.fill(sql, tickets=waiting, lanes=among)
    await sql.execute(
        """
        insert into threadesk.notices (key, kind, lane, channel, message, due_at)
        select place, 'channel', lane, lane, '{}', due_at
        from (select row_number() over () as place, lane, due_at from threadesk.to_show) as m
        """
    )
    unknown = await cost_of_a_claim(database)
    await sql.execute("analyze")
    analysed = await cost_of_a_claim(database)
    for claim, mark, notice, next_time in (unknown, analysed):
        # One probe goes down an index of 100,000 rows to one row. Each lane is probed for its mark and its notice,
        # and the last probe finds nothing. Leases, suspensions and shifts stand in tables of a few blocks.
        probe, small_tables = 5, 15
        assert max(mark, notice) <= probe + small_tables
        assert max(claim, next_time) <= probe * 2 * (among + 1) + small_tables


async def test_pauses_and_openings_cost_the_same_for_any_backlog(database: Database, sql: asyncpg.Connection) -> None:
    await claims.fill(sql, tickets=20_000, lanes=1)
    await sql.execute("update threadesk.to_show set update_at = due_at")
    await sql.execute("insert into threadesk.lanes (lane) values ('chat.update')")
    await sql.execute(
        "insert into threadesk.channels (id, name, role, suspended)"
        " values ('C-000000', 'triage', 'triage', 'public'), ('C-OTHER', 'other', 'triage', 'public')"
    )
    async with database.transaction(NOW) as tx:
        # The first time in a session, PostgreSQL reads up on the tables and triggers that it needs for this.
        await channels.resume(tx, "C-OTHER")
        measured = Measured(tx)
        await showing.delay_updates(measured, 30)
        await channels.resume(measured, "C-000000")
        head = await showing.head(measured, "C-000000")
    assert isinstance(head, Mark)
    assert head.update_at == NOW + dt.timedelta(seconds=30)
    assert max(measured.blocks) <= 20


async def test_updates_that_were_limited_together_are_delayed_once(database: Database, sql: asyncpg.Connection) -> None:
    await marked(sql, "C-HELP")
    await sql.execute("update threadesk.to_show set update_at = due_at")
    async with database.transaction(NOW) as tx:
        for seconds in (30, 30, 20, 40):
            await showing.pause(tx, showing.UPDATES, seconds)
            await showing.delay_updates(tx, seconds)
        head = await showing.head(tx, "C-HELP")
    assert isinstance(head, Mark)
    assert head.update_at is not None
    assert 40 <= (head.update_at - NOW).total_seconds() < 50


async def test_what_is_marked_in_a_suspended_channel_waits(database: Database, sql: asyncpg.Connection) -> None:
    await marked(sql, "C-TRIAGE")
    async with database.transaction(NOW) as tx:
        await channels.choose_triage(tx, "C-TRIAGE", "triage", suspended="it is public")
        assert await showing.take_lanes(tx, most=1, seconds=LEASE) == []
        assert await showing.seconds_to_next(tx) is None
        assert await showing.head(tx, "C-TRIAGE") is None
        await channels.resume(tx, "C-TRIAGE")
        assert isinstance(await showing.head(tx, "C-TRIAGE"), Mark)
    assert await lanes(database) == ["C-TRIAGE"]


async def test_what_is_not_found_counts_as_unsent_when_the_last_attempt_has_settled(
    database: Database, sql: asyncpg.Connection
) -> None:
    """The search begins at the first attempt, the wait at the last; looking is no attempt."""
    async with database.transaction(NOW) as tx:
        ticket_id = await opened(tx)
        assert await notices.add(tx, "digest:1", "channel", {"text": "Monday"}, channel="C-HELP")
        notice = await showing.head(tx, "C-HELP")
        assert isinstance(notice, Notice)

    async def begin() -> list[Attempts | None]:
        async with database.transaction(NOW) as tx:
            _, posting = await showing.begin_post(tx, ticket_id, "triage", "card", "C-TRIAGE", None, settle=60)
            return [posting, await notices.attempt(tx, notice.id, settle=60)]

    async def a_minute_passes() -> None:
        for table in ("posted", "notices"):
            await sql.execute(f"update threadesk.{table} set tried_at = tried_at - interval '1 minute'")

    assert await begin() == [None, None]
    first = await begin()
    assert [round(one.unsettled) for one in first if one] == [60, 60]
    await a_minute_passes()
    settled, again = await begin(), await begin()
    assert [one.unsettled for one in settled if one] == [0, 0]
    assert [round(one.unsettled) for one in again if one] == [60, 60]
    assert [one.since for one in again if one] == [one.since for one in first if one]
