"""The fair-sharing order: a tree of roles with dominant shares, and frameworks within each role.

The share of a node is the largest fraction of any scalar resource that is allocated (used or
offered) to it and to everything below it, divided by its weight. Children are taken in order of
(share, number of allocations, path). A role that has frameworks and child roles stands among its
children as a virtual leaf ".". Names excluded from fair sharing do not count.

Vocabulary: a *vector* holds a number for each scalar name, in thousandths, by the position that
`names` gives it; an *entry* is (share, allocations, path, node), what a node is sorted by; an
*order* is the sorted list of the entries of those who take part: a role without a framework that
is to be offered anything is not in it. *Open* is what quota counts by allocation: neither reserved
nor revocable (what is reserved counts as consumed whether anybody uses it or not).

Invariants: an order is None (to be made when it is needed) or sorted and complete; what a node
holds is the sum of what is below it; vectors have as many places as there are names.

Source: Mesos, docs/allocation-module.md; src/master/allocator/mesos/sorter/drf/sorter.cpp.
"""

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator, Sequence
from operator import add, attrgetter, sub, truediv
from typing import Any, Optional

from mesosphere.kernel.resources import Identity, Resources, quantity

LEAF = "."
KINDS_LIMIT = 20_000
"""Kinds of agents that are remembered; then new ones begin."""

Vector = Sequence[int]
Entry = tuple[float, int, str, Any]


class Kind:
    """Agents of one kind are alike for everybody. Two kinds may be of the same agents."""

    __slots__ = ()


class Share:
    """What a role, or a framework in one, holds, and how often it was given something."""

    __slots__ = ("count", "entry", "held", "parent", "path", "weight")

    def __init__(self, path: str, width: int, parent: Optional["Node"], weight: float = 1.0):
        self.path = path
        self.parent = parent
        self.weight = weight
        self.held: Vector = [0] * width
        self.count = 0
        self.entry: Entry | None = None  # None: to be computed anew


class Client(Share):
    """A framework in a role. `claimant` is None while it is not to be offered anything; those of
    one `kin` can take the same."""

    __slots__ = ("claimant", "kin")

    def __init__(self, path: str, width: int, parent: "Node"):
        super().__init__(path, width, parent)
        self.claimant: Any = None
        self.kin: Hashable = None


class Node(Share):
    """A role with child roles, or a leaf with frameworks. `live` counts claimants below it."""

    __slots__ = ("children", "clients", "live", "order", "role", "takers")

    def __init__(self, path: str, role: str, width: int, parent: Optional["Node"], weight: float):
        super().__init__(path, width, parent, weight)
        self.role = role
        self.children: dict[str, Node] = {}
        self.clients: dict[str, Client] = {}
        self.live = 0
        self.order: list[Entry] | None = None
        self.takers: list[Any] | None = None  # who takes part, by path; None: to be made anew

    def forget_takers(self) -> None:
        """Somebody takes part or does so no more."""
        self.order = self.takers = None


