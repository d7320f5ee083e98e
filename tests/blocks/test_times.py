"""The inputs for times in the form of set-up: Slack takes them, and what they show comes back as it was."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from bot.blocks import modals
from bot.blocks.surface import modal
from bot.listeners.forms import values
from bot.sandbox.blockkit import view_refusals
from bot.sandbox.forms import state_values
from bot.tickets.forms import TimesForm
from bot.tickets.schedules import Times
from tests.blocks.samples import times


def form_of(now: Times) -> dict[str, Any]:
    return modal(
        "Set up",
        [*modals.digest_times(now), *modals.working_hours(now), modals.time_zone(now)],
        close="Cancel",
        submit="Save",
        callback="set_up",
    )


@given(times)
def test_what_the_form_shows_comes_back_as_it_was(now: Times) -> None:
    view = form_of(now)
    assert view_refusals(view, "modal") == []
    sent = TimesForm.model_validate(values({"state": {"values": state_values(view["blocks"])}}))
    assert (sent.digest_times, sent.digest_channel, sent.working_hours, sent.zone) == (
        now.digests,
        now.channel,
        now.hours,
        now.zone,
    )


def test_an_empty_form_sets_nothing() -> None:
    view = form_of(Times())
    assert view_refusals(view, "modal") == []
    sent = TimesForm.model_validate(values({"state": {"values": state_values(view["blocks"])}}))
    assert (sent.digest_times, sent.digest_channel, sent.working_hours, sent.zone) == ((), None, None, None)
