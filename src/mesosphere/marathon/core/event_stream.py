"""The event stream: who listens to what, and the bytes of an event.

Invariants: an event is encoded once for all; types are those of the original and no others, since
clients fail on an unknown one; a listener that does not read is cut off by the runtime.
Source: Marathon, "Event Bus"; lines end in CRLF, an empty line every 10 s keeps the stream alive.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from mesosphere.kernel.effects import Effect, EndStream, Send, StartStream
from mesosphere.wire.marathon.timestamps import format_timestamp

KEEP_ALIVE_S = 10.0
LISTENER_LIMIT = 1_000
"""Streams open at a time; one more is answered 503."""


class Listener(msgspec.Struct, frozen=True):
    """One open stream. `types`: what it wants, everything when empty."""

    stream: str
    peer: str
    types: tuple[str, ...]


class EventStreams:
    """All open streams, in the order they were opened."""

    def __init__(self, limit_bytes: int) -> None:
        self._listeners: dict[str, Listener] = {}
        self._limit_bytes = limit_bytes

    @property
    def is_full(self) -> bool:
        """Whether no further stream is taken."""
        return len(self._listeners) >= LISTENER_LIMIT

    def __len__(self) -> int:
        return len(self._listeners)

    def open(self, listener: Listener, headers: dict[str, str]) -> list[Effect]:
        """Start a stream."""
        self._listeners[listener.stream] = listener
        return [
            StartStream(
                listener.stream,
                200,
                {**headers, "Content-Type": "text/event-stream"},
                self._limit_bytes,
            )
        ]

    def close(self, stream: str) -> Listener | None:
        """A stream has ended."""
        return self._listeners.pop(stream, None)

    def end_all(self) -> list[Effect]:
        """Finish every stream."""
        ended: list[Effect] = [EndStream(stream) for stream in self._listeners]
        self._listeners.clear()
        return ended

    def send(self, events: Sequence[tuple[str, bytes]]) -> list[Effect]:
        """Events to everybody who wants them."""
        effects: list[Effect] = []
        for listener in self._listeners.values():
            wanted = [data for name, data in events if not listener.types or name in listener.types]
            if wanted:
                effects.append(Send(listener.stream, b"".join(wanted)))
        return effects

    def keep_alive(self) -> list[Effect]:
        """An empty line to everybody."""
        return [Send(stream, b"\r\n") for stream in self._listeners]


def encode_event(name: str, now: float, fields: dict[str, Any]) -> bytes:
    """One event as it goes over the wire."""
    body = msgspec.json.encode({**fields, "eventType": name, "timestamp": format_timestamp(now)})
    return b"event: " + name.encode() + b"\r\ndata: " + body + b"\r\n\r\n"
