"""The container plan: a task and what the host can do -> one printable value that says it all.

Nothing is done here: `agent/isolation` executes the plan, `mesosphere agent explain-container`
prints it. Vocabulary: a *request* is what the task asks for, the *sandbox* its directory on the
host, the *bundle* the directory of an OCI runtime.

Limits follow the original's command executor, which adds 0.1 CPUs and 32 MB to the task's own, so
an app sized for the original has the same room here. Shares are 1024 per CPU, at least 2; the CFS
quota is 100 ms per CPU and period, at least 1 ms; memory is never less than 32 MB.
Source: "Mesos: cgroups isolators" and "Mesos: sandbox" (apache/mesos
src/slave/containerizer/mesos/isolators/cgroups, src/slave/paths.hpp, src/slave/slave.cpp).
"""

import posixpath
from typing import Any

import msgspec

from mesosphere.agent.core.host import Host

EXECUTOR_CPUS_MILLI = 100
EXECUTOR_MEM_BYTES = 32 * 1024 * 1024
LEAST_MEM_BYTES = 32 * 1024 * 1024
CPU_SHARES_PER_CPU = 1024
LEAST_CPU_SHARES = 2
CFS_PERIOD_US = 100_000
LEAST_CFS_QUOTA_US = 1_000
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

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


class Uri(msgspec.Struct, frozen=True):
    """One thing to fetch into the sandbox."""

    value: str
    executable: bool = False
    extract: bool = True
    output_file: str | None = None


class Volume(msgspec.Struct, frozen=True):
    """A directory of the host, or of the sandbox, seen by the container at `container_path`."""

    container_path: str
    host_path: str
    read_only: bool = False


class ResourceLimit(msgspec.Struct, frozen=True):
    """An rlimit: `name` as the kernel's in upper case ("NOFILE"); None is infinite."""

    name: str
    soft: int | None = None
    hard: int | None = None


class ContainerRequest(msgspec.Struct, frozen=True):
    """What a task asks of its container, free of the wire's forms. CPUs are thousandths."""

    container: str
    agent_id: str
    framework_id: str
    executor_id: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    cpus_milli: int
    mem_bytes: int
    task_id: str = ""
    cpus_limit_milli: int | None = None  # None: the request's; -1: no limit
    mem_limit_bytes: int | None = None
    user: str | None = None
    uris: tuple[Uri, ...] = ()
    volumes: tuple[Volume, ...] = ()
    rlimits: tuple[ResourceLimit, ...] = ()
    disk_bytes: int | None = None  # None: the sandbox is not measured against anything


class Limits(msgspec.Struct, frozen=True):
    """The numbers of the control groups. None: not limited."""

    cpu_shares: int
    cfs_quota_us: int | None
    mem_soft_bytes: int
    mem_bytes: int | None
    pids: int


def executor_directory(agent_id: str, framework_id: str, executor_id: str) -> str:
    """The part of the tree that sandboxes and checkpoints share, below their own roots."""
    return f"slaves/{agent_id}/frameworks/{framework_id}/executors/{executor_id}"


def run_directory(container: str) -> str:
    """The part below `runs`: `<container>`, or `<parent>/containers/<child>` of a nested one."""
    return container.replace(".", "/containers/")


def sandbox_path(host: Host, request: ContainerRequest) -> str:
    """`<work_dir>/slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>`."""
    below = executor_directory(request.agent_id, request.framework_id, request.executor_id)
    return posixpath.join(host.work_dir, below, "runs", run_directory(request.container))


def _links(request: ContainerRequest, sandbox: str) -> list[list[str]]:
    """Names that lead to a sandbox: `runs/latest`, or `tasks/<task>` of a pod's."""
    above, _, name = request.container.rpartition(".")
    if not above:
        return [[posixpath.join(posixpath.dirname(sandbox), "latest"), name]]
    if not request.task_id:
        return []
    run = posixpath.dirname(posixpath.dirname(sandbox))
    return [[f"{run}/tasks/{request.task_id}", f"../containers/{name}"]]


