"""The HTTP server speaks HTTP/1.1."""

import asyncio
import socket
import struct

import pytest

from mesosphere.kernel.http import Request, Response
from tests.unit.runtime.http_harness import CLOSE, echo, served, status_of


async def test_an_answer_has_its_length_a_date_and_the_server() -> None:
    async with served() as found:
        said = await found.say(b"GET /a/b?x=1&x=2&y= HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n" + CLOSE)
        head, body = said.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nServer: test\r\n" in head and b"\r\nDate: " in head
        assert b"\r\nContent-Length: 10\r\n" in head and body == b"GET /a/b 0"
        request = found.requests[0]
        assert request.query == {"x": ["1", "2"], "y": [""]}
        assert request.headers["x-a"] == "1" and request.peer == "127.0.0.1"


async def test_a_path_is_decoded_and_its_query_is_not_part_of_it() -> None:
    async with served() as found:
        await found.say(b"GET /a%20b%2Fc%C3%A4?q=%26 HTTP/1.1\r\n" + CLOSE)
        await found.say(b"GET http://h:1/x?y=1 HTTP/1.1\r\n" + CLOSE)
        assert [each.path for each in found.requests] == ["/a b/cä", "/x"]
        assert [each.query for each in found.requests] == [{"q": ["&"]}, {"y": ["1"]}]


async def test_repeated_headers_are_joined() -> None:
    async with served() as found:
        await found.say(b"GET / HTTP/1.1\r\nAccept: a\r\nACCEPT: b\r\n" + CLOSE)
        assert found.requests[0].headers["accept"] == "a, b"


async def test_requests_in_one_piece_are_answered_in_order() -> None:
    async with served() as found:
        body = b"POST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
        said = await found.say(b"GET /1 HTTP/1.1\r\n\r\n" + body + b"GET /3 HTTP/1.1\r\n" + CLOSE)
        assert said.count(b"HTTP/1.1 200") == 3
        assert said.index(b"GET /1 0") < said.index(b"POST /2 3") < said.index(b"GET /3 0")


async def test_a_later_request_waits_for_the_answer_to_an_earlier_one() -> None:
    async with served(lambda request: None if request.path == "/slow" else echo(request)) as found:
        reader, writer = await found.connect()
        writer.write(b"GET /slow HTTP/1.1\r\n\r\nGET /fast HTTP/1.1\r\n" + CLOSE)
        await found.until(lambda: len(found.requests) == 1)
        await asyncio.sleep(0.05)
        assert len(found.requests) == 1
        found.server.reply(found.requests[0].id, Response(200, {}, b"at last"))
        said = await reader.read(-1)
        assert said.index(b"at last") < said.index(b"GET /fast 0")
        writer.close()


async def test_a_request_may_come_byte_by_byte() -> None:
    async with served() as found:
        reader, writer = await found.connect()
        for byte in b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        for byte in b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await reader.read(-1)).endswith(b"POST /x 5")
        assert found.requests[0].body == b"abcde"
        assert "x-trailer" not in found.requests[0].headers
        writer.close()


async def test_a_connection_is_kept_unless_the_client_says_otherwise() -> None:
    async with served() as found:
        reader, writer = await found.connect()
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert b"Connection: close" not in await reader.readuntil(b"GET / 0")
        writer.write(b"GET / HTTP/1.1\r\n" + CLOSE)
        assert b"Connection: close" in await reader.read(-1)
        writer.close()


async def test_what_follows_a_closing_request_is_ignored() -> None:
    async with served() as found:
        said = await found.say(b"GET /1 HTTP/1.1\r\n" + CLOSE + b"GET /2 HTTP/1.1\r\n\r\n")
        assert said.count(b"HTTP/1.1") == 1 and len(found.requests) == 1


async def test_http_1_0_is_answered_and_closed() -> None:
    async with served() as found:
        said = await found.say(b"GET / HTTP/1.0\r\n\r\n")
        assert status_of(said) == 200 and said.endswith(b"GET / 0")


async def test_head_has_the_length_and_no_body() -> None:
    async with served() as found:
        said = await found.say(b"HEAD / HTTP/1.1\r\n" + CLOSE)
        assert b"Content-Length: 8\r\n" in said and said.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_a_body_have_none(status: int) -> None:
    async with served(lambda request: Response(status, {}, b"")) as found:
        said = await found.say(b"GET / HTTP/1.1\r\n" + CLOSE)
        assert status_of(said) == status and said.endswith(b"\r\n\r\n")


async def test_a_client_that_asks_first_is_told_to_continue() -> None:
    async with served() as found:
        reader, writer = await found.connect()
        writer.write(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" + CLOSE)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ab")
        assert (await reader.read(-1)).endswith(b"POST / 2")
        writer.close()


async def test_an_upgrade_is_not_taken_up_and_the_request_answered() -> None:
    async with served() as found:
        reader, writer = await found.connect()
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n"
        writer.write(b"GET /1 HTTP/1.1\r\n" + upgrade + b"\r\n")
        assert b"GET /1 0" in await reader.readuntil(b"GET /1 0")
        writer.write(b"POST /2 HTTP/1.1\r\n" + upgrade + b"Content-Length: 2\r\n\r\nab")
        assert b"POST /2 2" in await reader.readuntil(b"POST /2 2")
        writer.close()


async def test_a_large_answer_arrives_whole() -> None:
    chunks = tuple(bytes([65 + n % 26]) * (n * 997 % 300_000) for n in range(60))
    async with served(lambda request: Response(200, {}, chunks)) as found:
        said = await found.say(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n" + CLOSE)
        body = b"".join(chunks)
        assert said.count(body) == 2 and said.endswith(body)


async def test_a_handler_that_fails_is_answered_500_and_the_connection_lives() -> None:
    def fail(request: Request) -> Response:
        if request.path == "/bad":
            raise KeyError("bad")
        return echo(request)

    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    async with served(fail) as found:
        said = await found.say(b"GET /bad HTTP/1.1\r\n\r\nGET /good HTTP/1.1\r\n" + CLOSE)
        assert status_of(said) == 500 and said.endswith(b"GET /good 0")
        assert isinstance(told[0], KeyError)


async def test_a_client_that_will_say_no_more_still_gets_its_answer() -> None:
    async with served(lambda request: None) as found:
        reader, writer = await found.connect()
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        writer.write_eof()
        await found.until(lambda: bool(found.requests))
        await asyncio.sleep(0.05)
        found.server.reply(found.requests[0].id, Response(200, {}, b"yours"))
        assert (await reader.readuntil(b"yours")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_an_answer_for_a_peer_that_left_is_ignored() -> None:
    async with served(lambda request: None) as found:
        _, writer = await found.connect()
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await found.until(lambda: bool(found.requests))
        linger = struct.pack("ii", 1, 0)  # the end is a reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        await found.until(lambda: found.server.find(found.requests[0].id) is None)
        found.server.reply(found.requests[0].id, Response(200))


async def test_an_end_of_the_process_answers_what_waits() -> None:
    async with served(lambda request: None) as found:
        asking = asyncio.create_task(found.say(b"GET / HTTP/1.1\r\n\r\n"))
        await found.until(lambda: bool(found.requests))
        await found.server.stop()
        assert status_of(await asking) == 503
