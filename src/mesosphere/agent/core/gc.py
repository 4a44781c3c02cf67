"""Which old sandboxes go: a pure decision over their ages and the disk.

A sandbox may stay for `gc_delay` after its task ended, less as the disk fills:
allowed age = gc_delay * max(0, 1 - headroom - used fraction of the disk). Whatever is older goes,
oldest first. Source: "Mesos: sandbox" (apache/mesos src/slave/slave.cpp age, src/slave/gc.cpp).
"""

from collections.abc import Iterable

CHECK_TIMER = "gc"
REMOVALS_MOST = 1_000
"""Sandboxes that one check removes at most; the next check takes the rest."""


def allowed_age_s(gc_delay_s: float, headroom: float, disk_used: float) -> float:
    """How old a sandbox may get, with `disk_used` between 0 and 1."""
    return gc_delay_s * max(0.0, 1.0 - headroom - disk_used)


class Garbage:
    """Sandboxes whose tasks have ended, by the time of their end."""

    def __init__(self) -> None:
        self._ended_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._ended_at)

    def schedule(self, path: str, ended_at: float) -> None:
        """Take a sandbox in."""
        self._ended_at[path] = ended_at

    def schedule_all(self, sandboxes: Iterable[tuple[str, float]], keep: Iterable[str]) -> None:
        """Take in what an earlier life has left, but for the sandboxes in use."""
        kept = dict.fromkeys(keep)
        for path, changed_at in sandboxes:
            if path not in kept:
                self._ended_at.setdefault(path, changed_at)

    def collect(self, now: float, age_s: float) -> list[str]:
        """Paths that go now; they are forgotten here."""
        oldest = sorted(self._ended_at.items(), key=lambda item: item[1])
        gone = [path for path, ended_at in oldest[:REMOVALS_MOST] if now - ended_at >= age_s]
        for path in gone:
            del self._ended_at[path]
        return gone
