"""Runs executors: custom ones, which run tasks by themselves, and pods, whose tasks we run.

Decides what follows from launches, subscriptions, updates, kills and ends, by the table of
`executor_life`. Vocabulary: a *launch* is a task or a whole group on its way to its executor; it
waits in the queue until it is on disk and the executor is ready.

Invariants: a launch is delivered once, after it is on disk; an executor's update is acknowledged to
it only after it is on disk; whatever ends an executor, each of its tasks gets one end; an executor
is forgotten when it has ended and its tasks are acknowledged. What a custom executor hears and says
is in `conversation`, what is special about task groups in `pods`.
Source: "Mesos: executor HTTP API" (apache/mesos src/slave/slave.cpp).
"""

from collections.abc import Callable

from mesosphere.agent.core import checkpoint, conversation, executor_ends, pods
from mesosphere.agent.core.commands import ExecutorCalled
from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.containers import build_plan, compute_limits, executor_directory
from mesosphere.agent.core.executor_life import (
    EXECUTOR_LIFE,
    ExecutorAction,
    ExecutorInput,
    ExecutorPhase,
)
from mesosphere.agent.core.executor_requests import as_task, executor_request
from mesosphere.agent.core.exits import describe_status
from mesosphere.agent.core.gc import Garbage
from mesosphere.agent.core.registration import Registration
from mesosphere.agent.core.requests import why_unsupported
from mesosphere.agent.core.state import (
    ExecutorRecord,
    FrameworkRecord,
    QueuedLaunch,
    State,
    TaskRecord,
    seconds,
)
from mesosphere.agent.core.tasks import Tasks
from mesosphere.kernel.effects import (
    CancelTimer,
    Checkpoint,
    DestroyContainer,
    Effect,
    EndStream,
    LaunchContainer,
    Log,
    RemoveCheckpoint,
    Reply,
    SetTimer,
    UpdateContainer,
)
from mesosphere.kernel.events import ContainerExited, ContainerFailed, ContainerStarted
from mesosphere.kernel.http import Response, text_response
from mesosphere.kernel.ids import IdSource
from mesosphere.wire.mesos import link
from mesosphere.wire.mesos.agents import AgentInfo
from mesosphere.wire.mesos.ids import AgentID, ExecutorID, FrameworkID
from mesosphere.wire.mesos.tasks import ExecutorInfo, TaskInfo

TIMERS = ("deliver", "register", "shutdown", "idle", "heartbeat")
GRACE_LIMIT_S = 86_400.0


