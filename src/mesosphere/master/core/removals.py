"""Removals: how fast, and how many, agents may be given up; what the registry forgets.

An agent that is to be unreachable waits for its turn while `--agent_removal_rate_limit` holds; a
word of it before that cancels the removal. A new leader that misses more agents than
`--recovery_agent_removal_limit` ends rather than give up half a cluster. Unreachable and gone
agents are remembered so long and so many as the flags say.
Source: Mesos, src/master/master.cpp (SlaveObserver, recoveredSlavesTimeout, doRegistryGc).
"""

from typing import TYPE_CHECKING

from mesosphere.kernel.effects import Halt, SetTimer
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.master.core import departures
from mesosphere.master.core.registry import ADMITTED, GONE, UNREACHABLE

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine

TIMER = "removal"
GC_TIMER = "registry/gc"


def schedule(master: "MasterMachine", agent_id: str) -> None:
    """An agent is to be unreachable when its turn comes."""
    record = master.registry.agents.get(agent_id)
    if record is not None and record.state == ADMITTED and agent_id not in master.state.removals:
        master.state.removals[agent_id] = None
        master.state.count("master/slave_unreachable_scheduled")


def cancel(master: "MasterMachine", agent_id: str) -> None:
    """There is word of an agent that waited for its turn."""
    if agent_id in master.state.removals:
        del master.state.removals[agent_id]
        master.state.count("master/slave_unreachable_canceled")
        master.log("info", "removal_cancelled", agent=agent_id)


def run(master: "MasterMachine", now: float) -> None:
    """Give up those whose turn it is."""
    state = master.state
    while state.removals and now >= state.next_removal_at:
        agent_id = next(iter(state.removals))
        del state.removals[agent_id]
        departures.mark_unreachable(master, now, agent_id)
        state.next_removal_at = now + master.config.agent_removal_interval_s
    if state.removals:
        master.out.append(SetTimer(TIMER, state.next_removal_at - now))


def give_up_recovered(master: "MasterMachine", now: float) -> None:
    """Agents of an earlier leader did not come back in time."""
    missing, known = len(master.state.recovered), master.state.recovered_count
    limit = master.config.recovery_agent_removal_limit
    if missing > limit * known:
        reason = (
            f"Post-recovery agent removal limit exceeded! {missing} of {known} agents recovered "
            f"from the registry did not re-register, more than {limit:.0%} of them: find out why, "
            "or raise --recovery_agent_removal_limit"
        )
        master.out.append(Halt(ExitCode.AGENTS_MISSING, reason))
        return
    for agent_id in master.state.recovered:
        master.state.count("master/recovery_slave_removals")
        schedule(master, agent_id)
    run(master, now)


def collect(master: "MasterMachine", now: float) -> None:
    """Forget unreachable and gone agents that are too old or too many."""
    config = master.config
    master.out.append(SetTimer(GC_TIMER, config.registry_gc_interval_s))
    old: list[str] = []
    for state in (UNREACHABLE, GONE):
        found = sorted(
            (record.since, agent_id)
            for agent_id, record in master.registry.agents.items()
            if record.state == state
        )
        surplus = max(len(found) - config.registry_max_agent_count, 0)
        old += [
            agent_id
            for place, (since, agent_id) in enumerate(found)
            if place < surplus or now - since > config.registry_max_agent_age_s
        ]
    for agent_id in old:
        master.registry.remove_agent(agent_id)

    def forget(later: float) -> None:
        for agent_id in old:
            if agent_id not in master.registry.agents:
                master.state.unreachable.pop(agent_id, None)
                master.state.gone.pop(agent_id, None)

    if old:
        master.log("info", "agents_forgotten", count=len(old))
        master.when_durable(forget)
