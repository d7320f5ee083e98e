"""`python -m bot outbox`: what waits to go out to Slack, what Slack refused for good, and what is to become of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from storage import migrate, outbox
from storage.engine import Database, DatabaseAway
from storage.outbox import Given, Lane, Parked
from storage.showing import DESK

log = structlog.get_logger(__name__)

WHAT = {
    "message": "a message",
    "status": "the status message",
    "root": "the first message",
    "rating": "the rating question",
    "rated": "a low rating",
    "card": "the card",
    "reply": "a held reply",
    "event": "a mention of assignees",
    "customer": "the customer's thread",
    "triage": "card and thread",
    "ephemeral": "a private answer",
    "direct": "a direct message",
    "channel": "a notice",
}


class OutboxError(Exception):
    """What was asked for cannot be done, as a sentence."""


@dataclass(frozen=True, slots=True)
class Outbox:
    lanes: Sequence[Lane]
    parked: Sequence[Parked]

    @property
    def places(self) -> list[str]:
        """Every lane in which something waits or is parked."""
        return [one.lane for one in self.lanes] + [one.lane for one in self.parked]


async def look(database: Database, now: dt.datetime) -> Outbox:
    await _must_be_current(database)
    async with database.transaction(now) as tx:
        return Outbox(await outbox.lanes(tx), await outbox.parked(tx))


async def retry(database: Database, now: dt.datetime, names: Sequence[str]) -> str:
    """Makes what waits due at once; no names: all of it."""
    found = await look(database, now)
    lanes, ids = chosen(found, names) if names else (found.places, [])
    async with database.transaction(now) as tx:
        given = await outbox.retry(tx, [*lanes, DESK], ids)
    return f"Tried again now: {_counted(given)}." if any(dataclasses.astuple(given)) else "All that waits is due now."


async def drop(database: Database, now: dt.datetime, names: Sequence[str], *, yes: bool) -> str:
    """Gives up what waits under the names; without `yes` nothing is done, and OutboxError says what would be."""
    found = await look(database, now)
    lanes, ids = chosen(found, names)
    if not yes:
        waiting = [one for one in found.lanes if one.lane in lanes]
        parked = [one for one in found.parked if one.lane in lanes or one.id in ids]
        told = Given(
            sum(one.tickets for one in waiting) + sum(one.kind == "ticket" for one in parked),
            sum(one.kind == "message" for one in parked),
            sum(one.notices for one in waiting) + sum(one.kind == "notice" for one in parked),
        )
        raise OutboxError(
            f"This gives up what waits: {_counted(told)}. It is never sent; the tickets' rows stay as they are."
            f" To go on: python -m bot outbox drop {' '.join(names)} --yes"
        )
    async with database.transaction(now) as tx:
        given = await outbox.drop(tx, lanes, ids)
    log.warning("what waited for Slack was given up", channels=lanes, ids=[str(one) for one in ids], **_counts(given))
    return f"Given up: {_counted(given)}."


def chosen(found: Outbox, names: Sequence[str]) -> tuple[list[str], list[UUID]]:
    """The lanes and the ids of what is parked that the names mean; OutboxError with what there is, for a wrong one."""
    lanes = {lane: lane for lane in found.places}
    lanes |= {one.name: one.lane for one in found.parked if one.name}
    lanes |= {one.name: one.lane for one in found.lanes if one.name}
    ids = {str(one.id): one.id for one in found.parked}
    wanted = [name.removeprefix("#") for name in names]
    if unknown := [name for name in wanted if name not in lanes and name not in ids]:
        there = ", ".join([*sorted(one.name or one.lane for one in found.lanes), *ids]) or "nothing"
        raise OutboxError(f"Nothing waits under {', '.join(unknown)}. What waits: {there}.")
    return [lanes[name] for name in wanted if name in lanes], [ids[name] for name in wanted if name in ids]


def as_json(found: Outbox) -> str:
    return json.dumps(dataclasses.asdict(found), default=str, indent=2)


def as_text(found: Outbox, now: dt.datetime) -> str:
    lines = [line for lane in found.lanes for line in _lane(lane, now)]
    if found.parked:
        lines.append("Not tried again by itself:")
        lines += [_parked(one) for one in found.parked]
    return "\n".join(lines or ["Nothing waits."])


def _lane(lane: Lane, now: dt.datetime) -> list[str]:
    if lane.lane == DESK:
        return [f"Slack does not take the desk's token ({lane.closed_why}), {_since(lane.closed_since or now, now)}."]
    name = f"#{lane.name} ({lane.lane})" if lane.name else lane.lane
    waiting = _counted(Given(lane.tickets, 0, lane.notices))
    return [f"{name}: {waiting}, {_since(lane.since, now)}; {_why(lane, now)}"]


def _why(lane: Lane, now: dt.datetime) -> str:
    if lane.closed_why:
        again = f"tried again in {lane.next_try or 0:.0f} s"
        return f"closed: {lane.closed_why}, {_since(lane.closed_since or now, now)}, {again}"
    return f"suspended: {lane.suspended}" if lane.suspended else "waits for its turn"


def _parked(one: Parked) -> str:
    ticket = f" of #{one.ticket}" if one.ticket else ""
    failed = "reference in the log" if one.kind == "ticket" else "error"
    return f"  {one.id}  {WHAT.get(one.what, one.what)}{ticket} in {one.lane}, {failed}: {one.error}"


def _since(moment: dt.datetime, now: dt.datetime) -> str:
    minutes = max(0, int((now - moment).total_seconds() // 60))
    return f"since {moment:%Y-%m-%d %H:%M} UTC ({minutes // 60} h {minutes % 60} min)"


def _counts(given: Given) -> dict[str, int]:
    return dataclasses.asdict(given)


def _counted(given: Given) -> str:
    said = [f"{count:,} {name if count != 1 else name[:-1]}" for name, count in _counts(given).items() if count]
    return " and ".join(said) or "nothing"


async def _must_be_current(database: Database) -> None:
    try:
        current = await migrate.is_current(database)
    except DatabaseAway as error:
        raise OutboxError(f"The database cannot be reached: {error}.") from None
    if not current:
        raise OutboxError("The database's tables are not up to date. Run this first: python -m bot migrate")
