"""Spoils valid JSON: a few values are dropped, repeated, or replaced by what nobody expects."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as some

STRANGE: list[Any] = [
    None, True, 0, -1, 1.5, 2**31, 2**63, -(2**63), 2**64, 1e308, -0.0, 1e-320,
    "", " ", ".", "..", "/", "../../etc/passwd", "a/b", "a\0b", "a\nb", "a=b", "\ud7ff\u2028",
    "%s{0}", "$(true)", "x" * 300, "x" * 70_000, "NaN", "-Infinity", "AAAA", "1e999999", "UNKNOWN",
    "9" * 400, [], {}, [[]], [None], {"value": None}, {"value": "x"}, {"": {}}, ["x"] * 300,
    [{}] * 20,
]  # fmt: skip
"""What a field may hold instead: other kinds, limits of numbers, names that are paths."""

Place = tuple[str | int, ...]


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Every place within a JSON value but the whole."""
    members: Any = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for key, member in members:
        yield (*above, key)
        yield from places(member, (*above, key))


def _holder(value: Any, place: Place) -> Any:
    for key in place[:-1]:
        value = value[key]
    return value


@some.composite
def spoiled(draw: some.DrawFn, message: Any, keep: tuple[Place, ...] = ()) -> Any:
    """A copy with one to three changes; nothing at `keep`, or above, is touched."""
    value = deepcopy(message)
    for _ in range(draw(some.integers(1, 3))):
        found = [
            place for place in places(value)
            if not any(kept[: len(place)] == place for kept in keep)
        ]  # fmt: skip
        if not found:
            break
        place = draw(some.sampled_from(found))
        holder, key = _holder(value, place), place[-1]
        how = draw(some.sampled_from(["replace", "replace", "drop", "repeat", "swap"]))
        if how == "replace":
            holder[key] = deepcopy(draw(some.sampled_from(STRANGE)))
        elif how == "drop":
            del holder[key]
        elif how == "repeat":
            holder[key] = [deepcopy(holder[key]) for _ in range(3)]
        else:
            other = draw(some.sampled_from(found))
            holder[key] = deepcopy(_read(value, other))
    return value


def _read(value: Any, place: Place) -> Any:
    for key in place:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value
