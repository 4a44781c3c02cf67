"""A master always learns that an executor is not there, or no more: it counts on it otherwise."""

import pytest

from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.wire.mesos import link
from mesosphere.wire.mesos.agents import DrainConfig
from mesosphere.wire.mesos.ids import FrameworkID
from mesosphere.wire.mesos.tasks import ExecutorInfo
from tests.scenarios.agent.executors import make_executor, make_pod, plain_task, run_by, run_group
from tests.scenarios.agent.world import FRAMEWORK, World, make_task, registered


def exits(world: World) -> list[str]:
    """The executors whose end the master was told, in order."""
    return [
        call.exited_executor.executor_id.value
        for call in world.calls()
        if call.exited_executor is not None
    ]


def launched(world: World) -> str:
    return world.found(do.LaunchContainer)[-1].container


def test_an_executor_that_could_not_be_started_is_told_of_once() -> None:
    world = registered()
    run_by(world, make_executor(), plain_task("t1"))
    world.give(on.ContainerFailed(launched(world), "start", "no luck"))
    assert exits(world) == ["e1"]
    world.give(on.ContainerFailed(launched(world), "start", "no luck"))
    assert exits(world) == ["e1"]


def test_a_pod_that_could_not_be_started_is_told_of() -> None:
    world = registered()
    run_group(world, make_pod(), plain_task("t1", "true"), plain_task("t2", "true"))
    world.give(on.ContainerFailed(launched(world), "start", "no luck"))
    assert exits(world) == ["p1"]


@pytest.mark.parametrize("info", [make_executor(), make_pod()], ids=["custom", "pod"])
def test_a_new_executor_that_a_draining_agent_refuses_is_told_of(info: ExecutorInfo) -> None:
    world = registered()
    world.give(on.ContainerStarted(world.run(make_task("t0")), 77))
    world.say("DRAIN", drain=link.Drain(config=DrainConfig()))
    if info.type == "DEFAULT":
        run_group(world, info, plain_task("t1", "true"))
    else:
        run_by(world, info, plain_task("t1"))
    assert world.states("t1") == ["TASK_DROPPED"]
    assert exits(world) == [info.executor_id.value]


def test_a_new_executor_that_can_not_be_launched_is_told_of() -> None:
    world = registered()
    run_by(world, make_executor("a/b"), plain_task("t1"))
    assert world.states("t1") == ["TASK_ERROR"]
    assert exits(world) == ["a/b"]


def test_an_executor_that_runs_is_not_told_of_when_it_is_given_more() -> None:
    world = registered()
    for task in ("t1", "t2"):
        run_by(world, make_executor(), plain_task(task))
    assert exits(world) == []


def test_an_end_that_could_not_be_told_makes_the_agent_register_again() -> None:
    world = registered()
    run_by(world, make_executor(), plain_task("t1"))
    world.give(on.ContainerStarted(launched(world), 77))
    world.give(on.ContainerExited(launched(world), 0))
    [told] = [each for each in world.found(do.Call) if b"EXITED_EXECUTOR" in each.body]
    world.give(on.CallFailed(told.call, "timed out", definite=False))
    assert do.Disconnect("master") in world.step
    world.forget_log()
    world.wait(60)
    subscribe = world.admit().subscribe
    assert subscribe is not None and subscribe.executors == []
    assert exits(world) == []


def test_a_failed_call_that_is_repeated_anyhow_leaves_the_link_alone() -> None:
    world = registered()
    run_by(world, make_executor("a/b"), plain_task("t1"))
    [told] = [each for each in world.found(do.Call) if b"TASK_ERROR" in each.body]
    world.give(on.CallFailed(told.call, "timed out", definite=False))
    assert do.Disconnect("master") not in world.step


def test_an_end_while_the_agent_registers_is_told_afterwards() -> None:
    world = registered()
    run_by(world, make_executor(), plain_task("t1"))
    world.give(on.ContainerStarted(launched(world), 77))
    world.give(on.Disconnected("master", "reset"))
    world.wait(60)
    world.give(on.ContainerExited(launched(world), 0))
    assert exits(world) == []
    subscribe = world.admit().subscribe
    assert subscribe is not None
    assert [each.executor_info.executor_id.value for each in subscribe.executors] == ["e1"]
    assert exits(world) == ["e1"]


def test_an_end_before_the_agent_registers_is_in_what_it_brings() -> None:
    world = registered()
    run_by(world, make_executor(), plain_task("t1"))
    world.give(on.ContainerStarted(launched(world), 77))
    world.give(on.Disconnected("master", "reset"))
    world.give(on.ContainerExited(launched(world), 0))
    world.wait(60)
    subscribe = world.admit().subscribe
    assert subscribe is not None and subscribe.executors == []
    assert exits(world) == []


def test_a_framework_that_is_being_ended_is_not_introduced_to_a_new_master() -> None:
    world = registered()
    world.give(on.ContainerStarted(world.run(make_task("t1")), 77))
    world.say(
        "SHUTDOWN_FRAMEWORK",
        shutdown_framework=link.ShutdownFramework(framework_id=FrameworkID(FRAMEWORK)),
    )
    world.give(on.Disconnected("master", "reset"))
    world.wait(1)
    subscribe = world.admit().subscribe
    assert subscribe is not None and subscribe.frameworks == []
    assert [task.task.task_id.value for task in subscribe.tasks] == ["t1"]
