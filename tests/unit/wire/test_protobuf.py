"""Messages as protobuf: round trips, what is skipped, what is refused and where."""

import struct
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import AgentID, FrameworkID, TaskID, codec, executor, protobuf, scheduler
from mesosphere.wire.mesos.answers import Response
from mesosphere.wire.mesos.codec import MessageError
from mesosphere.wire.mesos.ids import NESTING_LIMIT
from mesosphere.wire.protobuf import schema, writing
from mesosphere.wire.protobuf.binding import Bindings
from tests.unit.wire.messages import messages

KINDS = sorted(protobuf.MESSAGES, key=protobuf.MESSAGES.__getitem__)
NAMES = [protobuf.MESSAGES[kind] for kind in KINDS]
LEFT_OUT = {
    "mesos.v1.Volume.Source": {"csi_volume"},
    "mesos.v1.ResourceStatistics": {
        "perf", "net_traffic_control_statistics", "net_snmp_statistics", "disk_statistics",
        "blkio_statistics", "net_rate_statistics", "net_ephemeral_ports",
    },
    "mesos.v1.agent.Call": {
        "add_resource_provider_config", "update_resource_provider_config",
        "remove_resource_provider_config", "mark_resource_provider_gone",
    },
    "mesos.v1.agent.Response.GetResourceProviders": {"resource_providers"},
}  # fmt: skip
"""Fields of our own files that no struct has: volumes of CSI, which nothing here can mount;
resource providers, which there are none of; statistics that nobody measures."""


def tagged(number: int, wire_type: int, payload: bytes = b"") -> bytes:
    return writing.varint(number << 3 | wire_type) + payload


def text(number: int, value: bytes) -> bytes:
    return tagged(number, 2, writing.varint(len(value)) + value)


# --- round trips --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_written_is_read(kind: type[Any], data: st.DataObject) -> None:
    message = data.draw(messages(kind))
    assert protobuf.decode(protobuf.encode(message), kind) == message


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_both_encodings_say_the_same(kind: type[Any], data: st.DataObject) -> None:
    message = data.draw(messages(kind))
    assert codec.decode(codec.encode(message), kind) == message
    plain = protobuf.decode(protobuf.encode(message), kind)
    assert codec.encode(plain) == codec.encode(message)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_bytes_are_read_or_refused_and_nothing_else(
    kind: type[Any], data: st.DataObject
) -> None:
    whole = protobuf.encode(data.draw(messages(kind)))
    at = data.draw(st.integers(0, len(whole)))
    damage = data.draw(st.binary(max_size=8))
    cut = data.draw(st.integers(0, 8))
    try:
        message = protobuf.decode(whole[:at] + damage + whole[at + cut :], kind)
    except MessageError as error:
        assert str(error).startswith(f"Failed to parse body into {kind.__name__} protobuf")
        return
    codec.encode(message)
    protobuf.encode(message)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for kind in KINDS:
        try:
            protobuf.decode(data, kind)
        except MessageError as error:
            assert error.message


@pytest.mark.parametrize(
    ("data", "place", "why"),
    [
        (text(3, b""), "subscribe", "Missing required fields: framework_info"),
        (text(3, text(1, b"")), "subscribe.framework_info", "Missing required fields: user, name"),
        (text(1, text(1, b"\xff")), "framework_id.value", "not UTF-8"),
        (text(1, b"\x0a\x05ab"), "framework_id.value", "cut short"),
        (tagged(1, 2, b"\x7f"), "framework_id", "cut short"),
        (tagged(2, 0), "type", "cut short"),
        (tagged(2, 0, b"\xff" * 11), "type", "a number of more than ten bytes"),
        (tagged(0, 0, b"\x01"), "", "a field with the number 0"),
        (tagged(99, 3), "", "wire type 3 is not known"),
        (tagged(99, 1, b"1234"), "", "cut short"),
        (
            text(4, text(3, tagged(1, 1, struct.pack("<d", float("nan"))))),
            "accept.filters.refuse_seconds",
            "nan is not between",
        ),
    ],
)
def test_fault_names_its_place(data: bytes, place: str, why: str) -> None:
    with pytest.raises(MessageError) as caught:
        protobuf.decode(data, scheduler.Call)
    assert caught.value.path == place
    assert why in str(caught.value)


def test_required_enum_of_an_unknown_number_is_missing() -> None:
    status = text(1, text(1, b"t")) + tagged(2, 0, b"\x63")
    with pytest.raises(MessageError) as caught:
        protobuf.decode(tagged(1, 0, b"\x04") + text(5, text(1, status)), scheduler.Event)
    assert "Missing required fields: state" in str(caught.value)


