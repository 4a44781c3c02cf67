"""Offers: resources, ports, constraints, and the first reason against a match."""

from typing import Any

import pytest

from mesosphere.marathon.core import constraints
from mesosphere.marathon.core.constraints import Place
from mesosphere.marathon.core.matcher import Match, Pool, Reason
from mesosphere.wire.marathon.app import App, Container, Network, PortDefinition, PortMapping
from mesosphere.wire.mesos import Offer
from mesosphere.wire.mesos.codec import from_plain


def offer(cpus: float = 4, ports: str = "31000-31009", **extra: Any) -> Offer:
    begin, end = ports.split("-")
    scalars = {"cpus": cpus, "mem": 1000, "disk": 1000}
    resources: list[dict[str, Any]] = [
        {"name": name, "type": "SCALAR", "scalar": {"value": value}, "role": "*"}
        for name, value in scalars.items()
    ]
    ranges = {"range": [{"begin": int(begin), "end": int(end)}]}
    resources.append({"name": "ports", "type": "RANGES", "ranges": ranges, "role": "*"})
    resources += extra.pop("resources", [])
    plain = {
        "id": {"value": "O1"},
        "framework_id": {"value": "F"},
        "agent_id": {"value": "S1"},
        "hostname": "h1",
        "resources": resources,
        **extra,
    }
    return from_plain(plain, Offer)


def fractions() -> Any:
    values = iter([number * 0.37 % 1 for number in range(1000)])
    return lambda: next(values)


def match(app: App, pool: Pool, taken: list[Place] | None = None) -> Match | Reason:
    return pool.match(app, taken or [], fractions(), 0.0)


def app(**fields: Any) -> App:
    return App(id="/a", cpus=1, mem=10, **fields)


def test_a_pool_is_used_up_and_never_overdrawn() -> None:
    pool = Pool(offer(cpus=0.3))
    small = App(id="/a", cpus=0.1, mem=1)
    assert [isinstance(match(small, pool), Match) for _ in range(4)] == [True, True, True, False]
    assert match(small, pool) is Reason.CPUS


def test_a_refusal_takes_nothing() -> None:
    pool = Pool(offer())
    assert match(App(id="/a", cpus=1, mem=9999), pool) is Reason.MEMORY
    assert isinstance(match(App(id="/a", cpus=4, mem=1000), pool), Match)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"cpus": 5}, Reason.CPUS),
        ({"mem": 1001}, Reason.MEMORY),
        ({"disk": 1001}, Reason.DISK),
        ({"gpus": 1}, Reason.GPUS),
        ({"constraints": (("rack", "LIKE", "x"),)}, Reason.CONSTRAINT),
    ],
)
def test_the_reason_is_the_first_that_applies(fields: Any, reason: Reason) -> None:
    wanted = App(**{"id": "/a", "cpus": 1, "mem": 1, **fields})
    assert match(wanted, Pool(offer())) is reason


def test_ports_are_distinct_offered_and_in_the_task() -> None:
    pool = Pool(offer())
    three = app(port_definitions=tuple(PortDefinition() for _ in range(3)))
    first, second = match(three, pool), match(three, pool)
    assert isinstance(first, Match) and isinstance(second, Match)
    drawn = [*first.ports, *second.ports]
    assert len(set(drawn)) == 6
    assert all(port is not None and 31000 <= port <= 31009 for port in drawn)
    taken = next(one for one in first.resources if one.name == "ports")
    assert taken.ranges is not None
    assert sorted(first.ports) == [piece.begin for piece in taken.ranges.range]  # type: ignore[type-var]
    assert isinstance(match(three, pool), Match)
    assert match(three, pool) is Reason.PORTS


def test_required_ports_are_taken_as_they_are() -> None:
    fixed = app(port_definitions=(PortDefinition(port=31005),), require_ports=True)
    pool = Pool(offer())
    found = match(fixed, pool)
    assert isinstance(found, Match) and found.ports == [31005]
    assert match(fixed, pool) is Reason.PORTS


