"""What is rendered for a customer is made of types that cannot hold a note, however they are filled."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest

from bot.blocks import answers, customer, mirror
from bot.tickets import listing, views
from storage.tickets import Noted, Ticket

#: What speaks of what customers do not see, as a field's name or a literal value.
INSIDE = re.compile(r"(^|_)(notes?|noted|internal|held)(_|$)", re.IGNORECASE)
NOT_FOR_CUSTOMERS = {Noted, listing.ShownToAgent, views.NoteMirror, views.HeldReply, views.EmailClaim, views.Card}


def rendered(renderer: Any) -> set[Any]:
    """The types of what a renderer takes."""
    return {hint for name, hint in get_type_hints(renderer).items() if name != "return"}


def for_customers() -> set[Any]:
    """Whatever the renderers of the customer's thread take, and what answers and mirrors make for anybody."""
    renderers = [
        one for _, one in inspect.getmembers(customer, inspect.isfunction) if one.__module__ == customer.__name__
    ]
    assert {customer.status, customer.root, customer.question} <= set(renderers)
    shared = [mirror.mirror, answers.shown, answers.page]
    return {one for renderer in (*renderers, *shared) for one in rendered(renderer)}


def parts(kind: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """A type with all that its fields, arguments and their fields are, each under its path."""
    yield path, kind
    for argument in get_args(kind):
        yield from parts(argument, path)
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        for field in dataclasses.fields(kind):
            yield from parts(hints[field.name], f"{path}.{field.name}")


def could_hold_a_note(kind: Any) -> list[str]:
    found = []
    for path, part in parts(kind):
        named = INSIDE.search(path.rpartition(".")[2]) or (isinstance(part, str) and INSIDE.search(part))
        typed = inspect.isclass(part) and part in NOT_FOR_CUSTOMERS
        if named or typed:
            found.append(f"{path}: {part}")
    return found


@pytest.mark.parametrize("kind", sorted(for_customers(), key=str), ids=str)
def test_no_field_could_hold_a_note(kind: Any) -> None:
    assert could_hold_a_note(kind) == []


@pytest.mark.parametrize("kind", sorted(NOT_FOR_CUSTOMERS - {views.Card, views.EmailClaim}, key=str), ids=str)
def test_the_search_finds_what_it_is_to_find(kind: Any) -> None:
    assert could_hold_a_note(kind) != []


@pytest.mark.parametrize("kind", [views.Status, views.Question, views.Root, views.Mirror])
def test_what_stands_in_the_customers_thread_is_of_known_types_alone(kind: Any) -> None:
    assert {part for _, part in parts(kind)}.isdisjoint({Any, dict, Ticket})


def test_a_type_within_a_type_is_found() -> None:
    @dataclasses.dataclass
    class Row:
        notes: str

    @dataclasses.dataclass
    class Page:
        rows: list[Row]

    Page.__annotations__["rows"] = list[Row]
    assert could_hold_a_note(Page) == [".rows.notes: <class 'str'>"]
