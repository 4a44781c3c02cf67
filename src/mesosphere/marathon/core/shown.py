"""Tasks, counts and health as the API shows them; shared by views and by answers to commands.

Source: Marathon, task.raml, TaskConversion.scala, appinfo/TaskCounts.scala.
"""

from collections.abc import Iterable
from typing import Any

from mesosphere.marathon.core.health import Health
from mesosphere.marathon.core.instances import ACTIVE, Condition, Instance, state_of
from mesosphere.marathon.core.state import State
from mesosphere.marathon.core.supervisor import addresses_json
from mesosphere.wire.marathon.timestamps import format_timestamp

_STAGED = (Condition.PROVISIONED, Condition.STAGING)


def task_json(
    state: State, instance: Instance, *, with_service_ports: bool = False
) -> dict[str, Any]:
    """One task."""
    active = instance.condition in ACTIVE
    shown: dict[str, Any] = {
        "ipAddresses": addresses_json(instance),
        "stagedAt": format_timestamp(instance.staged_at),
        "state": state_of(instance.condition),
        "ports": list(instance.ports) if active else [],
        "startedAt": None if instance.started_at is None else format_timestamp(instance.started_at),
        "version": instance.version,
        "id": instance.task_id,
        "appId": instance.app_id,
        "slaveId": instance.agent_id,
        "host": instance.hostname,
        "localVolumes": [],
        "healthCheckResults": [health_json(instance, health) for health in instance.health],
        "region": instance.region,
        "zone": instance.zone,
        "role": instance.role,
        "servicePorts": [],
    }
    if with_service_ports:
        app = state.root.apps.get(instance.app_id)
        shown["servicePorts"] = list(app.service_ports) if app is not None else []
    return {name: value for name, value in shown.items() if value is not None}


def health_json(instance: Instance, health: Health) -> dict[str, Any]:
    """The results of one check."""
    shown: dict[str, Any] = {
        "alive": health.is_alive,
        "consecutiveFailures": health.consecutive_failures,
        "instanceId": instance.id,
    }
    moments = {
        "firstSuccess": health.first_success,
        "lastSuccess": health.last_success,
        "lastFailure": health.last_failure,
    }
    for name, moment in moments.items():
        if moment is not None:
            shown[name] = format_timestamp(moment)
    if health.last_failure_cause:
        shown["lastFailureCause"] = health.last_failure_cause
    return shown


def counts(state: State, instances: Iterable[Instance]) -> dict[str, int]:
    """`tasksStaged` and its sisters."""
    staged = running = healthy = unhealthy = 0
    for instance in instances:
        staged += instance.condition in _STAGED
        running += instance.condition is Condition.RUNNING
        known = state.is_healthy(instance) if instance.health else None
        healthy += known is True
        unhealthy += known is False
    return {
        "tasksStaged": staged,
        "tasksRunning": running,
        "tasksHealthy": healthy,
        "tasksUnhealthy": unhealthy,
    }
