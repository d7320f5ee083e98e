"""Every limit is tried on both sides of its edge; every other rule with one payload that it refuses."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.blockkit import Refusal, message_refusals, metadata_refusals, update_refusals, view_refusals
from bot.sandbox.blockkit_rules import BLOCKS, ELEMENTS

Part = dict[str, Any]


def plain(length: int = 1) -> Part:
    return {"type": "plain_text", "text": "x" * length}


def mrkdwn(length: int = 1) -> Part:
    return {"type": "mrkdwn", "text": "x" * length}


def section(**fields: Any) -> Part:
    return {"type": "section", **({"text": plain()} | fields)}


def actions(*elements: Part) -> Part:
    return {"type": "actions", "elements": list(elements)}


def ask(element: Part, **fields: Any) -> Part:
    return {"type": "input", "label": plain(), "element": element, **fields}


def button(**fields: Any) -> Part:
    return {"type": "button", "text": plain(), **fields}


def option(**fields: Any) -> Part:
    return {"text": plain(), "value": "v", **fields}


def options(count: int) -> list[Part]:
    return [option(value=str(index)) for index in range(count)]


def select(**fields: Any) -> Part:
    return {"type": "static_select", "options": options(2), **fields}


def groups(option_groups: list[Part], **fields: Any) -> Part:
    return {"type": "static_select", "option_groups": option_groups, **fields}


def confirm(**fields: Any) -> Part:
    return {"title": plain(), "text": plain(), "confirm": plain(), "deny": plain(), **fields}


def image(**fields: Any) -> Part:
    return {"type": "image", "alt_text": "a", "image_url": "https://example.com/a.png", **fields}


def rich(*elements: Part) -> Part:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(elements)}]}


def table(rows: int = 1, columns: int = 1, cell: int = 1) -> Part:
    raw = {"type": "raw_text", "text": "x" * cell}
    return {"type": "table", "rows": [[raw] * columns] * rows}


def pie(**fields: Any) -> Part:
    chart = {"type": "pie", "segments": [{"label": "a", "value": 1}]}
    return {"type": "data_visualization", "title": "t", "chart": chart, **fields}


def bars(series: int = 1, categories: int = 1, label: int = 0, **axes: Any) -> Part:
    labels = [str(index).rjust(label, "x") for index in range(categories)]
    data = [{"label": each, "value": -1.5} for each in labels]
    rows = [{"name": f"s{index}", "data": data} for index in range(series)]
    return pie(chart={"type": "bar", "series": rows, "axis_config": {"categories": labels, **axes}})


def card(**fields: Any) -> Part:
    return {"type": "card", "title": plain(), **fields}


def container(*children: Part, **fields: Any) -> Part:
    return {"type": "container", "title": plain(), "child_blocks": list(children), **fields}


def markdown(length: int = 1, **fields: Any) -> Part:
    return {"type": "markdown", "text": "x" * length, **fields}


def alert(length: int = 1, **fields: Any) -> Part:
    return {"type": "alert", "text": plain(length), **fields}


def data_table(rows: int = 2, columns: int = 1, **fields: Any) -> Part:
    return {"type": "data_table", "caption": "c", "rows": table(rows, columns)["rows"], **fields}


def video(**fields: Any) -> Part:
    urls = {"video_url": "https://example.com/v", "thumbnail_url": "https://example.com/t"}
    return {"type": "video", "alt_text": "a", "title": plain(), **urls, **fields}


def pie_of(label: Any, value: Any) -> Part:
    return pie(chart={"type": "pie", "segments": [{"label": label, "value": value}]})


def line_of(*names: str, categories: list[str]) -> Part:
    series = [{"name": name, "data": [{"label": "a", "value": 1}]} for name in names]
    return pie(chart={"type": "line", "series": series, "axis_config": {"categories": categories}})


def rich_list(**fields: Any) -> Part:
    return {"type": "rich_text_list", "style": "bullet", "elements": rich()["elements"], **fields}


def rich_block(*elements: Part) -> Part:
    return {"type": "rich_text", "elements": list(elements)}


def grouped(**fields: Any) -> Part:
    return groups([{"label": plain(), "options": options(2)}], **fields)


def thumbs(**positive: Any) -> Part:
    thumb = {"text": plain(), "value": "v"}
    return {"type": "feedback_buttons", "positive_button": thumb | positive, "negative_button": thumb}


def beside(*elements: Part) -> Part:
    return {"type": "context_actions", "elements": list(elements)}


def number_input(**fields: Any) -> Part:
    return {"type": "number_input", "is_decimal_allowed": True, **fields}


def workflow_button(**fields: Any) -> Part:
    workflow = {"trigger": {"url": "https://example.com"}}
    return {"type": "workflow_button", "text": plain(), "workflow": workflow, **fields}


def modal(*blocks: Part, **fields: Any) -> Part:
    return {"type": "modal", "title": plain(), "submit": plain(), "blocks": list(blocks), **fields}


def home(*blocks: Part, **fields: Any) -> Part:
    return {"type": "home", "blocks": list(blocks), **fields}


def typed_input(kind: str, **fields: Any) -> Part:
    return ask({"type": kind, **fields})


def in_message(*blocks: Part) -> list[Refusal]:
    return message_refusals("text", list(blocks))


def in_modal(*blocks: Part) -> list[Refusal]:
    return view_refusals(modal(*blocks), "modal")


def check_edge(at: list[Refusal], past: list[Refusal], path: str) -> None:
    assert at == []
    assert [refusal.path for refusal in past] == [path]
    assert past[0].reference.startswith("https://docs.slack.dev/")


LINK = {"type": "link", "url": "https://example.com"}
BOLD = {"type": "text", "text": "a", "style": {"bold": True}}
TRASH = {"type": "icon_button", "icon": "trash", "text": plain()}
TASK = {"task_id": "1", "title": "t", "status": "pending"}

# what, a block with n of it, the most, where the refusal points
BLOCK_LIMITS: list[tuple[str, Callable[[int], Part], int, str]] = [
    ("block_id", lambda n: section(block_id="x" * n), 255, "block_id"),
    ("section text", lambda n: section(text=mrkdwn(n)), 3000, "text/text"),
    ("section fields", lambda n: section(fields=[plain()] * n), 10, "fields"),
    ("section field", lambda n: section(fields=[mrkdwn(n)]), 2000, "fields/0/text"),
    ("header", lambda n: {"type": "header", "text": plain(n)}, 150, "text/text"),
    ("header level", lambda n: {"type": "header", "text": plain(), "level": n}, 4, "level"),
    ("context elements", lambda n: {"type": "context", "elements": [plain()] * n}, 10, "elements"),
    ("context text", lambda n: {"type": "context", "elements": [mrkdwn(n)]}, 3000, "elements/0/text"),
    ("actions", lambda n: actions(*[button()] * n), 25, "elements"),
    ("image alt_text", lambda n: image(alt_text="x" * n), 2000, "alt_text"),
    ("image url", lambda n: image(image_url="x" * n), 3000, "image_url"),
    ("image title", lambda n: image(title=plain(n)), 2000, "title/text"),
    ("input label", lambda n: ask(select(), label=plain(n)), 2000, "label/text"),
    ("input hint", lambda n: ask(select(), hint=plain(n)), 2000, "hint/text"),
    ("markdown", markdown, 12_000, "text"),
    ("video title", lambda n: video(title=plain(n)), 199, "title/text"),
    ("video description", lambda n: video(description=plain(n)), 199, "description/text"),
    ("video author", lambda n: video(author_name="x" * n), 49, "author_name"),
    ("table rows", lambda n: table(rows=n), 100, "rows"),
    ("table columns", lambda n: table(columns=n), 20, "rows/0"),
    ("table column settings", lambda n: {**table(), "column_settings": [None] * n}, 20, "column_settings"),
    ("data_table rows", lambda n: data_table(rows=n), 101, "rows"),
    ("data_table page", lambda n: data_table(page_size=n), 100, "page_size"),
    ("context actions", lambda n: beside(*[TRASH] * n), 5, "elements"),
    ("icon text", lambda n: beside(TRASH | {"text": plain(n)}), 75, "elements/0/text/text"),
    ("icon value", lambda n: beside(TRASH | {"value": "x" * n}), 2000, "elements/0/value"),
    (
        "icon label",
        lambda n: beside(TRASH | {"accessibility_label": "x" * n}),
        75,
        "elements/0/accessibility_label",
    ),
    ("thumb text", lambda n: beside(thumbs(text=plain(n))), 75, "elements/0/positive_button/text/text"),
    ("thumb value", lambda n: beside(thumbs(value="x" * n)), 2000, "elements/0/positive_button/value"),
    (
        "thumb label",
        lambda n: beside(thumbs(accessibility_label="x" * n)),
        75,
        "elements/0/positive_button/accessibility_label",
    ),
    ("accessory alt_text", lambda n: section(accessory=image(alt_text="x" * n)), 2000, "accessory/alt_text"),
    (
        "skin tone",
        lambda n: rich({"type": "emoji", "name": "wave", "skin_tone": n}),
        6,
        "elements/0/elements/0/skin_tone",
    ),
    ("chart title", lambda n: pie(title="x" * n), 50, "title"),
    (
        "pie segments",
        lambda n: pie(chart={"type": "pie", "segments": [{"label": "a", "value": 1}] * n}),
        6,
        "chart/segments",
    ),
    (
        "pie label",
        lambda n: pie(chart={"type": "pie", "segments": [{"label": "x" * n, "value": 1}]}),
        20,
        "chart/segments/0/label",
    ),
    ("chart series", lambda n: bars(series=n), 6, "chart/series"),
    ("x axis", lambda n: bars(x_label="x" * n), 50, "chart/axis_config/x_label"),
    ("y axis", lambda n: bars(y_label="x" * n), 50, "chart/axis_config/y_label"),
    ("card title", lambda n: card(title=mrkdwn(n)), 150, "title/text"),
    ("card subtitle", lambda n: card(subtitle=mrkdwn(n)), 150, "subtitle/text"),
    ("card body", lambda n: card(body=mrkdwn(n)), 200, "body/text"),
    ("card subtext", lambda n: card(subtext=mrkdwn(n)), 200, "subtext/text"),
    ("card actions", lambda n: card(actions=[button()] * n), 3, "actions"),
    ("carousel", lambda n: {"type": "carousel", "elements": [card()] * n}, 10, "elements"),
    ("container", lambda n: container(*[section()] * n), 10, "child_blocks"),
    ("container subtitle", lambda n: container(section(), subtitle=plain(n)), 150, "subtitle/text"),
    ("container title", lambda n: container(section(), title=plain(n)), 150, "title/text"),
]

# The same for elements, inside an actions block.
ELEMENT_LIMITS: list[tuple[str, Callable[[int], Part], int, str]] = [
    ("action_id", lambda n: button(action_id="x" * n), 255, "action_id"),
    ("button text", lambda n: button(text=plain(n)), 75, "text/text"),
    ("button value", lambda n: button(value="x" * n), 2000, "value"),
    ("button url", lambda n: button(url="x" * n), 3000, "url"),
    ("button label", lambda n: button(accessibility_label="x" * n), 75, "accessibility_label"),
    ("workflow text", lambda n: workflow_button(action_id="a", text=plain(n)), 75, "text/text"),
    (
        "workflow label",
        lambda n: workflow_button(action_id="a", accessibility_label="x" * n),
        75,
        "accessibility_label",
    ),
    ("confirm title", lambda n: button(confirm=confirm(title=plain(n))), 100, "confirm/title/text"),
    ("confirm text", lambda n: button(confirm=confirm(text=plain(n))), 300, "confirm/text/text"),
    ("confirm confirm", lambda n: button(confirm=confirm(confirm=plain(n))), 30, "confirm/confirm/text"),
    ("confirm deny", lambda n: button(confirm=confirm(deny=plain(n))), 30, "confirm/deny/text"),
    ("select options", lambda n: select(options=options(n)), 100, "options"),
    ("option text", lambda n: select(options=[option(text=plain(n))]), 75, "options/0/text/text"),
    ("option value", lambda n: select(options=[option(value="x" * n)]), 150, "options/0/value"),
    (
        "option description",
        lambda n: select(options=[option(description=plain(n))]),
        75,
        "options/0/description/text",
    ),
    ("placeholder", lambda n: select(placeholder=plain(n)), 150, "placeholder/text"),
    (
        "option groups",
        lambda n: groups([{"label": plain(), "options": options(1)}] * n),
        100,
        "option_groups",
    ),
    (
        "group label",
        lambda n: groups([{"label": plain(n), "options": options(1)}]),
        75,
        "option_groups/0/label/text",
    ),
    (
        "group options",
        lambda n: groups([{"label": plain(), "options": options(n)}]),
        100,
        "option_groups/0/options",
    ),
    ("overflow", lambda n: {"type": "overflow", "options": options(n)}, 5, "options"),
    ("overflow url", lambda n: {"type": "overflow", "options": [option(url="x" * n)]}, 3000, "options/0/url"),
    ("checkboxes", lambda n: {"type": "checkboxes", "options": options(n)}, 10, "options"),
    ("radio buttons", lambda n: {"type": "radio_buttons", "options": options(n)}, 10, "options"),
]

# The same for typed inputs, inside an input block of a modal.
INPUT_LIMITS: list[tuple[str, Callable[[int], Part], int, str]] = [
    ("min_length", lambda n: {"type": "plain_text_input", "min_length": n}, 3000, "min_length"),
    ("max_length", lambda n: {"type": "plain_text_input", "max_length": n}, 3000, "max_length"),
    (
        "text placeholder",
        lambda n: {"type": "plain_text_input", "placeholder": plain(n)},
        150,
        "placeholder/text",
    ),
    ("max_files", lambda n: {"type": "file_input", "max_files": n}, 10, "max_files"),
    ("rich min_lines", lambda n: {"type": "rich_text_input", "min_lines": n}, 100, "min_lines"),
    ("rich max_lines", lambda n: {"type": "rich_text_input", "max_lines": n}, 100, "max_lines"),
]

VIEW_LIMITS: list[tuple[str, Callable[[int], Part], int, str]] = [
    ("modal title", lambda n: modal(title=plain(n)), 24, "/view/title/text"),
    ("modal submit", lambda n: modal(submit=plain(n)), 24, "/view/submit/text"),
    ("modal close", lambda n: modal(close=plain(n)), 24, "/view/close/text"),
    ("private_metadata", lambda n: modal(private_metadata="x" * n), 3000, "/view/private_metadata"),
    ("callback_id", lambda n: modal(callback_id="x" * n), 255, "/view/callback_id"),
    ("modal blocks", lambda n: modal(*[section()] * n), 100, "/view/blocks"),
    ("home blocks", lambda n: home(*[section()] * n), 100, "/view/blocks"),
    ("home private_metadata", lambda n: home(private_metadata="x" * n), 3000, "/view/private_metadata"),
    ("alert", lambda n: modal(alert(n)), 200, "/view/blocks/0/text/text"),
]


@pytest.mark.parametrize(("build", "most", "path"), [pytest.param(*row, id=name) for name, *row in BLOCK_LIMITS])
def test_limit_of_a_block(build: Callable[[int], Part], most: int, path: str) -> None:
    past = [each for each in in_message(build(most + 1)) if "together" not in each.sentence]
    check_edge(in_message(build(most)), past, f"/blocks/0/{path}")


@pytest.mark.parametrize(("build", "most", "path"), [pytest.param(*row, id=name) for name, *row in ELEMENT_LIMITS])
def test_limit_of_an_element(build: Callable[[int], Part], most: int, path: str) -> None:
    at, past = in_message(actions(build(most))), in_message(actions(build(most + 1)))
    check_edge(at, past, f"/blocks/0/elements/0/{path}")


@pytest.mark.parametrize(("build", "most", "path"), [pytest.param(*row, id=name) for name, *row in INPUT_LIMITS])
def test_limit_of_an_input(build: Callable[[int], Part], most: int, path: str) -> None:
    at, past = in_modal(ask(build(most))), in_modal(ask(build(most + 1)))
    check_edge(at, past, f"/view/blocks/0/element/{path}")
    assert past[0].code == "invalid_arguments"


@pytest.mark.parametrize(("build", "most", "path"), [pytest.param(*row, id=name) for name, *row in VIEW_LIMITS])
def test_limit_of_a_view(build: Callable[[int], Part], most: int, path: str) -> None:
    at, past = build(most), build(most + 1)
    check_edge(view_refusals(at, at["type"]), view_refusals(past, past["type"]), path)


def test_a_data_table_has_at_most_20_columns() -> None:
    assert in_message(data_table(columns=20)) == []
    assert {each.path for each in in_message(data_table(columns=21))} == {"/blocks/0/rows/0", "/blocks/0/rows/1"}


def test_categories_and_points_are_at_most_20() -> None:
    assert in_message(bars(categories=20)) == []
    paths = {each.path for each in in_message(bars(categories=21))}
    assert paths == {"/blocks/0/chart/series/0/data", "/blocks/0/chart/axis_config/categories"}
    assert in_message(bars(label=20)) == []
    assert len(in_message(bars(label=21))) == 2


ACCEPTED: list[tuple[str, Part]] = [
    ("fields without text", {"type": "section", "fields": [mrkdwn()]}),
    ("divider", {"type": "divider"}),
    ("slack file", {"type": "image", "alt_text": "", "slack_file": {"id": "F1"}}),
    ("context image", {"type": "context", "elements": [image(), plain(), mrkdwn()]}),
    ("emoji in plain text", section(text=plain() | {"emoji": True})),
    ("verbatim mrkdwn", section(text=mrkdwn() | {"verbatim": False})),
    ("mrkdwn in checkboxes", actions({"type": "checkboxes", "options": [option(text=mrkdwn())]})),
    ("an initial option", actions(select(initial_option=options(2)[1]))),
    ("an initial option in a group", actions(grouped(initial_option=options(2)[1]))),
    ("a date", section(accessory={"type": "datepicker", "initial_date": "2028-02-29"})),
    ("a time", section(accessory={"type": "timepicker", "initial_time": "23:59", "timezone": "Asia/Tokyo"})),
    ("a moment", actions({"type": "datetimepicker", "initial_date_time": 1628633820})),
    ("people", actions({"type": "multi_users_select", "initial_users": ["U1"], "max_selected_items": 1})),
    ("a filter", actions({"type": "conversations_select", "filter": {"include": ["private"]}})),
    ("an input in a message", typed_input("plain_text_input", min_length=0, max_length=1)),
    ("numbers", ask(number_input(min_value="-1.5", max_value="2"))),
    ("rich text", rich(BOLD, LINK, {"type": "user", "user_id": "U1"})),
    ("a rich list", rich_block(rich_list(indent=8))),
    ("a rich quote", rich_block({"type": "rich_text_quote", "elements": [BOLD], "border": 1})),
    ("rich code", rich_block({"type": "rich_text_preformatted", "elements": [LINK]})),
    ("table cells", {"type": "table", "rows": [[rich(), {"type": "raw_number", "value": 1.5}]]}),
    ("feedback", beside(thumbs(), TRASH)),
    ("a remote file", {"type": "file", "source": "remote", "external_id": "e"}),
    ("a video", video(title_url="https://example.com", author_name=None)),
    ("a plan", {"type": "plan", "title": "p", "tasks": [TASK]}),
    ("a workflow button", actions(workflow_button(action_id="a"))),
]

# what, a block, where the refusal points, some of its words
REFUSED_BLOCKS: list[tuple[str, Part, str, str]] = [
    ("unknown block", {"type": "hologram"}, "type", "unsupported type: hologram"),
    ("no type", {"text": plain()}, "", "missing required field: type"),
    ("a type that is no string", {"type": ["section"]}, "type", "unsupported type"),
    ("unknown field", section(colour="red"), "", "invalid additional property: colour"),
    ("empty section", {"type": "section"}, "", "at least one of: text, fields"),
    ("empty text", section(text=plain(0)), "text/text", "more than 0 characters"),
    ("text as a string", section(text="hello"), "text", "must provide an object"),
    ("null text", section(text=None), "text", "must provide an object"),
    ("unknown text", section(text={"type": "html", "text": "x"}), "text/type", "unsupported type: html"),
    ("emoji in mrkdwn", section(text=mrkdwn() | {"emoji": True}), "text", "additional property: emoji"),
    ("verbatim plain text", section(text=plain() | {"verbatim": True}), "text", "additional property"),
    ("no fields", section(fields=[]), "fields", "no fewer than 1"),
    ("fields as an object", section(fields={}), "fields", "must provide an array"),
    ("datetimepicker in a section", section(accessory={"type": "datetimepicker"}), "accessory/type", "unsup"),
    ("mrkdwn header", {"type": "header", "text": mrkdwn()}, "text/type", "unsupported type: mrkdwn"),
    ("empty header", {"type": "header"}, "", "missing required field: text"),
    ("no actions", actions(), "elements", "no fewer than 1"),
    ("button in a context", {"type": "context", "elements": [button()]}, "elements/0/type", "unsupported"),
    ("button as an icon", beside(button()), "elements/0/type", "unsup"),
    ("same action_id", actions(button(action_id="a"), select(action_id="a")), "elements/1", "already exists"),
    ("mrkdwn label", ask(select(), label=mrkdwn()), "label/type", "unsupported type: mrkdwn"),
    ("input without element", {"type": "input", "label": plain()}, "", "missing required field: element"),
    (
        "dispatched file",
        typed_input("file_input") | {"dispatch_action": True},
        "dispatch_action",
        "file_input",
    ),
    ("image without alt_text", {"type": "image", "image_url": "u"}, "", "missing required field: alt_text"),
    ("image without source", {"type": "image", "alt_text": "a"}, "", "exactly one of"),
    ("image with two sources", image(slack_file={"id": "F1"}), "", "exactly one of"),
    ("file by id and url", image(slack_file={"id": "F1", "url": "u"}), "slack_file", "exactly one of"),
    ("video over http", video(video_url="http://example.com"), "video_url", "pattern"),
    ("local file", {"type": "file", "external_id": "e", "source": "local"}, "source", "enum"),
    ("rich text without section", rich_block(BOLD), "elements/0/type", "unsupported type: text"),
    ("rich text inline", rich({"type": "hologram"}), "elements/0/elements/0/type", "unsupported type"),
    ("rich text without words", rich(BOLD | {"text": ""}), "elements/0/elements/0/text", "more than 0"),
    ("rich text style", rich(BOLD | {"style": {"bold": 1}}), "elements/0/elements/0/style/bold", "boolean"),
    ("rich list style", rich_block(rich_list(style="roman")), "elements/0/style", "enum"),
    ("rich list indent", rich_block(rich_list(indent=9)), "elements/0/indent", "at most 8"),
    ("empty table", {"type": "table", "rows": []}, "rows", "no fewer than 1"),
    ("empty cell", table(cell=0), "rows/0/0/text", "more than 0"),
    ("mrkdwn cell", {"type": "table", "rows": [[mrkdwn()]]}, "rows/0/0/type", "unsupported type: mrkdwn"),
    ("column settings", table() | {"column_settings": [{"align": "top"}]}, "column_settings/0/align", "enum"),
    ("only a header", data_table(rows=1), "rows", "no fewer than 2"),
    (
        "uneven rows",
        data_table() | {"rows": table()["rows"] + table(columns=2)["rows"]},
        "rows",
        "same number",
    ),
    ("rich header", data_table() | {"rows": [[rich()], *table()["rows"]]}, "rows/0/0", "header"),
    ("donut", pie(chart={"type": "donut"}), "chart/type", "unsupported type: donut"),
    ("an empty slice", pie_of("a", 0), "chart/segments/0/value", "greater than 0"),
    ("a pie of words", pie_of("a", "1"), "chart/segments/0/value", "number"),
    ("a slice without name", pie_of("", 1), "chart/segments/0/label", "more than 0"),
    ("no axis", pie(chart={"type": "line", "series": []}), "chart", "axis_config"),
    ("a label off the axis", line_of("s", categories=["b"]), "chart/series/0/data", "exactly one entry"),
    ("a series with a gap", line_of("s", categories=["a", "b"]), "chart/series/0/data", "exactly one entry"),
    ("two series of one name", line_of("s", "s", categories=["a"]), "chart/series/1", "already exists"),
    ("empty card", {"type": "card"}, "", "at least one of"),
    ("two card icons", card(icon=image(), slack_icon={"type": "icon", "name": "star"}), "", "not have both"),
    ("container in a container", container(container(section())), "child_blocks/0/type", "unsupported type"),
    ("plan title", {"type": "plan", "title": plain()}, "title", "must provide a string"),
]

# The same for elements, inside an actions block.
REFUSED_ELEMENTS: list[tuple[str, Part, str, str]] = [
    ("unknown element", {"type": "slider"}, "type", "unsupported type: slider"),
    ("image", image(), "type", "unsupported type: image"),
    ("text input", {"type": "plain_text_input"}, "type", "unsupported type"),
    ("mrkdwn button", button(text=mrkdwn()), "text/type", "unsupported type: mrkdwn"),
    ("button without text", {"type": "button"}, "", "missing required field: text"),
    ("workflow button without action_id", workflow_button(), "", "missing required field: action_id"),
    ("style", button(style="default"), "style", "valid enum value: primary, danger"),
    ("style that is no string", button(style=["primary"]), "style", "valid enum value"),
    ("half a confirmation", button(confirm={"title": plain()}), "confirm", "missing required field: deny"),
    ("confirmation style", button(confirm=confirm(style="x")), "confirm/style", "enum"),
    ("mrkdwn confirmation", button(confirm=confirm(text=mrkdwn())), "confirm/text/type", "mrkdwn"),
    ("no options", select(options=[]), "options", "no fewer than 1"),
    ("no list of options", {"type": "static_select"}, "", "exactly one of"),
    ("two lists of options", grouped(options=options(2)), "", "exactly one of"),
    ("mrkdwn option", select(options=[option(text=mrkdwn())]), "options/0/text/type", "mrkdwn"),
    ("option without value", select(options=[{"text": plain()}]), "options/0", "value"),
    ("url in a select", select(options=[option(url="u")]), "options/0", "additional property: url"),
    ("foreign initial option", select(initial_option=option()), "initial_option", "exactly match"),
    (
        "foreign initial options",
        {"type": "checkboxes", "options": options(2), "initial_options": [option()]},
        "initial_options/0",
        "exactly match",
    ),
    ("nothing to choose", {"type": "multi_users_select", "max_selected_items": 0}, "max_selected_items", "1"),
    ("empty filter", {"type": "conversations_select", "filter": {}}, "filter", "at least one of"),
    ("date format", {"type": "datepicker", "initial_date": "29/02/2028"}, "initial_date", "pattern"),
    ("no such date", {"type": "datepicker", "initial_date": "2027-02-29"}, "initial_date", "exists"),
    ("no such time", {"type": "timepicker", "initial_time": "24:00"}, "initial_time", "pattern"),
    ("milliseconds", {"type": "datetimepicker", "initial_date_time": 10**12}, "initial_date_time", "at most"),
    (
        "a moment in words",
        {"type": "datetimepicker", "initial_date_time": "1"},
        "initial_date_time",
        "integer",
    ),
]

# The same for typed inputs, inside an input block.
REFUSED_INPUTS: list[tuple[str, Part, str, str]] = [
    ("button", button(), "type", "unsupported type: button"),
    ("max_length 0", {"type": "plain_text_input", "max_length": 0}, "max_length", "at least 1"),
    ("min_length below 0", {"type": "plain_text_input", "min_length": -1}, "min_length", "at least 0"),
    ("min over max", {"type": "plain_text_input", "min_length": 2, "max_length": 1}, "min_length", "greater"),
    ("a length of true", {"type": "plain_text_input", "min_length": True}, "min_length", "integer"),
    ("number without decimals", {"type": "number_input"}, "", "is_decimal_allowed"),
    ("numbers reversed", number_input(min_value="10", max_value="9"), "min_value", "greater"),
    ("number in words", number_input(initial_value="ten"), "initial_value", "pattern"),
    (
        "dispatch",
        {"type": "url_text_input", "dispatch_action_config": {"trigger_actions_on": ["x"]}},
        "dispatch_action_config/trigger_actions_on/0",
        "enum",
    ),
    ("lines reversed", {"type": "rich_text_input", "min_lines": 9, "max_lines": 3}, "min_lines", "greater"),
    ("no files", {"type": "file_input", "max_files": 0}, "max_files", "at least 1"),
]

REFUSED = [
    *[(name, block, f"/blocks/0/{path}", words) for name, block, path, words in REFUSED_BLOCKS],
    *[(name, actions(part), f"/blocks/0/elements/0/{path}", words) for name, part, path, words in REFUSED_ELEMENTS],
    *[(name, ask(part), f"/blocks/0/element/{path}", words) for name, part, path, words in REFUSED_INPUTS],
]


@pytest.mark.parametrize("block", [pytest.param(block, id=name) for name, block in ACCEPTED])
def test_accepted(block: Part) -> None:
    assert in_message(block) == []


@pytest.mark.parametrize(("block", "path", "words"), [pytest.param(*row, id=name) for name, *row in REFUSED])
def test_refused(block: Part, path: str, words: str) -> None:
    refusals = in_message(block)
    assert [each for each in refusals if each.path == path.rstrip("/") and words in each.sentence], refusals
    assert {each.code for each in refusals} == {"invalid_blocks"}
    assert all(each.reference.startswith("https://docs.slack.dev/reference/block-kit/") for each in refusals)


def codes(refusals: list[Refusal]) -> list[tuple[str, str]]:
    return [(each.code, each.path) for each in refusals]


def test_a_message_needs_words_or_blocks() -> None:
    nothing: tuple[object, ...] = (None, [])
    for blocks in nothing:
        assert codes(message_refusals(None, blocks)) == [("no_text", "/text")]
        assert codes(message_refusals("", blocks)) == [("no_text", "/text")]
        assert message_refusals("hello", blocks) == []
    assert message_refusals(None, [section()]) == []


@pytest.mark.parametrize("blocks", ["[]", {}, {"type": "section"}, 7, True])
def test_blocks_are_a_list(blocks: object) -> None:
    assert codes(message_refusals("hello", blocks)) == [("invalid_blocks_format", "/blocks")]


def test_50_blocks_a_message() -> None:
    check_edge(in_message(*[section()] * 50), in_message(*[section()] * 51), "/blocks")


def test_only_an_update_is_limited_to_4000_characters() -> None:
    assert update_refusals("x" * 4000, None) == []
    assert codes(update_refusals("x" * 4001, None)) == [("msg_too_long", "/text")]
    assert message_refusals("x" * 40_001, None) == []
    assert codes(update_refusals(None, None)) == [("no_text", "/text")]


def test_one_table_a_message_wherever_it_is() -> None:
    assert codes(in_message(table(), table())) == [("invalid_attachments", "/blocks/1")]
    assert codes(in_message(table(), container(table()))) == [("invalid_attachments", "/blocks/1/child_blocks/0")]


def test_two_charts_a_message() -> None:
    assert in_message(pie(), bars()) == []
    assert codes(in_message(pie(), bars(), pie())) == [("invalid_blocks", "/blocks/2")]


def test_markdown_12000_characters_together() -> None:
    assert in_message(markdown(6000), markdown(6000)) == []
    assert codes(in_message(markdown(6000), markdown(6001))) == [("invalid_blocks", "/blocks/1")]


def test_table_10000_characters() -> None:
    assert in_message(table(rows=100, cell=100)) == []
    assert codes(in_message(table(rows=100, cell=101))) == [("invalid_blocks", "/blocks/0")]


def test_11000_characters_in_blocks() -> None:
    full = [section(text=mrkdwn(2750)) for _ in range(4)]
    assert in_message(*full) == []
    assert codes(in_message(*full, section())) == [("msg_blocks_too_long", "/blocks")]


def test_block_ids_are_unique_in_a_payload() -> None:
    twice = [section(block_id="a"), {"type": "divider", "block_id": "b"}, section(block_id="a")]
    assert codes(in_message(*twice)) == [("invalid_blocks", "/blocks/2/block_id")]
    assert codes(in_modal(*twice)) == [("invalid_arguments", "/view/blocks/2/block_id")]
    inside = container(section(block_id="a"))
    assert codes(in_message(section(block_id="a"), inside)) == [("invalid_blocks", "/blocks/1/child_blocks/0/block_id")]
    assert in_message(markdown(block_id="a"), markdown(block_id="a")) == []


def test_the_same_action_id_in_two_blocks_is_fine() -> None:
    assert in_message(actions(button(action_id="a")), actions(button(action_id="a"))) == []


MESSAGE_ONLY = [markdown(), table(), data_table(), pie(), {"type": "plan", "title": "p"}]


@pytest.mark.parametrize("block", MESSAGE_ONLY, ids=lambda block: block["type"])
def test_blocks_for_messages_only(block: Part) -> None:
    assert in_message(block) == []
    assert codes(in_modal(block)) == [("invalid_arguments", "/view/blocks/0/type")]
    assert codes(view_refusals(home(block), "home")) == [("invalid_arguments", "/view/blocks/0/type")]


def test_alerts_are_for_modals_only() -> None:
    assert in_modal(alert(level="warning")) == []
    assert codes(in_message(alert())) == [("invalid_blocks", "/blocks/0/type")]
    assert codes(view_refusals(home(alert()), "home")) == [("invalid_arguments", "/view/blocks/0/type")]


def test_a_modal_with_an_input_has_a_submit() -> None:
    asking = modal(typed_input("plain_text_input"))
    assert view_refusals(asking, "modal") == []
    del asking["submit"]
    assert codes(view_refusals(asking, "modal")) == [("invalid_arguments", "/view")]
    assert view_refusals(home(typed_input("plain_text_input")), "home") == []


def test_one_element_has_the_focus() -> None:
    focused = typed_input("plain_text_input", focus_on_load=True)
    assert in_modal(focused, typed_input("plain_text_input", focus_on_load=False)) == []
    assert codes(in_modal(focused, focused)) == [("invalid_arguments", "/view/blocks/1/element/focus_on_load")]


@pytest.mark.parametrize(
    ("view", "surface", "path"),
    [
        (modal(), "home", "/view/type"),
        (home(), "modal", "/view/type"),
        (home(title=plain()), "home", "/view"),
        (modal(title=mrkdwn()), "modal", "/view/title/type"),
        (modal(hash="1"), "modal", "/view"),
        ({"type": "modal", "blocks": []}, "modal", "/view"),
        ({"type": "home"}, "home", "/view"),
        ("{}", "modal", "/view"),
    ],
)
def test_shape_of_a_view(view: object, surface: Any, path: str) -> None:
    refusals = view_refusals(view, surface)
    assert ("invalid_arguments", path) in codes(refusals)
    assert refusals[0].reference.startswith("https://docs.slack.dev/reference/views/")


def test_a_view_is_at_most_250_kb() -> None:
    filled = [section(text=plain(2400)) for _ in range(100)]
    assert in_modal(*filled) == []
    filled += [section(text=plain(3000)) for _ in range(2)]
    assert ("view_too_large", "/view") in codes(in_modal(*filled))


@pytest.mark.parametrize(
    ("metadata", "path"),
    [
        ({"event_type": "reply", "event_payload": {"id": "1", "parts": [{"a": 1}]}}, None),
        ({"entities": [{}]}, None),
        ({}, None),
        (None, "/metadata"),
        ([], "/metadata"),
        ("reply", "/metadata"),
        ({"event_type": "reply"}, "/metadata"),
        ({"event_payload": {}}, "/metadata"),
        ({"event_type": "", "event_payload": {}}, "/metadata/event_type"),
        ({"event_type": 7, "event_payload": {}}, "/metadata/event_type"),
        ({"event_type": "reply", "event_payload": "1"}, "/metadata/event_payload"),
        ({"event_type": "reply", "event_payload": {}, "note": 1}, "/metadata"),
    ],
)
def test_metadata(metadata: object, path: str | None) -> None:
    expected = [("invalid_metadata_format", path)] if path else []
    assert codes(metadata_refusals(metadata)) == expected


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
NAMES = st.sampled_from(sorted({*BLOCKS, *ELEMENTS, "type", "text", "elements", "options", "rows", "chart", "title"}))
JSON = st.recursive(
    SCALARS | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=8), inner, max_size=5),
    max_leaves=25,
)
ANY_BLOCK = st.fixed_dictionaries({"type": st.sampled_from(sorted(BLOCKS))}).flatmap(
    lambda start: st.dictionaries(
        st.sampled_from(sorted({**BLOCKS[start["type"]].needs, **BLOCKS[start["type"]].may})), JSON
    ).map(lambda fields: {**fields, **start})
)


@settings(max_examples=150, deadline=None)
@given(JSON | st.lists(ANY_BLOCK | JSON, max_size=4))
def test_any_json_is_answered_with_a_list(value: Any) -> None:
    view = {"type": "modal", "title": value, "blocks": value}
    for refusals in (
        message_refusals(None, value),
        update_refusals("text", value),
        view_refusals(value, "modal"),
        view_refusals(view, "home"),
        metadata_refusals(value),
    ):
        assert all(isinstance(refusal, Refusal) for refusal in refusals)
        assert all(refusal.reference.startswith("https://docs.slack.dev/") for refusal in refusals)
