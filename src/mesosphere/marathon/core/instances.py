"""Instances: what Marathon launched, in which condition it is, and how that changes.

Decides what each status update means. Vocabulary: an *instance* is one place of an app; each
launch of it is a *task* with the next *incarnation*. Its *goal* is what we want of it, its
*condition* what we know of it.
Invariants: an instance is in the store before its task is launched and until the task is known to
have ended; terminal is final; every active condition has an answer to every update.
Source: Marathon, "Task handling", "Unreachable strategy"; Condition.scala, TaskConditionMapping.
"""

from collections.abc import Mapping
from enum import Enum

import msgspec

from mesosphere.kernel.transitions import Step, Table
from mesosphere.marathon.core.constraints import Place
from mesosphere.marathon.core.health import Health
from mesosphere.wire.marathon import paths

MESSAGE_LIMIT = 10_000
"""Characters of a status message that are kept."""


class Goal(Enum):
    """What we want of an instance."""

    RUNNING = "Running"
    DECOMMISSIONED = "Decommissioned"


class Condition(Enum):
    """What we know of an instance, as events name it."""

    PROVISIONED = "Provisioned"  # stored, its task is being launched
    STAGING = "Staging"
    STARTING = "Starting"
    RUNNING = "Running"
    KILLING = "Killing"
    UNREACHABLE = "Unreachable"
    UNREACHABLE_INACTIVE = "UnreachableInactive"
    FINISHED = "Finished"
    FAILED = "Failed"
    KILLED = "Killed"
    ERROR = "Error"
    GONE = "Gone"
    DROPPED = "Dropped"
    UNKNOWN = "Unknown"


ACTIVE = (
    Condition.PROVISIONED,
    Condition.STAGING,
    Condition.STARTING,
    Condition.RUNNING,
    Condition.KILLING,
    Condition.UNREACHABLE,
    Condition.UNREACHABLE_INACTIVE,
)
LOST = (Condition.UNREACHABLE, Condition.UNREACHABLE_INACTIVE)
TERMINAL = tuple(condition for condition in Condition if condition not in ACTIVE)


class Consequence(Enum):
    """What the caller does about a change, in order."""

    STARTED = "started"  # it runs for the first time
    LENGTHEN_DELAY = "lengthen delay"
    RECORD_FAILURE = "record failure"
    REMOVE = "remove"


_ENDS: Mapping[Condition, tuple[Consequence, ...]] = {
    Condition.FINISHED: (Consequence.LENGTHEN_DELAY, Consequence.REMOVE),
    Condition.KILLED: (Consequence.REMOVE,),
    Condition.FAILED: (
        Consequence.LENGTHEN_DELAY,
        Consequence.RECORD_FAILURE,
        Consequence.REMOVE,
    ),
    Condition.ERROR: (Consequence.LENGTHEN_DELAY, Consequence.RECORD_FAILURE, Consequence.REMOVE),
    Condition.GONE: (Consequence.LENGTHEN_DELAY, Consequence.RECORD_FAILURE, Consequence.REMOVE),
    Condition.DROPPED: (
        Consequence.LENGTHEN_DELAY,
        Consequence.RECORD_FAILURE,
        Consequence.REMOVE,
    ),
    Condition.UNKNOWN: (Consequence.RECORD_FAILURE, Consequence.REMOVE),
}


def _steps() -> dict[tuple[Condition, Condition], Step[Condition, Consequence]]:
    steps: dict[tuple[Condition, Condition], Step[Condition, Consequence]] = {}
    for condition in ACTIVE:
        for told in ACTIVE:
            if told in (Condition.PROVISIONED, Condition.UNREACHABLE_INACTIVE):
                continue  # nobody but us says these
            if told is Condition.STAGING and condition in (Condition.STARTING, Condition.RUNNING):
                continue  # news from before what we know already
            if told is Condition.STARTING and condition is Condition.RUNNING:
                continue
            if condition is Condition.KILLING and told not in LOST:
                steps[condition, told] = Step(Condition.KILLING)
                continue
            if told is Condition.UNREACHABLE and condition is Condition.UNREACHABLE_INACTIVE:
                steps[condition, told] = Step(condition)
                continue
            first = told is Condition.RUNNING and condition is not Condition.RUNNING
            steps[condition, told] = Step(told, (Consequence.STARTED,) if first else ())
        for told, consequences in _ENDS.items():
            steps[condition, told] = Step(told, consequences)
    return steps


LIFE: Table[Condition, Condition, Consequence] = Table("instance", _steps())
"""(condition, what an update says) -> what follows. A missing pair is old news and is ignored."""

