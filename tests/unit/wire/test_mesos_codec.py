"""The codec of v1 messages: Mesos's JSON rules both ways, and no other error than WireError."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck as Check
from hypothesis import given, settings
from hypothesis import strategies as st

from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import (
    AgentInfo,
    CommandInfo,
    ContainerID,
    FrameworkInfo,
    Image,
    LinuxInfo,
    MasterInfo,
    Range,
    Resource,
    RLimit,
    Scalar,
    TaskID,
    TaskInfo,
    TaskStatus,
    answers,
    codec,
    describe_master,
    executor,
    ip_number,
    link,
    operator,
    operator_base,
    scheduler,
)
from mesosphere.wire.mesos.ids import NESTING_LIMIT


def read(value: object, kind: type[Any] = scheduler.Call) -> Any:
    return codec.decode(json.dumps(value).encode(), kind)


def written(message: Any) -> Any:
    return json.loads(codec.encode(message))


# --- writing ------------------------------------------------------------------------------------


def test_unset_fields_and_empty_lists_are_omitted() -> None:
    assert codec.encode(scheduler.Event(type="HEARTBEAT")) == b'{"type":"HEARTBEAT"}'
    assert written(scheduler.Accept()) == {}


def test_fields_with_a_proto_default_are_always_written() -> None:
    assert written(FrameworkInfo(user="u", name="n")) == {
        "user": "u",
        "name": "n",
        "failover_timeout": 0.0,
        "checkpoint": False,
    }
    assert written(CommandInfo()) == {"shell": True}
    assert written(AgentInfo(hostname="h")) == {"hostname": "h", "port": 5051}
    assert written(LinuxInfo()) == {"share_cgroups": True}
    assert written(Image(type="DOCKER")) == {"type": "DOCKER", "cached": True}


def test_deprecated_default_is_written_only_when_set() -> None:
    assert "role" not in written(FrameworkInfo(user="u", name="n"))
    assert written(FrameworkInfo(user="u", name="n", role="*"))["role"] == "*"


def test_text_beyond_ascii_is_escaped() -> None:
    data = codec.encode(TaskID("Zürich-日本-😀"))
    assert data == b'{"value":"Z\\u00fcrich-\\u65e5\\u672c-\\ud83d\\ude00"}'
    assert codec.decode(data, TaskID).value == "Zürich-日本-😀"


def test_record_is_one_line() -> None:
    assert b"\n" not in codec.encode(TaskID("a\nb\u2028c"))


def test_large_integers_are_numbers_and_bytes_are_base64() -> None:
    assert codec.encode(Range(begin=1, end=2**63 - 1)) == b'{"begin":1,"end":9223372036854775807}'
    status = TaskStatus(task_id=TaskID("t"), state="TASK_RUNNING", uuid=bytes(range(16)))
    assert written(status)["uuid"] == "AAECAwQFBgcICQoLDA0ODw=="


def test_infinite_limit_travels_as_a_word() -> None:
    data = codec.encode({"mem": Scalar(value=float("inf"))})
    assert data == b'{"mem":{"value":"Infinity"}}'
    assert codec.decode(b'{"value":"Infinity"}', Scalar).value == float("inf")


def test_word_null_inside_a_string_is_kept() -> None:
    assert codec.encode(TaskID("null")) == b'{"value":"null"}'


@pytest.mark.parametrize("message", [TaskID("\ud800"), Scalar(value=float("nan"))])
def test_what_has_no_json_is_refused(message: Any) -> None:
    with pytest.raises(WireError):
        codec.encode(message)


# --- reading ------------------------------------------------------------------------------------


def test_unknown_fields_are_ignored() -> None:
    call = read({"type": "TEARDOWN", "framework_id": {"value": "f", "x": 1}, "slave_id": {"a": []}})
    assert call.framework_id.value == "f"


def test_null_is_absence() -> None:
    call = read({"type": "DECLINE", "framework_id": None, "decline": {"offer_ids": None}})
    assert call.framework_id is None
    assert call.decline.offer_ids == []
    assert read({"shell": None, "value": None}, CommandInfo).shell is True


def test_numbers_and_booleans_may_be_strings() -> None:
    info = read(
        {"user": "u", "name": "n", "failover_timeout": "1.5", "checkpoint": "true"}, FrameworkInfo
    )
    assert (info.failover_timeout, info.checkpoint) == (1.5, True)
    assert read({"begin": "1", "end": "2", "x": None}, Range) == Range(begin=1, end=2)
    # the same on the slow path, which a null forces
    assert read({"user": "u", "name": "n", "checkpoint": "false", "id": None}, FrameworkInfo)


def test_single_value_counts_as_a_list_of_one() -> None:
    call = read({"type": "ACCEPT", "accept": {"offer_ids": {"value": "o"}}})
    assert [offer.value for offer in call.accept.offer_ids] == ["o"]
    assert read({"user": "u", "name": "n", "roles": "a"}, FrameworkInfo).roles == ["a"]


def test_unknown_name_of_an_optional_enumeration_is_absence() -> None:
    assert read({"type": "NO_SUCH_CALL"}).type == ""
    info = read(
        {"user": "u", "name": "n", "capabilities": [{"type": "NEW"}, {"type": "MULTI_ROLE"}]},
        FrameworkInfo,
    )
    assert [capability.type for capability in info.capabilities] == [None, "MULTI_ROLE"]


def test_unknown_name_of_a_required_enumeration_is_an_error() -> None:
    with pytest.raises(WireError, match="Failed to find enum for 'TASK_DANCING'") as caught:
        read({"task_id": {"value": "t"}, "state": "TASK_DANCING"}, TaskStatus)
    assert caught.value.path == "state"


def test_every_missing_required_field_is_named() -> None:
    with pytest.raises(WireError) as caught:
        read({"type": "SUBSCRIBE", "subscribe": {"framework_info": {"checkpoint": True}}})
    assert str(caught.value) == (
        "Failed to convert JSON into Call protobuf: Missing required fields:"
        " subscribe.framework_info.user, subscribe.framework_info.name"
    )
    with pytest.raises(WireError, match=r"fields: accept.offer_ids\[1\].value$"):
        read({"accept": {"offer_ids": [{"value": "a"}, {"value": None}]}})


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ([], scheduler.Call, "Expecting a JSON object"),
        ({"framework_id": "f"}, scheduler.Call, "JSON string for field 'framework_id'"),
        ({"framework_id": [{"value": "f"}]}, scheduler.Call, "JSON array for field"),
        ({"value": 1}, TaskID, "Not expecting a JSON number for field 'value'"),
        ({"value": True}, TaskID, "Not expecting a JSON boolean for field 'value'"),
        ({"data": "%%"}, executor.Message, "Failed to base64 decode bytes field 'data'"),
        ({"value": "many"}, Scalar, "Failed to parse 'many' as a JSON number"),
        ({"value": "NaN"}, Scalar, "Failed to parse 'NaN' as a JSON number"),
        ({"shell": "yes"}, CommandInfo, "Not expecting a JSON string for field 'shell'"),
        ({"begin": 1.5, "end": 2}, Range, "must be an integer"),
        ({"begin": -1, "end": 2}, Range, "must be between 0 and"),
        ({"begin": 0, "end": 2**63}, Range, "must be between 0 and"),
        ({"hard": 2**64}, RLimit, "must be between 0 and"),
    ],
)
def test_wrong_kind_of_value_is_named(value: object, kind: type[Any], text: str) -> None:
    with pytest.raises(WireError) as caught:
        read(value, kind)
    assert text in str(caught.value)
    assert str(caught.value).startswith(f"Failed to convert JSON into {kind.__name__} protobuf: ")


@pytest.mark.parametrize("data", [b"", b"{", b"nonsense", b'{"type":"\xff"}', b"\xef\xbb\xbf{}"])
def test_what_is_not_json_is_said_so(data: bytes) -> None:
    with pytest.raises(WireError, match="Failed to parse body into JSON"):
        codec.decode(data, scheduler.Call)


def test_largest_uint64_is_accepted_where_it_means_everything() -> None:
    assert read({"hard": 2**64 - 1, "soft": 2**64 - 1}, RLimit).hard == 2**64 - 1
    assert read({"path": "/p", "offset": 0, "length": 2**64 - 1}, operator_base.AskFile).length


def test_size_limit_is_kept() -> None:
    with pytest.raises(WireError, match="more than 10 bytes"):
        codec.decode(b'{"value":"0123456789"}', TaskID, limit=10)


def nested(levels: int) -> bytes:
    return b'{"value":"c","parent":' * levels + b'{"value":"c"}' + b"}" * levels


def test_nesting_limit_of_containers_is_kept() -> None:
    assert codec.decode(nested(NESTING_LIMIT - 1), ContainerID)
    for levels in (NESTING_LIMIT, 99, 500, 200_000):
        with pytest.raises(WireError):
            codec.decode(nested(levels), ContainerID)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("levels", [100, 5_000, 300_000])
def test_deep_junk_never_overflows_the_stack(opening: bytes, levels: int) -> None:
    for data in (opening * levels, b'{"junk":' + opening * levels):
        with pytest.raises(WireError):
            codec.decode(data, scheduler.Call)


# --- both ways, and fuzz ------------------------------------------------------------------------

KINDS: list[type[Any]] = [
    scheduler.Call,
    scheduler.Event,
    executor.Call,
    executor.Event,
    operator.Call,
    link.Call,
    link.Event,
    Resource,
    TaskInfo,
    MasterInfo,
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def shapes(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Values of a message type, made from its own description."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    return _struct(info, 0)


def _struct(info: msgspec.inspect.StructType, depth: int) -> st.SearchStrategy[Any]:
    required, optional = {}, {}
    for field in info.fields:
        if depth > 4 and not field.required:
            continue
        (required if field.required else optional)[field.name] = (field.type, depth + 1)

    @st.composite
    def build(draw: st.DrawFn) -> Any:
        names = draw(st.lists(st.sampled_from(sorted(optional)), max_size=3)) if optional else []
        wanted = {**required, **{name: optional[name] for name in names}}
        return info.cls(**{name: draw(_value(*given)) for name, given in wanted.items()})

    return build()


def _value(kind: msgspec.inspect.Type, depth: int) -> st.SearchStrategy[Any]:
    inspect = msgspec.inspect
    if isinstance(kind, inspect.UnionType):
        kind = next(part for part in kind.types if not isinstance(part, inspect.NoneType))
    if isinstance(kind, inspect.StructType):
        return _struct(kind, depth)
    if isinstance(kind, inspect.ListType):
        return st.lists(st.deferred(lambda: _value(kind.item_type, depth)), max_size=2)
    if isinstance(kind, inspect.DictType):
        return st.dictionaries(
            TEXT, st.deferred(lambda: _value(kind.value_type, depth)), max_size=2
        )
    if isinstance(kind, inspect.LiteralType):
        return st.sampled_from(kind.values)
    if isinstance(kind, inspect.IntType):
        return st.integers(kind.ge or 0, kind.le or 2**64 - 1)
    if isinstance(kind, inspect.FloatType):
        return st.floats(allow_nan=False).filter(lambda value: value != float("-inf"))
    if isinstance(kind, inspect.BytesType):
        return st.binary(max_size=16)
    return st.booleans() if isinstance(kind, inspect.BoolType) else TEXT


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
@settings(max_examples=40, deadline=None, suppress_health_check=list(Check))
@given(data=st.data())
def test_what_is_written_reads_back_the_same(kind: type[Any], data: st.DataObject) -> None:
    message = data.draw(shapes(kind))
    record = codec.encode(message)
    assert record.isascii()
    assert codec.decode(record, kind) == message
    # the slow path agrees with the fast one
    assert codec.from_plain(msgspec.json.decode(record), kind) == message


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
@settings(max_examples=60, deadline=None, suppress_health_check=list(Check))
@given(data=st.data())
def test_damaged_message_is_read_or_refused_with_wire_error(
    kind: type[Any], data: st.DataObject
) -> None:
    record = bytearray(codec.encode(data.draw(shapes(kind))))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, max(len(record) - 1, 0)))
        record[position : position + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"null", b"[", b"{", b'"', b"1e999", b"-1"])
        )
    try:
        message = codec.decode(bytes(record), kind)
    except WireError:
        return
    codec.encode(message)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | TEXT
    | st.sampled_from(["Infinity", "null", "true", "ACCEPT", "1.5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([field.name for field in msgspec.structs.fields(scheduler.Call)]), JSON
    )
)
def test_any_json_is_read_or_refused_with_wire_error(value: dict[str, Any]) -> None:
    try:
        call = codec.decode(json.dumps(value).encode(), scheduler.Call)
    except WireError:
        return
    codec.encode(call)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_with_wire_error(data: bytes) -> None:
    for kind in (TaskID, scheduler.Call):
        try:
            codec.decode(data, kind)
        except WireError as error:
            assert str(error).startswith("Failed to ")


def test_operator_answers_carry_their_body_under_their_own_name() -> None:
    healthy = answers.response("GET_HEALTH", operator_base.GetHealth(healthy=True))
    assert codec.encode(healthy) == b'{"type":"GET_HEALTH","get_health":{"healthy":true}}'
    none = answers.response("GET_WEIGHTS", answers.GetWeights())
    assert codec.encode(none) == b'{"type":"GET_WEIGHTS","get_weights":{}}'
    assert codec.encode(answers.event("HEARTBEAT")) == b'{"type":"HEARTBEAT"}'


def test_master_describes_itself_for_every_reader_of_zookeeper() -> None:
    info = describe_master("m", "host", "10.0.0.1", 5050, "1.11.0")
    assert written(info) == {
        "id": "m",
        "ip": 16777226,
        "port": 5050,
        "pid": "master@10.0.0.1:5050",
        "hostname": "host",
        "version": "1.11.0",
        "address": {"hostname": "host", "ip": "10.0.0.1", "port": 5050},
        "capabilities": [
            {"type": "AGENT_UPDATE"},
            {"type": "AGENT_DRAINING"},
            {"type": "QUOTA_V2"},
        ],
    }
    assert ip_number("::1") == 0
