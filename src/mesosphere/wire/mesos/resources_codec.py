"""Resources between the wire and the kernel's algebra.

The wire has two formats: the old one says `role` (and `reservation` if it is dynamic), the refined
one says `reservations`. Both are read; which is written is the caller's choice, because a framework
without RESERVATION_REFINEMENT knows only the old one.

Source: Mesos, src/common/resources.cpp (validate) and src/common/resources_utils.cpp.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from functools import lru_cache
from itertools import pairwise

from mesosphere.kernel.ids import check_id
from mesosphere.kernel.ranges import Ranges as KernelRanges
from mesosphere.kernel.ranges import coalesce
from mesosphere.kernel.resource_text import check_role, checked_milli, parse_resources
from mesosphere.kernel.resources import (
    RANGES,
    SCALAR,
    SET,
    Amount,
    Disk,
    Identity,
    Reservation,
    Resources,
    ResourcesError,
    number,
)
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec
from mesosphere.wire.mesos.common import Label, Labels
from mesosphere.wire.mesos.containers import Volume
from mesosphere.wire.mesos.ids import ResourceProviderID
from mesosphere.wire.mesos.resources import (
    AllocationInfo,
    DiskInfo,
    DiskSource,
    Persistence,
    Range,
    Ranges,
    ReservationInfo,
    Resource,
    RevocableInfo,
    Scalar,
    Set,
    SharedInfo,
)

RANGE_LIMIT = 100_000
"""Ranges of one resource."""


class Format(Enum):
    """How reservations are written."""

    OLD = "role and reservation"  # frameworks without RESERVATION_REFINEMENT
    REFINED = "reservations"
    BOTH = "both where the old can say it"  # endpoints


# --- reading ------------------------------------------------------------------------------------


def from_wire(resources: Iterable[Resource], path: str = "resources") -> Resources:
    """Add up wire resources. Raises WireError with the path of the one at fault."""
    amounts = []
    for position, resource in enumerate(resources):
        try:
            amounts.append(_read(resource))
        except ResourcesError as error:
            raise WireError(f"{path}[{position}]", f"{resource.name}: {error}") from error
    return Resources(amounts)


def _read(resource: Resource) -> tuple[Identity, Amount]:
    if not resource.name:
        raise ResourcesError("Empty resource name")
    amount = _read_amount(resource)
    disk = None if resource.disk is None else _read_disk(resource)
    is_shared = resource.shared is not None
    if is_shared and (disk is None or disk.persistence_id is None):
        raise ResourcesError("Only persistent volumes can be shared")
    reservations: tuple[Reservation, ...] = ()
    if resource.reservations or resource.reservation or resource.role not in (None, "*"):
        reservations = _read_reservations(resource)
    if disk is not None and disk.persistence_id is not None:
        _check_volume(resource, reservations)
    is_indivisible = disk is not None and disk.is_indivisible
    identity = Identity(
        resource.name,
        resource.type,
        reservations,
        None if resource.allocation_info is None else resource.allocation_info.role,
        disk,
        resource.revocable is not None,
        is_shared,
        None if resource.provider_id is None else resource.provider_id.value,
        amount if is_indivisible else None,  # type: ignore[arg-type]
    )
    return identity, (1 if amount else 0) if is_indivisible else amount


def _read_amount(resource: Resource) -> Amount:
    kind = resource.type
    if kind == "TEXT":
        raise ResourcesError("Unsupported resource type TEXT")
    given = (
        resource.scalar is not None,
        resource.ranges is not None,
        resource.set is not None,
    )
    if given != (kind == SCALAR, kind == RANGES, kind == SET):
        raise ResourcesError(f"Invalid {kind.lower()} resource: its value is of another type")
    if resource.scalar is not None:
        return checked_milli(resource.name, resource.scalar.value)
    if resource.ranges is not None:
        return read_ranges(resource.ranges)
    items = resource.set.item if resource.set is not None else []
    if len(set(items)) != len(items):
        raise ResourcesError("Invalid set resource: duplicated elements")
    return tuple(sorted(items))


def read_ranges(ranges: Ranges) -> KernelRanges:
    """Wire ranges as kernel ranges. Raises ResourcesError if inverted or overlapping."""
    if len(ranges.range) > RANGE_LIMIT:
        raise ResourcesError(f"Invalid ranges resource: more than {RANGE_LIMIT} ranges")
    pairs = sorted((range.begin, range.end) for range in ranges.range)
    last = -1
    for begin, end in pairs:
        if begin > end:
            raise ResourcesError("Invalid ranges resource: begin > end")
        if begin <= last:
            raise ResourcesError("Invalid ranges resource: overlapping ranges")
        last = end
    return coalesce(pairs)


def _check_volume(resource: Resource, reservations: tuple[Reservation, ...]) -> None:
    info = resource.disk
    assert info is not None and info.persistence is not None
    if resource.revocable is not None:
        raise ResourcesError("Persistent volumes cannot be created from revocable resources")
    if not reservations:
        raise ResourcesError("Persistent volumes cannot be created from unreserved resources")
    if info.volume is None:
        raise ResourcesError("Expecting 'volume' to be set for persistent volume")
    if info.volume.host_path is not None:
        raise ResourcesError("Expecting 'host_path' to be unset for persistent volume")
    fault = check_id(info.persistence.id, "Persistence ID")
    if fault is not None:
        raise ResourcesError(f"Invalid persistence ID for persistent volume: {fault}")


def _read_disk(resource: Resource) -> Disk:
    info = resource.disk
    assert info is not None
    if resource.name != "disk" or resource.type != SCALAR:
        raise ResourcesError(f"DiskInfo should not be set for {resource.name} resource")
    source = info.source
    if source is not None:
        if source.type == "UNKNOWN":
            raise ResourcesError("Unsupported 'DiskInfo.Source.Type'")
        if source.type in ("BLOCK", "RAW") and (source.path or source.mount):
            raise ResourcesError(f"Neither path nor mount belongs to a {source.type} disk source")
    if info.persistence is None and info.volume is not None:
        raise ResourcesError("Non-persistent volume not supported")
    if info.persistence is None and source is None:
        raise ResourcesError("DiskInfo is set but empty")
    return Disk(
        None if info.persistence is None else info.persistence.id,
        None if info.persistence is None else info.persistence.principal,
        b"" if info.volume is None else codec.encode(info.volume),
        None if source is None else source.type,
        None if source is None else source.id,
        b"" if source is None else codec.encode(source),
    )


def _read_reservations(resource: Resource) -> tuple[Reservation, ...]:
    role = resource.role
    if not resource.reservations:
        old = resource.reservation
        if role is None or role == "*":
            raise ResourcesError('Invalid reservation: role "*" cannot be dynamically reserved')
        check_role(role)
        if old is None:
            return (Reservation("STATIC", role),)
        if old.type is not None or old.role is not None:
            raise ResourcesError("'Resource.reservation' must have neither type nor role")
        return (Reservation("DYNAMIC", role, old.principal, read_labels(old.labels)),)
    stack = tuple(_read_reservation(info) for info in resource.reservations)
    for below, above in pairwise(stack):
        if above.kind == "STATIC":
            raise ResourcesError(
                "Invalid refined reservation: A refined reservation cannot be STATIC"
            )
        if not above.role.startswith(below.role + "/"):
            raise ResourcesError(
                f"Invalid refined reservation: role '{above.role}' is not a refinement of"
                f" '{below.role}'"
            )
    _check_both_formats(resource, stack)
    return stack


def _read_reservation(info: ReservationInfo) -> Reservation:
    if info.type not in ("STATIC", "DYNAMIC"):
        raise ResourcesError(
            "Invalid reservation: 'Resource.ReservationInfo.type' field must be set."
        )
    if info.role is None:
        raise ResourcesError(
            "Invalid reservation: 'Resource.ReservationInfo.role' field must be set."
        )
    if info.role == "*":
        raise ResourcesError('Invalid reservation: role "*" cannot be reserved')
    return Reservation(info.type, check_role(info.role), info.principal, read_labels(info.labels))


def _check_both_formats(resource: Resource, stack: tuple[Reservation, ...]) -> None:
    old = resource.reservation
    if resource.role is None and old is None:
        return
    top = stack[0]
    if len(stack) > 1:
        raise ResourcesError(
            "Invalid resource format: 'Resource.role' and 'Resource.reservation' must not be set"
            " if there is more than one reservation in 'Resource.reservations'"
        )
    if resource.role is not None and resource.role != top.role:
        raise ResourcesError(
            f"Invalid resource format: 'Resource.role' field with '{resource.role}' does not match"
            f" the role '{top.role}' in 'Resource.reservations'"
        )
    if (old is not None) != (top.kind == "DYNAMIC") or resource.role is None:
        raise ResourcesError(
            "Invalid resource format: 'Resource.reservation' does not match the type of"
            " 'Resource.reservations'"
        )
    if old is not None and (old.principal, read_labels(old.labels)) != (top.principal, top.labels):
        raise ResourcesError(
            "Invalid resource format: 'Resource.reservation' does not match 'Resource.reservations'"
        )


def read_labels(labels: Labels | None) -> tuple[tuple[str, str | None], ...]:
    """Labels as the hashable pairs of the kernel."""
    return () if labels is None else tuple((label.key, label.value) for label in labels.labels)


def write_labels(pairs: tuple[tuple[str, str | None], ...]) -> Labels | None:
    """The inverse of `read_labels`."""
    if not pairs:
        return None
    return Labels(labels=[Label(key=key, value=value) for key, value in pairs])


def parse(text: str, default_role: str = "*") -> Resources:
    """The value of `--resources`: the text form, or a JSON array of Resource objects.

    Raises ResourcesError. Volumes, revocable resources and dynamic reservations are refused.
    """
    if not text.lstrip().startswith("["):
        return parse_resources(text, default_role)
    try:
        listed = codec.decode_list(text.encode("utf-8", "replace"), Resource)
        for resource in listed:
            if resource.role is None and not resource.reservations:
                resource.role = default_role
        resources = from_wire(listed)
    except WireError as error:
        raise ResourcesError(str(error)) from error
    kinds: dict[str, str] = {}
    for identity, _ in resources:
        if kinds.setdefault(identity.name, identity.kind) != identity.kind:
            raise ResourcesError(f"{identity.name} has two types")
        if identity.is_revocable:
            raise ResourcesError(f"{identity.name}: revocable resources come from the estimator")
        if identity.disk is not None and identity.disk.persistence_id is not None:
            raise ResourcesError("persistent volumes cannot be given by a flag")
        if any(reservation.kind == "DYNAMIC" for reservation in identity.reservations):
            raise ResourcesError(f"{identity.name}: a flag cannot reserve dynamically")
    return resources


# --- writing ------------------------------------------------------------------------------------


def to_wire(
    resources: Resources, form: Format = Format.REFINED, with_allocation: bool = True
) -> list[Resource]:
    """Write resources, in their order. A shared or indivisible one comes once per count.

    Refined stacks of more than one level have no old form and are written in the refined one.
    """
    result = []
    for identity, amount in resources:
        write = _writer(identity, form, with_allocation)
        if identity.unit is None:
            result.append(write(amount))
        else:
            assert isinstance(amount, int)
            result += [write(identity.unit) for _ in range(amount)]
    return result


@lru_cache(maxsize=16_384)
def _writer(
    identity: Identity, form: Format, with_allocation: bool
) -> Callable[[Amount], Resource]:
    """A function amount -> Resource, with all but the amount prepared (and shared)."""
    stack = identity.reservations
    shows_refined = form is not Format.OLD or len(stack) > 1
    shows_old = form is not Format.REFINED and len(stack) <= 1
    role = allocation = reservation = None
    if shows_old:
        role = stack[0].role if stack else "*"
        if stack and stack[0].kind == "DYNAMIC":
            reservation = ReservationInfo(
                principal=stack[0].principal, labels=write_labels(stack[0].labels)
            )
    if with_allocation and identity.allocation_role is not None:
        allocation = AllocationInfo(role=identity.allocation_role)
    reservations = [_write_reservation(level) for level in stack] if shows_refined else []
    disk = None if identity.disk is None else _write_disk(identity.disk)
    provider = None
    if identity.provider_id is not None:
        provider = ResourceProviderID(identity.provider_id)
    revocable = RevocableInfo() if identity.is_revocable else None
    shared = SharedInfo() if identity.is_shared else None

    def write(amount: Amount) -> Resource:
        return Resource(
            provider_id=provider,
            name=identity.name,
            type=identity.kind,
            scalar=Scalar(value=number(amount)) if isinstance(amount, int) else None,
            ranges=write_ranges(amount) if identity.kind == RANGES else None,  # type: ignore[arg-type]
            set=Set(item=list(amount)) if identity.kind == SET else None,  # type: ignore[arg-type]
            role=role,
            allocation_info=allocation,
            reservation=reservation,
            reservations=reservations,
            disk=disk,
            revocable=revocable,
            shared=shared,
        )

    return write


def write_ranges(ranges: KernelRanges) -> Ranges:
    """Kernel ranges as wire ranges."""
    return Ranges(range=[Range(begin=begin, end=end) for begin, end in ranges])


def _write_reservation(level: Reservation) -> ReservationInfo:
    return ReservationInfo(
        type=level.kind,
        role=level.role,
        principal=level.principal,
        labels=write_labels(level.labels),
    )


def _write_disk(disk: Disk) -> DiskInfo:
    persistence = None
    if disk.persistence_id is not None:
        persistence = Persistence(id=disk.persistence_id, principal=disk.persistence_principal)
    return DiskInfo(
        persistence=persistence,
        volume=codec.decode(disk.volume, Volume) if disk.volume else None,
        source=codec.decode(disk.source, DiskSource) if disk.source else None,
    )
