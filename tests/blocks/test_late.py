"""A digest that is posted late says so; and what agents are told of digests at set times."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from bot.blocks.digest import digest, late, resumed, suspended
from bot.sandbox.blockkit import message_refusals
from tests.blocks.test_digest import a_digest, open_card

NEW_YORK = ZoneInfo("America/New_York")
DUE = dt.datetime(2025, 11, 5, 9, tzinfo=NEW_YORK)
AS_OF_NOW = "Who waits, and what agents have on their hands, is as of now."


def said(posted_at: dt.datetime, left_out: int = 0) -> str:
    """The second line of the text, which is the second block too."""
    before = digest(a_digest(), open_card)
    after = late(before, DUE.astimezone(dt.UTC), posted_at.astimezone(dt.UTC), NEW_YORK, left_out)
    assert message_refusals(after.text, after.blocks) == []
    assert [block["block_id"] for block in after.blocks[:2]] == ["heading", "late"]
    assert after.blocks[2:] == before.blocks[1:]
    heading, line = after.text.split("\n")[:2]
    assert before.text.startswith(f"{heading}\n")
    assert after.blocks[1]["elements"][0]["text"] == line
    return line


def test_a_late_digest_says_when_it_was_due_and_when_it_was_posted() -> None:
    assert said(DUE.replace(hour=11, minute=42)) == f"⏰ For 09:00, posted late at 11:42. {AS_OF_NOW}"


def test_on_another_day_it_says_the_days_too() -> None:
    posted = dt.datetime(2025, 11, 6, 0, 5, tzinfo=NEW_YORK)
    assert said(posted) == f"⏰ For Wed 5 Nov 09:00, posted late on Thu 6 Nov 00:05. {AS_OF_NOW}"


def test_it_says_how_many_are_left_out() -> None:
    line = said(DUE.replace(hour=11), left_out=3)
    assert "posted late at 11:00. 3 more before it were missed too and are left out." in line


def test_agents_are_told_without_alerting_anybody() -> None:
    for told in (suspended("C1", "Slack does not show it (<!channel>)"), resumed("C1")):
        assert message_refusals(told.text, told.blocks) == []
        assert "<#C1>" in told.text
        assert "<!channel" not in told.text
