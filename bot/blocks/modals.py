"""The forms. Their inputs are read by `bot.tickets.forms`; an input's block_id is its field's name there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import slackblocks as slack

from bot.blocks.ids import Callback, Field
from bot.blocks.parts import context, field_of, plain, section, some, title_of
from bot.blocks.surface import SECTION, clip, escape, modal, one_line
from bot.blocks.words import common
from bot.blocks.words import modals as say
from bot.tickets import timetable
from bot.tickets.forms import MOST_PEOPLE, TITLE_LENGTH, WORDS_LENGTH, parsed_tags
from bot.tickets.grammar import is_field
from bot.tickets.schedules import Times
from bot.tickets.setup import Present
from bot.tickets.work import MOST_FIELDS, VALUE_LENGTH
from storage.tickets import Priority, Ticket

#: What *Edit* showed is carried in its private_metadata, which has 3,000 characters.
MOST_ASSIGNEES, TAGS_ROOM = 50, 1_200
#: The characters of each custom field that it shows and cannot change.
FIELD = 120
#: How much the others may take of a modal's 250 KB.
FIELDS_ROOM = 100_000
#: What an input of one text may not give back as it was, beside the ends of lines.
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
Value = TypeVar("Value", bound=str)
#: A menu's options, and the characters of each: https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element
MOST_OPTIONS, OPTION = 100, 75


def new_ticket(
    title: str = "", *, channel: str | None, for_customer: bool, priority: Priority = "medium"
) -> dict[str, Any]:
    """`title` is plain text; one that is too long stands in full in the description.

    `for_customer`: an agent opens it, who may choose its customer and priority. `priority`: the channel's own.
    private_metadata: {"channel": where it was asked for, or null}.
    """
    short = clip(one_line(title), TITLE_LENGTH)
    more = title if len(one_line(title)) > TITLE_LENGTH else ""
    blocks = [
        _input(Field.TITLE, say.TITLE_ASKED, _line(Field.TITLE, short)),
        _input(Field.DESCRIPTION, say.DESCRIPTION_ASKED, _text(Field.DESCRIPTION, more), optional=True),
    ]
    if for_customer:
        blocks += [
            _input(
                Field.CUSTOMER,
                say.CUSTOMER,
                slack.UserSelectMenu(Field.CUSTOMER.value, placeholder=say.YOURSELF),
                hint=say.CUSTOMER_HINT,
                optional=True,
            ),
            _priority(priority),
        ]
    return _form(say.NEW_TICKET, say.OPEN_TICKET, Callback.NEW_TICKET, blocks, channel=channel)


def reply(number: int, title: str, seen: str | None, words: str = "", warning: str | None = None) -> dict[str, Any]:
    """`words`: what was typed before, as plain text. private_metadata: {"number", "seen"}.

    `seen`: the id of the newest message that the agent could see. `warning`: why it was not sent at once.
    """
    blocks = [
        section("warning", f"⚠️ {clip(escape(warning), 500)}") if warning else _about(title),
        _input(Field.WORDS, say.REPLY, _text(Field.WORDS, words), hint=say.REPLY_HINT),
    ]
    return _form(say.reply_to(number=number), say.SEND, Callback.REPLY, blocks, number=number, seen=seen)


def note(number: int, title: str) -> dict[str, Any]:
    """private_metadata: {"number"}."""
    blocks = [
        _about(title),
        _input(Field.WORDS, say.NOTE, _text(Field.WORDS), hint=say.NOTE_HINT),
    ]
    return _form(say.note_on(number=number), say.KEEP, Callback.NOTE, blocks, number=number)


def close(number: int, title: str) -> dict[str, Any]:
    """private_metadata: {"number"}."""
    comment = _input(Field.COMMENT, say.COMMENT, _text(Field.COMMENT), hint=say.COMMENT_HINT, optional=True)
    blocks = [_about(title), comment]
    return _form(say.close(number=number), say.CLOSE_TICKET, Callback.CLOSE, blocks, number=number)


def edit(ticket: Ticket, assignees: Sequence[str]) -> dict[str, Any]:
    """`assignees` are Slack ids. private_metadata: {"number", "shown": each field's value, None where it is left out}.

    A title, tags or custom fields that would not come back from the form as they are (another program's may be of any
    length) are left out of it, so that changing the priority cannot harm them.
    """
    assignees = assignees[:MOST_ASSIGNEES]
    people = slack.UserMultiSelectMenu(Field.ASSIGNEES.value, initial_users=list(assignees) or None)
    shown = {
        "title": ticket.title if _title_comes_back(ticket.title) else None,
        "priority": ticket.priority,
        "tags": ticket.tags if _tags_come_back(ticket.tags) else None,
        "assignees": assignees,
    }
    blocks = [
        _title_to_edit(ticket),
        _priority(ticket.priority),
        _tags_to_edit(ticket),
        _input(Field.ASSIGNEES, say.ASSIGNED_TO, people, optional=True),
        *_fields_to_edit(ticket),
    ]
    return _form(say.edit(number=ticket.number), say.SAVE, Callback.EDIT, blocks, number=ticket.number, shown=shown)


def _fields_to_edit(ticket: Ticket) -> list[slack.Block]:
    """An input for each custom field that comes back from it, what the others are, and an input for more."""
    shown = _editable(ticket.custom_fields)
    others = [field_of(name, value, FIELD) for name, value in ticket.custom_fields.items() if name not in shown]
    instead = say.fields_elsewhere(number=ticket.number)
    more = slack.PlainTextInput(Field.MORE_FIELDS.value, multiline=True, max_length=WORDS_LENGTH)
    return [
        *(_field_to_edit(name, value) for name, value in shown.items()),
        *([context("fields_instead", "\n".join((some(others, between="\n"), instead)))] if others else []),
        _input(Field.MORE_FIELDS, say.MORE_FIELDS, more, hint=say.MORE_FIELDS_HINT, optional=True),
    ]


def _editable(custom_fields: Mapping[str, Any]) -> dict[str, str]:
    shown: dict[str, str] = {}
    room = FIELDS_ROOM
    for name, value in custom_fields.items():
        if _field_comes_back(name, value) and len(shown) < MOST_FIELDS and room > 0:
            shown[name] = value
            room -= len(json.dumps(value))
    return shown


def _field_to_edit(name: str, value: str) -> slack.InputBlock:
    text = slack.PlainTextInput(
        Field.FIELDS.value, initial_value=value or None, multiline="\n" in value, max_length=VALUE_LENGTH
    )
    return slack.InputBlock(name, text, block_id=f"{Field.FIELDS}:{name}", optional=True)


def _field_comes_back(name: str, value: object) -> bool:
    return is_field(name) and isinstance(value, str) and len(value) <= VALUE_LENGTH and not _CONTROLS.search(value)


def _title_to_edit(ticket: Ticket) -> slack.Block:
    if _title_comes_back(ticket.title):
        return _input(Field.TITLE, say.TITLE, _line(Field.TITLE, ticket.title))
    return context(f"{Field.TITLE}:instead", say.title_elsewhere(number=ticket.number))


def _title_comes_back(title: str) -> bool:
    return bool(title) and title == one_line(title)[:TITLE_LENGTH]


def _tags_to_edit(ticket: Ticket) -> slack.Block:
    if _tags_come_back(ticket.tags):
        line = _line(Field.TAGS, ", ".join(ticket.tags), length=WORDS_LENGTH)
        return _input(Field.TAGS, say.TAGS, line, hint=say.BY_COMMAS, optional=True)
    return context(f"{Field.TAGS}:instead", say.tags_elsewhere(number=ticket.number))


def _tags_come_back(tags: Sequence[str]) -> bool:
    typed = ", ".join(tags)
    try:
        return len(json.dumps(tags, ensure_ascii=False)) <= TAGS_ROOM and parsed_tags(typed) == tuple(tags)
    except ValueError:
        return False


def rating_comment(number: int, rating: int) -> dict[str, Any]:
    """private_metadata: {"number", "rating"}."""
    blocks = [
        section("thanks", say.rated(number=number, rating=rating)),
        _input(Field.COMMENT, say.WHAT_TO_KNOW, _text(Field.COMMENT), optional=True),
    ]
    return _form(say.THANK_YOU, say.SEND, Callback.RATING_COMMENT, blocks, close=say.SKIP, number=number, rating=rating)


def email(number: int) -> dict[str, Any]:
    """private_metadata: {"number"}."""
    blocks = [_input(Field.EMAIL, say.EMAIL_ASKED, slack.EmailInput(Field.EMAIL.value), hint=say.EMAIL_HINT)]
    return _form(say.YOUR_EMAIL, say.LEAVE_IT, Callback.EMAIL, blocks, number=number)


def add_to_ticket(words: str, picked: str) -> dict[str, Any]:
    """`words`: what the message says, as plain text. private_metadata: {"picked": the id under which it is kept}."""
    number = slack.PlainTextInput(Field.NUMBER.value, placeholder=say.NUMBER_EXAMPLE, max_length=12)
    blocks = [_about(words), _input(Field.NUMBER, say.NUMBER_ASKED, number, hint=say.NUMBER_HINT)]
    return _form(say.ADD_TO_TICKET, say.ADD, Callback.ADD_TO_TICKET, blocks, picked=picked)


def digest_times(now: Times) -> list[slack.Block]:
    """When digests of a triage channel's tickets are posted, and where: inputs of `forms.TimesForm`."""
    where = slack.ConversationSelectMenu(
        Field.DIGEST_CHANNEL.value,
        initial_conversation=now.channel,
        filter=slack.ConversationFilter(
            ["public", "private"],
            exclude_external_shared_channels=True,
        ),
        placeholder=say.HERE,
    )
    return [
        _input(
            Field.DIGEST_TIMES,
            say.DIGESTS_ASKED,
            _text(Field.DIGEST_TIMES, timetable.written(now.digests)),
            hint=say.DIGESTS_HINT,
            optional=True,
        ),
        _input(
            Field.DIGEST_CHANNEL,
            say.DIGEST_CHANNEL_ASKED,
            where,
            hint=say.DIGEST_CHANNEL_HINT,
            optional=True,
        ),
    ]


def working_hours(now: Times) -> list[slack.Block]:
    """When the agents of a support channel are at work: inputs of `forms.TimesForm`."""
    days = {day: slack.Option(plain(name), day) for day, name in say.WEEK.items()}
    chosen = [days[day] for day in now.hours.days] if now.hours else None
    times = (
        (Field.WORK_OPENS, say.FROM, now.hours and now.hours.opens),
        (Field.WORK_CLOSES, say.TO, now.hours and now.hours.closes),
    )
    return [
        _input(
            Field.WORK_DAYS,
            say.DAYS_ASKED,
            slack.CheckboxGroup(Field.WORK_DAYS.value, list(days.values()), initial_options=chosen),
            hint=say.DAYS_HINT,
            optional=True,
        ),
        *(
            _input(field, label, slack.TimePicker(field.value, f"{time:%H:%M}" if time else None), optional=True)
            for field, label, time in times
        ),
    ]


def time_zone(now: Times) -> slack.InputBlock:
    return _input(
        Field.ZONE,
        say.ZONE_ASKED,
        _line(Field.ZONE, now.zone or (now.hours.zone if now.hours else "")),
        hint=say.ZONE_HINT,
        optional=True,
    )


def set_up(present: Present) -> dict[str, Any]:
    """How a channel is set up, of any role: what does not concern its role is kept for when it has another.

    private_metadata: {"channel"}.
    """
    now = present.settings
    people = slack.UserMultiSelectMenu(
        Field.ASSIGNEES.value,
        initial_users=list(now.assignees) or None,
        max_selected_items=MOST_PEOPLE,
    )
    tags = _line(Field.TAGS, ", ".join(now.tags), length=WORDS_LENGTH)
    blocks = [
        context("about", f"<#{present.channel}>"),
        _select(Field.ROLE, say.ROLE_ASKED, say.ROLES, now.role),
        context("only", say.ONLY_SUPPORT),
        _select(Field.MODE, say.MODE_ASKED, say.MODES, now.mode),
        *_triage_to_choose(present),
        _input(
            Field.ASSIGNEES,
            say.ASSIGNEES_ASKED,
            people,
            hint=say.ASSIGNEES_HINT,
            optional=True,
        ),
        _priority(now.priority, label=say.NEW_PRIORITY),
        _input(Field.TAGS, say.NEW_TAGS, tags, hint=say.BY_COMMAS, optional=True),
        _reaction(Field.REACTION_OPEN, say.OPENING_REACTION, now.reactions.open),
        _reaction(Field.REACTION_CLAIM, say.CLAIMING_REACTION, now.reactions.claim),
        _reaction(Field.REACTION_CLOSE, say.CLOSING_REACTION, now.reactions.close),
        *working_hours(present.times),
        context("only_triage", say.ONLY_TRIAGE),
        *digest_times(present.times),
        context("only_times", say.ONLY_TIMES),
        time_zone(present.times),
    ]
    return _form(say.SET_UP, say.SAVE, Callback.SET_UP, blocks, channel=present.channel)


def _reaction(field: Field, label: str, name: str | None) -> slack.InputBlock:
    typed = _line(field, f":{name}:" if name else "")
    return _input(field, label, typed, hint=say.REACTION_HINT, optional=True)


def _triage_to_choose(present: Present) -> list[slack.Block]:
    """The triage channels to choose from; of more than one menu can hold, those chosen last."""
    if not present.triage_channels:
        return []
    names = {one.id: f"#{one.name}" for one in present.triage_channels[:MOST_OPTIONS]}
    chosen = present.settings.triage_channel
    initial = chosen if chosen in names else next(iter(names))
    return [_select(Field.TRIAGE_CHANNEL, say.TRIAGE_ASKED, names, initial)]


def result(sentence: str) -> dict[str, Any]:
    """Says how it went. `sentence` is mrkdwn in which what people typed is escaped."""
    return modal(say.DESK, [section("result", clip(sentence, SECTION))], close=say.OK)


def _form(
    title: str,
    submit: str,
    callback: Callback,
    blocks: Sequence[slack.Block],
    *,
    close: str = common.CANCEL,
    **metadata: Any,
) -> dict[str, Any]:
    return modal(
        title,
        blocks,
        close=close,
        submit=submit,
        callback=callback.value,
        metadata=json.dumps(metadata, ensure_ascii=False),
    )


def _about(title: str) -> slack.ContextBlock:
    return context("about", escape(title_of(title)))


def _input(
    field: Field, label: str, element: slack.Element, *, hint: str | None = None, optional: bool = False
) -> slack.InputBlock:
    return slack.InputBlock(label, element, block_id=field.value, hint=hint, optional=optional)


def _line(field: Field, initial: str, *, length: int = TITLE_LENGTH) -> slack.PlainTextInput:
    return slack.PlainTextInput(field.value, initial or None, max_length=length)


def _text(field: Field, initial: str = "") -> slack.PlainTextInput:
    return slack.PlainTextInput(field.value, initial[:WORDS_LENGTH] or None, multiline=True, max_length=WORDS_LENGTH)


def _priority(chosen: Priority, *, label: str = say.PRIORITY) -> slack.InputBlock:
    return _select(Field.PRIORITY, label, common.PRIORITY, chosen)


def _select(field: Field, label: str, labels: Mapping[Value, str], chosen: Value) -> slack.InputBlock:
    """A menu of values with their labels, which are plain text."""
    options = {value: slack.Option(plain(clip(name, OPTION)), value) for value, name in labels.items()}
    return _input(
        field,
        label,
        slack.StaticSelectMenu(field.value, options=list(options.values()), initial_option=options[chosen]),
    )
