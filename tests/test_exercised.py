"""The check that every id is met end to end, itself checked: it must not pass because it looks at nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Office
from tests.exercised import SEEN, ids_in, registered, unmet
from tests.listeners.test_buttons import forged, opened, press, pressed


def test_there_is_something_of_every_kind_to_be_met() -> None:
    kinds = {one.split()[0] for one in registered()}
    assert {"event", "action", "form", "verb"} <= kinds
    assert set(unmet(set())) == registered()
    assert unmet(registered()) == []
    assert unmet(registered() - {"action claim"}) == ["action claim"]


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({"type": "event_callback", "event": {"type": "message", "channel_type": "group"}}, ["event message.groups"]),
        ({"type": "event_callback", "event": {"type": "app_mention"}}, ["event app_mention"]),
        ({"type": "block_actions", "actions": [{"action_id": "claim"}]}, ["action claim"]),
        ({"type": "view_submission", "view": {"callback_id": "note"}}, ["form note"]),
        ({"type": "message_action", "callback_id": "open"}, ["shortcut open"]),
        ({"command": "/ticket", "text": "claim 1"}, ["verb claim"]),
        ({"command": "/ticket"}, ["verb new"]),
        ({"type": "app_rate_limited"}, []),
    ],
)
def test_what_a_request_is_about(body: dict[str, Any], ids: list[str]) -> None:
    assert list(ids_in(body)) == ids


async def test_what_is_done_counts_and_what_is_refused_does_not(office: Office) -> None:
    seen = set(SEEN)
    SEEN.clear()
    try:
        await opened(office, office.world.ada)
        await forged(office, pressed(office, office.world.ada, "claim", "1", office.card()))
        await forged(office, pressed(office, office.world.grace, "merge", "1", office.card()))
        assert {"event message.channels"} <= SEEN
        assert not {one for one in SEEN if one.startswith("action")}
        await press(office, office.world.grace, office.card(), "claim")
        assert "action claim" in SEEN
    finally:
        SEEN.update(seen)
