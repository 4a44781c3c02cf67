"""Words for tests of operations: a framework of the role "eng", resources, operations, answers."""

import json
from typing import Any

from tests.scenarios.master.peers import AgentPeer, FrameworkPeer, scalar
from tests.scenarios.master.world import World

ROLE = "eng"
DYNAMIC = {"type": "DYNAMIC", "role": ROLE, "principal": "p"}
RESERVED = {"reservations": [DYNAMIC]}
ALL = ("MULTI_ROLE", "RESERVATION_REFINEMENT", "SHARED_RESOURCES", "PARTITION_AWARE")


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


def acknowledge(framework: FrameworkPeer, agent: AgentPeer, op: str, uuid: str) -> None:
    framework.call("ACKNOWLEDGE_OPERATION_STATUS", acknowledge_operation_status={
        "agent_id": {"value": agent.id}, "operation_id": {"value": op}, "uuid": uuid,
    })  # fmt: skip


def reconcile(framework: FrameworkPeer, *asked: tuple[str, str | None]) -> list[dict[str, Any]]:
    before = len(statuses(framework))
    operations = [
        {"operation_id": {"value": op}} | ({"agent_id": {"value": agent}} if agent else {})
        for op, agent in asked
    ]
    framework.call("RECONCILE_OPERATIONS", reconcile_operations={"operations": operations})
    return statuses(framework)[before:]


def operate(world: World, kind: str, **body: Any) -> Any:
    return world.answers[world.post("/api/v1", {"type": kind, kind.lower(): body})]


def operate_read(world: World, kind: str) -> Any:
    answer = world.answers[world.post("/api/v1", {"type": kind})]
    return json.loads(answer.whole).get(kind.lower())
