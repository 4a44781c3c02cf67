"""Operations between the wire and the kernel's conversions.

Source: Mesos, include/mesos/v1/mesos.proto (Offer.Operation), src/common/resources_utils.cpp.
"""

from collections.abc import Callable, Iterable, Mapping

from mesosphere.kernel import conversions
from mesosphere.kernel.conversions import Conversion
from mesosphere.kernel.resource_text import checked_milli
from mesosphere.kernel.resources import Resources, ResourcesError
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos.operations import Operation
from mesosphere.wire.mesos.resources import Resource
from mesosphere.wire.mesos.resources_codec import from_wire

BODIES: Mapping[str, str] = {
    "RESERVE": "reserve",
    "UNRESERVE": "unreserve",
    "CREATE": "create",
    "DESTROY": "destroy",
    "GROW_VOLUME": "grow_volume",
    "SHRINK_VOLUME": "shrink_volume",
}
"""Operations that convert resources, and the field of each."""


def read_conversion(operation: Operation, pool: Resources) -> Conversion:
    """What an operation does to a pool, which is asked only how it writes its volumes.

    Raises WireError if the operation converts nothing or its resources can't be read.
    """
    field = BODIES.get(operation.type)
    if field is None:
        raise WireError("type", f"{operation.type or 'UNKNOWN'} converts no resources")
    if getattr(operation, field) is None:
        raise WireError(field, "is missing")
    return _READERS[operation.type](operation, pool)


def _read(listed: Iterable[Resource], path: str, pool: Resources | None = None) -> Resources:
    found = from_wire(listed, path).allocated_to(None)
    return found if pool is None else conversions.as_held(found, pool)


def _reserve(operation: Operation, pool: Resources) -> Conversion:
    body = operation.reserve
    assert body is not None
    source = _read(body.source, "reserve.source", pool)
    return conversions.reserve(_read(body.resources, "reserve.resources"), source)


def _unreserve(operation: Operation, pool: Resources) -> Conversion:
    assert operation.unreserve is not None
    return conversions.unreserve(_read(operation.unreserve.resources, "unreserve.resources"))


def _create(operation: Operation, pool: Resources) -> Conversion:
    assert operation.create is not None
    return conversions.create(_read(operation.create.volumes, "create.volumes"))


def _destroy(operation: Operation, pool: Resources) -> Conversion:
    assert operation.destroy is not None
    return conversions.destroy(_read(operation.destroy.volumes, "destroy.volumes", pool))


def _grow(operation: Operation, pool: Resources) -> Conversion:
    body = operation.grow_volume
    assert body is not None
    volume = _one_volume(_read([body.volume], "grow_volume.volume", pool), "grow_volume.volume")
    return conversions.grow(volume, _read([body.addition], "grow_volume.addition"))


def _shrink(operation: Operation, pool: Resources) -> Conversion:
    body = operation.shrink_volume
    assert body is not None
    path = "shrink_volume.volume"
    volume = _one_volume(_read([body.volume], path, pool), path)
    try:
        subtract_milli = checked_milli("disk", body.subtract.value)
    except ResourcesError as error:
        raise WireError("shrink_volume.subtract", str(error)) from error
    if not 0 < subtract_milli < volume.scalar("disk"):
        raise WireError("shrink_volume.subtract", "must be greater than 0, less than the volume")
    return conversions.shrink(volume, subtract_milli)


def _one_volume(found: Resources, path: str) -> Resources:
    if len(found) != 1 or not all(conversions.is_volume(identity) for identity, _ in found):
        raise WireError(path, "is not a persistent volume")
    return found


_READERS: Mapping[str, Callable[[Operation, Resources], Conversion]] = {
    "RESERVE": _reserve,
    "UNRESERVE": _unreserve,
    "CREATE": _create,
    "DESTROY": _destroy,
    "GROW_VOLUME": _grow,
    "SHRINK_VOLUME": _shrink,
}
