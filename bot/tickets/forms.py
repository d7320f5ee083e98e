"""What people fill in, before an operation gets it. Messages are sentences for the one who filled it in."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from bot.tickets import grammar, text, timetable
from bot.tickets.errors import wrong
from bot.tickets.grammar import LARGEST_NUMBER, TAG_LENGTH
from bot.tickets.hours import Day, WorkingHours, known_zone
from bot.tickets.schedules import Times, When
from bot.tickets.setup import Wanted
from bot.tickets.text import clean
from bot.tickets.words import forms as say
from storage.channels import Mode, Role
from storage.reactions import USUAL, Reactions
from storage.tickets import Priority

TITLE_LENGTH = 150
#: The most that an input of Slack's takes:
#: https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element
WORDS_LENGTH = 3_000
MOST_PEOPLE = 50

#: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1
EMAIL_LENGTH = 254

#: What every address in use has; whether it exists, nobody can tell from its letters.
_EMAIL = re.compile(r"[^@\s<>(),:;\"\\\[\]]+@[^@\s<>(),:;\"\\\[\].]+(?:\.[^@\s<>(),:;\"\\\[\].]+)+")
_EMOJI = re.compile(r"[\w+'-]{1,100}")
#: Slack's own example of an event has the one name, its clients send the other:
#: https://docs.slack.dev/reference/events/reaction_added
_ALIASES = {"thumbsup": "+1", "thumbsdown": "-1"}
_TAG = re.compile(rf"[^\W_][\w-]{{0,{TAG_LENGTH - 1}}}")


def _stripped(value: Any) -> Any:
    return clean(value).strip() if isinstance(value, str) else value or ""


def _none_if_blank(value: Any) -> Any:
    return _stripped(value) or None


def _at_most(length: int, what: str) -> AfterValidator:
    def check(value: str | None) -> str | None:
        if value is not None and len(value) > length:
            raise wrong(say.too_long(what, most=length, length=len(value)))
        return value

    return AfterValidator(check)


def _some(what: str) -> AfterValidator:
    def check(value: str) -> str:
        if not value:
            raise wrong(say.empty(what))
        return value

    return AfterValidator(check)


def parsed_tags(typed: str) -> tuple[str, ...]:
    """Tags as people type them, parted by commas or spaces: "Billing, #urgent" gives ("billing", "urgent").

    ValueError (`wrong`) names the first that cannot be one.
    """
    tags = [word.removeprefix("#").lower() for word in re.split(r"[\s,]+", typed) if word.strip("#")]
    for tag in tags:
        if len(tag) > TAG_LENGTH:
            raise wrong(say.tag_too_long(tag=tag[:30], most=TAG_LENGTH))
        if not _TAG.fullmatch(tag):
            raise wrong(say.no_tag(tag=tag))
    return tuple(dict.fromkeys(tags))


def _tags(value: Any) -> Any:
    return parsed_tags(clean(value)) if isinstance(value, str) else value


def _times(value: Any) -> Any:
    return timetable.parsed(clean(value)) if isinstance(value, str) else value or ()


def _fields(value: Any) -> Any:
    if not isinstance(value, str):
        return value or ()
    try:
        return grammar.fields(text.encoded(clean(value)))
    except grammar.Misunderstood as error:
        raise wrong(str(error)) from error


_emptied_days = BeforeValidator(lambda value: value or ())


def _email(value: Any) -> Any:
    typed = _stripped(value)
    if not _EMAIL.fullmatch(typed) or not typed.isprintable() or len(typed) > EMAIL_LENGTH:
        raise wrong(say.NO_EMAIL)
    return typed


Email = Annotated[str, BeforeValidator(_email)]


def _number(value: Any) -> Any:
    typed = _stripped(value).removeprefix("#") if isinstance(value, str | None) else str(value)
    if not (typed.isascii() and typed.isdecimal() and 0 < int(typed[:20]) <= LARGEST_NUMBER):
        raise wrong(say.NO_NUMBER)
    return int(typed)


def _emoji(value: Any) -> str | None:
    typed = canonical_emoji(_stripped(value).strip(":")) if isinstance(value, str) else ""
    if typed and not _EMOJI.fullmatch(typed):
        raise wrong(say.NO_EMOJI)
    return typed or None


def canonical_emoji(name: str) -> str:
    """The name of an emoji without its skin tone, as Slack's events have it: "wave::skin-tone-3" gives "wave"."""
    plain = name.partition("::")[0].lower()
    return _ALIASES.get(plain, plain)


def _few(people: tuple[str, ...]) -> tuple[str, ...]:
    if len(people) > MOST_PEOPLE:
        raise wrong(say.too_many_people(most=MOST_PEOPLE))
    return people


_at_most_people = AfterValidator(_few)
Title = Annotated[str, BeforeValidator(_stripped), _some(say.TITLE), _at_most(TITLE_LENGTH, say.TITLE)]
Words = Annotated[str, BeforeValidator(_stripped), _some(say.MESSAGE), _at_most(WORDS_LENGTH, say.MESSAGE)]
Comment = Annotated[str | None, BeforeValidator(_none_if_blank), _at_most(WORDS_LENGTH, say.COMMENT)]
Tags = Annotated[tuple[str, ...], BeforeValidator(_tags)]
Number = Annotated[int, BeforeValidator(_number)]
Emoji = Annotated[str | None, BeforeValidator(_emoji)]
#: Slack sends null for an input that was emptied, and nothing for one that the form did not have.
_emptied = BeforeValidator(lambda value: "" if value is None else value)


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True)


