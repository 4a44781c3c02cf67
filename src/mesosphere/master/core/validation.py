"""What is refused before anything is done: calls, roles, tasks.

Texts and order follow the original where clients match them.
Source: Mesos, src/master/validation.cpp, src/common/roles.cpp, src/common/validation.cpp.
"""

import re
from typing import NamedTuple

from mesosphere.kernel.conversions import as_held
from mesosphere.kernel.ids import check_id
from mesosphere.kernel.resources import Resources
from mesosphere.master.core.state import Agent, Framework
from mesosphere.wire import mesos
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import scheduler
from mesosphere.wire.mesos.resources_codec import from_wire

UUID_BYTES = 16

_BODIES = {
    "SUBSCRIBE": "subscribe",
    "ACCEPT": "accept",
    "DECLINE": "decline",
    "ACCEPT_INVERSE_OFFERS": "accept_inverse_offers",
    "DECLINE_INVERSE_OFFERS": "decline_inverse_offers",
    "KILL": "kill",
    "SHUTDOWN": "shutdown",
    "ACKNOWLEDGE": "acknowledge",
    "ACKNOWLEDGE_OPERATION_STATUS": "acknowledge_operation_status",
    "RECONCILE": "reconcile",
    "RECONCILE_OPERATIONS": "reconcile_operations",
    "MESSAGE": "message",
    "REQUEST": "request",
    "UPDATE_FRAMEWORK": "update_framework",
}
"""Calls that need a body, by field."""

BODYLESS = ("TEARDOWN", "REVIVE", "SUPPRESS")


def check_call(call: scheduler.Call) -> str | None:
    """What is wrong with a scheduler call by itself; None if nothing."""
    kind = call.type
    if kind not in _BODIES and kind not in BODYLESS:
        return f"Unknown call type '{kind}'"
    field = _BODIES.get(kind)
    if field is not None and getattr(call, field) is None:
        return f"Expecting '{field}' to be present"
    if kind == "SUBSCRIBE":
        assert call.subscribe is not None
        inner = call.subscribe.framework_info.id
        if inner != call.framework_id and (inner or call.framework_id) is not None:
            return "'framework_id' differs from 'subscribe.framework_info.id'"
        return None
    if call.framework_id is None:
        return "Expecting 'framework_id' to be present"
    acknowledged: scheduler.Acknowledge | scheduler.AcknowledgeOperationStatus | None
    acknowledged = call.acknowledge if kind == "ACKNOWLEDGE" else None
    if kind == "ACKNOWLEDGE_OPERATION_STATUS":
        assert call.acknowledge_operation_status is not None
        if call.acknowledge_operation_status.agent_id is None:
            return "Expecting 'agent_id' to be present"
        acknowledged = call.acknowledge_operation_status
    if acknowledged is not None and len(acknowledged.uuid) != UUID_BYTES:
        return f"Not a valid UUID: {len(acknowledged.uuid)} bytes"
    if kind == "UPDATE_FRAMEWORK":
        assert call.update_framework is not None
        if call.update_framework.framework_info.id != call.framework_id:
            return "'framework_id' differs from 'update_framework.framework_info.id'"
    return None


def check_role(role: str) -> str | None:
    """A role's name."""
    if role == "*":
        return None
    if not role:
        return "Role names cannot be the empty string"
    if role.startswith("/") or role.endswith("/"):
        return f"Role '{role}' cannot start or end with a slash"
    for part in role.split("/"):
        if not part:
            return f"Role '{role}' cannot contain two adjacent slashes"
        if part in (".", "..", "*"):
            return f"Role '{role}' cannot contain '{part}' as a component"
        if part.startswith("-"):
            return f"Role component '{part}' is invalid because it begins with a dash"
        if re.search(r"[\s\x08]", part):
            return f"Role component '{part}' is invalid because it contains whitespace"
    return None


class Refusal(NamedTuple):
    """Why a framework may not be: `reason` is one of `ERROR_REASON`, `text` the original's."""

    reason: str
    text: str


def roles_of(info: mesos.FrameworkInfo) -> list[str]:
    """The roles that a framework asks for."""
    if any(declared.type == "MULTI_ROLE" for declared in info.capabilities):
        return list(info.roles)
    return [info.role or "*"]


def _check_roles(info: mesos.FrameworkInfo) -> str | None:
    multi_role = any(declared.type == "MULTI_ROLE" for declared in info.capabilities)
    if multi_role and info.role is not None:
        return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable"
    if multi_role and len(set(info.roles)) != len(info.roles):
        return "'FrameworkInfo.roles' must not contain duplicate items"
    if not multi_role and info.roles:
        return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable"
    for role in roles_of(info):
        fault = check_role(role)
        if fault is not None:
            return f"'FrameworkInfo.roles' contains invalid role: {fault}"
    return None


