"""Offers: made, filtered, accepted with every way to be wrong, taken back."""

import math
from typing import Any

import pytest

from tests.scenarios.master.peers import (
    RUNNING,
    AgentPeer,
    FrameworkPeer,
    resources,
    running,
    scalar,
    started,
    task,
)
from tests.scenarios.master.world import World


def values(offer: dict[str, Any]) -> dict[str, float]:
    return {r["name"]: r["scalar"]["value"] for r in offer["resources"] if "scalar" in r}


def test_an_offer_says_whose_it_is_and_what_is_free() -> None:
    world, framework, agent = started()
    offer = framework.offer()
    assert offer["id"]["value"] == f"{world.machine.id}-O0"
    assert offer["framework_id"]["value"] == framework.id
    assert (offer["agent_id"]["value"], offer["hostname"]) == (agent.id, "a")
    assert offer["url"] == {
        "scheme": "http",
        "address": {"hostname": "a", "ip": agent.peer, "port": 5051},
        "path": "/slave(1)",
        **{key: offer["url"][key] for key in ("query",) if key in offer["url"]},
    }
    assert values(offer) == {"cpus": 4.0, "mem": 1024.0}
    assert "allocation_info" not in offer
    assert all("allocation_info" not in each for each in offer["resources"])


def test_offers_to_multi_role_frameworks_name_the_role() -> None:
    world = World().lead()
    framework = FrameworkPeer(world, "MULTI_ROLE", roles=["a"]).subscribe()
    AgentPeer(world).subscribe()
    offer = framework.offer()
    assert offer["allocation_info"] == {"role": "a"}
    assert all(each["allocation_info"] == {"role": "a"} for each in offer["resources"])


def test_what_is_launched_is_used_and_the_rest_is_hidden_for_five_seconds() -> None:
    world, framework, agent = started()
    framework.accept(framework.offer(), task("t1", agent))
    world.wait(4.5)
    assert framework.offers() == []
    world.wait(2)
    assert [values(offer) for offer in framework.offers()] == [{"cpus": 3.0, "mem": 896.0}]


@pytest.mark.parametrize(
    ("refuse_s", "hidden_s"),
    [(None, 5.0), (-1.0, 5.0), (20.0, 20.0), (0.2, 1.0), (1e12, 365 * 86400.0)],
)
def test_a_declined_offer_is_hidden(refuse_s: float | None, hidden_s: float) -> None:
    world, framework, agent = started()
    framework.decline(framework.offer(), refuse_s)
    hides = world.machine.filters.hides
    free = world.machine.state.agents[agent.id].free
    until = hides(framework.id, "*", agent.id, free, world.now)
    assert until is not None and math.isclose(until - world.now, hidden_s)
    if hidden_s < 100:
        world.wait(hidden_s - 0.01)
        assert framework.offers() == []
        world.wait(2)
        assert len(framework.offers()) == 1


def test_no_filter_is_set_for_zero_seconds() -> None:
    world, framework, _ = started()
    framework.decline(framework.offer(), 0)
    world.wait(0.1)
    assert len(framework.offers()) == 1


def test_a_filter_hides_subsets_only() -> None:
    world, framework, agent = running()
    framework.decline(framework.offer(), 3600)
    world.wait(10)
    assert framework.offers() == []
    agent.update(framework, "t1", "TASK_FINISHED")
    world.wait(0.1)
    assert [values(offer)["cpus"] for offer in framework.offers()] == [4.0]


def test_a_filter_is_of_one_framework_only() -> None:
    world, framework, _ = started()
    framework.decline(framework.offer(), 3600)
    other = FrameworkPeer(world).subscribe()
    world.wait(0.1)
    assert len(other.offers()) == 1


def test_declining_an_offer_twice_or_one_of_somebody_else_is_ignored() -> None:
    world, framework, _ = started()
    held = framework.offer()
    other = FrameworkPeer(world).subscribe()
    other.decline(held, 3600)
    assert len(world.machine.state.offers) == 1
    framework.decline(held, 3600)
    framework.decline(held, 3600)
    assert not framework.offers()


def test_revive_clears_filters() -> None:
    world, framework, _ = started()
    framework.decline(framework.offer(), 3600)
    framework.call("REVIVE")
    world.wait(0.1)
    assert len(framework.offers()) == 1


def test_revive_of_a_role_that_is_not_its_own_is_dropped() -> None:
    world, framework, _ = started()
    framework.decline(framework.offer(), 3600)
    framework.call("REVIVE", revive={"roles": ["other"]})
    world.wait(2)
    assert framework.offers() == []


def test_suppressed_frameworks_get_no_offers_until_they_revive() -> None:
    world, framework, _ = started()
    held = framework.offer()
    framework.call("SUPPRESS")
    assert framework.offers() == [held]  # what is out stays valid
    framework.decline(held, 0)
    world.wait(10)
    assert framework.offers() == []
    framework.call("REVIVE")
    world.wait(0.1)
    assert len(framework.offers()) == 1


