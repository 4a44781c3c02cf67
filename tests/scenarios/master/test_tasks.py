"""Tasks: updated, acknowledged, killed, reconciled."""

from typing import Any

import pytest

from mesosphere.wire.mesos.enums import TERMINAL_STATES
from tests.scenarios.master.peers import (
    FINISHED,
    KILLED,
    RUNNING,
    AgentPeer,
    FrameworkPeer,
    running,
    started,
    task,
)
from tests.scenarios.master.world import World, encoded


def test_an_update_goes_to_the_framework_with_its_uuid() -> None:
    world, framework, agent = started()
    framework.launch(agent)
    agent.update(framework, "t1", RUNNING)
    [status] = framework.updates()
    assert (status["state"], status["agent_id"]) == (RUNNING, {"value": agent.id})
    assert status["uuid"] == encoded((1).to_bytes(16, "big"))
    assert world.read("/tasks")["tasks"][0]["state"] == RUNNING


def test_an_acknowledgement_goes_to_the_agent() -> None:
    _, framework, agent = running()
    [body] = agent.stream.of("ACKNOWLEDGE")
    assert body == {
        "framework_id": {"value": framework.id},
        "task_id": {"value": "t1"},
        "uuid": framework.updates()[0]["uuid"],
    }


@pytest.mark.parametrize("state", sorted(TERMINAL_STATES))
def test_a_task_that_ended_frees_its_resources_and_goes_with_its_acknowledgement(
    state: str,
) -> None:
    world, framework, agent = running()
    agent.update(framework, "t1", state)
    assert world.machine.state.agents[agent.id].used.is_empty
    assert framework.reconcile(("t1", None))[0]["state"] == state
    framework.acknowledge(framework.updates()[1])
    shown = world.read("/frameworks")["frameworks"][0]
    assert shown["tasks"] == [] and shown["completed_tasks"][0]["state"] == state
    assert len(agent.stream.of("ACKNOWLEDGE")) == 2


def test_the_latest_state_may_be_ahead_of_what_the_framework_was_told() -> None:
    world, framework, agent = started()
    framework.launch(agent)
    agent.update(framework, "t1", RUNNING, latest=FINISHED)
    assert framework.states() == [RUNNING]
    assert world.machine.state.agents[agent.id].used.is_empty
    [known] = framework.reconcile(("t1", None))
    assert known["state"] == RUNNING
    framework.acknowledge(framework.updates()[0])
    assert "t1" in world.machine.state.frameworks[framework.id].tasks  # FINISHED is to come
    agent.update(framework, "t1", FINISHED)
    framework.acknowledge(framework.updates()[-1])
    assert "t1" not in world.machine.state.frameworks[framework.id].tasks


def test_what_ended_stays_ended() -> None:
    world, framework, agent = running()
    agent.update(framework, "t1", FINISHED)
    agent.update(framework, "t1", RUNNING)
    [shown] = world.read("/tasks")["tasks"]
    assert shown["state"] == FINISHED
    assert world.machine.state.agents[agent.id].used.is_empty


def test_statuses_of_one_state_are_kept_once_and_newest() -> None:
    world, framework, agent = running()
    for _ in range(5):
        world.wait(1)
        agent.update(framework, "t1", RUNNING)
    [shown] = world.read("/tasks")["tasks"]
    assert [each["state"] for each in shown["statuses"]] == [RUNNING]
    assert shown["statuses"][0]["timestamp"] == world.now


def test_an_acknowledgement_of_another_update_changes_nothing() -> None:
    world, framework, agent = running()
    agent.update(framework, "t1", FINISHED)
    before = len(agent.stream.of("ACKNOWLEDGE"))
    framework.acknowledge(framework.updates()[0])  # RUNNING, a second time
    assert "t1" in world.machine.state.frameworks[framework.id].tasks
    assert len(agent.stream.of("ACKNOWLEDGE")) == before
    snapshot = world.read("/metrics/snapshot")
    assert snapshot["master/invalid_status_update_acknowledgements"] == 1


def test_an_acknowledgement_while_the_agent_is_away_is_dropped() -> None:
    world, framework, agent = started()
    framework.launch(agent)
    agent.update(framework, "t1", FINISHED)
    world.leave(agent.request)
    framework.acknowledge(framework.updates()[0])
    assert "t1" in world.machine.state.frameworks[framework.id].tasks


def test_updates_for_a_framework_that_is_away_wait_at_the_agent() -> None:
    world, framework, agent = running()
    world.leave(framework.request)
    agent.update(framework, "t1", FINISHED)
    framework.subscribe()
    assert framework.states() == []
    agent.update(framework, "t1", FINISHED)  # repeated
    framework.acknowledge(framework.updates()[0])
    assert not world.machine.state.frameworks[framework.id].tasks


