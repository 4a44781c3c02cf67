"""What a master knows, as messages of the operator API: whole, and entry by entry.

Answers to reads, the first event of those who follow and the events after it are made of the same
entries, so they have one shape. Source: Mesos, src/master/master.cpp (protobuf::master::event),
src/internal/evolve.cpp.
"""

from typing import TYPE_CHECKING

from mesosphere.kernel.resources import Resources
from mesosphere.master.core import inverse_offers, offers
from mesosphere.master.core.state import Agent, Framework
from mesosphere.wire import mesos
from mesosphere.wire.mesos import answers
from mesosphere.wire.mesos.resources_codec import Format, to_wire

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine


def _time(seconds: float | None) -> mesos.TimeInfo | None:
    return None if not seconds else mesos.TimeInfo(nanoseconds=round(seconds * 1e9))


def _listed(resources: Resources) -> list[mesos.Resource]:
    return to_wire(resources, Format.REFINED)


def agent_entry(found: Agent) -> answers.AgentEntry:
    """An agent. `active`: it is connected and was not deactivated."""
    allocated, held_out = found.by_payer()
    return answers.AgentEntry(
        agent_info=found.info,
        active=found.is_connected and found.is_active,
        deactivated=not found.is_active,
        version=found.version,
        pid=found.pid,
        registered_time=_time(found.registered_at),
        reregistered_time=_time(found.reregistered_at),
        total_resources=_listed(found.total),
        allocated_resources=_listed(allocated),
        offered_resources=_listed(held_out),
        capabilities=[mesos.AgentCapability(type=name) for name in found.capabilities],
        drain_info=found.drain,
        estimated_drain_start_time=_time(found.drain_began_at),
    )


def framework_entry(master: "MasterMachine", found: Framework) -> answers.FrameworkEntry:
    """A framework, present or completed."""
    return answers.FrameworkEntry(
        framework_info=found.info,
        active=found.is_connected,
        connected=found.is_connected,
        recovered=found.is_recovered,
        registered_time=_time(found.registered_at),
        reregistered_time=_time(found.reregistered_at),
        unregistered_time=_time(found.unregistered_at),
        offers=[
            offers.as_message(offer, master.state.agents[offer.agent], found)
            for offer in found.offers.values()
        ],
        inverse_offers=[inverse_offers.as_message(each) for each in found.inverse_offers.values()],
        allocated_resources=_listed(found.used),
        offered_resources=_listed(found.offered),
        offer_constraints=found.offer_constraints,
    )


def agents(master: "MasterMachine") -> answers.GetAgents:
    """Every agent, and those that have not come back since this master leads."""
    return answers.GetAgents(
        agents=[agent_entry(found) for found in master.state.agents.values()],
        recovered_agents=list(master.state.recovered.values()),
    )


def frameworks(master: "MasterMachine") -> answers.GetFrameworks:
    """Every framework, and the last of those that were removed."""
    state = master.state
    return answers.GetFrameworks(
        frameworks=[framework_entry(master, found) for found in state.frameworks.values()],
        completed_frameworks=[framework_entry(master, found) for found in state.completed.values()],
    )


def executors(master: "MasterMachine") -> answers.GetExecutors:
    """Every executor that is not a command task's."""
    return answers.GetExecutors(
        executors=[
            answers.ExecutorEntry(executor_info=record.info, agent_id=mesos.AgentID(found.id))
            for found in master.state.agents.values()
            for record in found.executors.values()
        ]
    )


def tasks(master: "MasterMachine") -> answers.GetTasks:
    """Every task; completed ones also of completed frameworks."""
    live = list(master.state.frameworks.values())
    everybody = [*live, *master.state.completed.values()]
    return answers.GetTasks(
        tasks=[record.task for found in live for record in found.tasks.values()],
        unreachable_tasks=[record.task for found in live for record in found.unreachable.values()],
        completed_tasks=[record.task for found in everybody for record in found.completed],
    )


def state(master: "MasterMachine") -> answers.GetState:
    """Everything."""
    return answers.GetState(
        get_tasks=tasks(master),
        get_executors=executors(master),
        get_frameworks=frameworks(master),
        get_agents=agents(master),
    )
