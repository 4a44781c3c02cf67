"""A running HTTP server whose node is the test, and clients that speak bytes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from mesosphere.kernel.http import Request, Response
from mesosphere.runtime.http_server import HttpServer, Limits, bind


def echo(request: Request) -> Response:
    """What was asked, as text."""
    return Response(200, {}, f"{request.method} {request.path} {len(request.body)}".encode())


class Served:
    """A server and what it told its node."""

    def __init__(
        self,
        answer: Callable[[Request], Response | None],
        limits: Limits,
        streamed: frozenset[str] = frozenset(),
    ) -> None:
        self.requests: list[Request] = []
        self.closed: list[tuple[str, str]] = []
        self._answer = answer
        self._listener = bind("127.0.0.1", 0)
        self.port: int = self._listener.getsockname()[1]
        self.server = HttpServer(
            self._listener, self._take, self._on_closed, "test", limits, streamed
        )

    def _take(self, request: Request) -> None:
        self.requests.append(request)
        response = self._answer(request)
        if response is not None:
            self.server.reply(request.id, response)

    def _on_closed(self, stream: str, reason: str) -> None:
        self.closed.append((stream, reason))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client's connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, data: bytes) -> bytes:
        """Send bytes and read until the server closes."""
        reader, writer = await self.connect()
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
        said = b""
        with contextlib.suppress(ConnectionError):
            said = await asyncio.wait_for(reader.read(-1), 10)
        writer.close()
        return said

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something that the server does."""
        async with asyncio.timeout(10):
            while not is_so():
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def served(
    answer: Callable[[Request], Response | None] = echo,
    streamed: frozenset[str] = frozenset(),
    **limits: float,
) -> AsyncIterator[Served]:
    """A server until the end of the block."""
    found = Served(answer, Limits(**{"sweep_s": 0.02, **limits}), streamed)
    running = asyncio.create_task(found.server.run())
    try:
        await asyncio.sleep(0)
        yield found
    finally:
        await found.server.stop()
        await asyncio.wait((running,), timeout=2)
        running.cancel()


def status_of(said: bytes) -> int:
    """The status of the first answer."""
    return int(said.split(b" ", 2)[1])


CLOSE = b"Connection: close\r\n\r\n"
