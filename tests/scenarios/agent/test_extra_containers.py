"""Extra containers: launched by operators' calls, waited for, killed, found again, gone in time."""

import msgspec
import pytest

from mesosphere.agent.core import extra_containers
from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from tests.scenarios.agent.executors import make_pod, plain_task, run_group
from tests.scenarios.agent.extras import ask, launch, replies, reply, start, task
from tests.scenarios.agent.world import HOST, World, make_config, make_framework, registered

OCI = msgspec.structs.replace(
    HOST, isolation="oci", runtime="/runc", cgroup_version=1,
    cgroup_mounts={"memory": "/c/memory", "pids": "/c/pids"}, private_root="/r",
)  # fmt: skip


def test_a_nested_container_lies_in_its_parents_sandbox_and_limits() -> None:
    world = registered(host=OCI)
    parent = task(world)
    [parents] = world.found(do.LaunchContainer)
    found = start(world, f"{parent}.n1", script="date", resources=[
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 3}}])  # fmt: skip
    plan = found.plan
    assert plan["argv"] == ["/bin/sh", "-c", "date"]
    assert plan["sandbox"] == f"{parents.plan['sandbox']}/containers/n1"
    assert plan["environment"]["MESOS_SANDBOX"] == plan["sandbox"]
    assert plan["environment"]["MESOS_FRAMEWORK_ID"] == "m-0001"
    assert plan["control_group"] == f"{parents.plan['control_group']}/n1"
    assert plan["config"]["linux"]["resources"] == {}
    assert (plan["user"], plan["parent"], plan["links"]) == (parents.plan["user"], parent, [])
    assert reply(world, f"launch-{parent}.n1") == (200, "")


def test_a_nested_container_with_its_own_control_group_gets_what_it_asks_for() -> None:
    world = registered(host=OCI)
    name = f"{task(world)}.n1"
    plan = start(
        world, name, container={"type": "MESOS", "linux_info": {"share_cgroups": False}},
        resources=[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}},
                   {"name": "mem", "type": "SCALAR", "scalar": {"value": 64}}],
        limits={"mem": {"value": 96}},
    ).plan  # fmt: skip
    assert plan["control_group"] == f"/mesos/{name}"
    limits = plan["config"]["linux"]["resources"]
    assert limits["cpu"] == {"shares": 512, "period": 100_000, "quota": 50_000}
    assert limits["memory"] == {"reservation": 64 << 20, "limit": 96 << 20}


def test_a_standalone_container_without_resources_is_not_limited() -> None:
    world = registered(host=OCI)
    plan = start(world, "alone").plan
    assert plan["sandbox"] == "/w/containers/alone"
    assert "MESOS_FRAMEWORK_ID" not in plan["environment"]
    limits = plan["config"]["linux"]["resources"]
    assert (limits["cpu"], limits["memory"]) == ({"shares": 1024, "period": 100_000}, {})


def test_nested_containers_go_into_executors_pods_and_each_other() -> None:
    world = registered()
    run_group(world, make_pod(), plain_task("t1", "sleep 1"))
    holder = world.found(do.LaunchContainer)[-1]
    world.give(on.ContainerStarted(holder.container, 70))
    member = world.found(do.LaunchContainer)[-1]
    world.give(on.ContainerStarted(member.container, 71))
    for parent in (holder, member):
        plan = start(world, f"{parent.container}.a").plan
        assert plan["sandbox"] == f"{parent.plan['sandbox']}/containers/a"
        inner = start(world, f"{parent.container}.a.b").plan
        assert inner["sandbox"] == f"{plan['sandbox']}/containers/b"
        assert inner["environment"]["MESOS_EXECUTOR_ID"] == "p1"


def test_a_launch_that_is_not_possible_says_why() -> None:
    world = registered()
    parent = world.run(plain_task("t1", "sleep 1"))
    launch(world, "nobody.n1")
    assert reply(world, "launch-nobody.n1") == (400, "Parent container nobody does not exist")
    launch(world, f"{parent}.n1")
    assert reply(world, f"launch-{parent}.n1")[1] == f"Parent container {parent} does not run yet"
    world.kill("t1")
    launch(world, f"{parent}.n2")
    assert "is in 'DESTROYING' state" in reply(world, f"launch-{parent}.n2")[1]
    launch(world, "a", command={"shell": True})
    assert reply(world, "launch-a") == (400, "the command has no value")
    assert [each.container for each in world.found(do.LaunchContainer)] == [parent]


def test_a_container_that_can_not_be_started_tells_who_launched_it_and_who_waits() -> None:
    world = registered()
    launch(world, "a")
    ask(world, "w", "WAIT_CONTAINER", "a")
    world.give(on.ContainerFailed("a", "launch", "no such program"))
    assert reply(world, "launch-a") == (400, "no such program")
    ask(world, "late", "WAIT_CONTAINER", "a")
    for request in ("w", "late"):
        assert reply(world, request)[1]["wait_container"] == {
            "state": "TASK_FAILED", "reason": "REASON_CONTAINER_LAUNCH_FAILED",
            "message": "no such program",
        }  # fmt: skip


