"""Keeps one framework subscribed to the leading master and carries its calls.

Decides: where to subscribe, when to try again, what was lost on the way, what to reconcile.
It is a part of a machine: Marathon's and Chronos's machines hold one, hand it the events that it
`owns`, perform its effects and act on its happenings.

Vocabulary: a *happening* is what the holder must know: an Event of the scheduler API as it came
(OFFERS, RESCIND, UPDATE, FAILURE, MESSAGE, ...), or `Subscribed`, `Lost`, `Refused`, `CallLost`.

Invariants: at most one stream; calls only while subscribed and in order (`framework.calls`);
every task of a launch that may not have arrived is reconciled; offers die with the subscription.

Source: Mesos, "Scheduler HTTP API", "Task reconciliation"; src/scheduler/scheduler.cpp (back-off).
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from mesosphere.framework.addresses import master_url, redirect_url
from mesosphere.framework.calls import Outbox, Queued
from mesosphere.framework.happenings import CallLost, Lost, Refused, Subscribed
from mesosphere.framework.link import LINK, Action, Input, Link
from mesosphere.framework.reconciliation import Reconciliation
from mesosphere.framework.repeats import REPEAT_S, REPEAT_TIMER, Repeats
from mesosphere.kernel.effects import (
    CancelTimer,
    Connect,
    Detect,
    Disconnect,
    Effect,
    Log,
    SetTimer,
)
from mesosphere.kernel.events import (
    CallAnswered,
    CallFailed,
    Connected,
    Disconnected,
    Event,
    LeaderChanged,
    Received,
    TimerFired,
)
from mesosphere.kernel.ids import IdSource
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import (
    AgentID,
    DurationInfo,
    Filters,
    FrameworkID,
    FrameworkInfo,
    KillPolicy,
    OfferID,
    Operation,
    TaskID,
    TaskStatus,
    codec,
    scheduler,
)

PREFIX = "framework/"
STREAM = "framework/stream"
RETRY_TIMER = "framework/retry"
RECONCILE_TIMER = "framework/reconcile"
LEADER_LABEL = "json.info_"
API_PATH = "/api/v1/scheduler"

BACKOFF_FIRST_S = 0.5
BACKOFF_LIMIT_S = 15.0
REDIRECT_LIMIT = 5
"""Redirects followed without a pause; more mean that the masters disagree on who leads."""

HEARTBEATS_MISSED = 5
"""The stream is dead after so many heartbeat intervals of 15 s without a byte."""

REFUSED_FOR_GOOD = ("Framework has been removed", "Framework failed over")


class ClientConfig(msgspec.Struct, frozen=True):
    """`master` is "zk://hosts/path" or "host:port"; `info` without an id."""

    master: str
    info: FrameworkInfo
    suppressed_roles: tuple[str, ...] = ()


__all__ = [
    "CallLost", "ClientConfig", "FrameworkClient", "Happening", "Lost", "Refused", "Subscribed",
    "master_url",
]  # fmt: skip

Happening = scheduler.Event | Subscribed | Lost | Refused | CallLost
Result = tuple[list[Effect], list[Happening]]


class FrameworkClient:
    """See the module. Calls return effects; `handle` returns effects and happenings."""

    def __init__(self, config: ClientConfig, ids: IdSource) -> None:
        self.config = config
        self.framework_id: str | None = None
        self.link = Link.IDLE
        self.master_url: str | None = None
        self._ids = ids
        self._outbox = Outbox("framework/call/")
        self._reconciliation = Reconciliation()
        self._failures = 0
        self._redirects = 0
        self._leader_url: str | None = None  # what detection says; redirects may lead elsewhere
        self._reason = ""
        self._repeats = Repeats()
        self._refusal = Refused("", for_good=False)

    @property
    def is_subscribed(self) -> bool:
        """Whether calls reach a master now."""
        return self.link is Link.SUBSCRIBED

    # --- the subscription -------------------------------------------------------------------

    def start(self, framework_id: str | None) -> list[Effect]:
        """Detect the leader and subscribe, under an id that was given earlier if there is one."""
        self.framework_id = framework_id
        return self._step(Input.START)[0]

    def stop(self) -> list[Effect]:
        """Leave the stream without tearing the framework down (standby, clean end)."""
        return [
            *self._step(Input.STOP)[0],
            CancelTimer(RETRY_TIMER),
            CancelTimer(RECONCILE_TIMER),
            CancelTimer(REPEAT_TIMER),
        ]

    def owns(self, event: Event) -> bool:
        """Whether `handle` must get this event."""
        if isinstance(event, LeaderChanged):
            return event.group == self.config.master
        if isinstance(event, TimerFired):
            return event.name.startswith(PREFIX)
        if isinstance(event, Connected | Received | Disconnected):
            return event.stream == STREAM
        if isinstance(event, CallAnswered | CallFailed):
            return event.call.startswith(PREFIX)
        return False

    def handle(self, now: float, event: Event) -> Result:
        """Take an event that it owns."""
        handler = _HANDLERS[type(event)]
        return handler(self, event)

    def _step(self, given: Input) -> Result:
        step = LINK.step(self.link, given)
        if step is None:
            return [], []
        self.link = step.state
        effects: list[Effect] = []
        happenings: list[Happening] = []
        for action in step.actions:
            more, happened = _ACTIONS[action](self)
            effects += more
            happenings += happened
        return effects, happenings

    # --- actions of the link table ----------------------------------------------------------

    def _detect(self) -> Result:
        return [Detect(self.config.master, LEADER_LABEL)], []

    def _connect(self) -> Result:
        subscribe = scheduler.Subscribe(
            framework_info=self._info(), suppressed_roles=list(self.config.suppressed_roles)
        )
        call = scheduler.Call(
            type="SUBSCRIBE", framework_id=self._framework_id(), subscribe=subscribe
        )
        return [
            CancelTimer(RETRY_TIMER),
            Connect(
                stream=STREAM,
                url=f"{self.master_url}{API_PATH}",
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                body=codec.encode(call),
                framing="recordio",
                idle_s=15.0 * HEARTBEATS_MISSED,
            ),
        ], []

    def _disconnect(self) -> Result:
        return [Disconnect(STREAM), CancelTimer(RETRY_TIMER)], []

    def _back_off(self) -> Result:
        ceiling_s = min(BACKOFF_FIRST_S * 2 ** min(self._failures, 10), BACKOFF_LIMIT_S)
        self._failures += 1
        self._redirects = 0
        self.master_url = self._leader_url
        delay_s = ceiling_s * (0.5 + self._ids.fraction() / 2)
        return [
            Log("warning", "subscription_failed", {"reason": self._reason, "retry_s": delay_s}),
            SetTimer(RETRY_TIMER, delay_s),
        ], []

    def _forget_stream(self) -> Result:
        happenings: list[Happening] = []
        for queued in self._outbox.close():
            happenings += self._lose(queued, "the subscription ended", definite=False)
        self._repeats.forget()
        return [CancelTimer(RECONCILE_TIMER), CancelTimer(REPEAT_TIMER)], happenings

    def _report_lost(self) -> Result:
        return [], [Lost(self._reason)]

    def _report_refused(self) -> Result:
        return [Log("error", "framework_refused", {"reason": self._refusal.message})], [
            self._refusal
        ]

    def _report_subscribed(self) -> Result:
        self._failures = 0
        self._redirects = 0
        return self._ask_again(), [Subscribed(self.framework_id or "", self.master_url or "")]

    # --- events -----------------------------------------------------------------------------

    def _leader_changed(self, event: LeaderChanged) -> Result:
        url = master_url(event.payload)
        if url is None:
            self._leader_url = None
            self._reason = "no master leads"
            return self._step(Input.NO_LEADER)
        if self.link is Link.SUBSCRIBED and url in (self._leader_url, self.master_url):
            # What detection says now, a redirect may have told before.
            self._leader_url = url
            return [], []
        self._leader_url = self.master_url = url
        self._redirects = 0
        self._reason = f"the leading master is now {url}"
        return self._step(Input.LEADER)

    def _connected(self, event: Connected) -> Result:
        if self.link is not Link.CONNECTING:
            return [], []
        if event.status == 200:
            self._outbox.open(
                f"{self.master_url}{API_PATH}", event.headers.get("mesos-stream-id", "")
            )
            return self._step(Input.HEADERS)
        text = event.body[:500].decode("utf-8", "replace").strip()
        self._reason = f"{self.master_url} answered {event.status}: {text}"
        location = redirect_url(event.headers.get("location", ""))
        if event.status in (301, 302, 303, 307, 308) and location:
            self._redirects += 1
            if self._redirects <= REDIRECT_LIMIT:
                self.master_url = location
                return self._step(Input.REDIRECT)
        if event.status in (400, 401, 403):
            self._refusal = Refused(self._reason, for_good=False)
            return self._step(Input.REFUSE)
        return self._step(Input.BREAK)

    def _received(self, event: Received) -> Result:
        try:
            record = codec.decode(event.record, scheduler.Event)
        except WireError as error:
            self._reason = f"unreadable record: {error}"
            return self._step(Input.BREAK)
        if record.type == "HEARTBEAT":
            return [], []
        if record.type == "SUBSCRIBED" and record.subscribed is not None:
            self.framework_id = record.subscribed.framework_id.value
            return self._step(Input.WELCOME)
        if record.type == "ERROR" and record.error is not None:
            message = record.error.message
            for_good = any(message.startswith(known) for known in REFUSED_FOR_GOOD)
            self._reason = message
            self._refusal = Refused(message, for_good)
            return self._step(Input.REFUSE)
        if self.link is not Link.SUBSCRIBED:
            return [], []
        if record.type == "UPDATE" and record.update is not None:
            self._reconciliation.answered(record.update.status.task_id.value)
        return [], [record]

    def _disconnected(self, event: Disconnected) -> Result:
        self._reason = event.reason
        return self._step(Input.BREAK)

    def _timer_fired(self, event: TimerFired) -> Result:
        if event.name == REPEAT_TIMER:
            return [effect for call in self._repeats.take() for effect in self._send(call)], []
        if event.name == RETRY_TIMER:
            return self._step(Input.RETRY)
        if self.link is Link.SUBSCRIBED:
            return self._ask_again(), []
        return [], []

    def _call_answered(self, event: CallAnswered) -> Result:
        queued, effects = self._outbox.settle(event.call)
        if queued is None or event.status in (200, 202):
            return effects, []
        reason = f"{event.status}: {event.body[:500].decode('utf-8', 'replace').strip()}"
        happenings = self._lose(queued, reason, definite=True)
        effects = [*effects, Log("warning", "call_refused", {"call": event.call, "reason": reason})]
        # The master no longer knows this subscription; waiting for the stream to notice costs 75 s.
        if event.status in (403, 503) or (event.status == 400 and "cannot be found" in reason):
            self._reason = f"{queued.call.type} was refused: {reason}"
            more, happened = self._step(Input.BREAK)
            return [*effects, *more], [*happenings, *happened]
        if queued.call.type == "DECLINE":
            return effects, happenings  # it did arrive
        return [*effects, *self._repeat(queued)], happenings

    def _call_failed(self, event: CallFailed) -> Result:
        queued, effects = self._outbox.settle(event.call)
        if queued is None:
            return effects, []
        happenings = self._lose(queued, event.reason, event.definite)
        return [
            *effects,
            Log("warning", "call_failed", {"call": event.call, "reason": event.reason}),
            *self._repeat(queued),
        ], happenings

    def _lose(self, queued: Queued, reason: str, definite: bool) -> list[Happening]:
        if queued.tasks:
            self._reconciliation.ask(dict.fromkeys(queued.tasks))
        if queued.call.type in ("ACKNOWLEDGE", "ACKNOWLEDGE_OPERATION_STATUS"):
            return []  # the agent repeats the update
        return [CallLost(queued.call.type, queued.tasks, reason, definite)]

    # --- calls ------------------------------------------------------------------------------

    def accept(
        self,
        offer_ids: Sequence[str],
        operations: Sequence[Operation],
        refuse_s: float | None = None,
    ) -> list[Effect]:
        """ACCEPT offers of one agent; without operations it declines them with a filter."""
        tasks = tuple(
            task.task_id.value
            for operation in operations
            if operation.launch is not None
            for task in operation.launch.task_infos
        ) + tuple(
            task.task_id.value
            for operation in operations
            if operation.launch_group is not None
            for task in operation.launch_group.task_group.tasks
        )
        body = scheduler.Accept(
            offer_ids=[OfferID(value=offer) for offer in offer_ids],
            operations=list(operations),
            filters=_filters(refuse_s),
        )
        return self._send(scheduler.Call(type="ACCEPT", accept=body), tasks)

    def decline(self, offer_ids: Sequence[str], refuse_s: float | None = None) -> list[Effect]:
        """DECLINE offers; `refuse_s` None leaves Mesos's default of 5 s."""
        body = scheduler.Decline(
            offer_ids=[OfferID(value=offer) for offer in offer_ids], filters=_filters(refuse_s)
        )
        return self._send(scheduler.Call(type="DECLINE", decline=body))

    def answer_inverse(self, offers: Sequence[str], accept: bool, refuse_s: float) -> list[Effect]:
        """Say yes or no to leaving agents before they are unavailable."""
        ids, filters = [OfferID(value=offer) for offer in offers], _filters(refuse_s)
        yes = scheduler.AcceptInverseOffers(inverse_offer_ids=ids, filters=filters)
        no = scheduler.DeclineInverseOffers(inverse_offer_ids=ids, filters=filters)
        if accept:
            return self._send(
                scheduler.Call(type="ACCEPT_INVERSE_OFFERS", accept_inverse_offers=yes)
            )
        return self._send(scheduler.Call(type="DECLINE_INVERSE_OFFERS", decline_inverse_offers=no))

    def kill(
        self, task_id: str, agent_id: str | None = None, grace_s: float | None = None
    ) -> list[Effect]:
        """KILL a task. Fire and forget: repeat it until a terminal update arrives."""
        policy = (
            None
            if grace_s is None
            else KillPolicy(grace_period=DurationInfo(nanoseconds=round(grace_s * 1e9)))
        )
        body = scheduler.Kill(
            task_id=TaskID(value=task_id),
            agent_id=None if agent_id is None else AgentID(value=agent_id),
            kill_policy=policy,
        )
        return self._send(scheduler.Call(type="KILL", kill=body))

    def acknowledge(self, status: TaskStatus) -> list[Effect]:
        """ACKNOWLEDGE an update; does nothing for one that needs none (no uuid)."""
        if not status.uuid or status.agent_id is None:
            return []
        body = scheduler.Acknowledge(
            agent_id=status.agent_id, task_id=status.task_id, uuid=status.uuid
        )
        return self._send(scheduler.Call(type="ACKNOWLEDGE", acknowledge=body))

    def send(self, call: scheduler.Call) -> list[Effect]:
        """Any other call of the scheduler API; its framework id is filled in."""
        return self._send(call)

    def reconcile(self, tasks: Mapping[str, str | None]) -> list[Effect]:
        """Ask for tasks (id -> agent id if known) until each is answered; empty: ask for all."""
        if tasks:
            self._reconciliation.ask(tasks)
            return self._ask_again() if self.is_subscribed else []
        return self._send(scheduler.Call(type="RECONCILE", reconcile=scheduler.Reconcile(tasks=[])))

    def revive(self, roles: Sequence[str] = ()) -> list[Effect]:
        """REVIVE: clear filters and suppression, for the roles or for all."""
        body = scheduler.Revive(roles=list(roles))
        return self._send_wish(scheduler.Call(type="REVIVE", revive=body))

    def suppress(self, roles: Sequence[str] = ()) -> list[Effect]:
        """SUPPRESS: no offers until REVIVE, for the roles or for all."""
        body = scheduler.Suppress(roles=list(roles))
        return self._send_wish(scheduler.Call(type="SUPPRESS", suppress=body))

    def _send_wish(self, call: scheduler.Call) -> list[Effect]:
        if self.link is not Link.SUBSCRIBED:
            return []
        self._repeats.wish(call)
        return self._send(call)

    def _repeat(self, lost: Queued) -> list[Effect]:
        """Arm what is said or asked again after a call that may not have arrived."""
        if not self._repeats.lost(lost.call):
            return self._arm_reconciliation()
        return [SetTimer(REPEAT_TIMER, REPEAT_S), *self._arm_reconciliation()]

    def teardown(self) -> list[Effect]:
        """TEARDOWN: remove the framework and kill all of its tasks."""
        return self._send(scheduler.Call(type="TEARDOWN"))

    def _send(self, call: scheduler.Call, tasks: tuple[str, ...] = ()) -> list[Effect]:
        if self.link is not Link.SUBSCRIBED:
            if tasks:
                self._reconciliation.ask(dict.fromkeys(tasks))
            return []
        call = msgspec.structs.replace(call, framework_id=self._framework_id())
        effects, dropped = self._outbox.send(Queued(call, tasks))
        for queued in dropped:
            self._lose(queued, "the queue of calls is full", definite=True)
            effects = [*effects, *self._repeat(queued)]
        return effects

    def _ask_again(self) -> list[Effect]:
        effects: list[Effect] = []
        for batch in self._reconciliation.batches():
            asked = [
                scheduler.ReconcileTask(
                    task_id=TaskID(value=task_id),
                    agent_id=None if agent_id is None else AgentID(value=agent_id),
                )
                for task_id, agent_id in batch
            ]
            effects += self._send(
                scheduler.Call(type="RECONCILE", reconcile=scheduler.Reconcile(tasks=asked))
            )
        return [*effects, *self._arm_reconciliation()]

    def _arm_reconciliation(self) -> list[Effect]:
        delay_s = self._reconciliation.next_delay_s(self._ids.fraction())
        return [] if delay_s is None else [SetTimer(RECONCILE_TIMER, delay_s)]

    def _framework_id(self) -> FrameworkID | None:
        return None if self.framework_id is None else FrameworkID(value=self.framework_id)

    def _info(self) -> FrameworkInfo:
        return msgspec.structs.replace(self.config.info, id=self._framework_id())


_ACTIONS: Mapping[Action, Callable[[FrameworkClient], Result]] = {
    Action.DETECT: FrameworkClient._detect,
    Action.CONNECT: FrameworkClient._connect,
    Action.DISCONNECT: FrameworkClient._disconnect,
    Action.BACK_OFF: FrameworkClient._back_off,
    Action.FORGET_STREAM: FrameworkClient._forget_stream,
    Action.REPORT_LOST: FrameworkClient._report_lost,
    Action.REPORT_REFUSED: FrameworkClient._report_refused,
    Action.REPORT_SUBSCRIBED: FrameworkClient._report_subscribed,
}

_HANDLERS: Mapping[type[Event], Callable[..., Result]] = {
    LeaderChanged: FrameworkClient._leader_changed,
    Connected: FrameworkClient._connected,
    Received: FrameworkClient._received,
    Disconnected: FrameworkClient._disconnected,
    TimerFired: FrameworkClient._timer_fired,
    CallAnswered: FrameworkClient._call_answered,
    CallFailed: FrameworkClient._call_failed,
}


def _filters(refuse_s: float | None) -> Filters | None:
    return None if refuse_s is None else Filters(refuse_seconds=refuse_s)
