"""An agent never holds more than it has, by its own books.

Tasks and executors that are being ended because their framework was removed do not count: the
master gives their resources away at once, as the original does.
"""

from mesosphere.kernel.conversions import each_once
from mesosphere.kernel.resources import EMPTY, Resources
from mesosphere.simulation.node import Node
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation
from mesosphere.wire.mesos.enums import is_terminal


class Oversubscription:
    """Compares used and total after every step of an agent."""

    def __init__(self, taps: Taps) -> None:
        taps.on_agent_step.append(self.look)

    def look(self, node: Node) -> None:
        """After a step."""
        state = node.machine.state  # type: ignore[attr-defined]
        used, total = each_once(state.used()), state.total
        if not total.contains(used) and not total.contains(used - self._ending(state)):
            raise Violation(f"{node.name} is oversubscribed: {used} of {total}")

    @staticmethod
    def _ending(state: object) -> Resources:
        total = EMPTY
        for framework in state.frameworks.values():  # type: ignore[attr-defined]
            if not framework.is_terminating:
                continue
            for executor in framework.executors.values():
                total = total + executor.used()
            for task in framework.tasks.values():
                if task.executor is None and not is_terminal(task.state):
                    total = total + task.resources
        return total
