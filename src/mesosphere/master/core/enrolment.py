"""Frameworks and agents as the allocator sees them: claimants and slots.

A framework is enrolled anew whenever anything changes that decides what it can be offered: its
stream, roles, capabilities, suppression. An agent's slot is made when a cycle first sees it, and
anew when its total changes; what is free in it is brought up to date by each cycle.

Source: Mesos, src/master/allocator/mesos/hierarchical.cpp (addFramework, addSlave).
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from mesosphere.kernel.resources import milli
from mesosphere.master.core.allocator.claims import (
    NEEDS_GPUS,
    NEEDS_REGION,
    Alternatives,
    Claimant,
    Facts,
    Slot,
)
from mesosphere.master.core.allocator.shares import top_of
from mesosphere.master.core.state import Agent, Framework
from mesosphere.wire import mesos

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine


def enroll(master: "MasterMachine", framework: Framework) -> None:
    """What a framework takes from now on, in each of its roles."""
    master.filters.forget(framework.id, kept_roles=framework.roles)
    for role in framework.roles:
        is_open = framework.is_connected and role not in framework.suppressed
        claimant = claimant_of(master, framework, role) if is_open else None
        master.allocator.enroll(role, framework.id, claimant)


def claimant_of(master: "MasterMachine", framework: Framework, role: str) -> Claimant:
    """What a framework can take in a role."""
    has, can = framework.has, 0
    if has("GPU_RESOURCES") or not master.config.filter_gpu_resources:
        can |= NEEDS_GPUS
    if has("REGION_AWARE"):
        can |= NEEDS_REGION
    return Claimant(
        framework=framework.id,
        role=role,
        top=top_of(role),
        can=can,
        takes_revocable=has("REVOCABLE_RESOURCES"),
        takes_refined=has("RESERVATION_REFINEMENT"),
        takes_shared=has("SHARED_RESOURCES"),
        least=_least(master, framework.info, role),
        constraint=framework.constraints.get(role),
        refused=master.filters.refused(framework.id, role),
    )


def _least(master: "MasterMachine", info: mesos.FrameworkInfo, role: str) -> Alternatives:
    own = info.offer_filters.get(role)
    if own is None or own.min_allocatable_resources is None:
        return master.config.min_allocatable
    return tuple(
        {name: milli(scalar.value) for name, scalar in listed.quantities.items()}
        for listed in own.min_allocatable_resources.quantities
    )


def is_offered(agent: Agent) -> bool:
    """Whether an agent's resources are offered at all."""
    return agent.is_connected and agent.is_active


def slots(master: "MasterMachine", agents: Iterable[Agent]) -> Iterator[Slot]:
    """The slots of those agents that are offered, with what is free now."""
    tree = master.tree
    for agent in agents:
        if agent.stream is None or not is_offered(agent):
            continue
        slot = agent.slot
        if slot is None or slot.total is not agent.total:
            slot = agent.slot = make_slot(master, agent)
        slot.refresh(agent.free, tree)
        yield slot


def make_slot(master: "MasterMachine", agent: Agent) -> Slot:
    """An agent's slot, as yet without what is free."""
    here, there = region_of(master.info.domain), region_of(agent.info.domain)
    needs = NEEDS_GPUS if agent.has_gpus else 0
    if here is not None and there is not None and here != there:
        needs |= NEEDS_REGION
    return Slot(agent.id, agent.total, facts_of(agent.info), needs)


def region_of(domain: mesos.DomainInfo | None) -> str | None:
    """The region of a domain, if it has one."""
    fault_domain = None if domain is None else domain.fault_domain
    return None if fault_domain is None else fault_domain.region.name


def facts_of(info: mesos.AgentInfo) -> Facts:
    """What offer constraints may ask of an agent; of attributes of one name the first counts."""
    domain = None if info.domain is None else info.domain.fault_domain
    attributes: dict[str, str | None] = {}
    for attribute in info.attributes:
        text = None if attribute.text is None else attribute.text.value
        attributes.setdefault(attribute.name, text)
    return Facts(
        info.hostname,
        None if domain is None else domain.region.name,
        None if domain is None else domain.zone.name,
        attributes,
    )
