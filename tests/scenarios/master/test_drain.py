"""Draining, deactivating and reactivating agents; across changes of leader and returns."""

from typing import Any

from mesosphere.kernel.http import Response
from tests.scenarios.master.peers import KILLED, RUNNING, AgentPeer, FrameworkPeer
from tests.scenarios.master.world import World

ABLE = [{"type": "AGENT_DRAINING"}]


def call(world: World, kind: str, agent: str, **body: Any) -> Response:
    asked = {"type": kind, kind.lower(): {"agent_id": {"value": agent}, **body}}
    return world.answers[world.post("/api/v1", asked)]


def working(**changes: Any) -> tuple[World, FrameworkPeer, AgentPeer]:
    """A leader and an agent that can drain, with the task t1 running on it."""
    world = World(**changes).lead()
    framework = FrameworkPeer(world, "PARTITION_AWARE", failover_timeout=100.0).subscribe()
    agent = AgentPeer(world).subscribe(capabilities=ABLE)
    framework.launch(agent)
    agent.update(framework, "t1", RUNNING)
    framework.acknowledge(framework.updates()[-1])
    return world, framework, agent


def back(agent: AgentPeer, framework: FrameworkPeer, *tasks: dict[str, Any]) -> AgentPeer:
    """The agent subscribes again."""
    known = [agent.framework(framework)]
    return agent.subscribe(capabilities=ABLE, tasks=list(tasks), frameworks=known)


def shown(world: World, agent: AgentPeer) -> dict[str, Any]:
    [found] = world.read("/slaves", slave_id=agent.id)["slaves"]
    return found  # type: ignore[no-any-return]


def state_of(world: World, agent: AgentPeer) -> str | None:
    return shown(world, agent).get("drain_info", {}).get("state")  # type: ignore[no-any-return]


def end_task(framework: FrameworkPeer, agent: AgentPeer, state: str = KILLED) -> None:
    agent.update(framework, "t1", state)
    framework.acknowledge(framework.updates()[-1])


# --- draining ---------------------------------------------------------------------------------


def test_a_draining_agent_is_told_and_offered_to_nobody() -> None:
    world, framework, agent = working()
    offer = framework.offer()
    answer = call(world, "DRAIN_AGENT", agent.id, max_grace_period={"seconds": 5, "nanos": 1})
    assert answer.status == 200
    config = {"max_grace_period": {"nanoseconds": 5_000_000_001}, "mark_gone": False}
    assert agent.stream.of("DRAIN") == [{"config": config}]
    assert framework.stream.of("RESCIND") == [{"offer_id": offer["id"]}]
    found = shown(world, agent)
    assert found["drain_info"] == {"state": "DRAINING", "config": config}
    assert (found["active"], found["deactivated"]) == (False, True)
    assert found["estimated_drain_start_time_seconds"] == world.now
    world.wait(30)
    assert not framework.offers()


def test_an_agent_is_drained_when_the_last_end_was_acknowledged() -> None:
    world, framework, agent = working()
    call(world, "DRAIN_AGENT", agent.id)
    agent.update(framework, "t1", KILLED)
    assert state_of(world, agent) == "DRAINING"
    framework.acknowledge(framework.updates()[-1])
    assert state_of(world, agent) == "DRAINED"
    world.wait(30)
    assert not framework.offers() and shown(world, agent)["deactivated"]


def test_an_empty_agent_is_drained_at_once() -> None:
    world, framework, agent = working()
    end_task(framework, agent, "TASK_FINISHED")
    assert call(world, "DRAIN_AGENT", agent.id).status == 200
    assert state_of(world, agent) == "DRAINED"


def test_a_drained_agent_that_is_to_be_gone_is_marked_gone() -> None:
    world, framework, agent = working()
    call(world, "DRAIN_AGENT", agent.id, mark_gone=True)
    end_task(framework, agent, "TASK_GONE_BY_OPERATOR")
    assert agent.stream.of("SHUTDOWN") == [{"message": "Agent has been marked gone"}]
    assert not world.read("/slaves")["slaves"]
    agent.ask()
    assert agent.stream.types() == ["SHUTDOWN"]
    assert call(world, "REACTIVATE_AGENT", agent.id).status == 400


def test_a_drain_is_confirmed_and_told_only_when_it_is_durable() -> None:
    world, framework, agent = working()
    framework.offer()
    world.slow_store = True
    asked = {"type": "DRAIN_AGENT", "drain_agent": {"agent_id": {"value": agent.id}}}
    request = world.post("/api/v1", asked)
    assert request not in world.answers and not agent.stream.of("DRAIN")
    assert framework.offers() and state_of(world, agent) is None
    world.settle()
    assert world.answers[request].status == 200 and agent.stream.of("DRAIN")
    assert not framework.offers()


def test_an_agent_that_returns_is_told_again_that_it_drains() -> None:
    world, framework, agent = working()
    call(world, "DRAIN_AGENT", agent.id, mark_gone=True)
    world.leave(agent.request)
    back(agent, framework, agent.report(framework))
    assert agent.stream.of("SUBSCRIBED")[0]["drain"] == {"mark_gone": True}
    assert state_of(world, agent) == "DRAINING"
    world.leave(agent.request)
    back(agent, framework)  # it reports nothing: the task is asked for
    assert state_of(world, agent) == "DRAINING"
    agent.update(framework, "t1", "TASK_DROPPED")
    framework.acknowledge(framework.updates()[-1])
    assert not world.read("/slaves")["slaves"]


