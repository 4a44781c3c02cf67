"""Agents that come: admitted, back again, and what they say while they are here.

Invariants: an agent is told that it is admitted only after the registry says so; one that comes
back keeps its id and its tasks; one that is gone never comes back (`departures` sees them off).
Source: Mesos, src/master/master.cpp (registerSlave, reregisterSlave).
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from mesosphere.kernel.conversions import as_held, each_once
from mesosphere.kernel.effects import EndStream, Send, StartStream
from mesosphere.kernel.http import Response, text_response
from mesosphere.master.core import (
    departures,
    draining,
    executors,
    frameworks,
    maintenance,
    operations,
    removals,
    snapshot,
    tasks,
)
from mesosphere.master.core.commands import AgentCalled
from mesosphere.master.core.registry import ADMITTED, GONE, AgentRecord
from mesosphere.master.core.schedule import key_of
from mesosphere.master.core.state import Agent, Framework, TaskKey, TaskRecord
from mesosphere.wire import mesos, recordio
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import answers, codec, link, scheduler
from mesosphere.wire.mesos.enums import is_terminal
from mesosphere.wire.mesos.resources_codec import from_wire

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine

ACCEPTED = Response(202)
GONE_MESSAGE = "Agent has been marked gone"
MESSAGES: Mapping[str, str] = {
    kind: f"master/messages_{name}"
    for kind, name in {
        "UPDATE": "status_update",
        "UPDATE_OPERATION": "operation_status_update",
        "UNREGISTER": "unregister_slave",
        "EXITED_EXECUTOR": "exited_executor",
        "MESSAGE": "executor_to_framework",
    }.items()
}
"""Counters of calls, by the names of the original's messages."""

STREAM_LIMIT_BYTES = 64 * 1024 * 1024


def take(master: "MasterMachine", now: float, event: AgentCalled) -> None:
    """A call on an agent's link."""
    call = event.call
    if call.type == "SUBSCRIBE":
        if call.subscribe is None:
            master.reply(event.request, text_response(400, "Expecting 'subscribe' to be present"))
            return
        _subscribe(master, now, event, call.subscribe)
        return
    agent = None if call.agent_id is None else master.state.agents.get(call.agent_id.value)
    if call.type not in _CALLS:
        master.reply(event.request, text_response(400, f"Unknown call type '{call.type}'"))
    elif agent is None:
        master.reply(event.request, text_response(400, "Agent cannot be found"))
    elif not agent.is_connected or event.stream_id != agent.stream_id:
        master.reply(event.request, text_response(403, "Agent is not subscribed on this stream"))
    else:
        agent.missed_pings = 0
        if call.type in MESSAGES:
            master.state.count(MESSAGES[call.type])
        if master.state.removals:
            removals.cancel(master, agent.id)
        fault = _CALLS[call.type](master, now, agent, call)
        master.reply(event.request, text_response(400, fault) if fault else ACCEPTED)


# --- subscription -------------------------------------------------------------------------------


def _refuse(master: "MasterMachine", request: str, event: link.Event) -> None:
    master.out += [
        StartStream(request, 200, {"Content-Type": "application/json"}),
        Send(request, recordio.encode(codec.encode(event))),
        EndStream(request),
    ]


