"""Bytes to messages and back, with Mesos's leniency.

Reading tries the typed decoder first; only what it refuses is normalised (`wire.mesos.lenient`) and
tried again, so well-formed messages pay nothing for the rules that exist for the others. The typed
decoder is a little more lenient still: 0, 1, "0" and "1" are booleans to it.

Source: Mesos, 3rdparty/stout/include/stout/protobuf.hpp and json.hpp.
"""

import re
from typing import Any, TypeVar

import msgspec

from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos.lenient import normalise

T = TypeVar("T")

SIZE_LIMIT = 64 * 1024 * 1024
"""Bytes of one message: the limit of a protobuf message, which Mesos inherits."""

_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
_ENCODER = msgspec.json.Encoder()
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


class MessageError(WireError):
    """A body is no such message. Its text is Mesos's own, which clients match; `path` is extra."""

    def __str__(self) -> str:
        return self.message


def decode(data: bytes, kind: type[T], limit: int = SIZE_LIMIT) -> T:
    """Read a JSON message of type `kind`.

    Raises MessageError, whose text is `Failed to parse body into JSON: ...` or
    `Failed to convert JSON into Call protobuf: Missing required fields: ...`.
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind, strict=False)
    if len(data) > limit:
        raise MessageError("", f"Failed to parse body into JSON: more than {limit} bytes")
    try:
        message: T = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return from_plain(_decode_plain(data), kind)
    return message


def decode_list(data: bytes, kind: type[T], limit: int = SIZE_LIMIT) -> list[T]:
    """Read a JSON array of messages; a single object counts as an array of one.

    Raises MessageError.
    """
    if len(data) > limit:
        raise MessageError("", f"Failed to parse body into JSON: more than {limit} bytes")
    value = _decode_plain(data)
    values = value if isinstance(value, list) else [value]
    return [from_plain(member, kind) for member in values]


def _decode_plain(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MessageError("", f"Failed to parse body into JSON: {error}") from error
    except RecursionError as error:
        raise MessageError("", "Failed to parse body into JSON: nested too deeply") from error


def from_plain(value: Any, kind: type[T]) -> T:
    """Dicts, lists and scalars (as a JSON decoder gives them) to a message.

    Raises MessageError.
    """
    prefix = f"Failed to convert JSON into {kind.__name__} protobuf: "
    try:
        return msgspec.convert(normalise(value, kind), kind, strict=False)
    except WireError as error:
        where = f" (at {error.path})" if error.path else ""
        raise MessageError(error.path, prefix + error.message + where) from error
    except msgspec.ValidationError as error:
        raise MessageError("", prefix + str(error)) from error


def encode(message: Any) -> bytes:
    """Write a message (or a list of them) as compact ASCII JSON on one line.

    Raises WireError for what has no JSON (a lone surrogate, NaN).
    """
    try:
        data = _ENCODER.encode(message)
        if b"null" in data:  # seldom: an infinite limit, or the word itself
            data = _ENCODER.encode(to_plain(message))
    except (UnicodeEncodeError, RecursionError) as error:
        raise WireError("", f"cannot be written as JSON: {error}") from error
    return data if data.isascii() else ascii_json(data)


def to_plain(message: Any) -> Any:
    """A message as dicts, lists and scalars, as its JSON would say it.

    Infinity becomes "Infinity". Raises WireError for NaN.
    """
    return _spell_infinity(msgspec.to_builtins(message))


def ascii_json(data: bytes) -> bytes:
    """JSON in UTF-8 to the same JSON in ASCII."""
    return _BEYOND_ASCII.sub(_escape, data.decode()).encode("ascii")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _spell_infinity(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _spell_infinity(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_spell_infinity(member) for member in value]
    if isinstance(value, float):
        if value != value:
            raise WireError("", "cannot be written as JSON: not a number")
        if value in (float("inf"), float("-inf")):
            return "Infinity" if value > 0 else "-Infinity"
    return value
