"""What leads and agents see of the figures: the digest, and an agent's own figures beside the team's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import slackblocks as slack

from bot.blocks.ids import Action
from bot.blocks.parts import facts, some
from bot.blocks.surface import SECTION, TEXT, Message, clip, date, escape, link, message, one_line, verbatim
from bot.blocks.words import common
from bot.blocks.words import digest as say
from bot.tickets.digest import About, Compared, Day, Digest, LowRatings, Period, Ratings, Stats, Team, Week
from storage.figures import AgentFigures, LowRating, Place, Spread, TagCount, Waiting

#: Where the one who reads can open a ticket; None: nowhere.
Links = Callable[[Place], str | None]

# Together with the longest links these stay within surface.ALL_TEXT.
LOW_RATINGS = 1_800
AGENTS = 12
CHANNELS = 10
COMMENT = 200
TITLE = 100
NAME = 50
TAG = 40
# https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block
CATEGORIES = 20
STATUSES = "statuses"


def digest(view: Digest, links: Links) -> Message:
    """Everything that the view holds, in the blocks and, as far as its limit goes, in the text: first what charts and
    the table show, for whoever does not see them."""
    team = view.team
    parts = [
        _heading(say.DIGEST, view.period, view.about),
        _part("happened", say.QUIET if team.is_quiet else _happened(team, by_hours=view.by_hours)),
        _part("backlog", _backlog(team)),
        *([] if team.is_quiet else [_days(team.days)]),
        *([_statuses(team)] if team.backlog != Compared(0, 0) else []),
        *([_agents(view.agents)] if view.agents else []),
        _part("misread", _misread(view.misread)),
        _part("low", _low_ratings(view.low, links)),
        _part("waiting", say.WAITING_LONGEST if view.waiting else ""),
        *(_waiting(one, links) for one in view.waiting),
        _part("tags", _tags(view.tags)),
    ]
    text = "\n".join(part.words for part in parts if part.words)
    return message(text, [block for part in parts for block in part.blocks])


def stats(view: Stats) -> Message:
    """An agent's own figures, then the team's: for that agent alone."""
    own = view.own
    yours = say.yours(
        open_=own.open,
        pending=own.pending,
        closed=_compared(view.closed),
        answers=own.answers,
        ratings=_mean(view.ratings),
    )
    team = say.QUIET if view.team.is_quiet else _happened(view.team, by_hours=view.by_hours)
    parts = [
        _heading(say.FIGURES, view.period, view.about),
        _part("own", yours),
        _part("team", say.your_team(team)),
        _part("misread", _misread(view.misread)),
        _part("backlog", _backlog(view.team)),
    ]
    text = "\n".join(part.words for part in parts if part.words)
    return message(text, [block for part in parts for block in part.blocks])


def late(digest: Message, due_at: dt.datetime, posted_at: dt.datetime, zone: ZoneInfo, left_out: int) -> Message:
    """The same, saying for when it was due. `left_out`: how many before it were missed as well and are not posted."""
    said = say.late(due_at.astimezone(zone), posted_at.astimezone(zone), left_out=left_out)
    heading, *lines = digest.text.split("\n")
    blocks = message(said, [slack.ContextBlock([verbatim(said)], block_id="late")]).blocks
    text = clip("\n".join([heading, said, *lines]), TEXT)
    return replace(digest, text=text, blocks=[*digest.blocks[:1], *blocks, *digest.blocks[1:]])


def suspended(channel: str, why: str) -> Message:
    """Tells the agents, once, that digests are not posted at their times. `why` is plain text."""
    said = say.suspended(f"<#{channel}>", why=escape(why))
    return message(said, _part("suspended", said).blocks)


def resumed(channel: str) -> Message:
    said = say.resumed(f"<#{channel}>")
    return message(said, _part("resumed", said).blocks)


def without_data(digest: Message) -> Message:
    """The same with words in place of charts and tables, for where Slack answers `invalid_blocks` to them."""
    return replace(digest, blocks=[worded for block in digest.blocks for worded in _worded(block)])


def _worded(block: dict[str, Any]) -> list[dict[str, Any]]:
    match block["type"]:
        case "data_visualization" if block["block_id"] == STATUSES:
            return []  # the backlog stands there in words already
        case "data_visualization":
            chart = block["chart"]
            opened, closed = ([point["value"] for point in one["data"]] for one in chart["series"])
            words = _days_words(block["title"], chart["axis_config"]["categories"], opened, closed)
        case "table":
            words = _table_words([[cell["text"] for cell in row] for row in block["rows"]])
        case _:
            return [block]
    return message(words, _part(block["block_id"], words).blocks).blocks


@dataclass(frozen=True, slots=True)
class _Part:
    """Some blocks, and the same in words."""

    words: str
    blocks: Sequence[slack.Block]


def _part(block_id: str, words: str) -> _Part:
    return _Part(words, [slack.SectionBlock(verbatim(clip(words, SECTION)), block_id=block_id)] if words else [])


def _heading(what: str, period: Period, of: About) -> _Part:
    heading = say.heading(what, period=period.label)
    about = facts([say.zone(period.zone.key), say.COMPARED, _places(of)])
    blocks = [
        slack.HeaderBlock(heading, block_id="heading"),
        slack.ContextBlock([verbatim(about)], block_id="about"),
    ]
    return _Part(f"*{heading}*\n{about}", blocks)


def _places(of: About) -> str:
    if of.company:
        return say.customers_of(clip(escape(one_line(of.company)), NAME))
    return _channels([of.scope.channel] if of.scope.channel else of.scope.triage)


def _channels(channels: Sequence[str]) -> str:
    return some([f"<#{clip(escape(channel), NAME)}>" for channel in channels], most=CHANNELS, between=" ")


def week(view: Week) -> str:
    """The team's week beside the week before, for App Home of its agents."""
    return say.week(
        opened=_compared(view.opened),
        closed=_compared(view.closed),
        waiting=_compared(view.waiting),
        first_response=(_median(view.first_response), _median(view.first_response_before)),
        ratings=(_mean(view.ratings), _mean(view.ratings_before)),
    )


