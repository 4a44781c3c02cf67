"""Terminal stays terminal: no framework hears of a life after a task's end.

What a deposed process still reads from an old stream does not count: it can't act on it.
"""

from mesosphere.simulation.node import Node
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation
from mesosphere.wire.mesos import scheduler

ENDS = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR")
LIVES = ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")


class Terminal:
    """Remembers ends; one end may be told again, a life may not."""

    def __init__(self, taps: Taps) -> None:
        self._cluster = taps.cluster
        self._ends: dict[str, str] = {}
        taps.on_scheduler_event.append(self.told)

    def told(self, node: Node, event: scheduler.Event) -> None:
        """An update of a task."""
        if event.update is None:
            return
        if node.kind != "scheduler" and not self._cluster.leads(node):
            return
        status = event.update.status
        task_id, state = status.task_id.value, status.state
        ended = self._ends.get(task_id)
        if ended is not None and state in LIVES:
            raise Violation(f"{node.name} hears that task {task_id} is {state} after {ended}")
        if ended is not None and state in ENDS and state != ended:
            raise Violation(f"{node.name} hears that task {task_id} ended {state}, and {ended}")
        if state in ENDS:
            self._ends[task_id] = state
