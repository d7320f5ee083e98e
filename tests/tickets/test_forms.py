from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from bot.tickets.forms import (
    CloseForm,
    EditForm,
    NewTicketForm,
    RatingForm,
    ReactionsForm,
    TimesForm,
    WordsForm,
    problems,
)
from bot.tickets.hours import WorkingHours
from bot.tickets.schedules import When


def refused(form: type[BaseModel], **values: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        form.model_validate(values)
    return problems(caught.value)


def test_a_new_ticket_needs_only_a_title() -> None:
    form = NewTicketForm.model_validate({"title": "  The export fails ", "description": None})
    assert form == NewTicketForm(title="The export fails", description="", priority=None, customer=None)


@pytest.mark.parametrize(
    ("title", "sentence"),
    [
        ("", "The title has no words."),
        (" \n", "The title has no words."),
        ("x" * 151, "The title is too long: at most 150 characters, it has 151."),
    ],
)
def test_a_title_has_1_to_150_characters(title: str, sentence: str) -> None:
    assert refused(NewTicketForm, title=title) == {"title": sentence}
    assert refused(EditForm, title=title, priority="low") == {"title": sentence}


def test_limits_are_inclusive() -> None:
    NewTicketForm(title="x" * 150, description="x" * 3_000)
    WordsForm(words="x" * 3_000)
    CloseForm(comment="x" * 3_000)


@pytest.mark.parametrize(
    ("form", "field", "what"),
    [
        (WordsForm, "words", "The message"),
        (CloseForm, "comment", "The comment"),
        (RatingForm, "comment", "The comment"),
    ],
)
def test_words_are_at_most_what_an_input_takes(form: type[BaseModel], field: str, what: str) -> None:
    sentence = f"{what} is too long: at most 3,000 characters, it has 3,001."
    assert refused(form, **{field: "x" * 3_001}) == {field: sentence}


def test_several_problems_are_told_at_once() -> None:
    assert refused(NewTicketForm, title="", description="x" * 3_001, priority="urgent") == {
        "title": "The title has no words.",
        "description": "The description is too long: at most 3,000 characters, it has 3,001.",
        "priority": "Choose low, medium or high.",
    }
    assert refused(WordsForm) == {"words": "This is missing."}


def test_a_blank_comment_is_none() -> None:
    assert CloseForm(comment=" \n").comment is None
    assert RatingForm().comment is None


@pytest.mark.parametrize(
    ("typed", "tags"),
    [
        ("", ()),
        (" , ", ()),
        ("Billing, #urgent", ("billing", "urgent")),
        ("a b,c\nd", ("a", "b", "c", "d")),
        ("a, A, #a", ("a",)),
        ("größe, eu-west_1", ("größe", "eu-west_1")),
        ("x" * 50, ("x" * 50,)),
    ],
)
def test_tags_are_read_as_people_type_them(typed: str, tags: tuple[str, ...]) -> None:
    assert EditForm.model_validate({"title": "t", "priority": "low", "tags": typed}).tags == tags


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("ok, a{b}", "“a{b}” cannot be a tag: tags are of letters, digits, - and _."),
        ("<!channel>", "“<!channel>” cannot be a tag: tags are of letters, digits, - and _."),
        ("-a", "“-a” cannot be a tag: tags are of letters, digits, - and _."),
        ("x" * 51, f"The tag “{'x' * 30}…” is too long: at most 50 characters."),
    ],
)
def test_what_cannot_be_a_tag_is_named(typed: str, sentence: str) -> None:
    assert refused(EditForm, title="t", priority="low", tags=typed) == {"tags": sentence}


def test_what_an_edit_form_did_not_show_is_none() -> None:
    form = EditForm.model_validate({"priority": "high", "assignees": ["U1"]})
    assert (form.title, form.tags, form.assignees) == (None, None, ("U1",))


def test_more_fields_are_read_as_set_reads_them() -> None:
    def more(typed: str | None) -> Any:
        return EditForm.model_validate({"priority": "low", "more_fields": typed}).more_fields

    assert more('version="4.2 & <beta>"\nseats=3 old=') == (
        ("version", "4.2 &amp; &lt;beta&gt;"),
        ("seats", "3"),
        ("old", ""),
    )
    assert more(None) == more(" \n") == ()
    for typed, sentence in {
        "a=1 A=2": '"A" is there twice.',
        "my field": '"my" has no value: write = right after the name, and quotation marks around several words.'
        ' Such as my="…"',
        "a!=1": '"a!" cannot be a field\'s name: those are of letters, digits, - _ and .',
        "=1": '"=1" names no field: its name stands before =, without spaces.',
        f"{'x' * 51}=1": f'The name "{"x" * 39}…" is too long: at most 50 characters.',
    }.items():
        assert refused(EditForm, priority="low", more_fields=typed) == {"more_fields": sentence}


