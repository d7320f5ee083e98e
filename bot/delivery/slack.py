"""Calls to Slack, and what can become of them."""

from __future__ import annotations

from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler, AsyncServerErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

CALL_SECONDS = 8

#: The channel is closed to the desk, not the message to the channel: nothing can be posted there for the time being.
CHANNEL_CLOSED = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "restricted_action",
        "ekm_access_denied",
        "team_access_not_granted",
    }
)
#: The desk itself is locked out of the workspace.
DESK_CLOSED = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})
#: Slack's own trouble: whether the call did its work is not known.
SLACK_TROUBLE = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})


class RateLimited(Exception):  # noqa: N818 - Slack did nothing wrong, and nor did we
    """HTTP 429: nothing was done; wait `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"rate limited for {seconds} s")
        self.seconds = seconds


class SlackRefused(Exception):  # noqa: N818
    """Slack answered `ok: false`: nothing was done, and the same call will be refused again."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Unclear(Exception):  # noqa: N818
    """No answer, or one of Slack's own troubles: the call may or may not have done its work."""


def client(token: str, api_url: str) -> AsyncWebClient:
    """A client that never repeats a call by itself: a call that was cut off may have posted already."""
    return AsyncWebClient(token=token, base_url=api_url, timeout=CALL_SECONDS, retry_handlers=[])


def patient_client(token: str, api_url: str) -> AsyncWebClient:
    """For the questions at start, which may be asked again and for whose answers one may wait."""
    patient = AsyncWebClient(token=token, base_url=api_url, timeout=CALL_SECONDS)
    patient.retry_handlers.append(AsyncServerErrorRetryHandler(max_retry_count=2))
    patient.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=10))
    return patient


async def call(slack: AsyncWebClient, method: str, **arguments: Any) -> dict[str, Any]:
    """Slack's answer. RateLimited, SlackRefused or Unclear where there is none that is `ok`."""
    try:
        answer = await slack.api_call(method, json=arguments)
    except SlackApiError as error:
        status = error.response.status_code
        if status == 429:
            raise RateLimited(float(error.response.headers.get("Retry-After", 1))) from error
        reason = str(error.response.get("error", "unknown_error"))
        if status >= 500 or reason in SLACK_TROUBLE:
            raise Unclear(reason) from error
        raise SlackRefused(reason) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unclear(repr(error)) from error
    data = answer.data
    if not isinstance(data, dict):
        raise Unclear("Slack's answer was no JSON object")
    return data


async def ask(slack: AsyncWebClient, method: str, **arguments: Any) -> dict[str, Any]:
    """Like `call`, for methods that take their arguments as a form only."""
    try:
        answer = await slack.api_call(method, params=arguments)
    except SlackApiError as error:
        if error.response.status_code == 429:
            raise RateLimited(float(error.response.headers.get("Retry-After", 1))) from error
        raise SlackRefused(str(error.response.get("error", "unknown_error"))) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unclear(repr(error)) from error
    return answer.data if isinstance(answer.data, dict) else {}
