"""An agent that drains, is drained or deactivated is offered to nobody and starts nothing."""

from mesosphere.simulation.node import Node
from mesosphere.simulation.processes import Container
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation


class Closed:
    """Looks at the offers of a master after its steps, and at every container."""

    def __init__(self, taps: Taps) -> None:
        taps.on_master_step.append(self.look)
        taps.on_launch.append(self.launched)

    def look(self, node: Node) -> None:
        """After a step."""
        for agent in node.machine.state.agents.values():  # type: ignore[attr-defined]
            if agent.offers and not agent.is_active:
                raise Violation(f"{node.name} offers {agent.id}, which is closed")

    def launched(self, node: Node, container: Container) -> None:
        """A container is made."""
        state = node.machine.state  # type: ignore[attr-defined]
        if state.drain is None:
            return
        # A task that came before the order may still be on its way to the disk: it is ended next.
        known = [task for task in state.tasks() if task.task_id == container.task]
        if not known or known[0].launched_at > state.drain_began_at:
            raise Violation(f"{node.name} drains, and starts {container.task}")
