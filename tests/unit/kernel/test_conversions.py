"""Conversions of resources: exact, of equal size, undone by their opposites."""

import pytest

from mesosphere.kernel.conversions import (
    Conversion,
    as_held,
    bare,
    checkpointed,
    convert,
    create,
    destroy,
    grow,
    reserve,
    restore,
    shrink,
    unreserve,
    without_top,
)
from mesosphere.kernel.resources import (
    EMPTY,
    Disk,
    Identity,
    Reservation,
    Resources,
    ResourcesError,
)

STATIC = Reservation("STATIC", "a")
DYNAMIC = Reservation("DYNAMIC", "a", "p")
REFINED = Reservation("DYNAMIC", "a/b", "p")
PLAIN = Disk("v1", "p", b'{"mode":"RW","container_path":"data"}')
MOUNT = Disk(source_kind="MOUNT", source=b'{"type":"MOUNT"}')
PATH = Disk(source_kind="PATH", source=b'{"type":"PATH"}')


def disk(mib: int, *reservations: Reservation, disk: Disk | None = None) -> Resources:
    """Divisible disk, or a whole one."""
    whole = disk is not None and disk.is_indivisible
    identity = Identity(
        "disk", reservations=reservations, disk=disk, unit=mib * 1000 if whole else None
    )
    return Resources([(identity, 1 if whole else mib * 1000)])


def volume(
    mib: int, *reservations: Reservation, of: Disk = PLAIN, shared: bool = False
) -> Resources:
    identity = Identity(
        "disk", reservations=reservations, disk=of, is_shared=shared, unit=mib * 1000
    )
    return Resources([(identity, 1)])


def cpus(number: float, *reservations: Reservation) -> Resources:
    return Resources([(Identity("cpus", reservations=reservations), round(number * 1000))])


def test_reserving_moves_a_part_to_a_role_and_unreserving_back() -> None:
    pool = cpus(4)
    reserved = convert(pool, reserve(cpus(1, DYNAMIC)))
    assert reserved == cpus(3) + cpus(1, DYNAMIC)
    assert convert(reserved, unreserve(cpus(1, DYNAMIC))) == pool


def test_refining_takes_from_the_reservation_below() -> None:
    pool = cpus(2, STATIC)
    refined = convert(pool, reserve(cpus(1, STATIC, REFINED)))
    assert refined == cpus(1, STATIC) + cpus(1, STATIC, REFINED)
    assert convert(refined, unreserve(cpus(1, STATIC, REFINED))) == pool
    with pytest.raises(ResourcesError, match="does not contain"):
        convert(cpus(2), reserve(cpus(1, STATIC, REFINED)))


def test_a_source_is_reserved_anew_in_one_step() -> None:
    other = Reservation("DYNAMIC", "c", "q")
    found = convert(cpus(2, DYNAMIC), reserve(cpus(2, other), cpus(2, DYNAMIC)))
    assert found == cpus(2, other)


@pytest.mark.parametrize("size", [11, 10_000])
def test_more_than_there_is_cannot_be_converted(size: int) -> None:
    pool = disk(10, DYNAMIC)
    with pytest.raises(ResourcesError, match="does not contain"):
        convert(pool, create(volume(size, DYNAMIC)))
    assert pool == disk(10, DYNAMIC)


@pytest.mark.parametrize("kind", [None, PATH])
def test_a_volume_is_cut_from_disk_and_becomes_disk_again(kind: Disk | None) -> None:
    of = PLAIN if kind is None else Disk("v1", "p", PLAIN.volume, "PATH", None, PATH.source)
    pool = disk(100, DYNAMIC, disk=kind)
    made = convert(pool, create(volume(30, DYNAMIC, of=of)))
    assert made == disk(70, DYNAMIC, disk=kind) + volume(30, DYNAMIC, of=of)
    assert made.scalar("disk") == 100_000
    assert convert(made, destroy(volume(30, DYNAMIC, of=of))) == pool


def test_a_volume_on_a_mount_takes_the_whole_of_it() -> None:
    of = Disk("v1", "p", PLAIN.volume, "MOUNT", None, MOUNT.source)
    pool = disk(100, DYNAMIC, disk=MOUNT)
    with pytest.raises(ResourcesError):
        convert(pool, create(volume(30, DYNAMIC, of=of)))
    made = convert(pool, create(volume(100, DYNAMIC, of=of)))
    assert made == volume(100, DYNAMIC, of=of)
    assert convert(made, destroy(made)) == pool


def test_a_shared_volume_is_destroyed_once_however_often_it_is_named() -> None:
    shared = volume(30, DYNAMIC, shared=True)
    pool = convert(disk(100, DYNAMIC), create(shared))
    assert convert(pool, destroy(shared + shared)) == disk(100, DYNAMIC)


def test_a_volume_grows_and_shrinks_by_disk_of_its_kind() -> None:
    pool = volume(30, DYNAMIC) + disk(70, DYNAMIC)
    grown = convert(pool, grow(volume(30, DYNAMIC), disk(20, DYNAMIC)))
    assert grown == volume(50, DYNAMIC) + disk(50, DYNAMIC)
    assert convert(grown, shrink(volume(50, DYNAMIC), 20_000)) == pool


def test_what_is_checkpointed_is_restored_on_the_flags_resources() -> None:
    flags = cpus(4) + cpus(2, STATIC) + disk(100)
    total = flags
    for conversion in (
        reserve(cpus(1, DYNAMIC) + disk(40, DYNAMIC)),
        reserve(cpus(1, STATIC, REFINED)),
        create(volume(30, DYNAMIC, shared=True)),
    ):
        total = convert(total, conversion)
    remembered = checkpointed(total)
    assert remembered == (
        cpus(1, DYNAMIC)
        + cpus(1, STATIC, REFINED)
        + disk(10, DYNAMIC)
        + volume(30, DYNAMIC, shared=True)
    )
    assert restore(flags, remembered) == total
    assert bare(total) == flags
    assert restore(flags + cpus(1), remembered) == total + cpus(1)
    with pytest.raises(ResourcesError, match="reserved Resources\\(disk:20\\)"):
        restore(cpus(4) + cpus(2, STATIC) + disk(20), remembered)


def test_a_volume_is_found_however_its_user_mounts_it() -> None:
    held = volume(30, DYNAMIC) + cpus(1)
    elsewhere = Disk("v1", "p", b'{"mode":"RO","container_path":"other"}')
    wanted = cpus(1) + volume(30, DYNAMIC, of=elsewhere)
    assert not held.contains(wanted)
    assert as_held(wanted, held) == cpus(1) + volume(30, DYNAMIC)
    assert as_held(cpus(1), held) == cpus(1)
    stranger = volume(30, DYNAMIC, of=Disk("v2", "p"))
    assert as_held(stranger, held) == stranger


def test_nothing_converts_to_nothing() -> None:
    assert convert(cpus(1), Conversion(EMPTY, EMPTY)) == cpus(1)
    assert without_top(cpus(1)) == cpus(1)
