"""What an agent knows: its id, its frameworks, their tasks, and what has ended lately.

A *command task* is its own executor, with the executor's id equal to the task's, as schedulers of
the original see it. Histories are bounded. Only `core` changes these records; views read them.
"""

from collections import deque
from math import inf
from typing import Any

import msgspec

from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.life_cycle import Phase
from mesosphere.agent.core.status_updates import UpdateStreams
from mesosphere.kernel.resources import EMPTY, Resources
from mesosphere.wire.mesos.agents import DrainConfig, MasterInfo
from mesosphere.wire.mesos.common import DurationInfo
from mesosphere.wire.mesos.enums import is_terminal
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID, ExecutorID, FrameworkID
from mesosphere.wire.mesos.resources_codec import from_wire
from mesosphere.wire.mesos.tasks import Task, TaskInfo, TaskStatus

COMPLETED_FRAMEWORKS_LIMIT = 50
STATUSES_LIMIT = 20
"""Statuses of a task that are kept for reading, one per distinct consecutive state."""


class TaskRecord(msgspec.Struct, eq=False):
    """A command task and its container."""

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
    healthy: bool | None = None
    grace_until: float | None = None
    kill_grace_s: float | None = None
    resources: Resources = EMPTY

    @property
    def task_id(self) -> str:
        """The framework's name for it."""
        return self.info.task_id.value

    @property
    def executor_id(self) -> str:
        """A command task is its own executor."""
        return self.info.task_id.value

    @property
    def key(self) -> str:
        """`<framework>/<task>`: names of timers end in it."""
        return f"{self.framework_id}/{self.task_id}"

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


class FrameworkRecord(msgspec.Struct, eq=False):
    """A framework with tasks here. `ended` keeps the latest tasks that were acknowledged."""

    info: FrameworkInfo
    tasks: dict[str, TaskRecord] = {}
    ended: deque[TaskRecord] = msgspec.field(default_factory=deque)
    is_terminating: bool = False

    @property
    def id(self) -> str:
        """Its id; the master always fills it in."""
        return self.info.id.value if self.info.id is not None else ""

    def can(self, capability: str) -> bool:
        """Whether the framework declared a capability."""
        return any(each.type == capability for each in self.info.capabilities)


class State:
    """Everything of one agent."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
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
        self.streams = UpdateStreams()
        self.counters: dict[str, int] = {}
        self.gauges: dict[str, float] = {}
        self.statistics: dict[str, dict[str, Any]] = {}
        self.disk_used = 0.0

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

    def add(self, framework: FrameworkRecord, task: TaskRecord) -> None:
        """Take a task in."""
        task.resources = from_wire(task.info.resources).allocated_to(None)
        framework.tasks[task.task_id] = task
        self.containers[task.container] = task

    def retire(self, task: TaskRecord) -> FrameworkRecord | None:
        """Move a task whose end was acknowledged to the history; the framework that is now without
        tasks and leaves too, if so."""
        framework = self.frameworks.get(task.framework_id)
        self.containers.pop(task.container, None)
        self.statistics.pop(task.container, None)
        if framework is None:
            return None
        framework.tasks.pop(task.task_id, None)
        framework.ended.append(task)
        while len(framework.ended) > self.config.max_completed_executors:
            framework.ended.popleft()
        if framework.tasks:
            return None
        del self.frameworks[framework.id]
        self.completed.append(framework)
        return framework

    def used(self) -> Resources:
        """Resources of all tasks that have not ended."""
        total = EMPTY
        for task in self.tasks():
            if not is_terminal(task.state):
                total = total + task.resources
        return total


def seconds(duration: DurationInfo | None) -> float | None:
    """A wire duration in seconds."""
    return None if duration is None else duration.nanoseconds / 1e9


def executor_of(task: TaskRecord) -> ExecutorID:
    """The executor's id as it travels."""
    return ExecutorID(task.executor_id)
