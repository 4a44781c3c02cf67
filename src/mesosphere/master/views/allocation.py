"""Metrics of the allocator, by the original's names.

Source: Mesos, src/master/allocator/mesos/metrics.cpp.
"""

from mesosphere.kernel.resources import number
from mesosphere.master.core.machine import MasterMachine

RESOURCES = ("cpus", "mem", "disk")


def snapshot(master: MasterMachine) -> dict[str, float]:
    """`allocator/...` but for the time that runs take."""
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
