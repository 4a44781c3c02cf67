"""Maintenance: operators plan it, take machines down and up; agents and frameworks are told.

Invariants: the registry says so first; what is shown and offered is what is durable; an agent on a
machine that is down is sent away, however often it comes; a new plan for a machine rescinds what
was offered under the old one, the same plan again rescinds nothing.
Source: Mesos, src/master/http.cpp (updateMaintenanceSchedule, startMaintenance, stopMaintenance).
"""

from typing import TYPE_CHECKING

from mesosphere.kernel.http import Response, text_response
from mesosphere.master.core import departures, inverse_offers, offers, schedule
from mesosphere.master.core.commands import MachinesStarted, MachinesStopped, ScheduleReplaced
from mesosphere.master.core.schedule import Change, Key, Maintenance, Mode
from mesosphere.master.core.state import Agent, Outage
from mesosphere.wire.mesos import link

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine

DOWN_MESSAGE = "Machine is `DOWN`"


def replace_schedule(master: "MasterMachine", now: float, event: ScheduleReplaced) -> None:
    """UPDATE_MAINTENANCE_SCHEDULE: the whole schedule anew."""
    known = master.registry.maintenance
    fault = schedule.check_schedule(known, event.schedule)
    wanted = known if fault is not None else schedule.replaced(known, event.schedule)
    _carry_out(master, event.request, wanted, fault)


def stop_machines(master: "MasterMachine", now: float, event: MachinesStopped) -> None:
    """START_MAINTENANCE: their agents are sent away and their tasks are lost."""
    known = master.registry.maintenance
    fault = schedule.check_change(known, event.machines, Change.START)
    wanted = known if fault is not None else schedule.brought_down(known, event.machines)
    if fault is None:
        keys = {schedule.key_of(machine) for machine in event.machines}
        for agent in _agents_on(master, keys):
            master.registry.remove_agent(agent.id)
    _carry_out(master, event.request, wanted, fault)


def start_machines(master: "MasterMachine", now: float, event: MachinesStarted) -> None:
    """STOP_MAINTENANCE: their agents are welcome again."""
    known = master.registry.maintenance
    fault = schedule.check_change(known, event.machines, Change.STOP)
    wanted = known if fault is not None else schedule.brought_up(known, event.machines)
    _carry_out(master, event.request, wanted, fault)


def _carry_out(
    master: "MasterMachine", request: str, wanted: Maintenance, fault: str | None
) -> None:
    fault = fault or schedule.check_size(wanted)
    if fault is not None:
        master.reply(request, text_response(400, fault))
        return
    master.registry.put_maintenance(wanted)

    def confirm(later: float) -> None:
        take(master, later, wanted)
        master.reply(request, Response(200))

    master.when_durable(confirm)


def take(master: "MasterMachine", now: float, wanted: Maintenance) -> None:
    """What is durable holds from now on."""
    state = master.state
    before, after = state.machines, wanted.machines()
    state.maintenance, state.machines = wanted, after
    changed = {
        key for key in (*before, *after) if before.get(key, ())[1:] != after.get(key, ())[1:]
    }
    for agent in _agents_on(master, changed):
        found = after.get(agent.machine)
        if found is not None and found[2] is Mode.DOWN:
            shutdown = link.Shutdown(message=DOWN_MESSAGE)
            master.tell_agent(agent, link.Event(type="SHUTDOWN", shutdown=shutdown))
            departures.take_out(master, now, agent, "TASK_LOST", "the machine is down")
        else:
            for offer in list(agent.offers.values()):
                offers.rescind(master, now, offer)
            end(master, agent)
            begin(master, agent)


def _agents_on(master: "MasterMachine", keys: set[Key]) -> list[Agent]:
    if not keys:
        return []
    return [agent for agent in master.state.agents.values() if agent.machine in keys]


def is_down(master: "MasterMachine", key: Key) -> bool:
    """Whether the machine is down, or about to be."""
    return key in master.registry.down


def begin(master: "MasterMachine", agent: Agent) -> None:
    """What is planned for an agent's machine concerns it from now on."""
    found = master.state.machines.get(agent.machine) if master.state.machines else None
    if found is not None:
        agent.outage = Outage(found[1])
        master.state.outages[agent.id] = None
        master.make_dirty(agent.id)


def end(master: "MasterMachine", agent: Agent) -> None:
    """Nothing is planned for it any more."""
    if agent.outage is not None:
        inverse_offers.withdraw_all(master, agent)
        agent.outage = None
        del master.state.outages[agent.id]
        master.make_dirty(agent.id)
