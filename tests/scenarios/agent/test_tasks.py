"""A task on its agent, from RUN_TASK to the acknowledged end."""

import itertools

import pytest

from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.wire.mesos import link
from mesosphere.wire.mesos.commands import (
    CheckCommand,
    CheckInfo,
    CommandInfo,
    HealthCheck,
    KillPolicy,
    TCPCheckInfo,
)
from mesosphere.wire.mesos.commands import HTTPCheckInfo as HttpCheck
from mesosphere.wire.mesos.common import DurationInfo
from mesosphere.wire.mesos.containers import ContainerInfo, DockerInfo
from mesosphere.wire.mesos.ids import ExecutorID, FrameworkID, TaskID
from mesosphere.wire.mesos.tasks import ExecutorInfo
from tests.scenarios.agent.world import (
    FRAMEWORK,
    World,
    make_framework,
    make_task,
    registered,
)


def started(world: World, container: str) -> None:
    world.give(on.ContainerStarted(container, 4711))


def test_a_task_runs_and_finishes_in_three_updates() -> None:
    world = registered()
    container = world.run(make_task())
    started(world, container)
    world.give(on.ContainerExited(container, 0))
    assert world.states() == ["TASK_STARTING"]
    assert world.acknowledge_all() == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
    assert world.states() == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
    running, finished = world.updates()[1:]
    assert running.container_status is not None
    assert running.container_status.container_id is not None
    assert running.container_status.container_id.value == container
    assert running.container_status.executor_pid == 4711
    assert finished.message == "Command exited with status 0"
    assert finished.source == "SOURCE_EXECUTOR" and finished.reason is None
    assert finished.executor_id == ExecutorID("t1")
    assert world.machine.state.frameworks == {}
    assert list(world.files) == ["meta/slaves/m-S1/slave.info", "meta/slaves/latest"]


def test_the_task_is_on_disk_before_its_container_is_launched() -> None:
    world = registered()
    world.run(make_task())
    checkpoints = [each for each in world.step if isinstance(each, do.Checkpoint)]
    framework, task, update = checkpoints
    assert framework.path.endswith("/framework.info")
    assert task.path.endswith("/tasks/t1/task.info")
    assert any(isinstance(each, do.LaunchContainer) for each in task.then)
    assert update.path.endswith("/tasks/t1/task.updates")
    assert any(isinstance(each, do.Call) for each in update.then)


def test_the_supervisor_forgets_an_exit_only_after_it_is_on_disk() -> None:
    world = registered()
    container = world.run(make_task())
    started(world, container)
    step = world.give(on.ContainerExited(container, 0))
    [update] = [each for each in step if isinstance(each, do.Checkpoint)]
    assert update.then[0] == do.DestroyContainer(container)


def test_a_framework_without_checkpointing_leaves_nothing_on_disk() -> None:
    world = registered()
    container = world.run(make_task(), make_framework(checkpoint=False))
    started(world, container)
    world.give(on.ContainerExited(container, 256))
    assert world.acknowledge_all()[-1] == "TASK_FAILED"
    assert not [path for path in world.files if "frameworks" in path]


def test_an_unacknowledged_update_is_repeated_ever_more_seldom() -> None:
    world = registered()
    world.run(make_task())
    sent_at = []
    seen = 1
    while world.now < 4000 and len(sent_at) < 8:
        world.wait(1)
        if len(world.states()) > seen:
            seen = len(world.states())
            sent_at.append(world.now)
        world.say("PING", ping=link.Ping())
    gaps = [round(after - before) for before, after in itertools.pairwise(sent_at)]
    assert gaps == [20, 40, 80, 160, 320, 600, 600]
    assert set(world.states()) == {"TASK_STARTING"}
    assert len({status.uuid for status in world.updates()}) == 1


def test_a_wrong_acknowledgement_changes_nothing() -> None:
    world = registered()
    world.run(make_task())
    status = world.updates()[0]
    status.uuid = b"x" * 16
    world.acknowledge(status)
    stream = world.machine.state.streams.find(FRAMEWORK, "t1")
    assert stream is not None and stream.front is not None
    assert stream.front.state == "TASK_STARTING"


def test_a_kill_is_term_first_and_destroy_after_the_grace() -> None:
    world = registered()
    container = world.run(make_task())
    started(world, container)
    step = world.kill()
    assert do.SignalContainer(container, 15) in step
    world.wait(2.9)
    assert do.DestroyContainer(container) not in world.log
    world.wait(0.2)
    assert do.DestroyContainer(container) in world.log
    world.give(on.ContainerExited(container, 9))
    assert world.acknowledge_all() == [
        "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED",
    ]  # fmt: skip
    assert world.updates()[-1].message == "Command terminated with signal Killed"


def test_a_framework_that_knows_no_killing_state_is_not_told_it() -> None:
    world = registered()
    container = world.run(make_task(), make_framework())
    started(world, container)
    world.kill()
    world.give(on.ContainerExited(container, 15))
    assert world.acknowledge_all() == ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"]


