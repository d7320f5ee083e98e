from typing import assert_never

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.tickets.grammar import (
    VERBS,
    Assign,
    Channel,
    Claim,
    Close,
    Command,
    Digest,
    Help,
    List,
    Mine,
    Misunderstood,
    New,
    Note,
    Person,
    Priority,
    Reopen,
    Reply,
    Set,
    Setup,
    Show,
    Spam,
    Stats,
    Tag,
    Title,
    Unassign,
    UnknownVerb,
    parse,
)

ADA, GRACE = Person("U1"), Person("W2")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("", New("")),
        (" \n", New("")),
        ("new", New("")),
        ("NEW  The export\n fails &amp; <@U1> cries ", New("The export\n fails &amp; <@U1> cries")),
        ('new "The export fails"', New("The export fails")),
        ("new “The export fails”", New("The export fails")),
        ('new "a" or "b"', New('"a" or "b"')),
        ('new "', New('"')),
        ("list", List()),
        ("list Open", List(status="open")),
        ("list all mine", List(status="all", whose="mine")),
        ("list high #Billing UNASSIGNED new", List("new", "unassigned", "billing", "high")),
        ("list <#C1|billing> <@U1|ada l>", List(whose=ADA, tag="billing")),
        ("mine", Mine()),
        ("show 42", Show(42)),
        ("show\u00a0#42", Show(42)),
        ("show 0042", Show(42)),
        ("show 2147483647", Show(2147483647)),
        ("claim 42", Claim(42)),
        ("assign 42 <@U1>", Assign(42, (ADA,))),
        ("assign 42 <@W2|grace h>, <@U1> <@W2>", Assign(42, (GRACE, ADA))),
        ("unassign #42 <@U1>,<@W2>", Unassign(42, (ADA, GRACE))),
        ("reply 42 On it.\n\n  Ada &lt;3", Reply(42, "On it.\n\n  Ada &lt;3")),
        ("reply 42\nOn it.", Reply(42, "On it.")),
        ('reply 42 " as it is "', Reply(42, " as it is ")),
        ("note 42 seen", Note(42, "seen")),
        ("priority 42 HIGH", Priority(42, "high")),
        ("tag 42 +Billing -urgent e_2 #x", Tag(42, ("billing", "e_2", "x"), ("urgent",))),
        ("tag 42 a, a +a -<#C1|b>", Tag(42, ("a",), ("b",))),
        ("tag 42 " + "x" * 50, Tag(42, ("x" * 50,), ())),
        ("tag 42 größe", Tag(42, ("größe",), ())),
        ("title 42 “Export fails”", Title(42, "Export fails")),
        ("set 42 version=4.2", Set(42, (("version", "4.2"),))),
        (
            'set 42 Version="4.2 beta" region=“EU west” seats=',
            Set(42, (("Version", "4.2 beta"), ("region", "EU west"), ("seats", ""))),
        ),
        (
            'set 42 a="" b==c d=&lt;x&gt; owner=<@U1|ada l>',
            Set(42, (("a", ""), ("b", "=c"), ("d", "&lt;x&gt;"), ("owner", "<@U1|ada l>"))),
        ),
        ("set 42 " + "x" * 50 + "=1", Set(42, (("x" * 50, "1"),))),
        ("close 42", Close(42, None)),
        ('close 42 ""', Close(42, None)),
        ("close 42 fixed in 2.1", Close(42, "fixed in 2.1")),
        ("reopen 42", Reopen(42)),
        ("spam 42", Spam(42)),
        ("digest", Digest("week")),
        ("digest Month", Digest("month")),
        ("digest <#C1|help-globex>", Digest("week", Channel("C1", "help-globex"))),
        ("digest <#C1> today", Digest("today", Channel("C1", "C1"))),
        ("digest month #help-globex", Digest("month", Channel(None, "help-globex"))),
        ("digest Globex R&amp;D", Digest("week", "Globex R&D")),
        ('digest today "Today"', Digest("today", "Today")),
        ("digest Globex month", Digest("month", "Globex")),
        ('digest ""', Digest("week")),
        ("stats", Stats("week")),
        ("stats TODAY", Stats("today")),
        ("help", Help()),
    ],
)
def test_commands(text: str, command: Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("show", Show(7)),
        ("show #42", Show(42)),
        ("close", Close(7, None)),
        ("close fixed", Close(7, "fixed")),
        ("close #42 fixed", Close(42, "fixed")),
        ("close 42 of them", Close(7, "42 of them")),
        ("reply #42 On it.", Reply(42, "On it.")),
        ("reply 3 of us saw it", Reply(7, "3 of us saw it")),
        ("note 3 of us saw it", Note(7, "3 of us saw it")),
        ("title 3 exports fail", Title(7, "3 exports fail")),
        ("reply On it.", Reply(7, "On it.")),
        ("reply 7 On it.", Reply(7, "On it.")),
        ("close 7", Close(7, None)),
        ("reply -3 is wrong", Reply(7, "-3 is wrong")),
        ('reply "3 of us saw it"', Reply(7, "3 of us saw it")),
        ("assign <@U1>", Assign(7, (ADA,))),
        ("priority low", Priority(7, "low")),
        ("tag -5 a", Tag(7, ("a",), ("5",))),
        ("set version=4.2", Set(7, (("version", "4.2"),))),
        ("set 42 version=4.2", Set(42, (("version", "4.2"),))),
        ("list", List()),
    ],
)
def test_in_a_thread_the_number_is_implied_and_one_that_is_given_wins(text: str, command: Command) -> None:
    assert parse(text, implied=7) == command


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clsoe 97 done", 'There is no verb "clsoe". Did you mean: `/ticket close 97`?'),
        ("clsoe", 'There is no verb "clsoe". Did you mean: `/ticket close 42`?'),
        ("asign", 'There is no verb "asign". Did you mean: `/ticket assign 42 @grace`?'),
        (
            "printers burn",
            'There is no verb "printers". To open a ticket: `/ticket new The export fails`.'
            " For all verbs: `/ticket help`",
        ),
        ("show", "Which ticket? Its number is missing. Try: `/ticket show 42`"),
        ("show it", '"it" is not a ticket\'s number. Try: `/ticket show 42`'),
        ("show 0", "Ticket numbers begin at 1. Try: `/ticket show 42`"),
        ("show -3", "Ticket numbers are not negative. Try: `/ticket show 42`"),
        ("show 2147483648", "No ticket has so big a number. Try: `/ticket show 42`"),
        ("show " + "9" * 5000, "No ticket has so big a number. Try: `/ticket show 42`"),
        ("show 97 now please", '"now please" is too much here. Try: `/ticket show 97`'),
        ("mine 97", '"97" is too much here. Try: `/ticket mine`'),
        ("help me", '"me" is too much here. Try: `/ticket help`'),
        ("reply 97", "The reply has no words. Try: `/ticket reply 97 It works again`"),
        ('note 97 " "', "The note has no words. Try: `/ticket note 97 Seen before`"),
        ("title 97", "The title has no words. Try: `/ticket title 97 Export fails`"),
        ("priority 97", "Which priority? It is low, medium or high. Try: `/ticket priority 97 high`"),
        ("priority 97 asap", '"asap" is no priority: it is low, medium or high. Try: `/ticket priority 97 high`'),
        ("priority 97 hgih", '"hgih" is no priority: it is low, medium or high. Try: `/ticket priority 97 high`'),
        ("priority 97 lwo", '"lwo" is no priority: it is low, medium or high. Try: `/ticket priority 97 low`'),
        ("priority high 97", "The ticket's number comes right after priority. Try: `/ticket priority 97 high`"),
        ("assign <@U1> #97", "The ticket's number comes right after assign. Try: `/ticket assign 97 @grace`"),
        ("resolve 97", 'There is no verb "resolve". Did you mean: `/ticket close 97`?'),
        ("set 97", 'Which field? Write its name, =, and its value. Try: `/ticket set 97 version="4.2 beta"`'),
        (
            "set 97 version 4.2",
            '"version" has no value: write = right after the name, and quotation marks around several words.'
            ' Try: `/ticket set 97 version="…"`',
        ),
        (
            "set 97 =4.2",
            '"=4.2" names no field: its name stands before =, without spaces. Try: `/ticket set 97 version="4.2 beta"`',
        ),
        (
            "set 97 a!b=1",
            '"a!b" cannot be a field\'s name: those are of letters, digits, - _ and .'
            ' Try: `/ticket set 97 version="4.2 beta"`',
        ),
        ("set 97 a=1 A=2", '"A" is there twice. Try: `/ticket set 97 version="4.2 beta"`'),
        (
            "set 97 " + "x" * 51 + "=1",
            f'The name "{"x" * 39}…" is too long: at most 50 characters. Try: `/ticket set 97 version="4.2 beta"`',
        ),
        ("priority 97 low now", '"now" is too much here. Try: `/ticket priority 97 high`'),
        (
            "digest today month",
            '"month" is one too many: a digest is of one period. Try: `/ticket digest week #help-globex`',
        ),
        ("stats year", '"year" is no period: it is today, week or month. Try: `/ticket stats week`'),
        ("assign 97", "Who? Type @ and pick the person from Slack's list. Try: `/ticket assign 97 @grace`"),
        (
            "assign 97 @grace",
            'Slack did not say who "@grace" is: type @ and pick the person from Slack\'s list.'
            " Try: `/ticket assign 97 @grace`",
        ),
        ("assign 97 <!subteam^S1|@team>", '"@team" is a group: name each person. Try: `/ticket assign 97 @grace`'),
        (
            "unassign 97 me",
            '"me" is not a person: type @ and pick one from Slack\'s list. Try: `/ticket unassign 97 @grace`',
        ),
        ("tag 97", "Which tags? + adds one, - takes one away. Try: `/ticket tag 97 +billing -urgent`"),
        ("tag 97 +a -a", '"a" is to be added and taken away. Try: `/ticket tag 97 +billing -urgent`'),
        (
            "tag 97 r&amp;d",
            '"r&d" cannot be a tag: tags are of letters, digits, - and _. Try: `/ticket tag 97 +billing -urgent`',
        ),
        (
            "tag 97 " + "x" * 51,
            f'The tag "{"x" * 39}…" is too long: at most 50 characters. Try: `/ticket tag 97 +billing -urgent`',
        ),
        (
            "list opne",
            'There is nothing to list by "opne". Did you mean open? Try: `/ticket list open`',
        ),
        (
            "list billing",
            'There is nothing to list by "billing". A tag is written with #, a person is picked with @. '
            "Try: `/ticket list open unassigned #billing high`",
        ),
        (
            "list open closed",
            '"closed" is one too many: a list is of one status. Try: `/ticket list open unassigned #billing high`',
        ),
        (
            "list mine <@U1>",
            "\"@U1\" is one too many: a list is of one person's tickets, or of those that are nobody's. "
            "Try: `/ticket list open unassigned #billing high`",
        ),
        (
            "list #a #b",
            '"#b" is one too many: a list is by one tag. Try: `/ticket list open unassigned #billing high`',
        ),
        (
            "list low high",
            '"high" is one too many: a list is of one priority. Try: `/ticket list open unassigned #billing high`',
        ),
    ],
)
def test_mistakes_are_named_with_the_nearest_right_form(text: str, sentence: str) -> None:
    with pytest.raises(Misunderstood) as refused:
        parse(text)
    assert str(refused.value) == sentence


