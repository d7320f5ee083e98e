from typing import assert_never

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.tickets.grammar import (
    VERBS,
    Assign,
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
    Setup,
    Show,
    Spam,
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
        ("close 42", Close(42, None)),
        ('close 42 ""', Close(42, None)),
        ("close 42 fixed in 2.1", Close(42, "fixed in 2.1")),
        ("reopen 42", Reopen(42)),
        ("spam 42", Spam(42)),
        ("digest", Digest("week")),
        ("digest Month", Digest("month")),
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
        ("priority 97 low now", '"now" is too much here. Try: `/ticket priority 97 high`'),
        ("digest year", '"year" is no period: it is today, week or month. Try: `/ticket digest week`'),
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
            'There is nothing to list by "opne". Did you mean open? Try: `/ticket list open unassigned #billing high`',
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
            | Close()
            | Reopen()
            | Spam()
            | Digest()
            | Setup()
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


@given(st.text(min_size=1).map(str.strip).filter(lambda words: words and words[0] not in '"“'))
def test_the_words_of_a_reply_are_passed_on_as_they_came(words: str) -> None:
    assert parse(f"reply 42 {words}") == Reply(42, words)
