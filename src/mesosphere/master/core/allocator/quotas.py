"""Quota: what a top role is sure to get, and what it gets at most.

Quota belongs to a role at the top of the tree and holds for it and everything below. What counts
as consumed are the role's reservations, used or not, and what is allocated to it unreserved and not
revocable. A guarantee reserves nothing on any agent: as much as all unmet guarantees together is
held back of what is free in the cluster (the *headroom*), and roles with an unmet guarantee go
first. A limit is held by making offers smaller.

Vocabulary: *unmet* is what a guarantee lacks; *room* is what a limit leaves; *surplus* is what is
free beyond the headroom. A role may take `min(room, unmet + surplus)` of each open scalar.

Invariants: no role is ever given more than its room; what is given beyond guarantees never exceeds
the surplus, so that a guarantee that could be met stays so.

Source: Mesos, docs/quota.md; src/master/allocator/mesos/hierarchical.cpp (__allocate).
"""

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from operator import itemgetter, le, sub
from typing import NamedTuple

from mesosphere.kernel.resources import Amount, Identity, Resources, quantity
from mesosphere.master.core.allocator.claims import Cause
from mesosphere.master.core.allocator.shares import Tree, Vector, is_open

COUNT_LIMIT = 10**9
"""Stands for no limit where a number is needed."""


class Quota(NamedTuple):
    """Of a top role; thousandths by scalar name. A name without a limit is not limited."""

    guarantees: Mapping[str, int] = {}
    limits: Mapping[str, int] = {}


class Budget:
    """What quota leaves to roles, as a cycle goes on. `free` are the open parts of the agents."""

    def __init__(self, tree: Tree, quotas: Mapping[str, Quota], free: Iterable[Vector]) -> None:
        self._tree = tree
        self._room: dict[str, list[float]] = {}
        self.unmet: dict[str, list[int]] = {}
        names = tree.names
        required = [0] * len(names)
        for top, quota in quotas.items():
            consumed = tree.consumed(top)
            limits, guarantees = quota.limits, quota.guarantees
            self._room[top] = [
                max(limits[name] - consumed[place], 0) if name in limits else inf
                for name, place in names.items()
            ]
            unmet = [
                max(guarantees.get(name, 0) - consumed[place], 0) for name, place in names.items()
            ]
            if any(unmet):
                self.unmet[top] = unmet
                required = [one + other for one, other in zip(required, unmet, strict=True)]
        self._owed: Sequence[int] = required
        self.surplus: list[float] = [inf] * len(names)
        if self.unmet:
            # What nobody is guaranteed more of is not held back.
            listed = list(free)
            self.surplus = [
                max(sum(map(itemgetter(place), listed)) - need, 0) if need else inf
                for place, need in enumerate(required)
            ]
        self._allowed: dict[str, Sequence[float]] = {}

    def allowance(self, top: str) -> Sequence[float]:
        """How much a role may take of each open scalar."""
        found = self._allowed.get(top)
        if found is None:
            found = self.surplus
            unmet, room = self.unmet.get(top), self._room.get(top)
            if unmet is not None:
                found = [one + other for one, other in zip(found, unmet, strict=True)]
            if room is not None:
                found = list(map(min, found, room))
            self._allowed[top] = found
        return found

    def chop(self, top: str, part: Resources, open_part: Vector | None) -> Resources:
        """What of a part a role may have; `open_part` is the part's open vector, if known."""
        allowed = self.allowance(top)
        if open_part is None:
            open_part = self._tree.parts(part)[1]
        if all(map(le, open_part, allowed)):
            return part
        left = {name: allowed[place] for name, place in self._tree.names.items()}
        return Resources(_within(part, left))

    def hindrance(self, top: str, part: Resources) -> Cause:
        """Whether it is the role's own limit, or what others are guaranteed."""
        room = self._room.get(top)
        if room is None or all(map(le, self._tree.parts(part)[1], room)):
            return Cause.HEADROOM
        return Cause.LIMIT

    def _repay(self, amounts: Iterable[int]) -> None:
        """Less is owed; what nobody is owed any more need not be held back."""
        self._owed = list(map(sub, self._owed, amounts))
        pairs = list(zip(self.surplus, self._owed, strict=True))
        if any(not need and have != inf for have, need in pairs):
            self.surplus = [have if need else inf for have, need in pairs]
            self._allowed.clear()

    def helps(self, top: str, open_part: Vector) -> bool:
        """Whether it brings a role nearer to its guarantee."""
        unmet = self.unmet.get(top)
        return unmet is not None and any(map(min, unmet, open_part))

    def spend(self, top: str, open_part: Vector) -> None:
        """A role was given something."""
        room, unmet = self._room.get(top), self.unmet.get(top)
        if room is not None:
            self._room[top] = [have - each for have, each in zip(room, open_part, strict=True)]
        beyond: Sequence[int] = open_part
        if unmet is not None:
            beyond = [max(each - need, 0) for each, need in zip(open_part, unmet, strict=True)]
            rest = [max(need - each, 0) for each, need in zip(open_part, unmet, strict=True)]
            if any(rest):
                self.unmet[top] = rest
            else:
                del self.unmet[top]
            self._repay(map(min, open_part, unmet))
        if any(beyond) and any(each != inf for each in self.surplus):
            self.surplus = [
                max(have - each, 0) for have, each in zip(self.surplus, beyond, strict=True)
            ]
            self._allowed.clear()
        else:
            self._allowed.pop(top, None)


