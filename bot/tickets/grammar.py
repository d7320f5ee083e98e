"""One grammar for `/ticket …` and for `@desk …` in a ticket's thread.

Text comes Slack-encoded, as a command with `should_escape` and a message bring it, and words for people
to read are passed on as they came. Sentences of `Misunderstood` are plain text that quotes what a person
typed: escape them before they are shown in Slack.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, get_args

from bot.tickets import text as words_of
from bot.tickets.words import grammar as say

Status: TypeAlias = Literal["open", "new", "pending", "closed", "all"]
Level: TypeAlias = Literal["low", "medium", "high"]
Period: TypeAlias = Literal["today", "week", "month"]
Filter: TypeAlias = Literal["status", "whose", "tag", "priority"]
Choice = TypeVar("Choice", bound=str)

# Ticket numbers are a PostgreSQL integer.
LARGEST_NUMBER = 2**31 - 1
TAG_LENGTH = 50
FIELD_LENGTH = 50

_LEVELS: tuple[Level, ...] = get_args(Level)
_PERIODS: tuple[Period, ...] = get_args(Period)
_CHOICES: Mapping[Filter, tuple[str, ...]] = {
    "status": get_args(Status),
    "whose": ("mine", "unassigned"),
    "priority": _LEVELS,
}
_NUMBER = re.compile(r"#?(-?)([0-9]+)")
_CHANNEL = re.compile(r"<#[A-Z0-9]+\|([^<>]+)>")
_CHANNEL_ID = re.compile(r"<#([A-Z0-9]+)(?:\|([^<>]*))?>")
_TAG = re.compile(rf"[^\W_][\w-]{{0,{TAG_LENGTH - 1}}}")
_WORD = re.compile(r"[^\s,<]*<[^<>]*>|[^\s,]+")
_QUOTES = {'"': '"', "“": "”"}
_FIELD = re.compile(rf"[^\W_][\w.-]{{0,{FIELD_LENGTH - 1}}}")
#: A name, and after = a value: in quotation marks, or up to the next space.
_SETTING = re.compile(r"""(?P<name>[^\s=]*)(?P<value>=(?:"[^"]*"(?!\S)|“[^”]*”(?!\S)|<[^<>]*>\S*|\S*))?""")
#: Words that people use for a verb which is spelt quite differently.
_MEANT = {
    "answer": "reply",
    "comment": "note",
    "create": "new",
    "done": "close",
    "field": "set",
    "find": "list",
    "rename": "title",
    "resolve": "close",
    "respond": "reply",
    "search": "list",
    "solve": "close",
    "solved": "close",
    "take": "claim",
    "view": "show",
}


class Misunderstood(ValueError):  # noqa: N818 - it is what happened to the person's words
    """Its text names the mistake and the nearest right form, for the person who typed."""


class UnknownVerb(Misunderstood):
    """The first word is no verb: what follows the bot's mention may be a customer's request."""


@dataclass(frozen=True, slots=True)
class Person:
    slack_id: str


@dataclass(frozen=True, slots=True)
class New:
    title: str


@dataclass(frozen=True, slots=True)
class List:
    status: Status | None = None
    whose: Literal["mine", "unassigned"] | Person | None = None
    tag: str | None = None
    priority: Level | None = None


@dataclass(frozen=True, slots=True)
class Mine:
    pass


@dataclass(frozen=True, slots=True)
class Show:
    number: int


@dataclass(frozen=True, slots=True)
class Claim:
    number: int


@dataclass(frozen=True, slots=True)
class Assign:
    number: int
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class Unassign:
    number: int
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Priority:
    number: int
    level: Level


@dataclass(frozen=True, slots=True)
class Tag:
    """`add` and `remove` share no tag, and one of them is not empty."""

    number: int
    add: tuple[str, ...]
    remove: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Title:
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Set:
    """Custom fields, each once; an empty value takes the field away. Values are Slack-encoded."""

    number: int
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Close:
    number: int
    comment: str | None


@dataclass(frozen=True, slots=True)
class Reopen:
    number: int


@dataclass(frozen=True, slots=True)
class Spam:
    number: int


