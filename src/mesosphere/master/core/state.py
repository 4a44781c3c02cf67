"""What a master knows: agents, frameworks, tasks, offers. Plain data with indices.

Invariants, held by the modules that change it: a task is in its framework's and its agent's index;
an agent's `used` is the sum of its executors and of its tasks that hold resources, `offered` that
of its offers; the share tree is charged with both; an offer is in the index, its framework and its
agent, or nowhere; an operation is in its agent's index, and in its framework's if it has an id.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from mesosphere.kernel.resources import Resources, sum_of
from mesosphere.master.core.allocator.claims import Slot
from mesosphere.master.core.allocator.constraints import RoleConstraint
from mesosphere.master.core.schedule import Key, Maintenance, Mode, key_of
from mesosphere.wire import mesos
from mesosphere.wire.mesos import scheduler
from mesosphere.wire.mesos.media import Media

TaskKey = tuple[str, str]  # framework id, task id


@dataclass(slots=True)
class TaskRecord:
    """A task of the master's. `resources` are without allocation; `role` says who pays.

    Once it is in the books, `task` is replaced when it changes, never changed in place.
    """

    task: mesos.Task
    resources: Resources
    role: str
    is_command: bool = True
    holds_resources: bool = True
    is_removed_on_ack: bool = False
    kill_wanted: bool = False
    acknowledged: bytes | None = None  # the update that was acknowledged last
    shown: tuple[mesos.Task, bytes] | None = field(default=None, compare=False)  # by views.pieces

    @property
    def key(self) -> TaskKey:
        """(framework id, task id)."""
        return self.task.framework_id.value, self.task.task_id.value


@dataclass(slots=True)
class Offer:
    """Resources held out to a framework for a role. `resources` are without allocation."""

    id: str
    framework: str
    agent: str
    role: str
    resources: Resources
    made_at: float


@dataclass(slots=True)
class InverseOffer:
    """A framework is asked to leave an agent before it is unavailable."""

    id: str
    framework: str
    agent: str
    unavailability: mesos.Unavailability
    made_at: float


@dataclass(slots=True)
class Outage:
    """What is planned for an agent's machine, and what frameworks say to it, by their ids."""

    unavailability: mesos.Unavailability
    asked: dict[str, InverseOffer] = field(default_factory=dict)
    answers: dict[str, mesos.InverseOfferStatus] = field(default_factory=dict)
    quiet_until: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class ExecutorRecord:
    """An executor on an agent, and what it holds besides its tasks."""

    info: mesos.ExecutorInfo
    resources: Resources
    role: str


def _with_roles(holders: "Iterable[TaskRecord | ExecutorRecord | Offer]") -> Resources:
    return sum_of(each.resources.allocated_to(each.role) for each in holders)


