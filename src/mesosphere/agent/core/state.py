"""What an agent knows: its id, its frameworks, their tasks, and what has ended lately.

A *command task* is its own executor, with the executor's id equal to the task's, as schedulers of
the original see it. Other tasks belong to an `ExecutorRecord`: a *custom* one runs them in its own
container and speaks for them, a *pod* (the default executor) has a container for each. Histories
are bounded. Only `core` changes these records; views read them.
"""

from collections import deque
from math import inf
from typing import Any

import msgspec

from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.executor_life import ExecutorPhase
from mesosphere.agent.core.exits import End
from mesosphere.agent.core.extra_records import ExtraContainer
from mesosphere.agent.core.life_cycle import Phase
from mesosphere.agent.core.status_updates import RETRY_LEAST_S, UpdateStreams
from mesosphere.kernel.conversions import as_held
from mesosphere.kernel.effects import Effect, Log, SetAsideCheckpoint
from mesosphere.kernel.resources import EMPTY, Resources
from mesosphere.wire.mesos.agents import DrainConfig, MasterInfo
from mesosphere.wire.mesos.commands import KillPolicy
from mesosphere.wire.mesos.common import DurationInfo
from mesosphere.wire.mesos.enums import is_terminal
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID, ContainerID, ExecutorID, FrameworkID
from mesosphere.wire.mesos.media import Media
from mesosphere.wire.mesos.operations import OperationRecord
from mesosphere.wire.mesos.resources_codec import from_wire
from mesosphere.wire.mesos.tasks import ExecutorInfo, Task, TaskInfo, TaskStatus

COMPLETED_FRAMEWORKS_LIMIT = 50
STATUSES_LIMIT = 20
"""Statuses of a task that are kept for reading, one per distinct consecutive state."""
COMPLETED_TASKS_LIMIT = 200
"""Ended tasks of one executor that are kept for reading."""


class ExecutorRecord(msgspec.Struct, eq=False):
    """An executor of a framework: a custom one, or a pod (the default executor).

    `stream` is the request id of its open subscription. `end` is what its tasks are told if it
    ends now; None: whatever its exit means. `queue` holds launches that it was not given yet.
    """

    info: ExecutorInfo
    framework_id: str
    agent_id: str
    container: str
    sandbox: str
    user: str
    launched_at: float
    durable: bool = True
    phase: ExecutorPhase = ExecutorPhase.REGISTERING
    pid: int = 0
    stream: str = ""
    media: Media = Media.JSON  # what the stream is written in
    tasks: dict[str, "TaskRecord"] = {}
    queue: list["QueuedLaunch"] = []
    was_given: bool = False
    is_recovered: bool = False
    ended: deque["TaskRecord"] = msgspec.field(
        default_factory=lambda: deque(maxlen=COMPLETED_TASKS_LIMIT)
    )
    end: End | None = None
    resources: Resources = EMPTY
    networks: tuple[tuple[str, tuple[str, ...]], ...] = ()
    mem_high_bytes: int = 0

    @property
    def id(self) -> str:
        """The framework's name for it."""
        return self.info.executor_id.value

    @property
    def key(self) -> str:
        """`<framework>/<executor>`: names of timers end in it."""
        return f"{self.framework_id}/{self.id}"

    @property
    def is_pod(self) -> bool:
        """Whether it is the default executor, whose tasks have containers of their own."""
        return self.info.type == "DEFAULT"

    def living(self) -> list["TaskRecord"]:
        """Its tasks that have not ended."""
        return [task for task in self.tasks.values() if task.phase is not Phase.ENDED]

    def used(self) -> Resources:
        """What it and its living tasks may use."""
        total = self.resources if self.phase is not ExecutorPhase.ENDED else EMPTY
        for task in self.tasks.values():
            if not is_terminal(task.state):
                total = total + task.resources
        return total


