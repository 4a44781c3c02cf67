"""Refusals: which offers a framework does not want to see again for a while.

A filter belongs to a framework, a role and an agent; it hides an offer whose resources are a subset
of those refused. A filter never lasts longer than was asked; it may end earlier, because there is
room for so many on an agent, and for so many in all: beyond that, the framework and role that has
filters on the most agents loses those of the agents that it refused longest ago.

Invariants: filters on an agent are in order of age, and agents in order of their newest filter.

Source: Mesos, src/master/allocator/mesos/hierarchical.cpp.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import islice

from mesosphere.kernel.resources import Resources

DEFAULT_REFUSE_S = 5.0
REFUSE_LIMIT_S = 365 * 86400.0
FILTERS_PER_AGENT = 16
"""Filters of one framework and role on one agent; the oldest goes first."""

FILTERS_LIMIT = 1_000_000
"""Filters of everybody together, some 400 bytes each."""

DROPPED_PART = 10
"""Where there are too many, one in so many agents is freed at once."""

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
        # By framework, role and agent.
        self._refused: dict[str, dict[str, dict[str, list[Refusal]]]] = {}
        self._count = 0
        self._ends: list[tuple[float, str, str, str]] = []  # a heap; some are of filters long gone
        self._ends_limit = ENDS_LEAST

    def refused(self, framework: str, role: str) -> Mapping[str, Sequence[Refusal]]:
        """The refusals of a framework in a role by agent; it changes as they do."""
        return self._by_agent(framework, role)

    def _by_agent(self, framework: str, role: str) -> dict[str, list[Refusal]]:
        return self._refused.setdefault(framework, {}).setdefault(role, {})

    def _all(self) -> Iterator[tuple[str, str, dict[str, list[Refusal]]]]:
        for framework, roles in self._refused.items():
            for role, agents in roles.items():
                yield framework, role, agents

    def add(self, framework: str, role: str, agent: str, refused: Resources, until: float) -> None:
        """Hide offers within `refused` until then."""
        agents = self._by_agent(framework, role)
        earlier = agents.pop(agent, [])
        agents[agent] = [*earlier, (refused, until)][-FILTERS_PER_AGENT:]
        self._count += len(agents[agent]) - len(earlier)
        if self._count > FILTERS_LIMIT:
            self._make_room()
        heappush(self._ends, (until, framework, role, agent))
        if len(self._ends) > self._ends_limit:
            self._drop_stale_ends()

    def _make_room(self) -> None:
        _, _, most = max(self._all(), key=lambda each: len(each[2]))
        for agent in list(islice(most, len(most) // DROPPED_PART + 1)):
            self._count -= len(most.pop(agent))

    def _drop_stale_ends(self) -> None:
        """Filters that were cleared would keep their ends for as long as they were to last."""
        self._ends = [
            (until, framework, role, agent)
            for framework, role, agents in self._all()
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
            agents = self._refused.get(framework, {}).get(role, {})
            known = agents.get(agent, [])
            live = [refusal for refusal in known if refusal[1] > now]
            self._count += len(live) - len(known)
            if live:
                agents[agent] = live
            else:
                agents.pop(agent, None)

    def clear(self, framework: str, role: str | None = None) -> None:
        """REVIVE, or the framework went away: forget its filters."""
        for name, agents in self._refused.get(framework, {}).items():
            if role in (None, name):
                self._count -= sum(map(len, agents.values()))
                agents.clear()

    def forget(self, framework: str, kept_roles: Iterable[str] = ()) -> None:
        """The framework is gone for good, or from all roles but these."""
        roles = self._refused.pop(framework, {})
        kept = {role: roles.pop(role) for role in kept_roles if role in roles}
        for agents in roles.values():
            self._count -= sum(map(len, agents.values()))
        if kept:
            self._refused[framework] = kept

    def clear_agent(self, agent: str) -> None:
        """The agent changed or is gone."""
        for _, _, agents in self._all():
            self._count -= len(agents.pop(agent, ()))

    def counts(self) -> dict[str, int]:
        """How many filters each role has."""
        counts: dict[str, int] = {}
        for _, role, agents in self._all():
            counts[role] = counts.get(role, 0) + sum(map(len, agents.values()))
        return counts

    def __len__(self) -> int:
        return self._count
