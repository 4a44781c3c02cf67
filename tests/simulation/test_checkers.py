"""Each checker fires when its promise is broken: planted violations."""

from collections.abc import Callable
from typing import Any

import pytest

from mesosphere.kernel.effects import Commit, Halt
from mesosphere.kernel.events import Event, StopRequested
from mesosphere.kernel.resources import Resources
from mesosphere.kernel.store import Put
from mesosphere.marathon.core.instances import Goal
from mesosphere.master.core.allocator.quotas import Quota
from mesosphere.master.core.state import Offer
from mesosphere.simulation.administrator import Administrator
from mesosphere.simulation.checkers.books import Books
from mesosphere.simulation.checkers.capacity import Capacity
from mesosphere.simulation.checkers.closed import Closed
from mesosphere.simulation.checkers.gone import Gone
from mesosphere.simulation.checkers.launches import Launches
from mesosphere.simulation.checkers.oversubscription import Oversubscription
from mesosphere.simulation.checkers.parents import Parents
from mesosphere.simulation.checkers.quotas import Quotas
from mesosphere.simulation.checkers.terminal import Terminal
from mesosphere.simulation.checkers.updates import Updates
from mesosphere.simulation.checkers.writers import Writers
from mesosphere.simulation.cluster import Cluster
from mesosphere.simulation.masters import MastersStory
from mesosphere.simulation.node import Node
from mesosphere.simulation.operator import Operator
from mesosphere.simulation.processes import Container
from mesosphere.simulation.scheduler import Known
from mesosphere.simulation.story import Story
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation, World
from mesosphere.wire.mesos import link, scheduler
from mesosphere.wire.mesos.agents import DrainConfig
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID, FrameworkID, OfferID, TaskID
from mesosphere.wire.mesos.operations import Launch
from mesosphere.wire.mesos.tasks import TaskInfo, TaskStatus

TASK = TaskID("t1")


@pytest.fixture
def taps() -> Taps:
    world = World(1)
    cluster = Cluster(world, reservers=1)
    cluster.start()
    world.run(20.0)
    return Taps(cluster)


def tell(watchers: list[Callable[..., None]], *values: Any) -> None:
    for watcher in watchers:
        watcher(*values)


def status(state: str, uuid: bytes = b"u") -> TaskStatus:
    return TaskStatus(task_id=TASK, state=state, uuid=uuid)


def accept(offer: str) -> scheduler.Call:
    task = TaskInfo(name="t", task_id=TASK, agent_id=AgentID("a"))
    operation = scheduler.Operation(type="LAUNCH", launch=Launch(task_infos=[task]))
    return scheduler.Call(
        type="ACCEPT",
        accept=scheduler.Accept(offer_ids=[OfferID(offer)], operations=[operation]),
    )


def run_task(task_id: TaskID) -> link.Event:
    framework = FrameworkInfo(user="root", name="f", id=FrameworkID("f"))
    task = TaskInfo(name="t", task_id=task_id, agent_id=AgentID("a"))
    return link.Event(type="RUN_TASK", run_task=link.RunTask(framework_info=framework, task=task))


def test_an_oversubscribed_agent_is_found(taps: Taps, monkeypatch: pytest.MonkeyPatch) -> None:
    Oversubscription(taps)
    node = taps.cluster.nodes["agent0"]
    tell(taps.on_agent_step, node)
    monkeypatch.setattr(node.machine.state, "used", lambda: Resources.of(cpus=99))  # type: ignore[attr-defined]
    with pytest.raises(Violation, match="oversubscribed"):
        tell(taps.on_agent_step, node)


def test_a_master_that_gives_away_too_much_is_found(taps: Taps) -> None:
    Books(taps)
    [leader] = [node for node in taps.cluster.leaders() if node.name.startswith("master")]
    tell(taps.on_master_step, leader)
    agents = leader.machine.state.agents  # type: ignore[attr-defined]
    next(iter(agents.values())).used = Resources.of(cpus=99)
    with pytest.raises(Violation, match="given away more"):
        tell(taps.on_master_step, leader)


def test_a_rollout_that_ends_too_many_instances_is_found(taps: Taps) -> None:
    operator = Operator(taps.cluster.world, taps.cluster)
    operator.put_app("/web", 3)
    taps.cluster.world.run(60.0)
    Capacity(taps)
    [leader] = [node for node in taps.cluster.leaders() if node.name.startswith("marathon")]
    tell(taps.on_event, leader, Event())
    instances = leader.machine.state.instances.of_app("/web")  # type: ignore[attr-defined]
    instances[0].goal = Goal.DECOMMISSIONED
    tell(taps.on_event, leader, Event())
    instances[1].goal = Goal.DECOMMISSIONED
    with pytest.raises(Violation, match="leaves 1; 2 of 3"):
        tell(taps.on_event, leader, Event())


