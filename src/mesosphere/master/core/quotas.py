"""Quota of roles as operators set it: checked, durable, and made room for.

Decides what is refused (400; 409 for an overcommitment by SET_QUOTA), and which offers are taken
back so that limits hold and guarantees can be met. What quota means is in `allocator.quotas`.

Invariants: an update is carried out whole or not at all; it is answered once it is durable;
quotas are of top roles; the registry's node stays below the store's limit of bytes.

Source: Mesos, docs/quota.md; src/master/quota_handler.cpp and quota.cpp.
"""

from collections.abc import Iterable, Mapping
from operator import sub
from typing import TYPE_CHECKING

from mesosphere.kernel.http import Response, text_response
from mesosphere.kernel.resources import milli, number
from mesosphere.master.core import enrolment, offers
from mesosphere.master.core.allocator.quotas import Quota, headroom
from mesosphere.master.core.allocator.shares import top_of
from mesosphere.master.core.commands import QuotaRemoved, QuotaSet, QuotasUpdated
from mesosphere.master.core.state import Offer
from mesosphere.master.core.validation import check_role
from mesosphere.wire import mesos
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec
from mesosphere.wire.mesos.resources_codec import from_wire

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine

NODE = "/quotas"
NODE_BYTES = 450_000
EXABYTE_MIB = 1024**4
TRILLION = 1000**4
"""The most of anything else."""

Scalars = Mapping[str, mesos.Scalar]


# --- what is wrong with it ------------------------------------------------------------------------


def check_config(config: mesos.QuotaConfig) -> str | None:
    """What is wrong with a quota by itself."""
    if not config.role:
        return "'QuotaConfig.role' must be set"
    fault = check_role(config.role)
    if fault is not None:
        return f"Invalid 'QuotaConfig.role': {fault}"
    for name, scalars in (("guarantees", config.guarantees), ("limits", config.limits)):
        fault = _check_size(scalars)
        if fault is not None:
            return f"Invalid 'QuotaConfig.{name}': {fault}"
    for name, scalars in (("guarantee", config.guarantees), ("limit", config.limits)):
        for kind, scalar in scalars.items():
            if scalar.value < 0:
                shown = f"{{'{kind}': {scalar.value:.15g}}}"
                return f"Invalid {name} configuration {shown}: Negative scalar value"
    for kind, scalar in config.guarantees.items():
        if kind in config.limits and config.limits[kind].value < scalar.value:
            return (
                f"'QuotaConfig.guarantees' {_shown(config.guarantees)} is not contained within"
                f" the 'QuotaConfig.limits' {_shown(config.limits)}"
            )
    return None


def _check_size(scalars: Scalars) -> str | None:
    for kind, scalar in scalars.items():
        is_memory = kind in ("mem", "disk")
        most, words = (EXABYTE_MIB, "1 exabyte") if is_memory else (TRILLION, "1 trillion")
        if scalar.value > most:
            return (
                f"{{'{kind}': {scalar.value:.15g}}} is invalid: values greater than"
                f" {words} ({most}) are not supported"
            )
    return None


def _shown(scalars: Scalars) -> str:
    listed = ", ".join(f"{kind}: {scalar.value:.15g}" for kind, scalar in sorted(scalars.items()))
    return f"{{ {listed} }}"


def _quantities(amounts: Mapping[str, int]) -> str:
    return "; ".join(f"{kind}:{number(amount):.15g}" for kind, amount in sorted(amounts.items()))


def is_listed(master: "MasterMachine", role: str) -> bool:
    """Whether a role is among those that the master's --roles allow."""
    return not master.config.roles or role in (*master.config.roles, "*")


def _check_overcommitment(master: "MasterMachine", changed: Mapping[str, Quota]) -> str | None:
    wanted: dict[str, int] = {}
    for quota in {**master.allocator.quotas, **changed}.values():
        for kind, amount in quota.guarantees.items():
            wanted[kind] = wanted.get(kind, 0) + amount
    capacity: dict[str, int] = {}
    for agent in master.state.agents.values():
        for kind, amount in agent.total.non_revocable().scalars().items():
            capacity[kind] = capacity.get(kind, 0) + amount
    if all(capacity.get(kind, 0) >= amount for kind, amount in wanted.items()):
        return None
    return (
        f"quota guarantees '{_quantities(wanted)}'"
        f" exceed cluster capacity '{_quantities(capacity)}'"
    )