def test_an_unreachable_agent_can_be_drained_and_is_when_it_returns() -> None:
    world, framework, agent = working()
    agent.answers_pings = False
    world.wait(120)
    assert call(world, "DRAIN_AGENT", agent.id).status == 200
    agent.answers_pings = True
    back(agent, framework, agent.report(framework))
    assert agent.stream.of("SUBSCRIBED")[0]["drain"] == {"mark_gone": False}
    assert state_of(world, agent) == "DRAINING"
    world.wait(10)
    assert not framework.offers()
    end_task(framework, agent)
    assert state_of(world, agent) == "DRAINED"


def test_a_draining_agent_that_was_lost_still_drains_when_it_returns() -> None:
    world, framework, agent = working()
    call(world, "DRAIN_AGENT", agent.id)
    agent.answers_pings = False
    world.wait(120)
    agent.answers_pings = True
    back(agent, framework, agent.report(framework))
    assert state_of(world, agent) == "DRAINING"


def test_a_new_leader_goes_on_draining() -> None:
    world, framework, agent = working()
    call(world, "DRAIN_AGENT", agent.id)
    following = world.next_master()
    for peer in (framework, agent):
        peer.world = following
    following.when_pinged.append(agent.pong)
    framework.subscribe()
    back(agent, framework, agent.report(framework))
    assert agent.stream.of("SUBSCRIBED")[0]["drain"] == {"mark_gone": False}
    end_task(framework, agent)
    assert state_of(following, agent) == "DRAINED"
    third = following.next_master()
    agent.world = third
    agent.subscribe(capabilities=ABLE)
    assert state_of(third, agent) == "DRAINED"
    assert call(third, "REACTIVATE_AGENT", agent.id).status == 200


def test_draining_again_tells_the_new_grace() -> None:
    world, _, agent = working()
    call(world, "DRAIN_AGENT", agent.id)
    call(world, "DRAIN_AGENT", agent.id, max_grace_period={"seconds": 1})
    assert [body["config"].get("max_grace_period") for body in agent.stream.of("DRAIN")] == [
        None, {"nanoseconds": 1_000_000_000},
    ]  # fmt: skip


def test_what_can_not_be_drained_is_refused() -> None:
    world, _, agent = working()
    unable = AgentPeer(world, "b").subscribe(capabilities=[])
    assert call(world, "DRAIN_AGENT", "nobody").status == 400
    assert b"not capable" in bytes(call(world, "DRAIN_AGENT", unable.id).body)  # type: ignore[arg-type]
    negative = call(world, "DRAIN_AGENT", agent.id, max_grace_period={"seconds": -1})
    assert negative.status == 400
    window = {
        "machine_ids": [{"hostname": "a", "ip": "10.1.0.97"}],
        "unavailability": {"start": {"nanoseconds": 5}},
    }
    world.post("/maintenance/schedule", {"windows": [window]})
    refused = call(world, "DRAIN_AGENT", agent.id)
    assert (refused.status, refused.body) == (400, b"Agent is part of a maintenance schedule")


def test_an_agent_that_is_being_marked_gone_is_not_drained() -> None:
    world, _, agent = working()
    world.slow_store = True
    gone = {"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": agent.id}}}
    world.post("/api/v1", gone)
    assert call(world, "DRAIN_AGENT", agent.id).status == 409
    assert call(world, "DEACTIVATE_AGENT", agent.id).status == 409
    world.settle()
    assert call(world, "DRAIN_AGENT", agent.id).status == 400


def test_marking_gone_twice_is_confirmed_twice() -> None:
    world, framework, agent = working()
    assert call(world, "MARK_AGENT_GONE", agent.id).status == 200
    assert call(world, "MARK_AGENT_GONE", agent.id).status == 200
    assert framework.states() == [RUNNING, "TASK_GONE_BY_OPERATOR"]


# --- deactivating and reactivating ------------------------------------------------------------


def test_a_deactivated_agent_keeps_its_tasks_and_gets_no_more() -> None:
    world, framework, agent = working()
    framework.offer()
    assert call(world, "DEACTIVATE_AGENT", agent.id).status == 200
    assert not framework.offers() and not agent.stream.of("DRAIN")
    world.wait(30)
    assert not framework.offers() and framework.states() == [RUNNING]
    assert shown(world, agent)["deactivated"] and state_of(world, agent) is None
    world.leave(agent.request)
    back(agent, framework, agent.report(framework))
    world.wait(10)
    assert not framework.offers()
    assert call(world, "REACTIVATE_AGENT", agent.id).status == 200
    assert framework.offer()["agent_id"] == {"value": agent.id}
    assert not shown(world, agent)["deactivated"]


def test_a_drained_agent_that_is_reactivated_works_again() -> None:
    world, framework, agent = working()
    call(world, "DRAIN_AGENT", agent.id)
    still = call(world, "REACTIVATE_AGENT", agent.id)
    assert (still.status, still.body) == (400, b"Agent is still in the DRAINING state")
    end_task(framework, agent)
    assert call(world, "REACTIVATE_AGENT", agent.id).status == 200
    assert "drain_info" not in shown(world, agent)
    framework.launch(agent, "t2")
    assert agent.stream.of("RUN_TASK")[-1]["task"]["task_id"] == {"value": "t2"}
    world.leave(agent.request)
    back(agent, framework)
    assert "drain" not in agent.stream.of("SUBSCRIBED")[0]


def test_an_agent_that_is_active_is_not_reactivated() -> None:
    world, _, agent = working()
    refused = call(world, "REACTIVATE_AGENT", agent.id)
    assert (refused.status, refused.body) == (400, b"Agent is not deactivated")
    assert call(world, "REACTIVATE_AGENT", "nobody").status == 400
    assert call(world, "DEACTIVATE_AGENT", "nobody").status == 400
