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
    Uri,
    executor_directory,
    run_directory,
)
from mesosphere.agent.core.refusals import Unsupported
from mesosphere.agent.core.surroundings import has_own_network, read_surroundings
from mesosphere.agent.core.volumes import check_mounts, mounts
from mesosphere.kernel.durations import format_duration
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.containers import ContainerInfo
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.tasks import TaskInfo

MIB = 1024 * 1024
SIZE_MOST = 65_535
"""Rows or columns of a terminal."""


def why_unsupported(task: TaskInfo, config: AgentConfig, nested: bool = False) -> str:
    """What in the task this agent can't do; "" when it can run it. `nested`: in a pod."""
    if task.executor is not None or task.command is None:
        return "this agent runs command tasks only, not custom executors"
    try:
        around = read_surroundings(task.container, config.host, nested)
        check_mounts(task.resources, config.host.isolation)
    except Unsupported as refusal:
        return str(refusal)
    if task.command.value is None and (around.image is None or task.command.shell):
        return "the command has no value"
    return ""


def container_request(
    task: TaskInfo,
    framework: FrameworkInfo,
    agent_id: str,
    container: str,
    resources: Resources,
    config: AgentConfig,
    executor_id: str = "",
    network_of: str = "",
) -> ContainerRequest:
    """The request of a task that `why_unsupported` has nothing against.

    `executor_id` is that of the pod that the task belongs to; a command task is its own.
    `network_of` is the container whose networks it shares.
    """
    command = task.command
    if command is None:
        raise Unsupported("the task has no command")
    around = read_surroundings(task.container, config.host, "." in container)
    framework_id = framework.id.value if framework.id is not None else ""
    return ContainerRequest(
        container=container,
        agent_id=agent_id,
        framework_id=framework_id,
        executor_id=executor_id or task.task_id.value,
        task_id=task.task_id.value,
        argv=_argv(task, command),
        environment=task_environment(task, framework, agent_id, container, config, executor_id),
        cpus_milli=resources.scalar("cpus"),
        mem_bytes=resources.scalar("mem") * MIB // 1000,
        cpus_limit_milli=_limit(task, "cpus", 1000),
        mem_limit_bytes=_limit(task, "mem", MIB),
        user=command.user or framework.user,
        uris=tuple(
            Uri(uri.value, bool(uri.executable), uri.extract, uri.output_file, bool(uri.cache))
            for uri in command.uris
        ),
        volumes=mounts(config.host.work_dir, task.resources),
        around=around,
        network_of=network_of,
        image_arguments=_image_arguments(task, command),
        as_docker=_is_docker(task),
        command_environment=command_environment(command),
        is_revocable=bool(resources.revocable().scalar("cpus")),
        gpus=resources.scalar("gpus") // 1000,
        disk_bytes=_sandbox_disk(task),
        tty=terminal_size(task.container),
    )


def terminal_size(container: ContainerInfo | None) -> tuple[int, int] | None:
    """Rows and columns of the terminal that is asked for; (0, 0) if only that there be one."""
    if container is None or container.tty_info is None:
        return None
    size = container.tty_info.window_size
    return (0, 0) if size is None else (min(size.rows, SIZE_MOST), min(size.columns, SIZE_MOST))


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
        MESOS_SANDBOX=sandbox if not _has_image(task) else config.host.sandbox_directory,
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
    if has_own_network(task.container):
        environment["LIBPROCESS_IP"] = "0.0.0.0"
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


def _has_image(task: TaskInfo) -> bool:
    container = task.container
    if container is None:
        return False
    return container.type == "DOCKER" or bool(container.mesos and container.mesos.image)


def _sandbox_disk(task: TaskInfo) -> int | None:
    """What the sandbox may take; persistent volumes are accounts of their own."""
    parts = [
        resource.scalar.value
        for resource in task.resources
        if resource.name == "disk" and resource.scalar is not None
        and (resource.disk is None or resource.disk.persistence is None)
    ]  # fmt: skip
    return int(sum(parts) * MIB) or None


def _argv(task: TaskInfo, command: CommandInfo) -> tuple[str, ...]:
    """The words to run; () where the image's own command comes first."""
    if command.shell or (command.value is not None and not _is_docker(task)):
        return command_words(command)
    return ()


def _is_docker(task: TaskInfo) -> bool:
    return task.container is not None and task.container.type == "DOCKER"


def _image_arguments(task: TaskInfo, command: CommandInfo) -> tuple[str, ...]:
    # `docker run IMAGE value arguments...`: all of it goes to the image's entry point.
    first = () if command.value is None else (command.value,)
    return () if command.shell else (*first, *command.arguments)
