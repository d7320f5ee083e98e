"""How a person fills in a form, and what Slack's client does not let them send.

https://docs.slack.dev/reference/block-kit/block-elements
"""

from collections.abc import Iterable
from typing import Any

from bot.sandbox.errors import CannotDo
from bot.sandbox.forms import VALUE_FIELDS, all_elements
from bot.sandbox.references import INPUT_BLOCK
from bot.sandbox.workspace import View

Json = dict[str, Any]


def fill(view: View, values: Json) -> None:
    """Set elements by ``{block_id: value}``, or ``{block_id: {action_id: value}}`` where there are several. An input's
    label does for its block_id, as people see it.

    A value is a text, an option's value, a person or channel (or an id), or a list of these.
    """
    for name, given in values.items():
        block = _named(view, name)
        block_id = block["block_id"]
        elements = [element for _, element in all_elements([block]) if element["type"] in VALUE_FIELDS]
        if not isinstance(given, dict):
            given = {elements[0]["action_id"]: given} if len(elements) == 1 else {"": given}  # noqa: PLW2901
        for action_id, value in given.items():
            element = next((e for e in elements if e["action_id"] == action_id), None)
            if element is None:
                raise CannotDo(f"Block {block_id!r} has nothing to fill in as {action_id!r}.", INPUT_BLOCK)
            view["state"]["values"][block_id][action_id] = entered(element, value)


def _named(view: View, name: str) -> Json:
    blocks: list[Json] = view["blocks"]
    labels = {block["block_id"]: block["label"]["text"] for block in blocks if block["type"] == "input"}
    for block in blocks:
        if name in (block["block_id"], labels.get(block["block_id"])):
            return block
    known = ", ".join(f"{label!r} ({block_id})" for block_id, label in labels.items())
    raise CannotDo(f"The form has no block {name!r}, only {known}.", INPUT_BLOCK)


def entered(element: Json, value: Any) -> Json:
    """An element's value as it is kept in ``state.values`` and sent in actions."""
    name = VALUE_FIELDS[element["type"]]
    if name == "selected_option":
        kept: Any = None if value is None else option(element, value)
    elif name == "selected_options":
        kept = [option(element, each) for each in _listed(value)]
    elif name.startswith("selected_") and name.endswith("s"):
        kept = [_id(each) for each in _listed(value)]
    else:
        kept = _id(value)
    return {"type": element["type"], name: kept}


def option(element: Json, value: str) -> Json:
    """The option with that value. Options of an external select come from the app and are taken as given."""
    groups = element.get("option_groups", [])
    options = [*element.get("options", []), *(o for group in groups for o in group["options"])]
    found = next((o for o in options if o.get("value") == value), None)
    if found is None and element["type"].endswith("external_select"):
        return {"text": {"type": "plain_text", "text": value, "emoji": True}, "value": value}
    if found is None:
        shown = ", ".join(str(o.get("value")) for o in options)
        raise CannotDo(f"There is no option {value!r}, only {shown}.", INPUT_BLOCK)
    return {"text": found["text"], "value": found["value"]}


def check_complete(view: View) -> None:
    """Raise CannotDo for what the client refuses to submit: an empty required input, a wrong length."""
    for block, element in all_elements(view["blocks"]):
        if block["type"] != "input" or element["type"] not in VALUE_FIELDS:
            continue
        name = VALUE_FIELDS[element["type"]]
        value = view["state"]["values"][block["block_id"]][element["action_id"]][name]
        label = block["label"]["text"]
        if value in (None, "", []):
            if not block.get("optional"):
                raise CannotDo(f"{label!r} is required.", INPUT_BLOCK)
            continue
        least, most = element.get("min_length", 0), element.get("max_length", 3000)
        if name == "value" and not least <= len(str(value)) <= most:
            raise CannotDo(f"{label!r} must have from {least} to {most} characters.", INPUT_BLOCK)


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _id(value: Any) -> Any:
    return getattr(value, "id", value)
