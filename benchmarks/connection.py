"""One HTTP/1.1 connection of a light client: what a benchmark can afford ten thousand of."""

import asyncio
from collections import deque
from typing import Any

import httptools

HEADERS = "Host: bench\r\nContent-Type: application/json\r\nAccept: application/json\r\n"


def request(method: str, path: str, body: bytes = b"", extra: str = "") -> bytes:
    """The bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\n{HEADERS}{extra}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Connection(asyncio.Protocol):
    """Parses answers. Subclasses take `on_answer`, `on_data`, `on_end`, `on_lost`."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.headers: dict[str, str] = {}
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.on_lost()

    def on_message_begin(self) -> None:
        self.headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_headers_complete(self) -> None:
        self.on_answer(self._parser.get_status_code())

    def on_body(self, body: bytes) -> None:
        self.on_data(body)

    def on_message_complete(self) -> None:
        self.on_end()

    def on_answer(self, status: int) -> None: ...
    def on_data(self, data: bytes) -> None: ...
    def on_end(self) -> None: ...
    def on_lost(self) -> None: ...


class _Caller(Connection):
    def __init__(self, pool: "Calls") -> None:
        super().__init__()
        self._pool = pool

    def on_end(self) -> None:
        self._pool.free(self, self._parser.get_status_code())

    def on_lost(self) -> None:
        self._pool.lost(self)


class Calls:
    """Kept connections for short calls, one call at a time on each; further calls wait."""

    def __init__(self, host: str, port: int, size: int) -> None:
        self.statuses: dict[int, int] = {}
        self._address = (host, port)
        self._size = size
        self._idle: list[_Caller] = []
        self._waiting: deque[bytes] = deque()

    async def open(self) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        for _ in range(self._size):
            _, caller = await loop.create_connection(lambda: _Caller(self), *self._address)
            self._idle.append(caller)

    def send(self, data: bytes) -> None:
        """Send a request as soon as a connection is free."""
        if self._idle:
            self._idle.pop().transport.write(data)
        else:
            self._waiting.append(data)

    def free(self, caller: _Caller, status: int) -> None:
        """A call was answered."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if self._waiting:
            caller.transport.write(self._waiting.popleft())
        else:
            self._idle.append(caller)

    def lost(self, caller: _Caller) -> None:
        """A connection has gone."""
        if caller in self._idle:
            self._idle.remove(caller)

    def close(self) -> None:
        """Close what is idle, forget what waits."""
        self._waiting.clear()
        for caller in list(self._idle):
            caller.transport.close()


class Fetch(Connection):
    """Gets a page again and again on one connection; keeps no body."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self.status = 0
        self._done: asyncio.Future[int] | None = None

    async def get(self, path: str) -> int:
        """GET; the number of bytes of the body."""
        self.size = 0
        self._done = asyncio.get_running_loop().create_future()
        self.transport.write(request("GET", path))
        return await self._done

    def on_answer(self, status: int) -> None:
        self.status = status

    def on_data(self, data: bytes) -> None:
        self.size += len(data)

    def on_end(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(self.size)

    def on_lost(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionResetError("the master closed"))


async def open_fetch(host: str, port: int) -> Fetch:
    """A connected Fetch."""
    _, fetch = await asyncio.get_running_loop().create_connection(Fetch, host, port)
    return fetch
