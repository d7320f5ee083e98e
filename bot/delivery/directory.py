"""Asks Slack who people are and what channels are like, and remembers it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.delivery import leaving
from bot.delivery.slack import DESK_CLOSED, SlackRefused, ask
from bot.services import Services
from bot.tickets import identity
from bot.tickets.arrivals import File
from bot.tickets.places import Found
from storage import channels, people, tickets
from storage.people import Kind, Person, Profile

log = structlog.get_logger(__name__)
PAGE = 200
#: As many as `conversations.members` gives at once: https://docs.slack.dev/reference/methods/conversations.members
MEMBERS = 1_000
#: What the desk knows of a person and a `user_change` event tells: https://docs.slack.dev/reference/events/user_change
SHOWN = ("kind", "name", "email", "picture", "is_admin")
#: There is nobody to know, for the desk at least. https://docs.slack.dev/reference/methods/users.info
NOBODY = frozenset({"user_not_found", "user_not_visible"})


async def pages(
    slack: AsyncWebClient, method: str, key: str, *, limit: int = PAGE, **arguments: Any
) -> AsyncIterator[Any]:
    """Every item of a paged list. https://docs.slack.dev/apis/web-api/pagination"""
    cursor = ""
    while True:
        answer = await ask(slack, method, limit=limit, cursor=cursor, **arguments)
        for item in answer[key]:
            yield item
        cursor = answer.get("response_metadata", {}).get("next_cursor", "")
        if not cursor:
            return


def profile_of(user: dict[str, Any], team_id: str) -> Profile:
    """`user` as `users.info` returns it: https://docs.slack.dev/reference/objects/user-object"""
    profile = user.get("profile", {})
    names = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"), user.get("name"))
    return Profile(
        team_id=str(user.get("team_id") or team_id),
        slack_id=str(user["id"]),
        kind=_kind(user, team_id),
        name=next((name for name in names if name), None),
        email=profile.get("email") or None,
        locale=user.get("locale") or None,
        picture=profile.get("image_72") or None,
        is_admin=bool(user.get("is_admin")),
    )


def _kind(user: dict[str, Any], team_id: str) -> Kind:
    if user.get("deleted"):
        return "deactivated"
    if user.get("is_bot"):
        return "bot"
    if user.get("team_id", team_id) != team_id:
        return "external"
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return "guest"
    return "member"


async def learn(services: Services, strangers: Iterable[Person]) -> None:
    """Asks Slack who people are, and links them to customers by e-mail. What is known of them stays where Slack does
    not answer. SlackRefused where it does not take the desk's token."""
    for stranger in strangers:
        profile = await _profile(services, stranger.team_id, stranger.slack_id)
        if profile is None:
            continue
        company = await _company(services, profile.team_id)
        async with services.transaction() as tx:
            if profile.team_id != stranger.team_id:
                await people.refile(tx, stranger, profile.team_id)
            if profile.kind != "member":
                await leaving.leave_all(tx, stranger, profile.kind)
            await identity.learn(tx, profile)
            if company:
                await people.name_company(tx, profile.team_id, company)


async def look_again(services: Services, user: dict[str, Any]) -> None:
    """Slack tells that somebody's profile has changed. It tells so late, twice and out of order: it is asked again,
    where that is somebody whom the desk knows as another."""
    told = profile_of(user, services.desk.team_id)
    async with services.transaction() as tx:
        known = await people.find(tx, told.team_id, told.slack_id)
    if known is not None and known.known and any(getattr(known, one) != getattr(told, one) for one in SHOWN):
        await learn(services, [known])


def _must_be_let_in(refused: SlackRefused) -> None:
    """That nobody is named to a desk without a valid token says nothing of them: it is asked again with one."""
    if refused.error in DESK_CLOSED:
        raise refused


async def _company(services: Services, team_id: str) -> str | None:
    """The name of another company, where it is not known yet and Slack tells it."""
    async with services.transaction() as tx:
        if team_id == services.desk.team_id or await people.company(tx, team_id):
            return None
    try:
        answer = await ask(services.slack, "team.info", team=team_id)
    except SlackRefused as refused:
        _must_be_let_in(refused)
        log.info("Slack does not say which company this is", team_id=team_id, error=refused.error)
        return None
    return str(answer["team"]["name"])


