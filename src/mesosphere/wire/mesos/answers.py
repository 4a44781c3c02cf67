"""What the operator API of the master answers: a Response to a call, Events to who follows.

Messages are named for what they hold where the proto nests them: `AgentEntry` is
`Response.GetAgents.Agent`. Source: Mesos, include/mesos/v1/master/master.proto.
"""

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from mesosphere.wire.mesos.agents import AgentCapability, AgentInfo, DrainInfo, MasterInfo
from mesosphere.wire.mesos.base import Double, WireStruct
from mesosphere.wire.mesos.common import TimeInfo, WeightInfo
from mesosphere.wire.mesos.enums import TaskState
from mesosphere.wire.mesos.explanations import Explanation
from mesosphere.wire.mesos.frameworks import FrameworkInfo, OfferConstraints
from mesosphere.wire.mesos.ids import AgentID, FrameworkID
from mesosphere.wire.mesos.maintenance import ClusterStatus, QuotaStatus, Schedule
from mesosphere.wire.mesos.offers import InverseOffer, Offer
from mesosphere.wire.mesos.operator_base import ResponseBase
from mesosphere.wire.mesos.resources import Resource
from mesosphere.wire.mesos.tasks import ExecutorInfo, Task, TaskStatus

RESPONSE_TYPE: Final = {
    "UNKNOWN": 0,
    "GET_HEALTH": 1,
    "GET_FLAGS": 2,
    "GET_VERSION": 3,
    "GET_METRICS": 4,
    "GET_LOGGING_LEVEL": 5,
    "LIST_FILES": 6,
    "READ_FILE": 7,
    "GET_STATE": 8,
    "GET_AGENTS": 9,
    "GET_FRAMEWORKS": 10,
    "GET_EXECUTORS": 11,
    "GET_OPERATIONS": 19,
    "GET_TASKS": 12,
    "GET_ROLES": 13,
    "GET_WEIGHTS": 14,
    "GET_MASTER": 15,
    "GET_MAINTENANCE_STATUS": 16,
    "GET_MAINTENANCE_SCHEDULE": 17,
    "GET_QUOTA": 18,
    "EXPLAIN": 1000,
}

EVENT_TYPE: Final = {
    "UNKNOWN": 0,
    "SUBSCRIBED": 1,
    "TASK_ADDED": 2,
    "TASK_UPDATED": 3,
    "AGENT_ADDED": 4,
    "AGENT_REMOVED": 5,
    "FRAMEWORK_ADDED": 6,
    "FRAMEWORK_UPDATED": 7,
    "FRAMEWORK_REMOVED": 8,
    "HEARTBEAT": 9,
}

if TYPE_CHECKING:
    ResponseType: TypeAlias = str
    EventType: TypeAlias = str
else:
    ResponseType = Literal[tuple(RESPONSE_TYPE)]
    EventType = Literal[tuple(EVENT_TYPE)]


class AgentEntry(WireStruct, kw_only=True):
    agent_info: AgentInfo
    active: bool
    version: str
    pid: str | None = None
    registered_time: TimeInfo | None = None
    reregistered_time: TimeInfo | None = None
    total_resources: list[Resource] = []
    allocated_resources: list[Resource] = []
    offered_resources: list[Resource] = []
    capabilities: list[AgentCapability] = []
    deactivated: bool | None = None
    drain_info: DrainInfo | None = None
    estimated_drain_start_time: TimeInfo | None = None


class GetAgents(WireStruct, kw_only=True):
    agents: list[AgentEntry] = []
    recovered_agents: list[AgentInfo] = []


class FrameworkEntry(WireStruct, kw_only=True):
    framework_info: FrameworkInfo
    active: bool
    connected: bool
    recovered: bool
    registered_time: TimeInfo | None = None
    reregistered_time: TimeInfo | None = None
    unregistered_time: TimeInfo | None = None
    offers: list[Offer] = []
    inverse_offers: list[InverseOffer] = []
    allocated_resources: list[Resource] = []
    offered_resources: list[Resource] = []
    offer_constraints: OfferConstraints | None = None


