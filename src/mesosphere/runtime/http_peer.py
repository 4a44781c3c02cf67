"""One connection to a server: a request out, its answer in, piece by piece as somebody reads it.

The answer's body waits here up to a mark; then the server is not read from until it was taken. What
a server may send is bounded in everything but the length of a body, which its reader bounds.
"""

import asyncio
import base64
import os
import ssl
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

import httptools

HEAD_LIMIT_BYTES = 64 * 1024
"""Status line and headers of one answer, or trailers."""

BODY_MARK_BYTES = 256 * 1024
"""Of a body, what waits to be read before the server is held back."""

_PATH_SAFE = "/%:@!$&'()*+,;=~-._"
_QUERY_SAFE = _PATH_SAFE + "?[]"
_PORTS = {"http": 80, "https": 443}


class HttpFailure(Exception):
    """No whole answer. `is_definite`: the request certainly was not executed."""

    def __init__(self, reason: str, is_definite: bool = False) -> None:
        super().__init__(reason)
        self.is_definite = is_definite


class Target(NamedTuple):
    """A URL in pieces. `authorization` is what its user and password say."""

    scheme: str
    host: str
    port: int
    path: str
    authorization: str

    @property
    def peer(self) -> tuple[str, str, int]:
        """What a connection is to."""
        return self.scheme, self.host, self.port

    @property
    def host_header(self) -> str:
        """As the header Host has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def base(self) -> str:
        """The URL without its path."""
        return f"{self.scheme}://{self.host_header}"


def read_url(url: str) -> Target:
    """A URL as its pieces. Raises HttpFailure."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError as error:
        raise HttpFailure(f"{url[:200]!r} is no URL: {error}", is_definite=True) from error
    if parts.scheme not in _PORTS or not host or any(c <= " " for c in host):
        raise HttpFailure(f"{url[:200]!r} is no URL of http or https", is_definite=True)
    path = quote(parts.path or "/", _PATH_SAFE)
    if parts.query:
        path += "?" + quote(parts.query, _QUERY_SAFE)
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    port = _PORTS[parts.scheme] if port is None else port
    return Target(parts.scheme, host, port, path, authorization)