@dataclass(frozen=True, slots=True)
class Channel:
    """`id` is None where Slack did not say which channel the name is."""

    id: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Digest:
    """`about`: a channel, or a company's name as it was typed; None: everything."""

    period: Period = "week"
    about: Channel | str | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    period: Period = "week"


@dataclass(frozen=True, slots=True)
class Setup:
    pass


@dataclass(frozen=True, slots=True)
class Help:
    pass


Command: TypeAlias = (
    New
    | List
    | Mine
    | Show
    | Claim
    | Assign
    | Unassign
    | Reply
    | Note
    | Priority
    | Tag
    | Title
    | Set
    | Close
    | Reopen
    | Spam
    | Digest
    | Setup
    | Stats
    | Help
)


def parse(text: str, *, implied: int | None = None, called: str = "/ticket") -> Command:
    """The command in Slack-encoded text; raises Misunderstood.

    `implied` is the number of the ticket in whose thread it was typed: the number may then be left out.
    A number that is given wins; before a person's own words only as #3 or as the thread's own, since those may begin
    with a number. `called`: what a person types before a verb, for the hints.
    """
    first, rest = _first_word(text)
    if not first:
        return New(title="")
    verb = VERBS.get(first.casefold())
    if verb is None:
        raise _unknown_verb(first, rest, implied, called)
    return verb.read(_Said(verb, rest, implied, implied, called))


@dataclass(frozen=True, slots=True)
class _Said:
    """What followed a verb; `number` is the ticket's, as far as it is known, `implied` that of the thread."""

    verb: "Verb"
    rest: str
    number: int | None
    implied: int | None
    called: str

    def wrong(self, mistake: str, *, near: str | None = None) -> Misunderstood:
        """`near`: what the person seems to have meant after the number; else the verb's example is shown."""
        command = _hint(self.verb, self.number, self.implied, self.called, near)
        return Misunderstood(say.try_instead(mistake, command=command))


@dataclass(frozen=True, slots=True)
class Verb:
    """A row of `help` and of the README. `example` is Slack-encoded; about ticket 42, if about any.

    `usage_for_customers`: where an agent's differs.
    """

    usage: str
    example: str
    agents_only: bool
    read: Callable[[_Said], Command] = field(repr=False)
    usage_for_customers: str | None = None

    @property
    def name(self) -> str:
        return self.usage.split()[0]

    @property
    def does(self) -> str:
        return say.DOES[self.name]

    @property
    def does_for_customers(self) -> str:
        return say.DOES_FOR_CUSTOMERS.get(self.name, self.does)

    @property
    def typed(self) -> str:
        """The example as a person types and sees it: "assign 42 @grace"."""
        return self.try_with(None)

    def try_with(self, number: int | None) -> str:
        """The example, about the ticket that the person meant."""
        return words_of.readable(self.example, {}).replace("42", str(number or 42))


def _hint(verb: Verb, number: int | None, implied: int | None, called: str, near: str | None = None) -> str:
    """The whole command as it can be typed there, in code marks: "`/ticket claim 1`", in a thread "`@desk claim`"."""
    typed = verb.try_with(number)
    if near is not None:
        about = [str(number or 42)] if " N" in verb.usage else []
        typed = " ".join([verb.usage.split()[0], *about, near])
    if number is not None and number == implied:
        typed = typed.replace(f" {number}", "", 1)
    return f"`{called} {typed}`"


def _new(said: _Said) -> New:
    return New(title=_unquoted(said.rest))


def _list(said: _Said) -> List:
    wanted = List()
    for word in _words(said.rest):
        asked, value = _filter(said, word)
        if getattr(wanted, asked) is not None:
            raise said.wrong(say.one_too_many(word=_shown(word), filter_by=asked))
        wanted = replace(wanted, **{asked: value})
    return wanted


def _filter(said: _Said, word: str) -> tuple[Filter, Any]:
    """The field of List that a word is for, and its value there."""
    plain = word.casefold()
    for asked, choices in _CHOICES.items():
        if plain in choices:
            return asked, plain
    if word.startswith("#") or _CHANNEL.fullmatch(word):
        return "tag", _tag(said, word)
    if word.startswith(("@", "<@")):
        return "whose", _person(said, word)
    near = _nearest(plain, [choice for choices in _CHOICES.values() for choice in choices])
    raise said.wrong(say.no_filter(word=_shown(word), near=near), near=near)


