"""Draining: an operator empties an agent, or only keeps new tasks away from it.

A *deactivated* agent is offered to nobody. A *draining* one is deactivated and told to end its
tasks; it is *drained* when no task and no operation is left in the books, which is when the last
end was acknowledged, and then, if that was wished, marked gone.

Invariants: the registry says so first; the wish holds across changes of leader and returns of the
agent until it is taken back; nothing is launched on an agent that drains or is drained.
Source: Mesos, src/master/http.cpp (drainAgent, deactivateAgent, reactivateAgent),
src/master/master.cpp (checkAndTransitionDrainingAgent).
"""

from typing import TYPE_CHECKING

import msgspec

from mesosphere.kernel.http import Response, text_response
from mesosphere.master.core import departures, inverse_offers, offers
from mesosphere.master.core.commands import (
    AgentDeactivated,
    AgentDrained,
    AgentReactivated,
)
from mesosphere.master.core.registry import GONE, AgentRecord
from mesosphere.master.core.state import Agent
from mesosphere.wire import mesos
from mesosphere.wire.mesos import link

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine

CAPABILITY = "AGENT_DRAINING"
DRAINING = "DRAINING"
DRAINED = "DRAINED"


def _find(master: "MasterMachine", request: str, agent_id: str) -> AgentRecord | None:
    """The record of an agent that may still come; without one the request was answered."""
    record = master.registry.agents.get(agent_id)
    if record is not None and record.state != GONE:
        return record
    if record is not None and agent_id not in master.state.gone:
        master.reply(request, text_response(409, "Agent is currently being marked gone"))
    else:
        master.reply(request, text_response(400, "Unknown agent"))
    return None


def drain(master: "MasterMachine", now: float, event: AgentDrained) -> None:
    """DRAIN_AGENT: no more offers, and all its tasks are ended."""
    record = _find(master, event.request, event.agent_id)
    if record is None:
        return
    agent = master.state.agents.get(event.agent_id)
    fault = None
    if agent is not None and CAPABILITY not in agent.capabilities:
        fault = "Agent is not capable of being drained"
    elif agent is not None and agent.machine in master.registry.maintenance.machines():
        fault = "Agent is part of a maintenance schedule"
    if fault is not None:
        master.reply(event.request, text_response(400, fault))
        return
    wish = mesos.DrainInfo(state=DRAINING, config=event.config)
    _put(master, event.agent_id, record, wish, is_deactivated=True)

    def tell(later: float) -> None:
        found = _apply(master, later, event.agent_id, wish, is_active=False)
        master.reply(event.request, Response(200))
        if found is not None:
            master.log("info", "agent_draining", agent=found.id, tasks=len(found.tasks))
            found.drain_began_at = later
            order = link.Drain(config=wish.config)
            master.tell_agent(found, link.Event(type="DRAIN", drain=order))
            check(master, later, found)

    master.when_durable(tell)


def deactivate(master: "MasterMachine", now: float, event: AgentDeactivated) -> None:
    """DEACTIVATE_AGENT: no more offers; what runs there runs on."""
    record = _find(master, event.request, event.agent_id)
    if record is not None:
        _put(master, event.agent_id, record, record.drain, is_deactivated=True)
        _confirm(master, event.request, event.agent_id, record.drain, is_active=False)


def reactivate(master: "MasterMachine", now: float, event: AgentReactivated) -> None:
    """REACTIVATE_AGENT: it is offered again."""
    record = _find(master, event.request, event.agent_id)
    if record is None:
        return
    fault = None
    if not record.is_deactivated:
        fault = "Agent is not deactivated"
    elif record.drain is not None and record.drain.state == DRAINING:
        fault = "Agent is still in the DRAINING state"
    if fault is not None:
        master.reply(event.request, text_response(400, fault))
        return
    _put(master, event.agent_id, record, None, is_deactivated=False)
    _confirm(master, event.request, event.agent_id, None, is_active=True)


def _put(
    master: "MasterMachine",
    agent_id: str,
    record: AgentRecord,
    wish: mesos.DrainInfo | None,
    is_deactivated: bool,
) -> None:
    changed = msgspec.structs.replace(record, drain=wish, is_deactivated=is_deactivated)
    if changed != record:
        master.registry.put_agent(agent_id, changed)


def _confirm(
    master: "MasterMachine",
    request: str,
    agent_id: str,
    wish: mesos.DrainInfo | None,
    is_active: bool,
) -> None:
    def confirm(later: float) -> None:
        _apply(master, later, agent_id, wish, is_active)
        master.reply(request, Response(200))

    master.when_durable(confirm)


def _apply(
    master: "MasterMachine",
    now: float,
    agent_id: str,
    wish: mesos.DrainInfo | None,
    is_active: bool,
) -> Agent | None:
    """What is durable holds for the agent, if it is here."""
    agent = master.state.agents.get(agent_id)
    if agent is None:
        return None
    agent.drain = wish
    agent.is_active = is_active
    if is_active:
        agent.drain_began_at = None
        master.make_dirty(agent.id)
    else:
        for offer in list(agent.offers.values()):
            offers.rescind(master, now, offer)
        inverse_offers.withdraw_all(master, agent)
    return agent


def take_up(master: "MasterMachine", now: float, agent: Agent, old: Agent | None) -> None:
    """An agent was admitted: what operators wished of it holds."""
    record = master.registry.agents[agent.id]
    agent.is_active = not record.is_deactivated
    agent.drain = record.drain
    if agent.drain is not None:
        began = None if old is None else old.drain_began_at
        agent.drain_began_at = now if began is None else began


def check_relieved(master: "MasterMachine", now: float) -> None:
    """At the end of a step: the agents that lost a task in it."""
    relieved, master.state.relieved = master.state.relieved, {}
    for agent_id in relieved:
        agent = master.state.agents.get(agent_id)
        if agent is not None:
            check(master, now, agent)


def check(master: "MasterMachine", now: float, agent: Agent) -> None:
    """An agent that drains is drained once nothing is left on it."""
    if agent.drain is None or agent.drain.state != DRAINING:
        return
    if agent.tasks or agent.operations:
        return
    record = master.registry.agents.get(agent.id)
    if record is None or record.drain is None or record.drain.state != DRAINING:
        return  # it is being written, or the agent leaves
    if record.drain.config.mark_gone:
        departures.give_up(master, now, agent.id)
        return
    done = mesos.DrainInfo(state=DRAINED, config=record.drain.config)
    _put(master, agent.id, record, done, is_deactivated=True)

    def rest(later: float) -> None:
        found = _apply(master, later, agent.id, done, is_active=False)
        if found is not None:
            master.log("info", "agent_drained", agent=found.id)

    master.when_durable(rest)
