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
QUIET = "Nothing was opened, closed, answered for the first time or rated."


def digest(view: Digest, links: Links) -> Message:
    """Everything that the view holds, in the blocks and, as far as its limit goes, in the text: first what charts and
    the table show, for whoever does not see them."""
    team = view.team
    parts = [
        _heading("Digest", view.period, view.about),
        _part("happened", QUIET if team.is_quiet else _happened(team, by_hours=view.by_hours)),
        _part("backlog", _backlog(team)),
        *([] if team.is_quiet else [_days(team.days)]),
        *([_statuses(team)] if team.backlog != Compared(0, 0) else []),
        *([_agents(view.agents)] if view.agents else []),
        _part("misread", _misread(view.misread)),
        _part("low", _low_ratings(view.low, links)),
        _part("waiting", "*Waiting longest*" if view.waiting else ""),
        *(_waiting(one, links) for one in view.waiting),
        _part("tags", _tags(view.tags)),
    ]
    text = "\n".join(part.words for part in parts if part.words)
    return message(text, [block for part in parts for block in part.blocks])


def stats(view: Stats) -> Message:
    """An agent's own figures, then the team's: for that agent alone."""
    own = view.own
    yours = "\n".join(
        [
            "*You*",
            f"On your hands now: {own.open} open, {own.pending} pending",
            f"*Closed* {_compared(view.closed)} · *Answers to customers* {own.answers}",
            f"*Ratings* of your tickets: {_mean(view.ratings)}",
        ]
    )
    team = QUIET if view.team.is_quiet else _happened(view.team, by_hours=view.by_hours)
    parts = [
        _heading("Figures", view.period, view.about),
        _part("own", yours),
        _part("team", f"*Your team*\n{team}"),
        _part("misread", _misread(view.misread)),
        _part("backlog", _backlog(view.team)),
    ]
    text = "\n".join(part.words for part in parts if part.words)
    return message(text, [block for part in parts for block in part.blocks])


def late(digest: Message, due_at: dt.datetime, posted_at: dt.datetime, zone: ZoneInfo, left_out: int) -> Message:
    """The same, saying for when it was due. `left_out`: how many before it were missed as well and are not posted."""
    due, posted = due_at.astimezone(zone), posted_at.astimezone(zone)
    same_day = due.date() == posted.date()
    said = f"⏰ For {_moment(due, same_day)}, posted late {'at' if same_day else 'on'} {_moment(posted, same_day)}."
    if left_out:
        said += f" {left_out} more before it were missed too and are left out."
    said += " Who waits, and what agents have on their hands, is as of now."
    heading, *lines = digest.text.split("\n")
    blocks = message(said, [slack.ContextBlock([verbatim(said)], block_id="late")]).blocks
    text = clip("\n".join([heading, said, *lines]), TEXT)
    return replace(digest, text=text, blocks=[*digest.blocks[:1], *blocks, *digest.blocks[1:]])


def _moment(at: dt.datetime, same_day: bool) -> str:
    return f"{at:%H:%M}" if same_day else f"{at:%a} {at.day} {at:%b %H:%M}"


def suspended(channel: str, why: str) -> Message:
    """Tells the agents, once, that digests are not posted at their times. `why` is plain text."""
    said = (
        f"⚠️ Digests at set times are not posted in <#{channel}>: {escape(why)}. When that is over they go on by"
        " themselves; those that fall due until then are left out."
    )
    return message(said, _part("suspended", said).blocks)


def resumed(channel: str) -> Message:
    said = f"Digests at set times are posted in <#{channel}> again."
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
            series = {one["name"]: [point["value"] for point in one["data"]] for one in chart["series"]}
            words = _chart_words(block["title"], chart["axis_config"]["categories"], series)
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
    heading = f"{what}: {period.label}"
    about = facts([f"{period.zone.key} time", "compared with the same length of time before", _places(of)])
    blocks = [
        slack.HeaderBlock(heading, block_id="heading"),
        slack.ContextBlock([verbatim(about)], block_id="about"),
    ]
    return _Part(f"*{heading}*\n{about}", blocks)


def _places(of: About) -> str:
    if of.company:
        return f"customers of {clip(escape(one_line(of.company)), NAME)}"
    return _channels([of.scope.channel] if of.scope.channel else of.scope.triage)


