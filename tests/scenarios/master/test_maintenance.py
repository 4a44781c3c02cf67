"""Maintenance: planned, told to frameworks, begun, ended; across changes of leader."""

from typing import Any

from mesosphere.kernel.http import Response
from tests.scenarios.master.peers import AgentPeer, FrameworkPeer, running, started
from tests.scenarios.master.world import World

START = {"nanoseconds": 2_000_000_000_000}


def machine(host: str = "a") -> dict[str, str]:
    return {"hostname": host, "ip": f"10.1.0.{ord(host[0])}"}


def window(*hosts: str, start: dict[str, int] = START) -> dict[str, Any]:
    return {
        "machine_ids": [machine(host) for host in hosts],
        "unavailability": {"start": start, "duration": {"nanoseconds": 5}},
    }


def plan(world: World, *windows: dict[str, Any]) -> Response:
    body = {"schedule": {"windows": list(windows)}}
    call = {"type": "UPDATE_MAINTENANCE_SCHEDULE", "update_maintenance_schedule": body}
    return world.answers[world.post("/api/v1", call)]


def begin(world: World, *hosts: str) -> Response:
    call = {
        "type": "START_MAINTENANCE",
        "start_maintenance": {"machines": list(map(machine, hosts))},
    }
    return world.answers[world.post("/api/v1", call)]


def end(world: World, *hosts: str) -> Response:
    call = {"type": "STOP_MAINTENANCE", "stop_maintenance": {"machines": list(map(machine, hosts))}}
    return world.answers[world.post("/api/v1", call)]


def asked(framework: FrameworkPeer) -> list[dict[str, Any]]:
    """The inverse offers that came, in order."""
    return [
        each for body in framework.stream.of("INVERSE_OFFERS") for each in body["inverse_offers"]
    ]


def answer(framework: FrameworkPeer, kind: str, offer: dict[str, Any], **more: Any) -> None:
    body = {"inverse_offer_ids": [offer["id"]], **more}
    framework.call(f"{kind}_INVERSE_OFFERS", **{f"{kind.lower()}_inverse_offers": body})


def statuses(world: World) -> list[dict[str, Any]]:
    [draining] = world.read("/maintenance/status")["draining_machines"]
    return draining.get("statuses", [])  # type: ignore[no-any-return]


# --- planning ---------------------------------------------------------------------------------


def test_offers_say_when_their_agent_will_be_away() -> None:
    world, framework, agent = started()
    earlier = framework.offer()
    assert "unavailability" not in earlier
    assert plan(world, window("a")).status == 200
    [rescinded] = framework.stream.of("RESCIND")
    assert rescinded["offer_id"] == earlier["id"]
    assert framework.offer()["unavailability"] == {"start": START, "duration": {"nanoseconds": 5}}
    assert world.read("/slaves")["slaves"][0]["id"] == agent.id


def test_the_same_plan_again_rescinds_nothing() -> None:
    world, framework, _ = started()
    plan(world, window("a"))
    offer = framework.offer()
    assert plan(world, window("a")).status == 200
    assert framework.offer() == offer


def test_a_plan_is_confirmed_only_when_it_is_durable() -> None:
    world, framework, _ = started()
    framework.offer()
    world.slow_store = True
    request = world.post("/maintenance/schedule", {"windows": [window("a")]})
    assert request not in world.answers
    assert world.read("/maintenance/schedule") == {}
    assert not framework.stream.of("RESCIND")
    world.settle()
    assert world.answers[request].status == 200
    assert len(world.read("/maintenance/schedule")["windows"]) == 1


def test_a_machine_is_its_name_in_any_case_and_its_address() -> None:
    world, framework, _ = started()
    other = {
        "machine_ids": [{"hostname": "A", "ip": "10.1.0.97"}],
        "unavailability": {"start": START},
    }
    plan(world, other)
    assert framework.offer()["unavailability"] == {"start": START}
    wrong = {
        "machine_ids": [{"hostname": "a", "ip": "10.9.9.9"}],
        "unavailability": {"start": START},
    }
    plan(world, wrong)
    assert "unavailability" not in framework.offer()


# --- inverse offers ---------------------------------------------------------------------------


def test_a_framework_with_tasks_is_asked_once_and_its_answer_is_shown() -> None:
    world, framework, agent = running()
    bystander = FrameworkPeer(world, name="bystander").subscribe(suppressed_roles=["*"])
    plan(world, window("a"))
    world.wait(5)
    [offer] = asked(framework)
    assert not asked(bystander)
    assert offer["agent_id"] == {"value": agent.id} and "resources" not in offer
    assert offer["unavailability"]["start"] == START
    assert statuses(world) == []
    answer(framework, "ACCEPT", offer, filters={"refuse_seconds": 1000})
    [status] = statuses(world)
    assert status["status"] == "ACCEPT" and status["framework_id"] == {"value": framework.id}
    assert status["timestamp"] == {"nanoseconds": int(world.now * 1e9)}
    world.wait(900)
    assert len(asked(framework)) == 1


def test_a_framework_is_asked_again_when_its_filter_has_passed_or_it_revives() -> None:
    world, framework, _ = running()
    plan(world, window("a"))
    world.wait(1)
    answer(framework, "DECLINE", asked(framework)[0])
    assert statuses(world)[0]["status"] == "DECLINE"
    world.wait(4)
    assert len(asked(framework)) == 1
    world.wait(2)
    assert len(asked(framework)) == 2
    answer(framework, "ACCEPT", asked(framework)[1], filters={"refuse_seconds": 1000})
    framework.call("REVIVE")
    world.wait(2)
    assert len(asked(framework)) == 3
    assert len(statuses(world)) == 1


