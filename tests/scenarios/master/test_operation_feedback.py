"""Operations afterwards: told, acknowledged, lost, reconciled; and those of operators."""

import pytest

from mesosphere.master.core.operations import PENDING_LIMIT
from tests.scenarios.master.operating import (
    ALL,
    RESERVED,
    ROLE,
    acknowledge,
    act,
    admit,
    create,
    disk,
    launch,
    offered,
    operate,
    operate_read,
    reconcile,
    reserve,
    start,
    statuses,
    total,
)
from tests.scenarios.master.peers import AgentPeer, FrameworkPeer, scalar, task
from tests.scenarios.master.world import World, encoded

# --- feedback -------------------------------------------------------------------------------------


def test_a_status_is_told_with_a_uuid_and_forgotten_once_acknowledged() -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64), op="op"))
    [applied] = agent.stream.of("APPLY_OPERATION")
    [record] = operate_read(world, "GET_OPERATIONS")["operations"]
    assert record["latest_status"]["state"] == "OPERATION_PENDING"
    assert record["uuid"] == applied["operation_uuid"] and record["info"]["type"] == "RESERVE"
    assert world.read("/metrics/snapshot")["master/operations/reserve/pending"] == 1
    sent = agent.answer_operation(applied)
    [status] = statuses(framework)
    assert status == {
        "operation_id": {"value": "op"}, "state": "OPERATION_FINISHED", "uuid": sent["uuid"],
        "agent_id": {"value": agent.id},
    }  # fmt: skip
    acknowledge(framework, agent, "op", sent["uuid"]["value"])
    [told] = agent.stream.of("ACKNOWLEDGE_OPERATION")
    assert told == {"operation_uuid": applied["operation_uuid"], "status_uuid": sent["uuid"]}
    assert operate_read(world, "GET_OPERATIONS") == {}
    metrics = world.read("/metrics/snapshot")
    assert metrics["master/operations/finished"] == 1
    assert metrics["master/operations/reserve/finished"] == 1
    assert metrics["master/operations/pending"] == 0


def test_a_repeated_status_is_told_again_and_counted_once() -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64), op="op"))
    [applied] = agent.stream.of("APPLY_OPERATION")
    for _ in range(3):
        agent.answer_operation(applied, uuid=b"u" * 16)
    assert len(statuses(framework)) == 3
    assert world.read("/metrics/snapshot")["master/operations/finished"] == 1
    [record] = operate_read(world, "GET_OPERATIONS")["operations"]
    assert len(record["statuses"]) == 1


def test_operations_without_an_id_are_acknowledged_by_the_master() -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64)))
    [applied] = agent.stream.of("APPLY_OPERATION")
    sent = agent.answer_operation(applied)
    assert statuses(framework) == []
    [told] = agent.stream.of("ACKNOWLEDGE_OPERATION")
    assert told["status_uuid"] == sent["uuid"]
    assert operate_read(world, "GET_OPERATIONS") == {}


def test_a_status_nobody_waits_for_is_acknowledged_so_that_it_is_not_repeated() -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64), op="op"))
    [applied] = agent.stream.of("APPLY_OPERATION")
    framework.call("TEARDOWN")
    agent.answer_operation(applied)
    assert len(agent.stream.of("ACKNOWLEDGE_OPERATION")) == 1
    agent.answer_operation({"operation_uuid": {"value": encoded(b"x" * 16)}})
    assert len(agent.stream.of("ACKNOWLEDGE_OPERATION")) == 2
    assert world.read("/metrics/snapshot")["master/invalid_operation_status_updates"] == 1


@pytest.mark.parametrize("what", ["uuid", "agent", "operation"])
def test_a_wrong_acknowledgement_goes_nowhere(what: str) -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64), op="op"))
    sent = agent.answer_operation(agent.stream.of("APPLY_OPERATION")[0])
    other = admit(world, "b") if what == "agent" else agent
    uuid = encoded(b"w" * 16) if what == "uuid" else sent["uuid"]["value"]
    acknowledge(framework, other, "no" if what == "operation" else "op", uuid)
    assert agent.stream.of("ACKNOWLEDGE_OPERATION") == []
    name = "master/invalid_operation_status_update_acknowledgements"
    assert world.read("/metrics/snapshot")[name] == 1
    acknowledge(framework, agent, "op", sent["uuid"]["value"])
    assert len(agent.stream.of("ACKNOWLEDGE_OPERATION")) == 1


