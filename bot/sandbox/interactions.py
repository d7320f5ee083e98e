"""A person's interaction with the app: its payload, its delivery, and what its answer does.

Payloads: https://docs.slack.dev/reference/interaction-payloads
"""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.sandbox import modals
from bot.sandbox.delivery import Delivery, Parcel
from bot.sandbox.errors import Refused
from bot.sandbox.references import MODALS
from bot.sandbox.responses import show
from bot.sandbox.workspace import Account, Channel, Message, View

if TYPE_CHECKING:
    from bot.sandbox.slack import Slack

Json = dict[str, Any]

_SEEN = {"http_timeout": "operation_timeout", "timeout": "operation_timeout"}


@dataclass
class Interaction:
    """How the app answered.

    ``status`` is as in Delivery (None: no answer), ``body`` the parsed JSON or the text, ``ms`` how long it took.
    ``error`` is what the person sees when it went wrong; ``errors`` a form's complaints by block_id.
    """

    status: int | None
    body: Any
    ms: float
    error: str | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.error is None and not self.errors


def answered(delivery: Delivery) -> Interaction:
    text = delivery.answer.decode(errors="replace")
    try:
        body: Any = json.loads(text)
    except ValueError:
        body = text
    failure = delivery.failure
    error = _SEEN.get(failure, "dispatch_failed") if failure else None
    return Interaction(delivery.status, body, delivery.ms, error)


def who(slack: "Slack", person: Account) -> Json:
    """The fields that every interaction has. ``team`` is the person's own."""
    return {
        "team": {"id": person.team.id, "domain": person.team.domain},
        "user": {
            "id": person.id,
            "username": person.handle,
            "name": person.handle,
            "team_id": person.team.id,
        },
        "api_app_id": slack.workspace.app_id,
        "token": slack.verification_token,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def channel_name(channel: Channel) -> str:
    """In payloads, private conversations are named by their kind."""
    return {"channel": channel.name, "group": "privategroup", "im": "directmessage"}[channel.kind]


def response_url(slack: "Slack", person: Account, channel: Channel, message: Message | None = None) -> str:
    return f"{slack.url}/response/{slack.response_urls.issue(person, channel, message)}"


async def interact(slack: "Slack", payload: Json) -> Interaction:
    """Deliver an interaction payload, once."""
    return answered(await slack.outbox.send_once(Parcel("interaction", payload["type"], json.dumps(payload))))


async def run_command(slack: "Slack", person: Account, command: str, text: str, channel: Channel) -> Interaction:
    """https://docs.slack.dev/interactivity/implementing-slash-commands. There is no thread in the payload."""
    key = slack.response_urls.issue(person, channel)
    fields = {
        "token": slack.verification_token,
        "team_id": person.team.id,
        "team_domain": person.team.domain,
        "channel_id": channel.id,
        "channel_name": channel_name(channel),
        "user_id": person.id,
        "user_name": person.handle,
        "command": command,
        "text": text,
        "api_app_id": slack.workspace.app_id,
        "is_enterprise_install": "false",
        "response_url": f"{slack.url}/response/{key}",
        "trigger_id": slack.triggers.issue(person),
    }
    interaction = answered(await slack.outbox.send_once(Parcel("command", command, json.dumps(fields))))
    if interaction.error is None and interaction.body:
        answer = interaction.body if isinstance(interaction.body, dict) else {"text": str(interaction.body)}
        interaction.error = show(slack, slack.response_urls.place(key), answer)
    return interaction


async def submit_view(slack: "Slack", person: Account, view: View) -> Interaction:
    """Deliver a view_submission and do what its ``response_action`` says:
    https://docs.slack.dev/surfaces/modals#updating_response"""
    payload = who(slack, person) | {
        "type": "view_submission",
        "trigger_id": slack.triggers.issue(person),
        "view": view,
        "response_urls": [],
    }
    interaction = await interact(slack, payload)
    if interaction.error is None:
        try:
            _apply(slack, person, view, interaction)
        except Refused as refused:
            interaction.error = f"{refused.error}: {' '.join(refused.messages)} ({refused.reference})"
    return interaction


def _apply(slack: "Slack", person: Account, view: View, interaction: Interaction) -> None:
    answer = interaction.body if isinstance(interaction.body, dict) else {}
    action = answer.get("response_action")
    if action is None:
        close(person, view)
    elif action == "errors":
        interaction.errors = _complaints(view, answer.get("errors"))
    elif action == "clear":
        person.views.clear()
    elif action in ("update", "push"):
        modals.check(answer.get("view"), "modal")
        if action == "update":
            modals.replace(slack, view, answer["view"])
        else:
            modals.push(slack, person, answer["view"], "views.push")
    else:
        raise Refused("invalid_response_action", MODALS, [f"[ERROR] {action!r}"])


def _complaints(view: View, errors: Any) -> dict[str, str]:
    inputs = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
        raise Refused("invalid_errors", MODALS, ["[ERROR] errors must name the view's input blocks"])
    return {block: str(sentence) for block, sentence in errors.items()}


def close(person: Account, view: View) -> None:
    if view in person.views:
        person.views.remove(view)
