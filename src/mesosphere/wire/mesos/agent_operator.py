"""The operator API of an agent: `POST /api/v1` takes a Call and answers a Response.

Messages are named for what they hold where the proto nests them: `ContainerEntry` is
`Response.GetContainers.Container`. Source: Mesos, include/mesos/v1/agent/agent.proto.
"""

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mesosphere.wire.mesos.agents import AgentInfo, DrainConfig
from mesosphere.wire.mesos.base import Int32, WireStruct
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.common import DurationInfo, TimeInfo
from mesosphere.wire.mesos.containers import ContainerInfo, ContainerStatus, Image, TTYInfo
from mesosphere.wire.mesos.enums import Reason, TaskState
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.ids import ContainerID, ExecutorID, FrameworkID
from mesosphere.wire.mesos.operator_base import CallBase, ResponseBase
from mesosphere.wire.mesos.resources import Resource, Scalar, TaskResourceLimitation
from mesosphere.wire.mesos.statistics import ResourceStatistics
from mesosphere.wire.mesos.tasks import ExecutorInfo, Task

AGENT_CALL_TYPE: Final = {
    "UNKNOWN": 0,
    "GET_HEALTH": 1,
    "GET_FLAGS": 2,
    "GET_VERSION": 3,
    "GET_METRICS": 4,
    "GET_LOGGING_LEVEL": 5,
    "SET_LOGGING_LEVEL": 6,
    "LIST_FILES": 7,
    "READ_FILE": 8,
    "GET_STATE": 9,
    "GET_CONTAINERS": 10,
    "GET_FRAMEWORKS": 11,
    "GET_EXECUTORS": 12,
    "GET_OPERATIONS": 31,
    "GET_TASKS": 13,
    "GET_AGENT": 20,
    "GET_RESOURCE_PROVIDERS": 26,
    "LAUNCH_NESTED_CONTAINER": 14,
    "WAIT_NESTED_CONTAINER": 15,
    "KILL_NESTED_CONTAINER": 16,
    "REMOVE_NESTED_CONTAINER": 21,
    "LAUNCH_NESTED_CONTAINER_SESSION": 17,
    "ATTACH_CONTAINER_INPUT": 18,
    "ATTACH_CONTAINER_OUTPUT": 19,
    "LAUNCH_CONTAINER": 22,
    "WAIT_CONTAINER": 23,
    "KILL_CONTAINER": 24,
    "REMOVE_CONTAINER": 25,
    "ADD_RESOURCE_PROVIDER_CONFIG": 27,
    "UPDATE_RESOURCE_PROVIDER_CONFIG": 28,
    "REMOVE_RESOURCE_PROVIDER_CONFIG": 29,
    "MARK_RESOURCE_PROVIDER_GONE": 32,
    "PRUNE_IMAGES": 30,
}
AGENT_RESPONSE_TYPE: Final = {
    "UNKNOWN": 0,
    "GET_HEALTH": 1,
    "GET_FLAGS": 2,
    "GET_VERSION": 3,
    "GET_METRICS": 4,
    "GET_LOGGING_LEVEL": 5,
    "LIST_FILES": 6,
    "READ_FILE": 7,
    "GET_STATE": 8,
    "GET_CONTAINERS": 9,
    "GET_FRAMEWORKS": 10,
    "GET_EXECUTORS": 11,
    "GET_OPERATIONS": 17,
    "GET_TASKS": 12,
    "GET_AGENT": 14,
    "GET_RESOURCE_PROVIDERS": 16,
    "WAIT_NESTED_CONTAINER": 13,
    "WAIT_CONTAINER": 15,
}
PROCESS_IO_TYPE: Final = {"UNKNOWN": 0, "DATA": 1, "CONTROL": 2}
PROCESS_DATA_TYPE: Final = {"UNKNOWN": 0, "STDIN": 1, "STDOUT": 2, "STDERR": 3}
PROCESS_CONTROL_TYPE: Final = {"UNKNOWN": 0, "TTY_INFO": 1, "HEARTBEAT": 2}
ATTACH_TYPE: Final = {"UNKNOWN": 0, "CONTAINER_ID": 1, "PROCESS_IO": 2}

if TYPE_CHECKING:
    AgentCallType: TypeAlias = str
    AgentResponseType: TypeAlias = str
    ProcessIOType: TypeAlias = str
    ProcessDataType: TypeAlias = str
    ProcessControlType: TypeAlias = str
    AttachType: TypeAlias = str
else:
    AgentCallType = Literal[tuple(AGENT_CALL_TYPE)]
    AgentResponseType = Literal[tuple(AGENT_RESPONSE_TYPE)]
    ProcessIOType = Literal[tuple(PROCESS_IO_TYPE)]
    ProcessDataType = Literal[tuple(PROCESS_DATA_TYPE)]
    ProcessControlType = Literal[tuple(PROCESS_CONTROL_TYPE)]
    AttachType = Literal[tuple(ATTACH_TYPE)]


# --- what goes through attached containers --------------------------------------------------


