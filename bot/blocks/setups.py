"""What is said of channels and of how they are set up."""

from __future__ import annotations

import slackblocks as slack

from bot.blocks.answers import sentence
from bot.blocks.ids import Action
from bot.blocks.parts import actions, button, facts, mention, section, some, tags_of
from bot.blocks.surface import Message, clip, escape, message, one_line
from bot.blocks.words import common
from bot.blocks.words import setups as say
from bot.tickets import timetable
from bot.tickets.hours import WorkingHours
from bot.tickets.schedules import MOST, Times
from storage.channels import Channel


def asked(channel: str, why_not: str | None) -> Message:
    """Asks whoever has invited the desk what the channel is for. `why_not`, plain text: they are not to choose."""
    if why_not is not None:
        return sentence(say.invited_by_other(_named(channel), why_not=escape(why_not)))
    said = f"{say.invited(_named(channel))}\n{say.WHAT_FOR}"
    blocks: list[slack.Block] = [
        section("invited", said),
        actions(
            "choose",
            button(say.SUPPORT, Action.SET_UP_SUPPORT, channel, spoken=say.SUPPORT_SPOKEN),
            button(say.TRIAGE, Action.SET_UP_TRIAGE, channel, spoken=say.TRIAGE_SPOKEN),
            button(say.LEAVE_ALONE, Action.LEAVE_ALONE, channel, spoken=say.LEAVE_ALONE_SPOKEN),
            button(say.SET_UP, Action.SET_UP, channel, spoken=say.SET_UP_SPOKEN),
        ),
    ]
    return message(said, blocks)


def opens_form(channel: str) -> Message:
    """For those who cannot be shown the form at once."""
    said = say.how(_named(channel))
    form = button(say.SET_UP, Action.SET_UP, channel, spoken=say.SET_UP_SPOKEN)
    return message(said, [section("set_up", said), actions("choose", form)])


def somebody_invited(channel: str) -> Message:
    return sentence(say.somebody_invited(_named(channel)))


def done(channel: Channel) -> Message:
    """Answers the one who has set it up."""
    here = _named(channel.id)
    match channel.role:
        case "support":
            return sentence(say.is_support(here, mode=channel.mode))
        case "triage":
            return sentence(say.is_triage(here))
        case "none":
            return sentence(say.is_left_alone(here))


def told(channel: Channel, times: Times, by: str) -> Message:
    """Tells the agents how a channel is set up now. `by`: a Slack id."""
    if channel.role == "none":
        return sentence(say.told_left_alone(_named(channel.id), by=mention(by)))
    if channel.role == "triage":
        return sentence(say.told_triage(_named(channel.id), by=mention(by), digests=_digests(times)))
    people = some([mention(one) for one in channel.assignees])
    reactions = channel.reactions
    settings = facts(
        [
            say.opens(channel.mode),
            common.PRIORITY[channel.priority],
            tags_of(channel.tags),
            say.in_turn(people) if people else None,
            *map(escape, say.reactions(opens=reactions.open, claims=reactions.claim, closes=reactions.close)),
            _hours(times.hours) if times.hours else None,
        ]
    )
    return sentence(say.told_support(_named(channel.id), by=mention(by), settings=settings))


def _digests(times: Times) -> str:
    if not times.digests:
        return say.NO_DIGESTS
    lines = some(timetable.written(times.digests).splitlines(), most=MOST)
    return say.digests(
        escape(lines), channel=_named(times.channel) if times.channel else None, zone=escape(times.zone or "")
    )


def _hours(hours: WorkingHours) -> str:
    days = some([say.DAYS[day] for day in hours.days])
    return say.at_work(days, opens=hours.opens, closes=hours.closes, zone=escape(hours.zone))


def is_triage() -> Message:
    return sentence(say.IS_TRIAGE)


def suspended(why: str) -> Message:
    return sentence(say.suspended(why=escape(why)))


def suspended_elsewhere(channel: str, why: str) -> Message:
    return sentence(say.suspended_elsewhere(_named(channel), why=escape(why)))


def resumed() -> Message:
    return sentence(say.RESUMED)


def unfit_for_digests(channel: str, why: str) -> Message:
    return sentence(say.unfit_for_digests(_named(channel), why=escape(why)))


def renamed(channel: str, before: str) -> Message:
    return sentence(say.renamed(_named(channel), before=clip(escape(one_line(before)), 80)))


def shared(channel: str, *, shared: bool) -> Message:
    return sentence(say.shared(_named(channel), shared=shared))


def public(channel: str, *, public: bool) -> Message:
    return sentence(say.public(_named(channel), public=public))


def moved(channel: str) -> Message:
    return sentence(say.moved(_named(channel)))


def _named(channel: str) -> str:
    return f"<#{channel}>"
