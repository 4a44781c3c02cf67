"""From a task to what its container needs: command, environment, limits, files, volumes.

Decides how a TaskInfo is read, and refuses what this agent can't run, in one sentence. The
environment has three layers, the later wins: what the operator gives to executors, what the agent
knows (MESOS_..), what the task asks for. Source: "Mesos: executor environment" (apache/mesos
src/slave/slave.cpp executorEnvironment, src/launcher/executor.cpp).
"""

import math

from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.containers import (
    DEFAULT_PATH,
    ContainerRequest,
    ResourceLimit,
    Uri,
    Volume,
    executor_directory,
    run_directory,
)
from mesosphere.kernel.durations import format_duration
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.containers import ContainerInfo
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.tasks import TaskInfo

MIB = 1024 * 1024


class Unsupported(Exception):
    """The task can't be run by this agent; the message is one sentence."""


def why_unsupported(task: TaskInfo, config: AgentConfig) -> str:
    """What in the task this agent can't do; "" when it can run it."""
    if task.executor is not None or task.command is None:
        return "this agent runs command tasks only, not custom executors"
    if task.command.value is None:
        return "the command has no value"
    container = task.container
    if container is not None:
        if container.type == "DOCKER" or (container.mesos and container.mesos.image):
            return "this agent runs commands on the host's file system, not from images"
        if any(network.name for network in container.network_infos):
            return "this agent has the host's network only"
        if any(_host_path(container, position) is None for position in range(_volumes(container))):
            return "this agent has volumes of the host's file system only"
        if container.volumes and config.host.isolation != "oci":
            return "volumes need the OCI isolation, which this agent does not have"
    return ""


def _volumes(container: ContainerInfo) -> int:
    return len(container.volumes)


def _host_path(container: ContainerInfo, position: int) -> str | None:
    volume = container.volumes[position]
    if volume.host_path is not None:
        return volume.host_path
    source = volume.source
    if source is not None and source.host_path is not None:
        return source.host_path.path
    return None


def container_request(
    task: TaskInfo,
    framework: FrameworkInfo,
    agent_id: str,
    container: str,
    resources: Resources,
    config: AgentConfig,
    executor_id: str = "",
) -> ContainerRequest:
    """The request of a task that `why_unsupported` has nothing against.

    `executor_id` is that of the pod that the task belongs to; a command task is its own.
    """
    command = task.command
    if command is None or command.value is None:
        raise Unsupported("the task has no command")
    framework_id = framework.id.value if framework.id is not None else ""
    return ContainerRequest(
        container=container,
        agent_id=agent_id,
        framework_id=framework_id,
        executor_id=executor_id or task.task_id.value,
        task_id=task.task_id.value,
        argv=command_words(command),
        environment=task_environment(task, framework, agent_id, container, config, executor_id),
        cpus_milli=resources.scalar("cpus"),
        mem_bytes=resources.scalar("mem") * MIB // 1000,
        cpus_limit_milli=_limit(task, "cpus", 1000),
        mem_limit_bytes=_limit(task, "mem", MIB),
        user=command.user or framework.user,
        uris=tuple(
            Uri(uri.value, bool(uri.executable), uri.extract, uri.output_file)
            for uri in command.uris
        ),
        volumes=_host_volumes(task),
        rlimits=_resource_limits(task),
        disk_bytes=_sandbox_disk(task),
    )


def command_words(command: CommandInfo) -> tuple[str, ...]:
    """argv: a shell line through /bin/sh, or the value with its arguments as they are.

    Without a shell the first argument is the program's name for itself (argv[0]); the value is
    the file. Programs that look at their name are rare, so the value stands for both.
    """
    value = command.value or ""
    if command.shell:
        return ("/bin/sh", "-c", value)
    return (value, *command.arguments[1:])


def command_environment(command: CommandInfo) -> dict[str, str]:
    """The variables that a command asks for."""
    if command.environment is None:
        return {}
    return {
        variable.name: variable.value or ""
        for variable in command.environment.variables
        if variable.type != "SECRET"
    }


def task_environment(
    task: TaskInfo,
    framework: FrameworkInfo,
    agent_id: str,
    container: str,
    config: AgentConfig,
    executor_id: str = "",
) -> dict[str, str]:
    """All variables of a task; see `container_request`."""
    framework_id = framework.id.value if framework.id is not None else ""
    executor_id = executor_id or task.task_id.value
    below = executor_directory(agent_id, framework_id, executor_id)
    sandbox = f"{config.host.work_dir}/{below}/runs/{run_directory(container)}"
    environment = dict(config.executor_environment)
    environment.update(
        MESOS_FRAMEWORK_ID=framework_id,
        MESOS_EXECUTOR_ID=executor_id,
        MESOS_DIRECTORY=sandbox,
        MESOS_SANDBOX=sandbox,
        MESOS_SLAVE_ID=agent_id,
        MESOS_SLAVE_PID=config.pid,
        MESOS_AGENT_ENDPOINT=f"{config.ip}:{config.port}",
        MESOS_CHECKPOINT="1" if framework.checkpoint else "0",
        MESOS_HTTP_COMMAND_EXECUTOR="0",
        MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=format_duration(config.executor_shutdown_grace_s),
        MESOS_CONTAINER_ID=container,
        LIBPROCESS_IP=config.ip,
        LIBPROCESS_PORT="0",
    )
    environment.setdefault("PATH", DEFAULT_PATH)
    if "." in container:
        environment["MESOS_CONTAINER_IP"] = config.ip
    if framework.checkpoint:
        environment["MESOS_RECOVERY_TIMEOUT"] = format_duration(config.recovery_timeout_s)
        environment["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = format_duration(
            config.reregistration_timeout_s
        )
    if task.command is not None:
        environment.update(command_environment(task.command))
    environment["MESOS_ALLOCATION_ROLE"] = allocation_role(task)
    return environment


def allocation_role(task: TaskInfo) -> str:
    """The role whose share pays for the task."""
    for resource in task.resources:
        if resource.allocation_info is not None and resource.allocation_info.role:
            return resource.allocation_info.role
    return "*"


def _limit(task: TaskInfo, name: str, unit: int) -> int | None:
    scalar = task.limits.get(name)
    if scalar is None:
        return None
    return -1 if math.isinf(scalar.value) else int(scalar.value * unit)


def _sandbox_disk(task: TaskInfo) -> int | None:
    """What the sandbox may take; persistent volumes are accounts of their own."""
    parts = [
        resource.scalar.value
        for resource in task.resources
        if resource.name == "disk" and resource.scalar is not None
        and (resource.disk is None or resource.disk.persistence is None)
    ]  # fmt: skip
    return int(sum(parts) * MIB) or None


def _host_volumes(task: TaskInfo) -> tuple[Volume, ...]:
    container = task.container
    if container is None:
        return ()
    return tuple(
        Volume(volume.container_path, _host_path(container, position) or "", volume.mode == "RO")
        for position, volume in enumerate(container.volumes)
    )


def _resource_limits(task: TaskInfo) -> tuple[ResourceLimit, ...]:
    container = task.container
    if container is None or container.rlimit_info is None:
        return ()
    return tuple(
        ResourceLimit(limit.type.removeprefix("RLMT_"), limit.soft, limit.hard)
        for limit in container.rlimit_info.rlimits
        if limit.type is not None
    )
