"""From flags and the probe of the host to the agent's configuration, and what lies on disk."""

import getpass
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from mesosphere import MESOS_VERSION
from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.containers import build_plan
from mesosphere.agent.core.host import Host
from mesosphere.agent.core.requests import container_request, why_unsupported
from mesosphere.agent.isolation import probe
from mesosphere.agent.offering import (
    attributes,
    gpu_devices,
    json_object,
    qos_controller,
    resources,
)
from mesosphere.kernel.flags import Settings, UsageError
from mesosphere.kernel.resources import format_resources
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import DomainInfo, codec
from mesosphere.wire.mesos.domains import parse_domain
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.ids import FrameworkID
from mesosphere.wire.mesos.resources_codec import from_wire
from mesosphere.wire.mesos.tasks import TaskInfo

FORCES_OCI = ("cgroups", "filesystem/linux", "docker/runtime", "gpu/", "linux/", "volume/", "oci")


def wanted_isolation(text: str) -> str:
    """ "auto", "oci" or "posix" from `--isolation`. Raises UsageError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if any(name.startswith(FORCES_OCI) for name in names):
        return "oci"
    rest = [name for name in names if name not in ("auto", "namespaces/pid", "namespaces/ipc")]
    if not rest:
        return "auto"
    if all(name.startswith(("posix", "process", "filesystem/posix")) for name in rest):
        return "posix"
    raise UsageError(f"--isolation: '{text}': use auto, posix, or cgroups/cpu,cgroups/mem")


def describe_host(settings: Settings, work_dir: Path, runtime_dir: Path) -> Host:
    """The host before the trial of the OCI runtime: what could work, and why not."""
    wanted = wanted_isolation(settings.isolation)
    groups = probe.find_control_groups()
    runtime = probe.find_runtime(settings.oci_runtime)
    why_not = "--isolation asks for it" if wanted == "posix" else ""
    why_not = why_not or probe.why_not_oci(runtime, groups)
    if why_not and wanted == "oci":
        raise UsageError(f"--isolation={settings.isolation} can't work here: {why_not}")
    return Host(
        isolation="posix" if why_not else "oci",
        reason=why_not or f"{runtime}: {probe.runtime_version(runtime)}",
        work_dir=str(work_dir),
        runtime_dir=str(runtime_dir),
        is_root=os.geteuid() == 0,
        runtime=runtime,
        capabilities=probe.held_capabilities(),
        private_root=str(runtime_dir / "root"),
        cgroup_version=groups["version"],
        cgroup_mounts=groups["mounts"],
        pid_namespace="namespaces/pid" in settings.isolation,
        cgroups_root=settings.cgroups_root,
        enable_cfs=settings.cgroups_enable_cfs,
        limit_swap=settings.cgroups_limit_swap,
        switch_user=settings.switch_user,
        pids_limit=settings.cgroups_pids_limit,
        frameworks_home=settings.frameworks_home,
        stall_timeout_s=settings.fetcher_stall_timeout,
        fetch_limit_bytes=settings.fetcher_size_limit,
        fetch_cache_dir=settings.fetcher_cache_dir or str(work_dir / "fetch"),
        fetch_cache_bytes=settings.fetcher_cache_size,
        stdout_bytes=settings.max_stdout_size,
        stderr_bytes=settings.max_stderr_size,
        log_files=settings.max_log_files,
        agent_user=_own_user(),
        gpu_devices=gpu_devices(settings),
        revocable_low_priority=settings.revocable_cpu_low_priority,
        **_linux_part(settings),
        **_network_part(settings),
        **_image_part(settings, work_dir, "" if why_not else "oci"),
    )


def _linux_part(settings: Settings) -> dict[str, Any]:
    return {
        "ipc_namespace": "namespaces/ipc" in settings.isolation,
        "forbid_sharing_pid": settings.disallow_sharing_agent_pid_namespace,
        "shm_mib": settings.default_container_shm_size,
        "effective_capabilities": _capabilities(settings, "effective_capabilities"),
        "bounding_capabilities": _capabilities(settings, "bounding_capabilities"),
        "seccomp_dir": settings.seccomp_config_dir,
        "seccomp_profile": settings.seccomp_profile_name,
        "read_only_root": settings.read_only_host,
    }


def _network_part(settings: Settings) -> dict[str, Any]:
    plugins = settings.network_cni_plugins_dir
    missing = probe.missing_plugins(plugins, ("bridge", "host-local", "portmap"))
    bridge = "" if missing else settings.bridge_subnet
    why_not = ""
    if not settings.network_cni_config_dir and not bridge:
        why_not = f"no --network_cni_config_dir, and {plugins} lacks {', '.join(missing)}"
    return {
        "why_no_networks": why_not,
        "cni_config_dir": settings.network_cni_config_dir,
        "cni_plugins_dir": plugins,
        "bridge_network": settings.bridge_network,
        "bridge_subnet": bridge,
    }


def _capabilities(settings: Settings, name: str) -> tuple[str, ...] | None:
    value = json_object(settings, name)
    if value is None:
        return None
    names = value.get("capabilities", [])
    known = [f"CAP_{each}" for each in names if isinstance(each, str)]
    wrong = [each for each in known if each not in probe.CAPABILITIES]
    if wrong or len(known) != len(names):
        raise UsageError(f"--{name}: {', '.join(wrong) or names} is no capability of Linux")
    return tuple(known)


def _image_part(settings: Settings, work_dir: Path, isolation: str) -> dict[str, Any]:
    providers = [name for name in settings.image_providers.split(",") if name.strip()]
    if any(name.strip().lower() != "docker" for name in providers):
        raise UsageError(f"--image_providers: '{settings.image_providers}': only docker is there")
    backend = settings.image_provisioner_backend
    if isolation == "oci" and providers and backend == "auto":
        backend = "copy" if probe.why_no_overlay(work_dir) else "overlay"
    return {
        "why_no_images": "" if providers else "--image_providers is empty",
        "image_backend": backend,
        "image_store": settings.docker_store_dir or str(work_dir / "store" / "docker"),
        "docker_registry": settings.docker_registry,
        "docker_config": settings.docker_config,
        "sandbox_directory": settings.sandbox_directory,
    }


class ImageCollection(NamedTuple):
    """When unused images go: as soon as less than `headroom` of the disk is free."""

    headroom: float
    interval_s: float
    excluded: tuple[str, ...]


def image_collection(settings: Settings) -> ImageCollection | None:
    """`--image_gc_config`; None where images stay until somebody prunes them."""
    value = json_object(settings, "image_gc_config")
    if value is None:
        return None
    try:
        interval = value.get("image_disk_watch_interval", {}).get("nanoseconds", 3600e9)
        names = [each["docker"]["name"] for each in value.get("excluded_images", [])]
        headroom = float(value.get("image_disk_headroom", 0.1))
        return ImageCollection(headroom, max(float(interval) / 1e9, 1.0), tuple(names))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"--image_gc_config: malformed: {error!r}") from error


def _own_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def configure(settings: Settings, host: Host, ip: str, hostname: str) -> AgentConfig:
    """The machine's configuration; others reach it by `ip`. Raises UsageError."""
    return AgentConfig(
        master=settings.master,
        hostname=hostname,
        ip=ip,
        port=settings.advertise_port or settings.port,
        version=MESOS_VERSION,
        host=host,
        resources=resources(settings, host.work_dir),
        attributes=attributes(settings),
        domain=domain(settings),
        flags=settings.as_strings(),
        registration_backoff_s=settings.registration_backoff_factor,
        gc_delay_s=settings.gc_delay,
        gc_disk_headroom=settings.gc_disk_headroom,
        disk_watch_interval_s=settings.disk_watch_interval,
        executor_environment=environment(settings),
        executor_shutdown_grace_s=settings.executor_shutdown_grace_period,
        recovery_timeout_s=settings.recovery_timeout,
        registration_timeout_s=settings.executor_registration_timeout,
        reregistration_timeout_s=settings.executor_reregistration_timeout,
        max_completed_executors=settings.max_completed_executors_per_framework,
        log_path=settings.external_log_file,
        http_heartbeat_s=settings.http_heartbeat_interval,
        qos_controller=qos_controller(settings),
    )


