"""conversations.*"""

from collections.abc import Iterable

from bot.sandbox.limits import TIER_2, TIER_3, TIER_4
from bot.sandbox.methods.paging import page
from bot.sandbox.methods.registry import Json, Request, method
from bot.sandbox.shapes import channel_object, message_object
from bot.sandbox.workspace import Account, Channel, Message

_READ = {"channel": "channels:read", "group": "groups:read", "im": "im:read"}
_HISTORY = {"channel": "channels:history", "group": "groups:history", "im": "im:history"}
_TYPES = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}
_ANY_READ = (*_READ.values(), "mpim:read")
_ANY_HISTORY = (*_HISTORY.values(), "mpim:history")


@method("conversations.info", TIER_3, *_ANY_READ)
def info(request: Request) -> Json:
    channel = request.channel()
    request.need_scope(_READ[channel.kind])
    shown = channel_object(request.slack, channel)
    if request.flag("include_num_members"):
        shown["num_members"] = len(channel.members)
    if request.flag("include_locale"):
        shown["locale"] = "en-US"
    return {"channel": shown}


@method("conversations.list", TIER_2, *_ANY_READ)
def list_(request: Request) -> Json:
    names = (request.text("types") or "public_channel").split(",")
    kinds = [_TYPES.get(name.strip(), "") for name in names]
    if not all(kinds):
        raise request.refuse("invalid_types")
    for kind in kinds:
        request.need_scope(_READ.get(kind, "mpim:read"))
    slack = request.slack
    hidden = request.flag("exclude_archived")
    found = [
        channel
        for channel in slack.workspace.channels.values()
        if channel.kind in kinds and slack.sees(channel) and not (hidden and channel.archived)
    ]
    chosen, cursor = page(request, found, request.limit(default=100, most=1000), lambda c: c.id)
    shown = [channel_object(slack, c) | {"num_members": len(c.members)} for c in chosen]
    return {"channels": shown, "response_metadata": {"next_cursor": cursor}}


@method("conversations.members", TIER_4, *_ANY_READ)
def members(request: Request) -> Json:
    channel = request.channel()
    request.need_scope(_READ[channel.kind])
    limit = request.limit(default=100, most=1000)
    chosen, cursor = page(request, channel.members, limit, lambda user_id: user_id)
    return {"members": chosen, "response_metadata": {"next_cursor": cursor}}


@method("conversations.history", TIER_3, *_ANY_HISTORY)
def history(request: Request) -> Json:
    """Newest first, top-level messages only: a reply shows in its root's ``latest_reply``."""
    channel = _readable(request)
    found = sorted(_between(request, channel.top_level()), key=lambda m: m.ts, reverse=True)
    return _messages(request, found, request.limit(default=100, most=999)) | {"pin_count": 0}


@method("conversations.replies", TIER_3, *_ANY_HISTORY)
def replies(request: Request) -> Json:
    """The root and its replies, oldest first. For the ``ts`` of a reply, that reply alone:
    https://github.com/slackapi/bolt-python/issues/783"""
    channel = _readable(request)
    message = channel.posts.get(request.required("ts"))
    if message is None:
        raise request.refuse("thread_not_found")
    replies = [] if message.is_reply else channel.replies(message.ts)
    found = list(_between(request, [message, *replies]))
    return _messages(request, found, request.limit(default=1000, most=1000))


def _readable(request: Request) -> Channel:
    channel = request.channel()
    request.need_scope(_HISTORY[channel.kind])
    if request.slack.bot.id not in channel.members:
        raise request.refuse("not_in_channel")
    return channel


def _between(request: Request, messages: Iterable[Message]) -> Iterable[Message]:
    oldest, latest = _time(request, "oldest"), _time(request, "latest")
    inclusive = request.flag("inclusive")
    for message in messages:
        ts = float(message.ts)
        edge = inclusive and ts in (oldest, latest)
        if edge or ((oldest is None or ts > oldest) and (latest is None or ts < latest)):
            yield message


def _time(request: Request, name: str) -> float | None:
    value = request.text(name)
    if value is None:
        return None
    try:
        return float(value)
    except ValueError as reason:
        raise request.refuse(f"invalid_ts_{name}") from reason


def _messages(request: Request, found: list[Message], limit: int) -> Json:
    chosen, cursor = page(request, found, limit, lambda m: m.ts)
    metadata = request.flag("include_all_metadata")
    answer: Json = {
        "messages": [message_object(request.slack, m, metadata=metadata) for m in chosen],
        "has_more": bool(cursor),
    }
    return answer | {"response_metadata": {"next_cursor": cursor}} if cursor else answer


@method("conversations.open", TIER_3, "im:write", "mpim:write")
def open_(request: Request) -> Json:
    if request.text("channel"):
        channel = request.channel()
        if channel.kind != "im":
            raise request.refuse("method_not_supported_for_channel_type")
        return {"channel": channel_object(request.slack, channel) | {"is_open": True}}
    users = request.text("users")
    if users is None:
        raise request.refuse("users_list_not_supplied")
    if "," in users:
        raise request.refuse("method_not_supported_for_channel_type", "[ERROR] the sandbox has no group DMs")
    channel = direct(request, users)
    shown = channel_object(request.slack, channel) if request.flag("return_im") else {"id": channel.id}
    return {"channel": shown}


def direct(request: Request, user_id: str) -> Channel:
    """The DM with that person. People of other companies can be written to once a channel is shared."""
    slack = request.slack
    person = slack.workspace.people.get(user_id)
    if person is None:
        raise request.refuse("user_not_found")
    if person.deleted:
        raise request.refuse("user_disabled")
    if not _reachable(request, person):
        raise request.refuse("user_not_visible")
    return slack.direct(person)


def _reachable(request: Request, person: Account) -> bool:
    slack = request.slack
    return person.team.id == slack.team.id or slack.workspace.shares_a_channel(person, slack.bot)
