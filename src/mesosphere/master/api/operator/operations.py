"""Calls about reservations and volumes: each becomes an operation as frameworks ask for."""

from mesosphere.kernel.http import Request, text_response
from mesosphere.master.api.answers import Answer
from mesosphere.master.api.operator.table import Handlers
from mesosphere.master.core.commands import OperationRequested
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire import mesos
from mesosphere.wire.mesos import operator

NO_AGENT = "Failed to validate master::Call: Expecting '{}.agent_id' to be present"


def reserve(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """RESERVE_RESOURCES: for a role, or with `source` from one reservation to another."""
    body = call.reserve_resources
    assert body is not None
    wish = mesos.Reserve(source=body.source, resources=body.resources)
    operation = mesos.Operation(type="RESERVE", reserve=wish)
    return OperationRequested(request.id, body.agent_id.value, operation)


def unreserve(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """UNRESERVE_RESOURCES: what an operation reserved, and no volume is on."""
    body = call.unreserve_resources
    assert body is not None
    wish = mesos.Unreserve(resources=body.resources)
    operation = mesos.Operation(type="UNRESERVE", unreserve=wish)
    return OperationRequested(request.id, body.agent_id.value, operation)


def create(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """CREATE_VOLUMES: persistent volumes from reserved disk."""
    body = call.create_volumes
    assert body is not None
    operation = mesos.Operation(type="CREATE", create=mesos.Create(volumes=body.volumes))
    return OperationRequested(request.id, body.agent_id.value, operation)


def destroy(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """DESTROY_VOLUMES: with all that is in them."""
    body = call.destroy_volumes
    assert body is not None
    operation = mesos.Operation(type="DESTROY", destroy=mesos.Destroy(volumes=body.volumes))
    return OperationRequested(request.id, body.agent_id.value, operation)


def grow(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """GROW_VOLUME: by reserved disk of its kind."""
    body = call.grow_volume
    assert body is not None
    if body.agent_id is None:
        return text_response(400, NO_AGENT.format("grow_volume"))
    wish = mesos.GrowVolume(volume=body.volume, addition=body.addition)
    operation = mesos.Operation(type="GROW_VOLUME", grow_volume=wish)
    return OperationRequested(request.id, body.agent_id.value, operation)


def shrink(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """SHRINK_VOLUME: a part of it becomes reserved disk again."""
    body = call.shrink_volume
    assert body is not None
    if body.agent_id is None:
        return text_response(400, NO_AGENT.format("shrink_volume"))
    wish = mesos.ShrinkVolume(volume=body.volume, subtract=body.subtract)
    operation = mesos.Operation(type="SHRINK_VOLUME", shrink_volume=wish)
    return OperationRequested(request.id, body.agent_id.value, operation)


CALLS: Handlers = {
    "RESERVE_RESOURCES": reserve,
    "UNRESERVE_RESOURCES": unreserve,
    "CREATE_VOLUMES": create,
    "DESTROY_VOLUMES": destroy,
    "GROW_VOLUME": grow,
    "SHRINK_VOLUME": shrink,
}
