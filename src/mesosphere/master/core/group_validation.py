"""What makes a task group impossible: LAUNCH_GROUP is done whole or not at all.

Texts are Mesos's own. Source: Mesos, src/master/validation.cpp (namespaces executor and group).
"""

from typing import NamedTuple

from mesosphere.kernel.conversions import as_held
from mesosphere.kernel.ids import check_id
from mesosphere.kernel.resources import EMPTY, Resources
from mesosphere.master.core.state import Agent, ExecutorRecord, Framework
from mesosphere.master.core.validation import check_kinds, check_task
from mesosphere.wire import mesos
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos.resources_codec import from_wire

LEAST_CPUS_MILLI = 10
LEAST_MEM_MILLI = 32_000


class Group(NamedTuple):
    """A group that may be launched: what each task and the executor (if it is new) will hold."""

    tasks: list[Resources]
    executor: Resources


def check_executor(
    info: mesos.ExecutorInfo, framework: Framework, agent: Agent, left: Resources
) -> str | Resources:
    """An executor on an agent: the fault, or what it will hold there (nothing if it runs)."""
    fault = check_id(info.executor_id.value, "Executor ID") or _check_type(info)
    if fault is not None:
        return fault
    if info.framework_id is not None and info.framework_id.value != framework.id:
        return (
            f"ExecutorInfo has an invalid FrameworkID (Actual: {info.framework_id.value} vs"
            f" Expected: {framework.id})"
        )
    info.framework_id = mesos.FrameworkID(framework.id)
    running: ExecutorRecord | None = agent.executors.get((framework.id, info.executor_id.value))
    if running is not None:
        if running.info != info:
            return "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID."
        return EMPTY
    grace = info.shutdown_grace_period
    if grace is not None and grace.nanoseconds < 0:
        return "ExecutorInfo's 'shutdown_grace_period' must be non-negative"
    try:
        resources = from_wire(info.resources)
    except WireError as error:
        return f"Executor uses invalid resources: {error}"
    if resources.shared():
        return f"Executor uses shared resources {resources.shared()!r}, which only tasks may"
    fault = check_kinds(resources)
    if fault is not None:
        return f"Executor uses invalid resources: {fault}"
    return as_held(resources.allocated_to(None), left)


def _check_type(info: mesos.ExecutorInfo) -> str | None:
    if info.type != "DEFAULT":
        if info.command is None:
            return "'ExecutorInfo.command' must be set for 'CUSTOM' executor"
        return None
    if info.command is not None:
        return "'ExecutorInfo.command' must not be set for 'DEFAULT' executor"
    container = info.container
    if container is not None and container.type != "MESOS":
        return "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor"
    if container is not None and container.mesos is not None and container.mesos.image is not None:
        return "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor"
    return None


def check_group(
    group: mesos.LaunchGroup, framework: Framework, agent: Agent, left: Resources, role: str
) -> str | Group:
    """A LAUNCH_GROUP against what is left of its offers: the fault, or what it will hold."""
    info, infos = group.executor, group.task_group.tasks
    if info.type is None:
        return "'ExecutorInfo.type' must be set"
    if not infos:
        return "Task group cannot be empty"
    needed = check_executor(info, framework, agent, left)
    fault = needed if isinstance(needed, str) else _check_room(info)
    if fault is not None:
        return fault
    assert isinstance(needed, Resources)
    if not left.contains(needed):
        return f"Executor's resources {needed!r} are more than available {left!r}"
    left = left - needed.non_shared()
    held: list[Resources] = []
    seen: dict[str, None] = {}
    for task in infos:
        found = _check_member(task, info, framework, agent, left, role, seen)
        if isinstance(found, str):
            return f"Task '{task.task_id.value}' is invalid: {found}"
        held.append(found)
        left = left - found.non_shared()
    return Group(held, needed)


def _check_room(info: mesos.ExecutorInfo) -> str | None:
    name = info.executor_id.value
    try:
        resources = from_wire(info.resources)
    except WireError as error:
        return f"Executor uses invalid resources: {error}"
    cpus, mem = resources.scalar("cpus"), resources.scalar("mem")
    if cpus < LEAST_CPUS_MILLI:
        return (
            f"Executor '{name}' uses less CPUs ({cpus / 1000 or 'None'}) than the minimum required"
            f" ({LEAST_CPUS_MILLI / 1000})"
        )
    if mem < LEAST_MEM_MILLI:
        told = f"{mem // 1000}MB" if mem else "None"
        return f"Executor '{name}' uses less memory ({told}) than the minimum required (32MB)"
    if resources.scalar("disk") == 0:
        return f"Executor '{name}' uses no disk"
    return None


def _check_member(
    task: mesos.TaskInfo,
    executor: mesos.ExecutorInfo,
    framework: Framework,
    agent: Agent,
    left: Resources,
    role: str,
    seen: dict[str, None],
) -> str | Resources:
    own = task.executor
    if own is not None:
        if own.framework_id is None:
            own.framework_id = mesos.FrameworkID(framework.id)
        if own != executor:
            return "'TaskInfo.executor' is different from executor in LAUNCH_GROUP"
        task.executor = None
    if task.task_id.value in seen:
        return f"Task has duplicate ID: {task.task_id.value}"
    seen[task.task_id.value] = None
    container = task.container
    if container is not None:
        if container.network_infos:
            return "NetworkInfos must not be set on the task"
        if container.type == "DOCKER":
            return "Docker ContainerInfo is not supported on the task"
    if executor.type == "DEFAULT" and task.command is None:
        return "'TaskInfo.command' must be set for 'DEFAULT' executor"
    return check_task(task, framework, agent, left, role, executor)