def test_in_a_thread_the_right_form_can_be_typed_there() -> None:
    with pytest.raises(Misunderstood, match="Try: `@desk reply It works again`"):
        parse("reply", implied=7, called="@desk")
    with pytest.raises(Misunderstood, match="Try: `@desk reply 8 It works again`"):
        parse("reply #8", implied=7, called="@desk")
    with pytest.raises(UnknownVerb, match=r"Did you mean: `@desk close`\?"):
        parse("clsoe", implied=7, called="@desk")


def verb_of(command: Command) -> str:
    """Spelt out so that the type checker says when a command is missing here."""
    match command:
        case (
            New()
            | List()
            | Mine()
            | Show()
            | Claim()
            | Assign()
            | Unassign()
            | Reply()
            | Note()
            | Priority()
            | Tag()
            | Title()
            | Set()
            | Close()
            | Reopen()
            | Spam()
            | Digest()
            | Setup()
            | Stats()
            | Help()
        ):
            return type(command).__name__.lower()
        case _:
            assert_never(command)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_row(verb: str) -> None:
    row = VERBS[verb]
    assert verb_of(parse(row.example)) == verb
    assert row.usage.split()[0] == row.typed.split()[0] == verb
    assert row.does.endswith(".")
    assert "<" not in row.typed


