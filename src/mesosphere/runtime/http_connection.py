"""One connection of the HTTP server: requests in order, one answer or stream at a time.

What is written waits here, never in the kernel's or the loop's queues beyond their small marks: a
whole answer is handed out piece by piece as its peer reads, so that other connections get their
turn and twenty readers of one page share its bytes; a stream whose peer does not read fills its
own bounded queue and is cut when that is full.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from mesosphere.kernel.http import Request, Response, text_response
from mesosphere.runtime.http_bodies import StreamedBody
from mesosphere.runtime.http_requests import Incoming, RequestReader

if TYPE_CHECKING:
    from mesosphere.runtime.http_server import HttpServer

PIECE_BYTES = 128 * 1024
"""Of a whole answer, written at a time."""

SMALL_BYTES = 32 * 1024
"""A record up to this size is copied into its chunk; a larger one is handed on as it is."""

PIPELINE_LIMIT = 256
"""Requests of one connection that wait for the answer to an earlier one; more end it."""

LINGER_S = 2.0
"""How long a refused peer may go on talking before the connection is closed on it."""

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_HEADS: dict[int, bytes] = {
    code: f"HTTP/1.1 {code} {phrase}\r\n".encode() for code, phrase in _REASONS.items()
}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
NEVER = float("inf")

CHUNKED, PLAIN, NONE = "chunked", "plain", "none"
"""How a stream's body is told: in chunks, as it is, or not at all."""


