"""Metrics of each framework and of each principal.

Source: Mesos, src/master/metrics.cpp, FrameworkMetrics.
"""

from collections import Counter
from urllib.parse import quote

from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.state import Framework
from mesosphere.wire.mesos.enums import (
    OPERATION_TYPE,
    SCHEDULER_CALL_TYPE,
    SCHEDULER_EVENT_TYPE,
    TASK_STATES,
    is_terminal,
)

KINDS = {
    "calls": SCHEDULER_CALL_TYPE,
    "events": SCHEDULER_EVENT_TYPE,
    "operations": OPERATION_TYPE,
}
ZERO = {
    **{
        f"{kind}/{name.lower()}": 0
        for kind, names in KINDS.items()
        for name in names
        if name != "UNKNOWN"
    },
    **{f"offers/{name}": 0 for name in ("sent", "accepted", "declined", "rescinded")},
    **{
        f"tasks/{'terminal' if is_terminal(state) else 'active'}/{state.lower()}": 0
        for state in TASK_STATES
    },
}
"""Everything that is counted for a framework."""


def of_framework(found: Framework) -> dict[str, float]:
    """The metrics of one, by the original's names."""
    prefix = f"master/frameworks/{quote(found.info.name, safe='')}/{found.id}"
    counts = {**ZERO, **found.counts}
    for state, count in Counter(
        record.task.state for record in (*found.tasks.values(), *found.unreachable.values())
    ).items():
        if not is_terminal(state):
            counts[f"tasks/active/{state.lower()}"] = count
    shown = {f"{prefix}/{name}": float(count) for name, count in counts.items()}
    shown[f"{prefix}/subscribed"] = float(found.is_connected)
    for kind in KINDS:
        begin = f"{kind}/"
        total = sum(count for name, count in counts.items() if name.startswith(begin))
        shown[f"{prefix}/{kind}"] = float(total)
    for role in found.roles:
        shown[f"{prefix}/roles/{role}/suppressed"] = float(role in found.suppressed)
    return shown


def of_principals(master: MasterMachine) -> dict[str, float]:
    """Messages that came from the frameworks of each principal."""
    shown: dict[str, float] = {}
    for found in master.state.frameworks.values():
        if found.info.principal:
            calls = sum(n for name, n in found.counts.items() if name.startswith("calls/"))
            for name in ("received", "processed"):
                key = f"frameworks/{found.info.principal}/messages_{name}"
                shown[key] = shown.get(key, 0.0) + calls
    return shown
