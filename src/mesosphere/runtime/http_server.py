"""Serves HTTP/1.1: hands requests to the node and writes what the node later says about them.

An answer is a whole `Response` or a stream. A stream's peer that does not read fills a bounded
queue; when that is full the stream is cut and reported, and nobody else waits for it. Requests that
come in too slowly, too large or malformed are refused (408, 413, 431, 400), idle connections are
closed, all by one sweep a second. The parts are `http_requests` and `http_connection`.
"""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from types import TracebackType

from mesosphere.kernel.http import Request, Response, text_response
from mesosphere.runtime.http_bodies import StreamedBody
from mesosphere.runtime.http_connection import Connection

BACKLOG = 2048

SWEEP_S = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a connection may take for each thing; one more sweep is added to each."""

    head_s: float = 30.0  # from the first byte of a request to the end of its headers
    body_s: float = 300.0  # to the end of its body
    answer_s: float = 300.0  # for the machine; then the answer is 503
    idle_s: float = 75.0  # between requests; clients give up theirs earlier
    write_s: float = 60.0  # without a byte of a whole answer being read
    sweep_s: float = SWEEP_S


class HttpServer:
    """`on_request(request)` is called on the loop; answers come back through the methods.

    `on_closed(stream, reason)` reports a stream that ended otherwise than by `end_stream`.
    `streamed_bodies` are media types of request bodies that are read while they come in.
    """

    def __init__(
        self,
        listener: socket.socket,
        on_request: Callable[[Request], None],
        on_closed: Callable[[str, str], None],
        server_header: str,
        limits: Limits | None = None,
        streamed_bodies: frozenset[str] = frozenset(),
    ) -> None:
        self._listener = listener
        self._on_request = on_request
        self._on_closed = on_closed
        self._server_header = server_header
        self._open: dict[str, Connection] = {}  # by the request that is being answered
        self._stopped: asyncio.Event | None = None
        self.limits = limits or Limits()
        self.streamed_bodies = streamed_bodies
        self.ids = itertools.count(1)
        self.connections: set[Connection] = set()
        self._to_flush: list[Connection] = []
        self.is_stopping = False
        self.tick = 0.0
        self.common_head = b""

    async def run(self) -> None:
        """Serve until `stop`."""
        loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self._look_at_the_clock()
        server = await loop.create_server(
            lambda: Connection(self), sock=self._listener, backlog=BACKLOG
        )
        try:
            while not self.is_stopping:
                self._sweep()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), self.limits.sweep_s)
            server.close()
            while self.connections:  # what is answered may still be read; the node has a limit
                await asyncio.sleep(0.02)
        finally:
            server.close()
            for connection in list(self.connections):
                connection.abort()

    async def stop(self) -> None:
        """Finish what has been answered, end every stream, close the listener."""
        self.is_stopping = True
        if self._stopped is not None:
            self._stopped.set()
        for connection in list(self.connections):
            connection.shut_down()

    def _look_at_the_clock(self) -> None:
        self.tick = asyncio.get_running_loop().time()
        date = formatdate(usegmt=True)
        self.common_head = f"Date: {date}\r\nServer: {self._server_header}\r\n".encode("latin-1")

    def _sweep(self) -> None:
        self._look_at_the_clock()
        late = [each for each in self.connections if each.deadline < self.tick]
        for connection in late:
            connection.expire()

    # --- what the node says -------------------------------------------------------------------

    def find(self, request: str) -> Request | None:
        """A request that waits for its answer."""
        connection = self._open.get(request)
        return None if connection is None else connection.request

    def reply(self, request: str, response: Response) -> None:
        """Answer a request completely; an unknown one (its peer left) is ignored."""
        connection = self._open.get(request)
        if connection is not None and not connection.is_streaming:
            del self._open[request]
            connection.answer(response)

    def start_stream(
        self,
        request: str,
        status: int,
        headers: dict[str, str],
        limit_bytes: int,
        *,
        is_paced: bool = False,
    ) -> None:
        """Answer with headers and keep the body open.

        A paced stream is one long answer whose writer uses `write`: that its peer leaves is not
        reported, and the server's end leaves it the time that other answers have.
        """
        connection = self._open.get(request)
        if connection is None or connection.is_streaming:
            # The machine takes the stream for open: it must hear that it is not.
            self.report_closed(request, "the peer went away before the stream began")
            return
        connection.start_stream(status, headers, limit_bytes, is_paced)

    def send(self, stream: str, data: bytes) -> None:
        """Queue bytes for a stream; a full queue cuts it."""
        connection = self._open.get(stream)
        if connection is not None and connection.is_streaming:
            connection.send(data)

    def end_stream(self, stream: str) -> None:
        """End a stream after what is queued."""
        connection = self._open.get(stream)
        if connection is not None and connection.is_streaming:
            connection.end_stream()

    async def write(self, stream: str, data: bytes) -> bool:
        """Send on a paced stream as fast as the peer reads; False when it has left."""
        connection = self._open.get(stream)
        if connection is None or not connection.is_streaming:
            return False
        connection.send(data)
        await connection.drain()
        return stream in self._open

    def break_stream(self, stream: str) -> None:
        """Close on the peer, so that it can't take what it has for the whole."""
        connection = self._open.get(stream)
        if connection is not None and connection.is_streaming:
            connection.break_stream()

    def open_body(self, request: str) -> StreamedBody | None:
        """What follows the first record of a streamed body; None if its peer has left."""
        connection = self._open.get(request)
        return None if connection is None else connection.open_body()

    # --- what the connections say -------------------------------------------------------------

    def take(self, connection: Connection, request: Request) -> None:
        """A request has come in."""
        self._open[request.id] = connection
        with self.answering(request.id):
            self._on_request(request)

    def answering(self, request: str) -> "_Answering":
        """Within it, a failure is logged and answers the request."""
        return _Answering(self, request)

    def flush_soon(self, connection: Connection) -> None:
        """A connection has something to write, at the end of the loop's turn."""
        if not self._to_flush:
            asyncio.get_running_loop().call_soon(self._flush)
        self._to_flush.append(connection)

    def _flush(self) -> None:
        written, self._to_flush = self._to_flush, []
        for connection in written:
            connection.flush()

    def forget(self, request: str) -> None:
        """A request was answered, or its peer has left."""
        self._open.pop(request, None)

    def report_closed(self, stream: str, reason: str) -> None:
        """Tell the node, though never within a step of its machine."""
        asyncio.get_running_loop().call_soon(self._on_closed, stream, reason)


class _Answering:
    """A handler that fails is logged and answered 500; the connection and the daemon live on."""

    def __init__(self, server: HttpServer, request: str) -> None:
        self._server = server
        self._request = request

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        context = {"message": "a request could not be handled", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)
        self._server.reply(self._request, text_response(500, "Internal Server Error"))
        return True


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
