"""The body of a request that is a stream of records (RecordIO) and is read while it comes in.

The connection feeds it, somebody takes records with `take`. What was not taken yet is bounded: when
it is much, the connection stops reading, and TCP holds the peer back.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from mesosphere.wire import recordio

RECORD_LIMIT_BYTES = 1024 * 1024
"""Longest record; a longer one ends the request."""
HELD_BYTES = 256 * 1024
"""Not taken yet; with more no further byte is read from the peer."""


class BodyBroken(Exception):
    """The body ended before its end, or is not what it should be; the message says how."""


class StreamedBody:
    """See the module. `when_room()` is called when it takes bytes again."""

    def __init__(self) -> None:
        self._decoder = recordio.Decoder(RECORD_LIMIT_BYTES)
        self._records: deque[bytes] = deque()
        self._held_bytes = 0
        self._waiting: asyncio.Future[None] | None = None
        self._fault = ""
        self.has_ended = False
        self.when_room: Callable[[], None] = lambda: None

    @property
    def is_full(self) -> bool:
        """Whether no more bytes should be read."""
        return self._held_bytes > HELD_BYTES

    def feed(self, data: bytes) -> None:
        """Take bytes in. Raises RecordError."""
        for record in self._decoder.feed(data):
            self._records.append(record)
            self._held_bytes += len(record) + 1
        self._wake()

    def finish(self) -> None:
        """The body is whole."""
        if not self._decoder.is_between_records:
            self.fail("the body ends in the middle of a record")
        self.has_ended = True
        self._wake()

    def fail(self, reason: str) -> None:
        """Nothing more will come."""
        self._fault = self._fault or reason
        self._wake()

    def first(self) -> bytes | None:
        """A record if one is there."""
        if not self._records:
            return None
        record = self._records.popleft()
        was_full = self.is_full
        self._held_bytes -= len(record) + 1
        if was_full and not self.is_full:
            self.when_room()
        return record

    async def take(self) -> bytes | None:
        """The next record; None after the last. Raises BodyBroken."""
        while True:
            record = self.first()
            if record is not None:
                return record
            if self._fault:
                raise BodyBroken(self._fault)
            if self.has_ended:
                return None
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
