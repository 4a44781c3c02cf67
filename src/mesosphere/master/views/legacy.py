"""The legacy endpoints' JSON, with the original's keys.

Times are seconds since 1970; "slave" is the wire's word; resources are the compact object.
Source: Mesos, src/master/readonly_handler.cpp, src/common/http.cpp.
"""

from collections.abc import Iterable
from typing import Any

from mesosphere import MESOS_VERSION
from mesosphere.kernel.resources import Resources, compact
from mesosphere.master.core.config import MASTER_CAPABILITIES
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.state import Agent, Framework, Offer, TaskRecord
from mesosphere.wire import mesos
from mesosphere.wire.mesos import codec
from mesosphere.wire.mesos.resources_codec import Format, to_wire

BUILD = {
    "build_date": "2026-11-24 00:00:00",
    "build_time": 1795478400.0,
    "build_user": "mesosphere",
}

COUNTED_STATES = (
    "TASK_STAGING",
    "TASK_STARTING",
    "TASK_RUNNING",
    "TASK_KILLING",
    "TASK_FINISHED",
    "TASK_KILLED",
    "TASK_FAILED",
    "TASK_LOST",
    "TASK_ERROR",
    "TASK_UNREACHABLE",
)


def version() -> dict[str, Any]:
    """`/version`."""
    return {"version": MESOS_VERSION, **BUILD}


def attributes(listed: Iterable[mesos.Attribute]) -> dict[str, Any]:
    """Attributes as a flat object."""
    flat: dict[str, Any] = {}
    for attribute in listed:
        if attribute.scalar is not None:
            flat[attribute.name] = attribute.scalar.value
        elif attribute.text is not None:
            flat[attribute.name] = attribute.text.value
        elif attribute.ranges is not None:
            parts = ", ".join(f"{part.begin}-{part.end}" for part in attribute.ranges.range)
            flat[attribute.name] = f"[{parts}]"
        elif attribute.set is not None:
            flat[attribute.name] = "{" + ", ".join(attribute.set.item) + "}"
    return flat


def status(found: mesos.TaskStatus) -> dict[str, Any]:
    """One entry of a task's statuses."""
    shown: dict[str, Any] = {"state": found.state, "timestamp": found.timestamp or 0.0}
    if found.labels is not None:
        shown["labels"] = codec.to_plain(found.labels.labels)
    if found.container_status is not None:
        shown["container_status"] = codec.to_plain(found.container_status)
    if found.healthy is not None:
        shown["healthy"] = found.healthy
    return shown


def task(record: TaskRecord) -> dict[str, Any]:
    """A task."""
    found = record.task
    shown: dict[str, Any] = {
        "id": found.task_id.value,
        "name": found.name,
        "framework_id": found.framework_id.value,
        "executor_id": "" if found.executor_id is None else found.executor_id.value,
        "slave_id": found.agent_id.value,
        "state": found.state,
        "resources": compact(record.resources),
        "role": record.role,
        "statuses": [status(entry) for entry in found.statuses],
    }
    if found.user is not None:
        shown["user"] = found.user
    if found.labels is not None:
        shown["labels"] = codec.to_plain(found.labels.labels)
    for name in ("discovery", "container", "health_check"):
        value = getattr(found, name)
        if value is not None:
            shown[name] = codec.to_plain(value)
    return shown


def offer(found: Offer) -> dict[str, Any]:
    """An outstanding offer."""
    return {
        "id": found.id,
        "framework_id": found.framework,
        "allocation_info": {"role": found.role},
        "slave_id": found.agent,
        "resources": compact(found.resources),
    }


def agent(found: Agent, full: bool = False) -> dict[str, Any]:
    """An agent; `full` adds the resources in the operator's form (`/slaves`)."""
    reserved = found.total.reserved()
    shown: dict[str, Any] = {
        "id": found.id,
        "hostname": found.info.hostname,
        "port": found.info.port,
        "attributes": attributes(found.info.attributes),
        "pid": found.pid,
        "registered_time": found.registered_at,
        "resources": compact(found.total),
        "used_resources": compact(found.used),
        "offered_resources": compact(found.offered),
        "reserved_resources": {role: compact(part) for role, part in reserved.items()},
        "unreserved_resources": compact(found.total.unreserved()),
        "active": found.is_connected and found.is_active,
        "deactivated": not found.is_active,
        "version": found.version,
        "capabilities": list(found.capabilities),
    }
    if found.reregistered_at is not None:
        shown["reregistered_time"] = found.reregistered_at
    if found.info.domain is not None:
        shown["domain"] = codec.to_plain(found.info.domain)
    if found.drain is not None:
        shown["drain_info"] = codec.to_plain(found.drain)
    if found.drain_began_at is not None:
        shown["estimated_drain_start_time_seconds"] = found.drain_began_at
    if full:
        shown["reserved_resources_full"] = {role: _full(part) for role, part in reserved.items()}
        shown["unreserved_resources_full"] = _full(found.total.unreserved())
        shown["used_resources_full"] = _full(found.used)
        shown["offered_resources_full"] = _full(found.offered)
    return shown


def _full(resources: Resources) -> Any:
    return codec.to_plain(to_wire(resources, Format.BOTH))


def recovered_agents(master: MasterMachine) -> list[dict[str, Any]]:
    """Agents of an earlier leader that have not come back yet."""
    return [
        {
            "id": agent_id,
            "hostname": info.hostname,
            "port": info.port,
            "attributes": attributes(info.attributes),
        }
        for agent_id, info in master.state.recovered.items()
    ]


