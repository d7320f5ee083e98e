"""The one place where errors become answers.

Expected ones speak their own sentence. Unexpected ones get a reference that is in the log. Events that failed are not
acknowledged, so that Slack sends them again; commands, buttons and forms are not sent again and always get an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from pydantic import ValidationError
from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncBoltContext, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot import logs
from bot.blocks import answers, modals
from bot.blocks.surface import escape
from bot.delivery.homes import is_home
from bot.delivery.slack import RateLimited, SlackRefused, Unclear, call
from bot.listeners import words as say
from bot.listeners.buttons import tell
from bot.listeners.requests import RESULT
from bot.metrics import RequestResult
from bot.services import Services
from bot.tickets import forms, grammar
from bot.tickets.errors import Refused
from storage.engine import CommitUnclear, DatabaseAway

log = structlog.get_logger(__name__)

#: Slack did not do what a press was to lead to: no form was opened.
SLACK_AWAY = (RateLimited, SlackRefused, Unclear)


def answer(services: Services) -> Callable[..., Awaitable[BoltResponse]]:
    async def answer_error(
        error: Exception,
        body: Mapping[str, Any],
        context: AsyncBoltContext,
        respond: AsyncRespond,
        client: AsyncWebClient,
    ) -> BoltResponse:
        context[RESULT] = _result(error)
        if body.get("type") == "event_callback":
            _sentence(error)
            if isinstance(error, DatabaseAway):
                # Slack sends the event again for about six minutes, which may not be enough.
                services.gap.set()
            return BoltResponse(status=500, body="")
        if body.get("type") == "view_submission":
            return _form(error, body["view"])
        sentence = _sentence(error)
        if "command" in body:
            said = answers.sentence(escape(sentence))
            return _json({"response_type": "ephemeral", "text": said.text, "blocks": said.blocks})
        if is_home(body):
            await _tell_at_home(services, sentence, body, client)
        else:
            await _tell(services, error, sentence, body, respond)
        return BoltResponse(status=200, body="")

    return answer_error


def _result(error: Exception) -> RequestResult:
    match error:
        case Refused() | grammar.Misunderstood() | ValidationError():
            return "refused"
        case DatabaseAway() | RateLimited() | SlackRefused() | Unclear():
            return "unavailable"
        case _:
            return "failed"


def _sentence(error: Exception) -> str:
    match error:
        case Refused():
            return error.sentence
        case grammar.Misunderstood():
            return str(error)
        case CommitUnclear():
            log.warning("the database went away during a commit", error=str(error))
            return say.COMMIT_UNCLEAR
        case DatabaseAway():
            log.warning("the database cannot be reached", error=str(error))
            return say.DATABASE_AWAY
        case _ if isinstance(error, SLACK_AWAY):
            log.warning("Slack did not open a form", error=str(error))
            return say.NO_FORM
        case _:
            log.error("unexpected error", exc_info=error)
            return say.went_wrong(reference=logs.reference())


def _form(error: Exception, view: Mapping[str, Any]) -> BoltResponse:
    """At the field that it concerns; what was typed stays."""
    inputs = [str(block["block_id"]) for block in view.get("blocks", []) if block.get("type") == "input"]
    found = forms.problems(error) if isinstance(error, ValidationError) else {}
    named = [error.field] if isinstance(error, Refused) and error.field in inputs else inputs
    field = next(iter(named), None)
    problems = {name: sentence for name, sentence in found.items() if name in inputs}
    if not problems and field is not None:
        problems = {field: _sentence(error)}
    if not problems:
        return _json({"response_action": "update", "view": modals.result(escape(_sentence(error)))})
    return _json({"response_action": "errors", "errors": problems})


def _json(body: dict[str, Any]) -> BoltResponse:
    return BoltResponse(status=200, body=body)


async def _tell(
    services: Services, error: Exception, sentence: str, body: Mapping[str, Any], respond: AsyncRespond
) -> None:
    """To the one who pressed a button: privately where it stands, in their DM where that fails, never in the thread."""
    said = answers.sentence(escape(sentence))
    in_channel = bool(body.get("container", {}).get("channel_id"))
    if isinstance(error, (Refused, *SLACK_AWAY)) and (in_channel or not body.get("response_url")):
        async with services.answering() as tx:
            await tell(tx, body, said)
    elif body.get("response_url"):
        await respond(text=said.text, blocks=said.blocks, response_type="ephemeral", replace_original=False)


async def _tell_at_home(services: Services, sentence: str, body: Mapping[str, Any], client: AsyncWebClient) -> None:
    """Over App Home, where there is no room for an answer to one press; in their DM where Slack does not show it."""
    try:
        await call(client, "views.open", trigger_id=body["trigger_id"], view=modals.result(escape(sentence)))
    except SLACK_AWAY:
        async with services.answering() as tx:
            await tell(tx, body, answers.sentence(escape(sentence)))
