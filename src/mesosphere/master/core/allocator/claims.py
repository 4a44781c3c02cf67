"""What a framework in a role can take of an agent, or what hinders it.

Vocabulary: a *slot* is an agent as the allocator sees it; a *claimant* is a framework in a role; a
*part* is what of an agent's free resources a claimant may be offered; a *hindrance* is why it gets
nothing, with the time until which that holds (for ever unless something changes).

Invariants: a part is within what is free and within the quota's budget; what a slot knows of its
free resources is computed once per change of them.

Source: Mesos, src/master/allocator/mesos/hierarchical.cpp (isCapableOfReceivingAgent, isFiltered,
allocatable).
"""

from collections.abc import Hashable, Mapping, Sequence
from enum import Enum
from math import inf
from typing import NamedTuple, Protocol

from mesosphere.kernel.resources import EMPTY, Resources
from mesosphere.master.core.allocator.filters import Refusal, hidden_until
from mesosphere.master.core.allocator.shares import Kind, Tree, Vector, is_open

Alternatives = tuple[Mapping[str, int], ...]
"""Amounts by name, in thousandths; one alternative must be there. None at all: anything will do."""

LEAST: Alternatives = ({"cpus": 10}, {"mem": 32_000})
"""Mesos's default of --min_allocatable_resources: cpus:0.01|mem:32."""

NEEDS_GPUS = 1
NEEDS_REGION = 2


class Cause(Enum):
    """What hinders; the value is for people."""

    NOT_CONNECTED = "the framework is not connected"
    SUPPRESSED = "the framework suppressed offers for this role"
    AGENT_AWAY = "the agent is not connected"
    AGENT_INACTIVE = "the agent is deactivated, draining or in maintenance"
    GPUS = "the agent has GPUs, which are kept for frameworks with GPU_RESOURCES"
    REGION = "the agent is in another region, which is offered to frameworks with REGION_AWARE"
    CONSTRAINED = "the framework's offer constraints exclude the agent"
    NOTHING_FREE = "nothing is free that this role may be offered"
    TOO_LITTLE = "too little is free (see min_allocatable_resources)"
    REFUSED = "the framework refused resources like these"
    LIMIT = "the role's quota limit is reached"
    HEADROOM = "what is free is held back for quota guarantees of other roles"


class Hindrance(NamedTuple):
    """Why a claimant gets nothing of an agent, and until when that holds by itself."""

    cause: Cause
    until: float = inf


_FIXED = {cause: Hindrance(cause) for cause in Cause}
_QUOTA = {cause: Hindrance(cause, 0.0) for cause in (Cause.LIMIT, Cause.HEADROOM)}


class Facts(NamedTuple):
    """What an agent is, apart from its resources. An attribute that is no text has None."""

    hostname: str = ""
    region: str | None = None
    zone: str | None = None
    attributes: Mapping[str, str | None] = {}


class Constraint(Protocol):
    """Which agents a framework wants to be offered for a role."""

    def allows(self, facts: Facts) -> bool:
        """Whether an agent is one of them."""


class Claimant(NamedTuple):
    """What a framework can take in a role. `refused` are its live refusals by agent."""

    framework: str
    role: str
    top: str
    can: int = 0
    takes_revocable: bool = False
    takes_refined: bool = False
    takes_shared: bool = False
    least: Alternatives = LEAST
    constraint: Constraint | None = None
    refused: Mapping[str, Sequence[Refusal]] = {}

    @property
    def kin(self) -> Hashable:
        """What decides what it can take of an agent that every role may take all of."""
        return self.top, self.can, id(self.least)


