"""Entries of the legacy endpoints' JSON, with the original's keys: a task, an agent, a framework.

Times are seconds since 1970; "slave" is the wire's word; resources are the compact object.
Source: Mesos, src/master/readonly_handler.cpp, src/common/http.cpp.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from mesosphere.kernel.resources import Resources, compact
from mesosphere.master.core.state import AgentValues, Framework, Offer
from mesosphere.wire import mesos
from mesosphere.wire.mesos import codec
from mesosphere.wire.mesos.resources_codec import Format, from_wire, to_wire

_COMMON_LIMIT = 4_096


_common: dict[int, tuple[object, msgspec.Raw]] = {}
"""The JSON of what many tasks share as one object that never changes, by that object's id."""


def _remember(shared: object, plain: Any) -> tuple[object, msgspec.Raw]:
    """Keep the JSON of an object, and the object, so that its id stays its own."""
    if len(_common) >= _COMMON_LIMIT:
        _common.clear()
    known = _common[id(shared)] = (shared, msgspec.Raw(msgspec.json.encode(plain)))
    return known


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


def task(found: mesos.Task, resources: Resources, role: str) -> dict[str, Any]:
    """A task, what it holds, and who pays."""
    held = _common.get(id(resources)) or _remember(resources, compact(resources))
    shown: dict[str, Any] = {
        "id": found.task_id.value,
        "name": found.name,
        "framework_id": found.framework_id.value,
        "executor_id": "" if found.executor_id is None else found.executor_id.value,
        "slave_id": found.agent_id.value,
        "state": found.state,
        "resources": held[1],
        "role": role,
        "statuses": [status(entry) for entry in found.statuses],
    }
    if found.user is not None:
        shown["user"] = found.user
    labels = found.labels
    if labels is not None:
        known = _common.get(id(labels)) or _remember(labels, codec.to_plain(labels.labels))
        shown["labels"] = known[1]
    if found.limits:
        shown["limits"] = {name: codec.to_plain(most.value) for name, most in found.limits.items()}
    if found.discovery is not None:
        shown["discovery"] = codec.to_plain(found.discovery)
    if found.container is not None:
        shown["container"] = codec.to_plain(found.container)
    if found.health_check is not None:
        shown["health_check"] = codec.to_plain(found.health_check)
    return shown


def executor(found: mesos.ExecutorInfo, agent_id: str, framework_id: str) -> dict[str, Any]:
    """A custom executor on an agent."""
    shown: dict[str, Any] = {
        "executor_id": found.executor_id.value,
        "name": found.name or "",
        "framework_id": framework_id,
        "command": {} if found.command is None else codec.to_plain(found.command),
        "resources": compact(from_wire(found.resources)),
        "slave_id": agent_id,
    }
    roles = [each.allocation_info.role for each in found.resources if each.allocation_info]
    if roles and roles[0] is not None:
        shown["role"] = roles[0]
    if found.labels is not None:
        shown["labels"] = codec.to_plain(found.labels.labels)
    if found.type is not None:
        shown["type"] = found.type
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


def agent(found: AgentValues) -> dict[str, Any]:
    """An agent."""
    reserved = found.total.reserved()
    total = compact(found.total)
    shown: dict[str, Any] = {
        "id": found.id,
        "hostname": found.info.hostname,
        "port": found.info.port,
        "attributes": attributes(found.info.attributes),
        "pid": found.pid,
        "registered_time": found.registered_at,
        "resources": total,
        "used_resources": compact(found.used),
        "offered_resources": compact(found.offered),
        "reserved_resources": {role: compact(part) for role, part in reserved.items()},
        "unreserved_resources": compact(found.total.unreserved()) if reserved else total,
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
    return shown


def full_resources(total: Resources, used: Resources, offered: Resources) -> dict[str, Any]:
    """What `/slaves` adds to an agent: its resources in the operator's form, by who pays."""
    reserved = total.reserved()
    return {
        "reserved_resources_full": {role: _full(part) for role, part in reserved.items()},
        "unreserved_resources_full": _full(total.unreserved()),
        "used_resources_full": _full(used),
        "offered_resources_full": _full(offered),
    }


def _full(resources: Resources) -> Any:
    return codec.to_plain(to_wire(resources, Format.BOTH))


def framework(found: Framework) -> dict[str, Any]:
    """A framework without what it runs and is offered."""
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
    if found.offer_constraints is not None:
        shown["offer_constraints"] = codec.to_plain(found.offer_constraints)
    return shown
