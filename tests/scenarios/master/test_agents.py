"""Agents: admitted, back, silent, gone, started anew."""

from mesosphere.master.core.registry import bucket_of
from tests.scenarios.master.peers import (
    FINISHED,
    RUNNING,
    AgentPeer,
    FrameworkPeer,
    running,
    started,
)
from tests.scenarios.master.world import World


def test_an_agent_is_admitted_once_the_registry_has_it() -> None:
    world = World().lead()
    world.slow_store = True
    agent = AgentPeer(world)
    request = agent.ask()
    assert request not in world.streams and not world.machine.state.agents
    world.settle()
    [body] = agent.stream.of("SUBSCRIBED")
    assert body["agent_id"] == {"value": f"{world.machine.id}-S0"}
    assert body["ping_timeout_s"] == 75.0
    assert (
        body["agent_id"]["value"].encode() in world.store[bucket_of(body["agent_id"]["value"])][0]
    )


def test_operators_hear_of_agents_that_come_and_go() -> None:
    world = World().lead()
    operator = world.post("/api/v1", {"type": "SUBSCRIBE"})
    agent = AgentPeer(world).subscribe()
    agent.subscribe()  # the same again is no news
    agent.call("UNREGISTER", unregister={})
    kinds = [each for each in world.streams[operator].types() if each.startswith("AGENT")]
    assert kinds == ["AGENT_ADDED", "AGENT_REMOVED"]


def test_an_agent_that_is_back_keeps_id_and_tasks() -> None:
    world, framework, agent = running()
    name = agent.id
    world.leave(agent.request)
    assert world.read("/slaves")["slaves"][0]["active"] is False
    world.wait(30)
    agent.subscribe(tasks=[agent.report(framework)])
    assert agent.id == name
    assert framework.states() == [RUNNING]
    assert framework.stream.of("FAILURE") == []
    assert world.machine.state.agents[name].used.scalar("cpus") == 1000


def test_an_agent_that_subscribes_twice_has_one_stream() -> None:
    world, framework, agent = running()
    old = agent.stream
    agent.subscribe(tasks=[agent.report(framework)])
    assert not old.is_open and agent.stream.is_open
    assert len(world.machine.state.agents) == 1


def test_a_stream_that_breaks_while_the_agent_subscribes_again_is_no_matter() -> None:
    world, framework, agent = running()
    old = agent.request
    world.slow_store = True
    agent.info["hostname"] = "renamed"
    agent.ask(tasks=[agent.report(framework)])
    world.leave(old)
    world.settle()
    assert agent.stream.types()[0] == "SUBSCRIBED"
    assert world.machine.state.agents[agent.id].is_connected
    framework.call("KILL", kill={"task_id": {"value": "t1"}})
    assert len(agent.stream.of("KILL_TASK")) == 1


def test_an_agent_that_left_while_it_was_admitted_is_disconnected() -> None:
    world = World().lead()
    world.slow_store = True
    agent = AgentPeer(world)
    world.leave(agent.ask())
    world.settle()
    [known] = world.machine.state.agents.values()
    assert not known.is_connected


def test_a_task_that_the_agent_does_not_report_is_asked_for() -> None:
    world, framework, agent = started()
    world.leave(agent.request)
    agent.subscribe()
    framework.launch(agent)
    agent.subscribe()  # RUN_TASK was lost with the stream
    assert agent.stream.of("RECONCILE") == [
        {"tasks": [{"framework_id": {"value": framework.id}, "task_id": {"value": "t1"}}]}
    ]
    assert world.machine.state.agents[agent.id].used.scalar("cpus") == 1000
    agent.update(framework, "t1", "TASK_DROPPED")
    assert world.machine.state.agents[agent.id].used.is_empty