def test_the_grace_comes_from_the_kill_then_from_the_task() -> None:
    policy = KillPolicy(grace_period=DurationInfo(nanoseconds=20_000_000_000))
    world = registered()
    container = world.run(make_task(kill_policy=policy))
    started(world, container)
    world.kill()
    assert world.timers["grace/m-0001/t1"] == world.now + 20
    world.kill(grace_s=60)
    assert world.timers["grace/m-0001/t1"] == world.now + 20
    world.kill(grace_s=1)
    assert world.timers["grace/m-0001/t1"] == world.now + 1


@pytest.mark.parametrize("answer", ["failed", "started and exited"])
def test_a_kill_during_the_launch_ends_as_killed_during_launch(answer: str) -> None:
    world = registered()
    container = world.run(make_task())
    assert do.DestroyContainer(container) in world.kill()
    if answer == "failed":
        world.give(on.ContainerFailed(container, "fetch", "killed during the fetch"))
    else:
        world.give(on.ContainerStarted(container, 7))
        world.give(on.ContainerExited(container, 9))
    assert world.acknowledge_all() == ["TASK_STARTING", "TASK_KILLED"]
    assert world.updates()[-1].reason == "REASON_TASK_KILLED_DURING_LAUNCH"


def test_a_failed_fetch_is_told_with_its_reason() -> None:
    world = registered()
    container = world.run(make_task())
    world.give(on.ContainerFailed(container, "fetch", "failed to fetch 'http://x': refused"))
    assert world.acknowledge_all() == ["TASK_STARTING", "TASK_FAILED"]
    status = world.updates()[-1]
    assert status.reason == "REASON_CONTAINER_LAUNCH_FAILED"
    assert "failed to fetch 'http://x': refused" in (status.message or "")


def test_a_memory_kill_is_told_as_its_reason() -> None:
    world = registered()
    container = world.run(make_task())
    started(world, container)
    world.give(on.ContainerExited(container, 9, "memory", "Memory limit exceeded: 160MB"))
    world.acknowledge_all()
    status = world.updates()[-1]
    assert (status.state, status.reason) == ("TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY")
    assert status.message == "Memory limit exceeded: 160MB"


def test_a_task_over_its_completion_time_fails() -> None:
    world = registered()
    limit = DurationInfo(nanoseconds=5_000_000_000)
    container = world.run(make_task(max_completion_time=limit))
    started(world, container)
    world.wait(5.1)
    assert do.DestroyContainer(container) in world.log
    world.give(on.ContainerExited(container, 9))
    world.acknowledge_all()
    status = world.updates()[-1]
    assert (status.state, status.reason) == ("TASK_FAILED", "REASON_MAX_COMPLETION_TIME_REACHED")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"command": None}, "command tasks only"),
        ({"executor": ExecutorInfo(executor_id=ExecutorID("e"))}, "command tasks only"),
        ({"command": CommandInfo()}, "no value"),
        (
            {"container": ContainerInfo(type="DOCKER", docker=DockerInfo(image="nginx"))},
            "images need the OCI isolation",
        ),
        ({"health_check": HealthCheck(type="HTTP")}, "lacks its description"),
    ],
)
def test_what_this_agent_cannot_run_fails_with_a_reason(
    changes: dict[str, object], why: str
) -> None:
    world = registered()
    assert world.run(make_task(**changes)) == ""
    [status] = world.updates()
    assert (status.state, status.reason) == ("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED")
    assert why in (status.message or "")


@pytest.mark.parametrize("task_id", ["..", ".", "a/b", "a\\b", "x" * 256, "new\nline", "\x7f"])
def test_an_id_that_can_not_name_a_directory_is_an_error_of_that_task(task_id: str) -> None:
    world = registered()
    assert world.run(make_task(task_id)) == ""
    [status] = world.updates(task_id)
    assert (status.state, status.reason) == ("TASK_ERROR", "REASON_TASK_INVALID")
    assert not [path for path in world.files if "frameworks" in path]
    assert world.machine.state.frameworks == {}


def test_a_framework_without_a_usable_id_is_ignored() -> None:
    world = registered()
    for framework_id in (None, FrameworkID("../../etc")):
        assert world.run(make_task(), make_framework(id=framework_id)) == ""
    assert world.machine.state.frameworks == {}
    assert world.run(make_task()) != ""


def test_a_task_that_is_known_is_not_launched_again() -> None:
    world = registered()
    assert world.run(make_task())
    assert world.run(make_task()) == ""


def test_killing_or_reconciling_an_unknown_task_answers_dropped() -> None:
    world = registered()
    world.kill("ghost")
    assert world.states("ghost") == ["TASK_DROPPED"]
    assert world.updates("ghost")[0].message == "Cannot find executor"
    task = link.ReconcileTask(framework_id=FrameworkID(FRAMEWORK), task_id=TaskID("other"))
    world.say("RECONCILE", reconcile=link.Reconcile(tasks=[task]))
    assert world.updates("other")[0].reason == "REASON_RECONCILIATION"
    assert world.acknowledge_all("other") == ["TASK_DROPPED"]
    assert world.machine.state.streams.find(FRAMEWORK, "other") is None