@dataclass(slots=True)
class Agent:
    """A registered agent. `stream` is None while its connection is broken.

    A shared volume is in `total` once, in `used` as often as it is used.
    """

    id: str
    info: mesos.AgentInfo
    total: Resources
    version: str
    pid: str
    registered_at: float
    capabilities: tuple[str, ...] = ()
    reregistered_at: float | None = None
    stream: str | None = None
    stream_id: str = ""
    is_active: bool = True
    drain: mesos.DrainInfo | None = None
    drain_began_at: float | None = None
    outage: Outage | None = None
    missed_pings: int = 0
    used: Resources = field(default_factory=Resources)
    offered: Resources = field(default_factory=Resources)
    tasks: dict[TaskKey, TaskRecord] = field(default_factory=dict)
    executors: dict[tuple[str, str], ExecutorRecord] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    operations: dict[bytes, mesos.OperationRecord] = field(default_factory=dict)
    slot: Slot | None = None  # made by the first cycle that sees it
    shown: tuple[Any, bytes] | None = field(default=None, compare=False)  # as above
    told: tuple[Any, str, dict[Any, bytes]] | None = None  # belongs to offer_messages
    _free: tuple[Resources, Resources, Resources, Resources, Resources] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether its stream is open."""
        return self.stream is not None

    @property
    def machine(self) -> Key:
        """The machine it is on: its host name and the address it calls from."""
        address = self.pid.partition("@")[2].rpartition(":")[0]
        return key_of(mesos.MachineID(hostname=self.info.hostname, ip=address))

    @property
    def payers(self) -> tuple[str, ...]:
        """The roles that pay for what is used and offered, each once."""
        roles = {each.role: None for each in self.tasks.values() if each.holds_resources}
        roles |= {executor.role: None for executor in self.executors.values()}
        roles |= {offer.role: None for offer in self.offers.values()}
        return tuple(roles)

    def by_payer(self) -> tuple[Resources, Resources]:
        """What is used and what is offered, each part allocated to the role that pays for it."""
        payers = self.payers
        if len(payers) == 1:
            return self.used.allocated_to(payers[0]), self.offered.allocated_to(payers[0])
        used = [each for each in self.tasks.values() if each.holds_resources]
        return _with_roles((*used, *self.executors.values())), _with_roles(self.offers.values())

    @property
    def free(self) -> Resources:
        """What nobody uses and nobody is offered, and the shared volumes, which all may use.

        It is the same object until one of the three changes.

        Resources never change, so that they are the same says all.
        """
        known = self._free
        if (
            known is None
            or known[1] is not self.total
            or known[2] is not self.used
            or known[3] is not self.offered
        ):
            same_total = known is not None and known[1] is self.total
            shared = known[4] if same_total and known is not None else self.total.shared()
            free = self.total - self.used - self.offered
            if shared:
                free = free.non_shared() + shared
            known = self._free = (free, self.total, self.used, self.offered, shared)
        return known[0]

    @property
    def has_gpus(self) -> bool:
        """Whether GPUs are among its resources."""
        return self.total.scalar("gpus") > 0


class AgentValues(NamedTuple):
    """What is shown of an agent, in the names of `Agent`; none of it changes in place."""

    id: str
    info: mesos.AgentInfo
    total: Resources
    version: str
    pid: str
    registered_at: float
    capabilities: tuple[str, ...]
    reregistered_at: float | None
    is_connected: bool
    is_active: bool
    drain: mesos.DrainInfo | None
    drain_began_at: float | None
    used: Resources
    offered: Resources


_values_of_agent = attrgetter(*AgentValues._fields)


def values_of(agent: Agent) -> AgentValues:
    """What may be shown of an agent later, as it is now."""
    return AgentValues._make(_values_of_agent(agent))


@dataclass(slots=True)
class Framework:
    """A framework. `is_recovered`: known from agents or the registry, not subscribed since."""

    id: str
    info: mesos.FrameworkInfo
    registered_at: float
    reregistered_at: float | None = None
    unregistered_at: float = 0.0
    stream: str | None = None
    stream_id: str = ""
    media: Media = Media.JSON  # what its stream is written in
    is_recovered: bool = False
    is_removed: bool = False  # it may not come back, and ends once that is durable
    subscribing: int = 0  # SUBSCRIBE calls that wait for the registry
    suppressed: dict[str, None] = field(default_factory=dict)
    offer_constraints: mesos.OfferConstraints | None = None
    constraints: Mapping[str, RoleConstraint] = field(default_factory=dict)  # the same, compiled
    tasks: dict[str, TaskRecord] = field(default_factory=dict)
    unreachable: dict[str, TaskRecord] = field(default_factory=dict)
    completed: deque[TaskRecord] = field(default_factory=deque)
    offers: dict[str, Offer] = field(default_factory=dict)
    inverse_offers: dict[str, InverseOffer] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    operations: dict[str, mesos.OperationRecord] = field(default_factory=dict)  # those with an id
    unanswered: dict[str, scheduler.ReconcileTask | None] = field(default_factory=dict)
    executors: dict[tuple[str, str], ExecutorRecord] = field(default_factory=dict)  # by agent
    charges: int = 0  # changes of what its tasks and executors hold
    _known: tuple[mesos.FrameworkInfo, frozenset[str], tuple[str, ...]] | None = None
    _used: tuple[int, Resources] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether its stream is open."""
        return self.stream is not None

    def count(self, name: str, by: int = 1) -> None:
        """Raise a counter of its metrics."""
        self.counts[name] = self.counts.get(name, 0) + by

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles it subscribed to."""
        return self._read_info()[2]

    def has(self, capability: str) -> bool:
        """Whether it declared a capability."""
        return capability in self._read_info()[1]

    def _read_info(self) -> tuple[mesos.FrameworkInfo, frozenset[str], tuple[str, ...]]:
        """What is asked of `info` all the time; that is replaced, never changed in place."""
        known, info = self._known, self.info
        if known is None or known[0] is not info:
            able = frozenset(declared.type or "" for declared in info.capabilities)
            roles = tuple(info.roles) if "MULTI_ROLE" in able else (info.role or "*",)
            known = self._known = (info, able, roles)
        return known

    @property
    def used(self) -> Resources:
        """What its tasks and executors hold."""
        known = self._used
        if known is None or known[0] != self.charges:
            held = [record.resources for record in self.tasks.values() if record.holds_resources]
            held += [executor.resources for executor in self.executors.values()]
            known = self._used = (self.charges, sum_of(held))
        return known[1]

    @property
    def offered(self) -> Resources:
        """What its offers hold."""
        return sum_of(offer.resources for offer in self.offers.values())


@dataclass(slots=True)
class State:
    """Everything."""

    agents: dict[str, Agent] = field(default_factory=dict)
    recovered: dict[str, mesos.AgentInfo] = field(default_factory=dict)
    unreachable: dict[str, float] = field(default_factory=dict)  # agent id -> since
    gone: dict[str, float] = field(default_factory=dict)
    frameworks: dict[str, Framework] = field(default_factory=dict)
    completed: dict[str, Framework] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    inverse_offers: dict[str, InverseOffer] = field(default_factory=dict)
    maintenance: Maintenance = field(default_factory=Maintenance)
    machines: dict[Key, tuple[mesos.MachineID, mesos.Unavailability, Mode]] = field(
        default_factory=dict
    )
    removals: dict[str, None] = field(default_factory=dict)  # agents that wait to be given up
    next_removal_at: float = 0.0
    recovered_count: int = 0  # agents of earlier leaders, at first
    relieved: dict[str, None] = field(default_factory=dict)  # agents that drain and lost a task
    outages: dict[str, None] = field(default_factory=dict)  # agents that have one
    streams: dict[str, tuple[str, str]] = field(default_factory=dict)  # stream -> (kind, id)
    counters: dict[str, int] = field(default_factory=dict)
    _by_pid: dict[str, dict[str, None]] = field(default_factory=dict)  # address -> agent ids

    def add_agent(self, agent: Agent) -> None:
        """Take an agent into the books."""
        self.agents[agent.id] = agent
        self._by_pid.setdefault(agent.pid, {})[agent.id] = None

    def drop_agent(self, agent: Agent) -> None:
        """Take it out of them."""
        del self.agents[agent.id]
        there = self._by_pid[agent.pid]
        del there[agent.id]
        if not there:
            del self._by_pid[agent.pid]

    def agents_at(self, pid: str) -> list[Agent]:
        """The agents registered at an address; more than one only for a moment."""
        return [self.agents[agent_id] for agent_id in self._by_pid.get(pid, ())]

    def count(self, name: str, by: int = 1) -> None:
        """Raise a counter of the metrics."""
        self.counters[name] = self.counters.get(name, 0) + by