def test_a_report_does_not_run_ahead_of_what_was_acknowledged() -> None:
    world, framework, agent = started()
    framework.launch(agent)
    status = agent.status("t1", RUNNING)
    agent.subscribe(tasks=[agent.report(framework, state=FINISHED, unacknowledged=status)])
    assert framework.reconcile(("t1", None))[0]["state"] == RUNNING
    assert world.machine.state.agents[agent.id].used.is_empty
    framework.acknowledge({**status, "agent_id": {"value": agent.id}})
    assert len(agent.stream.of("ACKNOWLEDGE")) == 1
    assert "t1" in world.machine.state.frameworks[framework.id].tasks


def test_a_silent_agent_is_unreachable_and_its_tasks_with_it() -> None:
    world, framework, agent = running()
    agent.answers_pings = False
    world.wait(89)
    assert framework.states() == [RUNNING]
    world.wait(2)
    [_, status] = framework.updates()
    assert (status["state"], status["reason"]) == ("TASK_UNREACHABLE", "REASON_AGENT_REMOVED")
    assert "uuid" not in status and "unreachable_time" in status
    assert framework.stream.of("FAILURE") == [{"agent_id": {"value": agent.id}}]
    assert not agent.stream.is_open
    assert b'"unreachable"' in world.store[bucket_of(agent.id)][0]
    [found] = framework.reconcile(("t1", None))
    assert found["state"] == "TASK_UNREACHABLE"


def test_nobody_hears_that_an_agent_is_unreachable_before_it_is_durable() -> None:
    world, framework, agent = running()
    agent.answers_pings = False
    world.wait(80)
    world.slow_store = True
    world.wait(20)
    assert framework.states() == [RUNNING]
    agent.ask(tasks=[agent.report(framework)])  # back while that is written
    world.settle()
    assert framework.states() == [RUNNING]
    assert world.machine.state.agents[agent.id].is_connected
    assert not world.machine.state.unreachable
    assert b'"admitted"' in world.store[bucket_of(agent.id)][0]


def test_an_unreachable_task_is_back_with_its_agent() -> None:
    world, framework, agent = running()
    agent.answers_pings = False
    world.wait(100)
    agent.answers_pings = True
    agent.subscribe(tasks=[agent.report(framework)])
    assert framework.states() == [RUNNING, "TASK_UNREACHABLE", RUNNING]
    assert framework.updates()[-1]["reason"] == "REASON_AGENT_REREGISTERED"
    assert agent.stream.of("KILL_TASK") == []
    assert world.machine.state.agents[agent.id].used.scalar("cpus") == 1000


def test_a_task_that_was_told_lost_lives_again_when_its_agent_is_back() -> None:
    world = World().lead()
    framework = FrameworkPeer(world).subscribe()
    agent = AgentPeer(world).subscribe()
    framework.launch(agent)
    agent.update(framework, "t1", RUNNING)
    agent.answers_pings = False
    world.wait(100)
    assert framework.states() == [RUNNING, "TASK_LOST"]
    agent.answers_pings = True
    agent.subscribe(tasks=[agent.report(framework)])
    assert framework.states() == [RUNNING, "TASK_LOST", RUNNING]
    assert framework.updates()[-1]["reason"] == "REASON_AGENT_REREGISTERED"
    assert agent.stream.of("KILL_TASK") == []


def test_agents_of_an_earlier_master_have_ten_minutes() -> None:
    world, framework, agent = running()
    after = world.next_master()
    assert [each["hostname"] for each in after.read("/slaves")["recovered_slaves"]] == ["a"]
    framework.world = after
    framework.subscribe()
    after.wait(599)
    assert not after.machine.state.unreachable
    after.wait(2)
    assert list(after.machine.state.unreachable) == [agent.id]
    assert framework.reconcile(("t1", agent.id))[0]["state"] == "TASK_UNREACHABLE"


def test_an_agent_started_anew_at_its_address_replaces_the_old_one() -> None:
    world, framework, agent = running()
    old = agent.id
    agent.id = ""
    agent.subscribe()
    assert list(world.machine.state.agents) == [agent.id] and agent.id != old
    assert framework.states() == [RUNNING, "TASK_LOST"]
    assert old.encode() not in b"".join(data for data, _ in world.store.values())


