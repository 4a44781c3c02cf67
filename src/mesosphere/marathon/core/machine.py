"""Marathon's machine: events in, effects out; it stitches the parts together.

Decides only what belongs to the whole: election, loading and claiming the store, which part gets
an event, and that every step ends with a look at the apps that it touched and with one
transaction. Vocabulary: see the parts; `state` is shared by them.
Invariants: while not leading nothing is decided; a store that refuses or does not answer ends the
process, for memory and store may differ by then; a clean process reads the truth.
Source: Marathon, "High Availability"; MarathonSchedulerService.scala.
"""

from collections.abc import Callable, Mapping

import msgspec

from mesosphere.framework.client import (
    CallLost,
    ClientConfig,
    FrameworkClient,
    Happening,
    Lost,
    Refused,
    Subscribed,
)
from mesosphere.kernel.effects import (
    Commit,
    Contend,
    Effect,
    Halt,
    Load,
    Reply,
    SetTimer,
    Withdraw,
)
from mesosphere.kernel.events import (
    CallAnswered,
    CallFailed,
    CommitFailed,
    Committed,
    Event,
    LeaderChanged,
    Loaded,
    LoadFailed,
    Probed,
    Sampled,
    SessionLost,
    StopRequested,
    StreamClosed,
    TimerFired,
)
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.http import Response
from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.store import ABSENT, Put
from mesosphere.marathon.core import answers, commands
from mesosphere.marathon.core.changes import Changes
from mesosphere.marathon.core.checks import READY_PREFIX, ROUND_PREFIX, Checks
from mesosphere.marathon.core.config import MarathonConfig
from mesosphere.marathon.core.event_stream import KEEP_ALIVE_S, Listener
from mesosphere.marathon.core.instances import Condition, Instance
from mesosphere.marathon.core.launcher import (
    AGAIN_TIMER,
    DELAY_PREFIX,
    REVIVE_TIMER,
    TOKENS_TIMER,
    Launcher,
)
from mesosphere.marathon.core.leadership import WAIT_TIMER, Leadership, Stage
from mesosphere.marathon.core.outcome import Outcome, Pipeline
from mesosphere.marathon.core.progress import LOOK_PREFIX, Progress
from mesosphere.marathon.core.requests import Requests
from mesosphere.marathon.core.state import State
from mesosphere.marathon.core.supervisor import (
    KILL_TIMER,
    OVERDUE_TIMER,
    RECONCILE_TIMER,
    UNREACHABLE_PREFIX,
    Supervisor,
)
from mesosphere.wire.mesos import FrameworkCapability, FrameworkInfo
from mesosphere.wire.mesos.scheduler import Event as SchedulerEvent

LOAD = "marathon/load"
CLAIM = "marathon/claim"
SCALE_TIMER = "scale"
ABDICATE_TIMER = "abdicate"
KEEP_ALIVE_TIMER = "events/keep-alive"
ABDICATE_S = 0.5
LEADER_LABEL = "latch-"
CAPABILITIES = ("PARTITION_AWARE", "TASK_KILLING_STATE", "REGION_AWARE", "MULTI_ROLE")


