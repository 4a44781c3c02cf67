"""Weights of roles: those of the flag at first, then what operators set, kept in the registry.

Source: Mesos, docs/weights.md; src/master/weights_handler.cpp.
"""

from typing import TYPE_CHECKING

from mesosphere.kernel.http import Response, text_response
from mesosphere.master.core import offers
from mesosphere.master.core.commands import WeightsUpdated
from mesosphere.master.core.quotas import is_listed
from mesosphere.master.core.validation import check_role
from mesosphere.wire import mesos
from mesosphere.wire.mesos import codec

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine

NODE = "/weights"
WEIGHTS_LIMIT = 5_000


def update(master: "MasterMachine", now: float, event: WeightsUpdated) -> None:
    """UPDATE_WEIGHTS: all of them, or none. Every offer is taken back if a role is in use."""
    weights = dict(master.tree.weights)
    changed: dict[str, float] = {}
    for info in event.infos:
        role = (info.role or "").strip()
        fault = _check(master, role, info.weight)
        if fault is not None:
            master.reply(event.request, text_response(400, fault))
            return
        changed[role] = info.weight
    weights |= changed
    if len(weights) > WEIGHTS_LIMIT:
        text = f"Failed to validate update weights request JSON: more than {WEIGHTS_LIMIT} weights"
        master.reply(event.request, text_response(400, text))
        return
    master.allocator.set_weights(weights)
    _persist(master)

    def confirm(later: float) -> None:
        master.reply(event.request, Response(200))
        if any(role in changed for role in master.tree.roles()):
            for offer in list(master.state.offers.values()):
                offers.rescind(master, later, offer)

    master.when_durable(confirm)


def _check(master: "MasterMachine", role: str, weight: float) -> str | None:
    prefix = "Failed to validate update weights request JSON"
    fault = check_role(role)
    if fault is not None:
        return f"{prefix}: Invalid role '{role}': {fault}"
    if not is_listed(master, role):
        return f"{prefix}: Unknown role '{role}'"
    if not 0 < weight < float("inf"):
        reason = f"Invalid weight '{weight:.15g}': Weights must be positive"
        return f"{prefix} for role '{role}': {reason}"
    return None


def load(master: "MasterMachine") -> None:
    """Those of the registry; the flag's only if there never were any."""
    data = master.registry.documents.get(NODE)
    if data is not None:
        infos = codec.decode_list(data, mesos.WeightInfo)
        master.allocator.set_weights({info.role or "": info.weight for info in infos})
    elif master.config.weights:
        _persist(master)


def _persist(master: "MasterMachine") -> None:
    infos = [
        mesos.WeightInfo(role=role, weight=weight)
        for role, weight in sorted(master.tree.weights.items())
    ]
    master.registry.put_document(NODE, codec.encode(infos))
