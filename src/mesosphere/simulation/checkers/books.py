"""By the books of the leading master, no agent's tasks and offers take more than it has."""

from mesosphere.simulation.node import Node
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation


class Books:
    """Adds up tasks and offers after every step of a master."""

    def __init__(self, taps: Taps) -> None:
        taps.on_step.append(self.look)

    def look(self, node: Node) -> None:
        """After a step."""
        if not node.name.startswith("master"):
            return
        for agent in node.machine.state.agents.values():  # type: ignore[attr-defined]
            held = agent.used + agent.offered
            if not agent.total.contains(held):
                raise Violation(
                    f"{node.name} has given away more of {agent.id} than there is:"
                    f" {held} of {agent.total}"
                )