def _channels(channels: Sequence[str]) -> str:
    return some([f"<#{clip(escape(channel), NAME)}>" for channel in channels], most=CHANNELS, between=" ")


def week(view: Week) -> str:
    """The team's week beside the week before, for App Home of its agents."""
    moved = [("Opened", view.opened), ("Closed", view.closed), ("Waiting now", view.waiting)]
    first, before = view.first_response, view.first_response_before
    return "\n".join(
        [
            "*Your team's last 7 days*, beside the 7 before",
            " · ".join(f"*{name}* {_compared(count)}" for name, count in moved),
            f"*First response* {_median(first)} (before: {_median(before)})",
            f"*Ratings* {_mean(view.ratings)} (before: {_mean(view.ratings_before)})",
        ]
    )


def _median(times: Spread) -> str:
    return "none" if times.median is None else f"median {duration(times.median)}, of {_tickets(times.count)}"


def _happened(team: Team, *, by_hours: bool) -> str:
    moved = [("Opened", team.opened), ("Closed", team.closed), ("Reopened", team.reopened)]
    hours = " and outside working hours" if by_hours else ""
    lines = [
        " · ".join(f"*{name}* {_compared(count)}" for name, count in moved),
        f"*First response* {_spread(team.first_response)}",
        f"*Resolution*, without the time spent waiting for the customer{hours}: {_spread(team.resolution)}",
        f"*Ratings* {_mean(team.ratings)}",
    ]
    return "\n".join(lines)


def _misread(channels: Sequence[str]) -> str:
    """That hours were not left out, and how that is mended."""
    if not channels:
        return ""
    return (
        f"⚠️ All time counts in {_channels(channels)}: the working hours there were written wrong by another program."
        " Set them again with `/ticket setup` in the channel."
    )


def _compared(count: Compared) -> str:
    more = count.now - count.before
    if not more:
        return f"{count.now} (as before)"
    return f"{count.now} (▲ {more} more)" if more > 0 else f"{count.now} (▼ {-more} fewer)"


def _spread(times: Spread) -> str:
    if times.median is None or times.p90 is None:
        return "none"
    return f"median {duration(times.median)}, 9 in 10 within {duration(times.p90)} ({_tickets(times.count)})"


