"""The courier makes Slack show what the tickets say: the only caller of chat.*.

It leases a lane (a channel), takes the one step that has waited longest there, records it, and gives the lane back
to rest. Whatever happens to the process in between, the next one finds in the tables what may have been sent, and
looks in Slack for it before it sends it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
import secrets
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, assert_never
from uuid import UUID

import structlog

from bot.blocks import mirror, setups
from bot.blocks.digest import without_data
from bot.blocks.surface import Message
from bot.delivery import agents, digests, directory, offers, projection
from bot.delivery.projection import Step, Suspended
from bot.delivery.slack import CHANNEL_CLOSED, DESK_CLOSED, RateLimited, SlackRefused, Unclear, ask, call, delete_file
from bot.services import Services
from bot.tickets import conversation, views
from bot.tickets.places import unfit_for_digests
from storage import channels, copies, notices, people, showing, tickets
from storage.engine import CHANNEL as NOTIFICATIONS
from storage.engine import DatabaseAway, Transaction, telling_away
from storage.notices import Attempts, Notice
from storage.people import Person
from storage.showing import Lease, Mark

log = structlog.get_logger(__name__)

EVENT_TYPE = "threadesk_message"
AT_ONCE = 8
IDLE_SECONDS = 5.0
RETRY_SECONDS = 1.0
#: How long a closed channel rests before it is tried again: first, and at most.
CLOSED_SECONDS = 60.0
CLOSED_SECONDS_AT_MOST = 600.0
#: Failures of the desk's own, in a row, after which a ticket is parked: about four minutes.
FAILURES = 8
#: How long Slack may take to show files that it has taken: it looks through them first.
SEEN_SECONDS = 300.0
#: chat.update is limited by method and workspace, to 50 a minute and somewhat more for a moment:
#: https://docs.slack.dev/apis/web-api/rate-limits
UPDATE_EVERY = 1.2
UPDATE_BURST = 20


class NotYet(Exception):  # noqa: N818 - nothing went wrong
    """Whether the message stands in Slack cannot be told for `seconds`; `error`: what Slack answers to the question."""

    def __init__(self, seconds: float, error: str | None = None) -> None:
        super().__init__(error or f"not settled for {seconds} s")
        self.seconds = seconds
        self.error = error


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a message stands in Slack. `current`: it shows what the step says, and not what it said at an earlier
    attempt."""

    channel: str
    ts: str
    current: bool = True


class _Rest(TypedDict):
    first: float
    longest: float


