"""How an agent presents itself to its master: what it is, what it has, and what it runs.

Invariant: everything that the master must know to take the agent over is in one SUBSCRIBE: tasks
with their outstanding updates, executors, frameworks, operations. Source: apache/mesos
src/slave/slave.cpp (doReliableRegistration).
"""

from mesosphere.agent.core.config import CAPABILITIES
from mesosphere.agent.core.executor_life import ExecutorPhase
from mesosphere.agent.core.state import State
from mesosphere.wire.mesos import link
from mesosphere.wire.mesos.agents import AgentCapability, AgentInfo
from mesosphere.wire.mesos.attributes_codec import to_wire as attributes_to_wire
from mesosphere.wire.mesos.ids import AgentID, FrameworkID
from mesosphere.wire.mesos.operations import OperationRecord
from mesosphere.wire.mesos.resources_codec import to_wire as resources_to_wire


def agent_info(state: State) -> AgentInfo:
    """This agent as its master knows it."""
    config = state.config
    return AgentInfo(
        hostname=config.hostname,
        port=config.port,
        resources=resources_to_wire(config.resources.non_revocable()),
        attributes=attributes_to_wire(config.attributes),
        id=AgentID(state.agent_id) if state.agent_id is not None else None,
        domain=config.domain,
    )


def subscription(state: State, operations: list[OperationRecord]) -> link.Call:
    """SUBSCRIBE with everything that runs or waits for an acknowledgement."""
    reports = []
    for task in state.tasks():
        stream = state.streams.find(task.framework_id, task.task_id)
        front = stream.front if stream is not None else None
        reports.append(link.TaskReport(task=task.to_wire(), unacknowledged=front))
    return link.Call(
        type="SUBSCRIBE",
        agent_id=AgentID(state.agent_id) if state.agent_id is not None else None,
        subscribe=link.Subscribe(
            agent_info=agent_info(state),
            version=state.config.version,
            capabilities=[AgentCapability(type=name) for name in CAPABILITIES],
            tasks=reports,
            executors=[
                link.ExecutorReport(
                    framework_id=FrameworkID(each.framework_id), executor_info=each.info
                )
                for each in state.executors()
                if each.phase is not ExecutorPhase.ENDED
            ],
            # A master that does not know one that was removed must not learn of it here.
            frameworks=[each.info for each in state.frameworks.values() if not each.is_terminating],
            completed_frameworks=[each.info for each in state.completed],
            total_resources=resources_to_wire(state.total),
            operations=operations,
        ),
    )
