"""Streams of the HTTP server: in order, bounded, and each on its own."""

import asyncio

from mesosphere.kernel.http import Request, Response
from mesosphere.runtime.http_connection import PIECE_BYTES
from mesosphere.runtime.http_server import HttpServer, bind
from tests.unit.runtime.http_harness import Served, echo, served


def _unless_stream(request: Request) -> Response | None:
    return None if request.path == "/stream" else echo(request)


async def _open(
    found: Served, limit_bytes: int = 1_000_000, version: bytes = b"1.1"
) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await found.connect()
    count = len(found.requests)
    writer.write(b"GET /stream HTTP/%b\r\n\r\n" % version)
    await found.until(lambda: len(found.requests) > count)
    stream = found.requests[-1].id
    found.server.start_stream(stream, 200, {"Mesos-Stream-Id": "s"}, limit_bytes)
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"\r\nMesos-Stream-Id: s\r\n" in head
    return stream, reader, writer


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    size = int(await reader.readuntil(b"\r\n"), 16)
    return (await reader.readexactly(size + 2))[:-2]


async def test_a_stream_whose_peer_left_before_it_began_is_reported_closed() -> None:
    closed: list[tuple[str, str]] = []
    listener = bind("127.0.0.1", 0)
    try:

        def ignore(request: Request) -> None:
            """Nobody asks here."""

        server = HttpServer(listener, ignore, lambda *each: closed.append(each), "test")
        server.start_stream("r1", 200, {}, 1)
        assert closed == []  # not within the machine's own step
        await asyncio.sleep(0)
        assert closed == [("r1", "the peer went away before the stream began")]
    finally:
        listener.close()


async def test_a_stream_for_a_peer_that_will_say_no_more_is_reported_closed() -> None:
    async with served(_unless_stream) as found:
        _, writer = await found.connect()
        writer.write(b"GET /stream HTTP/1.1\r\n\r\n")
        writer.write_eof()
        await found.until(lambda: bool(found.requests))
        await asyncio.sleep(0.05)
        stream = found.requests[0].id
        found.server.start_stream(stream, 200, {}, 1_000)
        found.server.send(stream, b"nobody hears")
        await found.until(lambda: bool(found.closed))
        assert found.closed == [(stream, "the peer went away before the stream began")]
        writer.close()


async def test_records_come_in_order_and_the_end_after_them() -> None:
    async with served(_unless_stream) as found:
        stream, reader, writer = await _open(found)
        big = bytes(range(256)) * 1_000
        for data in (b"one", big, b"two"):
            found.server.send(stream, data)
        found.server.end_stream(stream)
        assert [await _chunk(reader) for _ in range(4)] == [b"one", big, b"two", b""]
        # The connection is good for another request.
        writer.write(b"GET /next HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"GET /next 0")
        writer.close()
        assert found.closed == []


async def test_an_old_client_gets_a_stream_without_chunks() -> None:
    async with served(_unless_stream) as found:
        stream, reader, writer = await _open(found, version=b"1.0")
        found.server.send(stream, b"one")
        found.server.end_stream(stream)
        assert await reader.read(-1) == b"one"
        writer.close()


async def test_a_peer_that_leaves_is_reported_once() -> None:
    async with served(_unless_stream) as found:
        stream, _, writer = await _open(found)
        writer.close()
        await found.until(lambda: bool(found.closed))
        found.server.send(stream, b"late")
        found.server.end_stream(stream)
        await asyncio.sleep(0.02)
        assert found.closed == [(stream, "the peer went away")]


async def test_a_peer_that_does_not_read_is_cut_at_its_limit_and_others_go_on() -> None:
    async with served(_unless_stream) as found:
        stuck, stuck_reader, stuck_writer = await _open(found, limit_bytes=300_000)
        stuck_writer.transport.pause_reading()  # type: ignore[attr-defined]
        lively, reader, writer = await _open(found, limit_bytes=300_000)
        record = bytes(10_000)
        most = 0
        for number in range(2_000):
            found.server.send(stuck, record)
            found.server.send(lively, record)
            assert await _chunk(reader) == record, number
            connection = found.server._open.get(stuck)
            if connection is None:
                break
            held = connection._queued_bytes + connection._transport.get_write_buffer_size()
            most = max(most, held)
        await found.until(lambda: bool(found.closed))
        assert found.closed == [(stuck, "the peer left more than 300000 bytes unread")]
        assert most <= 300_000 + len(record) + 10
        del stuck_reader
        writer.close()
        stuck_writer.transport.abort()


async def test_a_peer_that_pauses_gets_everything_later() -> None:
    async with served(_unless_stream) as found:
        stream, reader, writer = await _open(found, limit_bytes=50_000_000)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        sent = [bytes([n % 251]) * (n * 37 % 9_000 + 1) for n in range(3_000)]
        sent.insert(1_500, bytes(3 * PIECE_BYTES))
        for number, data in enumerate(sent):
            found.server.send(stream, data)
            if number % 500 == 0:
                await asyncio.sleep(0.01)
        found.server.end_stream(stream)
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        came = b""
        while chunk := await _chunk(reader):
            came += chunk
        assert came == b"".join(sent)
        writer.close()


async def test_a_record_is_shared_by_those_who_wait_for_it() -> None:
    async with served(_unless_stream) as found:
        opened = [await _open(found, limit_bytes=50_000_000) for _ in range(3)]
        for _, _, writer in opened:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
        record = bytes(500_000)
        for _ in range(20):
            for stream, _, _ in opened:
                found.server.send(stream, record)
            await asyncio.sleep(0)
        queues = [found.server._open[stream]._queue for stream, _, _ in opened]
        assert all(queue and all(each is record for each in queue) for queue in queues)
        for _, _, writer in opened:
            writer.transport.abort()


async def test_the_end_of_a_stream_that_nobody_reads_does_not_last_for_ever() -> None:
    async with served(_unless_stream, write_s=0.1) as found:
        stream, _, writer = await _open(found, limit_bytes=50_000_000)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(30):
            found.server.send(stream, bytes(1_000_000))
        found.server.end_stream(stream)
        await found.until(lambda: not found.server.connections)
        assert found.closed == []
        writer.transport.abort()


async def test_a_request_behind_a_stream_waits_for_its_end() -> None:
    async with served(_unless_stream) as found:
        stream, reader, writer = await _open(found)
        writer.write(b"GET /next HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0.05)
        assert len(found.requests) == 1
        found.server.end_stream(stream)
        await reader.readuntil(b"GET /next 0")
        writer.close()