def framework(found: Framework, with_tasks: bool = True) -> dict[str, Any]:
    """A framework."""
    info = found.info
    used, offered = found.used, found.offered
    shown: dict[str, Any] = {
        "id": found.id,
        "name": info.name,
        "used_resources": compact(used),
        "offered_resources": compact(offered),
        "capabilities": [entry.type for entry in info.capabilities if entry.type],
        "hostname": info.hostname or "",
        "webui_url": info.webui_url or "",
        "active": found.is_connected,
        "connected": found.is_connected,
        "recovered": found.is_recovered,
        "user": info.user,
        "failover_timeout": info.failover_timeout,
        "checkpoint": info.checkpoint,
        "registered_time": found.registered_at,
        "unregistered_time": found.unregistered_at,
        "resources": compact(used + offered),
    }
    if info.principal is not None:
        shown["principal"] = info.principal
    if found.reregistered_at is not None:
        shown["reregistered_time"] = found.reregistered_at
    if found.has("MULTI_ROLE"):
        shown["roles"] = list(info.roles)
    else:
        shown["role"] = info.role or "*"
    if info.labels is not None:
        shown["labels"] = codec.to_plain(info.labels.labels)
    if with_tasks:
        shown["tasks"] = [task(record) for record in found.tasks.values()]
        shown["unreachable_tasks"] = [task(record) for record in found.unreachable.values()]
        shown["completed_tasks"] = [task(record) for record in found.completed]
        shown["offers"] = [offer(entry) for entry in found.offers.values()]
        shown["executors"] = []
    return shown


def executors(master: MasterMachine, framework_id: str) -> list[dict[str, Any]]:
    """The custom executors of a framework, with their agents."""
    return [
        {
            "executor_id": executor_id,
            "name": info.name or "",
            "framework_id": framework_id,
            "command": {} if info.command is None else codec.to_plain(info.command),
            "slave_id": found.id,
        }
        for found in master.state.agents.values()
        for (owner, executor_id), info in found.executors.items()
        if owner == framework_id
    ]


def _framework_with_executors(master: MasterMachine, found: Framework) -> dict[str, Any]:
    return {**framework(found), "executors": executors(master, found.id)}


def state(master: MasterMachine) -> dict[str, Any]:
    """`/state`."""
    known = master.state
    leader = master.leader or master.info
    shown: dict[str, Any] = {
        **version(),
        "start_time": master.started_at,
        "elected_time": master.elected_at,
        "id": master.id,
        "pid": master.info.pid,
        "hostname": master.info.hostname,
        "capabilities": list(MASTER_CAPABILITIES),
        "activated_slaves": sum(1 for found in known.agents.values() if found.is_connected),
        "deactivated_slaves": sum(1 for found in known.agents.values() if not found.is_connected),
        "unreachable_slaves": len(known.unreachable),
        "leader": leader.pid,
        "leader_info": {
            "id": leader.id,
            "pid": leader.pid,
            "port": leader.port,
            "hostname": leader.hostname,
        },
        "flags": master.config.flags,
        "slaves": [agent(found) for found in known.agents.values()],
        "recovered_slaves": recovered_agents(master),
        "frameworks": [
            _framework_with_executors(master, found) for found in known.frameworks.values()
        ],
        "completed_frameworks": [framework(found) for found in known.completed.values()],
        "orphan_tasks": [],
        "unregistered_frameworks": [],
    }
    if master.config.cluster is not None:
        shown["cluster"] = master.config.cluster
    return shown


def _counts(records: Iterable[TaskRecord]) -> dict[str, int]:
    counts = dict.fromkeys(COUNTED_STATES, 0)
    for record in records:
        if record.task.state in counts:
            counts[record.task.state] += 1
    return counts


def state_summary(master: MasterMachine) -> dict[str, Any]:
    """`/state-summary`."""
    known = master.state
    shown: dict[str, Any] = {"hostname": master.info.hostname}
    if master.config.cluster is not None:
        shown["cluster"] = master.config.cluster
    ended: dict[str, list[TaskRecord]] = {}
    for found in known.frameworks.values():
        for record in (*found.completed, *found.unreachable.values()):
            ended.setdefault(record.task.agent_id.value, []).append(record)
    shown["slaves"] = [
        {
            **agent(found),
            **_counts([*found.tasks.values(), *ended.get(found.id, ())]),
            "framework_ids": list(dict.fromkeys(key[0] for key in found.tasks)),
        }
        for found in known.agents.values()
    ]
    shown["frameworks"] = [
        {
            **framework(found, with_tasks=False),
            **_counts([*found.tasks.values(), *found.completed, *found.unreachable.values()]),
            "slave_ids": list(
                dict.fromkeys(record.task.agent_id.value for record in found.tasks.values())
            ),
        }
        for found in known.frameworks.values()
    ]
    return shown


def tasks(
    master: MasterMachine,
    limit: int,
    offset: int,
    ascending: bool,
    framework_id: str | None,
    task_id: str | None,
) -> dict[str, Any]:
    """`/tasks`: all tasks in order of their first status."""
    found = [
        record
        for owner in (*master.state.frameworks.values(), *master.state.completed.values())
        if framework_id is None or owner.id == framework_id
        for record in (*owner.tasks.values(), *owner.unreachable.values(), *owner.completed)
        if task_id is None or record.task.task_id.value == task_id
    ]
    found.sort(key=_first_timestamp, reverse=not ascending)
    return {"tasks": [task(record) for record in found[offset : offset + limit]]}


def _first_timestamp(record: TaskRecord) -> float:
    statuses = record.task.statuses
    return statuses[0].timestamp or 0.0 if statuses else 0.0
