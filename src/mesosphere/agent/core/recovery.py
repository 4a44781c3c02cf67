"""Takes over what an earlier life of this agent has left.

Order: the checkpoints give frameworks, tasks and unacknowledged updates; the supervisor says which
containers run and how the others ended; only then the agent registers. A configuration that changed
is accepted whenever the running tasks still fit it. Source: "Mesos: agent recovery" (apache/mesos
src/slave/slave.cpp recover), except that the original refuses most changed configurations.
"""

import contextlib
from collections.abc import Mapping

from mesosphere.agent.core import checkpoint, executor_ends
from mesosphere.agent.core.executor_life import ExecutorInput
from mesosphere.agent.core.executors import Executors
from mesosphere.agent.core.extra_containers import ExtraContainers
from mesosphere.agent.core.life_cycle import Input, Phase
from mesosphere.agent.core.state import ExecutorRecord, FrameworkRecord, State, TaskRecord
from mesosphere.agent.core.tasks import Tasks
from mesosphere.kernel.conversions import checkpointed, each_once, restore
from mesosphere.kernel.effects import (
    Checkpoint,
    DestroyContainer,
    Effect,
    Halt,
    Log,
    RecoverContainers,
    RemoveCheckpoint,
)
from mesosphere.kernel.events import ContainerExited, ContainersRecovered
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.resources import Resources, ResourcesError, format_resources
from mesosphere.wire.mesos.enums import is_terminal


class Recovery:
    """The agent's first steps."""

    def __init__(
        self, state: State, tasks: Tasks, executors: Executors, extras: ExtraContainers
    ) -> None:
        self._state = state
        self._extras = extras
        self._tasks = tasks
        self._executors = executors

    def begin(self, files: Mapping[str, bytes]) -> list[Effect]:
        """Read the checkpoints and ask for the containers, or refuse to start."""
        saved = checkpoint.read_saved(files)
        self._state.agent_id = saved.agent_id
        effects: list[Effect] = []
        for damage in saved.damaged:
            effects += self._state.set_aside(damage.path, damage.reason)
        effects += [Checkpoint(path, data) for path, data in saved.mended.items()]
        for (framework_id, _), executor in saved.executors.items():
            self._restore_executor(saved, framework_id, executor)
        for task in saved.tasks:
            effects += self._restore(saved, task)
        used, total = each_once(self._state.used()), self._fitting_total()
        if not total.contains(used):
            missing = format_resources(used - total)
            reason = (
                "Incompatible agent info detected: the running tasks do not fit the resources of "
                f"this agent, {missing} is missing; give them back, or remove "
                f"{self._state.config.host.work_dir}/{checkpoint.LATEST} to start as a new agent "
                "without them"
            )
            return [*effects, Halt(ExitCode.USAGE, reason)]
        known = [executor.container for executor in self._state.executors()]
        known += [
            task.container
            for task in self._state.tasks()
            if task.has_container and task.phase is not Phase.ENDED
        ]
        return [*effects, RecoverContainers((*known, *self._extras.known()))]

    def _fitting_total(self) -> Resources:
        """The agent's resources; where no reservation is known, with those that tasks show."""
        state = self._state
        shown = checkpointed(each_once(state.used()).allocated_to(None))
        if shown and not checkpointed(state.total):
            with contextlib.suppress(ResourcesError):
                state.total = restore(state.total, shown)
        return state.total

    def _framework(self, saved: checkpoint.Saved, framework_id: str) -> FrameworkRecord:
        record = self._state.frameworks.get(framework_id)
        if record is None:
            info = saved.frameworks[framework_id]
            record = self._state.frameworks[framework_id] = FrameworkRecord(info, {}, {})
        return record

    def _restore_executor(
        self, saved: checkpoint.Saved, framework_id: str, file: checkpoint.ExecutorFile
    ) -> None:
        record = ExecutorRecord(
            info=file.info,
            framework_id=framework_id,
            agent_id=saved.agent_id or "",
            container=file.container,
            sandbox=file.sandbox,
            user=file.user,
            launched_at=file.launched_at,
            tasks={},
            queue=[],
            was_given=True,
        )
        self._state.add_executor(self._framework(saved, framework_id), record)

    def _restore(self, saved: checkpoint.Saved, task: checkpoint.SavedTask) -> list[Effect]:
        agent_id = saved.agent_id or ""
        info = task.file.task
        last = task.updates[-1] if task.updates else None
        if last is not None and is_terminal(last.state) and not task.pending:
            # Acknowledged: the crash came before the files were removed.
            return [RemoveCheckpoint(_directory(agent_id, task))]
        framework = self._framework(saved, task.framework_id)
        record = TaskRecord(
            info=info,
            framework_id=task.framework_id,
            agent_id=agent_id,
            container=task.file.container,
            sandbox=task.file.sandbox,
            user=task.file.user,
            launched_at=task.file.launched_at,
            statuses=[],
            executor=framework.executors.get(task.file.executor),
            group=task.file.group,
            heard={},
        )
        self._state.add(framework, record)
        for status in task.updates:
            record.note(status)
            record.heard[status.uuid or b""] = None
            if status.state == "TASK_RUNNING":
                record.phase = Phase.RUNNING
                record.running_at = record.running_at or status.timestamp
            if status.healthy is not None:
                record.healthy = status.healthy
        if task.killed:
            record.killed = True
            record.kill_grace_s = task.kill_grace_s
            if record.has_container:
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
        for executor in state.executors():
            effects += self._finish_executor(now, executor, event)
        for record in state.tasks():
            if not record.has_container:
                continue
            if record.container in event.running:
                effects += self._runs(now, record, event.running[record.container])
            elif record.phase is Phase.ENDED:
                effects.append(DestroyContainer(record.container))
            elif record.container in event.exited:
                effects += self._ended(now, record, event.exited[record.container])
        for executor in state.executors():
            effects += self._executors.idle(executor)
        return [*effects, *self._extras.recovered(event)]

    def _finish_executor(
        self, now: float, executor: ExecutorRecord, event: ContainersRecovered
    ) -> list[Effect]:
        """Pods go on; custom executors must come back; what ended takes its tasks along."""
        name = executor.container
        if name not in event.running:
            exited = ContainerExited(name, event.exited.get(name))
            return self._executors.exited(now, exited) or []
        executor.pid = event.running[name]
        if not executor.is_pod:
            return self._executors.await_again(executor)
        return self._executors.step(now, executor, ExecutorInput.READY)

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
            end = executor_ends.undelivered(framework)
            return self._tasks.tell_end(now, record, end)
        message = "nobody saw the container end" if status is None else ""
        return self._tasks.exited(now, ContainerExited(record.container, status, "", message))


def _directory(agent_id: str, task: checkpoint.SavedTask) -> str:
    """What goes with a task: its executor's directory if it is a command task, else its own."""
    task_id, executor = task.file.task.task_id.value, task.file.executor
    if not executor:
        return checkpoint.executor_path(agent_id, task.framework_id, task_id)
    run = task.file.container.partition(".")[0]
    return checkpoint.task_directory(agent_id, task.framework_id, executor, task_id, run)
