"""Refusals: which offers a framework does not want to see again for a while.

A filter belongs to a framework, a role and an agent; it hides an offer whose resources are a subset
of those refused. Source: Mesos, src/master/allocator/mesos/hierarchical.cpp.
"""

from mesosphere.kernel.resources import Resources

DEFAULT_REFUSE_S = 5.0
REFUSE_LIMIT_S = 365 * 86400.0
FILTERS_PER_AGENT = 16
"""Filters of one framework and role on one agent; the oldest goes first."""


def refusal_s(requested: float | None) -> float:
    """How long a refusal lasts: the default for none or a negative one, at most a year."""
    if requested is None or requested < 0 or requested != requested:
        return DEFAULT_REFUSE_S
    return min(requested, REFUSE_LIMIT_S)


class Filters:
    """All filters of all frameworks."""

    def __init__(self) -> None:
        self._refused: dict[tuple[str, str], dict[str, list[tuple[Resources, float]]]] = {}

    def add(self, framework: str, role: str, agent: str, refused: Resources, until: float) -> None:
        """Hide offers within `refused` until then."""
        agents = self._refused.setdefault((framework, role), {})
        agents[agent] = [*agents.get(agent, ()), (refused, until)][-FILTERS_PER_AGENT:]

    def hides(
        self, framework: str, role: str, agent: str, offered: Resources, now: float
    ) -> float | None:
        """Until when an offer is hidden; None: it is not."""
        agents = self._refused.get((framework, role))
        if agents is None or agent not in agents:
            return None
        live = [entry for entry in agents[agent] if entry[1] > now]
        if live:
            agents[agent] = live
        else:
            del agents[agent]
        hiding = [until for refused, until in live if refused.contains(offered)]
        return max(hiding) if hiding else None

    def clear(self, framework: str, role: str | None = None) -> None:
        """REVIVE, or the framework is gone: forget its filters."""
        for key in [key for key in self._refused if key[0] == framework]:
            if role is None or key[1] == role:
                del self._refused[key]

    def clear_agent(self, agent: str) -> None:
        """The agent changed or is gone."""
        for agents in self._refused.values():
            agents.pop(agent, None)

    def count(self, role: str) -> int:
        """How many filters a role has (metrics)."""
        return sum(
            len(entries)
            for (_, named), agents in self._refused.items()
            if named == role
            for entries in agents.values()
        )
