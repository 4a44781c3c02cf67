"""Lines of JSON over a unix socket, to clients of the same user. Standard library only.

A client that sends too long a line, or does not read what it is told, is cut: it connects again
and asks for what it missed.
"""

import contextlib
import json
import os
import selectors
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

LINE_LIMIT_BYTES = 4 * 1024 * 1024
"""Longest request; a client that sends a longer one is cut."""
UNREAD_LIMIT_BYTES = 16 * 1024 * 1024
"""Most that may wait for a client that does not read; then it is cut."""

Record = dict[str, Any]


class Client:
    """One connection: what was read and not handled, what was not written yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = bytearray()
        self.unsent = bytearray()


def open_listener(directory: Path) -> socket.socket:
    """The socket, reached through a descriptor: a path may be longer than sockets allow."""
    path = directory / "socket"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    listener.bind(f"/proc/self/fd/{descriptor}/socket")
    os.close(descriptor)
    path.chmod(0o600)
    listener.listen(16)
    listener.setblocking(False)
    return listener


class LineServer:
    """Clients on a selector. `answer(client, request)` gives the answer, or None for later."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        listener: socket.socket,
        answer: Callable[[Client, Record], Record | None],
    ) -> None:
        self.clients: list[Client] = []
        self._selector = selector
        self._listener = listener
        self._answer = answer
        selector.register(listener, selectors.EVENT_READ, "listener")

    def accept(self) -> None:
        """Take a new client, unless it belongs to another user."""
        connection, _ = self._listener.accept()
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, uid, _ = struct.unpack("3i", peer)
        if uid not in (0, os.geteuid()):
            connection.close()
            return
        connection.setblocking(False)
        client = Client(connection)
        self.clients.append(client)
        self._selector.register(connection, selectors.EVENT_READ, client)

    def serve(self, client: Client, mask: int) -> None:
        """The client's socket is ready: write what waits, read and answer whole lines."""
        if mask & selectors.EVENT_WRITE:
            self._flush(client)
        if not mask & selectors.EVENT_READ or client not in self.clients:
            return
        try:
            data = client.connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.received += data
        *lines, rest = client.received.split(b"\n") if b"\n" in data else [client.received]
        client.received = bytearray(rest)
        for line in lines:
            self._handle(client, bytes(line))
        if not data or len(client.received) > LINE_LIMIT_BYTES:
            self._drop(client)

    def _handle(self, client: Client, line: bytes) -> None:
        request: Record = {}
        answer: Record | None
        try:
            request = json.loads(line)
            answer = self._answer(client, request)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            answer = {"error": f"malformed request: {error!r}"}
        if answer is not None:
            number = request.get("id") if isinstance(request, dict) else None
            self.send(client, {"id": number, **answer})

    def send(self, client: Client, value: Record) -> None:
        """Tell one client, if it is still there."""
        if client in self.clients:
            client.unsent += json.dumps(value).encode() + b"\n"
            self._flush(client)

    def tell_all(self, value: Record) -> None:
        """Tell every client."""
        for client in list(self.clients):
            self.send(client, value)

    def _flush(self, client: Client) -> None:
        try:
            with contextlib.suppress(BlockingIOError):
                while client.unsent:
                    del client.unsent[: client.connection.send(client.unsent)]
        except OSError:
            self._drop(client)
            return
        if len(client.unsent) > UNREAD_LIMIT_BYTES:
            self._drop(client)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.unsent else 0)
        self._selector.modify(client.connection, wanted, client)

    def _drop(self, client: Client) -> None:
        if client in self.clients:
            self.clients.remove(client)
            self._selector.unregister(client.connection)
            client.connection.close()
