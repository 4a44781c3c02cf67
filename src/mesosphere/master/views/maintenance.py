"""Maintenance as operators see it: the schedule, who drains, who is down.

Source: Mesos, include/mesos/v1/maintenance/maintenance.proto.
"""

from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.schedule import Key, Mode
from mesosphere.wire.mesos import ClusterStatus, DrainingMachine, InverseOfferStatus, Schedule


def schedule(master: MasterMachine) -> Schedule:
    """The schedule that is durable."""
    return master.state.maintenance.schedule


def status(master: MasterMachine) -> ClusterStatus:
    """Machines that drain, with what frameworks answered to inverse offers, and those down."""
    answers: dict[Key, list[InverseOfferStatus]] = {}
    for agent_id in master.state.outages:
        agent = master.state.agents[agent_id]
        if agent.outage is not None:
            answers.setdefault(agent.machine, []).extend(agent.outage.answers.values())
    machines = master.state.machines.items()
    return ClusterStatus(
        draining_machines=[
            DrainingMachine(id=machine, statuses=answers.get(key, []))
            for key, (machine, _, mode) in machines
            if mode is Mode.DRAINING
        ],
        down_machines=[machine for _, (machine, _, mode) in machines if mode is Mode.DOWN],
    )
