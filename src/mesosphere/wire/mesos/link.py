"""The link between agent and master: our own protocol, in the manner of the v1 APIs.

The agent POSTs a SUBSCRIBE Call to `/api/v1/agent` and reads Events from the answer (RecordIO,
header `Mesos-Stream-Id`). Its other Calls are POSTs to the same path that carry that header and
`agent_id`, and are answered 202. The master PINGs on the stream and the agent PONGs; both give up
after `ping_timeout_s` of silence.

Source: ours; what it carries is that of Mesos, src/messages/messages.proto.
"""

from mesosphere.wire.mesos.agents import AgentCapability, AgentInfo, DrainConfig, MasterInfo
from mesosphere.wire.mesos.base import Double, Int32, UInt32, WireStruct, emitted
from mesosphere.wire.mesos.commands import KillPolicy
from mesosphere.wire.mesos.enums import LinkCallType, LinkEventType, TaskState
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.ids import UUID, AgentID, ExecutorID, FrameworkID, TaskID
from mesosphere.wire.mesos.operations import Operation, OperationRecord, OperationStatus
from mesosphere.wire.mesos.resources import Resource
from mesosphere.wire.mesos.tasks import ExecutorInfo, Task, TaskGroupInfo, TaskInfo, TaskStatus

PATH = "/api/v1/agent"


class TaskReport(WireStruct, kw_only=True):
    """A task as the agent knows it: `task.state` is its latest state.

    `unacknowledged` is the update that the agent is sending (the oldest without an answer).
    """

    task: Task
    unacknowledged: TaskStatus | None = None


class ExecutorReport(WireStruct, kw_only=True):
    """An executor that runs on the agent."""

    framework_id: FrameworkID
    executor_info: ExecutorInfo


class Subscribe(WireStruct, kw_only=True):
    """The agent presents itself; `agent_info.id` is set if it was admitted before.

    `agent_info.resources` are those of its flags, `total_resources` those that it has now, with
    reservations and volumes; `operations` are those without acknowledgement.
    """

    agent_info: AgentInfo
    version: str
    capabilities: list[AgentCapability] = []
    tasks: list[TaskReport] = []
    executors: list[ExecutorReport] = []
    frameworks: list[FrameworkInfo] = []
    completed_frameworks: list[FrameworkInfo] = []
    total_resources: list[Resource] = []
    operations: list[OperationRecord] = []


class Update(WireStruct, kw_only=True):
    """A status update on its way to the framework.

    `status.uuid` is what the framework acknowledges; `latest_state` may be ahead of it.
    """

    framework_id: FrameworkID
    status: TaskStatus
    latest_state: TaskState | None = None


class Unregister(WireStruct, kw_only=True):
    """The agent leaves for good; its tasks have been killed."""

    message: str | None = None


class ExitedExecutor(WireStruct, kw_only=True):
    """An executor ended; `status` as from wait."""

    framework_id: FrameworkID
    executor_id: ExecutorID
    status: Int32


class Message(WireStruct, kw_only=True):
    """Bytes between executor and framework, either way."""

    framework_id: FrameworkID
    executor_id: ExecutorID
    data: bytes


class UpdateOperation(WireStruct, kw_only=True):
    """How an operation went; `status.uuid` is what is acknowledged."""

    operation_uuid: UUID
    framework_id: FrameworkID | None = None
    status: OperationStatus


class Call(WireStruct, kw_only=True):
    """From agent to master. PONG has no body."""

    type: LinkCallType = ""
    agent_id: AgentID | None = None
    subscribe: Subscribe | None = None
    update: Update | None = None
    unregister: Unregister | None = None
    exited_executor: ExitedExecutor | None = None
    message: Message | None = None
    update_operation: UpdateOperation | None = None


class Subscribed(WireStruct, kw_only=True):
    """The agent is admitted. `ping_timeout_s` of silence means that the link is dead.

    `drain` is there if the agent must end its tasks; if not, an earlier order is over.
    """

    agent_id: AgentID
    master_info: MasterInfo
    ping_timeout_s: Double
    drain: DrainConfig | None = None