def _subscribe(
    master: "MasterMachine", now: float, event: AgentCalled, call: link.Subscribe
) -> None:
    try:
        # What it has now; an agent that says nothing of it has what its flags gave it.
        total = from_wire(call.total_resources or call.agent_info.resources)
    except WireError as error:
        _refuse(
            master, event.request, link.Event(type="ERROR", error=link.Error(message=str(error)))
        )
        return
    info = call.agent_info
    if master.config.require_agent_domain and info.domain is None:
        text = "Agent is not configured with a domain, which --require_agent_domain demands"
        _refuse(master, event.request, link.Event(type="ERROR", error=link.Error(message=text)))
        return
    identifier = info.id.value if info.id is not None else ""
    request = event.request
    known = master.registry.agents.get(identifier)
    if known is not None and known.state == GONE:
        master.when_durable(lambda later: _dismiss(master, request, GONE_MESSAGE))
        return
    is_new = not identifier
    pid = f"slave(1)@{event.peer or '127.0.0.1'}:{info.port}"
    machine = key_of(mesos.MachineID(hostname=info.hostname, ip=event.peer or "127.0.0.1"))
    if maintenance.is_down(master, machine):
        master.when_durable(lambda later: _dismiss(master, request, maintenance.DOWN_MESSAGE))
        return
    if is_new:
        identifier = f"{master.id}-S{master.agent_count}"
        master.agent_count += 1
        info = msgspec.structs.replace(info, id=mesos.AgentID(identifier))
        for twin in _twins(master, pid):
            master.registry.remove_agent(twin.id)
    if known is None:
        master.registry.put_agent(identifier, AgentRecord(info, ADMITTED, now))
    elif known.state != ADMITTED:
        back = msgspec.structs.replace(known, info=info, state=ADMITTED, since=now)
        master.registry.put_agent(identifier, back)
    elif known.info != info:
        master.registry.put_agent(identifier, msgspec.structs.replace(known, info=info))

    def admit(later: float) -> None:
        record = master.registry.agents.get(identifier)
        if record is None or record.state != ADMITTED:
            # It was marked gone, or left, or its machine was taken down while this waited.
            down = maintenance.is_down(master, machine)
            _dismiss(master, request, maintenance.DOWN_MESSAGE if down else GONE_MESSAGE)
            return
        if is_new:
            for twin in _twins(master, pid):
                master.registry.remove_agent(twin.id)
                reason = "the agent was started anew"
                departures.take_out(master, later, twin, "TASK_LOST", reason, "registered")
        agent = Agent(
            id=identifier,
            info=info,
            total=total,
            version=call.version,
            pid=pid,
            registered_at=later,
            capabilities=tuple(entry.type or "" for entry in call.capabilities),
        )
        _admit(master, later, request, agent, call, is_new)

    master.when_durable(admit)


def _dismiss(master: "MasterMachine", request: str, message: str) -> None:
    """It must end its tasks and itself."""
    shutdown = link.Shutdown(message=message)
    _refuse(master, request, link.Event(type="SHUTDOWN", shutdown=shutdown))


def _twins(master: "MasterMachine", pid: str) -> list[Agent]:
    """Agents registered at an address where a new one presents itself: they lost their state."""
    return master.state.agents_at(pid)


def _admit(
    master: "MasterMachine",
    now: float,
    request: str,
    agent: Agent,
    call: link.Subscribe,
    is_new: bool,
) -> None:
    state = master.state
    old = state.agents.get(agent.id)
    was_unreachable = state.unreachable.pop(agent.id, None) is not None
    state.recovered.pop(agent.id, None)
    removals.cancel(master, agent.id)
    unreported: list[TaskRecord] = []
    if old is not None:
        agent.registered_at = old.registered_at
        unreported = departures.replace(master, now, old)
        agent.outage = old.outage
    if not is_new:
        agent.reregistered_at = now
    state.add_agent(agent)
    draining.take_up(master, now, agent, old)
    if agent.outage is None:
        maintenance.begin(master, agent)
    master.tree.add_total(agent.total)
    agent.stream = request
    agent.stream_id = master.ids.uuid()
    state.streams[request] = ("agent", agent.id)
    headers = {"Content-Type": "application/json", "Mesos-Stream-Id": agent.stream_id}
    master.out.append(StartStream(request, 200, headers, STREAM_LIMIT_BYTES))
    config = master.config
    subscribed = link.Subscribed(
        agent_id=mesos.AgentID(agent.id),
        master_info=master.info,
        ping_timeout_s=config.agent_ping_interval_s * config.max_agent_ping_timeouts,
        drain=None if agent.drain is None else agent.drain.config,
    )
    master.tell_agent(agent, link.Event(type="SUBSCRIBED", subscribed=subscribed))
    _take_report(master, now, agent, call, was_unreachable)
    earlier = [] if old is None else list(old.operations.values())
    operations.take_report(master, agent, call.operations, earlier)
    _ask_for_unreported(master, agent, unreported)
    state.count("master/slave_registrations" if is_new else "master/slave_reregistrations")
    state.count("master/messages_register_slave" if is_new else "master/messages_reregister_slave")
    master.log(
        "info",
        "agent_admitted",
        agent=agent.id,
        hostname=agent.info.hostname,
        tasks=len(agent.tasks),
    )
    if old is None and master.subscribers:
        entry = snapshot.agent_entry(agent)
        master.publish("AGENT_ADDED", answers.AgentAdded(agent=entry))
    draining.check(master, now, agent)
    master.make_dirty(agent.id)


