"""How channels are set up: the question to whoever has invited the desk, and the form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import modals, setups
from bot.blocks.ids import Action, Callback
from bot.delivery import directory, invitation
from bot.delivery.slack import RateLimited, SlackRefused, Unclear, call
from bot.listeners import words as say
from bot.listeners.buttons import presser
from bot.listeners.forms import metadata, values
from bot.services import Services
from bot.tickets import forms, setup
from bot.tickets.errors import Refused
from bot.tickets.places import Found
from storage import channels, notices, people, tickets
from storage.channels import Channel, Role
from storage.engine import Transaction

#: Buttons that give a role at one press.
ROLES: Mapping[Action, Role] = {
    Action.SET_UP_SUPPORT: "support",
    Action.SET_UP_TRIAGE: "triage",
    Action.LEAVE_ALONE: "none",
}
CHANNEL = re.compile("[CG][A-Z0-9]+")


def register(app: AsyncApp, services: Services) -> None:
    for action_id, role in ROLES.items():
        _choice(app, services, action_id, role)

    @app.action(Action.SET_UP)
    async def opened(ack: AsyncAck, body: Mapping[str, Any], action: Mapping[str, Any], client: AsyncWebClient) -> None:
        await set_up(services, client, _who(services, body), str(action.get("value")), body["trigger_id"])
        await ack()

    @app.view(Callback.SET_UP)
    async def sent(ack: AsyncAck, body: Mapping[str, Any], view: Mapping[str, Any], client: AsyncWebClient) -> None:
        filled, answer = forms.SetUpForm.model_validate(values(view)), dict[str, Any]()
        found = await _look(services, client, _who(services, body)[1], metadata(view).channel)
        digests_in = await _look_for_digests(client, filled.digest_channel)
        await _introduced(services, client, _who(services, body))
        async with services.answering() as tx:
            person = await presser(services, tx, body)
            if await tickets.act_once(tx, key := f"view:{view['id']}"):
                chosen = await setup.change(tx, services.desk, person, found, filled.wanted, digests_in=digests_in)
                await _tell(tx, chosen, person.slack_id, key)
                answer = {"response_action": "update", "view": modals.result(setups.done(chosen).text)}
        await ack(**answer)


def _choice(app: AsyncApp, services: Services, action_id: Action, role: Role) -> None:
    @app.action(action_id)
    async def press(
        ack: AsyncAck,
        body: Mapping[str, Any],
        action: Mapping[str, Any],
        client: AsyncWebClient,
        respond: AsyncRespond,
    ) -> None:
        found = await _look(services, client, _who(services, body)[1], str(action.get("value")))
        await _introduced(services, client, _who(services, body))
        async with services.answering() as tx:
            person = await presser(services, tx, body)
            chosen = await setup.choose(tx, services.desk, person, found, role)
            await _tell(tx, chosen, person.slack_id, f"button:{body['trigger_id']}")
        said = setups.done(chosen)
        await respond(text=said.text, blocks=said.blocks, replace_original=True)
        await ack()


async def set_up(
    services: Services, client: AsyncWebClient, who: tuple[str, str], channel_id: str, trigger_id: str
) -> None:
    """Opens the form for whoever (team, Slack id) may set up the channel."""
    if not CHANNEL.fullmatch(channel_id):
        raise Refused(say.SET_UP_IN_CHANNEL)
    await _introduced(services, client, who)
    async with services.answering() as tx:
        person = await people.meet(tx, *who)
        view = modals.set_up(await setup.present(tx, services.desk, person, channel_id))
    await call(client, "views.open", trigger_id=trigger_id, view=view)


def _who(services: Services, body: Mapping[str, Any]) -> tuple[str, str]:
    return str(body["user"].get("team_id") or services.desk.team_id), str(body["user"]["id"])


async def _introduced(services: Services, client: AsyncWebClient, who: tuple[str, str]) -> None:
    await invitation.introduce(replace(services, slack=client), *who)


async def _look(services: Services, client: AsyncWebClient, slack_id: str, channel_id: str | None) -> Found:
    """The channel as Slack describes it at this moment.

    A private one without a role is not there for somebody who is not in it: they would come to read what is said there.
    """
    if channel_id is None or not CHANNEL.fullmatch(channel_id):
        raise Refused(say.SET_UP_IN_CHANNEL)
    async with services.answering() as tx:
        known = await channels.find(tx, channel_id)
    with _saying_at("role"):
        found = await directory.look(client, channel_id)
        open_to_all = not found.private or (known is not None and known.role != "none")
        if open_to_all or await directory.is_in(client, channel_id, slack_id):
            return found
    raise Refused(say.UNSEEN_CHANNEL, field="role")


async def _look_for_digests(client: AsyncWebClient, channel_id: str | None) -> Found | None:
    with _saying_at("digest_channel"):
        return await directory.look(client, channel_id) if channel_id else None


@contextmanager
def _saying_at(field: str) -> Iterator[None]:
    """Says at the field what Slack does not say of a channel."""
    try:
        yield
    except SlackRefused as refused:
        raise Refused(say.UNSEEN_CHANNEL, field=field) from refused
    except (RateLimited, Unclear) as error:
        raise Refused(say.UNANSWERED, field=field) from error


async def _tell(tx: Transaction, channel: Channel, by: str, key: str) -> None:
    """Tells the agents whom it concerns; a new triage channel is told once it is known who is in it."""
    default = await channels.default_triage(tx)
    triage = channel.triage_channel or (default.id if default else None)
    if channel.role == "triage":
        triage = channel.id if channel.suspended is None else None
    if triage is not None:
        said = setups.told(channel, await setup.times_of(tx, channel), by)
        await notices.add(tx, f"set_up:{key}", "channel", said.arguments(), channel=triage)
