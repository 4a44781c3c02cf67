"""Virtual time, one source of chance, and the journal.

A world is a heap of (at, sequence, work). Everything that happens is work taken from the heap, so
one seed gives one history. The journal keeps the last lines for people and a digest of all of them,
which two runs of one seed must share.
"""

import hashlib
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable

START = 1_700_000_000.0
"""The first moment, in seconds since 1970."""

JOURNAL_LINES = 400
"""Lines of the journal that are kept."""

Work = Callable[[], None]


class Violation(AssertionError):
    """A checker found a broken promise. The message tells which, where and when."""


class World:
    """The heap, the clock and the dice."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now = START
        self.random = random.Random(seed)
        self.journal: deque[str] = deque(maxlen=JOURNAL_LINES)
        self.events = 0
        self._digest = hashlib.blake2b(digest_size=16)
        self._heap: list[tuple[float, int, Work]] = []
        self._sequence = itertools.count()

    @property
    def elapsed_s(self) -> float:
        """Virtual seconds since the beginning."""
        return self.now - START

    def at(self, delay_s: float, work: Work) -> None:
        """Do work after a delay."""
        heapq.heappush(self._heap, (self.now + max(delay_s, 0.0), next(self._sequence), work))

    def run(self, until_s: float) -> None:
        """Let time pass up to a moment, in seconds since the beginning."""
        end = START + until_s
        while self._heap and self._heap[0][0] <= end:
            at, _, work = heapq.heappop(self._heap)
            self.now = at
            work()
        self.now = end

    def note(self, line: str) -> None:
        """Write a line to the journal."""
        self.events += 1
        text = f"{self.elapsed_s:10.3f} {line}"
        self.journal.append(text)
        self._digest.update(text.encode())

    def mix(self, data: bytes) -> None:
        """Let bytes that crossed the network count in the digest."""
        self._digest.update(data)

    @property
    def digest(self) -> str:
        """The whole history as a short text."""
        return self._digest.hexdigest()

    def between(self, low: float, high: float) -> float:
        """A number between two others."""
        return low + (high - low) * self.random.random()

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return self.random.random() < probability
