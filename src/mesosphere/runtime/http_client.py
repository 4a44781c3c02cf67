"""Calls others: single requests, long-lived streams, TCP probes, and the proxying of requests.

Every outcome is an event. A failure says whether the request certainly was not executed: refused
connections and failures to connect are definite; anything after bytes were sent is not.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote, urlencode, urljoin

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
from mesosphere.runtime.http_peer import (
    HttpFailure,
    Peer,
    Target,
    open_peer,
    read_url,
    write_head,
)
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
    "accept-encoding",
)
_REDIRECTS = (301, 302, 303, 307, 308)
_REPEATABLE = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
"""Sent again where a kept connection turns out to be dead: doing them twice is like once."""

Deliver = Callable[[Event], None]


class HttpClient:
    """One pool of connections for a node."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, str, int], list[Peer]] = {}
        self._open: dict[Peer, None] = {}
        self._places = asyncio.Semaphore(POOL_LIMIT)

    async def close(self) -> None:
        """Close every connection."""
        for peer in list(self._open):
            peer.close()
        self._idle.clear()
        self._open.clear()

    async def call(self, effect: Call, deliver: Deliver) -> None:
        """Perform a Call."""
        try:
            async with asyncio.timeout(effect.timeout_s):
                answer = await self._follow(effect)
        except HttpFailure as failure:
            deliver(CallFailed(effect.call, explain(failure), failure.is_definite))
        except TimeoutError as error:
            deliver(CallFailed(effect.call, explain(error), definite=False))
        else:
            deliver(answer)

    async def _follow(self, effect: Call) -> CallAnswered | CallFailed:
        method, body, headers = effect.method, effect.body, dict(effect.headers)
        target = read_url(effect.url)
        for left in range(effect.follow, -1, -1):
            async with self._exchange(method, target, headers, body) as peer:
                to = peer.headers.get("location", "")
                if effect.follow == 0 or peer.status not in _REDIRECTS or not to:
                    data = await _read(peer, effect.limit_bytes)
                    if data is None:
                        reason = f"the answer has more than {effect.limit_bytes} bytes"
                        return CallFailed(effect.call, reason, definite=False)
                    return CallAnswered(effect.call, peer.status, peer.headers, data)
                status = peer.status
                await _read(peer, ERROR_BODY_LIMIT)
            if left == 0:
                break
            before, target = target, read_url(urljoin(target.base + target.path, to))
            if before.peer != target.peer:
                headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
            if status == 303 or (status in (301, 302) and method == "POST"):
                method, body = "GET" if method != "HEAD" else method, b""
        raise HttpFailure(f"more than {effect.follow} redirects")

    @contextlib.asynccontextmanager
    async def _exchange(
        self, method: str, target: Target, headers: dict[str, str], body: bytes
    ) -> AsyncIterator[Peer]:
        """A connection on which the head of the answer has come; kept if all of it is read."""
        head = write_head(method, target, headers, len(body))
        async with self._places:
            peer = await self._take(target)
            try:
                peer.send(head, body, method == "HEAD")
                try:
                    await peer.head()
                except HttpFailure as failure:
                    is_safe = failure.is_definite or method in _REPEATABLE
                    if not peer.is_reused or not is_safe:
                        raise
                    self._drop(peer)
                    peer = await self._connect(target)
                    peer.send(head, body, method == "HEAD")
                    await peer.head()
                yield peer
            finally:
                self._give_back(target, peer)

    async def _take(self, target: Target) -> Peer:
        idle = self._idle.get(target.peer, [])
        while idle:
            peer = idle.pop()
            if peer.idle_timer is not None:
                peer.idle_timer.cancel()
            if peer.is_usable:
                peer.is_reused = True
                return peer
            self._drop(peer)
        return await self._connect(target)

    async def _connect(self, target: Target) -> Peer:
        peer = await open_peer(target, CONNECT_TIMEOUT_S)
        self._open[peer] = None
        return peer

    def _give_back(self, target: Target, peer: Peer) -> None:
        if not peer.may_be_kept:
            self._drop(peer)
            return
        idle = self._idle.setdefault(target.peer, [])
        idle.append(peer)
        loop = asyncio.get_running_loop()
        peer.idle_timer = loop.call_later(POOL_KEEP_ALIVE_S, self._expire, target, peer)

    def _expire(self, target: Target, peer: Peer) -> None:
        idle = self._idle.get(target.peer, [])
        if peer in idle:
            idle.remove(peer)
        if not idle:
            self._idle.pop(target.peer, None)
        self._drop(peer)

    def _drop(self, peer: Peer) -> None:
        self._open.pop(peer, None)
        peer.close()

    async def connect(self, effect: Connect, deliver: Deliver) -> None:
        """Perform a Connect: runs as long as the stream lives; cancelled to disconnect."""
        decoder = Decoder() if effect.framing == "recordio" else SseDecoder()
        # A connection of its own: a stream never takes a place in the pool of calls.
        peer = None
        try:
            target = read_url(effect.url)
            head = write_head(effect.method, target, effect.headers, len(effect.body))
            peer = await open_peer(target, effect.connect_timeout_s)
            peer.send(head, effect.body, is_head_only=False)
            async with asyncio.timeout(effect.idle_s):
                await peer.head()
            if peer.status != 200:
                body = await self._refusal(peer, effect.idle_s)
                deliver(Connected(effect.stream, peer.status, peer.headers, body))
                return
            deliver(Connected(effect.stream, 200, peer.headers))
            while data := await _next(peer, effect.idle_s):
                for record in decoder.feed(data):
                    deliver(Received(effect.stream, record))
            reason = "the server ended the stream"
        except WireError as error:
            reason = f"the stream can't be read: {error}"
        except (HttpFailure, TimeoutError) as error:
            reason = explain(error)
        finally:
            if peer is not None:
                peer.close()
        deliver(Disconnected(effect.stream, reason))

    async def _refusal(self, peer: Peer, idle_s: float | None) -> bytes:
        async with asyncio.timeout(idle_s):
            return await _read(peer, ERROR_BODY_LIMIT) or b""

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
        url = effect.base_url + quote(request.path) + (f"?{urlencode(query)}" if query else "")
        started = False
        try:
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(effect.timeout_s):
                    exchange = self._exchange(request.method, read_url(url), headers, request.body)
                    peer = await stack.enter_async_context(exchange)
                kept = {k: v for k, v in peer.headers.items() if k not in _HOP_BY_HOP}
                if "content-length" in peer.headers:
                    kept["content-length"] = peer.headers["content-length"]
                server.start_stream(
                    effect.request, peer.status, kept, READ_BYTES * 4, is_paced=True
                )
                started = True
                while data := await _next(peer, effect.timeout_s):
                    if not await server.write(effect.request, data):
                        return
            server.end_stream(effect.request)
        except (HttpFailure, TimeoutError):
            if started:
                server.break_stream(effect.request)
            else:
                server.reply(effect.request, effect.failure)


async def _next(peer: Peer, idle_s: float | None) -> bytes:
    async with asyncio.timeout(idle_s):
        return await peer.read()


async def _read(peer: Peer, limit: int) -> bytes | None:
    """The whole body; None if it is larger."""
    parts: list[bytes] = []
    size = 0
    while data := await peer.read():
        size += len(data)
        if size > limit:
            return None
        parts.append(data)
    return b"".join(parts)


def explain(error: BaseException) -> str:
    """One sentence of an exception."""
    if isinstance(error, TimeoutError) and not str(error):
        return "timed out"
    text = str(error) or type(error).__name__
    return text if len(text) < 500 else text[:500] + "..."
