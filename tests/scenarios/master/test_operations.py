"""Operations: on the pool of an ACCEPT, by operators, told, acknowledged, reconciled, lost."""

import json
from typing import Any

import pytest

from mesosphere.master.core.operations import PENDING_LIMIT
from tests.scenarios.master.peers import AgentPeer, FrameworkPeer, scalar, task
from tests.scenarios.master.world import World, encoded

ROLE = "eng"
DYNAMIC = {"type": "DYNAMIC", "role": ROLE, "principal": "p"}
RESERVED = {"reservations": [DYNAMIC]}
ALL = ("MULTI_ROLE", "RESERVATION_REFINEMENT", "SHARED_RESOURCES", "PARTITION_AWARE")
CAN = {"capabilities": [{"type": "AGENT_OPERATION_FEEDBACK"}]}


def disk(size: float, volume: str = "", shared: bool = False, **more: Any) -> dict[str, Any]:
    found = scalar("disk", size) | RESERVED | more
    if volume:
        found["disk"] = {
            "persistence": {"id": volume, "principal": "p"},
            "volume": {"mode": "RW", "container_path": "data"},
        }
    return found | ({"shared": {}} if shared else {})


def cpu(**changes: Any) -> dict[str, Any]:
    """One CPU, reserved; None takes a field of the reservation away."""
    level = {key: value for key, value in {**DYNAMIC, **changes}.items() if value is not None}
    return scalar("cpus", 1) | {"reservations": [level]}


def operation(kind: str, op: str = "", **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"type": kind, kind.lower(): body}
    return found | ({"id": {"value": op}} if op else {})


def reserve(*resources: Any, op: str = "") -> dict[str, Any]:
    return operation("RESERVE", op, resources=list(resources))


def create(*volumes: Any, op: str = "") -> dict[str, Any]:
    return operation("CREATE", op, volumes=list(volumes))


def launch(*tasks: Any) -> dict[str, Any]:
    return operation("LAUNCH", task_infos=list(tasks))


def start(*capabilities: str, **changes: Any) -> tuple[World, FrameworkPeer, AgentPeer]:
    world = World(**changes).lead()
    framework = FrameworkPeer(
        world, *(capabilities or ALL), roles=[ROLE], principal="p", failover_timeout=100.0
    ).subscribe()
    return world, framework, admit(world)


def admit(world: World, host: str = "a") -> AgentPeer:
    agent = AgentPeer(world, host)
    agent.info["resources"].append(scalar("disk", 1000))
    return agent.subscribe()


def act(framework: FrameworkPeer, *operations: Any, refuse_s: float | None = None) -> None:
    framework.operate([framework.offer()["id"]["value"]], list(operations), refuse_s)


def statuses(framework: FrameworkPeer) -> list[dict[str, Any]]:
    return [body["status"] for body in framework.stream.of("UPDATE_OPERATION_STATUS")]


def amounts(listed: list[dict[str, Any]]) -> list[tuple[str, float, str, str]]:
    """(name, size, role at the top of the stack, volume) of what is listed, ports left out."""
    return sorted(
        (
            each["name"],
            each["scalar"]["value"],
            each["reservations"][-1]["role"] if each.get("reservations") else "*",
            each.get("disk", {}).get("persistence", {}).get("id", ""),
        )
        for each in listed
        if "scalar" in each
    )


def offered(framework: FrameworkPeer) -> list[tuple[str, float, str, str]]:
    return amounts(framework.offer()["resources"])


def total(world: World) -> dict[str, Any]:
    """The agent of `/slaves`."""
    [agent] = world.read("/slaves")["slaves"]
    assert isinstance(agent, dict)
    return agent


# --- in an ACCEPT ---------------------------------------------------------------------------------


def test_reserve_create_and_launch_in_one_accept_reach_the_agent_in_order() -> None:
    _, framework, agent = start()
    using = task("t1", agent, resources=[scalar("cpus", 1), disk(64, "v1")])
    act(framework, reserve(disk(100)), create(disk(64, "v1")), launch(using))
    assert agent.stream.types()[-3:] == ["APPLY_OPERATION", "APPLY_OPERATION", "RUN_TASK"]
    first, second = agent.stream.of("APPLY_OPERATION")
    assert first["operation"] == reserve(disk(100))
    assert first["framework_id"] == second["framework_id"] == {"value": framework.id}
    assert first["operation_uuid"] != second["operation_uuid"]
    assert framework.states() == []


