"""Why a framework gets no offers: an answer that no Mesos gives."""

from typing import Any

from mesosphere.kernel.resources import format_resources
from mesosphere.master.core.allocator.cycle import Free, verdict
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.offers import claimants

AGENTS_SHOWN = 1_000


def explain(master: MasterMachine, now: float, framework_id: str) -> dict[str, Any] | None:
    """For each role and agent: what it would be offered, or why nothing. None: unknown."""
    framework = master.state.frameworks.get(framework_id)
    if framework is None:
        return None
    claimant = claimants(master).get(framework_id)
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
        entries = []
        for agent in list(agents.values())[:AGENTS_SHOWN]:
            if not agent.is_connected:
                reason = "the agent is not connected"
            elif claimant is None:
                reason = "the framework is not connected"
            else:
                found = verdict(
                    Free(agent.id, agent.free),
                    role,
                    framework_id,
                    claimant,
                    master.filters,
                    now,
                    lambda name: agents[name].has_gpus,
                )
                reason = found if isinstance(found, str) else "will be offered when its turn comes"
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