def test_an_agent_without_feedback_refuses_ids_and_takes_the_rest() -> None:
    world = World().lead()
    framework = FrameworkPeer(world, *ALL, roles=[ROLE], principal="p").subscribe()
    agent = AgentPeer(world)
    agent.info["resources"].append(scalar("disk", 1000))
    agent.subscribe(capabilities=[])
    act(framework, reserve(disk(64), op="op"), reserve(disk(64)))
    [status] = statuses(framework)
    assert "required AGENT_OPERATION_FEEDBACK capability" in status["message"]
    assert len(agent.stream.of("APPLY_OPERATION")) == 1


def test_an_id_is_used_once_at_a_time() -> None:
    _, framework, agent = start()
    act(framework, reserve(disk(64), op="op"), reserve(disk(64), op="op"))
    [status] = statuses(framework)
    assert "Operation has duplicate ID: op" in status["message"]
    assert len(agent.stream.of("APPLY_OPERATION")) == 1


def test_operations_that_nobody_acknowledges_are_bounded() -> None:
    _, framework, agent = start()
    act(framework, *[reserve(disk(0.001), op=f"op{n}") for n in range(PENDING_LIMIT + 1)])
    assert len(agent.stream.of("APPLY_OPERATION")) == PENDING_LIMIT
    assert [status["state"] for status in statuses(framework)] == ["OPERATION_ERROR"]


# --- agents come back, or not ---------------------------------------------------------------------


def test_an_agent_that_returns_brings_its_reservations_and_operations() -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64), op="op"), create(disk(64, "v1"), op="op2"))
    first, second = agent.stream.of("APPLY_OPERATION")
    for master in (world, world.next_master()):
        if master is not world:
            agent.move_to(master)
            framework.world = master
            framework.subscribe()
        agent.subscribe(
            total_resources=[scalar("cpus", 4), scalar("disk", 936), disk(64, "v1")],
            operations=[
                {"uuid": each["operation_uuid"], "info": each["operation"],
                 "framework_id": {"value": framework.id},
                 "latest_status": {"state": "OPERATION_PENDING"}}
                for each in (first, second)
            ],
        )  # fmt: skip
        assert agent.stream.of("RECONCILE_OPERATIONS") == []
        assert ("disk", 64.0, ROLE, "v1") in offered(framework)
        agent.answer_operation(first, uuid=b"1" * 16)
        assert statuses(framework)[-1]["operation_id"] == {"value": "op"}


def test_an_agent_is_asked_for_the_operations_that_it_never_got() -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64), op="op"))
    [applied] = agent.stream.of("APPLY_OPERATION")
    agent.subscribe(total_resources=agent.info["resources"])
    assert total(world)["reserved_resources"] == {}
    [asked] = agent.stream.of("RECONCILE_OPERATIONS")
    assert asked == {"operations": [applied["operation_uuid"]]}
    sent = agent.answer_operation(applied, "OPERATION_DROPPED")
    assert statuses(framework)[-1]["state"] == "OPERATION_DROPPED"
    acknowledge(framework, agent, "op", sent["uuid"]["value"])
    assert operate_read(world, "GET_OPERATIONS") == {}
    assert world.read("/metrics/snapshot")["master/operations/dropped"] == 1


def test_tasks_on_volumes_are_charged_when_their_agent_returns() -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64)), create(disk(64, "v1")))
    elsewhere = disk(64, "v1")
    elsewhere["disk"]["volume"]["container_path"] = "elsewhere"
    report = agent.report(framework)
    report["task"]["resources"] = [scalar("cpus", 1), elsewhere]
    agent.subscribe(
        total_resources=[scalar("cpus", 4), scalar("disk", 936), disk(64, "v1")],
        frameworks=[agent.framework(framework)], tasks=[report],
    )  # fmt: skip
    assert total(world)["used_resources"]["disk"] == 64
    world.wait(6)
    assert offered(framework) == [("cpus", 3.0, "*", ""), ("disk", 936.0, "*", "")]


@pytest.mark.parametrize(
    ("way", "state"),
    [("silent", "OPERATION_UNREACHABLE"), ("gone", "OPERATION_GONE_BY_OPERATOR"),
     ("left", "OPERATION_UNKNOWN")],
)  # fmt: skip
def test_the_operations_of_a_lost_agent_are_told_of_once(way: str, state: str) -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64), op="op"), reserve(disk(64)))
    if way == "silent":
        agent.answers_pings = False
        world.wait(100)
    elif way == "gone":
        operate(world, "MARK_AGENT_GONE", agent_id={"value": agent.id})
    else:
        agent.call("UNREGISTER")
    [status] = statuses(framework)
    assert (status["state"], status["operation_id"]) == (state, {"value": "op"})
    assert "uuid" not in status
    assert operate_read(world, "GET_OPERATIONS") == {}
    assert reconcile(framework, ("op", agent.id))[0]["state"] == state


