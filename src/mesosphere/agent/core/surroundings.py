"""What a container sees around its command: root, volumes, networks, privileges, namespaces.

Decides how a ContainerInfo is read and refuses what this agent can't give, in one sentence. Both
types are read to the same values: MESOS with an image is what DOCKER is, whose `parameters` (flags
of another program) are understood where they mean something here and refused where not.

Paths: a relative `container_path` is below the sandbox; a relative host path is a directory of the
sandbox that is made; `..` is refused. Source: "Mesos: container image", "volumes", "capabilities",
"seccomp" (apache/mesos src/slave/containerizer/mesos/isolators, src/docker/docker.cpp).
"""

import posixpath

import msgspec

from mesosphere.agent.core.docker_parameters import Parameters, read_parameters
from mesosphere.agent.core.host import Host
from mesosphere.agent.core.refusals import Unsupported
from mesosphere.wire.mesos.containers import (
    CapabilityInfo,
    ContainerInfo,
    DockerInfo,
    NetworkInfo,
    PortMapping,
)
from mesosphere.wire.mesos.containers import Volume as WireVolume

NO_NETWORK = "none"
"""A network namespace with a loopback and nothing else."""
PROPAGATION = {"HOST_TO_CONTAINER": "rslave", "BIDIRECTIONAL": "rshared"}
VOLUMES_MOST = 256
PARENT = "../../"
"""From the sandbox of a nested container to that of its parent."""


class Volume(msgspec.Struct, frozen=True):
    """A directory or file seen by the container at `container_path`.

    `kind` "bind" shows `host_path` (`make`: it is a directory that is made first, for the task's
    user); "tmpfs" is memory of at most `size_mib`. `owned`: a persistent volume, which is the
    task's user's while he has it; a shared one is the first user's.
    """

    container_path: str
    host_path: str = ""
    read_only: bool = False
    make: bool = False
    propagation: str = ""
    kind: str = "bind"
    size_mib: int | None = None
    owned: str = ""  # "alone" or "shared"

    def source(self, sandbox: str) -> str:
        """What is shown, as an absolute path of the host."""
        return posixpath.normpath(posixpath.join(sandbox, self.host_path))


class ResourceLimit(msgspec.Struct, frozen=True):
    """An rlimit: `name` as the kernel's in upper case ("NOFILE"); None is infinite."""

    name: str
    soft: int | None = None
    hard: int | None = None


class Image(msgspec.Struct, frozen=True):
    """The image whose files are the root; `cached` may be one that was fetched before."""

    name: str
    cached: bool = True


class Port(msgspec.Struct, frozen=True):
    """A port of the host that leads to one of the container."""

    host: int
    container: int
    protocol: str = "tcp"


class Network(msgspec.Struct, frozen=True):
    """A network to join, by the name of its configuration."""

    name: str
    ports: tuple[Port, ...] = ()


class Surroundings(msgspec.Struct, frozen=True):
    """All of it. None means: as the agent's flags say. Capabilities are names with "CAP_"."""

    image: Image | None = None
    volumes: tuple[Volume, ...] = ()
    rlimits: tuple[ResourceLimit, ...] = ()
    networks: tuple[Network, ...] = ()
    hostname: str = ""
    effective: tuple[str, ...] | None = None
    bounding: tuple[str, ...] | None = None
    seccomp: str | None = None  # "": unconfined
    share_pid: bool | None = None
    private_ipc: bool | None = None
    shm_mib: int | None = None
    read_only_root: bool = False
    privileged: bool = False
    environment: dict[str, str] = {}


BARE = Surroundings()


def read_surroundings(
    container: ContainerInfo | None, host: Host, nested: bool = False
) -> Surroundings:
    """A ContainerInfo as values; a nested one may share its parent's. Raises Unsupported."""
    if container is None:
        return BARE
    docker = container.docker if container.type == "DOCKER" else None
    parameters = read_parameters(docker.parameters if docker is not None else [])
    found = _linux(container, parameters)
    found = msgspec.structs.replace(
        found,
        image=_image(container),
        volumes=(*read_volumes(container.volumes, nested), *_parameter_volumes(parameters)),
        rlimits=(*_rlimits(container), *(ResourceLimit(*each) for each in parameters.ulimits)),
        networks=_networks(container, docker, host),
        hostname=container.hostname or parameters.hostname,
        read_only_root=parameters.read_only,
        privileged=bool(docker is not None and docker.privileged),
        environment=parameters.environment,
    )
    reason = _why_not(found, host)
    if reason:
        raise Unsupported(reason)
    return found