def test_a_second_launch_of_a_task_is_found(taps: Taps) -> None:
    Launches(taps)
    node = taps.cluster.nodes["marathon0"]
    tell(taps.on_scheduler_call, node, accept("o1"))
    with pytest.raises(Violation, match="a second time"):
        tell(taps.on_scheduler_call, node, accept("o2"))


def test_a_task_that_nobody_launched_is_found(taps: Taps) -> None:
    Launches(taps)
    with pytest.raises(Violation, match="nobody has launched"):
        tell(taps.on_agent_event, taps.cluster.nodes["agent0"], run_task(TASK))


def test_a_second_container_of_a_task_is_found(taps: Taps) -> None:
    Launches(taps)
    first, second = (Container(name, "t1", "serve", (), 1) for name in ("c1", "c2"))
    tell(taps.on_launch, taps.cluster.nodes["agent0"], first)
    with pytest.raises(Violation, match="again"):
        tell(taps.on_launch, taps.cluster.nodes["agent1"], second)


def test_a_life_after_the_end_is_found(taps: Taps) -> None:
    Terminal(taps)
    [leader] = [node for node in taps.cluster.leaders() if node.name.startswith("marathon")]

    def event(state: str) -> scheduler.Event:
        return scheduler.Event(type="UPDATE", update=scheduler.Update(status=status(state)))

    tell(taps.on_scheduler_event, leader, event("TASK_RUNNING"))
    tell(taps.on_scheduler_event, leader, event("TASK_FINISHED"))
    with pytest.raises(Violation, match="TASK_RUNNING after TASK_FINISHED"):
        tell(taps.on_scheduler_event, leader, event("TASK_RUNNING"))


def update(uuid: bytes) -> link.Call:
    body = link.Update(framework_id=FrameworkID("f"), status=status("TASK_RUNNING", uuid))
    return link.Call(type="UPDATE", update=body)


def test_an_update_before_its_turn_is_found(taps: Taps) -> None:
    Updates(taps)
    node = taps.cluster.nodes["agent0"]
    tell(taps.on_agent_call, node, update(b"1"))
    tell(taps.on_agent_call, node, update(b"1"))
    with pytest.raises(Violation, match="before its forerunner"):
        tell(taps.on_agent_call, node, update(b"2"))


def test_an_update_that_steps_back_is_found(taps: Taps) -> None:
    Updates(taps)
    node = taps.cluster.nodes["agent0"]
    tell(taps.on_agent_call, node, update(b"1"))
    done = link.Acknowledge(framework_id=FrameworkID("f"), task_id=TASK, uuid=b"1")
    tell(taps.on_agent_event, node, link.Event(type="ACKNOWLEDGE", acknowledge=done))
    tell(taps.on_agent_call, node, update(b"2"))
    with pytest.raises(Violation, match="older update"):
        tell(taps.on_agent_call, node, update(b"1"))


def test_a_writer_of_an_older_epoch_is_found(taps: Taps) -> None:
    Writers(taps)
    first, second = (taps.cluster.nodes[name].client for name in ("marathon0", "marathon1"))
    tell(taps.on_commit, first, Commit("t", (Put("/state/epoch", b"1"),)))
    tell(taps.on_commit, first, Commit("t", (Put("/state/apps", b"1"),)))
    tell(taps.on_commit, second, Commit("t", (Put("/state/epoch", b"2"),)))
    with pytest.raises(Violation, match="whose writer is"):
        tell(taps.on_commit, first, Commit("t", (Put("/state/apps", b"2"),)))


def test_a_run_before_its_parents_is_found(taps: Taps) -> None:
    Parents(taps, {"after": ("tick",)})
    node = taps.cluster.nodes["agent0"]
    parent = Container("c1", "ct:1:0:tick:", "work 1", (), 1)
    child = Container("c2", "ct:2:0:after:", "work 1", (), 2)
    parent.status = 256
    tell(taps.on_exit, node, parent)
    with pytest.raises(Violation, match="before tick ever succeeded"):
        tell(taps.on_launch, node, child)
    parent.status = 0
    tell(taps.on_exit, node, parent)
    tell(taps.on_launch, node, child)


