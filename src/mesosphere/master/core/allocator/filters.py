"""Refusals: which offers a framework does not want to see again for a while.

A filter belongs to a framework, a role and an agent; it hides an offer whose resources are a subset
of those refused. Source: Mesos, src/master/allocator/mesos/hierarchical.cpp.
"""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from mesosphere.kernel.resources import Resources

DEFAULT_REFUSE_S = 5.0
REFUSE_LIMIT_S = 365 * 86400.0
FILTERS_PER_AGENT = 16
"""Filters of one framework and role on one agent; the oldest goes first."""

ENDS_LEAST = 1_000
"""Ends that are remembered before those of cleared filters are looked for."""

Refusal = tuple[Resources, float]
"""What was refused, and until when."""


def refusal_s(requested: float | None) -> float:
    """How long a refusal lasts: the default for none or a negative one, at most a year."""
    if requested is None or requested < 0 or requested != requested:
        return DEFAULT_REFUSE_S
    return min(requested, REFUSE_LIMIT_S)


def hidden_until(refusals: Sequence[Refusal], offered: Resources, now: float) -> float | None:
    """Until when an offer is hidden by some of these; None: it is not."""
    latest = None
    for refused, until in refusals:
        if until > now and (latest is None or until > latest) and refused.contains(offered):
            latest = until
    return latest


class Filters:
    """All filters of all frameworks."""

    def __init__(self) -> None:
        self._refused: dict[tuple[str, str], dict[str, list[Refusal]]] = {}
        self._ends: list[tuple[float, str, str, str]] = []  # a heap; some are of filters long gone
        self._ends_limit = ENDS_LEAST

    def refused(self, framework: str, role: str) -> Mapping[str, Sequence[Refusal]]:
        """The refusals of a framework in a role by agent; it changes as they do."""
        return self._refused.setdefault((framework, role), {})

    def add(self, framework: str, role: str, agent: str, refused: Resources, until: float) -> None:
        """Hide offers within `refused` until then."""
        agents = self._refused.setdefault((framework, role), {})
        agents[agent] = [*agents.get(agent, ()), (refused, until)][-FILTERS_PER_AGENT:]
        heappush(self._ends, (until, framework, role, agent))
        if len(self._ends) > self._ends_limit:
            self._drop_stale_ends()

    def _drop_stale_ends(self) -> None:
        """Filters that were cleared would keep their ends for as long as they were to last."""
        self._ends = [
            (until, framework, role, agent)
            for (framework, role), agents in self._refused.items()
            for agent, refusals in agents.items()
            for _, until in refusals
        ]
        heapify(self._ends)
        self._ends_limit = max(ENDS_LEAST, 2 * len(self._ends))

    def hides(
        self, framework: str, role: str, agent: str, offered: Resources, now: float
    ) -> float | None:
        """Until when an offer is hidden; None: it is not."""
        return hidden_until(self.refused(framework, role).get(agent, ()), offered, now)

    def expire(self, now: float) -> None:
        """Drop what has passed."""
        while self._ends and self._ends[0][0] <= now:
            _, framework, role, agent = heappop(self._ends)
            agents = self._refused.get((framework, role), {})
            live = [refusal for refusal in agents.get(agent, ()) if refusal[1] > now]
            if live:
                agents[agent] = live
            else:
                agents.pop(agent, None)

    def clear(self, framework: str, role: str | None = None) -> None:
        """REVIVE, or the framework went away: forget its filters."""
        for (owner, name), agents in self._refused.items():
            if owner == framework and role in (None, name):
                agents.clear()

    def forget(self, framework: str) -> None:
        """The framework is gone for good."""
        for key in [key for key in self._refused if key[0] == framework]:
            del self._refused[key]

    def clear_agent(self, agent: str) -> None:
        """The agent changed or is gone."""
        for agents in self._refused.values():
            agents.pop(agent, None)

    def counts(self) -> dict[str, int]:
        """How many filters each role has."""
        counts: dict[str, int] = {}
        for (_, role), agents in self._refused.items():
            counts[role] = counts.get(role, 0) + sum(map(len, agents.values()))
        return counts
