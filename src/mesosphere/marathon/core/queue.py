"""What waits to be launched, and why offers were of no use to it.

Vocabulary: an *entry* is one app with the number of instances that are wanted; a *revival* is an
instance that ended and is launched again under its id with the next incarnation.
Invariants: an entry has a count of at least one; statistics count each offer once, for the first
reason against it.
Source: Marathon, "REST API", /v2/queue.
"""

from collections import deque

import msgspec

from mesosphere.marathon.core.matcher import Reason

LAST_OFFERS_LIMIT = 10_000
"""Agents whose last offer is remembered for one entry."""


class Entry(msgspec.Struct):
    """One app that waits. Times in seconds since 1970."""

    app_id: str
    count: int
    since: float
    processed: int = 0
    unused: int = 0
    last_unused_at: float | None = None
    last_used_at: float | None = None
    refusals: dict[Reason, int] = {}
    last_offers: dict[str, tuple[Reason | None, float, bytes]] = {}

    def used(self, agent_id: str, now: float) -> None:
        """An offer took one instance."""
        self.processed += 1
        self.last_used_at = now
        self.last_offers.pop(agent_id, None)

    def refused(self, agent_id: str, reason: Reason, now: float, offer: bytes) -> None:
        """An offer was of no use."""
        self.processed += 1
        self.unused += 1
        self.last_unused_at = now
        self.refusals[reason] = self.refusals.get(reason, 0) + 1
        self.last_offers.pop(agent_id, None)
        self.last_offers[agent_id] = (reason, now, offer)
        if len(self.last_offers) > LAST_OFFERS_LIMIT:
            del self.last_offers[next(iter(self.last_offers))]


class LaunchQueue:
    """Entries by app, in the order they began to wait."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._revivals: dict[str, deque[tuple[str, int]]] = {}

    def set(self, app_id: str, count: int, now: float) -> bool:
        """Want `count` instances; returns whether more are wanted than before."""
        entry = self.entries.get(app_id)
        if count <= 0:
            self.entries.pop(app_id, None)
            self._revivals.pop(app_id, None)
            return False
        if entry is None:
            self.entries[app_id] = Entry(app_id, count, now)
            return True
        grown = count > entry.count
        entry.count = count
        return grown

    def take(self, app_id: str, fresh: str) -> tuple[str, int]:
        """One instance is being launched: its id and incarnation (a `fresh` id's is 1)."""
        entry = self.entries[app_id]
        entry.count -= 1
        revivals = self._revivals.get(app_id)
        found = revivals.popleft() if revivals else (fresh, 1)
        if entry.count <= 0:
            del self.entries[app_id]
            self._revivals.pop(app_id, None)
        return found

    def revive(self, app_id: str, instance_id: str, incarnation: int) -> None:
        """An instance ended and will be launched again under its id."""
        self._revivals.setdefault(app_id, deque(maxlen=1000)).append((instance_id, incarnation))