def test_a_second_launch_is_accepted_while_the_first_lives() -> None:
    world = registered()
    start(world, "a")
    ask(world, "again", "LAUNCH_CONTAINER", "a", command={"value": "date"})
    assert reply(world, "again") == (202, "")
    assert len(world.found(do.LaunchContainer)) == 1


def test_an_end_is_on_disk_before_it_is_told_and_before_the_supervisor_forgets_it() -> None:
    world = registered()
    start(world, "a")
    ask(world, "w1", "WAIT_CONTAINER", "a")
    ask(world, "w2", "WAIT_NESTED_CONTAINER", "x.a")
    assert reply(world, "w2")[0] == 404
    effects = world.machine.handle(world.now, on.ContainerExited("a", 3 << 8))
    [written] = [each for each in effects if isinstance(each, do.Checkpoint)]
    assert do.DestroyContainer("a") in written.then
    assert not any(isinstance(each, do.Send | do.DestroyContainer) for each in effects)
    world.perform(effects)
    assert reply(world, "w1") == (
        200, {"type": "WAIT_CONTAINER", "wait_container": {"exit_status": 3 << 8}},
    )  # fmt: skip


def test_a_limit_that_was_passed_is_told_with_its_resource() -> None:
    world = registered()
    start(world, "a")
    ask(world, "w", "WAIT_CONTAINER", "a")
    world.give(on.ContainerExited("a", 9, "memory", "Memory limit exceeded", 48.0))
    told = reply(world, "w")[1]["wait_container"]
    assert (told["state"], told["exit_status"]) == ("TASK_FAILED", 9)
    assert told["reason"] == "REASON_CONTAINER_LIMITATION_MEMORY"
    [resource] = told["limitation"]["resources"]
    assert (resource["name"], resource["scalar"]["value"]) == ("mem", 48.0)


def test_who_waits_for_a_task_hears_its_end_and_who_left_does_not() -> None:
    world = registered()
    name = task(world)
    ask(world, "w", "WAIT_CONTAINER", name)
    ask(world, "gone", "WAIT_CONTAINER", name)
    world.give(on.StreamClosed("gone", "the peer went away"))
    world.give(on.ContainerExited(name, 0))
    assert reply(world, "w")[1]["wait_container"] == {"exit_status": 0}
    assert replies(world, "gone") == []
    assert world.states()[-1:] == ["TASK_STARTING"]


@pytest.mark.parametrize("kind", ["task", "extra"])
def test_a_signal_is_for_the_first_process_and_sigkill_for_the_container(kind: str) -> None:
    world = registered()
    name = task(world) if kind == "task" else "a"
    if kind == "extra":
        start(world, name)
    world.forget_log()
    ask(world, "term", "KILL_CONTAINER", name, signal=15)
    assert world.found(do.SignalContainer) == [do.SignalContainer(name, 15, leader_only=True)]
    assert world.found(do.DestroyContainer) == []
    ask(world, "kill", "KILL_CONTAINER", name)
    assert world.found(do.DestroyContainer) == [do.DestroyContainer(name)]
    assert (reply(world, "term"), reply(world, "kill")) == ((200, ""), (200, ""))
    ask(world, "nobody", "KILL_CONTAINER", "nobody")
    assert reply(world, "nobody")[0] == 404


def test_a_kill_before_the_start_undoes_the_launch() -> None:
    world = registered()
    launch(world, "a")
    ask(world, "k", "KILL_CONTAINER", "a", signal=15)
    assert world.found(do.DestroyContainer) == [do.DestroyContainer("a")]
    world.give(on.ContainerStarted("a", 5))
    assert len(world.found(do.DestroyContainer)) == 2
    world.give(on.ContainerExited("a", 9))
    assert reply(world, "launch-a")[0] == 200


def test_extra_containers_end_with_their_parent_and_are_forgotten() -> None:
    world = registered()
    parent = task(world)
    for name in (f"{parent}.lives", f"{parent}.ended", f"{parent}.lives.inner"):
        start(world, name)
    world.give(on.ContainerExited(f"{parent}.ended", 0))
    ask(world, "w", "WAIT_CONTAINER", f"{parent}.lives")
    world.forget_log()
    world.give(on.ContainerExited(parent, 0))
    assert do.DestroyContainer(f"{parent}.lives") in world.found(do.DestroyContainer)
    world.give(on.ContainerExited(f"{parent}.lives", 9))
    assert do.DestroyContainer(f"{parent}.lives.inner") in world.found(do.DestroyContainer)
    world.give(on.ContainerExited(f"{parent}.lives.inner", 9))
    assert reply(world, "w")[1]["wait_container"] == {"exit_status": 9}
    assert world.machine.state.extras == {}
    assert not [path for path in world.files if path.startswith("meta/containers")]
    assert world.found(do.RemoveSandbox) == []  # they lie in the parent's, which has its time


