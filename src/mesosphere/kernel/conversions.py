"""What operations do to resources: one part of a pool becomes another of the same size.

Decides what RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME and SHRINK_VOLUME take out of a pool
and what they put in its place. Master and agent both apply them, so both must come to the same.

Vocabulary: a *volume* is a disk with a persistence id; *bare* is a resource as the agent's flags
gave it, without dynamic reservations and volumes; what an agent must remember over a restart is
*checkpointed*. How a volume is mounted (`Disk.volume`) is its user's choice at each launch and no
part of what it is: `as_held` finds the volume that is meant.

Invariants: the scalars of `consumed` and `converted` are equal; a pool that lacks what is consumed
is refused and stays as it was; `bare` undoes every conversion.

Source: Mesos, src/common/resources_utils.cpp (getResourceConversions, applyCheckpointedResources).
"""

import msgspec

from mesosphere.kernel.resources import (
    EMPTY,
    Amount,
    Identity,
    Resources,
    ResourcesError,
)


class Conversion(msgspec.Struct, frozen=True, gc=False):
    """`consumed` leaves the pool, `converted` takes its place."""

    consumed: Resources
    converted: Resources


def reserve(resources: Resources, source: Resources = EMPTY) -> Conversion:
    """Push the top reservation of `resources`; with a source: change its reservations to these."""
    return Conversion(source if source else without_top(resources), resources)


def unreserve(resources: Resources) -> Conversion:
    """Take the top reservation away."""
    return Conversion(resources, without_top(resources))


def create(volumes: Resources) -> Conversion:
    """Reserved disk becomes volumes."""
    return Conversion(without_volumes(volumes), volumes)


def destroy(volumes: Resources) -> Conversion:
    """Volumes become reserved disk again; a shared one counts once, however often it is named."""
    once = each_once(volumes)
    return Conversion(once, without_volumes(once))


def grow(volume: Resources, addition: Resources) -> Conversion:
    """One volume and disk of its kind become one larger volume."""
    return Conversion(volume + addition, _resized(volume, addition.scalar("disk")))


def shrink(volume: Resources, subtract_milli: int) -> Conversion:
    """A part of one volume becomes disk again."""
    ((identity, _),) = volume
    rest, _ = _without_volume(identity, 1)
    freed = Resources([(rest, subtract_milli)])
    return Conversion(volume, _resized(volume, -subtract_milli) + freed)


def convert(pool: Resources, conversion: Conversion) -> Resources:
    """The pool afterwards. Raises ResourcesError if something that is consumed is not there."""
    if not pool.contains(conversion.consumed):
        missing = conversion.consumed - pool
        raise ResourcesError(f"{pool!r} does not contain {missing!r}")
    return pool - conversion.consumed + conversion.converted


def _resized(volume: Resources, by_milli: int) -> Resources:
    ((identity, amount),) = volume
    assert identity.unit is not None
    larger = msgspec.structs.replace(identity, unit=identity.unit + by_milli)
    return Resources([(larger, amount)])


def without_top(resources: Resources) -> Resources:
    """Everything with its top reservation taken away."""
    return Resources(
        (msgspec.structs.replace(identity, reservations=identity.reservations[:-1]), amount)
        for identity, amount in resources
    )


def unreserved(resources: Resources) -> Resources:
    """Everything without any reservation."""
    return Resources(
        (msgspec.structs.replace(identity, reservations=()), amount)
        for identity, amount in resources
    )


def is_volume(identity: Identity) -> bool:
    """Whether it is a persistent volume."""
    return identity.disk is not None and identity.disk.persistence_id is not None


def is_dynamic(identity: Identity) -> bool:
    """Whether an operation reserved it last."""
    return bool(identity.reservations) and identity.reservations[-1].kind == "DYNAMIC"


def each_once(resources: Resources) -> Resources:
    """Shared volumes counted once, however many use them; everything else as it is."""
    return Resources((identity, 1 if identity.is_shared else n) for identity, n in resources)


def without_volumes(resources: Resources) -> Resources:
    """Volumes as the disk that they were made of; everything else as it is."""
    return Resources(_without_volume(identity, amount) for identity, amount in resources)


def _without_volume(identity: Identity, amount: Amount) -> tuple[Identity, Amount]:
    if not is_volume(identity):
        return identity, amount
    disk, unit = identity.disk, identity.unit
    assert disk is not None and unit is not None and isinstance(amount, int)
    whole = msgspec.structs.replace(
        disk, persistence_id=None, persistence_principal=None, volume=b""
    )
    if whole.is_indivisible:
        return msgspec.structs.replace(identity, disk=whole, is_shared=False), amount
    rest = None if whole.source_kind is None else whole
    plain = msgspec.structs.replace(identity, disk=rest, is_shared=False, unit=None)
    return plain, unit * amount


# --- what an agent remembers ----------------------------------------------------------------------


def checkpointed(total: Resources) -> Resources:
    """The part that flags do not give: dynamic reservations and volumes."""
    return total.where(_is_checkpointed)


def _is_checkpointed(identity: Identity) -> bool:
    return is_volume(identity) or any(each.kind == "DYNAMIC" for each in identity.reservations)


def bare(resources: Resources) -> Resources:
    """Everything as flags give it."""
    plain = without_volumes(each_once(resources))
    return Resources(
        (
            msgspec.structs.replace(
                identity,
                reservations=tuple(r for r in identity.reservations if r.kind == "STATIC"),
            ),
            amount,
        )
        for identity, amount in plain
    )


def restore(configured: Resources, remembered: Resources) -> Resources:
    """What an agent has: its flags' resources with what was remembered converted back.

    Raises ResourcesError if the flags no longer give what was reserved.
    """
    needed = bare(remembered)
    if not configured.contains(needed):
        missing = needed - configured
        raise ResourcesError(f"{configured!r} does not contain the reserved {missing!r}")
    return configured - needed + remembered


# --- finding a volume -----------------------------------------------------------------------------


def as_held(wanted: Resources, holder: Resources) -> Resources:
    """`wanted`, with each volume written as `holder` writes it."""
    if not any(is_volume(identity) for identity, _ in wanted):
        return wanted
    known = {_unmounted(identity): identity for identity, _ in holder if is_volume(identity)}
    return Resources(
        (known.get(_unmounted(identity), identity), amount) for identity, amount in wanted
    )


def _unmounted(identity: Identity) -> Identity:
    if identity.disk is None:
        return identity
    return msgspec.structs.replace(
        identity, disk=msgspec.structs.replace(identity.disk, volume=b"")
    )
