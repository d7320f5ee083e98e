"""What the rules answer when they say no: sentences for the person who asked."""

from __future__ import annotations

from pydantic_core import PydanticCustomError


class Refused(Exception):  # noqa: N818 - not a fault of anybody's: the rules say no
    """An operation that the rules do not allow. `sentence`, plain text, is shown to the person, privately.

    `field`: the input of a form that the sentence is about.
    """

    def __init__(self, sentence: str, *, field: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.field = field


class Overtaken(Refused):
    """Somebody answered the customer since the reply was begun: its author should look before sending it."""


def wrong(sentence: str) -> PydanticCustomError:
    """What a validator raises: a sentence for the one who filled in the field."""
    # A message template in which braces stand for values: what people typed may hold braces.
    return PydanticCustomError("sentence", "{sentence}", {"sentence": sentence})
