"""The text of `--attributes` and the flat object of the legacy JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesosphere.kernel.attributes import AttributesError, flat, parse_attributes
from mesosphere.kernel.resource_text import TEXT_LIMIT


def test_documented_example_is_read() -> None:
    attributes = parse_attributes("rack:abc;zone:west;os:centos5;level:10;keys:[1000-1500]")
    assert [(attribute.name, attribute.kind) for attribute in attributes] == [
        ("rack", "TEXT"),
        ("zone", "TEXT"),
        ("os", "TEXT"),
        ("level", "SCALAR"),
        ("keys", "RANGES"),
    ]
    assert flat(attributes) == {
        "rack": "abc",
        "zone": "west",
        "os": "centos5",
        "level": 10.0,
        "keys": "[1000-1500]",
    }


def test_value_is_all_after_the_first_colon() -> None:
    (attribute,) = parse_attributes("url:http://host:80/")
    assert (attribute.name, attribute.value) == ("url", "http://host:80/")


def test_lines_part_entries_like_semicolons() -> None:
    assert len(parse_attributes("a:1\nb:2;\n;c:3")) == 3
    assert parse_attributes("") == ()


def test_number_that_mesos_does_not_take_is_text() -> None:
    (attribute,) = parse_attributes("delta:-5")
    assert (attribute.kind, attribute.value) == ("TEXT", "-5")


def test_name_may_come_twice_and_the_last_is_shown() -> None:
    attributes = parse_attributes("a:1;a:2")
    assert len(attributes) == 2
    assert flat(attributes) == {"a": 2.0}


def test_scalar_reads_as_its_shortest_text() -> None:
    assert [attribute.text for attribute in parse_attributes("a:10;b:1.50;c:[1-2]")] == [
        "10",
        "1.5",
        "[1-2]",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rack", "'rack' is not name:value"),
        ("rack:", "is not name:value"),
        (":x", "is not name:value"),
        ("a:1;b: ", "'b:' is not name:value"),
        ("a:{x,y}", "cannot be a set"),
        ("a:[1-", "no closing"),
        ("a:x[1-2]", r"unexpected '\['"),
        ("a:1e300", "not a quantity"),
        ("x" * (TEXT_LIMIT + 1), "characters"),
    ],
)
def test_bad_entry_is_named(text: str, message: str) -> None:
    with pytest.raises(AttributesError, match=message):
        parse_attributes(text)


@given(st.text(alphabet="ab:;[]{}-,.0123456789e \n", max_size=40) | st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        attributes = parse_attributes(text)
    except AttributesError:
        return
    assert set(flat(attributes)) == {attribute.name for attribute in attributes}
