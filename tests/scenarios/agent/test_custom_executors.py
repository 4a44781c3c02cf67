"""Custom executors: launched, subscribed, given tasks, asked to end, lost and found again."""

import pytest

from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos import executor, link
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.common import DurationInfo
from mesosphere.wire.mesos.containers import ContainerInfo, DockerInfo
from mesosphere.wire.mesos.ids import ExecutorID, FrameworkID
from mesosphere.wire.mesos.media import Media
from mesosphere.wire.mesos.resources_codec import to_wire
from tests.scenarios.agent.executors import Executor, make_executor, plain_task, run_by, run_group
from tests.scenarios.agent.world import FRAMEWORK, World, make_framework, registered


@pytest.fixture(autouse=True, params=list(Media), ids=["json", "protobuf"])
def encoding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test is told in both encodings."""
    monkeypatch.setattr(Executor, "speaks", request.param)


def launched(world: World) -> str:
    return world.found(do.LaunchContainer)[-1].container


def running(world: World, *tasks: str) -> Executor:
    """An executor that has subscribed and has these tasks."""
    for task in tasks or ("t1",):
        run_by(world, make_executor(), plain_task(task))
    world.give(on.ContainerStarted(launched(world), 77))
    mine = Executor(world)
    mine.subscribe()
    return mine


def test_a_task_waits_for_its_executor_and_runs_by_its_updates() -> None:
    world = registered()
    run_by(world, make_executor(), plain_task("t1"))
    assert world.states() == []
    [launch] = world.found(do.LaunchContainer)
    assert launch.plan["argv"] == ["/bin/sh", "-c", "./executor"]
    world.give(on.ContainerStarted(launch.container, 77))
    mine = Executor(world)
    mine.subscribe()
    subscribed, launch_event = mine.events()
    assert subscribed.subscribed is not None and launch_event.launch is not None
    assert subscribed.subscribed.executor_info.executor_id == ExecutorID("e1")
    assert subscribed.subscribed.framework_info.id == FrameworkID(FRAMEWORK)
    assert subscribed.subscribed.container_id is not None
    assert subscribed.subscribed.container_id.value == launch.container
    assert launch_event.launch.task.task_id.value == "t1"
    mine.update("t1", "TASK_RUNNING")
    mine.update("t1", "TASK_FINISHED", message="done")
    assert world.acknowledge_all() == ["TASK_RUNNING", "TASK_FINISHED"]
    status = world.updates()[-1]
    assert status.source == "SOURCE_EXECUTOR" and status.message == "done"
    assert status.executor_id == ExecutorID("e1")
    assert status.container_status is not None and status.container_status.executor_pid == 77
    assert mine.told() == ["SUBSCRIBED", "LAUNCH", "ACKNOWLEDGED", "ACKNOWLEDGED"]
    # The executor lives on for other tasks, and its framework with it.
    assert [each.id for each in world.machine.state.executors()] == ["e1"]
    run_by(world, make_executor(), plain_task("t2"))
    assert mine.told()[-1] == "LAUNCH"
    assert len(world.found(do.LaunchContainer)) == 1


def test_the_environment_is_that_of_the_original() -> None:
    world = registered(executor_environment={"MESOS_SLAVE_ID": "wrong", "OURS": "1"})
    command = CommandInfo(value="./executor")
    run_by(world, make_executor(command=command), plain_task("t1"))
    [launch] = world.found(do.LaunchContainer)
    environment = launch.plan["environment"]
    assert environment == {
        "MESOS_FRAMEWORK_ID": FRAMEWORK,
        "MESOS_EXECUTOR_ID": "e1",
        "MESOS_DIRECTORY": launch.plan["sandbox"],
        "MESOS_SANDBOX": launch.plan["sandbox"],
        "MESOS_SLAVE_ID": "m-S1",
        "MESOS_SLAVE_PID": "slave(1)@127.0.0.1:5051",
        "MESOS_AGENT_ENDPOINT": "127.0.0.1:5051",
        "MESOS_CHECKPOINT": "1",
        "MESOS_HTTP_COMMAND_EXECUTOR": "0",
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs",
        "MESOS_RECOVERY_TIMEOUT": "15mins",
        "MESOS_SUBSCRIPTION_BACKOFF_MAX": "2secs",
        "MESOS_CONTAINER_ID": launch.container,
        "MESOS_ALLOCATION_ROLE": "*",
        "LIBPROCESS_IP": "127.0.0.1",
        "LIBPROCESS_PORT": "0",
        "PATH": environment["PATH"],
        "OURS": "1",
    }


def test_an_update_is_acknowledged_to_the_executor_only_after_it_is_on_disk() -> None:
    world = registered()
    mine = running(world)
    mine.update("t1", "TASK_RUNNING")
    [checkpoint] = [each for each in world.found(do.Checkpoint) if b'"update"' in each.data]
    assert [type(each) for each in checkpoint.then] == [do.Send, do.Call, do.SetTimer]


def test_a_repeated_update_is_acknowledged_again_and_told_once() -> None:
    world = registered()
    mine = running(world)
    status = mine.update("t1", "TASK_RUNNING")
    mine.subscribe(updates=(status,))
    assert world.acknowledge_all() == ["TASK_RUNNING"]
    assert mine.told() == ["ACKNOWLEDGED", "SUBSCRIBED"]


def test_the_container_grows_and_shrinks_with_its_tasks_but_its_memory_only_grows() -> None:
    world = registered()
    mine = running(world, "t1", "t2")
    [first] = world.found(do.UpdateContainer)
    mine.update("t1", "TASK_FINISHED")
    last = world.found(do.UpdateContainer)[-1]
    assert first.cpu_quota_us == 260_000 and last.cpu_quota_us == 160_000
    mib = 1024 * 1024
    assert (first.mem_soft_bytes, first.mem_bytes) == (352 * mib, 352 * mib)
    assert (last.mem_soft_bytes, last.mem_bytes) == (224 * mib, 352 * mib)


def test_an_executor_that_does_not_subscribe_in_time_is_destroyed() -> None:
    world = registered()
    run_by(world, make_executor(), plain_task("t1"))
    world.wait(60)
    assert world.step == [do.DestroyContainer(launched(world))]
    world.give(on.ContainerExited(launched(world), 9))
    [status] = world.updates()
    assert status.state == "TASK_FAILED"
    assert status.reason == "REASON_EXECUTOR_REGISTRATION_TIMEOUT"
    assert status.message == "Executor did not register within 1mins"


def test_the_end_of_an_executor_ends_its_tasks_and_is_told_to_the_framework() -> None:
    world = registered()
    mine = running(world, "t1", "t2")
    mine.update("t1", "TASK_RUNNING")
    mine.update("t2", "TASK_FINISHED")
    world.give(on.ContainerExited(launched(world), 256))
    assert world.acknowledge_all("t1") == ["TASK_RUNNING", "TASK_FAILED"]
    failed = world.updates("t1")[-1]
    assert (failed.reason, failed.message) == (
        "REASON_EXECUTOR_TERMINATED", "Executor terminated",
    )  # fmt: skip
    [exited] = [call.exited_executor for call in world.calls() if call.exited_executor is not None]
    assert (exited.executor_id.value, exited.status) == ("e1", 256)
    assert world.machine.state.executors() != []
    world.acknowledge_all("t2")
    assert world.machine.state.frameworks == {}
    assert list(world.files) == ["meta/slaves/m-S1/slave.info", "meta/slaves/latest"]


def test_an_executor_without_memory_tells_its_tasks_why() -> None:
    world = registered()
    running(world).update("t1", "TASK_RUNNING")
    world.give(on.ContainerExited(launched(world), 9, "memory", "Memory limit exceeded", 64.0))
    world.acknowledge_all()
    assert world.updates()[-1].reason == "REASON_CONTAINER_LIMITATION_MEMORY"


def test_a_kill_goes_to_the_executor_and_is_repeated_when_it_comes_back() -> None:
    world = registered()
    mine = running(world)
    mine.update("t1", "TASK_RUNNING")
    world.kill(grace_s=7)
    [event] = [each for each in mine.events() if each.type == "KILL"]
    assert event.kill is not None and event.kill.task_id.value == "t1"
    assert event.kill.kill_policy is not None
    assert event.kill.kill_policy.grace_period == DurationInfo(nanoseconds=7_000_000_000)
    mine.subscribe()
    assert mine.told() == ["SUBSCRIBED", "KILL"]


def test_a_task_killed_before_delivery_never_runs_and_its_executor_goes() -> None:
    world = registered()
    run_by(world, make_executor(), plain_task("t1"))
    world.kill()
    [status] = world.updates()
    assert status.state == "TASK_KILLED"
    assert status.reason == "REASON_TASK_KILLED_DURING_LAUNCH"
    assert do.DestroyContainer(launched(world)) in world.log


def test_a_group_for_a_custom_executor_is_delivered_whole() -> None:
    world = registered()
    run_group(world, make_executor(), plain_task("t1"), plain_task("t2"))
    mine = Executor(world)
    mine.subscribe()
    [event] = [each for each in mine.events() if each.type == "LAUNCH_GROUP"]
    assert event.launch_group is not None
    assert [task.task_id.value for task in event.launch_group.task_group.tasks] == ["t1", "t2"]


def test_a_group_killed_before_delivery_is_killed_whole() -> None:
    world = registered()
    run_group(world, make_executor(), plain_task("t1"), plain_task("t2"))
    world.kill("t2")
    assert world.states("t1") == world.states("t2") == ["TASK_KILLED"]


def test_messages_travel_both_ways() -> None:
    world = registered()
    mine = running(world)
    answer = mine.call("MESSAGE", message=executor.Message(data=b"up"))
    assert answer is not None and answer.status == 202
    [call] = [each.message for each in world.calls() if each.message is not None]
    assert (call.framework_id.value, call.executor_id.value, call.data) == (FRAMEWORK, "e1", b"up")
    body = link.Message(
        framework_id=FrameworkID(FRAMEWORK), executor_id=ExecutorID("e1"), data=b"down"
    )
    world.say("MESSAGE", message=body)
    event = mine.events()[-1]
    assert event.message is not None and event.message.data == b"down"


def test_a_shutdown_asks_first_and_destroys_after_the_grace() -> None:
    world = registered()
    info = make_executor(shutdown_grace_period=DurationInfo(nanoseconds=9_000_000_000))
    run_by(world, info, plain_task("t1"))
    mine = Executor(world)
    mine.subscribe()
    world.say("SHUTDOWN_EXECUTOR", shutdown_executor=link.ShutdownExecutor(
        framework_id=FrameworkID(FRAMEWORK), executor_id=ExecutorID("e1")))  # fmt: skip
    assert mine.told()[-1] == "SHUTDOWN"
    world.forget_log()
    world.wait(8.9)
    assert world.found(do.DestroyContainer) == []
    world.wait(0.2)
    assert len(world.found(do.DestroyContainer)) == 1
    # New tasks for it come too late.
    run_by(world, info, plain_task("t2"))
    [late] = world.updates("t2")
    assert (late.state, late.reason) == ("TASK_DROPPED", "REASON_EXECUTOR_TERMINATED")


def test_an_executor_that_is_shut_down_tells_how_its_tasks_ended() -> None:
    world = registered()
    mine = running(world)
    mine.update("t1", "TASK_RUNNING")
    world.say("SHUTDOWN_EXECUTOR", shutdown_executor=link.ShutdownExecutor(
        framework_id=FrameworkID(FRAMEWORK), executor_id=ExecutorID("e1")))  # fmt: skip
    mine.update("t1", "TASK_KILLED", message="as it was asked")
    world.give(on.ContainerExited(launched(world), 0))
    assert world.acknowledge_all() == ["TASK_RUNNING", "TASK_KILLED"]
    assert world.updates("t1")[-1].message == "as it was asked"


def test_the_end_of_a_framework_ends_its_executors() -> None:
    world = registered()
    mine = running(world)
    world.say("SHUTDOWN_FRAMEWORK", shutdown_framework=link.ShutdownFramework(
        framework_id=FrameworkID(FRAMEWORK)))  # fmt: skip
    assert mine.told()[-1] == "SHUTDOWN"
    world.give(on.ContainerExited(launched(world), 0))
    assert world.machine.state.frameworks == {}
    assert not any("executors" in path for path in world.files)


def test_the_heartbeat_comes_after_half_an_hour() -> None:
    world = registered()
    mine = running(world)
    world.wait(1799)
    assert "HEARTBEAT" not in mine.told()
    world.wait(2)
    assert mine.told()[-1] == "HEARTBEAT"
    world.wait(1800)
    assert mine.told().count("HEARTBEAT") == 2


def test_the_newest_stream_counts() -> None:
    world = registered()
    mine = running(world)
    old = mine.stream
    mine.subscribe()
    assert do.EndStream(old) in world.log
    world.give(on.StreamClosed(old, "gone"))
    answer = mine.call("HEARTBEAT")
    assert answer is not None and answer.status == 202
    world.give(on.StreamClosed(mine.stream, "gone"))
    answer = mine.call("HEARTBEAT")
    assert answer is not None and answer.status == 403


def test_an_executor_that_comes_back_after_a_restart_keeps_its_tasks() -> None:
    world = registered()
    mine = running(world, "t1", "t2", "t3")
    mine.update("t1", "TASK_RUNNING")
    again = World(world.files)
    again.recover({launched(world): 77})
    mine = Executor(again)
    ended = mine.status("t1", "TASK_FINISHED")
    mine.subscribe(tasks=(plain_task("t2"),), updates=(ended,))
    subscription = again.register().subscribe
    assert subscription is not None
    [report] = subscription.executors
    assert report.executor_info.executor_id == ExecutorID("e1")
    assert again.acknowledge_all("t1") == ["TASK_RUNNING", "TASK_FINISHED"]
    assert again.states("t2") == []
    # What was on its way when the agent ended, and did not arrive, is told.
    [dropped] = again.updates("t3")[:1]
    assert (dropped.state, dropped.reason, dropped.message) == (
        "TASK_DROPPED", "REASON_AGENT_RESTARTED", "Task launched during agent restart",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("capabilities", "state"), [(("PARTITION_AWARE",), "TASK_GONE"), ((), "TASK_LOST")]
)
def test_an_executor_that_stays_away_after_a_restart_is_ended(
    capabilities: tuple[str, ...], state: str
) -> None:
    world = registered()
    run_by(world, make_executor(), plain_task("t1"), make_framework(*capabilities))
    Executor(world).subscribe()
    container = launched(world)
    again = World(world.files)
    again.recover({container: 77})
    again.wait(2)
    assert do.DestroyContainer(container) in again.log
    again.register()
    again.give(on.ContainerExited(container, 9))
    [status] = again.updates()
    assert (status.state, status.reason) == (state, "REASON_EXECUTOR_REREGISTRATION_TIMEOUT")


def test_an_executor_that_ended_while_the_agent_was_away_is_told_with_its_tasks() -> None:
    world = registered()
    mine = running(world)
    mine.update("t1", "TASK_RUNNING")
    again = World(world.files)
    again.recover(exited={launched(world): 0})
    again.register()
    assert again.acknowledge_all() == ["TASK_RUNNING", "TASK_FAILED"]
    assert again.machine.state.frameworks == {}


def test_tasks_whose_executor_file_is_damaged_are_set_aside_and_told() -> None:
    world = registered()
    running(world)
    [path] = [path for path in world.files if path.endswith("executor.info")]
    again = World({**world.files, path: b"{"})
    told = [each.fields for each in again.found(do.Log) if each.event.endswith("damaged")]
    assert [str(each["path"]).rpartition("/")[2] for each in told] == ["executor.info", "task.info"]
    assert told[1]["reason"] == "its executor.info is missing or damaged"
    assert next(each.path for each in again.found(do.SetAsideCheckpoint)) == path
    assert again.machine.state.tasks() == []


def test_an_executor_this_agent_cannot_run_fails_its_tasks() -> None:
    world = registered()
    container = ContainerInfo(type="DOCKER", docker=DockerInfo(image="busybox"))
    run_by(world, make_executor(container=container), plain_task("t1"))
    [status] = world.updates()
    assert (status.state, status.reason) == ("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED")
    world.acknowledge_all()
    assert world.machine.state.frameworks == {}


def test_ids_that_cannot_be_directories_are_refused() -> None:
    world = registered()
    run_by(world, make_executor("../e"), plain_task("t1"))
    assert world.states() == ["TASK_ERROR"]
    assert world.found(do.LaunchContainer) == []


def test_calls_that_are_wrong_are_refused_with_the_code_of_the_original() -> None:
    world = registered()
    run_by(world, make_executor(), plain_task("t1"))
    mine = Executor(world)

    def told(body: str) -> tuple[int, bytes]:
        answer = mine.post(body.encode(), Media.JSON)
        assert answer is not None and isinstance(answer.body, bytes)
        return answer.status, answer.body

    ids = '"framework_id":{"value":"m-0001"},"executor_id":{"value":"e1"}'
    assert told(f'{{"type":"HEARTBEAT",{ids}}}') == (403, b"Executor is not subscribed")
    assert told(f'{{"type":"SUBSCRIBE",{ids}}}')[0] == 400
    assert told('{"type":"HEARTBEAT"}')[0] == 400
    assert told(f"{{{ids}}}")[0] == 400
    strange = ids.replace("m-0001", "m-0002")
    assert told(f'{{"type":"SUBSCRIBE",{strange},"subscribe":{{}}}}') == (
        400, b"Framework cannot be found",
    )  # fmt: skip
    strange = ids.replace("e1", "e2")
    assert told(f'{{"type":"SUBSCRIBE",{strange},"subscribe":{{}}}}') == (
        400, b"Executor cannot be found",
    )  # fmt: skip
    mine.subscribe()
    for changes in (
        {"uuid": b"short"}, {"uuid": None}, {"source": "SOURCE_AGENT"},
        {"state": "TASK_STAGING"}, {"executor_id": ExecutorID("e2")},
    ):  # fmt: skip
        status = mine.status("t1", **{"state": "TASK_RUNNING", **changes})  # type: ignore[arg-type]
        answer = mine.call("UPDATE", update=executor.Update(status=status))
        assert answer is not None and answer.status == 400, changes
    assert world.updates() == []


def test_views_show_the_executor_with_its_tasks() -> None:
    from mesosphere.agent import views

    world = registered()
    mine = running(world, "t1", "t2")
    mine.update("t1", "TASK_RUNNING")
    mine.update("t2", "TASK_FINISHED")
    run_by(world, make_executor("e2"), plain_task("t3"))
    [framework] = views.state(world.machine.state)["frameworks"]
    first, second = framework["executors"]
    assert (first["id"], first["name"], first["source"]) == ("e1", "mine", "here")
    assert [task["id"] for task in first["tasks"]] == ["t1"]
    assert [task["id"] for task in first["completed_tasks"]] == ["t2"]
    assert [task["id"] for task in second["queued_tasks"]] == ["t3"]
    assert first["tasks"][0]["executor_id"] == "e1"
    assert first["resources"]["cpus"] == 1.5
    used = world.machine.state.used()
    assert used == Resources.of(cpus=3, mem=384)
    values = views.metrics(world.machine.state, world.now)
    assert values["slave/executors_running"] == 1.0
    assert values["slave/executors_registering"] == 1.0
    assert to_wire(used)
