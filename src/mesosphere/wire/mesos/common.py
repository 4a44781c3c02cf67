"""Small values that many messages carry: times, labels, addresses, discovery.

Source: Mesos, include/mesos/v1/mesos.proto.
"""

from mesosphere.wire.mesos.base import Double, Int32, Int64, Natural, UInt32, WireStruct
from mesosphere.wire.mesos.enums import MachineInfoMode, Visibility


class TimeInfo(WireStruct, kw_only=True):
    nanoseconds: Int64


class DurationInfo(WireStruct, kw_only=True):
    nanoseconds: Int64


class Duration(WireStruct, kw_only=True):
    """google.protobuf.Duration."""

    seconds: Int64 | None = None
    nanos: Int32 | None = None


class Label(WireStruct, kw_only=True):
    key: str
    value: str | None = None


class Labels(WireStruct, kw_only=True):
    labels: list[Label] = []


class Parameter(WireStruct, kw_only=True):
    key: str
    value: str


class Parameters(WireStruct, kw_only=True):
    parameter: list[Parameter] = []


class Address(WireStruct, kw_only=True):
    hostname: str | None = None
    ip: str | None = None
    port: Int32


class URL(WireStruct, kw_only=True):
    scheme: str
    address: Address
    path: str | None = None
    query: list[Parameter] = []
    fragment: str | None = None


class Unavailability(WireStruct, kw_only=True):
    start: TimeInfo
    duration: DurationInfo | None = None


class MachineID(WireStruct, kw_only=True):
    hostname: str | None = None
    ip: str | None = None


class MachineInfo(WireStruct, kw_only=True):
    id: MachineID
    mode: MachineInfoMode | None = None
    unavailability: Unavailability | None = None


class RegionInfo(WireStruct, kw_only=True):
    name: str


class ZoneInfo(WireStruct, kw_only=True):
    name: str


class FaultDomain(WireStruct, kw_only=True):
    region: RegionInfo
    zone: ZoneInfo


class DomainInfo(WireStruct, kw_only=True):
    fault_domain: FaultDomain | None = None


class Port(WireStruct, kw_only=True):
    number: UInt32
    name: str | None = None
    protocol: str | None = None
    visibility: Visibility | None = None
    labels: Labels | None = None


class Ports(WireStruct, kw_only=True):
    ports: list[Port] = []


class DiscoveryInfo(WireStruct, kw_only=True):
    visibility: Visibility
    name: str | None = None
    environment: str | None = None
    location: str | None = None
    version: str | None = None
    ports: Ports | None = None
    labels: Labels | None = None


class Credential(WireStruct, kw_only=True):
    principal: str
    secret: str | None = None


class VersionInfo(WireStruct, kw_only=True):
    version: str
    build_date: str | None = None
    build_time: Double | None = None
    build_user: str | None = None
    git_sha: str | None = None
    git_branch: str | None = None
    git_tag: str | None = None


class Flag(WireStruct, kw_only=True):
    name: str
    value: str | None = None


class Metric(WireStruct, kw_only=True):
    name: str
    value: Double | None = None


class FileInfo(WireStruct, kw_only=True):
    path: str
    nlink: Int32 | None = None
    size: Natural | None = None
    mtime: TimeInfo | None = None
    mode: UInt32 | None = None
    uid: str | None = None
    gid: str | None = None


class WeightInfo(WireStruct, kw_only=True):
    weight: Double
    role: str | None = None
