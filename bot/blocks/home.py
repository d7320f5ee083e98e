"""App Home: a person's own tickets and, for agents, what there is to do."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import slackblocks as slack

from bot.blocks import digest
from bot.blocks.ids import Action
from bot.blocks.parts import (
    actions,
    button,
    context,
    facts,
    header,
    name_of,
    on_it,
    plain,
    section,
    tags_of,
    title_of,
)
from bot.blocks.surface import address, clip, date, escape, home
from bot.blocks.surface import link as linked
from bot.blocks.words import common
from bot.blocks.words import home as say
from bot.tickets.grammar import TAG_LENGTH
from bot.tickets.views import AgentHome, CustomerHome, DeskRow, OwnTicket
from storage.homes import Home
from storage.tickets import Ticket

#: What a menu's option for everything sends.
ANY = "any"
#: https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element
OPTIONS = 100


def customer(view: CustomerHome) -> dict[str, Any]:
    blocks: list[slack.Block] = [header("heading", say.YOUR_TICKETS), actions("act", _new_ticket(), _refresh())]
    blocks += [section(f"asked:{at}", _own(one)) for at, one in enumerate(view.tickets, 1)]
    if not view.tickets:
        blocks.append(section("empty", say.LEFT_BEHIND if view.page > 1 else say.NO_TICKETS))
    return home([*blocks, *_paging(view.page, view.next)])


def agent(view: AgentHome) -> dict[str, Any]:
    chosen = view.chosen
    week = [section("week", digest.week(view.week))] if view.week else []
    blocks: list[slack.Block] = [*week, header("heading", say.LISTS[chosen.list]), *_menus(view)]
    for at, one in enumerate(view.rows, 1):
        blocks += _row(at, one)
    if not view.rows:
        filtered = say.NOTHING_CHOSEN if _is_filtered(chosen) else say.EMPTY[chosen.list]
        blocks.append(section("empty", say.LEFT_BEHIND if view.page > 1 else filtered))
    return home([*blocks, *_paging(view.page, view.next), *_asked(view)])


def _menus(view: AgentHome) -> list[slack.Block]:
    chosen = view.chosen
    # Slack keeps what was chosen in a block as long as the block keeps its id, whatever the desk says is chosen:
    # https://docs.slack.dev/reference/methods/views.update
    at = hashlib.sha256(repr((chosen.list, *_filters(chosen))).encode()).hexdigest()[:16]
    channels = [(channel, f"#{name}") for channel, name in view.channels]
    menus = [
        _menu(Action.HOME_LIST, say.WHICH_TICKETS, [*say.LISTS.items()], chosen.list),
        _menu(Action.HOME_STATUS, say.STATUS, [(ANY, say.NOT_CLOSED), *common.STATUS.items()], chosen.status),
        _menu(Action.HOME_PRIORITY, say.PRIORITY, [(ANY, say.ANY_PRIORITY), *common.PRIORITY.items()], chosen.priority),
    ]
    if len(channels) > 1:
        everywhere = [(ANY, say.ALL_CHANNELS), *channels]
        menus.append(_menu(Action.HOME_CHANNEL, say.TRIAGE_CHANNEL, everywhere, chosen.triage_channel))
    tag = slack.PlainTextInput(Action.HOME_TAG.value, chosen.tag, max_length=TAG_LENGTH)
    clear = [button(say.CLEAR, Action.HOME_CLEAR, "clear", spoken=say.CLEAR_SPOKEN)] if _is_filtered(chosen) else []
    return [
        slack.ActionsBlock([*menus], block_id=f"menus:{at}"),
        slack.InputBlock(say.TAG, tag, dispatch_action=True, block_id=f"tag:{at}", optional=True),
        actions("act", _new_ticket(), _refresh(), *clear),
        slack.DividerBlock("rows"),
    ]


def _filters(chosen: Home) -> tuple[str | None, ...]:
    return chosen.status, chosen.priority, chosen.tag, chosen.triage_channel


def _is_filtered(chosen: Home) -> bool:
    return any(_filters(chosen))


def _menu(action: Action, label: str, options: Sequence[tuple[str, str]], chosen: str | None) -> slack.StaticSelectMenu:
    """`options`: (value, label) each, the first of which is for nothing chosen."""
    offered = {value: slack.Option(plain(clip(text, 75)), value) for value, text in options[:OPTIONS]}
    return slack.StaticSelectMenu(
        action.value,
        options=list(offered.values()),
        initial_option=offered.get(chosen or "", offered[options[0][0]]),
        placeholder=label,
    )


def _new_ticket() -> slack.Button:
    return button(common.NEW_TICKET, Action.NEW_TICKET, "new", style="primary")


def _refresh() -> slack.Button:
    return button(say.REFRESH, Action.HOME_REFRESH, "refresh")


def _row(at: int, one: DeskRow) -> list[slack.Block]:
    ticket = one.row.ticket
    waiting = common.waiting_since(date(ticket.waiting_since)) if ticket.waiting_since and _is_waiting(ticket) else None
    people = facts([common.from_(name_of(one.row.requester)), on_it(one.row.assignees, most=3) or common.UNASSIGNED])
    state = facts(
        [common.STATUS[ticket.status], common.PRIORITY[ticket.priority], waiting or date(ticket.last_activity_at)]
    )
    said = [_title(ticket.number, ticket.title, one.row.link), state, facts([people, clip(tags_of(ticket.tags), 300)])]
    row = section(f"row:{at}", "\n".join(said))
    if one.own:
        return [row, context(f"own:{at}", say.OWN)]
    return [row, actions(f"actions:{at}", *_offered(one))]


def _is_waiting(ticket: Ticket) -> bool:
    return ticket.status in {"new", "open"}


def _offered(one: DeskRow) -> list[slack.Button]:
    """What can be done, what is likely first."""
    ticket = one.row.ticket
    closed = ticket.status == "closed"
    offered = [
        (common.REOPEN, Action.REOPEN) if closed else None,
        (common.CLAIM, Action.CLAIM) if not closed and not one.mine else None,
        (common.REPLY, Action.REPLY),
        (common.NOTE, Action.NOTE),
        None if closed else (common.CLOSE, Action.CLOSE),
        (common.EDIT, Action.EDIT),
    ]
    number = str(ticket.number)
    buttons = [button(*each, number, spoken=common.named(each[0], number=ticket.number)) for each in offered if each]
    opens = say.open_thread(number=ticket.number)
    link = address(one.row.link)
    thread = [button(say.THREAD, Action.OPEN_TICKET, number, url=link, spoken=opens)] if link else []
    return buttons + thread


def _asked(view: AgentHome) -> list[slack.Block]:
    if not view.asked:
        return []
    more = [context("more_asked", say.choose_to_see_all())] if view.more_asked else []
    asked = [section(f"asked:{at}", _own(one)) for at, one in enumerate(view.asked, 1)]
    return [slack.DividerBlock("asked"), header("asked_heading", say.LISTS["asked"]), *asked, *more]


def _own(one: OwnTicket) -> str:
    who = None if one.status == "closed" else on_it(one.assignees, most=3) or common.NOBODY_YET
    state = facts([common.STATUS[one.status], who, date(one.last_activity_at)])
    return f"{_title(one.number, one.title, one.link)}\n{state}"


def _title(number: int, title: str, url: str | None) -> str:
    return linked(url, f"*#{number}  {clip(escape(title_of(title)), 300)}*")


def _paging(page: int, following: str | None) -> Sequence[slack.Block]:
    buttons = [button(say.BACK, Action.HOME_BACK, "back", spoken=say.BACK_SPOKEN)] if page > 1 else []
    buttons += [button(say.NEXT, Action.HOME_NEXT, following, spoken=say.NEXT_SPOKEN)] if following else []
    return [context("page", say.page(page)), actions("pages", *buttons)] if buttons else []
