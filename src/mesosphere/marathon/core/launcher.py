"""Answers offers: places waiting instances, and lets go of what is not needed.

Decides which offer takes which instance, how long the rest is refused, and when to ask for offers
again. Invariants: an instance is stored before its launch is sent; offers are wanted only while
something may be launched, so that other frameworks get them; REVIVE is sent at a bounded rate.
Source: Marathon, OfferMatcherManagerActor, ReviveOffersStreamLogic, TaskLauncherActor.
"""

from collections import deque
from collections.abc import Sequence

import msgspec

from mesosphere.framework.client import FrameworkClient
from mesosphere.kernel.effects import CancelTimer, Effect, SetTimer
from mesosphere.marathon.core.constraints import Place
from mesosphere.marathon.core.health import Health
from mesosphere.marathon.core.instances import LOST, Instance, new_instance_id
from mesosphere.marathon.core.matcher import Match, Pool, Reason
from mesosphere.marathon.core.outcome import Outcome
from mesosphere.marathon.core.queue import Entry
from mesosphere.marathon.core.state import State
from mesosphere.marathon.core.supervisor import Supervisor
from mesosphere.marathon.core.tasks import Launch, effective_ports, task_info
from mesosphere.wire.marathon.app import App
from mesosphere.wire.mesos import Offer, TaskInfo
from mesosphere.wire.mesos.operations import Launch as LaunchOperation
from mesosphere.wire.mesos.operations import Operation

REVIVE_TIMER = "launcher/revive"
TOKENS_TIMER = "launcher/tokens"
AGAIN_TIMER = "launcher/again"
AGAIN_S = 60.0
"""Instances wait and no offer has come for so long: a REVIVE is sent once more."""

DELAY_PREFIX = "delay/"
RETURN_S = 0.0
"""Refusal of what is left of an offer that could still be of use: none."""