class Courier:
    def __init__(self, services: Services) -> None:
        self._services = services
        # Longer than a call can take: what an attempt has left on its way has arrived when that time is over, and is
        # found when it is looked for.
        self._settle_seconds = 2 * services.call_seconds
        self._lease_seconds = self._settle_seconds
        self._wake = asyncio.Event()
        self._stopping = False
        self._under_way: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Takes nothing new; `run` returns when what is under way is finished."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            listening = await stack.enter_async_context(_task(self._listen()))
            while not self._stopping and not listening.done():
                self._wake.clear()
                wait = IDLE_SECONDS
                try:
                    wait = await self._round()
                except DatabaseAway as error:
                    log.warning("the database cannot be reached", error=str(error))
                    wait = RETRY_SECONDS
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait)
                # A busy minute marks much: one look at the lanes serves all of it.
                await asyncio.sleep(self._services.pace / 10)
            await asyncio.gather(*self._under_way)

    async def _listen(self) -> None:
        """Wakes the courier when a transaction has marked something."""
        while True:
            with contextlib.suppress(DatabaseAway):
                await self._listen_once()
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen_once(self) -> None:
        connection = await self._services.database.connect()
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        try:
            with telling_away():
                await connection.add_listener(NOTIFICATIONS, lambda *_: self._wake.set())
            self._wake.set()
            await closed.wait()
        finally:
            connection.terminate()

    async def _round(self) -> float:
        """Starts what can be done now; returns how long until more can, in seconds."""
        free = AT_ONCE - len(self._under_way)
        async with self._services.transaction() as tx:
            leases = await showing.take_lanes(tx, most=free, seconds=self._lease_seconds) if free else []
            wait = await showing.seconds_to_next(tx)
        for lease in leases:
            task = asyncio.create_task(self._serve(lease))
            self._under_way.add(task)
            task.add_done_callback(self._done)
        return IDLE_SECONDS if wait is None else min(IDLE_SECONDS, max(0.01, wait))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._wake.set()

    async def _serve(self, lease: Lease) -> None:
        # In a task of its own, so that the next lane's lines do not carry it.
        structlog.contextvars.bind_contextvars(lane=lease.lane)
        try:
            async with self._services.transaction() as tx:
                head = await showing.head(tx, lease.lane)
                if head is None:
                    await showing.release(tx, lease, rest=0)
                    return
            await self._one(lease, head)
        except DatabaseAway as error:
            log.warning("the database went away under the courier", error=str(error))
        except Exception:
            # The lane is served again when the lease is over.
            log.exception("the courier could not set a ticket aside")

    async def _one(self, lease: Lease, head: Mark | Notice) -> None:
        try:
            match head:
                case Mark():
                    await self._show(lease, head)
                case Notice():
                    await self._tell(lease, head)
                case _:
                    assert_never(head)
        except DatabaseAway:
            raise
        except Exception:
            # Whatever is wrong with one ticket must not stop the others: the lane goes on with the next.
            reference = secrets.token_hex(4)
            log.exception("the courier could not serve a lane", reference=reference)
            await self._set_aside(lease, head, reference)

    async def _set_aside(self, lease: Lease, head: Mark | Notice, reference: str) -> None:
        parks = head.failures + 1 >= FAILURES
        wait, park_as = _backoff(head.failures), reference if parks else None
        async with self._services.transaction() as tx:
            if not await showing.holds(tx, lease):
                return
            match head:
                case Mark():
                    await showing.failed(tx, head, wait, park_as=park_as)
                    if parks:
                        await self._say_stuck(tx, head, reference)
                case Notice():
                    await notices.failed(tx, head.id, wait, park_as=park_as)
                case _:
                    assert_never(head)
            await showing.release(tx, lease, rest=0)

    async def _say_stuck(self, tx: Transaction, mark: Mark, reference: str) -> None:
        number, triage_channel = await showing.told_where(tx, mark.ticket_id)
        if triage_channel:
            said = mirror.stuck(views.Stuck(number=number, reference=reference))
            await notices.add(tx, f"stuck:{reference}", "channel", said.arguments(), channel=triage_channel)

    async def _show(self, lease: Lease, mark: Mark) -> None:
        structlog.contextvars.bind_contextvars(ticket=str(mark.ticket_id))
        services = self._services
        async with services.transaction() as tx:
            strangers = await people.unknown_on(tx, mark.ticket_id)
            unread = await tickets.unread_names(tx, mark.ticket_id)
        try:
            await directory.learn(services, strangers)
            await directory.read_names(services, unread)
        except RateLimited as limited:
            await self._put_off(lease, mark, limited.seconds)
            return
        except Unclear:
            await self._put_off(lease, mark, _backoff(mark.attempts), failed=True)
            return
        except SlackRefused as refused:
            await self._locked_out(lease, mark, refused.error)
            return

        async with services.transaction() as tx:
            if not await showing.holds(tx, lease):
                return
            step = await self._due_step(tx, mark, strangers)
            if step is None:
                await showing.release(tx, lease, rest=0)
                return
            begun = None
            if step.posted is not None and step.act != "post":
                unsettled = await showing.begin_change(tx, step.posted.id, settle=self._settle_seconds)
                if unsettled > 0:
                    await showing.put_off(tx, mark, unsettled, changed_too=True)
                    await showing.release(tx, lease, rest=0)
                    return
            if step.act == "post":
                place = (step.slot, step.channel, step.thread_ts)
                begun = await showing.begin_post(tx, mark.ticket_id, mark.side, *place, settle=self._settle_seconds)
            # Last, so that the lease outlasts the attempt that was noted before: it has settled when the lease ends.
            await showing.renew(tx, lease, seconds=self._lease_seconds)
        await self._take(lease, mark, step, begun)

    async def _due_step(self, tx: Transaction, mark: Mark, asked: Sequence[Person]) -> Step | None:
        """The step to take now; None where there is none, or its time has not come. `asked`: of whom Slack was."""
        try:
            step = await projection.next_step(tx, self._services.desk, mark.ticket_id, mark.side)
        except Suspended:
            return None
        if step is None:
            if mark.side == "customer":
                await offers.offer_email(tx, mark.ticket_id)
            await showing.shown(tx, mark)
            return None
        if step.message_id and not await _all_asked(tx, mark.ticket_id, step.message_id, asked):
            # Somebody has written while others were asked for: a name cannot be changed once it is posted.
            return None
        if step.act != "post" and (wait := await self._until_update(tx, mark)) > 0:
            await showing.put_off(tx, mark, wait, reserved=True)
            return None
        return step

    async def _until_update(self, tx: Transaction, mark: Mark) -> float:
        """Seconds until this ticket's place in the budget of updates, which it takes now if it has none."""
        if mark.update_at is not None:
            return (mark.update_at - tx.now).total_seconds()
        every = UPDATE_EVERY * self._services.pace
        return await showing.place_in_budget(tx, showing.UPDATES, every=every, burst=UPDATE_BURST)

    async def _take(self, lease: Lease, mark: Mark, step: Step, begun: tuple[UUID, Attempts | None] | None) -> None:
        posted_id = begun[0] if begun else step.posted.id if step.posted else None
        assert posted_id is not None
        try:
            async with _within(self._lease_seconds * 0.8):
                place = await (self._post(step, posted_id, begun[1]) if begun else self._change(step))
        except RateLimited as limited:
            await self._limited(lease, mark, posted_id, limited)
        except NotYet as not_yet:
            await self._not_yet(lease, mark, step, not_yet)
        except Unclear as unclear:
            log.warning("Slack gave no clear answer", slot=step.slot, error=str(unclear))
            await self._put_off(lease, mark, _backoff(mark.attempts), failed=True)
        except SlackRefused as refused:
            await self._refused(lease, mark, step, posted_id, refused.error)
        else:
            await self._record(lease, mark, step, posted_id, place)

    async def _post(self, step: Step, posted_id: UUID, earlier: Attempts | None) -> _Place:
        """Sends the message, unless an earlier attempt did. NotYet where that is not known."""
        found = await self._earlier(step, posted_id, earlier.since) if earlier else None
        if earlier and not found:
            _is_to_be_waited_for(step, earlier)
        if step.shares:
            channel, message = found or await self._share(step, posted_id, again=earlier is not None)
        else:
            channel, message = found or await self._send(step, posted_id)
        ts = str(message["ts"])
        if step.thread_ts and message.get("thread_ts") != step.thread_ts:
            # The thread's root is gone, and the message stands in the open channel, where it must not stay.
            await self._take_away(channel, ts, step.shares)
            raise SlackRefused("thread_not_found")
        return _Place(channel, ts, current=not found or bool(step.shares) or message.get("text") == step.message.text)

    async def _take_away(self, channel: str, ts: str, shares: Sequence[tuple[str, str]]) -> None:
        slack = self._services.slack
        try:
            for file_id, _ in shares:
                await delete_file(slack, file_id)
            await call(slack, "chat.delete", channel=channel, ts=ts)
        except SlackRefused as refused:
            if refused.error != "message_not_found":
                raise NotYet(CLOSED_SECONDS, refused.error) from refused

    async def _share(self, step: Step, posted_id: UUID, *, again: bool) -> tuple[str, dict[str, Any]]:
        """Lets Slack post uploaded files, which it does after its answer, and finds them there: (channel, message).

        https://docs.slack.dev/reference/methods/files.completeUploadExternal
        """
        given = step.message.arguments()
        try:
            await call(
                self._services.slack,
                "files.completeUploadExternal",
                files=[{"id": file_id, "title": name} for file_id, name in step.shares],
                channel_id=step.channel,
                **({"thread_ts": step.thread_ts} if step.thread_ts else {}),
                **{name: given[name] for name in ("username", "icon_url") if name in given},
            )
        except SlackRefused as refused:
            # It can be called once. Refused after an attempt without an answer, that attempt has done it.
            if not again or refused.error in CHANNEL_CLOSED | DESK_CLOSED:
                raise
        async with self._services.transaction() as tx:
            await showing.accepted(tx, posted_id, step.shows)
        found = await self._earlier(step, posted_id, dt.datetime.now(dt.UTC))
        if found is None:
            raise NotYet(1.0)
        return found

    async def _send(self, step: Step, posted_id: UUID) -> tuple[str, dict[str, Any]]:
        payload = {"id": str(posted_id)} | ({"message": str(step.message_id)} if step.message_id else {})
        answer = await call(
            self._services.slack,
            "chat.postMessage",
            channel=step.channel,
            **({"thread_ts": step.thread_ts} if step.thread_ts else {}),
            **step.message.arguments(),
            metadata={"event_type": EVENT_TYPE, "event_payload": payload},
        )
        return str(answer["channel"]), answer["message"]

    async def _earlier(
        self, step: Step, posted_id: UUID, attempted_at: dt.datetime
    ) -> tuple[str, dict[str, Any]] | None:
        try:
            return await self._look_for(step, posted_id, attempted_at)
        except SlackRefused as refused:
            # The message may stand where the desk cannot look now.
            raise NotYet(CLOSED_SECONDS, refused.error) from refused

    async def _look_for(
        self, step: Step, posted_id: UUID, attempted_at: dt.datetime
    ) -> tuple[str, dict[str, Any]] | None:
        """The message in Slack that an attempt without a known end has left there, if it has: (channel, message)."""
        slack = self._services.slack
        channel = step.channel
        if not channel.startswith(("C", "G", "D")):
            opened = await ask(slack, "conversations.open", users=channel)
            channel = str(opened["channel"]["id"])
        # A minute of grace: the database's clock and Slack's are not the same.
        since = f"{attempted_at.timestamp() - 60:.6f}"
        places: list[tuple[str, dict[str, Any]]] = [("conversations.history", {})]
        if step.thread_ts:
            # A reply to a thread that has vanished stands in the open channel.
            places.insert(0, ("conversations.replies", {"ts": step.thread_ts}))
        for method, place in places:
            arguments = {"channel": channel, "include_all_metadata": True, "oldest": since, **place}
            try:
                async for message in directory.pages(slack, method, "messages", **arguments):
                    if _is_it(message, posted_id, step.shares):
                        return channel, message
            except SlackRefused as refused:
                if refused.error != "thread_not_found":
                    raise
        return None

    async def _change(self, step: Step) -> _Place:
        assert step.posted is not None
        assert step.posted.ts is not None
        slack, ts = self._services.slack, step.posted.ts
        if step.act == "delete":
            await call(slack, "chat.delete", channel=step.channel, ts=ts)
        else:
            message = step.message
            await call(slack, "chat.update", channel=step.channel, ts=ts, text=message.text, blocks=message.blocks)
        return _Place(step.channel, ts)

    async def _record(self, lease: Lease, mark: Mark, step: Step, posted_id: UUID, place: _Place) -> None:
        channel, ts, desk = place.channel, place.ts, self._services.desk
        # What is not current is brought up to date at once.
        shows, version = (step.shows, step.version) if place.current else ("", 0)
        async with self._services.transaction() as tx:
            if not await showing.holds(tx, lease):
                return
            await showing.record(tx, posted_id, channel, ts, shows, version)
            match step.act, step.slot:
                case "delete", _:
                    await showing.gone(tx, posted_id)
                case "post", "card":
                    await conversation.begin_thread(tx, desk, mark.ticket_id, "triage", channel, ts)
                case "post", "root":
                    await conversation.begin_thread(tx, desk, mark.ticket_id, "customer", channel, ts)
                    await tickets.root_posted(tx, mark.ticket_id, channel, ts)
                    await showing.mark(tx, mark.ticket_id)
                case "post", slot if mark.side == "customer" and slot.startswith("message:"):
                    # Triage shows what has become of a reply.
                    await showing.mark(tx, mark.ticket_id)
                case _:
                    pass
            copying = await self._begin_copies(tx, mark, step)
            await showing.go_on(tx, mark, updated=step.act != "post")
            await self._taken(tx, lease, mark)
            await showing.release(tx, lease, rest=self._services.pace if step.act == "post" else 0)
        if copying:
            self._services.copying.set()

    @staticmethod
    async def _begin_copies(tx: Transaction, mark: Mark, step: Step) -> bool:
        if step.message_id is None or not step.to_copy:
            return False
        return await copies.begin(tx, mark.ticket_id, mark.side, step.message_id, step.to_copy)

    async def _put_off(self, lease: Lease, mark: Mark, seconds: float, *, failed: bool = False) -> None:
        async with self._services.transaction() as tx:
            if await showing.holds(tx, lease):
                await showing.put_off(tx, mark, seconds, failed=failed)
                await showing.release(tx, lease, rest=0)

    async def _not_yet(self, lease: Lease, mark: Mark, step: Step, not_yet: NotYet) -> None:
        if not_yet.error:
            log.warning("Slack does not say what it has", slot=step.slot, error=not_yet.error)
        async with self._services.transaction() as tx:
            if not await showing.holds(tx, lease):
                return
            if not await self._close(tx, lease, not_yet.error, mark):
                await showing.put_off(tx, mark, not_yet.seconds)
            await showing.release(tx, lease, rest=0)

    async def _limited(self, lease: Lease, mark: Mark, posted_id: UUID, limited: RateLimited) -> None:
        """Pauses the budget that Slack's Retry-After concerns: the channel for a post, the method for an update."""
        seconds = limited.seconds
        async with self._services.transaction() as tx:
            if not await showing.holds(tx, lease):
                return
            if limited.method in {"chat.postMessage", "files.completeUploadExternal"}:
                await showing.known_unsent(tx, posted_id)
                await showing.release(tx, lease, rest=seconds)
                return
            if limited.method == "chat.update":
                await showing.known_unsent(tx, posted_id)
                # The burst is spent: the next places in the budget begin at the end of the pause.
                burst = UPDATE_BURST * UPDATE_EVERY * self._services.pace
                await showing.pause(tx, showing.UPDATES, seconds + burst)
                await showing.delay_updates(tx, seconds)
            await showing.put_off(tx, mark, seconds)
            await showing.release(tx, lease, rest=0)

    async def _refused(self, lease: Lease, mark: Mark, step: Step, posted_id: UUID, error: str) -> None:
        log.warning("Slack refused a message", slot=step.slot, error=error)
        async with self._services.transaction() as tx:
            if not await showing.holds(tx, lease):
                return
            # That files may not be shared closes no channel to words.
            only_files = bool(step.shares) and error == "missing_scope"
            if not only_files and await self._close(tx, lease, error, mark):
                await showing.known_unsent(tx, posted_id)
            elif error == "message_not_found":
                await showing.lost(tx, posted_id, renewals=conversation.RENEWALS)
            else:
                if step.act == "update" and step.posted and step.posted.ts:
                    # Tried again when what it should show changes.
                    await showing.record(tx, posted_id, step.channel, step.posted.ts, step.shows, step.version)
                else:
                    await showing.refuse(tx, posted_id, error)
                    await showing.mark(tx, mark.ticket_id)
                await self._say_parked(tx, mark, step, f"parked:{posted_id}", error)
            await showing.release(tx, lease, rest=0)

    async def _locked_out(self, lease: Lease, mark: Mark, error: str) -> None:
        async with self._services.transaction() as tx:
            if await showing.holds(tx, lease):
                await self._close(tx, lease, error, mark)
                await showing.release(tx, lease, rest=0)

    async def _close(self, tx: Transaction, lease: Lease, error: str | None, mark: Mark | None) -> bool:
        """Whether it is the lane, or the desk itself, that Slack refuses; it then rests, and the agents are told."""
        rest = _Rest(first=CLOSED_SECONDS, longest=CLOSED_SECONDS_AT_MOST)
        if error in DESK_CLOSED:
            if await showing.close(tx, showing.DESK, error, **rest, probing=lease.desk_closed):
                log.error("Slack does not take the desk's token: nothing is sent until it does", error=error)
            return True
        if error not in CHANNEL_CLOSED:
            return False
        if await showing.close(tx, lease.lane, error, **rest):
            if mark is not None:
                await showing.mark(tx, mark.ticket_id)
            said = mirror.closed(views.Closed(lease.lane, await self._person(tx, lease, mark), error))
            if not await agents.tell(tx, lease.lane, "closed", said):
                log.error("Slack refuses a channel, and there is none to tell it in", channel=lease.lane, error=error)
        return True

    async def _closed_to(self, tx: Transaction, lease: Lease, notice: Notice, error: str | None) -> bool:
        """A person who cannot be reached is no channel that is closed."""
        return (error in DESK_CLOSED or notice.kind == "channel") and await self._close(tx, lease, error, None)

    async def _taken(self, tx: Transaction, lease: Lease, mark: Mark | None) -> None:
        """Slack has taken what was sent in the lane: where it was closed, it is open again."""
        if lease.desk_closed and await showing.open_again(tx, showing.DESK) is not None:
            log.info("Slack takes the desk's token again")
        if lease.closed and (waiting := await showing.open_again(tx, lease.lane)) is not None:
            log.info("Slack takes what is sent to a channel again", channel=lease.lane, waiting=waiting)
            said = mirror.reopened(views.Reopened(lease.lane, await self._person(tx, lease, mark), waiting))
            await agents.tell(tx, lease.lane, "reopened", said)

    @staticmethod
    async def _person(tx: Transaction, lease: Lease, mark: Mark | None) -> str | None:
        """Whose direct messages the lane is."""
        if mark is None or lease.lane.startswith(("C", "G")):
            return None
        ticket = await tickets.by_id(tx, mark.ticket_id)
        return ticket.requester_slack if ticket else None

    async def _say_parked(self, tx: Transaction, mark: Mark, step: Step, key: str, error: str) -> None:
        """Tells the agents, in the ticket's triage thread or without one in the channel, what does not reach Slack."""
        ticket = await tickets.by_id(tx, mark.ticket_id)
        card = (await showing.posted(tx, mark.ticket_id)).get(("triage", "card"))
        if ticket is None or ticket.triage_channel is None:
            return
        what = f"The card of #{ticket.number} ({ticket.title})" if step.slot == "card" else _what(step.slot)
        said = mirror.parked(views.Parked(what=what, error=error))
        await notices.add(
            tx,
            key,
            "channel",
            said.arguments(),
            channel=ticket.triage_channel,
            thread_ts=card.ts if card else None,
        )

    async def _tell(self, lease: Lease, notice: Notice) -> None:
        async with self._services.transaction() as tx:
            if not await showing.holds(tx, lease):
                return
            if not await notices.is_to_be_sent(tx, notice.id):
                await showing.release(tx, lease, rest=0)
                return
            earlier = await notices.attempt(tx, notice.id, settle=self._settle_seconds)
            await showing.renew(tx, lease, seconds=self._lease_seconds)
        if earlier and notice.kind == "ephemeral":
            await self._told(lease, notice, None)
            return
        try:
            async with _within(self._lease_seconds * 0.8):
                ts = await self._deliver(notice, earlier)
        except RateLimited as limited:
            posting = limited.method in {"chat.postMessage", "chat.postEphemeral"}
            await self._later(lease, notice, limited.seconds, known_unsent=posting)
        except NotYet as not_yet:
            await self._later(lease, notice, not_yet.seconds, known_unsent=False, error=not_yet.error)
        except Unclear:
            if notice.kind == "ephemeral":
                await self._told(lease, notice, None)
            else:
                await self._later(lease, notice, _backoff(notice.attempts), known_unsent=False)
        except SlackRefused as refused:
            await self._notice_refused(lease, notice, refused.error)
        else:
            await self._told(lease, notice, ts)

    async def _told(self, lease: Lease, notice: Notice, ts: str | None) -> None:
        """It is sent; `ts` None: it may be. A message for one person's eyes cannot be looked for, nor taken away.

        So an ephemeral without a clear answer is not sent again: one that is missed can be asked for once more.
        """
        async with self._services.transaction() as tx:
            if ts is None and not await showing.holds(tx, lease):
                return
            await notices.sent(tx, notice.id, ts)
            if ts is not None:
                await self._taken(tx, lease, None)
            await showing.release(tx, lease, rest=self._services.pace if notice.kind == "channel" else 0)

    async def _deliver(self, notice: Notice, earlier: Attempts | None) -> str:
        slack = self._services.slack
        thread = {"thread_ts": notice.thread_ts} if notice.thread_ts else {}
        if notice.kind == "ephemeral":
            answer = await call(
                slack, "chat.postEphemeral", channel=notice.channel, user=notice.slack_id, **thread, **notice.message
            )
            return str(answer.get("message_ts", ""))
        channel = notice.channel if notice.kind == "channel" else notice.slack_id
        if (
            notice.key.startswith(notices.SCHEDULED)
            and await digests.why_not(self._services, channel or "") is not None
        ):
            # It was the place for a digest when that was made. The agents are told when the next one is due.
            raise SlackRefused("suspended")
        if notice.key.startswith(notices.DIGEST) and notice.channel:
            await self._must_be_fit_for_digests(notice.channel)
        message = Message(**{key: notice.message.get(key) for key in ("text", "blocks", "username", "icon_url")})  # type: ignore[arg-type]
        step = Step("post", notice.key, channel or "", notice.thread_ts, message)
        try:
            return (await self._post(step, notice.id, earlier)).ts
        except SlackRefused as refused:
            if refused.error != "invalid_blocks":
                raise
        plain = Step("post", notice.key, step.channel, notice.thread_ts, without_data(message))
        return (await self._post(plain, notice.id, None)).ts

    async def _must_be_fit_for_digests(self, channel_id: str) -> None:
        """SlackRefused, and said in triage, where customers have come to read since the channel was chosen."""
        found = await directory.look(self._services.slack, channel_id)
        async with self._services.transaction() as tx:
            known = await channels.find(tx, channel_id)
            why = unfit_for_digests(found, known.role if known else None)
            if why:
                await agents.tell(tx, channel_id, "no digest", setups.unfit_for_digests(channel_id, why))
        if why:
            raise SlackRefused(why)

    async def _later(
        self, lease: Lease, notice: Notice, seconds: float, *, known_unsent: bool, error: str | None = None
    ) -> None:
        async with self._services.transaction() as tx:
            if not await showing.holds(tx, lease):
                return
            if not await self._closed_to(tx, lease, notice, error):
                await notices.put_off(tx, notice.id, seconds, known_unsent=known_unsent)
            await showing.release(tx, lease, rest=seconds if known_unsent else 0)

    async def _notice_refused(self, lease: Lease, notice: Notice, error: str) -> None:
        async with self._services.transaction() as tx:
            if not await showing.holds(tx, lease):
                return
            if await self._closed_to(tx, lease, notice, error):
                await notices.known_unsent(tx, notice.id)
            elif notice.kind == "ephemeral":
                await notices.fall_back(tx, notice.id)
            else:
                log.warning("Slack refused a notice", key=notice.key, error=error)
                await notices.refuse(tx, notice.id, error)
            await showing.release(tx, lease, rest=0)


