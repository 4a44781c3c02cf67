"""Offer constraints: agents that a framework does not want to see."""

from typing import Any

import pytest

from tests.scenarios.master.peers import AgentPeer, FrameworkPeer
from tests.scenarios.master.world import World

RACK = {"attribute_name": "rack"}
LEVEL = {"attribute_name": "level"}
HOST = {"pseudoattribute_type": "HOSTNAME"}
ZONE = {"pseudoattribute_type": "ZONE"}


def constraints(*groups: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    """Offer constraints of the role "*"."""
    listed = [
        {"attribute_constraints": [{"selector": one, "predicate": two} for one, two in group]}
        for group in groups
    ]
    return {"role_constraints": {"*": {"groups": listed}}}


def agents(world: World) -> None:
    """Three agents: host a in rack r1 and zone z1, host b in rack r2, host c without a rack."""
    for host, rack in (("a", "r1"), ("b", "r2"), ("c", None)):
        agent = AgentPeer(world, host)
        level = {"name": "level", "type": "SCALAR", "scalar": {"value": 3}}
        text = {"name": "rack", "type": "TEXT", "text": {"value": rack}}
        agent.info["attributes"] = [level] if rack is None else [text, level]
        if host == "a":
            fault_domain = {"region": {"name": "here"}, "zone": {"name": "z1"}}
            agent.info["domain"] = {"fault_domain": fault_domain}
        agent.subscribe()


def hosts(peer: FrameworkPeer) -> str:
    peer.world.wait(2)
    return "".join(sorted(offer["hostname"] for offer in peer.offers()))


CASES: list[tuple[list[list[tuple[dict[str, Any], dict[str, Any]]]], str]] = [
    ([[(RACK, {"exists": {}})]], "ab"),
    ([[(RACK, {"not_exists": {}})]], "c"),
    ([[(RACK, {"text_equals": {"value": "r1"}})]], "a"),
    ([[(RACK, {"text_not_equals": {"value": "r1"}})]], "bc"),
    ([[(RACK, {"text_matches": {"regex": "r[12]"}})]], "ab"),
    ([[(RACK, {"text_not_matches": {"regex": "r2|x"}})]], "ac"),
    ([[(HOST, {"text_equals": {"value": "b"}})]], "b"),
    ([[(ZONE, {"text_equals": {"value": "z1"}})]], "a"),
    ([[(ZONE, {"not_exists": {}})]], "bc"),
    ([[(RACK, {"exists": {}}), (HOST, {"text_not_equals": {"value": "a"}})]], "b"),
    ([[(RACK, {"text_equals": {"value": "r2"}})], [(HOST, {"text_equals": {"value": "c"}})]], "bc"),
    ([[(LEVEL, {"text_equals": {"value": "no text"}})]], "abc"),
    ([[(LEVEL, {"text_not_matches": {"regex": ".*"}})]], "abc"),
    ([[(LEVEL, {"not_exists": {}})]], ""),
]


@pytest.mark.parametrize(("groups", "expected"), CASES, ids=[str(n) for n in range(len(CASES))])
def test_only_agents_that_satisfy_a_group_are_offered(
    groups: list[list[tuple[dict[str, Any], dict[str, Any]]]], expected: str
) -> None:
    world = World().lead()
    peer = FrameworkPeer(world).subscribe(offer_constraints=constraints(*groups))
    agents(world)
    assert hosts(peer) == expected
    excluded = world.read("/allocator/offer_constraints_debug")["frameworks"][peer.id]
    assert len(excluded["excluded_by_attribute_constraints"]["*"]) == 3 - len(expected)
    assert world.read("/frameworks")["frameworks"][0]["offer_constraints"] == constraints(*groups)


def test_constraints_change_with_the_framework() -> None:
    world = World().lead()
    wanted = constraints([(HOST, {"text_equals": {"value": "b"}})])
    peer = FrameworkPeer(world).subscribe(offer_constraints=wanted)
    agents(world)
    assert hosts(peer) == "b"
    info = {**peer.info, "id": {"value": peer.id}}
    answer = peer.try_call("UPDATE_FRAMEWORK", update_framework={
        "framework_info": info,
        "offer_constraints": constraints([(HOST, {"text_matches": {"regex": "[ab]"}})]),
    })  # fmt: skip
    assert answer.status == 200
    assert hosts(peer) == "ab"
    peer.subscribe()
    assert hosts(peer) == "abc"


def test_explain_names_constraints() -> None:
    world = World().lead()
    wanted = constraints([(RACK, {"exists": {}})])
    peer = FrameworkPeer(world).subscribe(offer_constraints=wanted)
    agents(world)
    world.wait(2)
    [claim] = world.read("/explain", framework=peer.id)["claims"]
    assert {"cause": "CONSTRAINED", "agents": 1} in [
        {"cause": each["cause"], "agents": each["agents"]} for each in claim["causes"]
    ]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"role_constraints": {"other": {}}}, "which is not contained in the set of roles"),
    ({"role_constraints": {"*": {}}}, "has an empty 'RoleConstraints::groups' for role *"),
    ({"role_constraints": {"*": {"groups": [{}]}}}, "empty RoleConstraints::Group"),
    (constraints([({}, {"exists": {}})]), "Exactly one of 'AttributeConstraint::Selector::name'"),
    (constraints([({**RACK, **HOST}, {"exists": {}})]), "Exactly one of"),
    (constraints([(RACK, {})]), "Unknown predicate type"),
    (
        constraints([({"pseudoattribute_type": "UNKNOWN"}, {"exists": {}})]),
        "Unknown pseudoattribute type",
    ),
    (constraints([(RACK, {"text_matches": {"regex": "("}})]), "Failed to construct regex from"),
    (constraints([(RACK, {"text_matches": {"regex": "a{500}"}})]), "is too complex: program size"),
]


@pytest.mark.parametrize(("wanted", "text"), REFUSED, ids=[str(n) for n in range(len(REFUSED))])
def test_constraints_that_make_no_sense_are_refused(wanted: dict[str, Any], text: str) -> None:
    world = World().lead()
    peer = FrameworkPeer(world)
    peer.ask(offer_constraints=wanted)
    assert peer.stream.types() == ["ERROR"] and not peer.stream.is_open
    assert text in peer.stream.events[0]["error"]["message"]
    peer = FrameworkPeer(world).subscribe()
    info = {**peer.info, "id": {"value": peer.id}}
    body = {"framework_info": info, "offer_constraints": wanted}
    answer = peer.try_call("UPDATE_FRAMEWORK", update_framework=body)
    assert answer.status == 400 and text.encode() in answer.body
