"""The checker of reservations fires when a promise about them is broken: planted violations."""

import pytest

from mesosphere.kernel.resources import Disk, Identity, Reservation, Resources
from mesosphere.simulation.checkers.reservations import Reservations
from mesosphere.simulation.node import Node
from mesosphere.simulation.reserver import ITEM, MOUNT, ROLE
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation
from mesosphere.wire import mesos
from mesosphere.wire.mesos import link, scheduler
from mesosphere.wire.mesos.resources_codec import to_wire
from tests.simulation.test_checkers import taps, tell

__all__ = ["taps"]

RESERVATION = Reservation("DYNAMIC", ROLE, None, ((ITEM, "i1"),))
RESERVED = Resources([(Identity("disk", reservations=(RESERVATION,)), 10_000)])
VOLUME = Resources(
    [(Identity("disk", reservations=(RESERVATION,), disk=Disk("v1", None, MOUNT), unit=10_000), 1)]
)
RESERVE = mesos.Operation(type="RESERVE", reserve=mesos.Reserve(resources=to_wire(RESERVED)))
UNRESERVE = mesos.Operation(
    type="UNRESERVE", unreserve=mesos.Unreserve(resources=to_wire(RESERVED))
)
CREATE = mesos.Operation(type="CREATE", create=mesos.Create(volumes=to_wire(VOLUME)))


def ask(taps: Taps, node: Node, operation: mesos.Operation) -> mesos.UUID:
    uuid = mesos.UUID(value=operation.type.ljust(16).encode())
    body = link.ApplyOperation(operation=operation, operation_uuid=uuid)
    tell(taps.on_agent_event, node, link.Event(type="APPLY_OPERATION", apply_operation=body))
    return uuid


def finish(taps: Taps, node: Node, operation: mesos.Operation) -> None:
    uuid = ask(taps, node, operation)
    body = link.UpdateOperation(
        operation_uuid=uuid, status=mesos.OperationStatus(state="OPERATION_FINISHED")
    )
    tell(taps.on_agent_call, node, link.Call(type="UPDATE_OPERATION", update_operation=body))


def have(node: Node, resources: Resources) -> None:
    node.machine.state.total = resources  # type: ignore[attr-defined]


def test_a_reservation_that_is_lost_is_found(taps: Taps) -> None:
    Reservations(taps)
    node = taps.cluster.nodes["agent0"]
    have(node, RESERVED)
    finish(taps, node, RESERVE)
    have(node, Resources.of(cpus=1))
    with pytest.raises(Violation, match="told of reservation i1, and it is lost"):
        tell(taps.on_agent_step, node)


def test_a_reservation_that_is_being_taken_back_may_be_there_or_not(taps: Taps) -> None:
    Reservations(taps)
    node = taps.cluster.nodes["agent0"]
    have(node, RESERVED)
    finish(taps, node, RESERVE)
    ask(taps, node, UNRESERVE)
    for resources in (Resources.of(cpus=1), RESERVED):
        have(node, resources)
        tell(taps.on_agent_step, node)


def test_a_reservation_that_comes_back_is_found(taps: Taps) -> None:
    Reservations(taps)
    node = taps.cluster.nodes["agent0"]
    have(node, Resources.of(cpus=1))
    finish(taps, node, UNRESERVE)
    have(node, RESERVED)
    with pytest.raises(Violation, match="is gone, and it is back"):
        tell(taps.on_agent_step, node)


def test_a_volume_without_a_directory_is_found(taps: Taps) -> None:
    Reservations(taps)
    node = taps.cluster.nodes["agent0"]
    have(node, VOLUME)
    with pytest.raises(Violation, match="volume v1 is there; its directory is not"):
        finish(taps, node, CREATE)


def test_reserved_resources_in_the_wrong_hands_are_found(taps: Taps) -> None:
    Reservations(taps)
    offer = mesos.Offer(
        id=mesos.OfferID("o"),
        framework_id=mesos.FrameworkID("f"),
        agent_id=mesos.AgentID("a"),
        hostname="h",
        resources=to_wire(RESERVED),
    )
    event = scheduler.Event(type="OFFERS", offers=scheduler.Offers(offers=[offer]))
    tell(taps.on_scheduler_event, taps.cluster.nodes["reserver0"], event)
    with pytest.raises(Violation, match="is offered what is reserved to db"):
        tell(taps.on_scheduler_event, taps.cluster.nodes["marathon0"], event)
