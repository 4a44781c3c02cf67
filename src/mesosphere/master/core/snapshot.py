"""What a master knows, as messages of the operator API: whole, and entry by entry.

Answers to reads, the first event of those who follow and the events after it are made of the same
entries, so they have one shape. The whole of it comes in slices: what is shown is looked at when a
section is made, and is what does not change in place.

Source: Mesos, src/master/master.cpp (protobuf::master::event), src/internal/evolve.cpp.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from mesosphere.kernel.resources import Resources
from mesosphere.master.core import inverse_offers, offer_messages
from mesosphere.master.core.state import Agent, AgentValues, Framework, values_of
from mesosphere.wire import mesos
from mesosphere.wire.mesos import answers
from mesosphere.wire.mesos.resources_codec import Format, to_wire
from mesosphere.wire.mesos.sections import Parts, Section

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine


TASKS_PER_SLICE = 64
AGENTS_PER_SLICE = 32
FRAMEWORKS_PER_SLICE = 8


def _time(seconds: float | None) -> mesos.TimeInfo | None:
    return None if not seconds else mesos.TimeInfo(nanoseconds=round(seconds * 1e9))


def _listed(resources: Resources) -> list[mesos.Resource]:
    return to_wire(resources, Format.REFINED)


def agent_entry(found: Agent) -> answers.AgentEntry:
    """An agent. `active`: it is connected and was not deactivated."""
    return _agent_entry(values_of(found), *found.by_payer())


def _agent_entry(
    found: AgentValues, allocated: Resources, held_out: Resources
) -> answers.AgentEntry:
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
            offer_messages.as_message(offer, master.state.agents[offer.agent], found)
            for offer in found.offers.values()
        ],
        inverse_offers=[inverse_offers.as_message(each) for each in found.inverse_offers.values()],
        allocated_resources=_listed(found.used),
        offered_resources=_listed(found.offered),
        offer_constraints=found.offer_constraints,
    )


def _parts(make: Callable[[Any], Any], held: Iterable[Any], size: int) -> Parts:
    """What is made of what is held now, so many at a time."""
    return _made(make, list(held), size)


def _made(make: Callable[[Any], Any], held: list[Any], size: int) -> Parts:
    for start in range(0, len(held), size):
        yield list(map(make, held[start : start + size]))


def agents(master: "MasterMachine") -> Section:
    """Every agent, and those that have not come back since this master leads."""
    known = master.state.agents.values()
    held = [(values_of(found), *found.by_payer()) for found in known]
    return Section(
        answers.GetAgents,
        {
            "agents": _parts(lambda each: _agent_entry(*each), held, AGENTS_PER_SLICE),
            "recovered_agents": _parts(_same, master.state.recovered.values(), AGENTS_PER_SLICE),
        },
    )


def frameworks(master: "MasterMachine") -> Section:
    """Every framework, and the last of those that were removed."""
    known = {
        "frameworks": master.state.frameworks.values(),
        "completed_frameworks": master.state.completed.values(),
    }
    entries = {
        name: [framework_entry(master, found) for found in listed] for name, listed in known.items()
    }
    return Section(
        answers.GetFrameworks,
        {name: _parts(_same, listed, FRAMEWORKS_PER_SLICE) for name, listed in entries.items()},
    )


def executors(master: "MasterMachine") -> Section:
    """Every executor that is not a command task's."""
    held = [
        (record.info, found.id)
        for found in master.state.agents.values()
        for record in found.executors.values()
    ]

    def entry(each: tuple[mesos.ExecutorInfo, str]) -> answers.ExecutorEntry:
        return answers.ExecutorEntry(executor_info=each[0], agent_id=mesos.AgentID(each[1]))

    return Section(answers.GetExecutors, {"executors": _parts(entry, held, AGENTS_PER_SLICE)})


def tasks(master: "MasterMachine") -> Section:
    """Every task; completed ones also of completed frameworks."""
    live = list(master.state.frameworks.values())
    everybody = [*live, *master.state.completed.values()]
    held = {
        "tasks": (record.task for found in live for record in found.tasks.values()),
        "completed_tasks": (record.task for found in everybody for record in found.completed),
        "unreachable_tasks": (
            record.task for found in live for record in found.unreachable.values()
        ),
    }
    return Section(
        answers.GetTasks,
        {name: _parts(_same, listed, TASKS_PER_SLICE) for name, listed in held.items()},
    )


def state(master: "MasterMachine") -> Section:
    """Everything."""
    return Section(
        answers.GetState,
        {
            "get_tasks": tasks(master),
            "get_executors": executors(master),
            "get_frameworks": frameworks(master),
            "get_agents": agents(master),
        },
    )


def _same(value: Any) -> Any:
    return value
