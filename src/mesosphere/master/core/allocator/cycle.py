"""One allocation cycle: which framework is offered what of which agent.

Decides, for a batch of agents: walk the roles, then the frameworks of each, by dominant share; the
first that nothing hinders gets all that is free there for its role, in one offer. Where guarantees
of quota are unmet there is a round before, in which only roles that lack something are given what
brings them nearer. What is offered counts as allocated for the agents that follow, so a batch is as
fair as one agent after the other.

Agents that are alike are dealt out together (`dealing`): any of them will do for whoever is next.
Of the others, those that anybody would take whole are dealt out level by level (`succession`), the
rest one after the other.

An agent that nobody takes anything of *rests*: it is passed over until a refusal ends, its free
resources change, or anything changes that could make somebody take it (the allocator's version).

Invariants: nothing is granted beyond what is free or beyond a quota's limit; nobody is granted what
it can't take, what it refused, or too little to be of use.

Source: Mesos, docs/allocation-module.md; src/master/allocator/mesos/hierarchical.cpp.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from math import inf

import msgspec

from mesosphere.kernel.resources import EMPTY, Resources
from mesosphere.master.core.allocator.claims import (
    Cause,
    Claimant,
    Hindrance,
    Slot,
    lasting_part,
    part_for,
)
from mesosphere.master.core.allocator.dealing import Dealing
from mesosphere.master.core.allocator.quotas import Budget, Rations
from mesosphere.master.core.allocator.shares import Client, Kind, Node, Tree, top_of
from mesosphere.master.core.allocator.succession import deal, everybodys

FEW = 32
"""Agents of a kind that are dealt out one by one, even with few frameworks."""

MANY_OTHERS = 32
"""Agents that differ from which on they are dealt out level by level, even with few frameworks."""

AT_ONCE = 2_000
"""Agents that differ and are dealt out at once under quota, all or none."""

LOOKS = 8
"""Agents of a kind that are looked at to find one that a framework does not refuse."""


class Grant(msgspec.Struct, frozen=True, gc=False):
    """An offer to be made. Tens of thousands come at once, so the collector need not see them."""

    framework: str
    role: str
    agent: str
    resources: Resources


class Cycle:
    """See the module. `version` says when resting agents must be looked at again."""

    def __init__(
        self, now: float, tree: Tree, budget: Budget | None = None, version: int = 0
    ) -> None:
        self._now = now
        self._tree = tree
        self._budget = budget
        self._version = version
        self._is_owed = False  # the round in which only what brings guarantees nearer is given
        self._hopeless: dict[tuple[str, int], Hindrance] = {}  # of the agent that is dealt out
        self.grants: list[Grant] = []

    def run(self, slots: Sequence[Slot]) -> list[Grant]:
        """Deal out the slots in their order; the tree is charged with what is granted."""
        self._tree.begin()
        if self._budget is not None and self._budget.unmet:
            self._is_owed = True
            self._deal_all(slots)
        self._is_owed = False
        self._deal_all(slots)
        return self.grants

    def _deal_all(self, slots: Sequence[Slot]) -> None:
        version, now = self._version, self._now
        slots = [
            slot
            for slot in slots
            if slot.free and (slot.rests[0] != version or slot.rests[1] <= now)
        ]
        few = max(FEW, self._tree.root.live // 4)  # less is not worth the preparation
        kinds = [slot.kind if slot.free is slot.known else None for slot in slots]
        alike = _group(slots, kinds, few)
        others: list[Slot] = []
        for slot, kind in zip(slots, kinds, strict=True) if alike else ():
            group = alike.get(kind)
            if group is None:
                others.append(slot)
            elif slot is group[0]:
                self._deal_others(others)
                others = self._deal_alike(group, few)
        self._deal_others(others if alike else slots)

    # --- agents that are alike ------------------------------------------------------------------

    def _deal_alike(self, group: list[Slot], few: int) -> list[Slot]:
        """Deal out agents of one kind; the few that are left are for one after the other."""
        pool = group[::-1]
        several = 1
        while len(pool) >= few:
            stretch = self._stretch(pool)
            if not stretch:
                for slot in pool if self._budget is None else ():
                    slot.rests = (self._version, inf)
                return []
            if not self._take(stretch, pool):
                # Somebody takes a part, or refuses these: go round by taking some one by one,
                # each time more.
                for slot in (pool.pop() for _ in range(min(several, len(pool)))):
                    self._deal(slot)
                several *= 2
        return pool[::-1]

    def _stretch(self, pool: list[Slot]) -> list[Client]:
        """Who is next, as far as it is certain."""
        sample, budget, count = pool[0], self._budget, len(pool)
        if self._is_owed and budget is not None:
            count = min(count, max(Rations(budget, sample.open, True).all_owed(), 1))
        able = partial(self._is_able, sample)
        return Dealing(self._tree, sample.whole, able).stretch(count)

    def _is_able(self, sample: Slot, client: Client) -> bool:
        """Whether a framework can take agents of a kind, in this round."""
        claimant: Claimant = client.claimant
        part = lasting_part(sample, claimant, self._budget)
        return isinstance(part, Resources) and (not self._is_owed or self._helps(claimant, part))

    def _helps(self, claimant: Claimant, part: Resources) -> bool:
        budget = self._budget
        if budget is None or claimant.top not in budget.unmet:
            return False
        return budget.helps(claimant.top, self._tree.parts(part)[1])

    def _take(self, stretch: list[Client], pool: list[Slot]) -> bool:
        """Give agents of the pool to those who are next; False: somebody is in the way."""
        sample, budget = pool[0], self._budget
        whole, is_open = sample.whole, sample.open
        rations = None if budget is None else Rations(budget, is_open, self._is_owed)
        given: dict[Client, int] = {}
        served: dict[str, None] = {}  # roles that can take no more
        is_free = True
        for client in stretch:
            claimant: Claimant = client.claimant
            if rations is not None:
                top = claimant.top
                if top in served:
                    continue  # the order of the others is the same without it
                left = rations.left.get(top) or rations.of(top)
                if left < 1 or rations.total < 1:
                    rations.settle()
                    is_free = not pool or not self._is_able(pool[0], client)
                    if not is_free:
                        break
                    served[top] = None
                    continue
            if claimant.constraint is not None or pool[-1].id in claimant.refused:
                is_free = self._bring_agreeable(pool, claimant)
                if not is_free:
                    break
            if rations is not None:
                rations.left[top] = left - 1
                rations.total -= 1
            slot = pool.pop()
            self.grants.append(Grant(claimant.framework, claimant.role, slot.id, slot.free))
            slot.free = EMPTY
            given[client] = given.get(client, 0) + 1
        self._tree.grant_many(given, whole, is_open)
        if rations is not None:
            rations.settle()
        return is_free

    def _bring_agreeable(self, pool: list[Slot], claimant: Claimant) -> bool:
        """Put an agent last that a claimant takes: any of the kind will do, so look at some."""
        for place in range(len(pool) - 1, max(len(pool) - 1 - LOOKS, -1), -1):
            if isinstance(part_for(self._now, pool[place], claimant, None), Resources):
                pool[place], pool[-1] = pool[-1], pool[place]
                return True
        return False

    # --- agents that differ ---------------------------------------------------------------------

    def _deal_others(self, slots: list[Slot]) -> None:
        least = max(MANY_OTHERS, self._tree.root.live // 4)
        if len(slots) >= least and (self._budget is None or not self._budget.unmet):
            self._deal_in_turn(slots)
        for slot in slots:
            if slot.free:
                self._deal(slot)

    def _deal_in_turn(self, slots: list[Slot]) -> None:
        """Deal out those agents that whoever is next takes whole, until a limit is in the way."""
        certain = everybodys(self._tree, slots)
        size = max(len(certain), 1) if self._budget is None else AT_ONCE
        for start in range(0, len(certain), size):
            some = certain[start : start + size]
            clients = deal(self._tree, [slot.whole for slot in some], self._budget)
            if clients is None:
                return
            for slot, client in zip(some, clients, strict=True):
                claimant: Claimant = client.claimant
                self.grants.append(Grant(claimant.framework, claimant.role, slot.id, slot.free))
                slot.free = EMPTY

    # --- one agent ------------------------------------------------------------------------------

    def _deal(self, slot: Slot) -> None:
        if self._is_owed:
            self._deal_guarantees(slot)
            return
        first = self._first()
        if first is None:
            return
        part = part_for(self._now, slot, first.claimant, self._budget)
        if isinstance(part, Resources) and part is slot.free:
            self._grant(slot, first, part)
            return
        self._walk(slot)

    def _first(self) -> Client | None:
        """The framework that deserves most."""
        tree = self._tree
        node = tree.root
        while True:
            order = node.order or tree.order_of(node)
            if not order:
                return None
            if not node.children:
                return order[0][3]  # type: ignore[no-any-return]
            node = order[0][3]

    def _walk(self, slot: Slot) -> None:
        """One role after the other: a role may leave something for the next."""
        until, count = inf, len(self.grants)
        self._hopeless.clear()
        for leaf in self._tree.leaves():
            until = min(until, self._offer_to_role(slot, leaf))
            if not slot.free:
                return
        if len(self.grants) == count:
            slot.rests = (self._version, until)

    def _offer_to_role(self, slot: Slot, leaf: Node) -> float:
        """Offer to the frameworks of a role; if nobody takes it, until when that holds."""
        until = inf
        for entry in self._tree.order_of(leaf):
            client: Client = entry[3]
            part = self._part_for(slot, client.claimant)
            if isinstance(part, Resources):
                self._grant(slot, client, part)
                return until
            until = min(until, part.until)
        return until

    def _part_for(self, slot: Slot, claimant: Claimant) -> Resources | Hindrance:
        """What stands in the way of one stands in the way of its kin, if it is quota."""
        key = claimant.top, id(claimant.least)
        found = self._hopeless.get(key)
        if found is not None:
            return found
        part = part_for(self._now, slot, claimant, self._budget)
        is_quota = isinstance(part, Hindrance) and part.cause in (Cause.LIMIT, Cause.HEADROOM)
        if is_quota and slot.is_plain:
            self._hopeless[key] = part  # type: ignore[assignment]
        return part

    def _deal_guarantees(self, slot: Slot) -> None:
        unmet = {} if self._budget is None else self._budget.unmet
        self._hopeless.clear()
        for leaf in self._tree.leaves() if unmet else ():
            if top_of(leaf.role) not in unmet:
                continue
            for entry in self._tree.order_of(leaf):
                client: Client = entry[3]
                claimant: Claimant = client.claimant
                part = self._part_for(slot, claimant)
                if isinstance(part, Resources) and self._helps(claimant, part):
                    self._grant(slot, client, part)
                    break
            if not slot.free:
                return

    def _grant(self, slot: Slot, client: Client, part: Resources) -> None:
        claimant: Claimant = client.claimant
        if part is slot.known:
            whole, is_open = slot.whole, slot.open
        else:
            whole, is_open = self._tree.parts(part)
        self.grants.append(Grant(claimant.framework, claimant.role, slot.id, part))
        self._tree.grant(client, claimant.top, whole, is_open)
        if self._budget is not None:
            self._budget.spend(claimant.top, is_open)
        slot.free = EMPTY if part is slot.free else slot.free - part


def _group(
    slots: Sequence[Slot], kinds: Sequence[Kind | None], few: int
) -> dict[Kind | None, list[Slot]]:
    """Agents that are alike, of those kinds that there are not too few of."""
    counts = Counter(kinds)
    counts.pop(None, 0)
    alike: dict[Kind | None, list[Slot]]
    alike = {kind: [] for kind, count in counts.items() if count >= few}
    for slot, kind in zip(slots, kinds, strict=True) if alike else ():
        if kind in alike:
            alike[kind].append(slot)
    return alike