def test_what_has_ended_is_removed_with_its_sandbox() -> None:
    world = registered()
    start(world, "a")
    ask(world, "early", "REMOVE_CONTAINER", "a")
    assert reply(world, "early") == (500, "Container has not terminated yet")
    world.give(on.ContainerExited("a", 0))
    ask(world, "r1", "REMOVE_CONTAINER", "a")
    ask(world, "r2", "REMOVE_CONTAINER", "nobody.a")
    assert (reply(world, "r1")[0], reply(world, "r2")) == (200, (500, "Unknown root container"))
    assert world.found(do.RemoveSandbox) == [do.RemoveSandbox("/w/containers/a")]
    ask(world, "w", "WAIT_CONTAINER", "a")
    assert reply(world, "w")[0] == 404
    start(world, "a")  # its name is free again


def test_a_restarted_agent_goes_on_where_it_was() -> None:
    world = registered()
    parent = task(world)
    for name in ("runs", "ended", "ends", f"{parent}.nested"):
        start(world, name)
    launch(world, "starts")
    world.give(on.ContainerExited("ended", 5 << 8))
    again = World(world.files)
    [asked] = again.found(do.RecoverContainers)
    living = {parent: 77, "runs": 4000, f"{parent}.nested": 4000}
    assert set(asked.known) == {*living, "ends", "starts"}
    again.recover(living, {"ends": 6 << 8, "starts": None})
    assert again.machine.state.extras["runs"].pid == 4000
    for name, status in (("ended", 5 << 8), ("ends", 6 << 8), ("starts", None)):
        ask(again, f"w-{name}", "WAIT_CONTAINER", name)
        told = reply(again, f"w-{name}")[1]["wait_container"]
        assert told.get("exit_status") == status
    ask(again, "w", "WAIT_CONTAINER", f"{parent}.nested")
    again.give(on.ContainerExited(parent, 0))
    again.give(on.ContainerExited(f"{parent}.nested", 9))
    assert reply(again, "w")[1]["wait_container"] == {"exit_status": 9}


def test_a_restarted_agent_ends_what_has_lost_its_parent() -> None:
    world = registered()
    parent = world.run(plain_task("t1", "sleep 1"), make_framework(checkpoint=False))
    world.give(on.ContainerStarted(parent, 77))
    start(world, f"{parent}.n1")
    assert not [path for path in world.files if path.startswith("meta/containers")]
    durable = task(world, "t2")
    start(world, f"{durable}.n2")
    again = World(world.files)
    again.recover({f"{durable}.n2": 4000}, {durable: 0})
    assert do.DestroyContainer(f"{durable}.n2") in again.found(do.DestroyContainer)


def test_a_damaged_file_is_told_and_the_rest_is_found() -> None:
    world = registered()
    start(world, "a")
    start(world, "b")
    world.files["meta/containers/a/container.info"] = b'{"order":'
    again = World(world.files)
    assert list(again.machine.state.extras) == ["b"]
    assert again.machine.state.recovery_errors == 1
    assert again.found(do.Log)[0].event == "checkpoint_damaged"


def test_a_launch_that_can_not_be_written_fails_and_an_end_is_told_all_the_same() -> None:
    world = registered()
    launch(world, "a")
    world.give(on.CheckpointFailed("meta/containers/a/container.info", "no space"))
    assert reply(world, "launch-a")[0] == 400
    start(world, "b")
    ask(world, "w", "WAIT_CONTAINER", "b")
    effects = world.machine.handle(world.now, on.ContainerExited("b", 0))
    assert any(isinstance(each, do.Checkpoint) for each in effects)
    world.give(on.CheckpointFailed("meta/containers/b/container.info", "no space"))
    assert reply(world, "w")[0] == 200


def test_numbers_of_living_ended_and_waiting_ones_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("LIVING_MOST", "ENDED_MOST", "WAITING_MOST"):
        monkeypatch.setattr(extra_containers, name, 2)
    world = registered()
    for name in ("a", "b"):
        start(world, name)
        ask(world, f"w-{name}", "WAIT_CONTAINER", name)
    launch(world, "c")
    assert "no more are taken" in reply(world, "launch-c")[1]
    ask(world, "w", "WAIT_CONTAINER", "a")
    assert reply(world, "w")[0] == 503
    for name in ("a", "b"):
        world.give(on.ContainerExited(name, 0))
    start(world, "c")
    world.give(on.ContainerExited("c", 0))
    assert list(world.machine.state.extras) == ["b", "c"]
    assert world.found(do.RemoveSandbox) == [do.RemoveSandbox("/w/containers/a")]


def test_an_agent_that_has_no_id_yet_runs_standalone_containers() -> None:
    world = World()
    world.recover()
    start(world, "a")
    assert make_config().host.work_dir == "/w"
    assert reply(world, "launch-a") == (200, "")
