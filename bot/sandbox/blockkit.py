"""What Slack refuses in messages, views and metadata.

The rules for single blocks and elements are the tables of `blockkit_rules`; here is what concerns a payload
as a whole. Every function takes parsed JSON of any shape, never raises, and returns [] where Slack accepts.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from bot.sandbox.blockkit_rules import (
    BLOCKS,
    DOCS,
    IDENTIFIER,
    KIT,
    ONLY_ON,
    PLAIN,
    Check,
    Json,
    Place,
    Refusal,
    Thing,
    an_object,
    array,
    boolean,
    objects,
    one_of,
    string,
    typed,
)
from bot.sandbox.blockkit_rules import text as text_object

__all__ = ["Refusal", "message_refusals", "metadata_refusals", "update_refusals", "view_refusals"]

Surface = Literal["message", "modal", "home"]
Placed = list[tuple[Json, Place]]

POST = f"{DOCS}reference/methods/chat.postMessage"
UPDATE = f"{DOCS}reference/methods/chat.update"
METADATA = f"{DOCS}messaging/message-metadata"
OPEN = f"{DOCS}reference/methods/views.open"
VIEW_PAGE = {"modal": f"{DOCS}reference/views/modal-views", "home": f"{DOCS}reference/views/home-tab-views"}

MESSAGE_BLOCKS, VIEW_BLOCKS = 50, 100
UPDATE_TEXT = 4_000
MARKDOWN_TEXT = 12_000
TABLE_TEXT = 10_000
CHARTS = 2
VIEW_BYTES = 250_000
# Slack names the error but no number. Reported, without markdown blocks: 9,597 accepted, 11,341 refused.
# https://github.com/slackapi/bolt-js/issues/2867
BLOCKS_TEXT = 11_000


def message_refusals(text: str | None, blocks: object) -> list[Refusal]:
    """Why chat.postMessage, chat.postEphemeral or a response_url refuses these arguments.

    `blocks` is the parsed JSON, None where the argument was not given. A text over 40,000 characters is cut,
    not refused: https://docs.slack.dev/reference/methods/chat.postMessage
    """
    return list(_message(text, blocks, POST))


def update_refusals(text: str | None, blocks: object) -> list[Refusal]:
    """Why chat.update refuses these arguments: as for a new message, and a text over 4,000 characters.

    https://docs.slack.dev/reference/methods/chat.update
    """
    refusals = list(_message(text, blocks, UPDATE))
    if text and len(text) > UPDATE_TEXT:
        sentence = f"must be less than {UPDATE_TEXT + 1} characters"
        refusals.append(Place("/text", UPDATE).refuse(sentence, "msg_too_long"))
    return refusals


def view_refusals(view: object, surface: Literal["modal", "home"]) -> list[Refusal]:
    """Why views.open, push and update (`modal`) or views.publish (`home`) refuse a view.

    Paths begin with "/view". https://docs.slack.dev/reference/views
    """
    place = Place("/view", VIEW_PAGE[surface])
    refusals = list(VIEWS[surface](view, place))
    if isinstance(view, dict):
        refusals += _whole_view(view, place, surface)
    return [replace(each, code="invalid_arguments") if each.code == "invalid_blocks" else each for each in refusals]


def metadata_refusals(metadata: object) -> list[Refusal]:
    """Why a message's metadata is refused: it is an event type with a payload, or Work Object entities.

    An empty object takes a message's metadata away (chat.update). What the payload holds is the app's own
    business; Slack publishes no number for its size. https://docs.slack.dev/messaging/message-metadata
    """
    entities_alone = isinstance(metadata, dict) and metadata.keys() <= {"entities"}
    shape = ENTITIES if entities_alone else EVENT
    refusals = shape(metadata, Place("/metadata", METADATA))
    return [replace(each, code="invalid_metadata_format") for each in refusals]


ENTITIES = Thing(may={"entities": array(an_object)})
EVENT = Thing(needs={"event_type": string(least=1), "event_payload": an_object}, may=ENTITIES.may)

SHARED_VIEW_FIELDS: dict[str, Check] = {
    "private_metadata": string(3000),
    "callback_id": IDENTIFIER,
    "external_id": string(),
}
VIEWS = {
    "modal": Thing(
        needs={
            "type": one_of("modal"),
            "title": text_object(24, PLAIN),
            "blocks": array(typed(BLOCKS), 0, VIEW_BLOCKS),
        },
        may={
            **SHARED_VIEW_FIELDS,
            "close": text_object(24, PLAIN),
            "submit": text_object(24, PLAIN),
            "clear_on_close": boolean,
            "notify_on_close": boolean,
            "submit_disabled": boolean,
        },
    ),
    "home": Thing(
        needs={"type": one_of("home"), "blocks": array(typed(BLOCKS), 0, VIEW_BLOCKS)}, may=SHARED_VIEW_FIELDS
    ),
}


def _message(text: str | None, blocks: object, method: str) -> Iterator[Refusal]:
    place = Place("/blocks", method)
    if blocks is None or blocks == []:
        if not text:
            yield Place("/text", method).refuse("missing required field: text", "no_text")
    elif not isinstance(blocks, list):
        yield place.refuse("must provide an array", "invalid_blocks_format")
    else:
        at_most = replace(place, reference=f"{KIT}blocks")
        yield from array(typed(BLOCKS), 0, MESSAGE_BLOCKS)(blocks, at_most)
        placed = _placed(blocks, place)
        yield from _everywhere(placed, "message")
        yield from _together(blocks, placed, place)


def _whole_view(view: Json, place: Place, surface: Surface) -> Iterator[Refusal]:
    if _bytes(view) > VIEW_BYTES:
        yield replace(place, reference=OPEN).refuse("must be less than 250 kB", "view_too_large")
    placed = _placed(view.get("blocks"), place.at("blocks"))
    yield from _everywhere(placed, surface)
    asks = any(block.get("type") == "input" for block, _ in placed)
    if surface == "modal" and asks and "submit" not in view:
        yield place.refuse("missing required field: submit, because blocks holds an input")
    inside = _objects_inside(view.get("blocks"), place.at("blocks"))
    focused = [spot for part, spot in inside if part.get("focus_on_load") is True]
    for spot in focused[1:]:
        yield spot.at("focus_on_load").refuse("only one element can be set to true")


def _everywhere(placed: Placed, surface: Surface) -> Iterator[Refusal]:
    """What holds on every surface: blocks that belong there, no block_id twice."""
    seen: set[str] = set()
    for block, spot in placed:
        kind, block_id = block.get("type"), block.get("block_id")
        if isinstance(kind, str) and surface not in ONLY_ON.get(kind, (surface,)):
            yield spot.at("type").refuse(f"unsupported type: {kind} is not available in a {surface}")
        # "The block_id is ignored in markdown blocks."
        if isinstance(block_id, str) and block_id and kind != "markdown":
            if block_id in seen:
                yield spot.at("block_id").refuse(f"block_id already exists: {block_id}")
            seen.add(block_id)


def _together(blocks: list[object], placed: Placed, place: Place) -> Iterator[Refusal]:
    """Limits on all blocks of one message together."""
    tables, charts, markdown = (
        [(block, spot) for block, spot in placed if block.get("type") in kinds]
        for kinds in (("table", "data_table"), ("data_visualization",), ("markdown",))
    )
    for _, spot in tables[1:]:
        yield spot.refuse("only_one_table_allowed", "invalid_attachments")
    for _, spot in charts[CHARTS:]:
        yield spot.refuse(f"no more than {CHARTS} data_visualization blocks allowed")
    for several, most in ((tables, TABLE_TEXT), (markdown, MARKDOWN_TEXT)):
        if _characters([block for block, _ in several]) > most:
            yield several[-1][1].refuse(f"must be less than {most + 1} characters together")
    if _characters([block for block in objects(blocks) if block.get("type") != "markdown"]) > BLOCKS_TEXT:
        sentence = f"must be less than {BLOCKS_TEXT + 1} characters together"
        yield replace(place, reference=POST).refuse(sentence, "msg_blocks_too_long")


def _placed(blocks: object, place: Place) -> Placed:
    """Every block that is an object, with its place and its own page; a container's children follow it."""
    found: Placed = []
    for index, block in enumerate(blocks if isinstance(blocks, list) else []):
        if isinstance(block, dict):
            kind = block.get("type")
            page = KIT + BLOCKS[kind].page if isinstance(kind, str) and kind in BLOCKS else place.reference
            spot = replace(place.at(index), reference=page)
            found.append((block, spot))
            if kind == "container":
                found += _placed(block.get("child_blocks"), spot.at("child_blocks"))
    return found


def _objects_inside(value: object, place: Place) -> Placed:
    """Every object at any depth, in the order of the document."""
    found: Placed = []
    waiting: list[tuple[object, Place]] = [(value, place)]
    while waiting:
        item, spot = waiting.pop()
        children: list[tuple[object, Place]] = []
        if isinstance(item, dict):
            found.append((item, spot))
            children = [(child, spot.at(key)) for key, child in item.items()]
        elif isinstance(item, list):
            children = [(child, spot.at(index)) for index, child in enumerate(item)]
        waiting += reversed(children)
    return found


def _characters(blocks: list[Json]) -> int:
    words = [part.get("text") for part, _ in _objects_inside(blocks, Place("", ""))]
    return sum(len(each) for each in words if isinstance(each, str))


def _bytes(view: Json) -> int:
    # A lone surrogate is valid in JSON and in a Python string, not in UTF-8.
    compact = json.dumps(view, ensure_ascii=False, separators=(",", ":"))
    return len(compact.encode("utf-8", "surrogatepass"))