def test_subscribing_again_resets_suppression() -> None:
    world, framework, _ = started()
    framework.call("SUPPRESS")
    framework.subscribe()
    world.wait(0.1)
    assert len(framework.offers()) == 1
    framework.subscribe(suppressed_roles=["*"])
    world.wait(5)
    assert framework.offers() == []


def test_an_offer_that_is_held_too_long_is_rescinded() -> None:
    world, framework, _ = started(offer_timeout_s=30.0)
    held = framework.offer()
    world.wait(32)
    assert {"offer_id": held["id"]} in framework.stream.of("RESCIND")
    assert len(framework.offers()) == 1


def test_offers_of_an_agent_that_broke_its_stream_are_rescinded() -> None:
    world, framework, agent = started()
    held = framework.offer()
    world.leave(agent.request)
    assert framework.stream.of("RESCIND") == [{"offer_id": held["id"]}]
    world.wait(10)
    assert framework.offers() == []


def test_agents_with_gpus_are_kept_for_those_who_can_use_them() -> None:
    world = World().lead()
    plain, able = FrameworkPeer(world).subscribe(), FrameworkPeer(world, "GPU_RESOURCES")
    agent = AgentPeer(world)
    agent.info["resources"].append(scalar("gpus", 1))
    agent.subscribe()
    world.wait(3)
    assert plain.offers() == []
    able.subscribe()
    world.wait(0.1)
    assert values(able.offers()[0])["gpus"] == 1.0


def test_less_than_is_of_use_is_not_offered() -> None:
    world = World().lead()
    framework = FrameworkPeer(world).subscribe()
    AgentPeer(world, cpus=0.001, mem=31).subscribe()
    world.wait(3)
    assert framework.offers() == []


# --- ACCEPT -------------------------------------------------------------------------------------


def test_a_launched_task_reaches_its_agent() -> None:
    world, framework, agent = started()
    framework.launch(agent)
    [run] = agent.stream.of("RUN_TASK")
    assert run["task"]["task_id"] == {"value": "t1"}
    assert run["framework_info"]["id"] == {"value": framework.id}
    assert world.read("/tasks")["tasks"][0]["state"] == "TASK_STAGING"


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"task_id": {"value": ""}}, "must not be empty"),
    ({"task_id": {"value": "a/b"}}, "invalid characters"),
    ({"task_id": {"value": "a\\b"}}, "invalid characters"),
    ({"task_id": {"value": ".."}}, "disallowed"),
    ({"task_id": {"value": "x" * 256}}, "longer than 255"),
    ({"task_id": {"value": "a\x01"}}, "invalid characters"),
    ({"agent_id": {"value": "other"}}, "invalid agent other"),
    ({"command": None}, "at least one (but not both)"),
    ({"resources": []}, "no resources"),
    ({"resources": [scalar("cpus", 0)]}, "resources"),
    ({"resources": [scalar("cpus", -1)]}, "invalid resources"),
    ({"resources": resources(5, 128)}, "is more than available"),
    ({"resources": [scalar("gpus", 1)]}, "is more than available"),
    ({"kill_policy": {"grace_period": {"nanoseconds": -1}}}, "non-negative"),
    ({"max_completion_time": {"nanoseconds": -1}}, "non-negative"),
    ({"health_check": {"type": "HTTP"}}, "Expecting 'http' to be set"),
    ({"health_check": {"type": "TCP", "tcp": {"port": 1}, "delay_seconds": -1}}, "non-negative"),
    (
        {"executor": {"executor_id": {"value": "e"}, "command": {"value": "x"}}},
        "at least one (but not both)",
    ),
    ({"command": None, "executor": {"executor_id": {"value": "e"}}}, "must be set for 'CUSTOM'"),
    (
        {
            "command": None,
            "executor": {
                "executor_id": {"value": "e"},
                "type": "DEFAULT",
                "command": {"value": "x"},
            },
        },
        "must not be DEFAULT",
    ),
]


@pytest.mark.parametrize(("changes", "text"), INVALID, ids=[str(n) for n in range(len(INVALID))])
def test_an_invalid_task_is_an_error_and_the_others_are_launched(
    changes: dict[str, Any], text: str
) -> None:
    _, framework, agent = started()
    bad = {**task("bad", agent), **changes}
    framework.accept(framework.offer(), bad, task("good", agent))
    name = bad["task_id"]["value"]
    [status] = framework.updates(name)
    assert (status["state"], status["reason"]) == ("TASK_ERROR", "REASON_TASK_INVALID")
    assert text in status["message"]
    assert "uuid" not in status and status["source"] == "SOURCE_MASTER"
    assert [run["task"]["name"] for run in agent.stream.of("RUN_TASK")] == ["good"]


def test_a_task_id_that_is_in_use_is_an_error() -> None:
    _, framework, agent = running()
    framework.launch(agent, "t1")
    assert framework.states() == [RUNNING, "TASK_ERROR"]
    assert len(agent.stream.of("RUN_TASK")) == 1


