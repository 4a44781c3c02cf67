"""What joins requests to switchboards: who goes silent, who can't be reached, who leaves."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from mesosphere.agent import attachments
from mesosphere.agent.attachments import Attachments
from mesosphere.agent.isolation import frames
from mesosphere.agent.isolation.line_server import open_listener
from mesosphere.kernel.effects import AttachContainer, DetachContainer
from mesosphere.kernel.events import AttachmentEnded, Event
from mesosphere.kernel.http import Response
from mesosphere.runtime.http_bodies import BodyBroken

BEAT = (
    b'{"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{"type":"PROCESS_IO","process_io":'
    b'{"type":"CONTROL","control":{"type":"HEARTBEAT","heartbeat":'
    b'{"interval":{"nanoseconds":10000000}}}}}}'
)
WORD = (
    b'{"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{"type":"PROCESS_IO","process_io":'
    b'{"type":"DATA","data":{"type":"STDIN","data":"aGk="}}}}'
)


class Body:
    """Records that a client sends, and then whatever the last of them is."""

    def __init__(self, *records: bytes | Exception | None) -> None:
        self._records = list(records)

    async def take(self) -> bytes | None:
        if not self._records:
            await asyncio.sleep(3600)
        record = self._records.pop(0)
        if isinstance(record, Exception):
            raise record
        return record


class World:
    """A node with a server that remembers, and a switchboard's place to listen at."""

    def __init__(self, directory: Path, body: Body | None = None) -> None:
        self.directory = directory
        self.body = body
        self.replies: list[Response] = []
        self.sent: list[bytes] = []
        self.started: list[dict[str, str]] = []
        self.has_ended = False
        self.reads = True
        self.events: list[Event] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.attachments = Attachments(directory, BodyBroken)

    @property
    def server(self) -> "World":
        return self

    def deliver(self, event: Event, cause: str | None = None) -> None:
        self.events.append(event)

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]

    def start_stream(
        self, request: str, status: int, headers: dict[str, str], limit_bytes: int
    ) -> None:
        self.started.append(headers)

    async def write(self, stream: str, data: bytes) -> bool:
        self.sent.append(data)
        return self.reads

    def send(self, stream: str, data: bytes) -> None:
        self.sent.append(data)

    def end_stream(self, stream: str) -> None:
        self.has_ended = True

    def reply(self, request: str, response: Response) -> None:
        self.replies.append(response)

    def open_body(self, request: str) -> Body | None:
        return self.body

    def listen(self, *said: bytes) -> "asyncio.Task[bytes]":
        """A switchboard that says this and hears to the end."""
        place = self.directory / "attach" / "c1"
        place.mkdir(parents=True)
        listener = open_listener(place)

        async def serve() -> bytes:
            loop = asyncio.get_running_loop()
            connection, _ = await loop.sock_accept(listener)
            reader, writer = await asyncio.open_connection(sock=connection)
            writer.writelines(said)
            heard = await reader.read(-1)
            writer.close()
            listener.close()
            return heard

        return asyncio.create_task(serve())

    async def attach(self, direction: str, **more: Any) -> str:
        """Attach and wait for the end; the text of the answer."""
        effect = AttachContainer("r1", "c1", direction, "application/json", **more)
        self.attachments.performers()[AttachContainer](self, effect, "cause")
        await asyncio.wait_for(self.tasks[-1], 20)
        assert self.events == [AttachmentEnded("r1")]
        if not self.replies:
            return ""
        body = self.replies[0].body
        assert isinstance(body, bytes)
        return body.decode()


async def test_a_client_that_announced_heartbeats_and_goes_silent_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "LEAST_SILENCE_S", 0.1)
    world = World(tmp_path, Body(BEAT))
    world.listen(frames.encode(frames.OK))
    assert "not even a heartbeat" in await world.attach("input")
    assert world.replies[0].status == 400


async def test_input_is_handed_on_and_answered_when_its_body_ends(tmp_path: Path) -> None:
    world = World(tmp_path, Body(WORD, None))
    switchboard = world.listen(frames.encode(frames.OK))
    await world.attach("input")
    assert world.replies[0].status == 200
    told = bytearray(await switchboard)
    assert frames.split(told) == [(frames.INPUT, b""), (frames.DATA, b"hi")]


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ((frames.REFUSED,), 409, "Multiple input connections are not allowed"),
        ((frames.OK, frames.FAILED), 500, "Failed writing to stdin"),
        ((frames.OK, frames.OVER), 200, ""),
    ],
)
async def test_what_the_switchboard_says_is_the_answer(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: tuple[bytes, ...],
    status: int,
    words: str,
) -> None:
    monkeypatch.setattr(attachments, "LAST_INPUT_S", 0.01)
    reasons = {frames.FAILED: b"Failed writing to stdin: Broken pipe"}
    world = World(tmp_path, Body())
    world.listen(*(frames.encode(kind, reasons.get(kind, b"")) for kind in said))
    assert words in await world.attach("input")
    assert world.replies[0].status == status


async def test_a_body_that_breaks_ends_the_attachment(tmp_path: Path) -> None:
    world = World(tmp_path, Body(WORD, BodyBroken("the peer went away")))
    world.listen(frames.encode(frames.OK))
    assert "the peer went away" in await world.attach("input")


@pytest.mark.parametrize("direction", ["input", "output"])
async def test_a_switchboard_that_is_gone_is_told(tmp_path: Path, direction: str) -> None:
    world = World(tmp_path, Body())
    assert "can't be reached" in await world.attach(direction)
    assert (world.replies[0].status, world.started) == (500, [])


async def test_an_output_ends_with_its_container_or_its_reader(tmp_path: Path) -> None:
    for reads in (True, False):
        world = World(tmp_path / str(reads))
        world.reads = reads
        world.listen(frames.encode(frames.OK), frames.encode(frames.OUT, b"hi"))
        effect = AttachContainer("r1", "c1", "output", "application/json", {"X": "y"}, 0.02)
        world.attachments.performers()[AttachContainer](world, effect, "cause")
        if reads:
            await asyncio.sleep(0.3)
            assert any(b"HEARTBEAT" in data for data in world.sent)
            world.attachments.performers()[DetachContainer](world, DetachContainer("r1"), "cause")
            await asyncio.wait(world.tasks, timeout=10)
            assert world.events == []  # who let go knows
        else:
            await asyncio.wait(world.tasks, timeout=10)
            assert world.events == [AttachmentEnded("r1")]
        assert world.started == [{"X": "y"}]
        assert b'"STDOUT"' in world.sent[0]