def test_updates_of_unknown_frameworks_are_counted() -> None:
    world, framework, agent = running()
    framework.id = "unknown"
    agent.update(framework, "t1", FINISHED)
    assert world.read("/metrics/snapshot")["master/invalid_status_updates"] == 1


def test_completed_tasks_are_bounded() -> None:
    world, framework, agent = started(max_completed_tasks_per_framework=2)
    for name in ("t1", "t2", "t3"):
        framework.launch(agent, name)
        agent.update(framework, name, FINISHED)
        framework.acknowledge(framework.updates(name)[0])
    known = world.machine.state.frameworks[framework.id]
    assert [record.task.name for record in known.completed] == ["t2", "t3"]


# --- KILL, MESSAGE, SHUTDOWN --------------------------------------------------------------------


def test_a_kill_goes_to_the_agent_with_its_policy() -> None:
    _, framework, agent = running()
    policy = {"grace_period": {"nanoseconds": 7}}
    framework.call("KILL", kill={"task_id": {"value": "t1"}, "kill_policy": policy})
    [body] = agent.stream.of("KILL_TASK")
    assert body["task_id"] == {"value": "t1"} and body["kill_policy"] == policy


def test_a_kill_that_names_another_agent_is_ignored() -> None:
    _, framework, agent = running()
    framework.call("KILL", kill={"task_id": {"value": "t1"}, "agent_id": {"value": "other"}})
    assert agent.stream.of("KILL_TASK") == []


def test_a_kill_of_an_unknown_task_is_answered_by_reconciliation() -> None:
    _, framework, agent = running()
    framework.call("KILL", kill={"task_id": {"value": "t9"}, "agent_id": {"value": agent.id}})
    [status] = framework.updates("t9")
    assert (status["state"], status["reason"]) == ("TASK_GONE", "REASON_RECONCILIATION")


def test_a_kill_is_remembered_while_the_agent_is_away() -> None:
    world, framework, agent = running()
    world.leave(agent.request)
    framework.call("KILL", kill={"task_id": {"value": "t1"}})
    agent.subscribe(tasks=[agent.report(framework)])
    assert [body["task_id"] for body in agent.stream.of("KILL_TASK")] == [{"value": "t1"}]


def test_messages_pass_both_ways() -> None:
    _, framework, agent = running()
    data = encoded(b"\x00\xff")
    framework.call("MESSAGE", message={
        "agent_id": {"value": agent.id}, "executor_id": {"value": "e"}, "data": data})  # fmt: skip
    assert agent.stream.of("MESSAGE")[0]["data"] == data
    agent.call("MESSAGE", message={
        "framework_id": {"value": framework.id}, "executor_id": {"value": "e"},
        "data": data})  # fmt: skip
    assert framework.stream.of("MESSAGE") == [
        {"agent_id": {"value": agent.id}, "executor_id": {"value": "e"}, "data": data}
    ]


def test_an_executor_is_shut_down_and_its_end_is_a_failure() -> None:
    _, framework, agent = started()
    executor = {"executor_id": {"value": "e"}, "command": {"value": "run"}}
    framework.launch(agent, command=None, executor=executor)
    assert agent.stream.of("RUN_TASK")[0]["executor"]["framework_id"] == {"value": framework.id}
    framework.call("SHUTDOWN", shutdown={
        "agent_id": {"value": agent.id}, "executor_id": {"value": "e"}})  # fmt: skip
    assert agent.stream.of("SHUTDOWN_EXECUTOR")[0]["executor_id"] == {"value": "e"}
    assert framework.offer()["executor_ids"] == [{"value": "e"}]
    agent.call("EXITED_EXECUTOR", exited_executor={
        "framework_id": {"value": framework.id}, "executor_id": {"value": "e"},
        "status": 9})  # fmt: skip
    assert framework.stream.of("FAILURE") == [
        {"agent_id": {"value": agent.id}, "executor_id": {"value": "e"}, "status": 9}
    ]


# --- RECONCILE ----------------------------------------------------------------------------------


def test_implicit_reconciliation_answers_for_every_task() -> None:
    _, framework, agent = running()
    framework.launch(agent, "t2")
    found = framework.reconcile()
    assert [(each["task_id"]["value"], each["state"]) for each in found] == [
        ("t1", RUNNING),
        ("t2", "TASK_STAGING"),
    ]
    for each in found:
        assert each["reason"] == "REASON_RECONCILIATION" and "uuid" not in each
        assert each["message"] == "Reconciliation: Latest task state"
        assert each["source"] == "SOURCE_MASTER"