def test_tasks_share_the_offer_in_order() -> None:
    _, framework, agent = started()
    tasks = [task(f"t{n}", agent, resources=resources(1.5)) for n in range(3)]
    framework.accept(framework.offer(), *tasks)
    assert [run["task"]["name"] for run in agent.stream.of("RUN_TASK")] == ["t0", "t1"]
    assert framework.states("t2") == ["TASK_ERROR"]


def test_offers_of_one_agent_are_put_together() -> None:
    world, framework, agent = started()
    framework.launch(agent)
    first = framework.offer()
    agent.update(framework, "t1", "TASK_FAILED")
    world.wait(0.1)
    both = framework.offers()
    assert first in both and len(both) == 2
    operations = [{"type": "LAUNCH", "launch": {"task_infos": [
        task("t2", agent, resources=resources(4, 1024))]}}]  # fmt: skip
    framework.operate([offer["id"]["value"] for offer in both], operations)
    assert framework.states("t2") == [] and len(agent.stream.of("RUN_TASK")) == 2


def test_offers_of_two_agents_are_refused_together_and_returned() -> None:
    world, framework, agent = started()
    AgentPeer(world, "b").subscribe()
    world.wait(0.1)
    ids = [offer["id"]["value"] for offer in framework.offers()]
    assert len(ids) == 2
    framework.operate(ids, [{"type": "LAUNCH", "launch": {"task_infos": [task("t1", agent)]}}])
    [status] = framework.updates()
    assert (status["state"], status["reason"]) == ("TASK_DROPPED", "REASON_INVALID_OFFERS")
    world.wait(0.1)
    assert len(framework.offers()) == 2  # unfiltered


@pytest.mark.parametrize(
    ("capabilities", "state"), [((), "TASK_LOST"), (("PARTITION_AWARE",), "TASK_DROPPED")]
)
def test_tasks_of_invalid_offers_are_dropped_and_valid_offers_returned(
    capabilities: tuple[str, ...], state: str
) -> None:
    world = World().lead()
    framework = FrameworkPeer(world, *capabilities).subscribe()
    agent = AgentPeer(world).subscribe()
    held = framework.offer()["id"]["value"]
    launch = {"type": "LAUNCH", "launch": {"task_infos": [task("t1", agent)]}}
    framework.operate([held, "no-O9"], [launch])
    [status] = framework.updates()
    assert (status["state"], status["reason"]) == (state, "REASON_INVALID_OFFERS")
    assert status["message"] == "Task launched with invalid offers: Offer no-O9 is no longer valid"
    world.wait(0.1)
    assert len(framework.offers()) == 1
    again = framework.offers()[0]["id"]["value"]
    framework.operate([again, again], [launch])
    assert framework.updates()[-1]["message"].endswith("is duplicated")


def test_an_operation_with_an_id_on_invalid_offers_gets_feedback() -> None:
    _, framework, _ = started()
    operation = {"type": "RESERVE", "id": {"value": "op"}, "reserve": {"resources": []}}
    framework.operate(["no"], [operation])
    [body] = framework.stream.of("UPDATE_OPERATION_STATUS")
    assert body["status"]["state"] == "OPERATION_ERROR"
    assert "invalid offers" in body["status"]["message"]


def test_an_operation_that_is_wrong_is_refused_and_the_next_tried() -> None:
    _, framework, agent = started()
    offer = framework.offer()["id"]["value"]
    reserve = {"type": "RESERVE", "id": {"value": "op"}, "reserve": {"resources": resources()}}
    launch = {"type": "LAUNCH", "launch": {"task_infos": [task("t1", agent)]}}
    framework.operate([offer], [reserve, launch])
    [body] = framework.stream.of("UPDATE_OPERATION_STATUS")
    assert body["status"]["operation_id"] == {"value": "op"}
    assert "is not dynamically reserved" in body["status"]["message"]
    assert len(agent.stream.of("RUN_TASK")) == 1


def test_a_launch_with_an_operation_id_is_an_error() -> None:
    _, framework, agent = started()
    operation = {"type": "LAUNCH", "id": {"value": "op"},
                 "launch": {"task_infos": [task("t1", agent)]}}  # fmt: skip
    framework.operate([framework.offer()["id"]["value"]], [operation])
    assert framework.states() == ["TASK_ERROR"]


def test_accepting_with_nothing_to_do_declines() -> None:
    world, framework, _ = started()
    framework.operate([framework.offer()["id"]["value"]], [], 3600)
    world.wait(10)
    assert framework.offers() == []


def test_a_master_that_forgets_an_agent_takes_no_launch_on_its_offers() -> None:
    world, framework, agent = started()
    held = framework.offer()
    world.leave(agent.request)
    framework.accept(held, task("t1", agent))
    assert framework.states() == ["TASK_DROPPED"]
