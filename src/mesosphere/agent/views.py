"""What the agent's read endpoints show: pure functions of its state.

Source: "Mesos: agent endpoints" (apache/mesos src/slave/http.cpp, src/common/http.cpp).
"""

from typing import Any, NamedTuple

from mesosphere import MESOS_VERSION
from mesosphere.agent.core.config import CAPABILITIES
from mesosphere.agent.core.executor_life import ExecutorPhase
from mesosphere.agent.core.gc import allowed_age_s
from mesosphere.agent.core.life_cycle import Phase
from mesosphere.agent.core.state import (
    ExecutorRecord,
    FrameworkRecord,
    State,
    TaskRecord,
    container_id,
)
from mesosphere.kernel.attributes import flat
from mesosphere.kernel.resources import EMPTY, Resources, compact
from mesosphere.wire.mesos import codec
from mesosphere.wire.mesos.common import Labels
from mesosphere.wire.mesos.containers import ContainerStatus
from mesosphere.wire.mesos.enums import is_terminal
from mesosphere.wire.mesos.resources import Resource
from mesosphere.wire.mesos.resources_codec import Format, from_wire, to_wire
from mesosphere.wire.mesos.tasks import TaskStatus

TASK_STATES_COUNTED = (
    "finished", "failed", "killed", "lost", "gone", "error", "dropped",
)  # fmt: skip


def version() -> dict[str, Any]:
    """`/version`."""
    return {
        "version": MESOS_VERSION,
        "build_date": "",
        "build_time": 0.0,
        "build_user": "mesosphere",
    }


def state(state: State) -> dict[str, Any]:
    """`/state`."""
    config = state.config
    total, used = state.total, state.used()
    reserved = total.reserved()
    shown: dict[str, Any] = {
        **version(),
        "start_time": state.started_at,
        "id": state.agent_id or "",
        "pid": config.pid,
        "hostname": config.hostname,
        "capabilities": list(CAPABILITIES),
        "resources": compact(total),
        "reserved_resources": {role: compact(part) for role, part in reserved.items()},
        "unreserved_resources": compact(total.unreserved()),
        "reserved_resources_full": {
            role: to_wire(part, Format.BOTH) for role, part in reserved.items()
        },
        "unreserved_resources_full": to_wire(total.unreserved(), Format.BOTH),
        "reserved_resources_allocated": {
            role: compact(part) for role, part in used.reserved().items()
        },
        "unreserved_resources_allocated": compact(used.unreserved()),
        "resource_providers": [],
        "attributes": flat(config.attributes),
        "flags": config.flags,
        "isolation_in_use": {"name": config.host.isolation, "reason": config.host.reason},
        "frameworks": [framework_view(each) for each in state.frameworks.values()],
        "completed_frameworks": [framework_view(each) for each in state.completed],
    }
    if state.drain is not None:
        shown["drain_config"] = codec.to_plain(state.drain)
        shown["estimated_drain_start_time_seconds"] = state.drain_began_at
    if state.master is not None and state.master.hostname:
        shown["master_hostname"] = state.master.hostname
    if config.domain is not None:
        shown["domain"] = config.domain
    if config.log_path:
        shown["external_log_file"] = config.log_path
    return shown


def framework_view(framework: FrameworkRecord) -> dict[str, Any]:
    """A framework in `/state`."""
    info = framework.info
    shown: dict[str, Any] = {
        "id": framework.id,
        "name": info.name,
        "user": info.user,
        "failover_timeout": info.failover_timeout,
        "checkpoint": info.checkpoint,
        "hostname": info.hostname or "",
        "executors": [
            *(executor_view(each) for each in framework.executors.values()),
            *(command_view(each) for each in framework.tasks.values() if each.executor is None),
        ],
        "completed_executors": [
            *(executor_view(each) for each in framework.ended_executors),
            *(command_view(each) for each in framework.ended),
        ],
    }
    if info.principal:
        shown["principal"] = info.principal
    if framework.can("MULTI_ROLE"):
        shown["roles"] = info.roles
    else:
        shown["role"] = info.role or "*"
    return shown


def executor_view(executor: ExecutorRecord) -> dict[str, Any]:
    """A custom executor or a pod in `/state`."""
    info = executor.info
    queued = [task for launch in executor.queue for task in launch.tasks]
    shown: dict[str, Any] = {
        "id": executor.id,
        "name": info.name or "",
        "source": info.source or "",
        "container": executor.container,
        "directory": executor.sandbox,
        "resources": compact(executor.used()),
        "role": role_of(info.resources),
        "type": info.type or "CUSTOM",
        "tasks": [task_view(each) for each in executor.living() if each not in queued],
        "queued_tasks": [task_view(each) for each in queued],
        "completed_tasks": [
            *(task_view(each) for each in executor.tasks.values() if each.phase is Phase.ENDED),
            *(task_view(each) for each in executor.ended),
        ],
    }
    if info.labels is not None:
        shown["labels"] = labels_view(info.labels)
    return shown


