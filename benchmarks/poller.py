"""Clients that get a page over and over, in a process of their own: their work is not the master's.

    python -m benchmarks.poller --port 5050 --path /state --clients 5 --seconds 10

Prints the seconds that each answer took as a JSON list. `--seconds 0` gets the page once each.
Bodies are counted, not kept.
"""

import argparse
import asyncio
import json
import time

import uvloop

BUFFER_BYTES = 1024 * 1024


class Client(asyncio.BufferedProtocol):
    """One connection."""

    def __init__(self, path: str, until: float) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
        self._until = until
        self._buffer = bytearray(BUFFER_BYTES)
        self._head = b""
        self._left = -1  # bytes of the body; -1: the head has not come
        self._began = 0.0
        self.latencies: list[float] = []
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._head, self._left = b"", -1
        self._began = time.monotonic()
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        if self._left < 0:
            self._head += self._buffer[:count]
            head, end, rest = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 200"), head
            self._left = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            count = len(rest)
        self._left -= count
        if self._left <= 0:
            self.latencies.append(time.monotonic() - self._began)
            if time.monotonic() < self._until:
                self._ask()
            else:
                self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionResetError("the master closed"))


async def run(port: int, path: str, count: int, seconds: float) -> list[float]:
    """Every latency."""
    until = time.monotonic() + seconds
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(count):
        _, client = await loop.create_connection(lambda: Client(path, until), "127.0.0.1", port)
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    return [latency for client in clients for latency in client.latencies]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/state")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(run(given.port, given.path, given.clients, given.seconds))))