class Executors:
    """The executors of one agent."""

    def __init__(
        self,
        config: AgentConfig,
        state: State,
        link_: Registration,
        tasks: Tasks,
        garbage: Garbage,
        ids: IdSource,
    ) -> None:
        self.config = config
        self.state = state
        self.tasks = tasks
        self._link = link_
        self._garbage = garbage
        self._ids = ids
        tasks.when_ended = self._task_ended
        self._actions: dict[ExecutorAction, Callable[[float, ExecutorRecord], list[Effect]]] = {
            ExecutorAction.DELIVER: self._deliver,
            ExecutorAction.ASK_TO_END: self._ask_to_end,
            ExecutorAction.ARM_GRACE: self._arm_grace,
            ExecutorAction.DESTROY: self._destroy,
            ExecutorAction.END_TASKS: self._end_tasks,
        }

    # --- launching -----------------------------------------------------------------------

    def run(
        self,
        now: float,
        framework: FrameworkRecord,
        info: ExecutorInfo,
        infos: list[TaskInfo],
        is_group: bool,
    ) -> list[Effect]:
        """Give tasks to an executor, which is launched if it does not run."""
        executor = framework.executors.get(info.executor_id.value)
        if executor is not None and executor.phase in (
            ExecutorPhase.TERMINATING, ExecutorPhase.ENDED,
        ):  # fmt: skip
            return self._refuse(now, framework, executor, infos)
        effects: list[Effect] = []
        is_new = executor is None
        if executor is None:
            executor = self._record(now, framework, info)
            self.state.add_executor(framework, executor)
        launch = QueuedLaunch([], is_group)
        executor.queue.append(launch)
        group = self._ids.uuid() if is_group else ""
        for task in infos:
            name = self._ids.uuid()
            container = f"{executor.container}.{name}" if executor.is_pod else executor.container
            record = self.tasks.record(now, framework, task, container, executor, group)
            launch.tasks.append(record)
            self.state.add(framework, record)
        reason = self._why_unsupported(executor, launch, is_new)
        if reason:
            executor.queue.remove(launch)
            return self._fail_launch(now, executor, launch, reason, is_new)
        if is_new:
            effects += self._launch(now, framework, executor)
        effects.append(CancelTimer(f"idle/{executor.key}"))
        for record in launch.tasks[:-1]:
            effects += self.tasks.write(record, [])
        last = launch.tasks[-1]
        deliver = SetTimer(f"deliver/{executor.key}/{launch.tasks[0].task_id}", 0.0)
        return [*effects, *self.tasks.write(last, [deliver])]

    def _refuse(
        self,
        now: float,
        framework: FrameworkRecord,
        executor: ExecutorRecord,
        infos: list[TaskInfo],
    ) -> list[Effect]:
        state = "TASK_DROPPED" if framework.can("PARTITION_AWARE") else "TASK_LOST"
        effects: list[Effect] = []
        for info in infos:
            effects += self.tasks.refuse(
                now, framework.id, info.task_id.value, state, "REASON_EXECUTOR_TERMINATED",
                f"Executor {executor.phase.value}",
            )  # fmt: skip
        return effects

    def _record(self, now: float, framework: FrameworkRecord, info: ExecutorInfo) -> ExecutorRecord:
        agent_id = self.state.agent_id or ""
        if info.framework_id is None:
            info.framework_id = FrameworkID(framework.id)
        container = self._ids.uuid()
        below = executor_directory(agent_id, framework.id, info.executor_id.value)
        user = info.command.user if info.command is not None else None
        return ExecutorRecord(
            info=info,
            framework_id=framework.id,
            agent_id=agent_id,
            container=container,
            sandbox=f"{self.config.host.work_dir}/{below}/runs/{container}",
            user=user or framework.info.user,
            launched_at=now,
            durable=framework.info.checkpoint,
        )

    def _why_unsupported(self, executor: ExecutorRecord, launch: QueuedLaunch, is_new: bool) -> str:
        reason = why_unsupported(as_task(executor), self.config) if is_new else ""
        if not reason and executor.is_pod:
            reason = pods.why_unsupported_group(launch.tasks, self.config)
        return reason

    def _fail_launch(
        self, now: float, executor: ExecutorRecord, launch: QueuedLaunch, reason: str, is_new: bool
    ) -> list[Effect]:
        end = executor_ends.launch_failed(reason)
        if is_new:
            executor.end, executor.phase = end, ExecutorPhase.ENDED
            return self._end_tasks(now, executor)
        return [
            effect for record in launch.tasks for effect in self.tasks.tell_end(now, record, end)
        ]

    def _launch(
        self, now: float, framework: FrameworkRecord, executor: ExecutorRecord
    ) -> list[Effect]:
        resources = executor.resources if executor.is_pod else executor.used()
        request = executor_request(executor, framework.info, self.config, resources)
        plan = build_plan(request, self.config.host)
        executor.mem_high_bytes = request.mem_bytes
        fields = {"executor": executor.key, "container": executor.container}
        effects: list[Effect] = [
            Log("info", "executor_launched", fields),
            LaunchContainer(executor.container, plan),
        ]
        if executor.durable:
            file = checkpoint.ExecutorFile(
                executor.info, executor.container, executor.sandbox, executor.user, now
            )
            path = checkpoint.executor_path(executor.agent_id, framework.id, executor.id)
            effects = [
                Checkpoint(
                    f"{path}/executor.info", checkpoint.encode_executor(file), then=tuple(effects)
                )
            ]
        if not executor.is_pod:
            timeout_s = self.config.registration_timeout_s
            effects.append(SetTimer(f"register/{executor.key}", timeout_s))
        return effects

    # --- inputs --------------------------------------------------------------------------

    def started(self, now: float, event: ContainerStarted) -> list[Effect] | None:
        """A container started; None if it is not an executor's."""
        executor = self.state.executor_containers.get(event.container)
        if executor is None:
            return None
        executor.pid = event.pid
        executor.networks = event.networks
        ready = executor.is_pod and executor.phase is ExecutorPhase.REGISTERING
        return self.step(now, executor, ExecutorInput.READY if ready else ExecutorInput.STARTED)

    def failed(self, now: float, event: ContainerFailed) -> list[Effect] | None:
        """A container could not be started; None if it is not an executor's."""
        executor = self.state.executor_containers.get(event.container)
        if executor is None:
            return None
        if executor.phase is ExecutorPhase.ENDED:
            return []
        self.state.count("container_launch_errors")
        if executor.end is None:
            executor.end = executor_ends.launch_failed(
                f"Failed to launch container: {event.reason}"
            )
        effects = self.step(now, executor, ExecutorInput.FAILED)
        return [*effects, *self._tell_exit(executor.framework_id, executor.id, -1)]

    def exited(self, now: float, event: ContainerExited) -> list[Effect] | None:
        """A container has ended; None if it is not an executor's."""
        executor = self.state.executor_containers.get(event.container)
        if executor is None:
            return None
        if executor.phase is ExecutorPhase.ENDED:
            return [DestroyContainer(event.container)]
        if executor.end is None:
            executor.end = executor_ends.exited(event)
        status = pods.exit_status(executor, event.status)
        effects = self.step(now, executor, ExecutorInput.EXITED)
        words = "nobody saw it end" if event.status is None else describe_status(event.status)
        effects.append(Log("info", "executor_ended", {"executor": executor.key, "how": words}))
        return [*effects, *self._tell_exit(executor.framework_id, executor.id, status)]

    def _tell_exit(self, framework_id: str, executor_id: str, status: int) -> list[Effect]:
        body = link.ExitedExecutor(
            framework_id=FrameworkID(framework_id),
            executor_id=ExecutorID(executor_id),
            status=status,
        )
        agent_id = AgentID(self.state.agent_id or "")
        call = link.Call(type="EXITED_EXECUTOR", agent_id=agent_id, exited_executor=body)
        return self._link.send(call, needed=True)

    def tell_missing(self, framework_id: str, executor_id: str) -> list[Effect]:
        """The master counts on an executor that should be new: it must know if there is none."""
        executor = self.state.find_executor(framework_id, executor_id)
        if executor is not None and executor.phase is not ExecutorPhase.ENDED:
            return []
        return self._tell_exit(framework_id, executor_id, -1)

    def called(self, now: float, event: ExecutorCalled, agent: AgentInfo) -> list[Effect]:
        """An executor made a call that `executor_api` has nothing against."""
        call = event.call
        executor = self.state.find_executor(call.framework_id.value, call.executor_id.value)
        if executor is None:
            # It was there when the call came in.
            return [Reply(event.request, text_response(400, "Executor cannot be found"))]
        if call.subscribe is not None:
            return conversation.subscribed(self, now, executor, event, call.subscribe, agent)
        effects: list[Effect] = [Reply(event.request, Response(202))]
        if call.update is not None:
            effects += conversation.updated(self, now, executor, call.update.status)
        if call.message is not None:
            message = link.Message(
                framework_id=call.framework_id,
                executor_id=call.executor_id,
                data=call.message.data,
            )
            sent = link.Call(type="MESSAGE", agent_id=AgentID(executor.agent_id), message=message)
            effects += self._link.send(sent)
        return effects

    def timer(self, now: float, kind: str, key: str) -> list[Effect]:
        """A timer of TIMERS fired."""
        framework_id, executor_id, *rest = key.split("/")
        executor = self.state.find_executor(framework_id, executor_id)
        if executor is None:
            return []
        if kind == "deliver":
            for launch in executor.queue:
                if launch.tasks[0].task_id == rest[0]:
                    launch.is_written = True
            ready = executor.phase is ExecutorPhase.RUNNING
            return self._deliver(now, executor) if ready else []
        if kind == "register":
            return self._late(now, executor)
        if kind == "heartbeat":
            return conversation.heartbeat(executor)
        if kind == "idle" and (executor.living() or executor.queue):
            return []
        given = ExecutorInput.IDLE if kind == "idle" else ExecutorInput.GRACE_OVER
        return self.step(now, executor, given)

    def _late(self, now: float, executor: ExecutorRecord) -> list[Effect]:
        if executor.phase is not ExecutorPhase.REGISTERING:
            return []
        framework = self.state.frameworks[executor.framework_id]
        executor.end = executor_ends.late(executor, framework, self.config)
        return self.step(now, executor, ExecutorInput.LATE)

    def await_again(self, executor: ExecutorRecord) -> list[Effect]:
        """After a restart: a custom executor that runs must come back soon."""
        executor.is_recovered = True
        return [SetTimer(f"register/{executor.key}", self.config.reregistration_timeout_s)]

    def shutdown(self, now: float, executor: ExecutorRecord) -> list[Effect]:
        """Somebody wants the executor and its tasks to end."""
        effects: list[Effect] = []
        for launch in list(executor.queue):
            effects += self._cancel(now, executor, launch)
        return [*effects, *self.step(now, executor, ExecutorInput.SHUTDOWN)]

    def kill(self, now: float, record: TaskRecord, grace_s: float | None) -> list[Effect]:
        """Somebody wants a task to end, whoever runs it."""
        executor = record.executor
        if executor is None:
            return self.tasks.kill(now, record, grace_s)
        for launch in executor.queue:
            if any(each is record for each in launch.tasks):
                effects = self._cancel(now, executor, launch)
                if not executor.was_given and not executor.queue:
                    effects += self.step(now, executor, ExecutorInput.SHUTDOWN)
                return effects
        if executor.is_pod:
            return self.tasks.kill(now, record, grace_s)
        record.killed = True
        record.kill_grace_s = grace_s
        if self.state.drain is not None:
            own_s = self.tasks.grace_s(record, grace_s)
            record.kill_grace_s = min(own_s, self.state.grace_most_s)
        return self.tasks.write_kill(
            record, record.kill_grace_s, conversation.kill(executor, record)
        )

    def _cancel(self, now: float, executor: ExecutorRecord, launch: QueuedLaunch) -> list[Effect]:
        """A launch that the executor was not given: none of its tasks runs."""
        executor.queue.remove(launch)
        end = executor_ends.cancelled(launch)
        effects: list[Effect] = []
        for record in launch.tasks:
            effects += self.tasks.tell_end(now, record, end)
        return effects

    def step(self, now: float, executor: ExecutorRecord, given: ExecutorInput) -> list[Effect]:
        """Move an executor along the table and gather what follows."""
        step = EXECUTOR_LIFE.step(executor.phase, given)
        if step is None:
            fields = {"executor": executor.key, "phase": executor.phase.value, "input": given.value}
            return [Log("debug", "executor_input_ignored", fields)]
        executor.phase = step.state
        effects: list[Effect] = []
        for action in step.actions:
            effects += self._actions[action](now, executor)
        return effects

    # --- actions -------------------------------------------------------------------------

    def _deliver(self, now: float, executor: ExecutorRecord) -> list[Effect]:
        ready = [each for each in executor.queue if each.is_written]
        if not ready or not (executor.is_pod or executor.stream):
            return []
        executor.queue = [each for each in executor.queue if not each.is_written]
        executor.was_given = True
        effects = [] if executor.is_pod else self.resize(executor)
        for launch in ready:
            if executor.is_pod:
                for record in launch.tasks:
                    effects += self.tasks.start(now, record)
            else:
                effects += conversation.launch(executor, launch)
        return effects

    def resize(self, executor: ExecutorRecord) -> list[Effect]:
        """The container's limits follow the tasks of a custom executor; memory only grows."""
        framework = self.state.frameworks[executor.framework_id]
        request = executor_request(executor, framework.info, self.config, executor.used())
        limits = compute_limits(request, self.config.host)
        executor.mem_high_bytes = max(executor.mem_high_bytes, limits.mem_bytes or 0)
        return [
            UpdateContainer(
                executor.container, limits.cpu_shares, limits.cfs_quota_us, limits.mem_soft_bytes,
                executor.mem_high_bytes,
            )
        ]  # fmt: skip

    def _ask_to_end(self, now: float, executor: ExecutorRecord) -> list[Effect]:
        if not executor.is_pod:
            return conversation.shutdown(executor)
        effects: list[Effect] = []
        for record in executor.living():
            effects += self.tasks.kill(now, record, None)
        return [*effects, *self.idle(executor)]

    def _arm_grace(self, now: float, executor: ExecutorRecord) -> list[Effect]:
        grace_s = seconds(executor.info.shutdown_grace_period)
        if grace_s is None:
            grace_s = self.config.executor_shutdown_grace_s
        return [SetTimer(f"shutdown/{executor.key}", min(max(grace_s, 0.0), GRACE_LIMIT_S))]

    def _destroy(self, now: float, executor: ExecutorRecord) -> list[Effect]:
        effects: list[Effect] = []
        if executor.is_pod:
            effects += [DestroyContainer(record.container) for record in executor.living()]
        return [*effects, DestroyContainer(executor.container)]

    def _end_tasks(self, now: float, executor: ExecutorRecord) -> list[Effect]:
        effects: list[Effect] = [
            CancelTimer(f"{kind}/{executor.key}") for kind in TIMERS if kind != "deliver"
        ]
        if executor.stream:
            effects.append(EndStream(executor.stream))
            executor.stream = ""
        executor.queue.clear()
        for record in executor.living():
            effects += self.tasks.tell_end(now, record, executor.end or executor_ends.TERMINATED)
        forget = DestroyContainer(executor.container)
        last = effects[-1]
        if isinstance(last, Checkpoint):
            effects[-1] = Checkpoint(last.path, last.data, last.append, (*last.then, forget))
        else:
            effects.append(forget)
        return [*effects, *self.settle(now, executor)]

    # --- ends ----------------------------------------------------------------------------

    def _task_ended(self, now: float, record: TaskRecord) -> list[Effect]:
        executor = record.executor
        if executor is None:
            return []
        if not executor.is_pod:
            runs = executor.phase is ExecutorPhase.RUNNING
            return self.resize(executor) if runs else []
        effects: list[Effect] = []
        for other in pods.companions(record):
            effects += self.tasks.kill(now, other, None)
        return [*effects, *self.idle(executor)]

    def idle(self, executor: ExecutorRecord) -> list[Effect]:
        """A pod without tasks ends soon."""
        if not executor.is_pod or executor.living() or executor.queue:
            return []
        return [SetTimer(f"idle/{executor.key}", pods.LINGER_S)]

    def settle(self, now: float, executor: ExecutorRecord) -> list[Effect]:
        """Forget an executor that has ended and whose tasks are gone; only its sandbox remains."""
        if executor.phase is not ExecutorPhase.ENDED or executor.tasks:
            return []
        self._garbage.schedule(executor.sandbox, now)
        path = checkpoint.executor_path(executor.agent_id, executor.framework_id, executor.id)
        effects: list[Effect] = [RemoveCheckpoint(path)] if executor.durable else []
        gone = self.state.retire_executor(executor)
        if gone is not None and gone.info.checkpoint:
            directory = checkpoint.framework_directory(executor.agent_id, gone.id)
            effects.append(RemoveCheckpoint(directory))
        return effects
