"""A framework as they are written for Mesos: keeps a number of tasks running, and a book of them.

It holds the production client half (`framework.client`). Its book is durable at once, as if in a
database of its own; everything else a crash takes from it. Profiles say which capabilities, roles
and habits it has.
"""

import msgspec

from mesosphere.framework.client import (
    ClientConfig,
    FrameworkClient,
    Happening,
    Refused,
    Subscribed,
)
from mesosphere.kernel.effects import Effect, Halt, SetTimer
from mesosphere.kernel.events import Event, StopRequested, TimerFired
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.ids import IdSource
from mesosphere.simulation.launching import Kind, launch, room
from mesosphere.wire import mesos
from mesosphere.wire.mesos import scheduler
from mesosphere.wire.mesos.enums import is_terminal

LOOK_TIMER = "look"
LOOK_S = 5.0
LOOKS_PER_RECONCILIATION = 12
TASKS_PER_OFFER = 3
REFUSAL_S = 20.0
SHUTDOWN_CHANCE = 0.2
"""That an executor without tasks is ended at a look."""

AWAY = "TASK_UNREACHABLE"


class Profile(msgspec.Struct, frozen=True):
    """What kind of framework it is."""

    name: str
    roles: tuple[str, ...] = ("*",)
    capabilities: tuple[str, ...] = ()
    checkpoint: bool = True
    failover_timeout_s: float = 604_800.0
    command: str = "serve"
    wanted: int = 8
    kind: Kind = Kind.COMMAND


class Known(msgspec.Struct):
    """A task in the book."""

    agent_id: str
    executor: str
    state: str = "TASK_STAGING"


class Book:
    """What a framework remembers whatever happens to it. `lives`: each with an id of its own."""

    def __init__(self, wanted: int) -> None:
        self.framework_id: str | None = None
        self.wanted = wanted
        self.count = 0
        self.lives = 1
        self.tasks: dict[str, Known] = {}
        self.executors: dict[str, str] = {}  # that take tasks, by agent
        self.leaving: dict[str, str] = {}  # that must end or have ended, with their agents

    def open(self) -> dict[str, Known]:
        """Tasks that have not ended."""
        return {name: task for name, task in self.tasks.items() if not is_terminal(task.state)}

    def active(self) -> dict[str, Known]:
        """Tasks that run, or are about to."""
        return {name: task for name, task in self.open().items() if task.state != AWAY}

    def groups(self) -> dict[str, list[bool]]:
        """Which tasks of each executor run, of those that did not finish and are not away."""
        found: dict[str, list[bool]] = {}
        for task in self.tasks.values():
            if task.state not in ("TASK_FINISHED", AWAY):
                found.setdefault(task.executor, []).append(not is_terminal(task.state))
        return found

    def begin_anew(self) -> None:
        """The framework was removed: its tasks are no longer its own."""
        self.framework_id = None
        self.lives += 1
        self.tasks.clear()
        self.executors.clear()
        self.leaving.clear()

    def dismiss(self, executor: str, agent_id: str) -> None:
        """An executor gets no more tasks."""
        if self.executors.get(agent_id) == executor:
            del self.executors[agent_id]
            self.leaving[executor] = agent_id


