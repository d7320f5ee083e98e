"""README.md names what exists, and all of it; and the demo prints what README.md shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot import demo
from bot.__main__ import app
from bot.settings import Settings
from bot.tickets.grammar import VERBS, Verb
from tests.conftest import Office
from tests.web_app import EXAMPLES, for_role, web_app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")


def default_of(name: str) -> str:
    """A setting's default as a person writes it."""
    field = Settings.model_fields[name]
    if field.is_required():
        return "required"
    if field.default in (None, ()):
        return "none"
    return f"`{field.default:g}`" if isinstance(field.default, float) else f"`{field.default}`"


def test_every_setting_is_listed_with_its_default() -> None:
    listed = re.findall(r"^\| `([A-Z_]+)` \| (\S+) \| .+ \|$", README, re.MULTILINE)
    assert sorted(listed) == sorted((name.upper(), default_of(name)) for name in Settings.model_fields)


def test_the_example_of_settings_has_every_one() -> None:
    to_fill_in = re.findall(r"^([A-Z_]+)=$", EXAMPLE, re.MULTILINE)
    assert {name.lower() for name in to_fill_in} == {
        name for name, field in Settings.model_fields.items() if field.is_required()
    }
    others = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert {name.lower() for name in others} == Settings.model_fields.keys() - {name.lower() for name in to_fill_in}
    shown = {name: f"`{value}`" for name, value in others.items() if default_of(name.lower()) != "none"}
    assert shown == {name: default_of(name.lower()) for name in shown}


def test_every_make_target_is_there() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)) == set(targets)


def test_every_command_is_there() -> None:
    commands = {name for name in app if not name.startswith("-")}
    assert set(re.findall(r"python -m bot ([a-z]+)", README)) == commands


def row_of(verb: Verb) -> str:
    usage = verb.usage.replace("|", r"\|")
    who = "agents" if verb.agents_only else "everybody"
    return f"| `{usage}` | {verb.does} | `/ticket {verb.typed}` | {who} |"


def test_every_verb_is_listed_with_its_example() -> None:
    table = README.partition("| verb |")[2].partition("\n\n")[0]
    assert table.splitlines()[2:] == [row_of(verb) for verb in VERBS.values()]


def anchor(heading: str) -> str:
    """As GitHub makes it: https://docs.github.com/get-started/writing-on-github (section links)"""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_links_lead_somewhere() -> None:
    anchors = {anchor(heading) for heading in re.findall(r"^#+ (.+)$", README, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)\s]+)\)", README):
        path, _, fragment = target.partition("#")
        if "://" in target:
            continue
        assert (ROOT / path).exists(), target
        assert not fragment or fragment in anchors, target


def scenes(transcript: str) -> dict[str, list[str]]:
    """The lines under each heading, without times of day."""
    parts = re.split(r"^── ", re.sub(r"\d\d:\d\d:\d\d", "hh:mm:ss", transcript), flags=re.MULTILINE)[1:]
    return {heading: lines for heading, *lines in map(str.splitlines, parts)}


async def test_a_program_that_may_read_names_and_numbers_answers_a_customer_in_slack(
    office: Office, database_url: str
) -> None:
    *_, may_read, answers = EXAMPLES
    root = await office.world.ada.post(office.world.help, "The export fails")
    await office.at_rest()
    async with web_app(database_url, office.sql) as web:
        await office.sql.execute(for_role(web.role, may_read))
        await web.sql.execute(answers)
    await office.at_rest()
    assert "It works again." in office.thread(root)
    assert "Grace Hopper" in office.thread(root)[0]


async def test_a_program_without_rights_of_its_own_does_what_the_examples_show(
    office: Office, database_url: str
) -> None:
    _, opens, writes_on, rates, reads, *_ = EXAMPLES
    async with web_app(database_url, office.sql) as web:
        await web.sql.execute(opens)
        await web.sql.execute(writes_on)
        await office.at_rest()
        assert "From *Mary Somerville* (mary@initech.example)" in office.card().text
        assert "Customer writes by e-mail" in office.card().text
        assert office.thread(office.card()) == ["It has last month on it.", "And the address is the old one."]
        assert (await office.world.linus.command("/ticket", "reply 1 Sent again", channel=office.world.triage)).ok
        await office.at_rest()
        await web.sql.execute(rates)
        await office.at_rest()
        assert "★★★★★" in office.card().text
        assert [tuple(row.values())[::2] for row in await web.sql.fetch(reads)] == [
            ("mary@initech.example", "Sent again")
        ]


async def test_the_demo_plays_to_its_end_and_prints_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert await demo.play() == 0
    printed = scenes(capsys.readouterr().out)
    shown = scenes(next(block for block in README.split("```")[1::2] if block.startswith("\n── ")))
    for heading, lines in shown.items():
        # Within a scene the order may differ: channels do not wait for each other.
        assert set(lines) - {"", "…"} <= set(printed[heading]), heading
