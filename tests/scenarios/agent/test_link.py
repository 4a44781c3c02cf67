"""The agent's link to its master: found, lost, found again; and what restarts keep."""

import pytest

from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos import link
from tests.scenarios.agent.world import (
    AGENT,
    LEADER,
    World,
    make_framework,
    make_task,
    registered,
)


def test_registration_waits_for_recovery() -> None:
    world = World()
    assert world.found(do.RecoverContainers) == [do.RecoverContainers(())]
    assert world.found(do.Detect) == []
    world.recover()
    assert world.found(do.Detect) == [do.Detect("zk://h/mesos", "json.info_")]


def test_the_agent_presents_itself() -> None:
    world = World()
    world.recover()
    call = world.register()
    assert call.type == "SUBSCRIBE" and call.subscribe is not None
    info = call.subscribe.agent_info
    assert (info.hostname, info.port, info.id) == ("agent", 5051, None)
    assert [each.name for each in info.resources] == ["cpus", "mem", "disk", "ports"]
    assert world.machine.link.is_registered
    assert world.files["meta/slaves/latest"] == AGENT.encode()


def test_redirects_are_followed_to_the_leader() -> None:
    world = World()
    world.recover()
    world.give(on.LeaderChanged("zk://h/mesos", LEADER))
    world.wait(2)
    world.give(on.Connected("master", 307, {"location": "//10.9.9.9:5050/api/v1/agent"}))
    world.wait(0)
    assert world.found(do.Connect)[-1].url == "http://10.9.9.9:5050/api/v1/agent"


def test_attempts_back_off_to_a_minute_at_most() -> None:
    world = World()
    world.recover()
    world.give(on.LeaderChanged("zk://h/mesos", LEADER))
    delays = []
    for _ in range(30):
        delays.append(world.timers["master/subscribe"] - world.now)
        world.wait(60)
        world.give(on.Disconnected("master", "refused"))
    assert max(delays[:1]) <= 1.0 and max(delays[:3]) <= 4.0
    assert 10.0 < max(delays) <= 60.0


def test_pings_are_answered_and_silence_ends_the_link() -> None:
    world = registered()
    world.say("PING", ping=link.Ping())
    assert world.calls()[-1].type == "PONG"
    world.wait(74)
    assert world.machine.link.is_registered
    world.wait(2)
    assert not world.machine.link.is_registered
    assert do.Disconnect("master") in world.log


def test_a_ping_that_does_not_count_us_leads_to_a_new_subscription() -> None:
    world = registered()
    world.say("PING", ping=link.Ping(connected=False))
    assert not world.machine.link.is_registered
    world.wait(2)
    assert len(world.found(do.Connect)) == 2


def test_a_refused_call_leads_to_a_new_subscription() -> None:
    world = registered()
    world.run(make_task())
    call = world.found(do.Call)[-1]
    world.give(on.CallAnswered(call.call, 403, {}, b"unknown stream"))
    assert not world.machine.link.is_registered


def test_what_can_not_be_read_ends_the_link_and_not_the_agent() -> None:
    world = registered()
    world.give(on.Received("master", b"\xff not json"))
    assert not world.machine.link.is_registered
    assert world.found(do.Halt) == []


def test_a_new_leader_gets_every_task_and_the_outstanding_update() -> None:
    world = registered()
    container = world.run(make_task())
    world.give(on.ContainerStarted(container, 1))
    world.give(on.LeaderChanged("zk://h/mesos", None))
    assert not world.machine.link.is_registered
    world.give(on.ContainerExited(container, 256))
    world.forget_log()
    call = world.register()
    assert call.subscribe is not None
    [report] = call.subscribe.tasks
    assert report.task.state == "TASK_FAILED"
    assert report.unacknowledged is not None and report.unacknowledged.state == "TASK_STARTING"
    assert call.subscribe.agent_info.id is not None
    assert world.states() == ["TASK_STARTING"]
    assert world.acknowledge_all() == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]


