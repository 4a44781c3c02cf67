"""Who does not read a stream costs the master bounded memory and delays nobody; real sockets.

Each story has a subscriber that never reads, one that does, and traffic for both until the master
gives the stuck one up. All the while the lively one and another client are answered at once.
"""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import requests
from tests.integration.marathon_stack import Stack, wait_for

from mesosphere.master.core import agents, frameworks, subscribers
from mesosphere.wire.recordio import Decoder

ANSWER_S = 5.0
"""More than a busy test host ever takes; a stuck stream would last for ever."""

SLACK_BYTES = 64 * 1024 * 1024
"""Memory beside the stream's limit: messages under way, and what the allocator keeps."""

BLOB = base64.b64encode(bytes(500_000)).decode()


class Peer:
    """One connection; RecordIO events if it follows a stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.stream_id = ""
        self.events: list[dict[str, Any]] = []
        self.following: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, port: int) -> "Peer":
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**26))

    def say(self, path: str, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        stream = f"Mesos-Stream-Id: {self.stream_id}\r\n" if self.stream_id else ""
        self.writer.write(
            f"POST {path} HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n"
            f"Accept: application/json\r\n{stream}Content-Length: {len(data)}\r\n\r\n".encode()
            + data
        )

    async def head(self) -> int:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        for line in lines:
            if line.lower().startswith("mesos-stream-id:"):
                self.stream_id = line.partition(":")[2].strip()
        return int(lines[0].split()[1])

    async def ask(self, path: str, body: dict[str, Any]) -> int:
        """A call and the status of its answer."""
        self.say(path, body)
        return await self.head()

    def follow(self) -> None:
        self.following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        decoder = Decoder()
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            data = await self.reader.readexactly(size + 2)
            self.events += [json.loads(record) for record in decoder.feed(data[:-2])]

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not is_so():
                await asyncio.sleep(0.01)

    async def first(self) -> dict[str, Any]:
        """SUBSCRIBED, read by hand; after it a stuck peer reads no more."""
        decoder = Decoder()
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            records = decoder.feed((await self.reader.readexactly(size + 2))[:-2])
            if records:
                self.writer.transport.pause_reading()  # type: ignore[attr-defined]
                event: dict[str, Any] = json.loads(records[0])
                return event


class World:
    """A master, and peers that subscribe to it."""

    def __init__(self, directory: Path) -> None:
        self.stack = Stack(directory)
        self.stack.start_mesos()
        self.stack.processes["agent"].kill()
        self.port = int(self.stack.master.rpartition(":")[2])
        self.stories: list[Peer] = []

    async def peer(self) -> Peer:
        found = await Peer.connect(self.port)
        self.stories.append(found)
        return found

    async def framework(self, name: str) -> tuple[Peer, str]:
        found = await self.peer()
        info = {"user": "root", "name": name, "roles": ["*"], "failover_timeout": 1000}
        info["capabilities"] = [{"type": "MULTI_ROLE"}]
        found.say("/api/v1/scheduler", {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}})
        assert await found.head() == 200
        event = await found.first()
        return found, event["subscribed"]["framework_id"]["value"]

    async def agent(self, host: str, port: int) -> tuple[Peer, str]:
        found = await self.peer()
        info = {"hostname": host, "port": port, "resources": []}
        subscribe = {"agent_info": info, "version": "1.11.0"}
        found.say("/api/v1/agent", {"type": "SUBSCRIBE", "subscribe": subscribe})
        assert await found.head() == 200
        event = await found.first()
        return found, event["subscribed"]["agent_id"]["value"]

    def rss_bytes(self) -> int:
        pid = self.stack.processes["master"].pid
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096

    async def flood(
        self, one: Callable[[], Awaitable[None]], is_over: Callable[[], Awaitable[bool]], bound: int
    ) -> None:
        """Traffic until the stuck peer is given up, with the bounds held all the while."""
        other = await self.peer()
        began, most = self.rss_bytes(), 0
        for _ in range(600):
            await one()
            asked = time.monotonic()
            other.writer.write(b"GET /health HTTP/1.1\r\n\r\n")
            assert await asyncio.wait_for(other.head(), ANSWER_S) == 200
            assert time.monotonic() - asked < ANSWER_S
            most = max(most, self.rss_bytes() - began)
            assert most < bound + SLACK_BYTES, f"{most} bytes for one who does not read"
            if await is_over():
                return
        raise AssertionError("the stuck peer was never given up")

    async def get(self, path: str) -> Any:
        url = f"http://127.0.0.1:{self.port}{path}"
        return await asyncio.to_thread(lambda: requests.get(url, timeout=30).json())


@contextlib.asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    found = World(directory)
    try:
        await asyncio.to_thread(
            wait_for,
            lambda: requests.get(f"http://{found.stack.master}/state", timeout=5).ok,
            "the master",
        )
        yield found
    finally:
        for peer in found.stories:
            if peer.following is not None:
                peer.following.cancel()
            peer.writer.transport.abort()
        found.stack.close()


def _message(kind: str, owner: str, agent: str) -> dict[str, Any]:
    body = {
        "agent_id": {"value": agent},
        "framework_id": {"value": owner},
        "executor_id": {"value": "e"},
        "data": BLOB,
    }
    if kind == "scheduler":
        del body["framework_id"]
        return {"type": "MESSAGE", "framework_id": {"value": owner}, "message": body}
    del body["agent_id"]
    return {"type": "MESSAGE", "agent_id": {"value": agent}, "message": body}


async def test_a_framework_that_does_not_read_is_disconnected_and_delays_nobody(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as found:
        _, stuck_id = await found.framework("stuck")
        lively, lively_id = await found.framework("lively")
        lively.writer.transport.resume_reading()  # type: ignore[attr-defined]
        lively.follow()
        agent, agent_id = await found.agent("sender", 5051)
        sender = await found.peer()
        sender.stream_id = agent.stream_id

        async def one() -> None:
            seen = _count(lively, "MESSAGE")
            for owner in (stuck_id, lively_id):
                status = await sender.ask("/api/v1/agent", _message("agent", owner, agent_id))
                assert status == 202
            await lively.until(lambda: _count(lively, "MESSAGE") > seen)

        async def is_over() -> bool:
            shown = (await found.get("/frameworks"))["frameworks"]
            return not next(each for each in shown if each["id"] == stuck_id)["connected"]

        await found.flood(one, is_over, frameworks.STREAM_LIMIT_BYTES)
        await one()


async def test_an_operator_who_does_not_read_is_cut_off_and_delays_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as found:
        operators = []
        for _ in range(2):
            operator = await found.peer()
            operator.say("/api/v1", {"type": "SUBSCRIBE"})
            assert await operator.head() == 200
            await operator.first()
            operators.append(operator)
        lively = operators[1]  # the first never reads
        lively.writer.transport.resume_reading()  # type: ignore[attr-defined]
        lively.follow()
        names = iter(range(1_000_000))

        async def one() -> None:
            # Everybody hears of each framework; a blob in its labels makes it large.
            info = {"user": "root", "name": f"f{next(names)}", "roles": ["*"]}
            labelled = {**info, "labels": {"labels": [{"key": "blob", "value": BLOB}]}}
            labelled["capabilities"] = [{"type": "MULTI_ROLE"}]
            seen = _count(lively, "FRAMEWORK_ADDED")
            framework = await found.peer()
            subscribe = {"type": "SUBSCRIBE", "subscribe": {"framework_info": labelled}}
            framework.say("/api/v1/scheduler", subscribe)
            assert await framework.head() == 200
            await framework.first()
            await lively.until(lambda: _count(lively, "FRAMEWORK_ADDED") > seen)
            framework.writer.transport.abort()
            lively.events[:] = [{"type": event["type"]} for event in lively.events]

        async def is_over() -> bool:
            values = await found.get("/metrics/snapshot")
            return bool(values["master/operator_event_stream_subscribers"] == 1.0)

        # The completed frameworks, whose infos are kept, are no cost of the stuck operator's.
        kept = 100 * len(BLOB) * 4
        await found.flood(one, is_over, subscribers.STREAM_LIMIT_BYTES + kept)


async def test_an_agent_that_does_not_read_is_disconnected_and_delays_nobody(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as found:
        _, stuck_id = await found.agent("stuck", 5051)
        lively, lively_id = await found.agent("lively", 5052)
        lively.writer.transport.resume_reading()  # type: ignore[attr-defined]
        lively.follow()
        framework, framework_id = await found.framework("sender")
        sender = await found.peer()
        sender.stream_id = framework.stream_id

        async def one() -> None:
            seen = _count(lively, "MESSAGE")
            for agent_id in (stuck_id, lively_id):
                call = _message("scheduler", framework_id, agent_id)
                assert await sender.ask("/api/v1/scheduler", call) == 202
            await lively.until(lambda: _count(lively, "MESSAGE") > seen)

        async def is_over() -> bool:
            shown = (await found.get("/slaves"))["slaves"]
            return not next(each for each in shown if each["id"] == stuck_id)["active"]

        await found.flood(one, is_over, agents.STREAM_LIMIT_BYTES)
        await one()


def _count(peer: Peer, kind: str) -> int:
    return sum(event["type"] == kind for event in peer.events)
