"""What the desk counts, for Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/

Each desk has a registry of its own. What waits is not counted along the way but asked of the tables, which all replicas
share, when somebody looks.
"""

from __future__ import annotations

from importlib import metadata
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from storage.waiting import Waiting

CONTENT_TYPE = CONTENT_TYPE_LATEST
VERSION = metadata.version("threadesk")
#: Seconds. Slack waits 3 s for an answer, a call of the courier's may take 8 s.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8)

#: `refused`: by the rules, with a sentence. `unavailable`: the database or Slack was away. `failed`: a mistake in the
#: desk, with a reference in the log. `rejected`: it did not come from Slack, or the desk knows no such thing.
RequestResult = Literal["acknowledged", "refused", "unavailable", "failed", "rejected"]
CallResult = Literal["ok", "ratelimited", "refused", "unclear"]


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = Gauge("threadesk_build_info", "The version that runs.", ["version"], registry=self.registry)
        build.labels(VERSION).set(1)
        self._requests = Counter(
            "threadesk_requests",
            "Requests from Slack, by what they were about and what became of them.",
            ["kind", "result"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "threadesk_request_seconds",
            "How long Slack waited for the answer.",
            ["kind"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._calls = Counter("threadesk_slack_calls", "Calls to Slack.", ["method", "result"], registry=self.registry)
        self._call_seconds = Histogram(
            "threadesk_slack_call_seconds",
            "How long Slack took to answer a call.",
            ["method"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._catch_up_runs = Counter(
            "threadesk_catch_up_runs", "How often the desk read back what it may have missed.", registry=self.registry
        )
        self._catch_up_channels = Counter(
            "threadesk_catch_up_channels", "Channels that were read back.", registry=self.registry
        )
        self._catch_up_calls = Counter(
            "threadesk_catch_up_calls", "Calls to Slack that reading back took.", registry=self.registry
        )
        self._recovered = Counter(
            "threadesk_catch_up_recovered", "What reading back has brought.", ["what"], registry=self.registry
        )
        self._up = Gauge("threadesk_up", "1: it answers, 0: it does not.", ["what"], registry=self.registry)
        self._waiting = Gauge("threadesk_waiting", "What has not reached Slack yet.", ["what"], registry=self.registry)
        self._oldest = Gauge(
            "threadesk_waiting_seconds", "How long the oldest of it has waited.", ["what"], registry=self.registry
        )

    def request_answered(self, kind: str, result: RequestResult, seconds: float) -> None:
        """`kind`: an event's type, or a payload's: command, block_actions, view_submission…"""
        self._requests.labels(kind, result).inc()
        self._request_seconds.labels(kind).observe(seconds)

    def slack_called(self, method: str, result: CallResult, seconds: float) -> None:
        self._calls.labels(method, result).inc()
        self._call_seconds.labels(method).observe(seconds)

    def caught_up(self, *, channels: int, calls: int, messages: int, edits: int, deletions: int) -> None:
        self._catch_up_runs.inc()
        self._catch_up_channels.inc(channels)
        self._catch_up_calls.inc(calls)
        for what, number in (("messages", messages), ("edits", edits), ("deletions", deletions)):
            self._recovered.labels(what).inc(number)

    def exposed(self, waiting: Waiting | None) -> bytes:
        """All of it, as Prometheus reads it. `waiting` None: the database is away, and nobody knows."""
        self._up.labels("database").set(waiting is not None)
        self._waiting.clear()
        self._oldest.clear()
        if waiting is not None:
            for what, number in (
                ("tickets", waiting.tickets),
                ("notices", waiting.notices),
                ("replies", waiting.replies),
                ("parked", waiting.parked),
            ):
                self._waiting.labels(what).set(number)
            for what, seconds in (("tickets", waiting.tickets_age), ("notices", waiting.notices_age)):
                self._oldest.labels(what).set(seconds)
        return generate_latest(self.registry)