def _check_consumption(master: "MasterMachine", role: str, quota: Quota) -> str | None:
    consumed = consumptions(master, [role])[role]
    over = {k: n for k, n in consumed.items() if k in quota.limits and n > quota.limits[k]}
    if not over:
        return None
    return (
        f"Invalid QuotaConfig: Role '{role}' is already consuming '{_quantities(consumed)}', which"
        f" is more than the requested limits '{_quantities(quota.limits)}'"
        " (use 'force' flag to bypass this check)"
    )


def consumptions(master: "MasterMachine", roles: Iterable[str]) -> dict[str, dict[str, int]]:
    """What top roles consume of their quotas: reservations and what tasks use, not what is offered.

    Thousandths by name.
    """
    tree = master.tree
    consumed = {role: tree.consumed(role) for role in roles}
    for offer in master.state.offers.values():
        top = top_of(offer.role)
        if top in consumed:
            consumed[top] = list(map(sub, consumed[top], tree.parts(offer.resources)[1]))
    return {role: tree.as_scalars(vector) for role, vector in consumed.items()}


# --- calls ----------------------------------------------------------------------------------------


def update(master: "MasterMachine", now: float, event: QuotasUpdated) -> None:
    """UPDATE_QUOTA: all of the configurations, or none."""
    changed: dict[str, Quota] = {}
    fault = None
    for config in event.configs:
        fault = _check_update(master, config)
        if fault is not None:
            break
        changed[config.role] = as_quota(config)
    if fault is None and not event.force:
        text = _check_overcommitment(master, changed)
        if text is not None:
            fault = f"Invalid QuotaConfig: total {text} (use 'force' flag to bypass this check)"
        for role, quota in changed.items():
            fault = fault or _check_consumption(master, role, quota)
    if fault is not None:
        master.reply(event.request, text_response(400, fault))
        return
    _apply(master, event.request, changed)


def _check_update(master: "MasterMachine", config: mesos.QuotaConfig) -> str | None:
    if not is_listed(master, config.role):
        return f"Invalid QuotaConfig: '{config.role}' is not on the roles whitelist"
    if "/" in config.role:
        return f"Updating quota on nested role '{config.role}' is not supported yet"
    fault = check_config(config)
    return None if fault is None else f"Invalid QuotaConfig: {fault}"


def set_one(master: "MasterMachine", now: float, event: QuotaSet) -> None:
    """SET_QUOTA, the old way: a guarantee that is the limit too, for a role without quota."""
    asked = event.quota
    try:
        amounts = from_wire(asked.guarantee).scalars()
    except WireError as error:
        text = f"Failed to validate set quota request: QuotaInfo with invalid resource: {error}"
        master.reply(event.request, text_response(400, text))
        return
    fault = _check_request(master, asked)
    role = asked.role or ""
    if fault is None and "/" in role:
        fault = f"Setting quota on nested role '{role}' is not supported yet"
    if fault is not None:
        master.reply(event.request, text_response(400, fault))
        return
    changed = {role: Quota(amounts, dict(amounts))}
    overcommitment = None if asked.force else _check_overcommitment(master, changed)
    if overcommitment is not None:
        reason = "Quota guarantees overcommit the cluster (use 'force' to bypass this check): "
        master.reply(event.request, text_response(409, f"{reason}Total {overcommitment}"))
        return
    _apply(master, event.request, changed)


def _check_request(master: "MasterMachine", asked: mesos.QuotaRequest) -> str | None:
    prefix = "Failed to validate set quota request: "
    if asked.role is None:
        return f"{prefix}QuotaInfo must specify a role"
    fault = check_role(asked.role)
    if fault is not None:
        return f"{prefix}QuotaInfo with invalid role: {fault}"
    if not asked.guarantee:
        return f"{prefix}QuotaInfo with empty 'guarantee'"
    names: dict[str, None] = {}
    for resource in asked.guarantee:
        if resource.reservations or resource.reservation or resource.role not in (None, "*"):
            return f"{prefix}QuotaInfo must not contain any ReservationInfo"
        if resource.disk is not None:
            return f"{prefix}QuotaInfo must not contain DiskInfo"
        if resource.revocable is not None:
            return f"{prefix}QuotaInfo must not contain RevocableInfo"
        if resource.type != "SCALAR":
            return f"{prefix}QuotaInfo must not include non-scalar resources"
        if resource.name in names:
            return f"{prefix}QuotaInfo contains duplicate resource name '{resource.name}'"
        names[resource.name] = None
    if not is_listed(master, asked.role):
        return f"{prefix}Unknown role '{asked.role}'"
    if asked.role in master.allocator.quotas:
        return f"{prefix}Cannot set quota for role '{asked.role}' which already has quota"
    return None