class Tree:
    """Roles as a tree; each role has frameworks of its own."""

    def __init__(self, excluded: tuple[str, ...] = ()) -> None:
        self._excluded = excluded
        self.names: dict[str, int] = {}  # scalar name -> place in a vector
        self.root = Node("", "", 0, None, 1.0)
        self._nodes: dict[str, Node] = {}
        self._leaves: dict[str, Node] = {}  # role with frameworks -> the node that holds them
        self._totals: Vector = []
        self.divisors: list[float] = []
        self._is_stale = True
        self._open: dict[str, Vector] = {}  # top role -> allocated, neither reserved nor revocable
        self._reserved: dict[str, Vector] = {}  # top role -> reserved to it and those below
        self.weights: dict[str, float] = {}
        self._kinds: dict[tuple[int, ...], Kind] = {}
        for name in ("cpus", "mem", "disk", "gpus"):
            self._add_name(name)

    # --- vectors ------------------------------------------------------------------------------

    def _add_name(self, name: str) -> None:
        """A scalar that was not seen before: every vector gets a place for it."""
        self.names[name] = len(self.names)
        self._totals = [*self._totals, 0]
        for known in (self._open, self._reserved):
            for role, vector in known.items():
                known[role] = [*vector, 0]
        for node in (self.root, *self._nodes.values(), *self._leaves.values()):
            for share in (node, *node.clients.values()):
                if len(share.held) < len(self.names):
                    share.held = [*share.held, 0]
        self._is_stale = True

    def vector(self, amounts: Resources) -> Vector:
        """The scalars of resources."""
        return self.parts(amounts)[0]

    def parts(self, amounts: Resources) -> tuple[Vector, Vector]:
        """The scalars of resources, and the open ones among them (the same object if all are)."""
        names = self.names
        whole = [0] * len(names)
        special: list[tuple[int, int]] = []
        for identity, amount in amounts:
            if not isinstance(amount, int):
                continue
            place = names.get(identity.name)
            if place is None:
                self._add_name(identity.name)
                return self.parts(amounts)
            size = quantity(identity, amount)
            whole[place] += size
            if not is_open(identity):
                special.append((place, size))
        if not special:
            return whole, whole
        rest = list(whole)
        for place, size in special:
            rest[place] -= size
        return whole, rest

    def kind_of(self, what: tuple[int, ...]) -> Kind:
        """The kind of agents that these numbers say all about."""
        kind = self._kinds.get(what)
        if kind is None:
            if len(self._kinds) >= KINDS_LIMIT:
                self._kinds.clear()
            kind = self._kinds[what] = Kind()
        return kind

    def as_scalars(self, vector: Vector) -> dict[str, int]:
        """A vector by names, without what is zero."""
        return {name: vector[place] for name, place in self.names.items() if vector[place]}

    @property
    def totals(self) -> dict[str, int]:
        """The size of the cluster."""
        return self.as_scalars(self._totals)

    def add_total(self, amounts: Resources, sign: int = 1) -> None:
        """Change the size of the cluster."""
        act = add if sign > 0 else sub
        vector = self.vector(amounts)
        self._totals = list(map(act, self._totals, vector))
        for role, part in amounts.reserved().items():
            top = top_of(role)
            vector = self.vector(part.non_revocable())
            known = self._reserved.get(top) or [0] * len(self.names)
            self._reserved[top] = list(map(act, known, vector))
            if not any(self._reserved[top]):
                del self._reserved[top]
        self._is_stale = True

    def begin(self) -> None:
        """What shares are measured by changed since the last cycle, or not."""
        if not self._is_stale:
            return
        self._is_stale = False
        # A share of nothing is nothing.
        self.divisors = [
            float(self._totals[place] or "inf") if name not in self._excluded else float("inf")
            for name, place in self.names.items()
        ]
        for node in (self.root, *self._nodes.values(), *self._leaves.values()):
            node.order = node.entry = None
            for client in node.clients.values():
                client.entry = None

    def held_by_all(self) -> Vector:
        """What is allocated to all roles together."""
        total = [0] * len(self.names)
        for entry in self.root.children.values():
            total = list(map(add, total, entry.held))
        return total

    def consumed(self, top: str) -> Vector:
        """What counts for the quota of a top role: its reservations, and its open allocations."""
        nothing = [0] * len(self.names)
        return list(map(add, self._reserved.get(top, nothing), self._open.get(top, nothing)))

    # --- who takes part -----------------------------------------------------------------------

    def add_client(self, role: str, framework: str) -> Client:
        """A framework takes part in a role."""
        leaf = self._leaves.get(role) or self._add_leaf(role)
        client = leaf.clients.get(framework)
        if client is None:
            client = leaf.clients[framework] = Client(framework, len(self.names), leaf)
        return client

    def set_claimant(self, role: str, framework: str, claimant: Any) -> None:
        """What a framework of a role can take; None: it is to be offered nothing."""
        client = self.add_client(role, framework)
        if (client.claimant is None) != (claimant is None):
            by = -1 if claimant is None else 1
            node = client.parent
            while node is not None:
                node.live += by
                node.forget_takers()
                node = node.parent
        client.claimant = claimant
        client.kin = None if claimant is None else claimant.kin

    def claimants(self) -> Iterator[tuple[str, Client]]:
        """Every (role, framework) that is to be offered something."""
        for role, leaf in self._leaves.items():
            for client in leaf.clients.values():
                if client.claimant is not None:
                    yield role, client

    def client(self, role: str, framework: str) -> Client | None:
        """A framework in a role, if it takes part."""
        return self.clients(role).get(framework)

    def clients(self, role: str) -> dict[str, Client]:
        """The frameworks of a role."""
        leaf = self._leaves.get(role)
        return {} if leaf is None else leaf.clients

    def remove_client(self, role: str, framework: str) -> None:
        """A framework is to be offered nothing more; it goes once it holds nothing, and its role
        with the last."""
        client = self.client(role, framework)
        if client is None:
            return
        self.set_claimant(role, framework, None)
        if any(client.held):
            return
        leaf = client.parent
        assert isinstance(leaf, Node)
        del leaf.clients[framework]
        if not leaf.clients:
            del self._leaves[role]
            if leaf.path != role:
                assert leaf.parent is not None
                leaf.parent.forget_takers()
                del leaf.parent.children[LEAF]
            self._prune(role)

    def set_weights(self, weights: dict[str, float]) -> None:
        """Change the weights of roles; those not named have 1."""
        self.weights = weights
        for path, node in self._nodes.items():
            node.weight = weights.get(path, 1.0)
        self._is_stale = True

    def _add_leaf(self, role: str) -> Node:
        node = self._ensure(role)
        if node.children:
            node = self._add_virtual_leaf(node)
        self._leaves[role] = node
        return node

    def _add_virtual_leaf(self, node: Node) -> Node:
        leaf = Node(f"{node.path}/{LEAF}", node.role, len(self.names), node, 1.0)
        node.children[LEAF] = leaf
        node.forget_takers()
        return leaf

    def _ensure(self, role: str) -> Node:
        parent, path = self.root, ""
        for name in role.split("/"):
            path = f"{path}/{name}" if path else name
            node = self._nodes.get(path)
            if node is None:
                self._make_room(parent)
                node = Node(path, path, len(self.names), parent, self.weights.get(path, 1.0))
                self._nodes[path] = parent.children[name] = node
                parent.forget_takers()
            parent = node
        return parent

    def _make_room(self, node: Node) -> None:
        """A leaf gets child roles: its frameworks move into a virtual leaf."""
        if not node.clients:
            return
        leaf = self._add_virtual_leaf(node)
        leaf.clients, node.clients = node.clients, {}
        leaf.held, leaf.count, leaf.live = list(node.held), node.count, node.live
        for client in leaf.clients.values():
            client.parent = leaf
        self._leaves[node.path] = leaf

    def _prune(self, role: str) -> None:
        node = self._nodes[role]
        while node.parent is not None and not node.children and not node.clients:
            del self._nodes[node.path]
            parent = node.parent
            del parent.children[node.path.rpartition("/")[2]]
            parent.forget_takers()
            node = parent
        leaf = node.children.get(LEAF)
        if leaf is not None and len(node.children) == 1:
            # It has no child roles any more: it is the leaf itself again.
            node.children = {}
            node.clients = leaf.clients
            node.forget_takers()
            for client in node.clients.values():
                client.parent = node
            self._leaves[node.path] = node

    # --- what is held ---------------------------------------------------------------------------

    def allocate(self, role: str, framework: str, amounts: Resources) -> None:
        """Count resources given to a framework under a role."""
        self._change(self.add_client(role, framework), role, amounts, add)

    def release(self, role: str, framework: str, amounts: Resources) -> None:
        """Count resources given back."""
        client = self.client(role, framework)
        if client is not None:
            self._change(client, role, amounts, sub)

    def _change(self, client: Client, role: str, amounts: Resources, act: Any) -> None:
        whole, free = self.parts(amounts)
        top = top_of(role)
        self._open[top] = list(map(act, self._open.get(top) or [0] * len(self.names), free))
        share: Share = client
        while share.parent is not None:
            share.held = list(map(act, share.held, whole))
            share.count += act is add
            share.entry = share.parent.order = None
            share = share.parent
        assert min(client.held) >= 0, f"{client.path} gives back in {role} more than it holds"

    def grant(self, client: Client, top: str, whole: Vector, free: Vector) -> None:
        """The same as `allocate` within a cycle: the orders are kept up to date."""
        self.charge_open(top, free)
        divisors = self.divisors
        share: Any = client
        parent = client.parent
        while parent is not None:
            share.held = held = list(map(add, share.held, whole))
            share.count += 1
            entry = (
                max(map(truediv, held, divisors)) / share.weight,
                share.count,
                share.path,
                share,
            )
            order = parent.order
            if order is not None:
                del order[0 if order[0] is share.entry else bisect_left(order, share.entry)]
                if order and entry < order[-1]:
                    insort(order, entry)
                else:
                    order.append(entry)  # the usual case: who was served is the last
            share.entry = entry
            share, parent = parent, parent.parent

    def grant_many(self, given: dict[Client, int], whole: Vector, free: Vector) -> None:
        """The same as `allocate`: so many times the same to each."""
        tops: dict[str, int] = {}
        for client, count in given.items():
            top = client.claimant.top
            tops[top] = tops.get(top, 0) + count
        times: dict[int, Vector] = {1: whole}
        counts: dict[Share, int] = dict(given.items())
        while counts:
            above: dict[Share, int] = {}
            for share, count in counts.items():
                parent = share.parent
                if parent is None:
                    continue
                amounts = times.get(count)
                if amounts is None:
                    amounts = times[count] = [count * each for each in whole]
                share.held = list(map(add, share.held, amounts))
                share.count += count
                share.entry = parent.order = None
                above[parent] = above.get(parent, 0) + count
            counts = above
        for top, count in tops.items():
            self.charge_open(top, [count * each for each in free])

    def charge_open(self, top: str, amounts: Vector) -> None:
        """Count what quota counts for a top role."""
        known = self._open.get(top)
        self._open[top] = list(map(add, known, amounts)) if known is not None else amounts

    # --- order ----------------------------------------------------------------------------------

    def takers(self, node: Node) -> list[Any]:
        """The children of a node, or frameworks of a leaf, that take part, by their paths."""
        if node.takers is None:
            shares: list[Any]
            if node.children:
                shares = [child for child in node.children.values() if child.live]
            else:
                shares = [one for one in node.clients.values() if one.claimant is not None]
            node.takers = sorted(shares, key=attrgetter("path"))
        return node.takers

    def order_of(self, node: Node) -> list[Entry]:
        """The entries of a node's children, or of a leaf's frameworks, the most deserving first."""
        if node.order is None:
            divisors = self.divisors
            listed: list[Entry] = []
            for share in self.takers(node):
                entry = share.entry
                if entry is None:
                    dominant = max(map(truediv, share.held, divisors)) / share.weight
                    entry = share.entry = (dominant, share.count, share.path, share)
                listed.append(entry)
            listed.sort()
            node.order = listed
        return node.order

    def reorder(self, node: Node, entries: list[Entry]) -> None:
        """Those who take part were served by the caller: their entries now, in any order."""
        for entry in entries:
            share = entry[3]
            share.count, share.entry = entry[1], entry
        node.order = sorted(entries)

    def _dominant(self, share: Share) -> float:
        largest: float = max(map(truediv, share.held, self.divisors))
        return largest / share.weight

    def leaves(self, node: Node | None = None) -> Iterator[Node]:
        """Roles whose frameworks are to be offered something, the most deserving first."""
        node = node or self.root
        # What is granted on the way counts from the next agent on.
        for entry in list(self.order_of(node)):
            child: Node = entry[3]
            if child.children:
                yield from self.leaves(child)
            else:
                yield child

    def roles(self) -> list[str]:
        """Every role that frameworks are in, by name."""
        return sorted(self._leaves)

    def share_of(self, role: str, framework: str | None = None) -> float:
        """The dominant share of a role, or of a framework within it."""
        self.begin()
        share = self._nodes.get(role) if framework is None else self.client(role, framework)
        return 0.0 if share is None else self._dominant(share)

    def allocated(self, role: str) -> dict[str, int]:
        """Scalars held by a role and everything below it, in thousandths."""
        node = self._nodes.get(role)
        return {} if node is None else self.as_scalars(node.held)


def is_open(identity: Identity) -> bool:
    """Whether quota counts it only when it is allocated."""
    return not identity.reservations and not identity.is_revocable


def top_of(role: str) -> str:
    """The role at the top of a path."""
    return role.partition("/")[0]
