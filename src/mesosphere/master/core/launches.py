"""LAUNCH and LAUNCH_GROUP: tasks that are taken from offers and sent to their agent.

Invariants: a task is checked against what is left when its turn comes, and charged before it is
sent; a bad task of a LAUNCH fails alone, one of a LAUNCH_GROUP takes the group with it.
Source: Mesos, src/master/master.cpp (accept, _accept).
"""

from typing import TYPE_CHECKING

from mesosphere.kernel.resources import EMPTY, Resources
from mesosphere.master.core import executors, operations, tasks
from mesosphere.master.core.group_validation import Group, check_executor, check_group
from mesosphere.master.core.state import Agent, Framework
from mesosphere.master.core.validation import check_task
from mesosphere.wire import mesos
from mesosphere.wire.mesos import link, scheduler

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine

OPERATIONS = ("LAUNCH", "LAUNCH_GROUP")
TASK_LIMIT = 10_000
"""Tasks in one LAUNCH or group; more are refused, each by an update."""
NO_ID = "Operation 'id' is not allowed for {}"


def apply(
    master: "MasterMachine",
    now: float,
    framework: Framework,
    agent: Agent,
    operation: scheduler.Operation,
    left: Resources,
    role: str,
) -> Resources:
    """Launch what can be launched; what is left of the offers."""
    fault = NO_ID.format(operation.type) if operation.id is not None else ""
    if operation.launch_group is not None:
        return _launch_group(master, now, framework, agent, operation, left, role, fault)
    if operation.launch is None:
        body = operation.type.lower()
        operations.refuse(master, framework, operation, f"Expecting '{body}' to be present")
        return left
    for position, info in enumerate(operation.launch.task_infos):
        if position >= TASK_LIMIT:
            fault = f"more than {TASK_LIMIT} tasks in one launch"
        found: str | Resources = fault or _launch(master, framework, agent, info, left, role)
        if isinstance(found, str):
            _fail(master, now, framework, info, found, "REASON_TASK_INVALID")
        else:
            left = left - found
    return left


def _launch(
    master: "MasterMachine",
    framework: Framework,
    agent: Agent,
    info: mesos.TaskInfo,
    left: Resources,
    role: str,
) -> str | Resources:
    """Launch one task: why not, or what was taken for it."""
    if info.executor is not None and info.executor.type == "DEFAULT":
        return "'ExecutorInfo.type' must not be DEFAULT for LAUNCH"
    wanted = check_task(info, framework, agent, left, role)
    needed: str | Resources = EMPTY
    if info.executor is not None:
        needed = check_executor(info.executor, framework, agent, left)
    if isinstance(wanted, str) or isinstance(needed, str):
        return wanted if isinstance(wanted, str) else needed
    total = needed + wanted
    if not left.contains(total):
        return (
            f"Total resources {total!r} required by task and its executor is more than"
            f" available {left!r}"
        )
    is_new = info.executor is None or executors.charge(
        master, framework, agent, info.executor, needed, role
    )
    tasks.enter(master, framework, agent, info, wanted, role, info.executor)
    run = link.RunTask(
        framework_info=framework.info, task=info, executor=info.executor, launch_executor=is_new
    )
    master.tell_agent(agent, link.Event(type="RUN_TASK", run_task=run))
    return total.non_shared()


def _launch_group(
    master: "MasterMachine",
    now: float,
    framework: Framework,
    agent: Agent,
    operation: scheduler.Operation,
    left: Resources,
    role: str,
    fault: str,
) -> Resources:
    body = operation.launch_group
    assert body is not None
    infos = body.task_group.tasks
    if len(infos) > TASK_LIMIT:
        fault = f"more than {TASK_LIMIT} tasks in one launch"
    found: str | Group = fault or check_group(body, framework, agent, left, role)
    if isinstance(found, str):
        for info in infos:
            _fail(master, now, framework, info, found, "REASON_TASK_GROUP_INVALID")
        return left
    is_new = executors.charge(master, framework, agent, body.executor, found.executor, role)
    left = left - found.executor.non_shared()
    for info, resources in zip(infos, found.tasks, strict=True):
        tasks.enter(master, framework, agent, info, resources, role, body.executor)
        left = left - resources.non_shared()
    group = link.RunTaskGroup(
        framework_info=framework.info,
        executor=body.executor,
        task_group=body.task_group,
        launch_executor=is_new,
    )
    master.tell_agent(agent, link.Event(type="RUN_TASK_GROUP", run_task_group=group))
    return left


def _fail(
    master: "MasterMachine",
    now: float,
    framework: Framework,
    info: mesos.TaskInfo,
    fault: str,
    reason: str,
) -> None:
    status = tasks.own_status(info.task_id, "TASK_ERROR", reason, fault, now, info.agent_id)
    master.state.count("master/tasks_error")
    tasks.send(master, framework, status)
