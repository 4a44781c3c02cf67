"""A task id is launched at most once, and an offer is used at most once."""

from mesosphere.simulation.node import Node
from mesosphere.simulation.processes import Container
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation
from mesosphere.wire import mesos
from mesosphere.wire.mesos import link, scheduler


class Launches:
    """Joins ACCEPTs, RUN_TASKs and containers by task id."""

    def __init__(self, taps: Taps) -> None:
        self._offers: dict[str, tuple[str, ...]] = {}
        self._users: dict[str, str] = {}
        self._accepts = 0
        self._accept_of: dict[str, str] = {}
        self._launched: dict[str, str] = {}
        taps.on_scheduler_call.append(self.called)
        taps.on_agent_event.append(self.told)
        taps.on_launch.append(self.launched)

    def called(self, node: Node, call: scheduler.Call) -> None:
        """A framework accepts offers for tasks."""
        if call.accept is None:
            return
        self._accepts += 1
        offers = tuple(offer.value for offer in call.accept.offer_ids)
        for operation in call.accept.operations:
            for task in _launched(operation):
                task_id = task.task_id.value
                if task_id in self._accept_of:
                    raise Violation(f"{node.name} launches task {task_id} a second time")
                self._accept_of[task_id] = f"accept {self._accepts}"
                self._offers[task_id] = offers

    def told(self, node: Node, event: link.Event) -> None:
        """An agent is told to run a task: the task's offers are used now."""
        if event.run_task is not None:
            self._run(node, event.run_task.task.task_id.value)
        if event.run_task_group is not None:
            for task in event.run_task_group.task_group.tasks:
                self._run(node, task.task_id.value)

    def _run(self, node: Node, task_id: str) -> None:
        accept = self._accept_of.get(task_id)
        if accept is None:
            raise Violation(f"{node.name} is told to run {task_id}, which nobody has launched")
        for offer in self._offers[task_id]:
            if self._users.setdefault(offer, accept) != accept:
                raise Violation(f"offer {offer} was used by {self._users[offer]} and {accept}")

    def launched(self, node: Node, container: Container) -> None:
        """A container is made."""
        before = self._launched.setdefault(container.task, node.name)
        if before is not node.name or self._twice(container):
            raise Violation(f"task {container.task} runs on {before} and again on {node.name}")

    def _twice(self, container: Container) -> bool:
        key = f"{container.task}#"
        if key in self._launched:
            return True
        self._launched[key] = container.name
        return False


def _launched(operation: mesos.Operation) -> list[mesos.TaskInfo]:
    if operation.launch_group is not None:
        return operation.launch_group.task_group.tasks
    return [] if operation.launch is None else operation.launch.task_infos
