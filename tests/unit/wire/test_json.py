"""Plain JSON: clear errors with a position, ASCII out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesosphere.wire import json
from mesosphere.wire.errors import WireError


def test_error_joins_path_and_message() -> None:
    assert str(WireError("app.id", "is required")) == "app.id: is required"
    assert str(WireError("", "must be a JSON object")) == "must be a JSON object"


def test_object_is_read() -> None:
    assert json.decode_object(b' {"a": [1, null]} ') == {"a": [1, None]}
    assert json.decode_array(b"[1]") == [1]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"[]", "must be a JSON object"),
        (b"", "not JSON"),
        (b'{"a":01}', r"not JSON: .*\(byte 6\)"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":"bbbbbbbbbbbbbbbbbbbbbbbbb"}', "more than 30"),
    ],
)
def test_bad_body_is_explained(data: bytes, text: str) -> None:
    with pytest.raises(WireError, match=text):
        json.decode_object(data, limit=30 if len(data) < 1000 else 10**6)


def test_array_is_not_an_object() -> None:
    with pytest.raises(WireError, match="must be a JSON array"):
        json.decode_array(b"{}")


def test_output_is_compact_ascii() -> None:
    assert json.encode({"a": [1, "é"], "b": "\n"}) == b'{"a":[1,"\\u00e9"],"b":"\\n"}'


@pytest.mark.parametrize("value", ["\ud800", object()])
def test_what_has_no_json_is_refused(value: object) -> None:
    with pytest.raises(WireError):
        json.encode(value)


def test_nulls_are_stripped_from_objects_only() -> None:
    assert json.strip_nulls({"a": None, "b": [None, {"c": None, "d": 0}]}) == {
        "b": [None, {"d": 0}]
    }


@given(st.binary(max_size=50))
def test_any_bytes_are_read_or_refused_with_wire_error(data: bytes) -> None:
    try:
        value = json.decode(data)
    except WireError:
        return
    assert json.decode(json.encode(value)) == value
