"""Large answers are made in turns: others are served in between, and all who wait are answered."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, cast

from mesosphere.kernel.http import Request, Response, Unfinished
from mesosphere.kernel.pages import Page, Pages
from mesosphere.runtime import pages
from mesosphere.runtime.http_server import HttpServer
from mesosphere.runtime.pages import PageMaker
from tests.unit.runtime.http_harness import served


class Server:
    """Keeps the answers."""

    def __init__(self) -> None:
        self.answers: dict[str, Response] = {}

    def reply(self, request: str, response: Response) -> None:
        self.answers.setdefault(request, response)

    @contextlib.contextmanager
    def answering(self, request: str) -> Iterator[None]:
        try:
            yield
        except ValueError:
            self.reply(request, Response(500))


class World:
    def __init__(self) -> None:
        self.server = Server()
        self.maker = PageMaker(cast(HttpServer, self.server))
        self.turns = 0

    def ask(self, request: str, page: Page) -> None:
        self.maker.answer(request, Unfinished(page, lambda body: Response(200, {}, body)))

    async def until(self, *requests: str) -> None:
        async with asyncio.timeout(30):
            while not all(request in self.server.answers for request in requests):
                self.turns += 1
                await asyncio.sleep(0)


def slow(count: int) -> Any:
    """Slices that each take a whole turn."""

    def begin() -> Iterator[bytes]:
        for number in range(count):
            until = asyncio.get_running_loop().time() + pages.TURN_S
            while asyncio.get_running_loop().time() < until:
                pass
            yield b"%d" % number

    return begin


async def test_a_small_page_is_answered_at_once() -> None:
    world = World()
    world.ask("r1", Page(lambda: iter([b"small"]), lambda: 0))
    assert world.server.answers["r1"].body == (b"small",)


async def test_others_have_their_turns_while_a_page_is_made() -> None:
    world = World()
    world.ask("r1", Page(slow(5), lambda: 0))
    assert "r1" not in world.server.answers
    await world.until("r1")
    assert world.server.answers["r1"].body == (b"01234",)
    assert world.turns >= 4


async def test_all_who_wait_for_a_page_get_it_and_later_ones_the_next() -> None:
    world, revision = World(), [0]
    known = Pages(lambda: revision[0])
    for number in range(3):
        world.ask(f"old{number}", known.get("page", slow(3)))
    revision[0] = 1
    for number in range(3):
        world.ask(f"new{number}", known.get("page", slow(2)))
    world.ask("small", Page(lambda: iter([b"small"]), lambda: 0))
    await world.until("small")
    assert "old0" not in world.server.answers  # it did not wait for the large ones
    await world.until(*(f"{word}{number}" for word in ("old", "new") for number in range(3)))
    assert {len(answer.body[0]) for answer in world.server.answers.values()} == {2, 3, 5}
    old, new = (world.server.answers[name].body for name in ("old0", "new0"))
    assert all(world.server.answers[f"old{number}"].body[0] is old[0] for number in range(3))
    assert new[0] == b"01"
    world.ask("again", Page(lambda: iter([b"x"]), lambda: 0))
    assert world.server.answers["again"].status == 200


async def test_a_page_that_fails_is_answered_500_to_all_who_wait() -> None:
    def fail() -> Iterator[bytes]:
        yield from slow(2)()
        raise ValueError("of ours")

    world = World()
    page = Page(fail, lambda: 0)
    world.ask("r1", page)
    world.ask("r2", page)
    await world.until("r1", "r2")
    assert [world.server.answers[name].status for name in ("r1", "r2")] == [500, 500]
    world.ask("r3", Page(lambda: iter([b"x"]), lambda: 0))
    assert world.server.answers["r3"].status == 200


async def test_over_connections_answers_keep_their_order_and_who_leaves_harms_nobody() -> None:
    makers: list[PageMaker] = []
    known = Pages(lambda: 0)

    def answer(request: Request) -> Response | None:
        if request.path == "/small":
            return Response(200, {}, b"small")
        page = known.get(request.path, slow(5))
        makers[0].answer(request.id, Unfinished(page, lambda body: Response(200, {}, body)))
        return None

    async with served(answer) as found:
        makers.append(PageMaker(found.server))
        _, leaving = await found.connect()
        leaving.write(b"GET /large HTTP/1.1\r\n\r\n")
        await found.until(lambda: bool(found.requests))
        leaving.transport.abort()
        asked = b"GET /large HTTP/1.1\r\n\r\nGET /small HTTP/1.1\r\nConnection: close\r\n\r\n"
        both = await asyncio.gather(found.say(asked), found.say(asked))
        for said in both:
            first, second = said.split(b"HTTP/1.1 200")[1:]
            assert first.endswith(b"01234") and second.endswith(b"small")


async def test_a_page_that_fails_is_answered_by_the_server_and_the_connection_lives_on() -> None:
    makers: list[PageMaker] = []

    def fail() -> Iterator[bytes]:
        yield from slow(2)()
        raise ValueError("of ours")

    def answer(request: Request) -> Response | None:
        if request.path == "/small":
            return Response(200, {}, b"small")
        page = Page(fail, lambda: 0)
        makers[0].answer(request.id, Unfinished(page, lambda body: Response(200, {}, body)))
        return None

    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    async with served(answer) as found:
        makers.append(PageMaker(found.server))
        said = await found.say(
            b"GET /bad HTTP/1.1\r\n\r\nGET /small HTTP/1.1\r\nConnection: close\r\n\r\n"
        )
        assert said.startswith(b"HTTP/1.1 500") and said.endswith(b"small")
