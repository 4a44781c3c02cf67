"""What is refused of an operation on resources before it is applied.

Decides for RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME, SHRINK_VOLUME, CREATE_DISK and
DESTROY_DISK; whether the resources are there at all is found out by applying. Vocabulary: the
*asker* is a framework, for the role of the offer it accepts, or an operator.

Texts and order follow the original where clients match them.
Source: Mesos, src/master/validation.cpp (namespace operation).
"""

from collections.abc import Callable, Mapping
from typing import Any

from mesosphere.kernel.conversions import as_held, is_dynamic, is_volume, unreserved
from mesosphere.kernel.conversions import without_volumes as stripped
from mesosphere.kernel.resources import Identity, Resources
from mesosphere.master.core.state import Agent, Framework
from mesosphere.wire import mesos
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos.resources_codec import from_wire


class Asker:
    """Who wants it. `framework` and `role` are None for an operator."""

    def __init__(self, framework: Framework | None, role: str | None, principal: str | None):
        self.framework = framework
        self.role = role
        self.principal = principal


def check_operation(operation: mesos.Operation, agent: Agent, asker: Asker) -> str | None:
    """What is wrong with an operation; None if nothing. It is not LAUNCH or LAUNCH_GROUP."""
    check = _CHECKS.get(operation.type)
    if check is None:
        return f"{operation.type or 'UNKNOWN'} is not an operation on resources"
    body = getattr(operation, operation.type.lower())
    if body is None:
        return f"Expecting '{operation.type.lower()}' to be present"
    try:
        return check(body, agent, asker)
    except WireError as error:
        return f"Invalid resources: {error}"


def _one_provider(resources: Resources) -> str | None:
    if len({identity.provider_id for identity, _ in resources}) > 1:
        return "Invalid resources: The resources have multiple resource providers"
    return None


def _text(identity: Identity, resources: Resources) -> str:
    found = resources.where(lambda each: each == identity)
    return repr(found).removeprefix("Resources(").removesuffix(")")


# --- reservations ---------------------------------------------------------------------------------


def _check_reserve(body: mesos.Reserve, agent: Agent, asker: Asker) -> str | None:
    resources = from_wire(body.resources)
    try:
        source = from_wire(body.source, "source")
    except WireError as error:
        return f"Invalid source: {error}"
    if body.source:
        if asker.framework is not None:
            return "'source' is only allowed in the operator API"
        fault = _check_source(source, resources)
        if fault is not None:
            return fault
    fault = _one_provider(resources)
    if fault is not None:
        return fault
    for identity, _ in resources:
        fault = _check_reserved(identity, resources, asker, has_source=bool(body.source))
        if fault is not None:
            return fault
    return None


def _check_source(source: Resources, target: Resources) -> str | None:
    for name, resources in (("source", source), ("resources", target)):
        if resources.is_empty:
            return f"Invalid {name}: Resource cannot be empty"
        if len({identity.reservations for identity, _ in resources}) > 1:
            return f"Invalid {name}: Mixed reservations are not supported"
    if unreserved(as_held(source, target)) != unreserved(target):
        return (
            "Source and target resources should refer to identical resource quantities: "
            f"{unreserved(source)!r} vs. {unreserved(target)!r}"
        )
    return None


def _check_reserved(
    identity: Identity, resources: Resources, asker: Asker, has_source: bool
) -> str | None:
    text = _text(identity, resources)
    if not is_dynamic(identity):
        return f"Resource {text} is not dynamically reserved"
    if is_volume(identity) and not has_source:
        return f"A persistent volume {text} must already be reserved"
    fault = _check_principal(identity.reservations[-1].principal, asker.principal)
    if fault is not None:
        return fault
    role, allocated = identity.reservations[-1].role, identity.allocation_role
    if asker.framework is None:
        if allocated is not None:
            return (
                "A reserve operation was attempted with an allocated resource, but the operator "
                "API only allows reservations to be made to unallocated resources"
            )
        return None
    roles = asker.framework.roles
    allocated = allocated or asker.role or "*"
    if allocated != role:
        return (
            f"A reserve operation was attempted for a resource with role '{role}', but the "
            f"resource was allocated to role '{allocated}'"
        )
    if allocated not in roles or allocated != asker.role:
        return (
            f"A reserve operation was attempted for a resource allocated to role '{allocated}', "
            f"but the framework only has roles '{{ {', '.join(roles)} }}'"
        )
    return None


