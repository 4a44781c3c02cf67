"""An agent that its master wants empty: what it ends, how it says so, what it remembers."""

from typing import Any

import pytest

from mesosphere.agent import views
from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.wire.mesos import link
from mesosphere.wire.mesos.agents import DrainConfig
from mesosphere.wire.mesos.commands import KillPolicy
from mesosphere.wire.mesos.common import DurationInfo
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID
from tests.scenarios.agent.world import (
    AGENT,
    MASTER,
    World,
    make_framework,
    make_task,
    registered,
)

PATH = f"meta/slaves/{AGENT}/drain_config"
REASON = "REASON_AGENT_DRAINING"


def config(seconds: float | None = None, mark_gone: bool = False) -> DrainConfig:
    grace = None if seconds is None else DurationInfo(nanoseconds=int(seconds * 1e9))
    return DrainConfig(max_grace_period=grace, mark_gone=mark_gone)


def drain(world: World, wanted: DrainConfig | None = None) -> None:
    world.say("DRAIN", drain=link.Drain(config=wanted or config()))
    world.wait(0)


def working(framework: FrameworkInfo | None = None, **changes: Any) -> tuple[World, str]:
    """A registered agent that runs t1, which is acknowledged; its container."""
    world = registered()
    container = world.run(make_task(**changes), framework)
    world.give(on.ContainerStarted(container, 77))
    world.acknowledge_all()
    world.forget_log()
    return world, container


def signals(world: World) -> list[str]:
    return [each.container for each in world.found(do.SignalContainer)]


def said(world: World, task_id: str = "t1") -> list[tuple[str, str | None]]:
    return [(status.state, status.reason) for status in world.updates(task_id)]


def test_the_order_is_on_disk_before_anything_is_ended() -> None:
    world, container = working()
    world.say("DRAIN", drain=link.Drain(config=config(5)))
    assert PATH in world.files and not signals(world)
    world.wait(0)
    assert signals(world) == [container]


def test_ends_by_draining_say_so_and_the_agent_is_then_free_again() -> None:
    world, container = working()
    drain(world)
    world.give(on.ContainerExited(container, 15, "", ""))
    world.acknowledge_all()
    assert said(world) == [("TASK_KILLING", REASON), ("TASK_KILLED", REASON)]
    assert world.machine.state.drain is None and PATH not in world.files


def test_draining_is_shown_until_it_is_over() -> None:
    world, container = working()
    drain(world, config(5, mark_gone=True))
    shown = views.state(world.machine.state)
    assert shown["drain_config"] == {
        "max_grace_period": {"nanoseconds": 5_000_000_000}, "mark_gone": True,
    }  # fmt: skip
    assert shown["estimated_drain_start_time_seconds"] == world.now
    world.give(on.ContainerExited(container, 15, "", ""))
    world.acknowledge_all()
    assert "drain_config" not in views.state(world.machine.state)


@pytest.mark.parametrize(
    ("capabilities", "state"),
    [(("PARTITION_AWARE",), "TASK_GONE_BY_OPERATOR"), ((), "TASK_KILLED")],
)
def test_tasks_of_an_agent_that_will_be_gone_are_gone_for_who_knows_that(
    capabilities: tuple[str, ...], state: str
) -> None:
    world, container = working(make_framework(*capabilities))
    drain(world, config(mark_gone=True))
    world.give(on.ContainerExited(container, 15, "", ""))
    assert said(world)[-1] == (state, REASON)


@pytest.mark.parametrize(("own", "most", "grace"), [(30, 5, 5), (2, 5, 2), (30, None, 30)])
def test_the_least_grace_counts(own: float, most: float | None, grace: float) -> None:
    policy = KillPolicy(grace_period=DurationInfo(nanoseconds=int(own * 1e9)))
    world, container = working(kill_policy=policy)
    drain(world, config(most))
    world.wait(grace - 0.5)
    assert not world.found(do.DestroyContainer)
    world.wait(1)
    assert world.found(do.DestroyContainer)[-1].container == container


def test_a_second_order_may_shorten_the_grace() -> None:
    policy = KillPolicy(grace_period=DurationInfo(nanoseconds=int(100e9)))
    world, container = working(kill_policy=policy)
    drain(world)
    drain(world, config(1))
    world.wait(1.5)
    assert world.found(do.DestroyContainer)[-1].container == container


@pytest.mark.parametrize(
    ("capabilities", "state"), [(("PARTITION_AWARE",), "TASK_DROPPED"), ((), "TASK_LOST")]
)
def test_a_task_that_comes_while_draining_is_refused(
    capabilities: tuple[str, ...], state: str
) -> None:
    world, _ = working()
    drain(world)
    assert world.run(make_task("t2"), make_framework(*capabilities)) == ""
    assert said(world, "t2") == [(state, REASON)]


def test_draining_is_not_over_while_a_refusal_waits_for_its_acknowledgement() -> None:
    world, container = working()
    drain(world)
    world.run(make_task("t2"))
    world.give(on.ContainerExited(container, 15, "", ""))
    world.acknowledge_all()
    assert world.machine.state.drain is not None
    world.acknowledge_all("t2")
    assert world.machine.state.drain is None


def test_a_restart_goes_on_draining() -> None:
    world, container = working()
    world.say("DRAIN", drain=link.Drain(config=config(5)))  # it dies before it ends anything
    again = World(world.files)
    again.recover({container: 77})
    assert again.machine.state.drain == config(5)
    again.wait(0)
    assert signals(again) == [container]


def test_a_damaged_order_is_told_and_comes_again_from_the_master() -> None:
    world, container = working()
    again = World({**world.files, PATH: b"{"})
    again.recover({container: 77})
    [told] = [each for each in again.found(do.Log) if each.event == "checkpoint_damaged"]
    assert PATH in str(told.fields)
    assert not signals(again)


def subscribe(world: World, wanted: DrainConfig | None) -> None:
    world.give(on.Disconnected("master", "broken"))
    world.wait(60)
    world.give(on.Connected("master", 200, {"mesos-stream-id": "s2"}))
    body = link.Subscribed(
        agent_id=AgentID(AGENT), master_info=MASTER, ping_timeout_s=75.0, drain=wanted
    )
    world.say("SUBSCRIBED", subscribed=body)
    world.wait(0)


def test_an_agent_that_was_away_hears_of_it_when_it_is_back() -> None:
    world, container = working()
    subscribe(world, config(1))
    assert signals(world) == [container]


def test_an_order_that_is_over_for_the_master_is_over() -> None:
    world, _ = working()
    drain(world)
    subscribe(world, None)
    assert world.machine.state.drain is None and PATH not in world.files
    assert world.run(make_task("t2"))


def test_an_empty_agent_has_nothing_to_do() -> None:
    world = registered()
    drain(world)
    assert world.machine.state.drain is None and PATH not in world.files


def test_an_order_that_can_not_be_written_is_carried_out_all_the_same() -> None:
    world, container = working()
    world.say("DRAIN", drain=link.Drain(config=config()))
    del world.timers["drain"]  # the disk refused it
    world.give(on.CheckpointFailed(PATH, "disk full"))
    assert signals(world) == [container]
