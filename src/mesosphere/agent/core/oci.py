"""`config.json` of the OCI runtime, but for what only the host knows when it is written.

Decides namespaces, mounts, capabilities and devices. The root is the host's file system with the
sandbox as home, or an image with the sandbox at `--sandbox_directory`. Numbers of the user, the
image's own command and environment, and the seccomp profile are filled in where the plan is
executed. Source: the OCI runtime specification 1.0.2; apache/mesos isolators linux/capabilities,
namespaces/pid, namespaces/ipc, docker/runtime, network/cni.
"""

import posixpath
from typing import Any

import msgspec

from mesosphere.agent.core.host import Host
from mesosphere.agent.core.surroundings import NO_NETWORK, ResourceLimit, Surroundings, Volume

CFS_PERIOD_US = 100_000
CONSOLE_FILE = "console"
"""In the bundle, where there is a terminal and no image."""
TMPFS_OPTIONS = ["nosuid", "nodev", "mode=1777"]

# A task of root may do what root may, but not load modules, restart the host, set its clock or
# change its security policy.
ALLOWED_CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
    "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
    "CAP_IPC_OWNER", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN",
    "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE",
    "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",
)  # fmt: skip

# What an image needs below its root to be a working system.
IMAGE_MOUNTS: tuple[dict[str, Any], ...] = (
    {"destination": "/proc", "type": "proc", "source": "proc",
     "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
     "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
     "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
    {"destination": "/sys", "type": "bind", "source": "/sys",
     "options": ["rbind", "rslave", "nosuid", "noexec", "nodev", "ro"]},
)  # fmt: skip
IMAGE_MASKED = (
    "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
)  # fmt: skip
IMAGE_READ_ONLY = (
    "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
)  # fmt: skip


class Limits(msgspec.Struct, frozen=True):
    """The numbers of the control groups. None: not limited; no soft limit is 0."""

    cpu_shares: int
    cfs_quota_us: int | None
    mem_soft_bytes: int
    mem_bytes: int | None
    pids: int


class Places(msgspec.Struct, frozen=True):
    """Where things are: the sandbox on the host and inside, the bundle, the control group."""

    sandbox: str
    inside: str
    bundle: str
    root: str
    group: str
    network: str
    names: str  # the directory with the files about names of hosts


class Contents(msgspec.Struct, frozen=True):
    """What runs in it."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    volumes: tuple[Volume, ...]
    rlimits: tuple[ResourceLimit, ...]
    around: Surroundings
    shares_network: bool = False
    shares_limits: bool = False  # those of the group above
    tty: tuple[int, int] | None = None


def oci_config(contents: Contents, host: Host, limits: Limits, places: Places) -> dict[str, Any]:
    """The whole document."""
    around = contents.around
    return {
        "ociVersion": "1.0.2",
        "process": {
            **_terminal(contents.tty),
            "user": {"uid": 0, "gid": 0},
            "args": list(contents.argv),
            "env": [f"{name}={value}" for name, value in contents.environment.items()],
            "cwd": places.inside,
            "noNewPrivileges": False,
            "capabilities": capabilities(around, host),
            "rlimits": [
                {
                    "type": f"RLIMIT_{limit.name}",
                    "soft": _rlimit(limit.soft),
                    "hard": _rlimit(limit.hard),
                }
                for limit in contents.rlimits
            ],
        },
        "root": {"path": places.root, "readonly": has_read_only_root(around, host)},
        "mounts": _mounts(contents, host, places),
        **({"hostname": around.hostname} if around.hostname else {}),
        "linux": {
            "namespaces": _namespaces(contents, host, places),
            "rootfsPropagation": "private",
            "cgroupsPath": places.group,
            "resources": {} if contents.shares_limits else _resources(around, limits, host),
            **_image_part(around),
        },
    }


def _terminal(tty: tuple[int, int] | None) -> dict[str, Any]:
    if tty is None or not any(tty):
        return {"terminal": tty is not None}
    return {"terminal": True, "consoleSize": {"height": tty[0], "width": tty[1]}}


def has_read_only_root(around: Surroundings, host: Host) -> bool:
    """Whether nothing outside the sandbox and the volumes can be written."""
    return around.read_only_root or (host.read_only_root and around.image is None)


def capabilities(around: Surroundings, host: Host) -> dict[str, list[str]]:
    """The sets: the task's own, else the agent's, else all but what hurts the host.

    What is chosen explicitly is also what a user without root keeps.
    """
    if around.privileged:
        every = list(host.capabilities)
        return {"bounding": every, "effective": every, "permitted": every}
    allowed = [name for name in ALLOWED_CAPABILITIES if name in host.capabilities]
    chosen = around.effective if around.effective is not None else host.effective_capabilities
    most = around.bounding if around.bounding is not None else host.bounding_capabilities
    bounding = list(most) if most is not None else list(chosen) if chosen is not None else allowed
    if chosen is None:
        effective = [name for name in allowed if name in bounding]
        return {"bounding": bounding, "effective": effective, "permitted": effective}
    effective = [name for name in chosen if name in bounding]
    sets = ("effective", "permitted", "inheritable", "ambient")
    return {"bounding": bounding, **dict.fromkeys(sets, effective)}


def _namespaces(contents: Contents, host: Host, places: Places) -> list[dict[str, str]]:
    around = contents.around
    kinds = ["mount"]
    if _has_own_pids(around, host):
        kinds.append("pid")
    if _has_own_ipc(around, host):
        kinds.append("ipc")
    if around.hostname or around.networks:
        kinds.append("uts")
    found = [{"type": kind} for kind in kinds]
    if contents.shares_network:
        found.append({"type": "network", "path": places.network})
    elif around.networks:
        own = all(network.name == NO_NETWORK for network in around.networks)
        found.append({"type": "network", **({} if own else {"path": places.network})})
    return found


def _has_own_pids(around: Surroundings, host: Host) -> bool:
    return not around.share_pid if around.share_pid is not None else host.pid_namespace


def _has_own_ipc(around: Surroundings, host: Host) -> bool:
    return around.private_ipc if around.private_ipc is not None else host.ipc_namespace


def _mounts(contents: Contents, host: Host, places: Places) -> list[dict[str, Any]]:
    around = contents.around
    mounts: list[dict[str, Any]] = []
    if around.image is not None:
        mounts += IMAGE_MOUNTS
    else:
        # Where nothing is mounted the runtime would lay out devices anew, in the host's own /dev.
        mounts.append(_bind("/dev", "/dev"))
        if contents.tty is not None:
            # The runtime opens this place for writing: it must not be the host's own console.
            mounts.append(_bind(f"{places.bundle}/{CONSOLE_FILE}", "/dev/console"))
        if _has_own_pids(around, host):
            mounts.append({"destination": "/proc", "type": "proc", "source": "proc"})
    own_shm = _has_own_ipc(around, host) or has_read_only_root(around, host)
    if around.image is not None or own_shm:
        size = around.shm_mib if around.shm_mib is not None else host.shm_mib
        options = ["nosuid", "noexec", "nodev", "mode=1777", f"size={size}m"]
        mounts.append(
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": options}
        )
        if around.image is not None:
            mounts.append({"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue"})
    if around.image is not None or has_read_only_root(around, host):
        mounts.append(_bind(places.sandbox, places.inside))
    mounts += [_bind(source, place, ["ro"]) for source, place in _name_files(contents, places)]
    return [*mounts, *(_volume_mount(volume, places) for volume in contents.volumes)]


def _bind(source: str, place: str, options: list[str] | None = None) -> dict[str, Any]:
    chosen = ["rbind", *(options or ["rw"])]
    return {"destination": place, "type": "bind", "source": source, "options": chosen}


def _name_files(contents: Contents, places: Places) -> list[tuple[str, str]]:
    """Files about names of hosts: those of the network joined, else for an image the host's."""
    around = contents.around
    if contents.shares_network or any(network.name != NO_NETWORK for network in around.networks):
        names = ("hosts", "resolv.conf", "hostname")
        return [(f"{places.names}/{name}", f"/etc/{name}") for name in names]
    if around.image is not None and not around.networks:
        return [(f"/etc/{name}", f"/etc/{name}") for name in ("hosts", "resolv.conf")]
    return []


def _volume_mount(volume: Volume, places: Places) -> dict[str, Any]:
    place = posixpath.join(places.inside, volume.container_path)
    access = "ro" if volume.read_only else "rw"
    if volume.kind == "tmpfs":
        size = [] if volume.size_mib is None else [f"size={volume.size_mib}m"]
        return {
            "destination": place, "type": "tmpfs", "source": "tmpfs",
            "options": [*TMPFS_OPTIONS, access, *size],
        }  # fmt: skip
    options = [access, *([volume.propagation] if volume.propagation else [])]
    return _bind(volume.source(places.sandbox), place, options)


def _rlimit(value: int | None) -> int:
    return (1 << 64) - 1 if value is None else value


def _resources(around: Surroundings, limits: Limits, host: Host) -> dict[str, Any]:
    processor: dict[str, Any] = {"shares": limits.cpu_shares, "period": CFS_PERIOD_US}
    if limits.cfs_quota_us is not None:
        processor["quota"] = limits.cfs_quota_us
    memory: dict[str, Any] = {}
    if limits.mem_soft_bytes:
        memory["reservation"] = limits.mem_soft_bytes
    if limits.mem_bytes is not None:
        memory["limit"] = limits.mem_bytes
        if host.limit_swap:
            memory["swap"] = limits.mem_bytes
    found: dict[str, Any] = {"cpu": processor, "memory": memory, "pids": {"limit": limits.pids}}
    if around.image is not None:
        # The runtime adds the harmless ones: null, zero, full, random, urandom, tty.
        found["devices"] = [{"allow": around.privileged, "access": "rwm"}]
    return found


def _image_part(around: Surroundings) -> dict[str, Any]:
    if around.image is None or around.privileged:
        return {}
    return {"maskedPaths": list(IMAGE_MASKED), "readonlyPaths": list(IMAGE_READ_ONLY)}
