"""Containers: images, volumes, networks, Linux settings, and their status.

CSI volumes keep their type only, so that validation can refuse them.
Source: Mesos, include/mesos/v1/mesos.proto.
"""

from mesosphere.wire.mesos.base import UINT64_LIMIT, UInt32, UInt64, WireStruct, emitted
from mesosphere.wire.mesos.commands import Secret
from mesosphere.wire.mesos.common import Credential, Labels, Parameter, Parameters
from mesosphere.wire.mesos.container_enums import (
    ContainerInfoType,
    DockerNetwork,
    ImageType,
    IpcMode,
    LinuxCapability,
    MountPropagationMode,
    Protocol,
    RLimitType,
    SandboxPathType,
    VolumeMode,
    VolumeSourceType,
)
from mesosphere.wire.mesos.ids import ContainerID


class AppcImage(WireStruct, kw_only=True):
    name: str
    id: str | None = None
    labels: Labels | None = None


class DockerImage(WireStruct, kw_only=True):
    name: str
    credential: Credential | None = None
    config: Secret | None = None


class Image(WireStruct, kw_only=True):
    type: ImageType
    appc: AppcImage | None = None
    docker: DockerImage | None = None
    cached: bool = emitted(True)


class MountPropagation(WireStruct, kw_only=True):
    mode: MountPropagationMode | None = None


class DockerVolume(WireStruct, kw_only=True):
    driver: str | None = None
    name: str
    driver_options: Parameters | None = None


class HostPath(WireStruct, kw_only=True):
    path: str
    mount_propagation: MountPropagation | None = None


class SandboxPath(WireStruct, kw_only=True):
    type: SandboxPathType | None = None
    path: str


class VolumeSource(WireStruct, kw_only=True):
    type: VolumeSourceType | None = None
    docker_volume: DockerVolume | None = None
    host_path: HostPath | None = None
    sandbox_path: SandboxPath | None = None
    secret: Secret | None = None


class Volume(WireStruct, kw_only=True):
    mode: VolumeMode
    container_path: str
    host_path: str | None = None
    image: Image | None = None
    source: VolumeSource | None = None


class IPAddress(WireStruct, kw_only=True):
    protocol: Protocol = emitted("IPv4")
    ip_address: str | None = None


class PortMapping(WireStruct, kw_only=True):
    """Of DockerInfo and of NetworkInfo: the two messages are alike."""

    host_port: UInt32
    container_port: UInt32
    protocol: str | None = None


class NetworkInfo(WireStruct, kw_only=True):
    ip_addresses: list[IPAddress] = []
    name: str | None = None
    groups: list[str] = []
    labels: Labels | None = None
    port_mappings: list[PortMapping] = []


class CapabilityInfo(WireStruct, kw_only=True):
    capabilities: list[LinuxCapability] = []


class SeccompInfo(WireStruct, kw_only=True):
    profile_name: str | None = None
    unconfined: bool | None = None


class LinuxInfo(WireStruct, kw_only=True):
    capability_info: CapabilityInfo | None = None
    bounding_capabilities: CapabilityInfo | None = None
    effective_capabilities: CapabilityInfo | None = None
    share_pid_namespace: bool | None = None
    seccomp: SeccompInfo | None = None
    ipc_mode: IpcMode | None = None
    shm_size: UInt32 | None = None
    share_cgroups: bool = emitted(True)


class RLimit(WireStruct, kw_only=True):
    type: RLimitType | None = None
    hard: UInt64 | None = None
    soft: UInt64 | None = None

    def __post_init__(self) -> None:
        if max(self.hard or 0, self.soft or 0) > UINT64_LIMIT:
            raise ValueError(f"a limit cannot be above {UINT64_LIMIT}")


class RLimitInfo(WireStruct, kw_only=True):
    rlimits: list[RLimit] = []


class WindowSize(WireStruct, kw_only=True):
    rows: UInt32
    columns: UInt32


class TTYInfo(WireStruct, kw_only=True):
    window_size: WindowSize | None = None


class DockerInfo(WireStruct, kw_only=True):
    image: str
    network: DockerNetwork = emitted("HOST")
    port_mappings: list[PortMapping] = []
    privileged: bool = emitted(False)
    parameters: list[Parameter] = []
    force_pull_image: bool | None = None
    volume_driver: str | None = None


class MesosInfo(WireStruct, kw_only=True):
    image: Image | None = None


class ContainerInfo(WireStruct, kw_only=True):
    type: ContainerInfoType
    volumes: list[Volume] = []
    hostname: str | None = None
    docker: DockerInfo | None = None
    mesos: MesosInfo | None = None
    network_infos: list[NetworkInfo] = []
    linux_info: LinuxInfo | None = None
    rlimit_info: RLimitInfo | None = None
    tty_info: TTYInfo | None = None


class NetCls(WireStruct, kw_only=True):
    classid: UInt32 | None = None


class CgroupInfo(WireStruct, kw_only=True):
    net_cls: NetCls | None = None


class ContainerStatus(WireStruct, kw_only=True):
    container_id: ContainerID | None = None
    network_infos: list[NetworkInfo] = []
    cgroup_info: CgroupInfo | None = None
    executor_pid: UInt32 | None = None