def _mine(said: _Said) -> Mine:
    _nothing_more(said)
    return Mine()


def _show(said: _Said) -> Show:
    return Show(_number_alone(said))


def _claim(said: _Said) -> Claim:
    return Claim(_number_alone(said))


def _assign(said: _Said) -> Assign:
    number, said = _ticket(said)
    return Assign(number, _people(said))


def _unassign(said: _Said) -> Unassign:
    number, said = _ticket(said)
    return Unassign(number, _people(said))


def _reply(said: _Said) -> Reply:
    number, said = _ticket(said, then_words=True)
    return Reply(number, _needed_text(said, say.NO_REPLY))


def _note(said: _Said) -> Note:
    number, said = _ticket(said, then_words=True)
    return Note(number, _needed_text(said, say.NO_NOTE))


def _priority(said: _Said) -> Priority:
    number, said = _ticket(said)
    return Priority(number, _choice(said, _LEVELS, "priority"))


def _tags(said: _Said) -> Tag:
    number, said = _ticket(said)
    words = _words(said.rest)
    if not words:
        raise said.wrong(say.WHICH_TAGS)
    add = _unique(_tag(said, word.removeprefix("+")) for word in words if not word.startswith("-"))
    remove = _unique(_tag(said, word.removeprefix("-")) for word in words if word.startswith("-"))
    both = next((tag for tag in add if tag in remove), None)
    if both:
        raise said.wrong(say.both_ways(tag=_shown(both)))
    return Tag(number, add, remove)


def _title(said: _Said) -> Title:
    number, said = _ticket(said, then_words=True)
    return Title(number, _needed_text(said, say.NO_TITLE))


def _set(said: _Said) -> Set:
    number, said = _ticket(said)
    if not said.rest:
        raise said.wrong(say.WHICH_FIELD)
    return Set(number, fields(said.rest, said.wrong))


class Wrong(Protocol):
    def __call__(self, mistake: str, *, near: str | None = None) -> Misunderstood: ...


def _plainly(mistake: str, *, near: str | None = None) -> Misunderstood:
    return Misunderstood(say.such_as(mistake, near=near) if near else mistake)


def fields(typed: str, wrong: Wrong = _plainly) -> tuple[tuple[str, str], ...]:
    """Custom fields, each once, of Slack-encoded text: 'version="4.2 beta" seats=3'; an empty value takes one away.

    Raises what `wrong` makes of the first mistake.
    """
    found: dict[str, str] = {}
    for one in _SETTING.finditer(typed):
        if one[0]:
            name, value = _field(one["name"], one["value"], wrong)
            if name.casefold() in {other.casefold() for other in found}:
                raise wrong(say.twice(name=_shown(name)))
            found[name] = value
    return tuple(found.items())


def _field(name: str, value: str | None, wrong: Wrong) -> tuple[str, str]:
    if not name:
        raise wrong(say.names_no_field(words=_shown(value or "")))
    if len(name) > FIELD_LENGTH:
        raise wrong(say.name_too_long(name=_shown(name), most=FIELD_LENGTH))
    if not is_field(name):
        raise wrong(say.no_field_name(name=_shown(name)))
    if value is None:
        raise wrong(say.no_value(name=_shown(name)), near=f'{name}="…"')
    return name, _unquoted(value.removeprefix("="))


def is_field(name: str) -> bool:
    """Whether a custom field's name is one that people can type."""
    return _FIELD.fullmatch(name) is not None


def _close(said: _Said) -> Close:
    number, said = _ticket(said, then_words=True)
    return Close(number, _unquoted(said.rest) or None)


def _reopen(said: _Said) -> Reopen:
    return Reopen(_number_alone(said))


def _spam(said: _Said) -> Spam:
    return Spam(_number_alone(said))


def _digest(said: _Said) -> Digest:
    """The period may stand before or after what the digest is about."""
    words = said.rest.split()
    places = [place for place in dict.fromkeys((0, len(words) - 1)) if _period(words[place : place + 1])]
    if len(places) > 1:
        raise said.wrong(say.one_period(word=_shown(words[-1])))
    period = _period([words.pop(place) for place in places]) or "week"
    return Digest(period, _about(" ".join(words)))


