"""Calls of frameworks and operators: checked in the original's order, then carried out.

Source: Mesos, src/master/http.cpp (scheduler) for the checks, src/master/master.cpp for the calls.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mesosphere.kernel.http import Response, text_response
from mesosphere.kernel.resources import Resources
from mesosphere.master.core import (
    enrolment,
    frameworks,
    inverse_offers,
    launches,
    offers,
    operations,
    reconciliation,
    snapshot,
    tasks,
)
from mesosphere.master.core.commands import (
    OperatorSubscribed,
    SchedulerCalled,
    TeardownRequested,
)
from mesosphere.master.core.state import Agent, Framework, Offer
from mesosphere.master.core.subscribers import first_event
from mesosphere.wire import mesos, recordio
from mesosphere.wire.mesos import link, scheduler

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine

ACCEPTED = Response(202)

MESSAGES: Mapping[str, str] = {
    kind: f"master/messages_{name}"
    for kind, name in {
        "TEARDOWN": "unregister_framework",
        "ACCEPT": "launch_tasks",
        "DECLINE": "decline_offers",
        "REVIVE": "revive_offers",
        "SUPPRESS": "suppress_offers",
        "KILL": "kill_task",
        "ACKNOWLEDGE": "status_update_acknowledgement",
        "ACKNOWLEDGE_OPERATION_STATUS": "operation_status_update_acknowledgement",
        "RECONCILE": "reconcile_tasks",
        "RECONCILE_OPERATIONS": "reconcile_operations",
        "MESSAGE": "framework_to_executor",
        "REQUEST": "resource_request",
    }.items()
}
"""Counters of calls, by the names of the messages that they replaced."""


def take(master: "MasterMachine", now: float, event: SchedulerCalled) -> None:
    """A scheduler call that is valid by itself."""
    call = event.call
    if call.type == "SUBSCRIBE":
        if event.stream_id is not None:
            text = "Subscribe calls should not include the 'Mesos-Stream-Id' header"
            master.reply(event.request, text_response(400, text))
            return
        frameworks.subscribe(master, now, event)
        return
    assert call.framework_id is not None
    framework = master.state.frameworks.get(call.framework_id.value)
    fault = _check_stream(framework, event.stream_id)
    if fault is not None:
        master.reply(event.request, fault)
        return
    assert framework is not None
    framework.count(f"calls/{call.type.lower()}")
    if call.type in MESSAGES:
        master.state.count(MESSAGES[call.type])
    if call.type == "UPDATE_FRAMEWORK":
        assert call.update_framework is not None
        frameworks.update(master, now, framework, event.request, call.update_framework)
        return
    master.reply(event.request, ACCEPTED)
    _CALLS[call.type](master, now, framework, call)


def _check_stream(framework: Framework | None, stream_id: str | None) -> Response | None:
    if framework is None or framework.is_removed:
        return text_response(400, "Framework cannot be found")
    if not framework.is_connected:
        return text_response(403, "Framework is not subscribed")
    if stream_id is None:
        return text_response(400, "All non-subscribe calls should include the 'Mesos-Stream-Id'")
    if stream_id != framework.stream_id:
        text = (
            f"The stream ID '{stream_id}' included in this request didn't match the stream ID"
            f" currently associated with framework ID {framework.id}"
        )
        return text_response(400, text)
    return None


# --- ACCEPT and DECLINE -------------------------------------------------------------------------


def accept(master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call) -> None:
    """ACCEPT: apply the operations in order on the pool of the offers."""
    body = call.accept
    assert body is not None
    pool, fault = offers.take_pool(master, framework, [offer.value for offer in body.offer_ids])
    if fault is not None:
        for offer in pool:
            offers.give_back(master, now, offer)
        _drop(master, now, framework, body, "REASON_INVALID_OFFERS", fault)
        return
    framework.count("offers/accepted", len(pool))
    agent = master.state.agents[pool[0].agent]
    role = pool[0].role
    left = offers.sum_of(pool)
    refuse_s = None if body.filters is None else body.filters.refuse_seconds
    for offer in pool:
        # What is launched is charged anew; the rest goes back below.
        offers.remove(master, offer)
        master.tree.release(role, framework.id, offer.resources)
    offered = left
    for operation in body.operations:
        framework.count(f"operations/{operation.type.lower()}")
        left = _apply(master, now, framework, agent, operation, left, role)
    # What was converted and not used is offered again at once; only the rest was refused.
    refused = left - (left - offered)
    if not refused.is_empty:
        rest = Offer("", framework.id, agent.id, role, refused, now)
        offers.refuse(master, now, rest, refused, refuse_s)
    else:
        master.make_dirty(agent.id)


def _apply(
    master: "MasterMachine",
    now: float,
    framework: Framework,
    agent: Agent,
    operation: scheduler.Operation,
    left: Resources,
    role: str,
) -> Resources:
    if operation.type in launches.OPERATIONS:
        return launches.apply(master, now, framework, agent, operation, left, role)
    return operations.accept(master, now, framework, agent, operation, left, role)


def _drop(
    master: "MasterMachine",
    now: float,
    framework: Framework,
    body: scheduler.Accept,
    reason: str,
    fault: str,
) -> None:
    master.log("warning", "accept_dropped", framework=framework.id, reason=fault)
    for operation in body.operations:
        infos = list(operation.launch.task_infos) if operation.launch is not None else []
        if operation.launch_group is not None:
            infos += operation.launch_group.task_group.tasks
        for info in infos:
            state = tasks.lost_state(framework, "TASK_DROPPED")
            master.state.count(f"master/tasks_{state.removeprefix('TASK_').lower()}")
            message = f"Task launched with invalid offers: {fault}"
            status = tasks.own_status(info.task_id, state, reason, message, now, info.agent_id)
            tasks.send(master, framework, status)
        if not infos:
            reason_told = f"Operation attempted with invalid offers: {fault}"
            operations.refuse(master, framework, operation, reason_told)


def decline(
    master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call
) -> None:
    """DECLINE: unknown offers are ignored."""
    body = call.decline
    assert body is not None
    refuse_s = None if body.filters is None else body.filters.refuse_seconds
    for offer_id in body.offer_ids:
        offer = framework.offers.get(offer_id.value)
        if offer is not None:
            offers.give_back(master, now, offer, refuse_s)
            framework.count("offers/declined")


# --- the others ---------------------------------------------------------------------------------


def revive(master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call) -> None:
    """REVIVE: clear filters and suppression; an unknown role drops the call."""
    roles = call.revive.roles if call.revive is not None else []
    if any(role not in framework.roles for role in roles):
        return
    for role in roles or framework.roles:
        framework.suppressed.pop(role, None)
        master.allocator.revive(framework.id, role)
    enrolment.enroll(master, framework)
    inverse_offers.clear_filters(master, framework)
    master.make_all_dirty()


def suppress(
    master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call
) -> None:
    """SUPPRESS: no offers for these roles until REVIVE; an unknown role drops the call."""
    roles = call.suppress.roles if call.suppress is not None else []
    if all(role in framework.roles for role in roles):
        framework.suppressed |= dict.fromkeys(roles or framework.roles)
        enrolment.enroll(master, framework)


def _kill(master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call) -> None:
    assert call.kill is not None
    tasks.kill(master, now, framework, call.kill)


def _acknowledge(
    master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call
) -> None:
    assert call.acknowledge is not None
    tasks.acknowledge(master, framework, call.acknowledge)


def _reconcile(
    master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call
) -> None:
    assert call.reconcile is not None
    reconciliation.ask(master, now, framework, call.reconcile.tasks)


def _message(
    master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call
) -> None:
    assert call.message is not None
    agent = master.state.agents.get(call.message.agent_id.value)
    if agent is not None:
        body = link.Message(
            framework_id=mesos.FrameworkID(framework.id),
            executor_id=call.message.executor_id,
            data=call.message.data,
        )
        master.tell_agent(agent, link.Event(type="MESSAGE", message=body))


def _shutdown(
    master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call
) -> None:
    assert call.shutdown is not None
    agent = master.state.agents.get(call.shutdown.agent_id.value)
    if agent is not None:
        body = link.ShutdownExecutor(
            framework_id=mesos.FrameworkID(framework.id), executor_id=call.shutdown.executor_id
        )
        master.tell_agent(agent, link.Event(type="SHUTDOWN_EXECUTOR", shutdown_executor=body))


def _tear_down(
    master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call
) -> None:
    frameworks.remove(master, now, framework)


def _reconcile_operations(
    master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call
) -> None:
    assert call.reconcile_operations is not None
    operations.reconcile(master, framework, call.reconcile_operations.operations)


def _acknowledge_operation(
    master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call
) -> None:
    assert call.acknowledge_operation_status is not None
    operations.acknowledge(master, framework, call.acknowledge_operation_status)


def _ignore(
    master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call
) -> None:
    """REQUEST, as the original's allocator does."""


