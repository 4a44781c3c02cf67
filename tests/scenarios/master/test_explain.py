"""Why a framework gets no offers: every cause is named, the answer is bounded."""

import json
from dataclasses import replace
from typing import Any

import pytest

from mesosphere.master.core.allocator.claims import part_for
from mesosphere.master.views import explain
from tests.scenarios.master.peers import AgentPeer, FrameworkPeer, scalar, started, task
from tests.scenarios.master.world import World


def claim(world: World, peer: FrameworkPeer, **query: str) -> dict[str, Any]:
    """The one claim of a framework."""
    found = world.read("/explain", framework=peer.id, **query)
    [shown] = found["claims"]
    assert found["verdict"] == shown["verdict"]
    assert isinstance(shown, dict)
    return shown


def causes(shown: dict[str, Any]) -> dict[str, int]:
    return {each["cause"]: each["agents"] for each in shown.get("causes", [])}


def test_a_refusal_is_named_with_its_end() -> None:
    world, framework, _ = started()
    framework.decline(framework.offer(), 100)
    world.wait(2)
    shown = claim(world, framework)
    assert causes(shown) == {"REFUSED": 1}
    [agent] = shown["agents"]
    assert agent["until"] - world.now == pytest.approx(98, abs=0.2)
    assert shown["verdict"] == "the framework refused resources like these (1 of 1 agents)"


def test_what_is_offered_already_is_named() -> None:
    world, framework, _ = started()
    other = FrameworkPeer(world).subscribe()
    world.wait(2)
    assert causes(claim(world, other)) == {"OFFERED": 1}
    assert claim(world, framework)["outstanding_offers"] == 1


def test_suppression_absence_and_absent_agents_are_named() -> None:
    world, framework, agent = started()
    framework.call("SUPPRESS")
    assert causes(claim(world, framework)) == {"SUPPRESSED": 1}
    framework.call("REVIVE")
    world.leave(agent.request)
    assert causes(claim(world, framework)) == {"AGENT_AWAY": 1}
    world.leave(framework.request)
    shown = claim(world, framework)
    assert causes(shown) == {"NOT_CONNECTED": 1} and not shown["connected"]


def test_gpus_regions_and_crumbs_are_named() -> None:
    world = World().lead()
    framework = FrameworkPeer(world).subscribe()
    gpus = AgentPeer(world, "g")
    gpus.info["resources"].append(scalar("gpus", 1))
    gpus.subscribe()
    AgentPeer(world, "c", cpus=0.001, mem=31).subscribe()
    world.wait(2)
    assert causes(claim(world, framework)) == {"GPUS": 1, "TOO_LITTLE": 1}


def test_a_demand_names_what_is_lacking_and_who_is_too_small() -> None:
    world, framework, agent = started()
    AgentPeer(world, "b", cpus=2).subscribe()
    world.wait(2)
    first, second = framework.offers()
    framework.accept(first, task("t", agent), refuse_s=0)
    framework.decline(second, 0)
    shown = claim(world, framework, resources="cpus:3.5;mem:64")
    assert causes(shown) == {"LACKING": 1, "TOO_SMALL": 1}
    lacks = {each["hostname"]: each["lacks"] for each in shown["agents"]}
    assert lacks == {"a": {"cpus": {"value": 0.5}}, "b": {"cpus": {"value": 1.5}}}
    shown = claim(world, framework, resources="cpus:3;mem:64")
    assert shown["verdict"] == "can be met on 1 of 2 agents"


def test_a_limit_and_the_headroom_of_others_are_named() -> None:
    world = World().lead()
    dev = FrameworkPeer(world, "MULTI_ROLE", roles=["dev"]).subscribe()
    ops = FrameworkPeer(world, "MULTI_ROLE", roles=["ops"]).subscribe()
    AgentPeer(world).subscribe()
    configs = [
        {"role": "dev", "limits": {"cpus": {"value": 0}, "mem": {"value": 0}}},
        {"role": "vip", "guarantees": {"cpus": {"value": 4}, "mem": {"value": 1024}}},
    ]
    world.post("/api/v1", {"type": "UPDATE_QUOTA", "update_quota": {"quota_configs": configs}})
    world.wait(5)
    shown = claim(world, dev)
    assert causes(shown) == {"LIMIT": 1}
    assert shown["quota"]["limits"]["cpus"] == {"value": 0.0}
    shown = claim(world, ops)
    assert causes(shown) == {"HEADROOM": 1}
    assert shown["held_back"] == {"cpus": {"value": 4.0}, "mem": {"value": 1024.0}}


