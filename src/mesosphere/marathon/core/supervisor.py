"""Watches over instances: what their updates mean, and ending those that must end.

Decides: when to kill (and again, until the end is confirmed), when an unreachable instance is
replaced or forgotten, when a launch took too long, when to ask the master what it knows.
Invariants: an update is acknowledged only after what it changed is stored; a task that we do not
know is killed; a lost instance that should end is forgotten at once, for nobody can end it now.
Source: Marathon, "Task handling", "Unreachable strategy"; KillServiceActor, OverdueInstancesActor.
"""

from collections.abc import Callable
from typing import Any

from mesosphere.framework.client import FrameworkClient
from mesosphere.kernel.effects import CancelTimer, SetTimer
from mesosphere.marathon.core.instances import (
    ACTIVE,
    LIFE,
    LOST,
    MESSAGE_LIMIT,
    Condition,
    Consequence,
    Goal,
    Instance,
    condition_of,
    parse_task_id,
    state_of,
)
from mesosphere.marathon.core.outcome import Outcome
from mesosphere.marathon.core.state import State
from mesosphere.marathon.core.storage import Failure
from mesosphere.wire.marathon.app import UnreachableStrategy
from mesosphere.wire.marathon.timestamps import format_timestamp
from mesosphere.wire.mesos import TaskStatus

KILL_TIMER = "kill/retry"
OVERDUE_TIMER = "overdue"
OVERDUE_INTERVAL_S = 5.0
KILL_AGAIN_REASONS = ("REASON_RECONCILIATION", "REASON_AGENT_REREGISTERED")
"""A task that is told to live for one of these is sent another KILL at once."""

RECONCILE_TIMER = "reconcile"
UNREACHABLE_PREFIX = "unreachable/"