def test_what_was_acknowledged_in_the_meantime_is_not_repeated_to_a_new_listener() -> None:
    world = registered()
    container = world.run(make_task())
    world.give(on.ContainerStarted(container, 1))
    [starting] = world.updates()
    info = make_framework("PARTITION_AWARE", "TASK_KILLING_STATE")
    world.say("UPDATE_FRAMEWORK", update_framework=link.UpdateFramework(framework_info=info))
    world.acknowledge(starting)
    world.wait(0)
    assert world.states() == ["TASK_STARTING", "TASK_RUNNING"]


def restart(world: World, **changes: object) -> World:
    return World(world.files, **changes)


def test_a_restart_keeps_the_agent_its_tasks_and_its_updates() -> None:
    first = registered()
    container = first.run(make_task())
    first.give(on.ContainerStarted(container, 99))
    second = restart(first)
    assert second.found(do.RecoverContainers) == [do.RecoverContainers((container,))]
    second.recover(running={container: 99})
    call = second.register()
    assert call.subscribe is not None and call.agent_id is not None
    assert call.agent_id.value == AGENT
    assert call.subscribe.tasks[0].task.state == "TASK_RUNNING"
    second.give(on.ContainerExited(container, 0))
    assert second.acknowledge_all() == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]


def test_an_exit_while_the_agent_was_down_is_told() -> None:
    first = registered()
    container = first.run(make_task())
    first.give(on.ContainerStarted(container, 99))
    first.acknowledge_all()
    second = restart(first)
    second.recover(exited={container: 3 << 8})
    second.register()
    assert second.states() == ["TASK_FAILED"]
    assert second.updates()[0].message == "Command exited with status 3"


def test_an_exit_that_nobody_saw_is_told_honestly() -> None:
    first = registered()
    container = first.run(make_task())
    first.give(on.ContainerStarted(container, 99))
    first.acknowledge_all()
    second = restart(first)
    second.recover(exited={container: None})
    second.register()
    [status] = second.updates()
    assert (status.state, status.reason) == ("TASK_FAILED", "REASON_EXECUTOR_TERMINATED")
    assert "not known" in (status.message or "")


def test_a_launch_that_the_restart_cut_off_is_dropped_or_goes_on() -> None:
    first = registered()
    container = first.run(make_task())
    cut = restart(first)
    cut.recover(exited={container: None})
    cut.register()
    assert cut.acknowledge_all() == ["TASK_STARTING", "TASK_DROPPED"]
    goes_on = restart(first)
    goes_on.recover(running={container: 5})
    goes_on.register()
    assert goes_on.acknowledge_all() == ["TASK_STARTING", "TASK_RUNNING"]


def test_a_kill_survives_the_restart() -> None:
    first = registered()
    container = first.run(make_task())
    first.give(on.ContainerStarted(container, 99))
    first.kill(grace_s=10)
    second = restart(first)
    second.recover(running={container: 99})
    assert do.SignalContainer(container, 15) in second.log
    second.wait(11)
    assert do.DestroyContainer(container) in second.log
    second.register()
    second.give(on.ContainerExited(container, 9))
    assert second.acknowledge_all()[-1] == "TASK_KILLED"


def test_an_acknowledged_end_is_not_told_again() -> None:
    first = registered()
    container = first.run(make_task())
    first.give(on.ContainerStarted(container, 99))
    first.acknowledge_all()
    first.give(on.ContainerExited(container, 0))
    files = dict(first.files)
    second = World(files)
    second.recover(exited={container: 0})
    second.register()
    assert second.acknowledge_all() == ["TASK_FINISHED"]
    assert restart(second).machine.state.tasks() == []


@pytest.mark.parametrize("cut", range(1, 120, 7))
def test_a_torn_last_update_is_ignored(cut: int) -> None:
    first = registered()
    container = first.run(make_task())
    first.give(on.ContainerStarted(container, 99))
    path = next(path for path in first.files if path.endswith("task.updates"))
    first.files[path] = first.files[path][:-cut]
    second = restart(first)
    second.recover(running={container: 99})
    second.register()
    assert second.found(do.Halt) == []
    assert second.acknowledge_all() == ["TASK_STARTING", "TASK_RUNNING"]