def test_customers_have_verbs_of_their_own() -> None:
    assert {verb for verb, row in VERBS.items() if not row.agents_only} == {
        "new",
        "list",
        "mine",
        "show",
        "close",
        "reopen",
        "help",
    }


def test_the_comment_on_closing_is_said_to_be_internal() -> None:
    assert "internal" in VERBS["close"].does


PIECES = st.sampled_from(
    [*VERBS, "42", "#42", "-1", "0", "open", "mine", "low", "+a", "-a", "#a", "@ada", "<@U1|a b>", "<", ">"]
)
TYPED = st.lists(PIECES | st.text(), max_size=6).map(" ".join)


@given(TYPED | st.text(), st.none() | st.integers(1, 999))
@example("9" * 5000, None)
@example("show " + "0" * 40_000 + "x", None)
@example("<!channel>" * 4000, None)
@example("tag 1 " + "<" * 40_000, None)
def test_whatever_is_typed_is_a_command_or_gets_a_short_sentence(text: str, implied: int | None) -> None:
    try:
        assert verb_of(parse(text, implied=implied)) in VERBS
    except Misunderstood as refused:
        sentence = str(refused)
        assert 20 < len(sentence) < 250
        assert "\n" not in sentence


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=12)
TAGS = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True)
PEOPLE = st.lists(st.from_regex(r"[UW][A-Z0-9]{2,10}", fullmatch=True).map(Person), min_size=1, max_size=4, unique=True)
NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,20}", fullmatch=True)
VALUES = st.lists(WORDS, max_size=3).map(" ".join)
SENTENCES = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
NUMBERS = st.integers(1, 2**31 - 1)
LEVELS = st.sampled_from(["low", "medium", "high"])


