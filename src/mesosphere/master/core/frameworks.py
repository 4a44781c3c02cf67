"""Frameworks: subscribed, failed over, away, removed.

Invariants: one stream per framework, a new one evicts the old; offers die with the stream; a
framework that stays away longer than its failover timeout is removed and everything it runs killed,
also when the master changed meanwhile; an id that was removed is never taken again.
Source: Mesos, src/master/master.cpp (subscribe, failoverFramework, removeFramework).
"""

from typing import TYPE_CHECKING

import msgspec

from mesosphere.kernel.effects import CancelTimer, EndStream, Send, SetTimer, StartStream
from mesosphere.kernel.http import text_response
from mesosphere.master.core import enrolment, executors, inverse_offers, offers, snapshot, tasks
from mesosphere.master.core.allocator.constraints import ConstraintsError, compile_constraints
from mesosphere.master.core.config import HEARTBEAT_S
from mesosphere.master.core.registry import FrameworkRecord
from mesosphere.master.core.state import Framework, TaskRecord
from mesosphere.master.core.validation import Refusal, check_framework, roles_of
from mesosphere.wire import mesos
from mesosphere.wire.mesos import answers, link, scheduler
from mesosphere.wire.mesos.enums import is_terminal

if TYPE_CHECKING:
    from mesosphere.master.core.commands import SchedulerCalled
    from mesosphere.master.core.machine import MasterMachine

FAILOVER_TIMER = "failover/"
STREAM_LIMIT_BYTES = 32 * 1024 * 1024
"""A framework that leaves so much unread is cut off."""

REMOVED = Refusal("FRAMEWORK_REMOVED", "Framework has been removed")
FAILED_OVER = Refusal("FRAMEWORK_FAILED_OVER", "Framework failed over")

FAILOVER_LIMIT_S = 10 * 365 * 86400.0


def subscribe(master: "MasterMachine", now: float, event: "SchedulerCalled") -> None:
    """SUBSCRIBE: refusals come as 200, an ERROR event and the end of the stream."""
    call = event.call.subscribe
    assert call is not None
    info = call.framework_info
    identifier = info.id.value if info.id is not None else ""
    fault = check_framework(
        info, call.suppressed_roles, master.config.roles, master.config.root_submissions
    ) or _check_constraints(call)
    known = master.state.frameworks.get(identifier)
    if identifier in master.state.completed or (known is not None and known.is_removed):
        fault = fault or REMOVED
    if fault is None and known is not None and info.principal != known.info.principal:
        text = "Changing framework's principal is not allowed."
        fault = Refusal("PRINCIPAL_CHANGED", text)
    if fault is not None:
        _refuse(master, event, fault)
        return
    is_new = known is None
    framework = known or _create(master, now, info, identifier)
    framework.subscribing += 1
    _persist(master, framework, _merged(framework, info))

    def attach(later: float) -> None:
        framework.subscribing -= 1
        if framework.is_removed:
            _refuse(master, event, REMOVED)
            return
        if not is_new:
            _fail_over(master, later, framework, info)
        _constrain(framework, call)
        _attach(master, framework, event)
        framework.count("calls/subscribe")
        master.state.count(
            "master/messages_register_framework"
            if is_new
            else "master/messages_reregister_framework"
        )
        _persist(master, framework, framework.info)
        _welcome(master, framework)

    master.when_durable(attach)


def _check_constraints(
    call: scheduler.Subscribe | scheduler.UpdateFramework,
) -> Refusal | None:
    try:
        compile_constraints(call.offer_constraints, tuple(roles_of(call.framework_info)))
    except ConstraintsError as error:
        return Refusal("INVALID_OFFER_CONSTRAINTS", str(error))
    return None


def _constrain(framework: Framework, call: scheduler.Subscribe | scheduler.UpdateFramework) -> None:
    """What it does not want to be offered: suppressed roles, agents beyond its constraints."""
    framework.suppressed = dict.fromkeys(call.suppressed_roles)
    framework.offer_constraints = call.offer_constraints
    framework.constraints = compile_constraints(call.offer_constraints, framework.roles)


def refusal_event(refusal: Refusal) -> scheduler.Event:
    """ERROR: the original's text, and the reason for programs."""
    error = scheduler.Error(message=refusal.text, reason=refusal.reason)
    return scheduler.Event(type="ERROR", error=error)


def _refuse(master: "MasterMachine", asked: "SchedulerCalled", refusal: Refusal) -> None:
    master.log("warning", "framework_refused", reason=refusal.text)
    event = refusal_event(refusal)
    master.out += [
        StartStream(asked.request, 200, {"Content-Type": asked.media.value}),
        Send(asked.request, asked.media.record(event)),
        EndStream(asked.request),
    ]


