"""Runs the health and readiness checks that are Marathon's own, and acts on the results.

Decides when to probe whom and what a result leads to; what it means is `health`'s.
Vocabulary: a *round* is one check of one version of an app, over all its running instances.
Invariants: at most `max_concurrent_health_checks` probes at a time, the others wait in order; an
instance has at most one probe of a check under way; a kill for ill health leaves the goal as it
is, so that the replacement starts only when the old task is gone.
Source: Marathon, "Health Checks", "Readiness Checks"; HealthCheckActor, ReadinessCheckExecutor.
"""

from collections import deque

from mesosphere.kernel.effects import Call, CancelTimer, Effect, Probe, SetTimer
from mesosphere.kernel.events import CallAnswered, CallFailed, Probed
from mesosphere.marathon.core.health import Health, Verdict, http_cause, judge
from mesosphere.marathon.core.instances import Condition, Instance
from mesosphere.marathon.core.outcome import Outcome
from mesosphere.marathon.core.state import State
from mesosphere.marathon.core.supervisor import Supervisor
from mesosphere.marathon.core.tasks import check_port
from mesosphere.wire.marathon.app import App, HealthCheck, app_json

ROUND_PREFIX = "health/"
PROBE_PREFIX = "health-probe/"
READY_PREFIX = "ready/"
FIRST_ROUND_S = 5.0
BODY_LIMIT_BYTES = 64 * 1024
"""Longest answer that a check reads; a longer one counts as a failure."""


