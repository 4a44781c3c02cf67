"""Group commit: what a leader must still write, and what waits until it is written.

A leader's machine changes its state at once, marks the nodes concerned, and says nothing of it
before it is durable: answers, launches and acknowledgements are registered with `after`. At the
end of each step `flush` turns the marked nodes into one transaction; while one is under way further
changes gather for the next. Every transaction checks the epoch node, which each new leader writes
first, so that the writes of a leader that was replaced are refused.

Invariants: at most one transaction is under way; a continuation runs after the transaction that
holds the last change made before it was registered; continuations run in order.
"""

from collections.abc import Callable

from mesosphere.kernel.effects import Commit, Effect
from mesosphere.kernel.store import ABSENT, Check, Put, Write

Continuation = Callable[[float], list[Effect]]

EPOCH = "/epoch"
WRITES_PER_COMMIT = 1_000
BYTES_PER_COMMIT = 400_000
"""A node may add up to 500 kB to this; ZooKeeper takes 1 MB in one request."""


class Ledger:
    """See the module. `render(path)` gives the write that brings a node up to date."""

    def __init__(self, name: str, render: Callable[[str], Write]) -> None:
        self._name = name
        self._render = render
        self._dirty: dict[str, None] = {}
        self._waiting: list[Continuation] = []
        self._flying: list[Continuation] | None = None
        self._count = 0
        self._epoch = 0
        self.flown_at = 0.0

    def take_office(self, identity: bytes, known_version: int | None) -> Commit:
        """The first transaction of a new leader: refuses every writer before it."""
        version = ABSENT if known_version is None else known_version
        return Commit(f"{self._name}/epoch", (Put(EPOCH, identity, version),))

    def is_epoch(self, token: str) -> bool:
        """Whether a Committed event is the answer to `take_office`."""
        return token == f"{self._name}/epoch"

    def hold_office(self, version: int) -> None:
        """The epoch was written; from here on `flush` commits."""
        self._epoch = version

    def owns(self, token: str) -> bool:
        """Whether a Committed or CommitFailed event belongs to this ledger."""
        return token.startswith(f"{self._name}/")

    def mark(self, path: str) -> None:
        """A node must be written."""
        self._dirty[path] = None

    def after(self, continuation: Continuation) -> None:
        """Do this once everything marked so far is durable."""
        self._waiting.append(continuation)

    @property
    def queued(self) -> int:
        """Nodes that wait for a transaction of theirs."""
        return len(self._dirty)

    def forget(self) -> None:
        """Drop marks: what is in memory was just read from the store."""
        self._dirty.clear()

    def flush(self, now: float) -> list[Effect]:
        """Begin the next transaction, if there is need and none is under way."""
        if self._flying is not None:
            return []
        effects: list[Effect] = []
        while not self._dirty and self._waiting:
            # What runs may mark nodes, or wait for more, itself.
            waiting, self._waiting = self._waiting, []
            effects += [effect for action in waiting for effect in action(now)]
        if not self._dirty:
            return effects
        writes: list[Write] = []
        size = 0
        for path in list(self._dirty):
            if len(writes) >= WRITES_PER_COMMIT or size >= BYTES_PER_COMMIT:
                break
            write = self._render(path)
            size += len(write.data) if isinstance(write, Put) else 0
            writes.append(write)
            del self._dirty[path]
        # While some nodes stay dirty, what waits may concern them: it waits for the last of them.
        self._flying = []
        if not self._dirty:
            self._flying, self._waiting = self._waiting, []
        self._count += 1
        self.flown_at = now
        commit = Commit(f"{self._name}/{self._count}", (Check(EPOCH, self._epoch), *writes))
        return [*effects, commit]

    def committed(self, now: float) -> list[Effect]:
        """The transaction under way was made: what waited for it happens."""
        waiting, self._flying = self._flying or [], None
        return [effect for action in waiting for effect in action(now)]
