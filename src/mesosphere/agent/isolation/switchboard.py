"""Stands between one container and those who attach to it: a program of the supervisor's.

`main([JSON])` gets its descriptors by number: `listener` (clients, see `frames`), and `stdin`,
`stdout`, `stderr` (pipes), or `terminal`, or `console` (a socket on which the runtime sends one).
What the container writes goes to this program's own stdout and stderr, which are the files of the
sandbox, and to every client. It ends when the container's output has ended. Standard library only.

Nobody is waited for but by his own choice: a client that does not read is cut when UNREAD_BYTES
wait for it. With `waits` (a session) the first client is the session's owner: nothing is read from
the container before it is there, nor while OWNER_BYTES wait for it: only the session is slow then.
"""

import array
import contextlib
import json
import os
import select
import socket
import time
from typing import Any

from mesosphere.agent.isolation import frames
from mesosphere.agent.isolation.processes import resize

READ_BYTES = 64 * 1024
UNREAD_BYTES = 2 * 1024 * 1024
OWNER_BYTES = 128 * 1024
STDIN_BYTES = 128 * 1024
"""Input that the container has not read; with more no more is taken from the client."""
CLIENTS_MOST = 64
FIRST_CLIENT_S = 15.0
"""How long the output of a session that has already ended waits for its owner."""
CONSOLE_S = 120.0
"""How long a runtime may take to send its terminal."""
LAST_WORDS_S = 60.0
"""How long clients may take to read the rest, once the output has ended."""


