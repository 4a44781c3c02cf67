"""What an executor tells of a task leaves its agent once and in order, however often it comes back.

Updates that the agent makes of its own (the end of a task whose executor has ended) don't count.
"""

from mesosphere.simulation.node import Node
from mesosphere.simulation.processes import Container
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation
from mesosphere.wire.mesos import TaskStatus, link


class Executors:
    """Follows the uuids that executors make, and those that agents send."""

    def __init__(self, taps: Taps) -> None:
        self._made: dict[str, list[bytes]] = {}
        self._sent: dict[str, int] = {}
        taps.on_executor_update.append(self.made)
        taps.on_agent_call.append(self.sent)

    def made(self, node: Node, container: Container, status: TaskStatus) -> None:
        """An executor has something to tell."""
        self._made.setdefault(status.task_id.value, []).append(status.uuid or b"")

    def sent(self, node: Node, call: link.Call) -> None:
        """Its agent sends an update of the task."""
        if call.update is None:
            return
        status = call.update.status
        task_id, made = status.task_id.value, self._made.get(status.task_id.value, [])
        count = self._sent.get(task_id, 0)
        if status.uuid not in made:
            return
        place = made.index(status.uuid)
        if place == count - 1:
            return  # once more: it is not acknowledged yet
        if place != count:
            raise Violation(
                f"{node.name} sends update {place} of {task_id} after {count} of its executor's"
            )
        self._sent[task_id] = count + 1
