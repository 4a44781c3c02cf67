"""Frameworks: subscribed, refused, failed over, away, updated, removed."""

from typing import Any

import pytest

from mesosphere.kernel import effects as do
from tests.scenarios.master.peers import (
    KILLED,
    RUNNING,
    AgentPeer,
    FrameworkPeer,
    running,
    started,
)
from tests.scenarios.master.world import World


def test_a_subscription_begins_with_subscribed_and_a_heartbeat() -> None:
    world = World().lead()
    framework = FrameworkPeer(world).subscribe()
    body = framework.stream.events[0]["subscribed"]
    assert framework.id == f"{world.machine.id}-0000"
    assert body["heartbeat_interval_seconds"] == 15.0
    assert body["master_info"]["id"] == world.machine.id
    assert framework.stream.headers["Content-Type"] == "application/json"
    assert framework.stream.events[1] == {"type": "HEARTBEAT"}


def test_heartbeats_come_every_fifteen_seconds() -> None:
    world = World().lead()
    framework = FrameworkPeer(world).subscribe()
    world.wait(60.5)
    assert framework.stream.types().count("HEARTBEAT") == 1 + 4


def test_nobody_is_subscribed_before_it_is_durable() -> None:
    world = World().lead()
    world.slow_store = True
    framework = FrameworkPeer(world)
    framework.ask()
    AgentPeer(world).ask()
    assert not world.streams
    world.wait(20)  # cycles and heartbeats meanwhile
    assert not world.streams
    world.settle()
    assert framework.stream.types()[:2] == ["SUBSCRIBED", "HEARTBEAT"]


REFUSED: list[tuple[dict[str, Any], tuple[str, ...], str]] = [
    ({"role": "a", "roles": ["a"]}, ("MULTI_ROLE",), "role' must not be set"),
    ({"roles": ["a", "a"]}, ("MULTI_ROLE",), "duplicate"),
    ({"roles": ["a"]}, (), "roles' must not be set"),
    ({"role": "a/"}, (), "slash"),
    ({"role": "/a"}, (), "slash"),
    ({"role": "a//b"}, (), "slashes"),
    ({"role": "a/./b"}, (), "component"),
    ({"role": "a/../b"}, (), "component"),
    ({"role": "a/*"}, (), "component"),
    ({"role": "-a"}, (), "dash"),
    ({"role": "a b"}, (), "whitespace"),
    ({"role": "a\tb"}, (), "whitespace"),
    ({"role": "other"}, (), "Roles { other } are not present in the master's --roles"),
    ({"user": "root"}, (), "User 'root' is not allowed to run frameworks without"),
    ({"failover_timeout": -1.0}, (), "negative"),
]


@pytest.mark.parametrize(("info", "capabilities", "text"), REFUSED)
def test_a_bad_framework_is_told_by_an_error_event_and_the_end(
    info: dict[str, Any], capabilities: tuple[str, ...], text: str
) -> None:
    world = World(roles=("a", "b"), root_submissions=False).lead()
    framework = FrameworkPeer(world, *capabilities, **info)
    framework.ask()
    assert framework.stream.status == 200 and not framework.stream.is_open
    assert framework.stream.types() == ["ERROR"]
    assert text in framework.stream.of("ERROR")[0]["message"]
    assert not world.machine.state.frameworks


def test_suppressed_roles_must_be_roles_of_the_framework() -> None:
    world = World().lead()
    framework = FrameworkPeer(world, role="a")
    framework.ask(suppressed_roles=["b"])
    assert framework.stream.types() == ["ERROR"]


def test_an_id_that_nobody_knows_is_taken() -> None:
    world = World().lead()
    framework = FrameworkPeer(world, id="earlier-0007").subscribe()
    assert framework.id == "earlier-0007"


def test_a_second_subscription_evicts_the_first() -> None:
    _world, framework, agent = running()
    held = framework.offer()
    old = framework.stream
    framework.info["name"] = "renamed"
    framework.info["user"] = "other"
    framework.subscribe()
    told = {"message": "Framework failed over", "reason": "FRAMEWORK_FAILED_OVER"}
    assert old.of("ERROR") == [told] and not old.is_open
    assert "RESCIND" not in old.types()
    info = agent.stream.of("UPDATE_FRAMEWORK")[-1]["framework_info"]
    assert (info["name"], info["user"]) == ("renamed", "nobody")
    assert framework.states() == []
    assert framework.offer()["id"] != held["id"]
    assert framework.reconcile(("t1", None))[0]["state"] == RUNNING


def test_two_subscriptions_that_wait_for_the_store_come_one_after_the_other() -> None:
    world, framework, _ = started()
    first_name = framework.info["name"]
    world.slow_store = True
    framework.info["name"] = "second"
    second = framework.ask()
    framework.info["name"] = "third"
    third = framework.ask()
    world.settle()
    assert world.streams[second].types() == ["SUBSCRIBED", "HEARTBEAT", "ERROR"]
    assert not world.streams[second].is_open and world.streams[third].is_open
    world.wait(2)
    assert world.streams[third].types()[:3] == ["SUBSCRIBED", "HEARTBEAT", "OFFERS"]
    shown = world.read("/frameworks")["frameworks"][0]
    assert (first_name, shown["name"]) == ("test", "third")


