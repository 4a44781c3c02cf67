"""Request bodies that are streams of records: taken as they come, bounded, and never in the way."""

import asyncio

import pytest

from mesosphere.kernel.http import Request, Response, text_response
from mesosphere.runtime.http_bodies import (
    HELD_BYTES,
    RECORD_LIMIT_BYTES,
    BodyBroken,
    StreamedBody,
)
from mesosphere.wire import recordio
from tests.unit.runtime.http_harness import Served, served, status_of

KIND = frozenset({"application/recordio"})
HEAD = (
    b"POST /in HTTP/1.1\r\nContent-Type: application/recordio\r\nTransfer-Encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"


def later(request: Request) -> Response | None:
    """Answered by the test."""
    return None


def chunk(*records: bytes) -> bytes:
    data = b"".join(map(recordio.encode, records))
    return b"%x\r\n%b\r\n" % (len(data), data)


async def begin(
    found: Served, *parts: bytes
) -> tuple[StreamedBody, asyncio.StreamReader, asyncio.StreamWriter]:
    """A request whose first record has come in; its body."""
    reader, writer = await found.connect()
    count = len(found.requests)
    writer.writelines((HEAD, *parts))
    await found.until(lambda: len(found.requests) > count)
    body = found.server.open_body(found.requests[-1].id)
    assert body is not None
    return body, reader, writer


async def test_a_request_is_handed_over_with_its_first_record_and_the_rest_follows() -> None:
    async with served(later, KIND) as found:
        body, reader, writer = await begin(found, chunk(b"one"))
        assert found.requests[0].body == b"one"
        writer.write(chunk(b"two", b"") + chunk(b"three")[:-4])
        assert [await body.take() for _ in range(2)] == [b"two", b""]
        writer.write(chunk(b"three")[-4:] + END)
        assert [await body.take() for _ in range(2)] == [b"three", None]
        found.server.reply(found.requests[0].id, text_response(200, "done"))
        assert status_of(await reader.readuntil(b"done")) == 200
        # The connection goes on with the next request.
        writer.write(b"GET /next HTTP/1.1\r\nConnection: close\r\n\r\n")
        await found.until(lambda: len(found.requests) == 2)
        found.server.reply(found.requests[1].id, text_response(200, "next"))
        assert (await reader.read(-1)).endswith(b"next")


async def test_a_slow_taker_holds_the_peer_back_and_not_the_server() -> None:
    async with served(later, KIND) as found:
        body, _, writer = await begin(found, chunk(b"one"))
        record = b"x" * 60_000
        sent = 0

        async def pour() -> None:
            nonlocal sent
            while sent < 1_000:
                writer.write(chunk(record))
                await writer.drain()
                sent += 1

        pouring = asyncio.create_task(pour())
        await found.until(lambda: body.is_full)
        await asyncio.sleep(0.2)
        stuck = sent
        await asyncio.sleep(0.2)
        assert sent == stuck < 500  # what the kernel's buffers took, and no more
        assert body._held_bytes < HELD_BYTES + 8 * len(record)
        for _ in range(1_000):
            assert await asyncio.wait_for(body.take(), 10) == record
        await pouring
        writer.close()


async def test_a_peer_that_leaves_breaks_its_body() -> None:
    for ends in (False, True):
        async with served(later, KIND) as found:
            body, _, writer = await begin(found, chunk(b"one", b"two"))
            if ends:
                writer.write_eof()
            else:
                writer.transport.abort()
            assert await body.take() == b"two"
            with pytest.raises(BodyBroken, match="the peer went away"):
                await asyncio.wait_for(body.take(), 10)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"3\r\nabc\r\n", "not the length of a record"),
        (chunk(b"x" * 10)[:2] + b"\r\n%d\n" % (RECORD_LIMIT_BYTES + 1), "more than"),
    ],
)
async def test_what_is_no_record_is_refused(data: bytes, fault: str) -> None:
    size = b"%x\r\n" % len(data.partition(b"\r\n")[2].removesuffix(b"\r\n"))
    data = size + data.partition(b"\r\n")[2].removesuffix(b"\r\n") + b"\r\n"
    async with served(later, KIND) as found:
        said = await found.say(HEAD + data)
        assert status_of(said) == 400
        assert fault.encode() in said
        body, _, writer = await begin(found, chunk(b"one"), data)
        with pytest.raises(BodyBroken, match=fault):
            await asyncio.wait_for(body.take(), 10)
        writer.close()


async def test_a_body_that_ends_early_says_so() -> None:
    async with served(later, KIND) as found:
        reader, writer = await found.connect()
        writer.write(HEAD + END)
        await found.until(lambda: bool(found.requests))
        assert found.requests[0].body == b""
        found.server.reply(found.requests[0].id, text_response(400, "empty"))
        assert status_of(await reader.readuntil(b"empty")) == 400
        body, _, _ = await begin(found, chunk(b"one"), b"3\r\n9\nx\r\n", END)
        with pytest.raises(BodyBroken, match="in the middle of a record"):
            await asyncio.wait_for(body.take(), 10)
        writer.close()


async def test_an_answer_before_the_end_of_the_body_reaches_a_peer_that_goes_on() -> None:
    async with served(lambda request: text_response(404, "nobody"), KIND) as found:
        reader, writer = await found.connect()
        writer.write(HEAD + chunk(b"one"))
        for _ in range(50):
            writer.write(chunk(b"more" * 1_000))
            await asyncio.sleep(0)
        said = await asyncio.wait_for(reader.read(-1), 10)
        assert status_of(said) == 404
        assert b"Connection: close" in said
        writer.close()


async def test_an_open_body_may_take_longer_than_an_answer() -> None:
    async with served(later, KIND, answer_s=0.1, body_s=0.1) as found:
        body, _, writer = await begin(found, chunk(b"one"))
        await asyncio.sleep(0.4)
        writer.write(chunk(b"late"))
        assert await asyncio.wait_for(body.take(), 10) == b"late"
        writer.close()
        # One whose first record does not come is not waited for.
        assert status_of(await found.say(HEAD + b"3\r\n10\n\r\n")) == 408


async def test_bad_framing_in_the_middle_breaks_the_body() -> None:
    async with served(later, KIND) as found:
        body, _, writer = await begin(found, chunk(b"one"), b"what?\r\n")
        with pytest.raises(BodyBroken, match="not an HTTP request"):
            await asyncio.wait_for(body.take(), 10)
        writer.close()


async def test_other_bodies_and_other_servers_take_a_body_whole() -> None:
    head = HEAD.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
    async with served(streamed=KIND) as found:
        said = await found.say(head.replace(b"recordio", b"json") + chunk(b"one") + END)
        assert said.count(b"HTTP/1.1 200") == 1
        assert found.requests[0].body == b"3\none"
    async with served() as found:
        await found.say(head + chunk(b"one") + END)
        assert found.requests[0].body == b"3\none"
        assert found.server.open_body(found.requests[0].id) is None
