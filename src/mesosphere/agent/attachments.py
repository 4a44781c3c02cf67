"""Performs AttachContainer: carries bytes between requests and the switchboards of containers.

An output is a stream of ProcessIO records: read from the switchboard as fast as its peer reads, and
a heartbeat now and then. An input is a streamed body: given to the switchboard as fast as that
takes it, and answered when it ends, or when the container does. The machine hears of the end only.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

from mesosphere.agent import process_io
from mesosphere.agent.isolation import frames
from mesosphere.agent.isolation.starting import connect
from mesosphere.kernel.effects import AttachContainer, DetachContainer, Effect
from mesosphere.kernel.events import AttachmentEnded, Event
from mesosphere.kernel.http import Response, text_response
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos.agent_operator import Call
from mesosphere.wire.mesos.media import Media

STREAM_BYTES = 4 * 1024 * 1024
ANSWER_TIMEOUT_S = 10.0
"""How long a switchboard may take to say whether it takes a client."""
LAST_INPUT_S = 1.0
"""Between the end of a container and the answer to who gives it input, as in the original."""
BEATS_MISSED = 3
LEAST_SILENCE_S = 10.0
"""A client that announces heartbeats and then says nothing for so many, or so long, is gone."""
WINDOW_TROUBLE = "Unable to set the window size"


class Body(Protocol):
    """The streamed body of a request."""

    async def take(self) -> bytes | None:
        """The next record; None after the last."""


class Server(Protocol):
    """What is used of the runtime's HTTP server."""

    def start_stream(
        self, request: str, status: int, headers: dict[str, str], limit_bytes: int
    ) -> None: ...
    async def write(self, stream: str, data: bytes) -> bool: ...
    def send(self, stream: str, data: bytes) -> None: ...
    def end_stream(self, stream: str) -> None: ...
    def reply(self, request: str, response: Response) -> None: ...
    def open_body(self, request: str) -> Body | None: ...


class World(Protocol):
    """What is used of the runtime's node."""

    @property
    def server(self) -> Server | None: ...
    def deliver(self, event: Event, cause: str | None = None) -> None: ...
    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]": ...


class JoinError(Exception):
    """A switchboard does not take the client; `response` says why."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class _Join:
    """A connection to the switchboard of a container."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def next(self) -> tuple[bytes, bytes]:
        """The next frame; (b"", b"") after the last."""
        try:
            kind, length = frames.HEAD.unpack(await self._reader.readexactly(frames.HEAD.size))
            return kind, await self._reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            return b"", b""

    async def say(self, data: list[bytes]) -> None:
        """Send frames as fast as they are taken."""
        self.writer.writelines(data)
        with contextlib.suppress(OSError):  # why is in what it said last
            await self.writer.drain()


class Attachments:
    """Everything attached to the containers of one agent. `broken` are exceptions of a body."""

    def __init__(self, runtime_dir: Path, broken: type[Exception]) -> None:
        self._directory = runtime_dir / "attach"
        self._broken = broken
        self._running: dict[str, asyncio.Task[None]] = {}

    def performers(self) -> dict[type[Effect], Callable[[Any, Any, str], object]]:
        """What the node calls for each effect."""
        return {AttachContainer: self._attach, DetachContainer: self._detach}

    def _attach(self, node: World, effect: AttachContainer, cause: str) -> None:
        work = self._output if effect.direction == "output" else self._input
        self._running[effect.request] = node.spawn(self._carry(node, effect, work, cause))

    def _detach(self, node: World, effect: DetachContainer, cause: str) -> None:
        running = self._running.pop(effect.request, None)
        if running is not None:
            running.cancel()

    async def _carry(
        self,
        node: World,
        effect: AttachContainer,
        work: Callable[[Server, AttachContainer, _Join], Awaitable[None]],
        cause: str,
    ) -> None:
        server = node.server
        assert server is not None
        try:
            join = await self._join(effect)
        except JoinError as refused:
            server.reply(effect.request, refused.response)
        else:
            try:
                await work(server, effect, join)
            finally:
                join.writer.close()
        self._running.pop(effect.request, None)
        node.deliver(AttachmentEnded(effect.request), cause)

    async def _join(self, effect: AttachContainer) -> _Join:
        kind = frames.OUTPUT if effect.direction == "output" else frames.INPUT
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                connection = await asyncio.to_thread(connect, self._directory / effect.container)
                connection.setblocking(False)
                join = _Join(*await asyncio.open_connection(sock=connection))
                await join.say([frames.encode(kind)])
                answer, _ = await join.next()
        except (OSError, TimeoutError) as error:
            text = f"the container's input and output can't be reached: {error}"
            raise JoinError(text_response(500, text)) from error
        if answer == frames.OK:
            return join
        join.writer.close()
        if answer == frames.REFUSED:
            text = "Multiple input connections are not allowed"
            raise JoinError(text_response(409, text))
        raise JoinError(text_response(500, "I/O switchboard has shutdown"))

    # --- output --------------------------------------------------------------------------

    async def _output(self, server: Server, effect: AttachContainer, join: _Join) -> None:
        media = Media(effect.media)
        server.start_stream(effect.request, 200, dict(effect.headers), STREAM_BYTES)
        beating = asyncio.create_task(self._beat(server, effect, media))
        try:
            while True:
                kind, data = await join.next()
                if not kind:
                    server.end_stream(effect.request)
                    return
                record = process_io.output_record(kind, data, media)
                if not await server.write(effect.request, record):
                    return
        finally:
            beating.cancel()

    async def _beat(self, server: Server, effect: AttachContainer, media: Media) -> None:
        record = process_io.heartbeat_record(effect.heartbeat_s, media)
        while True:
            await asyncio.sleep(effect.heartbeat_s)
            server.send(effect.request, record)

    # --- input ---------------------------------------------------------------------------

    async def _input(self, server: Server, effect: AttachContainer, join: _Join) -> None:
        body = server.open_body(effect.request)
        if body is None:
            return
        giving = asyncio.create_task(self._give(body, join, Media(effect.media)))
        watching = asyncio.create_task(self._watch(join))
        try:
            done, _ = await asyncio.wait((giving, watching), return_when=asyncio.FIRST_COMPLETED)
            server.reply(effect.request, done.pop().result())
        finally:
            for task in (giving, watching):
                task.cancel()

    async def _give(self, body: Body, join: _Join, media: Media) -> Response:
        """Give records to the switchboard; the answer to the request."""
        silence_s = None
        while True:
            try:
                record = await asyncio.wait_for(body.take(), silence_s)
                if record is None:
                    return Response(200)
                given = media.decode(record, Call).attach_container_input
            except TimeoutError:
                return text_response(400, f"nothing came for {silence_s:g} s, not even a heartbeat")
            except (self._broken, WireError) as error:
                return text_response(400, f"{error}\n")
            fault = process_io.input_fault(given)
            if fault:
                return text_response(400, fault)
            assert given is not None and given.process_io is not None
            interval_s = process_io.announced_s(given.process_io)
            if interval_s:
                silence_s = max(BEATS_MISSED * interval_s, LEAST_SILENCE_S)
            await join.say(process_io.input_frames(given.process_io))

    async def _watch(self, join: _Join) -> Response:
        """What the switchboard says while it takes input; the answer to the request."""
        kind, reason = await join.next()
        if kind == frames.FAILED:
            text = reason.decode(errors="replace")
            return text_response(400 if text.startswith(WINDOW_TROUBLE) else 500, text)
        # What the client says last may still be on its way: let it say it.
        await asyncio.sleep(LAST_INPUT_S)
        return Response(200)