class GetFrameworks(WireStruct, kw_only=True):
    frameworks: list[FrameworkEntry] = []
    completed_frameworks: list[FrameworkEntry] = []


class ExecutorEntry(WireStruct, kw_only=True):
    executor_info: ExecutorInfo
    agent_id: AgentID


class GetExecutors(WireStruct, kw_only=True):
    executors: list[ExecutorEntry] = []


class GetTasks(WireStruct, kw_only=True):
    """The original's lists of pending and orphan tasks are always empty, and left out."""

    tasks: list[Task] = []
    completed_tasks: list[Task] = []
    unreachable_tasks: list[Task] = []


class GetState(WireStruct, kw_only=True):
    get_tasks: GetTasks | None = None
    get_executors: GetExecutors | None = None
    get_frameworks: GetFrameworks | None = None
    get_agents: GetAgents | None = None


class Role(WireStruct, kw_only=True):
    name: str
    weight: Double
    frameworks: list[FrameworkID] = []
    resources: list[Resource] = []


class GetRoles(WireStruct, kw_only=True):
    roles: list[Role] = []


class GetWeights(WireStruct, kw_only=True):
    weight_infos: list[WeightInfo] = []


class GetMaster(WireStruct, kw_only=True):
    """Times in seconds."""

    master_info: MasterInfo | None = None
    start_time: Double | None = None
    elected_time: Double | None = None


class GetMaintenanceStatus(WireStruct, kw_only=True):
    status: ClusterStatus


class GetMaintenanceSchedule(WireStruct, kw_only=True):
    schedule: Schedule


class GetQuota(WireStruct, kw_only=True):
    status: QuotaStatus


class Response(ResponseBase, kw_only=True):
    type: ResponseType = ""
    get_state: GetState | None = None
    get_agents: GetAgents | None = None
    get_frameworks: GetFrameworks | None = None
    get_executors: GetExecutors | None = None
    get_tasks: GetTasks | None = None
    get_roles: GetRoles | None = None
    get_weights: GetWeights | None = None
    get_master: GetMaster | None = None
    get_maintenance_status: GetMaintenanceStatus | None = None
    get_maintenance_schedule: GetMaintenanceSchedule | None = None
    get_quota: GetQuota | None = None
    explain: Explanation | None = None


class Subscribed(WireStruct, kw_only=True):
    get_state: GetState | None = None
    heartbeat_interval_seconds: Double | None = None


class TaskAdded(WireStruct, kw_only=True):
    task: Task


class TaskUpdated(WireStruct, kw_only=True):
    """`state` is the latest that is known, `status.state` that of this update."""

    framework_id: FrameworkID
    status: TaskStatus
    state: TaskState


class AgentAdded(WireStruct, kw_only=True):
    agent: AgentEntry


class AgentRemoved(WireStruct, kw_only=True):
    agent_id: AgentID


class FrameworkAdded(WireStruct, kw_only=True):
    framework: FrameworkEntry


class FrameworkUpdated(WireStruct, kw_only=True):
    framework: FrameworkEntry


class FrameworkRemoved(WireStruct, kw_only=True):
    framework_info: FrameworkInfo


class Event(WireStruct, kw_only=True):
    """HEARTBEAT has no body."""

    type: EventType = ""
    subscribed: Subscribed | None = None
    task_added: TaskAdded | None = None
    task_updated: TaskUpdated | None = None
    agent_added: AgentAdded | None = None
    agent_removed: AgentRemoved | None = None
    framework_added: FrameworkAdded | None = None
    framework_updated: FrameworkUpdated | None = None
    framework_removed: FrameworkRemoved | None = None


def response(kind: str, body: Any) -> Response:
    """The Response to a call, `body` being the message under the call's name."""
    return Response(type=kind, **{kind.lower(): body})


def event(kind: str, body: Any = None) -> Event:
    """An Event for those who follow."""
    return Event(type=kind) if body is None else Event(type=kind, **{kind.lower(): body})
