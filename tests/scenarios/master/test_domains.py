"""Fault domains: agents of other regions are for frameworks that know of regions."""

import msgspec

from mesosphere.wire.mesos.common import DomainInfo, FaultDomain, RegionInfo, ZoneInfo
from tests.scenarios.master.peers import AgentPeer, FrameworkPeer
from tests.scenarios.master.world import INFO, World


def domain(region: str) -> DomainInfo:
    return DomainInfo(
        fault_domain=FaultDomain(region=RegionInfo(name=region), zone=ZoneInfo(name="z"))
    )


def agent(world: World, host: str, region: str | None) -> AgentPeer:
    peer = AgentPeer(world, host)
    if region is not None:
        peer.info["domain"] = msgspec.to_builtins(domain(region))
    return peer.subscribe()


def hosts(peer: FrameworkPeer) -> str:
    peer.world.wait(2)
    return "".join(sorted(offer["hostname"] for offer in peer.offers()))


def test_agents_of_other_regions_are_for_those_who_are_aware_of_regions() -> None:
    world = World(info=msgspec.structs.replace(INFO, domain=domain("here"))).lead()
    plain = FrameworkPeer(world).subscribe()
    for host, region in (("a", "here"), ("b", "there"), ("c", None)):
        agent(world, host, region)
    assert hosts(plain) == "ac"
    [claim] = world.read("/explain", framework=plain.id)["claims"]
    assert {each["cause"] for each in claim["causes"]} == {"OFFERED", "REGION"}
    aware = FrameworkPeer(world, "REGION_AWARE").subscribe()
    assert hosts(aware) == "b"
    assert aware.offers()[0]["domain"]["fault_domain"]["region"] == {"name": "there"}
    state = world.read("/state")
    assert state["domain"]["fault_domain"]["region"] == {"name": "here"}
    assert state["leader_info"]["domain"] == state["domain"]


def test_without_a_domain_of_the_master_no_agent_is_elsewhere() -> None:
    world = World().lead()
    plain = FrameworkPeer(world).subscribe()
    agent(world, "a", "there")
    assert hosts(plain) == "a"


def test_agents_without_a_domain_can_be_refused() -> None:
    world = World(require_agent_domain=True).lead()
    peer = AgentPeer(world, "a")
    peer.ask()
    assert peer.stream.types() == ["ERROR"] and not peer.stream.is_open
    agent(world, "b", "there")
    assert len(world.machine.state.agents) == 1
