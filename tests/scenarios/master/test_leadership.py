"""Who leads: election, recovery, redirects, the end of a term; and operators who follow."""

import json

import msgspec
import pytest

from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.exit_codes import ExitCode
from tests.scenarios.master.peers import FINISHED, AgentPeer, FrameworkPeer, running, started
from tests.scenarios.master.world import World


def test_a_master_stands_for_election_with_what_others_need_to_find_it() -> None:
    world = World()
    [contend] = [each for each in world.log if isinstance(each, do.Contend)]
    assert contend.label == "json.info_"
    info = json.loads(contend.payload)
    assert info["id"] == world.machine.id
    assert info["address"] == {"hostname": "master.test", "ip": "127.0.0.1", "port": 5050}


def test_the_epoch_is_written_before_anything_is_served() -> None:
    world = World()
    world.slow_store = True
    world.lead()
    response = world.ask("GET", "/state")
    assert (response.status, response.body) == (503, b"Master has not finished recovery")
    world.settle()
    assert world.ask("GET", "/state").status == 200


def test_one_that_lost_its_office_ends() -> None:
    world = World().lead().follow()
    assert world.halted is not None and world.halted.code == ExitCode.LEADERSHIP_LOST


def test_one_whose_session_is_lost_ends_if_it_led_and_stands_again_if_not() -> None:
    world = World().lead()
    world.give(on.SessionLost("expired"))
    assert world.halted is not None and world.halted.code == ExitCode.SESSION_LOST
    standby = World().follow()
    standby.give(on.SessionLost("expired"))
    assert (
        standby.halted is None and len([e for e in standby.log if isinstance(e, do.Contend)]) == 2
    )


def test_an_older_leader_can_not_write_any_more() -> None:
    world, framework, _ = started()
    world.next_master()
    framework.info["name"] = "changed"
    framework.ask()
    assert world.halted is not None and world.halted.code == ExitCode.LEADERSHIP_LOST
    assert framework.request not in world.streams


def test_a_registry_that_can_not_be_read_ends_the_master() -> None:
    world = World({"/agents/01": (b"{", 0)}).lead()
    assert world.halted is not None and world.halted.code == ExitCode.STORE_FAILED


def test_a_stop_is_clean() -> None:
    world = World().lead()
    world.give(on.StopRequested())
    assert world.halted is not None and world.halted.code == ExitCode.CLEAN


@pytest.mark.parametrize(
    ("method", "path", "location"),
    [
        ("GET", "/state", "//other.test:5050/state"),
        ("GET", "/master/state.json", "//other.test:5050/master/state"),
        ("POST", "/api/v1/scheduler", "//other.test:5050/api/v1/scheduler"),
        ("POST", "/master/api/v1", "//other.test:5050/master/api/v1"),
        ("POST", "/teardown", "//other.test:5050/teardown"),
        ("GET", "/redirect", "//other.test:5050"),
        ("GET", "/master/redirect", "//other.test:5050"),
    ],
)
def test_a_standby_sends_to_the_leader(method: str, path: str, location: str) -> None:
    world = World().follow()
    response = world.ask(method, path)
    assert (response.status, response.headers["Location"]) == (307, location)


def test_a_standby_keeps_the_query() -> None:
    response = World().follow().ask("GET", "/tasks", limit="1", order="asc")
    assert response.headers["Location"] == "//other.test:5050/tasks?limit=1&order=asc"


def test_nobody_leads() -> None:
    response = World().follow(None).ask("GET", "/state")
    assert (response.status, response.body) == (503, b"No leader elected")


def test_one_that_is_named_leader_by_a_process_before_it_sends_nobody_to_itself() -> None:
    world = World()
    world.follow(msgspec.structs.replace(world.machine.info, id="the one that died"))
    for path in ("/state", "/redirect"):
        response = world.ask("GET", path)
        assert (response.status, response.body) == (503, b"No leader elected"), path


@pytest.mark.parametrize(
    "path",
    ["/health", "/version", "/flags", "/metrics/snapshot", "/metrics", "/files/debug",
     "/master/health", "/master/flags", "/metrics/snapshot.json"],
)  # fmt: skip
def test_a_standby_answers_for_itself(path: str) -> None:
    assert World().follow().ask("GET", path).status == 200


# --- operators ----------------------------------------------------------------------------------


def test_an_operator_hears_the_state_and_then_what_happens() -> None:
    world, framework, agent = running()
    operator = world.post("/api/v1", {"type": "SUBSCRIBE"})
    stream = world.streams[operator]
    assert stream.types() == ["SUBSCRIBED", "HEARTBEAT"]
    state = stream.events[0]["subscribed"]["get_state"]
    assert state["get_tasks"]["tasks"][0]["task_id"] == {"value": "t1"}
    assert state["get_agents"]["agents"][0]["agent_info"]["id"] == {"value": agent.id}
    agent.update(framework, "t1", FINISHED)
    framework.launch(agent, "t2")
    assert stream.types()[2:] == ["TASK_UPDATED", "TASK_ADDED"]
    assert stream.of("TASK_UPDATED")[0]["state"] == FINISHED
    world.wait(16)
    assert stream.types()[-1] == "HEARTBEAT"


def test_the_oldest_of_too_many_operators_is_let_go() -> None:
    world = World(max_operator_subscribers=2).lead()
    streams = [world.post("/api/v1", {"type": "SUBSCRIBE"}) for _ in range(3)]
    assert [world.streams[each].is_open for each in streams] == [False, True, True]


def test_an_operator_who_left_is_not_written_to() -> None:
    world = World().lead()
    world.leave(world.post("/api/v1", {"type": "SUBSCRIBE"}))
    world.wait(60)
    AgentPeer(world).subscribe()
    FrameworkPeer(world).subscribe()
    assert len(world.machine.subscribers) == 0


def test_streams_are_cut_at_a_bound() -> None:
    world, _, _ = started()
    world.post("/api/v1", {"type": "SUBSCRIBE"})
    limits = [each.limit_bytes for each in world.log if isinstance(each, do.StartStream)]
    assert len(limits) == 3 and all(0 < limit <= 65 * 1024 * 1024 for limit in limits)


def test_a_framework_that_was_too_slow_is_treated_as_gone() -> None:
    world, framework, agent = running()
    held = framework.offer()
    world.streams[framework.request].is_open = False
    world.give(on.StreamClosed(framework.request, "the peer left more than 1 bytes unread"))
    agent.update(framework, "t1", FINISHED)
    assert world.machine.state.offers == {}
    framework.subscribe()
    assert framework.offer()["id"] != held["id"]
