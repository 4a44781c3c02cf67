"""Runs tasks in containers of their own: from the launch to the acknowledged end, by `life_cycle`.

Decides effects for each input of a task. Invariants: `task.info` is on disk before its container is
launched, an update before it is sent; a terminal update is on disk before the supervisor forgets
the exit; a kill is on disk before it is done, so a restart in between does not forgive it.
Source: "Mesos: life of a task" (apache/mesos src/slave/slave.cpp, src/launcher/executor.cpp).
"""

import signal
from collections.abc import Callable

from mesosphere.agent.core import checkpoint
from mesosphere.agent.core.addresses import network_holder, network_infos
from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.containers import build_plan, executor_directory, sandbox_path
from mesosphere.agent.core.exits import Circumstances, End, judge_exit, limitation, reworded
from mesosphere.agent.core.life_cycle import LIFE_CYCLE, Action, Input, Phase
from mesosphere.agent.core.registration import Registration
from mesosphere.agent.core.requests import container_request, why_unsupported
from mesosphere.agent.core.state import (
    ExecutorRecord,
    FrameworkRecord,
    State,
    TaskRecord,
    container_id,
    seconds,
)
from mesosphere.agent.core.status_updates import UpdateStream
from mesosphere.agent.core.watching import Watching, why_unwatchable
from mesosphere.kernel.effects import (
    CancelTimer,
    Checkpoint,
    DestroyContainer,
    Effect,
    LaunchContainer,
    Log,
    SetTimer,
    SignalContainer,
)
from mesosphere.kernel.events import ContainerExited, ContainerFailed, ContainerStarted
from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.machine import ensure
from mesosphere.wire.mesos import link
from mesosphere.wire.mesos.containers import ContainerStatus
from mesosphere.wire.mesos.enums import is_terminal
from mesosphere.wire.mesos.ids import AgentID, ExecutorID, FrameworkID, TaskID
from mesosphere.wire.mesos.tasks import TaskInfo, TaskStatus

KILL_GRACE_S = 3.0
"""Between SIGTERM and SIGKILL when neither the kill nor the task says otherwise."""
TIMERS = ("grace", "expire", "health", "check")
GRACE_LIMIT_S = 86_400.0
"""Longest grace: a kill ends some day."""


