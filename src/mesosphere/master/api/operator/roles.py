"""Calls that change quotas and weights of roles, and the one that explains."""

from mesosphere.kernel.http import Request, text_response
from mesosphere.master.api.answers import Answer
from mesosphere.master.api.operator.table import Handlers
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.views import explain as explaining
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import operator
from mesosphere.wire.mesos.base import WireStruct
from mesosphere.wire.mesos.resources_codec import from_wire


def update_weights(
    master: MasterMachine, now: float, request: Request, call: operator.Call
) -> Answer:
    """UPDATE_WEIGHTS: set weights."""
    assert call.update_weights is not None
    return commands.WeightsUpdated(request.id, call.update_weights.weight_infos)


def update_quota(
    master: MasterMachine, now: float, request: Request, call: operator.Call
) -> Answer:
    """UPDATE_QUOTA: set quotas, all or none."""
    body = call.update_quota
    assert body is not None
    return commands.QuotasUpdated(request.id, body.quota_configs, bool(body.force))


def set_quota(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """SET_QUOTA, the old way."""
    assert call.set_quota is not None
    return commands.QuotaSet(request.id, call.set_quota.quota_request)


def remove_quota(
    master: MasterMachine, now: float, request: Request, call: operator.Call
) -> Answer:
    """REMOVE_QUOTA, the old way."""
    assert call.remove_quota is not None
    return commands.QuotaRemoved(request.id, call.remove_quota.role)


def explain(
    master: MasterMachine, now: float, request: Request, call: operator.Call
) -> Answer | WireStruct:
    """EXPLAIN: why a framework gets no offers. Not of Mesos."""
    asked = call.explain
    assert asked is not None
    try:
        demand = from_wire(asked.resources, "explain.resources")
    except WireError as error:
        return text_response(400, str(error))
    if asked.framework_id is None and asked.role is None:
        return text_response(400, "Expecting 'framework_id' or 'role' to be present")
    framework_id = None if asked.framework_id is None else asked.framework_id.value
    shown = explaining.AGENTS_SHOWN if asked.agents is None else asked.agents
    found = explaining.explain(master, now, framework_id, asked.role, demand, shown)
    return text_response(404, found) if isinstance(found, str) else found


CALLS: Handlers = {
    "EXPLAIN": explain,
    "UPDATE_WEIGHTS": update_weights,
    "UPDATE_QUOTA": update_quota,
    "SET_QUOTA": set_quota,
    "REMOVE_QUOTA": remove_quota,
}