class TaskRecord(msgspec.Struct, eq=False):
    """A task. `container` is its own, or that of the custom executor that runs it.

    `group` joins the tasks of one task group; `heard` are the uuids of its executor's updates.
    """

    info: TaskInfo
    framework_id: str
    agent_id: str
    container: str
    sandbox: str
    user: str
    launched_at: float
    durable: bool = True
    phase: Phase = Phase.LAUNCHING
    state: str = "TASK_STAGING"
    statuses: list[TaskStatus] = []
    pid: int = 0
    running_at: float | None = None
    killed: bool = False
    expired: bool = False
    preempted: bool = False
    healthy: bool | None = None
    grace_until: float | None = None
    kill_grace_s: float | None = None
    resources: Resources = EMPTY
    networks: tuple[tuple[str, tuple[str, ...]], ...] = ()
    executor: ExecutorRecord | None = None
    group: str = ""
    heard: dict[bytes, None] = {}

    @property
    def task_id(self) -> str:
        """The framework's name for it."""
        return self.info.task_id.value

    @property
    def executor_id(self) -> str:
        """A command task is its own executor."""
        return self.info.task_id.value if self.executor is None else self.executor.id

    @property
    def has_container(self) -> bool:
        """Whether its container is its own, and not that of a custom executor."""
        return self.executor is None or self.executor.is_pod

    @property
    def key(self) -> str:
        """`<framework>/<task>`: names of timers end in it."""
        return f"{self.framework_id}/{self.task_id}"

    def kill_policy(self) -> KillPolicy | None:
        """What a custom executor is told about the grace of a kill, if the kill gave one."""
        if self.kill_grace_s is None:
            return None
        return KillPolicy(grace_period=DurationInfo(nanoseconds=int(self.kill_grace_s * 1e9)))

    def note(self, status: TaskStatus) -> None:
        """Take a status into the history that endpoints show."""
        self.state = status.state
        if self.statuses and self.statuses[-1].state == status.state:
            self.statuses[-1] = status
        else:
            self.statuses.append(status)
            del self.statuses[:-STATUSES_LIMIT]

    def to_wire(self) -> Task:
        """The task as the master and the operator API see it."""
        info = self.info
        return Task(
            name=info.name,
            task_id=info.task_id,
            framework_id=FrameworkID(self.framework_id),
            executor_id=None if self.executor is None else ExecutorID(self.executor.id),
            agent_id=AgentID(self.agent_id),
            state=self.state,
            resources=info.resources,
            statuses=self.statuses,
            labels=info.labels,
            discovery=info.discovery,
            container=info.container,
            health_check=info.health_check,
            kill_policy=info.kill_policy,
            user=self.user,
            limits=info.limits,
        )


class QueuedLaunch(msgspec.Struct, eq=False):
    """A task, or a whole group, that waits for its executor, or to be on disk."""

    tasks: list[TaskRecord]
    is_group: bool = False
    is_written: bool = False


class FrameworkRecord(msgspec.Struct, eq=False):
    """A framework with tasks or executors here.

    `ended` keeps the latest command tasks that were acknowledged, `ended_executors` the executors.
    """

    info: FrameworkInfo
    tasks: dict[str, TaskRecord] = {}
    executors: dict[str, ExecutorRecord] = {}
    ended: deque[TaskRecord] = msgspec.field(default_factory=deque)
    ended_executors: deque[ExecutorRecord] = msgspec.field(default_factory=deque)
    is_terminating: bool = False

    @property
    def id(self) -> str:
        """Its id; the master always fills it in."""
        return self.info.id.value if self.info.id is not None else ""

    def can(self, capability: str) -> bool:
        """Whether the framework declared a capability."""
        return any(each.type == capability for each in self.info.capabilities)


class AgentOperation(msgspec.Struct, eq=False):
    """An operation that is not acknowledged; see `operations`. `end` is the uuid of its status."""

    record: OperationRecord
    end: bytes
    make: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    generation: int = 0
    has_ended: bool = False
    is_settled: bool = False
    is_stuck: bool = False
    is_kept: bool = True
    retry_s: float = RETRY_LEAST_S

    @property
    def timer(self) -> str:
        """The name of the retry timer."""
        return f"operation/{self.record.uuid.value.hex()}"


