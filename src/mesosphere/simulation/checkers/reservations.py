"""What an agent said is reserved or made is there until somebody takes it back, and then no more.

Follows each reservation by its label and each volume by its id, from the status with which the
agent told it: through every crash it is among the agent's resources, and the volume's directory on
its host, until an UNRESERVE or DESTROY of it reached the agent; once that was told as well it never
comes back. And nobody is offered what another role has reserved.
"""

from collections.abc import Iterator

from mesosphere.kernel.conversions import is_volume
from mesosphere.kernel.resources import Identity, Resources
from mesosphere.simulation.node import Node
from mesosphere.simulation.reserver import ITEM, ROLE
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation
from mesosphere.wire import mesos
from mesosphere.wire.mesos import link, scheduler
from mesosphere.wire.mesos.resources_codec import from_wire

THERE, LEAVING, GONE = "there", "leaving", "gone"


class Reservations:
    """The fate of every item, by agent."""

    def __init__(self, taps: Taps) -> None:
        self._cluster = taps.cluster
        self._fates: dict[str, dict[str, str]] = {}
        self._operations: dict[bytes, mesos.Operation] = {}
        self._seen: dict[str, Resources] = {}
        taps.on_agent_event.append(self.asked)
        taps.on_agent_call.append(self.told)
        taps.on_scheduler_event.append(self.offered)
        taps.on_agent_step.append(self.look)

    def asked(self, node: Node, event: link.Event) -> None:
        """An operation reaches the agent."""
        body = event.apply_operation
        if body is None:
            return
        self._operations[body.operation_uuid.value] = body.operation
        fates = self._fates.setdefault(node.name, {})
        for item in _taken(body.operation):
            if fates.get(item) != GONE:
                fates[item] = LEAVING  # perhaps before its making was told

    def told(self, node: Node, call: link.Call) -> None:
        """The agent says how an operation went."""
        update = call.update_operation
        if update is None or update.status.state != "OPERATION_FINISHED":
            return
        operation = self._operations[update.operation_uuid.value]
        fates = self._fates.setdefault(node.name, {})
        for item in _given(operation):
            fates.setdefault(item, THERE)
        for item in _taken(operation):
            fates[item] = GONE
        self._seen.pop(node.name, None)
        self.look(node)

    def look(self, node: Node) -> None:
        """After a step: compare what an agent has with what it said."""
        fates = self._fates.get(node.name)
        if not fates or not node.is_alive:
            return
        total = node.machine.state.total  # type: ignore[attr-defined]
        if self._seen.get(node.name) is total:
            return
        self._seen[node.name] = total
        here = dict.fromkeys(item for identity, _ in total for item in _items(identity))
        places = [place.rpartition("/")[2] for place in self._cluster.hosts[node.host].volumes]
        for item, fate in fates.items():
            if fate == THERE and item not in here:
                raise Violation(f"{node.name} told of {item}, and it is lost")
            if fate == GONE and item in here:
                raise Violation(f"{node.name} told that {item} is gone, and it is back")
            name = item.removeprefix("volume ")
            if name != item and fate != LEAVING and (name in places) != (fate == THERE):
                raise Violation(f"{node.name} told that {item} is {fate}; its directory is not")

    def offered(self, node: Node, event: scheduler.Event) -> None:
        """A framework is offered resources."""
        if event.offers is None or node.name.startswith("reserver"):
            return
        for offer in event.offers.offers:
            if ROLE in from_wire(offer.resources).reserved():
                raise Violation(f"{node.name} is offered what is reserved to {ROLE}: {offer}")


def _items(identity: Identity) -> Iterator[str]:
    for level in identity.reservations:
        for key, value in level.labels:
            if key == ITEM:
                yield f"reservation {value}"
    if is_volume(identity) and identity.disk is not None:
        yield f"volume {identity.disk.persistence_id}"


def _of(resources: list[mesos.Resource], prefix: str) -> list[str]:
    found = [item for identity, _ in from_wire(resources) for item in _items(identity)]
    return [item for item in found if item.startswith(prefix)]


def _given(operation: mesos.Operation) -> list[str]:
    if operation.reserve is not None:
        return _of(operation.reserve.resources, "reservation")
    return [] if operation.create is None else _of(operation.create.volumes, "volume")


def _taken(operation: mesos.Operation) -> list[str]:
    if operation.unreserve is not None:
        return _of(operation.unreserve.resources, "reservation")
    return [] if operation.destroy is None else _of(operation.destroy.volumes, "volume")