@st.composite
def tags(draw: st.DrawFn) -> Tag:
    chosen = draw(st.lists(TAGS, min_size=1, max_size=5, unique=True))
    removed = draw(st.integers(0, len(chosen)))
    return Tag(draw(NUMBERS), tuple(chosen[removed:]), tuple(chosen[:removed]))


COMMANDS = st.one_of(
    st.builds(New, VALUES),
    st.builds(
        List,
        st.none() | st.sampled_from(["open", "new", "pending", "closed", "all"]),
        st.none() | st.sampled_from(["mine", "unassigned"]) | PEOPLE.map(lambda people: people[0]),
        st.none() | TAGS,
        st.none() | LEVELS,
    ),
    *(st.builds(one) for one in (Mine, Help)),
    *(st.builds(one, NUMBERS) for one in (Show, Claim, Reopen, Spam)),
    *(st.builds(one, NUMBERS, PEOPLE.map(tuple)) for one in (Assign, Unassign)),
    *(st.builds(one, NUMBERS, SENTENCES) for one in (Reply, Note, Title)),
    st.builds(Close, NUMBERS, st.none() | SENTENCES),
    st.builds(Priority, NUMBERS, LEVELS),
    tags(),
    st.builds(
        Set, NUMBERS, st.dictionaries(NAMES, VALUES, min_size=1, max_size=4).map(lambda all_: tuple(all_.items()))
    ),
    *(st.builds(one, st.sampled_from(["today", "week", "month"])) for one in (Digest, Stats)),
)


