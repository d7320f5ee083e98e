"""The two ways in which the sandbox says no."""

from collections.abc import Sequence
from typing import Any

from bot.sandbox.blockkit import Refusal


class Refused(Exception):  # noqa: N818 - a refusal is Slack's ordinary answer, not a fault
    """A Web API call that Slack refuses: its error code, the page that says so, and details."""

    def __init__(self, error: str, reference: str, messages: Sequence[str] = (), **details: Any) -> None:
        super().__init__(error)
        self.error = error
        self.reference = reference
        self.messages = list(messages)
        self.details = details

    def answer(self) -> dict[str, Any]:
        body: dict[str, Any] = {"ok": False, "error": self.error, **self.details}
        if self.messages:
            body["response_metadata"] = {"messages": self.messages}
        return body | {"sandbox_reference": self.reference}


def refuse(refusals: Sequence[Refusal]) -> None:
    """Raise Refused, with the first one's code and page, if there is any refusal."""
    if refusals:
        messages = [f"[ERROR] {each.sentence} [json-pointer:{each.path}]" for each in refusals]
        raise Refused(refusals[0].code, refusals[0].reference, messages)


class RateLimited(Exception):  # noqa: N818 - Slack's ordinary answer, not a fault
    """Too many calls. Answered as HTTP 429 with ``Retry-After``, in whole seconds:
    https://docs.slack.dev/apis/web-api/rate-limits"""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"try again in {seconds} s")
        self.seconds = seconds


class CannotDo(Exception):  # noqa: N818 - reads as a sentence where it is raised and expected
    """Something that Slack's own client does not let this person do, and the page that says so."""

    def __init__(self, sentence: str, url: str) -> None:
        super().__init__(f"{sentence} See {url}")
        self.sentence = sentence
        self.url = url
