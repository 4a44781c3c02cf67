"""Masters and agents as they present themselves.

Source: Mesos, include/mesos/v1/mesos.proto.
"""

from mesosphere.wire.mesos.base import Int32, UInt32, WireStruct, emitted
from mesosphere.wire.mesos.common import Address, DomainInfo, DurationInfo
from mesosphere.wire.mesos.enums import AgentCapabilityType, DrainState, MasterCapabilityType
from mesosphere.wire.mesos.ids import AgentID
from mesosphere.wire.mesos.resources import Attribute, Resource


class MasterCapability(WireStruct, kw_only=True):
    type: MasterCapabilityType | None = None


class MasterInfo(WireStruct, kw_only=True):
    """`ip` is the IPv4 address in network byte order, read as a little-endian integer."""

    id: str
    ip: UInt32
    port: UInt32
    pid: str | None = None
    hostname: str | None = None
    version: str | None = None
    address: Address | None = None
    domain: DomainInfo | None = None
    capabilities: list[MasterCapability] = []


class AgentCapability(WireStruct, kw_only=True):
    type: AgentCapabilityType | None = None


class AgentInfo(WireStruct, kw_only=True):
    hostname: str
    port: Int32 = emitted(5051)
    resources: list[Resource] = []
    attributes: list[Attribute] = []
    id: AgentID | None = None
    domain: DomainInfo | None = None


class DrainConfig(WireStruct, kw_only=True):
    max_grace_period: DurationInfo | None = None
    mark_gone: bool = emitted(False)


class DrainInfo(WireStruct, kw_only=True):
    state: DrainState
    config: DrainConfig
