"""How fast and how many agents are given up, and what the registry forgets of them."""

from typing import Any

from mesosphere.kernel.exit_codes import ExitCode
from tests.scenarios.master.peers import AgentPeer, FrameworkPeer, started
from tests.scenarios.master.test_drain import call
from tests.scenarios.master.world import World

METRICS = "master/slave_unreachable_"


def cluster(hosts: str, **changes: Any) -> tuple[World, list[AgentPeer]]:
    world = World(**changes).lead()
    return world, [AgentPeer(world, host).subscribe() for host in hosts]


def silence(agents: list[AgentPeer]) -> None:
    for agent in agents:
        agent.answers_pings = False


def counts(world: World) -> tuple[int, int, int]:
    values = world.read("/metrics/snapshot")
    names = ("scheduled", "completed", "canceled")
    return tuple(values[METRICS + name] for name in names)  # type: ignore[return-value]


def present(world: World) -> int:
    return len(world.read("/slaves")["slaves"])


def test_lost_agents_go_at_once_without_a_limit() -> None:
    world, agents = cluster("abc")
    silence(agents)
    world.wait(95)
    assert present(world) == 0 and counts(world) == (3, 3, 0)
    values = world.read("/metrics/snapshot")
    assert values["master/slave_removals/reason_unhealthy"] == 3


def test_lost_agents_go_one_by_one_under_a_limit() -> None:
    world, agents = cluster("abc", agent_removal_interval_s=600.0)
    silence(agents)
    world.wait(95)
    assert present(world) == 2 and counts(world) == (3, 1, 0)
    world.wait(590)
    assert present(world) == 2
    world.wait(20)
    assert present(world) == 1
    world.wait(600)
    assert present(world) == 0 and counts(world) == (3, 3, 0)


def test_a_word_of_an_agent_cancels_its_removal() -> None:
    world, agents = cluster("abc", agent_removal_interval_s=600.0)
    silence(agents)
    world.wait(95)
    agents[1].answers_pings = True  # it answers the next ping
    world.leave(agents[2].request)
    agents[2].subscribe()  # it comes back
    agents[2].answers_pings = True
    world.wait(1500)
    assert present(world) == 2 and counts(world) == (3, 1, 2)


def test_agents_that_a_new_leader_misses_wait_for_their_turn_too() -> None:
    world, agents = cluster("abc")
    following = world.next_master(agent_removal_interval_s=600.0)
    framework = FrameworkPeer(following).subscribe()
    following.wait(601)
    waiting = [each["id"] for each in following.read("/slaves")["recovered_slaves"]]
    assert len(waiting) == 2
    assert following.read("/metrics/snapshot")["master/recovery_slave_removals"] == 3
    [last] = [agent for agent in agents if agent.id == waiting[1]]
    last.move_to(following)
    last.subscribe()
    following.wait(601)
    assert counts(following) == (3, 2, 1) and present(following) == 1
    assert framework.offer()["agent_id"] == {"value": last.id}


def test_a_new_leader_that_misses_too_many_agents_ends() -> None:
    world, agents = cluster("abcd")
    following = world.next_master(recovery_agent_removal_limit=0.5)
    agents[0].move_to(following)
    agents[0].subscribe()
    following.wait(600)
    assert following.halted is not None
    assert following.halted.code == ExitCode.AGENTS_MISSING
    assert "3 of 4 agents" in following.halted.reason


def test_a_new_leader_that_misses_as_many_as_it_may_goes_on() -> None:
    world, agents = cluster("abcd")
    following = world.next_master(recovery_agent_removal_limit=0.5)
    for agent in agents[:2]:
        agent.move_to(following)
        agent.subscribe()
    following.wait(600)
    assert following.halted is None and counts(following)[1] == 2


def test_old_agents_are_forgotten() -> None:
    world, framework, agent = started(registry_gc_interval_s=100.0, registry_max_agent_age_s=1000.0)
    other = AgentPeer(world, "b").subscribe()
    call(world, "MARK_AGENT_GONE", other.id)
    silence([agent])
    world.wait(900)
    assert framework.reconcile(("t", agent.id))[0]["state"] == "TASK_UNREACHABLE"
    assert framework.reconcile(("t", other.id))[0]["state"] == "TASK_GONE_BY_OPERATOR"
    world.wait(400)
    for peer in (agent, other):
        assert framework.reconcile(("t", peer.id))[0]["state"] == "TASK_UNKNOWN"
    assert not world.machine.registry.agents


def test_of_too_many_agents_the_oldest_are_forgotten() -> None:
    world, agents = cluster("abc", registry_gc_interval_s=100.0, registry_max_agent_count=1)
    for agent in agents:
        call(world, "MARK_AGENT_GONE", agent.id)
        world.wait(1)
    world.wait(100)
    assert list(world.machine.registry.agents) == [agents[2].id]
    assert list(world.machine.state.gone) == [agents[2].id]


def test_an_agent_that_was_lost_and_is_back_is_not_forgotten() -> None:
    world, agents = cluster("a", registry_gc_interval_s=100.0, registry_max_agent_age_s=1.0)
    silence(agents)
    world.wait(91)
    agents[0].answers_pings = True
    agents[0].subscribe()
    world.wait(200)
    assert present(world) == 1 and agents[0].id in world.machine.registry.agents


def test_an_agent_that_is_marked_gone_while_it_is_given_up_stays_gone() -> None:
    world, agents = cluster("a", agent_removal_interval_s=10.0)
    silence(agents)
    world.slow_store = True
    world.wait(75)
    gone = {"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": agents[0].id}}}
    request = world.post("/api/v1", gone)
    world.wait(100)
    world.settle()
    world.slow_store = False
    assert world.answers[request].status == 200
    agents[0].ask()
    assert agents[0].stream.types() == ["SHUTDOWN"]
