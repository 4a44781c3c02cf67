"""Resources and attributes as they travel; the algebra is in `kernel.resources`.

Source: Mesos, include/mesos/v1/mesos.proto and docs/attributes-resources.md.
"""

from mesosphere.wire.mesos.base import Double, Natural, WireStruct
from mesosphere.wire.mesos.common import Labels
from mesosphere.wire.mesos.containers import Volume
from mesosphere.wire.mesos.enums import DiskSourceType, ReservationType, ValueType
from mesosphere.wire.mesos.ids import AgentID, ResourceProviderID


class Scalar(WireStruct, kw_only=True):
    """`value` has three decimals; infinity (only in limits) travels as \"Infinity\"."""

    value: Double


class Range(WireStruct, kw_only=True):
    """Both ends belong to it."""

    begin: Natural
    end: Natural


class Ranges(WireStruct, kw_only=True):
    range: list[Range] = []


class Set(WireStruct, kw_only=True):
    item: list[str] = []


class Text(WireStruct, kw_only=True):
    value: str


class Attribute(WireStruct, kw_only=True):
    name: str
    type: ValueType
    scalar: Scalar | None = None
    ranges: Ranges | None = None
    set: Set | None = None
    text: Text | None = None


class AllocationInfo(WireStruct, kw_only=True):
    role: str | None = None


class ReservationInfo(WireStruct, kw_only=True):
    type: ReservationType | None = None
    role: str | None = None
    principal: str | None = None
    labels: Labels | None = None


class Persistence(WireStruct, kw_only=True):
    id: str
    principal: str | None = None


class DiskPath(WireStruct, kw_only=True):
    root: str | None = None


class DiskMount(WireStruct, kw_only=True):
    root: str | None = None


class DiskSource(WireStruct, kw_only=True):
    type: DiskSourceType
    path: DiskPath | None = None
    mount: DiskMount | None = None
    vendor: str | None = None
    id: str | None = None
    metadata: Labels | None = None
    profile: str | None = None


class DiskInfo(WireStruct, kw_only=True):
    persistence: Persistence | None = None
    volume: Volume | None = None
    source: DiskSource | None = None


class RevocableInfo(WireStruct, kw_only=True):
    """Present or absent; it holds nothing."""


class SharedInfo(WireStruct, kw_only=True):
    """Present or absent; it holds nothing."""


class Resource(WireStruct, kw_only=True):
    provider_id: ResourceProviderID | None = None
    name: str
    type: ValueType
    scalar: Scalar | None = None
    ranges: Ranges | None = None
    set: Set | None = None
    role: str | None = None
    allocation_info: AllocationInfo | None = None
    reservation: ReservationInfo | None = None
    reservations: list[ReservationInfo] = []
    disk: DiskInfo | None = None
    revocable: RevocableInfo | None = None
    shared: SharedInfo | None = None


class ResourcePart(WireStruct, kw_only=True):
    """The amount of a Resource."""

    scalar: Scalar | None = None
    ranges: Ranges | None = None
    set: Set | None = None


class ResourceRequest(WireStruct, kw_only=True):
    agent_id: AgentID | None = None
    resources: list[Resource] = []


class TaskResourceLimitation(WireStruct, kw_only=True):
    resources: list[Resource] = []