def compute_limits(request: ContainerRequest, host: Host) -> Limits:
    """The numbers for a request, the executor's own allowance included."""
    cpus = request.cpus_milli + EXECUTOR_CPUS_MILLI
    memory = max(request.mem_bytes + EXECUTOR_MEM_BYTES, LEAST_MEM_BYTES)
    ceiling = cpus
    if request.cpus_limit_milli is not None:
        ceiling = request.cpus_limit_milli
        ceiling = ceiling + EXECUTOR_CPUS_MILLI if ceiling >= 0 else ceiling
    limited = ceiling >= 0 and (host.enable_cfs or request.cpus_limit_milli is not None)
    most: int | None = memory
    if request.mem_limit_bytes is not None:
        most = request.mem_limit_bytes
        most = max(most + EXECUTOR_MEM_BYTES, LEAST_MEM_BYTES) if most >= 0 else None
    return Limits(
        cpu_shares=max(cpus * CPU_SHARES_PER_CPU // 1000, LEAST_CPU_SHARES),
        cfs_quota_us=max(ceiling * CFS_PERIOD_US // 1000, LEAST_CFS_QUOTA_US) if limited else None,
        mem_soft_bytes=memory,
        mem_bytes=most,
        pids=host.pids_limit,
    )


def build_plan(request: ContainerRequest, host: Host) -> dict[str, Any]:
    """The plan of a container as plain values (dicts, lists, text, numbers)."""
    sandbox = sandbox_path(host, request)
    limits = compute_limits(request, host)
    user = request.user if host.is_root and host.switch_user else None
    plan: dict[str, Any] = {
        "container": request.container,
        "isolation": host.isolation,
        "sandbox": sandbox,
        "links": _links(request, sandbox),
        "user": user,
        "uris": [msgspec.to_builtins(uri) for uri in request.uris],
        "frameworks_home": host.frameworks_home,
        "stall_timeout_s": host.stall_timeout_s,
        "limit_bytes": host.fetch_limit_bytes,
        "argv": list(request.argv),
        "environment": dict(request.environment),
        "directory": sandbox,
        "rlimits": [msgspec.to_builtins(limit) for limit in request.rlimits],
        "limits": msgspec.to_builtins(limits),
        "disk_bytes": request.disk_bytes,
    }
    if host.isolation == "oci":
        plan.update(_oci_part(request, host, limits, sandbox))
    plan["steps"] = explain(plan)
    return plan


def _oci_part(
    request: ContainerRequest, host: Host, limits: Limits, sandbox: str
) -> dict[str, Any]:
    group = f"/{host.cgroups_root}/{request.container}"
    bundle = posixpath.join(host.runtime_dir, "bundles", request.container)
    state = posixpath.join(host.runtime_dir, "oci")
    run = [host.runtime, "--root", state, "--log", f"{bundle}/log"]
    return {
        "control_group": group,
        "bundle": bundle,
        "config": oci_config(request, host, limits, sandbox, group),
        "pid_file": f"{bundle}/pid",
        "run": [*run, "run", "--detach", "--bundle", bundle, "--pid-file", f"{bundle}/pid",
                request.container],
        "execute": [host.runtime, "--root", state, "exec"],
        "cleanup": [host.runtime, "--root", state, "delete", "--force", request.container],
        "processes": _group_directory(host, "pids", group),
        "memory": _memory_files(host, group),
    }  # fmt: skip


def _group_directory(host: Host, controller: str, group: str) -> str:
    mount = host.cgroup_mounts.get(controller) or host.cgroup_mounts.get("unified", "")
    return mount + group


def _memory_files(host: Host, group: str) -> dict[str, str]:
    directory = _group_directory(host, "memory", group)
    if host.cgroup_version == 2:
        names = {"events": "memory.events", "limit": "memory.max", "peak": "memory.peak"}
    else:
        names = {
            "events": "memory.oom_control",
            "limit": "memory.limit_in_bytes",
            "peak": "memory.max_usage_in_bytes",
        }
    names["stat"] = "memory.stat"
    return {key: f"{directory}/{name}" for key, name in names.items()}


def oci_config(
    request: ContainerRequest, host: Host, limits: Limits, sandbox: str, group: str
) -> dict[str, Any]:
    """`config.json` of the OCI runtime: the host's file system as root, the sandbox as home.

    The user's numbers are filled in where the plan is executed: only there names mean something.
    """
    namespaces = [{"type": "mount"}]
    mounts: list[dict[str, Any]] = []
    if host.pid_namespace:
        namespaces.append({"type": "pid"})
        mounts.append({"destination": "/proc", "type": "proc", "source": "proc"})
    for volume in request.volumes:
        place = posixpath.join(sandbox, volume.container_path)
        kind = ["rbind", "ro"] if volume.read_only else ["rbind", "rw"]
        mounts.append(
            {"destination": place, "type": "bind", "source": volume.host_path, "options": kind}
        )
    capabilities = [name for name in ALLOWED_CAPABILITIES if name in host.capabilities]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": list(request.argv),
            "env": [f"{name}={value}" for name, value in request.environment.items()],
            "cwd": sandbox,
            "noNewPrivileges": False,
            "capabilities": {
                "bounding": capabilities,
                "effective": capabilities,
                "permitted": capabilities,
            },
            "rlimits": [
                {
                    "type": f"RLIMIT_{limit.name}",
                    "soft": _rlimit(limit.soft),
                    "hard": _rlimit(limit.hard),
                }
                for limit in request.rlimits
            ],
        },
        "root": {"path": host.private_root, "readonly": False},
        "mounts": mounts,
        "linux": {
            "namespaces": namespaces,
            "rootfsPropagation": "private",
            "cgroupsPath": group,
            "resources": _oci_resources(limits, host),
        },
    }