class State:
    """Everything of one agent. `total` is what it has: its flags' resources as they are now."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self.total = config.resources
        self.operations: dict[bytes, AgentOperation] = {}
        self.agent_id: str | None = None
        self.started_at = 0.0
        self.registered = False
        self.recovered = False
        self.recovery_s = 0.0
        self.recovery_errors = 0
        self.master: MasterInfo | None = None
        self.drain: DrainConfig | None = None
        self.drain_began_at = 0.0
        self.frameworks: dict[str, FrameworkRecord] = {}
        self.completed: deque[FrameworkRecord] = deque(maxlen=COMPLETED_FRAMEWORKS_LIMIT)
        self.containers: dict[str, TaskRecord] = {}
        self.executor_containers: dict[str, ExecutorRecord] = {}
        self.extras: dict[str, ExtraContainer] = {}
        self.streams = UpdateStreams()
        self.counters: dict[str, int] = {}
        self.gauges: dict[str, float] = {}
        self.statistics: dict[str, dict[str, Any]] = {}
        self.disk_used = 0.0
        self.measured: dict[str, float] = {}

    @property
    def grace_most_s(self) -> float:
        """No kill may take longer, while the agent drains."""
        most_s = None if self.drain is None else seconds(self.drain.max_grace_period)
        return inf if most_s is None else max(most_s, 0.0)

    def count(self, name: str) -> None:
        """Add one to a counter."""
        self.counters[name] = self.counters.get(name, 0) + 1

    def find(self, framework_id: str, task_id: str) -> TaskRecord | None:
        """A task that has not been acknowledged as ended."""
        framework = self.frameworks.get(framework_id)
        return framework.tasks.get(task_id) if framework is not None else None

    def tasks(self) -> list[TaskRecord]:
        """All tasks, in order of arrival by framework."""
        return [task for framework in self.frameworks.values() for task in framework.tasks.values()]

    def executors(self) -> list[ExecutorRecord]:
        """All executors but those of command tasks, in order of arrival by framework."""
        return [each for record in self.frameworks.values() for each in record.executors.values()]

    def find_executor(self, framework_id: str, executor_id: str) -> ExecutorRecord | None:
        """An executor that is not forgotten."""
        framework = self.frameworks.get(framework_id)
        return framework.executors.get(executor_id) if framework is not None else None

    def add(self, framework: FrameworkRecord, task: TaskRecord) -> None:
        """Take a task in."""
        task.resources = as_held(from_wire(task.info.resources).allocated_to(None), self.total)
        framework.tasks[task.task_id] = task
        if task.has_container:
            self.containers[task.container] = task
        if task.executor is not None:
            task.executor.tasks[task.task_id] = task

    def add_executor(self, framework: FrameworkRecord, executor: ExecutorRecord) -> None:
        """Take an executor in."""
        resources = from_wire(executor.info.resources).allocated_to(None)
        executor.resources = as_held(resources, self.total)
        framework.executors[executor.id] = executor
        self.executor_containers[executor.container] = executor

    def retire(self, task: TaskRecord) -> FrameworkRecord | None:
        """Move a task whose end was acknowledged to the history; the framework that is now without
        tasks and leaves too, if so."""
        framework = self.frameworks.get(task.framework_id)
        if task.has_container:
            self.containers.pop(task.container, None)
            self.statistics.pop(task.container, None)
        if framework is None:
            return None
        framework.tasks.pop(task.task_id, None)
        if task.executor is not None:
            task.executor.tasks.pop(task.task_id, None)
            task.executor.ended.append(task)
        else:
            framework.ended.append(task)
            while len(framework.ended) > self.config.max_completed_executors:
                framework.ended.popleft()
        return self._leave(framework)

    def retire_executor(self, executor: ExecutorRecord) -> FrameworkRecord | None:
        """Move an executor that has ended, and whose tasks are gone, to the history; the framework
        that leaves with it, if so."""
        self.executor_containers.pop(executor.container, None)
        self.statistics.pop(executor.container, None)
        framework = self.frameworks.get(executor.framework_id)
        if framework is None or framework.executors.pop(executor.id, None) is None:
            return None
        framework.ended_executors.append(executor)
        while len(framework.ended_executors) > self.config.max_completed_executors:
            framework.ended_executors.popleft()
        return self._leave(framework)

    def _leave(self, framework: FrameworkRecord) -> FrameworkRecord | None:
        if framework.tasks or framework.executors:
            return None
        del self.frameworks[framework.id]
        self.completed.append(framework)
        return framework

    def set_aside(self, path: str, reason: str) -> list[Effect]:
        """A checkpoint is damaged: it is told, kept under another name, and no longer read."""
        self.recovery_errors += 1
        fields = {"path": f"{self.config.host.work_dir}/{path}", "reason": reason}
        return [Log("error", "checkpoint_damaged", fields), SetAsideCheckpoint(path)]

    def used(self) -> Resources:
        """Resources of all tasks that have not ended, and of the executors."""
        total = EMPTY
        for task in self.tasks():
            if not is_terminal(task.state):
                total = total + task.resources
        for executor in self.executors():
            if executor.phase is not ExecutorPhase.ENDED:
                total = total + executor.resources
        return total


def container_id(name: str) -> ContainerID:
    """A container's name as it travels: `parent.child` is a nested one."""
    above, _, value = name.rpartition(".")
    return ContainerID(value, container_id(above) if above else None)


def container_name(identifier: ContainerID) -> str:
    """The name of a container: the ids of its parents and its own, joined by dots."""
    if identifier.parent is None:
        return identifier.value
    return f"{container_name(identifier.parent)}.{identifier.value}"


def seconds(duration: DurationInfo | None) -> float | None:
    """A wire duration in seconds."""
    return None if duration is None else duration.nanoseconds / 1e9
