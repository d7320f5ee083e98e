"""What people type, made fit to keep and to read.

Slack's encoding of text: https://docs.slack.dev/messaging/formatting-message-text
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TypeAlias, overload

from bot.tickets.words import operations as say

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | None"

TITLE_LENGTH = 120

_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}
_ENTITY = re.compile("|".join(_ENTITIES))
_ENCODED = re.compile(
    rf"<(?P<kind>[@#!]|[A-Za-z][A-Za-z0-9+.-]*:)(?P<body>[^<>|]*)(?:\|(?P<label>[^<>]*))?>|{_ENTITY.pattern}"
)
_PERSON = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")


@overload
def clean(value: str) -> str: ...
@overload
def clean(value: JSON) -> JSON: ...
def clean(value: JSON) -> JSON:
    """The same value with U+FFFD for every NUL and lone surrogate, which PostgreSQL refuses to keep.

    https://www.postgresql.org/docs/current/datatype-json.html
    """
    match value:
        case str():
            return _UNKEEPABLE.sub("�", value)
        case list():
            return [clean(item) for item in value]
        case dict():
            return {clean(key): clean(item) for key, item in value.items()}
        case _:
            return value


def readable(text: str, names: Mapping[str, str]) -> str:
    """Slack-encoded text as plain text: mentions and links become names and addresses.

    `names` maps Slack user ids to display names (plain text). Emoji codes and mrkdwn marks stay.
    The result is not Slack text: escape it before it is shown in Slack again.
    """

    def plain(found: re.Match[str]) -> str:
        if found["kind"] is None:
            return _ENTITIES[found[0]]
        body, label = _decoded(found["body"]), _decoded(found["label"] or "")
        match found["kind"]:
            case "@":
                return "@" + (names.get(body) or label or body).removeprefix("@")
            case "#":
                return "#" + (label or body)
            case "!":
                return _special(found[0], body, label)
            case scheme:
                return _link(scheme, body, label)

    return _ENCODED.sub(plain, text)


def unpinged(text: str, names: Mapping[str, str]) -> str:
    """Slack-encoded text that can be posted elsewhere: it looks the same, but mentions alert nobody.

    Links stay links; they were made by Slack, since what a person types arrives with `<` and `>` encoded.
    """

    def quiet(found: re.Match[str]) -> str:
        if found["kind"] is None or found["kind"] not in ("@", "!"):
            return found[0]
        return encoded(readable(found[0], names))

    return _ENCODED.sub(quiet, text)


def encoded(plain: str) -> str:
    """Plain text as Slack takes it: nothing in it can become a mention or a link."""
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mentioned(text: str) -> frozenset[str]:
    """The Slack user ids that Slack-encoded text mentions."""
    return frozenset(_PERSON.findall(text))


def person(word: str) -> str | None:
    """The Slack user id, where a word of Slack-encoded text is the mention of one person."""
    found = _PERSON.fullmatch(word)
    return found[1] if found else None


def first_mention(text: str, bot_id: str) -> str | None:
    """What follows the bot's mention where Slack-encoded text begins with it, stripped; else None.

    The comma or colon of "@desk, close 42" goes too; that of an emoji code (":fire: help") stays.
    """
    found = re.match(rf"\s*<@{re.escape(bot_id)}(?:\|[^<>]*)?>(?:\s*[,:](?!\S))?", text)
    return text[found.end() :].strip() if found else None


def mention_key(channel: str, ts: str) -> str:
    """Under which it is remembered that the command in Slack's message (channel, ts) was carried out."""
    return f"mention:{channel}:{ts}"


def title_from(content: str, files: Sequence[str] = ()) -> str:
    """A title of 1 to 120 characters for a ticket that begins with these readable words and file names."""
    lines = [" ".join(line.split()) for line in content.splitlines()]
    names = [" ".join(name.split()) for name in files if name.strip()]
    with_words = next((line for line in lines if re.search(r"\w", line)), None)
    if with_words:
        return _shortened(with_words, TITLE_LENGTH)
    if names:
        others = say.more_files(count=len(names) - 1)
        return _shortened(names[0], TITLE_LENGTH - len(others)) + others
    marks_alone = next(filter(None, lines), say.NO_WORDS)
    return _shortened(marks_alone, TITLE_LENGTH)


def _decoded(text: str) -> str:
    return _ENTITY.sub(lambda found: _ENTITIES[found[0]], text)


def _special(token: str, body: str, label: str) -> str:
    command, _, argument = body.partition("^")
    if command == "date":
        return label or token
    return "@" + (label or argument or command).removeprefix("@")


def _link(scheme: str, body: str, label: str) -> str:
    address = body if scheme.lower() in ("mailto:", "tel:") else scheme + body
    return address if label in ("", address) else f"{label} ({address})"


def _shortened(line: str, length: int) -> str:
    if len(line) <= length:
        return line
    kept = line[: length - 1]
    at_word = line[:length].rpartition(" ")[0]
    # A line without spaces (Chinese, a long address) would lose nearly all of itself.
    return (at_word if len(at_word) > length // 2 else kept).rstrip() + "…"


_THANKS = frozenset(
    """
    thank thanks thankyou thx thanx thnx tnx tks ty tysm tyvm cheers
    danke dankeschön dank merci gracias grazie obrigado obrigada bedankt tack takk kiitos
    dziękuję dzięki спасибо 谢谢 謝謝 ありがとう ありがとうございます ありがとうございました 감사합니다
    """.split()  # noqa: SIM905 - words read better as words
)
_BESIDE_THANKS = frozenset(
    """
    a again all amazing awesome bunch everybody everyone fantastic folks great guys heaps loads lot lots
    many million much ok okay perfect so super team ton tons u very wonderful ya you
    beaucoup besten bien большое herzlichen je mil mille molte muchas muchísimas muito mycket
    schön sehr så tusen viel vielen wel
    """.split()  # noqa: SIM905 - words read better as words
)
_FOR_HELP = re.compile(r"\bfor (?:all )?(?:your|the) (?:help|support)\b")
_ASIDE = re.compile(
    r"<@[^<>]*>|@[\w.-]+"  # a mention, encoded or with a name of one word
    r"|(?<!\w):[\w+'-]+:(?!\w)"  # an emoji code
    r"|[:;]-?[dp](?!\w)|(?:<|&lt;)3"  # :D ;P <3
)
_DOUBT = re.compile(r"[?？]|:'?-?\(")
_SHORT = 200


def is_bare_thanks(content: str) -> bool:
    """Whether these words thank and say nothing else. When in doubt: no, so that nobody goes unheard.

    Takes Slack-encoded or readable text. In the first a mention may name anybody; in the second only
    a name of one word ("@grace") is told from the words after it.
    """
    said = unicodedata.normalize("NFKC", content).casefold()
    if len(said) > _SHORT or _DOUBT.search(said):
        return False
    plain = " ".join(re.findall(r"[^\W_]+", _ASIDE.sub(" ", said)))
    words = set(_FOR_HELP.sub("", plain).split())
    return not words.isdisjoint(_THANKS) and words <= _THANKS | _BESIDE_THANKS
