"""Metrics by the original's names, and the same as Prometheus text.

Source: Mesos, docs/monitoring.md; src/master/metrics.cpp.
"""

import re
from collections import Counter
from collections.abc import Iterable

from mesosphere.kernel.resources import number, sum_of
from mesosphere.master.core import agents, calls
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.state import Agent
from mesosphere.master.views import allocation, framework_metrics

SCALARS = ("cpus", "gpus", "mem", "disk")
COUNTERS = (
    "master/tasks_finished",
    "master/tasks_failed",
    "master/tasks_killed",
    "master/tasks_lost",
    "master/tasks_error",
    "master/tasks_dropped",
    "master/tasks_gone",
    "master/tasks_gone_by_operator",
    "master/slave_registrations",
    "master/slave_reregistrations",
    "master/slave_removals",
    "master/slave_removals/reason_unhealthy",
    "master/slave_removals/reason_unregistered",
    "master/slave_removals/reason_registered",
    "master/slave_unreachable_scheduled",
    "master/slave_unreachable_completed",
    "master/slave_unreachable_canceled",
    "master/slave_shutdowns_scheduled",
    "master/slave_shutdowns_completed",
    "master/slave_shutdowns_canceled",
    "master/recovery_slave_removals",
    "master/valid_status_updates",
    "master/invalid_status_updates",
    "master/valid_status_update_acknowledgements",
    "master/invalid_status_update_acknowledgements",
    "master/valid_operation_status_updates",
    "master/invalid_operation_status_updates",
    "master/valid_operation_status_update_acknowledgements",
    "master/invalid_operation_status_update_acknowledgements",
    "master/operations/finished",
    "master/operations/failed",
    "master/operations/error",
    "master/operations/dropped",
    "master/operations/gone_by_operator",
    "allocator/mesos/allocation_runs",
    "master/dropped_messages",
    "master/http_cache_hits",
    "master/event_queue_messages",
    "master/event_queue_dispatches",
    "master/event_queue_http_requests",
    "master/messages_register_framework",
    "master/messages_reregister_framework",
    "master/messages_deactivate_framework",
    "master/messages_register_slave",
    "master/messages_reregister_slave",
    "master/messages_update_slave",
    "master/messages_authenticate",
    "master/valid_framework_to_executor_messages",
    "master/invalid_framework_to_executor_messages",
    "master/valid_executor_to_framework_messages",
    "master/invalid_executor_to_framework_messages",
    *calls.MESSAGES.values(),
    *agents.MESSAGES.values(),
)
"""Counters that are there from the start. Nothing ever waits in a queue: a step ends at once."""


def snapshot(master: MasterMachine) -> dict[str, float]:
    """`/metrics/snapshot`: a flat object."""
    state = master.state
    known, frameworks = list(state.agents.values()), list(state.frameworks.values())
    connected = sum(1 for agent in known if agent.is_connected)
    active = sum(1 for agent in known if agent.is_connected and agent.is_active)
    subscribed = sum(1 for framework in frameworks if framework.is_connected)
    values: dict[str, float] = dict.fromkeys(COUNTERS, 0)
    values |= {
        "master/elected": float(master.is_recovered),
        "master/uptime_secs": master.gauges.get("process/uptime_secs", 0.0),
        "master/slaves_connected": connected,
        "master/slaves_disconnected": len(known) - connected,
        "master/slaves_active": active,
        "master/slaves_inactive": len(known) - active,
        "master/slaves_unreachable": len(state.unreachable),
        "master/frameworks_connected": subscribed,
        "master/frameworks_disconnected": len(frameworks) - subscribed,
        "master/frameworks_active": subscribed,
        "master/frameworks_inactive": len(frameworks) - subscribed,
        "master/outstanding_offers": len(state.offers),
        "master/operator_event_stream_subscribers": len(master.subscribers),
    }
    for name in ("staging", "starting", "running", "killing"):
        values[f"master/tasks_{name}"] = 0
    unreachable = 0
    states: Counter[str] = Counter()
    for framework in frameworks:
        unreachable += len(framework.unreachable)
        states.update(record.task.state for record in framework.tasks.values())
    for task_state, count in states.items():
        name = f"master/tasks_{task_state.removeprefix('TASK_').lower()}"
        if name not in COUNTERS:
            values[name] = count
    values["master/tasks_unreachable"] = unreachable
    values |= _pending_operations(known)
    values |= _resources(known)
    values |= allocation.snapshot(master)
    values |= state.counters
    if master.config.publish_per_framework_metrics:
        for framework in frameworks:
            values |= framework_metrics.of_framework(framework)
    values |= framework_metrics.of_principals(master)
    values |= _registrar(master)
    values |= master.timings.allocation_run.show("allocator/mesos/allocation_run_ms")
    values |= master.timings.allocation_latency.show("allocator/mesos/allocation_run_latency_ms")
    return {**values, **master.gauges}


def _registrar(master: MasterMachine) -> dict[str, float]:
    timings, ledger = master.timings, master.registry.ledger
    return {
        "registrar/queued_operations": float(ledger.queued),
        "registrar/registry_size_bytes": float(master.registry.size_bytes()),
        "registrar/log/recovered": float(master.is_recovered),
        **timings.state_fetch.show("registrar/state_fetch_ms"),
        **timings.state_store.show("registrar/state_store_ms"),
    }


def _resources(agents: list[Agent]) -> dict[str, float]:
    """Totals, what is used, and the part of it; what can be revoked apart."""
    whole = sum_of(agent.total for agent in agents)
    in_use = sum_of(agent.used for agent in agents)
    values: dict[str, float] = {}
    for kind, all_of, taken in (
        ("", whole.non_revocable(), in_use.non_revocable()),
        ("_revocable", whole.revocable(), in_use.revocable()),
    ):
        for name in SCALARS:
            total, used = number(all_of.scalar(name)), number(taken.scalar(name))
            values[f"master/{name}{kind}_total"] = total
            values[f"master/{name}{kind}_used"] = used
            values[f"master/{name}{kind}_percent"] = used / total if total else 0.0
    return values


def _pending_operations(agents: Iterable[Agent]) -> dict[str, float]:
    """Operations that have no end yet: `master/operations/pending` and by type."""
    values: dict[str, float] = {"master/operations/pending": 0}
    for agent in agents:
        for record in agent.operations.values():
            if record.latest_status.state == "OPERATION_PENDING":
                name = f"master/operations/{record.info.type.lower()}/pending"
                values[name] = values.get(name, 0) + 1
                values["master/operations/pending"] += 1
    return values


def prometheus(master: MasterMachine) -> str:
    """`/metrics`: the same values by Prometheus's rules of naming."""
    lines = []
    for name, value in snapshot(master).items():
        plain = re.sub(r"[^a-zA-Z0-9_]", "_", name)
        lines.append(f"mesos_{plain} {value:g}")
    return "\n".join(lines) + "\n"
