"""Executors, tasks and their status.

Source: Mesos, include/mesos/v1/mesos.proto.
"""

from mesosphere.wire.mesos.base import Double, WireStruct
from mesosphere.wire.mesos.commands import (
    CheckInfo,
    CheckStatusInfo,
    CommandInfo,
    HealthCheck,
    KillPolicy,
)
from mesosphere.wire.mesos.common import DiscoveryInfo, DurationInfo, Labels, TimeInfo
from mesosphere.wire.mesos.containers import ContainerInfo, ContainerStatus
from mesosphere.wire.mesos.enums import ExecutorType, Reason, Source, TaskState
from mesosphere.wire.mesos.ids import AgentID, ExecutorID, FrameworkID, TaskID
from mesosphere.wire.mesos.resources import Resource, Scalar, TaskResourceLimitation


class ExecutorInfo(WireStruct, kw_only=True):
    type: ExecutorType | None = None
    executor_id: ExecutorID
    framework_id: FrameworkID | None = None
    command: CommandInfo | None = None
    container: ContainerInfo | None = None
    resources: list[Resource] = []
    name: str | None = None
    source: str | None = None
    data: bytes | None = None
    discovery: DiscoveryInfo | None = None
    shutdown_grace_period: DurationInfo | None = None
    labels: Labels | None = None


class TaskInfo(WireStruct, kw_only=True):
    name: str
    task_id: TaskID
    agent_id: AgentID
    resources: list[Resource] = []
    executor: ExecutorInfo | None = None
    command: CommandInfo | None = None
    container: ContainerInfo | None = None
    health_check: HealthCheck | None = None
    check: CheckInfo | None = None
    kill_policy: KillPolicy | None = None
    data: bytes | None = None
    labels: Labels | None = None
    discovery: DiscoveryInfo | None = None
    max_completion_time: DurationInfo | None = None
    limits: dict[str, Scalar] = {}


class TaskGroupInfo(WireStruct, kw_only=True):
    tasks: list[TaskInfo] = []


class TaskStatus(WireStruct, kw_only=True):
    """An update. `uuid` (16 bytes) only if it must be acknowledged; `timestamp` in seconds."""

    task_id: TaskID
    state: TaskState
    message: str | None = None
    source: Source | None = None
    reason: Reason | None = None
    data: bytes | None = None
    agent_id: AgentID | None = None
    executor_id: ExecutorID | None = None
    timestamp: Double | None = None
    uuid: bytes | None = None
    healthy: bool | None = None
    check_status: CheckStatusInfo | None = None
    labels: Labels | None = None
    container_status: ContainerStatus | None = None
    unreachable_time: TimeInfo | None = None
    limitation: TaskResourceLimitation | None = None


class Task(WireStruct, kw_only=True):
    """What master and agent keep of a task."""

    name: str
    task_id: TaskID
    framework_id: FrameworkID
    executor_id: ExecutorID | None = None
    agent_id: AgentID
    state: TaskState
    resources: list[Resource] = []
    statuses: list[TaskStatus] = []
    status_update_state: TaskState | None = None
    status_update_uuid: bytes | None = None
    labels: Labels | None = None
    discovery: DiscoveryInfo | None = None
    container: ContainerInfo | None = None
    health_check: HealthCheck | None = None
    kill_policy: KillPolicy | None = None
    user: str | None = None
    limits: dict[str, Scalar] = {}
