"""Each verb's one operation and its answer, the same for `/ticket` and for `@desk` in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from bot.blocks import answers, setups
from bot.blocks import digest as digest_blocks
from bot.blocks.parts import mention
from bot.blocks.surface import Message
from bot.listeners import words as say
from bot.services import Services
from bot.tickets import digest, grammar, listing, schedules, setup, work
from bot.tickets.arrivals import File
from bot.tickets.errors import Refused
from storage import notices
from storage.engine import Transaction
from storage.listing import Order, Place
from storage.people import Person


async def carry_out(  # noqa: PLR0911, PLR0912 - the table of verbs
    services: Services,
    tx: Transaction,
    person: Person,
    command: grammar.Command,
    *,
    key: str,
    typed_at: tuple[str, str] | None = None,
    files: Sequence[File] = (),
) -> Message:
    """The private answer.

    `key` names this command, so that what it posts is posted once. `typed_at`: the message it was typed in, with
    these `files`.
    """
    desk = services.desk
    match command:
        case grammar.New():
            raise Refused(say.NEW_BY_COMMAND)
        case grammar.List():
            return await listed(services, tx, person, command)
        case grammar.Mine():
            return await listed(services, tx, person, grammar.List(whose="mine"), "urgency")
        case grammar.Show(number):
            shown = await listing.shown(tx, person, number)
            return answers.shown(shown, link=listing.link(desk, shown.ticket))
        case grammar.Claim(number):
            ticket = await work.claim(tx, person, number)
            return answers.sentence(say.claimed(number=ticket.number))
        case grammar.Assign(number, whom):
            await work.assign(tx, desk, person, number, [one.slack_id for one in whom])
            return answers.sentence(say.assigned(number=number, people=_mentions(whom)))
        case grammar.Unassign(number, whom):
            await work.unassign(tx, desk, person, number, [one.slack_id for one in whom])
            return answers.sentence(say.unassigned(number=number, people=_mentions(whom)))
        case grammar.Reply(number, words):
            ticket = await work.reply(tx, desk, person, number, words, typed_at=typed_at, files=files)
            return answers.held(ticket, desk.undo)
        case grammar.Note(number, words):
            await work.note(tx, person, number, words)
            return answers.sentence(say.noted(number=number))
        case grammar.Priority(number, level):
            await work.set_priority(tx, person, number, level)
            return answers.sentence(say.prioritised(number=number, priority=level))
        case grammar.Tag(number, add, remove):
            await work.tag(tx, person, number, add, remove)
            return answers.sentence(say.tagged(number=number))
        case grammar.Title(number, title):
            await work.retitle(tx, person, number, title)
            return answers.sentence(say.retitled(number=number))
        case grammar.Set(number, fields):
            await work.set_fields(tx, person, number, fields)
            return answers.sentence(say.fields_set(number=number))
        case grammar.Close(number, comment):
            sent = await work.close(tx, person, number, comment, typed_at=typed_at)
            return answers.sentence(answers.closed(number, sent))
        case grammar.Reopen(number):
            await work.reopen(tx, person, number)
            return answers.sentence(say.reopened(number=number))
        case grammar.Spam(number):
            await work.not_a_ticket(tx, person, number, typed_at=typed_at)
            return answers.sentence(say.not_a_ticket(number=number))
        case grammar.Digest():
            return await _digest(services, tx, person, command, key)
        case grammar.Setup():
            return await _set_up(services, tx, person, typed_at)
        case grammar.Stats(period):
            zone = await schedules.zone_of(tx, sorted(person.agent_of))
            return digest_blocks.stats(await digest.stats(tx, person, period, zone=zone))
        case grammar.Help():
            return answers.help(agent=bool(person.agent_of), has_command=person.team_id == desk.team_id)
        case _:
            assert_never(command)


async def _set_up(services: Services, tx: Transaction, person: Person, typed_at: tuple[str, str] | None) -> Message:
    """A mention cannot open the form by itself: Slack allows that only after a press or a command."""
    if typed_at is None:
        raise Refused(say.SET_UP_IN_CHANNEL)
    channel, _ = typed_at
    found = await setup.present(tx, services.desk, person, channel)
    return setups.opens_form(found.channel)


def _mentions(whom: tuple[grammar.Person, ...]) -> list[str]:
    return [mention(one.slack_id) for one in whom]


async def listed(
    services: Services,
    tx: Transaction,
    person: Person,
    wanted: grammar.List,
    order: Order = "activity",
    after: Place | None = None,
) -> Message:
    found = await listing.listed(tx, services.desk, person, wanted, order=order, after=after)
    more = listing.encode_more(wanted, order, found.next) if found.next else None
    heading = listing.heading(wanted) if order == "activity" else say.YOURS_BY_URGENCY
    return answers.page(listing.rows(services.desk, found), heading=heading, more=more)


async def _digest(services: Services, tx: Transaction, person: Person, command: grammar.Digest, key: str) -> Message:
    """Posts the digest for all leads to see: to the digest channel, else what concerns it to each triage channel."""
    of = await digest.about(tx, person, command.about)
    desk = services.desk
    posts = (
        {desk.digest_channel: of}
        if desk.digest_channel
        else {channel: of.in_triage(channel) for channel in of.scope.triage}
    )
    for channel, part in posts.items():
        zone = await schedules.zone_of(tx, part.scope.triage)
        said = digest_blocks.digest(await digest.digest(tx, part, command.period, zone=zone), desk.place)
        await notices.add(tx, f"{notices.DIGEST}{key}:{channel}", "channel", said.arguments(), channel=channel)
    return answers.sentence(say.digest_coming(channels=[f"<#{channel}>" for channel in posts]))
