"""What the master says on the link, and the frameworks that it is about.

Decides the answer to each event of `wire.mesos.link`. A framework is *terminating* after
SHUTDOWN_FRAMEWORK: its tasks are ended and nobody waits for their updates any more. Invariants: a
record that can't be read ends the link, never the agent; a task that is already known is not
launched again. Source: apache/mesos src/slave/slave.cpp.
"""

from collections.abc import Callable
from typing import Any

from mesosphere.agent.core import checkpoint, conversation, introduction
from mesosphere.agent.core.draining import REFUSAL, Draining
from mesosphere.agent.core.executor_life import ExecutorPhase
from mesosphere.agent.core.executors import Executors
from mesosphere.agent.core.exits import DRAINING, End
from mesosphere.agent.core.gc import Garbage
from mesosphere.agent.core.leaving import HEARD_TO_THE_END, Leaving
from mesosphere.agent.core.life_cycle import Phase
from mesosphere.agent.core.operations import Operations
from mesosphere.agent.core.registration import Registration
from mesosphere.agent.core.state import FrameworkRecord, State, TaskRecord, seconds
from mesosphere.agent.core.status_updates import RETRY_LEAST_S, Acknowledgement
from mesosphere.agent.core.tasks import Tasks
from mesosphere.kernel.effects import Checkpoint, Effect, Log, RemoveCheckpoint, SetTimer
from mesosphere.kernel.events import CheckpointFailed
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec, link
from mesosphere.wire.mesos.commands import KillPolicy
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID
from mesosphere.wire.mesos.tasks import ExecutorInfo, TaskInfo

NAME_LIMIT_BYTES = 255


