"""The sandbox on 127.0.0.1: the Web API, response URLs and files over HTTP, and the WebSockets of Socket Mode."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from aiohttp import web

from bot.sandbox.errors import RateLimited, Refused
from bot.sandbox.methods import METHODS, Request
from bot.sandbox.references import AUTHENTICATION, FILE_OBJECT, RATE_LIMITS, WEB_API, WORKING_WITH_FILES, method_page
from bot.sandbox.responses import answer_response_url
from bot.sandbox.slack import Call, Slack

Json = dict[str, Any]

LARGEST_BODY = 4 * 1024 * 1024


class Server:
    """Listens on 127.0.0.1; port 0 takes a free one."""

    def __init__(self, slack: Slack) -> None:
        self.slack = slack
        self.app = web.Application(client_max_size=LARGEST_BODY)
        self.app.router.add_route("*", "/api/{method}", self._api)
        self.app.router.add_post("/response/{key}", self._response)
        self.app.router.add_get("/link/", slack.sockets.serve)
        self.app.router.add_get("/files/{id}/{name:.*}", self._file)
        self.app.router.add_post("/upload/v1/{key}", self._upload)
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1.0)

    async def start(self, port: int) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        host, bound = self._runner.addresses[0][:2]
        self.slack.url = f"http://{host}:{bound}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _api(self, http: web.Request) -> web.Response:
        name = http.match_info["method"]
        # What has been sent whole is done, also when its sender has gone in the meantime.
        await http.read()
        return await self._in_all_weathers(http, name, lambda: self._answer(http, name))

    async def _in_all_weathers(
        self, http: web.Request, name: str, answering: Callable[[], Awaitable[web.Response]]
    ) -> web.Response:
        fault = self.slack.faults.take(name)
        if fault is None:
            return await answering()
        if fault.how == "http_500":
            return web.Response(status=500, text="sandbox: ordered fault")
        if fault.how == "ratelimited":
            return _json({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": fault.retry_after})
        if fault.how == "slow":
            await asyncio.sleep(fault.seconds)
        answer = web.Response() if fault.how == "cut_before" else await answering()
        if fault.how != "slow" and http.transport:
            http.transport.abort()
        return answer

    async def _answer(self, http: web.Request, name: str) -> web.Response:
        args: Json = {}
        headers = {
            "x-oauth-scopes": ",".join(self.slack.manifest.scopes),
            "Date": formatdate(time.time() + self.slack.ahead, usegmt=True),
        }
        status = 200
        try:
            args = await _arguments(http)
            answer: Json = {"ok": True, **self._called(http, name, args)}
        except Refused as refused:
            answer = refused.answer()
        except RateLimited as limited:
            status, headers["Retry-After"] = 429, str(limited.seconds)
            answer = {"ok": False, "error": "ratelimited", "sandbox_reference": RATE_LIMITS}
        response = _json(answer, status, headers)
        self.slack.calls.append(Call(name, args, json.loads(response.text or "")))
        return response

    def _called(self, http: web.Request, name: str, args: Json) -> Json:
        _, _, in_header = http.headers.get("Authorization", "").partition(" ")
        token = in_header or args.pop("token", "")
        if not token:
            raise Refused("not_authed", AUTHENTICATION)
        if token not in (self.slack.bot_token, self.slack.app_token):
            raise Refused("invalid_auth", AUTHENTICATION)
        if token == self.slack.bot_token and self.slack.revoked:
            raise Refused("token_revoked", method_page(name))
        method = METHODS.get(name)
        if method is None:
            raise Refused("unknown_method", WEB_API, req_method=name)
        if method.app_level != (token == self.slack.app_token):
            raise Refused("not_allowed_token_type", AUTHENTICATION)
        if method.app_level and not in_header:
            raise Refused("not_authed", method_page(name))
        if wait := self.slack.limits.call(name, method.per_minute):
            raise RateLimited(wait)
        request = Request(self.slack, name, args)
        request.need_scope(*method.scopes)
        return method.run(request)

    async def _response(self, http: web.Request) -> web.Response:
        status, text = answer_response_url(self.slack, http.match_info["key"], await http.read())
        return web.Response(status=status, text=text)

    async def _file(self, http: web.Request) -> web.Response:
        return await self._in_all_weathers(http, "download", lambda: self._sent(http))

    async def _sent(self, http: web.Request) -> web.Response:
        """A private file needs the app's token, without which Slack sends its login page:
        https://docs.slack.dev/reference/objects/file-object"""
        file = self.slack.workspace.files.get(http.match_info["id"])
        self.slack.fetched.append(http.match_info["id"])
        if http.headers.get("Authorization") != f"Bearer {self.slack.bot_token}":
            raise web.HTTPFound(f"{self.slack.url}/?redir={http.path}", text=f"sign in, see {FILE_OBJECT}")
        if file is None or file.deleted or "files:read" not in self.slack.manifest.scopes:
            raise web.HTTPNotFound
        return web.Response(body=file.content, headers={"Content-Type": file.mimetype})

    async def _upload(self, http: web.Request) -> web.Response:
        content = b"".join([chunk async for chunk in http.content.iter_any()])
        return await self._in_all_weathers(http, "upload", lambda: self._received(http, content))

    async def _received(self, http: web.Request, content: bytes) -> web.Response:
        """Raw bytes, as many as were announced; the address is the secret, so no token comes with them."""
        upload = self.slack.workspace.uploads.get(http.match_info["key"])
        if upload is None or len(content) != upload.length or "Authorization" in http.headers:
            raise web.HTTPBadRequest(text=f"not as announced, see {WORKING_WITH_FILES}")
        upload.content = content
        return web.Response(text=f"OK - {len(content)}")


def _json(answer: Json, status: int, headers: dict[str, str]) -> web.Response:
    return web.json_response(answer, status=status, headers=headers)


async def _arguments(http: web.Request) -> Json:
    """The arguments of a call, from the query, a form or JSON (whose token must be in the header)."""
    args: Json = dict(http.query)
    if http.content_type == "application/json":
        args |= _json_arguments(await http.read())
    else:
        args |= {key: value for key, value in (await http.post()).items() if isinstance(value, str)}
    return args


def _json_arguments(body: bytes) -> Json:
    try:
        given = json.loads(body or b"{}")
    except ValueError as reason:
        raise Refused("invalid_json", WEB_API) from reason
    if not isinstance(given, dict):
        raise Refused("json_not_object", WEB_API)
    return {key: value for key, value in given.items() if key != "token"}
