"""The agent's machine: turns what happens on the host and what the master says into effects.

Decides nothing by itself: it hands each event to the part that does (`recovery`, `registration`,
`tasks`, `extra_containers`, `frameworks`, `operations`, `gc`). Names of timers, calls and probes
begin with the concern: "master/", "drain", "operation/", "update/", "grace/", "expire/",
"health/", "check/", "gc", "leave", and those of `executors.TIMERS`. Source: docs/architecture.md,
"Master and agent"; apache/mesos src/slave/slave.cpp for what each message means.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mesosphere.agent.core import draining, executors, leaving, operations, registration
from mesosphere.agent.core.commands import (
    AttachRequested,
    ContainerKillRequested,
    ContainerLaunchRequested,
    ContainerRemoveRequested,
    ContainersMeasured,
    ContainerWaitRequested,
    ExecutorCalled,
    FileRequested,
    PruningRequested,
    SupervisionFailed,
)
from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.draining import Draining
from mesosphere.agent.core.executors import Executors
from mesosphere.agent.core.extra_containers import ExtraContainers
from mesosphere.agent.core.frameworks import Frameworks
from mesosphere.agent.core.gc import CHECK_TIMER, Garbage, allowed_age_s
from mesosphere.agent.core.introduction import agent_info
from mesosphere.agent.core.life_cycle import Phase
from mesosphere.agent.core.operations import Operations
from mesosphere.agent.core.recovery import Recovery
from mesosphere.agent.core.registration import Registration
from mesosphere.agent.core.state import State
from mesosphere.agent.core.tasks import Tasks
from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel import verbosity
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.http import Response
from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.machine import ensure
from mesosphere.kernel.verbosity import Verbosity, VerbosityChanged

Effects = list[do.Effect]
LEAVE_SIGNAL = "USR1"
LOOKS = ("health/", "check/")


class AgentMachine:
    """See `kernel.machine.Machine`. `files` is the meta tree, `sandboxes` what lies on disk,
    `unreadable` why something of the meta tree could not be read, by path."""

    def __init__(
        self,
        config: AgentConfig,
        ids: IdSource,
        files: Mapping[str, bytes] = {},
        sandboxes: tuple[tuple[str, float], ...] = (),
        unreadable: Mapping[str, str] = {},
    ) -> None:
        self.config = config
        self.state = State(config)
        self.link = Registration(config, ids)
        self.tasks = Tasks(config, self.state, self.link, ids)
        self.garbage = Garbage()
        self.executors = Executors(config, self.state, self.link, self.tasks, self.garbage, ids)
        self.draining = Draining(self.state, self.executors)
        self.operations = Operations(self.state, self.link, ids)
        self.frameworks = Frameworks(
            self.state,
            self.link,
            self.tasks,
            self.executors,
            self.garbage,
            self.draining,
            self.operations,
        )
        self.extras = ExtraContainers(self.state)
        self.recovery = Recovery(self.state, self.tasks, self.executors, self.extras)
        self.verbosity = Verbosity()
        self._files = files
        self._sandboxes = sandboxes
        self._unreadable = unreadable
        self._handlers: dict[type[on.Event], Callable[[float, Any], Effects]] = {
            on.TimerFired: self._timer,
            on.LeaderChanged: self._leader,
            on.Connected: self._connected,
            on.Received: self._received,
            on.Disconnected: self._disconnected,
            on.CallAnswered: self._answered,
            on.CallFailed: self._call_failed,
            on.Probed: self._probed,
            on.CheckFinished: self._check_finished,
            on.ContainerStarted: self._started,
            on.ContainerFailed: self._failed,
            on.ContainerExited: self._exited,
            on.ContainersRecovered: self._recovered,
            on.CheckpointFailed: self._checkpoint_failed,
            on.VolumesChanged: self.operations.changed,
            on.Sampled: self._sampled,
            on.SessionLost: self._session_lost,
            on.StopRequested: self._stop,
            on.StreamClosed: self._stream_closed,
            ExecutorCalled: self._executor_called,
            FileRequested: self._file,
            PruningRequested: self._prune,
            ContainerLaunchRequested: self.extras.launch,
            ContainerWaitRequested: self.extras.wait,
            ContainerKillRequested: self.extras.kill,
            ContainerRemoveRequested: self.extras.remove,
            AttachRequested: self.extras.attach,
            on.AttachmentEnded: lambda now, event: self.extras.detached(event.request),
            VerbosityChanged: lambda now, event: self.verbosity.change(event),
            ContainersMeasured: self._measured,
            SupervisionFailed: self._supervision_failed,
        }

    def start(self, now: float) -> Effects:
        """Recover first; registering comes after."""
        self.state.started_at = now
        effects: Effects = []
        for path, reason in self._unreadable.items():
            effects += self.state.set_aside(path, reason)
        effects += self.operations.recover(self._files)
        effects += self.extras.recover(self._files)
        effects += self.recovery.begin(self._files)
        effects += self.draining.recover(self._files)
        keep = [task.sandbox for task in self.state.tasks()]
        keep += [executor.sandbox for executor in self.state.executors()]
        self.garbage.schedule_all(self._sandboxes, keep)
        self._files, self._sandboxes, self._unreadable = {}, (), {}
        return [*effects, do.SetTimer(CHECK_TIMER, self.config.disk_watch_interval_s)]

    def handle(self, now: float, event: on.Event) -> Effects:
        """Take one event."""
        handler = self._handlers.get(type(event))
        ensure(handler is not None, f"the agent knows the event {type(event).__name__}")
        assert handler is not None
        effects = handler(now, event)
        return [*effects, *self.draining.settle()] if self.state.drain is not None else effects

    # --- the world -----------------------------------------------------------------------

    def _timer(self, now: float, event: on.TimerFired) -> Effects:
        name = event.name
        if name == registration.RETRY_TIMER:
            return self.link.subscribe(self.frameworks.subscription())
        if name == registration.SILENCE_TIMER:
            return self._lost(f"no word from the master for {self.link.silence_s:g} s")
        if name == CHECK_TIMER:
            return self._collect_garbage(now)
        if name == draining.TIMER:
            return self.draining.carry_out(now)
        if name == verbosity.TIMER:
            return self.verbosity.expire()
        if name == leaving.FORGOTTEN_TIMER:
            return self.frameworks.forgotten(now)
        if name == leaving.TIMER:
            return self.frameworks.leaving.end()
        kind, _, key = name.partition("/")
        if kind == "update":
            stream = self.state.streams.find(*key.split("/", 1))
            return [] if stream is None else self.tasks.send_front(stream)
        if kind == operations.KIND:
            return self.operations.timer(key)
        if kind in executors.TIMERS:
            effects = self.executors.timer(now, kind, key)
            return [*effects, *self.frameworks.after_exit(now)]
        return self.tasks.timer(now, kind, key)

    def _recovered(self, now: float, event: on.ContainersRecovered) -> Effects:
        found = self.recovery.finish(now, event)
        return [
            *found, *self.operations.resume(), *self.draining.resume(), *self.link.start()
        ]  # fmt: skip

    def _started(self, now: float, event: on.ContainerStarted) -> Effects:
        effects = self.extras.started(event)
        effects = self.executors.started(now, event) if effects is None else effects
        return self.tasks.started(now, event) if effects is None else effects

    def _failed(self, now: float, event: on.ContainerFailed) -> Effects:
        effects = self.extras.failed(event)
        effects = self.executors.failed(now, event) if effects is None else effects
        effects = self.tasks.failed(now, event) if effects is None else effects
        return [*effects, *self.extras.settle(), *self.frameworks.after_exit(now)]

    def _exited(self, now: float, event: on.ContainerExited) -> Effects:
        effects = self.extras.exited(event)
        effects = self.executors.exited(now, event) if effects is None else effects
        effects = self.tasks.exited(now, event) if effects is None else effects
        effects += [*self.extras.tell_waiting(event), *self.extras.settle()]
        return [*effects, *self.frameworks.after_exit(now)]

    def _executor_called(self, now: float, event: ExecutorCalled) -> Effects:
        return [*self.executors.called(now, event, agent_info(self.state)),
                *self.frameworks.after_exit(now)]  # fmt: skip

    def _stream_closed(self, now: float, event: on.StreamClosed) -> Effects:
        for executor in self.state.executors():
            if executor.stream == event.stream:
                executor.stream = ""
                fields = {"executor": executor.key, "reason": event.reason}
                return [do.Log("info", "executor_disconnected", fields)]
        return self.extras.left(event.stream)

    def _checkpoint_failed(self, now: float, event: on.CheckpointFailed) -> Effects:
        fields = {"path": event.path, "reason": event.reason}
        effects: Effects = [do.Log("error", "checkpoint_failed", fields)]
        if event.path in (operations.PATH, operations.COPY_PATH):
            return [*effects, *self.operations.checkpoint_failed()]
        failed = self.extras.checkpoint_failed(event)
        failed = self.frameworks.checkpoint_failed(now, event) if failed is None else failed
        return [*effects, *failed]

    def _sampled(self, now: float, event: on.Sampled) -> Effects:
        self.state.gauges = event.values
        busy = self.config.qos_controller.must_correct(event.values)
        return self.tasks.preempt() if busy else []

    def _measured(self, now: float, event: ContainersMeasured) -> Effects:
        self.state.statistics = event.statistics
        self.state.disk_used = event.disk_used
        self.state.measured = event.metrics
        return []

    def _session_lost(self, now: float, event: on.SessionLost) -> Effects:
        # The agent holds nothing in the coordination service; detection goes on by itself.
        return [do.Log("warning", "coordination_session_lost", {"reason": event.reason})]

    def _supervision_failed(self, now: float, event: SupervisionFailed) -> Effects:
        return [do.Halt(ExitCode.WORK_DIR_FAILED, event.reason)]

    def _stop(self, now: float, event: on.StopRequested) -> Effects:
        if event.signal == LEAVE_SIGNAL:
            reason = f"asked to leave for good by {event.signal}"
            return self.frameworks.leave(now, reason, ExitCode.CLEAN)
        # Containers live on: the next start of this agent takes them over.
        running = sum(1 for task in self.state.tasks() if task.phase is not Phase.ENDED)
        return [
            do.Log("info", "stopping", {"signal": event.signal, "tasks": running}),
            do.Halt(ExitCode.CLEAN, f"asked to end by {event.signal}"),
        ]

    def _file(self, now: float, event: FileRequested) -> Effects:
        return [
            do.ServeFile(
                event.request, event.action, event.path, event.shown,
                event.offset, event.length, event.media,
            )
        ]  # fmt: skip

    def _prune(self, now: float, event: PruningRequested) -> Effects:
        return [do.PruneImages(event.excluded), do.Reply(event.request, Response(200, {}, b""))]

    def _collect_garbage(self, now: float) -> Effects:
        config = self.config
        age_s = allowed_age_s(config.gc_delay_s, config.gc_disk_headroom, self.state.disk_used)
        gone = self.garbage.collect(now, age_s)
        effects: Effects = [do.RemoveSandbox(path) for path in gone]
        return [*effects, do.SetTimer(CHECK_TIMER, config.disk_watch_interval_s)]

    # --- answers of others ---------------------------------------------------------------

    def _answered(self, now: float, event: on.CallAnswered) -> Effects:
        if event.call.startswith(LOOKS):
            return self.tasks.looked(now, event.call, event.status, f"HTTP status {event.status}")
        effects = self.link.answered(event)
        self.state.registered = self.link.is_registered
        return effects

    def _call_failed(self, now: float, event: on.CallFailed) -> Effects:
        if event.call.startswith(LOOKS):
            return self.tasks.looked(now, event.call, None, event.reason)
        if self.link.is_missed(event.call):
            return self._lost(f"a call failed: {event.reason}")
        # Updates are repeated by their timers; a dead link shows by silence.
        return [do.Log("debug", "call_failed", {"call": event.call, "reason": event.reason})]

    def _probed(self, now: float, event: on.Probed) -> Effects:
        return self.tasks.looked(now, event.probe, int(event.ok), event.reason)

    def _check_finished(self, now: float, event: on.CheckFinished) -> Effects:
        reason = event.reason or f"the command exited with status {event.exit_code}"
        return self.tasks.looked(now, event.check, event.exit_code, reason)

    # --- the link ------------------------------------------------------------------------

    def _leader(self, now: float, event: on.LeaderChanged) -> Effects:
        if self.frameworks.leaving.has_gone:
            return self.frameworks.leaving.end()
        effects = self.link.leader_changed(event)
        self.state.registered = False
        return effects

    def _connected(self, now: float, event: on.Connected) -> Effects:
        return self.link.connected(event) if event.stream == registration.STREAM else []

    def _disconnected(self, now: float, event: on.Disconnected) -> Effects:
        return self._lost(event.reason) if event.stream == registration.STREAM else []

    def _lost(self, reason: str) -> Effects:
        self.state.registered = False
        if self.frameworks.leaving.has_gone:
            return self.frameworks.leaving.end()
        return self.link.retry(reason)

    def _received(self, now: float, event: on.Received) -> Effects:
        if event.stream != registration.STREAM:
            return []
        effects = self.frameworks.received(now, event.record)
        return [*self.link.heard(), *effects] if self.link.is_registered else effects
