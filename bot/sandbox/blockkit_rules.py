"""What Slack's Block Kit reference says of every block, element and composition object, as tables.

A `Thing` lists the fields its page allows; a `Check` looks at one field; a `Between` compares several.
The checks come first, then the tables, which read like the pages they follow: composition objects, elements,
rich text, blocks.

Where a page has said different things over time, the narrower limit is kept: what passes here passes either.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

DOCS = "https://docs.slack.dev/"
KIT = f"{DOCS}reference/block-kit/"

Json = Mapping[str, object]


@dataclass(frozen=True)
class Refusal:
    """One reason why Slack refuses a payload.

    `code` is the Web API's `error`; `path` a JSON pointer into the arguments, as "/blocks/0/text/text" or
    "/view/title"; `sentence` is worded like Slack's own; `reference` is the page that states the rule.
    """

    code: str
    path: str
    sentence: str
    reference: str


@dataclass(frozen=True)
class Place:
    """Where a check stands: the pointer so far, and the page that describes what is there."""

    path: str
    reference: str

    def at(self, key: str | int) -> "Place":
        return replace(self, path=f"{self.path}/{key}")

    def refuse(self, sentence: str, code: str = "invalid_blocks") -> Refusal:
        return Refusal(code, self.path, sentence, self.reference)


Check = Callable[[object, Place], Iterator[Refusal]]
Between = Callable[[Json, Place], Iterator[Refusal]]


@dataclass(frozen=True)
class Thing:
    """An object with named fields: those it needs, those it may have, and what must hold between them.

    `page` is relative to the Block Kit reference; without one the page of whatever holds the thing applies.
    """

    page: str = ""
    needs: Mapping[str, Check] = field(default_factory=dict)
    may: Mapping[str, Check] = field(default_factory=dict)
    between: tuple[Between, ...] = ()

    def __call__(self, value: object, place: Place) -> Iterator[Refusal]:
        if self.page:
            place = replace(place, reference=KIT + self.page)
        if not isinstance(value, dict):
            yield place.refuse("must provide an object")
            return
        for name in self.needs:
            if name not in value:
                yield place.refuse(f"missing required field: {name}")
        fields = {**self.may, **self.needs}
        for name, item in value.items():
            if name in fields:
                yield from fields[name](item, place.at(name))
            else:
                yield place.refuse(f"invalid additional property: {name}")
        for rule in self.between:
            yield from rule(value, place)


# Checks of one value


def string(most: int | None = None, least: int = 0, pattern: str = "") -> Check:
    """A string of `least` to `most` characters which matches `pattern` as a whole."""

    def check(value: object, place: Place) -> Iterator[Refusal]:
        if not isinstance(value, str):
            yield place.refuse("must provide a string")
        elif most is not None and len(value) > most:
            yield place.refuse(f"must be less than {most + 1} characters")
        elif len(value) < least:
            yield place.refuse(f"must be more than {least - 1} characters")
        elif pattern and not re.fullmatch(pattern, value):
            yield place.refuse(f"must match pattern: {pattern}")

    return check


def one_of(*allowed: str) -> Check:
    def check(value: object, place: Place) -> Iterator[Refusal]:
        if value not in allowed:
            yield place.refuse(f"must be a valid enum value: {', '.join(allowed)}")

    return check


def boolean(value: object, place: Place) -> Iterator[Refusal]:
    if not isinstance(value, bool):
        yield place.refuse("must provide a boolean")


def integer(least: int, most: int | None = None) -> Check:
    """A whole number within the bounds, both included."""

    def check(value: object, place: Place) -> Iterator[Refusal]:
        if not isinstance(value, int) or isinstance(value, bool):
            yield place.refuse("must provide an integer")
        elif value < least or (most is not None and value > most):
            yield place.refuse(f"must be at least {least}" + (f" and at most {most}" if most else ""))

    return check


def an_object(value: object, place: Place) -> Iterator[Refusal]:
    if not isinstance(value, dict):
        yield place.refuse("must provide an object")


def number(value: object, place: Place) -> Iterator[Refusal]:
    if not isinstance(value, int | float) or isinstance(value, bool):
        yield place.refuse("must provide a number")


def positive(value: object, place: Place) -> Iterator[Refusal]:
    yield from number(value, place)
    if isinstance(value, int | float) and not value > 0:
        yield place.refuse("must be greater than 0")


def calendar_date(value: object, place: Place) -> Iterator[Refusal]:
    problems = list(string(pattern=r"\d{4}-\d{2}-\d{2}")(value, place))
    yield from problems
    if isinstance(value, str) and not problems:
        try:
            date.fromisoformat(value)
        except ValueError:
            yield place.refuse("must be a date that exists, as YYYY-MM-DD")


def nullable(check: Check) -> Check:
    return lambda value, place: iter(()) if value is None else check(value, place)


def array(item: Check, least: int = 0, most: int | None = None) -> Check:
    """A list of `least` to `most` items, each of which passes `item`."""

    def check(value: object, place: Place) -> Iterator[Refusal]:
        if not isinstance(value, list):
            yield place.refuse("must provide an array")
            return
        if most is not None and len(value) > most:
            yield place.refuse(f"no more than {most} items allowed")
        if len(value) < least:
            yield place.refuse(f"no fewer than {least} items allowed")
        for index, entry in enumerate(value):
            yield from item(entry, place.at(index))

    return check


def typed(kinds: Mapping[str, Thing], *names: str) -> Check:
    """An object whose `type` is one of `names` (of all `kinds` where none is named).

    `kinds` is read when checking, so a table may hold rules that refer to the table itself.
    """

    def check(value: object, place: Place) -> Iterator[Refusal]:
        if not isinstance(value, dict):
            yield place.refuse("must provide an object")
        elif "type" not in value:
            yield place.refuse("missing required field: type")
        elif not isinstance(kind := value["type"], str) or kind not in (names or kinds):
            yield place.at("type").refuse(f"unsupported type: {kind}")
        else:
            yield from kinds[kind]({name: item for name, item in value.items() if name != "type"}, place)

    return check


# Checks between the fields of one thing


def exactly_one(*names: str) -> Between:
    def check(thing: Json, place: Place) -> Iterator[Refusal]:
        if sum(name in thing for name in names) != 1:
            yield place.refuse(f"must have exactly one of: {', '.join(names)}")

    return check


def at_least_one(*names: str) -> Between:
    def check(thing: Json, place: Place) -> Iterator[Refusal]:
        if not any(name in thing for name in names):
            yield place.refuse(f"must have at least one of: {', '.join(names)}")

    return check


def not_both(one: str, other: str) -> Between:
    def check(thing: Json, place: Place) -> Iterator[Refusal]:
        if one in thing and other in thing:
            yield place.refuse(f"must not have both {one} and {other}")

    return check


def ordered(low: str, high: str) -> Between:
    """`low` is not above `high`; both are numbers, or strings that hold one."""

    def check(thing: Json, place: Place) -> Iterator[Refusal]:
        bounds = [_as_number(thing.get(name)) for name in (low, high)]
        if bounds[0] is not None and bounds[1] is not None and bounds[0] > bounds[1]:
            yield place.at(low).refuse(f"cannot be greater than {high}")

    return check


def distinct(items: str, name: str) -> Between:
    """No two entries of the list `items` have the same string as their `name`."""

    def check(thing: Json, place: Place) -> Iterator[Refusal]:
        seen: set[str] = set()
        for index, item in enumerate(objects(thing.get(items))):
            value = item.get(name)
            if isinstance(value, str) and value in seen:
                yield place.at(items).at(index).refuse(f"{name} already exists: {value}")
            elif isinstance(value, str):
                seen.add(value)

    return check


def chosen_from_options(thing: Json, place: Place) -> Iterator[Refusal]:
    """What is chosen at first is, word for word, among the options."""
    options = objects(thing.get("options"))
    for group in objects(thing.get("option_groups")):
        options += objects(group.get("options"))
    if "initial_option" in thing and thing["initial_option"] not in options:
        yield place.at("initial_option").refuse("must exactly match one of the provided options")
    for index, option in enumerate(objects(thing.get("initial_options"))):
        if option not in options:
            yield (place.at("initial_options").at(index).refuse("must exactly match one of the provided options"))


def file_input_never_dispatches(block: Json, place: Place) -> Iterator[Refusal]:
    element = block.get("element")
    if block.get("dispatch_action") is True and isinstance(element, dict) and element.get("type") == "file_input":
        yield place.at("dispatch_action").refuse("unsupported type: file_input with dispatch_action")


def series_follow_categories(chart: Json, place: Place) -> Iterator[Refusal]:
    """Every series has exactly one point for every category of the x-axis."""
    axis = chart.get("axis_config")
    categories = axis.get("categories") if isinstance(axis, dict) else None
    if not isinstance(categories, list):
        return
    wanted = sorted(map(str, categories))
    for index, series in enumerate(objects(chart.get("series"))):
        if sorted(str(point.get("label")) for point in objects(series.get("data"))) != wanted:
            spot = place.at("series").at(index).at("data")
            yield spot.refuse("must contain exactly one entry for every label in axis_config.categories")


def rows_are_even(table: Json, place: Place) -> Iterator[Refusal]:
    rows = table.get("rows")
    widths = {len(row) for row in rows if isinstance(row, list)} if isinstance(rows, list) else set()
    if len(widths) > 1:
        yield place.at("rows").refuse("all rows must have the same number of values")


def header_is_plain(table: Json, place: Place) -> Iterator[Refusal]:
    rows = table.get("rows")
    for index, cell in enumerate(objects(rows[0] if isinstance(rows, list) and rows else None)):
        if cell.get("type") == "rich_text":
            yield place.at("rows").at(0).at(index).refuse("rich_text cannot be used for header cells")


def objects(value: object) -> list[Json]:
    """The entries of a list, `{}` for one that is no object (indexes stay true); [] for anything else."""
    return [item if isinstance(item, dict) else {} for item in value] if isinstance(value, list) else []


def _as_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not re.fullmatch(DECIMAL, value):
        return None
    return float(value)


# Composition objects: https://docs.slack.dev/reference/block-kit/composition-objects

DECIMAL = r"-?[0-9]{1,300}(\.[0-9]+)?"
IDENTIFIER = string(255)
LINK = string(3000)
SECURE_LINK = string(pattern=r"https://\S+")
STYLE = one_of("primary", "danger")
PLAIN, MRKDWN = "plain_text", "mrkdwn"


def _texts(most: int) -> dict[str, Thing]:
    words = {"text": string(most, least=1)}
    return {
        PLAIN: Thing(needs=words, may={"emoji": boolean}),
        MRKDWN: Thing(needs=words, may={"verbatim": boolean}),
    }


def text(most: int, *kinds: str) -> Check:
    """A text object of 1 to `most` characters; both kinds where none is named."""
    return typed(_texts(most), *kinds)


CONFIRM = Thing(
    "composition-objects/confirmation-dialog-object",
    needs={
        "title": text(100, PLAIN),
        "text": text(300, PLAIN),
        "confirm": text(30, PLAIN),
        "deny": text(30, PLAIN),
    },
    may={"style": STYLE},
)


def option(*kinds: str, **more: Check) -> Thing:
    return Thing(
        "composition-objects/option-object",
        needs={"text": text(75, *kinds), "value": string(150)},
        may={"description": text(75, *kinds), **more},
    )


OPTION_GROUP = Thing(
    "composition-objects/option-group-object",
    needs={"label": text(75, PLAIN), "options": array(option(PLAIN), 1, 100)},
)

FILTER = Thing(
    "composition-objects/conversation-filter-object",
    may={
        "include": array(one_of("im", "mpim", "private", "public"), 1),
        "exclude_external_shared_channels": boolean,
        "exclude_bot_users": boolean,
    },
    between=(at_least_one("include", "exclude_external_shared_channels", "exclude_bot_users"),),
)

DISPATCH = Thing(
    "composition-objects/dispatch-action-configuration-object",
    may={"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), 1)},
)

SLACK_FILE = Thing(
    "composition-objects/slack-file-object",
    may={"id": string(), "url": string()},
    between=(exactly_one("id", "url"),),
)

WORKFLOW = Thing(
    "composition-objects/workflow-object",
    needs={
        "trigger": Thing(
            "composition-objects/trigger-object",
            needs={"url": string()},
            may={"customizable_input_parameters": array(Thing(needs={"name": string(), "value": string()}))},
        )
    },
)

# Elements: https://docs.slack.dev/reference/block-kit/block-elements

Fields = Mapping[str, Check]
FOCUSED: Fields = {"confirm": CONFIRM, "focus_on_load": boolean}


def element(page: str, needs: Fields | None = None, *between: Between, **may: Check) -> Thing:
    """Anything a person can act on; every one has an action_id."""
    needs = needs or {}
    may = may if "action_id" in needs else {"action_id": IDENTIFIER, **may}
    return Thing(f"block-elements/{page}-element", needs, may, between)


def menu(page: str, *between: Between, **may: Check) -> Thing:
    return element(page, None, *between, **FOCUSED, placeholder=text(150, PLAIN), **may)


def select(*between: Between, **may: Check) -> Thing:
    return menu("select-menu", *between, **may)


def multi_select(*between: Between, **may: Check) -> Thing:
    return menu("multi-select-menu", *between, max_selected_items=integer(1), **may)


def typing(page: str, needs: Fields | None = None, *between: Between, **may: Check) -> Thing:
    shared: Fields = {
        "dispatch_action_config": DISPATCH,
        "focus_on_load": boolean,
        "placeholder": text(150, PLAIN),
    }
    return element(page, needs, *between, **shared, **may)


LISTS: Fields = {"options": array(option(PLAIN), 1, 100), "option_groups": array(OPTION_GROUP, 1, 100)}
ONE_LIST = exactly_one(*LISTS)
THUMB = Thing(needs={"text": text(75, PLAIN), "value": string(2000)}, may={"accessibility_label": string(75)})
PICTURE: Fields = {"image_url": LINK, "slack_file": SLACK_FILE}

SELECTS: dict[str, Thing] = {
    "static_select": select(ONE_LIST, chosen_from_options, **LISTS, initial_option=option(PLAIN)),
    "external_select": select(initial_option=option(PLAIN), min_query_length=integer(0)),
    "users_select": select(initial_user=string()),
    "conversations_select": select(
        initial_conversation=string(),
        default_to_current_conversation=boolean,
        response_url_enabled=boolean,
        filter=FILTER,
    ),
    "channels_select": select(initial_channel=string(), response_url_enabled=boolean),
    "multi_static_select": multi_select(
        ONE_LIST, chosen_from_options, **LISTS, initial_options=array(option(PLAIN), 1)
    ),
    "multi_external_select": multi_select(initial_options=array(option(PLAIN), 1), min_query_length=integer(0)),
    "multi_users_select": multi_select(initial_users=array(string())),
    "multi_conversations_select": multi_select(
        initial_conversations=array(string()), default_to_current_conversation=boolean, filter=FILTER
    ),
    "multi_channels_select": multi_select(initial_channels=array(string())),
}

PICKERS: dict[str, Thing] = {
    "checkboxes": element(
        "checkboxes",
        {"options": array(option(), 1, 10)},
        chosen_from_options,
        **FOCUSED,
        initial_options=array(option(), 1),
    ),
    "radio_buttons": element(
        "radio-button-group",
        {"options": array(option(), 1, 10)},
        chosen_from_options,
        **FOCUSED,
        initial_option=option(),
    ),
    "datepicker": menu("date-picker", initial_date=calendar_date),
    "timepicker": menu(
        "time-picker", initial_time=string(pattern=r"([01]\d|2[0-3]):[0-5]\d"), timezone=string(least=1)
    ),
    # "In the format of 10 digits": seconds since 1970.
    "datetimepicker": element("datetime-picker", None, **FOCUSED, initial_date_time=integer(10**9, 10**10 - 1)),
}

BUTTONS: dict[str, Thing] = {
    "button": element(
        "button",
        {"text": text(75, PLAIN)},
        url=LINK,
        value=string(2000),
        style=STYLE,
        confirm=CONFIRM,
        accessibility_label=string(75),
    ),
    "workflow_button": element(
        "workflow-button",
        {"text": text(75, PLAIN), "workflow": WORKFLOW, "action_id": IDENTIFIER},
        style=STYLE,
        accessibility_label=string(75),
    ),
    "overflow": element("overflow-menu", {"options": array(option(PLAIN, url=LINK), 1, 5)}, confirm=CONFIRM),
}

TYPED_INPUTS: dict[str, Thing] = {
    "plain_text_input": typing(
        "plain-text-input",
        None,
        ordered("min_length", "max_length"),
        initial_value=string(),
        multiline=boolean,
        min_length=integer(0, 3000),
        max_length=integer(1, 3000),
    ),
    "email_text_input": typing("email-input", initial_value=string()),
    "url_text_input": typing("url-input", initial_value=string()),
    "number_input": typing(
        "number-input",
        {"is_decimal_allowed": boolean},
        ordered("min_value", "max_value"),
        initial_value=string(pattern=DECIMAL),
        min_value=string(pattern=DECIMAL),
        max_value=string(pattern=DECIMAL),
    ),
    "file_input": element("file-input", filetypes=array(string(), 1), max_files=integer(1, 10)),
}

# Rich text: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block

INK = Thing(
    may=dict.fromkeys(
        ("bold", "italic", "strike", "underline", "code", "highlight", "client_highlight", "unlink"), boolean
    )
)


def inline(needs: Fields, **may: Check) -> Thing:
    return Thing(needs=needs, may={"style": INK, **may})


INLINE: dict[str, Thing] = {
    "broadcast": inline({"range": one_of("here", "channel", "everyone")}),
    "channel": inline({"channel_id": string(least=1)}),
    "color": inline({"value": string(least=1)}),
    "date": inline({"timestamp": integer(0), "format": string(least=1)}, url=string(), fallback=string()),
    "emoji": inline({"name": string(least=1)}, unicode=string(), url=string(), skin_tone=integer(1, 6)),
    "link": inline({"url": string(least=1)}, text=string(), unsafe=boolean),
    "team": inline({"team_id": string(least=1)}),
    "text": inline({"text": string(least=1)}),
    "user": inline({"user_id": string(least=1)}),
    "usergroup": inline({"usergroup_id": string(least=1)}),
}

BORDER = integer(0, 1)
PASSAGES: dict[str, Thing] = {
    "rich_text_section": Thing("block-elements/rich-text-section-element", needs={"elements": array(typed(INLINE))}),
    "rich_text_preformatted": Thing(
        "block-elements/rich-text-preformatted-element",
        needs={"elements": array(typed(INLINE, "text", "link"))},
        may={"border": BORDER, "language": string()},
    ),
    "rich_text_quote": Thing(
        "block-elements/rich-text-quote-element",
        needs={"elements": array(typed(INLINE))},
        may={"border": BORDER},
    ),
}
PASSAGES["rich_text_list"] = Thing(
    "block-elements/rich-text-list-element",
    needs={"style": one_of("bullet", "ordered"), "elements": array(typed(PASSAGES, "rich_text_section"))},
    may={"indent": integer(0, 8), "offset": integer(0), "border": BORDER},
)

# Blocks: https://docs.slack.dev/reference/block-kit/blocks


def block(page: str, needs: Fields | None = None, *between: Between, **may: Check) -> Thing:
    return Thing(f"blocks/{page}-block", needs or {}, {"block_id": IDENTIFIER, **may}, between)


RICH_TEXT = block("rich-text", {"elements": array(typed(PASSAGES))})
RICH = typed({"rich_text": RICH_TEXT})

ELEMENTS: dict[str, Thing] = {
    **SELECTS,
    **PICKERS,
    **BUTTONS,
    **TYPED_INPUTS,
    "rich_text_input": typing(
        "rich-text-input",
        None,
        ordered("min_lines", "max_lines"),
        initial_value=RICH,
        min_lines=integer(1, 100),
        max_lines=integer(1, 100),
    ),
    "image": Thing(
        "block-elements/image-element",
        needs={"alt_text": string(2000)},
        may=PICTURE,
        between=(exactly_one(*PICTURE),),
    ),
    "feedback_buttons": element("feedback-buttons", {"positive_button": THUMB, "negative_button": THUMB}),
    "icon_button": element(
        "icon-button",
        {"icon": one_of("trash"), "text": text(75, PLAIN)},
        value=string(2000),
        confirm=CONFIRM,
        accessibility_label=string(75),
        visible_to_user_ids=array(string()),
    ),
    "url": Thing("block-elements/url-source-element", needs={"url": string(), "text": string()}),
}

IN_ACTIONS = (*SELECTS, *PICKERS, *BUTTONS, "rich_text_input")
IN_SECTION = (*SELECTS, *(set(PICKERS) - {"datetimepicker"}), *BUTTONS, "image")
IN_INPUT = (*SELECTS, *PICKERS, *TYPED_INPUTS, "rich_text_input")
IMAGE = typed(ELEMENTS, "image")

RAW_TEXT = Thing(needs={"text": string(least=1)})
RAW_NUMBER = Thing(needs={"value": number}, may={"text": string(least=1)})
CELLS: dict[str, Thing] = {"raw_text": RAW_TEXT, "raw_number": RAW_NUMBER, "rich_text": RICH_TEXT}

LABEL = string(20, 1)
POINT = Thing(needs={"label": LABEL, "value": number})
AXES = Thing(needs={"categories": array(LABEL, 1, 20)}, may={"x_label": string(50), "y_label": string(50)})
ACROSS = Thing(
    needs={
        "series": array(Thing(needs={"name": LABEL, "data": array(POINT, 1, 20)}), 1, 6),
        "axis_config": AXES,
    },
    between=(distinct("series", "name"), series_follow_categories),
)
CHARTS: dict[str, Thing] = {
    "pie": Thing(needs={"segments": array(Thing(needs={"label": LABEL, "value": positive}), 1, 6)}),
    "bar": ACROSS,
    "area": ACROSS,
    "line": ACROSS,
}

CARD = block(
    "card",
    None,
    at_least_one("hero_image", "title", "actions", "body"),
    not_both("icon", "slack_icon"),
    distinct("actions", "action_id"),
    hero_image=IMAGE,
    icon=IMAGE,
    slack_icon=typed({"icon": Thing(needs={"name": string(least=1)})}),
    title=text(150),
    subtitle=text(150),
    body=text(200),
    subtext=text(200),
    actions=array(typed(ELEMENTS, "button"), 1, 3),
)

TASK = block(
    "task-card",
    {"task_id": string(least=1), "title": string(least=1)},
    details=RICH,
    output=RICH,
    sources=array(typed(ELEMENTS, "url")),
    status=one_of("pending", "in_progress", "complete", "error"),
)

BLOCKS: dict[str, Thing] = {
    "actions": block(
        "actions", {"elements": array(typed(ELEMENTS, *IN_ACTIONS), 1, 25)}, distinct("elements", "action_id")
    ),
    "alert": block("alert", {"text": text(200)}, level=one_of("default", "info", "warning", "error", "success")),
    "card": CARD,
    "carousel": block("carousel", {"elements": array(typed({"card": CARD}), 1, 10)}),
    "context": block("context", {"elements": array(typed({**_texts(3000), "image": ELEMENTS["image"]}), 1, 10)}),
    "context_actions": block(
        "context-actions",
        {"elements": array(typed(ELEMENTS, "feedback_buttons", "icon_button"), 1, 5)},
        distinct("elements", "action_id"),
    ),
    "data_table": block(
        "data-table",
        {"caption": string(), "rows": array(array(typed(CELLS), 1, 20), 2, 101)},
        rows_are_even,
        header_is_plain,
        page_size=integer(1, 100),
        row_header_column_index=integer(0),
    ),
    "data_visualization": block("data-visualization", {"title": string(50, 1), "chart": typed(CHARTS)}),
    "divider": block("divider"),
    "file": block("file", {"external_id": string(least=1), "source": one_of("remote")}),
    "header": block("header", {"text": text(150, PLAIN)}, level=integer(1, 4)),
    "image": block("image", {"alt_text": string(2000)}, exactly_one(*PICTURE), **PICTURE, title=text(2000, PLAIN)),
    "input": block(
        "input",
        {"label": text(2000, PLAIN), "element": typed(ELEMENTS, *IN_INPUT)},
        file_input_never_dispatches,
        hint=text(2000, PLAIN),
        optional=boolean,
        dispatch_action=boolean,
    ),
    "markdown": block("markdown", {"text": string(12_000, 1)}),
    "plan": block(
        "plan",
        {"title": string(least=1)},
        tasks=array(replace(TASK, may={**TASK.may, "type": one_of("task_card")})),
    ),
    "rich_text": RICH_TEXT,
    "section": block(
        "section",
        None,
        at_least_one("text", "fields"),
        text=text(3000),
        fields=array(text(2000), 1, 10),
        accessory=typed(ELEMENTS, *IN_SECTION),
        expand=boolean,
    ),
    "table": block(
        "table",
        {"rows": array(array(typed(CELLS), 1, 20), 1, 100)},
        column_settings=array(
            nullable(Thing(may={"align": one_of("left", "center", "right"), "is_wrapped": boolean})), 0, 20
        ),
    ),
    "task_card": TASK,
    # "Developers have the flexibility to leave non-mandatory fields null." "Less than" 50 and 200 characters.
    "video": block(
        "video",
        {
            "alt_text": string(),
            "title": text(199, PLAIN),
            "thumbnail_url": string(),
            "video_url": SECURE_LINK,
        },
        author_name=nullable(string(49)),
        description=nullable(text(199, PLAIN)),
        provider_icon_url=nullable(string()),
        provider_name=nullable(string()),
        title_url=nullable(SECURE_LINK),
    ),
}

CONTAINED = ["actions", "context", "divider", "file", "header", "image"]
CONTAINED += ["input", "rich_text", "section", "table", "video"]
BLOCKS["container"] = block(
    "container",
    {"child_blocks": array(typed(BLOCKS, *CONTAINED), 1, 10)},
    at_least_one("title", "rich_text_title"),
    title=text(150, PLAIN),
    rich_text_title=RICH,
    subtitle=text(150),
    width=one_of("narrow", "standard", "wide", "full"),
    icon=IMAGE,
    is_collapsible=boolean,
    default_collapsed=boolean,
    has_header_divider=boolean,
)

# Blocks that are not for every surface; each page lists its own.
FOR_MESSAGES = ["context_actions", "data_table", "data_visualization", "file"]
FOR_MESSAGES += ["markdown", "plan", "table", "task_card"]
ONLY_ON: dict[str, tuple[str, ...]] = {
    "alert": ("modal",),
    "carousel": ("message", "home"),
    "container": ("message", "home"),
    **dict.fromkeys(FOR_MESSAGES, ("message",)),
}
