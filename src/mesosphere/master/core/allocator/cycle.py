"""One allocation cycle: which framework is offered what of which agent.

Decides, for a batch of agents that changed, in the order given: walk the roles, then the frameworks
of each, by dominant share; the first eligible one gets all that is free there for its role, in one
offer. What is offered counts as allocated for the agents that follow, so a batch is as fair as one
agent after the other.

Vocabulary: a *claimant* is a framework in one role; a *grant* is an offer to be made; a *verdict*
says why a claimant got nothing of an agent (`explain`).

Invariants: nothing is granted beyond what is free; nobody is granted what it can't take (reserved
to others, revocable, GPUs), what it refused, or too little to be of use.

Source: Mesos, docs/allocation-module.md; src/master/allocator/mesos/hierarchical.cpp.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mesosphere.kernel.resources import Resources
from mesosphere.master.core.allocator.filters import Filters
from mesosphere.master.core.allocator.shares import Tree

MIN_CPUS_MILLI = 10
MIN_MEM_MILLI = 32_000
"""Mesos's default of --min_allocatable_resources: cpus:0.01|mem:32."""


class Free(NamedTuple):
    """An agent with its free resources."""

    agent: str
    resources: Resources


class Claimant(NamedTuple):
    """What a framework can take."""

    is_active: bool
    roles: frozenset[str]
    takes_gpus: bool
    takes_revocable: bool
    takes_refined: bool
    suppressed: frozenset[str]


class Grant(NamedTuple):
    """An offer to be made."""

    framework: str
    role: str
    agent: str
    resources: Resources  # not yet marked as allocated


def is_allocatable(resources: Resources) -> bool:
    """Whether it is enough to be of use to anybody."""
    return resources.scalar("cpus") >= MIN_CPUS_MILLI or resources.scalar("mem") >= MIN_MEM_MILLI


def takeable(free: Resources, role: str, claimant: Claimant) -> Resources:
    """The part of an agent's free resources that a claimant may be offered."""
    part = free.offerable_to(role)
    if not claimant.takes_revocable:
        part = part.non_revocable()
    if not claimant.takes_refined:
        part = part.where(lambda identity: len(identity.reservations) <= 1)
    return part.where(lambda identity: not identity.is_shared)


def verdict(
    free: Free,
    role: str,
    framework: str,
    claimant: Claimant,
    filters: Filters,
    now: float,
    has_gpus: Callable[[str], bool],
) -> str | Resources:
    """What a claimant would get of an agent, or why it gets nothing."""
    if not claimant.is_active:
        return "the framework is not connected"
    if role not in claimant.roles:
        return "the framework is not subscribed to this role"
    if role in claimant.suppressed:
        return "the framework suppressed offers for this role"
    if has_gpus(free.agent) and not claimant.takes_gpus:
        return "the agent has GPUs, which are kept for frameworks with GPU_RESOURCES"
    part = takeable(free.resources, role, claimant)
    if not is_allocatable(part):
        return "too little is free (at least 0.01 cpus or 32 MB)"
    until = filters.hides(framework, role, free.agent, part, now)
    if until is not None:
        return f"refused by the framework for another {until - now:.1f} s"
    return part


def allocate(
    now: float,
    agents: Iterable[Free],
    tree: Tree,
    claimants: dict[str, Claimant],
    filters: Filters,
    has_gpus: Callable[[str], bool],
) -> Sequence[Grant]:
    """Run a cycle. The tree is charged with what is granted."""
    grants = []
    for free in agents:
        if not is_allocatable(free.resources):
            continue
        left = free.resources
        # A role may leave something for the next.
        for role in tree.roles():
            for framework in tree.frameworks(role):
                claimant = claimants.get(framework)
                if claimant is None:
                    continue
                found = verdict(
                    Free(free.agent, left), role, framework, claimant, filters, now, has_gpus
                )
                if isinstance(found, str):
                    continue
                grants.append(Grant(framework, role, free.agent, found))
                tree.allocate(role, framework, found.scalars())
                left = left - found
                break
            if not is_allocatable(left):
                break
    return grants
