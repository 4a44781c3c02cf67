"""The HTTP client against servers that do as they please."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from mesosphere.kernel.effects import Call, Connect
from mesosphere.kernel.events import CallAnswered, CallFailed, Connected, Disconnected, Received
from mesosphere.runtime.http_client import HttpClient
from mesosphere.runtime.http_peer import (
    BODY_MARK_BYTES,
    HEAD_LIMIT_BYTES,
    HttpFailure,
    open_peer,
    read_url,
    write_head,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Counts connections; what it does with each is the test's."""

    def __init__(self) -> None:
        self.connections = 0
        self.heads: list[str] = []
        self.url = ""
        self._server: asyncio.Server | None = None

    async def start(self, serve: Serve) -> None:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            try:
                await serve(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        self._server = await asyncio.start_server(accepted, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def request(self, reader: asyncio.StreamReader) -> str:
        """The head of the next request; its body is read."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        for line in head.splitlines():
            if line.lower().startswith("content-length:"):
                await reader.readexactly(int(line.partition(":")[2]))
        return head

    def answers(self, *answers: bytes, stays: bool = True) -> Serve:
        """One answer a request, in a row; then the connection stays open, or not."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for answer in answers:
                await self.request(reader)
                writer.write(answer)
                await writer.drain()
            if stays:
                await reader.read()

        return serve

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient()
    yield made
    await made.close()


async def call(client: HttpClient, url: str, **more: Any) -> Any:
    told: list[Any] = []
    given = {"method": "GET", "timeout_s": 10.0, **more}
    await client.call(Call(call="c", url=url, **given), told.append)
    [event] = told
    return event


async def test_a_connection_is_used_again(server: Server, client: HttpClient) -> None:
    await server.start(server.answers(OK, OK, OK))
    for _ in range(3):
        event = await call(client, f"{server.url}/a b?c=d e", method="POST", body=b"xyz")
        assert (event.status, event.body) == (200, b"ok")
    assert server.connections == 1
    head = server.heads[0]
    assert head.startswith("POST /a%20b?c=d%20e HTTP/1.1\r\nHost: 127.0.0.1:")
    assert "\r\nContent-Length: 3\r\n" in head


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
])  # fmt: skip
async def test_each_framing_is_read_whole_and_the_connection_kept(
    server: Server, client: HttpClient, answer: bytes
) -> None:
    await server.start(server.answers(answer, answer))
    for _ in range(2):
        event = await call(client, server.url)
        assert (event.status, event.body) == (200, b"hello")
    assert server.connections == 1


async def test_a_body_without_a_length_ends_with_the_connection(
    server: Server, client: HttpClient
) -> None:
    await server.start(server.answers(b"HTTP/1.0 200 OK\r\n\r\nhello", stays=False))
    for _ in range(2):
        assert (await call(client, server.url)).body == b"hello"
    assert server.connections == 2


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello",
    b"HTTP/1.1 200 OK\r\nX: y", b"", b"SSH-2.0-OpenSSH\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
])  # fmt: skip
async def test_an_answer_that_is_none_or_not_whole_is_a_failure(
    server: Server, client: HttpClient, answer: bytes
) -> None:
    await server.start(server.answers(answer, stays=False))
    event = await call(client, server.url, method="POST")
    assert isinstance(event, CallFailed) and not event.definite and event.reason


async def test_heads_and_answers_without_bodies_have_none(
    server: Server, client: HttpClient
) -> None:
    await server.start(server.answers(
        b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    ))  # fmt: skip
    assert (await call(client, server.url)).status == 204
    event = await call(client, server.url, method="HEAD")
    assert (event.status, event.body, event.headers["content-length"]) == (200, b"", "9")


