"""What the end of a container means for its task: state, reason and message.

Vocabulary: a *wait status* is the kernel's number for how a process ended; None means that nobody
saw it end. The messages are those of the original's command executor, word for word, because
people search for them. Source: apache/mesos src/launcher/executor.cpp, src/slave/slave.cpp.
"""

import signal
from typing import NamedTuple

from mesosphere.wire.mesos.agents import DrainConfig
from mesosphere.wire.mesos.resources import Resource, Scalar, TaskResourceLimitation


class End(NamedTuple):
    """A terminal state with its reason (None: none is set), message and source."""

    state: str
    reason: str | None
    message: str
    source: str = "SOURCE_EXECUTOR"
    limited: tuple[str, float] | None = None  # resource and amount that a limitation is about


class Circumstances(NamedTuple):
    """What we had done to the task before it ended."""

    killed: bool = False
    expired: bool = False
    preempted: bool = False


DRAINING = "REASON_AGENT_DRAINING"
LIMITATION_REASONS = {
    "memory": "REASON_CONTAINER_LIMITATION_MEMORY",
    "disk": "REASON_CONTAINER_LIMITATION_DISK",
    "pids": "REASON_CONTAINER_LIMITATION",
}
LIMITED_RESOURCES = {"memory": "mem", "disk": "disk"}


def describe_status(status: int) -> str:
    """A wait status in words: "Command exited with status 1"."""
    number = status & 0x7F
    if number == 0:
        return f"Command exited with status {status >> 8 & 0xFF}"
    try:
        name = signal.strsignal(number) or f"Unknown signal {number}"
    except ValueError:
        name = f"Unknown signal {number}"
    dumped = " (core dumped)" if status & 0x80 else ""
    return f"Command terminated with signal {name}{dumped}"


def judge_exit(
    status: int | None,
    limitation: str,
    message: str,
    circumstances: Circumstances,
    amount_mib: float = 0.0,
) -> End:
    """The terminal state of a task whose container has ended."""
    if limitation:
        reason = LIMITATION_REASONS.get(limitation, "REASON_CONTAINER_LIMITATION")
        name = LIMITED_RESOURCES.get(limitation)
        limited = (name, amount_mib) if name is not None and amount_mib > 0 else None
        return End("TASK_FAILED", reason, message, "SOURCE_AGENT", limited)
    words = "The exit status is not known" if status is None else describe_status(status)
    if circumstances.preempted:
        told = "Container preempted by QoS correction"
        return End("TASK_FAILED", "REASON_CONTAINER_PREEMPTED", told, "SOURCE_AGENT")
    if circumstances.expired:
        return End("TASK_FAILED", "REASON_MAX_COMPLETION_TIME_REACHED", words)
    if circumstances.killed:
        return End("TASK_KILLED", None, words)
    if status is None:
        told = f"{words}: {message}" if message else words
        return End("TASK_FAILED", "REASON_EXECUTOR_TERMINATED", told, "SOURCE_AGENT")
    if status == 0:
        return End("TASK_FINISHED", None, words)
    return End("TASK_FAILED", None, words)


def limitation(end: End) -> TaskResourceLimitation | None:
    """The limitation of a status or a termination, as it travels."""
    if end.limited is None:
        return None
    name, amount = end.limited
    resource = Resource(name=name, type="SCALAR", scalar=Scalar(value=amount))
    return TaskResourceLimitation(resources=[resource])


def reworded(end: End, drain: DrainConfig | None, is_aware: bool) -> End:
    """What a kill is called while the agent drains, for a PARTITION_AWARE framework or another."""
    if drain is None or end.state not in ("TASK_KILLING", "TASK_KILLED"):
        return end
    is_gone = drain.mark_gone and is_aware and end.state == "TASK_KILLED"
    return end._replace(state="TASK_GONE_BY_OPERATOR" if is_gone else end.state, reason=DRAINING)
