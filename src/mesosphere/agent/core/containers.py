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
from mesosphere.agent.core.oci import (
    CFS_PERIOD_US,
    Contents,
    Limits,
    Places,
    has_read_only_root,
    oci_config,
)
from mesosphere.agent.core.surroundings import BARE, NO_NETWORK, ResourceLimit, Surroundings, Volume

EXECUTOR_CPUS_MILLI = 100
EXECUTOR_MEM_BYTES = 32 * 1024 * 1024
LEAST_MEM_BYTES = 32 * 1024 * 1024
CPU_SHARES_PER_CPU = 1024
REVOCABLE_SHARES_PER_CPU = 10
LEAST_CPU_SHARES = 2
LEAST_CFS_QUOTA_US = 1_000
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Uri(msgspec.Struct, frozen=True):
    """One thing to fetch into the sandbox."""

    value: str
    executable: bool = False
    extract: bool = True
    output_file: str | None = None
    cache: bool = False


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
    around: Surroundings = BARE
    image_arguments: tuple[str, ...] = ()  # what follows the image's own command, without an argv
    as_docker: bool = False  # without an entry point the arguments are the command itself
    command_environment: dict[str, str] = {}  # wins over what the image sets
    gpus: int = 0
    is_revocable: bool = False  # its CPUs are lent
    network_of: str = ""  # the container whose networks are shared
    sandbox: str = ""  # where it is not that of a task or an executor
    group: str = ""  # of an extra container that is held to its parent's limits: below its group
    tty: tuple[int, int] | None = None  # rows and columns of its terminal; (0, 0): as it comes
    is_extra: bool = False  # gets what it asks for, and no limits if it asks for nothing
    disk_bytes: int | None = None  # None: the sandbox is not measured against anything


def executor_directory(agent_id: str, framework_id: str, executor_id: str) -> str:
    """The part of the tree that sandboxes and checkpoints share, below their own roots."""
    return f"slaves/{agent_id}/frameworks/{framework_id}/executors/{executor_id}"


def run_directory(container: str) -> str:
    """The part below `runs`: `<container>`, or `<parent>/containers/<child>` of a nested one."""
    return container.replace(".", "/containers/")


def sandbox_path(host: Host, request: ContainerRequest) -> str:
    """`<work_dir>/slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>`."""
    if request.sandbox:
        return request.sandbox
    below = executor_directory(request.agent_id, request.framework_id, request.executor_id)
    return posixpath.join(host.work_dir, below, "runs", run_directory(request.container))


def _links(request: ContainerRequest, sandbox: str) -> list[list[str]]:
    """Names that lead to a sandbox: `runs/latest`, or `tasks/<task>` of a pod's."""
    above, _, name = request.container.rpartition(".")
    if request.is_extra:
        return []
    if not above:
        return [[posixpath.join(posixpath.dirname(sandbox), "latest"), name]]
    if not request.task_id:
        return []
    run = posixpath.dirname(posixpath.dirname(sandbox))
    return [[f"{run}/tasks/{request.task_id}", f"../containers/{name}"]]