class MarathonMachine:
    """See the module."""

    def __init__(self, config: MarathonConfig, ids: IdSource) -> None:
        self.config = config
        self.state = State(config, ids)
        self.leadership = Leadership(config)
        self.client = FrameworkClient(
            ClientConfig(master=config.master, info=framework_info(config)), ids
        )
        self._pipeline = Pipeline()
        self.supervisor = Supervisor(self.state, self.client)
        self.launcher = Launcher(self.state, self.client, self.supervisor)
        self.progress = Progress(self.state, self.supervisor, self.launcher)
        self.checks = Checks(self.state, self.supervisor)
        self.changes = Changes(self.state, self.progress)
        self._requests = Requests(self.state, self.changes, self.supervisor, self.launcher)
        self.supervisor.on_running = self._running

    def start(self, now: float) -> list[Effect]:
        """Stand for leader."""
        self.state.started_at = now
        payload = self.config.own_address.encode()
        return [Contend(self.config.election_group, LEADER_LABEL, payload)]

    def handle(self, now: float, event: Event) -> list[Effect]:
        """Take one event."""
        outcome = Outcome(now)
        if self.client.owns(event):
            effects, happenings = self.client.handle(now, event)
            outcome.do(*effects)
            for happening in happenings:
                self._happened(outcome, happening)
        elif isinstance(event, commands.Command):
            self._commanded(outcome, event)
        else:
            _HANDLERS[type(event)](self, outcome, event)
        if self.leadership.is_leading:
            self.progress.look(outcome)
        storage = self.state.storage
        if not storage.is_dirty:
            return self._pipeline.close(outcome)
        if self._pipeline.is_busy and storage.may_wait:
            return self._pipeline.park(outcome)
        return self._pipeline.commit(outcome, storage.take())

    # --- election and the store -------------------------------------------------------------

    def _leader_changed(self, outcome: Outcome, event: LeaderChanged) -> None:
        leader = None if event.payload is None else event.payload.decode("utf-8", "replace")
        stage = self.leadership.stage
        if event.mine and stage is Stage.STANDBY:
            self.leadership.stage = Stage.LOADING
            self.leadership.learned(self.config.own_address)
            outcome.log("info", "elected")
            outcome.do(Load(LOAD, self.config.state_path))
        elif not event.mine and stage is not Stage.STANDBY:
            outcome.do(Halt(ExitCode.LEADERSHIP_LOST, f"{leader or 'nobody'} leads now"))
        elif not event.mine:
            outcome.do(*self.leadership.learned(leader))

    def _loaded(self, outcome: Outcome, event: Loaded) -> None:
        state = self.state
        try:
            loaded, instances = state.storage.load(event.entries)
        except (msgspec.MsgspecError, ValueError) as error:
            outcome.do(Halt(ExitCode.STORE_FAILED, f"the stored state is unreadable: {error}"))
            return
        state.root = loaded.root
        state.history = loaded.history
        state.failures = loaded.failures
        state.framework_id = loaded.framework_id
        for app in state.root.apps.values():
            state.ports.hold(app)
        for instance in instances:
            state.instances.add(instance)
        for deployment in loaded.deployments:
            state.deployments.add(deployment)
        self.leadership.stage = Stage.CLAIMING
        version = ABSENT if loaded.epoch_version is None else loaded.epoch_version
        claim = Put(state.storage.epoch_path, self.config.own_address.encode(), version)
        outcome.do(Commit(CLAIM, (claim,)))

    def _committed(self, outcome: Outcome, event: Committed) -> None:
        if event.token == CLAIM:
            self._claimed(outcome, event.versions[self.state.storage.epoch_path])
        else:
            outcome.do(*self._pipeline.committed(event.token))

    def _claimed(self, outcome: Outcome, epoch_version: int) -> None:
        state = self.state
        state.storage.begin_epoch(epoch_version)
        self.leadership.stage = Stage.LEADING
        state.elected_at = outcome.now
        outcome.log(
            "info",
            "leading",
            apps=len(state.root.apps),
            instances=len(state.instances.by_id),
            deployments=len(state.deployments.running),
        )
        self.progress.resume(outcome)
        self.supervisor.resume(outcome)
        for instance in list(state.instances.by_id.values()):
            if instance.condition is Condition.RUNNING:
                self.checks.running(outcome, instance)
        outcome.do(
            SetTimer(SCALE_TIMER, self.config.scale_apps_initial_delay_s),
            SetTimer(KEEP_ALIVE_TIMER, KEEP_ALIVE_S),
            *self.client.start(state.framework_id),
        )

    def _commit_failed(self, outcome: Outcome, event: CommitFailed) -> None:
        if event.definite:
            code, story = ExitCode.LEADERSHIP_LOST, "the store refused a write of ours"
        else:
            code, story = ExitCode.STORE_FAILED, "it is not known whether a write was stored"
        outcome.do(Halt(code, f"{story}: {event.reason}"))

    def _load_failed(self, outcome: Outcome, event: LoadFailed) -> None:
        outcome.do(Halt(ExitCode.STORE_FAILED, f"the state can't be read: {event.reason}"))

    def _session_lost(self, outcome: Outcome, event: SessionLost) -> None:
        if self.leadership.stage is Stage.STANDBY:
            payload = self.config.own_address.encode()
            outcome.do(
                *self.leadership.learned(None),
                Contend(self.config.election_group, LEADER_LABEL, payload),
            )
            return
        outcome.do(Halt(ExitCode.SESSION_LOST, event.reason))

    def _stop(self, outcome: Outcome, event: StopRequested) -> None:
        outcome.do(
            *self.client.stop(),
            *self.state.streams.end_all(),
            Withdraw(self.config.election_group),
            Halt(ExitCode.CLEAN, f"asked to end by SIG{event.signal}"),
        )

    # --- the master -------------------------------------------------------------------------

    def _happened(self, outcome: Outcome, happening: Happening) -> None:
        if isinstance(happening, SchedulerEvent):
            self._scheduled(outcome, happening)
        elif isinstance(happening, Subscribed):
            self._subscribed(outcome, happening)
        elif isinstance(happening, Lost):
            outcome.log("warning", "disconnected_from_master", reason=happening.reason)
            self.state.publish(outcome, "scheduler_disconnected_event")
        elif isinstance(happening, Refused):
            self._refused(outcome, happening)
        elif isinstance(happening, CallLost):
            outcome.log("warning", "call_lost", type=happening.type, reason=happening.reason)

    def _refused(self, outcome: Outcome, refusal: Refused) -> None:
        reason = f"the master refused this framework: {refusal.message}"
        if refusal.message.startswith("Framework failed over"):
            # Whoever subscribed in our name was elected while we did not notice.
            outcome.do(Halt(ExitCode.LEADERSHIP_LOST, reason))
            return
        if refusal.for_good:
            # The id is burnt; without it the next start registers anew and launches all apps.
            self.state.storage.drop_framework_id()
        outcome.after(lambda: [Halt(ExitCode.FRAMEWORK_REFUSED, reason)])

    def _subscribed(self, outcome: Outcome, event: Subscribed) -> None:
        state = self.state
        state.master_url = event.master
        if state.framework_id != event.framework_id:
            state.framework_id = event.framework_id
            state.storage.put_framework_id(event.framework_id)
            state.publish(
                outcome,
                "scheduler_registered_event",
                frameworkId=event.framework_id,
                master=event.master,
            )
        else:
            state.publish(outcome, "scheduler_reregistered_event", master=event.master)
        outcome.log("info", "subscribed", framework=event.framework_id, master=event.master)
        self.launcher.subscribed(outcome)
        self.supervisor.subscribed(outcome)

    def _scheduled(self, outcome: Outcome, event: SchedulerEvent) -> None:
        if event.offers is not None:
            self.launcher.offered(outcome, event.offers.offers)
        elif event.update is not None:
            self.supervisor.updated(outcome, event.update.status)
        elif event.message is not None:
            self.state.publish(
                outcome,
                "framework_message_event",
                executorId=event.message.executor_id.value,
                slaveId=event.message.agent_id.value,
                message=list(event.message.data),
            )

    def _running(self, outcome: Outcome, instance: Instance) -> None:
        self.launcher.running()
        self.checks.running(outcome, instance)

    # --- requests ---------------------------------------------------------------------------

    def _commanded(self, outcome: Outcome, command: commands.Command) -> None:
        if not self.leadership.is_leading:
            refusal = answers.message(503, "This Marathon does not lead any more. Try again.")
            outcome.do(Reply(command.request, refusal))
        elif isinstance(command, commands.OpenEvents):
            self._open_events(outcome, command)
        elif isinstance(command, commands.Abdicate):
            outcome.reply(command.request, answers.message(200, "Leadership abdicated"))
            outcome.do(SetTimer(ABDICATE_TIMER, ABDICATE_S))
        else:
            response = self._requests.answer(outcome, command)
            outcome.reply(command.request, self.dressed(response))

    def _open_events(self, outcome: Outcome, command: commands.OpenEvents) -> None:
        streams = self.state.streams
        if streams.is_full:
            outcome.reply(command.request, answers.message(503, "Too many event streams are open"))
            return
        listener = Listener(command.request, command.peer, command.types)
        outcome.do(*streams.open(listener, self.common_headers()))
        self.state.publish(outcome, "event_stream_attached", remoteAddress=command.peer)

    def _stream_closed(self, outcome: Outcome, event: StreamClosed) -> None:
        listener = self.state.streams.close(event.stream)
        if listener is not None:
            self.state.publish(outcome, "event_stream_detached", remoteAddress=listener.peer)

    def _forward(self, outcome: Outcome, event: commands.Forward) -> None:
        outcome.do(*self.leadership.forward(event.request))

    def dressed(self, response: Response) -> Response:
        """An answer with the headers that every answer of a leader carries."""
        headers = {**self.common_headers(), **response.headers}
        return msgspec.structs.replace(response, headers=headers)

    def common_headers(self) -> dict[str, str]:
        """Headers of every answer of the leader."""
        headers = {
            "X-Marathon-Leader": f"http://{self.config.own_address}",
            "X-Frame-Options": "DENY",
            "X-XSS-Protection": "1; mode=block",
            "Cache-Control": "no-cache, no-store, must-revalidate",
            "Pragma": "no-cache",
            "Expires": "0",
        }
        if self.config.access_control_allow_origin:
            headers["Access-Control-Allow-Origin"] = self.config.access_control_allow_origin[-1]
            headers["Access-Control-Allow-Methods"] = "GET, HEAD, OPTIONS"
            headers["Access-Control-Max-Age"] = "86400"
        return headers

    # --- time and probes --------------------------------------------------------------------

    def _timer_fired(self, outcome: Outcome, event: TimerFired) -> None:
        name = event.name
        if name == WAIT_TIMER:
            outcome.do(*self.leadership.gave_up())
        elif name == ABDICATE_TIMER:
            outcome.do(
                Withdraw(self.config.election_group),
                Halt(ExitCode.LEADERSHIP_LOST, "leadership was given up on request"),
            )
        elif name == KEEP_ALIVE_TIMER:
            outcome.do(*self.state.streams.keep_alive(), SetTimer(name, KEEP_ALIVE_S))
        elif name == SCALE_TIMER:
            self.progress.look_at_all()
            outcome.do(SetTimer(name, self.config.scale_apps_interval_s))
        elif name.startswith(LOOK_PREFIX):
            self.state.touch(name.removeprefix(LOOK_PREFIX))
        elif name.startswith((ROUND_PREFIX, READY_PREFIX)):
            self.checks.timer(outcome, name)
        elif name in (AGAIN_TIMER, REVIVE_TIMER, TOKENS_TIMER) or name.startswith(DELAY_PREFIX):
            self.launcher.timer(outcome, name)
        elif name in (KILL_TIMER, OVERDUE_TIMER, RECONCILE_TIMER) or name.startswith(
            UNREACHABLE_PREFIX
        ):
            self.supervisor.timer(outcome, name)
        else:
            raise AssertionError(f"the timer {name} belongs to nobody")

    def _call_answered(self, outcome: Outcome, event: CallAnswered) -> None:
        self.checks.answered(outcome, event)

    def _call_failed(self, outcome: Outcome, event: CallFailed) -> None:
        self.checks.failed(outcome, event)

    def _probed(self, outcome: Outcome, event: Probed) -> None:
        self.checks.probed(outcome, event)

    def _sampled(self, outcome: Outcome, event: Sampled) -> None:
        self.state.gauges = dict(event.values)