def remove(master: "MasterMachine", now: float, event: QuotaRemoved) -> None:
    """REMOVE_QUOTA, the old way."""
    role, where = event.role, f" for path '{event.path}'" if event.path else ""
    fault = None
    if not is_listed(master, role):
        fault = f"Failed to validate remove quota request{where}: Unknown role '{role}'"
    elif role not in master.allocator.quotas:
        fault = f"Failed to remove quota{where}: Role '{role}' has no quota set"
    if fault is not None:
        master.reply(event.request, text_response(400, fault))
        return
    _apply(master, event.request, {role: Quota()})


# --- carried out ----------------------------------------------------------------------------------


def _apply(master: "MasterMachine", request: str, changed: Mapping[str, Quota]) -> None:
    quotas = {**master.allocator.quotas, **changed}
    known = {role: quota for role, quota in quotas.items() if quota.guarantees or quota.limits}
    data = codec.encode([as_config(role, quota) for role, quota in sorted(known.items())])
    if len(data) > NODE_BYTES:
        text = f"Invalid QuotaConfig: all quotas together take more than {NODE_BYTES} bytes"
        master.reply(request, text_response(400, text))
        return
    for role, quota in changed.items():
        master.allocator.set_quota(role, quota)
        master.log("info", "quota_updated", role=role, quota=str(as_config(role, quota)))
    master.registry.put_document(NODE, data)

    def confirm(now: float) -> None:
        master.reply(request, Response(200))
        make_room(master, now)
        master.make_all_dirty()

    master.when_durable(confirm)


def load(master: "MasterMachine", now: float) -> None:
    """What an earlier leader was told; offers wait until most agents are back."""
    data = master.registry.documents.get(NODE)
    for config in [] if data is None else codec.decode_list(data, mesos.QuotaConfig):
        master.allocator.set_quota(config.role, as_quota(config))
    if master.allocator.quotas:
        awaited = int(len(master.state.recovered) * master.config.agent_recovery_factor)
        master.allocator.hold(awaited, now + master.config.allocator_recovery_timeout_s)


def make_room(master: "MasterMachine", now: float) -> None:
    """Take back offers, the newest first, until limits hold and guarantees can be met."""
    tree, quotas = master.tree, master.allocator.quotas
    newest = list(reversed(master.state.offers.values()))
    for offer in newest:
        top = top_of(offer.role)
        quota = quotas.get(top)
        if quota is None:
            continue
        consumed = tree.as_scalars(tree.consumed(top))
        over = [k for k, limit in quota.limits.items() if consumed.get(k, 0) > limit]
        if _holds_any(master, offer, over):
            offers.rescind(master, now, offer)
    needed = headroom(tree, quotas)
    if not needed:
        return
    for slot in enrolment.slots(master, master.state.agents.values()):
        for kind, amount in tree.as_scalars(slot.open).items():
            if kind in needed:
                needed[kind] -= amount
    for offer in newest:
        lacking = [kind for kind, amount in needed.items() if amount > 0]
        if not lacking:
            return
        if offer.id in master.state.offers and _holds_any(master, offer, lacking):
            for kind, amount in tree.as_scalars(tree.parts(offer.resources)[1]).items():
                if kind in needed:
                    needed[kind] -= amount
            offers.rescind(master, now, offer)


def _holds_any(master: "MasterMachine", offer: Offer, kinds: Iterable[str]) -> bool:
    held = master.tree.as_scalars(master.tree.parts(offer.resources)[1])
    return any(kind in held for kind in kinds)


# --- forms ----------------------------------------------------------------------------------------


def as_quota(config: mesos.QuotaConfig) -> Quota:
    """A checked configuration in the allocator's form; a guarantee of nothing is none."""
    return Quota(
        {k: amount for k, each in config.guarantees.items() if (amount := milli(each.value))},
        {kind: milli(each.value) for kind, each in config.limits.items()},
    )


def as_config(role: str, quota: Quota) -> mesos.QuotaConfig:
    """A quota in the wire's form."""
    return mesos.QuotaConfig(
        role=role,
        guarantees=as_wire(quota.guarantees),
        limits=as_wire(quota.limits),
    )


def as_wire(amounts: Mapping[str, int]) -> dict[str, mesos.Scalar]:
    """Thousandths by name as the wire's map."""
    return {kind: mesos.Scalar(value=number(amount)) for kind, amount in amounts.items()}
