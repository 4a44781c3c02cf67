"""An agent is told to end a framework only when nobody can bring the framework back.

Its removal is in the store before: a master that was deposed without noticing can't write it, so it
never ends what runs for the leader that came after it.
"""

from mesosphere.simulation.node import Node
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation
from mesosphere.wire.mesos import link

ROOT = "/mesos-registry"


class Removals:
    """Looks into the store whenever an agent is told to end a framework."""

    def __init__(self, taps: Taps) -> None:
        self._store = taps.cluster.ensemble.store
        taps.on_agent_event.append(self.told)

    def told(self, node: Node, event: link.Event) -> None:
        """An agent hears from its master."""
        if event.shutdown_framework is None:
            return
        framework_id = event.shutdown_framework.framework_id.value
        if self._store.has(f"{ROOT}/frameworks/{framework_id}"):
            raise Violation(f"{node.name} is told to end {framework_id}, which is registered")
