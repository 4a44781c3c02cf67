"""One HTTP exchange between two hosts: a request, and an answer or a stream.

A connection breaks by the crash of either end, by a fault, or by the caller's patience running out.
Bytes arrive in order; what is on its way when a connection breaks is lost, a record cut in two
included.
"""

from typing import TYPE_CHECKING

from mesosphere.kernel.http import Response
from mesosphere.simulation.network import Network

if TYPE_CHECKING:
    from mesosphere.simulation.node import Node


class Caller:
    """What the calling side wants to hear of. Each is called on arrival, at most once broken."""

    def answered(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """A whole answer."""

    def started(self, status: int, headers: dict[str, str]) -> None:
        """The headers of a stream."""

    def received(self, data: bytes) -> None:
        """A piece of a stream."""

    def broken(self, reason: str, definite: bool) -> None:
        """The end of the connection before, or of the stream after, its beginning."""


class Exchange:
    """The connection, as the server holds it."""

    def __init__(self, network: Network, client: str, caller: Caller, name: str) -> None:
        self._network = network
        self.client = client
        self.caller = caller
        self.name = name
        self.server: Node | None = None
        self.request = ""
        self.is_stream = False
        self.is_closed = False
        self._torn_at: int | None = None

    def _back(self, work: "object", host: str) -> None:
        assert callable(work)
        self._network.carry(host, self.client, self.name, work)

    def refuse(self, host: str) -> None:
        """Nobody listens there."""
        self.is_closed = True
        self._back(lambda: self.caller.broken("connection refused", True), host)

    def answer(self, response: Response, lose: bool) -> None:
        """Send a whole answer, which may get lost on its way."""
        if self.is_closed or self.is_stream or self.server is None:
            return
        self.is_closed = True
        body = response.whole
        headers = {name.lower(): value for name, value in response.headers.items()}
        if lose:
            self._back(lambda: self.caller.broken("the connection was reset", False), self.host)
        else:
            self._back(lambda: self.caller.answered(response.status, headers, body), self.host)

    def start(self, status: int, headers: dict[str, str]) -> None:
        """Begin a stream."""
        if self.is_closed or self.is_stream:
            return
        self.is_stream = True
        lower = {name.lower(): value for name, value in headers.items()}
        self._back(lambda: self.caller.started(status, lower), self.host)

    def send(self, data: bytes) -> None:
        """Send a piece of the stream."""
        if not self.is_closed and self.is_stream:
            self._back(lambda: self._arrive(data), self.host)

    def _arrive(self, data: bytes) -> None:
        if self._torn_at is not None:
            data, self._torn_at = data[: self._torn_at], 0
        if data:
            self.caller.received(data)

    def tear(self, length: int) -> None:
        """The connection is reset: of what is on its way only a first piece arrives."""
        self._torn_at = length
        self.end("the connection was reset")

    def end(self, reason: str = "the server ended the stream") -> None:
        """End it from the server's side, or by its crash."""
        if not self.is_closed:
            self.is_closed = True
            self._back(lambda: self.caller.broken(reason, False), self.host)

    def leave(self) -> None:
        """The caller went away: the server hears of it when that gets through."""
        if self.is_closed or self.server is None:
            return
        server = self.server
        self._network.carry(self.client, self.host, self.name, lambda: server.abandoned(self))

    @property
    def host(self) -> str:
        """The server's host."""
        assert self.server is not None
        return self.server.host
