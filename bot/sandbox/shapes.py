"""Slack's JSON for the things in a workspace, as the installed app gets to see them."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bot.sandbox.workspace import Account, Channel, File, Message

if TYPE_CHECKING:
    from bot.sandbox.slack import Slack

Json = dict[str, Any]


def user_object(slack: "Slack", account: Account, *, locale: bool) -> Json:
    """https://docs.slack.dev/reference/objects/user-object

    A person of another company has their own ``team_id``, ``is_stranger`` and neither locale nor roles:
    https://docs.slack.dev/apis/slack-connect
    """
    user: Json = {
        "id": account.id,
        "team_id": account.team.id,
        "name": account.handle,
        "deleted": account.deleted,
        "real_name": account.name,
        "is_bot": account.bot_id is not None,
        "is_app_user": False,
        "updated": 1_700_000_000,
        "profile": _profile(slack, account),
    }
    if account.team.id != slack.team.id:
        return user | {"is_stranger": not slack.workspace.shares_a_channel(account, slack.bot)}
    offset = datetime.now(ZoneInfo(account.tz)).utcoffset()
    user |= {
        "tz": account.tz,
        "tz_label": account.tz,
        "tz_offset": int(offset.total_seconds()) if offset else 0,
        "is_admin": account.admin,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": account.guest,
        "is_ultra_restricted": False,
    }
    return user | {"locale": account.locale} if locale else user


def _profile(slack: "Slack", account: Account) -> Json:
    shown = account.display_name or ""
    profile: Json = {
        "title": account.title,
        "real_name": account.name,
        "real_name_normalized": account.name,
        "display_name": shown,
        "display_name_normalized": shown,
        "team": account.team.id,
        **{f"image_{size}": f"{slack.url}/avatars/{account.id}-{size}.png" for size in (24, 48, 72, 192, 512)},
    }
    if account.bot_id:
        return profile | {"bot_id": account.bot_id, "api_app_id": slack.workspace.app_id}
    if account.email and "users:read.email" in slack.manifest.scopes:
        profile["email"] = account.email
    return profile


def channel_object(slack: "Slack", channel: Channel) -> Json:
    """https://docs.slack.dev/reference/objects/conversation-object"""
    common: Json = {
        "id": channel.id,
        "created": channel.created,
        "is_archived": channel.archived,
        "is_org_shared": False,
        "context_team_id": slack.team.id,
        "updated": channel.created * 1000,
    }
    if channel.kind == "im":
        person = next(member for member in channel.members if member != slack.bot.id)
        return common | {"is_im": True, "user": person, "is_user_deleted": slack.person(person).deleted}
    connected = [team.id for team in (channel.host, *channel.shared_with) if team.id != slack.team.id]
    return common | {
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": True,
        "is_group": False,
        "is_im": False,
        "is_mpim": False,
        "is_private": channel.private,
        "is_general": False,
        "is_shared": channel.shared,
        "is_ext_shared": channel.shared,
        "is_pending_ext_shared": False,
        "is_member": slack.bot.id in channel.members,
        "creator": channel.creator,
        "conversation_host_id": channel.host.id,
        "shared_team_ids": [slack.team.id, *connected],
        "connected_team_ids": connected,
        "internal_team_ids": [],
        "pending_shared": [],
        "pending_connected_team_ids": [],
        "previous_names": [],
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
    }


def message_object(slack: "Slack", message: Message, *, metadata: bool = False) -> Json:
    """A message as history shows it: https://docs.slack.dev/reference/events/message"""
    shown: Json = {"type": "message", "text": message.text, "ts": message.ts}
    if message.subtype:
        shown["subtype"] = message.subtype
    if message.is_tombstone:
        shown |= {"user": "USLACKBOT", "hidden": True}
    else:
        shown |= _authorship(slack, message)
    for name in ("client_msg_id", "blocks", "attachments", "edited", "username", "icons"):
        if value := getattr(message, name):
            shown[name] = value
    if message.files:
        shown |= {"files": [file_in_message(slack, f) for f in message.files], "upload": False}
    if message.reactions:
        shown["reactions"] = [
            {"name": name, "users": list(users), "count": len(users)} for name, users in message.reactions.items()
        ]
    if metadata and message.metadata:
        shown["metadata"] = message.metadata
    return shown | message.extra | _thread_fields(slack, message)


