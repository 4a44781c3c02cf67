"""SIGUSR1: an agent leaves for good, and says so."""

from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.exit_codes import ExitCode
from tests.scenarios.agent.world import AGENT, LEADER, World, make_task, registered

LEAVE = on.StopRequested("USR1")


def goodbyes(world: World) -> list[str]:
    return [
        call.agent_id.value
        for call in world.calls()
        if call.type == "UNREGISTER" and call.agent_id is not None
    ]


def ends(world: World) -> list[int]:
    return [halt.code for halt in world.found(do.Halt)]


def test_an_agent_that_leaves_ends_its_tasks_then_says_so_then_ends() -> None:
    world = registered()
    container = world.run(make_task())
    world.give(on.ContainerStarted(container, 1))
    world.give(LEAVE)
    assert do.SignalContainer(container, 15) in world.log
    world.wait(0)
    assert not goodbyes(world) and not ends(world)
    world.give(on.ContainerExited(container, 15))
    assert goodbyes(world) == [AGENT] and not ends(world)
    world.wait(2)
    assert ends(world) == [ExitCode.CLEAN]
    assert World(world.files).machine.state.agent_id is None


def test_an_agent_with_stubborn_tasks_ends_all_the_same() -> None:
    world = registered()
    container = world.run(make_task())
    world.give(on.ContainerStarted(container, 1))
    world.give(LEAVE)
    world.wait(11)
    assert ends(world) == [ExitCode.CLEAN]


def test_an_agent_that_leaves_starts_nothing_and_tells_no_second_end() -> None:
    world = registered()
    container = world.run(make_task())
    world.give(on.ContainerStarted(container, 1))
    world.give(LEAVE)
    world.give(on.ContainerExited(container, 15))
    before = len(world.updates())
    world.kill("t1")
    assert world.run(make_task("t2")) == ""
    assert len(world.updates()) == before and not world.updates("t2")


def test_an_agent_that_no_master_knows_leaves_without_a_word() -> None:
    world = World()
    world.recover()
    world.give(LEAVE)
    world.wait(0)
    assert ends(world) == [ExitCode.CLEAN] and not goodbyes(world)


def test_an_agent_that_said_goodbye_does_not_come_back_when_its_stream_ends() -> None:
    for word in (
        on.Disconnected("master", "the master has ended it"),
        on.LeaderChanged("zk://h/mesos", LEADER),
    ):
        world = registered()
        world.give(LEAVE)
        world.wait(0)
        assert goodbyes(world) == [AGENT]
        world.give(word)
        assert ends(world) == [ExitCode.CLEAN]
