"""What the container of an executor needs: it is made like that of a task with its command.

Source: apache/mesos src/slave/slave.cpp (executorEnvironment, launchExecutor).
"""

from mesosphere.agent.core import pods
from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.containers import ContainerRequest
from mesosphere.agent.core.requests import container_request
from mesosphere.agent.core.state import ExecutorRecord
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID, TaskID
from mesosphere.wire.mesos.tasks import TaskInfo


def as_task(executor: ExecutorRecord) -> TaskInfo:
    """An executor as a task that runs its command."""
    info = pods.holder(executor.info) if executor.is_pod else executor.info
    resources = info.resources
    if not executor.is_pod:
        # The tasks of a custom executor have no containers: it sees their volumes.
        tasks = executor.tasks.values()
        resources = [*resources, *(r for task in tasks for r in task.info.resources if r.disk)]
    return TaskInfo(
        name=executor.id,
        task_id=TaskID(executor.id),
        agent_id=AgentID(executor.agent_id),
        resources=resources,
        command=info.command,
        container=info.container,
    )


def executor_request(
    executor: ExecutorRecord, framework: FrameworkInfo, config: AgentConfig, resources: Resources
) -> ContainerRequest:
    """The request of an executor's container with room for `resources`."""
    return container_request(
        as_task(executor), framework, executor.agent_id, executor.container, resources, config
    )