def test_a_subscriber_that_left_while_the_store_was_slow_is_disconnected() -> None:
    world = World().lead()
    world.slow_store = True
    framework = FrameworkPeer(world, failover_timeout=30.0)
    request = framework.ask()
    world.leave(request)
    world.settle()
    [known] = world.machine.state.frameworks.values()
    assert not known.is_connected
    world.slow_store = False
    world.wait(31)
    assert not world.machine.state.frameworks


def test_a_framework_that_left_is_refused_calls_until_it_is_back() -> None:
    world, framework, _ = started()
    world.leave(framework.request)
    response = framework.try_call("REVIVE")
    assert (response.status, response.body) == (403, b"Framework is not subscribed")
    framework.subscribe()
    assert framework.try_call("REVIVE").status == 202


def test_a_framework_that_stays_away_is_removed_with_its_tasks() -> None:
    world, framework, agent = running()
    world.leave(framework.request)
    world.wait(99)
    assert framework.id in world.machine.state.frameworks
    world.wait(2)
    assert agent.stream.of("SHUTDOWN_FRAMEWORK") == [{"framework_id": {"value": framework.id}}]
    assert not world.machine.state.frameworks
    [task] = world.read("/frameworks")["completed_frameworks"][0]["completed_tasks"]
    assert task["state"] == KILLED
    framework.ask()
    told = {"message": "Framework has been removed", "reason": "FRAMEWORK_REMOVED"}
    assert framework.stream.of("ERROR") == [told]


def test_a_framework_that_is_back_in_time_keeps_its_tasks() -> None:
    world, framework, agent = running()
    world.leave(framework.request)
    world.wait(99)
    framework.subscribe()
    world.wait(1000)
    assert framework.id in world.machine.state.frameworks
    assert agent.stream.of("SHUTDOWN_FRAMEWORK") == []


def test_a_framework_without_failover_timeout_goes_at_once() -> None:
    world = World().lead()
    framework = FrameworkPeer(world).subscribe()
    world.leave(framework.request)
    world.wait(0)
    assert not world.machine.state.frameworks


def test_coming_back_while_the_failover_timeout_ends_is_in_time() -> None:
    world, framework, _ = started()
    world.leave(framework.request)
    framework.info["name"] = "changed"
    world.wait(95)
    world.slow_store = True
    framework.ask()
    world.wait(10)
    world.settle()
    assert framework.stream.types()[:2] == ["SUBSCRIBED", "HEARTBEAT"]


def test_a_framework_removed_while_it_subscribes_is_told_so() -> None:
    world, framework, _ = started()
    world.slow_store = True
    framework.info["name"] = "changed"
    old = framework.stream
    framework.ask()
    form = f"frameworkId={framework.id}".encode()
    request = world.send("POST", "/teardown", None, {}, form)
    world.settle()
    assert not old.is_open and world.answers[request].status == 200
    told = {"message": "Framework has been removed", "reason": "FRAMEWORK_REMOVED"}
    assert framework.stream.of("ERROR") == [told]


def test_what_a_framework_runs_ends_once_its_removal_is_durable() -> None:
    world, framework, agent = running()
    world.slow_store = True
    world.leave(framework.request)
    world.wait(101)
    assert agent.stream.of("SHUTDOWN_FRAMEWORK") == []
    assert world.machine.state.agents[agent.id].free.scalar("cpus") < 4000
    # It comes too late, though it is still there.
    framework.ask()
    told = {"message": "Framework has been removed", "reason": "FRAMEWORK_REMOVED"}
    assert framework.stream.of("ERROR") == [told]
    world.settle()
    assert agent.stream.of("SHUTDOWN_FRAMEWORK") == [{"framework_id": {"value": framework.id}}]
    assert not any(path.startswith("/frameworks/") for path in world.store)


def test_who_was_deposed_without_noticing_ends_nobodys_tasks() -> None:
    world, framework, agent = running()
    world.leave(framework.request)
    world.store["/epoch"] = (b"another leader's", world.store["/epoch"][1] + 1)
    world.wait(101)
    assert world.halted is not None
    assert agent.stream.of("SHUTDOWN_FRAMEWORK") == []


def test_teardown_ends_the_stream_and_everything_it_ran() -> None:
    world, framework, agent = running()
    operator = world.post("/api/v1", {"type": "SUBSCRIBE"})
    framework.call("TEARDOWN")
    assert not framework.stream.is_open
    assert agent.stream.of("SHUTDOWN_FRAMEWORK") == [{"framework_id": {"value": framework.id}}]
    assert "FRAMEWORK_REMOVED" in world.streams[operator].types()
    assert world.machine.state.agents[agent.id].free.scalar("cpus") == 4000
    assert not any(path.startswith("/frameworks/") for path in world.store)
    assert framework.try_call("REVIVE").body == b"Framework cannot be found"


