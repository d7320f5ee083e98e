"""A request of Slack's on its way through the desk: it has an id, it is measured, and what became of it is counted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

import structlog
from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest

from bot import logs
from bot.delivery.homes import Homes
from bot.metrics import Metrics, RequestResult
from bot.services import ANSWER_SECONDS

log = structlog.get_logger(__name__)

#: Where `errors` leaves word, in Bolt's context of the request.
RESULT = "threadesk_result"


class CountedApp(AsyncApp):
    """`homes` is told of whatever was done, so that App Home shows it."""

    def __init__(self, metrics: Metrics, homes: Homes, **options: Any) -> None:
        super().__init__(**options)
        self._metrics = metrics
        self.homes = homes

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        with logs.request():
            began = time.perf_counter()
            answer = await super().async_dispatch(req)
            if answer.status < 400:
                await self.homes.served(req.body, within=ANSWER_SECONDS - (time.perf_counter() - began))
            seconds = time.perf_counter() - began
            result = _result(req, answer)
            # Whoever is not Slack may call things as they like: that would be a series for every name.
            kind = "unknown" if result == "rejected" else kind_of(req.body)
            self._metrics.request_answered(kind, result, seconds)
            log.debug("request", kind=kind, result=result, status=answer.status, seconds=round(seconds, 4))
            return answer


def kind_of(body: Mapping[str, Any]) -> str:
    if body.get("type") == "event_callback":
        return str(body.get("event", {}).get("type"))
    return "command" if "command" in body else str(body.get("type", "unknown"))


def _result(request: AsyncBoltRequest, answer: BoltResponse) -> RequestResult:
    if answer.status in {401, 404}:
        return "rejected"
    told = cast("RequestResult | None", request.context.get(RESULT))
    return told or ("acknowledged" if answer.status < 400 else "failed")