def _rlimit(value: int | None) -> int:
    return (1 << 64) - 1 if value is None else value


def _oci_resources(limits: Limits, host: Host) -> dict[str, Any]:
    processor: dict[str, Any] = {"shares": limits.cpu_shares, "period": CFS_PERIOD_US}
    if limits.cfs_quota_us is not None:
        processor["quota"] = limits.cfs_quota_us
    memory: dict[str, Any] = {"reservation": limits.mem_soft_bytes}
    if limits.mem_bytes is not None:
        memory["limit"] = limits.mem_bytes
        if host.limit_swap:
            memory["swap"] = limits.mem_bytes
    return {"cpu": processor, "memory": memory, "pids": {"limit": limits.pids}}


def explain(plan: dict[str, Any]) -> list[str]:
    """The plan as sentences, in the order in which it is executed."""
    owner = plan["user"] or "the agent's own user"
    steps = [f"make the sandbox {plan['sandbox']}, owned by {owner}, mode 0750"]
    steps += [f"fetch {uri['value']} as {owner}" for uri in plan["uris"]]
    limits = plan["limits"]
    if plan["isolation"] == "oci":
        steps.append(f"write the bundle {plan['bundle']}")
        quota = limits["cfs_quota_us"]
        steps.append(
            f"in the control group {plan['control_group']}: {limits['cpu_shares']} CPU shares, "
            f"quota {'none' if quota is None else f'{quota} us'} per {CFS_PERIOD_US} us, "
            f"memory {limits['mem_bytes'] or 'unlimited'}, {limits['pids']} processes"
        )
        steps.append("run " + " ".join(plan["run"]))
        steps.append("after the end: " + " ".join(plan["cleanup"]))
    else:
        steps.append(f"run in a session of its own, without enforced limits: {plan['argv'][0]}")
        steps.append("after the end: kill what is left of its session and its descendants")
    return steps