def _take_report(
    master: "MasterMachine", now: float, agent: Agent, call: link.Subscribe, was_unreachable: bool
) -> None:
    """The frameworks, executors and tasks that the agent brings."""
    for info in call.frameworks:
        if info.id is not None and info.id.value not in master.state.completed:
            frameworks.recover(master, info.id.value, info, now)
    stopped = executors.take_report(master, agent, call.executors)
    brought: dict[TaskKey, TaskRecord] = {}
    for report in call.tasks:
        framework = master.state.frameworks.get(report.task.framework_id.value)
        if framework is None:
            stopped[report.task.framework_id.value] = None
            continue
        record = _take_task(master, now, agent, framework, report, was_unreachable)
        if record is not None:
            brought[record.key] = record
    tasks.charge(master, agent, brought.values())
    for identifier in stopped:
        body = link.ShutdownFramework(framework_id=mesos.FrameworkID(identifier))
        master.tell_agent(agent, link.Event(type="SHUTDOWN_FRAMEWORK", shutdown_framework=body))


def _take_task(
    master: "MasterMachine",
    now: float,
    agent: Agent,
    framework: Framework,
    report: link.TaskReport,
    was_unreachable: bool,
) -> TaskRecord | None:
    """Put a task that an agent brings into the books, uncharged; None: it does not belong there."""
    task = report.task
    namesake = framework.tasks.get(task.task_id.value)
    if namesake is not None and namesake.task.agent_id.value != agent.id:
        # It was given up and its id used again elsewhere, where it lives now.
        body = link.KillTask(framework_id=task.framework_id, task_id=task.task_id)
        master.tell_agent(agent, link.Event(type="KILL_TASK", kill_task=body))
        return None
    earlier = framework.tasks.get(task.task_id.value) or framework.unreachable.pop(
        task.task_id.value, None
    )
    try:
        shape = master.shapes.of(task.resources)
    except WireError as error:
        master.log("error", "unreadable_task", task=task.task_id.value, reason=str(error))
        return None
    role = shape.role
    if role is None:
        role = earlier.role if earlier is not None else next(iter(framework.roles), "*")
    # Many tasks have these in common: they are kept once.
    task.resources, task.labels = shape.listed, master.shapes.labels(task.labels)
    task.framework_id = framework.info.id or task.framework_id
    task.agent_id = agent.info.id or task.agent_id
    record = TaskRecord(
        task,
        as_held(shape.resources, agent.total) if shape.has_volumes else shape.resources,
        role,
        is_command=task.executor_id is None,
        holds_resources=not is_terminal(task.state),
        kill_wanted=earlier.kill_wanted if earlier is not None else False,
    )
    if not task.statuses and earlier is not None:
        task.statuses = earlier.task.statuses
    # What the framework is told must not run ahead of the updates that it has yet to acknowledge.
    told = report.unacknowledged
    task.status_update_state = task.state if told is None else told.state
    task.status_update_uuid = None if told is None else told.uuid
    tasks.put(master, framework, agent, record)
    if was_unreachable:
        # Also who was told that it is lost: a lost task may come back to life.
        status = tasks.own_status(
            task.task_id,
            task.status_update_state,
            "REASON_AGENT_REREGISTERED",
            "Agent reregistered",
            now,
            task.agent_id,
        )
        tasks.send(master, framework, status)
    if record.kill_wanted and not is_terminal(task.state):
        body = link.KillTask(framework_id=task.framework_id, task_id=task.task_id)
        master.tell_agent(agent, link.Event(type="KILL_TASK", kill_task=body))
    return record


