"""The checker of executors, and what is demanded of them in the end: planted violations."""

from typing import Any

import pytest

from mesosphere.kernel.store import Remove
from mesosphere.simulation.checkers.executors import Executors
from mesosphere.simulation.checkers.launches import Launches
from mesosphere.simulation.checkers.removals import Removals
from mesosphere.simulation.masters import MastersStory
from mesosphere.simulation.processes import EXECUTOR, Container
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation
from mesosphere.wire import mesos
from mesosphere.wire.mesos import link, scheduler
from mesosphere.wire.mesos.operations import LaunchGroup
from tests.simulation.test_checkers import TASK, accept, status, taps, tell, update

__all__ = ["taps"]


def make(taps: Taps, *uuids: bytes) -> Any:
    """An executor has these updates to tell; the node of its agent."""
    Executors(taps)
    node = taps.cluster.nodes["agent0"]
    container = Container("c1", "e1", EXECUTOR, (), 1)
    for uuid in uuids:
        tell(taps.on_executor_update, node, container, status("TASK_RUNNING", uuid))
    return node


def test_updates_of_an_executor_may_be_repeated_until_they_are_acknowledged(taps: Taps) -> None:
    node = make(taps, b"1", b"2")
    for uuid in (b"1", b"1", b"agent's own", b"2", b"2"):
        tell(taps.on_agent_call, node, update(uuid))


def test_an_update_of_an_executor_that_is_left_out_is_found(taps: Taps) -> None:
    node = make(taps, b"1", b"2", b"3")
    tell(taps.on_agent_call, node, update(b"1"))
    with pytest.raises(Violation, match="sends update 2 of t1 after 1 of"):
        tell(taps.on_agent_call, node, update(b"3"))


def test_an_update_of_an_executor_that_comes_back_is_found(taps: Taps) -> None:
    node = make(taps, b"1", b"2")
    tell(taps.on_agent_call, node, update(b"1"))
    tell(taps.on_agent_call, node, update(b"2"))
    with pytest.raises(Violation, match="sends update 0 of t1 after 2 of"):
        tell(taps.on_agent_call, node, update(b"1"))


def test_a_second_launch_of_a_task_in_a_group_is_found(taps: Taps) -> None:
    Launches(taps)
    node = taps.cluster.nodes["marathon0"]
    task = mesos.TaskInfo(name="t", task_id=TASK, agent_id=mesos.AgentID("a"))
    group = LaunchGroup(
        executor=mesos.ExecutorInfo(executor_id=mesos.ExecutorID("p1")),
        task_group=mesos.TaskGroupInfo(tasks=[task]),
    )
    operation = scheduler.Operation(type="LAUNCH_GROUP", launch_group=group)
    body = scheduler.Accept(offer_ids=[mesos.OfferID("o2")], operations=[operation])
    tell(taps.on_scheduler_call, node, accept("o1"))
    with pytest.raises(Violation, match="a second time"):
        tell(taps.on_scheduler_call, node, scheduler.Call(type="ACCEPT", accept=body))


def test_a_group_that_nobody_launched_is_found(taps: Taps) -> None:
    Launches(taps)
    body = link.RunTaskGroup(
        framework_info=mesos.FrameworkInfo(user="root", name="f"),
        executor=mesos.ExecutorInfo(executor_id=mesos.ExecutorID("p1")),
        task_group=mesos.TaskGroupInfo(
            tasks=[mesos.TaskInfo(name="t", task_id=TASK, agent_id=mesos.AgentID("a"))]
        ),
    )
    with pytest.raises(Violation, match="nobody has launched"):
        tell(
            taps.on_agent_event,
            taps.cluster.nodes["agent0"],
            link.Event(type="RUN_TASK_GROUP", run_task_group=body),
        )


def test_executors_that_should_not_be_there_are_found_in_the_end() -> None:
    story = MastersStory(1, agents=6)
    story.cluster.is_quiet = True
    story.cluster.start()
    story.world.run(60.0)
    assert story.shortcomings() == []
    containers = [
        each for host in story.cluster.hosts.values() for each in host.executors()
    ]  # custom executors and the holders of pods
    assert any(each.executor is not None for each in containers)
    assert any(each.is_holder for each in containers)
    stray = next(each for each in containers if each.executor is not None)
    assert stray.executor is not None
    stray.executor.updates[b"1"] = status("TASK_RUNNING")
    story.books["hosts"].framework_id = "another"
    task = next(iter(story.books["pods"].tasks.values()))
    task.state = "TASK_FAILED"
    leader = story.administrator.leader()
    assert leader is not None
    agent = next(iter(leader.machine.state.agents.values()))  # type: ignore[attr-defined]
    agent.executors["f", "e9"] = None
    found = "; ".join(story.shortcomings())
    for part in (
        f"executor {stray.environment['MESOS_EXECUTOR_ID']} waits for acknowledgements",
        "runs for a framework that is gone",
        f"group {task.executor} is torn",
        "the master has executor e9",
    ):
        assert part in found


def test_a_framework_that_is_ended_before_its_removal_is_durable_is_found(taps: Taps) -> None:
    Removals(taps)
    node = taps.cluster.nodes["agent0"]
    [known] = list(taps.cluster.ensemble.store.load("/mesos-registry", "/frameworks"))[1:2]
    body = link.ShutdownFramework(framework_id=mesos.FrameworkID(known.rpartition("/")[2]))
    event = link.Event(type="SHUTDOWN_FRAMEWORK", shutdown_framework=body)
    with pytest.raises(Violation, match="which is registered"):
        tell(taps.on_agent_event, node, event)
    taps.cluster.ensemble.store.commit("/mesos-registry", [Remove(known)])
    tell(taps.on_agent_event, node, event)
