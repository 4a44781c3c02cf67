"""Task groups: what the default executor of the original does, decided by the agent itself.

A *pod* is an executor of type DEFAULT. Its own container is a *holder* that does nothing: it keeps
the sandbox, the network and the account that the tasks share; each task has a container beside it,
whose name is `<pod>.<task's>`. Tasks launched together are a *group*; its members are *companions*.

Invariants: one task of a group that fails or is killed takes its companions with it, one that
finishes does not; the pod ends `LINGER_S` after its last task. Why no process does this:
docs/decisions/0007-pods-without-a-process.md.
Source: apache/mesos src/launcher/default_executor.cpp.
"""

import msgspec

from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.executor_life import ExecutorPhase
from mesosphere.agent.core.requests import why_unsupported
from mesosphere.agent.core.state import ExecutorRecord, TaskRecord
from mesosphere.agent.core.watching import why_unwatchable
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.containers import ContainerInfo
from mesosphere.wire.mesos.tasks import ExecutorInfo

LINGER_S = 1.0
"""A pod without tasks stays so long: a new group may come."""


def holder(info: ExecutorInfo) -> ExecutorInfo:
    """The executor whose container holds a pod: nothing runs in it, and nothing of an image."""
    user = info.command.user if info.command is not None else None
    command = CommandInfo(value="sleep", shell=False, arguments=["sleep", "infinity"], user=user)
    container = None
    if info.container is not None:
        container = ContainerInfo(
            type=info.container.type,
            hostname=info.container.hostname,
            network_infos=info.container.network_infos,
        )
    return msgspec.structs.replace(info, command=command, container=container)


def why_unsupported_group(tasks: list[TaskRecord], config: AgentConfig) -> str:
    """What in any task of a group this agent can't do; "" if it can run them all."""
    for record in tasks:
        reason = why_unsupported(record.info, config, nested=True) or why_unwatchable(record.info)
        if reason:
            return f"task '{record.task_id}': {reason}"
    return ""


def companions(record: TaskRecord) -> list[TaskRecord]:
    """The tasks that the end of this one takes along."""
    executor = record.executor
    if executor is None or not record.group or record.state == "TASK_FINISHED":
        return []
    if executor.phase is ExecutorPhase.ENDED:
        return []
    return [
        other for other in executor.living() if other.group == record.group and not other.killed
    ]


def exit_status(executor: ExecutorRecord, status: int | None) -> int:
    """The wait status that the framework is told; a pod that was ended by us has exited well."""
    if executor.is_pod and executor.phase is ExecutorPhase.TERMINATING:
        return 0
    return -1 if status is None else status
