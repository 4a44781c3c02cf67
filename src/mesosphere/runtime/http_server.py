"""Serves HTTP: uvicorn in front of one raw ASGI application.

The application turns a request into a `Request`, hands it to the node, and writes what the node
later says about it: a whole answer, or a stream. A stream's peer that does not read fills a bounded
buffer; when that is full the stream is cut and reported, and nobody else waits for it.
"""

import asyncio
import contextlib
import itertools
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import uvicorn

from mesosphere.kernel.http import BODY_LIMIT_BYTES, Request, Response, text_response

ANSWER_TIMEOUT_S = 300.0
"""A request that the machine does not answer within this time gets 503."""

KEEP_ALIVE_S = 75
"""An idle connection is closed after this time; clients give up theirs earlier."""

BACKLOG = 2048

QUERY_FIELDS_LIMIT = 1_000

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Exchange:
    """One request and what became of it."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.answered: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        # A stream, once `StartStream` came:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.limit_bytes = 0
        self.chunks: deque[bytes] = deque()
        self.buffered_bytes = 0
        self.wake = asyncio.Event()
        self.ended = False
        self.cut = False


class HttpServer:
    """`on_request(request)` is called on the loop; answers come back through the methods."""

    def __init__(
        self,
        listener: socket.socket,
        on_request: Callable[[Request], None],
        on_closed: Callable[[str, str], None],
        server_header: str,
    ) -> None:
        self._listener = listener
        self._on_request = on_request
        self._on_closed = on_closed
        self._server_header = server_header
        self._ids = itertools.count(1)
        self._exchanges: dict[str, Exchange] = {}
        self._server: uvicorn.Server | None = None

    async def run(self) -> None:
        """Serve until `stop`."""
        config = uvicorn.Config(
            self._application,
            loop="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=True,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=2,
            backlog=BACKLOG,
            ws="none",
            proxy_headers=False,
        )
        self._server = _Server(config)
        await self._server.serve(sockets=[self._listener])

    async def stop(self) -> None:
        """Finish what has been answered, end every stream, close the listener."""
        for exchange in list(self._exchanges.values()):
            exchange.ended = True
            exchange.wake.set()
            if not exchange.answered.done():
                exchange.answered.set_result(text_response(503, "This process is ending.\n"))
        if self._server is not None:
            self._server.should_exit = True
        self._listener.close()

    def find(self, request: str) -> Exchange | None:
        """The exchange of a request that is still open."""
        return self._exchanges.get(request)

    def reply(self, request: str, response: Response) -> None:
        """Answer a request completely; an unknown one (its peer left) is ignored."""
        exchange = self._exchanges.get(request)
        if exchange is not None and not exchange.answered.done():
            exchange.answered.set_result(response)

    def start_stream(
        self, request: str, status: int, headers: dict[str, str], limit_bytes: int
    ) -> None:
        """Answer with headers and keep the body open."""
        exchange = self._exchanges.get(request)
        if exchange is None or exchange.answered.done():
            # The machine takes the stream for open: it must hear that it is not.
            reason = "the peer went away before the stream began"
            asyncio.get_running_loop().call_soon(self._on_closed, request, reason)
            return
        exchange.status, exchange.headers = status, headers
        exchange.limit_bytes = limit_bytes
        exchange.answered.set_result(None)

    def send(self, stream: str, data: bytes) -> None:
        """Queue bytes for a stream; a full buffer cuts it."""
        exchange = self._exchanges.get(stream)
        if exchange is None or exchange.ended or exchange.cut:
            return
        exchange.chunks.append(data)
        exchange.buffered_bytes += len(data)
        exchange.wake.set()
        if exchange.buffered_bytes > exchange.limit_bytes:
            exchange.cut = True
            exchange.chunks.clear()

    def end_stream(self, stream: str) -> None:
        """End a stream after what is queued."""
        exchange = self._exchanges.get(stream)
        if exchange is not None:
            exchange.ended = True
            exchange.wake.set()

    # --- the ASGI side ------------------------------------------------------------------------

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = _headers(scope)
        body = await _read_body(headers, receive)
        if body is None:
            message = f"the body is larger than {BODY_LIMIT_BYTES} bytes\n"
            await self._write(send, text_response(413, message, {"Connection": "close"}))
            return
        try:
            query = parse_qs(
                scope["query_string"].decode("latin-1"),
                keep_blank_values=True,
                max_num_fields=QUERY_FIELDS_LIMIT,
            )
        except ValueError:
            await self._write(send, text_response(400, "too many query parameters\n"))
            return
        client = scope.get("client")
        request = Request(
            id=f"r{next(self._ids)}",
            method=scope["method"],
            path=scope["path"],
            query=query,
            headers=headers,
            body=body,
            peer=client[0] if client else "",
        )
        exchange = Exchange(request)
        self._exchanges[request.id] = exchange
        try:
            await self._serve_one(exchange, receive, send)
        finally:
            self._exchanges.pop(request.id, None)

    async def _serve_one(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        request = exchange.request
        self._on_request(request)
        if not exchange.answered.done():
            leaving = asyncio.ensure_future(_wait_for_leave(receive))
            await asyncio.wait(
                (exchange.answered, leaving),
                timeout=ANSWER_TIMEOUT_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
            leaving.cancel()
        if not exchange.answered.done():
            exchange.answered.set_result(text_response(503, "No answer in time.\n"))
        response = exchange.answered.result()
        if response is not None:
            await self._write(send, response)
        else:
            await self._write_stream(exchange, receive, send)

    async def _write(self, send: Send, response: Response) -> None:
        chunks = response.body if isinstance(response.body, tuple) else (response.body,)
        headers = dict(response.headers)
        if response.status != 204 and response.status >= 200:
            headers["Content-Length"] = str(sum(len(chunk) for chunk in chunks))
        await send(_start(response.status, headers, self._server_header))
        for chunk in chunks[:-1]:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        last = chunks[-1] if chunks else b""
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _write_stream(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        leaving = asyncio.ensure_future(_wait_for_leave(receive))
        await send(_start(exchange.status, exchange.headers, self._server_header))
        writing = asyncio.ensure_future(_pump(exchange, send))
        # The buffer limit acts even while the writer waits for a peer that does not read.
        watching = asyncio.ensure_future(_wait_for_cut(exchange))
        await asyncio.wait((leaving, writing, watching), return_when=asyncio.FIRST_COMPLETED)
        reason = ""
        if exchange.cut:
            reason = f"the peer left more than {exchange.limit_bytes} bytes unread"
        elif not exchange.ended:
            reason = "the peer went away"
        for task in (leaving, writing, watching):
            task.cancel()
        await asyncio.gather(leaving, writing, watching, return_exceptions=True)
        exchange.chunks.clear()
        if reason:
            self._exchanges.pop(exchange.request.id, None)
            self._on_closed(exchange.request.id, reason)


class _Server(uvicorn.Server):
    """Signals are the node's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _pump(exchange: Exchange, send: Send) -> None:
    while True:
        while exchange.chunks:
            size = exchange.buffered_bytes
            data = b"".join(exchange.chunks)
            exchange.chunks.clear()
            await send({"type": "http.response.body", "body": data, "more_body": True})
            exchange.buffered_bytes -= size
        if exchange.ended:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        exchange.wake.clear()
        await exchange.wake.wait()


async def _wait_for_cut(exchange: Exchange) -> None:
    while not exchange.cut:
        await asyncio.sleep(0.5)


async def _wait_for_leave(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read_body(headers: dict[str, str], receive: Receive) -> bytes | None:
    """The whole body, None when it is too large (the rest is not read)."""
    announced = headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > BODY_LIMIT_BYTES:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_LIMIT_BYTES:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts) if len(parts) > 1 else parts[0]


def _headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _start(status: int, headers: dict[str, str], server: str) -> dict[str, Any]:
    named = [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in headers.items()
    ]
    named.append((b"server", server.encode()))
    return {"type": "http.response.start", "status": status, "headers": named}


def bind(host: str, port: int) -> socket.socket:
    """A bound listening socket. Raises OSError when the address can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
