"""One allocation cycle: which framework is offered what of which agent.

Decides, for a batch of agents: walk the roles, then the frameworks of each, by dominant share; the
first that nothing hinders gets all that is free there for its role, in one offer. Where guarantees
of quota are unmet there is a round before, in which only roles that lack something are given what
brings them nearer. What is offered counts as allocated for the agents that follow, so a batch is as
fair as one agent after the other.

Agents that are alike are dealt out together (`dealing`): any of them will do for whoever is next.

An agent that nobody takes anything of *rests*: it is passed over until a refusal ends, its free
resources change, or anything changes that could make somebody take it (the allocator's version).

Invariants: nothing is granted beyond what is free or beyond a quota's limit; nobody is granted what
it can't take, what it refused, or too little to be of use.

Source: Mesos, docs/allocation-module.md; src/master/allocator/mesos/hierarchical.cpp.
"""

from collections.abc import Sequence
from math import inf

import msgspec

from mesosphere.kernel.resources import EMPTY, Resources
from mesosphere.master.core.allocator.claims import (
    Cause,
    Claimant,
    Hindrance,
    Kind,
    Slot,
    lasting_part,
    part_for,
)
from mesosphere.master.core.allocator.dealing import Dealing
from mesosphere.master.core.allocator.quotas import Budget, Rations
from mesosphere.master.core.allocator.shares import Client, Node, Tree, top_of

FEW = 32
"""Agents of a kind that are dealt out one by one, even with few frameworks."""

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
        alike: dict[Kind | None, list[Slot]] = {}
        for slot in slots:
            rests = slot.rests
            if slot.free and (rests[0] != version or rests[1] <= now):
                kind = slot.kind if slot.free is slot.known else None
                alike.setdefault(kind, []).append(slot)
        few = max(FEW, self._tree.root.live // 4)  # less is not worth the preparation
        for kind, group in alike.items():
            rest = group if kind is None or len(group) < few else self._deal_alike(group, few)
            for slot in rest:
                self._deal(slot)

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
        known: dict[tuple[str, int, int], bool] = {}

        def is_able(client: Client) -> bool:
            claimant: Claimant = client.claimant
            key = claimant.top, claimant.can, id(claimant.least)
            found = known.get(key)
            if found is None:
                found = known[key] = self._is_able(sample, client)
            return found

        if self._is_owed and budget is not None:
            count = min(count, max(Rations(budget, sample.open, True).all_owed(), 1))
        return Dealing(self._tree, sample.whole, is_able).stretch(count)

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
                if claimant.top in served:
                    continue  # the order of the others is the same without it
                if not rations.take(claimant.top):
                    rations.settle()
                    is_free = not pool or not self._is_able(pool[0], client)
                    if not is_free:
                        break
                    served[claimant.top] = None
                    continue
            if claimant.constraint is not None or pool[-1].id in claimant.refused:
                is_free = self._bring_agreeable(pool, claimant)
                if not is_free:
                    if rations is not None:
                        rations.put_back(claimant.top)
                    break
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
