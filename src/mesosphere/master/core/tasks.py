"""Tasks: launched from offers, moved by updates, acknowledged, killed, reconciled.

Invariants: a task's resources are charged once (agent, share tree) while it holds them; a terminal
state never changes; updates without uuid are the master's own, sent once and never acknowledged.
Source: Mesos, src/master/master.cpp (updateTask, statusUpdate, acknowledge, reconcile).
"""

from collections.abc import Iterable
from copy import copy
from typing import TYPE_CHECKING

import msgspec

from mesosphere.kernel.resources import Resources, sum_of
from mesosphere.master.core.life_cycle import TASK, Action
from mesosphere.master.core.state import Agent, Framework, TaskRecord
from mesosphere.wire import mesos
from mesosphere.wire.mesos import answers, link, scheduler
from mesosphere.wire.mesos.enums import is_terminal

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine


CHECKED = ("REASON_TASK_CHECK_STATUS_UPDATED", "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED")
"""Updates that operators are told even though they change no state."""


def enter(
    master: "MasterMachine",
    framework: Framework,
    agent: Agent,
    info: mesos.TaskInfo,
    resources: Resources,
    role: str,
    executor: mesos.ExecutorInfo | None,
) -> None:
    """Put a task that is about to be sent into the books."""
    task = mesos.Task(
        name=info.name,
        task_id=info.task_id,
        framework_id=framework.info.id or mesos.FrameworkID(framework.id),
        executor_id=None if executor is None else executor.executor_id,
        agent_id=agent.info.id or info.agent_id,
        state="TASK_STAGING",
        resources=master.shapes.of(info.resources).listed,
        labels=master.shapes.labels(info.labels),
        discovery=info.discovery,
        container=info.container or (None if executor is None else executor.container),
        health_check=info.health_check,
        kill_policy=info.kill_policy,
        user=user_of(info, executor, framework),
        limits=info.limits,
    )
    record = TaskRecord(task, resources, role, is_command=executor is None)
    add(master, framework, agent, record)


def user_of(info: mesos.TaskInfo, executor: mesos.ExecutorInfo | None, framework: Framework) -> str:
    """Who the task runs as."""
    command = info.command
    if command is None and executor is not None:
        command = executor.command
    return (command.user if command is not None else None) or framework.info.user


def add(master: "MasterMachine", framework: Framework, agent: Agent, record: TaskRecord) -> None:
    """Put a task into the books; the tree is charged if it holds resources."""
    put(master, framework, agent, record)
    charge(master, agent, [record])


def put(master: "MasterMachine", framework: Framework, agent: Agent, record: TaskRecord) -> None:
    """Put a task into the books; `charge` comes after it."""
    key = record.key
    _, task_id = key
    if master.subscribers and task_id not in framework.tasks:
        master.publish("TASK_ADDED", answers.TaskAdded(task=record.task))
    framework.tasks[task_id] = record
    agent.tasks[key] = record


def charge(master: "MasterMachine", agent: Agent, records: Iterable[TaskRecord]) -> None:
    """Charge what tasks of an agent hold, all of one payer's at once."""
    payers: dict[tuple[str, str], list[Resources]] = {}
    for record in records:
        if record.holds_resources:
            payers.setdefault((record.role, record.key[0]), []).append(record.resources)
    for (role, framework_id), held in payers.items():
        amounts = held[0] if len(held) == 1 else sum_of(held)
        agent.used = agent.used + amounts
        # A shared volume counts once in a sum, and for each of its tasks when they give it back.
        for part in held if amounts.shared() else (amounts,):
            master.tree.allocate(role, framework_id, part)
        framework = master.state.frameworks.get(framework_id)
        if framework is not None:
            framework.charges += 1


def release(master: "MasterMachine", record: TaskRecord) -> None:
    """Free what a task holds."""
    if not record.holds_resources:
        return
    record.holds_resources = False
    agent = master.state.agents.get(record.task.agent_id.value)
    if agent is not None:
        agent.used = agent.used - record.resources
        master.make_dirty(agent.id)
    discharge(master, record)


def discharge(master: "MasterMachine", record: TaskRecord) -> None:
    """Take what a task holds from its role's share; a role that was left goes with the last."""
    framework_id, _ = record.key
    master.tree.release(record.role, framework_id, record.resources)
    framework = master.state.frameworks.get(framework_id)
    if framework is not None:
        framework.charges += 1
    if framework is None or record.role not in framework.roles:
        master.allocator.leave(record.role, framework_id)


