"""What a framework may do with an offer (Offer.Operation), and how it went.

Source: Mesos, include/mesos/v1/mesos.proto.
"""

from mesosphere.wire.mesos.base import WireStruct
from mesosphere.wire.mesos.enums import DiskSourceType, OperationState, OperationType
from mesosphere.wire.mesos.ids import UUID, AgentID, FrameworkID, OperationID, ResourceProviderID
from mesosphere.wire.mesos.resources import Resource, Scalar
from mesosphere.wire.mesos.tasks import ExecutorInfo, TaskGroupInfo, TaskInfo


class Launch(WireStruct, kw_only=True):
    task_infos: list[TaskInfo] = []


class LaunchGroup(WireStruct, kw_only=True):
    executor: ExecutorInfo
    task_group: TaskGroupInfo


class Reserve(WireStruct, kw_only=True):
    source: list[Resource] = []
    resources: list[Resource] = []


class Unreserve(WireStruct, kw_only=True):
    resources: list[Resource] = []


class Create(WireStruct, kw_only=True):
    volumes: list[Resource] = []


class Destroy(WireStruct, kw_only=True):
    volumes: list[Resource] = []


class GrowVolume(WireStruct, kw_only=True):
    volume: Resource
    addition: Resource


class ShrinkVolume(WireStruct, kw_only=True):
    volume: Resource
    subtract: Scalar


class CreateDisk(WireStruct, kw_only=True):
    source: Resource
    target_type: DiskSourceType
    target_profile: str | None = None


class DestroyDisk(WireStruct, kw_only=True):
    source: Resource


class Operation(WireStruct, kw_only=True):
    """One step of ACCEPT; the field named like the type, in lower case, holds its body."""

    type: OperationType = ""
    id: OperationID | None = None
    launch: Launch | None = None
    launch_group: LaunchGroup | None = None
    reserve: Reserve | None = None
    unreserve: Unreserve | None = None
    create: Create | None = None
    destroy: Destroy | None = None
    grow_volume: GrowVolume | None = None
    shrink_volume: ShrinkVolume | None = None
    create_disk: CreateDisk | None = None
    destroy_disk: DestroyDisk | None = None


class OperationStatus(WireStruct, kw_only=True):
    operation_id: OperationID | None = None
    state: OperationState
    message: str | None = None
    converted_resources: list[Resource] = []
    uuid: UUID | None = None
    agent_id: AgentID | None = None
    resource_provider_id: ResourceProviderID | None = None


class OperationRecord(WireStruct, kw_only=True):
    """The message `Operation` (what master and agent keep); `Operation` here is Offer.Operation."""

    framework_id: FrameworkID | None = None
    agent_id: AgentID | None = None
    info: Operation
    latest_status: OperationStatus
    statuses: list[OperationStatus] = []
    uuid: UUID
