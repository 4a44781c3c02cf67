"""Masters and agents as they present themselves.

Source: Mesos, include/mesos/v1/mesos.proto.
"""

from ipaddress import AddressValueError, IPv4Address
from typing import Final

from mesosphere.wire.mesos.base import Int32, UInt32, WireStruct, emitted
from mesosphere.wire.mesos.common import Address, DomainInfo, DurationInfo
from mesosphere.wire.mesos.enums import AgentCapabilityType, DrainState, MasterCapabilityType
from mesosphere.wire.mesos.ids import AgentID
from mesosphere.wire.mesos.resources import Attribute, Resource

MASTER_CAPABILITIES: Final = ("AGENT_UPDATE", "AGENT_DRAINING", "QUOTA_V2")
"""What masters of 1.11 say that they can do."""


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


def ip_number(ip: str) -> int:
    """An IPv4 address as `MasterInfo.ip` carries it: 10.0.0.1 is 16777226. 0 for any other text."""
    try:
        return int.from_bytes(IPv4Address(ip).packed, "little")
    except AddressValueError:
        return 0


def describe_master(
    master_id: str,
    hostname: str,
    ip: str,
    port: int,
    version: str,
    domain: DomainInfo | None = None,
) -> MasterInfo:
    """The MasterInfo that a master publishes in ZooKeeper and sends to those who subscribe.

    Readers differ: some take `address`, some `pid`, some `hostname` and `port`; all are set.
    """
    return MasterInfo(
        id=master_id,
        ip=ip_number(ip),
        port=port,
        pid=f"master@{ip}:{port}",
        hostname=hostname,
        version=version,
        address=Address(hostname=hostname, ip=ip, port=port),
        domain=domain,
        capabilities=[MasterCapability(type=kind) for kind in MASTER_CAPABILITIES],
    )