def move(
    master: "MasterMachine", record: TaskRecord, status: mesos.TaskStatus, latest: str | None = None
) -> bool:
    """Take a status into a task: state, statuses, resources. False: nothing changed.

    What shows the task meanwhile keeps the old one: a changed task is another task.
    """
    task = record.task = copy(record.task)
    state = latest or status.state
    step = TASK.step(task.state, state)
    changed = not task.statuses or task.statuses[-1].state != status.state
    kept = msgspec.structs.replace(status, data=None)
    # One status for each state in a row: the newest, or health checks would pile up.
    task.statuses = [*task.statuses, kept] if changed else [*task.statuses[:-1], kept]
    moved = step is not None and task.state != step.state
    if step is not None:
        task.state = step.state
        for action in step.actions:
            if action is Action.RELEASE:
                release(master, record)
            else:
                _hold(master, record)
    if moved and is_terminal(task.state):
        master.state.count(f"master/tasks_{task.state.removeprefix('TASK_').lower()}")
        framework = master.state.frameworks.get(record.key[0])
        if framework is not None:
            framework.count(f"tasks/terminal/{task.state.lower()}")
    if moved or changed or status.reason in CHECKED:
        body = answers.TaskUpdated(framework_id=task.framework_id, status=status, state=task.state)
        master.publish("TASK_UPDATED", body)
    return moved


def _hold(master: "MasterMachine", record: TaskRecord) -> None:
    agent = master.state.agents.get(record.task.agent_id.value)
    if agent is None or record.holds_resources:
        return
    record.holds_resources = True
    charge(master, agent, [record])


def own_status(
    task_id: mesos.TaskID,
    state: str,
    reason: str,
    message: str,
    now: float,
    agent_id: mesos.AgentID | None = None,
) -> mesos.TaskStatus:
    """A status made by the master: no uuid, so nobody acknowledges it."""
    return mesos.TaskStatus(
        task_id=task_id,
        state=state,
        source="SOURCE_MASTER",
        reason=reason,
        message=message,
        agent_id=agent_id,
        timestamp=now,
    )


def send(master: "MasterMachine", framework: Framework, status: mesos.TaskStatus) -> bool:
    """Send a status to a framework; False when it is not connected."""
    name = status.state.removeprefix("TASK_").lower()
    source = (status.source or "SOURCE_MASTER").removeprefix("SOURCE_").lower()
    reason = (status.reason or "").removeprefix("REASON_").lower()
    if reason:
        master.state.count(f"master/task_{name}/source_{source}/reason_{reason}")
    event = scheduler.Event(type="UPDATE", update=scheduler.Update(status=status))
    return master.tell(framework, event)


def lost_state(framework: Framework, precise: str) -> str:
    """The precise state for a PARTITION_AWARE framework, else TASK_LOST."""
    return precise if framework.has("PARTITION_AWARE") else "TASK_LOST"


def take_update(master: "MasterMachine", now: float, agent: Agent, update: link.Update) -> None:
    """An update from an agent: into the books, then on to the framework."""
    status = update.status
    framework = master.state.frameworks.get(update.framework_id.value)
    if framework is None:
        master.state.count("master/invalid_status_updates")
        return
    status.agent_id = mesos.AgentID(agent.id)
    record = framework.tasks.get(status.task_id.value)
    if _is_old_news(record, status):
        master.state.count("master/invalid_status_updates")
        if record is None and status.uuid:
            # Should it be no straggler, what waits behind it at the agent must not wait for ever.
            _tell_acknowledged(master, agent, framework, status.task_id, status.uuid)
        return
    if record is not None and record.task.agent_id.value == agent.id:
        move(master, record, status, update.latest_state)
        # Of the task that `move` has just made, which nobody has seen.
        record.task.status_update_state = status.state
        record.task.status_update_uuid = status.uuid
    master.state.count("master/valid_status_updates")
    # A framework that is away gets it when the agent repeats it.
    send(master, framework, status)


def _is_old_news(record: TaskRecord | None, status: mesos.TaskStatus) -> bool:
    """Whether a call was overtaken by later ones on its way from the agent.

    A task that the master knows no more has ended, and an update that was acknowledged is
    followed by others only after the agent heard of that.
    """
    if record is None:
        return not is_terminal(status.state)
    uuid = status.uuid
    return bool(uuid) and uuid == record.acknowledged != record.task.status_update_uuid


def acknowledge(master: "MasterMachine", framework: Framework, call: scheduler.Acknowledge) -> None:
    """Carry an acknowledgement to the agent; the last one of a task removes it."""
    agent = master.state.agents.get(call.agent_id.value)
    if agent is None or not agent.is_connected:
        # The agent will send the update again.
        master.state.count("master/invalid_status_update_acknowledgements")
        return
    record = framework.tasks.get(call.task_id.value)
    if record is not None:
        task = record.task
        if task.status_update_uuid != call.uuid:
            master.state.count("master/invalid_status_update_acknowledgements")
            return
        record.acknowledged = call.uuid
        if is_terminal(task.status_update_state or "") and is_terminal(task.state):
            remove(master, framework, record)
    master.state.count("master/valid_status_update_acknowledgements")
    _tell_acknowledged(master, agent, framework, call.task_id, call.uuid)