def test_health_is_told_on_change_and_ends_the_task_after_failures() -> None:
    world = registered()
    check = HealthCheck(
        type="TCP", tcp=TCPCheckInfo(port=80), delay_seconds=1.0, interval_seconds=2.0,
        grace_period_seconds=5.0, consecutive_failures=2,
    )  # fmt: skip
    container = world.run(make_task(health_check=check))
    started(world, container)
    world.acknowledge_all()
    world.wait(1)
    results = [False, True, True, False, False]
    for passed in results:
        probe = world.found(do.Probe)[-1]
        world.give(on.Probed(probe.probe, passed, "refused"))
        world.wait(2)
    told = [(each.state, each.healthy) for each in world.updates()[2:]]
    assert told == [("TASK_RUNNING", True)]
    assert world.updates()[2].reason == "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"
    assert world.acknowledge_all() == ["TASK_RUNNING", "TASK_RUNNING", "TASK_RUNNING",
                                       "TASK_KILLING"]  # fmt: skip
    assert len(world.found(do.Probe)) == len(results)
    world.give(on.ContainerExited(container, 15))
    world.acknowledge_all()
    assert (world.updates()[-1].state, world.updates()[-1].healthy) == ("TASK_KILLED", False)


def test_http_health_goes_to_the_loopback_and_takes_redirect_codes_as_passed() -> None:
    world = registered()
    check = HealthCheck(type="HTTP", http=HttpCheck(port=8080, path="ping"), delay_seconds=0.0)
    container = world.run(make_task(health_check=check))
    started(world, container)
    world.wait(0.1)
    call = world.found(do.Call)[-1]
    assert (call.method, call.url) == ("GET", "http://127.0.0.1:8080/ping")
    world.give(on.CallAnswered(call.call, 302, {}, b""))
    world.acknowledge_all()
    assert world.updates()[-1].healthy is True


def test_a_check_tells_each_change_of_its_result_and_ends_nothing() -> None:
    world = registered()
    command = CheckCommand(command=CommandInfo(value="test -f ready"))
    check = CheckInfo(type="COMMAND", command=command, delay_seconds=0.0, interval_seconds=1.0)
    container = world.run(make_task(check=check))
    started(world, container)
    world.acknowledge_all()
    first = world.updates()[1].check_status
    assert first is not None and first.type == "COMMAND" and first.command is not None
    assert first.command.exit_code is None
    for exit_code in (1, 1, 0, None):
        world.wait(1.1)
        look = world.found(do.RunCheck)[-1]
        assert look.container == container and look.argv == ("/bin/sh", "-c", "test -f ready")
        world.give(on.CheckFinished(look.check, exit_code))
        world.acknowledge_all()
    told = [
        each.check_status.command.exit_code
        for each in world.updates()[2:]
        if each.check_status is not None and each.check_status.command is not None
    ]
    assert told == [1, 0, None]
    assert {each.reason for each in world.updates()[2:]} == {"REASON_TASK_CHECK_STATUS_UPDATED"}
    assert world.found(do.SignalContainer) == []


def test_shutting_a_framework_down_ends_its_tasks_without_waiting_for_acknowledgements() -> None:
    world = registered()
    container = world.run(make_task())
    started(world, container)
    shutdown = link.ShutdownFramework(framework_id=FrameworkID(FRAMEWORK))
    world.say("SHUTDOWN_FRAMEWORK", shutdown_framework=shutdown)
    assert do.SignalContainer(container, 15) in world.step
    world.give(on.ContainerExited(container, 15))
    assert world.machine.state.frameworks == {}
    assert not [path for path in world.files if "frameworks" in path]


def test_a_disk_that_refuses_the_task_fails_that_task_only() -> None:
    world = registered()
    world.run(make_task())
    task_info = next(path for path in world.files if path.endswith("task.info"))
    world.give(on.CheckpointFailed(task_info, "No space left on device"))
    world.acknowledge_all()
    assert world.updates()[-1].state == "TASK_FAILED"
    assert "No space left on device" in (world.updates()[-1].message or "")


def test_a_sandbox_goes_after_its_delay_and_earlier_when_the_disk_is_full() -> None:
    from mesosphere.agent.core.commands import ContainersMeasured

    world = registered(gc_delay_s=1000.0)
    for task_id in ("t1", "t2"):
        container = world.run(make_task(task_id))
        started(world, container)
        world.give(on.ContainerExited(container, 0))
        world.acknowledge_all(task_id)
    world.wait(600)
    assert world.found(do.RemoveSandbox) == []
    world.give(ContainersMeasured({}, 0.5))
    world.wait(120)
    paths = [each.path for each in world.found(do.RemoveSandbox)]
    assert len(paths) == 2 and all(path.startswith("/w/slaves/m-S1/frameworks/") for path in paths)
