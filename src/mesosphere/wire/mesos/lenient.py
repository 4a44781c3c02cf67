"""Turns JSON that only Mesos would accept into JSON that the typed decoder accepts.

Decides, field by field, what a lenient reader of proto2 JSON does: null is absence, a value where
an array belongs is an array of one, an unknown name of an optional enumeration is absence,
numbers and booleans may be strings. Finds every missing required field, for one error that names
them all.

Source: Mesos, 3rdparty/stout/include/stout/protobuf.hpp.
"""

import base64
from typing import Any

import msgspec
from msgspec import inspect

from mesosphere.wire.errors import WireError

DEPTH_LIMIT = 100
"""Levels of nesting in what is kept; protobuf's own limit."""


def normalise(value: Any, kind: type) -> Any:
    """Plain JSON to plain JSON that `msgspec.convert(.., kind)` takes. Raises WireError."""
    missing: list[str] = []
    result = _message(value, _shape(kind), "", missing, 0)
    if missing:
        raise WireError("", "Missing required fields: " + ", ".join(missing))
    return result


_SHAPES: dict[type, inspect.StructType] = {}
_UNSET = object()


def _shape(kind: type) -> inspect.StructType:
    shape = _SHAPES.get(kind)
    if shape is None:
        found = inspect.type_info(kind)
        if not isinstance(found, inspect.StructType):
            raise TypeError(f"{kind} is not a message")
        shape = _SHAPES[kind] = found
    return shape


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _message(
    value: Any, shape: inspect.StructType, path: str, missing: list[str], depth: int
) -> Any:
    if not isinstance(value, dict):
        raise WireError(path, "Expecting a JSON object" if not path else _unexpected(value, path))
    if depth > DEPTH_LIMIT:
        raise WireError(path, f"nested more than {DEPTH_LIMIT} deep")
    result = {}
    for field in shape.fields:
        given = value.get(field.encode_name)
        where = _join(path, field.encode_name)
        member = _UNSET if given is None else _field(given, field.type, where, missing, depth + 1)
        if member is not _UNSET:
            result[field.encode_name] = member
        elif field.required:
            if given is not None:
                raise WireError(where, f"Failed to find enum for '{given}'")
            missing.append(where)
    return result


def _field(value: Any, kind: inspect.Type, path: str, missing: list[str], depth: int) -> Any:
    if isinstance(kind, inspect.UnionType):
        kind = next(part for part in kind.types if not isinstance(part, inspect.NoneType))
    if isinstance(kind, inspect.StructType):
        return _message(value, kind, path, missing, depth)
    if isinstance(kind, inspect.ListType):
        values = value if isinstance(value, list) else [value]
        members = (
            _field(member, kind.item_type, f"{path}[{number}]", missing, depth + 1)
            for number, member in enumerate(values)
            if member is not None
        )
        return [member for member in members if member is not _UNSET]
    if isinstance(kind, inspect.DictType):
        if not isinstance(value, dict):
            raise WireError(path, _unexpected(value, path))
        return {
            key: _field(member, kind.value_type, f"{path}[{key}]", missing, depth + 1)
            for key, member in value.items()
            if member is not None
        }
    if isinstance(kind, inspect.LiteralType):
        if not isinstance(value, str):
            raise WireError(path, _unexpected(value, path))
        return value if value in kind.values else _UNSET
    return _scalar(value, kind, path)


def _scalar(value: Any, kind: inspect.Type, path: str) -> Any:
    if isinstance(kind, inspect.StrType):
        accepted = isinstance(value, str)
    elif isinstance(kind, inspect.BytesType):
        accepted = isinstance(value, str)
        if accepted:
            return _decode_base64(value, path)
    elif isinstance(kind, inspect.BoolType):
        if value in ("true", "false") and isinstance(value, str):
            return value == "true"
        accepted = isinstance(value, bool)
    else:
        return _number(value, kind, path)
    if not accepted:
        raise WireError(path, _unexpected(value, path))
    return value


def _decode_base64(text: str, path: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        message = f"Failed to base64 decode bytes field '{_name(path)}': {error}"
        raise WireError(path, message) from error


def _number(value: Any, kind: inspect.Type, path: str) -> Any:
    if isinstance(value, str):
        if value == "Infinity" and isinstance(kind, inspect.FloatType):
            return float("inf")
        value = _parse_number(value, path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WireError(path, _unexpected(value, path))
    if isinstance(kind, inspect.FloatType):
        return _bounded_float(value, path)
    if isinstance(value, float) and not value.is_integer():
        raise WireError(path, f"field '{_name(path)}' must be an integer, not {value}")
    assert isinstance(kind, inspect.IntType)
    whole = int(value)
    low, high = kind.ge or 0, kind.le or 2**64 - 1
    if not low <= whole <= high:
        raise WireError(path, f"field '{_name(path)}' must be between {low} and {high}")
    return whole


def _bounded_float(value: int | float, path: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise WireError(path, f"field '{_name(path)}' is out of range") from error


def _parse_number(text: str, path: str) -> Any:
    try:
        value = msgspec.json.decode(text.encode("utf-8", "replace")) if len(text) <= 64 else None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WireError(
            path, f"Failed to parse '{text[:64]}' as a JSON number for field '{_name(path)}'"
        )
    return value


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def _unexpected(value: Any, path: str) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean"}
    return f"Not expecting a JSON {names.get(type(value), 'number')} for field '{_name(path)}'"