def test_an_agent_that_unregisters_is_removed_with_its_tasks() -> None:
    world, framework, agent = running()
    agent.call("UNREGISTER", unregister={"message": "maintenance"})
    assert framework.states() == [RUNNING, "TASK_LOST"]
    assert "maintenance" in framework.updates()[-1]["message"]
    assert not world.machine.state.agents and not world.machine.tree.totals.get("cpus")


def gone(world: World, agent: AgentPeer) -> str:
    return world.post("/api/v1", {"type": "MARK_AGENT_GONE", "mark_agent_gone": {
        "agent_id": {"value": agent.id}}})  # fmt: skip


def test_an_agent_marked_gone_is_shut_down_and_never_comes_back() -> None:
    world, framework, agent = running()
    assert world.answers[gone(world, agent)].status == 200
    assert framework.states() == [RUNNING, "TASK_GONE_BY_OPERATOR"]
    assert framework.updates()[-1]["reason"] == "REASON_AGENT_REMOVED_BY_OPERATOR"
    assert len(agent.stream.of("SHUTDOWN")) == 1 and not agent.stream.is_open
    agent.ask()
    assert agent.stream.types() == ["SHUTDOWN"] and not agent.stream.is_open
    after = world.next_master()
    agent.move_to(after)
    agent.ask()
    assert agent.stream.types() == ["SHUTDOWN"]


def test_an_agent_that_subscribes_while_it_is_marked_gone_stays_gone() -> None:
    world, _, agent = running()
    world.slow_store = True
    answer = gone(world, agent)
    agent.ask()
    world.settle()
    assert world.answers[answer].status == 200
    assert agent.stream.types() == ["SHUTDOWN"]
    assert b'"gone"' in world.store[bucket_of(agent.id)][0]


def test_an_agent_that_is_marked_gone_while_it_subscribes_is_told() -> None:
    world, _, agent = running()
    world.slow_store = True
    agent.info["hostname"] = "renamed"
    request = agent.ask()
    gone(world, agent)
    world.settle()
    assert world.streams[request].types() == ["SHUTDOWN"]
    assert not world.machine.state.agents


def test_unreachable_tasks_of_an_agent_marked_gone_are_gone() -> None:
    world, framework, agent = running()
    agent.answers_pings = False
    world.wait(100)
    gone(world, agent)
    assert framework.states() == [RUNNING, "TASK_UNREACHABLE", "TASK_GONE_BY_OPERATOR"]
    assert framework.reconcile(("t1", agent.id))[0]["state"] == "TASK_GONE_BY_OPERATOR"


def test_marking_an_unknown_agent_gone_is_not_found() -> None:
    world, _, agent = started()
    agent.id = "unknown"
    assert world.answers[gone(world, agent)].status == 404


def test_a_returned_task_whose_id_lives_elsewhere_is_killed() -> None:
    world, framework, agent = started(max_unreachable_tasks_per_framework=0)
    framework.launch(agent)
    agent.update(framework, "t1", RUNNING)
    agent.answers_pings = False
    world.wait(100)
    other = AgentPeer(world, "b").subscribe()
    framework.launch(other)
    agent.subscribe(tasks=[agent.report(framework)])
    assert len(agent.stream.of("KILL_TASK")) == 1
    assert other.stream.of("KILL_TASK") == []
    agent.update(framework, "t1", "TASK_KILLED")
    assert framework.reconcile(("t1", None))[0]["state"] == "TASK_STAGING"


def test_calls_on_another_stream_are_refused() -> None:
    world, _, agent = started()
    call = {"type": "PONG", "agent_id": {"value": agent.id}}
    assert world.answers[world.post("/api/v1/agent", call)].status == 403
    world.leave(agent.request)
    assert agent.try_call("PONG").status == 403
    agent.id = "unknown"
    assert agent.try_call("PONG").status == 400


def test_an_agent_whose_resources_can_not_be_read_is_told() -> None:
    world = World().lead()
    agent = AgentPeer(world, cpus=-1)
    agent.ask()
    assert agent.stream.types() == ["ERROR"] and not agent.stream.is_open