def _image(container: ContainerInfo) -> Image | None:
    if container.type == "DOCKER":
        docker = container.docker
        if docker is None or not docker.image:
            raise Unsupported("the container of type DOCKER names no image")
        return Image(docker.image, not docker.force_pull_image)
    image = container.mesos.image if container.mesos is not None else None
    if image is None:
        return None
    if image.type != "DOCKER" or image.docker is None or not image.docker.name:
        raise Unsupported(f"images of type {image.type} are not supported, DOCKER ones are")
    if image.docker.config is not None or image.docker.credential is not None:
        raise Unsupported("credentials of an image belong to the agent's --docker_config")
    return Image(image.docker.name, image.cached)


# --- volumes --------------------------------------------------------------------------------


def read_volumes(volumes: list[WireVolume], nested: bool) -> tuple[Volume, ...]:
    """Volumes of a ContainerInfo. Raises Unsupported."""
    if len(volumes) > VOLUMES_MOST:
        raise Unsupported(f"a container has at most {VOLUMES_MOST} volumes")
    return tuple(_volume(volume, nested) for volume in volumes)


def _volume(volume: WireVolume, nested: bool) -> Volume:
    place = _clean(volume.container_path, "container_path")
    read_only = volume.mode == "RO"
    if volume.image is not None:
        raise Unsupported(f"the volume at '{place}' is an image, which this agent can't mount")
    source = volume.source
    propagation = ""
    if volume.host_path is not None:
        path = volume.host_path
    elif source is not None and source.host_path is not None:
        path = source.host_path.path
        spread = source.host_path.mount_propagation
        propagation = PROPAGATION.get(spread.mode or "", "") if spread is not None else ""
    elif source is not None and source.sandbox_path is not None:
        path = _clean(source.sandbox_path.path, "path").lstrip("/")
        if source.sandbox_path.type == "PARENT":
            if not nested:
                raise Unsupported(f"the volume at '{place}' is of a parent, and there is none")
            return Volume(place, PARENT + path, read_only, make=True)
    else:
        kind = source.type if source is not None and source.type else "no source"
        raise Unsupported(f"the volume at '{place}' is of {kind}, which this agent does not have")
    path = _clean(path, "host_path")
    return Volume(place, path, read_only, not path.startswith("/"), propagation)


def _clean(path: str, name: str) -> str:
    if not path or "\0" in path or ".." in path.split("/"):
        raise Unsupported(f"'{path}' is no {name} of a volume")
    return posixpath.normpath(path)


def _parameter_volumes(parameters: Parameters) -> tuple[Volume, ...]:
    found = [
        Volume(_clean(place, "container_path"), _clean(path, "host_path"), read_only)
        for path, place, read_only in parameters.volumes
    ]
    memory = [
        Volume(_clean(place, "container_path"), kind="tmpfs", size_mib=size)
        for place, size in parameters.tmpfs
    ]
    return (*found, *memory)


def _rlimits(container: ContainerInfo) -> tuple[ResourceLimit, ...]:
    if container.rlimit_info is None:
        return ()
    return tuple(
        ResourceLimit(limit.type.removeprefix("RLMT_"), limit.soft, limit.hard)
        for limit in container.rlimit_info.rlimits
        if limit.type is not None
    )


# --- networks -------------------------------------------------------------------------------


def has_own_network(container: ContainerInfo | None) -> bool:
    """Whether the container is not on the host's network."""
    if container is None:
        return False
    if container.type == "DOCKER" and container.docker is not None:
        return container.docker.network != "HOST"
    return any(info.name for info in container.network_infos)


def _networks(
    container: ContainerInfo, docker: DockerInfo | None, host: Host
) -> tuple[Network, ...]:
    named = [info for info in container.network_infos if info.name]
    if docker is None:
        return tuple(Network(info.name or "", _ports(info.port_mappings)) for info in named)
    ports = _ports(docker.port_mappings)
    if docker.network == "NONE":
        return (Network(NO_NETWORK),)
    if docker.network == "BRIDGE":
        return (Network(host.bridge_network, ports),)
    if docker.network == "USER":
        if len(named) != 1:
            raise Unsupported("a container of network USER names one network")
        return (_user_network(named[0], ports),)
    return ()


