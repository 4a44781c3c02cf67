"""Many agents that differ, dealt out in their order, but level by level.

While whoever is next takes all of the next agent, whom a node serves depends on what its children
hold and on the agents that the node was given, and on nothing below it. So each node deals out its
agents by itself: one heap is kept, where one agent after the other needs one for every level.

Under quota that is so for as many agents as keep every role within its limit.

Invariants: it is, to the last bit, what one agent after the other would give (tested against it);
the caller has made sure that everybody who takes part would take any of the agents whole
(`everybodys`).

Source: Mesos, src/master/allocator/mesos/hierarchical.cpp.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from heapq import heapreplace
from itertools import compress
from operator import add, and_, le, sub, truediv
from typing import Any, NamedTuple

import numpy as np

from mesosphere.master.core.allocator.claims import Alternatives, Claimant, Slot
from mesosphere.master.core.allocator.quotas import Budget
from mesosphere.master.core.allocator.shares import Client, Entry, Node, Tree, Vector

REFUSALS_PER_AGENT = 4
"""With more refusals than that it is not worth while to look for agents that nobody refused."""


def everybodys(tree: Tree, slots: Sequence[Slot]) -> list[Slot]:
    """The agents that everybody would take whole, as far as that is easily seen."""
    claimants: list[Claimant] = [client.claimant for _, client in tree.claimants()]
    refusals = sum(len(claimant.refused) for claimant in claimants)
    is_hard = refusals > REFUSALS_PER_AGENT * len(slots)
    if is_hard or not claimants or any(each.constraint is not None for each in claimants):
        return []
    refused = {agent for claimant in claimants for agent in claimant.refused}
    can = reduce(and_, (claimant.can for claimant in claimants))
    able = [
        slot
        for slot in slots
        if slot.is_plain
        and slot.free is slot.known
        and not slot.needs & ~can
        and slot.id not in refused
    ]
    leasts = {id(claimant.least): claimant.least for claimant in claimants}.values()
    return _enough(tree, able, leasts)


def _enough(tree: Tree, slots: list[Slot], leasts: Iterable[Alternatives]) -> list[Slot]:
    """Those with one of the alternatives of each."""
    vectors = np.array([slot.whole for slot in slots], dtype=np.int64)
    columns = dict(zip(tree.names, vectors.reshape(-1, len(tree.names)).T, strict=True))
    nothing = np.zeros(len(slots), dtype=np.int64)
    enough = np.ones(len(slots), dtype=bool)
    for least in filter(None, leasts):
        has_one = np.zeros(len(slots), dtype=bool)
        for alternative in least:
            has_all = np.ones(len(slots), dtype=bool)
            for name, amount in alternative.items():
                has_all &= columns.get(name, nothing) >= amount
            has_one |= has_all
        enough &= has_one
    return list(compress(slots, enough.tolist()))


def deal(tree: Tree, vectors: Sequence[Vector], budget: Budget | None) -> list[Client] | None:
    """Who gets each of the agents with these (open) vectors; tree and budget are charged.

    None if together it is more than a role may have: then nothing has changed.
    """
    taken: list[Any] = [None] * len(vectors)
    steps: list[Step] = []
    tops = {entry[3]: entry[3].held for entry in tree.order_of(tree.root)}
    _deal(tree, tree.root, range(len(vectors)), vectors, taken, steps)
    given = {top.role: list(map(sub, top.held, held)) for top, held in tops.items()}
    if budget is not None:
        if not all(all(map(le, each, budget.allowance(top))) for top, each in given.items()):
            _undo(steps)
            return None
        for top, amounts in given.items():
            budget.spend(top, amounts)
    for top, amounts in given.items():
        tree.charge_open(top, amounts)
    return taken


class Step(NamedTuple):
    """A node that dealt out agents: its order before, and what each of its children held."""

    node: Node
    order: list[Entry]
    held: list[Vector]


def _undo(steps: list[Step]) -> None:
    for node, order, helds in steps:
        for entry, held in zip(order, helds, strict=True):
            share = entry[3]
            share.held, share.count, share.entry = held, entry[1], entry
        node.order = order


def _deal(
    tree: Tree,
    node: Node,
    places: Sequence[int],
    vectors: Sequence[Vector],
    taken: list[Any],
    steps: list[Step],
) -> None:
    order = tree.order_of(node)
    steps.append(Step(node, order, [entry[3].held for entry in order]))
    heap = order.copy()  # sorted, and so a heap
    divisors = tree.divisors
    below: dict[Any, list[int]] = {entry[3]: [] for entry in heap}
    for place in places:
        _, count, path, share = heap[0]
        share.held = held = list(map(add, share.held, vectors[place]))
        below[share].append(place)
        largest = max(map(truediv, held, divisors))
        heapreplace(heap, (largest / share.weight, count + 1, path, share))
    tree.reorder(node, heap)
    for share, given in below.items():
        if isinstance(share, Client):
            for place in given:
                taken[place] = share
        elif given:
            _deal(tree, share, given, vectors, taken, steps)
