"""What the tasks of an executor are told when it ends, or never gets to run them.

The messages are those of the original, word for word. Source: apache/mesos src/slave/slave.cpp
(executorTerminated, registerExecutorTimeout, reregisterExecutorTimeout, killTask).
"""

from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.exits import Circumstances, End, judge_exit
from mesosphere.agent.core.state import ExecutorRecord, FrameworkRecord, QueuedLaunch
from mesosphere.kernel.durations import format_duration
from mesosphere.kernel.events import ContainerExited

TERMINATED = End("TASK_FAILED", "REASON_EXECUTOR_TERMINATED", "Executor terminated", "SOURCE_AGENT")


def launch_failed(reason: str) -> End:
    """Its container could not be started."""
    return End("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED", reason, "SOURCE_AGENT")


def exited(event: ContainerExited) -> End:
    """Its container has ended; a limit that it ran into is the tasks' reason, too."""
    if not event.limitation:
        return TERMINATED
    return judge_exit(
        event.status, event.limitation, event.message, Circumstances(), event.amount_mib
    )


def late(executor: ExecutorRecord, framework: FrameworkRecord, config: AgentConfig) -> End:
    """It has not subscribed in time: for the first time, or after a restart of the agent."""
    if not executor.is_recovered:
        waited = format_duration(config.registration_timeout_s)
        return End(
            "TASK_FAILED", "REASON_EXECUTOR_REGISTRATION_TIMEOUT",
            f"Executor did not register within {waited}", "SOURCE_AGENT",
        )  # fmt: skip
    waited = format_duration(config.reregistration_timeout_s)
    return End(
        "TASK_GONE" if framework.can("PARTITION_AWARE") else "TASK_LOST",
        "REASON_EXECUTOR_REREGISTRATION_TIMEOUT",
        f"Executor did not re-register within {waited}", "SOURCE_AGENT",
    )  # fmt: skip


def undelivered(framework: FrameworkRecord) -> End:
    """The agent restarted while the task was on its way to its executor."""
    return End(
        "TASK_DROPPED" if framework.can("PARTITION_AWARE") else "TASK_LOST",
        "REASON_AGENT_RESTARTED", "Task launched during agent restart", "SOURCE_AGENT",
    )  # fmt: skip


def cancelled(launch: QueuedLaunch) -> End:
    """A kill, or the end of the executor, came before the launch was delivered."""
    words = "Killed before delivery to the executor"
    if launch.is_group:
        words = "A task within the task group was killed before delivery to the executor"
    return End("TASK_KILLED", "REASON_TASK_KILLED_DURING_LAUNCH", words, "SOURCE_AGENT")
