"""Over HTTP: signed requests to the app's request URL.

An event's retry has ``x-slack-retry-num`` and ``x-slack-retry-reason``; the answer header
``x-slack-no-retry: 1`` ends the retries: https://docs.slack.dev/apis/events-api
"""

import asyncio
import contextlib
import hashlib
import hmac
import io
import itertools
import time
from types import SimpleNamespace

import aiohttp

from bot.sandbox.delivery import ACK_SECONDS, Delivery, NotDelivered


class RequestUrl:
    """Delivers to ``urls`` in turn (none: nobody is there, so connections fail)."""

    def __init__(self, signing_secret: str) -> None:
        self.urls: tuple[str, ...] = ()
        self._turns = itertools.count()
        self._secret = signing_secret
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        trace = aiohttp.TraceConfig()
        trace.on_request_chunk_sent.append(_note_sent)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            trace_configs=[trace],
            timeout=aiohttp.ClientTimeout(total=ACK_SECONDS),
        )

    async def stop(self) -> None:
        if self._session:
            await self._session.close()

    def sign(self, body: bytes, timestamp: int | None = None) -> dict[str, str]:
        """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
        sent = str(int(time.time()) if timestamp is None else timestamp)
        base = b"v0:" + sent.encode() + b":" + body
        digest = hmac.new(self._secret.encode(), base, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": sent, "X-Slack-Signature": f"v0={digest}"}

    async def carry(self, delivery: Delivery, sent: asyncio.Event) -> None:
        try:
            await self._post(delivery, sent)
        except TimeoutError:
            raise NotDelivered("http_timeout") from None
        except aiohttp.TooManyRedirects:
            raise NotDelivered("too_many_redirects") from None
        except aiohttp.ClientError:
            raise NotDelivered("connection_failed") from None

    async def _post(self, delivery: Delivery, sent: asyncio.Event) -> None:
        """To the replica whose turn it is, or the next one that takes the connection."""
        if not self.urls:
            raise NotDelivered("connection_failed")
        first = next(self._turns) % len(self.urls)
        *others, last = self.urls[first:] + self.urls[:first]
        for url in others:
            with contextlib.suppress(aiohttp.ClientConnectorError):
                return await self._post_to(url, delivery, sent)
        return await self._post_to(last, delivery, sent)

    async def _post_to(self, url: str, delivery: Delivery, sent: asyncio.Event) -> None:
        assert self._session is not None
        body = delivery.parcel.body
        headers = {
            "Content-Type": delivery.parcel.content_type,
            "User-Agent": "Slackbot 1.0",
            **self.sign(body),
        }
        if delivery.retry and delivery.retry_reason:
            headers["x-slack-retry-num"] = str(delivery.retry)
            headers["x-slack-retry-reason"] = delivery.retry_reason
        request = self._session.post(
            url, data=io.BytesIO(body), headers=headers, max_redirects=3, trace_request_ctx=sent
        )
        async with request as response:
            delivery.answer = await response.read()
            delivery.status = response.status
            delivery.no_retry = response.headers.get("x-slack-no-retry") == "1"
            if not 200 <= response.status < 300:
                raise NotDelivered("http_error")


async def _note_sent(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceRequestChunkSentParams
) -> None:
    context.trace_request_ctx.set()