def _tell_acknowledged(
    master: "MasterMachine", agent: Agent, framework: Framework, task_id: mesos.TaskID, uuid: bytes
) -> None:
    body = link.Acknowledge(
        framework_id=mesos.FrameworkID(framework.id), task_id=task_id, uuid=uuid
    )
    master.tell_agent(agent, link.Event(type="ACKNOWLEDGE", acknowledge=body))


def remove(master: "MasterMachine", framework: Framework, record: TaskRecord) -> None:
    """Move a task to the completed ones."""
    release(master, record)
    framework.tasks.pop(record.task.task_id.value, None)
    agent = master.state.agents.get(record.task.agent_id.value)
    if agent is not None:
        agent.tasks.pop(record.key, None)
        if agent.drain is not None:
            master.state.relieved[agent.id] = None
    limit = master.config.max_completed_tasks_per_framework
    framework.completed.append(record)
    while len(framework.completed) > limit:
        framework.completed.popleft()


def kill(master: "MasterMachine", now: float, framework: Framework, call: scheduler.Kill) -> None:
    """Pass a KILL on; a task that is not known is reconciled instead."""
    record = framework.tasks.get(call.task_id.value)
    if record is None:
        asked = scheduler.ReconcileTask(task_id=call.task_id, agent_id=call.agent_id)
        reconcile(master, now, framework, asked)
        return
    if call.agent_id is not None and call.agent_id != record.task.agent_id:
        return
    agent = master.state.agents.get(record.task.agent_id.value)
    record.kill_wanted = True
    if agent is None:
        return
    body = link.KillTask(
        framework_id=mesos.FrameworkID(framework.id),
        task_id=call.task_id,
        kill_policy=call.kill_policy,
    )
    # While the agent is away the wish is kept in the record and repeated when it is back.
    master.tell_agent(agent, link.Event(type="KILL_TASK", kill_task=body))


def reconcile(
    master: "MasterMachine", now: float, framework: Framework, asked: scheduler.ReconcileTask
) -> None:
    """Answer for a task, known or not."""
    known = framework.tasks.get(asked.task_id.value)
    if known is not None:
        answer_known(master, now, framework, known)
        return
    found = _unknown_state(master, asked.task_id.value, asked.agent_id, framework)
    if found is None:
        return
    state, since = found
    told = "Task is unknown" if state == "TASK_UNKNOWN" else state[5:].lower().replace("_", " ")
    status = own_status(
        asked.task_id,
        lost_state(framework, state),
        "REASON_RECONCILIATION",
        f"Reconciliation: {told}",
        now,
        asked.agent_id,
    )
    if since is not None and status.state == "TASK_UNREACHABLE":
        status.unreachable_time = mesos.TimeInfo(nanoseconds=int(since * 1e9))
    send(master, framework, status)


def answer_known(
    master: "MasterMachine", now: float, framework: Framework, record: TaskRecord
) -> None:
    """Answer for a task that is in the books."""
    task = record.task
    state = task.status_update_state or task.state
    status = own_status(
        task.task_id,
        state,
        "REASON_RECONCILIATION",
        "Reconciliation: Latest task state",
        now,
        task.agent_id,
    )
    status.executor_id = task.executor_id
    if task.statuses:
        status.healthy = task.statuses[-1].healthy
        status.check_status = task.statuses[-1].check_status
        status.container_status = task.statuses[-1].container_status
    send(master, framework, status)


def _unknown_state(
    master: "MasterMachine",
    task_id: str,
    agent_id: mesos.AgentID | None,
    framework: Framework,
) -> tuple[str, float | None] | None:
    """The state of a task that is not in the books; None: it is too early to say."""
    state = master.state
    if agent_id is None:
        if state.recovered:
            return None
        if task_id in framework.unreachable:
            record = framework.unreachable[task_id]
            return "TASK_UNREACHABLE", state.unreachable.get(record.task.agent_id.value)
        return "TASK_UNKNOWN", None
    name = agent_id.value
    if name in state.recovered:
        return None
    if name in state.agents:
        return "TASK_GONE", None
    if name in state.unreachable:
        return "TASK_UNREACHABLE", state.unreachable[name]
    if name in state.gone:
        return "TASK_GONE_BY_OPERATOR", None
    return "TASK_UNKNOWN", None