def command_view(task: TaskRecord) -> dict[str, Any]:
    """The command executor of a task in `/state`; `directory` is where its sandbox is."""
    line = task.info.command.value if task.info.command is not None else None
    ended = task.phase is Phase.ENDED
    return {
        "id": task.executor_id,
        "name": f"Command Executor (Task: {task.task_id}) (Command: sh -c '{line or ''}')",
        "source": task.task_id,
        "container": task.container,
        "directory": task.sandbox,
        "resources": compact(EMPTY if ended else task.resources),
        "tasks": [] if ended else [task_view(task)],
        "queued_tasks": [],
        "completed_tasks": [task_view(task)] if ended else [],
    }


def task_view(task: TaskRecord) -> dict[str, Any]:
    """A task as legacy endpoints show it."""
    info = task.info
    shown: dict[str, Any] = {
        "id": task.task_id,
        "name": info.name,
        "framework_id": task.framework_id,
        "executor_id": "" if task.executor is None else task.executor.id,
        "slave_id": task.agent_id,
        "state": task.state,
        "resources": compact(from_wire(info.resources)),
        "role": role_of(info.resources),
        "statuses": [status_view(status) for status in task.statuses],
        "user": task.user,
    }
    if info.labels is not None:
        shown["labels"] = labels_view(info.labels)
    for name in ("discovery", "container", "health_check"):
        value = getattr(info, name)
        if value is not None:
            shown[name] = value
    return shown


def role_of(resources: list[Resource]) -> str:
    """The role whose share pays for these resources."""
    for resource in resources:
        if resource.allocation_info is not None and resource.allocation_info.role:
            return resource.allocation_info.role
    return "*"


def labels_view(labels: Labels) -> list[dict[str, str]]:
    """Labels as a list of pairs; a label without a value has none."""
    return [
        {"key": label.key, **({"value": label.value} if label.value is not None else {})}
        for label in labels.labels
    ]


def status_view(status: TaskStatus) -> dict[str, Any]:
    """A status as legacy endpoints show it: `data` is left out."""
    shown: dict[str, Any] = {"state": status.state, "timestamp": status.timestamp}
    if status.labels is not None:
        shown["labels"] = labels_view(status.labels)
    if status.container_status is not None:
        shown["container_status"] = status.container_status
    if status.healthy is not None:
        shown["healthy"] = status.healthy
    return shown


class Shown(NamedTuple):
    """A container that runs: of a command task, of an executor, or nested in one's."""

    name: str
    framework_id: str
    executor_id: str
    executor_name: str
    source: str
    status: ContainerStatus
    resources: Resources
    is_nested: bool


def shown_containers(state: State) -> list[Shown]:
    """The containers that run, nested ones after the one that they are in."""
    found = []
    for executor in state.executors():
        if executor.phase is not ExecutorPhase.ENDED:
            found.append(_of_executor(executor))
            found += [_of_task(each) for each in executor.living() if each.has_container]
    found += [
        _of_task(each)
        for each in state.tasks()
        if each.executor is None and each.phase is not Phase.ENDED
    ]
    return found


def _of_executor(executor: ExecutorRecord) -> Shown:
    info = executor.info
    pid = executor.pid or None
    status = ContainerStatus(container_id=container_id(executor.container), executor_pid=pid)
    return Shown(
        executor.container, executor.framework_id, executor.id, info.name or "",
        info.source or "", status, executor.used(), False,
    )  # fmt: skip


def _of_task(task: TaskRecord) -> Shown:
    last = task.statuses[-1].container_status if task.statuses else None
    status = last or ContainerStatus(container_id=container_id(task.container))
    name, source = f"Command Executor (Task: {task.task_id})", task.task_id
    if task.executor is not None:
        name, source = task.executor.info.name or "", task.executor.info.source or ""
    return Shown(
        task.container, task.framework_id, task.executor_id, name, source, status,
        task.resources, task.executor is not None,
    )  # fmt: skip


