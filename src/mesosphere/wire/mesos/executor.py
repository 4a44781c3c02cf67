"""The executor API: `POST /api/v1/executor` takes a Call, its SUBSCRIBE stream carries Events.

Source: Mesos, include/mesos/v1/executor/executor.proto.
"""

from mesosphere.wire.mesos.agents import AgentInfo
from mesosphere.wire.mesos.base import WireStruct
from mesosphere.wire.mesos.commands import KillPolicy
from mesosphere.wire.mesos.enums import ExecutorCallType, ExecutorEventType
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.ids import ContainerID, ExecutorID, FrameworkID, TaskID
from mesosphere.wire.mesos.tasks import ExecutorInfo, TaskGroupInfo, TaskInfo, TaskStatus


class Subscribed(WireStruct, kw_only=True):
    executor_info: ExecutorInfo
    framework_info: FrameworkInfo
    agent_info: AgentInfo
    container_id: ContainerID | None = None


class Launch(WireStruct, kw_only=True):
    task: TaskInfo


class LaunchGroup(WireStruct, kw_only=True):
    task_group: TaskGroupInfo


class Kill(WireStruct, kw_only=True):
    task_id: TaskID
    kill_policy: KillPolicy | None = None


class Acknowledged(WireStruct, kw_only=True):
    task_id: TaskID
    uuid: bytes


class Message(WireStruct, kw_only=True):
    data: bytes


class Error(WireStruct, kw_only=True):
    message: str


class Event(WireStruct, kw_only=True):
    type: ExecutorEventType = ""
    subscribed: Subscribed | None = None
    acknowledged: Acknowledged | None = None
    launch: Launch | None = None
    launch_group: LaunchGroup | None = None
    kill: Kill | None = None
    message: Message | None = None
    error: Error | None = None


class Update(WireStruct, kw_only=True):
    status: TaskStatus


class Subscribe(WireStruct, kw_only=True):
    unacknowledged_tasks: list[TaskInfo] = []
    unacknowledged_updates: list[Update] = []


class Call(WireStruct, kw_only=True):
    type: ExecutorCallType = ""
    executor_id: ExecutorID
    framework_id: FrameworkID
    subscribe: Subscribe | None = None
    update: Update | None = None
    message: Message | None = None