def _create(
    master: "MasterMachine", now: float, info: mesos.FrameworkInfo, identifier: str
) -> Framework:
    if not identifier:
        identifier = f"{master.id}-{master.framework_count:04d}"
        master.framework_count += 1
    info = msgspec.structs.replace(info, id=mesos.FrameworkID(identifier))
    framework = Framework(identifier, info, registered_at=now)
    master.state.frameworks[identifier] = framework
    master.log("info", "framework_added", framework=identifier, name=info.name)
    return framework


def recover(
    master: "MasterMachine", identifier: str, info: mesos.FrameworkInfo, registered_at: float
) -> Framework:
    """A framework known from the registry or an agent, until it subscribes again."""
    framework = master.state.frameworks.get(identifier)
    if framework is None:
        framework = Framework(identifier, info, registered_at, is_recovered=True)
        master.state.frameworks[identifier] = framework
        _publish(master, framework, "FRAMEWORK_ADDED")
        # It did not leave, the master did: it has as long as the agents have, whatever its timeout.
        _start_failover(master, framework, master.config.agent_reregister_timeout_s)
    return framework


def _merged(framework: Framework, info: mesos.FrameworkInfo) -> mesos.FrameworkInfo:
    """What a new subscription changes: `user` and `checkpoint` stay what they were."""
    return msgspec.structs.replace(
        info,
        id=mesos.FrameworkID(framework.id),
        user=framework.info.user,
        checkpoint=framework.info.checkpoint,
    )


def _fail_over(
    master: "MasterMachine", now: float, framework: Framework, info: mesos.FrameworkInfo
) -> None:
    if framework.stream is not None:
        master.tell(framework, refusal_event(FAILED_OVER))
        master.out.append(EndStream(framework.stream))
        master.state.streams.pop(framework.stream, None)
        framework.stream = None
    for offer in list(framework.offers.values()):
        offers.give_back(master, now, offer)  # the new stream never saw them: nothing to rescind
    inverse_offers.forget(master, framework)
    _leave_roles(master, framework)
    framework.info = _merged(framework, info)
    framework.reregistered_at = now
    framework.is_recovered = False
    master.out.append(CancelTimer(FAILOVER_TIMER + framework.id))
    master.log("info", "framework_failed_over", framework=framework.id)


def _attach(master: "MasterMachine", framework: Framework, asked: "SchedulerCalled") -> None:
    framework.stream = asked.request
    framework.media = asked.media
    framework.stream_id = master.ids.uuid()
    framework.is_recovered = False
    master.state.streams[asked.request] = ("framework", framework.id)


def _welcome(master: "MasterMachine", framework: Framework) -> None:
    assert framework.stream is not None
    headers = {"Content-Type": framework.media.value, "Mesos-Stream-Id": framework.stream_id}
    master.out.append(StartStream(framework.stream, 200, headers, STREAM_LIMIT_BYTES))
    subscribed = scheduler.Subscribed(
        framework_id=mesos.FrameworkID(framework.id),
        heartbeat_interval_seconds=HEARTBEAT_S,
        master_info=master.info,
    )
    master.tell(framework, scheduler.Event(type="SUBSCRIBED", subscribed=subscribed))
    master.tell(framework, scheduler.Event(type="HEARTBEAT"))
    enrolment.enroll(master, framework)
    is_new = framework.reregistered_at is None
    _announce(master, framework, "FRAMEWORK_ADDED" if is_new else "FRAMEWORK_UPDATED")
    master.make_all_dirty()


def _announce(master: "MasterMachine", framework: Framework, kind: str) -> None:
    update = link.UpdateFramework(framework_info=framework.info)
    master.tell_agents(link.Event(type="UPDATE_FRAMEWORK", update_framework=update))
    _publish(master, framework, kind)


def _publish(master: "MasterMachine", framework: Framework, kind: str) -> None:
    if master.subscribers:
        entry = snapshot.framework_entry(master, framework)
        made = answers.FrameworkAdded if kind == "FRAMEWORK_ADDED" else answers.FrameworkUpdated
        master.publish(kind, made(framework=entry))


def _persist(master: "MasterMachine", framework: Framework, info: mesos.FrameworkInfo) -> None:
    record = FrameworkRecord(info, framework.registered_at)
    if master.registry.frameworks.get(framework.id) != record:
        master.registry.put_framework(framework.id, record)


def _leave_roles(master: "MasterMachine", framework: Framework) -> None:
    # A role whose resources its tasks still hold goes with the last of them (tasks.discharge).
    for role in framework.roles:
        master.allocator.leave(role, framework.id)


