import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.tickets.text import (
    JSON,
    TITLE_LENGTH,
    clean,
    first_mention,
    is_bare_thanks,
    mentioned,
    person,
    readable,
    title_from,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))
ANY_JSON: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
)
NAMES = {"U1": "Ada Lovelace", "W2": "R&D <bot>"}


def keepable(value: JSON) -> bool:
    match value:
        case str():
            return "\0" not in value and value == value.encode(errors="replace").decode()
        case list():
            return all(keepable(item) for item in value)
        case dict():
            return all(keepable(key) and keepable(item) for key, item in value.items())
        case _:
            return True


@given(ANY_JSON)
def test_cleaned_values_can_be_kept_and_are_clean(value: JSON) -> None:
    cleaned = clean(value)
    assert keepable(cleaned)
    assert clean(cleaned) == cleaned
    assert cleaned == value or not keepable(value)


def test_clean_replaces_in_keys_and_depth_and_nothing_else() -> None:
    assert clean({"a\0": ["\ud83d", {"b": "\N{GRINNING FACE}\u202e\t\n"}], "n": 1.5}) == {
        "a\ufffd": ["\ufffd", {"b": "\N{GRINNING FACE}\u202e\t\n"}],
        "n": 1.5,
    }


@pytest.mark.parametrize(
    ("encoded", "plain"),
    [
        ("<@U1> hi", "@Ada Lovelace hi"),
        ("<@U1|ada>", "@Ada Lovelace"),
        ("<@U9|grace>", "@grace"),
        ("<@U9>", "@U9"),
        ("<@U9|>", "@U9"),
        ("<@W2>", "@R&D <bot>"),
        ("<#C1|general>", "#general"),
        ("<#C1|>", "#C1"),
        ("<#C1>", "#C1"),
        ("<!channel> <!here> <!everyone>", "@channel @here @everyone"),
        ("<!here|here> <!here|@here>", "@here @here"),
        ("<!subteam^S1|@team>", "@team"),
        ("<!subteam^S1>", "@S1"),
        ("<!date^1392734382^{date} at {time}^https://x.test|Feb 18 &amp; so>", "Feb 18 & so"),
        ("<!date^1392734382^{date}>", "<!date^1392734382^{date}>"),
        ("<https://x.test|label>", "label (https://x.test)"),
        ("<https://x.test?a=1&amp;b=2|R&amp;D>", "R&D (https://x.test?a=1&b=2)"),
        ("<https://x.test>", "https://x.test"),
        ("<https://x.test|https://x.test>", "https://x.test"),
        ("<mailto:a@b.test|a@b.test>", "a@b.test"),
        ("<mailto:a@b.test|write us>", "write us (a@b.test)"),
        ("<tel:+4930123|+4930123>", "+4930123"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&amp;lt; &lt;@U1&gt; &quot; &#39;", "&lt; <@U1> &quot; &#39;"),
        ("*bold* _it_ `x` :tada:\n> q", "*bold* _it_ `x` :tada:\n> q"),
        ("a < b > c <> <", "a < b > c <> <"),
    ],
)
def test_readable(encoded: str, plain: str) -> None:
    assert readable(encoded, NAMES) == plain


@given(ANY_TEXT)
def test_readable_undoes_the_escaping_of_what_a_person_typed(typed: str) -> None:
    escaped = typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert readable(escaped, NAMES) == typed


def test_mentioned_are_people_only_and_not_what_merely_looks_so() -> None:
    assert mentioned("<@U1> <@W2|w> <@U1> <#C1|c> <!here> &lt;@U3&gt; @U4 <mailto:u@U5.test>") == {"U1", "W2"}


@pytest.mark.parametrize(
    ("word", "slack_id"), [("<@U1>", "U1"), ("<@W2|grace h>", "W2"), ("@U1", None), ("<@U1>!", None)]
)
def test_person(word: str, slack_id: str | None) -> None:
    assert person(word) == slack_id


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("<@UB> close 42", "close 42"),
        (" \n<@UB|desk>\treply\n two\nlines \n", "reply\n two\nlines"),
        ("<@UB>", ""),
        ("<@UB>, close 42", "close 42"),
        ("<@UB>: close 42", "close 42"),
        ("<@UB> :fire: help", ":fire: help"),
        ("<@UBX> close 42", None),
        ("hey <@UB> close 42", None),
        ("&lt;@UB&gt; close 42", None),
        ("", None),
    ],
)
def test_first_mention(text: str, rest: str | None) -> None:
    assert first_mention(text, "UB") == rest


@pytest.mark.parametrize(
    ("content", "files", "title"),
    [
        ("\n ---\n The\texport   fails \nsince today", (), "The export fails"),
        ("", ("crash.log",), "crash.log"),
        ("  ", ("crash.log", "b.png", "c.png"), "crash.log and 2 more"),
        ("???", ("crash.log",), "crash.log"),
        ("\n???", (), "???"),
        ("words", ("crash.log",), "words"),
        ("", (), "(no words)"),
        (" \n\t", (" ",), "(no words)"),
        ("a" * 120, (), "a" * 120),
        ("a" * 121, (), "a" * 119 + "…"),
        ("a" * 100 + " " + "b" * 100, (), "a" * 100 + "…"),
        ("a" * 119 + " b", (), "a" * 119 + "…"),
        ("a " + "b" * 200, (), "a " + "b" * 117 + "…"),
        ("", ("f" * 200, "g"), "f" * 108 + "… and 1 more"),
    ],
)
def test_title_from(content: str, files: tuple[str, ...], title: str) -> None:
    assert title_from(content, files) == title


@given(ANY_TEXT, st.lists(ANY_TEXT))
def test_a_title_is_one_short_line_with_something_in_it(content: str, files: list[str]) -> None:
    title = title_from(content, files)
    assert 0 < len(title) <= TITLE_LENGTH
    assert len(title.splitlines()) == 1
    assert title == title.strip()


@pytest.mark.parametrize(
    "content",
    [
        "thanks!",
        "ty :pray:",
        "Thank you so much 🙏🏽",
        "danke",
        "Vielen Dank!",
        "Merci beaucoup :)",
        "¡Muchas gracias!",
        "thx <@U1|grace hopper>",
        "Thanks @grace!",
        "Perfect, thanks a lot everyone :tada::skin-tone-2:",
        "*thanks* <3",
        "_thanks_ &lt;3 :D",
        "Thank you for your help!",
        "ありがとうございます",
        "谢谢！",
        "dankescho\u0308n",
    ],
)
def test_bare_thanks(content: str) -> None:
    assert is_bare_thanks(content)


@pytest.mark.parametrize(
    "content",
    [
        "thanks, but it still fails",
        "",
        "🙏",
        ":pray:",
        "ok",
        "great",
        "no thanks",
        "thanks?",
        "thanks :(",
        "help! thanks",
        "thanks in advance",
        "thanks 503",
        "Thanks @Ada Still broken",
        "thank you for nothing",
        "tak",
        "thanks " * 100,
    ],
)
def test_not_bare_thanks(content: str) -> None:
    assert not is_bare_thanks(content)


@given(ANY_TEXT)
def test_thanks_with_other_words_are_not_bare(content: str) -> None:
    assert not is_bare_thanks(f"thanks {content} broken")
