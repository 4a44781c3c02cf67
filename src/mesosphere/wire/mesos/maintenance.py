"""Maintenance schedules and quotas.

Source: Mesos, include/mesos/v1/maintenance, quota and allocator.
"""

from mesosphere.wire.mesos.base import WireStruct
from mesosphere.wire.mesos.common import MachineID, TimeInfo, Unavailability
from mesosphere.wire.mesos.enums import InverseOfferAnswer
from mesosphere.wire.mesos.ids import FrameworkID
from mesosphere.wire.mesos.resources import Resource, Scalar


class Window(WireStruct, kw_only=True):
    machine_ids: list[MachineID] = []
    unavailability: Unavailability


class Schedule(WireStruct, kw_only=True):
    windows: list[Window] = []


class InverseOfferStatus(WireStruct, kw_only=True):
    status: InverseOfferAnswer
    framework_id: FrameworkID
    timestamp: TimeInfo


class DrainingMachine(WireStruct, kw_only=True):
    id: MachineID
    statuses: list[InverseOfferStatus] = []


class ClusterStatus(WireStruct, kw_only=True):
    draining_machines: list[DrainingMachine] = []
    down_machines: list[MachineID] = []


class QuotaInfo(WireStruct, kw_only=True):
    role: str | None = None
    principal: str | None = None
    guarantee: list[Resource] = []


class QuotaRequest(WireStruct, kw_only=True):
    force: bool | None = None
    role: str | None = None
    guarantee: list[Resource] = []


class QuotaConfig(WireStruct, kw_only=True):
    role: str
    guarantees: dict[str, Scalar] = {}
    limits: dict[str, Scalar] = {}


class QuotaStatus(WireStruct, kw_only=True):
    infos: list[QuotaInfo] = []
    configs: list[QuotaConfig] = []