class Slot:
    """An agent as the allocator sees it. `free` is what is left as a cycle goes on."""

    __slots__ = (
        "facts", "free", "id", "is_plain", "judged", "kind", "known", "needs", "open", "rests",
        "total", "whole",
    )  # fmt: skip

    def __init__(self, id: str, total: Resources, facts: Facts, needs: int = 0) -> None:
        self.id = id
        self.total = total
        self.facts = facts
        self.needs = needs
        self.known: Resources | None = None  # what the rest was computed from
        self.free = EMPTY
        self.whole: Vector = ()
        self.open: Vector = ()
        self.is_plain = True  # every role may take all of it
        self.kind: Kind | None = None  # None: like no other
        self.rests: tuple[int, float] = (-1, 0.0)  # nobody takes it: allocator's version, until
        self.judged: tuple[Alternatives | None, bool] = (None, False)  # whether free is enough

    def refresh(self, free: Resources, tree: Tree) -> None:
        """What is free now."""
        if free is self.known and len(self.whole) == len(tree.names):
            self.free = free
            return
        self.known = self.free = free
        self.whole, self.open = tree.parts(free)
        self.is_plain = all(is_open(identity) and not identity.is_shared for identity, _ in free)
        self.kind = tree.kind_of((self.needs, *self.whole)) if self.is_plain else None
        self.rests = (-1, 0.0)
        self.judged = (None, False)

    def is_enough(self, least: Alternatives) -> bool:
        """Whether what is free is enough to be of use."""
        judged = self.judged
        if judged[0] is not least:
            judged = self.judged = (least, is_enough(self.known or EMPTY, least))
        return judged[1]


class Budget(Protocol):
    """What quota leaves to roles in a cycle."""

    def chop(self, top: str, part: Resources, is_open: Vector | None) -> Resources:
        """What of a part a role may have."""

    def hindrance(self, top: str, part: Resources) -> Cause:
        """Why that was nothing."""


def is_enough(part: Resources, least: Alternatives) -> bool:
    """Whether it is enough to be of use."""
    if not part:
        return False
    if not least:
        return True
    scalar = part.scalar
    for alternative in least:
        for name, amount in alternative.items():
            if scalar(name) < amount:
                break
        else:
            return True
    return False


def takeable(free: Resources, claimant: Claimant) -> Resources:
    """The part of an agent's free resources that a claimant's role and capabilities allow."""
    part = free.offerable_to(claimant.role)
    if not claimant.takes_revocable:
        part = part.non_revocable()
    if not claimant.takes_refined:
        part = part.where(lambda identity: len(identity.reservations) <= 1)
    if not claimant.takes_shared:
        part = part.where(lambda identity: not identity.is_shared)
    return part


def lasting_part(slot: Slot, claimant: Claimant, budget: Budget | None) -> Resources | Hindrance:
    """What a claimant would get of a slot if it refused nothing and had no constraints.

    It is the same for all slots of the same kind: needs, and free resources.
    """
    missing = slot.needs & ~claimant.can
    if missing:
        return _FIXED[Cause.GPUS if missing & NEEDS_GPUS else Cause.REGION]
    part = slot.free if slot.is_plain else takeable(slot.free, claimant)
    least = claimant.least
    if budget is not None and part:
        whole = part
        part = budget.chop(claimant.top, part, slot.open if part is slot.known else None)
        if part is not whole and not is_enough(part, least):
            if is_enough(whole, least):
                return _QUOTA[budget.hindrance(claimant.top, whole)]
            return _FIXED[Cause.TOO_LITTLE]
    if not (slot.is_enough(least) if part is slot.known else is_enough(part, least)):
        return _FIXED[Cause.TOO_LITTLE if part else Cause.NOTHING_FREE]
    return part


def part_for(
    now: float, slot: Slot, claimant: Claimant, budget: Budget | None
) -> Resources | Hindrance:
    """What a claimant would get of a slot, or why it gets nothing."""
    if claimant.constraint is not None and not claimant.constraint.allows(slot.facts):
        return _FIXED[Cause.CONSTRAINED]
    part = lasting_part(slot, claimant, budget)
    if isinstance(part, Hindrance):
        return part
    refusals = claimant.refused.get(slot.id)
    if refusals is not None:
        until = hidden_until(refusals, part, now)
        if until is not None:
            return Hindrance(Cause.REFUSED, until)
    return part
