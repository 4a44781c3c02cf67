"""The allocator: who takes part, with what quota and weight, and what was refused.

Holds what lasts from one cycle to the next; `cycle` decides. Every change that could make somebody
take what nobody took before raises `version`, so that agents that rest are looked at again.

Invariants: quotas are of top roles; a claimant is in the tree under its role, or takes no part.
"""

from collections.abc import Iterable, Mapping, Sequence

from mesosphere.master.core.allocator.claims import Claimant, Slot
from mesosphere.master.core.allocator.cycle import Cycle, Grant
from mesosphere.master.core.allocator.filters import Filters
from mesosphere.master.core.allocator.quotas import Budget, Quota
from mesosphere.master.core.allocator.shares import Tree


class Allocator:
    """See the module."""

    def __init__(
        self, excluded: tuple[str, ...] = (), weights: Mapping[str, float] | None = None
    ) -> None:
        self.tree = Tree(excluded)
        self.tree.set_weights(dict(weights or {}))
        self.filters = Filters()
        self.quotas: dict[str, Quota] = {}
        self.version = 0
        self._awaited = 0
        self._held_until = 0.0

    def hold(self, awaited: int, until: float) -> None:
        """Allocate nothing before so many agents are here, none is missing, or it is too late.

        With quota, what is offered early of a few agents could not be had by whom it is meant for.
        """
        self._awaited, self._held_until = awaited, until

    def is_held(self, now: float, agents: int, missing: int) -> bool:
        """Whether it waits for agents: so many are here, so many more may still come."""
        if agents >= self._awaited or not missing or now >= self._held_until:
            self._awaited = 0
        return self._awaited > 0

    def enroll(self, role: str, framework: str, claimant: Claimant | None) -> None:
        """What a framework takes in a role from now on; None: nothing."""
        self.tree.set_claimant(role, framework, claimant)
        self.version += 1

    def leave(self, role: str, framework: str) -> None:
        """A framework leaves a role; what it holds there counts as long as it holds it."""
        self.tree.remove_client(role, framework)

    def revive(self, framework: str, role: str | None = None) -> None:
        """Forget what a framework refused."""
        self.filters.clear(framework, role)
        self.version += 1

    def set_quota(self, top: str, quota: Quota) -> None:
        """Change a role's quota; an empty one is none."""
        if quota.guarantees or quota.limits:
            self.quotas[top] = quota
        else:
            self.quotas.pop(top, None)
        self.version += 1

    def set_weights(self, weights: dict[str, float]) -> None:
        """Change the weights of all roles."""
        self.tree.set_weights(weights)

    def budget(self, everywhere: Iterable[Slot]) -> Budget | None:
        """What quota leaves to roles now. `everywhere`: all agents that take part, up to date."""
        if not self.quotas:
            return None
        return Budget(self.tree, self.quotas, (slot.open for slot in everywhere))

    def allocate(
        self, now: float, slots: Sequence[Slot], everywhere: Iterable[Slot]
    ) -> list[Grant]:
        """Run a cycle over some agents."""
        return Cycle(now, self.tree, self.budget(everywhere), self.version).run(slots)
