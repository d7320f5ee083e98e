"""What the desk writes about itself: JSON lines on standard output, one event each.

Nobody's words, no e-mail address and no secret stand in them at the levels above DEBUG. Errors quote what they stumble
over, so of an unexpected one the log has the type and where it happened; its own words only at DEBUG.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TextIO

import structlog
from pydantic import ValidationError
from slack_sdk.errors import SlackApiError
from structlog.typing import EventDict, Processor, WrappedLogger

log = structlog.get_logger(__name__)

HIDDEN = "…"
#: Tokens, signatures, passwords in addresses, response URLs (which let anybody post) and e-mail addresses.
#: https://docs.slack.dev/authentication/tokens and https://docs.slack.dev/authentication/verifying-requests-from-slack
CONFIDENTIAL = re.compile(
    r"\bx(?:ox[a-z]|app)-[\w-]+|\bv0=[0-9a-fA-F]{16,}|(?<=://)[^\s/@]*:[^\s/@]*(?=@)"
    r"|https?://hooks\.slack\.com/[^\s\"']+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
)


def set_up(level: str, *, hide: Iterable[str] = (), to: TextIO | None = None) -> None:
    """`hide`: secrets that no pattern knows. `to`: where the log goes; None: to standard output.

    Of libraries, only errors are written, whatever the level: below that they quote whole requests.
    """
    full = level == "DEBUG"
    clean = _Clean(hide)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_Told(with_words=full)),
    ]
    rendering: list[Processor] = [clean, structlog.processors.JSONRenderer(ensure_ascii=False)]
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(to or sys.stdout),
    )
    libraries = logging.StreamHandler(to or sys.stdout)
    libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared, _first_line],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(level=logging.ERROR, handlers=[libraries], force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _fallen
    sys.unraisablehook = lambda unraisable: log.error("unexpected error", exc_info=unraisable.exc_value)


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Errors of tasks that nobody waits for: asyncio's own line quotes them."""

    def unheard(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        log.error("unexpected error", asyncio=context["message"], exc_info=context.get("exception"))

    loop.set_exception_handler(unheard)


@contextmanager
def request() -> Iterator[str]:
    """A new id, which stands as `request` in every line until the end; people are told it as the reference."""
    reference = secrets.token_hex(4)
    with structlog.contextvars.bound_contextvars(request=reference):
        yield reference


def reference() -> str:
    """The id of the request that is under way."""
    return str(structlog.contextvars.get_contextvars()["request"])


class _Told:
    """An exception as text: types, frames and what is known to be safe of it."""

    def __init__(self, *, with_words: bool) -> None:
        self._with_words = with_words

    def __call__(self, exc_info: Any) -> str:
        error = exc_info[1]
        if error is None:
            return ""
        if self._with_words:
            return "".join(traceback.format_exception(error)).rstrip()
        chain = []
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            frames = "".join(traceback.format_tb(error.__traceback__))
            chain.append(f"{frames}{type(error).__module__}.{type(error).__qualname__}{_facts(error)}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n\n".join(reversed(chain))


def _facts(error: BaseException) -> str:
    """What is safe to say of an error, and helps: codes and names, never values."""
    match error:
        case ValidationError():
            found = ", ".join(
                f"{problem['type']} at {problem['loc'][0] if problem['loc'] else '-'}"
                for problem in error.errors(include_input=False, include_context=False)
            )
            return f": {found}"
        case SlackApiError():
            data = getattr(error.response, "data", None)
            return f": {data.get('error')}" if isinstance(data, dict) else ""
        case OSError() if error.strerror:
            return f": {error.strerror}"
        case _:
            names = ("sqlstate", "constraint_name", "table_name", "column_name")
            facts = [f"{name} {value}" for name in names if isinstance(value := getattr(error, name, None), str)]
            return f": {', '.join(facts)}" if facts else ""


class _Clean:
    """Takes out what must not be in a log, wherever it has come from."""

    def __init__(self, hide: Iterable[str]) -> None:
        self._hide = [one for one in hide if one]

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {name: self._cleaned(value) for name, value in event.items()}

    def _cleaned(self, value: object) -> object:
        match value:
            case str():
                for secret in self._hide:
                    value = value.replace(secret, HIDDEN)
                return CONFIDENTIAL.sub(HIDDEN, value)
            case dict():
                return {name: self._cleaned(one) for name, one in value.items()}
            case list() | tuple():
                return [self._cleaned(one) for one in value]
            case bool() | int() | float() | None:
                return value
            case _:
                return self._cleaned(str(value))


def _first_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """asyncio and aiohttp go on with the objects concerned."""
    event["event"] = str(event["event"]).partition("\n")[0]
    return event


def _fallen(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    if not isinstance(error, KeyboardInterrupt):
        log.critical("the desk has fallen over", exc_info=error)