class ProcessData(WireStruct, kw_only=True):
    type: ProcessDataType | None = None
    data: bytes | None = None


class ProcessHeartbeat(WireStruct, kw_only=True):
    interval: DurationInfo | None = None


class ProcessControl(WireStruct, kw_only=True):
    type: ProcessControlType | None = None
    tty_info: TTYInfo | None = None
    heartbeat: ProcessHeartbeat | None = None


class ProcessIO(WireStruct, kw_only=True):
    type: ProcessIOType | None = None
    data: ProcessData | None = None
    control: ProcessControl | None = None


# --- calls ----------------------------------------------------------------------------------


class GetContainers(WireStruct, kw_only=True):
    show_nested: bool | None = None
    show_standalone: bool | None = None


class LaunchNestedContainer(WireStruct, kw_only=True):
    """Also the body of LAUNCH_NESTED_CONTAINER_SESSION."""

    container_id: ContainerID
    command: CommandInfo | None = None
    container: ContainerInfo | None = None


class LaunchContainer(WireStruct, kw_only=True):
    """A nested container if its id has a parent, else one of its own."""

    container_id: ContainerID
    command: CommandInfo | None = None
    resources: list[Resource] = []
    container: ContainerInfo | None = None
    limits: dict[str, Scalar] = {}


class OneContainer(WireStruct, kw_only=True):
    """The body of WAIT, REMOVE and ATTACH_CONTAINER_OUTPUT."""

    container_id: ContainerID


class KillContainer(WireStruct, kw_only=True):
    """`signal` is SIGKILL unless given."""

    container_id: ContainerID
    signal: Int32 | None = None


class AttachContainerInput(WireStruct, kw_only=True):
    type: AttachType | None = None
    container_id: ContainerID | None = None
    process_io: ProcessIO | None = None


class PruneImages(WireStruct, kw_only=True):
    excluded_images: list[Image] = []


class Call(CallBase, kw_only=True):
    type: AgentCallType = ""
    get_containers: GetContainers | None = None
    launch_nested_container: LaunchNestedContainer | None = None
    wait_nested_container: OneContainer | None = None
    kill_nested_container: KillContainer | None = None
    remove_nested_container: OneContainer | None = None
    launch_nested_container_session: LaunchNestedContainer | None = None
    attach_container_input: AttachContainerInput | None = None
    attach_container_output: OneContainer | None = None
    launch_container: LaunchContainer | None = None
    wait_container: OneContainer | None = None
    kill_container: KillContainer | None = None
    remove_container: OneContainer | None = None
    prune_images: PruneImages | None = None


# --- answers --------------------------------------------------------------------------------


class ContainerEntry(WireStruct, kw_only=True):
    framework_id: FrameworkID | None = None
    executor_id: ExecutorID | None = None
    executor_name: str | None = None
    container_id: ContainerID
    container_status: ContainerStatus | None = None
    resource_statistics: ResourceStatistics | None = None


class ShownContainers(WireStruct, kw_only=True):
    """GetContainers of the Response."""

    containers: list[ContainerEntry] = []


class FrameworkEntry(WireStruct, kw_only=True):
    framework_info: FrameworkInfo


class GetFrameworks(WireStruct, kw_only=True):
    frameworks: list[FrameworkEntry] = []
    completed_frameworks: list[FrameworkEntry] = []


class ExecutorEntry(WireStruct, kw_only=True):
    executor_info: ExecutorInfo


class GetExecutors(WireStruct, kw_only=True):
    executors: list[ExecutorEntry] = []
    completed_executors: list[ExecutorEntry] = []


class GetTasks(WireStruct, kw_only=True):
    pending_tasks: list[Task] = []
    queued_tasks: list[Task] = []
    launched_tasks: list[Task] = []
    terminated_tasks: list[Task] = []
    completed_tasks: list[Task] = []


class GetState(WireStruct, kw_only=True):
    get_tasks: GetTasks | None = None
    get_executors: GetExecutors | None = None
    get_frameworks: GetFrameworks | None = None


class GetAgent(WireStruct, kw_only=True):
    agent_info: AgentInfo | None = None
    drain_config: DrainConfig | None = None
    estimated_drain_start_time: TimeInfo | None = None


class GetResourceProviders(WireStruct, kw_only=True):
    """There are none."""


class WaitContainer(WireStruct, kw_only=True):
    """`exit_status` is a raw wait status."""

    exit_status: Int32 | None = None
    state: TaskState | None = None
    reason: Reason | None = None
    limitation: TaskResourceLimitation | None = None
    message: str | None = None


class Response(ResponseBase, kw_only=True):
    type: AgentResponseType = ""
    get_state: GetState | None = None
    get_containers: ShownContainers | None = None
    get_frameworks: GetFrameworks | None = None
    get_executors: GetExecutors | None = None
    get_tasks: GetTasks | None = None
    get_agent: GetAgent | None = None
    get_resource_providers: GetResourceProviders | None = None
    wait_nested_container: WaitContainer | None = None
    wait_container: WaitContainer | None = None
