"""Quota and weights: set, refused, made room for, kept for the next leader."""

import json
from typing import Any

import pytest

from tests.scenarios.master.peers import AgentPeer, FrameworkPeer, scalar, task
from tests.scenarios.master.world import World


def quota(role: str, guarantees: dict[str, float] | None = None, **limits: float) -> dict[str, Any]:
    """A QuotaConfig."""
    return {
        "role": role,
        "guarantees": {name: {"value": value} for name, value in (guarantees or {}).items()},
        "limits": {name: {"value": value} for name, value in limits.items()},
    }


def call(world: World, kind: str, **body: Any) -> tuple[int, str]:
    answer = world.answers[world.post("/api/v1", {"type": kind, kind.lower(): body})]
    assert isinstance(answer.body, bytes)
    return answer.status, answer.body.decode()


def update(world: World, *configs: dict[str, Any], force: bool = False) -> tuple[int, str]:
    return call(world, "UPDATE_QUOTA", quota_configs=list(configs), force=force)


def shown(world: World, role: str) -> dict[str, Any]:
    [found] = [each for each in world.read("/roles")["roles"] if each["name"] == role]
    assert isinstance(found, dict)
    return found


def cpus(offers: list[dict[str, Any]]) -> list[float]:
    return [
        resource["scalar"]["value"]
        for offer in offers
        for resource in offer["resources"]
        if resource["name"] == "cpus"
    ]


def cluster(*roles: str, agents: int = 2, **changes: Any) -> tuple[World, list[FrameworkPeer]]:
    world = World(**changes).lead()
    peers = [
        FrameworkPeer(world, "MULTI_ROLE", name=role, roles=[role]).subscribe() for role in roles
    ]
    for number in range(agents):
        AgentPeer(world, chr(ord("a") + number)).subscribe()
    world.wait(0.1)
    return world, peers


# --- limits and guarantees ------------------------------------------------------------------------


def test_offers_are_taken_back_and_made_smaller_until_a_limit_holds() -> None:
    world, [peer] = cluster("dev")
    assert cpus(peer.offers()) == [4.0, 4.0]
    assert update(world, quota("dev", cpus=5)) == (200, "")
    world.wait(0.1)
    assert sum(cpus(peer.offers())) == 5.0
    found = shown(world, "dev")
    assert found["offered"]["cpus"] == 5.0
    assert found["quota"] == {
        "role": "dev",
        "guarantee": {},
        "limit": {"cpus": 5.0},
        "consumed": {},
    }


def test_offers_of_others_are_taken_back_so_that_a_guarantee_can_be_met() -> None:
    world, [dev, other] = cluster("dev", "other")
    assert len(dev.offers()) == len(other.offers()) == 1
    dev.call("SUPPRESS")
    dev.decline(dev.offers()[0], 0)
    world.wait(2)
    assert cpus(other.offers()) == [4.0, 4.0]
    assert update(world, quota("dev", {"cpus": 6.0})) == (200, "")
    world.wait(2)
    assert sum(cpus(other.offers())) == 2.0  # the rest is held back, though nobody asks for it
    dev.call("REVIVE")
    world.wait(2)
    assert sum(cpus(dev.offers())) == 6.0


def test_a_role_at_its_limit_gets_more_when_a_task_of_it_ends() -> None:
    world = World().lead()
    peer = FrameworkPeer(world, "MULTI_ROLE", roles=["dev"]).subscribe()
    agent = AgentPeer(world).subscribe()
    assert update(world, quota("dev", cpus=1, mem=128))[0] == 200
    world.wait(0.1)
    offer = peer.offers()[-1]
    peer.accept(offer, task("t1", agent), refuse_s=0)
    world.wait(5)
    ports_only = peer.offers()
    assert cpus(ports_only) == []
    agent.update(peer, "t1", "TASK_FINISHED")
    world.wait(2)
    assert sum(cpus(peer.offers())) == 1.0


def test_what_tasks_use_and_what_is_reserved_is_consumed_and_what_is_offered_is_not() -> None:
    world = World().lead()
    peer = FrameworkPeer(world, "MULTI_ROLE", roles=["dev/x"]).subscribe()
    agent = AgentPeer(world)
    agent.info["resources"].append({**scalar("cpus", 3), "role": "dev"})
    agent.subscribe()
    peer.launch(agent)
    found = shown(world, "dev")
    assert found["quota"]["consumed"] == {"cpus": 4.0, "mem": 128.0}
    assert found["reserved"]["cpus"] == 3.0
    assert shown(world, "dev/x")["allocated"]["cpus"] == 1.0
    assert shown(world, "dev/x")["quota"]["consumed"] == {}