def _median(times: Spread) -> str:
    return say.NONE if times.median is None else say.median(times.median, count=times.count)


def _happened(team: Team, *, by_hours: bool) -> str:
    return say.happened(
        opened=_compared(team.opened),
        closed=_compared(team.closed),
        reopened=_compared(team.reopened),
        first_response=_spread(team.first_response),
        resolution=_spread(team.resolution),
        ratings=_mean(team.ratings),
        by_hours=by_hours,
    )


def _misread(channels: Sequence[str]) -> str:
    """That hours were not left out, and how that is mended."""
    if not channels:
        return ""
    return say.misread(_channels(channels))


def _compared(count: Compared) -> str:
    return say.compared(count.now, count.before)


def _spread(times: Spread) -> str:
    if times.median is None or times.p90 is None:
        return say.NONE
    return say.spread(median=times.median, p90=times.p90, count=times.count)


def _mean(ratings: Ratings) -> str:
    if ratings.mean is None:
        return say.NONE
    return say.mean_rating(ratings.mean, count=ratings.count)


def _backlog(team: Team) -> str:
    if team.backlog == Compared(0, 0):
        return ""
    return say.backlog(
        _compared(team.backlog),
        by_status={status: _compared(count) for status, count in team.backlog_by_status.items()},
        by_priority={priority: _compared(count) for priority, count in team.backlog_by_priority.items()},
    )


def _low_ratings(low: LowRatings, links: Links) -> str:
    lines = (
        say.rated(one.rating, ticket=link(links(one.place), f"#{one.number}"), comment=_comment(one))
        for one in low.newest
    )
    return _listed(say.RATED_LOW, lines, low.count, LOW_RATINGS)


def _comment(one: LowRating) -> str:
    words = clip(escape(one_line(one.comment or "")), COMMENT)
    return say.quoted(words) if words else say.NO_COMMENT


