"""Every word that a person can read in Slack stands in the `words` of its room, and nowhere else in it.

Looked for are strings with prose in them (two words, or a word beside a value) and labels (one capitalised word). What
no person in Slack reads may stand anywhere: docstrings, log messages, SQL, the names of locks, patterns, what people
are to type (a verb's usage and example, lists of words that are read), what is raised for whoever reads the log, and
the whole of `bot/*.py`: settings errors, the help of metrics and the output of `python -m bot …`. A word in lower case
that stands alone cannot be told from a name: there, whoever reads the change has to look.
"""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.tickets.grammar import VERBS
from bot.tickets.permissions import Operation
from bot.tickets.words import grammar, operations

ROOT = Path(__file__).parent.parent
ROOMS = ("blocks", "tickets", "listeners", "delivery")
#: A placeholder stands for each value.
VALUE = "{}"
WORD = r"[^\W\d_]+(?:['’-][^\W\d_]+)*"
PROSE = re.compile(
    rf"{WORD}[,.;:!?…)”*_]* [(“*_]*{WORD}"
    r"|\{\}[,.;:!?…)”*_]* [(“*_]*[^\W\d_]{2,}"
    r"|[^\W\d_]{2,}[,.;:!?…)”*_]* [#(“*_]*\{\}"
)
LABEL = re.compile(r"[A-Z][a-z]+…?")
#: Raised for whoever reads the log. Sentences for people are raised as Refused, Overtaken, Misunderstood and `wrong`.
FOR_THE_LOG = {"ValueError", "SlackRefused", "Unclear", "ClientPayloadError", "__init__"}
#: Their strings are names: of locks, of what is remembered once, of patterns and types.
NAMES = {"serialise", "in_turn", "remember", "_leave", "compile", "TypeVar", "cast"}
#: Functions whose strings tell developers, or the log, what is wrong with a message, a request or an answer.
NOT_SHOWN = {
    "blocks/surface.py": {"__post_init__", "_problems", "home"},
    "listeners/http.py": {"malformed"},
    "delivery/slack.py": {"_why"},
    "delivery/porter.py": {"_serve"},
}
#: Headers of HTTP.
TECHNICAL = {"Authorization", "Bearer {}"}
PLAIN_TYPES = re.compile(r"__future__|collections\.abc|datetime|typing|storage\.\w+")


class Strings(ast.NodeVisitor):
    """The strings of a module that people could read, each with its line."""

    def __init__(self, not_shown: set[str]) -> None:
        self.found: list[tuple[int, str]] = []
        self._not_shown = not_shown

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if node.name not in self._not_shown:
            for part in (*node.args.defaults, *node.args.kw_defaults, *node.body):
                if part is not None:
                    self.visit(part)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the names are ast's

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None and ast.unparse(node.annotation) != "TypeAlias":
            self.visit(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if ast.unparse(node.value) != "Literal":
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        is_logged = ast.unparse(node.func).startswith("log.")
        is_list_of_words = called == "split" and ast.unparse(node.func)[0] in "'\""
        if called == "Verb":
            return  # Its strings are what people type.
        if not (is_logged or is_list_of_words or called in FOR_THE_LOG | NAMES):
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts = (str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values)
        self.found.append((node.lineno, "".join(parts)))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.found.append((node.lineno, node.value))


def spoken(source: str, not_shown: set[str]) -> Iterator[tuple[int, str]]:
    """The prose and the labels in a module."""
    strings = Strings(not_shown)
    strings.visit(ast.parse(source))
    for line, text in ((line, html.unescape(text)) for line, text in strings.found):
        if text not in TECHNICAL and (PROSE.search(text) or LABEL.fullmatch(text)):
            yield line, text


def is_words(path: Path) -> bool:
    return path.stem == "words" or path.parent.name == "words"


def modules(room: str) -> list[Path]:
    return sorted((ROOT / "bot" / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_what_people_read_stands_in_the_words_of_its_room(room: str) -> None:
    found = []
    for path in modules(room):
        name = str(path.relative_to(ROOT / "bot"))
        if not is_words(path):
            source = path.read_text(encoding="utf-8")
            found += [f"{name}:{line}: {text!r}" for line, text in spoken(source, NOT_SHOWN.get(name, set()))]
    assert found == [], f"these belong in the words of bot/{room}"


@pytest.mark.parametrize("room", ROOMS)
def test_words_know_nothing_of_what_is_done_with_them(room: str) -> None:
    """Whoever translates them need read nothing else; they may name the plain types of rows."""
    for path in filter(is_words, modules(room)):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not isinstance(node, ast.Import) or [one.name for one in node.names] == ["datetime"], path
            if isinstance(node, ast.ImportFrom):
                assert PLAIN_TYPES.fullmatch(node.module or ""), f"{path} imports {node.module}"


@pytest.mark.parametrize(
    "source",
    [
        'raise Refused("No such ticket.")',
        'raise Refused(f"Ticket {number} is closed.")',
        'said = f"#{number} is yours."',
        'button("Claim", Action.CLAIM)',
        'offered = [("Set up…", Action.SET_UP)]',
        'some(names, more=f"{count} more")',
        'label = "Close" if open_ else "Reopen"',
        'facts([f"from {name}"])',
        'x: str = "Not a ticket"',
        'def confirm(no: str = "Cancel") -> None: ...',
        'raise Misunderstood(f"{mistake} Try: {hint}")',
    ],
)
def test_prose_and_labels_are_found(source: str) -> None:
    assert list(spoken(source, set()))


@pytest.mark.parametrize(
    "source",
    [
        '"""What it does."""',
        'def ask() -> "Verb":\n    """What it does."""',
        'log.warning("the database cannot be reached", error=str(error))',
        'raise ValueError("no place in a list")',
        'await tickets.serialise(tx, "email of", team_id)',
        'PATTERN = re.compile("thank you")',
        'THANKS = frozenset("thank thanks".split())',
        'key = f"view:{view_id}"',
        'JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str"',
        'tx.run("update", at=f"{at:%H:%M}")',
        'state = {"role": "support"}["role"]',
    ],
)
def test_what_no_person_reads_is_left_alone(source: str) -> None:
    assert list(spoken(source, set())) == []


def test_every_verb_and_every_operation_has_its_words() -> None:
    assert list(grammar.DOES) == list(VERBS)
    assert set(grammar.DOES_FOR_CUSTOMERS) == {name for name, verb in VERBS.items() if verb.usage_for_customers}
    assert list(operations.CAN) == list(Operation)
