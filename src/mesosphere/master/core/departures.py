"""Agents that go: disconnected, unreachable, gone for good, replaced.

Invariants: an agent that does not answer pings in time is unreachable in the registry before
anybody hears of it; one that is gone never comes back; what an agent held is freed exactly once.
Source: Mesos, src/master/master.cpp (disconnect, markUnreachable, markGone, removeSlave).
"""

from typing import TYPE_CHECKING

import msgspec

from mesosphere.kernel.effects import EndStream
from mesosphere.kernel.http import Response, text_response
from mesosphere.master.core import executors, inverse_offers, offers, operations, tasks
from mesosphere.master.core.commands import AgentGone
from mesosphere.master.core.registry import ADMITTED, GONE, UNREACHABLE, AgentRecord
from mesosphere.master.core.state import Agent, Framework, TaskRecord
from mesosphere.wire import mesos
from mesosphere.wire.mesos import answers, link, scheduler
from mesosphere.wire.mesos.enums import is_terminal

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine


def replace(master: "MasterMachine", now: float, old: Agent) -> list[TaskRecord]:
    """Take the agent's earlier self out of the books; returns its tasks."""
    if old.stream is not None:
        master.state.streams.pop(old.stream, None)
        master.out.append(EndStream(old.stream))
        old.stream = None
    for offer in list(old.offers.values()):
        offers.rescind(master, now, offer)
    inverse_offers.withdraw_all(master, old)
    records = list(old.tasks.values())
    for record in records:
        if record.holds_resources:
            tasks.discharge(master, record)
    executors.leave_with(master, old)
    master.tree.add_total(old.total, sign=-1)
    master.state.drop_agent(old)
    return records


def disconnect(master: "MasterMachine", now: float, agent_id: str, reason: str) -> None:
    """Its stream broke: nothing of it is offered, its tasks run on."""
    agent = master.state.agents.get(agent_id)
    if agent is None:
        return
    agent.stream = None
    master.log("warning", "agent_disconnected", agent=agent_id, reason=reason)
    for offer in list(agent.offers.values()):
        offers.rescind(master, now, offer)
    inverse_offers.withdraw_all(master, agent)


def mark_unreachable(master: "MasterMachine", now: float, agent_id: str) -> None:
    """An agent is unreachable, once that is durable."""
    record = master.registry.agents.get(agent_id)
    if record is None or record.state != ADMITTED:
        return  # it leaves already, or is gone for good
    lost = msgspec.structs.replace(record, state=UNREACHABLE, since=now)
    master.registry.put_agent(agent_id, lost)

    def lose(later: float) -> None:
        record = master.registry.agents.get(agent_id)
        if record is None or record.state != UNREACHABLE:
            return  # it came back meanwhile
        master.state.unreachable[agent_id] = now
        master.state.recovered.pop(agent_id, None)
        master.state.count("master/slave_unreachable_completed")
        agent = master.state.agents.get(agent_id)
        if agent is not None:
            reason = "health check timed out"
            take_out(master, later, agent, "TASK_UNREACHABLE", reason, "unhealthy")

    master.when_durable(lose)


def take_out(
    master: "MasterMachine", now: float, agent: Agent, precise: str, reason: str, cause: str = ""
) -> None:
    """Remove an agent from the books: offers, tasks, and everybody is told.

    `precise` is the state of its tasks for who is PARTITION_AWARE, `cause` what metrics call it.
    """
    records = replace(master, now, agent)
    master.state.outages.pop(agent.id, None)
    master.filters.clear_agent(agent.id)
    for record in records:
        framework = master.state.frameworks.get(record.key[0])
        if framework is not None:
            _lose_task(master, now, framework, record, precise, reason)
    operations.lose(master, agent, precise, reason)
    failure = scheduler.Failure(agent_id=mesos.AgentID(agent.id))
    for framework in master.state.frameworks.values():
        master.tell(framework, scheduler.Event(type="FAILURE", failure=failure))
    master.publish("AGENT_REMOVED", answers.AgentRemoved(agent_id=mesos.AgentID(agent.id)))
    master.state.count("master/slave_removals")
    if cause:
        master.state.count(f"master/slave_removals/reason_{cause}")
    master.log("warning", "agent_removed", agent=agent.id, reason=reason, tasks=len(records))


def _lose_task(
    master: "MasterMachine",
    now: float,
    framework: Framework,
    record: TaskRecord,
    precise: str,
    reason: str,
) -> None:
    record.holds_resources = False  # the tree was released with the agent
    if is_terminal(record.task.state):
        tasks.remove(master, framework, record)
        return
    state = tasks.lost_state(framework, precise)
    code = "REASON_AGENT_REMOVED"
    if precise == "TASK_GONE_BY_OPERATOR":
        code = "REASON_AGENT_REMOVED_BY_OPERATOR"
    status = tasks.own_status(
        record.task.task_id, state, code, f"Agent {record.task.agent_id.value}: {reason}", now,
        record.task.agent_id,
    )  # fmt: skip
    if precise == "TASK_UNREACHABLE":
        status.unreachable_time = mesos.TimeInfo(nanoseconds=int(now * 1e9))
    tasks.move(master, record, status)
    if precise == "TASK_UNREACHABLE":
        framework.tasks.pop(record.task.task_id.value, None)
        framework.unreachable[record.task.task_id.value] = record
        while len(framework.unreachable) > master.config.max_unreachable_tasks_per_framework:
            del framework.unreachable[next(iter(framework.unreachable))]
    else:
        tasks.remove(master, framework, record)
    tasks.send(master, framework, status)


def mark_gone(master: "MasterMachine", now: float, event: AgentGone) -> None:
    """An operator says that an agent will never be back: for good."""
    if event.agent_id not in master.registry.agents:
        master.reply(event.request, text_response(404, f"Agent {event.agent_id} is not known"))
        return
    give_up(master, now, event.agent_id)
    master.when_durable(lambda later: master.reply(event.request, Response(200)))


def give_up(master: "MasterMachine", now: float, agent_id: str) -> None:
    """An agent is gone for good, once that is durable."""
    record = master.registry.agents[agent_id]
    if record.state == GONE:
        return
    master.registry.put_agent(agent_id, AgentRecord(record.info, GONE, now))

    def remove(later: float) -> None:
        master.state.gone[agent_id] = now
        master.state.unreachable.pop(agent_id, None)
        master.state.recovered.pop(agent_id, None)
        agent = master.state.agents.get(agent_id)
        if agent is not None:
            shutdown = link.Shutdown(message="Agent has been marked gone")
            master.tell_agent(agent, link.Event(type="SHUTDOWN", shutdown=shutdown))
            take_out(master, later, agent, "TASK_GONE_BY_OPERATOR", "marked gone by an operator")
        _lose_unreachable(master, later, agent_id)

    master.when_durable(remove)


def _lose_unreachable(master: "MasterMachine", now: float, agent_id: str) -> None:
    """Unreachable tasks of an agent that is gone will not come back either."""
    for framework in master.state.frameworks.values():
        for name, record in list(framework.unreachable.items()):
            if record.task.agent_id.value == agent_id:
                del framework.unreachable[name]
                reason = "marked gone by an operator"
                _lose_task(master, now, framework, record, "TASK_GONE_BY_OPERATOR", reason)
