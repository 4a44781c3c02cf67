"""The master: detects who leads, admits agents and frameworks, offers, launches, forwards.

Vocabulary: *out* gathers the effects of a step; *tell* writes an event on somebody's stream; the
*ledger* makes durable what must be (agents and frameworks, not tasks: agents report those anew).

Invariants: only a leader whose epoch is written and whose registry is loaded changes anything;
nobody is told of an admission, a removal or a subscription before it is durable; a master that is
no longer the leader ends.

Source: Mesos, src/master/master.cpp; docs/high-availability.md.
"""

from collections.abc import Callable, Mapping
from functools import cache

import msgspec

from mesosphere.kernel import verbosity
from mesosphere.kernel.effects import (
    Contend,
    Effect,
    Halt,
    Load,
    Log,
    Reply,
    Send,
    SetTimer,
)
from mesosphere.kernel.events import (
    CommitFailed,
    Committed,
    Event,
    LeaderChanged,
    Loaded,
    LoadFailed,
    Sampled,
    SessionLost,
    StepTimed,
    StopRequested,
    StreamClosed,
    TimerFired,
)
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.http import Response
from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.ledger import EPOCH
from mesosphere.kernel.pages import Pages
from mesosphere.kernel.verbosity import Verbosity, VerbosityChanged
from mesosphere.master.core import (
    agents,
    calls,
    commands,
    departures,
    draining,
    frameworks,
    inverse_offers,
    maintenance,
    offers,
    operations,
    pings,
    quotas,
    reconciliation,
    removals,
    weights,
)
from mesosphere.master.core.allocator.allocator import Allocator
from mesosphere.master.core.config import HEARTBEAT_S, MasterConfig
from mesosphere.master.core.registry import ADMITTED, GONE, UNREACHABLE, Registry
from mesosphere.master.core.shapes import Shapes
from mesosphere.master.core.state import Agent, Framework, State
from mesosphere.master.core.subscribers import Subscribers
from mesosphere.master.core.timings import Timings
from mesosphere.wire import recordio
from mesosphere.wire.mesos import MasterInfo, codec, link, scheduler
from mesosphere.wire.mesos.base import WireStruct
from mesosphere.wire.mesos.media import Media

ALLOCATE_TIMER = "allocate"
SOON_TIMER = "allocate/soon"
HEARTBEAT_TIMER = "heartbeat"
PING_TIMER = pings.TIMER
RECOVERY_TIMER = "recovery"

LABEL = "json.info_"


@cache
def heartbeat(media: Media) -> bytes:
    """The record of a framework's heartbeat."""
    return media.record(scheduler.Event(type="HEARTBEAT"))


