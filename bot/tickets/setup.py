"""How channels are set up: by the agents whom it concerns, and by the workspace's admins until there are agents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.tickets import attendance, schedules
from bot.tickets.desk import Desk
from bot.tickets.errors import Refused
from bot.tickets.places import Found, unfit_for_triage
from bot.tickets.schedules import Times
from bot.tickets.words import channels as say
from storage import channels, people, tickets
from storage.channels import UNREAD, Channel, Mode, Role
from storage.engine import Transaction
from storage.people import Person
from storage.reactions import USUAL, Reactions
from storage.tickets import Priority


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a channel is to be set up. `triage_channel`: None lets the desk choose. `assignees` are Slack ids.

    `times`: None leaves those that are set, as far as they concern the role.
    """

    role: Role
    mode: Mode = "every_message"
    triage_channel: str | None = None
    assignees: tuple[str, ...] = ()
    priority: Priority = "medium"
    tags: tuple[str, ...] = ()
    reactions: Reactions = USUAL
    times: Times | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """How a channel is set up now, and the triage channels that a person may send its tickets to."""

    channel: str
    settings: Wanted
    triage_channels: Sequence[Channel]
    times: Times


async def present(tx: Transaction, desk: Desk, person: Person, channel: str) -> Present:
    """For the form. Refused where the person may not set the channel up."""
    known = await channels.find(tx, channel)
    await must_be_let(tx, person, known)
    times = await times_of(tx, known, usual=desk.digest_channel)
    return Present(known.id if known else channel, _settings(known), await _to_choose_from(tx, person, known), times)


async def times_of(tx: Transaction, channel: Channel | None, *, usual: str | None = None) -> Times:
    """A support channel's working hours, another's digests. `usual`: where those are posted unless another is set."""
    if channel is not None and channel.role == "support":
        return Times(hours=await attendance.hours(tx, channel.id))
    return await schedules.present(tx, channel.id if channel else "", usual=usual)


async def must_be_let(tx: Transaction, person: Person, channel: Channel | None) -> None:
    """Refused for whoever may not set up the channel, of which the desk may know nothing yet (None)."""
    served = {one.id for one in await channels.served_triage(tx)}
    if not served:
        if person.is_admin and person.kind == "member":
            return
        raise Refused(say.ONLY_ADMINS)
    concerned = _triage_of(channel)
    if not person.agent_of & (served & concerned or served):
        raise Refused(say.ONLY_ITS_AGENTS if person.agent_of else say.ONLY_AGENTS)


def _triage_of(channel: Channel | None) -> set[str]:
    if channel is None or channel.role == "none":
        return set()
    return {channel.id if channel.role == "triage" else channel.triage_channel or ""}


def _settings(channel: Channel | None) -> Wanted:
    if channel is None:
        return Wanted("support")
    return Wanted(
        channel.role,
        channel.mode,
        channel.triage_channel,
        channel.assignees,
        channel.priority,
        channel.tags,
        channel.reactions,
    )


async def _to_choose_from(tx: Transaction, person: Person, channel: Channel | None) -> list[Channel]:
    """The person's own triage channels, the one chosen last first, and the channel's present one."""
    return [
        one
        for one in reversed(await channels.served(tx, "triage"))
        if (one.id in person.agent_of and one.suspended is None) or (channel and one.id == channel.triage_channel)
    ]


async def choose(tx: Transaction, desk: Desk, person: Person, found: Found, role: Role) -> Channel:
    """Gives the channel a role and leaves the rest of how it is set up."""
    known = await channels.find(tx, found.id)
    return await change(tx, desk, person, found, replace(_settings(known), role=role))