def write_head(method: str, target: Target, headers: dict[str, str], length: int) -> bytes:
    """Request line and headers. Raises HttpFailure for what can't stand in them."""
    names = {name.lower() for name in headers}
    lines = [f"{method} {target.path} HTTP/1.1"]
    if "host" not in names:
        lines.append(f"Host: {target.host_header}")
    if "accept" not in names:
        lines.append("Accept: */*")
    if target.authorization and "authorization" not in names:
        lines.append(f"Authorization: {target.authorization}")
    if length and "content-type" not in names:
        lines.append("Content-Type: application/octet-stream")
    if length or method not in ("GET", "HEAD", "OPTIONS"):
        lines.append(f"Content-Length: {length}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line or "\0" in line for line in lines):
        raise HttpFailure("a header has more than one line", is_definite=True)
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


class Peer(asyncio.Protocol):
    """One connection. `send` a request, `head`, then `read` until it gives nothing."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_reused = False
        self.idle_timer: asyncio.TimerHandle | None = None
        self._parser: Any = None
        self._is_head_only = False
        self._has_head = False
        self._is_whole = True
        self._keeps = False
        self._to_the_end = False
        self._error: HttpFailure | None = None
        self._parts: list[bytes] = []
        self._waiting_bytes = 0
        self._is_held = False
        self._head_bytes = 0
        self._waiter: asyncio.Future[None] | None = None

    # --- what the owner does -------------------------------------------------------------

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent."""
        return self._is_whole and self._error is None and not self.transport.is_closing()

    @property
    def may_be_kept(self) -> bool:
        """Whether the answer was read to its end, and the server goes on."""
        return self.is_usable and self._keeps and not self._parts

    def send(self, head: bytes, body: bytes, is_head_only: bool) -> None:
        """Begin an exchange."""
        self._parser = httptools.HttpResponseParser(self)
        self._is_head_only = is_head_only
        self._has_head = self._is_whole = self._keeps = self._to_the_end = False
        self._head_bytes = 0
        self.status, self.headers = 0, {}
        if self.transport.is_closing():
            self._error = HttpFailure("the server hung up before it was asked", is_definite=True)
            return
        self.transport.write(head + body if len(body) < BODY_MARK_BYTES else head)
        if len(body) >= BODY_MARK_BYTES:
            self.transport.write(body)

    async def head(self) -> None:
        """Wait for `status` and `headers`. Raises HttpFailure."""
        while not self._has_head:
            await self._wait()

    async def read(self) -> bytes:
        """The next of the body; nothing at its end. Raises HttpFailure."""
        while not self._parts:
            if self._is_whole:
                return b""
            await self._wait()
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._waiting_bytes = 0
        if self._is_held:
            self._is_held = False
            self.transport.resume_reading()
        return data

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        """Hang up."""
        if self.idle_timer is not None:
            self.idle_timer.cancel()
        if self.transport is not None:
            self.transport.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, reason: str) -> None:
        if self._error is None:
            self._error = HttpFailure(reason)
        self.transport.abort()
        self._wake()

    # --- what the loop calls -------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See Protocol."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """See Protocol."""
        if self._is_whole:
            self.transport.abort()  # nobody asked
            return
        try:
            if not self._has_head:
                self._head_bytes += len(data)
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail("the server changed the protocol")
        except httptools.HttpParserError as error:
            self._fail(f"the server's answer can't be read: {error}")
        if not self._has_head and self._head_bytes > HEAD_LIMIT_BYTES:
            self._fail(f"the answer's head has more than {HEAD_LIMIT_BYTES} bytes")

    def eof_received(self) -> bool | None:
        """See Protocol: what a body without a length ends with."""
        if self._has_head and self._to_the_end and not self._is_whole:
            self._is_whole = True
            self._wake()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """See Protocol."""
        if not self._is_whole and self._error is None:
            reason = str(error or "") or "the server hung up before its answer was whole"
            self._error = HttpFailure(reason)
        self._wake()

    # --- what the parser calls -----------------------------------------------------------

    def on_message_begin(self) -> None:
        """An answer begins; another one behind it was not asked for."""
        if self._is_whole:
            self._keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which nobody reads."""
        if not self._has_head:
            key, text = name.decode("latin-1").lower(), value.decode("utf-8", "surrogateescape")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        """The head is there; that of an interim answer is forgotten."""
        status = self._parser.get_status_code()
        if self._has_head or (status < 200 and status != 101):
            return
        self.status = status
        self._has_head = True
        self._to_the_end = (
            "content-length" not in self.headers
            and "chunked" not in self.headers.get("transfer-encoding", "").lower()
            and status not in (204, 304)
        )
        if self._is_head_only:
            # The parser waits for the body that the head speaks of: this was its last answer.
            self._is_whole = True
        self._wake()

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self._is_whole:
            return
        self._parts.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > BODY_MARK_BYTES and not self._is_held:
            self._is_held = True
            self.transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if not self._has_head:
            self.headers = {}  # it was an interim one
            return
        if not self._is_whole:
            self._keeps = self._parser.should_keep_alive() and not self._is_head_only
            self._is_whole = True
        self._wake()


async def open_peer(target: Target, timeout_s: float) -> Peer:
    """Connect. Raises HttpFailure, which is definite."""
    loop = asyncio.get_running_loop()
    where = f"{target.host}:{target.port}"
    tls = _trusting() if target.scheme == "https" else None
    try:
        async with asyncio.timeout(timeout_s):
            _, peer = await loop.create_connection(Peer, target.host, target.port, ssl=tls)
    except TimeoutError:
        reason = f"can't connect to {where}: it took longer than {timeout_s:g} s"
        raise HttpFailure(reason, is_definite=True) from None
    except (OSError, UnicodeError) as error:
        reason = f"can't connect to {where}: {_words(error)}"
        raise HttpFailure(reason, is_definite=True) from error
    return peer


def _words(error: Exception) -> str:
    number = getattr(error, "errno", None) or 0  # negative: of the resolver, with its own words
    if isinstance(error, ssl.SSLError) or number <= 0:
        return str(getattr(error, "strerror", None) or error)
    return os.strerror(number)


def _trusting() -> ssl.SSLContext:
    """Certificates are not checked, as the original's health checks do not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