def _period(words: list[str]) -> Period | None:
    return next((period for period in _PERIODS for word in words if word.casefold() == period), None)


def _about(typed: str) -> Channel | str | None:
    channel = _CHANNEL_ID.fullmatch(typed)
    if channel:
        return Channel(channel[1], channel[2] or channel[1])
    if typed.startswith("#"):
        return Channel(None, words_of.readable(typed.removeprefix("#"), {}))
    return words_of.readable(_unquoted(typed), {}) or None


def _stats(said: _Said) -> Stats:
    return Stats(_choice(said, _PERIODS, "period")) if said.rest else Stats()


def _setup(said: _Said) -> Setup:
    _nothing_more(said)
    return Setup()


def _help(said: _Said) -> Help:
    _nothing_more(said)
    return Help()


VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("new [title]", "new The export fails", False, _new),
        Verb(
            "list [open|new|pending|closed|all] [mine|unassigned|@who] [#tag] [low|medium|high]",
            "list open unassigned #billing high",
            False,
            _list,
            usage_for_customers="list [open|new|pending|closed|all]",
        ),
        Verb("mine", "mine", False, _mine),
        Verb("show N", "show 42", False, _show),
        Verb("claim N", "claim 42", True, _claim),
        Verb("assign N @who…", "assign 42 <@U024BE7LH|grace>", True, _assign),
        Verb("unassign N @who…", "unassign 42 <@U024BE7LH|grace>", True, _unassign),
        Verb("reply N text", "reply 42 It works again", True, _reply),
        Verb("note N text", "note 42 Seen before", True, _note),
        Verb("priority N low|medium|high", "priority 42 high", True, _priority),
        Verb("tag N +a -b", "tag 42 +billing -urgent", True, _tags),
        Verb("title N text", "title 42 Export fails", True, _title),
        Verb("set N field=value", 'set 42 version="4.2 beta"', True, _set),
        Verb("close N [comment]", "close 42", False, _close, usage_for_customers="close N"),
        Verb("reopen N", "reopen 42", False, _reopen),
        Verb("spam N", "spam 42", True, _spam),
        Verb("digest [today|week|month] [#channel|company]", "digest week <#C024BE7LR|help-globex>", True, _digest),
        Verb("stats [today|week|month]", "stats week", True, _stats),
        Verb("setup", "setup", True, _setup),
        Verb("help", "help", False, _help),
    )
}


def is_a_request(command: Command) -> bool:
    """Whether a customer who says this after the desk's mention speaks to people: in words of their own."""
    own_words = isinstance(command, New | Reply | Note | Title)
    return own_words or (isinstance(command, Digest) and isinstance(command.about, str))


def is_bare(said: str) -> bool:
    """Whether it is nothing but a verb that everybody may use."""
    verb = VERBS.get(said.casefold())
    return verb is not None and not verb.agents_only


def is_for_agents(said: str, command: Command | None) -> bool:
    """Whether somebody speaks to the desk in a whole command that only agents have, or in nothing but its verb.

    `command`: what `said` is, None where it is no command.
    """
    first, rest = _first_word(said)
    verb = VERBS.get(first.casefold())
    return verb is not None and verb.agents_only and (not rest or (command is not None and not is_a_request(command)))


def _unknown_verb(word: str, rest: str, implied: int | None, called: str) -> UnknownVerb:
    near = _MEANT.get(word.casefold()) or _nearest(word.casefold(), VERBS)
    given = _NUMBER.fullmatch(_first_word(rest)[0])
    number = _whole(given[2]) if given else implied
    meant = _hint(VERBS[near], number, implied, called) if near else None
    new, all_verbs = (_hint(VERBS[verb], None, None, called) for verb in ("new", "help"))
    return UnknownVerb(say.no_verb(word=_shown(word), meant=meant, new=new, all_verbs=all_verbs))


def _nearest(word: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(word, known, n=1)), None)


