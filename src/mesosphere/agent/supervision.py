"""The agent's connection to its supervisor: starts it, asks it, and comes back when it is gone."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mesosphere.agent.isolation.processes import PROGRAM
from mesosphere.agent.isolation.starting import connect, start_supervisor
from mesosphere.agent.supervisor import PROTOCOL_VERSION

START_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 120.0
"""Longest wait for an answer: the start of a container on a busy host."""
LINE_LIMIT_BYTES = 64 * 1024 * 1024
RETRY_S = 0.05
HELLO = {"op": "hello", "program": PROGRAM}
"""With it, what this release's programs are started by."""


class SupervisorGone(Exception):
    """The supervisor can't be reached, or ended before it answered."""


class Supervision:
    """One connection. `exited(record)` is called for each end that the supervisor tells."""

    def __init__(
        self, directory: Path, private_root: Path | None, exited: Callable[[dict[str, Any]], None]
    ) -> None:
        self._directory = directory
        self._private_root = private_root
        self._exited = exited
        self.version = 0  # of the supervisor that was reached
        self._count = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> dict[str, Any]:
        """Connect, starting a supervisor where none runs. Returns its `hello`."""
        if self._writer is not None:
            return await self.ask(HELLO)
        hello = await self._connect()
        if not hello["running"] and not self._fits(hello):
            # Left by an agent with other settings, or of another release.
            await self.ask({"op": "quit"})
            await self.closed()
            hello = await self._connect()
        return hello

    def _fits(self, hello: dict[str, Any]) -> bool:
        wanted = "" if self._private_root is None else str(self._private_root)
        return hello.get("version") == PROTOCOL_VERSION and hello.get("private_root") == wanted

    async def _connect(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        until = loop.time() + START_TIMEOUT_S
        while True:
            try:
                connection = connect(self._directory)
                break
            except OSError as error:
                if loop.time() > until:
                    raise SupervisorGone(f"the supervisor does not start: {error}") from error
                try:
                    process = start_supervisor(self._directory, self._private_root)
                except OSError as failure:
                    raise SupervisorGone(f"the supervisor can't be started: {failure}") from error
                for _ in range(40):
                    await asyncio.sleep(RETRY_S)
                    if process.poll() is not None or (self._directory / "socket").exists():
                        break
        connection.setblocking(False)
        reader, self._writer = await asyncio.open_connection(
            sock=connection, limit=LINE_LIMIT_BYTES
        )
        self._reading = asyncio.create_task(self._read(reader, self._writer))
        hello = await self.ask(HELLO)
        self.version = int(hello.get("version", 0))
        return hello

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := await reader.readline():
                record = json.loads(line)
                if record.get("event") == "exited":
                    self._exited(record)
                    continue
                waiting = self._waiting.pop(record.get("id"), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(record)
        writer.close()
        if self._writer is writer:
            self._writer = None
        gone, self._waiting = self._waiting, {}
        for waiting in gone.values():
            if not waiting.done():
                waiting.set_exception(SupervisorGone("the supervisor has ended"))

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request; its answer. Raises SupervisorGone."""
        if self._writer is None:
            raise SupervisorGone("the supervisor is not connected")
        self._count += 1
        waiting: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[self._count] = waiting
        self._writer.write(json.dumps({"id": self._count, **request}).encode() + b"\n")
        try:
            return await asyncio.wait_for(waiting, ANSWER_TIMEOUT_S)
        except TimeoutError as error:
            raise SupervisorGone("the supervisor does not answer") from error

    async def closed(self) -> None:
        """Wait until the connection is lost."""
        if self._reading is not None:
            await asyncio.wait([self._reading])

    def close(self) -> None:
        """Hang up; the supervisor and the containers live on."""
        if self._writer is not None:
            self._writer.close()
