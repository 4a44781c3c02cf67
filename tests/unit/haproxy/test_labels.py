"""HAPROXY_* labels: what they ask for and what is refused."""

import pytest

from mesosphere.haproxy.core.labels import LabelError, is_served, read_port, truth


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("VHOST", "A.example,b.example", "vhosts", ("a.example", "b.example")),
        ("PATH", "-i /shop", "path", "-i /shop"),
        ("GROUP", "a,b", "groups", ("a", "b")),
        ("ENABLED", "false", "is_enabled", False),
        ("STICKY", "true", "is_sticky", True),
        ("MODE", "HTTP", "mode", "http"),
        ("BALANCE", "leastconn", "balance", "leastconn"),
        ("PORT", "8080", "port", 8080),
        ("BACKEND_WEIGHT", "7", "weight", 7),
        ("AUTH", "realm:user:hash", "auth", ("realm", "user", "hash")),
        ("BACKEND_HEAD", "a\r\nb", "backend_head", "a\nb"),
    ],
)
def test_a_label_asks_for_its_field(name: str, text: str, field: str, value: object) -> None:
    assert getattr(read_port({f"HAPROXY_0_{name}": text}, 0), field) == value
    assert read_port({f"HAPROXY_1_{name}": text}, 0) == read_port({}, 0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("MODE", "udp"),
        ("AUTH", "user:hash"),
        ("BACKEND_WEIGHT", "heavy"),
        ("VHOST", "a b"),
        ("BALANCE", ""),
        ("BALANCE", " "),
        ("BIND_OPTIONS", "x\nglobal"),
        ("PATH", "/a\n  deny"),
    ],
)
def test_a_label_that_makes_no_sense_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(LabelError, match=f"HAPROXY_0_{name}"):
        read_port({f"HAPROXY_0_{name}": text}, 0)


def test_a_path_comes_before_plain_hosts_even_with_an_explicit_weight_of_zero() -> None:
    assert read_port({"HAPROXY_0_PATH": "/a", "HAPROXY_0_BACKEND_WEIGHT": "0"}, 0).weight == 1


@pytest.mark.parametrize("text", ["true", "T", "Yes", "y"])
def test_truth(text: str) -> None:
    assert truth(text)


@pytest.mark.parametrize("text", ["1", "on", "false", ""])
def test_everything_else_is_false(text: str) -> None:
    assert not truth(text)


def test_a_star_serves_every_group_and_no_group() -> None:
    assert is_served(("*",), ())
    assert not is_served(("external",), ())
    assert is_served(("external",), ("internal", "external"))
