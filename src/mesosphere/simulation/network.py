"""The network: who can reach whom, how long it takes, and what gets lost.

Links have a direction, so a cut may be one-way. What is sent over a cut link waits, as TCP would
repeat it, and arrives after the link has healed if the connection still stands; what a caller then
believes is decided by its own timeout. A connection keeps the order of what it carries.
"""

from collections.abc import Callable

from mesosphere.simulation.world import World

LEAST_DELAY_S = 0.0003
MOST_DELAY_S = 0.004


class Network:
    """Delays and cuts between hosts, which have names."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cut: dict[tuple[str, str], bool] = {}
        self._waiting: dict[tuple[str, str], list[Callable[[], None]]] = {}
        self._arrivals: dict[tuple[str, str, str], float] = {}
        self.slow_s: dict[str, float] = {}

    def is_cut(self, source: str, target: str) -> bool:
        """Whether nothing gets from one to the other at the moment."""
        return (source, target) in self._cut

    def cut(self, source: str, target: str) -> None:
        """Cut one direction."""
        self._world.note(f"cut {source} -> {target}")
        self._cut[(source, target)] = True

    def heal(self) -> None:
        """Undo every cut; what waited sets off again."""
        self._world.note("every link is whole")
        self._cut.clear()
        waiting, self._waiting = self._waiting, {}
        for works in waiting.values():
            for work in works:
                work()

    def delay(self, source: str, target: str) -> float:
        """Seconds from one to the other, this time."""
        slow = self.slow_s.get(source, 0.0) + self.slow_s.get(target, 0.0)
        return slow + self._world.between(LEAST_DELAY_S, MOST_DELAY_S)

    def carry(self, source: str, target: str, connection: str, arrive: Callable[[], None]) -> None:
        """Bring something over, in the order of its connection."""
        if self.is_cut(source, target):
            again = self._waiting.setdefault((source, target), [])
            again.append(lambda: self.carry(source, target, connection, arrive))
            return
        key = (source, target, connection)
        at = max(
            self._world.now + self.delay(source, target), self._arrivals.get(key, 0.0) + 0.000001
        )
        self._arrivals[key] = at
        self._world.at(at - self._world.now, arrive)

    def forget(self, source: str, target: str, connection: str) -> None:
        """A connection has ended."""
        self._arrivals.pop((source, target, connection), None)
        self._arrivals.pop((target, source, connection), None)
