"""Calls others: single requests, long-lived streams, TCP probes, and the proxying of requests.

Every outcome is an event. A failure says whether the request certainly was not executed: refused
connections and failures to connect are definite; anything after bytes were sent is not.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from urllib.parse import quote

import aiohttp

from mesosphere.kernel.effects import Call, Connect, Probe, Proxy
from mesosphere.kernel.events import (
    CallAnswered,
    CallFailed,
    Connected,
    Disconnected,
    Event,
    Probed,
    Received,
)
from mesosphere.kernel.http import Request
from mesosphere.runtime.http_server import HttpServer
from mesosphere.runtime.sse import SseDecoder
from mesosphere.wire.errors import WireError
from mesosphere.wire.recordio import Decoder

READ_BYTES = 256 * 1024

POOL_LIMIT = 1_000
"""Connections open at once; further calls wait for one."""

POOL_KEEP_ALIVE_S = 15.0
"""Idle pooled connections are given up well before servers close theirs."""

CONNECT_TIMEOUT_S = 5.0

ERROR_BODY_LIMIT = 64 * 1024

HOP_HEADER = "x-mesosphere-hop"
"""Marks a proxied request, so that two hosts that take each other for the leader do not loop."""

_HOP_BY_HOP = (
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "host",
    "content-length",
    "proxy-authorization",
    "proxy-authenticate",
    "server",
    "date",
    "content-encoding",
    "accept-encoding",
)

Deliver = Callable[[Event], None]


class HttpClient:
    """One pool of connections for a node."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=POOL_LIMIT, keepalive_timeout=POOL_KEEP_ALIVE_S, ttl_dns_cache=30
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent",),
                # Streams have a pool of their own below; nothing may wait behind them.
            )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def call(self, effect: Call, deliver: Deliver) -> None:
        """Perform a Call."""
        timeout = aiohttp.ClientTimeout(total=effect.timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        try:
            async with self._open().request(
                effect.method,
                effect.url,
                headers=effect.headers,
                data=effect.body or None,
                timeout=timeout,
                allow_redirects=effect.follow > 0,
                max_redirects=max(effect.follow, 1),
                ssl=False,
            ) as response:
                body = await _read(response, effect.limit_bytes)
                if body is None:
                    reason = f"the answer has more than {effect.limit_bytes} bytes"
                    deliver(CallFailed(effect.call, reason, definite=False))
                    return
                deliver(CallAnswered(effect.call, response.status, _headers(response), body))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            deliver(CallFailed(effect.call, explain(error), is_definite(error)))

    async def connect(self, effect: Connect, deliver: Deliver) -> None:
        """Perform a Connect: runs as long as the stream lives; cancelled to disconnect."""
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=effect.connect_timeout_s, sock_read=effect.idle_s
        )
        decoder = Decoder() if effect.framing == "recordio" else SseDecoder()
        # A connection of its own: a stream never takes a place in the pool of calls.
        try:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(force_close=True),
                    skip_auto_headers=("User-Agent",),
                ) as session,
                session.request(
                    effect.method,
                    effect.url,
                    headers=effect.headers,
                    data=effect.body or None,
                    timeout=timeout,
                    allow_redirects=False,
                    read_bufsize=READ_BYTES,
                    ssl=False,
                ) as response,
            ):
                headers = _headers(response)
                if response.status != 200:
                    body = await _read(response, ERROR_BODY_LIMIT) or b""
                    deliver(Connected(effect.stream, response.status, headers, body))
                    return
                deliver(Connected(effect.stream, 200, headers))
                async for data in response.content.iter_any():
                    for record in decoder.feed(data):
                        deliver(Received(effect.stream, record))
            reason = "the server ended the stream"
        except WireError as error:
            reason = f"the stream can't be read: {error}"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            reason = explain(error)
        deliver(Disconnected(effect.stream, reason))

    async def probe(self, effect: Probe, deliver: Deliver) -> None:
        """Perform a Probe."""
        try:
            async with asyncio.timeout(effect.timeout_s):
                _, writer = await asyncio.open_connection(effect.host, effect.port)
        except (OSError, TimeoutError) as error:
            deliver(Probed(effect.probe, ok=False, reason=explain(error)))
            return
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        deliver(Probed(effect.probe, ok=True, reason=""))

    async def proxy(self, effect: Proxy, request: Request, server: HttpServer) -> None:
        """Perform a Proxy: forward the request, stream the answer back as it is read.

        An answer that breaks off is broken off, so that nobody takes a part for the whole.
        """
        if HOP_HEADER in request.headers:
            server.reply(effect.request, effect.failure)
            return
        headers = {
            name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP
        }
        headers |= {HOP_HEADER: "1", **effect.headers}
        query = [(name, value) for name, values in request.query.items() for value in values]
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=effect.timeout_s
        )
        started = False
        try:
            async with self._open().request(
                request.method,
                effect.base_url + quote(request.path),
                params=query,
                headers=headers,
                data=request.body or None,
                timeout=timeout,
                allow_redirects=False,
                ssl=False,
            ) as response:
                headers = _headers(response)
                kept = {name: headers[name] for name in headers if name not in _HOP_BY_HOP}
                if "content-length" in headers and "content-encoding" not in headers:
                    kept["content-length"] = headers["content-length"]
                server.start_stream(
                    effect.request, response.status, kept, READ_BYTES * 4, is_paced=True
                )
                started = True
                async for data in response.content.iter_any():
                    if not await server.write(effect.request, data):
                        return
            server.end_stream(effect.request)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            if started:
                server.break_stream(effect.request)
            else:
                server.reply(effect.request, effect.failure)


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    async for data in response.content.iter_any():
        size += len(data)
        if size > limit:
            return None
        parts.append(data)
    return b"".join(parts)


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def explain(error: BaseException) -> str:
    """One sentence of an exception."""
    if isinstance(error, TimeoutError) and not str(error):
        return "timed out"
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        number = cause.errno or 0  # negative: of the resolver, which has its own words
        reason = os.strerror(number) if number > 0 else cause.strerror or str(cause)
        return f"can't connect to {error.host}:{error.port}: {reason}"
    text = str(error) or type(error).__name__
    return text if len(text) < 500 else text[:500] + "..."


def is_definite(error: BaseException) -> bool:
    """Whether a request certainly was not executed."""
    return isinstance(
        error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL
    )
