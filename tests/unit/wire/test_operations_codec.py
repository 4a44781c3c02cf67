"""Operations of the wire as conversions; faults with their place."""

import json
from typing import Any

import pytest

from mesosphere.kernel.conversions import convert
from mesosphere.kernel.resources import EMPTY
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import Operation, codec
from mesosphere.wire.mesos.operations_codec import read_conversion
from tests.unit.wire.test_resources_codec import DYNAMIC, OLD_DYNAMIC, VOLUME, read, scalar

RESERVED = {"reservations": [DYNAMIC]}
DISK = scalar("disk", 30, **RESERVED)
V1 = scalar("disk", 30, disk=VOLUME, **RESERVED)
V1_LARGER = scalar("disk", 50, disk=VOLUME, **RESERVED)
REFINEMENT = {"type": "DYNAMIC", "role": "a/b"}
REFINED = scalar("cpus", 1, reservations=[DYNAMIC, REFINEMENT])
ALLOCATED = {"allocation_info": {"role": "a"}}


def operation(kind: str, **body: Any) -> Operation:
    return codec.decode(json.dumps({"type": kind, kind.lower(): body}).encode(), Operation)


@pytest.mark.parametrize(
    ("kind", "body", "before", "after"),
    [
        ("RESERVE", {"resources": [DISK]}, [scalar("disk", 40)], [scalar("disk", 10), DISK]),
        (
            "RESERVE",
            {"resources": [scalar("disk", 30, role="a", reservation=OLD_DYNAMIC)]},
            [scalar("disk", 30)],
            [DISK],
        ),
        (
            "RESERVE",
            {"resources": [REFINED], "source": [scalar("cpus", 1, **RESERVED)]},
            [scalar("cpus", 1, **RESERVED)],
            [REFINED],
        ),
        ("UNRESERVE", {"resources": [REFINED]}, [REFINED], [scalar("cpus", 1, **RESERVED)]),
        ("UNRESERVE", {"resources": [{**DISK, **ALLOCATED}]}, [DISK], [scalar("disk", 30)]),
        ("CREATE", {"volumes": [V1]}, [DISK], [V1]),
        ("DESTROY", {"volumes": [V1]}, [V1], [DISK]),
        (
            "GROW_VOLUME",
            {"volume": V1, "addition": scalar("disk", 20, **RESERVED)},
            [V1, DISK],
            [V1_LARGER, scalar("disk", 10, **RESERVED)],
        ),
        (
            "SHRINK_VOLUME",
            {"volume": V1_LARGER, "subtract": {"value": 20}},
            [V1_LARGER],
            [V1, scalar("disk", 20, **RESERVED)],
        ),
    ],
)
def test_operations_convert_the_pool(
    kind: str, body: dict[str, Any], before: list[Any], after: list[Any]
) -> None:
    pool = read(*before)
    assert convert(pool, read_conversion(operation(kind, **body), pool)) == read(*after)


def test_a_volume_is_destroyed_however_its_mount_is_written() -> None:
    pool = read(V1)
    elsewhere = {**VOLUME, "volume": {"mode": "RO", "container_path": "elsewhere"}}
    volumes = [scalar("disk", 30, disk=elsewhere, **RESERVED)]
    assert convert(pool, read_conversion(operation("DESTROY", volumes=volumes), pool)) == read(DISK)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (operation("LAUNCH", task_infos=[]), "type"),
        (Operation(), "type"),
        (Operation(type="RESERVE"), "reserve"),
        (operation("RESERVE", resources=[scalar("cpus", -1)]), "reserve.resources[0]"),
        (operation("RESERVE", source=[scalar("cpus", -1)]), "reserve.source[0]"),
        (operation("SHRINK_VOLUME", volume=DISK, subtract={"value": 1}), "shrink_volume.volume"),
        (operation("SHRINK_VOLUME", volume=V1, subtract={"value": 0}), "shrink_volume.subtract"),
        (operation("SHRINK_VOLUME", volume=V1, subtract={"value": 30}), "shrink_volume.subtract"),
        (operation("SHRINK_VOLUME", volume=V1, subtract={"value": -1}), "shrink_volume.subtract"),
        (operation("GROW_VOLUME", volume=DISK, addition=DISK), "grow_volume.volume"),
        (operation("GROW_VOLUME", volume=V1, addition=scalar("", 1)), "grow_volume.addition[0]"),
    ],
)
def test_what_is_no_conversion_is_named_with_its_place(given: Operation, path: str) -> None:
    with pytest.raises(WireError) as caught:
        read_conversion(given, EMPTY)
    assert caught.value.path == path