_CALLS: Mapping[str, Callable[["MasterMachine", float, Framework, scheduler.Call], None]] = {
    "ACCEPT": accept,
    "DECLINE": decline,
    "REVIVE": revive,
    "SUPPRESS": suppress,
    "KILL": _kill,
    "ACKNOWLEDGE": _acknowledge,
    "RECONCILE": _reconcile,
    "RECONCILE_OPERATIONS": _reconcile_operations,
    "MESSAGE": _message,
    "SHUTDOWN": _shutdown,
    "TEARDOWN": _tear_down,
    "REQUEST": _ignore,
    "ACCEPT_INVERSE_OFFERS": inverse_offers.answer,
    "DECLINE_INVERSE_OFFERS": inverse_offers.answer,
    "ACKNOWLEDGE_OPERATION_STATUS": _acknowledge_operation,
}


def tear_down(master: "MasterMachine", now: float, event: TeardownRequested) -> None:
    """An operator removes a framework: answered once that is durable."""
    framework = master.state.frameworks.get(event.framework_id)
    if framework is None:
        master.reply(event.request, text_response(400, "No framework found with specified ID"))
        return
    frameworks.remove(master, now, framework)
    master.when_durable(lambda later: master.reply(event.request, Response(200)))


def subscribe_operator(master: "MasterMachine", now: float, event: OperatorSubscribed) -> None:
    """An operator follows the event stream. The first event is made at once: others follow it."""
    stream_id = master.ids.uuid()
    page = master.pages.get(
        f"subscribed/{event.media.name}", lambda: first_event(event.media, snapshot.state(master))
    )
    first = recordio.encode(b"".join(page.finish()))
    master.out += master.subscribers.add(event.request, stream_id, event.media, first)