class MasterMachine:
    """See the module. The other modules of `core` act on it."""

    def __init__(self, config: MasterConfig, ids: IdSource) -> None:
        self.config = config
        self.ids = ids
        self.id = ids.uuid()
        self.info = msgspec.structs.replace(config.info, id=self.id)
        self.state = State()
        self.registry = Registry()
        self.allocator = Allocator(config.fair_sharing_excluded, config.weights)
        self.filters, self.tree = self.allocator.filters, self.allocator.tree
        self.subscribers = Subscribers(config.max_operator_subscribers)
        self.leader: MasterInfo | None = None
        self.is_leader = False
        self.is_recovered = False
        self.started_at = 0.0
        self.elected_at = 0.0
        self.gauges: dict[str, float] = {}
        self.verbosity = Verbosity()
        self.timings = Timings()
        self.revision = 0  # of what pages show: the same number, the same pages
        self.pages = Pages(lambda: self.revision)
        self.dirty: dict[str, None] = {}  # agents for the next allocation cycle
        self.to_ping: list[list[str]] = []  # what is left of the round
        self.ping_delay_s = 0.0
        self.shapes = Shapes()
        self.out: list[Effect] = []
        self.framework_count = 0
        self.agent_count = 0
        self.offer_count = 0

    # --- life ---------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """Stand for leader."""
        self.started_at = now
        return [self._contend()]

    def _contend(self) -> Effect:
        return Contend(self.config.group, LABEL, codec.encode(self.info))

    def handle(self, now: float, event: Event) -> list[Effect]:
        """Take one event."""
        if not _is_quiet(event):
            self.revision += 1
        self.out = []
        _HANDLERS[type(event)](self, now, event)
        if self.state.relieved:
            draining.check_relieved(self, now)
        if self.dirty:
            self.timings.wait(now)
        if self.is_recovered:
            self.out += self.registry.ledger.flush(now)
        out, self.out = self.out, []
        return out

    def _leader_changed(self, now: float, event: LeaderChanged) -> None:
        self.leader = None if event.payload is None else codec.decode(event.payload, MasterInfo)
        if event.mine and not self.is_leader:
            self.is_leader = True
            self.elected_at = now
            self.log("info", "elected", id=self.id)
            self.out.append(Load("registry", "/"))
            self.timings.load_began_at = now
        elif self.is_leader and not event.mine:
            leader = "nobody" if self.leader is None else self.leader.pid
            self.out.append(Halt(ExitCode.LEADERSHIP_LOST, f"{leader} leads now"))

    def _session_lost(self, now: float, event: SessionLost) -> None:
        self.leader = None
        if self.is_leader:
            self.out.append(Halt(ExitCode.SESSION_LOST, event.reason))
        else:
            self.out.append(self._contend())

    def _loaded(self, now: float, event: Loaded) -> None:
        try:
            self.registry.load(event.entries)
        except ValueError as error:
            self.out.append(Halt(ExitCode.STORE_FAILED, f"the registry can't be read: {error}"))
            return
        self.timings.loaded(now)
        version = event.entries[EPOCH][1] if EPOCH in event.entries else None
        self.out.append(self.registry.ledger.take_office(self.id.encode(), version))

    def _load_failed(self, now: float, event: LoadFailed) -> None:
        self.out.append(Halt(ExitCode.STORE_FAILED, f"the registry: {event.reason}"))

    def _committed(self, now: float, event: Committed) -> None:
        if self.registry.ledger.is_epoch(event.token):
            self.registry.ledger.hold_office(event.versions[EPOCH])
            self._recover(now)
        else:
            self.timings.stored(now, self.registry.ledger.flown_at)
            # Continuations write to `out` and may return effects of their own.
            self.out += self.registry.ledger.committed(now)

    def _commit_failed(self, now: float, event: CommitFailed) -> None:
        code = ExitCode.LEADERSHIP_LOST if event.definite else ExitCode.STORE_FAILED
        self.out.append(Halt(code, f"transaction {event.token} failed: {event.reason}"))

    def _recover(self, now: float) -> None:
        self.is_recovered = True
        for agent_id, record in self.registry.agents.items():
            if record.state == ADMITTED:
                self.state.recovered[agent_id] = record.info
            elif record.state == UNREACHABLE:
                self.state.unreachable[agent_id] = record.since
            elif record.state == GONE:
                self.state.gone[agent_id] = record.since
        self.state.recovered_count = len(self.state.recovered)
        maintenance.take(self, now, self.registry.maintenance)
        weights.load(self)
        quotas.load(self, now)
        for framework_id, known in self.registry.frameworks.items():
            frameworks.recover(self, framework_id, known.info, known.registered_at)
        config = self.config
        self.log(
            "info",
            "recovered",
            agents=len(self.state.recovered),
            frameworks=len(self.state.frameworks),
        )
        self.out += [
            SetTimer(ALLOCATE_TIMER, config.allocation_interval_s),
            SetTimer(HEARTBEAT_TIMER, HEARTBEAT_S),
            SetTimer(PING_TIMER, config.agent_ping_interval_s),
            SetTimer(RECOVERY_TIMER, config.agent_reregister_timeout_s),
            SetTimer(removals.GC_TIMER, config.registry_gc_interval_s),
        ]

    def _stop(self, now: float, event: StopRequested) -> None:
        self.out.append(Halt(ExitCode.CLEAN, f"asked to end by {event.signal}"))

    def _change_verbosity(self, now: float, event: VerbosityChanged) -> None:
        self.out += self.verbosity.change(event)

    def _sampled(self, now: float, event: Sampled) -> None:
        self.gauges = event.values
        self.pages.forget()

    def _step_timed(self, now: float, event: StepTimed) -> None:
        self.timings.allocation_run.add(event.duration_s)

    # --- timers and streams -------------------------------------------------------------------

    def _timer_fired(self, now: float, event: TimerFired) -> None:
        name = event.name
        if name == ALLOCATE_TIMER:
            self.out.append(SetTimer(name, self.config.allocation_interval_s))
            offers.expire(self, now)
            offers.allocate(self, now, list(self.state.agents))
            inverse_offers.expire(self, now)
            inverse_offers.send(self, now, self.state.outages)
        elif name == SOON_TIMER:
            batch = list(self.dirty)
            self.dirty.clear()
            self.timings.allocated(now)
            offers.allocate(self, now, batch)
            if self.state.outages:
                inverse_offers.send(self, now, batch)
        elif name == HEARTBEAT_TIMER:
            self.out.append(SetTimer(name, HEARTBEAT_S))
            self._beat()
        elif name == PING_TIMER:
            pings.ask_some(self, now)
        elif name == verbosity.TIMER:
            self.out += self.verbosity.expire()
        elif name == RECOVERY_TIMER:
            removals.give_up_recovered(self, now)
        elif name == removals.TIMER:
            removals.run(self, now)
        elif name == removals.GC_TIMER:
            removals.collect(self, now)
        elif name.startswith(reconciliation.TIMER):
            framework = self.state.frameworks.get(name.removeprefix(reconciliation.TIMER))
            if framework is not None:
                reconciliation.answer_some(self, now, framework)
        elif name.startswith(frameworks.FAILOVER_TIMER):
            frameworks.expire(self, now, name.removeprefix(frameworks.FAILOVER_TIMER))

    def _beat(self) -> None:
        for framework in self.state.frameworks.values():
            if framework.stream is not None:
                self.out.append(Send(framework.stream, heartbeat(framework.media)))
        self.out += self.subscribers.beat()

    def _stream_closed(self, now: float, event: StreamClosed) -> None:
        if self.subscribers.remove(event.stream):
            return
        kind, owner = self.state.streams.pop(event.stream, ("", ""))
        if kind == "framework":
            frameworks.disconnect(self, now, owner, event.reason)
        elif kind == "agent":
            departures.disconnect(self, now, owner, event.reason)

    # --- what the other modules use -----------------------------------------------------------

    def log(self, level: str, event: str, **fields: object) -> None:
        """Log one line."""
        self.out.append(Log(level, event, fields))

    def reply(self, request: str, response: Response) -> None:
        """Answer a request now."""
        self.out.append(Reply(request, response))

    def tell(self, framework: Framework, event: scheduler.Event) -> bool:
        """Write an event on a framework's stream; False when it is not connected."""
        if framework.stream is None:
            return False
        framework.count(f"events/{event.type.lower()}")
        self.out.append(Send(framework.stream, framework.media.record(event)))
        return True

    def tell_agent(self, agent: Agent, event: link.Event) -> bool:
        """Write an event on an agent's stream; False when it is not connected."""
        if agent.stream is None:
            return False
        self.out.append(Send(agent.stream, recordio.encode(codec.encode(event))))
        return True

    def tell_agents(self, event: link.Event) -> None:
        """Write one event, encoded once, on the streams of all agents that are connected."""
        record = recordio.encode(codec.encode(event))
        for agent in self.state.agents.values():
            if agent.stream is not None:
                self.out.append(Send(agent.stream, record))

    def publish(self, kind: str, body: WireStruct) -> None:
        """Write an event for the operators who follow; `body` is the message named like it."""
        self.out += self.subscribers.publish(kind, body)

    def when_durable(self, action: Callable[[float], None]) -> None:
        """Do something once every change so far is durable; it writes to `out`."""

        def act(now: float) -> list[Effect]:
            # It may run inside a step or inside the flush at its end: gather apart.
            outer, self.out = self.out, []
            action(now)
            inner, self.out = self.out, outer
            return inner

        self.registry.ledger.after(act)

    def make_dirty(self, agent_id: str) -> None:
        """Let the next cycle, which comes at once, look at this agent."""
        if not self.dirty:
            self.out.append(SetTimer(SOON_TIMER, offers.COALESCE_S))
        self.dirty[agent_id] = None

    def make_all_dirty(self) -> None:
        """Let the next cycle look at every agent."""
        for agent_id in self.state.agents:
            self.make_dirty(agent_id)


