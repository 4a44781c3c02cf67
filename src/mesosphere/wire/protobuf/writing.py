"""How each kind of field is written: writers that append a value with its tag.

Source: Protocol Buffers, "Encoding".
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any

from mesosphere.wire.protobuf.reading import BYTES, FIXED64, UINT64, VARINT

Writer = Callable[[Any, Callable[[bytes], None]], None]
"""(value, append) -> nothing."""

_DOUBLE = struct.Struct("<d")
_BYTE = [bytes((number,)) for number in range(0x80)]


def varint(value: int) -> bytes:
    """A number of 64 bits; a negative one as two's complement."""
    if 0 <= value < 0x80:
        return _BYTE[value]
    value %= UINT64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message_head(number: int, size: int) -> bytes:
    """What comes before a message that is a field."""
    return varint(number << 3 | BYTES) + varint(size)


def sized(number: int, encode: Callable[[Any], bytes]) -> Writer:
    """A field that says its length: text, bytes, a message."""
    tag = varint(number << 3 | BYTES)
    heads = tuple(tag + size for size in _BYTE)

    def write(value: Any, append: Callable[[bytes], None]) -> None:
        data = encode(value)
        size = len(data)
        append(heads[size] + data if size < 0x80 else tag + varint(size) + data)

    return write


def boolean(number: int) -> Writer:
    """A truth."""
    no, yes = (varint(number << 3 | VARINT) + byte for byte in _BYTE[:2])

    def write(value: Any, append: Callable[[bytes], None]) -> None:
        append(yes if value else no)

    return write


def integer(number: int) -> Writer:
    """A number of any size."""
    tag = varint(number << 3 | VARINT)

    def write(value: Any, append: Callable[[bytes], None]) -> None:
        append(tag + varint(value))

    return write


def double(number: int) -> Writer:
    """A number of eight bytes."""
    tag = varint(number << 3 | FIXED64)
    pack = _DOUBLE.pack

    def write(value: Any, append: Callable[[bytes], None]) -> None:
        append(tag + pack(value))

    return write


def enum(number: int, numbers: Mapping[str, int]) -> Writer:
    """The number of a name; no name, or one without a number, is absence."""
    tag = varint(number << 3 | VARINT)
    encoded = {name: tag + varint(value) for name, value in numbers.items()}

    def write(value: Any, append: Callable[[bytes], None]) -> None:
        found = encoded.get(value)
        if found is not None:
            append(found)

    return write


def _same(value: bytes) -> bytes:
    return value


SCALARS: Mapping[str, Callable[[int], Writer]] = {
    "string": lambda number: sized(number, str.encode),
    "bytes": lambda number: sized(number, _same),
    "bool": boolean,
    "double": double,
    "int32": integer,
    "int64": integer,
    "uint32": integer,
    "uint64": integer,
}
"""The writer of each scalar, by the field's number."""


def repeated(one: Writer) -> Writer:
    """Every member of a list."""

    def write(values: Any, append: Callable[[bytes], None]) -> None:
        for value in values:
            one(value, append)

    return write
