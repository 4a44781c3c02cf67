"""Takes over what an earlier life of this agent has left.

Order: the checkpoints give frameworks, tasks and unacknowledged updates; the supervisor says which
containers run and how the others ended; only then the agent registers. A configuration that changed
is accepted whenever the running tasks still fit it. Source: "Mesos: agent recovery" (apache/mesos
src/slave/slave.cpp recover), except that the original refuses most changed configurations.
"""

from collections.abc import Mapping

from mesosphere.agent.core import checkpoint
from mesosphere.agent.core.exits import End
from mesosphere.agent.core.life_cycle import Input, Phase
from mesosphere.agent.core.state import FrameworkRecord, State, TaskRecord
from mesosphere.agent.core.tasks import Tasks
from mesosphere.kernel.effects import (
    DestroyContainer,
    Effect,
    Halt,
    Log,
    RecoverContainers,
    RemoveCheckpoint,
)
from mesosphere.kernel.events import ContainerExited, ContainersRecovered
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.resources import format_resources
from mesosphere.wire.mesos.enums import is_terminal


class Recovery:
    """The agent's first steps."""

    def __init__(self, state: State, tasks: Tasks) -> None:
        self._state = state
        self._tasks = tasks

    def begin(self, files: Mapping[str, bytes]) -> list[Effect]:
        """Read the checkpoints and ask for the containers, or refuse to start."""
        saved = checkpoint.read_saved(files)
        self._state.agent_id = saved.agent_id
        self._state.recovery_errors = len(saved.damaged)
        effects: list[Effect] = [
            Log("error", "checkpoint_damaged", {"what": what}) for what in saved.damaged
        ]
        for task in saved.tasks:
            effects += self._restore(saved, task)
        used, total = self._state.used(), self._state.config.resources
        if not total.contains(used):
            missing = format_resources(used - total)
            reason = (
                "Incompatible agent info detected: the running tasks do not fit the resources of "
                f"this agent, {missing} is missing; give them back, or remove "
                f"{self._state.config.host.work_dir}/{checkpoint.LATEST} to start as a new agent "
                "without them"
            )
            return [*effects, Halt(ExitCode.USAGE, reason)]
        known = tuple(
            task.container for task in self._state.tasks() if task.phase is not Phase.ENDED
        )
        return [*effects, RecoverContainers(known)]

    def _restore(self, saved: checkpoint.Saved, task: checkpoint.SavedTask) -> list[Effect]:
        agent_id = saved.agent_id or ""
        info = task.file.task
        last = task.updates[-1] if task.updates else None
        if last is not None and is_terminal(last.state) and not task.pending:
            # Acknowledged: the crash came before the files were removed.
            directory = checkpoint.executor_path(agent_id, task.framework_id, info.task_id.value)
            return [RemoveCheckpoint(directory)]
        framework = self._state.frameworks.setdefault(
            task.framework_id, FrameworkRecord(saved.frameworks[task.framework_id], {})
        )
        record = TaskRecord(
            info=info,
            framework_id=task.framework_id,
            agent_id=agent_id,
            container=task.file.container,
            sandbox=task.file.sandbox,
            user=task.file.user,
            launched_at=task.file.launched_at,
            statuses=[],
        )
        self._state.add(framework, record)
        for status in task.updates:
            record.note(status)
            if status.state == "TASK_RUNNING":
                record.phase = Phase.RUNNING
                record.running_at = record.running_at or status.timestamp
            if status.healthy is not None:
                record.healthy = status.healthy
        if task.kill_grace_s is not None:
            record.killed = True
            record.kill_grace_s = task.kill_grace_s
            record.phase = Phase.KILLING
        if is_terminal(record.state):
            record.phase = Phase.ENDED
        stream = self._state.streams.stream(task.framework_id, record.task_id)
        stream.pending.extend(task.pending)
        return []

    def finish(self, now: float, event: ContainersRecovered) -> list[Effect]:
        """The supervisor has answered: go on with what runs, tell what ended meanwhile."""
        state = self._state
        state.recovered = True
        state.recovery_s = now - state.started_at
        fields = {"running": len(event.running), "ended": len(event.exited)}
        effects: list[Effect] = [Log("info", "containers_recovered", fields)]
        for record in state.tasks():
            if record.container in event.running:
                effects += self._runs(now, record, event.running[record.container])
            elif record.phase is Phase.ENDED:
                effects.append(DestroyContainer(record.container))
            elif record.container in event.exited:
                effects += self._ended(now, record, event.exited[record.container])
        return effects

    def _runs(self, now: float, record: TaskRecord, pid: int) -> list[Effect]:
        record.pid = pid
        if record.phase is Phase.ENDED:
            return [DestroyContainer(record.container)]
        if record.phase is Phase.LAUNCHING:
            return self._tasks.step(now, record, Input.STARTED)
        effects = self._tasks.watch(now, record)
        if record.phase is Phase.KILLING:
            effects += self._tasks.terminate(now, record)
        return effects

    def _ended(self, now: float, record: TaskRecord, status: int | None) -> list[Effect]:
        if status is None and record.phase is Phase.LAUNCHING:
            framework = self._state.frameworks[record.framework_id]
            ended = "TASK_DROPPED" if framework.can("PARTITION_AWARE") else "TASK_LOST"
            end = End(
                ended, "REASON_AGENT_RESTARTED", "Task launched during agent restart",
                "SOURCE_AGENT",
            )  # fmt: skip
            return self._tasks.tell_end(now, record, end)
        message = "nobody saw the container end" if status is None else ""
        return self._tasks.exited(now, ContainerExited(record.container, status, "", message))
