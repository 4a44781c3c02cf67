"""Server-sent events: bytes of any cut in, one JSON record per event out."""

import json

from mesosphere.wire.errors import WireError

EVENT_LIMIT = 64 * 1024 * 1024
"""Bytes of one event."""


class SseDecoder:
    """Records are {"event": name, "data": text}, as JSON; comments and keep-alives give nothing."""

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._buffer = b""
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The events completed by `data`. Raises WireError when one is too long."""
        self._buffer += data
        records: list[bytes] = []
        *lines, self._buffer = self._buffer.split(b"\n")
        for raw in lines:
            self._size += len(raw)
            line = raw.rstrip(b"\r").decode("utf-8", "replace")
            if not line:
                if self._data:
                    record = {"event": self._event or "message", "data": "\n".join(self._data)}
                    records.append(json.dumps(record).encode())
                self._event, self._data, self._size = "", [], 0
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                self._event = value
            elif name == "data":
                self._data.append(value)
        if self._size + len(self._buffer) > self._limit:
            raise WireError("", f"an event of more than {self._limit} bytes")
        return records
