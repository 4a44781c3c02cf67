"""Deployments, the queue, information, metrics: what the API shows of Marathon itself.

Source: Marathon, "REST API", /v2/deployments, /v2/queue, /v2/info; "Metrics".
"""

from typing import Any

import msgspec

from mesosphere import __version__
from mesosphere.marathon.core.deployments import Deployment
from mesosphere.marathon.core.instances import Condition
from mesosphere.marathon.core.matcher import Reason
from mesosphere.marathon.core.queue import Entry
from mesosphere.marathon.core.state import State
from mesosphere.marathon.views.apps import readiness
from mesosphere.wire.marathon.app import app_json
from mesosphere.wire.marathon.timestamps import format_timestamp

MARATHON_VERSION = "1.11.24"
"""The version of Marathon that this one behaves like; clients compare it."""


def deployments_json(state: State) -> list[dict[str, Any]]:
    """Every running deployment."""
    return [_deployment(state, one) for one in state.deployments.running.values()]


def _deployment(state: State, deployment: Deployment) -> dict[str, Any]:
    current = () if deployment.is_done else deployment.plan.steps[deployment.current_step]
    return {
        **deployment.plan_json(),
        "affectedApps": list(deployment.plan.changes),
        "affectedPods": [],
        "currentActions": [
            {
                "action": action.kind.value,
                "app": action.app,
                "readinessCheckResults": readiness(state, state.instances.of_app(action.app)),
            }
            for action in current
        ],
        "currentStep": min(deployment.current_step + 1, len(deployment.plan.steps)),
        "totalSteps": len(deployment.plan.steps),
    }


def queue_json(state: State, now: float, *, with_offers: bool) -> dict[str, Any]:
    """What waits to be launched, and why."""
    return {
        "queue": [
            _entry(state, entry, now, with_offers=with_offers)
            for entry in state.queue.entries.values()
        ]
    }


def _entry(state: State, entry: Entry, now: float, *, with_offers: bool) -> dict[str, Any]:
    app = state.root.apps[entry.app_id]
    left_s = state.backoff.left_s(app, now)
    summary: dict[str, Any] = {
        "processedOffersCount": entry.processed,
        "unusedOffersCount": entry.unused,
    }
    if entry.last_unused_at is not None:
        summary["lastUnusedOfferAt"] = format_timestamp(entry.last_unused_at)
    if entry.last_used_at is not None:
        summary["lastUsedOfferAt"] = format_timestamp(entry.last_used_at)
    last: dict[Reason, int] = {}
    for reason, _, _ in entry.last_offers.values():
        if reason is not None:
            last[reason] = last.get(reason, 0) + 1
    summary["rejectSummaryLastOffers"] = _funnel(last, len(entry.last_offers))
    summary["rejectSummaryLaunchAttempt"] = _funnel(entry.refusals, entry.processed)
    shown: dict[str, Any] = {
        "count": entry.count,
        "delay": {"timeLeftSeconds": int(left_s + 0.999), "overdue": left_s <= 0},
        "since": format_timestamp(entry.since),
        "processedOffersSummary": summary,
        "role": app.role,
        "app": app_json(app),
    }
    if with_offers:
        shown["lastUnusedOffers"] = [
            {
                "offer": _offer(msgspec.json.decode(data)),
                "reason": [] if reason is None else [reason.value],
                "timestamp": format_timestamp(at),
            }
            for reason, at, data in entry.last_offers.values()
        ]
    return shown


def _funnel(refusals: dict[Reason, int], total: int) -> list[dict[str, Any]]:
    """Each offer counts for its first reason; what is left goes on to the next."""
    listed = []
    for reason in Reason:
        declined = refusals.get(reason, 0)
        listed.append({"reason": reason.value, "declined": declined, "processed": total})
        total -= declined
    return listed


def _offer(offer: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": offer["id"]["value"],
        "hostname": offer["hostname"],
        "agentId": offer["agent_id"]["value"],
        "resources": [_resource(one) for one in offer.get("resources", ())],
        "attributes": [_resource(one) for one in offer.get("attributes", ())],
    }


def _resource(one: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": one["name"]}
    if one.get("type") != "TEXT" and "text" not in one:
        shown["role"] = one.get("role", "*")
    if "scalar" in one:
        shown["scalar"] = one["scalar"]["value"]
    if "ranges" in one:
        shown["ranges"] = one["ranges"].get("range", [])
    if "set" in one:
        shown["set"] = one["set"].get("item", [])
    if "text" in one:
        shown["text"] = one["text"]["value"]
    return shown


def info_json(state: State, leader: str | None, *, elected: bool) -> dict[str, Any]:
    """/v2/info."""
    shown = state.config.shown
    return {
        "name": state.config.framework_name,
        "version": MARATHON_VERSION,
        "buildref": f"mesosphere-{__version__}",
        "elected": elected,
        "leader": leader,
        "frameworkId": state.framework_id,
        "marathon_config": shown.get("marathon_config", {}),
        "zookeeper_config": shown.get("zookeeper_config", {}),
        "http_config": {"http_port": state.config.http_port, "https_port": None},
    }


def gauges(state: State, now: float) -> dict[str, float]:
    """Every gauge of /metrics."""
    conditions = [one.condition for one in state.instances.by_id.values()]
    return {
        "marathon.apps.active.gauge": len(state.root.apps),
        "marathon.groups.active.gauge": len(state.root.groups) + 1,
        "marathon.pods.active.gauge": 0,
        "marathon.deployments.active.gauge": len(state.deployments.running),
        "marathon.instances.running.gauge": conditions.count(Condition.RUNNING),
        "marathon.instances.staged.gauge": conditions.count(Condition.STAGING)
        + conditions.count(Condition.PROVISIONED),
        "marathon.http.event-streams.active.gauge": len(state.streams),
        "marathon.leadership.duration.gauge.seconds": now - state.elected_at,
        "marathon.uptime.gauge.seconds": now - state.started_at,
        **{
            f"marathon.{name.replace('/', '.')}.gauge": value
            for name, value in state.gauges.items()
        },
    }


def metrics_json(state: State, now: float) -> dict[str, Any]:
    """/metrics."""
    return {
        "version": "5.0.0",
        "counters": {
            f"marathon.{name}.counter": {"count": value}
            for name, value in sorted(state.counters.items())
        },
        "gauges": {name: {"value": value} for name, value in gauges(state, now).items()},
        "histograms": {},
        "meters": {},
        "timers": {},
    }


def metrics_text(state: State, now: float) -> str:
    """/metrics/prometheus."""
    lines = []
    for kind, values in (
        ("counter", {f"marathon.{name}.counter": v for name, v in sorted(state.counters.items())}),
        ("gauge", gauges(state, now)),
    ):
        for name, value in values.items():
            plain = name.replace(".", "_").replace("-", "_")
            lines += [f"# TYPE {plain} {kind}", f"{plain} {value}"]
    return "\n".join(lines) + "\n"