def _waiting(one: Waiting, links: Links) -> _Part:
    number = str(one.number)
    title = clip(escape(one_line(one.title)), TITLE)
    requester = clip(escape(one_line(one.requester or "")), NAME) or say.UNKNOWN_REQUESTER
    assigned = say.ASSIGNED if one.assigned else say.UNASSIGNED
    waits = say.waiting(requester=requester, assigned=assigned, since=date(one.since))
    words = f"{link(links(one.place), f'#{number}')} {title}\n{waits}"
    spoken = say.claim(number=one.number)
    claim = slack.Button(common.CLAIM, Action.CLAIM, value=number, accessibility_label=spoken)
    return _Part(words, [slack.SectionBlock(verbatim(words), block_id=f"waiting:{number}", accessory=claim)])


def _agents(agents: Sequence[AgentFigures]) -> _Part:
    listed = [[_name(one), f"{one.open:,}", f"{one.pending:,}", f"{one.closed:,}"] for one in agents[:AGENTS]]
    more = [[common.and_more(len(agents) - AGENTS), " ", " ", " "]] if len(agents) > AGENTS else []
    rows = [[*say.COLUMNS], *listed, *more]
    table = slack.TableBlock(
        [[slack.RawText(cell) for cell in row] for row in rows],
        [slack.ColumnSettings("left"), *[slack.ColumnSettings("right")] * 3],
        block_id="agents",
    )
    return _Part(_table_words(rows), [table])


def _table_words(rows: Sequence[Sequence[str]]) -> str:
    """What a table shows, a line for each row: cells are plain text."""
    return "\n".join([say.AGENTS, *(_row_words(*row) for row in rows[1:])])


def _row_words(name: str, open_: str, pending: str, closed: str) -> str:
    """The last row may only say how many more there are."""
    return say.agent(escape(name), open_=open_, pending=pending, closed=closed) if open_.strip() else name


def _name(agent: AgentFigures) -> str:
    """Plain text."""
    return clip(one_line(agent.name or ""), NAME) or say.UNKNOWN_AGENT


def _tags(tags: Sequence[TagCount]) -> str:
    counted = (f"{clip(escape(one_line(one.tag)), TAG)} {one.tickets}" for one in tags)
    return say.top_tags(" · ".join(counted)) if tags else ""


def _listed(heading: str, lines: Iterable[str], count: int, limit: int) -> str:
    """The heading with as many of the lines as `limit` characters hold; "" without any line."""
    listed, length = [heading], len(heading)
    for line in lines:
        length += 1 + len(line)
        if length > limit:
            return "\n".join([*listed, common.and_more(count - len(listed) + 1)])
        listed.append(line)
    return "\n".join(listed) if count else ""


def _days(days: Sequence[Day]) -> _Part:
    each = -(-len(days) // CATEGORIES)
    groups = [days[first : first + each] for first in range(0, len(days), each)]
    title = say.per_days(each)
    opened = [sum(day.opened for day in group) for group in groups]
    closed = [sum(day.closed for day in group) for group in groups]
    labels = [say.span(group[0].date, group[-1].date) for group in groups]
    chart = _chart("days", title, labels, {say.OPENED: opened, say.CLOSED: closed})
    return _Part(_days_words(title, labels, opened, closed), [chart])


def _statuses(team: Team) -> _Part:
    counts = team.backlog_by_status
    series = {say.NOW: [one.now for one in counts.values()], say.BEFORE: [one.before for one in counts.values()]}
    return _Part("", [_chart(STATUSES, say.BACKLOG_BY_STATUS, [say.STATUS[one] for one in counts], series)])


def _chart(
    block_id: str, title: str, labels: list[str], series: Mapping[str, Sequence[int]]
) -> slack.DataVisualizationBlock:
    chart = slack.BarChart(
        [_series(name, labels, values) for name, values in series.items()],
        slack.AxisConfig(labels, y_label=say.TICKETS),
    )
    return slack.DataVisualizationBlock(title, chart, block_id=block_id)


def _series(name: str, labels: Sequence[str], values: Sequence[int]) -> slack.DataSeries:
    return slack.DataSeries(name, [slack.DataPoint(*point) for point in zip(labels, values, strict=True)])


def _days_words(title: str, labels: Sequence[str], opened: Sequence[int], closed: Sequence[int]) -> str:
    """What the chart shows, a line for each category."""
    lines = [say.day(label, opened=came, closed=went) for label, came, went in zip(labels, opened, closed, strict=True)]
    return "\n".join([f"*{title}*", *lines])