def test_what_was_converted_is_offered_again_at_once_and_the_rest_is_refused() -> None:
    world, framework, _ = start()
    act(framework, reserve(disk(100)), refuse_s=3600)
    assert offered(framework) == [
        ("cpus", 4.0, "*", ""),
        ("disk", 100.0, ROLE, ""),
        ("disk", 900.0, "*", ""),
        ("mem", 1024.0, "*", ""),
    ]
    assert total(world)["reserved_resources"] == {
        ROLE: {"cpus": 0, "gpus": 0, "mem": 0, "disk": 100}
    }
    framework.decline(framework.offer(), 3600)
    world.wait(60)
    assert framework.offers() == []


def test_the_rest_of_an_accept_with_operations_stays_hidden_when_it_is_all_that_is_free() -> None:
    world, framework, agent = start()
    using = task("t1", agent, resources=[disk(100)])
    act(framework, reserve(disk(100)), launch(using), refuse_s=3600)
    world.wait(60)
    assert framework.offers() == []


def test_volumes_come_in_offers_and_go_back_to_disk() -> None:
    _, framework, agent = start()
    act(framework, reserve(disk(100)), create(disk(64, "v1")))
    assert ("disk", 64.0, ROLE, "v1") in offered(framework)
    volumes = [each for each in framework.offer()["resources"] if each.get("disk")]
    assert volumes[0]["disk"] == disk(64, "v1")["disk"]
    assert volumes[0]["allocation_info"] == {"role": ROLE}
    # As an offer writes it, with the allocation.
    act(framework, operation("DESTROY", volumes=volumes))
    assert ("disk", 100.0, ROLE, "") in offered(framework)
    act(framework, operation("UNRESERVE", resources=[disk(100)]))
    assert ("disk", 1000.0, "*", "") in offered(framework)
    assert [each["operation"]["type"] for each in agent.stream.of("APPLY_OPERATION")] == [
        "RESERVE", "CREATE", "DESTROY", "UNRESERVE",
    ]  # fmt: skip


def test_volumes_grow_and_shrink_but_not_again_in_the_same_accept() -> None:
    _, framework, _ = start()
    act(framework, reserve(disk(100)), create(disk(64, "v1")))
    grow = operation("GROW_VOLUME", volume=disk(64, "v1"), addition=disk(10))
    shrink = operation("SHRINK_VOLUME", "op", volume=disk(74, "v1"), subtract={"value": 20})
    act(framework, grow, shrink)
    [status] = statuses(framework)
    assert status["state"] == "OPERATION_ERROR" and "does not contain" in status["message"]
    assert ("disk", 74.0, ROLE, "v1") in offered(framework)
    act(framework, operation("SHRINK_VOLUME", volume=disk(74, "v1"), subtract={"value": 20}))
    assert ("disk", 54.0, ROLE, "v1") in offered(framework)
    assert ("disk", 46.0, ROLE, "") in offered(framework)


def test_a_task_mounts_a_volume_where_it_wants() -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64)), create(disk(64, "v1")))
    elsewhere = disk(64, "v1")
    elsewhere["disk"]["volume"] = {"mode": "RO", "container_path": "elsewhere"}
    act(framework, launch(task("t1", agent, resources=[scalar("cpus", 1), elsewhere])))
    [run] = agent.stream.of("RUN_TASK")
    assert run["task"]["resources"][1]["disk"] == elsewhere["disk"]
    assert total(world)["used_resources"]["disk"] == 64


def test_a_framework_without_refinement_speaks_the_old_format() -> None:
    _, framework, _ = start("MULTI_ROLE")
    act(framework, reserve(scalar("cpus", 1) | {"role": ROLE, "reservation": {"principal": "p"}}))
    reserved = [each for each in framework.offer()["resources"] if each.get("role") == ROLE]
    assert [each["reservation"] for each in reserved] == [{"principal": "p"}]
    assert "reservations" not in reserved[0]