def compute_limits(request: ContainerRequest, host: Host) -> Limits:
    """The numbers for a request, the executor's own allowance included."""
    if request.is_extra:
        return _extra_limits(request, host)
    cpus = request.cpus_milli + EXECUTOR_CPUS_MILLI
    low = request.is_revocable and host.revocable_low_priority
    shares = REVOCABLE_SHARES_PER_CPU if low else CPU_SHARES_PER_CPU
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
        cpu_shares=max(cpus * shares // 1000, LEAST_CPU_SHARES),
        cfs_quota_us=max(ceiling * CFS_PERIOD_US // 1000, LEAST_CFS_QUOTA_US) if limited else None,
        mem_soft_bytes=memory,
        mem_bytes=most,
        pids=host.pids_limit,
    )


def _extra_limits(request: ContainerRequest, host: Host) -> Limits:
    """What was asked for, and nothing more or less."""
    cpus, memory = request.cpus_milli, request.mem_bytes
    cpus_most = cpus if request.cpus_limit_milli is None else request.cpus_limit_milli
    memory_most = memory if request.mem_limit_bytes is None else request.mem_limit_bytes
    limited = cpus_most > 0 and (host.enable_cfs or request.cpus_limit_milli is not None)
    shares = max(cpus * CPU_SHARES_PER_CPU // 1000, LEAST_CPU_SHARES)
    return Limits(
        cpu_shares=shares if cpus else CPU_SHARES_PER_CPU,
        cfs_quota_us=max(cpus_most * CFS_PERIOD_US // 1000, LEAST_CFS_QUOTA_US)
        if limited
        else None,
        mem_soft_bytes=max(memory, LEAST_MEM_BYTES) if memory else 0,
        mem_bytes=max(memory_most, LEAST_MEM_BYTES) if memory_most > 0 else None,
        pids=host.pids_limit,
    )


def build_plan(request: ContainerRequest, host: Host) -> dict[str, Any]:
    """The plan of a container as plain values (dicts, lists, text, numbers)."""
    sandbox = sandbox_path(host, request)
    limits = compute_limits(request, host)
    user = request.user if host.is_root and host.switch_user else None
    volumes = (*request.around.volumes, *request.volumes)
    rlimits = (*request.around.rlimits, *request.rlimits)
    plan: dict[str, Any] = {
        "container": request.container,
        "isolation": host.isolation,
        "sandbox": sandbox,
        "links": _links(request, sandbox),
        "make": [volume.source(sandbox) for volume in volumes if volume.make],
        "own": [[each.source(sandbox), each.owned] for each in volumes if each.owned],
        "user": user,
        "uris": [msgspec.to_builtins(uri) for uri in request.uris],
        "frameworks_home": host.frameworks_home,
        "stall_timeout_s": host.stall_timeout_s,
        "limit_bytes": host.fetch_limit_bytes,
        "cache_dir": host.fetch_cache_dir,
        "cache_bytes": host.fetch_cache_bytes,
        "argv": list(request.argv),
        "environment": {**request.environment, **request.around.environment},
        "directory": sandbox,
        "rlimits": [msgspec.to_builtins(limit) for limit in rlimits],
        "limits": msgspec.to_builtins(limits),
        "disk_bytes": request.disk_bytes,
        "rotation": {
            name: [size, host.log_files]
            for name, size in (("stdout", host.stdout_bytes), ("stderr", host.stderr_bytes))
            if size > 0
        },
    }
    if host.isolation == "oci":
        plan.update(_oci_part(request, host, limits, sandbox, Contents(
            request.argv, plan["environment"], volumes, rlimits, request.around,
            bool(request.network_of), bool(request.group), request.tty,
        )))  # fmt: skip
    else:
        plan["links"] += [
            [posixpath.join(sandbox, volume.container_path),
             posixpath.join(sandbox, volume.host_path)]
            for volume in volumes
        ]  # fmt: skip
    if request.tty is not None:
        plan["io"] = io_part(host, request.container, request.tty)
    plan["steps"] = explain(plan)
    return plan


def io_part(
    host: Host, container: str, tty: tuple[int, int] | None, waits: bool = False
) -> dict[str, Any]:
    """What makes a container one that can be attached to; see `isolation/spawning`."""
    return {
        "directory": posixpath.join(host.runtime_dir, "attach", container),
        "tty": None if tty is None else list(tty),
        "waits": waits,
    }


def _oci_part(
    request: ContainerRequest, host: Host, limits: Limits, sandbox: str, contents: Contents
) -> dict[str, Any]:
    around = request.around
    name = request.container
    image = around.image
    provision = posixpath.join(host.work_dir, "provisioner", "containers", name)
    bundle = posixpath.join(host.runtime_dir, "bundles", name)
    state = posixpath.join(host.runtime_dir, "oci")
    places = Places(
        sandbox=sandbox,
        inside=sandbox if image is None else host.sandbox_directory,
        bundle=bundle,
        root=host.private_root if image is None else f"{provision}/rootfs",
        group=request.group or f"/{host.cgroups_root}/{name}",
        network=posixpath.join(host.runtime_dir, "netns", request.network_of or name),
        names=posixpath.join(host.runtime_dir, "bundles", request.network_of or name),
    )
    run = [host.runtime, "--root", state, "--log", f"{bundle}/log"]
    part: dict[str, Any] = {
        "control_group": places.group,
        "bundle": bundle,
        "config": oci_config(contents, host, limits, places),
        "keeps_capabilities": around.effective is not None
        or host.effective_capabilities is not None,
        "seccomp": _seccomp_profile(around, host),
        "read_only_host": image is None and has_read_only_root(around, host),
        "pid_file": f"{bundle}/pid",
        "run": [*run, "run", "--detach", "--bundle", bundle, "--pid-file", f"{bundle}/pid", name],
        "execute": [host.runtime, "--root", state, "exec"],
        "cleanup": [host.runtime, "--root", state, "delete", "--force", name],
        "processes": _group_directory(host, "pids", places.group),
        "memory": _memory_files(host, places.group),
        "freezer": _freezer(host, places.group),
        "gpus": request.gpus,
        "gpu_devices": list(host.gpu_devices),
        "device_directory": host.device_directory,
    }
    if image is not None:
        part["image"] = {
            "name": image.name,
            "cached": image.cached,
            "store": host.image_store,
            "registry": host.docker_registry,
            "docker_config": host.docker_config,
            "limit_bytes": host.fetch_limit_bytes,
            "backend": host.image_backend,
            "provision": provision,
            "arguments": list(request.image_arguments),
            "as_docker": request.as_docker,
            "environment": {**around.environment, **request.command_environment},
        }
    joined = [network for network in around.networks if network.name != NO_NETWORK]
    if joined:
        part["networks"] = {
            "joined": [msgspec.to_builtins(network) for network in joined],
            "namespace": places.network,
            "hostname": around.hostname or name[:12],
            "config_dir": host.cni_config_dir,
            "plugins_dir": host.cni_plugins_dir,
            "bridge": [host.bridge_network, host.bridge_subnet],
        }
    return part


def _seccomp_profile(around: Surroundings, host: Host) -> str:
    """The path of the profile; "" for none."""
    name = around.seccomp if around.seccomp is not None else host.seccomp_profile
    if not name or around.privileged:
        return ""
    return posixpath.join(host.seccomp_dir, name)


def _group_directory(host: Host, controller: str, group: str) -> str:
    mount = host.cgroup_mounts.get(controller) or host.cgroup_mounts.get("unified", "")
    return mount + group


def _freezer(host: Host, group: str) -> list[str]:
    """The file that stops the group, what to write to stop and to go on, what then is read."""
    if host.cgroup_version == 2:
        return [f"{_group_directory(host, '', group)}/cgroup.freeze", "1", "0", "frozen 1"]
    if "freezer" not in host.cgroup_mounts:
        return []
    return [f"{_group_directory(host, 'freezer', group)}/freezer.state", "FROZEN", "THAWED",
            "FROZEN"]  # fmt: skip


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


def explain(plan: dict[str, Any]) -> list[str]:
    """The plan as sentences, in the order in which it is executed."""
    owner = plan["user"] or "the agent's own user"
    steps = [f"make the sandbox {plan['sandbox']}, owned by {owner}, mode 0750"]
    steps += [f"fetch {uri['value']} as {owner}" for uri in plan["uris"]]
    limits = plan["limits"]
    if plan["isolation"] == "oci":
        steps += _explain_root(plan)
        steps.append(f"write the bundle {plan['bundle']}")
        quota = limits["cfs_quota_us"]
        steps.append(
            f"in the control group {plan['control_group']}: {limits['cpu_shares']} CPU shares, "
            f"quota {'none' if quota is None else f'{quota} us'} per {CFS_PERIOD_US} us, "
            f"memory {limits['mem_bytes'] or 'unlimited'}, {limits['pids']} processes"
        )
        if "io" in plan:
            steps.append("put a switchboard before it: it has a terminal, and can be attached to")
        steps.append("run " + " ".join(plan["run"]))
        steps.append("after the end: " + " ".join(plan["cleanup"]))
    else:
        if "io" in plan:
            steps.append("put a switchboard before it: it has a terminal, and can be attached to")
        steps.append(f"run in a session of its own, without enforced limits: {plan['argv'][0]}")
        steps.append("after the end: kill what is left of its session and its descendants")
    return steps


def _explain_root(plan: dict[str, Any]) -> list[str]:
    steps = []
    if plan.get("image"):
        image = plan["image"]
        how = "find it in" if image["cached"] else "fetch it anew to"
        steps.append(f"take the image {image['name']}: {how} {image['store']}")
        steps.append(f"lay it out by {image['backend']} at {image['provision']}/rootfs")
    elif plan["read_only_host"]:
        steps.append("show the host's file system, where only the sandbox can be written")
    if plan["seccomp"]:
        steps.append(f"allow the system calls of the profile {plan['seccomp']}")
    for network in plan.get("networks", {}).get("joined", ()):
        ports = ", ".join(f"{port['host']} to {port['container']}" for port in network["ports"])
        steps.append(f"join the network {network['name']}" + (f", ports {ports}" if ports else ""))
    return steps
