"""The text of `--resources`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesosphere.kernel.resource_text import TEXT_LIMIT, parse_resources, parse_value
from mesosphere.kernel.resources import Resources, ResourcesError


def test_documented_example_is_read() -> None:
    found = parse_resources(
        "cpus:24;mem:24576;disk(prod):4096000;ports:[21000-24000,30000-34000];bugs(dev):{a,b,c}"
    )
    assert found.unreserved() == Resources.of(
        cpus=24, mem=24576, ports=[(21000, 24000), (30000, 34000)]
    )
    assert found.reserved()["prod"].scalar("disk") == 4_096_000_000
    assert found.reserved()["dev"].set_items("bugs") == ("a", "b", "c")


def test_spaces_and_empty_parts_mean_nothing() -> None:
    assert parse_resources(" cpus : 4 ; mem( a ) : 1 ; ; ports:[ 1 - 2 , 3-4 ];") == (
        parse_resources("cpus:4;mem(a):1;ports:[1-4]")
    )
    assert parse_resources("").is_empty
    assert parse_resources("cpus:0").is_empty


def test_default_role_takes_what_names_none() -> None:
    found = parse_resources("cpus:1;mem(*):2", default_role="a")
    assert found.unreserved() == Resources.of(mem=2)
    assert found.reserved()["a"].scalar("cpus") == 1000


def test_same_name_adds_up() -> None:
    assert parse_resources("cpus:1;cpus:2") == Resources.of(cpus=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cpus", "expected name:value"),
        ("cpus:1:2", "expected name:value"),
        (":1", "has no name"),
        ("cpus:", "found nothing"),
        ("cpus:four", "'four' is no scalar, range or set"),
        ("cpus:-1", "'-1' is no scalar"),
        ("cpus:0.0001", "at least 0.001"),
        ("cpus:1e999", "is no scalar"),
        ("cpus:inf", "is no scalar"),
        ("gpus:0.5", "whole number"),
        ("cpus(a:1", "mismatched parentheses"),
        ("cpus(a)b:1", "mismatched parentheses"),
        ("cpus(a/):1", "'a/' is not a role"),
        ("cpus():1", "'' is not a role"),
        ("cpus(-a):1", "'-a' is not a role"),
        ("ports:[1-2", r"no closing '\]'"),
        ("ports:[2-1]", "begins after its end"),
        ("ports:[1-5,5-6]", "overlap"),
        ("ports:[1]", "expected a range"),
        ("ports:[1-99999999999999999999]", "ends beyond"),
        ("tags:{a,b", "no closing '}'"),
        ("tags:{a,a}", "twice"),
        ("tags:a{b}", "unexpected '{'"),
        ("cpus:1;cpus:[1-2]", "cpus is SCALAR elsewhere"),
    ],
)
def test_bad_part_is_named(text: str, message: str) -> None:
    with pytest.raises(ResourcesError, match=message):
        parse_resources(text)


def test_text_limit_is_kept() -> None:
    with pytest.raises(ResourcesError, match="characters"):
        parse_resources("x" * (TEXT_LIMIT + 1))


@given(st.text(alphabet="cpusmem:;()[]{}-,.0123456789e \n", max_size=40) | st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (parse_resources, parse_value):
        try:
            read(text)  # type: ignore[operator]
        except ResourcesError as error:
            assert str(error)
