"""Digests at set times: when each is due, and what was missed.

What is due is read from the rows each time: every time at which a digest falls due becomes a row of its own, once,
before anything is posted.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, field_validator

from bot.tickets.digest import UTC, PeriodName
from bot.tickets.errors import Refused, wrong
from bot.tickets.hours import WorkingHours
from bot.tickets.places import Found, no_place_for_digests
from bot.tickets.words import channels as say
from bot.tickets.words import forms as say_at_field
from storage import channels, schedules
from storage.engine import Transaction
from storage.people import Person
from storage.schedules import Row

#: Of one schedule, those that were missed while the desk was down: the latest are posted, those before left out.
MISSED = 7
#: How many digests one triage channel can have at set times.
MOST = 20


class When(BaseModel):
    """When a digest is due, and of which period it is.

    `cron` has five fields (minute, hour, day of the month, month, day of the week), as Debian's cron reads them: what
    would be due in an hour that clocks skip is due right after it, and in one that they repeat once.
    """

    model_config = ConfigDict(frozen=True)

    cron: str
    period: PeriodName

    @field_validator("cron")
    @classmethod
    def _sound(cls, typed: str) -> str:
        fields = typed.upper().split()
        if len(fields) != 5:
            raise wrong(say_at_field.cron_fields(line=typed))
        if not (fields[0].isascii() and fields[0].isdigit()):
            raise wrong(say_at_field.cron_too_often(line=typed))
        fields[0] = str(int(fields[0]))
        try:
            comes = next(CronSim(" ".join(fields), dt.datetime(2000, 1, 1)), None)  # noqa: DTZ001 - of any zone
        except CronSimError as error:
            raise wrong(say_at_field.cron_wrong(line=typed, field=_field_of(error))) from None
        if comes is None:
            raise wrong(say_at_field.cron_never(line=typed))
        return " ".join(fields)

    def after(self, zone: str, at: dt.datetime) -> Iterator[dt.datetime]:
        """The times after `at` at which it is due in `zone`, in order, in UTC."""
        due = (one.astimezone(dt.UTC) for one in CronSim(self.cron, at.astimezone(ZoneInfo(zone))))
        # From within an hour that clocks repeat, cron begins with what was due in it the first time.
        return itertools.dropwhile(lambda one: one <= at, due)


def _field_of(error: CronSimError) -> str | None:
    """The field that is wrong, as the library names it."""
    said = str(error)
    return said.removeprefix("Bad ") if said.startswith("Bad ") else None


@dataclass(frozen=True, slots=True)
class Times:
    """What is set of a channel now, for the form: when its digests are posted, or when its agents are at work.

    `channel`: where digests are posted; None: in the triage channel itself. `zone`: of the digests, else of the hours.
    """

    digests: tuple[When, ...] = ()
    channel: str | None = None
    hours: WorkingHours | None = None
    zone: str | None = None


async def present(tx: Transaction, triage_channel: str, *, usual: str | None) -> Times:
    """The digests of a triage channel's tickets. `usual`: where digests are posted unless something else is set."""
    now = await schedules.of_triage(tx, triage_channel)
    if not now:
        return Times(channel=usual)
    digests = tuple(When.model_construct(cron=row.cron, period=row.period) for row in now)
    return Times(digests, None if now[0].channel == triage_channel else now[0].channel, zone=now[0].zone)


async def zone_of(tx: Transaction, triage_channels: Sequence[str]) -> ZoneInfo:
    """The time zone of the digests of some triage channels; UTC where none is set, or several."""
    zones = await schedules.zones(tx, triage_channels)
    try:
        return ZoneInfo(zones[0] if len(zones) == 1 else "UTC")
    except (LookupError, OSError, ValueError):
        return UTC


async def change(
    tx: Transaction, person: Person, triage_channel: str, place: Found, zone: str, wanted: Sequence[When]
) -> None:
    """`save`, for agents of the triage channel."""
    if triage_channel not in person.agent_of:
        raise Refused(say.ONLY_TRIAGE_SETS_DIGESTS)
    await must_be_fit(tx, place)
    await save(tx, triage_channel, place.id, zone, wanted)


async def save(tx: Transaction, triage_channel: str, channel: str, zone: str, wanted: Sequence[When]) -> None:
    """Lets digests of the triage channel's tickets be posted in `channel` at these times, and at no others.

    What was due already is posted as it was set; what is new is due from now on. Whether the person may set it, and
    whether the channel is fit for it, was found out before.
    """
    await channels.find(tx, triage_channel, lock=True)
    now = await schedules.of_triage(tx, triage_channel)
    await _take(tx, [row for row in now if row.next_at and row.next_at <= tx.now])
    kept = {(row.channel, row.zone, row.cron, row.period): row for row in now}
    asked = {(channel, zone, when.cron, when.period): when for when in wanted}
    await schedules.remove(tx, [row.id for key, row in kept.items() if key not in asked])
    for key, when in asked.items():
        if key not in kept:
            following = next(when.after(zone, tx.now), None)
            await schedules.add(tx, triage_channel, channel, zone, when.cron, when.period, following)


async def must_be_fit(tx: Transaction, place: Found) -> None:
    """Refused for a channel, as Slack has described it a moment ago, in which digests must not or cannot be posted."""
    known = await channels.find(tx, place.id)
    if known is not None and known.role == "support":
        raise Refused(say.DIGESTS_AMONG_CUSTOMERS, field="digest_channel")
    if why := no_place_for_digests(place, known.role if known else None):
        raise Refused(say.no_place_for_digests(why=why), field="digest_channel")


async def take_due(tx: Transaction) -> int:
    """Makes of every time that has come a digest that is to be posted; how many schedules that concerned.

    Replicas that look at once share the work.
    """
    due = await schedules.due(tx)
    await _take(tx, due)
    return len(due)


async def _take(tx: Transaction, due: Sequence[Row]) -> None:
    for row in due:
        come: list[dt.datetime] = []
        following = None
        for one in _times(row):
            if one > tx.now:
                following = one
                break
            come.append(one)
        missed, posted = come[:-MISSED], come[-MISSED:]
        for place, due_at in enumerate(posted):
            await schedules.take(tx, row, due_at, left_out=0 if place else len(missed))
        await schedules.advance(tx, row.id, taken_to=tx.now, next_at=following)


async def derive(tx: Transaction) -> None:
    """Finds out anew when each schedule is due next: a zone's rules may be others than they were."""
    for row in await schedules.all_of_them(tx):
        following = next(_times(row), None)
        if following != row.next_at:
            await schedules.advance(tx, row.id, taken_to=row.taken_to, next_at=following)


def _times(row: Row) -> Iterator[dt.datetime]:
    """The times that were not taken yet; none of a row that another program has written wrong."""
    try:
        return When.model_construct(cron=row.cron, period=row.period).after(row.zone, row.taken_to)
    except (CronSimError, LookupError, OSError, ValueError):
        return iter(())