async def _profile(services: Services, team_id: str, slack_id: str) -> Profile | None:
    try:
        answer = await ask(services.slack, "users.info", user=slack_id, include_locale=True)
    except SlackRefused as refused:
        _must_be_let_in(refused)
        log.info("Slack does not say who this is", slack_id=slack_id, error=refused.error)
        if refused.error not in NOBODY:
            return None
        return Profile(team_id, slack_id, "external", None, None, None, None, is_admin=False)
    return profile_of(answer["user"], services.desk.team_id)


async def read_names(services: Services, unread: Iterable[tickets.Recorded]) -> None:
    """Finds out the names of people and files that messages speak of, and puts them into the recorded words.
    SlackRefused where Slack does not take the desk's token."""
    for one in unread:
        names, files = {}, []
        for unknown in (one.source or {}).get("unknown", []):
            if unknown.startswith("F"):
                files.append(await _file(services, unknown))
            else:
                names[unknown] = await _name(services, unknown)
        async with services.transaction() as tx:
            await identity.put_names(tx, one, names, files)


async def _name(services: Services, slack_id: str) -> str:
    async with services.transaction() as tx:
        known = (await people.with_slack_ids(tx, [slack_id])).get(slack_id)
    if known and known.name:
        return known.name
    try:
        answer = await ask(services.slack, "users.info", user=slack_id, include_locale=True)
    except SlackRefused as refused:
        _must_be_let_in(refused)
        return slack_id
    profile = profile_of(answer["user"], services.desk.team_id)
    async with services.transaction() as tx:
        await people.meet(tx, profile.team_id, profile.slack_id)
        await identity.learn(tx, profile)
    return profile.name or slack_id


async def _file(services: Services, file_id: str) -> File:
    try:
        answer = await ask(services.slack, "files.info", file=file_id)
    except SlackRefused as refused:
        _must_be_let_in(refused)
        return File(id=file_id)
    return file_of(answer["file"])


def file_of(file: dict[str, Any]) -> File:
    """A file object, which for one of another company says only its id:
    https://docs.slack.dev/apis/slack-connect/using-slack-connect-apps
    """
    known = file.get("file_access") != "check_file_info"
    return File(
        id=str(file["id"]),
        name=str(file.get("name") or file.get("title") or "file"),
        mimetype=str(file.get("mimetype") or "application/octet-stream"),
        size=int(file.get("size") or 0),
        url=str(file.get("permalink") or ""),
        known=known,
    )


def found_channel(channel: dict[str, Any]) -> Found:
    """`channel` as `conversations.info` returns it: https://docs.slack.dev/reference/objects/conversation-object"""
    return Found(
        id=str(channel["id"]),
        name=str(channel.get("name") or channel["id"]),
        private=bool(channel.get("is_private")),
        shared=bool(channel.get("is_ext_shared") or channel.get("is_pending_ext_shared")),
        archived=bool(channel.get("is_archived")),
        member=bool(channel.get("is_member")),
        direct=bool(channel.get("is_im") or channel.get("is_mpim")),
    )


async def look(slack: AsyncWebClient, channel: str) -> Found:
    """The channel as it is now. SlackRefused where Slack does not show it to the desk."""
    return found_channel((await ask(slack, "conversations.info", channel=channel))["channel"])


async def is_in(slack: AsyncWebClient, channel: str, slack_id: str) -> bool:
    members = pages(slack, "conversations.members", "members", limit=MEMBERS, channel=channel)
    async for member in members:
        if member == slack_id:
            return True
    return False


async def find_channels(slack: AsyncWebClient, wanted: Iterable[str], *, archived: bool = False) -> dict[str, Found]:
    """Channels by the id or name under which they were asked for; what the desk cannot see is left out.

    `archived`: find those by name too, where no other has the name.
    """
    found: dict[str, Found] = {}
    names = []
    for one in wanted:
        try:
            found[one] = await look(slack, one)
        except SlackRefused:
            names.append(one)
    if names:
        kinds = "public_channel,private_channel"
        async for channel in pages(slack, "conversations.list", "channels", types=kinds, exclude_archived=not archived):
            name = channel.get("name")
            if name in names and (name not in found or found[name].archived):
                found[name] = found_channel(channel)
    return found


async def learn_agents(services: Services) -> None:
    async with services.transaction() as tx:
        strangers = [await people.meet(tx, team, who) for team, who in await people.unknown_among_agents(tx)]
    await learn(services, strangers)


async def learn_members(services: Services) -> None:
    """Asks again about everybody in the triage channels, known or not."""
    async with services.transaction() as tx:
        members = [await people.meet(tx, team, who) for team, who in await channels.all_members(tx)]
    await learn(services, members)
