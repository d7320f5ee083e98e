"""Whether somebody for whom an agent opens a ticket would read it: only Slack can say."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from slack_sdk.web.async_client import AsyncWebClient

from bot.delivery import directory
from bot.delivery import words as say
from bot.delivery.slack import RateLimited, SlackRefused, Unclear, ask
from bot.services import Services
from bot.tickets import work
from bot.tickets.errors import Refused
from storage.people import Person

#: Within the three seconds that Slack waits for the answer to a form.
SECONDS = 1.5


async def must_reach(
    services: Services, slack: AsyncWebClient, agent: Person, channel: str | None, chosen: str
) -> None:
    """Refused, at the form's field, unless the person `chosen` can be asked for and would see their ticket's thread."""
    try:
        async with asyncio.timeout(SECONDS):
            await _must_reach(replace(services, slack=slack), agent, channel, chosen)
    except (TimeoutError, RateLimited, Unclear):
        raise Refused(say.UNANSWERED, field="customer") from None
    except SlackRefused as refused:
        raise Refused(say.unreachable(error=refused.error), field="customer") from None


async def _must_reach(services: Services, agent: Person, channel: str | None, chosen: str) -> None:
    async with services.answering() as tx:
        customer, support = await work.customer(tx, services.desk, agent, channel, chosen)
    if not customer.known:
        await directory.learn(services, [customer])
        async with services.answering() as tx:
            await work.customer(tx, services.desk, agent, channel, chosen)
    if support is None:
        await ask(services.slack, "conversations.open", users=chosen)
    elif not await directory.is_in(services.slack, support, chosen):
        raise Refused(say.NOT_IN_CHANNEL, field="customer")
