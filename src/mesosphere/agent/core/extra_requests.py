"""What an extra container needs: its place in its parent, and the request for its plan.

A nested container lies in the sandbox of its parent and shares its networks; unless it asks for
`share_cgroups: false`, its control group is below its parent's and its processes count there. A
standalone one lies in `<work_dir>/containers`. The user is that of the command, else the parent's.
Source: apache/mesos src/slave/containerizer/mesos/containerizer.cpp (launch), isolators cgroups.
"""

from typing import NamedTuple

import msgspec

from mesosphere.agent.core.addresses import network_holder
from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.containers import ContainerRequest
from mesosphere.agent.core.executor_life import ExecutorPhase
from mesosphere.agent.core.extra_life import ExtraPhase
from mesosphere.agent.core.extra_records import ExtraFile, ExtraOrder
from mesosphere.agent.core.life_cycle import Phase
from mesosphere.agent.core.requests import container_request
from mesosphere.agent.core.state import FrameworkRecord, State
from mesosphere.agent.core.surroundings import has_own_network
from mesosphere.kernel.resources import EMPTY
from mesosphere.wire.mesos.containers import ContainerInfo
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID, TaskID
from mesosphere.wire.mesos.resources_codec import from_wire
from mesosphere.wire.mesos.tasks import TaskInfo

STANDALONE = "containers"
OF_OTHERS = ("MESOS_FRAMEWORK_ID", "MESOS_EXECUTOR_ID", "MESOS_CHECKPOINT")
"""Variables that mean nothing in a container of nobody's framework."""


class Home(NamedTuple):
    """A container that others can be launched in. `framework_id` "": a standalone one."""

    name: str
    sandbox: str
    user: str | None
    framework_id: str
    executor_id: str
    container: ContainerInfo | None
    network_of: str  # the container whose networks those inside share; "" for the host's
    group: str
    is_running: bool
    is_ending: bool


def find_home(state: State, name: str) -> Home | None:
    """A container that has not ended; None if there is none of this name."""
    root = f"/{state.config.host.cgroups_root}"
    extra = state.extras.get(name)
    if extra is not None and extra.phase is not ExtraPhase.ENDED:
        file = extra.file
        above = find_home(state, file.order.parent)
        own = has_own_network(file.order.container)
        group = f"{root}/{name}"
        if file.order.shares_limits and above is not None:
            group = f"{above.group}/{name.rpartition('.')[2]}"
        return Home(
            name, file.sandbox, file.user, file.framework_id, file.executor_id,
            file.order.container, name if own else above.network_of if above is not None else "",
            group, extra.phase is ExtraPhase.RUNNING, extra.phase is ExtraPhase.ENDING,
        )  # fmt: skip
    executor = state.executor_containers.get(name)
    if executor is not None and executor.phase is not ExecutorPhase.ENDED:
        own = has_own_network(executor.info.container)
        return Home(
            name, executor.sandbox, executor.user, executor.framework_id, executor.id,
            executor.info.container, name if own else "", f"{root}/{name}", bool(executor.pid),
            executor.phase is ExecutorPhase.TERMINATING,
        )  # fmt: skip
    task = state.containers.get(name)
    if task is not None and task.phase is not Phase.ENDED:
        own = has_own_network(task.info.container)
        return Home(
            name, task.sandbox, task.user, task.framework_id, task.executor_id,
            task.info.container, name if own else network_holder(task), f"{root}/{name}",
            task.phase in (Phase.RUNNING, Phase.KILLING), task.phase is Phase.CANCELLING,
        )  # fmt: skip
    return None


def place(order: ExtraOrder, home: Home | None, config: AgentConfig, now: float) -> ExtraFile:
    """Where an extra container belongs."""
    value = order.name.rpartition(".")[2]
    if home is None:
        sandbox = f"{config.host.work_dir}/{STANDALONE}/{value}"
        return ExtraFile(order, sandbox, order.command.user, "", "", now)
    return ExtraFile(
        order, f"{home.sandbox}/containers/{value}", order.command.user or home.user,
        home.framework_id, home.executor_id, now,
    )  # fmt: skip


def extra_request(
    file: ExtraFile,
    home: Home | None,
    framework: FrameworkRecord | None,
    agent_id: str,
    config: AgentConfig,
) -> ContainerRequest:
    """The request of an extra container. Raises Unsupported, WireError."""
    order = file.order
    shares = order.shares_limits
    task = TaskInfo(
        name=order.name,
        task_id=TaskID(order.name.rpartition(".")[2]),
        agent_id=AgentID(agent_id),
        command=order.command,
        container=order.container,
        limits={} if shares else order.limits,
    )
    resources = EMPTY if shares else from_wire(order.resources)
    info = FrameworkInfo(user=file.user or "", name="") if framework is None else framework.info
    request = container_request(
        task, info, agent_id, order.name, resources, config, file.executor_id,
        home.network_of if home is not None else "",
    )  # fmt: skip
    environment = dict(request.environment)
    environment["MESOS_DIRECTORY"] = file.sandbox
    if request.around.image is None:
        environment["MESOS_SANDBOX"] = file.sandbox
    if not file.framework_id:
        environment = {key: told for key, told in environment.items() if key not in OF_OTHERS}
    return msgspec.structs.replace(
        request,
        environment=environment,
        user=file.user or None,
        task_id="",
        sandbox=file.sandbox,
        group=f"{home.group}/{order.name.rpartition('.')[2]}" if shares and home else "",
        is_extra=True,
    )