def _check_principal(named: str | None, principal: str | None) -> str | None:
    if principal is None:
        return None
    if named is None:
        return (
            f"A reserve operation was attempted by principal '{principal}', but there is a "
            "reserved resource in the request with no principal set"
        )
    if named != principal:
        return (
            f"A reserve operation was attempted by authenticated principal '{principal}', which "
            f"does not match a reserved resource in the request with principal '{named}'"
        )
    return None


def _check_unreserve(body: mesos.Unreserve, agent: Agent, asker: Asker) -> str | None:
    resources = from_wire(body.resources)
    fault = _one_provider(resources) or _check_allocation(resources, asker)
    if fault is not None:
        return fault
    for identity, _ in resources:
        text = _text(identity, resources)
        if not is_dynamic(identity):
            return f"Resource {text} is not dynamically reserved"
        if is_volume(identity):
            return (
                f"A dynamically reserved persistent volume {text} cannot be unreserved directly. "
                "Please destroy the persistent volume first then unreserve the resource"
            )
    return None


def _check_allocation(resources: Resources, asker: Asker) -> str | None:
    """Resources of an ACCEPT belong to the role of its offers; those of an operator to nobody."""
    for identity, _ in resources:
        if identity.allocation_role not in (None, asker.role):
            return (
                f"The resources are allocated to role '{identity.allocation_role}', which is not "
                "that of the offer"
            )
    return None


# --- volumes --------------------------------------------------------------------------------------


def _check_volumes(volumes: Resources, asker: Asker) -> str | None:
    fault = _one_provider(volumes)
    if fault is not None:
        return fault
    for identity, _ in volumes:
        if identity.disk is None:
            text = _text(identity, volumes)
            return f"Not a persistent volume: Resource {text} does not have DiskInfo"
        if not is_volume(identity):
            return "Not a persistent volume: 'persistence' is not set in DiskInfo"
    return _check_allocation(volumes, asker)


def _check_create(body: mesos.Create, agent: Agent, asker: Asker) -> str | None:
    volumes = from_wire(body.volumes)
    fault = _check_volumes(volumes, asker)
    if fault is not None:
        return fault
    for volume in body.volumes:
        assert volume.disk is not None and volume.disk.volume is not None
        if volume.disk.volume.mode != "RW":
            return "Read-only persistent volume not supported"
    fault = _check_unique(agent.total, volumes)
    if fault is not None:
        return fault
    for identity, _ in volumes:
        framework = asker.framework
        if identity.is_shared and framework is not None and not framework.has("SHARED_RESOURCES"):
            return (
                f"Create volume operation for '{_text(identity, volumes)}' has been attempted by "
                f"framework '{framework.id}' with no SHARED_RESOURCES capability"
            )
        assert identity.disk is not None
        fault = _check_creator(identity.disk.persistence_principal, asker.principal)
        if fault is not None:
            return fault
    return None


def _check_unique(total: Resources, volumes: Resources) -> str | None:
    taken: dict[tuple[str | None, str | None], None] = {}
    for resources in (total, volumes):
        for identity, amount in resources:
            if not is_volume(identity):
                continue
            assert identity.disk is not None
            key = identity.reservation_role, identity.disk.persistence_id
            if key in taken or (amount != 1 and not identity.is_shared):
                return f"Persistence ID '{identity.disk.persistence_id}' is not unique"
            taken[key] = None
    return None


def _check_creator(named: str | None, principal: str | None) -> str | None:
    if principal is None:
        return None
    if named is None:
        return (
            f"Create volume operation attempted by principal '{principal}', but there is a volume "
            "in the operation with no principal set in 'disk.persistence'"
        )
    if named != principal:
        return (
            f"Create volume operation attempted by authenticated principal '{principal}', which "
            f"does not match a volume in the operation with principal '{named}' set in "
            "'disk.persistence'"
        )
    return None


