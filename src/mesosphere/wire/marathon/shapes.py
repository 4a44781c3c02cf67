"""Shapes of JSON: which types, lengths and literals a document may have, and the error codes.

A shape cleans a value and collects every fault with its path: unknown fields and nulls are
dropped, as Marathon ignores both. Codes are those of the original's JSON library
("error.expected.jsstring"), since clients show them; paths are "/apps(0)/id".
"""

import re
from collections.abc import Mapping
from typing import Any

Faults = list[tuple[str, str]]


class Shape:
    """Base: `clean` returns the accepted value; faults go to the list."""

    def clean(self, value: Any, path: str, faults: Faults) -> Any:
        """The value as accepted. What it returns for a faulty value is of no use."""
        raise AssertionError("a shape of its own cleans nothing")


class Text(Shape):
    """A string."""

    def __init__(
        self,
        *,
        least: int = 0,
        most: int | None = None,
        pattern: str | None = None,
        choices: tuple[str, ...] = (),
        fold: bool = False,
    ) -> None:
        self._least = least
        self._most = most
        self._pattern = re.compile(pattern) if pattern is not None else None
        self._choices = choices
        self._fold = fold

    def clean(self, value: Any, path: str, faults: Faults) -> Any:
        """A string within the bounds."""
        if not isinstance(value, str):
            faults.append((path, "error.expected.jsstring"))
            return value
        if len(value) < self._least:
            faults.append((path, "error.minLength"))
        if self._most is not None and len(value) > self._most:
            faults.append((path, "error.maxLength"))
        if self._pattern is not None and self._pattern.match(value) is None:
            faults.append((path, "error.pattern"))
        if self._choices:
            if self._fold:
                value = value.upper()
            if value not in self._choices:
                faults.append((path, "error.unknown.enum.literal"))
        return value


class Number(Shape):
    """A number; `whole` refuses fractions."""

    def __init__(
        self, least: float | None = None, most: float | None = None, *, whole: bool = False
    ) -> None:
        self._least = least
        self._most = most
        self._whole = whole

    def clean(self, value: Any, path: str, faults: Faults) -> Any:
        """An int for `whole`, else a float."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            faults.append((path, "error.expected.jsnumber"))
            return value
        if self._whole and value != int(value):
            faults.append((path, "error.expected.int"))
            return value
        if self._least is not None and value < self._least:
            faults.append((path, "error.min"))
        if self._most is not None and value > self._most:
            faults.append((path, "error.max"))
        return int(value) if self._whole else float(value)


class Switch(Shape):
    """true or false."""

    def clean(self, value: Any, path: str, faults: Faults) -> Any:
        """A boolean."""
        if not isinstance(value, bool):
            faults.append((path, "error.expected.jsboolean"))
        return value


class ListOf(Shape):
    """An array of one shape."""

    def __init__(self, item: Shape, *, least: int = 0, most: int | None = None) -> None:
        self._item = item
        self._least = least
        self._most = most

    def clean(self, value: Any, path: str, faults: Faults) -> Any:
        """A list of cleaned items."""
        if not isinstance(value, list):
            faults.append((path, "error.expected.jsarray"))
            return value
        if len(value) < self._least:
            faults.append((path, "error.minLength"))
        if self._most is not None and len(value) > self._most:
            faults.append((path, "error.maxLength"))
        return [
            self._item.clean(item, f"{path}({index})", faults) for index, item in enumerate(value)
        ]


class MapOf(Shape):
    """An object with free names and values of one shape."""

    def __init__(self, item: Shape) -> None:
        self._item = item

    def clean(self, value: Any, path: str, faults: Faults) -> Any:
        """A dict of cleaned values; nulls are dropped."""
        if not isinstance(value, dict):
            faults.append((path, "error.expected.jsobject"))
            return value
        return {
            name: self._item.clean(item, f"{path}/{name}", faults)
            for name, item in value.items()
            if item is not None
        }


class Record(Shape):
    """An object with known fields; others and nulls are dropped."""

    def __init__(self, fields: Mapping[str, Shape], required: tuple[str, ...] = ()) -> None:
        self._fields = dict(fields)
        self._required = required

    def clean(self, value: Any, path: str, faults: Faults) -> Any:
        """A dict of the known fields that were given."""
        if not isinstance(value, dict):
            faults.append((path or "/", "error.expected.jsobject"))
            return value
        faults.extend(
            (f"{path}/{name}", "error.path.missing")
            for name in self._required
            if value.get(name) is None
        )
        return {
            name: shape.clean(value[name], f"{path}/{name}", faults)
            for name, shape in self._fields.items()
            if value.get(name) is not None
        }


class TextOr(Shape):
    """A string, or else the other shape (environment values, unreachable strategies)."""

    def __init__(self, text: Text, other: Shape) -> None:
        self._text = text
        self._other = other

    def clean(self, value: Any, path: str, faults: Faults) -> Any:
        """A string or what the other shape makes of it."""
        shape = self._text if isinstance(value, str) else self._other
        return shape.clean(value, path, faults)


class Later(Shape):
    """A shape that is defined later (groups hold groups)."""

    def __init__(self) -> None:
        self.shape: Shape | None = None

    def clean(self, value: Any, path: str, faults: Faults) -> Any:
        """What the shape set later makes of it."""
        if self.shape is None:
            raise AssertionError("the shape was never set")
        return self.shape.clean(value, path, faults)


class Anything(Shape):
    """Any JSON."""

    def clean(self, value: Any, path: str, faults: Faults) -> Any:
        """The value as it is."""
        return value
