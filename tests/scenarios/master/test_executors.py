"""Executors in the master's books, and task groups: launched whole or not at all."""

from typing import Any

import pytest

from tests.scenarios.master.peers import (
    FINISHED,
    RUNNING,
    AgentPeer,
    FrameworkPeer,
    resources,
    scalar,
    started,
    task,
)
from tests.scenarios.master.world import World


def executor(agent: AgentPeer, executor_id: str = "e1", **changes: Any) -> dict[str, Any]:
    return {
        "executor_id": {"value": executor_id}, "command": {"value": "./run"},
        "resources": resources(0.5, 64), **changes,
    }  # fmt: skip


def pod(executor_id: str = "p1", **changes: Any) -> dict[str, Any]:
    return {
        "executor_id": {"value": executor_id}, "type": "DEFAULT",
        "resources": [*resources(0.5, 64), scalar("disk", 10)], **changes,
    }  # fmt: skip


def by(agent: AgentPeer, task_id: str, **changes: Any) -> dict[str, Any]:
    return {**task(task_id, agent, executor=executor(agent)), "command": None, **changes}


def with_disk() -> tuple[World, FrameworkPeer, AgentPeer]:
    world = World().lead()
    framework = FrameworkPeer(world).subscribe()
    agent = AgentPeer(world)
    agent.info["resources"].append(scalar("disk", 1000))
    return world, framework, agent.subscribe()


def launch_group(
    framework: FrameworkPeer, info: dict[str, Any], *tasks: dict[str, Any], **operation: Any
) -> None:
    body = {"executor": info, "task_group": {"tasks": list(tasks)}}
    operations = [{"type": "LAUNCH_GROUP", "launch_group": body, **operation}]
    framework.operate([framework.offer()["id"]["value"]], operations, refuse_s=0)


def free(framework: FrameworkPeer) -> tuple[float, float]:
    """What the whole agent has to offer now."""
    for offer in framework.offers():
        framework.decline(offer, refuse_s=0)
    found = {r["name"]: r["scalar"]["value"] for r in framework.offer()["resources"]
             if "scalar" in r}  # fmt: skip
    return found["cpus"], found["mem"]


def test_an_executor_is_charged_once_for_all_its_tasks_until_it_ends() -> None:
    world, framework, agent = started()
    framework.accept(framework.offer(), by(agent, "t1"), by(agent, "t2"), refuse_s=0)
    first, second = agent.stream.of("RUN_TASK")
    assert first["executor"]["framework_id"] == {"value": framework.id}
    assert (first["launch_executor"], second["launch_executor"]) == (True, False)
    world.wait(6)
    assert free(framework) == (4 - 0.5 - 2, 1024 - 64 - 256)
    offer = framework.offer()
    assert offer["executor_ids"] == [{"value": "e1"}]
    for name in ("t1", "t2"):
        agent.update(framework, name, FINISHED)
    world.wait(6)
    assert free(framework) == (4 - 0.5, 1024 - 64)
    agent.call("EXITED_EXECUTOR", exited_executor={
        "framework_id": {"value": framework.id}, "executor_id": {"value": "e1"}, "status": 256,
    })  # fmt: skip
    [failure] = framework.stream.of("FAILURE")
    assert failure == {
        "agent_id": {"value": agent.id}, "executor_id": {"value": "e1"}, "status": 256,
    }  # fmt: skip
    world.wait(6)
    assert free(framework) == (4.0, 1024.0)


def test_an_executor_that_differs_from_the_one_that_runs_is_refused() -> None:
    _, framework, agent = started()
    framework.accept(framework.offer(), by(agent, "t1"), refuse_s=0)
    other = by(agent, "t2", executor=executor(agent, command={"value": "./other"}))
    framework.accept(framework.offer(), other, refuse_s=0)
    [status] = framework.updates("t2")
    assert (status["state"], status["reason"]) == ("TASK_ERROR", "REASON_TASK_INVALID")
    assert status["message"].startswith("ExecutorInfo is not compatible with existing")


def test_executors_come_back_with_their_agent_and_leave_with_their_framework() -> None:
    world, framework, agent = started()
    info = {**executor(agent), "framework_id": {"value": framework.id}}
    report = {"framework_id": {"value": framework.id}, "executor_info": info}
    agent.subscribe(executors=[report])
    assert free(framework) == (3.5, 960.0)
    framework.accept(framework.offer(), by(agent, "t1"), refuse_s=0)
    [run] = agent.stream.of("RUN_TASK")
    assert run["launch_executor"] is False
    framework.call("TEARDOWN")
    other = FrameworkPeer(world).subscribe()
    assert free(other) == (4.0, 1024.0)