_CONDITIONS: Mapping[str, Condition] = {
    "TASK_STAGING": Condition.STAGING,
    "TASK_STARTING": Condition.STARTING,
    "TASK_RUNNING": Condition.RUNNING,
    "TASK_KILLING": Condition.KILLING,
    "TASK_FINISHED": Condition.FINISHED,
    "TASK_FAILED": Condition.FAILED,
    "TASK_KILLED": Condition.KILLED,
    "TASK_ERROR": Condition.ERROR,
    "TASK_DROPPED": Condition.DROPPED,
    "TASK_UNREACHABLE": Condition.UNREACHABLE,
    "TASK_GONE": Condition.GONE,
    "TASK_GONE_BY_OPERATOR": Condition.GONE,
    "TASK_UNKNOWN": Condition.UNKNOWN,
}
_LOST_BUT_MAY_RETURN = (
    "REASON_RECONCILIATION",
    "REASON_SLAVE_DISCONNECTED",
    "REASON_SLAVE_REMOVED",
    "REASON_AGENT_DISCONNECTED",
    "REASON_AGENT_REMOVED",
)
_STATES: Mapping[Condition, str] = {
    Condition.PROVISIONED: "TASK_STAGING",
    Condition.UNREACHABLE_INACTIVE: "TASK_UNREACHABLE",
    Condition.GONE: "TASK_GONE",
    **{condition: state for state, condition in _CONDITIONS.items() if "BY_OPERATOR" not in state},
}


def condition_of(state: str, reason: str | None, message: str | None) -> Condition:
    """The condition that a Mesos task state stands for; TASK_LOST depends on its reason."""
    if state != "TASK_LOST":
        return _CONDITIONS.get(state, Condition.UNKNOWN)
    if (message or "").startswith("Reconciliation: Task is unknown to the"):
        return Condition.UNKNOWN
    return Condition.UNREACHABLE if reason in _LOST_BUT_MAY_RETURN else Condition.GONE


def state_of(condition: Condition) -> str:
    """The Mesos state that the API shows for a condition."""
    return _STATES[condition]


class Instance(msgspec.Struct):
    """One instance. Times in seconds since 1970."""

    id: str
    app_id: str
    version: str
    incarnation: int
    agent_id: str
    hostname: str
    role: str
    ports: tuple[int, ...]  # host ports
    effective_ports: tuple[int, ...]  # of each port: where it is found, in whichever network
    staged_at: float
    since: float
    region: str | None = None
    zone: str | None = None
    attributes: dict[str, str] = {}
    goal: Goal = Goal.RUNNING
    condition: Condition = Condition.PROVISIONED
    started_at: float | None = None
    unreachable_at: float | None = None
    addresses: tuple[str, ...] = ()
    health: tuple[Health, ...] = ()
    is_ready: bool = False
    check_result: dict[str, object] | None = None

    @property
    def task_id(self) -> str:
        """The id of its present task."""
        return f"{self.id}._app.{self.incarnation}"

    @property
    def place(self) -> Place:
        """Its agent as constraints see it."""
        return Place(self.hostname, self.region, self.zone, self.attributes)

    @property
    def is_leaving(self) -> bool:
        """Whether it was told to end."""
        return self.goal is not Goal.RUNNING


def new_instance_id(app_id: str, uuid: str) -> str:
    """An id for a new instance of an app."""
    return f"{paths.safe_path(app_id)}.instance-{uuid}"


class TaskName(msgspec.Struct, frozen=True):
    """What a task id says."""

    app_id: str
    instance_id: str


def parse_task_id(task_id: str) -> TaskName | None:
    """The app and instance of a task id in any of the four forms ever used; None: malformed.

    "<safe path>.instance-<uuid>._app.<n>", "<safe path>.marathon-<uuid>..." and, from 1.7 and
    before, "<safe path>.<uuid>" with or without ".<n>".
    """
    for mark in (".instance-", ".marathon-"):
        safe, found, rest = task_id.rpartition(mark)
        if found and safe:
            uuid = rest.split(".", 1)[0]
            return TaskName(paths.from_safe_path(safe), f"{safe}{mark}{uuid}") if uuid else None
    parts = task_id.split(".")
    if len(parts) > 2 and parts[-1].isdigit():
        parts = parts[:-1]
    if len(parts) < 2 or len(parts[-1]) != 36 or parts[-1].count("-") != 4:
        return None
    safe = ".".join(parts[:-1])
    return TaskName(paths.from_safe_path(safe), f"{safe}.{parts[-1]}")


class Instances:
    """All instances, by id and by app, in the order they were launched."""

    def __init__(self) -> None:
        self.by_id: dict[str, Instance] = {}
        self._by_app: dict[str, dict[str, Instance]] = {}

    def add(self, instance: Instance) -> None:
        """Take in a new one."""
        self.by_id[instance.id] = instance
        self._by_app.setdefault(instance.app_id, {})[instance.id] = instance

    def remove(self, instance: Instance) -> None:
        """Forget one."""
        self.by_id.pop(instance.id, None)
        ours = self._by_app.get(instance.app_id)
        if ours is not None:
            ours.pop(instance.id, None)
            if not ours:
                del self._by_app[instance.app_id]

    def of_app(self, app_id: str) -> list[Instance]:
        """The instances of an app."""
        return list(self._by_app.get(app_id, {}).values())

    def count(self, app_id: str) -> int:
        """How many instances an app has."""
        return len(self._by_app.get(app_id, ()))

    def of_task(self, task_id: str) -> Instance | None:
        """The instance whose present task this is."""
        name = parse_task_id(task_id)
        instance = None if name is None else self.by_id.get(name.instance_id)
        return instance if instance is not None and instance.task_id == task_id else None
