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
from typing import NamedTuple

from mesosphere.kernel.resources import EMPTY, Resources
from mesosphere.master.core.allocator.claims import Claimant, Kind, Slot, lasting_part, part_for
from mesosphere.master.core.allocator.dealing import Dealing
from mesosphere.master.core.allocator.quotas import Budget
from mesosphere.master.core.allocator.shares import Client, Node, Tree

FEW = 32
"""Agents of a kind that are dealt out one by one, even with few frameworks."""

LOOKS = 8
"""Agents of a kind that are looked at to find one that a framework does not refuse."""


class Grant(NamedTuple):
    """An offer to be made."""

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
        self.grants: list[Grant] = []

    def run(self, slots: Sequence[Slot]) -> list[Grant]:
        """Deal out the slots in their order; the tree is charged with what is granted."""
        self._tree.begin()
        budget = self._budget
        if budget is not None and budget.unmet:
            for slot in slots:
                self._deal_guarantees(slot, budget)
                if not budget.unmet:
                    break
        version, now = self._version, self._now
        alike: dict[Kind | None, list[Slot]] = {}
        for slot in slots:
            rests = slot.rests
            if slot.free and (rests[0] != version or rests[1] <= now):
                kind = slot.kind if slot.free is slot.known else None
                alike.setdefault(kind, []).append(slot)
        few = max(FEW, self._tree.root.live // 2)  # less is not worth the preparation
        for kind, group in alike.items():
            rest = group if kind is None or len(group) < few else self._deal_alike(group)
            for slot in rest:
                self._deal(slot)
        return self.grants

    def _deal_alike(self, group: list[Slot]) -> list[Slot]:
        """Deal out agents of one kind; the few that are left are for one after the other."""
        pool, budget = group[::-1], self._budget
        several = FEW
        while len(pool) >= FEW:
            stretch = self._stretch(pool)
            if not stretch:
                for slot in pool if budget is None else ():
                    slot.rests = (self._version, inf)
                return []
            if self._take(stretch, pool) < len(stretch):
                # Somebody is in the way: go round by taking some one by one, each time more.
                for slot in (pool.pop() for _ in range(min(several, len(pool)))):
                    self._deal(slot)
                several *= 2
        return pool

    def _stretch(self, pool: list[Slot]) -> list[Client]:
        """Who is next, as far as it is certain."""
        sample, budget = pool[0], self._budget

        def is_able(client: Client) -> bool:
            return isinstance(lasting_part(sample, client.claimant, budget), Resources)

        return Dealing(self._tree, sample.whole, is_able).stretch(len(pool))

    def _take(self, stretch: list[Client], pool: list[Slot]) -> int:
        """Give agents of the pool to those who are next; how many, until somebody is in the way."""
        whole, is_open, budget = pool[0].whole, pool[0].open, self._budget
        rations = None if budget is None else budget.rations(is_open)
        given: dict[Client, int] = {}
        done = 0
        for client in stretch:
            claimant: Claimant = client.claimant
            if rations is not None and not rations.take(claimant.top):
                break
            is_picky = claimant.refused or claimant.constraint is not None
            if is_picky and not self._bring_agreeable(pool, claimant):
                break
            slot = pool.pop()
            self.grants.append(Grant(claimant.framework, claimant.role, slot.id, slot.free))
            slot.free = EMPTY
            given[client] = given.get(client, 0) + 1
            done += 1
        self._tree.grant_many(given, whole, is_open)
        if budget is not None:
            for client, count in given.items():
                budget.spend(client.claimant.top, [count * each for each in is_open])
        return done

    def _bring_agreeable(self, pool: list[Slot], claimant: Claimant) -> bool:
        """Put an agent last that a claimant takes: any of the kind will do, so look at some."""
        for place in range(len(pool) - 1, max(len(pool) - 1 - LOOKS, -1), -1):
            if isinstance(part_for(self._now, pool[place], claimant, None), Resources):
                pool[place], pool[-1] = pool[-1], pool[place]
                return True
        return False

    def _deal(self, slot: Slot) -> None:
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
            part = part_for(self._now, slot, client.claimant, self._budget)
            if isinstance(part, Resources):
                self._grant(slot, client, part)
                return until
            until = min(until, part.until)
        return until

    def _deal_guarantees(self, slot: Slot, budget: Budget) -> None:
        for leaf in self._tree.leaves():
            if leaf.role.partition("/")[0] not in budget.unmet:
                continue
            for entry in self._tree.order_of(leaf):
                client: Client = entry[3]
                claimant: Claimant = client.claimant
                part = part_for(self._now, slot, claimant, budget)
                if isinstance(part, Resources) and budget.helps(
                    claimant.top, self._tree.parts(part)[1]
                ):
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
