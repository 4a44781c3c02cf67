"""When to wake up for which job: a heap with one valid entry per key.

An entry that was replaced stays in the heap until it surfaces and is then skipped.
"""

import heapq


class Agenda:
    """Instants (seconds since 1970) by key."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def put(self, key: str, at: float) -> None:
        """Set or move an entry."""
        if self._at.get(key) != at:
            self._at[key] = at
            heapq.heappush(self._heap, (at, key))

    def drop(self, key: str) -> None:
        """Remove an entry if there is one."""
        self._at.pop(key, None)

    def take_due(self, now: float) -> list[str]:
        """Remove and return the keys whose instant lies before `now`, the earliest first."""
        due = []
        while self._heap and self._heap[0][0] < now:
            at, key = heapq.heappop(self._heap)
            if self._at.get(key) == at:
                del self._at[key]
                due.append(key)
        return due

    def next_at(self) -> float | None:
        """The earliest instant, None when there is no entry."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
