"""Calls that change quotas and weights of roles."""

from mesosphere.kernel.http import Request
from mesosphere.master.api.answers import Answer
from mesosphere.master.api.operator.table import Handlers
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire.mesos import operator


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


CALLS: Handlers = {
    "UPDATE_WEIGHTS": update_weights,
    "UPDATE_QUOTA": update_quota,
    "SET_QUOTA": set_quota,
    "REMOVE_QUOTA": remove_quota,
}