def containers(
    state: State, container: str | None = None, framework: str | None = None,
    executor: str | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """`/containers`, narrowed by any of the three ids."""
    return [
        {
            **_of_container(each),
            "container_id": each.name,
            "status": each.status,
            "statistics": statistics_of(state, each),
        }
        for each in shown_containers(state)
        if not each.is_nested
        and (not container or each.name == container)
        and (not framework or each.framework_id == framework)
        and (not executor or each.executor_id == executor)
    ]


def monitor(state: State) -> list[dict[str, Any]]:
    """`/monitor/statistics`."""
    return [
        {**_of_container(each), "statistics": statistics_of(state, each)}
        for each in shown_containers(state)
        if not each.is_nested
    ]


def _of_container(shown: Shown) -> dict[str, Any]:
    return {
        "framework_id": shown.framework_id,
        "executor_id": shown.executor_id,
        "executor_name": shown.executor_name,
        "source": shown.source,
    }


def statistics_of(state: State, shown: Shown) -> dict[str, Any]:
    """The latest measurement of a container, with its limits."""
    return {
        "cpus_limit": shown.resources.scalar("cpus") / 1000 + 0.1,
        "mem_limit_bytes": shown.resources.scalar("mem") * 1048576 // 1000 + 32 * 1048576,
        **state.statistics.get(shown.name, {}),
    }


def pending(state: State) -> dict[str, Any]:
    """`/containerizer/debug`: what is under way, so that a container that hangs is found."""
    names = {Phase.LAUNCHING: "launch", Phase.CANCELLING: "destroy", Phase.KILLING: "kill"}
    return {
        "pending": [
            {
                "operation": names[task.phase],
                "args": {"containerId": task.container, "taskId": task.task_id},
                "startTime": task.launched_at,
            }
            for task in state.tasks()
            if task.phase in names
        ]
    }


def metrics(state: State, now: float) -> dict[str, float]:
    """`/metrics/snapshot`: names as the original's."""
    values: dict[str, float] = {
        "slave/uptime_secs": now - state.started_at,
        "slave/registered": float(state.registered),
        "slave/recovery_errors": float(state.recovery_errors),
        "slave/recovery_time_secs": state.recovery_s,
        "slave/frameworks_active": float(len(state.frameworks)),
        "slave/container_launch_errors": float(state.counters.get("container_launch_errors", 0)),
    }
    for name in ("staging", "starting", "running", "killing"):
        values[f"slave/tasks_{name}"] = 0.0
    for name in ("registering", "running", "terminating", "terminated"):
        values[f"slave/executors_{name}"] = 0.0
    preempted = state.counters.get("executors_preempted", 0)
    values["slave/executors_preempted"] = float(preempted)
    values["slave/executor_directory_max_allowed_age_secs"] = allowed_age_s(
        state.config.gc_delay_s, state.config.gc_disk_headroom, state.disk_used
    )
    for task in state.tasks():
        if not is_terminal(task.state):
            values[f"slave/tasks_{task.state.removeprefix('TASK_').lower()}"] += 1
        if task.executor is None:
            values[f"slave/executors_{_executor_state(task.phase)}"] += 1
    for executor in state.executors():
        values[f"slave/executors_{executor.phase.value}"] += 1
    for name in TASK_STATES_COUNTED:
        values[f"slave/tasks_{name}"] = float(state.counters.get(f"tasks_{name}", 0))
    for name in ("valid", "invalid"):
        for what in ("status_updates", "framework_messages"):
            count = state.counters.get(f"{name}_{what}", 0)
            values[f"slave/{name}_{what}"] = float(count)
    values.update(_resource_metrics(state.total, state.used()))
    values.update(state.gauges)
    values.update(state.measured)
    return values


def _executor_state(phase: Phase) -> str:
    if phase in (Phase.LAUNCHING, Phase.CANCELLING):
        return "registering"
    if phase is Phase.RUNNING:
        return "running"
    return "terminating" if phase is Phase.KILLING else "terminated"


def _resource_metrics(total: Resources, used: Resources) -> dict[str, float]:
    values = {}
    for name in ("cpus", "gpus", "mem", "disk"):
        all_of, taken = total.scalar(name) / 1000, used.scalar(name) / 1000
        values[f"slave/{name}_total"] = all_of
        values[f"slave/{name}_used"] = taken
        values[f"slave/{name}_percent"] = taken / all_of if all_of else 0.0
    return values


def prometheus(values: dict[str, float]) -> str:
    """`/metrics`: the same numbers as text for Prometheus."""
    lines = []
    for name in sorted(values):
        clean = "mesos_" + "".join(char if char.isalnum() else "_" for char in name)
        lines.append(f"{clean} {values[name]:.17g}")
    return "\n".join(lines) + "\n"