# --- refusals -------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], str]] = [
    (quota("a/b", cpus=1), "Updating quota on nested role 'a/b' is not supported yet"),
    (quota("-x", cpus=1), "Invalid QuotaConfig: Invalid 'QuotaConfig.role': Role"),
    (quota("other", cpus=1), "Invalid QuotaConfig: 'other' is not on the roles whitelist"),
    (quota("dev", cpus=2e12), "'QuotaConfig.limits': {'cpus': 2000000000000} is invalid: values"),
    (quota("dev", {"mem": 2e12}), "values greater than 1 exabyte (1099511627776)"),
    (quota("dev", cpus=-1), "Invalid limit configuration {'cpus': -1}: Negative"),
    (quota("dev", {"cpus": 2.0}, cpus=1), "is not contained within the 'QuotaConfig.limits'"),
    (
        quota("dev", {"cpus": 20.0}),
        "total quota guarantees 'cpus:20' exceed cluster capacity 'cpus",
    ),
]


@pytest.mark.parametrize(("config", "text"), REFUSED, ids=[str(n) for n in range(len(REFUSED))])
def test_what_can_not_be_is_refused_and_nothing_changes(config: dict[str, Any], text: str) -> None:
    world, _ = cluster("dev", roles=("dev", "-x", "a/b"))
    if config["role"] == "dev" and "exceed" not in text:
        status, body = update(world, quota("dev", cpus=3), config)
    else:
        status, body = update(world, config)
    assert status == 400 and text in body
    assert world.read("/quota") == {}


def test_force_overcommits_and_sets_limits_below_what_is_consumed() -> None:
    world, [peer] = cluster("dev", agents=1)
    agent_id = peer.offers()[0]["agent_id"]["value"]
    agent = AgentPeer(world, "z", id=agent_id)
    peer.accept(peer.offers()[0], task("t1", agent), refuse_s=0)
    status, body = update(world, quota("dev", cpus=0.5))
    assert status == 400 and "Role 'dev' is already consuming 'cpus:" in body
    assert update(world, quota("dev", cpus=0.5), force=True)[0] == 200
    assert update(world, quota("dev", {"cpus": 100.0}), force=True)[0] == 200
    assert world.read("/quota")["configs"] == [
        {"role": "dev", "guarantees": {"cpus": {"value": 100.0}}}
    ]


# --- the old way ----------------------------------------------------------------------------------


def test_the_old_way_sets_a_guarantee_that_is_the_limit_too() -> None:
    world, _ = cluster("dev")
    asked = {"role": "dev", "guarantee": [scalar("cpus", 2)]}
    assert call(world, "SET_QUOTA", quota_request=asked) == (200, "")
    expected = {"cpus": {"value": 2.0}}
    status = world.read("/quota")
    assert status["configs"] == [{"role": "dev", "guarantees": expected, "limits": expected}]
    assert status["infos"][0]["guarantee"][0]["scalar"] == {"value": 2.0}
    code, body = call(world, "SET_QUOTA", quota_request=asked)
    assert code == 400 and "which already has quota" in body
    assert call(world, "REMOVE_QUOTA", role="dev") == (200, "")
    code, body = call(world, "REMOVE_QUOTA", role="dev")
    assert (code, body) == (400, "Failed to remove quota: Role 'dev' has no quota set")


def test_the_old_way_answers_conflict_for_more_than_the_cluster_has() -> None:
    world, _ = cluster("dev")
    asked: dict[str, Any] = {"role": "dev", "guarantee": [scalar("cpus", 9)]}
    status, body = call(world, "SET_QUOTA", quota_request=asked)
    assert status == 409 and body.startswith("Quota guarantees overcommit the cluster (use 'force'")
    assert call(world, "SET_QUOTA", quota_request={**asked, "force": True})[0] == 200


# --- leaders --------------------------------------------------------------------------------------


def test_quota_and_weights_outlive_the_leader() -> None:
    world, _ = cluster("dev")
    update(world, quota("dev", {"cpus": 1.0}, cpus=3))
    call(world, "UPDATE_WEIGHTS", weight_infos=[{"role": "dev", "weight": 2.5}])
    later = world.next_master()
    assert shown(later, "dev")["quota"]["limit"] == {"cpus": 3.0}
    assert shown(later, "dev")["weight"] == 2.5
    assert later.read("/weights") == [{"role": "dev", "weight": 2.5}]