class Connection(asyncio.Protocol):
    """See the module. `deadline` is swept by the server, which then calls `expire`."""

    __slots__ = (
        "_ends", "_framing", "_incoming", "_is_advancing", "_is_half_closed", "_is_lingering",
        "_is_paced", "_is_paused", "_limit_bytes", "_out", "_out_bytes", "_pieces", "_queue",
        "_queued_bytes", "_reader", "_reason", "_server", "_transport", "_writer", "deadline", "id",
        "is_streaming", "request",
    )  # fmt: skip

    def __init__(self, server: "HttpServer") -> None:
        self._server = server
        self._transport: Any = None
        self._reader: RequestReader | None = None
        self._incoming: Incoming | None = None  # its request is dropped once a stream began
        self.request: Request | None = None
        self.id = ""  # of the request that is being answered; "" between requests
        self.is_streaming = False
        self._ends = False
        self._framing = CHUNKED
        self._limit_bytes = 0
        self._writer: asyncio.Future[None] | None = None  # waits until a stream's peer has read
        self._queue: deque[bytes] | None = None  # of a stream, while the peer reads too slowly
        self._queued_bytes = 0
        self._pieces: Iterator[bytes | memoryview] | None = None  # of a whole answer
        self._out: list[bytes] = []  # leaves at the end of the loop's turn
        self._out_bytes = 0
        self._is_paced = False
        self._is_paused = False
        self._is_advancing = False
        self._is_lingering = False
        self._is_half_closed = False
        self._reason = ""
        self.deadline = NEVER

    # --- called by the loop -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._reader = RequestReader(
            self._server.ids, peer[0] if peer else "", self._server.streamed_bodies
        )
        self.deadline = self._server.tick + self._server.limits.idle_s
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        if self._reader is not None:
            self._reader.close()
        self._break_body("the peer went away")
        if self.id:
            self._server.forget(self.id)
            if self.is_streaming and not (self._ends or self._is_paced):
                self._server.report_closed(self.id, self._reason or "the peer went away")
        self.id, self.request, self._queue, self._pieces = "", None, None, None
        self._wake_writer()

    def eof_received(self) -> bool:
        """The peer will say no more; whether what it asked for is still to be written."""
        self._is_half_closed = True
        self._break_body("the peer went away in the middle of the body")
        return bool(self.id) and (self._is_paced or not self.is_streaming)

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader is None or self._is_lingering:
            return
        reader.feed(data)
        if not self._is_advancing:
            self._advance()
        body = self._body
        if body is not None and body.is_full:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self.is_streaming:
            self._pump()
        elif self._pieces is not None:
            self._write_pieces()

    # --- a request whose body is still coming in ----------------------------------------------

    @property
    def _body(self) -> StreamedBody | None:
        """The rest of the body of the request under way, if it has not come in whole."""
        body = self._incoming.body if self._incoming is not None else None
        return None if body is None or body.has_ended else body

    def _break_body(self, reason: str) -> None:
        if self._body is not None:
            self._body.fail(reason)

    def open_body(self) -> StreamedBody | None:
        """The streamed body of the request under way; it may take as long as it likes."""
        incoming = self._incoming
        if incoming is None or incoming.body is None:
            return None
        self.deadline = NEVER
        watch_peer(self._transport)
        incoming.body.when_room = self._transport.resume_reading
        return incoming.body

    # --- writing ------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        """Write together with what else comes in this turn: a system call is dearer than a copy."""
        if not self._out:
            self._server.flush_soon(self)
        self._out.append(data)
        self._out_bytes += len(data)
        if self._out_bytes > PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand on what was written."""
        out = self._out
        if out:
            self._out, self._out_bytes = [], 0
            if self._transport.is_closing():
                return
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    # --- one request after the other ----------------------------------------------------------

    def _advance(self) -> None:
        """Serve what has come in whole, until an answer has to be waited for."""
        reader = self._reader
        assert reader is not None
        self._is_advancing = True
        try:
            while reader.completed and not self.id and not self._is_lingering:
                self._serve(reader.completed.popleft())
        finally:
            self._is_advancing = False
        if self._is_lingering or self._transport.is_closing():
            return
        if self.id:
            # A second request waits: no more is read than one piece of the network's.
            if reader.completed:
                self._transport.pause_reading()
            if len(reader.completed) > PIPELINE_LIMIT:
                reader.completed.clear()
                reader.close()
            return
        if reader.refusal is not None:
            self._refuse(reader.refusal)
            return
        if reader.wants_continue:
            reader.wants_continue = False
            self._write(_CONTINUE)
        self.deadline = self._server.tick + self._patience(reader)
        self._transport.resume_reading()

    def _patience(self, reader: RequestReader) -> float:
        limits = self._server.limits
        if reader.is_between_requests:
            return limits.idle_s
        return limits.head_s if reader.is_in_head else limits.body_s

    def _serve(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self.request = incoming.request
        self.id = incoming.request.id
        self.deadline = self._server.tick + self._server.limits.answer_s
        self._server.take(self, incoming.request)

    def _refuse(self, response: Response) -> None:
        """The last answer of a connection that can't be understood any further."""
        body = response.body
        assert isinstance(body, bytes)
        self._write(self._head(response, len(body), closes=True) + body)
        self._linger()

    def _linger(self) -> None:
        """Say no more, and listen a little: a reset would destroy the answer."""
        self._is_lingering = True
        self.deadline = self._server.tick + LINGER_S
        self.flush()
        self._transport.resume_reading()
        self._transport.write_eof()

    def expire(self) -> None:
        """The deadline has passed."""
        reader = self._reader
        self.deadline = NEVER
        if self.id and not self.is_streaming and self._pieces is None:
            self._server.forget(self.id)
            self.answer(text_response(503, "No answer in time.\n"))
        elif reader is not None and not (
            self.id or self._is_lingering or reader.is_between_requests or self._is_paused
        ):
            self._refuse(text_response(408, "The request did not come in time.\n"))
        else:
            self._transport.abort()

    # --- a whole answer -----------------------------------------------------------------------

    def answer(self, response: Response) -> None:
        """Write a whole answer to the request under way."""
        assert self._incoming is not None
        chunks = response.body if isinstance(response.body, tuple) else (response.body,)
        size = sum(map(len, chunks))
        closes = not self._incoming.keeps_alive or self._is_half_closed
        closes = closes or self._server.is_stopping or self._body is not None
        if response.headers.get("Connection") == "close":
            closes = True
            self._incoming = self._incoming._replace(keeps_alive=False)
        head = self._head(response, size, closes)
        if self._incoming.is_head or response.status in (204, 304):
            self._write(head)
        elif size <= SMALL_BYTES:
            self._write(head + (chunks[0] if len(chunks) == 1 else b"".join(chunks)))
        else:
            self._write(head)
            self.flush()
            self._pieces = _pieces(chunks)
            self._write_pieces()
            return
        self._finish()

    def _write_pieces(self) -> None:
        if self._pieces is None or self._is_paused:
            return  # the peer has left, or `resume_writing` goes on
        self.deadline = self._server.tick + self._server.limits.write_s
        piece = next(self._pieces, None)
        if piece is None:
            self._pieces = None
            self._finish()
            return
        self._transport.write(piece)
        if not self._is_paused:
            # A peer that reads as fast as this writes must not have the loop to itself.
            asyncio.get_running_loop().call_soon(self._write_pieces)

    def _head(self, response: Response, size: int, closes: bool) -> bytes:
        status = response.status
        lines = [f"{name}: {value}\r\n" for name, value in response.headers.items()]
        if status != 204 and status >= 200:
            lines.append(f"Content-Length: {size}\r\n")
        if closes and response.headers.get("Connection") != "close":
            lines.append("Connection: close\r\n")
        first = _HEADS.get(status) or f"HTTP/1.1 {status} \r\n".encode()
        return first + self._server.common_head + _latin("".join(lines)) + b"\r\n"

    def _finish(self) -> None:
        """The answer is written: on to the next request, or close."""
        incoming = self._incoming
        is_cut = self._body is not None
        if self.id:
            self._server.forget(self.id)
        self.id, self.request, self._incoming, self.is_streaming = "", None, None, False
        is_last = incoming is None or not incoming.keeps_alive or self._is_half_closed
        if is_cut and not self._is_half_closed:
            self._linger()
        elif is_last or self._server.is_stopping:
            self._is_lingering = True
            self.deadline = self._server.tick + self._server.limits.write_s
            self.flush()
            self._transport.close()
        elif not self._is_advancing:
            self._advance()

    # --- a stream -----------------------------------------------------------------------------

    def start_stream(
        self, status: int, headers: dict[str, str], limit_bytes: int, is_paced: bool
    ) -> None:
        """Answer with headers and keep the body open."""
        incoming = self._incoming
        assert incoming is not None
        self.is_streaming = True
        self._ends, self._is_paced = False, is_paced
        if self._is_half_closed and not is_paced:  # nobody follows a stream that way: it has left
            self._reason = "the peer went away before the stream began"
            self._transport.abort()
            return
        self._limit_bytes = limit_bytes
        self.request = None
        self.deadline = NEVER
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        self._framing = _framing(incoming, status, headers)
        if self._framing == CHUNKED:
            lines.append("Transfer-Encoding: chunked\r\n")
        if not incoming.keeps_alive:
            lines.append("Connection: close\r\n")
        # The body of the request may be large and is wanted no more.
        self._incoming = incoming._replace(request=Request(self.id, "", ""))
        first = _HEADS.get(status) or f"HTTP/1.1 {status} \r\n".encode()
        self._write(first + self._server.common_head + _latin("".join(lines)) + b"\r\n")

    def send(self, data: bytes) -> None:
        """Write to the stream, or queue; a full queue cuts it."""
        if self._ends or self._reason or not data:
            return
        if not self._is_paused:
            self._write_chunk(data)
        else:
            if self._queue is None:
                self._queue = deque()
            self._queue.append(data)
            self._queued_bytes += len(data)
        held = self._queued_bytes + self._out_bytes + self._transport.get_write_buffer_size()
        if held > self._limit_bytes:
            self._reason = f"the peer left more than {self._limit_bytes} bytes unread"
            self._queue = None
            self._queued_bytes = 0
            self._transport.abort()

    def _write_chunk(self, data: bytes) -> None:
        size = len(data)
        if self._framing != CHUNKED:
            if self._framing == PLAIN:
                self._write(data)
        elif size <= SMALL_BYTES:
            self._write(b"%x\r\n%b\r\n" % (size, data))
        else:
            self.flush()
            self._transport.writelines((b"%x\r\n" % size, data, b"\r\n"))

    def _pump(self) -> None:
        """The peer reads again: on with what waits."""
        queue = self._queue
        while queue and not self._is_paused:
            data = queue.popleft()
            if queue and len(data) < SMALL_BYTES:
                batch = [data]
                size = len(data)
                while queue and size + len(queue[0]) <= PIECE_BYTES:
                    batch.append(queue.popleft())
                    size += len(batch[-1])
                data = b"".join(batch)
            self._queued_bytes -= len(data)
            self._write_chunk(data)
        if not queue:
            self._queue = None
            self._wake_writer()
            if self._ends:
                self._end()

    def end_stream(self) -> None:
        """End the stream after what waits."""
        if self._ends or self._reason:
            return
        self._ends = True
        self.deadline = self._server.tick + self._server.limits.write_s
        if not self._queue:
            self._end()

    def _end(self) -> None:
        if self._framing == CHUNKED:
            self._write(_LAST_CHUNK)
        self._finish()

    def _wake_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None and not writer.done():
            writer.set_result(None)

    async def drain(self) -> None:
        """Wait until the stream's peer has read most of what was sent, or left. For one writer."""
        self.flush()
        if self.id and self._is_paused:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer

    def break_stream(self) -> None:
        """End the stream in the middle, which is no news to the node."""
        self._ends = True
        self.flush()
        self._transport.abort()

    def shut_down(self) -> None:
        """The server stops: an answer under way may be finished, all else ends now."""
        if self.is_streaming:
            if not self._is_paced:  # else it is one long answer, and its writer ends it
                self.end_stream()
        elif self.id and self._pieces is None:
            self.answer(text_response(503, "This process is ending.\n"))
        elif not self.id:
            self.flush()
            self._transport.close()

    def abort(self) -> None:
        """Close without ceremony."""
        self._transport.abort()


def _framing(incoming: Incoming, status: int, headers: dict[str, str]) -> str:
    if incoming.is_head or status in (204, 304):
        return NONE
    sized = any(name.lower() == "content-length" for name in headers)
    return PLAIN if sized or incoming.is_old else CHUNKED


def watch_peer(transport: asyncio.BaseTransport) -> None:
    """Let the kernel notice a peer that vanished without a word, within about two minutes."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)


def _latin(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def _pieces(chunks: tuple[bytes, ...]) -> Iterator[bytes | memoryview]:
    """Chunks cut and gathered to about PIECE_BYTES, large ones without copying."""
    small: list[bytes] = []
    size = 0
    for chunk in chunks:
        if size and size + len(chunk) > PIECE_BYTES:
            yield b"".join(small)
            small, size = [], 0
        if len(chunk) > PIECE_BYTES:
            view = memoryview(chunk)
            for start in range(0, len(chunk), PIECE_BYTES):
                yield view[start : start + PIECE_BYTES]
        elif chunk:
            small.append(chunk)
            size += len(chunk)
    if small:
        yield b"".join(small)
