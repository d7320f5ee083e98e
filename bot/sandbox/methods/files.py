"""files.*: https://docs.slack.dev/messaging/working-with-files"""

import asyncio
import mimetypes
import re
from urllib.parse import quote

from bot.sandbox import posting
from bot.sandbox.limits import TIER_3, TIER_4
from bot.sandbox.methods.chat import dress
from bot.sandbox.methods.registry import Json, Request, method
from bot.sandbox.shapes import file_object, unix_now
from bot.sandbox.slack import Slack
from bot.sandbox.workspace import Channel, File, Message, Upload, new_id, new_token

_CHANNEL = "^[CGDZ][A-Z0-9]{8,}$"


@method("files.info", TIER_4, "files:read")
def info(request: Request) -> Json:
    file = request.slack.workspace.files.get(request.required("file"))
    if file is None:
        raise request.refuse("file_not_found")
    if file.deleted:
        raise request.refuse("file_deleted")
    return {"file": file_object(file), "comments": [], "response_metadata": {"next_cursor": ""}}


@method("files.getUploadURLExternal", TIER_4, "files:write")
def get_upload_url(request: Request) -> Json:
    """``missing_argument`` is what a length of 0 gets, as the page says."""
    slack, name, length = request.slack, request.required("filename"), request.required("length")
    if not length.isdecimal():
        raise request.refuse("invalid_arguments", "[ERROR] must be an integer [json-pointer:/length]")
    if int(length) == 0:
        raise request.refuse("missing_argument")
    file_id, key = new_id("F"), new_token(32)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    url = f"{slack.url}/files/{file_id}/{quote(name)}"
    slack.workspace.uploads[key] = Upload(File(file_id, name, kind, b"", slack.bot, unix_now(), url), int(length))
    return {"upload_url": f"{slack.url}/upload/v1/{key}", "file_id": file_id}


@method("files.completeUploadExternal", TIER_4, "files:write")
def complete_upload(request: Request) -> Json:
    """It can be called once for an upload. The message that shows the files comes when they have been looked through,
    after the answer."""
    slack, channel = request.slack, _channel(request)
    uploads = [_upload(request, one) for one in request.parsed("files", "invalid_arguments") or [{}]]
    thread_ts, text = request.text("thread_ts"), request.text("initial_comment") or ""
    message = Message("", channel, text, slack.bot, subtype="file_share") if channel else None
    if message:
        dress(request, message)
        message.subtype = "file_share"
    for key, upload in uploads:
        del slack.workspace.uploads[key]
        upload.file.content = upload.content or b""
        slack.workspace.files[upload.file.id] = upload.file
    if message:
        message.files = [upload.file for _, upload in uploads]
        if slack.scanning:
            asyncio.get_running_loop().call_later(slack.scanning, _share, slack, message, thread_ts)
        else:
            _share(slack, message, thread_ts)
    return {"files": [file_object(upload.file) | {"shares": {}} for _, upload in uploads]}


def _share(slack: Slack, message: Message, thread_ts: str | None) -> None:
    """As every reply, one to a thread that is gone lands in the channel."""
    message.ts = slack.workspace.next_ts()
    message.thread_ts = posting.thread_of(message.channel, thread_ts)
    posting.publish(slack, message)


def _channel(request: Request) -> Channel | None:
    """None: the file stays private."""
    wanted = request.text("channel_id")
    if wanted is None:
        return None
    if re.match(_CHANNEL, wanted) is None:
        raise request.refuse(
            "invalid_arguments", f"[ERROR] input must match regex pattern: {_CHANNEL} [json-pointer:/channel_id]"
        )
    channel = request.channel("channel_id")
    if channel.archived:
        raise request.refuse("is_archived")
    if request.slack.bot.id not in channel.members:
        raise request.refuse("not_in_channel")
    return channel


def _upload(request: Request, given: Json) -> tuple[str, Upload]:
    for key, upload in request.slack.workspace.uploads.items():
        if upload.file.id == given.get("id") and upload.content is not None:
            return key, upload
    raise request.refuse("file_not_found")


@method("files.delete", TIER_3, "files:write")
def delete(request: Request) -> Json:
    """What showed the file shows that it was deleted."""
    slack, file = request.slack, request.slack.workspace.files.get(request.required("file"))
    if file is None:
        raise request.refuse("file_not_found")
    if file.deleted:
        raise request.refuse("file_deleted")
    if file.owner is not slack.bot:
        raise request.refuse("cant_delete_file")
    posting.delete_file(slack, file)
    return {}