def _ticket(said: _Said, *, then_words: bool = False) -> tuple[int, _Said]:
    """The ticket's number, and what was said of it.

    `then_words`: a person's own words follow. In a thread these may begin with a number ("reply 3 of us saw it"),
    which must not send them to another ticket: there only #3, and the thread's own number, is one.
    """
    first, rest = _first_word(said.rest)
    found = _NUMBER.fullmatch(first)
    if said.number is not None and (found is None or found[1] or (then_words and _is_a_word(first, said.number))):
        return said.number, said
    if not first:
        raise said.wrong(say.NUMBER_MISSING)
    if found is None:
        raise _misplaced(said, first)
    if found[1]:
        raise said.wrong(say.NUMBER_NEGATIVE)
    number = _whole(found[2])
    if number is None:
        raise said.wrong(say.NUMBER_TOO_BIG)
    if number == 0:
        raise said.wrong(say.NUMBER_ZERO)
    return number, replace(said, rest=rest, number=number)


def _misplaced(said: _Said, first: str) -> Misunderstood:
    """No number stands where it should; where one stands later, the order is what is wrong."""
    later = next((word for word in said.rest.split()[1:] if (found := _NUMBER.fullmatch(word)) and not found[1]), None)
    number = _whole(later.removeprefix("#")) if later else None
    if not number:
        return said.wrong(say.no_number(word=_shown(first)))
    return replace(said, number=number).wrong(say.number_misplaced(verb=said.verb.usage.split()[0]))


def _is_a_word(number: str, implied: int) -> bool:
    return not number.startswith("#") and number != str(implied)


def _whole(digits: str) -> int | None:
    """None for more than a ticket's number can be; int() itself refuses thousands of digits."""
    digits = digits.lstrip("0")
    number = int(digits[:11] or 0)
    return number if number <= LARGEST_NUMBER else None


def _number_alone(said: _Said) -> int:
    number, said = _ticket(said)
    _nothing_more(said)
    return number


def _nothing_more(said: _Said) -> None:
    if said.rest:
        raise said.wrong(say.too_much(words=_shown(said.rest)))


def _needed_text(said: _Said, mistake: str) -> str:
    text = _unquoted(said.rest)
    if not text:
        raise said.wrong(mistake)
    return text


def _choice(said: _Said, choices: tuple[Choice, ...], kind: Literal["priority", "period"]) -> Choice:
    first, rest = _first_word(said.rest)
    if not first:
        raise said.wrong(say.which(kind, choices=choices))
    for choice in choices:
        if choice == first.casefold():
            _nothing_more(replace(said, rest=rest))
            return choice
    mistake = say.none_of(kind, word=_shown(first), choices=choices)
    raise said.wrong(mistake, near=_nearest(first.casefold(), choices))


def _people(said: _Said) -> tuple[Person, ...]:
    words = _words(said.rest)
    if not words:
        raise said.wrong(say.WHO)
    return tuple(dict.fromkeys(_person(said, word) for word in words))


def _person(said: _Said, word: str) -> Person:
    slack_id = words_of.person(word)
    if slack_id:
        return Person(slack_id)
    if word.startswith("<!"):
        raise said.wrong(say.a_group(word=_shown(word)))
    if word.startswith("@"):
        raise said.wrong(say.unknown_person(word=_shown(word)))
    raise said.wrong(say.no_person(word=_shown(word)))


def _tag(said: _Said, word: str) -> str:
    channel = _CHANNEL.fullmatch(word)
    # Slack makes a channel of #billing where there is one of that name.
    tag = (channel[1] if channel else word.removeprefix("#")).lower()
    if len(tag) > TAG_LENGTH:
        raise said.wrong(say.tag_too_long(tag=_shown(tag), most=TAG_LENGTH))
    if not _TAG.fullmatch(tag):
        raise said.wrong(say.no_tag(word=_shown(word)))
    return tag


def _first_word(text: str) -> tuple[str, str]:
    first, *rest = text.split(maxsplit=1) or [""]
    return first, "".join(rest).strip()


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _unquoted(text: str) -> str:
    closing = _QUOTES.get(text[:1])
    inside = text[1:-1]
    if closing and len(text) > 1 and text.endswith(closing) and not {text[0], closing} & set(inside):
        return inside if inside.strip() else ""
    return text


def _unique(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))


def _shown(words: str) -> str:
    """What the person typed, quoted in a sentence: readable, on one line, short."""
    line = " ".join(words_of.readable(words, {}).split())
    return f'"{line[:39]}…"' if len(line) > 40 else f'"{line}"'