_HANDLERS: Mapping[type[Event], Callable[..., None]] = {
    StopRequested: MarathonMachine._stop,
    Sampled: MarathonMachine._sampled,
    TimerFired: MarathonMachine._timer_fired,
    Committed: MarathonMachine._committed,
    CommitFailed: MarathonMachine._commit_failed,
    Loaded: MarathonMachine._loaded,
    LoadFailed: MarathonMachine._load_failed,
    LeaderChanged: MarathonMachine._leader_changed,
    SessionLost: MarathonMachine._session_lost,
    StreamClosed: MarathonMachine._stream_closed,
    CallAnswered: MarathonMachine._call_answered,
    CallFailed: MarathonMachine._call_failed,
    Probed: MarathonMachine._probed,
    commands.Forward: MarathonMachine._forward,
}


def framework_info(config: MarathonConfig) -> FrameworkInfo:
    """How this Marathon registers."""
    gpus = "gpu_resources" in config.features
    return FrameworkInfo(
        user=config.mesos_user,
        name=config.framework_name,
        failover_timeout=config.failover_timeout_s,
        checkpoint=config.checkpoint,
        roles=[config.mesos_role],
        hostname=config.hostname,
        principal=config.principal,
        webui_url=config.webui_url or f"http://{config.own_address}",
        capabilities=[
            FrameworkCapability(type=name)
            for name in (*CAPABILITIES, *(("GPU_RESOURCES",) if gpus else ()))
        ],
    )
