"""Task groups of the default executor, from RUN_TASK_GROUP to the end of the pod."""

import pytest

from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos import link
from mesosphere.wire.mesos.commands import HealthCheck, TCPCheckInfo
from mesosphere.wire.mesos.containers import ContainerInfo, DockerInfo
from mesosphere.wire.mesos.ids import ExecutorID, FrameworkID
from tests.scenarios.agent.executors import make_pod, plain_task, run_group
from tests.scenarios.agent.world import FRAMEWORK, World, make_framework, registered


def launches(world: World) -> list[do.LaunchContainer]:
    return world.found(do.LaunchContainer)


def running(world: World, *tasks: str) -> dict[str, str]:
    """A pod with these tasks running; its containers by task, its own under ""."""
    run_group(world, make_pod(), *(plain_task(each, "sleep 1") for each in tasks))
    holder = launches(world)[-1].container
    world.give(on.ContainerStarted(holder, 70))
    found = {"": holder}
    for task, each in zip(tasks, launches(world)[-len(tasks) :], strict=True):
        found[task] = each.container
        world.give(on.ContainerStarted(each.container, 80))
    return found


def test_a_group_is_launched_in_containers_beside_its_holder() -> None:
    world = registered()
    run_group(world, make_pod(), plain_task("t1", "one"), plain_task("t2", "two"))
    [holder] = launches(world)
    assert holder.plan["argv"] == ["sleep", "infinity"]
    assert world.states("t1") == []
    world.give(on.ContainerStarted(holder.container, 70))
    first, second = launches(world)[1:]
    sandbox = holder.plan["sandbox"]
    for launch, line, task in ((first, "one", "t1"), (second, "two", "t2")):
        above, _, name = launch.container.partition(".")
        assert above == holder.container
        assert launch.plan["argv"] == ["/bin/sh", "-c", line]
        assert launch.plan["sandbox"] == f"{sandbox}/containers/{name}"
        assert launch.plan["links"] == [[f"{sandbox}/tasks/{task}", f"../containers/{name}"]]
        environment = launch.plan["environment"]
        assert environment["MESOS_SANDBOX"] == launch.plan["sandbox"]
        assert environment["MESOS_EXECUTOR_ID"] == "p1"
        assert environment["MESOS_CONTAINER_IP"] == "127.0.0.1"
        world.give(on.ContainerStarted(launch.container, 80))
        assert world.acknowledge_all(task) == ["TASK_STARTING", "TASK_RUNNING"]
        status = world.updates(task)[-1]
        assert status.executor_id == ExecutorID("p1")
        assert status.container_status is not None
        identifier = status.container_status.container_id
        assert identifier is not None and identifier.parent is not None
        assert (identifier.value, identifier.parent.value) == (name, above)


def test_the_pod_ends_a_second_after_its_last_task() -> None:
    world = registered()
    found = running(world, "t1", "t2")
    world.give(on.ContainerExited(found["t1"], 0))
    world.wait(5)
    assert do.DestroyContainer(found[""]) not in world.log
    world.give(on.ContainerExited(found["t2"], 0))
    world.wait(0.9)
    assert do.DestroyContainer(found[""]) not in world.log
    world.wait(0.2)
    assert do.DestroyContainer(found[""]) in world.log
    world.give(on.ContainerExited(found[""], 9))
    [exited] = [call.exited_executor for call in world.calls() if call.exited_executor is not None]
    assert (exited.executor_id.value, exited.status) == ("p1", 0)
    for task in ("t1", "t2"):
        assert world.acknowledge_all(task)[-1] == "TASK_FINISHED"
    assert world.machine.state.frameworks == {}
    assert list(world.files) == ["meta/slaves/m-S1/slave.info", "meta/slaves/latest"]


def test_a_new_group_keeps_the_pod() -> None:
    world = registered()
    found = running(world, "t1")
    world.give(on.ContainerExited(found["t1"], 0))
    run_group(world, make_pod(), plain_task("t2", "again"))
    world.wait(5)
    assert do.DestroyContainer(found[""]) not in world.log
    assert launches(world)[-1].plan["argv"][-1] == "again"


def test_one_failed_task_takes_its_companions_along_but_no_other_group() -> None:
    world = registered()
    found = running(world, "t1", "t2")
    run_group(world, make_pod(), plain_task("t3", "other"))
    other = launches(world)[-1].container
    world.give(on.ContainerStarted(other, 81))
    world.give(on.ContainerExited(found["t1"], 256))
    terms = [each.container for each in world.found(do.SignalContainer)]
    assert terms == [found["t2"]]
    world.give(on.ContainerExited(found["t2"], 15))
    assert world.acknowledge_all("t1")[-1] == "TASK_FAILED"
    assert world.acknowledge_all("t2")[-1] == "TASK_KILLED"
    assert world.acknowledge_all("t3") == ["TASK_STARTING", "TASK_RUNNING"]


def test_a_killed_task_takes_its_companions_along_and_a_finished_one_does_not() -> None:
    world = registered()
    found = running(world, "t1", "t2", "t3")
    world.give(on.ContainerExited(found["t1"], 0))
    assert world.found(do.SignalContainer) == []
    world.kill("t2")
    world.give(on.ContainerExited(found["t2"], 15))
    assert [each.container for each in world.found(do.SignalContainer)] == [
        found["t2"], found["t3"],
    ]  # fmt: skip