def test_a_reconciled_task_says_whether_it_is_healthy() -> None:
    _, framework, agent = running()
    status = {**agent.status("t1", RUNNING), "healthy": False}
    agent.call("UPDATE", update={"framework_id": {"value": framework.id}, "status": status})
    assert framework.reconcile(("t1", None))[0]["healthy"] is False


@pytest.mark.parametrize("partition_aware", [True, False])
def test_unknown_tasks_are_told_apart_for_the_partition_aware(partition_aware: bool) -> None:
    world = World().lead()
    names = ("PARTITION_AWARE",) if partition_aware else ()
    framework = FrameworkPeer(world, *names).subscribe()
    here = AgentPeer(world, "a").subscribe()
    silent = AgentPeer(world, "b").subscribe()
    gone = AgentPeer(world, "c").subscribe()
    silent.answers_pings = False
    world.post("/api/v1", {"type": "MARK_AGENT_GONE", "mark_agent_gone": {
        "agent_id": {"value": gone.id}}})  # fmt: skip
    world.wait(100)
    found = framework.reconcile(
        ("x1", here.id), ("x2", silent.id), ("x3", gone.id), ("x4", "never-S0"), ("x5", None)
    )
    told = [each["state"] for each in found]
    precise = ["TASK_GONE", "TASK_UNREACHABLE", "TASK_GONE_BY_OPERATOR", *["TASK_UNKNOWN"] * 2]
    assert told == (precise if partition_aware else ["TASK_LOST"] * 5)
    assert ("unreachable_time" in found[1]) is partition_aware


def test_there_is_no_answer_while_the_agent_may_still_come_back() -> None:
    world, framework, agent = running()
    after = world.next_master()
    framework.world = after
    agent.move_to(after)
    framework.subscribe()
    assert framework.reconcile(("t1", agent.id)) == []
    assert framework.reconcile(("t1", None)) == []
    agent.subscribe(tasks=[agent.report(framework)])
    assert framework.reconcile(("t1", agent.id))[0]["state"] == RUNNING


def test_reconcile_operations_knows_none() -> None:
    _, framework, _ = started()
    framework.call("RECONCILE_OPERATIONS", reconcile_operations={
        "operations": [{"operation_id": {"value": "op"}}]})  # fmt: skip
    [body] = framework.stream.of("UPDATE_OPERATION_STATUS")
    assert body["status"]["state"] == "OPERATION_UNKNOWN"


def test_killed_by_the_framework_to_the_end() -> None:
    world, framework, agent = running()
    framework.call("KILL", kill={"task_id": {"value": "t1"}})
    for state in ("TASK_KILLING", KILLED):
        agent.update(framework, "t1", state)
        framework.acknowledge(framework.updates()[-1])
    assert framework.states() == [RUNNING, "TASK_KILLING", KILLED]
    assert world.read("/metrics/snapshot")["master/tasks_killed"] == 1
    framework.accept(framework.offer(), task("t1", agent))  # the id is free again
    assert len(agent.stream.of("RUN_TASK")) == 2


def repeat(agent: AgentPeer, framework: FrameworkPeer, status: dict[str, Any]) -> None:
    """The agent's call of an update arrives (again)."""
    agent.call("UPDATE", update={"framework_id": {"value": framework.id}, "status": status})


def test_an_update_that_was_overtaken_by_the_next_one_is_dropped() -> None:
    _, framework, agent = started()
    framework.launch(agent)
    first, second = agent.status("t1", "TASK_STARTING"), agent.status("t1", RUNNING)
    repeat(agent, framework, first)
    framework.acknowledge(framework.updates()[0])
    repeat(agent, framework, second)
    repeat(agent, framework, first)
    assert framework.states() == ["TASK_STARTING", RUNNING]
    repeat(agent, framework, second)
    assert framework.states() == ["TASK_STARTING", RUNNING, RUNNING]


def test_an_update_whose_acknowledgement_was_lost_is_told_again() -> None:
    _, framework, agent = started()
    framework.launch(agent)
    first = agent.status("t1", RUNNING)
    repeat(agent, framework, first)
    framework.acknowledge(framework.updates()[0])
    repeat(agent, framework, first)
    assert framework.states() == [RUNNING, RUNNING]


def test_a_task_that_has_ended_does_not_live_again_by_an_old_update() -> None:
    _, framework, agent = started()
    framework.launch(agent)
    first = agent.status("t1", "TASK_STARTING")
    repeat(agent, framework, first)
    framework.acknowledge(framework.updates()[0])
    agent.update(framework, "t1", FINISHED)
    framework.acknowledge(framework.updates()[1])
    repeat(agent, framework, first)
    assert framework.states() == ["TASK_STARTING", FINISHED]
    assert [body["uuid"] for body in agent.stream.of("ACKNOWLEDGE")][-1] == first["uuid"]