def duration(seconds: float) -> str:
    """Such as "2 h 10 min", in the two largest units that say something."""
    minutes = round(seconds / 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if not minutes:
        return "less than 1 min"
    parts = [(days, "d"), (hours, "h"), (rest, "min")]
    return " ".join([f"{many} {unit}" for many, unit in parts if many][:2])


def _tickets(count: int) -> str:
    return "1 ticket" if count == 1 else f"{count} tickets"


def _mean(ratings: Ratings) -> str:
    if ratings.mean is None:
        return "none"
    return f"{ratings.mean:.1f} of 5 on average, from {_tickets(ratings.count)}"


def _backlog(team: Team) -> str:
    if team.backlog == Compared(0, 0):
        return ""
    by_status = ", ".join(f"{name} {_compared(count)}" for name, count in team.backlog_by_status.items())
    by_priority = ", ".join(f"{name} {_compared(count)}" for name, count in team.backlog_by_priority.items())
    return f"*Backlog now* {_compared(team.backlog)}\nStatus: {by_status}\nPriority: {by_priority}"


def _low_ratings(low: LowRatings, links: Links) -> str:
    lines = (
        f"• {one.rating} of 5 for {link(links(one.place), f'#{one.number}')}: {_comment(one)}" for one in low.newest
    )
    return _listed("*Rated 1 or 2*", lines, low.count, LOW_RATINGS)


def _comment(one: LowRating) -> str:
    words = clip(escape(one_line(one.comment or "")), COMMENT)
    return f"“{words}”" if words else "no comment"


def _waiting(one: Waiting, links: Links) -> _Part:
    number = str(one.number)
    title = clip(escape(one_line(one.title)), TITLE)
    requester = clip(escape(one_line(one.requester or "")), NAME) or "unknown requester"
    assigned = "assigned" if one.assigned else "unassigned"
    words = f"{link(links(one.place), f'#{number}')} {title}\n{requester} · {assigned} · since {date(one.since)}"
    claim = slack.Button("Claim", Action.CLAIM, value=number, accessibility_label=f"Claim #{number}")
    return _Part(words, [slack.SectionBlock(verbatim(words), block_id=f"waiting:{number}", accessory=claim)])


def _agents(agents: Sequence[AgentFigures]) -> _Part:
    listed = [[_name(one), f"{one.open:,}", f"{one.pending:,}", f"{one.closed:,}"] for one in agents[:AGENTS]]
    more = [[f"and {len(agents) - AGENTS:,} more", " ", " ", " "]] if len(agents) > AGENTS else []
    rows = [["Agent", "Open", "Pending", "Closed"], *listed, *more]
    table = slack.TableBlock(
        [[slack.RawText(cell) for cell in row] for row in rows],
        [slack.ColumnSettings("left"), *[slack.ColumnSettings("right")] * 3],
        block_id="agents",
    )
    return _Part(_table_words(rows), [table])


def _table_words(rows: Sequence[Sequence[str]]) -> str:
    """What a table shows, a line for each row: cells are plain text."""
    (first, *names), *others = rows
    lines = [
        f"• {escape(row[0])}: " + ", ".join(f"{name.lower()} {cell}" for name, cell in zip(names, row[1:], strict=True))
        if row[1].strip()
        else row[0]
        for row in others
    ]
    return "\n".join([f"*{first}s*", *lines])


def _name(agent: AgentFigures) -> str:
    """Plain text."""
    return clip(one_line(agent.name or ""), NAME) or "somebody unknown"


def _tags(tags: Sequence[TagCount]) -> str:
    counted = (f"{clip(escape(one_line(one.tag)), TAG)} {one.tickets}" for one in tags)
    return f"*Top tags* {' · '.join(counted)}" if tags else ""


def _listed(heading: str, lines: Iterable[str], count: int, limit: int) -> str:
    """The heading with as many of the lines as `limit` characters hold; "" without any line."""
    listed, length = [heading], len(heading)
    for line in lines:
        length += 1 + len(line)
        if length > limit:
            return "\n".join([*listed, f"and {count - len(listed) + 1} more"])
        listed.append(line)
    return "\n".join(listed) if count else ""


def _days(days: Sequence[Day]) -> _Part:
    each = -(-len(days) // CATEGORIES)
    groups = [days[first : first + each] for first in range(0, len(days), each)]
    title = "Opened and closed per day" if each == 1 else f"Opened and closed per {each} days"
    series = {
        "Opened": [sum(day.opened for day in group) for group in groups],
        "Closed": [sum(day.closed for day in group) for group in groups],
    }
    labels = [_span(group[0].date, group[-1].date) for group in groups]
    return _Part(_chart_words(title, labels, series), [_chart("days", title, labels, series)])


def _statuses(team: Team) -> _Part:
    counts = team.backlog_by_status
    series = {"Now": [one.now for one in counts.values()], "Before": [one.before for one in counts.values()]}
    return _Part("", [_chart(STATUSES, "Backlog by status", [name.capitalize() for name in counts], series)])


def _chart(
    block_id: str, title: str, labels: list[str], series: Mapping[str, Sequence[int]]
) -> slack.DataVisualizationBlock:
    chart = slack.BarChart(
        [_series(name, labels, values) for name, values in series.items()],
        slack.AxisConfig(labels, y_label="Tickets"),
    )
    return slack.DataVisualizationBlock(title, chart, block_id=block_id)


def _series(name: str, labels: Sequence[str], values: Sequence[int]) -> slack.DataSeries:
    return slack.DataSeries(name, [slack.DataPoint(*point) for point in zip(labels, values, strict=True)])


def _span(first: dt.date, last: dt.date) -> str:
    if first == last:
        return f"{first.day} {first:%b}"
    month = "" if first.month == last.month else f" {first:%b}"
    return f"{first.day}{month}–{last.day} {last:%b}"


def _chart_words(title: str, labels: Sequence[str], series: Mapping[str, Sequence[int]]) -> str:
    """What a chart shows, a line for each category."""
    lines = [f"*{title}*"]
    for place, label in enumerate(labels):
        lines.append(f"{label}: " + ", ".join(f"{values[place]} {name.lower()}" for name, values in series.items()))
    return "\n".join(lines)