def test_a_group_killed_before_its_holder_runs_is_killed_whole() -> None:
    world = registered()
    run_group(world, make_pod(), plain_task("t1", "x"), plain_task("t2", "y"))
    world.kill("t2")
    for task in ("t1", "t2"):
        [status] = world.updates(task)
        assert status.state == "TASK_KILLED"
        assert status.reason == "REASON_TASK_KILLED_DURING_LAUNCH"
    assert do.DestroyContainer(launches(world)[0].container) in world.log


def test_the_end_of_the_holder_ends_the_tasks() -> None:
    world = registered()
    found = running(world, "t1", "t2")
    world.forget_log()
    world.give(on.ContainerExited(found[""], 9))
    gone = [each.container for each in world.found(do.DestroyContainer)]
    assert gone == [found["t1"], found["t2"], found[""]]
    for task in ("t1", "t2"):
        assert world.acknowledge_all(task)[-1] == "TASK_FAILED"
        assert world.updates(task)[-1].reason == "REASON_EXECUTOR_TERMINATED"


def test_a_shutdown_kills_with_grace_and_then_destroys() -> None:
    world = registered()
    found = running(world, "t1", "t2")
    world.say("SHUTDOWN_EXECUTOR", shutdown_executor=link.ShutdownExecutor(
        framework_id=FrameworkID(FRAMEWORK), executor_id=ExecutorID("p1")))  # fmt: skip
    assert [each.container for each in world.found(do.SignalContainer)] == [
        found["t1"], found["t2"],
    ]  # fmt: skip
    world.give(on.ContainerExited(found["t1"], 15))
    world.forget_log()
    world.wait(5)
    gone = {each.container for each in world.found(do.DestroyContainer)}
    assert gone == {found["t2"], found[""]}


def test_a_task_that_can_not_run_fails_its_whole_group() -> None:
    world = registered()
    bad = plain_task(
        "t2", "y", container=ContainerInfo(type="DOCKER", docker=DockerInfo(image="x"))
    )
    run_group(world, make_pod(), plain_task("t1", "x"), bad)
    assert launches(world) == []
    for task in ("t1", "t2"):
        [status] = world.updates(task)
        assert (status.state, status.reason) == ("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED")
        assert (status.message or "").startswith("task 't2': ")


def test_the_health_of_a_task_in_a_group_is_checked() -> None:
    world = registered()
    check = HealthCheck(type="TCP", tcp=TCPCheckInfo(port=80), delay_seconds=1.0)
    run_group(world, make_pod(), plain_task("t1", "x", health_check=check))
    world.give(on.ContainerStarted(launches(world)[0].container, 70))
    world.give(on.ContainerStarted(launches(world)[1].container, 80))
    world.wait(1)
    [probe] = world.found(do.Probe)
    world.give(on.Probed(probe.probe, True, ""))
    world.acknowledge_all()
    assert world.updates()[-1].healthy is True


def test_a_pod_is_taken_over_after_a_restart() -> None:
    world = registered()
    found = running(world, "t1", "t2")
    again = World(world.files)
    again.recover({found[""]: 70, found["t1"]: 80}, {found["t2"]: 256})
    again.register()
    assert again.acknowledge_all("t2") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]
    # Its companion goes, as if the agent had never been away.
    assert [each.container for each in again.found(do.SignalContainer)] == [found["t1"]]
    again.give(on.ContainerExited(found["t1"], 15))
    again.wait(1)
    assert do.DestroyContainer(found[""]) in again.log


def test_a_pod_whose_tasks_all_ended_while_the_agent_was_away_ends() -> None:
    world = registered()
    found = running(world, "t1")
    again = World(world.files)
    again.recover({found[""]: 70}, {found["t1"]: 0})
    again.wait(1)
    assert do.DestroyContainer(found[""]) in again.log


@pytest.mark.parametrize("checkpoint", [True, False])
def test_resources_of_the_pod_are_used_until_it_ends(checkpoint: bool) -> None:
    world = registered()
    run_group(
        world, make_pod(), plain_task("t1", "x"),
        framework=make_framework("PARTITION_AWARE", checkpoint=checkpoint),
    )  # fmt: skip
    holder = launches(world)[0].container
    world.give(on.ContainerStarted(holder, 70))
    assert world.machine.state.used() == Resources.of(cpus=1.5, mem=192)
    world.give(on.ContainerExited(launches(world)[1].container, 0))
    assert world.machine.state.used() == Resources.of(cpus=0.5, mem=64)
    world.wait(1)
    world.give(on.ContainerExited(holder, 9))
    assert world.machine.state.used() == Resources.of()


def test_a_group_with_an_id_that_can_not_be_a_directory_is_refused_whole() -> None:
    world = registered()
    run_group(world, make_pod(), plain_task("t1", "one"), plain_task("../t2", "two"))
    for task in ("t1", "../t2"):
        [status] = world.updates(task)
        assert (status.state, status.reason) == ("TASK_ERROR", "REASON_TASK_GROUP_INVALID")
    assert launches(world) == []
