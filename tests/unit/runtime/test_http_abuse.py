"""What breaks HTTP or a limit costs its own connection, little memory, and nobody else anything."""

import asyncio
import random
from itertools import pairwise

import pytest

from mesosphere.kernel.http import BODY_LIMIT_BYTES, Response
from mesosphere.runtime import http_requests
from mesosphere.runtime.http_connection import PIECE_BYTES, PIPELINE_LIMIT, Connection
from tests.unit.runtime.http_harness import CLOSE, echo, served, status_of

CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # somebody speaks TLS
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GE T / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nName : spaced\r\n\r\n",
        b"GET / HTTP/1.1\r\nName: bare\rreturn\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        CHUNKED + b"zz\r\nab\r\n",
        CHUNKED + b"2\r\nabX",
        CHUNKED + b"ffffffffffffffffff\r\n",
        b"GET /?" + b"&".join(b"a=1" for _ in range(1_001)) + b" HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_answered_400_and_closed(said: bytes) -> None:
    async with served() as found:
        assert status_of(await found.say(said)) == 400
        assert found.requests == []


async def test_requests_before_the_broken_one_are_answered() -> None:
    async with served() as found:
        said = await found.say(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nnonsense\r\n\r\n")
        assert said.index(b"GET /1 0") < said.index(b"GET /2 0") < said.index(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: 1\r\n" % n for n in range(300)) + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 1_000_000,  # without an end
    ],
)
async def test_headers_beyond_the_limit_are_answered_431(head: bytes) -> None:
    async with served() as found:
        assert status_of(await found.say(head)) == 431
        assert found.requests == []


async def test_a_body_announced_too_large_is_refused_before_it_comes() -> None:
    async with served() as found:
        head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_LIMIT_BYTES + 1)
        assert status_of(await found.say(head)) == 413


async def test_a_body_that_grows_too_large_is_refused() -> None:
    async with served() as found:
        chunk = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
        assert status_of(await found.say(CHUNKED + chunk * 11)) == 413


async def test_framing_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_requests, "WIRE_LIMIT_BYTES", 100_000)
    async with served() as found:
        assert status_of(await found.say(CHUNKED + b"1;" + b"x" * 300_000)) == 413
        assert status_of(await found.say(CHUNKED + b"0\r\nT: " + b"x" * 300_000)) == 413


async def test_a_head_that_comes_too_slowly_is_answered_408() -> None:
    async with served(head_s=0.05) as found:
        assert status_of(await found.say(b"GET / HTTP/1.1\r\nX: ")) == 408


async def test_a_body_that_comes_too_slowly_is_answered_408() -> None:
    async with served(body_s=0.05) as found:
        said = await found.say(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")
        assert status_of(said) == 408


async def test_dripping_bytes_does_not_buy_time() -> None:
    async with served(head_s=0.1) as found:
        reader, writer = await found.connect()
        reading = asyncio.create_task(reader.read(-1))
        async with asyncio.timeout(5):
            while not reading.done():
                writer.write(b"X")
                await asyncio.sleep(0.01)
        assert status_of(await reading) in (408, 400)
        writer.close()


async def test_an_idle_connection_is_closed() -> None:
    async with served(idle_s=0.05) as found:
        assert await found.say(b"") == b""
        assert (await found.say(b"GET / HTTP/1.1\r\n\r\n")).endswith(b"GET / 0")


async def test_a_request_that_nobody_answers_gets_503() -> None:
    async with served(lambda request: None, answer_s=0.05) as found:
        assert status_of(await found.say(b"GET / HTTP/1.1\r\n" + CLOSE)) == 503


async def test_a_flood_of_requests_behind_one_that_waits_ends_the_connection() -> None:
    async with served(lambda request: None) as found:
        reader, writer = await found.connect()
        writer.write(b"GET / HTTP/1.1\r\n\r\n" * (PIPELINE_LIMIT + 50))
        await found.until(lambda: bool(found.requests))
        await asyncio.sleep(0.05)
        found.server.reply(found.requests[0].id, Response(200, {}, b"one"))
        await reader.readuntil(b"one")
        assert len(found.requests) == 1
        writer.close()


async def test_who_does_not_read_a_large_answer_is_left_and_delays_nobody() -> None:
    page = (bytes(2**20),) * 64
    async with served(
        lambda request: Response(200, {}, page) if request.path == "/big" else echo(request),
        write_s=0.3,
    ) as found:
        _, writer = await found.connect()
        writer.write(b"GET /big HTTP/1.1\r\n\r\n")
        await found.until(lambda: bool(found.requests))
        assert (await found.say(b"GET / HTTP/1.1\r\n" + CLOSE)).endswith(b"GET / 0")
        stuck = next(iter(found.server.connections))
        # The page stays whole and shared: one piece of it is in flight.
        assert stuck._transport.get_write_buffer_size() < 1_000_000
        await found.until(lambda: not found.server.connections)
        writer.close()


class FastPeer:
    """A transport whose peer reads everything at once: writing never has to wait."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(bytes(data))

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return "127.0.0.1", 1

    def is_closing(self) -> bool:
        return False

    def resume_reading(self) -> None: ...


async def test_who_reads_as_fast_as_can_be_written_does_not_have_the_loop_to_itself() -> None:
    page = bytes(10 * PIECE_BYTES)
    async with served(lambda request: Response(200, {}, page)) as found:
        connection, peer = Connection(found.server), FastPeer()
        connection.connection_made(peer)  # type: ignore[arg-type]
        connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
        turns = [len(peer.written)]
        while len(b"".join(peer.written).partition(b"\r\n\r\n")[2]) < len(page):
            await asyncio.sleep(0)
            turns.append(len(peer.written))
        assert turns[0] <= 2  # the head and one piece
        assert all(after - before <= 1 for before, after in pairwise(turns))
        connection.connection_lost(None)


async def test_noise_is_never_answered_500_and_never_ends_the_server() -> None:
    noise = random.Random(7)
    seeds = (
        b"POST /a?b=c HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nabcde",
        CHUNKED + b"5\r\nabcde\r\n0\r\nA: b\r\n\r\n",
        b"GET http://[::1]:1/%zz?%ff HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    )
    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    async with served(head_s=0.05, body_s=0.05, idle_s=0.05) as found:

        async def one(data: bytes) -> None:
            said = await found.say(data)
            assert b"HTTP/1.1 5" not in said

        bodies = []
        for _ in range(300):
            data = bytearray(noise.choice(seeds))
            for _ in range(noise.randint(1, 6)):
                place = noise.randrange(len(data))
                choice = noise.randrange(3)
                if choice == 0:
                    data[place] = noise.randrange(256)
                elif choice == 1:
                    del data[place : place + noise.randint(1, 8)]
                else:
                    data[place:place] = noise.randbytes(noise.randint(1, 8))
                data = data or bytearray(b"x")
            bodies.append(bytes(data))
        for start in range(0, len(bodies), 50):
            await asyncio.gather(*(one(data) for data in bodies[start : start + 50]))
        assert (await found.say(b"GET / HTTP/1.1\r\n" + CLOSE)).endswith(b"GET / 0")
    assert told == []
