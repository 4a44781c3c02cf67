"""Chronos: runs jobs on their schedule, after their parents, and on demand.

Decides: who leads, when a job is due, which offer it gets, what an update means for it, when it is
tried again. Vocabulary: the *book* is the durable state (`core.state`), a *run* one execution, a
*task* its Mesos task.

Invariants: only the leader of a live session changes the book (each transaction is fenced by the
epoch node); nothing is answered, launched or acknowledged before it is durable; a non-concurrent
job has one task at a time, also after a change of leader; a job is queued at most once.

Source: Chronos, JobScheduler, TaskManager, MesosJobFramework; scheduler API of Mesos.
"""

from collections.abc import Callable, Mapping

import msgspec

from mesosphere.chronos.core import commands, dispatch, outcomes
from mesosphere.chronos.core.commands import Rejected
from mesosphere.chronos.core.notifications import Channels
from mesosphere.chronos.core.state import Book
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
    CancelTimer,
    Contend,
    Effect,
    Halt,
    Load,
    Log,
    Proxy,
    Reply,
    SetTimer,
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
    Sampled,
    SessionLost,
    StopRequested,
    StreamClosed,
    TimerFired,
)
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.http import Response, json_response, text_response
from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.ledger import EPOCH
from mesosphere.wire.chronos import Defaults
from mesosphere.wire.mesos import scheduler

WAKE_TIMER = "chronos/wake"
RECONCILE_TIMER = "chronos/reconcile"
KILL_TIMER = "chronos/kill"

KILL_REPEAT_S = 10.0
"""A kill is asked for again until the task has ended."""

HISTORY_LIMIT = 50


class ChronosConfig(msgspec.Struct, frozen=True):
    """`group` is where leaders contend (relative to the store's root); `identity` "host:port"."""

    client: ClientConfig
    identity: str
    group: str = "/candidate"
    defaults: Defaults = Defaults()
    role: str = "*"
    failure_retry_s: float = 60.0
    disable_after_failures: int = 0
    reconciliation_interval_s: float = 600.0
    decline_s: float | None = None
    history_limit: int = 5
    channels: Channels = Channels()
    http_credentials: str | None = None  # "user:password" that every request must carry
    http_realm: str = "Mesosphere"