def test_an_executor_of_a_framework_that_is_gone_is_shut_down() -> None:
    _, _, agent = started()
    info = {**executor(agent), "framework_id": {"value": "gone"}}
    agent.subscribe(executors=[{"framework_id": {"value": "gone"}, "executor_info": info}])
    assert agent.stream.of("SHUTDOWN_FRAMEWORK") == [{"framework_id": {"value": "gone"}}]


def test_a_group_is_sent_and_charged_whole() -> None:
    world, framework, agent = with_disk()
    launch_group(framework, pod(), task("t1", agent), task("t2", agent))
    [run] = agent.stream.of("RUN_TASK_GROUP")
    assert run["executor"]["executor_id"] == {"value": "p1"} and run["launch_executor"] is True
    assert [each["task_id"]["value"] for each in run["task_group"]["tasks"]] == ["t1", "t2"]
    world.wait(6)
    assert free(framework) == (4 - 0.5 - 2, 1024 - 64 - 256)
    agent.update(framework, "t1", RUNNING, executor_id={"value": "p1"})
    assert framework.states("t1") == [RUNNING]
    # Another group on the same pod pays for its tasks only.
    launch_group(framework, pod(), task("t3", agent))
    assert agent.stream.of("RUN_TASK_GROUP")[-1]["launch_executor"] is False
    world.wait(6)
    assert free(framework) == (4 - 0.5 - 3, 1024 - 64 - 384)


INVALID: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"type": None}, {}, "'ExecutorInfo.type' must be set"),
    ({"command": {"value": "x"}}, {}, "'ExecutorInfo.command' must not be set for 'DEFAULT'"),
    ({"type": "CUSTOM"}, {}, "'ExecutorInfo.command' must be set for 'CUSTOM' executor"),
    ({"container": {"type": "DOCKER"}}, {}, "must be 'MESOS' for 'DEFAULT' executor"),
    ({"resources": [scalar("mem", 64), scalar("disk", 1)]}, {}, "uses less CPUs (None)"),
    ({"resources": [*resources(0.1, 16), scalar("disk", 1)]}, {}, "uses less memory (16MB)"),
    ({"resources": resources(0.1, 64)}, {}, "uses no disk"),
    ({"resources": [*resources(9, 64), scalar("disk", 1)]}, {}, "more than available"),
    ({"framework_id": {"value": "other"}}, {}, "ExecutorInfo has an invalid FrameworkID"),
    ({}, {"resources": resources(4, 64)}, "Task 't2' is invalid: Total resources"),
    ({}, {"task_id": {"value": "t1"}}, "Task 't1' is invalid: Task has duplicate ID"),
    ({}, {"command": None}, "'TaskInfo.command' must be set"),
    ({}, {"executor": pod("p2")}, "'TaskInfo.executor' is different from executor"),
    ({}, {"container": {"type": "MESOS", "network_infos": [{"name": "n"}]}},
     "Task 't2' is invalid: NetworkInfos must not be set on the task"),
    ({}, {"container": {"type": "DOCKER", "docker": {"image": "x"}}},
     "Docker ContainerInfo is not supported on the task"),
    ({}, {"kill_policy": {"grace_period": {"nanoseconds": -1}}}, "must be non-negative"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("of_executor", "of_task", "text"), INVALID, ids=[str(n) for n in range(len(INVALID))]
)
def test_a_group_with_one_fault_is_refused_whole(
    of_executor: dict[str, Any], of_task: dict[str, Any], text: str
) -> None:
    world, framework, agent = with_disk()
    bad = {**task("t2", agent), **of_task}
    launch_group(framework, pod(**of_executor), task("t1", agent), bad)
    assert agent.stream.of("RUN_TASK_GROUP") == []
    for status in [body["status"] for body in framework.stream.of("UPDATE")]:
        assert (status["state"], status["reason"]) == ("TASK_ERROR", "REASON_TASK_GROUP_INVALID")
        assert text in status["message"]
    assert len(framework.stream.of("UPDATE")) == 2
    world.wait(6)
    assert free(framework) == (4.0, 1024.0)


def test_a_group_takes_no_operation_id() -> None:
    _, framework, agent = with_disk()
    launch_group(framework, pod(), task("t1", agent), id={"value": "mine"})
    [status] = framework.updates("t1")
    assert status["reason"] == "REASON_TASK_GROUP_INVALID"
    assert status["message"] == "Operation 'id' is not allowed for LAUNCH_GROUP"


def test_the_executor_of_a_group_may_be_named_in_its_tasks() -> None:
    _, framework, agent = with_disk()
    launch_group(framework, pod(), task("t1", agent, executor=pod()))
    assert len(agent.stream.of("RUN_TASK_GROUP")) == 1