def test_refined_reservations_are_for_those_who_can_read_them() -> None:
    world = World().lead()
    parent = FrameworkPeer(world, "MULTI_ROLE", "RESERVATION_REFINEMENT", roles=["a/b"])
    parent.subscribe()
    agent = AgentPeer(world)
    agent.info["resources"].append(scalar("cpus", 2) | {"role": "a"})
    agent.subscribe()
    stack = [{"type": "STATIC", "role": "a"}, {"type": "DYNAMIC", "role": "a/b"}]
    act(parent, reserve(scalar("cpus", 2) | {"reservations": stack}))
    assert ("cpus", 2.0, "a/b", "") in offered(parent)
    world.leave(parent.request)
    world.wait(1)
    old = FrameworkPeer(world, "MULTI_ROLE", roles=["a/b"]).subscribe()
    assert all(
        each["scalar"]["value"] != 2 for each in old.offer()["resources"] if "scalar" in each
    )


def test_reserved_resources_are_offered_to_the_role_and_below_it_only() -> None:
    world, framework, _ = start()
    act(framework, reserve(scalar("cpus", 4) | RESERVED), refuse_s=0)
    world.leave(framework.request)
    world.wait(1)
    other = FrameworkPeer(world, "MULTI_ROLE", "RESERVATION_REFINEMENT", roles=["other"])
    assert "cpus" not in [name for name, *_ in offered(other.subscribe())]
    other.call("TEARDOWN")
    below = FrameworkPeer(world, "MULTI_ROLE", "RESERVATION_REFINEMENT", roles=["eng/sub"])
    assert ("cpus", 4.0, ROLE, "") in offered(below.subscribe())


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (reserve(scalar("cpus", 5) | RESERVED, op="op"), "does not contain"),
        (reserve(scalar("cpus", 1), op="op"), "is not dynamically reserved"),
        (reserve(scalar("cpus", -1), op="op"), "Invalid resources: resources[0]"),
        (reserve(cpu(role="x"), op="op"),
         "a resource with role 'x', but the resource was allocated to role 'eng'"),
        (reserve(cpu(principal=None), op="op"),
         "with no principal set"),
        (reserve(cpu(principal="q"), op="op"),
         "with principal 'q'"),
        (operation("RESERVE", "op", source=[cpu()], resources=[]), "only allowed in the operator"),
        (operation("UNRESERVE", "op", resources=[cpu()]), "does not contain"),
        (operation("UNRESERVE", "op", resources=[disk(64, "v1")]),
         "cannot be unreserved directly. Please destroy the persistent volume first"),
        (create(disk(64, "v1"), op="op"), "Persistence ID 'v1' is not unique"),
        (create(disk(1, "v2"), disk(1, "v2"), op="op"), "Persistence ID 'v2' is not unique"),
        (create(disk(1), op="op"), "does not have DiskInfo"),
        (create(disk(1, disk={**disk(1, "v2")["disk"], "persistence": {"id": "v2"}}), op="op"),
         "no principal set in 'disk.persistence'"),
        (operation("DESTROY", "op", volumes=[disk(64, "v2")]), "Persistent volumes not found"),
        (operation("GROW_VOLUME", "op", volume=disk(64, "v1"), addition=scalar("disk", 1)),
         "Incompatible resources"),
        (operation("GROW_VOLUME", "op", volume=disk(64, "v1"), addition=disk(0)),
         "must be greater than zero"),
        (operation("SHRINK_VOLUME", "op", volume=disk(64, "v1"), subtract={"value": 64}),
         "must be smaller than the size"),
        (operation("SHRINK_VOLUME", "op", volume=disk(64, "v1"), subtract={"value": 0}),
         "must be greater than zero"),
        (operation("CREATE_DISK", "op", source=scalar("disk", 1), target_type="MOUNT"),
         "'source' is not managed by a resource provider"),
        (operation("DESTROY_DISK", "op", source=disk(1) | {"provider_id": {"value": "x"}}),
         "The resource provider x is not known"),
        ({"type": "UNKNOWN", "id": {"value": "op"}}, "is not an operation on resources"),
        ({"type": "RESERVE", "id": {"value": "op"}}, "Expecting 'reserve' to be present"),
    ],
)  # fmt: skip
def test_a_wrong_operation_is_an_error_and_changes_nothing(wrong: Any, text: str) -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64)), create(disk(64, "v1")))
    before = total(world)["reserved_resources_full"]
    act(framework, wrong, launch(task("t1", agent, resources=[scalar("cpus", 1)])))
    [status] = statuses(framework)
    assert (status["operation_id"], status["state"]) == ({"value": "op"}, "OPERATION_ERROR")
    assert text in status["message"] and status["message"].endswith(f"; on agent {agent.id}")
    assert "uuid" not in status
    assert total(world)["reserved_resources_full"] == before
    assert len(agent.stream.of("APPLY_OPERATION")) == 2 and len(agent.stream.of("RUN_TASK")) == 1
    assert world.read("/metrics/snapshot")["master/operations/error"] == 1