def _authorship(slack: "Slack", message: Message) -> Json:
    author = message.author
    if author is None:
        return {}
    if author.bot_id is None or message.subtype in ("channel_join", "channel_leave"):
        return {"user": author.id, "team": author.team.id}
    who: Json = {"bot_id": author.bot_id, "app_id": slack.workspace.app_id, "team": author.team.id}
    if message.subtype == "bot_message":
        return who
    return who | {"user": author.id, "bot_profile": bot_profile(slack)}


def bot_profile(slack: "Slack") -> Json:
    return {
        "id": slack.bot.bot_id,
        "app_id": slack.workspace.app_id,
        "name": slack.manifest.app_name,
        "deleted": False,
        "updated": 1_700_000_000,
        "team_id": slack.team.id,
    }


def _thread_fields(slack: "Slack", message: Message) -> Json:
    if message.is_reply and message.thread_ts:
        root = message.channel.posts.get(message.thread_ts)
        fields: Json = {"thread_ts": message.thread_ts}
        if root and message.broadcast:
            fields["root"] = message_object(slack, root)
        if root and root.is_tombstone:
            return fields | {"parent_user_id": "USLACKBOT"}
        return fields | {"parent_user_id": root.author.id} if root and root.author else fields
    replies = message.channel.replies(message.ts)
    if not replies:
        return {}
    authors = list(dict.fromkeys(reply.author.id for reply in replies if reply.author))
    return {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "reply_users_count": len(authors),
        "reply_users": authors[:5],
        "latest_reply": replies[-1].ts,
        "is_locked": False,
        "subscribed": slack.bot.id in authors,
    }


def file_in_message(slack: "Slack", file: File) -> Json:
    """Of a deleted file its id is left. A file of another company is a stub that sends the app to ``files.info``:
    https://docs.slack.dev/reference/events/message/file_share#slack-connect-files"""
    if file.deleted:
        return {"id": file.id, "mode": "tombstone"}
    if file.owner.team.id == slack.team.id:
        return file_object(file)
    stub = {"id": file.id, "mode": "file_access", "file_access": "check_file_info"}
    return stub | {"created": 0, "timestamp": 0, "user": ""}


def file_object(file: File) -> Json:
    """https://docs.slack.dev/reference/objects/file-object"""
    kind = file.name.rpartition(".")[2] if "." in file.name else file.mimetype.partition("/")[2]
    domain = file.owner.team.domain
    external = bool(file.permalink)
    return {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "title": file.name,
        "mimetype": file.mimetype,
        "filetype": kind,
        "pretty_type": kind.upper(),
        "user": file.owner.id,
        "user_team": file.owner.team.id,
        "size": len(file.content),
        "mode": "external" if external else "hosted",
        "editable": False,
        "is_external": external,
        "external_type": "gdrive" if external else "",
        "is_public": False,
        "public_url_shared": False,
        "display_as_bot": False,
        "username": "",
        "url_private": file.url,
        "url_private_download": file.url,
        "permalink": file.permalink or f"https://{domain}.slack.com/files/{file.owner.id}/{file.id}/{file.name}",
    }


def permalink(slack: "Slack", message: Message) -> str:
    """https://docs.slack.dev/reference/methods/chat.getPermalink"""
    place = f"https://{slack.team.domain}.slack.com/archives/{message.channel.id}"
    link = f"{place}/p{message.ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={message.channel.id}"
    return link


def unix_now() -> int:
    return int(time.time())
