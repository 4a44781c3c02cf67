"""Metrics by the original's names, and the same as Prometheus text.

Source: Mesos, docs/monitoring.md; src/master/metrics.cpp.
"""

import re
from collections import Counter
from collections.abc import Iterable

from mesosphere.kernel.resources import number, sum_of
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.state import Agent
from mesosphere.master.views import allocation

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
)


def snapshot(master: MasterMachine) -> dict[str, float]:
    """`/metrics/snapshot`: a flat object."""
    state = master.state
    agents, frameworks = list(state.agents.values()), list(state.frameworks.values())
    connected = sum(1 for agent in agents if agent.is_connected)
    active = sum(1 for agent in agents if agent.is_connected and agent.is_active)
    subscribed = sum(1 for framework in frameworks if framework.is_connected)
    values: dict[str, float] = dict.fromkeys(COUNTERS, 0)
    values |= {
        "master/elected": float(master.is_recovered),
        "master/uptime_secs": master.gauges.get("process/uptime_secs", 0.0),
        "master/slaves_connected": connected,
        "master/slaves_disconnected": len(agents) - connected,
        "master/slaves_active": active,
        "master/slaves_inactive": len(agents) - active,
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
    values |= _pending_operations(agents)
    whole = sum_of(agent.total for agent in agents)
    in_use = sum_of(agent.used for agent in agents)
    for name in SCALARS:
        total, used = number(whole.scalar(name)), number(in_use.scalar(name))
        values[f"master/{name}_total"] = total
        values[f"master/{name}_used"] = used
        values[f"master/{name}_percent"] = used / total if total else 0.0
    values |= allocation.snapshot(master)
    values |= state.counters
    for framework in frameworks:
        prefix = f"master/frameworks/{framework.info.name}/{framework.id}"
        values[f"{prefix}/subscribed"] = float(framework.is_connected)
        values |= {f"{prefix}/{name}": count for name, count in framework.counts.items()}
        for role in framework.roles:
            values[f"{prefix}/roles/{role}/suppressed"] = float(role in framework.suppressed)
    return {**values, **master.gauges}


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