class ChronosMachine:
    """See the module."""

    def __init__(self, config: ChronosConfig, ids: IdSource) -> None:
        self.config = config
        self.book = Book(config.defaults)
        self.client = FrameworkClient(config.client, ids)
        self.leader: str | None = None  # "host:port" of the leader
        self.is_leader = False
        self.is_loaded = False
        self.is_suppressed = False
        self.gauges: dict[str, float] = {}
        self.counters: dict[str, int] = {}
        self.notified = 0
        self.killing: dict[str, None] = {}  # task ids to be killed until they end

    # --- life ---------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """Stand for leader."""
        config = self.config
        return [Contend(config.group, "latch-", config.identity.encode())]

    def handle(self, now: float, event: Event) -> list[Effect]:
        """Take one event."""
        if self.client.owns(event):
            effects, happenings = self.client.handle(now, event)
            for happening in happenings:
                effects = [*effects, *self._happen(now, happening)]
        else:
            effects = _HANDLERS[type(event)](self, now, event)
        if not self.is_loaded:
            return effects
        return [*effects, *self._settle(now)]

    def _settle(self, now: float) -> list[Effect]:
        """End of a step: dispatch mode, durable writes, the next alarm."""
        effects = dispatch.steer_offers(self)
        effects += self.book.ledger.flush(now)
        at = self.book.agenda.next_at()
        if at is None:
            return [*effects, CancelTimer(WAKE_TIMER)]
        return [*effects, SetTimer(WAKE_TIMER, max(at - now, 0.0) + 0.001)]

    # --- leadership ---------------------------------------------------------------------------

    def _leader_changed(self, now: float, event: LeaderChanged) -> list[Effect]:
        self.leader = event.payload.decode() if event.payload else None
        if event.mine and not self.is_leader:
            self.is_leader = True
            return [Log("info", "elected", {"identity": self.config.identity}), Load("book", "/")]
        if self.is_leader and not event.mine:
            return [Halt(ExitCode.LEADERSHIP_LOST, f"{self.leader or 'nobody'} leads now")]
        return []

    def _session_lost(self, now: float, event: SessionLost) -> list[Effect]:
        self.leader = None
        if self.is_leader:
            return [Halt(ExitCode.SESSION_LOST, event.reason)]
        return [Contend(self.config.group, "latch-", self.config.identity.encode())]

    def _loaded(self, now: float, event: Loaded) -> list[Effect]:
        version = event.entries[EPOCH][1] if EPOCH in event.entries else None
        faults = self.book.load(event.entries, now)
        # From here on every writer before us is refused.
        return [
            *(Log("error", "unreadable_entry", {"fault": fault}) for fault in faults),
            self.book.ledger.take_office(self.config.identity.encode(), version),
        ]

    def _load_failed(self, now: float, event: LoadFailed) -> list[Effect]:
        return [Halt(ExitCode.STORE_FAILED, f"the jobs can't be read: {event.reason}")]

    def _committed(self, now: float, event: Committed) -> list[Effect]:
        if self.book.ledger.is_epoch(event.token):
            return self._take_office(event.versions[EPOCH])
        return self.book.ledger.committed(now)

    def _commit_failed(self, now: float, event: CommitFailed) -> list[Effect]:
        # Whether it was refused or is in doubt: only a fresh read tells what is true.
        code = ExitCode.LEADERSHIP_LOST if event.definite else ExitCode.STORE_FAILED
        return [Halt(code, f"transaction {event.token} failed: {event.reason}")]

    def _take_office(self, version: int) -> list[Effect]:
        self.book.ledger.hold_office(version)
        self.is_loaded = True
        facts = {"jobs": len(self.book.jobs), "tasks": len(self.book.tasks)}
        return [
            Log("info", "took_office", facts),
            SetTimer(RECONCILE_TIMER, self.config.reconciliation_interval_s),
            *self.client.start(self.book.framework_id),
        ]

    def _stop(self, now: float, event: StopRequested) -> list[Effect]:
        return [*self.client.stop(), Halt(ExitCode.CLEAN, f"asked to end by {event.signal}")]

    # --- the framework ------------------------------------------------------------------------

    def _happen(self, now: float, happening: Happening) -> list[Effect]:
        if isinstance(happening, Subscribed):
            return self._subscribed(now, happening)
        if isinstance(happening, Lost):
            self.is_suppressed = False
            return [Log("warning", "subscription_lost", {"reason": happening.reason})]
        if isinstance(happening, Refused):
            return self._refused(happening)
        if isinstance(happening, CallLost):
            return []  # the client reconciles its tasks
        return self._scheduler_event(now, happening)

    def _refused(self, refusal: Refused) -> list[Effect]:
        if refusal.message.startswith("Framework failed over"):
            # Whoever subscribed in our name was elected while we did not notice.
            return [Halt(ExitCode.LEADERSHIP_LOST, refusal.message)]
        if not refusal.for_good:
            return [Halt(ExitCode.USAGE, refusal.message)]
        # The id is burnt; without it the next start registers anew and runs all jobs.
        self.book.framework_id = None
        self.book.ledger.mark("/framework_id")
        halt = Halt(ExitCode.FRAMEWORK_REFUSED, refusal.message)
        self.book.ledger.after(lambda later: [halt])
        return []

    def _subscribed(self, now: float, happening: Subscribed) -> list[Effect]:
        effects: list[Effect] = [Log("info", "subscribed", {"framework": happening.framework_id})]
        if self.book.framework_id != happening.framework_id:
            self.book.framework_id = happening.framework_id
            self.book.ledger.mark("/framework_id")
        # A subscription clears suppression and filters.
        self.is_suppressed = False
        self._reconcile()
        self.book.ledger.after(lambda later: self.client.reconcile({}))
        return [*effects, *self._kill_again()]

    def _reconcile(self) -> None:
        """Ask for our tasks; a launch that still waits for the store must reach the master first,
        or it would be told as lost and be repeated."""
        tasks = {
            identifier: self.book.runs[name].tasks[identifier].agent_id or None
            for identifier, name in self.book.tasks.items()
        }
        if tasks:
            self.book.ledger.after(lambda later: self.client.reconcile(tasks))

    def _scheduler_event(self, now: float, event: scheduler.Event) -> list[Effect]:
        if event.type == "OFFERS" and event.offers is not None:
            return dispatch.use_offers(self, now, event.offers.offers)
        if event.type == "UPDATE" and event.update is not None:
            return outcomes.take_update(self, now, event.update.status)
        if event.type == "FAILURE" and event.failure is not None:
            return []  # the updates of the tasks concerned follow
        return []

    def kill(self, identifiers: list[str]) -> list[Effect]:
        """Kill tasks, again and again until they end; launches under way go out before."""
        self.killing |= dict.fromkeys(identifiers)
        self.book.ledger.after(
            lambda later: [effect for one in identifiers for effect in self.client.kill(one)]
        )
        return [SetTimer(KILL_TIMER, KILL_REPEAT_S)] if self.killing else []

    def _kill_again(self) -> list[Effect]:
        return self.kill(list(self.killing))

    # --- timers and commands ------------------------------------------------------------------

    def _timer_fired(self, now: float, event: TimerFired) -> list[Effect]:
        if event.name == WAKE_TIMER:
            return dispatch.enqueue_due(self, now)
        if event.name == KILL_TIMER:
            return self._kill_again()
        if event.name == RECONCILE_TIMER:
            self._reconcile()
            return [SetTimer(RECONCILE_TIMER, self.config.reconciliation_interval_s)]
        return []

    def reply(self, request: str, response: Response) -> None:
        """Answer a command once what it changed is durable."""
        self.book.ledger.after(lambda now: [Reply(request, open_to_all(response))])

    def _rejected(self, request: str, rejected: Rejected) -> list[Effect]:
        return [Reply(request, open_to_all(error_response(rejected.status, rejected.message)))]

    def _job_submitted(self, now: float, event: commands.JobSubmitted) -> list[Effect]:
        try:
            commands.submit(self.book, now, event.job, event.is_legacy)
        except Rejected as rejected:
            return self._rejected(event.request, rejected)
        self.reply(event.request, NO_CONTENT)
        return [Log("info", "job_submitted", {"job": event.job.name})]

    def _run_requested(self, now: float, event: commands.RunRequested) -> list[Effect]:
        try:
            commands.run_now(self.book, now, event.name, event.arguments)
        except Rejected as rejected:
            return self._rejected(event.request, rejected)
        self.reply(event.request, NO_CONTENT)
        return []

    def _job_deleted(self, now: float, event: commands.JobDeleted) -> list[Effect]:
        try:
            job = commands.known(self.book, event.name)
            tasks = commands.delete(self.book, now, event.name)
        except Rejected as rejected:
            return self._rejected(event.request, rejected)
        self.reply(event.request, NO_CONTENT)
        message = f"[Chronos] Your job '{event.name}' was deleted!"
        outcomes.notify(self, job, message, "")
        return self.kill(tasks)

    def _success_marked(self, now: float, event: commands.SuccessMarked) -> list[Effect]:
        marked = commands.mark_success(self.book, now, event.name)
        text = f"marked job {event.name} as successful: {'true' if marked else 'false'}"
        self.reply(event.request, text_response(200, text))
        return []

    def _tasks_killed(self, now: float, event: commands.TasksKilled) -> list[Effect]:
        try:
            commands.known(self.book, event.name)
        except Rejected as rejected:
            return self._rejected(event.request, rejected)
        self.reply(event.request, NO_CONTENT)
        return self.kill(list(self.book.runs[event.name].tasks))

    def _queue_purged(self, now: float, event: commands.QueuePurged) -> list[Effect]:
        commands.purge(self.book, now)
        self.reply(event.request, NO_CONTENT)
        return [Log("info", "queue_purged", {})]

    def _progress_reported(self, now: float, event: commands.ProgressReported) -> list[Effect]:
        runs = self.book.change_runs(event.name)
        runs.elements[event.task_id] = runs.elements.get(event.task_id, 0) + event.elements
        self.reply(event.request, NO_CONTENT)
        return []

    def _proxy_needed(self, now: float, event: commands.ProxyNeeded) -> list[Effect]:
        if self.leader is None or self.leader == self.config.identity:
            text = "The leader is not known yet, or is getting ready; try again."
            return [Reply(event.request.id, open_to_all(error_response(503, text)))]
        text = f"Leadership may have changed: {self.leader} did not answer; try again."
        failure = open_to_all(error_response(500, text))
        return [Proxy(event.request.id, f"http://{self.leader}", failure)]

    def _sampled(self, now: float, event: Sampled) -> list[Effect]:
        self.gauges = event.values
        return []

    def _ignore(self, now: float, event: Event) -> list[Effect]:
        return []

    def count(self, name: str) -> None:
        """Raise a counter of the metrics."""
        self.counters[name] = self.counters.get(name, 0) + 1