def _is_quiet(event: Event) -> bool:
    """Whether an event, such as one of the many that ten thousand agents send, changes no page."""
    if isinstance(event, commands.AgentCalled):
        return event.call.type == "PONG"
    if isinstance(event, TimerFired):
        return event.name in (HEARTBEAT_TIMER, PING_TIMER)
    return isinstance(event, commands.OperatorSubscribed | commands.FileWanted | Sampled)


_HANDLERS: Mapping[type[Event], Callable[..., None]] = {
    LeaderChanged: MasterMachine._leader_changed,
    SessionLost: MasterMachine._session_lost,
    Loaded: MasterMachine._loaded,
    LoadFailed: MasterMachine._load_failed,
    Committed: MasterMachine._committed,
    CommitFailed: MasterMachine._commit_failed,
    StopRequested: MasterMachine._stop,
    Sampled: MasterMachine._sampled,
    StepTimed: MasterMachine._step_timed,
    TimerFired: MasterMachine._timer_fired,
    StreamClosed: MasterMachine._stream_closed,
    commands.SchedulerCalled: calls.take,
    commands.AgentCalled: agents.take,
    commands.OperatorSubscribed: calls.subscribe_operator,
    commands.TeardownRequested: calls.tear_down,
    commands.AgentGone: departures.mark_gone,
    commands.AgentDrained: draining.drain,
    commands.AgentDeactivated: draining.deactivate,
    commands.AgentReactivated: draining.reactivate,
    commands.ScheduleReplaced: maintenance.replace_schedule,
    commands.MachinesStopped: maintenance.stop_machines,
    commands.MachinesStarted: maintenance.start_machines,
    commands.OperationRequested: operations.request,
    commands.QuotasUpdated: quotas.update,
    commands.QuotaSet: quotas.set_one,
    commands.QuotaRemoved: quotas.remove,
    commands.WeightsUpdated: weights.update,
    VerbosityChanged: MasterMachine._change_verbosity,
    commands.FileWanted: lambda master, now, event: master.out.append(event.effect),
}