def test_an_inverse_offer_dies_with_its_plan() -> None:
    world, framework, _ = running()
    plan(world, window("a"))
    world.wait(1)
    [first] = asked(framework)
    plan(world, window("a", start={"nanoseconds": 7}))
    [rescinded] = framework.stream.of("RESCIND_INVERSE_OFFER")
    assert rescinded["inverse_offer_id"] == first["id"]
    world.wait(1)
    assert asked(framework)[-1]["unavailability"]["start"] == {"nanoseconds": 7}
    plan(world)
    assert len(framework.stream.of("RESCIND_INVERSE_OFFER")) == 2
    answer(framework, "ACCEPT", first)  # too late: ignored
    world.wait(5)
    assert len(asked(framework)) == 2


def test_an_unanswered_inverse_offer_times_out_like_an_offer() -> None:
    world, framework, _ = running(offer_timeout_s=20.0)
    plan(world, window("a"))
    world.wait(25)
    first, second = asked(framework)[:2]
    assert [body["inverse_offer_id"] for body in framework.stream.of("RESCIND_INVERSE_OFFER")] == [
        first["id"]
    ]
    assert first["id"] != second["id"]


def test_a_framework_that_failed_over_is_asked_anew() -> None:
    world, framework, _ = running()
    plan(world, window("a"))
    world.wait(1)
    world.leave(framework.request)
    framework.subscribe()
    assert not framework.stream.of("RESCIND_INVERSE_OFFER")
    world.wait(1)
    assert len(asked(framework)) == 1


def test_an_answer_outlives_the_reconnection_of_the_agent() -> None:
    world, framework, agent = running()
    plan(world, window("a"))
    world.wait(1)
    answer(framework, "ACCEPT", asked(framework)[0], filters={"refuse_seconds": 1000})
    world.leave(agent.request)
    agent.subscribe(tasks=[agent.report(framework)], frameworks=[agent.framework(framework)])
    world.wait(5)
    assert len(asked(framework)) == 1 and len(statuses(world)) == 1


# --- down and up ------------------------------------------------------------------------------


def test_a_machine_that_goes_down_takes_its_agents_and_tasks_with_it() -> None:
    world, framework, agent = running()
    other = AgentPeer(world, "b").subscribe()
    plan(world, window("a", "b"))
    assert begin(world, "a").status == 200
    assert agent.stream.types()[-1] == "SHUTDOWN" and not agent.stream.is_open
    last = framework.updates()[-1]
    assert (last["state"], last["reason"]) == ("TASK_LOST", "REASON_AGENT_REMOVED")
    assert framework.stream.of("FAILURE") == [{"agent_id": {"value": agent.id}}]
    assert [each["id"] for each in world.read("/slaves")["slaves"]] == [other.id]
    status = world.read("/maintenance/status")
    assert status["down_machines"] == [machine("a")]
    assert [each["id"] for each in status["draining_machines"]] == [machine("b")]


def test_an_agent_on_a_machine_that_is_down_is_sent_away_until_it_is_up() -> None:
    world, _, agent = started()
    plan(world, window("a"))
    begin(world, "a")
    agent.ask()
    assert agent.stream.types() == ["SHUTDOWN"] and not agent.stream.is_open
    newcomer = AgentPeer(world, "a")
    newcomer.ask()
    assert newcomer.stream.of("SHUTDOWN") == [{"message": "Machine is `DOWN`"}]
    assert end(world, "a").status == 200
    assert world.read("/maintenance/schedule") == {}
    newcomer.subscribe()


def test_an_agent_that_waits_for_the_registry_while_its_machine_goes_down_is_sent_away() -> None:
    world, _, agent = started()
    plan(world, window("a"))
    world.slow_store = True
    world.leave(agent.request)
    begun = world.post("/machine/down", [machine("a")])
    agent.ask()
    world.settle()
    assert world.answers[begun].status == 200
    assert agent.stream.types() == ["SHUTDOWN"]


def test_a_new_leader_knows_the_schedule_and_who_is_down() -> None:
    world, _, _ = started()
    plan(world, window("a", "b"))
    begin(world, "a")
    following = world.next_master()
    assert len(following.read("/maintenance/schedule")["windows"]) == 1
    assert following.read("/maintenance/status")["down_machines"] == [machine("a")]
    refused, welcome = AgentPeer(following, "a"), AgentPeer(following, "b").subscribe()
    refused.ask()
    assert refused.stream.types() == ["SHUTDOWN"]
    framework = FrameworkPeer(following).subscribe()
    assert framework.offer()["unavailability"]["start"] == START
    assert framework.offer()["agent_id"] == {"value": welcome.id}


def test_wrong_changes_are_refused_and_change_nothing() -> None:
    world, _, agent = started()
    assert begin(world, "a").status == 400
    plan(world, window("a"))
    assert end(world, "a").status == 400
    begin(world, "a")
    assert begin(world, "a").status == 400
    assert plan(world).status == 400
    assert len(world.read("/maintenance/schedule")["windows"]) == 1
    assert not agent.stream.is_open