NO_CONTENT = Response(204)

_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    415: "Unsupported Media Type",
    503: "Service Unavailable",
}


def error_response(status: int, message: str) -> Response:
    """Chronos's error body."""
    reason = _REASONS.get(status, "Internal Server Error")
    return json_response(status, {"status": reason, "message": message})


def open_to_all(response: Response) -> Response:
    """The answer with the header that lets pages of any origin read it, as all of them have."""
    headers = {**response.headers, "Access-Control-Allow-Origin": "*"}
    return Response(response.status, headers, response.body)


_HANDLERS: Mapping[type[Event], Callable[..., list[Effect]]] = {
    LeaderChanged: ChronosMachine._leader_changed,
    SessionLost: ChronosMachine._session_lost,
    Loaded: ChronosMachine._loaded,
    LoadFailed: ChronosMachine._load_failed,
    Committed: ChronosMachine._committed,
    CommitFailed: ChronosMachine._commit_failed,
    StopRequested: ChronosMachine._stop,
    TimerFired: ChronosMachine._timer_fired,
    Sampled: ChronosMachine._sampled,
    StreamClosed: ChronosMachine._ignore,
    CallAnswered: ChronosMachine._ignore,  # notifications: their failure is logged by the runtime
    CallFailed: ChronosMachine._ignore,
    commands.JobSubmitted: ChronosMachine._job_submitted,
    commands.RunRequested: ChronosMachine._run_requested,
    commands.JobDeleted: ChronosMachine._job_deleted,
    commands.SuccessMarked: ChronosMachine._success_marked,
    commands.TasksKilled: ChronosMachine._tasks_killed,
    commands.QueuePurged: ChronosMachine._queue_purged,
    commands.ProgressReported: ChronosMachine._progress_reported,
    commands.ProxyNeeded: ChronosMachine._proxy_needed,
}