def test_what_was_emptied_is_empty() -> None:
    assert EditForm.model_validate({"priority": "high", "tags": None}).tags == ()
    assert refused(EditForm, title=None, priority="high") == {"title": "The title has no words."}
    assert refused(NewTicketForm, title=None) == {"title": "The title has no words."}
    assert refused(WordsForm, words=None) == {"words": "The message has no words."}


def test_what_postgresql_cannot_keep_is_replaced() -> None:
    assert WordsForm(words="a\0b\ud800").words == "a\ufffdb\ufffd"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (":eyes:", "eyes"),
        (" ticket ", "ticket"),
        (":+1:", "+1"),
        (":thumbsup:", "+1"),
        (":wave::skin-tone-3:", "wave"),
        (":Party_Parrot:", "party_parrot"),
        ("", None),
        (None, None),
    ],
)
def test_an_emoji_is_kept_by_the_name_that_slack_sends(typed: str | None, name: str | None) -> None:
    assert ReactionsForm(reaction_open=None, reaction_claim=typed, reaction_close=None).reactions.claim == name


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({"reaction_open": "two words"}, {"reaction_open": "Type one emoji by its name, such as :eyes:"}),
        ({"reaction_open": "👀"}, {"reaction_open": "Type one emoji by its name, such as :eyes:"}),
        ({"reaction_close": "x" * 101}, {"reaction_close": "Type one emoji by its name, such as :eyes:"}),
        (
            {"reaction_open": ":eyes:", "reaction_claim": "eyes", "reaction_close": "x"},
            {"reaction_claim": ":eyes: does something else here already."},
        ),
    ],
)
def test_reactions_that_cannot_be_are_refused_at_their_field(typed: dict[str, str], wrong: dict[str, str]) -> None:
    assert refused(ReactionsForm, **typed) == wrong


TIMES: dict[str, Any] = {
    "digest_times": "weekdays 9:00 today\n0 8 1,15 * * month",
    "digest_channel": "C024BE7LR",
    "work_days": ["fri", "mon"],
    "work_opens": "09:00",
    "work_closes": "00:00",
    "zone": " Europe/Berlin ",
}


def test_times_are_read_as_the_form_sends_them() -> None:
    form = TimesForm.model_validate(TIMES)
    assert form.digest_times == (When(cron="0 9 * * 1-5", period="today"), When(cron="0 8 1,15 * *", period="month"))
    assert (form.digest_channel, form.zone) == ("C024BE7LR", "Europe/Berlin")
    assert form.working_hours == WorkingHours.model_validate(
        {"days": ["mon", "fri"], "opens": "09:00", "closes": "00:00", "zone": "Europe/Berlin"}
    )


def test_no_times_need_no_zone() -> None:
    for emptied in ({}, dict.fromkeys(TIMES), {"work_days": [], "digest_times": "", "zone": ""}):
        form = TimesForm.model_validate(emptied)
        assert (form.digest_times, form.working_hours, form.zone) == ((), None, None)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"digest_times": "weekday 9:00 today\ndayly 9:00 today"},
            {"digest_times": "Line 2: “dayly” is no day: did you mean daily?"},
        ),
        (
            {"zone": "Berlin"},
            {"zone": "This is no time zone: write one as Europe/Berlin or America/New_York."},
        ),
        (
            {"zone": None},
            {"zone": "Say of which time zone these times are, such as Europe/Berlin or America/New_York."},
        ),
        (
            {"work_opens": None, "work_closes": None},
            {
                "work_opens": "Say the time too, or choose no days.",
                "work_closes": "Say the time too, or choose no days.",
            },
        ),
        ({"work_days": ["someday"]}, {"work_days": "This cannot be the work days."}),
        ({"digest_channel": "U024BE7LR"}, {"digest_channel": "This cannot be the digest channel."}),
    ],
)
def test_wrong_times_are_told_at_their_field(changes: dict[str, Any], told: dict[str, str]) -> None:
    assert refused(TimesForm, **TIMES | changes) == told