def test_containers_nested_too_deeply_are_refused() -> None:
    messages = protobuf.read_schema().messages
    container = messages["mesos.v1.executor.Event.Subscribed"].fields["container_id"].number
    for depth in (NESTING_LIMIT, 4000):
        data = text(1, b"c")
        for _ in range(depth):
            data = text(2, data) + text(1, b"c")
        with pytest.raises(MessageError, match="nested"):
            protobuf.decode(text(2, text(container, data)), executor.Event)


def test_lone_surrogate_cannot_be_written() -> None:
    with pytest.raises(WireError):
        protobuf.encode(scheduler.Event(type="ERROR", error=scheduler.Error(message="\ud800")))


# --- what is taken ------------------------------------------------------------------------------


def test_unknown_fields_and_wire_types_are_skipped() -> None:
    known = tagged(2, 0, b"\x02")
    for unknown in (
        tagged(500, 0, b"\xff\x01"), text(500, b"abc"), tagged(500, 1, b"12345678"),
        tagged(500, 5, b"1234"), tagged(1, 0, b"\x01"),
    ):  # fmt: skip
        assert protobuf.decode(unknown + known + unknown, scheduler.Call).type == "TEARDOWN"


def test_unknown_number_of_an_optional_enum_is_absence() -> None:
    assert protobuf.decode(tagged(2, 0, b"\x63"), scheduler.Call).type == ""


def test_message_that_comes_twice_is_merged() -> None:
    call = protobuf.decode(text(1, text(1, b"a")) + text(1, text(1, b"b")), scheduler.Call)
    assert call.framework_id == FrameworkID("b")
    kill = protobuf.read_schema().messages["mesos.v1.scheduler.Call"].fields["kill"].number
    first = text(1, text(1, b"t")) + text(2, text(1, b"agent"))
    call = protobuf.decode(
        text(kill, first) + text(kill, text(1, text(1, b"task"))), scheduler.Call
    )
    assert call.kill == scheduler.Kill(task_id=TaskID("task"), agent_id=AgentID("agent"))


def test_numbers_of_a_list_may_be_packed() -> None:
    tables = schema.read({"f": "package p; message M { repeated int32 n = 1; repeated E e = 2; }"
                               "enum E { A = 1; B = 2; }"})  # fmt: skip
    binding = Bindings(tables).bind(Numbers, "p.M")
    for data in (
        text(1, b"\x01\x02") + text(2, b"\x02\x63\x01"),
        tagged(1, 0, b"\x01") + tagged(2, 0, b"\x02") + text(1, b"\x02") + tagged(2, 0, b"\x01"),
    ):
        assert binding.read(data, 0, len(data)) == Numbers(n=[1, 2], e=["B", "A"])


class Numbers(msgspec.Struct):
    n: list[int] = []
    e: list[Literal["A", "B"]] = []


# --- the files ----------------------------------------------------------------------------------


def test_every_field_of_our_files_has_its_place_in_a_struct() -> None:
    for kind in KINDS:
        protobuf.binding(kind)
    declared = protobuf.read_schema().messages
    for kind, name in protobuf._bindings()._known:
        if kind in protobuf.PARTS:
            continue
        fields = {field.name for field in msgspec.structs.fields(kind)}
        deprecated = DEPRECATED.get(name, set())
        assert set(declared[name].fields) - fields - deprecated == LEFT_OUT.get(name, set()), name


DEPRECATED = {
    "mesos.v1.master.Response.GetAgents.Agent": {"resource_providers"},
    "mesos.v1.master.Response.GetFrameworks": {"recovered_frameworks"},
    "mesos.v1.master.Response.GetExecutors": {"orphan_executors"},
    "mesos.v1.master.Response.GetTasks": {"pending_tasks", "orphan_tasks"},
}
"""What the original never fills, and resource providers, which there are none of."""


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("message M { optional string a = 1 }", "; expected"),
        ("message M { string a = 1; }", "no label"),
        ("message M { optional N a = 1; }", "N is not declared"),
        ("service S {}", "service is not known"),
        ("message M {", "more expected, not the end"),
        ("message M ?", "unreadable"),
    ],
)
def test_files_that_are_not_what_they_should_be(file: str, why: str) -> None:
    with pytest.raises(schema.SchemaError, match=why):
        schema.read({"f": file})


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ("optional string b = 1;", "no field type"),
        ("optional string type = 1;", "is string, not"),
        ("repeated string type = 1;", "is string, not"),
    ],
)
def test_struct_that_does_not_fit_its_message_is_not_bound(declared: str, why: str) -> None:
    tables = schema.read({"f": f"package p; message M {{ {declared} }}"})
    with pytest.raises(TypeError, match=why):
        Bindings(tables).bind(Response, "p.M")
