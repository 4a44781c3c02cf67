"""The HTTP server's promises to machines."""

import asyncio

from mesosphere.kernel.http import Request
from mesosphere.runtime.http_server import HttpServer, bind


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
