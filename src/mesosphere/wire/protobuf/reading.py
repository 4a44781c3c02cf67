"""How each kind of field is read: readers that take bytes and fill in a message's values.

A reader is called at the byte behind its field's tag and answers where the field ends. Bytes that
run over the end of their message are noticed by who reads the message, those that run over the
end of everything are an IndexError.

Source: Protocol Buffers, "Encoding".
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any

from mesosphere.wire.errors import WireError

Reader = Callable[[bytes, int, int, dict[str, Any]], int]
"""(data, position, end of the message, values) -> position behind the field."""

Value = Callable[[bytes, int, int], tuple[Any, int]]
"""(data, position, end of the message) -> one value and the position behind it."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types: the low three bits of a tag."""

UINT64 = 2**64
_DOUBLE = struct.Struct("<d")
_VARINT_BITS = 70


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """An unsigned number of 64 bits at most, and the position behind it."""
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result % UINT64, position
        shift += 7
        if shift >= _VARINT_BITS:
            raise WireError("", "a number of more than ten bytes")


def read_span(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Where bytes of a declared length begin and stop."""
    size = data[position]
    position += 1
    if size > 0x7F:
        size, position = read_varint(data, position - 1)
    stop = position + size
    if stop > end:
        raise WireError("", "cut short")
    return position, stop


def skip(data: bytes, position: int, end: int, tag: int) -> int:
    """The position behind a field that nobody knows."""
    kind = tag & 7
    if tag >> 3 == 0:
        raise WireError("", "a field with the number 0")
    if kind == VARINT:
        return read_varint(data, position)[1]
    if kind == BYTES:
        return read_span(data, position, end)[1]
    if kind in (FIXED64, FIXED32):
        return position + (8 if kind == FIXED64 else 4)
    raise WireError("", f"wire type {kind} is not known")


def string(data: bytes, position: int, end: int) -> tuple[str, int]:
    """Text in UTF-8."""
    start, stop = read_span(data, position, end)
    return data[start:stop].decode(), stop


def octets(data: bytes, position: int, end: int) -> tuple[bytes, int]:
    """Bytes as they are."""
    start, stop = read_span(data, position, end)
    return data[start:stop], stop


def boolean(data: bytes, position: int, end: int) -> tuple[bool, int]:
    """Any number but 0 is true."""
    value, position = read_varint(data, position)
    return value != 0, position


def double(data: bytes, position: int, end: int) -> tuple[float, int]:
    """A number of eight bytes."""
    if position + 8 > end:
        raise WireError("", "cut short")
    return _DOUBLE.unpack_from(data, position)[0], position + 8


def unsigned(bits: int) -> Value:
    """A number without a sign; what is above its bits is cut off."""
    modulus = 1 << bits

    def read(data: bytes, position: int, end: int) -> tuple[int, int]:
        value, position = read_varint(data, position)
        return value % modulus, position

    return read


def signed(bits: int) -> Value:
    """A number with a sign, as two's complement."""
    modulus, half = 1 << bits, 1 << (bits - 1)

    def read(data: bytes, position: int, end: int) -> tuple[int, int]:
        value, position = read_varint(data, position)
        value %= modulus
        return value - modulus if value >= half else value, position

    return read


def enum(names: Mapping[int, str]) -> Value:
    """The name of a value; None for one that nobody knows, which counts as absent."""
    read_number = signed(32)

    def read(data: bytes, position: int, end: int) -> tuple[str | None, int]:
        number, position = read_number(data, position, end)
        return names.get(number), position

    return read


SCALARS: Mapping[str, tuple[int, Value]] = {
    "string": (BYTES, string),
    "bytes": (BYTES, octets),
    "bool": (VARINT, boolean),
    "double": (FIXED64, double),
    "int32": (VARINT, signed(32)),
    "int64": (VARINT, signed(64)),
    "uint32": (VARINT, unsigned(32)),
    "uint64": (VARINT, unsigned(64)),
}
"""Wire type and value reader of each scalar."""


def bounded(value: Value, least: float | None, most: float | None) -> Value:
    """A number that the struct keeps within bounds; anything else (NaN, too) is refused."""
    if least is None and most is None:
        return value
    low = float("-inf") if least is None else least
    high = float("inf") if most is None else most

    def read(data: bytes, position: int, end: int) -> tuple[Any, int]:
        number, position = value(data, position, end)
        if not low <= number <= high:
            raise WireError("", f"{number} is not between {low} and {high}")
        return number, position

    return read


def single(name: str, value: Value) -> Reader:
    """The last one counts; None is no value."""

    def read(data: bytes, position: int, end: int, values: dict[str, Any]) -> int:
        found, position = value(data, position, end)
        if found is not None:
            values[name] = found
        return position

    return read


def single_string(name: str) -> Reader:
    """A text: what messages are made of, so it is read in one go."""

    def read(data: bytes, position: int, end: int, values: dict[str, Any]) -> int:
        size = data[position]
        position += 1
        if size > 0x7F:
            size, position = read_varint(data, position - 1)
        stop = position + size
        if stop > end:
            raise WireError("", "cut short")
        values[name] = data[position:stop].decode()
        return stop

    return read


def repeated(name: str, value: Value) -> Reader:
    """One more of a list."""

    def read(data: bytes, position: int, end: int, values: dict[str, Any]) -> int:
        found, position = value(data, position, end)
        if found is not None:
            values.setdefault(name, []).append(found)
        return position

    return read


def packed(name: str, value: Value) -> Reader:
    """Several numbers in one field, without tags between them."""

    def read(data: bytes, position: int, end: int, values: dict[str, Any]) -> int:
        position, stop = read_span(data, position, end)
        found = values.setdefault(name, [])
        while position < stop:
            member, position = value(data, position, stop)
            if member is not None:
                found.append(member)
        if position != stop:
            raise WireError("", "cut short")
        return stop

    return read
