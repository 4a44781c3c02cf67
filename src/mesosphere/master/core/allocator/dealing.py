"""Many agents alike, dealt out at once.

While every agent has the same scalars to give, the order in which roles and frameworks are served
does not depend on which agent is next: each child of a node is served at its own rising sequence of
(share, allocations, path), and the node's order is these sequences merged. So one sort gives the
next picks of a node exactly, to the last bit, as taking the poorest again and again would.

Vocabulary: a *pick* is a framework served with one agent; a *stretch* is picks in order, as many as
are certain: a child whose computed sequence is used up ends it, the caller asks for the next.

Invariants: a stretch is a prefix of what one agent after the other would give (tested against it);
nobody is in it who can take no agent of this kind.
"""

from collections.abc import Callable, Iterator
from heapq import heapreplace
from operator import add, truediv

import numpy as np

from mesosphere.master.core.allocator.shares import Client, Entry, Node, Share, Tree, Vector

FEW_PICKS = 64
"""Picks that are found one by one: arrays are not worth it."""

DEPTH_LEAST = 4
"""Picks that are computed for each child at once, at least."""

Able = Callable[[Client], bool]


class Dealing:
    """Stretches for agents with one vector. `able`: whether a framework can take such an agent."""

    def __init__(self, tree: Tree, vector: Vector, able: Able) -> None:
        self._tree = tree
        self._plain = vector
        self._vector = np.array(vector, dtype=np.int64)
        self._divisors = np.array(tree.divisors, dtype=np.float64)
        self._able = able
        self._entries: dict[Node, list[Entry]] = {}
        self._gather(tree.root)

    def _gather(self, node: Node) -> bool:
        """Keep the entries of those below a node that can take something; whether there are any."""
        found = self._tree.order_of(node)
        if node.children:
            found = [entry for entry in found if self._gather(entry[3])]
        else:
            found = [entry for entry in found if self._able(entry[3])]
        if found:
            self._entries[node] = found
        return bool(found)

    def stretch(self, count: int) -> list[Client]:
        """The next picks, at most `count`; none if nobody can take anything."""
        if self._tree.root not in self._entries:
            return []
        return self._picks(self._tree.root, count)

    def _picks(self, node: Node, count: int) -> list[Client]:
        shares = self._merge(self._entries[node], count)
        if not node.children:
            return shares  # type: ignore[return-value]
        wanted: dict[Share, int] = {}
        for share in shares:
            wanted[share] = wanted.get(share, 0) + 1
        below: dict[Share, Iterator[Client]] = {
            child: iter(self._picks(child, number))  # type: ignore[arg-type]
            for child, number in wanted.items()
        }
        picks = []
        for share in shares:
            client = next(below[share], None)
            if client is None:
                break
            picks.append(client)
        return picks

    def _merge(self, entries: list[Entry], count: int) -> list[Share]:
        """The children that are served next, in order, as far as it is certain."""
        shares: list[Share] = [entry[3] for entry in entries]
        if len(shares) == 1:
            return shares * count
        if count <= FEW_PICKS:
            return self._merge_few(entries, count)
        depth = max(DEPTH_LEAST, 2 * count // len(shares) + 1)
        held = np.array([share.held for share in shares], dtype=np.int64)
        weights = np.array([share.weight for share in shares])
        counts = np.array([share.count for share in shares], dtype=np.int64)
        ranks = np.empty(len(shares), dtype=np.int64)
        ranks[sorted(range(len(shares)), key=lambda place: shares[place].path)] = np.arange(
            len(shares)
        )
        steps = np.arange(depth, dtype=np.int64)
        amounts = held[:, None, :] + steps[None, :, None] * self._vector[None, None, :]
        keys = (amounts / self._divisors).max(axis=2) / weights[:, None]
        order = np.lexsort(
            (
                np.repeat(ranks, depth),
                (counts[:, None] + steps[None, :]).ravel(),
                keys.ravel(),
            )
        )
        # Beyond the first that is served `depth` times its next turn is unknown.
        last = np.flatnonzero(order % depth == depth - 1)
        certain = min(count, int(last[0]) + 1)
        return [shares[place] for place in (order[:certain] // depth).tolist()]

    def _merge_few(self, entries: list[Entry], count: int) -> list[Share]:
        vector, divisors = self._plain, self._tree.divisors
        heap = entries.copy()  # sorted, and so a heap
        held: dict[Share, Vector] = {}
        shares = []
        for _ in range(count):
            _, number, path, share = heap[0]
            shares.append(share)
            mine = held[share] = list(map(add, held.get(share) or share.held, vector))
            largest = max(map(truediv, mine, divisors))
            heapreplace(heap, (largest / share.weight, number + 1, path, share))
        return shares
