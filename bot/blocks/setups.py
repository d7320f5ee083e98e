"""What is said of channels and of how they are set up."""

from __future__ import annotations

import slackblocks as slack

from bot.blocks.answers import sentence
from bot.blocks.ids import Action
from bot.blocks.parts import PRIORITY, actions, button, facts, mention, section, some, tags_of
from bot.blocks.surface import Message, clip, escape, message, one_line
from bot.tickets import timetable
from bot.tickets.hours import WorkingHours
from bot.tickets.schedules import MOST, Times
from storage.channels import Channel

WHAT_FOR = (
    "• *Support channel*: customers write here, and what they write becomes tickets.\n"
    "• *Triage channel*: your agents' own private channel, where tickets and notes are shown."
    " Whoever is in it is an agent."
)


def asked(channel: str, why_not: str | None) -> Message:
    """Asks whoever has invited the desk what the channel is for. `why_not`, plain text: they are not to choose."""
    invited = f"You have invited the desk to <#{channel}>. It does nothing there until somebody says what it is for."
    if why_not is not None:
        return sentence(f"{invited} {escape(why_not)} Let one of them type `/ticket setup` in that channel.")
    blocks: list[slack.Block] = [
        section("invited", f"{invited}\n{WHAT_FOR}"),
        actions(
            "choose",
            button("Support channel", Action.SET_UP_SUPPORT, channel, spoken="Make it a support channel"),
            button("Triage channel", Action.SET_UP_TRIAGE, channel, spoken="Make it a triage channel"),
            button("Leave it alone", Action.LEAVE_ALONE, channel, spoken="Let the desk leave this channel alone"),
            button("Set up…", Action.SET_UP, channel, spoken="Set up the channel in a form"),
        ),
    ]
    return message(f"{invited}\n{WHAT_FOR}", blocks)


def opens_form(channel: str) -> Message:
    """For those who cannot be shown the form at once."""
    said = f"How is <#{channel}> to be set up?"
    form = button("Set up…", Action.SET_UP, channel, spoken="Set up the channel in a form")
    return message(said, [section("set_up", said), actions("choose", form)])


def somebody_invited(channel: str) -> Message:
    return sentence(
        f"The desk was invited to <#{channel}>. It does nothing there until one of you types `/ticket setup` in it."
    )


def done(channel: Channel) -> Message:
    """Answers the one who has set it up."""
    here = f"<#{channel.id}>"
    match channel.role:
        case "support":
            asked = "a mention, a shortcut, a reaction or a command"
            opens = "every message of a customer" if channel.mode == "every_message" else asked
            return sentence(f"{here} is a support channel: {opens} opens a ticket there.")
        case "triage":
            return sentence(f"{here} is a triage channel: tickets are shown there, and whoever is in it is an agent.")
        case "none":
            return sentence(f"The desk leaves {here} alone. Tickets that are there go on.")


def told(channel: Channel, times: Times, by: str) -> Message:
    """Tells the agents how a channel is set up now. `by`: a Slack id."""
    if channel.role == "none":
        return sentence(f"{mention(by)} has set up <#{channel.id}>: the desk leaves it alone.")
    if channel.role == "triage":
        return sentence(f"{mention(by)} has set up <#{channel.id}> as a triage channel: {_digests(times)}")
    settings = facts(
        [
            "every message opens a ticket" if channel.mode == "every_message" else "tickets on request",
            PRIORITY[channel.priority],
            tags_of(channel.tags),
            f"in turn to {some([mention(one) for one in channel.assignees])}" if channel.assignees else None,
            *(f":{escape(name)}: {does}" for name, does in _by_reaction(channel) if name),
            _hours(times.hours) if times.hours else None,
        ]
    )
    return sentence(f"{mention(by)} has set up <#{channel.id}> as a support channel: {settings}")


def _digests(times: Times) -> str:
    if not times.digests:
        return "no digests at set times"
    lines = some(timetable.written(times.digests).splitlines(), most=MOST)
    where = f"in <#{times.channel}>" if times.channel else "here"
    return f"digests {escape(lines)}, {where} ({escape(times.zone or '')})"


def _hours(hours: WorkingHours) -> str:
    days = some([day.capitalize() for day in hours.days])
    return f"at work {days} {hours.opens:%H:%M}–{hours.closes:%H:%M} ({escape(hours.zone)})"


def _by_reaction(channel: Channel) -> list[tuple[str | None, str]]:
    chosen = channel.reactions
    return [(chosen.open, "opens"), (chosen.claim, "claims"), (chosen.close, "closes")]


def is_triage() -> Message:
    return sentence(
        "This is a triage channel now. Tickets are shown here, and whoever is in it is an agent: full members of this"
        " workspace, no guests. What you write in a ticket's thread is a note, which customers never see."
    )


def suspended(why: str) -> Message:
    return sentence(f"The desk shows no more tickets here, because {escape(why)} and notes would be read by others.")


def suspended_elsewhere(channel: str, why: str) -> Message:
    return sentence(f"⚠️ The desk shows no more tickets in the triage channel <#{channel}>: {escape(why)}.")


def resumed() -> Message:
    return sentence("The desk shows tickets here again.")


def unfit_for_digests(channel: str, why: str) -> Message:
    return sentence(
        f"⚠️ The digest is not posted in <#{channel}>, because {escape(why)}, and others would read what customers say."
        " Let whoever runs the desk set DIGEST_CHANNEL to another channel."
    )


def renamed(channel: str, before: str) -> Message:
    return sentence(f"#{clip(escape(one_line(before)), 80)} is called <#{channel}> now. Nothing else has changed.")


def shared(channel: str, *, shared: bool) -> Message:
    if shared:
        return sentence(f"<#{channel}> is shared with another company now, whose people read what is written there.")
    return sentence(f"<#{channel}> is not shared with another company any more.")


def public(channel: str, *, public: bool) -> Message:
    if public:
        return sentence(f"<#{channel}> is public now: everybody in this workspace can read what is written there.")
    return sentence(f"<#{channel}> is private now.")


def moved(channel: str) -> Message:
    return sentence(f"Slack has given <#{channel}> another id. Its tickets and how it is set up have gone along.")