def _check_destroy(body: mesos.Destroy, agent: Agent, asker: Asker) -> str | None:
    volumes = from_wire(body.volumes)
    fault = _check_volumes(volumes, asker)
    if fault is not None:
        return fault
    wanted = as_held(volumes.allocated_to(None), agent.total)
    for identity, _ in wanted:
        one = Resources([(identity, 1)])
        if not agent.total.contains(one):
            return "Persistent volumes not found"
        if agent.used.contains(one):
            return "Persistent volumes in use"
    return None


def _check_grow(body: mesos.GrowVolume, agent: Agent, asker: Asker) -> str | None:
    volume, fault = _read_one(body.volume, "GrowVolume.volume")
    if fault is not None:
        return fault
    addition, fault = _read_one(body.addition, "GrowVolume.addition")
    if fault is not None:
        return fault
    if addition.is_empty:
        return "The size of 'GrowVolume.addition' field must be greater than zero"
    fault = _check_resizable(volume, "GrowVolume.volume", "grow", agent)
    if fault is not None:
        return fault
    plain, added = stripped(volume), addition
    kinds = {identity for identity, _ in plain + added}
    if len(kinds) != 1 or any(identity.unit is not None for identity in kinds):
        return "Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields"
    return _check_allocation(volume + addition, asker)


def _check_shrink(body: mesos.ShrinkVolume, agent: Agent, asker: Asker) -> str | None:
    volume, fault = _read_one(body.volume, "ShrinkVolume.volume")
    if fault is not None:
        return fault
    if body.subtract.value * 1000 < 0.5:
        return "Value of 'ShrinkVolume.subtract' must be greater than zero"
    if round(body.subtract.value * 1000) >= volume.scalar("disk"):
        return (
            "Value of 'ShrinkVolume.subtract' must be smaller than the size of "
            "'ShrinkVolume.volume'"
        )
    for identity, _ in volume:
        if identity.disk is not None and identity.disk.source_kind == "MOUNT":
            return "Shrinking a volume on a MOUNT disk is not supported"
    fault = _check_resizable(volume, "ShrinkVolume.volume", "shrunk", agent)
    return fault or _check_allocation(volume, asker)


def _read_one(resource: mesos.Resource, field: str) -> tuple[Resources, str | None]:
    try:
        return from_wire([resource], field), None
    except WireError as error:
        return Resources(), f"Invalid resource in the '{field}' field: {error.message}"


def _check_resizable(volume: Resources, field: str, change: str, agent: Agent) -> str | None:
    title = {"grow": "Growing", "shrunk": "Shrinking"}[change]
    done = {"grow": "grown", "shrunk": "shrunk"}[change]
    for identity, _ in volume:
        if identity.provider_id is not None:
            return f"{title} a volume from a resource provider is not supported"
        if not is_volume(identity):
            return (
                f"Invalid persistent volume in the '{field}' field: 'persistence' is not set in "
                "DiskInfo"
            )
        if identity.is_shared:
            return f"{title} a shared persistent volume is not supported"
        if "RESIZE_VOLUME" not in agent.capabilities:
            return (
                f"Volume {_text(identity, volume)} cannot be {done} on an agent without "
                "RESIZE_VOLUME capability"
            )
    return None


# --- disks of resource providers ------------------------------------------------------------------


def _check_disk(body: Any, agent: Agent, asker: Asker) -> str | None:
    """CREATE_DISK and DESTROY_DISK: no agent here has resource providers to make disks of."""
    from_wire([body.source], "source")
    if body.source.provider_id is None:
        return "'source' is not managed by a resource provider"
    provider = body.source.provider_id.value
    return f"The resource provider {provider} is not known on agent {agent.id}"


_CHECKS: Mapping[str, Callable[[Any, Agent, Asker], str | None]] = {
    "RESERVE": _check_reserve,
    "UNRESERVE": _check_unreserve,
    "CREATE": _check_create,
    "DESTROY": _check_destroy,
    "GROW_VOLUME": _check_grow,
    "SHRINK_VOLUME": _check_shrink,
    "CREATE_DISK": _check_disk,
    "DESTROY_DISK": _check_disk,
}
