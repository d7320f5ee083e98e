"""The porter uploads files again for the other side of their ticket, and deletes the copies of what was deleted.

It works beside the lanes: a channel's posts do not wait for a transfer. What it has uploaded nobody sees until the
courier shares it, and Slack discards what is never shared, so that a transfer that was cut off is simply made again:
https://docs.slack.dev/reference/methods/files.completeUploadExternal
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import structlog

from bot.delivery.slack import DESK_CLOSED, RateLimited, SlackRefused, Unclear, ask, delete_file
from bot.metrics import VERSION
from bot.services import Services
from bot.tickets import files
from storage import copies, showing
from storage.copies import Task
from storage.engine import DatabaseAway

log = structlog.get_logger(__name__)

AT_ONCE = 3
IDLE_SECONDS = 1.0
#: The largest file passes in it at 10 Mbit/s.
TRANSFER_SECONDS = 45.0
LEASE_SECONDS = 60.0
LOCKED_OUT_SECONDS = 60.0
#: Failures in a row after which a link must do: about four minutes.
FAILURES = 8
CHUNK = 64 * 1024
#: Kept by Slack; the others are elsewhere, or no longer anywhere: https://docs.slack.dev/reference/objects/file-object
KEPT = frozenset({"hosted", "snippet"})


class Porter:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._stopping = False
        self._under_way: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Cuts off what is under way, which is done again later; `run` returns."""
        self._stopping = True
        self._services.copying.set()

    async def run(self) -> None:
        agent = {"User-Agent": f"threadesk/{VERSION}"}
        async with aiohttp.ClientSession(headers=agent, cookie_jar=aiohttp.DummyCookieJar()) as http:
            while not self._stopping:
                self._services.copying.clear()
                try:
                    await self._round(http)
                except DatabaseAway as error:
                    log.warning("the database cannot be reached", error=str(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._services.copying.wait(), IDLE_SECONDS)
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _round(self, http: aiohttp.ClientSession) -> None:
        free = AT_ONCE - len(self._under_way)
        if free <= 0:
            return
        async with self._services.transaction() as tx:
            settle = 2 * self._services.call_seconds
            tasks = await copies.take(tx, most=free, seconds=LEASE_SECONDS, settle=settle)
        for task in tasks:
            work = asyncio.create_task(self._serve(http, task))
            self._under_way.add(work)
            work.add_done_callback(self._done)

    def _done(self, work: asyncio.Task[None]) -> None:
        self._under_way.discard(work)
        self._services.copying.set()

    async def _serve(self, http: aiohttp.ClientSession, task: Task) -> None:
        structlog.contextvars.bind_contextvars(ticket=str(task.ticket_id))
        try:
            await (self._remove(task) if task.removing else self._copy(http, task))
        except asyncio.CancelledError:
            await self._put_off(task, 0, failed=False)
            raise
        except RateLimited as limited:
            await self._put_off(task, limited.seconds, failed=False)
        except SlackRefused as refused:
            await self._refused(task, refused.error)
        except Unclear as unclear:
            log.warning("a file did not pass", error=str(unclear))
            await self._failed(task, "it could not be transferred")
        except DatabaseAway as error:
            log.warning("the database went away under the porter", error=str(error))
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("a file could not be copied", reference=reference)
            await self._failed(task, reference)

    async def _copy(self, http: aiohttp.ClientSession, task: Task) -> None:
        try:
            async with asyncio.timeout(TRANSFER_SECONDS):
                copy = await self._uploaded(http, task)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unclear(str(error) or type(error).__name__) from error
        async with self._services.transaction() as tx:
            if await copies.uploaded(tx, task, copy):
                await showing.mark(tx, task.ticket_id)

    async def _uploaded(self, http: aiohttp.ClientSession, task: Task) -> str:
        """The id of the new file, which nobody sees yet."""
        slack = self._services.slack
        file = (await ask(slack, "files.info", file=task.original))["file"]
        url, size = self._address(file), int(file.get("size") or 0)
        # The address goes to Slack's own machines only, and so does the token.
        token = {"Authorization": f"Bearer {slack.token}", "Accept-Encoding": "identity"}
        async with http.get(url, headers=token, allow_redirects=False, proxy=slack.proxy) as original:
            if original.status >= 500 or original.status == 429:
                raise Unclear(f"HTTP {original.status}")
            # Who may not read it is sent to the login page, whatever the status.
            if original.status != 200 or original.content_length not in {None, size}:
                raise SlackRefused("access_denied")
            place = await ask(slack, "files.getUploadURLExternal", filename=task.name, length=size)
            self._must_be_slacks(str(place["upload_url"]))
            await self._pass_on(http, original, str(place["upload_url"]), size)
        return str(place["file_id"])

    async def _pass_on(self, http: aiohttp.ClientSession, original: aiohttp.ClientResponse, to: str, size: int) -> None:
        """From one connection to the other, without ever holding the file."""
        content = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        body = _exactly(original, size)
        async with http.post(
            to, data=body, headers=content, allow_redirects=False, proxy=self._services.slack.proxy
        ) as answer:
            if answer.status != 200:
                raise Unclear(f"HTTP {answer.status}")

    def _address(self, file: dict[str, Any]) -> str:
        """Where Slack has the file. SlackRefused where a link must do."""
        if file.get("is_external") or file.get("mode") not in KEPT:
            raise SlackRefused("kept elsewhere")
        size = int(file.get("size") or 0)
        if size == 0:
            raise SlackRefused("empty")
        if size > files.LARGEST:
            raise SlackRefused("too large")
        url = str(file.get("url_private") or "")
        self._must_be_slacks(url)
        return url

    def _must_be_slacks(self, url: str) -> None:
        if not is_slacks(url, self._services.slack.base_url):
            raise SlackRefused("kept elsewhere")

    async def _remove(self, task: Task) -> None:
        if task.copy is not None:
            await delete_file(self._services.slack, task.copy)
        async with self._services.transaction() as tx:
            await copies.removed(tx, task)

    async def _refused(self, task: Task, error: str) -> None:
        if error in DESK_CLOSED:
            await self._put_off(task, LOCKED_OUT_SECONDS, failed=False)
            return
        if task.removing:
            # What was deleted must not stay: an administrator can take away what is in the desk's way.
            log.error("Slack does not let the desk delete a file", file=task.copy, error=error)
            await self._failed(task, None)
            return
        log.info("a file is not copied", error=error)
        await self._give_up(task, error)

    async def _failed(self, task: Task, give_up_as: str | None) -> None:
        """Again later; after too many failures, never, where it is given up as something."""
        if give_up_as is not None and not task.removing and task.failures + 1 >= FAILURES:
            await self._give_up(task, give_up_as)
        else:
            wait = min(300.0, 2.0 ** min(task.failures, 9)) * random.uniform(0.7, 1.3)  # noqa: S311 - spreads load
            await self._put_off(task, wait, failed=True)

    async def _give_up(self, task: Task, why: str) -> None:
        async with self._services.transaction() as tx:
            if await copies.refuse(tx, task, why):
                await showing.mark(tx, task.ticket_id)

    async def _put_off(self, task: Task, seconds: float, *, failed: bool) -> None:
        try:
            async with self._services.transaction() as tx:
                await copies.put_off(tx, task, seconds, failed=failed)
        except DatabaseAway as error:
            log.warning("the database went away under the porter", error=str(error))


async def _exactly(original: aiohttp.ClientResponse, size: int) -> AsyncIterator[bytes]:
    """The content, which must have the length that was announced."""
    passed = 0
    async for chunk in original.content.iter_chunked(CHUNK):
        passed += len(chunk)
        if passed > size:
            break
        yield chunk
    if passed != size:
        raise aiohttp.ClientPayloadError(f"not {size} bytes, as Slack said")


def is_slacks(url: str, api_url: str) -> bool:
    """Whether Slack's files are there: on the machine of its API, or on "files." beside it.

    https://docs.slack.dev/messaging/working-with-files
    """
    try:
        asked, api = urlsplit(url), urlsplit(api_url)
        there = (asked.scheme, asked.hostname, asked.port)
    except ValueError:
        return False
    places = {(api.scheme, api.hostname, api.port), (api.scheme, f"files.{api.hostname}", api.port)}
    return there in places and asked.username is None
