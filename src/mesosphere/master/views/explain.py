"""Why a framework gets no offers: an answer that no Mesos gives."""

from typing import Any

from mesosphere.kernel.resources import format_resources
from mesosphere.master.core import enrolment
from mesosphere.master.core.allocator.claims import Cause, Hindrance, part_for
from mesosphere.master.core.machine import MasterMachine

AGENTS_SHOWN = 1_000


def explain(master: MasterMachine, now: float, framework_id: str) -> dict[str, Any] | None:
    """For each role and agent: what it would be offered, or why nothing. None: unknown."""
    framework = master.state.frameworks.get(framework_id)
    if framework is None:
        return None
    agents = master.state.agents
    shown: dict[str, Any] = {
        "framework_id": framework_id,
        "name": framework.info.name,
        "connected": framework.is_connected,
        "outstanding_offers": len(framework.offers),
        "agents_considered": len(agents),
        "roles": [],
    }
    for role in framework.roles:
        claimant = enrolment.claimant_of(master, framework, role)
        entries = []
        for agent in list(agents.values())[:AGENTS_SHOWN]:
            found = next(enrolment.slots(master, [agent]), None)
            if found is None:
                reason = Cause.AGENT_AWAY.value
            elif not framework.is_connected:
                reason = Cause.NOT_CONNECTED.value
            elif role in framework.suppressed:
                reason = Cause.SUPPRESSED.value
            else:
                part = part_for(now, found, claimant, None)
                reason = "will be offered when its turn comes"
                if isinstance(part, Hindrance):
                    reason = part.cause.value
            entries.append(
                {
                    "agent_id": agent.id,
                    "hostname": agent.info.hostname,
                    "free": format_resources(agent.free),
                    "reason": reason,
                }
            )
        shown["roles"].append(
            {"role": role, "dominant_share": master.tree.share_of(role), "agents": entries}
        )
    return shown
