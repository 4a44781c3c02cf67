"""How long the master's slow things take, for its metrics.

Measured between steps, by the time that each is given: loading and writing the registry, and how
long a change waits for the allocation that it asks for. How long an allocation takes, with the
making of its offers, the runtime says.
"""

from mesosphere.kernel.timings import Timing


class Timings:
    """The timings, and when what is under way began."""

    def __init__(self) -> None:
        self.state_fetch = Timing()
        self.state_store = Timing()
        self.allocation_latency = Timing()
        self.allocation_run = Timing()
        self.load_began_at = 0.0
        self.dirty_since: float | None = None

    def loaded(self, now: float) -> None:
        """The registry is here."""
        self.state_fetch.add(now - self.load_began_at)

    def stored(self, now: float, began_at: float) -> None:
        """A transaction was made."""
        self.state_store.add(now - began_at)

    def wait(self, now: float) -> None:
        """Something waits for an allocation, perhaps since earlier."""
        if self.dirty_since is None:
            self.dirty_since = now

    def allocated(self, now: float) -> None:
        """What waited was looked at."""
        if self.dirty_since is not None:
            self.allocation_latency.add(now - self.dirty_since)
            self.dirty_since = None