def check_framework(
    info: mesos.FrameworkInfo, suppressed: list[str], roles: tuple[str, ...], root_submissions: bool
) -> Refusal | None:
    """What is wrong with a framework that subscribes (reported by an ERROR event)."""
    fault = _check_roles(info)
    if fault is not None:
        return Refusal("INVALID_ROLES", fault)
    wanted = roles_of(info)
    unknown = [role for role in wanted if roles and role not in (*roles, "*")]
    if unknown:
        text = f"Roles {{ {', '.join(unknown)} }} are not present in the master's --roles"
        return Refusal("ROLES_NOT_ALLOWED", text)
    stray = [role for role in suppressed if role not in wanted]
    if stray:
        text = f"Suppressed roles {{ {', '.join(stray)} }} are not contained in the roles"
        return Refusal("INVALID_SUPPRESSED_ROLES", text)
    if info.user == "root" and not root_submissions:
        text = "User 'root' is not allowed to run frameworks without --root_submissions set"
        return Refusal("ROOT_NOT_ALLOWED", text)
    if info.failover_timeout < 0:
        text = f"'failover_timeout' of {info.failover_timeout} is negative"
        return Refusal("INVALID_FAILOVER_TIMEOUT", text)
    if info.id is not None and info.id.value:
        fault = check_id(info.id.value, "'FrameworkInfo.id'")
        return None if fault is None else Refusal("INVALID_FRAMEWORK_ID", fault)
    return None


def check_task(
    task: mesos.TaskInfo,
    framework: Framework,
    agent: Agent,
    left: Resources,
    role: str,
    executor: mesos.ExecutorInfo | None = None,
) -> str | Resources:
    """A task against what is left of its offers: the fault, or its resources.

    `executor`: that of the task's group. What an executor holds is not the task's.
    """
    identifier = task.task_id.value
    fault = check_id(identifier, "Task ID") or _check_shape(task, agent.id, executor)
    if fault is not None:
        return fault
    if identifier in framework.tasks or identifier in framework.unreachable:
        return f"Task has duplicate ID: {identifier}"
    try:
        resources = from_wire(task.resources)
    except WireError as error:
        return f"Task uses invalid resources: {error}"
    roles = {identity.allocation_role for identity, _ in resources} - {None}
    if roles - {role}:
        return "Task resources are allocated to a role that is not the offer's"
    wanted = as_held(resources.allocated_to(None), left)
    if wanted.is_empty:
        return "Task uses no resources"
    fault = check_kinds(wanted)
    if fault is not None:
        return f"Task uses invalid resources: {fault}"
    if not left.contains(wanted):
        return (
            f"Total resources {wanted!r} required by task and its executor is more than"
            f" available {left!r}"
        )
    return wanted


def check_kinds(resources: Resources) -> str | None:
    """What may be taken back at any time does not go with what is there to stay."""
    kinds: dict[str, bool] = {}
    for identity, _ in resources:
        if kinds.setdefault(identity.name, identity.is_revocable) != identity.is_revocable:
            name = identity.name
            return f"Cannot use both revocable and non-revocable '{name}' at the same time"
    return None


def _check_shape(
    task: mesos.TaskInfo, agent_id: str, executor: mesos.ExecutorInfo | None
) -> str | None:
    if task.agent_id.value != agent_id:
        return f"Task uses invalid agent {task.agent_id.value} while agent {agent_id} is expected"
    if executor is None and (task.command is None) == (task.executor is None):
        return "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"
    policy = task.kill_policy
    grace = None if policy is None else policy.grace_period
    if grace is not None and grace.nanoseconds < 0:
        return "Task's 'kill_policy.grace_period' must be non-negative"
    if task.max_completion_time is not None and task.max_completion_time.nanoseconds < 0:
        return "Task's 'max_completion_time' must be non-negative"
    return _check_health(task.health_check)


def _check_health(check: mesos.HealthCheck | None) -> str | None:
    if check is None:
        return None
    if check.type is None:
        return "'HealthCheck.type' must be set"
    if getattr(check, check.type.lower(), None) is None:
        return f"Expecting '{check.type.lower()}' to be set for {check.type} health check"
    for name in ("delay_seconds", "interval_seconds", "timeout_seconds", "grace_period_seconds"):
        if getattr(check, name) < 0:
            return f"Expecting 'HealthCheck.{name}' to be non-negative"
    return None