class NewTicketForm(_Form):
    """`customer`: the Slack id of the one for whom an agent opens it. `priority`: None where it was not asked for."""

    title: Title
    description: Annotated[str, BeforeValidator(_stripped), _at_most(WORDS_LENGTH, say.DESCRIPTION)] = ""
    priority: Priority | None = None
    customer: str | None = None


class WordsForm(_Form):
    """A reply or a note, as plain text: mrkdwn of it is `text.encoded`."""

    words: Words


class CloseForm(_Form):
    comment: Comment = None


class EditForm(_Form):
    """`title` and `tags` are None where the form did not offer them, because it could not show them unharmed:
    they stay as they are. `assignees` are Slack ids. `fields`: the custom fields that it offered, as plain text by
    name; `more_fields`: those that were typed with their names, Slack-encoded."""

    title: Annotated[Title | None, _emptied] = None
    priority: Priority
    tags: Annotated[Tags | None, _emptied] = None
    assignees: tuple[str, ...] = ()
    fields: dict[str, Annotated[str, BeforeValidator(_stripped)]] = {}
    more_fields: Annotated[tuple[tuple[str, str], ...], BeforeValidator(_fields)] = ()


class ReactionsForm(_Form):
    """The emoji of a support channel's reactions, typed with or without colons; an emptied one stands for none."""

    model_config = ConfigDict(frozen=True, validate_default=True)

    reaction_open: Emoji = USUAL.open
    reaction_claim: Emoji = USUAL.claim
    reaction_close: Emoji = USUAL.close

    @field_validator("reaction_claim", "reaction_close")
    @classmethod
    def _differ(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is not None and name in info.data.values():
            raise wrong(say.emoji_taken(name=name))
        return name

    @property
    def reactions(self) -> Reactions:
        return Reactions(open=self.reaction_open, claim=self.reaction_claim, close=self.reaction_close)


class TimesForm(_Form):
    """When a triage channel's digests are posted and when a support channel's agents are at work, both in `zone`.

    `digest_channel`: a channel's id, None: the triage channel itself.
    """

    digest_times: Annotated[tuple[When, ...], BeforeValidator(_times)] = ()
    digest_channel: str | None = Field(default=None, pattern="^[CG][A-Z0-9]+$")
    work_days: Annotated[tuple[Day, ...], _emptied_days] = ()
    work_opens: dt.time | None = Field(default=None, validate_default=True)
    work_closes: dt.time | None = Field(default=None, validate_default=True)
    zone: Annotated[str | None, BeforeValidator(_none_if_blank)] = Field(default=None, validate_default=True)

    @field_validator("work_opens", "work_closes")
    @classmethod
    def _said(cls, value: dt.time | None, info: ValidationInfo) -> dt.time | None:
        if value is None and info.data.get("work_days"):
            raise wrong(say.SAY_THE_TIME)
        return value

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            if info.data.get("digest_times") or info.data.get("work_days"):
                raise wrong(say.WHICH_ZONE)
            return None
        return known_zone(value)

    @property
    def times(self) -> Times:
        return Times(self.digest_times, self.digest_channel, self.working_hours, self.zone)

    @property
    def working_hours(self) -> WorkingHours | None:
        if not (self.work_days and self.work_opens and self.work_closes and self.zone):
            return None
        return WorkingHours(days=self.work_days, opens=self.work_opens, closes=self.work_closes, zone=self.zone)


class SetUpForm(TimesForm, ReactionsForm):
    """How a channel is set up. `triage_channel` is a channel's id, `assignees` are Slack ids."""

    role: Role
    mode: Mode = "every_message"
    triage_channel: str | None = None
    assignees: Annotated[tuple[str, ...], _at_most_people] = ()
    priority: Priority = "medium"
    tags: Annotated[Tags, _emptied] = ()

    @property
    def wanted(self) -> Wanted:
        return Wanted(
            self.role,
            self.mode,
            self.triage_channel,
            self.assignees,
            self.priority,
            self.tags,
            self.reactions,
            self.times,
        )


class RatingForm(_Form):
    comment: Comment = None


class EmailForm(_Form):
    email: Email


class AddForm(_Form):
    """Which ticket a message is added to."""

    number: Number


def problems(error: ValidationError) -> dict[str, str]:
    """What is wrong, by the name of the field, which is the block_id of its input."""
    found: dict[str, str] = {}
    for each in error.errors():
        field = str(each["loc"][0]) if each["loc"] else ""
        found.setdefault(field, _sentence(field, each["type"], each["msg"]))
    return found


def _sentence(field: str, kind: str, message: str) -> str:
    if kind == "sentence":
        return message
    if kind == "missing":
        return say.MISSING
    return say.NO_PRIORITY if field == "priority" else say.invalid(field)