# --- reconciliation -------------------------------------------------------------------------------


def test_reconciliation_answers_with_what_is_true() -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64), op="op"))
    [known] = reconcile(framework)
    assert (known["state"], known["operation_id"]) == ("OPERATION_PENDING", {"value": "op"})
    agent.answer_operation(agent.stream.of("APPLY_OPERATION")[0])
    [known] = reconcile(framework, ("op", agent.id))
    assert known["state"] == "OPERATION_FINISHED" and "uuid" not in known
    answers = reconcile(framework, ("no", agent.id), ("no", None), ("no", "stranger"))
    assert [each["state"] for each in answers] == ["OPERATION_UNKNOWN"] * 3
    after = world.next_master()
    framework.world = after
    framework.subscribe()
    answers = reconcile(framework, ("op", agent.id), ("op", None))
    assert [each["state"] for each in answers] == ["OPERATION_RECOVERING"] * 2


# --- operators ------------------------------------------------------------------------------------


def test_an_operator_takes_back_only_the_offers_that_he_needs() -> None:
    world, framework, agent = start()
    second = FrameworkPeer(world, *ALL, roles=["other"], principal="q").subscribe()
    act(framework, reserve(disk(900)), launch(task("t1", agent, resources=[scalar("cpus", 1)])))
    world.wait(1)
    held = framework.offers() + second.offers()
    body = {"agent_id": {"value": agent.id}, "resources": [scalar("cpus", 2) | RESERVED]}
    assert operate(world, "RESERVE_RESOURCES", **body).status == 202
    rescinded = framework.stream.of("RESCIND") + second.stream.of("RESCIND")
    assert 0 < len(rescinded) <= len(held)
    assert total(world)["reserved_resources"][ROLE]["cpus"] == 2
    applied = agent.stream.of("APPLY_OPERATION")[-1]
    assert "framework_id" not in applied
    agent.answer_operation(applied)
    assert len(agent.stream.of("ACKNOWLEDGE_OPERATION")) == 1


def test_an_operator_who_asks_in_vain_takes_no_offer_back() -> None:
    world, framework, agent = start()
    framework.offer()
    body = {"agent_id": {"value": agent.id}, "resources": [scalar("cpus", 40) | RESERVED]}
    answer = operate(world, "RESERVE_RESOURCES", **body)
    assert answer.status == 409 and b"lacks" in answer.body
    assert framework.stream.of("RESCIND") == []


def test_an_operator_reserves_from_one_role_to_another_in_one_step() -> None:
    world, _, agent = start()
    other = {"reservations": [{"type": "DYNAMIC", "role": "ops", "principal": "q"}]}
    name = {"agent_id": {"value": agent.id}}
    assert (
        operate(world, "RESERVE_RESOURCES", **name, resources=[scalar("mem", 64) | RESERVED]).status
        == 202
    )
    answer = operate(
        world, "RESERVE_RESOURCES", **name,
        source=[scalar("mem", 64) | RESERVED], resources=[scalar("mem", 64) | other],
    )  # fmt: skip
    assert answer.status == 202
    assert list(total(world)["reserved_resources"]) == ["ops"]
    answer = operate(
        world, "RESERVE_RESOURCES", **name,
        source=[scalar("mem", 64) | other], resources=[scalar("mem", 65) | RESERVED],
    )  # fmt: skip
    assert answer.status == 400 and b"identical resource quantities" in answer.body


def test_an_agent_that_is_away_takes_no_operation() -> None:
    world, _, agent = start()
    world.leave(agent.request)
    body = {"agent_id": {"value": agent.id}, "resources": [scalar("cpus", 1) | RESERVED]}
    assert operate(world, "RESERVE_RESOURCES", **body).status == 409


def test_an_agent_is_drained_when_its_operations_are_acknowledged_too() -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64)))
    assert operate(world, "DRAIN_AGENT", agent_id={"value": agent.id}).status == 200
    assert total(world)["drain_info"]["state"] == "DRAINING"
    agent.answer_operation(agent.stream.of("APPLY_OPERATION")[0])
    assert total(world)["drain_info"]["state"] == "DRAINED"