async def test_what_a_dead_connection_was_kept_for_is_asked_again_if_it_may(
    server: Server, client: HttpClient
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(OK)
        await server.request(reader)  # and no answer

    await server.start(serve)
    assert (await call(client, server.url)).body == b"ok"
    assert (await call(client, server.url)).body == b"ok"
    assert server.connections == 2
    event = await call(client, server.url, method="POST")
    assert isinstance(event, CallFailed) and not event.definite
    assert server.connections == 2


async def test_redirects_are_followed_as_far_as_allowed(server: Server, client: HttpClient) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            path = (await server.request(reader)).split()[1]
            number = int(path.strip("/") or 0)
            there = f"HTTP/1.1 302 Found\r\nLocation: /{number + 1}\r\nContent-Length: 1\r\n\r\nx"
            writer.write(there.encode() if number < 3 else OK)

    await server.start(serve)
    assert (await call(client, server.url)).status == 302
    failed = await call(client, server.url, follow=2)
    assert failed.reason == "more than 2 redirects"
    assert (await call(client, server.url, follow=3, method="POST", body=b"x")).body == b"ok"
    assert [head.split()[0] for head in server.heads[-4:]] == ["POST", "GET", "GET", "GET"]
    assert server.connections == 1


async def test_every_part_of_an_answer_has_its_limit(server: Server, client: HttpClient) -> None:
    huge = b"HTTP/1.1 200 OK\r\nX: " + b"x" * (HEAD_LIMIT_BYTES * 2)
    await server.start(server.answers(huge))
    assert "head has more than" in (await call(client, server.url)).reason
    server.stop()
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
    await server.start(server.answers(large))
    assert "more than 1000 bytes" in (await call(client, server.url, limit_bytes=1000)).reason
    assert len((await call(client, server.url)).body) == 1_000_000


async def test_a_server_that_says_nothing_takes_no_longer_than_allowed(
    server: Server, client: HttpClient
) -> None:
    await server.start(server.answers(b"", b""))
    event = await call(client, server.url, timeout_s=0.2)
    assert (event.reason, event.definite) == ("timed out", False)


async def stream(client: HttpClient, url: str, idle_s: float = 10.0) -> list[Any]:
    told: list[Any] = []
    await client.connect(Connect(stream="s", url=url, body=b"{}", idle_s=idle_s), told.append)
    return told


async def test_records_of_a_stream_are_told_as_they_come(
    server: Server, client: HttpClient
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nMesos-Stream-Id: i\r\n\r\n"
    await server.start(server.answers(
        answer + b"4\r\n3\nab\r\n5\r\nc2\nde\r\n0\r\n\r\n"
    ))  # fmt: skip
    connected, *records, ended = await stream(client, server.url)
    assert isinstance(connected, Connected) and connected.headers["mesos-stream-id"] == "i"
    assert [each.record for each in records if isinstance(each, Received)] == [b"abc", b"de"]
    assert ended == Disconnected("s", "the server ended the stream")


async def test_a_stream_that_falls_silent_or_breaks_off_is_reported(
    server: Server, client: HttpClient
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n3\nab\r\n"
    await server.start(server.answers(answer))
    assert (await stream(client, server.url, idle_s=0.2))[-1].reason == "timed out"
    server.stop()
    await server.start(server.answers(answer, stays=False))
    assert "hung up" in (await stream(client, server.url))[-1].reason


async def test_a_refused_stream_has_its_body(server: Server, client: HttpClient) -> None:
    await server.start(server.answers(b"HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nwhy"))
    [event] = await stream(client, server.url)
    assert (event.status, event.body) == (403, b"why")


async def test_who_reads_slowly_holds_the_server_back(server: Server) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await server.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    await server.start(serve)
    target = read_url(server.url)
    peer = await open_peer(target, 5.0)
    peer.send(write_head("GET", target, {}, 0), b"", is_head_only=False)
    await peer.head()
    before = -1
    while before != sent:
        before = sent
        await asyncio.sleep(0.2)
    assert sent < 32 * 1024 * 1024 and peer._waiting_bytes < 4 * BODY_MARK_BYTES
    size = 0
    while data := await peer.read():
        size += len(data)
    assert size == 1000 * 65536
    peer.close()


@pytest.mark.parametrize(("url", "host", "path"), [
    ("http://h", "h", "/"), ("http://h:80/x", "h", "/x"), ("https://h:443", "h", "/"),
    ("http://[::1]:8/a", "[::1]:8", "/a"), ("http://h:8/ä?q=ü%20", "h:8", "/%C3%A4?q=%C3%BC%20"),
    ("http://bücher.de/", "xn--bcher-kva.de", "/"), ("http://h/a%2Fb#f", "h", "/a%2Fb"),
])  # fmt: skip
def test_a_url_becomes_host_and_path(url: str, host: str, path: str) -> None:
    target = read_url(url)
    assert (target.host_header, target.path) == (host, path)


def test_a_users_name_becomes_an_authorization() -> None:
    head = write_head("GET", read_url("http://u%40:p@h/"), {}, 0).decode()
    assert "Authorization: Basic dUA6cA==\r\n" in head


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\0b"])
def test_a_header_of_two_lines_is_refused(value: str) -> None:
    with pytest.raises(HttpFailure, match="more than one line"):
        write_head("GET", read_url("http://h/"), {"X": value}, 0)


async def test_many_calls_share_what_connections_there_are(
    server: Server, client: HttpClient
) -> None:
    await server.start(server.answers(*[OK] * 200))
    events = await asyncio.gather(*(call(client, server.url) for _ in range(100)))
    assert all(isinstance(each, CallAnswered) for each in events)
    before = server.connections
    await asyncio.gather(*(call(client, server.url) for _ in range(100)))
    assert server.connections == before
