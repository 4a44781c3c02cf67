"""Operations in an ACCEPT: applied in order on the pool, refused when wrong; shared volumes."""

from typing import Any

import pytest

from tests.scenarios.master.operating import (
    RESERVED,
    ROLE,
    act,
    cpu,
    create,
    disk,
    launch,
    offered,
    operate,
    operation,
    reserve,
    start,
    statuses,
    total,
)
from tests.scenarios.master.peers import AgentPeer, FrameworkPeer, scalar, task
from tests.scenarios.master.world import World

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


def test_tasks_that_come_back_with_a_shared_volume_give_it_back_one_by_one() -> None:
    world, framework, agent = start()
    shared = disk(64, "v1", shared=True)
    held = [scalar("cpus", 1), shared]
    tasks = [task(f"t{number}", agent, resources=held) for number in range(2)]
    act(framework, reserve(disk(64)), create(shared), launch(*tasks), refuse_s=0)
    world.leave(agent.request)
    reports = [agent.report(framework, f"t{number}") for number in range(2)]
    for report in reports:
        report["task"]["resources"] = [each | {"allocation_info": {"role": ROLE}} for each in held]
    agent.subscribe(
        tasks=reports,
        frameworks=[agent.framework(framework)],
        total_resources=[scalar("cpus", 4), scalar("disk", 936), shared],
    )
    client = world.machine.tree.client(ROLE, framework.id)
    assert client is not None
    names = world.machine.tree.names
    for number, left in enumerate((64_000, 0)):
        agent.update(framework, f"t{number}", "TASK_FINISHED")
        assert client.held[names["disk"]] >= left
        assert world.machine.state.agents[agent.id].used.scalar("disk") == left


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


def test_what_is_used_and_offered_says_for_which_role() -> None:
    world, framework, agent = start()
    act(framework, launch(task("t1", agent, resources=[scalar("cpus", 1)])), refuse_s=0)
    world.wait(1)
    shown = total(world)
    for name in ("used_resources_full", "offered_resources_full"):
        assert [each["allocation_info"] for each in shown[name]] == [{"role": ROLE}] * len(
            shown[name]
        )
    assert "allocation_info" not in shown["unreserved_resources_full"][0]


def test_a_task_takes_no_resource_both_for_good_and_revocably() -> None:
    _, framework, agent = start()
    both = [scalar("cpus", 1), scalar("cpus", 1) | {"revocable": {}}]
    act(framework, launch(task("t1", agent, resources=both)))
    [status] = framework.updates()
    assert "both revocable and non-revocable 'cpus'" in status["message"]
