"""Attributes of agents between the wire and the kernel.

Source: Mesos, src/common/attributes.cpp.
"""

from collections.abc import Iterable

from mesosphere.kernel.attributes import Attribute
from mesosphere.kernel.resources import RANGES, SCALAR, SET, ResourcesError, milli, number
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos.resources import Attribute as WireAttribute
from mesosphere.wire.mesos.resources import Scalar, Text
from mesosphere.wire.mesos.resources_codec import read_ranges, write_ranges


def to_wire(attributes: Iterable[Attribute]) -> list[WireAttribute]:
    """Attributes of an agent as they travel."""
    return [
        WireAttribute(
            name=attribute.name,
            type=attribute.kind,
            scalar=Scalar(value=number(attribute.value))
            if isinstance(attribute.value, int)
            else None,
            ranges=write_ranges(attribute.value) if isinstance(attribute.value, tuple) else None,
            text=Text(value=attribute.value) if isinstance(attribute.value, str) else None,
        )
        for attribute in attributes
    ]


def from_wire(
    attributes: Iterable[WireAttribute], path: str = "attributes"
) -> tuple[Attribute, ...]:
    """Attributes as the kernel keeps them; a set becomes its text. Raises WireError."""
    return tuple(
        _read_attribute(attribute, f"{path}[{position}]")
        for position, attribute in enumerate(attributes)
    )


def _read_attribute(attribute: WireAttribute, path: str) -> Attribute:
    try:
        if attribute.type == SCALAR and attribute.scalar is not None:
            return Attribute(attribute.name, SCALAR, milli(attribute.scalar.value))
        if attribute.type == RANGES and attribute.ranges is not None:
            return Attribute(attribute.name, RANGES, read_ranges(attribute.ranges))
    except ResourcesError as error:
        raise WireError(path, f"{attribute.name}: {error}") from error
    if attribute.type == "TEXT" and attribute.text is not None:
        return Attribute(attribute.name, "TEXT", attribute.text.value)
    if attribute.type == SET and attribute.set is not None:
        return Attribute(attribute.name, "TEXT", "{" + ", ".join(attribute.set.item) + "}")
    raise WireError(path, f"{attribute.name}: its value is not of type {attribute.type}")