class Checks:
    """See the module."""

    def __init__(self, state: State, supervisor: Supervisor) -> None:
        self._state = state
        self._supervisor = supervisor
        self._rounds: dict[str, tuple[str, str, int]] = {}
        self._flying: dict[str, None] = {}
        self._active = 0
        self._waiting: deque[Effect] = deque()

    # --- rounds -----------------------------------------------------------------------------

    def running(self, outcome: Outcome, instance: Instance) -> None:
        """An instance runs: its checks begin."""
        app = self._state.definition_of(instance)
        if app is None:
            return
        for index, check in enumerate(app.health_checks):
            if not check.by_marathon:
                continue
            name = f"{ROUND_PREFIX}{app.id}@{instance.version}@{index}"
            if name not in self._rounds:
                self._rounds[name] = (app.id, instance.version, index)
                outcome.do(SetTimer(name, min(float(check.interval_seconds), FIRST_ROUND_S)))
                self._state.publish(
                    outcome,
                    "add_health_check_event",
                    appId=app.id,
                    version=instance.version,
                    healthCheck=self._check_json(app, index),
                )
        if app.readiness_checks and not instance.is_ready:
            self._probe_readiness(outcome, instance)

    def timer(self, outcome: Outcome, name: str) -> None:
        """A round is due, or a readiness probe is."""
        if name.startswith(READY_PREFIX):
            instance = self._state.instances.by_id.get(name.removeprefix(READY_PREFIX))
            if instance is not None and instance.condition is Condition.RUNNING:
                self._probe_readiness(outcome, instance)
            return
        app_id, version, index = self._rounds[name]
        app = self._state.definition(app_id, version)
        members = [one for one in self._state.instances.of_app(app_id) if one.version == version]
        if app is None or not members:
            del self._rounds[name]
            self._state.publish(outcome, "remove_health_check_event", appId=app_id)
            return
        check = app.health_checks[index]
        for instance in members:
            if instance.condition is Condition.RUNNING:
                self._probe(outcome, app, check, index, instance)
        outcome.do(SetTimer(name, float(check.interval_seconds)))

    def _probe(
        self, outcome: Outcome, app: App, check: HealthCheck, index: int, instance: Instance
    ) -> None:
        name = f"{PROBE_PREFIX}{instance.task_id}/{index}"
        if name in self._flying:
            return
        self._flying[name] = None
        host, port = target(app, check, instance)
        effect: Effect
        if check.protocol == "TCP":
            effect = Probe(name, host, port, float(check.timeout_seconds))
        else:
            path = check.path or "/"
            effect = Call(
                call=name,
                method="GET",
                url=f"{check.protocol.lower()}://{_in_url(host)}:{port}/{path.removeprefix('/')}",
                timeout_s=float(check.timeout_seconds),
                limit_bytes=BODY_LIMIT_BYTES,
            )
        self._send(outcome, effect)

    def _send(self, outcome: Outcome, effect: Effect) -> None:
        if self._active >= self._state.config.max_concurrent_health_checks:
            self._waiting.append(effect)
        else:
            self._active += 1
            outcome.do(effect)

    def _landed(self, outcome: Outcome, name: str) -> None:
        if self._flying.pop(name, "") == "":
            return
        if self._waiting:
            outcome.do(self._waiting.popleft())
        else:
            self._active -= 1

    # --- results ----------------------------------------------------------------------------

    def owns(self, name: str) -> bool:
        """Whether a call or probe is one of these."""
        return name.startswith((PROBE_PREFIX, READY_PREFIX))

    def answered(self, outcome: Outcome, event: CallAnswered) -> None:
        """An HTTP probe got an answer."""
        if event.call.startswith(READY_PREFIX):
            text = event.body.decode("utf-8", "replace")
            kind = event.headers.get("content-type", "")
            self._take_readiness(outcome, event.call, event.status, kind, text)
            return
        self._landed(outcome, event.call)
        found = self._find(event.call)
        if found is None:
            return
        instance, app, index = found
        check = app.health_checks[index]
        if check.ignore_http1xx and 100 <= event.status < 200:
            return
        self._take(outcome, instance, app, index, http_cause(event.status, check))

    def failed(self, outcome: Outcome, event: CallFailed) -> None:
        """An HTTP probe got none."""
        if event.call.startswith(READY_PREFIX):
            self._take_readiness(outcome, event.call, 504, "text/plain", event.reason)
            return
        self._landed(outcome, event.call)
        found = self._find(event.call)
        if found is not None:
            self._take(outcome, *found, event.reason or "no answer")

    def probed(self, outcome: Outcome, event: Probed) -> None:
        """A TCP probe has ended."""
        self._landed(outcome, event.probe)
        found = self._find(event.probe)
        if found is not None:
            self._take(outcome, *found, None if event.ok else event.reason or "no connection")

    def _find(self, name: str) -> tuple[Instance, App, int] | None:
        task_id, _, index = name.removeprefix(PROBE_PREFIX).rpartition("/")
        instance = self._state.instances.of_task(task_id)
        if instance is None or instance.condition is not Condition.RUNNING:
            return None
        app = self._state.definition_of(instance)
        return None if app is None else (instance, app, int(index))

    def _take(
        self, outcome: Outcome, instance: Instance, app: App, index: int, cause: str | None
    ) -> None:
        state = self._state
        before = state.is_healthy(instance)
        health = instance.health[index]
        since = instance.started_at or instance.since
        after, verdict = judge(health, app.health_checks[index], cause, since, outcome.now)
        if cause is not None:
            state.publish(
                outcome,
                "failed_health_check_event",
                appId=app.id,
                taskId=instance.id,
                healthCheck=self._check_json(app, index),
            )
        if verdict is Verdict.IGNORE:
            return
        instance.health = (*instance.health[:index], after, *instance.health[index + 1 :])
        flipped = health.is_alive != after.is_alive or not health.is_known
        if flipped:
            # Kept so that a new leader knows who was well; no answer waits for it.
            state.storage.put_instance(instance)
            state.publish(
                outcome,
                "health_status_changed_event",
                appId=app.id,
                instanceId=instance.id,
                version=instance.version,
                alive=after.is_alive,
            )
        healthy = state.is_healthy(instance)
        if healthy is not before:
            self._supervisor.tell_health(outcome, instance, healthy)
            state.touch(app.id)
        if verdict is Verdict.KILL:
            self._kill(outcome, instance, after)

    def _kill(self, outcome: Outcome, instance: Instance, health: Health) -> None:
        reason = health.last_failure_cause or ""
        outcome.log("warning", "unhealthy_instance_killed", instance=instance.id, reason=reason)
        self._state.publish(
            outcome,
            "unhealthy_instance_kill_event",
            appId=instance.app_id,
            taskId=instance.task_id,
            instanceId=instance.id,
            version=instance.version,
            reason=reason,
            host=instance.hostname,
            slaveId=instance.agent_id,
        )
        message = f"Task was killed since health check failed. Reason: {reason}"
        self._supervisor.record_failure(outcome, instance, "TASK_KILLED", message)
        self._supervisor.kill(outcome, instance)

    def _check_json(self, app: App, index: int) -> object:
        return app_json(app)["healthChecks"][index]

    # --- readiness --------------------------------------------------------------------------

    def _probe_readiness(self, outcome: Outcome, instance: Instance) -> None:
        app = self._state.definition_of(instance)
        if app is None or not app.readiness_checks:
            return
        check = app.readiness_checks[0]
        index = app.port_names.index(check.port_name) if check.port_name in app.port_names else 0
        host, port = target(app, HealthCheck(port_index=index), instance)
        path = check.path if check.path.startswith("/") else f"/{check.path}"
        outcome.do(
            CancelTimer(READY_PREFIX + instance.id),
            Call(
                call=READY_PREFIX + instance.id,
                method="GET",
                url=f"{check.protocol.lower()}://{_in_url(host)}:{port}{path}",
                timeout_s=float(check.timeout_seconds),
                limit_bytes=BODY_LIMIT_BYTES,
            ),
        )

    def _take_readiness(
        self, outcome: Outcome, name: str, status: int, kind: str, body: str
    ) -> None:
        instance = self._state.instances.by_id.get(name.removeprefix(READY_PREFIX))
        app = None if instance is None else self._state.definition_of(instance)
        if instance is None or app is None or not app.readiness_checks or instance.is_ready:
            return
        check = app.readiness_checks[0]
        ready = status in check.http_status_codes_for_ready
        result: dict[str, object] = {
            "name": check.name,
            "taskId": instance.task_id,
            "ready": ready,
        }
        if check.preserve_last_response:
            result["lastResponse"] = {"status": status, "contentType": kind, "body": body}
        self._state.readiness[instance.id] = result
        if ready:
            instance.is_ready = True
            self._state.storage.put_instance(instance)
            self._state.touch(app.id)
        else:
            outcome.do(SetTimer(READY_PREFIX + instance.id, float(check.interval_seconds)))


def target(app: App, check: HealthCheck, instance: Instance) -> tuple[str, int]:
    """Where Marathon reaches a port: the agent, or the task itself where it has an address of its
    own and no host port."""
    index = check.port_index or 0
    own_address = (
        not app.is_host_network
        and check.port is None
        and index < len(app.port_mappings)
        and app.port_mappings[index].host_port is None
        and instance.addresses
    )
    host = instance.addresses[0] if own_address else instance.hostname
    return host, check_port(app, check, instance.effective_ports)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
