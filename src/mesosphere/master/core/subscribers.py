"""Operators who follow the event stream.

An event is encoded once for each encoding that somebody reads, and shared by all who read it. A
subscriber that does not read is cut by the runtime at its buffer's limit. Unlike the original,
AGENT_REMOVED is also sent for lost agents.
Source: Mesos, include/mesos/v1/master/master.proto, Event.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from mesosphere.kernel.effects import Effect, EndStream, Send, StartStream
from mesosphere.master.core.config import HEARTBEAT_S
from mesosphere.wire.mesos import answers, sections
from mesosphere.wire.mesos.media import Media
from mesosphere.wire.mesos.sections import Section

STREAM_LIMIT_BYTES = 64 * 1024 * 1024
"""What a subscriber may leave unread, beside the first event."""


@cache
def heartbeat(media: Media) -> bytes:
    """The record of a heartbeat."""
    return media.record(answers.event("HEARTBEAT"))


def first_event(media: Media, state: Section) -> Iterator[bytes]:
    """SUBSCRIBED, with the whole state."""
    fields = {"get_state": state, "heartbeat_interval_seconds": HEARTBEAT_S}
    subscribed = Section(answers.Subscribed, fields)
    event = Section(answers.Event, {"type": "SUBSCRIBED", "subscribed": subscribed})
    return sections.encode(event, media)


class Subscribers:
    """The open streams, the oldest first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._streams: dict[str, Media] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, stream: str, stream_id: str, media: Media, first: bytes) -> list[Effect]:
        """Open a stream: its first event, then a heartbeat at once."""
        effects: list[Effect] = []
        while len(self._streams) >= self._limit:
            oldest = next(iter(self._streams))
            del self._streams[oldest]
            effects.append(EndStream(oldest))
        self._streams[stream] = media
        headers = {"Content-Type": media.value, "Mesos-Stream-Id": stream_id}
        return [
            *effects,
            StartStream(stream, 200, headers, limit_bytes=STREAM_LIMIT_BYTES + len(first)),
            Send(stream, first),
            Send(stream, heartbeat(media)),
        ]

    def remove(self, stream: str) -> bool:
        """A stream has closed; whether it was one of these."""
        return self._streams.pop(stream, None) is not None

    def publish(self, kind: str, body: Any) -> list[Effect]:
        """Send an event, whose message of the same name is `body`, to everybody."""
        if not self._streams:
            return []
        event = answers.event(kind, body)
        records: dict[Media, bytes] = {}
        effects: list[Effect] = []
        for stream, media in self._streams.items():
            record = records.get(media)
            if record is None:
                record = records[media] = media.record(event)
            effects.append(Send(stream, record))
        return effects

    def beat(self) -> list[Effect]:
        """Send a heartbeat to everybody."""
        return [Send(stream, heartbeat(media)) for stream, media in self._streams.items()]
