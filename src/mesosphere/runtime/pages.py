"""Makes large answers a little in each turn of the loop, and hands them to all who wait."""

import asyncio
import time
from collections import deque

from mesosphere.kernel.http import Unfinished, text_response
from mesosphere.kernel.pages import Page
from mesosphere.runtime.http_server import HttpServer

TURN_S = 0.002
"""What pages may take of one turn of the loop."""


class PageMaker:
    """The pages that are being made, and the requests that wait for each."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._making: deque[Page] = deque()
        self._waiting: dict[Page, list[tuple[str, Unfinished]]] = {}
        self._has_turn = False  # in the loop's next one

    def answer(self, request: str, answer: Unfinished) -> None:
        """Answer a request when its page is whole: a small one at once."""
        waiting = self._waiting.get(answer.page)
        if waiting is not None:
            waiting.append((request, answer))
            return
        self._waiting[answer.page] = [(request, answer)]
        is_idle = not self._making
        self._making.append(answer.page)
        if is_idle:
            self._take_turn()

    def _take_turn(self) -> None:
        """Go on with the page that waited longest; one behind another lets it pass."""
        self._has_turn = False
        if not self._making:
            return
        page = self._making[0]
        while page.is_waiting:
            self._making.rotate(-1)
            page = self._making[0]
        until = time.perf_counter() + TURN_S
        with self._server.answering(self._waiting[page][0][0]):
            while not page.advance() and time.perf_counter() < until:
                pass
        self._making.rotate(-1)
        if page.is_done:
            self._making.remove(page)
            self._hand_out(page)
        if self._making and not self._has_turn:
            self._has_turn = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _hand_out(self, page: Page) -> None:
        pieces = tuple(page.pieces)
        for request, answer in self._waiting.pop(page):
            if page.has_failed:
                self._server.reply(request, text_response(500, "Internal Server Error"))
            else:
                self._server.reply(request, answer.respond(pieces))
