"""Status updates of a task leave in order, each only after the one before was acknowledged."""

from mesosphere.simulation.node import Node
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation
from mesosphere.wire.mesos import link


class Updates:
    """Follows the uuids that an agent sends for a task."""

    def __init__(self, taps: Taps) -> None:
        self._sent: dict[tuple[str, str], list[bytes]] = {}
        self._acknowledged: dict[bytes, bool] = {}
        taps.on_agent_call.append(self.sent)
        taps.on_agent_event.append(self.told)

    def told(self, node: Node, event: link.Event) -> None:
        """An acknowledgement reaches the agent."""
        if event.acknowledge is not None:
            self._acknowledged[event.acknowledge.uuid] = True

    def sent(self, node: Node, call: link.Call) -> None:
        """The agent sends an update."""
        if call.update is None:
            return
        status = call.update.status
        uuid = status.uuid or b""
        sent = self._sent.setdefault((node.name, status.task_id.value), [])
        if sent and sent[-1] == uuid:
            return
        if status.reason == "REASON_RECONCILIATION":
            return  # about a task that the agent does not have; it is not on its disk
        story = f"{node.name}, task {status.task_id.value}, {status.state}"
        if uuid in sent:
            raise Violation(f"an older update is sent again after a newer one: {story}")
        if sent and sent[-1] not in self._acknowledged:
            raise Violation(f"an update is sent before its forerunner is acknowledged: {story}")
        sent.append(uuid)
