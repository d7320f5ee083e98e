"""The inputs for times in the form of set-up: Slack takes them, and what they show comes back as it was."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import modals
from bot.blocks.surface import modal
from bot.listeners.forms import values
from bot.sandbox.blockkit import view_refusals
from bot.sandbox.forms import state_values
from bot.tickets.forms import TimesForm
from bot.tickets.hours import DAYS, WorkingHours
from bot.tickets.schedules import MOST, Times, When

clocks = st.builds(dt.time, st.integers(0, 23), st.integers(0, 59))
zones = st.sampled_from(["Europe/Berlin", "America/Argentina/Buenos_Aires", "UTC"])
hours = st.builds(
    WorkingHours, days=st.lists(st.sampled_from(DAYS), min_size=1), opens=clocks, closes=clocks, zone=zones
)
crons = st.sampled_from(["0 9 * * 1-5", "30 18 * * *", "0 8 * * MON#1", "5 */2 1,15 JAN-MAR *", "59 23 L * *"])
digests = st.lists(st.builds(When, cron=crons, period=st.sampled_from(["today", "week", "month"])), max_size=MOST)


@st.composite
def times(draw: st.DrawFn) -> Times:
    zone = draw(zones)
    work = draw(st.none() | hours)
    return Times(
        tuple(dict.fromkeys(draw(digests))),
        draw(st.none() | st.just("C024BE7LR")),
        WorkingHours.model_validate(work.stored() | {"zone": zone}) if work else None,
        zone,
    )


def form_of(now: Times) -> dict[str, Any]:
    return modal(
        "Set up",
        [*modals.digest_times(now), *modals.working_hours(now), modals.time_zone(now)],
        close="Cancel",
        submit="Save",
        callback="set_up",
    )


@given(times())
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
