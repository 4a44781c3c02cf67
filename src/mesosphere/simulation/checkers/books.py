"""By the books of the leading master, no agent's tasks and offers take more than it has."""

from mesosphere.kernel.conversions import each_once
from mesosphere.kernel.resources import Resources
from mesosphere.simulation.node import Node
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation


class Books:
    """Adds up tasks and offers after every step of a master."""

    def __init__(self, taps: Taps) -> None:
        # Resources never change, so that they are the same objects says that they were looked at.
        self._seen: dict[str, tuple[Resources, Resources, Resources]] = {}
        taps.on_master_step.append(self.look)

    def look(self, node: Node) -> None:
        """After a step."""
        for agent in node.machine.state.agents.values():  # type: ignore[attr-defined]
            used, offered, total = agent.used, agent.offered, agent.total
            seen = self._seen.get(agent.id)
            if seen and seen[0] is used and seen[1] is offered and seen[2] is total:
                continue
            self._seen[agent.id] = (used, offered, total)
            held = each_once(used + offered)
            if not total.contains(held):
                raise Violation(
                    f"{node.name} has given away more of {agent.id} than there is:"
                    f" {held} of {total}"
                )
