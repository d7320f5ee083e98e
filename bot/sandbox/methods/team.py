"""auth.test, team.info, users.*, reactions.*"""

from bot.sandbox import posting
from bot.sandbox.limits import SPECIAL, TIER_2, TIER_3, TIER_4
from bot.sandbox.methods.paging import page
from bot.sandbox.methods.registry import Json, Request, method
from bot.sandbox.shapes import message_object, permalink, user_object


@method("auth.test", SPECIAL)
def auth_test(request: Request) -> Json:
    slack = request.slack
    return {
        "url": f"https://{slack.team.domain}.slack.com/",
        "team": slack.team.name,
        "user": slack.bot.handle,
        "team_id": slack.team.id,
        "user_id": slack.bot.id,
        "bot_id": slack.bot.bot_id,
        "is_enterprise_install": False,
    }


@method("team.info", TIER_3, "team:read")
def team_info(request: Request) -> Json:
    team = request.slack.workspace.teams.get(request.text("team") or request.slack.team.id)
    if team is None:
        raise request.refuse("team_not_found")
    icon = {"image_default": True}
    return {"team": {"id": team.id, "name": team.name, "domain": team.domain, "icon": icon}}


@method("users.info", TIER_4, "users:read")
def users_info(request: Request) -> Json:
    locale = request.flag("include_locale")
    return {"user": user_object(request.slack, request.person(), locale=locale)}


@method("users.list", TIER_2, "users:read")
def users_list(request: Request) -> Json:
    slack = request.slack
    people = [p for p in slack.workspace.people.values() if p.team.id == slack.team.id]
    chosen, cursor = page(request, people, request.limit(default=1000, most=1000), lambda p: p.id)
    locale = request.flag("include_locale")
    return {
        "members": [user_object(slack, person, locale=locale) for person in chosen],
        "response_metadata": {"next_cursor": cursor},
    }


@method("reactions.add", TIER_3, "reactions:write")
def reactions_add(request: Request) -> Json:
    message = request.message("timestamp")
    name = request.required("name").strip(":")
    if message.channel.archived:
        raise request.refuse("is_archived")
    if request.slack.bot.id in message.reactions.get(name, []):
        raise request.refuse("already_reacted")
    posting.react(request.slack, message, request.slack.bot, name)
    return {}


@method("reactions.get", TIER_3, "reactions:read")
def reactions_get(request: Request) -> Json:
    message = request.message("timestamp")
    shown = message_object(request.slack, message) | {"permalink": permalink(request.slack, message)}
    return {"type": "message", "channel": message.channel.id, "message": shown}