def test_a_mapping_without_a_host_port_takes_none() -> None:
    mappings = (
        PortMapping(container_port=80, host_port=31002),
        PortMapping(container_port=81),
        PortMapping(container_port=82, host_port=0),
    )
    bridged = app(
        networks=(Network(mode="container/bridge"),),
        container=Container(type="MESOS", port_mappings=mappings),
    )
    found = match(bridged, Pool(offer()))
    assert isinstance(found, Match)
    assert found.ports[0] == 31002 and found.ports[1] is None
    assert found.ports[2] not in (None, 31002)


def test_reserved_resources_are_used_first_and_only_for_their_role() -> None:
    reserved = [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 2}, "role": "web"}]
    pool = Pool(offer(cpus=1, resources=reserved))
    assert match(App(id="/a", cpus=2, mem=1), pool) is Reason.CPUS
    found = match(App(id="/a", cpus=2.5, mem=1, role="web"), pool)
    assert isinstance(found, Match)
    assert [(one.role, one.scalar.value) for one in found.resources if one.scalar][:2] == [
        ("web", 2.0),
        ("*", 0.5),
    ]


def test_an_offer_of_another_role_is_of_no_use() -> None:
    assert match(app(), Pool(offer(allocation_info={"role": "other"}))) is Reason.ROLE


def test_an_agent_in_maintenance_is_not_used() -> None:
    closing = {"start": {"nanoseconds": 0}, "duration": {"nanoseconds": 5_000_000_000}}
    pool = Pool(offer(unavailability=closing))
    assert pool.match(app(), [], fractions(), 1.0) is Reason.MAINTENANCE
    assert isinstance(pool.match(app(), [], fractions(), 6.0), Match)


PLACES = [Place("h1", attributes={"rack": "r1"}), Place("h2", attributes={"rack": "r2"})]


@pytest.mark.parametrize(
    ("constraint", "host", "rack", "allowed"),
    [
        (("hostname", "UNIQUE"), "h1", "r1", False),
        (("hostname", "UNIQUE"), "h3", "r1", True),
        (("rack", "CLUSTER", "r1"), "h3", "r1", True),
        (("rack", "CLUSTER", "r1"), "h3", "r2", False),
        (("rack", "CLUSTER"), "h3", "r1", True),
        (("rack", "LIKE", "r[12]"), "h3", "r2", True),
        (("rack", "LIKE", "r"), "h3", "r2", False),
        (("rack", "UNLIKE", "r1"), "h3", "r2", True),
        (("rack", "UNLIKE", "r.*"), "h3", None, True),
        (("rack", "LIKE", ".*"), "h3", None, False),
        (("rack", "MAX_PER", "1"), "h3", "r1", False),
        (("rack", "MAX_PER", "2"), "h3", "r1", True),
        (("rack", "GROUP_BY", "3"), "h3", "r1", False),
        (("rack", "GROUP_BY", "3"), "h3", "r3", True),
        (("rack", "GROUP_BY"), "h3", "r1", True),
        (("@hostname", "IS", "h3"), "h3", "r1", True),
        (("rack", "IS", "1.0001"), "h3", "1", True),
    ],
)
def test_constraints(constraint: Any, host: str, rack: str | None, allowed: bool) -> None:
    place = Place(host, attributes={} if rack is None else {"rack": rack})
    assert constraints.allows(constraint, place, PLACES) is allowed


@pytest.mark.parametrize(
    "constraint",
    [
        ("a", "NEAR"),
        ("a", "UNIQUE", "x"),
        ("a", "LIKE"),
        ("a", "LIKE", "("),
        ("a", "LIKE", "a{99999999999999999999}"),
        ("a", "LIKE", "(" * 3000 + ")" * 3000),
        ("a", "UNLIKE", "x" * (constraints.PATTERN_LIMIT + 1)),
        ("a", "MAX_PER", "x"),
        ("a", "MAX_PER", "\N{SUPERSCRIPT TWO}"),
        ("a", "GROUP_BY", "9" * 5000),
        ("a", "IS", "x\n"),
    ],
)
def test_bad_constraints_are_told_and_match_nowhere(constraint: Any) -> None:
    assert constraints.problem(constraint)
    if constraint[1] in ("LIKE", "UNLIKE", "MAX_PER"):
        assert not constraints.allows(constraint, Place("h", attributes={"a": "v"}), ())
