"""JSON that is not a Mesos message: requests of Marathon and Chronos, state files, small answers.

Everything written is compact ASCII on one line.
"""

from typing import Any

import msgspec

from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos.codec import ascii_json

SIZE_LIMIT = 16 * 1024 * 1024
"""Bytes of one body."""

_ENCODER = msgspec.json.Encoder()


def decode(data: bytes, limit: int = SIZE_LIMIT) -> Any:
    """Read any JSON value. Raises WireError with the position of the fault."""
    if len(data) > limit:
        raise WireError("", f"the body has {len(data)} bytes, more than {limit}")
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise WireError("", f"not JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise WireError("", f"not JSON: not UTF-8 at byte {error.start} of a string") from error
    except RecursionError as error:
        raise WireError("", "not JSON: nested too deeply") from error


def decode_object(data: bytes, limit: int = SIZE_LIMIT) -> dict[str, Any]:
    """Read a JSON object. Raises WireError with the position of the fault."""
    value = decode(data, limit)
    if not isinstance(value, dict):
        raise WireError("", "must be a JSON object")
    return value


def decode_array(data: bytes, limit: int = SIZE_LIMIT) -> list[Any]:
    """Read a JSON array. Raises WireError with the position of the fault."""
    value = decode(data, limit)
    if not isinstance(value, list):
        raise WireError("", "must be a JSON array")
    return value


def encode(value: Any) -> bytes:
    """Write dicts, lists, scalars and structs. Raises WireError for what has no JSON."""
    try:
        data = _ENCODER.encode(value)
    except (UnicodeEncodeError, RecursionError, TypeError) as error:
        raise WireError("", f"cannot be written as JSON: {error}") from error
    return data if data.isascii() else ascii_json(data)


def strip_nulls(value: Any) -> Any:
    """The value without object members that are null, at every level; array members stay."""
    if isinstance(value, dict):
        return {key: strip_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [strip_nulls(member) for member in value]
    return value