class Client:
    """A connection. `kind` is OUTPUT or INPUT, b"" before it has said so."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.kind = b""
        self.received = bytearray()
        self.unsent = bytearray()
        self.leaves = False  # once it has read what waits for it


class Switchboard:
    """One container's input and output. `now` is a clock in seconds."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.listener = socket.socket(fileno=told["listener"])
        self.listener.setblocking(False)
        self.console = socket.socket(fileno=told["console"]) if "console" in told else None
        self.size = [0, 0]  # that was asked for before the terminal came
        self.outputs: dict[int, tuple[bytes, int]] = {}  # descriptor -> kind of frame, file
        self.stdin: int | None = None
        self.is_terminal = False
        self.waits = bool(told.get("waits"))
        self.owner: Client | None = None
        self.clients: list[Client] = []
        self.pending = bytearray()  # input that was not written yet
        self.closes_stdin = False
        self.ends_at: float | None = time.monotonic() + CONSOLE_S if self.console else None
        self.is_over = False
        self.has_hung_up = False
        if "terminal" in told:
            self._take_terminal(told["terminal"])
        elif "stdin" in told:
            self.stdin = told["stdin"]
            self.outputs = {
                told["stdout"]: (frames.OUT, 1),
                told["stderr"]: (frames.ERR, 2),
            }
            for descriptor in (told["stdin"], *self.outputs):
                os.set_blocking(descriptor, False)

    def _take_terminal(self, terminal: int) -> None:
        self.is_terminal = True
        self.stdin = terminal
        self.outputs = {terminal: (frames.OUT, 1)}
        os.set_blocking(terminal, False)
        if any(self.size):
            self._resize(*self.size)

    def _resize(self, rows: int, columns: int) -> None:
        assert self.stdin is not None
        resize(self.stdin, rows, columns)

    # --- the loop ------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until the container's output has ended and was read."""
        while not self._is_done():
            for descriptor, events in self._poll():
                self._serve(descriptor, events)

    def _is_done(self) -> bool:
        if self.ends_at is not None and time.monotonic() > self.ends_at:
            return True
        return self.is_over and not self.clients

    def _poll(self) -> list[tuple[int, int]]:
        wanted: dict[int, int] = {self.listener.fileno(): select.POLLIN}
        if self.console is not None:
            wanted[self.console.fileno()] = select.POLLIN
        for descriptor in self.outputs:
            if self._may_read():
                wanted[descriptor] = select.POLLIN
            elif self.owner is None and not self.has_hung_up:
                wanted[descriptor] = 0  # it still tells that the other side has hung up
        if self.stdin is not None and self.pending:
            wanted[self.stdin] = wanted.get(self.stdin, 0) | select.POLLOUT
        for client in self.clients:
            wanted[client.connection.fileno()] = self._interest(client)
        poll = select.poll()
        for descriptor, events in wanted.items():
            poll.register(descriptor, events)
        left = None if self.ends_at is None else max(0.0, self.ends_at - time.monotonic())
        return poll.poll(None if left is None else left * 1000 + 1)

    def _may_read(self) -> bool:
        if not self.waits:
            return True
        return self.owner is not None and len(self.owner.unsent) < OWNER_BYTES

    def _interest(self, client: Client) -> int:
        events = select.POLLOUT if client.unsent else 0
        if client.kind != frames.INPUT or len(self.pending) < STDIN_BYTES:
            events |= select.POLLIN
        return events

    def _serve(self, descriptor: int, events: int) -> None:
        if descriptor == self.listener.fileno():
            self._accept()
        elif self.console is not None and descriptor == self.console.fileno():
            self._receive_terminal()
        elif descriptor in self.outputs or descriptor == self.stdin:
            if descriptor == self.stdin and events & (select.POLLOUT | select.POLLERR):
                self._write_stdin()
            if descriptor in self.outputs and events & ~select.POLLOUT:
                self._read_output(descriptor)
        else:
            for client in list(self.clients):
                if client.connection.fileno() == descriptor:
                    self._serve_client(client, events)

    # --- the container -------------------------------------------------------------------

    def _receive_terminal(self) -> None:
        assert self.console is not None
        connection, _ = self.console.accept()
        with connection:
            descriptors = array.array("i")
            _, told, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(descriptors.itemsize))
            for level, kind, data in told:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        if descriptors:
            self.console.close()
            self.console, self.ends_at = None, None
            self._take_terminal(descriptors[0])

    def _read_output(self, descriptor: int) -> None:
        if not self._may_read():
            # It hung up before anybody came to hear: what it said stays in its buffer for a while.
            if self.owner is None:
                self.has_hung_up = True
                self.ends_at = time.monotonic() + FIRST_CLIENT_S
            return
        kind, file = self.outputs[descriptor]
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # the terminal has no other side any more
        if not data:
            self._output_ended(descriptor)
            return
        with contextlib.suppress(OSError):  # on a full disk
            os.write(file, data)
        frame = frames.encode(kind, data)
        for client in list(self.clients):
            if client.kind == frames.OUTPUT:
                client.unsent += frame
                self._flush(client)
                if client is not self.owner and len(client.unsent) > UNREAD_BYTES:
                    self._drop(client)

    def _output_ended(self, descriptor: int) -> None:
        del self.outputs[descriptor]
        if self.is_terminal:
            self._close_stdin()
        else:
            os.close(descriptor)
        if self.outputs:
            return
        self.is_over = True
        self.ends_at = time.monotonic() + LAST_WORDS_S
        for client in list(self.clients):
            if client.kind == frames.INPUT:
                client.unsent += frames.encode(frames.OVER)
            client.leaves = True
            self._flush(client)

    def _write_stdin(self) -> None:
        if self.stdin is None:
            return
        try:
            while self.pending:
                del self.pending[: os.write(self.stdin, self.pending[:READ_BYTES])]
        except BlockingIOError:
            return
        except OSError as error:
            self._fail_input(f"Failed writing to stdin: {error.strerror}")
            self._close_stdin()
            return
        if self.closes_stdin:
            self._close_stdin()

    def _close_stdin(self) -> None:
        if self.stdin is not None:
            os.close(self.stdin)
        self.stdin = None
        self.pending.clear()

    # --- clients -------------------------------------------------------------------------

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self.listener.accept()
            connection.setblocking(False)
            if len(self.clients) >= CLIENTS_MOST:
                connection.close()
                return
            self.clients.append(Client(connection))

    def _serve_client(self, client: Client, events: int) -> None:
        if events & select.POLLOUT:
            self._flush(client)
        if client not in self.clients or not events & (select.POLLIN | select.POLLHUP):
            return
        try:
            data = client.connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        client.received += data
        try:
            for kind, content in frames.split(client.received):
                self._take(client, kind, content)
        except frames.FrameError:
            self._drop(client)

    def _take(self, client: Client, kind: bytes, content: bytes) -> None:
        if not client.kind:
            self._introduce(client, kind)
        elif client.kind != frames.INPUT or self.is_over:
            return
        elif kind == frames.WINDOW:
            self._set_window(client, *frames.SIZE.unpack(content))
        elif kind == frames.CLOSE and not self.is_terminal:
            self.closes_stdin = True
            self._write_stdin()
        elif kind == frames.DATA:
            if self.stdin is None and self.console is None:
                self._fail_input("Failed writing to stdin: it is closed")
            self.pending += content
            self._write_stdin()

    def _introduce(self, client: Client, kind: bytes) -> None:
        is_busy = any(other.kind == frames.INPUT for other in self.clients)
        answer = frames.REFUSED if kind == frames.INPUT and is_busy else frames.OK
        client.unsent += frames.encode(answer)
        if answer == frames.REFUSED or self.is_over:
            client.leaves = True
        if answer == frames.OK:
            client.kind = kind
        if self.waits and self.owner is None and kind == frames.OUTPUT:
            self.owner, self.ends_at = client, None
        self._flush(client)

    def _set_window(self, client: Client, rows: int, columns: int) -> None:
        if self.stdin is None:
            self.size = [rows, columns]
            return
        try:
            self._resize(rows, columns)
        except OSError as error:
            self._fail_input(f"Unable to set the window size: {error.strerror}")

    def _fail_input(self, reason: str) -> None:
        for client in list(self.clients):
            if client.kind == frames.INPUT and not client.leaves:
                client.unsent += frames.encode(frames.FAILED, reason.encode())
                client.leaves = True
                self._flush(client)

    def _flush(self, client: Client) -> None:
        try:
            while client.unsent:
                del client.unsent[: client.connection.send(client.unsent[:READ_BYTES])]
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)
            return
        if client.leaves:
            self._drop(client)

    def _drop(self, client: Client) -> None:
        if client not in self.clients:
            return
        self.clients.remove(client)
        client.connection.close()
        if client is self.owner:
            self.waits = False  # nobody will hear the rest: it must not stand in the way


def main(arguments: list[str]) -> int:
    """Run as the switchboard of one container."""
    Switchboard(json.loads(arguments[-1])).run()
    return 0