def _is_to_be_waited_for(step: Step, earlier: Attempts) -> None:
    """NotYet where what an earlier attempt has left on its way may still arrive. SlackRefused: it never will."""
    if step.posted is not None and step.posted.shows is not None:
        waited = (dt.datetime.now(dt.UTC) - earlier.since).total_seconds()
        if waited > SEEN_SECONDS:
            raise SlackRefused("message_not_found")
        raise NotYet(max(1.0, waited / 2))
    if earlier.unsettled:
        raise NotYet(earlier.unsettled)


def _is_it(message: dict[str, Any], posted_id: UUID, shares: Sequence[tuple[str, str]]) -> bool:
    """Whether a message in Slack is this one of the desk's. One that consists of files carries no metadata."""
    shown = {str(file.get("id")) for file in message.get("files", [])}
    carried = message.get("metadata", {}).get("event_payload", {}).get("id")
    return carried == str(posted_id) or any(file_id in shown for file_id, _ in shares)


@contextlib.asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    """Ends a call while its lease still holds."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Unclear("no answer in time") from error


async def _all_asked(tx: Transaction, ticket_id: UUID, message_id: UUID, asked: Sequence[Person]) -> bool:
    """Whether Slack was asked who everybody is, and of whom and which files this message speaks."""
    if any(one.message_id == message_id for one in await tickets.unread_names(tx, ticket_id)):
        return False
    known = {(one.team_id, one.slack_id) for one in asked}
    return all((one.team_id, one.slack_id) in known for one in await people.unknown_on(tx, ticket_id))


def _backoff(attempts: int) -> float:
    """Seconds until the next attempt: doubling, at most five minutes, never in step with others."""
    return min(300.0, 2.0 ** min(attempts, 9)) * random.uniform(0.7, 1.3)  # noqa: S311 - spreads load, keeps no secret


def _what(slot: str) -> str:
    kind = slot.partition(":")[0]
    return {
        "message": "A message",
        "files": "What was attached to a message",
        "status": "The status message",
        "root": "The new ticket's first message",
        "rating": "The rating question",
        "email": "The question about an e-mail",
        "rated": "A low rating",
    }.get(kind, "Something")


@contextlib.asynccontextmanager
async def _task(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