class SchedulerMachine:
    """See the module."""

    def __init__(self, profile: Profile, book: Book, master: str, ids: IdSource) -> None:
        self.profile = profile
        self.book = book
        self._ids = ids
        self._looks = 0
        self._is_suppressed = False
        self.client = FrameworkClient(ClientConfig(master=master, info=_info(profile)), ids)

    def start(self, now: float) -> list[Effect]:
        """Subscribe, and look at the book now and then."""
        return [*self.client.start(self.book.framework_id), SetTimer(LOOK_TIMER, LOOK_S)]

    def handle(self, now: float, event: Event) -> list[Effect]:
        """Take one event."""
        if self.client.owns(event):
            effects, happenings = self.client.handle(now, event)
            for happening in happenings:
                effects = [*effects, *self._happened(happening)]
            return effects
        if isinstance(event, TimerFired):
            return [*self._look(), SetTimer(LOOK_TIMER, LOOK_S)]
        if isinstance(event, StopRequested):
            return [Halt(ExitCode.CLEAN, "asked to end")]
        return []

    def _happened(self, happening: Happening) -> list[Effect]:
        if isinstance(happening, Subscribed):
            self.book.framework_id = happening.framework_id
            self._is_suppressed = False
            return self.reconcile()
        if isinstance(happening, Refused) and happening.for_good:
            # A subscription of its own that was late has taken over, or it was removed.
            if "removed" in happening.message:
                self.book.begin_anew()
            return [Halt(ExitCode.FRAMEWORK_REFUSED, happening.message)]
        if not isinstance(happening, scheduler.Event):
            return []
        if happening.offers is not None:
            return [e for offer in happening.offers.offers for e in self._take_offer(offer)]
        if happening.update is not None:
            return self._take_update(happening.update.status)
        if happening.failure is not None:
            self._take_failure(happening.failure)
        if happening.inverse_offers is not None:
            asked = [offer.id.value for offer in happening.inverse_offers.inverse_offers]
            accept = self._ids.fraction() < 0.5
            return self.client.answer_inverse(asked, accept, REFUSAL_S)
        return []

    # --- offers -----------------------------------------------------------------------------

    def _take_offer(self, offer: mesos.Offer) -> list[Effect]:
        profile, book = self.profile, self.book
        missing = book.wanted - len(book.active())
        executor = f"{profile.name}.{book.lives}.from-{book.count}"
        if profile.kind is Kind.CUSTOM:
            executor = book.executors.get(offer.agent_id.value, executor)
        count = min(missing, room(offer, profile.kind, executor), TASKS_PER_OFFER)
        if count <= 0:
            return self.client.decline([offer.id.value], REFUSAL_S)
        names = [self._enter(offer, executor) for _ in range(count)]
        if profile.kind is Kind.CUSTOM:
            book.executors[offer.agent_id.value] = executor
        operation = launch(offer, profile.kind, executor, names, profile.command)
        return self.client.accept([offer.id.value], [operation], refuse_s=1.0)

    def _enter(self, offer: mesos.Offer, executor: str) -> str:
        name = f"{self.profile.name}.{self.book.lives}.{self.book.count}"
        self.book.count += 1
        self.book.tasks[name] = Known(offer.agent_id.value, executor)
        return name

    # --- tasks ------------------------------------------------------------------------------

    def _take_update(self, status: mesos.TaskStatus) -> list[Effect]:
        task = self.book.tasks.get(status.task_id.value)
        # What was lost may come back to life; what ended otherwise may not.
        if task is not None and (not is_terminal(task.state) or task.state == "TASK_LOST"):
            task.state = status.state
            if status.state == "TASK_UNKNOWN":
                task.state = "TASK_LOST"  # the master knows nothing of it: it never came there
            if status.reason == "REASON_EXECUTOR_TERMINATED":
                self.book.dismiss(task.executor, task.agent_id)
        return self.client.acknowledge(status)

    def _take_failure(self, failure: scheduler.Failure) -> None:
        if failure.executor_id is not None and failure.agent_id is not None:
            self.book.dismiss(failure.executor_id.value, failure.agent_id.value)
            self.book.leaving.pop(failure.executor_id.value, None)

    def reconcile(self) -> list[Effect]:
        """Ask for everything that has not ended, by name and then in general."""
        asked = {name: task.agent_id for name, task in self.book.open().items()}
        explicit = self.client.reconcile(asked) if asked else []
        return [*explicit, *self.client.reconcile({})]

    def _look(self) -> list[Effect]:
        self._looks += 1
        effects: list[Effect] = []
        active = list(self.book.active())
        for name in active[self.book.wanted :]:
            effects += self.client.kill(name)
        effects += self._end_idle_executors()
        is_content = len(active) >= self.book.wanted
        if self.client.is_subscribed and is_content != self._is_suppressed:
            self._is_suppressed = is_content
            effects += self.client.suppress() if is_content else self.client.revive()
        if self._looks % LOOKS_PER_RECONCILIATION == 0:
            effects += self.reconcile()
        return effects

    def _end_idle_executors(self) -> list[Effect]:
        """SHUTDOWN for those without tasks, until their end is heard."""
        busy = dict.fromkeys(task.executor for task in self.book.open().values())
        for agent, executor in list(self.book.executors.items()):
            if executor not in busy and self._ids.fraction() < SHUTDOWN_CHANCE:
                self.book.dismiss(executor, agent)
        effects: list[Effect] = []
        for executor, agent in self.book.leaving.items():
            body = scheduler.Shutdown(
                executor_id=mesos.ExecutorID(executor), agent_id=mesos.AgentID(agent)
            )
            effects += self.client.send(scheduler.Call(type="SHUTDOWN", shutdown=body))
        return effects


def _info(profile: Profile) -> mesos.FrameworkInfo:
    is_multi = "MULTI_ROLE" in profile.capabilities
    return mesos.FrameworkInfo(
        user="root",
        name=profile.name,
        role=None if is_multi else profile.roles[0],
        roles=list(profile.roles) if is_multi else [],
        checkpoint=profile.checkpoint,
        failover_timeout=profile.failover_timeout_s,
        capabilities=[mesos.FrameworkCapability(type=name) for name in profile.capabilities],
    )