def test_an_update_is_answered_once_it_is_durable() -> None:
    world, _ = cluster("dev")
    world.slow_store = True
    body = {"type": "UPDATE_QUOTA", "update_quota": {"quota_configs": [quota("dev", cpus=9)]}}
    request = world.post("/api/v1", body)
    assert request not in world.answers
    world.settle()
    assert world.answers[request].status == 200


def test_with_quota_a_new_leader_offers_nothing_before_most_agents_are_back() -> None:
    world, [peer] = cluster("dev", agents=5)
    update(world, quota("dev", cpus=30))
    ids = list(world.machine.state.agents)
    later = world.next_master()
    again = FrameworkPeer(later, "MULTI_ROLE", roles=["dev"], id=peer.id).subscribe()
    for number, agent_id in enumerate(ids[:3]):
        AgentPeer(later, chr(ord("a") + number), id=agent_id).subscribe()
    later.wait(5)
    assert again.offers() == []
    AgentPeer(later, "d", id=ids[3]).subscribe()
    later.wait(2)
    assert len(again.offers()) == 4


def test_a_new_leader_waits_for_agents_ten_minutes_at_most() -> None:
    world, [peer] = cluster("dev", agents=3)
    update(world, quota("dev", cpus=30))
    later = world.next_master(agent_reregister_timeout_s=9000.0)
    again = FrameworkPeer(later, "MULTI_ROLE", roles=["dev"], id=peer.id).subscribe()
    later.wait(595)
    AgentPeer(later, "x").subscribe()
    later.wait(4)
    assert again.offers() == []
    later.wait(3)
    assert len(again.offers()) == 1


def test_a_new_leader_waits_no_longer_once_no_agent_is_missing() -> None:
    world, [peer] = cluster("dev", agents=5)
    update(world, quota("dev", cpus=30))
    ids = list(world.machine.state.agents)
    later = world.next_master()
    again = FrameworkPeer(later, "MULTI_ROLE", roles=["dev"], id=peer.id).subscribe()
    AgentPeer(later, "a", id=ids[0]).subscribe()
    for agent_id in ids[1:4]:
        assert call(later, "MARK_AGENT_GONE", agent_id={"value": agent_id})[0] == 200
    later.wait(2)
    assert again.offers() == []
    call(later, "MARK_AGENT_GONE", agent_id={"value": ids[4]})
    later.wait(2)
    assert len(again.offers()) == 1


def test_a_new_leader_waits_for_agents_no_longer_than_they_may_take() -> None:
    world, [peer] = cluster("dev", agents=5)
    update(world, quota("dev", cpus=30))
    later = world.next_master(agent_reregister_timeout_s=60.0)
    again = FrameworkPeer(later, "MULTI_ROLE", roles=["dev"], id=peer.id).subscribe()
    AgentPeer(later, "new").subscribe()
    later.wait(58)
    assert again.offers() == []
    later.wait(4)
    assert len(again.offers()) == 1


# --- weights --------------------------------------------------------------------------------------


def test_weights_of_roles_in_use_take_back_every_offer_and_share_anew() -> None:
    world, [dev, other] = cluster("dev", "other", agents=4)
    assert len(dev.offers()) == len(other.offers()) == 2
    assert call(world, "UPDATE_WEIGHTS", weight_infos=[{"role": "dev", "weight": 3.0}])[0] == 200
    world.wait(0.1)
    assert (len(dev.offers()), len(other.offers())) == (3, 1)


@pytest.mark.parametrize(
    ("info", "text"),
    [
        ({"role": "a//b", "weight": 1}, "Invalid role 'a//b'"),
        ({"role": "dev", "weight": 0}, "for role 'dev': Invalid weight '0': Weights must be"),
        ({"role": "dev", "weight": -1.5}, "Invalid weight '-1.5': Weights must be positive"),
        ({"role": "else", "weight": 1}, "Unknown role 'else'"),
    ],
)
def test_weights_that_mean_nothing_are_refused(info: dict[str, Any], text: str) -> None:
    world, _ = cluster("dev", roles=("dev",))
    infos = [{"role": "dev", "weight": 2.0}, info]
    status, body = call(world, "UPDATE_WEIGHTS", weight_infos=infos)
    assert status == 400 and text in body
    request = world.send("PUT", "/weights", None, {}, json.dumps(infos).encode())
    assert world.answers[request].status == 400
    assert world.read("/weights") == []