def typed(command: Command) -> str:  # noqa: PLR0911
    """The command as a person would type it, Slack-encoded."""
    match command:
        case New(title):
            return f"new {title}"
        case List(status, whose, tag, priority):
            person = f"<@{whose.slack_id}>" if isinstance(whose, Person) else whose
            return " ".join(["list", *filter(None, (status, person, f"#{tag}" if tag else None, priority))])
        case Assign(number, people) | Unassign(number, people):
            return f"{verb_of(command)} {number} {' '.join(f'<@{one.slack_id}>' for one in people)}"
        case Tag(number, add, remove):
            return f"tag #{number} {' '.join([*(f'+{tag}' for tag in add), *(f'-{tag}' for tag in remove)])}"
        case Set(number, fields):
            return " ".join([f"set {number}", *(f'{name}="{value}"' for name, value in fields)])
        case Reply(number, text) | Note(number, text) | Title(number, text) | Close(number, text):
            return f"{verb_of(command)} {number} {text or ''}"
        case Priority(number, level):
            return f"priority {number} {level}"
        case Digest(period) | Stats(period):
            return f"{verb_of(command)} {period}"
        case Show(number) | Claim(number) | Reopen(number) | Spam(number):
            return f"{verb_of(command)} {number}"
        case _:
            return verb_of(command)


@given(COMMANDS)
def test_every_command_can_be_typed(command: Command) -> None:
    assert parse(typed(command)) == command


#: Every verb's printed example, written out: what README and `help` promise is what is done.
EXAMPLES: dict[str, Command] = {
    "new": New("The export fails"),
    "list": List("open", "unassigned", "billing", "high"),
    "mine": Mine(),
    "show": Show(42),
    "claim": Claim(42),
    "assign": Assign(42, (Person("U024BE7LH"),)),
    "unassign": Unassign(42, (Person("U024BE7LH"),)),
    "reply": Reply(42, "It works again"),
    "note": Note(42, "Seen before"),
    "priority": Priority(42, "high"),
    "tag": Tag(42, ("billing",), ("urgent",)),
    "title": Title(42, "Export fails"),
    "set": Set(42, (("version", "4.2 beta"),)),
    "close": Close(42, None),
    "reopen": Reopen(42),
    "spam": Spam(42),
    "digest": Digest("week", Channel("C024BE7LR", "help-globex")),
    "stats": Stats("week"),
    "setup": Setup(),
    "help": Help(),
}


def test_every_printed_example_does_what_its_verb_says() -> None:
    assert {verb: parse(row.example) for verb, row in VERBS.items()} == EXAMPLES


@given(st.sampled_from([verb for verb, row in VERBS.items() if " N" in row.usage]), st.integers(1, 999))
def test_a_hint_is_itself_a_right_command_about_the_same_ticket(verb: str, number: int) -> None:
    with pytest.raises(Misunderstood) as refused:
        parse(f"{verb} {number} {chr(33)}!" if verb not in {"reply", "note", "title", "close"} else f"{verb} -{number}")
    hint = str(refused.value).partition("`/ticket ")[2].partition("`")[0]
    assert verb_of(parse(hint.replace("@grace", "<@U1>"))) == verb


@given(st.text(min_size=1).map(str.strip).filter(lambda words: words and words[0] not in '"“'))
def test_the_words_of_a_reply_are_passed_on_as_they_came(words: str) -> None:
    assert parse(f"reply 42 {words}") == Reply(42, words)
