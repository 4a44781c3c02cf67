"""The fair-sharing order: a tree of roles with dominant shares, and frameworks within each role.

The share of a node is the largest fraction of any scalar resource that is allocated (used or
offered) to it and to everything below it, divided by its weight. Children are taken in order of
(share, number of allocations, path). A role that has frameworks and child roles stands among its
children as a virtual leaf ".". Names excluded from fair sharing do not count.

Source: Mesos, docs/allocation-module.md; src/master/allocator/mesos/sorter/drf/sorter.cpp.
"""

from collections.abc import Iterator, Mapping

LEAF = "."


class Share:
    """What a node of the tree holds, in thousandths, and how often it was given something."""

    def __init__(self, path: str, weight: float = 1.0) -> None:
        self.path = path
        self.weight = weight
        self.scalars: dict[str, int] = {}
        self.allocations = 0
        self.rank: tuple[float, int, str] | None = None  # None: to be computed anew
        self.rank_epoch = 0

    def add(self, scalars: Mapping[str, int]) -> None:
        """Count an allocation."""
        for name, amount in scalars.items():
            self.scalars[name] = self.scalars.get(name, 0) + amount
        self.allocations += 1
        self.rank = None

    def subtract(self, scalars: Mapping[str, int]) -> None:
        """Count something given back."""
        for name, amount in scalars.items():
            left = self.scalars.get(name, 0) - amount
            if left > 0:
                self.scalars[name] = left
            else:
                self.scalars.pop(name, None)
        self.rank = None

    def dominant(self, totals: Mapping[str, int], excluded: tuple[str, ...] = ()) -> float:
        """The dominant share, weighted."""
        largest = 0.0
        for name, amount in self.scalars.items():
            total = totals.get(name, 0)
            if total > 0 and name not in excluded:
                largest = max(largest, amount / total)
        return largest / self.weight


class Tree:
    """Roles as a tree; each role has frameworks of its own."""

    def __init__(self, excluded: tuple[str, ...] = ()) -> None:
        self._excluded = excluded
        self._nodes: dict[str, Share] = {}
        self._children: dict[str, dict[str, None]] = {"": {}}
        self._clients: dict[str, dict[str, Share]] = {}
        self._epoch = 0  # of the totals, which every share depends on
        self.totals: dict[str, int] = {}
        self.weights: dict[str, float] = {}

    def add_total(self, scalars: Mapping[str, int], sign: int = 1) -> None:
        """Change the size of the cluster."""
        for name, amount in scalars.items():
            self.totals[name] = self.totals.get(name, 0) + sign * amount
        self._epoch += 1

    def add_client(self, role: str, framework: str) -> None:
        """A framework takes part in a role."""
        self._ensure(role)
        self._clients.setdefault(role, {}).setdefault(framework, Share(framework))

    def remove_client(self, role: str, framework: str) -> None:
        """A framework no longer takes part; roles that became empty go."""
        clients = self._clients.get(role)
        if clients is None:
            return
        clients.pop(framework, None)
        if not clients:
            del self._clients[role]
            self._prune(role)

    def remove_idle_client(self, role: str, framework: str) -> None:
        """The same, unless it holds something in the role."""
        share = self._clients.get(role, {}).get(framework)
        if share is not None and not share.scalars:
            self.remove_client(role, framework)

    def allocate(self, role: str, framework: str, scalars: Mapping[str, int]) -> None:
        """Count resources given to a framework under a role."""
        self.add_client(role, framework)
        self._clients[role][framework].add(scalars)
        for path in _lineage(role):
            self._nodes[path].add(scalars)

    def release(self, role: str, framework: str, scalars: Mapping[str, int]) -> None:
        """Count resources given back."""
        share = self._clients.get(role, {}).get(framework)
        if share is not None:
            share.subtract(scalars)
        for path in _lineage(role):
            node = self._nodes.get(path)
            if node is not None:
                node.subtract(scalars)

    def roles(self) -> Iterator[str]:
        """Roles that have frameworks, the most deserving first, down the tree."""
        yield from self._walk("")

    def frameworks(self, role: str) -> list[str]:
        """The frameworks of a role, the most deserving first."""
        clients = self._clients.get(role, {})
        return sorted(clients, key=lambda name: self._rank(clients[name]))

    def share_of(self, role: str, framework: str | None = None) -> float:
        """The dominant share of a role, or of a framework within it."""
        node = self._nodes.get(role) if framework is None else self._clients[role].get(framework)
        return 0.0 if node is None else node.dominant(self.totals, self._excluded)

    def allocated(self, role: str) -> dict[str, int]:
        """Scalars held by a role and everything below it, in thousandths."""
        node = self._nodes.get(role)
        return {} if node is None else dict(node.scalars)

    def _rank(self, share: Share) -> tuple[float, int, str]:
        if share.rank is None or share.rank_epoch != self._epoch:
            dominant = share.dominant(self.totals, self._excluded)
            share.rank = (dominant, share.allocations, share.path)
            share.rank_epoch = self._epoch
        return share.rank

    def _walk(self, path: str) -> Iterator[str]:
        ranked = [(self._rank(self._nodes[child]), child) for child in self._children[path]]
        if path and path in self._clients:
            own = Share(f"{path}/{LEAF}")
            for client in self._clients[path].values():
                own.add(client.scalars)
            ranked.append((self._rank(own), LEAF))
        for _, child in sorted(ranked):
            if child == LEAF:
                yield path
            elif self._children[child]:
                yield from self._walk(child)
            elif child in self._clients:
                yield child

    def _ensure(self, role: str) -> None:
        parent = ""
        for path in _lineage(role):
            if path not in self._nodes:
                self._nodes[path] = Share(path, self.weights.get(path, 1.0))
                self._children[path] = {}
                self._children[parent][path] = None
            parent = path

    def _prune(self, role: str) -> None:
        for path in reversed(list(_lineage(role))):
            if self._children[path] or path in self._clients:
                return
            del self._children[path], self._nodes[path]
            self._children[path.rpartition("/")[0]].pop(path)


def _lineage(role: str) -> Iterator[str]:
    """ "a/b/c" -> "a", "a/b", "a/b/c"."""
    end = role.find("/")
    while end >= 0:
        yield role[:end]
        end = role.find("/", end + 1)
    yield role