class Launcher:
    """See the module."""

    def __init__(self, state: State, client: FrameworkClient, supervisor: Supervisor) -> None:
        self._state = state
        self._client = client
        self._supervisor = supervisor
        self._tokens = state.config.launch_tokens
        self._suppressed = False
        self._wants_revival = False
        self._revived_at = -1e9

    # --- what is wanted ---------------------------------------------------------------------

    def want(self, outcome: Outcome, app_id: str, count: int) -> None:
        """`count` instances of an app shall be launched as offers allow."""
        app = self._state.root.apps.get(app_id)
        if app is None:
            count = 0
        grown = self._state.queue.set(app_id, count, outcome.now)
        if count <= 0 or app is None:
            return
        left_s = self._state.backoff.left_s(app, outcome.now)
        if left_s > 0:
            outcome.do(SetTimer(DELAY_PREFIX + app_id, left_s))
        elif grown:
            self._wants_revival = True

    def settle(self, outcome: Outcome) -> None:
        """At the end of a step: ask for offers if they are wanted, else make it known."""
        if not self._client.is_subscribed:
            return
        if not self._state.queue.entries:
            self._wants_revival = False
            if not self._suppressed and self._state.config.suppress_offers:
                self._suppressed = True
                self._state.count("mesos.calls.suppress")
                outcome.after(self._client.suppress)
            return
        if self._wants_revival:
            self._revive(outcome)

    def _revive(self, outcome: Outcome) -> None:
        wait_s = self._revived_at + self._state.config.min_revive_offers_interval_s - outcome.now
        if wait_s > 0:
            outcome.do(SetTimer(REVIVE_TIMER, wait_s))
            return
        self._wants_revival = False
        self._suppressed = False
        self._revived_at = outcome.now
        self._state.count("mesos.calls.revive")
        outcome.do(SetTimer(AGAIN_TIMER, AGAIN_S))
        outcome.after(self._client.revive)

    def subscribed(self, outcome: Outcome) -> None:
        """A new subscription: nothing is suppressed, no filter is left."""
        self._suppressed = False
        self._wants_revival = False
        outcome.do(CancelTimer(REVIVE_TIMER), SetTimer(AGAIN_TIMER, AGAIN_S))

    def timer(self, outcome: Outcome, name: str) -> None:
        """One of the timers above has fired."""
        if name == TOKENS_TIMER:
            self._tokens = self._state.config.launch_tokens
            self._wants_revival = bool(self._state.queue.entries)
        elif name == AGAIN_TIMER:
            self._wants_revival = bool(self._state.queue.entries)
        elif name.startswith(DELAY_PREFIX):
            app_id = name.removeprefix(DELAY_PREFIX)
            app = self._state.root.apps.get(app_id)
            if app is None or app_id not in self._state.queue.entries:
                return
            left_s = self._state.backoff.left_s(app, outcome.now)
            if left_s > 0:
                outcome.do(SetTimer(name, left_s))
            else:
                self._wants_revival = True

    def delay_reset(self, outcome: Outcome, app_id: str) -> None:
        """An app need not wait any longer."""
        self._state.backoff.reset(app_id)
        outcome.do(CancelTimer(DELAY_PREFIX + app_id))
        if app_id in self._state.queue.entries:
            self._wants_revival = True

    def running(self) -> None:
        """A task runs: one more may be launched."""
        self._tokens = min(self._tokens + 1, self._state.config.launch_tokens)

    # --- offers -----------------------------------------------------------------------------

    def offered(self, outcome: Outcome, offers: Sequence[Offer]) -> None:
        """Take offers: every one is accepted or declined in this step."""
        self._state.count("mesos.offers.incoming", len(offers))
        waiting = self._waiting(outcome.now)
        unused = [offer.id.value for offer in offers if not self._use(outcome, offer, waiting)]
        if unused:
            self._state.count("mesos.offers.declined", len(unused))
            refuse_s = self._state.config.decline_offer_duration_s
            if self._state.queue.entries and self._tokens <= 0:
                refuse_s = self._state.config.min_revive_offers_interval_s
            outcome.after(lambda: self._client.decline(unused, refuse_s))

    def _use(self, outcome: Outcome, offer: Offer, waiting: deque[Entry]) -> bool:
        if not waiting or self._tokens <= 0:
            return False
        pool = Pool(offer)
        encoded = b""
        tasks: list[TaskInfo] = []
        refused: list[Entry] = []
        limit = self._state.config.max_instances_per_offer
        while waiting and len(tasks) < limit and self._tokens > 0:
            entry = waiting.popleft()
            app = self._state.root.apps[entry.app_id]
            match = self._match(outcome, pool, app)
            if isinstance(match, Reason):
                encoded = encoded or msgspec.json.encode(offer)
                entry.refused(offer.agent_id.value, match, outcome.now, encoded)
                refused.append(entry)
                continue
            entry.used(offer.agent_id.value, outcome.now)
            tasks.append(self._place(outcome, app, offer, pool, match))
            if entry.count > 0:
                waiting.append(entry)
        waiting.extend(refused)
        if not tasks:
            return False
        self._state.count("mesos.offers.used")
        self._state.count("tasks.launched", len(tasks))
        full = len(tasks) >= limit or self._tokens <= 0
        refuse_s = (
            RETURN_S
            if full and self._state.queue.entries
            else (self._state.config.decline_offer_duration_s)
        )
        outcome.after(lambda: self._accept(offer, tasks, refuse_s))
        return True

    def _accept(self, offer: Offer, tasks: list[TaskInfo], refuse_s: float) -> list[Effect]:
        operation = Operation(type="LAUNCH", launch=LaunchOperation(task_infos=tasks))
        return self._client.accept([offer.id.value], [operation], refuse_s)

    def _waiting(self, now: float) -> deque[Entry]:
        """Who may be launched now, beginning anywhere, so that nobody is always the last."""
        apps, left_s = self._state.root.apps, self._state.backoff.left_s
        entries = self._state.queue.entries.values()
        ready = deque(entry for entry in entries if left_s(apps[entry.app_id], now) <= 0)
        if len(ready) > 1:
            ready.rotate(int(self._state.ids.fraction() * len(ready)))
        return ready

    def _match(self, outcome: Outcome, pool: Pool, app: App) -> Match | Reason:
        return pool.match(
            app,
            self._places(app),
            self._state.ids.fraction,
            outcome.now,
            draining_s=self._state.config.draining_s,
            maintenance=self._state.config.maintenance_mode,
        )

    def _places(self, app: App) -> list[Place]:
        if not app.constraints:
            return []
        config = app.version_info.last_config_change_at
        return [
            instance.place
            for instance in self._state.instances.of_app(app.id)
            if instance.version >= config and instance.condition not in LOST
        ]

    def _place(
        self, outcome: Outcome, app: App, offer: Offer, pool: Pool, match: Match
    ) -> TaskInfo:
        state = self._state
        fresh = new_instance_id(app.id, state.ids.uuid())
        instance_id, incarnation = state.queue.take(app.id, fresh)
        place = pool.place
        effective = effective_ports(app, match.ports, state.ids.fraction())
        instance = Instance(
            id=instance_id,
            app_id=app.id,
            version=app.version,
            incarnation=incarnation,
            agent_id=offer.agent_id.value,
            hostname=offer.hostname,
            role=app.role,
            ports=tuple(port for port in match.ports if port is not None),
            effective_ports=tuple(effective),
            staged_at=outcome.now,
            since=outcome.now,
            region=place.region,
            zone=place.zone,
            attributes=dict(place.attributes),
            health=tuple(Health() for _ in app.health_checks),
        )
        self._supervisor.launched(outcome, instance)
        self._tokens -= 1
        if self._tokens <= 0:
            outcome.do(SetTimer(TOKENS_TIMER, state.config.launch_token_refresh_interval_s))
        state.touch(app.id)
        group = state.root.groups.get("/" + app.id.split("/")[1])
        return task_info(
            Launch(
                app=app,
                instance=instance,
                resources=match.resources,
                host_ports=match.ports,
                effective=effective,
                prefix=state.config.env_vars_prefix or "",
                default_executor=state.config.executor,
                enforce_role=bool(group is not None and group.enforce_role),
            )
        )
