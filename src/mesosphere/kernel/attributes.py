"""Attributes of an agent: `--attributes` as text, and the flat object of the legacy JSON.

    rack:abc;zone:west;level:10;keys:[1000-1500]

Entries are split at `;` or a newline, name and value at the first `:`. A value is a scalar, ranges
or text; sets are refused. A name may come twice; both are kept, the flat object shows the last.

Source: Mesos, docs/attributes-resources.md; src/common/attributes.cpp.
"""

from collections.abc import Iterable

import msgspec

from mesosphere.kernel.ranges import Ranges
from mesosphere.kernel.resource_text import TEXT_LIMIT, parse_value
from mesosphere.kernel.resources import RANGES, SCALAR, ResourcesError, format_ranges, milli, number

TEXT = "TEXT"


class Attribute(msgspec.Struct, frozen=True, gc=False):
    """`value` is thousandths (SCALAR), ranges (RANGES) or a string (TEXT)."""

    name: str
    kind: str
    value: int | Ranges | str

    @property
    def text(self) -> str:
        """As constraints compare it and people read it: `10`, `[1000-1500]`, `west`."""
        if isinstance(self.value, int):
            return f"{number(self.value):.15g}"
        return self.value if isinstance(self.value, str) else format_ranges(self.value)


class AttributesError(ValueError):
    """The text is not a list of attributes; the message names the entry at fault."""


def parse_attributes(text: str) -> tuple[Attribute, ...]:
    """Read the text of `--attributes`. Raises AttributesError."""
    if len(text) > TEXT_LIMIT:
        raise AttributesError(f"more than {TEXT_LIMIT} characters")
    return tuple(
        _parse_entry(entry) for entry in text.replace("\n", ";").split(";") if entry.strip()
    )


def _parse_entry(entry: str) -> Attribute:
    name, _, value = entry.partition(":")
    name = name.strip()
    if not name or not value.strip():
        raise AttributesError(f"'{entry.strip()}' is not name:value")
    try:
        kind, parsed = parse_value(value)
        if isinstance(parsed, float):
            return Attribute(name, SCALAR, milli(parsed))
    except ResourcesError as error:
        raise AttributesError(f"'{entry.strip()}': {error}") from None
    if isinstance(parsed, str):
        return Attribute(name, TEXT, parsed)
    if kind != RANGES:
        raise AttributesError(f"'{entry.strip()}': an attribute cannot be a set")
    return Attribute(name, RANGES, parsed)  # type: ignore[arg-type]


def flat(attributes: Iterable[Attribute]) -> dict[str, float | str]:
    """`{name: value}` of the legacy JSON: scalars are numbers, all else strings."""
    return {
        attribute.name: number(attribute.value)
        if isinstance(attribute.value, int)
        else attribute.text
        for attribute in attributes
    }
