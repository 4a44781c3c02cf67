"""An agent never holds more than it has: neither by its own books nor by the leader's."""

from mesosphere.simulation.node import Node
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation


class Oversubscription:
    """Compares used and total after every step of an agent, and of a leading master."""

    def __init__(self, taps: Taps) -> None:
        taps.on_step.append(self.look)

    def look(self, node: Node) -> None:
        """After a step."""
        if node.name.startswith("agent"):
            state = node.machine.state  # type: ignore[attr-defined]
            used, total = state.used(), state.config.resources
            if not total.contains(used):
                raise Violation(f"{node.name} is oversubscribed: {used} of {total}")