def test_an_agent_that_was_away_at_the_teardown_is_told_when_it_is_back() -> None:
    world, framework, agent = running()
    world.leave(agent.request)
    framework.call("TEARDOWN")
    report = agent.report(framework)
    agent.subscribe(tasks=[report], frameworks=[agent.framework(framework)])
    assert agent.stream.of("SHUTDOWN_FRAMEWORK") == [{"framework_id": {"value": framework.id}}]


def test_completed_frameworks_are_bounded() -> None:
    world = World(max_completed_frameworks=2).lead()
    peers = [FrameworkPeer(world).subscribe() for _ in range(4)]
    for peer in peers:
        peer.call("TEARDOWN")
    assert list(world.machine.state.completed) == [peer.id for peer in peers[2:]]


# --- a new master -------------------------------------------------------------------------------


def test_the_failover_timeout_outlives_the_master() -> None:
    world, framework, _ = running(agent_reregister_timeout_s=60.0)
    after = world.next_master(agent_reregister_timeout_s=60.0)
    assert list(after.machine.state.frameworks) == [framework.id]
    assert after.read("/frameworks")["frameworks"][0]["recovered"] is True
    after.wait(99)
    assert framework.id in after.machine.state.frameworks
    after.wait(2)
    assert not after.machine.state.frameworks


def test_a_change_of_master_is_not_the_frameworks_absence() -> None:
    """A failover timeout of 0 does not kill everything because the master failed over."""
    world = World().lead()
    framework = FrameworkPeer(world).subscribe()
    agent = AgentPeer(world).subscribe()
    framework.launch(agent)
    agent.update(framework, "t1", RUNNING)
    after = world.next_master()
    framework.world = after
    agent.move_to(after)
    agent.subscribe(tasks=[agent.report(framework)], frameworks=[agent.framework(framework)])
    after.wait(599)
    framework.subscribe()
    assert framework.reconcile(("t1", agent.id))[0]["state"] == RUNNING
    assert agent.stream.of("SHUTDOWN_FRAMEWORK") == []


def test_a_subscription_that_changes_nothing_needs_no_write() -> None:
    world, framework, _ = started()
    after = world.next_master()
    framework.world = after
    before = len([each for each in after.log if isinstance(each, do.Commit)])
    framework.subscribe()
    assert len([each for each in after.log if isinstance(each, do.Commit)]) == before


def test_a_framework_that_only_an_agent_knows_is_recovered_with_its_tasks() -> None:
    _world, framework, agent = running()
    after = World().lead()
    framework.world = after
    agent.move_to(after)
    agent.subscribe(tasks=[agent.report(framework)], frameworks=[agent.framework(framework)])
    framework.subscribe()
    assert framework.reconcile()[0]["state"] == RUNNING


# --- UPDATE_FRAMEWORK ---------------------------------------------------------------------------


def update(framework: FrameworkPeer, **changes: Any) -> Any:
    info = {**framework.info, "id": {"value": framework.id}, **changes}
    return framework.try_call("UPDATE_FRAMEWORK", update_framework={"framework_info": info})


def test_update_framework_is_answered_200_and_told_to_all() -> None:
    world, framework, agent = started()
    operator = world.post("/api/v1", {"type": "SUBSCRIBE"})
    assert update(framework, name="renamed").status == 200
    assert agent.stream.of("UPDATE_FRAMEWORK")[-1]["framework_info"]["name"] == "renamed"
    assert "FRAMEWORK_UPDATED" in world.streams[operator].types()


@pytest.mark.parametrize(
    "changes", [{"user": "other"}, {"checkpoint": True}, {"principal": "x"}, {"role": "a//b"}]
)
def test_update_framework_refuses_what_can_not_change(changes: dict[str, Any]) -> None:
    _, framework, _ = started()
    assert update(framework, **changes).status == 400


def test_a_role_that_was_left_gets_no_more_offers() -> None:
    world = World().lead()
    framework = FrameworkPeer(world, "MULTI_ROLE", roles=["a", "b"], failover_timeout=9.0)
    framework.subscribe(suppressed_roles=["b"])
    agent = AgentPeer(world).subscribe()
    framework.launch(agent)
    agent.update(framework, "t1", RUNNING)
    held = [offer["id"] for offer in framework.offers()][-1:]
    framework.info["roles"] = ["b"]
    assert update(framework).status == 200
    world.wait(20)
    fresh = [offer for offer in framework.offers() if offer["id"] not in held]
    assert fresh and {offer["allocation_info"]["role"] for offer in fresh} == {"b"}
    assert "a" in world.machine.tree.roles()  # the task still counts there
    agent.update(framework, "t1", "TASK_FINISHED")
    assert world.machine.tree.roles() == ["b"]


def test_offers_of_a_role_that_was_left_are_rescinded() -> None:
    world = World().lead()
    framework = FrameworkPeer(world, "MULTI_ROLE", roles=["a"]).subscribe()
    AgentPeer(world).subscribe()
    held = framework.offer()
    assert update(framework, roles=["b"]).status == 200
    assert framework.stream.of("RESCIND") == [{"offer_id": held["id"]}]
    assert framework.offer()["allocation_info"] == {"role": "b"}