def test_a_role_shows_every_framework_in_it() -> None:
    world = World().lead()
    for name in ("one", "two"):
        FrameworkPeer(world, "MULTI_ROLE", name=name, roles=["dev", "ops"]).subscribe()
    AgentPeer(world).subscribe()
    found = world.read("/explain", role="dev")
    assert [each["name"] for each in found["claims"]] == ["one", "two"]
    assert found["claims_known"] == 2
    assert found["verdict"] == "2 of 2 frameworks in roles can be offered something now"


def test_the_answer_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "CLAIMS_LIMIT", 2)
    monkeypatch.setattr(explain, "JUDGEMENTS_LIMIT", 8)
    monkeypatch.setattr(explain, "AGENTS_LIMIT", 6)
    monkeypatch.setattr(explain, "FREE_LIMIT", 10)
    world = World().lead()
    for number in range(3):
        FrameworkPeer(world, name=f"f{number}").subscribe()
    for number in range(6):
        AgentPeer(world, chr(ord("a") + number)).subscribe()
    found = world.read("/explain", role="*", agents="100")
    assert (found["claims_known"], found["agents_known"], found["agents_judged"]) == (3, 6, 4)
    assert [len(each["agents"]) for each in found["claims"]] == [3, 3]
    assert [sum(causes(each).values()) for each in found["claims"]] == [4, 4]
    assert found["truncated"] == [
        "2 of 3 claims are shown: ask for one framework",
        "4 of 6 agents were looked at for each claim",
        "3 of 4 agents are listed for each claim ('agents' asks for more, 3 here at most)",
    ]
    hosts = [agent["hostname"] for agent in found["claims"][0]["agents"]]
    assert hosts == ["a", "b", "d"]  # from everywhere among all
    assert {len(agent["free"]) for agent in found["claims"][0]["agents"]} == {10}


def test_an_answer_that_has_everything_says_nothing_of_truncation() -> None:
    world, framework, _ = started()
    found = world.read("/explain", framework=framework.id)
    assert found["agents_judged"] == 1 and "truncated" not in found


def test_a_large_cluster_is_explained_with_bounded_work(monkeypatch: pytest.MonkeyPatch) -> None:
    world, framework, _ = started()
    known = world.machine.state.agents
    [first] = known.values()
    for number in range(12_000):
        known[f"s{number}"] = replace(first, id=f"s{number}", offers={})
    judged = 0

    def judge(*arguments: Any) -> Any:
        nonlocal judged
        judged += 1
        return part_for(*arguments)

    monkeypatch.setattr(explain, "part_for", judge)
    body = world.answers[
        world.send("GET", "/explain", {"framework": [framework.id], "agents": ["100000"]})
    ].body
    assert isinstance(body, bytes) and len(body) < 400_000
    assert 0 < judged <= explain.JUDGEMENTS_LIMIT
    assert json.loads(body)["truncated"][0] == (
        "10000 of 12001 agents were looked at for each claim"
    )


def test_the_metrics_tell_of_shares_filters_and_quota() -> None:
    world, framework, _ = started()
    framework.decline(framework.offer(), 100)
    config = {"role": "dev", "guarantees": {"cpus": {"value": 1}}, "limits": {"cpus": {"value": 2}}}
    world.post("/api/v1", {"type": "UPDATE_QUOTA", "update_quota": {"quota_configs": [config]}})
    found = world.read("/metrics/snapshot")
    expected = {
        "allocator/mesos/resources/cpus/total": 4.0,
        "allocator/mesos/resources/cpus/offered_or_allocated": 0.0,
        "allocator/mesos/roles/*/shares/dominant": 0.0,
        "allocator/mesos/offer_filters/roles/*/active": 1,
        "allocator/mesos/quota/roles/dev/resources/cpus/guarantee": 1.0,
        "allocator/mesos/quota/roles/dev/resources/cpus/limit": 2.0,
        "allocator/mesos/quota/roles/dev/resources/cpus/offered_or_allocated": 0.0,
    }
    assert {name: found[name] for name in expected} == expected
    world.wait(101)
    found = world.read("/metrics/snapshot")
    assert found["allocator/mesos/offer_filters/roles/*/active"] == 0
    assert found["allocator/mesos/roles/*/shares/dominant"] == 1.0
    assert found["allocator/mesos/resources/mem/offered_or_allocated"] == 1024.0