class Frameworks:
    """The frameworks of one agent and the conversation about them."""

    def __init__(
        self,
        state: State,
        link_: Registration,
        tasks: Tasks,
        executors: Executors,
        garbage: Garbage,
        draining: Draining,
        operations: Operations,
    ) -> None:
        self._state = state
        self._link = link_
        self._tasks = tasks
        self._executors = executors
        self._garbage = garbage
        self._draining = draining
        self._operations = operations
        self.leaving = Leaving(state, link_)
        self._events: dict[str, tuple[str, Callable[[float, Any], list[Effect]]]] = {
            "SUBSCRIBED": ("subscribed", self._subscribed),
            "RUN_TASK": ("run_task", self._run_task),
            "RUN_TASK_GROUP": ("run_task_group", self._run_task_group),
            "KILL_TASK": ("kill_task", self._kill_task),
            "ACKNOWLEDGE": ("acknowledge", self._acknowledge),
            "SHUTDOWN_FRAMEWORK": ("shutdown_framework", self._shutdown_framework),
            "SHUTDOWN_EXECUTOR": ("shutdown_executor", self._shutdown_executor),
            "UPDATE_FRAMEWORK": ("update_framework", self._update_framework),
            "RECONCILE": ("reconcile", self._reconcile),
            "DRAIN": ("drain", self._drain),
            "MESSAGE": ("message", self._message),
            "SHUTDOWN": ("shutdown", self._shutdown),
            "ERROR": ("error", self._error),
            **operations.events,
        }

    def subscription(self) -> link.Call:
        """SUBSCRIBE with everything that runs or waits for an acknowledgement."""
        return introduction.subscription(self._state, self._operations.reports())

    # --- the master speaks ---------------------------------------------------------------

    def received(self, now: float, record: bytes) -> list[Effect]:
        """One record of the stream."""
        try:
            event = codec.decode(record, link.Event)
        except WireError as error:
            return self._link.retry(f"the master sent what can't be read: {error}")
        if event.type == "PING":
            return self._ping(event.ping)
        found = self._events.get(event.type)
        body = getattr(event, found[0]) if found is not None else None
        if found is None or body is None:
            return [Log("warning", "link_event_ignored", {"type": event.type})]
        if event.type not in ("SUBSCRIBED", "ERROR", "SHUTDOWN") and not self._link.is_registered:
            return [Log("warning", "link_event_early", {"type": event.type})]
        if self.leaving.reason and event.type not in HEARD_TO_THE_END:
            return [Log("debug", "link_event_late", {"type": event.type})]
        return found[1](now, body)

    def _ping(self, ping: link.Ping | None) -> list[Effect]:
        if ping is not None and not ping.connected:
            self._state.registered = False
            return self._link.retry("the master does not count this agent as registered")
        agent_id = AgentID(self._state.agent_id or "")
        return self._link.send(link.Call(type="PONG", agent_id=agent_id))

    def _subscribed(self, now: float, event: link.Subscribed) -> list[Effect]:
        effects = self._link.subscribed(event)
        self._state.registered = True
        self._state.master = event.master_info
        agent_id = event.agent_id.value
        fields = {"agent": agent_id, "master": event.master_info.id}
        effects.append(Log("info", "registered", fields))
        if self._state.agent_id != agent_id:
            self._state.agent_id = agent_id
            info = f"meta/slaves/{agent_id}/slave.info"
            effects.append(Checkpoint(info, codec.encode(introduction.agent_info(self._state))))
        # Files are written in order, so updates on their way to the disk are there before they go.
        resend = (*self._repeat_outstanding(), *self._operations.repeat_all())
        effects.append(Checkpoint(checkpoint.LATEST, agent_id.encode(), then=resend))
        return [*effects, *self._draining.take(now, event.drain)]

    def _drain(self, now: float, event: link.Drain) -> list[Effect]:
        return self._draining.take(now, event.config)

    def _repeat_outstanding(self, framework_id: str | None = None) -> list[Effect]:
        """Repeat at once, with the shortest interval again: somebody new listens.

        By the retry timers: what is outstanding is looked up when they fire, as it may have been
        acknowledged while these effects waited for the disk.
        """
        effects: list[Effect] = []
        for stream in self._state.streams.outstanding():
            if framework_id is None or stream.framework_id == framework_id:
                stream.retry_s = RETRY_LEAST_S
                effects.append(SetTimer(stream.timer, 0.0))
        return effects

    # --- tasks ---------------------------------------------------------------------------

    def _framework(self, info: FrameworkInfo) -> tuple[FrameworkRecord, list[Effect]]:
        framework_id = info.id.value if info.id is not None else ""
        record = self._state.frameworks.get(framework_id)
        if record is not None and record.info == info:
            return record, []
        if record is None:
            record = self._state.frameworks[framework_id] = FrameworkRecord(info, {})
        record.info = info
        return record, self._checkpoint_framework(record)

    def _checkpoint_framework(self, record: FrameworkRecord) -> list[Effect]:
        if not record.info.checkpoint:
            return []
        directory = checkpoint.framework_directory(self._state.agent_id or "", record.id)
        return [Checkpoint(f"{directory}/framework.info", checkpoint.encode_framework(record.info))]

    def _run_task(self, now: float, event: link.RunTask) -> list[Effect]:
        task = event.task
        if not _names_a_framework(event.framework_info):
            return [Log("error", "task_launch_ignored", {"task": task.task_id.value})]
        framework, effects = self._framework(event.framework_info)
        executor = event.executor or task.executor
        if executor is not None:
            task.executor = executor
            known = event.launch_executor or executor.executor_id.value in framework.executors
            if not known:
                return [*effects, *self._refuse_late(now, framework, [task])]
            effects += self._run_by(now, framework, executor, [task], is_group=False)
            return [*effects, *self._missing(framework.id, executor, event.launch_executor)]
        return [*effects, *self._run(now, framework, task)]

    def _run_task_group(self, now: float, event: link.RunTaskGroup) -> list[Effect]:
        executor, infos = event.executor, event.task_group.tasks
        if not _names_a_framework(event.framework_info) or not infos:
            name = executor.executor_id.value
            return [Log("error", "task_launch_ignored", {"executor": name})]
        for info in infos:
            info.executor = None if executor.type == "DEFAULT" else executor
        framework, effects = self._framework(event.framework_info)
        if not event.launch_executor and executor.executor_id.value not in framework.executors:
            return [*effects, *self._refuse_late(now, framework, infos)]
        effects += self._run_by(now, framework, executor, infos, is_group=True)
        return [*effects, *self._missing(framework.id, executor, event.launch_executor)]

    def _missing(self, framework_id: str, info: ExecutorInfo, is_new: bool) -> list[Effect]:
        return self._executors.tell_missing(framework_id, info.executor_id.value) if is_new else []

    def _refuse_late(
        self, now: float, framework: FrameworkRecord, infos: list[TaskInfo]
    ) -> list[Effect]:
        """The executor that should run these has ended, which the master did not know."""
        state = "TASK_DROPPED" if framework.can("PARTITION_AWARE") else "TASK_LOST"
        effects: list[Effect] = []
        for info in infos:
            effects += self._tasks.refuse(
                now, framework.id, info.task_id.value, state, "REASON_EXECUTOR_TERMINATED",
                "Executor terminated",
            )  # fmt: skip
        return [*effects, *self._drop_if_idle(framework)]

    def _run_by(
        self,
        now: float,
        framework: FrameworkRecord,
        executor: ExecutorInfo,
        infos: list[TaskInfo],
        is_group: bool,
    ) -> list[Effect]:
        """Tasks of an executor: all of them or none."""
        ids = [info.task_id.value for info in infos]
        if framework.is_terminating or any(each in framework.tasks for each in ids):
            fields = {"framework": framework.id, "tasks": ids[:10]}
            return [Log("warning", "task_launch_ignored", fields)]
        if self._state.drain is not None:
            return self._refuse_unable(now, framework, ids, DRAINING, REFUSAL)
        fault = next((each for each in (executor.executor_id.value, *ids) if not is_name(each)), "")
        reason = f"the id {fault!r} can't name a directory" if fault else ""
        if not reason and executor.executor_id.value in framework.tasks:
            reason = f"the executor's id {executor.executor_id.value} is that of a command task"
        if not reason:
            try:
                missing = self._operations.missing(
                    [*executor.resources, *(each for info in infos for each in info.resources)]
                )
                if missing:
                    return self._refuse_unable(
                        now, framework, ids, "REASON_RESOURCES_UNKNOWN", missing
                    )
                return self._executors.run(now, framework, executor, infos, is_group)
            except WireError as error:
                reason = str(error)
        effects: list[Effect] = []
        kind = "REASON_TASK_GROUP_INVALID" if is_group else "REASON_TASK_INVALID"
        for each in ids:
            effects += self._tasks.refuse(now, framework.id, each, "TASK_ERROR", kind, reason)
        return [*effects, *self._drop_if_idle(framework)]

    def _run(self, now: float, framework: FrameworkRecord, task: TaskInfo) -> list[Effect]:
        task_id = task.task_id.value
        if framework.is_terminating or task_id in framework.tasks:
            fields = {"task": f"{framework.id}/{task_id}"}
            return [Log("warning", "task_launch_ignored", fields)]
        if self._state.drain is not None:
            return self._refuse_unable(now, framework, [task_id], DRAINING, REFUSAL)
        reason = "" if is_name(task_id) else f"the task's id {task_id!r} can't name a directory"
        if task_id in framework.executors:
            reason = f"the task's id {task_id} is that of an executor"
        if not reason:
            try:
                missing = self._operations.missing(task.resources)
                if missing:
                    return self._refuse_unable(
                        now, framework, [task_id], "REASON_RESOURCES_UNKNOWN", missing
                    )
                return self._tasks.run(now, framework, task)
            except WireError as error:
                reason = str(error)
        refusal = self._tasks.refuse(
            now, framework.id, task_id, "TASK_ERROR", "REASON_TASK_INVALID", reason
        )
        return [*refusal, *self._drop_if_idle(framework)]

    def _refuse_unable(
        self, now: float, framework: FrameworkRecord, task_ids: list[str], reason: str, message: str
    ) -> list[Effect]:
        ended = "TASK_DROPPED" if framework.can("PARTITION_AWARE") else "TASK_LOST"
        effects: list[Effect] = []
        for each in task_ids:
            effects += self._tasks.refuse(now, framework.id, each, ended, reason, message)
        return [*effects, *self._drop_if_idle(framework)]

    def _drop_if_idle(self, framework: FrameworkRecord) -> list[Effect]:
        """A framework whose only task was refused has no place here."""
        if framework.tasks or framework.executors:
            return []
        del self._state.frameworks[framework.id]
        if not framework.info.checkpoint:
            return []
        agent_id = self._state.agent_id or ""
        return [RemoveCheckpoint(checkpoint.framework_directory(agent_id, framework.id))]

    def _kill_task(self, now: float, event: link.KillTask) -> list[Effect]:
        framework_id, task_id = event.framework_id.value, event.task_id.value
        record = self._state.find(framework_id, task_id)
        if record is not None:
            return self._executors.kill(now, record, _grace(event.kill_policy))
        framework = self._state.frameworks.get(framework_id)
        aware = framework is None or framework.can("PARTITION_AWARE")
        return self._tasks.refuse(
            now, framework_id, task_id, "TASK_DROPPED" if aware else "TASK_LOST",
            "REASON_EXECUTOR_TERMINATED", "Cannot find executor",
        )  # fmt: skip

    def _reconcile(self, now: float, event: link.Reconcile) -> list[Effect]:
        effects: list[Effect] = []
        for task in event.tasks:
            framework_id, task_id = task.framework_id.value, task.task_id.value
            if self._state.find(framework_id, task_id) is not None:
                continue
            framework = self._state.frameworks.get(framework_id)
            aware = framework is None or framework.can("PARTITION_AWARE")
            effects += self._tasks.refuse(
                now, framework_id, task_id, "TASK_DROPPED" if aware else "TASK_LOST",
                "REASON_RECONCILIATION", "Reconciliation: task unknown to the agent",
            )  # fmt: skip
        return effects

    def _acknowledge(self, now: float, event: link.Acknowledge) -> list[Effect]:
        framework_id, task_id = event.framework_id.value, event.task_id.value
        stream = self._state.streams.find(framework_id, task_id)
        outcome = Acknowledgement.UNEXPECTED if stream is None else stream.acknowledge(event.uuid)
        if stream is None or outcome is Acknowledgement.UNEXPECTED:
            return [Log("debug", "acknowledgement_ignored", {"task": f"{framework_id}/{task_id}"})]
        record = self._state.find(framework_id, task_id)
        if outcome is Acknowledgement.CLOSED:
            effects = self._state.streams.close(framework_id, task_id)
            return [*effects, *self._retire(now, record)] if record is not None else effects
        following = (
            self._tasks.send_front(stream)
            if outcome is Acknowledgement.SEND_NEXT
            else self._tasks.rest(stream)
        )
        if record is None or not record.durable:
            return following
        # The next update may still be on its way to the disk; files are written in order.
        path = f"{self._tasks.directory(record)}/task.updates"
        data = checkpoint.encode_acknowledgement(event.uuid)
        return [Checkpoint(path, data, append=True, then=tuple(following))]

    def _retire(self, now: float, record: TaskRecord) -> list[Effect]:
        """The end of a task was acknowledged: only its sandbox remains, for a while."""
        if record.executor is None:
            self._garbage.schedule(record.sandbox, now)
        agent_id = record.agent_id
        path = checkpoint.executor_path(agent_id, record.framework_id, record.executor_id)
        if record.executor is not None:
            path = self._tasks.directory(record)
        effects: list[Effect] = [RemoveCheckpoint(path)] if record.durable else []
        gone = self._state.retire(record)
        if gone is not None and gone.info.checkpoint:
            effects.append(RemoveCheckpoint(checkpoint.framework_directory(agent_id, gone.id)))
        if record.executor is not None:
            effects += self._executors.settle(now, record.executor)
        return effects

    # --- frameworks ----------------------------------------------------------------------

    def _update_framework(self, now: float, event: link.UpdateFramework) -> list[Effect]:
        info = event.framework_info
        if info.id is None or info.id.value not in self._state.frameworks:
            return []
        _, effects = self._framework(info)
        # It has subscribed again: what it has not acknowledged need not wait for its retry.
        resend = tuple(self._repeat_outstanding(info.id.value))
        if resend:
            data = (self._state.agent_id or "").encode()
            effects = [*effects, Checkpoint(checkpoint.LATEST, data, then=resend)]
        return effects

    def _shutdown_framework(self, now: float, event: link.ShutdownFramework) -> list[Effect]:
        framework = self._state.frameworks.get(event.framework_id.value)
        if framework is None:
            return []
        return [*self._end_framework(now, framework), *self.after_exit(now)]

    def _end_framework(self, now: float, framework: FrameworkRecord) -> list[Effect]:
        framework.is_terminating = True
        effects: list[Effect] = []
        for executor in list(framework.executors.values()):
            effects += self._executors.shutdown(now, executor)
        for task in list(framework.tasks.values()):
            if task.executor is None:
                effects += self._tasks.kill(now, task, None)
        return effects

    def _shutdown_executor(self, now: float, event: link.ShutdownExecutor) -> list[Effect]:
        framework_id, executor_id = event.framework_id.value, event.executor_id.value
        executor = self._state.find_executor(framework_id, executor_id)
        if executor is not None:
            return self._executors.shutdown(now, executor)
        record = self._state.find(framework_id, executor_id)
        return [] if record is None else self._executors.kill(now, record, None)

    def after_exit(self, now: float) -> list[Effect]:
        """Ended tasks of terminating frameworks need no acknowledgement."""
        effects: list[Effect] = []
        for framework in list(self._state.frameworks.values()):
            if not framework.is_terminating:
                continue
            for task in list(framework.tasks.values()):
                if task.phase is Phase.ENDED:
                    effects += self._state.streams.close(task.framework_id, task.task_id)
                    effects += self._retire(now, task)
        return [*effects, *self.leaving.go_on(self._anything_runs())]

    def _anything_runs(self) -> bool:
        return any(task.phase is not Phase.ENDED for task in self._state.tasks()) or any(
            executor.phase is not ExecutorPhase.ENDED for executor in self._state.executors()
        )

    def _message(self, now: float, event: link.Message) -> list[Effect]:
        framework_id, executor_id = event.framework_id.value, event.executor_id.value
        executor = self._state.find_executor(framework_id, executor_id)
        known = executor is not None and executor.stream
        self._state.count(f"{'valid' if known else 'invalid'}_framework_messages")
        if executor is None:
            # A command executor has no use for messages; the original's drops them as well.
            fields = {"framework": framework_id, "executor": executor_id}
            return [Log("debug", "framework_message_ignored", fields)]
        return conversation.message(executor, event.data)

    # --- the end of the link -------------------------------------------------------------

    def _shutdown(self, now: float, event: link.Shutdown) -> list[Effect]:
        """The master has dismissed this agent."""
        reason = f"the master has dismissed this agent: {event.message}"
        return self.leave(now, reason, ExitCode.REFUSED)

    def leave(self, now: float, reason: str, code: ExitCode) -> list[Effect]:
        """End everything, then the process."""
        effects = self.leaving.begin(reason, code)
        for framework in list(self._state.frameworks.values()):
            effects += self._end_framework(now, framework)
        return [*effects, *self.after_exit(now)]

    def forgotten(self, now: float) -> list[Effect]:
        """The id is gone from the disk, so the next life is a new agent."""
        self.leaving.forget()
        return self.after_exit(now)

    def _error(self, now: float, event: link.Error) -> list[Effect]:
        self._state.registered = False
        return self._link.retry(f"the master refuses this agent: {event.message}")

    def checkpoint_failed(self, now: float, event: CheckpointFailed) -> list[Effect]:
        """A file could not be written: a launch that depends on it fails, updates go out anyway."""
        if event.path == checkpoint.LATEST:
            return self.forgotten(now) if self.leaving.reason else self._repeat_outstanding()
        if event.path == self._draining.path:
            return self._draining.carry_out(now)
        for record in self._state.tasks():
            if not event.path.startswith(self._tasks.directory(record) + "/"):
                continue
            record.durable = False
            if event.path.endswith("/task.info") and record.phase is Phase.LAUNCHING:
                reason = f"the task can't be written to disk: {event.reason}"
                end = End("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED", reason, "SOURCE_AGENT")
                return self._tasks.tell_end(now, record, end)
            stream = self._state.streams.find(record.framework_id, record.task_id)
            return [] if stream is None else self._tasks.send_front(stream)
        return []


def is_name(value: str) -> bool:
    """Whether an id can name a directory, by the original's rule (`validateID`)."""
    return (
        0 < len(value.encode("utf-8", "replace")) <= NAME_LIMIT_BYTES
        and value not in (".", "..")
        and not any(char in "/\\" or ord(char) < 32 or ord(char) == 127 for char in value)
    )


def _names_a_framework(info: FrameworkInfo) -> bool:
    return info.id is not None and is_name(info.id.value)


def _grace(policy: KillPolicy | None) -> float | None:
    return None if policy is None else seconds(policy.grace_period)
