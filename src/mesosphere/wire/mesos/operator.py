"""The operator API of the master: `POST /api/v1` takes a Call; `answers` has the Response.

Source: Mesos, include/mesos/v1/master/master.proto.
"""

from mesosphere.wire.mesos.base import WireStruct, emitted
from mesosphere.wire.mesos.common import Duration, MachineID, WeightInfo
from mesosphere.wire.mesos.enums import OperatorCallType
from mesosphere.wire.mesos.explanations import Explain
from mesosphere.wire.mesos.ids import AgentID, FrameworkID
from mesosphere.wire.mesos.maintenance import QuotaConfig, QuotaRequest, Schedule
from mesosphere.wire.mesos.operator_base import CallBase
from mesosphere.wire.mesos.resources import Resource, Scalar


class UpdateWeights(WireStruct, kw_only=True):
    weight_infos: list[WeightInfo] = []


class ReserveResources(WireStruct, kw_only=True):
    agent_id: AgentID
    source: list[Resource] = []
    resources: list[Resource] = []


class UnreserveResources(WireStruct, kw_only=True):
    agent_id: AgentID
    resources: list[Resource] = []


class CreateVolumes(WireStruct, kw_only=True):
    agent_id: AgentID
    volumes: list[Resource] = []


class DestroyVolumes(WireStruct, kw_only=True):
    agent_id: AgentID
    volumes: list[Resource] = []


class GrowVolume(WireStruct, kw_only=True):
    agent_id: AgentID | None = None
    volume: Resource
    addition: Resource


class ShrinkVolume(WireStruct, kw_only=True):
    agent_id: AgentID | None = None
    volume: Resource
    subtract: Scalar


class UpdateMaintenanceSchedule(WireStruct, kw_only=True):
    schedule: Schedule


class StartMaintenance(WireStruct, kw_only=True):
    machines: list[MachineID] = []


class StopMaintenance(WireStruct, kw_only=True):
    machines: list[MachineID] = []


class DrainAgent(WireStruct, kw_only=True):
    agent_id: AgentID
    max_grace_period: Duration | None = None
    mark_gone: bool = emitted(False)


class DeactivateAgent(WireStruct, kw_only=True):
    agent_id: AgentID


class ReactivateAgent(WireStruct, kw_only=True):
    agent_id: AgentID


class UpdateQuota(WireStruct, kw_only=True):
    force: bool | None = None
    quota_configs: list[QuotaConfig] = []


class SetQuota(WireStruct, kw_only=True):
    quota_request: QuotaRequest


class RemoveQuota(WireStruct, kw_only=True):
    role: str


class Teardown(WireStruct, kw_only=True):
    framework_id: FrameworkID


class MarkAgentGone(WireStruct, kw_only=True):
    agent_id: AgentID


class Call(CallBase, kw_only=True):
    type: OperatorCallType = ""
    update_weights: UpdateWeights | None = None
    reserve_resources: ReserveResources | None = None
    unreserve_resources: UnreserveResources | None = None
    create_volumes: CreateVolumes | None = None
    destroy_volumes: DestroyVolumes | None = None
    grow_volume: GrowVolume | None = None
    shrink_volume: ShrinkVolume | None = None
    update_maintenance_schedule: UpdateMaintenanceSchedule | None = None
    start_maintenance: StartMaintenance | None = None
    stop_maintenance: StopMaintenance | None = None
    drain_agent: DrainAgent | None = None
    deactivate_agent: DeactivateAgent | None = None
    reactivate_agent: ReactivateAgent | None = None
    update_quota: UpdateQuota | None = None
    teardown: Teardown | None = None
    mark_agent_gone: MarkAgentGone | None = None
    set_quota: SetQuota | None = None
    remove_quota: RemoveQuota | None = None
    explain: Explain | None = None
