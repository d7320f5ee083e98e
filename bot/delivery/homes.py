"""Publishes App Home: after what a person does there within the request, so that they see what came of it, and after
what they do elsewhere at once. What others do is seen when it is opened again.

Nothing waits for it, and nothing is repeated when Slack does not take it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import home as looks
from bot.delivery import directory
from bot.delivery.slack import RateLimited, SlackRefused, Unclear, call
from bot.delivery.weeks import Weeks
from bot.services import Services
from bot.tickets import home, views
from storage import homes, people
from storage.engine import DatabaseAway
from storage.people import Person

log = structlog.get_logger(__name__)

ATTEMPTS = 3
#: What people do in the course of which tickets may change.
ACTS = frozenset({"block_actions", "view_submission", "message_action"})
#: So long Home may stay behind where Slack limits how often it is published.
PATIENCE_SECONDS = 60.0
FINISHING_SECONDS = 5.0


class Homes:
    """`slack`: for calls while somebody waits."""

    def __init__(self, services: Services, slack: AsyncWebClient) -> None:
        self._services = services
        self._slack = slack
        self._weeks = Weeks(services)
        # Whose Home is open somewhere, as far as this process knows: what they write need not be looked up for others.
        self._known: set[str] = set()
        self._wanted: set[str] = set()
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def served(self, body: Mapping[str, Any], *, within: float) -> None:
        """After a request of Slack's. It is waited for `within` seconds when it is what the request has asked for."""
        slack_id, waits = _whose(body)
        if slack_id is None or not (waits or _is_an_act(body) or slack_id in self._known):
            return
        task = self.refresh(slack_id)
        if waits:
            await asyncio.wait({task}, timeout=max(0.0, within))

    async def finish(self) -> None:
        """Returns when nothing is under way any more; what takes too long is left."""
        left = list(self._under_way.values())
        if left:
            await asyncio.wait(left, timeout=FINISHING_SECONDS)
        for task in left:
            task.cancel()

    def refresh(self, slack_id: str) -> asyncio.Task[None]:
        """Publishes a person's Home, where they have one; one at a time: what happens meanwhile is in the next one."""
        self._wanted.add(slack_id)
        if slack_id not in self._under_way:
            task = asyncio.create_task(self._keep_up(slack_id))
            self._under_way[slack_id] = task
            task.add_done_callback(lambda done: self._done(slack_id, done))
        return self._under_way[slack_id]

    def _done(self, slack_id: str, task: asyncio.Task[None]) -> None:
        del self._under_way[slack_id]
        if not task.cancelled() and (error := task.exception()):
            log.error("App Home could not be made", exc_info=error)

    async def _keep_up(self, slack_id: str) -> None:
        while slack_id in self._wanted:
            self._wanted.discard(slack_id)
            try:
                stranger = await self._publish(slack_id)
                if stranger:
                    await directory.learn(self._services, [stranger])
                    await self._publish(slack_id)
            except RateLimited as limited:
                if limited.seconds > PATIENCE_SECONDS:
                    return
                await asyncio.sleep(limited.seconds)
                self._wanted.add(slack_id)
            except (SlackRefused, Unclear, DatabaseAway) as error:
                log.warning("App Home was not published", error=str(error))

    async def _publish(self, slack_id: str) -> Person | None:
        """Who of those that have a Home is unknown and to be asked for."""
        for attempt in range(1, ATTEMPTS + 1):
            async with self._services.transaction() as tx:
                person = (await people.with_slack_ids(tx, [slack_id])).get(slack_id)
                kept = await homes.find(tx, person) if person else None
                if person is None or kept is None:
                    return None
                found = await home.view(tx, self._services.desk, person)
            self._known.add(slack_id)
            view = await self._rendered(found, person)
            # Refused when somebody else has published since: then what they had seen may be older or newer than this,
            # and it is made again. At last without: nobody may be able to say what Slack has there.
            guard = {"hash": kept.hash} if kept.hash and attempt < ATTEMPTS else {}
            try:
                answer = await call(self._slack, "views.publish", user_id=slack_id, view=view, **guard)
            except SlackRefused as refused:
                if refused.error != "hash_conflict" or attempt == ATTEMPTS:
                    raise
                continue
            async with self._services.transaction() as tx:
                await homes.published(tx, person, str(answer["view"]["hash"]))
            return None if person.known else person
        return None

    async def _rendered(self, view: views.AgentHome | views.CustomerHome, person: Person) -> dict[str, Any]:
        if isinstance(view, views.CustomerHome):
            return looks.customer(view)
        return looks.agent(replace(view, week=await self._weeks.of(person.agent_of)))


def is_home(body: Mapping[str, Any]) -> bool:
    """Whether something was pressed in App Home."""
    return body.get("type") == "block_actions" and (body.get("view") or {}).get("type") == "home"


def _is_an_act(body: Mapping[str, Any]) -> bool:
    return body.get("type") in ACTS or "command" in body


def _whose(body: Mapping[str, Any]) -> tuple[str | None, bool]:
    """Who did something, and whether they look at their Home."""
    if body.get("type") == "event_callback":
        event = body.get("event") or {}
        user = event.get("user")
        opened = event.get("type") == "app_home_opened" and event.get("tab") == "home"
        return (user if isinstance(user, str) else None), opened
    user = body.get("user_id") if "command" in body else (body.get("user") or {}).get("id")
    return (user if isinstance(user, str) else None), is_home(body)
