"""Resources on the wire: both formats, the JSON of `--resources`, errors with their place."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from mesosphere.kernel.attributes import parse_attributes
from mesosphere.kernel.resources import Resources, ResourcesError
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import Resource, attributes_codec, codec
from mesosphere.wire.mesos.resources_codec import Format, from_wire, parse, to_wire
from tests.unit.kernel.test_resources import resources_values


def read(*values: dict[str, Any]) -> Resources:
    return from_wire(codec.decode_list(json.dumps(values).encode(), Resource))


def written(resources: Resources, form: Format) -> list[dict[str, Any]]:
    return [codec.to_plain(resource) for resource in to_wire(resources, form)]


def scalar(name: str = "mem", value: float = 1, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **more}


DYNAMIC = {"type": "DYNAMIC", "role": "a", "principal": "p", "labels": {"labels": [{"key": "k"}]}}
OLD_DYNAMIC = {"principal": "p", "labels": {"labels": [{"key": "k"}]}}
VOLUME = {
    "persistence": {"id": "v1", "principal": "p"},
    "volume": {"mode": "RW", "container_path": "data"},
}
MOUNT = {"source": {"type": "MOUNT", "mount": {"root": "/mnt/1"}}}


def test_plain_resources_are_read() -> None:
    found = read(
        scalar("cpus", 1.5),
        {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 2}]}},
        {"name": "tags", "type": "SET", "set": {"item": ["b", "a"]}},
    )
    assert found.scalar("cpus") == 1500
    assert found.ports() == ((1, 2),)
    assert found.set_items("tags") == ("a", "b")


def test_old_and_refined_format_mean_the_same() -> None:
    assert read(scalar(role="*")) == read(scalar())
    assert read(scalar(role="a")) == read(scalar(reservations=[{"type": "STATIC", "role": "a"}]))
    assert read(scalar(role="a", reservation=OLD_DYNAMIC)) == read(scalar(reservations=[DYNAMIC]))
    assert read(scalar(role="a", reservation=OLD_DYNAMIC, reservations=[DYNAMIC])) == read(
        scalar(reservations=[DYNAMIC])
    )


def test_each_format_is_written_as_its_readers_expect() -> None:
    unreserved, static = read(scalar()), read(scalar(role="a"))
    dynamic = read(scalar(reservations=[DYNAMIC]))
    assert written(unreserved, Format.REFINED) == [scalar()]
    assert written(unreserved, Format.OLD) == [scalar(role="*")]
    assert written(static, Format.OLD) == [scalar(role="a")]
    assert written(static, Format.BOTH) == [
        scalar(role="a", reservations=[{"type": "STATIC", "role": "a"}])
    ]
    assert written(dynamic, Format.OLD) == [scalar(role="a", reservation=OLD_DYNAMIC)]
    assert written(dynamic, Format.REFINED) == [scalar(reservations=[DYNAMIC])]
    assert written(dynamic, Format.BOTH) == [
        scalar(role="a", reservation=OLD_DYNAMIC, reservations=[DYNAMIC])
    ]


def test_refined_stack_is_only_written_refined() -> None:
    stack = [DYNAMIC, {"type": "DYNAMIC", "role": "a/b"}]
    assert written(read(scalar(reservations=stack)), Format.BOTH) == [scalar(reservations=stack)]


def test_allocation_is_kept_or_stripped() -> None:
    allocated = read(scalar(allocation_info={"role": "a"}))
    assert codec.to_plain(to_wire(allocated)[0])["allocation_info"] == {"role": "a"}
    assert to_wire(allocated, with_allocation=False)[0].allocation_info is None


def test_volumes_and_whole_disks_never_merge() -> None:
    volume = scalar("disk", 10, role="a", disk=VOLUME)
    mount = scalar("disk", 100, disk=MOUNT)
    found = read(volume, mount, mount, scalar("disk", 5))
    assert found.scalar("disk") == 215_000
    assert [resource["scalar"]["value"] for resource in written(found, Format.OLD)] == [
        10,
        100,
        100,
        5,
    ]
    assert written(found, Format.OLD)[0]["disk"] == VOLUME
    assert not found.contains(read(scalar("disk", 50, disk=MOUNT)))


def test_shared_volume_is_counted_not_summed() -> None:
    shared = scalar("disk", 10, role="a", disk=VOLUME, shared={})
    twice = read(shared, shared)
    assert twice.scalar("disk") == 10_000
    assert len(to_wire(twice)) == 2
    assert twice - read(shared) == read(shared)
    assert (twice - read(shared) - read(shared)).is_empty


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (scalar(value=-1), "at least 0.001"),
        (scalar(value=0.0001), "at least 0.001"),
        (scalar(value="Infinity"), "not a quantity"),
        (scalar(value=1e300), "not a quantity"),
        (scalar("gpus", 0.5), "whole number"),
        (scalar(name=""), "Empty resource name"),
        ({"name": "mem", "type": "SCALAR"}, "Invalid scalar"),
        ({"name": "mem", "type": "TEXT"}, "Unsupported resource type TEXT"),
        ({**scalar(), "set": {}}, "Invalid scalar"),
        (
            {"name": "p", "type": "RANGES", "ranges": {"range": [{"begin": 2, "end": 1}]}},
            "begin > end",
        ),
        (
            {
                "name": "p",
                "type": "RANGES",
                "ranges": {"range": [{"begin": 1, "end": 5}, {"begin": 5, "end": 6}]},
            },
            "overlapping",
        ),
        ({"name": "s", "type": "SET", "set": {"item": ["a", "a"]}}, "duplicated"),
        (scalar(role="a/../b"), "not a role"),
        (scalar(role="a//b"), "not a role"),
        (scalar(reservation={}), "cannot be dynamically reserved"),
        (scalar(reservations=[{"role": "a"}]), "type' field must be set"),
        (scalar(reservations=[{"type": "STATIC"}]), "role' field must be set"),
        (scalar(reservations=[{"type": "STATIC", "role": "*"}]), "cannot be reserved"),
        (scalar(role="b", reservations=[{"type": "STATIC", "role": "a"}]), "does not match"),
        (
            scalar(reservations=[DYNAMIC, {"type": "DYNAMIC", "role": "ab"}]),
            "not a refinement of 'a'",
        ),
        (
            scalar(reservations=[DYNAMIC, {"type": "STATIC", "role": "a/b"}]),
            "cannot be STATIC",
        ),
        (scalar("mem", disk=MOUNT), "DiskInfo should not be set"),
        (scalar("disk", disk=VOLUME), "created from unreserved"),
        (scalar("disk", role="a", disk=VOLUME, revocable={}), "created from revocable"),
        (scalar("disk", role="a", disk={"persistence": {"id": "v"}}), "'volume' to be set"),
        (
            scalar("disk", role="a", disk={**VOLUME, "persistence": {"id": "a/b"}}),
            "Invalid persistence ID for persistent volume: 'a/b' contains invalid characters",
        ),
        (
            scalar(
                "disk",
                role="a",
                disk={**VOLUME, "volume": {**VOLUME["volume"], "host_path": "/"}},
            ),
            "'host_path' to be unset",
        ),
        (scalar("disk", role="a", disk={"volume": VOLUME["volume"]}), "Non-persistent volume"),
        (scalar("disk", disk={}), "DiskInfo is set but empty"),
        (scalar("disk", shared={}), "Only persistent volumes"),
        (scalar("disk", disk={"source": {"type": "RAW", "path": {"root": "/"}}}), "RAW disk"),
    ],
)
def test_invalid_resource_is_named_with_its_place(value: dict[str, Any], text: str) -> None:
    with pytest.raises(WireError, match=text) as caught:
        read(scalar("cpus"), value)
    assert caught.value.path == "resources[1]"


@settings(max_examples=100, deadline=None)
@given(resources_values())
def test_resources_survive_the_wire(value: Resources) -> None:
    for form in Format:
        data = b"[%b]" % b",".join(codec.encode(resource) for resource in to_wire(value, form))
        assert from_wire(codec.decode_list(data, Resource)) == value


# --- --resources --------------------------------------------------------------------------------


def test_flag_takes_text_or_json() -> None:
    text = parse("cpus:4;mem(prod):1024;ports:[31000-32000]")
    array = parse(
        json.dumps(
            [
                scalar("cpus", 4),
                scalar("mem", 1024, role="prod"),
                {
                    "name": "ports",
                    "type": "RANGES",
                    "ranges": {"range": [{"begin": 31000, "end": 32000}]},
                },
            ]
        )
    )
    assert text == array


def test_default_role_takes_what_names_none() -> None:
    for text in ("cpus:1;mem(*):2", json.dumps([scalar("cpus"), scalar("mem", 2, role="*")])):
        found = parse(text, default_role="web")
        assert found.unreserved() == Resources.of(mem=2)
        assert found.reserved()["web"].scalar("cpus") == 1000


@pytest.mark.parametrize(
    "text",
    [
        "[{}]",
        "[1]",
        "[",
        json.dumps([scalar(revocable={})]),
        json.dumps([scalar("disk", role="a", disk=VOLUME)]),
        json.dumps([scalar(reservations=[DYNAMIC])]),
        json.dumps([scalar("x"), {"name": "x", "type": "SET", "set": {"item": ["a"]}}]),
        "[\ud800]",
    ],
)
def test_bad_flag_is_a_resources_error(text: str) -> None:
    with pytest.raises(ResourcesError):
        parse(text)


# --- attributes ---------------------------------------------------------------------------------


def test_attributes_survive_the_wire() -> None:
    attributes = parse_attributes("rack:abc;level:10.5;keys:[1-5, 7-8]")
    assert attributes_codec.from_wire(attributes_codec.to_wire(attributes)) == attributes
    assert [codec.to_plain(attribute) for attribute in attributes_codec.to_wire(attributes)] == [
        {"name": "rack", "type": "TEXT", "text": {"value": "abc"}},
        {"name": "level", "type": "SCALAR", "scalar": {"value": 10.5}},
        {
            "name": "keys",
            "type": "RANGES",
            "ranges": {"range": [{"begin": 1, "end": 5}, {"begin": 7, "end": 8}]},
        },
    ]
