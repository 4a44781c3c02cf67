"""What the allocator says of itself: metrics, and whom offer constraints exclude.

Source: Mesos, src/master/allocator/mesos/metrics.cpp and hierarchical.cpp (offerConstraintsDebug).
"""

from typing import Any

from mesosphere.kernel.resources import number
from mesosphere.master.core.enrolment import facts_of
from mesosphere.master.core.machine import MasterMachine

RESOURCES = ("cpus", "mem", "disk")


def snapshot(master: MasterMachine) -> dict[str, float]:
    """`allocator/...` but for its timers."""
    tree, quotas = master.tree, master.allocator.quotas
    waiting = float(bool(master.dirty))
    values = {
        "allocator/event_queue_dispatches": waiting,
        "allocator/mesos/event_queue_dispatches": waiting,
    }
    totals, held = tree.totals, tree.as_scalars(tree.held_by_all())
    for name in RESOURCES:
        prefix = f"allocator/mesos/resources/{name}"
        values[f"{prefix}/total"] = number(totals.get(name, 0))
        values[f"{prefix}/offered_or_allocated"] = number(held.get(name, 0))
    for role in tree.roles():
        values[f"allocator/mesos/roles/{role}/shares/dominant"] = tree.share_of(role)
    for role, count in master.filters.counts().items():
        values[f"allocator/mesos/offer_filters/roles/{role}/active"] = count
    for role, quota in quotas.items():
        consumed = tree.as_scalars(tree.consumed(role))
        for name in dict.fromkeys((*quota.guarantees, *quota.limits)):
            prefix = f"allocator/mesos/quota/roles/{role}/resources/{name}"
            values[f"{prefix}/offered_or_allocated"] = number(consumed.get(name, 0))
            values[f"{prefix}/guarantee"] = number(quota.guarantees.get(name, 0))
            if name in quota.limits:
                values[f"{prefix}/limit"] = number(quota.limits[name])
    return values


def offer_constraints(master: MasterMachine) -> dict[str, Any]:
    """`/allocator/offer_constraints_debug`: agents that each framework excludes, by role."""
    facts = {agent.id: facts_of(agent.info) for agent in master.state.agents.values()}
    shown = {}
    for framework in master.state.frameworks.values():
        excluded: dict[str, list[str]] = {}
        for role in framework.roles:
            constraint = framework.constraints.get(role)
            excluded[role] = (
                []
                if constraint is None
                else [name for name, known in facts.items() if not constraint.allows(known)]
            )
        shown[framework.id] = {
            "suppressed_roles": list(framework.suppressed),
            "excluded_by_attribute_constraints": excluded,
        }
    return {"frameworks": shown}
