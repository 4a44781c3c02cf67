"""Gone stays gone: an agent whose end was acknowledged is never admitted again.

And only who is gone, or on a machine that is down, may be sent away.
"""

from mesosphere.simulation.administrator import Administrator
from mesosphere.simulation.node import Node
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation
from mesosphere.wire.mesos import link


class Gone:
    """Compares what an administrator was told with what agents hear."""

    def __init__(self, taps: Taps, administrator: Administrator) -> None:
        self._administrator = administrator
        taps.on_agent_event.append(self.told)
        taps.on_master_step.append(self.look)

    def look(self, node: Node) -> None:
        """After a step of a master that leads."""
        gone = self._administrator.gone
        if not gone or not self._administrator.leads(node):
            return
        for agent_id in gone:
            if agent_id in node.machine.state.agents:  # type: ignore[attr-defined]
                raise Violation(f"{node.name} has {agent_id} among its agents, which is gone")

    def told(self, node: Node, event: link.Event) -> None:
        """An agent hears from its master."""
        if event.shutdown is None:
            return
        agent_id = node.machine.state.agent_id  # type: ignore[attr-defined]
        is_gone = agent_id in self._administrator.leaving
        if not is_gone and node.host not in self._administrator.ever_down:
            raise Violation(f"{node.name} ({agent_id}) is sent away: {event.shutdown.message}")
