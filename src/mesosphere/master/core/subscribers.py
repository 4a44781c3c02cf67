"""Operators who follow the event stream.

An event is encoded once and shared by all. A subscriber that does not read is cut by the runtime at
its buffer's limit. Unlike the original, AGENT_REMOVED is also sent for lost agents.
Source: Mesos, include/mesos/v1/master/master.proto, Event.
"""

from collections.abc import Mapping
from typing import Any

from mesosphere.kernel.effects import Effect, EndStream, Send, StartStream
from mesosphere.wire import recordio
from mesosphere.wire.mesos import codec, operator

HEARTBEAT = recordio.encode(codec.encode(operator.event("HEARTBEAT")))


class Subscribers:
    """The open streams, the oldest first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._streams: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, stream: str, stream_id: str, state: Mapping[str, Any]) -> list[Effect]:
        """Open a stream: SUBSCRIBED with the whole state, then a heartbeat at once."""
        effects: list[Effect] = []
        while len(self._streams) >= self._limit:
            oldest = next(iter(self._streams))
            del self._streams[oldest]
            effects.append(EndStream(oldest))
        self._streams[stream] = None
        body = {"get_state": state, "heartbeat_interval_seconds": 15.0}
        first = recordio.encode(codec.encode(operator.event("SUBSCRIBED", body)))
        headers = {"Content-Type": "application/json", "Mesos-Stream-Id": stream_id}
        return [
            *effects,
            StartStream(stream, 200, headers, limit_bytes=64 * 1024 * 1024 + len(first)),
            Send(stream, first),
            Send(stream, HEARTBEAT),
        ]

    def remove(self, stream: str) -> bool:
        """A stream has closed; whether it was one of these."""
        return self._streams.pop(stream, False) is None

    def publish(self, kind: str, body: Mapping[str, Any]) -> list[Effect]:
        """Send an event to everybody."""
        if not self._streams:
            return []
        record = recordio.encode(codec.encode(operator.event(kind, body)))
        return [Send(stream, record) for stream in self._streams]

    def beat(self) -> list[Effect]:
        """Send a heartbeat to everybody."""
        return [Send(stream, HEARTBEAT) for stream in self._streams]