def _ask_for_unreported(master: "MasterMachine", agent: Agent, records: list[TaskRecord]) -> None:
    """Tasks that we sent and the agent did not report: it answers for each by an UPDATE."""
    asked = []
    for record in records:
        framework = master.state.frameworks.get(record.key[0])
        if framework is None or record.key in agent.tasks:
            continue
        # The volume that it was to use may never have been made.
        fits = agent.total.contains(each_once(agent.used + record.resources))
        record.holds_resources = fits and not is_terminal(record.task.state)
        tasks.add(master, framework, agent, record)
        asked.append(
            link.ReconcileTask(framework_id=record.task.framework_id, task_id=record.task.task_id)
        )
    if asked:
        body = link.Reconcile(tasks=asked)
        master.tell_agent(agent, link.Event(type="RECONCILE", reconcile=body))


# --- calls of a subscribed agent ----------------------------------------------------------------


def _update(master: "MasterMachine", now: float, agent: Agent, call: link.Call) -> str | None:
    if call.update is None:
        return "Expecting 'update' to be present"
    tasks.take_update(master, now, agent, call.update)
    return None


def _pong(master: "MasterMachine", now: float, agent: Agent, call: link.Call) -> str | None:
    return None


def _unregister(master: "MasterMachine", now: float, agent: Agent, call: link.Call) -> str | None:
    master.registry.remove_agent(agent.id)
    message = call.unregister.message if call.unregister is not None else None

    def leave(later: float) -> None:
        found = master.state.agents.get(agent.id)
        if found is not None:
            reason = message or "the agent unregistered"
            departures.take_out(master, later, found, "TASK_LOST", reason, "unregistered")

    master.when_durable(leave)
    return None


def _exited(master: "MasterMachine", now: float, agent: Agent, call: link.Call) -> str | None:
    if call.exited_executor is None:
        return "Expecting 'exited_executor' to be present"
    body = call.exited_executor
    executors.release(master, agent, body.framework_id.value, body.executor_id.value)
    framework = master.state.frameworks.get(body.framework_id.value)
    if framework is not None:
        failure = scheduler.Failure(
            agent_id=mesos.AgentID(agent.id), executor_id=body.executor_id, status=body.status
        )
        master.tell(framework, scheduler.Event(type="FAILURE", failure=failure))
    return None


def _message(master: "MasterMachine", now: float, agent: Agent, call: link.Call) -> str | None:
    if call.message is None:
        return "Expecting 'message' to be present"
    framework = master.state.frameworks.get(call.message.framework_id.value)
    if framework is not None:
        message = scheduler.Message(
            agent_id=mesos.AgentID(agent.id),
            executor_id=call.message.executor_id,
            data=call.message.data,
        )
        master.tell(framework, scheduler.Event(type="MESSAGE", message=message))
    return None


_CALLS: Mapping[str, Callable[["MasterMachine", float, Agent, link.Call], str | None]] = {
    "UPDATE": _update,
    "PONG": _pong,
    "UNREGISTER": _unregister,
    "EXITED_EXECUTOR": _exited,
    "MESSAGE": _message,
    "UPDATE_OPERATION": operations.take_update,
}
