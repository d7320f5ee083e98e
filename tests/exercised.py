"""A whole run of the tests fails when the desk listens to something that no test has met end to end.

Each process that runs tests notes what Slack's side has delivered to a desk and the desk has done without refusing it.
At the end of a run over everything that passed, whatever has an id in `bot.blocks.ids`, a verb in the grammar or a line
in the manifest must be among that. Of a part of the tests nothing is asked, unless `--exercised` says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncBoltRequest

from bot.blocks.ids import Action, Callback
from bot.listeners.requests import RESULT, CountedApp
from bot.tickets.grammar import VERBS

#: What this process, or with xdist all of them, have seen done.
SEEN: set[str] = set()
UNMET = pytest.StashKey[list[str]]()
CHANNELS = {"channel": "channels", "group": "groups", "im": "im"}


def watch() -> None:
    """Notes what desks of this process do, and changes nothing about it."""
    dispatch = CountedApp.async_dispatch

    async def watched(self: CountedApp, req: AsyncBoltRequest) -> BoltResponse:
        answer = await dispatch(self, req)
        if answer.status == 200 and RESULT not in req.context:
            SEEN.update(ids_in(req.body))
        return answer

    CountedApp.async_dispatch = watched  # type: ignore[method-assign]


def ids_in(body: Mapping[str, Any]) -> Iterable[str]:
    """What a request of Slack's is about, as in `registered`."""
    match body.get("type"):
        case "event_callback":
            event = body["event"]
            kind = CHANNELS.get(event.get("channel_type", ""))
            yield f"event {event['type']}.{kind}" if event["type"] == "message" and kind else f"event {event['type']}"
        case "block_actions":
            yield from (f"action {one['action_id']}" for one in body["actions"])
        case "view_submission":
            yield f"form {body['view']['callback_id']}"
        case "shortcut" | "message_action":
            yield f"shortcut {body['callback_id']}"
        case _ if "command" in body:
            yield f"verb {(body.get('text') or 'new').split()[0]}"
        case _:
            pass


def registered() -> set[str]:
    manifest = yaml.safe_load((Path(__file__).parent.parent / "manifest.yml").read_text(encoding="utf-8"))
    return {
        *(f"event {one}" for one in manifest["settings"]["event_subscriptions"]["bot_events"]),
        *(f"shortcut {one['callback_id']}" for one in manifest["features"].get("shortcuts", [])),
        *(f"action {one.value}" for one in Action),
        *(f"form {one.value}" for one in Callback),
        *(f"verb {one}" for one in VERBS),
    }


def unmet(seen: Iterable[str]) -> list[str]:
    return sorted(registered() - set(seen))


def is_whole(config: pytest.Config) -> bool:
    """Whether all tests are run."""
    options = config.option
    narrowed = (
        options.keyword or options.markexpr or config.getoption("lf", False) or options.deselect or options.collectonly
    )
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not narrowed


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--exercised", action="store_true", help="fail when an id was not met, in a part of the tests too")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of xdist has ended."""
    SEEN.update(getattr(node, "workeroutput", {}).get("exercised", ()))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["exercised"] = sorted(SEEN)
    elif exitstatus == pytest.ExitCode.OK and (is_whole(config) or config.option.exercised):
        config.stash[UNMET] = unmet(SEEN)
        if config.stash[UNMET]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if missing := config.stash.get(UNMET, []):
        terminalreporter.section("not met by any test", red=True)
        terminalreporter.write_line("\n".join(missing))