def test_a_process_that_does_not_end_when_asked_is_found(
    taps: Taps, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = taps.cluster.nodes["agent0"]
    monkeypatch.setattr(node.machine, "handle", lambda now, event: [])
    with pytest.raises(Violation, match="does not end"):
        node.stop()


def test_a_process_that_ends_in_an_unexpected_way_is_found(
    taps: Taps, monkeypatch: pytest.MonkeyPatch
) -> None:
    node: Node = taps.cluster.nodes["agent0"]
    monkeypatch.setattr(node.machine, "handle", lambda now, event: [Halt(70, "planted")])
    with pytest.raises(Violation, match="ends with 70: planted"):
        node.deliver(StopRequested())


def test_a_lost_acknowledged_app_is_missed_in_the_end() -> None:
    story = Story(1)
    story.operator.apps["/web"] = {"instances": 2, "env": {"VERSION": "0"}}
    story.operator.jobs["tick"] = {}
    story.cluster.start()
    story.world.run(30.0)
    found = story.shortcomings()
    assert "/web has 0 of 2 instances" in found
    assert "job tick is missing" in found


def master_of(taps: Taps) -> Node:
    [leader] = [node for node in taps.cluster.leaders() if node.name.startswith("master")]
    return leader


def test_a_closed_agent_that_is_offered_is_found(taps: Taps) -> None:
    Closed(taps)
    leader = master_of(taps)
    agent = next(iter(leader.machine.state.agents.values()))  # type: ignore[attr-defined]
    agent.is_active = False
    tell(taps.on_master_step, leader)
    agent.offers["o1"] = object()
    with pytest.raises(Violation, match="which is closed"):
        tell(taps.on_master_step, leader)


def test_a_draining_agent_that_starts_a_task_is_found(taps: Taps) -> None:
    Closed(taps)
    node = taps.cluster.nodes["agent0"]
    container = Container("c1", "t1", "serve", (), 1)
    tell(taps.on_launch, node, container)
    node.machine.state.drain = DrainConfig()  # type: ignore[attr-defined]
    with pytest.raises(Violation, match="drains, and starts t1"):
        tell(taps.on_launch, node, container)


def test_an_agent_that_is_gone_and_back_is_found(taps: Taps) -> None:
    administrator = Administrator(taps.cluster.world, taps.cluster)
    Gone(taps, administrator)
    leader = master_of(taps)
    tell(taps.on_master_step, leader)
    administrator.gone[next(iter(leader.machine.state.agents))] = None  # type: ignore[attr-defined]
    with pytest.raises(Violation, match="which is gone"):
        tell(taps.on_master_step, leader)


def test_an_agent_that_is_sent_away_without_need_is_found(taps: Taps) -> None:
    administrator = Administrator(taps.cluster.world, taps.cluster)
    Gone(taps, administrator)
    node = taps.cluster.nodes["agent0"]
    event = link.Event(type="SHUTDOWN", shutdown=link.Shutdown(message="why"))
    with pytest.raises(Violation, match="sent away: why"):
        tell(taps.on_agent_event, node, event)
    administrator.ever_down[node.host] = None
    tell(taps.on_agent_event, node, event)


def test_views_that_differ_are_missed_in_the_end() -> None:
    story = MastersStory(1, agents=6)
    story.cluster.is_quiet = True
    story.cluster.start()
    story.world.run(60.0)
    assert story.shortcomings() == []
    book = story.books["plain"]
    ended = next(iter(book.tasks))
    book.tasks[ended].state = "TASK_LOST"
    book.tasks["t1"] = Known("nowhere", "t1")
    leader = story.administrator.leader()
    assert leader is not None
    agent_id = next(iter(leader.machine.state.agents))  # type: ignore[attr-defined]
    story.administrator.gone[agent_id] = story.administrator.closed[agent_id] = None
    story.administrator.planned["h"] = None
    found = "; ".join(story.shortcomings())
    for part in (
        f"{ended} runs for nobody",
        f"the master has {ended}",
        "t1 is missed",
        "the master misses t1",
        f"{agent_id} was marked gone and is admitted",
        f"{agent_id} was closed and is open",
        "the schedule has [], not ['h']",
    ):
        assert part in found


def test_an_offer_beyond_a_limit_is_found(taps: Taps) -> None:
    Quotas(taps)
    leader = master_of(taps)
    machine: Any = leader.machine
    tell(taps.on_master_step, leader)
    machine.allocator.quotas = {"b": Quota(limits={"cpus": 1000})}
    for cpus in (0.5, 0.25, 0.5):
        name = f"{machine.id}-O{machine.offer_count}"
        offer = Offer(name, "f", "a", "b/c", Resources.of(cpus=cpus), 0.0)
        machine.state.offers[name] = offer
        machine.offer_count += 1
        if len(machine.state.offers) > 2:
            with pytest.raises(Violation, match=r"holds 1\.25 cpus of 1"):
                tell(taps.on_master_step, leader)
        else:
            tell(taps.on_master_step, leader)
