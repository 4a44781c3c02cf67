"""Executors on agents: charged once, however many tasks they run, until they end.

A command task has none here: its agent makes one for it. Invariants: an executor is in its agent's
and its framework's index, or in neither; what it holds is charged (agent, share tree) while it is.
Source: Mesos, src/master/master.hpp (Slave::addExecutor, removeExecutor).
"""

from typing import TYPE_CHECKING

from mesosphere.kernel.conversions import as_held
from mesosphere.kernel.resources import Resources
from mesosphere.master.core.state import Agent, ExecutorRecord, Framework
from mesosphere.wire import mesos
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import link
from mesosphere.wire.mesos.resources_codec import from_wire

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine


def charge(
    master: "MasterMachine",
    framework: Framework,
    agent: Agent,
    info: mesos.ExecutorInfo,
    resources: Resources,
    role: str,
) -> bool:
    """Take an executor in; whether it is new there."""
    key = (framework.id, info.executor_id.value)
    if key in agent.executors:
        return False
    record = ExecutorRecord(info, resources, role)
    agent.executors[key] = record
    framework.executors[agent.id, info.executor_id.value] = record
    agent.used = agent.used + resources
    framework.charges += 1
    master.tree.allocate(role, framework.id, resources)
    return True


def release(master: "MasterMachine", agent: Agent, framework_id: str, executor_id: str) -> None:
    """An executor has ended: free what it held."""
    record = agent.executors.pop((framework_id, executor_id), None)
    if record is None:
        return
    agent.used = agent.used - record.resources
    master.make_dirty(agent.id)
    _discharge(master, agent, framework_id, executor_id, record)


def release_all(master: "MasterMachine", framework: Framework) -> None:
    """The framework goes, and every executor of it."""
    for agent_id, executor_id in list(framework.executors):
        release(master, master.state.agents[agent_id], framework.id, executor_id)


def leave_with(master: "MasterMachine", agent: Agent) -> None:
    """The agent goes, and its executors with it."""
    for (framework_id, executor_id), record in agent.executors.items():
        _discharge(master, agent, framework_id, executor_id, record)
    agent.executors.clear()


def _discharge(
    master: "MasterMachine",
    agent: Agent,
    framework_id: str,
    executor_id: str,
    record: ExecutorRecord,
) -> None:
    master.tree.release(record.role, framework_id, record.resources)
    framework = master.state.frameworks.get(framework_id)
    if framework is not None:
        framework.executors.pop((agent.id, executor_id), None)
        framework.charges += 1
    if framework is None or record.role not in framework.roles:
        master.allocator.leave(record.role, framework_id)


def take_report(
    master: "MasterMachine", agent: Agent, reports: list[link.ExecutorReport]
) -> dict[str, None]:
    """The executors that an agent brings; the frameworks of those that nobody knows."""
    strangers: dict[str, None] = {}
    for report in reports:
        framework = master.state.frameworks.get(report.framework_id.value)
        info = report.executor_info
        if framework is None:
            strangers[report.framework_id.value] = None
            continue
        try:
            resources = from_wire(info.resources)
        except WireError as error:
            master.log(
                "error", "unreadable_executor", executor=info.executor_id.value, reason=str(error)
            )
            continue
        held = as_held(resources.allocated_to(None), agent.total)
        charge(master, framework, agent, info, held, role_of(resources, framework))
    return strangers


def role_of(resources: Resources, framework: Framework) -> str:
    """Who pays for resources that came back: the role they are allocated to, else the first."""
    roles = (identity.allocation_role for identity, _ in resources)
    return next((role for role in roles if role), (*framework.roles, "*")[0])
