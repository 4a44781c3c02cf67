"""Long answers at the pace of their peer: proxied ones and downloads."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mesosphere.kernel.effects import Proxy, ServeFile
from mesosphere.kernel.http import Request, Response
from mesosphere.runtime import files
from mesosphere.runtime.http_client import HttpClient
from tests.unit.runtime.http_harness import CLOSE, Served, served, status_of

BIG = 8 * 1024 * 1024
FAILURE = Response(503, {}, b"nobody there")


@contextlib.asynccontextmanager
async def proxied(answer: Callable[[Request], Response | None]):  # type: ignore[no-untyped-def]
    """(the host behind, the host in front, which forwards everything)."""
    client = HttpClient()
    tasks: set[asyncio.Task[None]] = set()
    async with served(answer) as behind, served(lambda request: None) as front:

        def forward(request: Request) -> None:
            effect = Proxy(request.id, f"http://127.0.0.1:{behind.port}", FAILURE)
            tasks.add(asyncio.create_task(client.proxy(effect, request, front.server)))

        front.server._on_request = forward
        try:
            yield behind, front, tasks
        finally:
            await client.close()
            for task in tasks:
                task.cancel()


def ask(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: h\r\n".encode() + CLOSE


async def test_a_proxied_answer_keeps_its_length_and_its_path() -> None:
    def answer(request: Request) -> Response:
        return Response(200, {"X-Own": "1"}, f"{request.path} {request.query}".encode())

    async with proxied(answer) as (_, front, _):
        said = await front.say(ask("/v2/apps//a%3Fb/%C3%A4%25?x=1&x=%26"))
    head, body = said.split(b"\r\n\r\n")
    assert body == "/v2/apps//a?b/ä% {'x': ['1', '&']}".encode()
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert b"x-own: 1" in head


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_an_answer_without_a_body_is_proxied_without_one(method: str, status: int) -> None:
    body = b"" if status != 200 else b"a body"
    async with proxied(lambda request: Response(status, {}, body)) as (_, front, _):
        said = await front.say(ask("/", method))
    assert status_of(said) == status
    assert said.endswith(b"\r\n\r\n") and said.count(b"\r\n\r\n") == 1


async def test_an_answer_that_breaks_off_is_never_taken_for_the_whole() -> None:
    async with proxied(lambda request: None) as (behind, front, _):
        reader, writer = await front.connect()
        writer.write(ask("/"))
        await behind.until(lambda: bool(behind.requests))
        stream = behind.requests[0].id
        behind.server.start_stream(stream, 200, {}, 1_000_000)
        behind.server.send(stream, b"the beginning")
        await reader.readuntil(b"the beginning")
        behind.server.break_stream(stream)
        rest = b""
        with contextlib.suppress(ConnectionError):
            rest = await asyncio.wait_for(reader.read(-1), 10)
        assert b"0\r\n\r\n" not in rest
        writer.close()


async def test_a_slow_reader_of_a_proxied_answer_gets_all_of_it_and_costs_little() -> None:
    async with proxied(lambda request: Response(200, {}, bytes(BIG))) as (_, front, _):
        reader, writer = await front.connect()
        writer.write(ask("/"))
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.3)
        [connection] = front.server.connections
        assert connection._transport.get_write_buffer_size() < BIG / 2
        assert len(await asyncio.wait_for(reader.read(-1), 20)) == BIG
        writer.close()


async def test_nothing_is_fetched_for_a_peer_that_has_left() -> None:
    async with proxied(lambda request: None) as (behind, front, tasks):
        _, writer = await front.connect()
        writer.write(ask("/v2/events"))
        await behind.until(lambda: bool(behind.requests))
        stream = behind.requests[0].id
        behind.server.start_stream(stream, 200, {}, 1_000_000)
        writer.transport.abort()

        def is_closed() -> bool:
            behind.server.send(stream, b"an event")  # only writing shows that a peer has left
            return bool(behind.closed)

        await behind.until(is_closed)
        assert all(task.done() for task in tasks)
        assert front.closed == []


# --- downloads ----------------------------------------------------------------------------------


def download(path: Path) -> ServeFile:
    return ServeFile("r", "download", str(path), str(path))


async def test_a_file_is_read_in_pieces_as_long_as_it_was_when_opened(tmp_path: Path) -> None:
    path = tmp_path / "stdout"
    path.write_bytes(b"a" * (files.PIECE_BYTES + 10))
    found = files.serve(download(path))
    assert isinstance(found, files.Download)
    assert found.headers["Content-Length"] == str(files.PIECE_BYTES + 10)
    assert len(found.read()) == files.PIECE_BYTES
    with path.open("ab") as file:
        file.write(b"more")
    assert found.read() == b"a" * 10
    assert found.read() == b""
    found.close()


@pytest.mark.parametrize("action", ["download", "read"])
def test_a_pipe_of_a_task_blocks_nobody(action: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = files.serve(ServeFile("r", action, str(tmp_path / "pipe"), "/pipe", 0))
    assert isinstance(found, Response)
    assert (found.status, found.body) == (400, b"'/pipe': no regular file.\n")


@pytest.mark.parametrize("action", ["download", "read"])
def test_a_directory_is_no_file(action: str, tmp_path: Path) -> None:
    found = files.serve(ServeFile("r", action, str(tmp_path), "/d", 0))
    assert isinstance(found, Response)
    assert (found.status, found.body) == (400, b"'/d': a directory.\n")


async def test_a_stream_of_known_length_that_is_shut_down_is_given_time(tmp_path: Path) -> None:
    async with served(lambda request: None) as found:
        reader, writer = await found.connect()
        writer.write(ask("/"))
        writer.write_eof()
        await found.until(lambda: bool(found.requests))
        stream = found.requests[0].id
        headers = {"Content-Length": "6"}
        found.server.start_stream(stream, 200, headers, 1_000, is_paced=True)
        assert await found.server.write(stream, b"abc")
        await _stop_and_finish(found, stream)
        assert (await reader.read(-1)).endswith(b"\r\n\r\nabcdef")
        writer.close()


async def _stop_and_finish(found: Served, stream: str) -> None:
    await found.server.stop()
    await asyncio.sleep(0.05)
    assert await found.server.write(stream, b"def")
    found.server.end_stream(stream)