class Supervisor:
    """See the module."""

    def __init__(self, state: State, client: FrameworkClient) -> None:
        self._state = state
        self._client = client
        self._due_kills: dict[str, float] = {}  # instance id -> when its KILL is due
        self._sent_kills: dict[str, float] = {}  # instance id -> when its KILL was last sent
        self._launching: dict[str, None] = {}
        self.on_running: Callable[[Outcome, Instance], None] = lambda outcome, instance: None

    # --- starting ---------------------------------------------------------------------------

    def resume(self, outcome: Outcome) -> None:
        """Take up the instances that the store held."""
        for instance in list(self._state.instances.by_id.values()):
            if instance.condition in LOST:
                self._age_unreachable(outcome, instance)
            elif instance.is_leaving or instance.condition is Condition.KILLING:
                self._due_kills[instance.id] = outcome.now
            elif instance.condition is not Condition.RUNNING:
                self._launching[instance.id] = None
        outcome.do(SetTimer(OVERDUE_TIMER, 30.0))

    def subscribed(self, outcome: Outcome) -> None:
        """The master listens again: ask for all tasks, and send what kills are open."""
        self._sent_kills = dict.fromkeys(self._sent_kills, 0.0)
        self._send_kills(outcome)
        self.reconcile(outcome)

    def reconcile(self, outcome: Outcome) -> None:
        """Ask for the tasks we know, then for those that we may not know."""
        known: dict[str, str | None] = {
            instance.task_id: instance.agent_id for instance in self._state.instances.by_id.values()
        }
        if known:
            outcome.after(lambda: self._client.reconcile(known))
        outcome.after(lambda: self._client.reconcile({}))
        outcome.do(SetTimer(RECONCILE_TIMER, self._state.config.reconciliation_interval_s))

    def launched(self, outcome: Outcome, instance: Instance) -> None:
        """An instance was placed on an offer: keep it, tell, and watch that it starts."""
        self._state.instances.add(instance)
        self._state.storage.put_instance(instance)
        self._launching[instance.id] = None
        self._tell_condition(outcome, instance, instance.condition)
        self._tell_status(outcome, instance, instance.condition, "")

    # --- updates ----------------------------------------------------------------------------

    def updated(self, outcome: Outcome, status: TaskStatus) -> None:
        """Take a status update."""
        outcome.after(lambda: self._client.acknowledge(status))
        self._state.count(f"mesos.task-updates.{status.state.lower().replace('_', '-')}")
        condition = condition_of(status.state, status.reason, status.message)
        instance = self._state.instances.of_task(status.task_id.value)
        if instance is None:
            self._updated_unknown(outcome, status, condition)
            return
        step = LIFE.step(instance.condition, condition)
        if step is None:
            return
        if status.reason in KILL_AGAIN_REASONS:
            self._kill_again(outcome, instance, condition)
        told_health = self._take_details(outcome, instance, status)
        if step.state is not instance.condition or told_health:
            self._move(outcome, instance, step.state, status, step.actions)
        self._state.touch(instance.app_id)

    def _kill_again(self, outcome: Outcome, instance: Instance, told: Condition) -> None:
        """It lives although it should end: an earlier KILL may have met a master that did not
        know its agent yet."""
        alive = told in (Condition.STAGING, Condition.STARTING, Condition.RUNNING)
        if alive and instance.id in self._sent_kills:
            self._send_kill(outcome, instance)

    def _take_details(self, outcome: Outcome, instance: Instance, status: TaskStatus) -> bool:
        if status.container_status is not None:
            found = tuple(
                address.ip_address
                for network in status.container_status.network_infos
                for address in network.ip_addresses
                if address.ip_address
            )
            if found:
                instance.addresses = found
        # The last update repeats what the check said, with a message of its own.
        if status.healthy is None or status.state != "TASK_RUNNING":
            return False
        cause = (status.message or "")[:MESSAGE_LIMIT]
        return self._take_mesos_health(outcome, instance, status.healthy, cause)

    def _mesos_check(self, instance: Instance) -> int | None:
        """Which of its checks Mesos runs."""
        app = self._state.definition_of(instance)
        checks = app.health_checks if app is not None else ()
        return next((index for index, one in enumerate(checks) if not one.by_marathon), None)

    def _take_mesos_health(
        self, outcome: Outcome, instance: Instance, healthy: bool, cause: str
    ) -> bool:
        """Mesos ran a check of ours; returns whether that changed anything."""
        index = self._mesos_check(instance)
        if index is None:
            return False
        before = self._state.is_healthy(instance)
        health = instance.health[index]
        changed = not health.is_known or health.is_alive != healthy
        now = outcome.now
        if healthy:
            first = health.first_success if health.first_success is not None else now
            fields: dict[str, Any] = {
                "first_success": first,
                "last_success": now,
                "consecutive_failures": 0,
            }
        else:
            fields = {
                "last_failure": now,
                "last_failure_cause": cause,
                "consecutive_failures": health.consecutive_failures + 1,
            }
        results = list(instance.health)
        results[index] = type(health)(**{**_fields(health), **fields})
        instance.health = tuple(results)
        after = self._state.is_healthy(instance)
        if before is not after:
            self.tell_health(outcome, instance, after)
        return changed

    def _updated_unknown(self, outcome: Outcome, status: TaskStatus, told: Condition) -> None:
        name = parse_task_id(status.task_id.value)
        task_id = status.task_id.value
        if told in ACTIVE and told not in LOST:
            outcome.log("warning", "unknown_task_killed", task=task_id, state=status.state)
            agent_id = status.agent_id.value if status.agent_id is not None else None
            outcome.after(lambda: self._client.kill(task_id, agent_id))
        elif told not in ACTIVE and name is not None and status.uuid:
            self._state.publish(
                outcome,
                "unknown_instance_terminated_event",
                instanceId=name.instance_id,
                runSpecId=name.app_id,
                condition=told.value,
            )

    def _move(
        self,
        outcome: Outcome,
        instance: Instance,
        condition: Condition,
        status: TaskStatus | None,
        consequences: tuple[Consequence, ...],
    ) -> None:
        now = outcome.now
        changed = condition is not instance.condition
        if changed:
            instance.condition = condition
            instance.since = now
        if condition in LOST and instance.unreachable_at is None:
            told = status.unreachable_time if status is not None else None
            instance.unreachable_at = now if told is None else told.nanoseconds / 1e9
        elif condition not in LOST and instance.unreachable_at is not None:
            instance.unreachable_at = None
            outcome.do(CancelTimer(UNREACHABLE_PREFIX + instance.id))
        if Consequence.STARTED in consequences:
            instance.started_at = instance.started_at or now
            self.on_running(outcome, instance)
        if condition not in (Condition.PROVISIONED, Condition.STAGING, Condition.STARTING):
            self._launching.pop(instance.id, None)
        self._state.storage.put_instance(instance)
        message = ((status.message if status is not None else "") or "")[:MESSAGE_LIMIT]
        if changed:
            self._tell_condition(outcome, instance, condition)
        self._tell_status(
            outcome, instance, condition, message, status.state if status is not None else None
        )
        if condition is Condition.KILLED:
            self._record_ill_health(outcome, instance)
        for consequence in consequences:
            if consequence is Consequence.LENGTHEN_DELAY:
                self._lengthen_delay(outcome, instance)
            elif consequence is Consequence.RECORD_FAILURE:
                state = status.state if status is not None else state_of(condition)
                self.record_failure(outcome, instance, state, message)
            elif consequence is Consequence.REMOVE:
                self._remove(outcome, instance)
        if condition is Condition.UNREACHABLE:
            self._age_unreachable(outcome, instance)

    def _lengthen_delay(self, outcome: Outcome, instance: Instance) -> None:
        app = self._state.root.apps.get(instance.app_id)
        config = app.version_info.last_config_change_at if app is not None else ""
        if app is None or instance.is_leaving or instance.version < config:
            return
        delay = self._state.backoff.failed(app, outcome.now)
        outcome.log(
            "info",
            "launch_delayed",
            app=app.id,
            delay_s=round(delay.delay_s, 3),
            failures=delay.failures,
        )

    def record_failure(
        self, outcome: Outcome, instance: Instance, state: str, message: str
    ) -> None:
        """Keep it as the app's last failure."""
        failure = Failure(
            instance.app_id,
            instance.task_id,
            state,
            message,
            instance.hostname,
            instance.agent_id,
            instance.version,
            outcome.now,
        )
        if instance.app_id in self._state.root.apps:
            self._state.failures[instance.app_id] = failure
            self._state.storage.put_failure(failure)

    def _record_ill_health(self, outcome: Outcome, instance: Instance) -> None:
        """Mesos killed it after its check had failed: told as when Marathon's own check does."""
        index = self._mesos_check(instance)
        is_ours = instance.id in self._due_kills or instance.id in self._sent_kills
        if index is None or is_ours or instance.is_leaving:
            return
        health = instance.health[index]
        if health.is_known and not health.is_alive:
            message = "Task was killed since health check failed. Reason: "
            cause = health.last_failure_cause or ""
            self.record_failure(outcome, instance, "TASK_KILLED", message + cause)

    def _remove(self, outcome: Outcome, instance: Instance) -> None:
        state = self._state
        state.instances.remove(instance)
        state.storage.drop_instance(instance.id)
        state.readiness.pop(instance.id, None)
        self._due_kills.pop(instance.id, None)
        self._sent_kills.pop(instance.id, None)
        self._launching.pop(instance.id, None)
        outcome.do(CancelTimer(UNREACHABLE_PREFIX + instance.id))
        if instance.goal is Goal.RUNNING:
            state.queue.revive(instance.app_id, instance.id, instance.incarnation + 1)
        state.touch(instance.app_id)
        self._send_kills(outcome)

    # --- ending -----------------------------------------------------------------------------

    def decommission(self, outcome: Outcome, instance: Instance) -> None:
        """It shall end and not be replaced."""
        if instance.is_leaving:
            return
        instance.goal = Goal.DECOMMISSIONED
        self._state.storage.put_instance(instance)
        self._tell_condition(outcome, instance, instance.condition)
        self.kill(outcome, instance)

    def kill(self, outcome: Outcome, instance: Instance) -> None:
        """End its task; whether it is replaced is up to its goal."""
        self._state.touch(instance.app_id)
        if instance.condition in LOST:
            outcome.log("info", "lost_instance_expunged", instance=instance.id)
            self._move(outcome, instance, Condition.GONE, None, (Consequence.REMOVE,))
            return
        if instance.id not in self._due_kills and instance.id not in self._sent_kills:
            self._due_kills[instance.id] = outcome.now + self._state.config.kill_delay_s
            if instance.condition is Condition.RUNNING:
                # Told at once, so that load balancers turn away before the task hears of it.
                self._move(outcome, instance, Condition.KILLING, None, ())
            self._send_kills(outcome)

    def _send_kills(self, outcome: Outcome) -> None:
        """Send what is due: again after the retry time, new ones as the limit allows."""
        config, now = self._state.config, outcome.now
        known = self._state.instances.by_id
        while self._sent_kills:
            instance_id, sent = next(iter(self._sent_kills.items()))
            if now < sent + config.kill_retry_timeout_s:
                break
            self._send_kill(outcome, known[instance_id])
        while self._due_kills and len(self._sent_kills) < config.kill_chunk_size:
            instance_id, due = next(iter(self._due_kills.items()))
            if now < due:
                break
            del self._due_kills[instance_id]
            self._send_kill(outcome, known[instance_id])
        moments = [sent + config.kill_retry_timeout_s for sent in self._first(self._sent_kills)]
        if len(self._sent_kills) < config.kill_chunk_size:
            moments += self._first(self._due_kills)
        if moments:
            outcome.do(SetTimer(KILL_TIMER, max(min(moments) - now, 0.001)))

    def _first(self, moments: dict[str, float]) -> list[float]:
        return [next(iter(moments.values()))] if moments else []

    def _send_kill(self, outcome: Outcome, instance: Instance) -> None:
        self._sent_kills.pop(instance.id, None)  # the oldest stay in front
        self._sent_kills[instance.id] = outcome.now
        app = self._state.definition_of(instance)
        grace_s = app.task_kill_grace_period_seconds if app is not None else None
        task_id, agent_id = instance.task_id, instance.agent_id
        outcome.after(lambda: self._client.kill(task_id, agent_id, grace_s))

    # --- time -------------------------------------------------------------------------------

    def timer(self, outcome: Outcome, name: str) -> None:
        """One of the timers above has fired."""
        if name == KILL_TIMER:
            self._send_kills(outcome)
        elif name == RECONCILE_TIMER:
            self.reconcile(outcome)
        elif name == OVERDUE_TIMER:
            self._end_overdue(outcome)
            outcome.do(SetTimer(OVERDUE_TIMER, OVERDUE_INTERVAL_S))
        else:
            instance = self._state.instances.by_id.get(name.removeprefix(UNREACHABLE_PREFIX))
            if instance is not None:
                self._age_unreachable(outcome, instance)

    def _end_overdue(self, outcome: Outcome) -> None:
        config = self._state.config
        for instance_id in list(self._launching):
            instance = self._state.instances.by_id.get(instance_id)
            if instance is None:
                del self._launching[instance_id]
                continue
            limit_s = (
                config.task_launch_confirm_timeout_s
                if instance.condition is Condition.PROVISIONED
                else config.task_launch_timeout_s
            )
            if outcome.now > instance.staged_at + limit_s:
                outcome.log("warning", "overdue_instance_killed", instance=instance_id)
                self.kill(outcome, instance)

    def _age_unreachable(self, outcome: Outcome, instance: Instance) -> None:
        if instance.unreachable_at is None or instance.condition not in LOST:
            return
        if instance.is_leaving:
            self._move(outcome, instance, Condition.GONE, None, (Consequence.REMOVE,))
            return
        app = self._state.definition_of(instance)
        strategy = app.unreachable_strategy if app is not None else UnreachableStrategy()
        if not isinstance(strategy, UnreachableStrategy):
            return
        elapsed_s = outcome.now - instance.unreachable_at
        if elapsed_s >= strategy.expunge_after_seconds:
            outcome.log("warning", "unreachable_instance_expunged", instance=instance.id)
            instance.goal = Goal.DECOMMISSIONED
            self._move(outcome, instance, Condition.GONE, None, (Consequence.REMOVE,))
            return
        if elapsed_s < strategy.inactive_after_seconds:
            due_s = strategy.inactive_after_seconds - elapsed_s
        else:
            due_s = strategy.expunge_after_seconds - elapsed_s
            if instance.condition is Condition.UNREACHABLE:
                self._move(outcome, instance, Condition.UNREACHABLE_INACTIVE, None, ())
                self._state.touch(instance.app_id)
        outcome.do(SetTimer(UNREACHABLE_PREFIX + instance.id, max(due_s, 0.001)))

    # --- telling ----------------------------------------------------------------------------

    def _tell_condition(self, outcome: Outcome, instance: Instance, condition: Condition) -> None:
        self._state.publish(
            outcome,
            "instance_changed_event",
            instanceId=instance.id,
            condition=condition.value,
            runSpecId=instance.app_id,
            agentId=instance.agent_id,
            host=instance.hostname,
            runSpecVersion=instance.version,
        )

    def _tell_status(
        self,
        outcome: Outcome,
        instance: Instance,
        condition: Condition,
        message: str,
        state: str | None = None,
    ) -> None:
        self._state.publish(
            outcome,
            "status_update_event",
            slaveId=instance.agent_id,
            taskId=instance.task_id,
            taskStatus=state or state_of(condition),
            message=message,
            appId=instance.app_id,
            host=instance.hostname,
            ipAddresses=addresses_json(instance),
            ports=list(instance.ports),
            version=instance.version,
        )

    def tell_health(self, outcome: Outcome, instance: Instance, healthy: bool | None) -> None:
        """The overall health of an instance has changed."""
        self._state.publish(
            outcome,
            "instance_health_changed_event",
            instanceId=instance.id,
            runSpecId=instance.app_id,
            healthy=healthy,
            runSpecVersion=instance.version,
        )


def addresses_json(instance: Instance) -> list[dict[str, str]]:
    """The instance's addresses as the API shows them."""
    return [
        {"ipAddress": address, "protocol": "IPv6" if ":" in address else "IPv4"}
        for address in instance.addresses
    ]


def _fields(health: Any) -> dict[str, Any]:
    return {name: getattr(health, name) for name in health.__struct_fields__}


def failure_json(failure: Failure) -> dict[str, str]:
    """A last failure as the API shows it."""
    return {
        "appId": failure.app_id,
        "host": failure.host,
        "message": failure.message,
        "state": failure.state,
        "taskId": failure.task_id,
        "timestamp": format_timestamp(failure.at),
        "version": failure.version,
        "slaveId": failure.agent_id,
    }