class RunTask(WireStruct, kw_only=True):
    """Launch a task. `executor` is set for a task that a custom executor runs; it is there already
    if not `launch_executor`, and the task is dropped if it has ended."""

    framework_info: FrameworkInfo
    task: TaskInfo
    executor: ExecutorInfo | None = None
    launch_executor: bool = emitted(True)


class RunTaskGroup(WireStruct, kw_only=True):
    """Launch all the tasks of a group, or none. `launch_executor`: see RunTask."""

    framework_info: FrameworkInfo
    executor: ExecutorInfo
    task_group: TaskGroupInfo
    launch_executor: bool = emitted(True)


class KillTask(WireStruct, kw_only=True):
    """End a task; `kill_policy` overrides the task's own."""

    framework_id: FrameworkID
    task_id: TaskID
    kill_policy: KillPolicy | None = None


class Acknowledge(WireStruct, kw_only=True):
    """The framework has the update with this uuid; the next may be sent."""

    framework_id: FrameworkID
    task_id: TaskID
    uuid: bytes


class ShutdownFramework(WireStruct, kw_only=True):
    """End everything that the framework runs here and forget it."""

    framework_id: FrameworkID


class ShutdownExecutor(WireStruct, kw_only=True):
    """End one executor and its tasks."""

    framework_id: FrameworkID
    executor_id: ExecutorID


class UpdateFramework(WireStruct, kw_only=True):
    """The framework subscribed again or changed."""

    framework_info: FrameworkInfo


class ReconcileTask(WireStruct, kw_only=True):
    """A task that the master believes to be on the agent."""

    framework_id: FrameworkID
    task_id: TaskID


class Reconcile(WireStruct, kw_only=True):
    """Tasks the agent must answer for: an UPDATE with TASK_DROPPED for each it does not know."""

    tasks: list[ReconcileTask] = []


class Drain(WireStruct, kw_only=True):
    """End every task, within `config.max_grace_period`, and take no more."""

    config: DrainConfig


class ApplyOperation(WireStruct, kw_only=True):
    """Convert resources; without `framework_id` it is an operator's wish."""

    operation: Operation
    operation_uuid: UUID
    framework_id: FrameworkID | None = None


class AcknowledgeOperation(WireStruct, kw_only=True):
    """Somebody has this status of an operation; a terminal one may be forgotten."""

    operation_uuid: UUID
    status_uuid: UUID


class ReconcileOperations(WireStruct, kw_only=True):
    """Operations that the agent must answer for: OPERATION_DROPPED for each it does not know."""

    operations: list[UUID] = []


class Ping(WireStruct, kw_only=True):
    """`connected` false: the master does not count this agent as subscribed; subscribe again."""

    connected: bool = True
    sequence: UInt32 = 0


class Shutdown(WireStruct, kw_only=True):
    """The agent must kill its tasks and end (removed, gone, or on a machine that is down)."""

    message: str


class Error(WireStruct, kw_only=True):
    """The subscription is refused or over; the stream closes after it."""

    message: str


class Event(WireStruct, kw_only=True):
    """From master to agent. PING may come without a body."""

    type: LinkEventType = ""
    subscribed: Subscribed | None = None
    run_task: RunTask | None = None
    run_task_group: RunTaskGroup | None = None
    kill_task: KillTask | None = None
    acknowledge: Acknowledge | None = None
    shutdown_framework: ShutdownFramework | None = None
    shutdown_executor: ShutdownExecutor | None = None
    update_framework: UpdateFramework | None = None
    reconcile: Reconcile | None = None
    message: Message | None = None
    drain: Drain | None = None
    ping: Ping | None = None
    shutdown: Shutdown | None = None
    error: Error | None = None
    apply_operation: ApplyOperation | None = None
    acknowledge_operation: AcknowledgeOperation | None = None
    reconcile_operations: ReconcileOperations | None = None