def described(host: Host, config: AgentConfig) -> dict[str, str]:
    """Everything that was found, for one line in the log."""
    return {
        "resources": format_resources(config.resources),
        "isolation": f"{host.isolation} ({host.reason})",
        "control_groups": f"version {host.cgroup_version}",
        "images": host.why_no_images or f"{host.image_backend} at {host.image_store}",
        "networks": host.why_no_networks or host.cni_config_dir or host.bridge_network,
        "gpus": ",".join(map(str, host.gpu_devices)) or "none",
        "capabilities": str(len(host.capabilities)),
    }


def domain(settings: Settings) -> DomainInfo | None:
    """`--domain`."""
    try:
        return parse_domain(settings.domain)
    except WireError as error:
        raise UsageError(f"--domain: {error}") from error


def environment(settings: Settings) -> dict[str, str]:
    """`--executor_environment_variables`."""
    value = json_object(settings, "executor_environment_variables") or {}
    if not all(isinstance(each, str) for each in value.values()):
        raise UsageError("--executor_environment_variables: a JSON object of strings is needed")
    return value


def explain(settings: Settings, task_json: bytes) -> str:
    """The plan of a task on this host as JSON, its steps first. Raises UsageError, WireError."""
    work_dir = Path(settings.work_dir).absolute()
    runtime_dir = Path(settings.runtime_dir or work_dir / "run").resolve()
    host = describe_host(settings, work_dir, runtime_dir)
    config = configure(settings, host, "127.0.0.1", "localhost")
    task = codec.decode(task_json, TaskInfo)
    reason = why_unsupported(task, config)
    if reason:
        raise UsageError(reason)
    framework = FrameworkInfo(user=_own_user(), name="explained", id=FrameworkID("FRAMEWORK"))
    request = container_request(
        task, framework, "AGENT", "CONTAINER", from_wire(task.resources), config
    )
    plan = build_plan(request, config.host)
    return json.dumps({"steps": plan.pop("steps"), **plan}, indent=2) + "\n"