def disconnect(master: "MasterMachine", now: float, identifier: str, reason: str) -> None:
    """Its stream broke: no offers, and the failover timeout runs."""
    framework = master.state.frameworks.get(identifier)
    if framework is None or framework.stream is None:
        return
    framework.stream = None
    framework.unanswered.clear()
    master.log("warning", "framework_disconnected", framework=identifier, reason=reason)
    for offer in list(framework.offers.values()):
        offers.give_back(master, now, offer)
    inverse_offers.forget(master, framework)
    master.filters.clear(identifier)
    enrolment.enroll(master, framework)
    _start_failover(master, framework)


def _start_failover(master: "MasterMachine", framework: Framework, at_least_s: float = 0.0) -> None:
    delay_s = min(max(framework.info.failover_timeout, at_least_s), FAILOVER_LIMIT_S)
    master.out.append(SetTimer(FAILOVER_TIMER + framework.id, delay_s))


def expire(master: "MasterMachine", now: float, identifier: str) -> None:
    """The failover timeout has passed."""
    framework = master.state.frameworks.get(identifier)
    if framework is not None and not framework.is_connected and not framework.subscribing:
        master.log("warning", "framework_failover_timeout", framework=identifier)
        remove(master, now, framework)


def remove(master: "MasterMachine", now: float, framework: Framework) -> None:
    """Remove a framework for good, and kill everything it runs once that is durable.

    It may not come back from now on. But whoever was deposed without noticing can't make it
    durable, and so ends nothing that runs for another leader.
    """
    framework.is_removed = True
    master.registry.remove_framework(framework.id)
    master.when_durable(lambda later: _end(master, later, framework))


def _end(master: "MasterMachine", now: float, framework: Framework) -> None:
    if master.state.frameworks.get(framework.id) is not framework:
        return
    if framework.stream is not None:
        master.out.append(EndStream(framework.stream))
        master.state.streams.pop(framework.stream, None)
        framework.stream = None
    for offer in list(framework.offers.values()):
        offers.give_back(master, now, offer)
    inverse_offers.leave(master, framework)
    body = link.ShutdownFramework(framework_id=mesos.FrameworkID(framework.id))
    master.tell_agents(link.Event(type="SHUTDOWN_FRAMEWORK", shutdown_framework=body))
    executors.release_all(master, framework)
    for record in list(framework.tasks.values()):
        _end_with_framework(master, now, framework, record)
    for role in framework.roles:
        master.allocator.leave(role, framework.id)
    master.filters.forget(framework.id)
    framework.unregistered_at = now
    del master.state.frameworks[framework.id]
    master.state.completed[framework.id] = framework
    while len(master.state.completed) > master.config.max_completed_frameworks:
        del master.state.completed[next(iter(master.state.completed))]
    master.out.append(CancelTimer(FAILOVER_TIMER + framework.id))
    master.publish("FRAMEWORK_REMOVED", answers.FrameworkRemoved(framework_info=framework.info))
    master.log("info", "framework_removed", framework=framework.id)


def _end_with_framework(
    master: "MasterMachine", now: float, framework: Framework, record: TaskRecord
) -> None:
    status = tasks.own_status(
        record.task.task_id,
        "TASK_KILLED",
        "REASON_FRAMEWORK_REMOVED",
        f"Framework {framework.id} removed",
        now,
        record.task.agent_id,
    )
    if not is_terminal(record.task.state):
        tasks.move(master, record, status)
    tasks.remove(master, framework, record)


def update(
    master: "MasterMachine",
    now: float,
    framework: Framework,
    request: str,
    call: scheduler.UpdateFramework,
) -> None:
    """UPDATE_FRAMEWORK: 200, or 400 with the reason."""
    info = call.framework_info
    refusal = check_framework(
        info, call.suppressed_roles, master.config.roles, master.config.root_submissions
    ) or _check_constraints(call)
    fault = None if refusal is None else refusal.text
    for name in ("user", "checkpoint", "principal"):
        if fault is None and getattr(info, name) != getattr(framework.info, name):
            fault = f"Changing framework's {name} is not allowed."
    if fault is not None:
        master.reply(request, text_response(400, fault))
        return
    _leave_roles(master, framework)
    framework.info = info
    for offer in list(framework.offers.values()):
        if offer.role not in framework.roles:
            offers.rescind(master, now, offer)
            master.allocator.leave(offer.role, framework.id)
    _constrain(framework, call)
    enrolment.enroll(master, framework)
    _persist(master, framework, info)

    def confirm(later: float) -> None:
        master.reply(request, text_response(200, ""))
        _announce(master, framework, "FRAMEWORK_UPDATED")

    master.when_durable(confirm)
    master.make_all_dirty()