def test_operations_on_offers_that_are_gone_are_errors() -> None:
    _, framework, _ = start()
    framework.operate(["no-offer"], [reserve(disk(1), op="op"), reserve(disk(1))])
    [status] = statuses(framework)
    assert status["state"] == "OPERATION_ERROR" and "invalid offers" in status["message"]


# --- shared volumes -------------------------------------------------------------------------------


def test_a_shared_volume_is_used_by_many_tasks_and_still_offered() -> None:
    world, framework, agent = start()
    shared = disk(64, "v1", shared=True)
    tasks = [task(f"t{n}", agent, resources=[scalar("cpus", 1), shared]) for n in range(3)]
    act(framework, reserve(disk(64)), create(shared), launch(*tasks[:2]), refuse_s=0)
    assert len(agent.stream.of("RUN_TASK")) == 2
    assert ("disk", 64.0, ROLE, "v1") in offered(framework)
    act(framework, launch(tasks[2]), refuse_s=0)
    assert len(agent.stream.of("RUN_TASK")) == 3
    assert total(world)["resources"]["disk"] == 1000
    assert total(world)["used_resources"]["disk"] == 64
    act(framework, operation("DESTROY", "op", volumes=[shared]))
    assert statuses(framework)[-1]["message"].startswith("Persistent volumes in use")
    for number in range(3):
        agent.update(framework, f"t{number}", "TASK_FINISHED")
    assert ("disk", 64.0, ROLE, "v1") in offered(framework)
    act(framework, operation("DESTROY", volumes=[shared]))
    assert ("disk", 64.0, ROLE, "") in offered(framework)


def test_destroying_a_shared_volume_rescinds_the_offers_that_hold_it() -> None:
    world, framework, agent = start()
    act(framework, reserve(disk(64)), create(disk(64, "v1", shared=True)), refuse_s=0)
    held = framework.offer()
    body = {"agent_id": {"value": agent.id}, "volumes": [disk(64, "v1", shared=True)]}
    answer = operate(world, "DESTROY_VOLUMES", **body)
    assert answer.status == 202
    rescinded = [body["offer_id"] for body in framework.stream.of("RESCIND")]
    assert rescinded == [held["id"]]


def test_shared_volumes_are_for_those_who_share() -> None:
    _, framework, _ = start("MULTI_ROLE", "RESERVATION_REFINEMENT")
    act(framework, reserve(disk(64)), create(disk(64, "v1", shared=True), op="op"))
    [status] = statuses(framework)
    assert "no SHARED_RESOURCES capability" in status["message"]


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
    assert operate_read(world, "GET_OPERATIONS") == {"operations": []}
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
    assert operate_read(world, "GET_OPERATIONS") == {"operations": []}


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


def acknowledge(framework: FrameworkPeer, agent: AgentPeer, op: str, uuid: str) -> None:
    framework.call("ACKNOWLEDGE_OPERATION_STATUS", acknowledge_operation_status={
        "agent_id": {"value": agent.id}, "operation_id": {"value": op}, "uuid": uuid,
    })  # fmt: skip


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
    assert operate_read(world, "GET_OPERATIONS") == {"operations": []}
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
    assert operate_read(world, "GET_OPERATIONS") == {"operations": []}
    assert reconcile(framework, ("op", agent.id))[0]["state"] == state


# --- reconciliation -------------------------------------------------------------------------------


def reconcile(framework: FrameworkPeer, *asked: tuple[str, str | None]) -> list[dict[str, Any]]:
    before = len(statuses(framework))
    operations = [
        {"operation_id": {"value": op}} | ({"agent_id": {"value": agent}} if agent else {})
        for op, agent in asked
    ]
    framework.call("RECONCILE_OPERATIONS", reconcile_operations={"operations": operations})
    return statuses(framework)[before:]


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


def operate(world: World, kind: str, **body: Any) -> Any:
    return world.answers[world.post("/api/v1", {"type": kind, kind.lower(): body})]


def operate_read(world: World, kind: str) -> Any:
    answer = world.answers[world.post("/api/v1", {"type": kind})]
    return json.loads(answer.body).get(kind.lower())


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