def test_a_damaged_file_is_told_and_the_rest_recovers() -> None:
    first = registered()
    lost = first.run(make_task("lost"))
    kept = first.run(make_task("kept"))
    path = next(path for path in first.files if "/lost/" in path and path.endswith("task.info"))
    first.files[path] = b"\x00\x01 garbage"
    second = restart(first)
    assert second.found(do.RecoverContainers) == [do.RecoverContainers((kept,))]
    assert lost not in str(second.found(do.RecoverContainers))
    [told] = [each.fields for each in second.found(do.Log) if each.level == "error"]
    assert told["path"] == f"/w/{path}" and "JSON" in str(told["reason"])
    assert second.files[f"{path}.damaged"] == b"\x00\x01 garbage" and path not in second.files


def test_a_changed_configuration_is_accepted_while_the_tasks_fit() -> None:
    first = registered()
    container = first.run(make_task())
    smaller = Resources.of(cpus=1, mem=128)
    second = restart(first, resources=smaller, hostname="renamed", port=6000)
    second.recover(running={container: 1})
    call = second.register()
    assert call.subscribe is not None
    assert call.subscribe.agent_info.hostname == "renamed"


def test_a_configuration_that_the_tasks_do_not_fit_says_what_is_missing() -> None:
    first = registered()
    first.run(make_task())
    second = restart(first, resources=Resources.of(cpus=0.5, mem=128))
    [halt] = second.found(do.Halt)
    assert halt.code == ExitCode.USAGE
    assert "cpus:0.5 is missing" in halt.reason and "/w/meta/slaves/latest" in halt.reason


def test_a_dismissed_agent_ends_its_tasks_and_itself() -> None:
    world = registered()
    container = world.run(make_task())
    world.give(on.ContainerStarted(container, 1))
    world.say("SHUTDOWN", shutdown=link.Shutdown(message="marked gone"))
    assert do.SignalContainer(container, 15) in world.log
    assert not world.files["meta/slaves/latest"].strip()
    world.wait(0)
    world.give(on.ContainerExited(container, 15))
    [halt] = world.found(do.Halt)
    assert halt.code == ExitCode.REFUSED and "marked gone" in halt.reason


def test_a_dismissed_agent_ends_only_when_its_id_is_off_the_disk() -> None:
    world = registered()
    world.say("SHUTDOWN", shutdown=link.Shutdown(message="marked gone"))
    assert not world.found(do.Halt)
    world.wait(0)
    assert [halt.code for halt in world.found(do.Halt)] == [ExitCode.REFUSED]
    again = World(world.files)
    assert again.machine.state.agent_id is None


def test_a_dismissed_agent_whose_disk_refuses_ends_all_the_same() -> None:
    world = registered()
    world.say("SHUTDOWN", shutdown=link.Shutdown(message="marked gone"))
    del world.timers["leave/forgotten"]
    world.give(on.CheckpointFailed("meta/slaves/latest", "disk full"))
    assert [halt.code for halt in world.found(do.Halt)] == [ExitCode.REFUSED]


def test_stopping_leaves_the_tasks_alone() -> None:
    world = registered()
    container = world.run(make_task())
    world.give(on.ContainerStarted(container, 1))
    world.forget_log()
    world.give(on.StopRequested())
    assert [each.code for each in world.found(do.Halt)] == [ExitCode.CLEAN]
    assert world.found(do.DestroyContainer) == [] and world.found(do.SignalContainer) == []


def test_the_same_events_give_the_same_effects() -> None:
    logs = []
    for _ in range(2):
        world = registered()
        container = world.run(make_task())
        world.give(on.ContainerStarted(container, 1))
        world.give(on.ContainerExited(container, 9))
        world.acknowledge_all()
        logs.append(world.log)
    assert logs[0] == logs[1]
