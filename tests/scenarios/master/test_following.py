"""Operators who follow: the snapshot, every event with its whole shape, limits, both encodings."""

from typing import Any

import pytest

from mesosphere.wire.mesos.media import Media
from tests.scenarios.master.peers import AgentPeer, FrameworkPeer, task
from tests.scenarios.master.world import Stream, World


@pytest.fixture(params=list(Media), ids=["json", "protobuf"])
def world(request: pytest.FixtureRequest) -> World:
    return World(speaks=request.param).lead()


def follow(world: World) -> Stream:
    return world.streams[world.post("/api/v1", {"type": "SUBSCRIBE"})]


def test_first_come_everything_and_a_heartbeat_then_one_every_15_seconds(world: World) -> None:
    framework = FrameworkPeer(world, "PARTITION_AWARE").subscribe()
    agent = AgentPeer(world, "a").subscribe()
    framework.launch(agent, "t1")
    stream = follow(world)
    assert stream.types() == ["SUBSCRIBED", "HEARTBEAT"]
    subscribed = stream.events[0]["subscribed"]
    assert subscribed["heartbeat_interval_seconds"] == 15.0
    known = subscribed["get_state"]
    assert [each["name"] for each in known["get_tasks"]["tasks"]] == ["t1"]
    [shown] = known["get_frameworks"]["frameworks"]
    assert shown["framework_info"]["name"] == "test" and shown["active"] and shown["connected"]
    assert shown["allocated_resources"] and shown["registered_time"]["nanoseconds"] > 0
    [shown] = known["get_agents"]["agents"]
    assert shown["pid"] and shown["total_resources"] and shown["capabilities"]
    world.wait(31)
    assert stream.types()[2:].count("HEARTBEAT") == 2


def test_what_happens_is_told_in_order_and_whole(world: World) -> None:
    stream = follow(world)
    framework = FrameworkPeer(world, "PARTITION_AWARE").subscribe()
    agent = AgentPeer(world, "a").subscribe()
    framework.launch(agent, "t1")
    agent.update(framework, "t1", "TASK_RUNNING")
    agent.update(framework, "t1", "TASK_FINISHED")
    framework.subscribe()
    framework.call("TEARDOWN")
    assert [kind for kind in stream.types()[2:] if kind != "HEARTBEAT"] == [
        "FRAMEWORK_ADDED", "AGENT_ADDED", "TASK_ADDED", "TASK_UPDATED", "TASK_UPDATED",
        "FRAMEWORK_UPDATED", "FRAMEWORK_REMOVED",
    ]  # fmt: skip
    [added] = stream.of("FRAMEWORK_ADDED")
    assert added["framework"]["active"] and added["framework"]["framework_info"]["id"]
    [added] = stream.of("AGENT_ADDED")
    assert added["agent"]["agent_info"]["id"]["value"] == agent.id
    assert added["agent"]["total_resources"] and added["agent"]["registered_time"]
    [added] = stream.of("TASK_ADDED")
    assert added["task"]["state"] == "TASK_STAGING" and added["task"]["resources"]
    running, finished = stream.of("TASK_UPDATED")
    assert running["framework_id"]["value"] == framework.id
    assert (running["state"], running["status"]["state"]) == ("TASK_RUNNING", "TASK_RUNNING")
    assert finished["status"]["task_id"]["value"] == "t1"
    [removed] = stream.of("FRAMEWORK_REMOVED")
    assert removed["framework_info"]["name"] == "test"


def test_agent_that_is_lost_is_told_as_removed(world: World) -> None:
    stream = follow(world)
    agent = AgentPeer(world, "a").subscribe()
    world.leave(agent.request)
    world.wait(100)
    assert stream.of("AGENT_REMOVED") == [{"agent_id": {"value": agent.id}}]


def test_tasks_that_an_agent_brings_back_are_told_and_those_known_are_not(world: World) -> None:
    framework = FrameworkPeer(world, "PARTITION_AWARE").subscribe()
    agent = AgentPeer(world, "a").subscribe()
    framework.launch(agent, "t1")
    agent.update(framework, "t1", "TASK_RUNNING")
    stream = follow(world)
    agent.subscribe(tasks=[agent.report(framework)])  # again, while it is known
    assert stream.of("TASK_ADDED") == []
    world.leave(agent.request)
    world.wait(100)
    agent.subscribe(tasks=[agent.report(framework)])
    [added] = stream.of("TASK_ADDED")
    assert added["task"]["name"] == "t1"


def test_repeated_health_is_told_though_the_state_stays(world: World) -> None:
    stream = follow(world)
    framework = FrameworkPeer(world).subscribe()
    agent = AgentPeer(world, "a").subscribe()
    framework.launch(agent, "t1")
    agent.update(framework, "t1", "TASK_RUNNING")
    health: dict[str, Any] = {"reason": "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"}
    agent.update(framework, "t1", "TASK_RUNNING", healthy=True, **health)
    agent.update(framework, "t1", "TASK_RUNNING")
    assert len(stream.of("TASK_UPDATED")) == 2


def test_oldest_follower_makes_room_for_the_newest() -> None:
    world = World(max_operator_subscribers=2).lead()
    first, second, third = (follow(world) for _ in range(3))
    assert (first.is_open, second.is_open, third.is_open) == (False, True, True)
    AgentPeer(world, "a").subscribe()
    assert first.of("AGENT_ADDED") == [] and second.of("AGENT_ADDED") == third.of("AGENT_ADDED")
    world.leave(second.id)
    fourth = follow(world)
    assert third.is_open and fourth.is_open


def test_event_is_encoded_once_for_all_who_read_the_same_encoding() -> None:
    world = World().lead()
    for _ in range(3):
        follow(world)
    world.speaks = Media.PROTOBUF
    for _ in range(3):
        follow(world)
    world.log.clear()
    AgentPeer(world, "a").subscribe()
    records = [each.data for each in world.log if getattr(each, "stream", "") in world.streams]
    told = [data for data in records if b"AGENT_ADDED" in data or b"slave(1)@" in data]
    assert len(told) == 6
    assert len({id(data) for data in told}) == 2


def test_nobody_follows_and_nothing_is_made() -> None:
    world = World().lead()
    framework = FrameworkPeer(world).subscribe()
    agent = AgentPeer(world, "a").subscribe()
    framework.accept(framework.offer(), task("t1", agent))
    assert not world.machine.subscribers