class Tasks:
    """The tasks of one agent."""

    def __init__(self, config: AgentConfig, state: State, link_: Registration, ids: IdSource):
        self._config = config
        self._state = state
        self._link = link_
        self._ids = ids
        self.watching = Watching(config, state)
        self.when_ended: Callable[[float, TaskRecord], list[Effect]] = lambda now, record: []

    # --- launching -----------------------------------------------------------------------

    def run(self, now: float, framework: FrameworkRecord, info: TaskInfo) -> list[Effect]:
        """Launch a command task, or tell why not."""
        record = self.record(now, framework, info, self._ids.uuid())
        self._state.add(framework, record)
        reason = why_unsupported(info, self._config) or why_unwatchable(info)
        if reason:
            record.phase = Phase.ENDED
            end = End("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED", reason, "SOURCE_AGENT")
            return self.tell_end(now, record, end)
        effects = self.write(record, self._launching(record))
        return [*effects, *self.tell(now, record, End("TASK_STARTING", None, ""))]

    def start(self, now: float, record: TaskRecord) -> list[Effect]:
        """Launch a task of a pod that is on disk already."""
        starting = self.make_status(now, record, End("TASK_STARTING", None, ""))
        return self.tell_status(now, record, starting, self._launching(record))

    def record(
        self,
        now: float,
        framework: FrameworkRecord,
        info: TaskInfo,
        container: str,
        executor: ExecutorRecord | None = None,
        group: str = "",
    ) -> TaskRecord:
        """A new task, in its place."""
        agent_id = self._state.agent_id or ""
        command = info.command
        user = (command.user if command is not None else None) or framework.info.user
        if executor is None:
            below = executor_directory(agent_id, framework.id, info.task_id.value)
            sandbox = f"{self._config.host.work_dir}/{below}/runs/{container}"
        else:
            user = (command.user if command is not None else None) or executor.user
            sandbox = executor.sandbox
            if executor.is_pod:
                sandbox = f"{sandbox}/containers/{container.rpartition('.')[2]}"
        return TaskRecord(
            info=info,
            framework_id=framework.id,
            agent_id=agent_id,
            container=container,
            sandbox=sandbox,
            user=user,
            launched_at=now,
            durable=framework.info.checkpoint,
            statuses=[],
            executor=executor,
            group=group,
            heard={},
        )

    def _launching(self, record: TaskRecord) -> list[Effect]:
        framework = self._state.frameworks[record.framework_id]
        request = container_request(
            record.info, framework.info, record.agent_id, record.container, record.resources,
            self._config, record.executor_id, network_holder(record),
        )  # fmt: skip
        ensure(sandbox_path(self._config.host, request) == record.sandbox, "one sandbox path")
        plan = build_plan(request, self._config.host)
        fields = {"task": record.key, "container": record.container}
        return [
            Log("info", "container_launched", fields),
            LaunchContainer(record.container, plan),
        ]

    def write(self, record: TaskRecord, then: list[Effect]) -> list[Effect]:
        """Put the task on disk; only then the rest."""
        executor_id = "" if record.executor is None else record.executor.id
        file = checkpoint.TaskFile(
            record.info, record.container, record.sandbox, record.user, record.launched_at,
            executor_id, record.group,
        )  # fmt: skip
        path = f"{self.directory(record)}/task.info"
        return self._persist(record, path, checkpoint.encode_task(file), then, append=False)

    def directory(self, record: TaskRecord) -> str:
        """Where the files of a task are, below the work directory."""
        run = record.container if record.executor is None else record.executor.container
        return checkpoint.task_directory(
            record.agent_id, record.framework_id, record.executor_id, record.task_id, run
        )

    def _persist(
        self, record: TaskRecord, path: str, data: bytes, then: list[Effect], append: bool = True
    ) -> list[Effect]:
        if not record.durable:
            return then
        return [Checkpoint(path, data, append, tuple(then))]

    # --- inputs --------------------------------------------------------------------------

    def started(self, now: float, event: ContainerStarted) -> list[Effect]:
        """The command runs."""
        record = self._state.containers.get(event.container)
        if record is None:
            return [DestroyContainer(event.container)]
        record.pid = event.pid
        record.networks = event.networks
        return self.step(now, record, Input.STARTED)

    def failed(self, now: float, event: ContainerFailed) -> list[Effect]:
        """The command never ran."""
        record = self._state.containers.get(event.container)
        if record is None:
            return []
        self._state.count("container_launch_errors")
        return self.step(now, record, Input.LAUNCH_FAILED, failure=event)

    def exited(self, now: float, event: ContainerExited) -> list[Effect]:
        """The command ended and its container is gone."""
        record = self._state.containers.get(event.container)
        if record is None or record.phase is Phase.ENDED:
            return [DestroyContainer(event.container)]
        return self.step(now, record, Input.EXITED, exit=event)

    def kill(self, now: float, record: TaskRecord, grace_s: float | None) -> list[Effect]:
        """The framework wants the task to end."""
        record.killed = True
        record.kill_grace_s = min(self.grace_s(record, grace_s), self._state.grace_most_s)
        return self.step(now, record, Input.KILL)

    @staticmethod
    def grace_s(record: TaskRecord, wanted_s: float | None) -> float:
        """The grace of a kill: that of the kill, else of the task, else 3 s."""
        policy = record.info.kill_policy
        if wanted_s is None and policy is not None:
            wanted_s = seconds(policy.grace_period)
        return min(max(KILL_GRACE_S if wanted_s is None else wanted_s, 0.0), GRACE_LIMIT_S)

    def preempt(self) -> list[Effect]:
        """The host is too busy: end every task that runs on lent resources."""
        effects: list[Effect] = []
        for record in self._state.tasks():
            lent = record.resources.revocable()
            if record.phase is Phase.RUNNING and not record.preempted and not lent.is_empty:
                record.preempted = True
                self._state.count("executors_preempted")
                effects += [
                    Log("warning", "task_preempted", {"task": record.key}),
                    DestroyContainer(record.container),
                ]
        return effects

    def timer(self, now: float, kind: str, key: str) -> list[Effect]:
        """`grace/<task>`, `expire/<task>` or `health/<task>` fired."""
        record = self._state.find(*key.split("/", 1))
        if record is None:
            return []
        if kind == "grace":
            return self.step(now, record, Input.GRACE_OVER)
        if kind == "expire":
            record.expired = True
            return self.step(now, record, Input.EXPIRED)
        return self.watching.look(record, kind)

    def step(
        self,
        now: float,
        record: TaskRecord,
        given: Input,
        failure: ContainerFailed | None = None,
        exit: ContainerExited | None = None,
    ) -> list[Effect]:
        """Move a task along the table and gather what follows."""
        step = LIFE_CYCLE.step(record.phase, given)
        if step is None:
            fields = {"task": record.key, "phase": record.phase.value, "input": given.value}
            return [Log("debug", "task_input_ignored", fields)]
        record.phase = step.state
        effects: list[Effect] = []
        for action in step.actions:
            effects += self._act(now, record, action, failure, exit)
        return effects

    def _act(
        self,
        now: float,
        record: TaskRecord,
        action: Action,
        failure: ContainerFailed | None,
        exit: ContainerExited | None,
    ) -> list[Effect]:
        if action is Action.TELL_RUNNING:
            record.running_at = now
            return self.tell(now, record, End("TASK_RUNNING", None, ""))
        if action is Action.WATCH:
            return self.watch(now, record)
        if action is Action.TELL_KILLING:
            return self._tell_killing(now, record)
        if action is Action.TERMINATE:
            return self.terminate(now, record)
        if action is Action.SHORTEN_GRACE:
            return self._arm_grace(now, record)
        if action is Action.DESTROY:
            return [DestroyContainer(record.container)]
        return self.tell_end(now, record, self._judge(record, action, failure, exit))

    # --- actions -------------------------------------------------------------------------

    def watch(self, now: float, record: TaskRecord) -> list[Effect]:
        """Arm the completion deadline and the first checks of a task that runs."""
        effects: list[Effect] = []
        most_s = seconds(record.info.max_completion_time)
        if most_s is not None:
            since = record.running_at if record.running_at is not None else now
            effects.append(SetTimer(f"expire/{record.key}", max(0.0, since + most_s - now)))
        return [*effects, *self.watching.begin(now, record)]

    def _tell_killing(self, now: float, record: TaskRecord) -> list[Effect]:
        framework = self._state.frameworks.get(record.framework_id)
        if framework is None or not framework.can("TASK_KILLING_STATE"):
            return []
        return self.tell(now, record, End("TASK_KILLING", None, ""))

    def terminate(self, now: float, record: TaskRecord) -> list[Effect]:
        """SIGTERM to the whole tree, after the kill was written down."""
        record.killed = True
        grace_s = KILL_GRACE_S if record.kill_grace_s is None else record.kill_grace_s
        term: list[Effect] = [SignalContainer(record.container, signal.SIGTERM)]
        effects = self.write_kill(record, grace_s, term)
        quiet = [CancelTimer(f"{kind}/{record.key}") for kind in ("health", "check")]
        return [*effects, *quiet, *self._arm_grace(now, record)]

    def write_kill(
        self, record: TaskRecord, grace_s: float | None, then: list[Effect]
    ) -> list[Effect]:
        """Put a kill on disk; only then the rest."""
        path = f"{self.directory(record)}/task.updates"
        return self._persist(record, path, checkpoint.encode_kill(grace_s), then)

    def _arm_grace(self, now: float, record: TaskRecord) -> list[Effect]:
        # A repeated kill may only shorten the grace.
        grace_s = KILL_GRACE_S if record.kill_grace_s is None else record.kill_grace_s
        until = now + grace_s
        if record.grace_until is not None and until >= record.grace_until:
            return []
        record.grace_until = until
        return [SetTimer(f"grace/{record.key}", grace_s)]

    def _judge(
        self,
        record: TaskRecord,
        action: Action,
        failure: ContainerFailed | None,
        exit: ContainerExited | None,
    ) -> End:
        if action is Action.TELL_CANCELLED:
            return End(
                "TASK_KILLED", "REASON_TASK_KILLED_DURING_LAUNCH", "Killed during launch",
                "SOURCE_AGENT",
            )  # fmt: skip
        if failure is not None:
            reason = f"Failed to launch container: {failure.reason}"
            return End("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED", reason, "SOURCE_AGENT")
        ensure(exit is not None, f"an end of {record.key} has an exit")
        assert exit is not None
        circumstances = Circumstances(record.killed, record.expired, record.preempted)
        return judge_exit(
            exit.status, exit.limitation, exit.message, circumstances, exit.amount_mib
        )

    def looked(self, now: float, name: str, value: int | None, reason: str) -> list[Effect]:
        """The answer to a look of `watching`: tell what is new, end what stays unhealthy."""
        news = self.watching.judge(now, name, value, reason)
        if news is None:
            return []
        if news.end is None:
            return news.again
        told = self.tell(now, news.record, news.end)
        if news.gives_up:
            return [*told, *self.step(now, news.record, Input.UNHEALTHY)]
        return [*told, *news.again]

    # --- updates -------------------------------------------------------------------------

    def tell(self, now: float, record: TaskRecord, end: End) -> list[Effect]:
        """Queue a status update; it is sent once it is on disk and its turn has come."""
        return self.tell_status(now, record, self.make_status(now, record, end), [])

    def tell_status(
        self, now: float, record: TaskRecord, status: TaskStatus, first: list[Effect]
    ) -> list[Effect]:
        """Queue a status; once it is on disk `first` is done, then it is sent if it is its turn."""
        record.note(status)
        stream = self._state.streams.stream(record.framework_id, record.task_id)
        then = [*first, *(self.send_front(stream) if stream.add(status) else [])]
        path = f"{self.directory(record)}/task.updates"
        return self._persist(record, path, checkpoint.encode_update(status), then)

    def tell_end(self, now: float, record: TaskRecord, end: End) -> list[Effect]:
        """The terminal update; once it is on disk the supervisor may forget the container."""
        first: list[Effect] = []
        if record.has_container:
            first.append(DestroyContainer(record.container))
        return self.tell_last(now, record, self.make_status(now, record, end), first)

    def tell_last(
        self, now: float, record: TaskRecord, status: TaskStatus, first: list[Effect]
    ) -> list[Effect]:
        """A terminal status; see `tell_status`."""
        record.phase = Phase.ENDED
        self._state.count(f"tasks_{status.state.removeprefix('TASK_').lower()}")
        told = self.tell_status(now, record, status, first)
        self.watching.end(record)
        fields = {"task": record.key, "state": status.state, "message": status.message or ""}
        timers = [CancelTimer(f"{kind}/{record.key}") for kind in TIMERS]
        ended = self.when_ended(now, record)
        return [*timers, *ended, Log("info", "task_ended", fields), *told]

    def container_status(self, record: TaskRecord) -> ContainerStatus:
        """Where a task runs."""
        pid = record.pid if record.has_container or record.executor is None else record.executor.pid
        return ContainerStatus(
            container_id=container_id(record.container),
            network_infos=network_infos(record, self._config.ip),
            executor_pid=pid or None,
        )

    def make_status(self, now: float, record: TaskRecord, end: End) -> TaskStatus:
        """A status of this task with a uuid of its own."""
        if self._state.drain is not None:
            framework = self._state.frameworks.get(record.framework_id)
            is_aware = framework is not None and framework.can("PARTITION_AWARE")
            end = reworded(end, self._state.drain, is_aware)
        return TaskStatus(
            task_id=record.info.task_id,
            state=end.state,
            message=end.message or None,
            source=end.source,
            reason=end.reason,
            agent_id=AgentID(record.agent_id),
            executor_id=ExecutorID(record.executor_id),
            timestamp=now,
            uuid=self._ids.uuid_bytes(),
            healthy=record.healthy,
            check_status=self.watching.status_of(record),
            limitation=limitation(end),
            container_status=self.container_status(record),
        )

    def send_front(self, stream: UpdateStream) -> list[Effect]:
        """Send the outstanding update of a stream, if the master is there, and arm its retry."""
        front = stream.front
        if front is None or not self._link.is_registered:
            return []
        record = self._state.find(stream.framework_id, stream.task_id)
        call = link.Call(
            type="UPDATE",
            agent_id=AgentID(self._state.agent_id or ""),
            update=link.Update(
                framework_id=FrameworkID(stream.framework_id),
                status=front,
                latest_state=record.state if record is not None else front.state,
            ),
        )
        return [*self._link.send(call), self._state.streams.arm(stream)]

    def rest(self, stream: UpdateStream) -> list[Effect]:
        """Everything of a stream was acknowledged: no retry is due."""
        return [CancelTimer(stream.timer)]

    def refuse(
        self, now: float, framework_id: str, task_id: str, state: str, reason: str, message: str
    ) -> list[Effect]:
        """Tell about a task that this agent does not have; it is repeated until acknowledged."""
        stream = self._state.streams.stream(framework_id, task_id)
        if any(is_terminal(each.state) for each in stream.pending):
            return []
        status = TaskStatus(
            task_id=TaskID(task_id),
            state=state,
            message=message,
            source="SOURCE_AGENT",
            reason=reason,
            agent_id=AgentID(self._state.agent_id or ""),
            timestamp=now,
            uuid=self._ids.uuid_bytes(),
        )
        return self.send_front(stream) if stream.add(status) else []
