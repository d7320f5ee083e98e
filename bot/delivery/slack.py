"""Calls to Slack, and what can become of them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, cast

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler, AsyncServerErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.metrics import CallResult, Metrics
from bot.tickets import text

START_SECONDS = 8
HASTY_SECONDS = 2

#: The channel is closed to the desk, not the message to the channel: nothing can be posted there for the time being.
CHANNEL_CLOSED = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "is_inactive",
        "restricted_action",
        "ekm_access_denied",
        "team_access_not_granted",
        # Only some of what the desk does may need the scope.
        "missing_scope",
    }
)
#: The desk itself is locked out of the workspace.
DESK_CLOSED = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})
#: Slack's own trouble: whether the call did its work is not known.
SLACK_TROUBLE = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})
#: https://docs.slack.dev/reference/methods/files.delete
FILE_GONE = frozenset({"file_not_found", "file_deleted"})


class RateLimited(Exception):  # noqa: N818 - Slack did nothing wrong, and nor did we
    """HTTP 429: nothing was done; `method` is to be left alone for `seconds`."""

    def __init__(self, method: str, seconds: float) -> None:
        super().__init__(f"{method} is rate limited for {seconds} s")
        self.method = method
        self.seconds = seconds


class SlackRefused(Exception):  # noqa: N818
    """Slack answered `ok: false`: nothing was done, and the same call will be refused again."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Unclear(Exception):  # noqa: N818
    """No answer, or one of Slack's own troubles: the call may or may not have done its work."""


class Client(AsyncWebClient):
    """Slack's own, whose calls are counted."""

    def __init__(self, metrics: Metrics, **options: Any) -> None:
        super().__init__(**options)
        self.metrics = metrics


def client(token: str, api_url: str, seconds: float, metrics: Metrics) -> Client:
    """A client that never repeats a call by itself: a call that was cut off may have posted already."""
    # slack_sdk hands its time-out to aiohttp, which takes fractions; only the annotation does not.
    return Client(metrics, token=token, base_url=api_url, timeout=cast("int", seconds), retry_handlers=[])


def hasty_client(token: str, api_url: str, metrics: Metrics) -> Client:
    """For calls that are made while Slack waits for an answer."""
    return Client(metrics, token=token, base_url=api_url, timeout=HASTY_SECONDS)


def patient_client(token: str, api_url: str, metrics: Metrics) -> Client:
    """For the questions at start, which may be asked again and for whose answers one may wait."""
    patient = Client(metrics, token=token, base_url=api_url, timeout=START_SECONDS)
    patient.retry_handlers.append(AsyncServerErrorRetryHandler(max_retry_count=2))
    patient.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=10))
    return patient


async def call(slack: AsyncWebClient, method: str, **arguments: Any) -> dict[str, Any]:
    """Slack's answer. RateLimited, SlackRefused or Unclear where there is none that is `ok`."""
    return await _answer(slack, method, json=arguments)


async def ask(slack: AsyncWebClient, method: str, **arguments: Any) -> dict[str, Any]:
    """Like `call`, for methods that take their arguments as a form only."""
    return await _answer(slack, method, params=arguments)


async def delete_file(slack: AsyncWebClient, file_id: str) -> None:
    """The file is nowhere any more, nor was it, perhaps."""
    try:
        await ask(slack, "files.delete", file=file_id)
    except SlackRefused as refused:
        if refused.error not in FILE_GONE:
            raise


async def introduce(slack: AsyncWebClient) -> tuple[dict[str, Any] | SlackRefused, Mapping[str, str]]:
    """What Slack says to `auth.test`, and the headers of its answer, among them the granted `x-oauth-scopes`:
    https://docs.slack.dev/reference/methods/auth.test. RateLimited or Unclear.
    """
    try:
        answer = await _response(slack, "auth.test")
    except SlackRefused as refused:
        return refused, cast("SlackApiError", refused.__cause__).response.headers
    return cast("dict[str, Any]", answer.data), answer.headers


async def _answer(slack: AsyncWebClient, method: str, **sent: Any) -> dict[str, Any]:
    began = time.perf_counter()
    result: CallResult = "unclear"
    try:
        answer = await _asked(slack, method, **sent)
        result = "ok"
    except RateLimited:
        result = "ratelimited"
        raise
    except SlackRefused:
        result = "refused"
        raise
    finally:
        if isinstance(slack, Client):
            slack.metrics.slack_called(method, result, time.perf_counter() - began)
    return answer


async def _asked(slack: AsyncWebClient, method: str, **sent: Any) -> dict[str, Any]:
    answer = await _response(slack, method, **sent)
    return cast("dict[str, Any]", text.clean(cast("dict[str, Any]", answer.data)))


async def _response(slack: AsyncWebClient, method: str, **sent: Any) -> AsyncSlackResponse:
    try:
        answer = await slack.api_call(method, **sent)
    except SlackApiError as error:
        raise _failure(method, error.response) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unclear(_why(error)) from error
    if not isinstance(answer.data, dict):
        raise Unclear("Slack's answer was no JSON object")
    return answer


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.errno:
        # asyncio puts addresses into the system's own words; a resolver's numbers are below zero.
        return (os.strerror(error.errno) if error.errno > 0 else str(error.strerror)).lower()
    return str(error) or type(error).__name__


def _failure(method: str, response: Any) -> RateLimited | SlackRefused | Unclear:
    """`response` is the SDK's, or aiohttp's own where the body was not the JSON that it claimed to be."""
    status = response.status_code if isinstance(response, AsyncSlackResponse) else response.status
    if status == 429:
        return RateLimited(method, float(response.headers.get("Retry-After", 1)))
    data = response.data if isinstance(response, AsyncSlackResponse) else None
    reason = data.get("error") if isinstance(data, dict) else None
    if status >= 500 or reason is None or reason in SLACK_TROUBLE:
        return Unclear(reason or f"HTTP {status}")
    return SlackRefused(reason)