async def change(
    tx: Transaction, desk: Desk, person: Person, found: Found, wanted: Wanted, *, digests_in: Found | None = None
) -> Channel:
    """Sets up the channel, which Slack has described a moment ago. Refused, at the field, where that is not safe.

    `digests_in`: the channel in which digests are to be posted, as Slack describes it; None: the channel itself.
    """
    await tickets.serialise(tx, "set up", found.id)
    before = await channels.find(tx, found.id, lock=True)
    await must_be_let(tx, person, before)
    await _must_be_fit(tx, desk, found, before, wanted.role)
    triage = await _triage(tx, person, before, wanted) if wanted.role == "support" else None
    if triage:
        same = before is not None and before.triage_channel == triage.id
        known = before.assignees if before and same else ()
        await _must_be_agents(tx, desk, triage, [one for one in wanted.assignees if one not in known])
    after = Channel(
        # Slack may have given it another id since it was asked.
        id=before.id if before else await channels.present_id(tx, found.id),
        name=found.name,
        role=wanted.role,
        mode=wanted.mode,
        triage_channel=triage.id if triage else None,
        suspended=_suspended(before, wanted.role),
        private=found.private,
        shared=found.shared,
        priority=wanted.priority,
        tags=wanted.tags,
        assignees=wanted.assignees,
        reactions=wanted.reactions,
    )
    await tx.act_as(person.user_id, "agent")
    if wanted.role != "support":
        await attendance.set_hours(tx, found.id, None)
    await channels.save(tx, after)
    await _set_times(tx, after, wanted.times, digests_in or found)
    return after


async def _set_times(tx: Transaction, channel: Channel, times: Times | None, place: Found) -> None:
    if channel.role == "support" and times is not None:
        await attendance.set_hours(tx, channel.id, times.hours)
    if channel.role != "triage":
        await schedules.save(tx, channel.id, place.id, "", ())
    elif times is not None:
        if times.digests:
            await schedules.must_be_fit(tx, place)
        await schedules.save(tx, channel.id, place.id, times.zone or "", times.digests)


def _suspended(before: Channel | None, role: Role) -> str | None:
    """One that was suspended is looked at again: what has become of it since, Slack may never have told."""
    if role != "triage" or (before and before.role == "triage" and before.suspended is None):
        return None
    return UNREAD


async def _must_be_fit(tx: Transaction, desk: Desk, found: Found, before: Channel | None, role: Role) -> None:
    if found.direct:
        raise Refused(say.NO_CHANNEL, field="role")
    if role != "none" and not found.member:
        raise Refused(say.not_in_it(channel=found.name), field="role")
    if role == "triage" and (unfit := unfit_for_triage(found)):
        raise Refused(say.no_triage_channel(channel=found.name, why=unfit), field="role")
    if role == "support" and found.archived:
        raise Refused(say.archived(channel=found.name), field="role")
    if role == "support" and found.id == desk.digest_channel:
        raise Refused(say.has_digests(channel=found.name), field="role")
    if role == "triage" and await channels.has_tickets(tx, found.id, "customer"):
        raise Refused(say.has_customers(channel=found.name), field="role")
    if before is not None and before.role == "triage" and role != "triage":
        await _must_be_given_up(tx, before)


async def _must_be_given_up(tx: Transaction, triage: Channel) -> None:
    if routed := await channels.routed_to(tx, triage.id):
        known = await channels.find(tx, routed[0])
        first = known.name if known else routed[0]
        raise Refused(say.is_needed(first=first, others=len(routed) - 1, triage=triage.name), field="role")
    if await channels.has_tickets(tx, triage.id, "triage"):
        raise Refused(say.has_notes(channel=triage.name), field="role")


async def _triage(tx: Transaction, person: Person, before: Channel | None, wanted: Wanted) -> Channel:
    """Where the tickets go. Its row is locked: it stays a triage channel until this transaction ends."""
    own = await _to_choose_from(tx, person, before)
    if not own:
        raise Refused(say.NO_TRIAGE, field="role")
    chosen = wanted.triage_channel or own[0].id
    if chosen not in {one.id for one in own}:
        raise Refused(say.OWN_TRIAGE, field="triage_channel")
    triage = await channels.find(tx, chosen, lock=True)
    if triage is None or triage.role != "triage":
        raise Refused(say.NO_TRIAGE, field="role")
    return triage


async def _must_be_agents(tx: Transaction, desk: Desk, triage: Channel, assignees: Sequence[str]) -> None:
    for slack_id in assignees:
        person = await people.find(tx, desk.team_id, slack_id)
        if person is None or triage.id not in person.agent_of:
            name = person.name if person else None
            raise Refused(say.no_agent(name=name, triage=triage.name), field="assignees")
