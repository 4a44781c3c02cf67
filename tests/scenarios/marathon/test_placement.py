"""Where instances go: constraints, roles and ports, from the app's JSON to the launched task."""

from collections import Counter
from typing import Any

import pytest

from tests.scenarios.marathon.harness import World


def hosts(world: World) -> Counter[str]:
    return Counter(task["agent_id"]["value"] for task in world.tasks.values())


def racked(world: World, racks: str, rounds: int = 6) -> None:
    """Offer agents, one for each letter, with that letter as their rack and room for one."""
    for _ in range(rounds):
        for agent, rack in enumerate(racks):
            attribute = {"name": "rack", "type": "TEXT", "text": {"value": rack}}
            world.offer(agent, cpus=0.15, attributes=[attribute] if rack != "-" else [])
            world.run_all()


def test_unique_hosts_take_one_each_and_the_rest_waits_with_the_reason() -> None:
    world = World().lead()
    world.create(instances=4, constraints=[["hostname", "UNIQUE"]])
    world.offer_all(agents=3, rounds=3)
    assert hosts(world) == {"S0": 1, "S1": 1, "S2": 1}
    item = world.get("/v2/queue")["queue"][0]
    reasons = item["processedOffersSummary"]["rejectSummaryLastOffers"]
    refused = {one["reason"]: one["declined"] for one in reasons if one["declined"]}
    assert refused == {"UnfulfilledConstraint": 3} and item["count"] == 1
    world.offer(3)
    assert hosts(world)["S3"] == 1


def test_an_update_of_an_app_with_unique_hosts_needs_no_further_hosts() -> None:
    world = World().lead()
    world.create(instances=2, constraints=[["hostname", "UNIQUE"]])
    world.offer_all(agents=2, rounds=2)
    world.run_all()
    world.update_app("/web", cmd="new")
    for _ in range(10):
        world.offer_all(agents=2, rounds=1)
        world.run_all()
    assert world.get("/v2/deployments") == []
    assert hosts(world) == {"S0": 1, "S1": 1}


@pytest.mark.parametrize(
    ("constraint", "racks", "expected"),
    [
        (["rack", "CLUSTER", "b"], "abc", {"S1": 4}),
        (["rack", "CLUSTER"], "abc", {"S0": 4}),
        (["rack", "GROUP_BY"], "aab", {"a": 2, "b": 2}),
        (["rack", "GROUP_BY", "2"], "abb", {"a": 2, "b": 2}),
        (["rack", "LIKE", "[bc]"], "abc", {"a": 0}),
        (["rack", "UNLIKE", "[bc]"], "bc-", {"S2": 4}),
        (["rack", "MAX_PER", "2"], "aab", {"a": 2, "b": 2}),
        (["rack", "IS", "c"], "abc", {"S2": 4}),
        (["@hostname", "is", "agent1"], "abc", {"S1": 4}),
    ],
)
def test_four_instances_go_where_the_constraint_says(
    constraint: list[str], racks: str, expected: dict[str, int]
) -> None:
    world = World().lead()
    world.create(instances=4, constraints=[constraint])
    racked(world, racks)
    counted = hosts(world)
    for agent, rack in enumerate(racks):
        counted[rack] += counted[f"S{agent}"]
    assert len(world.tasks) == 4
    assert {name: counted[name] for name in expected} == expected


def test_scaling_down_keeps_groups_even() -> None:
    world = World().lead()
    world.create(instances=4, constraints=[["rack", "GROUP_BY"]])
    racked(world, "ab")
    world.update_app("/web", instances=2)
    assert hosts(world) == {"S0": 1, "S1": 1}


def test_required_ports_are_the_tasks_ports() -> None:
    world = World().lead()
    world.create(ports=[31500, 31501], requirePorts=True)
    world.offer(0, ports=(32000, 32010))
    assert world.tasks == {}, "the port is not in the offer"
    world.offer(1)
    world.run_all()
    task = world.app()["tasks"][0]
    assert task["ports"] == [31500, 31501]
    assert [one["port"] for one in world.app()["portDefinitions"]] == [31500, 31501]


def test_a_required_port_of_0_is_the_service_port_that_was_assigned() -> None:
    world = World().lead()
    world.create(ports=[0], requirePorts=True)
    world.offer(0, ports=(9000, 20000))
    world.run_all()
    assert world.app()["tasks"][0]["ports"] == [10000]


def test_reserved_resources_are_used_only_if_the_app_accepts_them() -> None:
    def offer(world: World) -> None:
        resources: list[dict[str, Any]] = [
            {"name": name, "type": "SCALAR", "scalar": {"value": value}, "role": role}
            for role, value in (("web", 4.0), ("*", 0.05))
            for name in ("cpus", "mem")
        ]
        span = {"range": [{"begin": 31000, "end": 31010}]}
        resources.append({"name": "ports", "type": "RANGES", "ranges": span, "role": "web"})
        world.offer(0, resources=resources, allocation_info={"role": "web"})

    world = World(mesos_role="web").lead()
    world.create(mem=1, acceptedResourceRoles=["*"])
    offer(world)
    assert world.tasks == {}
    status, _ = world.ask("PUT", "/v2/apps/web", {"acceptedResourceRoles": ["web"]}, force=True)
    assert status == 200
    offer(world)
    [task] = world.tasks.values()
    assert {one["role"] for one in task["resources"]} == {"web"}


def test_the_grace_period_is_in_the_task_and_in_the_kill() -> None:
    world = World().lead()
    world.create(taskKillGracePeriodSeconds=7)
    world.settle()
    world.ask("DELETE", "/v2/apps/web")
    [kill] = [call["kill"] for call in world.calls if call["type"] == "KILL"]
    assert kill["kill_policy"]["grace_period"]["nanoseconds"] == 7_000_000_000


@pytest.mark.parametrize(("selection", "gone"), [("YOUNGEST_FIRST", 1), ("OLDEST_FIRST", 0)])
def test_scaling_down_kills_by_age(selection: str, gone: int) -> None:
    world = World().lead()
    world.create(killSelection=selection)
    world.settle()
    first = next(iter(world.tasks))
    world.pass_time(60)
    world.update_app("/web", instances=2)
    world.settle()
    both = [first, *(name for name in world.tasks if name != first)]
    world.update_app("/web", instances=1)
    world.settle()
    assert list(world.tasks) == [both[1 - gone]]
