"""Many agents alike, dealt out at once.

While every agent has the same scalars to give, the order in which roles and frameworks are served
does not depend on which agent is next: each child of a node is served at its own rising sequence of
(share, allocations, path), and the node's order is these sequences merged. So one sort gives the
next picks of all nodes of a level exactly, to the last bit, as taking the poorest again and again
would; what the nodes of a level are given decides how many the level below gives out.

Vocabulary: a *pick* is a framework served with one agent; a *stretch* is picks in order, as many as
are certain: a child whose computed sequence is used up ends it, the caller asks for the next; a
*turn* is a step of a child's sequence, a *place* is the position of a pick in the stretch.

Invariants: a stretch is a prefix of what one agent after the other would give (tested against it);
nobody is in it who can take no agent of this kind.
"""

from collections.abc import Callable, Hashable
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesosphere.master.core.allocator.shares import Client, Node, Share, Tree, Vector

DEPTH_LEAST = 4
"""Turns that are computed for each child at once, at least."""

Able = Callable[[Client], bool]
Numbers = NDArray[np.int64]


class Level(NamedTuple):
    """Nodes side by side, how many picks each gives, and the places of these, node by node."""

    nodes: list[Node]
    wanted: Numbers
    places: Numbers


class Dealing:
    """Stretches for agents with one vector. `able`: whether a framework can take such an agent; the
    answer holds for all of its kin."""

    def __init__(self, tree: Tree, vector: Vector, able: Able) -> None:
        self._tree = tree
        self._vector = vector
        self._able = able
        self._kins: dict[Hashable, bool] = {}
        self._takers: dict[Node, list[Any]] = {}
        self._gather(tree.root)

    def _gather(self, node: Node) -> bool:
        """Keep the children of a node that can take something; whether there are any."""
        takers: list[Any] = self._tree.takers(node)
        if node.children:
            takers = [child for child in takers if self._gather(child)]
        else:
            takers = [client for client in takers if self._is_able(client)]
        if takers:
            self._takers[node] = takers
        return bool(takers)

    def _is_able(self, client: Client) -> bool:
        found = self._kins.get(client.kin)
        if found is None:
            found = self._kins[client.kin] = self._able(client)
        return found

    def stretch(self, count: int) -> list[Client]:
        """The next picks, at most `count`; none if nobody can take anything."""
        if self._tree.root not in self._takers:
            return []
        seen: list[Any] = []
        taken = np.zeros(count, dtype=np.int64)  # which of `seen`
        certain = count
        level = Level([self._tree.root], np.array([count]), np.arange(count))
        while level.nodes:
            shares = [share for node in level.nodes for share in self._takers[node]]
            picked, places, ends = self._merge(level, shares)
            certain = int(ends.min(initial=certain))
            taken[places] = len(seen) + picked
            seen += shares
            level = _below(shares, picked, places)
        return [seen[number] for number in taken[:certain].tolist()]

    def _merge(self, level: Level, shares: list[Share]) -> tuple[Numbers, Numbers, Numbers]:
        """Which shares are served at which places, and places from which on that is unknown."""
        wanted = level.wanted
        sizes = np.array([len(self._takers[node]) for node in level.nodes])
        depths = np.maximum(2 * wanted // sizes + 1, DEPTH_LEAST)
        node_of = np.repeat(np.arange(len(sizes)), sizes)
        turns = depths[node_of]
        share_of = np.repeat(np.arange(len(shares)), turns)
        step = np.arange(len(share_of)) - np.repeat(_begins(turns), turns)
        counts = np.array([share.count for share in shares])
        # Shares are in the order of their paths, which decides last.
        keys = self._keys(shares, turns, step)
        order = np.lexsort((counts[share_of] + step, keys, node_of[share_of]))
        begins = _begins(sizes * depths)
        # Beyond the first that is served in its last turn its next one is unknown.
        last = np.flatnonzero(step[order] + 1 == turns[share_of[order]])
        certain = np.minimum(last[np.searchsorted(last, begins)] - begins + 1, wanted)
        offsets = np.arange(certain.sum()) - np.repeat(_begins(certain), certain)
        picked = share_of[order[np.repeat(begins, certain) + offsets]]
        firsts = _begins(wanted)
        places = level.places[np.repeat(firsts, certain) + offsets]
        ends = level.places[(firsts + certain)[certain < wanted]]
        return picked, places, ends

    def _keys(self, shares: list[Share], turns: Numbers, step: Numbers) -> NDArray[np.float64]:
        """The share of each in each of its turns."""
        held = np.array([share.held for share in shares], dtype=np.int64).T
        keys: NDArray[np.float64] = np.zeros(len(step))
        for place, divisor in enumerate(self._tree.divisors):
            if divisor != inf:
                amounts = np.repeat(held[place], turns) + step * self._vector[place]
                np.maximum(keys, amounts / divisor, out=keys)
        weights = np.array([share.weight for share in shares])
        keys /= np.repeat(weights, turns)
        return keys


def _begins(sizes: Numbers) -> Numbers:
    return np.cumsum(sizes) - sizes


def _below(shares: list[Any], picked: Numbers, places: Numbers) -> Level:
    """The nodes among the shares that were served, and with what."""
    counts = np.bincount(picked, minlength=len(shares))
    is_node = np.array([isinstance(share, Node) for share in shares]) & (counts > 0)
    order = np.argsort(picked, kind="stable")
    order = order[is_node[picked[order]]]
    nodes = [shares[number] for number in np.flatnonzero(is_node).tolist()]
    return Level(nodes, counts[is_node], places[order])