class Rations:
    """How often a part may be given whole to roles, counted down by who gives.

    `left` is by role, once it was asked for (`of`); `total` is for all roles together. `is_owed`:
    in the round for guarantees, where each role may take of what is not surplus, and only as long
    as that brings it nearer to its guarantee.
    """

    def __init__(self, budget: Budget, open_part: Vector, is_owed: bool) -> None:
        self._budget = budget
        self._part = open_part
        self._is_owed = is_owed
        self._settled: dict[str, float] = {}  # what was left of each when it was settled last
        self.left: dict[str, float] = {}
        self.total = inf if is_owed else _times(budget.surplus, open_part)

    def of(self, top: str) -> float:
        """How often a role may be given the part whole; 0 if it is owed, outside of that round."""
        left = self.left.get(top)
        if left is None:
            unmet = self._budget.unmet.get(top)
            if self._is_owed:
                left = 0 if unmet is None else self._times_owed(top, unmet)
            else:
                left = 0 if unmet is not None else _times(self._budget.allowance(top), self._part)
            left = self.left[top] = self._settled[top] = min(left, COUNT_LIMIT)
        return left

    def all_owed(self) -> int:
        """How many parts may be given whole to all roles that are owed something."""
        unmet = self._budget.unmet.items()
        return int(min(sum(self._times_owed(top, each) for top, each in unmet), COUNT_LIMIT))

    def settle(self) -> None:
        """Take what was counted out of the budget."""
        for top, left in self.left.items():
            count = int(self._settled[top] - left)
            if count:
                self._budget.spend(top, [count * each for each in self._part])
                self._settled[top] = left

    def _times_owed(self, top: str, unmet: Sequence[int]) -> float:
        bounds = [
            min(allowed, need) if surplus != inf else allowed
            for allowed, need, surplus in zip(
                self._budget.allowance(top), unmet, self._budget.surplus, strict=True
            )
        ]
        helping = max(
            -(-need // each) for need, each in zip(unmet, self._part, strict=True) if each
        )
        return min(_times(bounds, self._part), helping)


def _times(allowed: Sequence[float], part: Vector) -> float:
    """How often a part goes into what is allowed."""
    pairs = zip(allowed, part, strict=True)
    return min((have // each for have, each in pairs if each and have != inf), default=inf)


def _within(part: Resources, left: dict[str, float]) -> Iterable[tuple[Identity, Amount]]:
    """The part with its open scalars within `left`, which is used up."""
    for identity, amount in part:
        if not isinstance(amount, int) or not is_open(identity):
            yield identity, amount
            continue
        have = left[identity.name]
        size = quantity(identity, amount)
        if size > have:
            # What can't be divided is given whole or not.
            amount = 0 if identity.unit is not None else int(have)
            size = amount
        left[identity.name] = have - size
        if amount:
            yield identity, amount


def headroom(tree: Tree, quotas: Mapping[str, Quota]) -> dict[str, int]:
    """What is held back for guarantees that are not met, by name."""
    unmet = Budget(tree, quotas, ()).unmet.values()
    return {
        name: amount
        for name, place in tree.names.items()
        if (amount := sum(vector[place] for vector in unmet))
    }
