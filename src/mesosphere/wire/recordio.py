"""RecordIO: records on a stream, each after its length in bytes and a newline.

    <decimal length> LF <record> <decimal length> LF <record> ...

How the bytes were cut on their way means nothing. An empty record is legal.

Source: Mesos, docs/recordio.md; 3rdparty/stout/include/stout/recordio.hpp.
"""

from mesosphere.wire.errors import WireError

RECORD_LIMIT = 64 * 1024 * 1024
"""Bytes of one record; a longer one is refused when its length is read, not when it has come."""

LENGTH_DIGITS = 20
"""Digits of the largest uint64."""


class RecordError(WireError):
    """The stream holds something that is not RecordIO; nothing after it can be trusted."""


def encode(record: bytes) -> bytes:
    """Frame one record."""
    return b"%d\n%b" % (len(record), record)


class Decoder:
    """Takes a stream in any pieces and gives whole records.

    After a RecordError the decoder is spent: every later `feed` raises it again.
    """

    def __init__(self, limit: int = RECORD_LIMIT) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._length: int | None = None  # of the record that is coming in
        self._fault: RecordError | None = None

    @property
    def is_between_records(self) -> bool:
        """Whether the stream may end here without cutting a record."""
        return self._length is None and not self._buffer

    def feed(self, data: bytes) -> list[bytes]:
        """The records completed by `data`, in order. Raises RecordError on a bad frame.

        Records that were whole before the bad frame are lost with it: the stream is to be closed.
        """
        if self._fault is not None:
            raise self._fault
        source: bytes | bytearray = data
        if self._buffer:
            self._buffer += data
            source = self._buffer
        records: list[bytes] = []
        position = 0
        while True:
            if self._length is None:
                end = source.find(b"\n", position, position + LENGTH_DIGITS + 1)
                if end < 0:
                    self._check_header(bytes(source[position : position + LENGTH_DIGITS + 1]))
                    break
                self._length = self._read_length(bytes(source[position:end]))
                position = end + 1
            end = position + self._length
            if end > len(source):
                break
            records.append(bytes(source[position:end]))
            position = end
            self._length = None
        if source is data:
            self._buffer += data[position:]
        else:
            del self._buffer[:position]
        return records

    def _check_header(self, header: bytes) -> None:
        """A header that has not come whole: refuse now what can no longer become right."""
        if header and not header.isdigit():
            raise self._fail(f"{header!r} is not the length of a record")
        if len(header) > LENGTH_DIGITS:
            raise self._fail(f"a length of more than {LENGTH_DIGITS} digits")

    def _read_length(self, header: bytes) -> int:
        if not header.isdigit():
            raise self._fail(f"{header!r} is not the length of a record")
        length = int(header)
        if length > self._limit:
            raise self._fail(f"a record of {length} bytes, more than {self._limit}")
        return length

    def _fail(self, message: str) -> RecordError:
        self._fault = RecordError("", message)
        self._buffer.clear()
        return self._fault