def _user_network(info: NetworkInfo, ports: tuple[Port, ...]) -> Network:
    return Network(info.name or "", ports or _ports(info.port_mappings))


def _ports(mappings: list[PortMapping]) -> tuple[Port, ...]:
    return tuple(
        Port(each.host_port, each.container_port, (each.protocol or "tcp").lower())
        for each in mappings
    )


# --- Linux ----------------------------------------------------------------------------------


def _linux(container: ContainerInfo, parameters: Parameters) -> Surroundings:
    info = container.linux_info
    effective = bounding = None
    share_pid = private_ipc = None
    seccomp = parameters.seccomp
    shm_mib = parameters.shm_mib
    if info is not None:
        effective = _capabilities(info.effective_capabilities or info.capability_info)
        bounding = _capabilities(info.bounding_capabilities)
        share_pid = info.share_pid_namespace
        if info.ipc_mode in ("PRIVATE", "SHARE_PARENT"):
            private_ipc = info.ipc_mode == "PRIVATE"
        shm_mib = info.shm_size if info.shm_size is not None else shm_mib
        if info.seccomp is not None:
            named = info.seccomp.profile_name or ""
            seccomp = "" if info.seccomp.unconfined else named or None
            if info.seccomp.unconfined and named:
                raise Unsupported("a seccomp profile is named for a container that has none")
    if shm_mib is not None and private_ipc is None:
        private_ipc = True
    if shm_mib is not None and not private_ipc:
        raise Unsupported("a shared memory of its own size needs the IPC mode PRIVATE")
    return Surroundings(
        effective=effective, bounding=bounding, seccomp=seccomp, share_pid=share_pid,
        private_ipc=private_ipc, shm_mib=shm_mib,
    )  # fmt: skip


def _capabilities(info: CapabilityInfo | None) -> tuple[str, ...] | None:
    if info is None:
        return None
    return tuple(f"CAP_{name}" for name in info.capabilities if name != "UNKNOWN")


def _why_not(found: Surroundings, host: Host) -> str:
    """What of it this host can't give; "" when it gives it all."""
    if host.isolation != "oci":
        wants = {
            "images": found.image is not None,
            "networks": bool(found.networks),
            "capabilities": found.effective is not None or found.bounding is not None,
            "seccomp profiles": bool(found.seccomp),
            "namespaces": found.private_ipc is True or found.share_pid is False,
            "volumes that are not below the sandbox": not all(map(_is_link, found.volumes)),
        }
        for what, wanted in wants.items():
            if wanted:
                return f"{what} need the OCI isolation, which this agent does not have"
        return ""
    if found.image is not None and host.why_no_images:
        return f"this agent runs no images: {host.why_no_images}"
    if any(network.name != NO_NETWORK for network in found.networks) and host.why_no_networks:
        return f"this agent has the host's network only: {host.why_no_networks}"
    if found.share_pid and host.pid_namespace and host.forbid_sharing_pid:
        return "sharing the agent's process ids is forbidden (--disallow_sharing_agent_..)"
    return _why_no_capabilities(found, host)


def _is_link(volume: Volume) -> bool:
    # Without mounts a volume is a link in the sandbox, as persistent ones are in the original.
    return (
        volume.kind == "bind" and not volume.read_only and not volume.container_path.startswith("/")
    )


def _why_no_capabilities(found: Surroundings, host: Host) -> str:
    most = host.bounding_capabilities
    for asked in (found.effective, found.bounding):
        if asked is None:
            continue
        denied = [name for name in asked if most is not None and name not in most]
        if denied:
            return f"the agent's --bounding_capabilities do not allow {', '.join(denied)}"
        missing = [name for name in asked if name not in host.capabilities]
        if missing:
            return f"the agent itself does not hold {', '.join(missing)}"
    if found.effective is not None and found.bounding is not None:
        outside = [name for name in found.effective if name not in found.bounding]
        if outside:
            return f"the bounding capabilities do not hold the effective {', '.join(outside)}"
    return ""
