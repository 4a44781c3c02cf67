"""What a simulated framework launches on an offer: command tasks, tasks of a custom executor, pods.

A custom executor serves all the tasks that its framework has on an agent; a pod has the tasks of
one group, and ends after them.
"""

from enum import Enum

from mesosphere.simulation.processes import EXECUTOR
from mesosphere.wire import mesos
from mesosphere.wire.mesos.operations import Launch, LaunchGroup

CPUS, MEM = 0.25, 64
EXECUTOR_CPUS, EXECUTOR_MEM, EXECUTOR_DISK = 0.1, 32, 10


class Kind(Enum):
    """Who runs a framework's tasks."""

    COMMAND = "the agent"
    CUSTOM = "an executor of its own"
    POD = "the default executor"


def room(offer: mesos.Offer, kind: Kind, executor: str) -> int:
    """How many tasks fit."""
    cpus, mem = _scalar(offer, "cpus"), _scalar(offer, "mem")
    if kind is not Kind.COMMAND and mesos.ExecutorID(executor) not in offer.executor_ids:
        cpus, mem = cpus - EXECUTOR_CPUS, mem - EXECUTOR_MEM
    return int(min(cpus // CPUS, mem // MEM))


def launch(
    offer: mesos.Offer, kind: Kind, executor: str, names: list[str], command: str
) -> mesos.Operation:
    """An operation that launches tasks of these names."""
    info = None if kind is Kind.COMMAND else _executor(offer, kind, executor)
    own = info if kind is Kind.CUSTOM else None
    tasks = [_task(offer, name, command, own) for name in names]
    if info is None or kind is Kind.CUSTOM:
        return mesos.Operation(type="LAUNCH", launch=Launch(task_infos=tasks))
    group = LaunchGroup(executor=info, task_group=mesos.TaskGroupInfo(tasks=tasks))
    return mesos.Operation(type="LAUNCH_GROUP", launch_group=group)


def _executor(offer: mesos.Offer, kind: Kind, executor: str) -> mesos.ExecutorInfo:
    is_custom = kind is Kind.CUSTOM
    return mesos.ExecutorInfo(
        type="CUSTOM" if is_custom else "DEFAULT",
        executor_id=mesos.ExecutorID(executor),
        command=mesos.CommandInfo(value=EXECUTOR) if is_custom else None,
        resources=[
            _resource("cpus", EXECUTOR_CPUS, offer),
            _resource("mem", EXECUTOR_MEM, offer),
            *([] if is_custom else [_resource("disk", EXECUTOR_DISK, offer)]),
        ],
    )


def _task(
    offer: mesos.Offer, name: str, command: str, executor: mesos.ExecutorInfo | None
) -> mesos.TaskInfo:
    variables = [mesos.Variable(name="MESOS_TASK_ID", value=name)]
    return mesos.TaskInfo(
        name=name,
        task_id=mesos.TaskID(name),
        agent_id=offer.agent_id,
        resources=[_resource("cpus", CPUS, offer), _resource("mem", MEM, offer)],
        executor=executor,
        command=mesos.CommandInfo(
            value=command, environment=mesos.Environment(variables=variables)
        ) if executor is None else None,
        data=None if executor is None else command.encode(),
    )  # fmt: skip


def _scalar(offer: mesos.Offer, name: str) -> float:
    return sum(
        resource.scalar.value
        for resource in offer.resources
        if resource.name == name and resource.scalar is not None
    )


def _resource(name: str, value: float, offer: mesos.Offer) -> mesos.Resource:
    return mesos.Resource(
        name=name,
        type="SCALAR",
        scalar=mesos.Scalar(value=value),
        allocation_info=offer.allocation_info,
    )
