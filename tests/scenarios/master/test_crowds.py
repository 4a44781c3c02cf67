"""Crowds: what concerns many agents or tasks at once is done in parts."""

import pytest

from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.resources import Resources
from mesosphere.master.core import pings, reconciliation
from mesosphere.master.core.shapes import SHAPES_LIMIT, Shapes
from mesosphere.wire.mesos.resources_codec import to_wire
from tests.scenarios.master.peers import RUNNING, AgentPeer, FrameworkPeer, resources, started
from tests.scenarios.master.world import World


def test_agents_are_asked_in_parts_and_each_once_in_an_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pings, "PART_LEAST", 2)
    world = World(agent_ping_interval_s=10.0).lead()
    agents = [AgentPeer(world, host).subscribe() for host in "abcdefg"]
    world.wait(10.0)  # the round that began without them is over, the next begins
    for _ in range(2):
        counts = [len(agent.stream.of("PING")) for agent in agents]
        asked = []
        for _ in range(3):
            before = sum(len(agent.stream.of("PING")) for agent in agents)
            world.wait(10.0 / 3)
            asked.append(sum(len(agent.stream.of("PING")) for agent in agents) - before)
        assert sorted(asked) == [2, 2, 3]
        after = [len(agent.stream.of("PING")) for agent in agents]
        assert [now - then for now, then in zip(after, counts, strict=True)] == [1] * 7


def test_a_silent_agent_goes_also_when_agents_are_asked_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pings, "PART_LEAST", 1)
    world = World(agent_ping_interval_s=10.0, max_agent_ping_timeouts=2).lead()
    agents = [AgentPeer(world, host).subscribe() for host in "abc"]
    agents[1].answers_pings = False
    world.wait(60.0)
    state = world.machine.state
    assert list(state.unreachable) == [agents[1].id]
    assert set(state.agents) == {agents[0].id, agents[2].id}


def _with_tasks(count: int) -> tuple[World, FrameworkPeer, AgentPeer]:
    world, framework, agent = started()
    for number in range(count):
        framework.launch(agent, f"t{number}", resources=resources(0.1, 1))
        agent.update(framework, f"t{number}", RUNNING)
    return world, framework, agent


def _told(framework: FrameworkPeer) -> list[str]:
    return [body["status"]["task_id"]["value"] for body in framework.stream.of("UPDATE")]


def test_what_all_agents_are_told_of_a_framework_is_encoded_once() -> None:
    world, framework, _ = started()
    for host in "bcd":
        AgentPeer(world, host).subscribe()
    agents = {agent.stream: agent.id for agent in world.machine.state.agents.values()}
    for act, word in (
        (lambda: FrameworkPeer(world, id=framework.id).subscribe(), b"UPDATE_FRAMEWORK"),
        (lambda: FrameworkPeer(world, id=framework.id).subscribe().call("TEARDOWN"), b"SHUTDOWN"),
    ):
        del world.log[:]
        act()
        sent = [
            effect
            for effect in world.log
            if isinstance(effect, do.Send) and effect.stream in agents and word in effect.data
        ]
        assert {effect.stream for effect in sent} == agents.keys()
        assert len({id(effect.data) for effect in sent}) == 1


def test_a_reconciliation_of_many_is_answered_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "PART", 2)
    world, framework, _ = _with_tasks(5)
    before = len(_told(framework))
    framework.call("RECONCILE", reconcile={"tasks": []})
    assert len(_told(framework)) - before == 2
    framework.call("RECONCILE", reconcile={"tasks": []})  # impatience changes nothing
    assert len(_told(framework)) - before == 2
    world.wait(0.0)
    told = _told(framework)[before:]
    # What was answered before it asked again is answered again.
    assert sorted(told) == ["t0", "t0", "t1", "t1", "t2", "t3", "t4"]


def test_what_ends_before_its_turn_is_told_as_it_is_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "PART", 1)
    world, framework, agent = _with_tasks(3)
    framework.call("RECONCILE", reconcile={"tasks": []})
    agent.update(framework, "t2", "TASK_FINISHED")
    world.wait(0.0)
    assert framework.states("t2")[-1] == "TASK_FINISHED"


def test_a_framework_that_leaves_is_answered_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "PART", 1)
    world, framework, _ = _with_tasks(3)
    framework.call("RECONCILE", reconcile={"tasks": []})
    world.leave(framework.request)
    assert world.machine.state.frameworks[framework.id].unanswered == {}
    world.give(on.TimerFired(reconciliation.TIMER + framework.id))


def test_answers_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "PART", 1)
    monkeypatch.setattr(reconciliation, "WAITING_LIMIT", 2)
    world, framework, _ = started()
    for start in range(0, 40, 10):
        asked = [{"task_id": {"value": f"n{start + n}"}} for n in range(10)]
        framework.call("RECONCILE", reconcile={"tasks": asked})
        assert len(world.machine.state.frameworks[framework.id].unanswered) <= 2
    world.wait(0.0)
    assert len(_told(framework)) == 40


def test_tasks_that_are_alike_share_what_is_alike() -> None:
    world, framework, agent = started()
    labels = {"labels": [{"key": "app", "value": "web"}]}
    for name in ("t1", "t2"):
        framework.launch(agent, name, labels=labels)
    one, other = world.machine.state.frameworks[framework.id].tasks.values()
    assert one.task.resources is other.task.resources
    assert one.task.labels is other.task.labels and one.task.labels is not None


def test_shapes_begin_anew_when_there_are_too_many() -> None:
    shapes = Shapes()
    for number in range(1, 2 * SHAPES_LIMIT):
        shape = shapes.of(to_wire(Resources.of(cpus=number).allocated_to("r")))
        assert (shape.resources, shape.role) == (Resources.of(cpus=number), "r")
        assert len(shapes._resources) <= SHAPES_LIMIT
