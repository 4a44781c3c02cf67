"""One allocation cycle: which framework is offered what of which agent.

Decides, for a batch of agents: walk the roles, then the frameworks of each, by dominant share; the
first that nothing hinders gets all that is free there for its role, in one offer. Where guarantees
of quota are unmet there is a round before, in which only roles that lack something are given what
brings them nearer. What is offered counts as allocated for the agents that follow, so a batch is as
fair as one agent after the other.

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
from mesosphere.master.core.allocator.claims import Claimant, Slot, part_for
from mesosphere.master.core.allocator.quotas import Budget
from mesosphere.master.core.allocator.shares import Client, Node, Tree


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
        for slot in slots:
            rests = slot.rests
            if slot.free and (rests[0] != version or rests[1] <= now):
                self._deal(slot)
        return self.grants

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
