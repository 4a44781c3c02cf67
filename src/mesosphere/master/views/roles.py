"""Roles with what they hold, their weights and quotas.

Known roles are those of the whitelist, of frameworks, of reservations, with a weight or a quota,
and whatever is above them. Source: Mesos, src/master/http.cpp, src/master/quota_handler.cpp.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mesosphere.kernel.resources import EMPTY, Resources, compact, number, sum_of
from mesosphere.master.core.allocator.quotas import Quota
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.quotas import as_config, as_wire, consumptions
from mesosphere.wire import mesos
from mesosphere.wire.mesos import answers
from mesosphere.wire.mesos.resources_codec import Format, to_wire


class _Held(NamedTuple):
    """What a role holds: used, offered, reserved to it."""

    allocated: Resources = EMPTY
    offered: Resources = EMPTY
    reserved: Resources = EMPTY


def known_roles(master: MasterMachine) -> list[str]:
    """Every role that means something now, by name."""
    names: dict[str, None] = {"*": None, **dict.fromkeys(master.config.roles)}
    for found in master.state.frameworks.values():
        names |= dict.fromkeys(found.roles)
    for listed in master.state.agents.values():
        names |= dict.fromkeys(listed.total.reserved())
    names |= dict.fromkeys(master.tree.roles())
    names |= dict.fromkeys(master.tree.weights)
    names |= dict.fromkeys(master.allocator.quotas)
    for role in list(names):
        parts = role.split("/")
        names |= dict.fromkeys("/".join(parts[:depth]) for depth in range(1, len(parts)))
    return sorted(names)


def _held_by_role(master: MasterMachine) -> Mapping[str, _Held]:
    # Gathered first: a hundred thousand tasks with ports are not added one by one.
    allocated: dict[str, list[Resources]] = {}
    offered: dict[str, list[Resources]] = {}
    reserved: dict[str, list[Resources]] = {}
    for agent in master.state.agents.values():
        for record in agent.tasks.values():
            if record.holds_resources:
                allocated.setdefault(record.role, []).append(record.resources)
        for executor in agent.executors.values():
            allocated.setdefault(executor.role, []).append(executor.resources)
        for offer in agent.offers.values():
            offered.setdefault(offer.role, []).append(offer.resources)
        for role, part in agent.total.reserved().items():
            reserved.setdefault(role, []).append(part)
    return {
        role: _Held(*(sum_of(each.get(role, ())) for each in (allocated, offered, reserved)))
        for role in {**allocated, **offered, **reserved}
    }


def _numbers(amounts: Mapping[str, int]) -> dict[str, float]:
    return {name: number(amount) for name, amount in amounts.items()}


def legacy(master: MasterMachine) -> dict[str, Any]:
    """`/roles`."""
    held, tree = _held_by_role(master), master.tree
    members: dict[str, list[str]] = {}
    for framework in master.state.frameworks.values():
        for role in framework.roles:
            members.setdefault(role, []).append(framework.id)
    names = known_roles(master)
    consumed = consumptions(master, [role for role in names if "/" not in role])
    shown = []
    for role in names:
        mine = held.get(role) or _Held()
        quota = master.allocator.quotas.get(role, Quota())
        shown.append(
            {
                "name": role,
                "weight": tree.weights.get(role, 1.0),
                "quota": {
                    "role": role,
                    "guarantee": _numbers(quota.guarantees),
                    "limit": _numbers(quota.limits),
                    "consumed": _numbers(consumed.get(role, {})),
                },
                "resources": compact(mine.allocated + mine.offered),
                "allocated": compact(mine.allocated),
                "offered": compact(mine.offered),
                "reserved": compact(mine.reserved),
                "frameworks": members.get(role, []),
            }
        )
    return {"roles": shown}


def operator_roles(master: MasterMachine) -> answers.GetRoles:
    """GET_ROLES: resources of a role are what its frameworks use and are offered."""
    held = _held_by_role(master)
    members: dict[str, list[mesos.FrameworkID]] = {}
    for framework in master.state.frameworks.values():
        for role in framework.roles:
            members.setdefault(role, []).append(mesos.FrameworkID(framework.id))
    shown = []
    for role in known_roles(master):
        mine = held.get(role) or _Held()
        shown.append(
            answers.Role(
                name=role,
                weight=master.tree.weights.get(role, 1.0),
                frameworks=members.get(role, []),
                resources=to_wire(mine.allocated + mine.offered, Format.REFINED),
            )
        )
    return answers.GetRoles(roles=shown)


def weights(master: MasterMachine) -> list[mesos.WeightInfo]:
    """The weights that were set, by role."""
    return [
        mesos.WeightInfo(role=role, weight=value)
        for role, value in sorted(master.tree.weights.items())
    ]


def quota_status(master: MasterMachine) -> mesos.QuotaStatus:
    """All quotas, in the form of today and in the old one, which knows guarantees only."""
    quotas = sorted(master.allocator.quotas.items())
    return mesos.QuotaStatus(
        infos=[
            mesos.QuotaInfo(
                role=role,
                guarantee=[
                    mesos.Resource(name=name, type="SCALAR", scalar=scalar)
                    for name, scalar in as_wire(quota.guarantees).items()
                ],
            )
            for role, quota in quotas
        ],
        configs=[as_config(role, quota) for role, quota in quotas],
    )
